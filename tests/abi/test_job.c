/* test_job.c - bulk builds: one set of bytes whoever runs the tasks, and the rules of nigh_insert
 * layer T; uses: data, fixture, jobs, oracle
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "data.h"
#include "fixture.h"
#include "jobs.h"
#include "oracle.h"
#include "t.h"

enum { N = 400, DIM = 12, KEY_MAX = 24 };
enum { OWNED, BORROWED, FETCHED, SOURCES };

typedef struct scene {
    fx f;
    uint8_t *rows; /* N + 50; not the scene's */
    int source;
    int64_t calls_left; /* the fetch that finds 0 fails; negative: never */
    uint32_t failures;
    nigh_session *sessions[4];
} scene;

static nigh_status fetch(void *user, const uint32_t *slots, const uint64_t *keys, uint32_t count,
                         void *scratch, const void **vectors) {
    scene *s = user;
    const int fail = s->calls_left == 0;
    s->calls_left -= s->calls_left >= 0;
    if (fail) {
        s->failures++;
        return NIGH_E_USER - 5;
    }
    t_assert((keys == NULL) == (s->f.config.keys == NIGH_KEYS_BYTES));
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *to = (uint8_t *)scratch + i * s->f.row_bytes;
        t_assert(keys == NULL || keys[i] == slots[i]);
        memcpy(to, s->rows + slots[i] * s->f.row_bytes, (size_t)s->f.row_bytes);
        vectors[i] = to;
    }
    return NIGH_OK;
}

static void scene_open(scene *s, nigh_config config, int source, uint8_t *rows, uint32_t slots) {
    memset(s, 0, sizeof *s);
    config.vectors = source == OWNED ? NIGH_VECTORS_OWNED : NIGH_VECTORS_EXTERNAL;
    config.key_bytes_max = KEY_MAX;
    s->rows = rows;
    s->source = source;
    s->calls_left = -1;
    fx_init(&s->f, &config, N + 50, slots, (uint64_t)slots * KEY_MAX, N + 50);
    if (source == BORROWED) {
        const uint32_t trailer = config.dtype == NIGH_DTYPE_I8 ? (uint32_t)s->f.row_bytes - 8 : 0;
        t_ok(nigh_index_borrow(s->f.index, rows, s->f.row_bytes, N + 50, trailer));
    } else if (source == FETCHED) {
        t_ok(nigh_index_fetch(s->f.index, fetch, NULL, s));
    }
    nigh_session_options o = fx_session_options(0, 0, 0);
    for (int i = 0; i < 4; i++) { /* of different sizes: no byte may depend on that */
        o.ef_max = config.ef_build + 40 * (uint32_t)i;
        o.flags = i == 3 ? NIGH_SESSION_SMALL : 0;
        o.frontier_max = i == 3 ? 4 * N : 0;
        s->sessions[i] = fx_session(&s->f, &o);
    }
}

static const void *row_of(const scene *s, uint32_t i) {
    return s->source == OWNED ? s->rows + i * s->f.row_bytes : NULL;
}

static nigh_status begin(scene *s, uint32_t first, uint32_t count, nigh_job **job) {
    const nigh_job_options o = fx_job_options(NIGH_JOB_BUILD);
    fx_keys keys = fx_keys_from(&s->f.config, first, count);
    fx_bytes kept = {fx_take(&s->f, (uint64_t)count * 512 + 1), 0, 0}; /* they outlive the call */
    memcpy(kept.data, keys.bytes, (size_t)count * 512);
    uint32_t *lengths = NULL;
    if (keys.lengths != NULL) {
        lengths = fx_take(&s->f, (uint64_t)count * 4 + 1);
        memcpy(lengths, keys.lengths, (size_t)count * 4);
    }
    const fx_keys given = {kept.data, lengths, count};
    nigh_status status = fx_job_begin(&s->f, &o, &given, row_of(s, first), count, job);
    fx_keys_drop(&keys);
    return status;
}

/* What was there before: inserts, some removed again. */
static void before(scene *s, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        t_ok(fx_insert(&s->f, s->f.session, 0, i, row_of(s, i)));
    }
    for (uint32_t i = 3; i < count; i += 9) {
        t_ok(fx_remove(&s->f, s->f.session, i));
    }
}

