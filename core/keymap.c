/* keymap.c - keys of slots, and slots of keys by linear hashing
 * layer L6; uses: keymap
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "keymap.h"

#define NIGHI_FIND_TRIES 64u

NIGHI_FN uint32_t *nighi_keymap_head(const nigh_index *index, uint32_t bucket) {
    return nighi_word(&index->regions[NIGHI_KEYMAP], bucket);
}

NIGHI_FN uint32_t *nighi_keymap_next(const nigh_index *index, uint32_t slot) {
    return nighi_word(&index->regions[NIGHI_NODE], slot) + 1;
}

NIGHI_FN nigh_status nighi_key_take(const nigh_index *index, const void *keys,
                                    const uint32_t *lengths, uint32_t at, uint64_t *offset,
                                    nighi_key *key) {
    key->value = 0;
    key->bytes = NULL;
    key->length = 0;
    if (!nighi_keys_strings(&index->config)) {
        nighi_copy(&key->value, (const uint8_t *)keys + (size_t)at * 8, 8);
        return NIGH_OK;
    }
    key->bytes = (const uint8_t *)keys + *offset;
    key->length = lengths[at];
    *offset += key->length;
    return key->length == 0 || key->length > index->config.key_bytes_max ? NIGH_E_KEY : NIGH_OK;
}

NIGHI_FN uint64_t nighi_key_value(const nigh_index *index, uint32_t slot) {
    if (index->config.keys == NIGH_KEYS_IDENTITY) {
        return slot;
    }
    const uint32_t *words = nighi_word(&index->regions[NIGHI_KEY], slot);
    return nighi_load(&words[0]) | (uint64_t)nighi_load(&words[1]) << 32;
}

NIGHI_FN uint32_t nighi_key_string(const nigh_index *index, uint32_t slot, const uint8_t **bytes) {
    const nighi_region *region = &index->regions[NIGHI_KEYBYTES];
    const uint64_t record = nighi_key_value(index, slot);
    const uint32_t offset = (uint32_t)record;
    const uint32_t length = (uint32_t)(record >> 32);
    const uint32_t mask = (1u << region->shift) - 1;
    const uint32_t used = nighi_load_acquire(&index->counts.key_bytes);
    *bytes = NULL;
    if (length == 0 || length > index->config.key_bytes_max || offset > used ||
        length > used - offset || (offset & mask) + length > mask + 1) {
        return 0;
    }
    *bytes = nighi_record(region, offset);
    return length;
}

NIGHI_FN void nighi_key_put(const nigh_index *index, uint32_t slot, void *keys, uint32_t *lengths,
                            uint32_t at, uint64_t *offset) {
    if (keys == NULL) {
        return;
    }
    if (!nighi_keys_strings(&index->config)) {
        const uint64_t value = nighi_key_value(index, slot);
        nighi_copy((uint8_t *)keys + (size_t)at * 8, &value, 8);
        return;
    }
    const uint8_t *bytes = NULL;
    const uint32_t length = nighi_key_string(index, slot, &bytes);
    if (length > 0) {
        nighi_copy((uint8_t *)keys + *offset, bytes, length);
    }
    *offset += length;
    if (lengths != NULL) {
        lengths[at] = length;
    }
}

static uint64_t nighi_hash_bytes(uint64_t seed, const uint8_t *bytes, uint32_t length) {
    uint64_t hash = nighi_mix64(seed ^ length);
    while (length > 0) {
        const uint32_t part = nighi_min_u32(length, 8);
        uint64_t word = 0;
        nighi_copy(&word, bytes, part);
        hash = nighi_mix64(hash ^ word);
        bytes += part;
        length -= part;
    }
    return hash;
}

static uint64_t nighi_key_hash(const nigh_index *index, const nighi_key *key) {
    if (nighi_keys_strings(&index->config)) {
        return nighi_hash_bytes(index->config.seed, key->bytes, key->length);
    }
    return nighi_mix64(nighi_mix64(key->value) ^ index->config.seed);
}

static void nighi_key_of(const nigh_index *index, uint32_t slot, nighi_key *key) {
    key->bytes = NULL;
    key->length = 0;
    key->value = 0;
    if (nighi_keys_strings(&index->config)) {
        key->length = nighi_key_string(index, slot, &key->bytes);
    } else {
        key->value = nighi_key_value(index, slot);
    }
}

NIGHI_FN bool nighi_key_equal(const nigh_index *index, uint32_t slot, const nighi_key *key) {
    nighi_key own;
    nighi_key_of(index, slot, &own);
    if (!nighi_keys_strings(&index->config)) {
        return own.value == key->value;
    }
    return own.length == key->length && nighi_compare(own.bytes, key->bytes, key->length) == 0;
}

static uint32_t nighi_bucket_of(uint64_t hash, uint32_t buckets) {
    if (buckets <= 1) {
        return 0;
    }
    const uint32_t mask = UINT32_MAX >> __builtin_clz(buckets - 1);
    const uint32_t bucket = (uint32_t)hash & mask;
    return bucket < buckets ? bucket : bucket & (mask >> 1);
}

NIGHI_FN uint32_t nighi_keymap_bucket(const nigh_index *index, uint32_t slot, uint32_t buckets) {
    nighi_key key;
    nighi_key_of(index, slot, &key);
    return nighi_bucket_of(nighi_key_hash(index, &key), buckets);
}

NIGHI_FN uint32_t nighi_keymap_find(const nigh_index *index, const nighi_key *key) {
    const uint32_t count = nighi_load_acquire(&index->counts.slot_count);
    if (index->config.keys == NIGH_KEYS_IDENTITY) {
        return key->value < count ? (uint32_t)key->value : NIGHI_NONE;
    }
    if (count == 0) {
        return NIGHI_NONE;
    }
    const uint32_t bucket = nighi_bucket_of(nighi_key_hash(index, key), count);
    if (nighi_packed(index)) {
        return nighi_packed_find(index, key, bucket);
    }
    uint32_t slot = nighi_load_acquire(nighi_keymap_head(index, bucket));
    /* Chains of an honest index end; a hostile or changing one is left after `count` steps. */
    for (uint32_t steps = 0; slot < count && steps < count; steps++) {
        if (nighi_key_equal(index, slot, key)) {
            return slot;
        }
        slot = nighi_load_acquire(nighi_keymap_next(index, slot));
    }
    return NIGHI_NONE;
}

