/* walk.c - greedy descent and beam search over one layer
 * layer L8; uses: walk
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The order that pays (bench/results): take the best unexpanded nodes of one sorted list, gather
 * their unvisited neighbours, prefetch each vector whole, only then compute. An entry is one word,
 * so that a comparison is one instruction. */
#include "walk.h"

#define NIGHI_PREFETCH(address) __builtin_prefetch((address), 0, 2)

NIGHI_INLINE void nighi_prefetch_bytes(const uint8_t *address, uint32_t bytes) {
    for (uint32_t at = 0; at < bytes; at += NIGHI_CACHE_LINE) {
        NIGHI_PREFETCH(address + at);
#if defined(__GNUC__) && !defined(__clang__)
        __asm__ volatile(""); /* gcc 12 may fold such a loop into its first prefetch */
#endif
    }
}

/* Addresses of everything, hoisted: `flat` means that links and vectors each lie in a row. */
typedef struct nighi_flat {
    const uint8_t *links;
    size_t links_stride;
    const uint8_t *vectors;
    size_t vector_stride;
    uint32_t vector_bytes;
} nighi_flat;

static bool nighi_flat_get(const nigh_index *index, nighi_flat *flat) {
    const nighi_region *links = &index->regions[NIGHI_LINKS0];
    const nighi_region *vectors = &index->regions[NIGHI_VECTOR];
    flat->links = nighi_load_acquire(&links->base);
    flat->links_stride = links->stride;
    flat->vector_bytes = index->metric.row_bytes;
    if (index->source.kind == NIGHI_SOURCE_OWNED) {
        flat->vectors = nighi_load_acquire(&vectors->base);
        flat->vector_stride = vectors->stride;
        flat->vector_bytes = vectors->stride;
    } else {
        flat->vectors = index->source.base;
        flat->vector_stride = (size_t)index->source.stride;
    }
    return flat->links != NULL && flat->vectors != NULL && nighi_source_addressed(index);
}

/* Appends the links of a row that are seen for the first time to session->slots. */
NIGHI_INLINE uint32_t nighi_gather(const nighi_walk *walk, const uint32_t *row, uint32_t degree_max,
                                   uint32_t count) {
    nigh_session *session = walk->session;
    uint32_t *slots = session->slots;
    const uint32_t slot_count = walk->slot_count;
    for (uint32_t i = 0; i < degree_max; i++) {
        const uint32_t slot = nighi_link_slot(nighi_load_acquire(&row[i]));
        if (NIGHI_UNLIKELY(slot >= slot_count)) {
            if (slot == NIGHI_LINK_END) {
                break;
            }
            continue;
        }
        slots[count] = slot; /* branchless: kept only when it is new */
        count += nighi_visit(session, slot);
    }
    return count;
}

NIGHI_INLINE nigh_status nighi_score(const nighi_walk *walk, const nighi_flat *flat,
                                     const bool is_flat, uint32_t count) {
    nigh_session *session = walk->session;
    const nigh_index *index = walk->index;
    if (!is_flat) {
        nighi_vectors_prefetch(index, session, session->slots, count);
        return nighi_distances(index, session, walk->query, session->slots, count,
                               session->distances);
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *vector = flat->vectors + session->slots[i] * flat->vector_stride;
        session->vectors[i] = vector;
        nighi_prefetch_bytes(vector, flat->vector_bytes);
    }
    index->metric.batch(&index->metric, walk->query, session->vectors, count, session->distances);
    session->stats.distances += count;
    return NIGH_OK;
}

NIGHI_FN nigh_status nighi_expand(const nighi_walk *walk, uint32_t slot, uint32_t *count) {
    nighi_flat flat;
    const bool is_flat = nighi_flat_get(walk->index, &flat);
    walk->session->stats.expansions++;
    *count = nighi_gather(walk, nighi_row0(walk->index, slot), walk->index->config.m0, 0);
    return nighi_score(walk, &flat, is_flat, *count);
}

NIGHI_FN nigh_status nighi_descend(const nighi_walk *walk, uint32_t entry, uint32_t level,
                                   uint64_t *nearest) {
    const nigh_index *index = walk->index;
    nigh_session *session = walk->session;
    nighi_flat flat;
    const bool is_flat = nighi_flat_get(index, &flat);
    session->slots[0] = entry;
    nigh_status status = nighi_score(walk, &flat, is_flat, 1);
    if (status != NIGH_OK) {
        return status;
    }
    uint64_t best = nighi_entry(session->distances[0], entry);
    for (uint32_t layer = nighi_level(index, entry); layer > level; layer--) {
        for (bool moved = true; moved;) {
            moved = false;
            const uint32_t *row = nighi_row(index, nighi_entry_slot(best), layer);
            if (row == NULL) {
                break;
            }
            const uint32_t count =
                nighi_row_read(row, index->config.m, walk->slot_count, session->slots);
            status = nighi_score(walk, &flat, is_flat, count);
            if (status != NIGH_OK) {
                return status;
            }
            for (uint32_t i = 0; i < count; i++) {
                const uint64_t e = nighi_entry(session->distances[i], session->slots[i]);
                if (e < best && session->slots[i] != walk->skip) {
                    best = e;
                    moved = true;
                }
            }
        }
    }
    *nearest = best;
    return NIGH_OK;
}

