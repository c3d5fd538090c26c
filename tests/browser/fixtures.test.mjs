// fixtures.test.mjs - the packed tarball with bundlers; what they make answers in Chromium
// SPDX-License-Identifier: MIT OR Apache-2.0
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { launch, STRICT, within } from './lib/browser.mjs';
import { project, run, sizes } from './lib/fixtures.mjs';
import { GOLDEN, PACKAGE } from './lib/tools.mjs';

const { Index } = await import(pathToFileURL(join(PACKAGE, 'dist', 'index.js')).href);
const FIXTURES = join(import.meta.dirname, 'fixtures');
const MS_MAX = 60_000;
const { cases } = JSON.parse(readFileSync(join(GOLDEN, 'words.json'), 'utf8'));
const WORDS = cases.find(({ name }) => name === 'words');
const EXPECTED = WORDS.searches.find(({ ef }) => ef === 64).answers
  .map((hits) => hits.map(([key, bits]) => [key, bits]));
const script = (src, type) => ({ body: `<!doctype html><html lang="en"><meta charset="utf-8">` +
  `<title>nigh</title><script ${type ? `type="${type}"` : 'defer'} src="${src}"></script></html>` });

let made;
let browser;
before(async () => {
  assert.ok(process.env.NIGH_TARBALL, 'test_browser.py packs it');
  made = project(process.env.NIGH_TARBALL);
  browser = await launch({ csp: STRICT, isolated: true });
});
after(async () => {
  await browser?.close();
  made?.remove();
});
const tool = (folder, path, ...args) =>
  run(folder, process.execPath, join(made.modules, path), ...args);

/** What a page of the fixtures answers is what the command said, every bit of it. */
async function answersRight(url) {
  browser.errors.length = 0;
  const page = await browser.page(url);
  await page.waitForFunction(() => globalThis.answer);
  assert.deepEqual(await within(MS_MAX, url, page.evaluate(() => globalThis.answer)), EXPECTED);
  if (url.includes('hosted')) {
    const built = await within(MS_MAX, url, page.evaluate(() => globalThis.built));
    assert.deepEqual(built, { threads: 2, key: 100 });
  }
  assert.deepEqual(browser.errors, []);
  await page.close();
}

/** Serves what was built at /NAME; what has to be there, and the size of what is largest. */
function serveBuilt(name, folder) {
  browser.server.mounts[`/${name}`] = folder;
  const files = sizes(folder);
  const scripts = files.filter(({ name: file }) => /\.m?js$/.test(file));
  for (const { name: file, bytes, gzip } of files.filter(({ bytes: size }) => size > 4000)) {
    console.log(`${name}: ${file} ${bytes} bytes, ${gzip} with gzip`);
  }
  assert.ok(scripts.length > 0);
  return files.map(({ name: file }) => file);
}

test('Vite', async (t) => {
  const folder = made.take('vite');
  tool(folder, 'vite/bin/vite.js', 'build', '--base', '/vite/', '--logLevel', 'warn');
  const files = serveBuilt('vite', join(folder, 'dist'));
  assert.ok(files.some((file) => /^nigh-.*\.wasm$/.test(file)), `the module is a file: ${files}`);
  for (const name of ['full', 'slim', 'in-worker', 'hosted']) {
    await t.test(name, () => answersRight(`/vite/${name}.html`));
  }
});

test('webpack', async (t) => {
  const folder = made.take('webpack');
  tool(folder, 'webpack-cli/bin/cli.js', 'build');
  const files = serveBuilt('webpack', join(folder, 'dist'));
  assert.ok(files.some((file) => file.endsWith('.wasm')), `the module is a file: ${files}`);
  for (const name of ['full', 'slim', 'in-worker', 'hosted']) {
    browser.server.mounts[`/webpack/${name}.html`] = script(`/webpack/${name}.js`);
    await t.test(name, () => answersRight(`/webpack/${name}.html`));
  }
});

test('Rollup', async () => {
  const folder = made.take('rollup');
  tool(folder, 'rollup/dist/bin/rollup', '-c', '--failAfterWarnings');
  serveBuilt('rollup', join(folder, 'dist'));
  browser.server.mounts['/rollup/full.html'] = script('/rollup/full.js', 'module');
  await answersRight('/rollup/full.html');
});

