// use.cjs - the package as a CommonJS module of Node sees it; test_js.py runs it far from here
// SPDX-License-Identifier: MIT OR Apache-2.0
const assert = require('node:assert/strict');
const { Index, NighError } = require('nigh');
const slim = require(process.argv[2] ? `nigh/${process.argv[2]}` : 'nigh');
const { open, save } = require('nigh/node');
const { BruteforceSearch } = require('nigh/hnswlib');
const remote = require('nigh/worker');

assert.equal(slim.Index, Index);
(async () => {
  const index = await slim.Index.create({ dim: 2, keys: 'string' });
  index.add('a', [0, 1]);
  assert.throws(() => index.add('a', [0, 1]), NighError);
  await save(index, 'b.nigh');
  assert.equal((await open('b.nigh')).search([0, 1])[0].key, 'a');
  await index.build(['b'], [[1, 0]]); // with what is loaded for it
  assert.equal(index.check().status, 0);
  const there = await remote.Index.create({ dim: 2, keys: 'string' });
  await there.add('a', [0, 1]);
  assert.equal((await there.search([0, 1]))[0].key, 'a');
  const all = new BruteforceSearch('ip', 2);
  all.initIndex(3);
  all.addPoint([1, 2], 7);
  assert.deepEqual(all.searchKnn([1, 2], 1).neighbors, [7]);
})().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
