// worker-thread-node.ts - worker-thread.ts for Node
// SPDX-License-Identifier: MIT OR Apache-2.0
import { parentPort } from 'node:worker_threads';
import { runPart } from './part.js';

parentPort!.on('message', runPart);
