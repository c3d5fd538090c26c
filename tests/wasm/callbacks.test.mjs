// callbacks.test.mjs - each callback of nigh.h through the one import, failures included
// SPDX-License-Identifier: MIT OR Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { C, Index, KIND, NighError, rows } from './host.mjs';
import { host } from './under.mjs';

const DIM = 16;
const COUNT = 300;
const data = rows(COUNT, DIM);
const row = (i) => data.subarray(i * DIM, (i + 1) * DIM);
const keys = Array.from({ length: COUNT }, (_, i) => (BigInt(i) << 33n) + 7n); // beyond a double
const CONFIG = { dim: DIM, metric: C.METRIC_L2, dtype: C.DTYPE_F32, m: 8, ef_build: 60 };
const refused = (status) => (error) => error instanceof NighError && error.status === status;

function owned(h, config = CONFIG) {
  const index = Index.create(h, config, { slots: COUNT });
  index.insert(keys, data);
  return index;
}

function fetched(h, callbacks) {
  const index = Index.create(h, { ...CONFIG, vectors: C.VECTORS_EXTERNAL }, { slots: COUNT });
  const user = h.user(callbacks);
  h.ok(h.x.nigh_index_fetch(index.index, h.x.nighw_function(KIND.fetch),
    h.x.nighw_function(KIND.prefetch), user));
  return index;
}

test('vectors by callback: the same answers, the right keys, a hint before', () => {
  const h = host();
  const hinted = new Set();
  let unhinted = 0;
  const index = fetched(h, {
    fetch(slots, at, count, scratch, vectors) {
      for (let i = 0; i < count; i++) {
        const key = h.u64(at, count)[i];
        const slot = h.u32(slots, count)[i];
        assert.equal(key, keys[slot]);
        unhinted += !hinted.has(slot);
        h.f32(scratch + i * DIM * 4, DIM).set(row(slot));
        h.u32(vectors, count)[i] = scratch + i * DIM * 4;
      }
    },
    prefetch(slots, at, count) {
      for (const slot of h.u32(slots, count)) hinted.add(slot);
    },
  });
  index.insert(keys, null);
  const other = owned(h);
  for (let i = 0; i < 50; i++) assert.deepEqual(index.search(row(i), 10), other.search(row(i), 10));
  assert.ok(hinted.size > COUNT / 2, `${hinted.size} slots were hinted at`);
  assert.ok(unhinted < h.calls, `${unhinted} vectors without a hint, ${h.calls} calls`);
});

test('a failing fetch: its number comes back and nothing is lost', () => {
  const h = host();
  let fail = 0;
  const index = fetched(h, {
    fetch(slots, at, count, scratch, vectors) {
      if (fail) return fail;
      for (let i = 0; i < count; i++) {
        h.f32(scratch + i * DIM * 4, DIM).set(row(h.u32(slots, count)[i]));
        h.u32(vectors, count)[i] = scratch + i * DIM * 4;
      }
      return 0;
    },
    prefetch() {},
  });
  index.insert(keys.slice(0, 200), null, 200);
  const before = Buffer.from(index.save());
  fail = C.E_USER - 5;
  assert.throws(() => index.insert(keys.slice(200), null, 1), refused(C.E_USER - 5));
  assert.throws(() => index.search(row(0), 3), refused(C.E_USER - 5));
  fail = C.E_FULL; // no number of the host's
  assert.throws(() => index.search(row(0), 3), refused(C.E_FETCH));
  fail = 0;
  assert.equal(Buffer.compare(Buffer.from(index.save()), before), 0);
  index.insert(keys.slice(200), null, 100);
  assert.equal(index.check().status, C.OK);
  assert.equal(index.search(row(250), 1)[0].key, keys[250]);
});

test('a fetch that gives no address is an error', () => {
  const h = host();
  const index = fetched(h, { fetch() {}, prefetch() {} });
  assert.throws(() => index.insert(keys, null), refused(C.E_FETCH));
});

