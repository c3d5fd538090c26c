// slim.ts - the package with the modules in files beside it, which bundlers and servers know
// SPDX-License-Identifier: MIT OR Apache-2.0
import { _hasSimd, _provide } from './api.js';

export * from './api.js';

// Literals: bundlers look for exactly this.
const plain = () => new URL('./nigh-plain.wasm', import.meta.url);
_provide(async () => (_hasSimd() ? new URL('./nigh-small.wasm', import.meta.url) : plain()),
  async () => (_hasSimd() ? new URL('./nigh.wasm', import.meta.url) : plain()));
