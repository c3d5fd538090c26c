/* keymap.h - keys of slots, and slots of keys by linear hashing
 * layer L6; uses: base, sync, state, blocks
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * There are as many buckets as slots, one is split with each new slot (Litwin 1980), and chains run
 * in slot order: the map is a pure function of which slot holds which key, never of history. */
#ifndef NIGHI_KEYMAP_H
#define NIGHI_KEYMAP_H
#include "base.h"
#include "blocks.h"
#include "state.h"
#include "sync.h"

#define NIGHI_CHAIN_MAX 4096u /* longer chains come only from keys made to collide */

/* A key of either kind, as handed in. */
typedef struct nighi_key {
    uint64_t value;       /* u64 keys */
    const uint8_t *bytes; /* byte strings, else NULL */
    uint32_t length;
} nighi_key;

/* Walks an array of keys: *offset is where the next byte string begins. NIGH_E_KEY when it is
 * empty or too long. */
NIGHI_FN nigh_status nighi_key_take(const nigh_index *index, const void *keys,
                                    const uint32_t *lengths, uint32_t at, uint64_t *offset,
                                    nighi_key *key);
/* The u64 key of a slot (identity: the slot). */
NIGHI_FN uint64_t nighi_key_value(const nigh_index *index, uint32_t slot);
/* The byte string of a slot; its length, 0 where a damaged image lies. */
NIGHI_FN uint32_t nighi_key_string(const nigh_index *index, uint32_t slot, const uint8_t **bytes);
/* Byte-string keys need somewhere to put their lengths. */
NIGHI_INLINE bool nighi_output_valid(const nigh_index *index, const void *keys,
                                     const uint32_t *key_lengths) {
    return keys == NULL || !nighi_keys_strings(&index->config) || key_lengths != NULL;
}
/* Appends a slot's key to an output array of either kind. */
NIGHI_FN void nighi_key_put(const nigh_index *index, uint32_t slot, void *keys, uint32_t *lengths,
                            uint32_t at, uint64_t *offset);
/* The slot of a key whatever its state, or NIGHI_NONE. Writers: under the alloc lock. Readers: see
 * nighi_keymap_find_shared. */
NIGHI_FN uint32_t nighi_keymap_find(const nigh_index *index, const nighi_key *key);
/* The same beside writers, without a lock: NIGH_OK, NIGH_E_NOT_FOUND, or NIGH_E_BUSY when chains
 * kept changing. */
NIGHI_FN nigh_status nighi_keymap_find_shared(const nigh_index *index, const nighi_key *key,
                                              uint32_t *slot);
/* Called before and after chains or the slot count change: readers in between try again. */
NIGHI_FN void nighi_map_change(nigh_index *index);
/* Under the alloc lock: opens the bucket of a new last slot (counts.slot_count == slot before). */
NIGHI_FN void nighi_keymap_split(nigh_index *index, uint32_t slot);
/* Under the alloc lock: stores the key of a slot and enters it; `buckets` is the slot count. */
NIGHI_FN void nighi_keymap_enter(nigh_index *index, uint32_t slot, const nighi_key *key,
                                 uint32_t buckets);
/* Under the alloc lock: takes a slot out of its chain. */
NIGHI_FN void nighi_keymap_leave(nigh_index *index, uint32_t slot, uint32_t buckets);
/* Bucket of the key that a slot holds. */
NIGHI_FN uint32_t nighi_keymap_bucket(const nigh_index *index, uint32_t slot, uint32_t buckets);
/* Where in NIGHI_KEYBYTES a key is stored next, skipping the rest of a block it would cross. */
NIGHI_FN uint64_t nighi_key_place(const nigh_index *index, uint32_t length);
/* Room for the key's bytes? */
NIGHI_FN bool nighi_key_fits(const nigh_index *index, const nighi_key *key);
/* Tells the pager of what entering a key in `slot` changes. Never under a lock. */
NIGHI_FN nigh_status nighi_keymap_touch(nigh_index *index, const nighi_key *key, uint32_t slot,
                                        bool replaces);
/* The same for taking a slot's key out. */
NIGHI_FN nigh_status nighi_keymap_touch_leave(nigh_index *index, uint32_t slot);
/* Is this the first slot of its chain that holds its key? */
NIGHI_FN bool nighi_keymap_first(const nigh_index *index, uint32_t slot);
/* Packed images. Slots stand in one list by bucket, those of a bucket rising. The first slot of a
 * bucket behind `after` (NIGHI_NONE: from its begin on); NIGHI_NONE when there is none. */
NIGHI_FN uint32_t nighi_packed_chain(const nigh_index *index, uint32_t bucket, uint32_t after);
/* The slot of that bucket for which `key` stands. */
NIGHI_FN uint32_t nighi_packed_find(const nigh_index *index, const nighi_key *key, uint32_t bucket);
/* The i-th slot of the list. */
NIGHI_FN uint32_t nighi_packed_entry(const nigh_index *index, uint32_t at);
/* Where the list of a group of buckets begins: at most how many slots are in the map. */
NIGHI_FN uint32_t nighi_packed_begin(const nigh_index *index, uint32_t group);
NIGHI_FN bool nighi_key_equal(const nigh_index *index, uint32_t slot, const nighi_key *key);
/* Chain words of plain images: first slot of a bucket, next slot after a slot. */
NIGHI_FN uint32_t *nighi_keymap_head(const nigh_index *index, uint32_t bucket);
NIGHI_FN uint32_t *nighi_keymap_next(const nigh_index *index, uint32_t slot);

#endif
