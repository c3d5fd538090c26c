// handle.ts - a nigh_index in an instance of its own: made or attached, given room, its session
// SPDX-License-Identifier: MIT OR Apache-2.0
import { NIGH_OPEN_WRITABLE } from './abi.js';
import type { KeyForm } from './keys.js';
import type { Shape } from './rows.js';
import { IN, IN2, KEY, lines, OUT, Wasm, WRITE } from './wasm.js';

export const SLOTS_MAX = 2 ** 31 - 2;
const SLOTS_MIN = 1 << 16; // a handle's table is made for at least so many slots
const EF_MIN = 512; // a session's ef_max is at least this, so that nearly all calls fit

/** nigh_config; `test/layouts.test.mjs` compares these and the offsets below with nigh.h. */
export const CONFIG = 'dim metric dtype keys vectors m m0 efBuild expansions blockBytes ' +
  'keyBytesMax seed: codes buildFlags alpha. codeMin. codeMax. ';

// Fields of nigh_stats.
export const SLOT_COUNT = 4;
export const LIVE_COUNT = 8;
export const FREE_COUNT = 16;
export const SLOT_CAPACITY = 20;
export const SLOT_MAX = 24;
export const WRITABLE = 44;
export const KEY_BYTES = 48;
export const STATS_CODES = 72;
export const STATS_BYTES = 80;

export interface Session { at: number; memory: number; efMax: number }
/** Memory for one search: its query, and what it finds. */
export interface Room { query: number; keys: number; lengths: number; distances: number;
  slots: number; found: number; hits: number }

export const slotMaxFor = (capacity: number): number =>
  Math.min(SLOTS_MAX, Math.max(SLOTS_MIN, 2 * capacity));

export class Handle extends Wasm {
  index = 0;
  slotMax = 0;
  /** Functions of searches under way, by the number that their callback gets. */
  readonly filters = new Map<number, (key: any) => unknown>();
  /** The image that was attached, as long as nothing changed: its checksums are those that it came
   * with. */
  image: [at: number, bytes: number] | undefined;
  private session?: Session;
  private searchRoom?: Room;

  /** An empty index of the configuration at c. */
  make(c: number, slotMax: number, upperExtra = 0): this {
    this.index = this.made(this.x.nigh_index_bytes, this.x.nigh_index_init, c,
      this.words32(IN2, slotMax, 0, 0, upperExtra)).at;
    this.slotMax = slotMax;
    return this;
  }

  /** An image of so many bytes at an address, which the index uses where it lies. slotMax 0: as
   * many as it has, or with room for as many again where it may change. */
  attach(image: number, size: number, slotMax: number, flags: number): this {
    const bind = () => {
      const { at, memory } = this.made(this.x.nigh_attach_bytes, this.x.nigh_attach, image,
        BigInt(size), this.words32(IN2, slotMax, 0, flags, 0));
      this.index = at;
      this.slotMax = this.word(this.stats() + SLOT_MAX);
      return memory;
    };
    const memory = bind();
    if (slotMax === 0 && flags & NIGH_OPEN_WRITABLE) {
      slotMax = slotMaxFor(this.slotMax);
      this.x.nighw_free(memory);
      bind();
    }
    this.image = [image, size];
    return this;
  }

  /** A copy of this index with a larger table, in an instance of a module: this one's memory is
   * the collector's. */
  copy(slotMax: number, flags: number, module = this.module): Handle {
    const made = new Handle(module);
    const [at, size] = this.image ?? [0, this.sized(this.x.nigh_save_bytes, this.index, 0)];
    const image = made.alloc(size);
    if (at) made.u8.set(this.u8.subarray(at, at + size), image);
    else this.save(0, (bytes, to) => made.u8.set(bytes, image + to));
    return made.attach(image, size, slotMax, flags);
  }

  /** Hands out what the module writes, in pieces that are gone after the call. */
  write(sink: (bytes: Uint8Array, to: number) => void, call: (write: number) => number): void {
    let to = 0;
    this.calls[WRITE] = (_, at, count) => {
      sink(this.u8.subarray(at >>> 0, (at >>> 0) + count), to);
      to += count;
      return 0;
    };
    this.ok(call(this.x.nighw_function(WRITE)), 'save');
  }

  save(flags: number, sink: (bytes: Uint8Array, to: number) => void): void {
    this.write(sink, (write) => this.x.nigh_save(this.index, flags, write, 0));
  }

  writable(): void {
    this.made(this.x.nigh_writer_bytes, this.x.nigh_writer_init, this.index);
  }

  /** The u64 that a call writes. */
  sized(call: (...args: any[]) => number, ...args: (number | bigint)[]): number {
    const out = this.cell + OUT;
    this.ok(call(...args, out));
    return this.long(out);
  }

  /** Where nigh_stats are, until another structure is there. */
  stats(): number {
    const at = this.cell + IN;
    this.u32[at >>> 2] = STATS_BYTES;
    this.ok(this.x.nigh_stats_get(this.index, at));
    return at;
  }

  /** The same for nigh_config. */
  config(): number {
    const at = this.put(IN, CONFIG, {});
    this.ok(this.x.nigh_config_get(this.index, at));
    return at;
  }

  /** Memory for so many slots and bytes of keys in total, within the table. */
  grow(slots: number, keyBytes: number): void {
    const keys = BigInt(keyBytes);
    const bytes = this.sized(this.x.nigh_grow_bytes, this.index, slots, keys);
    this.image = undefined;
    if (bytes === 0) return;
    const memory = this.alloc(bytes);
    const status = this.x.nigh_grow(this.index, slots, keys, memory, BigInt(bytes));
    if (status) this.x.nighw_free(memory);
    this.ok(status);
  }

  // ---- Sessions ----------------------------------------------------------------------------------

  newSession(efMax: number, flags = 0, frontierMax = 0): Session {
    return { efMax, ...this.made(this.x.nigh_session_bytes, this.x.nigh_session_init, this.index,
      this.words32(IN2, efMax, frontierMax, flags, 0)) };
  }

  /** The session of all calls but cursors. */
  sessionFor(ef = 0): number {
    if (!this.session || this.session.efMax < ef) {
      this.dropSession();
      this.session = this.newSession(Math.max(EF_MIN, ef));
    }
    return this.session.at;
  }

  /** Other codes: no session has room for them. */
  dropSession(): void {
    if (this.session) this.x.nighw_free(this.session.memory);
    this.session = undefined;
  }

  newRoom(shape: Shape, form: KeyForm<unknown>, hits: number): Room {
    const [row, words] = [lines(shape.rowBytes), lines(4 * hits)];
    const found = this.alloc(64 + row + 3 * words + hits * form.room);
    const distances = found + 64 + row;
    return { found, query: found + 64, distances, slots: distances + words,
      lengths: distances + 2 * words, keys: distances + 3 * words, hits };
  }

  /** Kept from search to search. */
  roomFor(shape: Shape, form: KeyForm<unknown>, k: number): Room {
    const room = this.searchRoom;
    if (room && room.hits >= k) return room;
    if (room) this.x.nighw_free(room.found);
    this.searchRoom = undefined;
    return this.searchRoom = this.newRoom(shape, form, Math.max(k, 16));
  }

  /** The key of a slot, for callbacks; undefined where there is none. */
  keyOf<K>(form: KeyForm<K>, slot: number): K | undefined {
    const at = this.cell + KEY;
    const status = this.x.nigh_keys(this.index, slot, 1, at + 16, at, at + 4, at + 8);
    return status || this.word(at + 8) !== 1 || this.word(at + 4) !== slot ? undefined
      : form.read(this, at + 16, at, 1)[0];
  }
}
