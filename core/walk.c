/* walk.c - greedy descent and beam search over one layer
 * layer L9; uses: walk
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The order that pays (bench/results): while one round of neighbours is scored, the next round is
 * on its way. A round is popped, gathered and asked for before the round before it is scored, so
 * that memory is never waited for with nothing to do. An entry is one word, so that a comparison is
 * one instruction. */
#include "walk.h"

#define NIGHI_LINKS_AHEAD 2u /* nodes whose links are asked for before their turn */

static void nighi_rounds_init(nigh_session *session, nighi_round *rounds) {
    rounds[0] = (nighi_round){session->slots, session->vectors, 0, 0};
    rounds[1] = (nighi_round){session->slots + session->batch_max,
                              session->vectors + session->batch_max, 0, 0};
}

NIGHI_FN void nighi_visit_start(const nighi_walk *walk, uint64_t start) {
    nighi_visit_begin(walk->session);
    (void)nighi_visit(walk->session, nighi_entry_slot(start));
    if (walk->skip < walk->slot_count) {
        (void)nighi_visit(walk->session, walk->skip);
    }
}

NIGHI_FN nigh_status nighi_expand(const nighi_walk *walk, uint32_t slot, uint32_t *count) {
    nigh_session *session = walk->session;
    nighi_space space;
    nighi_space_get(walk->index, walk->coded, &space);
    session->stats.expansions++;
    *count = nighi_gather(walk, nighi_links(walk->index, slot, 0, session->unpacked),
                          walk->index->config.m0, session->slots, 0);
    nighi_space_take(&space, session, session->slots, session->vectors, *count);
    return nighi_space_score(&space, session, &walk->probe, session->slots, session->vectors,
                             *count);
}

NIGHI_FN nigh_status nighi_score_true(const nighi_walk *walk, uint32_t count) {
    nigh_session *session = walk->session;
    nighi_space space;
    nighi_space_get(walk->index, false, &space);
    nighi_space_rows_of(&space, session, session->slots, session->vectors, count);
    return nighi_space_score(&space, session, &walk->probe, session->slots, session->vectors,
                             count);
}

NIGHI_FN nigh_status nighi_descend(const nighi_walk *walk, uint32_t entry, uint32_t level,
                                   uint64_t *nearest) {
    const nigh_index *index = walk->index;
    nigh_session *session = walk->session;
    uint32_t *slots = session->slots;
    nighi_space space;
    nighi_space_get(index, walk->coded, &space);
    slots[0] = entry;
    nighi_space_take(&space, session, slots, session->vectors, 1);
    nigh_status status =
        nighi_space_score(&space, session, &walk->probe, slots, session->vectors, 1);
    if (status != NIGH_OK) {
        return status;
    }
    uint64_t best = nighi_entry(session->orders[0], entry);
    for (uint32_t layer = nighi_level(index, entry); layer > level; layer--) {
        for (bool moved = true; moved;) {
            moved = false;
            const uint32_t *row =
                nighi_links(index, nighi_entry_slot(best), layer, session->unpacked);
            if (row == NULL) {
                break;
            }
            const uint32_t count = nighi_row_read(row, index->config.m, walk->slot_count, slots);
            nighi_space_take(&space, session, slots, session->vectors, count);
            status =
                nighi_space_score(&space, session, &walk->probe, slots, session->vectors, count);
            if (status != NIGH_OK) {
                return status;
            }
            for (uint32_t i = 0; i < count; i++) {
                const uint64_t e = nighi_entry(session->orders[i], slots[i]);
                if (e < best && slots[i] != walk->skip) {
                    best = e;
                    moved = true;
                }
            }
        }
    }
    *nearest = best;
    return NIGH_OK;
}

/* The largest order that is still expanded, by the k-th best so far (Al-Jazzazi et al., "Distance
 * adaptive beam search", 2025). Distances of codes are integers and stay so. */
