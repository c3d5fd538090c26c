/* hits.c - handing out hits while vectors may change under the search
 * layer L11; uses: search, code, racy
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A traversal may read a torn vector: that only misorders candidates. What is reported must be
 * true: if any in-place update ran during the search, each hit is read again between two reads of
 * its slot's version, and dropped when it keeps changing. */
#include "code.h"
#include "racy.h"
#include "search.h"

#define NIGHI_COPY_TRIES 64u

NIGHI_FN bool nighi_version_holds(const nigh_index *index, uint32_t slot, uint32_t version) {
    return nighi_slot_held(nighi_writer_of(index), slot, version);
}

/* A consistent copy of a slot's record in a region; false: it kept changing, or is not live. */
static bool nighi_record_copy(const nigh_index *index, const nighi_region *region, uint32_t slot,
                              uint8_t *copy, uint32_t *version) {
    const nighi_writer *writer = nighi_writer_of(index);
    for (uint32_t tries = 0; tries < NIGHI_COPY_TRIES; tries++) {
        uint32_t before = 0;
        if (!nighi_slot_begin(writer, slot, &before)) {
            nighi_pause();
            continue;
        }
        nighi_racy_copy(copy, nighi_record(region, slot), region->stride);
        if (nighi_version_holds(index, slot, before)) {
            *version = before;
            return nighi_node_live(nighi_node_word(index, slot));
        }
    }
    return false;
}

NIGHI_FN bool nighi_vector_copy(const nigh_index *index, nigh_session *session, uint32_t slot,
                                uint32_t *version) {
    return nighi_record_copy(index, &index->regions[NIGHI_VECTOR], slot, session->row, version);
}

/* The vector of a slot that another key may have by now, from the caller's source. *status: what
 * that said. */
static bool nighi_vector_asked(const nigh_index *index, nigh_session *session, uint32_t slot,
                               uint32_t *version, const void **vector, nigh_status *status) {
    for (uint32_t tries = 0; tries < NIGHI_COPY_TRIES; tries++) {
        if (!nighi_slot_begin(nighi_writer_of(index), slot, version)) {
            nighi_pause();
            continue;
        }
        if (!nighi_node_live(nighi_node_word(index, slot))) {
            return false;
        }
        const nigh_status said = nighi_vectors(index, session, &slot, 1, vector);
        if (nighi_version_holds(index, slot, *version)) { /* else it was asked for what is gone */
            *status = said;
            return said == NIGH_OK;
        }
    }
    return false;
}

/* The entry of a slot as it is now; false: gone, never still, or *status. */
static bool nighi_entry_again(const nigh_index *index, nigh_session *session, uint32_t slot,
                              uint64_t *entry, uint32_t *version, nigh_status *status) {
    const void *vector = session->row;
    if (!nighi_source_is(index, NIGHI_SOURCE_OWNED)) {
        if (!nighi_vector_asked(index, session, slot, version, &vector, status)) {
            return false;
        }
    } else if (!nighi_vector_copy(index, session, slot, version)) {
        return false;
    }
    float distance = 0;
    index->metric.batch(&index->metric, &session->query, &vector, 1, &distance);
    session->stats.distances++;
    *entry = nighi_entry(nighi_order_f32(distance), slot);
    return true;
}

/* The same of a search by codes. */
static bool nighi_code_again(const nigh_index *index, nigh_session *session, uint32_t slot,
                             uint64_t *entry, uint32_t *version) {
    const nighi_coding *coding = &index->coding;
    const uint8_t *code = session->code_record;
    uint32_t order = 0;
    if (!nighi_record_copy(index, &index->regions[NIGHI_CODE], slot, session->code_record,
                           version)) {
        return false;
    }
    index->metric.kernels.codes[coding->op](session->code_query, session->code_bias, &code, 1,
                                            coding->stride, &order);
    session->stats.distances++;
    *entry = nighi_entry(order, slot);
    return true;
}

static bool nighi_hit_read(const nigh_index *index, nigh_session *session, const nighi_hits *hits,
                           uint32_t slot, uint64_t *entry, uint32_t *version,
                           nigh_status *status) {
    return NIGHI_HAS_CODES && hits->coded ? nighi_code_again(index, session, slot, entry, version)
                       : nighi_entry_again(index, session, slot, entry, version, status);
}

/* The distance that an entry is handed out with. */
static float nighi_hit_distance(const nigh_index *index, const nighi_hits *hits, uint64_t entry) {
    if (!NIGHI_HAS_CODES || !hits->coded) {
        return nighi_entry_distance(entry);
    }
    return nighi_f32_from_i64((int32_t)nighi_code_distance(index, nighi_entry_order(entry)));
}

NIGHI_FN bool nighi_hit_within(const nigh_index *index, const nighi_hits *hits, uint64_t entry,
                               const nigh_search_options *options) {
    return (options->flags & NIGH_SEARCH_RADIUS) == 0 ||
           nighi_f32_rank(nighi_hit_distance(index, hits, entry)) <=
               nighi_f32_rank(options->radius);
}

