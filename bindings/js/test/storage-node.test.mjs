// storage-node.test.mjs - stores in files of Node: the command's own, owners, followers
// SPDX-License-Identifier: MIT OR Apache-2.0
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Index } from 'nigh';
import { fileStores, openStore, putStore } from 'nigh/node';
import { range, refused, row, rowsOf, same } from './common.mjs';

const DIM = 6;
const rows = rowsOf(600, DIM);
const folder = mkdtempSync(join(tmpdir(), 'nigh-js-store-'));
after(() => rmSync(folder, { recursive: true }));
const command = process.env.NIGH_COMMAND;
if (!command) throw new Error('NIGH_COMMAND: the nigh command');

function nigh(...words) {
  const { status, stdout, stderr } = spawnSync(command, words, { encoding: 'utf8' });
  assert.equal(status, 0, `nigh ${words.join(' ')}: ${stderr}`);
  return stdout;
}

test('made, committed, opened again', async () => {
  const path = join(folder, 'a.store');
  await assert.rejects(openStore(path), refused('NOT_FOUND'));
  const stored = await openStore(path, { create: { dim: DIM, keys: 'string' } });
  assert.equal(stored.owner, true);
  stored.index.add(['one', 'two'], rows.subarray(0, 2 * DIM));
  const { generation } = await stored.commit();
  const bytes = stored.index.save();
  stored.index.add('three', row(rows, DIM, 2)); // not committed
  await stored.close();
  await assert.rejects(stored.commit(), refused('INVALID'));
  const again = await openStore(pathToFileURL(path), { keys: 'string' });
  same(again.index.save(), bytes);
  assert.deepEqual([...again.index.keys()], ['one', 'two']);
  assert.equal(again.stats.generation, generation);
  again.index.add('four', row(rows, DIM, 3));
  await Promise.all([again.commit(), again.commit()]);
  assert.equal(again.index.check().status, 0);
  await again.close();
  await assert.rejects(openStore(path, { keys: 'number' }), refused('MISMATCH'));
  assert.deepEqual(readdirSync(folder), ['a.store'], 'no locks are left');
});

test('an index that there is, with external vectors and codes', async () => {
  const path = join(folder, 'b.store');
  const vectors = { fetch(slots, _, out) {
    slots.forEach((slot, i) => out.set(row(rows, DIM, slot), i * DIM));
  } };
  const index = await Index.create({ dim: DIM, vectors, codes: 'u7' });
  await index.build(range(500));
  const stored = await putStore(path, index);
  assert.equal(stored.index, index);
  const query = row(rows, DIM, 77);
  const hits = index.search(query);
  await stored.close();
  const again = await openStore(path, { vectors });
  assert.equal(again.index.codes, 'u7');
  assert.deepEqual(again.index.search(query), hits);
  await assert.rejects(putStore(path, again.index), refused('BUSY'));
  await again.close();
  const other = await Index.create({ dim: DIM });
  await assert.rejects(putStore(path, other), refused('EXISTS'));
  await (await putStore(path, other, { replace: true })).close();
  const third = await openStore(path);
  assert.equal(third.index.size, 0);
  await third.close();
});

test('the command opens what was committed here, and the other way round', async () => {
  const path = join(folder, 'c.store');
  const stored = await openStore(path, { create: { dim: DIM } });
  stored.index.add(range(300), rows.subarray(0, 300 * DIM));
  await stored.commit();
  stored.index.remove(range(10));
  await stored.commit();
  const image = join(folder, 'c.nigh');
  writeFileSync(image, stored.index.save());
  await stored.close();
  nigh('check', path);
  const near = (file) => JSON.parse(nigh('near', file, '77', '-k', '9', '--json')).hits;
  assert.deepEqual(near(path), near(image));
  assert.equal(near(path).length, 9);
  nigh('remove', path, '17', '18');
  const back = await openStore(path);
  assert.equal(back.index.size, 288);
  assert.equal(back.index.has(17), false);
  back.index.set(17, row(rows, DIM, 400));
  await back.commit();
  await back.close();
  assert.match(nigh('near', path, '17', '-k', '1'), /\S/);
  nigh('check', path);
  const made = join(folder, 'd.store');
  nigh('build', join(process.env.NIGH_GOLDEN, 'rows.npy'), '-o', made);
  const native = await openStore(made);
  nigh('build', join(process.env.NIGH_GOLDEN, 'rows.npy'), '-o', join(folder, 'd.nigh'));
  same(native.index.save(), readFileSync(join(folder, 'd.nigh')));
  await native.close();
  await (await fileStores(folder)).delete('d.store');
  assert.deepEqual(await fileStores(folder).list(), ['a.store', 'b.store', 'c.store']);
});

