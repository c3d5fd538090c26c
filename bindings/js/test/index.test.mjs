// index.test.mjs - the class Index: keys, vectors, changes, searches
// SPDX-License-Identifier: MIT OR Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { about, Index } from 'nigh';
import { nearest, range, refused, row, rowsOf, same } from './common.mjs';

const DIM = 24;
const COUNT = 600;
const rows = rowsOf(COUNT, DIM);
const OPTIONS = { dim: DIM, m: 8, efBuild: 80 };

async function filled(options = {}, keys = range(COUNT)) {
  const index = await Index.create({ ...OPTIONS, ...options });
  index.add(keys, rows);
  return index;
}

test('what the module is', async () => {
  const { version, simd } = await about();
  assert.match(version, /^\d+\.\d+\.\d+$/);
  assert.equal(simd, process.env.NIGH_JS_PLAIN !== '1');
});

test('an index is what it was asked to be', async () => {
  const index = await Index.create({ dim: 5, metric: 'cosine', dtype: 'f16', m: 6, m0: 14,
    efBuild: 33, seed: 2n ** 63n + 5n, codes: 'u7', codeMin: -0.5, codeMax: 0.75, alpha: 1.25,
    blockBytes: 4096, keepPruned: true, keys: 'string', keyBytesMax: 40 });
  const config = index.config();
  assert.deepEqual({ ...config }, { dim: 5, metric: 'cosine', dtype: 'f16', keys: 'bytes',
    external: false, codes: 'u7', seed: 2n ** 63n + 5n, m: 6, m0: 14, efBuild: 33, expansions: 2,
    alpha: 1.25, blockBytes: 4096, keyBytesMax: 40, codeMin: -0.5, codeMax: 0.75, keepPruned: true,
    exactBuild: false, unrooted: false });
  assert.deepEqual([index.dim, index.metric, index.dtype, index.size, index.writable],
    [5, 'cosine', 'f16', 0, true]);
  assert.equal(String(index), '[object nigh.Index]');
});

const KEYS = {
  number: range(COUNT).map((i) => (i % 2 ? i : 2 ** 53 - 1 - i)),
  bigint: range(COUNT).map((i) => (1n << 64n) - 1n - BigInt(i) * 7n),
  string: range(COUNT).map((i) => `${'ä漢😀'.repeat(i % 7)}${i}`),
  identity: range(COUNT),
};
for (const [kind, keys] of Object.entries(KEYS)) {
  test(`keys: ${kind}`, async () => {
    const index = await filled({ keys: kind }, keys);
    assert.equal(index.size, COUNT);
    assert.deepEqual([...index.keys()], keys);
    for (const i of [0, 1, 77, COUNT - 1]) {
      const [hit] = index.search(row(rows, DIM, i), { k: 1 });
      assert.deepEqual(hit, { key: keys[i], distance: 0 });
      assert.deepEqual(index.get(keys[i]), row(rows, DIM, i));
      assert.equal(index.slot(keys[i]), i);
    }
    index.remove(keys[5]);
    index.remove(keys.slice(10, 20));
    assert.equal(index.has(keys[5]), false);
    assert.equal(index.get(keys[12]), undefined);
    assert.equal(index.size, COUNT - 11);
    assert.deepEqual([...index.keys()], keys.filter((_, i) => i !== 5 && (i < 10 || i >= 20)));
    index.unremove(keys[12]);
    assert.equal(index.search(row(rows, DIM, 12), { k: 1 })[0].key, keys[12]);
    const back = await Index.open(index.save(), { keys: kind });
    assert.deepEqual(back.search(row(rows, DIM, 3)), index.search(row(rows, DIM, 3)));
    same(back.save(), index.save());
  });
}

