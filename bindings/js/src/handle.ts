// handle.ts - a nigh_index in an instance of its own: made or attached, given room, its session
// SPDX-License-Identifier: MIT OR Apache-2.0
import { nigh_config, nigh_options, nigh_session_options, nigh_stats,
  NIGH_OPEN_WRITABLE } from './abi.js';
import type { KeyForm } from './keys.js';
import type { Shape } from './rows.js';
import { type Fields, IN, IN2, KEY, lines, OUT, Wasm, WRITE } from './wasm.js';

export const SLOTS_MAX = 2 ** 31 - 2;
const SLOTS_MIN = 1 << 16; // a handle's table is made for at least so many slots
const EF_MIN = 512; // a session's ef_max is at least this, so that nearly all calls fit

export interface Session { at: number; memory: number; efMax: number }
/** Memory for one search: its query, and what it finds. */
export interface Room { query: number; keys: number; lengths: number; distances: number;
  slots: number; found: number; done: number; memory: number; queries: number; hits: number }

export const slotMaxFor = (capacity: number): number =>
  Math.min(SLOTS_MAX, Math.max(SLOTS_MIN, 2 * capacity));

export class Handle extends Wasm {
  index = 0;
  slotMax = 0;
  /** Functions of searches under way, by the number that their callback gets. */
  readonly filters = new Map<number, (key: any) => unknown>();
  private session?: Session;
  private searchRoom?: Room;

  /** An empty index of the configuration at c. */
  make(c: number, slotMax: number, upperExtra = 0): this {
    const o = this.put(IN2, nigh_options, { slotMax, upperExtra });
    this.index = this.made((out) => this.x.nigh_index_bytes(c, o, out),
      (memory, bytes, out) => this.x.nigh_index_init(c, o, memory, bytes, out)).at;
    this.slotMax = slotMax;
    return this;
  }

  /** An image of so many bytes at an address, which the index uses where it lies. slotMax 0: as
   * many as it has, or with room for as many again where it may change. */
  attach(image: number, size: number, slotMax: number, flags: number): this {
    const bind = () => {
      const o = this.put(IN2, nigh_options, { slotMax, flags });
      const { at, memory } = this.made(
        (out) => this.x.nigh_attach_bytes(image, BigInt(size), o, out),
        (handle, bytes, out) =>
          this.x.nigh_attach(image, BigInt(size), o, handle, bytes, out));
      this.index = at;
      this.slotMax = this.stats().slotMax;
      return memory;
    };
    const memory = bind();
    if (slotMax === 0 && flags & NIGH_OPEN_WRITABLE) {
      slotMax = slotMaxFor(this.slotMax);
      this.x.nighw_free(memory);
      bind();
    }
    return this;
  }

  /** A copy of this index with a larger table, in another instance: this one's memory is the
   * collector's. */
  copy(slotMax: number): Handle {
    const size = this.sized((out) => this.x.nigh_save_bytes(this.index, 0, out));
    const made = new Handle();
    const image = made.alloc(size);
    let to = image;
    this.write((bytes) => {
      made.u8.set(bytes, to);
      to += bytes.length;
    }, (write) => this.x.nigh_save(this.index, 0, write, 0));
    return made.attach(image, size, slotMax, NIGH_OPEN_WRITABLE);
  }

  /** Hands out what the module writes, in pieces that are gone after the call. */
  write(sink: (bytes: Uint8Array) => void, call: (write: number) => number): void {
    this.calls[WRITE] = (_, at, count) => {
      sink(this.u8.subarray(at >>> 0, (at >>> 0) + count));
      return 0;
    };
    this.ok(call(this.x.nighw_function(WRITE)));
  }

  writable(): void {
    this.made((out) => this.x.nigh_writer_bytes(this.index, out),
      (memory, bytes) => this.x.nigh_writer_init(this.index, memory, bytes));
  }

  /** The u64 that a call writes. */
  sized(call: (out: number) => number): number {
    this.ok(call(this.cell + OUT));
    return Number(this.view.getBigUint64(this.cell + OUT, true));
  }

  stats(): Fields<typeof nigh_stats> {
    return this.filled(nigh_stats, (at) => this.x.nigh_stats_get(this.index, at));
  }

  config(): Fields<typeof nigh_config> & { seed: bigint } {
    const config = this.filled(nigh_config, (at) => this.x.nigh_config_get(this.index, at));
    const seed = this.view.getBigUint64(this.cell + IN + nigh_config.seed, true);
    return { ...config, seed } as Fields<typeof nigh_config> & { seed: bigint };
  }

  /** Memory for so many slots and bytes of keys in total, within the table. */
  grow(slots: number, keyBytes: number): void {
    const bytes = this.sized((out) =>
      this.x.nigh_grow_bytes(this.index, slots, BigInt(keyBytes), out));
    if (bytes === 0) return;
    const memory = this.alloc(bytes);
    const status = this.x.nigh_grow(this.index, slots, BigInt(keyBytes), memory, BigInt(bytes));
    if (status) this.x.nighw_free(memory);
    this.ok(status);
  }

  // ---- Sessions ----------------------------------------------------------------------------------

  newSession(efMax: number, flags = 0, frontierMax = 0): Session {
    const o = this.put(IN2, nigh_session_options, { efMax, flags, frontierMax });
    return { efMax, ...this.made((out) => this.x.nigh_session_bytes(this.index, o, out),
      (memory, bytes, out) => this.x.nigh_session_init(this.index, o, memory, bytes, out)) };
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

  newRoom(shape: Shape, form: KeyForm<unknown>, queries: number, k: number): Room {
    const hits = queries * k;
    const sizes = [queries * shape.rowBytes, hits * form.room, 4 * hits, 4 * hits, 4 * hits,
      4 * queries, 4].map(lines);
    const memory = this.alloc(sizes.reduce((sum, bytes) => sum + bytes));
    let at = memory;
    const [query, keys, lengths, distances, slots, found, done] = sizes.map((bytes) => {
      at += bytes;
      return at - bytes;
    }) as [number, number, number, number, number, number, number];
    return { query, keys, lengths, distances, slots, found, done, memory, queries, hits };
  }

  /** Kept from search to search. */
  roomFor(shape: Shape, form: KeyForm<unknown>, queries: number, k: number): Room {
    const room = this.searchRoom;
    if (room && room.queries >= queries && room.hits >= queries * k) return room;
    if (room) this.x.nighw_free(room.memory);
    this.searchRoom = undefined;
    return this.searchRoom = this.newRoom(shape, form, queries, Math.max(k, 16));
  }

  /** The key of a slot, for callbacks; undefined where there is none. */
  keyOf<K>(form: KeyForm<K>, slot: number): K | undefined {
    const at = this.cell + KEY;
    const status = this.x.nigh_keys(this.index, slot, 1, at + 16, at, at + 4, at + 8);
    if (status || this.u32[(at + 8) >>> 2] !== 1 || this.u32[(at + 4) >>> 2] !== slot) {
      return undefined;
    }
    return form.read(this, { keys: at + 16, lengths: at }, 1)[0];
  }
}
