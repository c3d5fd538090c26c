/* plan.c - neighbour selection and row plans
 * layer L11; uses: plan
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "plan.h"

#define NIGHI_SELECT_GROUP 4u

/* The row of a slot in the plan's space; that of the planned vector comes from the plan. */
static const void *nighi_plan_row_at(const nighi_space *space, const nighi_plan *plan,
                                     uint32_t slot) {
    if (slot == plan->self) {
        return space->coded ? (const void *)plan->code : plan->vector;
    }
    return nighi_space_row(space, slot);
}

/* `row` as one side of comparisons. */
static void nighi_probe_make(const nighi_space *space, const void *row, float *scratch,
                             uint8_t *code, nighi_query *query, nighi_probe *probe) {
    *probe = (nighi_probe){query, code, 0};
    if (NIGHI_HAS_CODES && space->coded) {
        probe->bias = nighi_code_query(space->coding, space->index->config.dim, row, code);
    } else {
        nighi_query_from_stored(&space->index->metric, row, scratch, query);
    }
}

/* Is `near` alpha times nearer than `order`? Alpha 1 is the paper's heuristic. */
static bool nighi_nearer(const nighi_space *space, float alpha, uint32_t near, uint32_t order) {
    if (!NIGHI_HAS_FLOATS || alpha == 1.0f || space->index->config.metric == NIGH_METRIC_IP) {
        return near < order;
    }
    if (space->coded) {
        const uint32_t fixed = (uint32_t)nighi_fp_mul(alpha, 65536.0f);
        return (uint64_t)near * fixed < (uint64_t)order << 16;
    }
    return nighi_fp_mul(nighi_f32_from_order(near), alpha) < nighi_f32_from_order(order);
}

/* True when a kept row is nearer to the candidate than the vector asked about is. */
static bool nighi_shadowed(const nighi_space *space, nigh_session *session, const void *candidate,
                           uint32_t order, uint32_t kept_count) {
    nighi_plan *plan = &session->plan;
    nighi_query query;
    nighi_probe probe;
    float distances[NIGHI_SELECT_GROUP];
    uint32_t near[NIGHI_SELECT_GROUP];
    if (kept_count == 0) {
        return false;
    }
    nighi_probe_make(space, candidate, plan->scratch_near, plan->code_near, &query, &probe);
    for (uint32_t at = 0; at < kept_count; at += NIGHI_SELECT_GROUP) {
        const uint32_t part = nighi_min_u32(kept_count - at, NIGHI_SELECT_GROUP);
        nighi_space_rows(space, &probe, plan->kept + at, part, distances, near);
        session->stats.distances += part;
        for (uint32_t i = 0; i < part; i++) {
            if (nighi_nearer(space, plan->alpha, near[i], order)) {
                return true;
            }
        }
    }
    return false;
}

/* Addresses of the candidates' vectors; those of slots not stored yet come from the plan. */
static nigh_status nighi_candidates_fetch(const nigh_index *index, nigh_session *session,
                                          const uint64_t *sorted, uint32_t count) {
    const nighi_plan *plan = &session->plan;
    uint32_t known = 0;
    uint32_t self_at = NIGHI_NONE;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t slot = nighi_entry_slot(sorted[i]);
        if (slot == plan->self) {
            self_at = i;
        } else {
            session->slots[known++] = slot;
        }
    }
    const nigh_status status =
        known == 0 ? NIGH_OK
                   : nighi_vectors(index, session, session->slots, known, session->vectors);
    if (status == NIGH_OK && self_at != NIGHI_NONE) {
        for (uint32_t i = known; i > self_at; i--) {
            session->vectors[i] = session->vectors[i - 1];
        }
        session->vectors[self_at] = plan->vector;
    }
    return status;
}

static void nighi_keep(const nighi_space *space, nigh_session *session, const void *row,
                       uint32_t at) {
    nighi_plan *plan = &session->plan;
    plan->kept[at] = row;
    if (!space->addressed) { /* the next fetch may take the address back */
        uint8_t *copy = plan->kept_rows + (size_t)at * plan->kept_stride;
        nighi_copy(copy, row, space->index->metric.row_bytes);
        plan->kept[at] = copy;
    }
}

