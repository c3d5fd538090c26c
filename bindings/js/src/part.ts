// part.ts - a thread's part of a job: it runs tasks until there are no more
// SPDX-License-Identifier: MIT OR Apache-2.0
import { NIGH_E_CORRUPT, NIGH_JOB_DONE, NIGH_JOB_WAIT, NIGH_OK, nigh_progress } from './abi.js';
import type { Exports } from './wasm.js';

/** Words of a job that all its threads see. */
export const EPOCH = 0; // rises when a task has ended
export const WAITING = 1; // threads that look at it
export const STOP = 2; // 1: go
export const INSIDE = 3; // threads that may be in a call
export const STATUS = 4; // what one of them failed with
export const TASKS = 5; // of each thread: how many it ran
export const LONG = 60_000; // milliseconds: no task takes that long

/** What a thread is told of a job. */
export interface Part {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  words: Int32Array;
  number: number;
  job: number;
  session: number;
  progress: number;
  /** The end of its stack. */
  stack: number;
}

/** A task has ended. */
export function tell(words: Int32Array): void {
  Atomics.add(words, EPOCH, 1);
  if (Atomics.load(words, WAITING) > 0) Atomics.notify(words, EPOCH);
}

/** Sleeps until a task has ended since EPOCH was `seen`. */
export function sleep(words: Int32Array, seen: number, milliseconds: number): void {
  Atomics.add(words, WAITING, 1);
  Atomics.wait(words, EPOCH, seen, milliseconds);
  Atomics.sub(words, WAITING, 1);
}

/** In a thread: runs tasks until there are no more. */
export function runPart({ module, memory, words, number, job, session, progress, stack }: Part):
void {
  Atomics.add(words, INSIDE, 1);
  try {
    if (Atomics.load(words, STOP)) return;
    const x = new WebAssembly.Instance(module, { env: { memory },
      nigh: { callback: () => NIGH_E_CORRUPT } }).exports as unknown as Exports &
      { __stack_pointer: WebAssembly.Global };
    x.__stack_pointer.value = stack;
    const state = (progress + nigh_progress.state) >>> 2;
    const view = new Uint32Array(memory.buffer);
    for (;;) {
      const seen = Atomics.load(words, EPOCH);
      if (Atomics.load(words, STOP)) return;
      const status = x.nigh_job_run(job, session, progress);
      if (view[state] !== NIGH_JOB_WAIT) {
        Atomics.add(words, TASKS + number, 1);
        tell(words);
      }
      if (view[state] === NIGH_JOB_DONE) return; // a failure that ends the work is told to all
      if (status !== NIGH_OK) {
        Atomics.compareExchange(words, STATUS, NIGH_OK, status);
        return;
      }
      if (view[state] === NIGH_JOB_WAIT) sleep(words, seen, LONG);
    }
  } catch { // the module stopped in the middle of a call
    Atomics.store(words, STATUS, NIGH_E_CORRUPT);
  } finally {
    Atomics.sub(words, INSIDE, 1);
    Atomics.notify(words, INSIDE);
    tell(words);
  }
}
