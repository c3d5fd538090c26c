// storage-device.ts - what a store lies on, and what its failures are called
// SPDX-License-Identifier: MIT OR Apache-2.0
import { NIGH_E_FETCH, NIGH_E_FULL, NIGH_E_WRITE } from './abi.js';
import { NighError } from './api.js';

/** Bytes in a row, as a FileSystemSyncAccessHandle has them. */
export interface Device {
  size(): number;
  /** How many bytes there were: beyond the end there are none. */
  read(into: Uint8Array, at: number): number;
  write(from: Uint8Array, at: number): number;
  /** What was written before stays before anything written later does. */
  flush(): void;
  truncate(size: number): void;
  close(): void;
  /** Where that is more than flush can do: resolves when the commit is there for good. */
  settle?(generation: number): Promise<void>;
}

export function failed(status: number, message: string, cause?: unknown): NighError {
  const error = new NighError(status, message);
  if (cause !== undefined) error.cause = cause;
  return error;
}

const FULL = new Set(['QuotaExceededError', 'ENOSPC', 'EDQUOT', 'EFBIG']);

export const isFull = (error: unknown): boolean => {
  const { name, code } = (error ?? {}) as { name?: unknown; code?: unknown };
  return FULL.has(String(name)) || FULL.has(String(code));
};

const said = (error: unknown) => (error instanceof Error ? error.message || error.name
  : String((error as { name?: string } | null)?.name ?? error));

/** The error for what a device, or whatever keeps it, has thrown while it wrote. */
export function notWritten(name: string, error: unknown): NighError {
  if (error instanceof NighError) return error;
  return isFull(error)
    ? failed(NIGH_E_FULL, `${name}: no room is left for the commit. Nothing is lost: what was ` +
      `committed before stays, what changed since is in memory (${said(error)})`, error)
    : failed(NIGH_E_WRITE, `${name}: ${said(error)}`, error);
}

export function notRead(name: string, error: unknown): NighError {
  return error instanceof NighError ? error : failed(NIGH_E_FETCH, `${name}: ${said(error)}`, error);
}

/** A device in memory that is read: a store that was read from somewhere else. */
export class Bytes implements Device {
  constructor(private readonly bytes: Uint8Array) {}

  size(): number { return this.bytes.length; }

  read(into: Uint8Array, at: number): number {
    const part = this.bytes.subarray(at, at + into.length);
    into.set(part);
    return part.length;
  }

  write(): number { throw new Error('it was opened to be read'); }
  flush(): void { /* nothing was written */ }
  truncate(): void { /* nor is cut */ }
  close(): void { /* the collector's */ }
}

/** Fills `into`; zeros where the device has ended. */
export function readAll(device: Device, into: Uint8Array, at: number): void {
  let done = 0;
  while (done < into.length) {
    const count = device.read(done === 0 ? into : into.subarray(done), at + done);
    if (!(count > 0)) break;
    done += count;
  }
  into.fill(0, done);
}

export function writeAll(device: Device, from: Uint8Array, at: number): void {
  let done = 0;
  while (done < from.length) {
    const count = device.write(done === 0 ? from : from.subarray(done), at + done);
    // A full disk, where the platform does not say so.
    if (!(count > 0)) throw Object.assign(new Error('nothing was written'), { code: 'ENOSPC' });
    done += count;
  }
}
