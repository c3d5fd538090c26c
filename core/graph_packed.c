/* graph_packed.c - rows, layers and states of a packed image
 * layer L7; uses: graph, bits
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Nodes hold no word. Which layers they have is told by bits in the order of layers: first a bit a
 * slot (it has a layer above 0), then a bit for each record of layer 1 (its node has a layer 2) and
 * so on. How many bits are set before one is the number of the record that it stands for, so that a
 * record is found by a count a layer (Jacobson 1989, "Space-efficient static trees and graphs":
 * the same idea for trees). Whatever the bits are, what is read lies inside the regions. */
#include "bits.h"
#include "graph.h"

/* The record that bit `at` stands for, or NIGHI_NONE. */
static uint32_t nighi_packed_next(const nigh_index *index, uint32_t at) {
    const uint32_t *part = nighi_word(&index->regions[NIGHI_NODE], at / 32);
    const uint32_t bit = 1u << at % 32;
    if ((part[1] & bit) == 0) {
        return NIGHI_NONE;
    }
    const uint32_t record = part[0] + nighi_popcount(part[1] & (bit - 1));
    return record < index->counts.upper_count ? record : NIGHI_NONE;
}

NIGHI_FN uint32_t nighi_packed_level(const nigh_index *index, uint32_t slot) {
    uint32_t level = 0;
    uint32_t record = nighi_packed_next(index, slot);
    while (record != NIGHI_NONE && level < NIGHI_LEVEL_MAX) {
        level++;
        record = nighi_packed_next(index, index->counts.slot_count + record);
    }
    return level;
}

NIGHI_FN uint32_t nighi_packed_word(const nigh_index *index, uint32_t slot) {
    const nighi_region *region = &index->regions[NIGHI_NODE];
    const uint32_t layers = nighi_packed_layers(&index->counts);
    if (layers >= region->capacity) {
        return NIGHI_UPPER_NONE; /* nothing is removed or free */
    }
    const uint32_t *states = nighi_word(region, layers + slot / 32);
    const uint32_t removed = states[0] >> slot % 32 & 1;
    const uint32_t absent = states[1] >> slot % 32 & 1;
    return NIGHI_UPPER_NONE | removed << 30 | absent << 31;
}

NIGHI_FN const uint32_t *nighi_packed_place(const nigh_index *index, uint32_t slot,
                                            uint32_t level) {
    uint32_t record = NIGHI_NONE;
    for (uint32_t layer = 0; layer < level; layer++) {
        record = nighi_packed_next(index,
                                   layer == 0 ? slot : index->counts.slot_count + record);
        if (record == NIGHI_NONE) {
            return NULL;
        }
    }
    return level == 0 ? nighi_row0(index, slot)
                      : nighi_word(&index->regions[NIGHI_UPPER], record);
}

NIGHI_FN uint32_t nighi_packed_link(const nigh_index *index, const uint32_t *place, uint32_t i) {
    const uint32_t link = nighi_bits_get(place, i, index->packed);
    return link == nighi_bits_mask(index->packed) ? NIGHI_LINK_END : link;
}

NIGHI_FN const uint32_t *nighi_packed_row(const nigh_index *index, uint32_t slot, uint32_t level,
                                          uint32_t *links) {
    const uint32_t *words = nighi_packed_place(index, slot, level);
    const uint32_t degree_max = nighi_degree_max(index, level);
    const uint32_t width = index->packed;
    const uint32_t mask = nighi_bits_mask(width);
    uint64_t held = 0;
    uint32_t bits = 0;
    for (uint32_t i = 0; words != NULL && i < degree_max; i++) {
        if (bits < width) {
            held |= (uint64_t)*words++ << bits;
            bits += 32;
        }
        const uint32_t link = (uint32_t)held & mask;
        links[i] = link == mask ? NIGHI_LINK_END : link;
        held >>= width;
        bits -= width;
    }
    return words != NULL ? links : NULL;
}
