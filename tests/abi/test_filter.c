/* test_filter.c - filters and removed nodes at every selectivity, by whatever way is chosen
 * layer T; uses: data, fixture, oracle
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Narrow rows and wide vectors make every way the cheapest somewhere, in an index that brute force
 * can still answer. */
#include "data.h"
#include "fixture.h"
#include "jobs.h"
#include "oracle.h"
#include "t.h"

enum { DIM = 256, QUERIES = 10, ALL = 3000, FEW = 1200 };

typedef struct world { /* an index, its oracle, queries, and a filter both as bits and as calls */
    fx f;
    oracle o;
    fx_hits h;
    fx_hits again;
    uint8_t *rows;
    uint32_t *bits;
    uint32_t n;
    uint32_t calls;
} world;

static const uint8_t *query_of(const world *w, uint32_t i) {
    return w->rows + (w->n + i) * w->f.row_bytes;
}

static void world_open(world *w, nigh_config config) {
    rng r = {t_seed() + config.metric};
    w->n = t_small() ? FEW : ALL;
    w->rows = data_rows(&r, DATA_CLUSTERED, config.dtype, w->n + QUERIES, config.dim);
    config.m = 8;
    config.ef_build = 60;
    fx_init(&w->f, &config, w->n, w->n, 0, w->n);
    oracle_init(&w->o, &w->f.config, w->n);
    fx_hits_init(&w->h, &w->f.config, w->n);
    fx_hits_init(&w->again, &w->f.config, w->n);
    fx_insert_many(&w->f, 0, w->n, w->rows);
    for (uint32_t i = 0; i < w->n; i++) {
        oracle_put(&w->o, i, w->rows + i * w->f.row_bytes);
    }
    w->bits = fx_exact((w->n + 31) / 32 * sizeof *w->bits);
    w->calls = 0;
}

static void world_close(world *w) {
    oracle_drop(&w->o);
    fx_hits_drop(&w->h);
    fx_hits_drop(&w->again);
    free(w->rows);
    free(w->bits);
    fx_drop(&w->f);
}

static nigh_config l2(void) { return fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32); }

/* Removes keys until `percent` of all are gone. */
static void world_remove(world *w, uint32_t percent) {
    rng r = {t_seed() + 5};
    while (w->o.deleted * 100 < w->n * percent) {
        uint32_t id = rng_below(&r, w->n);
        if (w->o.state[id] == ORACLE_LIVE) {
            t_ok(fx_remove(&w->f, w->f.session, id));
            oracle_mark(&w->o, id, ORACLE_DELETED);
        }
    }
}

static void bits_random(world *w, uint32_t thousandths) {
    rng r = {t_seed() + thousandths};
    memset(w->bits, 0, (w->n + 31) / 32 * sizeof *w->bits);
    for (uint32_t id = 0; id < w->n; id++) {
        w->bits[id / 32] |= (uint32_t)(rng_below(&r, 1000) < thousandths) << id % 32;
    }
}

static int bit_filter(void *user, uint64_t id) {
    const world *w = user;
    return (int)(w->bits[id / 32] >> id % 32 & 1);
}

static int32_t key_filter(void *user, uint32_t slot, const uint64_t *key) {
    world *w = user;
    w->calls++;
    return key != NULL && *key == slot && bit_filter(w, slot);
}

/* How a filter is set: not at all, as bits, as a function. */
enum { NO_FILTER, AS_BITS, AS_CALLS, FILTERS };

static oracle_filter *world_filter(world *w, nigh_session *session, int how) {
    t_ok(nigh_session_filter(session, how == AS_BITS ? w->bits : NULL, how == AS_BITS ? w->n : 0,
                             how == AS_CALLS ? key_filter : NULL, w));
    return how == NO_FILTER ? NULL : bit_filter;
}

