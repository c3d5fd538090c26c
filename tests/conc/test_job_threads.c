/* test_job_threads.c - jobs run by several threads beside several that search; for the sanitizer
 * layer T; uses: data, fixture, jobs
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Elements are small integers, so that every distance is exact and a reader knows what is true. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#include "data.h"
#include "fixture.h"
#include "jobs.h"
#include "t.h"

enum { DIM = 20, FIRST = 60, WORKERS = 4, READERS = 3, K = 10 };

static struct {
    fx f;
    float *rows;
    uint32_t count;
    nigh_job *job;
    nigh_session *workers[WORKERS];
    nigh_session *readers[READERS];
    atomic_uint stop;
    atomic_uint searches[READERS];
    atomic_uint done; /* of the job, as far as a worker was told */
    nigh_status status[WORKERS];
    uint32_t slow; /* the vector of this slot takes its time */
} g;

static uint32_t scaled(uint32_t full, uint32_t small) {
#ifdef __SANITIZE_THREAD__
    (void)full;
    return small;
#else
    return t_small() ? small : full;
#endif
}

static float distance_of(const float *a, const float *b) {
    float sum = 0;
    for (uint32_t i = 0; i < DIM; i++) {
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    }
    return sum;
}

static nigh_status fetch(void *user, const uint32_t *slots, const uint64_t *keys, uint32_t count,
                         void *scratch, const void **vectors) {
    (void)user;
    (void)keys;
    (void)scratch;
    if (count == 1 && g.slow != 0 && slots[0] == g.slow) {
        const struct timespec a_moment = {0, 3000000};
        nanosleep(&a_moment, NULL);
    }
    for (uint32_t i = 0; i < count; i++) {
        vectors[i] = g.rows + (size_t)slots[i] * DIM;
    }
    return NIGH_OK;
}

static void *work(void *argument) {
    const uint32_t me = *(const uint32_t *)argument;
    nigh_progress progress = {0};
    nigh_status status = NIGH_OK;
    while (status == NIGH_OK && progress.state != NIGH_JOB_DONE) {
        status = fx_job_step(g.job, g.workers[me], &progress);
        g.done = (unsigned)progress.done;
        if (progress.state == NIGH_JOB_WAIT) {
            sched_yield();
        }
    }
    g.status[me] = status;
    return NULL;
}

/* Hits are true, and what was there before the job is found all the time. */
static void search_once(fx *f, nigh_session *session, fx_hits *h, uint32_t round, rng *r) {
    const uint32_t id = rng_below(r, round % 2 == 0 ? FIRST : g.count);
    const float *query = g.rows + (size_t)id * DIM;
    nigh_search_options so = fx_search_options(round % 2 == 0 ? g.count : 16 + round % 40, 0);
    so.rerank = round % 2 == 0 ? g.count : 0;
    so.expansions = 1 + round % 2;
    so.flags = round % 7 == 3 ? NIGH_SEARCH_NO_CODES : 0;
    t_ok(fx_search(f, session, query, &so, K, h));
    t_assert(h->found == K);
    for (uint32_t i = 0; i < h->found; i++) {
        t_assert(h->ids[i] < g.count && h->slots[i] == h->ids[i]);
        t_assert(h->distances[i] == distance_of(query, g.rows + h->ids[i] * DIM));
        t_assert(i == 0 || h->distances[i - 1] <= h->distances[i]);
    }
    t_assert(round % 2 != 0 || h->distances[0] == 0.0f);
    if (round % 5 == 4) {
        nigh_status status = nigh_cursor_begin(f->index, session, query, &so);
        for (uint32_t page = 0; status == NIGH_OK && page < 4; page++) {
            status = fx_next(f, session, 5, h);
        }
        t_ok(status);
    }
}

