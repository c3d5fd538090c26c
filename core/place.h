/* place.h - what fills a slot: the vector as the source holds it, its code, its claim
 * layer L12; uses: base, state, graph, keymap
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGHI_PLACE_H
#define NIGHI_PLACE_H
#include "base.h"
#include "graph.h"
#include "keymap.h"
#include "state.h"

/* Checks a vector and prepares it in the session: plan->vector and plan->record as the source will
 * hold it, plan->code, session->query. `row` NULL: it is read from the source at `slot`. */
NIGHI_FN nigh_status nighi_place_prepare(const nigh_index *index, nigh_session *session,
                                         uint32_t slot, const nighi_key *key, const void *row);
/* Stores owned vector and code of plan->self. */
NIGHI_FN void nighi_place_store(nigh_index *index, const nighi_plan *plan);
/* Counts clamped elements. Under the alloc lock. */
NIGHI_FN void nighi_clamped_add(nigh_index *index, uint32_t clamped);
/* Allots the next slot and enters its key; the node is pending. Under the alloc lock. */
NIGHI_FN void nighi_place_claim(nigh_index *index, uint32_t slot, uint32_t level,
                                const nighi_key *key);

#endif
