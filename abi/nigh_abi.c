/* nigh_abi.c - the public functions: check arguments, complete structures, call the core
 * layer L15; uses: blocks, check, code, convert, cpu, fp, index, job, mutate, search, structs
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * One of the two places where input is distrusted (image.c is the other). Nothing clever here. */
#include "blocks.h"
#include "check.h"
#include "code.h"
#include "convert.h"
#include "cpu.h"
#include "fp.h"
#include "graph.h"
#include "image.h"
#include "index.h"
#include "job.h"
#include "mutate.h"
#include "search.h"
#include "source.h"
#include "structs.h"

enum {
    NIGHI_CONFIG_V1 = 56,
    NIGHI_OPTIONS_V1 = 16,
    NIGHI_SESSION_V1 = 16,
    NIGHI_STATS_V1 = 72,
    NIGHI_REPORT_V1 = 40
};

_Static_assert(sizeof(nigh_config) == 80, "config grows at its end");
_Static_assert(sizeof(nigh_options) == 20, "options grow at their end");
_Static_assert(sizeof(nigh_session_options) == 20, "options grow at their end");
_Static_assert(sizeof(nigh_stats) == 80, "stats grow at their end");
_Static_assert(sizeof(nigh_report) == NIGHI_REPORT_V1, "report grows at its end");

/* ---- Structures ----------------------------------------------------------------------------- */

static nigh_status nighi_config_take(const nigh_config *from, nigh_config *config) {
    const nigh_status status = nighi_struct_take(config, sizeof *config, NIGHI_CONFIG_V1, from);
    nighi_config_complete(config);
    if (status == NIGH_OK && !nighi_config_valid(config)) {
        return NIGH_E_INVALID;
    }
    return status == NIGH_OK && !nighi_config_supported(config) ? NIGH_E_UNSUPPORTED : status;
}

static nigh_status nighi_options_take(const nigh_options *from, nigh_options *options) {
    const uint32_t known = NIGH_OPEN_WRITABLE | NIGH_OPEN_UNSEALED | NIGH_OPEN_VERIFY;
    const nigh_status status = nighi_struct_take(options, sizeof *options, NIGHI_OPTIONS_V1, from);
    if (status != NIGH_OK || options->slot_max > NIGHI_SELF_NEW ||
        options->upper_extra > NIGHI_SLOT_MAX / 2 || (options->flags & ~known) != 0) {
        return NIGH_E_INVALID;
    }
    return NIGH_OK;
}

static nigh_status nighi_session_take(const nigh_index *index, const nigh_session_options *from,
                                      nigh_session_options *options) {
    const uint32_t known = NIGH_SESSION_READ | NIGH_SESSION_SMALL;
    nigh_status status = nighi_struct_take(options, sizeof *options, NIGHI_SESSION_V1, from);
    if (status == NIGH_OK && ((options->flags & ~known) != 0 || options->ef_max > NIGHI_SLOT_MAX ||
                              options->frontier_max > NIGHI_SLOT_MAX || options->lanes > 4)) {
        status = NIGH_E_INVALID;
    }
    if (status == NIGH_OK) {
        nighi_session_defaults(index, options);
    }
    return status;
}

/* ---- About the library ---------------------------------------------------------------------- */

NIGH_API uint32_t nigh_version(void) {
    return (uint32_t)NIGH_VERSION_MAJOR << 16 | NIGH_VERSION_MINOR << 8 | NIGH_VERSION_PATCH;
}

NIGH_API const char *nigh_status_text(nigh_status status) {
    static const char *const texts[] = {
        "success",
        "an argument or a configuration field is out of range",
        "the memory handed in is too small or not aligned to 64 bytes",
        "the index is full: give it more memory, then go on",
        "no such key",
        "the key is there already",
        "a vector holds NaN or infinity, or is zero under cosine",
        "a callback failed or gave no address",
        "not a nigh image, or of an unknown version",
        "the image is damaged: a checksum or its structure does not hold",
        "dim, dtype, metric or count differ from what the index says",
        "the index is read-only",
        "another thread is writing what this call needs to itself",
        "the image holds no vectors and no source is set",
        "this build or machine computes floats in a way that changes results",
        "this machine, build or metric cannot do that",
        "writing failed",
        "the session is too small for this call",
        "a key is empty, too long, or not the next slot",
        "the image was left in the middle of changes",
        "the key is removed",
    };
    if (status <= NIGH_E_USER) {
        return "a callback of the caller failed";
    }
    if (status > 0 || status < NIGH_E_DELETED) {
        return "unknown status";
    }
    return texts[-status];
}

