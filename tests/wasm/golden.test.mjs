// golden.test.mjs - the bytes and answers of the nigh command, from a module
// SPDX-License-Identifier: MIT OR Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { C, Index, KIND } from './host.mjs';
import { golden, goldenBytes, goldenFloats, goldenLines, host, simd } from './under.mjs';

const { dim, k } = golden;
const queries = goldenFloats(golden.queries);
const rows = goldenFloats(golden.rows);
const LATE = 100; // rows of the cases with numbers that came after the build, golden.py
const REMOVED = [0, 3, 77, 1024, 1899];

function answers(index, ef) {
  return Array.from({ length: queries.length / dim }, (_, q) =>
    index.search(queries.subarray(q * dim, (q + 1) * dim), k, { ef })
      .map(({ key, bits, slot }) => [String(key), bits, slot]));
}

/** Vectors of an index that holds none: lent, and copied. */
function attachRows(h, index, lend) {
  const at = h.put(rows);
  const user = h.user({ fetch: (slots, keys, count, scratch, vectors) => {
    for (let i = 0; i < count; i++) {
      const slot = h.u32(slots, count)[i];
      let address = at + slot * dim * 4;
      if (!lend) {
        address = scratch + i * dim * 4;
        h.f32(address, dim).set(rows.subarray(slot * dim, (slot + 1) * dim));
      }
      h.u32(vectors, count)[i] = address;
    }
    return 0;
  } });
  h.ok(h.x.nigh_index_fetch(index.index, h.x.nighw_function(KIND.fetch), 0, user));
}

for (const which of golden.cases) {
  const image = goldenBytes(which.image);
  test(`${which.name}: opens, answers and saves what the command did`, () => {
    const h = host();
    for (const lend of which.external ? [true, false] : [true]) {
      const index = Index.open(h, image);
      if (which.external) attachRows(h, index, lend);
      assert.equal(index.stats().live_count, which.count);
      for (const { ef, answers: expected } of which.searches) {
        assert.deepEqual(answers(index, ef), expected);
      }
      assert.equal(index.check().status, C.OK);
      assert.equal(Buffer.compare(Buffer.from(index.save()), image), 0);
      assert.equal(Buffer.compare(index.saveInChunks(), image), 0);
      index.close();
    }
  });

  test(`${which.name}: builds the same bytes`, () => {
    const h = host();
    const read = Index.open(h, image);
    const config = { ...read.config, seed: h.with([h.struct('nigh_config')], (at) => {
      h.ok(h.x.nigh_config_get(read.index, at));
      return h.view().getBigUint64(at + 48, true);
    }) };
    read.close();
    for (const features of simd ? [0, C.CPU_SCALAR] : [0]) {
      const saved = rebuild(h, which, config, features);
      assert.equal(Buffer.compare(Buffer.from(saved), image), 0);
    }
  });
}

function rebuild(h, which, config, features) {
  const count = rows.length / dim;
  const bytes = which.keys === 'bytes' ? goldenLines('names.txt') : null;
  const keyBytes = bytes ? bytes.reduce((sum, key) => sum + Buffer.byteLength(key), 0) : 0;
  const late = which.keys === 'u64' ? LATE : 0;
  const first = count - late;
  const index = Index.create(h, config, { slots: count, keyBytes, features });
  if (which.external) attachRows(h, index, true);
  const numbers = which.keys === 'u64' ? Array.from({ length: first }, (_, i) => i) : null;
  assert.equal(index.job({ kind: C.JOB_BUILD }, bytes ?? numbers,
    which.external ? null : rows.subarray(0, first * dim), first), first);
  if (late) {
    index.remove(REMOVED);
    index.insert(goldenLines('late.txt').map(BigInt), rows.subarray(first * dim));
  }
  const saved = index.save();
  index.close();
  return saved;
}
