/* test_batch.c - batches answer what single searches answer, bit for bit; tuning changes nothing
 * layer T; uses: data, fixture, jobs
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <math.h>

#include "data.h"
#include "fixture.h"
#include "jobs.h"
#include "t.h"

enum { N = 300, DIM = 12, KEY_MAX = 24, QUERIES = 17, K_MAX = 20, EF = 1300, LANES = 4 };
enum { OWNED, BORROWED, FETCHED, SOURCES };

typedef struct scene {
    fx f;
    uint8_t *rows; /* N + QUERIES */
    uint32_t bits[(N + 31) / 32];
    int64_t calls_left; /* the fetch that finds 0 fails; negative: never */
} scene;

/* What a batch, or a row of single searches, said. */
typedef struct answer {
    uint8_t keys[QUERIES * K_MAX * KEY_MAX];
    uint32_t lengths[QUERIES * K_MAX];
    float distances[QUERIES * K_MAX];
    uint32_t slots[QUERIES * K_MAX];
    uint32_t found[QUERIES];
    uint32_t done;
    nigh_status status;
    nigh_session_stats cost;
} answer;

static nigh_status fetch(void *user, const uint32_t *slots, const uint64_t *keys, uint32_t count,
                         void *scratch, const void **vectors) {
    scene *s = user;
    (void)keys;
    if (s->calls_left == 0) {
        s->calls_left = -1;
        return NIGH_E_USER - 3;
    }
    s->calls_left -= s->calls_left > 0;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *to = (uint8_t *)scratch + i * s->f.row_bytes;
        memcpy(to, s->rows + slots[i] * s->f.row_bytes, (size_t)s->f.row_bytes);
        vectors[i] = to;
    }
    return NIGH_OK;
}

static void scene_open(scene *s, nigh_config config, int source, uint32_t count, uint32_t removed,
                       uint64_t seed) {
    rng r = {seed};
    memset(s, 0, sizeof *s);
    s->calls_left = -1;
    config.vectors = source == OWNED ? NIGH_VECTORS_OWNED : NIGH_VECTORS_EXTERNAL;
    config.key_bytes_max = KEY_MAX;
    fx_init(&s->f, &config, N, N, (uint64_t)N * KEY_MAX, EF);
    s->rows = data_rows(&r, (int)seed % DATA_COUNT, config.dtype, N + QUERIES, config.dim);
    if (source == BORROWED) {
        const uint32_t trailer = config.dtype == NIGH_DTYPE_I8 ? (uint32_t)s->f.row_bytes - 8 : 0;
        t_ok(nigh_index_borrow(s->f.index, s->rows, s->f.row_bytes, N, trailer));
    } else if (source == FETCHED) {
        t_ok(nigh_index_fetch(s->f.index, fetch, NULL, s));
    }
    for (uint32_t id = 0; id < count; id++) {
        const uint8_t *row = source == OWNED ? s->rows + id * s->f.row_bytes : NULL;
        t_ok(fx_insert(&s->f, s->f.session, 0, id, row));
    }
    for (uint32_t id = 0; removed != 0 && id < count; id += removed) {
        t_ok(fx_remove(&s->f, s->f.session, id));
    }
    for (uint32_t slot = 0; slot < N; slot++) {
        s->bits[slot / 32] |= (uint32_t)(rng_below(&r, 3) == 0) << slot % 32;
    }
}

static void scene_close(scene *s) {
    fx_drop(&s->f);
    free(s->rows);
}

static nigh_config config_at(uint32_t i) {
    nigh_config config = fx_config_at(i, DIM);
    config.m = 3 + i % 7;
    config.block_bytes = i % 2 == 0 ? 0 : 512;
    config.codes = config.dtype == NIGH_DTYPE_B1 || i % 4 == 0 ? 0 : NIGH_CODES_U7;
    fx_config_span(&config);
    return config;
}

static nigh_session *session_of(scene *s, uint32_t lanes, uint32_t flags) {
    nigh_session_options so = fx_session_options(EF, flags != 0 ? 4 * N : 0, flags);
    so.lanes = lanes;
    return fx_session(&s->f, &so);
}

static answer *ask_batch(scene *s, nigh_session *session, const uint8_t *queries, uint32_t count,
                         const nigh_search_options *so, uint32_t k) {
    answer *a = fx_malloc(sizeof *a);
    uint32_t *lengths = s->f.config.keys == NIGH_KEYS_BYTES ? a->lengths : NULL;
    a->done = 77;
    a->status = nigh_search_batch(s->f.index, session, queries, count, so, k, a->keys, lengths,
                                  a->distances, a->slots, a->found, &a->done);
    a->cost = fx_cost(session);
    return a;
}

