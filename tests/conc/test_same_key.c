/* test_same_key.c - the same keys from several threads at once: one wins, no row tears
 * layer T; uses: data, fixture
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "data.h"
#include "fixture.h"
#include "t.h"

enum { THREADS = 4, DIM = 24, KEYS = 400 };
enum { PATIENCE = 100000 }; /* times that a call may answer NIGH_E_BUSY */

static struct {
    fx f;
    nigh_session *sessions[THREADS];
    pthread_barrier_t barrier;
    atomic_uint won[KEYS];
    uint32_t count;
    uint32_t rounds;
} g;

static uint32_t scaled(uint32_t full, uint32_t small) {
#ifdef __SANITIZE_THREAD__
    (void)full;
    return small;
#else
    return t_small() ? small : full;
#endif
}

/* Every element of a row says which thread wrote it: a torn one has two. */
static void row_of(uint64_t id, uint32_t thread, uint32_t round, float *row) {
    for (uint32_t i = 0; i < DIM; i++) {
        row[i] = (float)((id * 31 + i * 7) % 101) * 8 + (float)thread + (float)(round % 8) * 1024;
    }
}

/* A key that another thread is writing right now may answer NIGH_E_BUSY: asked again, it does not
 * for ever. */
static nigh_status get_again(nigh_session *session, uint64_t id, float *row) {
    nigh_status s = NIGH_E_BUSY;
    for (int i = 0; s == NIGH_E_BUSY && i < PATIENCE; i++) {
        s = fx_get(&g.f, session, id, row, NULL);
    }
    return s;
}

static void one_writer(const float *row, uint64_t id) {
    float want[DIM];
    uint32_t thread = (uint32_t)row[0] % 8, round = (uint32_t)row[0] / 1024;
    t_assert(thread < THREADS);
    row_of(id, thread, round, want);
    t_bytes(row, want, sizeof want);
}

static void open_index(uint32_t keys) {
    nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    nigh_session_options so = fx_session_options(KEYS, 0, 0);
    config.keys = keys;
    config.key_bytes_max = 16;
    config.m = 6;
    config.block_bytes = 1024;
    memset(&g, 0, sizeof g);
    g.count = scaled(KEYS, 100);
    fx_init(&g.f, &config, KEYS * 2, KEYS * 2, KEYS * 2 * 16, KEYS);
    for (int i = 0; i < THREADS; i++) {
        g.sessions[i] = fx_session(&g.f, &so);
    }
    t_eq(pthread_barrier_init(&g.barrier, NULL, THREADS), 0);
}

static void run(void *(*work)(void *)) {
    pthread_t threads[THREADS];
    uint32_t numbers[THREADS];
    for (uint32_t i = 0; i < THREADS; i++) {
        numbers[i] = i;
        t_eq(pthread_create(&threads[i], NULL, work, &numbers[i]), 0);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        t_eq(pthread_join(threads[i], NULL), 0);
    }
    pthread_barrier_destroy(&g.barrier);
}

static void all_found(void) {
    fx_hits h;
    float row[DIM];
    nigh_search_options so = fx_search_options(KEYS, 0);
    nigh_stats stats = {0};
    stats.struct_size = sizeof stats;
    fx_check(g.f.index, g.f.session);
    t_ok(nigh_stats_get(g.f.index, &stats));
    t_eq(stats.live_count, g.count);
    fx_hits_init(&h, &g.f.config, KEYS);
    for (uint64_t id = 0; id < g.count; id++) {
        t_ok(fx_get(&g.f, g.f.session, id, row, NULL));
        one_writer(row, id);
        t_ok(fx_search(&g.f, g.f.session, row, &so, 5, &h));
        t_assert(h.found == 5 && h.distances[0] == 0.0f);
    }
    fx_hits_drop(&h);
}

static void *insert_all(void *argument) {
    uint32_t me = *(const uint32_t *)argument;
    float row[DIM];
    for (uint64_t id = 0; id < g.count; id++) {
        row_of(id, me, 0, row);
        pthread_barrier_wait(&g.barrier);
        nigh_status s = fx_insert(&g.f, g.sessions[me], 0, id, row);
        t_assert(s == NIGH_OK || s == NIGH_E_EXISTS);
        g.won[id] += s == NIGH_OK;
        if (s == NIGH_E_EXISTS) { /* whoever lost sees the winner's */
            s = get_again(g.sessions[me], id, row);
            t_assert(s == NIGH_OK || s == NIGH_E_NOT_FOUND); /* claimed, but not yet there */
            if (s == NIGH_OK) {
                one_writer(row, id);
            }
        }
    }
    return NULL;
}

static void insert_once(uint32_t keys) {
    open_index(keys);
    run(insert_all);
    for (uint32_t id = 0; id < g.count; id++) {
        t_eq(g.won[id], 1);
    }
    all_found();
    fx_drop(&g.f);
}