NIGH_API uint32_t nigh_features(void) { return nighi_cpu_detect(); }

NIGH_API nigh_status nigh_row_bytes(uint32_t dim, uint32_t dtype, uint64_t *bytes) {
    if (bytes == NULL || dim == 0 || dim > 65535 || nighi_row_bytes(dim, dtype) == 0) {
        return NIGH_E_INVALID;
    }
    *bytes = nighi_row_bytes(dim, dtype);
    return NIGH_OK;
}

NIGH_API nigh_status nigh_convert(uint32_t dim, uint32_t dtype, uint32_t count,
                                  const float *floats_in, void *rows_out, const void *rows_in,
                                  float *floats_out) {
    if (!NIGHI_HAS_FLOATS) {
        return NIGH_E_UNSUPPORTED;
    }
    const bool to_rows = rows_in == NULL;
    if (dim == 0 || dim > 65535 || nighi_row_bytes(dim, dtype) == 0 || count == 0 ||
        (to_rows ? floats_in == NULL || rows_out == NULL : floats_out == NULL)) {
        return NIGH_E_INVALID;
    }
    const uint32_t mode = nighi_fp_enter();
    const nigh_status status = to_rows ? nighi_rows_from_f32(dim, dtype, count, floats_in, rows_out)
                                       : nighi_rows_to_f32(dim, dtype, count, rows_in, floats_out);
    nighi_fp_leave(mode);
    return status;
}

/* ---- Index ---------------------------------------------------------------------------------- */

/* Of an index to be made. */
static nigh_status nighi_shape_take(const nigh_config *config, const nigh_options *options,
                                    nigh_config *c, nigh_options *o) {
    if (config == NULL || options == NULL || nighi_options_take(options, o) != NIGH_OK ||
        o->slot_max == 0) {
        return NIGH_E_INVALID;
    }
    return nighi_config_take(config, c);
}

NIGH_API nigh_status nigh_index_bytes(const nigh_config *config, const nigh_options *options,
                                      uint64_t *bytes) {
    if (!NIGHI_HAS_CHANGES) {
        return NIGH_E_UNSUPPORTED;
    }
    nigh_config c;
    nigh_options o;
    if (bytes == NULL) {
        return NIGH_E_INVALID;
    }
    const nigh_status status = nighi_shape_take(config, options, &c, &o);
    if (status == NIGH_OK) {
        *bytes = nighi_index_bytes(&c, &o);
    }
    return status;
}

NIGH_API nigh_status nigh_index_init(const nigh_config *config, const nigh_options *options,
                                     void *memory, uint64_t memory_bytes, nigh_index **index) {
    if (!NIGHI_HAS_CHANGES) {
        return NIGH_E_UNSUPPORTED;
    }
    nigh_config c;
    nigh_options o;
    if (memory == NULL || index == NULL) {
        return NIGH_E_INVALID;
    }
    const nigh_status status = nighi_shape_take(config, options, &c, &o);
    return status != NIGH_OK ? status : nighi_index_init(&c, &o, memory, memory_bytes, index);
}

NIGH_API nigh_status nigh_attach_bytes(const void *image, uint64_t image_bytes,
                                       const nigh_options *options, uint64_t *bytes) {
    nigh_options o;
    if (image == NULL || bytes == NULL || nighi_options_take(options, &o) != NIGH_OK) {
        return NIGH_E_INVALID;
    }
    return nighi_attach_bytes(image, image_bytes, &o, bytes);
}

NIGH_API nigh_status nigh_attach(void *image, uint64_t image_bytes, const nigh_options *options,
                                 void *memory, uint64_t memory_bytes, nigh_index **index) {
    nigh_options o;
    if (image == NULL || memory == NULL || index == NULL ||
        nighi_options_take(options, &o) != NIGH_OK) {
        return NIGH_E_INVALID;
    }
    return nighi_attach(image, image_bytes, &o, memory, memory_bytes, index);
}

