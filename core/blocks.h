/* blocks.h - regions of fixed-size records in blocks that never move
 * layer L5; uses: base, sync, state
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGHI_BLOCKS_H
#define NIGHI_BLOCKS_H
#include "base.h"
#include "state.h"
#include "sync.h"

/* Address of a record below the region's capacity. */
NIGHI_INLINE uint8_t *nighi_record(const nighi_region *region, uint32_t at) {
    uint8_t *const base = nighi_load_acquire(&region->base);
    if (!NIGHI_HAS_TABLES || NIGHI_LIKELY(base != NULL)) {
        return base + (size_t)at * region->stride;
    }
    const uint32_t mask = (1u << region->shift) - 1;
    return nighi_load(&region->table[at >> region->shift]) + (size_t)(at & mask) * region->stride;
}

NIGHI_INLINE uint32_t *nighi_word(const nighi_region *region, uint32_t at) {
    return (uint32_t *)(void *)nighi_record(region, at);
}

/* Blocks of 1 << shift records that so many take. */
NIGHI_INLINE uint32_t nighi_blocks_of(uint32_t records, uint32_t shift) {
    return (records >> shift) + ((records & ((1u << shift) - 1)) != 0);
}

/* Strides and shifts of every region follow from the configuration alone. */
NIGHI_FN void nighi_regions_shape(nighi_region *regions, const nigh_config *config);
/* The regions of a packed image that are not as in a plain one. */
NIGHI_FN void nighi_regions_pack(nighi_region *regions, const nigh_config *config,
                                 const nighi_counts *counts);
/* Records that an image of these counts has in a region (of a stride other than 0). */
NIGHI_FN uint32_t nighi_records_live(const nighi_counts *counts, uint32_t region, bool packed);
/* Records of NIGHI_NODE in a packed image that hold which nodes have which layers; after them come,
 * if any slot is removed or free, those that say which. */
NIGHI_FN uint32_t nighi_packed_layers(const nighi_counts *counts);
/* Bytes of a stored vector. */
NIGHI_FN uint32_t nighi_vector_stride(const nigh_config *config);
/* Bytes of a code without what it is padded with; 0 without codes. */
NIGHI_INLINE uint32_t nighi_code_bytes(uint32_t kind, uint32_t dim) {
    return !NIGHI_HAS_CODES        ? 0
           : kind == NIGH_CODES_U7 ? dim
           : kind == NIGH_CODES_B1 ? (dim + 7) / 8
                                   : 0;
}
/* Bytes of a code; 0 without codes. */
NIGHI_FN uint32_t nighi_code_stride(const nigh_config *config);
/* Records above layer 0 that slots [from, to) draw. */
NIGHI_FN uint64_t nighi_upper_draw(const nigh_config *config, uint32_t from, uint32_t to);
/* Top layer that a slot draws. */
NIGHI_FN uint32_t nighi_level_draw(const nigh_config *config, uint32_t slot);
/* Records that a region needs for so many slots and bytes of keys; UINT64_MAX: does not fit. */
NIGHI_FN uint64_t nighi_region_records(const nigh_index *index, uint32_t region, uint32_t slots,
                                       uint64_t key_bytes);
/* Bytes of block `block`, cut where the region's capacity ends. */
NIGHI_FN uint64_t nighi_block_bytes(const nighi_region *region, uint32_t block);
/* As nigh_grow_bytes and nigh_grow. */
NIGHI_FN uint64_t nighi_grow_bytes(const nigh_index *index, uint32_t slots, uint64_t key_bytes);
NIGHI_FN nigh_status nighi_grow(nigh_index *index, uint32_t slots, uint64_t key_bytes,
                                uint8_t *memory, uint64_t memory_bytes);
/* Slots that every region has room for. */
NIGHI_FN uint32_t nighi_slot_capacity(const nigh_index *index);
/* The pager gives region `at` its blocks up to block_end. */
NIGHI_FN nigh_status nighi_region_map(nigh_index *index, uint32_t at, uint32_t block_end);
/* The pager of an index that a store follows: it has nothing to do, the dirty bits are what counts.
 * Its user is no address, but the token of the state (store.h) that blocks without a bit are like;
 * NULL: of none. A nigh_dirty_fn. */
NIGHI_FN nigh_status nighi_dirty_bits(void *user, uint32_t region, uint32_t block, uint64_t bytes,
                                      void **address);
/* What the bits say is no longer true, or is not all. */
NIGHI_INLINE void nighi_unfollow(nigh_index *index) {
    if (index->pager.dirty == nighi_dirty_bits) {
        index->pager.user = NULL;
    }
}
/* Tells the pager, once a block, that a record is about to change. Never under a lock. */
NIGHI_FN nigh_status nighi_touch(nigh_index *index, uint32_t region, uint32_t at);

#endif
