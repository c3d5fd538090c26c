/* store_table.c - tables of pages, their shape, and tables of tables
 * layer L14; uses: store, checksum
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Level 0 has an entry for each page of each region, region after region. Level 1 has one for each
 * page of such entries, and a region begins a page of its own there, so that its growth moves no
 * one else's; above, levels are cut as they come. A small index has its level 0 in the superblock.
 * An entry that is empty has empty ones above it: that is how a commit knows what to write. */
#include "checksum.h"
#include "store.h"

NIGHI_FN uint64_t nighi_store_live(const nighi_image_header *header, uint32_t region) {
    return header->regions[region].records * header->regions[region].stride;
}

NIGHI_FN bool nighi_store_shape_for(const nigh_store *store, const nighi_image_header *header,
                                    nighi_store_shape *shape) {
    uint64_t pages = 0;
    uint32_t tables = 0;
    nighi_fill(shape, 0, sizeof *shape);
    for (uint32_t i = 0; i < NIGHI_REGION_COUNT; i++) {
        const uint64_t live = nighi_store_live(header, i);
        const uint64_t needed = live / store->page_bytes + (live % store->page_bytes != 0);
        nighi_store_span *span = &shape->spans[i];
        if (needed > store->page_count || pages + needed > store->page_count) {
            return false;
        }
        span->pages = (uint32_t)needed;
        span->first = (uint32_t)pages;
        span->tables = (span->pages + store->fan - 1) / store->fan;
        span->tables_first = tables;
        pages += needed;
        tables += span->tables;
    }
    shape->counts[0] = (uint32_t)pages;
    while (shape->counts[shape->depth] > store->root_max) {
        const uint32_t below = shape->counts[shape->depth];
        shape->depth++;
        shape->counts[shape->depth] =
            shape->depth == 1 ? tables : (below + store->fan - 1) / store->fan;
    }
    return true;
}

/* ---- Moving --------------------------------------------------------------------------------- */

static uint32_t nighi_span_first(const nighi_store_span *span, uint32_t level) {
    return level == 0 ? span->first : span->tables_first;
}

static uint32_t nighi_span_count(const nighi_store_span *span, uint32_t level) {
    return level == 0 ? span->pages : span->tables;
}

/* Entries of a level that goes by regions. First all move down as far as others make room, then up
 * from behind; what a region has gained is empty. */
static void nighi_level_move(nigh_store *store, uint32_t level, const nighi_store_shape *to) {
    nighi_store_entry *entries = store->levels[level];
    uint32_t firsts[NIGHI_REGION_COUNT];
    uint32_t counts[NIGHI_REGION_COUNT];
    uint32_t at = 0;
    for (uint32_t i = 0; i < NIGHI_REGION_COUNT; i++) {
        const nighi_store_span *from = &store->shape.spans[i];
        const uint32_t before = nighi_span_count(from, level);
        const uint32_t first = nighi_span_first(from, level);
        firsts[i] = at;
        counts[i] = nighi_min_u32(before, nighi_span_count(&to->spans[i], level));
        for (uint32_t gone = counts[i]; gone < before; gone++) {
            nighi_store_drop(store, &entries[first + gone]);
        }
        nighi_move(entries + at, entries + first, (uint64_t)counts[i] * sizeof *entries);
        at += counts[i];
    }
    for (uint32_t i = NIGHI_REGION_COUNT; i-- > 0;) {
        const uint32_t first = nighi_span_first(&to->spans[i], level);
        const uint32_t gained = nighi_span_count(&to->spans[i], level) - counts[i];
        nighi_move(entries + first, entries + firsts[i], (uint64_t)counts[i] * sizeof *entries);
        nighi_fill(entries + first + counts[i], 0, (uint64_t)gained * sizeof *entries);
    }
}

static void nighi_level_drop(nigh_store *store, uint32_t level) {
    for (uint32_t i = 0; i < store->shape.counts[level]; i++) {
        nighi_store_drop(store, &store->levels[level][i]);
    }
}

static bool nighi_tables_differ(const nighi_store_shape *a, const nighi_store_shape *b) {
    for (uint32_t i = 0; i < NIGHI_REGION_COUNT; i++) {
        if (a->spans[i].tables != b->spans[i].tables) {
            return true;
        }
    }
    return a->depth != b->depth;
}

NIGHI_FN void nighi_store_reshape(nigh_store *store, const nighi_store_shape *to) {
    nighi_store_shape *from = &store->shape;
    for (uint32_t i = 0; i < NIGHI_REGION_COUNT; i++) { /* the table that is cut or goes on there */
        const uint32_t edge = nighi_min_u32(from->spans[i].pages, to->spans[i].pages);
        if (from->spans[i].pages != to->spans[i].pages && edge % store->fan != 0) {
            nighi_store_stale(store, i, edge);
        }
    }
    if (nighi_tables_differ(from, to)) {
        for (uint32_t level = 2; level <= from->depth; level++) {
            nighi_level_drop(store, level);
        }
        for (uint32_t level = 2; level <= to->depth; level++) {
            nighi_fill(store->levels[level], 0,
                       (uint64_t)to->counts[level] * sizeof(nighi_store_entry));
        }
        if (from->depth != 0 && to->depth != 0) {
            nighi_level_move(store, 1, to);
        } else if (from->depth != 0) {
            nighi_level_drop(store, 1);
        } else if (to->depth != 0) {
            nighi_fill(store->levels[1], 0, (uint64_t)to->counts[1] * sizeof(nighi_store_entry));
        }
    }
    nighi_level_move(store, 0, to);
    *from = *to;
}