/* Merges session->slots and distances into the sorted pool; the lowest index that changed. */
NIGHI_INLINE uint32_t nighi_pool_merge(const nighi_walk *walk, const nighi_flat *flat,
                                       const bool flat_links, uint32_t count, uint32_t next) {
    nigh_session *session = walk->session;
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t entry = nighi_entry(session->distances[i], session->slots[i]);
        const uint32_t at = nighi_list_insert(session->pool, &session->pool_count, walk->ef, entry);
        if (at < next) {
            next = at;
            if (flat_links) { /* likely the next to be expanded */
                nighi_prefetch_bytes(flat->links + session->slots[i] * flat->links_stride,
                                     (uint32_t)flat->links_stride);
            }
        }
    }
    return next;
}

NIGHI_INLINE nigh_status nighi_beam_run(const nighi_walk *walk, const nighi_flat *flat,
                                        const bool is_flat, uint32_t level) {
    nigh_session *session = walk->session;
    const bool flat_links = is_flat && level == 0;
    const uint32_t degree_max = nighi_degree_max(walk->index, level);
    uint64_t *pool = session->pool;
    uint32_t next = 0;
    while (next < session->pool_count) {
        uint32_t gathered = 0;
        uint32_t taken = 0;
        while (next < session->pool_count && taken < walk->expansions) {
            const uint64_t entry = pool[next];
            pool[next++] = entry | 1;
            if ((entry & 1) != 0) {
                continue;
            }
            taken++;
            const uint32_t *row =
                flat_links
                    ? (const uint32_t *)(const void *)(flat->links +
                                                       nighi_entry_slot(entry) * flat->links_stride)
                    : nighi_row(walk->index, nighi_entry_slot(entry), level);
            gathered = row == NULL ? gathered : nighi_gather(walk, row, degree_max, gathered);
        }
        session->stats.expansions += taken;
        const nigh_status status = nighi_score(walk, flat, is_flat, gathered);
        if (status != NIGH_OK) {
            return status;
        }
        next = nighi_pool_merge(walk, flat, flat_links, gathered, next);
        if (walk->expansions_max != 0 && session->stats.expansions >= walk->expansions_max) {
            break;
        }
    }
    return NIGH_OK;
}

static void nighi_visit_start(const nighi_walk *walk, uint64_t start) {
    nighi_visit_begin(walk->session);
    (void)nighi_visit(walk->session, nighi_entry_slot(start));
    if (walk->skip < walk->slot_count) {
        (void)nighi_visit(walk->session, walk->skip);
    }
}

NIGHI_FN nigh_status nighi_beam(const nighi_walk *walk, uint32_t level, uint64_t start) {
    nigh_session *session = walk->session;
    nighi_flat flat;
    nighi_visit_start(walk, start);
    session->pool[0] = start;
    session->pool_count = 1;
    if (!nighi_flat_get(walk->index, &flat)) {
        return nighi_beam_run(walk, &flat, false, level);
    }
    return level == 0 ? nighi_beam_run(walk, &flat, true, 0)
                      : nighi_beam_run(walk, &flat, true, level);
}

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
    nighi_flat flat;
    const bool is_flat = nighi_flat_get(walk->index, &flat);
    nighi_visit_start(walk, start);
    session->pool_count = 0;
    session->frontier_count = 0;
    nighi_consider(walk, start);
    for (bool more = true; more && session->frontier_count > 0;) {
        uint32_t gathered = 0;
        for (uint32_t taken = 0; taken < walk->expansions && session->frontier_count > 0;) {
            if (!nighi_worth(session, walk->ef, session->frontier[0])) {
                more = false;
                break;
            }
            const uint64_t entry = nighi_heap_pop(session->frontier, &session->frontier_count);
            const uint32_t *row = nighi_row0(walk->index, nighi_entry_slot(entry));
            gathered = nighi_gather(walk, row, walk->index->config.m0, gathered);
            session->stats.expansions++;
            taken++;
        }
        const nigh_status status = nighi_score(walk, &flat, is_flat, gathered);
        if (status != NIGH_OK) {
            return status;
        }
        for (uint32_t i = 0; i < gathered; i++) {
            nighi_consider(walk, nighi_entry(session->distances[i], session->slots[i]));
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
    const nigh_status status = nighi_distances(walk->index, session, walk->query, session->slots,
                                               count, session->distances);
    for (uint32_t i = 0; status == NIGH_OK && i < count; i++) {
        nighi_result_push(session, limit, nighi_entry(session->distances[i], session->slots[i]));
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