/* What describes the index is never half of one state and half of another. */
static void look_once(const fx *f) {
    const nigh_stats stats = fx_stats(f->index);
    nigh_config config = {.struct_size = sizeof config};
    uint64_t bytes = 0;
    t_ok(nigh_config_get(f->index, &config));
    t_ok(nigh_save_bytes(f->index, 0, &bytes));
    t_eq(stats.slot_capacity, g.count);
    t_assert(stats.codes <= NIGH_CODES_B1 && config.codes <= NIGH_CODES_B1);
    t_assert(config.code_max == -config.code_min);
    t_assert(config.code_max == (config.codes == NIGH_CODES_NONE ? 0 : 20));
    t_assert(bytes > 512 && stats.image_bytes > 512);
}

static void *read(void *argument) {
    const uint32_t me = *(const uint32_t *)argument;
    rng r = {t_seed() * 100 + me};
    fx_hits h;
    fx_hits_init(&h, &g.f.config, K);
    for (uint32_t round = 0; !g.stop || round < 10; round++) {
        search_once(&g.f, g.readers[me], &h, round, &r);
        look_once(&g.f);
        g.searches[me]++;
    }
    fx_hits_drop(&h);
    return NULL;
}

static void rows_make(uint32_t count) {
    rng r = {t_seed()};
    g.count = count;
    g.rows = fx_malloc((uint64_t)count * DIM * sizeof *g.rows);
    for (uint32_t i = 0; i < count * DIM; i++) {
        g.rows[i] = (float)rng_below(&r, 41) - 20;
    }
}

static void open_index(uint32_t codes, int fetched, uint32_t count, int begun) {
    nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    memset(&g.f, 0, sizeof g.f);
    config.codes = codes;
    config.code_min = codes == NIGH_CODES_NONE ? 0 : -20;
    config.code_max = codes == NIGH_CODES_NONE ? 0 : 20;
    config.m = 6;
    config.vectors = fetched ? NIGH_VECTORS_EXTERNAL : NIGH_VECTORS_OWNED;
    fx_init(&g.f, &config, count, count, 0, count);
    if (fetched) {
        t_ok(nigh_index_fetch(g.f.index, fetch, NULL, NULL));
    }
    for (uint32_t id = 0; id < (begun ? FIRST : 0); id++) {
        t_ok(fx_insert(&g.f, g.f.session, 0, id, fetched ? NULL : g.rows + (size_t)id * DIM));
    }
}

static void make_sessions(void) {
    nigh_session_options so = fx_session_options(g.count > 512 ? g.count : 512, 0, 0);
    for (uint32_t i = 0; i < WORKERS; i++) {
        g.workers[i] = fx_session(&g.f, &so);
    }
    for (uint32_t i = 0; i < READERS; i++) {
        so.flags = NIGH_SESSION_READ | (i == 1 ? NIGH_SESSION_SMALL : 0);
        so.frontier_max = g.count + 1;
        so.ef_max = g.count;
        g.readers[i] = fx_session(&g.f, &so);
    }
}

static void start(pthread_t *threads, uint32_t *numbers, uint32_t count, void *(*run)(void *)) {
    for (uint32_t i = 0; i < count; i++) {
        numbers[i] = i;
        t_eq(pthread_create(&threads[i], NULL, run, &numbers[i]), 0);
    }
}

static void join(pthread_t *threads, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        t_eq(pthread_join(threads[i], NULL), 0);
    }
}

static void run_workers(uint32_t count) {
    pthread_t threads[WORKERS];
    uint32_t numbers[WORKERS];
    start(threads, numbers, count, work);
    join(threads, count);
    for (uint32_t i = 0; i < count; i++) {
        t_ok(g.status[i]);
    }
    t_ok(nigh_job_end(g.job));
}

static void build(uint32_t workers, int fetched, int begun) {
    const nigh_job_options o = fx_job_options(NIGH_JOB_BUILD);
    const uint32_t first = begun ? FIRST : 0;
    const float *rows = fetched ? NULL : g.rows + (size_t)first * DIM;
    fx_keys keys = fx_keys_from(&g.f.config, first, g.count - first);
    t_ok(fx_job_begin(&g.f, &o, &keys, rows, g.count - first, &g.job));
    run_workers(workers);
    t_eq(g.done, g.count - first);
    fx_keys_drop(&keys);
    fx_check(g.f.index, g.f.session);
}