NIGH_API nigh_status nigh_attach_blocks(const void *header, uint64_t header_bytes,
                                        const nigh_options *options, nigh_map_fn map,
                                        nigh_dirty_fn dirty, void *user, void *memory,
                                        uint64_t memory_bytes, nigh_index **index) {
    if (!NIGHI_HAS_PAGER) {
        return NIGH_E_UNSUPPORTED;
    }
    const nighi_pager pager = {map, dirty, user};
    nigh_options o;
    if (header == NULL || map == NULL || memory == NULL || index == NULL ||
        nighi_options_take(options, &o) != NIGH_OK) {
        return NIGH_E_INVALID;
    }
    return nighi_attach_blocks(header, header_bytes, &o, &pager, memory, memory_bytes, index);
}

NIGH_API nigh_status nigh_grow_bytes(const nigh_index *index, uint32_t slots, uint64_t key_bytes,
                                     uint64_t *bytes) {
    if (!NIGHI_HAS_CHANGES) {
        return NIGH_E_UNSUPPORTED;
    }
    if (index == NULL || bytes == NULL || slots == 0 || slots > index->slot_max) {
        return NIGH_E_INVALID;
    }
    if (index->packed != 0) {
        return NIGH_E_READ_ONLY;
    }
    const uint32_t version = nighi_growth_hold(index); /* codes may come and go meanwhile */
    const uint64_t needed = nighi_grow_bytes(index, slots, key_bytes);
    nighi_growth_release(index, version);
    if (needed == UINT64_MAX) {
        return NIGH_E_INVALID;
    }
    *bytes = needed;
    return NIGH_OK;
}

NIGH_API nigh_status nigh_grow(nigh_index *index, uint32_t slots, uint64_t key_bytes, void *memory,
                               uint64_t memory_bytes) {
    if (!NIGHI_HAS_CHANGES) {
        return NIGH_E_UNSUPPORTED;
    }
    if (index == NULL || slots == 0 || slots > index->slot_max ||
        (memory == NULL) != nighi_mapped(index)) {
        return NIGH_E_INVALID;
    }
    if (((uintptr_t)memory & (NIGHI_CACHE_LINE - 1)) != 0) {
        return NIGH_E_MEMORY;
    }
    return nighi_packed(index) ? NIGH_E_READ_ONLY
                               : nighi_grow_shared(index, slots, key_bytes, memory, memory_bytes);
}

NIGH_API nigh_status nigh_writer_bytes(const nigh_index *index, uint64_t *bytes) {
    if (!NIGHI_HAS_CHANGES) {
        return NIGH_E_UNSUPPORTED;
    }
    if (index == NULL || bytes == NULL) {
        return NIGH_E_INVALID;
    }
    *bytes = nighi_writer_bytes(index);
    return NIGH_OK;
}

NIGH_API nigh_status nigh_writer_init(nigh_index *index, void *memory, uint64_t memory_bytes) {
    if (!NIGHI_HAS_CHANGES) {
        return NIGH_E_UNSUPPORTED;
    }
    if (index == NULL || memory == NULL) {
        return NIGH_E_INVALID;
    }
    return nighi_writer_init(index, memory, memory_bytes);
}

NIGH_API nigh_status nigh_session_bytes(const nigh_index *index,
                                        const nigh_session_options *options, uint64_t *bytes) {
    nigh_session_options o;
    if (index == NULL || bytes == NULL || nighi_session_take(index, options, &o) != NIGH_OK) {
        return NIGH_E_INVALID;
    }
    *bytes = nighi_session_bytes(index, &o);
    return NIGH_OK;
}

NIGH_API nigh_status nigh_session_init(const nigh_index *index, const nigh_session_options *options,
                                       void *memory, uint64_t memory_bytes,
                                       nigh_session **session) {
    nigh_session_options o;
    if (index == NULL || memory == NULL || session == NULL ||
        nighi_session_take(index, options, &o) != NIGH_OK) {
        return NIGH_E_INVALID;
    }
    return nighi_session_init(index, &o, memory, memory_bytes, session);
}

/* What rows of it are aligned to. */
static uint32_t nighi_element_bytes(uint32_t dtype) {
    return dtype == NIGH_DTYPE_F32                               ? 4
           : dtype == NIGH_DTYPE_F16 || dtype == NIGH_DTYPE_BF16 ? 2
                                                                 : 1;
}

