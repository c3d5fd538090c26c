/* test_hnswlib.c - files of hnswlib made by hand: read as they are, written back byte for byte
 * layer T; uses: data, fixture, hnsw_file, jobs
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <math.h>

#include "data.h"
#include "fixture.h"
#include "hnsw_file.h"
#include "jobs.h"
#include "t.h"

enum { N = 150, DIM = 6, M = 5, FREED = 17 };
static const uint32_t widths[] = {8, 4};

static nigh_config config_of(uint32_t metric, uint32_t dtype) {
    nigh_config config = {.struct_size = sizeof config, .dim = DIM, .metric = metric};
    config.dtype = dtype;
    return config;
}

static hnsw_file plain(uint32_t width, uint32_t dtype, int stale) {
    rng r = {t_seed()};
    return hnsw_file_make(&r, width, N, M, DIM, dtype, 7, NULL, stale);
}

static void open_plain(fx *f, uint32_t metric) {
    hnsw_file file = plain(8, NIGH_DTYPE_F32, 1);
    const nigh_config config = config_of(metric, NIGH_DTYPE_F32);
    t_ok(hnsw_read(f, file.bytes, file.size, &config, N + 50));
    free(file.bytes);
}

/* Links, layers, labels, vectors and deleted marks are those of the file. */
static void same_as_file(fx *f, const hnsw_file *file) {
    uint32_t links[64], top = 0, flags = 0, count = 0, slot = 0, done = 0;
    uint8_t row[4 * DIM];
    for (uint32_t i = 0; i < file->count; i++) {
        for (uint32_t level = 0; level <= hnsw_top(file, i); level++) {
            const uint8_t *list = hnsw_list(file, i, level);
            t_ok(nigh_node(f->index, i, level, &top, &flags, links, &count));
            t_eq(count, list[0]);
            t_bytes(links, list + 4, count * 4);
        }
        t_eq(top, hnsw_top(file, i));
        t_eq(flags, hnsw_list(file, i, 0)[2] ? NIGH_NODE_DELETED : 0);
        const uint64_t key = 3 * (uint64_t)i + 5;
        const nigh_status got = nigh_get(f->index, f->session, &key, NULL, 1, row, &slot, &done);
        if (flags == 0) {
            t_ok(got);
            t_eq(slot, i);
            t_bytes(row, hnsw_vector(file, i), file->row_bytes);
        } else {
            t_is(got, NIGH_E_DELETED);
        }
    }
}

TEST(read_and_written_back) {
    static const uint32_t pairs[][2] = {{NIGH_METRIC_L2, NIGH_DTYPE_F32},
                                        {NIGH_METRIC_IP, NIGH_DTYPE_F32},
                                        {NIGH_METRIC_L2, NIGH_DTYPE_U8}};
    for (uint32_t i = 0; i < 2 * sizeof pairs / sizeof pairs[0]; i++) {
        fx f;
        const uint32_t *pair = pairs[i / 2], width = widths[i % 2];
        const nigh_config config = config_of(pair[0], pair[1]);
        hnsw_file file = plain(width, pair[1], 0), stale = plain(width, pair[1], 1);
        t_ok(hnsw_read(&f, file.bytes, file.size, &config, 0));
        t_eq(f.config.m, M);
        t_eq(f.config.m0, 2 * M);
        t_eq(f.config.ef_build, 50);
        t_eq(f.config.build_flags, NIGH_BUILD_UNROOTED);
        t_eq(fx_stats(f.index).deleted_count, N / 7);
        fx_check(f.index, f.session);
        same_as_file(&f, &file);
        fx_bytes out = hnsw_write(f.index, f.session, width == 4 ? NIGH_HNSWLIB_32 : 0, N + 7);
        t_eq(out.size, file.size);
        t_bytes(out.data, file.bytes, out.size);
        fx_drop(&f);
        /* What lies behind the links is not looked at. */
        t_ok(hnsw_read(&f, stale.bytes, stale.size, &config, 0));
        fx_check(f.index, f.session);
        same_as_file(&f, &stale);
        fx_drop(&f);
        free(out.data);
        free(file.bytes);
        free(stale.bytes);
    }
}

