/* cli_store.c - indexes in store files: opened like images, changed by commits
 * layer C; uses: cli_open.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <string.h>

#include "cli_open.h"

nigh_status cli_store_open(cli_index *open, const cli_access *access, const nigh_options *options,
                           char *message) {
    const bool writes = access->file_flags == NIGH_FILE_PRIVATE;
    nigh_status status =
        nigh_store_file_open(open->path, writes ? NIGH_STORE_FILE_WRITE : 0, NULL, &open->store,
                             message, CLI_MESSAGE);
    if (status == NIGH_OK) {
        status = nigh_store_file_index(open->store, options, access->slots, access->key_bytes,
                                       &open->index, message, CLI_MESSAGE);
    }
    return status;
}

bool cli_named_store(const char *path) {
    const size_t length = strlen(path);
    return length > 6 && strcmp(path + length - 6, ".store") == 0;
}

/* What the file holds in pages; less than its size where pages are free. */
static int commit(nigh_store_file *file, nigh_index *index, const char *path, uint64_t *bytes) {
    char message[CLI_MESSAGE] = "";
    nigh_store_stats stats = {.struct_size = sizeof stats};
    nigh_status status = nigh_store_file_commit(file, index, message, sizeof message);
    if (status == NIGH_OK) {
        status = nigh_store_file_stats(file, &stats);
    }
    *bytes = (uint64_t)stats.page_used * stats.page_bytes;
    return status == NIGH_OK ? CLI_OK : cli_failed(status, path, message);
}

int cli_save_index(cli_index *open, const char *path, uint64_t *bytes) {
    char message[CLI_MESSAGE] = "";
    nigh_store_file *file = NULL;
    if (open->store != NULL && strcmp(path, open->path) == 0) {
        return commit(open->store, open->index, path, bytes);
    }
    if (!cli_named_store(path)) {
        return cli_save(open->index, 0, path, bytes);
    }
    nigh_status status =
        nigh_store_file_open(path, NIGH_STORE_FILE_WRITE | NIGH_STORE_FILE_CREATE, NULL, &file,
                             message, sizeof message);
    if (status != NIGH_OK) {
        return cli_failed(status, path, message);
    }
    int code = commit(file, open->index, path, bytes);
    nigh_close(file);
    return code;
}
