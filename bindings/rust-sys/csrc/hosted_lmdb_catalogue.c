/* hosted_lmdb_catalogue.c - databases and indexes made, listed
 * layer H; uses: hosted_lmdb.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hosted_lmdb.h"

#include <stdlib.h>
#include <string.h>

#define ENTRY_BYTES_MIN ((uint32_t)sizeof(nigh_lmdb_entry)) /* of the first version */

nigh_status nigh_lmdb_dbi(void *txn, const char *name, uint32_t flags, uint32_t *dbi,
                          char *message, uint32_t message_bytes) {
    nighh_lmdb lmdb = {.txn = txn};
    uint32_t next = 0;
    nighh_lmdb_subject(&lmdb, LMDB_NONE);
    lmdb.errors = nighh_errors_begin(message, message_bytes, name != NULL ? name : lmdb.subject);
    if (txn == NULL || dbi == NULL || (flags & ~(uint32_t)NIGH_LMDB_CREATE) != 0) {
        return nighh_fail(&lmdb.errors, NIGH_E_INVALID, "wrong argument");
    }
    const unsigned create = (flags & NIGH_LMDB_CREATE) != 0 ? MDB_CREATE : 0;
    int result = mdb_dbi_open(txn, name, create, &lmdb.dbi);
    if (result != MDB_SUCCESS) {
        return nighh_lmdb_fail(&lmdb, result);
    }
    nigh_status status = nighh_lmdb_look(&lmdb, txn);
    status = status == NIGH_OK ? nighh_lmdb_head(&lmdb, &next) : status;
    if (status != NIGH_OK && status != NIGH_E_NOT_FOUND) {
        return status;
    }
    *dbi = lmdb.dbi;
    return NIGH_OK;
}

/* ---- Create --------------------------------------------------------------------------------- */

/* The header of an index of that configuration without vectors. */
static nigh_status empty_header(const nighh_lmdb *lmdb, const nigh_config *config,
                                uint8_t *header) {
    const nigh_options options = {.struct_size = sizeof options, .slot_max = 1};
    nigh_index *index = NULL;
    void *memory = NULL;
    uint64_t bytes = 0;
    nigh_status status = nigh_index_bytes(config, &options, &bytes);
    status = status == NIGH_OK ? nighh_pages_new(bytes, &memory) : status;
    status = status == NIGH_OK ? nigh_index_init(config, &options, memory, bytes, &index) : status;
    status = status == NIGH_OK ? nigh_header(index, header) : status;
    nighh_pages_free(memory, bytes);
    return status == NIGH_OK ? status
                             : nighh_fail(&lmdb->errors, status, "%s", nighh_lmdb_text(status));
}

nigh_status nigh_lmdb_create(void *txn, uint32_t dbi, uint32_t id, const nigh_config *config,
                             char *message, uint32_t message_bytes) {
    nighh_lmdb lmdb;
    nighh_lmdb_index index;
    MDB_txn *outer = NULL;
    nigh_status status = nighh_lmdb_begin(&lmdb, txn, dbi, id, true, message, message_bytes);
    if (status != NIGH_OK) {
        return status;
    }
    if (config == NULL || id == LMDB_NONE) {
        return nighh_fail(&lmdb.errors, NIGH_E_INVALID, "wrong argument");
    }
    status = nighh_lmdb_index_get(&lmdb, id, &index);
    if (status == NIGH_OK) {
        return nighh_fail(&lmdb.errors, NIGH_E_EXISTS, "it is there already");
    }
    if (status != NIGH_E_NOT_FOUND) {
        return status;
    }
    memset(&index, 0, sizeof index);
    index.changes = 1;
    status = empty_header(&lmdb, config, index.header);
    status = status == NIGH_OK ? nighh_lmdb_nest(&lmdb, &outer) : status;
    if (status != NIGH_OK) {
        return status;
    }
    status = nighh_lmdb_store_new(&lmdb, &index.store);
    status = status == NIGH_OK ? nighh_lmdb_index_put(&lmdb, id, &index) : status;
    return nighh_lmdb_unnest(&lmdb, outer, status);
}

/* ---- List ----------------------------------------------------------------------------------- */

