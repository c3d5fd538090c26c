// ffi_koffi.mjs - the scenario of test_ffi from Node, by koffi, every declaration from nigh.json
// SPDX-License-Identifier: MIT OR Apache-2.0
//
// usage: node ffi_koffi.mjs LIBNIGH.SO FOLDER_OF_LOGS GOLDEN_FOLDER FOLDER_WITH_KOFFI
//
// Does what ffi_steps.c does, knowing no signature and no layout but those in abi/nigh.json, and
// compares its logs byte by byte with those that C left; then answers the queries of golden.py.
import assert from 'node:assert';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import url from 'node:url';

const [libraryPath, logs, goldenFolder, modules] = process.argv.slice(2);
const koffi = createRequire(path.join(path.resolve(modules), 'package.json'))('koffi');
const root = path.dirname(path.dirname(path.dirname(url.fileURLToPath(import.meta.url))));
const model = JSON.parse(fs.readFileSync(path.join(root, 'abi', 'nigh.json'), 'utf8'));

// ---- What nigh.json says ------------------------------------------------------------------------

const NAMES = { u8: 'uint8_t', u32: 'uint32_t', u64: 'uint64_t', i32: 'int32_t', f32: 'float',
  nigh_status: 'int32_t', void: 'void' };
const c = {}; // constants
for (const group of model.enums) {
  for (const { name, value } of group.values) {
    c[name] = value;
  }
}
const callbacks = Object.fromEntries(model.callbacks.map((one) => [one.name, one]));
const structs = Object.fromEntries(model.structs.map((one) => [one.name, one]));

function typeName(type) {
  if (type.pointers > 0 || callbacks[type.base]) {
    return type.base === 'char' ? 'const char *' : 'void *';
  }
  assert(NAMES[type.base], `no type for ${type.base}`);
  return NAMES[type.base];
}

const library = koffi.load(libraryPath);
const nigh = {};
for (const { name, returns, parameters } of model.functions) {
  nigh[name] = library.func(name, typeName(returns), parameters.map((p) => typeName(p.type)));
}
const prototypes = {};
for (const { name, returns, parameters } of model.callbacks) {
  prototypes[name] = koffi.pointer(
    koffi.proto(name, typeName(returns), parameters.map((p) => typeName(p.type))));
}

// A structure in a buffer, its fields by the offsets of nigh.json.
class Struct {
  constructor(name, fields = {}) {
    this.layout = structs[name];
    this.bytes = Buffer.alloc(this.layout.size);
    this.set('struct_size', this.layout.size);
    for (const [field, value] of Object.entries(fields)) {
      this.set(field, value);
    }
  }

  field(name) {
    const found = this.layout.fields.find((one) => one.name === name);
    assert(found, `${this.layout.name} has no ${name}`);
    return found;
  }

  set(name, value) {
    const { offset, type } = this.field(name);
    if (type.base === 'u64') {
      this.bytes.writeBigUInt64LE(BigInt(value), offset);
    } else if (type.base === 'f32') {
      this.bytes.writeFloatLE(value, offset);
    } else {
      this.bytes.writeInt32LE(value | 0, offset);
    }
  }

  get(name) {
    const { offset, type } = this.field(name);
    return type.base === 'i32' ? this.bytes.readInt32LE(offset) : this.bytes.readUInt32LE(offset);
  }
}

// ---- Rows, keys, answers: as in ffi_steps.c -----------------------------------------------------

const PAGE = 1024, PAGES = 300;
const COUNT = 300, DIM = 12, K = 8, QUERIES = 5, ROW = 4 * DIM;
const STOP = c.NIGH_E_USER - 7;
const rows = new Float32Array(COUNT * DIM);
const keys = new BigUint64Array(COUNT);
for (let i = 0, state = 1; i < COUNT * DIM; i++) {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  rows[i] = (state >>> 12) / 1048576 - 0.5;
}
for (let i = 0; i < COUNT; i++) {
  keys[i] = (BigInt(i) << 40n) + BigInt(7 * i + 1);
}

