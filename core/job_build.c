/* job_build.c - inserting many vectors in batches, the same bytes at any number of threads
 * layer L14; uses: job, blocks, code, graph, image, job_draft, job_edges, link, place, plan
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A batch of at most a fortieth of the graph searches the graph as it was before the batch, side by
 * side; then its nodes enter one after the other, each under its parent. Nodes of one batch have
 * not seen each other: those that chose a common neighbour are compared now. Then the links back
 * are merged row by row, side by side again. (Without the comparing recall falls by 2 points on
 * GloVe-100, with batches of a twentieth by half a point, with doubling ones by 4.) */
#include "blocks.h"
#include "code.h"
#include "graph.h"
#include "image.h"
#include "job.h"
#include "job_draft.h"
#include "job_edges.h"
#include "link.h"
#include "place.h"
#include "plan.h"

#define NIGHI_BATCH_MAX 20000u
#define NIGHI_BATCH_SHARE 40u /* a batch is at most this part of the graph */
#define NIGHI_PLAN_STEP 16u   /* vectors a task: some milliseconds */
#define NIGHI_ENTER_STEP 512u /* nodes that enter in one task */
#define NIGHI_PAIR_MAX 16u    /* links within the batch that a node finds in a layer */
#define NIGHI_PAIR_STEP 64u
#define NIGHI_JUDGE_FIRST 256u /* nodes; again whenever there are a quarter more */
#define NIGHI_TREE_STEP 65536u /* rows a task that reads who has how many children */

enum {
    NIGHI_BUILD_TREE = 1,                                         /* children are counted */
    NIGHI_BUILD_SAMPLE,                                           /* NIGHI_SAMPLE_PHASES */
    NIGHI_BUILD_BEGIN = NIGHI_BUILD_SAMPLE + NIGHI_SAMPLE_PHASES, /* the next batch is cut */
    NIGHI_BUILD_PLAN,  /* its vectors are stored and their neighbours chosen */
    NIGHI_BUILD_ENTER, /* its nodes enter */
    NIGHI_BUILD_SORT,  /* links back to them, by row */
    NIGHI_BUILD_PAIR,  /* nodes that share a row are compared */
    NIGHI_BUILD_MORE,  /* what came of it is sorted in */
    NIGHI_BUILD_MERGE  /* and into the rows */
};

typedef struct nighi_build_job {
    uint32_t first_slot; /* of item 0 */
    uint32_t begin;      /* items of the batch */
    uint32_t end;
    uint32_t entered; /* items that are in */
    uint32_t stop;    /* the item that ends the work: count, or the first bad one */
    uint32_t batch_max;
    uint32_t upper_base; /* first upper record of the batch */
    uint32_t *upper_at;  /* of each item, from upper_base on; batch_max + 1 */
    uint32_t *clamped;   /* elements of each item's code; batch_max */
    uint8_t *children;   /* of each slot */
    uint32_t *last_child;
    uint64_t key_offset; /* of the next byte-string key */
    nighi_edges edges;
    uint32_t judge_at;   /* nodes that the draft is judged at next */
    uint32_t judge_step; /* every such item of this batch; 0: not now */
    uint8_t agree[NIGHI_JUDGED];
    uint8_t on; /* what a sample is for: NIGHI_ON_CODES, NIGHI_ON_DRAFT, or neither */
    nighi_sampler *sampler;
    nighi_draft draft;  /* of an index without codes; stride 0: there is none */
    uint64_t *more;     /* edges found after the sorting: NIGHI_MORE_STEP of each item */
    uint64_t edge_step; /* edges of an item, without upper layers */
} nighi_build_job;

/* Of each item: pairs, both ways, and one link that a parent lost. */
#define NIGHI_MORE_STEP (2 * NIGHI_PAIR_MAX + 1)

