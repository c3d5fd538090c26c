// chromium.mjs - seats in Chromium: each contender a page of its own origin, so its own process
// SPDX-License-Identifier: MIT OR Apache-2.0
import { execFileSync } from 'node:child_process';
import { createReadStream, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join, normalize } from 'node:path';
import { pathToFileURL } from 'node:url';

const TYPES = { '.mjs': 'text/javascript', '.js': 'text/javascript', '.wasm': 'application/wasm' };
const PAGE = '<!doctype html><title>seat</title><script type="module" src="/bench/page-seat.mjs">' +
  '</script>';
const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

export function program() {
  for (const name of NAMES) {
    for (const folder of process.env.PATH.split(':')) {
      if (existsSync(join(folder, name))) return join(folder, name);
    }
  }
  throw new Error('no Chromium');
}

function serve(folders) {
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, 'http://x').pathname)).slice(1);
    const [first, ...rest] = path.split('/');
    if (path === '') {
      response.setHeader('content-type', 'text/html');
      response.end(PAGE);
      return;
    }
    const file = join(folders[first] ?? '/nowhere', ...rest);
    if (!existsSync(file)) {
      response.statusCode = 404;
      response.end();
      return;
    }
    response.setHeader('content-type', TYPES[extname(file)] ?? 'application/octet-stream');
    createReadStream(file).pipe(response);
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

export class ChromiumHost {
  kind = 'chromium';
  #seats = 0;

  static async start(folders) {
    const { chromium } = await import(
      pathToFileURL(join(folders.packages, 'playwright-core', 'index.mjs')).href);
    const host = new ChromiumHost();
    const path = program();
    const version = execFileSync(path, ['--version'], { encoding: 'utf8' });
    host.title = `Chromium ${/\d+[.\d]*/.exec(version)[0]}`;
    host.profile = mkdtempSync(join(tmpdir(), 'nigh-bench-'));
    host.server = await serve(folders);
    host.context = await chromium.launchPersistentContext(host.profile, { executablePath: path,
      headless: true, args: ['--no-sandbox', '--disable-gpu', '--no-first-run',
        '--site-per-process', '--disable-background-networking', '--disable-component-update',
        '--disable-sync', '--disable-background-timer-throttling',
        '--disable-renderer-backgrounding', '--disable-backgrounding-occluded-windows'] });
    return host;
  }

  async seat() {
    const page = await this.context.newPage();
    page.setDefaultTimeout(0);
    const metrics = await this.context.newCDPSession(page);
    await metrics.send('Performance.enable', { timeDomain: 'threadTicks' });
    const cpu = async () => (await metrics.send('Performance.getMetrics')).metrics
      .find(({ name }) => name === 'ThreadTime').value;
    const { port } = this.server.address();
    await page.goto(`http://seat${++this.#seats}.localhost:${port}/`);
    await page.waitForFunction(() => globalThis.seat !== undefined);
    return {
      async ask(call, ...args) {
        const before = await cpu();
        const { value, wall, error } = await page.evaluate(async ([what, given]) => {
          const began = performance.now();
          try {
            const found = await globalThis.seat[what](...given);
            return { value: found, wall: (performance.now() - began) / 1e3 };
          } catch (thrown) {
            return { error: String(thrown?.message ?? thrown) };
          }
        }, [call, args]);
        if (error !== undefined) throw new Error(error);
        return { value, wall, cpu: await cpu() - before };
      },
      async close() { await page.close(); },
    };
  }

  async close() {
    await this.context.close();
    this.server.close();
    rmSync(this.profile, { recursive: true, force: true });
  }
}
