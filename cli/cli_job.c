/* cli_job.c - runs one of the library's jobs on some threads, with a progress bar
 * layer C; uses: cli_job.h, cli_progress.h, POSIX
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "cli_job.h"

#include <time.h>

#include "cli_progress.h"

typedef struct job_run {
    cli_job *job;
    nigh_job *work;
    nigh_session **sessions;
    cli_progress progress;
    nigh_progress last; /* of the first thread */
} job_run;

static void wait_a_little(void) {
    struct timespec pause = {0, 50000};
    nanosleep(&pause, NULL);
}

/* One thread: tasks until there are no more. */
static nigh_status run_tasks(void *user, uint64_t task, uint32_t worker) {
    job_run *run = user;
    (void)task;
    for (;;) {
        nigh_progress progress = {.struct_size = sizeof progress};
        nigh_status status = nigh_job_run(run->work, run->sessions[worker], &progress);
        if (worker == 0) {
            cli_progress_step(&run->progress, progress.done);
            run->last = progress;
        }
        if (status != NIGH_OK || progress.state == NIGH_JOB_DONE) {
            return status;
        }
        if (progress.state == NIGH_JOB_WAIT) {
            wait_a_little();
        }
    }
}

static nigh_status run_job(cli_job *job, job_run *run) {
    nigh_session_options options = {.struct_size = sizeof options,
                                    .flags = job->read_only ? NIGH_SESSION_READ : 0};
    nigh_status status = NIGH_OK;
    uint64_t bytes = 0;
    if (nigh_session_bytes(job->index, &options, &bytes) == NIGH_OK) {
        job->session_bytes = bytes * job->threads;
    }
    for (uint32_t i = 0; i < job->threads && status == NIGH_OK; i++) {
        status = nigh_session_new(job->index, &options, &run->sessions[i]);
    }
    if (status == NIGH_OK) {
        double wall = cli_seconds();
        double cpu = cli_cpu_seconds();
        status = nigh_tasks_run(job->threads, job->threads, NULL, run_tasks, run);
        job->seconds = cli_seconds() - wall;
        job->cpu_seconds = cli_cpu_seconds() - cpu;
    }
    if (run->sessions[0] != NULL && nigh_job_end(run->work) == NIGH_OK) {
        job->done = run->last.done;
    }
    for (uint32_t i = 0; i < job->threads; i++) {
        nigh_close(run->sessions[i]);
    }
    return status;
}

nigh_status cli_job_run(cli_job *job) {
    job_run run = {.job = job};
    nigh_status status = nigh_job_bytes(job->index, &job->options, job->count, &job->job_bytes);
    if (status == NIGH_OK) {
        job->memory = cli_memory_at(job->spill, job->job_bytes);
        status = job->memory != NULL   ? NIGH_OK
                 : job->spill != NULL ? NIGH_E_IO
                                      : NIGH_E_NO_MEMORY;
    }
    if (status == NIGH_OK) {
        status = nigh_job_begin(job->index, &job->options, job->keys, job->key_lengths,
                                job->vectors, job->count, job->memory, job->job_bytes, &run.work);
    }
    if (status == NIGH_OK) {
        run.sessions = cli_memory(job->threads * sizeof *run.sessions);
        status = run.sessions == NULL ? NIGH_E_NO_MEMORY : NIGH_OK;
    }
    if (status == NIGH_OK) {
        cli_progress_begin(&run.progress, job->label, job->unit, job->units);
        status = run_job(job, &run);
        cli_progress_end(&run.progress);
    }
    nigh_close(run.sessions);
    if (job->options.kind != NIGH_JOB_CODES) {
        nigh_close(job->memory);
        job->memory = NULL;
    }
    return status;
}

int cli_root(nigh_index *index, const char *path) {
    nigh_config config = {.struct_size = sizeof config};
    cli_job job = {.index = index,
                   .options = {.struct_size = sizeof job.options, .kind = NIGH_JOB_ROOT},
                   .threads = 1,
                   .label = "root",
                   .unit = "steps"};
    nigh_stats stats = {.struct_size = sizeof stats};
    if (nigh_config_get(index, &config) != NIGH_OK || nigh_stats_get(index, &stats) != NIGH_OK ||
        (config.build_flags & NIGH_BUILD_UNROOTED) == 0) {
        return CLI_OK;
    }
    job.units = 4 * (uint64_t)stats.slot_count;
    const nigh_status status = cli_job_run(&job);
    if (status != NIGH_OK) {
        return cli_failed(status, path != NULL ? path : "the graph", NULL);
    }
    if (path != NULL) {
        cli_say("%s: its graph is hnswlib's; it got the tree that changes need, in %.2f s", path,
                job.seconds);
    }
    return CLI_OK;
}
