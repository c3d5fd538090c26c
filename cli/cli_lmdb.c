/* cli_lmdb.c - environments opened, indexes in them opened, changed and loaded
 * layer C; uses: cli_lmdb.h, cli_options.h, lmdb.h, POSIX
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "cli_lmdb.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli_options.h"

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
#define ROOM_MORE ((uint64_t)64 << 20) /* address space, not disk */

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

/* ---- Environments --------------------------------------------------------------------------- */

/* LMDB forbids to open an environment twice in a process: one that is read from and written to is
 * shared. Its map cannot grow while somebody reads, so it begins with room for a copy of all. */
typedef struct shared_env {
    MDB_env *env; /* NULL: a free place */
    dev_t device;
    ino_t inode;
    unsigned users;
    bool reads_only;
} shared_env;

static shared_env environments[4];
static shared_env written; /* device and inode of what the command is going to write to */

static bool same_env(const shared_env *a, const struct stat *b) {
    return a->device == b->st_dev && a->inode == b->st_ino;
}

static int env_grow(MDB_env *env, uint64_t room) {
    MDB_envinfo info;
    MDB_stat stat;
    int result = mdb_env_info(env, &info);
    result = result == MDB_SUCCESS ? mdb_env_stat(env, &stat) : result;
    if (result != MDB_SUCCESS) {
        return result;
    }
    const uint64_t used = ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize;
    const uint64_t wanted = used + used / 4 + room + ROOM_MORE;
    return wanted > info.me_mapsize ? mdb_env_set_mapsize(env, (size_t)wanted) : MDB_SUCCESS;
}

static int env_open(MDB_env *env, const char *name, unsigned flags, uint64_t room) {
    int result = mdb_env_set_maxdbs(env, 64);
    result = result == MDB_SUCCESS ? mdb_env_set_maxreaders(env, READERS_MAX) : result;
    result = result == MDB_SUCCESS ? mdb_env_open(env, name, flags | MDB_NOTLS, 0666) : result;
    return result == MDB_SUCCESS && (flags & MDB_RDONLY) == 0 ? env_grow(env, room) : result;
}

static nigh_status env_new(shared_env *place, const char *name, unsigned flags, uint64_t room,
                           char *message) {
    struct stat info;
    uint64_t used = 0;
    nigh_status status = failed(mdb_env_create(&place->env), message);
    if (status != NIGH_OK) {
        place->env = NULL;
        return status;
    }
    if (stat(name, &info) == 0 && same_env(&written, &info)) {
        char path[CLI_LMDB_PATH + 16];
        struct stat data;
        snprintf(path, sizeof path, "%s%s", name, S_ISDIR(info.st_mode) ? "/data.mdb" : "");
        used = stat(path, &data) == 0 ? (uint64_t)data.st_size : 0;
        flags &= ~(unsigned)MDB_RDONLY;
    }
    status = failed(env_open(place->env, name, flags, room + 3 * used), message);
    if (status != NIGH_OK || stat(name, &info) != 0) {
        mdb_env_close(place->env);
        place->env = NULL;
        return status != NIGH_OK ? status : failed(errno, message);
    }
    place->device = info.st_dev;
    place->inode = info.st_ino;
    place->users = 0;
    place->reads_only = (flags & MDB_RDONLY) != 0;
    return NIGH_OK;
}

/* Opens an environment, or takes one that is open already. */
static nigh_status env_take(const char *name, unsigned flags, uint64_t room, MDB_env **env,
                            char *message) {
    struct stat info;
    shared_env *place = NULL;
    const bool there = stat(name, &info) == 0;
    for (size_t i = 0; i < CLI_COUNT(environments) && there; i++) {
        place = environments[i].env != NULL && same_env(&environments[i], &info) ? &environments[i]
                                                                                 : place;
    }
    if (place != NULL && place->reads_only && (flags & MDB_RDONLY) == 0) {
        snprintf(message, CLI_MESSAGE, "the same environment is being read: nigh lmdb export the "
                                       "index to a file before");
        return NIGH_E_UNSUPPORTED;
    }
    nigh_status status = NIGH_OK;
    for (size_t i = 0; i < CLI_COUNT(environments) && place == NULL; i++) {
        if (environments[i].env == NULL) {
            place = &environments[i];
            status = env_new(place, name, flags, room, message);
        }
    }
    if (place == NULL || status != NIGH_OK) {
        return place != NULL ? status : NIGH_E_BUSY;
    }
    place->users++;
    *env = place->env;
    return NIGH_OK;
}

static void env_give(MDB_env *env) {
    for (size_t i = 0; i < CLI_COUNT(environments); i++) {
        if (environments[i].env == env && --environments[i].users == 0) {
            mdb_env_close(env);
            environments[i].env = NULL;
        }
    }
}

