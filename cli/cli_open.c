/* cli_open.c - index files: open, lock, save, print keys
 * layer C; uses: cli_open.h, cli_lmdb.h, cli_options.h, cli_progress.h, POSIX
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "cli_open.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli_lmdb.h"
#include "cli_options.h"
#include "cli_progress.h"

/* Copies the file into memory where huge pages are advised, and attaches there. */
static nigh_status load(cli_index *open, const nigh_options *options, char *message) {
    void *file = NULL;
    uint64_t bytes = 0;
    uint64_t handle_bytes = 0;
    nigh_status status =
        nigh_file_map(open->path, NIGH_FILE_SEQUENTIAL, &file, &bytes, message, CLI_MESSAGE);
    if (status == NIGH_OK) {
        status = nigh_memory_new(bytes, &open->image);
    }
    if (status == NIGH_OK) {
        memcpy(open->image, file, (size_t)bytes);
        status = nigh_attach_bytes(open->image, bytes, options, &handle_bytes);
    }
    nigh_close(file);
    if (status == NIGH_OK) {
        status = nigh_memory_new(handle_bytes, &open->handle);
    }
    if (status == NIGH_OK) {
        status = nigh_attach(open->image, bytes, options, open->handle, handle_bytes, &open->index);
    }
    return status;
}

static nigh_status open_index(cli_index *open, const cli_access *access,
                              const nigh_options *options, char *message) {
    if (cli_lmdb_named(open->path)) {
        return cli_lmdb_open(open->path, (access->file_flags & NIGH_FILE_PRIVATE) != 0, options,
                             access->slots, access->key_bytes, &open->index, &open->lmdb, message);
    }
    const nigh_status got = cli_store_open(open, access, options, message);
    if (got != NIGH_E_FORMAT && got != NIGH_E_IO) { /* else another kind of file, or none */
        return got;
    }
    return access->load ? load(open, options, message)
                        : nigh_index_open(open->path, access->file_flags, options, access->slots,
                                          access->key_bytes, &open->index, message, CLI_MESSAGE);
}

/* A status of attach in words that help. */
static int open_failed(nigh_status status, const char *path, const char *message) {
    if (status == NIGH_E_FORMAT && *message == 0) {
        cli_say("%s: not a nigh index of a version known here; expected what nigh build wrote",
                path);
        return CLI_ERROR;
    }
    if (status == NIGH_E_CORRUPT) {
        cli_say("%s: damaged or cut short%s%s (nigh check says more)", path,
                *message != 0 ? ": " : "", message);
        return CLI_ERROR;
    }
    if (status == NIGH_E_READ_ONLY) {
        cli_say("%s: packed, which is read-only; nigh pack --unpack makes it plain again", path);
        return CLI_ERROR;
    }
    return cli_failed(status, path, message);
}

int cli_open(cli_index *open, const char *path, const cli_access *access, nigh_status *status) {
    char message[CLI_MESSAGE] = "";
    nigh_options options = {.struct_size = sizeof options,
                            .slot_max = access->slots,
                            .features = access->features,
                            .flags = access->open_flags};
    memset(open, 0, sizeof *open);
    open->path = path;
    open->config.struct_size = sizeof open->config;
    open->stats.struct_size = sizeof open->stats;
    nigh_status got = open_index(open, access, &options, message);
    if (got == NIGH_OK) {
        got = nigh_config_get(open->index, &open->config);
    }
    if (got == NIGH_OK) {
        got = nigh_stats_get(open->index, &open->stats);
    }
    if (got == NIGH_OK) {
        return CLI_OK;
    }
    cli_close(open);
    if (status != NULL) {
        *status = got;
        if (got == NIGH_E_FORMAT || got == NIGH_E_CORRUPT || got == NIGH_E_OPEN) {
            return CLI_FAILED;
        }
    }
    return open_failed(got, path, message);
}

void cli_close(cli_index *open) {
    if (open->lmdb != NULL) {
        cli_lmdb_close(open->lmdb);
    } else if (open->image == NULL) {
        nigh_close(open->index);
    }
    open->lmdb = NULL;
    nigh_close(open->store);
    nigh_close(open->handle);
    nigh_close(open->image);
    nigh_close(open->converted);
    cli_vectors_close(&open->vectors);
    open->index = NULL;
    open->handle = NULL;
    open->store = NULL;
    open->image = NULL;
    open->converted = NULL;
}

bool cli_external(const cli_index *open) { return open->config.vectors == NIGH_VECTORS_EXTERNAL; }

int cli_output_apart(const char *verb, const char *path, const char *output) {
    if (!cli_lmdb_named(path) || !cli_lmdb_named(output)) {
        return CLI_OK;
    }
    return cli_usage(verb, "an index in LMDB is changed where it is; nigh lmdb export it before");
}

bool cli_replace;

static int lmdb_failed(nigh_status status, const char *path, const char *message) {
    if (status == NIGH_E_EXISTS) {
        cli_say("%s: there is such an index already; --replace takes its place", path);
        return CLI_ERROR;
    }
    return status == NIGH_OK ? CLI_OK : cli_failed(status, path, message);
}