static void build_with(scene *s, uint32_t first, uint32_t count, uint32_t sessions, uint64_t seed) {
    nigh_job *job = NULL;
    nigh_progress progress;
    t_ok(begin(s, first, count, &job));
    t_ok(fx_job_finish(job, s->sessions, sessions, seed, &progress));
    t_eq(progress.done, count);
    t_eq(progress.total, count);
    fx_check(s->f.index, s->sessions[0]);
}

static nigh_config config_at(uint32_t i) {
    nigh_config config = fx_config_at(i, DIM);
    config.m = 2 + i % 7;
    config.m0 = i % 4 == 0 ? (config.m > 4 ? config.m : 4) : 0;
    config.expansions = 1 + i % 2;
    config.block_bytes = i % 2 == 0 ? 0 : 512;
    config.build_flags = i % 5 == 4 ? NIGH_BUILD_KEEP_PRUNED : 0;
    config.alpha = i % 4 == 1 ? 1.2f : 0;
    config.codes = config.dtype == NIGH_DTYPE_B1 ? 0 : i % 3;
    return config;
}

TEST(one_set_of_bytes) {
    for (uint32_t i = 0; i < 24; i++) {
        rng r = {t_seed() + i};
        const nigh_config config = config_at(i);
        const uint32_t first = i % 2 == 0 ? 0 : 90, count = N - first;
        uint8_t *rows = data_rows(&r, (int)(i / 3) % DATA_COUNT, config.dtype, N + 50, config.dim);
        fx_bytes want = {NULL, 0, 0};
        for (int source = OWNED; source < SOURCES; source++) {
            for (uint32_t sessions = 1; sessions <= 4; sessions += 1 + sessions / 2) {
                scene s;
                scene_open(&s, config, source, rows, N);
                before(&s, first);
                build_with(&s, first, count, sessions, rng_next(&r));
                fx_same_as_first(&want, fx_save(s.f.index, NIGH_SAVE_GRAPH_ONLY));
                fx_drop(&s.f);
            }
        }
        free(want.data);
        free(rows);
    }
}

/* Every key with its vector, found by it, and everything else as an index of inserts has it. */
static void complete(scene *s, const oracle *o, uint32_t n) {
    fx_hits h;
    nigh_search_options so = fx_search_options(n, 0);
    so.rerank = n;
    fx_hits_init(&h, &s->f.config, n);
    oracle_same_set(o, &s->f);
    for (uint32_t q = 0; q < 5; q++) {
        const uint8_t *query = s->rows + q * 71 % n * s->f.row_bytes;
        t_ok(fx_search(&s->f, s->f.session, query, &so, n, &h));
        oracle_expect(o, &h, query, n, NULL, NULL);
    }
    fx_hits_drop(&h);
}

TEST(everything_is_found) {
    for (uint32_t i = 0; i < 21; i++) {
        scene s;
        oracle o;
        rng r = {t_seed() + i};
        nigh_config config = config_at(i);
        if (i % 2 == 0) {
            config.m = 2; /* the fewest links that there may be */
            config.m0 = 4;
        }
        uint8_t *rows = data_rows(&r, (int)i % DATA_COUNT, config.dtype, N + 50, config.dim);
        scene_open(&s, config, OWNED, rows, N + 50);
        oracle_init(&o, &s.f.config, N + 50);
        before(&s, i % 3 * 40);
        build_with(&s, i % 3 * 40, N - i % 3 * 40, 4, i);
        for (uint32_t id = 0; id < N; id++) {
            oracle_put(&o, id, rows + id * s.f.row_bytes);
            if (id < i % 3 * 40 && id % 9 == 3) {
                oracle_mark(&o, id, ORACLE_DELETED);
            }
        }
        complete(&s, &o, N);
        for (uint32_t id = N; id < N + 50; id++) { /* single inserts go on from there */
            t_ok(fx_insert(&s.f, s.f.session, 0, id, rows + id * s.f.row_bytes));
            oracle_put(&o, id, rows + id * s.f.row_bytes);
        }
        complete(&s, &o, N + 50);
        fx_check(s.f.index, s.f.session);
        oracle_drop(&o);
        free(rows);
        fx_drop(&s.f);
    }
}

/* ---- The rules of nigh_insert --------------------------------------------------------------- */

