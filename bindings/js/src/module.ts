// module.ts - the WebAssembly modules, compiled once and instantiated for each index
// SPDX-License-Identifier: MIT OR Apache-2.0
//
// There are two: a small one, which can what most indexes want, and the whole one, which is loaded
// with the rest of the class (more.ts) when something needs it. Which bytes they have is the entry's
// business (index.ts, slim.ts): each provides them. An instance takes about 0.3 ms and 34 KB in V8,
// so every index has its own: a module's memory never shrinks, and an index that is dropped gives all
// of its memory back. Chromium has room for some 120 memories a process.
import { NIGH_E_UNSUPPORTED } from './abi.js';
import { fail } from './errors.js';
import { more } from './rest.js';

/** Where the module may come from. */
export type ModuleSource = WebAssembly.Module | BufferSource | Response | URL | string;
type Provider = () => Promise<ModuleSource>;

let module: WebAssembly.Module | undefined;
let providers: [Provider, Provider] | undefined; // small, whole
const loading: (Promise<void> | undefined)[] = [];

/** A function with one instruction of SIMD128. */
const PROBE = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0,
  65, 0, 253, 15, 253, 98, 11];

export const hasSimd = (): boolean => WebAssembly.validate(new Uint8Array(PROBE));

/** The entry's ways to the modules, unless load() is told another. The first ones stay. */
export function provide(small: Provider, whole: Provider): void {
  providers ??= [small, whole];
}

/** What is whole needs no other. */
export function provideWhole(whole: Provider): void {
  providers = [whole, whole];
}

async function compile(source: ModuleSource): Promise<WebAssembly.Module> {
  if (source instanceof WebAssembly.Module) return source;
  if (typeof source === 'string' || source instanceof URL) source = await fetch(source);
  if (typeof Response === 'function' && source instanceof Response) {
    if (!source.ok) fail(NIGH_E_UNSUPPORTED, `the module: ${source.status} ${source.statusText}`);
    // Not compileStreaming, which refuses what a server that does not know .wasm sends.
    source = await source.arrayBuffer();
  }
  return WebAssembly.compile(source as BufferSource);
}

/** Whether what there is can do everything. */
export const isWhole = (): boolean => module !== undefined &&
  WebAssembly.Module.exports(module).some(({ name }) => name === 'nigh_job_run');

/**
 * Compiles the module, once: `Index.create` and `Index.open` do so by themselves. Needed where a
 * module must come from elsewhere (a compiled WebAssembly.Module in Cloudflare Workers), and before
 * `Index.createSync`. 'full': all of the package, before those calls that do not wait for it.
 */
export function load(source?: ModuleSource | PromiseLike<ModuleSource>): Promise<void> {
  const whole = source === 'full' || (!source && providers?.[0] === providers?.[1]);
  const from = () => (whole || !source ? (providers ?? needs("import 'nigh'"))[+whole]!() : source);
  const done = loading[+whole] ??= (async () => {
    if (whole) await loadMore();
    if (whole ? !isWhole() : !module) module = await compile(await from());
  })();
  done.catch(() => { loading[+whole] = undefined; }); // a network may be back later
  return done;
}

/** The rest of the class. */
export const loadMore = async (): Promise<unknown> => more.shape ?? import('./more.js');

/** For entries that have the bytes of the whole module at once. */
export function loadSync(bytes: () => BufferSource): void {
  if (!isWhole()) module = new WebAssembly.Module(bytes());
}

/** What indexes are made with from now on; what they were made with before. */
export function use(other?: WebAssembly.Module): WebAssembly.Module | undefined {
  const before = module;
  module = other;
  return before;
}

export function needs(what: string): never {
  fail(NIGH_E_UNSUPPORTED, what + ": await load('full') or import 'nigh/full' before");
}

export function compiled(): WebAssembly.Module {
  return module ?? fail(NIGH_E_UNSUPPORTED, 'the module is not there yet: await load() before');
}