NIGH_API nigh_status nigh_index_borrow(nigh_index *index, const void *base, uint64_t stride,
                                       uint32_t count, uint32_t trailer_offset) {
    if (!NIGHI_HAS_SOURCES) {
        return NIGH_E_UNSUPPORTED;
    }
    if (index == NULL || base == NULL || stride > UINT32_MAX) {
        return NIGH_E_INVALID;
    }
    const nigh_config *config = &index->config;
    const bool scaled = config->dtype == NIGH_DTYPE_I8;
    const uint64_t row = scaled ? config->dim : nighi_row_bytes(config->dim, config->dtype);
    const uint32_t element = nighi_element_bytes(config->dtype);
    if (config->vectors != NIGH_VECTORS_EXTERNAL || count < nighi_load(&index->counts.slot_count)) {
        return NIGH_E_MISMATCH;
    }
    if (stride < row || stride % element != 0 || (uintptr_t)base % element != 0 ||
        (trailer_offset != 0 &&
         (!scaled || trailer_offset < config->dim || (uint64_t)trailer_offset + 8 > stride))) {
        return NIGH_E_INVALID;
    }
    const nighi_source source = {
        .kind = NIGHI_SOURCE_BORROWED, .count = count, .base = base, .stride = stride};
    nighi_source_set(index, &source, trailer_offset);
    return NIGH_OK;
}

NIGH_API nigh_status nigh_index_fetch(nigh_index *index, nigh_fetch_fn fetch,
                                      nigh_prefetch_fn prefetch, void *user) {
    if (!NIGHI_HAS_SOURCES) {
        return NIGH_E_UNSUPPORTED;
    }
    if (index == NULL || fetch == NULL) {
        return NIGH_E_INVALID;
    }
    if (index->config.vectors != NIGH_VECTORS_EXTERNAL) {
        return NIGH_E_MISMATCH;
    }
    const nighi_source source = {
        .kind = NIGHI_SOURCE_FETCHED, .fetch = fetch, .prefetch = prefetch, .user = user};
    nighi_source_set(index, &source, 0);
    return NIGH_OK;
}

NIGH_API nigh_status nigh_index_distance(nigh_index *index, nigh_distance_fn distance, void *user) {
    if (!(NIGHI_HAS_SOURCES && NIGHI_HAS_FLOATS)) {
        return NIGH_E_UNSUPPORTED;
    }
    if (index == NULL || distance == NULL) {
        return NIGH_E_INVALID;
    }
    if (index->config.metric != NIGH_METRIC_CUSTOM) {
        return NIGH_E_MISMATCH;
    }
    index->metric.custom = distance;
    index->metric.custom_user = user;
    return NIGH_OK;
}

NIGH_API nigh_status nigh_index_pager(nigh_index *index, nigh_map_fn map, nigh_dirty_fn dirty,
                                      void *user) {
    if (!NIGHI_HAS_PAGER) {
        return NIGH_E_UNSUPPORTED;
    }
    if (index == NULL || index->image != NULL || nighi_slot_capacity(index) != 0) {
        return NIGH_E_INVALID;
    }
    index->pager.map = map;
    index->pager.dirty = dirty;
    index->pager.user = user;
    return NIGH_OK;
}

/* ---- Change --------------------------------------------------------------------------------- */

static bool nighi_keys_given(const nigh_index *index, const void *keys, const uint32_t *lengths) {
    return keys != NULL && (!nighi_keys_strings(&index->config) || lengths != NULL);
}

