/* test_lmdb_txn.c - rows and indexes of one transaction: together or not at all, full or not
 * layer T; uses: env.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "env.h"

enum { DIM = 12, COUNT = 400, K = 5, EF = 40 };

static uint8_t *vectors;
static uint64_t row_bytes;

static nigh_config config_of(uint32_t keys) {
    nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    config.keys = keys;
    config.block_bytes = 4096;
    config.m = 6;
    config.key_bytes_max = 40;
    return config;
}

static void vectors_new(void) {
    rng r = {t_seed()};
    vectors = data_rows(&r, DATA_CLUSTERED, NIGH_DTYPE_F32, COUNT, DIM);
    t_ok(nigh_row_bytes(DIM, NIGH_DTYPE_F32, &row_bytes));
}

/* Rows of the application and vectors first .. end - 1, in the transaction. */
static void add(MDB_txn *txn, uint32_t id, uint64_t first, uint64_t end) {
    fx f;
    lx_open(&f, txn, id, NIGH_LMDB_WRITE, COUNT, COUNT * 40, EF);
    for (uint64_t i = first; i < end; i++) {
        row_put(txn, i, vectors + i * row_bytes, row_bytes); /* between changes of the index */
        t_ok(fx_insert(&f, f.session, 0, i, vectors + i * row_bytes));
    }
    t_lmdb(nigh_lmdb_prepare(f.index, SAY));
    lx_close(&f);
}

/* Committed: as many rows as vectors, each found. */
static void committed(uint32_t id, uint64_t count) {
    MDB_txn *txn = begin(MDB_RDONLY);
    fx f;
    fx_hits h;
    t_eq(row_count(txn), count);
    (void)lx_check(txn);
    lx_open(&f, txn, id, 0, 0, 0, EF);
    t_eq(fx_stats(f.index).live_count, count);
    fx_hits_init(&h, &f.config, K);
    const nigh_search_options options = fx_search_options(EF, 0);
    for (uint64_t i = 0; i < count; i += 3) {
        t_ok(fx_search(&f, f.session, vectors + i * row_bytes, &options, K, &h));
        t_assert(h.found > 0 && h.distances[0] == 0.0f);
    }
    fx_check(f.index, f.session);
    fx_hits_drop(&h);
    lx_close(&f);
    mdb_txn_abort(txn);
}

static void together(unsigned flags) {
    env_new((uint64_t)64 << 20, MDB_NOSYNC | flags);
    const nigh_config config = config_of(NIGH_KEYS_BYTES);
    MDB_txn *txn = begin(0);
    t_lmdb(nigh_lmdb_create(txn, dbi, 3, &config, SAY));
    add(txn, 3, 0, 100);
    mdb_txn_abort(txn); /* not even the index is there */
    txn = begin(MDB_RDONLY);
    fx f;
    t_is(lx_try(&f, txn, 3, 0, 0, 0, EF), NIGH_E_NOT_FOUND);
    t_eq(row_count(txn), 0);
    mdb_txn_abort(txn);
    txn = begin(0);
    t_lmdb(nigh_lmdb_create(txn, dbi, 3, &config, SAY));
    t_is(nigh_lmdb_create(txn, dbi, 3, &config, SAY), NIGH_E_EXISTS);
    add(txn, 3, 0, 50);
    add(txn, 3, 50, 100); /* another handle sees what the first one prepared */
    t_mdb(mdb_txn_commit(txn));
    committed(3, 100);
    txn = begin(0);
    add(txn, 3, 100, 300);
    mdb_txn_abort(txn);
    committed(3, 100);
    txn = begin(0);
    add(txn, 3, 100, 300);
    t_mdb(mdb_txn_commit(txn));
    committed(3, 300);
    env_drop();
}

TEST(abort_and_commit) { together(0); }
TEST(abort_and_commit_in_a_writable_map) { together(MDB_WRITEMAP); }

