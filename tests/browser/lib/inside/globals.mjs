// globals.mjs - what tests use of Node's globals
// SPDX-License-Identifier: MIT OR Apache-2.0

const compare = (a, b) => {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    if (a[i] !== b[i]) return Math.sign(a[i] - b[i]);
  }
  return Math.sign(a.length - b.length);
};

/** Bytes as Node's Buffer: its text is UTF-8. */
export class Bytes extends Uint8Array {
  toString() {
    return new TextDecoder().decode(this.slice());
  }

  equals(other) {
    return compare(this, other) === 0;
  }
}

/* global NIGH_ENV */
export const process = { env: JSON.parse(NIGH_ENV), pid: 0 };
export const Buffer = { from: (source) => Bytes.from(source), compare };
export const setImmediate = (call) => { setTimeout(call, 0); };
