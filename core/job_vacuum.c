/* job_vacuum.c - removed nodes leave for good
 * layer L14; uses: job, blocks, graph, image, keymap, link, plan, racy, source
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * First every row that leads to removed nodes gets what lies behind them instead (as FreshDiskANN
 * does: Singh et al., 2021), side by side: rows of removed nodes are only read, each other row is
 * read and stored by one task. Then live nodes under removed parents get live ones, where older
 * ones have room. Then removed nodes leave, youngest first: the oldest child of one takes its
 * place, the others find parents first. Between any two steps the tree is whole, and nobody has too
 * many children. A freed slot keeps its layers. */
#include "blocks.h"
#include "graph.h"
#include "image.h"
#include "job.h"
#include "keymap.h"
#include "link.h"
#include "plan.h"
#include "racy.h"
#include "source.h"

#define NIGHI_VACUUM_STEP 256u  /* rows a task */
#define NIGHI_VACUUM_TREE 4096u /* slots a task */
#define NIGHI_VACUUM_FREE 512u  /* slots a task */

enum {
    NIGHI_VACUUM_OPEN = 1, /* image and pager are told which rows will change */
    NIGHI_VACUUM_REPAIR,   /* live rows lead round removed nodes */
    NIGHI_VACUUM_DROP,     /* removed rows no longer lead to removed ones */
    NIGHI_VACUUM_COUNT,    /* who has how many children */
    NIGHI_VACUUM_PARENTS,  /* live nodes get live parents */
    NIGHI_VACUUM_LEAVE,    /* removed nodes leave */
    NIGHI_VACUUM_END
};

typedef struct nighi_vacuum_job {
    uint32_t slot_count;
    uint32_t at;          /* of a phase that goes slot by slot */
    uint32_t lowest;      /* the live node that will be the root */
    uint8_t *children;    /* of live nodes; before they are counted: layers that are repaired */
    uint32_t *last_child; /* the youngest one that has its parent for good */
} nighi_vacuum_job;

static void nighi_vacuum_layout(nighi_arena *arena, nigh_job *job) {
    const uint32_t slot_count = nighi_load_acquire(&job->index->counts.slot_count);
    nighi_vacuum_job *vacuum = nighi_arena_take(arena, 1, sizeof *vacuum);
    uint8_t *children = nighi_arena_take(arena, slot_count, 1);
    uint32_t *last_child = nighi_arena_take(arena, slot_count, 4);
    if (vacuum != NULL) {
        *vacuum = (nighi_vacuum_job){slot_count, 0, NIGHI_NONE, children, last_child};
        nighi_fill(children, 0, slot_count);
        job->state = vacuum;
        job->total = nighi_load(&job->index->counts.deleted_count);
    }
}

static bool nighi_slot_live(const nigh_index *index, uint32_t slot) {
    return nighi_node_live(nighi_node_word(index, slot));
}

static bool nighi_slot_removed(const nigh_index *index, uint32_t slot) {
    return (nighi_node_word(index, slot) & NIGHI_NODE_PENDING) == NIGHI_NODE_REMOVED;
}

/* ---- Opening -------------------------------------------------------------------------------- */

static bool nighi_vacuum_row_changes(const nigh_index *index, uint32_t slot, uint32_t level) {
    const uint32_t *row = nighi_row(index, slot, level);
    const uint32_t degree_max = nighi_degree_max(index, level);
    bool changes = !nighi_slot_live(index, slot);
    for (uint32_t i = 0; i < degree_max && !changes; i++) {
        const uint32_t link = nighi_link_slot(row[i]);
        if (link >= index->counts.slot_count) {
            break;
        }
        changes = !nighi_slot_live(index, link);
    }
    return changes;
}

static nigh_status nighi_vacuum_open_slot(nigh_index *index, uint32_t slot) {
    const uint32_t word = nighi_node_word(index, slot);
    const uint32_t top = nighi_node_present(word) ? nighi_level(index, slot) : 0;
    nigh_status status = NIGH_OK;
    for (uint32_t level = 0; nighi_node_present(word) && level <= top && status == NIGH_OK;
         level++) {
        if (nighi_vacuum_row_changes(index, slot, level)) {
            status = level == 0
                         ? nighi_touch(index, NIGHI_LINKS0, slot)
                         : nighi_touch(index, NIGHI_UPPER, (word & NIGHI_UPPER_NONE) + level - 1);
        }
    }
    return status;
}

