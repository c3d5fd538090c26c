/* test_lmdb_load.c - many indexes in a database: loaded, listed, replaced, dropped, swept
 * layer T; uses: env.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "env.h"

enum { DIM = 16, COUNT = 700, EF = 40 };

static uint8_t *vectors;
static fx built[3]; /* by kind of keys */

static void build_all(void) {
    rng r = {t_seed()};
    vectors = data_rows(&r, DATA_CLUSTERED, NIGH_DTYPE_F32, COUNT, DIM);
    for (uint32_t keys = 0; keys < 3; keys++) {
        nigh_config config = fx_config(DIM, NIGH_METRIC_COSINE, NIGH_DTYPE_F32);
        config.keys = keys;
        config.codes = keys == 0 ? NIGH_CODES_U7 : NIGH_CODES_NONE;
        config.block_bytes = 4096;
        config.key_bytes_max = 32;
        fx_init(&built[keys], &config, COUNT, COUNT, COUNT * 32, EF);
        t_ok(fx_build(&built[keys], 0, COUNT - 50 * keys, vectors, NULL));
    }
}

/* Index `id` is a copy of that one. */
static void is_copy(MDB_txn *txn, uint32_t id, uint32_t keys) {
    fx f;
    lx_open(&f, txn, id, 0, 0, 0, EF);
    fx_same_image(built[keys].index, f.index);
    lx_close(&f);
}

static uint64_t entries(void) {
    MDB_stat stat;
    MDB_txn *txn = begin(MDB_RDONLY);
    t_mdb(mdb_stat(txn, dbi, &stat));
    mdb_txn_abort(txn);
    return stat.ms_entries;
}

typedef struct watch {
    uint64_t last;
    uint64_t calls;
    uint64_t stop; /* after so many */
    uint32_t id;   /* looked at meanwhile */
    uint32_t keys;
} watch;

/* Progress rises; a reader and a writer between the transactions of the load. */
static int32_t watched(void *user, uint64_t done, uint64_t total) {
    watch *w = user;
    t_assert(done >= w->last && done <= total);
    w->last = done;
    w->calls++;
    if (w->calls % 40 == 1) {
        MDB_txn *txn = begin(MDB_RDONLY);
        (void)lx_check(txn);
        if (w->id != LMDB_NONE) {
            is_copy(txn, w->id, w->keys);
        }
        mdb_txn_abort(txn);
    }
    return w->calls == w->stop;
}

TEST(in_many_transactions) {
    env_new((uint64_t)256 << 20, MDB_NOSYNC);
    nighh_lmdb_chunk_bytes = 20000;
    for (uint32_t keys = 0; keys < 3; keys++) {
        watch w = {.id = LMDB_NONE};
        t_lmdb(nigh_lmdb_load(env, dbi, 65535 - keys, 0, built[keys].index, watched, &w, SAY));
        t_assert(w.calls > 20);
        t_is(nigh_lmdb_load(env, dbi, 65535 - keys, 0, built[0].index, NULL, NULL, SAY),
             NIGH_E_EXISTS);
    }
    for (uint32_t keys = 0; keys < 3; keys++) {
        MDB_txn *txn = begin(MDB_RDONLY);
        is_copy(txn, 65535 - keys, keys);
        mdb_txn_abort(txn);
    }
    /* another takes its place; until then readers find the old one */
    watch w = {.id = 65535, .keys = 0};
    t_lmdb(nigh_lmdb_load(env, dbi, 65535, NIGH_LMDB_REPLACE, built[1].index, watched, &w, SAY));
    MDB_txn *txn = begin(MDB_RDONLY);
    is_copy(txn, 65535, 1);
    nigh_lmdb_report report = lx_check(txn);
    t_eq(report.indexes, 3);
    t_eq(report.unfinished, 0);
    mdb_txn_abort(txn);
    env_drop();
}

