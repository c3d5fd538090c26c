/* nigh_abi_search.c - the public functions that search
 * layer L15; uses: search, structs, tune
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "search.h"
#include "structs.h"
#include "tune.h"

enum { NIGHI_SEARCH_V1 = 24, NIGHI_SESSION_STATS_V1 = 24 };

_Static_assert(sizeof(nigh_search_options) == 32, "options grow at their end");
_Static_assert(sizeof(nigh_session_stats) == 28, "stats grow at their end");

static nigh_status nighi_search_take(const nigh_search_options *from, uint32_t k,
                                     nigh_search_options *options) {
    const uint32_t known =
        NIGH_SEARCH_EXACT | NIGH_SEARCH_RADIUS | NIGH_SEARCH_NO_CODES | NIGH_SEARCH_CODES;
    const uint32_t either = NIGH_SEARCH_NO_CODES | NIGH_SEARCH_CODES;
    const nigh_status status = nighi_struct_take(options, sizeof *options, NIGHI_SEARCH_V1, from);
    const uint32_t gamma = nighi_f32_rank(options->gamma) - nighi_f32_rank(0.0f);
    options->ef = nighi_max_u32(options->ef == 0 ? 64 : options->ef, k);
    options->expansions = options->expansions == 0 ? 2 : options->expansions;
    if (status != NIGH_OK || (options->flags & ~known) != 0 ||
        (options->flags & either) == either || options->expansions > NIGHI_EXPANSIONS_MAX ||
        gamma > nighi_f32_rank(16.0f) - nighi_f32_rank(0.0f) ||
        ((options->flags & NIGH_SEARCH_RADIUS) != 0 && nighi_f32_nan(options->radius))) {
        return NIGH_E_INVALID;
    }
    return (!NIGHI_HAS_FLOATS && gamma != 0) ||
                   (!NIGHI_HAS_REMOVED && (options->flags & NIGH_SEARCH_EXACT) != 0)
               ? NIGH_E_UNSUPPORTED
               : NIGH_OK;
}

NIGH_API nigh_status nigh_session_filter(nigh_session *session, const uint32_t *bits,
                                         uint32_t slot_count, nigh_filter_fn filter, void *user) {
    if (session == NULL || (bits != NULL && filter != NULL) || slot_count > NIGHI_SLOT_MAX) {
        return NIGH_E_INVALID;
    }
    if (!NIGHI_HAS_FILTERS) {
        return bits == NULL && filter == NULL ? NIGH_OK : NIGH_E_UNSUPPORTED;
    }
    session->cursor.active = 0;
    nighi_filter set = {.bits = bits, .bit_count = slot_count, .fn = filter, .user = user};
    for (uint32_t i = 0; bits != NULL && i < slot_count; i += 32) {
        const uint32_t left = slot_count - i;
        const uint32_t mask = left >= 32 ? UINT32_MAX : (1u << left) - 1;
        set.allowed += nighi_popcount(bits[i / 32] & mask);
    }
    session->filter = set;
    return NIGH_OK;
}

NIGH_API nigh_status nigh_search(const nigh_index *index, nigh_session *session, const void *query,
                                 const nigh_search_options *options, uint32_t k, void *keys,
                                 uint32_t *key_lengths, float *distances, uint32_t *slots,
                                 uint32_t *found) {
    nigh_search_options o;
    if (found == NULL) {
        return NIGH_E_INVALID;
    }
    *found = 0;
    if (index == NULL || session == NULL || query == NULL || k == 0 || session->index != index ||
        !nighi_output_valid(index, keys, key_lengths)) {
        return NIGH_E_INVALID;
    }
    nighi_hits hits = {keys, key_lengths, distances, slots, k, 0, 0, false};
    nigh_status status = nighi_search_take(options, k, &o);
    if (status == NIGH_OK) {
        status = nighi_search(index, session, query, &o, &hits);
        *found = hits.found;
    }
    return status;
}

NIGH_API nigh_status nigh_search_batch(const nigh_index *index, nigh_session *session,
                                       const void *queries, uint32_t count,
                                       const nigh_search_options *options, uint32_t k, void *keys,
                                       uint32_t *key_lengths, float *distances, uint32_t *slots,
                                       uint32_t *found, uint32_t *done) {
    nigh_search_options o;
    if (done == NULL) {
        return NIGH_E_INVALID;
    }
    *done = 0;
    if (index == NULL || session == NULL || (queries == NULL && count > 0) || found == NULL ||
        k == 0 || session->index != index || !nighi_output_valid(index, keys, key_lengths)) {
        return NIGH_E_INVALID;
    }
    nigh_status status = nighi_search_take(options, k, &o);
    if (status != NIGH_OK || !NIGHI_HAS_CURSORS) {
        return status != NIGH_OK ? status : NIGH_E_UNSUPPORTED;
    }
    const nighi_hits all = {keys, key_lengths, distances, slots, k, 0, 0,
                            (o.flags & NIGH_SEARCH_CODES) != 0};
    nighi_batch batch = {
        .rows = queries, .options = &o, .all = &all, .found = found, .stop = count};
    status = nighi_search_batch(index, session, &batch);
    *done = batch.stop;
    return status;
}

NIGH_API nigh_status nigh_cursor_begin(const nigh_index *index, nigh_session *session,
                                       const void *query, const nigh_search_options *options) {
    nigh_search_options o;
    if (index == NULL || session == NULL || query == NULL || session->index != index) {
        return NIGH_E_INVALID;
    }
    const nigh_status status = nighi_search_take(options, 1, &o);
    if (status != NIGH_OK || (o.flags & NIGH_SEARCH_EXACT) != 0) {
        return status != NIGH_OK ? status : NIGH_E_INVALID;
    }
    return NIGHI_HAS_CURSORS ? nighi_cursor_begin(index, session, query, &o) : NIGH_E_UNSUPPORTED;
}

NIGH_API nigh_status nigh_cursor_next(const nigh_index *index, nigh_session *session, uint32_t k,
                                      void *keys, uint32_t *key_lengths, float *distances,
                                      uint32_t *slots, uint32_t *found) {
    if (found == NULL) {
        return NIGH_E_INVALID;
    }
    *found = 0;
    if (index == NULL || session == NULL || k == 0 || session->index != index ||
        !nighi_output_valid(index, keys, key_lengths)) {
        return NIGH_E_INVALID;
    }
    nighi_hits hits = {keys, key_lengths, distances, slots, k, 0, 0, false};
    const nigh_status status = nighi_cursor_next(index, session, &hits);
    *found = hits.found;
    return status;
}

NIGH_API nigh_status nigh_tune(nigh_index *index, nigh_session *session, nigh_clock_fn clock,
                               void *user) {
    if (!(NIGHI_HAS_CURSORS && NIGHI_HAS_FLOATS)) {
        return NIGH_E_UNSUPPORTED;
    }
    if (index == NULL || session == NULL || clock == NULL || session->index != index) {
        return NIGH_E_INVALID;
    }
    return nighi_tune(index, session, clock, user);
}

NIGH_API nigh_status nigh_session_stats_get(const nigh_session *session,
                                            nigh_session_stats *stats) {
    if (session == NULL || stats == NULL) {
        return NIGH_E_INVALID;
    }
    return nighi_struct_give(stats, &session->stats, sizeof session->stats, NIGHI_SESSION_STATS_V1);
}
