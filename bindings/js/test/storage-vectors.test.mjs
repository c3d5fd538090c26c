// storage-vectors.test.mjs - vectors in files and on servers
// SPDX-License-Identifier: MIT OR Apache-2.0
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Index } from 'nigh';
import { fileVectors } from 'nigh/node';
import { httpVectors, nearestAsync, searchAsync } from 'nigh/storage';
import { range, refused, row } from './common.mjs';
import { compared, COUNT, DIM, graphs, inside, rows } from './outside.mjs';

const folder = mkdtempSync(join(tmpdir(), 'nigh-js-vectors-'));
after(() => rmSync(folder, { recursive: true }));

test('in a file, read at once', async () => {
  const path = join(folder, 'rows');
  const vectors = fileVectors(path, { dim: DIM });
  const index = await Index.create({ dim: DIM, codes: 'u7', vectors });
  assert.equal(vectors.append(rows.subarray(0, 1500 * DIM)), 0);
  assert.equal(vectors.append(Array.from(rows.subarray(1500 * DIM))), 1500);
  assert.equal(vectors.count, COUNT);
  await index.build(range(COUNT, 5000));
  const query = row(rows, DIM, 40);
  assert.deepEqual(index.search(query), inside.u7.search(query));
  vectors.set(40, row(rows, DIM, 41));
  index.set(5040);
  assert.deepEqual(Array.from(index.get(5040)), Array.from(row(rows, DIM, 41)));
  assert.throws(() => vectors.set(COUNT + 1, query), refused('INVALID'));
  assert.throws(() => vectors.append(new Float32Array(DIM + 1)), refused('INVALID'));
  vectors.close();
  const reader = fileVectors(path, { dim: DIM, readOnly: true });
  const again = await Index.open(graphs.u7, { vectors: reader });
  assert.equal(again.search(row(rows, DIM, 9))[0].key, 5009);
  assert.throws(() => reader.append(query), refused('WRITE'));
  truncateSync(path, 4 * DIM * 9);
  assert.throws(() => again.search(query), refused('FETCH', /not there/));
  assert.throws(() => fileVectors(join(folder, 'gone'), { dim: 2, readOnly: true }),
    refused('NOT_FOUND'));
  reader.close();
});

test('by key, with a header and a stride', async () => {
  const path = join(folder, 'strided');
  const bytes = new Uint8Array(100 + 20 * 200);
  for (let i = 0; i < 20; i++) {
    bytes.set(new Uint8Array(row(rows, DIM, i).slice().buffer), 100 + i * 200);
  }
  writeFileSync(path, bytes);
  const vectors = fileVectors(path, { dim: DIM, offset: 100, stride: 200, by: 'key' });
  assert.equal(vectors.count, 20);
  const index = await Index.create({ dim: DIM, vectors });
  index.add([19, 3, 7]);
  assert.equal(index.search(row(rows, DIM, 3), { k: 1 })[0].key, 3);
  assert.deepEqual(Array.from(index.get(19)), Array.from(row(rows, DIM, 19)));
  assert.throws(() => index.add(20), refused('FETCH'));
  vectors.append(row(rows, DIM, 20));
  index.add(20);
  assert.equal(index.search(row(rows, DIM, 20), { k: 1 })[0].key, 20);
  vectors.close();
  assert.throws(() => fileVectors(path, { dim: 3, dtype: 'i8' }), refused('UNSUPPORTED'));
  assert.throws(() => fileVectors(path, { dim: 3, stride: 5 }), refused('INVALID'));
});

