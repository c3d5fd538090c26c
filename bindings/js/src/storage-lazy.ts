// storage-lazy.ts - vectors that take their time: IndexedDB, a server, a file that a page reads
// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The core asks for vectors in the middle of a search, and cannot wait. So a search runs twice: what
// it asked for and was not there is read, then it runs again and finds it. On codes the walk never
// looks at vectors, only what it found is scored on them, so one pass tells all that is wanted, and
// its result is thrown away. Without codes each step depends on the vectors of the last: there are
// as many passes as steps.
import { NIGH_E_FETCH, NIGH_E_INVALID } from './abi.js';
import type { Elements, Hit, Index, Key, SearchOptions, Vector, VectorSource } from './api.js';
import type { Outer } from './rest.js';
import { failed } from './storage-device.js';
import { bytesIn, type RowOptions, Rows } from './storage-rows.js';

const CACHE_BYTES = 64 << 20;
const WANTED_MAX = 4096; // rows that one pass asks for
const PAGE = 16; // neighbours that are looked for at once, as the index does

export interface LazyOptions extends RowOptions {
  /** Of vectors kept for searches to come, default 64 MiB. */
  cacheBytes?: number;
}

type Loaded = ReadonlyMap<number, Uint8Array>;
/** One search, again and again until all that it wants is there. */
interface Pass { rows: Map<number, Uint8Array>; wanted: Set<number>; coded: boolean }

const WANT = new Error('vectors are wanted');

/** Vectors for `searchAsync` and `nearestAsync`. */
export abstract class LazyVectors<K extends Key = Key> implements VectorSource<K> {
  protected readonly rows: Rows;
  private readonly cache = new Map<number, Uint8Array>(); // the oldest first
  private readonly cacheMax: number;
  private readonly coming = new Map<number, Promise<Loaded>>();
  private pass: Pass | undefined;
  /** Requests that were made, and rows that came. */
  readonly reads = { requests: 0, rows: 0 };

  constructor(options: LazyOptions) {
    this.rows = new Rows(options);
    this.cacheMax = Math.floor((options.cacheBytes ?? CACHE_BYTES) / this.rows.bytes);
  }

  /** Reads rows, each as a piece of memory of its own. */
  protected abstract load(numbers: readonly number[], signal?: AbortSignal): Promise<Loaded>;

  // ---- As the index sees it ----------------------------------------------------------------------

  fetch(slots: Uint32Array, keys: K[] | undefined, out: Elements): void {
    const { pass, rows } = this;
    if (!pass) {
      throw failed(NIGH_E_FETCH, 'these vectors take their time: searchAsync, nearestAsync');
    }
    const numbers = rows.numbers(slots, keys);
    const into = bytesIn(out);
    for (let i = 0; i < numbers.length; i++) {
      const number = numbers[i]!;
      const row = pass.rows.get(number) ?? this.cached(number);
      if (row) {
        into.set(row, i * rows.bytes);
      } else {
        pass.wanted.add(number);
        out.fill(1, i * out.length / numbers.length, (i + 1) * out.length / numbers.length);
      }
    }
    if (pass.wanted.size > 0 && (!pass.coded || pass.wanted.size > WANTED_MAX)) throw WANT;
  }

  prefetch(slots: Uint32Array, keys: K[] | undefined): void {
    const { pass, rows } = this;
    if (!pass || pass.coded) return;
    const numbers = rows.numbers(slots, keys);
    for (let i = 0; i < numbers.length && pass.wanted.size < WANTED_MAX; i++) {
      const number = numbers[i]!;
      if (!pass.rows.has(number) && !this.cached(number)) pass.wanted.add(number);
    }
  }

  /** What was used last stays longest. */
  private cached(number: number): Uint8Array | undefined {
    const row = this.cache.get(number);
    if (row) {
      this.cache.delete(number);
      this.cache.set(number, row);
    }
    return row;
  }

