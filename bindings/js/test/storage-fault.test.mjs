// storage-fault.test.mjs - stores on a device that ends in the middle, tears writes, or is full
// SPDX-License-Identifier: MIT OR Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Index } from 'nigh';
import { Stores } from 'nigh/storage';
import { range, refused, row, rowsOf, same } from './common.mjs';

const DIM = 8;
const rows = rowsOf(400, DIM);

/** A device in memory that remembers what was written since the last flush. */
class Memory {
  bytes = new Uint8Array(0);
  log = []; // of writes and flushes
  fail = () => undefined; // called before each, may throw

  size() { return this.bytes.length; }
  read(into, at) {
    const part = this.bytes.subarray(at, at + into.length);
    into.set(part);
    return part.length;
  }
  write(from, at) {
    this.fail('write', at);
    this.bytes = put(this.bytes, at, from);
    this.log.push({ at, from: from.slice() });
    return from.length;
  }
  flush() {
    this.fail('flush');
    this.log.push('flush');
  }
  truncate(size) { this.bytes = this.bytes.slice(0, size); }
  close() { this.closed = true; }
}

function put(bytes, at, from) {
  const out = new Uint8Array(Math.max(bytes.length, at + from.length));
  out.set(bytes);
  out.set(from, at);
  return out;
}

/** Stores by name in memory. */
function memory() {
  const devices = new Map();
  const held = new Set();
  const stores = new Stores({
    scope: `memory:${Math.random()}:`,
    pageBytes: 1024,
    locks: { async hold(name) {
      if (held.has(name)) return undefined;
      held.add(name);
      return () => held.delete(name);
    } },
    check() {},
    async device(name, create) {
      if (!devices.has(name) && create) devices.set(name, new Memory());
      return devices.get(name);
    },
    async snapshot(name) { return { device: devices.get(name), stamp: '' }; },
    async stamp() { return ''; },
    async list() { return [...devices.keys()]; },
    async remove(name) { devices.delete(name); },
  });
  return { stores, devices };
}

async function reopened(bytes, options = {}) {
  const { stores, devices } = memory();
  const device = new Memory();
  device.bytes = bytes.slice();
  devices.set('x', device);
  return stores.open('x', options);
}

async function begun() {
  const { stores, devices } = memory();
  const stored = await stores.open('x', { create: { dim: DIM, blockBytes: 1024 } });
  stored.index.add(range(60), rows.subarray(0, 60 * DIM));
  await stored.commit();
  return { stored, device: devices.get('x') };
}

/** What a cut leaves: all up to the last flush, then the operations that `kept` says, the last of
 * them torn where `torn` says so. */
function left(before, log, cut, kept, torn) {
  const certain = log.slice(0, cut).lastIndexOf('flush');
  let bytes = before;
  log.slice(0, cut).forEach((step, i) => {
    if (step === 'flush' || (i > certain && !kept(i))) return;
    const from = i === cut - 1 && torn ? step.from.subarray(0, Math.floor(step.from.length / 3))
      : step.from;
    bytes = put(bytes, step.at, from);
  });
  return bytes;
}

test('a cut at any write leaves the index of before or after, whatever arrived', async () => {
  const { stored, device } = await begun();
  const before = device.bytes.slice();
  const old = stored.index.save();
  device.log = [];
  stored.index.add(range(10, 300), rows.subarray(300 * DIM, 310 * DIM));
  stored.index.remove(range(9));
  await stored.commit();
  const fresh = stored.index.save();
  const { log } = device;
  assert.ok(log.length > 10 && log.filter((step) => step === 'flush').length >= 2, `${log.length}`);
  let seed = 7;
  const chance = () => (seed = seed * 48271 % 2147483647) % 2 === 0;
  const seen = { old: 0, fresh: 0 };
  for (let cut = 0; cut <= log.length; cut++) {
    const ways = [[() => true, true], [() => false, false], [chance, true], [chance, false]];
    for (const [kept, torn] of ways) {
      const back = await reopened(left(before, log, cut, kept, torn && log[cut - 1] !== 'flush'));
      const bytes = back.index.save();
      const is = (other) => Buffer.compare(bytes, other) === 0;
      assert.ok(is(old) || is(fresh), `cut ${cut}`);
      seen[is(fresh) ? 'fresh' : 'old']++;
      back.index.add(1000, row(rows, DIM, 399)); // and it goes on
      await back.commit();
      await back.close();
    }
  }
  assert.ok(seen.old > 40 && seen.fresh >= 4, JSON.stringify(seen));
});

test('a cut while a store is made leaves none, and it can be made again', async () => {
  const { stores, devices } = memory();
  const stored = await stores.open('x', { create: { dim: DIM } });
  await stored.close();
  const { log } = devices.get('x');
  let none = 0;
  for (let cut = 0; cut <= log.length; cut++) {
    for (const torn of [false, true]) {
      const bytes = left(new Uint8Array(0), log, cut, () => true, torn && log[cut - 1] !== 'flush');
      await reopened(bytes).then((back) => assert.equal(back.index.size, 0), (error) => {
        refused('NOT_FOUND')(error);
        none++;
      });
      const made = await reopened(bytes, { create: { dim: DIM } });
      made.index.add(1, row(rows, DIM, 1));
      await made.commit();
      assert.equal(made.index.size, 1);
    }
  }
  assert.ok(none > 4, `${none}`);
});

