/* hosted_lmdb_drop.c - indexes taken out, and what dead loads have left
 * layer H; uses: hosted_lmdb.h
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * An entry that is damaged does not say which blocks are its own. They are those that no other
 * entry and no load has, which is known once the last damaged entry is gone. */
#include "hosted_lmdb.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static uint32_t load_big(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* ---- Blocks --------------------------------------------------------------------------------- */

nigh_status nighh_lmdb_blocks_delete(const nighh_lmdb *lmdb, uint32_t store, uint32_t region,
                                     uint32_t block, uint32_t region_end) {
    const nighh_lmdb_key first = nighh_lmdb_key_block(store, region, block);
    const nighh_lmdb_key end = nighh_lmdb_key_block(store, region_end, 0);
    MDB_cursor *cursor = NULL;
    MDB_val at = nighh_lmdb_val(&first);
    MDB_val value;
    int result = mdb_cursor_open(lmdb->txn, lmdb->dbi, &cursor);
    if (result != MDB_SUCCESS) {
        return nighh_lmdb_fail(lmdb, result);
    }
    result = mdb_cursor_get(cursor, &at, &value, MDB_SET_RANGE);
    while (result == MDB_SUCCESS && nighh_lmdb_before(&at, &end)) {
        result = at.mv_size == end.count ? mdb_cursor_del(cursor, 0) : MDB_SUCCESS;
        if (result == MDB_SUCCESS) {
            result = mdb_cursor_get(cursor, &at, &value, MDB_NEXT);
        }
    }
    mdb_cursor_close(cursor);
    return result == MDB_NOTFOUND ? NIGH_OK : nighh_lmdb_fail(lmdb, result);
}

/* Stores that belong to somebody. */
typedef struct owners {
    uint32_t *stores;
    uint32_t count;
    uint32_t room;
    uint32_t damaged; /* entries that do not say which is theirs */
} owners;

static int owners_add(owners *all, uint32_t store) {
    if (all->count == all->room) {
        const uint32_t room = all->room * 2 + 64;
        uint32_t *stores = realloc(all->stores, (size_t)room * sizeof *stores);
        if (stores == NULL) {
            return ENOMEM;
        }
        all->stores = stores;
        all->room = room;
    }
    all->stores[all->count++] = store;
    return MDB_SUCCESS;
}

static bool owners_have(const owners *all, uint32_t store) {
    bool found = false;
    for (uint32_t i = 0; i < all->count; i++) {
        found = found || all->stores[i] == store;
    }
    return found;
}

/* Those of all entries and loads. */
static int owners_find(const nighh_lmdb *lmdb, MDB_cursor *cursor, owners *all) {
    const nighh_lmdb_key first = nighh_lmdb_key_id(LMDB_CATALOGUE, 0);
    const nighh_lmdb_key end = {{LMDB_LOADING + 1}, 1};
    const nighh_lmdb quiet = nighh_lmdb_quiet(lmdb);
    MDB_val at = nighh_lmdb_val(&first);
    MDB_val value;
    int result = mdb_cursor_get(cursor, &at, &value, MDB_SET_RANGE);
    while (result == MDB_SUCCESS && nighh_lmdb_before(&at, &end)) {
        const uint8_t *key = at.mv_data;
        nighh_lmdb_index index;
        if (at.mv_size == 3 && key[0] == LMDB_CATALOGUE) {
            if (nighh_lmdb_index_parse(&quiet, &value, &index) == NIGH_OK) {
                result = owners_add(all, index.store);
            } else {
                all->damaged++;
            }
        } else if (at.mv_size == 5 && key[0] == LMDB_LOADING) {
            result = owners_add(all, load_big(key + 1));
        }
        result = result == MDB_SUCCESS ? mdb_cursor_get(cursor, &at, &value, MDB_NEXT) : result;
    }
    return result == MDB_NOTFOUND ? MDB_SUCCESS : result;
}

/* Deletes the blocks of every store that is nobody's. */
static int strays_delete(MDB_cursor *cursor, const owners *all) {
    const nighh_lmdb_key first = nighh_lmdb_key_block(0, 0, 0);
    uint32_t store = 0; /* never one */
    bool owned = true;
    MDB_val at = nighh_lmdb_val(&first);
    MDB_val value;
    int result = mdb_cursor_get(cursor, &at, &value, MDB_SET_RANGE);
    while (result == MDB_SUCCESS) {
        const uint8_t *key = at.mv_data;
        if (at.mv_size == first.count && key[0] == LMDB_BLOCK) {
            owned = load_big(key + 1) == store ? owned : owners_have(all, load_big(key + 1));
            store = load_big(key + 1);
            result = owned ? MDB_SUCCESS : mdb_cursor_del(cursor, 0);
        }
        result = result == MDB_SUCCESS ? mdb_cursor_get(cursor, &at, &value, MDB_NEXT) : result;
    }
    return result == MDB_NOTFOUND ? MDB_SUCCESS : result;
}

static nigh_status drop_strays(const nighh_lmdb *lmdb) {
    owners all = {NULL, 0, 0, 0};
    MDB_cursor *cursor = NULL;
    int result = mdb_cursor_open(lmdb->txn, lmdb->dbi, &cursor);
    if (result != MDB_SUCCESS) {
        return nighh_lmdb_fail(lmdb, result);
    }
    result = owners_find(lmdb, cursor, &all);
    if (result == MDB_SUCCESS && all.damaged == 0) {
        result = strays_delete(cursor, &all);
    }
    mdb_cursor_close(cursor);
    free(all.stores);
    return nighh_lmdb_fail(lmdb, result);
}

