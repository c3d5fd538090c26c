// small.mjs - every index begins in the small module, for `node --import`, and moves when it must
// SPDX-License-Identifier: MIT OR Apache-2.0
import { _use, Index, load } from 'nigh';

await load();
const small = _use();
await load('full');
const whole = _use(small);
_use(whole);
for (const name of ['createSync', 'openSync']) {
  const made = Index[name];
  Index[name] = function smallFirst(...args) {
    _use(small);
    try {
      return made.apply(this, args);
    } catch (error) {
      if (error.code !== 'NIGH_E_UNSUPPORTED') throw error;
    } finally {
      _use(whole);
    }
    return made.apply(this, args);
  };
}
