// slim.ts - the package with the module in a file beside it, which bundlers and servers know
// SPDX-License-Identifier: MIT OR Apache-2.0
import { _hasSimd, _provide } from './api.js';

export * from './api.js';

// Two literals: bundlers look for exactly this.
_provide(async () => (_hasSimd() ? new URL('./nigh.wasm', import.meta.url)
  : new URL('./nigh-plain.wasm', import.meta.url)));