static answer *ask_single(scene *s, nigh_session *session, const uint8_t *queries, uint32_t count,
                          const nigh_search_options *so, uint32_t k) {
    answer *a = fx_malloc(sizeof *a);
    const int strings = s->f.config.keys == NIGH_KEYS_BYTES;
    const size_t width = strings ? KEY_MAX : 8;
    for (a->done = 0; a->done < count && a->status == NIGH_OK; a->done++) {
        const size_t at = (size_t)a->done * k;
        a->status = nigh_search(s->f.index, session, queries + a->done * s->f.row_bytes, so, k,
                                a->keys + at * width, strings ? a->lengths + at : NULL,
                                a->distances + at, a->slots + at, &a->found[a->done]);
        const nigh_session_stats one = fx_cost(session);
        a->cost.distances += one.distances;
        a->cost.expansions += one.expansions;
        a->cost.fetches += one.fetches;
        a->cost.truncated |= one.truncated;
        a->cost.scanned |= one.scanned;
        a->cost.reranked += one.reranked;
        if (a->status != NIGH_OK) {
            break;
        }
    }
    return a;
}

static void same(const scene *s, const answer *a, const answer *b, uint32_t k) {
    const int strings = s->f.config.keys == NIGH_KEYS_BYTES;
    const size_t width = strings ? KEY_MAX : 8;
    t_eq(a->status, b->status);
    t_eq(a->done, b->done);
    for (uint32_t q = 0; q < a->done; q++) {
        const size_t at = (size_t)q * k;
        size_t bytes = a->found[q] * width;
        t_eq(a->found[q], b->found[q]);
        if (strings) {
            t_bytes(a->lengths + at, b->lengths + at, a->found[q] * 4);
            bytes = 0;
            for (uint32_t i = 0; i < a->found[q]; i++) {
                bytes += a->lengths[at + i];
            }
        }
        t_bytes(a->keys + at * width, b->keys + at * width, bytes);
        t_bytes(a->distances + at, b->distances + at, a->found[q] * 4);
        t_bytes(a->slots + at, b->slots + at, a->found[q] * 4);
    }
    if (a->status == NIGH_OK) {
        t_eq(a->cost.distances, b->cost.distances);
        t_eq(a->cost.expansions, b->cost.expansions);
        t_eq(a->cost.fetches, b->cost.fetches);
        t_eq(a->cost.truncated, b->cost.truncated);
        t_eq(a->cost.scanned, b->cost.scanned);
        t_eq(a->cost.reranked, b->cost.reranked);
    }
}

static int32_t odd(void *user, uint32_t slot, const uint64_t *key) {
    (void)user;
    (void)key;
    return (int32_t)(slot % 2);
}

enum {
    PLAIN,
    WIDE,
    HEAPS,
    EXACT,
    RADIUS,
    GAMMA,
    BUDGET,
    NO_CODES,
    RERANK,
    ONE,
    EIGHT,
    FILTER_BITS,
    FILTER_FN,
    HOWS
};

static nigh_search_options options_of(scene *s, nigh_session **sessions, uint32_t count, int how) {
    nigh_search_options so = fx_search_options(K_MAX + 10, 0);
    so.ef = how == WIDE ? N : how == HEAPS ? 1025 + 200 : so.ef;
    so.flags = how == EXACT      ? NIGH_SEARCH_EXACT
               : how == RADIUS   ? NIGH_SEARCH_RADIUS
               : how == NO_CODES ? NIGH_SEARCH_NO_CODES
                                 : 0;
    so.radius = how == RADIUS ? 1.5f : 0;
    so.gamma = how == GAMMA ? 0.1f : 0;
    so.expansions_max = how == BUDGET ? 5 : 0;
    so.rerank = how == RERANK ? 25 : 0;
    so.expansions = how == ONE ? 1 : how == EIGHT ? 8 : 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t *bits = how == FILTER_BITS ? s->bits : NULL;
        t_ok(nigh_session_filter(sessions[i], bits, bits != NULL ? N : 0,
                                 how == FILTER_FN ? odd : NULL, NULL));
    }
    return so;
}

