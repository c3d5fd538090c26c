/* graph.c - node words and link rows
 * layer L6; uses: graph
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "graph.h"

NIGHI_FN uint32_t *nighi_row(const nigh_index *index, uint32_t slot, uint32_t level) {
    NIGHI_ASSERT(!nighi_packed(index));
    if (level == 0) {
        return nighi_row0(index, slot);
    }
    const uint32_t first = nighi_node_word(index, slot) & NIGHI_UPPER_NONE;
    const uint64_t at = (uint64_t)first + level - 1;
    if (first == NIGHI_UPPER_NONE || at >= nighi_load_acquire(&index->counts.upper_count)) {
        return NULL;
    }
    return nighi_word(&index->regions[NIGHI_UPPER], (uint32_t)at);
}

NIGHI_FN uint32_t nighi_level(const nigh_index *index, uint32_t slot) {
    if (nighi_packed(index)) {
        return nighi_packed_level(index, slot);
    }
    const uint32_t first = nighi_node_word(index, slot) & NIGHI_UPPER_NONE;
    const uint32_t count = nighi_load_acquire(&index->counts.upper_count);
    if (first == NIGHI_UPPER_NONE || first >= count) {
        return 0;
    }
    uint32_t level = 1;
    while (level < NIGHI_LEVEL_MAX && first + level < count) {
        const uint32_t *row = nighi_word(&index->regions[NIGHI_UPPER], first + level - 1);
        if ((nighi_load_acquire(row) & NIGHI_LINK_MARK) == 0) {
            break;
        }
        level++;
    }
    return level;
}

NIGHI_FN uint32_t nighi_row_read_marked(const uint32_t *row, uint32_t degree_max,
                                        uint32_t slot_count, uint32_t *links) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < degree_max; i++) {
        const uint32_t link = nighi_load_acquire(&row[i]);
        if (nighi_link_slot(link) == NIGHI_LINK_END) {
            break;
        }
        if (nighi_link_slot(link) < slot_count) {
            links[count++] = link;
        }
    }
    return count;
}

NIGHI_FN uint32_t nighi_row_read(const uint32_t *row, uint32_t degree_max, uint32_t slot_count,
                                 uint32_t *links) {
    const uint32_t count = nighi_row_read_marked(row, degree_max, slot_count, links);
    for (uint32_t i = 0; i < count; i++) {
        links[i] = nighi_link_slot(links[i]);
    }
    return count;
}

NIGHI_FN void nighi_row_store(const nigh_index *index, uint32_t *row, uint32_t level,
                              const uint32_t *links, uint32_t count) {
    const uint32_t degree_max = nighi_degree_max(index, level);
    const uint32_t more = level == 0 ? 0 : nighi_load(&row[0]) & NIGHI_LINK_MARK;
    NIGHI_ASSERT(count <= degree_max);
    for (uint32_t i = 0; i < degree_max; i++) {
        const uint32_t link = i < count ? links[i] : NIGHI_LINK_END;
        nighi_store_release(&row[i], i == 0 ? link | more : link);
    }
}

NIGHI_FN uint32_t nighi_links_find(const uint32_t *links, uint32_t count, uint32_t slot) {
    for (uint32_t i = 0; i < count; i++) {
        if (nighi_link_slot(links[i]) == slot) {
            return i;
        }
    }
    return NIGHI_NONE;
}

NIGHI_FN uint32_t nighi_links_marked(const uint32_t *links, uint32_t count) {
    uint32_t marked = 0;
    for (uint32_t i = 0; i < count; i++) {
        marked += links[i] >> 31;
    }
    return marked;
}
