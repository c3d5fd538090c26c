// worker-main.ts - what a worker of nigh/worker runs
// SPDX-License-Identifier: MIT OR Apache-2.0
import { _hasSimd } from './api.js';
import { serve } from './worker-serve.js';

/** Of a dedicated worker; the library for it and that for pages exclude each other. */
interface Scope {
  postMessage(message: unknown, transfer: Transferable[]): void;
  addEventListener(type: 'message', listener: (event: MessageEvent) => void): void;
}
const scope = globalThis as unknown as Scope;

const hear = serve({
  post: (tell, transfer) => scope.postMessage(tell, transfer),
  // Literals: bundlers look for exactly this.
  module: (threads) => (threads ? new URL('./nigh-mt.wasm', import.meta.url)
    : _hasSimd() ? new URL('./nigh.wasm', import.meta.url)
      : new URL('./nigh-plain.wasm', import.meta.url)),
  processors: () => (globalThis.crossOriginIsolated && _hasSimd()
    ? navigator.hardwareConcurrency || 1 : 0),
  thread(script) {
    const worker = script ? new Worker(script, { type: 'module' })
      : new Worker(new URL('./worker-thread.js', import.meta.url), { type: 'module' });
    worker.addEventListener('error', (event) => event.preventDefault()); // it takes no part, then
    return { post: (part) => worker.postMessage(part), end: () => worker.terminate() };
  },
});
scope.addEventListener('message', ({ data }) => hear(data));
scope.postMessage({ nigh: 'here' }, []);
