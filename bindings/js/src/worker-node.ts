// worker-node.ts - nigh/worker for Node: worker_threads
// SPDX-License-Identifier: MIT OR Apache-2.0
import { Worker } from 'node:worker_threads';
import { provideWorker } from './worker-host.js';

export { NighError } from './errors.js';
export { Host } from './worker-host.js';
export { Allowed, Index } from './worker-client.js';

// Programs given to `node -e` say what they are by a flag that files do not take.
const flags = process.execArgv.some((flag) => flag.startsWith('--input-type')) ? { execArgv: [] } : {};

provideWorker((url = new URL('./worker-main-node.js', import.meta.url)) =>
  new Worker(typeof url === 'string' && URL.canParse(url) ? new URL(url) : url, flags));
