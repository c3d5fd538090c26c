// page.test.mjs - examples/browser as a visitor has it: typed, added to, closed, without a network
// SPDX-License-Identifier: MIT OR Apache-2.0
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { launch } from './lib/browser.mjs';
import { COMMAND, esbuild, PACKAGE, ROOT, TOOLS } from './lib/tools.mjs';

const OUT = join(ROOT, 'build', 'browser', 'page');
const PYTHON = join(ROOT, '.cache', 'venv', 'bin', 'python');
const COUNT = 4000; // of 28,000 definitions: embedding them is what takes time
const AXE = readFileSync(createRequire(join(TOOLS, 'x')).resolve('axe-core/axe.min.js'), 'utf8');
const OWN = 'The spare key lies under the third flowerpot';
const MS = /^\d+(\.\d)? ms$/;

let browser;
let page;
let manifest;
const content = (stem) =>
  gunzipSync(readFileSync(join(OUT, 'data', manifest.files[stem].file))).toString();

before(async () => {
  execFileSync('python3', [join(ROOT, 'tools', 'page.py'), '--out', OUT, '--count', `${COUNT}`,
    '--package', PACKAGE, '--nigh', COMMAND], { stdio: ['ignore', 'pipe', 'pipe'] });
  manifest = JSON.parse(readFileSync(join(OUT, 'data', 'manifest.json'), 'utf8'));
  browser = await launch({ mounts: { '/a/page': join(OUT, 'site') } });
  page = await visit('/a/page/');
});
after(() => browser?.close());

/** A tab; a machine that does much else has time. */
async function visit(path) {
  const tab = await browser.page(path);
  tab.setDefaultTimeout(90_000);
  return tab;
}

// ---- What the tests say of the page ----------------------------------------------------------------

/** 'network' or 'device': where the index came from. */
async function opened(tab = page) {
  await tab.waitForFunction(() => document.documentElement.dataset.ready ||
    !document.getElementById('failed').hidden, undefined, { timeout: 120_000 });
  assert.equal(await tab.textContent('#failed-text'), '');
  return tab.evaluate(() => document.documentElement.dataset.ready);
}

const answered = (text, tab = page) => tab.waitForFunction((all) =>
  document.getElementById('hits').dataset.query === all, text);

/** What the page finds for a text: [{ word, text }]. */
async function found(text, tab = page) {
  await tab.fill('#query', text);
  await answered(text, tab);
  return tab.$$eval('#hits li', (items) => items.map((item) => ({
    word: item.querySelector('.word')?.textContent ?? '', text: item.querySelector('.text').textContent })));
}

const words = async (text) => (await found(text)).map(({ word }) => word);
const cost = () => page.$$eval('#cost dd', (values) => values.map(({ textContent }) => textContent));
const shows = (id, text, tab = page) => tab.waitForFunction(([where, what]) =>
  document.getElementById(where).textContent.includes(what), [id, text]);

