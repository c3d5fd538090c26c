// open.test.mjs - an index from wherever its bytes are, and into files
// SPDX-License-Identifier: MIT OR Apache-2.0
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync,
  symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import * as nigh from 'nigh';
import * as inNode from 'nigh/node';
import { range, refused, row, rowsOf, same } from './common.mjs';

const { Index } = nigh;
const DIM = 6;
const rows = rowsOf(300, DIM);
const index = await Index.create({ dim: DIM });
index.add(range(300), rows);
const image = index.save();
const folder = mkdtempSync(join(tmpdir(), 'nigh-js-'));
after(() => rmSync(folder, { recursive: true }));

test('bytes in many forms', async () => {
  const shifted = new Uint8Array(image.length + 3);
  shifted.set(image, 3);
  const shared = new SharedArrayBuffer(image.length);
  new Uint8Array(shared).set(image);
  const sources = [image, image.buffer, Buffer.from(image), shifted.subarray(3),
    new DataView(image.buffer), new Uint8Array(shared), new Blob([image]), new File([image], 'x'),
    new Response(image), Promise.resolve(image), { getFile: async () => new Blob([image]) }];
  for (const source of sources) {
    const back = await Index.open(source);
    same(back.save(), image);
    back.add(300, row(rows, DIM, 4));
    assert.equal(back.size, 301);
  }
  same(index.save(), image, 'the source is not what the index works on');
});

test('addresses', async () => {
  const server = createServer((request, response) => {
    if (request.url === '/there.nigh') response.end(image);
    else response.writeHead(404).end();
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const base = `http://127.0.0.1:${server.address().port}`;
  same((await Index.open(`${base}/there.nigh`)).save(), image);
  same((await Index.open(new URL('/there.nigh', base))).save(), image);
  same((await Index.open(fetch(`${base}/there.nigh`))).save(), image);
  await assert.rejects(Index.open(`${base}/gone.nigh`), refused('FETCH', /404/));
  await new Promise((resolve) => { server.close(resolve); });
});

test('packed and without vectors', async () => {
  const packed = index.save({ packed: true });
  assert.ok(packed.length < image.length);
  const reader = await Index.open(packed);
  assert.deepEqual(reader.search(row(rows, DIM, 8)), index.search(row(rows, DIM, 8)));
  same(reader.save(), image);
  assert.ok(index.save({ graphOnly: true }).length <= image.length - 300 * DIM * 4);
});

test('entries share one class', async () => {
  assert.equal(inNode.Index, Index);
  const slim = await import('nigh/slim');
  assert.equal(slim.Index, Index);
  assert.equal(typeof nigh.load, 'function');
  await nigh.load();
  assert.equal(Index.createSync({ dim: 2 }).size, 0);
  same(Index.openSync(image).save(), image);
});

test('files', async () => {
  const path = join(folder, 'a.nigh');
  await inNode.save(index, path);
  same(readFileSync(path), image);
  same((await inNode.open(path)).save(), image);
  same((await inNode.open(pathToFileURL(path))).save(), image);
  await inNode.save(index, pathToFileURL(join(folder, 'b.nigh')), { packed: true });
  assert.equal((await inNode.open(join(folder, 'b.nigh'))).writable, false);
  await assert.rejects(inNode.open(join(folder, 'gone')), { code: 'ENOENT' });
});

test('a file is replaced whole, or stays', async () => {
  const path = join(folder, 'c.nigh');
  const link = join(folder, 'link.nigh');
  writeFileSync(path, 'old');
  chmodSync(path, 0o640);
  symlinkSync(path, link);
  await inNode.save(index, link);
  same(readFileSync(path), image);
  assert.equal(statSync(path).mode & 0o777, 0o640);
  assert.equal(statSync(link).isFile(), true);
  mkdirSync(join(folder, 'd'));
  const before = readdirSync(folder);
  await assert.rejects(inNode.save(index, join(folder, 'd')));
  await assert.rejects(inNode.save(index, join(folder, 'nowhere', 'e.nigh')), { code: 'ENOENT' });
  assert.deepEqual(readdirSync(folder), before, 'nothing is left behind');
  assert.equal(existsSync(join(folder, 'nowhere')), false);
});
