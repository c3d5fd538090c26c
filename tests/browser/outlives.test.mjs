// outlives.test.mjs - what is there again when a tab, or Chromium, has ended in whatever way
// SPDX-License-Identifier: MIT OR Apache-2.0
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch } from './lib/browser.mjs';

let browser;
before(async () => { browser = await launch(); });
after(() => browser?.close());

/** Builds an index and writes it into the origin's private files; how many bytes. */
const write = async () => {
  const { Index } = await import('/nigh/dist/index.js');
  const index = await Index.create({ dim: 2, keys: 'string' });
  index.add(['north', 'east'], [[0, 1], [1, 0]]);
  const root = await navigator.storage.getDirectory();
  const handle = await root.getFileHandle('an index', { create: true });
  const stream = await handle.createWritable();
  await stream.write(index.save());
  await stream.close();
  return (await handle.getFile()).size;
};

/** Opens it by its handle. */
const read = async () => {
  const { Index } = await import('/nigh/dist/index.js');
  const handle = await (await navigator.storage.getDirectory()).getFileHandle('an index');
  return (await Index.open(handle)).search([0.9, 0.1], { k: 1 })[0].key;
};

test('an index in OPFS: reload, another tab, Chromium closed, Chromium killed', async () => {
  let page = await browser.page();
  assert.ok(await page.evaluate(write) > 1000);
  assert.equal(await page.evaluate(read), 'east');
  await page.reload();
  assert.equal(await page.evaluate(read), 'east');
  assert.equal(await (await browser.page()).evaluate(read), 'east');
  await browser.relaunch();
  page = await browser.page();
  assert.equal(await page.evaluate(read), 'east');
  const { pid } = browser;
  const never = page.evaluate(() => new Promise(() => {})).catch((error) => error);
  await browser.kill();
  assert.ok(await never instanceof Error);
  assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
  await browser.relaunch();
  assert.equal(await (await browser.page()).evaluate(read), 'east');
  assert.deepEqual(browser.errors, []);
});
