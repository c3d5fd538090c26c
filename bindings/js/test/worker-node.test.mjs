// worker-node.test.mjs - nigh/worker in Node: workers of one's own, their end, CommonJS
// SPDX-License-Identifier: MIT OR Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { Index as Local } from 'nigh';
import { Host, Index } from 'nigh/worker';
import { range, refused, row, rowsOf, same } from './common.mjs';

const require = createRequire(import.meta.url);
const MAIN = pathToFileURL(require.resolve('nigh/worker-main'));
const DIM = 16;
const COUNT = 3000;
const rows = rowsOf(COUNT, DIM);
const OPTIONS = { dim: DIM, m: 8, efBuild: 60 };

test('a worker of your own, the address of its file, one of the other modules', async () => {
  const local = await Local.create(OPTIONS);
  await local.build(range(COUNT), rows);
  for (const [options, threads] of [[{ worker: new Worker(MAIN) }, 2], [{ worker: MAIN }, 2],
    [{ worker: MAIN.href, thread: new URL('./worker-thread-node.js', MAIN) }, 2],
    [{ module: await WebAssembly.compile(require('node:fs').readFileSync(
      require.resolve('nigh/nigh-plain.wasm'))) }, 1]]) {
    const host = new Host({ threads: 2, ...options });
    await host.ready;
    assert.equal(host.threads, threads);
    const index = await Index.create({ ...OPTIONS, host });
    await index.build(range(COUNT), rows);
    same(await index.save(), local.save());
    host.terminate();
    await options.worker?.terminate?.();
  }
});

test('messages of others are left alone', async () => {
  const worker = new Worker(`
    const { parentPort } = require('node:worker_threads');
    parentPort.on('message', (data) => { if (data === 'mine') parentPort.postMessage('yours'); });
    import(${JSON.stringify(MAIN.href)});`, { eval: true });
  const host = new Host({ worker });
  const index = await Index.create({ ...OPTIONS, host });
  const answer = new Promise((resolve) => {
    worker.on('message', (data) => { if (data === 'yours') resolve(data); });
  });
  worker.postMessage('mine');
  worker.postMessage(null);
  worker.ref();
  assert.equal(await answer, 'yours');
  await index.add(1, row(rows, DIM, 0));
  assert.equal(await index.size, 1);
  await worker.terminate();
});

test('two hosts of one worker', async () => {
  const worker = new Worker(MAIN);
  const [one, other] = [new Host({ worker }), new Host({ worker })];
  const [a, b] = await Promise.all([one, other].map((host) => Index.create({ ...OPTIONS, host })));
  await a.add(1, row(rows, DIM, 0));
  await b.add([2, 3], rows.subarray(0, 2 * DIM));
  one.terminate();
  await assert.rejects(a.size, refused('INVALID', /terminated/));
  assert.equal(await b.size, 2);
  await assert.rejects(other._call(a.number, 'size', []), refused('INVALID', /disposed/));
  await worker.terminate();
});

test('a worker that dies by itself rejects what is under way', async () => {
  const worker = new Worker(`
    const { parentPort } = require('node:worker_threads');
    parentPort.on('message', (data) => { if (data === 'die') process.exit(3); });
    import(${JSON.stringify(MAIN.href)});`, { eval: true });
  const host = new Host({ worker });
  const index = await Index.create({ ...OPTIONS, host });
  const walk = index.nearest(row(rows, DIM, 0));
  const building = assert.rejects(index.build(range(COUNT), rows, { budget: 1,
    onProgress: () => worker.postMessage('die') }), refused('CORRUPT', /has ended.*exit 3/));
  await building;
  await assert.rejects(index.search(row(rows, DIM, 0)), refused('CORRUPT', /has ended/));
  await assert.rejects(walk.next(), refused('CORRUPT', /has ended/));
  await assert.rejects(Index.create({ ...OPTIONS, host }), refused('CORRUPT', /has ended/));
});

test('a thread that stops within a call spoils that index, not others', async () => {
  const thread = new URL(`data:text/javascript,${encodeURIComponent(`
    import { parentPort } from 'node:worker_threads';
    const STATUS = 4; // part.ts
    parentPort.on('message', ({ words }) => { Atomics.store(words, STATUS, -9); });`)}`);
  const host = new Host({ threads: 2, thread });
  const [index, other] = [await Index.create({ ...OPTIONS, host }),
    await Index.create({ ...OPTIONS, host })];
  const many = 20 * COUNT; // it takes a while until the thread is there
  await assert.rejects(index.build(range(many), rowsOf(many, DIM)), refused('CORRUPT', /cut short/));
  await assert.rejects(index.search(row(rows, DIM, 0)), refused('CORRUPT', /cut short/));
  await other.add(1, row(rows, DIM, 0));
  assert.equal(await other.size, 1);
  host.terminate();
});

/** A program in a process of its own, which must end by itself. */
function run(code, type) {
  const { status, stderr, stdout } = spawnSync(process.execPath, [`--input-type=${type}`, '-e', code],
    { cwd: fileURLToPath(new URL('..', import.meta.url)), encoding: 'utf8', timeout: 60_000 });
  assert.equal(status, 0, stderr);
  return stdout;
}
const BODY = `
  const index = await Index.create({ dim: 2 });
  await index.build([1, 2], [[0, 1], [1, 0]]);
  console.log((await index.search([0, 1], { k: 1 }))[0].key);`;

test('a program ends although its worker waits', () => {
  assert.equal(run(`import { Index } from 'nigh/worker';${BODY}`, 'module'), '1\n');
  assert.equal(run(`const { Index } = require('nigh/worker');(async () => {${BODY}})();`, 'commonjs'),
    '1\n');
});
