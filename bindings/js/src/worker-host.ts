// worker-host.ts - a worker seen from outside: calls, their answers, its end
// SPDX-License-Identifier: MIT OR Apache-2.0
import { NIGH_E_CORRUPT, NIGH_E_INVALID, NIGH_E_UNSUPPORTED } from './abi.js';
import { fail, NighError } from './errors.js';
import { type Ask, NUMBERS, type Tell } from './worker-table.js';

/** A worker of browsers or of node:worker_threads, or a port to one. */
export interface WorkerLike { postMessage(message: unknown, transfer?: any): void }

export interface HostOptions {
  /** A worker of yours that imports `nigh/worker-main`, or the address of that file. Default: the
   * package's own, as `new Worker(new URL(...), { type: 'module' })`, which bundlers know. */
  worker?: WorkerLike | URL | string;
  /** Most threads of a job, 1 to 64; default: one for each processor. Where memory cannot be
   * shared it is 1: it can in Node, and where a page is cross-origin isolated. */
  threads?: number;
  /** The module to use: nigh-mt.wasm for threads. Default: the file beside the worker's. */
  module?: WebAssembly.Module | ArrayBuffer | ArrayBufferView | URL | string;
  /** The address of `nigh/worker-thread`, which the other threads run. Default: the file beside. */
  thread?: URL | string;
}

/** What a call may have beside its arguments. */
export interface Extras {
  made?: number;
  threads?: number;
  signal?: AbortSignal;
  onProgress?: (done: number, total: number) => void;
  transfer?: Transferable[];
}

interface Pending {
  resolve(value: unknown): void;
  reject(error: unknown): void;
  onProgress?: (done: number, total: number) => void;
}

/** Events of both kinds of workers, and of ports. */
interface Events {
  postMessage(message: unknown, transfer: Transferable[]): void;
  addEventListener?(type: string, listener: (event: any) => void): void;
  on?(type: string, listener: (value: any) => void): void;
  start?(): void;
  terminate?(): unknown;
  ref?(): void;
  unref?(): void;
}

/** Answers that a worker of Node owes, to any host: until they are there it keeps the program. */
const owed = new WeakMap<Events, number>();

function owe(worker: Events, more: number): void {
  const count = (owed.get(worker) ?? 0) + more;
  owed.set(worker, count);
  if (count > 0) worker.ref?.();
  else worker.unref?.();
}

let spawn: (url?: URL | string) => WorkerLike;

/** The entry's way to start a worker. */
export function provideWorker(start: (url?: URL | string) => WorkerLike): void {
  spawn = start;
}

/** Addresses mean here what they mean to the page, not to the worker. */
export const absolute = (url: URL | string): string =>
  (url instanceof URL ? url : new URL(url, globalThis.location?.href)).href;

/** A worker with indexes. `Index.create` and `Index.open` start one for all when they are not told
 * another. */
export class Host {
  private readonly pending = new Map<number, Pending>();
  private readonly worker: Events;
  private readonly own: boolean;
  private readonly begin: Ask;
  private readonly first = NUMBERS * (1 + Math.floor(Math.random() * 2 ** 20));
  private numbers = this.first;
  private gone: NighError | undefined;
  private most = 1;

  /** Settles when the worker has begun, or could not. */
  readonly ready: Promise<void>;

  constructor({ worker, threads, module, thread }: HostOptions = {}) {
    if (threads !== undefined && !(Number.isInteger(threads) && threads > 0 && threads <= 64)) {
      fail(NIGH_E_INVALID, `threads ${threads}, expected an integer from 1 to 64`);
    }
    this.own = !worker || typeof worker === 'string' || worker instanceof URL;
    this.worker = (this.own ? spawn(worker as URL | string | undefined) : worker) as Events;
    this.listen();
    const from = typeof module === 'string' || module instanceof URL ? absolute(module) : module;
    this.begin = { nigh: 'begin', threads, module: from, thread: thread && absolute(thread) };
    this.ready = this.expect(0, {}, this.begin).then(() => undefined);
    this.ready.catch(() => undefined); // every call says so
  }

  /** Threads that a job may have; 1 until the worker has begun. */
  get threads(): number { return this.most; }

  /** Ends the worker, and with it all of its indexes; calls under way are rejected. A worker of
   * yours goes on, without these indexes. */
  terminate(): void {
    this.die(new NighError(NIGH_E_INVALID, 'the worker was terminated'));
  }

  // ---- Calls -------------------------------------------------------------------------------------

