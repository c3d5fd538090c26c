/* test_lmdb_trouble.c - what others have left: dead loads and readers, damaged entries, other pages
 * layer T; uses: env.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "env.h"

enum { DIM = 8, COUNT = 300, EF = 30 };

static uint8_t *vectors;
static uint64_t row_bytes;
static fx built;

/* ---- Loads that died ------------------------------------------------------------------------ */

static int32_t dies(void *user, uint64_t done, uint64_t total) {
    (void)user;
    if (done > total / 2) {
        _exit(77);
    }
    return 0;
}

static int die_half_way(void) {
    env_open((uint64_t)64 << 20, MDB_NOSYNC);
    nighh_lmdb_chunk_bytes = 8000;
    (void)nigh_lmdb_load(env, dbi, 1, 0, built.index, dies, NULL, SAY);
    return 1;
}

/* The record of the one load under way. */
static MDB_val loading_get(MDB_txn *txn, nighh_lmdb_key *key) {
    const nighh_lmdb_key first = nighh_lmdb_key_id(LMDB_LOADING, 0);
    MDB_cursor *cursor = NULL;
    MDB_val at = nighh_lmdb_val(&first);
    MDB_val value;
    t_mdb(mdb_cursor_open(txn, dbi, &cursor));
    t_mdb(mdb_cursor_get(cursor, &at, &value, MDB_SET_RANGE));
    t_eq(at.mv_size, first.count);
    t_eq(((const uint8_t *)at.mv_data)[0], LMDB_LOADING);
    key->count = first.count;
    memcpy(key->bytes, at.mv_data, first.count);
    mdb_cursor_close(cursor);
    return value;
}

static uint32_t sweep(void) {
    uint32_t swept = 99;
    MDB_txn *txn = begin(0);
    t_lmdb(nigh_lmdb_sweep(txn, dbi, 0, &swept, SAY));
    t_mdb(mdb_txn_commit(txn));
    return swept;
}

/* The number of the process that died is that of another one by now. */
TEST(a_number_used_again) {
    uint8_t record[LMDB_LOADING_BYTES];
    nighh_lmdb_key key;
    folder_new();
    t_eq(in_child(die_half_way), 77);
    env_open((uint64_t)64 << 20, MDB_NOSYNC);
    MDB_txn *txn = begin(0);
    const MDB_val value = loading_get(txn, &key);
    t_eq(value.mv_size, sizeof record);
    memcpy(record, value.mv_data, sizeof record);
    nighh_lmdb_store_u32(record, (uint32_t)getpid());
    MDB_val at = nighh_lmdb_val(&key);
    MDB_val mine = {sizeof record, record};
    t_mdb(mdb_put(txn, dbi, &at, &mine, 0));
    t_mdb(mdb_txn_commit(txn));
    t_eq(sweep(), 1);
    t_eq(sweep(), 0);
    txn = begin(MDB_RDONLY);
    t_eq(lx_check(txn).unfinished, 0);
    mdb_txn_abort(txn);
    env_drop();
}

static int pipe_ready[2];
static int pipe_go[2];

static int32_t waits(void *user, uint64_t done, uint64_t total) {
    bool *waited = user;
    char byte = 0;
    if (done > total / 2 && !*waited) {
        *waited = true;
        t_eq(write(pipe_ready[1], "x", 1), 1);
        t_eq(read(pipe_go[0], &byte, 1), 1);
    }
    return 0;
}

static int slow_load(void) {
    bool waited = false;
    env_open((uint64_t)64 << 20, MDB_NOSYNC);
    t_eq(chdir("/"), 0); /* the environment's path may have been relative */
    nighh_lmdb_chunk_bytes = 1; /* no transaction is open while it waits */
    return nigh_lmdb_load(env, dbi, 1, 0, built.index, waits, &waited, SAY) == NIGH_OK ? 0 : 1;
}