TEST(given_up) {
    env_new((uint64_t)256 << 20, MDB_NOSYNC);
    nighh_lmdb_chunk_bytes = 20000;
    t_lmdb(nigh_lmdb_load(env, dbi, 1, 0, built[0].index, NULL, NULL, SAY));
    const uint64_t before = entries();
    for (uint64_t stop = 1; stop < 30; stop += 3) {
        watch w = {.stop = stop, .id = 1};
        t_is(nigh_lmdb_load(env, dbi, 1, NIGH_LMDB_REPLACE, built[1].index, watched, &w, SAY),
             NIGH_E_CANCELLED);
        t_eq(entries(), before);
    }
    MDB_txn *txn = begin(MDB_RDONLY);
    is_copy(txn, 1, 0);
    mdb_txn_abort(txn);
    env_drop();
}

TEST(no_room) {
    env_new((uint64_t)150 << 10, MDB_NOSYNC);
    nighh_lmdb_chunk_bytes = 20000;
    t_is(nigh_lmdb_load(env, dbi, 1, 0, built[0].index, NULL, NULL, SAY), NIGH_E_FULL_MAP);
    t_mdb(mdb_env_set_mapsize(env, (size_t)64 << 20));
    t_lmdb(nigh_lmdb_load(env, dbi, 1, 0, built[0].index, NULL, NULL, SAY));
    MDB_txn *txn = begin(MDB_RDONLY);
    (void)lx_check(txn);
    is_copy(txn, 1, 0);
    mdb_txn_abort(txn);
    env_drop();
}

static int die_loading(void) {
    env_open((uint64_t)256 << 20, 0);
    (void)nigh_lmdb_load(env, dbi, 1, NIGH_LMDB_REPLACE, built[1].index, watched,
                         &(watch){.id = LMDB_NONE, .stop = UINT64_MAX}, SAY);
    return 0;
}

static int32_t dies(void *user, uint64_t done, uint64_t total) {
    (void)total;
    if (done > *(uint64_t *)user) {
        _exit(77);
    }
    return 0;
}

static int die_half_way(void) {
    uint64_t at = 60000;
    env_open((uint64_t)256 << 20, 0);
    (void)nigh_lmdb_load(env, dbi, 1, NIGH_LMDB_REPLACE, built[1].index, dies, &at, SAY);
    return 1;
}

TEST(left_by_the_dead) {
    folder_new();
    nighh_lmdb_chunk_bytes = 20000;
    t_eq(in_child(die_loading), 0);
    t_eq(in_child(die_half_way), 77);
    env_open((uint64_t)256 << 20, MDB_NOSYNC);
    MDB_txn *txn = begin(MDB_RDONLY);
    nigh_lmdb_report report = lx_check(txn);
    t_eq(report.unfinished, 1);
    is_copy(txn, 1, 1);
    mdb_txn_abort(txn);
    const uint64_t before = entries();
    uint32_t swept = 0;
    txn = begin(0);
    t_lmdb(nigh_lmdb_sweep(txn, dbi, 0, &swept, SAY));
    t_mdb(mdb_txn_commit(txn));
    t_eq(swept, 1);
    t_assert(entries() < before);
    mdb_env_close(env);
    t_eq(in_child(die_half_way), 77);
    env_open((uint64_t)256 << 20, MDB_NOSYNC); /* the next load begins with it */
    t_lmdb(nigh_lmdb_load(env, dbi, 2, 0, built[2].index, NULL, NULL, SAY));
    txn = begin(MDB_RDONLY);
    report = lx_check(txn);
    t_eq(report.unfinished, 0);
    t_eq(report.indexes, 2);
    mdb_txn_abort(txn);
    env_drop();
}

