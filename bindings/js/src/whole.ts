// whole.ts - an index in the module that can do everything
// SPDX-License-Identifier: MIT OR Apache-2.0
import type { nigh_stats } from './abi.js';
import { type Handle, slotMaxFor } from './handle.js';
import type { Key } from './keys.js';
import { filled } from './layouts.js';
import { compiled, isWhole, needs } from './module.js';
import type { Search } from './search.js';
import type { Fields } from './wasm.js';

/** nigh_stats of nigh.h: what an index holds now. */
export type Stats = Fields<typeof nigh_stats>;

export const STATS = 'slotCount liveCount deletedCount freeCount slotCapacity slotMax levelMax ' +
  'entrySlot upperCount features writable keyBytes: keyCapacity: imageBytes: codes codeClamped';

export const statsOf = (h: Handle): Stats =>
  h.run(() => filled(h, STATS, (at) => h.x.nigh_stats_get(h.index, at))) as never;

/** Moves an index of the small module, as it is, with the room that it has. Walks that are under
 * way go on where they are. */
export function whole<K extends Key>(index: Search<K>): Handle {
  const old = index._open();
  if (old.whole) return old;
  if (!isWhole()) needs('this');
  const changed = !old.image; // and may have got more room
  const { slotCapacity, keyCapacity, writable } = statsOf(old);
  const h = index._move(writable ? Math.max(old.slotMax, slotMaxFor(0)) : 0, writable === 1,
    compiled());
  if (changed && slotCapacity > 0) h.run(() => h.grow(slotCapacity, keyCapacity));
  return h;
}