const at = (array, byte = 0) => koffi.address(array) + BigInt(byte);
const word = () => new Uint32Array(1);
const long = () => new BigUint64Array(1);
const pointer = () => new BigUint64Array(1);
const rowAt = (number) => at(rows, number * ROW);
const memory = (address, bytes) => Buffer.from(koffi.view(address, bytes));

class Answers {
  static DISTANCES = 8 * QUERIES * K;
  static SLOTS = Answers.DISTANCES + 4 * QUERIES * K;
  static FOUND = Answers.SLOTS + 4 * QUERIES * K;
  static DONE = Answers.FOUND + 4 * QUERIES;
  bytes = Buffer.alloc(Answers.DONE + 4);

  outputs(query = 0) {
    const first = query * K;
    return [at(this.bytes, 8 * first), null, at(this.bytes, Answers.DISTANCES + 4 * first),
      at(this.bytes, Answers.SLOTS + 4 * first)];
  }

  found(query = 0) {
    return at(this.bytes, Answers.FOUND + 4 * query);
  }

  done() {
    return at(this.bytes, Answers.DONE);
  }
}

// ---- One run ------------------------------------------------------------------------------------

class Steps {
  log = [];
  kept = []; // memory, as long as nigh may use it
  succeeded = new Set();
  entered = new Set();
  broken = null;
  fetched = 0;
  hinted = 0;
  dirtied = 0;
  blocks = new Map(); // that the pager has given out
  clock = 0n;
  image = [];

  note(data) {
    this.log.push(Buffer.from(Buffer.isBuffer(data) ? data : Buffer.from(data.buffer)));
  }

  noteWord(number) {
    this.note(Uint32Array.of(number));
  }

  call(name, ...values) {
    const status = nigh[name](...values.map((v) => v instanceof Struct ? at(v.bytes)
      : ArrayBuffer.isView(v) ? at(v) : v));
    this.note(Buffer.from(name));
    this.note(Int32Array.of(status));
    if (status === c.NIGH_OK) {
      this.succeeded.add(name);
    }
    return status;
  }

  ok(name, ...values) {
    assert.strictEqual(this.call(name, ...values), c.NIGH_OK, name);
  }

  plain(name, ...values) {
    this.succeeded.add(name);
    return nigh[name](...values);
  }

  // Zeroed, 64-byte aligned; its address.
  take(bytes) {
    const made = Buffer.alloc(Number(bytes) + 64);
    this.kept.push(made);
    return (koffi.address(made) + 63n) / 64n * 64n;
  }

  // Memory of the size that a *_bytes function tells: [address, bytes].
  sized(name, ...values) {
    const told = long();
    this.ok(name, ...values, told);
    return [this.take(told[0]), told[0]];
  }

  callback(name, body) {
    return koffi.register((...values) => {
      this.entered.add(name);
      try {
        return body(...values);
      } catch (error) {
        this.broken ??= error; // koffi gives C a 0 and goes on
        return 0;
      }
    }, prototypes[name]);
  }

  // ---- Callbacks

  fetch = (user, slots, named, count, scratch, vectors) => {
    if (this.fetched > 1000000) {
      return STOP;
    }
    const slot = memory(slots, 4 * count), key = memory(named, 8 * count);
    const addresses = memory(vectors, 8 * count);
    for (let i = 0; i < count; i++) {
      const one = slot.readUInt32LE(4 * i);
      assert.strictEqual(key.readBigUInt64LE(8 * i), BigInt(one));
      let lent = rowAt(one);
      if (one % 2 !== 0) {
        lent = scratch + BigInt(i * ROW);
        memory(lent, ROW).set(Buffer.from(rows.buffer, one * ROW, ROW));
      }
      addresses.writeBigUInt64LE(lent, 8 * i);
    }
    this.fetched += count;
    return c.NIGH_OK;
  };

