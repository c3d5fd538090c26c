// worker-client.ts - the class Index of nigh/worker: the same methods, as promises
// SPDX-License-Identifier: MIT OR Apache-2.0
/// <reference lib="esnext.disposable" preserve="true" />
import { NIGH_E_FETCH, NIGH_E_INVALID, NIGH_E_UNSUPPORTED } from './abi.js';
import type { BatchArrays, Codes, Effort, Hit, HitArrays, Index as Local, IndexOptions, JobOptions,
  Key, KeyKind, KeyOf, Keys, OpenOptions, Vector, Vectors } from './api.js';
import type { ByteSource } from './bytes.js';
import { fail } from './errors.js';
import { absolute, type Extras, Host, usualHost } from './worker-host.js';
import { type Kept, type Named, type Page, WAYS, type Way, type Ways } from './worker-table.js';

/** Where an index is to be. */
export interface Where {
  /** Default: one worker for all indexes that name none. */
  host?: Host;
}

export interface Moving {
  /** Vectors and keys that are arrays with a buffer of their own go to the worker instead of being
   * copied: they are empty here afterwards. */
  transfer?: boolean;
}

/** Options of long work in a worker. */
export interface WorkerJobOptions extends JobOptions, Moving {
  /** Threads to take part, at most and by default those of the host. Bytes do not depend on it. */
  threads?: number;
}

/** How to search. Functions cannot cross: a filter is keys, or what `allow` made of them. */
export interface WorkerSearchOptions<K> extends Effort { filter?: Keys<K> | Allowed }

type Awaiting<F> = F extends (...args: infer A) => infer R ? (...args: A) => Promise<Awaited<R>>
  : never;
type Plain<K extends Key> = { [M in keyof Local<K> as M extends Named<'call'> ? M : never]:
  Awaiting<Local<K>[M]> };
type Values<K extends Key> = { readonly [M in keyof Local<K> as M extends Named<'get'> ? M
  : never]: Promise<Local<K>[M]> };

/** An index in a worker: the methods of `Index` of nigh, which answer with promises. */
export interface Index<K extends Key = Key> extends Plain<K>, Values<K> {
  add(keys: K | Keys<K> | null, vectors?: Vectors,
    options?: { replaceRemoved?: boolean } & Moving): Promise<void>;
  set(keys: K | Keys<K>, vectors?: Vectors, options?: Moving): Promise<void>;
  build(keys: Keys<K> | null, vectors?: Vectors, options?: WorkerJobOptions): Promise<void>;
  makeCodes(codes: Codes, options?: WorkerJobOptions & { min?: number; max?: number }):
  Promise<void>;
  refine(options?: WorkerJobOptions & { ef?: number; alpha?: number }): Promise<void>;
  vacuum(options?: WorkerJobOptions): Promise<void>;
  root(options?: WorkerJobOptions): Promise<void>;
  search(query: Vector, options?: WorkerSearchOptions<K>): Promise<Hit<K>[]>;
  searchBatch(queries: Vectors, options?: WorkerSearchOptions<K>): Promise<Hit<K>[][]>;
  searchInto(query: Vector, into: HitArrays<K>, options?: WorkerSearchOptions<K>): Promise<number>;
  searchBatchInto(queries: Vectors, into: BatchArrays<K>, options?: WorkerSearchOptions<K>):
  Promise<number>;
  nearest(query: Vector, options?: Omit<WorkerSearchOptions<K>, 'k' | 'exact' | 'rerank'> & {
    frontierMax?: number }): AsyncIterableIterator<Hit<K>>;
  keys(): AsyncIterableIterator<K>;
  /** A filter to use again; the worker keeps it until it is disposed of or forgotten. */
  allow(keys: Keys<K>): Promise<Allowed>;
  /** Threads that ran tasks of the last job. */
  readonly threads: Promise<number>;
  /** Drops it there. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
  [Symbol.dispose](): void;
}

/** What is forgotten here is dropped there. */
const forgotten = new FinalizationRegistry<[Host, number]>(([host, on]) => {
  host._tell({ nigh: 'drop', on });
});

// ---- What crosses --------------------------------------------------------------------------------

const crossing = (value: unknown, what: string): void => {
  if (typeof value === 'function') {
    fail(NIGH_E_UNSUPPORTED, `${what}: a function cannot cross to a worker`);
  }
};

/** A view crosses with all of its buffer: one of a part of it is copied before. With `transfer` it
 * goes itself, if it is all of its buffer. */
function packed(value: unknown, transfer?: Transferable[]): unknown {
  if (Array.isArray(value)) {
    return value.some(ArrayBuffer.isView) ? value.map((part) => packed(part)) : value;
  }
  if (ArrayBuffer.isView(value)) {
    const { buffer, byteLength } = value as Uint8Array;
    if (!(buffer instanceof ArrayBuffer)) return value; // shared: nothing is copied
    if (byteLength !== buffer.byteLength) return (value as Uint8Array).slice();
    transfer?.push(buffer);
    return value;
  }
  // keys: any iterable, or what looks like an array
  return value && typeof value === 'object' && (Symbol.iterator in value || 'length' in value)
    ? Array.from(value as ArrayLike<unknown>) : value;
}

/** Options of a search, with a filter that may cross. */
function searching(options: WorkerSearchOptions<any> = {}, host: Host): object {
  const { filter } = options;
  if (filter === undefined || filter === null) return options;
  crossing(filter, 'filter');
  if (!(filter instanceof Allowed)) return { ...options, filter: packed(filter) };
  return { ...options, filter: filter._kept(host) };
}

/** What the worker can read of it, or its bytes. */
async function readable(source: ByteSource | PromiseLike<ByteSource>): Promise<unknown> {
  let from: unknown = await source;
  if (typeof from === 'string' || from instanceof URL) return absolute(from);
  if (typeof (from as { getFile?: unknown })?.getFile === 'function') {
    from = await (from as { getFile(): Promise<Blob> }).getFile();
  }
  if (typeof Response === 'function' && from instanceof Response) {
    if (!from.ok) fail(NIGH_E_FETCH, `${from.url}: ${from.status} ${from.statusText}`);
    from = await from.arrayBuffer();
  }
  return ArrayBuffer.isView(from) ? packed(from) : from;
}

// ---- Things in the worker ------------------------------------------------------------------------

/** Slots that searches may return, made by `allow`. */
export class Allowed {
  constructor(private readonly host: Host, private readonly number: number) {
    forgotten.register(this, [host, number], this);
  }

