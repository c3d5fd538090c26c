// path.mjs - what tests use of node:path, for addresses
// SPDX-License-Identifier: MIT OR Apache-2.0
export const join = (...parts) => parts.join('/').replace(/\/+/g, '/');
