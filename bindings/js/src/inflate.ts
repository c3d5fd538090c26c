// inflate.ts - modules that lie in JavaScript: compressed, in base64
// SPDX-License-Identifier: MIT OR Apache-2.0

export const decode = (base64: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(base64), (byte) => byte.charCodeAt(0));

export const inflate = (base64: string): Promise<ArrayBuffer> => new Response(
  new Blob([decode(base64)]).stream().pipeThrough(new DecompressionStream('deflate'))).arrayBuffer();
