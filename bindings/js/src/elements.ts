// elements.ts - vectors of other elements than floats
// SPDX-License-Identifier: MIT OR Apache-2.0
import { NIGH_DTYPE_B1, NIGH_DTYPE_I8 } from './abi.js';
import type { Elements } from './core.js';
import type { Handle } from './handle.js';
import { part, type Shape, type Vector } from './rows.js';
import type { Wasm } from './wasm.js';

/** Arrays whose elements are stored as they are; all others are taken for floats. */
const NATIVE: RegExp[] = [/^$/, /^Float32Array$/, /^(Uint|Float)16Array$/, /^Uint16Array$/,
  /^Int8Array$/, /^Uint8(Clamped)?Array$/, /^Uint8Array$/];
const ARRAYS = [Float32Array, Float32Array, Uint16Array, Uint16Array, Int8Array, Uint8Array,
  Uint8Array];

const native = (dtype: number, array: Vector): boolean => ArrayBuffer.isView(array) &&
  NATIVE[dtype]!.test((array as unknown as { [Symbol.toStringTag]: string })[Symbol.toStringTag]);

/** `count` vectors in JavaScript's memory, as the index stores them. */
export const elementsFor = (shape: Shape, count: number): Elements => new ARRAYS[shape.dtype]!(
  count * (shape.dtype === NIGH_DTYPE_B1 ? shape.rowBytes : shape.dim));

/** Elements from..to of an array that is stored as it is. */
function putNative(w: Wasm, shape: Shape, at: number, array: Vector, from: number,
  to: number): void {
  const { buffer, byteOffset, BYTES_PER_ELEMENT: size } = array as unknown as Uint8Array;
  const bytes = (first: number, last: number) =>
    new Uint8Array(buffer, byteOffset + first * size, (last - first) * size);
  if (shape.dtype !== NIGH_DTYPE_I8) {
    w.u8.set(bytes(from, to), at);
    return;
  }
  for (; from < to; from += shape.dim, at += shape.rowBytes) { // each with scale 1 and zero 0
    w.u8.fill(0, at, at + shape.rowBytes).set(bytes(from, from + shape.dim), at);
    w.f32[(at + shape.rowBytes - 8) >>> 2] = 1;
  }
}

/** Vectors of these elements; numbers in other arrays are converted. */
export function shapeOf(h: Handle, dim: number, dtype: number): Shape {
  const rowBytes = h.sized(h.x.nigh_row_bytes, dim, dtype);
  const shape: Shape = {
    dim,
    dtype,
    rowBytes,
    width: (array) => (dtype === NIGH_DTYPE_B1 && native(dtype, array) ? rowBytes : dim),
    write(w, at, array, from, to) {
      if (native(dtype, array)) {
        putNative(w, shape, at, array, from, to);
        return;
      }
      w.with(4 * (to - from), (floats) => {
        w.f32.set(part(array, from, to), floats >>> 2);
        w.ok(w.x.nigh_convert(dim, dtype, (to - from) / dim, floats, at, 0, 0), 'vectors');
      });
    },
    read: (w, at, count) => w.with(4 * count * dim, (floats) => {
      w.ok(w.x.nigh_convert(dim, dtype, count, 0, 0, at, floats));
      return w.f32.slice(floats >>> 2, (floats >>> 2) + count * dim);
    }),
  };
  return shape;
}
