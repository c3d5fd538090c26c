// seat.mjs - one contender with one set, in a process of Node or a page: built once, asked again
// SPDX-License-Identifier: MIT OR Apache-2.0
import { K } from './terms.mjs';

/** env: load(path) a module, bytes(path) a file, page whether this is one. */
export class Seat {
  constructor(env) { this.env = env; }

  async sit({ peer, options = {} }, set) {
    const { env } = this;
    const floats = async (name) => {
      const { buffer, byteOffset, byteLength } = await env.bytes(`sets/${set.name}.${name}`);
      return new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
    };
    this.rows = await floats('base');
    const { open } = await env.load(`bench/peers/${peer}.mjs`);
    const began = performance.now();
    this.one = await open(env, set, options);
    this.openMs = performance.now() - began;
    this.queries = this.one.queries(await floats('queries'));
    this.ids = new Int32Array(this.queries.length * K);
    return { openMs: this.openMs };
  }

  async build() {
    await this.one.build(this.rows);
  }

  /** Bytes of memory behind a build, and those of the index once it is opened. */
  async settle() {
    const built = this.one.memoryBytes();
    await this.one.settle?.();
    return { built, opened: this.one.memoryBytes() };
  }

  /** All queries `times` times. */
  pass(effort, times = 1) {
    const { one, queries, ids } = this;
    one.effort(effort);
    for (let pass = 0; pass < times; pass++) {
      for (let q = 0; q < queries.length; q++) one.search(queries[q], ids, q * K);
    }
  }

  /** The ids that the queries find. */
  answers(effort) {
    this.ids.fill(-1);
    this.pass(effort);
    return Array.from(this.ids);
  }
}