TEST(as_single_searches) {
    for (uint32_t i = 0; i < 24; i++) {
        for (uint32_t removed = 0; removed < 6; removed += 5) {
            scene s;
            nigh_session *sessions[LANES + 3];
            scene_open(&s, config_at(i), (int)(i / 2) % SOURCES, N, removed, t_seed() + i);
            for (uint32_t lanes = 1; lanes <= LANES; lanes++) {
                sessions[lanes] = session_of(&s, lanes, lanes % 2 != 0 ? NIGH_SESSION_READ : 0);
            }
            sessions[0] = session_of(&s, 0, 0);
            sessions[LANES + 1] = session_of(&s, 3, NIGH_SESSION_SMALL);
            sessions[LANES + 2] = session_of(&s, 1, NIGH_SESSION_SMALL);
            for (int how = 0; how < HOWS; how++) {
                nigh_search_options so = options_of(&s, sessions, LANES + 3, how);
                const uint32_t k = 1 + (i * 7 + (uint32_t)how * 3) % K_MAX;
                const uint32_t small = how == EIGHT ? 0 : 1; /* it has no room for eight */
                for (uint32_t lanes = 1; lanes <= LANES + small; lanes++) {
                    const uint32_t count = (lanes * 5 + i + (uint32_t)how) % (QUERIES + 1);
                    const uint8_t *queries = s.rows + (N - i) * s.f.row_bytes;
                    nigh_session *alike = sessions[lanes > LANES ? LANES + 2 : 0];
                    answer *want = ask_single(&s, alike, queries, count, &so, k);
                    answer *got = ask_batch(&s, sessions[lanes], queries, count, &so, k);
                    t_ok(want->status);
                    same(&s, got, want, k);
                    free(want);
                    free(got);
                }
            }
            scene_close(&s);
        }
    }
}

/* Outputs that are not wanted, no options, no queries, no index to speak of. */
TEST(what_may_be_missing) {
    for (uint32_t count = 0; count < 3; count++) {
        scene s;
        uint32_t found[QUERIES], done = 77;
        float distances[QUERIES];
        scene_open(&s, config_at(1), OWNED, count, 0, t_seed());
        nigh_session *session = session_of(&s, 3, 0);
        memset(found, 0xff, sizeof found);
        t_ok(nigh_search_batch(s.f.index, session, s.rows, QUERIES, NULL, 1, NULL, NULL, NULL, NULL,
                               found, &done));
        t_eq(done, QUERIES);
        for (uint32_t q = 0; q < QUERIES; q++) {
            t_eq(found[q], count > 0);
        }
        t_ok(nigh_search_batch(s.f.index, session, s.rows, QUERIES, NULL, 1, NULL, NULL, distances,
                               NULL, found, &done));
        t_ok(nigh_search_batch(s.f.index, session, NULL, 0, NULL, 1, NULL, NULL, NULL, NULL, found,
                               &done));
        t_eq(done, 0);
        t_is(nigh_search_batch(s.f.index, session, NULL, 1, NULL, 1, NULL, NULL, NULL, NULL, found,
                               &done),
             NIGH_E_INVALID);
        t_is(nigh_search_batch(s.f.index, session, s.rows, 1, NULL, 0, NULL, NULL, NULL, NULL,
                               found, &done),
             NIGH_E_INVALID);
        t_is(nigh_search_batch(s.f.index, session, s.rows, 1, NULL, 1, NULL, NULL, NULL, NULL, NULL,
                               &done),
             NIGH_E_INVALID);
        t_is(nigh_search_batch(s.f.index, session, s.rows, 1, NULL, 1, NULL, NULL, NULL, NULL,
                               found, NULL),
             NIGH_E_INVALID);
        t_is(nigh_search_batch(s.f.index, session, s.rows, 1, NULL, EF + 1, NULL, NULL, NULL, NULL,
                               found, &done),
             NIGH_E_SESSION);
        t_eq(done, 0);
        scene_close(&s);
    }
}

/* Those before a bad query are answered, whichever lane has it; none of it is the session's end. */
TEST(bad_queries) {
    for (uint32_t at = 0; at < QUERIES; at++) {
        for (uint32_t lanes = 1; lanes <= LANES; lanes++) {
            scene s;
            nigh_config config = config_at(at * 3 % 2 * 4);
            config.metric = NIGH_METRIC_L2;
            config.dtype = NIGH_DTYPE_F32;
            config.keys = at % 3;
            config.code_max = config.code_max > 2 ? 2 : config.code_max;
            scene_open(&s, config, OWNED, N, 0, t_seed());
            nigh_session *session = session_of(&s, lanes, 0);
            nigh_search_options so = fx_search_options(30, 0);
            uint8_t *queries = s.rows + N * s.f.row_bytes;
            const float bad = at % 2 == 0 ? NAN : INFINITY;
            for (uint32_t q = at; q < QUERIES; q += 1 + at % 4) { /* several of them */
                memcpy(queries + q * s.f.row_bytes + 4, &bad, sizeof bad);
            }
            answer *want = ask_single(&s, s.f.session, queries, QUERIES, &so, 5);
            answer *got = ask_batch(&s, session, queries, QUERIES, &so, 5);
            t_is(got->status, NIGH_E_VECTOR);
            t_eq(got->done, at);
            same(&s, got, want, 5);
            free(want);
            free(got);
            want = ask_single(&s, s.f.session, s.rows, QUERIES, &so, 5);
            got = ask_batch(&s, session, s.rows, QUERIES, &so, 5);
            t_eq(got->done, QUERIES);
            same(&s, got, want, 5);
            free(want);
            free(got);
            scene_close(&s);
        }
    }
}