  prefetch = (user, slots, named, count) => {
    for (let i = 0; i < count; i++) {
      assert(memory(slots, 4 * count).readUInt32LE(4 * i) < COUNT);
    }
    this.hinted += count;
  };

  distance = (user, a, b, dim) => {
    assert.strictEqual(dim, DIM);
    const x = memory(a, ROW), y = memory(b, ROW);
    let most = 0;
    for (let i = 0; i < ROW; i += 4) {
      most = Math.max(most, Math.abs(x.readFloatLE(i) - y.readFloatLE(i)));
    }
    return most;
  };

  filter = (user, slot, key) => {
    const one = memory(key, 8).readBigUInt64LE();
    assert.strictEqual(one, keys[slot]);
    return one % 3n === 0n ? 1 : 0;
  };

  write = (user, data, count) => {
    this.image.push(Buffer.from(memory(data, Number(count))));
    return c.NIGH_OK;
  };

  map = (user, region, block, bytes, address) => {
    const name = `${region} ${block}`;
    this.blocks.set(name, this.blocks.get(name) ?? this.take(bytes));
    memory(address, 8).writeBigUInt64LE(this.blocks.get(name));
    return c.NIGH_OK;
  };

  dirty = () => {
    this.dirtied++;
    return c.NIGH_OK;
  };

  readPages = (user, offset, data, count) => {
    const at = Number(offset), size = Number(count);
    memory(this.device, PAGES * PAGE).copy(memory(data, size), 0, at, at + size);
    return c.NIGH_OK;
  };

  writePages = (user, offset, data, count) => {
    memory(data, Number(count)).copy(memory(this.device, PAGES * PAGE), Number(offset));
    return c.NIGH_OK;
  };

  erasePages = (user, offset, count) => {
    memory(this.device, PAGES * PAGE).fill(0xff, Number(offset), Number(offset + count));
    return c.NIGH_OK;
  };

  syncPages = () => c.NIGH_OK;

  tick = () => {
    this.clock += 1000n;
    return this.clock;
  };

  // ---- Steps

  config(metric, keyKind, vectors) {
    return new Struct('nigh_config', { dim: DIM, metric, dtype: c.NIGH_DTYPE_F32, keys: keyKind,
      vectors, m: 6, ef_build: 40, seed: 0x123456789abcdef0n, block_bytes: 4096 });
  }

  sessionOf(index, efMax) {
    const options = new Struct('nigh_session_options', { ef_max: efMax });
    const told = long(), session = pointer();
    this.ok('nigh_session_bytes', index, options, told);
    this.note(told);
    this.ok('nigh_session_init', index, options, this.take(told[0]), told[0], session);
    return session[0];
  }

  indexOf(config, upperExtra = 0) {
    const options = new Struct('nigh_options', { slot_max: COUNT, upper_extra: upperExtra });
    const index = pointer();
    const room = this.sized('nigh_index_bytes', config, options);
    this.ok('nigh_index_init', config, options, ...room, index);
    this.ok('nigh_writer_init', index[0], ...this.sized('nigh_writer_bytes', index[0]));
    return index[0];
  }

  grow(index, slots) {
    this.ok('nigh_grow', index, slots, 0, ...this.sized('nigh_grow_bytes', index, slots, 0));
  }

  search(index, session, ef) {
    const how = new Struct('nigh_search_options', { ef });
    const cost = new Struct('nigh_session_stats');
    const got = new Answers(), batch = new Answers();
    const queries = Buffer.alloc(QUERIES * ROW);
    for (let q = 0; q < QUERIES; q++) {
      queries.set(Buffer.from(rows.buffer, 50 * q * ROW, ROW), q * ROW);
      this.ok('nigh_search', index, session, rowAt(50 * q), how, K, ...got.outputs(q),
        got.found(q));
    }
    this.ok('nigh_session_stats_get', session, cost);
    this.note(cost.bytes);
    this.note(got.bytes);
    this.ok('nigh_search_batch', index, session, queries, QUERIES, how, K, ...batch.outputs(),
      batch.found(), batch.done());
    got.bytes.writeUInt32LE(QUERIES, Answers.DONE);
    assert(got.bytes.equals(batch.bytes), 'a batch differs from single searches');
  }

