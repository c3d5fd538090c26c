-- nigh.h for LuaJIT's FFI: require('nigh')(path of the shared library)
-- SPDX-License-Identifier: MIT OR Apache-2.0
-- Generated from abi/nigh.h by abi/generate.py. Do not edit.

local ffi = require('ffi')

ffi.cdef [[
typedef int32_t nigh_status;
typedef struct nigh_store nigh_store;
typedef struct nigh_job nigh_job;
typedef struct nigh_index nigh_index;
typedef struct nigh_session nigh_session;
typedef struct { uint32_t struct_size; uint32_t dim; uint32_t metric; uint32_t dtype; uint32_t keys; uint32_t vectors; uint32_t m; uint32_t m0; uint32_t ef_build; uint32_t expansions; uint32_t block_bytes; uint32_t key_bytes_max; uint64_t seed; uint32_t codes; uint32_t build_flags; float alpha; float code_min; float code_max; uint32_t reserved; } nigh_config;
typedef struct { uint32_t struct_size; uint32_t slot_max; uint32_t features; uint32_t flags; uint32_t upper_extra; } nigh_options;
typedef struct { uint32_t struct_size; uint32_t ef_max; uint32_t frontier_max; uint32_t flags; uint32_t lanes; } nigh_session_options;
typedef struct { uint32_t struct_size; uint32_t ef; uint32_t expansions; uint32_t flags; float radius; uint32_t expansions_max; uint32_t rerank; float gamma; } nigh_search_options;
typedef struct { uint32_t struct_size; uint32_t distances; uint32_t expansions; uint32_t fetches; uint32_t truncated; uint32_t scanned; uint32_t reranked; } nigh_session_stats;
typedef struct { uint32_t struct_size; uint32_t slot_count; uint32_t live_count; uint32_t deleted_count; uint32_t free_count; uint32_t slot_capacity; uint32_t slot_max; uint32_t level_max; uint32_t entry_slot; uint32_t upper_count; uint32_t features; uint32_t writable; uint64_t key_bytes; uint64_t key_capacity; uint64_t image_bytes; uint32_t codes; uint32_t code_clamped; } nigh_stats;
typedef struct { uint32_t struct_size; int32_t status; uint32_t slot; uint32_t level; uint32_t fault; uint32_t unreachable; uint64_t link_count; uint64_t blocks_checked; } nigh_report;
typedef struct { uint32_t struct_size; uint32_t kind; uint32_t codes; float code_min; float code_max; uint32_t vector_stride; uint32_t ef; float alpha; } nigh_job_options;
typedef struct { uint32_t struct_size; uint32_t bits; uint32_t slot_count; uint32_t deleted_count; uint32_t upper_count; uint32_t upper_extra; uint32_t identity; uint32_t vector_stride; uint64_t vector_offset; uint64_t label_max; uint64_t max_elements; } nigh_hnswlib;
typedef struct { uint32_t struct_size; uint32_t state; uint64_t done; uint64_t total; } nigh_progress;
typedef struct { uint32_t struct_size; uint32_t flags; uint32_t page_bytes; uint32_t page_count; uint32_t program_bytes; uint32_t super_count; } nigh_store_options;
typedef struct { uint32_t struct_size; uint32_t page_bytes; uint32_t page_count; uint32_t page_used; uint32_t page_free; uint32_t filled; uint64_t generation; uint64_t written_bytes; uint64_t write_count; uint64_t erase_count; uint64_t sync_count; uint32_t bad_region; uint32_t bad_block; uint32_t bad_page; uint32_t reserved; } nigh_store_stats;
typedef nigh_status (*nigh_fetch_fn)(void *user, const uint32_t *slots, const uint64_t *keys, uint32_t count, void *scratch, const void **vectors);
typedef void (*nigh_prefetch_fn)(void *user, const uint32_t *slots, const uint64_t *keys, uint32_t count);
typedef float (*nigh_distance_fn)(void *user, const void *a, const void *b, uint32_t dim);
typedef int32_t (*nigh_filter_fn)(void *user, uint32_t slot, const uint64_t *key);
typedef nigh_status (*nigh_write_fn)(void *user, const void *bytes, uint64_t count);
typedef nigh_status (*nigh_map_fn)(void *user, uint32_t region, uint32_t block, uint64_t bytes, void **address);
typedef nigh_status (*nigh_dirty_fn)(void *user, uint32_t region, uint32_t block, uint64_t bytes, void **address);
typedef nigh_status (*nigh_store_read_fn)(void *user, uint64_t offset, void *bytes, uint64_t count);
typedef nigh_status (*nigh_store_write_fn)(void *user, uint64_t offset, const void *bytes, uint64_t count);
typedef nigh_status (*nigh_store_erase_fn)(void *user, uint64_t offset, uint64_t count);
typedef nigh_status (*nigh_store_sync_fn)(void *user);
typedef uint64_t (*nigh_clock_fn)(void *user);
uint32_t nigh_version(void);
const char *nigh_status_text(nigh_status status);
uint32_t nigh_features(void);
nigh_status nigh_row_bytes(uint32_t dim, uint32_t dtype, uint64_t *bytes);
nigh_status nigh_convert(uint32_t dim, uint32_t dtype, uint32_t count, const float *floats_in, void *rows_out, const void *rows_in, float *floats_out);
nigh_status nigh_index_bytes(const nigh_config *config, const nigh_options *options, uint64_t *bytes);
nigh_status nigh_index_init(const nigh_config *config, const nigh_options *options, void *memory, uint64_t memory_bytes, nigh_index **index);
nigh_status nigh_attach_bytes(const void *image, uint64_t image_bytes, const nigh_options *options, uint64_t *bytes);
nigh_status nigh_attach(void *image, uint64_t image_bytes, const nigh_options *options, void *memory, uint64_t memory_bytes, nigh_index **index);
nigh_status nigh_attach_blocks(const void *header, uint64_t header_bytes, const nigh_options *options, nigh_map_fn map, nigh_dirty_fn dirty, void *user, void *memory, uint64_t memory_bytes, nigh_index **index);
nigh_status nigh_grow_bytes(const nigh_index *index, uint32_t slots, uint64_t key_bytes, uint64_t *bytes);
nigh_status nigh_grow(nigh_index *index, uint32_t slots, uint64_t key_bytes, void *memory, uint64_t memory_bytes);
nigh_status nigh_writer_bytes(const nigh_index *index, uint64_t *bytes);
nigh_status nigh_writer_init(nigh_index *index, void *memory, uint64_t memory_bytes);
nigh_status nigh_session_bytes(const nigh_index *index, const nigh_session_options *options, uint64_t *bytes);
nigh_status nigh_session_init(const nigh_index *index, const nigh_session_options *options, void *memory, uint64_t memory_bytes, nigh_session **session);
nigh_status nigh_index_borrow(nigh_index *index, const void *base, uint64_t stride, uint32_t count, uint32_t trailer_offset);
nigh_status nigh_index_fetch(nigh_index *index, nigh_fetch_fn fetch, nigh_prefetch_fn prefetch, void *user);
nigh_status nigh_index_distance(nigh_index *index, nigh_distance_fn distance, void *user);
nigh_status nigh_index_pager(nigh_index *index, nigh_map_fn map, nigh_dirty_fn dirty, void *user);
nigh_status nigh_insert(nigh_index *index, nigh_session *session, uint32_t flags, const void *keys, const uint32_t *key_lengths, const void *vectors, uint32_t count, uint32_t *done);
nigh_status nigh_set(nigh_index *index, nigh_session *session, uint32_t flags, const void *keys, const uint32_t *key_lengths, const void *vectors, uint32_t count, uint32_t *done);
nigh_status nigh_remove(nigh_index *index, nigh_session *session, const void *keys, const uint32_t *key_lengths, uint32_t count, uint32_t *done);
nigh_status nigh_unremove(nigh_index *index, nigh_session *session, const void *keys, const uint32_t *key_lengths, uint32_t count, uint32_t *done);
nigh_status nigh_session_filter(nigh_session *session, const uint32_t *bits, uint32_t slot_count, nigh_filter_fn filter, void *user);
nigh_status nigh_search(const nigh_index *index, nigh_session *session, const void *query, const nigh_search_options *options, uint32_t k, void *keys, uint32_t *key_lengths, float *distances, uint32_t *slots, uint32_t *found);
nigh_status nigh_search_batch(const nigh_index *index, nigh_session *session, const void *queries, uint32_t count, const nigh_search_options *options, uint32_t k, void *keys, uint32_t *key_lengths, float *distances, uint32_t *slots, uint32_t *found, uint32_t *done);
nigh_status nigh_cursor_begin(const nigh_index *index, nigh_session *session, const void *query, const nigh_search_options *options);
nigh_status nigh_cursor_next(const nigh_index *index, nigh_session *session, uint32_t k, void *keys, uint32_t *key_lengths, float *distances, uint32_t *slots, uint32_t *found);
nigh_status nigh_tune(nigh_index *index, nigh_session *session, nigh_clock_fn clock, void *user);
nigh_status nigh_session_stats_get(const nigh_session *session, nigh_session_stats *stats);
nigh_status nigh_job_bytes(nigh_index *index, const nigh_job_options *options, uint32_t count, uint64_t *bytes);
nigh_status nigh_job_begin(nigh_index *index, const nigh_job_options *options, const void *keys, const uint32_t *key_lengths, const void *vectors, uint32_t count, void *memory, uint64_t memory_bytes, nigh_job **job);
nigh_status nigh_job_run(nigh_job *job, nigh_session *session, nigh_progress *progress);
nigh_status nigh_job_end(nigh_job *job);
nigh_status nigh_config_get(const nigh_index *index, nigh_config *config);
nigh_status nigh_stats_get(const nigh_index *index, nigh_stats *stats);
nigh_status nigh_get(const nigh_index *index, nigh_session *session, const void *keys, const uint32_t *key_lengths, uint32_t count, void *vectors, uint32_t *slots, uint32_t *done);
nigh_status nigh_keys(const nigh_index *index, uint32_t from, uint32_t count, void *keys, uint32_t *key_lengths, uint32_t *slots, uint32_t *found);
nigh_status nigh_node(const nigh_index *index, uint32_t slot, uint32_t level, uint32_t *top, uint32_t *flags, uint32_t *links, uint32_t *link_count);
nigh_status nigh_check(const nigh_index *index, nigh_session *session, nigh_report *report);
nigh_status nigh_save_bytes(const nigh_index *index, uint32_t flags, uint64_t *bytes);
nigh_status nigh_save(const nigh_index *index, uint32_t flags, nigh_write_fn write, void *user);
nigh_status nigh_header(const nigh_index *index, void *header);
nigh_status nigh_seal(nigh_index *index);
nigh_status nigh_hnswlib_config(const void *file, uint64_t file_bytes, nigh_config *config, nigh_hnswlib *hnswlib);
nigh_status nigh_hnswlib_read(nigh_index *index, const void *file, uint64_t file_bytes);
nigh_status nigh_hnswlib_write(const nigh_index *index, nigh_session *session, uint32_t flags, uint64_t max_elements, nigh_write_fn write, void *user);
nigh_status nigh_store_bytes(const nigh_store_options *options, uint64_t *bytes);
nigh_status nigh_store_find(nigh_store_read_fn read, void *user, uint64_t device_bytes, nigh_store_options *options);
nigh_status nigh_store_open(const nigh_store_options *options, nigh_store_read_fn read, nigh_store_write_fn write, nigh_store_erase_fn erase, nigh_store_sync_fn sync, void *user, void *memory, uint64_t memory_bytes, nigh_store **store);
nigh_status nigh_store_grow(nigh_store *store, uint32_t page_count, void *memory, uint64_t memory_bytes, nigh_store **grown);
nigh_status nigh_store_stats_get(const nigh_store *store, nigh_store_stats *stats);
nigh_status nigh_store_attach_bytes(nigh_store *store, const nigh_options *options, uint64_t *bytes, uint64_t *block_bytes);
nigh_status nigh_store_attach(nigh_store *store, const nigh_options *options, void *memory, uint64_t memory_bytes, void *blocks, uint64_t block_bytes, nigh_index **index);
nigh_status nigh_store_commit(nigh_store *store, nigh_index *index);
]]

