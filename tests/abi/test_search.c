/* test_search.c - search, filter, radius, cursor: at ef = n all of them give what brute force gives
 * layer T; uses: data, fixture, oracle
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <math.h>

#include "data.h"
#include "fixture.h"
#include "oracle.h"
#include "t.h"

enum { N = 300, DIM = 19, QUERIES = 12 };

typedef struct world { /* an index, its oracle, and queries */
    fx f;
    oracle o;
    fx_hits h;
    fx_hits again;
    uint8_t *rows;
    uint32_t n;
} world;

static const uint8_t *query_of(const world *w, uint32_t i) {
    return w->rows + (w->n + i) * w->f.row_bytes;
}

static void world_open(world *w, nigh_config config, int kind, uint32_t n) {
    rng r = {t_seed() + config.metric * 10 + config.dtype};
    w->n = n;
    w->rows = data_rows(&r, kind, config.dtype, n + QUERIES, config.dim);
    fx_init(&w->f, &config, n + 1, n, 0, n + 1);
    oracle_init(&w->o, &w->f.config, n + 1);
    fx_hits_init(&w->h, &w->f.config, n + 1);
    fx_hits_init(&w->again, &w->f.config, n + 1);
    fx_insert_many(&w->f, 0, n, w->rows);
    for (uint32_t i = 0; i < n; i++) {
        oracle_put(&w->o, i, w->rows + i * w->f.row_bytes);
    }
}

static void world_close(world *w) {
    oracle_drop(&w->o);
    fx_hits_drop(&w->h);
    fx_hits_drop(&w->again);
    free(w->rows);
    fx_drop(&w->f);
}

static void world_remove(world *w, uint32_t every) {
    for (uint32_t i = 0; i < w->n; i += every) {
        if (w->o.state[i] != ORACLE_LIVE) {
            continue;
        }
        t_ok(fx_remove(&w->f, w->f.session, i));
        oracle_mark(&w->o, i, ORACLE_DELETED);
    }
}

TEST(empty) {
    for (int room = 0; room < 2; room++) {
        fx f;
        fx_hits h;
        float q[4] = {1, 2, 3, 4};
        uint32_t bits[1] = {~0u};
        nigh_config config = fx_config(4, NIGH_METRIC_L2, NIGH_DTYPE_F32);
        nigh_search_options exact = fx_search_options(10, NIGH_SEARCH_EXACT);
        fx_init(&f, &config, 8, room != 0 ? 8 : 0, 0, 64);
        fx_hits_init(&h, &config, 8);
        t_ok(fx_search(&f, f.session, q, NULL, 8, &h));
        t_eq(h.found, 0);
        t_ok(fx_search(&f, f.session, q, &exact, 8, &h));
        t_eq(h.found, 0);
        t_ok(nigh_cursor_begin(f.index, f.session, q, NULL));
        t_ok(fx_next(&f, f.session, 8, &h));
        t_eq(h.found, 0);
        t_ok(nigh_session_filter(f.session, bits, 0, NULL, NULL));
        t_ok(fx_search(&f, f.session, q, NULL, 8, &h));
        t_eq(h.found, 0);
        t_ok(nigh_keys(f.index, 0, 8, h.keys, NULL, h.slots, &h.found));
        t_eq(h.found, 0);
        fx_check(f.index, f.session);
        fx_hits_drop(&h);
        fx_drop(&f);
    }
}

