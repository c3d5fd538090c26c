/* test_corners.c - where two features meet: jobs and old sessions, cursors and vacuum, gamma and
 * writers, codes and nothing to encode
 * layer T; uses: data, fixture, jobs
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <math.h>

#include "data.h"
#include "fixture.h"
#include "jobs.h"
#include "t.h"

static float *uniform(uint32_t count, uint32_t dim, uint64_t seed) {
    rng r = {seed};
    return (float *)(void *)data_rows(&r, DATA_UNIFORM, NIGH_DTYPE_F32, count, dim);
}

/* Of the hits of `asked` searches, the share that an exact search finds too. */
static double recall(fx *f, const float *queries, uint32_t asked, uint32_t ef) {
    fx_hits h, e;
    uint32_t right = 0;
    fx_hits_init(&h, &f->config, 10);
    fx_hits_init(&e, &f->config, 10);
    for (uint32_t q = 0; q < asked; q++) {
        const float *query = queries + (size_t)q * f->config.dim;
        nigh_search_options so = fx_search_options(ef, 0);
        t_ok(fx_search(f, f->session, query, &so, 10, &h));
        so.flags = NIGH_SEARCH_EXACT;
        t_ok(fx_search(f, f->session, query, &so, 10, &e));
        for (uint32_t i = 0; i < h.found; i++) {
            right += (double)h.distances[i] <= (double)e.distances[e.found - 1];
        }
    }
    fx_hits_drop(&h);
    fx_hits_drop(&e);
    return right / (10.0 * asked);
}

/* A session made for smaller codes has no room for a draft: it is refused, and others go on. */
TEST(session_without_room_for_a_draft) {
    enum { N = 600, DIM = 128 };
    fx f;
    nigh_job *job = NULL;
    nigh_progress progress = {.struct_size = sizeof progress};
    uint32_t refused = 0;
    nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    config.codes = NIGH_CODES_B1;
    fx_init(&f, &config, N, N, 0, 64);
    const nigh_session_options so = fx_session_options(64, 0, 0);
    nigh_session *old = fx_session(&f, &so);
    t_ok(fx_codes(&f, NIGH_CODES_NONE, 0, 0));
    float *rows = uniform(N, DIM, 1);
    fx_keys keys = fx_keys_from(&f.config, 0, N);
    const nigh_job_options o = fx_job_options(NIGH_JOB_BUILD);
    t_ok(fx_job_begin(&f, &o, &keys, rows, N, &job));
    while (progress.state != NIGH_JOB_DONE) {
        t_is(nigh_job_run(job, old, &progress), NIGH_E_SESSION);
        refused++;
        t_ok(nigh_job_run(job, f.session, &progress));
    }
    t_assert(refused > 10);
    t_eq(progress.done, N);
    t_ok(nigh_job_end(job));
    fx_check(f.index, f.session);
    fx_keys_drop(&keys);
    free(rows);
    fx_drop(&f);
}

/* Nor one made before an index was to have codes: from the first call on, not when they begin. */
TEST(session_without_room_for_codes_to_come) {
    enum { N = 400, DIM = 32 };
    fx f;
    nigh_job *job = NULL;
    nigh_progress progress = {.struct_size = sizeof progress};
    nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_U8);
    uint8_t *rows = fx_malloc(N * DIM);
    rng r = {1};
    for (uint32_t i = 0; i < N * DIM; i++) {
        rows[i] = (uint8_t)rng_below(&r, 256);
    }
    fx_init(&f, &config, N, N, 0, 64);
    const nigh_session_options so = fx_session_options(64, 0, 0);
    nigh_session *old = fx_session(&f, &so);
    t_ok(fx_codes(&f, NIGH_CODES_U7, 0, 0));
    fx_keys keys = fx_keys_from(&f.config, 0, N);
    const nigh_job_options o = fx_job_options(NIGH_JOB_BUILD);
    t_ok(fx_job_begin(&f, &o, &keys, rows, N, &job));
    while (progress.state != NIGH_JOB_DONE) {
        t_is(nigh_job_run(job, old, &progress), NIGH_E_SESSION);
        t_ok(nigh_job_run(job, f.session, &progress));
    }
    t_ok(nigh_job_end(job));
    fx_check(f.index, f.session);
    t_eq(fx_stats(f.index).codes, NIGH_CODES_U7);
    fx_keys_drop(&keys);
    free(rows);
    fx_drop(&f);
}

