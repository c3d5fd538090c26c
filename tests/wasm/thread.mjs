// thread.mjs - another thread on the memory of a module's instance: it runs tasks of a job
// SPDX-License-Identifier: MIT OR Apache-2.0
import { parentPort, workerData } from 'node:worker_threads';
import { C, Host } from './host.mjs';

const { module, memory, stack, job, session, progress, ready, count } = workerData;
const host = new Host(module, memory);
host.x.__stack_pointer.value = stack;
const ints = new Int32Array(memory.buffer);
const words = new Uint32Array(memory.buffer, progress, 2);
Atomics.add(ints, ready >> 2, 1); // all begin together
Atomics.notify(ints, ready >> 2);
for (let n = 0; (n = Atomics.load(ints, ready >> 2)) < count;) Atomics.wait(ints, ready >> 2, n);
let tasks = 0;
let status = C.OK;
do {
  status = host.x.nigh_job_run(job, session, progress);
  if (words[1] === C.JOB_WAIT) Atomics.wait(ints, progress >> 2, words[0], 1);
  else tasks++;
} while (status === C.OK && words[1] !== C.JOB_DONE);
parentPort.postMessage({ status, tasks });