/* One graph in files of both widths is one image, and either gives the other. */
TEST(widths_are_one) {
    fx wide, narrow;
    const nigh_config config = config_of(NIGH_METRIC_L2, NIGH_DTYPE_F32);
    hnsw_file file = plain(8, NIGH_DTYPE_F32, 0);
    t_ok(hnsw_read(&wide, file.bytes, file.size, &config, 0));
    fx_bytes small = hnsw_write(wide.index, wide.session, NIGH_HNSWLIB_32, 0);
    t_ok(hnsw_read(&narrow, small.data, small.size, &config, 0));
    fx_same_image(wide.index, narrow.index);
    fx_bytes back = hnsw_write(narrow.index, narrow.session, 0, N + 7);
    t_eq(back.size, file.size);
    t_bytes(back.data, file.bytes, back.size);
    free(back.data);
    free(small.data);
    free(file.bytes);
    fx_drop(&wide);
    fx_drop(&narrow);
}

/* Packed, a graph without a tree stays one: the same answers, the same image and file again. */
TEST(packed) {
    for (uint32_t order = 1; order < 3; order++) {
        fx f, small;
        fx_hits a, b;
        const nigh_config config = config_of(NIGH_METRIC_L2, NIGH_DTYPE_F32);
        hnsw_file file = plain(8, NIGH_DTYPE_F32, 0);
        t_ok(hnsw_read(&f, file.bytes, file.size, &config, 0));
        fx_bytes image = fx_save(f.index, NIGH_SAVE_PACKED);
        t_ok(fx_attach(&small, image.data, image.size, NIGH_OPEN_VERIFY, 0, 64));
        fx_check(small.index, small.session);
        fx_same_image(f.index, small.index);
        same_as_file(&small, &file);
        fx_hits_init(&a, &f.config, 5);
        fx_hits_init(&b, &f.config, 5);
        for (uint32_t i = 0; i < N; i++) {
            nigh_search_options so = fx_search_options(20, 0);
            so.expansions = order; /* 1: hnswlib's */
            t_ok(fx_search(&f, f.session, hnsw_vector(&file, i), &so, 5, &a));
            t_ok(fx_search(&small, small.session, hnsw_vector(&file, i), &so, 5, &b));
            fx_same_hits(&a, &b);
        }
        fx_bytes out = hnsw_write(small.index, small.session, 0, N + 7);
        t_eq(out.size, file.size);
        t_bytes(out.data, file.bytes, out.size);
        fx_hits_drop(&a);
        fx_hits_drop(&b);
        fx_drop(&f);
        fx_drop(&small);
        free(image.data);
        free(out.data);
        free(file.bytes);
    }
}

TEST(facts) {
    for (uint32_t i = 0; i < 2; i++) {
        hnsw_file file = plain(widths[i], NIGH_DTYPE_F32, 1);
        nigh_config config = config_of(NIGH_METRIC_COSINE, NIGH_DTYPE_F32);
        nigh_hnswlib facts = {.struct_size = sizeof facts};
        uint32_t lists = 0;
        t_ok(nigh_hnswlib_config(file.bytes, file.size, &config, &facts));
        for (uint32_t slot = 0; slot < N; slot++) {
            lists += hnsw_top(&file, slot);
        }
        t_eq(facts.bits, widths[i] * 8);
        t_eq(facts.slot_count, N);
        t_eq(facts.deleted_count, N / 7);
        t_eq(facts.upper_count, lists);
        t_eq(facts.identity, 0);
        t_eq(facts.max_elements, N + 7);
        t_eq(facts.label_max, 3 * (N - 1) + 5);
        t_eq(facts.vector_stride, file.element_bytes);
        t_bytes(file.bytes + facts.vector_offset, hnsw_vector(&file, 0), 4 * DIM);
        t_ok(nigh_hnswlib_config(file.bytes, file.size, &config, NULL));
        config.dim = DIM + 1;
        t_is(nigh_hnswlib_config(file.bytes, file.size, &config, NULL), NIGH_E_MISMATCH);
        config.dim = DIM;
        config.metric = NIGH_METRIC_L1;
        t_is(nigh_hnswlib_config(file.bytes, file.size, &config, NULL), NIGH_E_UNSUPPORTED);
        config.metric = NIGH_METRIC_HAMMING;
        t_is(nigh_hnswlib_config(file.bytes, file.size, &config, NULL), NIGH_E_INVALID);
        free(file.bytes);
    }
}

