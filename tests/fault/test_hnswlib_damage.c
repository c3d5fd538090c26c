/* test_hnswlib_damage.c - files of hnswlib cut at every length, every bit flipped, and crafted ones
 * layer T; uses: data, fixture, hnsw_file, image_fix, jobs
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A file is refused, or what it gave is an index that nigh_check has nothing against. Run with the
 * address sanitizer: files lie in memory of exactly their size. */
#define _POSIX_C_SOURCE 200809L
#include <unistd.h>

#include "data.h"
#include "fixture.h"
#include "hnsw_file.h"
#include "image_fix.h"
#include "jobs.h"
#include "t.h"

enum { N = 9, DIM = 3, M = 2, SECONDS_MAX = 120 };

static hnsw_file make(uint32_t i) {
    static const uint8_t tops[N] = {0, 2, 0, 1, 0, 0, 1, 2, 0};
    rng r = {7};
    return hnsw_file_make(&r, i % 2 == 0 ? 8 : 4, N, M, DIM, i < 2 ? NIGH_DTYPE_F32 : NIGH_DTYPE_U8,
                          4, tops, 0);
}

static nigh_config config_of(const hnsw_file *file, uint32_t metric) {
    nigh_config config = {.struct_size = sizeof config, .dim = DIM, .metric = metric};
    config.dtype = file->dtype;
    return config;
}

/* Read, and if it is no good refused; else checked, searched, rooted and checked again. */
static nigh_status use(const hnsw_file *file, const void *bytes, uint64_t size) {
    static const float query[DIM] = {0.5f, -1, 2};
    static const uint8_t query_u8[DIM] = {9, 100, 3};
    fx f;
    fx_hits h;
    const nigh_config config = config_of(file, NIGH_METRIC_L2);
    const nigh_status status = hnsw_read(&f, bytes, size, &config, 0);
    if (status != NIGH_OK) {
        return status;
    }
    nigh_search_options so = fx_search_options(16, 0);
    fx_hits_init(&h, &f.config, 16);
    fx_check(f.index, f.session);
    const void *asked = file->dtype == NIGH_DTYPE_F32 ? (const void *)query : query_u8;
    t_ok(fx_search(&f, f.session, asked, &so, 16, &h));
    t_eq(h.found, fx_stats(f.index).live_count);
    t_ok(fx_work(&f, NIGH_JOB_ROOT, 1, 1));
    fx_check(f.index, f.session);
    t_ok(fx_work(&f, NIGH_JOB_VACUUM, 1, 1));
    fx_check(f.index, f.session);
    fx_hits_drop(&h);
    fx_drop(&f);
    return NIGH_OK;
}

TEST(cut_at_every_length) {
    for (uint32_t i = 0; i < 4; i++) {
        hnsw_file file = make(i);
        t_ok(use(&file, file.bytes, file.size));
        for (uint64_t size = 0; size < file.size; size++) {
            uint8_t *part = fx_exact(size);
            memcpy(part, file.bytes, (size_t)size);
            alarm(SECONDS_MAX);
            const nigh_status status = use(&file, part, size);
            t_assert(status == (size < file.head_bytes ? NIGH_E_FORMAT : NIGH_E_CORRUPT));
            free(part);
        }
        uint8_t *more = fx_exact(file.size + 4); /* nothing may follow */
        memset(more, 0, (size_t)file.size + 4);
        memcpy(more, file.bytes, (size_t)file.size);
        t_is(use(&file, more, file.size + 1), NIGH_E_CORRUPT);
        t_is(use(&file, more, file.size + 4), NIGH_E_CORRUPT);
        free(more);
        free(file.bytes);
    }
}

TEST(every_bit_flipped) {
    for (uint32_t i = 0; i < 4; i++) {
        hnsw_file file = make(i);
        uint32_t refused = 0;
        for (uint64_t bit = 0; bit < file.size * 8; bit++) {
            file.bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
            alarm(SECONDS_MAX);
            const nigh_status status = use(&file, file.bytes, file.size);
            t_assert(status == NIGH_OK || status == NIGH_E_FORMAT || status == NIGH_E_CORRUPT ||
                     status == NIGH_E_MISMATCH || status == NIGH_E_UNSUPPORTED ||
                     status == NIGH_E_VECTOR);
            refused += status != NIGH_OK;
            file.bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        }
        t_assert(refused > file.size && refused < file.size * 8);
        free(file.bytes);
    }
}

/* ---- Crafted -------------------------------------------------------------------------------- */

typedef struct craft {
    uint32_t field;
    uint64_t value; /* UINT64_MAX - x stands for the highest number of the width but x */
    nigh_status want;
} craft;

