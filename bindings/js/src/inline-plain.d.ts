// inline-plain.d.ts - what the build makes of nigh-plain.wasm: in base64
// SPDX-License-Identifier: MIT OR Apache-2.0
export declare const plain: string;
