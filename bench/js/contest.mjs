// contest.mjs - the contenders on one set in one host: builds, recalls, rounds
// SPDX-License-Identifier: MIT OR Apache-2.0
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { around, atRecall, median, recall } from './figures.mjs';
import { K } from './terms.mjs';

export const LEVEL = 0.95;
const PASS_SECONDS = 0.25; // of one measurement, at least about

export const say = (text) => process.stderr.write(`${text}\n`);

/** Sits down and builds. */
async function enter(host, set, contender) {
  const seat = await host.seat();
  try {
    const { value: { openMs } } = await seat.ask('sit', contender, set);
    const { cpu, wall } = await seat.ask('build');
    const { value: memory } = await seat.ask('settle');
    say(`    ${contender.name}: built in ${cpu.toFixed(1)} s`);
    return { seat, openMs, memory, build: { cpu, wall } };
  } catch (error) {
    await seat.close();
    throw error;
  }
}

/** Work on a list, on so many at once. */
async function lanes(count, list, work) {
  const waiting = [...list];
  await Promise.all(Array.from({ length: count }, async () => {
    for (let one = waiting.shift(); one; one = waiting.shift()) await work(one);
  }));
}

/** The efforts between which the level lies, with their recalls. */
async function probe(one, truth) {
  const tried = [];
  for (const effort of one.efforts) {
    const { value } = await one.seat.ask('answers', effort);
    tried.push({ effort, recall: recall(value, truth, K), seconds: [] });
    if (tried.at(-1).recall >= LEVEL) break;
  }
  one.points = around(tried.map((point) => point.recall), LEVEL).map((at) => tried[at]);
}

/** Once more at each effort; how often a measurement asks is found out before the first. */
async function round(one, queries) {
  for (const point of one.points) {
    if (point.passes === undefined) {
      const { cpu } = await one.seat.ask('pass', point.effort, 2);
      point.passes = Math.max(1, Math.ceil(PASS_SECONDS / (cpu / 2 || 1e-3)));
    }
    const { cpu } = await one.seat.ask('pass', point.effort, point.passes);
    point.seconds.push(cpu / (point.passes * queries));
  }
}

function shuffled(list, seed) {
  const order = [...list];
  let state = seed * 2654435761 >>> 0;
  for (let i = order.length - 1; i > 0; i--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const other = Math.floor(state / 2 ** 32 * (i + 1));
    [order[i], order[other]] = [order[other], order[i]];
  }
  return order;
}

/** What each contender came to, and why the others are missing. Builds run in so many lanes. */
export async function contest(host, set, contenders, folder, { rounds, lanes: count }) {
  const truth = new Int32Array(Uint8Array.from(
    readFileSync(join(folder, `${set.name}.truth`))).buffer);
  const there = [];
  const missing = [];
  const leave = (one, error) => {
    say(`    ${one.name} leaves: ${error.message}`);
    missing.push({ name: one.name, why: error.message.split('\n')[0] });
    if (there.includes(one)) there.splice(there.indexOf(one), 1);
  };
  const each = async (work, list = [...there]) => {
    for (const one of list) await work(one).catch((error) => leave(one, error));
  };
  say(`  ${set.title}`);
  const seats = new Map();
  const builders = contenders.filter(({ index }) => !index).reverse(); // the longest first
  await lanes(count, builders, (one) => enter(host, set, one)
    .then((seat) => { seats.set(one.name, seat); }, (error) => leave(one, error)));
  for (const one of contenders) {
    const seat = seats.get(one.index ?? one.name);
    if (seat) there.push({ ...one, ...seat });
  }
  await each((one) => probe(one, truth));
  for (let number = 1; number <= rounds; number++) {
    say(`    round ${number} of ${rounds}`);
    await each((one) => round(one, truth.length / K), shuffled(there, number));
  }
  const results = there.map(({ seat: _, efforts, ...one }) => {
    const points = one.points.map((point) => ({ ...point, speed: 1 / median(point.seconds) }));
    return { ...one, points, speed: atRecall(points, LEVEL),
      reached: points.at(-1).recall >= LEVEL, bracketed: points[0].recall <= LEVEL };
  });
  for (const seat of new Set(there.map((one) => one.seat))) await seat.close();
  return { set, host: host.title, kind: host.kind, results, missing };
}
