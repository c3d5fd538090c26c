#!/usr/bin/env node
// bench.mjs - the npm package and its peers on the same rows, in the same run, one thread each
// SPDX-License-Identifier: MIT OR Apache-2.0
//
// usage: bench.mjs [--hosts node,chromium] [--sets A,B] [--peers A,B] [--rounds N] [--lanes N]
//                  [--all] [--name NAME] [--out FOLDER]
//
// Sets are in sets.mjs, contenders in contenders.mjs (a name's beginning is enough). --lanes:
// builds at once, default 2. --all: contenders that are left out of sets that would take them
// minutes, too. Writes bench/results/DATE-js.md and .json after each set, so that a run that is
// ended leaves what it has.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ChromiumHost } from './chromium.mjs';
import { CONTENDERS } from './contenders.mjs';
import { contest, say } from './contest.mjs';
import { facts } from './machine.mjs';
import { NodeHost } from './node.mjs';
import { markdown } from './report.mjs';
import { prepare, SETS } from './sets.mjs';
import { stageHnswlib, stagePackage } from './stage.mjs';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const ROOT = join(HERE, '..', '..');
const OUT = join(ROOT, 'build', 'bench', 'js');
const FOLDERS = { bench: HERE, nigh: join(OUT, 'nigh'),
  packages: join(ROOT, '.cache', 'bench-js', 'node_modules'),
  build: OUT, sets: join(OUT, 'sets') };
const HOSTS = { node: async () => new NodeHost(FOLDERS),
  chromium: () => ChromiumHost.start(FOLDERS) };

/** Those of a list that are named. */
function named(all, text, what) {
  if (text === undefined) return all;
  return text.split(',').flatMap((name) => {
    const exact = all.filter((entry) => (entry.name ?? entry) === name);
    const found = exact.length > 0 ? exact
      : all.filter((entry) => (entry.name ?? entry).startsWith(name));
    if (found.length > 0) return found;
    say(`bench.mjs: no ${what} ${name}; there are ${all.map((e) => e.name ?? e).join(', ')}`);
    return process.exit(2);
  });
}

/** Contenders with the versions that are here; one that is not will say so when it is asked. */
function versions() {
  return CONTENDERS.map((one) => {
    const about = one.pin && join(FOLDERS.packages, one.pin, 'package.json');
    return about && existsSync(about)
      ? { ...one, version: JSON.parse(readFileSync(about, 'utf8')).version } : one;
  });
}

function write(folder, name, run) {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  writeFileSync(`${path}.md`, markdown(run));
  writeFileSync(`${path}.json`, `${JSON.stringify({ facts: Object.fromEntries(run.facts),
    rounds: run.rounds, contests: run.contests }, null, 1)}\n`);
  return `${path}.md`;
}

async function main() {
  const { values } = parseArgs({ options: { hosts: { type: 'string' }, sets: { type: 'string' },
    peers: { type: 'string' }, rounds: { type: 'string', default: '3' },
    lanes: { type: 'string', default: '2' }, all: { type: 'boolean' }, name: { type: 'string' },
    out: { type: 'string', default: join(ROOT, 'bench', 'results') } } });
  const counts = { rounds: Number(values.rounds), lanes: Number(values.lanes) };
  const hosts = named(Object.keys(HOSTS), values.hosts, 'host');
  const sets = named(SETS, values.sets, 'set');
  const contenders = named(versions(), values.peers, 'contender');
  mkdirSync(OUT, { recursive: true });
  stagePackage(ROOT, FOLDERS.nigh);
  const why = stageHnswlib(join(HERE, 'hnswlib', 'hnswlib.cpp'),
    join(ROOT, '.cache', 'hnswlib-0.8.0', 'hnswlib'), join(OUT, 'hnswlib.wasm'));
  if (why) say(`without hnswlib C++: ${why}`);
  const module = join(ROOT, 'build', 'wasm', 'nigh.wasm');
  const run = { contests: [], facts: facts(ROOT, module), ...counts, contenders };
  const name = values.name ?? `${new Date().toISOString().slice(0, 10)}-js`;
  let path;
  for (const kind of hosts) {
    const host = await HOSTS[kind]();
    say(host.title);
    try {
      for (const set of sets) {
        const data = prepare(set, FOLDERS.sets, ROOT);
        const able = contenders.filter(({ most = {} }) => (most[kind] ?? Infinity) >= data.count ||
          (values.all && most[kind] !== 0));
        run.contests.push(await contest(host, data, able, FOLDERS.sets, counts));
        path = write(values.out, name, run);
      }
    } finally {
      await host.close();
    }
  }
  process.stdout.write(readFileSync(path, 'utf8'));
}

await main();