/* Items of the batch that a graph of so many nodes bears. */
static uint32_t nighi_batch_size(uint32_t nodes, uint32_t left) {
    const uint32_t share = nighi_max_u32(nodes / NIGHI_BATCH_SHARE, 1);
    return nighi_min_u32(nighi_min_u32(share, NIGHI_BATCH_MAX), left);
}

/* The largest batch and the most edges of any. */
static void nighi_build_extent(const nigh_job *job, uint32_t *batch_max, uint64_t *edge_max) {
    const nigh_config *config = &job->index->config;
    const uint32_t first = nighi_load_acquire(&job->index->counts.slot_count);
    const uint32_t nodes = first - nighi_load(&job->index->counts.free_count);
    const uint64_t each = (uint64_t)nighi_degree_new(job->index, 0) + NIGHI_MORE_STEP;
    *batch_max = 1;
    *edge_max = 1;
    for (uint32_t at = 0; at < job->input.count;) {
        const uint32_t size = nighi_batch_size(nodes + at, job->input.count - at);
        const uint64_t upper = nighi_upper_draw(config, first + at, first + at + size);
        const uint64_t edges = size * each + upper * config->m;
        *batch_max = nighi_max_u32(*batch_max, size);
        *edge_max = edges > *edge_max ? edges : *edge_max;
        at += size;
    }
}

/* Codes that begin with an empty index take their sample from the vectors to come, as a draft
 * does; a draft is for a build from nothing, the rest would have to be encoded first. */
static void nighi_build_drafts(nighi_arena *arena, nigh_job *job, nighi_build_job *build) {
    const nigh_config *config = &job->index->config;
    const uint32_t count = job->input.count;
    const bool empty = nighi_load(&job->index->counts.slot_count) == 0 && count > 0;
    build->sampler = nighi_arena_take(arena, 1, sizeof *build->sampler);
    nighi_draft_layout(arena, job, empty ? count : 0, &build->draft, build->sampler);
    build->on = NIGHI_ON_VECTORS;
    if (build->draft.region.stride != 0) {
        build->on = NIGHI_ON_DRAFT;
    } else if (config->codes != NIGH_CODES_NONE && !nighi_coded(job->index) && empty) {
        build->on = NIGHI_ON_CODES;
    }
    if (build->on == NIGHI_ON_CODES && build->sampler != NULL) {
        nighi_sampler_begin(build->sampler, config, count);
    }
}

static void nighi_build_layout(nighi_arena *arena, nigh_job *job) {
    const nigh_index *index = job->index;
    const uint32_t first = nighi_load_acquire(&index->counts.slot_count);
    const uint64_t slots = (uint64_t)first + job->input.count;
    uint32_t batch_max = 0;
    uint64_t edge_max = 0;
    nighi_build_extent(job, &batch_max, &edge_max);
    nighi_build_job *build = nighi_arena_take(arena, 1, sizeof *build);
    uint32_t *upper_at = nighi_arena_many(arena, (uint64_t)batch_max + 1, 4);
    uint32_t *clamped = nighi_arena_take(arena, batch_max, 4);
    uint8_t *children = nighi_arena_many(arena, slots, 1);
    uint32_t *last_child = nighi_arena_many(arena, slots, 4);
    nighi_edges edges;
    uint64_t *more = nighi_arena_many(arena, (uint64_t)batch_max * NIGHI_MORE_STEP, 8);
    nighi_edges_layout(arena, edge_max, &edges);
    nighi_build_job made = {0};
    nighi_build_drafts(arena, job, &made);
    if (build == NULL) {
        return;
    }
    made.first_slot = first;
    made.stop = job->input.count;
    made.batch_max = batch_max;
    made.upper_at = upper_at;
    made.clamped = clamped;
    made.children = children;
    made.last_child = last_child;
    made.edges = edges;
    made.more = more;
    made.edge_step = nighi_degree_new(index, 0);
    *build = made;
    job->state = build;
    job->total = job->input.count;
}

