/* link.c - storing planned rows, and keeping the tree of parents
 * layer L11; uses: link
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A row is stored under the lock of its stripe. Changes to the tree touch two or three rows at once
 * and take their stripes in ascending order; under the locks they only move words about: no
 * distance, no callback. Every other writer that drops a link holds the row's lock too and keeps
 * parent and children, so there is no moment without a parent. */
#include "link.h"

#define NIGHI_HELD_MAX 3u
#define NIGHI_STEAL_TRIES 64u /* more fail only in a damaged image */

typedef struct nighi_held {
    uint32_t stripes[NIGHI_HELD_MAX];
    uint32_t versions[NIGHI_HELD_MAX];
    uint32_t count;
} nighi_held;

static void nighi_rows_lock(nighi_writer *writer, const uint32_t *slots, uint32_t count,
                            nighi_held *held) {
    held->count = 0;
    for (uint32_t i = 0; !NIGHI_IS_SINGLE && i < count; i++) {
        if (slots[i] == NIGHI_NONE) {
            continue;
        }
        const uint32_t stripe = nighi_stripe(writer, slots[i]);
        uint32_t at = 0;
        while (at < held->count && held->stripes[at] < stripe) {
            at++;
        }
        if (at < held->count && held->stripes[at] == stripe) {
            continue;
        }
        for (uint32_t j = held->count++; j > at; j--) {
            held->stripes[j] = held->stripes[j - 1];
        }
        held->stripes[at] = stripe;
    }
    for (uint32_t i = 0; i < held->count; i++) {
        held->versions[i] = nighi_lock(&writer->rows[held->stripes[i]]);
    }
}

/* Our own changes keep our own plans valid: what they decided on is not touched by them. */
static void nighi_rows_unlock(nighi_writer *writer, nighi_plan *plan, const nighi_held *held,
                              bool changed) {
    for (uint32_t i = 0; !NIGHI_IS_SINGLE && i < held->count; i++) {
        nighi_unlock(&writer->rows[held->stripes[i]], held->versions[i], changed);
        for (uint32_t j = 0; changed && j < plan->row_count; j++) {
            nighi_row_plan *row = &plan->rows[j];
            if (row->version == held->versions[i] &&
                nighi_stripe(writer, row->slot) == held->stripes[i]) {
                row->version += 2;
            }
        }
    }
}

/* A row as it is now, marks included. */
static uint32_t nighi_row_now(const nigh_index *index, uint32_t slot, uint32_t level,
                              uint32_t *links) {
    const uint32_t slot_count = nighi_load_acquire(&index->counts.slot_count);
    const uint32_t *row = nighi_row(index, slot, level);
    return row == NULL
               ? 0
               : nighi_row_read_marked(row, nighi_degree_max(index, level), slot_count, links);
}

NIGHI_FN uint32_t nighi_children_count(const nigh_index *index, uint32_t slot) {
    const uint32_t *row = nighi_row0(index, slot);
    uint32_t marked = 0;
    for (uint32_t i = 0; i < index->config.m0; i++) {
        const uint32_t link = nighi_load_acquire(&row[i]);
        if (nighi_link_slot(link) == NIGHI_LINK_END) {
            break;
        }
        marked += link >> 31;
    }
    return marked;
}

NIGHI_FN void nighi_plan_settle(nighi_plan *plan, uint32_t slot) {
    plan->self = slot;
    for (uint32_t i = 0; i < plan->row_count; i++) {
        nighi_row_plan *row = &plan->rows[i];
        for (uint32_t j = 0; j < row->count; j++) {
            row->links[j] = row->links[j] == NIGHI_SELF_NEW ? slot : row->links[j];
        }
    }
}

/* What a row becomes: parent and children of the row as it is now, then the selected links nearest
 * first as far as they fit. `added` is the word that enters (its mark says: as a child), or
 * NIGHI_NONE. */
static uint32_t nighi_row_merge(const nigh_index *index, const nighi_row_plan *row,
                                const uint32_t *now, uint32_t count, uint32_t added,
                                uint32_t *out) {
    const bool tree = row->level == 0;
    const uint32_t degree_max = nighi_degree_max(index, row->level);
    const bool parented = tree && row->slot != nighi_load(&index->counts.root) && count > 0;
    const bool child = added != NIGHI_NONE && (added & NIGHI_LINK_MARK) != 0;
    uint32_t marked = (tree ? nighi_links_marked(now, count) : 0) + child;
    uint32_t size = 0;
    if (parented) {
        out[size++] = now[0];
        marked -= now[0] >> 31;
    }
    marked = nighi_min_u32(marked, degree_max - size); /* more only in a damaged image */
    uint32_t room = degree_max - size - marked;
    for (uint32_t i = 0; i < row->count && size < degree_max; i++) {
        const uint32_t slot = row->links[i];
        const uint32_t at = nighi_links_find(now, count, slot);
        if (parented && at == 0) {
            continue;
        }
        uint32_t word = slot;
        if (added != NIGHI_NONE && slot == nighi_link_slot(added)) {
            word = added;
        } else if (tree && at != NIGHI_NONE) {
            word = now[at];
        }
        if ((word & NIGHI_LINK_MARK) == 0) {
            if (room == 0) {
                continue;
            }
            room--;
        }
        out[size++] = word;
    }
    for (uint32_t i = parented ? 1 : 0; tree && i < count && size < degree_max; i++) {
        if (now[i] >> 31 != 0 &&
            nighi_links_find(out, size, nighi_link_slot(now[i])) == NIGHI_NONE) {
            out[size++] = now[i];
        }
    }
    if (child && size < degree_max &&
        nighi_links_find(out, size, nighi_link_slot(added)) == NIGHI_NONE) {
        out[size++] = added;
    }
    return size;
}