enum { BAD_VECTOR, BAD_DUPLICATE, BAD_KNOWN, BAD_REMOVED, BAD_KEY, BAD_FULL, BADS };
static const nigh_status told[BADS] = {NIGH_E_VECTOR,  NIGH_E_EXISTS, NIGH_E_EXISTS,
                                       NIGH_E_DELETED, NIGH_E_KEY,    NIGH_E_FULL};

/* A build of ids 60 ... N - 1 on top of 0 ... 59, of which item `at` is bad; nigh_insert beside it
 * says what has to come of it. */
static void stopped(uint32_t keys, int how, uint32_t at, uint32_t sessions) {
    enum { FIRST = 60 };
    scene s[2];
    rng r = {t_seed() + at};
    nigh_config config = fx_config(DIM, NIGH_METRIC_COSINE, NIGH_DTYPE_F32);
    nigh_job *job = NULL;
    nigh_progress progress;
    uint64_t ids[N];
    uint32_t done = 0;
    const uint32_t count = N - FIRST;
    config.keys = keys;
    config.codes = at % 3;
    uint8_t *rows = data_rows(&r, DATA_CLUSTERED, config.dtype, N + 50, DIM);
    for (int i = 0; i < 2; i++) {
        scene_open(&s[i], config, OWNED, rows, how == BAD_FULL ? FIRST + at : N);
        before(&s[i], FIRST);
    }
    for (uint32_t i = 0; i < count; i++) {
        ids[i] = FIRST + i;
    }
    if (how == BAD_VECTOR) {
        memset(rows + (FIRST + at) * s->f.row_bytes, 0, (size_t)s->f.row_bytes);
    }
    ids[at] = how == BAD_DUPLICATE && at > 0 ? ids[at - 1] : ids[at];
    ids[at] = how == BAD_KNOWN || (how == BAD_DUPLICATE && at == 0) ? 5 : ids[at];
    ids[at] = how == BAD_REMOVED ? 12 : ids[at];
    fx_keys given = fx_keys_of(&s->f.config, ids, count);
    if (how == BAD_KEY && keys == NIGH_KEYS_BYTES) {
        given.lengths[at] = at % 2 == 0 ? 0 : KEY_MAX + 1;
    } else if (how == BAD_KEY) {
        uint64_t key = FIRST + at + 1;
        memcpy(given.bytes + 8 * (size_t)at, &key, 8);
    }
    const nigh_status want = nigh_insert(s[1].f.index, s[1].f.session, 0, given.bytes,
                                         given.lengths, row_of(&s[1], FIRST), count, &done);
    const nigh_job_options o = fx_job_options(NIGH_JOB_BUILD);
    t_ok(fx_job_begin(&s->f, &o, &given, row_of(&s[0], FIRST), count, &job));
    nigh_status status = fx_job_finish(job, s->sessions, sessions, at, &progress);
    t_is(status, want);
    t_eq(progress.state, NIGH_JOB_DONE);
    t_eq(progress.done, done);
    t_eq(progress.total, count);
    if (how != BAD_FULL) { /* a block may have room for some more */
        t_is(want, told[how]);
        t_eq(done, at);
    }
    oracle all;
    oracle_init(&all, &s->f.config, N);
    for (uint32_t id = 0; id < FIRST + done; id++) {
        oracle_put(&all, id, rows + id * s->f.row_bytes);
        if (id < FIRST && id % 9 == 3) {
            oracle_mark(&all, id, ORACLE_DELETED);
        }
    }
    complete(&s[0], &all, FIRST + done);
    complete(&s[1], &all, FIRST + done);
    fx_check(s->f.index, s->f.session);
    nigh_stats a = fx_stats(s[0].f.index), b = fx_stats(s[1].f.index);
    t_assert(a.slot_count == b.slot_count && a.key_bytes == b.key_bytes &&
             a.image_bytes == b.image_bytes && a.upper_count == b.upper_count);
    if (how == BAD_FULL && want == NIGH_E_FULL) { /* grown, it goes on */
        fx_grow(&s->f, N, N * KEY_MAX);
        build_with(&s[0], FIRST + done, count - done, 2, at);
    }
    fx_keys_drop(&given);
    oracle_drop(&all);
    free(rows);
    fx_drop(&s[0].f);
    fx_drop(&s[1].f);
}

