// worker.ts - nigh/worker: indexes in a worker, so that nothing blocks the page
// SPDX-License-Identifier: MIT OR Apache-2.0
import { provideWorker } from './worker-host.js';

export { NighError } from './errors.js';
export { Host } from './worker-host.js';
export type { HostOptions, WorkerLike } from './worker-host.js';
export { Allowed, Index } from './worker-client.js';
export type { Moving, Where, WorkerJobOptions, WorkerSearchOptions } from './worker-client.js';

// The literal is what bundlers look for.
provideWorker((url) => (url ? new Worker(url, { type: 'module' })
  : new Worker(new URL('./worker-main.js', import.meta.url), { type: 'module' })));
