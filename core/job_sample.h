/* job_sample.h - the span of codes from a sample of vectors, in tasks
 * layer L12; uses: base, state
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGHI_JOB_SAMPLE_H
#define NIGHI_JOB_SAMPLE_H
#include "base.h"
#include "state.h"

#define NIGHI_SAMPLE_PHASES 2u
#define NIGHI_SAMPLE_BINS 256u

/* The floats that vector `at` is encoded from (nighi_code_floats), NULL: there is none. */
typedef nigh_status (*nighi_floats_fn)(nigh_job *job, nigh_session *session, uint32_t at,
                                       const float **floats);

/* Quantiles of elements by counting: first the upper bytes of their order, then the next ones
 * where the quantiles are. Sums do not depend on who adds. */
typedef struct nighi_sampler {
    nigh_config config; /* codes, dim, the span that is given */
    uint32_t count;     /* vectors there */
    uint32_t rows;      /* of them looked at, evenly spaced */
    uint32_t phase;
    uint32_t attempt;  /* of the job, that the bins are from */
    uint32_t all;      /* elements */
    uint32_t below[2]; /* elements below found << 8 */
    uint32_t found[2]; /* largest keys with no more than the wanted share below: upper bytes */
    uint32_t bins[2][NIGHI_SAMPLE_BINS];
} nighi_sampler;

NIGHI_FN void nighi_sampler_begin(nighi_sampler *sampler, const nigh_config *config,
                                  uint32_t count);
/* Tasks of each of the NIGHI_SAMPLE_PHASES; 0: the configuration gives the span. */
NIGHI_FN uint32_t nighi_sampler_tasks(const nighi_sampler *sampler);
NIGHI_FN nigh_status nighi_sampler_task(nighi_sampler *sampler, nighi_floats_fn get, nigh_job *job,
                                        nigh_session *session, uint32_t task);
/* After each phase, while no task runs. After the last, center and steps of *coding are for
 * config->codes: the span that config gives, or else what holds all but one in 2,000 elements at
 * each end. */
NIGHI_FN void nighi_sampler_next(nighi_sampler *sampler, nighi_coding *coding);

/* A nighi_floats_fn: the vector of a slot of the job's index. */
NIGHI_FN nigh_status nighi_slot_floats(nigh_job *job, nigh_session *session, uint32_t slot,
                                       const float **floats);
/* Codes of slots [from, to) into `region`, zeros where there is no node; how many elements were
 * clamped. */
NIGHI_FN nigh_status nighi_slots_encode(nigh_job *job, nigh_session *session,
                                        const nighi_coding *coding, const nighi_region *region,
                                        uint32_t from, uint32_t to, uint32_t *clamped);

#endif