  page(index, session) {
    const got = new Answers();
    this.ok('nigh_cursor_begin', index, session, rowAt(3), null);
    for (let page = 0; page < 4; page++) {
      this.ok('nigh_cursor_next', index, session, K, ...got.outputs(), got.found());
      this.note(got.bytes);
    }
  }

  job(index, session, kind, count = 0) {
    const options = new Struct('nigh_job_options', { kind,
      codes: kind === c.NIGH_JOB_CODES ? c.NIGH_CODES_U7 : 0 });
    const progress = new Struct('nigh_progress'), job = pointer();
    const room = this.sized('nigh_job_bytes', index, options, count);
    this.ok('nigh_job_begin', index, options, count ? keys : null, null, count ? rows : null, count,
      ...room, job);
    while (progress.get('state') !== c.NIGH_JOB_DONE) {
      this.ok('nigh_job_run', job[0], session, progress);
      this.note(progress.bytes);
    }
    this.ok('nigh_job_end', job[0]);
  }

  check(index, session) {
    const told = ['nigh_report', 'nigh_stats', 'nigh_config'].map((name) => new Struct(name));
    this.ok('nigh_check', index, session, told[0]);
    assert.strictEqual(told[0].get('status'), c.NIGH_OK);
    this.ok('nigh_stats_get', index, told[1]);
    this.ok('nigh_config_get', index, told[2]);
    told.forEach((one) => this.note(one.bytes));
  }

  about() {
    const halves = Buffer.alloc(2 * DIM * 2), back = Buffer.alloc(2 * ROW), told = long();
    this.note(Buffer.from(this.plain('nigh_status_text', c.NIGH_E_KEY) + '\0'));
    this.noteWord(this.plain('nigh_version'));
    this.noteWord(this.plain('nigh_features'));
    this.ok('nigh_row_bytes', DIM, c.NIGH_DTYPE_F16, told);
    this.ok('nigh_convert', DIM, c.NIGH_DTYPE_F16, 2, rows, halves, null, null);
    this.ok('nigh_convert', DIM, c.NIGH_DTYPE_F16, 2, null, null, halves, back);
    this.note(halves);
    this.note(back);
  }

  change(index, session) {
    const done = word(), found = word(), top = word(), flags = word();
    const slots = new Uint32Array(K), links = Buffer.alloc(256);
    const listed = new BigUint64Array(K), vectors = Buffer.alloc(K * ROW);
    const insert = (count) => this.call('nigh_insert', index, session, 0, keys, null, rows, count,
      done);
    assert.strictEqual(insert(200), c.NIGH_OK);
    assert.strictEqual(insert(1), c.NIGH_E_EXISTS);
    this.ok('nigh_remove', index, session, at(keys, 80), null, 20, done);
    this.ok('nigh_unremove', index, session, at(keys, 96), null, 3, done);
    this.ok('nigh_set', index, session, 0, at(keys, 400), null, rowAt(150), 2, done);
    this.ok('nigh_get', index, session, at(keys, 384), null, K, vectors, slots, done);
    this.note(vectors);
    this.note(slots);
    this.ok('nigh_keys', index, 9, K, listed, null, slots, found);
    assert.strictEqual(listed[1], keys[12]);
    this.ok('nigh_node', index, 60, 0, top, flags, links, found);
    this.note(links.subarray(0, 4 * found[0]));
  }