  /** @internal */
  _kept(host: Host): Kept {
    return host === this.host ? { kept: this.number }
      : fail(NIGH_E_INVALID, 'a filter of another index');
  }

  dispose(): void {
    forgotten.unregister(this);
    this.host._tell({ nigh: 'drop', on: this.number });
  }
}

const FIRST = 16;
const MOST = 1024;

/** An iterator over what one in the worker gives, by pages that become larger. */
class Walk<T> implements AsyncIterableIterator<T> {
  private values: T[] = [];
  private end = false;
  private count = FIRST;
  private waiting: Promise<unknown>;

  constructor(private readonly host: Host, private readonly number: number,
    begun: Promise<unknown>) {
    this.waiting = begun;
    begun.catch(() => { this.end = true; });
    forgotten.register(this, [host, number], this);
  }

  /** One after another, however they are asked for. */
  next(): Promise<IteratorResult<T>> {
    const result = this.waiting.then(() => this.one());
    this.waiting = result;
    result.catch(() => { this.waiting = Promise.resolve(); });
    return result;
  }

  private async one(): Promise<IteratorResult<T>> {
    if (this.values.length === 0 && !this.end) {
      const { values, end } = await this.host._call(this.number, 'next', [this.count]) as Page;
      this.count = Math.min(MOST, 2 * this.count);
      this.values = (values as T[]).reverse();
      if (end) this.drop();
    }
    return this.values.length > 0 ? { value: this.values.pop()!, done: false }
      : { value: undefined, done: true };
  }

  private drop(): void {
    this.end = true;
    forgotten.unregister(this);
    this.host._tell({ nigh: 'drop', on: this.number });
  }

  async return(): Promise<IteratorResult<T>> {
    this.values = [];
    if (!this.end) this.drop();
    return { value: undefined, done: true };
  }

  [Symbol.asyncIterator](): this { return this; }
}

// ---- Index ---------------------------------------------------------------------------------------

export class Index<K extends Key = Key> {
  private disposed = false;

  private constructor(readonly host: Host, private readonly number: number) {
    forgotten.register(this, [host, number], this);
  }

  private static async make(host: Host, name: string, args: unknown[],
    transfer?: Transferable[]): Promise<Index<any>> {
    await host.ready;
    const made = host._number();
    await host._call(0, name, args, { made, transfer });
    return new Index(host, made);
  }

  static create<T extends KeyKind = 'number'>(
    options: Omit<IndexOptions<T>, 'vectors'> & Where): Promise<Index<KeyOf<T>>> {
    return Index.with(options, (host, rest) => Index.make(host, 'create', [rest]));
  }

  /** Opens what `save`, or nigh in any other language, has written. Addresses are fetched by the
   * worker. */
  static open<T extends KeyKind = KeyKind>(source: ByteSource | PromiseLike<ByteSource>,
    options: Omit<OpenOptions<T>, 'vectors' | 'metric'> & Where = {}): Promise<Index<KeyOf<T>>> {
    return Index.with(options, async (host, rest) =>
      Index.make(host, 'open', [await readable(source), rest]));
  }

  /** Reads a file of hnswlib, as `readHnswlib` of nigh. */
  static readHnswlib<T extends 'number' | 'bigint' | 'identity' = 'number'>(
    source: ByteSource | PromiseLike<ByteSource>,
    options: Omit<IndexOptions<T>, 'vectors'> & Where): Promise<Index<KeyOf<T>>> {
    return Index.with(options, async (host, rest) =>
      Index.make(host, 'readHnswlib', [await readable(source), rest]));
  }

