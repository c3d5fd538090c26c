// module.ts - the WebAssembly module, compiled once and instantiated for each index
// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Which bytes it has is the entry's business (index.ts, slim.ts): each provides them. An instance
// takes about 0.3 ms and 34 KB in V8, and there may be thousands, so every index has its own: a
// module's memory never shrinks, and an index that is dropped gives all of its memory back.
import { NIGH_E_UNSUPPORTED } from './abi.js';
import { fail } from './errors.js';

/** Where the module may come from. */
export type ModuleSource = WebAssembly.Module | BufferSource | Response | URL | string;

let module: WebAssembly.Module | undefined;
let loading: Promise<void> | undefined;
let provider: (() => Promise<ModuleSource>) | undefined;

/** A function with one instruction of SIMD128. */
const PROBE = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0,
  65, 0, 253, 15, 253, 98, 11];

export const hasSimd = (): boolean => WebAssembly.validate(new Uint8Array(PROBE));

/** The entry's way to the module, unless load() is told another. The first one stays. */
export function provide(source: () => Promise<ModuleSource>): void {
  provider ??= source;
}

async function compile(source: ModuleSource): Promise<WebAssembly.Module> {
  if (source instanceof WebAssembly.Module) return source;
  if (typeof source === 'string' || source instanceof URL) source = await fetch(source);
  if (typeof Response === 'function' && source instanceof Response) {
    if (!source.ok) fail(NIGH_E_UNSUPPORTED, `the module: ${source.status} ${source.statusText}`);
    // A server that does not know .wasm sends another type, which streaming refuses.
    if (source.headers.get('content-type') === 'application/wasm') {
      return WebAssembly.compileStreaming(source);
    }
    source = await source.arrayBuffer();
  }
  return WebAssembly.compile(source as BufferSource);
}

/**
 * Compiles the module, once: `Index.create` and `Index.open` do so by themselves. Needed where a
 * module must come from elsewhere (a compiled WebAssembly.Module in Cloudflare Workers), and before
 * `Index.createSync`.
 */
export function load(source?: ModuleSource | PromiseLike<ModuleSource>): Promise<void> {
  loading ??= (async () => {
    module ??= await compile(await (source ?? provider!()));
  })();
  loading.catch(() => { loading = undefined; }); // a network may be back later
  return loading;
}

/** For entries that have the bytes at once. */
export function loadSync(bytes: () => BufferSource): void {
  module ??= new WebAssembly.Module(bytes());
}

export function compiled(): WebAssembly.Module {
  return module ?? fail(NIGH_E_UNSUPPORTED, 'the module is not there yet: await load() before');
}
