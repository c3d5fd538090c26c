/* test_lmdb_kill.c - a writer killed at any moment: the state is one that was committed
 * layer T; uses: env.h
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A child inserts, removes, updates and loads in transactions and is killed (SIGKILL) after a
 * random time. Each transaction also stores, as a row of the application's, how many there were and
 * the checksum of the image that the index then has: what is found must be that image, and sound.
 * NIGH_TEST_KILLS sets how often; 200 is what a release wants. */
#include "env.h"

#include <time.h>

enum { DIM = 10, POOL = 3000, EF = 24, KEY_MAX = 20, LOADED = 300 };

static uint8_t *vectors;
static uint64_t row_bytes;
static fx loaded; /* what the child loads under another number */
static uint32_t killed_open; /* kills that met a transaction or a load under way */

static nigh_config config_of(void) {
    nigh_config config = fx_config(DIM, NIGH_METRIC_COSINE, NIGH_DTYPE_F32);
    config.keys = NIGH_KEYS_BYTES;
    config.key_bytes_max = KEY_MAX;
    config.block_bytes = 4096;
    config.m = 5;
    config.ef_build = 24;
    return config;
}

typedef struct row {
    uint32_t commits;
    uint32_t checksum; /* of the image */
} row;

static row row_get(MDB_txn *txn) {
    uint64_t key = 1;
    MDB_val at = {sizeof key, &key};
    MDB_val value = {0, NULL};
    row found = {0, 0};
    const int result = mdb_get(txn, rows, &at, &value);
    if (result == MDB_SUCCESS) {
        memcpy(&found, value.mv_data, sizeof found);
    }
    return found;
}

static void change(fx *f, rng *r) {
    for (uint32_t i = 0, n = 1 + rng_below(r, 12); i < n; i++) {
        const uint64_t id = rng_below(r, POOL);
        const uint8_t *vector = vectors + rng_below(r, POOL) * row_bytes;
        const uint32_t what = rng_below(r, 8);
        const nigh_status s = what < 5   ? fx_insert(f, f->session, 0, id, vector)
                              : what < 7 ? fx_remove(f, f->session, id)
                                         : fx_set(f, f->session, 0, id, vector);
        t_assert(s == NIGH_OK || s == NIGH_E_EXISTS || s == NIGH_E_DELETED ||
                 s == NIGH_E_NOT_FOUND);
    }
}

/* Never ends by itself. */
static void work(uint64_t seed) {
    rng r = {seed};
    nighh_lmdb_chunk_bytes = 30000;
    /* What a process leaves in the system's cache outlives it: more transactions to be killed in
     * than with a sync for each. */
    env_open((uint64_t)1 << 30, MDB_NOSYNC);
    for (;;) {
        fx f;
        MDB_txn *txn = begin(0);
        row now = row_get(txn);
        const uint32_t slots = POOL + now.commits * 12;
        lx_open(&f, txn, 0, NIGH_LMDB_WRITE, slots, (uint64_t)slots * KEY_MAX, EF);
        change(&f, &r);
        t_lmdb(nigh_lmdb_prepare(f.index, SAY));
        now.commits++;
        now.checksum = image_sum(f.index);
        row_put(txn, 1, &now, sizeof now);
        lx_close(&f);
        t_mdb(mdb_txn_commit(txn));
        if (now.commits % 16 == 0) {
            t_lmdb(nigh_lmdb_load(env, dbi, 1, NIGH_LMDB_REPLACE, loaded.index, NULL, NULL, SAY));
        }
    }
}

static void kill_one(uint64_t seed) {
    rng r = {seed};
    const struct timespec pause = {0, (long)(1 + rng_below(&r, 60)) * 1000000};
    int status = 0;
    fflush(stdout);
    const pid_t child = fork();
    t_assert(child >= 0);
    if (child == 0) {
        t_jump = NULL;
        work(seed);
    }
    nanosleep(&pause, NULL);
    t_eq(kill(child, SIGKILL), 0);
    t_eq(waitpid(child, &status, 0), child);
    t_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL); /* it did not fail before */
}

static uint32_t look(uint32_t commits_before) {
    int dead = 0;
    fx f;
    env_open((uint64_t)1 << 30, 0);
    t_mdb(mdb_reader_check(env, &dead));
    MDB_txn *txn = begin(MDB_RDONLY);
    const nigh_lmdb_report report = lx_check(txn);
    const row now = row_get(txn);
    killed_open += report.unfinished != 0;
    t_assert(report.unfinished <= 1); /* every load sweeps the last one's */
    t_assert(now.commits >= commits_before);
    lx_open(&f, txn, 0, 0, 0, 0, EF);
    fx_check(f.index, f.session);
    t_assert(now.commits == 0 || image_sum(f.index) == now.checksum);
    lx_close(&f);
    if (lx_try(&f, txn, 1, 0, 0, 0, EF) == NIGH_OK) {
        fx_same_image(loaded.index, f.index);
        lx_close(&f);
    }
    mdb_txn_abort(txn);
    mdb_env_close(env);
    return now.commits;
}

TEST(killed) {
    const char *text = getenv("NIGH_TEST_KILLS");
    const uint32_t kills = text != NULL ? (uint32_t)atoi(text) : 20;
    const nigh_config config = config_of();
    uint32_t commits = 0;
    env_new((uint64_t)1 << 30, 0);
    MDB_txn *txn = begin(0);
    t_lmdb(nigh_lmdb_create(txn, dbi, 0, &config, SAY));
    t_mdb(mdb_txn_commit(txn));
    mdb_env_close(env); /* an environment does not survive a fork */
    for (uint32_t i = 0; i < kills; i++) {
        kill_one(t_seed() + i);
        commits = look(commits);
    }
    printf("%u kills, %u commits, %u within a load\n", kills, commits, killed_open);
    t_assert(commits > kills / 4);
    folder_drop();
}

SUITE {
    rng r = {t_seed()};
    nigh_config config = config_of();
    vectors = data_rows(&r, DATA_CLUSTERED, NIGH_DTYPE_F32, POOL, DIM);
    t_ok(nigh_row_bytes(DIM, NIGH_DTYPE_F32, &row_bytes));
    fx_init(&loaded, &config, LOADED, LOADED, LOADED * KEY_MAX * 2, EF);
    fx_insert_many(&loaded, 0, LOADED, vectors);
    RUN(killed);
    fx_drop(&loaded);
    free(vectors);
}
