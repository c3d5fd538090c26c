/* search.h - k nearest, cursor, and the consistent hand-out of hits
 * layer L10; uses: base, state, walk
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGHI_SEARCH_H
#define NIGHI_SEARCH_H
#include "base.h"
#include "state.h"
#include "walk.h"

/* Where hits go; any array may be NULL. */
typedef struct nighi_hits {
    void *keys;
    uint32_t *key_lengths;
    float *distances;
    uint32_t *slots;
    uint32_t limit;
    uint32_t found;
    uint64_t key_offset;
    bool coded; /* entries hold distances of codes */
} nighi_hits;

/* One of the queries that a batch has under way. */
typedef struct nighi_lane {
    nigh_session *session;
    nighi_walk walk;
    nighi_walk wide; /* the same, as wide as the list that is walked */
    nighi_way way;
    uint64_t start;
    nighi_beam_state beam;
    nighi_hits hits;
    uint32_t query;
    uint32_t updates;
    bool busy;
} nighi_lane;

/* Many queries. */
typedef struct nighi_batch {
    const uint8_t *rows;
    const uint32_t *stored; /* instead of rows: the vectors of these slots (nigh_tune) */
    const nigh_search_options *options; /* complete */
    const nighi_hits *all;              /* arrays for all, limit per query */
    uint32_t *found;
    uint32_t next;
    uint32_t stop; /* the first that failed, or how many there are */
    nigh_status status;
    nigh_session_stats stats; /* of all together */
} nighi_batch;

NIGHI_FN nigh_status nighi_search_batch(const nigh_index *index, nigh_session *session,
                                        nighi_batch *batch);
/* `options` complete: defaults filled in. */
NIGHI_FN nigh_status nighi_search(const nigh_index *index, nigh_session *session, const void *row,
                                  const nigh_search_options *options, nighi_hits *hits);
NIGHI_FN nigh_status nighi_cursor_begin(const nigh_index *index, nigh_session *session,
                                        const void *row, const nigh_search_options *options);
NIGHI_FN nigh_status nighi_cursor_next(const nigh_index *index, nigh_session *session,
                                       nighi_hits *hits);
/* Captures options for a walk of this session, whose query is prepared. */
NIGHI_FN void nighi_walk_set(const nigh_index *index, nigh_session *session, uint32_t slot_count,
                             const nigh_search_options *options, nighi_walk *walk);
/* How many candidates of a search on codes are scored again: `width` are those that it kept. */
NIGHI_FN uint32_t nighi_rerank_depth(const nigh_search_options *options, uint32_t k,
                                     uint32_t width);
/* The word that tells whether in-place updates ran since it was read. */
NIGHI_FN uint32_t nighi_updates(const nigh_index *index);
NIGHI_FN bool nighi_updates_none(const nigh_index *index, uint32_t before);
/* Is an entry at the radius of the options or nearer, or have they none? */
NIGHI_FN bool nighi_hit_within(const nigh_index *index, const nighi_hits *hits, uint64_t entry,
                               const nigh_search_options *options);
/* Hands out session->pool (ascending) up to hits->limit and the radius. */
NIGHI_FN nigh_status nighi_hits_take(const nigh_index *index, nigh_session *session,
                                     nighi_hits *hits, const nigh_search_options *options,
                                     uint32_t updates);
/* Hands out one entry, if it is live: as it is, or only if it can be read again with the same
 * distance. Fails as the caller's source does. */
NIGHI_FN void nighi_hit_plain(const nigh_index *index, nighi_hits *hits, uint64_t entry);
NIGHI_FN nigh_status nighi_hit_again(const nigh_index *index, nigh_session *session,
                                     nighi_hits *hits, uint64_t entry);
/* Appends a live slot's key to an output array, beside writers too; false when it is not live. */
NIGHI_FN bool nighi_key_put_live(const nigh_index *index, uint32_t slot, void *keys,
                                 uint32_t *lengths, uint32_t at, uint64_t *offset);
/* A consistent copy of an owned vector into session->row, and its key, while writers may change it:
 * false when it kept changing or is no longer live. */
NIGHI_FN bool nighi_vector_copy(const nigh_index *index, nigh_session *session, uint32_t slot,
                                uint32_t *version);
/* True while the version that nighi_vector_copy gave still holds. */
NIGHI_FN bool nighi_version_holds(const nigh_index *index, uint32_t slot, uint32_t version);

#endif