/* More layers than slots draw, and none at all: memory of the size asked for is enough. */
TEST(layers_of_any_height) {
    static const uint8_t heights[][3] = {{15, 15, 15}, {0, 0, 0}, {0, 15, 0}};
    for (uint32_t i = 0; i < 3; i++) {
        fx f;
        rng r = {t_seed()};
        uint8_t tops[40];
        for (uint32_t slot = 0; slot < 40; slot++) {
            tops[slot] = heights[i][slot % 3];
        }
        const nigh_config config = config_of(NIGH_METRIC_L2, NIGH_DTYPE_F32);
        hnsw_file file = hnsw_file_make(&r, 8, 40, M, DIM, NIGH_DTYPE_F32, 0, tops, 0);
        t_ok(hnsw_read(&f, file.bytes, file.size, &config, 200));
        same_as_file(&f, &file);
        t_ok(fx_work(&f, NIGH_JOB_ROOT, 1, 1));
        uint8_t *rows = data_rows(&r, DATA_UNIFORM, NIGH_DTYPE_F32, 160, DIM);
        fx_insert_many(&f, 1000, 160, rows); /* room for what those draw, too */
        fx_check(f.index, f.session);
        free(rows);
        free(file.bytes);
        fx_drop(&f);
    }
}

/* ---- Keys and vectors ----------------------------------------------------------------------- */

TEST(identity_and_borrowed) {
    fx f;
    hnsw_file file = plain(8, NIGH_DTYPE_F32, 1);
    nigh_config config = config_of(NIGH_METRIC_L2, NIGH_DTYPE_F32);
    nigh_hnswlib facts = {.struct_size = sizeof facts};
    config.keys = NIGH_KEYS_IDENTITY;
    config.vectors = NIGH_VECTORS_EXTERNAL;
    t_is(hnsw_read(&f, file.bytes, file.size, &config, 0), NIGH_E_KEY);
    for (uint32_t slot = 0; slot < N; slot++) {
        hnsw_put(hnsw_vector(&file, slot) + file.row_bytes, slot, 8);
    }
    t_ok(hnsw_read(&f, file.bytes, file.size, &config, 0));
    t_ok(nigh_hnswlib_config(file.bytes, file.size, &config, &facts));
    t_eq(facts.identity, 1);
    fx_hits h;
    fx_hits_init(&h, &f.config, N);
    nigh_search_options so = fx_search_options(N, 0);
    t_is(fx_search(&f, f.session, hnsw_vector(&file, 3), &so, 1, &h), NIGH_E_NO_VECTORS);
    t_is(nigh_hnswlib_write(f.index, f.session, 0, 0, fx_write, &(fx_bytes){0}), NIGH_E_NO_VECTORS);
    t_ok(nigh_index_borrow(f.index, file.bytes + facts.vector_offset, facts.vector_stride, N, 0));
    for (uint32_t slot = 0; slot < N; slot++) {
        t_ok(fx_search(&f, f.session, hnsw_vector(&file, slot), &so, 1, &h));
        t_assert(hnsw_list(&file, slot, 0)[2] || h.slots[0] == slot);
    }
    fx_bytes out = hnsw_write(f.index, f.session, 0, N + 7);
    t_eq(out.size, file.size);
    t_bytes(out.data + 96 + 4 + 8 * M, file.bytes + 96 + 4 + 8 * M, 4 * DIM + 8);
    free(out.data);
    fx_hits_drop(&h);
    fx_drop(&f);
    free(file.bytes);
}

