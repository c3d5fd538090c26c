// slim-node.ts - slim.ts for Node, whose fetch does not know files
// SPDX-License-Identifier: MIT OR Apache-2.0
import { readFile } from 'node:fs/promises';
import { _hasSimd, _provide } from './api.js';

export * from './api.js';

const plain = () => new URL('./nigh-plain.wasm', import.meta.url);
_provide(async () => readFile(_hasSimd() ? new URL('./nigh-small.wasm', import.meta.url) : plain()),
  async () => readFile(_hasSimd() ? new URL('./nigh.wasm', import.meta.url) : plain()));
