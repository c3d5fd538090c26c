// main.ts - the class Index: made, opened, saved
// SPDX-License-Identifier: MIT OR Apache-2.0
/// <reference lib="esnext.disposable" preserve="true" />
import { NIGH_E_READ_ONLY, NIGH_E_UNSUPPORTED, NIGH_OPEN_VERIFY, NIGH_OPEN_WRITABLE,
  NIGH_SAVE_GRAPH_ONLY, NIGH_SAVE_PACKED, NIGH_CPU_SIMD128 } from './abi.js';
import { type ByteSource, bytesOf, view } from './bytes.js';
import { type Distance, type IndexOptions, type Outside, putConfig, uint } from './core.js';
import { NighError } from './errors.js';
import { Handle, slotMaxFor } from './handle.js';
import type { Key, KeyKind, KeyOf } from './keys.js';
import { isWhole, load, loadMore, needs } from './module.js';
import type { About, More } from './more.js';
import { more } from './rest.js';
import { Search } from './search.js';
import { Wasm } from './wasm.js';

export interface OpenOptions<T extends KeyKind = KeyKind> extends Outside<KeyOf<T>> {
  /** How keys of numbers are handed out; else what the index must have. */
  keys?: T;
  /** The distance function of an index that was made with one. */
  metric?: Distance;
  /** false: saves the memory that changes need. */
  writable?: boolean;
  /** Compare every checksum first. */
  verify?: boolean;
}

export interface SaveOptions {
  /** Without vectors: whoever opens it brings them. */
  graphOnly?: boolean;
  /** Read-only, links of as few bits as they need: for download. */
  packed?: boolean;
}

/** Makes what may want the rest of the class, or the whole module: then they are loaded. */
async function waited<T>(make: () => T): Promise<T> {
  for (const wait of [loadMore, () => load('full')]) {
    try {
      return make();
    } catch (error) {
      if ((error as NighError).status !== NIGH_E_UNSUPPORTED) throw error;
    }
    await wait();
  }
  return make();
}

/** An index of vectors by key. All calls but jobs (`build`, `makeCodes`, `refine`, `vacuum`,
 * `root`) are done when they return. Jobs and some options load a second part of the package; calls
 * that cannot wait for it say so. */
export class Index<K extends Key = Key> extends Search<K> {
  /** @internal */
  constructor() { super(); }

  // ---- Make, open --------------------------------------------------------------------------------

  static async create<T extends KeyKind = 'number'>(
    options: IndexOptions<T>): Promise<Index<KeyOf<T>>> {
    await load(options.codes && 'full'); // which makes them
    return waited(() => Index.createSync(options));
  }

  /** `create` where load() was awaited before. */
  static createSync<T extends KeyKind = 'number'>(
    options: IndexOptions<T>): Index<KeyOf<T>> {
    const capacity = uint('capacity', options.capacity);
    const h = new Handle();
    h.run(() => {
      h.make(putConfig(h, options as never), slotMaxFor(capacity));
    });
    const { metric } = options;
    const made = new Index<KeyOf<T>>()._begin(h, options.keys, options.vectors,
      typeof metric === 'function' ? metric : undefined);
    h.run(() => {
      h.writable();
      if (capacity > 0) h.grow(capacity, 0);
    });
    return made;
  }

  /** Opens what `save`, or nigh in any other language, has written. */
  static async open<T extends KeyKind = KeyKind>(source: ByteSource | PromiseLike<ByteSource>,
    options: OpenOptions<T> = {}): Promise<Index<KeyOf<T>>> {
    const [bytes] = await Promise.all([bytesOf(source), load()]);
    return waited(() => Index.openSync(bytes, options));
  }

