// plain.mjs - makes Node an engine without SIMD128, for `node --import`
// SPDX-License-Identifier: MIT OR Apache-2.0
import { readFileSync } from 'node:fs';

const { compile, validate } = WebAssembly;
const sizes = ['nigh', 'nigh-small'].map((name) =>
  readFileSync(new URL(`../dist/${name}.wasm`, import.meta.url)).length);
WebAssembly.validate = (bytes) => bytes.byteLength > 64 && validate(bytes); // not the probe
WebAssembly.compile = async (bytes) => {
  if (sizes.includes(bytes.byteLength)) throw new WebAssembly.CompileError('no SIMD here');
  return compile(bytes);
};
process.env.NIGH_JS_PLAIN = '1';
