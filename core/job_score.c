/* job_score.c - measuring a graph by a sample of its own nodes
 * layer L14; uses: job_refine, graph, plan
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "graph.h"
#include "job_refine.h"
#include "plan.h"

#define NIGHI_SCORE_LEAST 400u /* of so many neighbours one missed is chance */
#define NIGHI_SCORE_SUMMED 2u  /* widths; the next one misses a few, the last one is the truth */

static const uint32_t nighi_score_widths[NIGHI_SCORE_WIDTHS] = {16, 64, 256, NIGHI_SCORE_EF};

NIGHI_FN void nighi_score_layout(nighi_arena *arena, uint32_t queries, uint32_t graphs,
                                 nighi_score *score) {
    const uint64_t sets = (uint64_t)graphs * NIGHI_SCORE_WIDTHS * queries;
    score->queries = queries;
    score->graphs = graphs;
    score->slots = nighi_arena_take(arena, queries, 4);
    score->truth = nighi_arena_many(arena, (uint64_t)queries * NIGHI_SCORE_K, 8);
    score->found = nighi_arena_many(arena, sets * NIGHI_SCORE_K, 4);
    score->cost = nighi_arena_many(arena, sets, 4);
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

/* Neighbours that a query should find. */
static uint32_t nighi_score_known(const nighi_score *score, uint32_t query) {
    uint32_t known = 0;
    for (uint32_t i = 0; i < NIGHI_SCORE_K; i++) {
        known += score->truth[(uint64_t)query * NIGHI_SCORE_K + i] != UINT64_MAX;
    }
    return known;
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

/* log2(value) in 65536ths, value > 0: whole bits, then a bit for each squaring. */
static int64_t nighi_log2(uint64_t value) {
    uint32_t whole = 0;
    for (uint64_t rest = value; rest > 1; rest >>= 1) {
        whole++;
    }
    uint64_t part = whole > 31 ? value >> (whole - 31) : value << (31 - whole); /* from 2^31 on */
    int64_t log = whole;
    for (uint32_t bit = 0; bit < 16; bit++) {
        part = part * part >> 31;
        log = 2 * log + (int64_t)(part >> 32);
        part >>= part >> 32;
    }
    return log;
}

/* What searches of each width cost, and what they miss: logarithms. */
typedef struct nighi_curve {
    uint64_t count[NIGHI_SCORE_WIDTHS]; /* that are missed */
    int64_t cost[NIGHI_SCORE_WIDTHS];
    int64_t missed[NIGHI_SCORE_WIDTHS];
} nighi_curve;

/* `least`: misses that are added everywhere, since the last few are chance. */
static void nighi_curve_get(const nighi_score *score, uint32_t graph, uint64_t least,
                            nighi_curve *curve) {
    for (uint32_t width = 0; width < NIGHI_SCORE_WIDTHS; width++) {
        uint64_t cost = 1;
        uint64_t missed = least;
        for (uint32_t query = 0; query < score->queries; query++) {
            cost += score->cost[nighi_score_set(score, graph, width, query)];
            missed += nighi_score_known(score, query);
            missed -= nighi_score_hits(score, graph, width, query);
        }
        curve->count[width] = missed;
        curve->cost[width] = nighi_log2(cost);
        curve->missed[width] = nighi_log2(missed);
    }
}

/* What a curve misses at a cost. Misses fall about as a power of cost: a straight line between
 * logarithms. (One between plain figures lies on the wrong side of the curve, and spoke against
 * any graph whose rows are longer.) */
static int64_t nighi_missed_at(const nighi_curve *curve, int64_t cost) {
    uint32_t from = 0;
    while (from + 2 < NIGHI_SCORE_WIDTHS && cost > curve->cost[from + 1]) {
        from++;
    }
    const int64_t run = curve->cost[from + 1] - curve->cost[from];
    const int64_t rise = curve->missed[from + 1] - curve->missed[from];
    return run <= 0 ? curve->missed[from]
                    : curve->missed[from] + (cost - curve->cost[from]) * rise / run;
}

NIGHI_FN bool nighi_score_better(const nighi_score *score) {
    nighi_curve before;
    nighi_curve after;
    int64_t sum = 0;
    uint64_t all = 0; /* that there are: some queries may have no node */
    for (uint32_t query = 0; query < score->queries; query++) {
        all += nighi_score_known(score, query);
    }
    const uint64_t least = all / NIGHI_SCORE_LEAST + 1;
    nighi_curve_get(score, 0, least, &before);
    nighi_curve_get(score, 1, least, &after);
    for (uint32_t width = 0; width + 1 < NIGHI_SCORE_WIDTHS; width++) {
        const int64_t gain = before.missed[width] - nighi_missed_at(&after, before.cost[width]);
        /* A count n deviates by its root, its logarithm by 1 / (ln 2 root n); two of them. */
        if (gain < 0 && (gain * gain >> 16) * (int64_t)before.count[width] > (int64_t)8 << 16) {
            return false;
        }
        sum += width < NIGHI_SCORE_SUMMED ? gain : 0;
    }
    return sum > 0;
}
