/* test_codes.c - searches on codes: with a deep rerank they give what brute force gives
 * layer T; uses: data, fixture, jobs, oracle
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "data.h"
#include "fixture.h"
#include "jobs.h"
#include "oracle.h"
#include "t.h"

enum { QUERIES = 8, KINDS = 2 };

typedef struct world { /* an index, its oracle, and queries */
    fx f;
    oracle o;
    fx_hits h;
    fx_hits exact;
    uint8_t *rows; /* n, then QUERIES */
    uint32_t n;
} world;

static const uint8_t *query_of(const world *w, uint32_t i) {
    return w->rows + (w->n + i) * w->f.row_bytes;
}

/* Rows and an oracle that has them all; the index has room and is empty. */
static void world_rows(world *w, nigh_config config, uint8_t *rows, uint32_t n) {
    w->n = n;
    w->rows = rows;
    fx_init(&w->f, &config, n + 2, n + 1, 0, n + 2);
    oracle_init(&w->o, &w->f.config, n + 2);
    fx_hits_init(&w->h, &w->f.config, n + 2);
    fx_hits_init(&w->exact, &w->f.config, n + 2);
    for (uint32_t i = 0; i < n; i++) {
        oracle_put(&w->o, i, rows + i * w->f.row_bytes);
    }
}

static void world_open(world *w, nigh_config config, int kind, uint32_t n) {
    rng r = {t_seed() + config.metric * 10 + config.dtype};
    world_rows(w, config, data_rows(&r, kind, config.dtype, n + QUERIES, config.dim), n);
}

static void world_build(world *w) { t_ok(fx_build(&w->f, 0, w->n, w->rows, NULL)); }

static void world_close(world *w) {
    oracle_drop(&w->o);
    fx_hits_drop(&w->h);
    fx_hits_drop(&w->exact);
    free(w->rows);
    fx_drop(&w->f);
}

static nigh_search_options deep(const world *w) {
    nigh_search_options so = fx_search_options(w->n + 2, 0);
    so.rerank = w->n + 2;
    return so;
}

/* Every hit at the distance that scoring every vector gave it, to the bit; w->exact holds all. */
static void true_distances(const world *w, const fx_hits *h) {
    for (uint32_t i = 0; i < h->found; i++) {
        uint32_t at = 0;
        while (at < w->exact.found && w->exact.slots[at] != h->slots[i]) {
            at++;
        }
        t_assert(at < w->exact.found && w->exact.ids[at] == h->ids[i]);
        t_bytes(&w->exact.distances[at], &h->distances[i], sizeof(float));
        t_assert(i == 0 || h->distances[i - 1] < h->distances[i] ||
                 (h->distances[i - 1] == h->distances[i] && h->slots[i - 1] < h->slots[i]));
    }
}

/* What a search on codes has to give, at any depth. */
static void as_exact(world *w, nigh_session *session, const void *query, uint32_t expansions) {
    nigh_search_options so = fx_search_options(w->n + 2, NIGH_SEARCH_EXACT);
    nigh_search_options on_codes = deep(w);
    t_ok(fx_search(&w->f, session, query, &so, w->n + 2, &w->exact));
    oracle_expect(&w->o, &w->exact, query, w->n + 2, NULL, NULL);
    t_eq(fx_cost(session).reranked, 0);
    on_codes.expansions = expansions;
    t_ok(fx_search(&w->f, session, query, &on_codes, w->n + 2, &w->h));
    fx_same_hits(&w->h, &w->exact);
    t_eq(fx_cost(session).reranked, w->exact.found);
    on_codes.gamma = 16; /* farther than anything is */
    t_ok(fx_search(&w->f, session, query, &on_codes, 1 + w->n / 3, &w->h));
    true_distances(w, &w->h);
    for (so.ef = 1; so.ef <= w->n; so.ef = so.ef * 3 + 1) {
        so.flags = 0;
        so.rerank = so.ef / 2;
        so.gamma = so.ef % 2 == 0 ? 0.0f : 0.1f;
        t_ok(fx_search(&w->f, session, query, &so, 1 + so.ef / 4, &w->h));
        true_distances(w, &w->h);
        t_eq(w->h.found, oracle_count(&w->o, 1 + so.ef / 4, NULL, NULL));
        nigh_session_stats cost = fx_cost(session);
        t_assert(cost.reranked > 0 && cost.reranked < cost.distances);
    }
}

