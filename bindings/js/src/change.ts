// change.ts - keys added, set, removed, read
// SPDX-License-Identifier: MIT OR Apache-2.0
import { NIGH_E_DELETED, NIGH_E_FULL, NIGH_E_INVALID, NIGH_E_KEY, NIGH_E_NOT_FOUND,
  NIGH_KEYS_BYTES, NIGH_KEYS_IDENTITY, NIGH_REPLACE_DELETED, NIGH_SET_EXCLUSIVE,
  type NighExports } from './abi.js';
import { Core } from './core.js';
import { fail } from './errors.js';
import type { Handle, Room } from './handle.js';
import { type Key, type KeyList, type Keys, listOf } from './keys.js';
import { type RowList, rowsOf, type Vectors } from './rows.js';
import { lines } from './wasm.js';

const CHUNK_BYTES = 1 << 20; // of what one call hands to the module
const FULL_MAX = 8; // times that an index may say "full" after it was given room
const KEY_PAGE = 256;

/** What one or many calls get. */
export interface Given { count: number; keys?: KeyList; rows?: RowList }

export class Change<K extends Key> extends Core<K> {
  // ---- Change ------------------------------------------------------------------------------------

  /** Inserts vectors in order, up to the first failure; a key that is there already is refused.
   * One key and one vector, or many. keys null: the next numbers of an index of identity keys.
   * vectors missing: they are where the index was told. replaceRemoved: takes the slots of removed
   * keys first, which are forgotten. Many at once are faster with `build`. */
  add(keys: K | Keys<K> | null, vectors?: Vectors,
    { replaceRemoved = false }: { replaceRemoved?: boolean } = {}): void {
    this._change('add', 'nigh_insert', this._given(keys, vectors),
      replaceRemoved ? NIGH_REPLACE_DELETED : 0);
  }

  /** Inserts, or gives known keys, removed ones too, new vectors. Where vectors are elsewhere,
   * change them there first. */
  set(keys: K | Keys<K>, vectors?: Vectors): void {
    this._change('set', 'nigh_set', this._given(keys, vectors),
      this._external ? NIGH_SET_EXCLUSIVE : 0);
  }

  /** Marks keys removed: they are no longer found, their nodes still lead searches on until
   * `vacuum`. */
  remove(keys: K | Keys<K>): void {
    this._change('remove', 'nigh_remove', this._given(keys));
  }

  /** Takes `remove` back. */
  unremove(keys: K | Keys<K>): void {
    this._change('unremove', 'nigh_unremove', this._given(keys));
  }

  /** @internal */
  _list(keys: K | Keys<K>): KeyList {
    if (this._form.is(keys)) return listOf(this._form, [keys]);
    if (!keys || typeof keys !== 'object' || !(Symbol.iterator in keys || 'length' in keys)) {
      fail(NIGH_E_KEY, `keys ${String(keys)}: another type than the index has`);
    }
    return listOf(this._form, Array.from(keys as ArrayLike<K>));
  }

  /** @internal */
  _given(keys: K | Keys<K> | null, vectors?: Vectors): Given {
    this._open();
    const list = keys === null ? undefined : this._list(keys);
    const rows = vectors === undefined ? undefined : rowsOf(this._shape, vectors, list?.count);
    if (!list && this._form.kind !== NIGH_KEYS_IDENTITY) fail(NIGH_E_KEY, 'keys are missing');
    const count = list?.count ?? rows?.count ?? fail(NIGH_E_INVALID, 'vectors are missing');
    return { count, keys: list, rows };
  }

