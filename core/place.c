/* place.c - what fills a slot: the vector as the source holds it, its code, its claim
 * layer L13; uses: place, blocks, code, racy, source
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "place.h"
#include "blocks.h"
#include "code.h"
#include "racy.h"
#include "source.h"

/* The vector of a slot that is not in the index yet, through the fetch callback. */
static nigh_status nighi_fetch_new(const nigh_index *index, nigh_session *session, uint32_t slot,
                                   const nighi_key *key, const void **vector) {
    const nighi_source *source = &index->source;
    const bool strings = nighi_keys_strings(&index->config);
    *vector = NULL;
    session->stats.fetches++;
    const nigh_status status = source->fetch(source->user, &slot, strings ? NULL : &key->value, 1,
                                             session->fetched, vector);
    if (status != NIGH_OK) {
        return status <= NIGH_E_USER ? status : NIGH_E_FETCH;
    }
    return *vector == NULL ? NIGH_E_FETCH : NIGH_OK;
}

/* plan->vector in the form in which the source holds vectors, checked. */
static nigh_status nighi_vector_take(const nigh_index *index, nigh_session *session, uint32_t slot,
                                     const nighi_key *key, const void *row) {
    nighi_plan *plan = &session->plan;
    const nighi_metric *metric = &index->metric;
    const uint32_t row_bytes = metric->row_bytes;
    nigh_status status = NIGH_OK;
    if (nighi_source_is(index, NIGHI_SOURCE_BORROWED)) {
        if (slot >= index->source.count) {
            return NIGH_E_MISMATCH;
        }
        plan->vector = nighi_vector_address(index, slot);
        nighi_row_from_stored(index, plan->vector, plan->record);
        return nighi_row_check(metric, plan->record);
    }
    if (row == NULL) {
        status = nighi_source_is(index, NIGHI_SOURCE_OWNED)
                     ? NIGH_E_INVALID
                     : nighi_fetch_new(index, session, slot, key, &row);
    }
    if (status == NIGH_OK) {
        status = nighi_row_check(metric, row);
    }
    if (status != NIGH_OK) {
        return status;
    }
    nighi_copy(plan->record, row, row_bytes);
    plan->vector = plan->record;
    if (nighi_source_is(index, NIGHI_SOURCE_OWNED)) {
        const uint32_t stride = index->regions[NIGHI_VECTOR].stride;
        nighi_fill(plan->record + row_bytes, 0, stride - row_bytes);
        if (nighi_trailer_bytes(metric->metric, metric->dtype) != 0) {
            nighi_trailer_make(metric, row, plan->record + metric->trailer_offset);
        }
    }
    return NIGH_OK;
}

/* plan->code, when there are codes; the row is in plan->record. */
static void nighi_code_take(const nigh_index *index, nigh_session *session) {
    nighi_plan *plan = &session->plan;
    const uint32_t dim = index->config.dim;
    plan->code_clamped = 0;
    if (!NIGHI_HAS_FLOATS) {
        return; /* such an index has no codes */
    }
    if (nighi_coded(index)) {
        const float *floats = nighi_code_floats(index, plan->record, session->query_scratch);
        plan->code_clamped = nighi_code_encode(&index->coding, dim, floats, plan->code);
    } else if (nighi_drafted(index)) {
        const float *floats = nighi_code_floats(index, plan->record, session->query_scratch);
        (void)nighi_code_encode(&index->draft->coding, dim, floats, plan->code);
    }
}

NIGHI_FN nigh_status nighi_place_prepare(const nigh_index *index, nigh_session *session,
                                         uint32_t slot, const nighi_key *key, const void *row) {
    if ((nighi_coded(index) && !nighi_code_room(index, session)) ||
        (nighi_drafted(index) && !nighi_draft_room(session, index->draft->coding.stride))) {
        return NIGH_E_SESSION; /* made before the index had such codes */
    }
    const nigh_status status = nighi_vector_take(index, session, slot, key, row);
    if (status == NIGH_OK) {
        nighi_code_take(index, session);
        nighi_query_from_stored(&index->metric, session->plan.vector, session->query_scratch,
                                &session->query);
    }
    return status;
}

NIGHI_FN void nighi_clamped_add(nigh_index *index, uint32_t clamped) {
    const uint32_t before = nighi_load(&index->coding.clamped);
    nighi_store(&index->coding.clamped,
                before > UINT32_MAX - clamped ? UINT32_MAX : before + clamped);
}

NIGHI_FN void nighi_place_store(nigh_index *index, const nighi_plan *plan) {
    if (nighi_coded(index)) {
        nighi_racy_store(nighi_record(&index->regions[NIGHI_CODE], plan->self), plan->code,
                         index->regions[NIGHI_CODE].stride);
    } else if (nighi_drafted(index)) {
        nighi_copy(nighi_record(&index->draft->region, plan->self), plan->code,
                   index->draft->region.stride);
    }
    if (nighi_source_is(index, NIGHI_SOURCE_OWNED)) {
        nighi_racy_store(nighi_record(&index->regions[NIGHI_VECTOR], plan->self), plan->record,
                         index->regions[NIGHI_VECTOR].stride);
    }
}

NIGHI_FN void nighi_place_claim(nigh_index *index, uint32_t slot, uint32_t level,
                                const nighi_key *key) {
    nighi_counts *counts = &index->counts;
    const uint32_t first = level == 0 ? NIGHI_UPPER_NONE : counts->upper_count;
    nighi_store_release(nighi_word(&index->regions[NIGHI_NODE], slot), first | NIGHI_NODE_PENDING);
    nighi_store_release(&counts->upper_count, counts->upper_count + level);
    nighi_map_change(index);
    nighi_keymap_split(index, slot);
    nighi_store_release(&counts->slot_count, slot + 1);
    nighi_keymap_enter(index, slot, key, slot + 1);
    nighi_map_change(index);
    nighi_store(&index->changed, 1u);
}