static uint32_t active(const world *w) { return fx_stats(w->f.index).codes; }

/* ---- Made by a build, made by a job, dropped ------------------------------------------------ */

TEST(every_pair) {
    uint32_t metric, dtype;
    for (uint32_t i = 0; fx_pair(i, &metric, &dtype) && dtype != NIGH_DTYPE_B1; i++) {
        for (uint32_t codes = NIGH_CODES_U7; codes <= NIGH_CODES_B1; codes++) {
            world w;
            nigh_config config = fx_config(19 + i % 3, metric, dtype);
            config.codes = codes;
            config.m = 2 + i % 15;
            config.expansions = 1 + i % 4;
            config.block_bytes = i % 2 == 0 ? 0 : 512;
            config.alpha = i % 3 == 0 ? 1.25f : 0.0f;
            config.build_flags = i % 4;
            world_open(&w, config, (int)(i + codes) % DATA_COUNT, t_small() ? 60 : 200);
            world_build(&w);
            t_eq(active(&w), codes);
            fx_check(w.f.index, w.f.session);
            for (uint32_t q = 0; q < 3; q++) {
                as_exact(&w, w.f.session, query_of(&w, q), 1 + q * 2);
            }
            for (uint64_t id = 0; id < w.n; id += 3) {
                t_ok(fx_remove(&w.f, w.f.session, id));
                oracle_mark(&w.o, id, ORACLE_DELETED);
            }
            as_exact(&w, w.f.session, query_of(&w, 5), 2);
            world_close(&w);
        }
    }
}

TEST(made_and_dropped) {
    uint32_t metric, dtype;
    for (uint32_t i = 0; fx_pair(i, &metric, &dtype) && dtype != NIGH_DTYPE_B1; i++) {
        for (uint32_t codes = NIGH_CODES_U7; codes <= NIGH_CODES_B1; codes++) {
            world w;
            nigh_config config = fx_config(30 + i, metric, dtype);
            config.block_bytes = i % 2 == 0 ? 0 : 1024;
            world_open(&w, config, DATA_CLUSTERED, t_small() ? 60 : 150);
            fx_insert_many(&w.f, 0, w.n, w.rows);
            fx_bytes plain = fx_save(w.f.index, 0);
            t_eq(active(&w), NIGH_CODES_NONE);
            t_ok(fx_codes(&w.f, codes, 0, 0));
            t_eq(active(&w), codes);
            t_eq(w.f.config.codes, codes);
            fx_check(w.f.index, w.f.session);
            as_exact(&w, w.f.session, query_of(&w, 0), 1);
            fx_bytes coded = fx_save(w.f.index, 0);
            t_assert(coded.size > plain.size);
            t_is(fx_codes(&w.f, codes, 0, 0), NIGH_E_EXISTS);
            t_ok(fx_codes(&w.f, NIGH_CODES_NONE, 0, 0));
            t_eq(active(&w), NIGH_CODES_NONE);
            fx_bytes again = fx_save(w.f.index, 0);
            t_eq(again.size, plain.size);
            t_bytes(again.data, plain.data, plain.size);
            free(again.data);
            t_ok(fx_codes(&w.f, codes, 0, 0));
            again = fx_save(w.f.index, 0);
            t_eq(again.size, coded.size);
            t_bytes(again.data, coded.data, coded.size);
            free(again.data);
            free(plain.data);
            free(coded.data);
            world_close(&w);
        }
    }
}

