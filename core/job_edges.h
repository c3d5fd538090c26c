/* job_edges.h - links to be added to many rows: collected in any order, merged row by row
 * layer L13; uses: arena, base, state
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * An edge is one word, ordered by the row that it enters. Layer 0: row << 32 | linked slot. Above:
 * bit 63, layer, row, and the linked slot counted from the first one of the batch (28 bits). */
#ifndef NIGHI_JOB_EDGES_H
#define NIGHI_JOB_EDGES_H
#include "arena.h"
#include "base.h"
#include "state.h"

#define NIGHI_EDGE_NONE UINT64_MAX

typedef struct nighi_edges {
    uint64_t *list;
    uint64_t *spare; /* as long; beside sorted edges: which of them are merged */
    uint32_t *histogram;
    uint64_t count;
} nighi_edges;

NIGHI_INLINE uint64_t nighi_edge_base(uint32_t row, uint32_t slot) {
    return (uint64_t)row << 32 | slot;
}
NIGHI_INLINE uint64_t nighi_edge_upper(uint32_t level, uint32_t row, uint32_t from_first) {
    return (uint64_t)1 << 63 | (uint64_t)level << 59 | (uint64_t)row << 28 | from_first;
}

NIGHI_FN void nighi_edges_layout(nighi_arena *arena, uint64_t edge_max, nighi_edges *edges);
/* `count` places, all NIGHI_EDGE_NONE. */
NIGHI_FN void nighi_edges_begin(nighi_edges *edges, uint64_t count);
/* Forgets what is from `count` on. */
NIGHI_FN void nighi_edges_cut(nighi_edges *edges, uint64_t count);
/* Sorts, and drops the places that were not used. */
NIGHI_FN void nighi_edges_sort(nighi_edges *edges);
/* Adds what is not NIGHI_EDGE_NONE of more[count], as far as the layout has room. */
NIGHI_FN void nighi_edges_add(nighi_edges *edges, const uint64_t *more, uint64_t count);
/* Of sorted edges: where those that enter a row begin; the slot of the one at `at`, false: it
 * enters another row. */
NIGHI_FN uint64_t nighi_edges_find(const nighi_edges *edges, uint32_t level, uint32_t row);
NIGHI_FN bool nighi_edges_slot(const nighi_edges *edges, uint64_t at, uint32_t level, uint32_t row,
                               uint32_t first, uint32_t *slot);
/* Tells the pager of every row that will change. */
NIGHI_FN nigh_status nighi_edges_touch(nigh_index *index, const nighi_edges *edges);
/* Tasks of merging; each takes the rows that begin in its part of the list. */
NIGHI_FN uint32_t nighi_edges_tasks(const nighi_edges *edges);
/* Adds the links of one task's rows. `first`: the slot that upper edges count from. */
NIGHI_FN nigh_status nighi_edges_merge(nigh_index *index, nigh_session *session,
                                       const nighi_edges *edges, uint32_t task, uint32_t first);

#endif
