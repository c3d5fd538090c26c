// storage-rows.ts - vectors outside of the index, one after another in a file that is read at once
// SPDX-License-Identifier: MIT OR Apache-2.0
import { NIGH_E_FETCH, NIGH_E_INVALID, NIGH_E_UNSUPPORTED } from './abi.js';
import type { DType, Elements, Key, VectorSource } from './api.js';
import { type Device, failed, notRead, notWritten, readAll, writeAll } from './storage-device.js';

/** Vectors in rows. */
export interface RowOptions {
  /** Elements of a vector. */
  dim: number;
  /** What they are stored as, as the index has it; not i8. Default f32. */
  dtype?: DType;
  /** Bytes before the first one, default 0. */
  offset?: number;
  /** Bytes from one to the next, default those of a vector. */
  stride?: number;
  /** What finds a row: the slot (vectors in the order of insertion, the default) or the key, of
   * indexes with keys of numbers. */
  by?: 'slot' | 'key';
}

const ARRAYS = { f32: Float32Array, f16: Uint16Array, bf16: Uint16Array, u8: Uint8Array,
  b1: Uint8Array } as const;

/** Where rows lie. */
export class Rows {
  readonly dim: number;
  readonly dtype: DType;
  readonly bytes: number;
  readonly offset: number;
  readonly stride: number;
  private readonly byKey: boolean;

  constructor({ dim, dtype = 'f32', offset = 0, stride, by = 'slot' }: RowOptions) {
    const array = ARRAYS[dtype as keyof typeof ARRAYS];
    if (!array) throw failed(NIGH_E_UNSUPPORTED, `dtype ${dtype}: not of vectors outside`);
    this.dim = dim;
    this.dtype = dtype;
    this.bytes = dtype === 'b1' ? Math.ceil(dim / 8) : dim * array.BYTES_PER_ELEMENT;
    this.offset = offset;
    this.stride = stride ?? this.bytes;
    this.byKey = by === 'key';
    if (!(Number.isInteger(dim) && dim > 0 && Number.isSafeInteger(offset) && offset >= 0 &&
      Number.isInteger(this.stride) && this.stride >= this.bytes)) {
      throw failed(NIGH_E_INVALID, `dim ${dim}, offset ${offset}, stride ${this.stride}`);
    }
  }

  /** The numbers of rows that are asked for. */
  numbers(slots: Uint32Array, keys: readonly Key[] | undefined): ArrayLike<number> {
    if (!this.byKey) return slots;
    if (!keys) throw failed(NIGH_E_INVALID, "by: 'key' wants keys of numbers");
    return keys.map(Number);
  }

  at(number: number): number { return this.offset + number * this.stride; }

  /** Rows that a file of so many bytes holds. */
  count(size: number): number {
    return size < this.at(0) + this.bytes ? 0
      : Math.floor((size - this.offset - this.bytes) / this.stride) + 1;
  }

  /** The bytes of vectors given as typed arrays, or of floats as numbers. */
  bytesOf(vectors: ArrayLike<number>): Uint8Array {
    const array = ARRAYS[this.dtype as keyof typeof ARRAYS];
    const given = this.dtype === 'f32' && !(vectors instanceof Float32Array)
      ? Float32Array.from(vectors) : vectors as Elements;
    if (!ArrayBuffer.isView(given) || given.BYTES_PER_ELEMENT !== array.BYTES_PER_ELEMENT ||
      given.byteLength % this.bytes !== 0) {
      throw failed(NIGH_E_INVALID, `vectors: expected a ${array.name} of rows of ${this.dim}`);
    }
    return new Uint8Array(given.buffer, given.byteOffset, given.byteLength);
  }
}

export const bytesIn = (out: Elements): Uint8Array =>
  new Uint8Array(out.buffer, out.byteOffset, out.byteLength);

/** Vectors of an index in a file: `vectors` of IndexOptions. Each is read when a search, or a
 * change, looks at it. */
export class FileVectors<K extends Key = Key> implements VectorSource<K> {
  private readonly rows: Rows;
  private written = false;

  /** @internal */
  constructor(private readonly device: Device, private readonly name: string, options: RowOptions) {
    this.rows = new Rows(options);
  }

  /** How many there are. */
  get count(): number { return this.rows.count(this.device.size()); }

  /** Rows that follow each other are read at once. */
  fetch(slots: Uint32Array, keys: K[] | undefined, out: Elements): void {
    const { rows, device } = this;
    const numbers = rows.numbers(slots, keys);
    const into = bytesIn(out);
    const step = rows.stride === rows.bytes ? 1 : Infinity;
    for (let from = 0, to = 1; from < numbers.length; from = to++) {
      while (to < numbers.length && numbers[to]! === numbers[to - 1]! + step) to++;
      const part = into.subarray(from * rows.bytes, to * rows.bytes);
      let count = 0;
      try {
        count = device.read(part, rows.at(numbers[from]!));
      } catch (error) {
        throw notRead(this.name, error);
      }
      if (count < part.length) this.rest(part, count, numbers[from]!);
    }
  }

  /** Reads may be short before the end. */
  private rest(part: Uint8Array, count: number, number: number): void {
    const at = this.rows.at(number);
    if (at + part.length > this.device.size()) {
      throw failed(NIGH_E_FETCH, `${this.name}: vector ${number} is not there`);
    }
    readAll(this.device, part.subarray(count), at + count);
  }

  /** Writes vectors behind the others: the number of the first. They are there for good after
   * `flush`, which comes before the commit of an index that has their slots. */
  append(vectors: ArrayLike<number>): number {
    const first = this.count;
    this.set(first, vectors);
    return first;
  }

  /** Writes vectors from number `first` on. */
  set(first: number, vectors: ArrayLike<number>): void {
    const { rows, device } = this;
    const bytes = rows.bytesOf(vectors);
    if (!(Number.isInteger(first) && first >= 0 && first <= this.count)) {
      throw failed(NIGH_E_INVALID, `number ${first}: there are ${this.count} vectors`);
    }
    const before = device.size();
    try {
      this.written = true;
      const step = rows.stride === rows.bytes ? bytes.length : rows.bytes;
      for (let at = 0, number = first; at < bytes.length; at += step, number++) {
        writeAll(device, bytes.subarray(at, at + step), rows.at(number));
      }
    } catch (error) {
      if (device.size() > before) device.truncate(before);
      throw notWritten(this.name, error);
    }
  }

  /** What was written stays, whatever happens. */
  flush(): void {
    if (!this.written) return;
    try {
      this.device.flush();
    } catch (error) {
      throw notWritten(this.name, error);
    }
    this.written = false;
  }

  close(): void {
    this.flush();
    this.device.close();
  }
}