  private static async with<T>(options: Where & { metric?: unknown; vectors?: unknown },
    body: (host: Host, rest: object) => Promise<T>): Promise<T> {
    const { host = usualHost(), ...rest } = options;
    crossing(rest.metric, 'metric');
    if (rest.vectors !== undefined) {
      fail(NIGH_E_UNSUPPORTED, 'vectors: functions cannot cross to a worker');
    }
    return body(host, rest);
  }

  /** @internal */
  _call(name: string, args: unknown[], extras: Extras = {}): Promise<any> {
    return this.disposed ? Promise.reject(gone()) : this.host._call(this.number, name, args, extras);
  }

  /** Makes something there. @internal */
  _made<T>(name: string, args: unknown[], make: (host: Host, made: number, begun: Promise<unknown>)
  => T): T {
    const made = this.host._number();
    return make(this.host, made, this._call(name, args, { made }));
  }

  /** @internal */
  _dispose(): Promise<void> {
    if (this.disposed) return Promise.resolve();
    const done = this._call('dispose', []);
    this.disposed = true;
    forgotten.unregister(this);
    return done;
  }

  get [Symbol.toStringTag](): string { return 'nigh.WorkerIndex'; }
}

const gone = () => {
  try {
    return fail(NIGH_E_INVALID, 'the index was disposed of');
  } catch (error) {
    return error;
  }
};

// ---- Its members, by how they cross --------------------------------------------------------------

type Member = (this: Index, ...args: any[]) => unknown;

/** Arguments of jobs that stand before their options. */
const BEFORE: Record<string, number> = { build: 2, makeCodes: 1 } satisfies
  Partial<Record<Named<'job'>, number>>;

function job(index: Index, name: string, args: unknown[]): Promise<void> {
  const before = BEFORE[name] ?? 0;
  const { signal, onProgress, threads, transfer, ...rest } = (args[before] ?? {}) as WorkerJobOptions;
  const moved: Transferable[] | undefined = transfer ? [] : undefined;
  const given = Array.from({ length: before }, (_, i) => packed(args[i], moved));
  return index._call(name, [...given, rest], { signal, onProgress, threads, transfer: moved });
}

/** Copies hits that came from the worker: of query q from q * k on, found[q] of them. */
async function filled(index: Index, name: string, queries: unknown, into: BatchArrays<Key>,
  options: WorkerSearchOptions<Key> = {}): Promise<number> {
  const single = name === 'searchInto';
  const room = single ? (into.distances as ArrayLike<number> | undefined)?.length : undefined;
  const k = options.k ?? room ?? 10;
  const { count, found, ...out } = await index._call(name, [packed(queries), { k,
    keys: !!into.keys, distances: !!into.distances, slots: !!into.slots },
  searching(options, index.host)]);
  for (let q = 0; q < (single ? 1 : count); q++) {
    const hits = single ? count : found[q];
    if (!single && into.found) into.found[q] = hits;
    for (const what of ['keys', 'distances', 'slots'] as const) {
      const to = into[what] as { [at: number]: unknown } | undefined;
      for (let i = q * k; to && i < q * k + hits; i++) to[i] = out[what][i];
    }
  }
  return count;
}

const MEMBERS: Record<Way, (name: string) => Member | undefined> = {
  call: (name) => async function call(...args) {
    return this._call(name, args.map((value) => packed(value)));
  },
  rows: (name) => async function call(keys, vectors, { transfer = false, ...options } = {}) {
    const moved: Transferable[] | undefined = transfer ? [] : undefined;
    return this._call(name, [packed(keys, moved), packed(vectors, moved), options],
      { transfer: moved });
  },
  job: (name) => async function call(...args) { return job(this, name, args); },
  search: (name) => async function call(queries, options) {
    return this._call(name, [packed(queries), searching(options, this.host)]);
  },
  into: (name) => async function call(queries, into, options) {
    return filled(this, name, queries, into, options);
  },
  walk: (name) => function call(query, options) {
    const args = name === 'keys' ? [] : [packed(query), searching(options, this.host)];
    return this._made(name, args, (host, made, begun) => new Walk(host, made, begun));
  },
  allow: (name) => async function call(keys) {
    return this._made(name, [packed(keys)], async (host, made, begun) => {
      await begun;
      return new Allowed(host, made);
    });
  },
  dispose: () => Index.prototype._dispose,
  get: () => undefined,
  none: () => undefined,
};

const define = (name: string | symbol, what: PropertyDescriptor) =>
  Object.defineProperty(Index.prototype, name, { configurable: true, ...what });
const property = (name: string) => define(name, { get(this: Index) { return this._call(name, []); } });

for (const [name, way] of Object.entries(WAYS) as [keyof Ways, Way][]) {
  if (way === 'get') property(name);
  else if (way !== 'none') define(name, { value: MEMBERS[way](name), writable: true });
}
property('threads');
for (const name of ['dispose', 'asyncDispose'] as const) {
  if (Symbol[name]) define(Symbol[name], { value: Index.prototype._dispose, writable: true });
}
