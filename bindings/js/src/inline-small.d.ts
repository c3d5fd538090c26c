// inline-small.d.ts - what the build makes of nigh-small.wasm: compressed (zlib), in base64
// SPDX-License-Identifier: MIT OR Apache-2.0
export declare const small: string;
