/* hosted_lmdb.c - an index in LMDB opened in the caller's transaction; changed blocks stored
 * layer H; uses: hosted_lmdb.h
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Opening walks the store once with a cursor and gives every block its address in the map. Blocks
 * that cannot be used there (a page that this transaction has changed, or a value that does not lie
 * on a cache line because somebody copied the database into pages of another size) are copied. A
 * writer copies a block before its first change. */
#include "hosted_lmdb.h"

#include <stdlib.h>
#include <string.h>

typedef struct place {
    uint8_t *own; /* copy in memory of the handle, NULL: where LMDB has it */
    bool changed; /* since it was stored */
    bool counted; /* in `dirty` */
} place;

typedef struct places {
    place *list;
    uint32_t count;
} places;

/* All that belongs to an index opened here. */
typedef struct holder {
    nigh_index *index;
    nighh_lmdb lmdb; /* `errors` only while a call runs */
    uint32_t id;
    nighh_lmdb_index stored; /* what the catalogue says of it */
    places regions[LMDB_REGIONS];
    MDB_cursor *cursor; /* while it is opened */
    uint32_t dirty;     /* blocks changed in this transaction */
    nigh_status failed; /* what the pager met, with its message */
    bool verifies;      /* checksums, while it is opened */
    bool writes;
    void *handle;
    void *writer;
} holder;

static void *aligned(uint64_t bytes) {
    void *memory = NULL;
    const size_t size = (size_t)(bytes != 0 ? bytes : 1);
    return size >= bytes && posix_memalign(&memory, 64, size) == 0 ? memory : NULL;
}

static nigh_status holder_release(void *context) {
    holder *held = context;
    for (uint32_t i = 0; i < LMDB_REGIONS; i++) {
        for (uint32_t block = 0; block < held->regions[i].count; block++) {
            free(held->regions[i].list[block].own);
        }
        free(held->regions[i].list);
    }
    free(held->writer);
    free(held->handle);
    free(held);
    return NIGH_OK;
}

/* ---- The pager ------------------------------------------------------------------------------ */

/* The core passes on what a user's pager may say, from NIGH_E_USER on; open looks at `failed`. */
static nigh_status pager_failed(holder *held, nigh_status status, const char *text) {
    held->failed = nighh_fail(&held->lmdb.errors, status, "%s", text);
    return NIGH_E_USER;
}

static nigh_status no_memory(holder *held) {
    (void)pager_failed(held, NIGH_E_NO_MEMORY, nighh_status_text(NIGH_E_NO_MEMORY));
    return NIGH_E_FULL_MEMORY;
}

/* The place of a block, made if need be; NULL: no memory. */
static place *place_of(holder *held, uint32_t region, uint32_t block) {
    places *at = &held->regions[region];
    if (block >= at->count) {
        uint32_t count = block + 1 > at->count + at->count / 2 ? block + 1
                                                               : at->count + at->count / 2;
        place *list = realloc(at->list, (size_t)count * sizeof *list);
        if (list == NULL) {
            return NULL;
        }
        memset(list + at->count, 0, (size_t)(count - at->count) * sizeof *list);
        at->list = list;
        at->count = count;
    }
    return &at->list[block];
}

/* A block of the handle's own: `live` bytes copied, zeros behind. */
static nigh_status own_block(holder *held, place *at, const void *rows, uint64_t live,
                             uint64_t bytes, void **address) {
    at->own = aligned(bytes);
    if (at->own == NULL) {
        return no_memory(held);
    }
    if (live > 0) {
        memcpy(at->own, rows, (size_t)live);
    }
    memset(at->own + live, 0, (size_t)(bytes - live));
    *address = at->own;
    return NIGH_OK;
}

