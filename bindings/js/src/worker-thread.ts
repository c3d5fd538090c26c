// worker-thread.ts - another thread of a worker: runs parts of its jobs
// SPDX-License-Identifier: MIT OR Apache-2.0
import { type Part, runPart } from './part.js';

globalThis.addEventListener('message', ({ data }: MessageEvent<Part>) => runPart(data));
