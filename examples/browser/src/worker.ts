// worker.ts - the model and the index, away from the page, which never waits for them
// SPDX-License-Identifier: MIT OR Apache-2.0
import { Assets } from './assets.js';
import { Dictionary } from './dictionary.js';
import { Embedder } from './embed.js';
import type { Ask, Tell } from './protocol.js';

const tell = (message: Tell) => { self.postMessage(message); };

let assets: Assets;
let embedder: Embedder;
let dictionary: Dictionary;
let newest: { id: number; text: string } | undefined;
/** Everything but searches, one after another. */
let last: Promise<unknown> = Promise.resolve();

async function start(base: string): Promise<void> {
  assets = new Assets(base, (name, done) => { tell({ kind: 'progress', name, done }); });
  const [model, pieces, runtime] = ['model', 'pieces', 'runtime'] as const;
  const files = Promise.all([assets.load(model), assets.load(pieces), assets.load(runtime)]);
  files.catch(() => {}); // said where they are awaited
  dictionary = await Dictionary.open(assets);
  embedder = await Embedder.create(...await files);
  tell({ kind: 'ready', openMs: dictionary.openMs });
  await dictionary.settle(embedder);
  tell(dictionary.state());
  dictionary.follow(embedder, () => { tell(dictionary.state()); });
  await assets.sweep();
}

/** Lets messages in that came meanwhile: the next letter makes this search worthless. */
const breathe = () => new Promise<void>((resolve) => {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => { port1.close(); resolve(); };
  port2.postMessage(0);
});

async function search(id: number, text: string): Promise<void> {
  const wanted = { id, text };
  newest = wanted;
  await breathe();
  if (newest !== wanted) return;
  const begin = performance.now();
  const vector = await embedder.vector(text);
  const embedMs = performance.now() - begin;
  await breathe();
  if (newest !== wanted) return;
  const from = performance.now();
  const { hits, distances, size } = dictionary.search(vector);
  const searchMs = performance.now() - from;
  tell({ kind: 'found', id, text, hits, embedMs, searchMs, distances, size });
}

async function add(text: string): Promise<void> {
  const from = performance.now();
  await dictionary.add(text, await embedder.vector(text));
  tell({ kind: 'added', text, ms: performance.now() - from });
  tell(dictionary.state());
}

async function remove(key: number): Promise<void> {
  await dictionary.remove(key);
  tell(dictionary.state());
}

async function forget(): Promise<void> {
  await dictionary.forget();
  tell({ kind: 'forgotten' });
}

function run(ask: Ask): Promise<void> {
  switch (ask.kind) {
    case 'start': return start(ask.base);
    case 'search': return search(ask.id, ask.text);
    case 'add': return add(ask.text);
    case 'remove': return remove(ask.key);
    case 'forget': return forget();
  }
}

self.onmessage = ({ data }: MessageEvent<Ask>) => {
  const done = data.kind === 'search' ? run(data) : last.then(() => run(data));
  if (data.kind !== 'search') last = done.catch(() => {});
  done.catch((error: unknown) => {
    tell({ kind: 'error', message: (error as Error).message, in: data.kind });
  });
};
