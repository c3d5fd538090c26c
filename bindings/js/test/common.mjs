// common.mjs - what the tests share: data, brute force, what an error must be
// SPDX-License-Identifier: MIT OR Apache-2.0
import assert from 'node:assert/strict';
import { NighError } from 'nigh';

/** f32 rows in clusters, in steps of 2^-20: the same on every machine. */
export function rowsOf(count, dim, seed = 1) {
  let state = BigInt(seed);
  const next = () => {
    state = (state * 6364136223846793005n + 1442695040888963407n) & ((1n << 64n) - 1n);
    return Number(state >> 44n) / (1 << 20) - 0.5;
  };
  const centres = Float32Array.from({ length: 20 * dim }, next);
  const out = new Float32Array(count * dim);
  for (let i = 0; i < count; i++) {
    const centre = Math.floor((next() + 0.5) * 20) * dim;
    for (let j = 0; j < dim; j++) out[i * dim + j] = centres[centre + j] + next() / 4;
  }
  return out;
}

export const row = (rows, dim, i) => rows.subarray(i * dim, (i + 1) * dim);
export const range = (count, first = 0) => Array.from({ length: count }, (_, i) => first + i);

/** Numbers of the k nearest rows by a distance. */
export function nearest(rows, dim, query, k, allowed = () => true) {
  const distance = (i) => {
    let sum = 0;
    for (let j = 0; j < dim; j++) sum += (rows[i * dim + j] - query[j]) ** 2;
    return sum;
  };
  return range(rows.length / dim).filter(allowed).map((i) => [distance(i), i])
    .sort((a, b) => a[0] - b[0]).slice(0, k).map(([, i]) => i);
}

/** For assert.throws and assert.rejects: a NighError of this name. */
export const refused = (code, text = /./) => (error) => {
  assert.ok(error instanceof NighError, `${error.stack}`);
  assert.equal(error.code, `NIGH_E_${code}`, error.stack);
  assert.match(error.message, text);
  return true;
};

export const same = (a, b, text) => assert.equal(Buffer.compare(Buffer.from(a), Buffer.from(b)), 0,
  text ?? 'other bytes');

/** In Node, something that behaves like IndexedDB. */
export async function indexedDb() {
  const name = 'fake-indexeddb/auto'; // no bundler needs to know
  if (!globalThis.indexedDB) await import(name);
}
