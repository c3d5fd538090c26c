/* test_callbacks.c - fetch, write, map and dirty failing at their Nth call, for every N
 * layer T; uses: data, fixture, oracle
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Each time: the caller gets the callback's own status, the index is what it was to the byte, and
 * the same call succeeds once the callback does. */
#include "data.h"
#include "fixture.h"
#include "oracle.h"
#include "t.h"

enum { N = 60, DIM = 7 };

/* What a failing fetch does, and what the caller of nigh then gets. */
enum { FAIL_USER, FAIL_LOW, FAIL_NO_ADDRESS, FAIL_KNOWN, FAIL_POSITIVE, FAIL_COUNT };
static const nigh_status returned[FAIL_COUNT] = {NIGH_E_USER, NIGH_E_USER - 77, NIGH_OK,
                                                 NIGH_E_FULL, 5};
static const nigh_status expected[FAIL_COUNT] = {NIGH_E_USER, NIGH_E_USER - 77, NIGH_E_FETCH,
                                                 NIGH_E_FETCH, NIGH_E_FETCH};

typedef struct source {
    uint8_t *rows;
    uint64_t row_bytes;
    int64_t calls_left; /* the call that finds 0 fails; negative: never */
    int how;
} source;

static nigh_status fetch(void *user, const uint32_t *slots, const uint64_t *keys, uint32_t count,
                         void *scratch, const void **vectors) {
    source *s = user;
    int fail = s->calls_left == 0;
    s->calls_left -= s->calls_left >= 0;
    (void)keys;
    for (uint32_t i = 0; i < count; i++) {
        if (fail && s->how == FAIL_NO_ADDRESS && i + 1 == count) {
            return NIGH_OK; /* the last one has no address */
        }
        uint8_t *to = (uint8_t *)scratch + i * s->row_bytes;
        memcpy(to, s->rows + slots[i] * s->row_bytes, (size_t)s->row_bytes);
        vectors[i] = to;
    }
    return fail ? returned[s->how] : NIGH_OK;
}

typedef struct scene {
    fx f;
    source s;
    fx_hits h;
    uint32_t at; /* what the operation under test is about */
} scene;

typedef nigh_status operation(scene *c);

static void same_bytes(const nigh_index *index, const fx_bytes *before) {
    fx_bytes after = fx_save(index, 0);
    t_eq(after.size, before->size);
    t_bytes(after.data, before->data, after.size);
    free(after.data);
}

/* Fails the operation at call 0, 1, 2, ... until it succeeds; returns how often it failed. */
static uint32_t fail_each(scene *c, operation *op, int how) {
    fx_bytes before = fx_save(c->f.index, 0);
    uint32_t failures = 0;
    for (;; failures++) {
        c->s.how = how;
        c->s.calls_left = failures;
        nigh_status status = op(c);
        int reached = c->s.calls_left < 0;
        c->s.calls_left = -1;
        if (!reached) {
            t_ok(status);
            break;
        }
        t_is(status, expected[how]);
        same_bytes(c->f.index, &before);
        fx_check(c->f.index, c->f.session);
    }
    fx_check(c->f.index, c->f.session);
    free(before.data);
    return failures;
}

static nigh_status op_insert(scene *c) { return fx_insert(&c->f, c->f.session, 0, c->at, NULL); }

static nigh_status op_replace(scene *c) {
    /* the vector of the slot was changed, as for a known key */
    return fx_insert(&c->f, c->f.session, NIGH_REPLACE_DELETED | NIGH_SET_EXCLUSIVE, c->at, NULL);
}

static nigh_status op_set(scene *c) {
    return fx_set(&c->f, c->f.session, NIGH_SET_EXCLUSIVE, c->at, NULL);
}

static nigh_status op_get(scene *c) {
    uint8_t row[DIM * 4];
    return fx_get(&c->f, c->f.session, c->at, row, NULL);
}

static nigh_status op_search(scene *c) {
    nigh_search_options so = fx_search_options(N, 0);
    return fx_search(&c->f, c->f.session, c->s.rows + 5 * c->s.row_bytes, &so, 10, &c->h);
}

static nigh_status op_exact(scene *c) {
    nigh_search_options so = fx_search_options(N, NIGH_SEARCH_EXACT);
    return fx_search(&c->f, c->f.session, c->s.rows + 5 * c->s.row_bytes, &so, 10, &c->h);
}

static nigh_status op_cursor(scene *c) {
    nigh_search_options so = fx_search_options(8, 0);
    nigh_status status =
        nigh_cursor_begin(c->f.index, c->f.session, c->s.rows + 5 * c->s.row_bytes, &so);
    for (uint32_t page = 0; status == NIGH_OK && page < N / 6; page++) {
        status = fx_next(&c->f, c->f.session, 6, &c->h);
    }
    return status;
}