/* Fills out[kept..limit) with the nearest of plan->sorted that are not in it. */
static uint32_t nighi_fill_up(const nighi_plan *plan, uint32_t count, uint32_t limit, uint32_t *out,
                              uint32_t kept) {
    for (uint32_t i = 0; i < count && kept < limit; i++) {
        const uint32_t slot = nighi_entry_slot(plan->sorted[i]);
        if (nighi_links_find(out, kept, slot) == NIGHI_NONE) {
            out[kept++] = slot;
        }
    }
    return kept;
}

/* SELECT-NEIGHBORS-HEURISTIC (Malkov and Yashunin 2016, algorithm 4; alpha: Subramanya et al.,
 * DiskANN, 2019): from plan->sorted, nearest first, keep a candidate unless one kept before is
 * nearer to it than the vector is. */
NIGHI_FN nigh_status nighi_select(const nighi_space *space, nigh_session *session, uint32_t count,
                                  uint32_t limit, uint32_t *out, uint32_t *out_count) {
    nighi_plan *plan = &session->plan;
    const nigh_index *index = space->index;
    const bool addressed = space->addressed;
    uint32_t kept = 0;
    for (uint32_t at = 0; at < count && kept < limit;) {
        const uint32_t part = addressed ? 1 : nighi_min_u32(count - at, session->fetch_max);
        if (!addressed) {
            const nigh_status status =
                nighi_candidates_fetch(index, session, plan->sorted + at, part);
            if (status != NIGH_OK) {
                return status;
            }
        }
        for (uint32_t i = 0; i < part && kept < limit; i++) {
            const uint64_t entry = plan->sorted[at + i];
            const uint32_t slot = nighi_entry_slot(entry);
            const void *row =
                addressed ? nighi_plan_row_at(space, plan, slot) : session->vectors[i];
            if (!nighi_shadowed(space, session, row, nighi_entry_order(entry), kept)) {
                nighi_keep(space, session, row, kept);
                out[kept++] = slot;
            }
        }
        at += part;
    }
    if ((index->config.build_flags & NIGH_BUILD_KEEP_PRUNED) != 0) {
        kept = nighi_fill_up(plan, count, limit, out, kept);
    }
    *out_count = kept;
    return NIGH_OK;
}

/* Reads a row with its version, until both agree. */
static uint32_t nighi_row_observe(const nigh_index *index, uint32_t slot, uint32_t level,
                                  uint32_t *links, uint32_t *version) {
    nighi_writer *writer = index->writer;
    uint32_t *stripe = &writer->rows[nighi_stripe(writer, slot)];
    const uint32_t slot_count = nighi_load_acquire(&index->counts.slot_count);
    for (;;) {
        *version = nighi_load_acquire(stripe);
        const uint32_t *row = nighi_row(index, slot, level);
        const uint32_t count =
            row == NULL
                ? 0
                : nighi_row_read_marked(row, nighi_degree_max(index, level), slot_count, links);
        if ((*version & 1) == 0 && nighi_version_again(stripe) == *version) {
            return count;
        }
        nighi_pause();
    }
}

/* Prepares the row of `slot` as the one that orders are asked from. */
static nigh_status nighi_owner_probe(const nighi_space *space, nigh_session *session, uint32_t slot,
                                     nighi_query *query, nighi_probe *probe) {
    nighi_plan *plan = &session->plan;
    const void *row = NULL;
    if (space->addressed) {
        row = nighi_space_row(space, slot);
    } else {
        const nigh_status status = nighi_vectors(space->index, session, &slot, 1, &row);
        if (status != NIGH_OK) {
            return status;
        }
        nighi_copy(plan->owner, row, space->index->metric.row_bytes);
        row = plan->owner;
    }
    nighi_probe_make(space, row, plan->scratch, plan->code_owner, query, probe);
    return NIGH_OK;
}

