/* nigh_lmdb.h - nigh inside an LMDB environment: rows and index in one transaction of the caller's
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Optional and separate: it wants nigh_hosted and liblmdb 0.9. One database of an environment holds
 * up to 65536 indexes, told apart by a number. Their blocks are its values, so that a reader
 * searches where LMDB has mapped them, copies nothing, and sees the state of its own transaction
 * whatever a writer does meanwhile; no lock is taken.
 *
 * `txn` is an MDB_txn, `env` an MDB_env, `dbi` an MDB_dbi, as lmdb.h has them; transactions begin,
 * commit and abort by LMDB's own functions. A function that fails leaves the transaction as it was:
 * it works in a nested one. Only with MDB_WRITEMAP, which has none, the caller must abort then.
 * An index handle lives for one transaction: nigh_close it and its sessions before that ends.
 *
 *   mdb_txn_begin(env, NULL, 0, &txn);
 *   mdb_put(txn, rows, ...);                                    the application's own
 *   nigh_lmdb_open(txn, dbi, 0, NIGH_LMDB_WRITE, NULL, slots, 0, &index, text, sizeof text);
 *   nigh_insert(index, ...);
 *   nigh_lmdb_prepare(index, text, sizeof text);
 *   nigh_close(index);
 *   mdb_txn_commit(txn);                                        both or neither
 *
 * Every function is total. Results are written only on success. `message` is as in nigh_hosted.h.
 * Errors that any of them may give: NIGH_E_IO (LMDB or the system refused; the message tells why),
 * NIGH_E_NO_MEMORY, NIGH_E_FORMAT (the database holds something else, or of a later version),
 * NIGH_E_CORRUPT, NIGH_E_MISMATCH (the database was made with flags such as MDB_DUPSORT). */
#ifndef NIGH_LMDB_H
#define NIGH_LMDB_H
#include "nigh_hosted.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Statuses beside those of nigh.h and nigh_hosted.h; functions of nigh.h that change an index of
 * here give them too. So a callback of such an index (nigh_index_fetch) that fails leaves -1100 to
 * -1199 alone: its number is returned unchanged, and would be taken for one of these. */
enum {
    NIGH_E_FULL_TXN = -1100, /* as many blocks are changed as one transaction takes: nothing is
                                lost; prepare, commit, and go on in the next transaction */
    NIGH_E_FULL_MAP = -1101, /* MDB_MAP_FULL: the environment is full. What is committed stays;
                                abort, mdb_env_set_mapsize, and again */
    NIGH_E_FULL_MEMORY = -1102 /* no memory for a copy of a block that a change or nigh_grow wants:
                                  the index is as before. NIGH_E_NO_MEMORY elsewhere */
};

enum { NIGH_LMDB_ID_MAX = 65535, NIGH_LMDB_BLOCKS_MAX = 100000 }; /* changed in a transaction */
enum { NIGH_LMDB_ALL = 65536 }; /* for nigh_lmdb_check: every index; ids are smaller */
/* nigh_config.block_bytes of indexes that are built, loaded and then mostly read: at M 16 all pages
 * but those of vectors come to 138.6 bytes a vector with identity keys, in blocks of 65536 (the
 * default, of which small transactions write a third) to 145.2. */
enum { NIGH_LMDB_BULK_BLOCK_BYTES = 262144 };
enum { NIGH_LMDB_CREATE = 1 };                                    /* flags of nigh_lmdb_dbi */
enum { NIGH_LMDB_WRITE = 1 };                                     /* flags of nigh_lmdb_open */
enum { NIGH_LMDB_REPLACE = 1 }; /* flags of nigh_lmdb_load and nigh_lmdb_import */

/* What the catalogue says of an index. Of one whose entry is damaged, or of a later version, it is
 * only the id, and `status` tells that: nigh_lmdb_drop takes it out like any other. */