/* ---- Drop ----------------------------------------------------------------------------------- */

nigh_status nigh_lmdb_drop(void *txn, uint32_t dbi, uint32_t id, char *message,
                           uint32_t message_bytes) {
    nighh_lmdb lmdb;
    nighh_lmdb_index index;
    MDB_txn *outer = NULL;
    nigh_status status = nighh_lmdb_begin(&lmdb, txn, dbi, id, true, message, message_bytes);
    if (status != NIGH_OK) {
        return status;
    }
    if (id == LMDB_NONE) {
        return nighh_fail(&lmdb.errors, NIGH_E_INVALID, "wrong argument");
    }
    const nighh_lmdb quiet = nighh_lmdb_quiet(&lmdb);
    status = nighh_lmdb_index_get(&quiet, id, &index);
    if (status == NIGH_E_NOT_FOUND) {
        return nighh_fail(&lmdb.errors, status, "there is no such index");
    }
    const bool damaged = status == NIGH_E_CORRUPT;
    if (status != NIGH_OK && !damaged) {
        return nighh_lmdb_index_get(&lmdb, id, &index); /* once more, for its message */
    }
    status = nighh_lmdb_nest(&lmdb, &outer);
    if (status != NIGH_OK) {
        return status;
    }
    const nighh_lmdb_key key = nighh_lmdb_key_id(LMDB_CATALOGUE, id);
    MDB_val at = nighh_lmdb_val(&key);
    status = nighh_lmdb_fail(&lmdb, mdb_del(lmdb.txn, dbi, &at, NULL));
    if (status == NIGH_OK) {
        status = damaged ? drop_strays(&lmdb)
                         : nighh_lmdb_blocks_delete(&lmdb, index.store, 0, 0, 255);
    }
    return nighh_lmdb_unnest(&lmdb, outer, status);
}

/* ---- Sweep ---------------------------------------------------------------------------------- */

/* Is the process gone that runs a load? A lock that it holds says so for certain; without one, its
 * number, which another process may have by now. */
static bool is_dead(const nighh_lmdb *lmdb, const MDB_val *value) {
    const uint8_t *at = value->mv_data;
    if (value->mv_size != LMDB_LOADING_BYTES) {
        return true;
    }
    const uint64_t place = nighh_lmdb_load_u64(at + 8);
    const pid_t pid = (pid_t)nighh_lmdb_load_u32(at);
    const int held = place != 0 ? nighh_lmdb_alive(mdb_txn_env(lmdb->txn), place) : -1;
    return held >= 0 ? held == 0 : pid <= 0 || (kill(pid, 0) != 0 && errno == ESRCH);
}

/* The first load under way whose process is gone. */
static int dead_load(const nighh_lmdb *lmdb, uint32_t *store) {
    const nighh_lmdb_key first = nighh_lmdb_key_id(LMDB_LOADING, 0);
    const nighh_lmdb_key end = {{LMDB_LOADING + 1}, 1};
    MDB_cursor *cursor = NULL;
    MDB_val at = nighh_lmdb_val(&first);
    MDB_val value;
    bool dead = false;
    int result = mdb_cursor_open(lmdb->txn, lmdb->dbi, &cursor);
    if (result != MDB_SUCCESS) {
        return result;
    }
    result = mdb_cursor_get(cursor, &at, &value, MDB_SET_RANGE);
    while (result == MDB_SUCCESS && !dead) {
        if (!nighh_lmdb_before(&at, &end)) {
            result = MDB_NOTFOUND;
            break;
        }
        if (at.mv_size == first.count) {
            *store = load_big((const uint8_t *)at.mv_data + 1);
            dead = is_dead(lmdb, &value);
        }
        result = dead ? MDB_SUCCESS : mdb_cursor_get(cursor, &at, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return result;
}

nigh_status nighh_lmdb_sweep_dead(const nighh_lmdb *lmdb, uint32_t *swept) {
    nigh_status status = NIGH_OK;
    *swept = 0;
    while (status == NIGH_OK) {
        uint32_t store = 0;
        int result = dead_load(lmdb, &store);
        if (result == MDB_NOTFOUND) {
            break;
        }
        const nighh_lmdb_key key = nighh_lmdb_key_id(LMDB_LOADING, store);
        MDB_val at = nighh_lmdb_val(&key);
        result = result == MDB_SUCCESS ? mdb_del(lmdb->txn, lmdb->dbi, &at, NULL) : result;
        status = nighh_lmdb_fail(lmdb, result);
        status = status == NIGH_OK ? nighh_lmdb_blocks_delete(lmdb, store, 0, 0, 255) : status;
        *swept += status == NIGH_OK;
    }
    return status;
}

nigh_status nigh_lmdb_sweep(void *txn, uint32_t dbi, uint32_t flags, uint32_t *swept,
                            char *message, uint32_t message_bytes) {
    nighh_lmdb lmdb;
    MDB_txn *outer = NULL;
    uint32_t count = 0;
    nigh_status status =
        nighh_lmdb_begin(&lmdb, txn, dbi, LMDB_NONE, true, message, message_bytes);
    if (status == NIGH_OK && flags != 0) {
        status = nighh_fail(&lmdb.errors, NIGH_E_INVALID, "wrong argument");
    }
    status = status == NIGH_OK ? nighh_lmdb_nest(&lmdb, &outer) : status;
    if (status != NIGH_OK) {
        return status;
    }
    status = nighh_lmdb_sweep_dead(&lmdb, &count);
    status = nighh_lmdb_unnest(&lmdb, outer, status);
    if (status == NIGH_OK && swept != NULL) {
        *swept = count;
    }
    return status;
}
