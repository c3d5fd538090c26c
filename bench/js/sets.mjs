// sets.mjs - the rows that are searched: made once, cached in build/bench/js, with exact neighbours
// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Synthetic rows are points around 100 centres in 32 dimensions, turned into dim, plus noise;
// queries are drawn the same way. Sums of four uniform numbers stand for normal ones: the same on
// every machine. Sentences are those of bench/compare/datasets.py, which makes and caches them.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { K } from './terms.mjs';

const SEED = 12345;
const CENTRES = 100;
const LATENT = 32;
const SPREAD = 1;
const NOISE = 0.05;
const QUERIES = 1000;


const clustered = (count, dim) => ({ name: `${count / 1000}k-${dim}`, count, dim, metric: 'l2',
  title: `${count.toLocaleString('en')} x ${dim}, clustered, l2` });
export const SETS = [clustered(20000, 128), clustered(20000, 384), clustered(100000, 128),
  { name: 'sentences', metric: 'cosine' }];

/** Numbers from 0 to 1: sfc32. */
function uniform(seed) {
  let [a, b, c, d] = [0x9e3779b9, 0x243f6a88, 0xb7e15162, seed];
  const next = () => {
    const sum = (a + b + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21 | c >>> 11) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  };
  for (let i = 0; i < 15; i++) next();
  return next;
}

function synthetic({ count, dim }) {
  const next = uniform(SEED);
  const normal = () => (next() + next() + next() + next() - 2) * Math.sqrt(3);
  const centres = Float64Array.from({ length: CENTRES * LATENT }, normal);
  const turn = Float64Array.from({ length: LATENT * dim }, () => normal() / Math.sqrt(LATENT));
  const rows = new Float32Array((count + QUERIES) * dim);
  const row = new Float64Array(dim);
  for (let at = 0; at < rows.length; at += dim) {
    const centre = Math.floor(next() * CENTRES) * LATENT;
    row.fill(0);
    for (let i = 0; i < LATENT; i++) {
      const x = centres[centre + i] + SPREAD * normal();
      for (let j = 0; j < dim; j++) row[j] += x * turn[i * dim + j];
    }
    for (let j = 0; j < dim; j++) rows[at + j] = row[j] + NOISE * normal();
  }
  return { base: rows.subarray(0, count * dim), queries: rows.subarray(count * dim) };
}

/** Numbers of the K nearest rows of each query, by sums of squares in double precision. */
export function nearest(base, queries, dim) {
  const found = new Int32Array(queries.length / dim * K);
  const far = new Float64Array(K);
  for (let q = 0; q < queries.length / dim; q++) {
    const query = queries.subarray(q * dim, (q + 1) * dim);
    const ids = found.subarray(q * K, (q + 1) * K);
    far.fill(Infinity);
    for (let i = 0, at = 0; at < base.length; i++, at += dim) {
      let sum = 0;
      for (let j = 0; j < dim && sum < far[K - 1]; j += 32) {
        for (let l = j; l < j + 32 && l < dim; l++) sum += (base[at + l] - query[l]) ** 2;
      }
      if (sum >= far[K - 1]) continue;
      let place = K - 1;
      for (; place > 0 && far[place - 1] > sum; place--) {
        far[place] = far[place - 1];
        ids[place] = ids[place - 1];
      }
      far[place] = sum;
      ids[place] = i;
    }
  }
  return found;
}

const bytes = ({ buffer, byteOffset, byteLength }) =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** A file that is whole or not there. */
function save(path, array) {
  writeFileSync(`${path}.part`, bytes(array));
  renameSync(`${path}.part`, path);
}

/** f32 rows of a .npy. */
function npy(path) {
  const file = readFileSync(path);
  const head = file.subarray(10, 10 + file.readUInt16LE(8)).toString();
  const [, count, dim] =
    /'descr': '<f4', 'fortran_order': False, 'shape': \((\d+), (\d+)\)/.exec(head);
  const data = file.subarray(10 + head.length);
  return { count: Number(count), dim: Number(dim), rows: new Float32Array(
    data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength)) };
}

function sentences(root) {
  const python = join(root, '.cache', 'venv', 'bin', 'python');
  const program = join(root, 'bench', 'compare', 'datasets.py');
  const said = execFileSync(python, [program, 'sentences'],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  const path = said.trim().split(': ').pop();
  const base = npy(path);
  return { ...base, base: base.rows, queries: npy(path.replace('-base.npy', '-queries.npy')).rows };
}

/** The set with count and dim filled in, its files NAME.base, .queries and .truth in the folder. */
export function prepare(set, folder, root) {
  const path = join(folder, set.name);
  const about = `${path}.json`;
  if (existsSync(about)) return { ...set, ...JSON.parse(readFileSync(about, 'utf8')) };
  mkdirSync(folder, { recursive: true });
  const made = set.name === 'sentences' ? sentences(root) : synthetic(set);
  const { count = set.count, dim = set.dim } = made;
  const { title = `${count.toLocaleString('en')} x ${dim}, MiniLM sentences, cosine` } = set;
  save(`${path}.base`, made.base);
  save(`${path}.queries`, made.queries);
  save(`${path}.truth`, nearest(made.base, made.queries, dim)); // unit rows: cosine's order is l2's
  writeFileSync(about, JSON.stringify({ count, dim, title }));
  return { ...set, count, dim, title };
}