static nigh_status nighi_put_many(nigh_index *index, nigh_session *session, uint32_t flags,
                                  const void *keys, const uint32_t *key_lengths,
                                  const void *vectors, uint32_t count, uint32_t *done, bool set) {
    const uint32_t known = NIGH_REPLACE_DELETED | NIGH_SET_EXCLUSIVE;
    if (done == NULL) {
        return NIGH_E_INVALID;
    }
    *done = 0;
    if (index == NULL || session == NULL || session->index != index || (flags & ~known) != 0) {
        return NIGH_E_INVALID;
    }
    if (!NIGHI_HAS_CHANGES || (!NIGHI_HAS_MOVES && (set || (flags & NIGH_REPLACE_DELETED) != 0))) {
        return NIGH_E_UNSUPPORTED;
    }
    const bool next_key = keys == NULL && index->config.keys == NIGH_KEYS_IDENTITY && !set;
    if ((!next_key && !nighi_keys_given(index, keys, key_lengths)) ||
        (vectors == NULL && index->config.vectors == NIGH_VECTORS_OWNED)) {
        return NIGH_E_INVALID;
    }
    if ((session->flags & NIGH_SESSION_READ) != 0) {
        return NIGH_E_SESSION;
    }
    nigh_status status = nighi_write_begin(index);
    if (status != NIGH_OK) {
        return status;
    }
    uint64_t offset = 0;
    status = nighi_unrooted(index) ? NIGH_E_UNSUPPORTED : NIGH_OK;
    for (uint32_t i = 0; i < count && status == NIGH_OK; i++) {
        nighi_key key = {0, NULL, 0};
        const uint8_t *row = vectors;
        row = row == NULL ? NULL : row + (size_t)i * index->metric.row_bytes;
        if (!next_key) {
            status = nighi_key_take(index, keys, key_lengths, i, &offset, &key);
        }
        if (status == NIGH_OK) {
            status = nighi_put(index, session, next_key ? NULL : &key, row, flags, set);
        }
        *done += status == NIGH_OK;
    }
    nighi_write_end(index);
    return status;
}

NIGH_API nigh_status nigh_insert(nigh_index *index, nigh_session *session, uint32_t flags,
                                 const void *keys, const uint32_t *key_lengths, const void *vectors,
                                 uint32_t count, uint32_t *done) {
    return nighi_put_many(index, session, flags, keys, key_lengths, vectors, count, done, false);
}

NIGH_API nigh_status nigh_set(nigh_index *index, nigh_session *session, uint32_t flags,
                              const void *keys, const uint32_t *key_lengths, const void *vectors,
                              uint32_t count, uint32_t *done) {
    return nighi_put_many(index, session, flags, keys, key_lengths, vectors, count, done, true);
}

static nigh_status nighi_mark_many(nigh_index *index, nigh_session *session, const void *keys,
                                   const uint32_t *key_lengths, uint32_t count, uint32_t *done,
                                   bool removed) {
    if (done == NULL) {
        return NIGH_E_INVALID;
    }
    *done = 0;
    if (index == NULL || session == NULL || session->index != index ||
        !nighi_keys_given(index, keys, key_lengths)) {
        return NIGH_E_INVALID;
    }
    if (!NIGHI_HAS_CHANGES || !NIGHI_HAS_REMOVED) { /* passing over removed keys is filtering */
        return NIGH_E_UNSUPPORTED;
    }
    nigh_status status = nighi_write_begin(index);
    if (status != NIGH_OK) {
        return status;
    }
    uint64_t offset = 0;
    session->cursor.active = 0;
    for (uint32_t i = 0; i < count && status == NIGH_OK; i++) {
        nighi_key key;
        status = nighi_key_take(index, keys, key_lengths, i, &offset, &key);
        if (status == NIGH_OK) {
            status = nighi_mark(index, &key, removed);
        }
        *done += status == NIGH_OK;
    }
    nighi_write_end(index);
    return status;
}

NIGH_API nigh_status nigh_remove(nigh_index *index, nigh_session *session, const void *keys,
                                 const uint32_t *key_lengths, uint32_t count, uint32_t *done) {
    return nighi_mark_many(index, session, keys, key_lengths, count, done, true);
}

NIGH_API nigh_status nigh_unremove(nigh_index *index, nigh_session *session, const void *keys,
                                   const uint32_t *key_lengths, uint32_t count, uint32_t *done) {
    return nighi_mark_many(index, session, keys, key_lengths, count, done, false);
}

/* ---- Jobs ----------------------------------------------------------------------------------- */