/* The work ends at the lowest bad item. */
static void nighi_build_stop(nigh_job *job, uint32_t item, nigh_status status) {
    nighi_build_job *build = job->state;
    const uint32_t version = nighi_lock(&job->lock);
    if (item < build->stop) {
        build->stop = item;
        job->ended_by = status;
    }
    nighi_unlock(&job->lock, version, true);
}

/* ---- Children ------------------------------------------------------------------------------- */

static void nighi_build_tree(nigh_job *job, uint32_t task) {
    const nigh_index *index = job->index;
    nighi_build_job *build = job->state;
    const uint32_t from = task * NIGHI_TREE_STEP;
    const uint32_t to = nighi_min_u32(build->first_slot, from + NIGHI_TREE_STEP);
    for (uint32_t slot = from; slot < to; slot++) {
        const uint32_t *row = nighi_row0(index, slot);
        uint32_t count = 0;
        build->last_child[slot] = NIGHI_NONE;
        for (uint32_t i = 0; i < index->config.m0; i++) {
            if (nighi_link_slot(row[i]) >= build->first_slot) {
                break;
            }
            if (row[i] >> 31 != 0) {
                count++;
                build->last_child[slot] = nighi_link_slot(row[i]);
            }
        }
        build->children[slot] = (uint8_t)nighi_min_u32(count, 255);
    }
}

/* The nearest chosen neighbour with room for a child, else one of the first's descendants: slots
 * rise on the way, and a leaf has room. */
static uint32_t nighi_build_parent(const nigh_job *job, uint32_t slot) {
    const nigh_index *index = job->index;
    const nighi_build_job *build = job->state;
    const uint32_t limit = nighi_min_u32(nighi_children_max(index), 255);
    const uint32_t *row = nighi_row0(index, slot);
    uint32_t at = nighi_link_slot(row[0]);
    for (uint32_t i = 0; i < index->config.m0 && nighi_link_slot(row[i]) < slot; i++) {
        if (build->children[nighi_link_slot(row[i])] < limit) {
            return nighi_link_slot(row[i]);
        }
    }
    at = at < slot ? at : nighi_load(&index->counts.root);
    while (build->children[at] >= limit && build->last_child[at] < slot &&
           build->last_child[at] > at) {
        at = build->last_child[at];
    }
    return at;
}

/* ---- A batch -------------------------------------------------------------------------------- */

/* Room for an item, and the pager knows of the blocks that it goes to. */
static nigh_status nighi_build_room(nigh_index *index, uint32_t slot, uint32_t first,
                                    uint32_t level) {
    static const uint8_t regions[] = {NIGHI_LINKS0, NIGHI_NODE,   NIGHI_KEY,
                                      NIGHI_VECTOR, NIGHI_KEYMAP, NIGHI_CODE};
    if (slot >= nighi_slot_capacity(index) ||
        (uint64_t)first + level > nighi_load(&index->regions[NIGHI_UPPER].capacity) ||
        first + level >= NIGHI_UPPER_NONE) {
        return NIGH_E_FULL;
    }
    nigh_status status = NIGH_OK;
    for (uint32_t i = 0; i < sizeof regions && status == NIGH_OK; i++) {
        status = nighi_touch(index, regions[i], slot);
    }
    for (uint32_t i = 0; i < level && status == NIGH_OK; i++) {
        status = nighi_touch(index, NIGHI_UPPER, first + i);
    }
    return status;
}

/* As the graph grows, some items of some batches judge the draft. */
static nigh_status nighi_build_judge(nigh_job *job, nigh_session *session, uint32_t item) {
    nighi_build_job *build = job->state;
    const uint32_t at = item - build->begin;
    if (job->index->draft == NULL || build->judge_step == 0 || at % build->judge_step != 0 ||
        at / build->judge_step >= NIGHI_JUDGED) {
        return NIGH_OK;
    }
    return nighi_draft_judge(job->index, session, session->pool, session->pool_count,
                             &build->agree[at / build->judge_step]);
}