/* Sound at any ef, complete at ef = n; how many of the 10 nearest of all queries ef = 64 finds. */
static uint32_t all_queries(world *w, int how, uint32_t *wanted) {
    static const uint32_t efs[] = {1, 10, 64};
    uint32_t hits = 0;
    oracle_filter *filter = world_filter(w, w->f.session, how);
    *wanted = oracle_count(&w->o, 10, filter, w) * QUERIES;
    for (uint32_t q = 0; q < QUERIES; q++) {
        for (uint32_t i = 0; i < 3; i++) {
            nigh_search_options so = fx_search_options(efs[i], 0);
            so.expansions = 1 + (q + i) % 5;
            w->calls = 0;
            t_ok(fx_search(&w->f, w->f.session, query_of(w, q), &so, 10, &w->h));
            t_eq(w->h.found, oracle_count(&w->o, 10, filter, w));
            uint32_t right = oracle_recall(&w->o, &w->h, query_of(w, q), 10, filter, w);
            hits += i == 2 ? right : 0;
            t_assert(w->calls <= 2 * w->n + 512); /* once a walk and once a scan */
        }
        nigh_search_options so = fx_search_options(w->n, 0);
        uint32_t k = q % 2 == 0 ? 1 + q * 9 : w->n; /* more than there may be */
        t_ok(fx_search(&w->f, w->f.session, query_of(w, q), &so, k, &w->h));
        oracle_expect(&w->o, &w->h, query_of(w, q), k, filter, w);
    }
    return hits;
}

TEST(every_selectivity) {
    static const uint32_t thousandths[] = {0, 3, 10, 30, 100, 300, 500, 800, 950, 1000};
    static const uint32_t removed[] = {0, 1, 10, 50};
    world w;
    world_open(&w, l2());
    for (uint32_t gone = 0; gone < 4; gone++) {
        world_remove(&w, removed[gone]);
        for (uint32_t i = 0; i < 10; i++) {
            bits_random(&w, thousandths[i]);
            for (int how = i == 0 ? NO_FILTER : AS_BITS; how < FILTERS; how++) {
                uint32_t wanted = 0, hits = all_queries(&w, how, &wanted);
                if (hits * 10 < wanted * 9) {
                    t_failf("%u %% removed, %u allowed, filter %d: recall %u of %u", removed[gone],
                            thousandths[i], how, hits, wanted);
                }
            }
        }
        memset(w.bits, 0, (w.n + 31) / 32 * sizeof *w.bits);
        w.bits[w.n / 64] = 1; /* a single one, removed or not */
        for (int how = AS_BITS; how < FILTERS; how++) {
            uint32_t wanted = 0, hits = all_queries(&w, how, &wanted);
            t_eq(hits, wanted);
        }
    }
    world_close(&w);
}

/* Few are scanned: exactly. A tenth: only matches are scored. Nearly all: about as without. */
TEST(ways) {
    world w;
    world_open(&w, l2());
    nigh_search_options so = fx_search_options(10, 0), exact = fx_search_options(0, 1);
    nigh_session *session = w.f.session;
    for (uint32_t q = 0; q < QUERIES; q++) {
        world_filter(&w, session, NO_FILTER);
        t_ok(fx_search(&w.f, session, query_of(&w, q), &so, 10, &w.h));
        uint32_t plain = fx_cost(session).distances;
        bits_random(&w, 20);
        world_filter(&w, session, AS_BITS);
        t_ok(fx_search(&w.f, session, query_of(&w, q), &so, 10, &w.h));
        t_eq(fx_cost(session).scanned, 1);
        t_ok(fx_search(&w.f, session, query_of(&w, q), &exact, 10, &w.again));
        fx_same_hits(&w.h, &w.again);
        bits_random(&w, 980);
        world_filter(&w, session, AS_BITS);
        t_ok(fx_search(&w.f, session, query_of(&w, q), &so, 10, &w.h));
        t_assert(fx_cost(session).scanned == 0 && fx_cost(session).distances < plain * 2 + 20);
        world_filter(&w, session, AS_CALLS);
        w.calls = 0;
        t_ok(fx_search(&w.f, session, query_of(&w, q), &so, 10, &w.h));
        t_assert(w.calls <= 64 + 40); /* to estimate, and about the results */
        if (w.n == ALL) {
            bits_random(&w, 200);
            world_filter(&w, session, AS_BITS);
            uint32_t allowed = oracle_count(&w.o, w.n, bit_filter, &w);
            t_ok(fx_search(&w.f, session, query_of(&w, q), &so, 10, &w.h));
            t_eq(fx_cost(session).scanned, 0);
            t_assert(fx_cost(session).distances < allowed);
        }
    }
    world_close(&w);
}

/* At ef = k a list may hold too few by chance: then the graph is walked again, not everything
 * scanned. */