  private keep(number: number, row: Uint8Array): void {
    this.cache.set(number, row);
    for (const oldest of this.cache.keys()) {
      if (this.cache.size <= this.cacheMax) break;
      this.cache.delete(oldest);
    }
  }

  /** Vectors that were changed where they are. */
  forget(): void { this.cache.clear(); }

  // ---- As searches see it ------------------------------------------------------------------------

  /** Runs a search until it has all that it wants. @internal */
  async _run<T>(coded: boolean, signal: AbortSignal | undefined, body: () => T): Promise<T> {
    const rows = new Map<number, Uint8Array>();
    for (;;) {
      signal?.throwIfAborted();
      const pass: Pass = { rows, wanted: new Set(), coded };
      let result: { value: T } | undefined;
      this.pass = pass;
      try {
        result = { value: body() };
      } catch (error) {
        if (error !== WANT) throw error;
      } finally {
        this.pass = undefined;
      }
      // Off codes a pass that came to its end had all; what is wanted beyond were hints.
      if (result && (!coded || pass.wanted.size === 0)) return result.value;
      await this.get(pass, signal);
    }
  }

  /** Reads what a pass wants; what another one is reading is waited for. */
  private async get({ rows, wanted }: Pass, signal?: AbortSignal): Promise<void> {
    const fresh = [...wanted].filter((number) => !this.coming.has(number)).sort((a, b) => a - b);
    const waits = new Set([...wanted].flatMap((number) => this.coming.get(number) ?? []));
    if (fresh.length > 0) {
      this.reads.rows += fresh.length;
      const read = this.load(fresh, signal);
      for (const number of fresh) this.coming.set(number, read);
      const over = () => fresh.forEach((number) => this.coming.delete(number));
      read.then((loaded) => {
        over();
        loaded.forEach((row, number) => this.keep(number, row));
      }, over);
      waits.add(read);
    }
    for (const wait of waits) {
      try {
        for (const [number, row] of await wait) if (wanted.has(number)) rows.set(number, row);
      } catch (error) {
        // Another search's signal has ended its reading: this one reads for itself.
        if ((error as Error | null)?.name !== 'AbortError' || signal?.aborted) throw error;
      }
    }
  }
}

// ---- Searches -----------------------------------------------------------------------------------

type Waiting = { /** Ends the search, with the signal's reason. */ signal?: AbortSignal };

function sourceOf<K extends Key>(index: Index<K>): LazyVectors<K> {
  const { source } = (index as unknown as { _outer: Outer })._outer;
  if (source instanceof LazyVectors) return source as LazyVectors<K>;
  throw failed(NIGH_E_INVALID, 'the index has its vectors at once: search, nearest');
}

const onCodes = <K extends Key>(index: Index<K>, o: { codes?: boolean; exact?: boolean }) =>
  index.codes !== 'none' && o.codes !== false && !o.exact;

/** `index.search` where vectors are IndexedDB's, or a server's. */
export async function searchAsync<K extends Key>(index: Index<K>, query: Vector,
  options: SearchOptions<K> & Waiting = {}): Promise<Hit<K>[]> {
  return sourceOf(index)._run(onCodes(index, options), options.signal, () =>
    index.search(query, options));
}

/** `index.nearest` where vectors are IndexedDB's, or a server's. */
export async function* nearestAsync<K extends Key>(index: Index<K>, query: Vector,
  options: Parameters<Index<K>['nearest']>[1] & Waiting = {}): AsyncIterableIterator<Hit<K>> {
  const source = sourceOf(index);
  const handed = new Set<K>();
  for (;;) {
    // The index may have changed: what was handed out is known by its key.
    const page = await source._run(onCodes(index, options), options.signal, () => {
      const hits: Hit<K>[] = [];
      for (const hit of index.nearest(query, options)) {
        if (handed.has(hit.key)) continue;
        hits.push(hit);
        if (hits.length === PAGE) break;
      }
      return hits;
    });
    for (const hit of page) {
      handed.add(hit.key);
      yield hit;
    }
    if (page.length < PAGE) return;
  }
}
