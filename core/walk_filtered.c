/* walk_filtered.c - beam search that keeps frontier and results apart, and the exact scan
 * layer L10; uses: walk
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "walk.h"

NIGHI_FN bool nighi_accepts(const nigh_index *index, nigh_session *session, uint32_t slot) {
    const nighi_filter *filter = &session->filter;
    if (!nighi_node_live(nighi_node_word(index, slot))) {
        return false;
    }
    if (filter->bits != NULL) {
        return slot < filter->bit_count && (filter->bits[slot / 32] >> (slot % 32) & 1) != 0;
    }
    if (filter->fn != NULL) {
        uint64_t key = 0;
        if (index->config.keys == NIGH_KEYS_BYTES) {
            return filter->fn(filter->user, slot, NULL) != 0;
        }
        key = nighi_key_value(index, slot);
        return filter->fn(filter->user, slot, &key) != 0;
    }
    return true;
}

NIGHI_FN void nighi_frontier_push(nigh_session *session, uint64_t entry) {
    uint64_t *heap = session->frontier;
    if (session->frontier_count >= session->frontier_limit) {
        const uint32_t count = session->frontier_count;
        nighi_heap_sort_descending(heap, count);
        for (uint32_t i = 0; i < count / 2; i++) { /* ascending is a heap too */
            const uint64_t swap = heap[i];
            heap[i] = heap[count - 1 - i];
            heap[count - 1 - i] = swap;
        }
        session->frontier_count = count / 2;
        session->stats.truncated = 1;
    }
    nighi_heap_push(heap, &session->frontier_count, entry);
}

/* session->pool as a max-heap of results: entries are stored inverted. */
static void nighi_result_push(nigh_session *session, uint32_t limit, uint64_t entry) {
    if (session->pool_count < limit) {
        nighi_heap_push(session->pool, &session->pool_count, ~entry);
    } else if (entry < ~session->pool[0]) {
        session->pool[0] = ~entry;
        nighi_heap_down(session->pool, session->pool_count, 0);
    }
}

static void nighi_results_sort(nigh_session *session) {
    nighi_heap_sort_descending(session->pool, session->pool_count);
    for (uint32_t i = 0; i < session->pool_count; i++) {
        session->pool[i] = ~session->pool[i];
    }
}

/* A candidate is worth keeping while results are few or it is nearer than the farthest. */
NIGHI_INLINE bool nighi_worth(const nigh_session *session, uint32_t limit, uint64_t entry) {
    return session->pool_count < limit || entry < ~session->pool[0];
}

static void nighi_consider(const nighi_walk *walk, uint64_t entry) {
    nigh_session *session = walk->session;
    if (nighi_worth(session, walk->ef, entry)) {
        nighi_frontier_push(session, entry);
        const uint32_t slot = nighi_entry_slot(entry);
        if (walk->unfiltered ? nighi_node_live(nighi_node_word(walk->index, slot))
                             : nighi_accepts(walk->index, session, slot)) {
            nighi_result_push(session, walk->ef, entry);
        }
    }
}

NIGHI_FN nigh_status nighi_beam_filtered(const nighi_walk *walk, uint64_t start) {
    nigh_session *session = walk->session;
    nighi_space space;
    const uint32_t limit = nighi_max_u32(walk->expansions / 2, 1);
    nighi_space_get(walk->index, walk->coded, &space);
    nighi_visit_start(walk, start);
    session->pool_count = 0;
    session->frontier_count = 0;
    nighi_consider(walk, start);
    for (bool more = true; more && session->frontier_count > 0;) {
        uint32_t gathered = 0;
        for (uint32_t taken = 0; taken < limit && session->frontier_count > 0;) {
            if (!nighi_worth(session, walk->ef, session->frontier[0])) {
                more = false;
                break;
            }
            const uint64_t entry = nighi_heap_pop(session->frontier, &session->frontier_count);
            const uint32_t *row = nighi_row0(walk->index, nighi_entry_slot(entry));
            gathered = nighi_gather(walk, row, walk->index->config.m0, session->slots, gathered);
            session->stats.expansions++;
            taken++;
        }
        nighi_space_take(&space, session, session->slots, session->vectors, gathered);
        const nigh_status status = nighi_space_score(&space, session, &walk->probe, session->slots,
                                                     session->vectors, gathered);
        if (status != NIGH_OK) {
            return status;
        }
        for (uint32_t i = 0; i < gathered; i++) {
            nighi_consider(walk, nighi_entry(session->orders[i], session->slots[i]));
        }
        if (walk->expansions_max != 0 && session->stats.expansions >= walk->expansions_max) {
            more = false;
        }
    }
    nighi_results_sort(session);
    return NIGH_OK;
}

static nigh_status nighi_scan_batch(const nighi_walk *walk, uint32_t limit, uint32_t count) {
    nigh_session *session = walk->session;
    const nigh_status status = nighi_score_true(walk, count);
    for (uint32_t i = 0; status == NIGH_OK && i < count; i++) {
        nighi_result_push(session, limit, nighi_entry(session->orders[i], session->slots[i]));
    }
    return status;
}

NIGHI_FN nigh_status nighi_scan(const nighi_walk *walk, uint32_t limit) {
    nigh_session *session = walk->session;
    const nighi_filter *filter = &session->filter;
    const uint32_t end = filter->bits != NULL ? nighi_min_u32(walk->slot_count, filter->bit_count)
                                              : walk->slot_count;
    nigh_status status = NIGH_OK;
    uint32_t count = 0;
    session->pool_count = 0;
    session->stats.scanned = 1;
    for (uint32_t slot = 0; slot < end && status == NIGH_OK; slot++) {
        if (filter->bits != NULL && filter->bits[slot / 32] == 0) {
            slot |= 31; /* 32 refused at once */
            continue;
        }
        if (nighi_accepts(walk->index, session, slot)) {
            session->slots[count++] = slot;
        }
        if (count == session->batch_max) {
            status = nighi_scan_batch(walk, limit, count);
            count = 0;
        }
    }
    if (status == NIGH_OK) {
        status = nighi_scan_batch(walk, limit, count);
    }
    nighi_results_sort(session);
    return status;
}
