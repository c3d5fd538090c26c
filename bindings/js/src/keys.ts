// keys.ts - keys on their way into the module's memory and out of it
// SPDX-License-Identifier: MIT OR Apache-2.0
import { NIGH_E_INVALID, NIGH_E_KEY, NIGH_KEYS_BYTES, NIGH_KEYS_IDENTITY,
  NIGH_KEYS_U64 } from './abi.js';
import { fail } from './errors.js';
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
  /** Keys, checked and ready to be written. */
  list(keys: readonly K[]): KeyList;
  /** The i-th of keys of numbers. */
  at(w: Wasm, keys: number, i: number): K;
  /** `count` keys that the module wrote one after another. */
  read(w: Wasm, place: Place, count: number): K[];
}

export interface KeyList {
  readonly count: number;
  /** Bytes of keys first..last - 1. */
  bytes(first: number, last: number): number;
  /** Writes those keys; lengths behind them. */
  put(w: Wasm, at: number, first: number, last: number): Place;
}

const text = (key: unknown) => (typeof key === 'string' ? JSON.stringify(key) : String(key));
const bad = (key: unknown, what: string, at: number): never =>
  fail(NIGH_E_KEY, `key ${text(key)}, expected ${what}`, at);

/** Numbers and bigints: each is two words. */
function words<K extends number | bigint>(kind: number, type: string, expected: string,
  good: (key: K) => boolean, low: (key: K) => number, high: (key: K) => number,
  make: (low: number, high: number) => K): KeyForm<K> {
  const form: KeyForm<K> = {
    kind,
    room: 8,
    is: (value): value is K => typeof value === type,
    list(keys) {
      keys.forEach((key, at) => {
        if (!form.is(key) || !good(key)) bad(key, expected, at);
      });
      return {
        count: keys.length,
        bytes: (first, last) => 8 * (last - first),
        put(w, at, first, last) {
          const { u32 } = w;
          for (let i = first, to = at >>> 2; i < last; i++) {
            u32[to++] = low(keys[i]!);
            u32[to++] = high(keys[i]!);
          }
          return { keys: at, lengths: 0 };
        },
      };
    },
    at: (w, keys, i) => make(w.u32[(keys >>> 2) + 2 * i]!, w.u32[(keys >>> 2) + 2 * i + 1]!),
    read: (w, place, count) => Array.from({ length: count }, (_, i) => form.at(w, place.keys, i)),
  };
  return form;
}

const HIGH = 2 ** 32;
const numbers = (kind: number) => words<number>(kind, 'number', 'an integer from 0 to 2^53 - 1',
  (key) => key >= 0 && Number.isSafeInteger(key), (key) => key >>> 0, (key) => key / HIGH,
  (low, high) => (high < 2 ** 21 ? high * HIGH + low
    : fail(NIGH_E_KEY, "a key beyond 2^53: open the index with keys: 'bigint'")));
const bigints = words<bigint>(NIGH_KEYS_U64, 'bigint', 'a bigint of 64 bits',
  (key) => key >= 0n && key >> 64n === 0n, (key) => Number(key & 0xffffffffn),
  (key) => Number(key >> 32n), (low, high) => BigInt(high) << 32n | BigInt(low));

const WHOLE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

function strings(room: number): KeyForm<string> {
  const encoder = new TextEncoder();
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const form: KeyForm<string> = {
    kind: NIGH_KEYS_BYTES,
    room,
    is: (value): value is string => typeof value === 'string',
    list(keys) {
      const encoded = keys.map((key, at) => {
        // Encoding would make one key of two that have halves of characters.
        if (!form.is(key) || WHOLE.test(key)) bad(key, 'a well-formed string', at);
        return encoder.encode(key);
      });
      return {
        count: keys.length,
        bytes: (first, last) =>
          encoded.slice(first, last).reduce((sum, key) => sum + key.length, 0),
        put(w, at, first, last) {
          let to = at + 4 * (last - first);
          const lengths = at;
          for (let i = first; i < last; i++) {
            w.u32[(at >>> 2) + i - first] = encoded[i]!.length;
            w.u8.set(encoded[i]!, to);
            to += encoded[i]!.length;
          }
          return { keys: at + 4 * (last - first), lengths };
        },
      };
    },
    at: () => fail(NIGH_E_INVALID, 'string keys have lengths'),
    read(w, { keys, lengths }, count) {
      const out: string[] = [];
      for (let i = 0; i < count; i++) {
        const end = keys + w.u32[(lengths >>> 2) + i]!;
        try {
          out.push(decoder.decode(w.u8.slice(keys, end))); // not of memory that is shared
        } catch {
          fail(NIGH_E_KEY, 'a key that is no UTF-8');
        }
        keys = end;
      }
      return out;
    },
  };
  return form;
}

/** The form of keys that an index of this configuration has. */
export function keyForm(stored: number, room: number, wanted?: KeyKind): KeyForm<Key> {
  const form = stored === NIGH_KEYS_BYTES ? strings(room)
    : wanted === 'bigint' ? bigints : numbers(stored);
  return form as unknown as KeyForm<Key>;
}

export const storedKind = (kind: KeyKind): number => ({ number: NIGH_KEYS_U64,
  bigint: NIGH_KEYS_U64, string: NIGH_KEYS_BYTES, identity: NIGH_KEYS_IDENTITY }[kind] ??
  fail(NIGH_E_INVALID, `keys '${String(kind)}', expected number, bigint, string or identity`));