/* Without its codes `w` is `p`, byte by byte but for the header. */
static void same_when_dropped(world *w, world *p) {
    t_ok(fx_codes(&w->f, NIGH_CODES_NONE, 0, 0));
    fx_bytes a = fx_save(p->f.index, 0);
    fx_bytes b = fx_save(w->f.index, 0);
    t_eq(a.size, b.size);
    t_bytes(a.data + 2048, b.data + 2048, a.size - 2048);
    free(a.data);
    free(b.data);
}

/* A build without codes drafts them: the links are those of a build with codes, dropped since. */
TEST(links_of_a_draft) {
    for (uint32_t round = 0; round < 8; round++) {
        world w, p;
        nigh_config config =
            fx_config(24, NIGH_METRIC_L2 + round % 4, round < 4 ? NIGH_DTYPE_F32 : NIGH_DTYPE_F16);
        world_open(&p, config, DATA_CLUSTERED, 300);
        config.codes = NIGH_CODES_U7;
        world_open(&w, config, DATA_CLUSTERED, 300);
        world_build(&w);
        world_build(&p);
        t_eq(active(&p), NIGH_CODES_NONE);
        same_when_dropped(&w, &p);
        world_close(&w);
        world_close(&p);
    }
}

/* An index without codes that has the same links: NO_CODES makes them equal. */
TEST(no_codes) {
    for (uint32_t round = 0; round < 4; round++) {
        world w, p;
        nigh_config config = fx_config(24, NIGH_METRIC_L2 + round, NIGH_DTYPE_F32);
        config.build_flags = round % 2 == 0 ? (uint32_t)NIGH_BUILD_KEEP_PRUNED : 0;
        config.build_flags |= NIGH_BUILD_EXACT;
        world_open(&p, config, DATA_CLUSTERED, 300);
        config.codes = NIGH_CODES_U7;
        if (round < 2) { /* active from the first insert on */
            config.code_min = -1.25f;
            config.code_max = 1.25f;
        }
        world_open(&w, config, DATA_CLUSTERED, 300);
        if (round < 2) {
            fx_insert_many(&w.f, 0, w.n, w.rows);
            fx_insert_many(&p.f, 0, p.n, p.rows);
        } else {
            world_build(&w);
            world_build(&p);
        }
        t_eq(active(&w), NIGH_CODES_U7);
        for (uint32_t q = 0; q < QUERIES; q++) {
            nigh_search_options so = fx_search_options(1 + q * 20, NIGH_SEARCH_NO_CODES);
            so.expansions = 1 + q;
            t_ok(fx_search(&w.f, w.f.session, query_of(&w, q), &so, 10, &w.h));
            t_eq(fx_cost(w.f.session).reranked, 0);
            t_ok(fx_search(&p.f, p.f.session, query_of(&w, q), &so, 10, &p.h));
            fx_same_hits(&w.h, &p.h);
            t_ok(nigh_cursor_begin(w.f.index, w.f.session, query_of(&w, q), &so));
            t_ok(nigh_cursor_begin(p.f.index, p.f.session, query_of(&w, q), &so));
            t_ok(fx_next(&w.f, w.f.session, 30, &w.h));
            t_ok(fx_next(&p.f, p.f.session, 30, &p.h));
            fx_same_hits(&w.h, &p.h);
        }
        same_when_dropped(&w, &p);
        world_close(&w);
        world_close(&p);
    }
}

/* Links chosen on codes are others than those chosen on vectors: the flag does something. */
TEST(links_on_codes) {
    world w[2];
    for (uint32_t i = 0; i < 2; i++) {
        nigh_config config = fx_config(16, NIGH_METRIC_L2, NIGH_DTYPE_F32);
        config.codes = NIGH_CODES_U7;
        config.code_min = -4;
        config.code_max = 4;
        config.build_flags = i == 0 ? 0 : NIGH_BUILD_EXACT;
        world_open(&w[i], config, DATA_CLUSTERED, 300);
        fx_insert_many(&w[i].f, 0, w[i].n, w[i].rows);
    }
    fx_bytes a = fx_save(w[0].f.index, 0), b = fx_save(w[1].f.index, 0);
    t_eq(a.size, b.size);
    t_assert(memcmp(a.data + 2048, b.data + 2048, (size_t)a.size - 2048) != 0);
    free(a.data);
    free(b.data);
    world_close(&w[0]);
    world_close(&w[1]);
}

