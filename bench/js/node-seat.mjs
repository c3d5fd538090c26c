// node-seat.mjs - a contender in a process of Node; answers messages, measures its processor time
// SPDX-License-Identifier: MIT OR Apache-2.0
// argument: what env's first folders are, as JSON
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Seat } from './seat.mjs';

const folders = JSON.parse(process.argv[2]);
const place = (path) => {
  const [first, ...rest] = path.split('/');
  return join(folders[first], ...rest);
};
const seat = new Seat({
  page: false,
  load: (path) => import(pathToFileURL(place(path)).href),
  bytes: (path) => readFile(place(path)),
});

process.on('message', async ({ call, args }) => {
  const cpu = process.cpuUsage();
  const began = performance.now();
  try {
    const value = await seat[call](...args);
    const { user, system } = process.cpuUsage(cpu);
    process.send({ value, cpu: (user + system) / 1e6, wall: (performance.now() - began) / 1e3 });
  } catch (error) {
    process.send({ error: String(error.message ?? error) });
  }
});
