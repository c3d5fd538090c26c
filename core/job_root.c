/* job_root.c - an imported graph gets its tree of parents
 * layer L14; uses: job, blocks, graph, image, plan, source
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A parent is an older node that links to its child and is linked to by it, and most nodes have
 * such neighbours: then only the order of a row and a mark change. Parents are chosen first, in the
 * order of slots, and nothing is stored meanwhile. Where all such neighbours have as many children
 * as they may, other children move on along a chain of theirs (an augmenting path: of 75,625 links
 * 151 are added and 12 dropped at M = 16, 212 and 47 where the first one with room is taken). When
 * a node's turn comes its elders have fewer children in all than they may have, so there always is
 * one with room: a node left over goes to one that it links to or is linked to by, else the lowest
 * with room. The missing links are added, in place of the farthest where a row is full. What comes
 * out depends on the graph alone. */
#include "blocks.h"
#include "graph.h"
#include "image.h"
#include "job.h"
#include "plan.h"
#include "source.h"

#define NIGHI_ROOT_STEP 1024u       /* slots a task, at most, */
#define NIGHI_ROOT_WORK (1u << 21)  /* and links compared: some milliseconds at any m0 */
#define NIGHI_ROOT_ASKED (1u << 24) /* links compared for one slot, before it takes what it gets */
#define NIGHI_ROOT_CHAIN 128u /* elders that are asked to make room */

enum {
    NIGHI_ROOT_ELDERS = 1, /* who is linked to by which elder */
    NIGHI_ROOT_CHOOSE,     /* parents are chosen */
    NIGHI_ROOT_MARK,       /* links that are there get their marks and places */
    NIGHI_ROOT_LINK,       /* missing links are added */
    NIGHI_ROOT_END
};

/* An elder that may get `child`, which the elder of step `from` has now; NIGHI_NONE: nobody. */
typedef struct nighi_root_step {
    uint32_t elder;
    uint32_t child;
    uint32_t from;
} nighi_root_step;

typedef struct nighi_root_job {
    uint32_t slot_count;
    uint32_t stage; /* NIGHI_ROOT_* */
    uint32_t at;    /* first slot of the task */
    uint32_t end;   /* behind its last one */
    uint64_t work;  /* links compared by it */
    uint32_t room;  /* no slot below it has room for a child */
    uint32_t children_max;
    uint32_t *parents;  /* of slots whose turn has not come: the youngest elder that links to it */
    uint16_t *children; /* how many each has */
    nighi_root_step *steps;
} nighi_root_job;

static void nighi_root_layout(nighi_arena *arena, nigh_job *job) {
    const nigh_index *index = job->index;
    const bool needed = nighi_unrooted(index);
    const uint32_t slot_count = needed ? nighi_load_acquire(&index->counts.slot_count) : 0;
    nighi_root_job *root = nighi_arena_take(arena, 1, sizeof *root);
    uint32_t *parents = nighi_arena_take(arena, slot_count, sizeof *parents);
    uint16_t *children = nighi_arena_take(arena, slot_count, sizeof *children);
    nighi_root_step *steps = nighi_arena_take(arena, NIGHI_ROOT_CHAIN, sizeof *steps);
    if (root == NULL) {
        return;
    }
    *root = (nighi_root_job){.slot_count = slot_count,
                             .stage = needed ? NIGHI_ROOT_ELDERS : NIGHI_ROOT_END + 1,
                             .children_max = nighi_children_max(index),
                             .parents = parents,
                             .children = children,
                             .steps = steps};
    if (slot_count > 0) {
        nighi_fill(parents, 0xff, (uint64_t)slot_count * sizeof *parents);
        nighi_fill(children, 0, (uint64_t)slot_count * sizeof *children);
    }
    job->state = root;
    job->total = 4 * (uint64_t)slot_count;
}

/* Does the node of a row need a parent? */
static bool nighi_root_wants(const nigh_index *index, uint32_t slot) {
    return slot != index->counts.root && nighi_node_present(nighi_node_word(index, slot));
}

