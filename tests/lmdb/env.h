/* env.h - an LMDB environment in a fresh folder, and fixtures over the indexes in it
 * layer T; uses: ../hosted/folder.h, fixture, hosted_lmdb.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGH_TEST_ENV_H
#define NIGH_TEST_ENV_H
#include "../hosted/folder.h"

#include "data.h"
#include "fixture.h"
#include "hosted_lmdb.h"
#include "jobs.h"

static _Thread_local char message[256];
static MDB_env *env;
static MDB_dbi dbi;  /* nigh's */
static MDB_dbi rows; /* the application's own */

#define t_mdb(call) t_eq(call, MDB_SUCCESS)
/* A call of nigh_lmdb.h must succeed; its message else tells why. */
#define t_lmdb(call)                                                                               \
    do {                                                                                           \
        const nigh_status got_ = (call);                                                           \
        if (got_ != NIGH_OK) {                                                                     \
            t_failf("%s: %d (%s)", #call, got_, message);                                          \
        }                                                                                          \
    } while (0)
#define SAY message, sizeof message

T_MAYBE void env_open(uint64_t map_bytes, unsigned flags) {
    MDB_txn *txn = NULL;
    t_mdb(mdb_env_create(&env));
    t_mdb(mdb_env_set_maxdbs(env, 4));
    t_mdb(mdb_env_set_maxreaders(env, 400));
    t_mdb(mdb_env_set_mapsize(env, (size_t)map_bytes));
    t_mdb(mdb_env_open(env, folder_path, flags | MDB_NOTLS | MDB_NOMETASYNC, 0600));
    t_mdb(mdb_txn_begin(env, NULL, 0, &txn));
    t_lmdb(nigh_lmdb_dbi(txn, "indexes", NIGH_LMDB_CREATE, &dbi, SAY));
    t_mdb(mdb_dbi_open(txn, "rows", MDB_CREATE, &rows));
    t_mdb(mdb_txn_commit(txn));
}

/* A fresh folder and environment; sizes are address space, not disk. */
T_MAYBE void env_new(uint64_t map_bytes, unsigned flags) {
    folder_new();
    env_open(map_bytes, flags);
}

T_MAYBE void env_drop(void) {
    mdb_env_close(env);
    env = NULL;
    folder_drop();
}

T_MAYBE MDB_txn *begin(unsigned flags) {
    MDB_txn *txn = NULL;
    t_mdb(mdb_txn_begin(env, NULL, flags, &txn));
    return txn;
}

/* A fixture over index `id` in the transaction; slots 0: no more than there are. */
T_MAYBE nigh_status lx_try(fx *f, MDB_txn *txn, uint32_t id, uint32_t flags, uint32_t slots,
                           uint64_t key_bytes, uint32_t ef_max) {
    memset(f, 0, sizeof *f);
    f->options.struct_size = sizeof f->options;
    f->options.features = t_features();
    nigh_status status = nigh_lmdb_open(txn, dbi, id, flags, &f->options, slots, key_bytes,
                                        &f->index, SAY);
    if (status == NIGH_OK) {
        f->ef_max = ef_max;
        f->config.struct_size = sizeof f->config;
        t_ok(nigh_config_get(f->index, &f->config));
        t_ok(nigh_row_bytes(f->config.dim, f->config.dtype, &f->row_bytes));
        nigh_session_options so = fx_session_options(
            ef_max, 0, (flags & NIGH_LMDB_WRITE) != 0 ? 0 : (uint32_t)NIGH_SESSION_READ);
        f->session = fx_session(f, &so);
    }
    return status;
}

T_MAYBE void lx_open(fx *f, MDB_txn *txn, uint32_t id, uint32_t flags, uint32_t slots,
                     uint64_t key_bytes, uint32_t ef_max) {
    t_lmdb(lx_try(f, txn, id, flags, slots, key_bytes, ef_max));
}

T_MAYBE void lx_close(fx *f) {
    nigh_index *index = f->index;
    fx_drop(f);
    t_ok(nigh_close(index));
}

/* Every value of the database and every index in it is sound. */
T_MAYBE nigh_lmdb_report lx_check(MDB_txn *txn) {
    nigh_lmdb_report report = {.struct_size = sizeof report};
    t_lmdb(nigh_lmdb_check(txn, dbi, NIGH_LMDB_ALL, &report, SAY));
    if (report.status != NIGH_OK) {
        t_failf("fault %u of index %u, region %u, block %u", report.fault, report.id,
                report.region, report.block);
    }
    return report;
}

T_MAYBE nigh_status sum_part(void *user, const void *bytes, uint64_t count) {
    uint32_t *sum = user;
    *sum = *sum * 31 + nighh_lmdb_checksum(bytes, count);
    return NIGH_OK;
}

/* Which bytes nigh_save writes. */
T_MAYBE uint32_t image_sum(const nigh_index *index) {
    uint32_t sum = 0;
    t_ok(nigh_save(index, 0, sum_part, &sum));
    return sum;
}

T_MAYBE void lx_sound(uint32_t id) {
    MDB_txn *txn = begin(MDB_RDONLY);
    fx f;
    (void)lx_check(txn);
    lx_open(&f, txn, id, 0, 0, 0, 64);
    fx_check(f.index, f.session);
    lx_close(&f);
    mdb_txn_abort(txn);
}

T_MAYBE void row_put(MDB_txn *txn, uint64_t key, const void *data, size_t bytes) {
    MDB_val at = {sizeof key, &key};
    MDB_val value = {bytes, (void *)(uintptr_t)data};
    t_mdb(mdb_put(txn, rows, &at, &value, 0));
}

T_MAYBE uint64_t row_count(MDB_txn *txn) {
    MDB_stat stat;
    t_mdb(mdb_stat(txn, rows, &stat));
    return stat.ms_entries;
}
#endif
