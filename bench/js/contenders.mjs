// contenders.mjs - who is compared: a line each
// SPDX-License-Identifier: MIT OR Apache-2.0
//
// peer: a file of peers/, and what it is given. index: who builds the same index, which is searched
// in another way. most: rows, by host, that it has time for; 0 where it cannot run. pin: the
// package whose version is shown.
const EF = [10, 11, 12, 13, 14, 16, 18, 20, 23, 26, 30, 35, 40, 46, 53, 60, 70, 80, 100, 120, 150,
  200, 280, 400, 560, 800];
const GAMMA = [0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.12, 0.14, 0.16, 0.18, 0.2, 0.23,
  0.26, 0.3, 0.35, 0.4, 0.5, 0.7];
const EF_WIDE = 400;
const efs = EF.map((ef) => ({ ef }));
const gammas = GAMMA.map((gamma) => ({ gamma, ef: EF_WIDE }));

export const CONTENDERS = [
  { name: 'nigh f32', peer: 'nigh', efforts: efs },
  { name: 'nigh u7', peer: 'nigh', options: { codes: 'u7' }, efforts: efs,
    note: '8-bit codes, the best of them scored again on vectors' },
  { name: 'nigh u7 gamma', index: 'nigh u7', efforts: gammas,
    note: `effort by gamma at ef ${EF_WIDE}` },
  { name: 'nigh u7 refined', peer: 'nigh', options: { codes: 'u7', refined: true }, efforts: efs,
    note: 'the graph refined after the build, which its time includes' },
  { name: 'nigh u7 outside', peer: 'nigh', options: { codes: 'u7', outside: true }, efforts: efs,
    note: "vectors stay in JavaScript's memory, the index asks for those it scores again" },
  { name: 'hnswlib-wasm', peer: 'hnswlib-wasm', pin: 'hnswlib-wasm', efforts: efs },
  { name: 'edgevec', peer: 'edgevec', pin: 'edgevec', efforts: efs, most: { chromium: 20000 },
    note: 'its ef is changed in its memory, instead of an index for each' },
  { name: 'hnswlib-node', peer: 'hnswlib-node', pin: 'hnswlib-node', efforts: efs,
    most: { chromium: 0 }, note: 'native' },
  { name: 'hnswlib C++', peer: 'hnswlib-cpp', efforts: efs,
    note: "hnswlib 0.8.0's header by emcc -O3 -msimd128 -ffast-math, rows in its memory" },
];