test('keys of many forms', async () => {
  const index = await Index.create({ dim: 2 });
  index.add(new Uint32Array([1, 2]), [[1, 0], [2, 0]]);
  index.add(new Set([3, 4]), [3, 0, 4, 0]);
  index.add(5, new Float64Array([5, 0]));
  index.add([], []);
  assert.deepEqual([...index.keys()], [1, 2, 3, 4, 5]);
  const slots = await Index.create({ dim: 2, keys: 'identity' });
  slots.add(null, [[1, 0], [2, 0]]);
  assert.deepEqual([...slots.keys()], [0, 1]);
});

const TYPES = {
  f32: (v) => Float32Array.from(v),
  f16: (v) => Uint16Array.from(v, (x) => (x === 0 ? 0 : x === 1 ? 0x3c00 : x === 2 ? 0x4000 : 0x4200)),
  bf16: (v) => Uint16Array.from(v, (x) => new Uint32Array(Float32Array.of(x).buffer)[0] >>> 16),
  i8: (v) => Int8Array.from(v),
  u8: (v) => Uint8Array.from(v),
};
for (const [dtype, stored] of Object.entries(TYPES)) {
  test(`elements: ${dtype}`, async () => {
    const vectors = range(60).map((i) => range(5).map((j) => (i * 7 + j * i) % 4));
    const index = await Index.create({ dim: 5, dtype, metric: 'l2' });
    index.add(range(30), vectors.slice(0, 30).map(stored)); // stored as they are
    const flat = stored(vectors.slice(30, 40).flat());
    index.add(range(10, 30), flat);
    index.add(range(10, 40), vectors.slice(40, 50)); // converted
    index.add(range(10, 50), new Float64Array(vectors.slice(50).flat()));
    vectors.forEach((vector, i) => {
      const close = Array.from(index.get(i), (x, j) => Math.abs(x - vector[j]) < 0.02);
      assert.ok(close.every(Boolean), `${i}: ${index.get(i)} ${vector}`);
    });
    for (const query of [stored(vectors[9]), vectors[9]]) {
      const { distance } = index.search(query, { k: 1, ef: 60 })[0];
      assert.ok(distance < 1e-3, `${distance}`);
    }
    assert.equal(index.row(9).length, { f32: 20, f16: 10, bf16: 10, i8: 16, u8: 5 }[dtype]);
  });
}

if (typeof Float16Array === 'function') {
  test('elements: f16 of Float16Array', async () => {
    const index = await Index.create({ dim: 2, dtype: 'f16' });
    index.add(1, new Float16Array([1.5, -2]));
    assert.deepEqual(index.get(1), Float32Array.of(1.5, -2));
  });
}

test('elements: bits', async () => {
  const index = await Index.create({ dim: 12, dtype: 'b1', metric: 'hamming' });
  index.add([1, 2], Uint8Array.of(0b10110001, 0b0101, 0xff, 0x0f));
  index.add(3, [1, -1, -1, -1, 1, 1, -1, 1, 1, -1, 1, -1]);
  assert.deepEqual(index.row(3), index.row(1));
  assert.deepEqual(index.search(Uint8Array.of(0b10110001, 0b0101), { k: 3 }).map((hit) =>
    hit.distance), [0, 0, 6]);
});

test('set: new keys, known ones, removed ones', async () => {
  const index = await filled();
  const other = rowsOf(3, DIM, 9);
  index.remove(1);
  index.set([0, 1, COUNT], other);
  assert.equal(index.size, COUNT + 1);
  [0, 1, COUNT].forEach((key, i) => assert.deepEqual(index.get(key), row(other, DIM, i)));
  assert.equal(index.search(row(other, DIM, 1), { k: 1 })[0].key, 1);
  assert.equal(index.check().status, 0);
});

test('removed slots are taken again', async () => {
  const index = await filled();
  index.remove([3, 4]);
  index.add([1000, 1001], rowsOf(2, DIM, 9), { replaceRemoved: true });
  assert.deepEqual([index.slot(1000), index.slot(1001)], [3, 4]);
  assert.throws(() => index.unremove(3), refused('NOT_FOUND'));
});

