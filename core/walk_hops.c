/* walk_hops.c - beam search among allowed nodes only, through refused ones to their neighbours
 * layer L10; uses: walk
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * ACORN-1 (Patel et al., "ACORN: performant and predicate-agnostic search", 2024): an expanded
 * node's neighbours are its allowed neighbours, and those of the refused ones, up to a row's worth.
 * A refused node costs the reading of its links, never a distance, so all candidates are matches
 * and one sorted list holds them. A refused node is passed through once a search. Not for
 * callbacks: ten times as many calls as a sweep (docs/decisions/005-filters.md). */
#include "walk.h"

#define NIGHI_HOP_SEEDS 16u   /* matches to start from where the walk has run dry, */
#define NIGHI_HOP_PROBES 256u /* out of so many slots */

typedef struct nighi_hops {
    const nighi_walk *walk;
    nighi_space space;
    nighi_round rounds[2];
    uint32_t now;
    uint32_t next; /* no entry below it is waiting to be expanded */
    uint32_t end;  /* of the bitmap */
    bool live;     /* nothing is removed */
} nighi_hops;

static void nighi_hops_init(nighi_hops *hops, const nighi_walk *walk, uint64_t start) {
    nigh_session *session = walk->session;
    const nigh_index *index = walk->index;
    *hops = (nighi_hops){.walk = walk,
                         .rounds = {{session->slots, session->vectors, 0, 0},
                                    {session->slots + session->batch_max,
                                     session->vectors + session->batch_max, 0, 0}},
                         .end = nighi_min_u32(walk->slot_count, session->filter.bit_count),
                         .live = nighi_load(&index->counts.deleted_count) == 0};
    nighi_space_get(index, walk->coded, &hops->space);
    nighi_visit_start(walk, start);
    session->pool_count = 0;
}

/* Gathers the unseen allowed slots of a row, at most until there are `most`; the others into
 * refused[*refused_count], unless that is NULL. */
NIGHI_INLINE uint32_t nighi_hops_row(const nighi_hops *hops, const bool bitmap, const uint32_t *row,
                                     uint32_t *slots, uint32_t count, uint32_t most,
                                     uint32_t *refused, uint32_t *refused_count) {
    nigh_session *session = hops->walk->session;
    const nigh_index *index = hops->walk->index;
    const uint32_t m0 = index->config.m0;
    const nighi_region *links = &index->regions[NIGHI_LINKS0];
    const uint32_t slot_count = hops->walk->slot_count;
    /* locals: stores of bytes may alias anything */
    const uint32_t *bits = nighi_filter_bits(&session->filter);
    const uint32_t end = hops->end;
    const bool live = hops->live;
    uint32_t refusals = 0;
    for (uint32_t i = 0; i < m0 && count < most; i++) {
        const uint32_t slot = nighi_link_slot(nighi_load_acquire(&row[i]));
        if (NIGHI_UNLIKELY(slot >= slot_count)) {
            if (slot == NIGHI_LINK_END) {
                break;
            }
            continue;
        }
        const bool allowed =
            (!bitmap || (slot < end && (bits[slot / 32] >> (slot % 32) & 1) != 0)) &&
            (live || nighi_node_live(nighi_node_word(index, slot)));
        if (allowed) {
            slots[count] = slot;
            count += nighi_visit(session, slot);
        } else if (refused != NULL) {
            refused[refusals++] = slot;
            nighi_prefetch(index, nighi_record(links, slot), links->stride);
        }
    }
    if (refused != NULL) {
        *refused_count = refusals;
    }
    return count;
}

NIGHI_INLINE uint32_t nighi_hops_two(const nighi_hops *hops, const bool bitmap, uint32_t node,
                                     uint32_t *slots, uint32_t count) {
    const nigh_index *index = hops->walk->index;
    nigh_session *session = hops->walk->session;
    const uint32_t most = count + index->config.m0; /* what a round has room for */
    uint32_t *refused = session->orders;            /* free until the round is scored */
    uint32_t refused_count = 0;
    count = nighi_hops_row(hops, bitmap, nighi_links(index, node, 0, session->unpacked), slots,
                           count, UINT32_MAX, refused, &refused_count);
    for (uint32_t i = 0; i < refused_count && count < most; i++) {
        if (nighi_visit(session, refused[i])) { /* not passed through before */
            const uint32_t *row = nighi_links(index, refused[i], 0, session->unpacked);
            count = nighi_hops_row(hops, bitmap, row, slots, count, most, NULL, NULL);
        }
    }
    return count;
}

/* Gathers what an expanded node leads to; the new number of slots. */
static uint32_t nighi_hops_gather(const nighi_hops *hops, uint32_t node, uint32_t *slots,
                                  uint32_t count) {
    return nighi_filter_bits(&hops->walk->session->filter) != NULL
               ? nighi_hops_two(hops, true, node, slots, count)
               : nighi_hops_two(hops, false, node, slots, count);
}

