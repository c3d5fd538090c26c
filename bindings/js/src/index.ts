// index.ts - the package: the module is inside, nothing is fetched
// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The module with SIMD128 is compressed, since base64 hides from a server's gzip what repeats: of
// 84 KB that way 86 KB travel, not 110. Engines without SIMD128, or without DecompressionStream
// (some of 2021 and 2022), load the plain one, which is not, in a chunk of its own.
import { _hasSimd, _provide } from './api.js';
import { simd } from './inline-simd.js';

export * from './api.js';

function decode(base64: string): Uint8Array<ArrayBuffer> {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

_provide(async () => {
  if (_hasSimd() && typeof DecompressionStream === 'function') {
    const stream = new Blob([decode(simd)]).stream().pipeThrough(new DecompressionStream('deflate'));
    return new Response(stream).arrayBuffer();
  }
  const { plain } = await import('./inline-plain.js');
  return decode(plain);
});
