// jobs.ts - long work in small steps: build, codes, refine, vacuum, root
// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The library cuts a job into tasks of at most some milliseconds. Here tasks run until the budget is
// spent; then whatever else waits in this thread has its turn. Between two steps the index is whole:
// searches may run, changes answer NIGH_E_BUSY.
import { NIGH_E_INVALID, NIGH_E_READ_ONLY, NIGH_JOB_BUILD, NIGH_JOB_CODES, NIGH_JOB_DONE,
  type nigh_job_options, NIGH_JOB_REFINE, NIGH_JOB_ROOT, NIGH_JOB_VACUUM, NIGH_KEYS_BYTES,
  NIGH_OK } from './abi.js';
import { CODES, choice, type Codes, uint } from './core.js';
import { fail } from './errors.js';
import type { Handle } from './handle.js';
import type { Key, Keys } from './keys.js';
import { get } from './layouts.js';
import type { Given } from './change.js';
import type { Vectors } from './rows.js';
import { Walk } from './walk.js';
import { type Fields, IN, IN2, lines } from './wasm.js';
import { statsOf, whole } from './whole.js';

/** nigh_job_options and nigh_progress. */
export const JOB = 'kind codes codeMin. codeMax. vectorStride ef alpha.';
export const PROGRESS = 'state done: total:';

const BUDGET = 8; // milliseconds
const PIECE_BYTES = 1 << 18; // of vectors that are copied between two looks at the clock

export interface JobOptions {
  /** Called between steps, and at the end. */
  onProgress?: (done: number, total: number) => void;
  /** Ends the job between two steps, with the signal's reason: the index is whole, what is in stays
   * in. */
  signal?: AbortSignal;
  /** Milliseconds of a step, default 8. One task may take some more. */
  budget?: number;
  /** Other threads to take part. @internal */
  _crew?: Crew;
}

/** Other threads that run tasks of a job, too; threads.ts has some. @internal */
export interface Crew {
  /** A job has begun. Undefined: nobody can take part. */
  join(h: Handle, job: number, ef: number): Team | undefined;
}

/** Those of one job. @internal */
export interface Team {
  /** This thread has run a task, or found none that was free and waits here for a moment. What
   * another one failed with, or NIGH_OK. */
  ran(state: number): number;
  /** When it returns, nobody runs a task any more. */
  leave(): void;
}

type Job = Partial<Fields<typeof nigh_job_options>>;

/** What a job uses of the module's memory, given back at its end. */
interface Work { at: number; memory: number; input: number; state: number; done: number;
  total: number; status: number; team?: Team }

/** Lets events, timers and painting have their turn. */
const turn = (): Promise<void> => new Promise((resolve) => {
  if (typeof setImmediate === 'function') {
    setImmediate(resolve);
    return;
  }
  const { port1, port2 } = new MessageChannel(); // timers wait for 4 ms
  port1.onmessage = () => {
    port1.close();
    resolve();
  };
  port2.postMessage(0);
});

export class Jobs<K extends Key> extends Walk<K> {
  /** Inserts many: an index built of the same keys and vectors has the same bytes on every machine,
   * and as `nigh build` makes it. Ends at the first key or vector that is refused, whose number is
   * the error's `done`; those before it are in. */
  async build(keys: Keys<K> | null, vectors?: Vectors, options: JobOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    const given = this._given(keys, vectors);
    if (!given.rows && !this._external) fail(NIGH_E_INVALID, 'vectors are missing');
    if (given.count === 0) return;
    const h = whole(this);
    if (!this.writable) fail(NIGH_E_READ_ONLY, 'the index is read-only');
    const { slotCapacity, slotCount, freeCount, keyBytes } = statsOf(h);
    this._grow(Math.max(slotCount - freeCount + given.count, slotCapacity),
      this._form.kind === NIGH_KEYS_BYTES ? keyBytes + given.keys!.bytes(0, given.count) : 0);
    await this._work({ kind: NIGH_JOB_BUILD }, options, given);
  }

  /** Makes codes of the vectors (or of 'none' drops them): smaller copies that searches use. */
  async makeCodes(codes: Codes, options: JobOptions & { min?: number; max?: number } = {}):
  Promise<void> {
    await this._work({ kind: NIGH_JOB_CODES, codes: choice(CODES, codes, 'codes'),
      codeMin: options.min ?? 0, codeMax: options.max ?? 0 }, options);
  }

  /** Chooses the links of the lowest layer anew, knowing all nodes: better searches. */
  async refine(options: JobOptions & { ef?: number; alpha?: number } = {}): Promise<void> {
    await this._work({ kind: NIGH_JOB_REFINE, ef: uint('ef', options.ef, 0, 65535),
      alpha: options.alpha ?? 0 }, options);
  }

