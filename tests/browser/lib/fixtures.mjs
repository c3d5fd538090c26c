// fixtures.mjs - projects that have nothing but the packed tarball and tools
// SPDX-License-Identifier: MIT OR Apache-2.0
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync,
  writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { TOOLS } from './tools.mjs';

const SOURCES = fileURLToPath(new URL('../fixtures', import.meta.url));

/** A folder that knows nothing of the tree: the tarball installed, bundlers beside it. */
export function project(tarball) {
  const folder = mkdtempSync(join(tmpdir(), 'nigh-fixtures-'));
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n');
  run(folder, 'npm', 'install', '--offline', '--no-audit', '--no-fund', tarball);
  const modules = join(folder, 'node_modules');
  for (const name of readdirSync(TOOLS).filter((one) => !one.startsWith('.'))) {
    if (name.startsWith('@')) mkdirSync(join(modules, name), { recursive: true });
    const inside = name.startsWith('@') ? readdirSync(join(TOOLS, name)) : [''];
    for (const one of inside) symlinkSync(join(TOOLS, name, one), join(modules, name, one));
  }
  return {
    /** A fixture with the files that all have; its folder. */
    take(name) {
      for (const part of ['common', name]) {
        cpSync(join(SOURCES, part), join(folder, name), { recursive: true });
      }
      return join(folder, name);
    },
    modules,
    remove: () => rmSync(folder, { recursive: true, maxRetries: 5 }),
  };
}

/** Output of a command that has to succeed. */
export function run(cwd, command, ...args) {
  try {
    return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    throw new Error(`${command} ${args.join(' ')}\n${error.stdout}\n${error.stderr}`);
  }
}

/** Every file below a folder, with its bytes as they are and with gzip. */
export function sizes(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((one) => one.isFile()).map(({ parentPath, path, name }) => {
      const bytes = readFileSync(join(parentPath ?? path, name));
      return { name, bytes: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length };
    });
}
