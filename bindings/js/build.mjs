// build.mjs - dist: ECMAScript modules and CommonJS, the modules of WebAssembly, declarations
// SPDX-License-Identifier: MIT OR Apache-2.0
// usage: node build.mjs [FOLDER WITH nigh.wasm AND nigh-plain.wasm]   (default: ../../build/wasm)
//
// api is one file, and each entry another one beside it, so that all entries share one class Index.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { deflateSync } from 'node:zlib';
import zopfli from '@gfx/zopfli';
import { build } from 'esbuild';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const DIST = join(HERE, 'dist');
const modules = process.argv[2] ?? join(HERE, '..', '..', 'build', 'wasm');
const HEAD = '// SPDX-License-Identifier: MIT OR Apache-2.0';
const ENTRIES = ['base', 'api', 'more', 'index', 'full', 'slim', 'slim-node', 'node', 'hnswlib',
  'storage', 'errors', 'worker', 'worker-node', 'worker-main', 'worker-main-node', 'worker-thread',
  'worker-thread-node'];
const SCRIPTS = /^worker-(main|thread)/; // of workers, which are ECMAScript modules
/** In base; all others use them from there. */
const BASE = 'bytes change core handle keys main module rest rows search wasm';

/** Names that no program sees: made short, the same in all files. Tests look at `_h` and others. */
const INTERNAL = new RegExp('^(_[a-z]\\w*|broken|busy|called|cell|dropSession|efMax|keyOf|newRoom|' +
  'newSession|reals|roomFor|rowBytes|searchRoom|sessionFor|sized|stopped|thrown|views|words32)$');
const KEPT = /^_(backend|call|h|hasSimd|loadSync|provide|provideWhole|use)$/;

/** What a page loads is to be small: 4 % less than clang and wasm-ld make of it, with gzip. */
const OPTIMISE = ['--enable-simd', '--enable-bulk-memory', '--enable-sign-ext',
  '--enable-mutable-globals', '--enable-nontrapping-float-to-int', '--low-memory-unused',
  '--gufa-optimizing', '--flatten', '--rereloop', '-Oz', '--converge', '-Oz', '--gufa-optimizing',
  '-Oz', '--strip-debug', '--strip-producers', '--strip-target-features'];
function optimised(file) {
  const tool = join(dirname(createRequire(import.meta.url).resolve('binaryen')), 'bin', 'wasm-opt');
  execFileSync(process.execPath, [tool, ...OPTIMISE, join(modules, file), '-o', join(DIST, file)],
    { stdio: 'inherit' });
}

/** As zlib, 5 % smaller. */
const smallest = (bytes) => new Promise((done, failed) => {
  zopfli.zlib(bytes, { numiterations: 15 }, (error, out) =>
    (error ? failed(error) : done(Buffer.from(out))));
});

rmSync(DIST, { recursive: true, force: true });
mkdirSync(DIST);

const encoded = (name, bytes) => {
  const text = JSON.stringify(bytes.toString('base64'));
  writeFileSync(join(DIST, `inline-${name}.js`), `${HEAD}\nexport const ${name} = ${text};\n`);
  writeFileSync(join(DIST, `inline-${name}.cjs`), `${HEAD}\n'use strict';\nexports.${name} = ${text};\n`);
};
for (const file of ['nigh.wasm', 'nigh-plain.wasm', 'nigh-mt.wasm']) {
  copyFileSync(join(modules, file), join(DIST, file));
}
optimised('nigh-small.wasm');
encoded('small', await smallest(readFileSync(join(DIST, 'nigh-small.wasm'))));
encoded('simd', deflateSync(readFileSync(join(modules, 'nigh.wasm')), { level: 9 }));
encoded('plain', readFileSync(join(modules, 'nigh-plain.wasm')));

/** What is a file of its own stays outside. */
const beside = (format) => ({
  name: 'beside',
  setup({ onResolve }) {
    const outside = new RegExp(`^\\./(${[...ENTRIES, 'inline-\\w+'].join('|')})\\.js$`);
    const shared = new RegExp(`^\\./(${BASE.replaceAll(' ', '|')})\\.js$`);
    const named = (path) => ({ external: true,
      path: format === 'cjs' ? path.replace(/\.js$/, '.cjs') : path });
    onResolve({ filter: outside }, ({ path, kind }) =>
      (kind === 'entry-point' ? undefined : named(path)));
    onResolve({ filter: shared }, ({ importer }) =>
      (new RegExp(`/(base|${BASE.replaceAll(' ', '|')})\\.ts$`).test(importer) ? undefined
        : named('./base.js')));
  },
});

let mangleCache = {};
for (const format of ['esm', 'cjs']) {
  ({ mangleCache } = await build({
    entryPoints: ENTRIES.filter((name) => format === 'esm' || !SCRIPTS.test(name))
      .map((name) => join(HERE, 'src', `${name}.ts`)),
    outdir: DIST,
    outExtension: { '.js': format === 'cjs' ? '.cjs' : '.js' },
    bundle: true,
    format,
    platform: 'neutral',
    target: 'es2022',
    minify: true,
    mangleProps: INTERNAL,
    reserveProps: KEPT,
    mangleCache,
    external: ['node:*'],
    plugins: [beside(format)],
    logLevel: 'warning',
    banner: { js: HEAD },
    ...(format === 'cjs' && {
      banner: { js: `${HEAD}\nvar nigh_here = /* @__PURE__ */ (() => typeof __filename === 'string' ` +
        "? require('node:url').pathToFileURL(__filename).href : document.currentScript.src)();" },
      define: { 'import.meta.url': 'nigh_here' },
      supported: { 'dynamic-import': false },
    }),
  }));
}

const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc');
execFileSync(process.execPath, [compiler, '-p', HERE], { stdio: 'inherit' });
for (const name of readdirSync(DIST).filter((file) => file.endsWith('.d.ts'))) {
  const text = readFileSync(join(DIST, name), 'utf8');
  writeFileSync(join(DIST, name.replace(/\.d\.ts$/, '.d.cts')),
    text.replace(/(from |import\()(['"]\.\/[\w-]+)\.js(['"])/g, '$1$2.cjs$3'));
}