NIGHI_FN bool nighi_keymap_first(const nigh_index *index, uint32_t slot) {
    nighi_key key;
    nighi_key_of(index, slot, &key);
    return nighi_keymap_find(index, &key) == slot;
}

/* Does the slot hold this key, read between two equal versions of the slot? */
static bool nighi_key_still(const nigh_index *index, uint32_t slot, const nighi_key *key) {
    uint32_t version = 0;
    return nighi_slot_begin(index->writer, slot, &version) && nighi_key_equal(index, slot, key) &&
           nighi_slot_held(index->writer, slot, version);
}

NIGHI_FN nigh_status nighi_keymap_find_shared(const nigh_index *index, const nighi_key *key,
                                              uint32_t *slot) {
    const nighi_writer *writer = nighi_writer_of(index);
    if (NIGHI_IS_SINGLE || writer == NULL) {
        *slot = nighi_keymap_find(index, key);
        return *slot == NIGHI_NONE ? NIGH_E_NOT_FOUND : NIGH_OK;
    }
    for (uint32_t tries = 0; tries < NIGHI_FIND_TRIES; tries++) {
        const uint32_t version = nighi_load_acquire(&writer->map_version);
        *slot = nighi_keymap_find(index, key);
        if (*slot != NIGHI_NONE && nighi_key_still(index, *slot, key)) {
            return NIGH_OK;
        }
        if (*slot == NIGHI_NONE && (version & 1) == 0 &&
            nighi_load_acquire(&writer->map_version) == version) {
            return NIGH_E_NOT_FOUND;
        }
        nighi_pause();
    }
    return NIGH_E_BUSY;
}

NIGHI_FN void nighi_map_change(nigh_index *index) { nighi_add(&index->writer->map_version, 1u); }

/* Bucket `slot` opens: the keys of bucket slot - 2^floor(log2 slot) are dealt to both, in order. */
NIGHI_FN void nighi_keymap_split(nigh_index *index, uint32_t slot) {
    if (index->regions[NIGHI_KEYMAP].stride == 0) {
        return;
    }
    nighi_store(nighi_keymap_head(index, slot), NIGHI_NONE);
    if (slot == 0) {
        return;
    }
    const uint32_t old = slot - (1u << (31 - __builtin_clz(slot)));
    uint32_t *tails[2] = {nighi_keymap_head(index, old), nighi_keymap_head(index, slot)};
    uint32_t at = nighi_load(tails[0]);
    for (uint32_t steps = 0; at < slot && steps < slot; steps++) {
        uint32_t *next = nighi_keymap_next(index, at);
        const uint32_t following = nighi_load(next);
        const uint32_t side = nighi_keymap_bucket(index, at, slot + 1) == slot;
        nighi_store_release(tails[side], at);
        tails[side] = next;
        at = following;
    }
    nighi_store_release(tails[0], NIGHI_NONE);
    nighi_store_release(tails[1], NIGHI_NONE);
}

NIGHI_FN uint64_t nighi_key_place(const nigh_index *index, uint32_t length) {
    const uint32_t shift = index->regions[NIGHI_KEYBYTES].shift;
    const uint64_t used = nighi_load(&index->counts.key_bytes);
    const uint64_t left = ((uint64_t)1 << shift) - (used & (((uint64_t)1 << shift) - 1));
    return length > left ? used + left : used;
}

