/* cli_lmdb.c - environments opened, indexes in them opened, changed and loaded
 * layer C; uses: cli_lmdb.h, lmdb.h, POSIX
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "cli_lmdb.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char prefix[] = "lmdb:";

bool cli_lmdb_named(const char *path) { return strncmp(path, prefix, sizeof prefix - 1) == 0; }

void cli_lmdb_env(const char *path, char env[CLI_LMDB_PATH]) {
    const char *name = cli_lmdb_named(path) ? path + sizeof prefix - 1 : path;
    const char *mark = strrchr(name, '#');
    snprintf(env, CLI_LMDB_PATH, "%.*s", mark != NULL ? (int)(mark - name) : (int)strlen(name),
             name);
}

#ifdef NIGH_CLI_HAS_LMDB
#include <lmdb.h>

#define READERS_MAX 1024u
#define ROOM_MORE ((uint64_t)1 << 30) /* address space, not disk */

static cli_lmdb *writing; /* the one index that is open to write */

static nigh_status failed(int result, char *message) {
    if (result == MDB_SUCCESS) {
        return NIGH_OK;
    }
    snprintf(message, CLI_MESSAGE, "%s", mdb_strerror(result));
    return result == MDB_MAP_FULL ? NIGH_E_FULL_MAP : NIGH_E_IO;
}

/* ID and database of a name. */
static nigh_status parse(const char *path, uint32_t *id, const char **database, char *message) {
    const char *mark = strrchr(path, '#');
    char *end = NULL;
    *id = 0;
    *database = NULL;
    if (mark == NULL) {
        return NIGH_OK;
    }
    const unsigned long number = strtoul(mark + 1, &end, 10);
    if (end == mark + 1 || (*end != 0 && *end != '/') || number > NIGH_LMDB_ID_MAX) {
        snprintf(message, CLI_MESSAGE, "expected lmdb:ENV#ID or lmdb:ENV#ID/DATABASE, ID up to %d",
                 NIGH_LMDB_ID_MAX);
        return NIGH_E_INVALID;
    }
    *id = (uint32_t)number;
    *database = *end == '/' && end[1] != 0 ? end + 1 : NULL;
    return NIGH_OK;
}

/* A folder, or a file by itself; made if need be. */
static nigh_status env_flags(const char *env, bool create, unsigned *flags, char *message) {
    struct stat info;
    const int result = stat(env, &info);
    if (result == 0 && S_ISREG(info.st_mode)) {
        *flags |= MDB_NOSUBDIR;
    } else if (result != 0 && errno == ENOENT && create) {
        if (mkdir(env, 0777) != 0) {
            snprintf(message, CLI_MESSAGE, "cannot make %.300s: %s", env, strerror(errno));
            return NIGH_E_IO;
        }
    } else if (result != 0) {
        snprintf(message, CLI_MESSAGE, "cannot open %.300s: %s", env, strerror(errno));
        return NIGH_E_IO;
    }
    return NIGH_OK;
}

static int env_open(MDB_env *env, const char *name, unsigned flags, uint64_t room) {
    MDB_envinfo info;
    MDB_stat stat;
    int result = mdb_env_set_maxdbs(env, 64);
    result = result == MDB_SUCCESS ? mdb_env_set_maxreaders(env, READERS_MAX) : result;
    result = result == MDB_SUCCESS ? mdb_env_open(env, name, flags, 0666) : result;
    result = result == MDB_SUCCESS ? mdb_env_info(env, &info) : result;
    result = result == MDB_SUCCESS ? mdb_env_stat(env, &stat) : result;
    if (result != MDB_SUCCESS || (flags & MDB_RDONLY) != 0) {
        return result;
    }
    const uint64_t used = ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize;
    const uint64_t wanted = used + used / 4 + room + ROOM_MORE;
    return wanted > info.me_mapsize ? mdb_env_set_mapsize(env, (size_t)wanted) : MDB_SUCCESS;
}