TEST(rules_of_insert) {
    static const uint32_t ats[] = {0, 1, 7, 100, 101, 102, 103, 250, N - 61};
    for (uint32_t keys = NIGH_KEYS_U64; keys <= NIGH_KEYS_IDENTITY; keys++) {
        for (int how = 0; how < BADS; how++) {
            const int identity = keys == NIGH_KEYS_IDENTITY;
            if ((identity && (how == BAD_DUPLICATE || how == BAD_KNOWN || how == BAD_REMOVED)) ||
                (how == BAD_KEY && keys == NIGH_KEYS_U64)) {
                continue;
            }
            for (uint32_t i = 0; i < sizeof ats / sizeof *ats; i++) {
                stopped(keys, how, ats[i], 1 + i % 4);
            }
        }
    }
}

/* The lowest of several bad ones counts, in whatever order they were met. */
TEST(several_bad_ones) {
    for (uint64_t seed = 0; seed < 20; seed++) {
        scene s;
        rng r = {t_seed()};
        nigh_job *job = NULL;
        nigh_progress progress;
        nigh_config config = fx_config(DIM, NIGH_METRIC_COSINE, NIGH_DTYPE_F32);
        uint8_t *rows = data_rows(&r, DATA_CLUSTERED, config.dtype, N + 50, DIM);
        scene_open(&s, config, OWNED, rows, N);
        for (uint32_t i = 300; i < N; i += 3) {
            memset(rows + i * s.f.row_bytes, 0, (size_t)s.f.row_bytes);
        }
        t_ok(begin(&s, 0, N, &job));
        t_is(fx_job_finish(job, s.sessions, 4, seed, &progress), NIGH_E_VECTOR);
        t_eq(progress.done, 300);
        fx_check(s.f.index, s.f.session);
        free(rows);
        fx_drop(&s.f);
    }
}

/* ---- Interrupted ---------------------------------------------------------------------------- */

/* Each fetch in turn fails; the call is repeated, and in the end the bytes are the same. */
TEST(fetch_fails_and_goes_on) {
    for (uint32_t i = 0; i < 3; i++) {
        scene s, good;
        rng r = {t_seed() + i};
        nigh_config config = config_at(i);
        nigh_job *job = NULL;
        nigh_progress progress = {0};
        uint32_t failed = 0;
        config.codes = i == 2 ? NIGH_CODES_U7 : 0;
        config.build_flags = i == 1 ? 0 : NIGH_BUILD_EXACT;
        const uint32_t often = i == 1 ? 8 : 300; /* on a draft each vector is read once */
        uint8_t *rows = data_rows(&r, DATA_CLUSTERED, config.dtype, N + 50, config.dim);
        scene_open(&good, config, FETCHED, rows, N);
        build_with(&good, 0, N, 1, 1);
        scene_open(&s, config, FETCHED, rows, N);
        t_ok(begin(&s, 0, N, &job));
        while (progress.state != NIGH_JOB_DONE) {
            s.calls_left = rng_below(&r, 3) == 0 ? (int64_t)rng_below(&r, often) : -1;
            s.failures = 0;
            nigh_status status = fx_job_step(job, s.sessions[rng_below(&r, 4)], &progress);
            t_is(status, s.failures > 0 ? NIGH_E_USER - 5 : NIGH_OK);
            failed += status != NIGH_OK;
        }
        t_assert(failed > 20);
        s.calls_left = -1;
        t_ok(nigh_job_end(job));
        fx_check(s.f.index, s.f.session);
        fx_same_image(s.f.index, good.f.index);
        free(rows);
        fx_drop(&s.f);
        fx_drop(&good.f);
    }
}