NIGHI_FN void nighi_store_stale(nigh_store *store, uint32_t region, uint32_t page) {
    uint32_t at = store->shape.spans[region].tables_first + page / store->fan;
    for (uint32_t level = 1; level <= store->shape.depth; level++, at /= store->fan) {
        nighi_store_entry *entry = &store->levels[level][at];
        if (entry->page == 0) {
            return;
        }
        nighi_store_drop(store, entry);
    }
}

/* ---- Pages of tables ------------------------------------------------------------------------ */

/* The entries that entry `at` of a level stands for: from which one of the level below, how many.
 * Level 1 is asked for one region after another: *region is the one at hand, 0 to begin with. */
static nighi_store_entry *nighi_store_below(const nigh_store *store, uint32_t level, uint32_t at,
                                            uint32_t *region, uint32_t *count) {
    const nighi_store_shape *shape = &store->shape;
    uint32_t from = at * store->fan;
    uint32_t end = shape->counts[level - 1];
    if (level == 1) {
        while (at >= shape->spans[*region].tables_first + shape->spans[*region].tables) {
            ++*region;
        }
        const nighi_store_span *span = &shape->spans[*region];
        from = span->first + (at - span->tables_first) * store->fan;
        end = span->first + span->pages;
    }
    *count = nighi_min_u32(store->fan, end - from);
    return store->levels[level - 1] + from;
}

NIGHI_FN nigh_status nighi_store_tables_put(nigh_store *store) {
    nigh_status status = NIGH_OK;
    for (uint32_t level = 1; level <= store->shape.depth; level++) {
        uint32_t region = 0;
        for (uint32_t at = 0; at < store->shape.counts[level] && status == NIGH_OK; at++) {
            nighi_store_entry *entry = &store->levels[level][at];
            if (entry->page == 0) {
                uint32_t count = 0;
                const uint8_t *bytes =
                    (const uint8_t *)nighi_store_below(store, level, at, &region, &count);
                count *= sizeof *entry;
                status =
                    nighi_store_put(store, bytes, count, nighi_checksum(bytes, count), entry);
            }
        }
    }
    return status;
}

NIGHI_FN nigh_status nighi_store_tables_get(nigh_store *store) {
    for (uint32_t level = store->shape.depth; level > 0; level--) {
        uint32_t region = 0;
        for (uint32_t at = 0; at < store->shape.counts[level]; at++) {
            const nighi_store_entry *entry = &store->levels[level][at];
            uint32_t count = 0;
            void *bytes = nighi_store_below(store, level, at, &region, &count);
            count *= sizeof *entry;
            store->stats.bad_page = entry->page;
            if (!nighi_store_claim(store, entry->page)) {
                return NIGH_E_CORRUPT;
            }
            const nigh_status status = nighi_store_read(store, entry->page, bytes, count);
            if (status != NIGH_OK) {
                return status;
            }
            if (nighi_checksum(bytes, count) != entry->checksum) {
                return NIGH_E_CORRUPT;
            }
        }
    }
    for (uint32_t at = 0; at < store->shape.counts[0]; at++) {
        store->stats.bad_page = store->levels[0][at].page;
        if (!nighi_store_claim(store, store->levels[0][at].page)) {
            return NIGH_E_CORRUPT;
        }
    }
    store->stats.bad_page = NIGHI_NONE;
    return NIGH_OK;
}

NIGHI_FN void nighi_store_distrust(nigh_store *store) {
    for (uint32_t i = 0; i < NIGHI_REGION_COUNT; i++) {
        const nighi_store_span *span = &store->shape.spans[i];
        for (uint32_t page = 0; page < span->pages; page++) {
            nighi_store_entry *entry = &store->levels[0][span->first + page];
            if (entry->page != 0 && !nighi_bit(store->used, entry->page)) {
                nighi_store_drop(store, entry);
                /* one that was only moved has no dirty bit: the next commit looks at it anyway */
                store->sure[i] = nighi_min_u32(store->sure[i], page);
            }
        }
    }
    for (uint32_t level = 1; level <= store->shape.depth; level++) {
        for (uint32_t at = 0; at < store->shape.counts[level]; at++) {
            nighi_store_entry *entry = &store->levels[level][at];
            if (entry->page != 0 && !nighi_bit(store->used, entry->page)) {
                nighi_store_drop(store, entry);
            }
        }
    }
}