typedef struct nigh_lmdb_entry {
    uint32_t struct_size;
    uint32_t id;
    uint64_t blocks;  /* values that hold it */
    uint64_t bytes;   /* of the pages of those */
    uint64_t changes; /* how often nigh_lmdb_prepare stored it */
    nigh_config config;
    int32_t status;   /* NIGH_OK, or what is wrong with the entry */
    uint32_t reserved;
} nigh_lmdb_entry;

/* What nigh_lmdb_check found; `status` tells whether the values are sound. */
typedef struct nigh_lmdb_report {
    uint32_t struct_size;
    int32_t status;      /* NIGH_OK or NIGH_E_CORRUPT */
    uint32_t fault;      /* number of the rule broken, docs/FORMAT.md lists them; 0 = none */
    uint32_t id;         /* index of the first fault, 0xffffffff: none in particular */
    uint32_t region;     /* and its block, 0xffffffff likewise */
    uint32_t block;
    uint32_t indexes;    /* in the catalogue */
    uint32_t unfinished; /* loads under way, or that died: see nigh_lmdb_sweep */
    uint64_t blocks;     /* whose checksum was verified */
    uint64_t bytes;      /* of the pages of all blocks */
    uint64_t other_page; /* blocks whose values are whole pages of another size: sound, copied when
                            they are opened, and as large as they should be once they change */
} nigh_lmdb_report;

/* How far a load is, in bytes.  @returns 0 to go on, else the load is given up */
typedef int32_t (*nigh_lmdb_progress_fn)(void *user, uint64_t done, uint64_t total);

/* The database called `name` (NULL: the unnamed one), as mdb_dbi_open gives it.
 * flags NIGH_LMDB_CREATE: makes it if it is not there.
 * @in txn any  @in name cstring or NULL  @out dbi 1  @out message message_bytes or NULL
 * @errors NIGH_E_NOT_FOUND NIGH_E_FULL_MAP NIGH_E_INVALID (more than mdb_env_set_maxdbs) */
NIGH_API nigh_status nigh_lmdb_dbi(void *txn, const char *name, uint32_t flags, uint32_t *dbi,
                                   char *message, uint32_t message_bytes);
/* An empty index `id` in the caller's write transaction.
 * @in txn any  @in config 1  @out message message_bytes or NULL
 * @errors NIGH_E_EXISTS NIGH_E_FULL_MAP NIGH_E_READ_ONLY, and nigh_index_init's */
NIGH_API nigh_status nigh_lmdb_create(void *txn, uint32_t dbi, uint32_t id,
                                      const nigh_config *config, char *message,
                                      uint32_t message_bytes);
/* Opens index `id` in the caller's transaction, O(blocks), or O(bytes) with NIGH_OPEN_VERIFY, which
 * looks at every checksum: to read, or with NIGH_LMDB_WRITE in a write transaction with writer
 * state and room for `slots` slots and `key_bytes` bytes of byte-string keys in total (0: what it
 * has; nigh_grow with memory NULL adds room, up to slot_max of the options). Changed blocks are
 * copied to memory of the handle until nigh_lmdb_prepare; no call changes the index while that
 * runs. One handle at a time may write an index. Vectors left outside: nigh_index_borrow or
 * nigh_index_fetch. A writer also looks for readers that died (mdb_reader_check).
 * @in txn any  @in options 1 or NULL  @out index 1  @out message message_bytes or NULL
 * @errors NIGH_E_NOT_FOUND NIGH_E_READ_ONLY and nigh_attach's */
NIGH_API nigh_status nigh_lmdb_open(void *txn, uint32_t dbi, uint32_t id, uint32_t flags,
                                    const nigh_options *options, uint32_t slots, uint64_t key_bytes,
                                    nigh_index **index, char *message, uint32_t message_bytes);
/* Puts what has changed into the transaction, which the caller then commits or aborts. The handle
 * may be changed and prepared again before that. What is not prepared is lost with the handle.
 * @out message message_bytes or NULL
 * @errors NIGH_E_FULL_MAP NIGH_E_FULL_TXN NIGH_E_READ_ONLY (not opened to write)
 *   NIGH_E_BUSY (another handle has stored this index since, or it is being saved, loaded elsewhere
 *   or worked on by a job: then nothing is put)
 *   NIGH_E_NOT_FOUND (it was dropped) */