TEST(narrow) {
    world w;
    world_open(&w, l2());
    bits_random(&w, 500);
    nigh_search_options so = fx_search_options(10, 0);
    for (int how = AS_BITS; how < FILTERS && w.n == ALL; how++) {
        world_filter(&w, w.f.session, how);
        for (uint32_t i = 0; i < 300; i++) {
            t_ok(fx_search(&w.f, w.f.session, oracle_row(&w.o, i), &so, 10, &w.h));
            t_assert(w.h.found == 10 && fx_cost(w.f.session).scanned == 0);
        }
    }
    world_close(&w);
}

/* Allowed is what is farthest from the query: where the walk begins, nothing matches. */
TEST(correlated) {
    world w;
    world_open(&w, l2());
    nigh_search_options exact = fx_search_options(0, NIGH_SEARCH_EXACT);
    for (uint32_t share = 2; share <= 32; share *= 2) {
        uint32_t hits = 0;
        for (uint32_t q = 0; q < QUERIES; q++) {
            nigh_search_options so = fx_search_options(64, 0);
            world_filter(&w, w.f.session, NO_FILTER);
            t_ok(fx_search(&w.f, w.f.session, query_of(&w, q), &exact, w.n, &w.again));
            bits_random(&w, 0);
            for (uint32_t i = w.n - w.n / share; i < w.n; i++) {
                w.bits[w.again.slots[i] / 32] |= 1u << w.again.slots[i] % 32;
            }
            for (int how = AS_BITS; how < FILTERS; how++) {
                world_filter(&w, w.f.session, how);
                t_ok(fx_search(&w.f, w.f.session, query_of(&w, q), &so, 10, &w.h));
                t_eq(w.h.found, 10);
                hits += oracle_recall(&w.o, &w.h, query_of(&w, q), 10, bit_filter, &w);
            }
        }
        if (hits < QUERIES * 2 * 10 * 3 / 4) {
            t_failf("the farthest 1/%u: recall %u of %u", share, hits, QUERIES * 2 * 10);
        }
    }
    world_close(&w);
}

/* All around the queries is removed. */
TEST(removed_region) {
    world w;
    world_open(&w, l2());
    nigh_search_options so = fx_search_options(w.n, NIGH_SEARCH_EXACT);
    t_ok(fx_search(&w.f, w.f.session, query_of(&w, 0), &so, w.n / 8, &w.h));
    for (uint32_t i = 0; i < w.h.found; i++) {
        t_ok(fx_remove(&w.f, w.f.session, w.h.ids[i]));
        oracle_mark(&w.o, w.h.ids[i], ORACLE_DELETED);
    }
    for (so.ef = 10, so.flags = 0; so.ef <= 160; so.ef *= 4) {
        t_ok(fx_search(&w.f, w.f.session, query_of(&w, 0), &so, 10, &w.h));
        t_eq(w.h.found, 10);
        uint32_t hits = oracle_recall(&w.o, &w.h, query_of(&w, 0), 10, NULL, NULL);
        t_assert(so.ef < 160 || hits >= 8);
    }
    world_close(&w);
}

TEST(budget_and_radius) {
    world w;
    world_open(&w, l2());
    for (uint32_t i = 0; i < 4; i++) {
        bits_random(&w, i == 0 ? 20 : i * 300);
        for (int how = AS_BITS; how < FILTERS; how++) {
            world_filter(&w, w.f.session, how);
            for (uint32_t budget = 1; budget < 100; budget *= 3) {
                nigh_search_options so = fx_search_options(50, 0);
                so.expansions_max = budget;
                so.expansions = 1;
                t_ok(fx_search(&w.f, w.f.session, query_of(&w, i), &so, 10, &w.h));
                (void)oracle_recall(&w.o, &w.h, query_of(&w, i), w.h.found, bit_filter, &w);
                t_assert(fx_cost(w.f.session).expansions <= budget);
            }
            nigh_search_options so = fx_search_options(w.n, NIGH_SEARCH_EXACT);
            t_ok(fx_search(&w.f, w.f.session, query_of(&w, i), &so, w.n, &w.again));
            so.flags = NIGH_SEARCH_RADIUS;
            so.radius = w.again.distances[5];
            t_ok(fx_search(&w.f, w.f.session, query_of(&w, i), &so, w.n, &w.h));
            t_eq(w.h.found, 6);
            so.gamma = 0.5f;
            so.ef = 30;
            t_ok(fx_search(&w.f, w.f.session, query_of(&w, i), &so, 5, &w.h));
            t_assert(w.h.found <= 5);
        }
    }
    world_close(&w);
}

