// test.mjs - what tests use of node:test: they are kept, and run() runs them one after another
// SPDX-License-Identifier: MIT OR Apache-2.0
const TEST_MS_MAX = 120_000;
const tests = [];
const hooks = { before: [], after: [], beforeEach: [], afterEach: [] };

function options(args) {
  const [name, more, body] = typeof args[1] === 'function' ? [args[0], {}, args[1]] : args;
  return { name, body, ...more };
}

export function test(...args) {
  tests.push(options(args));
}
test.skip = (...args) => test(args[0], { skip: true }, args.at(-1));

export const before = (hook) => { hooks.before.push(hook); };
export const after = (hook) => { hooks.after.push(hook); };
export const beforeEach = (hook) => { hooks.beforeEach.push(hook); };
export const afterEach = (hook) => { hooks.afterEach.push(hook); };

/** What a test is given: parts of it are tests, too. */
class Context {
  constructor(name) {
    this.name = name;
    this.ends = [];
    this.skipped = undefined;
  }

  after(hook) { this.ends.push(hook); }
  diagnostic(text) { console.log(text); }
  skip(reason) { this.skipped = reason ?? true; }

  async test(...args) {
    const result = await one(options(args));
    if (result.error) throw new Error(`${result.name}: ${result.error}`);
  }
}

async function one({ name, body, skip, timeout = TEST_MS_MAX }) {
  if (skip) return { name, ms: 0, skipped: String(skip) };
  const context = new Context(name);
  const began = performance.now();
  let timer;
  let error;
  try {
    for (const hook of hooks.beforeEach) await hook();
    await Promise.race([body(context), new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not within ${timeout} ms`)), timeout);
    })]);
  } catch (thrown) {
    error = String(thrown?.stack ?? thrown);
  }
  clearTimeout(timer);
  for (const hook of [...context.ends, ...hooks.afterEach]) {
    try {
      await hook();
    } catch (thrown) {
      error ??= String(thrown?.stack ?? thrown);
    }
  }
  const { skipped } = context;
  return { name, ms: performance.now() - began, ...(error !== undefined && { error }),
    ...(skipped && { skipped: String(skipped) }) };
}

/** Runs all; [{ name, ms, error?, skipped? }]. */
export async function run() {
  const results = [];
  for (const hook of hooks.before) await hook();
  for (const each of tests) results.push(await one(each));
  for (const hook of hooks.after) await hook();
  return results;
}

export default test;
