// hnswlib.test.mjs - the classes of hnswlib-node: arguments, answers, deletions, files
// SPDX-License-Identifier: MIT OR Apache-2.0
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { BruteforceSearch, HierarchicalNSW, InnerProductSpace, L2Space } from 'nigh/hnswlib';
import { nearest, range, row, rowsOf, same } from './common.mjs';

const DIM = 8;
const COUNT = 500;
const rows = rowsOf(COUNT, DIM);
const list = (i) => Array.from(row(rows, DIM, i));
const folder = mkdtempSync(join(tmpdir(), 'nigh-hnswlib-'));
after(() => rmSync(folder, { recursive: true }));
const KINDS = [HierarchicalNSW, BruteforceSearch];

function filled(Kind, space = 'l2', count = COUNT) {
  const index = new Kind(space, DIM);
  index.initIndex(COUNT);
  for (let i = 0; i < count; i++) index.addPoint(list(i), i * 3);
  return index;
}

test('arguments, in the words of hnswlib-node', () => {
  for (const Kind of KINDS) {
    const index = new Kind('l2', DIM);
    const refused = (call, text, type = Error) => assert.throws(call, (error) => {
      assert.ok(error instanceof type, error.stack);
      assert.equal(error.message, text);
      return true;
    });
    refused(() => new Kind('l2'), 'Expected 2 arguments, but got 1.');
    refused(() => new Kind(5, 2), 'Invalid the first argument type, must be a string.', TypeError);
    refused(() => new Kind('l1', 2), 'Wrong space name, expected "l2", "ip", or "cosine".');
    const early = 'Search index has not been initialized, call `initIndex` in advance.';
    refused(() => index.searchKnn(list(0), 1), early);
    refused(() => index.addPoint(list(0), 1), early);
    refused(() => index.writeIndexSync('x'), 'Search index is not constructed.');
    refused(() => index.readIndexSync('/nowhere'), 'Hnswlib Error: failed to open file: /nowhere');
    assert.deepEqual([index.getMaxElements(), index.getCurrentCount(), index.getNumDimensions()],
      [0, 0, DIM]);
    index.initIndex(2);
    refused(() => index.addPoint(rows, 0), 'Invalid the first argument type, must be an Array.',
      TypeError);
    refused(() => index.addPoint([1], 0), 'Invalid the given array length (expected 8, but got 1).');
    refused(() => index.searchKnn(list(0), 1, 'f'),
      'Invalid the third argument type, must be a function.', TypeError);
    refused(() => index.searchKnn(list(0), 3), 'Invalid the number of k-nearest neighbors (cannot be ' +
      'given a value greater than `maxElements`: 2).');
    assert.throws(() => index.addPoint(Array(DIM).fill(NaN), 0), /^Error: Hnswlib Error: .*NaN/);
    assert.equal(index.getCurrentCount(), 0);
  }
  assert.throws(() => filled(BruteforceSearch).searchKnn(list(0), 0), /must be a positive number/);
  const index = new HierarchicalNSW('l2', DIM);
  assert.throws(() => index.initIndex({ m: 4 }), /Missing named argument `maxElements`/);
  assert.throws(() => index.initIndex({ maxElements: 4, m: '4' }), /named argument type `m`/);
  assert.throws(() => index.initIndex(4, 16, 200, 100, 1), /fifth argument type, must be a boolean/);
});