static nigh_status nighi_vacuum_open(nigh_job *job) {
    nigh_index *index = job->index;
    nighi_vacuum_job *vacuum = job->state;
    const uint32_t to = !nighi_followed(index)
                            ? vacuum->slot_count
                            : nighi_min_u32(vacuum->slot_count, vacuum->at + NIGHI_VACUUM_TREE);
    nigh_status status = NIGH_OK;
    nighi_image_open(index);
    nighi_store(&index->changed, 1u);
    while (vacuum->at < to && status == NIGH_OK) {
        status = !nighi_followed(index) ? NIGH_OK : nighi_vacuum_open_slot(index, vacuum->at);
        vacuum->at += status == NIGH_OK;
    }
    return status;
}

/* ---- Rows ----------------------------------------------------------------------------------- */

/* Live nodes behind the removed ones that links[count] lead to, breadth first, added to `all`. */
static uint32_t nighi_vacuum_behind(const nigh_index *index, nigh_session *session, uint32_t slot,
                                    uint32_t level, const uint32_t *links, uint32_t count,
                                    uint32_t *all, uint32_t total) {
    const uint32_t degree_max = nighi_degree_max(index, level);
    const uint32_t slot_count = index->counts.slot_count;
    const uint32_t room = 2 * nighi_degree_max(index, level);
    const uint32_t queue_max = 4 * index->config.m0;
    uint32_t *queue = session->plan.row_links;
    uint32_t *row = session->plan.links + 3 * (size_t)index->config.m0;
    uint32_t waiting = 0;
    nighi_visit_begin(session);
    (void)nighi_visit(session, slot);
    for (uint32_t i = 0; i < total; i++) {
        (void)nighi_visit(session, all[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!nighi_slot_live(index, links[i]) && nighi_visit(session, links[i])) {
            queue[waiting++] = links[i];
        }
    }
    for (uint32_t at = 0; at < waiting && total < room; at++) {
        const uint32_t *from = nighi_row(index, queue[at], level);
        const uint32_t size = from == NULL ? 0 : nighi_row_read(from, degree_max, slot_count, row);
        for (uint32_t i = 0; i < size && total < room; i++) {
            if (!nighi_visit(session, row[i])) {
                continue;
            }
            if (nighi_slot_live(index, row[i])) {
                all[total++] = row[i];
            } else if (waiting < queue_max) {
                queue[waiting++] = row[i];
            }
        }
    }
    return total;
}

/* A live node's row in one layer: removed neighbours give way to what lies behind them. */
static nigh_status nighi_vacuum_repair(nigh_index *index, nigh_session *session, uint32_t slot,
                                       uint32_t level) {
    nighi_plan *plan = &session->plan;
    const uint32_t m0 = index->config.m0;
    const uint32_t degree_max = nighi_degree_max(index, level);
    uint32_t *links = plan->links;
    uint32_t *all = plan->links + m0;
    uint32_t *chosen = plan->chosen;
    uint32_t live = 0;
    uint32_t kept = 0;
    uint32_t sorted = 0;
    nighi_space space;
    const uint32_t count =
        nighi_row_read(nighi_row(index, slot, level), degree_max, index->counts.slot_count, links);
    for (uint32_t i = 0; i < count; i++) {
        all[live] = links[i];
        live += nighi_slot_live(index, links[i]);
    }
    if (live == count) {
        return NIGH_OK;
    }
    const uint32_t total =
        nighi_vacuum_behind(index, session, slot, level, links, count, all, live);
    if (session->marks == NULL && session->hash_full != 0) {
        return NIGH_E_SESSION; /* bytes must not depend on how big a session is */
    }
    plan->self = NIGHI_SELF_NEW;
    plan->coded = nighi_coded_build(index);
    plan->alpha = index->config.alpha;
    nighi_space_get(index, plan->coded, &space);
    nigh_status status = nighi_links_sort(&space, session, slot, all, total, false, &sorted);
    if (status == NIGH_OK) {
        status = nighi_select(&space, session, sorted, degree_max, chosen, &kept);
    }
    if (status != NIGH_OK) {
        return status;
    }
    /* Its own links stay as far as there is room: a repair must not thin a row out. */
    for (uint32_t i = 0; i < live && kept < degree_max; i++) {
        if (nighi_links_find(chosen, kept, all[i]) == NIGHI_NONE) {
            chosen[kept++] = all[i];
        }
    }
    if (level == 0) {
        nighi_row_replace(index, plan, slot, chosen, kept);
    } else {
        nighi_row_store(index, nighi_row(index, slot, level), level, chosen, kept);
    }
    return NIGH_OK;
}

/* A removed node's row: links to removed nodes go, but for the tree's. */
static void nighi_vacuum_drop(nigh_index *index, nighi_plan *plan, uint32_t slot, uint32_t level) {
    uint32_t *links = plan->links;
    const bool tree = level == 0;
    const uint32_t count =
        nighi_row_read_marked(nighi_row(index, slot, level), nighi_degree_max(index, level),
                              index->counts.slot_count, links);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        const bool stays = tree && (links[i] >> 31 != 0 || (i == 0 && slot != index->counts.root));
        links[kept] = tree ? links[i] : nighi_link_slot(links[i]);
        kept += stays || nighi_slot_live(index, nighi_link_slot(links[i]));
    }
    nighi_row_store(index, nighi_row(index, slot, level), level, links, kept);
}

