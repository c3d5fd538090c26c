// bundle.mjs - a test file of Node as one module for browsers, with inside/ for Node's modules
// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The package itself is not bundled: its files come from the server as they are shipped.
import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { esbuild, INSIDE, PACKAGE } from './tools.mjs';

const CONDITIONS = ['browser', 'import', 'default'];
const BUILTINS = ['test', 'assert/strict', 'fs', 'path'];
const { exports } = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8'));

/** The address of an entry of the package, as a browser's bundler would choose it. */
export function entry(name) {
  let found = exports[name.replace(/^nigh/, '.')];
  while (typeof found === 'object') {
    found = found[Object.keys(found).find((condition) => CONDITIONS.includes(condition))];
  }
  if (!found) throw new Error(`${name} is not exported`);
  return join('/nigh', found);
}

const resolved = {
  name: 'resolved',
  setup({ onResolve }) {
    onResolve({ filter: /^nigh(\/|$)/ }, ({ path }) => ({ path: entry(path), external: true }));
    onResolve({ filter: /^\/nigh\// }, ({ path }) => ({ path, external: true }));
    onResolve({ filter: /^node:/ }, ({ path }) => {
      const name = path.slice('node:'.length);
      return BUILTINS.includes(name) ? { path: join(INSIDE, `${name.split('/')[0]}.mjs`) }
        : { errors: [{ text: `${path} is of Node only` }] };
    });
  },
};

/**
 * @param file a file of tests
 * @param options env: what process.env is there; plain: without SIMD128, as test/plain.mjs does
 * @returns text: a module that exports run(), and its name
 */
export async function bundle(file, { env = {}, plain = false } = {}) {
  const first = plain ? `import ${JSON.stringify(join(PACKAGE, 'test', 'plain.mjs'))};\n` : '';
  const { outputFiles: [{ text }] } = await esbuild.build({
    stdin: { contents: `${first}import ${JSON.stringify(file)};\nexport { run } from 'node:test';\n`,
      resolveDir: dirname(file) },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'neutral',
    target: 'es2022',
    inject: [join(INSIDE, 'globals.mjs')],
    // A string: an object here, beside `inject`, makes esbuild 0.28.2 wait for ever.
    define: { NIGH_ENV: JSON.stringify(JSON.stringify(env)) },
    plugins: [resolved],
    ignoreAnnotations: true, // "sideEffects" of package.json speaks of dist
    logLevel: 'silent',
  });
  return { text, name: basename(file).replace(/\.test\.mjs$/, plain ? '-plain.mjs' : '.mjs') };
}