TEST(insert_u64) { insert_once(NIGH_KEYS_U64); }

TEST(insert_bytes) { insert_once(NIGH_KEYS_BYTES); }

/* All threads set the same few keys, known or not, without any order. */
static void *set_few(void *argument) {
    uint32_t me = *(const uint32_t *)argument;
    rng r = {t_seed() * 10 + me};
    float row[DIM];
    pthread_barrier_wait(&g.barrier);
    for (uint32_t round = 0; round < g.rounds; round++) {
        uint64_t id = rng_below(&r, g.count);
        row_of(id, me, round, row);
        nigh_status s = NIGH_E_BUSY;
        for (int i = 0; s == NIGH_E_BUSY && i < PATIENCE; i++) {
            s = fx_set(&g.f, g.sessions[me], 0, id, row);
        }
        t_ok(s);
        id = rng_below(&r, g.count);
        s = get_again(g.sessions[me], id, row);
        if (s == NIGH_OK) {
            one_writer(row, id);
        } else {
            t_eq(s, NIGH_E_NOT_FOUND);
        }
    }
    return NULL;
}

TEST(set_the_same) {
    open_index(NIGH_KEYS_U64);
    g.count = 6;
    g.rounds = scaled(4000, 400);
    run(set_few);
    all_found();
    fx_drop(&g.f);
}

/* remove and unremove from everywhere: of each kind, as many succeed as the state allows. */
static nigh_status mark_again(nigh_session *session, uint64_t id, int removed) {
    nigh_status s = NIGH_E_BUSY;
    for (int i = 0; s == NIGH_E_BUSY && i < PATIENCE; i++) {
        s = removed ? fx_remove(&g.f, session, id) : fx_unremove(&g.f, session, id);
    }
    return s;
}

static void *mark_few(void *argument) {
    uint32_t me = *(const uint32_t *)argument;
    rng r = {t_seed() * 10 + me};
    pthread_barrier_wait(&g.barrier);
    for (uint32_t round = 0; round < g.rounds; round++) {
        uint64_t id = rng_below(&r, g.count);
        nigh_status s = mark_again(g.sessions[me], id, 1);
        t_assert(s == NIGH_OK || s == NIGH_E_DELETED);
        g.won[id] += s == NIGH_OK;
        id = rng_below(&r, g.count);
        s = mark_again(g.sessions[me], id, 0);
        t_assert(s == NIGH_OK || s == NIGH_E_EXISTS);
        g.won[id] -= s == NIGH_OK;
    }
    return NULL;
}

TEST(mark_the_same) {
    float row[DIM];
    open_index(NIGH_KEYS_BYTES);
    g.count = 5;
    g.rounds = scaled(4000, 400);
    for (uint64_t id = 0; id < g.count; id++) {
        row_of(id, 0, 0, row);
        t_ok(fx_insert(&g.f, g.f.session, 0, id, row));
    }
    run(mark_few);
    for (uint64_t id = 0; id < g.count; id++) { /* removes less unremoves is the state */
        t_assert(g.won[id] <= 1);
        t_is(fx_get(&g.f, g.f.session, id, row, NULL), g.won[id] ? NIGH_E_DELETED : NIGH_OK);
        if (g.won[id]) {
            t_ok(fx_unremove(&g.f, g.f.session, id));
        }
    }
    all_found();
    fx_drop(&g.f);
}

/* Every insert takes a removed slot away from the others. */
static void *replace_all(void *argument) {
    uint32_t me = *(const uint32_t *)argument;
    float row[DIM];
    pthread_barrier_wait(&g.barrier);
    for (uint64_t id = g.count + me; id < 2 * g.count; id += THREADS) {
        row_of(id, me, 0, row);
        t_ok(fx_insert(&g.f, g.sessions[me], NIGH_REPLACE_DELETED, id, row));
    }
    return NULL;
}

TEST(replace_from_everywhere) {
    float row[DIM];
    open_index(NIGH_KEYS_U64);
    for (uint64_t id = 0; id < g.count; id++) {
        row_of(id, 0, 0, row);
        t_ok(fx_insert(&g.f, g.f.session, 0, id, row));
    }
    for (uint64_t id = 0; id < g.count; id++) {
        t_ok(fx_remove(&g.f, g.f.session, id));
    }
    run(replace_all);
    nigh_stats stats = {0};
    stats.struct_size = sizeof stats;
    t_ok(nigh_stats_get(g.f.index, &stats));
    t_eq(stats.slot_count, g.count); /* each took one that was there */
    t_eq(stats.deleted_count, 0);
    fx_check(g.f.index, g.f.session);
    for (uint64_t id = 0; id < 2 * g.count; id++) {
        t_is(fx_get(&g.f, g.f.session, id, row, NULL), id < g.count ? NIGH_E_NOT_FOUND : NIGH_OK);
        if (id >= g.count) {
            one_writer(row, id);
        }
    }
    fx_drop(&g.f);
}

