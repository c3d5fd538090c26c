# bindgen - the reader of nigh.h and a template for each language
# SPDX-License-Identifier: MIT OR Apache-2.0
