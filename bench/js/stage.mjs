// stage.mjs - what is compared, made ready: the package of this tree, hnswlib by Emscripten
// SPDX-License-Identifier: MIT OR Apache-2.0
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

/** Runs a command; its output only when it fails. */
function run(command, args, options) {
  try {
    execFileSync(command, args,
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], ...options });
  } catch (error) {
    throw new Error(`${command} ${args.join(' ')}\n${error.stdout ?? ''}${error.stderr ?? error}`);
  }
}

/** The package in a folder, its modules built; nothing is written into its sources. */
export function stagePackage(root, folder) {
  run('python3', ['wasm/build.py'], { cwd: root });
  rmSync(folder, { recursive: true, force: true });
  cpSync(join(root, 'bindings', 'js'), folder, { recursive: true,
    filter: (path) => !/\/(node_modules|dist)$/.test(path) });
  symlinkSync(join(root, '.cache', 'js', 'node_modules'), join(folder, 'node_modules'));
  run('node', ['build.mjs', join(root, 'build', 'wasm')], { cwd: folder });
}

/** hnswlib.wasm of the headers in `include`; why there is none, or undefined. Sums in any order are
 * allowed (-ffast-math), without which its loops stay scalar. */
export function stageHnswlib(source, include, target) {
  if (!existsSync(include)) return 'no source of hnswlib';
  const fresh = (path) => existsSync(path) ? statSync(path).mtimeMs : 0;
  if (fresh(target) > fresh(source)) return undefined;
  try {
    run('emcc', ['-O3', '-msimd128', '-ffast-math', '-std=c++17', '-DNDEBUG', `-I${include}`,
      source, '--no-entry', '-sSTANDALONE_WASM', '-sALLOW_MEMORY_GROWTH=1', '-sMAXIMUM_MEMORY=4GB',
      '-o', target], { env: { ...process.env, NODE_PATH: '/usr/share/nodejs' } }); // Debian's emcc
  } catch (error) {
    return `emcc: ${error.message.split('\n').find((line) => /error/i.test(line)) ?? 'failed'}`;
  }
  return undefined;
}