/* One that lives is left alone, whatever the number in its record. */
TEST(a_load_that_lives) {
    uint8_t record[LMDB_LOADING_BYTES];
    nighh_lmdb_key key;
    char byte = 0;
    int status = 0;
    folder_new();
    t_eq(pipe(pipe_ready), 0);
    t_eq(pipe(pipe_go), 0);
    fflush(stdout);
    const pid_t child = fork();
    t_assert(child >= 0);
    if (child == 0) {
        t_jump = NULL;
        close(pipe_ready[0]); /* so that it ends with this process, if a check fails */
        close(pipe_go[1]);
        _exit(slow_load());
    }
    close(pipe_ready[1]);
    close(pipe_go[0]);
    t_eq(read(pipe_ready[0], &byte, 1), 1);
    env_open((uint64_t)64 << 20, MDB_NOSYNC);
    t_eq(sweep(), 0);
    MDB_txn *txn = begin(0);
    const MDB_val value = loading_get(txn, &key);
    memcpy(record, value.mv_data, sizeof record);
    t_eq(nighh_lmdb_load_u32(record), (uint32_t)child);
    nighh_lmdb_store_u32(record, 0x7ffffffe); /* nobody's here: as from another container */
    MDB_val at = nighh_lmdb_val(&key);
    MDB_val other = {sizeof record, record};
    t_mdb(mdb_put(txn, dbi, &at, &other, 0));
    t_mdb(mdb_txn_commit(txn));
    t_eq(sweep(), 0);
    t_eq(write(pipe_go[1], "x", 1), 1);
    t_eq(waitpid(child, &status, 0), child);
    t_eq(status, 0);
    lx_sound(1);
    env_drop();
}

/* ---- Readers that died ---------------------------------------------------------------------- */

static int die_reading(void) {
    env_open((uint64_t)64 << 20, MDB_NOSYNC);
    (void)begin(MDB_RDONLY);
    return 33;
}

/* While another process has the environment open: else the next one to open it begins anew. */
TEST(dead_readers) {
    int dead = 0;
    fx f;
    env_new((uint64_t)64 << 20, MDB_NOSYNC);
    t_eq(in_child(die_reading), 33);
    t_lmdb(nigh_lmdb_load(env, dbi, 1, 0, built.index, NULL, NULL, SAY));
    t_mdb(mdb_reader_check(env, &dead));
    t_eq(dead, 0); /* the load has looked */
    t_eq(in_child(die_reading), 33);
    MDB_txn *txn = begin(0);
    lx_open(&f, txn, 1, NIGH_LMDB_WRITE, COUNT + 1, 0, EF);
    t_mdb(mdb_reader_check(env, &dead));
    t_eq(dead, 0); /* and so does a writer */
    lx_close(&f);
    mdb_txn_abort(txn);
    t_eq(in_child(die_reading), 33);
    t_mdb(mdb_reader_check(env, &dead));
    t_eq(dead, 1); /* there was something to be found */
    env_drop();
}

/* ---- Damage --------------------------------------------------------------------------------- */

static void entry_damage(MDB_txn *txn, uint32_t id) {
    const nighh_lmdb_key key = nighh_lmdb_key_id(LMDB_CATALOGUE, id);
    uint8_t bytes[1024];
    MDB_val at = nighh_lmdb_val(&key);
    MDB_val value;
    t_mdb(mdb_get(txn, dbi, &at, &value));
    t_assert(value.mv_size <= sizeof bytes);
    memcpy(bytes, value.mv_data, value.mv_size);
    bytes[9] ^= 1; /* the store's number too is wrong */
    MDB_val mine = {value.mv_size, bytes};
    t_mdb(mdb_put(txn, dbi, &at, &mine, 0));
}

static uint64_t entries(MDB_txn *txn) {
    MDB_stat stat;
    t_mdb(mdb_stat(txn, dbi, &stat));
    return stat.ms_entries;
}

static void check_is(MDB_txn *txn, uint32_t id, nigh_status status, uint32_t fault) {
    nigh_lmdb_report report = {.struct_size = sizeof report};
    t_lmdb(nigh_lmdb_check(txn, dbi, id, &report, SAY));
    t_eq(report.status, status);
    t_eq(report.fault, fault);
}

