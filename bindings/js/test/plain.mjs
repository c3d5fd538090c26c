// plain.mjs - makes Node an engine without SIMD128, for `node --import`
// SPDX-License-Identifier: MIT OR Apache-2.0
const { validate } = WebAssembly;
WebAssembly.validate = (bytes) => bytes.byteLength > 64 && validate(bytes); // not the probe
process.env.NIGH_JS_PLAIN = '1';
