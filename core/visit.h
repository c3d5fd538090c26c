/* visit.h - which slots a search has seen: a byte a slot and an epoch, a bit a slot, or a hash set
 * layer L5; uses: base, state
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Bytes are cleared once in 255 searches, never per query. With NIGH_SESSION_SMALL they are bits,
 * or a hash set where that is smaller; those are cleared each time, and when the set is full every
 * further slot counts as seen. */
#ifndef NIGHI_VISIT_H
#define NIGHI_VISIT_H
#include "base.h"
#include "state.h"

/* Where the scan that makes up for a full hash set is left out, there are bits only. */
NIGHI_INLINE bool nighi_marks_bytes(const nigh_session *session) {
    return NIGHI_HAS_REMOVED != 0 && session->marks != NULL;
}
NIGHI_INLINE bool nighi_marks_bits(const nigh_session *session) {
    return NIGHI_HAS_REMOVED == 0 || session->hash_mask == 0;
}

NIGHI_INLINE void nighi_visit_begin(nigh_session *session) {
    if (nighi_marks_bits(session) && !nighi_marks_bytes(session)) {
        nighi_fill(session->hash, 0, ((uint64_t)session->mark_count + 31) / 32 * 4);
    } else if (!nighi_marks_bytes(session)) {
        nighi_fill(session->hash, 0xff, ((uint64_t)session->hash_mask + 1) * 4);
        session->hash_count = 0;
        session->hash_full = 0;
    } else if (++session->epoch > 255) {
        nighi_fill(session->marks, 0, session->mark_count);
        session->epoch = 1;
    }
}

NIGHI_INLINE bool nighi_visit_bit(uint32_t *words, uint32_t slot) {
    const uint32_t bit = 1u << slot % 32;
    const uint32_t word = words[slot / 32];
    words[slot / 32] = word | bit;
    return (word & bit) == 0;
}

static inline bool nighi_visit_hash(nigh_session *session, uint32_t slot) {
    if (nighi_marks_bits(session)) {
        return nighi_visit_bit(session->hash, slot);
    }
    uint32_t at = (slot * 2654435769u) & session->hash_mask;
    while (session->hash[at] != NIGHI_NONE) {
        if (session->hash[at] == slot) {
            return false;
        }
        at = (at + 1) & session->hash_mask;
    }
    if (session->hash_count >= session->hash_mask - session->hash_mask / 4) {
        session->stats.truncated = 1;
        session->hash_full = 1;
        return false;
    }
    session->hash[at] = slot;
    session->hash_count++;
    return true;
}

/* True the first time. */
NIGHI_INLINE bool nighi_visit(nigh_session *session, uint32_t slot) {
    if (!nighi_marks_bytes(session)) {
        return nighi_visit_hash(session, slot);
    }
    const bool first = session->marks[slot] != (uint8_t)session->epoch;
    session->marks[slot] = (uint8_t)session->epoch;
    return first;
}

#endif
