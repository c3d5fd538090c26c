/* fuzz.c - any bytes as an image: refused, or used in every way without leaving its memory
 * layer T; uses: nothing
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Input: one byte of flags, a second one if bit 7 of it is set, then the image. Bits 0..2 are
 * nigh_options.flags, bit 3 makes the checksums right (docs/FORMAT.md), so that what lies behind
 * them is reached, bit 4 changes the index (and grows it, unless bit 2 is set), bit 5 gives it
 * vectors by callback when it has none, bit 6 saves it, plain and packed. Second byte: bit 0
 * attaches header and blocks one by one, as a pager keeps them, bit 1 searches in the ways that
 * bits 2..4 do not, those are a job, bit 5 writes a file of hnswlib, bit 6 commits to a store, bit
 * 7 tunes. Checksums are computed here anew: the library is used through its public header alone.
 * A loop that does not end is found by libFuzzer's -timeout. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <string.h>

#include "../../support/image_fix.h"
#include "nigh.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { EF = 48, IMAGE_MAX = 1 << 16, BLOCKS_MAX = 64, BLOCK_BYTES_MAX = 1 << 20 };
enum { FIX = 8, CHANGE = 16, FETCH = 32, SAVE = 64, SECOND = 128 };
enum { PAGED = 1, WAYS = 2, JOB_SHIFT = 2, HNSWLIB = 32, STORE = 64, TUNE = 128 };
enum { BUILD = 1, ROOT = 4 }; /* jobs */

static void require(int condition) {
    if (!condition) {
        abort();
    }
}

/* ---- Use ------------------------------------------------------------------------------------ */

typedef struct use {
    nigh_config config;
    nigh_index *index;
    nigh_session *session;
    uint64_t row_bytes;
    uint8_t *row; /* a valid one */
    uint8_t *out; /* room for EF keys or one row */
    const uint8_t *image;
    size_t image_bytes;
    uint32_t block_count;
    void *blocks[BLOCKS_MAX]; /* the pager's */
    void *memory[24];
    uint32_t count;
} use;

static void *take(use *u, uint64_t bytes) {
    void *memory = NULL;
    require(u->count < 24);
    if (bytes > 1u << 28 || posix_memalign(&memory, 64, bytes != 0 ? (size_t)bytes : 1) != 0) {
        return NULL;
    }
    return u->memory[u->count++] = memory;
}

static nigh_status fetch(void *user, const uint32_t *slots, const uint64_t *keys, uint32_t count,
                         void *scratch, const void **vectors) {
    const use *u = user;
    (void)slots, (void)keys, (void)scratch;
    for (uint32_t i = 0; i < count; i++) {
        vectors[i] = u->row;
    }
    return NIGH_OK;
}

static float custom(void *user, const void *a, const void *b, uint32_t dim) {
    (void)user, (void)dim;
    return (float)((const uint8_t *)a)[0] - (float)((const uint8_t *)b)[0];
}

/* ---- Pager ---------------------------------------------------------------------------------- */

static nigh_status new_block(use *u, uint64_t bytes, void **address) {
    if (u->block_count == BLOCKS_MAX || bytes > BLOCK_BYTES_MAX) {
        return NIGH_E_USER - 2;
    }
    require(bytes > 0 && posix_memalign(address, 64, (size_t)bytes) == 0);
    u->blocks[u->block_count++] = *address;
    return NIGH_OK;
}

/* What the image has of the block; anything at all behind the last record. */
static nigh_status map_block(void *user, uint32_t region, uint32_t block, uint64_t bytes,
                             void **address) {
    use *u = user;
    require(region < IMAGE_REGIONS);
    const uint8_t *entry = u->image + IMAGE_DIRECTORY + 32 * (size_t)region;
    const uint64_t live = image_get64(entry + 8) * image_get32(entry + 16), from = block * bytes;
    const uint64_t at = image_get64(entry) + from;
    const nigh_status status = new_block(u, bytes, address);
    if (status == NIGH_OK) {
        memset(*address, u->index == NULL ? 0xa5 : 0, (size_t)bytes); /* zeros: a new one */
        if (from < live && at < u->image_bytes) {
            uint64_t count = live - from < bytes ? live - from : bytes;
            count = count < u->image_bytes - at ? count : u->image_bytes - at;
            memcpy(*address, u->image + at, (size_t)count);
        }
    }
    return status;
}

