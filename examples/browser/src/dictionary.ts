// dictionary.ts - the index, what its keys stand for, and what of it is saved
// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Keys count in the order of insertion: definitions first, then the visitor's sentences. These are
// written before the index is, so that they say what it must hold. Where the two differ (a tab was
// closed in between, or a new version of the page brings another index) the index is mended.
import { Index } from 'nigh';
import type { Stored } from 'nigh/storage';
import { type Assets, manifest } from './assets.js';
import type { Embedder } from './embed.js';
import type { Found, Own, State } from './protocol.js';
import { forgetAll, keepIndex, keepSentences, openIndex, openSentences,
  type Sentence } from './saved.js';

const K = 12;
const EF = 64;
const NAME = manifest.files.index.file.replace(/\..*/, ''); // with what is in it
const ELSEWHERE = 'The page is open in another tab, which is the one that saves.';

export class Dictionary {
  private sentences: Sentence[] = [];
  /** Why nothing is saved, or not all. */
  private why = '';
  /** Where the index was on this device: how long opening it took. */
  openMs: number | undefined;

  private constructor(private readonly assets: Assets, private readonly index: Index<number>,
    private readonly lines: string[], private stored: Stored<number> | undefined) {}

  static async open(assets: Assets): Promise<Dictionary> {
    const words = assets.load('words');
    words.catch(() => {}); // said where it is awaited
    const from = performance.now();
    let why = '';
    const stored = await openIndex(NAME).catch((error: Error) => {
      why = `This browser keeps no files for the page: ${error.message}`;
      return undefined;
    });
    const openMs = stored && performance.now() - from;
    const index = stored?.index ?? await fresh(assets, why !== '');
    const lines = new TextDecoder().decode(await words).split('\n');
    const dictionary = new Dictionary(assets, index, lines, stored);
    Object.assign(dictionary, { openMs, why, sentences: await openSentences() });
    return dictionary;
  }

  private get writable(): boolean { return this.stored?.owner ?? true; }

  /** Brings the index to what the sentences say, and saves it if it was not. */
  async settle(embedder: Embedder): Promise<void> {
    if (!this.writable) return;
    const known = this.index.stats().slotCount - manifest.count;
    let changed = false;
    for (const [i, { text, gone }] of this.sentences.entries()) {
      const key = manifest.count + i;
      if (i >= known) this.index.add(key, await embedder.vector(text));
      else if (!gone || !this.index.has(key)) continue;
      if (gone) this.index.remove(key);
      changed = true;
    }
    if (!this.stored && !this.why) {
      await this.saving(async () => { this.stored = await keepIndex(NAME, this.index); });
    } else if (changed) {
      await this.commit();
    }
  }

  /** Of a tab that only reads: goes on with what the other one saves, and when that is closed, in
   * its place. */
  follow(embedder: Embedder, changed: () => void): void {
    const { stored } = this;
    if (!stored || stored.owner) return;
    stored.addEventListener('commit', () => {
      void (async () => {
        await stored.refresh();
        this.sentences = await openSentences();
        changed();
      })();
    });
    void (async () => {
      await stored.own();
      this.sentences = await openSentences();
      await this.settle(embedder);
      changed();
    })();
  }

  search(vector: Float32Array): { hits: Found[]; distances: number; size: number } {
    const hits = this.index.search(vector, { k: K, ef: EF }).map(({ key, distance }) =>
      ({ key, distance, ...this.entry(key) }));
    return { hits, distances: Number(this.index.searchStats.distances), size: this.index.size };
  }

  private entry(key: number): Pick<Found, 'word' | 'of' | 'text'> {
    if (key >= manifest.count) {
      return { word: '', of: 'yours', text: this.sentences[key - manifest.count]?.text ?? '' };
    }
    const [word, of, text] = this.lines[key]!.split('\t') as [string, 'noun' | 'verb', string];
    return { word, of, text };
  }

  async add(text: string, vector: Float32Array): Promise<void> {
    this.index.add(manifest.count + this.sentences.length, vector);
    this.sentences.push({ text });
    await this.keep();
  }

  async remove(key: number): Promise<void> {
    this.index.remove(key);
    this.sentences[key - manifest.count]!.gone = true;
    await this.keep();
  }

  private async keep(): Promise<void> {
    if (!this.stored) return;
    await this.saving(() => keepSentences(this.sentences));
    if (!this.why) await this.commit();
  }

  private commit(): Promise<void> {
    return this.saving(async () => { await this.stored!.commit(); });
  }

  private async saving(save: () => Promise<void>): Promise<void> {
    try {
      await save();
      this.why = '';
    } catch (error) {
      const { name, code, message } = error as Error & { code?: string };
      this.why = name === 'QuotaExceededError' || code === 'NIGH_E_FULL'
        ? 'There is no room left for this page in your browser.'
        : code === 'NIGH_E_BUSY' ? ELSEWHERE : `Saving failed: ${message}`;
    }
  }

  state(): State {
    const own: Own[] = this.sentences.flatMap(({ text, gone }, i) =>
      (gone ? [] : [{ key: manifest.count + i, text }]));
    const { writable } = this;
    const saved = this.stored && writable && !this.why ? this.stored.stats : undefined;
    return { kind: 'state', size: this.index.size, own, writable,
      saved: saved ? saved.pageUsed * saved.pageBytes : 0,
      unsaved: writable ? this.why : ELSEWHERE,
      complete: this.assets.complete && (!!this.stored || this.openMs !== undefined) };
  }

  async forget(): Promise<void> {
    await this.stored?.close();
    await forgetAll();
    await this.assets.forget();
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
