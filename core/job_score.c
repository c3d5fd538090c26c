/* job_score.c - measuring a graph by a sample of its own nodes
 * layer L14; uses: job_refine, graph, plan
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "graph.h"
#include "job_refine.h"
#include "plan.h"

static const uint32_t nighi_score_widths[NIGHI_SCORE_WIDTHS] = {16, 64, 256, NIGHI_SCORE_EF};

NIGHI_FN void nighi_score_layout(nighi_arena *arena, uint32_t queries, uint32_t graphs,
                                 nighi_score *score) {
    const uint64_t sets = (uint64_t)graphs * NIGHI_SCORE_WIDTHS * queries;
    score->queries = queries;
    score->graphs = graphs;
    score->slots = nighi_arena_take(arena, queries, 4);
    score->truth = nighi_arena_take(arena, (uint64_t)queries * NIGHI_SCORE_K, 8);
    score->found = nighi_arena_take(arena, sets * NIGHI_SCORE_K, 4);
    score->cost = nighi_arena_take(arena, sets, 4);
    if (score->truth != NULL) {
        nighi_fill(score->truth, 0xff, (uint64_t)queries * NIGHI_SCORE_K * 8);
        nighi_fill(score->found, 0xff, sets * NIGHI_SCORE_K * 4);
        nighi_fill(score->cost, 0, sets * 4);
    }
}

static uint64_t nighi_score_set(const nighi_score *score, uint32_t graph, uint32_t width,
                                uint32_t query) {
    return ((uint64_t)graph * NIGHI_SCORE_WIDTHS + width) * score->queries + query;
}

/* The nearest that any search has seen. */
static void nighi_truth_add(nighi_score *score, uint32_t query, uint64_t entry) {
    uint64_t *truth = score->truth + (uint64_t)query * NIGHI_SCORE_K;
    uint32_t count = NIGHI_SCORE_K;
    for (uint32_t i = 0; i < NIGHI_SCORE_K; i++) {
        if (truth[i] == entry) {
            return;
        }
    }
    (void)nighi_list_insert(truth, &count, NIGHI_SCORE_K, entry);
}

NIGHI_FN nigh_status nighi_score_query(const nigh_index *index, nigh_session *session,
                                       nighi_score *score, uint32_t graph, uint32_t query) {
    const uint32_t slot = score->slots[query];
    nighi_walk walk;
    if (slot == NIGHI_NONE || !nighi_node_present(nighi_node_word(index, slot))) {
        return NIGH_OK;
    }
    for (uint32_t width = 0; width < NIGHI_SCORE_WIDTHS; width++) {
        const uint64_t set = nighi_score_set(score, graph, width, query);
        session->stats.distances = 0;
        const nigh_status status =
            nighi_plan_near(index, session, slot, nighi_score_widths[width], &walk);
        if (status != NIGH_OK) {
            return status;
        }
        const uint32_t kept = nighi_min_u32(session->pool_count, NIGHI_SCORE_K);
        for (uint32_t i = 0; i < kept; i++) {
            score->found[set * NIGHI_SCORE_K + i] = nighi_entry_slot(session->pool[i]);
            if (width == NIGHI_SCORE_WIDTHS - 1) {
                nighi_truth_add(score, query, session->pool[i] & ~(uint64_t)1);
            }
        }
        score->cost[set] = session->stats.distances;
    }
    return NIGH_OK;
}

static uint32_t nighi_score_hits(const nighi_score *score, uint32_t graph, uint32_t width,
                                 uint32_t query) {
    const uint64_t set = nighi_score_set(score, graph, width, query);
    const uint64_t *truth = score->truth + (uint64_t)query * NIGHI_SCORE_K;
    uint32_t hits = 0;
    for (uint32_t i = 0; i < NIGHI_SCORE_K; i++) {
        const uint32_t slot = score->found[set * NIGHI_SCORE_K + i];
        for (uint32_t j = 0; slot != NIGHI_NONE && j < NIGHI_SCORE_K; j++) {
            hits += truth[j] != UINT64_MAX && nighi_entry_slot(truth[j]) == slot;
        }
    }
    return hits;
}

typedef struct nighi_curve {
    int64_t cost[NIGHI_SCORE_WIDTHS];
    int64_t hits[NIGHI_SCORE_WIDTHS];
} nighi_curve;

static void nighi_curve_get(const nighi_score *score, uint32_t graph, nighi_curve *curve) {
    nighi_fill(curve, 0, sizeof *curve);
    for (uint32_t width = 0; width < NIGHI_SCORE_WIDTHS; width++) {
        for (uint32_t query = 0; query < score->queries; query++) {
            curve->cost[width] += score->cost[nighi_score_set(score, graph, width, query)];
            curve->hits[width] += nighi_score_hits(score, graph, width, query);
        }
    }
}

/* Hits x 65536 that a curve has at a cost, on straight lines between its points and beyond. */
static int64_t nighi_curve_at(const nighi_curve *curve, int64_t cost) {
    uint32_t from = 0;
    while (from + 2 < NIGHI_SCORE_WIDTHS && cost > curve->cost[from + 1]) {
        from++;
    }
    const int64_t run = curve->cost[from + 1] - curve->cost[from];
    const int64_t rise = curve->hits[from + 1] - curve->hits[from];
    if (run <= 0) {
        return curve->hits[from] * 65536;
    }
    return curve->hits[from] * 65536 + (cost - curve->cost[from]) * rise * 65536 / run;
}

NIGHI_FN bool nighi_score_better(const nighi_score *score) {
    nighi_curve before;
    nighi_curve after;
    int64_t sum = 0;
    int64_t all = 0; /* that there are: some queries may have no node */
    for (uint32_t i = 0; i < score->queries * NIGHI_SCORE_K; i++) {
        all += score->truth[i] != UINT64_MAX;
    }
    nighi_curve_get(score, 0, &before);
    nighi_curve_get(score, 1, &after);
    for (uint32_t width = 0; width + 1 < NIGHI_SCORE_WIDTHS; width++) {
        /* Of what was missed, in 65536ths; one in 200 is the least that counts. */
        const int64_t missed = all - before.hits[width];
        const int64_t weight = missed > all / 200 ? missed : all / 200 + 1;
        const int64_t gain =
            (nighi_curve_at(&after, before.cost[width]) - before.hits[width] * 65536) / weight;
        sum += gain;
        if (gain < 0 && gain * gain / 65536 * weight > 4 * 65536) { /* over two deviations */
            return false;
        }
    }
    return sum > 0;
}
