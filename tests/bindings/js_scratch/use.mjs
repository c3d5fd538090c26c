// use.mjs - the package as an ECMAScript module of Node sees it; test_js.py runs it far from here
// SPDX-License-Identifier: MIT OR Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as nigh from 'nigh';
import * as slim from 'nigh/slim';
import { open, save } from 'nigh/node';
import { HierarchicalNSW } from 'nigh/hnswlib';
import { Index as Remote, NighError } from 'nigh/worker';

assert.deepEqual(Object.keys(nigh).filter((name) => !name.startsWith('_')).sort(),
  ['Allowed', 'Index', 'NighError', 'about', 'load']);
assert.equal(slim.Index, nigh.Index);
const began = performance.now();
const index = await nigh.Index.create({ dim: 2 });
const loaded = performance.now() - began;
index.add([1, 2], [[0, 1], [1, 0]]);
await save(index, 'a.nigh');
assert.equal((await open('a.nigh')).search([1, 0])[0].key, 2);
assert.throws(() => index.check(), { code: 'NIGH_E_UNSUPPORTED', message: /await load\('full'\)/ });
const full = await import('nigh/full');
await full.load();
assert.equal(full.Index, nigh.Index);
assert.equal(index.check().status, 0);
const graph = new HierarchicalNSW('l2', 2);
graph.initIndex(3);
graph.addPoint([1, 2], 7);
assert.deepEqual(graph.searchKnn([1, 2], 1), { distances: [0], neighbors: [7] });
const remote = await Remote.create({ dim: 2 });
await remote.build([1, 2], [[0, 1], [1, 0]]);
assert.equal((await remote.search([1, 0]))[0].key, 2);
await assert.rejects(remote.add(1, [0, 1]), nigh.NighError);
assert.equal(NighError, nigh.NighError);
for (const name of ['nigh/nigh.wasm', 'nigh/nigh-mt.wasm', 'nigh/nigh-plain.wasm',
  'nigh/nigh-small.wasm']) {
  const bytes = readFileSync(fileURLToPath(import.meta.resolve(name)));
  await nigh.load(new WebAssembly.Module(bytes));
}
assert.equal((await import('nigh/package.json', { with: { type: 'json' } })).default.name, 'nigh');
const times = Array.from({ length: 50 }, () => {
  const start = performance.now();
  nigh.Index.createSync({ dim: 384 });
  return performance.now() - start;
}).sort((a, b) => a - b);
console.log(`loaded and made in ${loaded.toFixed(1)} ms, another index in ${times[25].toFixed(2)} ms`);