NIGHI_FN nigh_status nighi_links_sort(const nighi_space *space, nigh_session *session,
                                      uint32_t owner, const uint32_t *links, uint32_t count,
                                      bool with_self, uint32_t *sorted_count) {
    nighi_plan *plan = &session->plan;
    nighi_query query;
    nighi_probe probe;
    NIGHI_ASSERT(count <= session->batch_max);
    *sorted_count = 0;
    nighi_space_take(space, session, links, session->vectors, count);
    nigh_status status = nighi_owner_probe(space, session, owner, &query, &probe);
    if (status == NIGH_OK) {
        status = nighi_space_score(space, session, &probe, links, session->vectors, count);
    }
    if (status != NIGH_OK) {
        return status;
    }
    const uint32_t limit = count + 1;
    for (uint32_t i = 0; i < count; i++) {
        (void)nighi_list_insert(plan->sorted, sorted_count, limit,
                                nighi_entry(session->orders[i], links[i]));
    }
    if (with_self) {
        const void *row = nighi_plan_row_at(space, plan, plan->self);
        float distance = 0;
        uint32_t order = 0;
        nighi_space_rows(space, &probe, &row, 1, &distance, &order);
        (void)nighi_list_insert(plan->sorted, sorted_count, limit, nighi_entry(order, plan->self));
    }
    return NIGH_OK;
}

/* The row of an old neighbour: `self` leaves, its other neighbours are offered instead. *own_count
 * links are the row's own. */
static uint32_t nighi_repair_links(const nigh_index *index, nighi_plan *plan, uint32_t owner,
                                   uint32_t count, uint32_t *own_count) {
    uint32_t *links = plan->links;
    uint32_t *own = plan->links + 2 * (size_t)index->config.m0;
    const uint32_t slot_count = nighi_load_acquire(&index->counts.slot_count);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (nighi_link_slot(links[i]) != plan->self) {
            links[kept++] = nighi_link_slot(links[i]);
        }
    }
    *own_count = kept;
    const uint32_t extra =
        nighi_row_read(nighi_row0(index, plan->self), index->config.m0, slot_count, own);
    for (uint32_t i = 0; i < extra; i++) {
        if (own[i] != owner && nighi_links_find(links, kept, own[i]) == NIGHI_NONE &&
            nighi_node_live(nighi_node_word(index, own[i]))) {
            links[kept++] = own[i];
        }
    }
    return kept;
}

NIGHI_FN nigh_status nighi_plan_row(const nigh_index *index, nigh_session *session,
                                    nighi_row_plan *row) {
    nighi_plan *plan = &session->plan;
    const uint32_t degree_max = nighi_degree_max(index, row->level);
    uint32_t *links = plan->links;
    uint32_t count = nighi_row_observe(index, row->slot, row->level, links, &row->version);
    const bool linked = nighi_links_find(links, count, plan->self) != NIGHI_NONE;
    row->kind = NIGHI_ROW_NONE;
    row->count = 0;
    if (linked != (row->repair != 0) || nighi_row(index, row->slot, row->level) == NULL) {
        return NIGH_OK; /* nothing to add, or nothing to take out */
    }
    if (row->repair == 0 && count < degree_max) {
        row->kind = NIGHI_ROW_APPEND;
        return NIGH_OK;
    }
    uint32_t own_count = 0;
    if (row->repair != 0) {
        count = nighi_repair_links(index, plan, row->slot, count, &own_count);
    }
    for (uint32_t i = 0; i < count; i++) {
        links[i] = nighi_link_slot(links[i]);
    }
    uint32_t sorted = 0;
    nighi_space space;
    nighi_space_get(index, plan->coded, &space);
    const nigh_status status =
        nighi_links_sort(&space, session, row->slot, links, count, row->repair == 0, &sorted);
    if (status != NIGH_OK) {
        return status;
    }
    row->kind = NIGHI_ROW_SELECT;
    const nigh_status selected =
        nighi_select(&space, session, sorted, degree_max, row->links, &row->count);
    /* A repair must not thin the row out: its own links stay as far as there is room. */
    for (uint32_t i = 0; i < own_count && row->count < degree_max; i++) {
        if (nighi_links_find(row->links, row->count, links[i]) == NIGHI_NONE) {
            row->links[row->count++] = links[i];
        }
    }
    return selected;
}