/* Adds a word to a row without any distance: appended, or in place of the last free link. */
static uint32_t nighi_row_force(const nigh_index *index, uint32_t slot, uint32_t *links,
                                uint32_t count, uint32_t word) {
    const uint32_t at = nighi_links_find(links, count, nighi_link_slot(word));
    if (at != NIGHI_NONE) {
        links[at] |= word & NIGHI_LINK_MARK;
        return count;
    }
    if (count < index->config.m0) {
        links[count] = word;
        return count + 1;
    }
    const uint32_t keep = slot != nighi_load(&index->counts.root) ? 1 : 0;
    for (uint32_t i = count; i-- > keep;) {
        if (links[i] >> 31 == 0) {
            links[i] = word;
            break;
        }
    }
    return count;
}

/* Under the row's lock: the row with `added` in it, by plan when there is a valid one. */
static void nighi_row_apply(nigh_index *index, nighi_plan *plan, nighi_row_plan *row,
                            uint32_t version, uint32_t slot, uint32_t level, uint32_t added) {
    uint32_t *now = plan->links;
    uint32_t *out = plan->links + index->config.m0;
    uint32_t count = nighi_row_now(index, slot, level, now);
    uint32_t *stored = now;
    if (row != NULL && row->kind == NIGHI_ROW_SELECT && row->version == version) {
        count = nighi_row_merge(index, row, now, count, added, out);
        stored = out;
    } else if (added != NIGHI_NONE) {
        count = nighi_row_force(index, slot, now, count, added);
    }
    if (row != NULL) {
        row->kind = NIGHI_ROW_NONE;
    }
    nighi_row_store(index, nighi_row(index, slot, level), level, stored, count);
}

static uint32_t nighi_held_version(const nighi_writer *writer, const nighi_held *held,
                                   uint32_t slot) {
    if (NIGHI_IS_SINGLE) {
        return nighi_load(&writer->rows[nighi_stripe(writer, slot)]);
    }
    for (uint32_t i = 0; i < held->count; i++) {
        if (held->stripes[i] == nighi_stripe(writer, slot)) {
            return held->versions[i];
        }
    }
    return NIGHI_NONE;
}

static nighi_row_plan *nighi_plan_of(nighi_plan *plan, uint32_t slot) {
    for (uint32_t i = 0; i < plan->row_count; i++) {
        if (plan->rows[i].slot == slot && plan->rows[i].level == 0) {
            return &plan->rows[i];
        }
    }
    return NULL;
}

NIGHI_FN void nighi_node_fill(nigh_index *index, nighi_plan *plan) {
    for (uint32_t level = plan->level + 1; level-- > 0;) {
        uint32_t *row = nighi_row(index, plan->self, level);
        if (level > 0) { /* the row may be fresh memory: its top bit is not known */
            nighi_store(row, level < plan->level ? NIGHI_LINK_MARK : 0);
        }
        nighi_row_store(index, row, level, nighi_plan_chosen(index, plan, level),
                        plan->chosen_count[level]);
    }
}

/* A child of a row that is younger than `self`, or NIGHI_NONE. */
static uint32_t nighi_child_after(const nigh_index *index, uint32_t parent, uint32_t self) {
    const uint32_t *row = nighi_row0(index, parent);
    const uint32_t slot_count = nighi_load_acquire(&index->counts.slot_count);
    for (uint32_t i = 0; i < index->config.m0; i++) {
        const uint32_t link = nighi_load_acquire(&row[i]);
        if (nighi_link_slot(link) == NIGHI_LINK_END) {
            break;
        }
        if (link >> 31 != 0 && nighi_link_slot(link) > self &&
            nighi_link_slot(link) < slot_count) { /* beyond: a damaged image */
            return nighi_link_slot(link);
        }
    }
    return NIGHI_NONE;
}

/* Any older node with room; else one with a child younger than `self`, in whose place it comes.
 * Each has room for two, so that there is one or the other. */
