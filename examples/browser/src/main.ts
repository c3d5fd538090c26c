// main.ts - the page: asks the worker, shows what it answers
// SPDX-License-Identifier: MIT OR Apache-2.0
import { Loading } from './loading.js';
import type { Ask, State, Tell } from './protocol.js';
import { Results } from './results.js';
import { at, bytes, count, el, ms } from './view.js';

const EXAMPLES = ['a fear of small spaces', 'finding good things by luck', 'government by the rich',
  'a machine that washes plates', 'someone who eats no meat', 'wanting to be back at home'];

const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'search' });
const ask = (message: Ask) => { worker.postMessage(message); };

const query = at('query', HTMLInputElement);
const sentence = at('sentence', HTMLInputElement);
const addButton = at('add', HTMLFormElement).querySelector('button')!;
const loading = new Loading();
const results = new Results((text) => { type(text); });
let ready = false;
let opening = ''; // how the index was opened
let asked = 0;

// ---- Search ------------------------------------------------------------------------------------

function look(): void {
  const text = query.value.trim();
  asked++;
  history.replaceState(null, '', text ? `#${encodeURIComponent(text)}` : location.pathname);
  if (!ready) return;
  if (text) ask({ kind: 'search', id: asked, text });
  else results.clear();
}

/** As if the visitor had typed it. */
function type(text: string): void {
  query.value = text;
  query.focus();
  look();
}

query.addEventListener('input', look);
at('search', HTMLFormElement).addEventListener('submit', (event) => { event.preventDefault(); look(); });
document.addEventListener('keydown', (event) => {
  const typing = event.target instanceof HTMLInputElement;
  if (event.key === '/' && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    query.select();
  } else if (event.key === 'Escape' && event.target === query) {
    query.value = '';
    look();
  } else if (event.key === 'ArrowDown' && event.target === query) {
    if (results.focus(0)) event.preventDefault();
  } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
    const place = results.place(event.target);
    if (place < 0) return;
    event.preventDefault();
    if (event.key === 'ArrowUp' && place === 0) query.focus();
    else results.focus(place + (event.key === 'ArrowDown' ? 1 : -1));
  }
});
at('examples').append(...EXAMPLES.map((text) => {
  const chip = el('button', { type: 'button', textContent: text });
  chip.addEventListener('click', () => { type(text); });
  return chip;
}));

// ---- Sentences of the visitor's ------------------------------------------------------------------

at('add', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault();
  const text = sentence.value.trim();
  if (!text || !ready) return;
  addButton.disabled = true;
  ask({ kind: 'add', text });
  void navigator.storage?.persist?.(); // or a browser that needs room may take it
});

function showOwn({ own, writable }: State): void {
  at('own').replaceChildren(...own.toReversed().map(({ key, text }) => {
    const remove = el('button', { type: 'button', className: 'quiet', textContent: 'Remove',
      ariaLabel: `Remove: ${text}` });
    remove.addEventListener('click', () => {
      ask({ kind: 'remove', key });
      sentence.focus();
    });
    const item = el('li', {}, el('span', { textContent: text }));
    if (writable) item.append(remove);
    return item;
  }));
  addButton.disabled = !ready || !writable;
}

// ---- What is on this device --------------------------------------------------------------------

function state(name: string, kind: 'busy' | 'good' | 'bad', text: string): void {
  at(name).dataset.state = kind;
  at(`${name}-text`).textContent = text;
}

function showState(now: State): void {
  showOwn(now);
  if (now.unsaved) state('saved', now.writable ? 'bad' : 'busy', now.unsaved);
  else if (now.saved) {
    state('saved', 'good', `Saved: ${count(now.size)} entries, ${bytes(now.saved)}${opening}`);
  }
  if (query.value.trim()) look();
  offline(now.complete).catch((error: unknown) => { state('offline', 'bad', (error as Error).message); });
}

async function offline(complete: boolean): Promise<void> {
  if (!('serviceWorker' in navigator) || import.meta.env.DEV || !complete) {
    state('offline', 'bad', complete ? 'This browser opens the page only with a network'
      : 'Needs a network: not all of it could be kept here');
    return;
  }
  await navigator.serviceWorker.register(new URL('sw.js', document.baseURI));
  await navigator.serviceWorker.ready;
  if (ready) state('offline', 'good', 'Works without a network');
}

at('forget').addEventListener('click', () => {
  if (confirm('Remove the index, the model and your sentences from this device?')) ask({ kind: 'forget' });
});

async function forgotten(): Promise<void> {
  for (const found of await navigator.serviceWorker?.getRegistrations() ?? []) await found.unregister();
  for (const name of await caches.keys()) await caches.delete(name);
  worker.terminate();
  ready = false;
  addButton.disabled = true;
  at('own').replaceChildren();
  state('saved', 'bad', 'Removed. Load the page to begin again.');
  state('offline', 'bad', 'Removed');
}

// ---- The worker ----------------------------------------------------------------------------------

function begin({ openMs }: Extract<Tell, { kind: 'ready' }>): void {
  ready = true;
  loading.end();
  at('found').hidden = false;
  addButton.disabled = false;
  at('own-said').textContent = '';
  document.documentElement.dataset.ready = openMs === undefined ? 'network' : 'device';
  if (openMs !== undefined) opening = `, opened in ${ms(openMs)}`;
  else state('saved', 'busy', 'Saving…');
  look();
}

/** What did not work, beside what it was about. */
function trouble({ in: where, message }: Extract<Tell, { kind: 'error' }>): void {
  if (where === 'start') loading.fail(message);
  else at(where === 'search' ? 'trouble' : 'own-said').textContent = message;
  addButton.disabled = !ready;
}

worker.onmessage = ({ data }: MessageEvent<Tell>) => {
  switch (data.kind) {
    case 'progress': loading.progress(data.name, data.done); break;
    case 'ready': begin(data); break;
    case 'found': if (data.id === asked && query.value.trim()) results.show(data); break;
    case 'state': showState(data); break;
    case 'added':
      sentence.value = '';
      at('own-said').textContent = `Embedded, indexed and saved in ${ms(data.ms)}.`;
      break;
    case 'forgotten': void forgotten(); break;
    case 'error': trouble(data); break;
  }
};
worker.onerror = (event) => { loading.fail(event.message || 'The worker of this page did not start.'); };

try {
  query.value = decodeURIComponent(location.hash.slice(1));
} catch { /* an address that was not made here */ }
ask({ kind: 'start', base: new URL('.', document.baseURI).href });