static void nighi_build_judge_next(nighi_build_job *build, uint32_t nodes, uint32_t size) {
    build->judge_step = 0;
    if (nodes >= nighi_max_u32(build->judge_at, NIGHI_JUDGE_FIRST)) {
        build->judge_step = nighi_max_u32(size / NIGHI_JUDGED, 1);
        build->judge_at = nodes + nodes / 4;
        nighi_fill(build->agree, NIGHI_JUDGE_NONE, sizeof build->agree);
    }
}

static nigh_status nighi_build_begin(nigh_job *job) {
    nigh_index *index = job->index;
    nighi_build_job *build = job->state;
    if (build->judge_step != 0 && !nighi_draft_will_do(build->agree)) {
        index->draft = NULL;
    }
    const uint32_t nodes =
        nighi_load(&index->counts.slot_count) - nighi_load(&index->counts.free_count);
    build->end = build->begin + nighi_batch_size(nodes, build->stop - build->begin);
    build->upper_base = nighi_load(&index->counts.upper_count);
    uint32_t upper = 0;
    for (uint32_t item = build->begin; item < build->end; item++) {
        const uint32_t slot = build->first_slot + item;
        const uint32_t level = nighi_level_draw(&index->config, slot);
        const nigh_status status = nighi_build_room(index, slot, build->upper_base + upper, level);
        if (status == NIGH_E_FULL) {
            nighi_build_stop(job, item, status);
            build->end = item;
        } else if (status != NIGH_OK) {
            return status;
        }
        build->upper_at[item - build->begin] = upper;
        upper += level;
        build->upper_at[item - build->begin + 1] = upper;
    }
    const uint32_t size = build->end - build->begin;
    const uint64_t edges = size * build->edge_step;
    nighi_edges_begin(&build->edges, edges + (uint64_t)upper * index->config.m);
    nighi_build_judge_next(build, nodes, size);
    nighi_fill(build->more, 0xff, (uint64_t)size * NIGHI_MORE_STEP * 8);
    return NIGH_OK;
}

static uint32_t nighi_build_level(const nighi_build_job *build, uint32_t item) {
    const uint32_t *at = build->upper_at + (item - build->begin);
    return at[1] - at[0];
}

/* The rows of a planned node, which nothing leads to yet, and its edges. */
static void nighi_build_rows(nigh_job *job, nighi_plan *plan, uint32_t item) {
    nigh_index *index = job->index;
    nighi_build_job *build = job->state;
    const uint32_t at = item - build->begin;
    const uint32_t first = build->upper_base + build->upper_at[at];
    uint64_t edge = at * build->edge_step + (uint64_t)build->upper_at[at] * index->config.m;
    for (uint32_t level = 0; level <= plan->level; level++) {
        const uint32_t *chosen = nighi_plan_chosen(index, plan, level);
        const uint32_t count = plan->chosen_count[level];
        uint32_t *row = level == 0 ? nighi_row0(index, plan->self)
                                   : nighi_word(&index->regions[NIGHI_UPPER], first + level - 1);
        if (level > 0) { /* the row may be fresh memory: its top bit is not known */
            nighi_store(row, level < plan->level ? NIGHI_LINK_MARK : 0);
        }
        nighi_row_store(index, row, level, chosen, count);
        for (uint32_t i = 0; i < count; i++) {
            build->edges.list[edge++] = level == 0 ? nighi_edge_base(chosen[i], plan->self)
                                                   : nighi_edge_upper(level, chosen[i], at);
        }
    }
}

