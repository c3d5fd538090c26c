// index.ts - the package: the small module is inside, the rest in files that are loaded when needed
// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Modules with SIMD128 are compressed, since base64 hides from a server's gzip what repeats. Engines
// without SIMD128, or without DecompressionStream (some of 2021 and 2022), load the plain one, which
// is not, in a chunk of its own.
// First, since gzip takes 1 KB less for text that follows it than for it in the middle of text.
import { small } from './inline-small.js';
import { _provide } from './api.js';
import { decode, inflate } from './inflate.js';

export * from './api.js';

const either = async (simd: () => Promise<string>) => {
  try {
    return await WebAssembly.compile(await inflate(await simd()));
  } catch {
    return decode((await import('./inline-plain.js')).plain);
  }
};

_provide(() => either(async () => small), () => either(async () =>
  (await import('./inline-simd.js')).simd));
