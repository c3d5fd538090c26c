// storage-store.ts - the core's block store in an index's instance, over a device
// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Pages go from the module's memory to the device and back, with no copy between. What the device
// throws is kept here, since the module knows numbers only: they tell it that the commit failed.
import { NIGH_E_CORRUPT, NIGH_E_FULL, NIGH_E_USER, NIGH_E_WRITE, NIGH_OK, NIGH_OPEN_WRITABLE,
  NIGH_STORE_FORMAT, type nigh_store_stats } from './abi.js';
import { type Handle, SLOT_MAX, slotMaxFor } from './handle.js';
import { filled, get } from './layouts.js';
import { type Device, failed, notRead, notWritten, readAll, writeAll } from './storage-device.js';
import { slotsOf } from './storage-super.js';
import { type Fields, IN, IN2, OUT } from './wasm.js';

/** nigh_store_stats of nigh.h. */
export type StoreStats = Fields<typeof nigh_store_stats>;

const READ = 9; // kinds of callbacks, as nighw.h numbers them
const WRITE = 10;
const SYNC = 12;
const PAGE = 4096;
const SUPERS = 2;
const PAGES_MORE = 256; // room beyond what the device has, before it must be asked for
const PAGES_MAX = 2 ** 31;
const NONE = 2 ** 32 - 1;

/** nigh_store_options and nigh_store_stats. */
export const STORE = 'flags pageBytes pageCount programBytes superCount';
export const STORE_STATS = 'pageBytes pageCount pageUsed pageFree filled generation: ' +
  'writtenBytes: writeCount: eraseCount: syncCount: badRegion badBlock badPage reserved';

export class Store {
  private at = 0;
  private memory = 0;
  private pageCount = 0;
  private pageBytes = PAGE;
  private superCount = SUPERS;
  private error: { error: unknown; writing: boolean } | undefined;
  private lost = false; // a flush failed: nobody knows what of the device is there for good
  private named = false; // this commit has written to a superblock, or tried to

  /** pageBytes: of a store that is formatted. */
  constructor(readonly h: Handle, readonly device: Device, private readonly name: string,
    private readonly writes: boolean, pageBytes = PAGE) {
    this.pageBytes = pageBytes;
  }

  // ---- The device --------------------------------------------------------------------------------

  private call(writing: boolean, body: () => void): number {
    try {
      body();
      return NIGH_OK;
    } catch (error) {
      this.error = { error, writing };
      return NIGH_E_USER;
    }
  }

  /** An instance has one store at a time that its callbacks are about. */
  private equip(): void {
    const { h, device } = this;
    const bytes = (at: number, count: number) => h.u8.subarray(at >>> 0, (at >>> 0) + (count >>> 0));
    const place = (low: number, high: number) => (high >>> 0) * 2 ** 32 + (low >>> 0);
    h.calls[READ] = (_, low, high, at, count) => this.call(false, () =>
      readAll(device, bytes(at, count), place(low, high)));
    h.calls[WRITE] = (_, low, high, at, count) => this.call(true, () => {
      const to = place(low, high);
      this.named ||= to < this.superCount * this.pageBytes;
      writeAll(device, bytes(at, count), to);
    });
    h.calls[SYNC] = () => this.call(true, () => {
      this.lost = true;
      device.flush();
      this.lost = false;
    });
    this.error = undefined;
  }

  /** Throws what stands behind a status. */
  private ok(status: number): void {
    if (status === NIGH_OK) return;
    const { error } = this;
    if (status === NIGH_E_USER && error) {
      throw error.writing ? notWritten(this.name, error.error) : notRead(this.name, error.error);
    }
    if (status === NIGH_E_CORRUPT && this.at !== 0) {
      const { badRegion, badBlock, badPage } = this.statsNow();
      if (badRegion !== NONE) {
        throw failed(status, `${this.name}: block ${badBlock} of region ${badRegion} is damaged ` +
          `(page ${badPage})`);
      }
    }
    throw failed(status, `${this.name}: ${this.h.text(status)}`);
  }

  private statsNow(): StoreStats {
    const { reserved: _, ...stats } = filled(this.h, STORE_STATS, (at) =>
      this.h.x.nigh_store_stats_get(this.at, at));
    return stats as never;
  }

  get stats(): StoreStats { return this.h.run(() => this.statsNow()); }

  // ---- Opened ------------------------------------------------------------------------------------

  private options(flags: number, pageCount: number): number {
    return this.h.put(IN, STORE, { flags, pageCount, pageBytes: this.pageBytes,
      superCount: this.superCount });
  }

