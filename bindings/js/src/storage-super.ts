// storage-super.ts - superblocks seen from outside: which commit it is, of how many slots, if any
// SPDX-License-Identifier: MIT OR Apache-2.0
import { type Device, readAll } from './storage-device.js';

const UNIT = 1 << 10; // the smallest page: superblocks begin at multiples of it
const PAGE_MAX = 1 << 20;
const BLANK_MAX = 64 << 20; // 64 superblocks in the largest pages
const SECTOR = 512;
const SUPER = 576;
const MAGIC = [0x6e, 0x69, 0x67, 0x68, 0x73, 0x0a, 0x1a, 0];
// Where things are in a superblock: docs/FORMAT.md
const PAGE_BYTES = 12;
const GENERATION = 16;
const SUPERS = 28;
const DEPTH = 40;
const ROOTS = 52;
const HEADER = 56;
const SLOT_COUNT = HEADER + 88;
const CHECKSUM = 572;

const zeros = (bytes: Uint8Array, from: number, to: number) =>
  bytes.subarray(from, to).every((byte) => byte === 0);
const named = (bytes: Uint8Array) => MAGIC.every((byte, at) => bytes[at] === byte);

/** What a power cut may leave of the first superblock of a store: its beginning, or its end where
 * only that sector arrived. It names no index, and generation 1, so nothing was committed. */
function tornFirst(unit: Uint8Array): boolean {
  const same = MAGIC.findIndex((byte, at) => unit[at] !== byte);
  return (same < 0 || zeros(unit, same, SECTOR)) && unit[GENERATION]! <= 1 &&
    zeros(unit, GENERATION + 1, GENERATION + 8) && zeros(unit, DEPTH, ROOTS) &&
    zeros(unit, HEADER, CHECKSUM) && zeros(unit, SUPER, UNIT);
}

/** Empty, or what is left where the power went while a store was made: zeros but for what there is
 * of the first superblock. May be formatted: an index was never committed to it. */
export function isBlank(device: Device): boolean {
  const size = device.size();
  const unit = new Uint8Array(UNIT);
  let torn = 0;
  if (size > BLANK_MAX) return false;
  for (let at = 0; at < size; at += UNIT) {
    readAll(device, unit, at);
    if (!zeros(unit, 0, UNIT) && (torn++ > 0 || !tornFirst(unit))) return false;
  }
  return torn === 0 || size >= 2 * UNIT;
}

/** Some bytes of a file, which may be shorter. */
export type ReadAt = (at: number, count: number) => Promise<Uint8Array>;

const word = (bytes: Uint8Array, at: number) =>
  new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);

/** Slots of the index that a commit holds, 0 if there is none. */
export function slotsOf(device: Device, pageBytes: number, superCount: number,
  generation: number): number {
  const bytes = new Uint8Array(SUPER);
  for (let slot = 0; slot < superCount; slot++) {
    readAll(device, bytes, slot * pageBytes);
    if (named(bytes) && word(bytes, GENERATION) === generation % 2 ** 32) {
      return word(bytes, SLOT_COUNT);
    }
  }
  return 0;
}

/** Tells the commits of a store apart: what its superblocks say. Empty: none is there. */
export async function stamp(read: ReadAt): Promise<string> {
  let first: Uint8Array | undefined;
  // The first one lies where it lies whatever a page is; when it is torn, the second is not.
  for (let at = 0; at <= PAGE_MAX && !first; at = at === 0 ? UNIT : at * 2) {
    const bytes = await read(at, SUPER);
    if (bytes.length === SUPER && named(bytes)) first = bytes;
  }
  if (!first) return '';
  const said: string[] = [];
  for (let slot = 0; slot < Math.min(64, word(first, SUPERS)); slot++) {
    const bytes = await read(slot * word(first, PAGE_BYTES), SUPER);
    said.push(bytes.length < SUPER ? '-' : `${word(bytes, GENERATION)}:${word(bytes, CHECKSUM)}`);
  }
  return said.join(' ');
}
