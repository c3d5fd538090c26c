// embed.ts - texts as vectors: all-MiniLM-L6-v2 by ONNX Runtime, on one thread of this worker
// SPDX-License-Identifier: MIT OR Apache-2.0
import * as ort from 'onnxruntime-web/wasm';
import glue from 'onnxruntime-web/ort-wasm-simd-threaded.mjs?url';
import { Pieces } from './pieces.js';

const PIECES_MAX = 64;

export class Embedder {
  private constructor(private readonly session: ort.InferenceSession, private readonly pieces: Pieces) {}

  static async create(model: Uint8Array, pieces: Uint8Array,
    runtime: Uint8Array): Promise<Embedder> {
    ort.env.wasm.numThreads = 1; // more need headers that plain static hosts do not send
    ort.env.wasm.wasmPaths = { mjs: new URL(glue, import.meta.url).href };
    ort.env.wasm.wasmBinary = runtime;
    const session = await ort.InferenceSession.create(model, { executionProviders: ['wasm'] });
    const embedder = new Embedder(session, new Pieces(new TextDecoder().decode(pieces)));
    await embedder.vector('the first run is the slowest');
    return embedder;
  }

  async vector(text: string): Promise<Float32Array> {
    const ids = this.pieces.of(text, PIECES_MAX);
    const input = new ort.Tensor('int64', BigInt64Array.from(ids, BigInt), [1, ids.length]);
    const { vector } = await this.session.run({ ids: input });
    return vector!.data as Float32Array;
  }
}
