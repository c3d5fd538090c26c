// files.ts - files of Node that are replaced whole or left as they were
// SPDX-License-Identifier: MIT OR Apache-2.0
import { randomUUID } from 'node:crypto';
import { closeSync, fchmodSync, fsyncSync, openSync, realpathSync, renameSync, type Stats, statSync,
  unlinkSync, writeFileSync } from 'node:fs';
import { open, realpath, rename, stat, unlink, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

export type Path = string | URL;
const text = (path: Path) => (path instanceof URL ? fileURLToPath(path) : path);
const beside = (target: string) => `${target}.${process.pid}-${randomUUID().slice(0, 8)}.tmp`;
/** Pipes and devices cannot be replaced. */
const direct = (there: Stats | undefined) => there !== undefined && !there.isFile();

/** Another file beside it is written, flushed to the disk and then given the name, so that whoever
 * reads finds the old bytes or the new ones, whatever happens. Links are followed, permissions
 * stay. */
export async function replace(path: Path, bytes: Uint8Array): Promise<void> {
  const target = await realpath(path).catch(() => text(path));
  const there = await stat(target).catch(() => undefined);
  if (direct(there)) return writeFile(target, bytes);
  const made = beside(target);
  try {
    const file = await open(made, 'wx');
    try {
      if (there) await file.chmod(there.mode & 0o7777);
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(made, target);
  } catch (error) {
    await unlink(made).catch(() => undefined);
    throw error;
  }
  try { // the new name, too; not every system opens folders
    const folder = await open(dirname(target), 'r');
    await folder.sync().finally(() => folder.close());
  } catch {
    // The file is whole either way.
  }
}

const tried = <T>(body: () => T): T | undefined => {
  try {
    return body();
  } catch {
    return undefined;
  }
};

/** The same at once. */
export function replaceSync(path: Path, bytes: Uint8Array): void {
  const target = tried(() => realpathSync(path)) ?? text(path);
  const there = tried(() => statSync(target));
  if (direct(there)) return writeFileSync(target, bytes);
  const made = beside(target);
  try {
    const file = openSync(made, 'wx');
    try {
      if (there) fchmodSync(file, there.mode & 0o7777);
      writeFileSync(file, bytes);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(made, target);
  } catch (error) {
    tried(() => unlinkSync(made));
    throw error;
  }
  tried(() => {
    const folder = openSync(dirname(target), 'r');
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  });
}