static uint32_t nighi_parent_any(const nigh_index *index, uint32_t self, uint32_t limit) {
    const uint32_t root = nighi_load(&index->counts.root);
    uint32_t full = root;
    for (uint32_t slot = nighi_min_u32(self, nighi_load_acquire(&index->counts.slot_count));
         slot-- > root;) {
        if (!nighi_node_present(nighi_node_word(index, slot))) {
            continue;
        }
        if (nighi_children_count(index, slot) < limit) {
            return slot;
        }
        full = nighi_child_after(index, slot, self) != NIGHI_NONE ? slot : full;
    }
    return full;
}

/* The nearest chosen neighbour with room for a child; where all are full, a descendant of the
 * first. Slots rise along the way down, so it ends; a leaf always has room. */
static uint32_t nighi_parent_find(const nigh_index *index, const nighi_plan *plan) {
    const uint32_t limit = nighi_children_max(index);
    /* A new node has no slot yet; a damaged image may name any. */
    const uint32_t end = nighi_min_u32(plan->self, nighi_load_acquire(&index->counts.slot_count));
    const uint32_t *chosen = plan->chosen;
    uint32_t at = NIGHI_NONE;
    for (uint32_t i = 0; i < plan->chosen_count[0]; i++) {
        if (chosen[i] < plan->self && nighi_children_count(index, chosen[i]) < limit) {
            return chosen[i];
        }
        at = at == NIGHI_NONE && chosen[i] < plan->self ? chosen[i] : at;
    }
    at = at == NIGHI_NONE ? nighi_load(&index->counts.root) : at;
    while (nighi_children_count(index, at) >= limit) {
        const uint32_t *row = nighi_row0(index, at);
        uint32_t below = NIGHI_NONE;
        for (uint32_t i = 0; i < index->config.m0 && below == NIGHI_NONE; i++) {
            const uint32_t link = nighi_load_acquire(&row[i]);
            const uint32_t slot = nighi_link_slot(link);
            below = link >> 31 != 0 && slot > at && slot < end ? slot : NIGHI_NONE;
        }
        if (below == NIGHI_NONE) {
            return nighi_parent_any(index, plan->self, limit);
        }
        at = below;
    }
    return at;
}

/* Old neighbours above layer 0 forget a slot that moves. */
static nigh_status nighi_upper_touch(nigh_index *index, nighi_plan *plan, uint32_t level) {
    uint32_t *links = plan->links;
    const uint32_t count = nighi_row_now(index, plan->self, level, links);
    nigh_status status = NIGH_OK;
    for (uint32_t i = 0; i < count && status == NIGH_OK; i++) {
        const uint32_t word = nighi_node_word(index, nighi_link_slot(links[i]));
        status = nighi_touch(index, NIGHI_UPPER, (word & NIGHI_UPPER_NONE) + level - 1);
    }
    return status;
}

NIGHI_FN nigh_status nighi_plan_touch(nigh_index *index, nigh_session *session) {
    nighi_plan *plan = &session->plan;
    nigh_status status = NIGH_OK;
    if (!nighi_followed(index)) {
        return NIGH_OK;
    }
    for (uint32_t i = 0; i < plan->row_count && status == NIGH_OK; i++) {
        const nighi_row_plan *row = &plan->rows[i];
        const uint32_t first = nighi_node_word(index, row->slot) & NIGHI_UPPER_NONE;
        status = row->level == 0 ? nighi_touch(index, NIGHI_LINKS0, row->slot)
                                 : nighi_touch(index, NIGHI_UPPER, first + row->level - 1);
    }
    const uint32_t slot_count = nighi_load(&index->counts.slot_count);
    if (status == NIGH_OK && plan->self >= slot_count && plan->empty == 0) {
        return nighi_touch(index, NIGHI_LINKS0, nighi_parent_find(index, plan));
    }
    if (status != NIGH_OK || plan->self >= slot_count) {
        return status;
    }
    for (uint32_t level = 1; level <= plan->level && status == NIGH_OK; level++) {
        status = nighi_upper_touch(index, plan, level);
    }
    /* A slot that moves: its children may go to any of their neighbours. */
    uint32_t *children = plan->links;
    uint32_t *links = plan->links + index->config.m0;
    const uint32_t count = nighi_row_now(index, plan->self, 0, children);
    for (uint32_t i = 0; i < count && status == NIGH_OK; i++) {
        const uint32_t child = nighi_link_slot(children[i]);
        const uint32_t near = nighi_row_now(index, child, 0, links);
        status = nighi_touch(index, NIGHI_LINKS0, child);
        for (uint32_t j = 0; j < near && status == NIGH_OK; j++) {
            status = nighi_touch(index, NIGHI_LINKS0, nighi_link_slot(links[j]));
        }
    }
    return status;
}