static nigh_status nighi_vacuum_rows(nigh_job *job, nigh_session *session, uint32_t task) {
    nigh_index *index = job->index;
    nighi_vacuum_job *vacuum = job->state;
    const uint32_t from = task * NIGHI_VACUUM_STEP;
    const uint32_t to = nighi_min_u32(vacuum->slot_count, from + NIGHI_VACUUM_STEP);
    const bool repair = job->phase == NIGHI_VACUUM_REPAIR;
    nigh_status status = NIGH_OK;
    for (uint32_t slot = from; slot < to && status == NIGH_OK; slot++) {
        if (repair ? !nighi_slot_live(index, slot) : !nighi_slot_removed(index, slot)) {
            continue;
        }
        const uint32_t top = nighi_level(index, slot);
        /* Not once more what was done before a task failed: the rows would not become the same. */
        for (uint32_t level = repair ? vacuum->children[slot] : 0;
             level <= top && status == NIGH_OK; level++) {
            if (repair) {
                status = nighi_vacuum_repair(index, session, slot, level);
                vacuum->children[slot] = (uint8_t)(level + (status == NIGH_OK));
            } else {
                nighi_vacuum_drop(index, &session->plan, slot, level);
            }
        }
    }
    return status;
}

/* ---- Parents -------------------------------------------------------------------------------- */

static void nighi_vacuum_count(nigh_job *job, uint32_t task) {
    const nigh_index *index = job->index;
    nighi_vacuum_job *vacuum = job->state;
    const uint32_t from = task * NIGHI_VACUUM_TREE;
    const uint32_t to = nighi_min_u32(vacuum->slot_count, from + NIGHI_VACUUM_TREE);
    for (uint32_t slot = from; slot < to; slot++) {
        const uint32_t *row = nighi_row0(index, slot);
        uint32_t count = 0;
        for (uint32_t i = 0; nighi_slot_live(index, slot) && i < index->config.m0; i++) {
            if (nighi_link_slot(row[i]) >= vacuum->slot_count) {
                break;
            }
            count += row[i] >> 31 != 0;
        }
        vacuum->children[slot] = (uint8_t)nighi_min_u32(count, 255);
        vacuum->last_child[slot] = NIGHI_NONE;
    }
}

