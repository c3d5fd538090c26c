// protocol.ts - what the page and its worker say to each other
// SPDX-License-Identifier: MIT OR Apache-2.0
import type { Name } from './assets.js';

export type Ask =
  | { kind: 'start'; base: string }
  | { kind: 'search'; id: number; text: string }
  | { kind: 'add'; text: string }
  | { kind: 'remove'; key: number }
  | { kind: 'forget' };

/** A definition of the dictionary, or a sentence of the visitor's. */
export interface Found { key: number; word: string; of: 'noun' | 'verb' | 'yours'; text: string;
  distance: number }
export interface Own { key: number; text: string }

export interface Answer { kind: 'found'; id: number; text: string; hits: Found[];
  embedMs: number; searchMs: number; distances: number; size: number }
/** How things stand. saved: bytes of the index in this browser; why not, where there are none;
 * complete: whether the next start needs no network. */
export interface State { kind: 'state'; size: number; own: Own[]; saved: number; unsaved: string;
  writable: boolean; complete: boolean }
export type Tell =
  | { kind: 'progress'; name: Name; done: number }
  | { kind: 'ready'; openMs: number | undefined } // undefined: it was downloaded
  | Answer
  | State
  | { kind: 'added'; text: string; ms: number }
  | { kind: 'forgotten' }
  | { kind: 'error'; message: string; in: Ask['kind'] };
