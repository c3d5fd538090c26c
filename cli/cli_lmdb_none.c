/* cli_lmdb_none.c - the same in a build without LMDB: what is missing
 * layer C; uses: cli_lmdb.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "cli_lmdb.h"

#ifndef NIGH_CLI_HAS_LMDB
#include <stdio.h>
#include <string.h>


static nigh_status missing(char *message) {
    snprintf(message, CLI_MESSAGE, "this nigh was built without LMDB (where liblmdb is installed, "
                                   "a build has it)");
    return NIGH_E_UNSUPPORTED;
}

nigh_status cli_lmdb_begin(cli_lmdb *lmdb, const char *path, bool writes, bool create,
                           uint64_t room, char *message) {
    (void)path;
    (void)writes;
    (void)create;
    (void)room;
    memset(lmdb, 0, sizeof *lmdb);
    return missing(message);
}

nigh_status cli_lmdb_output(const char *path, bool replace, char *message) {
    (void)path;
    (void)replace;
    return missing(message);
}

nigh_status cli_lmdb_commit(cli_lmdb *lmdb, char *message) {
    (void)lmdb;
    return missing(message);
}

void cli_lmdb_end(cli_lmdb *lmdb) { (void)lmdb; }

nigh_status cli_lmdb_open(const char *path, bool writes, const nigh_options *options,
                          uint32_t slots, uint64_t key_bytes, nigh_index **index, cli_lmdb **held,
                          char *message) {
    (void)path;
    (void)writes;
    (void)options;
    (void)slots;
    (void)key_bytes;
    (void)index;
    (void)held;
    return missing(message);
}

void cli_lmdb_close(cli_lmdb *held) { (void)held; }

uint64_t cli_lmdb_bytes(const cli_lmdb *held) {
    (void)held;
    return 0;
}

nigh_status cli_lmdb_save(const nigh_index *index, const char *path, bool replace,
                          nigh_lmdb_progress_fn progress, void *user, char *message) {
    (void)index;
    (void)path;
    (void)replace;
    (void)progress;
    (void)user;
    return missing(message);
}

/* The library's functions that verbs call once a transaction has begun: here none ever does. */
nigh_status nigh_lmdb_list(void *txn, uint32_t dbi, uint32_t from, uint32_t count,
                           nigh_lmdb_entry *entries, uint32_t *found, char *message,
                           uint32_t message_bytes) {
    (void)txn;
    (void)dbi;
    (void)from;
    (void)count;
    (void)entries;
    (void)message_bytes;
    *found = 0;
    return missing(message);
}

nigh_status nigh_lmdb_drop(void *txn, uint32_t dbi, uint32_t id, char *message,
                           uint32_t message_bytes) {
    (void)txn;
    (void)dbi;
    (void)id;
    (void)message_bytes;
    return missing(message);
}

nigh_status nigh_lmdb_check(void *txn, uint32_t dbi, uint32_t id, nigh_lmdb_report *report,
                            char *message, uint32_t message_bytes) {
    (void)txn;
    (void)dbi;
    (void)id;
    (void)report;
    (void)message_bytes;
    return missing(message);
}

#endif