  filtered(index, session) {
    const bits = new Uint32Array(Math.ceil(COUNT / 32)).fill(0x55555555);
    this.kept.push(bits);
    this.ok('nigh_session_filter', session, bits, COUNT, null, null);
    this.search(index, session, 30);
    const wanted = this.callback('nigh_filter_fn', this.filter);
    this.ok('nigh_session_filter', session, null, 0, wanted, null);
    this.search(index, session, 30);
    this.ok('nigh_session_filter', session, null, 0, null, null);
  }

  owned() {
    const index = this.indexOf(
      this.config(c.NIGH_METRIC_COSINE, c.NIGH_KEYS_U64, c.NIGH_VECTORS_OWNED));
    const told = long();
    this.grow(index, 100);
    this.grow(index, COUNT);
    let session = this.sessionOf(index, 600);
    this.change(index, session);
    this.search(index, session, 20);
    this.filtered(index, session);
    this.page(index, session);
    for (const kind of [c.NIGH_JOB_REFINE, c.NIGH_JOB_VACUUM, c.NIGH_JOB_CODES]) {
      this.job(index, session, kind);
    }
    session = this.sessionOf(index, 600);
    this.search(index, session, 20);
    this.ok('nigh_tune', index, session, this.callback('nigh_clock_fn', this.tick), null);
    this.search(index, session, 20);
    this.check(index, session);
    this.ok('nigh_save_bytes', index, 0, told);
    this.ok('nigh_save', index, 0, this.callback('nigh_write_fn', this.write), null);
    this.image = Buffer.concat(this.image);
    assert.strictEqual(BigInt(this.image.length), told[0]);
    this.note(this.image);
  }

  attached() {
    const size = this.image.length, done = word(), index = pointer();
    const image = this.take(size);
    memory(image, size).set(this.image);
    const options = new Struct('nigh_options', { flags: c.NIGH_OPEN_WRITABLE });
    for (const first of [true, false]) {
      const room = this.sized('nigh_attach_bytes', image, size, options);
      this.ok('nigh_attach', image, size, options, ...room, index);
      if (first) {
        this.ok('nigh_writer_init', index[0], ...this.sized('nigh_writer_bytes', index[0]));
        const session = this.sessionOf(index[0], 64);
        this.ok('nigh_remove', index[0], session, at(keys, 800), null, 5, done);
        this.ok('nigh_seal', index[0]);
        options.set('flags', c.NIGH_OPEN_VERIFY);
      }
    }
    const session = this.sessionOf(index[0], 64);
    this.search(index[0], session, 20);
    this.check(index[0], session);
    this.note(memory(image, size));
  }

  external() {
    const index = this.indexOf(
      this.config(c.NIGH_METRIC_L2, c.NIGH_KEYS_IDENTITY, c.NIGH_VECTORS_EXTERNAL));
    const done = word(), got = new Answers();
    this.grow(index, COUNT);
    const session = this.sessionOf(index, 600);
    this.ok('nigh_index_fetch', index, this.callback('nigh_fetch_fn', this.fetch),
      this.callback('nigh_prefetch_fn', this.prefetch), null);
    this.ok('nigh_insert', index, session, 0, null, null, null, COUNT, done);
    this.search(index, session, 20);
    this.noteWord(this.fetched);
    this.noteWord(this.hinted);
    this.fetched = Infinity;
    assert.strictEqual(this.call('nigh_search', index, session, rowAt(0), null, K, ...got.outputs(),
      got.found()), STOP);
    this.ok('nigh_index_borrow', index, rows, ROW, COUNT, 0);
    this.search(index, session, 20);
    this.check(index, session);
  }

  custom() {
    const index = this.indexOf(
      this.config(c.NIGH_METRIC_CUSTOM, c.NIGH_KEYS_U64, c.NIGH_VECTORS_OWNED));
    this.ok('nigh_index_distance', index, this.callback('nigh_distance_fn', this.distance), null);
    this.grow(index, COUNT);
    const session = this.sessionOf(index, 600);
    this.job(index, session, c.NIGH_JOB_BUILD, COUNT);
    this.search(index, session, 20);
    this.check(index, session);
  }

