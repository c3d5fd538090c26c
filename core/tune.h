/* tune.h - what is fastest on this machine
 * layer L12; uses: base, state
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGHI_TUNE_H
#define NIGHI_TUNE_H
#include "base.h"
#include "state.h"

/* As nigh_tune. */
NIGHI_FN nigh_status nighi_tune(nigh_index *index, nigh_session *session, nigh_clock_fn clock,
                                void *user);

#endif
