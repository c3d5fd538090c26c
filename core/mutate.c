/* mutate.c - insert, set, remove, unremove: plan, claim, fill, link
 * layer L13; uses: mutate, fp, image, link, place, plan, source
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A vector is planned without storing anything. Then, under the alloc lock, the world is compared
 * with the one that was planned on; if it moved on too far, the plan is made again. From the claim
 * on nothing can fail. */
#include "mutate.h"
#include "fp.h"
#include "image.h"
#include "link.h"
#include "place.h"
#include "plan.h"
#include "source.h"

enum { NIGHI_AGAIN = 1 }; /* the claim found another world than the plan: plan anew */

/* What one call of nighi_put wants. */
typedef struct nighi_put_call {
    nighi_key key;
    bool next_key; /* identity keys: the key is whatever slot it gets */
    const void *row;
    uint32_t flags;
    bool set;
    bool known;     /* the key has a slot */
    bool replaces;  /* the slot's removed key is forgotten for this one */
    bool reuses;    /* the slot is free */
    uint32_t slot;  /* where the vector goes */
    uint32_t claim; /* version of the slot's claim stripe when planned */
} nighi_put_call;

NIGHI_FN nigh_status nighi_write_begin(nigh_index *index) {
    nighi_writer *writer = index->writer;
    if (writer == NULL) {
        return NIGH_E_READ_ONLY;
    }
    for (;;) {
        const uint32_t gate = nighi_load_acquire(&writer->gate);
        /* A pager hears of blocks before a plan is stored; it must still be true then. */
        if ((gate & NIGHI_EXCLUSIVE) != 0 ||
            (gate != 0 && nighi_followed(index))) {
            return NIGH_E_BUSY;
        }
        if (nighi_swap_if(&writer->gate, gate, gate + 1)) {
            break;
        }
    }
    return NIGH_OK;
}

NIGHI_FN void nighi_write_end(nigh_index *index) { nighi_add(&index->writer->gate, UINT32_MAX); }

NIGHI_FN nigh_status nighi_exclusive_begin(const nigh_index *index) {
    nighi_writer *writer = index->writer;
    if (writer == NULL || nighi_swap_if(&writer->gate, 0, NIGHI_EXCLUSIVE)) {
        return NIGH_OK;
    }
    return NIGH_E_BUSY;
}

NIGHI_FN void nighi_exclusive_end(const nigh_index *index) {
    if (index->writer != NULL) {
        nighi_store_release(&index->writer->gate, 0u);
    }
}

NIGHI_FN uint32_t nighi_growth_hold(const nigh_index *index) {
    return index->writer == NULL ? 0 : nighi_lock(&index->writer->alloc);
}

NIGHI_FN void nighi_growth_release(const nigh_index *index, uint32_t version) {
    if (index->writer != NULL) {
        nighi_unlock(&index->writer->alloc, version, false);
    }
}

/* True when a block that was cut, at the end of an image or of exact memory, must be replaced. */
static bool nighi_grow_replaces(const nigh_index *index) {
    for (uint32_t i = 0; i < NIGHI_REGION_COUNT; i++) {
        const nighi_region *region = &index->regions[i];
        if (region->stride != 0 && (region->capacity & ((1u << region->shift) - 1)) != 0) {
            return true;
        }
    }
    return false;
}

/* Growth that wants no writer beside it; outside the alloc lock, since a pager may call back. */
static nigh_status nighi_grow_alone(nigh_index *index, uint32_t slots, uint64_t key_bytes,
                                    void *memory, uint64_t memory_bytes) {
    nigh_status status = nighi_exclusive_begin(index);
    if (status == NIGH_OK) {
        status = nighi_grow(index, slots, key_bytes, memory, memory_bytes);
        nighi_exclusive_end(index);
    }
    return status;
}

