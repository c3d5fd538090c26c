// threads.test.mjs - jobs of nigh/worker on several threads: the bytes of one, and of the command
// SPDX-License-Identifier: MIT OR Apache-2.0
// NIGH_GOLDEN: the folder that tests/bindings/golden.py makes
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Index as Local } from 'nigh';
import { Host, Index } from 'nigh/worker';
import { range, refused, row, rowsOf, same } from './common.mjs';

const DIM = 32;
const COUNT = 4000;
const rows = rowsOf(COUNT, DIM);
const keys = range(COUNT);
const OPTIONS = { dim: DIM, metric: 'cosine', m: 8, efBuild: 60 };
/** Node has no such property, and shares memory. */
const shared = globalThis.crossOriginIsolated ?? true;
const plain = !!process.env.NIGH_JS_PLAIN;

const host = new Host({ threads: 4 });
after(() => host.terminate());

async function built(threads, options = {}, job = {}) {
  const index = await Index.create({ ...OPTIONS, host, ...options });
  await index.build(keys, rows, { threads, ...job });
  return index;
}

test('a host says how many threads there may be', async () => {
  await host.ready;
  assert.equal(host.threads, shared && !plain ? 4 : 1);
  const alone = new Host({ threads: 1 });
  await alone.ready;
  assert.equal(alone.threads, 1);
  const index = await built(undefined, { host: alone });
  assert.equal(await index.threads, 1);
  alone.terminate();
});

for (const codes of ['none', 'u7']) {
  test(`every job, the bytes of one thread, codes ${codes}`, async () => {
    const local = await Local.create({ ...OPTIONS, codes });
    const images = [];
    const kept = () => images.push(local.save());
    await local.build(keys, rows);
    kept();
    await local.refine();
    kept();
    local.remove(range(COUNT / 4, 100));
    await local.vacuum();
    kept();
    await local.makeCodes('none');
    await local.makeCodes('b1');
    kept();
    for (const threads of [1, 2, 3, 4]) {
      const index = await built(threads, { codes });
      same(await index.save(), images[0], `build, ${threads} threads`);
      const used = await index.threads;
      assert.ok(used >= 1 && used <= threads, `${used} threads of ${threads}`);
      await index.refine({ threads });
      same(await index.save(), images[1], `refine, ${threads} threads`);
      await index.remove(range(COUNT / 4, 100));
      await index.vacuum({ threads });
      same(await index.save(), images[2], `vacuum, ${threads} threads`);
      await index.makeCodes('none', { threads });
      await index.makeCodes('b1', { threads });
      same(await index.save(), images[3], `makeCodes, ${threads} threads`);
      assert.equal((await index.check()).status, 0);
      await index.dispose();
    }
  });
}

const folder = process.env.NIGH_GOLDEN;
if (!folder) throw new Error('NIGH_GOLDEN: the folder that tests/bindings/golden.py makes');
const LATE = 100; // rows of the cases with numbers that came after the build, golden.py
const REMOVED = [0, 3, 77, 1024, 1899];
const lines = (name) => readFileSync(join(folder, name)).toString().trimEnd().split('\n');
for (const { name, image, rows: file, count: all, keys: kind } of golden()) {
  test(`${name}: the bytes of nigh build`, async () => {
    const data = new Float32Array(Uint8Array.from(readFileSync(join(folder, file))).buffer);
    const expected = readFileSync(join(folder, image));
    const config = (await Local.open(expected, { writable: false })).config();
    const late = kind === 'u64' ? LATE : 0;
    const first = data.length / config.dim - late;
    const names = kind === 'u64' ? range(first).map(BigInt) : lines('names.txt');
    for (const threads of [1, 2, 3, 4]) {
      const index = await Index.create({ ...config, host, keys: late ? 'bigint' : 'string' });
      await index.build(names, data.subarray(0, first * config.dim), { threads });
      if (late) {
        await index.remove(REMOVED.map(BigInt));
        await index.add(lines('late.txt').map(BigInt), data.subarray(first * config.dim));
      }
      assert.equal(await index.size, all);
      same(await index.save(), expected, `${threads} threads`);
      await index.dispose();
    }
  });
}