/* Ended after any number of tasks, what is in is in, sound, and the rest can be inserted. */
TEST(ended_early) {
    for (uint32_t i = 0; i < 6; i++) {
        rng r = {t_seed() + i};
        nigh_config config = config_at(i);
        uint8_t *rows = data_rows(&r, DATA_CLUSTERED, config.dtype, N + 50, config.dim);
        for (uint32_t calls = 0, all = 0; all == 0; calls += 1 + calls / 5) {
            scene s;
            oracle o;
            nigh_job *job = NULL;
            nigh_progress progress = {0};
            scene_open(&s, config, (int)i % SOURCES, rows, N + 50);
            oracle_init(&o, &s.f.config, N + 50);
            t_ok(begin(&s, 0, N, &job));
            for (uint32_t call = 0; call < calls && !all; call++) {
                t_ok(fx_job_step(job, s.sessions[call % 4], &progress));
                all = progress.state == NIGH_JOB_DONE;
            }
            t_ok(nigh_job_end(job));
            fx_check(s.f.index, s.sessions[0]);
            t_eq(fx_stats(s.f.index).slot_count, progress.done);
            for (uint32_t id = 0; id < N; id++) {
                if (id >= progress.done) {
                    t_ok(fx_insert(&s.f, s.sessions[0], 0, id, row_of(&s, id)));
                }
                oracle_put(&o, id, rows + id * s.f.row_bytes);
            }
            complete(&s, &o, N);
            fx_check(s.f.index, s.sessions[0]);
            oracle_drop(&o);
            fx_drop(&s.f);
        }
        free(rows);
    }
}

/* ---- Beside it ------------------------------------------------------------------------------ */

static void writers_are_kept_away(scene *s, nigh_job *job, uint32_t in) {
    nigh_index *index = s->f.index;
    nigh_session *session = s->f.session;
    nigh_report report = {0};
    nigh_job *other = NULL;
    fx_bytes bytes = {NULL, 0, 0};
    uint64_t need = 0;
    nigh_job_options o = fx_job_options(NIGH_JOB_CODES);
    report.struct_size = sizeof report;
    t_is(fx_insert(&s->f, session, 0, N + 1, row_of(s, 0)), NIGH_E_BUSY);
    t_is(fx_set(&s->f, session, 0, 0, row_of(s, 0)), NIGH_E_BUSY);
    t_is(fx_remove(&s->f, session, 0), NIGH_E_BUSY);
    t_is(fx_unremove(&s->f, session, 0), NIGH_E_BUSY);
    t_is(nigh_check(index, session, &report), NIGH_E_BUSY);
    t_is(nigh_save(index, 0, fx_write, &bytes), NIGH_E_BUSY);
    t_is(nigh_seal(index), NIGH_E_BUSY);
    t_ok(nigh_job_bytes(index, &o, 0, &need));
    t_is(nigh_job_begin(index, &o, NULL, NULL, NULL, 0, fx_take(&s->f, need), need, &other),
         NIGH_E_BUSY);
    t_is(begin(s, in, 1, &other), NIGH_E_BUSY);
    t_assert(other == NULL && bytes.size == 0 && job != NULL);
}

/* Searches find all that is in, from the first task to the last. */
TEST(searches_go_on) {
    scene s;
    rng r = {t_seed()};
    fx_hits h, exact;
    nigh_job *job = NULL;
    nigh_progress progress = {0};
    nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    config.m = 4;
    uint8_t *rows = data_rows(&r, DATA_CLUSTERED, config.dtype, N + 50, DIM);
    scene_open(&s, config, OWNED, rows, N);
    before(&s, 40);
    const uint32_t removed = fx_stats(s.f.index).deleted_count;
    fx_hits_init(&h, &s.f.config, N);
    fx_hits_init(&exact, &s.f.config, N);
    nigh_session_options o = fx_session_options(N, 0, NIGH_SESSION_READ);
    nigh_session *reader = fx_session(&s.f, &o);
    t_ok(begin(&s, 40, N - 40, &job));
    while (progress.state != NIGH_JOB_DONE) {
        const uint32_t in = 40 + (uint32_t)progress.done;
        nigh_search_options so = fx_search_options(N, 0);
        const uint8_t *query = rows + rng_below(&r, N) * s.f.row_bytes;
        writers_are_kept_away(&s, job, in);
        t_ok(fx_search(&s.f, reader, query, &so, N, &h));
        t_eq(h.found, in - removed);
        t_eq(fx_stats(s.f.index).slot_count, in);
        so.flags = NIGH_SEARCH_EXACT;
        t_ok(fx_search(&s.f, reader, query, &so, N, &exact));
        fx_same_hits(&h, &exact);
        t_ok(fx_job_step(job, s.sessions[rng_below(&r, 4)], &progress));
    }
    t_ok(fx_job_step(job, s.sessions[0], &progress)); /* nothing happens any more */
    t_eq(progress.done, N - 40);
    t_ok(nigh_job_end(job));
    t_ok(fx_remove(&s.f, s.f.session, N - 1));
    t_ok(fx_set(&s.f, s.f.session, 0, N - 1, rows));
    fx_check(s.f.index, s.f.session);
    fx_hits_drop(&h);
    fx_hits_drop(&exact);
    free(rows);
    fx_drop(&s.f);
}