NIGHI_FN nigh_status nighi_grow_shared(nigh_index *index, uint32_t slots, uint64_t key_bytes,
                                       void *memory, uint64_t memory_bytes) {
    if (memory == NULL || index->writer == NULL) {
        return nighi_grow_alone(index, slots, key_bytes, memory, memory_bytes);
    }
    nigh_status status = NIGH_OK;
    const uint32_t version = nighi_growth_hold(index);
    const bool replaces = nighi_grow_replaces(index);
    if (!replaces) {
        status = nighi_grow(index, slots, key_bytes, memory, memory_bytes);
    }
    nighi_unlock(&index->writer->alloc, version, true);
    return replaces ? nighi_grow_alone(index, slots, key_bytes, memory, memory_bytes) : status;
}

/* The lowest removed slot, or NIGHI_NONE. Under the alloc lock. */
static uint32_t nighi_lowest_removed(nigh_index *index) {
    nighi_writer *writer = index->writer;
    const uint32_t count = nighi_load(&index->counts.slot_count);
    if (nighi_load(&index->counts.deleted_count) == 0) {
        return NIGHI_NONE;
    }
    for (uint32_t slot = writer->deleted_hint; slot < count; slot++) {
        if ((nighi_node_word(index, slot) & NIGHI_NODE_PENDING) == NIGHI_NODE_REMOVED) {
            writer->deleted_hint = slot;
            return slot;
        }
    }
    writer->deleted_hint = count;
    return NIGHI_NONE;
}

/* The lowest free slot, or NIGHI_NONE. Under the alloc lock. */
static uint32_t nighi_lowest_free(nigh_index *index) {
    nighi_writer *writer = index->writer;
    const uint32_t count = nighi_load(&index->counts.slot_count);
    if (nighi_load(&index->counts.free_count) == 0) {
        return NIGHI_NONE;
    }
    for (uint32_t slot = writer->free_hint; slot < count; slot++) {
        if (nighi_node_free(nighi_node_word(index, slot))) {
            writer->free_hint = slot;
            return slot;
        }
    }
    writer->free_hint = count;
    return NIGHI_NONE;
}

/* A slot for a key that has none: the lowest free one, else the next. Rows of a borrowed array
 * belong to slots: there only a key that is the slot's number may name a free one. */
static void nighi_put_new(nigh_index *index, nighi_put_call *call) {
    const bool identity = index->config.keys == NIGH_KEYS_IDENTITY;
    const uint32_t count = nighi_load(&index->counts.slot_count);
    uint32_t slot = NIGHI_NONE;
    if (!NIGHI_HAS_MOVES) {
        slot = NIGHI_NONE; /* no slot is free */
    } else if (identity && !call->next_key) {
        const bool freed = call->key.value < count &&
                           nighi_node_free(nighi_node_word(index, (uint32_t)call->key.value));
        slot = freed ? (uint32_t)call->key.value : NIGHI_NONE;
    } else if (!nighi_source_is(index, NIGHI_SOURCE_BORROWED) || identity) {
        slot = nighi_lowest_free(index);
    }
    call->reuses = slot != NIGHI_NONE;
    call->slot = call->reuses ? slot : count;
    call->key.value = call->next_key ? call->slot : call->key.value;
}

/* Where the vector goes, as things stand. */
static nigh_status nighi_put_place(nigh_index *index, nighi_put_call *call) {
    nighi_writer *writer = index->writer;
    const uint32_t version = nighi_lock(&writer->alloc);
    uint32_t found = call->next_key ? NIGHI_NONE : nighi_keymap_find(index, &call->key);
    nigh_status status = NIGH_OK;
    if (index->config.keys == NIGH_KEYS_IDENTITY && found != NIGHI_NONE &&
        nighi_node_free(nighi_node_word(index, found))) {
        found = NIGHI_NONE; /* identity keys are not kept in a map */
    }
    call->known = found != NIGHI_NONE;
    call->replaces = false;
    nighi_put_new(index, call);
    if (call->known) {
        const uint32_t word = nighi_node_word(index, found);
        call->slot = found;
        call->reuses = false;
        if (!nighi_node_present(word)) {
            status = call->set ? NIGH_E_BUSY : NIGH_E_EXISTS;
        } else if (!call->set) {
            status = nighi_node_live(word) ? NIGH_E_EXISTS : NIGH_E_DELETED;
        }
    } else if (NIGHI_HAS_MOVES && (call->flags & NIGH_REPLACE_DELETED) != 0 &&
               index->config.keys != NIGH_KEYS_IDENTITY) {
        const uint32_t removed = nighi_lowest_removed(index);
        call->replaces = removed != NIGHI_NONE;
        call->reuses = call->reuses && !call->replaces;
        call->slot = call->replaces ? removed : call->slot;
    } else if (index->config.keys == NIGH_KEYS_IDENTITY && call->key.value != call->slot) {
        status = NIGH_E_KEY;
    }
    nighi_unlock(&writer->alloc, version, false);
    return status;
}