/* Link `i` of a row, NIGHI_NONE after the last one that leads to a slot. */
static uint32_t nighi_root_link(const nigh_index *index, uint32_t slot, uint32_t i) {
    const uint32_t link = i < index->config.m0
                              ? nighi_link_slot(nighi_load(&nighi_row0(index, slot)[i]))
                              : NIGHI_NONE;
    return link < index->counts.slot_count ? link : NIGHI_NONE;
}

static bool nighi_root_links(const nigh_job *job, uint32_t from, uint32_t to) {
    const nigh_index *index = job->index;
    nighi_root_job *root = job->state;
    root->work += index->config.m0;
    return nighi_links_find(nighi_row0(index, from), index->config.m0, to) != NIGHI_NONE;
}

/* ---- Choosing ------------------------------------------------------------------------------- */

static bool nighi_root_roomy(const nighi_root_job *root, uint32_t slot) {
    return root->children[slot] < root->children_max;
}

static bool nighi_root_row_full(const nigh_index *index, uint32_t slot) {
    return nighi_root_link(index, slot, index->config.m0 - 1) != NIGHI_NONE;
}

static void nighi_root_elders(nigh_job *job, uint32_t slot) {
    const nighi_root_job *root = job->state;
    uint32_t link = 0;
    for (uint32_t i = 0; (link = nighi_root_link(job->index, slot, i)) != NIGHI_NONE; i++) {
        if (link > slot) {
            root->parents[link] = slot;
        }
    }
}

/* The first elder of the row that links back and has room; those without are steps, as far as there
 * is room for more. *count: of them. */
static uint32_t nighi_root_mutual(const nigh_job *job, uint32_t slot, uint32_t from,
                                  uint32_t *count) {
    const nigh_index *index = job->index;
    const nighi_root_job *root = job->state;
    uint32_t link = 0;
    for (uint32_t i = 0; (link = nighi_root_link(index, slot, i)) != NIGHI_NONE; i++) {
        if (link >= slot || !nighi_root_links(job, link, slot)) {
            continue;
        }
        if (nighi_root_roomy(root, link)) {
            return link;
        }
        uint32_t seen = 0;
        while (seen < *count && root->steps[seen].elder != link) {
            seen++;
        }
        if (seen == *count && *count < NIGHI_ROOT_CHAIN) {
            root->steps[(*count)++] = (nighi_root_step){link, slot, from};
        }
    }
    return NIGHI_NONE;
}

/* `child` goes to `parent`, and each child of the chain to the elder that it asked. */
static void nighi_root_shift(nigh_job *job, uint32_t child, uint32_t parent, uint32_t from) {
    nighi_root_job *root = job->state;
    root->children[parent]++;
    root->parents[child] = parent;
    while (from != NIGHI_NONE) {
        const nighi_root_step *step = &root->steps[from];
        root->parents[step->child] = step->elder;
        from = step->from;
    }
}

/* Gives the slot an elder that it is linked with both ways, if any of them can have room. */
static bool nighi_root_adopt(nigh_job *job, uint32_t slot) {
    const nigh_index *index = job->index;
    const nighi_root_job *root = job->state;
    const uint64_t enough = root->work + NIGHI_ROOT_ASKED;
    uint32_t count = 0;
    uint32_t parent = nighi_root_mutual(job, slot, NIGHI_NONE, &count);
    if (parent != NIGHI_NONE) {
        nighi_root_shift(job, slot, parent, NIGHI_NONE);
        return true;
    }
    for (uint32_t at = 0; at < count && root->work < enough; at++) {
        const uint32_t elder = root->steps[at].elder;
        uint32_t child = 0;
        for (uint32_t i = 0; (child = nighi_root_link(index, elder, i)) != NIGHI_NONE; i++) {
            if (child >= slot || root->parents[child] != elder || root->work >= enough) {
                continue;
            }
            parent = nighi_root_mutual(job, child, at, &count);
            if (parent != NIGHI_NONE) {
                nighi_root_shift(job, child, parent, at);
                return true;
            }
        }
    }
    return false;
}

/* An elder with room that is linked with the slot one way, best one whose row that lacks the other
 * way has room too. */
