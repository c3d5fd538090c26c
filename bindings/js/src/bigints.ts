// bigints.ts - keys of 64 bits
// SPDX-License-Identifier: MIT OR Apache-2.0
import { NIGH_KEYS_U64 } from './abi.js';
import { checked, type KeyForm } from './keys.js';

export const bigints: KeyForm<bigint> = {
  kind: NIGH_KEYS_U64,
  room: 8,
  is: (value): value is bigint => typeof value === 'bigint',
  pack(keys) {
    checked(keys, 'a bigint of 64 bits', (key) => bigints.is(key) && key >= 0n && key >> 64n === 0n);
    return [new Uint8Array(BigUint64Array.from(keys).buffer)];
  },
  at: (w, keys, i) => BigInt(w.word(keys + 8 * i + 4)) << 32n | BigInt(w.word(keys + 8 * i)),
  read: (w, keys, _, count) => Array.from({ length: count }, (_key, i) => bigints.at(w, keys, i)),
};
