/* lmdb.h - what nigh_lmdb uses of LMDB's interface, over calls that the crate `nigh` makes of heed
 * layer H; uses: nothing
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * heed keeps its MDB_txn and MDB_env to itself, and with them the liblmdb that it links. So the
 * sources of hosted/ are compiled against this header instead of LMDB's: a transaction is an object
 * of Rust's, whose calls go through heed's public interface. There is one liblmdb in the program
 * whatever heed's version, and no layout of heed's is relied upon. Numbers are LMDB's.
 * src/bridge.rs has the same declarations for Rust. */
#ifndef NIGH_BRIDGE_LMDB_H
#define NIGH_BRIDGE_LMDB_H
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    MDB_SUCCESS = 0,
    MDB_KEYEXIST = -30799,
    MDB_NOTFOUND = -30798,
    MDB_PAGE_NOTFOUND = -30797,
    MDB_CORRUPTED = -30796,
    MDB_PANIC = -30795,
    MDB_VERSION_MISMATCH = -30794,
    MDB_INVALID = -30793,
    MDB_MAP_FULL = -30792,
    MDB_DBS_FULL = -30791,
    MDB_TXN_FULL = -30788,
    MDB_INCOMPATIBLE = -30784,
    MDB_BAD_TXN = -30782,
    MDB_BAD_VALSIZE = -30781,
    MDB_BAD_DBI = -30780
};
enum { MDB_REVERSEKEY = 0x02, MDB_DUPSORT = 0x04, MDB_INTEGERKEY = 0x08 };
enum { MDB_NOSUBDIR = 0x4000 };
enum { MDB_RESERVE = 0x10000, MDB_APPEND = 0x20000, MDB_CREATE = 0x40000, MDB_WRITEMAP = 0x80000 };

typedef enum MDB_cursor_op { MDB_NEXT = 8, MDB_SET = 15, MDB_SET_RANGE = 17 } MDB_cursor_op;
typedef uint32_t MDB_dbi;
typedef int32_t mdb_filehandle_t;
typedef struct MDB_env MDB_env;
typedef struct MDB_txn MDB_txn;
typedef struct MDB_cursor MDB_cursor;

typedef struct MDB_val {
    size_t mv_size;
    void *mv_data;
} MDB_val;

typedef struct MDB_stat {
    uint32_t ms_psize;
    uint64_t ms_entries;
} MDB_stat;

typedef struct MDB_envinfo {
    uint64_t me_last_txnid;
} MDB_envinfo;

/* Rust's functions; each returns MDB_SUCCESS or what LMDB says. */
typedef struct nigh_bridge_calls {
    int32_t (*get)(MDB_txn *txn, const MDB_val *key, MDB_val *value);
    /* value->mv_data NULL: room for so many bytes, zeroed, whose address is given back */
    int32_t (*put)(MDB_txn *txn, const MDB_val *key, MDB_val *value);
    int32_t (*del)(MDB_txn *txn, const MDB_val *key);
    int32_t (*stat)(MDB_txn *txn, MDB_stat *stat);
    int32_t (*begin)(MDB_env *env, MDB_txn *parent, MDB_txn **txn); /* a write transaction */
    int32_t (*commit)(MDB_txn *txn);
    void (*abort)(MDB_txn *txn);
    int32_t (*cursor_open)(MDB_txn *txn, MDB_cursor **cursor);
    void (*cursor_close)(MDB_cursor *cursor);
    int32_t (*cursor_get)(MDB_cursor *cursor, MDB_val *key, MDB_val *value, uint32_t op);
    int32_t (*cursor_put)(MDB_cursor *cursor, const MDB_val *key, MDB_val *value);
    int32_t (*cursor_del)(MDB_cursor *cursor);
    int32_t (*reader_check)(MDB_env *env, int32_t *dead);
    int32_t (*file)(MDB_env *env, mdb_filehandle_t *descriptor, const char **path);
} nigh_bridge_calls;

/* How Rust's objects begin. */
struct MDB_env {
    const nigh_bridge_calls *calls;
    uint64_t last_txn; /* committed before the transaction at hand, or the one that it reads */
    uint32_t flags;
};
struct MDB_txn {
    MDB_env *env;
    uint64_t id;
};
struct MDB_cursor {
    MDB_txn *txn;
};

static inline int mdb_get(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *value) {
    (void)dbi;
    return txn->env->calls->get(txn, key, value);
}

static inline int mdb_put(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *value, unsigned flags) {
    (void)dbi;
    (void)flags;
    return txn->env->calls->put(txn, key, value);
}

static inline int mdb_del(MDB_txn *txn, MDB_dbi dbi, MDB_val *key, MDB_val *value) {
    (void)dbi;
    (void)value;
    return txn->env->calls->del(txn, key);
}

