// report.mjs - tables, and what the project wants beside what was measured
// SPDX-License-Identifier: MIT OR Apache-2.0
import { LEVEL } from './contest.mjs';
import { EF_BUILD, K, M } from './terms.mjs';

const number = (value, digits = 0) => value.toLocaleString('en',
  { minimumFractionDigits: digits, maximumFractionDigits: digits });
const times = (a, b) => (a && b ? (a / b).toFixed(2) : '-');
const table = (head, rows) => [`| ${head.join(' | ')} |`, `|---|${'---:|'.repeat(head.length - 1)}`,
  ...rows.map((row) => `| ${row.join(' | ')} |`), ''];

/** "Node 20.1 · 20,000 x 128" */
const where = (contest) => `${contest.set.title}, ${contest.host}`;
const one = (contest, name) => contest.results.find((result) => result.name === name);
const effortText = ({ effort: { ef, gamma }, recall }) =>
  `${gamma === undefined ? `ef ${ef}` : `gamma ${gamma}`} ${recall.toFixed(3)}`;

function speedText(result) {
  const speed = number(result.speed);
  return !result.reached ? `${speed} (too few)` : result.bracketed ? speed : `>= ${speed}`;
}

function contestTable(contest) {
  const peers = ['hnswlib-wasm', 'edgevec', 'hnswlib-node', 'hnswlib C++']
    .filter((name) => one(contest, name));
  const builder = one(contest, 'hnswlib-wasm');
  const rows = [...contest.results].sort((a, b) => b.speed - a.speed).map((result) => [
    result.name.startsWith('nigh') ? `**${result.name}**`
      : `${result.name} ${result.version ?? ''}`.trim(),
    number(result.build.cpu, 1), times(result.build.cpu, builder?.build.cpu),
    result.points.map(effortText).join(', '), speedText(result),
    ...peers.map((name) => times(result.speed, one(contest, name).speed)),
    result.memory.built ? number(result.memory.built / 1e6, 1) : '-',
    result.memory.opened ? number(result.memory.opened / 1e6, 1) : '-']);
  return [`## ${where(contest)}`, '',
    ...table(['contender', 'build s', 'x hnswlib-wasm', 'recalls', `q/s at ${LEVEL}`,
      ...peers.map((name) => `x ${name}`), 'MB built', 'MB opened'], rows),
    ...contest.missing.map(({ name, why }) => `Without ${name}: ${why}.\n`)];
}

// ---- Targets ------------------------------------------------------------------------------------

const speed = (result) => result?.speed;
const build = (result) => result?.build.cpu;
const opened = (result) => result?.memory.opened;
const CODES = ['nigh u7', 'nigh u7 gamma', 'nigh u7 refined'];
/** what, whose (the best of them counts), of which peer, by what, at least or at most. */
const TARGETS = [
  ['queries/s with codes', CODES, 'hnswlib-wasm', speed, 5],
  ['queries/s, f32', ['nigh f32'], 'hnswlib-wasm', speed, 5],
  ['queries/s with codes', CODES, 'edgevec', speed, 10],
  ['queries/s, f32', ['nigh f32'], 'edgevec', speed, 10],
  ['queries/s with codes', CODES, 'hnswlib-node', speed, 1.5],
  ['queries/s, f32', ['nigh f32'], 'hnswlib C++', speed, 1.2],
  ['build, f32', ['nigh f32'], 'hnswlib-wasm', build, -0.5],
  ['build with codes', ['nigh u7'], 'hnswlib-wasm', build, -0.5],
  ['memory with codes, vectors outside', ['nigh u7 outside'], 'hnswlib-wasm', opened, -0.4],
];

/** { what, peer, bound, figures: [{ ratio, met, name } or undefined] by contest } */
export function verdicts(contests) {
  return TARGETS.map(([what, names, peer, of, bound]) => ({ what, peer, bound,
    figures: contests.map((contest) => {
      const theirs = of(one(contest, peer));
      const ours = names.map((name) => one(contest, name)).filter(Boolean)
        .sort((a, b) => (bound > 0 ? of(b) - of(a) : of(a) - of(b)))[0];
      if (!theirs || !ours) return undefined;
      const ratio = of(ours) / theirs;
      return { ratio, name: ours.name, met: bound > 0 ? ratio >= bound : ratio <= -bound };
    }) }));
}

function verdictTable(contests) {
  const head = ['what', 'target', ...contests.map(({ set, kind }) => `${set.name} ${kind}`)];
  return table(head, verdicts(contests).map(({ what, peer, bound, figures }) => [what,
    `${bound > 0 ? `>= ${bound}` : `<= ${-bound}`} x ${peer}`,
    ...figures.map((figure) => (!figure ? '-'
      : figure.met ? figure.ratio.toFixed(2) : `**${figure.ratio.toFixed(2)}**`))]));
}

export function markdown({ contests, facts, rounds, lanes, contenders }) {
  const widths = contests.flatMap(({ results }) => results.flatMap(({ points }) => points.map(
    ({ seconds }) => (Math.max(...seconds) - Math.min(...seconds)) /
      [...seconds].sort((a, b) => a - b)[seconds.length >> 1]))).sort((a, b) => a - b);
  const apart = widths[widths.length >> 1] ?? 0;
  return [
    '# In JavaScript: nigh and its peers in Node and Chromium', '',
    ...facts.map(([name, value]) => `- ${name}: ${value}`),
    `- parameters: M ${M}, ef_build ${EF_BUILD}, k ${K}, one thread; 1,000 queries that are not ` +
      'in the base',
    `- measured: each contender in a process, or a page, of its own that builds once (${lanes} ` +
      `at a time, one thread each); then ${rounds} rounds in which they take turns, in another ` +
      "order each; medians of processor time (of the page's thread in Chromium); slowest and " +
      `fastest round differ by ${(100 * apart).toFixed(0)} % (median point)`,
    '- speed: queries a second, given one after another, at recall@10 ' +
      `${LEVEL}, between the two nearest efforts (its logarithm linear in recall); ">=": at the ` +
      'lowest effort, which finds more',
    '- memory: of WebAssembly, behind the build (it never shrinks), and of the index opened anew ' +
      'where it is one with vectors outside',
    ...contenders.filter(({ note }) => note).map(({ name, note }) => `- ${name}: ${note}`), '',
    '## Beside what is wanted', '',
    `Bold: missed. With codes: the best of ${CODES.join(', ')}.`, '', ...verdictTable(contests),
    ...contests.flatMap(contestTable)].join('\n').trimEnd() + '\n';
}
