/* link.h - storing planned rows, and keeping the tree of parents
 * layer L11; uses: base, state, graph, plan
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGHI_LINK_H
#define NIGHI_LINK_H
#include "base.h"
#include "graph.h"
#include "plan.h"
#include "state.h"

/* The planned slot has its number now: plans that name it by NIGHI_SELF_NEW are rewritten. */
NIGHI_FN void nighi_plan_settle(nighi_plan *plan, uint32_t slot);
/* Tells the pager of every row that the plan may store to. */
NIGHI_FN nigh_status nighi_plan_touch(nigh_index *index, nigh_session *session);
/* Tells the pager of what taking a parent may change when the new node gets this old slot. */
NIGHI_FN nigh_status nighi_parent_touch(nigh_index *index, nigh_session *session, uint32_t slot);
/* Stores a new node's own rows, before anything leads to it. */
NIGHI_FN void nighi_node_fill(nigh_index *index, nighi_plan *plan);
/* Links a new node to its parent: from then on it is reachable. */
NIGHI_FN void nighi_parent_attach(nigh_index *index, nigh_session *session);
/* Hands the children of a slot about to move to other parents near them, where there are any. */
NIGHI_FN void nighi_children_move(nigh_index *index, nigh_session *session);
/* Gives a slot that has moved its new rows, and a parent near its new place if there is one. */
NIGHI_FN void nighi_node_move(nigh_index *index, nigh_session *session);
/* Adds links from `slot` to sources[count] (at most m0): appended, or if there is no room the row
 * is chosen anew, with plan->alpha. For jobs: no other writer stores to this row. */
NIGHI_FN nigh_status nighi_row_absorb(nigh_index *index, nigh_session *session, uint32_t slot,
                                      uint32_t level, const uint32_t *sources, uint32_t count);
/* Gives a row of layer 0 the links[count], nearest first; parent and children stay. For jobs. */
NIGHI_FN void nighi_row_replace(nigh_index *index, nighi_plan *plan, uint32_t slot, uint32_t *links,
                                uint32_t count);
/* A new node gets its parent, without locks; the link that the parent gave up for it, or
 * NIGHI_NONE. For jobs. */
NIGHI_FN uint32_t nighi_child_adopt(nigh_index *index, nighi_plan *plan, uint32_t parent,
                                    uint32_t child);
/* `parent` forgets a child. For jobs. */
NIGHI_FN void nighi_child_leave(nigh_index *index, nighi_plan *plan, uint32_t parent,
                                uint32_t child);
/* `self` and `child`, children of `before` and of `parent`, change places. For jobs. */
NIGHI_FN void nighi_child_swap(nigh_index *index, nighi_plan *plan, uint32_t parent, uint32_t self,
                               uint32_t before, uint32_t child);
/* Children of a node, by the marks of its row. */
NIGHI_FN uint32_t nighi_children_count(const nigh_index *index, uint32_t slot);
/* Takes a node with at most one child out of the tree: its parent takes the child, or the child
 * loses its parent. For jobs. */
NIGHI_FN void nighi_node_unlink(nigh_index *index, nighi_plan *plan, uint32_t slot);
/* Stores every remaining planned row, planning anew what has changed meanwhile. */
NIGHI_FN void nighi_rows_commit(nigh_index *index, nigh_session *session);

#endif
