/* test_change.c - insert, set, remove, unremove: keys, vectors that are refused, bytes that stay
 * layer T; uses: data, fixture, oracle
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <math.h>

#include "data.h"
#include "fixture.h"
#include "oracle.h"
#include "t.h"

static nigh_stats stats_of(const nigh_index *index) {
    nigh_stats stats = {0};
    stats.struct_size = sizeof stats;
    t_ok(nigh_stats_get(index, &stats));
    return stats;
}

/* The life of a key, one status at a time. */
static void life(uint32_t keys) {
    fx f;
    float a[4] = {1, 2, 3, 4}, b[4] = {5, 6, 7, 8}, out[4] = {0};
    uint32_t slot = 77;
    nigh_config config = fx_config(4, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    config.keys = keys;
    config.key_bytes_max = 20;
    fx_init(&f, &config, 8, 8, 160, 64);
    t_is(fx_remove(&f, f.session, 0), NIGH_E_NOT_FOUND);
    t_is(fx_unremove(&f, f.session, 0), NIGH_E_NOT_FOUND);
    t_is(fx_get(&f, f.session, 0, out, NULL), NIGH_E_NOT_FOUND);
    t_ok(fx_insert(&f, f.session, 0, 0, a));
    t_ok(fx_insert(&f, f.session, 0, 1, b));
    t_is(fx_insert(&f, f.session, 0, 0, b), NIGH_E_EXISTS);
    t_is(fx_unremove(&f, f.session, 0), NIGH_E_EXISTS);
    t_ok(fx_remove(&f, f.session, 0));
    t_is(fx_remove(&f, f.session, 0), NIGH_E_DELETED);
    t_is(fx_get(&f, f.session, 0, out, NULL), NIGH_E_DELETED);
    t_is(fx_insert(&f, f.session, 0, 0, b), NIGH_E_DELETED);
    t_eq(stats_of(f.index).deleted_count, 1);
    t_ok(fx_unremove(&f, f.session, 0));
    t_ok(fx_get(&f, f.session, 0, out, &slot));
    t_eq(slot, 0);
    t_bytes(out, a, sizeof a);
    t_ok(fx_remove(&f, f.session, 0));
    t_ok(fx_set(&f, f.session, 0, 0, b)); /* brings it back, with a new vector */
    t_ok(fx_get(&f, f.session, 0, out, &slot));
    t_eq(slot, 0);
    t_bytes(out, b, sizeof b);
    t_ok(fx_set(&f, f.session, 0, 0, a));
    t_ok(fx_get(&f, f.session, 0, out, NULL));
    t_bytes(out, a, sizeof a);
    t_eq(stats_of(f.index).slot_count, 2);
    t_eq(stats_of(f.index).live_count, 2);
    t_ok(fx_set(&f, f.session, 0, 2, a)); /* inserts */
    t_eq(stats_of(f.index).live_count, 3);
    fx_check(f.index, f.session);
    fx_drop(&f);
}

TEST(life_of_u64_keys) { life(NIGH_KEYS_U64); }

TEST(life_of_byte_keys) { life(NIGH_KEYS_BYTES); }

TEST(life_of_identity_keys) { life(NIGH_KEYS_IDENTITY); }

/* A batch stops at its first failure, says how far it came, and keeps what it did before. */
TEST(batches) {
    fx f;
    float rows[5][2] = {{1, 1}, {2, 2}, {NAN, 3}, {4, 4}, {5, 5}}, out[2][2];
    uint64_t keys[5] = {10, 20, 30, 40, 50}, ask[2] = {20, 10};
    uint32_t done = 77, slots[2];
    nigh_config config = fx_config(2, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    fx_init(&f, &config, 8, 8, 0, 64);
    t_is(nigh_insert(f.index, f.session, 0, keys, NULL, rows, 5, &done), NIGH_E_VECTOR);
    t_eq(done, 2);
    t_eq(stats_of(f.index).slot_count, 2);
    rows[2][0] = 3;
    keys[3] = 10;
    t_is(nigh_insert(f.index, f.session, 0, keys + 2, NULL, rows[2], 3, &done), NIGH_E_EXISTS);
    t_eq(done, 1);
    keys[3] = 40;
    t_ok(nigh_insert(f.index, f.session, 0, keys + 3, NULL, rows[3], 2, &done));
    t_eq(done, 2);
    t_ok(nigh_get(f.index, f.session, ask, NULL, 2, out, slots, &done));
    t_assert(done == 2 && out[0][0] == 2 && out[1][1] == 1 && slots[0] == 1 && slots[1] == 0);
    ask[1] = 99;
    t_is(nigh_get(f.index, f.session, ask, NULL, 2, out, slots, &done), NIGH_E_NOT_FOUND);
    t_eq(done, 1);
    t_is(nigh_remove(f.index, f.session, ask, NULL, 2, &done), NIGH_E_NOT_FOUND);
    t_eq(done, 1);
    ask[1] = 10;
    t_is(nigh_unremove(f.index, f.session, ask, NULL, 2, &done), NIGH_E_EXISTS);
    t_eq(done, 1);
    t_eq(stats_of(f.index).live_count, 5);
    fx_check(f.index, f.session);
    fx_drop(&f);
}

TEST(full) {
    fx f;
    float rows[9][2] = {{1, 0}, {2, 0}, {3, 0}, {4, 0}, {5, 0}, {6, 0}, {7, 0}, {8, 0}, {9, 0}};
    uint32_t done = 0;
    uint64_t keys[9] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
    nigh_config config = fx_config(2, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    fx_init(&f, &config, 8, 0, 0, 64);
    t_is(nigh_insert(f.index, f.session, 0, keys, NULL, rows, 9, &done), NIGH_E_FULL);
    t_eq(done, 0); /* no room at all yet */
    fx_grow(&f, 8, 0);
    t_eq(stats_of(f.index).slot_capacity, 8); /* slots == slot_max is not rounded up */
    t_is(nigh_insert(f.index, f.session, 0, keys, NULL, rows, 9, &done), NIGH_E_FULL);
    t_eq(done, 8);
    t_ok(fx_set(&f, f.session, 0, 3, rows[8])); /* needs no room */
    t_is(fx_set(&f, f.session, 0, 8, rows[8]), NIGH_E_FULL);
    t_ok(fx_remove(&f, f.session, 5));
    t_is(fx_insert(&f, f.session, 0, 8, rows[8]), NIGH_E_FULL);
    t_ok(fx_insert(&f, f.session, NIGH_REPLACE_DELETED, 8, rows[8]));
    uint64_t bytes = 0;
    t_is(nigh_grow_bytes(f.index, 9, 0, &bytes), NIGH_E_INVALID); /* beyond slot_max */
    fx_check(f.index, f.session);
    fx_drop(&f);
}

/* The lowest removed slot is taken and its key is forgotten. */
TEST(replace_deleted) {
    fx f;
    uint8_t *rows;
    uint32_t slot = 0;
    rng r = {t_seed()};
    nigh_config config = fx_config(8, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    fx_init(&f, &config, 100, 100, 0, 128);
    rows = data_rows(&r, DATA_UNIFORM, config.dtype, 120, config.dim);
    fx_insert_many(&f, 0, 100, rows);
    for (uint64_t id = 20; id < 30; id++) {
        t_ok(fx_remove(&f, f.session, 49 - id)); /* from the highest down */
    }
    for (uint32_t i = 0; i < 10; i++) {
        const uint8_t *row = rows + (100 + i) * f.row_bytes;
        t_ok(fx_insert(&f, f.session, NIGH_REPLACE_DELETED, 100 + i, row));
        t_ok(fx_get(&f, f.session, 100 + i, NULL, &slot));
        t_eq(slot, 20 + i);
        t_is(fx_get(&f, f.session, 20 + i, NULL, NULL), NIGH_E_NOT_FOUND);
        fx_check(f.index, f.session);
    }
    t_is(fx_insert(&f, f.session, NIGH_REPLACE_DELETED, 20, rows), NIGH_E_FULL);
    t_ok(fx_remove(&f, f.session, 0));
    t_ok(fx_insert(&f, f.session, NIGH_REPLACE_DELETED, 20, rows)); /* a forgotten key is new */
    t_is(fx_unremove(&f, f.session, 0), NIGH_E_NOT_FOUND);
    t_eq(stats_of(f.index).slot_count, 100);
    free(rows);
    fx_drop(&f);
}

/* With nothing removed, NIGH_REPLACE_DELETED inserts as ever: the same bytes. */
TEST(replace_nothing) {
    fx f, g;
    rng r = {t_seed()};
    nigh_config config = fx_config(8, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    uint8_t *rows = data_rows(&r, DATA_UNIFORM, config.dtype, 60, config.dim);
    fx_init(&f, &config, 60, 60, 0, 64);
    fx_init(&g, &config, 60, 60, 0, 64);
    fx_insert_many(&f, 0, 60, rows);
    for (uint32_t i = 0; i < 60; i++) {
        t_ok(fx_insert(&g, g.session, NIGH_REPLACE_DELETED, i, rows + i * g.row_bytes));
    }
    fx_same_image(f.index, g.index);
    free(rows);
    fx_drop(&f);
    fx_drop(&g);
}

/* An element as the dtype stores infinity (which == 0, 1) or NaN. */
static void poison(const nigh_config *config, uint8_t *row, uint32_t at, int which) {
    static const uint32_t f32[] = {0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 0xffffffff};
    static const uint16_t f16[] = {0x7c00, 0xfc00, 0x7e00, 0x7c01, 0xffff};
    uint32_t trailer = (config->dim + 3) / 4 * 4;
    uint16_t upper = (uint16_t)(f32[which] >> 16 | (which == 3));
    if (config->dtype == NIGH_DTYPE_F32) {
        memcpy(row + 4 * (size_t)at, &f32[which], 4);
    } else if (config->dtype == NIGH_DTYPE_F16) {
        memcpy(row + 2 * (size_t)at, &f16[which], 2);
    } else if (config->dtype == NIGH_DTYPE_BF16) {
        memcpy(row + 2 * (size_t)at, &upper, 2);
    } else {
        memcpy(row + trailer, &f32[which], 4);
    }
}

/* NaN and infinity, at every position, at insert, set and search; nothing changes. */
TEST(not_finite) {
    uint32_t metric, dtype;
    for (uint32_t i = 0; fx_pair(i, &metric, &dtype); i++) {
        if (dtype > NIGH_DTYPE_I8) {
            continue;
        }
        enum { DIM = 37 };
        fx f;
        rng r = {t_seed()};
        nigh_config config = fx_config(DIM, metric, dtype);
        uint8_t *rows = data_rows(&r, DATA_UNIFORM, dtype, 5, DIM);
        fx_hits h;
        fx_hits_init(&h, &config, 4);
        fx_init(&f, &config, 8, 8, 0, 64);
        fx_insert_many(&f, 0, 4, rows);
        fx_bytes before = fx_save(f.index, 0);
        for (uint32_t at = 0; at < DIM; at++) {
            for (int which = 0; which < 5; which++) {
                uint8_t *bad = fx_exact(f.row_bytes);
                memcpy(bad, rows + 4 * f.row_bytes, (size_t)f.row_bytes);
                poison(&config, bad, at, which);
                t_is(fx_insert(&f, f.session, 0, 4, bad), NIGH_E_VECTOR);
                t_is(fx_set(&f, f.session, 0, 4, bad), NIGH_E_VECTOR);
                t_is(fx_set(&f, f.session, 0, 1, bad), NIGH_E_VECTOR);
                t_is(fx_search(&f, f.session, bad, NULL, 4, &h), NIGH_E_VECTOR);
                t_is(nigh_cursor_begin(f.index, f.session, bad, NULL), NIGH_E_VECTOR);
                free(bad);
            }
        }
        fx_bytes after = fx_save(f.index, 0);
        t_eq(before.size, after.size);
        t_bytes(before.data, after.data, before.size);
        free(before.data);
        free(after.data);
        free(rows);
        fx_hits_drop(&h);
        fx_drop(&f);
    }
}

/* I8: scale 0, negative or not finite, zero point outside of int8. B1: bits beyond dim. */
TEST(bad_rows) {
    fx f;
    uint8_t row[12] = {1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    static const float scales[] = {0.0f, -1.0f, -0.0f};
    static const int32_t zeros[] = {128, -129, INT32_MAX, INT32_MIN};
    float one = 1;
    nigh_config config = fx_config(3, NIGH_METRIC_L2, NIGH_DTYPE_I8);
    fx_init(&f, &config, 8, 8, 0, 64);
    for (int i = 0; i < 3; i++) {
        memcpy(row + 4, &scales[i], 4);
        t_is(fx_insert(&f, f.session, 0, 0, row), NIGH_E_VECTOR);
    }
    memcpy(row + 4, &one, 4);
    for (int i = 0; i < 4; i++) {
        memcpy(row + 8, &zeros[i], 4);
        t_is(fx_insert(&f, f.session, 0, 0, row), NIGH_E_VECTOR);
    }
    memset(row + 8, 0, 4);
    t_ok(fx_insert(&f, f.session, 0, 0, row));
    fx_drop(&f);
    config = fx_config(11, NIGH_METRIC_HAMMING, NIGH_DTYPE_B1);
    fx_init(&f, &config, 8, 8, 0, 64);
    row[1] = 0x08;
    t_is(fx_insert(&f, f.session, 0, 0, row), NIGH_E_VECTOR);
    row[1] = 0x07;
    t_ok(fx_insert(&f, f.session, 0, 0, row));
    fx_drop(&f);
}

/* 2 % of the vectors offered are NaN: the index is, to the byte, the one that never saw them. */
TEST(nan_offered) {
    enum { N = 1000, DIM = 16 };
    fx f, clean;
    rng r = {t_seed()};
    uint32_t n = t_small() ? 300 : N, offered = 0;
    nigh_config config = fx_config(DIM, NIGH_METRIC_COSINE, NIGH_DTYPE_F32);
    uint8_t *rows = data_rows(&r, DATA_CLUSTERED, config.dtype, n, DIM);
    float bad[DIM];
    fx_init(&f, &config, n, n, 0, n);
    fx_init(&clean, &config, n, n, 0, n);
    for (uint32_t i = 0; i < n; i++) {
        if (rng_below(&r, 50) == 0) {
            memcpy(bad, rows + i * f.row_bytes, sizeof bad);
            bad[rng_below(&r, DIM)] = rng_below(&r, 2) == 0 ? NAN : -INFINITY;
            t_is(fx_insert(&f, f.session, 0, n + i, bad), NIGH_E_VECTOR);
            offered++;
        }
        t_ok(fx_insert(&f, f.session, 0, i, rows + i * f.row_bytes));
        t_ok(fx_insert(&clean, clean.session, 0, i, rows + i * f.row_bytes));
    }
    t_assert(offered > 0);
    fx_same_image(f.index, clean.index);
    fx_hits h;
    fx_hits_init(&h, &config, 1);
    for (uint32_t i = 0; i < n; i++) { /* self-recall, at a small ef and at ef = n */
        nigh_search_options so = fx_search_options(i % 2 == 0 ? 64 : n, 0);
        t_ok(fx_search(&f, f.session, rows + i * f.row_bytes, &so, 1, &h));
        t_assert(h.found == 1 && h.ids[0] == i);
    }
    fx_hits_drop(&h);
    free(rows);
    fx_drop(&f);
    fx_drop(&clean);
}

/* A zero vector has no direction: refused for cosine, a vector like any other for the rest. */
TEST(zero_vectors) {
    uint32_t metric, dtype;
    for (uint32_t i = 0; fx_pair(i, &metric, &dtype); i++) {
        fx f;
        fx_hits h;
        float one = 1;
        int32_t zero = 5;
        uint8_t row[16] = {0}, minus[16] = {0};
        nigh_config config = fx_config(4, metric, dtype);
        nigh_status want = metric == NIGH_METRIC_COSINE ? NIGH_E_VECTOR : NIGH_OK;
        if (dtype == NIGH_DTYPE_I8) { /* all elements at the zero point */
            memset(row, 5, 4);
            memcpy(row + 4, &one, 4);
            memcpy(row + 8, &zero, 4);
        }
        memcpy(minus, row, sizeof row);
        if (dtype == NIGH_DTYPE_F32 || dtype == NIGH_DTYPE_F16 || dtype == NIGH_DTYPE_BF16) {
            minus[3] = 0x80; /* -0.0 somewhere */
        }
        fx_init(&f, &config, 4, 4, 0, 64);
        fx_hits_init(&h, &config, 4);
        t_is(fx_insert(&f, f.session, 0, 0, row), want);
        t_is(fx_set(&f, f.session, 0, 1, minus), want);
        t_is(fx_search(&f, f.session, row, NULL, 4, &h), want);
        t_eq(h.found, want == NIGH_OK ? 2 : 0);
        fx_hits_drop(&h);
        fx_drop(&f);
    }
}

/* Every pair of tiny, normal and huge vectors, both as stored and as queries: right. */
TEST(cosine_of_any_size) {
    static const float sizes[] = {1e-45f, 1e-40f, 1.2e-38f, 1e-25f, 1e-10f, 1,
                                  1e9f,   1e10f,  1e18f,    1e20f,  1e30f,  1.6e38f};
    static const uint32_t dtypes[] = {NIGH_DTYPE_F32, NIGH_DTYPE_BF16};
    enum { SIZES = 12, DIRECTIONS = 3, DIM = 5, COUNT = SIZES * DIRECTIONS };
    static const float directions[DIRECTIONS][DIM] = {
        {1, 0, 0, 0, 0}, {1, 1, -1, 0, 1}, {-1, 2, 0, 1, 0}};
    for (int t = 0; t < 2; t++) {
        fx f;
        oracle o;
        fx_hits h;
        float v[DIM];
        uint8_t row[DIM * 4];
        nigh_config config = fx_config(DIM, NIGH_METRIC_COSINE, dtypes[t]);
        nigh_search_options graph = fx_search_options(COUNT, 0);
        nigh_search_options exact = fx_search_options(0, NIGH_SEARCH_EXACT);
        fx_init(&f, &config, COUNT, COUNT, 0, 64);
        oracle_init(&o, &config, COUNT);
        fx_hits_init(&h, &config, COUNT);
        for (uint32_t i = 0; i < COUNT; i++) {
            for (int d = 0; d < DIM; d++) {
                v[d] = directions[i / SIZES][d] * sizes[i % SIZES];
            }
            nigh_status s = nigh_convert(DIM, dtypes[t], 1, v, row, NULL, NULL);
            if (s != NIGH_OK || fx_insert(&f, f.session, 0, i, row) != NIGH_OK) {
                t_eq(dtypes[t], NIGH_DTYPE_BF16); /* 1e-45 rounds to 0 there */
                t_eq(i % SIZES, 0);
                continue;
            }
            oracle_put(&o, i, row);
        }
        for (uint32_t i = 0; i < COUNT; i++) {
            if (o.state[i] == ORACLE_LIVE) {
                t_ok(fx_search(&f, f.session, oracle_row(&o, i), &exact, COUNT, &h));
                oracle_expect(&o, &h, oracle_row(&o, i), COUNT, NULL, NULL);
                t_ok(fx_search(&f, f.session, oracle_row(&o, i), &graph, COUNT, &h));
                oracle_expect(&o, &h, oracle_row(&o, i), COUNT, NULL, NULL);
            }
        }
        fx_hits_drop(&h);
        oracle_drop(&o);
        fx_drop(&f);
    }
}

/* A distance that overflows is +inf, the last in order, and still a result. */
TEST(overflow) {
    fx f;
    fx_hits h;
    float rows[3][2] = {{3e38f, 3e38f}, {-3e38f, -3e38f}, {1, 1}};
    static const uint32_t metrics[] = {NIGH_METRIC_L2, NIGH_METRIC_IP, NIGH_METRIC_L1};
    for (int i = 0; i < 3; i++) {
        nigh_config config = fx_config(2, metrics[i], NIGH_DTYPE_F32);
        fx_init(&f, &config, 4, 4, 0, 64);
        fx_hits_init(&h, &config, 4);
        fx_insert_many(&f, 0, 3, (const uint8_t *)rows);
        t_ok(fx_search(&f, f.session, rows[0], NULL, 4, &h));
        t_eq(h.found, 3);
        t_assert(!isnan(h.distances[0]) && !isnan(h.distances[1]));
        t_assert(isinf(h.distances[2]) && h.distances[2] > 0);
        fx_hits_drop(&h);
        fx_drop(&f);
    }
}

/* What comes out is what went in, for every dtype, after updates and a round trip. */
TEST(rows_bit_identical) {
    uint32_t metric, dtype;
    for (uint32_t i = 0; fx_pair(i, &metric, &dtype); i++) {
        enum { N = 50, DIM = 33 };
        fx f, again;
        oracle o;
        rng r = {t_seed() + i};
        nigh_config config = fx_config(DIM, metric, dtype);
        uint8_t *rows = data_rows(&r, DATA_CLUSTERED, dtype, N + 10, DIM);
        fx_init(&f, &config, N, N, 0, 64);
        oracle_init(&o, &config, N);
        for (uint32_t n = 0; n < N; n++) {
            t_ok(fx_insert(&f, f.session, 0, n, rows + n * f.row_bytes));
            oracle_put(&o, n, rows + n * f.row_bytes);
        }
        for (uint32_t n = 0; n < 10; n++) {
            t_ok(fx_set(&f, f.session, 0, 5 * n, rows + (N + n) * f.row_bytes));
            oracle_put(&o, 5 * n, rows + (N + n) * f.row_bytes);
        }
        oracle_same_set(&o, &f);
        fx_bytes image = fx_save(f.index, 0);
        t_ok(fx_attach(&again, image.data, image.size, 0, 0, 64));
        oracle_same_set(&o, &again);
        free(image.data);
        free(rows);
        oracle_drop(&o);
        fx_drop(&again);
        fx_drop(&f);
    }
}

/* To rows and back: exact for what the dtype holds, near for the rest; refusals write nothing. */
TEST(convert) {
    enum { DIM = 19, N = 7 };
    rng r = {t_seed()};
    for (uint32_t dtype = NIGH_DTYPE_F32; dtype <= NIGH_DTYPE_B1; dtype++) {
        nigh_config config = fx_config(DIM, NIGH_METRIC_L2, dtype);
        float *floats = data_floats(&r, DATA_UNIFORM, dtype, N, DIM), back[N * DIM];
        uint64_t bytes = 0;
        t_ok(nigh_row_bytes(DIM, dtype, &bytes));
        uint8_t *rows = fx_exact(bytes * N), *rows_again = fx_exact(bytes * N);
        t_ok(nigh_convert(DIM, dtype, N, floats, rows, NULL, NULL));
        t_ok(nigh_convert(DIM, dtype, N, NULL, NULL, rows, back));
        for (uint32_t i = 0; i < N * DIM; i++) {
            double x = (double)floats[i];
            double y = oracle_element(&config, rows + i / DIM * bytes, i % DIM);
            double step = dtype == NIGH_DTYPE_F32    ? 0
                          : dtype == NIGH_DTYPE_F16  ? fabs(x) / 2048 + 3e-8
                          : dtype == NIGH_DTYPE_BF16 ? fabs(x) / 256
                          : dtype == NIGH_DTYPE_I8   ? 1.01 / 255 * 1.5
                                                     : 0.5;
            t_assert(fabs((double)back[i] - y) <= 1e-6 * fabs(y)); /* decoded as defined */
            t_assert(dtype == NIGH_DTYPE_B1 ? y == (x > 0) : fabs(x - y) <= step);
        }
        t_ok(nigh_convert(DIM, dtype, N, back, rows_again, NULL, NULL));
        if (dtype != NIGH_DTYPE_I8) {
            t_bytes(rows, rows_again, bytes * N);
        }
        memcpy(rows_again, rows, (size_t)(bytes * N));
        floats[N * DIM - 1] = NAN;
        t_is(nigh_convert(DIM, dtype, N, floats, rows, NULL, NULL), NIGH_E_VECTOR);
        floats[N * DIM - 1] = -INFINITY;
        t_is(nigh_convert(DIM, dtype, N, floats, rows, NULL, NULL), NIGH_E_VECTOR);
        t_bytes(rows, rows_again, bytes * N);
        free(floats);
        free(rows);
        free(rows_again);
    }
    float big = 65520.0f; /* rounds to infinity in f16 */
    uint16_t half = 77;
    t_is(nigh_convert(1, NIGH_DTYPE_F16, 1, &big, &half, NULL, NULL), NIGH_E_VECTOR);
    big = 3.4e38f;
    t_is(nigh_convert(1, NIGH_DTYPE_BF16, 1, &big, &half, NULL, NULL), NIGH_E_VECTOR);
    t_eq(half, 77);
    big = 65519.0f;
    t_ok(nigh_convert(1, NIGH_DTYPE_F16, 1, &big, &half, NULL, NULL));
    t_eq(half, 0x7bff);
}

/* Byte strings of every length, of any bytes, prefixes of each other. */
TEST(byte_keys) {
    enum { N = 511 };
    fx f;
    static uint8_t key[600];
    uint32_t length = 0, done = 0, slot = 77, lengths[3] = {0}, found = 0, slots[3];
    float row[2] = {1, 2};
    nigh_config config = fx_config(2, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    config.keys = NIGH_KEYS_BYTES;
    fx_init(&f, &config, N + 4, N + 4, N * (N + 1) / 2 + 65536 * 2, 64);
    memset(key, 0, sizeof key); /* zeros are bytes like others */
    t_is(nigh_insert(f.index, f.session, 0, key, &length, row, 1, &done), NIGH_E_KEY);
    length = 512;
    t_is(nigh_insert(f.index, f.session, 0, key, &length, row, 1, &done), NIGH_E_KEY);
    t_is(nigh_set(f.index, f.session, 0, key, &length, row, 1, &done), NIGH_E_KEY);
    length = UINT32_MAX;
    t_is(nigh_insert(f.index, f.session, 0, key, &length, row, 1, &done), NIGH_E_KEY);
    t_is(nigh_insert(f.index, f.session, 0, key, NULL, row, 1, &done), NIGH_E_INVALID);
    for (length = 1; length <= N; length++) {
        row[0] = (float)length;
        t_ok(nigh_insert(f.index, f.session, 0, key, &length, row, 1, &done));
        t_is(nigh_insert(f.index, f.session, 0, key, &length, row, 1, &done), NIGH_E_EXISTS);
    }
    for (length = 1; length <= N; length++) {
        t_ok(nigh_get(f.index, f.session, key, &length, 1, row, &slot, &done));
        t_assert(slot == length - 1 && row[0] == (float)length);
    }
    key[510] = 1; /* differs in the last byte */
    length = 511;
    t_is(nigh_get(f.index, f.session, key, &length, 1, row, &slot, &done), NIGH_E_NOT_FOUND);
    t_ok(nigh_insert(f.index, f.session, 0, key, &length, row, 1, &done));
    t_ok(nigh_remove(f.index, f.session, key, &length, 1, &done));
    key[510] = 0;
    t_ok(nigh_get(f.index, f.session, key, &length, 1, row, &slot, &done));
    t_eq(slot, 510);
    uint8_t *out = fx_exact(3 * 511);
    t_ok(nigh_keys(f.index, 300, 3, out, lengths, slots, &found));
    t_assert(found == 3 && lengths[0] == 301 && lengths[1] == 302 && lengths[2] == 303);
    for (uint32_t i = 0; i < 301 + 302 + 303; i++) {
        t_eq(out[i], 0);
    }
    free(out);
    fx_check(f.index, f.session);
    fx_drop(&f);
}

TEST(key_bytes_max) {
    fx f;
    uint32_t lengths[2] = {10, 11}, done = 0;
    float rows[2][2] = {{1, 2}, {3, 4}};
    nigh_config config = fx_config(2, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    config.keys = NIGH_KEYS_BYTES;
    config.key_bytes_max = 10;
    fx_init(&f, &config, 4, 4, 40, 64);
    t_is(nigh_insert(f.index, f.session, 0,
                     "0123456789"
                     "abcdefghijk",
                     lengths, rows, 2, &done),
         NIGH_E_KEY);
    t_eq(done, 1);
    fx_drop(&f);
}

TEST(u64_extremes) {
    static const uint64_t keys[] = {0, 1, UINT64_MAX, UINT64_MAX - 1, 1ull << 63, 1ull << 32};
    fx f;
    float row[2] = {1, 2};
    uint32_t slot = 0;
    nigh_config config = fx_config(2, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    fx_init(&f, &config, 8, 8, 0, 64);
    for (uint32_t i = 0; i < 6; i++) {
        t_is(fx_get(&f, f.session, keys[i], NULL, NULL), NIGH_E_NOT_FOUND);
        t_ok(fx_insert(&f, f.session, 0, keys[i], row));
        t_is(fx_insert(&f, f.session, 0, keys[i], row), NIGH_E_EXISTS);
    }
    for (uint32_t i = 0; i < 6; i++) {
        t_ok(fx_get(&f, f.session, keys[i], NULL, &slot));
        t_eq(slot, i);
    }
    fx_drop(&f);
}

/* The key is the slot: NULL or the next one. */
TEST(identity_keys) {
    fx f;
    float rows[3][2] = {{1, 2}, {3, 4}, {5, 6}};
    uint64_t key = 5, huge = 1ull << 32;
    uint32_t done = 77;
    nigh_config config = fx_config(2, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    config.keys = NIGH_KEYS_IDENTITY;
    fx_init(&f, &config, 8, 8, 0, 64);
    t_ok(nigh_insert(f.index, f.session, 0, NULL, NULL, rows, 2, &done));
    t_eq(done, 2);
    t_is(nigh_insert(f.index, f.session, 0, &key, NULL, rows[2], 1, &done), NIGH_E_KEY);
    t_is(nigh_insert(f.index, f.session, 0, &huge, NULL, rows[2], 1, &done), NIGH_E_KEY);
    t_is(nigh_get(f.index, f.session, &huge, NULL, 1, NULL, NULL, &done), NIGH_E_NOT_FOUND);
    key = 2;
    t_ok(nigh_insert(f.index, f.session, 0, &key, NULL, rows[2], 1, &done));
    float out[2];
    t_ok(nigh_get(f.index, f.session, &key, NULL, 1, out, NULL, &done));
    t_assert(out[0] == 5 && out[1] == 6);
    t_eq(stats_of(f.index).live_count, 3);
    fx_check(f.index, f.session);
    fx_drop(&f);
}

SUITE {
    RUN(life_of_u64_keys);
    RUN(life_of_byte_keys);
    RUN(life_of_identity_keys);
    RUN(batches);
    RUN(full);
    RUN(replace_deleted);
    RUN(replace_nothing);
    RUN(not_finite);
    RUN(bad_rows);
    RUN(nan_offered);
    RUN(zero_vectors);
    RUN(cosine_of_any_size);
    RUN(overflow);
    RUN(rows_bit_identical);
    RUN(convert);
    RUN(byte_keys);
    RUN(key_bytes_max);
    RUN(u64_extremes);
    RUN(identity_keys);
}
