// saved.ts - the index and the visitor's sentences in the origin private file system
// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Sentences are written before the index is, so that they can be indexed again whatever becomes of
// it. One tab owns the folder for as long as it is open; others read what it has written.
import { Index } from 'nigh';

const FOLDER = 'nigh-example';
const SENTENCES = 'sentences.json';

/** What dedicated workers have besides lib.dom. */
interface SyncFile {
  createSyncAccessHandle(): Promise<{ truncate(size: number): void; flush(): void; close(): void;
    write(from: BufferSource, options: { at: number }): number }>;
}

/** A sentence by the order in which it came; what was taken back keeps its place. */
export interface Sentence { text: string; gone?: boolean }

/** Whether this tab is the one that writes; the lock goes with the tab. */
function owns(): Promise<boolean> {
  if (!navigator.locks) return Promise.resolve(true);
  return new Promise((resolve) => {
    void navigator.locks.request(FOLDER, { ifAvailable: true }, (lock) => {
      resolve(lock !== null);
      return lock ? new Promise(() => {}) : undefined;
    });
  });
}

/** Replaces a file as a whole: what is there of it before the end does not count. */
async function write(folder: FileSystemDirectoryHandle, name: string, content: BufferSource) {
  const file = await folder.getFileHandle(name, { create: true });
  if ('createWritable' in file) {
    const out = await file.createWritable();
    await out.write(content);
    return out.close();
  }
  // Safari before 26: in place; a half-written index is found by its checksums.
  const handle = await (file as unknown as SyncFile).createSyncAccessHandle();
  try {
    handle.truncate(0);
    handle.write(content, { at: 0 });
    handle.flush();
  } finally {
    handle.close();
  }
}

async function read(folder: FileSystemDirectoryHandle, name: string): Promise<File | undefined> {
  const handle = await folder.getFileHandle(name).catch(() => undefined);
  return handle?.getFile();
}

export class Saved {
  bytes = 0;

  /** @param name of the index: another one makes this one worthless */
  private constructor(private readonly folder: FileSystemDirectoryHandle,
    private readonly name: string, readonly owner: boolean) {}

  static async open(name: string): Promise<Saved> {
    const root = await navigator.storage.getDirectory();
    const folder = await root.getDirectoryHandle(FOLDER, { create: true });
    return new Saved(folder, name, await owns());
  }

  /** The index, if there is one and it is whole. */
  async index(): Promise<Index<number> | undefined> {
    const file = await read(this.folder, this.name);
    if (!file?.size) return undefined;
    try {
      const index = await Index.open(file, { verify: true, keys: 'number' });
      this.bytes = file.size;
      return index;
    } catch {
      return undefined;
    }
  }

  async sentences(): Promise<Sentence[]> {
    try {
      return JSON.parse(await (await read(this.folder, SENTENCES))!.text()) as Sentence[];
    } catch {
      return [];
    }
  }

  async keepSentences(sentences: Sentence[]): Promise<void> {
    await write(this.folder, SENTENCES, new TextEncoder().encode(JSON.stringify(sentences)));
  }

  async keepIndex(index: Index<number>): Promise<void> {
    const image = index.save();
    await write(this.folder, this.name, image as Uint8Array<ArrayBuffer>);
    this.bytes = image.length;
    for await (const name of this.folder.keys()) { // of earlier versions of the page
      if (name !== this.name && name !== SENTENCES) await this.folder.removeEntry(name);
    }
  }

  static async forget(): Promise<void> {
    const root = await navigator.storage.getDirectory();
    await root.removeEntry(FOLDER, { recursive: true }).catch(() => {});
  }
}
