// worker-serve.ts - in a worker: indexes, for whoever sends messages
// SPDX-License-Identifier: MIT OR Apache-2.0
import './more.js'; // all of the class: the module that is loaded is whole
import { Allowed, type Effort, Index, load, type ModuleSource, NighError } from './api.js';
import { NIGH_E_INVALID } from './abi.js';
import type { JobOptions } from './jobs.js';
import { forThreads, memoryFor } from './shared.js';
import { type Thread, Threads } from './threads.js';
import { type Ask, type Kept, NUMBERS, type Page, type Tell, WAYS,
  type Way } from './worker-table.js';

/** What a worker has of its own: browsers and Node differ. */
export interface Place {
  post(tell: Tell, transfer: Transferable[]): void;
  /** Where the module is: for threads, or not. */
  module(threads: boolean): ModuleSource | Promise<ModuleSource>;
  /** How many there are; 0: memory cannot be shared. */
  processors(): number;
  thread(script?: string): Thread;
}

type Call = Extract<Ask, { nigh: 'call' }>;
type Walk = Iterator<unknown>;
type Members = Record<string, (...args: unknown[]) => unknown>;
const PAGE_MAX = 4096;

/** Buffers of an answer, which nobody else has. */
function buffers(value: unknown, depth = 2): Transferable[] {
  if (ArrayBuffer.isView(value)) return value.buffer instanceof ArrayBuffer ? [value.buffer] : [];
  return depth > 0 && value && typeof value === 'object' && !Array.isArray(value)
    ? Object.values(value).flatMap((part) => buffers(part, depth - 1)) : [];
}

class Served {
  private readonly things = new Map<number, unknown>();
  private readonly jobs = new Map<number, AbortController>();
  private readonly used = new WeakMap<object, number>(); // threads of an index's last job
  private threads: Threads | undefined;
  private ready: Promise<void> | undefined;

  constructor(private readonly place: Place) {}

  /** Messages are looked at in the order in which they come; what needs no waiting is done at once,
   * so that calls take effect in the order in which they were made. */
  hear(ask: Ask): void {
    switch (ask?.nigh) {
      case 'begin':
        this.ready ??= this.begin(ask);
        this.ready.then(() => this.place.post(
          { nigh: 'ready', threads: this.threads?.count ?? 1 }, []), (error) => this.failed(0, error));
        break;
      case 'call':
        this.answer(ask);
        break;
      case 'abort':
        this.jobs.get(ask.id)?.abort();
        break;
      case 'drop':
        this.drop(ask.on);
        break;
      case 'end':
        for (const number of [...this.things.keys()]) {
          if (number >= ask.from && number < ask.from + NUMBERS) this.drop(number);
        }
        if (this.things.size === 0) this.threads?.end();
    }
  }

  private async begin({ threads, module, thread }: Extract<Ask, { nigh: 'begin' }>): Promise<void> {
    const processors = this.place.processors();
    const count = processors > 0 ? threads ?? processors : 1;
    const compiled = module ? await compile(module as ModuleSource)
      : count > 1 ? await this.shared() : undefined;
    if (compiled && forThreads(compiled) && count > 1) {
      this.threads = new Threads(compiled, count, () => this.place.thread(thread));
    }
    await load(compiled ?? await this.place.module(false));
  }

  /** The module for threads; without it there is one thread. */
  private async shared(): Promise<WebAssembly.Module | undefined> {
    try {
      const module = await compile(await this.place.module(true));
      memoryFor(module);
      return module;
    } catch {
      return undefined;
    }
  }

  private drop(number: number): void {
    const thing = this.things.get(number);
    this.things.delete(number);
    if (thing instanceof Index) quietly(() => thing.dispose());
    else (thing as Walk | undefined)?.return?.();
  }

  private failed(id: number, error: unknown): void {
    const { place } = this;
    if (error instanceof NighError) {
      const { status, done, message } = error;
      place.post({ nigh: 'failed', id, error: message, status, done }, []);
      return;
    }
    try {
      place.post({ nigh: 'failed', id, error }, []);
    } catch { // not to be cloned
      place.post({ nigh: 'failed', id, error: new Error(String(error)) }, []);
    }
  }

  private async answer(call: Call): Promise<void> {
    try {
      const value = call.on === 0 ? await this.make(call)
        : await this.perform(call, this.thing(call.on));
      this.place.post({ nigh: 'done', id: call.id, value }, buffers(value));
    } catch (error) {
      this.failed(call.id, error);
    } finally {
      this.jobs.delete(call.id);
    }
  }

