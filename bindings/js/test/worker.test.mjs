// worker.test.mjs - nigh/worker: the same methods and answers, from another thread
// SPDX-License-Identifier: MIT OR Apache-2.0
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Index as Local, load, NighError as HereError } from 'nigh';
import { Host, Index, NighError } from 'nigh/worker';
import { range, refused, row, rowsOf, same } from './common.mjs';

const DIM = 16;
const COUNT = 600;
const rows = rowsOf(COUNT, DIM);
const keys = range(COUNT);
const OPTIONS = { dim: DIM, metric: 'cosine', m: 8, efBuild: 60 };

const host = new Host();
after(() => host.terminate());

const created = (options) => Index.create({ ...OPTIONS, ...options, host });
async function filled(options) {
  const index = await created(options);
  await index.build(keys, rows);
  return index;
}
async function filledHere(options) {
  const index = await Local.create({ ...OPTIONS, ...options });
  await index.build(keys, rows);
  return index;
}
async function all(iterator) {
  const out = [];
  for await (const value of iterator) out.push(value);
  return out;
}

/** Members that a user may see. */
function members(start) {
  const names = new Set();
  for (let at = start; at && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const name of Object.getOwnPropertyNames(at)) {
      // names of one or two letters stand for what is inside
      if (name !== 'constructor' && !name.startsWith('_') && name.length > 2) names.add(name);
    }
  }
  return names;
}

test('has every member of Index', async () => {
  await load();
  const local = await filledHere();
  const hidden = ['rootSync']; // there is root, and nothing is at once
  const privates = ['form', 'shape', 'h']; // of TypeScript alone
  const here = [...members(Local.prototype)].filter((name) => !privates.includes(name));
  const there = members(Index.prototype);
  assert.ok(here.length > 35, `${here.length} members`);
  assert.deepEqual(here.filter((name) => !there.has(name)), hidden);
  assert.deepEqual([...there].filter((name) => !here.includes(name)), ['threads']);
  const index = await filled();
  for (const name of ['size', 'dim', 'metric', 'dtype', 'codes', 'writable']) {
    assert.equal(await index[name], local[name], name);
  }
  assert.ok(await index.memoryBytes >= 131072);
  local.search(row(rows, DIM, 3));
  await index.search(row(rows, DIM, 3));
  assert.deepEqual(await index.searchStats, local.searchStats);
});

test('the same answers and bytes', async () => {
  const [index, local] = [await filled({ codes: 'u7' }), await filledHere({ codes: 'u7' })];
  for (const i of [0, 7, 599]) {
    const query = row(rows, DIM, i);
    const o = { k: 5, ef: 80 };
    assert.deepEqual(await index.search(query, o), local.search(query, o));
    assert.deepEqual(await index.search([...query], { ...o, filter: new Set([1, 2, 5]) }),
      local.search(query, { ...o, filter: [1, 2, 5] }));
    assert.deepEqual(await index.get(i), local.get(i));
    assert.deepEqual(await index.row(i), local.row(i));
    assert.deepEqual(await index.node(i), local.node(i));
    assert.deepEqual([await index.has(i), await index.has(9999), await index.slot(i)],
      [true, false, local.slot(i)]);
  }
  const queries = rows.subarray(5 * DIM, 9 * DIM);
  assert.deepEqual(await index.searchBatch(queries, { k: 3 }), local.searchBatch(queries, { k: 3 }));
  assert.deepEqual(await index.searchBatch([row(rows, DIM, 5), row(rows, DIM, 6)], { k: 3 }),
    local.searchBatch(rows.subarray(5 * DIM, 7 * DIM), { k: 3 }));
  for (const which of [index, local]) {
    await which.remove([3, 4, 5]);
    await which.unremove(4);
    await which.set(7, row(rows, DIM, 8));
    await which.add(COUNT, row(rows, DIM, 1));
    await which.add([COUNT + 1], row(rows, DIM, 2), { replaceRemoved: true });
    await which.reserve(2000);
    await which.vacuum();
    await which.refine();
  }
  assert.deepEqual(await index.stats(), local.stats());
  assert.deepEqual(await index.config(), local.config());
  assert.equal((await index.check()).status, 0);
  for (const o of [{}, { packed: true }, { graphOnly: true }]) {
    same(await index.save(o), local.save(o));
  }
  await index.makeCodes('none');
  assert.equal(await index.codes, 'none');
});

