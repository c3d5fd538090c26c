// misuse.test.mjs - what is wrong is refused by name, and the index stays as it was
// SPDX-License-Identifier: MIT OR Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Index, NighError } from 'nigh';
import { range, refused, row, rowsOf, same } from './common.mjs';

const DIM = 8;
const COUNT = 200;
const rows = rowsOf(COUNT, DIM);
const query = row(rows, DIM, 3);

async function filled(options = {}) {
  const index = await Index.create({ dim: DIM, m: 6, ...options });
  index.add(range(COUNT), rows);
  return index;
}

/** Runs calls that must be refused; the index is the same after each. */
async function unharmed(index, calls) {
  const before = index.save();
  const answer = index.search(query);
  index.searchBatch([query, query]);
  let handle = index._h;
  let used = handle.x.nighw_used();
  for (const [call, code, text] of calls) {
    if (call.constructor.name === 'AsyncFunction') await assert.rejects(call, refused(code, text));
    else assert.throws(call, refused(code, text));
    same(index.save(), before, `${call} changed something`);
    assert.deepEqual(index.search(query), answer);
    if (handle !== index._h) { // it went to the other module
      handle = index._h;
      used = handle.x.nighw_used();
    }
    assert.equal(handle.x.nighw_used(), used, `${call} left something`);
  }
}

test('names of errors are those of nigh.h', () => {
  const text = readFileSync(new URL('../src/abi.ts', import.meta.url), 'utf8');
  const found = [...text.matchAll(/^export const (NIGH_E_\w+) = (-\d+);$/gm)];
  assert.ok(found.length > 20);
  for (const [, name, status] of found) assert.equal(new NighError(Number(status), '').code, name);
  const error = new NighError(-3, 'full', 4);
  assert.deepEqual([error.name, error.status, error.done, error.message],
    ['NighError', -3, 4, 'full']);
  assert.ok(error instanceof Error);
});

test('options', async () => {
  const make = (options) => Index.create({ dim: 4, ...options });
  for (const options of [{ dim: 0 }, { dim: 65536 }, { dim: 1.5 }, { dim: undefined },
    { metric: 'euclid' }, { metric: 'custom' }, { metric: 'toString' }, { dtype: 'f64' },
    { codes: 'u8' }, { keys: 'symbol' }, { m: 1 }, { m: 3.5 }, { m: -1 }, { m: NaN },
    { efBuild: 65536 }, { blockBytes: 1000 }, { seed: 0.5 }, { seed: '5' }, { capacity: -1 },
    { capacity: 2 ** 40 }, { alpha: 9 }, { metric: 'hamming' }, { vectors: {} },
    { keyBytesMax: 512 }]) {
    await assert.rejects(make(options), refused('INVALID'), JSON.stringify(options));
  }
  await make({ seed: -1 });
});

test('keys', async () => {
  const vector = new Float32Array(DIM);
  for (const [keys, bad] of [['number', [-1, 1.5, NaN, 2 ** 53, 5n, 'a', null, undefined, {}]],
    ['bigint', [-1n, 1n << 64n, 5, 'a']], ['string', ['', 'x'.repeat(512), '\ud800', 5, 5n]]]) {
    const index = await Index.create({ dim: DIM, keys });
    for (const key of bad) {
      if (key === null) continue;
      assert.throws(() => index.add(key, vector), refused('KEY'), `${keys} ${String(key)}`);
      assert.throws(() => index.add([key], [vector]), refused('KEY'), `${keys} ${String(key)}`);
      assert.throws(() => index.remove([key]), refused('KEY'), `${keys} ${String(key)}`);
    }
    assert.throws(() => index.add(null, vector), refused('KEY'));
    assert.equal(index.size, 0);
  }
  const identity = await Index.create({ dim: DIM, keys: 'identity' });
  assert.throws(() => identity.add(1, vector), refused('KEY'));
  const index = await filled();
  await unharmed(index, [
    [() => index.add(5, vector), 'EXISTS'],
    [() => index.remove(COUNT), 'NOT_FOUND'],
    [() => index.unremove(5), 'EXISTS'],
    [() => index.unremove(COUNT), 'NOT_FOUND'],
    [async () => index.build([COUNT, 7], [vector]), 'MISMATCH'],
    [async () => index.build([-1], [vector]), 'KEY'],
  ]);
});

