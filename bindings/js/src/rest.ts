// rest.ts - what more.ts adds to the parts of an Index
// SPDX-License-Identifier: MIT OR Apache-2.0
import type { Distance, VectorSource } from './core.js';
import type { Handle } from './handle.js';
import type { KeyForm } from './keys.js';
import type { Shape } from './rows.js';

export interface Outer { source: VectorSource<any> | undefined; distance: Distance | undefined }

export const more: {
  /** Vectors of other elements than floats. */
  shape?(h: Handle, dim: number, dtype: number): Shape;
  /** Vectors and distances of the caller's. */
  equip?(h: Handle, shape: Shape, form: KeyForm<any>, outside: Outer): void;
  bigints?: KeyForm<bigint>;
  jobs?: Record<string, (...args: any[]) => Promise<void>>;
  readHnswlib?(...args: unknown[]): unknown;
} = {};