static void nighi_hit_put(const nigh_index *index, nighi_hits *hits, uint64_t entry) {
    const uint32_t slot = nighi_entry_slot(entry);
    const uint32_t at = hits->found++;
    nighi_key_put(index, slot, hits->keys, hits->key_lengths, at, &hits->key_offset);
    if (hits->distances != NULL) {
        hits->distances[at] = nighi_hit_distance(index, hits, entry);
    }
    if (hits->slots != NULL) {
        hits->slots[at] = slot;
    }
}

NIGHI_FN bool nighi_key_put_live(const nigh_index *index, uint32_t slot, void *keys,
                                 uint32_t *lengths, uint32_t at, uint64_t *offset) {
    const nighi_writer *writer = nighi_writer_of(index);
    const uint64_t begin = *offset;
    for (uint32_t tries = 0; tries < NIGHI_COPY_TRIES; tries++) {
        uint32_t version = 0;
        if (writer != NULL && !nighi_slot_begin(writer, slot, &version)) {
            nighi_pause();
            continue;
        }
        const bool live = nighi_node_live(nighi_node_word(index, slot));
        if (live) {
            nighi_key_put(index, slot, keys, lengths, at, offset);
        }
        if (writer == NULL || nighi_slot_held(writer, slot, version)) {
            return live;
        }
        *offset = begin;
    }
    return false; /* it is being exchanged: neither the old key nor the new one yet */
}

NIGHI_FN nigh_status nighi_hit_again(const nigh_index *index, nigh_session *session,
                                     nighi_hits *hits, uint64_t entry) {
    nigh_status status = NIGH_OK;
    const uint64_t offset = hits->key_offset;
    uint64_t now = 0;
    uint32_t version = 0;
    for (uint32_t tries = 0; tries < NIGHI_COPY_TRIES; tries++) {
        if (!nighi_hit_read(index, session, hits, nighi_entry_slot(entry), &now, &version,
                            &status) ||
            now != (entry & ~(uint64_t)1) ||
            !nighi_accepts(index, session, nighi_entry_slot(entry))) { /* its key may be another */
            return status;
        }
        nighi_hit_put(index, hits, now);
        if (nighi_version_holds(index, nighi_entry_slot(entry), version)) {
            return NIGH_OK;
        }
        hits->found--;
        hits->key_offset = offset;
    }
    return NIGH_OK;
}

NIGHI_FN void nighi_hit_plain(const nigh_index *index, nighi_hits *hits, uint64_t entry) {
    if (nighi_node_live(nighi_node_word(index, nighi_entry_slot(entry)))) {
        nighi_hit_put(index, hits, entry);
    }
}

NIGHI_FN uint32_t nighi_updates(const nigh_index *index) {
    if (nighi_writer_of(index) == NULL) {
        return 0;
    }
    return nighi_load_acquire(&nighi_writer_of(index)->updates);
}

NIGHI_FN bool nighi_updates_none(const nigh_index *index, uint32_t before) {
    if (nighi_writer_of(index) == NULL) {
        return true;
    }
    return (before & 0xff) == 0 && nighi_version_again(&nighi_writer_of(index)->updates) == before;
}

/* Reads every result again and sorts anew. */
static nigh_status nighi_pool_again(const nigh_index *index, nigh_session *session,
                                    const nighi_hits *hits) {
    nigh_status status = NIGH_OK;
    const uint32_t count = session->pool_count;
    uint32_t kept = 0;
    uint32_t version = 0;
    for (uint32_t i = 0; i < count && status == NIGH_OK; i++) {
        uint64_t entry = 0;
        const uint32_t slot = nighi_entry_slot(session->pool[i]);
        if (nighi_hit_read(index, session, hits, slot, &entry, &version, &status)) {
            (void)nighi_list_insert(session->pool, &kept, count, entry);
        }
    }
    session->pool_count = kept;
    return status;
}

NIGHI_FN nigh_status nighi_hits_take(const nigh_index *index, nigh_session *session,
                                     nighi_hits *hits, const nigh_search_options *options,
                                     uint32_t updates) {
    nigh_status status = NIGH_OK;
    for (uint32_t pass = 0; pass < 2 && status == NIGH_OK; pass++) {
        hits->found = 0;
        hits->key_offset = 0;
        for (uint32_t i = 0;
             status == NIGH_OK && i < session->pool_count && hits->found < hits->limit; i++) {
            const uint64_t entry = session->pool[i];
            if (!nighi_hit_within(index, hits, entry, options)) {
                break;
            }
            if (pass == 0) {
                nighi_hit_plain(index, hits, entry);
            } else {
                status = nighi_hit_again(index, session, hits, entry);
            }
        }
        if (NIGHI_IS_SINGLE || pass == 1 || nighi_updates_none(index, updates)) {
            break;
        }
        status = nighi_pool_again(index, session, hits);
    }
    hits->found = status == NIGH_OK ? hits->found : 0;
    return status;
}