test('esbuild', async (t) => {
  const folder = made.take('esbuild');
  tool(folder, 'esbuild/bin/esbuild', 'full.js', 'slim.js', '--bundle', '--minify', '--splitting',
    '--format=esm', '--outdir=dist', '--loader:.wasm=file');
  serveBuilt('esbuild', join(folder, 'dist'));
  for (const name of ['full', 'slim']) {
    browser.server.mounts[`/esbuild/${name}.html`] = script(`/esbuild/${name}.js`, 'module');
    await t.test(name, () => answersRight(`/esbuild/${name}.html`));
  }
});

test('Vite, its server for development', async (t) => {
  const folder = made.take('vite');
  const vite = pathToFileURL(join(made.modules, 'vite', 'dist', 'node', 'index.js'));
  const { createServer } = await import(vite.href);
  const server = await createServer({ root: folder, logLevel: 'error',
    server: { port: 0, proxy: { '/golden': browser.origin }, headers: {
      'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' } } });
  await server.listen();
  try {
    const { local: [origin] } = server.resolvedUrls;
    for (const name of ['full', 'slim', 'in-worker', 'hosted']) {
      await t.test(name, () => answersRight(`${origin}${name}.html`));
    }
  } finally {
    await server.close();
  }
});

test('no bundler: the files as they are', async () => {
  const { mounts } = browser.server;
  for (const [entry, name] of [['index', 'full'], ['slim', 'slim'], ['worker', 'hosted']]) {
    const text = readFileSync(join(FIXTURES, 'common', `${name}.js`), 'utf8');
    mounts[`/plain/${name}.js`] = { body: Buffer.from(
      text.replace(/'nigh[/\w]*'/, `'/nigh/dist/${entry}.js'`)) };
    mounts['/plain/app.js'] = { body: readFileSync(join(FIXTURES, 'common', 'app.js')) };
    mounts[`/plain/${name}.html`] = script(`/plain/${name}.js`, 'module');
    await answersRight(`/plain/${name}.html`);
  }
});

/** Asks the service worker for the neighbours of each word. */
async function askWorker(page, words) {
  return page.evaluate((list) => Promise.all(list.map(async (word) =>
    (await fetch(`/search?word=${word}&k=4`)).json())), words);
}

/** Registers, asks, and asks again when Chromium was started anew and the file is gone. */
async function serviceWorker(text, type) {
  const alone = await launch({ csp: STRICT });
  alone.server.mounts['/sw.js'] = { body: Buffer.from(text) };
  try {
    let page = await alone.page();
    await page.evaluate(async (how) => {
      const controlled = new Promise((resolve) => {
        navigator.serviceWorker.oncontrollerchange = resolve;
      });
      await navigator.serviceWorker.register('/sw.js', how);
      await controlled;
    }, { type });
    const index = await Index.open(readFileSync(join(GOLDEN, 'words.nigh')));
    const words = ['paris', 'music', 'seven'];
    const expected = words.map((word) => index.search(index.get(word), { k: 4, ef: 64 }));
    assert.deepEqual(await askWorker(page, words), expected);
    alone.server.mounts['/golden'] = { body: '' };
    await alone.relaunch();
    page = await alone.page();
    assert.deepEqual(await askWorker(page, words), expected, 'from its cache');
    assert.deepEqual(alone.errors, []);
  } finally {
    await alone.close();
  }
}

test('service worker, built by esbuild', async () => {
  const folder = made.take('service-worker');
  tool(folder, 'esbuild/bin/esbuild', 'worker.js', '--bundle', '--minify', '--outfile=sw.js');
  await serviceWorker(readFileSync(join(folder, 'sw.js'), 'utf8'), 'classic');
});

test('service worker, a module that imports the files as they are', async () => {
  const text = readFileSync(join(FIXTURES, 'service-worker', 'worker.js'), 'utf8');
  await serviceWorker(text.replace("from 'nigh'", "from '/nigh/dist/index.js'"), 'module');
});

test('recipes of the README are lines of the fixtures', () => {
  const lines = new Set(readdirSync(FIXTURES, { recursive: true }).filter((file) => file.endsWith('.js'))
    .flatMap((file) => readFileSync(join(FIXTURES, file), 'utf8').split('\n')).map((line) => line.trim()));
  const text = readFileSync(join(PACKAGE, 'README.md'), 'utf8');
  const recipes = [...text.matchAll(/^```javascript\n(.*?)^```/gms)].map(([, code]) => code);
  assert.ok(recipes.length >= 3);
  assert.deepEqual(recipes.flatMap((code) => code.split('\n')).map((line) => line.trim())
    .filter((line) => !lines.has(line)), []);
});
