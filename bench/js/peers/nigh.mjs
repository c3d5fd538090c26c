// nigh.mjs - the package of this tree
// SPDX-License-Identifier: MIT OR Apache-2.0
import { EF_BUILD, K, M } from '../terms.mjs';

/** outside: vectors stay in JavaScript's memory, and the index is the one that a file of it is
 * opened as. */
export async function open(env, { dim, metric },
  { codes = 'none', refined = false, outside = false }) {
  const { Index } = await env.load('nigh/dist/index.js');
  let index;
  let rows;
  const vectors = outside ? { fetch(slots, _keys, out) {
    for (let i = 0; i < slots.length; i++) {
      out.set(rows.subarray(slots[i] * dim, (slots[i] + 1) * dim), i * dim);
    }
  } } : undefined;
  const into = { keys: new Float64Array(K) };
  const effort = { k: K };
  return {
    async build(base) {
      rows = base;
      index = await Index.create({ dim, metric, codes, m: M, efBuild: EF_BUILD, vectors });
      await index.build(Array.from({ length: rows.length / dim }, (_, i) => i),
        outside ? undefined : rows);
      if (refined) await index.refine();
    },
    /** What is kept beside the time to build. */
    async settle() {
      if (outside) index = await Index.open(index.save(), { vectors, writable: false });
    },
    queries: (all) => Array.from({ length: all.length / dim }, (_, i) =>
      all.slice(i * dim, (i + 1) * dim)),
    effort({ ef, gamma = 0 }) {
      effort.ef = ef;
      effort.gamma = gamma;
    },
    search(query, ids, at) {
      const found = index.searchInto(query, into, effort);
      for (let i = 0; i < found; i++) ids[at + i] = into.keys[i];
    },
    memoryBytes: () => index.memoryBytes,
  };
}