static nigh_status nighi_job_take_options(const nigh_index *index, const nigh_job_options *from,
                                          uint32_t count, nigh_job_options *options) {
    nigh_config config;
    nighi_config_now(index, &config);
    const nigh_status status =
        nighi_struct_take(options, sizeof *options, (uint32_t)sizeof *options, from);
    if (status != NIGH_OK || options->kind == 0) {
        return NIGH_E_INVALID;
    }
    if (options->kind != NIGH_JOB_BUILD && count != 0) {
        return NIGH_E_INVALID;
    }
    options->vector_stride =
        options->vector_stride == 0 ? index->metric.row_bytes : options->vector_stride;
    if (options->vector_stride < index->metric.row_bytes ||
        options->vector_stride % nighi_element_bytes(config.dtype) != 0 ||
        count > NIGHI_SLOT_MAX - 1 - nighi_load(&index->counts.slot_count)) {
        return NIGH_E_INVALID;
    }
    if (!(options->alpha == 0.0f || (options->alpha >= 1.0f && options->alpha <= 2.0f)) ||
        options->ef > 65535) {
        return NIGH_E_INVALID;
    }
    config.codes = options->codes;
    config.code_min = options->code_min;
    config.code_max = options->code_max;
    if (!nighi_config_valid(&config)) {
        return NIGH_E_INVALID;
    }
    if (nighi_unrooted(index) && options->kind != NIGH_JOB_CODES &&
        options->kind != NIGH_JOB_ROOT) {
        return NIGH_E_UNSUPPORTED;
    }
    const nigh_dirty_fn dirty = index->pager.dirty;
    const bool paged = nighi_mapped(index) || (dirty != NULL && dirty != nighi_dirty_bits);
    /* codes in the job's memory, of which the pager would not know */
    const bool fresh = options->codes != NIGH_CODES_NONE &&
                       (options->codes != nighi_load(&index->config.codes) ||
                        nighi_load_acquire(&index->regions[NIGHI_CODE].stride) == 0);
    return options->kind == NIGH_JOB_CODES && paged && fresh ? NIGH_E_UNSUPPORTED : NIGH_OK;
}

NIGH_API nigh_status nigh_job_bytes(nigh_index *index, const nigh_job_options *options,
                                    uint32_t count, uint64_t *bytes) {
    if (!NIGHI_HAS_JOBS) {
        return NIGH_E_UNSUPPORTED;
    }
    nigh_job_options o;
    const nighi_job_input input = {.count = count};
    if (index == NULL || options == NULL || bytes == NULL) {
        return NIGH_E_INVALID;
    }
    const nigh_status status = nighi_job_take_options(index, options, count, &o);
    return status == NIGH_OK ? nighi_job_bytes(index, &o, &input, bytes) : status;
}

NIGH_API nigh_status nigh_job_begin(nigh_index *index, const nigh_job_options *options,
                                    const void *keys, const uint32_t *key_lengths,
                                    const void *vectors, uint32_t count, void *memory,
                                    uint64_t memory_bytes, nigh_job **job) {
    if (!NIGHI_HAS_JOBS) {
        return NIGH_E_UNSUPPORTED;
    }
    nigh_job_options o;
    const nighi_job_input input = {keys, key_lengths, vectors, count};
    if (index == NULL || options == NULL || memory == NULL || job == NULL) {
        return NIGH_E_INVALID;
    }
    const nigh_status status = nighi_job_take_options(index, options, count, &o);
    if (status != NIGH_OK) {
        return status;
    }
    if (o.kind != NIGH_JOB_CODES && nighi_writer_of(index) == NULL) {
        return NIGH_E_READ_ONLY;
    }
    if (o.kind == NIGH_JOB_BUILD) {
        const bool next_key = keys == NULL && index->config.keys == NIGH_KEYS_IDENTITY;
        if ((!next_key && !nighi_keys_given(index, keys, key_lengths)) ||
            (vectors == NULL && index->config.vectors == NIGH_VECTORS_OWNED)) {
            return NIGH_E_INVALID;
        }
    }
    return nighi_job_begin(index, &o, &input, memory, memory_bytes, job);
}

NIGH_API nigh_status nigh_job_run(nigh_job *job, nigh_session *session, nigh_progress *progress) {
    if (!NIGHI_HAS_JOBS) {
        return NIGH_E_UNSUPPORTED;
    }
    nigh_progress now = {.struct_size = sizeof now};
    if (job == NULL || session == NULL || progress == NULL || session->index != job->index ||
        !nighi_struct_room(progress, (uint32_t)sizeof now)) {
        return NIGH_E_INVALID;
    }
    if (!nighi_job_session_fits(job, session)) {
        return NIGH_E_SESSION;
    }
    const nigh_status status = nighi_job_run(job, session, &now);
    (void)nighi_struct_give(progress, &now, sizeof now, (uint32_t)sizeof now);
    return status;
}

