// storage-idb.test.mjs - stores in IndexedDB: one transaction a commit, owners, quota, other tabs
// SPDX-License-Identifier: MIT OR Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Index } from 'nigh';
import { idbStores } from 'nigh/storage';
import { indexedDb, range, refused, row, rowsOf, same } from './common.mjs';

await indexedDb();
const DIM = 16;
const rows = rowsOf(1200, DIM);
const stores = idbStores();
const { prototype } = IDBObjectStore;

/** Counts what is put, or fails at the n-th. */
async function putting(body, fail = () => undefined) {
  const { put } = prototype;
  let count = 0;
  prototype.put = function (...args) {
    fail(count, this.transaction);
    count++;
    return put.apply(this, args);
  };
  try {
    await body();
  } finally {
    prototype.put = put;
  }
  return count;
}

test('made, committed, opened again', async () => {
  await assert.rejects(stores.open('a'), refused('NOT_FOUND'));
  const stored = await stores.open('a', { create: { dim: DIM, codes: 'u7' } });
  await stored.index.build(range(1000), rows.subarray(0, 1000 * DIM));
  const all = await putting(() => stored.commit());
  stored.index.add(1000, row(rows, DIM, 1000));
  const some = await putting(() => stored.commit());
  const none = await putting(() => stored.commit());
  assert.ok(all > 10 && some < all && none === 0, `${all}, ${some}, ${none}`);
  const bytes = stored.index.save();
  stored.index.remove(3);
  await stored.close();
  const again = await stores.open('a');
  same(again.index.save(), bytes);
  again.index.add(1001, row(rows, DIM, 1001));
  await again.commit();
  await again.close();
  const other = idbStores({ pageBytes: 1024, database: 'nigh' });
  const third = await other.open('a');
  assert.equal(third.index.size, 1002);
  await third.close();
});

test('several at once, listed, replaced, deleted', async () => {
  const index = await Index.create({ dim: DIM, keys: 'string' });
  index.add('x', row(rows, DIM, 5));
  const [b, c] = await Promise.all([stores.put('b', index),
    stores.open('c', { create: { dim: DIM } })]);
  assert.deepEqual(await stores.list(), ['a', 'b', 'c']);
  await assert.rejects(stores.put('c', index), refused('BUSY'));
  await b.close();
  await c.close();
  const next = await Index.create({ dim: 2 });
  await assert.rejects(stores.put('b', next), refused('EXISTS'));
  await (await stores.put('b', next, { replace: true })).close();
  const back = await stores.open('b');
  assert.equal(back.index.dim, 2);
  await assert.rejects(stores.delete('b'), refused('BUSY'));
  await back.close();
  await stores.delete('b');
  await stores.delete('b');
  assert.deepEqual(await stores.list(), ['a', 'c']);
  await assert.rejects(stores.open('b'), refused('NOT_FOUND'));
});

test('an aborted transaction changes nothing, and the next has it all', async () => {
  const stored = await stores.open('quota', { create: { dim: DIM, blockBytes: 1024 } });
  stored.index.add(range(300), rows.subarray(0, 300 * DIM));
  await stored.commit();
  const old = stored.index.save();
  stored.index.add(range(300, 300), rows.subarray(300 * DIM, 600 * DIM));
  const fresh = stored.index.save();
  for (const at of [0, 3]) {
    await putting(() => assert.rejects(stored.commit(), refused('FULL', /Nothing is lost/)),
      (count) => { if (count === at) throw new DOMException('x', 'QuotaExceededError'); });
  }
  await putting(() => assert.rejects(stored.commit(), refused('WRITE')),
    (count, transaction) => { if (count === 2) transaction.abort(); });
  await putting(() => assert.rejects(stored.commit(), refused('WRITE')), // when all was asked for
    (count, transaction) => { if (count === 0) queueMicrotask(() => transaction.abort()); });
  const follower = await stores.open('quota', { role: 'follower' });
  same(follower.index.save(), old);
  same(stored.index.save(), fresh);
  stored.index.add(700, row(rows, DIM, 700));
  await stored.commit();
  assert.equal(await follower.refresh(), true);
  same(follower.index.save(), stored.index.save());
  await Promise.all([stored.close(), follower.close()]);
});

test('followers hear of commits, and take over', async () => {
  const owner = await stores.open('shared', { create: { dim: DIM } });
  await assert.rejects(stores.open('shared'), refused('BUSY'));
  const follower = await stores.open('shared', { role: 'any' });
  const heard = new Promise((resolve) => {
    follower.addEventListener('commit', async () => resolve(await follower.refresh()), { once: true });
  });
  owner.index.add(1, row(rows, DIM, 1));
  await owner.commit();
  assert.equal(await heard, true);
  assert.equal(follower.index.size, 1);
  const waits = stores.open('shared', { wait: true });
  const gives = new AbortController();
  const ends = stores.open('shared', { wait: true, signal: gives.signal });
  gives.abort(new Error('no more'));
  await assert.rejects(ends, /no more/);
  await owner.close();
  const next = await waits;
  assert.equal(next.owner, true);
  await next.close();
  await follower.own();
  follower.index.add(2, row(rows, DIM, 2));
  await follower.commit();
  await follower.close();
});

test('without locks, of two that write the second is told', async () => {
  const owner = await stores.open('two', { create: { dim: DIM } });
  await idbStores()._backend.remove('two'); // as a tab without locks would
  owner.index.add(1, row(rows, DIM, 1));
  await assert.rejects(owner.commit(), refused('BUSY', /deleted/));
  assert.equal(owner.index.size, 1);
  await owner.close();
});

test('another tab that deletes or upgrades the database is let, and waited for', async () => {
  const here = idbStores({ database: 'version' });
  const stored = await here.open('x', { create: { dim: DIM } });
  stored.index.add(1, row(rows, DIM, 1));
  await stored.commit();
  await new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase('version');
    request.onsuccess = resolve;
    request.onerror = reject;
    request.onblocked = () => reject(new Error('blocked'));
  });
  stored.index.add(2, row(rows, DIM, 2));
  await assert.rejects(stored.commit(), refused('BUSY', /deleted/));
  await stored.close();
  const newer = await new Promise((resolve) => {
    const request = indexedDB.open('version', 9);
    request.onsuccess = () => resolve(request.result);
  });
  await assert.rejects(here.open('x'), refused('UNSUPPORTED', /newer/));
  newer.close();
});
