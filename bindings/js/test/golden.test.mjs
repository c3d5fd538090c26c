// golden.test.mjs - the bytes and answers of the nigh command
// SPDX-License-Identifier: MIT OR Apache-2.0
// NIGH_GOLDEN: the folder that tests/bindings/golden.py makes
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Index, load } from 'nigh';
import { range, row, same } from './common.mjs';

const folder = process.env.NIGH_GOLDEN;
if (!folder) throw new Error('NIGH_GOLDEN: the folder that tests/bindings/golden.py makes');
const read = (name) => readFileSync(join(folder, name));
const floats = (name) => new Float32Array(Uint8Array.from(read(name)).buffer);
const lines = (name) => read(name).toString().trimEnd().split('\n');
const LATE = 100; // rows of the cases with numbers that came after the build, golden.py
const REMOVED = [0, 3, 77, 1024, 1899];

function cases(name) {
  const { dim, k, rows, queries, cases: list } = JSON.parse(read(name));
  return list.map((which) => ({ ...which, dim, k, queries: floats(queries),
    rows: rows === undefined ? undefined : floats(rows) }));
}

function openOptions({ keys, external, rows, dim }) {
  const kind = { u64: 'bigint', bytes: 'string', identity: 'identity' }[keys];
  return { keys: kind, ...(external && { vectors: { fetch(slots, _, out) {
    slots.forEach((slot, i) => out.set(row(rows, dim, slot), i * dim));
  } } }) };
}

for (const which of [...cases('golden.json'), ...cases('words.json')]) {
  const { name, dim, k, queries, searches } = which;
  const image = read(which.image);

  test(`${name}: opens, answers and saves what the command did`, async () => {
    const index = await Index.open(image, openOptions(which));
    assert.equal(index.size, which.count);
    const count = queries.length / dim;
    const bits = new Float32Array(count * k);
    const into = { keys: [], distances: bits, slots: new Uint32Array(count * k) };
    for (const { ef, answers } of searches) {
      index.searchBatchInto(queries, into, { k, ef });
      const words = new Uint32Array(bits.buffer);
      const found = range(count).map((q) => range(k, q * k).map((at) =>
        [String(into.keys[at]), words[at], into.slots[at]]));
      assert.deepEqual(found, answers);
      for (const q of [0, 7, count - 1]) {
        assert.deepEqual(index.search(row(queries, dim, q), { k, ef }).map((hit) =>
          [String(hit.key), hit.distance]), range(k, q * k).map((at) =>
          [String(into.keys[at]), bits[at]]));
      }
    }
    await load('full');
    assert.equal(index.check().status, 0);
    same(index.save(), image);
  });

  if (!which.rows) continue;
  test(`${name}: builds the same bytes`, async () => {
    const { rows } = which;
    const count = rows.length / dim;
    const config = (await Index.open(image, openOptions(which))).config();
    const index = await Index.create({ ...config, ...openOptions(which) });
    const late = which.keys === 'u64' ? LATE : 0;
    const first = count - late;
    const keys = { bytes: () => lines('names.txt'), u64: () => range(first).map(BigInt),
      identity: () => range(count) }[which.keys]();
    await index.build(which.keys === 'identity' ? null : keys, which.external && which.keys !== 'identity'
      ? undefined : rows.subarray(0, first * dim));
    if (late) {
      index.remove(REMOVED.map(BigInt));
      index.add(lines('late.txt').map(BigInt), rows.subarray(first * dim));
    }
    same(index.save(), image);
  });
}

if (process.env.NIGH_HNSWLIB) {
  test('files of hnswlib that the command wrote', async () => {
    const file = readFileSync(process.env.NIGH_HNSWLIB);
    const u64 = cases('golden.json').find(({ name }) => name === 'u64');
    const { dim, metric, queries } = u64;
    const index = await Index.readHnswlib(file, { dim, metric, keys: 'bigint' });
    const native = await Index.open(read(u64.image), { keys: 'bigint' });
    for (const q of range(50)) {
      const query = row(queries, dim, q);
      assert.deepEqual(index.search(query, { expansions: 1, ef: 40 }),
        native.search(query, { expansions: 1, ef: 40 }));
    }
    same(native.writeHnswlib(), file);
    same(index.writeHnswlib(), file);
  });
}
