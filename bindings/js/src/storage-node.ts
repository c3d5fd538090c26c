// storage-node.ts - stores in files of Node, which `nigh` and all other languages read and write
// SPDX-License-Identifier: MIT OR Apache-2.0
import { closeSync, fdatasyncSync, fstatSync, ftruncateSync, openSync, readSync,
  unlinkSync, writeSync } from 'node:fs';
import { link, mkdir, open as openFile, readdir, readFile, rename, unlink,
  writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NIGH_E_INVALID, NIGH_E_NOT_FOUND } from './abi.js';
import type { Index, Key, KeyKind, KeyOf } from './api.js';
import { stamp as stampOf } from './storage-super.js';
import { Bytes, type Device, failed, notRead, notWritten } from './storage-device.js';
import { FileVectors, type RowOptions, type Stored, type StoreOptions,
  Stores } from './storage.js';
import type { Locks } from './storage-locks.js';
import type { Backend } from './storage-stored.js';

const POLL = 50; // milliseconds between two looks at a lock
const coded = (error: unknown, code: string) => (error as { code?: string } | null)?.code === code;

/** A file that is read and written at once. */
export class NodeFile implements Device {
  constructor(private readonly descriptor: number) {}

  static open(path: string, flags: string): NodeFile | undefined {
    try {
      return new NodeFile(openSync(path, flags, 0o666));
    } catch (error) {
      if (coded(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  size(): number { return fstatSync(this.descriptor).size; }

  read(into: Uint8Array, at: number): number {
    return readSync(this.descriptor, into, 0, into.length, at);
  }

  write(from: Uint8Array, at: number): number {
    return writeSync(this.descriptor, from, 0, from.length, at);
  }

  flush(): void { fdatasyncSync(this.descriptor); }
  truncate(size: number): void { ftruncateSync(this.descriptor, size); }
  close(): void { closeSync(this.descriptor); }
}

// ---- Locks --------------------------------------------------------------------------------------

const mine = new Set<string>(); // locks of this process; a file left by this pid before is not one

/** Whether the process that wrote the lock is gone. */
function stale(path: string, text: string): boolean {
  const pid = Number(text);
  if (!Number.isInteger(pid) || pid <= 0) return false; // being written
  if (pid === process.pid) return !mine.has(path);
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return coded(error, 'ESRCH');
  }
}

/** Takes away the lock of a process that is gone, unless another one was quicker. */
async function clear(path: string, text: string): Promise<void> {
  const aside = `${path}.${process.pid}-${Date.now()}`;
  await rename(path, aside).catch(() => undefined);
  if (await readFile(aside, 'utf8').catch(() => text) !== text) {
    await link(aside, path).catch(() => undefined); // it was somebody's
  }
  await unlink(aside).catch(() => undefined);
}

/** A file beside the store, with the number of the process that owns it. */
async function tryLock(path: string): Promise<(() => void) | undefined> {
  for (let i = 0; i < 2; i++) {
    const whole = `${path}.${process.pid}-${Math.random().toString(36).slice(2)}`;
    await writeFile(whole, String(process.pid), { flag: 'wx' });
    try {
      await link(whole, path); // never seen half-written
      mine.add(path);
      return () => {
        if (!mine.delete(path)) return;
        try {
          unlinkSync(path);
        } catch {
          // Somebody took the folder away.
        }
      };
    } catch (error) {
      if (!coded(error, 'EEXIST')) throw error;
      const text = await readFile(path, 'utf8').catch(() => '');
      if (!stale(path, text)) return undefined;
      await clear(path, text);
    } finally {
      await unlink(whole).catch(() => undefined);
    }
  }
  return undefined;
}

const fileLocks: Locks = {
  async hold(name, wait, signal) {
    for (;;) {
      signal?.throwIfAborted();
      const release = await tryLock(`${name}.lock`).catch((error: unknown) => {
        throw coded(error, 'ENOENT') ? failed(NIGH_E_NOT_FOUND, `${name}: there is none`) : error;
      });
      if (release || !wait) return release;
      await new Promise((go) => { setTimeout(go, POLL); });
    }
  },
};

// ---- Files --------------------------------------------------------------------------------------

class Files implements Backend {
  readonly scope: string;
  readonly locks = fileLocks;
  readonly pageBytes = 4096;

  constructor(folder: string) {
    this.scope = join(resolve(folder), '/');
  }

  check(name: string): void {
    if (typeof name !== 'string' || name === '' || name !== basename(name) || name === '..' ||
      name === '.' || name.includes('\0')) {
      throw failed(NIGH_E_INVALID, `name ${JSON.stringify(name)}: expected that of a file`);
    }
  }

  private path(name: string): string {
    this.check(name);
    return this.scope + name;
  }

  async prepare(): Promise<void> {
    await mkdir(this.scope, { recursive: true });
  }

  async device(name: string, create: boolean): Promise<Device | undefined> {
    const path = this.path(name);
    const found = NodeFile.open(path, 'r+');
    if (found || !create) return found;
    try {
      const made = NodeFile.open(path, 'wx+');
      const folder = await openFile(this.scope, 'r').catch(() => undefined); // not on every system
      await folder?.sync().catch(() => undefined);
      await folder?.close();
      return made;
    } catch (error) {
      throw notWritten(name, error);
    }
  }

  async snapshot(name: string): Promise<{ device: Device; stamp: string } | undefined> {
    const stamp = await this.stamp(name);
    try {
      return { device: new Bytes(await readFile(this.path(name))), stamp };
    } catch (error) {
      if (coded(error, 'ENOENT')) return undefined;
      throw notRead(name, error);
    }
  }

  async stamp(name: string): Promise<string> {
    const file = NodeFile.open(this.path(name), 'r');
    if (!file) return '';
    try {
      return await stampOf(async (at, count) => {
        const bytes = new Uint8Array(count);
        return bytes.subarray(0, file.read(bytes, at));
      });
    } finally {
      file.close();
    }
  }

  /** Files that begin as stores do. */
  async list(): Promise<string[]> {
    const found: string[] = [];
    const entries = await readdir(this.scope, { withFileTypes: true }).catch((error: unknown) => {
      if (coded(error, 'ENOENT')) return [];
      throw error;
    });
    for (const entry of entries) {
      if (entry.isFile() && await this.stamp(entry.name) !== '') found.push(entry.name);
    }
    return found.sort();
  }

  async remove(name: string): Promise<void> {
    await unlink(this.path(name)).catch((error: unknown) => {
      if (!coded(error, 'ENOENT')) throw notWritten(name, error);
    });
  }
}

const text = (path: string | URL) => (path instanceof URL ? fileURLToPath(path) : path);

/** Indexes in the files of a folder, each in a store of its own. */
export function fileStores(folder: string | URL): Stores {
  return new Stores(new Files(text(folder)));
}

/** One of them, by its path. A file beside it, `.lock`, keeps other processes of Node from owning
 * it; programs in other languages do not look at that. */
export function openStore<T extends KeyKind = KeyKind>(path: string | URL,
  options: StoreOptions<T> = {}): Promise<Stored<KeyOf<T>>> {
  const whole = resolve(text(path));
  return fileStores(dirname(whole)).open(basename(whole), options);
}

/** Keeps an index that there is in a store. */
export function putStore<K extends Key>(path: string | URL, index: Index<K>,
  options: { replace?: boolean } = {}): Promise<Stored<K>> {
  const whole = resolve(text(path));
  return fileStores(dirname(whole)).put(basename(whole), index, options);
}

/** Vectors in a file, read when a search looks at them: `vectors` of IndexOptions. readOnly: the
 * file is there and stays as it is. */
export function fileVectors<K extends Key = Key>(path: string | URL,
  { readOnly = false, ...rows }: RowOptions & { readOnly?: boolean }): FileVectors<K> {
  const name = text(path);
  const found = readOnly ? NodeFile.open(name, 'r')
    : NodeFile.open(name, 'r+') ?? NodeFile.open(name, 'wx+');
  if (!found) throw failed(NIGH_E_NOT_FOUND, `${name}: there is none`);
  return new FileVectors<K>(found, name, rows);
}
