// wasm.ts - an instance of the module: its memory, structures, callbacks, one call at a time
// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Views of the memory are taken anew when it grew, which detaches them. A callback that throws
// never lets its exception run through the module: it is kept and thrown again behind the call.
// Were the module to stop in the middle of a call (the engine's stack may end there), its memory
// could hold half a change: such an instance refuses everything from then on.
import { type NighExports, NIGH_E_BUSY, NIGH_E_CORRUPT, NIGH_E_INVALID, NIGH_E_MEMORY,
  NIGH_E_UNSUPPORTED, NIGH_E_USER } from './abi.js';
import { fail } from './errors.js';
import { compiled, needs } from './module.js';
import { memoryFor } from './shared.js';

/** What nighw.h adds. */
export interface Exports extends NighExports {
  nighw_alloc(bytes: bigint): number;
  nighw_free(memory: number): number;
  nighw_function(kind: number): number;
  nighw_used(): bigint;
}

/** Kinds of callbacks, as nighw.h numbers them. */
export const FETCH = 1;
export const PREFETCH = 2;
export const DISTANCE = 3;
export const FILTER = 4;
export const WRITE = 5;

type Kind = (user: number, a: number, b: number, c: number, d: number, e: number) => number;

type Camel<S> = S extends `${infer A}_${infer B}` ? `${A}${Capitalize<Camel<B>>}` : S;
/** The fields of a structure of the ABI, in JavaScript's way to write names. */
export type Fields<L> = {
  [K in Exclude<keyof L, 'size' | 'kinds' | 'struct_size' | 'reserved'> as Camel<K>]: number;
};

const HIGH = 2 ** 32;
const floatBits = new Float32Array(1);
const intBits = new Uint32Array(floatBits.buffer);

export function bitsOf(distance: number): number {
  floatBits[0] = distance;
  return intBits[0]!;
}

/** Names of a structure's fields behind its size; . behind a float, : behind a u64, - behind what
 * may be negative. */
export const fields = (layout: string) => parsed[layout] ??= [...layout.matchAll(/(\w+)(\W?)/g)];
const parsed: Record<string, RegExpMatchArray[]> = {};

/** Places in each instance's cell: two structures, one result, a key that a callback asks for. */
const CELL_BYTES = 1024;
export const IN = 0;
export const IN2 = 128;
export const OUT = 256;
export const KEY = 448;

/** Engines have room for so many memories: Chromium for some 120 a process. */
function instance(module: WebAssembly.Module, imports: WebAssembly.Imports): object {
  try {
    return new WebAssembly.Instance(module, imports).exports;
  } catch (error) {
    if (error instanceof RangeError) fail(NIGH_E_MEMORY, `no memory for one more index: ${error}`);
    throw error;
  }
}

export class Wasm {
  readonly x: Exports;
  readonly cell: number;
  /** By kind: what the module's callbacks do. */
  readonly calls: (Kind | undefined)[] = [];
  private bytes = new Uint8Array(0);
  private words!: Uint32Array;
  private reals!: Float32Array;
  private busy = false;
  private inside = 0;
  private broken = false;
  private thrown: { error: unknown } | undefined;

