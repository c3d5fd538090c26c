// module.test.mjs - what a module exports and imports, how large it is, which kernels it has
// SPDX-License-Identifier: MIT OR Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { abi, C, Index, KIND } from './host.mjs';
import { bytes, emscripten, host, module, simd, threads } from './under.mjs';

const OWN = ['nighw_alloc', 'nighw_free', 'nighw_function', 'nighw_save', 'nighw_used'];
const EMSCRIPTEN = ['__errno_location', '__indirect_function_table', '_initialize', 'stackAlloc',
  'stackRestore', 'stackSave']; // what Emscripten adds; nothing of ours calls them
const CALLBACK = { module: 'nigh', name: 'callback', kind: 'function' };
const MEMORY = { module: 'env', name: 'memory', kind: 'memory' }; // of the threads, first

test('exports nigh.h, the memory and the functions of nighw.h; imports next to nothing', () => {
  const listed = readFileSync(new URL('../../wasm/exports.txt', import.meta.url), 'utf8')
    .trim().split('\n').map((line) => line.replace('--export=', ''));
  assert.deepEqual(listed, abi.functions.map(({ name }) => name));
  const expected = ['memory', ...listed, ...OWN, ...(emscripten ? EMSCRIPTEN : []),
    ...(threads ? ['__stack_pointer'] : [])].sort();
  assert.deepEqual(WebAssembly.Module.exports(module).map(({ name }) => name).sort(), expected);
  assert.deepEqual(WebAssembly.Module.imports(module),
    threads ? [MEMORY, CALLBACK] : [CALLBACK]);
  assert.deepEqual(WebAssembly.Module.customSections(module, 'name'), []);
});

test('is no larger than it may be', () => {
  const most = simd ? [262_000, 96_000] : [226_000, 88_000]; // raw, gzip
  assert.ok(bytes.length <= most[0], `${bytes.length} bytes, at most ${most[0]}`);
  const packed = gzipSync(bytes, { level: 9 }).length;
  assert.ok(packed <= most[1], `${packed} bytes with gzip, at most ${most[1]}`);
});

test('says which kernels it has, and an index uses them', () => {
  const h = host();
  const kernels = C.CPU_SCALAR | (simd ? C.CPU_SIMD128 : 0);
  const { major, minor, patch } = abi.version;
  assert.equal(h.x.nigh_version(), major << 16 | minor << 8 | patch);
  assert.equal(h.x.nigh_features(), kernels);
  const config = { dim: 8, metric: C.METRIC_L2, dtype: C.DTYPE_F32 };
  assert.equal(Index.create(h, config, { slots: 10 }).stats().features, kernels);
});

test('has a function for each kind of callback, and for nothing else', () => {
  const { x } = host();
  const functions = Object.values(KIND).map((kind) => x.nighw_function(kind));
  assert.equal(new Set(functions).size, Object.keys(KIND).length);
  assert.ok(functions.every((at) => at > 0));
  for (const kind of [0, functions.length + 1, -1, 1 << 20]) assert.equal(x.nighw_function(kind), 0);
});

test('a call with nothing in it is refused, not a trap', () => {
  const h = host();
  for (const { name, parameters, returns } of abi.functions) {
    const zeros = parameters.map((p) => (p.type.base === 'u64' && p.type.pointers === 0 ? 0n : 0));
    const status = h.x[name](...zeros);
    if (returns.base === 'nigh_status') assert.equal(status, C.E_INVALID, name);
  }
  assert.equal(h.x.nighw_save(0, 0, 0, 0n), C.E_INVALID);
  assert.equal(h.text(h.x.nigh_status_text(C.E_FULL)),
    'the index is full: give it more memory, then go on');
});
