// node.ts - indexes in files of Node
// SPDX-License-Identifier: MIT OR Apache-2.0
import { readFile } from 'node:fs/promises';
import { replace } from './files.js';
import { Index, type Key, type KeyKind, type KeyOf, type OpenOptions,
  type SaveOptions } from './index.js';

export * from './index.js';
export { fileStores, fileVectors, openStore, putStore } from './storage-node.js';

/** Opens an index file, which is read into memory. */
export async function open<T extends KeyKind = KeyKind>(path: string | URL,
  options: OpenOptions<T> = {}): Promise<Index<KeyOf<T>>> {
  return Index.open(await readFile(path), options);
}

/** Saves an index into a file, which is replaced whole or left as it was, whatever happens. */
export async function save<K extends Key>(index: Index<K>, path: string | URL,
  options: SaveOptions = {}): Promise<void> {
  await replace(path, index.save(options));
}
