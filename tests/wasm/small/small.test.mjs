// small.test.mjs - nigh-small.wasm: the bytes and answers of nigh.wasm, and what it says it lacks
// SPDX-License-Identifier: MIT OR Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { C, Host, Index, KIND } from '../host.mjs';

const modules = ['nigh-small.wasm', 'nigh.wasm'].map((name) =>
  new WebAssembly.Module(readFileSync(new URL(`../../../build/wasm/${name}`, import.meta.url))));
const COUNT = 900;

/** Numbers from -1 to 1, the same each time. */
function* numbers(state) {
  for (;;) {
    state = (state * 1664525 + 1013904223) >>> 0;
    yield state / 2 ** 31 - 1;
  }
}

/** Rows of a type, as bytes; halves from a table of small, exact ones. */
function rowsOf(dtype, dim, count, seed) {
  const source = numbers(seed);
  const floats = Float32Array.from({ length: dim * count }, () =>
    Math.round(source.next().value * 256) / 256 + 1 / 512);
  if (dtype === C.DTYPE_F32) return floats;
  const words = new Uint32Array(floats.buffer);
  return Uint16Array.from(words, (word) => {
    const sign = (word >>> 16) & 0x8000;
    if (dtype === C.DTYPE_BF16) return word >>> 16;
    return sign | (((word & 0x7fffffff) - 0x38000000) >>> 13); // 1/512 and above: normal halves
  });
}

function both(config, options, body) {
  const [small, full] = modules.map((module) =>
    body(Index.create(new Host(module), config, options)));
  assert.deepEqual(small, full);
}

const METRICS = { l2: C.METRIC_L2, ip: C.METRIC_IP, cosine: C.METRIC_COSINE };
const TYPES = { f32: C.DTYPE_F32, f16: C.DTYPE_F16, bf16: C.DTYPE_BF16 };
for (const [metricName, metric] of Object.entries(METRICS)) {
  for (const [typeName, dtype] of Object.entries(TYPES)) {
    for (const codes of [C.CODES_NONE, C.CODES_U7]) {
      for (const dim of [1, 31, 32, 47, 96]) {
        test(`${metricName} ${typeName} ${codes ? 'u7' : 'plain'} ${dim}`, () => {
          const rows = rowsOf(dtype, dim, COUNT, dim + 1);
          const config = { dim, metric, dtype, m: 6, ef_build: 40, seed: 7, codes,
            code_min: codes ? -1 : 0, code_max: codes ? 1 : 0,
            keys: dim % 2 ? C.KEYS_U64 : C.KEYS_BYTES };
          const keys = Array.from({ length: COUNT }, (_, i) => (dim % 2 ? i * 3 : `key ${i}`));
          both(config, { slots: COUNT, keyBytes: 16 * COUNT }, (index) => {
            index.insert(keys.slice(0, 800), rows.subarray(0, 800 * dim));
            index.remove(keys.slice(100, 220));
            index.set(keys.slice(150, 160), rows.subarray(810 * dim, 820 * dim));
            index.unremove(keys.slice(200, 205));
            const odd = index.host.user({ filter: (slot) => slot & 1 });
            const found = [];
            for (const filtered of [false, true]) {
              index.host.ok(index.host.x.nigh_session_filter(index.session, 0, 0,
                filtered ? index.host.x.nighw_function(KIND.filter) : 0, filtered ? odd : 0));
              for (let q = 820; q < 860; q++) {
                const query = rows.subarray(q * dim, (q + 1) * dim);
                for (const options of [{ ef: 30 }, { ef: 60, gamma: 0.2 }, { ef: 40, expansions: 1 }]) {
                  found.push(index.search(query, 10, options));
                }
              }
            }
            const image = Buffer.from(index.save());
            const again = Index.open(index.host, image, { flags: C.OPEN_VERIFY });
            assert.equal(Buffer.compare(Buffer.from(again.save()), image), 0);
            return [found, image.toString('hex')];
          });
        });
      }
    }
  }
}

test('what it has not is refused', () => {
  const config = { dim: 8, metric: C.METRIC_L2, dtype: C.DTYPE_F32 };
  for (const change of [{ dtype: C.DTYPE_I8 }, { dtype: C.DTYPE_U8 }, { metric: C.METRIC_L1 },
    { dtype: C.DTYPE_B1, metric: C.METRIC_HAMMING }, { metric: C.METRIC_CUSTOM },
    { codes: C.CODES_B1 }, { vectors: C.VECTORS_EXTERNAL }]) {
    const wanted = { ...config, ...change };
    assert.throws(() => Index.create(new Host(modules[0]), wanted, { slots: 10 }),
      { status: C.E_UNSUPPORTED });
    const made = Index.create(new Host(modules[1]), wanted, { slots: 10 });
    const image = made.save();
    assert.throws(() => Index.open(new Host(modules[0]), image), { status: C.E_UNSUPPORTED });
  }
  const rows = rowsOf(C.DTYPE_F32, 8, 50, 1);
  const full = Index.create(new Host(modules[1]), config, { slots: 50 });
  full.insert(Array.from({ length: 50 }, (_, i) => i), rows);
  const packed = full.save(C.SAVE_PACKED);
  assert.throws(() => Index.open(new Host(modules[0]), packed), { status: C.E_UNSUPPORTED });
  const small = Index.create(new Host(modules[0]), config, { slots: 50 });
  assert.throws(() => small.save(C.SAVE_PACKED), { status: C.E_UNSUPPORTED });
  assert.equal(small.host.x.nighw_function(KIND.fetch), 0);
});
