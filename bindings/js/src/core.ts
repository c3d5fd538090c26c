// core.ts - what all parts of an Index share: its handle, its room, where its vectors come from
// SPDX-License-Identifier: MIT OR Apache-2.0
import { NIGH_BUILD_EXACT, NIGH_BUILD_KEEP_PRUNED, NIGH_DTYPE_F32,
  NIGH_E_BUSY, NIGH_E_FULL, NIGH_E_INVALID, NIGH_E_MISMATCH, NIGH_E_READ_ONLY, NIGH_KEYS_BYTES,
  NIGH_METRIC_CUSTOM, NIGH_OPEN_WRITABLE, type nigh_stats, NIGH_VECTORS_EXTERNAL } from './abi.js';
import { fail } from './errors.js';
import { CONFIG, FREE_COUNT, type Handle, KEY_BYTES, LIVE_COUNT, SLOT_CAPACITY, SLOT_COUNT,
  SLOTS_MAX, slotMaxFor, STATS_CODES, WRITABLE } from './handle.js';
import { type Key, type KeyForm, keyForm, type KeyKind, type KeyOf, STORED,
  storedKind } from './keys.js';
import { needs } from './module.js';
import { more, type Outer } from './rest.js';
import { type DType, DTYPES, floatShape, type Shape } from './rows.js';
import { type Fields, FILTER, IN } from './wasm.js';

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

/** By number; nobody asks for a custom metric by name. */
export const METRICS = ['', 'l2', 'ip', 'cosine', 'l1', 'hamming', 'custom'];
export const CODES = ['none', 'u7', 'b1'];

export function choice(names: string[], name: string, what: string): number {
  const number = names.indexOf(name);
  return name && number >= 0 ? number
    : fail(NIGH_E_INVALID, `${what} '${name}', expected ${names.filter(Boolean).join(', ')}`);
}

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
  return h.put(IN, CONFIG, {
    ...o, // numbers under the names of its fields
    seed: seedOf(o.seed),
    dtype: choice(DTYPES, dtype, 'dtype'),
    codes: choice(CODES, codes, 'codes'),
    metric: typeof metric === 'function' ? NIGH_METRIC_CUSTOM
      : choice(METRICS.slice(0, -1), metric, 'metric'),
    keys: storedKind(keys),
    vectors: o.vectors ? NIGH_VECTORS_EXTERNAL : 0,
    buildFlags: (o.keepPruned ? NIGH_BUILD_KEEP_PRUNED : 0) | (o.exactBuild ? NIGH_BUILD_EXACT : 0),
  });
}

export class Core<K extends Key> {
  /** @internal */ _h: Handle | undefined;
  /** @internal */ _form!: KeyForm<K>;
  /** @internal */ _shape!: Shape;
  /** @internal */ _job = false;
  /** @internal */ _external!: boolean;
  private _outer!: Outer;

  /** Takes over a handle. @internal */
  _begin(h: Handle, keys: KeyKind | undefined, source: VectorSource<K> | undefined,
    distance: Distance | undefined): this {
    h.run(() => {
      const at = h.config();
      const [dim, metric, dtype, stored, vectors, room] = [4, 8, 12, 16, 20, 44].map((field) =>
        h.word(at + field)) as [number, number, number, number, number, number];
      this._external = vectors === NIGH_VECTORS_EXTERNAL;
      if (keys && storedKind(keys) !== stored) {
        fail(NIGH_E_MISMATCH, `the index has ${STORED[stored]} keys, not ${keys}`);
      }
      if (source && !this._external) fail(NIGH_E_MISMATCH, 'the index holds its vectors itself');
      if ((metric === NIGH_METRIC_CUSTOM) !== !!distance) {
        fail(NIGH_E_MISMATCH, distance ? 'the index has a metric of its own'
          : 'the index was made with a distance function: metric is missing');
      }
      this._shape = dtype === NIGH_DTYPE_F32 ? floatShape(dim)
        : more.shape && h.whole ? more.shape(h, dim, dtype) : needs(DTYPES[dtype]!);
      this._form = keyForm(stored, room, keys) as KeyForm<K>;
    });
    this._outer = { source, distance };
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
    const { _form: form, _outer: outer } = this;
    h.calls[FILTER] = (user, slot, key) => {
      const of = key ? form.at(h, key, 0) : h.keyOf(form, slot >>> 0);
      return of !== undefined && h.filters.get(user)!(of) ? 1 : 0;
    };
    if (outer.source || outer.distance) {
      if (!more.equip) needs('vectors and distances of your own');
      more.equip(h, this._shape, form, outer);
    }
  }

  // ---- Room --------------------------------------------------------------------------------------

  /** Makes room for so many keys in total, and bytes of string keys in total. The index grows by
   * itself as well. */
  reserve(count: number, keyBytes = 0): void {
    uint('count', count);
    uint('keyBytes', keyBytes);
    if (!this.writable) fail(NIGH_E_READ_ONLY, 'the index is read-only');
    this._grow(Math.max(count, this._stat(SLOT_CAPACITY)), keyBytes);
  }

  /** @internal */
  _grow(slots: number, keyBytes: number): void {
    let h = this._open();
    if (slots > SLOTS_MAX) fail(NIGH_E_FULL, `${slots} slots, at most ${SLOTS_MAX}`);
    this._idle();
    if (slots > h.slotMax) h = this._move(slotMaxFor(Math.max(slots, 2 * h.slotMax)));
    h.run(() => h.grow(slots, keyBytes));
  }

  /** Goes on in another instance. @internal */
  _move(slotMax: number, writable = true, module?: WebAssembly.Module): Handle {
    const old = this._open();
    const h = old.run(() => old.copy(slotMax, writable ? NIGH_OPEN_WRITABLE : 0, module));
    this._equip(h);
    if (writable) h.run(() => h.writable());
    return this._h = h;
  }

  /** @internal */
  _idle(): void {
    this._open();
    if (this._job) fail(NIGH_E_BUSY, 'a job is under way');
  }

  /** Room for keys of which `count` were refused, for the attempt-th time. @internal */
  _more(count: number, keyBytes: number, attempt: number): void {
    const held = this._run((h) => h.long(h.stats() + KEY_BYTES));
    const need = this._stat(SLOT_COUNT) - this._stat(FREE_COUNT) + count;
    let slots = this._stat(SLOT_CAPACITY);
    if (need > slots || attempt > 1) slots = Math.max(need, slots + (slots >> 1), 64);
    const strings = this._form.kind === NIGH_KEYS_BYTES;
    this._grow(slots, strings ? held + Math.max(held >> 1, 2 * keyBytes, 1 << 12) : 0);
  }

  // ---- What it is --------------------------------------------------------------------------------

  /** Elements of a vector. */
  get dim(): number { return this._shape.dim; }

  /** Keys that a search can return. */
  get size(): number { return this._stat(LIVE_COUNT); }

  get metric(): Metric | 'custom' {
    return METRICS[this._run((h) => h.word(h.config() + 8))] as Metric;
  }

  get dtype(): DType { return DTYPES[this._shape.dtype] as DType; }

  /** The codes that searches use. */
  get codes(): Codes { return CODES[this._stat(STATS_CODES)] as Codes; }

  /** False: packed, or opened so; changes are refused. */
  get writable(): boolean { return this._stat(WRITABLE) === 1; }

  /** A field of nigh_stats. @internal */
  _stat(offset: number): number {
    return this._run((h) => h.word(h.stats() + offset));
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

