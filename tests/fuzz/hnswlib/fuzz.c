/* fuzz.c - any bytes as a file of hnswlib: refused, or a sound index that comes back as a file
 * layer T; uses: nothing
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Input: two bytes, then the file. Of the first byte bits 0..1 are the metric (L2, IP, COSINE, L2
 * of bytes), bit 2 leaves the vectors in the file, bit 3 gives identity keys, bit 4 roots the
 * graph and changes it, bit 5 writes 32-bit files, bits 6 and 7 vacuum and refine what was rooted.
 * The second byte is dim - 1; an even dim has a pager that listens. What was read is checked,
 * searched, written, and what was written is read again: the same file. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <string.h>

#include "nigh.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { EF = 48, REFINE_EF = 512, FILE_MAX = 1 << 16 };
enum { BYTES = 3, BORROW = 4, IDENTITY = 8, CHANGE = 16, NARROW = 32, VACUUM = 64, REFINE = 128 };

static void require(int condition) {
    if (!condition) {
        abort();
    }
}

typedef struct use {
    nigh_config config;
    nigh_hnswlib facts;
    nigh_index *index;
    nigh_session *session;
    void *memory[16];
    uint32_t count;
} use;

typedef struct out {
    uint8_t *bytes;
    size_t size;
} out;

static void *take(use *u, uint64_t bytes) {
    void *memory = NULL;
    require(u->count < 16);
    require(bytes < 1u << 29 && posix_memalign(&memory, 64, bytes != 0 ? (size_t)bytes : 1) == 0);
    return u->memory[u->count++] = memory;
}

static void drop(use *u) {
    while (u->count > 0) {
        free(u->memory[--u->count]);
    }
}

static nigh_config config_of(const uint8_t *bytes) {
    static const uint32_t metrics[] = {NIGH_METRIC_L2, NIGH_METRIC_IP, NIGH_METRIC_COSINE,
                                       NIGH_METRIC_L2};
    nigh_config config = {.struct_size = sizeof config,
                          .dim = bytes[1] + 1u,
                          .metric = metrics[bytes[0] & 3],
                          .dtype = (bytes[0] & 3) == BYTES ? NIGH_DTYPE_U8 : NIGH_DTYPE_F32};
    config.keys = (bytes[0] & IDENTITY) != 0 ? NIGH_KEYS_IDENTITY : NIGH_KEYS_U64;
    config.vectors = (bytes[0] & BORROW) != 0 ? NIGH_VECTORS_EXTERNAL : NIGH_VECTORS_OWNED;
    return config;
}

static nigh_status dirty(void *user, uint32_t region, uint32_t block, uint64_t bytes,
                         void **address) {
    (void)user, (void)region, (void)block;
    require(bytes > 0 && *address != NULL);
    return NIGH_OK;
}

/* What a file may make us take is a small multiple of its size. */
static nigh_status fill(use *u, nigh_config config, const uint8_t *file, size_t size) {
    uint64_t need = 0;
    u->config = config;
    u->facts.struct_size = sizeof u->facts;
    const nigh_status status = nigh_hnswlib_config(file, size, &u->config, &u->facts);
    if (status != NIGH_OK) {
        return status;
    }
    require(u->facts.slot_count <= size && u->facts.upper_count <= size);
    nigh_options options = {.struct_size = sizeof options,
                            .slot_max = u->facts.slot_count + 3,
                            .upper_extra = u->facts.upper_extra};
    require(nigh_index_bytes(&u->config, &options, &need) == NIGH_OK);
    require(nigh_index_init(&u->config, &options, take(u, need), need, &u->index) == NIGH_OK);
    if (u->config.dim % 2 == 0) {
        require(nigh_index_pager(u->index, NULL, dirty, NULL) == NIGH_OK);
    }
    require(nigh_grow_bytes(u->index, options.slot_max, 0, &need) == NIGH_OK);
    require(nigh_grow(u->index, options.slot_max, 0, take(u, need), need) == NIGH_OK);
    require(nigh_writer_bytes(u->index, &need) == NIGH_OK);
    require(nigh_writer_init(u->index, take(u, need), need) == NIGH_OK);
    return nigh_hnswlib_read(u->index, file, size);
}

static void check(const use *u) {
    nigh_report report = {.struct_size = sizeof report};
    require(nigh_check(u->index, u->session, &report) == NIGH_OK);
    require(report.status == NIGH_OK && report.fault == 0);
}

static nigh_status append(void *user, const void *bytes, uint64_t count) {
    out *to = user;
    to->bytes = realloc(to->bytes, to->size + (size_t)count);
    require(to->bytes != NULL);
    memcpy(to->bytes + to->size, bytes, (size_t)count);
    to->size += (size_t)count;
    return NIGH_OK;
}

static void session(use *u, uint32_t ef_max) {
    const nigh_session_options so = {.struct_size = sizeof so,
                                     .ef_max =
                                         u->config.ef_build > ef_max ? u->config.ef_build : ef_max};
    uint64_t need = 0;
    require(nigh_session_bytes(u->index, &so, &need) == NIGH_OK);
    require(nigh_session_init(u->index, &so, take(u, need), need, &u->session) == NIGH_OK);
}

