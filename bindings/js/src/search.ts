// search.ts - searches, one or many, with filters
// SPDX-License-Identifier: MIT OR Apache-2.0
import { NIGH_E_INVALID, NIGH_SEARCH_EXACT, NIGH_SEARCH_NO_CODES,
  NIGH_SEARCH_RADIUS } from './abi.js';
import { Change } from './change.js';
import { uint } from './core.js';
import { fail } from './errors.js';
import { type Handle, type Room, SLOT_COUNT } from './handle.js';
import type { Key, Keys } from './keys.js';
import { needs } from './module.js';
import type { SearchStats } from './more.js';
import { rowsOf, type Vector, type Vectors } from './rows.js';
import { FILTER, IN } from './wasm.js';

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

export const efOf = (o: Effort, k: number) =>
  Math.max(k, uint('ef', o.ef, 0, EF_MAX) || 64);

/** nigh_search_options. */
export const SEARCH = 'ef expansions flags radius. expansionsMax rerank gamma.';

/** nigh_search_options in the cell. */
export const putOptions = (h: Handle, o: Effort): number => h.put(IN, SEARCH, {
  ...o,
  flags: (o.exact ? NIGH_SEARCH_EXACT : 0) | (o.codes === false ? NIGH_SEARCH_NO_CODES : 0) |
    (o.radius !== undefined ? NIGH_SEARCH_RADIUS : 0),
});

export type Chosen<K> = ((key: K) => unknown) | Allowed | undefined;

export class Search<K extends Key> extends Change<K> {
  private _filters = 0; // the last number of a filter

  /** The k nearest keys, nearest first. */
  search(query: Vector, options: SearchOptions<K> = {}): Hit<K>[] {
    let hits!: Hit<K>[];
    this._ask(query, 1, options, options.k ?? 10, (h, room) => { hits = this._hits(h, room); });
    return hits;
  }

  /** As `search`, into arrays of yours, so that nothing is allocated: how many were found. k: as
   * many as the distances have room for. */
  searchInto(query: Vector, into: HitArrays<K>, options: SearchOptions<K> = {}): number {
    const k = options.k ?? (into.distances as ArrayLike<number> | undefined)?.length ?? 10;
    let found = 0;
    this._ask(query, 1, options, k, (h, room) => { found = this._copy(h, room, into, 0); });
    return found;
  }

  /** Many queries: a list of hits for each. */
  searchBatch(queries: Vectors, options: SearchOptions<K> = {}): Hit<K>[][] {
    const out: Hit<K>[][] = [];
    this._ask(queries, undefined, options, uint('k', options.k ?? 10, 1), (h, room) => {
      out.push(this._hits(h, room));
    });
    return out;
  }

  /** As `searchBatch`, into arrays of yours: how many queries there were. */
  searchBatchInto(queries: Vectors, into: BatchArrays<K>, options: SearchOptions<K> = {}): number {
    const k = uint('k', options.k ?? 10, 1);
    return this._ask(queries, undefined, options, k, (h, room, q) => {
      const found = this._copy(h, room, into, q * k);
      if (into.found) into.found[q] = found;
    });
  }

  /** What the last search cost. */
  get searchStats(): SearchStats { return needs('searchStats'); }

  /** Searches for each query; how many there were. */
  private _ask(queries: Vectors, wanted: 1 | undefined, o: SearchOptions<K>, k: number,
    take: (h: Handle, room: Room, q: number) => void): number {
    this._open();
    const rows = rowsOf(this._shape, queries, wanted);
    k = this._atMost(uint('k', k), o);
    const chosen = this._chosen(o.filter);
    this._run((h) => {
      const session = h.sessionFor(efOf(o, k));
      const room = h.roomFor(this._shape, this._form, k);
      const drop = this._filter(h, session, chosen);
      try {
        for (let q = 0; q < rows.count; q++) {
          rows.put(h, room.query, q, q + 1);
          h.u32[room.found >>> 2] = 0;
          if (k > 0) {
            h.ok(h.x.nigh_search(h.index, session, room.query, putOptions(h, o), k, room.keys,
              this._lengths(room), room.distances, room.slots, room.found),
            wanted ? 'search' : `search (number ${q})`, q);
          }
          take(h, room, q);
        }
      } finally {
        drop();
      }
    });
    return rows.count;
  }

  /** A k that needs memory is cut to what the index can have. */
  private _atMost(k: number, o: Effort): number {
    uint('ef', o.ef, 0, EF_MAX);
    return k > 512 ? Math.min(k, Math.max(1, this._stat(SLOT_COUNT))) : k;
  }

  protected _hits(h: Handle, room: Room): Hit<K>[] {
    const keys = this._keysAt(h, room);
    const { f32 } = h;
    return keys.map((key, i) => ({ key, distance: f32[(room.distances >>> 2) + i]! }));
  }

  private _copy(h: Handle, room: Room, { keys, distances, slots }: HitArrays<K>,
    to: number): number {
    const count = h.word(room.found);
    if (keys && this._lengths(room)) {
      this._keysAt(h, room).forEach((key, i) => { keys[to + i] = key; });
    } else if (keys) {
      for (let i = 0; i < count; i++) keys[to + i] = this._form.at(h, room.keys, i);
    }
    const { f32, u32 } = h;
    for (let i = 0; i < count; i++) {
      if (distances) distances[to + i] = f32[(room.distances >>> 2) + i]!;
      if (slots) slots[to + i] = u32[(room.slots >>> 2) + i]!;
    }
    return count;
  }

  // ---- Filters -----------------------------------------------------------------------------------

  /** A filter that lets these keys through; those that are not there do not matter. Cheaper to use
   * again than the keys themselves. */
  allow(keys: Keys<K>): Allowed {
    const words = new Uint32Array((this._stat(SLOT_COUNT) >>> 5) + 1);
    for (const slot of this._slots(keys)) words[slot >>> 5]! |= 1 << (slot & 31);
    return new Allowed(words, this);
  }

  protected _chosen(filter: SearchOptions<K>['filter']): Chosen<K> {
    if (filter === undefined || filter === null || typeof filter === 'function') return filter;
    if (!(filter instanceof Allowed)) return this.allow(filter);
    return filter._of === this ? filter : fail(NIGH_E_INVALID, 'a filter of another index');
  }

  /** Gives a session a filter; what takes it off. */
  protected _filter(h: Handle, session: number, chosen: Chosen<K>): () => void {
    if (!chosen) return () => {};
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
}