TEST(build_without_a_source) {
    for (uint32_t codes = 0; codes < 2; codes++) {
        fx f;
        nigh_job *job = NULL;
        nigh_progress progress = {.struct_size = sizeof progress};
        nigh_config config = fx_config(16, NIGH_METRIC_L2, NIGH_DTYPE_F32);
        config.vectors = NIGH_VECTORS_EXTERNAL;
        config.codes = codes;
        fx_init(&f, &config, 300, 300, 0, 64);
        fx_keys keys = fx_keys_from(&f.config, 0, 300);
        const nigh_job_options o = fx_job_options(NIGH_JOB_BUILD);
        t_ok(fx_job_begin(&f, &o, &keys, NULL, 300, &job));
        t_is(nigh_job_run(job, f.session, &progress), NIGH_E_NO_VECTORS);
        t_ok(nigh_job_end(job));
        fx_keys_drop(&keys);
        fx_drop(&f);
    }
}

/* Vectors that one span of codes cannot tell apart: the build notices and leaves its draft. */
TEST(a_draft_that_will_not_do) {
    enum { N = 4000, DIM = 32, ASKED = 100 };
    const uint32_t n = t_small() ? 1500 : N;
    for (uint32_t kind = 0; kind < 3; kind++) {
        rng r = {7};
        double found[2];
        float *rows = uniform(n + ASKED, DIM, 7);
        for (uint32_t i = 0; i < n + ASKED; i++) {
            const float scale = (const float[]){0.01f, 1, 100}[rng_below(&r, 3)];
            for (uint32_t j = 0; kind == 2 && j < DIM; j++) {
                rows[i * DIM + j] *= scale;
            }
            rows[i * DIM] += kind == 0 ? 100 : kind == 1 ? 100 * (float)rng_below(&r, 8) : 0;
        }
        for (uint32_t exact = 0; exact < 2; exact++) {
            fx f;
            nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
            config.build_flags = exact != 0 ? NIGH_BUILD_EXACT : 0;
            fx_init(&f, &config, n, n, 0, 512);
            t_ok(fx_build(&f, 0, n, rows, NULL));
            found[exact] = recall(&f, rows + (size_t)n * DIM, ASKED, 60);
            fx_drop(&f);
        }
        printf("kind %u: recall %.3f, exact %.3f\n", kind, found[0], found[1]);
        t_assert(found[0] > found[1] - 0.05);
        free(rows);
    }
}

/* So does a pass of refining. */
TEST(a_refine_whose_draft_will_not_do) {
    enum { N = 3000, DIM = 32, ASKED = 100 };
    const uint32_t n = t_small() ? 1000 : N;
    float *rows = uniform(n + ASKED, DIM, 11);
    for (uint32_t i = 0; i < n + ASKED; i++) {
        rows[i * DIM] += i % 2 == 0 ? 1000 : 0;
    }
    for (uint32_t alpha = 0; alpha < 2; alpha++) {
        double before[2], after[2];
        fx_bytes images[2];
        for (uint32_t exact = 0; exact < 2; exact++) {
            fx f;
            nigh_job *job = NULL;
            nigh_progress progress = {0};
            nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
            nigh_job_options o = fx_job_options(NIGH_JOB_REFINE);
            config.build_flags = exact != 0 ? NIGH_BUILD_EXACT : 0;
            o.alpha = alpha != 0 ? 1.0f : 0;
            fx_init(&f, &config, n, n, 0, 512);
            fx_insert_many(&f, 0, n, (const uint8_t *)rows); /* no draft yet */
            before[exact] = recall(&f, rows + (size_t)n * DIM, ASKED, 20);
            t_ok(fx_job_begin(&f, &o, NULL, NULL, 0, &job));
            t_ok(fx_job_finish(job, &f.session, 1, 1, &progress));
            after[exact] = recall(&f, rows + (size_t)n * DIM, ASKED, 20);
            fx_check(f.index, f.session);
            images[exact] = fx_save(f.index, 0);
            fx_drop(&f);
        }
        printf("recall %.3f, refined %.3f, exactly %.3f\n", before[0], after[0], after[1]);
        t_assert(before[0] == before[1] && after[0] >= before[0]);
        t_eq(images[0].size, images[1].size); /* all but the header, which tells of the flag */
        t_bytes(images[0].data + 512, images[1].data + 512, images[0].size - 512);
        free(images[0].data);
        free(images[1].data);
    }
    free(rows);
}

