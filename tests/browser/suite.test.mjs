// suite.test.mjs - the tests of the package in Chromium: in a page and in a module worker
// SPDX-License-Identifier: MIT OR Apache-2.0
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { launch, STRICT } from './lib/browser.mjs';
import { PACKAGE, ROOT } from './lib/tools.mjs';

const TESTS = join(PACKAGE, 'test');
const HERE = join(import.meta.dirname, 'here');
/** Files and processes; whatever else is in bindings/js/test has to run in browsers, too. */
const NODE_ONLY = ['files', 'hnswlib', 'readme', 'storage-node', 'storage-vectors', 'worker-node'];
/** Long, and the same wherever it runs: not in the page, too. */
const ONCE = ['storage-fault'];
/** Run on the module without SIMD128 as well. */
const PLAIN = ['golden', 'index'];
const NOT_HERE = ['the memory of indexes that are forgotten or disposed of comes back'];
const ENV = { NIGH_GOLDEN: '/golden', NIGH_DATA: '/data' };
const MOUNTS = { '/src': join(PACKAGE, 'src'), '/dist': join(PACKAGE, 'dist'),
  '/data': join(ROOT, 'tests', 'data') };

const only = process.env.NIGH_ONLY?.split(',');
const named = (folder) => readdirSync(folder).filter((file) => file.endsWith('.test.mjs'))
  .map((file) => ({ name: file.replace('.test.mjs', ''), file: join(folder, file) }))
  .filter(({ name }) => !only || only.includes(name));
const shared = named(TESTS).filter(({ name }) => !NODE_ONLY.includes(name));
const here = named(HERE);

// A page with no more rights than it needs, and a worker that has SharedArrayBuffer.
const RUNS = [{ where: 'page', options: { csp: STRICT },
  files: [...shared.filter(({ name }) => !ONCE.includes(name)), ...here] },
  { where: 'worker', options: { isolated: true }, files: [...shared, ...here] },
  { where: 'worker', options: {}, plain: true, files: shared.filter(({ name }) => PLAIN.includes(name)) }];

const skipped = new Set();
for (const { where, options, plain = false, files } of RUNS) {
  const browser = await launch({ mounts: MOUNTS, ...options });
  try {
    for (const { name, file } of files) {
      const title = `${where}${plain ? ', plain' : ''}: ${name}`;
      const results = await browser.inside(where, file, { plain, env: ENV })
        .catch((error) => [{ name: 'runs', error: error.stack }]);
      test(`${title} has tests`, () => assert.ok(results.length > 0));
      for (const result of results) {
        if (result.skipped) skipped.add(result.name);
        else test(`${title}: ${result.name}`, () => { if (result.error) throw new Error(result.error); });
      }
      const ms = results.reduce((sum, result) => sum + result.ms, 0);
      console.log(`${title}: ${results.length} tests, ${ms.toFixed(0)} ms`);
    }
    const { errors } = browser;
    test(`${where}: no error on the console`, () => assert.deepEqual(errors, []));
  } finally {
    await browser.close();
  }
}

after(() => { if (skipped.size > 0) console.log(`not in browsers: ${[...skipped].join('; ')}`); });
test('what is left out is what is known to be', () => {
  assert.deepEqual([...skipped].filter((name) => !NOT_HERE.includes(name)), []);
});