/* A callback that fails ends the batch with what it said; those that are done are right. */
TEST(failing_fetch) {
    for (uint32_t i = 0; i < 4; i++) {
        scene s;
        scene_open(&s, config_at(i), FETCHED, N, 0, t_seed());
        nigh_session *session = session_of(&s, 1 + i, 0);
        nigh_search_options so = fx_search_options(30, 0);
        const uint8_t *queries = s.rows + N * s.f.row_bytes;
        answer *want = ask_single(&s, s.f.session, queries, QUERIES, &so, 5);
        for (int64_t calls = 0;; calls += 1 + calls / 9) {
            s.calls_left = calls;
            answer *got = ask_batch(&s, session, queries, QUERIES, &so, 5);
            const int failed = s.calls_left < 0;
            s.calls_left = -1;
            t_is(got->status, failed ? NIGH_E_USER - 3 : NIGH_OK);
            t_assert(failed ? got->done < QUERIES : got->done == QUERIES);
            want->done = got->done;
            want->status = got->status;
            same(&s, got, want, 5);
            free(got);
            if (!failed) {
                break;
            }
        }
        free(want);
        scene_close(&s);
    }
}

/* ---- Memory --------------------------------------------------------------------------------- */

TEST(memory) {
    scene s;
    nigh_session *session = NULL;
    uint64_t before = 0, bytes = 0;
    scene_open(&s, config_at(1), OWNED, N, 0, t_seed());
    for (uint32_t flags = 0; flags < 4; flags++) {
        before = 0;
        for (uint32_t lanes = 1; lanes <= LANES; lanes++) {
            nigh_session_options so = fx_session_options(100, 0, flags);
            so.lanes = lanes;
            t_ok(nigh_session_bytes(s.f.index, &so, &bytes));
            t_assert(bytes > before);
            before = bytes;
            uint8_t *memory = fx_take(&s.f, bytes + 64);
            t_is(nigh_session_init(s.f.index, &so, memory, bytes - 1, &session), NIGH_E_MEMORY);
            t_is(nigh_session_init(s.f.index, &so, memory + 32, bytes, &session), NIGH_E_MEMORY);
            t_assert(session == NULL);
            t_ok(nigh_session_init(s.f.index, &so, fx_take(&s.f, bytes), bytes, &session));
            nigh_search_options search = fx_search_options(100, 0);
            answer *want = ask_single(&s, s.f.session, s.rows, QUERIES, &search, 9);
            answer *got = ask_batch(&s, session, s.rows, QUERIES, &search, 9);
            same(&s, got, want, 9);
            free(want);
            free(got);
            session = NULL;
        }
    }
    nigh_session_options so = fx_session_options(100, 0, 0);
    t_ok(nigh_session_bytes(s.f.index, &so, &before));
    so.lanes = 1;
    t_ok(nigh_session_bytes(s.f.index, &so, &bytes));
    t_eq(bytes, before); /* 0 is 1 */
    so.lanes = LANES + 1;
    t_is(nigh_session_bytes(s.f.index, &so, &bytes), NIGH_E_INVALID);
    so.lanes = UINT32_MAX;
    t_is(nigh_session_bytes(s.f.index, &so, &bytes), NIGH_E_INVALID);
    scene_close(&s);
}

/* ---- Tuning --------------------------------------------------------------------------------- */

typedef struct clock_state {
    uint64_t now;
    uint64_t step;
    rng r;
    uint32_t calls;
} clock_state;

static uint64_t clock_of(void *user) {
    clock_state *c = user;
    c->calls++;
    c->now += c->step == 0 ? 0 : rng_next(&c->r) % c->step;
    return c->now;
}

