// threads.test.mjs - nigh-mt.wasm: several instances on one memory, the same bytes as one
// SPDX-License-Identifier: MIT OR Apache-2.0
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { C, Host, Index, rows } from './host.mjs';
import { host, module, threads } from './under.mjs';

const DIM = 24;
const COUNT = 2500;
const STACK = 65536;
const data = rows(COUNT, DIM);
const keys = BigUint64Array.from({ length: COUNT }, (_, i) => BigInt(i));

function index(h, codes) {
  const made = Index.create(h, { dim: DIM, metric: C.METRIC_COSINE, dtype: C.DTYPE_F32, codes,
    ef_build: 60, m: 8 }, { slots: COUNT });
  return made;
}

/** Starts a thread for a job, with a session, a stack and a place for progress of its own. */
function thread(h, of, job, ready, count) {
  const stack = of.take(STACK);
  h.u8(stack, STACK).fill(0xa5);
  const progress = of.take(64);
  h.u8(progress, 32).set(h.struct('nigh_progress'));
  const worker = new Worker(new URL('./thread.mjs', import.meta.url), { workerData: { module,
    memory: h.x.memory, stack: stack + STACK, job, session: of.newSession(), progress, ready, count } });
  return once(worker, 'message').then(([said]) => ({ ...said,
    depth: STACK - h.u8(stack, STACK).findIndex((byte) => byte !== 0xa5) }));
}

/** The image of an index that so many threads built, none of them this one. */
async function built(count, codes) {
  const h = host();
  const made = index(h, codes);
  const [k, v] = [h.put(keys), h.put(data)];
  const o = h.put(h.struct('nigh_job_options', { kind: C.JOB_BUILD }));
  const size = h.sized((at) => h.x.nigh_job_bytes(made.index, o, COUNT, at));
  const job = h.made((at) => h.x.nigh_job_begin(made.index, o, k, 0, v, COUNT, made.take(size),
    BigInt(size), at));
  const ready = h.put(new Int32Array(1));
  const said = await Promise.all(Array.from({ length: count }, () =>
    thread(h, made, job, ready, count)));
  h.ok(h.x.nigh_job_end(job));
  assert.equal(made.check().status, C.OK);
  return [made.save(), said];
}

if (threads) {
  for (const codes of [C.CODES_NONE, C.CODES_U7]) {
    test(`the bytes of one thread, codes ${codes}`, async () => {
      const alone = index(host(), codes);
      alone.job({ kind: C.JOB_BUILD }, [...keys], data, COUNT);
      const expected = Buffer.from(alone.save());
      for (const count of [1, 2, 4]) {
        const [image, said] = await built(count, codes);
        assert.equal(Buffer.compare(Buffer.from(image), expected), 0, `${count} threads`);
        for (const { status, tasks, depth } of said) {
          assert.equal(status, C.OK);
          assert.ok(tasks > 0, `${said.map((one) => one.tasks)} tasks`);
          assert.ok(depth > 0 && depth < STACK / 8, `${depth} bytes of the stack`);
        }
      }
    });
  }

  test('a later instance leaves the memory as it is', () => {
    const h = host();
    const made = index(h, C.CODES_NONE);
    made.insert([...keys].slice(0, 200), data.subarray(0, 200 * DIM));
    const used = h.x.nighw_used();
    const other = new Host(module, h.x.memory);
    assert.equal(other.x.nighw_used(), used);
    assert.equal(made.check().status, C.OK);
    const at = h.alloc(5 * 65536); // the memory grows for both
    other.u8(at, 5 * 65536).fill(7);
    assert.equal(h.u8(at, 5 * 65536).findIndex((byte) => byte !== 7), -1);
  });

  test('memories of less than 4 GiB are fine, until they are full', () => {
    const memory = new WebAssembly.Memory({ initial: 2, maximum: 64, shared: true });
    const h = new Host(module, memory);
    h.free(h.alloc(3_000_000));
    assert.equal(h.x.nighw_alloc(5_000_000n), 0);
    h.free(h.alloc(3_000_000));
  });
}
