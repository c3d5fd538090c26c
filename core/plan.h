/* plan.h - everything that storing one vector will change, computed before anything is stored
 * layer L10; uses: base, state, space, walk
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGHI_PLAN_H
#define NIGHI_PLAN_H
#include "base.h"
#include "space.h"
#include "state.h"
#include "walk.h"

/* Neighbours and row plans for plan->vector at plan->self with top layer plan->level;
 * session->query is prepared. For a slot that has a place already, its old neighbours' rows are
 * repaired too. `rowless`: neighbours only, their rows are somebody else's matter. */
NIGHI_FN nigh_status nighi_plan_make(const nigh_index *index, nigh_session *session, bool rowless);
/* The vector of a slot becomes plan->vector and session->query. */
NIGHI_FN nigh_status nighi_plan_query(const nigh_index *index, nigh_session *session,
                                      uint32_t slot);
/* Walks layer 0 for the `ef` nearest of a slot that has a node, itself left out: session->pool. */
NIGHI_FN nigh_status nighi_plan_near(const nigh_index *index, nigh_session *session, uint32_t slot,
                                     uint32_t ef, nighi_walk *walk);
/* The `ef` nearest of a slot in layer 0, itself left out, with its own links among them, sorted in
 * plan->sorted; how many. Sets up the plan's space. */
NIGHI_FN nigh_status nighi_plan_around(const nigh_index *index, nigh_session *session,
                                       uint32_t slot, uint32_t ef, uint32_t *count);
/* Plans one row anew, after its version moved on. */
NIGHI_FN nigh_status nighi_plan_row(const nigh_index *index, nigh_session *session,
                                    nighi_row_plan *plan);
/* Chooses at most `limit` of plan->sorted[count] into out. */
NIGHI_FN nigh_status nighi_select(const nighi_space *space, nigh_session *session, uint32_t count,
                                  uint32_t limit, uint32_t *out, uint32_t *out_count);
/* Sorts links[count] (slots) by distance from `owner` into plan->sorted; with_self: the planned
 * vector too. */
NIGHI_FN nigh_status nighi_links_sort(const nighi_space *space, nigh_session *session,
                                      uint32_t owner, const uint32_t *links, uint32_t count,
                                      bool with_self, uint32_t *sorted_count);
/* The neighbour choice of one layer. */
NIGHI_INLINE uint32_t *nighi_plan_chosen(const nigh_index *index, nighi_plan *plan,
                                         uint32_t level) {
    return level == 0 ? plan->chosen
                      : plan->chosen + index->config.m0 + (size_t)(level - 1) * index->config.m;
}

#endif