/** Cases whose keys and vectors are in the index. */
function golden() {
  const { rows: file, cases } = JSON.parse(readFileSync(join(folder, 'golden.json')));
  return cases.filter(({ keys: kind, external }) => kind !== 'identity' && !external)
    .map((which) => ({ ...which, rows: file }));
}

if (shared && !plain) {
  test('several threads do run', async () => {
    let most = 1;
    for (let i = 0; i < 10 && most < 3; i++) { // another program may have the processors for a while
      const index = await built(3);
      most = Math.max(most, await index.threads);
      await index.dispose();
    }
    assert.equal(most, 3);
  });
}

test('two jobs at once share the threads', async () => {
  const local = await Local.create(OPTIONS);
  await local.build(keys, rows);
  const both = await Promise.all([built(4), built(3)]);
  for (const index of both) {
    same(await index.save(), local.save());
    await index.dispose();
  }
});

test('an abort, a bad vector, a disposal: all is well afterwards', async () => {
  const reason = new Error('enough');
  for (const threads of [2, 4]) {
    const controller = new AbortController();
    const index = await Index.create({ ...OPTIONS, host });
    let last = 0;
    await assert.rejects(index.build(keys, rows, { threads, budget: 1, signal: controller.signal,
      onProgress(done) {
        assert.ok(done >= last);
        last = done;
        if (done > 1000) controller.abort(reason);
      } }), (error) => error === reason);
    const size = await index.size;
    assert.ok(size > 1000 && size < COUNT, `${size}`);
    assert.equal((await index.check()).status, 0);
    const bad = rows.slice();
    bad[(COUNT - 100) * DIM] = NaN;
    await assert.rejects(index.build(keys.slice(size), bad.subarray(size * DIM), { threads }),
      (error) => {
        assert.equal(error.done, COUNT - 100 - size);
        return refused('VECTOR')(error);
      });
    assert.equal(await index.size, COUNT - 100);
    await index.build(keys.slice(COUNT - 100), rows.subarray((COUNT - 100) * DIM), { threads });
    assert.equal((await index.check()).status, 0);
    assert.equal((await index.search(row(rows, DIM, 77), { k: 1 }))[0].key, 77);
    const refining = index.refine({ threads });
    const failing = assert.rejects(refining, refused('INVALID', /disposed/));
    await new Promise((resolve) => { setTimeout(resolve, 20); });
    await index.dispose();
    await failing;
  }
});

test('threads that do not begin take no part', async () => {
  const alone = new Host({ threads: 2, thread: new URL('./no-such-script.js', import.meta.url) });
  const [index, local] = [await built(2, { host: alone }), await Local.create(OPTIONS)];
  await local.build(keys, rows);
  assert.equal(await index.threads, 1);
  same(await index.save(), local.save());
  alone.terminate();
});

test('memory that a job had is free after it', async () => {
  const index = await built(4);
  await index.refine({ threads: 4 });
  const before = await index.memoryBytes;
  for (let i = 0; i < 5; i++) await index.refine({ threads: 4 });
  assert.equal(await index.memoryBytes, before);
});

test('keys and vectors grow the memory beneath the other threads', async () => {
  const local = await Local.create({ ...OPTIONS, keys: 'string' });
  const index = await Index.create({ ...OPTIONS, keys: 'string', host });
  for (let first = 0; first < COUNT; first += 1000) {
    const names = range(1000, first).map((i) => `${'x'.repeat(i % 300)} ${i}`);
    const part = rows.subarray(first * DIM, (first + 1000) * DIM);
    await Promise.all([index.build(names, part, { threads: 4 }), local.build(names, part)]);
  }
  same(await index.save(), local.save());
});