NIGHI_FN nigh_status nighi_parent_touch(nigh_index *index, nigh_session *session, uint32_t slot) {
    nighi_plan *plan = &session->plan;
    const uint32_t self = plan->self;
    plan->self = slot;
    const uint32_t parent = nighi_parent_find(index, plan);
    plan->self = self;
    uint32_t *links = plan->links;
    const uint32_t count = nighi_row_now(index, parent, 0, links);
    nigh_status status = nighi_touch(index, NIGHI_LINKS0, parent);
    for (uint32_t i = 0; i < count && status == NIGH_OK; i++) {
        status = nighi_touch(index, NIGHI_LINKS0, nighi_link_slot(links[i]));
    }
    return status;
}

/* Puts `parent` first in links[count], dropping the last free link if there is no room. */
static uint32_t nighi_parent_first(const nigh_index *index, uint32_t *links, uint32_t count,
                                   uint32_t parent) {
    uint32_t at = nighi_links_find(links, count, parent);
    if (at == NIGHI_NONE) {
        if (count == index->config.m0) {
            for (at = count - 1; at > 0 && links[at] >> 31 != 0;) {
                at--;
            }
        } else {
            at = count++;
        }
        links[at] = parent;
    }
    const uint32_t first = links[0];
    links[0] = nighi_link_slot(links[at]);
    if (at != 0) {
        links[at] = first;
    }
    return count;
}

/* Under the locks of all three rows: `self` takes the place of `child` under `parent`, and `child`
 * becomes its own. */
static void nighi_between(nigh_index *index, nighi_plan *plan, uint32_t parent, uint32_t self,
                          uint32_t child) {
    uint32_t *links = plan->links;
    uint32_t count = nighi_row_now(index, self, 0, links);
    count = nighi_parent_first(index, links, count, parent);
    count = nighi_row_force(index, self, links, count, child | NIGHI_LINK_MARK);
    nighi_row_store(index, nighi_row0(index, self), 0, links, count);
    count = nighi_row_now(index, parent, 0, links);
    const uint32_t there = nighi_links_find(links, count, self);
    const uint32_t at = nighi_links_find(links, count, child);
    if (there != NIGHI_NONE) {
        links[there] = self | NIGHI_LINK_MARK;
        links[at] = child;
    } else {
        links[at] = self | NIGHI_LINK_MARK;
    }
    nighi_row_store(index, nighi_row0(index, parent), 0, links, count);
    count = nighi_row_now(index, child, 0, links);
    count = nighi_parent_first(index, links, count, self);
    nighi_row_store(index, nighi_row0(index, child), 0, links, count);
}

/* No older node has room: a reused slot may be older than all children of the few before it. */
static bool nighi_parent_steal(nigh_index *index, nighi_plan *plan, uint32_t parent) {
    nighi_writer *writer = index->writer;
    const uint32_t self = plan->self;
    const uint32_t child = nighi_child_after(index, parent, self);
    if (child == NIGHI_NONE) {
        return false;
    }
    const uint32_t slots[3] = {parent, self, child};
    nighi_held held;
    nighi_rows_lock(writer, slots, 3, &held);
    const uint32_t *row = nighi_row0(index, child);
    const bool still = nighi_link_slot(nighi_load(row)) == parent &&
                       nighi_children_count(index, self) < nighi_children_max(index);
    if (still) {
        nighi_between(index, plan, parent, self, child);
    }
    nighi_rows_unlock(writer, plan, &held, still);
    return still;
}

/* A reused slot below all others becomes the root, and the old root its child. */
static bool nighi_root_take(nigh_index *index, nighi_plan *plan) {
    nighi_writer *writer = index->writer;
    const uint32_t self = plan->self;
    const uint32_t alloc = nighi_lock(&writer->alloc);
    const uint32_t root = nighi_load(&index->counts.root);
    if (self < root) {
        const uint32_t slots[2] = {self, root};
        nighi_held held;
        nighi_rows_lock(writer, slots, 2, &held);
        uint32_t *links = plan->links;
        uint32_t count = nighi_row_now(index, self, 0, links);
        nighi_store(&index->counts.root, self); /* nighi_row_force keeps no link 0 of it */
        count = nighi_row_force(index, self, links, count, root | NIGHI_LINK_MARK);
        nighi_row_store(index, nighi_row0(index, self), 0, links, count);
        count = nighi_row_now(index, root, 0, links);
        count = nighi_parent_first(index, links, count, self);
        nighi_row_store(index, nighi_row0(index, root), 0, links, count);
        nighi_rows_unlock(writer, plan, &held, true);
    }
    nighi_unlock(&writer->alloc, alloc, false);
    return self <= root;
}

