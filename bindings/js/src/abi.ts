// abi.ts - nigh.h for TypeScript
// SPDX-License-Identifier: MIT OR Apache-2.0
// Generated from abi/nigh.h by abi/generate.py. Do not edit.

/** A place in the module's memory, in bytes; 0 is NULL. */
export type Pointer = number;

export const NIGH_OK = 0;
/** an argument or a configuration field is out of range */
export const NIGH_E_INVALID = -1;
/** the memory handed in is too small or not aligned to 64 bytes */
export const NIGH_E_MEMORY = -2;
/** no room left: grow the index, then go on */
export const NIGH_E_FULL = -3;
/** no such key */
export const NIGH_E_NOT_FOUND = -4;
/** the key is there already */
export const NIGH_E_EXISTS = -5;
/** NaN, infinity, or a zero vector under cosine */
export const NIGH_E_VECTOR = -6;
/** a callback failed or gave no address */
export const NIGH_E_FETCH = -7;
/** not a nigh image, or of an unknown version */
export const NIGH_E_FORMAT = -8;
/** an image whose checksum or structure does not hold */
export const NIGH_E_CORRUPT = -9;
/** dim, dtype, metric or count differ from what the image says */
export const NIGH_E_MISMATCH = -10;
/** the handle has no writer state, or the image is read-only */
export const NIGH_E_READ_ONLY = -11;
/** another thread is writing what this call needs to itself */
export const NIGH_E_BUSY = -12;
/** the image holds no vectors and no source is set */
export const NIGH_E_NO_VECTORS = -13;
/** compiled or running with float rules that change results */
export const NIGH_E_BUILD = -14;
/** this machine, build or metric cannot do that */
export const NIGH_E_UNSUPPORTED = -15;
/** the write callback failed */
export const NIGH_E_WRITE = -16;
/** the session is too small for this call */
export const NIGH_E_SESSION = -17;
/** an empty, too long or unrepresentable key */
export const NIGH_E_KEY = -18;
/** the image was left in the middle of changes: only check opens it */
export const NIGH_E_OPEN = -19;
/** the key is known but removed */
export const NIGH_E_DELETED = -20;
/** this and below: the caller's callbacks' own */
export const NIGH_E_USER = -1000;

// nigh_config.metric. Smaller is nearer for all of them.
/** sum (a-b)^2 */
export const NIGH_METRIC_L2 = 1;
/** 1 - sum a*b */
export const NIGH_METRIC_IP = 2;
/** 1 - cos(a, b), in [0, 2] */
export const NIGH_METRIC_COSINE = 3;
/** sum |a-b| */
export const NIGH_METRIC_L1 = 4;
/** bits that differ; NIGH_DTYPE_B1 only */
export const NIGH_METRIC_HAMMING = 5;
/** nigh_index_distance */
export const NIGH_METRIC_CUSTOM = 6;

// nigh_config.dtype.
export const NIGH_DTYPE_F32 = 1;
/** IEEE binary16 */
export const NIGH_DTYPE_F16 = 2;
/** the upper half of an f32 */
export const NIGH_DTYPE_BF16 = 3;
/** dim int8 padded to 4, float scale, int32 zero: scale * (x - zero) */
export const NIGH_DTYPE_I8 = 4;
/** integers 0..255 */
export const NIGH_DTYPE_U8 = 5;
/** dim bits, lowest first; bits beyond dim are 0 */
export const NIGH_DTYPE_B1 = 6;

// nigh_config.keys.
export const NIGH_KEYS_U64 = 0;
/** strings of 1..key_bytes_max bytes */
export const NIGH_KEYS_BYTES = 1;
/** the key is the slot, nothing is stored; insert: NULL or the next */
export const NIGH_KEYS_IDENTITY = 2;

// nigh_config.vectors.
/** kept in the image */
export const NIGH_VECTORS_OWNED = 0;
/** borrowed or fetched: nigh_index_borrow, nigh_index_fetch */
export const NIGH_VECTORS_EXTERNAL = 1;

// nigh_config.codes: small copies of the vectors to search on; what is found is scored again
// ("reranked") on the true vectors, which may stay in slow memory.
export const NIGH_CODES_NONE = 0;
/** a byte an element, one scale for the index: not B1, HAMMING, CUSTOM */
export const NIGH_CODES_U7 = 1;
/** a bit an element: for high dimensions, and with a deep rerank */
export const NIGH_CODES_B1 = 2;