/* Whatever a clock says, the answers stay what they are. */
TEST(tuning_changes_nothing) {
    static const uint64_t steps[] = {0, 1, 1000, UINT64_MAX};
    for (uint32_t i = 0; i < 18; i++) {
        scene s;
        scene_open(&s, config_at(i), (int)i % SOURCES, N, i % 4 == 3 ? 3 : 0, t_seed() + i);
        nigh_session *session = session_of(&s, 1 + i % LANES, 0);
        nigh_search_options so = fx_search_options(40, 0);
        const uint8_t *queries = s.rows + N * s.f.row_bytes;
        answer *want = ask_single(&s, s.f.session, queries, QUERIES, &so, 7);
        fx_bytes before = fx_save(s.f.index, 0);
        for (uint32_t at = 0; at < 8; at++) {
            clock_state c = {UINT64_MAX / 3, steps[at % 4], {at + i * 100}, 0};
            t_ok(nigh_tune(s.f.index, session, clock_of, &c));
            t_assert(c.calls > 10);
            answer *single = ask_single(&s, s.f.session, queries, QUERIES, &so, 7);
            answer *got = ask_batch(&s, session, queries, QUERIES, &so, 7);
            same(&s, single, want, 7);
            same(&s, got, want, 7);
            free(single);
            free(got);
        }
        fx_bytes after = fx_save(s.f.index, 0);
        t_eq(before.size, after.size);
        t_bytes(before.data, after.data, before.size);
        free(before.data);
        free(after.data);
        free(want);
        scene_close(&s);
    }
}

TEST(tuning_of_odd_indexes) {
    for (uint32_t count = 0; count < 12; count++) {
        for (int source = OWNED; source < SOURCES; source++) {
            scene s;
            clock_state c = {0, 100, {count}, 0};
            scene_open(&s, config_at(1), source, count, count % 3, t_seed());
            nigh_session *session = session_of(&s, 2, 0);
            t_ok(nigh_tune(s.f.index, session, clock_of, &c));
            for (uint32_t id = 0; id < count; id++) { /* nothing but tombstones, then none */
                (void)fx_remove(&s.f, s.f.session, id);
            }
            t_ok(nigh_tune(s.f.index, session, clock_of, &c));
            t_ok(fx_work(&s.f, NIGH_JOB_VACUUM, 1, 1));
            t_ok(nigh_tune(s.f.index, session, clock_of, &c));
            scene_close(&s);
        }
    }
    scene s;
    clock_state c = {0, 100, {1}, 0};
    scene_open(&s, config_at(4), FETCHED, N, 0, t_seed());
    t_is(nigh_tune(NULL, s.f.session, clock_of, &c), NIGH_E_INVALID);
    t_is(nigh_tune(s.f.index, NULL, clock_of, &c), NIGH_E_INVALID);
    t_is(nigh_tune(s.f.index, s.f.session, NULL, &c), NIGH_E_INVALID);
    nigh_session_options narrow = fx_session_options(63, 0, NIGH_SESSION_READ);
    t_is(nigh_tune(s.f.index, fx_session(&s.f, &narrow), clock_of, &c), NIGH_E_SESSION);
    narrow.ef_max = 64;
    narrow.flags |= NIGH_SESSION_SMALL;
    t_ok(nigh_tune(s.f.index, fx_session(&s.f, &narrow), clock_of, &c));
    s.calls_left = 200;
    t_is(nigh_tune(s.f.index, s.f.session, clock_of, &c), NIGH_E_USER - 3);
    fx_bytes image = fx_save(s.f.index, 0);
    fx g;
    t_ok(fx_attach(&g, image.data, image.size, 0, 0, 100));
    t_is(nigh_tune(g.index, g.session, clock_of, &c), NIGH_E_NO_VECTORS);
    fx_drop(&g);
    free(image.data);
    scene_close(&s);
}

/* A filter is the user's: tuning neither needs nor loses it. */
TEST(tuning_beside_a_filter) {
    scene s;
    clock_state c = {0, 100, {1}, 0};
    scene_open(&s, config_at(1), OWNED, N, 0, t_seed());
    nigh_session *sessions[1] = {session_of(&s, 2, 0)};
    nigh_search_options so = options_of(&s, sessions, 1, FILTER_BITS);
    answer *want = ask_batch(&s, sessions[0], s.rows, QUERIES, &so, 5);
    t_ok(nigh_tune(s.f.index, sessions[0], clock_of, &c));
    answer *got = ask_batch(&s, sessions[0], s.rows, QUERIES, &so, 5);
    same(&s, got, want, 5);
    free(want);
    free(got);
    scene_close(&s);
}

SUITE {
    RUN(as_single_searches);
    RUN(what_may_be_missing);
    RUN(bad_queries);
    RUN(failing_fetch);
    RUN(memory);
    RUN(tuning_changes_nothing);
    RUN(tuning_of_odd_indexes);
    RUN(tuning_beside_a_filter);
}