/* ---- Cursor and filter ---------------------------------------------------------------------- */

static void cursor_all(world *w, const void *query, const nigh_search_options *so, uint32_t page) {
    uint32_t at = 0;
    t_ok(nigh_cursor_begin(w->f.index, w->f.session, query, so));
    do {
        t_ok(fx_next(&w->f, w->f.session, page, &w->h));
        t_bytes(w->h.ids, w->exact.ids + at, w->h.found * sizeof *w->h.ids);
        t_bytes(w->h.distances, w->exact.distances + at, w->h.found * sizeof(float));
        at += w->h.found;
        t_assert(at <= w->exact.found);
    } while (w->h.found == page);
    t_eq(at, w->exact.found);
    t_ok(fx_next(&w->f, w->f.session, page, &w->h));
    t_eq(w->h.found, 0);
}

/* A shallow one hands out each key once, at its true distance, in an order that may be wrong. */
static void cursor_shallow(world *w, const void *query, uint32_t ef, uint32_t rerank) {
    nigh_search_options so = fx_search_options(ef, 0);
    uint8_t *seen = fx_malloc(w->n + 2);
    uint32_t count = 0;
    so.rerank = rerank;
    t_ok(nigh_cursor_begin(w->f.index, w->f.session, query, &so));
    for (;;) {
        t_ok(fx_next(&w->f, w->f.session, 1, &w->h));
        if (w->h.found == 0) {
            break;
        }
        true_distances(w, &w->h);
        t_assert(seen[w->h.slots[0]]++ == 0);
        count++;
    }
    t_eq(count, w->exact.found);
    free(seen);
}

TEST(cursor) {
    for (uint32_t i = 0; i < 8; i++) {
        world w;
        nigh_config config = fx_config(21, NIGH_METRIC_L2 + i % 4, NIGH_DTYPE_F32);
        config.codes = i < 4 ? NIGH_CODES_U7 : NIGH_CODES_B1;
        world_open(&w, config, DATA_CLUSTERED, 250);
        world_build(&w);
        for (uint64_t id = 5; id < w.n; id += 11) {
            t_ok(fx_remove(&w.f, w.f.session, id));
        }
        for (uint32_t q = 0; q < 4; q++) {
            const uint8_t *query = query_of(&w, q);
            nigh_search_options so = deep(&w), all = fx_search_options(0, NIGH_SEARCH_EXACT);
            t_ok(fx_search(&w.f, w.f.session, query, &all, w.n, &w.exact));
            cursor_all(&w, query, &so, 1 + q * 17);
            cursor_shallow(&w, query, 10, 0);
            cursor_shallow(&w, query, 40, 5);
            so.flags = NIGH_SEARCH_RADIUS;
            so.radius = w.exact.distances[20];
            while (w.exact.found > 0 && w.exact.distances[w.exact.found - 1] > so.radius) {
                w.exact.found--;
            }
            t_assert(w.exact.found > 20 && w.exact.found < 100);
            cursor_all(&w, query, &so, 8);
            t_ok(fx_search(&w.f, w.f.session, query, &so, w.n, &w.h));
            fx_same_hits(&w.h, &w.exact);
        }
        world_close(&w);
    }
}

static int bit_filter(void *user, uint64_t id) {
    const uint32_t *bits = user;
    return (int)(bits[id / 32] >> id % 32 & 1);
}

static int32_t key_filter(void *user, uint32_t slot, const uint64_t *key) {
    return slot == *key && bit_filter(user, *key);
}

