// stack.test.mjs - how much of the shadow stack calls take: callbacks may call the module again
// SPDX-License-Identifier: MIT OR Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { C, Index, KIND, rows } from './host.mjs';
import { host } from './under.mjs';

const STACK = 65536; // wasm/CMakeLists.txt; it lies at address 0 and grows down
const NESTED = 16; // as many calls stand in callbacks at once in bindings/go/nighwasm
const DIM = 24;
const COUNT = 1500;
const data = rows(COUNT, DIM);
const keys = Array.from({ length: COUNT }, (_, i) => i);

/** The most bytes that `run` had on the stack. */
function depth(h, run) {
  h.u8(0, STACK).fill(0xa5);
  run();
  const used = STACK - h.u8(0, STACK).findIndex((byte) => byte !== 0xa5);
  return used > STACK ? 0 : used;
}

function fetched(h) {
  const index = Index.create(h, { dim: DIM, metric: C.METRIC_COSINE, dtype: C.DTYPE_F32,
    vectors: C.VECTORS_EXTERNAL, keys: C.KEYS_BYTES }, { slots: COUNT, keyBytes: 6 * COUNT });
  const user = h.user({ fetch(slots, _, count, scratch, vectors) {
    for (let i = 0; i < count; i++) {
      const slot = h.u32(slots, count)[i];
      h.f32(scratch + i * DIM * 4, DIM).set(data.subarray(slot * DIM, (slot + 1) * DIM));
      h.u32(vectors, count)[i] = scratch + i * DIM * 4;
    }
  } });
  h.ok(h.x.nigh_index_fetch(index.index, h.x.nighw_function(KIND.fetch), 0, user));
  return index;
}

test('searches and changes fit many times', () => {
  const h = host();
  const index = fetched(h);
  const names = keys.map((key) => `k${key}`);
  const deepest = depth(h, () => {
    index.insert(names.slice(0, 1000), null, 1000);
    for (let i = 0; i < 50; i++) {
      index.search(data.subarray(i * DIM, (i + 1) * DIM), 10, { ef: 100 });
      index.search(data.subarray(i * DIM, (i + 1) * DIM), 10, { flags: C.SEARCH_EXACT });
    }
    index.remove(names.slice(0, 100));
    index.insert(names.slice(1000), null, 500);
  });
  assert.ok(deepest > 0 && deepest <= STACK / (NESTED + 4), `${deepest} bytes`);
});

test('all else fits, beneath callbacks', () => {
  const h = host();
  const deepest = depth(h, () => {
    for (const codes of [C.CODES_NONE, C.CODES_U7, C.CODES_B1]) {
      const index = Index.create(h, { dim: DIM, metric: C.METRIC_L2, dtype: C.DTYPE_F16, codes },
        { slots: COUNT });
      const half = h.with([data, index.rowBytes * COUNT], (from, to) => {
        h.ok(h.x.nigh_convert(DIM, C.DTYPE_F16, COUNT, from, to, 0, 0));
        return h.u8(to, index.rowBytes * COUNT).slice();
      });
      index.job({ kind: C.JOB_BUILD }, keys, half, COUNT);
      index.remove(keys.slice(0, 200));
      index.job({ kind: C.JOB_VACUUM });
      index.job({ kind: C.JOB_REFINE });
      index.check();
      Index.open(h, index.save(), { flags: C.OPEN_WRITABLE | C.OPEN_VERIFY }).close();
      index.close();
    }
  });
  assert.ok(deepest > 0 && deepest <= STACK / 8, `${deepest} bytes`);
});