/* ---- Arguments and memory ------------------------------------------------------------------- */

TEST(memory) {
    for (uint32_t i = 0; i < 12; i++) {
        scene s;
        rng r = {t_seed()};
        nigh_config config = config_at(i);
        nigh_job *job = NULL;
        uint64_t bytes = 0;
        uint8_t *rows = data_rows(&r, DATA_UNIFORM, config.dtype, N + 50, config.dim);
        scene_open(&s, config, OWNED, rows, N);
        before(&s, 20);
        fx_keys keys = fx_keys_from(&s.f.config, 20, N - 20);
        for (uint32_t kind = NIGH_JOB_BUILD; kind <= NIGH_JOB_CODES; kind++) {
            nigh_job_options o = fx_job_options(kind);
            const uint32_t count = kind == NIGH_JOB_BUILD ? N - 20 : 0;
            const int coded = config.dtype != NIGH_DTYPE_B1 && config.codes == 0;
            o.codes = kind == NIGH_JOB_CODES && coded ? 1 + i % 2 : 0;
            t_ok(nigh_job_bytes(s.f.index, &o, count, &bytes));
            uint8_t *at = fx_take(&s.f, bytes + 64);
            const void *vectors = count > 0 ? row_of(&s, 20) : NULL;
#define BEGIN(memory, size)                                                                        \
    nigh_job_begin(s.f.index, &o, keys.bytes, keys.lengths, vectors, count, memory, size, &job)
            t_is(BEGIN(at, bytes - 1), NIGH_E_MEMORY);
            t_is(BEGIN(at, 0), NIGH_E_MEMORY);
            t_is(BEGIN(at + 32, bytes), NIGH_E_MEMORY);
            t_assert(job == NULL);
            t_ok(fx_remove(&s.f, s.f.session, 0)); /* nothing stays locked */
            t_ok(fx_unremove(&s.f, s.f.session, 0));
            t_ok(BEGIN(at, bytes));
#undef BEGIN
            t_ok(nigh_job_end(job));
            job = NULL;
        }
        fx_keys_drop(&keys);
        free(rows);
        fx_drop(&s.f);
    }
}

