/* cursor.c - neighbours nearest first, until the caller stops
 * layer L11; uses: search, fp
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Three orders over what has been seen: the window holds the ef nearest matches not handed out
 * (session->pool), the overflow heap the other matches, the frontier heap the nodes to expand. The
 * nearest of the window is handed out once the window is full of nodes nearer than anything on the
 * frontier: a beam search of width ef whose window slides. */
#include "fp.h"
#include "search.h"

static void nighi_overflow_push(nigh_session *session, uint64_t entry) {
    if (session->overflow_count == session->frontier_max) {
        session->stats.truncated = 1; /* reported when the cursor would end */
        return;
    }
    nighi_heap_push(session->overflow, &session->overflow_count, entry);
}

static void nighi_window_add(nigh_session *session, uint64_t entry) {
    const uint32_t ef = session->cursor.options.ef;
    if (session->pool_count < ef) {
        (void)nighi_list_insert(session->pool, &session->pool_count, ef, entry);
        return;
    }
    const uint64_t last = session->pool[ef - 1];
    if (entry < last) {
        (void)nighi_list_insert(session->pool, &session->pool_count, ef, entry);
        nighi_overflow_push(session, last);
    } else {
        nighi_overflow_push(session, entry);
    }
}

/* Another node would change the window's order? */
static bool nighi_window_open(const nigh_session *session) {
    return session->frontier_count > 0 &&
           (session->pool_count < session->cursor.options.ef ||
            session->frontier[0] < session->pool[session->pool_count - 1]);
}

static nigh_status nighi_window_fill(const nighi_walk *walk) {
    nigh_session *session = walk->session;
    while (nighi_window_open(session)) {
        if (walk->expansions_max != 0 && session->stats.expansions >= walk->expansions_max) {
            session->frontier_count = 0;
            break;
        }
        uint32_t count = 0;
        const uint64_t next = session->frontier[0];
        const nigh_status status = nighi_expand(walk, nighi_entry_slot(next), &count);
        if (status != NIGH_OK) {
            return status;
        }
        (void)nighi_heap_pop(session->frontier, &session->frontier_count);
        for (uint32_t i = 0; i < count; i++) {
            const uint64_t entry = nighi_entry(session->orders[i], session->slots[i]);
            nighi_frontier_push(session, entry);
            if (nighi_accepts(walk->index, session, session->slots[i])) {
                nighi_window_add(session, entry);
            }
        }
    }
    return NIGH_OK;
}

static uint64_t nighi_window_take(nigh_session *session) {
    const uint64_t entry = session->pool[0];
    session->pool_count--;
    nighi_move(session->pool, session->pool + 1, (uint64_t)session->pool_count * 8);
    if (session->overflow_count > 0) {
        const uint64_t refill = nighi_heap_pop(session->overflow, &session->overflow_count);
        (void)nighi_list_insert(session->pool, &session->pool_count, session->cursor.options.ef,
                                refill);
    }
    return entry;
}

/* On codes: keeps `depth` of the window's nearest scored again, so that the order among those is
 * that of true vectors. */
static nigh_status nighi_exact_fill(const nighi_walk *walk) {
    nigh_session *session = walk->session;
    const uint32_t depth = nighi_min_u32(session->cursor.depth, session->ef_max);
    while (session->exact_count < depth) {
        uint32_t count = 0;
        while (session->exact_count + count < depth && count < session->batch_max) {
            const nigh_status status = nighi_window_fill(walk);
            if (status != NIGH_OK) {
                return status;
            }
            if (session->pool_count == 0) {
                break;
            }
            session->taken[count++] = nighi_entry_slot(nighi_window_take(session));
        }
        if (count == 0) {
            break;
        }
        nighi_copy(session->slots, session->taken, (uint64_t)count * 4);
        const nigh_status status = nighi_score_true(walk, count);
        if (status != NIGH_OK) {
            return status;
        }
        session->stats.reranked += count;
        for (uint32_t i = 0; i < count; i++) {
            nighi_heap_push(session->exact, &session->exact_count,
                            nighi_entry(session->orders[i], session->slots[i]));
        }
    }
    return NIGH_OK;
}

/* The nearest not handed out, or none: UINT64_MAX. */
static nigh_status nighi_cursor_peek(const nighi_walk *walk, uint64_t *entry) {
    nigh_session *session = walk->session;
    const bool exact = nighi_walk_reranks(walk);
    const nigh_status status = exact ? nighi_exact_fill(walk) : nighi_window_fill(walk);
    const uint32_t count = exact ? session->exact_count : session->pool_count;
    *entry = count == 0 ? UINT64_MAX : exact ? session->exact[0] : session->pool[0];
    return status;
}