TEST(what_is_not_prepared_is_lost) {
    env_new((uint64_t)64 << 20, MDB_NOSYNC);
    const nigh_config config = config_of(NIGH_KEYS_U64);
    fx f;
    MDB_txn *txn = begin(0);
    t_lmdb(nigh_lmdb_create(txn, dbi, 0, &config, SAY));
    add(txn, 0, 0, 20);
    lx_open(&f, txn, 0, NIGH_LMDB_WRITE, COUNT, 0, EF);
    t_ok(fx_insert(&f, f.session, 0, 30, vectors));
    lx_close(&f);
    t_mdb(mdb_txn_commit(txn));
    committed(0, 20);
    env_drop();
}

/* Prepared, changed, prepared again, with rows of the application's between that make LMDB move
 * its dirty pages about. */
TEST(prepared_again_and_again) {
    env_new((uint64_t)256 << 20, MDB_NOSYNC);
    const nigh_config config = config_of(NIGH_KEYS_U64);
    fx f;
    MDB_txn *txn = begin(0);
    t_lmdb(nigh_lmdb_create(txn, dbi, 0, &config, SAY));
    add(txn, 0, 0, 40);
    lx_open(&f, txn, 0, NIGH_LMDB_WRITE, COUNT, 0, EF);
    static uint8_t filler[20000];
    for (uint64_t i = 40; i < 200; i++) {
        row_put(txn, i, filler, sizeof filler);
        t_ok(fx_insert(&f, f.session, 0, i, vectors + i * row_bytes));
        if (i % 7 == 0) {
            t_lmdb(nigh_lmdb_prepare(f.index, SAY));
        }
        if (i % 40 == 0) { /* a reader within the writer's transaction: what is prepared */
            fx g;
            lx_open(&g, txn, 0, 0, 0, 0, EF);
            fx_check(g.index, g.session);
            t_assert(fx_stats(g.index).live_count <= i + 1);
            t_assert(fx_stats(g.index).live_count + 7 > i);
            lx_close(&g);
        }
    }
    t_lmdb(nigh_lmdb_prepare(f.index, SAY));
    t_lmdb(nigh_lmdb_prepare(f.index, SAY)); /* nothing has changed */
    lx_close(&f);
    t_mdb(mdb_txn_commit(txn));
    committed(0, 200);
    env_drop();
}

/* A reader in the writer's own transaction keeps what was prepared when it was opened, also where
 * LMDB stores over the pages of this transaction in place. */
static void reader_within(unsigned flags) {
    env_new((uint64_t)64 << 20, MDB_NOSYNC | flags);
    const nigh_config config = config_of(NIGH_KEYS_U64);
    fx f;
    fx g;
    MDB_txn *txn = begin(0);
    t_lmdb(nigh_lmdb_create(txn, dbi, 0, &config, SAY));
    add(txn, 0, 0, 100);
    lx_open(&f, txn, 0, NIGH_LMDB_WRITE, COUNT, 0, EF);
    lx_open(&g, txn, 0, 0, 0, 0, EF);
    fx_bytes before = fx_save(g.index, 0);
    for (uint64_t i = 100; i < 140; i++) {
        t_ok(fx_insert(&f, f.session, 0, i, vectors + i * row_bytes));
    }
    t_lmdb(nigh_lmdb_prepare(f.index, SAY));
    fx_bytes after = fx_save(g.index, 0);
    t_eq(before.size, after.size);
    t_bytes(before.data, after.data, before.size);
    free(before.data);
    free(after.data);
    lx_close(&f);
    lx_close(&g);
    mdb_txn_abort(txn);
    env_drop();
}

TEST(reader_in_the_writers_transaction) { reader_within(0); }
TEST(reader_in_a_writable_map) { reader_within(MDB_WRITEMAP); }

TEST(nested_transactions_of_the_callers) {
    env_new((uint64_t)64 << 20, MDB_NOSYNC);
    const nigh_config config = config_of(NIGH_KEYS_IDENTITY);
    MDB_txn *inner = NULL;
    MDB_txn *txn = begin(0);
    t_lmdb(nigh_lmdb_create(txn, dbi, 9, &config, SAY));
    add(txn, 9, 0, 60);
    t_mdb(mdb_txn_begin(env, txn, 0, &inner));
    add(inner, 9, 60, 120);
    mdb_txn_abort(inner);
    t_mdb(mdb_txn_begin(env, txn, 0, &inner));
    add(inner, 9, 60, 90);
    t_mdb(mdb_txn_commit(inner));
    add(txn, 9, 90, 110);
    t_mdb(mdb_txn_commit(txn));
    committed(9, 110);
    env_drop();
}

