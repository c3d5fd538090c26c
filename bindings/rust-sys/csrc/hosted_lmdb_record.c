/* hosted_lmdb_record.c - head, catalogue, loads under way; transactions and their errors
 * layer H; uses: hosted_lmdb.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hosted_lmdb.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define VERSION 1u
#define HEAD_BYTES 16u
#define ENTRY_FIXED 32u
#define ENTRY_BYTES (ENTRY_FIXED + NIGH_HEADER_BYTES)

uint32_t nighh_lmdb_blocks_max = NIGH_LMDB_BLOCKS_MAX;
uint64_t nighh_lmdb_chunk_bytes = 64u << 20;

static const uint8_t head_magic[8] = {'n', 'i', 'g', 'h', 'l', 'm', 'd', 'b'};
static const uint8_t entry_magic[4] = {'n', 'i', 'd', 'x'};

/* ---- Keys and errors ------------------------------------------------------------------------ */

static void put_big(uint8_t *at, uint32_t value, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        at[i] = (uint8_t)(value >> (8 * (count - 1 - i)));
    }
}

nighh_lmdb_key nighh_lmdb_key_id(uint32_t kind, uint32_t id) {
    nighh_lmdb_key key = {{(uint8_t)kind}, 1};
    if (kind != LMDB_HEAD) {
        key.count = kind == LMDB_CATALOGUE ? 3 : 5;
        put_big(key.bytes + 1, id, key.count - 1);
    }
    return key;
}

nighh_lmdb_key nighh_lmdb_key_block(uint32_t store, uint32_t region, uint32_t block) {
    nighh_lmdb_key key = {{LMDB_BLOCK}, 10};
    put_big(key.bytes + 1, store, 4);
    key.bytes[5] = (uint8_t)region;
    put_big(key.bytes + 6, block, 4);
    return key;
}

MDB_val nighh_lmdb_val(const nighh_lmdb_key *key) {
    MDB_val val = {key->count, (void *)(uintptr_t)key->bytes}; /* LMDB does not store to keys */
    return val;
}

bool nighh_lmdb_before(const MDB_val *at, const nighh_lmdb_key *end) {
    const size_t both = at->mv_size < end->count ? at->mv_size : end->count;
    const int order = memcmp(at->mv_data, end->bytes, both);
    return order < 0 || (order == 0 && at->mv_size < end->count);
}

const char *nighh_lmdb_text(nigh_status status) {
    switch (status) {
    case NIGH_E_FULL_TXN:
        return "as many blocks are changed as one transaction takes: prepare, commit, go on";
    case NIGH_E_FULL_MAP:
        return "the environment is full: abort, enlarge the map, and again";
    case NIGH_E_FULL_MEMORY:
        return "no memory for a copy of a changed block";
    default:
        return nighh_status_text(status);
    }
}

static nigh_status status_of(int result) {
    switch (result) {
    case MDB_SUCCESS:
        return NIGH_OK;
    case MDB_MAP_FULL:
        return NIGH_E_FULL_MAP;
    case MDB_TXN_FULL:
        return NIGH_E_FULL_TXN;
    case MDB_NOTFOUND:
        return NIGH_E_NOT_FOUND;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
        return NIGH_E_CORRUPT;
    case MDB_INCOMPATIBLE:
        return NIGH_E_MISMATCH;
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
        return NIGH_E_FORMAT;
    case MDB_DBS_FULL:
    case MDB_BAD_DBI:
    case MDB_BAD_TXN:
    case EINVAL:
        return NIGH_E_INVALID;
    case EACCES:
        return NIGH_E_READ_ONLY;
    case ENOMEM:
        return NIGH_E_NO_MEMORY;
    default:
        return NIGH_E_IO;
    }
}

nigh_status nighh_lmdb_fail(const nighh_lmdb *lmdb, int result) {
    const nigh_status status = status_of(result);
    return status == NIGH_OK ? status
                             : nighh_fail(&lmdb->errors, status, "%s", mdb_strerror(result));
}

nighh_lmdb nighh_lmdb_quiet(const nighh_lmdb *lmdb) {
    nighh_lmdb quiet = *lmdb;
    quiet.errors.bytes = 0;
    return quiet;
}

/* ---- Transactions --------------------------------------------------------------------------- */