TEST(one_element) {
    fx f;
    fx_hits h;
    float row[4] = {1, 2, 3, 4}, q[4] = {1, 2, 3, 6};
    nigh_config config = fx_config(4, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    fx_init(&f, &config, 8, 8, 0, 64);
    fx_hits_init(&h, &config, 8);
    t_ok(fx_insert(&f, f.session, 0, 7, row));
    t_ok(fx_search(&f, f.session, q, NULL, 8, &h));
    t_assert(h.found == 1 && h.ids[0] == 7 && h.distances[0] == 4.0f && h.slots[0] == 0);
    t_ok(fx_remove(&f, f.session, 7));
    t_ok(fx_search(&f, f.session, q, NULL, 8, &h));
    t_eq(h.found, 0);
    fx_check(f.index, f.session);
    t_ok(fx_insert(&f, f.session, 0, 8, q));
    t_ok(fx_search(&f, f.session, q, NULL, 8, &h));
    t_assert(h.found == 1 && h.ids[0] == 8 && h.distances[0] == 0.0f);
    fx_check(f.index, f.session);
    fx_hits_drop(&h);
    fx_drop(&f);
}

/* k = 0, k > count, ef < k, ef and k beyond the session. */
TEST(k_and_ef) {
    world w;
    nigh_session_options small = fx_session_options(20, 0, NIGH_SESSION_READ);
    world_open(&w, fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32), DATA_UNIFORM, 50);
    nigh_session *session = fx_session(&w.f, &small);
    nigh_search_options so = fx_search_options(4, 0);
    t_is(fx_search(&w.f, w.f.session, query_of(&w, 0), &so, 0, &w.h), NIGH_E_INVALID);
    so.ef = 1;
    t_ok(fx_search(&w.f, w.f.session, query_of(&w, 0), &so, 51, &w.h)); /* ef is raised to k */
    oracle_expect(&w.o, &w.h, query_of(&w, 0), 51, NULL, NULL);
    t_eq(w.h.found, 50);
    t_is(fx_search(&w.f, session, query_of(&w, 0), &so, 21, &w.h), NIGH_E_SESSION);
    t_eq(w.h.found, 0);
    t_ok(fx_search(&w.f, session, query_of(&w, 0), &so, 20, &w.h));
    t_eq(w.h.found, 20);
    so.ef = 21;
    t_is(fx_search(&w.f, session, query_of(&w, 0), &so, 5, &w.h), NIGH_E_SESSION);
    t_is(nigh_cursor_begin(w.f.index, session, query_of(&w, 0), &so), NIGH_E_SESSION);
    so.ef = 20;
    so.expansions = 9;
    t_is(fx_search(&w.f, session, query_of(&w, 0), &so, 5, &w.h), NIGH_E_INVALID);
    t_is(fx_insert(&w.f, session, 0, 50, query_of(&w, 0)), NIGH_E_SESSION); /* READ */
    t_is(fx_set(&w.f, session, 0, 0, query_of(&w, 0)), NIGH_E_SESSION);
    world_close(&w);
}

/* At ef = n the graph gives, to the bit, what scoring every vector gives; and that is right. */
static void same_as_exact(world *w, nigh_session *session, const void *query, uint32_t k,
                          oracle_filter *filter) {
    nigh_search_options so = fx_search_options(w->n, NIGH_SEARCH_EXACT);
    t_ok(fx_search(&w->f, session, query, &so, k, &w->again));
    oracle_expect(&w->o, &w->again, query, k, filter, NULL);
    so.flags = 0;
    for (so.expansions = 1; so.expansions <= 5; so.expansions++) {
        t_ok(fx_search(&w->f, session, query, &so, k, &w->h));
        fx_same_hits(&w->h, &w->again);
    }
}

TEST(every_pair) {
    uint32_t metric, dtype;
    for (uint32_t i = 0; fx_pair(i, &metric, &dtype); i++) {
        for (int kind = 0; kind < DATA_COUNT; kind++) {
            world w;
            nigh_config config = fx_config(DIM + i % 3, metric, dtype);
            config.m = 2 + i % 15;
            config.expansions = 1 + i % 4;
            config.block_bytes = i % 2 == 0 ? 0 : 512;
            world_open(&w, config, kind, t_small() ? 60 : 200);
            for (uint32_t q = 0; q < 4; q++) {
                same_as_exact(&w, w.f.session, query_of(&w, q), 10, NULL);
                same_as_exact(&w, w.f.session, query_of(&w, q), w.n, NULL);
            }
            fx_check(w.f.index, w.f.session);
            world_remove(&w, 3);
            same_as_exact(&w, w.f.session, query_of(&w, 5), w.n, NULL);
            fx_check(w.f.index, w.f.session);
            world_close(&w);
        }
    }
}

static float chebyshev(void *user, const void *a, const void *b, uint32_t dim) {
    const float *x = a, *y = b;
    float most = 0;
    ++*(uint32_t *)user;
    for (uint32_t i = 0; i < dim; i++) {
        most = fmaxf(most, fabsf(x[i] - y[i]));
    }
    return x[0] > 1.9f || y[0] > 1.9f ? NAN : most; /* NaN counts as infinitely far */
}