TEST(many_indexes) {
    env_new((uint64_t)256 << 20, MDB_NOSYNC);
    static const uint32_t ids[] = {0, 1, 2, 255, 256, 257, 4095, 65534, 65535};
    enum { IDS = sizeof ids / sizeof ids[0] };
    nigh_lmdb_entry found[IDS + 1] = {{.struct_size = sizeof found[0]}};
    uint32_t count = 99;
    MDB_txn *txn = begin(0);
    t_lmdb(nigh_lmdb_list(txn, dbi, 0, IDS + 1, found, &count, SAY));
    t_eq(count, 0);
    for (uint32_t i = 0; i < IDS; i++) {
        t_lmdb(nigh_lmdb_import(txn, dbi, ids[IDS - 1 - i], 0, built[i % 3].index, SAY));
    }
    for (uint32_t i = 0; i < IDS; i++) {
        is_copy(txn, ids[IDS - 1 - i], i % 3);
    }
    t_lmdb(nigh_lmdb_list(txn, dbi, 0, IDS + 1, found, &count, SAY));
    t_eq(count, IDS);
    for (uint32_t i = 0; i < IDS; i++) {
        const uint32_t keys = (IDS - 1 - i) % 3;
        t_eq(found[i].id, ids[i]);
        t_assert(memcmp(&found[i].config, &built[keys].config, sizeof(nigh_config)) == 0);
        t_assert(found[i].blocks > 8 && found[i].bytes >= 4096 * found[i].blocks);
    }
    t_lmdb(nigh_lmdb_list(txn, dbi, 256, 2, found, &count, SAY));
    t_eq(count, 2);
    t_eq(found[1].id, 257);
    for (uint32_t i = 0; i < IDS; i += 2) {
        t_lmdb(nigh_lmdb_drop(txn, dbi, ids[i], SAY));
        t_is(nigh_lmdb_drop(txn, dbi, ids[i], SAY), NIGH_E_NOT_FOUND);
    }
    nigh_lmdb_report report = lx_check(txn);
    t_eq(report.indexes, IDS / 2);
    for (uint32_t i = 1; i < IDS; i += 2) {
        is_copy(txn, ids[i], (IDS - 1 - i) % 3);
    }
    t_mdb(mdb_txn_commit(txn));
    env_drop();
}

/* From one index of the environment to another, within a transaction and without. */
TEST(copied_within) {
    env_new((uint64_t)256 << 20, MDB_NOSYNC);
    fx f;
    MDB_txn *txn = begin(0);
    t_lmdb(nigh_lmdb_import(txn, dbi, 1, 0, built[0].index, SAY));
    lx_open(&f, txn, 1, 0, 0, 0, EF);
    t_lmdb(nigh_lmdb_import(txn, dbi, 2, 0, f.index, SAY));
    lx_close(&f);
    is_copy(txn, 2, 0);
    t_mdb(mdb_txn_commit(txn));
    txn = begin(MDB_RDONLY);
    lx_open(&f, txn, 2, 0, 0, 0, EF);
    t_lmdb(nigh_lmdb_load(env, dbi, 3, 0, f.index, NULL, NULL, SAY));
    lx_close(&f);
    mdb_txn_abort(txn);
    txn = begin(MDB_RDONLY);
    is_copy(txn, 3, 0);
    (void)lx_check(txn);
    mdb_txn_abort(txn);
    env_drop();
}

