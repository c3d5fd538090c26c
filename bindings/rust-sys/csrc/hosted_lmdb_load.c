/* hosted_lmdb_load.c - a whole index stored from the stream of its image
 * layer H; uses: hosted_lmdb.h
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * nigh_save writes the image front to back: header, checksums of the blocks, blocks. Each block is
 * a value here, its checksum the same. They go behind all others (MDB_APPEND: full pages, and no
 * search) under a number that the catalogue does not name yet; only the last step names it. A load
 * of many transactions leaves a record of itself, by which what it stored is found if it dies. */
#include "hosted_lmdb.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IMAGE_STATE 16u /* in the header of an image */
#define IMAGE_TABLE_CHECKSUM 20u
#define IMAGE_BYTES 24u
#define IMAGE_CHECKSUM 508u
#define STATE_PAGED 3u

typedef struct sink {
    nighh_lmdb lmdb; /* txn NULL: none is open */
    MDB_env *env;    /* in chunks: transactions of its own; else NULL */
    MDB_cursor *cursor;
    nighh_lmdb_index index;
    nigh_lmdb_progress_fn progress;
    void *user;
    uint64_t at;    /* bytes of the image taken */
    uint64_t total; /* of them */
    uint64_t chunk; /* bytes in this transaction */
    uint32_t blocks_done;
    uint8_t *table; /* checksums */
    uint64_t table_bytes;
    uint32_t region; /* of the block at hand or next */
    uint32_t block;
    uint8_t *to; /* the rest of the block at hand; valid until LMDB's next call */
    uint64_t left;
    uint64_t skip; /* padding before it */
    nigh_status failed;
    int alive;      /* descriptor that marks a load of many transactions, -1: none */
    uint64_t place; /* and how */
} sink;

/* ---- Transactions of a load ----------------------------------------------------------------- */

static nigh_status chunk_begin(sink *s) {
    MDB_txn *txn = NULL;
    nigh_status status = nighh_lmdb_fail(&s->lmdb, mdb_txn_begin(s->env, NULL, 0, &txn));
    if (status != NIGH_OK) {
        return status;
    }
    status = nighh_lmdb_look(&s->lmdb, txn);
    if (status != NIGH_OK) {
        mdb_txn_abort(txn);
        s->lmdb.txn = NULL;
    }
    s->chunk = 0;
    return status;
}

static nigh_status chunk_end(sink *s, nigh_status status) {
    MDB_txn *txn = s->lmdb.txn;
    if (s->cursor != NULL) {
        mdb_cursor_close(s->cursor);
        s->cursor = NULL;
    }
    if (s->env == NULL || txn == NULL) {
        return status;
    }
    s->lmdb.txn = NULL;
    if (status != NIGH_OK) {
        mdb_txn_abort(txn);
        return status;
    }
    return nighh_lmdb_fail(&s->lmdb, mdb_txn_commit(txn));
}

static int loading_record(const sink *s, bool put) {
    const nighh_lmdb_key key = nighh_lmdb_key_id(LMDB_LOADING, s->index.store);
    uint8_t bytes[LMDB_LOADING_BYTES] = {0};
    MDB_val at = nighh_lmdb_val(&key);
    MDB_val value = {sizeof bytes, bytes};
    nighh_lmdb_store_u32(bytes, (uint32_t)getpid());
    nighh_lmdb_store_u64(bytes + 8, s->place);
    return put ? mdb_put(s->lmdb.txn, s->lmdb.dbi, &at, &value, 0)
               : mdb_get(s->lmdb.txn, s->lmdb.dbi, &at, &value);
}

/* Between two of its transactions somebody may have swept the load away. */
static nigh_status still_there(const sink *s) {
    const int result = loading_record(s, false);
    return result == MDB_NOTFOUND
               ? nighh_fail(&s->lmdb.errors, NIGH_E_BUSY, "the load was swept away")
               : nighh_lmdb_fail(&s->lmdb, result);
}

/* ---- The stream ----------------------------------------------------------------------------- */

static nigh_status sink_failed(sink *s, nigh_status status) {
    s->failed = status;
    return NIGH_E_USER;
}

