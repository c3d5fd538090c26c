// main.ts - the class Index: made, opened, saved
// SPDX-License-Identifier: MIT OR Apache-2.0
/// <reference lib="esnext.disposable" preserve="true" />
import { nigh_config, nigh_hnswlib, NIGH_E_READ_ONLY, NIGH_HNSWLIB_32,
  NIGH_NODE_DELETED, NIGH_NODE_FREE, NIGH_OPEN_VERIFY, NIGH_OPEN_WRITABLE, nigh_report,
  NIGH_SAVE_GRAPH_ONLY, NIGH_SAVE_PACKED, NIGH_CPU_SIMD128 } from './abi.js';
import { type ByteSource, bytesOf, view } from './bytes.js';
import { type Distance, type IndexOptions, type Outside, putConfig, uint } from './core.js';
import { NighError } from './errors.js';
import { Handle, slotMaxFor } from './handle.js';
import { Jobs } from './jobs.js';
import type { Key, KeyKind, KeyOf } from './keys.js';
import { load } from './module.js';
import { type Fields, OUT, Wasm } from './wasm.js';

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

/** nigh_report of nigh.h: what `check` found. */
export type Report = Fields<typeof nigh_report>;
/** A node of the graph and its neighbours in a layer. */
export interface Node { top: number; removed: boolean; free: boolean; links: Uint32Array }

/** An index of vectors by key. All calls but jobs (`build`, `makeCodes`, `refine`, `vacuum`,
 * `root`) are done when they return. */
export class Index<K extends Key = Key> extends Jobs<K> {
  private constructor() { super(); }

  // ---- Make, open --------------------------------------------------------------------------------

  static async create<T extends KeyKind = 'number'>(
    options: IndexOptions<T>): Promise<Index<KeyOf<T>>> {
    await load();
    return Index.createSync(options);
  }

  /** `create` where load() was awaited before. */
  static createSync<T extends KeyKind = 'number'>(
    options: IndexOptions<T>): Index<KeyOf<T>> {
    const capacity = uint('capacity', options.capacity);
    const h = new Handle();
    h.run(() => {
      h.make(putConfig(h, options as unknown as IndexOptions<KeyKind>), slotMaxFor(capacity));
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
    return Index.openSync(bytes, options);
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
    const [bytes] = await Promise.all([bytesOf(source), load()]);
    return Index.readHnswlibSync(bytes, options).index;
  }

  /** `readHnswlib` where load() was awaited before, with what the file says beside the index. */
  static readHnswlibSync<T extends 'number' | 'bigint' | 'identity' = 'number'>(
    bytes: ArrayBuffer | ArrayBufferView, options: IndexOptions<T>):
    { index: Index<KeyOf<T>>; about: Fields<typeof nigh_hnswlib> } {
    const file = view(bytes)!;
    const h = new Handle();
    const [at, about] = h.run(() => {
      const from = h.alloc(file.length);
      h.u8.set(file, from);
      const config = putConfig(h, options as unknown as IndexOptions<KeyKind>);
      const out = h.put(OUT, nigh_hnswlib, {});
      h.ok(h.x.nigh_hnswlib_config(from, BigInt(file.length), config, out), 'readHnswlib');
      const found = h.get(out, nigh_hnswlib);
      h.make(config, slotMaxFor(Math.max(found.slotCount, options.capacity ?? 0)),
        found.upperExtra);
      return [from, found] as const;
    });
    const index = new Index<KeyOf<T>>()._begin(h, options.keys, options.vectors, undefined);
    h.run(() => {
      h.writable();
      h.grow(Math.max(1, about.slotCount), 0);
      h.ok(h.x.nigh_hnswlib_read(h.index, at, BigInt(file.length)), 'readHnswlib');
      h.x.nighw_free(at);
    });
    return { index, about };
  }

  // ---- Save --------------------------------------------------------------------------------------

  /** The index as bytes: the same content gives the same bytes, in every language. */
  save({ graphOnly = false, packed = false }: SaveOptions = {}): Uint8Array {
    const flags = (graphOnly ? NIGH_SAVE_GRAPH_ONLY : 0) | (packed ? NIGH_SAVE_PACKED : 0);
    return this._run((h) => {
      const out = new Uint8Array(h.sized((at) => h.x.nigh_save_bytes(h.index, flags, at)));
      let to = 0;
      h.write((bytes) => {
        out.set(bytes, to);
        to += bytes.length;
      }, (write) => h.x.nigh_save(h.index, flags, write, 0));
      return out;
    });
  }

  /** The index as a file of hnswlib; bits: of the programs that read it. */
  writeHnswlib({ bits = 64, maxElements = 0 }: { bits?: 32 | 64; maxElements?: number } = {}):
  Uint8Array {
    uint('maxElements', maxElements, 0, 2 ** 32);
    return this._run((h) => {
      const parts: Uint8Array[] = [];
      const session = h.sessionFor();
      h.write((bytes) => { parts.push(bytes.slice()); }, (write) => h.x.nigh_hnswlib_write(h.index,
        session, bits === 32 ? NIGH_HNSWLIB_32 : 0, BigInt(maxElements), write, 0));
      const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
      let to = 0;
      for (const part of parts) {
        out.set(part, to);
        to += part.length;
      }
      return out;
    });
  }

  // ---- Look inside -------------------------------------------------------------------------------

  /** Proves the structure of the index in one pass. A broken index is a report, not an error:
   * `status` 0 is sound. */
  check(): Report {
    return this._run((h) => {
      const session = h.sessionFor();
      return h.filled(nigh_report, (at) => h.x.nigh_check(h.index, session, at));
    });
  }

  /** A node of the graph, by slot. */
  node(slot: number, level = 0): Node {
    uint('slot', slot);
    uint('level', level);
    return this._run((h) => {
      const { m, m0 } = h.filled(nigh_config, (at) => h.x.nigh_config_get(h.index, at));
      return h.with(64 + 4 * Math.max(m, m0), (at) => {
        h.ok(h.x.nigh_node(h.index, slot, level, at, at + 4, at + 64, at + 8), 'node');
        const [top, flags, count] = h.u32.slice(at >>> 2, (at >>> 2) + 3) as unknown as
          [number, number, number];
        return { top, removed: (flags & NIGH_NODE_DELETED) > 0, free: (flags & NIGH_NODE_FREE) > 0,
          links: h.u32.slice((at + 64) >>> 2, ((at + 64) >>> 2) + count) };
      });
    });
  }

  get [Symbol.toStringTag](): string { return 'nigh.Index'; }
}

export interface Index<K extends Key = Key> {
  /** `dispose`, for `using`. */
  [Symbol.dispose](): void;
}
if (Symbol.dispose) {
  Object.defineProperty(Index.prototype, Symbol.dispose,
    { value: Index.prototype.dispose, configurable: true, writable: true });
}

/** The module that was loaded. */
export async function about(): Promise<{ version: string; simd: boolean }> {
  await load();
  const { x } = new Wasm();
  const version = x.nigh_version();
  return { version: `${version >> 16}.${version >> 8 & 255}.${version & 255}`,
    simd: (x.nigh_features() & NIGH_CPU_SIMD128) > 0 };
}