/* A child of a row that is younger than `slot`, or NIGHI_NONE. */
static uint32_t nighi_vacuum_younger(const nigh_index *index, uint32_t parent, uint32_t slot) {
    const uint32_t *row = nighi_row0(index, parent);
    for (uint32_t i = 0; i < index->config.m0; i++) {
        const uint32_t link = nighi_link_slot(row[i]);
        if (link >= index->counts.slot_count) {
            break;
        }
        if (row[i] >> 31 != 0 && link > slot) {
            return link;
        }
    }
    return NIGHI_NONE;
}

/* A live older node for a live one whose parent leaves. *child: that one is full, and this younger
 * child of it changes places with the node; else NIGHI_NONE. NIGHI_NONE: there is none now. */
static uint32_t nighi_vacuum_parent(const nigh_job *job, uint32_t slot, uint32_t *child) {
    const nigh_index *index = job->index;
    const nighi_vacuum_job *vacuum = job->state;
    const uint32_t limit = nighi_min_u32(nighi_children_max(index), 255);
    const uint32_t *row = nighi_row0(index, slot);
    uint32_t at = NIGHI_NONE;
    *child = NIGHI_NONE;
    for (uint32_t i = 0; i < index->config.m0; i++) {
        const uint32_t link = nighi_link_slot(row[i]);
        if (link >= vacuum->slot_count) {
            break;
        }
        if (link < slot && nighi_slot_live(index, link)) {
            if (vacuum->children[link] < limit) {
                return link;
            }
            at = at == NIGHI_NONE ? link : at;
        }
    }
    at = at == NIGHI_NONE ? vacuum->lowest : at;
    while (vacuum->children[at] >= limit && vacuum->last_child[at] != NIGHI_NONE) {
        at = vacuum->last_child[at];
    }
    if (vacuum->children[at] < limit) {
        return at;
    }
    for (uint32_t any = slot; any-- > vacuum->lowest;) {
        if (nighi_slot_live(index, any) && vacuum->children[any] < limit) {
            return any;
        }
    }
    for (uint32_t any = at + 1; any-- > vacuum->lowest;) {
        *child = nighi_slot_live(index, any) ? nighi_vacuum_younger(index, any, slot) : NIGHI_NONE;
        if (*child != NIGHI_NONE) {
            return any;
        }
    }
    return NIGHI_NONE;
}

/* Under `before`, which leaves, is `slot`: it moves to `parent`, and `child` of that one to
 * `before`, if there is one. */
static nigh_status nighi_vacuum_move(nigh_index *index, nighi_plan *plan, uint32_t slot,
                                     uint32_t before, uint32_t parent, uint32_t child) {
    const uint32_t touched[4] = {parent, slot, before, child};
    nigh_status status = NIGH_OK;
    for (uint32_t i = 0; i < 4 && status == NIGH_OK; i++) {
        status = touched[i] == NIGHI_NONE ? NIGH_OK : nighi_touch(index, NIGHI_LINKS0, touched[i]);
    }
    if (status != NIGH_OK) {
        return status;
    }
    if (child == NIGHI_NONE) {
        (void)nighi_child_adopt(index, plan, parent, slot);
        nighi_child_leave(index, plan, before, slot);
    } else {
        nighi_child_swap(index, plan, parent, slot, before, child);
    }
    nighi_child_leave(index, plan, slot, before); /* it was link 0 */
    return NIGH_OK;
}

static nigh_status nighi_vacuum_adopt(nigh_job *job, nigh_session *session, uint32_t slot,
                                      uint32_t before) {
    nighi_vacuum_job *vacuum = job->state;
    uint32_t child = NIGHI_NONE;
    const uint32_t parent = nighi_vacuum_parent(job, slot, &child);
    if (parent == NIGHI_NONE) {
        return NIGH_OK; /* it finds one when its parent leaves */
    }
    const nigh_status status =
        nighi_vacuum_move(job->index, &session->plan, slot, before, parent, child);
    if (status == NIGH_OK) {
        vacuum->children[parent] = (uint8_t)(vacuum->children[parent] + (child == NIGHI_NONE));
        vacuum->last_child[parent] = slot;
    }
    return status;
}