TEST(one_writer_of_an_index) {
    env_new((uint64_t)64 << 20, MDB_NOSYNC);
    const nigh_config config = config_of(NIGH_KEYS_U64);
    fx a;
    fx b;
    MDB_txn *txn = begin(0);
    t_lmdb(nigh_lmdb_create(txn, dbi, 0, &config, SAY));
    lx_open(&a, txn, 0, NIGH_LMDB_WRITE, COUNT, 0, EF);
    lx_open(&b, txn, 0, NIGH_LMDB_WRITE, COUNT, 0, EF);
    t_ok(fx_insert(&a, a.session, 0, 1, vectors));
    t_ok(fx_insert(&b, b.session, 0, 2, vectors));
    t_lmdb(nigh_lmdb_prepare(b.index, SAY));
    t_is(nigh_lmdb_prepare(a.index, SAY), NIGH_E_BUSY);
    lx_close(&a);
    lx_close(&b);
    lx_open(&a, txn, 0, NIGH_LMDB_WRITE, COUNT, 0, EF);
    t_ok(fx_insert(&a, a.session, 0, 3, vectors));
    t_lmdb(nigh_lmdb_drop(txn, dbi, 0, SAY));
    t_is(nigh_lmdb_prepare(a.index, SAY), NIGH_E_NOT_FOUND);
    lx_close(&a);
    mdb_txn_abort(txn);
    env_drop();
}

TEST(readers_may_not_write) {
    env_new((uint64_t)64 << 20, MDB_NOSYNC);
    const nigh_config config = config_of(NIGH_KEYS_U64);
    fx f;
    MDB_txn *txn = begin(0);
    t_lmdb(nigh_lmdb_create(txn, dbi, 0, &config, SAY));
    add(txn, 0, 0, 10);
    t_mdb(mdb_txn_commit(txn));
    txn = begin(MDB_RDONLY);
    t_is(lx_try(&f, txn, 0, NIGH_LMDB_WRITE, 0, 0, EF), NIGH_E_READ_ONLY);
    t_is(nigh_lmdb_create(txn, dbi, 1, &config, SAY), NIGH_E_READ_ONLY);
    t_is(nigh_lmdb_drop(txn, dbi, 0, SAY), NIGH_E_READ_ONLY);
    t_is(nigh_lmdb_sweep(txn, dbi, 0, NULL, SAY), NIGH_E_READ_ONLY);
    t_is(lx_try(&f, txn, 0, 0, 50, 0, EF), NIGH_E_INVALID);
    lx_open(&f, txn, 0, 0, 0, 0, EF);
    t_is(fx_remove(&f, f.session, 7), NIGH_E_READ_ONLY);
    t_is(nigh_lmdb_prepare(f.index, SAY), NIGH_E_READ_ONLY);
    t_is(nigh_lmdb_import(txn, dbi, 2, 0, f.index, SAY), NIGH_E_READ_ONLY);
    lx_close(&f);
    mdb_txn_abort(txn);
    env_drop();
}

/* ---- Full ----------------------------------------------------------------------------------- */

