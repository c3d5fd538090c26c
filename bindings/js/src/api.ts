// api.ts - everything that the package's entries share; which modules it runs is theirs to say
// SPDX-License-Identifier: MIT OR Apache-2.0
export { about, Allowed, Index, load, NighError } from './base.js';
export type { BatchArrays, ByteSource, Codes, Config, Distance, DType, Effort, Elements, Hit,
  HitArrays, IndexOptions, Key, KeyKind, KeyOf, Keys, Metric, ModuleSource, OpenOptions, Outside,
  SaveOptions, SearchOptions, Vector, Vectors, VectorSource } from './base.js';
export type { JobOptions } from './jobs.js';
export type { Node, Report, SearchStats } from './more.js';
export type { Stats } from './whole.js';
/** @internal */
export { Handle as _Handle, hasSimd as _hasSimd, loadSync as _loadSync, provide as _provide,
  provideWhole as _provideWhole, use as _use } from './base.js';
