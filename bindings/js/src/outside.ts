// outside.ts - vectors that the index does not hold, and distances of the caller's
// SPDX-License-Identifier: MIT OR Apache-2.0
import { NIGH_DTYPE_F32, NIGH_E_FETCH, NIGH_E_INVALID } from './abi.js';
import type { Distance, VectorSource } from './core.js';
import { elementsFor } from './elements.js';
import { fail } from './errors.js';
import type { Handle } from './handle.js';
import type { KeyForm } from './keys.js';
import type { Outer } from './rest.js';
import { rowsOf, type Shape } from './rows.js';
import { bitsOf, DISTANCE, FETCH, PREFETCH } from './wasm.js';

/** Gives a handle its callbacks. */
export function equip(h: Handle, shape: Shape, form: KeyForm<any>,
  { source, distance }: Outer): void {
  if (distance) equipDistance(h, shape, distance);
  if (source) equipSource(h, shape, form, source);
}

function equipSource(h: Handle, shape: Shape, form: KeyForm<any>, source: VectorSource): void {
  if (typeof source.fetch !== 'function') fail(NIGH_E_INVALID, 'vectors: no function fetch');
  const asked = (slots: number, keys: number, count: number) => [
    h.u32.slice(slots >>> 2, (slots >>> 2) + count),
    keys ? form.read(h, keys, 0, count) : undefined] as const;
  let space = elementsFor(shape, 0);
  h.calls[FETCH] = (_, slots, keys, count, scratch, vectors) => {
    const each = elementsFor(shape, 1).length;
    if (space.length < count * each) space = elementsFor(shape, 2 * count);
    const out = space.subarray(0, count * each).fill(
      shape.dtype === NIGH_DTYPE_F32 ? NaN : 0x7fff); // what is left out is not an old vector
    const answer: unknown = source.fetch(...asked(slots, keys, count), out);
    if (typeof (answer as PromiseLike<void> | undefined)?.then === 'function') {
      fail(NIGH_E_FETCH, 'vectors.fetch returned a promise: searches cannot wait for it');
    }
    rowsOf(shape, out, count).put(h, scratch >>> 0, 0, count);
    for (let i = 0; i < count; i++) h.u32[(vectors >>> 2) + i] = scratch + i * shape.rowBytes;
    return 0;
  };
  h.calls[PREFETCH] = (_, slots, keys, count) => {
    source.prefetch!(...asked(slots, keys, count));
    return 0;
  };
  h.run(() => h.ok(h.x.nigh_index_fetch(h.index, h.x.nighw_function(FETCH),
    source.prefetch ? h.x.nighw_function(PREFETCH) : 0, 0)));
}

function equipDistance(h: Handle, shape: Shape, distance: Distance): void {
  const [one, other] = [elementsFor(shape, 1), elementsFor(shape, 1)];
  const bytes = [one, other].map((array) => new Uint8Array(array.buffer));
  h.calls[DISTANCE] = (_, a, b) => {
    bytes[0]!.set(h.u8.subarray(a >>> 0, (a >>> 0) + one.byteLength));
    bytes[1]!.set(h.u8.subarray(b >>> 0, (b >>> 0) + one.byteLength));
    return bitsOf(distance(one, other));
  };
  h.run(() => h.ok(h.x.nigh_index_distance(h.index, h.x.nighw_function(DISTANCE), 0)));
}
