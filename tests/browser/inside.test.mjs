// inside.test.mjs - what stands for Node's modules in the browser does as they do; so does the server
// SPDX-License-Identifier: MIT OR Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import own from './lib/inside/assert.mjs';
import { serve } from './lib/server.mjs';

const looped = () => {
  const one = { name: 'a' };
  one.self = one;
  return one;
};
const VALUES = [0, -0, 1, '1', NaN, null, undefined, true, 1n, 2n, 'a', [], [1], [1, 2], [undefined], {},
  { a: 1 }, { a: 1, b: undefined }, { b: undefined, a: 1 }, Object.create(null), new Date(5), new Date(6),
  new Uint8Array([1, 2]), new Uint8Array([1, 3]), new Uint16Array([1, 2]), new Float32Array([0]),
  new Float32Array([-0]), new Float32Array([NaN]), new Uint8Array([1, 2]).buffer, new Uint8Array(2).buffer,
  new Set([1, 2]), new Set([2, 1]), new Set([1]), new Map([['a', 1]]), new Map([['a', 2]]), new Error('a'),
  new TypeError('a'), new Error('b'), /a/, /a/g, [[1, { a: [2n] }]], [[1, { a: [3n] }]], looped(), looped(),
  class A {}, () => 1, Symbol.iterator];

/** Whether a call passes, and if not, with the assertion's error or another. */
function outcome(call) {
  try {
    call();
    return 'passes';
  } catch (error) {
    return error.name === 'AssertionError' ? 'fails' : `throws ${error.name}`;
  }
}

for (const name of ['equal', 'notEqual', 'deepEqual', 'notDeepEqual']) {
  test(`assert.${name} as Node has it`, () => {
    for (const a of VALUES) {
      for (const b of VALUES.map((one) => structuredCopy(one))) {
        assert.equal(outcome(() => own[name](a, b)), outcome(() => assert[name](a, b)),
          `${String(a?.constructor?.name)} ${String(b?.constructor?.name)}`);
      }
    }
  });
}

/** Values of their own where that can be. */
function structuredCopy(value) {
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) === null) return value;
  return structuredClone(value);
}

const THROWS = [() => {}, () => { throw new TypeError('mine'); }, () => { throw new Error('other'); },
  () => { throw Object.assign(new Error('x'), { code: 'E' }); }];
const EXPECTED = [undefined, TypeError, Error, RangeError, /mine/, /^TypeError: m/, { code: 'E' },
  { message: /x/ }, { message: 'x', code: 'F' }, () => true, () => false, () => undefined,
  (error) => error.message === 'x'];

test('assert.throws, .rejects, .ok, .match as Node has them', async () => {
  for (const call of THROWS) {
    for (const expected of EXPECTED) {
      const [mine, nodes] = [own, assert].map((which) => outcome(() => which.throws(call, expected)));
      assert.equal(mine, nodes, `${call} ${expected}`);
      const both = await Promise.all([own, assert].map(async (which) => {
        try {
          await which.rejects(async () => call(), expected);
          return 'passes';
        } catch (error) {
          return error.name;
        }
      }));
      assert.equal(both[0], both[1], `rejects ${call} ${expected}`);
    }
  }
  for (const value of VALUES) {
    assert.equal(outcome(() => own.ok(value)), outcome(() => assert.ok(value)));
    assert.equal(outcome(() => own.match(value, /a/)), outcome(() => assert.match(value, /a/)));
  }
});

test('the server: types, ranges, headers, nothing above its folders', async () => {
  const server = await serve({ mounts: { '/here': import.meta.dirname, '/a.json': { body: '0123456789' } },
    isolated: true, csp: "default-src 'self'" });
  const ask = (path, range) => fetch(server.origin + path, { headers: range ? { range } : {} });
  try {
    const whole = await ask('/a.json');
    assert.equal(whole.headers.get('content-type'), 'application/json');
    assert.equal(whole.headers.get('cross-origin-embedder-policy'), 'require-corp');
    assert.equal(whole.headers.get('content-security-policy'), "default-src 'self'");
    for (const [range, status, text] of [['bytes=2-4', 206, '234'], ['bytes=7-', 206, '789'],
      ['bytes=-2', 206, '89'], ['bytes=5-99', 206, '56789'], ['bytes=10-12', 416, ''],
      ['lines=1-2', 200, '0123456789']]) {
      const part = await ask('/a.json', range);
      assert.deepEqual([part.status, await part.text()], [status, text], range);
    }
    assert.equal((await ask('/here/inside.test.mjs')).headers.get('content-type'), 'text/javascript');
    for (const path of ['/here/../suite.test.mjs', '/here/%2e%2e/%2e%2e/Makefile', '/here/none', '/here',
      '/a.json/b', '/herelib/tools.mjs']) {
      assert.equal((await ask(path)).status, 404, path);
    }
    assert.deepEqual(server.requests[1], { path: '/a.json', range: 'bytes=2-4' });
  } finally {
    await server.close();
  }
});
