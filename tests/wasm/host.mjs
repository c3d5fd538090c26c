// host.mjs - a host of the WebAssembly modules for tests: memory, structures, callbacks, one index
// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Written against nighw.h and nigh.json alone, as any host could be. Views of memory are taken
// anew for each access, since growing detaches them.
import { readFileSync } from 'node:fs';

const ROOT = new URL('../../', import.meta.url);
export const abi = JSON.parse(readFileSync(new URL('abi/nigh.json', ROOT), 'utf8'));
/** Constants of nigh.h without their NIGH_. */
export const C = {};
for (const list of abi.enums) {
  for (const { name, value } of list.values) C[name.slice(5)] = value;
}
const STRUCTS = Object.fromEntries(abi.structs.map((struct) => [struct.name, struct]));
/** Kinds of the import's calls, as nighw.h numbers them. */
export const KIND = { fetch: 1, prefetch: 2, distance: 3, filter: 4, write: 5, map: 6, dirty: 7,
  clock: 8, storeRead: 9, storeWrite: 10, storeErase: 11, storeSync: 12 };

export class NighError extends Error {
  constructor(status, text, done = 0) {
    super(`${text} (${status})`);
    this.status = status;
    this.done = done;
  }
}

/** The memory that nigh-mt.wasm asks for; other modules have theirs inside. */
const memoryFor = (module) => (WebAssembly.Module.imports(module).some(({ kind }) =>
  kind === 'memory') ? new WebAssembly.Memory({ initial: 2, maximum: 65536, shared: true })
  : undefined);

export class Host {
  /** An instance of the module in these bytes, with a memory of its own, or on that of another
   * one. */
  constructor(bytes, shared) {
    this.users = new Map(); // number of a callback's user -> object with functions
    this.next = 1;
    this.calls = 0;
    const module = bytes instanceof WebAssembly.Module ? bytes : new WebAssembly.Module(bytes);
    const memory = shared ?? memoryFor(module);
    const instance = new WebAssembly.Instance(module, { env: { memory },
      nigh: { callback: (kind, user, ...args) => this.called(kind, user, args) } });
    this.x = instance.exports;
  }

  called(kind, user, args) {
    this.calls++;
    const name = Object.keys(KIND).find((key) => KIND[key] === kind);
    const args32 = args.map((value) => value >>> 0);
    return this.users.get(user)[name](...args32) ?? 0;
  }

  /** Registers callbacks; what to pass as `user`. */
  user(callbacks) {
    this.users.set(this.next, callbacks);
    return this.next++;
  }

  view() { return new DataView(this.x.memory.buffer); }
  u8(at, count) { return new Uint8Array(this.x.memory.buffer, at, count); }
  u32(at, count) { return new Uint32Array(this.x.memory.buffer, at, count); }
  f32(at, count) { return new Float32Array(this.x.memory.buffer, at, count); }
  u64(at, count) { return new BigUint64Array(this.x.memory.buffer, at, count); }

  alloc(bytes) {
    const at = this.x.nighw_alloc(BigInt(bytes)) >>> 0;
    if (at === 0) throw new NighError(C.E_MEMORY, `no ${bytes} bytes of memory`);
    return at;
  }

  free(at) { this.ok(this.x.nighw_free(at)); }

  /** A copy of bytes in the module's memory; 0 for none. */
  put(array) {
    if (array == null) return 0;
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    const at = this.alloc(bytes.length);
    this.u8(at, bytes.length).set(bytes);
    return at;
  }

  /** Runs `body` with memory of these sizes (arrays: copies), which is given back after it. */
  with(sizes, body) {
    const places = [];
    try {
      for (const size of sizes) {
        places.push(typeof size === 'object' && size !== null ? this.put(size)
          : size == null ? 0 : this.alloc(size));
      }
      return body(...places);
    } finally {
      for (const place of places) this.free(place);
    }
  }

  text(at) {
    const bytes = new Uint8Array(this.x.memory.buffer, at >>> 0);
    return Buffer.from(bytes.subarray(0, bytes.indexOf(0))).toString();
  }

  ok(status, done = 0) {
    if (status !== C.OK) throw new NighError(status, this.text(this.x.nigh_status_text(status)), done);
  }

  /** The bytes of a structure with these fields, all others 0. */
  struct(name, values = {}) {
    const { size, fields } = STRUCTS[name];
    const view = new DataView(new ArrayBuffer(size));
    for (const field of fields) {
      const value = field.name === 'struct_size' ? size : values[field.name] ?? 0;
      const type = field.type.base;
      if (type === 'u64') view.setBigUint64(field.offset, BigInt(value), true);
      else if (type === 'f32') view.setFloat32(field.offset, value, true);
      else view.setUint32(field.offset, value, true);
    }
    return new Uint8Array(view.buffer);
  }