static uint32_t nighi_gamma_bound(const nighi_walk *walk) {
    const nigh_session *session = walk->session;
    if (session->pool_count < walk->k) {
        return UINT32_MAX;
    }
    const uint32_t order = nighi_entry_order(session->pool[walk->k - 1]);
    if (!walk->coded) {
        const float distance = nighi_f32_from_order(order);
        const float slack = nighi_fp_mul(distance < 0.0f ? -distance : distance, walk->gamma);
        return nighi_order_f32(distance + slack);
    }
    const uint32_t distance = nighi_code_distance(walk->index, order);
    const uint32_t size = distance >> 31 != 0 ? 0u - distance : distance;
    const uint64_t slack =
        (uint64_t)size * (uint32_t)nighi_i32_from_f32(nighi_fp_mul(walk->gamma, 65536.0f), 1 << 30);
    const uint64_t bound = (slack >> 16) + order;
    return bound > UINT32_MAX ? UINT32_MAX : (uint32_t)bound;
}

/* Asks for the links of an entry's node. */
NIGHI_INLINE void nighi_beam_ask(const nighi_beam_state *beam, uint64_t entry) {
    const size_t stride = beam->space.links_stride;
    nighi_prefetch(beam->walk->index, beam->space.links + nighi_entry_slot(entry) * stride,
                   (uint32_t)stride);
}

/* Asks for the links of the nodes that will likely be expanded next. */
NIGHI_INLINE void nighi_links_ask(const nighi_beam_state *beam) {
    const nigh_session *session = beam->walk->session;
    const uint32_t end = nighi_min_u32(beam->next + NIGHI_LINKS_AHEAD, session->pool_count);
    for (uint32_t i = beam->next; i < end; i++) {
        nighi_beam_ask(beam, session->pool[i]);
    }
}

/* Pops the nearest waiting nodes, gathers their unseen neighbours and asks for those. */
NIGHI_INLINE void nighi_round_take(nighi_beam_state *beam, const bool flat, uint32_t limit,
                                   nighi_round *round) {
    const nighi_walk *walk = beam->walk;
    nigh_session *session = walk->session;
    uint64_t *pool = session->pool;
    const uint32_t bound = nighi_walk_ends(walk) ? nighi_gamma_bound(walk) : UINT32_MAX;
    uint32_t next = beam->next;
    round->count = 0;
    round->taken = 0;
    while (next < session->pool_count && round->taken < limit) {
        const uint64_t entry = pool[next];
        if ((entry & 1) != 0) {
            next++;
            continue;
        }
        if (nighi_entry_order(entry) > bound) {
            break;
        }
        pool[next++] = entry | 1;
        round->taken++;
        const uint32_t slot = nighi_entry_slot(entry);
        const uint32_t *row =
            flat ? (const uint32_t *)(const void *)(beam->space.links +
                                                    slot * beam->space.links_stride)
                 : nighi_links(walk->index, slot, beam->level, session->unpacked);
        if (row != NULL) {
            round->count = nighi_gather(walk, row, beam->degree_max, round->slots, round->count);
        }
    }
    beam->next = next;
    session->stats.expansions += round->taken;
    if (NIGHI_HAS_PREFETCH && (flat || beam->ask)) {
        nighi_links_ask(beam);
    }
    nighi_space_take(&beam->space, session, round->slots, round->rows, round->count);
}

/* Only entries nearer than this enter the pool: it is full of nearer ones, or the stop rule would
 * not let them be expanded. */
NIGHI_INLINE uint64_t nighi_pool_last(const nighi_walk *walk) {
    const nigh_session *session = walk->session;
    uint64_t last = UINT64_MAX;
    if (session->pool_count == walk->ef) {
        last = session->pool[walk->ef - 1];
    }
    if (nighi_walk_ends(walk) && session->pool_count >= walk->keep) {
        last = nighi_min_u64(last, ((uint64_t)nighi_gamma_bound(walk) << 32) | UINT32_MAX);
    }
    return last;
}

/* A scored round into the sorted pool, one by one. */
static void nighi_round_insert(nighi_beam_state *beam, const nighi_round *round) {
    const nighi_walk *walk = beam->walk;
    nigh_session *session = walk->session;
    const uint64_t last = nighi_pool_last(walk);
    for (uint32_t i = 0; i < round->count; i++) {
        const uint64_t entry = nighi_entry(session->orders[i], round->slots[i]);
        if (entry < last) {
            const uint32_t at =
                nighi_list_insert(session->pool, &session->pool_count, walk->ef, entry);
            beam->next = nighi_min_u32(beam->next, at);
        }
    }
}