static nigh_status nighi_build_plan(nigh_job *job, nigh_session *session, uint32_t item) {
    nigh_index *index = job->index;
    nighi_build_job *build = job->state;
    nighi_plan *plan = &session->plan;
    const uint32_t slot = build->first_slot + item;
    const uint8_t *row = job->input.vectors;
    const bool numbers = job->input.keys != NULL && index->config.keys == NIGH_KEYS_U64;
    nighi_key key = {slot, NULL, 0};
    if (numbers) {
        key.value = nighi_load_u64(job->input.keys + (size_t)item * 8);
    }
    row = row == NULL ? NULL : row + (size_t)item * (size_t)job->options.vector_stride;
    plan->self = NIGHI_SELF_NEW;
    plan->level = nighi_build_level(build, item);
    nigh_status status = nighi_place_prepare(index, session, slot, &key, row);
    if (status == NIGH_E_VECTOR || status == NIGH_E_MISMATCH) {
        nighi_build_stop(job, item, status);
        return NIGH_OK;
    }
    if (status == NIGH_OK) {
        status = nighi_plan_make(index, session, true);
    }
    if (status == NIGH_OK) {
        plan->self = slot;
        build->clamped[item - build->begin] = plan->code_clamped;
        nighi_place_store(index, plan);
        nighi_build_rows(job, plan, item);
        status = plan->empty == 0 ? nighi_build_judge(job, session, item) : NIGH_OK;
    }
    return status;
}

static nigh_status nighi_build_plans(nigh_job *job, nigh_session *session, uint32_t task) {
    nighi_build_job *build = job->state;
    const uint32_t from = build->begin + task * NIGHI_PLAN_STEP;
    const uint32_t to = nighi_min_u32(build->end, from + NIGHI_PLAN_STEP);
    nigh_status status = nighi_source_ready(job->index, nighi_load(&job->index->counts.slot_count));
    for (uint32_t item = from; item < to && status == NIGH_OK; item++) {
        status = nighi_build_plan(job, session, item);
    }
    return status;
}

/* ---- Entering ------------------------------------------------------------------------------- */

/* The key of an item, if the index can take it. */
static nigh_status nighi_build_key(nigh_job *job, uint32_t item, nighi_key *key) {
    nigh_index *index = job->index;
    nighi_build_job *build = job->state;
    const uint32_t slot = build->first_slot + item;
    *key = (nighi_key){slot, NULL, 0};
    nigh_status status = NIGH_OK;
    if (job->input.keys != NULL) {
        status = nighi_key_take(index, job->input.keys, job->input.key_lengths, item,
                                &build->key_offset, key);
    }
    if (status != NIGH_OK) {
        return status;
    }
    if (index->config.keys == NIGH_KEYS_IDENTITY) {
        return key->value == slot ? NIGH_OK : NIGH_E_KEY;
    }
    const uint32_t found = nighi_keymap_find(index, key);
    if (found != NIGHI_NONE) {
        return nighi_node_live(nighi_node_word(index, found)) ? NIGH_E_EXISTS : NIGH_E_DELETED;
    }
    status = nighi_keymap_touch(index, key, slot, false);
    return status == NIGH_OK && !nighi_key_fits(index, key) ? NIGH_E_FULL : status;
}

static void nighi_build_enter_one(nigh_job *job, nigh_session *session, uint32_t item,
                                  const nighi_key *key) {
    nigh_index *index = job->index;
    nighi_build_job *build = job->state;
    const uint32_t slot = build->first_slot + item;
    const uint32_t level = nighi_build_level(build, item);
    const uint32_t at = item - build->begin;
    nighi_image_open(index);
    nighi_place_claim(index, slot, level, key);
    nighi_clamped_add(index, build->clamped[at]);
    nighi_and(nighi_word(&index->regions[NIGHI_NODE], slot), ~NIGHI_NODE_PENDING);
    build->children[slot] = 0;
    build->last_child[slot] = NIGHI_NONE;
    if (nighi_load(&index->counts.entry) == NIGHI_NONE) {
        nighi_store(&index->counts.root, slot);
    } else {
        const uint32_t parent = nighi_build_parent(job, slot);
        const uint32_t lost = nighi_child_adopt(index, &session->plan, parent, slot);
        build->children[parent]++;
        build->last_child[parent] = slot;
        if (lost != NIGHI_NONE) { /* it may yet be chosen again */
            build->more[(uint64_t)at * NIGHI_MORE_STEP] = nighi_edge_base(parent, lost);
        }
    }
    const uint32_t entry = nighi_load(&index->counts.entry);
    if (entry == NIGHI_NONE || level > nighi_level(index, entry)) {
        nighi_store_release(&index->counts.entry, slot);
    }
}

