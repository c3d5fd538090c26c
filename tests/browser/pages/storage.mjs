// storage.mjs - one index in a store, driven from outside: in a page, or in a worker by messages
// SPDX-License-Identifier: MIT OR Apache-2.0
import { Index } from '/nigh/dist/index.js';
import * as storage from '/nigh/dist/storage.js';

const kept = new Map(); // what is open, by name
let heard = 0;

/** Row i, as tests make it. */
const rowOf = (i, dim) => Float32Array.from({ length: dim }, (_, j) => Math.sin(i * 31 + j * j));
const rowsOf = (first, count, dim) => {
  const rows = new Float32Array(count * dim);
  for (let i = 0; i < count; i++) rows.set(rowOf(first + i, dim), i * dim);
  return rows;
};
const range = (first, count) => Array.from({ length: count }, (_, i) => first + i);
const hex = async (bytes) => Array.from(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)),
  (byte) => byte.toString(16).padStart(2, '0')).join('');
const stores = (kind) => (kind === 'opfs' ? storage.opfsStores() : storage.idbStores());
const file = async (name) => (await (await navigator.storage.getDirectory())
  .getDirectoryHandle('nigh', { create: true })).getFileHandle(`${name}.store`, { create: true });

const commands = {
  async open({ kind, name, ...options }) {
    const stored = await stores(kind).open(name, options);
    stored.addEventListener('commit', () => { heard++; });
    kept.set(name, stored);
    return commands.about({ name });
  },
  async about({ name }) {
    const { index, owner } = kept.get(name);
    const { size, dim } = index;
    return { owner, size, dim, status: index.check().status, sha: await hex(index.save()), heard };
  },
  add({ name, first, count }) {
    const { index } = kept.get(name);
    index.add(range(first, count), rowsOf(first, count, index.dim));
  },
  async commit({ name }) {
    const before = kept.get(name).stats.writtenBytes;
    const began = performance.now();
    const { writtenBytes, generation } = await kept.get(name).commit();
    return { bytes: writtenBytes - before, generation, ms: performance.now() - began };
  },
  refresh: ({ name }) => kept.get(name).refresh(),
  own: ({ name }) => kept.get(name).own(),
  close: ({ name }) => kept.get(name).close(),
  list: ({ kind }) => stores(kind).list(),
  delete: ({ kind, name }) => stores(kind).delete(name),
  /** Commits until it is killed; what was committed is told. */
  async loop({ name, step, told }) {
    const { index } = kept.get(name);
    for (let i = index.size / step; ; i++) {
      commands.add({ name, first: i * step, count: step });
      await kept.get(name).commit();
      await told(i);
    }
  },
  async read({ name }) {
    const reader = new FileReader();
    reader.readAsDataURL(await (await file(name)).getFile());
    await new Promise((resolve) => { reader.onload = resolve; });
    return reader.result.split(',')[1];
  },
  async write({ name, url }) {
    const handle = await (await file(name)).createSyncAccessHandle();
    handle.write(new Uint8Array(await (await fetch(url)).arrayBuffer()), { at: 0 });
    handle.flush();
    handle.close();
  },
  /** Codes and graph in memory, vectors in OPFS: the same answers, and what a read costs. */
  async vectors({ count, dim }) {
    const vectors = await storage.opfsVectors('v', { dim });
    const rows = rowsOf(0, count, dim);
    vectors.append(rows);
    const index = await Index.create({ dim, codes: 'u7', vectors });
    await index.build(range(0, count));
    const inside = await Index.create({ dim, codes: 'u7' });
    await inside.build(range(0, count), rows);
    const queries = range(0, 200).map((i) => rowOf(i * 7 + 0.25, dim));
    const same = queries.every((query) => JSON.stringify(index.search(query)) ===
      JSON.stringify(inside.search(query)));
    const timed = (one, filter) => {
      const began = performance.now();
      for (const query of queries) one.search(query, filter);
      return (performance.now() - began) / queries.length;
    };
    timed(index);
    const ms = { outside: timed(index), inside: timed(inside) };
    const out = new Float32Array(dim);
    const slots = Uint32Array.from({ length: 1 });
    const began = performance.now();
    for (let i = 0; i < 5000; i++) {
      slots[0] = (i * 7919) % count;
      vectors.fetch(slots, undefined, out);
    }
    const us = (performance.now() - began) / 5;
    const { memoryBytes } = index;
    vectors.close();
    await storage.deleteOpfsVectors('v');
    return { same, ms, us, memoryBytes, insideBytes: inside.memoryBytes };
  },
  async http({ url, image, dim }) {
    const vectors = storage.httpVectors(url, { dim });
    const index = await Index.open(image, { vectors });
    const hits = await storage.searchAsync(index, rowOf(3, dim), { k: 5 });
    return { hits, reads: vectors.reads };
  },
};

export async function call(command, options, told) {
  try {
    return { value: await commands[command]({ ...options, told }) };
  } catch (error) {
    return { error: { code: error.code ?? error.name, message: error.message } };
  }
}

if (typeof WorkerGlobalScope === 'function') {
  onmessage = async ({ data: { id, command, options } }) => {
    postMessage({ id, ...await call(command, options, (value) => postMessage({ told: value })) });
  };
  postMessage({ ready: true });
}