/* The value of a block. They are asked for in the order in which the cursor finds them. */
static nigh_status read_value(holder *held, uint32_t region, uint32_t block, MDB_val *value) {
    const nighh_lmdb_key key = nighh_lmdb_key_block(held->stored.store, region, block);
    MDB_val at = {0, NULL};
    int result = mdb_cursor_get(held->cursor, &at, value, MDB_NEXT);
    if (result != MDB_SUCCESS || at.mv_size != key.count ||
        memcmp(at.mv_data, key.bytes, key.count) != 0) {
        at = nighh_lmdb_val(&key);
        result = mdb_cursor_get(held->cursor, &at, value, MDB_SET);
    }
    if (result == MDB_NOTFOUND) {
        return pager_failed(held, NIGH_E_CORRUPT, "a block is missing");
    }
    if (result != MDB_SUCCESS) {
        held->failed = nighh_lmdb_fail(&held->lmdb, result);
        return NIGH_E_USER;
    }
    return NIGH_OK;
}

/* Does the value stay where it is until the transaction ends? Pages that it has changed do not. */
static bool stays(const holder *held, const MDB_val *value) {
    const uintptr_t rows = (uintptr_t)value->mv_data + LMDB_BLOCK_HEADER;
    nighh_lmdb_block block;
    uint64_t txn = 0;
    if (rows % 64 != 0) {
        return false;
    }
    /* One that shares a page with others moves when they change (copies into other page sizes). */
    if (held->lmdb.writes && (value->mv_size + LMDB_PAGE_HEADER) % held->lmdb.page_bytes != 0) {
        return false;
    }
    return !held->lmdb.writes || (nighh_lmdb_block_get(value, &block, &txn) &&
                                  txn != (uint64_t)mdb_txn_id(held->lmdb.txn));
}

/* Does a value say of itself what it should, and does its checksum hold? */
static bool is_sound(const holder *held, uint32_t region, uint32_t block, uint64_t live,
                     const MDB_val *value) {
    const uint8_t *rows = (const uint8_t *)value->mv_data + LMDB_BLOCK_HEADER;
    nighh_lmdb_block got;
    uint64_t txn = 0;
    return nighh_lmdb_block_get(value, &got, &txn) && got.store == held->stored.store &&
           got.region == region && got.block == block && got.bytes == live &&
           nighh_lmdb_checksum(rows, live) == got.checksum;
}

static nigh_status map_block(void *user, uint32_t region, uint32_t block, uint64_t bytes,
                             void **address) {
    holder *held = user;
    const nighh_lmdb_region *stored = &held->stored.regions[region];
    const uint64_t live = nighh_lmdb_live(stored, block);
    MDB_val value = {0, NULL};
    place *at = held->writes ? place_of(held, region, block) : NULL;
    if (held->writes && at == NULL) {
        return no_memory(held);
    }
    if (live == 0) { /* beyond what is stored */
        return at != NULL ? own_block(held, at, NULL, 0, bytes, address)
                          : pager_failed(held, NIGH_E_CORRUPT, "a block is missing");
    }
    const nigh_status status = read_value(held, region, block, &value);
    if (status != NIGH_OK) {
        return status;
    }
    if (value.mv_size < LMDB_BLOCK_HEADER + live || live > bytes) {
        return pager_failed(held, NIGH_E_CORRUPT, "a block is cut short");
    }
    *address = (uint8_t *)value.mv_data + LMDB_BLOCK_HEADER;
    if (held->verifies && !is_sound(held, region, block, live, &value)) {
        return pager_failed(held, NIGH_E_CORRUPT, "the checksum of a block does not hold");
    }
    if (stays(held, &value)) {
        return NIGH_OK;
    }
    at = at != NULL ? at : place_of(held, region, block);
    return at != NULL ? own_block(held, at, *address, live, bytes, address)
                      : no_memory(held);
}

static nigh_status dirty_block(void *user, uint32_t region, uint32_t block, uint64_t bytes,
                               void **address) {
    holder *held = user;
    place *at = place_of(held, region, block);
    nigh_status status = NIGH_OK;
    if (at == NULL) {
        return no_memory(held);
    }
    if (!at->counted && held->dirty >= nighh_lmdb_blocks_max) {
        return NIGH_E_FULL_TXN;
    }
    if (at->own == NULL) {
        const uint64_t live = nighh_lmdb_live(&held->stored.regions[region], block);
        status = own_block(held, at, *address, live, bytes, address);
    }
    if (status == NIGH_OK) {
        held->dirty += !at->counted;
        at->counted = true;
        at->changed = true;
    }
    return status;
}

