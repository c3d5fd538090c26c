// readme.test.mjs - the README tells the truth: its programs run
// SPDX-License-Identifier: MIT OR Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Index } from 'nigh';

const text = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const programs = [...text.matchAll(/^```js\n(.*?)^```/gms)].map(([, code]) => code);
const folder = mkdtempSync(join(tmpdir(), 'nigh-readme-'));
after(() => rmSync(folder, { recursive: true }));

/** Run where the package is known by its name, in a folder of its own. */
function run(code) {
  const here = fileURLToPath(new URL('..', import.meta.url));
  const program = `process.chdir(${JSON.stringify(folder)});\n${code}`;
  return spawnSync(process.execPath, ['--input-type=module', '-e', program],
    { cwd: here, encoding: 'utf8' });
}

test('the first program has ten lines and prints what its comments say', () => {
  const [first] = programs;
  assert.ok(first.trim().split('\n').length <= 10, first);
  const { stdout, stderr } = run(first);
  const said = [...first.matchAll(/\/\/ prints (.*)$/gm)].map(([, line]) => line);
  assert.ok(said.length > 0);
  assert.deepEqual(stdout.trimEnd().split('\n'), said, stderr);
});

programs.slice(1).forEach((code, i) => {
  test(`program ${i + 2} runs`, () => {
    const { status, stderr } = run(code);
    assert.equal(status, 0, stderr);
  });
});

test('every method in its table is there', () => {
  const table = text.slice(text.indexOf('| to | call |'));
  const names = [...table.slice(0, table.indexOf('\n\n')).matchAll(/`\.(\w+)/g)].map(([, name]) => name);
  assert.ok(names.length > 25, `${names.length} names`);
  for (const name of names) assert.ok(name in Index.prototype || name in Index, name);
});