static nigh_status nighi_build_enter(nigh_job *job, nigh_session *session) {
    nigh_index *index = job->index;
    nighi_build_job *build = job->state;
    const uint32_t to = nighi_min_u32(build->end, build->entered + NIGHI_ENTER_STEP);
    const uint32_t before = build->entered;
    nigh_status status = NIGH_OK;
    while (status == NIGH_OK && build->entered < to && build->entered < build->stop) {
        nighi_key key;
        const uint64_t offset = build->key_offset;
        const uint32_t item = build->entered;
        status = nighi_build_key(job, item, &key);
        if (status == NIGH_OK && index->pager.dirty != NULL &&
            nighi_load(&index->counts.entry) != NIGHI_NONE) {
            status =
                nighi_touch(index, NIGHI_LINKS0, nighi_build_parent(job, build->first_slot + item));
        }
        if (status == NIGH_E_EXISTS || status == NIGH_E_DELETED || status == NIGH_E_KEY ||
            status == NIGH_E_FULL) {
            nighi_build_stop(job, item, status);
            status = NIGH_OK;
        } else if (status != NIGH_OK) {
            build->key_offset = offset;
        } else {
            nighi_build_enter_one(job, session, item, &key);
            build->entered++;
        }
    }
    nighi_job_done(job, build->entered - before);
    return status;
}

/* ---- Links back ----------------------------------------------------------------------------- */

static nigh_status nighi_build_sort(nigh_job *job) {
    nighi_build_job *build = job->state;
    const uint32_t at = build->entered - build->begin;
    /* What did not enter has no edges. */
    nighi_edges_cut(&build->edges,
                    at * build->edge_step + (uint64_t)build->upper_at[at] * job->index->config.m);
    nighi_edges_sort(&build->edges);
    return NIGH_OK;
}

/* Nodes of the batch that chose a neighbour which `links` has too, behind links[count]. */
static uint32_t nighi_pair_candidates(const nigh_job *job, uint32_t slot, uint32_t level,
                                      uint32_t *links, uint32_t count, uint32_t room) {
    const nighi_build_job *build = job->state;
    const uint32_t first = build->first_slot + build->begin;
    uint32_t total = count;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t at = nighi_edges_find(&build->edges, level, links[i]);
        for (uint32_t from = 0; total < room; at++) {
            if (!nighi_edges_slot(&build->edges, at, level, links[i], first, &from)) {
                break;
            }
            if (from != slot && nighi_links_find(links, total, from) == NIGHI_NONE) {
                links[total++] = from;
            }
        }
    }
    return total;
}

/* The nodes of its own batch that a node should link to. */
static nigh_status nighi_build_pair(nigh_job *job, nigh_session *session, uint32_t item,
                                    uint32_t level, uint32_t *used) {
    nigh_index *index = job->index;
    const nighi_build_job *build = job->state;
    nighi_plan *plan = &session->plan;
    const uint32_t slot = build->first_slot + item;
    const uint32_t first = build->first_slot + build->begin;
    const uint32_t at = item - build->begin;
    uint32_t *links = plan->links;
    uint32_t *chosen = plan->row_links;
    uint64_t *more = build->more + (uint64_t)at * NIGHI_MORE_STEP + 1;
    uint32_t sorted = 0;
    uint32_t count = 0;
    nighi_space space;
    const uint32_t own =
        nighi_row_read(nighi_row(index, slot, level), nighi_degree_max(index, level), slot, links);
    const uint32_t total =
        nighi_pair_candidates(job, slot, level, links, own, 2 * index->config.m0);
    if (total == own) {
        return NIGH_OK;
    }
    plan->self = NIGHI_SELF_NEW;
    plan->coded = nighi_coded_build(index);
    plan->alpha = index->config.alpha;
    nighi_space_get(index, plan->coded, &space);
    nigh_status status = nighi_links_sort(&space, session, slot, links, total, false, &sorted);
    if (status == NIGH_OK) {
        status =
            nighi_select(&space, session, sorted, nighi_degree_new(index, level), chosen, &count);
    }
    for (uint32_t i = 0; status == NIGH_OK && i < count && *used < NIGHI_PAIR_MAX; i++) {
        if (chosen[i] >= first) {
            more[2 * *used] = level == 0 ? nighi_edge_base(slot, chosen[i])
                                         : nighi_edge_upper(level, slot, chosen[i] - first);
            more[2 * *used + 1] = level == 0 ? nighi_edge_base(chosen[i], slot)
                                             : nighi_edge_upper(level, chosen[i], at);
            ++*used;
        }
    }
    return status;
}

