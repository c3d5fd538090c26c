// more.ts - the rest of the class Index, of what not every program wants
// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Loaded when it is needed, or at once by nigh/full. What it adds works on the whole module, to
// which an index goes with its image when it is asked for it.
import { NIGH_BUILD_EXACT, NIGH_BUILD_KEEP_PRUNED, NIGH_BUILD_UNROOTED, type nigh_config,
  type nigh_hnswlib, NIGH_HNSWLIB_32, NIGH_NODE_DELETED, NIGH_NODE_FREE, type nigh_report,
  type nigh_session_stats } from './abi.js';
import { view } from './bytes.js';
import { bigints } from './bigints.js';
import { CODES, type Config, type IndexOptions, type Metric, METRICS, putConfig,
  uint } from './core.js';
import { shapeOf } from './elements.js';
import { CONFIG, Handle, slotMaxFor } from './handle.js';
import { Jobs } from './jobs.js';
import type { Key, KeyKind } from './keys.js';
import { filled, get } from './layouts.js';
import { define, Index, type SaveOptions } from './main.js';
import { equip } from './outside.js';
import { more } from './rest.js';
import { Walk } from './walk.js';
import { type Fields, OUT } from './wasm.js';
import { type Stats, statsOf, whole } from './whole.js';

/** nigh_report of nigh.h: what `check` found. */
export type Report = Fields<typeof nigh_report>;
/** nigh_hnswlib of nigh.h: what a file says beside the index. */
export type About = Fields<typeof nigh_hnswlib>;
/** nigh_session_stats of nigh.h: what a search cost. */
export type SearchStats = Fields<typeof nigh_session_stats>;
/** A node of the graph and its neighbours in a layer. */
export interface Node { top: number; removed: boolean; free: boolean; links: Uint32Array }

export { JOB, PROGRESS } from './jobs.js';
export { STATS } from './whole.js';

/** nigh_report, nigh_session_stats and nigh_hnswlib. */
export const SPENT = 'distances expansions fetches truncated scanned reranked';
export const REPORT = 'status- slot level fault unreachable linkCount: blocksChecked:';
export const HNSWLIB = 'bits slotCount deletedCount upperCount upperExtra identity ' +
  'vectorStride vectorOffset: labelMax: maxElements:';

function readHnswlib(bytes: ArrayBuffer | ArrayBufferView, options: IndexOptions<KeyKind>):
{ index: Index<Key>; about: About } {
  const file = view(bytes)!;
  const h = new Handle();
  const [at, about] = h.run(() => {
    const from = h.alloc(file.length);
    h.u8.set(file, from);
    const config = putConfig(h, options);
    const out = h.put(OUT, HNSWLIB, {});
    h.ok(h.x.nigh_hnswlib_config(from, BigInt(file.length), config, out), 'readHnswlib');
    const found = get(h, out, HNSWLIB) as unknown as About;
    h.make(config, slotMaxFor(Math.max(found.slotCount, options.capacity ?? 0)), found.upperExtra);
    return [from, found] as const;
  });
  const index = new Index<Key>()._begin(h, options.keys, options.vectors, undefined);
  h.run(() => {
    h.writable();
    h.grow(Math.max(1, about.slotCount), 0);
    h.ok(h.x.nigh_hnswlib_read(h.index, at, BigInt(file.length)), 'readHnswlib');
    h.x.nighw_free(at);
  });
  return { index, about };
}

type Stored = Fields<typeof nigh_config>;

/** nigh_config, within a call. */
const configOf = (h: Handle): Stored =>
  filled(h, CONFIG, (at) => h.x.nigh_config_get(h.index, at)) as never;

export class More<K extends Key> extends Jobs<K> {
  /** The index as a file of hnswlib; bits: of the programs that read it. */
  writeHnswlib({ bits = 64, maxElements = 0 }: { bits?: 32 | 64; maxElements?: number } = {}):
  Uint8Array {
    uint('maxElements', maxElements, 0, 2 ** 32);
    const h = whole(this);
    return h.run(() => {
      const parts: Uint8Array[] = [];
      const session = h.sessionFor();
      h.write((bytes) => { parts.push(bytes.slice()); }, (write) => h.x.nigh_hnswlib_write(h.index,
        session, bits === 32 ? NIGH_HNSWLIB_32 : 0, BigInt(maxElements), write, 0));
      const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
      let to = 0;
      for (const part of parts) {
        out.set(part, to);
        to += part.length;
      }
      return out;
    });
  }

  stats(): Stats { return statsOf(this._open()); }

  config(): Config {
    return this._run((h) => {
      const { buildFlags, vectors: _, ...c } = configOf(h);
      const seed = h.config() + 48;
      return { ...c, external: this._external, metric: METRICS[c.metric] as Metric,
        dtype: this.dtype, keys: (['u64', 'bytes', 'identity'] as const)[c.keys]!,
        codes: CODES[c.codes] as Config['codes'],
        seed: BigInt(h.word(seed + 4)) << 32n | BigInt(h.word(seed)),
        keepPruned: (buildFlags & NIGH_BUILD_KEEP_PRUNED) > 0,
        exactBuild: (buildFlags & NIGH_BUILD_EXACT) > 0,
        unrooted: (buildFlags & NIGH_BUILD_UNROOTED) > 0 };
    });
  }

  /** What the last search cost. */
  override get searchStats(): SearchStats {
    return this._run((h) => filled(h, SPENT, (at) =>
      h.x.nigh_session_stats_get(h.sessionFor(), at))) as never;
  }

  /** The vector of a key as the index stores it: its bytes. */
  row(key: K): Uint8Array | undefined {
    const { rowBytes } = this._shape;
    return this._get(key, rowBytes, (h, row) => h.u8.slice(row, row + rowBytes));
  }

  /** Proves the structure of the index in one pass. A broken index is a report, not an error:
   * `status` 0 is sound. */
  check(): Report {
    const h = whole(this);
    return h.run(() => {
      const session = h.sessionFor();
      return filled(h, REPORT, (at) => h.x.nigh_check(h.index, session, at)) as never;
    });
  }

  /** A node of the graph, by slot. */
  node(slot: number, level = 0): Node {
    uint('slot', slot);
    uint('level', level);
    const h = whole(this);
    return h.run(() => {
      const { m, m0 } = configOf(h);
      return h.with(64 + 4 * Math.max(m, m0), (at) => {
        h.ok(h.x.nigh_node(h.index, slot, level, at, at + 4, at + 64, at + 8), 'node');
        const [top, flags, count] = [h.word(at), h.word(at + 4), h.word(at + 8)];
        return { top, removed: (flags & NIGH_NODE_DELETED) > 0, free: (flags & NIGH_NODE_FREE) > 0,
          links: h.u32.slice((at + 64) >>> 2, ((at + 64) >>> 2) + count) };
      });
    });
  }
}

const { save } = Index.prototype;
more.shape = shapeOf;
more.equip = equip;
more.bigints = bigints;
more.jobs = Jobs.prototype as never;
more.readHnswlib = readHnswlib as never;
for (const { prototype } of [Walk, Jobs, More]) {
  const { constructor: _, build: _b, makeCodes: _m, refine: _r, vacuum: _v, root: _o, ...methods } =
    Object.getOwnPropertyDescriptors(prototype) as PropertyDescriptorMap;
  Object.defineProperties(Index.prototype, methods);
}
define('save', function packed(this: Index, options: SaveOptions = {}) {
  if (options.packed) whole(this);
  return save.call(this, options);
});