/* One damaged entry is in nobody's way but its own, and can be dropped with all its blocks. */
TEST(damaged_entries) {
    nigh_lmdb_entry found[5] = {{.struct_size = sizeof found[0]}};
    nigh_lmdb_report report = {.struct_size = sizeof report};
    uint32_t count = 0;
    fx f;
    env_new((uint64_t)64 << 20, MDB_NOSYNC);
    MDB_txn *txn = begin(0);
    for (uint32_t id = 1; id <= 4; id++) {
        t_lmdb(nigh_lmdb_import(txn, dbi, id, 0, built.index, SAY));
    }
    const uint64_t each = (entries(txn) - 1) / 4; /* less the head */
    entry_damage(txn, 2);
    entry_damage(txn, 3);
    t_lmdb(nigh_lmdb_list(txn, dbi, 0, 5, found, &count, SAY));
    t_eq(count, 4);
    for (uint32_t i = 0; i < 4; i++) {
        t_eq(found[i].id, i + 1);
        t_eq(found[i].status, i == 1 || i == 2 ? NIGH_E_CORRUPT : NIGH_OK);
        t_eq(found[i].config.dim, i == 1 || i == 2 ? 0 : DIM);
    }
    check_is(txn, 1, NIGH_OK, 0);
    check_is(txn, 2, NIGH_E_CORRUPT, 1);
    check_is(txn, NIGH_LMDB_ALL, NIGH_E_CORRUPT, 1);
    t_is(nigh_lmdb_check(txn, dbi, 9, &report, SAY), NIGH_E_NOT_FOUND);
    t_is(lx_try(&f, txn, 2, 0, 0, 0, EF), NIGH_E_CORRUPT);
    lx_open(&f, txn, 4, 0, 0, 0, EF);
    fx_same_image(built.index, f.index);
    lx_close(&f);
    t_lmdb(nigh_lmdb_drop(txn, dbi, 1, SAY));
    t_lmdb(nigh_lmdb_drop(txn, dbi, 2, SAY));
    t_is(nigh_lmdb_drop(txn, dbi, 2, SAY), NIGH_E_NOT_FOUND);
    t_eq(entries(txn), 3 * each); /* whose blocks those are is not known yet */
    t_lmdb(nigh_lmdb_drop(txn, dbi, 3, SAY));
    t_eq(entries(txn), each + 1);
    check_is(txn, NIGH_LMDB_ALL, NIGH_OK, 0);
    t_lmdb(nigh_lmdb_list(txn, dbi, 0, 5, found, &count, SAY));
    t_eq(count, 1);
    lx_open(&f, txn, 4, 0, 0, 0, EF);
    fx_same_image(built.index, f.index);
    lx_close(&f);
    mdb_txn_abort(txn);
    env_drop();
}

/* Keys of somebody else's between those of each kind are passed over: nothing behind them is
 * forgotten, and none of them goes. */
TEST(keys_of_others) {
    static const struct {
        size_t bytes;
        char *key;
    } others[] = {{1, "\1"},       {4, "\1\0\2x"}, {1, "\2"},          {3, "\2\0\0"},
                  {5, "\3\0\0\0\2"}, {1, "\4"},   {6, "\3\0\0\0\3\0"}};
    const uint32_t other_count = sizeof others / sizeof others[0];
    nigh_lmdb_entry found[5] = {{.struct_size = sizeof found[0]}};
    uint32_t count = 0;
    fx f;
    folder_new();
    t_eq(in_child(die_half_way), 77);
    env_open((uint64_t)64 << 20, MDB_NOSYNC);
    MDB_txn *txn = begin(0);
    for (uint32_t id = 1; id <= 4; id++) {
        t_lmdb(nigh_lmdb_import(txn, dbi, id, 0, built.index, SAY));
    }
    for (uint32_t i = 0; i < other_count; i++) {
        MDB_val at = {others[i].bytes, others[i].key};
        t_mdb(mdb_put(txn, dbi, &at, &at, 0));
    }
    t_lmdb(nigh_lmdb_list(txn, dbi, 0, 5, found, &count, SAY));
    t_eq(count, 4);
    t_eq(lx_check(txn).unfinished, 1);
    t_lmdb(nigh_lmdb_sweep(txn, dbi, 0, &count, SAY));
    t_eq(count, 1);
    entry_damage(txn, 2);
    t_lmdb(nigh_lmdb_drop(txn, dbi, 2, SAY));
    t_lmdb(nigh_lmdb_drop(txn, dbi, 1, SAY));
    t_eq(lx_check(txn).indexes, 2);
    for (uint32_t id = 3; id <= 4; id++) {
        lx_open(&f, txn, id, 0, 0, 0, EF);
        fx_same_image(built.index, f.index);
        lx_close(&f);
        t_lmdb(nigh_lmdb_drop(txn, dbi, id, SAY));
    }
    t_eq(entries(txn), other_count + 1); /* and the head */
    mdb_txn_abort(txn);
    env_drop();
}

