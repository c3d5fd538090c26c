// under.mjs - the module under test, which NIGH_WASM names, and the folder of golden indexes
// SPDX-License-Identifier: MIT OR Apache-2.0
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Host } from './host.mjs';

const path = process.env.NIGH_WASM;
if (!path) throw new Error('NIGH_WASM: the path of a module is expected');
export const bytes = readFileSync(path);
export const threads = basename(path) === 'nigh-mt.wasm';
export const simd = threads || basename(path) === 'nigh.wasm';
export const emscripten = path.includes('emscripten');
const module = new WebAssembly.Module(bytes);
export { module };

/** A new instance. */
export const host = () => new Host(module);

const folder = process.env.NIGH_GOLDEN;
if (!folder) throw new Error('NIGH_GOLDEN: the folder that tests/bindings/golden.py makes');
export const golden = JSON.parse(readFileSync(join(folder, 'golden.json'), 'utf8'));
/** A file of that folder. */
export const goldenBytes = (name) => readFileSync(join(folder, name));
export const goldenFloats = (name) => {
  const data = goldenBytes(name);
  return new Float32Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.length));
};
export const goldenLines = (name) => goldenBytes(name).toString().trimEnd().split('\n');