/* ---- Open ----------------------------------------------------------------------------------- */

static nigh_status make_writable(holder *held, uint32_t slots, uint64_t key_bytes) {
    uint64_t bytes = 0;
    nigh_status status = nigh_writer_bytes(held->index, &bytes);
    if (status != NIGH_OK) {
        return status;
    }
    held->writer = aligned(bytes);
    status = held->writer != NULL ? nigh_writer_init(held->index, held->writer, bytes)
                                  : NIGH_E_NO_MEMORY;
    if (status != NIGH_OK || (slots == 0 && key_bytes == 0)) {
        return status;
    }
    nigh_stats stats = {.struct_size = sizeof stats};
    status = nigh_stats_get(held->index, &stats);
    slots = slots != 0 ? slots : stats.slot_count; /* room for longer keys alone */
    return status != NIGH_OK || slots == 0 ? status
                                           : nigh_grow(held->index, slots, key_bytes, NULL, 0);
}

static nigh_status attach(holder *held, const nigh_options *options, uint32_t slots,
                          uint64_t key_bytes) {
    const uint8_t *header = held->stored.header;
    uint64_t bytes = 0;
    nigh_status status = nigh_attach_bytes(header, NIGH_HEADER_BYTES, options, &bytes);
    if (status != NIGH_OK) {
        return status;
    }
    held->handle = aligned(bytes);
    if (held->handle == NULL) {
        return NIGH_E_NO_MEMORY;
    }
    status = nigh_attach_blocks(header, NIGH_HEADER_BYTES, options, map_block,
                                held->writes ? dirty_block : NULL, held, held->handle, bytes,
                                &held->index);
    return status == NIGH_OK && held->writes ? make_writable(held, slots, key_bytes) : status;
}

/* A header that claims more blocks than the database has values: nothing is allocated by it. */
static nigh_status count_blocks(const holder *held) {
    MDB_stat stat;
    uint64_t blocks = 0;
    const int result = mdb_stat(held->lmdb.txn, held->lmdb.dbi, &stat);
    for (uint32_t i = 0; i < LMDB_REGIONS; i++) {
        blocks += held->stored.regions[i].blocks;
    }
    if (result == MDB_SUCCESS && blocks > stat.ms_entries) {
        return nighh_fail(&held->lmdb.errors, NIGH_E_CORRUPT, "blocks are missing");
    }
    return nighh_lmdb_fail(&held->lmdb, result);
}

static nigh_status open_index(holder *held, const nigh_options *options, uint32_t slots,
                              uint64_t key_bytes) {
    const nighh_lmdb *lmdb = &held->lmdb;
    nigh_options own = {.struct_size = sizeof own};
    nigh_status status = nighh_options_take(options, &own);
    if (status == NIGH_OK && !held->writes &&
        (slots != 0 || key_bytes != 0 || (own.flags & NIGH_OPEN_WRITABLE) != 0)) {
        status = NIGH_E_INVALID;
    }
    if (status != NIGH_OK) {
        return nighh_fail(&lmdb->errors, status, "wrong argument");
    }
    held->verifies = (own.flags & NIGH_OPEN_VERIFY) != 0;
    own.flags |= held->writes ? (uint32_t)NIGH_OPEN_WRITABLE : 0;
    own.slot_max = slots > own.slot_max ? slots : own.slot_max;
    status = nighh_lmdb_index_get(lmdb, held->id, &held->stored);
    if (status == NIGH_E_NOT_FOUND) {
        return nighh_fail(&lmdb->errors, status, "there is no such index");
    }
    status = status == NIGH_OK ? count_blocks(held) : status;
    status = status == NIGH_OK
                 ? nighh_lmdb_fail(lmdb, mdb_cursor_open(lmdb->txn, lmdb->dbi, &held->cursor))
                 : status;
    if (status != NIGH_OK) {
        return status;
    }
    status = attach(held, &own, slots, key_bytes);
    mdb_cursor_close(held->cursor);
    held->cursor = NULL;
    if (status != NIGH_OK && held->failed != NIGH_OK) {
        return held->failed;
    }
    return status == NIGH_OK ? status
                             : nighh_fail(&lmdb->errors, status, "%s", nighh_lmdb_text(status));
}