  /** Takes removed keys out for good; their slots are free for others. */
  async vacuum(options: JobOptions = {}): Promise<void> {
    await this._work({ kind: NIGH_JOB_VACUUM }, options);
  }

  /** Prepares a graph that was read from a file of hnswlib for changes. */
  async root(options: JobOptions = {}): Promise<void> {
    await this._work({ kind: NIGH_JOB_ROOT }, options);
  }

  /** `root` at once. */
  rootSync(): void {
    const h = whole(this);
    const work = this._start(h, { kind: NIGH_JOB_ROOT });
    try {
      while (!this._step(h, work, Infinity, 0));
    } finally {
      this._finish(h, work, NIGH_JOB_ROOT);
    }
    h.run(() => h.ok(work.status, 'root'));
  }

  private async _work(job: Job, options: JobOptions, given?: Given): Promise<void> {
    const { signal, onProgress, budget = BUDGET, _crew: crew } = options;
    signal?.throwIfAborted();
    if (!(budget > 0)) fail(NIGH_E_INVALID, `budget ${budget}`);
    this._idle();
    const h = whole(this);
    this._job = true;
    let work: Work | undefined;
    try {
      const input = given && await this._input(h, given, budget, signal);
      work = this._start(h, job, given, input);
      work.team = crew?.join(h, work.at, job.ef ?? 0);
      while (!this._step(h, work, budget, job.ef ?? 0)) {
        onProgress?.(work.done, work.total);
        await turn();
        signal?.throwIfAborted();
        if (this._h !== h) this._open(); // disposed meanwhile
      }
    } finally {
      this._job = false;
      if (work) this._finish(h, work, job.kind!);
    }
    const { done, total, status } = work;
    if (status !== NIGH_OK) {
      h.run(() => h.ok(status, `job (number ${done})`, done));
    }
    onProgress?.(done, total);
  }

  /** Keys and vectors in the module's memory, copied in pieces; its address. */
  private async _input(h: Handle, { count, keys, rows }: Given, budget: number,
    signal?: AbortSignal): Promise<number> {
    const keyBytes = keys ? keys.bytes(0, count) + 4 * count : 0;
    const { rowBytes } = this._shape;
    const at = h.run(() => h.alloc(64 + keyBytes + (rows ? count * rowBytes : 0)));
    const first = lines(at + keyBytes);
    const step = Math.max(1, Math.floor(PIECE_BYTES / rowBytes));
    let began = performance.now();
    try {
      for (let from = 0; rows && from < count; from += step) {
        const to = Math.min(count, from + step);
        h.run(() => rows.put(h, first + from * rowBytes, from, to));
        if (performance.now() - began > budget) {
          await turn();
          signal?.throwIfAborted();
          this._open();
          began = performance.now();
        }
      }
    } catch (error) {
      if (!h.stopped) h.run(() => h.x.nighw_free(at));
      throw error;
    }
    return at;
  }

  private _start(h: Handle, job: Job, given?: Given, input = 0): Work {
    return h.run(() => {
      const { count = 0, keys, rows } = given ?? {};
      const place = keys && given ? keys.put(h, input, 0, count) : { keys: 0, lengths: 0 };
      const keyBytes = keys ? keys.bytes(0, count) + 4 * count : 0;
      const vectors = rows ? lines(input + keyBytes) : 0;
      const o = h.put(IN2, JOB, job);
      try {
        const made = h.made((out) => h.x.nigh_job_bytes(h.index, o, count, out),
          (memory, bytes, out) => h.x.nigh_job_begin(h.index, o, place.keys, place.lengths,
            vectors, count, memory, bytes, out));
        return { ...made, input, state: 0, done: 0, total: 0, status: NIGH_OK };
      } catch (error) {
        h.x.nighw_free(input);
        throw error;
      }
    });
  }

  /** Tasks for about so many milliseconds; whether the job is done, or one failed. */
  private _step(h: Handle, work: Work, budget: number, ef: number): boolean {
    return h.run(() => {
      const session = h.sessionFor(ef);
      const at = h.put(IN, PROGRESS, {});
      const end = performance.now() + budget;
      do {
        work.status = h.x.nigh_job_run(work.at, session, at);
        Object.assign(work, get(h, at, PROGRESS));
        work.status ||= work.team?.ran(work.state) ?? NIGH_OK;
        if (work.status !== NIGH_OK) return true;
      } while (work.state !== NIGH_JOB_DONE && performance.now() < end);
      return work.state === NIGH_JOB_DONE;
    });
  }

  private _finish(h: Handle, work: Work, kind: number): void {
    work.team?.leave();
    if (h.stopped) return;
    h.run(() => {
      h.x.nigh_job_end(work.at);
      h.x.nighw_free(work.input);
      if (kind === NIGH_JOB_CODES) h.dropSession(); // it has no room for the codes that there are now
      else h.x.nighw_free(work.memory);
    });
  }
}