nigh_status nighh_lmdb_look(nighh_lmdb *lmdb, MDB_txn *txn) {
    MDB_stat stat;
    MDB_envinfo info;
    unsigned flags = 0;
    int result = mdb_dbi_flags(txn, lmdb->dbi, &flags);
    result = result == MDB_SUCCESS ? mdb_stat(txn, lmdb->dbi, &stat) : result;
    result = result == MDB_SUCCESS ? mdb_env_info(mdb_txn_env(txn), &info) : result;
    if (result != MDB_SUCCESS) {
        return nighh_lmdb_fail(lmdb, result);
    }
    if ((flags & (MDB_REVERSEKEY | MDB_DUPSORT | MDB_INTEGERKEY)) != 0) {
        return nighh_fail(&lmdb->errors, NIGH_E_MISMATCH, "a database with flags; none expected");
    }
    lmdb->txn = txn;
    lmdb->page_bytes = stat.ms_psize;
    /* The one writer has the number behind the last committed; readers have that or one before. */
    lmdb->writes = mdb_txn_id(txn) > info.me_last_txnid;
    return NIGH_OK;
}

void nighh_lmdb_subject(nighh_lmdb *lmdb, uint32_t id) {
    (void)snprintf(lmdb->subject, sizeof lmdb->subject, id == LMDB_NONE ? "database" : "index %u",
                   id);
}

nigh_status nighh_lmdb_begin(nighh_lmdb *lmdb, void *txn, uint32_t dbi, uint32_t id, bool writes,
                             char *message, uint32_t message_bytes) {
    memset(lmdb, 0, sizeof *lmdb);
    nighh_lmdb_subject(lmdb, id);
    lmdb->errors = nighh_errors_begin(message, message_bytes, lmdb->subject);
    lmdb->dbi = dbi;
    if (txn == NULL || (id != LMDB_NONE && id > NIGH_LMDB_ID_MAX)) {
        return nighh_fail(&lmdb->errors, NIGH_E_INVALID, "wrong argument");
    }
    const nigh_status status = nighh_lmdb_look(lmdb, txn);
    if (status == NIGH_OK && writes && !lmdb->writes) {
        return nighh_fail(&lmdb->errors, NIGH_E_READ_ONLY, "a read-only transaction");
    }
    return status;
}

nigh_status nighh_lmdb_nest(nighh_lmdb *lmdb, MDB_txn **outer) {
    MDB_txn *inner = NULL;
    unsigned flags = 0;
    MDB_env *env = mdb_txn_env(lmdb->txn);
    *outer = NULL;
    int result = mdb_env_get_flags(env, &flags);
    if (result == MDB_SUCCESS && (flags & MDB_WRITEMAP) != 0) {
        return NIGH_OK; /* it has none */
    }
    result = result == MDB_SUCCESS ? mdb_txn_begin(env, lmdb->txn, 0, &inner) : result;
    if (result == MDB_SUCCESS) {
        *outer = lmdb->txn;
        lmdb->txn = inner;
    }
    return nighh_lmdb_fail(lmdb, result);
}

nigh_status nighh_lmdb_unnest(nighh_lmdb *lmdb, MDB_txn *outer, nigh_status status) {
    if (outer == NULL) {
        return status;
    }
    if (status == NIGH_OK) {
        status = nighh_lmdb_fail(lmdb, mdb_txn_commit(lmdb->txn));
    } else {
        mdb_txn_abort(lmdb->txn);
    }
    lmdb->txn = outer;
    return status;
}

/* ---- Head and catalogue --------------------------------------------------------------------- */

nigh_status nighh_lmdb_head(const nighh_lmdb *lmdb, uint32_t *next) {
    const nighh_lmdb_key key = nighh_lmdb_key_id(LMDB_HEAD, 0);
    MDB_val at = nighh_lmdb_val(&key);
    MDB_val value = {0, NULL};
    const int result = mdb_get(lmdb->txn, lmdb->dbi, &at, &value);
    if (result == MDB_NOTFOUND) {
        return NIGH_E_NOT_FOUND;
    }
    if (result != MDB_SUCCESS) {
        return nighh_lmdb_fail(lmdb, result);
    }
    if (value.mv_size != HEAD_BYTES || memcmp(value.mv_data, head_magic, sizeof head_magic) != 0 ||
        nighh_lmdb_load_u32((const uint8_t *)value.mv_data + 8) != VERSION) {
        return nighh_fail(&lmdb->errors, NIGH_E_FORMAT,
                          "not a database of nigh, or of a version not known here");
    }
    *next = nighh_lmdb_load_u32((const uint8_t *)value.mv_data + 12);
    return NIGH_OK;
}