TEST(crafted_headers) {
    const uint64_t top = UINT64_MAX;
    const craft crafts[] = {{HNSW_ZERO, 1, NIGH_E_FORMAT},
                            {HNSW_MAX, N - 1, NIGH_E_CORRUPT},
                            {HNSW_MAX, top, NIGH_OK},
                            {HNSW_COUNT, N + 1, NIGH_E_CORRUPT},
                            {HNSW_COUNT, N - 1, NIGH_E_CORRUPT},
                            {HNSW_COUNT, 0, NIGH_E_CORRUPT},
                            {HNSW_COUNT, top, NIGH_E_CORRUPT},
                            {HNSW_COUNT, (uint64_t)1 << 63, NIGH_E_CORRUPT},
                            {HNSW_COUNT, 0x80000000u, NIGH_E_CORRUPT},
                            {HNSW_ELEMENT, 0, NIGH_E_FORMAT},
                            {HNSW_ELEMENT, top, NIGH_E_FORMAT},
                            {HNSW_LABEL, 0, NIGH_E_FORMAT},
                            {HNSW_LABEL, top - 7, NIGH_E_FORMAT},
                            {HNSW_VECTOR, 0, NIGH_E_FORMAT},
                            {HNSW_TOP, 1, NIGH_E_CORRUPT},
                            {HNSW_TOP, 3, NIGH_E_CORRUPT},
                            {HNSW_TOP, 16, NIGH_E_UNSUPPORTED},
                            {HNSW_TOP, top, NIGH_E_CORRUPT},
                            {HNSW_ENTRY, 0, NIGH_E_CORRUPT},
                            {HNSW_ENTRY, N, NIGH_E_CORRUPT},
                            {HNSW_ENTRY, top, NIGH_E_CORRUPT},
                            {HNSW_ENTRY, 7, NIGH_OK}, /* the other one on top */
                            {HNSW_M_ABOVE, 3, NIGH_E_CORRUPT},
                            {HNSW_M0, top, NIGH_E_FORMAT},
                            {HNSW_M0, M, NIGH_E_FORMAT},
                            {HNSW_M, 0, NIGH_E_CORRUPT},
                            {HNSW_M, top, NIGH_E_CORRUPT},
                            {HNSW_MULT, 0, NIGH_E_CORRUPT},
                            {HNSW_MULT, (uint64_t)0x7ff << 52, NIGH_E_CORRUPT},
                            {HNSW_MULT, (uint64_t)0x7ff8 << 48, NIGH_E_CORRUPT},
                            {HNSW_MULT, (uint64_t)1 << 63 | (uint64_t)0x3ff << 52, NIGH_E_CORRUPT},
                            {HNSW_EF, 0, NIGH_E_UNSUPPORTED},
                            {HNSW_EF, 65536, NIGH_E_UNSUPPORTED},
                            {HNSW_EF, top, NIGH_E_UNSUPPORTED}};
    for (uint32_t i = 0; i < 2 * sizeof crafts / sizeof crafts[0]; i++) {
        const craft *c = &crafts[i / 2];
        hnsw_file file = make(i % 2);
        const uint32_t bytes = c->field == HNSW_TOP || c->field == HNSW_ENTRY ? 4
                               : c->field == HNSW_MULT                        ? 8
                                                                              : file.width;
        if (bytes == 8 || c->value <= UINT32_MAX || c->value == top) {
            hnsw_put(file.bytes + hnsw_field(file.width, c->field), c->value, bytes);
            const nigh_status status = use(&file, file.bytes, file.size);
            if (status != c->want) {
                t_failf("field %u = %" PRIx64 ": %d, want %d", c->field, c->value, status, c->want);
            }
        }
        free(file.bytes);
    }
}

/* M of 1, of which hnswlib itself makes files, and of more than there may be. */
TEST(other_m) {
    static const uint32_t ms[] = {1, 1025};
    for (uint32_t i = 0; i < 2; i++) {
        rng r = {1};
        hnsw_file file = hnsw_file_make(&r, 8, 0, ms[i], DIM, NIGH_DTYPE_F32, 0, NULL, 0);
        t_is(use(&file, file.bytes, file.size), NIGH_E_UNSUPPORTED);
        free(file.bytes);
    }
}

static void lists_of(const hnsw_file *file, uint32_t slot, uint32_t level, uint32_t count,
                     const uint32_t *links, nigh_status want) {
    uint8_t *list = hnsw_list(file, slot, level), before[64];
    const size_t bytes = 4 + 4 * (size_t)(level == 0 ? 2 * M : M);
    memcpy(before, list, bytes);
    hnsw_put(list, count, 2);
    for (uint32_t i = 0; i < count && i < (level == 0 ? 2 * M : M); i++) {
        hnsw_put(list + 4 + 4 * (size_t)i, links[i], 4);
    }
    t_is(use(file, file->bytes, file->size), want);
    memcpy(list, before, bytes);
}