static bool nighi_placed(const nighi_put_call *call) {
    return NIGHI_HAS_MOVES && (call->known || call->replaces);
}

/* Does it go to a freed slot? */
static bool nighi_reuses(const nighi_put_call *call) { return NIGHI_HAS_MOVES && call->reuses; }

/* Room for one more slot whose top layer is `level`, and for its key? */
static bool nighi_room(const nigh_index *index, const nighi_put_call *call, uint32_t level) {
    if (!call->known && !nighi_key_fits(index, &call->key)) {
        return false;
    }
    if (nighi_placed(call) || nighi_reuses(call)) {
        return true;
    }
    return call->slot < nighi_slot_capacity(index) &&
           (uint64_t)nighi_load(&index->counts.upper_count) + level <=
               nighi_load(&index->regions[NIGHI_UPPER].capacity) &&
           nighi_load(&index->counts.upper_count) + level < NIGHI_UPPER_NONE;
}

/* A node in a freed slot may come between an older one and its child, or above the root. */
static nigh_status nighi_reuse_touch(nigh_index *index, nigh_session *session, uint32_t slot) {
    nigh_status status = NIGH_OK;
    if (session->plan.empty != 0) {
        return NIGH_OK;
    }
    status = nighi_touch(index, NIGHI_LINKS0, nighi_load(&index->counts.root));
    return status == NIGH_OK ? nighi_parent_touch(index, session, slot) : status;
}

static nigh_status nighi_put_touch(nigh_index *index, nigh_session *session,
                                   const nighi_put_call *call) {
    const uint32_t slot = call->slot;
    if (!nighi_followed(index)) {
        return NIGH_OK;
    }
    static const uint8_t regions[] = {NIGHI_LINKS0, NIGHI_NODE,   NIGHI_KEY,
                                      NIGHI_VECTOR, NIGHI_KEYMAP, NIGHI_CODE};
    nigh_status status = nighi_plan_touch(index, session);
    for (uint32_t i = 0; i < sizeof regions && status == NIGH_OK; i++) {
        status = nighi_touch(index, regions[i], slot);
    }
    const bool old = nighi_placed(call) || nighi_reuses(call);
    const uint32_t first = old ? nighi_node_word(index, slot) & NIGHI_UPPER_NONE
                               : nighi_load(&index->counts.upper_count);
    if (status == NIGH_OK && nighi_reuses(call)) {
        status = nighi_reuse_touch(index, session, slot);
    }
    for (uint32_t i = 0; i < session->plan.level && status == NIGH_OK; i++) {
        status = nighi_touch(index, NIGHI_UPPER, first + i);
    }
    if (status == NIGH_OK && !call->known) {
        status = nighi_keymap_touch(index, &call->key, slot, call->replaces);
    }
    return status;
}

/* ---- A new slot ----------------------------------------------------------------------------- */