/* The header of an image says where things lie; that of an index in blocks has another state. */
static nigh_status take_header(sink *s) {
    uint8_t *header = s->index.header;
    uint64_t blocks = 0;
    nighh_lmdb_regions(header, s->index.regions);
    s->total = nighh_lmdb_load_u64(header + IMAGE_BYTES);
    nighh_lmdb_store_u32(header + IMAGE_STATE, STATE_PAGED);
    nighh_lmdb_store_u32(header + IMAGE_TABLE_CHECKSUM, 0);
    nighh_lmdb_store_u32(header + IMAGE_CHECKSUM, nighh_lmdb_checksum(header, IMAGE_CHECKSUM));
    for (uint32_t i = 0; i < LMDB_REGIONS; i++) {
        blocks += s->index.regions[i].blocks;
    }
    if (s->env == NULL && blocks > nighh_lmdb_blocks_max) {
        return sink_failed(s, nighh_fail(&s->lmdb.errors, NIGH_E_FULL_TXN,
                                         "too large for one transaction"));
    }
    s->table_bytes = blocks * 4;
    s->table = malloc((size_t)s->table_bytes + 1);
    return s->table != NULL ? NIGH_OK
                            : sink_failed(s, nighh_fail(&s->lmdb.errors, NIGH_E_NO_MEMORY, "%s",
                                                        nighh_status_text(NIGH_E_NO_MEMORY)));
}

/* Moves on to the next block that there is, over the zeros before a region. False: no more. */
static bool next_block(sink *s) {
    while (s->region < LMDB_REGIONS && s->block >= s->index.regions[s->region].blocks) {
        s->region++;
        s->block = 0;
    }
    if (s->region == LMDB_REGIONS) {
        return false;
    }
    s->skip = s->block == 0 ? (64 - s->at % 64) % 64 : 0;
    s->left = nighh_lmdb_live(&s->index.regions[s->region], s->block);
    return true;
}

static nigh_status chunk_step(sink *s) {
    nigh_status status = NIGH_OK;
    if (s->env != NULL && s->lmdb.txn != NULL && s->chunk >= nighh_lmdb_chunk_bytes) {
        status = chunk_end(s, NIGH_OK);
    }
    if (status == NIGH_OK && s->progress != NULL && s->progress(s->user, s->at, s->total) != 0) {
        return nighh_fail(&s->lmdb.errors, NIGH_E_CANCELLED, "cancelled");
    }
    if (status == NIGH_OK && s->lmdb.txn == NULL) {
        status = chunk_begin(s);
        status = status == NIGH_OK ? still_there(s) : status;
    }
    if (status == NIGH_OK && s->cursor == NULL) {
        status = nighh_lmdb_fail(&s->lmdb,
                                 mdb_cursor_open(s->lmdb.txn, s->lmdb.dbi, &s->cursor));
    }
    return status;
}

/* Asks LMDB for the place of the next block. */
static nigh_status begin_block(sink *s) {
    const uint32_t page = s->lmdb.page_bytes;
    const nighh_lmdb_key key = nighh_lmdb_key_block(s->index.store, s->region, s->block);
    nighh_lmdb_block block = {.store = s->index.store, .region = s->region, .block = s->block};
    nigh_status status = chunk_step(s);
    if (status != NIGH_OK) {
        return sink_failed(s, status);
    }
    block.bytes = (uint32_t)s->left;
    block.checksum = nighh_lmdb_load_u32(s->table + (size_t)s->blocks_done * 4);
    MDB_val at = nighh_lmdb_val(&key);
    MDB_val value = {(size_t)nighh_lmdb_value_bytes(page, s->left), NULL};
    int result = mdb_cursor_put(s->cursor, &at, &value, MDB_RESERVE | MDB_APPEND);
    if (result == MDB_KEYEXIST) { /* another load, or keys of the caller's, lie behind */
        value.mv_size = (size_t)nighh_lmdb_value_bytes(page, s->left);
        result = mdb_cursor_put(s->cursor, &at, &value, MDB_RESERVE);
    }
    if (result != MDB_SUCCESS) {
        return sink_failed(s, nighh_lmdb_fail(&s->lmdb, result));
    }
    nighh_lmdb_block_put(value.mv_data, &block, (uint64_t)mdb_txn_id(s->lmdb.txn));
    s->to = (uint8_t *)value.mv_data + LMDB_BLOCK_HEADER;
    memset(s->to + s->left, 0, value.mv_size - LMDB_BLOCK_HEADER - (size_t)s->left);
    s->chunk += value.mv_size;
    s->blocks_done++;
    s->block++;
    return NIGH_OK;
}