test('one owner; followers hear of commits, and take over', async () => {
  const stores = fileStores(join(folder, 'shared'));
  await assert.rejects(stores.open('x'), refused('NOT_FOUND'));
  assert.equal(existsSync(join(folder, 'shared')), false);
  const owner = await stores.open('x', { create: { dim: DIM } });
  await assert.rejects(stores.open('x'), refused('BUSY'));
  await assert.rejects(stores.delete('x'), refused('BUSY'));
  const follower = await stores.open('x', { role: 'any' });
  assert.equal(follower.owner, false);
  assert.throws(() => follower.index.add(1, row(rows, DIM, 1)), refused('READ_ONLY'));
  await assert.rejects(follower.commit(), refused('READ_ONLY'));
  assert.equal(await follower.refresh(), false);
  const heard = new Promise((resolve) => {
    follower.addEventListener('commit', resolve, { once: true });
  });
  owner.index.add(range(50), rows.subarray(0, 50 * DIM));
  await owner.commit();
  await heard;
  const { index } = follower;
  assert.equal(index.size, 0, 'until it asks');
  assert.equal(await follower.refresh(), true);
  assert.equal(await follower.refresh(), false);
  assert.equal(follower.index, index);
  same(index.save(), owner.index.save());
  const signal = AbortSignal.timeout(120);
  await assert.rejects(follower.own({ signal }), { name: 'TimeoutError' });
  const own = follower.own();
  owner.index.add(50, row(rows, DIM, 50));
  await owner.commit();
  await owner.close();
  await own;
  assert.equal(follower.owner, true);
  assert.equal(index.size, 51);
  index.add(51, row(rows, DIM, 51));
  await follower.commit();
  await follower.close();
  const last = await stores.open('x');
  assert.equal(last.index.size, 52);
  await last.close();
});

test('a follower reads whole commits, however many come', async () => {
  const stores = fileStores(folder);
  const owner = await stores.open('busy.store', { create: { dim: DIM, blockBytes: 1024 } });
  const follower = await stores.open('busy.store', { role: 'follower' });
  let sizes = 0;
  for (let i = 0; i < 60; i++) {
    owner.index.add(range(5, i * 5), rows.subarray(i * 5 * DIM, (i + 1) * 5 * DIM));
    const read = follower.refresh();
    await owner.commit();
    await owner.commit();
    await read;
    assert.equal(follower.index.size % 5, 0);
    assert.equal(follower.index.check().status, 0);
    sizes += follower.index.size;
  }
  assert.ok(sizes > 0);
  await Promise.all([owner.close(), follower.close()]);
});

/** Another process of Node that owns a store, commits again and again, and says so. */
const PROGRAM = `
import { openStore } from 'nigh/node';
const stored = await openStore(process.argv[1], { create: { dim: 4, blockBytes: 1024 } });
for (let i = stored.index.size / 10; ; i++) {
  for (let j = 0; j < 10; j++) stored.index.add(i * 10 + j, [i, j, i * j, 1]);
  await stored.commit();
  process.stdout.write(i + '\\n');
}`;

test('a process that is killed leaves a whole commit, and no lock', { timeout: 120_000 }, async () => {
  const path = join(folder, 'killed.store');
  const cwd = fileURLToPath(new URL('..', import.meta.url));
  let committed = -1;
  for (let round = 0; round < 6; round++) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM, path], { cwd });
    let text = '';
    child.stdout.on('data', (part) => { text += part; });
    while (!text.includes('\n')) await new Promise((go) => { setTimeout(go, 5); });
    await assert.rejects(openStore(path), refused('BUSY'));
    await new Promise((go) => { setTimeout(go, Math.random() * 60); });
    child.kill('SIGKILL');
    await new Promise((gone) => { child.on('close', gone); });
    const said = Number(text.trimEnd().split('\n').at(-1));
    const stored = await openStore(path);
    const { size } = stored.index;
    assert.equal(size % 10, 0);
    assert.ok(size / 10 - 1 >= said, `${size} keys, ${said} was said`);
    assert.ok(size / 10 - 1 > committed);
    assert.equal(stored.index.check().status, 0);
    committed = said;
    await stored.close();
  }
});

test('names are checked', async () => {
  for (const name of ['', '..', 'a/b', '../x', 7]) {
    await assert.rejects(fileStores(folder).open(name), refused('INVALID'), String(name));
  }
});