// nigh_config.build_flags.
/** rows are filled up with neighbours that selection refused */
export const NIGH_BUILD_KEEP_PRUNED = 1;
/** links are chosen on the true vectors, not on codes or a draft */
export const NIGH_BUILD_EXACT = 2;
/**
 * the graph is as a file of hnswlib holds it: no node has a parent. Searches, remove and save
 * do not mind; insert, set, BUILD, REFINE and VACUUM want NIGH_JOB_ROOT before
 * (NIGH_E_UNSUPPORTED)
 */
export const NIGH_BUILD_UNROOTED = 4;

// Bits of nigh_options.features and of nigh_features().
/** always; alone it forces the scalar kernels */
export const NIGH_CPU_SCALAR = 1;
export const NIGH_CPU_SSE41 = 2;
/** with F16C */
export const NIGH_CPU_AVX2 = 4;
/** F, BW, VL, DQ */
export const NIGH_CPU_AVX512 = 8;
/** AVX512-VNNI */
export const NIGH_CPU_VNNI = 16;
/** AVX512-VPOPCNTDQ */
export const NIGH_CPU_VPOPCNT = 32;
export const NIGH_CPU_NEON = 64;
/** AArch64 dot product */
export const NIGH_CPU_DOTPROD = 128;
/** WebAssembly */
export const NIGH_CPU_SIMD128 = 256;
/** 32-bit ARM: pairs of halfwords, Cortex-M4 and M7 */
export const NIGH_CPU_DSP = 512;
/** Helium: Cortex-M55 */
export const NIGH_CPU_MVE = 1024;

// nigh_options.flags.
/** nigh_attach: the image memory may be stored to, in place */
export const NIGH_OPEN_WRITABLE = 1;
/** nigh_attach: take an image left open, for nigh_check only */
export const NIGH_OPEN_UNSEALED = 2;
/** nigh_attach: verify every block's checksum, O(bytes) */
export const NIGH_OPEN_VERIFY = 4;

// flags of insert and set
export const NIGH_REPLACE_DELETED = 1;
export const NIGH_SET_EXCLUSIVE = 2;

// nigh_search_options.flags.
export const NIGH_SEARCH_EXACT = 1;
export const NIGH_SEARCH_RADIUS = 2;
export const NIGH_SEARCH_NO_CODES = 4;
/** by codes alone: vectors may be absent, distances are those of codes */
export const NIGH_SEARCH_CODES = 8;

// nigh_session_options.flags
export const NIGH_SESSION_READ = 1;
export const NIGH_SESSION_SMALL = 2;

// nigh_job_options.kind.
/** inserts many vectors: the same bytes however many threads run it */
export const NIGH_JOB_BUILD = 1;
/** makes the codes of an index that has none, or drops them */
export const NIGH_JOB_CODES = 2;
/** chooses the links of layer 0 anew, knowing all nodes */
export const NIGH_JOB_REFINE = 3;
/** takes removed keys out for good; their slots are free for others */
export const NIGH_JOB_VACUUM = 4;
/** gives the nodes of an UNROOTED index their parents */
export const NIGH_JOB_ROOT = 5;

// nigh_progress.state.
/** call nigh_job_run again */
export const NIGH_JOB_MORE = 1;
/** others are at work and nothing is free: again after a moment */
export const NIGH_JOB_WAIT = 2;
export const NIGH_JOB_DONE = 3;

// Flags of save.
/** without vectors: whoever attaches it brings them */
export const NIGH_SAVE_GRAPH_ONLY = 1;
/** read-only, links of as few bits as they need */
export const NIGH_SAVE_PACKED = 2;

// of nigh_header
export const NIGH_HEADER_BYTES = 512;

// flags of hnswlib_write: 32-bit size_t
export const NIGH_HNSWLIB_32 = 1;

// nigh_store_options.flags: begin anew
export const NIGH_STORE_FORMAT = 1;

// flags of nigh_node
export const NIGH_NODE_DELETED = 1;
export const NIGH_NODE_FREE = 2;

/** What an index is. Every field is stored in the image and changes its bytes. */
export const nigh_config = {
  size: 80,
  kinds: "uuuuuuuuuuuuUuufffu",
  struct_size: 0,
  dim: 4,
  metric: 8,
  dtype: 12,
  keys: 16,
  vectors: 20,
  m: 24,
  m0: 28,
  ef_build: 32,
  expansions: 36,
  block_bytes: 40,
  key_bytes_max: 44,
  seed: 48,
  codes: 56,
  build_flags: 60,
  alpha: 64,
  code_min: 68,
  code_max: 72,
  reserved: 76,
} as const;

