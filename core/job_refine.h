/* job_refine.h - what refining measures before it decides
 * layer L13; uses: arena, base, state
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A sample of nodes asks for its neighbours, each node itself left out, at four widths. What a
 * graph is worth is the recall that it has at the cost that the first one had. */
#ifndef NIGHI_JOB_REFINE_H
#define NIGHI_JOB_REFINE_H
#include "arena.h"
#include "base.h"
#include "state.h"

#define NIGHI_SCORE_WIDTHS 4u /* the last, widest one is the truth of the others */
#define NIGHI_SCORE_K 10u
#define NIGHI_SCORE_EF 512u /* the widest search: a session must be able to do it */

typedef struct nighi_score {
    uint32_t queries;
    uint32_t graphs; /* that may be compared */
    uint32_t *slots; /* the nodes that ask */
    uint64_t *truth; /* queries x K entries, the nearest seen by any graph */
    uint32_t *found; /* graphs x widths x queries x K slots */
    uint32_t *cost;  /* graphs x widths x queries: distances */
} nighi_score;

NIGHI_FN void nighi_score_layout(nighi_arena *arena, uint32_t queries, uint32_t graphs,
                                 nighi_score *score);
/* Asks one query of the graph as it is, which gets number `graph`. */
NIGHI_FN nigh_status nighi_score_query(const nigh_index *index, nigh_session *session,
                                       nighi_score *score, uint32_t graph, uint32_t query);
/* Does graph 1 find what graph 0 does at the same cost? Over the widths of usual searches together
 * it must miss less, and at none of all more, beyond chance. */
NIGHI_FN bool nighi_score_better(const nighi_score *score);

#endif
