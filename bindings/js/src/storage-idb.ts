// storage-idb.ts - stores in IndexedDB: pages as records, a commit is one transaction
// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The core writes at once, IndexedDB does not. So a device holds the pages in memory; what a commit
// wrote there goes into one transaction, which is there or is not, whenever the tab ends. What an
// aborted one had written goes along with the next.
import { NIGH_E_BUSY, NIGH_E_INVALID, NIGH_E_UNSUPPORTED } from './abi.js';
import { type Device, failed, notRead, notWritten } from './storage-device.js';
import { platformLocks } from './storage-locks.js';
import type { Backend } from './storage-stored.js';

const PAGES = 'pages'; // [name, number]: bytes
const STORES = 'stores'; // name: Entry
const VECTORS = 'vectors'; // [name, number]: rows
const VERSION = 1;
const AT_ONCE = 256; // records that one request reads

interface Entry { generation: number; pageBytes: number }

export const answer = <T>(request: IDBRequest<T>): Promise<T> => new Promise((resolve, reject) => {
  request.onsuccess = () => { resolve(request.result); };
  request.onerror = () => { reject(request.error!); };
});

/** Gives a transaction up, unless it has ended by itself. */
export function abort(transaction: IDBTransaction | undefined): void {
  try {
    transaction?.abort();
  } catch {
    // It has.
  }
}

/** Resolves when it is there for good. */
export const ended = (transaction: IDBTransaction): Promise<void> =>
  new Promise((resolve, reject) => {
    transaction.oncomplete = () => { resolve(); };
    transaction.onabort = () => {
      reject(transaction.error ?? new DOMException('the transaction was aborted', 'AbortError'));
    };
  });

/** Records of a name. */
export const range = (name: string, from = 0): IDBKeyRange =>
  IDBKeyRange.bound([name, from], [name, Infinity]);

/** A database that is opened when it is needed, and anew when the browser closed it. */
export class Database {
  private opened: Promise<IDBDatabase> | undefined;

  constructor(readonly name: string) {}

  open(): Promise<IDBDatabase> {
    this.opened ??= new Promise<IDBDatabase>((resolve, reject) => {
      if (!globalThis.indexedDB) throw failed(NIGH_E_UNSUPPORTED, 'there is no IndexedDB here');
      const request = indexedDB.open(this.name, VERSION);
      request.onupgradeneeded = () => {
        for (const store of [PAGES, STORES, VECTORS]) request.result.createObjectStore(store);
      };
      request.onblocked = () => {
        reject(failed(NIGH_E_BUSY, `${this.name}: another tab has the database open as it was: ` +
          'close it'));
      };
      request.onerror = () => {
        reject(request.error?.name === 'VersionError'
          ? failed(NIGH_E_UNSUPPORTED, `${this.name}: a database of a newer version`, request.error)
          : notRead(this.name, request.error));
      };
      request.onsuccess = () => {
        const db = request.result;
        const forget = () => { this.opened = undefined; };
        db.onclose = forget; // the browser: its data were cleared
        db.onversionchange = () => { // another one deletes or upgrades it, and waits for us
          db.close();
          forget();
        };
        resolve(db);
      };
    });
    this.opened.catch(() => { this.opened = undefined; });
    return this.opened;
  }

  async begin(stores: string[], mode: 'readonly' | 'readwrite'): Promise<IDBTransaction> {
    const how = { durability: 'strict' } as const;
    for (let again = false; ; again = true) {
      const db = await this.open();
      try {
        return db.transaction(stores, mode, how);
      } catch (error) { // closed in this moment
        if (again || (error as Error).name !== 'InvalidStateError') throw error;
        this.opened = undefined;
      }
    }
  }

  async close(): Promise<void> {
    (await this.opened)?.close();
    this.opened = undefined;
  }
}

/** Pages in memory; `changed` are those that the database has not, or not as they are. */
class Pages implements Device {
  private readonly changed = new Set<number>();
  private end = 0;

  constructor(private readonly database: Database, private readonly name: string,
    readonly pageBytes: number, private readonly pages: Map<number, Uint8Array<ArrayBuffer>>,
    private generation: number | undefined) {
    for (const page of pages.keys()) this.end = Math.max(this.end, (page + 1) * pageBytes);
  }

  size(): number { return this.end; }

  read(into: Uint8Array, at: number): number {
    const [page, inside] = [Math.floor(at / this.pageBytes), at % this.pageBytes];
    const count = Math.min(into.length, this.pageBytes - inside, this.end - at);
    if (count <= 0) return 0;
    const bytes = this.pages.get(page);
    if (bytes) into.set(bytes.subarray(inside, inside + count));
    else into.fill(0, 0, count);
    return count;
  }