  private thing(number: number): unknown {
    return this.things.get(number) ?? failed('the index was disposed of');
  }

  /** A new index: create, open, readHnswlib. */
  private async make({ name, args, made }: Call): Promise<void> {
    await this.ready;
    this.things.set(made!, await (Index as unknown as Members)[name]!(...args));
  }

  private perform(call: Call, thing: unknown): unknown {
    const { name, args } = call;
    if (!(thing instanceof Index)) return page(thing as Walk, args[0] as number);
    if (name === 'threads') return this.used.get(thing) ?? 1;
    const index = thing as unknown as Members & Index;
    const way: Way | undefined = Object.hasOwn(WAYS, name) ? WAYS[name as keyof typeof WAYS]
      : undefined;
    switch (way) {
      case 'call':
      case 'rows':
        return index[name]!(...args);
      case 'get':
        return index[name];
      case 'job':
        return this.work(call, index);
      case 'search':
        return index[name]!(args[0], this.filtered(args[1]));
      case 'into':
        return into(index, name, args[0], this.filtered(args[2]), args[1] as Into);
      case 'walk': {
        const walk = index[name]!(args[0], name === 'nearest' && this.filtered(args[1])) as Walk;
        this.things.set(call.made!, walk);
        return undefined;
      }
      case 'allow':
        this.things.set(call.made!, index[name]!(args[0]));
        return undefined;
      case 'dispose':
        this.things.delete(call.on);
        return index.dispose();
      default:
        return failed(`no method ${name}`);
    }
  }

  /** Options of a search with the filter that they name. */
  private filtered(options: unknown = {}): Effort {
    const { filter } = options as { filter?: Kept };
    const kept = (filter as Kept | undefined)?.kept;
    if (kept === undefined) return options as Effort;
    const allowed = this.things.get(kept);
    if (!(allowed instanceof Allowed)) failed('the filter was dropped');
    return { ...options as object, filter: allowed } as Effort;
  }

  private work({ id, name, args, progress, threads = Infinity }: Call,
    index: Members & Index): unknown {
    const controller = new AbortController();
    this.jobs.set(id, controller);
    const crew = this.threads?.crew(threads, (tasks) => {
      this.used.set(index, tasks.filter((count) => count > 0).length);
    });
    this.used.delete(index);
    const options: JobOptions = {
      ...args.pop() as object,
      signal: controller.signal,
      ...(crew && { _crew: crew }),
      ...(progress && { onProgress: (done: number, total: number) => {
        this.place.post({ nigh: 'progress', id, done, total }, []);
      } }),
    };
    return index[name]!(...args, options);
  }
}

/** Which arrays are wanted, and how many neighbours. */
interface Into { k: number; keys: boolean; distances: boolean; slots: boolean }

/** searchInto and searchBatchInto, into arrays that travel back. */
function into(index: Members, name: string, queries: unknown, options: Effort, room: Into): unknown {
  const found: number[] = [];
  const keys: unknown[] | undefined = room.keys ? [] : undefined;
  const distances: number[] | undefined = room.distances ? [] : undefined;
  const slots: number[] | undefined = room.slots ? [] : undefined;
  const count = index[name]!(queries, { found, keys, distances, slots },
    { ...options, k: room.k }) as number;
  return { count, keys, found: Uint32Array.from(found),
    distances: distances && Float32Array.from(distances), slots: slots && Uint32Array.from(slots) };
}

function page(walk: Walk, count: number): Page {
  const values: unknown[] = [];
  while (values.length < Math.min(count, PAGE_MAX)) {
    const { value, done } = walk.next();
    if (done) return { values, end: true };
    values.push(value);
  }
  return { values, end: false };
}

function failed(what: string): never {
  throw new NighError(NIGH_E_INVALID, what);
}

function quietly(body: () => void): void {
  try {
    body();
  } catch {
    // Nobody waits for an answer.
  }
}

async function compile(source: ModuleSource): Promise<WebAssembly.Module> {
  if (source instanceof WebAssembly.Module) return source;
  const from = typeof source === 'string' || source instanceof URL ? await fetch(source) : source;
  return WebAssembly.compile(from instanceof Response ? await from.arrayBuffer() : from);
}

/** What hears messages; each asker has indexes of its own. */
export function serve(place: Place): (ask: Ask) => void {
  const served = new Served(place);
  return (ask) => served.hear(ask);
}
