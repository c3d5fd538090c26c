// hnswlib-node.mjs - hnswlib as a native addon of Node
// SPDX-License-Identifier: MIT OR Apache-2.0
import { EF_BUILD, M, K } from '../terms.mjs';

export async function open(env, { dim, metric, count }) {
  const { default: library } = await env.load('packages/hnswlib-node/lib/index.js');
  const index = new library.HierarchicalNSW(metric === 'l2' ? 'l2' : 'ip', dim);
  return {
    build(rows) {
      index.initIndex({ maxElements: count, m: M, efConstruction: EF_BUILD });
      for (let i = 0; i < count; i++) {
        index.addPoint(Array.from(rows.subarray(i * dim, (i + 1) * dim)), i);
      }
    },
    queries: (all) => Array.from({ length: all.length / dim }, (_, i) => // it takes plain arrays
      Array.from(all.subarray(i * dim, (i + 1) * dim))),
    effort({ ef }) { index.setEf(ef); },
    search(query, ids, at) {
      const { neighbors } = index.searchKnn(query, K);
      for (let i = 0; i < neighbors.length; i++) ids[at + i] = neighbors[i];
    },
    memoryBytes: () => 0,
  };
}
