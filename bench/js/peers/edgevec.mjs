// edgevec.mjs - edgevec; ids count from 1, ef is one for an index's whole life
// SPDX-License-Identifier: MIT OR Apache-2.0
import { EF_BUILD, M, K } from '../terms.mjs';

const MARK = 61681; // an ef that is found again

/** Where the index keeps the ef it was made with, behind M, 2 M and ef_build: written there,
 * another ef takes a moment and not another build. (It opens no file: 0.9.0 refuses its own.) */
function places(memory) {
  const words = new Uint32Array(memory.buffer);
  const found = [];
  for (let at = words.indexOf(MARK); at >= 0; at = words.indexOf(MARK, at + 1)) {
    const before = words.subarray(at - 3, at);
    if ([M, 2 * M, EF_BUILD].every((value, i) => before[i] === value)) found.push(at);
  }
  if (found.length === 0) throw new Error('edgevec keeps its ef somewhere else');
  return found;
}

export async function open(env, { dim, count }) {
  const library = await env.load('packages/edgevec/edgevec.js');
  const { memory } = await library.default(
    { module_or_path: await env.bytes('packages/edgevec/edgevec_bg.wasm') });
  const config = new library.EdgeVecConfig(dim);
  config.metric = 'l2'; // unit rows have the same order by it; by its "dot" it finds none of them
  config.m = M;
  config.m0 = 2 * M;
  config.ef_construction = EF_BUILD;
  config.ef_search = MARK;
  const index = new library.EdgeVec(config);
  const efs = places(memory);
  return {
    build(rows) {
      for (let i = 0; i < count; i++) index.insert(rows.subarray(i * dim, (i + 1) * dim));
    },
    queries: (all) => Array.from({ length: all.length / dim }, (_, i) =>
      all.slice(i * dim, (i + 1) * dim)),
    effort({ ef }) {
      const words = new Uint32Array(memory.buffer);
      for (const at of efs) words[at] = ef;
    },
    search(query, ids, at) {
      const hits = index.search(query, K);
      for (let i = 0; i < hits.length; i++) ids[at + i] = hits[i].id - 1;
    },
    memoryBytes: () => memory.buffer.byteLength,
  };
}