/* A nigh_write_fn. */
static nigh_status sink_write(void *user, const void *data, uint64_t count) {
    sink *s = user;
    const uint8_t *bytes = data;
    while (count > 0) {
        const uint64_t table_end = LMDB_HEADER_BYTES + s->table_bytes;
        nigh_status status = NIGH_OK;
        uint8_t *to = NULL;
        uint64_t room = count;
        if (s->at < LMDB_HEADER_BYTES) {
            to = s->index.header + s->at;
            room = LMDB_HEADER_BYTES - s->at;
        } else if (s->at < table_end) {
            to = s->table + (s->at - LMDB_HEADER_BYTES);
            room = table_end - s->at;
        } else {
            if (s->skip == 0 && s->left == 0 && !next_block(s)) {
                s->at += count; /* zeros at the end */
                return NIGH_OK;
            }
            if (s->skip == 0 && s->to == NULL) {
                status = begin_block(s);
            }
            to = s->skip == 0 ? s->to : NULL;
            room = s->skip == 0 ? s->left : s->skip;
        }
        if (status != NIGH_OK) {
            return status;
        }
        room = room < count ? room : count;
        if (to != NULL) {
            memcpy(to, bytes, (size_t)room);
        }
        if (s->at >= table_end && s->skip == 0) {
            s->left -= room;
            s->to = s->left != 0 ? s->to + room : NULL;
        } else if (s->at >= table_end) {
            s->skip -= room;
        }
        bytes += room;
        count -= room;
        s->at += room;
        if (s->at == LMDB_HEADER_BYTES) {
            status = take_header(s);
        }
        if (status != NIGH_OK) {
            return status;
        }
    }
    return NIGH_OK;
}

static nigh_status stream(sink *s, const nigh_index *source) {
    const nigh_status status = nigh_save(source, 0, sink_write, s);
    if (status == NIGH_E_USER && s->failed != NIGH_OK) {
        return s->failed;
    }
    if (status == NIGH_OK && s->at != s->total) {
        return nighh_fail(&s->lmdb.errors, NIGH_E_CORRUPT, "the image ends early");
    }
    return status == NIGH_OK
               ? status
               : nighh_fail(&s->lmdb.errors, status, "%s", nighh_lmdb_text(status));
}

/* ---- The catalogue -------------------------------------------------------------------------- */

/* May `id` be stored?  *old: the store that it has now, 0: none */
static nigh_status may_store(const sink *s, uint32_t id, uint32_t flags, uint32_t *old,
                             uint64_t *changes) {
    nighh_lmdb_index found;
    const nigh_status status = nighh_lmdb_index_get(&s->lmdb, id, &found);
    *old = 0;
    *changes = 0;
    if (status == NIGH_E_NOT_FOUND) {
        return NIGH_OK;
    }
    if (status == NIGH_OK && (flags & NIGH_LMDB_REPLACE) == 0) {
        return nighh_fail(&s->lmdb.errors, NIGH_E_EXISTS, "it is there already");
    }
    *old = found.store;
    *changes = found.changes;
    return status;
}

static nigh_status flip(sink *s, uint32_t id, uint32_t flags) {
    uint32_t old = 0;
    uint64_t changes = 0;
    nigh_status status = may_store(s, id, flags, &old, &changes);
    s->index.changes = changes + 1;
    status = status == NIGH_OK ? nighh_lmdb_index_put(&s->lmdb, id, &s->index) : status;
    return status == NIGH_OK && old != 0 ? nighh_lmdb_blocks_delete(&s->lmdb, old, 0, 0, 255)
                                         : status;
}

nigh_status nigh_lmdb_import(void *txn, uint32_t dbi, uint32_t id, uint32_t flags,
                             const nigh_index *source, char *message, uint32_t message_bytes) {
    sink s = {.env = NULL};
    MDB_txn *outer = NULL;
    uint32_t old = 0;
    uint64_t changes = 0;
    nigh_status status =
        nighh_lmdb_begin(&s.lmdb, txn, dbi, id, true, message, message_bytes);
    if (status != NIGH_OK) {
        return status;
    }
    if (source == NULL || id == LMDB_NONE || (flags & ~(uint32_t)NIGH_LMDB_REPLACE) != 0) {
        return nighh_fail(&s.lmdb.errors, NIGH_E_INVALID, "wrong argument");
    }
    status = may_store(&s, id, flags, &old, &changes);
    status = status == NIGH_OK ? nighh_lmdb_nest(&s.lmdb, &outer) : status;
    if (status != NIGH_OK) {
        return status;
    }
    status = nighh_lmdb_store_new(&s.lmdb, &s.index.store);
    status = status == NIGH_OK ? stream(&s, source) : status;
    status = chunk_end(&s, status);
    status = status == NIGH_OK ? flip(&s, id, flags) : status;
    free(s.table);
    return nighh_lmdb_unnest(&s.lmdb, outer, status);
}

