/* job_refine.c - choosing the links of layer 0 anew, when all nodes are known
 * layer L14; uses: job, blocks, graph, image, job_draft, job_edges, job_refine, link, plan, source
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A pass searches for the neighbours of each node among all of them, joins what is found with its
 * links, chooses anew, and offers the node to those that it chose (as Vamana's second pass:
 * Subramanya et al., DiskANN, 2019). A larger alpha keeps more and longer links. That is good where
 * data has few intrinsic dimensions; where it has many, nearly every candidate would be kept, and
 * rows be cut off at the nearest. So alpha follows from how distances grow around a sample of nodes
 * (the tenth to the hundredth neighbour, as in estimates of local intrinsic dimension). Tried
 * before: refining some regions in each way and measuring, which always favours large alphas since
 * rows outside are not full yet; counting the rows that each alpha fills, which does not tell
 * GloVe-100 from clusters. A pass after which the sample finds less at the same cost is put back.
 * Floats without codes are refined on a draft of them, as a build is. Parents and children stay. */
#include "job_refine.h"
#include "blocks.h"
#include "graph.h"
#include "image.h"
#include "job.h"
#include "job_draft.h"
#include "job_edges.h"
#include "link.h"
#include "plan.h"
#include "source.h"

#define NIGHI_REFINE_BATCH 8192u
#define NIGHI_REFINE_STEP 16u   /* nodes a task */
#define NIGHI_REFINE_ROWS 512u  /* rows a task that only copies */
#define NIGHI_REFINE_ASKED 512u /* nodes that are asked */
#define NIGHI_REFINE_WAYS 3u

enum {
    NIGHI_REFINE_SAMPLE = 1, /* NIGHI_SAMPLE_PHASES, for the draft */
    NIGHI_REFINE_ENCODE = NIGHI_REFINE_SAMPLE + NIGHI_SAMPLE_PHASES,
    NIGHI_REFINE_KEEP,   /* all rows are copied */
    NIGHI_REFINE_CHOOSE, /* alpha is chosen, the draft judged */
    NIGHI_REFINE_SCORE,  /* the graph is measured */
    NIGHI_REFINE_BEGIN,  /* the next batch of a pass is cut */
    NIGHI_REFINE_PLAN,   /* links are chosen */
    NIGHI_REFINE_STORE,
    NIGHI_REFINE_SORT,
    NIGHI_REFINE_MERGE,
    NIGHI_REFINE_BACK, /* rows become what they were */
    NIGHI_REFINE_END
};

#define NIGHI_REFINE_EF 100u /* 200: 2 to 5 % better on 340,000 words only, nearly twice the time */

/* By the ratio of squared distances to the tenth and hundredth neighbour, in 1024ths: clusters of
 * 24 dimensions have 685, sentence vectors 760, words 783 (50,000 of them) to 854 (340,000). */
static const struct {
    uint32_t below;
    float alpha;
} nighi_refine_ways[NIGHI_REFINE_WAYS] = {{720, 1.2f}, {770, 1.1f}, {1025, 1.0f}};

typedef struct nighi_refine_job {
    uint32_t slot_count;
    uint32_t pass;  /* 1: the pass is made */
    uint32_t begin; /* slots of the batch */
    uint32_t end;
    uint32_t ef;
    float alpha;      /* 0: to be chosen */
    uint32_t *rows;   /* of each node of the batch: m0 links */
    uint32_t *counts; /* of links; before the pass: the ratio at each node of the sample */
    uint32_t *before; /* every row as it was */
    nighi_score score;
    nighi_edges edges;
    nighi_sampler *sampler;
    nighi_draft draft;
    uint8_t agree[NIGHI_JUDGED];
} nighi_refine_job;

