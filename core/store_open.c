/* store_open.c - a store's memory; formatting, mounting, growing
 * layer L14; uses: store, arena
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "arena.h"
#include "store.h"

NIGHI_FN bool nighi_store_options_valid(const nigh_store_options *options) {
    const uint32_t page = options->page_bytes;
    const uint32_t program = options->program_bytes;
    return page >= NIGHI_STORE_PAGE_MIN && page <= NIGHI_STORE_PAGE_MAX &&
           (page & (page - 1)) == 0 && program >= 1 && program <= page &&
           (program & (program - 1)) == 0 && options->super_count >= 2 &&
           options->super_count <= NIGHI_STORE_SUPERS_MAX &&
           options->page_count >= options->super_count &&
           options->page_count <= NIGHI_STORE_PAGES_MAX &&
           (options->flags & ~(uint32_t)NIGH_STORE_FORMAT) == 0;
}

/* Lays out store, tables and page sets. */
static nigh_store *nighi_store_layout(nighi_arena *arena, uint32_t page_bytes,
                                      uint32_t page_count) {
    const uint32_t fan = page_bytes / (uint32_t)sizeof(nighi_store_entry);
    const uint32_t super = nighi_min_u32(page_bytes, NIGHI_STORE_SUPER_BYTES);
    const uint32_t root_max =
        (super - (uint32_t)sizeof(nighi_super)) / (uint32_t)sizeof(nighi_store_entry);
    const uint64_t words = ((uint64_t)page_count + 31) / 32;
    uint64_t entries = page_count;
    nigh_store *store = nighi_arena_take(arena, 1, sizeof *store);
    if (store != NULL) {
        nighi_fill(store, 0, sizeof *store);
        store->page_bytes = page_bytes;
        store->page_count = page_count;
        store->fan = fan;
        store->root_max = root_max;
    }
    for (uint32_t level = 0; level < NIGHI_STORE_LEVELS; level++) {
        nighi_store_entry *list = nighi_arena_many(arena, entries, sizeof *list);
        if (store != NULL) {
            store->levels[level] = list;
        }
        const uint64_t above = (entries + fan - 1) / fan;
        entries = entries <= root_max ? 0 : level == 0 ? above + NIGHI_REGION_COUNT : above;
    }
    uint32_t *used = nighi_arena_many(arena, words, 4);
    uint32_t *held = nighi_arena_many(arena, words, 4);
    uint8_t *page = nighi_arena_many(arena, page_bytes, 1);
    uint8_t *second = nighi_arena_many(arena, page_bytes, 1);
    if (store != NULL) {
        store->used = used;
        store->held = held;
        store->page = page;
        store->second = second;
    }
    return store;
}

NIGHI_FN uint64_t nighi_store_bytes(const nigh_store_options *options) {
    nighi_arena arena = {NULL, 0};
    (void)nighi_store_layout(&arena, options->page_bytes, options->page_count);
    return nighi_arena_bytes(&arena);
}

/* No superblock of before may be taken for one of now: all go first, whole pages of them, since
 * those of smaller pages may lie inside. */
static nigh_status nighi_store_format(nigh_store *store) {
    nigh_status status = NIGH_OK;
    nighi_store_free_all(store);
    nighi_store_settle(store, false);
    nighi_fill(store->page, 0, store->page_bytes);
    for (uint32_t i = 0; i < store->super_count && status == NIGH_OK; i++) {
        status = nighi_store_program(store, i, store->page, store->page_bytes);
    }
    status = status == NIGH_OK ? nighi_store_flush(store) : status;
    store->cursor = store->super_count;
    return status == NIGH_OK ? nighi_store_super_put(store, NULL) : status;
}

NIGHI_FN nigh_status nighi_store_open(const nigh_store_options *options, const nighi_device *device,
                                      void *memory, uint64_t memory_bytes, nigh_store **store) {
    nighi_arena arena = {memory, 0};
    if (!nighi_memory_fits(memory, memory_bytes, nighi_store_bytes(options))) {
        return NIGH_E_MEMORY;
    }
    nigh_store *made = nighi_store_layout(&arena, options->page_bytes, options->page_count);
    made->device = *device;
    made->program_bytes = options->program_bytes;
    made->super_count = options->super_count;
    made->stats.bad_region = NIGHI_NONE;
    made->stats.bad_block = NIGHI_NONE;
    made->stats.bad_page = NIGHI_NONE;
    const nigh_status status = (options->flags & NIGH_STORE_FORMAT) != 0 ? nighi_store_format(made)
                                                                         : nighi_store_mount(made);
    if (status == NIGH_OK) {
        *store = made;
    }
    return status;
}

/* What the other store knows of its pages; those beyond are free. */
static void nighi_store_copy_pages(nigh_store *store, const nigh_store *from) {
    for (uint32_t level = 0; level <= from->shape.depth; level++) {
        nighi_copy(store->levels[level], from->levels[level],
                   (uint64_t)from->shape.counts[level] * sizeof(nighi_store_entry));
    }
    nighi_store_free_all(store);
    nighi_store_settle(store, false);
    for (uint32_t page = from->super_count; page < from->page_count; page++) {
        if (nighi_bit(from->held, page)) {
            nighi_bit_set(store->held, page);
        }
        if (nighi_bit(from->used, page)) {
            nighi_bit_set(store->used, page);
        }
    }
}

NIGHI_FN nigh_status nighi_store_grow(const nigh_store *store, uint32_t page_count, void *memory,
                                      uint64_t memory_bytes, nigh_store **grown) {
    nighi_arena arena = {NULL, 0};
    (void)nighi_store_layout(&arena, store->page_bytes, page_count);
    if (!nighi_memory_fits(memory, memory_bytes, nighi_arena_bytes(&arena))) {
        return NIGH_E_MEMORY;
    }
    arena = (nighi_arena){memory, 0};
    nigh_store *made = nighi_store_layout(&arena, store->page_bytes, page_count);
    made->device = store->device;
    made->program_bytes = store->program_bytes;
    made->super_count = store->super_count;
    made->cursor = store->cursor;
    made->slot = store->slot;
    made->generation = store->generation;
    made->committed = store->committed;
    made->super_token = store->super_token;
    made->token = store->token;
    made->filled = store->filled;
    made->moved = store->moved;
    made->uncertain = store->uncertain;
    made->mounted = store->mounted;
    made->settled = store->settled;
    made->shape = store->shape;
    made->stats = store->stats;
    nighi_copy(made->sure, store->sure, sizeof made->sure);
    nighi_copy(made->header, store->header, sizeof made->header);
    nighi_store_copy_pages(made, store);
    *grown = made;
    return NIGH_OK;
}

NIGHI_FN void nighi_store_stats_now(const nigh_store *store, nigh_store_stats *stats) {
    const uint32_t words = (store->page_count + 31) / 32;
    uint32_t used = 0;
    for (uint32_t i = 0; i < words; i++) {
        used += nighi_popcount(store->used[i]);
    }
    const uint32_t beyond = words * 32 - store->page_count; /* bits of pages that are not there */
    *stats = store->stats;
    stats->page_bytes = store->page_bytes;
    stats->page_count = store->page_count;
    stats->page_used = used - beyond;
    stats->page_free = nighi_store_free_count(store);
    stats->filled = store->filled;
    stats->generation = store->committed;
}
