/* small.c - nighw_*.c as one file, with flags of their own
 * layer W; uses: nighw.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "nighw_calls.c"
#include "nighw_memory.c"