static nigh_status nighi_build_pairs(nigh_job *job, nigh_session *session, uint32_t task) {
    nighi_build_job *build = job->state;
    const uint32_t from = build->begin + task * NIGHI_PAIR_STEP;
    const uint32_t to = nighi_min_u32(build->entered, from + NIGHI_PAIR_STEP);
    nigh_status status = NIGH_OK;
    for (uint32_t item = from; item < to; item++) {
        uint32_t used = 0;
        for (uint32_t level = 0; level <= nighi_build_level(build, item); level++) {
            if (status == NIGH_OK) {
                status = nighi_build_pair(job, session, item, level, &used);
            }
        }
    }
    return status;
}

static nigh_status nighi_build_more(nigh_job *job) {
    nighi_build_job *build = job->state;
    const uint64_t count = (uint64_t)(build->entered - build->begin) * NIGHI_MORE_STEP;
    nighi_edges_add(&build->edges, build->more, count);
    nighi_fill(build->more, 0xff, count * 8); /* once, should telling the pager fail */
    nighi_edges_sort(&build->edges);
    return nighi_edges_touch(job->index, &build->edges);
}

static nigh_status nighi_build_merge(nigh_job *job, nigh_session *session, uint32_t task) {
    nighi_build_job *build = job->state;
    session->plan.alpha = job->index->config.alpha;
    return nighi_edges_merge(job->index, session, &build->edges, task,
                             build->first_slot + build->begin);
}

/* A nighi_floats_fn: a vector to come. */
static nigh_status nighi_build_floats(nigh_job *job, nigh_session *session, uint32_t at,
                                      const float **floats) {
    const nighi_build_job *build = job->state;
    const uint8_t *row = job->input.vectors;
    const bool numbers = job->input.keys != NULL && job->index->config.keys == NIGH_KEYS_U64;
    const uint32_t slot = build->first_slot + at;
    const nighi_key key = {numbers ? nighi_load_u64(job->input.keys + (size_t)at * 8) : slot, NULL,
                           0};
    row = row == NULL ? NULL : row + (size_t)at * (size_t)job->options.vector_stride;
    const nigh_status status = nighi_place_prepare(job->index, session, slot, &key, row);
    *floats = NULL;
    if (status == NIGH_E_VECTOR || status == NIGH_E_MISMATCH) {
        return NIGH_OK; /* told when its turn comes */
    }
    if (status == NIGH_OK) {
        *floats = nighi_code_floats(job->index, session->plan.record, session->query_scratch);
    }
    return status;
}

static nigh_status nighi_build_sample(nigh_job *job, nigh_session *session, uint32_t task) {
    nighi_build_job *build = job->state;
    const nigh_status ready =
        nighi_source_ready(job->index, nighi_load(&job->index->counts.slot_count));
    return ready == NIGH_OK
               ? nighi_sampler_task(build->sampler, nighi_build_floats, job, session, task)
               : ready;
}