TEST(arguments) {
    scene s, t;
    rng r = {t_seed()};
    nigh_job *job = NULL;
    uint64_t bytes = 0, keys[4] = {0, 1, 2, 3};
    nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    nigh_job_options o = fx_job_options(NIGH_JOB_BUILD);
    uint8_t *rows = data_rows(&r, DATA_UNIFORM, config.dtype, N + 50, DIM);
    scene_open(&s, config, OWNED, rows, N);
    scene_open(&t, config, OWNED, rows, N);
    t_is(nigh_job_bytes(NULL, &o, 4, &bytes), NIGH_E_INVALID);
    t_is(nigh_job_bytes(s.f.index, NULL, 4, &bytes), NIGH_E_INVALID);
    t_is(nigh_job_bytes(s.f.index, &o, 4, NULL), NIGH_E_INVALID);
    for (uint32_t kind = 0; kind < 200; kind = kind * 2 + 99) {
        o.kind = kind;
        t_is(nigh_job_bytes(s.f.index, &o, 4, &bytes), NIGH_E_INVALID);
    }
    o.kind = NIGH_JOB_BUILD;
    o.struct_size = 8;
    t_is(nigh_job_bytes(s.f.index, &o, 4, &bytes), NIGH_E_INVALID);
    o.struct_size = sizeof o;
    t_is(nigh_job_bytes(s.f.index, &o, UINT32_MAX, &bytes), NIGH_E_INVALID);
    for (o.vector_stride = 1; o.vector_stride < 4 * DIM + 4; o.vector_stride++) {
        if (o.vector_stride != 4 * DIM) { /* too short, or unaligned */
            t_is(nigh_job_bytes(s.f.index, &o, 4, &bytes), NIGH_E_INVALID);
        }
    }
    o.vector_stride = 0;
    t_ok(nigh_job_bytes(s.f.index, &o, 4, &bytes));
    void *memory = fx_take(&s.f, bytes);
#define BEGIN(...) nigh_job_begin(__VA_ARGS__)
    t_is(BEGIN(NULL, &o, keys, NULL, rows, 4, memory, bytes, &job), NIGH_E_INVALID);
    t_is(BEGIN(s.f.index, NULL, keys, NULL, rows, 4, memory, bytes, &job), NIGH_E_INVALID);
    t_is(BEGIN(s.f.index, &o, NULL, NULL, rows, 4, memory, bytes, &job), NIGH_E_INVALID);
    t_is(BEGIN(s.f.index, &o, keys, NULL, NULL, 4, memory, bytes, &job), NIGH_E_INVALID);
    t_is(BEGIN(s.f.index, &o, keys, NULL, rows, 4, NULL, bytes, &job), NIGH_E_INVALID);
    t_is(BEGIN(s.f.index, &o, keys, NULL, rows, 4, memory, bytes, NULL), NIGH_E_INVALID);
    t_ok(BEGIN(s.f.index, &o, keys, NULL, rows, 4, memory, bytes, &job));
#undef BEGIN
    nigh_progress progress = {0};
    progress.struct_size = sizeof progress;
    nigh_session_options read = fx_session_options(64, 0, NIGH_SESSION_READ);
    t_is(nigh_job_run(NULL, s.f.session, &progress), NIGH_E_INVALID);
    t_is(nigh_job_run(job, NULL, &progress), NIGH_E_INVALID);
    t_is(nigh_job_run(job, s.f.session, NULL), NIGH_E_INVALID);
    t_is(nigh_job_run(job, t.f.session, &progress), NIGH_E_INVALID);
    t_is(nigh_job_run(job, fx_session(&s.f, &read), &progress), NIGH_E_SESSION);
    progress.struct_size = 4;
    t_is(nigh_job_run(job, s.f.session, &progress), NIGH_E_INVALID);
    t_is(nigh_job_end(NULL), NIGH_E_INVALID);
    t_ok(nigh_job_end(job));
    fx_bytes image = fx_save(s.f.index, 0);
    fx g;
    t_ok(fx_attach(&g, image.data, image.size, 0, 8, 64));
    t_is(fx_build(&g, 0, 4, rows, NULL), NIGH_E_READ_ONLY);
    fx_drop(&g);
    free(image.data);
    free(rows);
    fx_drop(&s.f);
    fx_drop(&t.f);
}

/* Nothing to do is done at once, and begins nothing: codes wait for vectors. */
TEST(nothing) {
    for (uint32_t i = 0; i < 2; i++) {
        scene s;
        rng r = {t_seed()};
        nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
        config.codes = NIGH_CODES_U7;
        uint8_t *rows = data_rows(&r, DATA_UNIFORM, config.dtype, N + 50, DIM);
        scene_open(&s, config, OWNED, rows, N);
        before(&s, i * 10);
        fx_bytes was = fx_save(s.f.index, 0);
        build_with(&s, i * 10, 0, 2, 1);
        fx_bytes is = fx_save(s.f.index, 0);
        t_eq(was.size, is.size);
        t_bytes(was.data, is.data, was.size);
        free(was.data);
        free(is.data);
        free(rows);
        fx_drop(&s.f);
    }
}

/* Rows that lie apart, in an array with other things between them; identity keys without keys. */
TEST(stride) {
    for (uint32_t i = 0; i < 21; i++) {
        scene s;
        rng r = {t_seed() + i};
        nigh_config config = config_at(i);
        nigh_job *job = NULL;
        nigh_progress progress;
        config.keys = NIGH_KEYS_IDENTITY;
        uint8_t *rows = data_rows(&r, DATA_CLUSTERED, config.dtype, N + 50, config.dim);
        fx_bytes want = {NULL, 0, 0};
        for (uint32_t apart = 0; apart < 3; apart++) {
            const uint32_t more = apart * 12;
            scene_open(&s, config, OWNED, rows, N);
            const uint64_t step = s.f.row_bytes + more;
            uint8_t *wide = fx_take(&s.f, step * N - more); /* nothing behind the last row */
            for (uint32_t row = 0; row < N; row++) {
                memcpy(wide + row * step, rows + row * s.f.row_bytes, (size_t)s.f.row_bytes);
            }
            nigh_job_options o = fx_job_options(NIGH_JOB_BUILD);
            o.vector_stride = apart == 0 ? 0 : (uint32_t)step;
            t_ok(fx_job_begin(&s.f, &o, NULL, wide, N, &job));
            t_ok(fx_job_finish(job, s.sessions, 4, i, &progress));
            fx_same_as_first(&want, fx_save(s.f.index, 0));
            fx_drop(&s.f);
        }
        free(want.data);
        free(rows);
    }
}