static void bytes_by_threads(uint32_t codes, int fetched, int begun) {
    fx_bytes want = {NULL, 0, 0};
    rows_make(scaled(3000, 700));
    for (uint32_t workers = 1; workers <= WORKERS; workers *= 2) {
        open_index(codes, fetched, g.count, begun);
        make_sessions();
        build(workers, fetched, begun);
        fx_same_as_first(&want, fx_save(g.f.index, 0));
        fx_drop(&g.f);
    }
    free(want.data);
    free(g.rows);
}

TEST(one_set_of_bytes) {
    for (uint32_t codes = NIGH_CODES_NONE; codes <= NIGH_CODES_B1; codes++) {
        bytes_by_threads(codes, 0, 0);
        bytes_by_threads(codes, 1, codes != NIGH_CODES_U7);
    }
}

/* Several that build, several that search. */
TEST(search_beside_build) {
    for (uint32_t codes = NIGH_CODES_NONE; codes <= NIGH_CODES_U7; codes++) {
        for (int fetched = 0; fetched < 2; fetched++) {
            pthread_t threads[READERS];
            uint32_t numbers[READERS];
            rows_make(scaled(3000, 500));
            open_index(codes, fetched, g.count, 1);
            make_sessions();
            g.stop = 0;
            start(threads, numbers, READERS, read);
            build(2, fetched, 1);
            g.stop = 1;
            join(threads, READERS);
            t_assert(g.searches[0] >= 10);
            free(g.rows);
            fx_drop(&g.f);
        }
    }
}

/* Links are chosen anew, on a draft or on codes, under those that search. */
TEST(search_beside_refine) {
    for (uint32_t codes = NIGH_CODES_NONE; codes <= NIGH_CODES_U7; codes++) {
        fx_bytes want = {NULL, 0, 0};
        rows_make(scaled(2000, 400));
        for (uint32_t workers = 1; workers <= WORKERS; workers *= 2) {
            const nigh_job_options o = fx_job_options(NIGH_JOB_REFINE);
            pthread_t threads[READERS];
            uint32_t numbers[READERS];
            open_index(codes, workers == 2, g.count, 1);
            make_sessions();
            build(1, workers == 2, 1);
            g.stop = 0;
            start(threads, numbers, READERS, read);
            t_ok(fx_job_begin(&g.f, &o, NULL, NULL, 0, &g.job));
            run_workers(workers);
            g.stop = 1;
            join(threads, READERS);
            fx_check(g.f.index, g.f.session);
            fx_same_as_first(&want, fx_save(g.f.index, NIGH_SAVE_GRAPH_ONLY));
            fx_drop(&g.f);
        }
        free(want.data);
        free(g.rows);
    }
}

/* Codes are made, dropped and made anew under those that search. */
TEST(search_beside_codes) {
    for (uint32_t codes = NIGH_CODES_U7; codes <= NIGH_CODES_B1; codes++) {
        pthread_t threads[READERS];
        uint32_t numbers[READERS];
        rows_make(scaled(3000, 500));
        open_index(codes, 0, g.count, 1);
        make_sessions();
        build(2, 0, 1);
        if (fx_stats(g.f.index).codes == NIGH_CODES_NONE) { /* bits want a sample */
            t_ok(fx_codes(&g.f, codes, -20, 20));
        }
        fx_bytes want = fx_save(g.f.index, 0);
        g.stop = 0;
        start(threads, numbers, READERS, read);
        for (uint32_t round = 0; round < scaled(30, 6); round++) {
            nigh_job_options o = fx_job_options(NIGH_JOB_CODES);
            o.codes = round % 2 == 0 ? (uint32_t)NIGH_CODES_NONE : codes;
            o.code_min = round % 2 == 0 ? 0 : -20;
            o.code_max = round % 2 == 0 ? 0 : 20;
            t_ok(fx_job_begin(&g.f, &o, NULL, NULL, 0, &g.job));
            run_workers(1 + round % WORKERS);
            for (uint32_t i = 0; i < READERS; i++) { /* whoever searched on what was, is through */
                const unsigned before = g.searches[i];
                while (g.searches[i] < before + 2) {
                    sched_yield();
                }
            }
        }
        g.stop = 1;
        join(threads, READERS);
        fx_bytes image = fx_save(g.f.index, 0);
        t_eq(image.size, want.size);
        t_bytes(image.data, want.data, want.size);
        free(image.data);
        free(want.data);
        free(g.rows);
        fx_drop(&g.f);
    }
}

