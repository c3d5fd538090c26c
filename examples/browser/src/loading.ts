// loading.ts - how far the download is, what it consists of, and what went wrong
// SPDX-License-Identifier: MIT OR Apache-2.0
import manifest from 'page-data/manifest.json';
import type { Name } from './assets.js';
import { at, bytes, count, el } from './view.js';

const PARTS: Record<Name, string> = { model: 'Language model', index: `Index of ${count(manifest.count)} definitions`,
  runtime: 'Runtime of the model', words: 'Words and definitions', pieces: 'Pieces of words' };

export class Loading {
  private readonly done = new Map<Name, number>();
  private readonly bar = at('loading-bar', HTMLProgressElement);

  constructor() {
    const rows = (Object.keys(PARTS) as Name[]).sort((a, b) => manifest.files[b].bytes - manifest.files[a].bytes)
      .map((name) => [PARTS[name], manifest.files[name].bytes] as const);
    rows.push(['Together', rows.reduce((sum, [, size]) => sum + size, 0)]);
    at('sizes').replaceChildren(...rows.map(([text, size]) => el('tr', {},
      el('th', { scope: 'row', textContent: text }), el('td', { textContent: bytes(size) }))));
    at('again').addEventListener('click', () => { location.reload(); });
  }

  progress(name: Name, done: number): void {
    this.done.set(name, done);
    let [have, all] = [0, 0];
    for (const [of, value] of this.done) {
      have += value;
      all += manifest.files[of].bytes;
    }
    this.bar.value = have / all;
    at('loading-text').textContent = have < all ? `${bytes(have)} of ${bytes(all)}; only the first time`
      : 'Starting the model…';
  }

  end(): void { at('loading').hidden = true; }

  fail(message: string): void {
    this.end();
    at('failed-text').textContent = message;
    at('failed').hidden = false;
  }
}
