/* way.h - how a search is answered: by scanning, or by which walk of layer 0
 * layer L10; uses: base, state, walk
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGHI_WAY_H
#define NIGHI_WAY_H
#include "base.h"
#include "state.h"
#include "walk.h"

/* Is a filter set? */
NIGHI_INLINE bool nighi_filtered(const nigh_session *session) {
    return NIGHI_HAS_FILTERS && (session->filter.bits != NULL || session->filter.fn != NULL);
}

NIGHI_FN uint32_t nighi_live_count(const nigh_index *index);
/* The cheapest way. `exact`: all is to be scored. Asks a callback about some slots. */
NIGHI_FN void nighi_way_choose(const nighi_walk *walk, bool exact, nighi_way *way);
/* Before a list is walked: where hardly a neighbour of its start matches, it would fall short. */
NIGHI_FN void nighi_way_look(const nighi_walk *walk, uint64_t start, nighi_way *way);
/* What to do when the walk of `way` found few matches: false when there is nothing better. */
NIGHI_FN bool nighi_way_again(const nighi_walk *walk, nighi_way *way);

#endif