/* ---- Quality -------------------------------------------------------------------------------- */

static double recall(fx *f, const oracle *o, const uint8_t *queries, uint32_t count, uint32_t ef) {
    fx_hits h;
    uint32_t hits = 0;
    fx_hits_init(&h, &f->config, 10);
    for (uint32_t q = 0; q < count; q++) {
        nigh_search_options so = fx_search_options(ef, NIGH_SEARCH_NO_CODES);
        t_ok(fx_search(f, f->session, queries + q * f->row_bytes, &so, 10, &h));
        hits += oracle_recall(o, &h, queries + q * f->row_bytes, 10, NULL, NULL);
    }
    fx_hits_drop(&h);
    return hits / (10.0 * count);
}

/* Within a point of single inserts, on clusters and, where links matter more, on words. */
static void near_inserts(nigh_config config, uint8_t *rows, uint32_t n, uint32_t asked,
                         uint32_t ef) {
    double got[2];
    oracle o;
    oracle_init(&o, &config, n);
    for (uint32_t i = 0; i < n; i++) {
        oracle_put(&o, i, rows + i * o.row_bytes);
    }
    for (uint32_t batches = 0; batches < 2; batches++) {
        fx f;
        fx_init(&f, &config, n, n, 0, 128);
        if (batches == 0) {
            fx_insert_many(&f, 0, n, rows);
        } else {
            t_ok(fx_build(&f, 0, n, rows, NULL));
        }
        got[batches] = recall(&f, &o, rows + n * o.row_bytes, asked, ef);
        fx_drop(&f);
    }
    printf("recall@10 at ef %u: inserts %.4f, batches %.4f\n", ef, got[0], got[1]);
    t_assert(got[0] > 0.8 && got[1] > got[0] - 0.01);
    oracle_drop(&o);
}

TEST(recall_on_clusters) {
    for (uint32_t codes = NIGH_CODES_NONE; codes <= NIGH_CODES_U7; codes++) {
        const uint32_t n = t_small() ? 800 : 6000, asked = 100;
        rng r = {t_seed()};
        nigh_config config = fx_config(64, NIGH_METRIC_L2, NIGH_DTYPE_F32);
        config.m = 8; /* with 5 batches lose 1.3 points */
        config.ef_build = 80;
        config.codes = codes; /* with a span, single inserts choose links on codes too */
        config.code_min = codes != NIGH_CODES_NONE ? -1.125f : 0;
        config.code_max = codes != NIGH_CODES_NONE ? 1.125f : 0;
        uint8_t *rows = data_rows(&r, DATA_CLUSTERED, config.dtype, n + asked, config.dim);
        near_inserts(config, rows, n, asked, 100);
        free(rows);
    }
}

TEST(recall_on_words) {
    uint32_t count = 0, dim = 0;
    uint16_t *rows = data_words(&count, &dim);
    const uint32_t n = t_small() ? 1500 : 4500, asked = t_small() ? 100 : 400;
    nigh_config config = fx_config(dim, NIGH_METRIC_COSINE, NIGH_DTYPE_F16);
    config.m = 8;
    config.ef_build = 100;
    t_assert(n + asked <= count);
    near_inserts(config, (uint8_t *)rows, n, asked, 100);
    near_inserts(config, (uint8_t *)rows, n, asked, 40);
    free(rows);
}

SUITE {
    RUN(one_set_of_bytes);
    RUN(everything_is_found);
    RUN(rules_of_insert);
    RUN(several_bad_ones);
    RUN(fetch_fails_and_goes_on);
    RUN(ended_early);
    RUN(searches_go_on);
    RUN(memory);
    RUN(arguments);
    RUN(nothing);
    RUN(stride);
    RUN(recall_on_clusters);
    RUN(recall_on_words);
}