test('vectors and queries', async () => {
  const index = await filled();
  const bad = (at, value) => {
    const vector = new Float32Array(DIM).fill(1);
    vector[at] = value;
    return vector;
  };
  const detached = new Float32Array(DIM);
  structuredClone(detached.buffer, { transfer: [detached.buffer] });
  await unharmed(index, [
    [() => index.add(COUNT, [1, 2, 3]), 'MISMATCH', /3 elements, expected 1 x 8/],
    [() => index.add([COUNT, COUNT + 1], [query]), 'MISMATCH'],
    [() => index.add(COUNT, new Float32Array(DIM + 1)), 'MISMATCH'],
    [() => index.add([COUNT], [[1, 2]]), 'MISMATCH', /vector 0 has 2/],
    [() => index.add(COUNT, detached), 'MISMATCH'],
    [() => index.add(COUNT, bad(0, NaN)), 'VECTOR'],
    [() => index.add(COUNT, bad(7, -Infinity)), 'VECTOR'],
    [() => index.add(COUNT, new Float64Array(DIM).fill(1e300)), 'VECTOR'],
    [() => index.add([COUNT], [Array(DIM).fill(undefined)]), 'VECTOR'],
    [() => index.add(COUNT, 'abcdefgh'), 'INVALID'],
    [() => index.add(COUNT, new BigInt64Array(DIM)), 'INVALID'],
    [() => index.add(COUNT, null), 'INVALID'],
    [() => index.add(COUNT), 'INVALID'],
    [() => index.set(0), 'INVALID'],
    [() => index.set(0, bad(2, NaN)), 'VECTOR'],
    [() => index.search([1, 2]), 'MISMATCH'],
    [() => index.search(undefined), 'INVALID'],
    [() => index.search(bad(1, NaN)), 'VECTOR'],
    [() => index.search(detached), 'MISMATCH'],
    [() => index.searchBatch([query, [1]]), 'MISMATCH'],
    [() => index.searchBatch([query, bad(1, NaN)]), 'VECTOR', /number 1/],
    [() => index.nearest([1]), 'MISMATCH'],
    [() => index.nearest(bad(1, NaN)).next(), 'VECTOR'],
    [async () => index.build([COUNT], undefined), 'INVALID'],
    [async () => index.build([COUNT], bad(3, NaN)), 'VECTOR', /number 0/],
  ]);
  const cosine = await filled({ metric: 'cosine' });
  await unharmed(cosine, [[() => cosine.add(COUNT, new Float32Array(DIM)), 'VECTOR']]);
});

test('many: those before the first that is refused are in', async () => {
  const index = await filled();
  const more = rowsOf(5, DIM, 4);
  assert.throws(() => index.add([COUNT, COUNT + 1, 3, COUNT + 2], more.subarray(0, 4 * DIM)),
    (error) => refused('EXISTS', /number 2/)(error) && error.done === 2);
  assert.deepEqual([index.size, index.has(COUNT + 1), index.has(COUNT + 2)],
    [COUNT + 2, true, false]);
  more[3 * DIM] = NaN;
  await assert.rejects(index.build(range(5, 1000), more),
    (error) => refused('VECTOR')(error) && error.done === 3);
  assert.equal(index.size, COUNT + 5);
  assert.equal(index.check().status, 0);
});

test('options of searches', async () => {
  const index = await filled();
  const other = await filled();
  await unharmed(index, [
    [() => index.search(query, { k: -1 }), 'INVALID'],
    [() => index.search(query, { k: 1.5 }), 'INVALID'],
    [() => index.search(query, { ef: -1 }), 'INVALID'],
    [() => index.search(query, { ef: 2 ** 30 }), 'INVALID'],
    [() => index.search(query, { expansions: 9 }), 'INVALID'],
    [() => index.search(query, { gamma: -1 }), 'INVALID'],
    [() => index.search(query, { gamma: NaN }), 'INVALID'],
    [() => index.search(query, { radius: NaN }), 'INVALID'],
    [() => index.search(query, { filter: other.allow([1]) }), 'INVALID'],
    [() => index.search(query, { filter: ['a'] }), 'KEY'],
    [() => index.search(query, { filter: {} }), 'KEY'],
    [() => index.searchBatch([query], { k: 0 }), 'INVALID'],
    [() => index.nearest(query, { ef: -2 }).next(), 'INVALID'],
    [() => index.reserve(-1), 'INVALID'],
    [() => index.reserve(2 ** 31), 'INVALID'],
    [() => index.node(-1), 'INVALID'],
    [() => index.node(COUNT), 'NOT_FOUND'],
    [async () => index.makeCodes('u9'), 'INVALID'],
    [async () => index.refine({ ef: 70000 }), 'INVALID'],
    [async () => index.vacuum({ budget: 0 }), 'INVALID'],
  ]);
});

