// terms.mjs - what all contenders are told
// SPDX-License-Identifier: MIT OR Apache-2.0
export const K = 10;
export const M = 16;
export const EF_BUILD = 200;
