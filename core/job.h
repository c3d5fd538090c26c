/* job.h - long work in numbered tasks that the caller's own threads run
 * layer L13; uses: arena, base, state
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A job is a row of phases, a phase a row of tasks. Tasks of one phase run side by side, in any
 * order, and store nothing that another of them reads; so what comes out does not depend on who ran
 * what. Between tasks the index is whole: a job may stop there for good. */
#ifndef NIGHI_JOB_H
#define NIGHI_JOB_H
#include "arena.h"
#include "base.h"
#include "state.h"

/* What a kind of work does. */
typedef struct nighi_job_kind {
    /* Lays out what the job needs behind the job itself; counts only when arena->base is NULL. */
    void (*layout)(nighi_arena *arena, nigh_job *job);
    /* Sets phase, task_count for the next phase; false: there is none, the job is done. Called
     * while no task runs, first with phase 0. */
    bool (*next)(nigh_job *job);
    /* One task. A failed phase is run again from its first task. */
    nigh_status (*task)(nigh_job *job, nigh_session *session, uint32_t task);
    /* What it leaves, wherever it was; NULL: nothing is to be done. */
    void (*end)(nigh_job *job);
} nighi_job_kind;

/* What nigh_job_begin was given. */
typedef struct nighi_job_input {
    const uint8_t *keys;
    const uint32_t *key_lengths;
    const uint8_t *vectors;
    uint32_t count;
} nighi_job_input;

struct nigh_job {
    nigh_index *index;
    const nighi_job_kind *kind;
    nigh_job_options options;
    nighi_job_input input;
    uint32_t lock;
    uint32_t phase; /* of the kind; 0: not begun */
    uint32_t task_count;
    uint32_t task_next;
    uint32_t running;
    uint32_t attempt;  /* phases begun again */
    uint32_t finished; /* 1: no phase is left */
    nigh_status failed;
    nigh_status ended_by; /* the work ended early: what nigh_job_run reports in the end */
    uint64_t done;        /* progress, in the kind's units */
    uint64_t total;
    uint32_t draft_bytes; /* what a session must have room for, of a code query; 0: no draft */
    void *state;          /* of the kind */
};

NIGHI_FN const nighi_job_kind *nighi_job_codes(void);
NIGHI_FN const nighi_job_kind *nighi_job_build(void);
NIGHI_FN const nighi_job_kind *nighi_job_refine(void);
NIGHI_FN const nighi_job_kind *nighi_job_vacuum(void);
NIGHI_FN const nighi_job_kind *nighi_job_root(void);

/* `options` complete. Without `job` only counts. */
NIGHI_FN nigh_status nighi_job_bytes(nigh_index *index, const nigh_job_options *options,
                                     const nighi_job_input *input, uint64_t *bytes);
NIGHI_FN nigh_status nighi_job_begin(nigh_index *index, const nigh_job_options *options,
                                     const nighi_job_input *input, void *memory,
                                     uint64_t memory_bytes, nigh_job **job);
/* Can the session run any task of the job? */
NIGHI_FN bool nighi_job_session_fits(const nigh_job *job, const nigh_session *session);
NIGHI_FN nigh_status nighi_job_run(nigh_job *job, nigh_session *session, nigh_progress *progress);
NIGHI_FN nigh_status nighi_job_end(nigh_job *job);
/* A task tells how far it has come. */
NIGHI_FN void nighi_job_done(nigh_job *job, uint32_t units);

#endif