TEST(crafted_lists) {
    for (uint32_t i = 0; i < 2; i++) {
        hnsw_file file = make(i);
        lists_of(&file, 3, 0, 4, (const uint32_t[]){0, 1, 2, 4}, NIGH_OK);
        lists_of(&file, 3, 0, 4, (const uint32_t[]){0, 1, 2, 1}, NIGH_E_CORRUPT); /* twice */
        lists_of(&file, 3, 0, 4, (const uint32_t[]){0, 1, 2, 3}, NIGH_E_CORRUPT); /* itself */
        lists_of(&file, 3, 0, 4, (const uint32_t[]){0, 1, 2, N}, NIGH_E_CORRUPT); /* nobody */
        lists_of(&file, 3, 0, 1, (const uint32_t[]){UINT32_MAX}, NIGH_E_CORRUPT);
        lists_of(&file, 3, 0, 1, (const uint32_t[]){0x7fffffff}, NIGH_E_CORRUPT); /* an end mark */
        lists_of(&file, 3, 0, 1, (const uint32_t[]){0x80000001}, NIGH_E_CORRUPT); /* a child */
        lists_of(&file, 3, 0, 5, (const uint32_t[]){0, 1, 2, 4}, NIGH_E_CORRUPT); /* too many */
        lists_of(&file, 3, 0, 0xffff, (const uint32_t[]){0, 1, 2, 4}, NIGH_E_CORRUPT);
        lists_of(&file, 1, 2, 1, (const uint32_t[]){7}, NIGH_OK);
        lists_of(&file, 1, 2, 1, (const uint32_t[]){6}, NIGH_E_CORRUPT); /* not of that layer */
        lists_of(&file, 6, 1, 1, (const uint32_t[]){0}, NIGH_E_CORRUPT);
        lists_of(&file, 1, 1, 2, (const uint32_t[]){3, 3}, NIGH_E_CORRUPT);
        lists_of(&file, 1, 1, 3, (const uint32_t[]){3, 6}, NIGH_E_CORRUPT);
        hnsw_list(&file, 3, 0)[2] = 2; /* a mark that nobody knows */
        t_is(use(&file, file.bytes, file.size), NIGH_E_CORRUPT);
        hnsw_list(&file, 3, 0)[2] = 0;
        hnsw_list(&file, 1, 1)[2] = 1; /* deleted in one layer */
        t_is(use(&file, file.bytes, file.size), NIGH_E_CORRUPT);
        hnsw_list(&file, 1, 1)[2] = 0;
        uint8_t *label = hnsw_vector(&file, 2) + file.row_bytes;
        memcpy(label, hnsw_vector(&file, 8) + file.row_bytes, file.width); /* a label twice */
        t_is(use(&file, file.bytes, file.size), NIGH_E_CORRUPT);
        free(file.bytes);
    }
}

/* Sizes of lists above layer 0 that do not fit, that overflow, or that make nodes too high. */
TEST(crafted_sizes) {
    static const uint32_t sizes[] = {1, 4, 11, 13, UINT32_MAX, 0xfffffff4, 0x80000000, 12 * 16};
    for (uint32_t i = 0; i < 2 * sizeof sizes / sizeof sizes[0]; i++) {
        hnsw_file file = make(i % 2);
        for (uint32_t slot = 0; slot < N; slot++) {
            uint8_t *at = hnsw_list(&file, slot, 1) - 4, before[4];
            memcpy(before, at, 4);
            hnsw_put(at, sizes[i / 2], 4);
            const nigh_status status = use(&file, file.bytes, file.size);
            t_is(status, NIGH_E_CORRUPT);
            memcpy(at, before, 4);
        }
        free(file.bytes);
    }
}

/* An imported image with any bit flipped, checksums right: it may be refused or be found out, but
 * neither searches nor the job that roots it leave its memory. */
TEST(damaged_images) {
    fx f, g;
    fx_hits h;
    hnsw_file file = make(0);
    static const float query[DIM] = {0.5f, -1, 2};
    const nigh_config config = config_of(&file, NIGH_METRIC_L2);
    t_ok(hnsw_read(&f, file.bytes, file.size, &config, 0));
    fx_bytes image = fx_save(f.index, 0);
    for (uint64_t bit = 0; bit < image.size * 8; bit++) {
        alarm(SECONDS_MAX);
        image.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        uint8_t *copy = fx_malloc(image.size);
        memcpy(copy, image.data, (size_t)image.size);
        image_fix(copy, (size_t)image.size);
        image.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        if (fx_attach(&g, copy, image.size, NIGH_OPEN_WRITABLE, 0, 60) == NIGH_OK &&
            g.config.dim == DIM && g.config.dtype == NIGH_DTYPE_F32) {
            nigh_report report = {.struct_size = sizeof report};
            nigh_search_options so = fx_search_options(16, 0);
            fx_hits_init(&h, &g.config, 16);
            t_ok(nigh_check(g.index, g.session, &report));
            t_assert(fx_search(&g, g.session, query, &so, 16, &h) <= NIGH_OK);
            t_assert(fx_work(&g, NIGH_JOB_ROOT, 1, 1) <= NIGH_OK);
            t_assert(fx_search(&g, g.session, query, &so, 16, &h) <= NIGH_OK);
            fx_hits_drop(&h);
        }
        fx_drop(&g);
        free(copy);
    }
    free(image.data);
    free(file.bytes);
    fx_drop(&f);
}

SUITE {
    RUN(cut_at_every_length);
    RUN(every_bit_flipped);
    RUN(crafted_headers);
    RUN(other_m);
    RUN(crafted_lists);
    RUN(crafted_sizes);
    RUN(damaged_images);
}