/* Sessions are made while codes are published and dropped: in what was asked for, and no more. */
static void *open_sessions(void *argument) {
    enum { GUARD = 64 };
    const nigh_session_options so = fx_session_options(64, 0, *(const uint32_t *)argument % 2);
    for (uint32_t round = 0; !g.stop || round < 10; round++) {
        uint64_t bytes = 0;
        nigh_session *session = NULL;
        t_ok(nigh_session_bytes(g.f.index, &so, &bytes));
        uint8_t *memory = aligned_alloc(64, (size_t)(bytes + 63) / 64 * 64 + GUARD);
        t_assert(memory != NULL);
        memset(memory + bytes, 0xa5, GUARD);
        nigh_status status = nigh_session_init(g.f.index, &so, memory, bytes, &session);
        t_assert(status == NIGH_OK || status == NIGH_E_MEMORY); /* codes came in between */
        for (uint32_t i = 0; i < GUARD; i++) {
            t_eq(memory[bytes + i], 0xa5);
        }
        free(memory);
        g.searches[*(const uint32_t *)argument]++;
    }
    return NULL;
}

TEST(sessions_beside_codes) {
    pthread_t threads[READERS];
    uint32_t numbers[READERS];
    rows_make(scaled(400, 150));
    open_index(NIGH_CODES_U7, 0, g.count, 1);
    make_sessions();
    build(2, 0, 1);
    g.stop = 0;
    start(threads, numbers, READERS, open_sessions);
    for (uint32_t round = 0; round < scaled(400, 40); round++) {
        nigh_job_options o = fx_job_options(NIGH_JOB_CODES);
        o.codes = round % 2 == 0 ? NIGH_CODES_NONE : NIGH_CODES_U7;
        t_ok(fx_job_begin(&g.f, &o, NULL, NULL, 0, &g.job));
        run_workers(1);
    }
    g.stop = 1;
    join(threads, READERS);
    free(g.rows);
    fx_drop(&g.f);
}

/* Room is given while codes are published and dropped: what there is of it never shrinks below what
 * all regions have, and ends as asked for. */
TEST(growth_beside_codes) {
    enum { STEP = 40 };
    nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    rows_make(scaled(400, 150));
    memset(&g.f, 0, sizeof g.f);
    config.m = 6;
    config.block_bytes = 512;
    const uint32_t rounds = scaled(40, 12), most = g.count + STEP * rounds;
    fx_init(&g.f, &config, most, g.count, 0, 64);
    for (uint32_t id = 0; id < g.count; id++) {
        t_ok(fx_insert(&g.f, g.f.session, 0, id, g.rows + (size_t)id * DIM));
    }
    for (uint32_t round = 0; round < rounds; round++) {
        pthread_t threads[1];
        uint32_t numbers[1];
        nigh_job_options o = fx_job_options(NIGH_JOB_CODES);
        const nigh_session_options so = fx_session_options(64, 0, 0);
        o.codes = round % 2 == 0 ? NIGH_CODES_U7 : NIGH_CODES_NONE;
        g.workers[0] = fx_session(&g.f, &so);
        t_ok(fx_job_begin(&g.f, &o, NULL, NULL, 0, &g.job));
        start(threads, numbers, 1, work);
        for (uint32_t slots = STEP / 4; slots <= STEP; slots += STEP / 4) {
            uint64_t bytes = 0;
            const uint32_t all = g.count + STEP * round + slots;
            t_ok(nigh_grow_bytes(g.f.index, all, 0, &bytes));
            const nigh_status status = nigh_grow(g.f.index, all, 0, fx_take(&g.f, bytes), bytes);
            /* Codes that came in between want more; cut blocks of theirs wait for the job. */
            t_assert(status == NIGH_OK || status == NIGH_E_MEMORY || status == NIGH_E_BUSY);
            t_assert(fx_stats(g.f.index).slot_capacity >= g.count);
        }
        join(threads, 1);
        t_ok(g.status[0]);
        t_ok(nigh_job_end(g.job));
        fx_grow(&g.f, g.count + STEP * (round + 1), 0); /* codes are short of it, or none are */
        t_assert(fx_stats(g.f.index).slot_capacity >= g.count + STEP * (round + 1));
        nigh_session *checks = fx_session(&g.f, &so);
        fx_check(g.f.index, checks);
    }
    free(g.rows);
    fx_drop(&g.f);
}

