// growth.test.mjs - memory that grows inside of every call, and indexes that outgrow their tables
// SPDX-License-Identifier: MIT OR Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Index } from 'nigh';
import { range, refused, row, rowsOf, same } from './common.mjs';

const DIM = 8;
const COUNT = 400;
const rows = rowsOf(COUNT, DIM);

/** From now on the memory grows before and after each call of the module: every view of it is
 * detached, whoever holds it. In whatever instance the index comes to be, too. */
function growing(index) {
  let calls = 0;
  let handle;
  const grown = ({ x }) => {
    for (const [name, call] of Object.entries(x)) {
      if (typeof call !== 'function') continue;
      x[name] = (...args) => {
        calls++;
        x.memory.grow(1);
        const result = call(...args);
        x.memory.grow(1);
        return result;
      };
    }
  };
  const set = (h) => {
    handle = h;
    grown(h);
  };
  set(index._h);
  Object.defineProperty(index, '_h', { get: () => handle, set });
  return { calls: () => calls, grow: () => handle.x.memory.grow(1) };
}

/** Everything that an index can do; what it answers. */
async function everything(index, keys, grow) {
  const out = [];
  const say = (...what) => out.push(...what);
  index.add(keys.slice(0, 100), rows.subarray(0, 100 * DIM));
  index.add(keys[100], row(rows, DIM, 100));
  index.set(keys.slice(95, 105), range(10, 95).map((i) => row(rows, DIM, i)));
  index.remove(keys[3]);
  index.unremove(keys[3]);
  index.remove(keys.slice(10, 15));
  await index.vacuum();
  await index.build(keys.slice(110), range(COUNT - 110, 110).map((i) => row(rows, DIM, i)));
  const query = row(rows, DIM, 50);
  say(index.search(query), index.searchBatch(rows.subarray(0, 5 * DIM), { k: 4 }));
  const into = { keys: [], distances: new Float32Array(6), slots: new Uint32Array(6) };
  say(index.searchInto(query, into), into);
  say(index.search(query, { filter: (key) => (grow(), key !== keys[50]) }));
  say(index.search(query, { filter: keys.slice(40, 60) }));
  const walk = [];
  for (const hit of index.nearest(query, { filter: () => (grow(), true) })) {
    if (walk.push(hit) === 40) break;
  }
  say(walk, [...index.keys()], index.get(keys[7]), index.has(keys[12]), index.row(keys[9]));
  await index.makeCodes('u7');
  say(index.search(query));
  await index.refine({ ef: 50 });
  say(index.search(query), index.stats(), index.config(), index.check(), index.node(5));
  index.reserve(5000, 1 << 16);
  const image = index.save();
  if (typeof keys[0] !== 'string' && index.dtype === 'f32') say(index.writeHnswlib().length);
  return [out, image];
}

for (const keys of [range(COUNT), range(COUNT).map((i) => `key ${i}`)]) {
  const kind = typeof keys[0];
  for (const dtype of ['f32', 'f16']) {
    test(`growth inside of each call: ${kind} keys, ${dtype}`, async () => {
      const options = { dim: DIM, m: 6, keys: kind, dtype, seed: 3 };
      const [expected, image] = await everything(await Index.create(options), keys, () => {});
      const index = await Index.create(options);
      const { calls, grow } = growing(index);
      const [answers, other] = await everything(index, keys, grow);
      assert.deepEqual(answers, expected);
      same(other, image);
      assert.ok(calls() > 200, `${calls()} calls`);
      const back = await Index.open(image);
      growing(back);
      assert.deepEqual(back.search(row(rows, DIM, 50)), index.search(row(rows, DIM, 50)));
    });
  }
}

test('growth inside of fetch and distance', async () => {
  const plain = await Index.create({ dim: DIM, m: 6, efBuild: 40 });
  plain.add(range(COUNT), rows);
  let grown = 0;
  const grow = () => { // now and then: an engine's collector has work with each
    if (++grown % 97 < 2) index._h.x.memory.grow(1);
  };
  const vectors = { fetch(slots, keys, out) {
    grow();
    slots.forEach((slot, i) => out.set(row(rows, DIM, slot), i * DIM));
  }, prefetch: grow };
  let index = await Index.create({ dim: DIM, m: 6, efBuild: 40, vectors });
  index.add(range(COUNT));
  assert.deepEqual(index.search(row(rows, DIM, 9)), plain.search(row(rows, DIM, 9)));
  same(index.save(), plain.save({ graphOnly: true }));
  index = await Index.create({ dim: DIM, m: 6, efBuild: 20, metric: (a, b) => {
    if (a[0] !== b[0]) grow();
    return a.reduce((sum, x, i) => sum + Math.abs(x - b[i]), 0);
  } });
  index.add(range(100), rows.subarray(0, 100 * DIM));
  assert.equal(index.search(row(rows, DIM, 9), { k: 1 })[0].key, 9);
  assert.ok(grown > 2000);
});

