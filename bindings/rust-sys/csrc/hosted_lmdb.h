/* hosted_lmdb.h - what the files of the LMDB part share: keys, values, errors, stores
 * layer H; uses: hosted.h, nigh_lmdb.h, lmdb.h
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 *   key {0}                                 head: what the database is, the next store's number
 *   key {1, id u16}                         catalogue: index id -> its store, and its header
 *   key {2, store u32}                      a load under way: the process that runs it
 *   key {3, store u32, region u8, block u32}  one block
 * Numbers in keys are big-endian, so that the blocks of a store follow each other and those of a
 * new one lie behind all others: they can be appended. docs/FORMAT.md describes the values. Keys of
 * the caller's may lie between: each of a kind has its size, others are passed over.
 *
 * Why blocks are not written where LMDB keeps dirty pages: such a page lies anywhere in malloc's
 * memory (rows want cache lines), and the next put may write it out and free it ("spill"), also a
 * put of the caller's own. So a changed block lies in memory of the handle, and MDB_RESERVE is used
 * when it is stored. Clean pages are different: they are in the map and stay as they are until the
 * transaction ends, even when this transaction replaces them. */
#ifndef NIGHH_HOSTED_LMDB_H
#define NIGHH_HOSTED_LMDB_H
#include "hosted.h"

#include <lmdb.h>

#include "nigh_lmdb.h"

enum { LMDB_HEAD = 0, LMDB_CATALOGUE = 1, LMDB_LOADING = 2, LMDB_BLOCK = 3 }; /* first of a key */

#define LMDB_REGIONS 8u
#define LMDB_NONE 0xffffffffu
#define LMDB_PAGE_HEADER 16u /* before a value on pages of its own */
#define LMDB_BLOCK_HEADER 48u
#define LMDB_LOADING_BYTES 16u
#define LMDB_HEADER_BYTES ((size_t)NIGH_HEADER_BYTES)

/* One call: where it works and how it fails. */
typedef struct nighh_lmdb {
    MDB_txn *txn;
    MDB_dbi dbi;
    uint32_t page_bytes;
    bool writes; /* a write transaction */
    nighh_errors errors;
    char subject[32]; /* of its messages */
} nighh_lmdb;

typedef struct nighh_lmdb_key {
    uint8_t bytes[10];
    uint32_t count;
} nighh_lmdb_key;

/* A region as the header of an index describes it. */
typedef struct nighh_lmdb_region {
    uint64_t records;
    uint32_t stride;
    uint32_t shift;
    uint32_t blocks;
} nighh_lmdb_region;

typedef struct nighh_lmdb_index { /* a catalogue value */
    uint32_t store;
    uint64_t changes;
    uint8_t header[NIGH_HEADER_BYTES];
    nighh_lmdb_region regions[LMDB_REGIONS];
} nighh_lmdb_index;

/* The number of a block, and how much of it is in use. */
typedef struct nighh_lmdb_block {
    uint32_t store;
    uint32_t region;
    uint32_t block;
    uint32_t bytes;
    uint32_t checksum;
} nighh_lmdb_block;

/* ---- Values (hosted_lmdb_value.c) ----------------------------------------------------------- */

NIGHH_FN uint32_t nighh_lmdb_load_u32(const uint8_t *at);
NIGHH_FN void nighh_lmdb_store_u32(uint8_t *at, uint32_t value);
NIGHH_FN uint64_t nighh_lmdb_load_u64(const uint8_t *at);
NIGHH_FN void nighh_lmdb_store_u64(uint8_t *at, uint64_t value);
/* XXH32, as the checksums of an image. */
NIGHH_FN uint32_t nighh_lmdb_checksum(const void *bytes, uint64_t count);
/* The regions that 512 bytes of header describe. */
NIGHH_FN void nighh_lmdb_regions(const uint8_t *header, nighh_lmdb_region *regions);
/* Bytes in use of a block. */
NIGHH_FN uint64_t nighh_lmdb_live(const nighh_lmdb_region *region, uint32_t block);
/* Bytes of the value that holds so many: whole pages, less what LMDB puts before it. */
NIGHH_FN uint64_t nighh_lmdb_value_bytes(uint32_t page_bytes, uint64_t live);
NIGHH_FN void nighh_lmdb_block_put(uint8_t *value, const nighh_lmdb_block *block, uint64_t txn);
/* Does a value hold this block?  *txn: which transaction wrote it */
NIGHH_FN bool nighh_lmdb_block_get(const MDB_val *value, nighh_lmdb_block *block, uint64_t *txn);