static void scene_open(scene *c, uint32_t metric, uint32_t dtype) {
    rng r = {t_seed()};
    nigh_config config = fx_config(DIM, metric, dtype);
    config.vectors = NIGH_VECTORS_EXTERNAL;
    config.m = 3;
    fx_init(&c->f, &config, N + 10, N + 10, 0, N);
    fx_hits_init(&c->h, &config, N);
    c->s.row_bytes = c->f.row_bytes;
    c->s.rows = data_rows(&r, DATA_CLUSTERED, dtype, N + 10, DIM);
    c->s.calls_left = -1;
    t_ok(nigh_index_fetch(c->f.index, fetch, NULL, &c->s));
}

static void scene_close(scene *c) {
    fx_hits_drop(&c->h);
    free(c->s.rows);
    fx_drop(&c->f);
}

/* Swaps the rows of two slots, so that a set has work to do. */
static void change_row(scene *c, uint32_t slot) {
    uint8_t *row = c->s.rows + slot * c->s.row_bytes;
    memcpy(row, c->s.rows + (N + 9) * c->s.row_bytes, (size_t)c->s.row_bytes);
}

static void fetch_fails(uint32_t metric, uint32_t dtype) {
    for (int how = 0; how < FAIL_COUNT; how++) {
        scene c;
        uint32_t failures = 0;
        scene_open(&c, metric, dtype);
        for (c.at = 0; c.at < N; c.at++) {
            if (how == FAIL_USER || c.at % 8 == 1) { /* one way through the whole build */
                failures += fail_each(&c, op_insert, how);
            } else {
                t_ok(op_insert(&c));
            }
        }
        t_assert(failures > N / 8);
        t_assert(fail_each(&c, op_search, how) > 0);
        t_assert(fail_each(&c, op_exact, how) > 0);
        t_assert(fail_each(&c, op_cursor, how) > 0);
        for (c.at = 10; c.at < 16; c.at++) {
            t_eq(fail_each(&c, op_get, how), 1);
            change_row(&c, c.at);
            t_assert(fail_each(&c, op_set, how) > 0);
        }
        t_ok(fx_remove(&c.f, c.f.session, 12));
        t_ok(fx_remove(&c.f, c.f.session, 13));
        c.at = 12;
        t_assert(fail_each(&c, op_set, how) > 0); /* brings it back */
        c.at = N;
        change_row(&c, 13);
        t_assert(fail_each(&c, op_replace, how) > 0);
        scene_close(&c);
    }
}

TEST(fetch_f32) { fetch_fails(NIGH_METRIC_L2, NIGH_DTYPE_F32); }

TEST(fetch_f16_cosine) { fetch_fails(NIGH_METRIC_COSINE, NIGH_DTYPE_F16); }

TEST(fetch_i8) { fetch_fails(NIGH_METRIC_COSINE, NIGH_DTYPE_I8); }

TEST(fetch_b1) { fetch_fails(NIGH_METRIC_HAMMING, NIGH_DTYPE_B1); }