/** How this process uses an image. Nothing here changes bytes or results. */
export const nigh_options = {
  size: 20,
  kinds: "uuuuu",
  struct_size: 0,
  slot_max: 4,
  features: 8,
  flags: 12,
  upper_extra: 16,
} as const;

/** What a session can do. */
export const nigh_session_options = {
  size: 20,
  kinds: "uuuuu",
  struct_size: 0,
  ef_max: 4,
  frontier_max: 8,
  flags: 12,
  lanes: 16,
} as const;

/** How to search. */
export const nigh_search_options = {
  size: 32,
  kinds: "uuuufuuf",
  struct_size: 0,
  ef: 4,
  expansions: 8,
  flags: 12,
  radius: 16,
  expansions_max: 20,
  rerank: 24,
  gamma: 28,
} as const;

/** What the last call on a session cost. */
export const nigh_session_stats = {
  size: 28,
  kinds: "uuuuuuu",
  struct_size: 0,
  distances: 4,
  expansions: 8,
  fetches: 12,
  truncated: 16,
  scanned: 20,
  reranked: 24,
} as const;

/** What an index holds now. */
export const nigh_stats = {
  size: 80,
  kinds: "uuuuuuuuuuuuUUUuu",
  struct_size: 0,
  slot_count: 4,
  live_count: 8,
  deleted_count: 12,
  free_count: 16,
  slot_capacity: 20,
  slot_max: 24,
  level_max: 28,
  entry_slot: 32,
  upper_count: 36,
  features: 40,
  writable: 44,
  key_bytes: 48,
  key_capacity: 56,
  image_bytes: 64,
  codes: 72,
  code_clamped: 76,
} as const;

/** What nigh_check found; `status` tells whether the index is sound. */
export const nigh_report = {
  size: 40,
  kinds: "uiuuuuUU",
  struct_size: 0,
  status: 4,
  slot: 8,
  level: 12,
  fault: 16,
  unreachable: 20,
  link_count: 24,
  blocks_checked: 32,
} as const;

/** What a job is to do. */
export const nigh_job_options = {
  size: 32,
  kinds: "uuuffuuf",
  struct_size: 0,
  kind: 4,
  codes: 8,
  code_min: 12,
  code_max: 16,
  vector_stride: 20,
  ef: 24,
  alpha: 28,
} as const;

/** What a file of hnswlib holds. */
export const nigh_hnswlib = {
  size: 56,
  kinds: "uuuuuuuuUUU",
  struct_size: 0,
  bits: 4,
  slot_count: 8,
  deleted_count: 12,
  upper_count: 16,
  upper_extra: 20,
  identity: 24,
  vector_stride: 28,
  vector_offset: 32,
  label_max: 40,
  max_elements: 48,
} as const;

/** How far a job is. */
export const nigh_progress = {
  size: 24,
  kinds: "uuUU",
  struct_size: 0,
  state: 4,
  done: 8,
  total: 16,
} as const;

/** What a store lies on. */
export const nigh_store_options = {
  size: 24,
  kinds: "uuuuuu",
  struct_size: 0,
  flags: 4,
  page_bytes: 8,
  page_count: 12,
  program_bytes: 16,
  super_count: 20,
} as const;

/** How a store is, and what it cost since it was opened. */
export const nigh_store_stats = {
  size: 80,
  kinds: "uuuuuuUUUUUuuuu",
  struct_size: 0,
  page_bytes: 4,
  page_count: 8,
  page_used: 12,
  page_free: 16,
  filled: 20,
  generation: 24,
  written_bytes: 32,
  write_count: 40,
  erase_count: 48,
  sync_count: 56,
  bad_region: 64,
  bad_block: 68,
  bad_page: 72,
  reserved: 76,
} as const;