nigh_status nigh_lmdb_open(void *txn, uint32_t dbi, uint32_t id, uint32_t flags,
                           const nigh_options *options, uint32_t slots, uint64_t key_bytes,
                           nigh_index **index, char *message, uint32_t message_bytes) {
    nighh_lmdb lmdb;
    const bool writes = (flags & NIGH_LMDB_WRITE) != 0;
    nigh_status status = nighh_lmdb_begin(&lmdb, txn, dbi, id, writes, message, message_bytes);
    if (status != NIGH_OK) {
        return status;
    }
    if (index == NULL || id == LMDB_NONE || (flags & ~(uint32_t)NIGH_LMDB_WRITE) != 0) {
        return nighh_fail(&lmdb.errors, NIGH_E_INVALID, "wrong argument");
    }
    holder *held = calloc(1, sizeof *held);
    if (held == NULL) {
        return nighh_fail(&lmdb.errors, NIGH_E_NO_MEMORY, "no memory");
    }
    if (writes) { /* what dead readers saw is kept from being used again until somebody looks */
        int dead = 0;
        (void)mdb_reader_check(mdb_txn_env(lmdb.txn), &dead);
    }
    held->lmdb = lmdb;
    held->lmdb.errors.path = held->lmdb.subject;
    held->id = id;
    held->writes = writes;
    status = open_index(held, options, slots, key_bytes);
    if (status == NIGH_OK) {
        held->lmdb.errors = nighh_errors_begin(NULL, 0, held->lmdb.subject);
        status = nighh_own(held->index, holder_release, held);
    }
    if (status != NIGH_OK) {
        (void)holder_release(held);
        return status;
    }
    *index = held->index;
    return NIGH_OK;
}

/* ---- Store ---------------------------------------------------------------------------------- */

static int put_block(holder *held, MDB_cursor *cursor, const nighh_lmdb_region *region,
                     const nighh_lmdb_block *block) {
    const nighh_lmdb_key key = nighh_lmdb_key_block(block->store, block->region, block->block);
    const uint8_t *rows = held->regions[block->region].list[block->block].own;
    nighh_lmdb_block put = *block;
    put.bytes = (uint32_t)nighh_lmdb_live(region, block->block);
    put.checksum = nighh_lmdb_checksum(rows, put.bytes);
    MDB_val at = nighh_lmdb_val(&key);
    MDB_val value = {(size_t)nighh_lmdb_value_bytes(held->lmdb.page_bytes, put.bytes), NULL};
    const int result = mdb_cursor_put(cursor, &at, &value, MDB_RESERVE);
    if (result == MDB_SUCCESS) {
        uint8_t *to = value.mv_data;
        const size_t end = LMDB_BLOCK_HEADER + put.bytes;
        nighh_lmdb_block_put(to, &put, (uint64_t)mdb_txn_id(held->lmdb.txn));
        memcpy(to + LMDB_BLOCK_HEADER, rows, put.bytes);
        memset(to + end, 0, value.mv_size - end);
    }
    return result;
}