test('memory may grow inside a callback', () => {
  const h = host();
  const grown = [];
  const index = fetched(h, {
    fetch(slots, at, count, scratch, vectors) {
      grown.push(h.alloc(1 << 20)); // every view is gone now
      for (let i = 0; i < count; i++) {
        h.f32(scratch + i * DIM * 4, DIM).set(row(h.u32(slots, count)[i]));
        h.u32(vectors, count)[i] = scratch + i * DIM * 4;
      }
    },
    prefetch() {},
  });
  index.insert(keys.slice(0, 20), null, 20);
  assert.ok(grown.length > 10);
  assert.equal(index.search(row(5), 1)[0].key, keys[5]);
  assert.equal(index.check().status, C.OK);
});

test('a distance of the host\'s: the same neighbours as by the metric', () => {
  const h = host();
  const custom = Index.create(h, { ...CONFIG, metric: C.METRIC_CUSTOM }, { slots: COUNT });
  const out = new DataView(new ArrayBuffer(4));
  const user = h.user({ distance(a, b, dim) {
    const [x, y] = [h.f32(a, dim), h.f32(b, dim)];
    let sum = 0;
    for (let i = 0; i < dim; i++) sum += (x[i] - y[i]) ** 2;
    out.setFloat32(0, sum);
    return out.getInt32(0);
  } });
  h.ok(h.x.nigh_index_distance(custom.index, h.x.nighw_function(KIND.distance), user));
  custom.insert(keys, data);
  const index = owned(h);
  for (let i = 0; i < 20; i++) {
    const [mine, theirs] = [custom.search(row(i), 10), index.search(row(i), 10)];
    assert.deepEqual(mine.map(({ key }) => key), theirs.map(({ key }) => key));
    mine.forEach((hit, n) => assert.ok(Math.abs(hit.distance - theirs[n].distance) < 1e-5));
  }
});

test('a filter: only what it lets through, by key', () => {
  const h = host();
  const index = owned(h);
  const user = h.user({ filter: (slot, key) => {
    const value = h.u64(key, 1)[0];
    assert.equal(value, keys[slot]);
    return value >> 33n & 1n ? 1 : 0;
  } });
  const filter = h.x.nighw_function(KIND.filter);
  h.ok(h.x.nigh_session_filter(index.session, 0, 0, filter, user));
  const hits = index.search(row(4), 20);
  assert.equal(hits.length, 20);
  assert.ok(hits.every(({ slot }) => slot % 2 === 1));
  h.ok(h.x.nigh_session_filter(index.session, 0, 0, 0, 0));
  assert.equal(index.search(row(4), 1)[0].slot, 4);
});

test('a write that fails ends the save', () => {
  const h = host();
  const index = owned(h);
  const write = h.x.nighw_function(KIND.write);
  for (const [given, expected] of [[C.E_USER - 1, C.E_USER - 1], [C.E_WRITE, C.E_WRITE],
    [5, C.E_WRITE]]) {
    let calls = 0;
    const user = h.user({ write: () => (++calls > 2 ? given : 0) });
    assert.equal(h.x.nigh_save(index.index, 0, write, user), expected);
    assert.equal(calls, 3);
  }
  const bytes = index.save().length;
  h.with([bytes], (at) => {
    assert.equal(h.x.nighw_save(index.index, 0, at, BigInt(bytes - 1)), C.E_WRITE);
    assert.equal(h.x.nighw_save(index.index, 0, at, BigInt(bytes)), C.OK);
  });
});