/* Scores a round and merges it into the sorted pool. */
NIGHI_INLINE nigh_status nighi_round_merge(nighi_beam_state *beam, const bool flat,
                                           nighi_round *round) {
    const nighi_walk *walk = beam->walk;
    nigh_session *session = walk->session;
    const nigh_status status = nighi_space_score(&beam->space, session, &walk->probe, round->slots,
                                                 round->rows, round->count);
    if (status != NIGH_OK) {
        return status;
    }
    if (NIGHI_IS_SMALL) {
        nighi_round_insert(beam, round);
        return NIGH_OK;
    }
    uint64_t *pool = session->pool;
    uint32_t size = session->pool_count;
    uint32_t next = beam->next;
    const uint64_t last = nighi_pool_last(walk);
    uint64_t *worth = session->worth;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < round->count; i++) { /* no jump: it would miss every other time */
        const uint64_t entry = nighi_entry(session->orders[i], round->slots[i]);
        worth[kept] = entry;
        kept += entry < last;
    }
    if (kept == 0) {
        return NIGH_OK;
    }
    uint64_t *sorted = worth + session->batch_max;
    nighi_entries_sort(worth, kept, sorted);
    /* Likely the next to be expanded: the merge gives their links time. */
    if (NIGHI_HAS_PREFETCH && (flat || beam->ask)) {
        const uint64_t waits = next < size ? pool[next] : UINT64_MAX;
        for (uint32_t i = 0; i < nighi_min_u32(kept, NIGHI_LINKS_AHEAD) && sorted[i] < waits; i++) {
            nighi_beam_ask(beam, sorted[i]);
        }
    }
    uint32_t *before = session->orders;
    nighi_list_merge(pool, &size, walk->ef, sorted, kept, before);
    next = nighi_min_u32(next, before[0]);
    session->pool_count = size;
    beam->next = next;
    return NIGH_OK;
}

NIGHI_FN void nighi_beam_open(nighi_beam_state *beam, const nighi_walk *walk, uint32_t level,
                              uint64_t start) {
    nigh_session *session = walk->session;
    *beam = (nighi_beam_state){
        .walk = walk, .level = level, .degree_max = nighi_degree_max(walk->index, level)};
    nighi_space_get(walk->index, walk->coded, &beam->space);
    nighi_visit_start(walk, start);
    session->pool[0] = start;
    session->pool_count = 1;
    nighi_rounds_init(session, beam->rounds);
    beam->ask = level == 0 && beam->space.links != NULL;
    beam->flat = beam->ask && !nighi_packed(walk->index) && !NIGHI_IS_SMALL;
}

/* One round: the next is taken, then this one merged. False: there are no more. */
NIGHI_INLINE bool nighi_beam_round(nighi_beam_state *beam, const bool flat, nigh_status *status) {
    const nighi_walk *walk = beam->walk;
    const nigh_session *session = walk->session;
    const uint32_t limit = nighi_max_u32(walk->expansions / 2, 1);
    nighi_round *now = &beam->rounds[beam->now];
    nighi_round *after = &beam->rounds[beam->now ^ 1];
    if (now->taken == 0) { /* the first */
        nighi_round_take(beam, flat, limit, now);
    }
    after->taken = 0;
    if (walk->expansions > 1) {
        nighi_round_take(beam, flat, limit, after);
    }
    *status = nighi_round_merge(beam, flat, now);
    if (*status != NIGH_OK) {
        return false;
    }
    if (walk->expansions_max != 0 && session->stats.expansions >= walk->expansions_max) {
        *status = after->taken > 0 ? nighi_round_merge(beam, flat, after) : NIGH_OK;
        return false;
    }
    if (after->taken == 0) {
        nighi_round_take(beam, flat, limit, after);
    }
    beam->now ^= 1;
    return after->taken > 0;
}

NIGHI_FN bool nighi_beam_step(nighi_beam_state *beam, nigh_status *status) {
    return beam->flat ? nighi_beam_round(beam, true, status)
                      : nighi_beam_round(beam, false, status);
}

NIGHI_FN nigh_status nighi_beam(const nighi_walk *walk, uint32_t level, uint64_t start) {
    nighi_beam_state beam;
    nigh_status status = NIGH_OK;
    nighi_beam_open(&beam, walk, level, start);
    if (beam.flat) {
        while (nighi_beam_round(&beam, true, &status)) {
        }
    } else {
        while (nighi_beam_round(&beam, false, &status)) {
        }
    }
    return status;
}