/* A file of links and labels alone, for an index whose vectors are elsewhere: the same graph. */
TEST(without_vectors) {
    for (uint32_t i = 0; i < 2; i++) {
        fx f, g;
        hnsw_file file = plain(widths[i], NIGH_DTYPE_F32, 0);
        nigh_config config = config_of(NIGH_METRIC_L2, NIGH_DTYPE_F32);
        const size_t head = 10 * widths[i] + 16, links = 4 + 8 * M;
        const size_t element = links + 4 * DIM + widths[i], bare = links + widths[i];
        const size_t above = file.size - head - N * element;
        const size_t size = head + N * bare + above;
        uint8_t *without = calloc(1, size);
        memcpy(without, file.bytes, head);
        hnsw_put(without + 3 * widths[i], bare, widths[i]);
        hnsw_put(without + 4 * widths[i], links, widths[i]);
        for (uint32_t slot = 0; slot < N; slot++) {
            uint8_t *to = without + head + slot * bare;
            memcpy(to, file.bytes + head + slot * element, links);
            memcpy(to + links, file.bytes + head + slot * element + links + 4 * DIM, widths[i]);
        }
        memcpy(without + head + N * bare, file.bytes + head + N * element, above);
        t_is(hnsw_read(&f, without, size, &config, 0), NIGH_E_MISMATCH);
        config.vectors = NIGH_VECTORS_EXTERNAL;
        t_ok(hnsw_read(&f, file.bytes, file.size, &config, 0));
        t_ok(hnsw_read(&g, without, size, &config, 0));
        fx_same_image(f.index, g.index);
        for (size_t cut = 1; cut < size; cut += 97) {
            nigh_hnswlib facts = {.struct_size = sizeof facts};
            t_is(nigh_hnswlib_config(without, size - cut, &config, &facts),
                 size - cut < head ? NIGH_E_FORMAT : NIGH_E_CORRUPT);
        }
        fx_drop(&f);
        fx_drop(&g);
        free(without);
        free(file.bytes);
    }
}

/* Rows of a file are normalised, but those that are so already; tiny and huge ones too. */
TEST(cosine_is_normalised) {
    fx f, g;
    nigh_config config = fx_config(DIM, NIGH_METRIC_COSINE, NIGH_DTYPE_F32);
    static const float rows[4][DIM] = {
        {3, 0, 4}, {0.6f, 0, 0.8f}, {1e-30f, 0, 0, -1e-30f}, {2e30f, 2e30f, 2e30f, 2e30f}};
    static const float want[4][DIM] = {
        {0.6f, 0, 0.8f}, {0.6f, 0, 0.8f}, {0.70710678f, 0, 0, -0.70710678f}, {.5f, .5f, .5f, .5f}};
    fx_init(&f, &config, 4, 4, 0, 64);
    fx_insert_many(&f, 1, 4, (const uint8_t *)rows);
    fx_bytes out = hnsw_write(f.index, f.session, 0, 0);
    config = config_of(NIGH_METRIC_COSINE, NIGH_DTYPE_F32);
    t_ok(hnsw_read(&g, out.data, out.size, &config, 0));
    for (uint64_t id = 1; id <= 4; id++) {
        float row[DIM];
        t_ok(fx_get(&g, g.session, id, row, NULL));
        for (uint32_t i = 0; i < DIM; i++) {
            t_assert(fabsf(row[i] - want[id - 1][i]) <= 0x1p-23f);
        }
    }
    fx_bytes again = hnsw_write(g.index, g.session, 0, 0);
    t_eq(again.size, out.size);
    t_bytes(again.data, out.data, out.size);
    free(again.data);
    free(out.data);
    fx_drop(&f);
    fx_drop(&g);
}