NIGH_API nigh_status nigh_lmdb_prepare(nigh_index *index, char *message, uint32_t message_bytes);
/* Stores a copy of an index as `id` in the caller's write transaction, by the same bytes: one that
 * was built in memory or in a mapped file, is attached, or lies in LMDB itself. flags
 * NIGH_LMDB_REPLACE: in place of what is there.
 * @in txn any  @in source any  @out message message_bytes or NULL
 * @errors NIGH_E_EXISTS NIGH_E_FULL_MAP NIGH_E_FULL_TXN (use nigh_lmdb_load) NIGH_E_READ_ONLY
 *   NIGH_E_BUSY (the source is being written) */
NIGH_API nigh_status nigh_lmdb_import(void *txn, uint32_t dbi, uint32_t id, uint32_t flags,
                                      const nigh_index *source, char *message,
                                      uint32_t message_bytes);
/* The same in transactions of its own, for indexes of any size: readers and other writers go on
 * between them, and the new index takes its place, or another's, with the last one. When it fails,
 * is given up or the process dies, the catalogue is as it was. The calling thread must have no
 * write transaction open. While a load is under way, another of the same database may be too; one
 * that died is known by a lock that its process held (Linux, macOS; elsewhere by its number).
 * @in env any  @in source any  @in progress function or NULL  @in user any
 * @out message message_bytes or NULL
 * @errors NIGH_E_EXISTS NIGH_E_FULL_MAP NIGH_E_CANCELLED NIGH_E_BUSY (also: somebody swept it) */
NIGH_API nigh_status nigh_lmdb_load(void *env, uint32_t dbi, uint32_t id, uint32_t flags,
                                    const nigh_index *source, nigh_lmdb_progress_fn progress,
                                    void *user, char *message, uint32_t message_bytes);
/* Indexes from number `from` on, ascending; *found < count means that there are no more. Set
 * struct_size of the first entry: all have that size.
 * @in txn any  @out entries count  @out found 1  @out message message_bytes or NULL */
NIGH_API nigh_status nigh_lmdb_list(void *txn, uint32_t dbi, uint32_t from, uint32_t count,
                                    nigh_lmdb_entry *entries, uint32_t *found, char *message,
                                    uint32_t message_bytes);
/* Takes an index out, in the caller's write transaction. One whose entry is damaged does not say
 * which blocks are its own: with the last such index those go that are nobody's.
 * @in txn any  @out message message_bytes or NULL
 * @errors NIGH_E_NOT_FOUND NIGH_E_READ_ONLY NIGH_E_FULL_MAP */
NIGH_API nigh_status nigh_lmdb_drop(void *txn, uint32_t dbi, uint32_t id, char *message,
                                    uint32_t message_bytes);
/* Takes out what loads of processes that are gone have left; every load begins with it. flags: 0.
 * *swept: how many there were.
 * @in txn any  @out swept 1 or NULL  @out message message_bytes or NULL
 * @errors NIGH_E_READ_ONLY NIGH_E_FULL_MAP */
NIGH_API nigh_status nigh_lmdb_sweep(void *txn, uint32_t dbi, uint32_t flags, uint32_t *swept,
                                     char *message, uint32_t message_bytes);
/* Proves that index `id` has all its blocks, each with its checksum; NIGH_LMDB_ALL: every index,
 * and that nothing else is there. What the blocks say is nigh_check's. A broken one is a report,
 * not an error.
 * @in txn any  @out report 1  @out message message_bytes or NULL
 * @errors NIGH_E_NOT_FOUND (no index `id`) */
NIGH_API nigh_status nigh_lmdb_check(void *txn, uint32_t dbi, uint32_t id, nigh_lmdb_report *report,
                                     char *message, uint32_t message_bytes);

#ifdef __cplusplus
}
#endif
#endif /* NIGH_LMDB_H */
