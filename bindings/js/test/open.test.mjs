// open.test.mjs - an index from wherever its bytes are
// SPDX-License-Identifier: MIT OR Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as nigh from 'nigh';
import { range, row, rowsOf, same } from './common.mjs';

const { Index } = nigh;
const DIM = 6;
const rows = rowsOf(300, DIM);
const index = await Index.create({ dim: DIM });
index.add(range(300), rows);
const image = index.save();

test('bytes in many forms', async () => {
  const shifted = new Uint8Array(image.length + 3);
  shifted.set(image, 3);
  const sharing = typeof SharedArrayBuffer === 'function'; // not everywhere in browsers
  const shared = new Uint8Array(sharing ? new SharedArrayBuffer(image.length) : image.length);
  shared.set(image);
  const sources = [image, image.buffer, Buffer.from(image), shifted.subarray(3),
    new DataView(image.buffer), shared, new Blob([image]), new File([image], 'x'),
    new Response(image), Promise.resolve(image), { getFile: async () => new Blob([image]) }];
  for (const source of sources) {
    const back = await Index.open(source);
    same(back.save(), image);
    back.add(300, row(rows, DIM, 4));
    assert.equal(back.size, 301);
  }
  same(index.save(), image, 'the source is not what the index works on');
});

test('packed and without vectors', async () => {
  await nigh.load('full');
  const packed = index.save({ packed: true });
  assert.ok(packed.length < image.length);
  const reader = await Index.open(packed);
  assert.deepEqual(reader.search(row(rows, DIM, 8)), index.search(row(rows, DIM, 8)));
  same(reader.save(), image);
  assert.ok(index.save({ graphOnly: true }).length <= image.length - 300 * DIM * 4);
});

test('entries share one class', async () => {
  const slim = await import('nigh/slim');
  assert.equal(slim.Index, Index);
  assert.equal(typeof nigh.load, 'function');
  await nigh.load();
  assert.equal(Index.createSync({ dim: 2 }).size, 0);
  same(Index.openSync(image).save(), image);
});