/* Takes the nearest waiting nodes and asks for what they lead to. */
static void nighi_hops_take(nighi_hops *hops, uint32_t limit, nighi_round *round) {
    const nighi_walk *walk = hops->walk;
    nigh_session *session = walk->session;
    uint64_t *pool = session->pool;
    round->count = 0;
    round->taken = 0;
    for (; hops->next < session->pool_count && round->taken < limit; hops->next++) {
        const uint64_t entry = pool[hops->next];
        if ((entry & 1) == 0) {
            pool[hops->next] = entry | 1;
            round->taken++;
            round->count =
                nighi_hops_gather(hops, nighi_entry_slot(entry), round->slots, round->count);
        }
    }
    session->stats.expansions += round->taken;
    nighi_space_take(&hops->space, session, round->slots, round->rows, round->count);
}

static nigh_status nighi_hops_merge(nighi_hops *hops, const nighi_round *round) {
    const nighi_walk *walk = hops->walk;
    nigh_session *session = walk->session;
    const nigh_status status = nighi_space_score(&hops->space, session, &walk->probe, round->slots,
                                                 round->rows, round->count);
    for (uint32_t i = 0; status == NIGH_OK && i < round->count; i++) {
        const uint64_t entry = nighi_entry(session->orders[i], round->slots[i]);
        const uint32_t at = nighi_list_insert(session->pool, &session->pool_count, walk->ef, entry);
        hops->next = nighi_min_u32(hops->next, at);
    }
    return status;
}

static bool nighi_hops_spent(const nighi_walk *walk) {
    return walk->expansions_max != 0 && walk->session->stats.expansions >= walk->expansions_max;
}

/* Expands until no entry waits. One round is on its way while another is scored. */
static nigh_status nighi_hops_run(nighi_hops *hops) {
    const nighi_walk *walk = hops->walk;
    const uint32_t limit = nighi_max_u32(walk->expansions / 2, 1);
    nigh_status status = NIGH_OK;
    nighi_hops_take(hops, limit, &hops->rounds[hops->now]);
    while (hops->rounds[hops->now].taken > 0 && status == NIGH_OK) {
        nighi_round *after = &hops->rounds[hops->now ^ 1];
        after->taken = 0;
        after->count = 0;
        if (walk->expansions > 1 && !nighi_hops_spent(walk)) {
            nighi_hops_take(hops, limit, after);
        }
        status = nighi_hops_merge(hops, &hops->rounds[hops->now]);
        if (after->taken == 0 && !nighi_hops_spent(walk)) {
            nighi_hops_take(hops, limit, after);
        }
        hops->now ^= 1;
    }
    return status;
}

/* Matches from all over: the walk may have begun among refused nodes only, or on an island. */
static nigh_status nighi_hops_seed(nighi_hops *hops) {
    const nighi_walk *walk = hops->walk;
    nigh_session *session = walk->session;
    nighi_round *round = &hops->rounds[0]; /* none is under way; it has room for 2 m0 */
    const uint32_t most = nighi_min_u32(NIGHI_HOP_SEEDS, 2 * walk->index->config.m0);
    round->count = 0;
    for (uint32_t i = 0; i < NIGHI_HOP_PROBES && round->count < most; i++) {
        const uint32_t slot = nighi_spread(i, walk->slot_count);
        if (nighi_accepts(walk->index, session, slot)) {
            round->slots[round->count] = slot;
            round->count += nighi_visit(session, slot);
        }
    }
    nighi_space_take(&hops->space, session, round->slots, round->rows, round->count);
    return nighi_hops_merge(hops, round);
}

NIGHI_FN nigh_status nighi_beam_hops(const nighi_walk *walk, uint64_t start) {
    nigh_session *session = walk->session;
    nighi_hops hops;
    nigh_status status = NIGH_OK;
    nighi_hops_init(&hops, walk, start);
    if (nighi_accepts(walk->index, session, nighi_entry_slot(start))) {
        session->pool[session->pool_count++] = start;
    } else {
        nighi_round *round = &hops.rounds[0];
        round->count = nighi_hops_gather(&hops, nighi_entry_slot(start), round->slots, 0);
        session->stats.expansions++;
        nighi_space_take(&hops.space, session, round->slots, round->rows, round->count);
        status = nighi_hops_merge(&hops, round);
        status = status == NIGH_OK ? nighi_hops_seed(&hops) : status;
    }
    if (status == NIGH_OK) {
        status = nighi_hops_run(&hops);
    }
    if (status == NIGH_OK && session->pool_count < walk->ef && !nighi_hops_spent(walk)) {
        status = nighi_hops_seed(&hops);
        if (status == NIGH_OK) {
            status = nighi_hops_run(&hops);
        }
    }
    return status;
}