/* Under the alloc lock: does the world still fit the plan? */
static nigh_status nighi_claim_check(nigh_index *index, nigh_session *session,
                                     nighi_put_call *call) {
    const nighi_counts *counts = &index->counts;
    const bool first = session->plan.empty != 0;
    const uint32_t found = nighi_keymap_find(index, &call->key);
    if (first != (counts->entry == NIGHI_NONE)) {
        return NIGHI_AGAIN;
    }
    if (call->reuses) {
        const bool mine = found == NIGHI_NONE || index->config.keys == NIGH_KEYS_IDENTITY;
        return mine && nighi_node_free(nighi_node_word(index, call->slot)) ? NIGH_OK : NIGHI_AGAIN;
    }
    if (found != NIGHI_NONE) {
        return NIGHI_AGAIN; /* nighi_put_place says what that means */
    }
    const uint32_t slot = counts->slot_count;
    if (nighi_level_draw(&index->config, slot) != session->plan.level) {
        return NIGHI_AGAIN;
    }
    if (slot != call->slot && (call->row == NULL || index->config.keys == NIGH_KEYS_IDENTITY ||
                               nighi_source_is(index, NIGHI_SOURCE_BORROWED))) {
        return NIGHI_AGAIN; /* the vector or the key belongs to the slot */
    }
    call->slot = slot;
    return nighi_room(index, call, session->plan.level) ? NIGH_OK : NIGH_E_FULL;
}

/* A node above all layers becomes the entry point once it is linked. */
static void nighi_entry_raise(nigh_index *index, uint32_t slot, uint32_t level) {
    nighi_writer *writer = index->writer;
    const uint32_t entry = nighi_load_acquire(&index->counts.entry);
    if (entry != NIGHI_NONE && nighi_level(index, entry) >= level) {
        return;
    }
    const uint32_t version = nighi_lock(&writer->alloc);
    const uint32_t now = nighi_load(&index->counts.entry);
    if (now == NIGHI_NONE || nighi_level(index, now) < level) {
        nighi_store_release(&index->counts.entry, slot);
    }
    nighi_unlock(&writer->alloc, version, true);
}

/* A free slot becomes pending. Its vector and key change between two versions, so that a search
 * that still holds its last one notices. Under the alloc lock. */
static void nighi_reclaim(nigh_index *index, nigh_session *session, const nighi_put_call *call) {
    nighi_writer *writer = index->writer;
    uint32_t *stripe = &writer->slots[nighi_stripe(writer, call->slot)];
    uint32_t *node = nighi_word(&index->regions[NIGHI_NODE], call->slot);
    nighi_plan_settle(&session->plan, call->slot);
    nighi_add(&writer->updates, 1u);
    nighi_store_release(&writer->moving, call->slot);
    const uint32_t version = nighi_lock(stripe);
    nighi_store_fence();
    nighi_or(node, NIGHI_NODE_PENDING);
    nighi_add(&index->counts.free_count, UINT32_MAX);
    nighi_map_change(index);
    nighi_keymap_enter(index, call->slot, &call->key, nighi_load(&index->counts.slot_count));
    nighi_map_change(index);
    nighi_place_store(index, &session->plan);
    nighi_unlock(stripe, version, true);
    nighi_add(&writer->updates, 0xffu); /* one fewer under way, one more done */
    nighi_store(&index->changed, 1u);
}

static nigh_status nighi_append(nigh_index *index, nigh_session *session, nighi_put_call *call) {
    nighi_plan *plan = &session->plan;
    nighi_writer *writer = index->writer;
    const uint32_t version = nighi_lock(&writer->alloc);
    const nigh_status status = nighi_claim_check(index, session, call);
    if (status == NIGH_OK) {
        nighi_image_open(index);
        if (nighi_reuses(call)) {
            nighi_reclaim(index, session, call);
        } else {
            nighi_place_claim(index, call->slot, session->plan.level, &call->key);
        }
        nighi_clamped_add(index, session->plan.code_clamped);
        if (plan->empty != 0) {
            nighi_store(&index->counts.root, call->slot);
        }
    }
    nighi_unlock(&writer->alloc, version, status == NIGH_OK);
    if (status != NIGH_OK) {
        return status;
    }
    if (!nighi_reuses(call)) {
        nighi_plan_settle(plan, call->slot);
        nighi_place_store(index, plan);
    }
    nighi_node_fill(index, plan);
    nighi_and(nighi_word(&index->regions[NIGHI_NODE], call->slot), ~NIGHI_NODE_PENDING);
    nighi_parent_attach(index, session);
    nighi_rows_commit(index, session);
    nighi_entry_raise(index, call->slot, plan->level);
    return NIGH_OK;
}