  /** `open` of bytes where load() was awaited before. */
  static openSync<T extends KeyKind = KeyKind>(bytes: ArrayBuffer | ArrayBufferView,
    options: OpenOptions<T> = {}): Index<KeyOf<T>> {
    const { writable = true, verify = false } = options;
    const image = view(bytes)!;
    const h = new Handle();
    h.run(() => {
      const at = h.alloc(image.length);
      h.u8.set(image, at);
      h.attach(at, image.length, 0,
        (writable ? NIGH_OPEN_WRITABLE : 0) | (verify ? NIGH_OPEN_VERIFY : 0));
    });
    const made = new Index<KeyOf<T>>()._begin(h, options.keys, options.vectors, options.metric);
    if (writable) {
      try {
        h.run(() => h.writable());
      } catch (error) { // packed
        if (!(error instanceof NighError && error.status === NIGH_E_READ_ONLY)) throw error;
      }
    }
    return made;
  }

  /** Reads a file of hnswlib 0.6 to 0.8: the same links, labels as keys. The file does not say dim
   * and metric; m and efBuild are the file's. Before it is changed, see `root`. */
  static async readHnswlib<T extends 'number' | 'bigint' | 'identity' = 'number'>(
    source: ByteSource | PromiseLike<ByteSource>,
    options: IndexOptions<T>): Promise<Index<KeyOf<T>>> {
    const [bytes] = await Promise.all([bytesOf(source), load('full')]);
    return Index.readHnswlibSync(bytes, options).index;
  }

  /** `readHnswlib` where load('full') was awaited before, with what the file says beside the
   * index. */
  static readHnswlibSync<T extends 'number' | 'bigint' | 'identity' = 'number'>(
    bytes: ArrayBuffer | ArrayBufferView, options: IndexOptions<T>):
    { index: Index<KeyOf<T>>; about: About } {
    return (more.readHnswlib ?? needs('readHnswlibSync'))(bytes, options) as never;
  }

  // ---- Save --------------------------------------------------------------------------------------

  /** The index as bytes: the same content gives the same bytes, in every language. */
  save({ graphOnly = false, packed = false }: SaveOptions = {}): Uint8Array {
    const flags = (graphOnly ? NIGH_SAVE_GRAPH_ONLY : 0) | (packed ? NIGH_SAVE_PACKED : 0);
    return this._run((h) => {
      const out = new Uint8Array(h.sized(h.x.nigh_save_bytes, h.index, flags));
      h.save(flags, (bytes, to) => out.set(bytes, to));
      return out;
    });
  }

  get [Symbol.toStringTag](): string { return 'nigh.Index'; }
}

type Later = 'build' | 'makeCodes' | 'refine' | 'vacuum' | 'root' | 'rootSync' | 'check' | 'node' |
  'writeHnswlib' | 'stats' | 'config' | 'row' | 'nearest';
export interface Index<K extends Key = Key> extends Pick<More<K>, Later> {
  /** `dispose`, for `using`. */
  [Symbol.dispose](): void;
}

export function define(name: string | symbol, value: unknown): void {
  Object.defineProperty(Index.prototype, name, { value, configurable: true, writable: true });
}

if (Symbol.dispose) define(Symbol.dispose, Index.prototype.dispose);

// Jobs wait for more.ts and the whole module; others cannot, until they are there.
for (const name of ['build', 'makeCodes', 'refine', 'vacuum', 'root'] as const) {
  define(name, async function wait(this: Index, ...args: any[]): Promise<void> {
    if (!isWhole() || !more.jobs) {
      this._idle();
      this._job = true;
      try {
        await load('full');
      } finally {
        this._job = false;
      }
    }
    return more.jobs![name]!.apply(this, args);
  });
}
for (const name of ['rootSync', 'check', 'node', 'writeHnswlib', 'stats', 'config', 'row',
  'nearest']) {
  define(name, function refuse(this: Index) {
    this._open();
    needs(name);
  });
}

/** The module that was loaded. */
export async function about(): Promise<{ version: string; simd: boolean }> {
  await load();
  const { x } = new Wasm();
  const version = x.nigh_version();
  return { version: [version >> 16, version >> 8 & 255, version & 255].join('.'),
    // The small module has no way to ask, and always has SIMD128.
    simd: !("nigh_features" in x) || (x.nigh_features() & NIGH_CPU_SIMD128) > 0 };
}