  /** What `call(address)` fills in. */
  filled(name, call) {
    const { fields } = STRUCTS[name];
    return this.with([this.struct(name)], (at) => {
      this.ok(call(at));
      const view = this.view();
      return Object.fromEntries(fields.map(({ name: field, offset, type: { base } }) => [field,
        base === 'u64' ? Number(view.getBigUint64(at + offset, true))
          : base === 'f32' ? view.getFloat32(at + offset, true)
            : base === 'i32' ? view.getInt32(at + offset, true)
              : view.getUint32(at + offset, true)]));
    });
  }

  /** The u64 that `call(address)` fills in. */
  sized(call) {
    return this.with([8], (at) => {
      this.ok(call(at));
      return Number(this.view().getBigUint64(at, true));
    });
  }

  /** The pointer that `call(address)` fills in. */
  made(call) {
    return this.with([8], (at) => {
      this.ok(call(at));
      return this.view().getUint32(at, true);
    });
  }
}

/** Keys as nigh takes them: numbers or bigints -> u64, strings -> their bytes and lengths. */
function encode(keys) {
  if (keys == null) return [null, null];
  if (typeof keys[0] !== 'string') return [BigUint64Array.from(keys, BigInt), null];
  const parts = keys.map((key) => Buffer.from(key));
  return [Buffer.concat(parts), Uint32Array.from(parts, (part) => part.length)];
}

/** One index with a session, in the memory of a host. */
export class Index {
  constructor(host) {
    this.host = host;
    this.memory = [];
  }

  take(bytes) {
    const at = this.host.alloc(bytes);
    this.memory.push(at);
    return at;
  }

  static create(host, config, { slots, slotMax = slots, keyBytes = 0, features = 0 }) {
    const made = new Index(host);
    const options = host.struct('nigh_options', { slot_max: slotMax, features });
    host.with([host.struct('nigh_config', config), options], (c, o) => {
      const bytes = host.sized((at) => host.x.nigh_index_bytes(c, o, at));
      const memory = made.take(bytes);
      made.index = host.made((at) => host.x.nigh_index_init(c, o, memory, BigInt(bytes), at));
    });
    made.write();
    if (slots > 0) made.grow(slots, keyBytes);
    return made.begin();
  }

  /** Attaches a copy of an image; with NIGH_OPEN_WRITABLE it can be changed. */
  static open(host, image, { flags = 0, slotMax = 0, features = 0 } = {}) {
    const made = new Index(host);
    const at = made.take(image.length);
    host.u8(at, image.length).set(image);
    try {
      made.attach(at, image.length, host.struct('nigh_options', {
        flags, slot_max: slotMax, features }));
      if (flags & C.OPEN_WRITABLE) made.write();
    } catch (error) {
      made.close();
      throw error;
    }
    return made.begin();
  }

  attach(image, size, options) {
    const { host } = this;
    host.with([options], (o) => {
      const bytes = host.sized((at) => host.x.nigh_attach_bytes(image, BigInt(size), o, at));
      const memory = this.take(bytes);
      this.index = host.made((at) => host.x.nigh_attach(image, BigInt(size), o, memory,
        BigInt(bytes), at));
    });
  }

  write() {
    const bytes = this.host.sized((at) => this.host.x.nigh_writer_bytes(this.index, at));
    this.host.ok(this.host.x.nigh_writer_init(this.index, this.take(bytes), BigInt(bytes)));
  }

  grow(slots, keyBytes = 0) {
    const { host } = this;
    const bytes = host.sized((at) => host.x.nigh_grow_bytes(this.index, slots, BigInt(keyBytes), at));
    if (bytes > 0) {
      host.ok(host.x.nigh_grow(this.index, slots, BigInt(keyBytes), this.take(bytes), BigInt(bytes)));
    }
  }

  begin() {
    this.config = this.host.filled('nigh_config', (at) =>
      this.host.x.nigh_config_get(this.index, at));
    const { dim, dtype } = this.config;
    this.rowBytes = this.host.sized((at) => this.host.x.nigh_row_bytes(dim, dtype, at));
    this.session = this.newSession();
    return this;
  }

  newSession(options = {}) {
    const { host } = this;
    return host.with([host.struct('nigh_session_options', options)], (o) => {
      const bytes = host.sized((at) => host.x.nigh_session_bytes(this.index, o, at));
      const memory = this.take(bytes);
      return host.made((at) => host.x.nigh_session_init(this.index, o, memory, BigInt(bytes), at));
    });
  }

  /** Gives all memory back. */
  close() {
    for (const at of this.memory) this.host.free(at);
    this.memory = [];
  }