  paged() {
    const index = this.indexOf(
      this.config(c.NIGH_METRIC_L2, c.NIGH_KEYS_U64, c.NIGH_VECTORS_OWNED));
    const done = word();
    this.ok('nigh_index_pager', index, this.callback('nigh_map_fn', this.map),
      this.callback('nigh_dirty_fn', this.dirty), null);
    this.ok('nigh_grow', index, COUNT, 0, null, 0);
    const session = this.sessionOf(index, 64);
    this.ok('nigh_insert', index, session, 0, keys, null, rows, COUNT, done);
    this.noteWord(this.dirtied);
    this.search(index, session, 20);
    this.check(index, session);
    const size = c.NIGH_HEADER_BYTES, header = this.take(size), again = pointer();
    this.ok('nigh_header', index, header);
    this.note(memory(header, size));
    this.ok('nigh_seal', index);
    const room = this.sized('nigh_attach_bytes', header, size, null);
    this.ok('nigh_attach_blocks', header, size, null, this.callback('nigh_map_fn', this.map), null,
      null, ...room, again);
    const next = this.sessionOf(again[0], 64);
    this.search(again[0], next, 20);
    this.check(again[0], next);
  }

  file() {
    const config = this.config(c.NIGH_METRIC_L2, c.NIGH_KEYS_U64, c.NIGH_VECTORS_OWNED);
    const facts = new Struct('nigh_hnswlib'), done = word();
    let index = this.indexOf(config);
    this.grow(index, COUNT);
    let session = this.sessionOf(index, 64);
    this.ok('nigh_insert', index, session, 0, keys, null, rows, COUNT, done);
    this.image = [];
    this.ok('nigh_hnswlib_write', index, session, 0, COUNT + 1,
      this.callback('nigh_write_fn', this.write), null);
    const file = Buffer.concat(this.image);
    this.note(file);
    this.ok('nigh_hnswlib_config', file, file.length, config, facts);
    this.note(config.bytes);
    this.note(facts.bytes);
    index = this.indexOf(config, facts.get('upper_extra'));
    this.grow(index, COUNT);
    this.ok('nigh_hnswlib_read', index, file, file.length);
    session = this.sessionOf(index, 64);
    this.job(index, session, c.NIGH_JOB_ROOT);
    this.search(index, session, 20);
    this.check(index, session);
  }

  stored() {
    const index = this.indexOf(
      this.config(c.NIGH_METRIC_L2, c.NIGH_KEYS_U64, c.NIGH_VECTORS_OWNED));
    const options = new Struct('nigh_store_options', { flags: c.NIGH_STORE_FORMAT,
      page_bytes: PAGE, page_count: PAGES - 10, program_bytes: 16, super_count: 3 });
    const found = new Struct('nigh_store_options'), stats = new Struct('nigh_store_stats');
    const store = pointer(), again = pointer(), told = long(), blocks = long(), done = word();
    const reader = this.callback('nigh_store_read_fn', this.readPages);
    this.device = this.take(PAGES * PAGE);
    this.grow(index, COUNT);
    let session = this.sessionOf(index, 64);
    this.ok('nigh_insert', index, session, 0, keys, null, rows, COUNT, done);
    let room = this.sized('nigh_store_bytes', options);
    this.ok('nigh_store_open', options, reader,
      this.callback('nigh_store_write_fn', this.writePages),
      this.callback('nigh_store_erase_fn', this.erasePages),
      this.callback('nigh_store_sync_fn', this.syncPages), null, ...room, store);
    this.ok('nigh_store_commit', store[0], index);
    this.note(memory(this.device, PAGES * PAGE));
    this.ok('nigh_store_find', reader, null, PAGES * PAGE, found);
    this.note(found.bytes);
    room = this.sized('nigh_store_bytes', found);
    this.ok('nigh_store_grow', store[0], PAGES, ...room, store);
    this.ok('nigh_store_attach_bytes', store[0], null, told, blocks);
    this.ok('nigh_store_attach', store[0], null, this.take(told[0]), told[0],
      this.take(blocks[0]), blocks[0], again);
    this.ok('nigh_store_stats_get', store[0], stats);
    this.note(stats.bytes);
    session = this.sessionOf(again[0], 64);
    this.search(again[0], session, 20);
    this.check(again[0], session);
  }
}