local constants = {
  NIGH_OK = 0,
  NIGH_E_INVALID = -1,
  NIGH_E_MEMORY = -2,
  NIGH_E_FULL = -3,
  NIGH_E_NOT_FOUND = -4,
  NIGH_E_EXISTS = -5,
  NIGH_E_VECTOR = -6,
  NIGH_E_FETCH = -7,
  NIGH_E_FORMAT = -8,
  NIGH_E_CORRUPT = -9,
  NIGH_E_MISMATCH = -10,
  NIGH_E_READ_ONLY = -11,
  NIGH_E_BUSY = -12,
  NIGH_E_NO_VECTORS = -13,
  NIGH_E_BUILD = -14,
  NIGH_E_UNSUPPORTED = -15,
  NIGH_E_WRITE = -16,
  NIGH_E_SESSION = -17,
  NIGH_E_KEY = -18,
  NIGH_E_OPEN = -19,
  NIGH_E_DELETED = -20,
  NIGH_E_USER = -1000,
  NIGH_METRIC_L2 = 1,
  NIGH_METRIC_IP = 2,
  NIGH_METRIC_COSINE = 3,
  NIGH_METRIC_L1 = 4,
  NIGH_METRIC_HAMMING = 5,
  NIGH_METRIC_CUSTOM = 6,
  NIGH_DTYPE_F32 = 1,
  NIGH_DTYPE_F16 = 2,
  NIGH_DTYPE_BF16 = 3,
  NIGH_DTYPE_I8 = 4,
  NIGH_DTYPE_U8 = 5,
  NIGH_DTYPE_B1 = 6,
  NIGH_KEYS_U64 = 0,
  NIGH_KEYS_BYTES = 1,
  NIGH_KEYS_IDENTITY = 2,
  NIGH_VECTORS_OWNED = 0,
  NIGH_VECTORS_EXTERNAL = 1,
  NIGH_CODES_NONE = 0,
  NIGH_CODES_U7 = 1,
  NIGH_CODES_B1 = 2,
  NIGH_BUILD_KEEP_PRUNED = 1,
  NIGH_BUILD_EXACT = 2,
  NIGH_BUILD_UNROOTED = 4,
  NIGH_CPU_SCALAR = 1,
  NIGH_CPU_SSE41 = 2,
  NIGH_CPU_AVX2 = 4,
  NIGH_CPU_AVX512 = 8,
  NIGH_CPU_VNNI = 16,
  NIGH_CPU_VPOPCNT = 32,
  NIGH_CPU_NEON = 64,
  NIGH_CPU_DOTPROD = 128,
  NIGH_CPU_SIMD128 = 256,
  NIGH_CPU_DSP = 512,
  NIGH_CPU_MVE = 1024,
  NIGH_OPEN_WRITABLE = 1,
  NIGH_OPEN_UNSEALED = 2,
  NIGH_OPEN_VERIFY = 4,
  NIGH_REPLACE_DELETED = 1,
  NIGH_SET_EXCLUSIVE = 2,
  NIGH_SEARCH_EXACT = 1,
  NIGH_SEARCH_RADIUS = 2,
  NIGH_SEARCH_NO_CODES = 4,
  NIGH_SEARCH_CODES = 8,
  NIGH_SESSION_READ = 1,
  NIGH_SESSION_SMALL = 2,
  NIGH_JOB_BUILD = 1,
  NIGH_JOB_CODES = 2,
  NIGH_JOB_REFINE = 3,
  NIGH_JOB_VACUUM = 4,
  NIGH_JOB_ROOT = 5,
  NIGH_JOB_MORE = 1,
  NIGH_JOB_WAIT = 2,
  NIGH_JOB_DONE = 3,
  NIGH_SAVE_GRAPH_ONLY = 1,
  NIGH_SAVE_PACKED = 2,
  NIGH_HEADER_BYTES = 512,
  NIGH_HNSWLIB_32 = 1,
  NIGH_STORE_FORMAT = 1,
  NIGH_NODE_DELETED = 1,
  NIGH_NODE_FREE = 2,
}

return function(path)
  return ffi.load(path), constants
end