async function accessible(tab = page) {
  await tab.evaluate(AXE);
  const { violations, passes } = await tab.evaluate(() => globalThis.axe.run());
  assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html)}`), []);
  assert.ok(passes.length > 20);
}

async function shot(name) {
  const { height } = await page.evaluate(() => document.documentElement.getBoundingClientRect());
  const size = page.viewportSize();
  await page.setViewportSize({ width: size.width, height: Math.ceil(height) });
  await browser.shot(page, name);
  await page.setViewportSize(size);
}

async function reload() {
  await page.reload();
  return opened();
}

// ---- Tests ---------------------------------------------------------------------------------------

test('texts become the pieces that the model was trained with', async () => {
  const { outputFiles: [{ text }] } = esbuild.buildSync({ bundle: true, write: false, format: 'esm',
    entryPoints: [join(ROOT, 'examples', 'browser', 'src', 'pieces.ts')] });
  const { Pieces } = await import(`data:text/javascript,${encodeURIComponent(text)}`);
  const pieces = new Pieces(content('pieces'));
  const wanted = JSON.parse(execFileSync(PYTHON, [join(import.meta.dirname, 'pieces.py'),
    join(OUT, 'data')], { maxBuffer: 1 << 28 }));
  assert.ok(wanted.length > COUNT);
  for (const [given, ids] of wanted) assert.deepEqual(pieces.of(given, 64), ids, JSON.stringify(given));
});

test('the first visit: everything from the network, and how far it is', async () => {
  assert.equal(await opened(), 'network');
  await shows('saved-text', `Saved: ${COUNT.toLocaleString('en')} entries`);
  await shows('offline-text', 'Works without a network');
  assert.equal(await page.getAttribute('#saved', 'data-state'), 'good');
  const together = await page.textContent('#sizes tr:last-child td');
  const bytes = Object.values(manifest.files).reduce((sum, file) => sum + file.bytes, 0);
  assert.equal(together, `${(bytes / 1e6).toFixed(1)} MB`);
});

test('as one types: the word for what is meant, and what finding it has cost', async () => {
  await page.locator('#query').pressSequentially('a small house in the woods', { delay: 15 });
  await answered('a small house in the woods');
  await shows('spoken', '12 results for a small house in the woods: ');
  const [embedding, search, compared] = await cost();
  assert.match(embedding, MS);
  assert.match(search, MS);
  const [, some] = /^([\d,]+) of 4,000$/.exec(compared) ?? assert.fail(compared);
  assert.ok(Number(some.replace(',', '')) < COUNT / 2, 'it compares with most of them');
  console.log(`embedding ${embedding}, search ${search}, compared ${compared}`);
  assert.equal((await words('a place to keep books'))[0], 'library');
  assert.equal((await words("love of one's country"))[0], 'patriotism');
  assert.equal((await words('a doctor for children'))[0], 'doctor');
  assert.ok((await words('to speak very quietly')).slice(0, 3).includes('whisper'));
});

test('definitions find themselves', async () => {
  const lines = content('words').split('\n').slice(0, -1);
  for (let i = 7; i < lines.length; i += 199) {
    const [word, , text] = lines[i].split('\t');
    assert.equal((await found(text))[0].text, text, word);
  }
});

test('only the answer to what stands there is shown', async () => {
  const right = await found('a large body of salt water');
  const typed = await page.evaluate(async () => {
    const [query, hits] = ['query', 'hits'].map((id) => document.getElementById(id));
    const late = [];
    const watch = new MutationObserver(() => {
      if (hits.dataset.query !== query.value) late.push(hits.dataset.query);
    });
    watch.observe(hits, { attributes: true, attributeFilter: ['data-query'] });
    for (let i = 0; i < 30; i++) {
      query.value = `something else ${i}`;
      query.dispatchEvent(new Event('input'));
      await new Promise((resolve) => { setTimeout(resolve, 5); });
    }
    await new Promise((resolve) => { setTimeout(resolve, 500); });
    watch.disconnect();
    return late;
  });
  assert.deepEqual(typed, []);
  assert.deepEqual(await found('a large body of salt water'), right);
  await page.fill('#query', '');
  await page.waitForTimeout(300);
  assert.equal(await page.locator('#hits li').count(), 0);
  assert.ok(await page.isVisible('#nothing'));
});

test('with keys alone', async () => {
  await page.locator('#forget').focus();
  await page.keyboard.press('/');
  const focused = () => page.evaluate(() => document.activeElement.id ||
    document.activeElement.querySelector('.word')?.textContent);
  assert.equal(await focused(), 'query');
  const [first, second] = await found('a building where people live');
  await page.keyboard.press('ArrowDown');
  assert.equal(await focused(), first.word);
  await page.keyboard.press('ArrowDown');
  assert.equal(await focused(), second.word);
  await page.keyboard.press('Enter');
  assert.equal(await page.inputValue('#query'), second.text);
  await answered(second.text);
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowUp');
  assert.equal(await focused(), 'query');
  await page.keyboard.press('Escape');
  assert.equal(await page.inputValue('#query'), '');
});

test('a sentence of one\'s own is found by what it means', async () => {
  await page.fill('#sentence', OWN);
  await page.keyboard.press('Enter');
  await shows('own', OWN);
  await shows('own-said', 'Embedded, indexed and saved in');
  await shows('saved-text', `Saved: ${(COUNT + 1).toLocaleString('en')} entries`);
  assert.equal((await found('where did I put the key to the house?'))[0].text, OWN);
  assert.equal(await page.locator('#hits li:first-child .yours').count(), 1);
});

for (const scheme of ['light', 'dark']) {
  test(`${scheme}: nothing that axe finds fault with; a picture is kept`, async () => {
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
    await found('where did I put the key to the house?');
    await accessible();
    await page.fill('#query', '');
    await accessible();
    await found("love of one's country");
    await shot(`page-${scheme}`);
  });
}

test('on a telephone nothing is cut off', async () => {
  const size = page.viewportSize();
  await page.setViewportSize({ width: 360, height: 740 });
  await accessible();
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
  await shot('page-telephone');
  await page.setViewportSize(size);
});

test('another tab reads what this one saves, and takes over when it is closed', async () => {
  const tab = await visit('/a/page/');
  assert.equal(await opened(tab), 'device');
  await shows('saved-text', 'open in another tab', tab);
  await shows('own', OWN, tab);
  assert.ok(await tab.isDisabled('#add button'));
  await page.fill('#sentence', 'The train to the coast leaves at seven');
  await page.keyboard.press('Enter');
  await shows('own', 'The train to the coast', tab);
  assert.equal((await found('when does the train leave?', tab))[0].text,
    'The train to the coast leaves at seven');
  await page.close();
  page = tab;
  await shows('saved-text', `Saved: ${(COUNT + 2).toLocaleString('en')} entries`);
  assert.ok(await page.isEnabled('#add button'));
});

test('without a network: from this device, with what was added', async () => {
  await browser.context.setOffline(true);
  const { length } = browser.server.requests;
  const begin = performance.now();
  assert.equal(await reload(), 'device');
  console.log(`opened without a network in ${(performance.now() - begin).toFixed(0)} ms`);
  await shows('own', OWN);
  assert.equal((await found('where did I put the key to the house?'))[0].text, OWN);
  assert.equal((await words('a place to keep books'))[0], 'library');
  const asked = browser.server.requests.slice(length).map(({ path }) => path);
  assert.deepEqual(asked.filter((path) => !path.endsWith('/sw.js')), []); // Chromium looks for updates
});

test('killed right after a sentence was added: it is there', async () => {
  await page.fill('#sentence', 'Rent is due on the first of the month');
  await page.keyboard.press('Enter');
  await shows('own', 'Rent is due');
  await browser.kill();
  await browser.relaunch();
  page = await visit('/a/page/');
  assert.equal(await opened(), 'device');
  assert.equal((await found('when do I have to pay my landlord?'))[0].text,
    'Rent is due on the first of the month');
});

test('a sentence that was written, but not indexed, when the tab was closed: it is indexed', async () => {
  await page.evaluate(async () => {
    const root = await navigator.storage.getDirectory();
    const folder = await root.getDirectoryHandle('nigh-example');
    const file = await folder.getFileHandle('sentences.json');
    const all = JSON.parse(await (await file.getFile()).text());
    const out = await file.createWritable();
    await out.write(JSON.stringify([...all, { text: 'The plumber comes on Friday' }]));
    await out.close();
  });
  assert.equal(await reload(), 'device');
  await shows('own', 'The plumber comes on Friday');
  assert.equal((await found('who is coming to repair the pipes?'))[0].text, 'The plumber comes on Friday');
});

test('what is taken back stays away', async () => {
  await page.click(`#own li:has-text("${OWN}") button`);
  await page.waitForFunction((text) => !document.getElementById('own').textContent.includes(text), OWN);
  assert.equal(await reload(), 'device');
  await shows('own', 'Rent is due');
  assert.ok((await found(OWN)).every(({ text }) => text !== OWN));
});

test('a file that does not arrive: said, and how to go on', async () => {
  const path = `/b/${manifest.files.model.file}`;
  Object.assign(browser.server.mounts, { '/b': join(OUT, 'site'), [path]: { body: Buffer.from('?') } });
  const tab = await visit('/b/');
  await shows('failed-text', 'did not arrive whole', tab);
  assert.ok(await tab.isVisible('#failed'));
  await accessible(tab);
  delete browser.server.mounts[path];
  await Promise.all([tab.waitForEvent('load'), tab.click('#again')]);
  assert.equal(await opened(tab), 'device');
  await tab.close();
});

test('everything can be removed from the device', async () => {
  page.once('dialog', (dialog) => dialog.accept());
  await page.click('#forget');
  await shows('saved-text', 'Removed');
  assert.deepEqual(await page.evaluate(() => caches.keys()), []);
  assert.deepEqual(await page.evaluate(async () =>
    Array.fromAsync((await navigator.storage.getDirectory()).keys())), []);
  assert.equal(await reload(), 'network');
});

test('no error on the console', () => { assert.deepEqual(browser.errors, []); });