// ---- The queries of golden.py, external vectors through a callback ------------------------------

function hits(steps, index, session, query, how, k, kind) {
  const names = Buffer.alloc(k * 511), lengths = new Uint32Array(k), slots = new Uint32Array(k);
  const bits = new Uint32Array(k), found = word(), got = [];
  steps.ok('nigh_search', index, session, query, how, k, names, lengths, bits, slots, found);
  for (let i = 0, from = 0; i < found[0]; i++) {
    const key = kind === 'bytes' ? names.toString('utf8', from, from += lengths[i])
      : String(names.readBigUInt64LE(8 * i));
    got.push([key, bits[i], slots[i]]);
  }
  return got;
}

function goldenAnswers(steps) {
  const read = (name) => fs.readFileSync(path.join(goldenFolder, name));
  const golden = JSON.parse(read('golden.json'));
  const bytes = 4 * golden.dim, vectors = read(golden.rows), queries = read(golden.queries);
  const fetch = (user, slots, named, count, scratch, out) => {
    for (let i = 0; i < count; i++) {
      const slot = memory(slots, 4 * count).readUInt32LE(4 * i);
      memory(out, 8 * count).writeBigUInt64LE(at(vectors, slot * bytes), 8 * i);
    }
    return c.NIGH_OK;
  };
  let right = 0;
  for (const one of golden.cases) {
    const data = read(one.image), image = steps.take(data.length), index = pointer();
    memory(image, data.length).set(data);
    const room = steps.sized('nigh_attach_bytes', image, data.length, null);
    steps.ok('nigh_attach', image, data.length, null, ...room, index);
    if (one.external) {
      steps.ok('nigh_index_fetch', index[0], steps.callback('nigh_fetch_fn', fetch), null, null);
    }
    const session = steps.sessionOf(index[0], 64);
    for (const { ef, answers } of one.searches) {
      const how = new Struct('nigh_search_options', { ef });
      answers.forEach((want, q) => {
        assert.deepStrictEqual(hits(steps, index[0], session, at(queries, q * bytes), how, golden.k,
          one.keys), want, `${one.name} ef ${ef} query ${q}`);
        right++;
      });
    }
  }
  return right;
}

// All-zero arguments: every function but the three that cannot fail says NIGH_E_INVALID.
function zeros() {
  for (const { name, returns, parameters } of model.functions) {
    const got = nigh[name](...parameters.map((p) => typeName(p.type).endsWith('*') ? null : 0));
    if (returns.base === 'nigh_status') {
      assert.strictEqual(got, c.NIGH_E_INVALID, name);
    } else {
      assert(got, name);
    }
  }
  return model.functions.length;
}

let passed = zeros();
const steps = new Steps();
for (const part of ['about', 'owned', 'attached', 'external', 'custom', 'paged',
  'file', 'stored']) {
  steps[part]();
  const got = Buffer.concat(steps.log.splice(0));
  const want = fs.readFileSync(path.join(logs, `${part}.log`));
  const differs = got.findIndex((byte, i) => byte !== want[i]);
  assert(got.equals(want), `${part}: differs from C at byte ${differs} of ${want.length}`);
  passed++;
}
passed += goldenAnswers(steps);
if (steps.broken) {
  throw steps.broken;
}
const left = [...model.functions.filter(({ name }) => !steps.succeeded.has(name)),
  ...model.callbacks.filter(({ name }) => !steps.entered.has(name))];
assert.deepStrictEqual(left.map(({ name }) => name), [], 'never used');
console.log(`${passed + 1} passed, 0 failed`);