NIGHI_FN void nighi_parent_attach(nigh_index *index, nigh_session *session) {
    nighi_plan *plan = &session->plan;
    nighi_writer *writer = index->writer;
    const uint32_t self = plan->self;
    if (self <= nighi_load(&index->counts.root) && nighi_root_take(index, plan)) {
        return;
    }
    for (uint32_t tries = 0;; tries++) {
        const uint32_t parent = nighi_parent_find(index, plan);
        const uint32_t slots[2] = {parent, self};
        const bool none = nighi_children_count(index, parent) >= nighi_children_max(index);
        nighi_held held;
        if (none && tries < NIGHI_STEAL_TRIES &&
            nighi_child_after(index, parent, self) != NIGHI_NONE) {
            if (nighi_parent_steal(index, plan, parent)) {
                return;
            }
            nighi_pause();
            continue;
        }
        /* Still none: only a damaged image can be so. */
        nighi_rows_lock(writer, slots, 2, &held);
        const bool room = none || nighi_children_count(index, parent) < nighi_children_max(index);
        if (room) {
            uint32_t count = nighi_row_now(index, self, 0, plan->links);
            count = nighi_parent_first(index, plan->links, count, parent);
            nighi_row_store(index, nighi_row0(index, self), 0, plan->links, count);
            nighi_row_apply(index, plan, nighi_plan_of(plan, parent),
                            nighi_held_version(writer, &held, parent), parent, 0,
                            self | NIGHI_LINK_MARK);
        }
        nighi_rows_unlock(writer, plan, &held, room);
        if (room) {
            return;
        }
    }
}

/* An older neighbour of `child` that can take it over from `from` without dropping a link. */
static uint32_t nighi_adopter_find(const nigh_index *index, nighi_plan *plan, uint32_t child,
                                   uint32_t from) {
    uint32_t *near = plan->links + 2 * (size_t)index->config.m0;
    uint32_t *row = plan->links + 3 * (size_t)index->config.m0;
    const uint32_t count = nighi_row_now(index, child, 0, near);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t slot = nighi_link_slot(near[i]);
        if (slot >= child || slot == from) {
            continue;
        }
        const uint32_t links = nighi_row_now(index, slot, 0, row);
        if (nighi_links_marked(row, links) < nighi_children_max(index) &&
            (links < index->config.m0 || nighi_links_find(row, links, child) != NIGHI_NONE)) {
            return slot;
        }
    }
    return NIGHI_NONE;
}

static void nighi_mark_clear(const nigh_index *index, nighi_plan *plan, uint32_t slot,
                             uint32_t child, bool drop) {
    uint32_t *links = plan->links;
    uint32_t count = nighi_row_now(index, slot, 0, links);
    const uint32_t at = nighi_links_find(links, count, child);
    if (at == NIGHI_NONE) {
        return;
    }
    links[at] = child;
    if (drop && at > 0) {
        nighi_move(links + at, links + at + 1, (size_t)(count - at - 1) * 4);
        count--;
    }
    nighi_row_store(index, nighi_row0(index, slot), 0, links, count);
}

static bool nighi_child_move(nigh_index *index, nigh_session *session, uint32_t child) {
    nighi_plan *plan = &session->plan;
    nighi_writer *writer = index->writer;
    const uint32_t self = plan->self;
    const uint32_t adopter = nighi_adopter_find(index, plan, child, self);
    if (adopter == NIGHI_NONE) {
        return true;
    }
    const uint32_t slots[3] = {adopter, self, child};
    nighi_held held;
    nighi_rows_lock(writer, slots, 3, &held);
    uint32_t *links = plan->links;
    uint32_t count = nighi_row_now(index, adopter, 0, links);
    const bool room =
        nighi_links_marked(links, count) < nighi_children_max(index) &&
        (count < index->config.m0 || nighi_links_find(links, count, child) != NIGHI_NONE);
    count = nighi_row_now(index, child, 0, links);
    const bool still = count > 0 && nighi_link_slot(links[0]) == self &&
                       nighi_links_find(links, count, adopter) != NIGHI_NONE;
    if (room && still) {
        count = nighi_row_now(index, adopter, 0, links);
        count = nighi_row_force(index, adopter, links, count, child | NIGHI_LINK_MARK);
        nighi_row_store(index, nighi_row0(index, adopter), 0, links, count);
        count = nighi_row_now(index, child, 0, links);
        count = nighi_parent_first(index, links, count, adopter);
        nighi_row_store(index, nighi_row0(index, child), 0, links, count);
        nighi_mark_clear(index, plan, self, child, false);
    }
    nighi_rows_unlock(writer, plan, &held, room && still);
    return room || !still;
}

NIGHI_FN void nighi_children_move(nigh_index *index, nigh_session *session) {
    const uint32_t m0 = index->config.m0;
    const uint32_t slot_count = nighi_load_acquire(&index->counts.slot_count);
    const uint32_t *row = nighi_row0(index, session->plan.self);
    for (uint32_t i = 0; i < m0; i++) {
        const uint32_t link = nighi_load_acquire(&row[i]);
        if (nighi_link_slot(link) >= slot_count) {
            break;
        }
        /* Marks are cleared in place, so positions hold; a lost race is tried again. */
        while (link >> 31 != 0 && !nighi_child_move(index, session, nighi_link_slot(link))) {
            nighi_pause();
        }
    }
}

