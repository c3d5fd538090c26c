/* hosted_lmdb_check.c - proves that the values of a database are those that its catalogue wants
 * layer H; uses: hosted_lmdb.h
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * First every index and its blocks, counted; then all blocks that there are: a block that no index
 * and no load under way has makes the two numbers differ. */
#include "hosted_lmdb.h"

#include <string.h>

#define REPORT_BYTES_MIN ((uint32_t)sizeof(nigh_lmdb_report)) /* of the first version */

enum { /* docs/FORMAT.md */
    FAULT_ENTRY = 1,
    FAULT_MISSING = 2,
    FAULT_SHAPE = 3,
    FAULT_CHECKSUM = 4,
    FAULT_PADDING = 5,
    FAULT_STRAY = 6
};

typedef struct checker {
    nighh_lmdb lmdb;
    nigh_lmdb_report report;
    uint64_t loading_blocks; /* of loads under way */
} checker;

static void fault(checker *c, uint32_t number, uint32_t id, uint32_t region, uint32_t block) {
    nigh_lmdb_report *report = &c->report;
    if (report->fault == 0) {
        report->status = NIGH_E_CORRUPT;
        report->fault = number;
        report->id = id;
        report->region = region;
        report->block = block;
    }
}

/* A value of whole pages of another size, or of those: databases are copied between machines. */
static bool has_size(uint32_t page_bytes, const MDB_val *value, uint32_t live, bool *other) {
    *other = value->mv_size != nighh_lmdb_value_bytes(page_bytes, live);
    bool has = !*other;
    for (uint32_t page = 512; page <= 65536 && !has; page *= 2) {
        has = value->mv_size == nighh_lmdb_value_bytes(page, live);
    }
    return has;
}

static uint32_t value_fault(checker *c, const nighh_lmdb_block *want, const MDB_val *value) {
    const uint8_t *bytes = value->mv_data;
    const uint64_t end = LMDB_BLOCK_HEADER + (uint64_t)want->bytes;
    nighh_lmdb_block got;
    uint64_t txn = 0;
    bool other = false;
    if (!nighh_lmdb_block_get(value, &got, &txn) || got.store != want->store ||
        got.region != want->region || got.block != want->block || got.bytes != want->bytes ||
        !has_size(c->lmdb.page_bytes, value, want->bytes, &other)) {
        return FAULT_SHAPE;
    }
    c->report.other_page += other;
    if (nighh_lmdb_checksum(bytes + LMDB_BLOCK_HEADER, want->bytes) != got.checksum) {
        return FAULT_CHECKSUM;
    }
    for (uint64_t i = end; i < value->mv_size; i++) {
        if (bytes[i] != 0) {
            return FAULT_PADDING;
        }
    }
    return 0;
}

static int check_block(checker *c, uint32_t id, const nighh_lmdb_block *want, bool *there) {
    const nighh_lmdb_key key = nighh_lmdb_key_block(want->store, want->region, want->block);
    MDB_val at = nighh_lmdb_val(&key);
    MDB_val value;
    const int result = mdb_get(c->lmdb.txn, c->lmdb.dbi, &at, &value);
    if (result == MDB_NOTFOUND) {
        *there = false;
        fault(c, FAULT_MISSING, id, want->region, want->block);
        return MDB_SUCCESS;
    }
    if (result != MDB_SUCCESS) {
        return result;
    }
    const uint32_t found = value_fault(c, want, &value);
    if (found != 0) {
        fault(c, found, id, want->region, want->block);
    }
    c->report.blocks++;
    c->report.bytes += LMDB_PAGE_HEADER + value.mv_size;
    return MDB_SUCCESS;
}

static int check_index(checker *c, uint32_t id, const MDB_val *entry) {
    const nighh_lmdb quiet = nighh_lmdb_quiet(&c->lmdb); /* it is a finding, not a message */
    nighh_lmdb_index index;
    uint64_t bytes = 0;
    if (nighh_lmdb_index_parse(&quiet, entry, &index) != NIGH_OK) {
        fault(c, FAULT_ENTRY, id, LMDB_NONE, LMDB_NONE);
        return MDB_SUCCESS;
    }
    int result = MDB_SUCCESS;
    bool there = true;
    if (nigh_attach_bytes(index.header, NIGH_HEADER_BYTES, NULL, &bytes) != NIGH_OK) {
        fault(c, FAULT_ENTRY, id, LMDB_NONE, LMDB_NONE);
        return MDB_SUCCESS;
    }
    for (uint32_t i = 0; i < LMDB_REGIONS; i++) {
        for (uint32_t b = 0; b < index.regions[i].blocks && result == MDB_SUCCESS && there; b++) {
            nighh_lmdb_block want = {.store = index.store, .region = i, .block = b};
            want.bytes = (uint32_t)nighh_lmdb_live(&index.regions[i], b);
            result = check_block(c, id, &want, &there); /* its end: a forged count may be huge */
        }
    }
    return result;
}

