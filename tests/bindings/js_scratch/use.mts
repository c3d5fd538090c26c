// use.mts - the package's types, as a strict compiler sees them; test_js.py compiles it far from here
// SPDX-License-Identifier: MIT OR Apache-2.0
import { Index, NighError, type Hit, type IndexOptions, type SearchOptions } from 'nigh';
import { Index as Slim } from 'nigh/slim';
import { fileVectors, open, openStore, save } from 'nigh/node';
import { httpVectors, idbStores, nearestAsync, opfsStores, searchAsync, type FileVectors, type Stored,
  type StoreStats } from 'nigh/storage';
import { HierarchicalNSW, type SearchResult } from 'nigh/hnswlib';
import { Host, Index as Remote, type WorkerSearchOptions } from 'nigh/worker';

const options: IndexOptions = { dim: 3, metric: 'cosine', codes: 'u7' };
const numbers: Index<number> = await Index.create(options);
const strings: Index<string> = await Index.create({ dim: 3, keys: 'string' });
const bigints: Index<bigint> = await Index.create({ dim: 3, keys: 'bigint', seed: 5n });
numbers.add(1, Float32Array.of(1, 2, 3));
numbers.add([2, 3], [[1, 2, 3], [4, 5, 6]]);
numbers.add(new Uint32Array([4]), new Float64Array(3));
strings.add(new Set(['a']), new Int8Array(3));
bigints.add(7n, [1, 2, 3]);
// @ts-expect-error keys of another kind
numbers.add('a', [1, 2, 3]);
// @ts-expect-error no such metric
await Index.create({ dim: 3, metric: 'euclid' });
const search: SearchOptions<string> = { k: 3, filter: (key: string) => key.startsWith('a') };
const hits: Hit<string>[] = strings.search([1, 2, 3], search);
const key: string = hits[0]!.key;
const found: number = numbers.searchInto([1, 2, 3], { keys: new Float64Array(2),
  distances: new Float32Array(2) });
for (const { key: near, distance } of bigints.nearest([1, 2, 3])) {
  const both: [bigint, number] = [near, distance];
  if (both[1] > 1) break;
}
const vector: Float32Array | undefined = numbers.get(1);
await numbers.build([5], [[1, 2, 3]], { onProgress: (done: number, total: number) => done / total,
  signal: new AbortController().signal });
const outside = await Index.create({ dim: 3, keys: 'bigint', vectors: {
  fetch(slots: Uint32Array, keys: bigint[] | undefined, out) { out.set([slots[0]!, keys!.length]); } } });
const own = await Index.create({ dim: 3, metric: (a, b) => Math.abs(a[0]! - b[0]!) });
const again = await Index.open(new Blob([]), { keys: 'string' }).catch((error: unknown) => {
  if (error instanceof NighError) return [error.code, error.status, error.done] as const;
  throw error;
});
const live: number = numbers.stats().liveCount + numbers.check().linkCount;
await save(strings, 'x.nigh', { packed: true });
const back: Index<string> = await open('x.nigh', { keys: 'string' });
const slim: Slim<number> = numbers;
const graph = new HierarchicalNSW('l2', 3);
graph.initIndex({ maxElements: 5, m: 8 });
const result: SearchResult = graph.searchKnn([1, 2, 3], 1, (label) => label > 1);
const host = new Host({ threads: 2, worker: new URL('https://localhost/worker-main.js') });
const remote: Remote<string> = await Remote.create({ dim: 3, keys: 'string', host });
await remote.add('a', [1, 2, 3], { transfer: true });
await remote.build(['b'], [[1, 2, 3]], { threads: 2, onProgress: (done: number) => done });
const wanted: WorkerSearchOptions<string> = { k: 3, filter: await remote.allow(['a']) };
const there: Hit<string>[] = await remote.search([1, 2, 3], wanted);
// @ts-expect-error a function cannot cross
await remote.search([1, 2, 3], { filter: (key: string) => key === 'a' });
// @ts-expect-error keys of another kind
await remote.remove(1);
for await (const { key: near, distance } of remote.nearest([1, 2, 3])) {
  const both: [string, number] = [near, distance];
  if (both[1] > 1) break;
}
const names: string[] = [];
for await (const name of remote.keys()) names.push(name);
const many: [number, number, boolean, Float32Array | undefined] = [await remote.size,
  await remote.threads, await remote.has('a'), await remote.get('a')];
const reached: number = (await remote.check()).linkCount + (await remote.stats()).liveCount;
const image: Uint8Array = await remote.save({ packed: true });
{
  await using gone = remote;
  await gone.dispose();
}
{
  using disposed = numbers;
  disposed.size;
}
const stored: Stored<string> = await opfsStores().open('x', { create: { dim: 3, keys: 'string' },
  role: 'any', wait: true });
const { generation, writtenBytes }: StoreStats = await stored.commit();
const behind: boolean = await stored.refresh() && stored.owner;
const kept: Stored<number> = await idbStores({ database: 'y' }).put('y', numbers, { replace: true });
const native = await openStore('z.store', { keys: 'bigint' });
native.index.add(1n, [1, 2, 3]);
const far = httpVectors<number>('/rows', { dim: 3, offset: 128, init: { credentials: 'include' } });
const mapped: FileVectors<number> = fileVectors('rows', { dim: 3, readOnly: true });
const graphOf = await Index.open(new Blob([]), { keys: 'number', vectors: far });
const late: Hit<number>[] = await searchAsync(graphOf, [1, 2, 3], { k: 3, signal: AbortSignal.timeout(9) });
for await (const hit of nearestAsync(graphOf, [1, 2, 3], { radius: 1 })) late.push(hit);
export { behind, generation, kept, late, mapped, writtenBytes };
export { again, back, found, image, key, live, many, outside, own, reached, result, slim, there,
  vector };