NIGHI_FN bool nighi_key_fits(const nigh_index *index, const nighi_key *key) {
    if (!nighi_keys_strings(&index->config)) {
        return true;
    }
    return nighi_key_place(index, key->length) + key->length <=
           nighi_load(&index->regions[NIGHI_KEYBYTES].capacity);
}

static void nighi_key_store(nigh_index *index, uint32_t slot, const nighi_key *key) {
    uint32_t *words = nighi_word(&index->regions[NIGHI_KEY], slot);
    uint64_t record = key->value;
    if (nighi_keys_strings(&index->config)) {
        const uint64_t used = index->counts.key_bytes;
        const uint64_t place = nighi_key_place(index, key->length);
        if (place > used) { /* the gap before a block's end is part of the image: zero */
            nighi_fill(nighi_record(&index->regions[NIGHI_KEYBYTES], (uint32_t)used), 0,
                       place - used);
        }
        nighi_copy(nighi_record(&index->regions[NIGHI_KEYBYTES], (uint32_t)place), key->bytes,
                   key->length);
        nighi_store_release(&index->counts.key_bytes, (uint32_t)place + key->length);
        nighi_store_release(&index->counts.key_lengths, index->counts.key_lengths + key->length);
        record = place | (uint64_t)key->length << 32;
    }
    nighi_store(&words[0], (uint32_t)record);
    nighi_store(&words[1], (uint32_t)(record >> 32));
}

NIGHI_FN void nighi_keymap_enter(nigh_index *index, uint32_t slot, const nighi_key *key,
                                 uint32_t buckets) {
    if (index->regions[NIGHI_KEYMAP].stride == 0) {
        return;
    }
    nighi_key_store(index, slot, key);
    uint32_t *link = nighi_keymap_head(index, nighi_bucket_of(nighi_key_hash(index, key), buckets));
    uint32_t at = nighi_load(link);
    for (uint32_t steps = 0; at < slot && steps < buckets; steps++) {
        link = nighi_keymap_next(index, at);
        at = nighi_load(link);
    }
    nighi_store(nighi_keymap_next(index, slot), at);
    nighi_store_release(link, slot);
}

NIGHI_FN void nighi_keymap_leave(nigh_index *index, uint32_t slot, uint32_t buckets) {
    if (index->regions[NIGHI_KEYMAP].stride == 0) {
        return;
    }
    uint32_t *link = nighi_keymap_head(index, nighi_keymap_bucket(index, slot, buckets));
    uint32_t at = nighi_load(link);
    for (uint32_t steps = 0; at < buckets && at != slot && steps < buckets; steps++) {
        link = nighi_keymap_next(index, at);
        at = nighi_load(link);
    }
    if (at == slot) {
        nighi_store_release(link, nighi_load(nighi_keymap_next(index, slot)));
    }
}

static nigh_status nighi_chain_touch(nigh_index *index, uint32_t bucket, uint32_t count) {
    nigh_status status = nighi_touch(index, NIGHI_KEYMAP, bucket);
    uint32_t slot = nighi_load(nighi_keymap_head(index, bucket));
    for (uint32_t steps = 0; slot < count && steps < count && status == NIGH_OK; steps++) {
        status = nighi_touch(index, NIGHI_NODE, slot);
        slot = nighi_load(nighi_keymap_next(index, slot));
    }
    return status;
}

NIGHI_FN nigh_status nighi_keymap_touch_leave(nigh_index *index, uint32_t slot) {
    const uint32_t count = nighi_load(&index->counts.slot_count);
    return index->regions[NIGHI_KEYMAP].stride == 0 || !nighi_followed(index)
               ? NIGH_OK
               : nighi_chain_touch(index, nighi_keymap_bucket(index, slot, count), count);
}

NIGHI_FN nigh_status nighi_keymap_touch(nigh_index *index, const nighi_key *key, uint32_t slot,
                                        bool replaces) {
    const uint32_t count = nighi_load(&index->counts.slot_count);
    nigh_status status = NIGH_OK;
    if (index->regions[NIGHI_KEYMAP].stride == 0) {
        return NIGH_OK;
    }
    if (nighi_keys_strings(&index->config)) {
        const uint32_t place = (uint32_t)nighi_key_place(index, key->length);
        status = nighi_touch(index, NIGHI_KEYBYTES, nighi_load(&index->counts.key_bytes));
        if (status == NIGH_OK) {
            status = nighi_touch(index, NIGHI_KEYBYTES, place);
        }
    }
    if (status == NIGH_OK && count > 0) {
        status =
            nighi_chain_touch(index, nighi_bucket_of(nighi_key_hash(index, key), count), count);
    }
    if (status == NIGH_OK && replaces) {
        status = nighi_chain_touch(index, nighi_keymap_bucket(index, slot, count), count);
    } else if (status == NIGH_OK && slot > 0 && slot == count) {
        status = nighi_chain_touch(index, slot - (1u << (31 - __builtin_clz(slot))), count);
    }
    return status;
}
