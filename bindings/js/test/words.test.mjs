// words.test.mjs - an index of real words has the bytes of the one that the nigh command builds
// SPDX-License-Identifier: MIT OR Apache-2.0
// NIGH_GOLDEN: the folder that tests/bindings/golden.py makes; NIGH_DATA: tests/data
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Index } from 'nigh';
import { same } from './common.mjs';

const { NIGH_GOLDEN: golden, NIGH_DATA: data } = process.env;
if (!golden || !data) throw new Error('NIGH_GOLDEN and NIGH_DATA say where the files are');

/** The f16 numbers of an .npy file as f32. */
function floats(path) {
  const bytes = readFileSync(path);
  const start = 10 + bytes[8] + 256 * bytes[9];
  const halves = new Uint16Array(Uint8Array.from(bytes.subarray(start)).buffer);
  return Float32Array.from(halves, (half) => {
    const [exponent, fraction] = [(half >> 10) & 31, half & 1023];
    const size = exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25);
    return half >> 15 ? -size : size;
  });
}

async function sha256(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', Uint8Array.from(bytes)));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

const words = readFileSync(join(data, 'words-5k.txt')).toString().trimEnd().split('\n');
const rows = floats(join(data, 'words-5k.f16.npy'));

for (const [name, codes] of [['words', 'none'], ['words-u7', 'u7']]) {
  test(`${name}: the sha256 of nigh build`, async () => {
    const command = readFileSync(join(golden, `${name}.nigh`));
    const seed = 42; // the command's
    const index = await Index.create({ dim: 100, metric: 'cosine', keys: 'string', codes, seed });
    await index.build(words, rows, { budget: 100 });
    const image = index.save();
    assert.equal(await sha256(image), await sha256(command));
    same(image, command);
  });
}