/* Stores every block that has changed, and the last one of a region that has grown within it. */
static nigh_status put_blocks(holder *held, const nighh_lmdb_index *now) {
    const nighh_lmdb *lmdb = &held->lmdb;
    MDB_cursor *cursor = NULL;
    int result = mdb_cursor_open(lmdb->txn, lmdb->dbi, &cursor);
    for (uint32_t i = 0; i < LMDB_REGIONS && result == MDB_SUCCESS; i++) {
        const places *region = &held->regions[i];
        uint32_t end = now->regions[i].blocks;
        end = end < region->count ? end : region->count;
        for (uint32_t block = 0; block < end && result == MDB_SUCCESS; block++) {
            const place *at = &region->list[block];
            const bool fresh = block >= held->stored.regions[i].blocks;
            if (at->own != NULL && (at->changed || fresh)) {
                const nighh_lmdb_block put = {.store = now->store, .region = i, .block = block};
                result = put_block(held, cursor, &now->regions[i], &put);
            }
        }
    }
    if (cursor != NULL) {
        mdb_cursor_close(cursor);
    }
    nigh_status status = nighh_lmdb_fail(lmdb, result);
    for (uint32_t i = 0; i < LMDB_REGIONS && status == NIGH_OK; i++) {
        const uint32_t blocks = now->regions[i].blocks;
        if (blocks < held->stored.regions[i].blocks) { /* codes were dropped */
            status = nighh_lmdb_blocks_delete(lmdb, now->store, i, blocks, i + 1);
        }
    }
    return status;
}

/* The catalogue's entry must be the one that this handle began with. */
static nigh_status still_mine(const holder *held) {
    nighh_lmdb_index found;
    const nigh_status status = nighh_lmdb_index_get(&held->lmdb, held->id, &found);
    if (status == NIGH_E_NOT_FOUND) {
        return nighh_fail(&held->lmdb.errors, status, "it was dropped");
    }
    if (status == NIGH_OK && (found.store != held->stored.store ||
                              found.changes != held->stored.changes)) {
        return nighh_fail(&held->lmdb.errors, NIGH_E_BUSY, "another handle has changed it");
    }
    return status;
}

static bool has_changed(const holder *held, const uint8_t *header) {
    bool changed = memcmp(header, held->stored.header, LMDB_HEADER_BYTES) != 0;
    for (uint32_t i = 0; i < LMDB_REGIONS; i++) {
        for (uint32_t block = 0; block < held->regions[i].count; block++) {
            changed = changed || held->regions[i].list[block].changed;
        }
    }
    return changed;
}

static nigh_status prepare(holder *held) {
    nighh_lmdb_index now = held->stored;
    MDB_txn *outer = NULL;
    /* First, because it refuses while a save or a job reads the index: what counts as clean then is
     * still marked `changed` here, and stored now or the next time. */
    nigh_status status = nigh_seal(held->index);
    status = status == NIGH_OK ? nigh_header(held->index, now.header) : status;
    if (status != NIGH_OK) {
        return nighh_fail(&held->lmdb.errors, status, "%s", nighh_lmdb_text(status));
    }
    status = still_mine(held);
    if (status != NIGH_OK || !has_changed(held, now.header)) {
        return status;
    }
    nighh_lmdb_regions(now.header, now.regions);
    now.changes++;
    status = nighh_lmdb_nest(&held->lmdb, &outer);
    if (status != NIGH_OK) {
        return status;
    }
    status = put_blocks(held, &now);
    status = status == NIGH_OK ? nighh_lmdb_index_put(&held->lmdb, held->id, &now) : status;
    status = nighh_lmdb_unnest(&held->lmdb, outer, status);
    if (status != NIGH_OK) {
        return status;
    }
    held->stored = now;
    for (uint32_t i = 0; i < LMDB_REGIONS; i++) {
        for (uint32_t block = 0; block < held->regions[i].count; block++) {
            held->regions[i].list[block].changed = false;
        }
    }
    return NIGH_OK;
}

nigh_status nigh_lmdb_prepare(nigh_index *index, char *message, uint32_t message_bytes) {
    nighh_errors errors = nighh_errors_begin(message, message_bytes, "index");
    holder *held = nighh_context(index, holder_release);
    if (held == NULL) {
        return nighh_fail(&errors, NIGH_E_INVALID, "not opened by nigh_lmdb_open");
    }
    if (!held->writes) {
        return nighh_fail(&errors, NIGH_E_READ_ONLY, "opened to read");
    }
    held->lmdb.errors = nighh_errors_begin(message, message_bytes, held->lmdb.subject);
    const nigh_status status = prepare(held);
    held->lmdb.errors = nighh_errors_begin(NULL, 0, held->lmdb.subject);
    return status;
}
