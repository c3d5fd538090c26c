// keys.ts - keys on their way into the module's memory and out of it
// SPDX-License-Identifier: MIT OR Apache-2.0
import { NIGH_E_INVALID, NIGH_E_KEY, NIGH_KEYS_BYTES } from './abi.js';
import { fail } from './errors.js';
import { needs } from './module.js';
import { more } from './rest.js';
import type { Wasm } from './wasm.js';

export type Key = number | bigint | string;
/** Numbers up to 2^53 - 1; bigints of 64 bits; strings of 1 to 511 bytes in UTF-8; 'identity':
 * numbers 0, 1, 2... in the order of insertion, which take no memory. */
export type KeyKind = 'number' | 'bigint' | 'string' | 'identity';
/** What keys of a kind are in JavaScript. */
export type KeyOf<T extends KeyKind> = T extends 'string' ? string
  : T extends 'bigint' ? bigint : number;
/** Many keys. */
export type Keys<K> = ArrayLike<K> | Iterable<K>;

/** Where keys and their lengths are in memory; lengths 0: u64 keys. */
export interface Place { keys: number; lengths: number }

export interface KeyForm<K> {
  /** NIGH_KEYS_* */
  readonly kind: number;
  /** Bytes that a key found takes at most. */
  readonly room: number;
  is(value: unknown): value is K;
  /** Keys one after another, checked; where each begins, and the end, unless all have 8 bytes. */
  pack(keys: readonly K[]): [bytes: Uint8Array, starts?: number[]];
  /** The i-th of keys of numbers. */
  at(w: Wasm, keys: number, i: number): K;
  /** `count` keys that the module wrote one after another. */
  read(w: Wasm, keys: number, lengths: number, count: number): K[];
}

export interface KeyList {
  readonly count: number;
  /** Bytes of keys first..last - 1. */
  bytes(first: number, last: number): number;
  /** Writes those keys; lengths before them. */
  put(w: Wasm, at: number, first: number, last: number): Place;
}

const text = (key: unknown) => (typeof key === 'string' ? JSON.stringify(key) : String(key));

/** All keys, or the first that is none is refused. */
export function checked<K>(keys: readonly K[], what: string, good: (key: K) => unknown): void {
  keys.forEach((key, at) => {
    if (!good(key)) fail(NIGH_E_KEY, `key ${text(key)}, expected ${what}`, at);
  });
}

/** Keys ready to be written. */
export function listOf<K>(form: KeyForm<K>, keys: readonly K[]): KeyList {
  const [packed, starts] = form.pack(keys);
  const start = (i: number) => (starts ? starts[i]! : 8 * i);
  return {
    count: keys.length,
    bytes: (first, last) => start(last) - start(first),
    put(w, at, first, last) {
      const lengths = starts ? at : 0;
      for (let i = first; starts && i < last; i++, at += 4) {
        w.u32[at >>> 2] = start(i + 1) - start(i);
      }
      w.u8.set(packed.subarray(start(first), start(last)), at);
      return { keys: at, lengths };
    },
  };
}

const numbers = (kind: number): KeyForm<number> => {
  const form: KeyForm<number> = {
    kind,
    room: 8,
    is: (value): value is number => typeof value === 'number',
    pack(keys) {
      checked(keys, 'an integer from 0 to 2^53 - 1', (key) => key >= 0 && Number.isSafeInteger(key));
      return [new Uint8Array(BigUint64Array.from(keys, BigInt).buffer)];
    },
    at(w, keys, i) {
      const key = w.long(keys + 8 * i);
      return Number.isSafeInteger(key) ? key
        : fail(NIGH_E_KEY, "a key beyond 2^53: open the index with keys: 'bigint'");
    },
    read: (w, keys, _, count) => Array.from({ length: count }, (_key, i) => form.at(w, keys, i)),
  };
  return form;
};

function strings(room: number): KeyForm<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const is = (value: unknown): value is string => typeof value === 'string';
  return {
    kind: NIGH_KEYS_BYTES,
    room,
    is,
    pack(keys) {
      // Encoding would make one key of two that have halves of characters.
      checked(keys, 'a well-formed string', (key) => is(key) && !/\p{Cs}/u.test(key));
      const starts = [0];
      const encoded = keys.map((key, i) => {
        const bytes = new TextEncoder().encode(key);
        starts.push(starts[i]! + bytes.length);
        return bytes;
      });
      const packed = new Uint8Array(starts[keys.length]!);
      encoded.forEach((bytes, i) => packed.set(bytes, starts[i]));
      return [packed, starts];
    },
    at: () => fail(NIGH_E_INVALID, 'string keys have lengths'),
    read: (w, keys, lengths, count) => Array.from({ length: count }, (_, i) => {
      const from = keys;
      keys += w.word(lengths + 4 * i);
      try {
        return decoder.decode(w.u8.slice(from, keys)) // shared memory is not read from;
      } catch {
        return fail(NIGH_E_KEY, 'a key that is no UTF-8');
      }
    }),
  };
}

/** The form of keys that an index of this configuration has. */
export function keyForm(stored: number, room: number, wanted?: KeyKind): KeyForm<any> {
  return stored === NIGH_KEYS_BYTES ? strings(room)
    : wanted === 'bigint' ? more.bigints ?? needs('bigint keys') : numbers(stored);
}

/** By number: what an index may have. */
export const STORED = ['number or bigint', 'string', 'identity'];

export function storedKind(kind: KeyKind): number {
  const stored = ['number', 'string', 'identity', 'bigint'].indexOf(kind);
  if (stored < 0) {
    fail(NIGH_E_INVALID, `keys '${String(kind)}', expected number, bigint, string or identity`);
  }
  return stored % 3;
}
