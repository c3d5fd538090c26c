// storage.ts - indexes kept in the browser: OPFS or IndexedDB, commit by commit
// SPDX-License-Identifier: MIT OR Apache-2.0
import { NIGH_E_BUSY } from './abi.js';
import type { Index, Key, KeyKind, KeyOf } from './api.js';
import { failed } from './storage-device.js';
import { Database, Idb } from './storage-idb.js';
import { IdbVectors } from './storage-idb-rows.js';
import type { LazyOptions } from './storage-lazy.js';
import { Opfs, SyncFile } from './storage-opfs.js';
import { FileVectors, type RowOptions } from './storage-rows.js';
import { type Backend, Stored, type StoreOptions } from './storage-stored.js';

export { IdbVectors } from './storage-idb-rows.js';
export { LazyVectors, nearestAsync, searchAsync } from './storage-lazy.js';
export type { LazyOptions } from './storage-lazy.js';
export { blobVectors, httpVectors, RangeVectors } from './storage-ranges.js';
export type { HttpOptions, RangeOptions } from './storage-ranges.js';
export { FileVectors } from './storage-rows.js';
export type { RowOptions } from './storage-rows.js';
export { Stored } from './storage-stored.js';
export type { StoreOptions } from './storage-stored.js';
export type { StoreStats } from './storage-store.js';

/** Indexes by name, each in a store of its own. */
export class Stores {
  /** @internal */
  constructor(readonly _backend: Backend) {}

  /** Opens one, or makes it with `create`. */
  open<T extends KeyKind = KeyKind>(name: string, options: StoreOptions<T> = {}):
  Promise<Stored<KeyOf<T>>> {
    return Stored._open(this._backend, name, options);
  }

  /** Keeps an index that there is; the first commit is made. replace: instead of the one that is
   * kept under this name, in one commit. */
  put<K extends Key>(name: string, index: Index<K>, { replace = false } = {}): Promise<Stored<K>> {
    return Stored._put(this._backend, name, index, replace);
  }

  list(): Promise<string[]> { return this._backend.list(); }

  /** Nothing happens where there is none. */
  async delete(name: string): Promise<void> {
    const { scope, locks } = this._backend;
    this._backend.check(name);
    const release = await locks.hold(scope + name, false);
    if (!release) throw failed(NIGH_E_BUSY, `${name}: it is open`);
    try {
      await this._backend.remove(name);
    } finally {
      release();
    }
  }
}

/** In the origin private file system: a file for each, as `nigh` writes it natively, too. Owners
 * are dedicated workers. */
export function opfsStores({ folder = 'nigh' }: { folder?: string } = {}): Stores {
  return new Stores(new Opfs(folder, '.store'));
}

/** Vectors in a file of the origin private file system, read at once by the dedicated worker that
 * has it open: `vectors` of IndexOptions. Elsewhere: blobVectors. */
export async function opfsVectors<K extends Key = Key>(name: string,
  { folder = 'nigh', ...rows }: RowOptions & { folder?: string }): Promise<FileVectors<K>> {
  const handle = await new Opfs(folder, '.vectors').sync(name, true);
  return new FileVectors<K>(new SyncFile(handle!), name, rows);
}

/** Takes the file away; whoever has it open closes it before. */
export function deleteOpfsVectors(name: string, { folder = 'nigh' } = {}): Promise<void> {
  return new Opfs(folder, '.vectors').remove(name);
}

/** Vectors in IndexedDB, for `searchAsync` and `nearestAsync`. */
export function idbVectors<K extends Key = Key>(name: string,
  { database = 'nigh', ...rows }: LazyOptions & { database?: string }): Promise<IdbVectors<K>> {
  return IdbVectors._open<K>(new Database(database), name, rows);
}

export function deleteIdbVectors(name: string, { database = 'nigh' } = {}): Promise<void> {
  return IdbVectors._remove(new Database(database), name);
}

/** In IndexedDB, from pages and workers. The pages of an open store are in memory, beside the
 * index. */
export function idbStores({ database = 'nigh', pageBytes = 16384 }: {
  database?: string;
  /** What is written anew as a whole, a power of two from 1024 on. */
  pageBytes?: number;
} = {}): Stores {
  return new Stores(new Idb(new Database(database), pageBytes));
}
/** @internal */
export { STORE as _STORE, STORE_STATS as _STORE_STATS } from './storage-store.js';
