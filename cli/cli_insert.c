/* cli_insert.c - rows in chunks, each a task; one thread inserts them in the file's order
 * layer C; uses: cli_insert.h, cli_progress.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "cli_insert.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "cli_progress.h"

typedef struct feed_worker {
    nigh_session *session;
    cli_scratch scratch;
    uint64_t skipped;
    uint64_t failed_row; /* of the last task; UINT64_MAX: none */
} feed_worker;

typedef struct feed_run {
    cli_feed *feed;
    feed_worker *workers;
    cli_progress progress;
    _Atomic uint64_t done;
} feed_run;

static nigh_status store_rows(const cli_feed *feed, feed_worker *worker, uint64_t row,
                              uint32_t count, const void *rows, uint32_t *done) {
    const void *keys = NULL;
    const uint32_t *lengths = NULL;
    uint64_t at = row - feed->first;
    if (feed->keys != NULL) {
        keys = feed->keys->bytes + feed->keys->offsets[at];
        lengths = feed->keys->lengths + at;
    } else if (feed->numbers != NULL) {
        keys = feed->numbers + at;
    }
    *done = 0;
    return (feed->set ? nigh_set : nigh_insert)(feed->index, worker->session, feed->flags, keys,
                                                lengths, rows, count, done);
}

/* Rows from `row` to `end`; stops at the first failure that may not be skipped. */
static nigh_status feed_rows(const cli_feed *feed, feed_worker *worker, uint64_t row,
                             uint64_t end) {
    while (row < end) {
        const void *rows = NULL;
        uint32_t done = 0;
        uint32_t count = (uint32_t)(end - row);
        nigh_status status = NIGH_E_VECTOR;
        if (!feed->external) {
            count = cli_vectors_read(feed->vectors, &worker->scratch, row, count, &rows);
        }
        if (count != 0) {
            status = store_rows(feed, worker, row, count, rows, &done);
        }
        row += status == NIGH_OK ? count : done;
        if (status == NIGH_E_VECTOR && feed->skip) {
            worker->skipped++;
            row++;
        } else if (status != NIGH_OK) {
            worker->failed_row = row;
            return status;
        }
    }
    return NIGH_OK;
}

static nigh_status feed_task(void *user, uint64_t task, uint32_t number) {
    feed_run *run = user;
    const cli_feed *feed = run->feed;
    uint64_t first = feed->first + task * CLI_CHUNK;
    uint64_t end = feed->first + feed->count;
    end = end - first > CLI_CHUNK ? first + CLI_CHUNK : end;
    nigh_status status = feed_rows(feed, &run->workers[number], first, end);
    uint64_t done = atomic_fetch_add(&run->done, end - first) + (end - first);
    if (number == 0) {
        cli_progress_step(&run->progress, done);
    }
    return status;
}

int cli_feed_failed(const cli_feed *feed, nigh_status status, uint64_t row) {
    uint64_t at = row - feed->first;
    const char *path = feed->vectors->path;
    if (row == UINT64_MAX) {
        return cli_failed(status, path, NULL);
    }
    if (status == NIGH_E_VECTOR && feed->external) {
        row = cli_vectors_first_fault(feed->vectors, feed->first);
    }
    if (status == NIGH_E_VECTOR && row < feed->vectors->count) {
        cli_say("%s: row %" PRIu64 " %s%s", path, row, cli_vectors_fault(feed->vectors, row),
                feed->external ? "" : "; --skip-invalid leaves such rows out");
        return CLI_ERROR;
    }
    if ((status == NIGH_E_EXISTS || status == NIGH_E_DELETED || status == NIGH_E_KEY) &&
        feed->keys != NULL) {
        cli_say("%s%s%" PRIu64 ": '%.*s': %s%s", feed->keys->path, feed->keys->where, at + 1,
                (int)feed->keys->lengths[at], feed->keys->bytes + feed->keys->offsets[at],
                cli_status_text(status), feed->set ? "" : " (--set updates)");
        return CLI_ERROR;
    }
    if ((status == NIGH_E_EXISTS || status == NIGH_E_DELETED) && feed->numbers != NULL) {
        cli_say("row %" PRIu64 ", key %" PRIu64 ": %s%s", row, feed->numbers[at],
                cli_status_text(status), feed->set ? "" : " (--set updates)");
        return CLI_ERROR;
    }
    cli_say("%s: row %" PRIu64 ": %s", path, row, cli_status_text(status));
    return CLI_ERROR;
}

static bool workers_new(cli_feed *feed, feed_worker *workers) {
    uint64_t bytes = 0;
    if (nigh_session_bytes(feed->index, NULL, &bytes) == NIGH_OK) {
        feed->session_bytes = bytes * feed->threads;
    }
    for (uint32_t i = 0; i < feed->threads; i++) {
        nigh_status status = nigh_session_new(feed->index, NULL, &workers[i].session);
        workers[i].failed_row = UINT64_MAX;
        if (status != NIGH_OK) {
            cli_failed(status, "a session", NULL);
            return false;
        }
        if (!cli_scratch_new(&workers[i].scratch, feed->vectors)) {
            return false;
        }
    }
    return true;
}

int cli_feed_run(cli_feed *feed) {
    feed_run run = {.feed = feed};
    int code = CLI_ERROR;
    uint64_t tasks = (feed->count + CLI_CHUNK - 1) / CLI_CHUNK;
    uint64_t row = UINT64_MAX;
    feed->threads = tasks < feed->threads ? (uint32_t)(tasks != 0 ? tasks : 1) : feed->threads;
    run.workers = cli_memory(feed->threads * sizeof *run.workers);
    if (run.workers != NULL && workers_new(feed, run.workers)) {
        double wall = cli_seconds();
        double cpu = cli_cpu_seconds();
        cli_progress_begin(&run.progress, feed->label, "rows", feed->count);
        nigh_status status =
            tasks != 0 ? nigh_tasks_run(tasks, feed->threads, NULL, feed_task, &run) : NIGH_OK;
        cli_progress_end(&run.progress);
        feed->seconds = cli_seconds() - wall;
        feed->cpu_seconds = cli_cpu_seconds() - cpu;
        for (uint32_t i = 0; i < feed->threads; i++) {
            row = run.workers[i].failed_row < row ? run.workers[i].failed_row : row;
        }
        code = status == NIGH_OK ? CLI_OK : cli_feed_failed(feed, status, row);
    }
    for (uint32_t i = 0; run.workers != NULL && i < feed->threads; i++) {
        feed->skipped += run.workers[i].skipped;
        nigh_close(run.workers[i].session);
        cli_scratch_free(&run.workers[i].scratch);
    }
    nigh_close(run.workers);
    return code;
}