/* Freed slots are deleted elements without links, under labels that no key has. */
TEST(free_slots) {
    for (uint32_t i = 0; i < 2; i++) {
        fx f, g;
        rng r = {t_seed()};
        const uint64_t highest = widths[i] == 8 ? UINT64_MAX : UINT32_MAX;
        nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
        uint8_t *rows = data_rows(&r, DATA_UNIFORM, NIGH_DTYPE_F32, N, DIM);
        uint32_t done = 0;
        fx_init(&f, &config, N, N, 0, 64);
        fx_insert_many(&f, 0, N - 1, rows);
        t_ok(nigh_insert(f.index, f.session, 0, &(uint64_t){highest - 2}, NULL, rows, 1, &done));
        for (uint64_t id = 0; id < FREED; id++) {
            t_ok(fx_remove(&f, f.session, id * 5));
        }
        t_ok(fx_work(&f, NIGH_JOB_VACUUM, 1, 1));
        t_eq(fx_stats(f.index).free_count, FREED);
        fx_bytes out = hnsw_write(f.index, f.session, i == 0 ? 0 : NIGH_HNSWLIB_32, 0);
        config = config_of(NIGH_METRIC_L2, NIGH_DTYPE_F32);
        t_ok(hnsw_read(&g, out.data, out.size, &config, 0));
        t_eq(fx_stats(g.index).deleted_count, FREED);
        uint64_t label = highest;
        for (uint64_t id = 0; id < FREED; id++, label--) {
            label -= label == highest - 2;
            t_is(nigh_unremove(g.index, g.session, &label, NULL, 0, &done), NIGH_OK);
            t_is(nigh_remove(g.index, g.session, &label, NULL, 1, &done), NIGH_E_DELETED);
        }
        t_is(nigh_remove(g.index, g.session, &label, NULL, 1, &done), NIGH_E_NOT_FOUND);
        t_ok(fx_work(&g, NIGH_JOB_ROOT, 1, 1)); /* they have no links at all */
        fx_check(g.index, g.session);
        t_ok(fx_work(&g, NIGH_JOB_VACUUM, 1, 1));
        fx_check(g.index, g.session);
        t_eq(fx_stats(g.index).free_count, FREED);
        free(out.data);
        free(rows);
        fx_drop(&f);
        fx_drop(&g);
    }
}

/* Freed slots that lay above all that is left, and that have no vector any more: what is written is
 * read again, under each space. */
TEST(free_slots_of_high_layers) {
    for (uint32_t i = 0; i < 8; i++) {
        static const uint32_t metrics[] = {NIGH_METRIC_L2, NIGH_METRIC_IP, NIGH_METRIC_COSINE,
                                           NIGH_METRIC_L2};
        fx f, g;
        rng r = {t_seed()};
        const uint32_t dtype = i / 2 == 3 ? NIGH_DTYPE_U8 : NIGH_DTYPE_F32;
        nigh_config config = fx_config(DIM, metrics[i / 2], dtype);
        uint8_t *rows = data_rows(&r, DATA_UNIFORM, dtype, N, DIM);
        uint32_t freed = 0, top = 0;
        fx_init(&f, &config, N, N, 0, 64);
        fx_insert_many(&f, 0, N, rows);
        for (uint32_t slot = 0; slot < N; slot++) {
            t_ok(nigh_node(f.index, slot, 0, &top, NULL, NULL, NULL));
            if (top > 0) {
                t_ok(fx_remove(&f, f.session, slot));
                freed++;
            }
        }
        t_assert(freed > 0 && freed < N);
        t_ok(fx_work(&f, NIGH_JOB_VACUUM, 1, 1));
        t_eq(fx_stats(f.index).level_max, 0);
        const uint32_t flags = i % 2 == 0 ? 0 : NIGH_HNSWLIB_32;
        fx_bytes out = hnsw_write(f.index, f.session, flags, 0);
        config = config_of(metrics[i / 2], dtype);
        t_ok(hnsw_read(&g, out.data, out.size, &config, 0));
        t_eq(fx_stats(g.index).deleted_count, freed);
        fx_check(g.index, g.session);
        fx_bytes again = hnsw_write(g.index, g.session, flags, 0);
        t_eq(again.size, out.size);
        t_bytes(again.data, out.data, out.size);
        free(again.data);
        free(out.data);
        free(rows);
        fx_drop(&f);
        fx_drop(&g);
    }
}