/* Of several bad vectors the first one counts, whoever met which of them first. */
TEST(first_bad_one) {
    for (uint32_t round = 0; round < scaled(40, 10); round++) {
        const nigh_job_options o = fx_job_options(NIGH_JOB_BUILD);
        pthread_t threads[WORKERS];
        uint32_t numbers[WORKERS];
        rows_make(1500);
        const uint32_t first = 1380 + round; /* batches of three tasks there */
        for (uint32_t i = first; i < g.count; i += 4) {
            g.rows[i * DIM + 3] = HUGE_VALF;
        }
        open_index(NIGH_CODES_NONE, 1, g.count, 0);
        make_sessions();
        g.slow = first;
        fx_keys keys = fx_keys_from(&g.f.config, 0, g.count);
        t_ok(fx_job_begin(&g.f, &o, &keys, NULL, g.count, &g.job));
        start(threads, numbers, WORKERS, work);
        join(threads, WORKERS);
        for (uint32_t i = 0; i < WORKERS; i++) {
            t_is(g.status[i], NIGH_E_VECTOR);
        }
        t_ok(nigh_job_end(g.job));
        g.slow = 0;
        t_eq(g.done, first);
        t_eq(fx_stats(g.f.index).live_count, first);
        fx_check(g.f.index, g.f.session);
        fx_keys_drop(&keys);
        free(g.rows);
        fx_drop(&g.f);
    }
}

/* Writers beside a job are told to come back; afterwards they do. */
static void *insert_meanwhile(void *argument) {
    nigh_session *session = g.workers[2];
    uint32_t *busy = argument;
    nigh_status status = NIGH_E_BUSY;
    while (status == NIGH_E_BUSY) {
        status = fx_set(&g.f, session, 0, 3, g.rows + 3 * DIM);
        *busy += status == NIGH_E_BUSY;
        sched_yield();
    }
    t_ok(status);
    return NULL;
}

TEST(writers_wait) {
    pthread_t thread;
    uint32_t busy = 0;
    nigh_progress progress = {0};
    const nigh_job_options o = fx_job_options(NIGH_JOB_BUILD);
    rows_make(scaled(2000, 300));
    open_index(NIGH_CODES_NONE, 0, g.count, 1);
    make_sessions();
    fx_keys keys = fx_keys_from(&g.f.config, FIRST, g.count - FIRST);
    t_ok(fx_job_begin(&g.f, &o, &keys, g.rows + (size_t)FIRST * DIM, g.count - FIRST, &g.job));
    t_eq(pthread_create(&thread, NULL, insert_meanwhile, &busy), 0);
    t_ok(fx_job_finish(g.job, g.workers, 2, 1, &progress));
    t_eq(pthread_join(thread, NULL), 0);
    fx_check(g.f.index, g.f.session);
    t_eq(fx_stats(g.f.index).live_count, g.count);
    fx_keys_drop(&keys);
    free(g.rows);
    fx_drop(&g.f);
}

SUITE {
    RUN(one_set_of_bytes);
    RUN(search_beside_build);
    RUN(search_beside_refine);
    RUN(search_beside_codes);
    RUN(sessions_beside_codes);
    RUN(growth_beside_codes);
    RUN(first_bad_one);
    RUN(writers_wait);
}