nigh_status cli_lmdb_begin(cli_lmdb *lmdb, const char *path, bool writes, bool create,
                           uint64_t room, char *message) {
    char name[CLI_LMDB_PATH];
    const char *database = NULL;
    MDB_env *env = NULL;
    MDB_txn *txn = NULL;
    unsigned flags = writes ? 0 : MDB_RDONLY;
    memset(lmdb, 0, sizeof *lmdb);
    cli_lmdb_env(path, name);
    nigh_status status = parse(path, &lmdb->id, &database, message);
    status = status == NIGH_OK ? env_flags(name, create, &flags, message) : status;
    status = status == NIGH_OK ? failed(mdb_env_create(&env), message) : status;
    if (status == NIGH_OK) {
        lmdb->env = env;
        status = failed(env_open(env, name, flags, room), message);
    }
    if (status == NIGH_OK) {
        status = failed(mdb_txn_begin(env, NULL, writes ? 0 : MDB_RDONLY, &txn), message);
        lmdb->txn = txn;
    }
    if (status == NIGH_OK) {
        status = nigh_lmdb_dbi(txn, database, create ? NIGH_LMDB_CREATE : 0, &lmdb->dbi, message,
                               CLI_MESSAGE);
    }
    if (status != NIGH_OK) {
        cli_lmdb_end(lmdb);
    }
    return status;
}

nigh_status cli_lmdb_commit(cli_lmdb *lmdb, char *message) {
    MDB_txn *txn = lmdb->txn;
    lmdb->txn = NULL;
    return failed(mdb_txn_commit(txn), message);
}

void cli_lmdb_end(cli_lmdb *lmdb) {
    nigh_close(lmdb->index);
    if (lmdb->txn != NULL) {
        mdb_txn_abort(lmdb->txn);
    }
    if (lmdb->env != NULL) {
        mdb_env_close(lmdb->env);
    }
    memset(lmdb, 0, sizeof *lmdb);
}

nigh_status cli_lmdb_open(const char *path, bool writes, const nigh_options *options,
                          uint32_t slots, uint64_t key_bytes, nigh_index **index, cli_lmdb **held,
                          char *message) {
    cli_lmdb *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return NIGH_E_NO_MEMORY;
    }
    nigh_status status = cli_lmdb_begin(made, path, writes, false, 0, message);
    if (status == NIGH_OK) {
        nigh_options own = *options;
        own.flags &= ~(uint32_t)NIGH_OPEN_WRITABLE;
        status = nigh_lmdb_open(made->txn, made->dbi, made->id,
                                writes ? (uint32_t)NIGH_LMDB_WRITE : 0, &own, slots, key_bytes,
                                &made->index, message, CLI_MESSAGE);
    }
    if (status != NIGH_OK) {
        cli_lmdb_close(made);
        return status;
    }
    writing = writes ? made : writing;
    *index = made->index;
    *held = made;
    return NIGH_OK;
}

void cli_lmdb_close(cli_lmdb *held) {
    if (held != NULL) {
        writing = writing == held ? NULL : writing;
        cli_lmdb_end(held);
        free(held);
    }
}

uint64_t cli_lmdb_bytes(const cli_lmdb *held) {
    nigh_lmdb_entry entry = {.struct_size = sizeof entry};
    uint32_t found = 0;
    const nigh_status status =
        nigh_lmdb_list(held->txn, held->dbi, held->id, 1, &entry, &found, NULL, 0);
    return status == NIGH_OK && found == 1 ? entry.bytes : 0;
}

nigh_status cli_lmdb_save(const nigh_index *index, const char *path, bool replace,
                          nigh_lmdb_progress_fn progress, void *user, char *message) {
    cli_lmdb lmdb;
    uint64_t bytes = 0;
    if (writing != NULL && writing->index == index) {
        const nigh_status status = nigh_lmdb_prepare(writing->index, message, CLI_MESSAGE);
        return status == NIGH_OK ? cli_lmdb_commit(writing, message) : status;
    }
    nigh_status status = nigh_save_bytes(index, 0, &bytes);
    status = status == NIGH_OK
                 ? cli_lmdb_begin(&lmdb, path, true, true, bytes + bytes / 4, message)
                 : status;
    if (status != NIGH_OK) {
        return status;
    }
    status = cli_lmdb_commit(&lmdb, message); /* the database is there; the load has its own */
    if (status == NIGH_OK) {
        status = nigh_lmdb_load(lmdb.env, lmdb.dbi, lmdb.id,
                                replace ? (uint32_t)NIGH_LMDB_REPLACE : 0, index, progress, user,
                                message, CLI_MESSAGE);
    }
    cli_lmdb_end(&lmdb);
    return status;
}

#else /* a build without LMDB */

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

nigh_status nigh_lmdb_check(void *txn, uint32_t dbi, nigh_lmdb_report *report, char *message,
                            uint32_t message_bytes) {
    (void)txn;
    (void)dbi;
    (void)report;
    (void)message_bytes;
    return missing(message);
}

#endif