/* Every live key is found, by whichever way. */
static void search(const use *u, const void *row) {
    uint64_t keys[EF];
    uint32_t found = 0;
    nigh_stats stats = {.struct_size = sizeof stats};
    require(nigh_stats_get(u->index, &stats) == NIGH_OK);
    for (uint32_t expansions = 1; expansions <= 2; expansions++) {
        const nigh_search_options so = {
            .struct_size = sizeof so, .ef = EF, .expansions = expansions};
        const nigh_status status =
            nigh_search(u->index, u->session, row, &so, EF, keys, NULL, NULL, NULL, &found);
        require(status == NIGH_OK &&
                found == (stats.live_count < EF ? stats.live_count : (uint32_t)EF));
    }
}

static nigh_status job(use *u, uint32_t kind) {
    const nigh_job_options options = {.struct_size = sizeof options, .kind = kind};
    nigh_progress progress = {.struct_size = sizeof progress};
    nigh_job *made = NULL;
    uint64_t need = 0;
    require(nigh_job_bytes(u->index, &options, 0, &need) == NIGH_OK);
    require(nigh_job_begin(u->index, &options, NULL, NULL, NULL, 0, take(u, need), need, &made) ==
            NIGH_OK);
    nigh_status status = NIGH_OK;
    while (status == NIGH_OK && progress.state != NIGH_JOB_DONE) {
        status = nigh_job_run(made, u->session, &progress);
        require(progress.state != NIGH_JOB_WAIT);
    }
    require(nigh_job_end(made) == NIGH_OK);
    return status;
}

static void root_and_change(use *u, const void *row, uint32_t flags) {
    uint32_t done = 0;
    require(job(u, NIGH_JOB_ROOT) == NIGH_OK);
    check(u);
    if ((flags & VACUUM) != 0) {
        require(job(u, NIGH_JOB_VACUUM) == NIGH_OK);
        check(u);
    }
    if ((flags & REFINE) != 0) {
        session(u, REFINE_EF);
        require(job(u, NIGH_JOB_REFINE) == NIGH_OK);
        check(u);
    }
    if (u->config.keys == NIGH_KEYS_U64 && u->config.vectors == NIGH_VECTORS_OWNED) {
        const uint64_t key = 0x1122334455667788u;
        const nigh_status status = nigh_insert(u->index, u->session, 0, &key, NULL, row, 1, &done);
        require(status == NIGH_OK || status == NIGH_E_EXISTS || status == NIGH_E_DELETED);
        check(u);
    }
}

/* Written, read and written again: the same bytes. */
static void there_and_back(const use *u, const uint8_t *flags) {
    const uint32_t narrow = (flags[0] & NARROW) != 0 ? NIGH_HNSWLIB_32 : 0;
    out first = {0}, second = {0};
    use again = {0};
    const nigh_status status = nigh_hnswlib_write(u->index, u->session, narrow, 0, append, &first);
    require(status == NIGH_OK || (narrow != 0 && status == NIGH_E_KEY));
    if (status == NIGH_OK) {
        nigh_config config = config_of(flags);
        config.vectors = NIGH_VECTORS_OWNED;
        const nigh_status read = fill(&again, config, first.bytes, first.size);
        require(read == NIGH_OK);
        session(&again, EF);
        require(nigh_hnswlib_write(again.index, again.session, narrow, 0, append, &second) ==
                NIGH_OK);
        require(first.size == second.size && memcmp(first.bytes, second.bytes, first.size) == 0);
    }
    drop(&again);
    free(first.bytes);
    free(second.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    use u = {0};
    if (size < 2 || size > FILE_MAX) {
        return 0;
    }
    const size_t file_bytes = size - 2;
    const size_t odd = (bytes[0] & BORROW) == 0; /* a file needs no alignment, unless it is lent */
    uint8_t *file = (uint8_t *)take(&u, file_bytes + odd) + odd;
    memcpy(file, bytes + 2, file_bytes);
    if (fill(&u, config_of(bytes), file, file_bytes) == NIGH_OK) {
        float row[256];
        for (uint32_t i = 0; i < 256; i++) {
            row[i] = (float)(i % 7) + 1;
        }
        session(&u, EF);
        check(&u);
        /* Rows in the file are read as they are: finite ones only where they were looked at. */
        if ((bytes[0] & BORROW) == 0) {
            search(&u, row);
            there_and_back(&u, bytes);
        } else if (u.facts.vector_stride % 4 == 0 && u.facts.vector_offset % 4 == 0) {
            require(nigh_index_borrow(u.index, file + u.facts.vector_offset, u.facts.vector_stride,
                                      u.facts.slot_count, 0) == NIGH_OK);
            search(&u, row);
            if ((bytes[0] & CHANGE) != 0) { /* of whatever the distances are */
                require(job(&u, NIGH_JOB_ROOT) == NIGH_OK);
                check(&u);
            }
        }
        if ((bytes[0] & (CHANGE | BORROW)) == CHANGE) {
            root_and_change(&u, row, bytes[0]);
            there_and_back(&u, bytes);
        }
    }
    drop(&u);
    return 0;
}
