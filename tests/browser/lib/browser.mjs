// browser.mjs - Chromium with a profile that outlives it, and the server that its pages come from
// SPDX-License-Identifier: MIT OR Apache-2.0
import { existsSync, mkdirSync, mkdtempSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundle } from './bundle.mjs';
import { serve } from './server.mjs';
import { chromium, GOLDEN, INSIDE, PACKAGE, SHOTS } from './tools.mjs';

const PROGRAM = process.env.NIGH_CHROMIUM ?? '/usr/bin/chromium';
const ARGUMENTS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
  '--js-flags=--expose-gc'];
const INSIDE_MS_MAX = 240_000;
/** What a page of the package needs, and no more. */
export const STRICT = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; object-src 'none'";

/** A promise, or an error where it takes too long. */
export async function within(ms, what, promise) {
  let timer;
  try {
    return await Promise.race([promise, new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${what}: not within ${ms} ms`)), ms);
    })]);
  } finally {
    clearTimeout(timer);
  }
}

class Browser {
  constructor(server) {
    this.server = server;
    this.origin = server.origin;
    this.profile = mkdtempSync(join(tmpdir(), 'nigh-chromium-'));
    /** Uncaught errors, and what was written to the console as one, of all pages so far; not
     * that something was not found, which tests may want to see. */
    this.errors = [];
  }

  async start() {
    this.context = await chromium.launchPersistentContext(this.profile, { executablePath: PROGRAM,
      headless: true, args: ARGUMENTS, viewport: { width: 1280, height: 800 } });
    this.context.on('weberror', (error) => this.errors.push(String(error.error().stack)));
    this.context.on('console', (message) => {
      const text = message.text();
      if (message.type() === 'error' && !text.startsWith('Failed to load resource')) {
        this.errors.push(text);
      }
    });
    // Chromium's own lock of the profile names the process, whose group is all of the browser.
    this.pid = Number(readlinkSync(join(this.profile, 'SingletonLock')).split('-').at(-1));
    return this;
  }

  /** A new tab, at a path of the server. */
  async page(path = '/') {
    const page = await this.context.newPage();
    await page.goto(new URL(path, this.origin).href);
    return page;
  }

  /** SIGKILL to all of its processes, in the middle of whatever they do. */
  async kill() {
    const gone = new Promise((resolve) => { this.context.once('close', resolve); });
    process.kill(-this.pid, 'SIGKILL');
    await within(20_000, 'the end of Chromium', gone);
  }

  /** The browser anew with the same profile and the same server: after kill(), or instead. */
  async relaunch() {
    await this.context.close().catch(() => {});
    return this.start();
  }

  /** Makes a bundle of a test file and serves it; its address. */
  async bundle(file, options) {
    const { text, name } = await bundle(file, options);
    const path = `/bundles/${name}`;
    this.server.mounts[path] = { body: Buffer.from(text) };
    return path;
  }

  /** Runs tests of a file in a 'page' or a 'worker': [{ name, ms, error?, skipped? }]. */
  async inside(where, file, options) {
    const url = await this.bundle(file, options);
    const page = await this.page();
    try {
      return await within(INSIDE_MS_MAX, `${url} in a ${where}`, page.evaluate(IN[where], url));
    } finally {
      await page.close();
    }
  }

  async shot(page, name) {
    mkdirSync(SHOTS, { recursive: true });
    await page.screenshot({ path: join(SHOTS, `${name}.png`) });
  }

  async close() {
    await this.context.close().catch(() => {});
    await this.server.close();
    if (existsSync(this.profile)) rmSync(this.profile, { recursive: true, maxRetries: 5 });
  }
}

// These run in the page: they are sent as their text.
const IN = {
  page: async (url) => (await import(url)).run(),
  worker: (url) => new Promise((resolve, reject) => {
    const worker = new Worker('/inside/worker.mjs', { type: 'module' });
    worker.onmessage = ({ data }) => {
      worker.terminate();
      if (data.results) resolve(data.results);
      else reject(new Error(data.error));
    };
    worker.onerror = (event) => reject(new Error(`worker: ${event.message}`));
    worker.postMessage(url);
  }),
};

/**
 * Chromium, and a server of the package at /nigh, of the golden files at /golden and of `mounts`.
 * @param options those of serve()
 */
export async function launch({ mounts = {}, ...options } = {}) {
  const server = await serve({ ...options, mounts: { '/nigh': PACKAGE, '/golden': GOLDEN,
    '/inside': INSIDE, ...mounts } });
  const browser = new Browser(server);
  try {
    return await browser.start();
  } catch (error) {
    await server.close();
    throw error;
  }
}
