// full.ts - the package with everything inside: nothing is loaded later
// SPDX-License-Identifier: MIT OR Apache-2.0
//
// For service workers, which cannot import while they run, and for calls that do not wait.
import './more.js';
import { _hasSimd, _provideWhole } from './api.js';
import { decode, inflate } from './inflate.js';
import { simd } from './inline-simd.js';

export * from './api.js';

_provideWhole(async () => (_hasSimd() && typeof DecompressionStream === 'function' ? inflate(simd)
  : decode((await import('./inline-plain.js')).plain)));
