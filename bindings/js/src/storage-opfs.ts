// storage-opfs.ts - stores in the origin private file system: written in workers, read anywhere
// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A store is the file that the native library writes, too. Its owner is a dedicated worker, as only
// there files are read and written at once. Whoever follows reads the file as it lies; a commit in
// between is seen by its superblocks, and reading begins again.
import { NIGH_E_BUSY, NIGH_E_INVALID, NIGH_E_UNSUPPORTED } from './abi.js';
import { stamp as stampOf } from './storage-super.js';
import { Bytes, type Device, failed, notRead, notWritten } from './storage-device.js';
import { platformLocks } from './storage-locks.js';
import type { Backend } from './storage-stored.js';

/** What this file needs of FileSystemSyncAccessHandle. */
export interface SyncHandle {
  read(into: Uint8Array, options: { at: number }): number;
  write(from: Uint8Array, options: { at: number }): number;
  flush(): void;
  getSize(): number;
  truncate(size: number): void;
  close(): void;
}
interface FileHandle {
  getFile(): Promise<Blob>;
  createSyncAccessHandle?(): Promise<SyncHandle>;
}
interface Folder {
  getFileHandle(name: string, options?: { create?: boolean }): Promise<FileHandle>;
  getDirectoryHandle(name: string, options?: { create?: boolean }): Promise<Folder>;
  removeEntry(name: string): Promise<void>;
  keys(): AsyncIterable<string>;
}

const OPEN_TRIES = 40; // of 50 ms: the file of a tab that was killed is free a moment later
const TRIES = 20;
const named = (error: unknown, name: string) => (error as { name?: string } | null)?.name === name;
const pause = (ms: number) => new Promise((resolve) => { setTimeout(resolve, ms); });

export class SyncFile implements Device {
  constructor(private readonly handle: SyncHandle) {}

  size(): number { return this.handle.getSize(); }
  read(into: Uint8Array, at: number): number { return this.handle.read(into, { at }); }
  write(from: Uint8Array, at: number): number { return this.handle.write(from, { at }); }
  flush(): void { this.handle.flush(); }
  truncate(size: number): void { this.handle.truncate(size); }
  close(): void { this.handle.close(); }
}

export class Opfs implements Backend {
  readonly scope: string;
  readonly locks = platformLocks();
  readonly pageBytes = 4096;
  private folder: Promise<Folder> | undefined;

  constructor(private readonly path: string, private readonly suffix: string) {
    this.scope = `nigh:opfs:${path}:`;
  }

  /** Names are files: what they must not hold is written as in addresses. */
  check(name: string): void {
    if (typeof name !== 'string' || name === '' || encodeURIComponent(name).length > 200) {
      throw failed(NIGH_E_INVALID, `name ${JSON.stringify(name)}: 1 to 200 characters`);
    }
  }

  private file(name: string): string {
    this.check(name);
    return encodeURIComponent(name) + this.suffix;
  }

  private root(): Promise<Folder> {
    this.folder ??= (async () => {
      const { storage } = (globalThis as unknown as { navigator?: { storage?: {
        getDirectory?(): Promise<Folder> } } }).navigator ?? {};
      if (!storage?.getDirectory) {
        throw failed(NIGH_E_UNSUPPORTED, 'there is no origin private file system here');
      }
      let folder = await storage.getDirectory();
      for (const part of this.path.split('/').filter(Boolean)) {
        folder = await folder.getDirectoryHandle(part, { create: true });
      }
      return folder;
    })();
    this.folder.catch(() => { this.folder = undefined; });
    return this.folder;
  }

  private async find(name: string, create: boolean): Promise<FileHandle | undefined> {
    const folder = await this.root();
    try {
      return await folder.getFileHandle(this.file(name), { create });
    } catch (error) {
      if (named(error, 'NotFoundError')) return undefined;
      throw create ? notWritten(name, error) : notRead(name, error);
    }
  }

  /** A file that is read and written at once. */
  async sync(name: string, create: boolean): Promise<SyncHandle | undefined> {
    const file = await this.find(name, create);
    if (!file) return undefined;
    if (!file.createSyncAccessHandle) {
      throw failed(NIGH_E_UNSUPPORTED, `${name}: only a dedicated worker may write it. Elsewhere: ` +
        "role 'follower', or IndexedDB");
    }
    for (let i = 0; ; i++) {
      try {
        return await file.createSyncAccessHandle();
      } catch (error) {
        if (!named(error, 'NoModificationAllowedError')) throw notWritten(name, error);
        if (i === OPEN_TRIES) throw failed(NIGH_E_BUSY, `${name}: the file is in use`, error);
        await pause(50);
      }
    }
  }

  async device(name: string, create: boolean): Promise<Device | undefined> {
    const handle = await this.sync(name, create);
    return handle && new SyncFile(handle);
  }

  async snapshot(name: string): Promise<{ device: Device; stamp: string } | undefined> {
    for (let i = 0; ; i++) {
      const stamp = await this.stamp(name);
      try {
        const file = await (await this.find(name, false))?.getFile();
        return file && { device: new Bytes(new Uint8Array(await file.arrayBuffer())), stamp };
      } catch (error) { // it changed while it was read
        if (!named(error, 'NotReadableError') || i === TRIES) throw notRead(name, error);
      }
    }
  }

  async stamp(name: string): Promise<string> {
    for (let i = 0; ; i++) {
      const file = await (await this.find(name, false))?.getFile();
      if (!file) return '';
      try {
        return await stampOf(async (at, count) =>
          new Uint8Array(await file.slice(at, at + count).arrayBuffer()));
      } catch (error) {
        if (!named(error, 'NotReadableError') || i === TRIES) throw notRead(name, error);
      }
    }
  }

  async list(): Promise<string[]> {
    const names: string[] = [];
    for await (const name of (await this.root()).keys()) {
      if (name.endsWith(this.suffix)) names.push(decodeURIComponent(name.slice(0, -this.suffix.length)));
    }
    return names.sort();
  }

  async remove(name: string): Promise<void> {
    const folder = await this.root();
    await folder.removeEntry(this.file(name)).catch((error: unknown) => {
      if (!named(error, 'NotFoundError')) throw notWritten(name, error);
    });
  }
}
