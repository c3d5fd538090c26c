// storage-lazy.test.mjs - vectors in IndexedDB and in Blobs
// SPDX-License-Identifier: MIT OR Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blobVectors, deleteIdbVectors, idbVectors } from 'nigh/storage';
import { indexedDb, refused } from './common.mjs';
import { compared, COUNT, DIM, rows } from './outside.mjs';

await indexedDb();

test('in IndexedDB and in a Blob', async () => {
  const vectors = await idbVectors('v', { dim: DIM });
  assert.equal(await vectors.append(rows.subarray(0, 777 * DIM)), 0);
  assert.equal(await vectors.append(rows.subarray(777 * DIM, 780 * DIM)), 777);
  assert.equal(await (await idbVectors('v', { dim: DIM })).append(rows.subarray(780 * DIM)), 780);
  const again = await idbVectors('v', { dim: DIM });
  assert.equal(again.count, COUNT);
  await compared(again, 'u7');
  await compared(again, 'none');
  await assert.rejects(idbVectors('v', { dim: 5 }), refused('MISMATCH'));
  await assert.rejects(vectors.append([1, 2]), refused('INVALID'));
  await deleteIdbVectors('v');
  assert.equal((await idbVectors('v', { dim: DIM })).count, 0);
  const blob = new Blob([rows.subarray(0, COUNT * DIM)]);
  await compared(blobVectors(blob, { dim: DIM }), 'u7');
  await compared(blobVectors({ getFile: async () => blob }, { dim: DIM }), 'none');
  await assert.rejects(compared(blobVectors(blob.slice(0, 100), { dim: DIM }), 'u7'), refused('FETCH'));
});