test('into arrays of the caller', async () => {
  const [index, local] = [await filled(), await filledHere()];
  const arrays = () => ({ keys: [], distances: new Float64Array(12), slots: new Uint32Array(12),
    found: [] });
  for (const [name, queries, o] of [['searchInto', row(rows, DIM, 4), {}],
    ['searchInto', row(rows, DIM, 4), { k: 3 }],
    ['searchBatchInto', rows.subarray(0, 4 * DIM), { k: 3 }],
    ['searchBatchInto', rows.subarray(0, 4 * DIM), { k: 3, filter: [1] }]]) {
    const [mine, theirs] = [arrays(), arrays()];
    assert.equal(await index[name](queries, mine, o), local[name](queries, theirs, o));
    assert.deepEqual(mine, theirs, name);
  }
  const distances = new Float32Array(2);
  assert.equal(await index.searchInto(row(rows, DIM, 4), { distances }), 2);
  assert.equal(distances[0], local.search(row(rows, DIM, 4))[0].distance);
});

test('neighbours one after another', async () => {
  const [index, local] = [await filled(), await filledHere()];
  const query = row(rows, DIM, 11);
  const o = { ef: 100, filter: range(300) };
  assert.deepEqual(await all(index.nearest(query, o)), [...local.nearest(query, o)]);
  assert.deepEqual(await all(index.keys()), keys);
  const some = [];
  for await (const hit of index.nearest(query)) {
    some.push(hit);
    if (some.length === 3) break;
  }
  assert.deepEqual(some, [...local.nearest(query)].slice(0, 3));
  const walk = index.nearest(query);
  const several = await Promise.all(range(40).map(() => walk.next()));
  assert.deepEqual(several.map(({ value }) => value), [...local.nearest(query)].slice(0, 40));
  await walk.return();
  assert.deepEqual(await walk.next(), { value: undefined, done: true });
  await assert.rejects(all(index.nearest([1, 2])), refused('MISMATCH'));
});

test('a filter to use again', async () => {
  const [index, other, local] = [await filled(), await filled(), await filledHere()];
  const allowed = await index.allow([5, 6, 7]);
  const query = row(rows, DIM, 100);
  for (let i = 0; i < 2; i++) {
    assert.deepEqual(await index.search(query, { filter: allowed }),
      local.search(query, { filter: [5, 6, 7] }));
  }
  await assert.rejects(other.search(query, { filter: allowed }), refused('INVALID', /another index/));
  allowed.dispose();
  await assert.rejects(index.search(query, { filter: allowed }), refused('INVALID', /dropped/));
});

test('keys of strings and bigints, from any iterable', async () => {
  const strings = await created({ keys: 'string' });
  await strings.build(new Set(['a', 'ü', '🙂']), rows.subarray(0, 3 * DIM));
  assert.deepEqual(await all(strings.keys()), ['a', 'ü', '🙂']);
  assert.equal((await strings.search(row(rows, DIM, 2), { k: 1 }))[0].key, '🙂');
  const bigints = await created({ keys: 'bigint' });
  await bigints.add(BigUint64Array.of(1n, 2n ** 64n - 1n), rows.subarray(0, 2 * DIM));
  assert.equal((await bigints.search(row(rows, DIM, 1), { k: 1 }))[0].key, 2n ** 64n - 1n);
  const identity = await created({ keys: 'identity' });
  await identity.add(null, rows.subarray(0, 2 * DIM));
  assert.deepEqual(await all(identity.keys()), [0, 1]);
});