/* A source that counts what it is asked for, and fails when told. */
typedef struct source {
    const float *rows;
    uint32_t dim;
    uint32_t asked;
    uint32_t fails_in; /* 2: the next call fails, 3: the one after it; 0: none does */
} source;

static nigh_status fetch_told(void *user, const uint32_t *slots, const uint64_t *keys,
                              uint32_t count, void *scratch, const void **vectors) {
    source *s = user;
    (void)keys;
    (void)scratch;
    for (uint32_t i = 0; i < count; i++) {
        vectors[i] = s->rows + (size_t)slots[i] * s->dim;
    }
    s->asked += count;
    s->fails_in -= s->fails_in > 0;
    return s->fails_in == 1 ? NIGH_E_USER - 9 : NIGH_OK;
}

/* And it can be gone on with wherever a vector was not to be had. */
TEST(a_draft_that_will_not_do_and_fails) {
    enum { N = 300, DIM = 32, ROUNDS = 20, LEFT = 302 };
    float *rows = uniform(N, DIM, 11);
    fx_bytes want = {NULL, 0, 0};
    for (uint32_t i = 0; i < N; i++) {
        rows[i * DIM] += i % 2 == 0 ? 1000 : 0;
    }
    for (uint32_t round = 0; round < ROUNDS; round++) {
        const uint32_t many = round < 3 ? round * 15 : 1;
        const uint32_t from =
            round < 3 ? 20 * round - 20 : LEFT + round - 3; /* the draft is left */
        fx f;
        nigh_job *job = NULL;
        nigh_progress progress = {0};
        uint32_t steps = 0;
        rng r = {round};
        uint32_t failed = 0;
        source from_rows = {rows, DIM, 0, 0};
        nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
        const nigh_job_options o = fx_job_options(NIGH_JOB_REFINE);
        config.vectors = NIGH_VECTORS_EXTERNAL;
        fx_init(&f, &config, N, N, 0, 512);
        t_ok(nigh_index_fetch(f.index, fetch_told, NULL, &from_rows));
        for (uint32_t id = 0; id < N; id++) {
            t_ok(fx_insert(&f, f.session, 0, id, NULL));
        }
        t_ok(fx_job_begin(&f, &o, NULL, NULL, 0, &job));
        while (progress.state != NIGH_JOB_DONE) {
            const int soon = steps++ >= from && failed < many && (many == 1 || steps % 4 != 0);
            from_rows.fails_in = soon ? 2 + (many == 1 ? 0 : rng_below(&r, 40)) : 0;
            const nigh_status status = fx_job_step(job, f.session, &progress);
            t_assert(status == NIGH_OK || (soon && status == NIGH_E_USER - 9));
            failed += status != NIGH_OK;
        }
        from_rows.fails_in = 0;
        t_ok(nigh_job_end(job));
        t_eq(failed, many);
        fx_check(f.index, f.session);
        fx_same_as_first(&want, fx_save(f.index, 0));
        fx_drop(&f);
    }
    free(want.data);
    free(rows);
}