static void nighi_refine_layout(nighi_arena *arena, nigh_job *job) {
    const nigh_index *index = job->index;
    const uint32_t m0 = index->config.m0;
    const uint32_t slot_count = nighi_load_acquire(&index->counts.slot_count);
    const uint32_t batch = nighi_min_u32(nighi_max_u32(slot_count, 1), NIGHI_REFINE_BATCH);
    nighi_refine_job *refine = nighi_arena_take(arena, 1, sizeof *refine);
    nighi_refine_job made = {.slot_count = slot_count};
    made.rows = nighi_arena_many(arena, (uint64_t)batch * m0, 4);
    made.counts = nighi_arena_take(arena, batch, 4);
    made.before = nighi_arena_many(arena, (uint64_t)slot_count * m0, 4);
    nighi_score_layout(arena, nighi_min_u32(NIGHI_REFINE_ASKED, slot_count), 2, &made.score);
    nighi_edges_layout(arena, (uint64_t)batch * m0, &made.edges);
    made.sampler = nighi_arena_take(arena, 1, sizeof *made.sampler);
    nighi_draft_layout(arena, job, slot_count, &made.draft, made.sampler);
    if (refine == NULL) {
        return;
    }
    made.alpha = job->options.alpha;
    made.ef = job->options.ef != 0 ? job->options.ef : NIGHI_REFINE_EF;
    if (made.alpha == 0.0f && index->config.metric == NIGH_METRIC_IP) {
        made.alpha = 1.0f; /* a ratio of distances means nothing there */
    }
    for (uint32_t i = 0; i < made.score.queries; i++) {
        made.score.slots[i] =
            (uint32_t)((2 * (uint64_t)i + 1) * slot_count / (2 * made.score.queries));
    }
    *refine = made;
    job->state = refine;
    job->total = slot_count;
}

/* ---- A draft -------------------------------------------------------------------------------- */

static nigh_status nighi_refine_encode(nigh_job *job, nigh_session *session, uint32_t task) {
    nighi_refine_job *refine = job->state;
    const uint32_t from = task * NIGHI_REFINE_ROWS;
    const uint32_t to = nighi_min_u32(refine->slot_count, from + NIGHI_REFINE_ROWS);
    uint32_t clamped = 0;
    return nighi_slots_encode(job, session, &refine->draft.coding, &refine->draft.region, from, to,
                              &clamped);
}

/* Some nodes of the sample compare what they found on the draft with the truth. */
static nigh_status nighi_refine_judge(nigh_job *job, nigh_session *session, uint32_t task,
                                      uint32_t count) {
    nighi_refine_job *refine = job->state;
    const uint32_t step = nighi_max_u32(refine->score.queries / NIGHI_JUDGED, 1);
    if (job->index->draft == NULL || task % step != 0 || task / step >= NIGHI_JUDGED) {
        return NIGH_OK;
    }
    const nigh_status status = nighi_plan_query(job->index, session, refine->score.slots[task]);
    return status == NIGH_OK ? nighi_draft_judge(job->index, session, session->plan.sorted, count,
                                                 &refine->agree[task / step])
                             : status;
}

/* ---- Rows as they were ---------------------------------------------------------------------- */

static nigh_status nighi_refine_keep(const nigh_job *job, uint32_t task) {
    const nighi_refine_job *refine = job->state;
    const uint32_t m0 = job->index->config.m0;
    const uint32_t to = nighi_min_u32(refine->slot_count, (task + 1) * NIGHI_REFINE_ROWS);
    for (uint32_t slot = task * NIGHI_REFINE_ROWS; slot < to; slot++) {
        nighi_copy(refine->before + (size_t)slot * m0, nighi_row0(job->index, slot),
                   (uint64_t)m0 * 4);
    }
    return NIGH_OK;
}

static nigh_status nighi_refine_back(const nigh_job *job, uint32_t task) {
    const nighi_refine_job *refine = job->state;
    const uint32_t m0 = job->index->config.m0;
    const uint32_t to = nighi_min_u32(refine->slot_count, (task + 1) * NIGHI_REFINE_ROWS);
    for (uint32_t slot = task * NIGHI_REFINE_ROWS; slot < to; slot++) {
        const uint32_t *before = refine->before + (size_t)slot * m0;
        uint32_t *row = nighi_row0(job->index, slot);
        if (nighi_compare(row, before, (uint64_t)m0 * 4) != 0) {
            nighi_row_store(job->index, row, 0, before, m0);
        }
    }
    return NIGH_OK;
}