TEST(custom_metric) {
    fx f;
    fx_hits h;
    rng r = {t_seed()};
    uint32_t calls = 0;
    float *rows = data_floats(&r, DATA_UNIFORM, NIGH_DTYPE_F32, N, DIM);
    nigh_config config = fx_config(DIM, NIGH_METRIC_CUSTOM, NIGH_DTYPE_F32);
    nigh_search_options so = fx_search_options(N, 0);
    fx_init(&f, &config, N, N, 0, N);
    fx_hits_init(&h, &config, N);
    rows[5 * DIM] = 2;
    t_assert(fx_insert(&f, f.session, 0, 0, rows) != NIGH_OK); /* no function yet */
    t_ok(nigh_index_distance(f.index, chebyshev, &calls));
    fx_insert_many(&f, 0, N, (const uint8_t *)rows);
    t_assert(calls > N);
    t_ok(fx_search(&f, f.session, rows, &so, N, &h));
    t_eq(h.found, N);
    t_assert(h.ids[0] == 0 && h.distances[0] == 0.0f);
    for (uint32_t i = 0; i + 1 < N; i++) {
        float want = chebyshev(&calls, rows, rows + h.ids[i] * DIM, DIM);
        t_assert(h.distances[i] == want && (i == 0 || h.distances[i - 1] <= want));
    }
    t_assert(h.ids[N - 1] == 5 && isinf(h.distances[N - 1]));
    fx_check(f.index, f.session);
    free(rows);
    fx_hits_drop(&h);
    fx_drop(&f);
}

/* ---- Filters ------------------------------------------------------------------------------- */

static int bit_filter(void *user, uint64_t id) {
    const uint32_t *bits = user;
    return (int)(bits[id / 32] >> id % 32 & 1);
}

static int32_t key_filter(void *user, uint32_t slot, const uint64_t *key) {
    return key != NULL && slot == *key && bit_filter(user, *key) ? -3 : 0; /* any non-zero */
}

static void filtered(world *w, uint32_t *bits, uint32_t slots) {
    nigh_search_options so = fx_search_options(w->n, NIGH_SEARCH_EXACT);
    for (uint32_t q = 0; q < 3; q++) {
        for (uint32_t k = 1; k <= w->n; k = k * 4 + 1) {
            so.flags = NIGH_SEARCH_EXACT;
            t_ok(nigh_session_filter(w->f.session, bits, slots, NULL, NULL));
            t_ok(fx_search(&w->f, w->f.session, query_of(w, q), &so, k, &w->again));
            oracle_expect(&w->o, &w->again, query_of(w, q), k, bit_filter, bits);
            so.flags = 0;
            t_ok(fx_search(&w->f, w->f.session, query_of(w, q), &so, k, &w->h));
            fx_same_hits(&w->h, &w->again);
            t_ok(nigh_session_filter(w->f.session, NULL, 0, key_filter, bits));
            t_ok(fx_search(&w->f, w->f.session, query_of(w, q), &so, k, &w->h));
            fx_same_hits(&w->h, &w->again);
            so.flags = NIGH_SEARCH_EXACT;
            t_ok(fx_search(&w->f, w->f.session, query_of(w, q), &so, k, &w->h));
            fx_same_hits(&w->h, &w->again);
        }
    }
    t_ok(nigh_session_filter(w->f.session, NULL, 0, NULL, NULL));
    so.flags = 0;
    t_ok(fx_search(&w->f, w->f.session, query_of(w, 0), &so, w->n, &w->h));
    oracle_expect(&w->o, &w->h, query_of(w, 0), w->n, NULL, NULL); /* all again */
}

/* From none allowed over one and 1 % to all; with tombstones; a bitmap shorter than the index. */
TEST(filters) {
    static const uint32_t thousandths[] = {0, 3, 10, 50, 100, 300, 500, 900, 1000};
    world w;
    rng r = {t_seed()};
    world_open(&w, fx_config(DIM, NIGH_METRIC_COSINE, NIGH_DTYPE_F32), DATA_CLUSTERED, N);
    for (uint32_t round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof thousandths / sizeof *thousandths; i++) {
            uint32_t words = (N + 31) / 32;
            uint32_t *bits = fx_exact(words * sizeof *bits);
            memset(bits, 0, words * sizeof *bits);
            for (uint32_t id = 0; id < N; id++) {
                bits[id / 32] |= (uint32_t)(rng_below(&r, 1000) < thousandths[i]) << id % 32;
            }
            filtered(&w, bits, N);
            free(bits);
        }
        world_remove(&w, 2); /* tombstones in the second round */
    }
    uint32_t *bits = fx_exact(4 * sizeof *bits);
    memset(bits, 0xff, 4 * sizeof *bits);
    bits[3] = 0x0f; /* 100 slots stated; what the oracle is told is the same */
    t_ok(nigh_session_filter(w.f.session, bits, 100, NULL, NULL));
    t_ok(fx_search(&w.f, w.f.session, query_of(&w, 0), NULL, 64, &w.h));
    t_eq(w.h.found, 50);
    for (uint32_t i = 0; i < w.h.found; i++) {
        t_assert(w.h.ids[i] < 100);
    }
    bits[3] = 0xffffffffu; /* bits beyond the count stated mean nothing */
    t_ok(nigh_session_filter(w.f.session, bits, 100, NULL, NULL));
    t_ok(fx_search(&w.f, w.f.session, query_of(&w, 0), NULL, 64, &w.again));
    fx_same_hits(&w.h, &w.again);
    free(bits);
    world_close(&w);
}

