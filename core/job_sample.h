/* job_sample.h - the span of codes from a sample of vectors
 * layer L13; uses: base, state
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGHI_JOB_SAMPLE_H
#define NIGHI_JOB_SAMPLE_H
#include "base.h"
#include "state.h"

/* The floats that vector `at` is encoded from (nighi_code_floats), NULL: there is none. */
typedef nigh_status (*nighi_floats_fn)(void *user, nigh_session *session, uint32_t at,
                                       const float **floats);

/* Center and steps for config->codes: the span that config gives, or else what holds all but one in
 * 2,000 elements at each end of evenly spaced vectors among `count`. */
NIGHI_FN nigh_status nighi_sample_span(nighi_floats_fn get, void *user, nigh_session *session,
                                       const nigh_config *config, uint32_t count,
                                       nighi_coding *coding);

#endif