test('arrays of the caller stay, and are only taken where asked', async () => {
  const index = await created();
  const mine = rows.slice(0, 100 * DIM);
  const building = index.build(range(100), mine);
  mine.fill(NaN); // they were copied at once
  await building;
  assert.equal(mine.length, 100 * DIM);
  await index.add(range(10, 100), rows.subarray(100 * DIM, 110 * DIM), { transfer: true });
  assert.equal(rows.length, COUNT * DIM, 'a part of a buffer is copied');
  const given = rows.slice(110 * DIM, 120 * DIM);
  const givenKeys = Float64Array.from(range(10, 110));
  await index.build(givenKeys, given, { transfer: true });
  assert.deepEqual([given.length, givenKeys.length], [0, 0]);
  const lists = range(10).map((i) => row(rows, DIM, 120 + i));
  await index.set(range(10, 120), lists);
  assert.equal(lists[9].length, DIM);
  const local = await Local.create(OPTIONS);
  await local.build(range(100), rows.subarray(0, 100 * DIM));
  local.add(range(10, 100), rows.subarray(100 * DIM, 110 * DIM));
  await local.build(range(10, 110), rows.subarray(110 * DIM, 120 * DIM));
  local.set(range(10, 120), lists);
  same(await index.save(), local.save());
});

test('opens what it saved: bytes, a Blob, a Response', async () => {
  const bytes = await (await filled()).save();
  for (const source of [bytes, bytes.buffer, new Blob([bytes]), new Response(bytes),
    { getFile: async () => new Blob([bytes]) }, Promise.resolve(bytes)]) {
    const index = await Index.open(source, { host, writable: source !== bytes });
    assert.equal(await index.size, COUNT);
    assert.equal(await index.writable, source !== bytes);
    same(await index.save(), bytes);
  }
  assert.ok(bytes.length > 0, 'not taken');
  await assert.rejects(Index.open(bytes.subarray(0, 600), { host }), refused('CORRUPT'));
  await assert.rejects(Index.open(new Uint8Array(1000), { host }), refused('FORMAT'));
  await assert.rejects(Index.open(7, { host }), refused('INVALID'));
  await assert.rejects(Index.open(new Response('no', { status: 404 }), { host }),
    refused('FETCH', /404/));
  const local = await filledHere({ metric: 'l2' });
  const file = local.writeHnswlib();
  const read = await Index.readHnswlib(file, { dim: DIM, m: 8, host });
  await read.root();
  await read.add(COUNT, row(rows, DIM, 0));
  assert.equal(await read.size, COUNT + 1);
});

test('errors have their code and how many were in', async () => {
  const index = await filled();
  const bad = rows.slice(0, 3 * DIM);
  bad[2 * DIM] = NaN;
  await assert.rejects(index.add([1000, 1001, 1002], bad), (error) => {
    assert.equal(error.done, 2);
    return refused('VECTOR')(error);
  });
  await assert.rejects(index.add(5, row(rows, DIM, 5)), refused('EXISTS'));
  assert.equal(NighError, HereError, 'one class for both');
  await assert.rejects(index.remove(7000), refused('NOT_FOUND'));
  await assert.rejects(index.search([1, 2, 3]), refused('MISMATCH'));
  await assert.rejects(index.search(row(rows, DIM, 0), { k: -1 }), refused('INVALID'));
  await assert.rejects(index.build([2000, 5], rows.subarray(0, 2 * DIM)), (error) => {
    assert.equal(error.done, 1);
    return refused('EXISTS')(error);
  });
  await assert.rejects(created({ dim: 0 }), refused('INVALID'));
  assert.equal(await index.size, COUNT + 3);
});

test('what cannot cross says so', async () => {
  const index = await filled();
  const query = row(rows, DIM, 0);
  const crosses = refused('UNSUPPORTED', /cannot cross/);
  await assert.rejects(index.search(query, { filter: () => true }), crosses);
  await assert.rejects(index.searchBatch(rows, { filter: () => true }), crosses);
  assert.throws(() => index.nearest(query, { filter: () => true }), crosses);
  await assert.rejects(created({ metric: () => 0 }), crosses);
  await assert.rejects(created({ vectors: { fetch() {} } }), crosses);
  await assert.rejects(index.search(query, { k: () => 3 }), refused('INVALID', /cannot cross/));
  assert.equal((await index.search(query, { k: 1 }))[0].key, 0);
});