/* A parent near the new place: a chosen older neighbour with room, or NIGHI_NONE. */
static uint32_t nighi_parent_near(const nigh_index *index, const nighi_plan *plan) {
    for (uint32_t i = 0; i < plan->chosen_count[0]; i++) {
        const uint32_t slot = plan->chosen[i];
        if (slot < plan->self && nighi_children_count(index, slot) < nighi_children_max(index)) {
            return slot;
        }
    }
    return NIGHI_NONE;
}

/* The moved slot's row: parent, children it could not hand on, then the chosen neighbours. */
static void nighi_moved_row_store(nigh_index *index, nighi_plan *plan, uint32_t parent) {
    uint32_t *now = plan->links;
    uint32_t *out = plan->links + index->config.m0;
    const uint32_t count = nighi_row_now(index, plan->self, 0, now);
    uint32_t size = 0;
    if (parent != NIGHI_NONE) {
        out[size++] = parent;
    }
    for (uint32_t i = 0; i < count && size < index->config.m0; i++) {
        if (now[i] >> 31 != 0) {
            out[size++] = now[i];
        }
    }
    for (uint32_t i = 0; i < plan->chosen_count[0] && size < index->config.m0; i++) {
        if (nighi_links_find(out, size, plan->chosen[i]) == NIGHI_NONE) {
            out[size++] = plan->chosen[i];
        }
    }
    nighi_row_store(index, nighi_row0(index, plan->self), 0, out, size);
}

/* Link 0 of a node that is not the root; NIGHI_NONE only in a damaged image. */
static uint32_t nighi_parent_of(const nigh_index *index, uint32_t slot) {
    const uint32_t parent = nighi_link_slot(nighi_load_acquire(nighi_row0(index, slot)));
    return parent < nighi_load_acquire(&index->counts.slot_count) ? parent : NIGHI_NONE;
}

static bool nighi_parent_switch(nigh_index *index, nigh_session *session) {
    nighi_plan *plan = &session->plan;
    nighi_writer *writer = index->writer;
    const uint32_t self = plan->self;
    const bool root = self == nighi_load(&index->counts.root);
    const uint32_t old = root ? NIGHI_NONE : nighi_parent_of(index, self);
    uint32_t parent = root ? NIGHI_NONE : nighi_parent_near(index, plan);
    parent = parent == NIGHI_NONE ? old : parent;
    const uint32_t slots[3] = {parent, self, old};
    nighi_held held;
    nighi_rows_lock(writer, slots, 3, &held);
    const bool ok =
        root ||
        (nighi_parent_of(index, self) == old &&
         (parent == old || nighi_children_count(index, parent) < nighi_children_max(index)));
    if (ok) {
        if (parent != old) {
            nighi_row_apply(index, plan, nighi_plan_of(plan, parent),
                            nighi_held_version(writer, &held, parent), parent, 0,
                            self | NIGHI_LINK_MARK);
        }
        nighi_moved_row_store(index, plan, parent);
        if (parent != old && old != NIGHI_NONE) {
            nighi_mark_clear(index, plan, old, self, true);
        }
    }
    nighi_rows_unlock(writer, plan, &held, ok);
    return ok;
}

/* Layers above: new links, and the old neighbours forget the slot. */
static void nighi_upper_move(nigh_index *index, nigh_session *session, uint32_t level) {
    nighi_plan *plan = &session->plan;
    nighi_writer *writer = index->writer;
    const uint32_t *chosen = nighi_plan_chosen(index, plan, level);
    uint32_t *old = plan->links + 2 * (size_t)index->config.m0;
    nighi_held held;
    nighi_rows_lock(writer, &plan->self, 1, &held);
    const uint32_t count = nighi_row_now(index, plan->self, level, old);
    nighi_row_store(index, nighi_row(index, plan->self, level), level, chosen,
                    plan->chosen_count[level]);
    nighi_rows_unlock(writer, plan, &held, true);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t slot = nighi_link_slot(old[i]);
        uint32_t *links = plan->links;
        if (nighi_links_find(chosen, plan->chosen_count[level], slot) != NIGHI_NONE) {
            continue;
        }
        nighi_rows_lock(writer, &slot, 1, &held);
        uint32_t size = nighi_row_now(index, slot, level, links);
        for (uint32_t j = 0; j < size; j++) {
            links[j] = nighi_link_slot(links[j]);
        }
        const uint32_t at = nighi_links_find(links, size, plan->self);
        if (at != NIGHI_NONE) {
            nighi_move(links + at, links + at + 1, (size_t)(size - at - 1) * 4);
            nighi_row_store(index, nighi_row(index, slot, level), level, links, size - 1);
        }
        nighi_rows_unlock(writer, plan, &held, at != NIGHI_NONE);
    }
}

NIGHI_FN void nighi_node_move(nigh_index *index, nigh_session *session) {
    while (!nighi_parent_switch(index, session)) {
        nighi_pause();
    }
    for (uint32_t level = 1; level <= session->plan.level; level++) {
        nighi_upper_move(index, session, level);
    }
}

