// full.mjs - everything at once, for `node --import`: no index begins in the small module
// SPDX-License-Identifier: MIT OR Apache-2.0
import 'nigh/full';