  write(from: Uint8Array, at: number): number {
    const [page, inside] = [Math.floor(at / this.pageBytes), at % this.pageBytes];
    const count = Math.min(from.length, this.pageBytes - inside);
    let bytes = this.pages.get(page);
    if (!bytes) this.pages.set(page, bytes = new Uint8Array(this.pageBytes));
    bytes.set(from.subarray(0, count), inside);
    this.changed.add(page);
    this.end = Math.max(this.end, (page + 1) * this.pageBytes);
    return count;
  }

  flush(): void { /* `settle` does it */ }

  truncate(size: number): void {
    for (const page of [...this.pages.keys()]) {
      if (page * this.pageBytes < size) continue;
      this.pages.delete(page);
      this.changed.delete(page);
    }
    this.end = size;
  }

  close(): void { this.pages.clear(); }

  async settle(generation: number): Promise<void> {
    if (this.changed.size === 0) return;
    const transaction = await this.database.begin([PAGES, STORES], 'readwrite');
    const done = ended(transaction);
    done.catch(() => undefined);
    const pages = transaction.objectStore(PAGES);
    const stores = transaction.objectStore(STORES);
    let taken = false;
    try {
      const request = stores.get(this.name) as IDBRequest<Entry | undefined>;
      request.onsuccess = () => {
        if (request.result?.generation !== this.generation) { // where there are no locks
          taken = true;
          transaction.abort();
        }
      };
      for (const page of this.changed) pages.put(this.pages.get(page)!.buffer, [this.name, page]);
      stores.put({ generation, pageBytes: this.pageBytes } satisfies Entry, this.name);
    } catch (error) {
      abort(transaction);
      await done.catch(() => undefined);
      throw error;
    }
    await done.catch((error: unknown) => {
      throw taken ? failed(NIGH_E_BUSY, `${this.name}: another one has written or deleted it since`)
        : error;
    });
    this.changed.clear();
    this.generation = generation;
  }
}

export class Idb implements Backend {
  readonly scope: string;
  readonly locks = platformLocks();

  constructor(private readonly database: Database, readonly pageBytes: number) {
    this.scope = `nigh:idb:${database.name}:`;
  }

  check(name: string): void {
    if (typeof name !== 'string' || name === '') {
      throw failed(NIGH_E_INVALID, `name ${JSON.stringify(name)}: expected a string`);
    }
  }

  private async load(name: string): Promise<Pages | undefined> {
    try {
      const transaction = await this.database.begin([PAGES, STORES], 'readonly');
      const entry = await answer(transaction.objectStore(STORES).get(name) as
        IDBRequest<Entry | undefined>);
      const found = new Map<number, Uint8Array<ArrayBuffer>>();
      if (!entry) return undefined;
      const pages = transaction.objectStore(PAGES);
      for (let from = 0; ;) {
        const part = range(name, from);
        const [keys, values] = await Promise.all([answer(pages.getAllKeys(part, AT_ONCE)),
          answer(pages.getAll(part, AT_ONCE) as IDBRequest<ArrayBuffer[]>)]);
        keys.forEach((key, i) => {
          from = (key as [string, number])[1] + 1;
          found.set(from - 1, new Uint8Array(values[i]!));
        });
        if (keys.length < AT_ONCE) break;
      }
      return new Pages(this.database, name, entry.pageBytes, found, entry.generation);
    } catch (error) {
      throw notRead(name, error);
    }
  }

  async device(name: string, create: boolean): Promise<Device | undefined> {
    return await this.load(name) ??
      (create ? new Pages(this.database, name, this.pageBytes, new Map(), undefined) : undefined);
  }

  async snapshot(name: string): Promise<{ device: Device; stamp: string } | undefined> {
    const stamp = await this.stamp(name);
    const device = await this.load(name);
    return device && { device, stamp };
  }

  async stamp(name: string): Promise<string> {
    const transaction = await this.database.begin([STORES], 'readonly');
    const entry = await answer(transaction.objectStore(STORES).get(name) as
      IDBRequest<Entry | undefined>);
    return entry ? String(entry.generation) : '';
  }

  async list(): Promise<string[]> {
    const transaction = await this.database.begin([STORES], 'readonly');
    return await answer(transaction.objectStore(STORES).getAllKeys()) as string[];
  }

  async remove(name: string): Promise<void> {
    try {
      const transaction = await this.database.begin([PAGES, STORES], 'readwrite');
      const done = ended(transaction);
      transaction.objectStore(STORES).delete(name);
      transaction.objectStore(PAGES).delete(range(name));
      await done;
    } catch (error) {
      throw notWritten(name, error);
    }
  }
}
