// core.ts - what all parts of an Index share: its handle, its room, where its vectors come from
// SPDX-License-Identifier: MIT OR Apache-2.0
import { NIGH_BUILD_EXACT, NIGH_BUILD_KEEP_PRUNED, NIGH_BUILD_UNROOTED, NIGH_CODES_B1,
  NIGH_CODES_NONE, NIGH_CODES_U7, nigh_config, NIGH_DTYPE_F32, NIGH_E_BUSY,
  NIGH_E_FETCH, NIGH_E_FULL, NIGH_E_INVALID, NIGH_E_MISMATCH, NIGH_E_READ_ONLY,
  NIGH_KEYS_BYTES, NIGH_METRIC_COSINE, NIGH_METRIC_CUSTOM, NIGH_METRIC_HAMMING, NIGH_METRIC_IP,
  NIGH_METRIC_L1, NIGH_METRIC_L2, nigh_stats, NIGH_VECTORS_EXTERNAL } from './abi.js';
import { fail } from './errors.js';
import { Handle, SLOTS_MAX, slotMaxFor } from './handle.js';
import { type Key, type KeyForm, keyForm, type KeyKind, type KeyOf, storedKind } from './keys.js';
import { type DType, DTYPES, rowsOf, type Shape } from './rows.js';
import { bitsOf, DISTANCE, FETCH, type Fields, FILTER, IN, PREFETCH } from './wasm.js';

/** Elements of vectors as the index stores them. */
export type Elements = Float32Array | Uint16Array | Int8Array | Uint8Array;
export type Metric = 'l2' | 'ip' | 'cosine' | 'l1' | 'hamming';
export type Codes = 'none' | 'u7' | 'b1';
/** Smaller is nearer, the same in both directions; NaN counts as infinite. */
export type Distance = (a: Elements, b: Elements) => number;

/** Vectors that the index does not hold. Both functions are called in the middle of searches and
 * changes, at once, and must not call the index. */
export interface VectorSource<K = Key> {
  /** Fills `out` with the vectors of these slots, one after another. Slots count in the order of
   * insertion; keys are missing for indexes with string keys. */
  fetch(slots: Uint32Array, keys: K[] | undefined, out: Elements): void;
  /** These are likely to be fetched soon. */
  prefetch?(slots: Uint32Array, keys: K[] | undefined): void;
}

/** What is not stored, and has to be said each time an index is made or opened. */
export interface Outside<K = Key> {
  /** Where vectors are, of an index that does not hold them. */
  vectors?: VectorSource<K>;
}

/** What an index is; all of it is stored, and decides its bytes. */
export interface IndexOptions<T extends KeyKind = 'number'> extends Outside<KeyOf<T>> {
  /** Elements of a vector, 1 to 65535. */
  dim: number;
  /** How far vectors are apart: l2 (squared), ip (1 - inner product), cosine, l1, hamming (of
   * bits), or a function of two vectors. Default l2. */
  metric?: Metric | Distance;
  /** What vectors are stored as. Default f32. */
  dtype?: DType;
  /** Small copies of vectors to search on, made by `build` or `makeCodes`. Default none. */
  codes?: Codes;
  /** Default number. */
  keys?: T;
  /** Links of a node, default 16; `m0` in the lowest layer, default 2 m. */
  m?: number;
  m0?: number;
  /** Candidates kept while inserting, default 200. */
  efBuild?: number;
  expansions?: number;
  /** The same seed and the same insertions give the same bytes. */
  seed?: number | bigint;
  alpha?: number;
  blockBytes?: number;
  keyBytesMax?: number;
  codeMin?: number;
  codeMax?: number;
  keepPruned?: boolean;
  exactBuild?: boolean;
  /** Keys to make room for now. The index grows by itself; beyond twice this many (at least
   * 65,536) it is copied once. Not stored. */
  capacity?: number;
}