static nigh_status nighi_vacuum_parents(nigh_job *job, nigh_session *session) {
    nigh_index *index = job->index;
    nighi_vacuum_job *vacuum = job->state;
    const uint32_t to = nighi_min_u32(vacuum->slot_count, vacuum->at + NIGHI_VACUUM_TREE);
    for (; vacuum->at < to; vacuum->at++) {
        const uint32_t slot = vacuum->at;
        if (!nighi_slot_live(index, slot)) {
            continue;
        }
        if (vacuum->lowest == NIGHI_NONE) {
            vacuum->lowest = slot; /* it moves up as those above it leave */
            continue;
        }
        const uint32_t parent = nighi_link_slot(*nighi_row0(index, slot));
        if (parent >= slot) {
            return NIGH_E_CORRUPT;
        }
        if (nighi_slot_live(index, parent)) {
            vacuum->last_child[parent] = slot;
            continue;
        }
        const nigh_status status = nighi_vacuum_adopt(job, session, slot, parent);
        if (status != NIGH_OK) {
            return status;
        }
    }
    return NIGH_OK;
}

/* The same when `before` leaves: any older node will do, best a live one. Each has room for two, so
 * that there is always one with room, or with a younger child. */
static uint32_t nighi_orphan_parent(const nigh_index *index, uint32_t slot, uint32_t before,
                                    uint32_t *child) {
    const uint32_t limit = nighi_children_max(index);
    const uint32_t root = nighi_load(&index->counts.root);
    uint32_t *row = nighi_row0(index, slot);
    uint32_t room = NIGHI_NONE;
    uint32_t full = NIGHI_NONE;
    *child = NIGHI_NONE;
    for (uint32_t i = 0; i < index->config.m0 && nighi_link_slot(row[i]) != NIGHI_LINK_END; i++) {
        const uint32_t link = nighi_link_slot(row[i]);
        if (link < slot && nighi_slot_live(index, link) &&
            nighi_children_count(index, link) < limit) {
            return link;
        }
    }
    for (uint32_t any = slot; any-- > root;) {
        if (any == before || !nighi_node_present(nighi_node_word(index, any))) {
            continue;
        }
        if (nighi_children_count(index, any) < limit) {
            room = any;
            if (nighi_slot_live(index, any)) {
                break;
            }
        } else if (full == NIGHI_NONE && nighi_vacuum_younger(index, any, slot) != NIGHI_NONE) {
            full = any;
        }
    }
    if (room == NIGHI_NONE && full != NIGHI_NONE) {
        *child = nighi_vacuum_younger(index, full, slot);
        return full;
    }
    return room;
}

/* All children but the oldest find another parent. Those that change places are ever younger. */
static nigh_status nighi_vacuum_orphans(nigh_index *index, nigh_session *session, uint32_t slot) {
    const uint32_t *row = nighi_row0(index, slot);
    for (;;) {
        uint32_t heir = NIGHI_NONE;
        uint32_t orphan = NIGHI_NONE;
        uint32_t child = NIGHI_NONE;
        for (uint32_t i = 0; i < index->config.m0; i++) {
            const uint32_t link = nighi_link_slot(row[i]);
            if (link == NIGHI_LINK_END) {
                break;
            }
            if (row[i] >> 31 != 0) {
                orphan = link < heir ? heir : link;
                heir = nighi_min_u32(heir, link);
            }
        }
        if (orphan == NIGHI_NONE) {
            return NIGH_OK;
        }
        const uint32_t parent = nighi_orphan_parent(index, orphan, slot, &child);
        if (parent == NIGHI_NONE) {
            return NIGH_E_CORRUPT;
        }
        const nigh_status status =
            nighi_vacuum_move(index, &session->plan, orphan, slot, parent, child);
        if (status != NIGH_OK) {
            return status;
        }
    }
}

/* ---- Leaving -------------------------------------------------------------------------------- */

/* The present node with the highest layer, live ones and low slots first. */
static uint32_t nighi_vacuum_entry(const nigh_index *index, uint32_t but) {
    uint32_t best = NIGHI_NONE;
    uint32_t best_rank = 0;
    for (uint32_t slot = 0; slot < index->counts.slot_count; slot++) {
        if (slot == but || !nighi_node_present(nighi_node_word(index, slot))) {
            continue;
        }
        const uint32_t rank =
            2 * nighi_level(index, slot) + (nighi_slot_live(index, slot) ? 2u : 1u);
        if (rank > best_rank) {
            best = slot;
            best_rank = rank;
        }
    }
    return best;
}