test('what is no store is not written over', async () => {
  const other = new Uint8Array(5000).fill(7);
  await assert.rejects(reopened(other, { create: { dim: DIM } }), refused('FORMAT'));
  const { stores, devices } = memory();
  devices.set('x', Object.assign(new Memory(), { bytes: other }));
  const index = await Index.create({ dim: DIM });
  await assert.rejects(stores.put('x', index), refused('EXISTS'));
  await assert.rejects(stores.put('x', index, { replace: true }), refused('FORMAT'));
  assert.equal(devices.get('x').closed, true);
  assert.equal(index.size, 0, 'it is still usable');
});

test('a full device is typed, loses nothing, and may have room again', async () => {
  for (const at of [0, 1, 5, 25]) {
    const { stored, device } = await begun();
    const before = device.bytes.slice();
    const old = stored.index.save();
    stored.index.add(range(90, 300), rows.subarray(300 * DIM, 390 * DIM));
    const fresh = stored.index.save();
    let writes = 0;
    device.fail = (what) => {
      if (what === 'write' && writes++ >= at) {
        throw new DOMException('no more', 'QuotaExceededError');
      }
    };
    for (let i = 0; i < 2; i++) {
      await assert.rejects(stored.commit(), (error) => {
        refused('FULL', /Nothing is lost/)(error);
        assert.equal(error.cause.name, 'QuotaExceededError');
        return true;
      });
      same(stored.index.save(), fresh);
      same((await reopened(device.bytes)).index.save(), old);
      assert.equal(device.bytes.length, before.length, 'what nobody needs is given back');
    }
    device.fail = () => undefined;
    await stored.commit();
    same((await reopened(device.bytes)).index.save(), fresh);
  }
});

test('errors of the device have names', async () => {
  const { stored, device } = await begun();
  stored.index.add(300, row(rows, DIM, 300));
  device.fail = (what) => { if (what === 'write') throw Object.assign(new Error('x'), { code: 'EIO' }); };
  await assert.rejects(stored.commit(), refused('WRITE', /x/));
  device.fail = (what) => { if (what === 'write') throw Object.assign(new Error('x'), { code: 'ENOSPC' }); };
  await assert.rejects(stored.commit(), refused('FULL'));
  device.fail = () => undefined;
  device.write = () => 0;
  await assert.rejects(stored.commit(), refused('FULL'));
  delete device.write;
  device.fail = (what) => { if (what === 'flush') throw new Error('gone'); };
  await assert.rejects(stored.commit(), refused('WRITE', /gone/));
  device.fail = () => undefined;
  await assert.rejects(stored.commit(), refused('WRITE', /open the store anew/));
  await stored.close();
  await assert.rejects(stored.commit(), refused('INVALID', /closed/));
});

test('damage is found and named', async () => {
  const { stored, device } = await begun();
  await stored.close();
  const broken = device.bytes.slice();
  for (let at = 4 * 1024; at < broken.length; at += 1024) broken[at + 5] ^= 1;
  await assert.rejects(reopened(broken), refused('CORRUPT', /x: /));
  const read = (into, at) => { throw new Error(`no ${at}`); };
  const { stores, devices } = memory();
  devices.set('x', Object.assign(new Memory(), { bytes: device.bytes, read }));
  await assert.rejects(stores.open('x'), refused('FETCH', /no 0/));
});

test('only what changed is written, and growth beyond a table goes on', async () => {
  const { stores, devices } = memory();
  const many = rowsOf(65_540, 2, 3);
  const stored = await stores.open('x', { create: { dim: 2, m: 4, efBuild: 8, keys: 'identity' } });
  await stored.index.build(null, many.subarray(0, 2 * 65_530));
  const first = await stored.commit();
  stored.index.add(null, row(many, 2, 65_530));
  const next = await stored.commit();
  const cost = next.writtenBytes - first.writtenBytes;
  assert.ok(first.writtenBytes > 2 << 20 && cost < 100 << 10, `${first.writtenBytes}, ${cost}`);
  const idle = await stored.commit();
  assert.equal(idle.generation, next.generation);
  assert.equal(idle.writtenBytes, next.writtenBytes);
  const { memoryBytes } = stored.index;
  stored.index.add(null, many.subarray(2 * 65_531, 2 * 65_540));
  assert.ok(stored.index.memoryBytes < 2 * memoryBytes && stored.index.size === 65_540);
  const moved = await stored.commit(); // in another instance
  assert.ok(moved.writeCount > 0 && moved.writtenBytes < first.writtenBytes / 2,
    'pages that are equal stay');
  same((await reopened(devices.get('x').bytes)).index.save(), stored.index.save());
});

test('a follower that was overtaken while it read begins again', async () => {
  const { stored, device } = await begun();
  const states = [device.bytes.slice()];
  stored.index.add(range(10, 300), rows.subarray(300 * DIM, 310 * DIM));
  await stored.commit();
  const mixed = device.bytes.slice(); // pages of both: some of the first were written over
  mixed.set(states[0].subarray(1024, 8 * 1024), 1024);
  states.push(mixed, device.bytes);
  const { stores } = memory();
  let reads = 0;
  stores._backend.snapshot = async () => {
    const read = Object.assign(new Memory(), { bytes: states[Math.min(reads, 2)] });
    return { device: read, stamp: String(Math.min(reads++, 2)) };
  };
  stores._backend.stamp = async () => String(Math.min(reads, 2));
  const follower = await stores.open('x', { role: 'follower' });
  same(follower.index.save(), stored.index.save());
  assert.equal(reads, 3);
  assert.equal(await follower.refresh(), false);
  states[2] = mixed.fill(9, 0, 2048);
  stores._backend.stamp = async () => '3';
  stores._backend.snapshot = async () => ({ device: Object.assign(new Memory(), { bytes: mixed }),
    stamp: '3' });
  await assert.rejects(follower.refresh(), refused('FORMAT'));
  same(follower.index.save(), stored.index.save(), 'it has what it had');
});