  constructor(readonly module = compiled()) {
    const exports = instance(module, { env: memoryFor(module), nigh: {
      callback: (kind: number, ...args: [number, number, number, number, number, number]) =>
        this.called(kind, args) } });
    const x: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(exports)) {
      x[name] = typeof value !== 'function' ? value : (...args: unknown[]) => {
        this.inside++;
        const result: unknown = value(...args);
        this.inside--;
        return result;
      };
    }
    this.x = x as unknown as Exports;
    this.cell = this.alloc(CELL_BYTES);
  }

  // ---- Memory ------------------------------------------------------------------------------------

  private views(): this {
    if (this.bytes.length === 0) this.renew();
    return this;
  }

  private renew(): void {
    const { buffer } = this.x.memory;
    this.bytes = new Uint8Array(buffer);
    this.words = new Uint32Array(buffer);
    this.reals = new Float32Array(buffer);
  }

  get u8(): Uint8Array { return this.views().bytes; }

  get u32(): Uint32Array { return this.views().words; }

  get f32(): Float32Array { return this.views().reals; }

  word(at: number): number { return this.u32[at >>> 2]!; }

  /** A u64 in memory. */
  long(at: number): number { return this.word(at) + HIGH * this.word(at + 4); }

  /** 64-byte aligned, not zeroed. */
  alloc(bytes: number): number {
    const at = this.x.nighw_alloc(BigInt(bytes)) >>> 0 ||
      fail(NIGH_E_MEMORY, `no memory left for ${bytes} bytes more`);
    if (at + bytes > this.bytes.length) this.renew(); // a shared memory's old views stay good
    return at;
  }

  /** Runs with memory that is given back after it. */
  with<T>(bytes: number, body: (at: number) => T): T {
    const at = this.alloc(bytes);
    try {
      return body(at);
    } finally {
      if (this.inside === 0) this.x.nighw_free(at);
    }
  }

  // ---- Structures --------------------------------------------------------------------------------

  /** A structure of words in the cell. */
  words32(at: number, ...words: number[]): number {
    at += this.cell;
    this.u32.set([4 + 4 * words.length, ...words], at >>> 2);
    return at;
  }

  /** A structure in the cell; fields that are not named are 0. */
  put(at: number, layout: string, values: Record<string, unknown>): number {
    const words: number[] = [];
    for (const [, name, kind] of fields(layout)) {
      const value = (values[name!] ?? 0) as number;
      if (kind === ':') {
        const bits = BigInt(value);
        words.push(Number(BigInt.asUintN(32, bits)), Number(BigInt.asUintN(32, bits >> 32n)));
      } else if (kind === '.') {
        words.push(bitsOf(value));
      } else {
        if (value !== value >>> 0) fail(NIGH_E_INVALID, `${name} ${value}, expected an integer`);
        words.push(value);
      }
    }
    return this.words32(at, ...words);
  }

  /** The bytes that `size(...args, out)` asks for, and what `make(...args, memory, bytes, out)`
   * makes in them; both answer through `out`. */
  made(size: (...args: any[]) => number, make: (...args: any[]) => number,
    ...args: (number | bigint)[]): { at: number; memory: number } {
    const out = this.cell + OUT;
    this.ok(size(...args, out));
    const bytes = this.long(out);
    const memory = this.alloc(bytes);
    const status = make(...args, memory, BigInt(bytes), out);
    if (status) this.x.nighw_free(memory);
    this.ok(status);
    return { at: this.word(out), memory };
  }

  /** Whether this is not the small module. */
  get whole(): boolean { return !!(this.x as Partial<Exports>).nigh_job_run; }

  /** Whether no call can be made any more, or one is still under way. */
  get stopped(): boolean { return this.broken || this.inside > 0; }

  // ---- Calls -------------------------------------------------------------------------------------

  text(status: number): string {
    const at = this.x.nigh_status_text(status) >>> 0;
    return new TextDecoder().decode(this.u8.slice(at, this.u8.indexOf(0, at)));
  }

  ok(status: number, what = '', done?: number): void {
    if (this.thrown) throw this.thrown.error;
    if (status === NIGH_E_UNSUPPORTED && !this.whole) needs(what + this.text(status));
    if (status) fail(status, (what && what + ': ') + this.text(status), done);
  }

  /** Another thread did not come back from a call. */
  stop(): void { this.broken = true; }

  /** Runs calls of the module, none of which may be under way. */
  run<T>(body: () => T): T {
    if (this.broken) fail(NIGH_E_CORRUPT, 'a call was cut short: open or make the index anew');
    if (this.busy) fail(NIGH_E_BUSY, 'called from a callback of the same index');
    this.busy = true;
    try {
      const result = body();
      if (this.thrown) throw this.thrown.error;
      return result;
    } catch (error) {
      if (this.inside > 0) {
        this.broken = true;
        fail(NIGH_E_CORRUPT, `the module was stopped in the middle of a call: ${error}`);
      }
      throw this.thrown ? this.thrown.error : error;
    } finally {
      this.busy = false;
      this.inside = 0;
      this.thrown = undefined;
    }
  }

  private called(kind: number, args: [number, number, number, number, number, number]): number {
    const { inside } = this;
    this.inside = 0;
    try {
      // A filter that threw once is not asked again.
      if (this.thrown && kind === FILTER) return 0;
      return this.calls[kind]!(...args);
    } catch (error) {
      this.thrown ??= { error };
      return kind === DISTANCE ? bitsOf(NaN) : kind === FILTER ? 0 : NIGH_E_USER;
    } finally {
      this.inside = inside;
    }
  }
}

/** Bytes of whole cache lines; there may be more than 2^31. */
export const lines = (bytes: number): number => Math.ceil(bytes / 64) * 64;