/* Puts a changed copy of a block back: a byte flipped, or as many pages as it has elsewhere. */
static void block_change(MDB_txn *txn, uint32_t flip, uint32_t page_bytes) {
    const nighh_lmdb_key key = nighh_lmdb_key_block(1, 0, 1);
    static uint8_t bytes[1 << 17];
    MDB_val at = nighh_lmdb_val(&key);
    MDB_val value;
    t_mdb(mdb_get(txn, dbi, &at, &value));
    memcpy(bytes, value.mv_data, value.mv_size);
    bytes[flip] ^= flip != 0;
    const uint64_t live = nighh_lmdb_load_u32(bytes + 20);
    MDB_val mine = {(size_t)nighh_lmdb_value_bytes(page_bytes, live), bytes};
    memset(bytes + LMDB_BLOCK_HEADER + live, 0, sizeof bytes - LMDB_BLOCK_HEADER - live);
    t_mdb(mdb_put(txn, dbi, &at, &mine, 0));
}

TEST(verified_when_opened) {
    nigh_options options = {.struct_size = sizeof options, .features = t_features()};
    nigh_index *index = NULL;
    env_new((uint64_t)64 << 20, MDB_NOSYNC);
    MDB_txn *txn = begin(0);
    t_lmdb(nigh_lmdb_import(txn, dbi, 0, 0, built.index, SAY));
    for (uint32_t flags = 0; flags <= NIGH_LMDB_WRITE; flags++) {
        options.flags = NIGH_OPEN_VERIFY;
        t_lmdb(nigh_lmdb_open(txn, dbi, 0, flags, &options, 0, 0, &index, SAY));
        t_ok(nigh_close(index));
    }
    block_change(txn, LMDB_BLOCK_HEADER + 100, 4096);
    for (uint32_t flags = 0; flags <= NIGH_LMDB_WRITE; flags++) {
        options.flags = NIGH_OPEN_VERIFY;
        t_is(nigh_lmdb_open(txn, dbi, 0, flags, &options, 0, 0, &index, SAY), NIGH_E_CORRUPT);
        t_assert(strstr(message, "checksum") != NULL);
        options.flags = 0;
        t_lmdb(nigh_lmdb_open(txn, dbi, 0, flags, &options, 0, 0, &index, SAY));
        t_ok(nigh_close(index));
    }
    mdb_txn_abort(txn);
    env_drop();
}

/* A database copied from a machine with larger pages is sound, and says what it is. */
TEST(pages_of_another_size) {
    nigh_lmdb_report report = {.struct_size = sizeof report};
    fx f;
    env_new((uint64_t)64 << 20, MDB_NOSYNC);
    MDB_txn *txn = begin(0);
    t_lmdb(nigh_lmdb_import(txn, dbi, 0, 0, built.index, SAY));
    t_lmdb(nigh_lmdb_check(txn, dbi, NIGH_LMDB_ALL, &report, SAY));
    t_eq(report.other_page, 0);
    block_change(txn, 0, 65536);
    t_lmdb(nigh_lmdb_check(txn, dbi, NIGH_LMDB_ALL, &report, SAY));
    t_eq(report.status, NIGH_OK);
    t_eq(report.other_page, 1);
    for (uint32_t flags = 0; flags <= NIGH_LMDB_WRITE; flags++) {
        lx_open(&f, txn, 0, flags, 0, 0, EF);
        fx_same_image(built.index, f.index);
        lx_close(&f);
    }
    mdb_txn_abort(txn);
    env_drop();
}

SUITE {
    rng r = {t_seed()};
    nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    config.keys = NIGH_KEYS_U64;
    config.block_bytes = 4096;
    vectors = data_rows(&r, DATA_CLUSTERED, NIGH_DTYPE_F32, COUNT, DIM);
    t_ok(nigh_row_bytes(DIM, NIGH_DTYPE_F32, &row_bytes));
    fx_init(&built, &config, COUNT, COUNT, 0, EF);
    t_ok(fx_build(&built, 0, COUNT, vectors, NULL));
    RUN(a_number_used_again);
    RUN(a_load_that_lives);
    RUN(dead_readers);
    RUN(damaged_entries);
    RUN(keys_of_others);
    RUN(verified_when_opened);
    RUN(pages_of_another_size);
    fx_drop(&built);
    free(vectors);
}
