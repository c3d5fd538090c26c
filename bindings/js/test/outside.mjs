// outside.mjs - graphs whose vectors are elsewhere, and what they must answer
// SPDX-License-Identifier: MIT OR Apache-2.0
import assert from 'node:assert/strict';
import { Index } from 'nigh';
import { searchAsync } from 'nigh/storage';
import { range, row, rowsOf } from './common.mjs';

export const DIM = 24;
export const COUNT = 2000;
export const rows = rowsOf(COUNT, DIM);

/** Graphs over these rows, by codes, and what one that has its vectors at hand answers. */
export const graphs = {};
export const inside = {};
for (const codes of ['none', 'u7']) {
  const vectors = { fetch(slots, _, out) {
    slots.forEach((slot, i) => out.set(row(rows, DIM, slot), i * DIM));
  } };
  inside[codes] = await Index.create({ dim: DIM, codes, vectors });
  await inside[codes].build(range(COUNT, 5000));
  graphs[codes] = inside[codes].save();
}

/** What takes its time answers as what is there. */
export async function compared(vectors, codes, options = {}) {
  const index = await Index.open(graphs[codes], { vectors });
  for (const i of [0, 17, 999]) {
    const query = row(rows, DIM, i).map((x) => x + 0.01);
    assert.deepEqual(await searchAsync(index, query, options), inside[codes].search(query, options));
  }
  return index;
}