/* ---- A slot that moves ---------------------------------------------------------------------- */

/* Under claim and alloc lock: is the slot still what was planned on? Then takes over its key. */
static nigh_status nighi_takeover(nigh_index *index, nighi_put_call *call) {
    const uint32_t count = nighi_load(&index->counts.slot_count);
    const uint32_t found = nighi_keymap_find(index, &call->key);
    const uint32_t word = nighi_node_word(index, call->slot);
    if (call->known) {
        return found == call->slot && nighi_node_present(word) ? NIGH_OK : NIGHI_AGAIN;
    }
    if (found != NIGHI_NONE || (word & NIGHI_NODE_PENDING) != NIGHI_NODE_REMOVED) {
        return NIGHI_AGAIN;
    }
    if (!nighi_key_fits(index, &call->key)) {
        return NIGH_E_FULL;
    }
    nighi_map_change(index);
    nighi_keymap_leave(index, call->slot, count);
    nighi_keymap_enter(index, call->slot, &call->key, count);
    nighi_map_change(index);
    return NIGH_OK;
}

/* Vector, key and state change between two versions of the slot, so that no hit mixes them. */
static nigh_status nighi_exchange(nigh_index *index, nigh_session *session, nighi_put_call *call) {
    nighi_writer *writer = index->writer;
    uint32_t *stripe = &writer->slots[nighi_stripe(writer, call->slot)];
    uint32_t *node = nighi_word(&index->regions[NIGHI_NODE], call->slot);
    const uint32_t alloc = nighi_lock(&writer->alloc);
    nighi_image_open(index);
    nighi_add(&writer->updates, 1u);
    nighi_store_release(&writer->moving, call->slot); /* one at a time: the alloc lock is held */
    const uint32_t version = nighi_lock(stripe);
    nighi_store_fence();
    const nigh_status status = nighi_takeover(index, call);
    if (status == NIGH_OK) {
        nighi_place_store(index, &session->plan);
        nighi_clamped_add(index, session->plan.code_clamped);
        if ((nighi_load(node) & NIGHI_NODE_REMOVED) != 0) {
            nighi_and(node, ~NIGHI_NODE_REMOVED);
            nighi_add(&index->counts.deleted_count, UINT32_MAX);
        }
        nighi_store(&index->changed, 1u);
    }
    nighi_unlock(stripe, version, true);
    nighi_add(&writer->updates, 0xffu); /* one fewer under way, one more done */
    nighi_unlock(&writer->alloc, alloc, status == NIGH_OK);
    return status;
}

static nigh_status nighi_move_slot(nigh_index *index, nigh_session *session, nighi_put_call *call) {
    nighi_writer *writer = index->writer;
    uint32_t *claim = &writer->claim[nighi_stripe(writer, call->slot)];
    const uint32_t version = nighi_lock(claim);
    if (version != call->claim) { /* somebody else moved it, or a neighbour of its stripe */
        nighi_unlock(claim, version, false);
        return NIGHI_AGAIN;
    }
    const nigh_status status = nighi_exchange(index, session, call);
    if (status == NIGH_OK) {
        nighi_children_move(index, session);
        nighi_node_move(index, session);
        nighi_rows_commit(index, session);
    }
    nighi_unlock(claim, version, status == NIGH_OK);
    return status;
}

/* ---- Both ----------------------------------------------------------------------------------- */