static inline int mdb_stat(MDB_txn *txn, MDB_dbi dbi, MDB_stat *stat) {
    (void)dbi;
    return txn->env->calls->stat(txn, stat);
}

static inline MDB_env *mdb_txn_env(MDB_txn *txn) { return txn->env; }

static inline size_t mdb_txn_id(MDB_txn *txn) { return (size_t)txn->id; }

static inline int mdb_env_get_flags(MDB_env *env, unsigned *flags) {
    *flags = env->flags;
    return MDB_SUCCESS;
}

static inline int mdb_env_info(MDB_env *env, MDB_envinfo *info) {
    info->me_last_txnid = env->last_txn;
    return MDB_SUCCESS;
}

static inline int mdb_reader_check(MDB_env *env, int *dead) {
    return env->calls->reader_check(env, dead);
}

/* Both stay the environment's, and as long as it does. */
static inline int mdb_env_get_fd(MDB_env *env, mdb_filehandle_t *descriptor) {
    const char *path = NULL;
    return env->calls->file(env, descriptor, &path);
}

static inline int mdb_env_get_path(MDB_env *env, const char **path) {
    mdb_filehandle_t descriptor = -1;
    return env->calls->file(env, &descriptor, path);
}

static inline int mdb_txn_begin(MDB_env *env, MDB_txn *parent, unsigned flags, MDB_txn **txn) {
    return flags == 0 ? env->calls->begin(env, parent, txn) : EINVAL;
}

static inline int mdb_txn_commit(MDB_txn *txn) { return txn->env->calls->commit(txn); }

static inline void mdb_txn_abort(MDB_txn *txn) { txn->env->calls->abort(txn); }

/* Databases are heed's; it does not tell their flags, and its types leave out other orders. */
static inline int mdb_dbi_flags(MDB_txn *txn, MDB_dbi dbi, unsigned *flags) {
    (void)txn;
    (void)dbi;
    *flags = 0;
    return MDB_SUCCESS;
}

static inline int mdb_dbi_open(MDB_txn *txn, const char *name, unsigned flags, MDB_dbi *dbi) {
    (void)txn;
    (void)name;
    (void)flags;
    (void)dbi;
    return EINVAL;
}

static inline int mdb_cursor_open(MDB_txn *txn, MDB_dbi dbi, MDB_cursor **cursor) {
    (void)dbi;
    return txn->env->calls->cursor_open(txn, cursor);
}

static inline void mdb_cursor_close(MDB_cursor *cursor) {
    cursor->txn->env->calls->cursor_close(cursor);
}

static inline int mdb_cursor_get(MDB_cursor *cursor, MDB_val *key, MDB_val *value,
                                 MDB_cursor_op op) {
    return cursor->txn->env->calls->cursor_get(cursor, key, value, (uint32_t)op);
}

/* MDB_APPEND saves LMDB a search and fills pages of keys; heed cannot say it with MDB_RESERVE. */
static inline int mdb_cursor_put(MDB_cursor *cursor, MDB_val *key, MDB_val *value,
                                 unsigned flags) {
    (void)flags;
    return cursor->txn->env->calls->cursor_put(cursor, key, value);
}

static inline int mdb_cursor_del(MDB_cursor *cursor, unsigned flags) {
    (void)flags;
    return cursor->txn->env->calls->cursor_del(cursor);
}

static inline const char *mdb_strerror(int result) {
    switch (result) {
    case MDB_KEYEXIST:
        return "MDB_KEYEXIST: the key is there already";
    case MDB_NOTFOUND:
        return "MDB_NOTFOUND: no such key";
    case MDB_PAGE_NOTFOUND:
        return "MDB_PAGE_NOTFOUND: a page is missing";
    case MDB_CORRUPTED:
        return "MDB_CORRUPTED: a page is of the wrong type";
    case MDB_PANIC:
        return "MDB_PANIC: the environment failed, or a function of heed's panicked";
    case MDB_INVALID:
        return "MDB_INVALID: not a file of LMDB";
    case MDB_MAP_FULL:
        return "MDB_MAP_FULL: the environment is full";
    case MDB_TXN_FULL:
        return "MDB_TXN_FULL: too many pages changed in a transaction";
    case MDB_INCOMPATIBLE:
        return "MDB_INCOMPATIBLE: the database has other flags";
    case MDB_BAD_TXN:
        return "MDB_BAD_TXN: the transaction must be aborted";
    case MDB_BAD_VALSIZE:
        return "MDB_BAD_VALSIZE: a key or value that the database does not take (its flags?)";
    case MDB_BAD_DBI:
        return "MDB_BAD_DBI: the database was changed";
    default:
        return result > 0 ? strerror(result) : "LMDB failed";
    }
}

#endif