static uint32_t nighi_vacuum_root(const nigh_index *index, uint32_t but) {
    for (uint32_t slot = but; slot < index->counts.slot_count; slot++) {
        if (slot != but && nighi_node_present(nighi_node_word(index, slot))) {
            return slot;
        }
    }
    return 0;
}

/* Everything that the slot held becomes zero; its layers stay. */
static void nighi_vacuum_wipe(nigh_index *index, nigh_session *session, uint32_t slot) {
    static const uint8_t regions[] = {NIGHI_VECTOR, NIGHI_CODE, NIGHI_KEY};
    const uint32_t top = nighi_level(index, slot);
    for (uint32_t level = 0; level <= top; level++) {
        nighi_row_store(index, nighi_row(index, slot, level), level, NULL, 0);
    }
    for (uint32_t i = 0; i < sizeof regions; i++) {
        const nighi_region *region = &index->regions[regions[i]];
        uint8_t *zeros = session->plan.record;
        if (region->stride == 0 || (regions[i] == NIGHI_CODE && !nighi_coded(index))) {
            continue;
        }
        nighi_fill(zeros, 0, NIGHI_CACHE_LINE);
        for (uint32_t at = 0; at < region->stride; at += NIGHI_CACHE_LINE) {
            nighi_racy_store(nighi_record(region, slot) + at, zeros,
                             nighi_min_u32(region->stride - at, NIGHI_CACHE_LINE));
        }
    }
}

static nigh_status nighi_vacuum_touch(nigh_index *index, uint32_t slot) {
    static const uint8_t regions[] = {NIGHI_LINKS0, NIGHI_NODE, NIGHI_KEY, NIGHI_VECTOR,
                                      NIGHI_CODE};
    nigh_status status = NIGH_OK;
    const uint32_t first = nighi_node_word(index, slot) & NIGHI_UPPER_NONE;
    const uint32_t top = nighi_level(index, slot);
    const uint32_t parent = nighi_link_slot(*nighi_row0(index, slot));
    for (uint32_t i = 0; i < sizeof regions && status == NIGH_OK; i++) {
        status = nighi_touch(index, regions[i], slot);
    }
    for (uint32_t i = 0; i < top && status == NIGH_OK; i++) {
        status = nighi_touch(index, NIGHI_UPPER, first + i);
    }
    const uint32_t heir = nighi_vacuum_younger(index, slot, slot);
    if (status == NIGH_OK && parent < index->counts.slot_count) {
        status = nighi_touch(index, NIGHI_LINKS0, parent);
    }
    if (status == NIGH_OK && heir != NIGHI_NONE) {
        status = nighi_touch(index, NIGHI_LINKS0, heir);
    }
    return status == NIGH_OK ? nighi_keymap_touch_leave(index, slot) : status;
}

/* One node leaves: links, key, state and vector change between two versions of its slot, so that no
 * hit mixes them. */
static void nighi_vacuum_leave_one(nigh_index *index, nigh_session *session, uint32_t slot) {
    nighi_writer *writer = index->writer;
    uint32_t *stripe = &writer->slots[nighi_stripe(writer, slot)];
    uint32_t *node = nighi_word(&index->regions[NIGHI_NODE], slot);
    nighi_image_open(index);
    nighi_node_unlink(index, &session->plan, slot);
    if (nighi_load(&index->counts.entry) == slot) {
        nighi_store_release(&index->counts.entry, nighi_vacuum_entry(index, slot));
    }
    if (nighi_load(&index->counts.root) == slot) {
        nighi_store(&index->counts.root, nighi_vacuum_root(index, slot));
    }
    const uint32_t alloc = nighi_lock(&writer->alloc);
    nighi_add(&writer->updates, 1u);
    nighi_store_release(&writer->moving, slot);
    const uint32_t version = nighi_lock(stripe);
    nighi_store_fence();
    if (index->regions[NIGHI_KEYMAP].stride != 0) {
        nighi_map_change(index);
        nighi_keymap_leave(index, slot, index->counts.slot_count);
        nighi_store(nighi_keymap_next(index, slot), NIGHI_NONE);
        nighi_map_change(index);
    }
    nighi_store_release(node, (nighi_load(node) & NIGHI_UPPER_NONE) | NIGHI_NODE_ABSENT);
    nighi_vacuum_wipe(index, session, slot);
    nighi_add(&index->counts.deleted_count, UINT32_MAX);
    nighi_add(&index->counts.free_count, 1u);
    writer->free_hint = nighi_min_u32(writer->free_hint, slot);
    nighi_unlock(stripe, version, true);
    nighi_add(&writer->updates, 0xffu); /* one fewer under way, one more done */
    nighi_unlock(&writer->alloc, alloc, true);
    nighi_store(&index->changed, 1u);
}

