// machine.mjs - the facts of this machine that stand beside every figure
// SPDX-License-Identifier: MIT OR Apache-2.0
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import os from 'node:os';

function read(path) {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}

function firstLine(command, ...args) {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
      .split('\n')[0];
  } catch {
    return undefined;
  }
}

function caches() {
  const folder = '/sys/devices/system/cpu/cpu0/cache';
  const kinds = { Data: 'd', Instruction: 'i' };
  try {
    return readdirSync(folder).filter((name) => name.startsWith('index')).sort().map((name) => {
      const of = (what) => read(`${folder}/${name}/${what}`);
      return `L${of('level')}${kinds[of('type')] ?? ''} ${of('size')}`;
    }).join(', ');
  } catch {
    return 'unknown';
  }
}

function processor() {
  const info = read('/proc/cpuinfo');
  const of = (name) => new RegExp(`^${name}\\s*: (.*)$`, 'm').exec(info)?.[1];
  const guest = /\bhypervisor\b/.test(info) ? ', a virtual machine' : '';
  return `${of('model name') ?? os.arch()} (family ${of('cpu family')}, model ${of('model')}), ` +
    `${os.cpus().length} cores${guest}`;
}

export function facts(root, module) {
  const commit = firstLine('git', '-C', root, 'rev-parse', '--short', 'HEAD') ?? 'no commit';
  const changed = firstLine('git', '-C', root, 'status', '--porcelain', '--untracked-files=no');
  const digest = createHash('sha256').update(readFileSync(module)).digest('hex').slice(0, 12);
  const compilers = [firstLine('clang-19', '--version'), firstLine('emcc', '--version'),
    firstLine('g++', '--version')].filter(Boolean);
  return [
    ['processor', processor()],
    ['caches', caches()],
    ['memory', `${Math.round(os.totalmem() / 1e9)} GB`],
    ['system', `${os.type()} ${os.release()}; V8 ${process.versions.v8}; ${compilers.join('; ')}`],
    ['load before', os.loadavg().map((load) => load.toFixed(2)).join(' ')],
    ['nigh', `at ${commit}${changed ? ' and changes' : ''}, SHA-256 of nigh.wasm ${digest}...`],
  ];
}