/** Every stored value, defaults filled in. */
export interface Config {
  dim: number;
  metric: Metric | 'custom';
  dtype: DType;
  keys: 'u64' | 'bytes' | 'identity';
  external: boolean;
  codes: Codes;
  seed: bigint;
  m: number;
  m0: number;
  efBuild: number;
  expansions: number;
  alpha: number;
  blockBytes: number;
  keyBytesMax: number;
  codeMin: number;
  codeMax: number;
  keepPruned: boolean;
  exactBuild: boolean;
  /** A graph of hnswlib's, which `root` prepares for changes. */
  unrooted: boolean;
}

/** nigh_stats of nigh.h: what an index holds now. */
export type Stats = Fields<typeof nigh_stats>;

const METRICS: Record<string, number> = { l2: NIGH_METRIC_L2, ip: NIGH_METRIC_IP,
  cosine: NIGH_METRIC_COSINE, l1: NIGH_METRIC_L1, hamming: NIGH_METRIC_HAMMING,
  custom: NIGH_METRIC_CUSTOM };
export const CODES: Record<string, number> = { none: NIGH_CODES_NONE, u7: NIGH_CODES_U7,
  b1: NIGH_CODES_B1 };

export function choice(names: Record<string, number>, name: string, what: string): number {
  return Object.hasOwn(names, name) ? names[name]!
    : fail(NIGH_E_INVALID, `${what} '${name}', expected ${Object.keys(names).join(', ')}`);
}
const nameOf = (names: Record<string, number>, value: number) =>
  Object.keys(names).find((name) => names[name] === value)!;

/** An integer from 0 on that a caller gave, or 0. */
export function uint(name: string, value: number | undefined, low = 0, high = 2 ** 31 - 1): number {
  if (value === undefined) return 0;
  return Number.isInteger(value) && value >= low && value <= high ? value
    : fail(NIGH_E_INVALID, `${name} ${value}, expected an integer from ${low} to ${high}`);
}

const seedOf = (seed: number | bigint = 0) =>
  (typeof seed === 'bigint' || Number.isSafeInteger(seed) ? BigInt(seed)
    : fail(NIGH_E_INVALID, `seed ${seed}, expected an integer`));

/** nigh_config in the cell of a handle. */
export function putConfig(h: Handle, o: IndexOptions<KeyKind>): number {
  const { metric = 'l2', dtype = 'f32', codes = 'none', keys = 'number' } = o;
  uint('dim', o.dim ?? -1, 1, 65535);
  return h.put(IN, nigh_config, {
    ...o as object, // numbers under the names of its fields
    seed: seedOf(o.seed) as never,
    dtype: choice(DTYPES, dtype, 'dtype'),
    codes: choice(CODES, codes, 'codes'),
    metric: typeof metric === 'function' ? NIGH_METRIC_CUSTOM
      : metric as string === 'custom' ? fail(NIGH_E_INVALID, 'metric: a function of two vectors')
        : choice(METRICS, metric, 'metric'),
    keys: storedKind(keys),
    vectors: o.vectors ? NIGH_VECTORS_EXTERNAL : 0,
    buildFlags: (o.keepPruned ? NIGH_BUILD_KEEP_PRUNED : 0) | (o.exactBuild ? NIGH_BUILD_EXACT : 0),
  });
}

const ARRAYS = [Float32Array, Float32Array, Uint16Array, Uint16Array, Int8Array, Uint8Array,
  Uint8Array];

/** `count` vectors in JavaScript's memory, as the index stores them. */
const elementsFor = (shape: Shape, count: number): Elements => new ARRAYS[shape.dtype]!(
  count * (shape.dtype === DTYPES.b1 ? shape.rowBytes : shape.dim));

export class Core<K extends Key> {
  /** @internal */ _h: Handle | undefined;
  /** @internal */ _form!: KeyForm<K>;
  /** @internal */ _shape!: Shape;
  /** @internal */ _job = false;
  /** @internal */ _external!: boolean;
  private _source: VectorSource<K> | undefined;
  private _distance: Distance | undefined;

