/* cli_job.h - runs one of the library's jobs on some threads, with a progress bar
 * layer C; uses: cli_common.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGH_CLI_JOB_H
#define NIGH_CLI_JOB_H
#include "cli_common.h"

typedef struct cli_job {
    nigh_index *index;
    nigh_job_options options;
    const void *keys;
    const uint32_t *key_lengths;
    const void *vectors;
    uint32_t count;
    uint64_t units; /* of progress in all */
    uint32_t threads;
    bool read_only;    /* sessions that only read will do */
    const char *spill; /* its memory is a file beside this one, or NULL */
    const char *label; /* of the progress bar */
    const char *unit;
    /* results */
    uint64_t done;
    uint64_t job_bytes;
    uint64_t session_bytes; /* of all threads */
    double seconds;
    double cpu_seconds;
    void *memory; /* what stays with the index: nigh_close after it. Else NULL */
} cli_job;

/* What the library says in the end. */
nigh_status cli_job_run(cli_job *job);
/* Gives a graph from a file of hnswlib the tree that changes need, and says so, `path` being the
 * index's name (NULL: quietly); CLI_OK when it has one, or an exit code after a message. */
int cli_root(nigh_index *index, const char *path);

#endif /* NIGH_CLI_JOB_H */
