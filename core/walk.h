/* walk.h - greedy descent and beam search over one layer: the loop that everything runs in
 * layer L9; uses: base, state, graph, space, visit
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGHI_WALK_H
#define NIGHI_WALK_H
#include "base.h"
#include "graph.h"
#include "space.h"
#include "state.h"
#include "visit.h"

/* One search of one layer. */
typedef struct nighi_walk {
    const nigh_index *index;
    nigh_session *session;
    nighi_probe probe;
    uint32_t slot_count; /* captured at the start: ids beyond are skipped, also hostile ones */
    uint32_t ef;
    uint32_t expansions;     /* nodes under way at once: 1, or a round of half as many ahead */
    uint32_t expansions_max; /* budget; 0 = none */
    uint32_t skip;           /* a slot that is never visited, or NIGHI_NONE */
    uint32_t k;              /* with gamma: the candidate that the stop rule looks at */
    uint32_t keep;           /* entries that the list keeps whatever gamma says */
    float gamma;             /* 0 = off */
    uint8_t coded;           /* NIGHI_ON_* */
    bool only;               /* codes and nothing else: NIGH_SEARCH_CODES */
    bool unfiltered;         /* nighi_beam_filtered: every live slot counts, whatever the filter */
} nighi_walk;

/* Neighbours on their way. */
typedef struct nighi_round {
    uint32_t *slots;
    const void **rows;
    uint32_t count; /* slots to be scored */
    uint32_t taken; /* nodes expanded */
} nighi_round;

/* What it finds on codes is scored again on true vectors. */
NIGHI_INLINE bool nighi_walk_reranks(const nighi_walk *walk) {
    return NIGHI_HAS_FLOATS && walk->coded && !walk->only;
}

/* A walk that gamma may end. */
NIGHI_INLINE bool nighi_walk_ends(const nighi_walk *walk) {
    return NIGHI_HAS_FLOATS && walk->gamma > 0.0f;
}

/* A beam search under way: it goes on where it stopped, so that several may take turns. */
typedef struct nighi_beam_state {
    const nighi_walk *walk;
    nighi_space space;
    nighi_round rounds[2];
    uint32_t now; /* the round to be merged next */
    uint32_t level;
    uint32_t degree_max;
    uint32_t next; /* no entry below it is waiting to be expanded */
    bool ask;      /* rows of links lie in a row, */
    bool flat;     /* and are not packed */
} nighi_beam_state;

/* How a search is answered (way.h). */
enum {
    NIGHI_WAY_SCAN = 0,  /* every match is scored */
    NIGHI_WAY_LIST = 1,  /* nighi_beam; what is refused is dropped afterwards */
    NIGHI_WAY_HOPS = 2,  /* nighi_beam_hops */
    NIGHI_WAY_SWEEP = 3, /* nighi_beam_filtered */
};

typedef struct nighi_way {
    uint32_t kind;
    uint32_t ef;      /* of the walk */
    bool refuses;     /* something may be refused: a filter is set, or nodes are removed */
    bool codes;       /* a scan: on codes, the best are scored again */
    uint32_t matches; /* how many slots may be returned, as far as is known */
} nighi_way;

/* From the entry point down to `level`, best-first with one candidate (Malkov and Yashunin 2016,
 * algorithm 5, lines 2-4). *nearest is where the search of `level` begins. */
NIGHI_FN nigh_status nighi_descend(const nighi_walk *walk, uint32_t entry, uint32_t level,
                                   uint64_t *nearest);
/* Beam search (algorithm 2): fills session->pool with the ef nearest of the layer, ascending,
 * removed nodes too; the expanded bit of entries is set. */
NIGHI_FN nigh_status nighi_beam(const nighi_walk *walk, uint32_t level, uint64_t start);
/* The same in steps: false when it is done, or failed. `walk` must stay. */
NIGHI_FN void nighi_beam_open(nighi_beam_state *beam, const nighi_walk *walk, uint32_t level,
                              uint64_t start);
NIGHI_FN bool nighi_beam_step(nighi_beam_state *beam, nigh_status *status);
/* Beam search of layer 0 that keeps frontier and results apart: only slots that are live and pass
 * the session's filter count. Leaves the results in session->pool, ascending. */
NIGHI_FN nigh_status nighi_beam_filtered(const nighi_walk *walk, uint64_t start);
/* Beam search of layer 0 that scores such slots only: where a node is refused, its neighbours take
 * its place. Fewer than ef in session->pool: it saw no more, which says little about what is. */
NIGHI_FN nigh_status nighi_beam_hops(const nighi_walk *walk, uint64_t start);
/* Scores every live slot that passes the filter: the `limit` nearest in session->pool. */
NIGHI_FN nigh_status nighi_scan(const nighi_walk *walk, uint32_t limit);
/* Expands one node of layer 0 into session->slots and session->orders. */
NIGHI_FN nigh_status nighi_expand(const nighi_walk *walk, uint32_t slot, uint32_t *count);
/* Scores the true vectors of slots[count], in session->slots, into session->orders. */
NIGHI_FN nigh_status nighi_score_true(const nighi_walk *walk, uint32_t count);
/* Adds to the frontier; when it is full its farther half is dropped. */
NIGHI_FN void nighi_frontier_push(nigh_session *session, uint64_t entry);
/* Live, and allowed by the session's filter. */
NIGHI_FN bool nighi_accepts(const nigh_index *index, nigh_session *session, uint32_t slot);
/* Begins a walk's marks: nothing is seen but where it starts and what it skips. */
NIGHI_FN void nighi_visit_start(const nighi_walk *walk, uint64_t start);

/* The i-th of slots spread evenly: multiples of the golden ratio. */
NIGHI_INLINE uint32_t nighi_spread(uint32_t i, uint32_t slot_count) {
    return (uint32_t)(((uint64_t)(uint32_t)(i * 2654435769u) * slot_count) >> 32);
}

/* Appends the links of a row that are seen for the first time to slots[count]. */
NIGHI_INLINE uint32_t nighi_gather(const nighi_walk *walk, const uint32_t *row, uint32_t degree_max,
                                   uint32_t *slots, uint32_t count) {
    nigh_session *session = walk->session;
    const uint32_t slot_count = walk->slot_count;
    uint8_t *const marks = session->marks; /* locals: stores of bytes may alias anything */
    const uint8_t epoch = (uint8_t)session->epoch;
    for (uint32_t i = 0; i < degree_max; i++) {
        const uint32_t slot = nighi_link_slot(nighi_load_acquire(&row[i]));
        if (NIGHI_UNLIKELY(slot >= slot_count)) {
            if (slot == NIGHI_LINK_END) {
                break;
            }
            continue;
        }
        slots[count] = slot; /* branchless: kept only when it is new */
        if (NIGHI_HAS_REMOVED && NIGHI_LIKELY(marks != NULL)) {
            count += marks[slot] != epoch;
            marks[slot] = epoch;
        } else {
            count += nighi_visit_hash(session, slot);
        }
    }
    return count;
}

#endif