/* ---- Loads of many transactions ------------------------------------------------------------- */

static nigh_status load_begin(sink *s, uint32_t id, uint32_t flags) {
    uint32_t old = 0;
    uint32_t swept = 0;
    uint64_t changes = 0;
    int dead = 0;
    nigh_status status = chunk_begin(s);
    if (status != NIGH_OK) {
        return status;
    }
    (void)mdb_reader_check(s->env, &dead); /* readers that died keep pages from being used */
    status = may_store(s, id, flags, &old, &changes);
    status = status == NIGH_OK ? nighh_lmdb_sweep_dead(&s->lmdb, &swept) : status;
    status = status == NIGH_OK ? nighh_lmdb_store_new(&s->lmdb, &s->index.store) : status;
    if (status == NIGH_OK) {
        s->alive = nighh_lmdb_alive_lock(s->env, &s->place);
        status = nighh_lmdb_fail(&s->lmdb, loading_record(s, true));
    }
    return chunk_end(s, status);
}

static nigh_status loading_end(sink *s) {
    const nighh_lmdb_key key = nighh_lmdb_key_id(LMDB_LOADING, s->index.store);
    MDB_val at = nighh_lmdb_val(&key);
    return nighh_lmdb_fail(&s->lmdb, mdb_del(s->lmdb.txn, s->lmdb.dbi, &at, NULL));
}

/* The last transaction: the catalogue names the new store, the old one goes. */
static nigh_status load_end(sink *s, uint32_t id, uint32_t flags) {
    nigh_status status = chunk_end(s, NIGH_OK);
    status = status == NIGH_OK ? chunk_begin(s) : status;
    if (status != NIGH_OK) {
        return status;
    }
    status = still_there(s);
    status = status == NIGH_OK ? flip(s, id, flags) : status;
    status = status == NIGH_OK ? loading_end(s) : status;
    return chunk_end(s, status);
}

/* What a failed load has stored goes again; if that fails too, the next sweep finds it. */
static void load_undo(sink *s) {
    nighh_lmdb_index *index = &s->index;
    s->lmdb.errors = nighh_errors_begin(NULL, 0, s->lmdb.subject);
    (void)chunk_end(s, NIGH_E_USER);
    if (chunk_begin(s) != NIGH_OK) {
        return;
    }
    nigh_status status = nighh_lmdb_blocks_delete(&s->lmdb, index->store, 0, 0, 255);
    status = status == NIGH_OK ? loading_end(s) : status;
    (void)chunk_end(s, status);
}

nigh_status nigh_lmdb_load(void *env, uint32_t dbi, uint32_t id, uint32_t flags,
                           const nigh_index *source, nigh_lmdb_progress_fn progress, void *user,
                           char *message, uint32_t message_bytes) {
    sink s = {.env = env, .progress = progress, .user = user, .alive = -1};
    s.lmdb.dbi = dbi;
    nighh_lmdb_subject(&s.lmdb, id);
    s.lmdb.errors = nighh_errors_begin(message, message_bytes, s.lmdb.subject);
    if (env == NULL || source == NULL || id > NIGH_LMDB_ID_MAX ||
        (flags & ~(uint32_t)NIGH_LMDB_REPLACE) != 0) {
        return nighh_fail(&s.lmdb.errors, NIGH_E_INVALID, "wrong argument");
    }
    nigh_status status = load_begin(&s, id, flags);
    if (status == NIGH_OK) {
        status = stream(&s, source);
        status = status == NIGH_OK ? load_end(&s, id, flags) : status;
        if (status != NIGH_OK) {
            load_undo(&s);
        } else if (progress != NULL) {
            (void)progress(user, s.total, s.total);
        }
        free(s.table);
    }
    if (s.alive >= 0) {
        close(s.alive);
    }
    return status;
}