test('searches find what is there', async () => {
  const index = await filled();
  for (let q = 0; q < 40; q++) {
    const query = row(rowsOf(40, DIM, 77), DIM, q);
    const hits = index.search(query, { k: 10, ef: 200 });
    assert.deepEqual(hits.map(({ key }) => key), nearest(rows, DIM, query, 10));
    assert.deepEqual(index.search(query, { k: 10, exact: true }), hits);
  }
  assert.equal(index.search(row(rows, DIM, 0)).length, 10);
  assert.equal(index.search(row(rows, DIM, 0), { k: 0 }).length, 0);
  assert.equal(index.search(row(rows, DIM, 0), { k: COUNT + 50 }).length, COUNT);
  const near = index.search(row(rows, DIM, 0), { k: 100, radius: 0.5 });
  assert.ok(near.length > 0 && near.length < 100 && near.every(({ distance }) => distance <= 0.5));
  index.search(row(rows, DIM, 0), { ef: 50 });
  const narrow = index.searchStats.distances;
  index.search(row(rows, DIM, 0), { ef: 400 });
  assert.ok(index.searchStats.distances > 1.5 * narrow);
  index.search(row(rows, DIM, 0), { ef: 400, gamma: 0.05 });
  const stopped = index.searchStats;
  assert.ok(stopped.distances > 0 && stopped.distances < index.size);
  index.search(row(rows, DIM, 0), { ef: 400, expansionsMax: 4 });
  assert.ok(index.searchStats.expansions <= 8);
});

test('an empty index answers', async () => {
  const index = await Index.create({ dim: 3 });
  assert.deepEqual(index.search([1, 2, 3]), []);
  assert.deepEqual(index.searchBatch([[1, 2, 3], [4, 5, 6]]), [[], []]);
  assert.deepEqual([...index.nearest([1, 2, 3])], []);
  assert.deepEqual([...index.keys()], []);
  assert.deepEqual(index.search([1, 2, 3], { filter: [1] }), []);
  const back = await Index.open(index.save());
  back.add(1, [1, 2, 3]);
  assert.equal(back.size, 1);
});

for (const kind of ['number', 'string']) {
  test(`without objects for each hit, keys: ${kind}`, async () => {
    const index = await filled({ keys: kind }, KEYS[kind]);
    const queries = rowsOf(37, DIM, 5);
    const expected = range(37).map((q) => index.search(row(queries, DIM, q), { k: 7 }));
    assert.deepEqual(index.searchBatch(queries, { k: 7 }), expected);
    const into = { keys: [], distances: new Float32Array(7), slots: new Uint32Array(7) };
    assert.equal(index.searchInto(row(queries, DIM, 3), into), 7);
    assert.deepEqual(into.keys.map((key, i) => ({ key, distance: into.distances[i] })), expected[3]);
    assert.deepEqual(into.keys.map((key) => index.slot(key)), Array.from(into.slots));
    const all = { keys: [], distances: new Float32Array(37 * 7), found: new Uint32Array(37) };
    assert.equal(index.searchBatchInto(queries, all, { k: 7 }), 37);
    assert.deepEqual(all.keys.map((key, i) => ({ key, distance: all.distances[i] })),
      expected.flat());
    assert.ok(all.found.every((found) => found === 7));
  });
}

test('batches larger than what one call takes', async () => {
  const index = await filled({ keys: 'string' }, KEYS.string);
  const queries = rowsOf(300, DIM, 6);
  const hits = index.searchBatch(queries, { k: 50 });
  assert.equal(hits.length, 300);
  for (const q of [0, 1, 150, 299]) {
    assert.deepEqual(hits[q], index.search(row(queries, DIM, q), { k: 50 }));
  }
});

