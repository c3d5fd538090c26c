// hnswlib-wasm.mjs - hnswlib behind embind; made for pages alone, so Node pretends to be one
// SPDX-License-Identifier: MIT OR Apache-2.0
import { EF_BUILD, M, K } from '../terms.mjs';

/** What it looks for in a page: a window, and a database, which never answers. */
async function pretend() {
  globalThis.window ??= globalThis;
  globalThis.indexedDB ??= { open: () => ({}) };
}

export async function open(env, { dim, metric, count }) {
  if (!env.page) await pretend();
  const { loadHnswlib } = await env.load('packages/hnswlib-wasm/dist/hnswlib.js');
  const library = await loadHnswlib('IDBFS');
  const index = new library.HierarchicalNSW(metric === 'l2' ? 'l2' : 'ip', dim, '');
  return {
    build(rows) {
      index.initIndex(count, M, EF_BUILD, 100);
      for (let i = 0; i < count; i++) {
        index.addPoint(rows.subarray(i * dim, (i + 1) * dim), i, false);
      }
    },
    queries: (all) => Array.from({ length: all.length / dim }, (_, i) =>
      all.slice(i * dim, (i + 1) * dim)),
    effort({ ef }) { index.setEfSearch(ef); },
    search(query, ids, at) {
      const { neighbors } = index.searchKnn(query, K, undefined);
      for (let i = 0; i < neighbors.length; i++) ids[at + i] = neighbors[i];
    },
    memoryBytes: () => library.HEAP8.length,
  };
}
