// memory.test.mjs - the allocator that hosts share
// SPDX-License-Identifier: MIT OR Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { C, Index, rows } from './host.mjs';
import { host } from './under.mjs';

let state = 1;
const below = (most) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor(state / 2 ** 32 * most);
};

test('any history: aligned, apart from each other, nothing lost', () => {
  const h = host();
  const taken = new Map(); // address -> [bytes, mark]
  for (let i = 0; i < 20_000; i++) {
    if (taken.size > 0 && below(100) < (i % 4000 < 2000 ? 40 : 60)) {
      const at = [...taken.keys()][below(taken.size)];
      const [bytes, mark] = taken.get(at);
      const memory = h.u8(at, bytes);
      for (let j = 0; j < bytes; j += 1 + bytes / 50 >> 0 || 1) assert.equal(memory[j], mark);
      assert.equal(h.x.nighw_free(at), C.OK);
      taken.delete(at);
    } else {
      const bytes = below(4) === 0 ? below(40_000) : below(300);
      const at = h.alloc(bytes);
      assert.equal(at % 64, 0);
      assert.ok(at + bytes <= h.x.memory.buffer.byteLength);
      const mark = below(256);
      h.u8(at, bytes).fill(mark); // over another block: seen when that one is given back
      taken.set(at, [bytes, mark]);
    }
  }
  for (const at of taken.keys()) assert.equal(h.x.nighw_free(at), C.OK);
  assert.equal(h.x.nighw_used(), 0n);
  const pages = h.x.memory.buffer.byteLength;
  const all = h.alloc(pages - 200_000); // pieces were joined: most of it in one block again
  assert.equal(h.x.memory.buffer.byteLength, pages);
  h.free(all);
});

test('what was not handed out is not taken back', () => {
  const h = host();
  const at = h.alloc(1000);
  const end = h.x.memory.buffer.byteLength;
  assert.equal(h.x.nighw_free(0), C.OK);
  for (const wrong of [1, 64, at + 1, at + 64, at - 64, end - 64, end, end + 64, -64]) {
    assert.equal(h.x.nighw_free(wrong), C.E_INVALID, String(wrong));
  }
  assert.equal(h.x.nighw_free(at), C.OK);
  assert.equal(h.x.nighw_free(at), C.E_INVALID);
  const [a, b] = [h.alloc(100), h.alloc(100)];
  h.free(a);
  h.free(b); // joined with a
  assert.equal(h.x.nighw_free(b), C.E_INVALID);
  assert.equal(h.x.nighw_free(a), C.E_INVALID);
});

test('too much is refused, and all is as before', () => {
  const h = host();
  const used = h.x.nighw_used();
  for (const bytes of [2n ** 32n - 1n, 2n ** 32n, 2n ** 40n, 2n ** 64n - 1n, 4n * 2n ** 30n - 70000n]) {
    assert.equal(h.x.nighw_alloc(bytes), 0, String(bytes));
  }
  assert.equal(h.x.nighw_used(), used);
  h.free(h.alloc(0));
  h.free(h.alloc(1));
  assert.equal(h.x.nighw_used(), used);
});

test('the host may grow the memory too: what it took is left alone', () => {
  const h = host();
  h.free(h.alloc(10));
  const own = h.x.memory.grow(3) * 65536;
  h.u8(own, 3 * 65536).fill(0xa5);
  const at = h.alloc(5 * 65536);
  h.u8(at, 5 * 65536).fill(1);
  assert.ok(at >= own + 3 * 65536 || at + 5 * 65536 <= own);
  assert.ok(h.u8(own, 3 * 65536).every((byte) => byte === 0xa5));
});

const CONFIG = { dim: 12, metric: C.METRIC_COSINE, dtype: C.DTYPE_F32, ef_build: 40, m: 6 };
const data = rows(400, 12);
const keys = Array.from({ length: 400 }, (_, i) => i);

function work(h) {
  const index = Index.create(h, CONFIG, { slots: 100, slotMax: 400 });
  for (let first = 0; first < 400; first += 100) {
    index.grow(first + 100);
    index.insert(keys.slice(first, first + 100), data.subarray(first * 12, (first + 100) * 12));
  }
  index.remove([5, 6]);
  index.job({ kind: C.JOB_VACUUM });
  const out = [index.save(), index.search(data.subarray(0, 12), 10, { ef: 30 })];
  index.close();
  return out;
}

test('indexes come and go and leave nothing', () => {
  const h = host();
  const first = work(h);
  const size = h.x.memory.buffer.byteLength;
  for (let i = 0; i < 20; i++) assert.deepEqual(work(h), first);
  assert.equal(h.x.nighw_used(), 0n);
  assert.equal(h.x.memory.buffer.byteLength, size);
});

test('addresses beyond 2 GiB', () => {
  const h = host();
  h.alloc(2 ** 31 + 2 ** 20); // never touched: costs no memory
  const probe = h.alloc(64);
  assert.ok(probe > 2 ** 31);
  assert.deepEqual(work(h), work(host()));
});