/* The block moves; whoever still reads the old one reads freed memory. */
static nigh_status dirty_block(void *user, uint32_t region, uint32_t block, uint64_t bytes,
                               void **address) {
    use *u = user;
    uint32_t i = 0;
    (void)region, (void)block;
    while (i < u->block_count && u->blocks[i] != *address) {
        i++;
    }
    require(i < u->block_count);
    require(posix_memalign(&u->blocks[i], 64, (size_t)bytes) == 0);
    memcpy(u->blocks[i], *address, (size_t)bytes);
    free(*address);
    *address = u->blocks[i];
    return NIGH_OK;
}

static nigh_status attach_blocks(use *u, uint8_t *image, const nigh_options *options, void *memory,
                                 uint64_t bytes, uint32_t flags) {
    uint32_t word = 3; /* the state of a paged header; its table is elsewhere */
    if ((flags & FIX) != 0) {
        memcpy(image + 16, &word, 4);
        memset(image + 20, 0, 4);
        word = image_xxh32(image, IMAGE_HEADER - 4);
        memcpy(image + IMAGE_HEADER - 4, &word, 4);
    }
    return nigh_attach_blocks(image, IMAGE_HEADER, options, map_block, dirty_block, u, memory,
                              bytes, &u->index);
}

/* ---- Reading -------------------------------------------------------------------------------- */

static nigh_session *new_session(use *u, const nigh_session_options *options) {
    nigh_session *session = NULL;
    uint64_t bytes = 0;
    require(nigh_session_bytes(u->index, options, &bytes) == NIGH_OK);
    void *memory = take(u, bytes);
    if (memory != NULL) {
        require(nigh_session_init(u->index, options, memory, bytes, &session) == NIGH_OK);
    }
    return session;
}

/* Session and a row for whatever attached; 0 when it is too large to be used here. */
static int prepare(use *u, uint32_t flags) {
    nigh_session_options so = {.struct_size = sizeof so,
                               .ef_max = EF,
                               .frontier_max = 64,
                               .flags = flags & CHANGE ? 0 : NIGH_SESSION_READ};
    u->config.struct_size = sizeof u->config;
    require(nigh_config_get(u->index, &u->config) == NIGH_OK);
    require(nigh_row_bytes(u->config.dim, u->config.dtype, &u->row_bytes) == NIGH_OK);
    so.flags |= u->config.seed % 2 != 0 ? NIGH_SESSION_SMALL : 0;
    u->session = new_session(u, &so);
    if (u->session == NULL) {
        return 0;
    }
    u->row = take(u, u->row_bytes);
    u->out = take(u, EF * 512 + u->row_bytes);
    float *floats = take(u, u->config.dim * sizeof(float));
    require(u->row != NULL && u->out != NULL && floats != NULL);
    for (uint32_t i = 0; i < u->config.dim; i++) {
        floats[i] = (float)(i % 7) + 1;
    }
    require(nigh_convert(u->config.dim, u->config.dtype, 1, floats, u->row, NULL, NULL) == NIGH_OK);
    if (u->config.metric == NIGH_METRIC_CUSTOM) {
        require(nigh_index_distance(u->index, custom, NULL) == NIGH_OK);
    }
    if ((flags & FETCH) != 0 && u->config.vectors == NIGH_VECTORS_EXTERNAL) {
        require(nigh_index_fetch(u->index, fetch, NULL, u) == NIGH_OK);
    }
    return 1;
}