NIGH_API nigh_status nigh_job_end(nigh_job *job) {
    if (!NIGHI_HAS_JOBS) {
        return NIGH_E_UNSUPPORTED;
    }
    return job == NULL ? NIGH_E_INVALID : nighi_job_end(job);
}

/* ---- Read ----------------------------------------------------------------------------------- */

NIGH_API nigh_status nigh_config_get(const nigh_index *index, nigh_config *config) {
    if (index == NULL || config == NULL) {
        return NIGH_E_INVALID;
    }
    nigh_config now;
    nighi_config_now(index, &now);
    return nighi_struct_give(config, &now, sizeof now, NIGHI_CONFIG_V1);
}

NIGH_API nigh_status nigh_stats_get(const nigh_index *index, nigh_stats *stats) {
    if (index == NULL || stats == NULL) {
        return NIGH_E_INVALID;
    }
    const nighi_counts *counts = &index->counts;
    const uint32_t entry = nighi_load_acquire(&counts->entry);
    const uint32_t slot_count = nighi_load_acquire(&counts->slot_count);
    const uint32_t deleted = nighi_load(&counts->deleted_count);
    const uint32_t freed = nighi_load(&counts->free_count);
    const nigh_stats now = {.struct_size = sizeof now,
                            .slot_count = slot_count,
                            .live_count = slot_count - deleted - freed,
                            .deleted_count = deleted,
                            .free_count = freed,
                            .slot_capacity = nighi_slot_capacity(index),
                            .slot_max = index->slot_max,
                            .level_max = entry < slot_count ? nighi_level(index, entry) : 0,
                            .entry_slot = entry,
                            .upper_count = nighi_load(&counts->upper_count),
                            .features = index->features,
                            .writable = nighi_writer_of(index) != NULL,
                            .key_bytes = nighi_load(&counts->key_lengths),
                            .key_capacity = nighi_load(&index->regions[NIGHI_KEYBYTES].capacity),
                            .image_bytes = nighi_save_bytes(index, 0),
                            .codes = nighi_coded(index) ? nighi_load(&index->config.codes)
                                                        : NIGH_CODES_NONE,
                            .code_clamped = nighi_load(&index->coding.clamped)};
    return nighi_struct_give(stats, &now, sizeof now, NIGHI_STATS_V1);
}

/* One key's row; consistent beside writers that update in place. */
static nigh_status nighi_get_one(const nigh_index *index, nigh_session *session,
                                 const nighi_key *key, uint8_t *row, uint32_t *slot) {
    const void *vector = NULL;
    uint32_t version = 0;
    nigh_status status = nighi_keymap_find_shared(index, key, slot);
    if (status != NIGH_OK) {
        return status;
    }
    const uint32_t word = nighi_node_word(index, *slot);
    if (!nighi_node_live(word)) {
        return nighi_node_present(word) ? NIGH_E_DELETED : NIGH_E_NOT_FOUND;
    }
    if (row == NULL) {
        return NIGH_OK;
    }
    if (!NIGHI_IS_SINGLE && nighi_writer_of(index) != NULL &&
        nighi_source_is(index, NIGHI_SOURCE_OWNED)) {
        if (!nighi_vector_copy(index, session, *slot, &version)) {
            return NIGH_E_BUSY;
        }
        nighi_row_from_stored(index, session->row, row);
        uint32_t again = NIGHI_NONE; /* the slot may hold another key by now */
        status = nighi_keymap_find_shared(index, key, &again);
        return status == NIGH_OK && again != *slot ? NIGH_E_BUSY : status;
    }
    status = nighi_source_ready(index, nighi_load(&index->counts.slot_count));
    if (status == NIGH_OK) {
        status = nighi_vectors(index, session, slot, 1, &vector);
    }
    if (status == NIGH_OK) {
        nighi_row_from_stored(index, vector, row);
    }
    return status;
}

