// storage-ranges.ts - vectors in a file that lies on a server, or in a Blob: pieces of it are read
// SPDX-License-Identifier: MIT OR Apache-2.0
import { NIGH_E_FETCH, NIGH_E_MISMATCH, NIGH_E_UNSUPPORTED } from './abi.js';
import type { Key } from './api.js';
import { failed, notRead } from './storage-device.js';
import { type LazyOptions, LazyVectors } from './storage-lazy.js';

export interface RangeOptions extends LazyOptions {
  /** Rows with at most so many bytes between them are read at once. Default 4096. */
  gap?: number;
}
export interface HttpOptions extends RangeOptions {
  /** Headers and the like. */
  init?: RequestInit;
  /** Default: the platform's. */
  fetch?: typeof fetch;
}

const RANGE_MAX = 1 << 20;
const AT_ONCE = 6; // as many as browsers have connections to a server
const WHOLE_MAX = 64 << 20; // of an answer by a server that knows no ranges

/** Bytes `at` to `end` - 1 of a file. */
type Read = (at: number, end: number, signal?: AbortSignal) => Promise<Uint8Array>;
interface Piece { at: number; end: number; numbers: number[] }

export class RangeVectors<K extends Key = Key> extends LazyVectors<K> {
  private readonly gap: number;

  /** @internal */
  constructor(private readonly name: string, private readonly read: Read, options: RangeOptions) {
    super(options);
    this.gap = options.gap ?? 4096;
  }

  /** Rows that lie near each other come together. */
  private pieces(numbers: readonly number[]): Piece[] {
    const pieces: Piece[] = [];
    for (const number of numbers) {
      const at = this.rows.at(number);
      const end = at + this.rows.bytes;
      const last = pieces.at(-1);
      if (last && at - last.end <= this.gap && end - last.at <= RANGE_MAX) {
        last.end = end;
        last.numbers.push(number);
      } else {
        pieces.push({ at, end, numbers: [number] });
      }
    }
    return pieces;
  }

  protected async load(numbers: readonly number[], signal?: AbortSignal):
  Promise<Map<number, Uint8Array>> {
    const found = new Map<number, Uint8Array>();
    const pieces = this.pieces(numbers);
    const work = async () => {
      for (let piece = pieces.pop(); piece; piece = pieces.pop()) {
        this.reads.requests++;
        const bytes = await this.read(piece.at, piece.end, signal);
        for (const number of piece.numbers) {
          const from = this.rows.at(number) - piece.at;
          const row = bytes.slice(from, from + this.rows.bytes);
          if (row.length < this.rows.bytes) {
            throw failed(NIGH_E_FETCH, `${this.name}: vector ${number} is not there`);
          }
          found.set(number, row);
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, pieces.length) }, work));
    return found;
  }
}

/** Vectors in a file on a server, by range requests; from a server that ignores those, the whole
 * file, if it is below 64 MiB. Other origins must expose Content-Range, and ETag to be seen to
 * have changed. */
export function httpVectors<K extends Key = Key>(url: string | URL, options: HttpOptions):
RangeVectors<K> {
  const { fetch: get = fetch, init } = options;
  const name = String(url);
  let whole: Uint8Array | undefined;
  let version: string | undefined;

  const wholeOf = async (response: Response) => {
    if (Number(response.headers.get('content-length') ?? 0) > WHOLE_MAX) {
      await response.body?.cancel();
      throw failed(NIGH_E_UNSUPPORTED, `${name}: the server ignores ranges`);
    }
    return whole = new Uint8Array(await response.arrayBuffer());
  };

  return new RangeVectors<K>(name, async (at, end, signal) => {
    if (whole) return whole.subarray(at, end);
    try {
      const headers = new Headers(init?.headers);
      headers.set('range', `bytes=${at}-${end - 1}`);
      const response = await get(url, { ...init, headers, ...(signal && { signal }) });
      if (response.status === 416) return new Uint8Array(0); // beyond the end
      if (!response.ok) {
        throw failed(NIGH_E_FETCH, `${name}: ${response.status} ${response.statusText}`);
      }
      const tag = response.headers.get('etag') ?? response.headers.get('last-modified') ?? '';
      version ??= tag;
      if (tag !== version) {
        throw failed(NIGH_E_MISMATCH, `${name}: the file has changed: open the index anew`);
      }
      if (response.status !== 206) return (await wholeOf(response)).subarray(at, end);
      const said = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '');
      if (said && Number(said[1]) !== at) {
        throw failed(NIGH_E_FETCH, `${name}: the server sent another range`);
      }
      return new Uint8Array(await response.arrayBuffer());
    } catch (error) {
      if (signal?.aborted) throw error;
      throw notRead(name, error);
    }
  }, options);
}

/** Vectors in a File or Blob, or in what an OPFS handle has, where they cannot be read at once. */
export function blobVectors<K extends Key = Key>(from: Blob | { getFile(): Promise<Blob> },
  options: RangeOptions): RangeVectors<K> {
  return new RangeVectors<K>('vectors', async (at, end) => {
    try {
      const blob = 'getFile' in from ? await from.getFile() : from;
      return new Uint8Array(await blob.slice(at, end).arrayBuffer());
    } catch (error) {
      throw notRead('vectors', error);
    }
  }, options);
}
