/* tune.c - what is fastest on this machine, by trying
 * layer L13; uses: tune, graph, search, source
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Ways take turns and each keeps its best round, so that what else the machine does falls on all
 * alike. A way must be 3 % faster than the default to be taken. */
#include "tune.h"
#include "graph.h"
#include "search.h"
#include "source.h"

#define NIGHI_TUNE_ROUNDS 4u
#define NIGHI_TUNE_QUERIES 32u
#define NIGHI_TUNE_EF 64u
#define NIGHI_TUNE_WAYS 6u

static const nighi_tuning nighi_tune_ways[NIGHI_TUNE_WAYS] = {{0, 0, 1},   {1, 0, 1}, {0, 512, 1},
                                                              {1, 512, 1}, {0, 0, 2}, {1, 0, 2}};

/* Evenly spaced slots that hold a node; how many. */
static uint32_t nighi_tune_slots(const nigh_index *index, uint32_t *slots) {
    const uint32_t slot_count = nighi_load(&index->counts.slot_count);
    uint32_t count = 0;
    for (uint32_t i = 0; i < NIGHI_TUNE_QUERIES; i++) {
        const uint32_t slot = (uint32_t)((uint64_t)i * slot_count / NIGHI_TUNE_QUERIES);
        if (nighi_node_present(nighi_node_word(index, slot))) {
            slots[count++] = slot;
        }
    }
    return count;
}

static nigh_status nighi_tune_search(const nigh_index *index, nigh_session *session,
                                     const uint32_t *slots, uint32_t count) {
    const nigh_search_options options = {
        .struct_size = sizeof options, .ef = NIGHI_TUNE_EF, .expansions = 2};
    uint32_t found[NIGHI_TUNE_QUERIES];
    const nighi_hits hits = {.limit = 1};
    nighi_batch batch = {
        .stored = slots, .options = &options, .all = &hits, .found = found, .stop = count};
    return nighi_search_batch(index, session, &batch);
}

NIGHI_FN nigh_status nighi_tune(nigh_index *index, nigh_session *session, nigh_clock_fn clock,
                                void *user) {
    const nighi_tuning before = index->tuning;
    uint64_t best[NIGHI_TUNE_WAYS];
    uint32_t slots[NIGHI_TUNE_QUERIES];
    uint32_t choice = 0;
    nigh_status status = NIGH_OK;
    if (nighi_load(&index->counts.slot_count) < 2) {
        return NIGH_OK;
    }
    const uint32_t count = nighi_tune_slots(index, slots);
    const nigh_status ready = nighi_source_ready(index, index->counts.slot_count);
    if (ready != NIGH_OK || session->ef_max < NIGHI_TUNE_EF) {
        return ready != NIGH_OK ? ready : NIGH_E_SESSION;
    }
    nighi_fill(best, 0xff, sizeof best);
    for (uint32_t round = 0; round <= NIGHI_TUNE_ROUNDS && status == NIGH_OK; round++) {
        for (uint32_t way = 0; way < NIGHI_TUNE_WAYS && status == NIGH_OK; way++) {
            index->tuning = nighi_tune_ways[way];
            if (index->tuning.lanes > session->lane_count) {
                continue;
            }
            const uint64_t from = clock(user);
            status = nighi_tune_search(index, session, slots, count);
            const uint64_t took = clock(user) - from;
            best[way] = round > 0 ? nighi_min_u64(best[way], took) : best[way];
        }
    }
    for (uint32_t way = 1; way < NIGHI_TUNE_WAYS; way++) {
        if (best[way] < best[choice] - best[choice] / 32) {
            choice = way;
        }
    }
    index->tuning = status == NIGH_OK ? nighi_tune_ways[choice] : before;
    return status;
}