/* Codes were dropped: a session that had room for them has room for a draft of as many bytes. */
TEST(refine_after_codes) {
    enum { N = 300, DIM = 16 };
    fx f;
    float *rows = uniform(N, DIM, 1);
    nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    config.codes = NIGH_CODES_U7;
    fx_init(&f, &config, N, N, 0, 512);
    t_ok(fx_build(&f, 0, N, rows, NULL));
    const nigh_session_options so = fx_session_options(512, 0, 0);
    nigh_session *old = fx_session(&f, &so);
    t_ok(fx_codes(&f, NIGH_CODES_NONE, 0, 0));
    nigh_job *job = NULL;
    nigh_progress progress = {0};
    const nigh_job_options o = fx_job_options(NIGH_JOB_REFINE);
    t_ok(fx_job_begin(&f, &o, NULL, NULL, 0, &job));
    t_ok(fx_job_finish(job, &old, 1, 1, &progress));
    fx_check(f.index, f.session);
    free(rows);
    fx_drop(&f);
}

/* A task that takes a sample asks for little, so that work can be stopped soon. */
TEST(tasks_of_a_sample) {
    enum { N = 3000, DIM = 16 };
    fx f;
    float *rows = uniform(N, DIM, 1);
    nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    config.vectors = NIGH_VECTORS_EXTERNAL;
    fx_init(&f, &config, N, N, 0, 512);
    source from_rows = {rows, DIM, 0, 0};
    t_ok(nigh_index_fetch(f.index, fetch_told, NULL, &from_rows));
    t_ok(fx_build(&f, 0, N, NULL, NULL));
    for (uint32_t kind = NIGH_CODES_U7; kind <= NIGH_CODES_B1; kind++) {
        nigh_job *job = NULL;
        nigh_progress progress = {0};
        nigh_job_options o = fx_job_options(NIGH_JOB_CODES);
        uint32_t calls = 0;
        o.codes = kind;
        t_ok(fx_job_begin(&f, &o, NULL, NULL, 0, &job));
        while (progress.state != NIGH_JOB_DONE) {
            from_rows.asked = 0;
            t_ok(fx_job_step(job, f.session, &progress));
            t_assert(from_rows.asked <= 512);
            t_assert(progress.done > 0 || from_rows.asked <= 64);
            calls++;
        }
        t_assert(calls >= 2 * 1024 / 64 + N / 512);
        t_ok(nigh_job_end(job));
        t_ok(fx_codes(&f, NIGH_CODES_NONE, 0, 0));
    }
    free(rows);
    fx_drop(&f);
}

/* What was not encoded with a span does not keep it. */
TEST(span_of_nothing) {
    enum { N = 400, DIM = 16 };
    for (uint32_t how = 0; how < 2; how++) {
        fx f;
        uint32_t done = 9;
        float bad[DIM] = {0};
        nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
        config.codes = how == 0 ? NIGH_CODES_U7 : NIGH_CODES_NONE;
        fx_init(&f, &config, N, N, 0, 64);
        float *rows = uniform(N + 50, DIM, 3);
        for (uint32_t i = 0; i < (N + 50) * DIM; i++) {
            rows[i] *= 1000;
        }
        bad[3] = NAN;
        if (how == 0) {
            t_is(fx_build(&f, 0, 1, bad, &done), NIGH_E_VECTOR);
            t_eq(done, 0);
        } else {
            t_ok(fx_codes(&f, NIGH_CODES_U7, 0, 0));
        }
        t_eq(fx_stats(f.index).codes, NIGH_CODES_NONE);
        t_ok(fx_build(&f, 0, N, rows, NULL));
        t_eq(fx_stats(f.index).codes, NIGH_CODES_U7);
        t_assert(fx_stats(f.index).code_clamped < N * DIM / 100);
        t_assert(recall(&f, rows + N * DIM, 50, 64) > 0.98);
        free(rows);
        fx_drop(&f);
    }
}