/* Vectors by callback: whoever gets a slot has to have planned with the vector of that slot. */
static _Thread_local uint64_t my_key;
static _Thread_local uint32_t my_slot; /* for which my key's vector was asked last */

static nigh_status fetch_row(void *user, const uint32_t *slots, const uint64_t *keys,
                             uint32_t count, void *scratch, const void **vectors) {
    (void)user;
    for (uint32_t i = 0; i < count; i++) {
        float *row = (float *)scratch + i * DIM;
        if (keys[i] == my_key) {
            my_slot = slots[i];
            sched_yield(); /* let another one have this slot */
        }
        row_of(slots[i], slots[i] % THREADS, slots[i] / 7, row);
        vectors[i] = row;
    }
    return NIGH_OK;
}

static void *insert_external(void *argument) {
    uint32_t me = *(const uint32_t *)argument, done = 0, slot = 0;
    int identity = g.f.config.keys == NIGH_KEYS_IDENTITY;
    pthread_barrier_wait(&g.barrier);
    for (uint32_t i = 0; i < g.count / THREADS; i++) {
        my_key = identity ? UINT64_MAX : 1000 + me * KEYS + i;
        t_ok(nigh_insert(g.f.index, g.sessions[me], 0, identity ? NULL : &my_key, NULL, NULL, 1,
                         &done));
        t_eq(done, 1);
        if (!identity) {
            uint32_t asked = my_slot;
            t_ok(nigh_get(g.f.index, g.sessions[me], &my_key, NULL, 1, NULL, &slot, &done));
            t_eq(slot, asked);
        }
    }
    return NULL;
}

static void external(uint32_t keys) {
    nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    nigh_session_options so = fx_session_options(KEYS, 0, 0);
    nigh_stats stats = {0};
    stats.struct_size = sizeof stats;
    memset(&g, 0, sizeof g);
    g.count = scaled(KEYS, 100);
    config.keys = keys;
    config.vectors = NIGH_VECTORS_EXTERNAL;
    config.m = 6;
    fx_init(&g.f, &config, KEYS, KEYS, 0, KEYS);
    t_ok(nigh_index_fetch(g.f.index, fetch_row, NULL, NULL));
    for (int i = 0; i < THREADS; i++) {
        g.sessions[i] = fx_session(&g.f, &so);
    }
    t_eq(pthread_barrier_init(&g.barrier, NULL, THREADS), 0);
    run(insert_external);
    fx_check(g.f.index, g.f.session);
    t_ok(nigh_stats_get(g.f.index, &stats));
    t_eq(stats.live_count, g.count);
    fx_drop(&g.f);
}

TEST(external_vectors) {
    external(NIGH_KEYS_U64);
    external(NIGH_KEYS_IDENTITY);
}

/* Save and check want no writer beside them: from inside of an insert they answer at once. */
static nigh_status busy[3];

static nigh_status fetch_and_save(void *user, const uint32_t *slots, const uint64_t *keys,
                                  uint32_t count, void *scratch, const void **vectors) {
    static float row[DIM];
    fx_bytes none = {NULL, 0, 0};
    nigh_report report = {0};
    report.struct_size = sizeof report;
    (void)user, (void)slots, (void)keys, (void)scratch;
    for (uint32_t i = 0; i < count; i++) {
        vectors[i] = row;
    }
    row[0] = 1;
    busy[0] = nigh_save(g.f.index, 0, fx_write, &none);
    busy[1] = nigh_check(g.f.index, g.sessions[0], &report);
    busy[2] = nigh_seal(g.f.index);
    return NIGH_OK;
}

TEST(busy_beside_a_writer) {
    nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    nigh_session_options so = fx_session_options(64, 0, 0);
    memset(&g, 0, sizeof g);
    config.vectors = NIGH_VECTORS_EXTERNAL;
    fx_init(&g.f, &config, 8, 8, 0, 64);
    g.sessions[0] = fx_session(&g.f, &so);
    t_ok(nigh_index_fetch(g.f.index, fetch_and_save, NULL, NULL));
    for (uint64_t id = 0; id < 4; id++) {
        memset(busy, 0, sizeof busy);
        t_ok(fx_insert(&g.f, g.f.session, 0, id, NULL));
        t_assert(busy[0] == NIGH_E_BUSY && busy[1] == NIGH_E_BUSY && busy[2] == NIGH_E_BUSY);
    }
    fx_check(g.f.index, g.f.session); /* and afterwards they work */
    fx_bytes image = fx_save(g.f.index, 0);
    free(image.data);
    fx_drop(&g.f);
}

SUITE {
    RUN(insert_u64);
    RUN(insert_bytes);
    RUN(set_the_same);
    RUN(mark_the_same);
    RUN(replace_from_everywhere);
    RUN(external_vectors);
    RUN(busy_beside_a_writer);
}