test('spaces', () => {
  const [a, b] = [[1, 2, 3], [3, 4, 6]];
  assert.equal(new L2Space(3).distance(a, b), 17);
  assert.equal(new InnerProductSpace(3).distance(a, b), -28);
  assert.equal(new L2Space(3).getNumDimensions(), 3);
  assert.throws(() => new L2Space(3).distance(a, [1]), /second array length \(expected 3, but got 1/);
});

for (const Kind of KINDS) {
  test(`${Kind.name}: answers`, () => {
    const index = filled(Kind);
    index.setEf?.(200);
    for (const i of [0, 7, 499]) {
      const { neighbors, distances } = index.searchKnn(list(i), 5);
      assert.deepEqual(neighbors, nearest(rows, DIM, row(rows, DIM, i), 5).map((key) => 3 * key));
      assert.equal(distances[0], 0);
      assert.ok(Array.isArray(distances) && Array.isArray(neighbors));
    }
    const even = index.searchKnn(list(7), 5, (label) => label % 2 === 0).neighbors;
    assert.deepEqual(even, nearest(rows, DIM, row(rows, DIM, 7), 5, (i) => i % 2 === 0)
      .map((key) => 3 * key));
    index.addPoint(list(9), 0); // a known label gets another vector
    assert.deepEqual(index.searchKnn(list(9), 2).neighbors.sort((a, b) => a - b), [0, 27]);
    assert.throws(() => index.addPoint(list(9), 1), /^Error: Hnswlib Error: The number of elements/);
    const cosine = filled(Kind, 'cosine', 50);
    const [distance] = cosine.searchKnn(list(4).map((x) => 5 * x), 1).distances;
    assert.ok(Math.abs(distance) < 1e-6);
  });
}

test('deleted elements', () => {
  const index = new HierarchicalNSW('l2', DIM);
  index.initIndex({ maxElements: 10, m: 4, efConstruction: 20, randomSeed: 7,
    allowReplaceDeleted: true });
  for (let i = 0; i < 10; i++) index.addPoint(list(i), i);
  index.markDelete(3);
  assert.throws(() => index.markDelete(3), /already deleted/);
  assert.throws(() => index.markDelete(99), /Label not found/);
  assert.throws(() => index.unmarkDelete(4), /not deleted/);
  assert.throws(() => index.getPoint(3), /Hnswlib Error: Label not found/);
  assert.ok(!index.searchKnn(list(3), 10).neighbors.includes(3));
  assert.deepEqual(index.getIdsList().sort((a, b) => a - b), range(10));
  assert.throws(() => index.addPoint(list(3), 3), /Can't use addPoint to update a deleted element/);
  assert.throws(() => index.addPoint(list(20), 20), /exceeds the specified limit/);
  index.addPoint(list(20), 20, true);
  assert.equal(index.getCurrentCount(), 10);
  assert.throws(() => index.unmarkDelete(3), /Label not found/);
  assert.deepEqual(index.getPoint(20), list(20));
  index.resizeIndex(12);
  index.addPoint(list(21), 21);
  assert.throws(() => index.resizeIndex(5), /Cannot resize/);
  const plain = filled(HierarchicalNSW, 'l2', 10);
  assert.throws(() => plain.addPoint(list(1), 99, true), /Replacement of deleted elements is disabled/);
  plain.markDelete(3);
  plain.addPoint(list(11), 3); // comes back
  assert.deepEqual(plain.getPoint(3), list(11));
});

for (const Kind of KINDS) {
  test(`${Kind.name}: files`, async () => {
    const path = join(folder, Kind.name);
    for (const space of ['l2', 'cosine']) {
      const index = filled(Kind, space, 300);
      index.markDelete?.(6);
      index.removePoint?.(6);
      assert.equal(await index.writeIndex(path), true);
      const file = readFileSync(path);
      const again = new Kind(space, DIM);
      again.readIndexSync(path);
      const other = new Kind(space, DIM);
      assert.equal(await other.readIndex(path), true);
      for (const read of [again, other]) {
        assert.equal(read.getMaxElements(), COUNT);
        assert.equal(read.getCurrentCount(), index.getCurrentCount());
        for (const i of [2, 100, 299]) {
          assert.deepEqual(read.searchKnn(list(i), 8), index.searchKnn(list(i), 8));
        }
        read.writeIndexSync(path);
        same(readFileSync(path), file);
        if (Kind === HierarchicalNSW) {
          read.unmarkDelete(6);
          assert.equal(read.searchKnn(list(2), 1).neighbors[0], 6);
        }
        read.addPoint(list(301), 5000);
        assert.equal(read.searchKnn(list(301), 1).neighbors[0], 5000);
      }
      assert.throws(() => new Kind(space, DIM + 1).readIndexSync(path), /corrupted or unsupported/);
      writeFileSync(path, file.subarray(0, 90));
      assert.throws(() => again.readIndexSync(path), /corrupted or unsupported/);
      await assert.rejects(again.readIndex(path), /corrupted or unsupported/);
      await assert.rejects(again.readIndex(join(folder, 'gone')), /failed to open file: /);
      assert.equal(again.searchKnn(list(301), 1).neighbors[0], 5000, 'it is as it was');
    }
  });
}

test('CommonJS has the same classes, by the names of hnswlib-node', () => {
  const all = createRequire(import.meta.url)('nigh/hnswlib');
  assert.deepEqual(Object.keys(all).sort(),
    ['BruteforceSearch', 'HierarchicalNSW', 'InnerProductSpace', 'L2Space']);
});