/* Blocks of a store that is being loaded, counted. */
static int count_loading(checker *c, uint32_t store) {
    const nighh_lmdb_key first = nighh_lmdb_key_block(store, 0, 0);
    const nighh_lmdb_key end = nighh_lmdb_key_block(store, 255, 0);
    MDB_cursor *cursor = NULL;
    MDB_val at = nighh_lmdb_val(&first);
    MDB_val value;
    int result = mdb_cursor_open(c->lmdb.txn, c->lmdb.dbi, &cursor);
    if (result != MDB_SUCCESS) {
        return result;
    }
    result = mdb_cursor_get(cursor, &at, &value, MDB_SET_RANGE);
    while (result == MDB_SUCCESS && nighh_lmdb_before(&at, &end)) {
        c->loading_blocks += at.mv_size == first.count;
        result = mdb_cursor_get(cursor, &at, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return result == MDB_NOTFOUND ? MDB_SUCCESS : result;
}

/* Catalogue and loads; then how many blocks there are in all. */
static int check_all(checker *c, MDB_cursor *cursor) {
    const nighh_lmdb_key first = nighh_lmdb_key_id(LMDB_CATALOGUE, 0);
    MDB_val at = nighh_lmdb_val(&first);
    MDB_val value;
    uint64_t blocks = 0;
    int step = MDB_SUCCESS;
    int result = mdb_cursor_get(cursor, &at, &value, MDB_SET_RANGE);
    while (result == MDB_SUCCESS) {
        const uint8_t *key = at.mv_data;
        if (at.mv_size == 3 && key[0] == LMDB_CATALOGUE) {
            c->report.indexes++;
            step = check_index(c, (uint32_t)key[1] << 8 | key[2], &value);
        } else if (at.mv_size == 5 && key[0] == LMDB_LOADING) {
            c->report.unfinished++;
            step = count_loading(c, (uint32_t)key[1] << 24 | (uint32_t)key[2] << 16 |
                                        (uint32_t)key[3] << 8 | key[4]);
        } else {
            blocks += at.mv_size == 10 && key[0] == LMDB_BLOCK;
        }
        result = step == MDB_SUCCESS ? mdb_cursor_get(cursor, &at, &value, MDB_NEXT) : step;
    }
    if (result == MDB_NOTFOUND && blocks != c->report.blocks + c->loading_blocks) {
        fault(c, FAULT_STRAY, LMDB_NONE, LMDB_NONE, LMDB_NONE);
    }
    return result == MDB_NOTFOUND ? MDB_SUCCESS : result;
}

static int check_one(checker *c, uint32_t id) {
    const nighh_lmdb_key key = nighh_lmdb_key_id(LMDB_CATALOGUE, id);
    MDB_val at = nighh_lmdb_val(&key);
    MDB_val value;
    const int result = mdb_get(c->lmdb.txn, c->lmdb.dbi, &at, &value);
    c->report.indexes = 1;
    return result == MDB_SUCCESS ? check_index(c, id, &value) : result;
}

nigh_status nigh_lmdb_check(void *txn, uint32_t dbi, uint32_t id, nigh_lmdb_report *report,
                            char *message, uint32_t message_bytes) {
    checker c;
    MDB_cursor *cursor = NULL;
    uint32_t next = 0;
    memset(&c, 0, sizeof c);
    nigh_status status =
        nighh_lmdb_begin(&c.lmdb, txn, dbi, id == NIGH_LMDB_ALL ? LMDB_NONE : id, false, message,
                         message_bytes);
    if (status != NIGH_OK) {
        return status;
    }
    if (report == NULL || id > NIGH_LMDB_ALL || report->struct_size != REPORT_BYTES_MIN) {
        return nighh_fail(&c.lmdb.errors, NIGH_E_INVALID, "wrong argument");
    }
    c.report.struct_size = report->struct_size;
    c.report.id = c.report.region = c.report.block = LMDB_NONE;
    status = nighh_lmdb_head(&c.lmdb, &next);
    if (status == NIGH_E_NOT_FOUND && id == NIGH_LMDB_ALL) { /* nothing was ever stored */
        *report = c.report;
        return NIGH_OK;
    }
    int result = status == NIGH_E_NOT_FOUND ? MDB_NOTFOUND : MDB_SUCCESS;
    if (status == NIGH_OK && id != NIGH_LMDB_ALL) {
        result = check_one(&c, id);
    } else if (status == NIGH_OK) {
        result = mdb_cursor_open(c.lmdb.txn, dbi, &cursor);
    }
    if (cursor != NULL) {
        result = check_all(&c, cursor);
        mdb_cursor_close(cursor);
    }
    if (result == MDB_NOTFOUND) {
        return nighh_fail(&c.lmdb.errors, NIGH_E_NOT_FOUND, "there is no such index");
    }
    status = status == NIGH_OK ? nighh_lmdb_fail(&c.lmdb, result) : status;
    if (status == NIGH_OK) {
        *report = c.report;
    }
    return status;
}
