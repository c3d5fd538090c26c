/* test_store_conc.c - commits beside searches and writers: each is a whole state, the last one all
 * layer T; uses: data, device, fixture
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "device.h"
#include "fixture.h"
#include "t.h"

enum { WRITERS = 2, SEARCHERS = 2, DIM = 8, EF = 32 };

static struct {
    device d;
    fx f;
    void *memory;
    nigh_store *store;
    nigh_session *sessions[WRITERS + SEARCHERS];
    uint8_t *rows;
    uint32_t slots;
    atomic_uint writing;
    atomic_uint commits;
} g;

static void *insert_all(void *argument) {
    uint32_t me = *(const uint32_t *)argument;
    for (uint32_t id = me; id < g.slots; id += WRITERS) {
        nigh_status s = NIGH_E_BUSY; /* one writing call at a time, and none beside a commit */
        while (s == NIGH_E_BUSY) {
            s = fx_insert(&g.f, g.sessions[me], 0, id, g.rows + id * g.f.row_bytes);
            sched_yield();
        }
        t_ok(s);
    }
    g.writing--;
    return NULL;
}

static void *search_on(void *argument) {
    uint32_t me = *(const uint32_t *)argument;
    fx_hits h;
    rng r = {t_seed() + me};
    nigh_search_options so = fx_search_options(EF, 0);
    fx_hits_init(&h, &g.f.config, 5);
    while (g.writing > 0) {
        const uint8_t *row = g.rows + rng_below(&r, g.slots) * g.f.row_bytes;
        t_ok(fx_search(&g.f, g.sessions[me], row, &so, 5, &h));
    }
    fx_hits_drop(&h);
    return NULL;
}

/* What is on the device is a whole index, whatever the writers are doing. */
static void commit_and_look(void) {
    nigh_status s = nigh_store_commit(g.store, g.f.index);
    t_assert(s == NIGH_OK || s == NIGH_E_BUSY);
    if (s == NIGH_OK && g.commits++ % 8 == 0) {
        fx other;
        void *memory = NULL;
        nigh_store *store = NULL;
        t_ok(device_open(&g.d, 0, &memory, &store));
        t_ok(fx_store_attach(&other, store, 0, 0, EF));
        fx_check(other.index, other.session);
        fx_drop(&other);
        free(memory);
    }
}

TEST(commits_beside_others) {
    rng r = {t_seed()};
    nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    nigh_session_options so = fx_session_options(EF, 0, 0);
    pthread_t threads[WRITERS + SEARCHERS];
    uint32_t numbers[WRITERS + SEARCHERS];
    fx other;
    memset(&g, 0, sizeof g);
    g.slots = t_small() ? 500 : 2000;
    config.block_bytes = 2048;
    config.m = 4;
    config.ef_build = 16;
    device_init(&g.d, DEVICE_DISK, 1024, 3000, 0, t_seed());
    t_ok(device_open(&g.d, NIGH_STORE_FORMAT, &g.memory, &g.store));
    fx_init(&g.f, &config, g.slots, g.slots, 0, EF);
    t_ok(nigh_store_commit(g.store, g.f.index)); /* followed: writers take turns from now on */
    g.rows = data_rows(&r, DATA_UNIFORM, config.dtype, g.slots, DIM);
    g.writing = WRITERS;
    for (uint32_t i = 0; i < WRITERS + SEARCHERS; i++) {
        g.sessions[i] = fx_session(&g.f, &so);
        numbers[i] = i;
    }
    for (uint32_t i = 0; i < WRITERS + SEARCHERS; i++) {
        void *(*work)(void *) = i < WRITERS ? insert_all : search_on;
        t_eq(pthread_create(&threads[i], NULL, work, &numbers[i]), 0);
    }
    while (g.writing > 0) {
        commit_and_look();
    }
    for (uint32_t i = 0; i < WRITERS + SEARCHERS; i++) {
        t_eq(pthread_join(threads[i], NULL), 0);
    }
    t_assert(g.commits > 0);
    t_ok(nigh_store_commit(g.store, g.f.index));
    t_ok(fx_store_attach(&other, g.store, 0, 0, EF));
    fx_check(other.index, other.session);
    fx_same_image(g.f.index, other.index);
    fx_drop(&other);
    fx_drop(&g.f);
    free(g.rows);
    free(g.memory);
    device_drop(&g.d);
}

SUITE { RUN(commits_beside_others); }
