// pieces.ts - a text as numbers: words, then the longest pieces of them that the model knows
// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The tokenizer of BERT, uncased: what the Python package tokenizers does with the same pieces, id
// for id (tests/browser/pieces.test.mjs).
const WORD_MAX = 100; // letters; longer words are unknown
const IDEOGRAPHS: readonly (readonly [number, number])[] = [[0x4e00, 0x9fff], [0x3400, 0x4dbf],
  [0x20000, 0x2a6df], [0x2a700, 0x2b73f], [0x2b740, 0x2b81f], [0x2b820, 0x2ceaf], [0xf900, 0xfaff],
  [0x2f800, 0x2fa1f]];
const SPACE = /[\t\n\r\p{Z}]/u; // looked for first: three of them are control characters
const UNSEEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\ufffd]/u;
const MARK = /\p{Mn}/gu;
const PUNCTUATION = /[!-/:-@[-`{-~\p{P}]/u;

function isIdeograph(letter: string): boolean {
  const code = letter.codePointAt(0)!;
  return code >= 0x3400 && IDEOGRAPHS.some(([first, last]) => code >= first && code <= last);
}

/** Lower-case words without accents; signs of punctuation and ideographs stand alone. */
export function wordsOf(text: string): string[] {
  let spread = '';
  for (const letter of text) {
    if (SPACE.test(letter)) spread += ' ';
    else if (UNSEEN.test(letter)) continue;
    else spread += isIdeograph(letter) ? ` ${letter} ` : letter;
  }
  let apart = '';
  for (const letter of spread.normalize('NFD').replace(MARK, '')) {
    apart += PUNCTUATION.test(letter) ? ` ${letter} ` : letter.toLowerCase();
  }
  return apart.split(/\s+/u).filter(Boolean);
}

export class Pieces {
  private readonly ids = new Map<string, number>();
  private readonly first: number;
  private readonly last: number;
  private readonly unknown: number;

  /** @param list all pieces, one a line, in the order of their ids; "##" goes on a word */
  constructor(list: string) {
    for (const piece of list.split('\n')) if (piece) this.ids.set(piece, this.ids.size);
    [this.first, this.last, this.unknown] = ['[CLS]', '[SEP]', '[UNK]'].map((piece) => {
      const id = this.ids.get(piece);
      if (id === undefined) throw new Error(`no ${piece} among the pieces`);
      return id;
    }) as [number, number, number];
  }

  /** Ids for the model: at most `max`, with the marks of beginning and end. */
  of(text: string, max: number): number[] {
    const ids = [this.first];
    for (const word of wordsOf(text)) {
      ids.push(...this.ofWord(word));
      if (ids.length >= max) break;
    }
    ids.length = Math.min(ids.length, max - 1);
    ids.push(this.last);
    return ids;
  }

  private ofWord(word: string): number[] {
    const letters = [...word];
    if (letters.length > WORD_MAX) return [this.unknown];
    const ids: number[] = [];
    for (let start = 0; start < letters.length;) {
      let id: number | undefined;
      let end = letters.length;
      for (; end > start && id === undefined; end--) {
        id = this.ids.get((start > 0 ? '##' : '') + letters.slice(start, end).join(''));
      }
      if (id === undefined) return [this.unknown];
      ids.push(id);
      start = end + 1;
    }
    return ids;
  }
}