NIGH_API nigh_status nigh_get(const nigh_index *index, nigh_session *session, const void *keys,
                              const uint32_t *key_lengths, uint32_t count, void *vectors,
                              uint32_t *slots, uint32_t *done) {
    if (done == NULL) {
        return NIGH_E_INVALID;
    }
    *done = 0;
    if (index == NULL || session == NULL || session->index != index ||
        !nighi_keys_given(index, keys, key_lengths)) {
        return NIGH_E_INVALID;
    }
    nigh_status status = NIGH_OK;
    uint64_t offset = 0;
    session->cursor.active = 0;
    for (uint32_t i = 0; i < count && status == NIGH_OK; i++) {
        nighi_key key;
        uint32_t slot = NIGHI_NONE;
        uint8_t *row = vectors;
        row = row == NULL ? NULL : row + (size_t)i * index->metric.row_bytes;
        status = nighi_key_take(index, keys, key_lengths, i, &offset, &key);
        if (status == NIGH_OK) {
            status = nighi_get_one(index, session, &key, row, &slot);
        }
        if (status == NIGH_OK && slots != NULL) {
            slots[i] = slot;
        }
        *done += status == NIGH_OK;
    }
    return status;
}

NIGH_API nigh_status nigh_keys(const nigh_index *index, uint32_t from, uint32_t count, void *keys,
                               uint32_t *key_lengths, uint32_t *slots, uint32_t *found) {
    if (found == NULL) {
        return NIGH_E_INVALID;
    }
    *found = 0;
    if (index == NULL || slots == NULL || count == 0 ||
        !nighi_output_valid(index, keys, key_lengths)) {
        return NIGH_E_INVALID;
    }
    const uint32_t end = nighi_load_acquire(&index->counts.slot_count);
    uint64_t offset = 0;
    for (uint32_t slot = from; slot < end && *found < count; slot++) {
        if (nighi_key_put_live(index, slot, keys, key_lengths, *found, &offset)) {
            slots[(*found)++] = slot;
        }
    }
    return NIGH_OK;
}

NIGH_API nigh_status nigh_node(const nigh_index *index, uint32_t slot, uint32_t level,
                               uint32_t *top, uint32_t *flags, uint32_t *links,
                               uint32_t *link_count) {
    if (index == NULL || (links != NULL && link_count == NULL)) {
        return NIGH_E_INVALID;
    }
    const uint32_t slot_count = nighi_load_acquire(&index->counts.slot_count);
    if (slot >= slot_count || level > nighi_level(index, slot)) {
        return NIGH_E_NOT_FOUND;
    }
    const uint32_t word = nighi_node_word(index, slot);
    if (top != NULL) {
        *top = nighi_level(index, slot);
    }
    if (flags != NULL) {
        *flags = !nighi_node_present(word) ? NIGH_NODE_FREE
                 : nighi_node_live(word)   ? 0
                                           : NIGH_NODE_DELETED;
    }
    if (link_count != NULL) {
        const uint32_t *row = index->packed != 0 ? nighi_packed_place(index, slot, level)
                                                 : nighi_row(index, slot, level);
        const uint32_t degree_max = nighi_degree_max(index, level);
        *link_count = 0;
        for (uint32_t i = 0; row != NULL && nighi_node_present(word) && i < degree_max; i++) {
            const uint32_t to = index->packed != 0 ? nighi_packed_link(index, row, i)
                                                   : nighi_link_slot(nighi_load_acquire(&row[i]));
            if (to == NIGHI_LINK_END) {
                break;
            }
            if (links != NULL) {
                links[*link_count] = to;
            }
            ++*link_count;
        }
    }
    return NIGH_OK;
}

NIGH_API nigh_status nigh_check(const nigh_index *index, nigh_session *session,
                                nigh_report *report) {
    if (!NIGHI_HAS_CHANGES) {
        return NIGH_E_UNSUPPORTED;
    }
    nigh_report full;
    if (index == NULL || session == NULL || report == NULL || session->index != index ||
        !nighi_struct_room(report, NIGHI_REPORT_V1)) {
        return NIGH_E_INVALID;
    }
    if (!nighi_config_changes(&index->config)) {
        return NIGH_E_UNSUPPORTED; /* codes cannot be compared with their vectors */
    }
    nigh_status status = nighi_exclusive_begin(index);
    if (status != NIGH_OK) {
        return status;
    }
    status = nighi_check(index, session, &full);
    nighi_exclusive_end(index);
    return status == NIGH_OK ? nighi_struct_give(report, &full, sizeof full, NIGHI_REPORT_V1)
                             : status;
}
