// storage.test.mjs - stores in real OPFS and IndexedDB: reload, other tabs, quota, SIGKILL
// SPDX-License-Identifier: MIT OR Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { launch } from './lib/browser.mjs';
import { GOLDEN, PACKAGE } from './lib/tools.mjs';

const DIM = 16;
const KILLS = 5;
const folder = mkdtempSync(join(tmpdir(), 'nigh-browser-store-'));
const browser = await launch({ mounts: { '/pages': join(import.meta.dirname, 'pages') } });
after(async () => {
  await browser.close();
  rmSync(folder, { recursive: true });
});

/** A tab whose worker, or which itself, has a store. */
async function tab(where) {
  const page = await browser.page();
  await page.evaluate(async (inWorker) => {
    const told = [];
    let call;
    if (inWorker) {
      const worker = new Worker('/pages/storage.mjs', { type: 'module' });
      const answers = new Map();
      let id = 0;
      await new Promise((ready) => {
        worker.onmessage = ({ data }) => {
          if (data.ready) ready();
          else if ('told' in data) told.push(data.told);
          else answers.get(data.id)(data);
        };
      });
      call = (command, options) => new Promise((resolve) => {
        answers.set(++id, resolve);
        worker.postMessage({ id, command, options });
      });
    } else {
      const { call: here } = await import('/pages/storage.mjs');
      call = (command, options) => here(command, options, (value) => told.push(value));
    }
    globalThis.nigh = { call, told };
  }, where === 'worker');
  const call = async (command, options = {}) => {
    const { value, error } = await page.evaluate(([name, o]) => globalThis.nigh.call(name, o),
      [command, options]);
    if (error) throw Object.assign(new Error(error.message), { code: error.code });
    return value;
  };
  return { page, call };
}

const until = async (what, holds) => {
  for (let i = 0; i < 400; i++) {
    if (await holds()) return;
    await new Promise((go) => { setTimeout(go, 25); });
  }
  throw new Error(`never: ${what}`);
};
const HOW = [['opfs', 'worker'], ['idb', 'page'], ['idb', 'worker']];
const create = { dim: DIM, blockBytes: 4096 };

for (const [kind, where] of HOW) {
  const title = `${kind} in a ${where}`;
  const name = `${kind}-${where}`;

  test(`${title}: commits write what changed, reload and restart find it`, async () => {
    let { page, call } = await tab(where);
    await assert.rejects(call('open', { kind, name }), { code: 'NIGH_E_NOT_FOUND' });
    await call('open', { kind, name, create });
    await call('add', { name, first: 0, count: 3000 });
    const all = await call('commit', { name });
    await call('add', { name, first: 3000, count: 1 });
    const some = await call('commit', { name });
    assert.ok(some.bytes * 2 < all.bytes, JSON.stringify([all, some]));
    console.log(`${title}: ${all.bytes} bytes in ${all.ms.toFixed(0)} ms, then ${some.bytes} in ` +
      `${some.ms.toFixed(1)} ms`);
    const before = await call('about', { name });
    assert.equal(before.status, 0);
    await call('add', { name, first: 3001, count: 5 }); // never committed
    await page.close();
    ({ page, call } = await tab(where));
    const again = await call('open', { kind, name, wait: true });
    assert.deepEqual([again.size, again.sha], [3001, before.sha]);
    await call('add', { name, first: 3001, count: 1 });
    await call('commit', { name });
    assert.ok((await call('list', { kind })).includes(name));
    await browser.relaunch();
    ({ page, call } = await tab(where));
    assert.equal((await call('open', { kind, name })).size, 3002);
    await assert.rejects(call('delete', { kind, name }), { code: 'NIGH_E_BUSY' });
    await call('close', { name });
    await call('delete', { kind, name });
    await assert.rejects(call('open', { kind, name }), { code: 'NIGH_E_NOT_FOUND' });
    await page.close();
  });

  test(`${title}: one owner, followers in other tabs, the next owner`, async () => {
    const one = await tab(where);
    await one.call('open', { kind, name, create });
    const two = await tab(where);
    await assert.rejects(two.call('open', { kind, name }), { code: 'NIGH_E_BUSY' });
    assert.equal((await two.call('open', { kind, name, role: 'any' })).owner, false);
    await one.call('add', { name, first: 0, count: 50 });
    await one.call('commit', { name });
    await until('word of the commit', async () => (await two.call('about', { name })).heard > 0);
    assert.equal(await two.call('refresh', { name }), true);
    assert.equal((await two.call('about', { name })).sha, (await one.call('about', { name })).sha);
    await assert.rejects(two.call('add', { name, first: 50, count: 1 }), { code: 'NIGH_E_READ_ONLY' });
    const page = await tab('page'); // a page follows what a worker owns
    assert.equal((await page.call('open', { kind, name, role: 'follower' })).size, 50);
    const owns = two.call('own', { name });
    await one.call('add', { name, first: 50, count: 10 });
    await one.call('commit', { name });
    await one.page.close();
    await owns;
    const about = await two.call('about', { name });
    assert.deepEqual([about.owner, about.size, about.status], [true, 60, 0]);
    await two.call('add', { name, first: 60, count: 10 });
    await two.call('commit', { name });
    assert.equal(await page.call('refresh', { name }), true);
    assert.equal((await page.call('about', { name })).size, 70);
    await Promise.all([two.page.close(), page.page.close()]);
  });

  test(`${title}: killed in the middle of commits, ${KILLS} times`, async () => {
    const killed = `${name}-killed`;
    const step = 25;
    let last = -1;
    const seen = [];
    for (let round = 0; round < KILLS; round++) {
      const { page, call } = await tab(where);
      const about = await call('open', { kind, name: killed, create, wait: true });
      assert.equal(about.status, 0);
      assert.equal(about.size % step, 0, `${about.size} keys`);
      assert.ok(about.size / step - 1 >= last, `${about.size} keys, commit ${last} was told`);
      await page.evaluate((o) => { globalThis.nigh.call('loop', o); }, { name: killed, step });
      await until('a commit', () => page.evaluate(() => globalThis.nigh.told.length > 0));
      await new Promise((go) => { setTimeout(go, 50 + Math.random() * 250); });
      last = await page.evaluate(() => globalThis.nigh.told.at(-1));
      await browser.kill();
      await browser.relaunch();
      seen.push(last);
    }
    const { page, call } = await tab(where);
    const about = await call('open', { kind, name: killed });
    assert.ok(about.status === 0 && about.size % step === 0 && about.size / step - 1 >= last);
    console.log(`${title}: commits told before each kill: ${seen.join(', ')}`);
    await page.close();
  });

  if (kind === 'opfs' || where === 'page') test(`${title}: a full quota is an error with a name, and room again`, async () => {
    await browser.relaunch(); // it remembers for half a minute how much room there was
    const { page, call } = await tab(where);
    const other = await tab('page');
    const full = `${name}-full`;
    const session = await browser.context.newCDPSession(page);
    const used = await page.evaluate(async () => (await navigator.storage.estimate()).usage);
    let before;
    try {
      await session.send('Storage.overrideQuotaForOrigin', { origin: browser.origin,
        quotaSize: used + (16 << 20) });
      await call('open', { kind, name: full, create: { dim: 1024, m: 4, efBuild: 8 } });
      await call('add', { name: full, first: 0, count: 100 });
      await call('commit', { name: full });
      before = await call('about', { name: full });
      await call('add', { name: full, first: 100, count: 8000 }); // 33 MB
      await assert.rejects(call('commit', { name: full }), (error) => {
        assert.equal(error.code, 'NIGH_E_FULL', error.message);
        assert.match(error.message, /Nothing is lost/);
        return true;
      });
      assert.equal((await call('about', { name: full })).size, 8100);
      assert.equal((await other.call('open', { kind, name: full, role: 'follower' })).sha, before.sha);
    } finally {
      await session.send('Storage.overrideQuotaForOrigin', { origin: browser.origin });
      await session.detach();
    }
    await call('commit', { name: full });
    assert.equal(await other.call('refresh', { name: full }), true);
    assert.equal((await other.call('about', { name: full })).size, 8100);
    await call('close', { name: full });
    await call('delete', { kind, name: full });
    await Promise.all([page.close(), other.page.close()]);
  });
}