  /** Calls for all that is given, each with as much as fits, again with more room where the index
   * is full. Flags: of calls that take vectors. @internal */
  _change(what: string, name: keyof NighExports, { count, keys, rows }: Given,
    flags?: number): void {
    const step = Math.ceil(CHUNK_BYTES / (this._shape.rowBytes + 16));
    const bytesOf = (first: number, last: number) => (keys ? keys.bytes(first, last) : 0);
    let fulls = 0;
    this._idle();
    for (let first = 0; first < count;) {
      const last = Math.min(count, first + step);
      const [status, done] = this._run((h) => {
        const keyBytes = lines(bytesOf(first, last) + 4 * (last - first));
        const rowBytes = rows ? (last - first) * this._shape.rowBytes : 0;
        return h.with(64 + keyBytes + rowBytes, (at) => {
          h.u32[at >>> 2] = 0;
          const place = keys?.put(h, at + 64, first, last);
          const vectors = rows ? at + 64 + keyBytes : 0;
          rows?.put(h, vectors, first, last);
          h.image = undefined;
          const args = [place?.keys ?? 0, place?.lengths ?? 0, last - first, at];
          if (flags !== undefined) {
            args.unshift(flags);
            args.splice(3, 0, vectors);
          }
          const result = (h.x[name] as (...all: number[]) => number)(h.index, h.sessionFor(),
            ...args);
          const did = h.word(at);
          if (result !== NIGH_E_FULL || fulls === FULL_MAX) {
            h.ok(result, count > 1 ? `${what} (number ${first + did})` : what, first + did);
          }
          return [result, did] as const;
        });
      });
      first += done;
      if (done > 0) fulls = 0;
      if (status) this._more(count - first, bytesOf(first, last), ++fulls);
    }
  }

  // ---- Read --------------------------------------------------------------------------------------

  /** One call of nigh_get; gone: the key is not there, or removed. */
  protected _get<T>(key: K, rowBytes: number, take: (h: Handle, row: number, slot: number) => T):
  T | undefined {
    const list = this._list(key);
    return this._run((h) => h.with(128 + lines(list.bytes(0, 1) + 4) + rowBytes, (at) => {
      const { keys, lengths } = list.put(h, at + 128 + lines(rowBytes), 0, 1);
      const row = rowBytes ? at + 128 : 0;
      const status = h.x.nigh_get(h.index, h.sessionFor(), keys, lengths, 1, row, at, at + 64);
      if (status === NIGH_E_NOT_FOUND || status === NIGH_E_DELETED) return undefined;
      h.ok(status, 'get');
      return take(h, row, h.word(at));
    }));
  }

  has(key: K): boolean { return this.slot(key) !== undefined; }

  /** The dense number of a key's node. */
  slot(key: K): number | undefined { return this._get(key, 0, (_h, _row, slot) => slot); }

  /** The vector of a key as floats (those of f32 are what was stored, bit by bit), or undefined. */
  get(key: K): Float32Array | undefined {
    return this._get(key, this._shape.rowBytes, (h, row) => this._shape.read(h, row, 1));
  }

  /** Keys in the order of their slots, without removed ones. Those that come or go meanwhile may be
   * in it or not. */
  * keys(): IterableIterator<K> {
    let from = 0;
    for (;;) {
      const page: K[] = this._run((h) => {
        const room = h.newRoom(this._shape, this._form, KEY_PAGE);
        h.ok(h.x.nigh_keys(h.index, from, KEY_PAGE, room.keys, this._lengths(room), room.slots,
          room.found));
        const found = this._keysAt(h, room);
        if (found[0] !== undefined) from = h.word(room.slots + 4 * found.length - 4) + 1;
        h.x.nighw_free(room.found);
        return found;
      });
      if (page[0] === undefined) return;
      yield* page;
    }
  }

  /** Where lengths of keys go, if they have any. @internal */
  _lengths(room: Room): number {
    return this._form.kind === NIGH_KEYS_BYTES ? room.lengths : 0;
  }

  /** @internal */
  _keysAt(h: Handle, room: Room): K[] {
    return this._form.read(h, room.keys, room.lengths, h.word(room.found));
  }

  /** Slots of those keys that are there. @internal */
  _slots(keys: Keys<K>): number[] {
    const list = this._list(keys);
    const out: number[] = [];
    this._run((h) => h.with(128 + list.bytes(0, list.count), (at) => {
      for (let i = 0; i < list.count; i++) {
        const { keys: k, lengths } = list.put(h, at + 64, i, i + 1);
        const status = h.x.nigh_get(h.index, h.sessionFor(), k, lengths, 1, 0, at, at + 4);
        if (status === NIGH_E_NOT_FOUND || status === NIGH_E_DELETED) continue;
        h.ok(status, 'filter');
        out.push(h.word(at));
      }
    }));
    return out;
  }
}