TEST(wrong_databases) {
    env_new((uint64_t)64 << 20, MDB_NOSYNC);
    MDB_dbi odd = 0;
    uint32_t got = 0;
    fx f;
    MDB_txn *txn = begin(0);
    t_mdb(mdb_dbi_open(txn, "odd", MDB_CREATE | MDB_DUPSORT, &odd));
    t_is(nigh_lmdb_dbi(txn, "odd", 0, &got, SAY), NIGH_E_MISMATCH);
    t_is(nigh_lmdb_dbi(txn, "none", 0, &got, SAY), NIGH_E_NOT_FOUND);
    t_is(nigh_lmdb_import(txn, odd, 0, 0, built[0].index, SAY), NIGH_E_MISMATCH);
    t_is(nigh_lmdb_open(txn, 77, 0, 0, NULL, 0, 0, &f.index, SAY), NIGH_E_INVALID);
    t_is(nigh_lmdb_open(txn, dbi, 65536, 0, NULL, 0, 0, &f.index, SAY), NIGH_E_INVALID);
    t_is(nigh_lmdb_open(txn, dbi, LMDB_NONE, 0, NULL, 0, 0, &f.index, SAY), NIGH_E_INVALID);
    t_is(nigh_lmdb_open(NULL, dbi, 0, 0, NULL, 0, 0, &f.index, SAY), NIGH_E_INVALID);
    t_is(nigh_lmdb_open(txn, dbi, 0, 8, NULL, 0, 0, &f.index, SAY), NIGH_E_INVALID);
    t_is(nigh_lmdb_prepare(NULL, SAY), NIGH_E_INVALID);
    t_is(nigh_lmdb_prepare(built[0].index, SAY), NIGH_E_INVALID);
    t_is(nigh_lmdb_load(NULL, dbi, 0, 0, built[0].index, NULL, NULL, SAY), NIGH_E_INVALID);
    t_is(nigh_lmdb_drop(txn, dbi, LMDB_NONE, SAY), NIGH_E_INVALID);
    MDB_val at = {1, "\0"};
    MDB_val value = {5, "mine!"};
    t_mdb(mdb_put(txn, rows, &at, &value, 0)); /* where the head would be */
    t_is(nigh_lmdb_import(txn, rows, 0, 0, built[0].index, SAY), NIGH_E_FORMAT);
    t_is(nigh_lmdb_dbi(txn, "rows", 0, &got, SAY), NIGH_E_FORMAT);
    mdb_txn_abort(txn);
    env_drop();
}

/* All pages of a graph without vectors, M 16, by mdb_stat: the promise of docs/DESIGN.md. */
static double overhead(uint32_t keys, uint32_t block_bytes, const uint8_t *small, uint32_t count) {
    nigh_config config = fx_config(2, NIGH_METRIC_L2, NIGH_DTYPE_U8);
    MDB_stat stat;
    fx f;
    config.m = 16;
    config.ef_build = 16;
    config.keys = keys;
    config.vectors = NIGH_VECTORS_EXTERNAL;
    config.block_bytes = block_bytes;
    fx_init(&f, &config, count, count, 0, EF);
    t_ok(nigh_index_borrow(f.index, small, f.row_bytes, count, 0));
    t_ok(fx_build(&f, 0, count, NULL, NULL));
    t_lmdb(nigh_lmdb_load(env, dbi, 0, NIGH_LMDB_REPLACE, f.index, NULL, NULL, SAY));
    fx_drop(&f);
    MDB_txn *txn = begin(MDB_RDONLY);
    t_mdb(mdb_stat(txn, dbi, &stat));
    mdb_txn_abort(txn);
    const uint64_t pages = stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
    return (double)(pages * stat.ms_psize) / count;
}

TEST(bytes_a_vector) {
    const uint32_t count = t_small() ? 4000 : 40000;
    const double more = t_small() ? 10 : 0; /* what ends of regions come to */
    rng r = {t_seed()};
    env_new((uint64_t)256 << 20, MDB_NOSYNC);
    nighh_lmdb_chunk_bytes = 1 << 20;
    uint8_t *small = data_rows(&r, DATA_UNIFORM, NIGH_DTYPE_U8, count, 2);
    t_assert(overhead(NIGH_KEYS_U64, 1 << 16, small, count) <= 170 + more);
    t_assert(overhead(NIGH_KEYS_U64, 1 << 18, small, count) <= 160 + more);
    t_assert(overhead(NIGH_KEYS_IDENTITY, 1 << 18, small, count) <= 140 + more);
    free(small);
    env_drop();
}

SUITE {
    build_all();
    RUN(bytes_a_vector);
    RUN(in_many_transactions);
    RUN(given_up);
    RUN(no_room);
    RUN(left_by_the_dead);
    RUN(many_indexes);
    RUN(copied_within);
    RUN(wrong_databases);
    for (uint32_t i = 0; i < 3; i++) {
        fx_drop(&built[i]);
    }
    free(vectors);
}