/* A failure in the middle of a batch: what came before it is done, the rest is not. */
TEST(fetch_in_a_batch) {
    scene c;
    uint64_t keys[N];
    scene_open(&c, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    for (uint32_t i = 0; i < N; i++) {
        keys[i] = i;
    }
    uint32_t at = 0, failures = 0;
    while (at < N) {
        uint32_t done = 77;
        c.s.how = FAIL_LOW;
        c.s.calls_left = 7 + failures;
        nigh_status s =
            nigh_insert(c.f.index, c.f.session, 0, keys + at, NULL, NULL, N - at, &done);
        t_assert(s == NIGH_OK ? done == N - at : s == NIGH_E_USER - 77 && done < N - at);
        at += done;
        failures += s != NIGH_OK;
        c.s.calls_left = -1;
        nigh_stats stats = {0};
        stats.struct_size = sizeof stats;
        t_ok(nigh_stats_get(c.f.index, &stats));
        t_eq(stats.live_count, at);
        fx_check(c.f.index, c.f.session);
    }
    t_assert(failures > 2);
    scene_close(&c);
}

/* ---- Saving --------------------------------------------------------------------------------- */

typedef struct sink {
    uint64_t left; /* calls that succeed */
    uint64_t calls;
    nigh_status fails_with;
} sink;

static nigh_status write_some(void *user, const void *bytes, uint64_t count) {
    sink *s = user;
    (void)bytes;
    (void)count;
    return s->calls++ < s->left ? NIGH_OK : s->fails_with;
}

TEST(write_fails) {
    static const nigh_status with[] = {NIGH_E_USER, NIGH_E_USER - 5, -1, 1, NIGH_E_BUSY};
    fx f;
    rng r = {t_seed()};
    nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    config.block_bytes = 256;
    uint8_t *rows = data_rows(&r, DATA_UNIFORM, config.dtype, N, DIM);
    fx_init(&f, &config, N, N, 0, 64);
    fx_insert_many(&f, 0, N, rows);
    fx_bytes before = fx_save(f.index, 0);
    for (uint32_t w = 0; w < 5; w++) {
        sink all = {UINT64_MAX, 0, 0};
        t_ok(nigh_save(f.index, 0, write_some, &all));
        for (uint64_t left = 0; left < all.calls; left++) {
            sink s = {left, 0, with[w]};
            t_is(nigh_save(f.index, 0, write_some, &s),
                 with[w] <= NIGH_E_USER ? with[w] : NIGH_E_WRITE);
            t_eq(s.calls, left + 1); /* not called again after its failure */
        }
        same_bytes(f.index, &before);
        t_ok(fx_set(&f, f.session, 0, 0, rows)); /* nothing stays locked */
        fx_check(f.index, f.session);
        free(before.data);
        before = fx_save(f.index, 0);
    }
    free(before.data);
    free(rows);
    fx_drop(&f);
}

/* ---- Pager ---------------------------------------------------------------------------------- */

typedef struct pager {
    fx *f;
    int64_t maps_left; /* as source.calls_left */
    int64_t dirties_left;
    int moves;
} pager;

static nigh_status map_block(void *user, uint32_t region, uint32_t block, uint64_t bytes,
                             void **address) {
    pager *p = user;
    int fail = p->maps_left == 0;
    p->maps_left -= p->maps_left >= 0;
    (void)region;
    (void)block;
    if (fail) {
        return NIGH_E_USER - 3;
    }
    *address = fx_take(p->f, bytes);
    memset(*address, 0, (size_t)bytes);
    return NIGH_OK;
}

static nigh_status dirty_block(void *user, uint32_t region, uint32_t block, uint64_t bytes,
                               void **address) {
    pager *p = user;
    int fail = p->dirties_left == 0;
    p->dirties_left -= p->dirties_left >= 0;
    (void)region;
    (void)block;
    if (fail) {
        return NIGH_E_USER - 4;
    }
    if (p->moves) {
        void *copy = fx_take(p->f, bytes);
        memcpy(copy, *address, (size_t)bytes);
        *address = copy;
    }
    return NIGH_OK;
}

/* One step of a history that touches everything. */
static nigh_status history(fx *f, const uint8_t *rows, uint32_t at) {
    const uint8_t *row = rows + at * f->row_bytes;
    if (at % 5 == 3) {
        return fx_remove(f, f->session, at - 1);
    }
    if (at % 5 == 4) {
        return at % 2 == 0 ? fx_unremove(f, f->session, at - 2)
                           : fx_insert(f, f->session, NIGH_REPLACE_DELETED, 1000 + at, row);
    }
    return at % 7 == 6 && at % 5 != 0 ? fx_set(f, f->session, 0, at - at % 5, row)
                                      : fx_insert(f, f->session, 0, at, row);
}

static void grow_failing(fx *f, pager *p, uint32_t slots) {
    fx_bytes before = fx_save(f->index, 0);
    for (int64_t n = 0;; n++) {
        p->maps_left = n;
        nigh_status s = nigh_grow(f->index, slots, slots * 30, NULL, 0);
        if (p->maps_left >= 0) {
            t_ok(s);
            break;
        }
        t_is(s, NIGH_E_USER - 3);
        same_bytes(f->index, &before);
        fx_check(f->index, f->session);
    }
    p->maps_left = -1;
    free(before.data);
}

static void pager_fails(uint32_t keys, int moves) {
    fx f, plain;
    rng r = {t_seed()};
    uint32_t failures = 0;
    nigh_config config = fx_config(DIM, NIGH_METRIC_COSINE, NIGH_DTYPE_F32);
    config.block_bytes = 256;
    config.keys = keys;
    config.key_bytes_max = 30;
    uint8_t *rows = data_rows(&r, DATA_CLUSTERED, config.dtype, N, DIM);
    fx_init(&plain, &config, N, N, N * 30, 64);
    fx_init(&f, &config, N, 0, 0, 64);
    pager p = {&f, -1, -1, moves};
    t_ok(nigh_index_pager(f.index, map_block, dirty_block, &p));
    for (uint32_t at = 0; at < N; at++) {
        if (at % 20 == 0) {
            grow_failing(&f, &p, at + 20);
        }
        fx_bytes before = fx_save(f.index, 0);
        for (int64_t n = 0;; n++, failures++) {
            p.dirties_left = n;
            nigh_status s = history(&f, rows, at);
            if (p.dirties_left >= 0) {
                t_is(history(&plain, rows, at), s);
                break;
            }
            t_is(s, NIGH_E_USER - 4);
            same_bytes(f.index, &before);
            fx_check(f.index, f.session);
        }
        p.dirties_left = -1;
        free(before.data);
    }
    t_assert(failures > 10);
    fx_same_image(f.index, plain.index);
    free(rows);
    fx_drop(&f);
    fx_drop(&plain);
}

TEST(pager_in_place) {
    pager_fails(NIGH_KEYS_U64, 0);
    pager_fails(NIGH_KEYS_BYTES, 0);
}

TEST(pager_moving) {
    pager_fails(NIGH_KEYS_U64, 1);
    pager_fails(NIGH_KEYS_BYTES, 1);
}

SUITE {
    RUN(fetch_f32);
    RUN(fetch_f16_cosine);
    RUN(fetch_i8);
    RUN(fetch_b1);
    RUN(fetch_in_a_batch);
    RUN(write_fails);
    RUN(pager_in_place);
    RUN(pager_moving);
}
