/* cli_insert.h - feeds the rows of a file into an index, on some threads
 * layer C; uses: cli_vectors.h, cli_text.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGH_CLI_INSERT_H
#define NIGH_CLI_INSERT_H
#include "cli_text.h"
#include "cli_vectors.h"

typedef struct cli_feed {
    nigh_index *index;
    const cli_vectors *vectors;
    uint64_t first;          /* row of the file to begin with */
    uint64_t count;          /* rows */
    const cli_keys *keys;    /* of those rows: byte strings; NULL: none */
    const uint64_t *numbers; /* or u64; both NULL: identity */
    bool external;           /* rows lie under the index already, at their slots */
    bool set;                /* update keys that exist */
    bool skip;               /* pass over rows that cannot be stored */
    uint32_t flags;          /* of nigh_insert, nigh_set */
    uint32_t threads;
    const char *label; /* of the progress bar */
    /* results */
    uint64_t skipped;
    uint64_t session_bytes; /* of all threads */
    double seconds;
    double cpu_seconds;
} cli_feed;

/* Says which row and key a status is about; an exit code. */
int cli_feed_failed(const cli_feed *feed, nigh_status status, uint64_t row);
/* CLI_OK, or an exit code after a message; the index then holds a part of the rows. */
int cli_feed_run(cli_feed *feed);

#endif /* NIGH_CLI_INSERT_H */
