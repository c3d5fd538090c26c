// dictionary.ts - the index, what its keys stand for, and what of it is saved
// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Keys count in the order of insertion: definitions first, then the visitor's sentences. So the
// list of sentences says what the index must hold, and where the two differ (a tab was closed
// between writing one and the other, or a new version of the page brings another index) the index
// is what is mended.
import { Index } from 'nigh';
import { type Assets, manifest } from './assets.js';
import type { Embedder } from './embed.js';
import type { Found, Own, State } from './protocol.js';
import { Saved, type Sentence } from './saved.js';

const K = 12;
const EF = 64;

export class Dictionary {
  private sentences: Sentence[] = [];
  private why = '';
  /** Where the index was on this device: how long opening it took. */
  openMs: number | undefined;

  private constructor(private readonly assets: Assets, private readonly index: Index<number>,
    private readonly lines: string[], private readonly saved: Saved | undefined) {}

  static async open(assets: Assets): Promise<Dictionary> {
    const words = assets.load('words');
    words.catch(() => {}); // said where it is awaited
    let why = '';
    const saved = await Saved.open(manifest.files.index.file).catch((error: unknown) => {
      why = `This browser keeps no files for the page (${(error as Error).message}).`;
      return undefined;
    });
    const from = performance.now();
    const old = await saved?.index();
    const openMs = old && performance.now() - from;
    const index = old ?? await fresh(assets, !saved);
    const lines = new TextDecoder().decode(await words).split('\n');
    const dictionary = new Dictionary(assets, index, lines, saved);
    dictionary.openMs = openMs;
    dictionary.why = why;
    dictionary.sentences = await saved?.sentences() ?? [];
    return dictionary;
  }

  /** Brings the index to what the sentences say, and saves it where it is not what was saved. */
  async settle(embedder: Embedder): Promise<void> {
    let changed = this.openMs === undefined;
    const known = this.index.stats().slotCount - manifest.count;
    for (const [i, { text }] of this.sentences.entries()) {
      if (i < known) continue;
      this.index.add(manifest.count + i, await embedder.vector(text));
      changed = true;
    }
    for (const [i, { gone }] of this.sentences.entries()) {
      if (!gone || !this.index.has(manifest.count + i)) continue;
      this.index.remove(manifest.count + i);
      changed = true;
    }
    if (changed) await this.keep(false);
  }

  search(vector: Float32Array): { hits: Found[]; distances: number } {
    const hits = this.index.search(vector, { k: K, ef: EF }).map(({ key, distance }) =>
      ({ key, distance, ...this.entry(key) }));
    const { distances } = this.index.searchStats;
    return { hits, distances: Number(distances) };
  }

  private entry(key: number): Pick<Found, 'word' | 'of' | 'text'> {
    if (key >= manifest.count) {
      return { word: '', of: 'yours', text: this.sentences[key - manifest.count]!.text };
    }
    const [word, kind, text] = this.lines[key]!.split('\t') as [string, 'noun' | 'verb', string];
    return { word, of: kind, text };
  }

  async add(text: string, vector: Float32Array): Promise<void> {
    this.index.add(manifest.count + this.sentences.length, vector);
    this.sentences.push({ text });
    await this.keep(true);
  }

  async remove(key: number): Promise<void> {
    this.sentences[key - manifest.count]!.gone = true;
    this.index.remove(key);
    await this.keep(true);
  }

  private async keep(sentences: boolean): Promise<void> {
    if (!this.saved?.owner) return;
    try {
      if (sentences) await this.saved.keepSentences(this.sentences);
      await this.saved.keepIndex(this.index);
      this.why = '';
    } catch (error) {
      this.why = (error as Error).name === 'QuotaExceededError'
        ? 'There is no room left for this page in your browser.'
        : `Saving failed: ${(error as Error).message}`;
    }
  }

  state(): State {
    const own: Own[] = this.sentences.flatMap(({ text, gone }, i) =>
      (gone ? [] : [{ key: manifest.count + i, text }]));
    return { kind: 'state', size: this.index.size, own, saved: this.why ? 0 : this.saved?.bytes ?? 0,
      unsaved: this.saved && !this.saved.owner
        ? 'The page is open in another tab, which is the one that saves.' : this.why,
      writable: this.saved?.owner ?? true,
      complete: this.assets.complete && (!this.saved || this.saved.bytes > 0) };
  }
}

/** The index as it is downloaded is packed and read-only: what it saves is the one that was packed,
 * and that can grow. */
async function fresh(assets: Assets, keep: boolean): Promise<Index<number>> {
  const packed = await Index.open(await assets.load('index', { keep }),
    { verify: true, keys: 'number' });
  const image = packed.save();
  packed.dispose();
  return Index.open(image, { keys: 'number' });
}