/* The floor of promise 12 at a small ef: recall@10 >= 0.95 at every selectivity. */
TEST(filtered_recall) {
    static const uint32_t thousandths[] = {500, 100, 10, 1};
    uint32_t n = t_small() ? 1000 : 5000;
    world w;
    rng r = {t_seed()};
    nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    config.ef_build = 100;
    world_open(&w, config, DATA_CLUSTERED, n);
    uint32_t words = (n + 31) / 32;
    uint32_t *bits = fx_exact(words * sizeof *bits);
    for (int i = 0; i < 5; i++) {
        nigh_search_options so = fx_search_options(100, 0);
        uint32_t hits = 0, all = 0, count = 0;
        memset(bits, 0, words * sizeof *bits);
        for (uint32_t id = 0; id < n; id++) {
            /* the fifth is correlated: allowed is one side of space */
            uint32_t yes = i == 4 ? oracle_element(&config, oracle_row(&w.o, id), 0) > 0.6
                                  : rng_below(&r, 1000) < thousandths[i];
            bits[id / 32] |= yes << id % 32;
            count += yes;
        }
        t_ok(nigh_session_filter(w.f.session, bits, n, NULL, NULL));
        for (uint32_t q = 0; q < QUERIES; q++) {
            t_ok(fx_search(&w.f, w.f.session, query_of(&w, q), &so, 10, &w.h));
            t_eq(w.h.found, count < 10 ? count : 10);
            hits += oracle_recall(&w.o, &w.h, query_of(&w, q), 10, bit_filter, bits);
            all += count < 10 ? count : 10;
        }
        if (hits * 100 < all * 95) {
            t_failf("filter %d (%u of %u allowed): recall %u of %u", i, count, n, hits, all);
        }
    }
    free(bits);
    world_close(&w);
}

/* Nobody knows how many a callback allows. However few, and however small ef: all of the k that
 * there are come out ("fewer than k means that there are no more"). */
TEST(sparse_callback) {
    uint32_t n = t_small() ? 1000 : 4000, words = (n + 31) / 32;
    world w;
    rng r = {t_seed()};
    world_open(&w, fx_config(8, NIGH_METRIC_L2, NIGH_DTYPE_F32), DATA_CLUSTERED, n);
    uint32_t *bits = fx_exact(words * sizeof *bits);
    nigh_search_options so = fx_search_options(10, 0);
    nigh_session_options few = fx_session_options(16, 16, NIGH_SESSION_READ);
    nigh_session *narrow = fx_session(&w.f, &few);
    for (uint32_t allowed = 0; allowed < 40; allowed = allowed * 2 + 1) {
        memset(bits, 0, words * sizeof *bits);
        for (uint32_t i = 0; i < allowed; i++) {
            uint32_t id = rng_below(&r, n);
            bits[id / 32] |= 1u << id % 32;
        }
        t_ok(nigh_session_filter(w.f.session, NULL, 0, key_filter, bits));
        for (uint32_t q = 0; q < QUERIES; q++) {
            t_ok(fx_search(&w.f, w.f.session, query_of(&w, q), &so, 10, &w.h));
            t_eq(w.h.found, oracle_count(&w.o, 10, bit_filter, bits));
            (void)oracle_recall(&w.o, &w.h, query_of(&w, q), 10, bit_filter, bits);
            t_ok(nigh_session_filter(narrow, NULL, 0, key_filter, bits)); /* remembers too little */
            t_ok(fx_search(&w.f, narrow, query_of(&w, q), &so, 10, &w.again));
            t_eq(w.again.found, w.h.found);
        }
    }
    t_ok(nigh_session_filter(w.f.session, NULL, 0, NULL, NULL));
    for (uint32_t i = 0; i < n - 7; i++) { /* nearly everything is removed */
        t_ok(fx_remove(&w.f, w.f.session, i));
        oracle_mark(&w.o, i, ORACLE_DELETED);
    }
    t_ok(fx_search(&w.f, w.f.session, query_of(&w, 0), &so, 10, &w.h));
    oracle_expect(&w.o, &w.h, query_of(&w, 0), 10, NULL, NULL);
    free(bits);
    world_close(&w);
}