/* The configuration that a header holds (docs/FORMAT.md), which the core has found valid. */
static nigh_status config_of(const uint8_t *header, nigh_config *config) {
    uint64_t bytes = 0;
    const nigh_status status = nigh_attach_bytes(header, NIGH_HEADER_BYTES, NULL, &bytes);
    if (status != NIGH_OK) {
        return status;
    }
    memset(config, 0, sizeof *config);
    config->struct_size = sizeof *config;
    memcpy(&config->dim, header + 32, 44); /* dim to key_bytes_max, in that order there too */
    memcpy(&config->seed, header + 80, 8);
    memcpy(&config->codes, header + 376, 20); /* codes to code_max */
    config->alpha = config->alpha == 0.0f ? 1.0f : config->alpha;
    return NIGH_OK;
}

static uint64_t pages_of(const nighh_lmdb *lmdb, const nighh_lmdb_region *region, uint32_t block) {
    const uint64_t live = nighh_lmdb_live(region, block);
    return LMDB_PAGE_HEADER + nighh_lmdb_value_bytes(lmdb->page_bytes, live);
}

static void fill_entry(const nighh_lmdb *lmdb, uint32_t id, const MDB_val *value,
                       nigh_lmdb_entry *entry) {
    const nighh_lmdb quiet = nighh_lmdb_quiet(lmdb);
    nigh_lmdb_entry made = {.struct_size = entry->struct_size, .id = id};
    nighh_lmdb_index index;
    made.status = nighh_lmdb_index_parse(&quiet, value, &index);
    made.status = made.status == NIGH_OK ? config_of(index.header, &made.config) : made.status;
    for (uint32_t i = 0; i < LMDB_REGIONS && made.status == NIGH_OK; i++) {
        const nighh_lmdb_region *region = &index.regions[i];
        const uint32_t last = region->blocks != 0 ? region->blocks - 1 : 0;
        made.changes = index.changes;
        made.blocks += region->blocks;
        if (region->blocks != 0) { /* all but the last one are whole */
            made.bytes += last * pages_of(lmdb, region, 0) + pages_of(lmdb, region, last);
        }
    }
    *entry = made;
}

static nigh_status list(const nighh_lmdb *lmdb, MDB_cursor *cursor, uint32_t from, uint32_t count,
                        nigh_lmdb_entry *entries, uint32_t *found) {
    const nighh_lmdb_key first = nighh_lmdb_key_id(LMDB_CATALOGUE, from);
    const nighh_lmdb_key end = {{LMDB_CATALOGUE + 1}, 1};
    const uint32_t struct_size = entries[0].struct_size;
    MDB_val at = nighh_lmdb_val(&first);
    MDB_val value;
    uint32_t filled = 0;
    int result = mdb_cursor_get(cursor, &at, &value, MDB_SET_RANGE);
    while (result == MDB_SUCCESS && filled < count) {
        const uint8_t *key = at.mv_data;
        if (!nighh_lmdb_before(&at, &end)) {
            result = MDB_NOTFOUND;
            break;
        }
        if (at.mv_size == first.count) {
            entries[filled].struct_size = struct_size;
            fill_entry(lmdb, (uint32_t)key[1] << 8 | key[2], &value, &entries[filled]);
            filled++;
        }
        result = mdb_cursor_get(cursor, &at, &value, MDB_NEXT);
    }
    if (result != MDB_SUCCESS && result != MDB_NOTFOUND) {
        return nighh_lmdb_fail(lmdb, result);
    }
    *found = filled;
    return NIGH_OK;
}

nigh_status nigh_lmdb_list(void *txn, uint32_t dbi, uint32_t from, uint32_t count,
                           nigh_lmdb_entry *entries, uint32_t *found, char *message,
                           uint32_t message_bytes) {
    nighh_lmdb lmdb;
    MDB_cursor *cursor = NULL;
    uint32_t next = 0;
    nigh_status status =
        nighh_lmdb_begin(&lmdb, txn, dbi, LMDB_NONE, false, message, message_bytes);
    if (status != NIGH_OK) {
        return status;
    }
    if (entries == NULL || found == NULL || count == 0 || from > NIGH_LMDB_ID_MAX ||
        entries[0].struct_size != ENTRY_BYTES_MIN) {
        return nighh_fail(&lmdb.errors, NIGH_E_INVALID, "wrong argument");
    }
    status = nighh_lmdb_head(&lmdb, &next);
    if (status == NIGH_E_NOT_FOUND) {
        *found = 0;
        return NIGH_OK;
    }
    status = status == NIGH_OK
                 ? nighh_lmdb_fail(&lmdb, mdb_cursor_open(lmdb.txn, lmdb.dbi, &cursor))
                 : status;
    if (status == NIGH_OK) {
        status = list(&lmdb, cursor, from, count, entries, found);
        mdb_cursor_close(cursor);
    }
    return status;
}
