/* test_lmdb_readers.c - two hundred readers and a writer: nobody waits, nobody sees half a change
 * layer T; uses: env.h
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The writer holds its transaction, all changes made and prepared, until every reader has begun and
 * ended a transaction of its own meanwhile: were there anything to wait for, none would get on. A
 * row of the application's tells how many commits there were, and so what the index must hold. */
#include "env.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum { DIM = 8, BATCH = 12, COMMITS = 20, COUNT = BATCH * COMMITS, K = 3, EF = 24, PROCESSES = 6 };
enum { SECONDS_MAX = 120 };

static uint8_t *vectors;
static uint64_t row_bytes;
static uint32_t reader_count;
static atomic_uint stop;
static atomic_uint rounds[200];
static atomic_uint in_order; /* readers that saw more commits than before */

static nigh_config config_of(void) {
    nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    config.block_bytes = 1024;
    config.m = 4;
    config.ef_build = 24;
    return config;
}

static uint32_t commits_of(MDB_txn *txn) {
    uint64_t key = 0;
    MDB_val at = {sizeof key, &key};
    MDB_val value = {0, NULL};
    uint32_t commits = 0;
    t_mdb(mdb_get(txn, rows, &at, &value));
    memcpy(&commits, value.mv_data, sizeof commits);
    return commits;
}

/* One reader's transaction; how many commits it saw. */
static uint32_t look(rng *r) {
    MDB_txn *txn = begin(MDB_RDONLY);
    fx f;
    fx_hits h;
    const uint32_t commits = commits_of(txn);
    const uint32_t count = commits * BATCH;
    lx_open(&f, txn, 0, 0, 0, 0, EF);
    t_eq(fx_stats(f.index).slot_count, count);
    t_eq(fx_stats(f.index).deleted_count, commits / 2); /* one goes with every second commit */
    fx_hits_init(&h, &f.config, K);
    const nigh_search_options options = fx_search_options(EF, 0);
    for (uint32_t i = 0; i < 4; i++) {
        const uint64_t id = rng_below(r, count);
        const bool removed = id % BATCH == 0 && id / BATCH % 2 == 1;
        uint8_t stored[DIM * 4];
        t_is(fx_get(&f, f.session, id, stored, NULL), removed ? NIGH_E_DELETED : NIGH_OK);
        t_assert(removed || memcmp(stored, vectors + id * row_bytes, sizeof stored) == 0);
        t_ok(fx_search(&f, f.session, vectors + id * row_bytes, &options, K, &h));
        t_eq(h.found, K);
        for (uint32_t j = 0; j < h.found; j++) {
            t_assert(h.ids[j] < count);
        }
    }
    fx_hits_drop(&h);
    lx_close(&f);
    mdb_txn_abort(txn);
    return commits;
}

static void *reader(void *argument) {
    const uint32_t me = *(const uint32_t *)argument;
    rng r = {t_seed() + me};
    uint32_t last = 0;
    uint32_t seen = 0;
    while (atomic_load(&stop) == 0) {
        const uint32_t commits = look(&r);
        t_assert(commits >= last);
        seen += commits > last;
        last = commits;
        atomic_fetch_add(&rounds[me], 1);
        usleep(5000); /* the writer wants a processor too */
    }
    atomic_fetch_add(&in_order, seen > 1);
    return NULL;
}

/* Until every reader has begun and ended a transaction since now. */
static void wait_for_readers(void) {
    const time_t begun = time(NULL);
    uint32_t before[200];
    for (uint32_t i = 0; i < reader_count; i++) {
        before[i] = atomic_load(&rounds[i]);
    }
    for (uint32_t i = 0; i < reader_count; i++) {
        while (atomic_load(&rounds[i]) < before[i] + 2) {
            t_assert(time(NULL) - begun < SECONDS_MAX);
            usleep(500);
        }
    }
}

static void commit(uint32_t commits, bool wait) {
    MDB_txn *txn = begin(0);
    fx f;
    lx_open(&f, txn, 0, NIGH_LMDB_WRITE, COUNT, 0, EF);
    for (uint64_t i = (commits - 1) * BATCH; i < commits * BATCH; i++) {
        t_ok(fx_insert(&f, f.session, 0, i, vectors + i * row_bytes));
    }
    if (commits % 2 == 0) {
        t_ok(fx_remove(&f, f.session, (commits - 1) * BATCH));
    }
    t_lmdb(nigh_lmdb_prepare(f.index, SAY));
    row_put(txn, 0, &commits, sizeof commits);
    if (wait) {
        wait_for_readers();
    }
    lx_close(&f);
    t_mdb(mdb_txn_commit(txn));
}

static void begin_all(void) {
    const nigh_config config = config_of();
    MDB_txn *txn = begin(0);
    t_lmdb(nigh_lmdb_create(txn, dbi, 0, &config, SAY));
    t_mdb(mdb_txn_commit(txn));
    commit(1, false);
}

TEST(threads) {
    pthread_t threads[200];
    uint32_t numbers[200];
    env_new((uint64_t)256 << 20, MDB_NOSYNC);
    begin_all();
    reader_count = t_small() ? 40 : 200;
    atomic_store(&stop, 0);
    for (uint32_t i = 0; i < reader_count; i++) {
        numbers[i] = i;
        t_eq(pthread_create(&threads[i], NULL, reader, &numbers[i]), 0);
    }
    for (uint32_t commits = 2; commits <= COMMITS; commits++) {
        commit(commits, commits % 3 == 0);
    }
    wait_for_readers();
    atomic_store(&stop, 1);
    for (uint32_t i = 0; i < reader_count; i++) {
        t_eq(pthread_join(threads[i], NULL), 0);
    }
    t_assert(atomic_load(&in_order) > reader_count / 2);
    lx_sound(0);
    env_drop();
}

static int read_on(void) {
    rng r = {t_seed() + (uint64_t)getpid()};
    uint32_t last = 0;
    env_open((uint64_t)256 << 20, MDB_NOSYNC);
    while (last < COMMITS) {
        const uint32_t commits = look(&r);
        if (commits < last) {
            return 1;
        }
        last = commits;
        usleep(1000);
    }
    mdb_env_close(env);
    return 0;
}

TEST(processes) {
    pid_t children[PROCESSES];
    env_new((uint64_t)256 << 20, MDB_NOSYNC);
    begin_all();
    mdb_env_close(env); /* an environment does not survive a fork */
    fflush(stdout);
    for (uint32_t i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        t_assert(children[i] >= 0);
        if (children[i] == 0) {
            t_jump = NULL; /* a failure ends the child */
            _exit(read_on());
        }
    }
    env_open((uint64_t)256 << 20, MDB_NOSYNC);
    for (uint32_t commits = 2; commits <= COMMITS; commits++) {
        commit(commits, false);
    }
    for (uint32_t i = 0; i < PROCESSES; i++) {
        int status = 0;
        t_eq(waitpid(children[i], &status, 0), children[i]);
        t_eq(status, 0);
    }
    lx_sound(0);
    env_drop();
}

SUITE {
    rng r = {t_seed()};
    vectors = data_rows(&r, DATA_UNIFORM, NIGH_DTYPE_F32, COUNT, DIM);
    t_ok(nigh_row_bytes(DIM, NIGH_DTYPE_F32, &row_bytes));
    RUN(threads);
    RUN(processes);
    free(vectors);
}
