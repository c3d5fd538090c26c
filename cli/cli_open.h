/* cli_open.h - opens an index file, with the vectors that it left outside; saves one
 * layer C; uses: cli_vectors.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGH_CLI_OPEN_H
#define NIGH_CLI_OPEN_H
#include "cli_vectors.h"

typedef struct cli_index {
    const char *path;
    nigh_index *index;
    nigh_config config;
    nigh_stats stats;
    cli_vectors vectors; /* of an index without its own */
    void *converted;     /* those rows in the index's type, if they were not */
    const uint8_t *rows; /* by key: row 0, */
    uint64_t stride;     /* and the bytes from one to the next */
    struct cli_lmdb *lmdb; /* of an index in LMDB */
    void *image;         /* read into memory rather than mapped, with its handle */
    void *handle;
    nigh_store_file *store; /* the file, when it is a store */
} cli_index;

/* How to open. All fields 0: map the file, read only, best kernels. */
typedef struct cli_access {
    uint32_t file_flags; /* NIGH_FILE_* */
    uint32_t open_flags; /* NIGH_OPEN_* */
    uint32_t features;
    uint32_t slots; /* as nigh_index_open */
    uint64_t key_bytes;
    bool load; /* into memory with huge pages */
} cli_access;

/* CLI_OK or an exit code after a message. *status, if not NULL, is what the library said: then a
 * broken image is CLI_FAILED without a message. */
int cli_open(cli_index *open, const char *path, const cli_access *access, nigh_status *status);
/* What a row's number is. */
#define CLI_BY "slot|key"
#define CLI_BY_HELP                                                                                \
    "row r of that file is the vector of slot r (default), or\nof key r; an index whose numbers "  \
    "are not its slots wants\nto be told"
enum { CLI_BY_SLOT = 1, CLI_BY_KEY = 2 };

/* Sets the vectors of an index that has none of its own; path NULL: none were given. `verb` is
 * whose help to point at; by: CLI_BY_*, 0 = not said. *open must stay where it is. */
int cli_open_vectors(cli_index *open, const char *verb, const char *path, uint32_t by);
/* The same for a file that is open already. */
int cli_lend_vectors(cli_index *open);
void cli_close(cli_index *open);

/* Options of search, near and others that may need --vectors. */
bool cli_external(const cli_index *open);
/* Early and late checks of an output path: is its folder writable, is it one of the inputs? */
int cli_output_check(const char *verb, const char *path, const char *input);
/* An index in LMDB that is saved by cli_save may take another's place. */
extern bool cli_replace;
/* Saves atomically with a progress bar; `-` is stdout. flags NIGH_SAVE_*. *bytes is the file's
 * size. */
int cli_save(const nigh_index *index, uint32_t flags, const char *path, uint64_t *bytes);
/* The same for other kinds of files: what is written where. */
typedef struct cli_output {
    const char *path;
    const char *label; /* of the progress bar */
    uint64_t bytes;    /* about so many will come */
    const char *about; /* whose failure it is when not that of the writing */
} cli_output;
typedef nigh_status (*cli_write_fn)(void *user, nigh_write_fn write, void *to);
int cli_write(const cli_output *output, cli_write_fn body, void *user, uint64_t *bytes);
/* The same for what was opened or built: a store by a commit, into itself or into a file named
 * .store, which is made if it is not there. */
int cli_save_index(cli_index *open, const char *path, uint64_t *bytes);
/* `path` is changed and goes to `output`: not from one LMDB to another, a name inside LMDB is
 * changed where it is. CLI_OK or a usage error. */
int cli_output_apart(const char *verb, const char *path, const char *output);
/* Does the name say that it is one? */
bool cli_named_store(const char *path);
/* Opens open->path as a store.  @errors NIGH_E_FORMAT (it is none) and others */
nigh_status cli_store_open(cli_index *open, const cli_access *access, const nigh_options *options,
                           char *message);
/* Locks an index against other `nigh add` and `nigh remove`: a descriptor, or -1 and a message. */
int cli_lock(const char *path);

/* A key as text, control characters as \xNN; u64 keys in decimal. */
void cli_print_key(const cli_index *open, uint64_t key, const char *bytes, uint32_t length);
/* The byte-string key of a live slot; length 0: none. */
uint32_t cli_slot_key(const cli_index *open, uint32_t slot, char bytes[512]);

#endif /* NIGH_CLI_OPEN_H */
