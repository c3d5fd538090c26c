// rows.ts - vectors on their way into the module's memory and out of it
// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Floats here; other elements, and what is converted to them, in elements.ts.
import { NIGH_DTYPE_F32, NIGH_E_INVALID, NIGH_E_MISMATCH } from './abi.js';
import { fail } from './errors.js';
import type { Wasm } from './wasm.js';

/** One vector: numbers, or what the index stores (see README: element types). */
export type Vector = ArrayLike<number>;
/** Vectors one after another in one array, or an array of them. */
export type Vectors = Vector | readonly Vector[];

export type DType = 'f32' | 'f16' | 'bf16' | 'i8' | 'u8' | 'b1';
/** By number. */
export const DTYPES = ['', 'f32', 'f16', 'bf16', 'i8', 'u8', 'b1'];

/** What vectors of an index are. */
export interface Shape {
  readonly dim: number;
  readonly dtype: number;
  readonly rowBytes: number;
  /** Elements of an array that make a row. */
  width(array: Vector): number;
  /** Writes elements from..to of an array, whole rows, as the index stores them. */
  write(w: Wasm, at: number, array: Vector, from: number, to: number): void;
  /** Rows in the module's memory as floats. */
  read(w: Wasm, at: number, count: number): Float32Array;
}

export interface RowList {
  readonly count: number;
  /** Writes rows first..last - 1 as the index stores them. */
  put(w: Wasm, at: number, first: number, last: number): void;
}

/** Elements from..to of an array. */
export const part = (array: Vector, from: number, to: number): Vector =>
  (from === 0 && to === array.length ? array
    : (array as Float32Array).subarray?.(from, to) ?? (array as number[]).slice(from, to));

export const floatShape = (dim: number): Shape => ({
  dim,
  dtype: NIGH_DTYPE_F32,
  rowBytes: 4 * dim,
  width: () => dim,
  write: (w, at, array, from, to) => w.f32.set(part(array, from, to), at >>> 2),
  read: (w, at, count) => w.f32.slice(at >>> 2, (at >>> 2) + count * dim),
});

function isArray(value: unknown): value is ArrayLike<number> {
  return Array.isArray(value) || (ArrayBuffer.isView(value) &&
    /^(Float|Int|Uint)/.test((value as unknown as Record<symbol, string>)[Symbol.toStringTag] ?? ''));
}

/** `count` rows, or as many as there are. */
export function rowsOf(shape: Shape, vectors: Vectors, count?: number): RowList {
  if (!isArray(vectors)) {
    fail(NIGH_E_INVALID, 'vectors: expected a typed array, numbers, or an array of such');
  }
  const list = Array.isArray(vectors) && typeof vectors[0] !== 'number' && vectors.length > 0;
  const rows = vectors as unknown as readonly Vector[];
  const flat = vectors as Vector;
  if (list) {
    rows.forEach((row, at) => {
      if (!isArray(row) || row.length !== shape.width(row)) {
        fail(NIGH_E_MISMATCH, `vector ${at} has ${row?.length} elements, expected ${shape.dim}`);
      }
    });
  }
  const width = list ? 1 : shape.width(flat);
  const found = flat.length / width;
  if (found !== (count ?? Math.floor(found))) {
    fail(NIGH_E_MISMATCH, list ? `${found} vectors for ${count} keys`
      : `${flat.length} elements, expected ${count ?? 'a multiple'} x ${width}`);
  }
  return {
    count: found,
    put(w, at, first, last) {
      if (!list) {
        shape.write(w, at, flat, first * width, last * width);
        return;
      }
      for (let i = first; i < last; i++, at += shape.rowBytes) {
        shape.write(w, at, rows[i]!, 0, rows[i]!.length);
      }
    },
  };
}
