// search.ts - searches, one or many, with filters; neighbours one after another
// SPDX-License-Identifier: MIT OR Apache-2.0
import { NIGH_E_INVALID, NIGH_KEYS_BYTES, NIGH_SEARCH_EXACT, NIGH_SEARCH_NO_CODES,
  nigh_search_options, NIGH_SEARCH_RADIUS, NIGH_SESSION_READ, nigh_session_stats } from './abi.js';
import { Change } from './change.js';
import { uint } from './core.js';
import { fail } from './errors.js';
import type { Handle, Room } from './handle.js';
import type { Key, Keys } from './keys.js';
import { rowsOf, type Vector, type Vectors } from './rows.js';
import { FILTER, type Fields, IN } from './wasm.js';

const BATCH_BYTES = 1 << 20; // of queries and hits that one call handles
const PAGE = 16; // neighbours that a cursor is asked for at once
const EF_MAX = 1 << 24;

/** What a search found. */
export interface Hit<K> { key: K; distance: number }

/** Slots that searches may return, made by `allow`; valid until slots are given to other keys. */
export class Allowed {
  /** @internal */
  constructor(readonly _words: Uint32Array, readonly _of: unknown) {}
}

/** How to search. */
export interface Effort {
  /** How many neighbours, default 10. Fewer are found only where there are no more. */
  k?: number;
  /** Candidates kept, default 64: more find more. */
  ef?: number;
  /** Also stop when the next candidate is (1 + gamma) times as far as the k-th best. */
  gamma?: number;
  /** Only hits at this distance or nearer. */
  radius?: number;
  /** Score every vector. */
  exact?: boolean;
  /** false: search on vectors although there are codes. */
  codes?: boolean;
  /** With codes: how many candidates are scored again on vectors. Default by k and ef. */
  rerank?: number;
  /** Nodes under way at once, 1 to 8, default 2; 1 is hnswlib's order. */
  expansions?: number;
  /** Stop with what is found after so many. */
  expansionsMax?: number;
}

export interface SearchOptions<K> extends Effort {
  /** Keys that may be found: a function, which must not call the index, keys, or what `allow`
   * made of them. */
  filter?: ((key: K) => unknown) | Keys<K> | Allowed;
}

/** Where `searchInto` writes: arrays with room for k hits. */
export interface HitArrays<K> {
  keys?: { [at: number]: K };
  distances?: { [at: number]: number };
  slots?: { [at: number]: number };
}
/** Where `searchBatchInto` writes: query q has its hits from q * k on, found[q] of them. */
export interface BatchArrays<K> extends HitArrays<K> { found?: { [at: number]: number } }

export type SearchStats = Fields<typeof nigh_session_stats>;

const efOf = (o: Effort, k: number) =>
  Math.max(k, uint('ef', o.ef, 0, EF_MAX) || 64);

/** nigh_search_options in the cell: each search writes it, so it does so by hand. */
function putOptions(h: Handle, o: Effort): number {
  const at = h.cell + IN;
  const { u32, f32 } = h;
  const { radius, gamma = 0 } = o;
  if (!(gamma >= 0) || (radius !== undefined && !(radius === radius))) {
    fail(NIGH_E_INVALID, `gamma ${gamma}, radius ${radius}`);
  }
  const word = (offset: number) => (at + offset) >>> 2;
  u32[word(0)] = nigh_search_options.size;
  u32[word(nigh_search_options.ef)] = uint('ef', o.ef, 0, EF_MAX);
  u32[word(nigh_search_options.expansions)] = uint('expansions', o.expansions, 0, 8);
  u32[word(nigh_search_options.flags)] = (o.exact ? NIGH_SEARCH_EXACT : 0) |
    (o.codes === false ? NIGH_SEARCH_NO_CODES : 0) | (radius !== undefined ? NIGH_SEARCH_RADIUS : 0);
  f32[word(nigh_search_options.radius)] = radius ?? 0;
  u32[word(nigh_search_options.expansions_max)] = uint('expansionsMax', o.expansionsMax);
  u32[word(nigh_search_options.rerank)] = uint('rerank', o.rerank);
  f32[word(nigh_search_options.gamma)] = gamma;
  return at;
}

export class Search<K extends Key> extends Change<K> {
  private _filters = 0; // the last number of a filter

  /** The k nearest keys, nearest first. */
  search(query: Vector, options: SearchOptions<K> = {}): Hit<K>[] {
    return this._one(query, options, options.k ?? 10, (h, room, count) =>
      this._hits(h, room, 0, 0, count));
  }