int cli_output_check(const char *verb, const char *path, const char *input) {
    char folder[4096];
    struct stat out;
    struct stat in;
    const char *slash = strrchr(path, '/');
    if (strcmp(path, "-") == 0) {
        return isatty(STDOUT_FILENO) ? cli_usage(verb, "an index is not written to a terminal")
                                     : CLI_OK;
    }
    if (cli_lmdb_named(path)) {
        char message[CLI_MESSAGE] = "";
        return lmdb_failed(cli_lmdb_output(path, cli_replace, message), path, message);
    }
    bool there = stat(path, &out) == 0;
    if (there && S_ISDIR(out.st_mode)) {
        cli_say("%s: a folder; expected the name of a file", path);
        return CLI_ERROR;
    }
    if (there && input != NULL && stat(input, &in) == 0 && in.st_dev == out.st_dev &&
        in.st_ino == out.st_ino && S_ISREG(out.st_mode)) {
        return cli_usage(verb, "%s is the input too", path);
    }
    snprintf(folder, sizeof folder, "%.*s", slash != NULL ? (int)(slash - path) + 1 : 1,
             slash != NULL ? path : ".");
    if (!there && access(folder, W_OK | X_OK) != 0) {
        cli_say("cannot write %s: %s", path, strerror(errno));
        return CLI_ERROR;
    }
    return CLI_OK;
}

typedef struct save_state {
    nigh_saver *saver; /* NULL: stdout */
    uint64_t done;
    cli_progress progress;
} save_state;

static nigh_status save_part(void *user, const void *bytes, uint64_t count) {
    save_state *state = user;
    state->done += count;
    cli_progress_step(&state->progress, state->done);
    if (state->saver != NULL) {
        return nigh_save_write(state->saver, bytes, count);
    }
    return fwrite(bytes, 1, (size_t)count, stdout) == count ? NIGH_OK : NIGH_E_WRITE;
}

int cli_write(const cli_output *output, cli_write_fn body, void *user, uint64_t *bytes) {
    char message[CLI_MESSAGE] = "";
    const char *path = output->path;
    save_state state = {NULL, 0, {0}};
    bool to_file = strcmp(path, "-") != 0;
    nigh_status status = NIGH_OK;
    if (to_file) {
        status = nigh_save_begin(path, &state.saver, message, sizeof message);
    }
    if (status != NIGH_OK) {
        return cli_failed(status, path, message);
    }
    cli_progress_begin(&state.progress, output->label, "bytes", output->bytes);
    status = body(user, save_part, &state);
    cli_progress_end(&state.progress);
    *bytes = state.done;
    if (!to_file) {
        return status == NIGH_OK || status == NIGH_E_WRITE
                   ? cli_flush(CLI_OK)
                   : cli_failed(status, output->about, NULL);
    }
    if (status != NIGH_OK && status != NIGH_E_WRITE) {
        nigh_close(state.saver);
        return cli_failed(status, output->about, NULL);
    }
    status = nigh_save_commit(state.saver, message, sizeof message); /* keeps a write's failure */
    return status == NIGH_OK ? CLI_OK : cli_failed(status, path, message);
}

typedef struct saved {
    const nigh_index *index;
    uint32_t flags;
} saved;

static nigh_status save_index(void *user, nigh_write_fn write, void *to) {
    const saved *what = user;
    return nigh_save(what->index, what->flags, write, to);
}

static int32_t lmdb_part(void *user, uint64_t done, uint64_t total) {
    save_state *state = user;
    (void)total;
    cli_progress_step(&state->progress, done);
    return 0;
}

static int save_lmdb(const nigh_index *index, const char *path, uint64_t *bytes) {
    char message[CLI_MESSAGE] = "";
    save_state state = {NULL, 0, {0}};
    nigh_status status = nigh_save_bytes(index, 0, bytes);
    if (status == NIGH_OK) {
        cli_progress_begin(&state.progress, "save", "bytes", *bytes);
        status = cli_lmdb_save(index, path, cli_replace, lmdb_part, &state, message);
        cli_progress_end(&state.progress);
    }
    return lmdb_failed(status, path, message);
}

int cli_save(const nigh_index *index, uint32_t flags, const char *path, uint64_t *bytes) {
    if (cli_lmdb_named(path)) {
        return flags == 0 ? save_lmdb(index, path, bytes)
                          : cli_failed(NIGH_E_UNSUPPORTED, path, "a whole index, or a built one");
    }
    cli_output output = {.path = path, .label = "save", .about = path};
    saved what = {index, flags};
    const nigh_status status = nigh_save_bytes(index, flags, &output.bytes);
    return status == NIGH_OK ? cli_write(&output, save_index, &what, bytes)
                             : cli_failed(status, path, NULL);
}

/* The lock is on the file, which a save replaces: who waited for it must look again. */
int cli_lock(const char *path) {
    if (cli_lmdb_named(path)) {
        return open("/dev/null", O_RDONLY | O_CLOEXEC); /* its transaction is the lock */
    }
    for (int tries = 0; tries < 100; tries++) {
        struct stat locked;
        struct stat now;
        int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (descriptor < 0) {
            cli_say("cannot open %s: %s", path, strerror(errno));
            return -1;
        }
        if (flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
            cli_say("%s: another process is changing it; try again later", path);
            close(descriptor);
            return -1;
        }
        if (fstat(descriptor, &locked) == 0 && stat(path, &now) == 0 &&
            locked.st_ino == now.st_ino && locked.st_dev == now.st_dev) {
            return descriptor;
        }
        close(descriptor);
    }
    cli_say("%s: other processes keep changing it; try again later", path);
    return -1;
}

void cli_print_key(const cli_index *open, uint64_t key, const char *bytes, uint32_t length) {
    if (open->config.keys != NIGH_KEYS_BYTES) {
        printf("%" PRIu64, key);
        return;
    }
    for (uint32_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (byte < 0x20 || byte == 0x7f) {
            printf("\\x%02x", byte);
        } else {
            putchar(byte);
        }
    }
}

uint32_t cli_slot_key(const cli_index *open, uint32_t slot, char bytes[512]) {
    uint32_t length = 0;
    uint32_t got = 0;
    uint32_t found = 0;
    nigh_status status = nigh_keys(open->index, slot, 1, bytes, &length, &got, &found);
    return status == NIGH_OK && found == 1 && got == slot ? length : 0;
}