  /** A number for what the worker is to have. @internal */
  _number(): number { return ++this.numbers; }

  /** @internal */
  async _call(on: number, name: string, args: unknown[], extras: Extras = {}): Promise<any> {
    const { made, threads, signal, onProgress, transfer } = extras;
    signal?.throwIfAborted();
    const id = this._number();
    const answer = this.expect(id, { onProgress }, { nigh: 'call', id, on, name, args, made,
      threads, progress: onProgress && true }, transfer);
    if (!signal) return answer;
    let aborted = false;
    const abort = () => {
      aborted = true;
      this._tell({ nigh: 'abort', id });
    };
    signal.addEventListener('abort', abort);
    try {
      return await answer;
    } catch (error) {
      throw aborted && !(error instanceof NighError) ? signal.reason : error;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  /** @internal */
  _tell(ask: Ask, transfer: Transferable[] = []): void {
    if (!this.gone) this.worker.postMessage(ask, transfer);
  }

  private expect(id: number, more: Pick<Pending, 'onProgress'>, ask: Ask,
    transfer?: Transferable[]): Promise<unknown> {
    if (this.gone) return Promise.reject(this.gone);
    return new Promise((resolve, reject) => {
      try {
        this._tell(ask, transfer);
      } catch (error) { // DataCloneError
        fail(NIGH_E_INVALID, `what cannot cross to a worker: ${(error as Error).message}`);
      }
      this.pending.set(id, { resolve, reject, ...more });
      owe(this.worker, 1);
    });
  }

  // ---- Answers -----------------------------------------------------------------------------------

  private hear(tell: Tell): void {
    if (typeof tell?.nigh !== 'string') return;
    if (tell.nigh === 'here') {
      this._tell(this.begin);
      return;
    }
    const id = tell.nigh === 'ready' ? 0 : tell.id;
    const pending = this.pending.get(id);
    if (!pending) return;
    if (tell.nigh === 'progress') {
      this.progress(pending, tell);
      return;
    }
    this.pending.delete(id);
    owe(this.worker, -1);
    if (tell.nigh === 'failed') {
      const { error, status, done } = tell;
      const made = status === undefined ? error : new NighError(status, String(error), done);
      pending.reject(made);
      if (id === 0) this.die(new NighError(NIGH_E_UNSUPPORTED, `no worker: ${String(error)}`));
      return;
    }
    if (tell.nigh === 'ready') this.most = tell.threads;
    pending.resolve(tell.nigh === 'done' ? tell.value : undefined);
  }

  /** An exception of the caller's function ends the job. */
  private progress(pending: Pending, { id, done, total }: Extract<Tell, { nigh: 'progress' }>): void {
    try {
      pending.onProgress?.(done, total);
    } catch (error) {
      pending.onProgress = undefined;
      this._tell({ nigh: 'abort', id });
      const { reject } = pending;
      pending.resolve = pending.reject = () => reject(error);
    }
  }

  /** A worker that did not begin, or ended, answers nothing any more. */
  private listen(): void {
    const { worker } = this;
    const dead = (what: unknown) => this.die(new NighError(NIGH_E_CORRUPT,
      `the worker has ended, and its indexes with it: ${what instanceof Error ? what.message
        : String(what)}`));
    if (worker.on) {
      worker.on('message', (data) => this.hear(data));
      worker.on('error', dead);
      worker.on('exit', (code) => dead(`exit ${code}`));
      worker.on('close', () => dead('its port was closed'));
      owe(worker, 0);
      return;
    }
    worker.addEventListener!('message', ({ data }) => this.hear(data));
    // A script of somebody else's may fail in other ways than this one.
    worker.addEventListener!('error', ({ message }) => {
      if (this.own || this.pending.has(0)) dead(message ?? 'its script was not loaded');
    });
    worker.start?.();
  }

  private die(why: NighError): void {
    if (this.gone) return;
    this._tell({ nigh: 'end', from: this.first });
    this.gone = why;
    if (this.own) this.worker.terminate?.();
    for (const { reject } of this.pending.values()) reject(why);
    owe(this.worker, -this.pending.size);
    this.pending.clear();
  }
}
if (Symbol.dispose) {
  Object.defineProperty(Host.prototype, Symbol.dispose,
    { value: Host.prototype.terminate, configurable: true, writable: true });
}

let usual: Host | undefined;

/** The one for all who name none; another one when it has ended. */
export function usualHost(): Host {
  if (!usual || usual['gone']) usual = new Host();
  return usual;
}