/** What the module exports. Callbacks are numbers of its function table. */
export interface NighExports {
  memory: WebAssembly.Memory;
  /** major << 16 | minor << 8 | patch. */
  nigh_version(): number;
  /** One English sentence for a status, static; never NULL. */
  nigh_status_text(status: number): Pointer;
  /** NIGH_CPU_* that this machine has, as far as can be known without an operating system. */
  nigh_features(): number;
  /** Bytes of one row. */
  nigh_row_bytes(dim: number, dtype: number, bytes: Pointer): number;
  /**
   * Converts between f32 and rows of `dtype`: to it (I8 with the scale and zero point that
   * span each vector, U8 rounded and clamped, B1 x > 0) when `rows_in` is NULL, else from it.
   */
  nigh_convert(dim: number, dtype: number, count: number, floats_in: Pointer, rows_out: Pointer, rows_in: Pointer, floats_out: Pointer): number;
  /** Bytes of a handle for options->slot_max slots (1 or more). */
  nigh_index_bytes(config: Pointer, options: Pointer, bytes: Pointer): number;
  /** An empty index. It has no room yet: see nigh_grow. No destroy: drop the memory. */
  nigh_index_init(config: Pointer, options: Pointer, memory: Pointer, memory_bytes: bigint, index: Pointer): number;
  /** Bytes of a handle for an image. */
  nigh_attach_bytes(image: Pointer, image_bytes: bigint, options: Pointer, bytes: Pointer): number;
  /**
   * Uses an image where it lies (64-byte aligned: memory, a mapped file, flash). Header, sizes
   * and directory are verified in O(blocks); whatever the rest holds, searches stay inside the
   * image. The image must outlive the handle.
   */
  nigh_attach(image: Pointer, image_bytes: bigint, options: Pointer, memory: Pointer, memory_bytes: bigint, index: Pointer): number;
  /**
   * Uses an index whose blocks a pager holds, one by one, instead of an image that lies in a
   * row: `header` is what nigh_header once gave (nigh_attach_bytes takes it too). map is
   * called for every block in use, in order, each whole; what it gives must be what the index
   * stored there, and is believed as that of an image is. A failed call leaves nothing behind.
   * nigh_grow with memory NULL asks for new ones. With NIGH_OPEN_WRITABLE and a writer state
   * the index may be changed. A header says how many blocks there are, and a handle wants 8
   * bytes and more for each: one from a stranger may say millions (nigh_attach_bytes:
   * gigabytes) where there are none. Look whether the blocks are there, or at that size,
   * before memory is allocated.
   */
  nigh_attach_blocks(header: Pointer, header_bytes: bigint, options: Pointer, map: Pointer, dirty: Pointer, user: Pointer, memory: Pointer, memory_bytes: bigint, index: Pointer): number;
  /**
   * Block memory that nigh_grow needs to hold `slots` slots in total, and key_bytes bytes of
   * byte-string keys: the lengths of all ever stored (nigh_stats.key_bytes) and of those to
   * come. Rounded up to whole blocks, but for slots == slot_max.
   */
  nigh_grow_bytes(index: Pointer, slots: number, key_bytes: bigint, bytes: Pointer): number;
  /**
   * Donates block memory, kept until the index is dropped; searches and writers go on
   * meanwhile. Huge pages (2 MiB aligned, advised) are worth 8-16 % of search time. memory
   * NULL: the pager's; that, and the first growth of an attached image, want no writer beside
   * them.
   */
  nigh_grow(index: Pointer, slots: number, key_bytes: bigint, memory: Pointer, memory_bytes: bigint): number;
  /** Bytes of the writer state. */
  nigh_writer_bytes(index: Pointer, bytes: Pointer): number;
  /** Makes the handle writable; the memory stays with it. */
  nigh_writer_init(index: Pointer, memory: Pointer, memory_bytes: bigint): number;
  /** Bytes of a session. */
  nigh_session_bytes(index: Pointer, options: Pointer, bytes: Pointer): number;
  /** A session for one thread at a time; it serves only this index and lives at most as long. */
  nigh_session_init(index: Pointer, options: Pointer, memory: Pointer, memory_bytes: bigint, session: Pointer): number;
  /**
   * Vectors in the caller's array: slot s at base + s * stride, never copied. `count` rows are
   * there; searching needs at least slot_count of them. Slots count in the order of insertion,
   * keys play no part: where rows are in another order, say that of keys, it takes
   * nigh_index_fetch, which is told both. Call before searching, or when no call runs.
   * trailer_offset: I8 only, where a row's scale and zero lie; 0 = scale 1, zero 0.
   */
  nigh_index_borrow(index: Pointer, base: Pointer, stride: bigint, count: number, trailer_offset: number): number;
  /** Vectors by callback. */
  nigh_index_fetch(index: Pointer, fetch: Pointer, prefetch: Pointer, user: Pointer): number;
  /** The function of NIGH_METRIC_CUSTOM; not stored in the image. */
  nigh_index_distance(index: Pointer, distance: Pointer, user: Pointer): number;
  /**
   * Where blocks come from (nigh_grow with memory NULL) and who hears of the first store to
   * each. Either may be NULL. With `dirty` one call writes at a time: others beside it get
   * NIGH_E_BUSY. Call before the first nigh_grow.
   */
  nigh_index_pager(index: Pointer, map: Pointer, dirty: Pointer, user: Pointer): number;
  /**
   * Inserts `count` vectors in order, up to the first failure, which changes nothing of its
   * own. vectors NULL: each is read from the source, which has it already (external vectors;
   * those of a borrowed array are always read there). keys NULL: identity keys, the next
   * slots. flags NIGH_REPLACE_DELETED: takes the lowest removed slot, if any; its key is
   * forgotten.
   */
  nigh_insert(index: Pointer, session: Pointer, flags: number, keys: Pointer, key_lengths: Pointer, vectors: Pointer, count: number, done: Pointer): number;
  /**
   * Inserts, or gives a known key (removed ones too: they come back) a new vector and new
   * links. For external vectors of a known key: change the vector first, while no other call
   * runs, and pass NIGH_SET_EXCLUSIVE. Arguments and errors as nigh_insert.
   */
  nigh_set(index: Pointer, session: Pointer, flags: number, keys: Pointer, key_lengths: Pointer, vectors: Pointer, count: number, done: Pointer): number;
  /** Marks keys removed: they are no longer found, their nodes still lead searches on. */
  nigh_remove(index: Pointer, session: Pointer, keys: Pointer, key_lengths: Pointer, count: number, done: Pointer): number;
  /** Takes remove back.  Arguments as nigh_remove. */
  nigh_unremove(index: Pointer, session: Pointer, keys: Pointer, key_lengths: Pointer, count: number, done: Pointer): number;
  /**
   * Slots that this session's searches may return: bit s of `bits` for slot s < slot_count
   * (others are refused), or `filter`, or with both NULL all again. Kept by reference until
   * changed; call again when bits change, since how many are set decides how to search.
   */
  nigh_session_filter(session: Pointer, bits: Pointer, slot_count: number, filter: Pointer, user: Pointer): number;
  /**
   * The k (1..ef_max) nearest live keys, nearest first, equal distances by slot. Fewer than k
   * is a result, and means that there are no more: where a filter or removed nodes leave the
   * graph search short, the rest is found by scanning. An ef below k counts as k.
   */
  nigh_search(index: Pointer, session: Pointer, query: Pointer, options: Pointer, k: number, keys: Pointer, key_lengths: Pointer, distances: Pointer, slots: Pointer, found: Pointer): number;
  /**
   * The same for `count` queries, one after another in `queries`. Those under way take turns
   * (see nigh_session_options.lanes): while one waits for memory another one computes. Answers
   * are those of single searches. Query q has its hits from place q * k on in each array
   * (byte-string keys from q * k * key_bytes_max on) and found[q] of them. Ends at the first
   * failure: *done are answered.
   */
  nigh_search_batch(index: Pointer, session: Pointer, queries: Pointer, count: number, options: Pointer, k: number, keys: Pointer, key_lengths: Pointer, distances: Pointer, slots: Pointer, found: Pointer, done: Pointer): number;
  /**
   * Begins to hand out neighbours nearest first; `query` must stay until the cursor is done.
   * Any other search or change with the session ends it.
   */
  nigh_cursor_begin(index: Pointer, session: Pointer, query: Pointer, options: Pointer): number;
  /**
   * The next `k` neighbours; *found < k means that there are no more. Order is exact among
   * what the beam of `ef` has seen: a neighbour discovered late comes late. Outputs as
   * nigh_search.
   */
  nigh_cursor_next(index: Pointer, session: Pointer, k: number, keys: Pointer, key_lengths: Pointer, distances: Pointer, slots: Pointer, found: Pointer): number;
  /**
   * Finds out what is fastest on this machine for this index: which cache level rows are
   * fetched into and how much of each ahead, and how many lanes nigh_search_batch uses. Some
   * dozen stored vectors are searched in each way, in turns; below 0.2 s. Changes no result
   * and nothing that is stored. Call it while no other call runs.
   */
  nigh_tune(index: Pointer, session: Pointer, clock: Pointer, user: Pointer): number;
  /** What the session's last call cost. */
  nigh_session_stats_get(session: Pointer, stats: Pointer): number;
  /** Bytes of a job's memory. Arguments as nigh_job_begin. */
  nigh_job_bytes(index: Pointer, options: Pointer, count: number, bytes: Pointer): number;
  /**
   * Begins long work, which any number of threads then do with nigh_job_run. Searches go on;
   * writers get NIGH_E_BUSY until nigh_job_end. `memory` stays with the job, that of a CODES
   * job with the index for good. BUILD: inserts keys and vectors as nigh_insert does, but in
   * batches that search a frozen graph, so the links differ from those of single inserts; keys
   * and vectors must stay until the end. It ends at the first vector or key that nigh_insert
   * would refuse, after all before it. BUILD of an empty index and REFINE: floats without
   * codes have a draft of them in the job's memory (a byte an element), which is two to three
   * times as fast. Others: count 0. CODES: an index without vectors gets codes that want a
   * sample by its first BUILD, or by CODES again when there are some; what nigh_grow adds room
   * for meanwhile has none for codes (grow again); a handle without writer state will do;
   * after codes were dropped, let the searches under way end before others are made.
   */
  nigh_job_begin(index: Pointer, options: Pointer, keys: Pointer, key_lengths: Pointer, vectors: Pointer, count: number, memory: Pointer, memory_bytes: bigint, job: Pointer): number;
  /**
   * Runs one task, at most some milliseconds. Each thread brings its own session, one that can
   * insert and has room for the codes that there are, or a draft (CODES: any; REFINE, VACUUM:
   * not SMALL; REFINE: ef_max at least 512 and ef). A failed call may be repeated; between
   * calls the index is whole, so a job may also be ended before it is done: what is in stays
   * in.
   */
  nigh_job_run(job: Pointer, session: Pointer, progress: Pointer): number;
  /** Lets writers in again. The job's memory may be reused, but for CODES. */
  nigh_job_end(job: Pointer): number;
  /** Every configuration value, defaults filled in. */
  nigh_config_get(index: Pointer, config: Pointer): number;
  nigh_stats_get(index: Pointer, stats: Pointer): number;
  /**
   * The rows of keys, bit-identical to what was stored, and their slots. vectors NULL: only
   * asks whether they are there.
   */
  nigh_get(index: Pointer, session: Pointer, keys: Pointer, key_lengths: Pointer, count: number, vectors: Pointer, slots: Pointer, done: Pointer): number;
  /**
   * Live keys in slot order, from slot `from` on; go on from slots[found - 1] + 1 until found
   * is 0.
   */
  nigh_keys(index: Pointer, from: number, count: number, keys: Pointer, key_lengths: Pointer, slots: Pointer, found: Pointer): number;
  /** A node: its top layer, NIGH_NODE_* flags, and its neighbours in `level`. */
  nigh_node(index: Pointer, slot: number, level: number, top: Pointer, flags: Pointer, links: Pointer, link_count: Pointer): number;
  /**
   * Proves bounds, degrees, key uniqueness, checksums (of an image attached and not changed
   * since), that codes are those of owned vectors, and that every node is reachable, in one
   * pass over the index. Never prints. A broken index is a report, not an error.
   */
  nigh_check(index: Pointer, session: Pointer, report: Pointer): number;
  /** Exact size of what nigh_save writes with the same flags. */
  nigh_save_bytes(index: Pointer, flags: number, bytes: Pointer): number;
  /**
   * Writes the canonical image through `write`, front to back. The same content gives the same
   * bytes. PACKED: an image that is attached like any other and answers the same, but never
   * changes (writer state and growth: NIGH_E_READ_ONLY). Saved without the flag it is the
   * image that was packed.
   */
  nigh_save(index: Pointer, flags: number, write: Pointer, user: Pointer): number;
  /**
   * The header of the index as it is now, for nigh_attach_blocks: what a pager stores besides
   * the blocks. One that writes changed blocks back asks for it, writes both, then calls
   * nigh_seal.
   */
  nigh_header(index: Pointer, header: Pointer): number;
  /**
   * Ends the changes to an image attached in place: checksums and state word hold again.
   * Flushing it to a disk is the caller's. With a pager: every block counts as clean again.
   */
  nigh_seal(index: Pointer): number;
  /**
   * Looks at a file of hnswlib (0.6 to 0.8, written where size_t has 64 or 32 bits; `file`
   * needs no alignment). It does not say what it holds, so config->dim, metric and dtype do:
   * F32 with L2, IP or COSINE, U8 with L2. Completes *config for an index that
   * nigh_hnswlib_read can fill: m, m0 and ef_build are the file's, other fields of the caller
   * stay. Such an index wants room for at least hnswlib->slot_count slots, and
   * hnswlib->upper_extra among its options. O(elements).
   */
  nigh_hnswlib_config(file: Pointer, file_bytes: bigint, config: Pointer, hnswlib: Pointer): number;
  /**
   * Fills an empty, writable index without codes and with u64 or identity keys: the same links
   * in the same order, the same layers, labels as keys, deleted elements removed. With
   * external vectors the file's are not looked at, and it may have none (labels are where
   * vectors would be). Everything is verified; a file that is refused leaves the index empty.
   * From the second element on it is NIGH_BUILD_UNROOTED. The file is not needed any more,
   * unless its vectors are borrowed. Searches with expansions 1 answer as hnswlib does at the
   * same ef. COSINE: vectors are as hnswlib normalised them.
   */
  nigh_hnswlib_read(index: Pointer, file: Pointer, file_bytes: bigint): number;
  /**
   * Writes the index as a file of hnswlib, front to back: keys are labels (identity: slots),
   * removed nodes are deleted elements, and so are free slots, under labels from the highest
   * down that no key has. COSINE: each row is normalised, but those whose norm is 1.
   * max_elements: what the file says, raised to the number of slots. flags: NIGH_HNSWLIB_32 or
   * 0. Reading what was written and NIGH_JOB_ROOT give the same graph again.
   */
  nigh_hnswlib_write(index: Pointer, session: Pointer, flags: number, max_elements: bigint, write: Pointer, user: Pointer): number;
  /** Bytes of a store's memory: about 8.3 a page, and two pages. */
  nigh_store_bytes(options: Pointer, bytes: Pointer): number;
  /**
   * Page bytes, count and superblocks of the store on a device of so many bytes, into
   * *options.
   */
  nigh_store_find(read: Pointer, user: Pointer, device_bytes: bigint, options: Pointer): number;
  /**
   * Finds the newest state on the device, or with NIGH_STORE_FORMAT begins an empty store,
   * whatever was there. write and sync NULL: read-only. erase NULL: pages may be overwritten
   * as they are, and the lowest free ones are taken; else they are taken in turns, so that all
   * wear alike.
   */
  nigh_store_open(options: Pointer, read: Pointer, write: Pointer, erase: Pointer, sync: Pointer, user: Pointer, memory: Pointer, memory_bytes: bigint, store: Pointer): number;
  /**
   * The same store on a device that has become larger, in other memory of the size that
   * nigh_store_bytes says; what it was in is free. Indexes know no difference.
   */
  nigh_store_grow(store: Pointer, page_count: number, memory: Pointer, memory_bytes: bigint, grown: Pointer): number;
  nigh_store_stats_get(store: Pointer, stats: Pointer): number;
  /** Bytes of a handle and of the blocks of the index in the store. */
  nigh_store_attach_bytes(store: Pointer, options: Pointer, bytes: Pointer, block_bytes: Pointer): number;
  /**
   * Reads the index of the last commit into `blocks`, verifies every page, and follows it: the
   * next commit looks only at what changed since. To change it: NIGH_OPEN_WRITABLE, a writer
   * state, and nigh_grow, which has memory donated; then one call writes at a time, others get
   * NIGH_E_BUSY.
   */
  nigh_store_attach(store: Pointer, options: Pointer, memory: Pointer, memory_bytes: bigint, blocks: Pointer, block_bytes: bigint, index: Pointer): number;
  /**
   * Makes the store hold the index as it is now. Any index will do: one that this store does
   * not follow is compared page by page, and followed from then on if it has a writer state
   * and no pager (a store, too, wants one writing call at a time). Searches go on meanwhile.
   * After a failure the index in memory is as it was, the device holds the state before or
   * after, and the call may be repeated.
   */
  nigh_store_commit(store: Pointer, index: Pointer): number;
}
