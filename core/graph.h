/* graph.h - node words and link rows, the only code that knows their bits
 * layer L6; uses: base, sync, state, blocks
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Node word: bits 0..29 the first upper record (all ones: none), bit 30 removed, bit 31 no node (a
 * freed slot keeps its layers); both bits: claimed by a writer and not filled yet.
 * Link row: slots, then end marks (0x7fffffff). In layer 0 bit 31 marks a link to a child, and
 * link 0 of every node but the root is its parent. Above, bit 31 of link 0 says that the next
 * record holds this node's next layer.
 *
 * The tree. Every node but the root (the lowest slot that holds a node) has one parent, an older
 * node: parent slot < child slot, so there is no cycle. Parent and child link to each other, and
 * neither link is ever pruned. So layer 0 is strongly connected whatever happens to other
 * links: from any node up to the root, and from the root down to any node. */
#ifndef NIGHI_GRAPH_H
#define NIGHI_GRAPH_H
#include "base.h"
#include "blocks.h"
#include "state.h"
#include "sync.h"

#define NIGHI_UPPER_NONE 0x3fffffffu
#define NIGHI_NODE_REMOVED 0x40000000u
#define NIGHI_NODE_ABSENT 0x80000000u
#define NIGHI_NODE_PENDING (NIGHI_NODE_REMOVED | NIGHI_NODE_ABSENT)
#define NIGHI_LINK_MARK 0x80000000u
#define NIGHI_LINK_END 0x7fffffffu

NIGHI_INLINE uint32_t nighi_link_slot(uint32_t link) { return link & NIGHI_LINK_END; }

/* The state bits of a node in a packed image; it has no place of upper records. */
NIGHI_FN uint32_t nighi_packed_word(const nigh_index *index, uint32_t slot);
/* Where a row of a packed image lies; NULL: no such layer. */
NIGHI_FN const uint32_t *nighi_packed_place(const nigh_index *index, uint32_t slot, uint32_t level);
/* Link i of such a row, NIGHI_LINK_END behind the last. */
NIGHI_FN uint32_t nighi_packed_link(const nigh_index *index, const uint32_t *place, uint32_t i);
/* Decodes a row of a packed image into links[m0], end marks too; NULL: no such layer. */
NIGHI_FN const uint32_t *nighi_packed_row(const nigh_index *index, uint32_t slot, uint32_t level,
                                          uint32_t *links);
/* Top layer of a node of a packed image. */
NIGHI_FN uint32_t nighi_packed_level(const nigh_index *index, uint32_t slot);

NIGHI_INLINE uint32_t nighi_node_word(const nigh_index *index, uint32_t slot) {
    if (NIGHI_UNLIKELY(nighi_packed(index))) {
        return nighi_packed_word(index, slot);
    }
    return nighi_load_acquire(nighi_word(&index->regions[NIGHI_NODE], slot));
}

/* Holds a node: removed or not, but neither free nor pending. */
NIGHI_INLINE bool nighi_node_present(uint32_t word) { return (word & NIGHI_NODE_ABSENT) == 0; }
/* Holds nothing: a new node may take it. */
NIGHI_INLINE bool nighi_node_free(uint32_t word) {
    return (word & NIGHI_NODE_PENDING) == NIGHI_NODE_ABSENT;
}
/* May be returned by a search. */
NIGHI_INLINE bool nighi_node_live(uint32_t word) { return (word & NIGHI_NODE_PENDING) == 0; }

/* Most links of a row. */
NIGHI_INLINE uint32_t nighi_degree_max(const nigh_index *index, uint32_t level) {
    return level == 0 ? index->config.m0 : index->config.m;
}

/* Links that a new node chooses itself; others fill the row later. In layer 0 half as many again as
 * above: at equal ef recall rises by 0.4-1.2 points on GloVe-100, at equal recall cost falls. */
NIGHI_INLINE uint32_t nighi_degree_new(const nigh_index *index, uint32_t level) {
    const uint32_t m = index->config.m;
    return level == 0 ? nighi_min_u32(m + m / 2, index->config.m0) : m;
}

/* Nodes that a plan remembers to expand: bytes must not depend on how big a session is. */
NIGHI_INLINE uint32_t nighi_plan_frontier(const nigh_config *config) {
    return nighi_max_u32(8 * config->ef_build, 256);
}

/* Most children of a node: a quarter of its row, so that the tree never crowds out neighbours. */
NIGHI_INLINE uint32_t nighi_children_max(const nigh_index *index) {
    return nighi_max_u32(index->config.m0 / 4, 2);
}

NIGHI_INLINE uint32_t *nighi_row0(const nigh_index *index, uint32_t slot) {
    return nighi_word(&index->regions[NIGHI_LINKS0], slot);
}

/* The row of a node in a layer that it is known to have; NULL where a damaged image lies. This and
 * nighi_row0 are not for packed images: what reads only goes through nighi_links. */
NIGHI_FN uint32_t *nighi_row(const nigh_index *index, uint32_t slot, uint32_t level);
/* The same to read, of any image: where it lies, or decoded into scratch[m0]. The seam between
 * plain and packed rows. */
NIGHI_INLINE const uint32_t *nighi_links(const nigh_index *index, uint32_t slot, uint32_t level,
                                         uint32_t *scratch) {
    if (NIGHI_UNLIKELY(nighi_packed(index))) {
        return nighi_packed_row(index, slot, level, scratch);
    }
    return level == 0 ? nighi_row0(index, slot) : nighi_row(index, slot, level);
}
/* Top layer of a node. */
NIGHI_FN uint32_t nighi_level(const nigh_index *index, uint32_t slot);
/* Copies a row's links without their marks, skipping slots >= slot_count; how many. */
NIGHI_FN uint32_t nighi_row_read(const uint32_t *row, uint32_t degree_max, uint32_t slot_count,
                                 uint32_t *links);
/* The same with their marks. */
NIGHI_FN uint32_t nighi_row_read_marked(const uint32_t *row, uint32_t degree_max,
                                        uint32_t slot_count, uint32_t *links);
/* Stores a row: survivors first, then end marks; a reader sees old links, new ones, or a mix. */
NIGHI_FN void nighi_row_store(const nigh_index *index, uint32_t *row, uint32_t level,
                              const uint32_t *links, uint32_t count);
/* Where `slot` stands in links[count], or NIGHI_NONE. */
NIGHI_FN uint32_t nighi_links_find(const uint32_t *links, uint32_t count, uint32_t slot);
/* Children marked in links[count]. */
NIGHI_FN uint32_t nighi_links_marked(const uint32_t *links, uint32_t count);

#endif
