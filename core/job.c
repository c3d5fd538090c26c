/* job.c - handing out the tasks of long work
 * layer L14; uses: job, code, fp, mutate
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "job.h"
#include "code.h"
#include "fp.h"
#include "mutate.h"

static const nighi_job_kind *nighi_job_kind_of(uint32_t kind) {
    return kind == NIGH_JOB_CODES    ? nighi_job_codes()
           : kind == NIGH_JOB_BUILD  ? nighi_job_build()
           : kind == NIGH_JOB_REFINE ? nighi_job_refine()
           : kind == NIGH_JOB_VACUUM ? nighi_job_vacuum()
           : kind == NIGH_JOB_ROOT   ? nighi_job_root()
                                     : NULL;
}

static nigh_status nighi_job_set(nigh_job *job, nigh_index *index, const nigh_job_options *options,
                                 const nighi_job_input *input) {
    nighi_fill(job, 0, sizeof *job);
    job->index = index;
    job->options = *options;
    job->input = *input;
    job->kind = nighi_job_kind_of(options->kind);
    return job->kind == NULL ? NIGH_E_INVALID : NIGH_OK;
}

NIGHI_FN nigh_status nighi_job_bytes(nigh_index *index, const nigh_job_options *options,
                                     const nighi_job_input *input, uint64_t *bytes) {
    nighi_arena arena = {NULL, 0};
    nigh_job job;
    const nigh_status status = nighi_job_set(&job, index, options, input);
    if (status == NIGH_OK) {
        (void)nighi_arena_take(&arena, 1, sizeof job);
        job.kind->layout(&arena, &job);
        *bytes = nighi_arena_bytes(&arena);
    }
    return status;
}

/* The phases whose tasks all ran are behind; a failed one begins again. Under the lock, while no
 * task runs. */
static void nighi_job_advance(nigh_job *job) {
    if (job->failed != NIGH_OK) {
        job->task_next = 0;
        job->attempt++;
        return;
    }
    const uint32_t mode = nighi_fp_enter(); /* a span is computed between phases */
    while (job->finished == 0 && job->task_next >= job->task_count) {
        job->task_next = 0;
        job->finished = !job->kind->next(job);
    }
    nighi_fp_leave(mode);
}

NIGHI_FN nigh_status nighi_job_begin(nigh_index *index, const nigh_job_options *options,
                                     const nighi_job_input *input, void *memory,
                                     uint64_t memory_bytes, nigh_job **job) {
    uint64_t bytes = 0;
    if (index->job != NULL) {
        return NIGH_E_BUSY;
    }
    nigh_status status = nighi_exclusive_begin(index); /* slots must not change from here on */
    if (status != NIGH_OK) {
        return status;
    }
    if (nighi_unrooted(index) && options->kind != NIGH_JOB_CODES &&
        options->kind != NIGH_JOB_ROOT) { /* asked before, but a file may have been read since */
        nighi_exclusive_end(index);
        return NIGH_E_UNSUPPORTED;
    }
    nigh_job *made = NULL;
    const uint32_t version = nighi_growth_hold(index); /* both layouts see the same capacities */
    status = nighi_job_bytes(index, options, input, &bytes);
    if (status == NIGH_OK && !nighi_memory_fits(memory, memory_bytes, bytes)) {
        status = NIGH_E_MEMORY;
    }
    if (status == NIGH_OK) {
        nighi_arena arena = {memory, 0};
        made = nighi_arena_take(&arena, 1, sizeof *made);
        (void)nighi_job_set(made, index, options, input);
        made->kind->layout(&arena, made);
    }
    nighi_growth_release(index, version);
    if (status != NIGH_OK) {
        nighi_exclusive_end(index);
        return status;
    }
    nighi_job_advance(made);
    index->job = made;
    *job = made;
    return NIGH_OK;
}

NIGHI_FN void nighi_job_done(nigh_job *job, uint32_t units) {
    const uint32_t version = nighi_lock(&job->lock);
    job->done += units;
    nighi_unlock(&job->lock, version, true);
}

/* The next task, or NIGHI_NONE: others are at work, or nothing is left. */
static uint32_t nighi_job_take(nigh_job *job, nigh_status *status) {
    uint32_t task = NIGHI_NONE;
    const uint32_t version = nighi_lock(&job->lock);
    *status = job->failed;
    if (job->failed != NIGH_OK) {
        if (job->running == 0) { /* told; the next call tries again */
            job->failed = NIGH_OK;
        }
    } else if (job->finished == 0 && job->task_next < job->task_count) {
        task = job->task_next++;
        job->running++;
    }
    nighi_unlock(&job->lock, version, true);
    return task;
}

static void nighi_job_give(nigh_job *job, nigh_status status) {
    const uint32_t version = nighi_lock(&job->lock);
    job->running--;
    if (status != NIGH_OK && job->failed == NIGH_OK) {
        job->failed = status;
    }
    if (job->running == 0 && (job->failed != NIGH_OK || job->task_next >= job->task_count)) {
        nighi_job_advance(job);
    }
    if (job->running == 0 && status != NIGH_OK) {
        job->failed = NIGH_OK; /* nobody else is to be told */
    }
    nighi_unlock(&job->lock, version, true);
}

static void nighi_job_tell(nigh_job *job, uint32_t task, nigh_progress *progress) {
    const uint32_t version = nighi_lock(&job->lock);
    progress->done = job->done;
    progress->total = job->total;
    progress->state = job->finished != 0                                        ? NIGH_JOB_DONE
                      : task == NIGHI_NONE && job->task_next >= job->task_count ? NIGH_JOB_WAIT
                                                                                : NIGH_JOB_MORE;
    nighi_unlock(&job->lock, version, true);
}

NIGHI_FN bool nighi_job_session_fits(const nigh_job *job, const nigh_session *session) {
    const uint32_t kind = job->options.kind;
    const bool whole = kind == NIGH_JOB_REFINE || kind == NIGH_JOB_VACUUM;
    if (kind == NIGH_JOB_CODES) {
        return true;
    }
    if ((session->flags & NIGH_SESSION_READ) != 0 ||
        (whole && (session->flags & NIGH_SESSION_SMALL) != 0)) {
        return false;
    }
    const nigh_index *index = job->index;
    const bool begins = kind == NIGH_JOB_BUILD && index->config.codes != NIGH_CODES_NONE;
    return nighi_draft_room(session, job->draft_bytes) &&
           (!begins || session->coded >= nighi_code_query_bytes(&index->config)) &&
           (!nighi_coded(index) || nighi_code_room(index, session));
}

NIGHI_FN nigh_status nighi_job_run(nigh_job *job, nigh_session *session, nigh_progress *progress) {
    nigh_status status = NIGH_OK;
    const uint32_t task = nighi_job_take(job, &status);
    if (task != NIGHI_NONE) {
        const uint32_t mode = nighi_fp_enter();
        session->cursor.active = 0;
        status = job->kind->task(job, session, task);
        nighi_fp_leave(mode);
        nighi_job_give(job, status);
    }
    nighi_job_tell(job, task, progress);
    if (status == NIGH_OK && progress->state == NIGH_JOB_DONE) {
        return job->ended_by;
    }
    return status;
}

NIGHI_FN nigh_status nighi_job_end(nigh_job *job) {
    const uint32_t version = nighi_lock(&job->lock);
    const bool busy = job->running > 0;
    nighi_unlock(&job->lock, version, false);
    if (busy) {
        return NIGH_E_BUSY;
    }
    job->index->job = NULL;
    if (job->kind->end != NULL) {
        job->kind->end(job);
    }
    nighi_exclusive_end(job->index);
    return NIGH_OK;
}
