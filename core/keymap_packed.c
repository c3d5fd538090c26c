/* keymap_packed.c - slots of keys in a packed image
 * layer L7; uses: keymap, bits
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The slots of all buckets in one list, and where each eighth bucket begins in it: three bytes a
 * key instead of eight. Some eight keys are compared to find one, all asked for at once. */
#include "bits.h"
#include "keymap.h"

static uint32_t nighi_packed_total(const nigh_index *index) {
    return index->counts.slot_count - index->counts.free_count;
}

NIGHI_FN uint32_t nighi_packed_entry(const nigh_index *index, uint32_t at) {
    const uint32_t *record = nighi_word(&index->regions[NIGHI_KEYMAP], at / 32);
    return nighi_bits_get(record + NIGHI_PACKED_GROUPS, at % 32, index->packed);
}

NIGHI_FN uint32_t nighi_packed_begin(const nigh_index *index, uint32_t group) {
    const nighi_region *region = &index->regions[NIGHI_KEYMAP];
    const uint32_t total = nighi_packed_total(index);
    if (group / NIGHI_PACKED_GROUPS >= region->capacity) {
        return total;
    }
    const uint32_t *record = nighi_word(region, group / NIGHI_PACKED_GROUPS);
    return nighi_min_u32(record[group % NIGHI_PACKED_GROUPS], total);
}

NIGHI_FN uint32_t nighi_packed_find(const nigh_index *index, const nighi_key *key,
                                    uint32_t bucket) {
    const uint32_t group = bucket / NIGHI_PACKED_GROUP;
    const uint32_t end = nighi_packed_begin(index, group + 1);
    for (uint32_t at = nighi_packed_begin(index, group); at < end; at++) {
        const uint32_t slot = nighi_packed_entry(index, at);
        if (slot < index->counts.slot_count && nighi_key_equal(index, slot, key)) {
            return slot;
        }
    }
    return NIGHI_NONE;
}

NIGHI_FN uint32_t nighi_packed_chain(const nigh_index *index, uint32_t bucket, uint32_t after) {
    const uint32_t count = index->counts.slot_count;
    const uint32_t group = bucket / NIGHI_PACKED_GROUP;
    const uint32_t begin = nighi_packed_begin(index, group);
    const uint32_t end = nighi_packed_begin(index, group + 1);
    const uint32_t most = NIGHI_PACKED_GROUP * NIGHI_CHAIN_MAX; /* nigh_check allows no more */
    for (uint32_t at = begin; at < end && at - begin < most; at++) {
        const uint32_t slot = nighi_packed_entry(index, at);
        if (slot < count && (after == NIGHI_NONE || slot > after) &&
            nighi_keymap_bucket(index, slot, count) == bucket) {
            return slot;
        }
    }
    return NIGHI_NONE;
}
