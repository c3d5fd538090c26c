// addresses.test.mjs - an index from where a browser gets its bytes
// SPDX-License-Identifier: MIT OR Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Index, NighError } from 'nigh';

const bytesOf = async (response) => new Uint8Array(await (await response).arrayBuffer());
const same = (a, b) => assert.equal(Buffer.compare(a, b), 0, 'other bytes');

test('addresses, responses, requests', async () => {
  const image = await bytesOf(fetch('/golden/strings.nigh'));
  for (const source of ['/golden/strings.nigh', new URL('/golden/strings.nigh', location.href),
    fetch('/golden/strings.nigh')]) {
    same((await Index.open(source)).save(), image);
  }
});

test('addresses where nothing is', async () => {
  await assert.rejects(Index.open(new URL('/golden/none.nigh', location.href)), (error) =>
    error instanceof NighError && error.code === 'NIGH_E_FETCH' && /404/.test(error.message));
});