/* More than are scored on true vectors at once. */
TEST(filters) {
    const uint32_t n = 2500, words = (n + 31) / 32;
    for (uint32_t codes = NIGH_CODES_U7; codes <= NIGH_CODES_B1; codes++) {
        world w;
        rng r = {t_seed()};
        nigh_config config = fx_config(16, NIGH_METRIC_COSINE, NIGH_DTYPE_F32);
        config.codes = codes;
        config.m = 8;
        world_open(&w, config, DATA_CLUSTERED, n);
        world_build(&w);
        uint32_t *bits = fx_exact(words * sizeof *bits);
        memset(bits, 0, words * sizeof *bits);
        for (uint32_t id = 0; id < n; id++) {
            bits[id / 32] |= (uint32_t)(rng_below(&r, 100) < 60) << id % 32;
        }
        for (uint32_t q = 0; q < QUERIES; q++) {
            nigh_search_options so = deep(&w), exact = fx_search_options(0, NIGH_SEARCH_EXACT);
            const int bitmap = q % 2 == 0;
            t_ok(nigh_session_filter(w.f.session, bitmap ? bits : NULL, bitmap ? n : 0,
                                     bitmap ? NULL : key_filter, bitmap ? NULL : bits));
            t_ok(fx_search(&w.f, w.f.session, query_of(&w, q), &exact, n, &w.exact));
            t_eq(w.exact.found, oracle_count(&w.o, n, bit_filter, bits));
            t_ok(fx_search(&w.f, w.f.session, query_of(&w, q), &so, 100, &w.h));
            oracle_expect(&w.o, &w.h, query_of(&w, q), 100, bit_filter, bits);
            t_assert(fx_cost(w.f.session).reranked > 1000);
            true_distances(&w, &w.h);
            so = fx_search_options(40, 0);
            t_ok(fx_search(&w.f, w.f.session, query_of(&w, q), &so, 10, &w.h));
            true_distances(&w, &w.h);
            t_eq(w.h.found, 10);
            if (bitmap) {
                so = deep(&w);
                cursor_all(&w, query_of(&w, q), &so, 500);
            }
        }
        free(bits);
        world_close(&w);
    }
}

/* ---- Sessions ------------------------------------------------------------------------------- */

/* One made before there were codes searches vectors, exactly, and cannot insert. */
TEST(old_sessions) {
    for (uint32_t codes = NIGH_CODES_U7; codes <= NIGH_CODES_B1; codes++) {
        world w;
        world_open(&w, fx_config(40, NIGH_METRIC_IP, NIGH_DTYPE_F32), DATA_UNIFORM, 200);
        fx_insert_many(&w.f, 0, w.n, w.rows);
        nigh_session *old = w.f.session;
        t_ok(fx_codes(&w.f, codes, 0, 0));
        for (uint32_t q = 0; q < QUERIES; q++) {
            nigh_search_options so = fx_search_options(30, NIGH_SEARCH_NO_CODES);
            t_ok(fx_search(&w.f, w.f.session, query_of(&w, q), &so, 10, &w.exact));
            so.flags = 0;
            t_ok(fx_search(&w.f, old, query_of(&w, q), &so, 10, &w.h));
            fx_same_hits(&w.h, &w.exact);
            t_eq(fx_cost(old).reranked, 0);
        }
        t_is(fx_insert(&w.f, old, 0, w.n, w.rows), NIGH_E_SESSION);
        t_is(fx_set(&w.f, old, 0, 3, w.rows), NIGH_E_SESSION);
        t_ok(fx_remove(&w.f, old, 3)); /* no vector, no code */
        t_ok(fx_unremove(&w.f, old, 3));
        t_ok(fx_insert(&w.f, w.f.session, 0, w.n, w.rows));
        world_close(&w);
    }
}