/* A large bitmap that ends in the middle of the index, its last word in the middle of memory. */
TEST(short_bitmap) {
    uint32_t n = 3000, slots = 2000;
    world w;
    world_open(&w, fx_config(8, NIGH_METRIC_L2, NIGH_DTYPE_F32), DATA_CLUSTERED, n);
    uint32_t *bits = fx_exact((slots + 31) / 32 * 4 + 400);
    memset(bits, 0xff, (slots + 31) / 32 * 4 + 400);
    t_ok(nigh_session_filter(w.f.session, bits, slots, NULL, NULL));
    for (uint32_t q = 0; q < QUERIES; q++) {
        nigh_search_options so = fx_search_options(64, 0);
        t_ok(fx_search(&w.f, w.f.session, query_of(&w, q), &so, 64, &w.h));
        t_eq(w.h.found, 64);
        for (uint32_t i = 0; i < w.h.found; i++) {
            t_assert(w.h.slots[i] < slots);
        }
    }
    free(bits);
    world_close(&w);
}

/* ---- Radius, expansions, budgets, small sessions -------------------------------------------- */

TEST(radius) {
    world w;
    world_open(&w, fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32), DATA_CLUSTERED, N);
    nigh_search_options so = fx_search_options(N, NIGH_SEARCH_EXACT);
    t_ok(fx_search(&w.f, w.f.session, query_of(&w, 0), &so, N, &w.again));
    static const uint32_t cuts[] = {0, 1, 7, 100, N - 1};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        for (uint32_t flags = 0; flags < 2; flags++) {
            so.flags = NIGH_SEARCH_RADIUS | flags; /* graph and exact */
            so.radius = w.again.distances[cuts[i]];
            uint32_t want = cuts[i] + 1;
            while (want < N && w.again.distances[want] <= so.radius) {
                want++; /* "at this distance or nearer" */
            }
            t_ok(fx_search(&w.f, w.f.session, query_of(&w, 0), &so, N, &w.h));
            t_eq(w.h.found, want);
            t_bytes(w.h.ids, w.again.ids, want * sizeof *w.h.ids);
            t_ok(fx_search(&w.f, w.f.session, query_of(&w, 0), &so, 3, &w.h));
            t_eq(w.h.found, want < 3 ? want : 3);
        }
    }
    so.flags = NIGH_SEARCH_RADIUS;
    so.radius = nextafterf(w.again.distances[0], -1);
    t_ok(fx_search(&w.f, w.f.session, query_of(&w, 0), &so, N, &w.h));
    t_eq(w.h.found, 0);
    so.radius = 0; /* 0 is a radius, not a default */
    t_ok(fx_search(&w.f, w.f.session, oracle_row(&w.o, 9), &so, N, &w.h));
    t_assert(w.h.found == 1 && w.h.ids[0] == 9);
    so.radius = NAN;
    t_is(fx_search(&w.f, w.f.session, query_of(&w, 0), &so, N, &w.h), NIGH_E_INVALID);
    so.radius = INFINITY;
    t_ok(fx_search(&w.f, w.f.session, query_of(&w, 0), &so, N, &w.h));
    t_eq(w.h.found, N);
    so.flags = 0;
    so.radius = -1; /* not asked for */
    t_ok(fx_search(&w.f, w.f.session, query_of(&w, 0), &so, N, &w.h));
    t_eq(w.h.found, N);
    world_close(&w);
}

