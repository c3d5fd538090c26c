// server.mjs - static files with the headers that a test asks for
// SPDX-License-Identifier: MIT OR Apache-2.0
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';

const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.mjs': 'text/javascript',
  '.cjs': 'text/javascript', '.css': 'text/css', '.json': 'application/json', '.wasm': 'application/wasm',
  '.svg': 'image/svg+xml', '.png': 'image/png', '.txt': 'text/plain; charset=utf-8',
  '.webmanifest': 'application/manifest+json' };
export const BLANK = '<!doctype html><html lang="en"><meta charset="utf-8"><title>nigh</title></html>';

/** First and last byte of a Range header; undefined: all of it, null: cannot be had. */
function rangeOf(header, size) {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? [];
  if (first === undefined || (first === '' && last === '')) return undefined;
  const from = first === '' ? Math.max(0, size - last) : Number(first);
  const to = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1);
  return from <= to ? { from, to } : null;
}

/** What a path stands for: text or bytes, the path of a file, or undefined. */
function lookUp(mounts, path) {
  const prefix = Object.keys(mounts).filter((one) => path === one || path.startsWith(`${one}/`))
    .sort((a, b) => b.length - a.length)[0];
  if (prefix === undefined) return undefined;
  const { [prefix]: to } = mounts;
  if (typeof to !== 'string') return path === prefix ? to.body : undefined;
  const file = join(to, normalize(`/${path.slice(prefix.length)}`)); // never above the folder
  return file.endsWith('/') ? { file: join(file, 'index.html') } : { file };
}

async function answer(request, response, mounts) {
  const path = decodeURIComponent(new URL(request.url, 'http://localhost').pathname);
  const found = lookUp(mounts, path);
  const type = TYPES[extname(found?.file ?? path)] ?? (typeof found === 'string' ? TYPES['.html']
    : 'application/octet-stream');
  const body = typeof found === 'string' ? Buffer.from(found) : found;
  const size = body?.file ? await stat(body.file).then((s) => (s.isFile() ? s.size : -1), () => -1)
    : body?.length ?? -1;
  if (size < 0) return response.writeHead(404).end();
  const range = rangeOf(request.headers.range, size);
  if (range === null) return response.writeHead(416, { 'content-range': `bytes */${size}` }).end();
  const { from, to } = range ?? { from: 0, to: size - 1 };
  response.writeHead(range ? 206 : 200, { 'content-type': type, 'content-length': to - from + 1,
    'accept-ranges': 'bytes', ...(range && { 'content-range': `bytes ${from}-${to}/${size}` }) });
  if (request.method === 'HEAD' || size === 0) return response.end();
  if (!body.file) return response.end(body.subarray(from, to + 1));
  return createReadStream(body.file, { start: from, end: to }).pipe(response);
}

/**
 * Serves `mounts`: { '/prefix': folder, '/exact/path': { body: text or bytes } }; more may be added
 * later. `isolated`: COOP and COEP, so that a page has SharedArrayBuffer. `csp`: a content security
 * policy. `requests` of what it returns are the paths asked for so far, with their Range headers.
 */
export async function serve({ mounts = {}, isolated = false, csp } = {}) {
  const all = { '/': { body: BLANK }, '/favicon.ico': { body: Buffer.alloc(0) }, ...mounts };
  const requests = [];
  const headers = { 'cache-control': 'no-store', 'cross-origin-resource-policy': 'same-origin',
    ...(isolated && { 'cross-origin-opener-policy': 'same-origin',
      'cross-origin-embedder-policy': 'require-corp' }),
    ...(csp && { 'content-security-policy': csp }) };
  const server = createServer((request, response) => {
    requests.push({ path: request.url, range: request.headers.range });
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    answer(request, response, all).catch((error) => response.writeHead(500).end(String(error)));
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return {
    origin: `http://localhost:${server.address().port}`,
    mounts: all,
    requests,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => { server.close(resolve); });
    },
  };
}