static nigh_status nighi_plan_add(const nigh_index *index, nigh_session *session, uint32_t slot,
                                  uint32_t level, bool repair) {
    nighi_plan *plan = &session->plan;
    NIGHI_ASSERT(plan->row_count < plan->row_max);
    nighi_row_plan *row = &plan->rows[plan->row_count++];
    row->slot = slot;
    row->level = level;
    row->repair = repair;
    row->links = plan->row_links + plan->row_links_used;
    plan->row_links_used += nighi_degree_max(index, level);
    return nighi_plan_row(index, session, row);
}

/* Candidates of a layer: live ones; removed ones only where there are too few. */
static uint32_t nighi_candidates(const nigh_index *index, nigh_session *session) {
    nighi_plan *plan = &session->plan;
    for (uint32_t pass = 0;; pass++) {
        uint32_t count = 0;
        for (uint32_t i = 0; i < session->pool_count; i++) {
            const uint32_t slot = nighi_entry_slot(session->pool[i]);
            const uint32_t word = nighi_node_word(index, slot);
            if (slot != plan->self &&
                (pass == 0 ? nighi_node_live(word) : nighi_node_present(word))) {
                plan->sorted[count++] = session->pool[i] & ~(uint64_t)1;
            }
        }
        if (pass == 1 || count >= index->config.m) {
            return count;
        }
    }
}

static nigh_status nighi_plan_layer(const nigh_index *index, nigh_session *session,
                                    uint32_t level) {
    nighi_plan *plan = &session->plan;
    uint32_t *chosen = nighi_plan_chosen(index, plan, level);
    const uint32_t count = nighi_candidates(index, session);
    const uint32_t limit = nighi_degree_new(index, level);
    nighi_space space;
    nighi_space_get(index, plan->coded, &space);
    nigh_status status =
        nighi_select(&space, session, count, limit, chosen, &plan->chosen_count[level]);
    for (uint32_t i = 0;
         plan->rowless == false && status == NIGH_OK && i < plan->chosen_count[level]; i++) {
        status = nighi_plan_add(index, session, chosen[i], level, false);
    }
    return status;
}

static nigh_status nighi_plan_repairs(const nigh_index *index, nigh_session *session) {
    nighi_plan *plan = &session->plan;
    uint32_t *old = plan->links + 3 * (size_t)index->config.m0;
    const uint32_t slot_count = nighi_load_acquire(&index->counts.slot_count);
    const uint32_t count =
        nighi_row_read(nighi_row0(index, plan->self), index->config.m0, slot_count, old);
    for (uint32_t i = 0; i < count; i++) {
        if (nighi_links_find(plan->chosen, plan->chosen_count[0], old[i]) == NIGHI_NONE) {
            const nigh_status status = nighi_plan_add(index, session, old[i], 0, true);
            if (status != NIGH_OK) {
                return status;
            }
        }
    }
    return NIGH_OK;
}

/* The ef_build nearest of a layer; beside removed nodes in layer 0 the nearest live ones, which new
 * links should lead to, unless there are hardly any. */
static nigh_status nighi_plan_search(const nighi_walk *walk, uint32_t level, uint64_t start) {
    nigh_status status = NIGH_OK;
    if (level == 0 && nighi_load(&walk->index->counts.deleted_count) != 0) {
        status = nighi_beam_filtered(walk, start);
        if (status != NIGH_OK || walk->session->hash_full != 0) {
            return status == NIGH_OK ? NIGH_E_SESSION : status;
        }
        if (walk->session->pool_count >= walk->index->config.m) {
            return NIGH_OK;
        }
    }
    status = nighi_beam(walk, level, start);
    /* A SMALL session that could not see all would give other bytes than a big one. */
    return status == NIGH_OK && walk->session->hash_full != 0 ? NIGH_E_SESSION : status;
}

