/* visit.h - which slots a search has seen: a byte a slot and an epoch, or a small hash set
 * layer L5; uses: base, state
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Bytes are cleared once in 255 searches, never per query. The hash set (NIGH_SESSION_SMALL) is
 * cleared each time, and when it is full every further slot counts as seen. */
#ifndef NIGHI_VISIT_H
#define NIGHI_VISIT_H
#include "base.h"
#include "state.h"

NIGHI_INLINE void nighi_visit_begin(nigh_session *session) {
    if (session->marks == NULL) {
        nighi_fill(session->hash, 0xff, ((uint64_t)session->hash_mask + 1) * 4);
        session->hash_count = 0;
        session->hash_full = 0;
        return;
    }
    if (++session->epoch > 255) {
        nighi_fill(session->marks, 0, session->mark_count);
        session->epoch = 1;
    }
}

static inline bool nighi_visit_hash(nigh_session *session, uint32_t slot) {
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
    if (session->marks == NULL) {
        return nighi_visit_hash(session, slot);
    }
    const bool first = session->marks[slot] != (uint8_t)session->epoch;
    session->marks[slot] = (uint8_t)session->epoch;
    return first;
}

#endif
