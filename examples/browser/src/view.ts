// view.ts - elements, and numbers as people read them
// SPDX-License-Identifier: MIT OR Apache-2.0

/** The element of this id, which index.html has. */
export function at<T extends HTMLElement = HTMLElement>(id: string,
  kind: abstract new () => T = HTMLElement as unknown as abstract new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`no ${id}`);
  return found;
}

export function el<K extends keyof HTMLElementTagNameMap>(tag: K,
  properties: Partial<HTMLElementTagNameMap[K]> = {}, ...children: (Node | string)[]):
  HTMLElementTagNameMap[K] {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

const whole = new Intl.NumberFormat('en');
export const count = (value: number): string => whole.format(value);
export const bytes = (value: number): string =>
  (value < 1e6 ? `${whole.format(Math.ceil(value / 1e3))} KB` : `${(value / 1e6).toFixed(1)} MB`);
export const ms = (value: number): string =>
  (value < 10 ? `${value.toFixed(1)} ms` : value < 1000 ? `${Math.round(value)} ms`
    : `${(value / 1000).toFixed(1)} s`);