  /** Takes over a handle. @internal */
  _begin(h: Handle, keys: KeyKind | undefined, source: VectorSource<K> | undefined,
    distance: Distance | undefined): this {
    h.run(() => {
      const { dim, dtype, keys: stored, keyBytesMax, vectors, metric } = h.config();
      this._shape = { dim, dtype,
        rowBytes: h.sized((out) => h.x.nigh_row_bytes(dim, dtype, out)) };
      this._external = vectors === NIGH_VECTORS_EXTERNAL;
      if (keys && storedKind(keys) !== stored) {
        fail(NIGH_E_MISMATCH, `the index has ${stored === NIGH_KEYS_BYTES ? 'string'
          : stored ? 'identity' : 'number or bigint'} keys, not ${keys}`);
      }
      if (source && !this._external) fail(NIGH_E_MISMATCH, 'the index holds its vectors itself');
      if ((metric === NIGH_METRIC_CUSTOM) !== !!distance) {
        fail(NIGH_E_MISMATCH, distance ? 'the index has a metric of its own'
          : 'the index was made with a distance function: metric is missing');
      }
      this._form = keyForm(stored, keyBytesMax, keys) as KeyForm<K>;
    });
    this._source = source;
    this._distance = distance;
    this._equip(h);
    this._h = h;
    return this;
  }

  /** @internal */
  _open(): Handle {
    return this._h ?? fail(NIGH_E_INVALID, 'the index was disposed of');
  }

  /** Runs calls on the handle. @internal */
  _run<T>(body: (h: Handle) => T): T {
    const h = this._open();
    return h.run(() => body(h));
  }

  // ---- Callbacks ---------------------------------------------------------------------------------

  private _equip(h: Handle): void {
    const { _source: source, _distance: distance, _shape: shape, _form: form } = this;
    h.calls[FILTER] = (user, slot, key) => {
      const of = key ? form.at(h, key, 0) : h.keyOf(form, slot >>> 0);
      return of !== undefined && h.filters.get(user)!(of) ? 1 : 0;
    };
    if (distance) this._equipDistance(h, distance);
    if (!source) return;
    if (typeof source.fetch !== 'function') fail(NIGH_E_INVALID, 'vectors: no function fetch');
    const asked = (slots: number, keys: number, count: number) => [
      h.u32.slice(slots >>> 2, (slots >>> 2) + count),
      keys ? form.read(h, { keys, lengths: 0 }, count) : undefined] as const;
    let space = elementsFor(shape, 0);
    h.calls[FETCH] = (_, slots, keys, count, scratch, vectors) => {
      const each = elementsFor(shape, 1).length;
      if (space.length < count * each) space = elementsFor(shape, 2 * count);
      const out = space.subarray(0, count * each).fill(
        shape.dtype === NIGH_DTYPE_F32 ? NaN : 0x7fff); // what is left out is not an old vector
      const answer: unknown = source.fetch(...asked(slots, keys, count), out);
      if (typeof (answer as PromiseLike<void> | undefined)?.then === 'function') {
        fail(NIGH_E_FETCH, 'vectors.fetch returned a promise: searches cannot wait for it');
      }
      rowsOf(shape, out, count).put(h, scratch >>> 0, 0, count);
      for (let i = 0; i < count; i++) h.u32[(vectors >>> 2) + i] = scratch + i * shape.rowBytes;
      return 0;
    };
    h.calls[PREFETCH] = (_, slots, keys, count) => {
      source.prefetch!(...asked(slots, keys, count));
      return 0;
    };
    h.run(() => h.ok(h.x.nigh_index_fetch(h.index, h.x.nighw_function(FETCH),
      source.prefetch ? h.x.nighw_function(PREFETCH) : 0, 0)));
  }