/* ---- Alpha ---------------------------------------------------------------------------------- */

/* Of a squared distance and a farther one, in 1024ths. */
static uint32_t nighi_refine_ratio(const nighi_space *space, uint32_t near, uint32_t far) {
    const bool squared = space->index->config.metric != NIGH_METRIC_L1;
    uint32_t ratio = 1024;
    if (space->coded) {
        ratio = far == 0 ? 1024 : (uint32_t)((uint64_t)near * 1024 / far);
    } else {
        const float distance = nighi_f32_from_order(far);
        const bool known = distance > 0.0f && distance < nighi_f32_from_bits(0x7f800000u);
        const float part = known ? nighi_f32_from_order(near) / distance : 1.0f;
        ratio = (uint32_t)nighi_i32_from_f32(nighi_fp_mul(part, 1024.0f), 1024);
    }
    return squared ? ratio : ratio * ratio / 1024;
}

static nigh_status nighi_refine_try(nigh_job *job, nigh_session *session, uint32_t task) {
    const nigh_index *index = job->index;
    nighi_refine_job *refine = job->state;
    const uint32_t slot = refine->score.slots[task];
    uint32_t count = 0;
    nighi_space space;
    refine->counts[task] = NIGHI_NONE;
    if (!nighi_node_present(nighi_node_word(index, slot))) {
        return NIGH_OK;
    }
    const nigh_status status = nighi_plan_around(index, session, slot, 128, &count);
    if (status == NIGH_OK && count >= 100) {
        const uint64_t *sorted = session->plan.sorted;
        nighi_space_get(index, session->plan.coded, &space);
        refine->counts[task] =
            nighi_refine_ratio(&space, nighi_entry_order(sorted[9]), nighi_entry_order(sorted[99]));
    }
    return status == NIGH_OK ? nighi_refine_judge(job, session, task, count) : status;
}

static void nighi_refine_choose(nigh_job *job) {
    nighi_refine_job *refine = job->state;
    uint32_t asked = 0;
    uint32_t sum = 0;
    uint32_t way = 0;
    if (refine->alpha != 0.0f) {
        return;
    }
    for (uint32_t i = 0; i < refine->score.queries; i++) {
        asked += refine->counts[i] != NIGHI_NONE;
        sum += refine->counts[i] != NIGHI_NONE ? refine->counts[i] : 0;
    }
    const uint32_t mean = asked == 0 ? 1024 : sum / asked;
    while (way + 1 < NIGHI_REFINE_WAYS && mean >= nighi_refine_ways[way].below) {
        way++;
    }
    refine->alpha = nighi_refine_ways[way].alpha;
}

/* ---- A pass --------------------------------------------------------------------------------- */

static nigh_status nighi_refine_begin(nigh_job *job) {
    nighi_refine_job *refine = job->state;
    nigh_index *index = job->index;
    const uint32_t size = refine->end - refine->begin;
    nigh_status status = NIGH_OK;
    nighi_image_open(index);
    nighi_store(&index->changed, 1u);
    nighi_edges_begin(&refine->edges, (uint64_t)size * index->config.m0);
    for (uint32_t slot = refine->begin; index->pager.dirty != NULL && slot < refine->end; slot++) {
        status = status == NIGH_OK ? nighi_touch(index, NIGHI_LINKS0, slot) : status;
    }
    return status;
}

