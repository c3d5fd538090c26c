// base.ts - what api.ts shows, and what the package's other files use of it: one file in dist
// SPDX-License-Identifier: MIT OR Apache-2.0
export * from './bytes.js';
export * from './change.js';
export * from './core.js';
export * from './errors.js';
export * from './handle.js';
export * from './keys.js';
export * from './main.js';
export * from './module.js';
export * from './rest.js';
export * from './rows.js';
export * from './search.js';
export * from './wasm.js';