/* A walk for the planned vector, whose query and code are prepared. */
static void nighi_plan_walk(const nigh_index *index, nigh_session *session, uint32_t slot_count,
                            nighi_walk *walk) {
    nighi_plan *plan = &session->plan;
    const bool placed = plan->self != NIGHI_SELF_NEW;
    plan->coded = nighi_coded_build(index);
    plan->alpha = index->config.alpha;
    *walk = (nighi_walk){.index = index,
                         .session = session,
                         .probe = {&session->query, session->code_query, 0},
                         .slot_count = slot_count,
                         .ef = index->config.ef_build,
                         .expansions = index->config.expansions,
                         .skip = placed ? plan->self : NIGHI_NONE,
                         .coded = plan->coded,
                         .unfiltered = true};
    if (plan->coded) {
        walk->probe.bias = nighi_code_query(nighi_coding_on(index, plan->coded), index->config.dim,
                                            plan->code, session->code_query);
    }
    session->frontier_limit =
        nighi_min_u32(nighi_plan_frontier(&index->config), session->frontier_max);
    session->hash_full = 0;
    plan->row_count = 0;
    plan->row_links_used = 0;
    nighi_fill(plan->chosen_count, 0, sizeof plan->chosen_count);
}

NIGHI_FN nigh_status nighi_plan_make(const nigh_index *index, nigh_session *session, bool rowless) {
    nighi_plan *plan = &session->plan;
    const uint32_t entry = nighi_load_acquire(&index->counts.entry);
    const bool placed = plan->self != NIGHI_SELF_NEW;
    uint64_t start = 0;
    nighi_walk walk;
    plan->rowless = rowless;
    nighi_plan_walk(index, session, nighi_load_acquire(&index->counts.slot_count), &walk);
    plan->empty = entry >= walk.slot_count;
    if (plan->empty != 0 || (placed && walk.slot_count == 1)) {
        return NIGH_OK;
    }
    const uint32_t top = nighi_min_u32(plan->level, nighi_level(index, entry));
    nigh_status status = nighi_descend(&walk, entry, top, &start);
    for (uint32_t level = top + 1; status == NIGH_OK && level-- > 0;) {
        status = nighi_plan_search(&walk, level, start);
        start = session->pool[0] & ~(uint64_t)1;
        if (status == NIGH_OK) {
            status = nighi_plan_layer(index, session, level);
        }
    }
    return status == NIGH_OK && placed ? nighi_plan_repairs(index, session) : status;
}

/* Own links that the search did not find, scored and sorted in. */
static nigh_status nighi_links_join(const nigh_index *index, nigh_session *session, uint32_t slot,
                                    const nighi_probe *probe, uint32_t limit, uint32_t *count) {
    nighi_plan *plan = &session->plan;
    uint32_t *links = plan->links;
    const uint32_t slot_count = nighi_load(&index->counts.slot_count);
    const uint32_t own =
        nighi_row_read(nighi_row0(index, slot), index->config.m0, slot_count, links);
    uint32_t missing = 0;
    nighi_space space;
    for (uint32_t i = 0; i < own; i++) {
        bool found = !nighi_node_live(nighi_node_word(index, links[i]));
        for (uint32_t j = 0; j < *count && !found; j++) {
            found = nighi_entry_slot(plan->sorted[j]) == links[i];
        }
        links[missing] = links[i];
        missing += !found;
    }
    nighi_space_get(index, plan->coded, &space);
    nighi_space_take(&space, session, links, session->vectors, missing);
    const nigh_status status =
        nighi_space_score(&space, session, probe, links, session->vectors, missing);
    for (uint32_t i = 0; status == NIGH_OK && i < missing; i++) {
        (void)nighi_list_insert(plan->sorted, count, limit,
                                nighi_entry(session->orders[i], links[i]));
    }
    return status;
}