static void read_all(use *u) {
    uint32_t lengths[EF], slots[EF], found = 0, top = 0, count = 0, node = 0, done = 0;
    uint32_t *links = malloc(2048 * sizeof *links);
    float distances[EF];
    nigh_search_options so = {.struct_size = sizeof so, .ef = EF, .expansions = 1};
    require(links != NULL);
    for (so.flags = 0; so.flags <= NIGH_SEARCH_EXACT; so.flags++) {
        nigh_status s = nigh_search(u->index, u->session, u->row, &so, EF, u->out, lengths,
                                    distances, slots, &found);
        require(s <= NIGH_OK && found <= EF);
    }
    so.flags = 0;
    if (nigh_cursor_begin(u->index, u->session, u->row, &so) == NIGH_OK) {
        for (int i = 0; i < 4; i++) {
            (void)nigh_cursor_next(u->index, u->session, 20, u->out, lengths, distances, slots,
                                   &found);
            require(found <= 20);
        }
    }
    for (uint32_t from = 0, round = 0; round < 8; round++, from = slots[found - 1] + 1) {
        if (nigh_keys(u->index, from, EF, u->out, lengths, slots, &found) != NIGH_OK ||
            found == 0) {
            break;
        }
        uint8_t key[512];
        memcpy(key, u->out, sizeof key);
        (void)nigh_get(u->index, u->session, key, lengths, 1, u->out, slots + 1, &done);
    }
    for (uint32_t slot = 0; slot < 8; slot++) {
        for (uint32_t level = 0; level < 4; level++) {
            (void)nigh_node(u->index, slot, level, &top, &node, links, &count);
        }
    }
    free(links);
}

static int32_t odd_slots(void *user, uint32_t slot, const uint64_t *key) {
    (void)user;
    return slot % 2 != 0 || (key != NULL && *key % 3 == 0);
}

/* Several queries at once, filters, a radius, and an end before the end. */
static void search_ways(use *u) {
    static const nigh_search_options ways[] = {
        {.ef = EF, .expansions = 4, .flags = NIGH_SEARCH_RADIUS, .radius = 3},
        {.ef = 5, .expansions = 1, .flags = NIGH_SEARCH_NO_CODES, .gamma = 0.25f},
        {.ef = EF, .expansions = 8, .expansions_max = 3, .rerank = EF}};
    uint32_t bits[64], lengths[2 * EF], slots[2 * EF], found[2] = {0, 0}, done = 0;
    float distances[2 * EF];
    uint8_t *rows = malloc(2 * (size_t)u->row_bytes);
    nigh_stats stats = {.struct_size = sizeof stats};
    require(rows != NULL && nigh_stats_get(u->index, &stats) == NIGH_OK);
    memcpy(rows, u->row, (size_t)u->row_bytes);
    memcpy(rows + u->row_bytes, u->row, (size_t)u->row_bytes);
    memset(bits, 0x2d, sizeof bits);
    for (uint32_t turn = 0; turn < 9; turn++) {
        nigh_search_options so = ways[turn % 3];
        so.struct_size = sizeof so;
        if (turn / 3 == 1 && stats.slot_count <= 64 * 32) {
            require(nigh_session_filter(u->session, bits, stats.slot_count, NULL, NULL) == NIGH_OK);
        } else {
            require(nigh_session_filter(u->session, NULL, 0, turn / 3 == 2 ? odd_slots : NULL,
                                        NULL) == NIGH_OK);
        }
        const uint32_t k = so.ef < EF ? 3 : EF / 2;
        const nigh_status status = nigh_search_batch(u->index, u->session, rows, 2, &so, k, u->out,
                                                     lengths, distances, slots, found, &done);
        require(status <= NIGH_OK && done <= 2 && found[0] <= k && found[1] <= k);
        for (uint32_t i = 0; status == NIGH_OK && i < found[0]; i++) {
            require(slots[i] < stats.slot_count && (turn / 3 != 1 || stats.slot_count > 2048 ||
                                                    (bits[slots[i] / 32] >> slots[i] % 32 & 1)));
        }
    }
    require(nigh_session_filter(u->session, NULL, 0, NULL, NULL) == NIGH_OK);
    free(rows);
}

static uint64_t clock_ns(void *user) {
    uint64_t *now = user;
    return *now += 100000;
}