/* ---- Records (hosted_lmdb_record.c, _drop.c, _alive.c) -------------------------------------- */

NIGHH_FN nighh_lmdb_key nighh_lmdb_key_id(uint32_t kind, uint32_t id);
NIGHH_FN nighh_lmdb_key nighh_lmdb_key_block(uint32_t store, uint32_t region, uint32_t block);
NIGHH_FN MDB_val nighh_lmdb_val(const nighh_lmdb_key *key);
/* Does a key lie before `end`? */
NIGHH_FN bool nighh_lmdb_before(const MDB_val *at, const nighh_lmdb_key *end);
/* LMDB's result as a status, with its message. */
NIGHH_FN nigh_status nighh_lmdb_fail(const nighh_lmdb *lmdb, int result);
/* The same without messages: for what is looked at on the way. */
NIGHH_FN nighh_lmdb nighh_lmdb_quiet(const nighh_lmdb *lmdb);
/* What messages are about.  id LMDB_NONE: none */
NIGHH_FN void nighh_lmdb_subject(nighh_lmdb *lmdb, uint32_t id);
/* Begins a call: empties the message, looks at transaction and database. id LMDB_NONE: none. */
NIGHH_FN nigh_status nighh_lmdb_begin(nighh_lmdb *lmdb, void *txn, uint32_t dbi, uint32_t id,
                                      bool writes, char *message, uint32_t message_bytes);
/* The same for a transaction of its own. */
NIGHH_FN nigh_status nighh_lmdb_look(nighh_lmdb *lmdb, MDB_txn *txn);
/* Begins a nested transaction, where there is one; lmdb->txn is it then. */
NIGHH_FN nigh_status nighh_lmdb_nest(nighh_lmdb *lmdb, MDB_txn **outer);
/* Ends it: what was done holds, or by any other status than NIGH_OK is undone. */
NIGHH_FN nigh_status nighh_lmdb_unnest(nighh_lmdb *lmdb, MDB_txn *outer, nigh_status status);
/* NIGH_E_NOT_FOUND without a message when there is none. */
NIGHH_FN nigh_status nighh_lmdb_index_get(const nighh_lmdb *lmdb, uint32_t id,
                                          nighh_lmdb_index *index);
NIGHH_FN nigh_status nighh_lmdb_index_parse(const nighh_lmdb *lmdb, const MDB_val *value,
                                            nighh_lmdb_index *index);
NIGHH_FN nigh_status nighh_lmdb_index_put(const nighh_lmdb *lmdb, uint32_t id,
                                          const nighh_lmdb_index *index);
/* A number that no store of this database ever had. */
NIGHH_FN nigh_status nighh_lmdb_store_new(const nighh_lmdb *lmdb, uint32_t *store);
/* *next: what the head says; NIGH_E_NOT_FOUND without a message when there is none. */
NIGHH_FN nigh_status nighh_lmdb_head(const nighh_lmdb *lmdb, uint32_t *next);
/* Deletes the blocks of a store, from those of `region` and `block` on to the end of `region_end`
 * less 1. */
NIGHH_FN nigh_status nighh_lmdb_blocks_delete(const nighh_lmdb *lmdb, uint32_t store,
                                              uint32_t region, uint32_t block, uint32_t region_end);
/* Marks a load under way for as long as the descriptor is open: what goes into its record.
 * @returns a descriptor, or -1 and *place 0 */
NIGHH_FN int nighh_lmdb_alive_lock(MDB_env *env, uint64_t *place);
/* Is it marked?  @returns 1, 0, or -1: unknown */
NIGHH_FN int nighh_lmdb_alive(MDB_env *env, uint64_t place);
/* Takes out stores of loads whose process is gone. */
NIGHH_FN nigh_status nighh_lmdb_sweep_dead(const nighh_lmdb *lmdb, uint32_t *swept);
/* nighh_status_text, and the statuses of nigh_lmdb.h. */
NIGHH_FN const char *nighh_lmdb_text(nigh_status status);

/* NIGH_LMDB_BLOCKS_MAX and how many bytes a load puts into a transaction: tests lower them. */
NIGHH_FN extern uint32_t nighh_lmdb_blocks_max;
NIGHH_FN extern uint64_t nighh_lmdb_chunk_bytes;

#endif
