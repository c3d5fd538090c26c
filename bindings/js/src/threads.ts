// threads.ts - other workers that run tasks of a job, on the memory of its index
// SPDX-License-Identifier: MIT OR Apache-2.0
//
// A job hands out its tasks itself (nigh_job_run), and its bytes do not depend on who ran what. What
// is left to do here: sessions and stacks for the others, waking those who wait when a task has
// ended, and to be sure that nobody is inside when the job ends. The words for that are not in the
// index's memory: a worker that starts late looks at them after that has been given back.
import { NIGH_E_CORRUPT, NIGH_JOB_DONE, NIGH_JOB_WAIT, nigh_progress } from './abi.js';
import type { Handle } from './handle.js';
import type { Crew, Team } from './jobs.js';
import { EPOCH, INSIDE, LONG, type Part, sleep, STATUS, STOP, TASKS, tell } from './part.js';
import { DISTANCE, FETCH } from './wasm.js';

const STACK = 65536;
const EF_MIN = 512;
const SOON = 10; // milliseconds that a job takes before others are called
const PATIENCE = 4; // that a thread waits with messages to answer

/** A worker that does what a Part says whenever it gets one. */
export interface Thread { post(part: Part): void; end(): void }

class SharedJob implements Team {
  private readonly words: Int32Array;
  private readonly own: number[] = []; // memory to be given back
  private readonly began = performance.now();
  private seen = 0;
  private called = false;

  constructor(private readonly h: Handle, private readonly job: number,
    private readonly ef: number, private readonly module: WebAssembly.Module,
    private readonly threads: Thread[], private readonly done: (tasks: number[]) => void) {
    this.words = new Int32Array(new SharedArrayBuffer(4 * (TASKS + 1 + threads.length)));
  }

  ran(state: number): number {
    const { words } = this;
    if (state === NIGH_JOB_WAIT) {
      sleep(words, this.seen, PATIENCE);
    } else {
      words[TASKS]!++;
      tell(words);
    }
    if (!this.called && state !== NIGH_JOB_DONE && performance.now() - this.began > SOON) {
      this.call();
    }
    this.seen = Atomics.load(words, EPOCH);
    const status = Atomics.load(words, STATUS);
    if (status === NIGH_E_CORRUPT) this.h.stop();
    return status;
  }

  /** What takes no time is done before anybody has woken up. */
  private call(): void {
    const { h, words } = this;
    this.called = true;
    this.threads.forEach((thread, i) => {
      const stack = h.alloc(STACK + 64);
      this.own.push(stack);
      const session = h.newSession(Math.max(EF_MIN, this.ef));
      this.own.push(session.memory);
      const progress = stack + STACK;
      h.u8.fill(0, progress, progress + nigh_progress.size);
      h.u32[progress >>> 2] = nigh_progress.size;
      thread.post({ module: this.module, memory: h.x.memory, words, number: i + 1, job: this.job,
        session: session.at, progress, stack: stack + STACK });
    });
  }

  leave(): void {
    const { h, words } = this;
    Atomics.store(words, STOP, 1);
    tell(words);
    for (let inside = 0; (inside = Atomics.load(words, INSIDE)) > 0;) {
      if (Atomics.wait(words, INSIDE, inside, LONG) !== 'timed-out') continue;
      h.stop();
      break;
    }
    this.done([...words.subarray(TASKS)]);
    if (!h.stopped) h.run(() => this.own.forEach((memory) => h.x.nighw_free(memory)));
  }
}

/** The threads of a worker, which start when a job first wants them and end when none does for a
 * while: what they hold of an index's memory goes with them. */
export class Threads {
  private readonly list: Thread[] = [];
  private jobs = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly module: WebAssembly.Module,
    /** How many there may be, that of the index among them. */
    readonly count: number,
    private readonly start: () => Thread, private readonly idle = 5000) {}

  /** For a job that at most so many threads are to run; `done` gets the tasks that each ran. */
  crew(wanted: number, done: (tasks: number[]) => void): Crew {
    return { join: (h, job, ef) => {
      const others = Math.min(wanted, this.count) - 1;
      // What the module calls back is here, not there.
      if (others < 1 || h.calls[FETCH] || h.calls[DISTANCE] ||
        !(h.x.memory.buffer instanceof SharedArrayBuffer)) return undefined;
      clearTimeout(this.timer);
      this.jobs++;
      const handles = Array.from({ length: others }, (_, i): Thread => ({
        post: (part) => (this.list[i] ??= this.start()).post(part),
        end: () => undefined,
      }));
      return new SharedJob(h, job, ef, this.module, handles, (tasks) => {
        done(tasks);
        if (--this.jobs === 0) this.rest();
      });
    } };
  }

  private rest(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.end(), this.idle);
    (this.timer as { unref?: () => void }).unref?.();
  }

  end(): void {
    for (const thread of this.list.splice(0)) thread.end();
  }
}