TEST(budget_and_stats) {
    world w;
    nigh_session_stats stats = {.struct_size = sizeof stats};
    world_open(&w, fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32), DATA_UNIFORM, N);
    nigh_search_options so = fx_search_options(100, 0);
    so.expansions = 1;
    uint32_t last = 0;
    for (uint32_t budget = 1; budget < 64; budget *= 2) {
        so.expansions_max = budget;
        t_ok(fx_search(&w.f, w.f.session, query_of(&w, 0), &so, 10, &w.h));
        oracle_recall(&w.o, &w.h, query_of(&w, 0), 10, NULL, NULL); /* whatever it has is sound */
        t_assert(w.h.found > 0);
        t_ok(nigh_session_stats_get(w.f.session, &stats));
        t_assert(stats.expansions <= budget && stats.distances >= last && stats.distances > 0);
        t_eq(stats.fetches, 0);
        last = stats.distances;
    }
    so.expansions_max = 0;
    t_ok(fx_search(&w.f, w.f.session, query_of(&w, 0), &so, 10, &w.h));
    t_ok(nigh_session_stats_get(w.f.session, &stats));
    t_assert(stats.expansions >= 100 && stats.distances <= N + 20 && stats.scanned == 0);
    so.flags = NIGH_SEARCH_EXACT;
    t_ok(fx_search(&w.f, w.f.session, query_of(&w, 0), &so, 10, &w.h));
    t_ok(nigh_session_stats_get(w.f.session, &stats));
    t_eq(stats.distances, N);
    t_eq(stats.scanned, 1);
    world_close(&w);
}

/* A session with a hash set for visited marks finds the same, filtered or not, and is smaller. */
TEST(small_session) {
    world w;
    uint32_t bits[(N + 31) / 32];
    world_open(&w, fx_config(DIM, NIGH_METRIC_IP, NIGH_DTYPE_F16), DATA_CLUSTERED, N);
    memset(bits, 0x55, sizeof bits);
    nigh_session_options so = fx_session_options(N, N, NIGH_SESSION_SMALL);
    nigh_session *small = fx_session(&w.f, &so);
    for (uint32_t filter = 0; filter < 2; filter++) {
        for (uint32_t q = 0; q < QUERIES; q++) {
            nigh_search_options search = fx_search_options(1 + q * 25, 0);
            t_ok(fx_search(&w.f, w.f.session, query_of(&w, q), &search, 10, &w.h));
            t_ok(fx_search(&w.f, small, query_of(&w, q), &search, 10, &w.again));
            fx_same_hits(&w.h, &w.again);
        }
        t_ok(nigh_session_filter(w.f.session, bits, N, NULL, NULL));
        t_ok(nigh_session_filter(small, bits, N, NULL, NULL));
    }
    world_close(&w);
    nigh_config config = fx_config(4, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    uint64_t bytes = 0, small_bytes = 0;
    fx f;
    fx_init(&f, &config, 10000000, 0, 0, 64);
    so = fx_session_options(64, 512, NIGH_SESSION_READ);
    t_ok(nigh_session_bytes(f.index, &so, &bytes));
    so.flags |= NIGH_SESSION_SMALL;
    t_ok(nigh_session_bytes(f.index, &so, &small_bytes));
    t_assert(small_bytes * 100 < bytes && small_bytes < 64 * 1024);
    fx_drop(&f);
}

/* Inserting through a small session builds the same graph, or is refused as too small. */
static void small_inserts(uint32_t expansions) {
    fx f, g;
    rng r = {t_seed()};
    nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    config.expansions = expansions;
    uint8_t *rows = data_rows(&r, DATA_CLUSTERED, config.dtype, N, DIM);
    fx_init(&f, &config, N, N, 0, N);
    fx_init(&g, &config, N, N, 0, N);
    nigh_session_options so = fx_session_options(N, 0, NIGH_SESSION_SMALL);
    nigh_session *small = fx_session(&g, &so);
    fx_insert_many(&f, 0, N, rows);
    for (uint32_t i = 0; i < N; i++) {
        nigh_status s = fx_insert(&g, small, 0, i, rows + i * g.row_bytes);
        if (s == NIGH_E_SESSION && expansions > 2) {
            break;
        }
        t_ok(s);
        if (i + 1 == N) {
            fx_same_image(f.index, g.index);
        }
    }
    fx_check(g.index, g.session);
    free(rows);
    fx_drop(&f);
    fx_drop(&g);
}

TEST(small_session_inserts) {
    for (uint32_t expansions = 1; expansions <= 8; expansions++) {
        small_inserts(expansions);
    }
}

/* ---- Cursor --------------------------------------------------------------------------------- */

/* Pages of `page` until the end: no repeats; at ef = n the exact order, to the bit. */
static void all_pages(world *w, nigh_session *session, const void *query, uint32_t ef,
                      uint32_t page, uint32_t want) {
    nigh_search_options so = fx_search_options(ef, 0);
    uint32_t at = 0;
    t_ok(nigh_cursor_begin(w->f.index, session, query, &so));
    for (;;) {
        t_ok(fx_next(&w->f, session, page, &w->h));
        for (uint32_t i = 0; i < w->h.found; i++, at++) {
            t_assert(at < want);
            if (ef >= w->n) {
                t_eq(w->h.ids[i], w->again.ids[at]);
                t_bytes(&w->h.distances[i], &w->again.distances[at], 4);
            }
            for (uint32_t j = 0; ef < w->n && j < at; j++) {
                t_assert(w->again.ids[j] != w->h.ids[i]);
            }
            if (ef < w->n) {
                w->again.ids[at] = w->h.ids[i];
            }
        }
        if (w->h.found < page) {
            break;
        }
    }
    t_eq(at, want);
    t_ok(fx_next(&w->f, session, page, &w->h)); /* the end stays the end */
    t_eq(w->h.found, 0);
}

TEST(cursor) {
    static const uint32_t pages[] = {1, 2, 7, 64, N};
    world w;
    world_open(&w, fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32), DATA_CLUSTERED, N);
    nigh_session_options so = fx_session_options(N, N + 1, 0); /* frontier_max = slot_max */
    nigh_session *session = fx_session(&w.f, &so);
    nigh_search_options exact = fx_search_options(N, NIGH_SEARCH_EXACT);
    uint32_t want = N;
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
            t_ok(fx_search(&w.f, session, query_of(&w, 0), &exact, N, &w.again));
            all_pages(&w, session, query_of(&w, 0), N, pages[i], want);
            all_pages(&w, session, query_of(&w, 1), 1 + 16 * (uint32_t)i, pages[i], want);
        }
        if (round == 0) {
            world_remove(&w, 3);
            want = w.o.live;
        }
    }
    world_close(&w);
}