TEST(empty_and_single) {
    for (uint32_t count = 0; count < 3; count++) {
        fx f;
        rng r = {t_seed()};
        const nigh_config config = config_of(NIGH_METRIC_L2, NIGH_DTYPE_F32);
        hnsw_file file = hnsw_file_make(&r, 8, count, M, DIM, NIGH_DTYPE_F32, 0, NULL, 0);
        t_ok(hnsw_read(&f, file.bytes, file.size, &config, 8));
        t_eq(f.config.build_flags, count > 1 ? NIGH_BUILD_UNROOTED : 0);
        fx_bytes out = hnsw_write(f.index, f.session, 0, count + 7);
        t_eq(out.size, file.size);
        t_bytes(out.data, file.bytes, out.size);
        const float row[DIM] = {1, 2, 3};
        t_is(fx_insert(&f, f.session, 0, 900, row), count > 1 ? NIGH_E_UNSUPPORTED : NIGH_OK);
        fx_check(f.index, f.session);
        free(out.data);
        free(file.bytes);
        fx_drop(&f);
    }
}

/* 1 / ln M as a C library computes it, up to the last place. */
__attribute__((unused)) TEST(multipliers) {
    uint32_t off = 0;
    for (uint32_t m = 2; m <= 1024; m++) {
        fx f;
        nigh_config config = fx_config(1, NIGH_METRIC_L2, NIGH_DTYPE_U8);
        const double want = 1 / log(m);
        double got = 0;
        config.m = m;
        config.m0 = 0;
        fx_init(&f, &config, 1, 0, 0, 64);
        fx_bytes out = hnsw_write(f.index, f.session, 0, 0);
        t_eq(out.size, 96);
        memcpy(&got, out.data + hnsw_field(8, HNSW_MULT), 8);
        t_assert(fabs(got - want) <= want * 0x1p-52);
        off += got != want;
        free(out.data);
        fx_drop(&f);
    }
    t_assert(off <= 16); /* of 1,023 */
}

/* ---- Refusals ------------------------------------------------------------------------------- */

static nigh_status fail_write(void *user, const void *bytes, uint64_t count) {
    uint64_t *left = user;
    (void)bytes;
    if (count > *left) {
        return NIGH_E_USER - 5;
    }
    *left -= count;
    return NIGH_OK;
}