static void tune(use *u) {
    uint64_t now = 0;
    const nigh_session_options so = {.struct_size = sizeof so,
                                     .ef_max = 64,
                                     .frontier_max = 64,
                                     .flags = NIGH_SESSION_READ,
                                     .lanes = 3};
    nigh_session *session = new_session(u, &so);
    if (session != NULL) {
        require(nigh_tune(u->index, session, clock_ns, &now) <= NIGH_OK);
    }
}

/* ---- Writing -------------------------------------------------------------------------------- */

static void check(use *u) {
    nigh_report report = {0};
    report.struct_size = sizeof report;
    require(nigh_check(u->index, u->session, &report) == NIGH_OK);
    require((report.status == NIGH_OK) == (report.fault == 0));
}

static nigh_status swallow(void *user, const void *bytes, uint64_t count) {
    uint64_t *left = user;
    const uint8_t *at = bytes;
    uint32_t sum = 0;
    for (uint64_t i = 0; i < count; i++) { /* the sanitizer sees each byte */
        sum += at[i];
    }
    require(count <= *left && sum <= 255 * count);
    *left -= count;
    return NIGH_OK;
}

static void save(const use *u) {
    for (uint32_t flags = 0; flags < 4; flags++) {
        uint64_t bytes = 0;
        require(nigh_save_bytes(u->index, flags, &bytes) == NIGH_OK);
        nigh_status status = nigh_save(u->index, flags, swallow, &bytes);
        require(status == NIGH_E_CORRUPT || status == NIGH_E_OPEN ||
                (status == NIGH_OK && bytes == 0));
    }
}

static nigh_status append(void *user, const void *bytes, uint64_t count) {
    uint64_t left = UINT64_MAX;
    (void)user;
    return swallow(&left, bytes, count);
}

static void write_hnswlib(use *u) {
    for (uint32_t flags = 0; flags <= NIGH_HNSWLIB_32; flags++) {
        require(nigh_hnswlib_write(u->index, u->session, flags, 0, append, NULL) <= NIGH_OK);
    }
}

typedef struct device {
    uint8_t *bytes;
    uint64_t size;
} device;

static nigh_status read_pages(void *user, uint64_t offset, void *bytes, uint64_t count) {
    const device *d = user;
    require(count <= d->size && offset <= d->size - count);
    memcpy(bytes, d->bytes + offset, (size_t)count);
    return NIGH_OK;
}

static nigh_status write_pages(void *user, uint64_t offset, const void *bytes, uint64_t count) {
    const device *d = user;
    require(count <= d->size && offset <= d->size - count);
    memcpy(d->bytes + offset, bytes, (size_t)count);
    return NIGH_OK;
}

static nigh_status sync_pages(void *user) {
    (void)user;
    return NIGH_OK;
}

/* What is committed is read again. */
static void commit(use *u) {
    nigh_store_options so = {.struct_size = sizeof so,
                             .flags = NIGH_STORE_FORMAT,
                             .page_bytes = 1024,
                             .page_count = 160};
    uint64_t bytes = 0, blocks = 0;
    nigh_store *store = NULL;
    nigh_index *again = NULL;
    device d = {take(u, 160 * 1024), 160 * 1024};
    require(nigh_store_bytes(&so, &bytes) == NIGH_OK && d.bytes != NULL);
    void *memory = take(u, bytes);
    memset(d.bytes, 0, (size_t)d.size);
    require(nigh_store_open(&so, read_pages, write_pages, NULL, sync_pages, &d, memory, bytes,
                            &store) == NIGH_OK);
    nigh_status status = nigh_store_commit(store, u->index);
    require(status == NIGH_OK || status == NIGH_E_FULL || status == NIGH_E_READ_ONLY ||
            status == NIGH_E_OPEN || status == NIGH_E_BUSY);
    if (status == NIGH_OK && nigh_store_attach_bytes(store, NULL, &bytes, &blocks) == NIGH_OK) {
        void *handle = take(u, bytes), *block_memory = take(u, blocks);
        if (handle != NULL && block_memory != NULL) {
            require(nigh_store_attach(store, NULL, handle, bytes, block_memory, blocks, &again) ==
                    NIGH_OK);
        }
    }
}

