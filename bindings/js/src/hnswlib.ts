// hnswlib.ts - the classes of hnswlib-node, with its errors and its files
// SPDX-License-Identifier: MIT OR Apache-2.0
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { inflateSync } from 'node:zlib';
import './more.js';
import { _hasSimd, _loadSync, Index } from './api.js';
import { replace, replaceSync } from './files.js';
import { plain } from './inline-plain.js';
import { simd } from './inline-simd.js';

/** l2: squared distance; ip: 1 - inner product; cosine: that of normalised vectors. */
export type SpaceName = 'l2' | 'ip' | 'cosine';
export interface SearchResult { distances: number[]; neighbors: number[] }
export type FilterFunction = (label: number) => boolean;
export interface InitOptions { maxElements: number; m?: number; efConstruction?: number;
  randomSeed?: number; allowReplaceDeleted?: boolean }

const NOT_READY = 'Search index has not been initialized, call `initIndex` in advance.';
const NO_INDEX = 'Search index is not constructed.';
const FULL = 'The number of elements exceeds the specified limit';
const NO_LABEL = 'Label not found';
const CORRUPT = 'Index seems to be corrupted or unsupported';
const NO_UPDATE = "Can't use addPoint to update a deleted element. It will be replaced by a new one.";
const ORDINALS = ['first', 'second', 'third', 'fourth', 'fifth'];
const NAMED: [keyof InitOptions, string][] = [['m', 'number'], ['efConstruction', 'number'],
  ['randomSeed', 'number'], ['allowReplaceDeleted', 'boolean']];

// ---- Arguments ----------------------------------------------------------------------------------

type Kind = 'number' | 'string' | 'boolean' | 'function' | 'Array';

function given(args: IArguments, least: number, most = least): void {
  const exact = least === most;
  if (exact ? args.length !== least : args.length < least) {
    throw new Error(`Expected ${exact ? least : `${least}-${most}`} arguments, ` +
      `but got ${args.length}.`);
  }
}

const is = (value: unknown, kind: Kind) =>
  (kind === 'Array' ? Array.isArray(value) : typeof value === kind);

/** Whether the arguments are of these kinds; those behind `needed` may be left out. */
function typed(args: IArguments, kinds: Kind[], needed = kinds.length): void {
  kinds.forEach((kind, at) => {
    const value: unknown = args[at];
    if (is(value, kind) || (at >= needed && value === undefined)) return;
    const article = kind === 'Array' ? 'an' : 'a';
    throw new TypeError(`Invalid the ${ORDINALS[at]} argument type, must be ${article} ${kind}.`);
  });
}

function sized(array: number[], dim: number, which = 'given'): void {
  if (array.length !== dim) {
    throw new Error(`Invalid the ${which} array length ` +
      `(expected ${dim}, but got ${array.length}).`);
  }
}

const failed = (text: string, cause?: unknown) =>
  new Error(`Hnswlib Error: ${text}`, cause === undefined ? undefined : { cause });

/** Runs with errors of nigh's as those of hnswlib. */
function hnswlib<T>(body: () => T, text?: string): T {
  try {
    return body();
  } catch (error) {
    if ((error as { status?: unknown }).status === undefined) throw error; // a callback's
    throw failed(text ?? (error as Error).message, error);
  }
}

function metricOf(name: string): 'l2' | 'ip' {
  if (name !== 'l2' && name !== 'ip' && name !== 'cosine') {
    throw new Error('Wrong space name, expected "l2", "ip", or "cosine".');
  }
  return name === 'l2' ? 'l2' : 'ip';
}

/** Floats, of length 1 under cosine. */
function pointOf(array: number[], normalize: boolean): Float32Array {
  const point = Float32Array.from(array);
  if (!normalize) return point;
  const norm = Math.fround(Math.sqrt(Math.abs(sum(point, (x) => Math.fround(x * x)))));
  return norm > 0 ? point.map((x) => x / norm) : point;
}

