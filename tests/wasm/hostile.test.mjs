// hostile.test.mjs - damaged images: a status or answers, no trap, no store outside of their memory
// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The corpus of tests/fuzz/image runs in a module too (suite.py); here memory is watched as well: a
// module has no sanitizer, but all of its memory can be compared.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { C, Index, NighError } from './host.mjs';
import { golden, goldenBytes, host } from './under.mjs';

const CORPUS = new URL('../fuzz/image/corpus/', import.meta.url);
let state = 7;
const below = (most) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor(state / 2 ** 32 * most);
};

/** Everything that reads. Only numbered errors may come. */
function use(index) {
  const { dim, dtype } = index.config;
  const { host: h } = index;
  const floats = Float32Array.from({ length: dim }, (_, i) => i % 7 + 1);
  const query = h.with([floats, index.rowBytes], (from, to) => {
    h.ok(h.x.nigh_convert(dim, dtype, 1, from, to, 0, 0));
    return h.u8(to, index.rowBytes).slice();
  });
  const calls = [() => index.search(query, 10), () => index.check(), () => index.stats(),
    () => index.search(query, 10, { flags: C.SEARCH_EXACT }), () => index.save()];
  for (const call of calls) {
    try {
      call();
    } catch (error) {
      if (!(error instanceof NighError)) throw error;
    }
  }
}

/** Attaches and uses an image; its bytes stay as they are, and what lies around it too. */
function watched(h, image) {
  const guards = [h.alloc(1 << 16)];
  let index = null;
  try {
    index = Index.open(h, image);
  } catch (error) {
    h.free(guards[0]);
    if (!(error instanceof NighError)) throw error;
    return false;
  }
  guards.push(h.alloc(1 << 16));
  for (const guard of guards) h.u8(guard, 1 << 16).fill(0x5a);
  use(index);
  for (const guard of guards) {
    assert.ok(h.u8(guard, 1 << 16).every((byte) => byte === 0x5a), 'stored outside of its memory');
  }
  assert.equal(Buffer.compare(Buffer.from(h.u8(index.memory[0], image.length)), image), 0);
  index.close();
  for (const guard of guards) h.free(guard);
  return true;
}

test('the corpus, as it is and cut', () => {
  const h = host();
  for (const name of readdirSync(CORPUS)) {
    const file = readFileSync(new URL(name, CORPUS));
    const image = file.subarray(file[0] < 128 ? 1 : 2); // after its flags
    for (const cut of [0, 1, 511, 512, image.length >> 1, image.length - 1, image.length]) {
      watched(h, image.subarray(0, cut));
    }
  }
  assert.equal(h.x.nighw_used(), 0n);
});

for (const { name, image } of golden.cases) {
  test(`${name}: bytes changed anywhere`, () => {
    const h = host();
    const good = goldenBytes(image);
    const tail = 512 + 4 * 64; // behind the header and the most of its table: attach sees no checksum
    let attached = 0;
    for (let i = 0; i < 40; i++) {
      const bad = Buffer.from(good);
      const from = i % 4 === 0 ? 0 : tail;
      for (let n = 1 + below(200); n > 0; n--) {
        bad[from + below(bad.length - from)] = [0, 0xff, 0x7f, 0x80, below(256)][below(5)];
      }
      attached += watched(h, bad);
    }
    assert.ok(attached >= 20, `${attached} of 40 attached`);
    assert.equal(h.x.nighw_used(), 0n);
  });
}