  private _equipDistance(h: Handle, distance: Distance): void {
    const [one, other] = [elementsFor(this._shape, 1), elementsFor(this._shape, 1)];
    const bytes = [one, other].map((array) => new Uint8Array(array.buffer));
    h.calls[DISTANCE] = (_, a, b) => {
      bytes[0]!.set(h.u8.subarray(a >>> 0, (a >>> 0) + one.byteLength));
      bytes[1]!.set(h.u8.subarray(b >>> 0, (b >>> 0) + one.byteLength));
      return bitsOf(distance(one, other));
    };
    h.run(() => h.ok(h.x.nigh_index_distance(h.index, h.x.nighw_function(DISTANCE), 0)));
  }

  // ---- Room --------------------------------------------------------------------------------------

  /** Makes room for so many keys in total, and bytes of string keys in total. The index grows by
   * itself as well. */
  reserve(count: number, keyBytes = 0): void {
    uint('count', count);
    uint('keyBytes', keyBytes);
    const { slotCapacity, writable } = this.stats();
    if (!writable) fail(NIGH_E_READ_ONLY, 'the index is read-only');
    this._grow(Math.max(count, slotCapacity), keyBytes);
  }

  /** @internal */
  _grow(slots: number, keyBytes: number): void {
    let h = this._open();
    if (slots > SLOTS_MAX) fail(NIGH_E_FULL, `${slots} slots, at most ${SLOTS_MAX}`);
    if (this._job) fail(NIGH_E_BUSY, 'a job is under way');
    if (slots > h.slotMax) {
      const old = h;
      h = old.run(() => old.copy(slotMaxFor(Math.max(slots, 2 * old.slotMax))));
      this._equip(h);
      h.run(() => h.writable());
      this._h = h;
    }
    h.run(() => h.grow(slots, keyBytes));
  }

  /** Room for keys of which `count` were refused, for the attempt-th time. @internal */
  _more(count: number, keyBytes: number, attempt: number): void {
    const { slotCapacity, slotCount, freeCount, keyBytes: held } = this.stats();
    const need = slotCount - freeCount + count;
    let slots = slotCapacity;
    if (need > slots || attempt > 1) slots = Math.max(need, slots + (slots >> 1), 64);
    const strings = this._form.kind === NIGH_KEYS_BYTES;
    this._grow(slots, strings ? held + Math.max(held >> 1, 2 * keyBytes, 1 << 12) : 0);
  }

  // ---- What it is --------------------------------------------------------------------------------

  /** Elements of a vector. */
  get dim(): number { return this._shape.dim; }

  /** Keys that a search can return. */
  get size(): number { return this.stats().liveCount; }

  get metric(): Metric | 'custom' { return this.config().metric; }

  get dtype(): DType { return nameOf(DTYPES, this._shape.dtype) as DType; }

  /** The codes that searches use. */
  get codes(): Codes { return nameOf(CODES, this.stats().codes) as Codes; }

  /** False: packed, or opened so; changes are refused. */
  get writable(): boolean { return this.stats().writable === 1; }

  stats(): Stats {
    return this._run((h) => h.stats());
  }

  config(): Config {
    const { buildFlags, vectors: _, ...c } = this._run((h) => h.config());
    return { ...c, external: this._external, metric: nameOf(METRICS, c.metric) as Metric,
      dtype: this.dtype, keys: (['u64', 'bytes', 'identity'] as const)[c.keys]!,
      codes: nameOf(CODES, c.codes) as Codes,
      keepPruned: (buildFlags & NIGH_BUILD_KEEP_PRUNED) > 0,
      exactBuild: (buildFlags & NIGH_BUILD_EXACT) > 0,
      unrooted: (buildFlags & NIGH_BUILD_UNROOTED) > 0 };
  }

  /** Bytes of WebAssembly memory that the index has, free ones included. */
  get memoryBytes(): number { return this._open().x.memory.buffer.byteLength; }

  /** Gives the memory back: after this every call fails. What is forgotten instead is given back by
   * the collector, as the memory belongs to nothing else. */
  dispose(): void {
    if (this._h) this._run(() => undefined); // not from inside of a callback
    this._h = undefined;
  }
}