  /** Finds the newest commit, or formats the device. */
  mount(format = false): this {
    const { h, device } = this;
    this.equip();
    h.run(() => {
      if (!format) {
        const o = h.put(IN, STORE, {});
        this.ok(h.x.nigh_store_find(h.x.nighw_function(READ), 0, BigInt(device.size()), o));
        const { pageBytes, superCount } = get(h, o, STORE);
        [this.pageBytes, this.superCount] = [pageBytes!, superCount!];
      }
      const has = format ? SUPERS : Math.ceil(device.size() / this.pageBytes);
      const count = has + (this.writes ? Math.floor(has / 4) + PAGES_MORE : 0);
      const flags = format ? NIGH_STORE_FORMAT : 0;
      const call = (kind: number) => (this.writes ? h.x.nighw_function(kind) : 0);
      this.take(count, (memory, bytes, out) => h.x.nigh_store_open(this.options(flags, count),
        h.x.nighw_function(READ), call(WRITE), 0, call(SYNC), 0, memory, bytes, out));
    });
    return this;
  }

  /** Memory for a store of so many pages, and what is made in it. */
  private take(count: number, make: (memory: number, bytes: bigint, out: number) => number): void {
    const { h } = this;
    const bytes = h.sized((out) => h.x.nigh_store_bytes(this.options(0, count), out));
    const memory = h.alloc(bytes);
    const status = make(memory, BigInt(bytes), h.cell + OUT);
    if (status !== NIGH_OK) {
      h.x.nighw_free(memory);
      this.ok(status);
    }
    h.x.nighw_free(this.memory);
    this.at = h.u32[(h.cell + OUT) >>> 2]!;
    this.memory = memory;
    this.pageCount = count;
  }

  /** The index of the newest commit, in this handle. */
  attach(): void {
    const { h } = this;
    this.equip();
    h.run(() => {
      const flags = this.writes ? NIGH_OPEN_WRITABLE : 0;
      const out = h.cell + OUT;
      const sizes = (slotMax: number) => h.x.nigh_store_attach_bytes(this.at,
        h.words32(IN2, slotMax, 0, flags, 0), out, out + 8);
      const slotMax = this.writes ? slotMaxFor(slotsOf(this.device, this.pageBytes,
        this.superCount, this.statsNow().generation)) : 0;
      this.ok(sizes(slotMax));
      const bytes = [BigInt(h.long(out)), BigInt(h.long(out + 8))] as const;
      const memory = h.alloc(Number(bytes[0]));
      const blocks = bytes[1] > 0n ? h.alloc(Number(bytes[1])) : 0;
      const status = h.x.nigh_store_attach(this.at, h.words32(IN2, slotMax, 0, flags, 0),
        memory, bytes[0], blocks, bytes[1], out);
      if (status !== NIGH_OK) {
        h.x.nighw_free(blocks);
        h.x.nighw_free(memory);
        this.ok(status);
      }
      h.index = h.u32[out >>> 2]!;
      h.slotMax = h.word(h.stats() + SLOT_MAX);
    });
  }

  // ---- Commits -----------------------------------------------------------------------------------

  /** Room for a quarter more pages; the device itself grows as they are written. */
  private grow(): void {
    const count = this.pageCount + Math.floor(this.pageCount / 4) + PAGES_MORE;
    if (count > PAGES_MAX) this.ok(NIGH_E_FULL);
    this.take(count, (memory, bytes, out) =>
      this.h.x.nigh_store_grow(this.at, count, memory, bytes, out));
  }

  /** Refuses to go on where nobody knows what is there. */
  usable(): void {
    if (this.lost) {
      throw failed(NIGH_E_WRITE, `${this.name}: a flush failed before: open the store anew`);
    }
  }

  /** Makes the device hold the index as it is now. */
  commit(): StoreStats {
    const { h, device } = this;
    this.usable();
    this.equip();
    return h.run(() => {
      const before = device.size();
      this.named = false;
      let status = h.x.nigh_store_commit(this.at, h.index);
      while (status === NIGH_E_FULL) {
        this.grow();
        status = h.x.nigh_store_commit(this.at, h.index);
      }
      if (status === NIGH_E_USER && !this.named && device.size() > before) {
        // No state names what came behind, and none of it is believed.
        const { error } = this;
        this.call(true, () => device.truncate(before));
        this.error = error;
      }
      this.ok(status);
      return this.statsNow();
    });
  }
}