/* The same in another session, in a small one, at another kernel level, in a batch. */
TEST(repeatable) {
    world w;
    world_open(&w, l2());
    world_remove(&w, 5);
    fx_bytes image = fx_save(w.f.index, 0);
    nigh_options options = {.struct_size = sizeof options, .features = NIGH_CPU_SCALAR};
    nigh_session_options some = fx_session_options(64, 0, NIGH_SESSION_READ), small = some;
    small.flags |= NIGH_SESSION_SMALL;
    small.frontier_max = w.n;
    some.lanes = 3;
    fx scalar = {.config = w.f.config, .row_bytes = w.f.row_bytes};
    uint64_t bytes = 0;
    uint8_t *copy = fx_take(&scalar, image.size);
    memcpy(copy, image.data, image.size);
    t_ok(nigh_attach_bytes(copy, image.size, &options, &bytes));
    t_ok(nigh_attach(copy, image.size, &options, fx_take(&scalar, bytes), bytes, &scalar.index));
    nigh_session *others[] = {fx_session(&w.f, &some), fx_session(&w.f, &small),
                              fx_session(&scalar, &some)};
    uint32_t slots[QUERIES * 10], found[QUERIES], done = 0;
    for (uint32_t i = 0; i < 12; i++) {
        nigh_search_options so = fx_search_options(10 + i % 3 * 20, 0);
        int how = (int)(i % 4) - 1 < 0 ? AS_CALLS : (int)(i % 4) - 1;
        bits_random(&w, i * 90);
        world_filter(&w, w.f.session, how);
        for (int other = 0; other < 3; other++) {
            world_filter(&w, others[other], how);
        }
        t_ok(nigh_search_batch(w.f.index, others[0], query_of(&w, 0), QUERIES, &so, 10, NULL, NULL,
                               NULL, slots, found, &done));
        for (uint32_t q = 0; q < QUERIES; q++) {
            t_ok(fx_search(&w.f, w.f.session, query_of(&w, q), &so, 10, &w.h));
            t_eq(found[q], w.h.found);
            t_bytes(slots + q * 10, w.h.slots, w.h.found * sizeof *slots);
            for (int other = 0; other < 3; other++) {
                t_ok(fx_search(other == 2 ? &scalar : &w.f, others[other], query_of(&w, q), &so, 10,
                               &w.again));
                fx_same_hits(&w.h, &w.again);
            }
        }
    }
    free(image.data);
    fx_drop(&scalar);
    world_close(&w);
}

/* On codes: true distances, the right ones mostly; few are scanned exactly. */
TEST(codes) {
    for (uint32_t kind = NIGH_CODES_U7; kind <= NIGH_CODES_B1; kind++) {
        world w;
        world_open(&w, l2());
        t_ok(fx_codes(&w.f, kind, 0, 0));
        for (uint32_t share = 10; share <= 910; share += 100) {
            uint32_t hits = 0, all = 0;
            bits_random(&w, share);
            for (uint32_t q = 0; q < QUERIES; q++) {
                nigh_search_options so = fx_search_options(80, 0), exact = fx_search_options(0, 1);
                world_filter(&w, w.f.session, q % 2 == 0 ? AS_BITS : AS_CALLS);
                t_ok(fx_search(&w.f, w.f.session, query_of(&w, q), &so, 10, &w.h));
                t_eq(w.h.found, oracle_count(&w.o, 10, bit_filter, &w));
                hits += oracle_recall(&w.o, &w.h, query_of(&w, q), 10, bit_filter, &w);
                all += w.h.found;
                t_ok(fx_search(&w.f, w.f.session, query_of(&w, q), &exact, 10, &w.again));
                if (share == 10) {
                    fx_same_hits(&w.h, &w.again);
                }
            }
            if (kind == NIGH_CODES_U7 && hits * 10 < all * 9) { /* bits tell little here */
                t_failf("codes %u, %u allowed: recall %u of %u", kind, share, hits, all);
            }
        }
        world_close(&w);
    }
}

SUITE {
    RUN(every_selectivity);
    RUN(ways);
    RUN(narrow);
    RUN(correlated);
    RUN(removed_region);
    RUN(budget_and_radius);
    RUN(repeatable);
    RUN(codes);
}
