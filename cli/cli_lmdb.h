/* cli_lmdb.h - indexes in LMDB named like files: lmdb:ENV#ID/DATABASE
 * layer C; uses: cli_common.h
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What opens, saves or locks an index file asks here first whether the name is one of these. #ID is
 * 0 when left out, without /DATABASE it is the environment's unnamed one. A build without LMDB
 * knows such names too, and says what is missing. */
#ifndef NIGH_CLI_LMDB_H
#define NIGH_CLI_LMDB_H
#include "cli_common.h"
#include "nigh_lmdb.h"

enum { CLI_LMDB_PATH = 4096 };

/* An environment and a transaction of it. */
typedef struct cli_lmdb {
    void *env;
    void *txn;
    uint32_t dbi;
    uint32_t id;
    nigh_index *index;
} cli_lmdb;

bool cli_lmdb_named(const char *path);
/* The folder or file of the environment that a name is about, as messages and locks want it. */
void cli_lmdb_env(const char *path, char env[CLI_LMDB_PATH]);
/* Opens the environment (made, with `create`) and begins a transaction with room for so many bytes
 * more; *bytes: of the environment's pages in use. */
nigh_status cli_lmdb_begin(cli_lmdb *lmdb, const char *path, bool writes, bool create,
                           uint64_t room, char *message);
/* Before long work: could an index be stored there? What reads from the same environment afterwards
 * shares it.  @errors NIGH_E_EXISTS (without a message) */
nigh_status cli_lmdb_output(const char *path, bool replace, char *message);
nigh_status cli_lmdb_commit(cli_lmdb *lmdb, char *message);
/* Whatever is open: the index, the transaction (aborted), the environment. */
void cli_lmdb_end(cli_lmdb *lmdb);
/* As nigh_index_open; *held is for cli_lmdb_close. `writes` begins a write transaction. */
nigh_status cli_lmdb_open(const char *path, bool writes, const nigh_options *options,
                          uint32_t slots, uint64_t key_bytes, nigh_index **index, cli_lmdb **held,
                          char *message);
void cli_lmdb_close(cli_lmdb *held);
/* Bytes of the pages that hold the index. */
uint64_t cli_lmdb_bytes(const cli_lmdb *held);
/* Commits the changes to an index opened here to write, or loads another one. */
nigh_status cli_lmdb_save(const nigh_index *index, const char *path, bool replace,
                          nigh_lmdb_progress_fn progress, void *user, char *message);

#endif /* NIGH_CLI_LMDB_H */
