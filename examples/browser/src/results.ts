// results.ts - the nearest words, and what finding them has cost
// SPDX-License-Identifier: MIT OR Apache-2.0
import type { Answer, Found } from './protocol.js';
import { at, count, el, ms } from './view.js';

const SPOKEN_AFTER_MS = 900; // of silence: not for each letter
const KINDS = { noun: 'noun', verb: 'verb', yours: 'yours' } as const;

export class Results {
  private readonly list = at('hits');
  private speaking = 0;

  /** @param choose what to do with the text of a hit that is chosen */
  constructor(private readonly choose: (text: string) => void) {}

  clear(): void {
    clearTimeout(this.speaking);
    this.list.replaceChildren();
    delete this.list.dataset.query;
    at('cost').replaceChildren();
    at('spoken').textContent = '';
    at('nothing').hidden = false;
  }

  show(answer: Answer): void {
    at('nothing').hidden = true;
    at('trouble').textContent = '';
    const place = this.place(document.activeElement); // an answer that comes late moves no focus
    this.list.replaceChildren(...answer.hits.map((hit) => this.item(hit)));
    if (place >= 0) this.focus(place);
    this.list.dataset.query = answer.text;
    const cost = [['embedding', ms(answer.embedMs)], ['search', ms(answer.searchMs)],
      ['compared', `${count(answer.distances)} of ${count(answer.size)}`]] as const;
    at('cost').replaceChildren(...cost.map(([what, value]) => el('div', {},
      el('dt', { textContent: what }), el('dd', { textContent: value }))));
    clearTimeout(this.speaking);
    this.speaking = window.setTimeout(() => { this.say(answer); }, SPOKEN_AFTER_MS);
  }

  private item({ word, of, text, distance }: Found): HTMLLIElement {
    const near = Math.max(0, 1 - distance);
    const button = el('button', { type: 'button', title: 'Search for this meaning' });
    const head = el('span', { className: 'head' });
    if (word) head.append(el('span', { className: 'word', textContent: word }));
    head.append(el('span', { className: `kind ${of}`, textContent: KINDS[of] }));
    const meter = el('span', { className: 'near' }, el('span', { className: 'visually-hidden', textContent: 'closeness ' }),
      near.toFixed(2));
    meter.style.setProperty('--near', near.toFixed(3));
    button.append(head, el('span', { className: word ? 'text' : 'text own-text', textContent: text }), meter);
    button.addEventListener('click', () => { this.choose(text); });
    return el('li', {}, button);
  }

  private say({ hits, text }: Answer): void {
    const names = hits.slice(0, 3).map(({ word, text: whole }) => word || whole);
    at('spoken').textContent = `${hits.length} results for ${text}: ${names.join(', ')}…`;
  }

  private buttons(): HTMLButtonElement[] { return [...this.list.querySelectorAll('button')]; }

  /** Which hit an element is, or -1. */
  place(target: EventTarget | null): number { return this.buttons().indexOf(target as HTMLButtonElement); }

  /** Goes to a hit; false if there is none. */
  focus(place: number): boolean {
    const button = this.buttons()[place];
    button?.focus();
    return !!button;
  }
}
