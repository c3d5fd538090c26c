// rows.ts - vectors on their way into the module's memory and out of it
// SPDX-License-Identifier: MIT OR Apache-2.0
import { NIGH_DTYPE_B1, NIGH_DTYPE_BF16, NIGH_DTYPE_F16, NIGH_DTYPE_F32, NIGH_DTYPE_I8,
  NIGH_DTYPE_U8, NIGH_E_INVALID, NIGH_E_MISMATCH } from './abi.js';
import { fail } from './errors.js';
import type { Wasm } from './wasm.js';

/** One vector: numbers, or what the index stores (see README: element types). */
export type Vector = ArrayLike<number>;
/** Vectors one after another in one array, or an array of them. */
export type Vectors = Vector | readonly Vector[];

export type DType = 'f32' | 'f16' | 'bf16' | 'i8' | 'u8' | 'b1';
export const DTYPES: Record<string, number> = { f32: NIGH_DTYPE_F32, f16: NIGH_DTYPE_F16,
  bf16: NIGH_DTYPE_BF16, i8: NIGH_DTYPE_I8, u8: NIGH_DTYPE_U8, b1: NIGH_DTYPE_B1 };

/** Arrays whose elements are stored as they are; all others are taken for floats. */
const NATIVE: RegExp[] = [/^$/, /^Float32Array$/, /^(Uint|Float)16Array$/, /^Uint16Array$/,
  /^Int8Array$/, /^Uint8(Clamped)?Array$/, /^Uint8Array$/];

export interface Shape { dim: number; dtype: number; rowBytes: number }

export interface RowList {
  readonly count: number;
  /** Writes rows first..last - 1 as the index stores them. */
  put(w: Wasm, at: number, first: number, last: number): void;
}

const native = (shape: Shape, array: Vector): boolean => ArrayBuffer.isView(array) &&
  NATIVE[shape.dtype]!.test((array as unknown as { [Symbol.toStringTag]: string })[Symbol.toStringTag]);

/** Elements of an array that make a row. */
const width = (shape: Shape, array: Vector): number =>
  (shape.dtype === NIGH_DTYPE_B1 && native(shape, array) ? shape.rowBytes : shape.dim);

function isArray(value: unknown): value is ArrayLike<number> {
  return Array.isArray(value) || (ArrayBuffer.isView(value) &&
    /^(Float|Int|Uint)/.test((value as unknown as Record<symbol, string>)[Symbol.toStringTag] ?? ''));
}

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

/** Numbers from..to of an array, as floats that are converted unless the index has floats. */
function putFloats(w: Wasm, shape: Shape, at: number, array: Vector, from: number,
  to: number): void {
  const part = from === 0 && to === array.length ? array
    : (array as Float32Array).subarray?.(from, to) ?? (array as number[]).slice(from, to);
  if (shape.dtype === NIGH_DTYPE_F32) {
    w.f32.set(part, at >>> 2);
    return;
  }
  w.with(4 * (to - from), (floats) => {
    w.f32.set(part, floats >>> 2);
    w.ok(w.x.nigh_convert(shape.dim, shape.dtype, (to - from) / shape.dim, floats, at, 0, 0),
      'vectors');
  });
}

function putRow(w: Wasm, shape: Shape, at: number, array: Vector, from: number, to: number): void {
  const each = width(shape, array);
  (native(shape, array) ? putNative : putFloats)(w, shape, at, array, from * each, to * each);
}

/** `count` rows, or as many as there are. */
export function rowsOf(shape: Shape, vectors: Vectors, count?: number): RowList {
  if (!isArray(vectors)) {
    fail(NIGH_E_INVALID, 'vectors: expected a typed array, numbers, or an array of such');
  }
  const list = Array.isArray(vectors) && typeof vectors[0] !== 'number' && vectors.length > 0;
  const rows = vectors as unknown as readonly Vector[];
  if (list) {
    rows.forEach((row, at) => {
      if (!isArray(row) || row.length !== width(shape, row)) {
        fail(NIGH_E_MISMATCH, `vector ${at} has ${row?.length} elements, expected ${shape.dim}`);
      }
    });
  }
  const flat = vectors as Vector;
  const found = list ? rows.length : flat.length / width(shape, flat);
  if (found !== (count ?? Math.floor(found))) {
    fail(NIGH_E_MISMATCH, list ? `${found} vectors for ${count} keys`
      : `${flat.length} elements, expected ${count ?? 'a multiple'} x ${width(shape, flat)}`);
  }
  return {
    count: found,
    put(w, at, first, last) {
      if (!list) {
        putRow(w, shape, at, flat, first, last);
        return;
      }
      for (let i = first; i < last; i++, at += shape.rowBytes) putRow(w, shape, at, rows[i]!, 0, 1);
    },
  };
}

/** `count` rows in the module's memory as floats. */
export function floatsOf(w: Wasm, shape: Shape, at: number, count: number): Float32Array {
  const size = count * shape.dim;
  if (shape.dtype === NIGH_DTYPE_F32) return w.f32.slice(at >>> 2, (at >>> 2) + size);
  return w.with(4 * size, (floats) => {
    w.ok(w.x.nigh_convert(shape.dim, shape.dtype, count, 0, 0, at, floats));
    return w.f32.slice(floats >>> 2, (floats >>> 2) + size);
  });
}