/* ---- Changing ------------------------------------------------------------------------------- */

static int make_writer(use *u) {
    uint64_t bytes = 0;
    return nigh_writer_bytes(u->index, &bytes) == NIGH_OK &&
           nigh_writer_init(u->index, take(u, bytes), bytes) == NIGH_OK;
}

static void grow(use *u, uint32_t slots, int paged) {
    uint64_t bytes = 0;
    if (paged) {
        (void)nigh_grow(u->index, slots, 64, NULL, 0);
    } else if (nigh_grow_bytes(u->index, slots, 64, &bytes) == NIGH_OK && bytes < 1 << 24) {
        (void)nigh_grow(u->index, slots, 64, take(u, bytes), bytes);
    }
}

static void change(use *u) {
    uint64_t key[2] = {1, 77};
    uint32_t length = 3, done = 0;
    const uint32_t *lengths = u->config.keys == NIGH_KEYS_BYTES ? &length : NULL;
    const void *row = u->config.vectors == NIGH_VECTORS_OWNED ? u->row : NULL;
    (void)nigh_insert(u->index, u->session, 0, &key[1], lengths, row, 1, &done);
    (void)nigh_set(u->index, u->session, NIGH_SET_EXCLUSIVE, key, lengths, row, 1, &done);
    (void)nigh_remove(u->index, u->session, key, lengths, 1, &done);
    key[1] = 78;
    (void)nigh_insert(u->index, u->session, NIGH_REPLACE_DELETED | NIGH_SET_EXCLUSIVE, &key[1],
                      lengths, row, 1, &done);
    (void)nigh_unremove(u->index, u->session, key, lengths, 1, &done);
    read_all(u);
}

/* All but BUILD by numbers; BUILD brings two vectors. */
static void run_job(use *u, uint32_t number) {
    static const nigh_job_options kinds[] = {
        {.kind = NIGH_JOB_BUILD},
        {.kind = NIGH_JOB_VACUUM},
        {.kind = NIGH_JOB_REFINE},
        {.kind = NIGH_JOB_ROOT},
        {.kind = NIGH_JOB_CODES, .codes = NIGH_CODES_U7},
        {.kind = NIGH_JOB_CODES, .codes = NIGH_CODES_B1, .code_min = -1, .code_max = 1},
        {.kind = NIGH_JOB_CODES, .codes = NIGH_CODES_NONE}};
    nigh_job_options options = kinds[number - 1];
    const int build = options.kind == NIGH_JOB_BUILD;
    const uint64_t keys[2] = {177, 178};
    const uint32_t two[2] = {5, 6};
    const uint32_t *lengths = build && u->config.keys == NIGH_KEYS_BYTES ? two : NULL;
    const int rows = build && u->config.vectors == NIGH_VECTORS_OWNED;
    nigh_session_options so = {.struct_size = sizeof so, .ef_max = 512, .frontier_max = 64};
    nigh_progress progress = {.struct_size = sizeof progress};
    nigh_job *job = NULL;
    uint64_t bytes = 0;
    options.struct_size = sizeof options;
    so.ef_max = u->config.ef_build > so.ef_max ? u->config.ef_build : so.ef_max;
    if (nigh_job_bytes(u->index, &options, build ? 2 : 0, &bytes) != NIGH_OK) {
        return;
    }
    void *memory = take(u, bytes);
    uint8_t *vectors = rows ? take(u, 2 * u->row_bytes) : NULL;
    for (uint32_t i = 0; i < 2 && vectors != NULL; i++) {
        memcpy(vectors + i * u->row_bytes, u->row, (size_t)u->row_bytes);
    }
    if (memory == NULL || nigh_job_begin(u->index, &options, build ? keys : NULL, lengths, vectors,
                                         build ? 2 : 0, memory, bytes, &job) != NIGH_OK) {
        return;
    }
    nigh_session *worker = new_session(u, &so);
    nigh_status status = worker != NULL ? NIGH_OK : NIGH_E_MEMORY;
    while (status == NIGH_OK && progress.state != NIGH_JOB_DONE) {
        status = nigh_job_run(job, worker, &progress);
        require(progress.state != NIGH_JOB_WAIT);
    }
    require(nigh_job_end(job) == NIGH_OK);
    nigh_session *after = new_session(u, &so); /* with room for codes that there were not before */
    if (after != NULL) {
        u->session = after;
        read_all(u);
    }
}

