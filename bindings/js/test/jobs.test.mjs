// jobs.test.mjs - long work: it yields, tells how far it is, can be ended, gives the same bytes
// SPDX-License-Identifier: MIT OR Apache-2.0
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Index } from 'nigh';
import { range, refused, row, rowsOf, same } from './common.mjs';

const DIM = 32;
const COUNT = 3000;
const rows = rowsOf(COUNT, DIM);
const OPTIONS = { dim: DIM, metric: 'cosine', m: 8, efBuild: 60 };

test('the same bytes, however often it yields', async () => {
  const images = [];
  for (const budget of [0.01, 8, 1e9]) {
    const index = await Index.create({ ...OPTIONS, codes: 'u7' });
    await index.build(range(COUNT), rows, { budget });
    images.push(index.save());
  }
  images.forEach((image) => same(image, images[0]));
});

test('progress', async () => {
  const index = await Index.create(OPTIONS);
  const said = [];
  await index.build(range(COUNT), rows, { budget: 1,
    onProgress: (done, total) => said.push([done, total]) });
  assert.ok(said.length > 10, `${said.length} times`);
  assert.deepEqual(said.at(-1), [COUNT, COUNT]);
  said.forEach(([done], i) => assert.ok(i === 0 || done >= said[i - 1][0]));
});

/** Milliseconds that this thread had a processor, where the system tells; else those that passed:
 * others on the same machine lengthen many steps, but none shortens what takes too long by itself. */
const CLOCK = `/proc/self/task/${process.pid}/schedstat`;
const exact = existsSync(CLOCK);
const spent = exact ? () => Number(readFileSync(CLOCK, 'utf8').split(' ')[0]) / 1e6
  : () => performance.now();

test('no step takes long, and others have their turn', async () => {
  await (await Index.create(OPTIONS)).build(range(COUNT), rows); // compiled by now
  const index = await Index.create(OPTIONS);
  const steps = [];
  const { run } = index._h;
  index._h.run = function timed(body) {
    const began = spent();
    try {
      return run.call(this, body);
    } finally {
      steps.push(spent() - began);
    }
  };
  let turns = 0;
  const timer = setInterval(() => { turns++; }, 1);
  await index.build(range(COUNT), rows);
  clearInterval(timer);
  assert.ok(turns > 3, `${turns} turns of ${steps.length} steps`);
  const late = steps.filter((ms) => ms >= 16).length;
  const working = steps.filter((ms) => ms >= 4).length; // some calls only ask something
  assert.ok(late <= (exact ? 0 : working * 3 / 4), `${steps.sort((a, b) => b - a).slice(0, 5)} ms`);
});

test('searches beside a build, no changes', async () => {
  const index = await Index.create(OPTIONS);
  index.add(range(100), rows.subarray(0, 100 * DIM));
  let looked = 0;
  const building = index.build(range(COUNT - 100, 100), rows.subarray(100 * DIM), { budget: 1,
    onProgress() {
      const hits = index.search(row(rows, DIM, 5), { k: 3 });
      assert.equal(hits[0].key, 5);
      looked++;
    } });
  await new Promise(setImmediate);
  assert.throws(() => index.add(COUNT, row(rows, DIM, 0)), refused('BUSY'));
  assert.throws(() => index.remove(5), refused('BUSY'));
  assert.throws(() => index.reserve(10 * COUNT), refused('BUSY'));
  await assert.rejects(index.vacuum(), refused('BUSY'));
  await building;
  assert.ok(looked > 5);
  index.add(COUNT, row(rows, DIM, 0));
  assert.equal(index.check().status, 0);
});

test('a signal ends it between two steps', async () => {
  const reason = new Error('enough');
  for (const when of ['before', 'within']) {
    const index = await Index.create(OPTIONS);
    index.add(range(10), rows.subarray(0, 10 * DIM));
    const used = index._h.x.nighw_used();
    const controller = new AbortController();
    if (when === 'before') controller.abort(reason);
    let done = 0;
    await assert.rejects(index.build(range(COUNT - 10, 10), rows.subarray(10 * DIM), { budget: 1,
      signal: controller.signal, onProgress(now) {
        done = now;
        if (now > 500) controller.abort(reason);
      } }), (error) => error === reason);
    assert.equal(index.size, 10 + done, 'what is in stays in');
    assert.ok(done < COUNT - 10);
    if (when === 'before') assert.equal(index._h.x.nighw_used(), used);
    assert.equal(index.check().status, 0);
    index.add(5000, row(rows, DIM, 7));
    assert.equal(index.search(row(rows, DIM, 7), { k: 2 }).length, 2);
  }
});

test('an exception of onProgress ends it, too', async () => {
  const index = await Index.create(OPTIONS);
  await assert.rejects(index.build(range(COUNT), rows, { budget: 1, onProgress() {
    throw new TypeError('mine');
  } }), TypeError);
  await index.build(range(COUNT - index.size, index.size), rows.subarray(index.size * DIM));
  assert.equal(index.size, COUNT);
});

test('an index disposed of meanwhile', async () => {
  const index = await Index.create(OPTIONS);
  await assert.rejects(index.build(range(COUNT), rows, { budget: 1,
    onProgress: () => index.dispose() }), refused('INVALID', /disposed/));
});

test('keys of strings, vectors as lists, a second build', async () => {
  const index = await Index.create({ ...OPTIONS, keys: 'string' });
  const keys = range(COUNT).map((i) => `the key ${i}`);
  const lists = range(COUNT).map((i) => Array.from(row(rows, DIM, i)));
  await index.build(keys.slice(0, 2000), lists.slice(0, 2000));
  await index.build(keys.slice(2000), lists.slice(2000));
  const other = await Index.create(OPTIONS);
  await other.build(range(2000), rows.subarray(0, 2000 * DIM));
  await other.build(range(1000, 2000), rows.subarray(2000 * DIM));
  for (const i of [0, 1999, 2000, 2999]) {
    assert.deepEqual(index.search(row(rows, DIM, i)).map(({ distance }) => distance),
      other.search(row(rows, DIM, i)).map(({ distance }) => distance));
    assert.equal(index.search(row(rows, DIM, i), { k: 1 })[0].key, keys[i]);
  }
  await assert.rejects(index.build([keys[5]], [lists[5]]), refused('EXISTS'));
  await index.build([], []);
});