for (const kind of ['number', 'string']) {
  test(`filters, keys: ${kind}`, async () => {
    const keys = KEYS[kind];
    const index = await filled({ keys: kind }, keys);
    const query = row(rows, DIM, 4);
    const odd = new Set(keys.filter((_, i) => i % 2));
    const expected = nearest(rows, DIM, query, 10, (i) => i % 2).map((i) => keys[i]);
    const by = (filter) => index.search(query, { k: 10, ef: 300, filter }).map(({ key }) => key);
    assert.deepEqual(by((key) => odd.has(key)), expected);
    assert.deepEqual(by(odd), expected);
    assert.deepEqual(by([...odd]), expected);
    const allowed = index.allow(odd);
    assert.deepEqual(by(allowed), expected);
    assert.deepEqual(index.searchBatch([query, query], { k: 10, ef: 300, filter: allowed })
      .map((hits) => hits.map(({ key }) => key)), [expected, expected]);
    const walked = [];
    for (const hit of index.nearest(query, { ef: 300, filter: (key) => odd.has(key) })) {
      if (walked.push(hit.key) === 10) break;
    }
    assert.deepEqual(walked, expected);
    const gone = kind === 'number' ? 12345678 : 'nobody';
    assert.deepEqual(by([gone, keys[3], gone]), [keys[3]]);
    assert.deepEqual(by([]), []);
    assert.equal(by(undefined)[0], keys[4], 'no filter is left behind');
    index.remove(keys[4]);
    assert.deepEqual(by([keys[4], keys[6]]), [keys[6]]);
  });
}

test('many keys as a filter, some of them gone', async () => {
  const index = await filled();
  const wanted = range(2000).filter((i) => i % 3 === 0);
  index.remove(range(100).filter((i) => i % 6 === 0));
  const hits = index.search(row(rows, DIM, 0), { k: COUNT, filter: wanted });
  assert.deepEqual(hits.map(({ key }) => key).sort((a, b) => a - b),
    wanted.filter((i) => i < COUNT && index.has(i)));
});

test('nearest first, until one stops', async () => {
  const index = await filled();
  const query = row(rowsOf(1, DIM, 77), DIM, 0);
  const order = nearest(rows, DIM, query, COUNT);
  assert.deepEqual([...index.nearest(query, { ef: COUNT })].map(({ key }) => key), order);
  const used = index._h.x.nighw_used();
  let count = 0;
  for (const { key } of index.nearest(query, { ef: COUNT })) {
    assert.equal(key, order[count]);
    if (++count === 100) break;
  }
  assert.equal(index._h.x.nighw_used(), used, 'what is left of a walk is given back');
  const [one, other] = [index.nearest(query), index.nearest(query)];
  one.next();
  index.add(COUNT, query); // changes beside a walk
  assert.equal(other.next().value.key, COUNT);
  assert.equal(one.next().value.key, order[1]);
  assert.equal(index.search(query, { k: 1 })[0].key, COUNT);
});

test('vectors elsewhere', async () => {
  const seen = new Set();
  const hinted = new Set();
  const vectors = {
    fetch(slots, keys, out) {
      slots.forEach((slot, i) => {
        seen.add(slot);
        assert.equal(keys[i], 2 * slot);
        out.set(row(rows, DIM, slot), i * DIM);
      });
    },
    prefetch(slots) { slots.forEach((slot) => hinted.add(slot)); },
  };
  const index = await Index.create({ ...OPTIONS, vectors });
  const keys = range(COUNT).map((i) => 2 * i);
  index.add(keys.slice(0, 100));
  await index.build(keys.slice(100));
  const own = await Index.create(OPTIONS);
  own.add(keys.slice(0, 100), rows.subarray(0, 100 * DIM));
  await own.build(keys.slice(100), rows.subarray(100 * DIM));
  for (const i of [0, 50, 599]) {
    assert.deepEqual(index.search(row(rows, DIM, i)), own.search(row(rows, DIM, i)));
    assert.deepEqual(index.get(2 * i), row(rows, DIM, i));
  }
  assert.equal(seen.size, COUNT);
  assert.ok(hinted.size > COUNT / 2);
  same(index.save(), own.save({ graphOnly: true }));
  const again = await Index.open(own.save({ graphOnly: true }), { vectors });
  assert.deepEqual(again.search(row(rows, DIM, 9)), own.search(row(rows, DIM, 9)));
  const lone = await Index.open(own.save({ graphOnly: true }));
  assert.throws(() => lone.search(row(rows, DIM, 9)), refused('NO_VECTORS'));
});

