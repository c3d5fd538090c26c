// worker-table.ts - what a page and its worker say to each other
// SPDX-License-Identifier: MIT OR Apache-2.0
import type { Index } from './api.js';

/** How a member of Index crosses: */
export type Way =
  | 'call' // a method: the same arguments and answer
  | 'get' // a property
  | 'rows' // a method whose second argument is vectors
  | 'job' // long work, with progress and a signal
  | 'search' // a method whose last argument may have a filter
  | 'into' // such a one, which fills the caller's arrays
  | 'walk' // an iterator, page by page
  | 'allow' // makes a filter, which stays in the worker
  | 'dispose'
  | 'none'; // is not there: it would have to wait

type Public = Exclude<Extract<keyof Index, string>, `_${string}`>;

/** All of them: the compiler sees what is missing, and so does a test. */
export const WAYS = {
  add: 'rows', set: 'rows', remove: 'call', unremove: 'call', reserve: 'call',
  build: 'job', makeCodes: 'job', refine: 'job', vacuum: 'job', root: 'job', rootSync: 'none',
  search: 'search', searchBatch: 'search', searchInto: 'into', searchBatchInto: 'into',
  nearest: 'walk', keys: 'walk', allow: 'allow',
  has: 'call', get: 'call', row: 'call', slot: 'call', node: 'call', check: 'call',
  stats: 'call', config: 'call', save: 'call', writeHnswlib: 'call',
  size: 'get', dim: 'get', metric: 'get', dtype: 'get', codes: 'get', writable: 'get',
  memoryBytes: 'get', searchStats: 'get',
  dispose: 'dispose',
} as const satisfies Record<Public, Way>;

export type Ways = typeof WAYS;
/** Members that cross in a way. */
export type Named<W extends Way> = { [M in keyof Ways]: Ways[M] extends W ? M : never }[keyof Ways];

/** Numbers that one host may give out: several may share a worker. */
export const NUMBERS = 2 ** 32;

/** To the worker. `nigh` says what it is; other messages are none of our business. Things there
 * (indexes, iterators, filters) have numbers that this side gives out; 0: the class itself. */
export type Ask =
  | { nigh: 'begin'; threads?: number; module?: unknown; thread?: string }
  | { nigh: 'call'; id: number; on: number; name: string; args: unknown[]; made?: number;
    progress?: boolean; threads?: number }
  | { nigh: 'abort'; id: number }
  | { nigh: 'drop'; on: number }
  | { nigh: 'end'; from: number }; // drop all of a host's

/** From the worker. */
export type Tell =
  | { nigh: 'here' } // it hears now: what was said before may be lost
  | { nigh: 'ready'; threads: number }
  | { nigh: 'done'; id: number; value: unknown }
  | { nigh: 'failed'; id: number; error: unknown; status?: number; done?: number }
  | { nigh: 'progress'; id: number; done: number; total: number };

/** A filter that is in the worker. */
export interface Kept { kept: number }

/** A page of what an iterator gives. */
export interface Page { values: unknown[]; end: boolean }