/* Nothing waits to be expanded. Beside writers a node may have been vacuumed before its links were
 * read, and an unrooted graph may have islands: the next slot that was not seen leads on. */
static nigh_status nighi_cursor_sweep(const nighi_walk *walk, bool *more) {
    const nigh_index *index = walk->index;
    nigh_session *session = walk->session;
    nighi_cursor *cursor = &session->cursor;
    nighi_space space;
    *more = false;
    if ((nighi_writer_of(index) == NULL && !nighi_unrooted(index)) || walk->expansions_max != 0) {
        return NIGH_OK;
    }
    for (; cursor->swept < cursor->slot_count; cursor->swept++) {
        const uint32_t slot = cursor->swept;
        if (nighi_node_present(nighi_node_word(index, slot)) && nighi_visit(session, slot)) {
            session->slots[0] = slot;
            nighi_space_get(index, walk->coded, &space);
            nighi_space_take(&space, session, session->slots, session->vectors, 1);
            const nigh_status status = nighi_space_score(&space, session, &walk->probe,
                                                         session->slots, session->vectors, 1);
            if (status != NIGH_OK) {
                return status;
            }
            const uint64_t entry = nighi_entry(session->orders[0], slot);
            nighi_frontier_push(session, entry);
            if (nighi_accepts(index, session, slot)) {
                nighi_window_add(session, entry);
            }
            *more = true;
            return NIGH_OK;
        }
    }
    return NIGH_OK;
}

/* An owned vector may change at any time; another's slot only where it goes to another key. */
static nigh_status nighi_cursor_hand(const nigh_index *index, nigh_session *session,
                                     nighi_hits *hits, uint64_t entry) {
    const uint32_t found = hits->found;
    const uint64_t offset = hits->key_offset;
    const bool owned = nighi_source_is(index, NIGHI_SOURCE_OWNED);
    if (nighi_writer_of(index) == NULL || !owned) {
        nighi_hit_plain(index, hits, entry);
        if (nighi_updates_none(index, session->cursor.updates)) {
            return NIGH_OK;
        }
        hits->found = found;
        hits->key_offset = offset;
    }
    return nighi_hit_again(index, session, hits, entry);
}

static nigh_status nighi_cursor_run(const nigh_index *index, nigh_session *session,
                                    nighi_hits *hits) {
    nighi_cursor *cursor = &session->cursor;
    const nigh_search_options *options = &cursor->options;
    nighi_walk walk;
    nighi_walk_set(index, session, cursor->slot_count, options, &walk);
    walk.coded = cursor->coded;
    while (hits->found < hits->limit) {
        uint64_t entry = 0;
        nigh_status status = nighi_cursor_peek(&walk, &entry);
        bool more = entry != UINT64_MAX;
        if (status == NIGH_OK && !more) {
            status = nighi_cursor_sweep(&walk, &more);
        }
        if (status != NIGH_OK) {
            cursor->active = 0;
            return status;
        }
        if (!more) {
            break;
        }
        if (entry == UINT64_MAX) {
            continue; /* something new waits to be expanded */
        }
        if (!nighi_hit_within(index, hits, entry, options)) {
            return NIGH_OK;
        }
        if (nighi_walk_reranks(&walk)) {
            (void)nighi_heap_pop(session->exact, &session->exact_count);
        } else {
            (void)nighi_window_take(session);
        }
        status = nighi_cursor_hand(index, session, hits, entry);
        if (status != NIGH_OK) {
            cursor->active = 0;
            return status;
        }
    }
    const bool ended = hits->found < hits->limit;
    return ended && session->stats.truncated != 0 ? NIGH_E_SESSION : NIGH_OK;
}

NIGHI_FN nigh_status nighi_cursor_next(const nigh_index *index, nigh_session *session,
                                       nighi_hits *hits) {
    hits->found = 0;
    hits->key_offset = 0;
    hits->coded = (session->cursor.options.flags & NIGH_SEARCH_CODES) != 0;
    if (session->cursor.active == 0 || session->index != index) {
        return NIGH_E_INVALID;
    }
    if (session->cursor.coded && session->cursor.version != nighi_load(&index->coding.version)) {
        session->cursor.active = 0; /* it has the query in other codes */
        return NIGH_E_INVALID;
    }
    const uint32_t mode = nighi_fp_enter();
    const nigh_status status = nighi_cursor_run(index, session, hits);
    nighi_fp_leave(mode);
    return status;
}