test('exceptions of callbacks come back as they were', async () => {
  const oops = new RangeError('mine');
  const index = await filled();
  const before = index.save();
  let asked = 0;
  assert.throws(() => index.search(query, { filter() {
    asked++;
    throw oops;
  } }), (error) => error === oops);
  assert.equal(asked, 1);
  assert.throws(() => [...index.nearest(query, { filter() { throw oops; } })],
    (error) => error === oops);
  same(index.save(), before);
  let failing = false;
  const vectors = { fetch(slots, keys, out) {
    if (failing) throw oops;
    slots.forEach((slot, i) => out.set(row(rows, DIM, slot), i * DIM));
  } };
  const external = await Index.create({ dim: DIM, vectors });
  external.add(range(100));
  const image = external.save();
  failing = true;
  for (const call of [() => external.add(100), () => external.search(query), () => external.get(4)]) {
    assert.throws(call, (error) => error === oops);
    same(external.save(), image);
  }
  await assert.rejects(external.build(range(100, 100)), (error) => error === oops);
  failing = false;
  external.add(100);
  assert.equal(external.search(query, { k: 1 })[0].key, 3);
  assert.equal(external.check().status, 0);
});

test('a source that does not do what it must', async () => {
  const promising = await Index.create({ dim: DIM, vectors: { async fetch() {} } });
  assert.throws(() => promising.add(1), refused('FETCH', /promise/));
  const lazy = await Index.create({ dim: DIM, vectors: { fetch() {} } });
  assert.throws(() => lazy.add(1), refused('VECTOR'));
  assert.equal(lazy.size, 0);
  let kept;
  const keeping = await Index.create({ dim: DIM, vectors: { fetch(slots, keys, out) {
    kept = out;
    slots.forEach((slot, i) => out.set(row(rows, DIM, slot), i * DIM));
  } } });
  keeping.add(range(50));
  const before = keeping.save();
  kept.fill(NaN); // its own memory, not the index's
  same(keeping.save(), before);
});

test('callbacks must not call the index', async () => {
  const index = await filled();
  const calls = [() => index.search(query), () => index.add(COUNT, query), () => index.size,
    () => index.save(), () => index.dispose(), () => index.nearest(query).next(),
    () => index.reserve(10 ** 6), () => [...index.keys()]];
  const before = index.save();
  for (const call of calls) {
    assert.throws(() => index.search(query, { filter: call }), refused('BUSY', /callback/));
    same(index.save(), before);
  }
  const other = await filled();
  const hits = index.search(query, { k: 3, filter: () => other.search(query).length });
  assert.equal(hits.length, 3, 'another index may be called');
  let caught = 0;
  const found = index.search(query, { k: 3, filter(key) {
    try {
      return index.has(key);
    } catch {
      caught++;
      return true;
    }
  } });
  assert.equal(found.length, 3);
  assert.ok(caught > 0);
});

test('a distance that throws', async () => {
  let failing = false;
  const index = await filled({ metric: (a, b) => {
    if (failing) throw new TypeError('mine');
    return Math.abs(a[0] - b[0]);
  } });
  failing = true;
  assert.throws(() => index.search(query), TypeError);
  failing = false;
  assert.equal(index.search(query, { k: 1 }).length, 1);
  assert.equal(index.check().status, 0);
});