static void map_full(unsigned flags) {
    env_new((uint64_t)1 << 20, MDB_NOSYNC | flags);
    const nigh_config config = config_of(NIGH_KEYS_U64);
    fx f;
    uint64_t count = 0;
    nigh_status status = NIGH_OK;
    MDB_txn *txn = begin(0);
    t_lmdb(nigh_lmdb_create(txn, dbi, 0, &config, SAY));
    t_mdb(mdb_txn_commit(txn));
    while (status == NIGH_OK) { /* ten at a time, until there is no room */
        txn = begin(0);
        lx_open(&f, txn, 0, NIGH_LMDB_WRITE, COUNT * 20, 0, EF);
        for (uint64_t i = count; i < count + 10; i++) {
            t_ok(fx_insert(&f, f.session, 0, i, vectors + i % COUNT * row_bytes));
        }
        status = nigh_lmdb_prepare(f.index, SAY);
        if (status == NIGH_OK) {
            t_mdb(mdb_txn_commit(txn));
            count += 10;
        } else {
            t_is(status, NIGH_E_FULL_MAP);
            t_assert(strstr(message, "MDB_MAP_FULL") != NULL);
            if ((flags & MDB_WRITEMAP) == 0) { /* the transaction itself is as it was */
                t_is(nigh_lmdb_prepare(f.index, SAY), NIGH_E_FULL_MAP);
                row_put(txn, 1, "one", 3);
                t_mdb(mdb_txn_commit(txn));
            } else {
                mdb_txn_abort(txn);
            }
        }
        lx_close(&f);
        t_assert(count < 10000);
    }
    t_assert(count > 100);
    lx_sound(0);
    t_mdb(mdb_env_set_mapsize(env, (size_t)64 << 20)); /* and then it goes on */
    txn = begin(0);
    lx_open(&f, txn, 0, NIGH_LMDB_WRITE, COUNT * 20, 0, EF);
    t_eq(fx_stats(f.index).live_count, count);
    t_ok(fx_insert(&f, f.session, 0, count, vectors));
    t_lmdb(nigh_lmdb_prepare(f.index, SAY));
    lx_close(&f);
    t_mdb(mdb_txn_commit(txn));
    lx_sound(0);
    env_drop();
}

TEST(full_environment) { map_full(0); }
TEST(full_environment_in_a_writable_map) { map_full(MDB_WRITEMAP); }

TEST(full_transaction) {
    env_new((uint64_t)64 << 20, MDB_NOSYNC);
    nigh_config config = config_of(NIGH_KEYS_U64);
    const uint32_t before = nighh_lmdb_blocks_max;
    uint32_t full = 0;
    uint64_t count = 0;
    config.block_bytes = 1024;
    nighh_lmdb_blocks_max = 36;
    MDB_txn *txn = begin(0);
    t_lmdb(nigh_lmdb_create(txn, dbi, 0, &config, SAY));
    while (count < COUNT) {
        fx f;
        nigh_status status = NIGH_OK;
        lx_open(&f, txn, 0, NIGH_LMDB_WRITE, COUNT, 0, EF);
        const uint64_t began = count;
        while (count < COUNT && status == NIGH_OK) {
            status = fx_insert(&f, f.session, 0, count, vectors + count * row_bytes);
            count += status == NIGH_OK;
        }
        if (status != NIGH_OK) {
            t_is(status, NIGH_E_FULL_TXN);
            fx_check(f.index, f.session); /* whole, without the one */
            full++;
        }
        t_assert(count > began);
        t_lmdb(nigh_lmdb_prepare(f.index, SAY));
        lx_close(&f);
        t_mdb(mdb_txn_commit(txn));
        txn = begin(0);
    }
    mdb_txn_abort(txn);
    t_assert(full > 3);
    nighh_lmdb_blocks_max = before;
    MDB_txn *reader = begin(MDB_RDONLY);
    fx f;
    lx_open(&f, reader, 0, 0, 0, 0, EF);
    t_eq(fx_stats(f.index).live_count, COUNT);
    nighh_lmdb_blocks_max = 36;
    txn = begin(0);
    t_is(nigh_lmdb_import(txn, dbi, 1, 0, f.index, SAY), NIGH_E_FULL_TXN);
    mdb_txn_abort(txn);
    nighh_lmdb_blocks_max = before;
    lx_close(&f);
    mdb_txn_abort(reader);
    lx_sound(0);
    env_drop();
}

SUITE {
    vectors_new();
    RUN(abort_and_commit);
    RUN(abort_and_commit_in_a_writable_map);
    RUN(what_is_not_prepared_is_lost);
    RUN(prepared_again_and_again);
    RUN(reader_in_the_writers_transaction);
    RUN(reader_in_a_writable_map);
    RUN(nested_transactions_of_the_callers);
    RUN(one_writer_of_an_index);
    RUN(readers_may_not_write);
    RUN(full_environment);
    RUN(full_environment_in_a_writable_map);
    RUN(full_transaction);
    free(vectors);
}
