// api.ts - everything that the package's entries share; which module it runs is theirs to say
// SPDX-License-Identifier: MIT OR Apache-2.0
export { NighError } from './errors.js';
export { about, Index } from './main.js';
export type { Node, OpenOptions, Report, SaveOptions } from './main.js';
export { Allowed } from './search.js';
export type { BatchArrays, Effort, Hit, HitArrays, SearchOptions, SearchStats } from './search.js';
export type { Codes, Config, Distance, Elements, IndexOptions, Metric, Outside, Stats,
  VectorSource } from './core.js';
export type { JobOptions } from './jobs.js';
export type { Key, KeyKind, KeyOf, Keys } from './keys.js';
export type { DType, Vector, Vectors } from './rows.js';
export type { ByteSource } from './bytes.js';
export { load } from './module.js';
export type { ModuleSource } from './module.js';
/** @internal */
export { hasSimd as _hasSimd, loadSync as _loadSync, provide as _provide } from './module.js';
/** @internal */
export { Handle as _Handle } from './handle.js';