test('addresses beyond 2 GiB', async () => {
  const [low, high] = [0, 2 ** 31 + 2 ** 20].map((skipped) => {
    const index = Index.createSync({ dim: DIM, m: 6, keys: 'string', dtype: 'f16' });
    if (skipped) index._h.alloc(skipped); // never touched: costs no memory
    index.reserve(COUNT, 1 << 16);
    index.add(range(COUNT).map((i) => `key ${i}`), rows);
    index.remove('key 8');
    return index;
  });
  const query = row(rows, DIM, 9);
  const filter = (key) => key.endsWith('1');
  for (const ask of [(x) => x.search(query), (x) => x.search(query, { filter }),
    (x) => x.search(query, { filter: ['key 1', 'key 2'] }), (x) => x.searchBatch([query, query]),
    (x) => [...x.nearest(query, { filter })], (x) => [...x.keys()], (x) => x.get('key 7'),
    (x) => x.node(3), (x) => x.save()]) assert.deepEqual(ask(high), ask(low));
  await high.build(['more'], [query]);
  assert.equal(high.check().status, 0);
  const vectors = { fetch(slots, _, out) {
    slots.forEach((slot, i) => out.set(row(rows, DIM, slot), i * DIM));
  } };
  const outside = await Index.create({ dim: DIM, vectors });
  outside._h.alloc(2 ** 31 + 2 ** 20);
  outside.reserve(100);
  outside.add(range(100));
  const { key } = outside.search(row(rows, DIM, 9), { k: 1, filter: (one) => one !== 9 })[0];
  assert.notEqual(key, 9);
  assert.equal(outside.search(row(rows, DIM, 9), { k: 2 ** 30 }).length, 100);
  assert.equal(outside.searchBatch([row(rows, DIM, 9)], { k: 2 ** 30 })[0].length, 100);
  assert.throws(() => outside._h.alloc(2 ** 32), refused('MEMORY'));
});

test('an index that outgrows its table moves to another instance', async () => {
  const options = { dim: 2, m: 2, efBuild: 1, blockBytes: 4096 };
  const count = (1 << 16) + 1000;
  const vectors = rowsOf(count, 2, 8);
  const index = await Index.create(options);
  index.add(range(60_000), vectors.subarray(0, 120_000));
  const walk = index.nearest([0, 0]);
  const first = walk.next().value;
  const before = index._h;
  index.add(range(count - 60_000, 60_000), vectors.subarray(120_000));
  assert.notEqual(index._h, before);
  assert.equal(index.size, count);
  assert.equal(index.check().status, 0);
  for (const i of [0, 59_999, 60_001, count - 1]) assert.ok(index.has(i));
  const roomy = await Index.create({ ...options, capacity: count });
  const { memoryBytes } = roomy;
  const handle = roomy._h;
  roomy.add(range(count), vectors);
  assert.equal(roomy._h, handle);
  assert.ok(roomy.memoryBytes - memoryBytes < 2e6, 'a session and scratch');
  same(roomy.save(), index.save());
  const order = [first, ...walk].map(({ distance }) => distance);
  assert.ok(order.length === 60_000, 'a walk goes on with what it began with');
});

test('an opened index grows', async () => {
  for (const keys of ['number', 'string']) {
    const list = range(COUNT).map((i) => (keys === 'string' ? `a key ${i}` : i));
    const index = await Index.create({ dim: DIM, keys });
    index.add(list.slice(0, 50), rows.subarray(0, 50 * DIM));
    const back = await Index.open(index.save(), { keys });
    for (const one of [index, back]) one.add(list.slice(50), rows.subarray(50 * DIM));
    same(back.save(), index.save());
  }
});

// Chromium gives a process 1 TiB of addresses for memories, and 8 GiB of them to each.
const AT_ONCE = process.versions?.node ? 1000 : 100;

test('many indexes at once; what is dropped is given back', async () => {
  for (let made = 0; made < 1000; made += AT_ONCE) {
    const many = [];
    for (let i = 0; i < AT_ONCE; i++) many.push(await Index.create({ dim: 2 }));
    many.forEach((index, i) => index.add(i, [i, 0]));
    assert.ok(many.every((index, i) => index.search([0, 0])[0].key === i));
  }
});

test('the memory of indexes that are forgotten or disposed of comes back', {
  skip: typeof gc === 'function' && process.memoryUsage ? false : 'needs --expose-gc in Node' },
async () => {
  const touched = async (drop) => { // 16 MB each
    for (let i = 0; i < 60; i++) {
      const index = await Index.create({ dim: 1024, m: 2, efBuild: 1, capacity: 4000 });
      index._h.u8.fill(1, index.memoryBytes - 16_000_000);
      if (drop) index.dispose();
      gc();
      await new Promise(setImmediate);
    }
  };
  for (const drop of [true, false]) {
    const before = process.memoryUsage().rss;
    await touched(drop);
    const more = process.memoryUsage().rss - before;
    assert.ok(more < 400_000_000, `${more} bytes more`);
  }
});
