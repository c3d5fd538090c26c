// saved.ts - the index and the visitor's sentences in the origin private file system
// SPDX-License-Identifier: MIT OR Apache-2.0
import { type Index, NighError } from 'nigh';
import { opfsStores, type Stored } from 'nigh/storage';

const FOLDER = 'nigh-example';
const SENTENCES = 'sentences.json';
const stores = opfsStores({ folder: FOLDER });
const has = (error: unknown, ...codes: string[]) => error instanceof NighError &&
  codes.includes(error.code);

/** A sentence by the order in which it came; what was taken back keeps its place. */
export interface Sentence { text: string; gone?: boolean }

/** The index of this name as this device has it, or undefined. The first tab owns it; others read
 * what that one commits. */
export async function openIndex(name: string): Promise<Stored<number> | undefined> {
  try {
    return await stores.open(name, { keys: 'number', role: 'any' });
  } catch (error) {
    if (has(error, 'NIGH_E_CORRUPT', 'NIGH_E_FORMAT')) await stores.delete(name);
    else if (!has(error, 'NIGH_E_NOT_FOUND')) throw error;
    return undefined;
  }
}

/** Keeps an index, instead of those of earlier versions of the page. */
export async function keepIndex(name: string, index: Index<number>): Promise<Stored<number>> {
  const stored = await stores.put(name, index, { replace: true });
  for (const other of await stores.list()) {
    if (other !== name) await stores.delete(other).catch(() => {}); // a tab still has it open
  }
  return stored;
}

// ---- Sentences -----------------------------------------------------------------------------------

const folder = async () => (await navigator.storage.getDirectory())
  .getDirectoryHandle(FOLDER, { create: true });

export async function openSentences(): Promise<Sentence[]> {
  try {
    const file = await (await folder()).getFileHandle(SENTENCES);
    return JSON.parse(await (await file.getFile()).text()) as Sentence[];
  } catch { // none yet, or nothing is kept here
    return [];
  }
}

/** What dedicated workers have besides lib.dom. */
interface SyncFile {
  createSyncAccessHandle(): Promise<{ truncate(size: number): void; flush(): void; close(): void;
    write(from: BufferSource, options: { at: number }): number }>;
}

/** Replaces all of them, or none. */
export async function keepSentences(sentences: Sentence[]): Promise<void> {
  const content = new TextEncoder().encode(JSON.stringify(sentences));
  const file = await (await folder()).getFileHandle(SENTENCES, { create: true });
  if ('createWritable' in file) {
    const out = await file.createWritable();
    await out.write(content);
    await out.close();
    return;
  }
  // Safari before 26 writes in place.
  const handle = await (file as unknown as SyncFile).createSyncAccessHandle();
  try {
    handle.truncate(0);
    handle.write(content, { at: 0 });
    handle.flush();
  } finally {
    handle.close();
  }
}

/** The folder with all that is in it; the index must be closed. */
export async function forgetAll(): Promise<void> {
  const root = await navigator.storage.getDirectory();
  await root.removeEntry(FOLDER, { recursive: true }).catch(() => {});
}