static nigh_status nighi_put_once(nigh_index *index, nigh_session *session, nighi_put_call *call) {
    nighi_plan *plan = &session->plan;
    nighi_writer *writer = index->writer;
    nigh_status status = nighi_put_place(index, call);
    if (status != NIGH_OK) {
        return status;
    }
    status = nighi_source_ready(index, nighi_load_acquire(&index->counts.slot_count));
    if (status != NIGH_OK) {
        return status;
    }
    const bool placed = nighi_placed(call);
    if (placed && !nighi_source_is(index, NIGHI_SOURCE_OWNED) &&
        (call->flags & NIGH_SET_EXCLUSIVE) == 0) {
        return NIGH_E_INVALID;
    }
    call->claim = nighi_load_acquire(&writer->claim[nighi_stripe(writer, call->slot)]) & ~1u;
    plan->self = placed ? call->slot : NIGHI_SELF_NEW;
    plan->level = placed || nighi_reuses(call) ? nighi_level(index, call->slot)
                                         : nighi_level_draw(&index->config, call->slot);
    if (!nighi_room(index, call, plan->level)) {
        return NIGH_E_FULL;
    }
    status = nighi_place_prepare(index, session, call->slot, &call->key, call->row);
    if (status == NIGH_OK) {
        status = nighi_plan_make(index, session, false);
    }
    if (status == NIGH_OK) {
        status = nighi_put_touch(index, session, call);
    }
    if (status != NIGH_OK) {
        return status;
    }
    return placed ? nighi_move_slot(index, session, call) : nighi_append(index, session, call);
}

NIGHI_FN nigh_status nighi_put(nigh_index *index, nigh_session *session, const nighi_key *key,
                               const void *row, uint32_t flags, bool set) {
    nighi_put_call call = {.row = row, .flags = flags, .set = set, .next_key = key == NULL};
    const uint32_t mode = nighi_fp_enter();
    nigh_status status = NIGHI_AGAIN;
    if (key != NULL) {
        call.key = *key;
    }
    session->cursor.active = 0;
    session->stats = (nigh_session_stats){.struct_size = sizeof(nigh_session_stats)};
    while (status == NIGHI_AGAIN) {
        status = nighi_put_once(index, session, &call);
    }
    nighi_fp_leave(mode);
    return status;
}

NIGHI_FN nigh_status nighi_mark(nigh_index *index, const nighi_key *key, bool removed) {
    nighi_writer *writer = index->writer;
    uint32_t slot = NIGHI_NONE;
    nigh_status status = nighi_keymap_find_shared(index, key, &slot);
    if (status == NIGH_OK) {
        status = nighi_touch(index, NIGHI_NODE, slot);
    }
    if (status != NIGH_OK) {
        return status;
    }
    const uint32_t version = nighi_lock(&writer->alloc);
    slot = nighi_keymap_find(index, key);
    const uint32_t word = slot == NIGHI_NONE ? 0 : nighi_node_word(index, slot);
    uint32_t *node = slot == NIGHI_NONE ? NULL : nighi_word(&index->regions[NIGHI_NODE], slot);
    if (node == NULL || nighi_node_free(word)) {
        status = NIGH_E_NOT_FOUND;
    } else if (!nighi_node_present(word)) {
        status = NIGH_E_BUSY;
    } else if (nighi_node_live(word) != removed) {
        status = removed ? NIGH_E_DELETED : NIGH_E_EXISTS;
    } else if (removed) {
        nighi_image_open(index);
        nighi_or(node, NIGHI_NODE_REMOVED);
        nighi_add(&index->counts.deleted_count, 1u);
        writer->deleted_hint = nighi_min_u32(writer->deleted_hint, slot);
    } else {
        nighi_image_open(index);
        nighi_and(node, ~NIGHI_NODE_REMOVED);
        nighi_add(&index->counts.deleted_count, UINT32_MAX);
    }
    if (status == NIGH_OK) {
        nighi_store(&index->changed, 1u);
    }
    nighi_unlock(&writer->alloc, version, status == NIGH_OK);
    return status;
}