static uint32_t nighi_root_half(const nigh_job *job, uint32_t slot) {
    const nigh_index *index = job->index;
    const nighi_root_job *root = job->state;
    uint32_t elder = root->parents[slot];
    uint32_t link = 0;
    elder = elder < slot && nighi_root_roomy(root, elder) ? elder : NIGHI_NONE;
    if (elder != NIGHI_NONE && !nighi_root_row_full(index, slot)) {
        return elder;
    }
    for (uint32_t i = 0; (link = nighi_root_link(index, slot, i)) != NIGHI_NONE; i++) {
        if (link < slot && nighi_root_roomy(root, link)) {
            elder = elder == NIGHI_NONE ? link : elder;
            if (!nighi_root_row_full(index, link)) {
                return link;
            }
        }
    }
    return elder;
}

static nigh_status nighi_root_choose(nigh_job *job, uint32_t slot) {
    nighi_root_job *root = job->state;
    if (nighi_root_adopt(job, slot)) {
        return NIGH_OK;
    }
    uint32_t parent = nighi_root_half(job, slot);
    while (parent == NIGHI_NONE) { /* room never comes back: chains end where they begin */
        const uint32_t lowest = root->room;
        if (lowest >= slot) {
            return NIGH_E_CORRUPT; /* its root is not the lowest node */
        }
        const bool present = nighi_node_present(nighi_node_word(job->index, lowest));
        parent = present && nighi_root_roomy(root, lowest) ? lowest : NIGHI_NONE;
        root->room += parent == NIGHI_NONE;
    }
    nighi_root_shift(job, slot, parent, NIGHI_NONE);
    return NIGH_OK;
}

/* ---- Storing -------------------------------------------------------------------------------- */

/* The row with its parent first and its children marked, as far as it leads to them. */
static void nighi_root_mark(nigh_job *job, nighi_plan *plan, uint32_t slot) {
    const nigh_index *index = job->index;
    const nighi_root_job *root = job->state;
    uint32_t *links = plan->links;
    const uint32_t count =
        nighi_row_read(nighi_row0(index, slot), index->config.m0, root->slot_count, links);
    for (uint32_t i = 0; i < count; i++) {
        const bool child = root->parents[links[i]] == slot;
        const uint32_t word = links[i] | (child ? NIGHI_LINK_MARK : 0);
        if (links[i] == root->parents[slot]) {
            nighi_move(links + 1, links, (uint64_t)i * 4);
            links[0] = word;
        } else {
            links[i] = word;
        }
    }
    nighi_row_store(index, nighi_row0(index, slot), 0, links, count);
}

/* Adds `word` to a row. A full one loses its farthest link, but not `keep` and none to a child. */
static nigh_status nighi_root_add(nigh_job *job, nigh_session *session, uint32_t slot,
                                  uint32_t word, uint32_t keep, uint32_t *at) {
    nigh_index *index = job->index;
    nighi_plan *plan = &session->plan;
    uint32_t *row = nighi_row0(index, slot);
    const uint32_t m0 = index->config.m0;
    uint32_t *links = plan->links + m0;
    uint32_t count = 0;
    while ((links[count] = nighi_root_link(index, slot, count)) != NIGHI_NONE) {
        count++;
    }
    *at = count;
    if (count == m0) { /* distances, and links looked up again */
        ((nighi_root_job *)job->state)->work += (uint64_t)m0 * (index->config.dim / 4 + 8);
        nighi_space space;
        uint32_t sorted = 0;
        nighi_space_get(index, NIGHI_ON_VECTORS, &space);
        nigh_status status = nighi_source_ready(index, index->counts.slot_count);
        plan->coded = NIGHI_ON_VECTORS;
        plan->self = NIGHI_SELF_NEW;
        status = status == NIGH_OK
                     ? nighi_links_sort(&space, session, slot, links, count, false, &sorted)
                     : status;
        if (status != NIGH_OK) {
            return status;
        }
        for (*at = 0; sorted > 0; sorted--) {
            const uint32_t far = nighi_entry_slot(plan->sorted[sorted - 1]);
            *at = nighi_links_find(row, m0, far);
            if (far != keep && nighi_load(&row[*at]) >> 31 == 0) {
                break;
            }
        }
        if (sorted == 0) {
            return NIGH_E_CORRUPT;
        }
    }
    nighi_store_release(&row[*at], word);
    return NIGH_OK;
}