/* Where a search begins that may not begin at `slot` itself; there is a link. */
static nigh_status nighi_start_beside(const nighi_walk *walk, uint32_t slot, uint64_t *start) {
    nigh_session *session = walk->session;
    const uint32_t link = nighi_link_slot(nighi_load(nighi_row0(walk->index, slot)));
    nighi_space space;
    session->slots[0] = link;
    nighi_space_get(walk->index, walk->coded, &space);
    nighi_space_take(&space, session, session->slots, session->vectors, 1);
    const nigh_status status =
        nighi_space_score(&space, session, &walk->probe, session->slots, session->vectors, 1);
    *start = nighi_entry(session->orders[0], session->slots[0]);
    return status;
}

NIGHI_FN nigh_status nighi_plan_query(const nigh_index *index, nigh_session *session,
                                      uint32_t slot) {
    nighi_plan *plan = &session->plan;
    const void *vector = NULL;
    const nigh_status status = nighi_vectors(index, session, &slot, 1, &vector);
    if (status != NIGH_OK) {
        return status;
    }
    if (!nighi_source_addressed(index)) {
        nighi_copy(plan->record, vector, index->metric.row_bytes);
        vector = plan->record;
    }
    plan->vector = vector;
    nighi_query_from_stored(&index->metric, vector, session->query_scratch, &session->query);
    return NIGH_OK;
}

/* The node of `slot` becomes what the session's walks look for. */
static nigh_status nighi_plan_aim(const nigh_index *index, nigh_session *session, uint32_t slot) {
    const uint8_t on = nighi_coded_build(index);
    if (on != NIGHI_ON_VECTORS) {
        const nighi_region *codes = nighi_codes_on(index, on);
        nighi_copy(session->plan.code, nighi_record(codes, slot), codes->stride);
        return NIGH_OK;
    }
    return nighi_plan_query(index, session, slot);
}

NIGHI_FN nigh_status nighi_plan_near(const nigh_index *index, nigh_session *session, uint32_t slot,
                                     uint32_t ef, nighi_walk *walk) {
    const uint32_t entry = nighi_load_acquire(&index->counts.entry);
    const uint32_t slot_count = nighi_load_acquire(&index->counts.slot_count);
    uint64_t start = 0;
    session->pool_count = 0;
    session->plan.self = slot;
    nigh_status status = nighi_plan_aim(index, session, slot);
    if (status != NIGH_OK || slot_count < 2) {
        return status;
    }
    nighi_plan_walk(index, session, slot_count, walk);
    walk->ef = ef;
    walk->expansions = 4;
    status = nighi_descend(walk, entry, 0, &start);
    if (status == NIGH_OK && nighi_entry_slot(start) == slot) {
        if (nighi_link_slot(nighi_load(nighi_row0(index, slot))) >= slot_count) {
            return NIGH_OK; /* the only node there is */
        }
        status = nighi_start_beside(walk, slot, &start);
    }
    return status == NIGH_OK ? nighi_beam(walk, 0, start) : status;
}

NIGHI_FN nigh_status nighi_plan_around(const nigh_index *index, nigh_session *session,
                                       uint32_t slot, uint32_t ef, uint32_t *count) {
    nighi_plan *plan = &session->plan;
    nighi_walk walk;
    *count = 0;
    const nigh_status status = nighi_plan_near(index, session, slot, ef, &walk);
    if (status != NIGH_OK || session->pool_count == 0) {
        return status;
    }
    for (uint32_t i = 0; i < session->pool_count; i++) {
        const uint64_t found = session->pool[i] & ~(uint64_t)1;
        if (nighi_entry_slot(found) != slot &&
            nighi_node_live(nighi_node_word(index, nighi_entry_slot(found)))) {
            plan->sorted[(*count)++] = found;
        }
    }
    return nighi_links_join(index, session, slot, &walk.probe, ef + index->config.m0, count);
}