/* Duplicates and equal vectors: every one of them comes out once. */
TEST(cursor_on_equal_vectors) {
    for (int kind = DATA_DUPLICATES; kind <= DATA_EQUAL; kind++) {
        world w;
        world_open(&w, fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32), kind, N);
        nigh_session_options so = fx_session_options(N, N + 1, 0);
        nigh_session *session = fx_session(&w.f, &so);
        nigh_search_options exact = fx_search_options(N, NIGH_SEARCH_EXACT);
        t_ok(fx_search(&w.f, session, oracle_row(&w.o, 4), &exact, N, &w.again));
        all_pages(&w, session, oracle_row(&w.o, 4), N, 11, N);
        all_pages(&w, session, oracle_row(&w.o, 4), 8, 11, N);
        world_close(&w);
    }
}

TEST(cursor_with_filter_and_radius) {
    world w;
    uint32_t bits[(N + 31) / 32];
    memset(bits, 0x11, sizeof bits);
    bits[N / 32] &= (1u << N % 32) - 1;
    world_open(&w, fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32), DATA_UNIFORM, N);
    nigh_session_options options = fx_session_options(N, N + 1, 0);
    nigh_session *session = fx_session(&w.f, &options);
    nigh_search_options so = fx_search_options(N, NIGH_SEARCH_EXACT);
    t_ok(nigh_session_filter(session, bits, N, NULL, NULL));
    t_ok(fx_search(&w.f, session, query_of(&w, 0), &so, N, &w.again));
    t_eq(w.again.found, N / 4);
    all_pages(&w, session, query_of(&w, 0), N, 10, N / 4);
    so.flags = NIGH_SEARCH_RADIUS;
    so.radius = w.again.distances[20];
    t_ok(nigh_cursor_begin(w.f.index, session, query_of(&w, 0), &so));
    t_ok(fx_next(&w.f, session, 15, &w.h));
    t_eq(w.h.found, 15);
    t_ok(fx_next(&w.f, session, 15, &w.h));
    t_eq(w.h.found, 6);
    t_assert(w.h.ids[5] == w.again.ids[20]);
    world_close(&w);
}