  /** As `search`, into arrays of yours, so that nothing is allocated: how many were found. k: as
   * many as the distances have room for. */
  searchInto(query: Vector, into: HitArrays<K>, options: SearchOptions<K> = {}): number {
    const k = options.k ?? (into.distances as ArrayLike<number> | undefined)?.length;
    return this._one(query, options, k ?? 10, (h, room, count) => {
      this._copy(h, room, 0, count, into, 0);
      return count;
    });
  }

  /** Many queries: a list of hits for each. */
  searchBatch(queries: Vectors, options: SearchOptions<K> = {}): Hit<K>[][] {
    const out: Hit<K>[][] = [];
    const k = options.k ?? 10;
    this._many(queries, options, k, (h, room, _, count) => {
      const found = h.u32.slice(room.found >>> 2, (room.found >>> 2) + count);
      for (let q = 0; q < count; q++) out.push(this._hits(h, room, q, k, found[q]!));
    });
    return out;
  }

  /** As `searchBatch`, into arrays of yours: how many queries there were. */
  searchBatchInto(queries: Vectors, into: BatchArrays<K>, options: SearchOptions<K> = {}): number {
    const k = options.k ?? 10;
    return this._many(queries, options, k, (h, room, first, count) => {
      const found = h.u32.slice(room.found >>> 2, (room.found >>> 2) + count);
      for (let q = 0; q < count; q++) {
        this._copy(h, room, q * k, found[q]!, into, (first + q) * k);
        if (into.found) into.found[first + q] = found[q]!;
      }
    });
  }

  /** What the last search cost. */
  get searchStats(): SearchStats {
    return this._run((h) => h.filled(nigh_session_stats, (at) =>
      h.x.nigh_session_stats_get(h.sessionFor(), at)));
  }

  private _one<T>(query: Vector, o: SearchOptions<K>, k: number,
    take: (h: Handle, room: Room, count: number) => T): T {
    this._open();
    const rows = rowsOf(this._shape, query, 1);
    const wanted = this._atMost(uint('k', k), o);
    const chosen = this._chosen(o.filter);
    return this._run((h) => {
      const session = h.sessionFor(efOf(o, wanted));
      const room = h.roomFor(this._shape, this._form, 1, wanted);
      rows.put(h, room.query, 0, 1);
      return this._filtered(h, session, chosen, () => {
        if (wanted > 0) {
          h.ok(h.x.nigh_search(h.index, session, room.query, putOptions(h, o), wanted, room.keys,
            this._lengths(room), room.distances, room.slots, room.found), 'search');
        }
        return take(h, room, wanted > 0 ? h.u32[room.found >>> 2]! : 0);
      });
    });
  }

  private _many(queries: Vectors, o: SearchOptions<K>, k: number,
    take: (h: Handle, room: Room, first: number, count: number) => void): number {
    this._open();
    const rows = rowsOf(this._shape, queries);
    uint('k', k, 1);
    const chosen = this._chosen(o.filter);
    const each = this._shape.rowBytes + k * (this._form.room + 12);
    const step = Math.max(1, Math.floor(BATCH_BYTES / each));
    for (let first = 0; first < rows.count; first += step) {
      const count = Math.min(step, rows.count - first);
      this._run((h) => {
        const session = h.sessionFor(efOf(o, k));
        const room = h.roomFor(this._shape, this._form, count, k);
        rows.put(h, room.query, first, first + count);
        this._filtered(h, session, chosen, () => {
          const status = h.x.nigh_search_batch(h.index, session, room.query, count,
            putOptions(h, o), k, room.keys, this._lengths(room), room.distances, room.slots,
            room.found, room.done);
          const done = first + h.u32[room.done >>> 2]!;
          h.ok(status, `search (number ${done})`, done);
        });
        take(h, room, first, count);
      });
    }
    return rows.count;
  }

  private _lengths(room: Room): number {
    return this._form.kind === NIGH_KEYS_BYTES ? room.lengths : 0;
  }

  /** A k that needs memory is cut to what the index can have. */
  private _atMost(k: number, o: Effort): number {
    uint('ef', o.ef, 0, EF_MAX);
    return k > 512 ? Math.min(k, Math.max(1, this.stats().slotCount)) : k;
  }

  /** Hits of query q; the batch call leaves room for k string keys of full length for each. */
  private _hits(h: Handle, room: Room, q: number, k: number, count: number): Hit<K>[] {
    const at = q * k;
    const keys = this._keysAt(h, room, at, count);
    const distances = h.f32;
    const from = (room.distances >>> 2) + at;
    return keys.map((key, i) => ({ key, distance: distances[from + i]! }));
  }

  private _keysAt(h: Handle, room: Room, at: number, count: number): K[] {
    return this._form.read(h, { keys: room.keys + at * this._form.room,
      lengths: room.lengths + 4 * at }, count);
  }

