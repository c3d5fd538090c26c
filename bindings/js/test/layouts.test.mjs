// layouts.test.mjs - structures and numbers that are written by hand are those of nigh.h
// SPDX-License-Identifier: MIT OR Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as base from '../dist/base.js';
import * as more from '../dist/more.js';
import * as storage from '../dist/storage.js';

const abi = readFileSync(new URL('../src/abi.ts', import.meta.url), 'utf8');
const camel = (name) => name.replace(/_./g, (part) => part[1].toUpperCase());
const number = (name) => Number(abi.match(new RegExp(`^export const ${name} = (-?\\d+);$`, 'm'))[1]);

/** [name, kind, offset] of each field of a structure behind its size. */
function fieldsOf(name) {
  const [, text] = abi.match(new RegExp(`^export const ${name} = {\\n(.*?)\\n}`, 'ms'));
  const kinds = text.match(/kinds: "(\w+)"/)[1];
  return [...text.matchAll(/^ {2}(\w+): (\d+),$/gm)].slice(1)
    .map(([, field, offset], i) => [camel(field), kinds[i], Number(offset)]).slice(1)
    .filter(([field]) => field !== 'reserved');
}

const KIND = { '.': 'f', ':': 'U', '-': 'i', '': 'u' };
for (const [name, layout] of Object.entries({ nigh_config: base.CONFIG, nigh_stats: more.STATS,
  nigh_search_options: base.SEARCH,
  nigh_session_stats: more.SPENT, nigh_report: more.REPORT, nigh_hnswlib: more.HNSWLIB,
  nigh_store_options: storage._STORE, nigh_store_stats: storage._STORE_STATS.replace(' reserved', ''),
  nigh_job_options: more.JOB, nigh_progress: more.PROGRESS })) {
  test(name, () => {
    let at = 4;
    const said = [...layout.matchAll(/(\w+)(\W?)/g)].map(([, field, mark]) => {
      const kind = KIND[mark.trim()];
      at += kind === 'U' ? 8 : 4;
      return [field, kind, kind === 'U' ? at - 8 : at - 4];
    });
    assert.deepEqual(said, fieldsOf(name));
  });
}

test('what is written by its place', () => {
  const places = (name) => fieldsOf(name).map(([field, , at]) => [field, at]);
  assert.deepEqual(places('nigh_options'), [['slotMax', 4], ['features', 8], ['flags', 12],
    ['upperExtra', 16]]);
  assert.deepEqual(places('nigh_session_options'), [['efMax', 4], ['frontierMax', 8], ['flags', 12],
    ['lanes', 16]]);
  const offsets = Object.fromEntries(places('nigh_stats'));
  for (const [name, at] of Object.entries({ slotCount: base.SLOT_COUNT, liveCount: base.LIVE_COUNT,
    freeCount: base.FREE_COUNT, slotCapacity: base.SLOT_CAPACITY, slotMax: base.SLOT_MAX,
    writable: base.WRITABLE, keyBytes: base.KEY_BYTES, codes: base.STATS_CODES })) {
    assert.equal(at, offsets[name], name);
  }
  assert.match(abi, new RegExp(`^export const nigh_stats = {\\n  size: ${base.STATS_BYTES},$`, 'm'));
});

test('names by number', () => {
  for (const [prefix, names] of Object.entries({ METRIC: base.METRICS, DTYPE: base.DTYPES,
    CODES: base.CODES })) {
    names.forEach((name, i) => {
      if (name) assert.equal(number(`NIGH_${prefix}_${name.toUpperCase()}`), i);
    });
    const count = abi.match(new RegExp(`^export const NIGH_${prefix}_`, 'gm')).length;
    assert.equal(names.filter(Boolean).length, count);
  }
  for (const [name, stored] of Object.entries({ number: 'U64', bigint: 'U64', string: 'BYTES',
    identity: 'IDENTITY' })) {
    assert.equal(base.storedKind(name), number(`NIGH_KEYS_${stored}`));
  }
});
