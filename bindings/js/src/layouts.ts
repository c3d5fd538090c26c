// layouts.ts - structures that the module fills in, as objects
// SPDX-License-Identifier: MIT OR Apache-2.0
import { fields, IN, type Wasm } from './wasm.js';

/** Fields of a structure in memory, u64 as numbers. */
export function get(w: Wasm, at: number, layout: string): Record<string, number> {
  const out: Record<string, number> = {};
  for (const [, name, kind] of fields(layout)) {
    at += 4;
    out[name!] = kind === ':' ? w.long(at) : kind === '.' ? w.f32[at >>> 2]!
      : kind === '-' ? w.word(at) | 0 : w.word(at);
    if (kind === ':') at += 4;
  }
  return out;
}

/** What `call(address)` fills in. */
export function filled(w: Wasm, layout: string, call: (at: number) => number):
Record<string, number> {
  const at = w.put(IN, layout, {});
  w.ok(call(at));
  return get(w, at, layout);
}
