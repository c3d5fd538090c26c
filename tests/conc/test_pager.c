/* test_pager.c - whatever several writers do at once, the pager hears of a block before it changes
 * layer T; uses: data, fixture
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Blocks are compared with how they were at the last seal: one that changed and of which the pager
 * was not told would be lost by a store that writes only dirty blocks back. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "data.h"
#include "fixture.h"
#include "t.h"

enum { THREADS = 4, DIM = 4, SLOTS = 1200, REGIONS = 8, BLOCKS = 2048, KEY_MAX = 12 };

typedef struct block {
    uint8_t *now;
    uint8_t *before; /* at the last seal */
    uint64_t bytes;
    atomic_uint told; /* since the last seal */
} block;

static struct {
    fx f;
    nigh_session *sessions[THREADS];
    block blocks[REGIONS][BLOCKS];
    uint8_t *rows;
    pthread_barrier_t barrier;
    uint32_t threads;
    uint32_t round;
} g;

static nigh_status map_block(void *user, uint32_t region, uint32_t number, uint64_t bytes,
                             void **address) {
    (void)user;
    t_assert(region < REGIONS && number < BLOCKS);
    block *b = &g.blocks[region][number];
    b->now = fx_take(&g.f, bytes);
    b->before = fx_take(&g.f, bytes);
    b->bytes = bytes;
    memset(b->now, 0, (size_t)bytes);
    memset(b->before, 0, (size_t)bytes);
    *address = b->now;
    return NIGH_OK;
}

static nigh_status dirty_block(void *user, uint32_t region, uint32_t number, uint64_t bytes,
                               void **address) {
    (void)user;
    t_assert(region < REGIONS && number < BLOCKS);
    block *b = &g.blocks[region][number];
    t_assert(bytes == b->bytes && *address == b->now);
    b->told++;
    return NIGH_OK;
}

static void compare_and_seal(const char *when) {
    uint32_t changed = 0;
    for (uint32_t region = 0; region < REGIONS; region++) {
        for (uint32_t number = 0; number < BLOCKS; number++) {
            block *b = &g.blocks[region][number];
            if (b->now != NULL && memcmp(b->now, b->before, (size_t)b->bytes) != 0) {
                changed++;
                if (b->told == 0) {
                    t_failf("%s: block %u of region %u changed untold", when, number, region);
                }
                memcpy(b->before, b->now, (size_t)b->bytes);
            }
            b->told = 0;
        }
    }
    t_assert(changed > 0);
    t_ok(nigh_seal(g.f.index));
}

static void *insert_some(void *argument) {
    uint32_t me = *(const uint32_t *)argument;
    pthread_barrier_wait(&g.barrier);
    for (uint32_t id = me; id < SLOTS - 200; id += g.threads) {
        nigh_status s = NIGH_E_BUSY; /* one writer at a time beside a pager that wants to be told */
        while (s == NIGH_E_BUSY) {
            s = fx_insert(&g.f, g.sessions[me], 0, id, g.rows + id * g.f.row_bytes);
            sched_yield();
        }
        t_ok(s);
    }
    return NULL;
}

static void *change_some(void *argument) {
    uint32_t me = *(const uint32_t *)argument;
    rng r = {t_seed() + me + 100 * g.round}; /* other changes each round */
    pthread_barrier_wait(&g.barrier);
    for (uint32_t round = 0; round < 40; round++) {
        uint64_t id = rng_below(&r, (SLOTS - 200) / g.threads) * g.threads + me;
        const uint8_t *row = g.rows + rng_below(&r, SLOTS) * g.f.row_bytes;
        uint32_t replace = round % 8 == 3 ? (uint32_t)NIGH_REPLACE_DELETED : 0;
        nigh_status s = round % 4 == 0   ? fx_set(&g.f, g.sessions[me], 0, id, row)
                        : round % 4 == 1 ? fx_remove(&g.f, g.sessions[me], id)
                        : round % 4 == 2 ? fx_unremove(&g.f, g.sessions[me], id)
                                         : fx_insert(&g.f, g.sessions[me], replace,
                                                     SLOTS + 100 * me + round, row);
        t_assert(s == NIGH_OK || s == NIGH_E_DELETED || s == NIGH_E_EXISTS ||
                 s == NIGH_E_NOT_FOUND || s == NIGH_E_BUSY);
    }
    return NULL;
}

static void all(void *(*work)(void *)) {
    pthread_t threads[THREADS];
    uint32_t numbers[THREADS];
    for (uint32_t i = 0; i < g.threads; i++) {
        numbers[i] = i;
        t_eq(pthread_create(&threads[i], NULL, work, &numbers[i]), 0);
    }
    for (uint32_t i = 0; i < g.threads; i++) {
        t_eq(pthread_join(threads[i], NULL), 0);
    }
}

static void told(uint32_t keys, int kind, uint32_t threads) {
    rng r = {t_seed()};
    nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    nigh_session_options so = fx_session_options(64, 0, 0);
    config.keys = keys;
    config.key_bytes_max = KEY_MAX;
    config.block_bytes = 256;
    config.m = 4;
    config.ef_build = 16;
    memset(&g, 0, sizeof g);
    g.threads = threads;
    fx_init(&g.f, &config, SLOTS * 4, 0, 0, 64);
    g.rows = data_rows(&r, kind, config.dtype, SLOTS, DIM);
    t_ok(nigh_index_pager(g.f.index, map_block, dirty_block, NULL));
    t_ok(nigh_grow(g.f.index, SLOTS, SLOTS * KEY_MAX, NULL, 0));
    for (uint32_t i = 0; i < THREADS; i++) {
        g.sessions[i] = fx_session(&g.f, &so);
    }
    t_eq(pthread_barrier_init(&g.barrier, NULL, threads), 0);
    all(insert_some);
    compare_and_seal("insert");
    for (g.round = 0; g.round < 5; g.round++) {
        all(change_some);
        compare_and_seal("change");
    }
    pthread_barrier_destroy(&g.barrier);
    fx_check(g.f.index, g.f.session);
    free(g.rows);
    fx_drop(&g.f);
}

TEST(one_writer) {
    for (int kind = 0; kind < DATA_COUNT; kind++) {
        told(NIGH_KEYS_U64, kind, 1);
        told(NIGH_KEYS_BYTES, kind, 1);
    }
}

TEST(several_writers) {
    for (int kind = 0; kind < DATA_COUNT; kind++) {
        told(NIGH_KEYS_U64, kind, THREADS);
        told(NIGH_KEYS_BYTES, kind, THREADS);
    }
}

SUITE {
    RUN(one_writer);
    RUN(several_writers);
}
