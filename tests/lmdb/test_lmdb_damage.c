/* test_lmdb_damage.c - whatever the values hold, an error or answers, never memory of others
 * layer T; uses: env.h
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Values are damaged at random, some with checksums that hold again, in a transaction that is
 * aborted in the end: what it has changed is read in memory of the handle's, of each block's size,
 * where the address sanitizer sees a read beyond it. */
#include "env.h"

enum { DIM = 9, COUNT = 300, EF = 30, K = 4, ENTRY = 544, KEY_MAX = 30 };

static uint8_t *vectors;
static uint64_t row_bytes;
static uint32_t opened;
static uint32_t refused;
static uint32_t told; /* by nigh_lmdb_check */

static void store(uint32_t id, uint32_t keys, uint32_t codes) {
    nigh_config config = fx_config(DIM, NIGH_METRIC_COSINE, NIGH_DTYPE_F32);
    fx f;
    config.keys = keys;
    config.codes = codes;
    config.m = 4;
    config.block_bytes = 2048;
    config.key_bytes_max = KEY_MAX;
    fx_init(&f, &config, COUNT, COUNT, COUNT * KEY_MAX, EF);
    t_ok(fx_build(&f, 0, COUNT, vectors, NULL));
    t_lmdb(nigh_lmdb_load(env, dbi, id, NIGH_LMDB_REPLACE, f.index, NULL, NULL, SAY));
    fx_drop(&f);
}

/* All that a user does with an index that could be opened. */
static void use(fx *f, bool writes) {
    const nigh_search_options options = fx_search_options(EF, 0);
    nigh_report report = {.struct_size = sizeof report};
    const uint32_t slots = fx_stats(f->index).slot_count;
    fx_hits h;
    fx_hits_init(&h, &f->config, K);
    for (uint32_t i = 0; i < 4 && f->row_bytes == row_bytes; i++) {
        (void)fx_search(f, f->session, vectors + i * 31 * row_bytes, &options, K, &h);
        for (uint32_t j = 0; j < h.found; j++) {
            t_assert(h.slots[j] < slots);
        }
        uint8_t row[DIM * 4];
        (void)fx_get(f, f->session, i * 17, row, NULL);
    }
    fx_hits_drop(&h);
    t_ok(nigh_check(f->index, f->session, &report));
    if (writes && f->row_bytes == row_bytes) {
        for (uint32_t i = 0; i < 6; i++) {
            (void)fx_insert(f, f->session, 0, 1000 + i, vectors + i * 7 * row_bytes);
            (void)fx_remove(f, f->session, i * 11);
            (void)fx_set(f, f->session, 0, i * 13, vectors + i * 5 * row_bytes);
        }
        (void)nigh_lmdb_prepare(f->index, SAY);
    }
}

static void damaged(MDB_txn *txn, uint32_t id) {
    nigh_lmdb_report report = {.struct_size = sizeof report};
    fx f;
    const nigh_status checked = nigh_lmdb_check(txn, dbi, NIGH_LMDB_ALL, &report, SAY);
    t_assert(checked == NIGH_OK || checked == NIGH_E_FORMAT); /* the head itself */
    told += checked != NIGH_OK || report.status != NIGH_OK;
    for (uint32_t flags = 0; flags <= NIGH_LMDB_WRITE; flags++) {
        const uint32_t slots = flags != 0 ? COUNT + 50 : 0;
        const nigh_status status = lx_try(&f, txn, id, flags, slots, slots * KEY_MAX, EF);
        if (status != NIGH_OK) {
            refused++;
            t_assert(message[0] != 0);
            continue;
        }
        opened++;
        use(&f, flags != 0);
        lx_close(&f);
    }
    (void)nigh_lmdb_drop(txn, dbi, id, SAY);
}

/* A copy of the n-th value of the database, with its key. */
static void value_at(MDB_txn *txn, uint32_t n, nighh_lmdb_key *key, uint8_t **bytes,
                     size_t *size) {
    MDB_cursor *cursor = NULL;
    MDB_val at;
    MDB_val value;
    t_mdb(mdb_cursor_open(txn, dbi, &cursor));
    t_mdb(mdb_cursor_get(cursor, &at, &value, MDB_FIRST));
    for (uint32_t i = 0; i < n; i++) {
        t_mdb(mdb_cursor_get(cursor, &at, &value, MDB_NEXT));
    }
    key->count = (uint32_t)at.mv_size;
    memcpy(key->bytes, at.mv_data, at.mv_size);
    *size = value.mv_size;
    *bytes = fx_malloc(value.mv_size + 4096);
    memcpy(*bytes, value.mv_data, value.mv_size);
    mdb_cursor_close(cursor);
}

/* Checksums that hold for what is there. */
static void seal(const nighh_lmdb_key *key, uint8_t *bytes, size_t size) {
    if (key->bytes[0] == LMDB_BLOCK && size >= LMDB_BLOCK_HEADER) {
        const uint32_t live = nighh_lmdb_load_u32(bytes + 20);
        if (live <= size - LMDB_BLOCK_HEADER) {
            nighh_lmdb_store_u32(bytes + 4, nighh_lmdb_checksum(bytes + LMDB_BLOCK_HEADER, live));
        }
    } else if (key->bytes[0] == LMDB_CATALOGUE && size == ENTRY) {
        nighh_lmdb_store_u32(bytes + 32 + 508, nighh_lmdb_checksum(bytes + 32, 508));
        nighh_lmdb_store_u32(bytes + 4, nighh_lmdb_checksum(bytes + 8, ENTRY - 8));
    }
}