function sum(point: Float32Array, of: (x: number, at: number) => number): number {
  let total = 0;
  for (let i = 0; i < point.length; i++) total = Math.fround(total + of(point[i]!, i));
  return total;
}

let loaded = false;
/** hnswlib's classes do not wait for anything. */
function load(): void {
  if (loaded) return;
  _loadSync(() => (_hasSimd() ? inflateSync(Buffer.from(simd, 'base64'))
    : Buffer.from(plain, 'base64')));
  loaded = true;
}

const contents = (path: string, read: () => Buffer): Buffer => {
  try {
    return read();
  } catch (cause) {
    throw failed(`failed to open file: ${path}`, cause);
  }
};

// ---- Spaces -------------------------------------------------------------------------------------

abstract class Space {
  #dim: number;

  constructor(numDimensions: number) {
    given(arguments, 1);
    typed(arguments, ['number']);
    this.#dim = numDimensions >>> 0;
  }

  distance(pointA: number[], pointB: number[]): number {
    given(arguments, 2);
    typed(arguments, ['Array', 'Array']);
    sized(pointA, this.#dim, 'first');
    sized(pointB, this.#dim, 'second');
    return this.between(Float32Array.from(pointA), Float32Array.from(pointB));
  }

  /** @internal */
  protected abstract between(a: Float32Array, b: Float32Array): number;

  getNumDimensions(): number { return this.#dim; }
}

/** Squared Euclidean distance. */
export class L2Space extends Space {
  /** @internal */
  protected override between(a: Float32Array, b: Float32Array): number {
    return sum(a, (x, at) => {
      const apart = Math.fround(x - b[at]!);
      return Math.fround(apart * apart);
    });
  }
}

/** One minus the inner product. */
export class InnerProductSpace extends Space {
  /** @internal */
  protected override between(a: Float32Array, b: Float32Array): number {
    return Math.fround(1 - sum(a, (x, at) => Math.fround(x * b[at]!)));
  }
}

// ---- Both kinds of search -----------------------------------------------------------------------

abstract class Base {
  /** @internal */ protected readonly metric: 'l2' | 'ip';
  /** @internal */ protected readonly normalize: boolean;
  /** @internal */ protected readonly dim: number;
  /** @internal */ protected index: Index<number> | undefined;
  /** @internal */ protected max = 0;

  constructor(spaceName: SpaceName, numDimensions: number) {
    given(arguments, 2);
    typed(arguments, ['string', 'number']);
    this.metric = metricOf(spaceName);
    this.normalize = spaceName === 'cosine';
    this.dim = numDimensions >>> 0;
  }

  /** @internal */
  protected abstract take(file: Uint8Array, allowReplaceDeleted: boolean): void;
  /** @internal */
  protected abstract bytes(index: Index<number>): Uint8Array;

  /** @internal */
  protected ready(text = NOT_READY): Index<number> {
    if (!this.index) throw new Error(text);
    return this.index;
  }

  /** @internal */
  protected async readFrom(filename: string, allowReplaceDeleted = false): Promise<boolean> {
    const file = await readFile(filename).then((data) => () => data,
      (error: unknown) => () => { throw error; });
    this.take(contents(filename, file), allowReplaceDeleted);
    return true;
  }

  /** @internal */
  protected readFromSync(filename: string, allowReplaceDeleted = false): void {
    this.take(contents(filename, () => readFileSync(filename)), allowReplaceDeleted);
  }

  async writeIndex(filename: string): Promise<boolean> {
    given(arguments, 1);
    typed(arguments, ['string']);
    if (!this.index) throw failed('search index is not constructed.');
    await replace(filename, hnswlib(() => this.bytes(this.index!)));
    return true;
  }

  writeIndexSync(filename: string): void {
    given(arguments, 1);
    typed(arguments, ['string']);
    const index = this.ready(NO_INDEX);
    replaceSync(filename, hnswlib(() => this.bytes(index)));
  }

  /** @internal */
  protected found(point: number[], k: number, filter: FilterFunction | undefined,
    how: { exact?: boolean; ef?: number }): SearchResult {
    const hits = hnswlib(() => this.index!.search(pointOf(point, this.normalize), { ...how, k,
      filter, expansions: 1 }));
    return { distances: hits.map(({ distance }) => distance),
      neighbors: hits.map(({ key }) => key) };
  }

  /** @internal */
  protected checkK(k: number): number {
    if (k >>> 0 > this.max) {
      throw new Error('Invalid the number of k-nearest neighbors (cannot be given a value greater ' +
        `than \`maxElements\`: ${this.max}).`);
    }
    return k >>> 0;
  }

  getMaxElements(): number { return this.index ? this.max : 0; }

  getNumDimensions(): number { return this.dim; }
}

// ---- Brute force --------------------------------------------------------------------------------

const HEAD_BYTES = 24;

/** Every vector is looked at: by an index whose graph is as small as can be and not used. */
export class BruteforceSearch extends Base {
  initIndex(maxElements: number): void {
    given(arguments, 1);
    typed(arguments, ['number']);
    this.index = this.#made();
    this.max = maxElements >>> 0;
  }

  #made(): Index<number> {
    load();
    return hnswlib(() => Index.createSync({ dim: this.dim, metric: this.metric, m: 2, efBuild: 1 }));
  }

  readIndex(filename: string): Promise<boolean> {
    given(arguments, 1);
    typed(arguments, ['string']);
    return this.readFrom(filename);
  }

  readIndexSync(filename: string): void {
    given(arguments, 1);
    typed(arguments, ['string']);
    this.readFromSync(filename);
  }

  /** @internal */
  protected override take(file: Uint8Array): void {
    const size = 4 * this.dim + 8;
    const data = new DataView(file.buffer, file.byteOffset, file.byteLength);
    const word = (at: number) => Number(data.getBigUint64(at, true));
    const [max, each, count] = file.length < HEAD_BYTES ? [0, 0, 1] : [word(0), word(8), word(16)];
    if (each !== size || count > max || file.length < HEAD_BYTES + count * size) {
      throw failed(CORRUPT);
    }
    const index = this.#made();
    for (let at = HEAD_BYTES; at < HEAD_BYTES + count * size; at += size) {
      const bytes = new Uint8Array(file.subarray(at, at + size)); // aligned
      hnswlib(() => index.set(word(at + size - 8), new Float32Array(bytes.buffer, 0, this.dim)),
        CORRUPT);
    }
    this.index = index;
    this.max = max;
  }

  /** @internal */
  protected override bytes(index: Index<number>): Uint8Array {
    const size = 4 * this.dim + 8;
    const out = new Uint8Array(HEAD_BYTES + this.max * size);
    const data = new DataView(out.buffer);
    [this.max, size, index.size].forEach((value, at) =>
      data.setBigUint64(8 * at, BigInt(value), true));
    let at = HEAD_BYTES;
    for (const label of index.keys()) {
      out.set(index.row(label)!, at);
      data.setBigUint64(at + size - 8, BigInt(label), true);
      at += size;
    }
    return out;
  }

  addPoint(point: number[], label: number): void {
    given(arguments, 2);
    typed(arguments, ['Array', 'number']);
    const index = this.ready();
    sized(point, this.dim);
    const key = label >>> 0;
    const vector = pointOf(point, this.normalize);
    if (index.has(key)) {
      hnswlib(() => index.set(key, vector));
      return;
    }
    if (index.size >= this.max) throw failed(`${FULL}\n`);
    hnswlib(() => index.add(key, vector, { replaceRemoved: true }));
  }

  removePoint(label: number): void {
    given(arguments, 1);
    typed(arguments, ['number']);
    const index = this.ready();
    if (index.has(label >>> 0)) hnswlib(() => index.remove(label >>> 0));
  }

  searchKnn(queryPoint: number[], numNeighbors: number, filter?: FilterFunction): SearchResult {
    given(arguments, 2, 3);
    typed(arguments, ['Array', 'number', 'function'], 2);
    this.ready();
    sized(queryPoint, this.dim);
    const k = this.checkK(numNeighbors);
    if (k === 0) {
      throw new Error('Invalid the number of k-nearest neighbors (must be a positive number).');
    }
    return this.found(queryPoint, k, filter, { exact: true });
  }

  getCurrentCount(): number { return this.index ? this.index.size : 0; }
}

// ---- Graphs -------------------------------------------------------------------------------------

const CAPACITY = 1 << 16; // room that is made at once; it grows to maxElements

export class HierarchicalNSW extends Base {
  #ef = 10;
  #replaces = false;
  #unrooted = false; // a file's graph, which has to be prepared before it is changed
  #deleted = new Map<number, number>(); // label -> slot

  initIndex(maxElements: number | InitOptions, m?: number, efConstruction?: number,
    randomSeed?: number, allowReplaceDeleted?: boolean): void {
    given(arguments, 1, 5);
    let options: InitOptions;
    if (arguments.length === 1 && typeof maxElements === 'object' && maxElements !== null) {
      options = named(maxElements);
    } else {
      typed(arguments, ['number', 'number', 'number', 'number', 'boolean'], 1);
      options = { maxElements: maxElements as number, m, efConstruction, randomSeed,
        allowReplaceDeleted };
    }
    load();
    const max = options.maxElements >>> 0;
    const links = (options.m ?? 16) >>> 0;
    const index = hnswlib(() => Index.createSync({ dim: this.dim, metric: this.metric, m: links,
      efBuild: Math.max((options.efConstruction ?? 200) >>> 0, links),
      seed: (options.randomSeed ?? 100) >>> 0, capacity: Math.min(max, CAPACITY) }));
    this.#begin(index, max, options.allowReplaceDeleted ?? false);
  }

  #begin(index: Index<number>, max: number, replaces: boolean): void {
    this.index = index;
    this.max = max;
    this.#ef = 10;
    this.#replaces = replaces;
    this.#unrooted = index.config().unrooted;
    this.#deleted.clear();
  }

  readIndex(filename: string, allowReplaceDeleted?: boolean): Promise<boolean> {
    given(arguments, 1, 2);
    typed(arguments, ['string', 'boolean'], 1);
    return this.readFrom(filename, allowReplaceDeleted);
  }

  readIndexSync(filename: string, allowReplaceDeleted?: boolean): void {
    given(arguments, 1, 2);
    typed(arguments, ['string', 'boolean'], 1);
    this.readFromSync(filename, allowReplaceDeleted);
  }

  /** @internal */
  protected override take(file: Uint8Array, allowReplaceDeleted: boolean): void {
    load();
    const { index, about } = hnswlib(() =>
      Index.readHnswlibSync(file, { dim: this.dim, metric: this.metric }), CORRUPT);
    this.#begin(index, Math.max(about.maxElements, about.slotCount), allowReplaceDeleted);
    if (about.deletedCount > 0) this.#readDeleted(file, about);
  }

  /** Slot s is the s-th element: the mark is before its links, its label behind its vector. */
  #readDeleted(file: Uint8Array, about: { bits: number; slotCount: number; vectorOffset: number;
    vectorStride: number }): void {
    const data = new DataView(file.buffer, file.byteOffset, file.byteLength);
    const word = (at: number) => (about.bits === 64 ? Number(data.getBigUint64(at, true))
      : data.getUint32(at, true));
    const offsetData = word(5 * about.bits / 8); // the sixth of the header
    for (let slot = 0; slot < about.slotCount; slot++) {
      const vector = about.vectorOffset + slot * about.vectorStride;
      if (data.getUint8(vector - offsetData + 2) & 1) {
        this.#deleted.set(word(vector + 4 * this.dim), slot);
      }
    }
  }

  /** @internal */
  protected override bytes(index: Index<number>): Uint8Array {
    return index.writeHnswlib({ maxElements: this.max });
  }

  resizeIndex(newMaxElements: number): void {
    given(arguments, 1);
    typed(arguments, ['number']);
    this.ready();
    if (newMaxElements >>> 0 < this.getCurrentCount()) {
      throw failed('Cannot resize, max element is less than the current number of elements');
    }
    this.max = newMaxElements >>> 0;
  }

  addPoint(point: number[], label: number, replaceDeleted?: boolean): void {
    given(arguments, 2, 3);
    typed(arguments, ['Array', 'number', 'boolean'], 2);
    const index = this.ready();
    sized(point, this.dim);
    if (replaceDeleted && !this.#replaces) {
      throw failed('Replacement of deleted elements is disabled in constructor');
    }
    const key = label >>> 0;
    const vector = pointOf(point, this.normalize);
    if (this.#deleted.has(key) && this.#replaces) throw failed(NO_UPDATE);
    if (this.#unrooted) {
      index.rootSync();
      this.#unrooted = false;
    }
    if (this.#deleted.has(key) || index.has(key)) {
      hnswlib(() => index.set(key, vector));
      this.#deleted.delete(key);
      return;
    }
    const replaces = replaceDeleted === true && this.#deleted.size > 0;
    if (!replaces && this.getCurrentCount() >= this.max) throw failed(FULL);
    hnswlib(() => index.add(key, vector, { replaceRemoved: replaces }));
    if (replaces) {
      const slot = index.slot(key);
      for (const [gone, at] of this.#deleted) {
        if (at === slot) this.#deleted.delete(gone);
      }
    }
  }

  markDelete(label: number): void {
    given(arguments, 1);
    typed(arguments, ['number']);
    const index = this.ready();
    const key = label >>> 0;
    if (this.#deleted.has(key)) throw failed('The requested to delete element is already deleted');
    const slot = index.slot(key);
    if (slot === undefined) throw failed(NO_LABEL);
    hnswlib(() => index.remove(key));
    this.#deleted.set(key, slot);
  }

  unmarkDelete(label: number): void {
    given(arguments, 1);
    typed(arguments, ['number']);
    const index = this.ready();
    const key = label >>> 0;
    if (!this.#deleted.has(key)) {
      throw failed(index.has(key) ? 'The requested to undelete element is not deleted' : NO_LABEL);
    }
    hnswlib(() => index.unremove(key));
    this.#deleted.delete(key);
  }

  searchKnn(queryPoint: number[], numNeighbors: number, filter?: FilterFunction): SearchResult {
    given(arguments, 2, 3);
    typed(arguments, ['Array', 'number', 'function'], 2);
    this.ready();
    sized(queryPoint, this.dim);
    const k = this.checkK(numNeighbors);
    return this.found(queryPoint, k, filter, { ef: Math.max(1, this.#ef, k) });
  }

  /** Labels, those of deleted elements too. */
  getIdsList(): number[] {
    return this.index ? [...this.index.keys(), ...this.#deleted.keys()] : [];
  }

  getPoint(label: number): number[] {
    given(arguments, 1);
    typed(arguments, ['number']);
    if (!this.index) return [];
    const point = this.index.get(label >>> 0);
    if (!point) throw failed(NO_LABEL);
    return Array.from(point);
  }

  getCurrentCount(): number { return this.index ? this.index.stats().slotCount : 0; }

  getEf(): number {
    this.ready();
    return this.#ef;
  }

  setEf(ef: number): void {
    given(arguments, 1);
    typed(arguments, ['number']);
    this.ready();
    this.#ef = ef >>> 0;
  }
}

function named(options: InitOptions): InitOptions {
  const bad = (name: string, kind: string) => {
    throw new TypeError(`Invalid the named argument type \`${name}\`, must be a ${kind}.`);
  };
  if (!('maxElements' in options)) {
    throw new TypeError('Missing named argument `maxElements`, must be specified.');
  }
  if (typeof options.maxElements !== 'number') bad('maxElements', 'number');
  for (const [name, kind] of NAMED) {
    if (name in options && typeof options[name] !== kind) bad(name, kind);
  }
  return options;
}
