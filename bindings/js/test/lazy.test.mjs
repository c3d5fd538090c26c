// lazy.test.mjs - what the small module and the core of the class can, and what brings the rest
// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A file of its own: what is loaded once stays.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Index, load } from 'nigh';
import { refused } from './common.mjs';

const rows = [[0, 1], [1, 0], [4, 4]];

test('calls that do not wait say what they want', async () => {
  const index = await Index.create({ dim: 2 });
  index.add([1, 2, 3], rows);
  assert.equal(index.search([0, 2])[0].key, 1);
  const later = refused('UNSUPPORTED', /load\('full'\)/);
  for (const call of [() => [...index.nearest([0, 2])], () => index.check(), () => index.stats(),
    () => index.config(), () => index.node(0), () => index.row(1), () => index.save({ packed: true }),
    () => index.writeHnswlib(), () => index.searchStats]) {
    assert.throws(call, later, `${call}`);
  }
  assert.equal(index.search([4, 4])[0].key, 3);
});

test('an index with codes has all of it', async () => {
  const index = await Index.create({ dim: 2, codes: 'u7' });
  index.add([1, 2, 3], rows);
  assert.deepEqual([...index.nearest([0, 2])].map(({ key }) => key), [1, 2, 3]);
});

test('an index that was there goes on with all of it', async () => {
  const index = await Index.create({ dim: 2 });
  index.add([1, 2], rows.slice(0, 2));
  await load('full');
  assert.equal([...index.nearest([4, 4])].length, 2);
  assert.equal(index.check().status, 0);
  index.add(3, rows[2]);
  assert.equal(index.search([4, 4])[0].key, 3);
});