static void put(MDB_txn *txn, const nighh_lmdb_key *key, const uint8_t *bytes, size_t size) {
    MDB_val at = nighh_lmdb_val(key);
    MDB_val value = {size, (void *)(uintptr_t)bytes};
    t_mdb(mdb_put(txn, dbi, &at, &value, 0));
}

static void one_damage(rng *r, uint32_t id, uint32_t count, bool sealed) {
    nighh_lmdb_key key;
    uint8_t *bytes = NULL;
    size_t size = 0;
    MDB_txn *txn = begin(0);
    value_at(txn, rng_below(r, rng_below(r, 3) == 0 ? 2 : count), &key, &bytes, &size);
    const uint32_t what = rng_below(r, 8);
    MDB_val at = nighh_lmdb_val(&key);
    if (what == 0) {
        t_mdb(mdb_del(txn, dbi, &at, NULL));
    } else if (what == 1) {
        put(txn, &key, bytes, rng_below(r, (uint32_t)size));
    } else if (what == 2) {
        put(txn, &key, bytes, size + 1 + rng_below(r, 4000));
    } else {
        const uint32_t live = size > 700 && what < 6 ? 700 : (uint32_t)size;
        for (uint32_t i = 0, n = 1 + rng_below(r, 4); i < n; i++) {
            bytes[rng_below(r, live)] = (uint8_t)rng_next(r);
        }
        if (what == 7 && size >= 64) { /* a whole number, large or odd */
            nighh_lmdb_store_u32(bytes + rng_below(r, (uint32_t)size / 4) * 4,
                                 rng_below(r, 2) == 0 ? UINT32_MAX >> rng_below(r, 32)
                                                      : (uint32_t)rng_next(r));
        }
        if (sealed) {
            seal(&key, bytes, size);
        }
        put(txn, &key, bytes, size);
    }
    damaged(txn, id);
    mdb_txn_abort(txn);
    free(bytes);
}

static void each(uint32_t keys, uint32_t codes, bool sealed) {
    env_new((uint64_t)64 << 20, MDB_NOSYNC);
    rng r = {t_seed() + keys * 10 + sealed};
    store(5, keys, codes);
    MDB_stat stat;
    MDB_txn *txn = begin(MDB_RDONLY);
    t_mdb(mdb_stat(txn, dbi, &stat));
    mdb_txn_abort(txn);
    const uint32_t tries = t_small() ? 150 : 600;
    opened = refused = told = 0;
    for (uint32_t i = 0; i < tries; i++) {
        one_damage(&r, 5, (uint32_t)stat.ms_entries, sealed);
    }
    t_assert(opened > tries / 10);
    t_assert(refused > tries / 10);
    t_assert(told > tries / 10);
    lx_sound(5);
    env_drop();
}

TEST(bytes_changed) { each(NIGH_KEYS_U64, NIGH_CODES_NONE, false); }
TEST(bytes_changed_and_sealed) { each(NIGH_KEYS_U64, NIGH_CODES_U7, true); }
TEST(byte_strings) { each(NIGH_KEYS_BYTES, NIGH_CODES_NONE, true); }
TEST(identity) { each(NIGH_KEYS_IDENTITY, NIGH_CODES_B1, true); }

/* Every kind of damage that nigh_lmdb_check tells apart. */
TEST(told_apart) {
    env_new((uint64_t)64 << 20, MDB_NOSYNC);
    store(5, NIGH_KEYS_U64, NIGH_CODES_NONE);
    for (uint32_t fault = 1; fault <= 6; fault++) {
        nigh_lmdb_report report = {.struct_size = sizeof report};
        nighh_lmdb_key key;
        uint8_t *bytes = NULL;
        size_t size = 0;
        MDB_txn *txn = begin(0);
        value_at(txn, fault == 1 ? 1 : 3, &key, &bytes, &size);
        MDB_val at = nighh_lmdb_val(&key);
        bytes[fault == 1 ? 40 : fault == 3 ? 16 : fault == 4 ? 60 : size - 1] ^= 1;
        if (fault == 2) {
            t_mdb(mdb_del(txn, dbi, &at, NULL));
        } else {
            key.bytes[4] ^= fault == 6 ? 64 : 0; /* of a store that is nobody's */
            put(txn, &key, bytes, size);
        }
        t_lmdb(nigh_lmdb_check(txn, dbi, NIGH_LMDB_ALL, &report, SAY));
        t_eq(report.status, NIGH_E_CORRUPT);
        t_eq(report.fault, fault);
        t_eq(report.id, fault == 6 ? LMDB_NONE : 5);
        mdb_txn_abort(txn);
        free(bytes);
    }
    env_drop();
}

SUITE {
    rng r = {t_seed()};
    vectors = data_rows(&r, DATA_CLUSTERED, NIGH_DTYPE_F32, COUNT, DIM);
    t_ok(nigh_row_bytes(DIM, NIGH_DTYPE_F32, &row_bytes));
    RUN(bytes_changed);
    RUN(bytes_changed_and_sealed);
    RUN(byte_strings);
    RUN(identity);
    RUN(told_apart);
    free(vectors);
}