  private _copy(h: Handle, room: Room, at: number, count: number, into: HitArrays<K>,
    to: number): void {
    const { keys, distances, slots } = into;
    if (keys && this._form.kind === NIGH_KEYS_BYTES) {
      this._keysAt(h, room, at, count).forEach((key, i) => { keys[to + i] = key; });
    } else if (keys) {
      for (let i = 0; i < count; i++) keys[to + i] = this._form.at(h, room.keys, at + i);
    }
    const { f32, u32 } = h;
    for (let i = 0; i < count; i++) {
      if (distances) distances[to + i] = f32[(room.distances >>> 2) + at + i]!;
      if (slots) slots[to + i] = u32[(room.slots >>> 2) + at + i]!;
    }
  }

  // ---- Filters -----------------------------------------------------------------------------------

  /** A filter that lets these keys through; those that are not there do not matter. Cheaper to use
   * again than the keys themselves. */
  allow(keys: Keys<K>): Allowed {
    const words = new Uint32Array((this.stats().slotCount >>> 5) + 1);
    for (const slot of this._slots(keys)) words[slot >>> 5]! |= 1 << (slot & 31);
    return new Allowed(words, this);
  }

  private _chosen(filter: SearchOptions<K>['filter']): ((key: K) => unknown) | Allowed | undefined {
    if (filter === undefined || filter === null || typeof filter === 'function') return filter;
    if (!(filter instanceof Allowed)) return this.allow(filter);
    return filter._of === this ? filter : fail(NIGH_E_INVALID, "a filter of another index");
  }

  /** Runs a call with a filter, which is taken off after it. */
  private _filtered<T>(h: Handle, session: number,
    chosen: ((key: K) => unknown) | Allowed | undefined, body: () => T): T {
    if (!chosen) return body();
    const drop = this._filter(h, session, chosen);
    try {
      return body();
    } finally {
      drop();
    }
  }

  private _filter(h: Handle, session: number, chosen: ((key: K) => unknown) | Allowed): () => void {
    const number = ++this._filters;
    let at = 0;
    const set = (slots: number, call: number) =>
      h.x.nigh_session_filter(session, at, slots, call, number);
    if (chosen instanceof Allowed) {
      at = h.alloc(chosen._words.byteLength);
      h.u32.set(chosen._words, at >>> 2);
      h.ok(set(32 * chosen._words.length, 0), 'filter');
    } else {
      h.filters.set(number, chosen);
      h.ok(set(0, h.x.nighw_function(FILTER)), 'filter');
    }
    return () => {
      h.filters.delete(number);
      if (h.stopped) return;
      const memory = at;
      at = 0;
      set(0, 0);
      h.x.nighw_free(memory);
    };
  }

  // ---- One after another -------------------------------------------------------------------------

  /** Neighbours, nearest first, until you stop. Order is exact among what the beam of `ef` has seen:
   * a neighbour discovered late comes late. The index may change meanwhile. */
  nearest(query: Vector, options: Omit<SearchOptions<K>, 'k' | 'exact' | 'rerank'> & {
    /** Nodes that it remembers, 16 bytes each. */
    frontierMax?: number;
  } = {}): IterableIterator<Hit<K>> {
    const h = this._open();
    rowsOf(this._shape, query, 1);
    return this._walk(h, query, options, this._chosen(options.filter));
  }

  private* _walk(h: Handle, query: Vector, o: Effort & { frontierMax?: number },
    chosen: ((key: K) => unknown) | Allowed | undefined): IterableIterator<Hit<K>> {
    const rows = rowsOf(this._shape, query, 1);
    const own: (() => void)[] = []; // to be given back
    try {
      const [session, room] = h.run(() => {
        const made = h.newSession(Math.max(512, efOf(o, PAGE)), NIGH_SESSION_READ,
          uint('frontierMax', o.frontierMax));
        own.push(() => h.x.nighw_free(made.memory));
        const space = h.newRoom(this._shape, this._form, 1, PAGE);
        own.push(() => h.x.nighw_free(space.memory));
        rows.put(h, space.query, 0, 1);
        if (chosen) own.unshift(this._filter(h, made.at, chosen));
        h.ok(h.x.nigh_cursor_begin(h.index, made.at, space.query, putOptions(h, o)), 'nearest');
        return [made.at, space] as const;
      });
      for (;;) {
        this._open();
        const page = h.run(() => {
          h.ok(h.x.nigh_cursor_next(h.index, session, PAGE, room.keys, this._lengths(room),
            room.distances, room.slots, room.found), 'nearest');
          return this._hits(h, room, 0, 0, h.u32[room.found >>> 2]!);
        });
        yield* page;
        if (page.length < PAGE) return;
      }
    } finally {
      if (!h.stopped) h.run(() => own.forEach((drop) => drop()));
    }
  }
}
