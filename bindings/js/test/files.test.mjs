// files.test.mjs - an index from a server's address, and into files of Node
// SPDX-License-Identifier: MIT OR Apache-2.0
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync,
  symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Index, load } from 'nigh';
import * as inNode from 'nigh/node';
import { range, refused, row, rowsOf, same } from './common.mjs';

const DIM = 6;
const rows = rowsOf(300, DIM);
const index = await Index.create({ dim: DIM });
index.add(range(300), rows);
const image = index.save();
const folder = mkdtempSync(join(tmpdir(), 'nigh-js-'));
after(() => rmSync(folder, { recursive: true }));

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

test('entries share one class', () => assert.equal(inNode.Index, Index));

test('files', async () => {
  const path = join(folder, 'a.nigh');
  await inNode.save(index, path);
  same(readFileSync(path), image);
  same((await inNode.open(path)).save(), image);
  same((await inNode.open(pathToFileURL(path))).save(), image);
  await load('full');
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
