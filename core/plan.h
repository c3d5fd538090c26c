/* plan.h - everything that storing one vector will change, computed before anything is stored
 * layer L9; uses: base, state, walk
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGHI_PLAN_H
#define NIGHI_PLAN_H
#include "base.h"
#include "state.h"
#include "walk.h"

/* Neighbours and row plans for plan->vector at plan->self with top layer plan->level;
 * session->query is prepared. For a slot that has a place already, its old neighbours' rows are
 * repaired too. */
NIGHI_FN nigh_status nighi_plan_make(const nigh_index *index, nigh_session *session);
/* Plans one row anew, after its version moved on. */
NIGHI_FN nigh_status nighi_plan_row(const nigh_index *index, nigh_session *session,
                                    nighi_row_plan *plan);
/* The neighbour choice of one layer. */
NIGHI_INLINE uint32_t *nighi_plan_chosen(const nigh_index *index, nighi_plan *plan,
                                         uint32_t level) {
    return level == 0 ? plan->chosen
                      : plan->chosen + index->config.m0 + (size_t)(level - 1) * index->config.m;
}

#endif