/* What is sealed is sound, as far as checksums go. */
static void end_changes(use *u, uint8_t *image) {
    uint8_t header[NIGH_HEADER_BYTES];
    const nigh_options options = {.struct_size = sizeof options, .flags = NIGH_OPEN_VERIFY};
    nigh_index *again = NULL;
    uint64_t bytes = 0;
    nigh_status status = nigh_header(u->index, header);
    require(status == NIGH_OK || status == NIGH_E_OPEN || status == NIGH_E_READ_ONLY);
    status = nigh_seal(u->index);
    if (status == NIGH_OK && u->block_count == 0) {
        require(nigh_attach_bytes(image, u->image_bytes, &options, &bytes) == NIGH_OK);
        void *memory = take(u, bytes);
        require(memory != NULL);
        require(nigh_attach(image, u->image_bytes, &options, memory, bytes, &again) == NIGH_OK);
    }
}

/* ---- One input ------------------------------------------------------------------------------ */

static void use_all(use *u, uint8_t *image, uint32_t flags, uint32_t more, uint32_t slots) {
    check(u);
    read_all(u);
    if ((more & WAYS) != 0) {
        search_ways(u);
    }
    if ((flags & SAVE) != 0) {
        save(u);
    }
    if ((more & HNSWLIB) != 0) {
        write_hnswlib(u);
    }
    if ((more & TUNE) != 0) {
        tune(u);
    }
    if ((more & STORE) != 0) {
        commit(u);
    }
    if ((flags & CHANGE) != 0 && make_writer(u)) {
        if ((flags & NIGH_OPEN_VERIFY) == 0) {
            grow(u, slots, (more & PAGED) != 0);
        }
        const uint32_t job = more >> JOB_SHIFT & 7;
        if (job == BUILD || job == ROOT) { /* of an empty index, of one that nothing changes yet */
            run_job(u, job);
        }
        change(u);
        if (job != 0 && job != BUILD && job != ROOT) {
            run_job(u, job);
        }
        end_changes(u, image);
        check(u);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    use u = {0};
    uint64_t handle = 0;
    const uint32_t heads = size > 0 && (bytes[0] & SECOND) != 0 ? 2 : 1;
    if (size < heads || size > IMAGE_MAX) {
        return 0;
    }
    const uint32_t flags = bytes[0], more = heads == 2 ? bytes[1] : 0;
    size -= heads;
    uint8_t *image = take(&u, size);
    memcpy(image, bytes + heads, size);
    u.image = image;
    u.image_bytes = size;
    if ((flags & FIX) != 0 && size >= IMAGE_HEADER) {
        image_fix(image, size);
    }
    nigh_options options = {.struct_size = sizeof options, .flags = flags & 7};
    if ((flags & CHANGE) != 0 && size >= IMAGE_HEADER) {
        options.slot_max = image_get32(image + 88) + 3; /* room for a few more */
    }
    if (nigh_attach_bytes(image, size, &options, &handle) == NIGH_OK && handle < 1 << 26) {
        void *memory = take(&u, handle);
        const nigh_status status =
            (more & PAGED) != 0 ? attach_blocks(&u, image, &options, memory, handle, flags)
                                : nigh_attach(image, size, &options, memory, handle, &u.index);
        if (status == NIGH_OK && prepare(&u, flags)) {
            use_all(&u, image, flags, more, options.slot_max);
        }
    }
    while (u.count > 0) {
        free(u.memory[--u.count]);
    }
    while (u.block_count > 0) {
        free(u.blocks[--u.block_count]);
    }
    return 0;
}
