// walk.ts - neighbours one after another
// SPDX-License-Identifier: MIT OR Apache-2.0
import { NIGH_SESSION_READ } from './abi.js';
import { uint } from './core.js';
import type { Handle, Room, Session } from './handle.js';
import type { Key } from './keys.js';
import { rowsOf, type RowList, type Vector } from './rows.js';
import { type Chosen, type Effort, efOf, type Hit, putOptions, Search,
  type SearchOptions } from './search.js';
import { whole } from './whole.js';

const PAGE = 16; // neighbours that a cursor is asked for at once

export class Walk<K extends Key> extends Search<K> {
  /** Neighbours, nearest first, until you stop. Order is exact among what the beam of `ef` has seen:
   * a neighbour discovered late comes late. The index may change meanwhile. */
  nearest(query: Vector, options: Omit<SearchOptions<K>, 'k' | 'exact' | 'rerank'> & {
    /** Nodes that it remembers, 16 bytes each. */
    frontierMax?: number;
  } = {}): IterableIterator<Hit<K>> {
    const h = whole(this);
    const rows = rowsOf(this._shape, query, 1);
    return this._walk(h, rows, options, this._chosen(options.filter));
  }

  private* _walk(h: Handle, rows: RowList, o: Effort & { frontierMax?: number },
    chosen: Chosen<K>): IterableIterator<Hit<K>> {
    let session: Session | undefined;
    let room: Room | undefined;
    let drop: (() => void) | undefined;
    const next = (begins?: boolean) => h.run(() => {
      if (begins) {
        session = h.newSession(Math.max(512, efOf(o, PAGE)), NIGH_SESSION_READ,
          uint('frontierMax', o.frontierMax));
        room = h.newRoom(this._shape, this._form, PAGE);
        rows.put(h, room.query, 0, 1);
        drop = this._filter(h, session.at, chosen);
        h.ok(h.x.nigh_cursor_begin(h.index, session.at, room.query, putOptions(h, o)), 'nearest');
      }
      h.ok(h.x.nigh_cursor_next(h.index, session!.at, PAGE, room!.keys, this._lengths(room!),
        room!.distances, room!.slots, room!.found), 'nearest');
      return this._hits(h, room!);
    });
    try {
      let page: Hit<K>[];
      do {
        this._open();
        page = next(!session);
        yield* page;
      } while (page.length === PAGE);
    } finally { // what was taken is given back
      if (!h.stopped) {
        h.run(() => {
          drop?.();
          h.x.nighw_free(session?.memory ?? 0);
          h.x.nighw_free(room?.found ?? 0);
        });
      }
    }
  }
}