static nigh_status nighi_refine_node(nigh_job *job, nigh_session *session, uint32_t slot) {
    const nigh_index *index = job->index;
    const nighi_refine_job *refine = job->state;
    const uint32_t m0 = index->config.m0;
    const uint32_t place = slot - refine->begin;
    uint32_t *row = refine->rows + (size_t)place * m0;
    uint64_t *edges = refine->edges.list + (size_t)place * m0;
    uint32_t count = 0;
    nighi_space space;
    refine->counts[place] = 0;
    if (!nighi_node_present(nighi_node_word(index, slot))) {
        return NIGH_OK;
    }
    nigh_status status = nighi_plan_around(index, session, slot, refine->ef, &count);
    if (status == NIGH_OK && count > 0) {
        session->plan.alpha = refine->alpha;
        session->plan.self = NIGHI_SELF_NEW;
        nighi_space_get(index, session->plan.coded, &space);
        status = nighi_select(&space, session, count, m0, row, &refine->counts[place]);
    }
    for (uint32_t i = 0; status == NIGH_OK && i < refine->counts[place]; i++) {
        edges[i] = nighi_edge_base(row[i], slot);
    }
    return status;
}

static nigh_status nighi_refine_plan(nigh_job *job, nigh_session *session, uint32_t task) {
    const nighi_refine_job *refine = job->state;
    const uint32_t from = refine->begin + task * NIGHI_REFINE_STEP;
    const uint32_t to = nighi_min_u32(refine->end, from + NIGHI_REFINE_STEP);
    nigh_status status = NIGH_OK;
    for (uint32_t at = from; at < to && status == NIGH_OK; at++) {
        status = nighi_refine_node(job, session, at);
    }
    return status;
}

static nigh_status nighi_refine_store(const nigh_job *job, nigh_session *session, uint32_t task) {
    const nighi_refine_job *refine = job->state;
    const uint32_t m0 = job->index->config.m0;
    const uint32_t from = refine->begin + task * NIGHI_REFINE_ROWS;
    const uint32_t to = nighi_min_u32(refine->end, from + NIGHI_REFINE_ROWS);
    for (uint32_t at = from; at < to; at++) {
        const uint32_t place = at - refine->begin;
        if (refine->counts[place] > 0) {
            nighi_row_replace(job->index, &session->plan, at, refine->rows + (size_t)place * m0,
                              refine->counts[place]);
        }
    }
    return NIGH_OK;
}

static nigh_status nighi_refine_task(nigh_job *job, nigh_session *session, uint32_t task) {
    nighi_refine_job *refine = job->state;
    nigh_status status = nighi_source_ready(job->index, refine->slot_count);
    if (status != NIGH_OK) {
        return status;
    }
    if (session->ef_max < nighi_max_u32(refine->ef, NIGHI_SCORE_EF)) {
        return NIGH_E_SESSION; /* what comes out must not depend on how big a session is */
    }
    switch (job->phase) {
    case NIGHI_REFINE_SAMPLE:
    case NIGHI_REFINE_SAMPLE + 1:
        return nighi_sampler_task(refine->sampler, nighi_slot_floats, job, session, task);
    case NIGHI_REFINE_ENCODE:
        return nighi_refine_encode(job, session, task);
    case NIGHI_REFINE_KEEP:
        return nighi_refine_keep(job, task);
    case NIGHI_REFINE_CHOOSE:
        return nighi_refine_try(job, session, task);
    case NIGHI_REFINE_SCORE:
        return nighi_score_query(job->index, session, &refine->score, refine->pass, task);
    case NIGHI_REFINE_BEGIN:
        return nighi_refine_begin(job);
    case NIGHI_REFINE_PLAN:
        return nighi_refine_plan(job, session, task);
    case NIGHI_REFINE_STORE:
        return nighi_refine_store(job, session, task);
    case NIGHI_REFINE_SORT:
        nighi_edges_sort(&refine->edges);
        return nighi_edges_touch(job->index, &refine->edges);
    case NIGHI_REFINE_MERGE:
        session->plan.alpha = refine->alpha;
        return nighi_edges_merge(job->index, session, &refine->edges, task, 0);
    default:
        return nighi_refine_back(job, task);
    }
}

/* ---- What comes next ------------------------------------------------------------------------ */