/* True when the row is settled. */
static bool nighi_row_try(nigh_index *index, nigh_session *session, nighi_row_plan *row,
                          bool last) {
    nighi_plan *plan = &session->plan;
    nighi_writer *writer = index->writer;
    nighi_held held;
    nighi_rows_lock(writer, &row->slot, 1, &held);
    const bool valid = NIGHI_IS_SINGLE || held.versions[0] == row->version;
    uint32_t *links = plan->links;
    uint32_t count = 0;
    bool store = valid;
    if (!valid && last) { /* it cannot be planned anew: append where there is room, else leave it */
        count = nighi_row_now(index, row->slot, row->level, links);
        store = row->repair == 0 && count < nighi_degree_max(index, row->level) &&
                nighi_links_find(links, count, plan->self) == NIGHI_NONE;
        row->kind = NIGHI_ROW_APPEND;
    }
    if (store && row->kind == NIGHI_ROW_SELECT) {
        nighi_row_apply(index, plan, row, row->version, row->slot, row->level, NIGHI_NONE);
    } else if (store) {
        count = nighi_row_now(index, row->slot, row->level, links);
        for (uint32_t i = 0; row->level > 0 && i < count; i++) {
            links[i] = nighi_link_slot(links[i]);
        }
        if (count < nighi_degree_max(index, row->level) && /* a row of the tree may have it */
            nighi_links_find(links, count, plan->self) == NIGHI_NONE) {
            links[count++] = plan->self;
            nighi_row_store(index, nighi_row(index, row->slot, row->level), row->level, links,
                            count);
        }
    }
    nighi_rows_unlock(writer, plan, &held, store);
    return valid || last;
}

NIGHI_FN void nighi_rows_commit(nigh_index *index, nigh_session *session) {
    nighi_plan *plan = &session->plan;
    for (uint32_t i = 0; i < plan->row_count; i++) {
        nighi_row_plan *row = &plan->rows[i];
        bool last = false;
        while (row->kind != NIGHI_ROW_NONE && !nighi_row_try(index, session, row, last)) {
            last = nighi_plan_row(index, session, row) != NIGH_OK;
        }
        row->kind = NIGHI_ROW_NONE;
    }
}

/* ---- For jobs ------------------------------------------------------------------------------- */

NIGHI_FN uint32_t nighi_child_adopt(nigh_index *index, nighi_plan *plan, uint32_t parent,
                                    uint32_t child) {
    uint32_t *links = plan->links;
    uint32_t *before = plan->links + index->config.m0;
    uint32_t lost = NIGHI_NONE;
    uint32_t count = nighi_row_now(index, parent, 0, links);
    nighi_copy(before, links, (uint64_t)count * 4);
    const uint32_t size = nighi_row_force(index, parent, links, count, child | NIGHI_LINK_MARK);
    for (uint32_t i = 0; size == count && i < count; i++) {
        if (nighi_link_slot(before[i]) != nighi_link_slot(links[i])) {
            lost = nighi_link_slot(before[i]);
        }
    }
    nighi_row_store(index, nighi_row0(index, parent), 0, links, size);
    count = nighi_row_now(index, child, 0, links);
    count = nighi_parent_first(index, links, count, parent);
    nighi_row_store(index, nighi_row0(index, child), 0, links, count);
    return lost;
}

NIGHI_FN nigh_status nighi_row_absorb(nigh_index *index, nigh_session *session, uint32_t slot,
                                      uint32_t level, const uint32_t *sources, uint32_t count) {
    nighi_plan *plan = &session->plan;
    const uint32_t m0 = index->config.m0;
    const uint32_t degree_max = nighi_degree_max(index, level);
    uint32_t *row = nighi_row(index, slot, level);
    uint32_t *now = plan->links;
    uint32_t *all = plan->links + m0;
    const uint32_t size = nighi_row_now(index, slot, level, now);
    uint32_t total = 0;
    for (; total < size; total++) {
        now[total] = level == 0 ? now[total] : nighi_link_slot(now[total]);
        all[total] = nighi_link_slot(now[total]);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (sources[i] != slot && nighi_links_find(all, total, sources[i]) == NIGHI_NONE) {
            all[total++] = sources[i];
        }
    }
    if (row == NULL || total == size) {
        return NIGH_OK;
    }
    if (total <= degree_max) {
        nighi_copy(now + size, all + size, (uint64_t)(total - size) * 4);
        nighi_row_store(index, row, level, now, total);
        return NIGH_OK;
    }
    nighi_space space;
    uint32_t sorted = 0;
    nighi_row_plan chosen = {
        .slot = slot, .level = level, .kind = NIGHI_ROW_SELECT, .links = plan->row_links};
    plan->self = NIGHI_SELF_NEW;
    plan->coded = nighi_coded_build(index);
    nighi_space_get(index, plan->coded, &space);
    nigh_status status = nighi_links_sort(&space, session, slot, all, total, false, &sorted);
    if (status == NIGH_OK) {
        status = nighi_select(&space, session, sorted, degree_max, chosen.links, &chosen.count);
    }
    if (status == NIGH_OK) {
        uint32_t *out = plan->links + 3 * (size_t)m0;
        const uint32_t kept = nighi_row_merge(index, &chosen, now, size, NIGHI_NONE, out);
        nighi_row_store(index, row, level, out, kept);
    }
    return status;
}