test('progress, a signal, an exception of onProgress', async () => {
  const index = await created();
  const many = rowsOf(3000, DIM);
  const said = [];
  await index.build(range(3000), many, { budget: 1, threads: 1,
    onProgress: (done, total) => said.push([done, total]) });
  assert.ok(said.length > 5, `${said.length} times`);
  assert.deepEqual(said.at(-1), [3000, 3000]);
  said.forEach(([done], i) => assert.ok(i === 0 || done >= said[i - 1][0]));
  const reason = new Error('enough');
  const controller = new AbortController();
  await assert.rejects(index.build(range(3000, 3000), many, { budget: 1, signal: controller.signal,
    onProgress: (done) => { if (done > 300) controller.abort(reason); } }), (error) => error === reason);
  const size = await index.size;
  assert.ok(size > 3300 && size < 6000, `${size}`);
  await assert.rejects(index.vacuum({ signal: AbortSignal.abort(reason) }), (error) => error === reason);
  await assert.rejects(index.build(range(3000, 10_000), many, { budget: 1, onProgress() {
    throw new TypeError('mine');
  } }), TypeError);
  assert.equal((await index.check()).status, 0);
  await index.add(50_000, row(rows, DIM, 0));
});

test('searches beside a build', async () => {
  const index = await created();
  await index.add(range(100), rows.subarray(0, 100 * DIM));
  let building = true;
  const done = index.build(range(COUNT - 100, 100), rows.subarray(100 * DIM), { budget: 1 })
    .finally(() => { building = false; });
  let looked = 0;
  await assert.rejects(index.add(COUNT, row(rows, DIM, 0)), refused('BUSY'));
  for (; building; looked++) {
    assert.equal((await index.search(row(rows, DIM, 5), { k: 1 }))[0].key, 5);
  }
  await done;
  assert.ok(looked > 2, `${looked} searches`);
});

test('disposed of', async () => {
  const [index, other] = [await filled(), await filled()];
  const used = index.search(row(rows, DIM, 0));
  await index.dispose();
  assert.equal((await used)[0].key, 0, 'what came before is answered');
  await index.dispose();
  await assert.rejects(index.search(row(rows, DIM, 0)), refused('INVALID', /disposed/));
  await assert.rejects(index.size, refused('INVALID', /disposed/));
  await assert.rejects(all(index.nearest(row(rows, DIM, 0))), refused('INVALID', /disposed/));
  assert.equal(await other.size, COUNT);
  if (Symbol.asyncDispose) assert.equal(other[Symbol.asyncDispose], other.dispose);
});

test('what is forgotten here is dropped there', async () => {
  if (!globalThis.gc) return; // --expose-gc
  const number = await (async () => (await filled()).number)();
  const still = () => host._call(number, 'size', []).then(() => true, () => false);
  for (let i = 0; i < 100 && await still(); i++) {
    globalThis.gc();
    await new Promise((resolve) => { setTimeout(resolve, 10); });
  }
  assert.equal(await still(), false);
});

test('a worker that ends rejects what is under way', async () => {
  const mine = new Host({ threads: 1 });
  const index = await Index.create({ ...OPTIONS, host: mine });
  const building = index.build(keys, rows);
  const failing = assert.rejects(building, refused('INVALID', /terminated/));
  mine.terminate();
  await failing;
  await assert.rejects(index.size, refused('INVALID', /terminated/));
  const none = new Host({ worker: new URL('./no-such-script.js', import.meta.url) });
  await assert.rejects(none.ready, refused('CORRUPT', /has ended/));
  await assert.rejects(Index.create({ ...OPTIONS, host: none }), refused('CORRUPT', /has ended/));
  assert.throws(() => new Host({ threads: 0 }), refused('INVALID'));
});

test('one worker for all who name none, another one when that has ended', async () => {
  const [one, other] = [await Index.create(OPTIONS), await Index.create(OPTIONS)];
  assert.equal(one.host, other.host);
  one.host.terminate();
  const third = await Index.create(OPTIONS);
  assert.notEqual(third.host, one.host);
  await third.add(1, row(rows, DIM, 0));
  third.host.terminate();
});
