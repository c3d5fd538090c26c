// bytes.ts - the bytes of an index, wherever they are
// SPDX-License-Identifier: MIT OR Apache-2.0
import { NIGH_E_FETCH, NIGH_E_INVALID } from './abi.js';
import { fail } from './errors.js';

/** Bytes, or where to get them: a Blob or File, a Response, an address to fetch, a handle of the
 * origin private file system. */
export type ByteSource = ArrayBuffer | ArrayBufferView | Blob | Response | URL | string |
  { getFile(): Promise<Blob> };

export function view(source: unknown): Uint8Array | undefined {
  if (ArrayBuffer.isView(source)) {
    return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  }
  const tag = Object.prototype.toString.call(source); // another realm's too
  return tag === '[object ArrayBuffer]' || tag === '[object SharedArrayBuffer]'
    ? new Uint8Array(source as ArrayBuffer) : undefined;
}

export async function bytesOf(source: ByteSource | PromiseLike<ByteSource>): Promise<Uint8Array> {
  let from: unknown = await source;
  if (typeof from === 'string' || from instanceof URL) from = await fetch(from);
  if (typeof (from as { getFile?: unknown })?.getFile === 'function') {
    from = await (from as { getFile(): Promise<Blob> }).getFile();
  }
  if (typeof Response === 'function' && from instanceof Response && !from.ok) {
    fail(NIGH_E_FETCH, `${from.url}: ${from.status} ${from.statusText}`);
  }
  if (typeof (from as Partial<Blob>)?.arrayBuffer === 'function') {
    from = await (from as Blob).arrayBuffer();
  }
  return view(from) ?? fail(NIGH_E_INVALID, 'expected bytes, a Blob, a Response or an address');
}
