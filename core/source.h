/* source.h - where vectors are: owned, borrowed (base + stride), or fetched by callback
 * layer L7; uses: base, state, blocks, keymap
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGHI_SOURCE_H
#define NIGHI_SOURCE_H
#include "base.h"
#include "blocks.h"
#include "keymap.h"
#include "state.h"

/* Every vector has an address that stays: no call per distance. */
NIGHI_INLINE bool nighi_source_addressed(const nigh_index *index) {
    return !nighi_source_is(index, NIGHI_SOURCE_FETCHED);
}

NIGHI_INLINE const uint8_t *nighi_vector_address(const nigh_index *index, uint32_t slot) {
    if (nighi_source_is(index, NIGHI_SOURCE_OWNED)) {
        return nighi_record(&index->regions[NIGHI_VECTOR], slot);
    }
    return index->source.base + (size_t)slot * (size_t)index->source.stride;
}

/* NIGH_OK when vectors of slots below slot_count can be had. */
NIGHI_FN nigh_status nighi_source_ready(const nigh_index *index, uint32_t slot_count);
/* Addresses of `count` vectors, at most session->fetch_max of them when fetched; valid until the
 * next call with this session. */
NIGHI_FN nigh_status nighi_vectors(const nigh_index *index, nigh_session *session,
                                   const uint32_t *slots, uint32_t count, const void **vectors);
/* A vector as the source holds it, as a row: I8 with its scale and zero point. */
NIGHI_FN void nighi_row_from_stored(const nigh_index *index, const void *vector, void *row);
/* The hint that these vectors are wanted soon. */
NIGHI_FN void nighi_vectors_prefetch(const nigh_index *index, nigh_session *session,
                                     const uint32_t *slots, uint32_t count);
/* distances[i] from `query` to the vector of slots[i], for any count. */
NIGHI_FN nigh_status nighi_distances(const nigh_index *index, nigh_session *session,
                                     const nighi_query *query, const uint32_t *slots,
                                     uint32_t count, float *distances);

#endif
