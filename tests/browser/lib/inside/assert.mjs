// assert.mjs - what tests use of node:assert/strict; inside.test.mjs compares it with Node's
// SPDX-License-Identifier: MIT OR Apache-2.0
export class AssertionError extends Error {
  constructor(message) {
    super(message);
    this.name = 'AssertionError';
  }
}

/** A value as a line of text. */
function show(value) {
  let text;
  try {
    text = JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? `${one}n`
      : one === undefined || typeof one === 'function' ? String(one)
        : ArrayBuffer.isView(one) && !(one instanceof DataView) ? Array.from(one) : one));
  } catch {
    text = String(value);
  }
  return text?.length > 500 ? `${text.slice(0, 500)}...` : text;
}

function fails(message, text) {
  if (message instanceof Error) throw message;
  throw new AssertionError(message ?? text);
}

function sameItems(a, b, seen) {
  if (a.size !== b.size) return false;
  const left = [...b];
  return [...a].every((item) => { // in any order
    const at = left.findIndex((other) => equal(item, other, seen));
    if (at >= 0) left.splice(at, 1);
    return at >= 0;
  });
}

const keysOf = (value) => [...Object.keys(value), ...Object.getOwnPropertySymbols(value)
  .filter((key) => Object.prototype.propertyIsEnumerable.call(value, key))];

/** Equal as node:assert/strict's deepEqual has it: prototypes count, NaN is NaN, 0 is not -0. */
function equal(a, b, seen = []) {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  if (Array.isArray(a) !== Array.isArray(b) || a.length !== b.length) return false;
  if (seen.some(([one, other]) => one === a && other === b)) return true;
  const path = [...seen, [a, b]];
  if (a instanceof Date || a instanceof Number || a instanceof String || a instanceof Boolean) {
    if (!Object.is(a.valueOf(), b.valueOf())) return false;
  }
  if (a instanceof RegExp && (String(a) !== String(b) || a.lastIndex !== b.lastIndex)) return false;
  if (a instanceof Error && (a.message !== b.message || a.name !== b.name)) return false;
  if ((a instanceof Set || a instanceof Map) && !sameItems(a, b, path)) return false;
  if (a instanceof ArrayBuffer) return equal(new Uint8Array(a), new Uint8Array(b));
  const keys = keysOf(a);
  return keys.length === keysOf(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && equal(a[key], b[key], path));
}

/** Whether a thrown error is what `expected` says. */
function expects(error, expected) {
  if (expected === undefined) return;
  if (expected instanceof RegExp) {
    if (!expected.test(String(error))) fails(undefined, `${error} does not match ${expected}`);
  } else if (typeof expected !== 'function') {
    for (const key of keysOf(expected)) {
      const good = expected[key] instanceof RegExp && typeof error[key] === 'string'
        ? expected[key].test(error[key]) : equal(error[key], expected[key]);
      if (!good) fails(undefined, `${key} is ${show(error[key])}, not ${show(expected[key])}`);
    }
  } else if (expected.prototype !== undefined && error instanceof expected) {
    return;
  } else if (Error.isPrototypeOf(expected) || expected === Error) {
    fails(undefined, `${error?.stack} is no ${expected.name}`);
  } else if (expected.call({}, error) !== true) {
    fails(undefined, 'the function that looks at the error did not return true');
  }
}

function ok(value, message) {
  if (!value) fails(message, `${show(value)} is not true`);
}

const assert = Object.assign((value, message) => ok(value, message), {
  ok,
  AssertionError,
  fail(message) {
    fails(message, 'failed');
  },
  equal(a, b, message) {
    if (!Object.is(a, b)) fails(message, `${show(a)} is not ${show(b)}`);
  },
  notEqual(a, b, message) {
    if (Object.is(a, b)) fails(message, `both are ${show(a)}`);
  },
  deepEqual(a, b, message) {
    if (!equal(a, b)) fails(message, `${show(a)} does not equal ${show(b)}`);
  },
  notDeepEqual(a, b, message) {
    if (equal(a, b)) fails(message, `both equal ${show(a)}`);
  },
  match(text, pattern, message) {
    if (typeof text !== 'string' || !pattern.test(text)) {
      fails(message, `${show(text)} does not match ${pattern}`);
    }
  },
  doesNotMatch(text, pattern, message) {
    if (typeof text !== 'string' || pattern.test(text)) fails(message, `${show(text)} matches ${pattern}`);
  },
  throws(call, expected, message) {
    let thrown;
    try {
      call();
    } catch (error) {
      thrown = { error };
    }
    if (!thrown) fails(message, 'nothing was thrown');
    expects(thrown.error, expected);
  },
  async rejects(promise, expected, message) {
    let thrown;
    try {
      await (typeof promise === 'function' ? promise() : promise);
    } catch (error) {
      thrown = { error };
    }
    if (!thrown) fails(message, 'nothing was rejected');
    expects(thrown.error, expected);
  },
});
assert.strictEqual = assert.equal;
assert.notStrictEqual = assert.notEqual;
assert.deepStrictEqual = assert.deepEqual;
export default assert;
