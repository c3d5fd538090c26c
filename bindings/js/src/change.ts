// change.ts - keys added, set, removed, read
// SPDX-License-Identifier: MIT OR Apache-2.0
import { NIGH_E_DELETED, NIGH_E_FULL, NIGH_E_INVALID, NIGH_E_KEY, NIGH_E_NOT_FOUND,
  NIGH_KEYS_BYTES, NIGH_KEYS_IDENTITY, NIGH_OK, NIGH_REPLACE_DELETED,
  NIGH_SET_EXCLUSIVE } from './abi.js';
import { Core } from './core.js';
import { fail } from './errors.js';
import type { Handle } from './handle.js';
import type { Key, KeyList, Keys, Place } from './keys.js';
import { floatsOf, type RowList, rowsOf, type Vectors } from './rows.js';
import { lines } from './wasm.js';

const CHUNK_BYTES = 1 << 20; // of what one call hands to the module
const FULL_MAX = 8; // times that an index may say "full" after it was given room
const KEY_PAGE = 256;
const NOWHERE: Place = { keys: 0, lengths: 0 };

type Call = (h: Handle, place: Place, vectors: number, count: number, done: number) => number;
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
    const flags = replaceRemoved ? NIGH_REPLACE_DELETED : 0;
    this._change('add', this._given(keys, vectors), (h, { keys: k, lengths }, v, n, done) =>
      h.x.nigh_insert(h.index, h.sessionFor(), flags, k, lengths, v, n, done));
  }

  /** Inserts, or gives known keys, removed ones too, new vectors. Where vectors are elsewhere,
   * change them there first. */
  set(keys: K | Keys<K>, vectors?: Vectors): void {
    const flags = this._external ? NIGH_SET_EXCLUSIVE : 0;
    this._change('set', this._given(keys, vectors), (h, { keys: k, lengths }, v, n, done) =>
      h.x.nigh_set(h.index, h.sessionFor(), flags, k, lengths, v, n, done));
  }

  /** Marks keys removed: they are no longer found, their nodes still lead searches on until
   * `vacuum`. */
  remove(keys: K | Keys<K>): void {
    this._change('remove', this._given(keys), (h, { keys: k, lengths }, _, n, done) =>
      h.x.nigh_remove(h.index, h.sessionFor(), k, lengths, n, done));
  }

  /** Takes `remove` back. */
  unremove(keys: K | Keys<K>): void {
    this._change('unremove', this._given(keys), (h, { keys: k, lengths }, _, n, done) =>
      h.x.nigh_unremove(h.index, h.sessionFor(), k, lengths, n, done));
  }

  /** @internal */
  _list(keys: K | Keys<K>): KeyList {
    if (this._form.is(keys)) return this._form.list([keys]);
    if (!keys || typeof keys !== 'object' || !(Symbol.iterator in keys || 'length' in keys)) {
      fail(NIGH_E_KEY, `keys ${String(keys)}: another type than the index has`);
    }
    return this._form.list(Array.isArray(keys) ? keys as K[] : Array.from(keys as ArrayLike<K>));
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
   * is full. @internal */
  _change(what: string, { count, keys, rows }: Given, call: Call): void {
    const step = Math.max(1, Math.floor(CHUNK_BYTES / (this._shape.rowBytes + 16)));
    const bytesOf = (first: number, last: number) => (keys ? keys.bytes(first, last) : 0);
    let fulls = 0;
    for (let first = 0; first < count;) {
      const last = Math.min(count, first + step);
      const [status, done, said] = this._run((h) => {
        const keyBytes = keys ? lines(bytesOf(first, last) + 4 * (last - first)) : 0;
        const rowBytes = rows ? (last - first) * this._shape.rowBytes : 0;
        return h.with(64 + keyBytes + rowBytes, (at) => {
          h.u32[at >>> 2] = 0;
          const place = keys ? keys.put(h, at + 64, first, last) : NOWHERE;
          const vectors = rows ? at + 64 + keyBytes : 0;
          rows?.put(h, vectors, first, last);
          const result = call(h, place, vectors, last - first, at);
          return [result, h.u32[at >>> 2]!, result ? h.text(result) : ''];
        });
      });
      first += done;
      if (done > 0) fulls = 0;
      if (status === NIGH_E_FULL && fulls < FULL_MAX) {
        this._more(count - first, bytesOf(first, last), ++fulls);
      } else if (status !== NIGH_OK) {
        fail(status, `${what}${count > 1 ? ` (number ${first})` : ''}: ${said}`, first);
      }
    }
  }

  // ---- Read --------------------------------------------------------------------------------------

  /** One call of nigh_get; gone: the key is not there, or removed. */
  private _get<T>(key: K, rowBytes: number, take: (h: Handle, row: number, slot: number) => T):
  T | undefined {
    const list = this._list(key);
    return this._run((h) => h.with(128 + lines(list.bytes(0, 1) + 4) + rowBytes, (at) => {
      const { keys, lengths } = list.put(h, at + 128 + lines(rowBytes), 0, 1);
      const row = rowBytes ? at + 128 : 0;
      const status = h.x.nigh_get(h.index, h.sessionFor(), keys, lengths, 1, row, at, at + 64);
      if (status === NIGH_E_NOT_FOUND || status === NIGH_E_DELETED) return undefined;
      h.ok(status, 'get');
      return take(h, row, h.u32[at >>> 2]!);
    }));
  }

  has(key: K): boolean { return this.slot(key) !== undefined; }

  /** The dense number of a key's node. */
  slot(key: K): number | undefined { return this._get(key, 0, (_h, _row, slot) => slot); }

  /** The vector of a key as floats (those of f32 are what was stored, bit by bit), or undefined. */
  get(key: K): Float32Array | undefined {
    return this._get(key, this._shape.rowBytes, (h, row) => floatsOf(h, this._shape, row, 1));
  }

  /** The vector of a key as the index stores it: its bytes. */
  row(key: K): Uint8Array | undefined {
    const { rowBytes } = this._shape;
    return this._get(key, rowBytes, (h, row) => h.u8.slice(row, row + rowBytes));
  }

  /** Keys in the order of their slots, without removed ones. Those that come or go meanwhile may be
   * in it or not. */
  * keys(): IterableIterator<K> {
    let from = 0;
    for (;;) {
      const page: K[] = this._run((h) => {
        const room = lines(KEY_PAGE * this._form.room);
        return h.with(room + 8 * KEY_PAGE + 64, (at) => {
          const lengths = at + room;
          const slots = lengths + 4 * KEY_PAGE;
          const found = slots + 4 * KEY_PAGE;
          const strings = this._form.kind === NIGH_KEYS_BYTES;
          h.ok(h.x.nigh_keys(h.index, from, KEY_PAGE, at, strings ? lengths : 0, slots, found));
          const count = h.u32[found >>> 2]!;
          if (count > 0) from = h.u32[(slots >>> 2) + count - 1]! + 1;
          return this._form.read(h, { keys: at, lengths }, count);
        });
      });
      if (page.length === 0) return;
      yield* page;
    }
  }

  /** Slots of those keys that are there. @internal */
  _slots(keys: Keys<K>): number[] {
    const list = this._list(keys);
    const out: number[] = [];
    for (let first = 0; first < list.count;) {
      const last = Math.min(list.count, first + KEY_PAGE);
      this._run((h) => {
        const bytes = lines(list.bytes(first, last) + 4 * KEY_PAGE);
        h.with(bytes + 4 * KEY_PAGE + 64, (at) => {
          const slots = at + bytes;
          const done = slots + 4 * KEY_PAGE;
          let status = NIGH_OK;
          let count = last - first;
          // The call ends at the first that is gone, and says slots only when all are there.
          do {
            const { keys: k, lengths } = list.put(h, at, first, first + count);
            status = h.x.nigh_get(h.index, h.sessionFor(), k, lengths, count, 0, slots, done);
            const gone = status === NIGH_E_NOT_FOUND || status === NIGH_E_DELETED;
            if (!gone) h.ok(status, 'filter');
            if (gone) count = h.u32[done >>> 2]!;
          } while (status !== NIGH_OK && count > 0);
          const words = h.u32;
          for (let i = 0; i < count; i++) out.push(words[(slots >>> 2) + i]!);
          first += count === last - first ? count : count + 1;
        });
      });
    }
    return out;
  }
}

