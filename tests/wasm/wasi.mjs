// wasi.mjs - runs a WASI program in Node, which sees the project's folder and nothing else
// SPDX-License-Identifier: MIT OR Apache-2.0
// usage: node --no-warnings tests/wasm/wasi.mjs PROGRAM [ARGUMENT...]
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { WASI } from 'node:wasi';

const [program, ...args] = process.argv.slice(2);
const wasi = new WASI({ version: 'preview1', args: [program, ...args], env: process.env,
  preopens: { '.': fileURLToPath(new URL('../../', import.meta.url)) }, returnOnExit: true });
globalThis.wasi = wasi; // else Node 20 may collect it in the middle of one of its own calls
const module = new WebAssembly.Module(readFileSync(program));
const instance = new WebAssembly.Instance(module, { ...wasi.getImportObject(),
  nigh: { callback: () => -1 } });
process.exit(wasi.start(instance));