/* ---- Transactions --------------------------------------------------------------------------- */

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
    status = status == NIGH_OK ? env_take(name, flags, room, &env, message) : status;
    if (status == NIGH_OK) {
        int dead = 0;
        lmdb->env = env;
        (void)(writes ? mdb_reader_check(env, &dead) : 0); /* they keep pages from being used */
        status = failed(mdb_txn_begin(env, NULL, writes ? 0 : MDB_RDONLY, &txn), message);
        lmdb->txn = txn;
    }
    if (status == NIGH_OK) {
        status = nigh_lmdb_dbi(txn, database, create ? NIGH_LMDB_CREATE : 0, &lmdb->dbi, message,
                               CLI_MESSAGE);
    }
    if (status == NIGH_OK && !writes) {
        /* A handle is its transaction's until that is committed, and no other may ask for it. */
        lmdb->txn = NULL;
        status = failed(mdb_txn_commit(txn), message);
        if (status == NIGH_OK) {
            status = failed(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), message);
            lmdb->txn = status == NIGH_OK ? txn : NULL;
        }
    }
    if (status != NIGH_OK) {
        cli_lmdb_end(lmdb);
    }
    return status;
}

/* Room for values of so many bytes of blocks: each takes a page more than it fills, and blocks are
 * more than half of what they may be. */
static uint64_t values_bytes(uint64_t bytes, const nigh_config *config) {
    const uint64_t block = config->block_bytes != 0 ? config->block_bytes : 65536;
    return bytes + bytes / 8 + (bytes / block + 16) * 2 * (4096 + 64);
}

/* A change may store every block anew, with `slots` slots and key_bytes bytes of keys in them, and
 * make codes. What is wrong with the index is said when it is opened for the change. */
static nigh_status room_of_change(const char *path, uint32_t slots, uint64_t key_bytes,
                                  uint64_t *room, char *message) {
    nigh_config config = {.struct_size = sizeof config};
    nigh_stats stats = {.struct_size = sizeof stats};
    nigh_options options = {.struct_size = sizeof options, .slot_max = slots};
    uint64_t bytes = 0;
    cli_lmdb lmdb;
    *room = 0;
    nigh_status status = cli_lmdb_begin(&lmdb, path, false, false, 0, message);
    if (status != NIGH_OK) {
        return status;
    }
    if (nigh_lmdb_open(lmdb.txn, lmdb.dbi, lmdb.id, 0, &options, 0, 0, &lmdb.index, NULL, 0) ==
            NIGH_OK &&
        nigh_config_get(lmdb.index, &config) == NIGH_OK &&
        nigh_stats_get(lmdb.index, &stats) == NIGH_OK) {
        slots = slots > stats.slot_count ? slots : stats.slot_count;
        if (slots > stats.slot_count) {
            (void)nigh_grow_bytes(lmdb.index, slots, key_bytes, &bytes);
        }
        bytes += (uint64_t)slots * (config.dim + 64);
        *room = cli_lmdb_bytes(&lmdb) + values_bytes(bytes, &config);
    }
    cli_lmdb_end(&lmdb);
    return NIGH_OK;
}

nigh_status cli_lmdb_output(const char *path, bool replace, char *message) {
    nigh_lmdb_entry entry = {.struct_size = sizeof entry};
    char name[CLI_LMDB_PATH];
    char folder[CLI_LMDB_PATH];
    const char *database = NULL;
    struct stat info;
    uint32_t found = 0;
    uint32_t id = 0;
    cli_lmdb lmdb;
    nigh_status status = parse(path, &id, &database, message);
    cli_lmdb_env(path, name);
    if (status != NIGH_OK) {
        return status;
    }
    const char *slash = strrchr(name, '/');
    const bool there = stat(name, &info) == 0;
    snprintf(folder, sizeof folder, "%.*s", there ? (int)sizeof folder - 1
                                            : slash != NULL ? (int)(slash - name) + 1 : 1,
             there ? name : slash != NULL ? name : ".");
    if (access(folder, there && S_ISREG(info.st_mode) ? W_OK : W_OK | X_OK) != 0) {
        snprintf(message, CLI_MESSAGE, "cannot write %.300s: %s", name, strerror(errno));
        return NIGH_E_IO;
    }
    snprintf(folder, sizeof folder, "%.4000s/data.mdb", name);
    if (!there || (S_ISDIR(info.st_mode) && access(folder, F_OK) != 0)) {
        return NIGH_OK; /* it will be made */
    }
    written.device = info.st_dev;
    written.inode = info.st_ino;
    status = cli_lmdb_begin(&lmdb, path, false, false, 0, message);
    if (status != NIGH_OK) {
        return status == NIGH_E_NOT_FOUND ? NIGH_OK : status; /* so will the database */
    }
    status = nigh_lmdb_list(lmdb.txn, lmdb.dbi, id, 1, &entry, &found, message, CLI_MESSAGE);
    cli_lmdb_end(&lmdb);
    return status == NIGH_OK && found == 1 && entry.id == id && !replace ? NIGH_E_EXISTS : status;
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
        env_give(lmdb->env);
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
    uint64_t room = 0;
    nigh_status status = writes ? room_of_change(path, slots, key_bytes, &room, message) : NIGH_OK;
    status = status == NIGH_OK ? cli_lmdb_begin(made, path, writes, false, room, message) : status;
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
    nigh_config config = {.struct_size = sizeof config};
    nigh_status status = nigh_save_bytes(index, 0, &bytes);
    status = status == NIGH_OK ? nigh_config_get(index, &config) : status;
    status = status == NIGH_OK ? cli_lmdb_begin(&lmdb, path, true, true,
                                                values_bytes(bytes, &config), message)
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

#endif