test('a distance of one\'s own', async () => {
  const distance = (a, b) => a.reduce((sum, x, i) => sum + (x - b[i]) ** 2, 0);
  const index = await Index.create({ ...OPTIONS, metric: distance });
  index.add(range(COUNT), rows);
  const query = row(rowsOf(1, DIM, 3), DIM, 0);
  assert.deepEqual(index.search(query, { ef: 200 }).map(({ key }) => key),
    nearest(rows, DIM, query, 10));
  assert.equal(index.metric, 'custom');
  const again = await Index.open(index.save(), { metric: distance });
  assert.deepEqual(again.search(query), index.search(query));
});

test('codes', async () => {
  const index = await filled({ metric: 'cosine' });
  assert.equal(index.codes, 'none');
  await index.makeCodes('u7');
  assert.equal(index.codes, 'u7');
  const query = row(rowsOf(1, DIM, 3), DIM, 0);
  const coded = index.search(query, { ef: 100 });
  assert.ok(index.searchStats.reranked > 0);
  assert.deepEqual(index.search(query, { ef: 100, codes: false }), coded);
  assert.equal(index.searchStats.reranked, 0);
  index.add(COUNT, query);
  assert.equal(index.search(query, { k: 1 })[0].key, COUNT);
  await index.makeCodes('none');
  assert.equal(index.codes, 'none');
  const built = await Index.create({ ...OPTIONS, codes: 'b1' });
  await built.build(range(COUNT), rows);
  assert.equal(built.codes, 'b1');
});

test('vacuum, refine, node, check', async () => {
  const index = await filled();
  index.remove(range(200));
  await index.vacuum();
  const { freeCount, deletedCount, liveCount } = index.stats();
  assert.deepEqual([freeCount, deletedCount, liveCount], [200, 0, 400]);
  await index.refine({ ef: 60 });
  assert.equal(index.node(3).free, true);
  const { top, links, removed } = index.node(300);
  assert.ok(top >= 0 && links.length > 0 && links.length <= 16 && !removed);
  assert.throws(() => index.node(300, 15), refused('NOT_FOUND'));
  const report = index.check();
  assert.equal(report.status, 0);
  assert.ok(report.linkCount > 400);
});

test('files of hnswlib', async () => {
  const index = await filled({ metric: 'ip' });
  index.remove(7);
  const file = index.writeHnswlib();
  const options = { dim: DIM, metric: 'ip' };
  const read = await Index.readHnswlib(file, options);
  assert.equal(read.config().unrooted, true);
  const query = row(rows, DIM, 5);
  assert.deepEqual(read.search(query, { expansions: 1 }), index.search(query, { expansions: 1 }));
  same(read.writeHnswlib(), file);
  assert.throws(() => read.add(COUNT, query), refused('UNSUPPORTED'));
  await read.root();
  read.add(COUNT, query);
  assert.equal(read.check().status, 0);
  const narrow = await Index.readHnswlib(index.writeHnswlib({ bits: 32 }), options);
  assert.deepEqual(narrow.search(query), read.search(query, { filter: (key) => key < COUNT }));
  await assert.rejects(Index.readHnswlib(file, { dim: DIM + 1, metric: 'ip' }), refused('MISMATCH'));
  await assert.rejects(Index.readHnswlib(file.subarray(0, 500), options),
    (error) => /FORMAT|CORRUPT/.test(error.code));
});