/* Codes of another kind, which take more room than a session was made for. */
TEST(other_codes) {
    world w;
    nigh_config config = fx_config(200, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    config.codes = NIGH_CODES_B1;
    world_open(&w, config, DATA_CLUSTERED, 100);
    world_build(&w);
    nigh_session *bits = w.f.session;
    as_exact(&w, bits, query_of(&w, 0), 1);
    nigh_session_options o = fx_session_options(64, 0, NIGH_SESSION_READ);
    nigh_session *asking = fx_session(&w.f, &o);
    nigh_search_options so = fx_search_options(0, 0);
    t_ok(nigh_cursor_begin(w.f.index, asking, query_of(&w, 0), &so));
    t_ok(fx_next(&w.f, asking, 3, &w.h));
    t_ok(fx_codes(&w.f, NIGH_CODES_NONE, 0, 0));
    t_ok(fx_codes(&w.f, NIGH_CODES_U7, 0, 0));
    t_is(fx_next(&w.f, asking, 3, &w.h), NIGH_E_INVALID); /* its query is in other codes */
    t_ok(fx_search(&w.f, bits, query_of(&w, 0), &so, 10, &w.h));
    t_eq(fx_cost(bits).reranked, 0);
    t_is(fx_insert(&w.f, bits, 0, w.n, w.rows), NIGH_E_SESSION);
    as_exact(&w, w.f.session, query_of(&w, 0), 1);
    nigh_session *bytes = w.f.session;
    t_ok(fx_codes(&w.f, NIGH_CODES_NONE, 0, 0));
    t_ok(fx_codes(&w.f, NIGH_CODES_B1, 0, 0));
    as_exact(&w, bytes, query_of(&w, 0), 1); /* it has more room than they take */
    t_ok(fx_insert(&w.f, bytes, 0, w.n, w.rows));
    world_close(&w);
}

TEST(small_sessions) {
    for (uint32_t codes = NIGH_CODES_U7; codes <= NIGH_CODES_B1; codes++) {
        world w;
        nigh_config config = fx_config(33, NIGH_METRIC_COSINE, NIGH_DTYPE_F16);
        config.codes = codes;
        world_open(&w, config, DATA_CLUSTERED, 300);
        nigh_session_options small = fx_session_options(w.n + 2, w.n + 2, NIGH_SESSION_SMALL);
        nigh_session *session = w.f.session;
        w.f.session = fx_session(&w.f, &small);
        world_build(&w);
        for (uint32_t q = 0; q < QUERIES; q++) {
            nigh_search_options so = fx_search_options(20 + q * 9, 0);
            so.expansions = 1 + q % 2;
            as_exact(&w, w.f.session, query_of(&w, q), 1 + q % 2);
            t_ok(fx_search(&w.f, w.f.session, query_of(&w, q), &so, 10, &w.h));
            t_ok(fx_search(&w.f, session, query_of(&w, q), &so, 10, &w.exact));
            fx_same_hits(&w.h, &w.exact);
        }
        world_close(&w);
    }
}

/* ---- Odd shapes and values ------------------------------------------------------------------ */

TEST(every_dim) {
    for (uint32_t dim = 1; dim <= 70; dim++) {
        uint32_t metric, dtype;
        (void)fx_pair(dim * 7 % 20, &metric, &dtype);
        for (uint32_t codes = NIGH_CODES_U7; codes <= NIGH_CODES_B1; codes++) {
            world w;
            nigh_config config = fx_config(dim, metric, dtype);
            config.codes = codes;
            world_open(&w, config, DATA_UNIFORM, 40);
            world_build(&w);
            fx_check(w.f.index, w.f.session);
            as_exact(&w, w.f.session, query_of(&w, 0), 2);
            t_ok(fx_codes(&w.f, NIGH_CODES_NONE, 0, 0));
            t_ok(fx_codes(&w.f, codes, 0, 0));
            as_exact(&w, w.f.session, query_of(&w, 1), 2);
            world_close(&w);
        }
    }
}

/* What rows hold in the extreme; the oracle computes in double, so nigh is compared with itself. */
static float extreme(uint32_t kind, uint32_t row, uint32_t at, rng *r) {
    static const float sizes[] = {1e-45f, 1e-38f, 1e-20f, 1e18f, 1e30f, 3.4e38f};
    const float x = rng_float(r);
    if (kind < 6) {
        return x == 0.0f ? sizes[kind] : x * sizes[kind];
    }
    return kind == 6   ? 3.0f                                 /* all the same vector */
           : kind == 7 ? (float)row                           /* constant vectors */
           : kind == 8 ? (at == row % 5 ? 1e20f : x * 1e-20f) /* both sizes */
           : kind == 9 ? (at == 0 ? 1.0f : 0.0f)              /* one element */
                       : (x > 0 ? 1.0f : -1.0f);              /* two values */
}

TEST(extremes) {
    enum { N = 60, DIM = 23, EXTREMES = 11 };
    for (uint32_t i = 0; i < EXTREMES * 8; i++) {
        world w;
        rng r = {t_seed() + i};
        const uint32_t kind = i / 8;
        nigh_config config = fx_config(DIM, NIGH_METRIC_L2 + i % 4, NIGH_DTYPE_F32);
        config.codes = NIGH_CODES_U7 + i / 4 % 2;
        float *rows = fx_malloc((uint64_t)(N + QUERIES) * DIM * sizeof *rows);
        for (uint32_t at = 0; at < (N + QUERIES) * DIM; at++) {
            rows[at] = extreme(kind, 1 + at / DIM, at % DIM, &r);
        }
        world_rows(&w, config, (uint8_t *)rows, N);
        world_build(&w);
        fx_check(w.f.index, w.f.session);
        for (uint32_t q = 0; q < 3; q++) {
            nigh_search_options so = fx_search_options(N, NIGH_SEARCH_EXACT);
            t_ok(fx_search(&w.f, w.f.session, query_of(&w, q), &so, N, &w.exact));
            t_eq(w.exact.found, N);
            so = deep(&w);
            t_ok(fx_search(&w.f, w.f.session, query_of(&w, q), &so, N, &w.h));
            fx_same_hits(&w.h, &w.exact);
            so = fx_search_options(12, 0);
            t_ok(fx_search(&w.f, w.f.session, query_of(&w, q), &so, 10, &w.h));
            true_distances(&w, &w.h);
            t_eq(w.h.found, 10);
        }
        world_close(&w);
    }
}

/* On data that it is made for, u7 loses next to nothing even with a shallow rerank. */
TEST(recall) {
    static const uint32_t floors[] = {99, 90}; /* per cent */
    for (uint32_t codes = NIGH_CODES_U7; codes <= NIGH_CODES_B1; codes++) {
        for (uint32_t metric = NIGH_METRIC_L2; metric <= NIGH_METRIC_L1; metric++) {
            const uint32_t n = t_small() ? 400 : 2000;
            uint32_t hits = 0;
            world w;
            nigh_config config = fx_config(128, metric, NIGH_DTYPE_F32);
            config.codes = codes;
            config.ef_build = 100;
            world_open(&w, config, DATA_CLUSTERED, n);
            world_build(&w);
            for (uint32_t q = 0; q < QUERIES; q++) {
                nigh_search_options so = fx_search_options(200, 0);
                so.rerank = codes == NIGH_CODES_B1 ? 200 : 0;
                t_ok(fx_search(&w.f, w.f.session, query_of(&w, q), &so, 10, &w.h));
                hits += oracle_recall(&w.o, &w.h, query_of(&w, q), 10, NULL, NULL);
            }
            if (hits * 100 < floors[codes - 1] * 10 * QUERIES) {
                t_failf("codes %u, metric %u: %u of %d", codes, metric, hits, 10 * QUERIES);
            }
            world_close(&w);
        }
    }
}

/* ---- By codes alone ------------------------------------------------------------------------- */

enum { ALONE_DIM = 21 };

/* Whole numbers -63..63: with the span of that they are their codes. */
static float *whole_rows(uint32_t n) {
    rng r = {t_seed()};
    float *rows = fx_malloc((uint64_t)n * ALONE_DIM * sizeof(float));
    for (uint32_t i = 0; i < n * ALONE_DIM; i++) {
        rows[i] = (float)((int32_t)rng_below(&r, 127) - 63);
    }
    return rows;
}

static void code_of(const float *row, uint8_t *code) {
    for (uint32_t i = 0; i < ALONE_DIM; i++) {
        code[i] = (uint8_t)((int32_t)row[i] + 64);
    }
}

/* The hits of `exact`, at the distances of codes: IP has no 1 there. */
static void as_codes(fx_hits *exact, uint32_t metric) {
    for (uint32_t i = 0; metric == NIGH_METRIC_IP && i < exact->found; i++) {
        exact->distances[i] -= 1.0f;
    }
}

/* What is wrong to ask for. */
static void alone_refused(world *w, const uint8_t *code) {
    uint8_t bad[ALONE_DIM] = {0};
    nigh_search_options so = fx_search_options(20, NIGH_SEARCH_CODES | NIGH_SEARCH_NO_CODES);
    t_is(fx_search(&w->f, w->f.session, code, &so, 5, &w->h), NIGH_E_INVALID);
    so.flags = NIGH_SEARCH_CODES;
    t_is(fx_search(&w->f, w->f.session, bad, &so, 5, &w->h), NIGH_E_VECTOR);
    memset(bad, 128, sizeof bad);
    t_is(fx_search(&w->f, w->f.session, bad, &so, 5, &w->h), NIGH_E_VECTOR);
}

TEST(codes_alone) {
    for (uint32_t metric = NIGH_METRIC_L2; metric <= NIGH_METRIC_L1; metric++) {
        world w;
        nigh_config config = fx_config(ALONE_DIM, metric, NIGH_DTYPE_F32);
        if (metric == NIGH_METRIC_COSINE) {
            continue; /* codes are those of unit vectors */
        }
        config.codes = NIGH_CODES_U7;
        config.code_min = -63.0f;
        config.code_max = 63.0f;
        world_rows(&w, config, (uint8_t *)whole_rows(200 + QUERIES), 200);
        world_build(&w);
        const fx_bytes image = fx_save(w.f.index, NIGH_SAVE_GRAPH_ONLY);
        fx bare; /* has no vectors */
        t_ok(fx_attach(&bare, image.data, image.size, 0, 0, 200));
        for (uint32_t q = 0; q < QUERIES; q++) {
            uint8_t code[ALONE_DIM];
            code_of((const float *)(const void *)query_of(&w, q), code);
            nigh_search_options all = fx_search_options(w.n, NIGH_SEARCH_EXACT);
            t_ok(fx_search(&w.f, w.f.session, query_of(&w, q), &all, w.n, &w.exact));
            as_codes(&w.exact, metric);
            nigh_search_options so = fx_search_options(w.n, NIGH_SEARCH_CODES);
            for (uint32_t exact = 0; exact < 2; exact++) {
                so.flags |= exact != 0 ? NIGH_SEARCH_EXACT : 0;
                t_ok(fx_search(&w.f, w.f.session, code, &so, w.n, &w.h));
                fx_same_hits(&w.h, &w.exact);
                t_eq(fx_cost(w.f.session).reranked, 0);
                t_ok(fx_search(&bare, bare.session, code, &so, w.n, &w.h));
                fx_same_hits(&w.h, &w.exact);
            }
            so.flags = NIGH_SEARCH_CODES | NIGH_SEARCH_RADIUS;
            so.radius = w.exact.distances[30];
            t_ok(fx_search(&w.f, w.f.session, code, &so, w.n, &w.h));
            t_assert(w.h.found > 30 && w.h.distances[w.h.found - 1] == so.radius);
            so.flags = 0;
            t_is(fx_search(&bare, bare.session, query_of(&w, q), &so, 5, &w.h),
                 NIGH_E_NO_VECTORS);
            alone_refused(&w, code);
        }
        fx_drop(&bare);
        free(image.data);
        world_close(&w);
    }
}

SUITE {
    RUN(every_pair);
    RUN(made_and_dropped);
    RUN(links_of_a_draft);
    RUN(no_codes);
    RUN(links_on_codes);
    RUN(cursor);
    RUN(filters);
    RUN(old_sessions);
    RUN(other_codes);
    RUN(small_sessions);
    RUN(every_dim);
    RUN(extremes);
    RUN(recall);
    RUN(codes_alone);
}
