// worker-main-node.ts - worker-main.ts for Node
// SPDX-License-Identifier: MIT OR Apache-2.0
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { parentPort, Worker } from 'node:worker_threads';
import { _hasSimd } from './api.js';
import { serve } from './worker-serve.js';

const port = parentPort!;
const hear = serve({
  post: (tell, transfer) => port.postMessage(tell, transfer as never),
  module: (threads) => readFile(threads ? new URL('./nigh-mt.wasm', import.meta.url)
    : _hasSimd() ? new URL('./nigh.wasm', import.meta.url)
      : new URL('./nigh-plain.wasm', import.meta.url)),
  processors: () => (_hasSimd() ? availableParallelism() : 0),
  thread(script) {
    const worker = new Worker(script ? new URL(script)
      : new URL('./worker-thread-node.js', import.meta.url));
    worker.on('error', () => undefined); // it takes no part, then
    worker.unref();
    return { post: (part) => worker.postMessage(part), end: () => { worker.terminate(); } };
  },
});
port.on('message', hear);
port.postMessage({ nigh: 'here' });