NIGHI_FN void nighi_row_replace(nigh_index *index, nighi_plan *plan, uint32_t slot, uint32_t *links,
                                uint32_t count) {
    const nighi_row_plan chosen = {
        .slot = slot, .kind = NIGHI_ROW_SELECT, .links = links, .count = count};
    uint32_t *now = plan->links;
    uint32_t *out = plan->links + index->config.m0;
    const uint32_t size = nighi_row_now(index, slot, 0, now);
    const uint32_t kept = nighi_row_merge(index, &chosen, now, size, NIGHI_NONE, out);
    nighi_row_store(index, nighi_row0(index, slot), 0, out, kept);
}

NIGHI_FN void nighi_child_leave(nigh_index *index, nighi_plan *plan, uint32_t parent,
                                uint32_t child) {
    nighi_mark_clear(index, plan, parent, child, true);
}

/* `out` leaves a row, `in` is there as a child. */
static void nighi_child_turn(nigh_index *index, nighi_plan *plan, uint32_t parent, uint32_t out,
                             uint32_t in) {
    uint32_t *links = plan->links;
    uint32_t count = nighi_row_now(index, parent, 0, links);
    const uint32_t there = nighi_links_find(links, count, in);
    const uint32_t at = nighi_links_find(links, count, out);
    if (there != NIGHI_NONE) {
        links[there] = in | NIGHI_LINK_MARK;
    }
    if (at != NIGHI_NONE && there == NIGHI_NONE) {
        links[at] = in | NIGHI_LINK_MARK;
    } else if (at != NIGHI_NONE) {
        nighi_move(links + at, links + at + 1, (size_t)(count - at - 1) * 4);
        count--;
    }
    nighi_row_store(index, nighi_row0(index, parent), 0, links, count);
}

NIGHI_FN void nighi_child_swap(nigh_index *index, nighi_plan *plan, uint32_t parent, uint32_t self,
                               uint32_t before, uint32_t child) {
    uint32_t *links = plan->links;
    nighi_child_turn(index, plan, parent, child, self);
    uint32_t count = nighi_row_now(index, self, 0, links);
    count = nighi_parent_first(index, links, count, parent);
    nighi_row_store(index, nighi_row0(index, self), 0, links, count);
    nighi_child_turn(index, plan, before, self, child);
    count = nighi_row_now(index, child, 0, links);
    count = nighi_parent_first(index, links, count, before);
    nighi_row_store(index, nighi_row0(index, child), 0, links, count);
    nighi_mark_clear(index, plan, child, parent, true); /* it may be leaving too */
}

NIGHI_FN void nighi_node_unlink(nigh_index *index, nighi_plan *plan, uint32_t slot) {
    uint32_t *links = plan->links;
    const bool root = slot == nighi_load(&index->counts.root);
    const uint32_t parent = root ? NIGHI_NONE : nighi_parent_of(index, slot);
    const uint32_t heir = nighi_child_after(index, slot, slot);
    if (parent != NIGHI_NONE) {
        uint32_t count = nighi_row_now(index, parent, 0, links);
        uint32_t at = nighi_links_find(links, count, heir);
        if (heir != NIGHI_NONE && at != NIGHI_NONE) {
            links[at] |= NIGHI_LINK_MARK;
        }
        const bool takes = heir != NIGHI_NONE && at == NIGHI_NONE;
        at = nighi_links_find(links, count, slot);
        if (at != NIGHI_NONE && takes) {
            links[at] = heir | NIGHI_LINK_MARK;
        } else if (at != NIGHI_NONE) {
            nighi_move(links + at, links + at + 1, (size_t)(count - at - 1) * 4);
            count--;
        }
        nighi_row_store(index, nighi_row0(index, parent), 0, links, count);
    }
    if (heir == NIGHI_NONE) {
        return;
    }
    uint32_t count = nighi_row_now(index, heir, 0, links);
    if (parent != NIGHI_NONE) {
        count = nighi_parent_first(index, links, count, parent);
    } else if (count > 0) {
        count--;
        nighi_move(links, links + 1, (size_t)count * 4);
    }
    const uint32_t at = nighi_links_find(links, count, slot);
    if (at != NIGHI_NONE && nighi_link_slot(links[at]) == slot) {
        nighi_move(links + at, links + at + 1, (size_t)(count - at - 1) * 4);
        count--;
    }
    nighi_row_store(index, nighi_row0(index, heir), 0, links, count);
}