TEST(refused) {
    fx f, g;
    open_plain(&f, NIGH_METRIC_L2);
    hnsw_file file = plain(8, NIGH_DTYPE_F32, 0);
    nigh_config config = f.config;
    t_is(nigh_hnswlib_read(f.index, file.bytes, file.size), NIGH_E_INVALID); /* not empty */
    fx_init(&g, &config, N, 0, 0, 600);
    t_is(nigh_hnswlib_read(g.index, file.bytes, file.size), NIGH_E_FULL);
    fx_drop(&g);
    config.m++;
    fx_init(&g, &config, N + 100, N + 100, 0, 600);
    t_is(nigh_hnswlib_read(g.index, file.bytes, file.size), NIGH_E_MISMATCH);
    fx_drop(&g);
    config = f.config;
    config.keys = NIGH_KEYS_BYTES;
    fx_init(&g, &config, N, N, 100, 600);
    t_is(nigh_hnswlib_read(g.index, file.bytes, file.size), NIGH_E_MISMATCH);
    t_is(nigh_hnswlib_write(g.index, g.session, 0, 0, fx_write, NULL), NIGH_E_UNSUPPORTED);
    fx_drop(&g);
    config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F16);
    fx_init(&g, &config, N, N, 100, 600);
    t_is(nigh_hnswlib_read(g.index, file.bytes, file.size), NIGH_E_UNSUPPORTED);
    t_is(nigh_hnswlib_write(g.index, g.session, 0, 0, fx_write, NULL), NIGH_E_UNSUPPORTED);
    fx_drop(&g);
    const float nan_value = NAN;
    memcpy(hnsw_vector(&file, 77), &nan_value, 4);
    config = config_of(NIGH_METRIC_L2, NIGH_DTYPE_F32);
    t_is(hnsw_read(&g, file.bytes, file.size, &config, 0), NIGH_E_VECTOR);
    memset(hnsw_vector(&file, 77), 0, 4 * DIM);
    t_ok(hnsw_read(&g, file.bytes, file.size, &config, 0));
    fx_drop(&g);
    config.metric = NIGH_METRIC_COSINE;
    t_is(hnsw_read(&g, file.bytes, file.size, &config, 0), NIGH_E_VECTOR);
    fx_bytes out = hnsw_write(f.index, f.session, 0, 0);
    for (uint64_t room = 0; room < out.size; room += 97) {
        uint64_t left = room;
        t_is(nigh_hnswlib_write(f.index, f.session, 0, 0, fail_write, &left), NIGH_E_USER - 5);
    }
    t_is(nigh_hnswlib_write(f.index, f.session, NIGH_HNSWLIB_32, (uint64_t)1 << 32, fx_write, NULL),
         NIGH_E_INVALID);
    free(out.data);
    free(file.bytes);
    fx_drop(&f);
}

/* A packed image gives the same file, and says of an imported graph what a plain one does. */
TEST(packed_written) {
    for (uint32_t rooted = 0; rooted < 2; rooted++) {
        fx f, g;
        open_plain(&f, NIGH_METRIC_L2);
        if (rooted != 0) {
            t_ok(fx_work(&f, NIGH_JOB_ROOT, 1, 1));
        }
        fx_bytes image = fx_save(f.index, NIGH_SAVE_PACKED);
        fx_bytes want = hnsw_write(f.index, f.session, 0, 0);
        t_ok(fx_attach(&g, image.data, image.size, 0, 0, 600));
        t_eq(g.config.build_flags, rooted != 0 ? 0 : NIGH_BUILD_UNROOTED);
        fx_check(g.index, g.session);
        fx_bytes got = hnsw_write(g.index, g.session, 0, 0);
        t_eq(got.size, want.size);
        t_bytes(got.data, want.data, want.size);
        free(got.data);
        free(want.data);
        free(image.data);
        fx_drop(&f);
        fx_drop(&g);
    }
}

TEST(keys_of_more_than_32_bits) {
    fx f;
    nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    const float row[DIM] = {1};
    uint32_t done = 0;
    fx_init(&f, &config, 4, 4, 0, 64);
    t_ok(nigh_insert(f.index, f.session, 0, &(uint64_t){UINT32_MAX}, NULL, row, 1, &done));
    fx_bytes out = hnsw_write(f.index, f.session, NIGH_HNSWLIB_32, 0);
    free(out.data);
    t_ok(nigh_insert(f.index, f.session, 0, &(uint64_t){(uint64_t)UINT32_MAX + 1}, NULL, row, 1,
                     &done));
    t_is(nigh_hnswlib_write(f.index, f.session, NIGH_HNSWLIB_32, 0, fx_write, NULL), NIGH_E_KEY);
    fx_drop(&f);
}

SUITE {
    RUN(read_and_written_back);
    RUN(widths_are_one);
    RUN(packed);
    RUN(facts);
    RUN(layers_of_any_height);
    RUN(identity_and_borrowed);
    RUN(without_vectors);
    RUN(cosine_is_normalised);
    RUN(free_slots);
    RUN(free_slots_of_high_layers);
    RUN(empty_and_single);
#ifndef __wasm__ /* the logarithm of that libc is another in the last bit */
    RUN(multipliers);
#endif
    RUN(refused);
    RUN(packed_written);
    RUN(keys_of_more_than_32_bits);
}
