/* walk_filtered.c - beam search that keeps frontier and results apart, and the exact scan
 * layer L10; uses: walk
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "walk.h"

NIGHI_FN bool nighi_accepts(const nigh_index *index, nigh_session *session, uint32_t slot) {
    const nighi_filter *filter = &session->filter;
    if (!nighi_node_live(nighi_node_word(index, slot))) {
        return false;
    }
    if (nighi_filter_bits(filter) != NULL) {
        return slot < filter->bit_count && (filter->bits[slot / 32] >> (slot % 32) & 1) != 0;
    }
    if (nighi_filter_fn(filter) != NULL) {
        const bool bytes = nighi_keys_strings(&index->config);
        const uint64_t key = bytes ? 0 : nighi_key_value(index, slot);
        const bool passed = filter->fn(filter->user, slot, bytes ? NULL : &key) != 0;
        session->asked++;
        session->passed += passed;
        return passed;
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
    /* hnswlib expands the farthest result too. Elsewhere it would change bytes of indexes. */
    const bool whole = walk->expansions == 1 && nighi_unrooted(walk->index);
    nighi_space_get(walk->index, walk->coded, &space);
    nighi_visit_start(walk, start);
    session->pool_count = 0;
    session->frontier_count = 0;
    nighi_consider(walk, start);
    for (bool more = true; more && session->frontier_count > 0;) {
        uint32_t gathered = 0;
        for (uint32_t taken = 0; taken < limit && session->frontier_count > 0;) {
            if (!nighi_worth(session, walk->ef, session->frontier[0]) &&
                !(whole && session->frontier[0] == ~session->pool[0])) {
                more = false;
                break;
            }
            const uint64_t entry = nighi_heap_pop(session->frontier, &session->frontier_count);
            const uint32_t *row =
                nighi_links(walk->index, nighi_entry_slot(entry), 0, session->unpacked);
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

NIGHI_INLINE uint32_t nighi_lowest_bit(uint32_t word) {
#if defined(__x86_64__) || defined(__aarch64__) || defined(__wasm__)
    return (uint32_t)__builtin_ctz(word);
#else
    return nighi_popcount((word & (0u - word)) - 1); /* __builtin_ctz may be a library's */
#endif
}

/* The next slot from `slot` on whose bit is set, or `end` or beyond. */
NIGHI_INLINE uint32_t nighi_next_bit(const uint32_t *bits, uint32_t slot, uint32_t end) {
    while (slot < end) {
        const uint32_t word = bits[slot / 32] >> slot % 32;
        if (word != 0) {
            return slot + nighi_lowest_bit(word);
        }
        slot = (slot | 31) + 1;
    }
    return slot;
}

/* Gathers the next slots to be scanned, and asks for them. */
static void nighi_scan_take(const nighi_walk *walk, const nighi_space *space, uint32_t *from,
                            nighi_round *round) {
    nigh_session *session = walk->session;
    const nighi_filter *filter = &session->filter;
    const uint32_t *bits = nighi_filter_bits(filter);
    const uint32_t end =
        bits != NULL ? nighi_min_u32(walk->slot_count, filter->bit_count) : walk->slot_count;
    uint32_t count = 0;
    uint32_t slot = *from;
    while (count < session->group_max) {
        slot = bits != NULL ? nighi_next_bit(bits, slot, end) : slot;
        if (slot >= end) {
            break;
        }
        if (nighi_accepts(walk->index, session, slot)) {
            round->slots[count++] = slot;
        }
        slot++;
    }
    *from = slot;
    round->count = count;
    nighi_space_take(space, session, round->slots, round->rows, count);
}

NIGHI_FN nigh_status nighi_scan(const nighi_walk *walk, uint32_t limit) {
    nigh_session *session = walk->session;
    nighi_round rounds[2] = {
        {session->slots, session->vectors, 0, 0},
        {session->slots + session->batch_max, session->vectors + session->batch_max, 0, 0}};
    nigh_status status = NIGH_OK;
    nighi_space space;
    uint32_t now = 0;
    uint32_t from = 0;
    nighi_space_get(walk->index, walk->coded, &space);
    session->pool_count = 0;
    session->stats.scanned = 1;
    nighi_scan_take(walk, &space, &from, &rounds[0]);
    while (status == NIGH_OK && rounds[now].count > 0) {
        const nighi_round *round = &rounds[now];
        now ^= 1;
        nighi_scan_take(walk, &space, &from, &rounds[now]); /* on its way while this is scored */
        status = nighi_space_score(&space, session, &walk->probe, round->slots, round->rows,
                                   round->count);
        for (uint32_t i = 0; status == NIGH_OK && i < round->count; i++) {
            nighi_result_push(session, limit, nighi_entry(session->orders[i], round->slots[i]));
        }
    }
    nighi_results_sort(session);
    return status;
}
