// hnswlib-cpp.mjs - hnswlib's C++ by Emscripten (hnswlib/hnswlib.cpp)
// SPDX-License-Identifier: MIT OR Apache-2.0
import { EF_BUILD, M, K } from '../terms.mjs';

export async function open(env, { dim, metric, count }) {
  const code = await WebAssembly.compile(await env.bytes('build/hnswlib.wasm'));
  const imports = {}; // of WASI: nothing of it is needed
  for (const { module, name } of WebAssembly.Module.imports(code)) {
    (imports[module] ??= {})[name] = () => 0;
  }
  const { exports: x } = await WebAssembly.instantiate(code, imports);
  x._initialize();
  x.create(dim, metric === 'l2' ? 0 : 1, count, M, EF_BUILD);
  const row = x.room(4 * dim);
  const labels = x.room(4 * K);
  let floats = new Float32Array(x.memory.buffer);
  let words = new Uint32Array(x.memory.buffer);
  const put = (array) => {
    if (floats.length === 0) { // the memory grew
      floats = new Float32Array(x.memory.buffer);
      words = new Uint32Array(x.memory.buffer);
    }
    floats.set(array, row >>> 2);
  };
  let effort = 0;
  return {
    build(rows) {
      for (let i = 0; i < count; i++) {
        put(rows.subarray(i * dim, (i + 1) * dim));
        x.add(row, i);
      }
    },
    queries: (all) => Array.from({ length: all.length / dim }, (_, i) =>
      all.slice(i * dim, (i + 1) * dim)),
    effort({ ef }) { effort = ef; },
    search(query, ids, at) {
      put(query);
      const found = x.search(row, K, effort, labels);
      for (let i = 0; i < found; i++) ids[at + i] = words[(labels >>> 2) + i];
    },
    memoryBytes: () => x.memory.buffer.byteLength,
  };
}