  change(name, flags, keys, rows, count) {
    const { host } = this;
    const [bytes, lengths] = encode(keys);
    return host.with([bytes, lengths, rows, 4], (k, l, r, done) => {
      const given = name === 'remove' || name === 'unremove'
        ? [this.index, this.session, k, l, count, done]
        : [this.index, this.session, flags, k, l, r, count, done];
      const status = host.x[`nigh_${name}`](...given);
      const in_ = host.view().getUint32(done, true);
      host.ok(status, in_);
      return in_;
    });
  }

  insert(keys, rows, count = keys.length) { return this.change('insert', 0, keys, rows, count); }
  set(keys, rows) { return this.change('set', 0, keys, rows, keys.length); }
  remove(keys) { return this.change('remove', 0, keys, null, keys.length); }
  unremove(keys) { return this.change('unremove', 0, keys, null, keys.length); }

  /** [{key, distance, bits, slot}], nearest first. */
  search(query, k, options = {}) {
    const { host } = this;
    const room = this.config.keys === C.KEYS_BYTES ? this.config.key_bytes_max : 8;
    return host.with([query, host.struct('nigh_search_options', options), k * room, k * 4, k * 4,
      k * 4, 4], (q, o, keys, lengths, distances, slots, found) => {
      host.ok(host.x.nigh_search(this.index, this.session, q, o, k, keys, lengths, distances,
        slots, found));
      return this.hits(host.view().getUint32(found, true), keys, lengths, distances, slots);
    });
  }

  hits(count, keys, lengths, distances, slots) {
    const { host } = this;
    const out = [];
    let at = keys;
    for (let i = 0; i < count; i++) {
      let key;
      if (this.config.keys === C.KEYS_BYTES) {
        const length = host.u32(lengths, count)[i];
        key = Buffer.from(host.u8(at, length)).toString();
        at += length;
      } else {
        key = host.u64(keys, count)[i];
      }
      out.push({ key, distance: host.f32(distances, count)[i],
        bits: host.u32(distances, count)[i], slot: host.u32(slots, count)[i] });
    }
    return out;
  }

  /** Runs a job to its end with this index's session; rows and keys are for BUILD. */
  job(options, keys = null, rows = null, count = 0) {
    const { host } = this;
    const [bytes, lengths] = encode(keys);
    return host.with([host.struct('nigh_job_options', options), bytes, lengths, rows,
      host.struct('nigh_progress')], (o, k, l, r, progress) => {
      const size = host.sized((at) => host.x.nigh_job_bytes(this.index, o, count, at));
      const memory = this.take(size);
      const job = host.made((at) => host.x.nigh_job_begin(this.index, o, k, l, r, count, memory,
        BigInt(size), at));
      let status = C.OK;
      do {
        status = host.x.nigh_job_run(job, this.session, progress);
      } while (status === C.OK && host.view().getUint32(progress + 4, true) !== C.JOB_DONE);
      const done = Number(host.view().getBigUint64(progress + 8, true));
      host.ok(host.x.nigh_job_end(job));
      host.ok(status, done);
      return done;
    });
  }

  stats() {
    return this.host.filled('nigh_stats', (at) => this.host.x.nigh_stats_get(this.index, at));
  }

  check() {
    return this.host.filled('nigh_report', (at) =>
      this.host.x.nigh_check(this.index, this.session, at));
  }

  /** The image, written into memory in one piece. */
  save(flags = 0) {
    const { host } = this;
    const bytes = host.sized((at) => host.x.nigh_save_bytes(this.index, flags, at));
    return host.with([bytes], (at) => {
      host.ok(host.x.nighw_save(this.index, flags, at, BigInt(bytes)));
      return host.u8(at, bytes).slice();
    });
  }

  /** The image, by the write callback. */
  saveInChunks(flags = 0) {
    const { host } = this;
    const chunks = [];
    const user = host.user({ write: (at, count) => {
      chunks.push(host.u8(at, count).slice());
      return 0;
    } });
    host.ok(host.x.nigh_save(this.index, flags, host.x.nighw_function(KIND.write), user));
    host.users.delete(user);
    return Buffer.concat(chunks);
  }
}

/** f32 rows in steps of 2^-20: the same on every machine. */
export function rows(count, dim, seed = 1) {
  let state = BigInt(seed);
  const out = new Float32Array(count * dim);
  const centres = Float32Array.from({ length: 20 * dim }, next);
  function next() {
    state = (state * 6364136223846793005n + 1442695040888963407n) & ((1n << 64n) - 1n);
    return Number(state >> 44n) / (1 << 20) - 0.5;
  }
  for (let i = 0; i < count; i++) {
    const centre = Math.floor((next() + 0.5) * 20) * dim;
    for (let j = 0; j < dim; j++) out[i * dim + j] = centres[centre + j] + next() / 4;
  }
  return out;
}