test('a pager: blocks come from the host, which hears of the first store to each', () => {
  const h = host();
  const index = new Index(h);
  const config = h.struct('nigh_config', { ...CONFIG, block_bytes: 4096 });
  const options = h.struct('nigh_options', { slot_max: COUNT });
  h.with([config, options], (c, o) => {
    const bytes = h.sized((at) => h.x.nigh_index_bytes(c, o, at));
    index.index = h.made((at) => h.x.nigh_index_init(c, o, index.take(bytes), BigInt(bytes), at));
  });
  index.write();
  const mapped = new Set();
  const dirty = [];
  const user = h.user({
    map(region, block, bytes, address) {
      const at = h.alloc(bytes);
      h.u8(at, bytes).fill(0);
      h.u32(address, 1)[0] = at;
      mapped.add(`${region}/${block}`);
    },
    dirty(region, block) { dirty.push(`${region}/${block}`); },
  });
  h.ok(h.x.nigh_index_pager(index.index, h.x.nighw_function(KIND.map),
    h.x.nighw_function(KIND.dirty), user));
  h.ok(h.x.nigh_grow(index.index, COUNT, 0n, 0, 0n));
  index.begin().insert(keys, data);
  assert.ok(mapped.size > 10);
  assert.equal(new Set(dirty).size, dirty.length, 'each block once');
  assert.ok(dirty.every((block) => mapped.has(block)));
  const first = dirty.length;
  h.ok(h.x.nigh_seal(index.index));
  index.remove([keys[3]]);
  assert.ok(dirty.length > first, 'after nigh_seal all blocks are clean again');
  index.unremove([keys[3]]);
  assert.deepEqual(index.search(row(3), 10), owned(h).search(row(3), 10));
});

test('a clock', () => {
  const h = host();
  const index = owned(h);
  let reads = 0;
  const user = h.user({ clock: (at) => {
    reads++;
    h.u64(at, 1)[0] = process.hrtime.bigint();
  } });
  const before = index.search(row(9), 10);
  h.ok(h.x.nigh_tune(index.index, index.session, h.x.nighw_function(KIND.clock), user));
  assert.ok(reads > 1);
  assert.deepEqual(index.search(row(9), 10), before);
});

/** A store on these bytes, in a host. */
function stored(h, bytes, flags, fails = () => 0) {
  const page = 4096;
  const user = h.user({
    storeRead(low, high, at, count) {
      h.u8(at, count).set(bytes.subarray(low + high * 2 ** 32, low + high * 2 ** 32 + count));
    },
    storeWrite(low, high, at, count) {
      bytes.set(h.u8(at, count), low + high * 2 ** 32);
      return fails();
    },
    storeErase(low, high, at, count) { bytes.fill(0xff, low, low + count); },
    storeSync() {},
  });
  const options = h.struct('nigh_store_options',
    { flags, page_bytes: page, page_count: bytes.length / page });
  return h.with([options], (o) => {
    const size = h.sized((at) => h.x.nigh_store_bytes(o, at));
    const memory = h.alloc(size);
    return h.made((at) => h.x.nigh_store_open(o, h.x.nighw_function(KIND.storeRead),
      h.x.nighw_function(KIND.storeWrite), h.x.nighw_function(KIND.storeErase),
      h.x.nighw_function(KIND.storeSync), user, memory, BigInt(size), at));
  });
}

test('a store: what one host commits another one takes up', () => {
  const bytes = new Uint8Array(4096 * 300);
  const h = host();
  let failing = 0;
  const store = stored(h, bytes, C.STORE_FORMAT, () => failing);
  const index = owned(h);
  failing = C.E_USER - 5;
  assert.equal(h.x.nigh_store_commit(store, index.index), C.E_USER - 5);
  failing = 0;
  h.ok(h.x.nigh_store_commit(store, index.index));
  const other = host();
  const again = stored(other, bytes, 0);
  const taken = new Index(other);
  const [handle, blocks] = other.with([8, 8], (a, b) => {
    other.ok(other.x.nigh_store_attach_bytes(again, 0, a, b));
    return [Number(other.u64(a, 1)[0]), Number(other.u64(b, 1)[0])];
  });
  const memory = taken.take(handle);
  const room = taken.take(blocks);
  taken.index = other.made((at) => other.x.nigh_store_attach(again, 0, memory, BigInt(handle), room,
    BigInt(blocks), at));
  taken.begin();
  assert.deepEqual(taken.search(row(3), 10), index.search(row(3), 10));
  assert.deepEqual(taken.save(), index.save());
});