/* The node that a cursor begins at is vacuumed before the first hit is asked for. */
TEST(cursor_beside_vacuum) {
    enum { N = 700, DIM = 4 };
    for (uint32_t codes = 0; codes < 2; codes++) {
        fx f;
        fx_hits h;
        uint32_t tried = 0;
        nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
        config.codes = codes;
        fx_init(&f, &config, N, N, 0, 64);
        fx_hits_init(&h, &f.config, N);
        float *rows = uniform(N, DIM, 1);
        t_ok(fx_build(&f, 0, N, rows, NULL));
        const nigh_session_options so = fx_session_options(64, 0, 0);
        nigh_session *other = fx_session(&f, &so);
        for (uint32_t id = 0; id < N; id++) {
            uint32_t top = 0;
            t_ok(nigh_node(f.index, id, 0, &top, NULL, NULL, NULL));
            if (top == 0) {
                continue;
            }
            t_ok(nigh_cursor_begin(f.index, f.session, rows + id * DIM, NULL));
            t_ok(fx_remove(&f, other, id));
            t_ok(fx_work(&f, NIGH_JOB_VACUUM, 1, 1));
            const uint32_t live = fx_stats(f.index).live_count;
            t_ok(fx_next(&f, f.session, N, &h));
            t_eq(h.found, live); /* all, each once: ids are checked by fx_next's order */
            tried++;
        }
        t_assert(tried > 20);
        fx_hits_drop(&h);
        free(rows);
        fx_drop(&f);
    }
}

static float *fetch_rows;

static nigh_status fetch_by_key(void *user, const uint32_t *slots, const uint64_t *keys,
                                uint32_t count, void *scratch, const void **vectors) {
    (void)user;
    (void)slots;
    (void)scratch;
    for (uint32_t i = 0; i < count; i++) {
        vectors[i] = fetch_rows + keys[i] * 4;
    }
    return NIGH_OK;
}

/* A slot goes to another key while a cursor holds its old distance: no hit is a mixture. */
TEST(fetched_slot_of_another_key) {
    enum { N = 500, NEW = 600, DIM = 4 };
    fx f;
    fx_hits h;
    nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    config.vectors = NIGH_VECTORS_EXTERNAL;
    fx_init(&f, &config, N, N, 0, 64);
    fx_hits_init(&h, &f.config, 10);
    t_ok(nigh_index_fetch(f.index, fetch_by_key, NULL, NULL));
    fetch_rows = uniform(NEW + 1, DIM, 1);
    fetch_rows[NEW * DIM] = 1000;
    for (uint32_t i = 0; i < N; i++) {
        t_ok(fx_insert(&f, f.session, 0, i, NULL));
    }
    const nigh_session_options so = fx_session_options(64, 0, 0);
    nigh_session *other = fx_session(&f, &so);
    const float query[DIM] = {0};
    t_ok(fx_search(&f, other, query, NULL, 10, &h));
    const uint64_t victim = h.ids[2];
    t_ok(nigh_cursor_begin(f.index, f.session, query, NULL));
    t_ok(fx_next(&f, f.session, 1, &h));
    t_ok(fx_remove(&f, other, victim));
    t_ok(fx_work(&f, NIGH_JOB_VACUUM, 1, 1));
    t_ok(fx_insert(&f, other, 0, NEW, NULL));
    t_ok(fx_next(&f, f.session, 10, &h));
    t_eq(h.found, 10);
    for (uint32_t i = 0; i < h.found; i++) {
        float distance = 0;
        for (uint32_t j = 0; j < DIM; j++) {
            const float at = fetch_rows[h.ids[i] * DIM + j];
            distance += at * at;
        }
        t_assert(h.distances[i] > 0.999f * distance && h.distances[i] < 1.001f * distance);
    }
    fx_hits_drop(&h);
    free(fetch_rows);
    fx_drop(&f);
}

/* What happens to the index while a search waits for its source. */
typedef struct waiting {
    fx f;
    nigh_session *other;
    const float *rows;  /* by key */
    int64_t calls_left; /* it happens at the call that finds 0; negative: never */
    int busy;           /* it is happening: calls from within do not count */
    int after;
    uint64_t victim;
    int reuse; /* the slot of the victim goes to REUSED */
    int fails; /* calls after it fail */
} waiting;

enum { WAIT_N = 600, REUSED = 900 };