/* A parent and a child that are not linked both ways: now they are. */
static nigh_status nighi_root_join(nigh_job *job, nigh_session *session, uint32_t slot) {
    nigh_index *index = job->index;
    const nighi_root_job *root = job->state;
    const uint32_t parent = root->parents[slot];
    uint32_t *row = nighi_row0(index, slot);
    uint32_t at = 0;
    nigh_status status = NIGH_OK;
    if (!nighi_root_links(job, parent, slot)) {
        const uint32_t keep =
            parent == index->counts.root ? NIGHI_NONE : nighi_root_link(index, parent, 0);
        status = nighi_root_add(job, session, parent, slot | NIGHI_LINK_MARK, keep, &at);
    }
    if (status == NIGH_OK && !nighi_root_links(job, slot, parent)) {
        status = nighi_root_add(job, session, slot, parent, NIGHI_NONE, &at);
        if (status == NIGH_OK) {
            const uint32_t first = nighi_load(&row[0]);
            nighi_store_release(&row[0], parent);
            nighi_store_release(&row[at], at == 0 ? parent : first);
        }
    }
    return status;
}

/* One slot of a stage that stores. The pager hears before of the rows that change. */
static nigh_status nighi_root_store(nigh_job *job, nigh_session *session, uint32_t slot) {
    nigh_index *index = job->index;
    const nighi_root_job *root = job->state;
    nigh_status status = nighi_touch(index, NIGHI_LINKS0, slot);
    if (root->stage == NIGHI_ROOT_MARK) {
        if (status == NIGH_OK) {
            nighi_root_mark(job, &session->plan, slot);
        }
        return status;
    }
    if (status != NIGH_OK || !nighi_root_wants(index, slot)) {
        return status;
    }
    status = nighi_touch(index, NIGHI_LINKS0, root->parents[slot]);
    return status == NIGH_OK ? nighi_root_join(job, session, slot) : status;
}

/* ---- The job -------------------------------------------------------------------------------- */

/* Each task reads what the one before it stored, so a phase is one task. Where it ends depends on
 * the graph alone. */
static bool nighi_root_next(nigh_job *job) {
    nighi_root_job *root = job->state;
    if (job->phase++ > 0) {
        root->at = root->end;
        if (root->at >= root->slot_count || root->stage == NIGHI_ROOT_END) {
            root->stage++;
            root->at = 0;
        }
    }
    job->task_count = 1;
    return root->stage <= NIGHI_ROOT_END;
}

static void nighi_root_end(nigh_index *index) {
    const uint32_t flags = nighi_load(&index->config.build_flags);
    nighi_store_release(&index->config.build_flags, flags & ~(uint32_t)NIGH_BUILD_UNROOTED);
}

static nigh_status nighi_root_task(nigh_job *job, nigh_session *session, uint32_t task) {
    nigh_index *index = job->index;
    nighi_root_job *root = job->state;
    const uint32_t most = root->at + nighi_min_u32(NIGHI_ROOT_STEP, root->slot_count - root->at);
    uint32_t slot = root->at;
    nigh_status status = NIGH_OK;
    (void)task;
    root->work = 0;
    if (root->stage > NIGHI_ROOT_CHOOSE) {
        const uint32_t version = nighi_lock(&index->writer->alloc);
        nighi_image_open(index);
        nighi_store(&index->changed, 1u);
        nighi_unlock(&index->writer->alloc, version, true);
    }
    if (root->stage == NIGHI_ROOT_END) {
        nighi_root_end(index);
        return NIGH_OK;
    }
    for (; slot < most && root->work < NIGHI_ROOT_WORK && status == NIGH_OK; slot++) {
        root->work += index->config.m0;
        if (root->stage == NIGHI_ROOT_ELDERS) {
            nighi_root_elders(job, slot);
        } else if (root->stage != NIGHI_ROOT_CHOOSE) {
            status = nighi_root_store(job, session, slot);
        } else if (nighi_root_wants(index, slot)) {
            status = nighi_root_choose(job, slot);
        }
    }
    if (status == NIGH_OK) {
        root->end = slot;
        nighi_job_done(job, slot - root->at);
    }
    return status;
}

NIGHI_FN const nighi_job_kind *nighi_job_root(void) {
    static const nighi_job_kind kind = {nighi_root_layout, nighi_root_next, nighi_root_task, NULL};
    return &kind;
}
