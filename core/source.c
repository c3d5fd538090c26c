/* source.c - reading vectors through the one of three sources that the handle has
 * layer L7; uses: source
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "source.h"

NIGHI_FN nigh_status nighi_source_ready(const nigh_index *index, uint32_t slot_count) {
    if (nighi_source_is(index, NIGHI_SOURCE_NONE)) {
        return NIGH_E_NO_VECTORS;
    }
    if (nighi_source_is(index, NIGHI_SOURCE_BORROWED) && index->source.count < slot_count) {
        return NIGH_E_MISMATCH;
    }
    if (index->config.metric == NIGH_METRIC_CUSTOM && index->metric.custom == NULL) {
        return NIGH_E_UNSUPPORTED;
    }
    return NIGH_OK;
}

/* Keys for a callback, NULL where they are byte strings. */
static const uint64_t *nighi_callback_keys(const nigh_index *index, nigh_session *session,
                                           const uint32_t *slots, uint32_t count) {
    if (nighi_keys_strings(&index->config)) {
        return NULL;
    }
    for (uint32_t i = 0; i < count; i++) {
        session->keys[i] = nighi_key_value(index, slots[i]);
    }
    return session->keys;
}

NIGHI_FN nigh_status nighi_vectors(const nigh_index *index, nigh_session *session,
                                   const uint32_t *slots, uint32_t count, const void **vectors) {
    const nighi_source *source = &index->source;
    if (!nighi_source_is(index, NIGHI_SOURCE_FETCHED)) {
        for (uint32_t i = 0; i < count; i++) {
            vectors[i] = nighi_vector_address(index, slots[i]);
        }
        return NIGH_OK;
    }
    NIGHI_ASSERT(count <= session->fetch_max);
    for (uint32_t i = 0; i < count; i++) {
        vectors[i] = NULL;
    }
    const uint64_t *keys = nighi_callback_keys(index, session, slots, count);
    session->stats.fetches++;
    const nigh_status status =
        source->fetch(source->user, slots, keys, count, session->fetched, vectors);
    if (status != NIGH_OK) {
        return status <= NIGH_E_USER ? status : NIGH_E_FETCH;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (vectors[i] == NULL) {
            return NIGH_E_FETCH;
        }
    }
    return NIGH_OK;
}

NIGHI_FN void nighi_row_from_stored(const nigh_index *index, const void *vector, void *row) {
    const nighi_metric *metric = &index->metric;
    if (!NIGHI_HAS_BYTES || metric->dtype != NIGH_DTYPE_I8) {
        nighi_copy(row, vector, metric->row_bytes);
        return;
    }
    uint8_t *out = row;
    const float one = 1.0f;
    const uint32_t padded = metric->row_bytes - 8;
    nighi_copy(out, vector, metric->dim);
    nighi_fill(out + metric->dim, 0, padded - metric->dim);
    if (metric->trailer_offset != 0) {
        nighi_copy(out + padded, (const uint8_t *)vector + metric->trailer_offset, 8);
    } else {
        nighi_copy(out + padded, &one, 4);
        nighi_fill(out + padded + 4, 0, 4);
    }
}

NIGHI_FN void nighi_vectors_prefetch(const nigh_index *index, nigh_session *session,
                                     const uint32_t *slots, uint32_t count) {
    const nighi_source *source = &index->source;
    if (nighi_source_is(index, NIGHI_SOURCE_FETCHED) && source->prefetch != NULL && count > 0) {
        source->prefetch(source->user, slots, nighi_callback_keys(index, session, slots, count),
                         count);
    }
}

NIGHI_FN nigh_status nighi_distances(const nigh_index *index, nigh_session *session,
                                     const nighi_query *query, const uint32_t *slots,
                                     uint32_t count, float *distances) {
    const nighi_metric *metric = &index->metric;
    const uint32_t step = nighi_source_addressed(index) ? session->batch_max : session->fetch_max;
    for (uint32_t at = 0; at < count;) {
        const uint32_t part = nighi_min_u32(count - at, step);
        const nigh_status status =
            nighi_vectors(index, session, slots + at, part, session->vectors);
        if (status != NIGH_OK) {
            return status;
        }
        metric->batch(metric, query, session->vectors, part, distances + at);
        at += part;
    }
    session->stats.distances += count;
    return NIGH_OK;
}