nigh_status nighh_lmdb_store_new(const nighh_lmdb *lmdb, uint32_t *store) {
    const nighh_lmdb_key key = nighh_lmdb_key_id(LMDB_HEAD, 0);
    uint8_t bytes[HEAD_BYTES];
    MDB_val at = nighh_lmdb_val(&key);
    MDB_val value = {sizeof bytes, bytes};
    uint32_t next = 1;
    const nigh_status status = nighh_lmdb_head(lmdb, &next);
    if (status != NIGH_OK && status != NIGH_E_NOT_FOUND) {
        return status;
    }
    if (next == UINT32_MAX) {
        return nighh_fail(&lmdb->errors, NIGH_E_FULL, "no numbers are left for new indexes");
    }
    memcpy(bytes, head_magic, sizeof head_magic);
    nighh_lmdb_store_u32(bytes + 8, VERSION);
    nighh_lmdb_store_u32(bytes + 12, next + 1);
    *store = next;
    return nighh_lmdb_fail(lmdb, mdb_put(lmdb->txn, lmdb->dbi, &at, &value, 0));
}

nigh_status nighh_lmdb_index_parse(const nighh_lmdb *lmdb, const MDB_val *value,
                                   nighh_lmdb_index *index) {
    const uint8_t *at = value->mv_data;
    if (value->mv_size != ENTRY_BYTES || memcmp(at, entry_magic, sizeof entry_magic) != 0 ||
        nighh_lmdb_load_u32(at + 4) != nighh_lmdb_checksum(at + 8, ENTRY_BYTES - 8)) {
        return nighh_fail(&lmdb->errors, NIGH_E_CORRUPT, "its catalogue entry is damaged");
    }
    index->store = nighh_lmdb_load_u32(at + 8);
    index->changes = nighh_lmdb_load_u64(at + 16);
    memcpy(index->header, at + ENTRY_FIXED, LMDB_HEADER_BYTES);
    nighh_lmdb_regions(index->header, index->regions);
    return NIGH_OK;
}

nigh_status nighh_lmdb_index_get(const nighh_lmdb *lmdb, uint32_t id, nighh_lmdb_index *index) {
    const nighh_lmdb_key key = nighh_lmdb_key_id(LMDB_CATALOGUE, id);
    MDB_val at = nighh_lmdb_val(&key);
    MDB_val value = {0, NULL};
    uint32_t next = 0;
    const nigh_status status = nighh_lmdb_head(lmdb, &next);
    if (status != NIGH_OK) {
        return status;
    }
    const int result = mdb_get(lmdb->txn, lmdb->dbi, &at, &value);
    if (result == MDB_NOTFOUND) {
        return NIGH_E_NOT_FOUND;
    }
    return result == MDB_SUCCESS ? nighh_lmdb_index_parse(lmdb, &value, index)
                                 : nighh_lmdb_fail(lmdb, result);
}

nigh_status nighh_lmdb_index_put(const nighh_lmdb *lmdb, uint32_t id,
                                 const nighh_lmdb_index *index) {
    const nighh_lmdb_key key = nighh_lmdb_key_id(LMDB_CATALOGUE, id);
    uint8_t bytes[ENTRY_BYTES] = {0};
    MDB_val at = nighh_lmdb_val(&key);
    MDB_val value = {sizeof bytes, bytes};
    memcpy(bytes, entry_magic, sizeof entry_magic);
    nighh_lmdb_store_u32(bytes + 8, index->store);
    nighh_lmdb_store_u64(bytes + 16, index->changes);
    memcpy(bytes + ENTRY_FIXED, index->header, LMDB_HEADER_BYTES);
    nighh_lmdb_store_u32(bytes + 4, nighh_lmdb_checksum(bytes + 8, sizeof bytes - 8));
    return nighh_lmdb_fail(lmdb, mdb_put(lmdb->txn, lmdb->dbi, &at, &value, 0));
}