test('after dispose', async () => {
  const index = await filled();
  const walk = index.nearest(query);
  walk.next();
  const image = index.save();
  index.dispose();
  index.dispose();
  for (const call of [() => index.add(1, query), () => index.search(query), () => index.size,
    () => index.save(), () => [...index.keys()], () => index.has(1), () => index.nearest(query),
    () => index.config(), () => index.check(), () => index.memoryBytes, () => index.remove(1),
    () => index.searchBatch([query]), () => index.allow([1]), () => index.reserve(1)]) {
    assert.throws(call, refused('INVALID', /disposed/));
  }
  assert.throws(() => { for (let i = 0; i < 20; i++) walk.next(); }, refused('INVALID', /disposed/));
  await assert.rejects(index.build([1], [query]), refused('INVALID', /disposed/));
  if (Symbol.dispose) {
    const other = await Index.open(image);
    other[Symbol.dispose]();
    assert.throws(() => other.size, refused('INVALID'));
  }
});

test('images that are none', async () => {
  const index = await filled();
  const image = index.save();
  await assert.rejects(Index.open(new Uint8Array(0)), refused('FORMAT'));
  await assert.rejects(Index.open(new Uint8Array(5000)), refused('FORMAT'));
  await assert.rejects(Index.open(image.subarray(0, image.length - 64)),
    (error) => /FORMAT|CORRUPT/.test(error.code));
  const bad = image.slice();
  bad[bad.length - 200] ^= 1;
  await assert.rejects(Index.open(bad, { verify: true }), refused('CORRUPT'));
  assert.notEqual((await Index.open(bad)).check().status, 0);
  for (const source of [5, null, {}, [1, 2]]) {
    await assert.rejects(Index.open(source), refused('INVALID'));
  }
  await assert.rejects(Index.open(image, { keys: 'string' }), refused('MISMATCH', /keys/));
  await assert.rejects(Index.open(image, { metric: () => 0 }), refused('MISMATCH'));
  await assert.rejects(Index.open(image, { vectors: { fetch() {} } }), refused('MISMATCH'));
  const custom = (await filled({ metric: () => 0 })).save();
  await assert.rejects(Index.open(custom), refused('MISMATCH', /metric/));
});

test('read-only indexes refuse changes', async () => {
  const index = await filled();
  for (const reader of [await Index.open(index.save(), { writable: false }),
    await Index.open(index.save({ packed: true }))]) {
    assert.equal(reader.writable, false);
    await unharmed(reader, [
      [() => reader.add(COUNT, query), 'READ_ONLY'], [() => reader.remove(1), 'READ_ONLY'],
      [() => reader.set(1, query), 'READ_ONLY'], [() => reader.reserve(1000), 'READ_ONLY'],
      [async () => reader.build([COUNT], query), 'READ_ONLY'],
      [async () => reader.vacuum(), 'READ_ONLY'],
    ]);
  }
});

test('keys beyond what a number holds', async () => {
  const index = await Index.create({ dim: 2, keys: 'bigint' });
  index.add(2n ** 60n, [1, 2]);
  const back = await Index.open(index.save());
  assert.throws(() => back.search([1, 2]), refused('KEY', /bigint/));
  assert.equal((await Index.open(index.save(), { keys: 'bigint' })).search([1, 2])[0].key, 2n ** 60n);
});

test('a call that the engine cuts short is the instance\'s last', async () => {
  const index = await filled();
  const image = index.save();
  const { x } = index._h;
  const { nigh_search: search } = x;
  x.nigh_search = (...args) => {
    index._h.inside++; // as when an exception flies out of the module
    throw new RangeError('Maximum call stack size exceeded', { cause: [search, args] });
  };
  assert.throws(() => index.search(query), refused('CORRUPT', /stopped/));
  assert.throws(() => index.size, refused('CORRUPT', /cut short/));
  assert.throws(() => index.save(), refused('CORRUPT'));
  assert.equal((await Index.open(image)).size, COUNT);
});

test('an engine that has no memory for one more index', async () => {
  const index = await filled();
  const { Instance } = WebAssembly;
  WebAssembly.Instance = class { constructor() { throw new RangeError('Out of memory'); } };
  try {
    assert.throws(() => Index.createSync({ dim: DIM }), refused('MEMORY', /one more index/));
    await assert.rejects(Index.create({ dim: DIM }), refused('MEMORY'));
  } finally {
    WebAssembly.Instance = Instance;
  }
  assert.equal(index.search(query)[0].key, 3);
  assert.equal((await filled()).size, COUNT);
});