/* Another search or change with the session ends the cursor; with another session it goes on. */
TEST(cursor_ends) {
    world w;
    world_open(&w, fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32), DATA_UNIFORM, N);
    nigh_session_options options = fx_session_options(N, N + 1, 0);
    nigh_session *other = fx_session(&w.f, &options);
    nigh_session *session = w.f.session;
    t_is(fx_next(&w.f, session, 1, &w.h), NIGH_E_INVALID); /* none was begun */
    t_ok(nigh_cursor_begin(w.f.index, session, query_of(&w, 0), NULL));
    t_ok(fx_next(&w.f, session, 5, &w.h));
    t_ok(fx_search(&w.f, session, query_of(&w, 0), NULL, 5, &w.again));
    fx_same_hits(&w.h, &w.again);
    t_is(fx_next(&w.f, session, 5, &w.h), NIGH_E_INVALID);
    t_ok(nigh_cursor_begin(w.f.index, session, query_of(&w, 0), NULL));
    t_is(fx_insert(&w.f, session, 0, 7, query_of(&w, 0)), NIGH_E_EXISTS);
    t_is(fx_next(&w.f, session, 5, &w.h), NIGH_E_INVALID);
    t_ok(nigh_cursor_begin(w.f.index, session, query_of(&w, 1), NULL));
    t_ok(fx_search(&w.f, other, query_of(&w, 2), NULL, 5, &w.again));
    t_ok(fx_next(&w.f, session, 5, &w.h));
    t_eq(w.h.found, 5);
    t_ok(fx_remove(&w.f, other, w.h.ids[4])); /* handed out already: no matter */
    t_ok(fx_next(&w.f, session, 5, &w.again));
    t_eq(w.again.found, 5);
    world_close(&w);
}

/* Searches change nothing, and the same search gives the same bits in any session, again. */
TEST(repeatable) {
    world w;
    world_open(&w, fx_config(DIM, NIGH_METRIC_COSINE, NIGH_DTYPE_BF16), DATA_CLUSTERED, N);
    nigh_session_options options = fx_session_options(77, 0, NIGH_SESSION_READ);
    nigh_session *other = fx_session(&w.f, &options);
    fx_bytes before = fx_save(w.f.index, 0);
    for (uint32_t q = 0; q < 60; q++) {
        nigh_search_options so = fx_search_options(10 + q % 5, 0);
        so.expansions = 1 + q % 3;
        t_ok(fx_search(&w.f, w.f.session, query_of(&w, q % QUERIES), &so, 10, &w.h));
        t_ok(fx_search(&w.f, other, query_of(&w, q % QUERIES), &so, 10, &w.again));
        fx_same_hits(&w.h, &w.again);
    }
    fx_bytes after = fx_save(w.f.index, 0);
    t_eq(before.size, after.size);
    t_bytes(before.data, after.data, before.size);
    free(before.data);
    free(after.data);
    world_close(&w);
}

/* Visited marks are a byte a slot, cleared now and then: the search after any number of narrow ones
 * still sees every slot. */
TEST(marks_wrap) {
    world w;
    world_open(&w, fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32), DATA_CLUSTERED, N);
    nigh_session_options options = fx_session_options(N, 0, NIGH_SESSION_READ);
    nigh_search_options narrow = fx_search_options(1, 0), wide = fx_search_options(N, 0);
    nigh_search_options exact = fx_search_options(N, NIGH_SEARCH_EXACT);
    t_ok(fx_search(&w.f, w.f.session, query_of(&w, 1), &exact, N, &w.again));
    for (uint32_t before = 120; before < 520; before += before % 128 < 120 ? 8 : 1) {
        nigh_session *session = fx_session(&w.f, &options);
        for (uint32_t i = 0; i < before; i++) {
            t_ok(fx_search(&w.f, session, query_of(&w, 0), &narrow, 1, &w.h));
        }
        t_ok(fx_search(&w.f, session, query_of(&w, 1), &wide, N, &w.h));
        fx_same_hits(&w.h, &w.again);
    }
    world_close(&w);
}

SUITE {
    RUN(empty);
    RUN(one_element);
    RUN(k_and_ef);
    RUN(every_pair);
    RUN(custom_metric);
    RUN(filters);
    RUN(filtered_recall);
    RUN(sparse_callback);
    RUN(short_bitmap);
    RUN(radius);
    RUN(budget_and_stats);
    RUN(small_session);
    RUN(small_session_inserts);
    RUN(cursor);
    RUN(cursor_on_equal_vectors);
    RUN(cursor_with_filter_and_radius);
    RUN(cursor_ends);
    RUN(marks_wrap);
    RUN(repeatable);
}