static nigh_status fetch_waiting(void *user, const uint32_t *slots, const uint64_t *keys,
                                 uint32_t count, void *scratch, const void **vectors) {
    waiting *w = user;
    const int now = w->busy == 0 && w->calls_left-- == 0;
    (void)slots;
    (void)scratch;
    if (now) {
        w->busy = 1;
        t_ok(fx_remove(&w->f, w->other, w->victim));
        t_ok(fx_work(&w->f, NIGH_JOB_VACUUM, 1, 1));
        if (w->reuse) {
            t_ok(fx_insert(&w->f, w->other, 0, REUSED, NULL));
        }
        w->busy = 0;
        w->after = 1;
    }
    for (uint32_t i = 0; i < count; i++) {
        vectors[i] = w->rows + keys[i] * 4;
    }
    return w->after && w->fails && !now && !w->busy ? NIGH_E_USER - 3 : NIGH_OK;
}

static float *waiting_open(waiting *w) {
    float *rows = uniform(REUSED + 1, 4, 1);
    nigh_config config = fx_config(4, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    *w = (waiting){.rows = rows, .calls_left = INT64_MIN / 2};
    for (uint32_t j = 0; j < 4; j++) {
        rows[REUSED * 4 + j] = 1000;
    }
    config.vectors = NIGH_VECTORS_EXTERNAL;
    fx_init(&w->f, &config, WAIT_N, WAIT_N, 0, 64);
    t_ok(nigh_index_fetch(w->f.index, fetch_waiting, NULL, w));
    for (uint32_t i = 0; i < WAIT_N; i++) {
        t_ok(fx_insert(&w->f, w->f.session, 0, i, NULL));
    }
    const nigh_session_options so = fx_session_options(64, 0, 0);
    w->other = fx_session(&w->f, &so);
    return rows;
}

/* The entry point is vacuumed while a search waits for its vector. */
TEST(search_beside_vacuum) {
    waiting w;
    fx_hits h;
    const float query[4] = {0};
    float *rows = waiting_open(&w);
    fx_hits_init(&h, &w.f.config, 10);
    w.victim = 0;
    uint32_t highest = 0;
    for (uint32_t id = 0; id < WAIT_N; id++) {
        uint32_t top = 0;
        t_ok(nigh_node(w.f.index, id, 0, &top, NULL, NULL, NULL));
        w.victim = top > highest ? id : w.victim; /* it became the entry point */
        highest = top > highest ? top : highest;
    }
    w.calls_left = 0;
    t_ok(fx_search(&w.f, w.f.session, query, NULL, 10, &h));
    t_eq(h.found, 10);
    for (uint32_t i = 0; i < 10; i++) {
        t_assert(h.ids[i] != w.victim);
    }
    fx_hits_drop(&h);
    free(rows);
    fx_drop(&w.f);
}

/* The slot of the nearest goes to a far key as a search asks for its last vectors; then the source
 * fails when what was found is asked for again. */
TEST(search_and_slot_of_another_key) {
    for (int fails = 0; fails < 2; fails++) {
        waiting w;
        fx_hits h;
        const float query[4] = {0};
        float *rows = waiting_open(&w);
        fx_hits_init(&h, &w.f.config, 10);
        w.calls_left = -2;
        t_ok(fx_search(&w.f, w.other, query, NULL, 10, &h));
        w.victim = h.ids[0];
        w.calls_left = (int64_t)fx_cost(w.other).fetches - 1;
        w.reuse = 1;
        w.fails = fails;
        t_is(fx_search(&w.f, w.f.session, query, NULL, 10, &h), fails ? NIGH_E_USER - 3 : NIGH_OK);
        t_assert(fails ? h.found == 0 : h.found >= 9);
        for (uint32_t i = 0; i < h.found; i++) {
            float distance = 0;
            for (uint32_t j = 0; j < 4; j++) {
                distance += rows[h.ids[i] * 4 + j] * rows[h.ids[i] * 4 + j];
            }
            t_assert(h.distances[i] > 0.999f * distance && h.distances[i] < 1.001f * distance);
        }
        fx_hits_drop(&h);
        free(rows);
        fx_drop(&w.f);
    }
}

/* With gamma a short list is no sign of trouble: a writer's handle searches as a reader's does. */
TEST(gamma_beside_a_writer) {
    enum { N = 2000, DIM = 12 };
    fx f, g;
    fx_hits h, k;
    const nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    fx_init(&f, &config, N, N, 0, 4096);
    float *rows = uniform(N + 40, DIM, 1);
    t_ok(fx_build(&f, 0, N, rows, NULL));
    fx_bytes image = fx_save(f.index, 0);
    t_ok(fx_attach(&g, image.data, image.size, 0, 0, 4096));
    fx_hits_init(&h, &f.config, 10);
    fx_hits_init(&k, &f.config, 10);
    for (uint32_t q = N; q < N + 40; q++) {
        nigh_search_options so = fx_search_options(N, 0);
        so.gamma = 0.05f;
        t_ok(fx_search(&f, f.session, rows + q * DIM, &so, 10, &h));
        t_ok(fx_search(&g, g.session, rows + q * DIM, &so, 10, &k));
        fx_same_hits(&h, &k);
        t_eq(fx_cost(f.session).distances, fx_cost(g.session).distances);
        t_eq(fx_cost(f.session).scanned, 0);
    }
    fx_hits_drop(&h);
    fx_hits_drop(&k);
    free(image.data);
    free(rows);
    fx_drop(&g);
    fx_drop(&f);
}

/* What is asked for to be scored again is there, whatever gamma says. */
TEST(gamma_and_rerank) {
    enum { N = 1500, DIM = 24 };
    for (uint32_t codes = NIGH_CODES_U7; codes <= NIGH_CODES_B1; codes++) {
        fx f;
        fx_hits h;
        nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
        config.codes = codes;
        fx_init(&f, &config, N, N, 0, 1024);
        float *rows = uniform(N + 40, DIM, 3);
        t_ok(fx_build(&f, 0, N, rows, NULL));
        fx_hits_init(&h, &f.config, 10);
        for (uint32_t q = N; q < N + 40; q++) {
            nigh_search_options so = fx_search_options(1000, 0);
            so.gamma = 0.02f;
            so.rerank = 60;
            t_ok(fx_search(&f, f.session, rows + q * DIM, &so, 10, &h));
            t_eq(fx_cost(f.session).reranked, 60);
            so.rerank = 0; /* by what is kept: what gamma would not expand is not */
            t_ok(fx_search(&f, f.session, rows + q * DIM, &so, 10, &h));
            t_eq(fx_cost(f.session).reranked, 20);
        }
        fx_hits_drop(&h);
        free(rows);
        fx_drop(&f);
    }
}

/* Every lane of a small session that writes takes the searches that the first one takes. */
TEST(lanes_of_a_small_session) {
    enum { N = 300, DIM = 8 };
    fx f;
    uint64_t keys[4 * 10];
    uint32_t found[4], done = 0;
    nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    config.expansions = 4;
    fx_init(&f, &config, N, N, 0, 64);
    float *rows = uniform(N, DIM, 1);
    t_ok(fx_build(&f, 0, N, rows, NULL));
    nigh_session_options so = fx_session_options(64, 0, NIGH_SESSION_SMALL);
    so.lanes = 2;
    nigh_session *session = fx_session(&f, &so);
    nigh_search_options o = fx_search_options(32, 0);
    o.expansions = 4;
    t_ok(
        nigh_search_batch(f.index, session, rows, 4, &o, 10, keys, NULL, NULL, NULL, found, &done));
    t_eq(done, 4);
    free(rows);
    fx_drop(&f);
}

SUITE {
    RUN(session_without_room_for_a_draft);
    RUN(session_without_room_for_codes_to_come);
    RUN(build_without_a_source);
    RUN(a_draft_that_will_not_do);
    RUN(a_refine_whose_draft_will_not_do);
    RUN(a_draft_that_will_not_do_and_fails);
    RUN(refine_after_codes);
    RUN(tasks_of_a_sample);
    RUN(span_of_nothing);
    RUN(cursor_beside_vacuum);
    RUN(fetched_slot_of_another_key);
    RUN(search_beside_vacuum);
    RUN(search_and_slot_of_another_key);
    RUN(gamma_beside_a_writer);
    RUN(gamma_and_rerank);
    RUN(lanes_of_a_small_session);
}