test('the command and OPFS have the same files', async () => {
  const command = process.env.NIGH_COMMAND;
  const nigh = (...words) => {
    const { status, stderr } = spawnSync(command, words, { encoding: 'utf8' });
    assert.equal(status, 0, `nigh ${words.join(' ')}: ${stderr}`);
  };
  const path = join(folder, 'native.store');
  nigh('build', join(GOLDEN, 'rows.npy'), '-o', path);
  const { page, call } = await tab('worker');
  browser.server.mounts['/native.store'] = { body: readFileSync(path) };
  await call('write', { name: 'native', url: '/native.store' });
  const { size, dim, status } = await call('open', { kind: 'opfs', name: 'native' });
  assert.equal(status, 0);
  await call('add', { name: 'native', first: size, count: 7 });
  await call('commit', { name: 'native' });
  await call('close', { name: 'native' });
  writeFileSync(path, Buffer.from(await call('read', { name: 'native' }), 'base64'));
  nigh('check', path);
  nigh('near', path, String(size + 6));
  assert.ok(dim > 0);
  await page.close();
});

test('vectors in OPFS, read at once by a worker; on a server, by ranges', async () => {
  const { page, call } = await tab('worker');
  const { same, ms, us, memoryBytes, insideBytes } = await call('vectors', { count: 4000, dim: 128 });
  assert.equal(same, true);
  assert.ok(memoryBytes < insideBytes - 4000 * 128 * 3, `${memoryBytes} of ${insideBytes}`);
  console.log(`a vector of 128 f32 out of OPFS: ${us.toFixed(1)} us; a search ` +
    `${(1000 * ms.outside).toFixed(0)} us, with vectors inside ${(1000 * ms.inside).toFixed(0)} us`);
  const golden = JSON.parse(readFileSync(join(GOLDEN, 'golden.json'), 'utf8'));
  const { hits, reads } = await call('http', { url: '/golden/rows.f32', image: '/golden/external.nigh',
    dim: golden.dim });
  assert.equal(hits.length, 5);
  assert.ok(reads.requests > 0);
  assert.ok(browser.server.requests.some(({ path, range }) => path === '/golden/rows.f32' && range));
  await page.close();
});

const readme = readFileSync(join(PACKAGE, 'README.md'), 'utf8');
[...readme.matchAll(/^```js worker\n(.*?)^```/gms)].forEach(([, code], i) => {
  test(`the README's program ${i + 1} for workers runs`, async () => {
    const body = `${code.replace(/'nigh(\/\w+)?';/g, (_, name = '/index') =>
      `'/nigh/dist${name}.js';`)}\npostMessage('done');`;
    browser.server.mounts['/readme/program.mjs'] = { body };
    const page = await browser.page();
    const said = await page.evaluate(() => new Promise((resolve) => {
      const worker = new Worker('/readme/program.mjs', { type: 'module' });
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = (event) => resolve(event.message ?? 'it cannot be loaded');
    }));
    assert.equal(said, 'done');
    await page.close();
  });
});

test('no error on the console', () => assert.deepEqual(browser.errors, []));