static nigh_status nighi_vacuum_leave(nigh_job *job, nigh_session *session) {
    nigh_index *index = job->index;
    nighi_vacuum_job *vacuum = job->state;
    for (uint32_t step = 0; step < NIGHI_VACUUM_FREE && vacuum->at > 0; step++) {
        const uint32_t slot = vacuum->at - 1;
        if (nighi_slot_removed(index, slot)) {
            nigh_status status = nighi_vacuum_orphans(index, session, slot);
            if (status == NIGH_OK) {
                status = nighi_vacuum_touch(index, slot);
            }
            if (status != NIGH_OK) {
                return status;
            }
            nighi_vacuum_leave_one(index, session, slot);
            nighi_job_done(job, 1);
        }
        vacuum->at--;
    }
    return NIGH_OK;
}

/* ---- What comes next ------------------------------------------------------------------------ */

static nigh_status nighi_vacuum_task(nigh_job *job, nigh_session *session, uint32_t task) {
    const nigh_status status = nighi_source_ready(job->index, job->index->counts.slot_count);
    if (status != NIGH_OK) {
        return status;
    }
    switch (job->phase) {
    case NIGHI_VACUUM_OPEN:
        return nighi_vacuum_open(job);
    case NIGHI_VACUUM_REPAIR:
    case NIGHI_VACUUM_DROP:
        return nighi_vacuum_rows(job, session, task);
    case NIGHI_VACUUM_COUNT:
        nighi_vacuum_count(job, task);
        return NIGH_OK;
    case NIGHI_VACUUM_PARENTS:
        return nighi_vacuum_parents(job, session);
    default:
        return nighi_vacuum_leave(job, session);
    }
}

static bool nighi_vacuum_next(nigh_job *job) {
    nighi_vacuum_job *vacuum = job->state;
    job->task_count = 1;
    if ((job->phase == NIGHI_VACUUM_OPEN || job->phase == NIGHI_VACUUM_PARENTS) &&
        vacuum->at < vacuum->slot_count) {
        return true;
    }
    if (job->phase == NIGHI_VACUUM_LEAVE && vacuum->at > 0) {
        return true;
    }
    job->phase++;
    switch (job->phase) {
    case NIGHI_VACUUM_REPAIR:
    case NIGHI_VACUUM_DROP:
        job->task_count = (vacuum->slot_count + NIGHI_VACUUM_STEP - 1) / NIGHI_VACUUM_STEP;
        break;
    case NIGHI_VACUUM_COUNT:
        job->task_count = (vacuum->slot_count + NIGHI_VACUUM_TREE - 1) / NIGHI_VACUUM_TREE;
        break;
    case NIGHI_VACUUM_PARENTS:
        vacuum->at = 0;
        vacuum->lowest = NIGHI_NONE;
        break;
    case NIGHI_VACUUM_LEAVE:
        vacuum->at = vacuum->slot_count;
        break;
    default:
        break;
    }
    return job->total > 0 && job->phase < NIGHI_VACUUM_END;
}

NIGHI_FN const nighi_job_kind *nighi_job_vacuum(void) {
    static const nighi_job_kind kind = {nighi_vacuum_layout, nighi_vacuum_next, nighi_vacuum_task,
                                        NULL};
    return &kind;
}