/** A server of the rows behind 64 bytes. */
async function served(body, how = {}) {
  const file = Buffer.concat([Buffer.alloc(64), Buffer.from(rows.buffer, rows.byteOffset,
    rows.byteLength)]);
  const seen = [];
  const server = createServer((request, response) => {
    const said = /bytes=(\d+)-(\d+)/.exec(request.headers.range);
    seen.push(said && [Number(said[1]), Number(said[2])]);
    const tag = how.tag?.() ?? '"a"';
    if (how.status) response.writeHead(how.status).end();
    else if (how.whole || !said) response.writeHead(200, { etag: tag }).end(file);
    else if (Number(said[1]) >= file.length) response.writeHead(416).end();
    else {
      const part = file.subarray(Number(said[1]), Number(said[2]) + 1);
      response.writeHead(206, { etag: tag, 'content-range':
        `bytes ${said[1]}-${Number(said[1]) + part.length - 1}/${file.length}` }).end(part);
    }
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  try {
    await body(`http://127.0.0.1:${server.address().port}/rows`, seen);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test('on a server: on codes two passes, near rows together, once', async () => {
  await served(async (url, seen) => {
    const vectors = httpVectors(url, { dim: DIM, offset: 64, gap: 512 });
    const index = await compared(vectors, 'u7');
    const { requests, rows: came } = vectors.reads;
    assert.equal(requests, seen.length);
    assert.ok(came < 150 && requests <= came, JSON.stringify(vectors.reads));
    await searchAsync(index, row(rows, DIM, 0).map((x) => x + 0.01));
    assert.equal(seen.length, requests, 'the cache has them');
    assert.throws(() => index.search(row(rows, DIM, 1)), refused('FETCH', /searchAsync/));
    const both = await Promise.all([1, 2, 3, 1].map((i) => searchAsync(index, row(rows, DIM, i))));
    assert.deepEqual(both.map(([hit]) => hit.key), [5001, 5002, 5003, 5001]);
    const filter = (key) => key % 3 === 0;
    await compared(vectors, 'u7', { k: 20, filter });
    await compared(vectors, 'u7', { exact: true, k: 3 });
    const aborted = AbortSignal.abort(new Error('enough'));
    await assert.rejects(searchAsync(index, row(rows, DIM, 700), { signal: aborted }), /enough/);
  });
});

test('on a server, without codes: more passes, the same answers', async () => {
  await served(async (url) => {
    const vectors = httpVectors(url, { dim: DIM, offset: 64, cacheBytes: 4 * DIM * 40 });
    await compared(vectors, 'none');
    await compared(vectors, 'u7', { codes: false });
  });
});

test('neighbours one after another', async () => {
  await served(async (url) => {
    for (const codes of ['u7', 'none']) {
      const vectors = httpVectors(url, { dim: DIM, offset: 64 });
      const index = await Index.open(graphs[codes], { vectors });
      const query = row(rows, DIM, 50);
      const found = [];
      for await (const hit of nearestAsync(index, query)) {
        found.push(hit);
        if (found.length === 60) break;
      }
      const wanted = [];
      for (const hit of inside[codes].nearest(query)) {
        wanted.push(hit);
        if (wanted.length === 60) break;
      }
      assert.deepEqual(found, wanted);
    }
    const vectors = httpVectors(url, { dim: DIM, offset: 64 });
    const index = await Index.open(graphs.u7, { vectors });
    const all = new Set();
    for await (const { key } of nearestAsync(index, row(rows, DIM, 50), { radius: 0.8 })) all.add(key);
    assert.deepEqual([...all], [...inside.u7.nearest(row(rows, DIM, 50), { radius: 0.8 })]
      .map(({ key }) => key));
  });
});

test('servers that do otherwise', async () => {
  const query = row(rows, DIM, 4);
  const over = async (options, url) =>
    Index.open(graphs.u7, { vectors: httpVectors(url, { dim: DIM, offset: 64, ...options }) });
  await served(async (url, seen) => {
    await searchAsync(await over({}, url), query);
    const { length } = seen;
    assert.ok(length <= 6, `the whole file is fetched by ${length} at most`);
  }, { whole: true });
  await served(async (url) => {
    await assert.rejects(searchAsync(await over({}, url), query), refused('FETCH', /503/));
  }, { status: 503 });
  await served(async (url) => {
    const index = await over({ offset: 1 << 20 }, url);
    await assert.rejects(searchAsync(index, query), refused('FETCH', /not there/));
  });
  let tags = 0;
  await served(async (url) => {
    const index = await over({ gap: 0 }, url);
    await assert.rejects(searchAsync(index, query), refused('MISMATCH', /changed/));
  }, { tag: () => `"${tags++}"` });
  await assert.rejects(searchAsync(await over({}, 'http://127.0.0.1:9/'), query), refused('FETCH'));
  await assert.rejects(searchAsync(inside.u7, query), refused('INVALID'));
});