/* A phase of the sample is over; after the last there is a span. */
static void nighi_build_sampled(nigh_job *job) {
    nigh_index *index = job->index;
    nighi_build_job *build = job->state;
    if (build->on == NIGHI_ON_VECTORS) {
        return;
    }
    nighi_sampler_next(build->sampler, &build->draft.coding);
    if (job->phase + 1 < NIGHI_BUILD_BEGIN) {
        return;
    }
    if (build->on == NIGHI_ON_DRAFT) {
        index->draft = &build->draft;
    } else {
        nighi_coding_set(index, &build->draft.coding);
        nighi_store_release(&index->coding.active, 1u);
    }
}

/* A span that no vector was encoded with is not kept: other vectors may come first. */
static void nighi_build_end(nigh_job *job) {
    nigh_index *index = job->index;
    const nighi_build_job *build = job->state;
    index->draft = NULL;
    if (build->on == NIGHI_ON_CODES && nighi_load(&index->counts.slot_count) == 0) {
        nighi_store_release(&index->coding.active, 0u);
    }
}

static bool nighi_build_next(nigh_job *job) {
    nighi_build_job *build = job->state;
    const bool entering =
        build->entered < nighi_min_u32(build->end, build->stop) && job->phase >= NIGHI_BUILD_PLAN;
    if (job->phase >= NIGHI_BUILD_SAMPLE && job->phase < NIGHI_BUILD_BEGIN) {
        nighi_build_sampled(job);
    }
    if (job->phase == NIGHI_BUILD_MERGE) {
        build->begin = build->entered;
        job->phase = NIGHI_BUILD_BEGIN;
    } else if (job->phase != NIGHI_BUILD_ENTER || !entering) {
        job->phase++;
    }
    const uint32_t size = build->end - build->begin;
    job->task_count = 1;
    switch (job->phase) {
    case NIGHI_BUILD_TREE:
        job->task_count = (build->first_slot + NIGHI_TREE_STEP - 1) / NIGHI_TREE_STEP;
        break;
    case NIGHI_BUILD_SAMPLE:
    case NIGHI_BUILD_SAMPLE + 1:
        job->task_count = build->on == NIGHI_ON_VECTORS ? 0 : nighi_sampler_tasks(build->sampler);
        break;
    case NIGHI_BUILD_BEGIN:
        return build->begin < build->stop;
    case NIGHI_BUILD_PLAN:
        job->task_count = (size + NIGHI_PLAN_STEP - 1) / NIGHI_PLAN_STEP;
        break;
    case NIGHI_BUILD_PAIR:
        job->task_count = (build->entered - build->begin + NIGHI_PAIR_STEP - 1) / NIGHI_PAIR_STEP;
        break;
    case NIGHI_BUILD_MERGE:
        job->task_count = nighi_edges_tasks(&build->edges);
        break;
    default:
        break;
    }
    return true;
}

static nigh_status nighi_build_task(nigh_job *job, nigh_session *session, uint32_t task) {
    switch (job->phase) {
    case NIGHI_BUILD_TREE:
        nighi_build_tree(job, task);
        return NIGH_OK;
    case NIGHI_BUILD_SAMPLE:
    case NIGHI_BUILD_SAMPLE + 1:
        return nighi_build_sample(job, session, task);
    case NIGHI_BUILD_BEGIN:
        return nighi_build_begin(job);
    case NIGHI_BUILD_PLAN:
        return nighi_build_plans(job, session, task);
    case NIGHI_BUILD_ENTER:
        return nighi_build_enter(job, session);
    case NIGHI_BUILD_SORT:
        return nighi_build_sort(job);
    case NIGHI_BUILD_PAIR:
        return nighi_build_pairs(job, session, task);
    case NIGHI_BUILD_MORE:
        return nighi_build_more(job);
    default:
        return nighi_build_merge(job, session, task);
    }
}

NIGHI_FN const nighi_job_kind *nighi_job_build(void) {
    static const nighi_job_kind kind = {nighi_build_layout, nighi_build_next, nighi_build_task,
                                        nighi_build_end};
    return &kind;
}
