// vite.config.ts - static files in dist/, for any folder of any host
// SPDX-License-Identifier: MIT OR Apache-2.0
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { defaultClientConditions, defineConfig, type Plugin } from 'vite';

const here = import.meta.dirname;
const data = resolve(here, process.env.PAGE_DATA ?? 'data');

/** The page needs no more than this. */
const POLICY = ["default-src 'none'", "script-src 'self' 'wasm-unsafe-eval'", "style-src 'self'",
  "img-src 'self' data:", "connect-src 'self'", "worker-src 'self'", "base-uri 'none'",
  "form-action 'none'"].join('; ');

/** sw.js gets the names of all files that make up the page; what prepare.py made is not among them:
 * the page itself loads and keeps that, and shows how far it is. */
function serviceWorker(): Plugin {
  return {
    name: 'service-worker',
    apply: 'build',
    enforce: 'post',
    generateBundle(_, bundle) {
      // The runtime needs SIMD, so nigh without it is never asked for.
      const files = ['./', ...Object.keys(bundle).filter((name) => !name.includes('inline-plain'))];
      const version = createHash('sha256').update(files.join()).update(
        String((bundle['index.html'] as { source?: unknown } | undefined)?.source)).digest('hex');
      const source = readFileSync(resolve(here, 'src/sw.js'), 'utf8')
        .replace("'FILES'", JSON.stringify(files)).replace('VERSION', version.slice(0, 12));
      this.emitFile({ type: 'asset', fileName: 'sw.js', source });
    },
  };
}

const policy: Plugin = {
  name: 'policy',
  apply: 'build',
  transformIndexHtml: () => [{ tag: 'meta', injectTo: 'head-prepend',
    attrs: { 'http-equiv': 'Content-Security-Policy', content: POLICY } }],
};

/** Not every server knows that .mjs is JavaScript. */
const assetFileNames = ({ names }: { names: string[] }) =>
  `assets/[name]-[hash]${names[0]?.endsWith('.mjs') ? '.js' : '[extname]'}`;

export default defineConfig({
  base: './',
  publicDir: data,
  resolve: {
    alias: { 'page-data': data },
    // The runtime's WebAssembly comes from prepare.py, with gzip; else Vite would copy it as it is.
    conditions: ['onnxruntime-web-use-extern-wasm', ...defaultClientConditions],
  },
  worker: { format: 'es', rolldownOptions: { output: { assetFileNames } } },
  build: { target: 'es2022', modulePreload: { polyfill: false }, assetsInlineLimit: 0,
    chunkSizeWarningLimit: 600, rolldownOptions: { output: { assetFileNames } } },
  plugins: [policy, serviceWorker()],
});