static uint32_t nighi_refine_after(nigh_job *job) {
    nigh_index *index = job->index;
    nighi_refine_job *refine = job->state;
    const uint32_t phase = job->phase;
    switch (phase) {
    case NIGHI_REFINE_SAMPLE:
    case NIGHI_REFINE_SAMPLE + 1:
        if (refine->draft.region.stride != 0) {
            nighi_sampler_next(refine->sampler, &refine->draft.coding);
        }
        return phase + 1;
    case NIGHI_REFINE_ENCODE:
        index->draft = refine->draft.region.stride != 0 ? &refine->draft : NULL;
        return phase + 1;
    case NIGHI_REFINE_CHOOSE:
        if (nighi_drafted(index) && !nighi_draft_will_do(refine->agree)) {
            index->draft = NULL;
            return NIGHI_REFINE_CHOOSE; /* on true distances, then */
        }
        nighi_refine_choose(job);
        return phase + 1;
    case NIGHI_REFINE_SCORE:
        if (refine->pass == 0) {
            refine->pass = 1;
            return NIGHI_REFINE_BEGIN;
        }
        return nighi_score_better(&refine->score) ? NIGHI_REFINE_END : NIGHI_REFINE_BACK;
    case NIGHI_REFINE_MERGE:
        refine->begin = refine->end;
        return refine->end < refine->slot_count ? NIGHI_REFINE_BEGIN : NIGHI_REFINE_SCORE;
    default:
        return phase + 1;
    }
}

static uint32_t nighi_tasks_of(uint32_t count, uint32_t step) { return (count + step - 1) / step; }

static bool nighi_refine_next(nigh_job *job) {
    nighi_refine_job *refine = job->state;
    job->phase = refine->slot_count < 2 ? NIGHI_REFINE_END : nighi_refine_after(job);
    if (job->phase == NIGHI_REFINE_BEGIN) {
        job->done = refine->begin; /* under the job's lock, as all that others read */
        refine->end = nighi_min_u32(refine->slot_count, refine->begin + NIGHI_REFINE_BATCH);
    }
    const uint32_t size = refine->end - refine->begin;
    const bool drafted = refine->draft.region.stride != 0;
    job->task_count = 1;
    switch (job->phase) {
    case NIGHI_REFINE_SAMPLE:
    case NIGHI_REFINE_SAMPLE + 1:
        job->task_count = drafted ? nighi_sampler_tasks(refine->sampler) : 0;
        break;
    case NIGHI_REFINE_ENCODE:
        job->task_count = drafted ? nighi_tasks_of(refine->slot_count, NIGHI_REFINE_ROWS) : 0;
        break;
    case NIGHI_REFINE_KEEP:
    case NIGHI_REFINE_BACK:
        job->task_count = nighi_tasks_of(refine->slot_count, NIGHI_REFINE_ROWS);
        break;
    case NIGHI_REFINE_CHOOSE:
        nighi_fill(refine->agree, NIGHI_JUDGE_NONE, sizeof refine->agree);
        job->task_count =
            refine->alpha == 0.0f || job->index->draft != NULL ? refine->score.queries : 0;
        break;
    case NIGHI_REFINE_SCORE:
        job->task_count = refine->score.queries;
        break;
    case NIGHI_REFINE_PLAN:
        job->task_count = nighi_tasks_of(size, NIGHI_REFINE_STEP);
        break;
    case NIGHI_REFINE_STORE:
        job->task_count = nighi_tasks_of(size, NIGHI_REFINE_ROWS);
        break;
    case NIGHI_REFINE_MERGE:
        job->task_count = nighi_edges_tasks(&refine->edges);
        break;
    default:
        break;
    }
    if (job->phase == NIGHI_REFINE_END) {
        job->done = job->total;
    }
    return job->phase != NIGHI_REFINE_END;
}

static void nighi_refine_end(nigh_job *job) { job->index->draft = NULL; }

NIGHI_FN const nighi_job_kind *nighi_job_refine(void) {
    static const nighi_job_kind kind = {nighi_refine_layout, nighi_refine_next, nighi_refine_task,
                                        nighi_refine_end};
    return &kind;
}
