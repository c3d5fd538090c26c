/* store_commit.c - what changed in an index goes to a store, all of it or nothing
 * layer L14; uses: store, blocks, checksum, image, mutate, sync
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * An index that the store follows (its token is the store's) has a bit for each block that may have
 * changed; of any other index every page is looked at. A page is written only if it differs: the
 * checksum tells most, and one that is equal is read back and compared. A block of 64 KiB in which
 * one row of links changed so costs one page. */
#include "blocks.h"
#include "checksum.h"
#include "image.h"
#include "mutate.h"
#include "store.h"
#include "sync.h"

typedef struct nighi_commit {
    nigh_store *store;
    const nigh_index *index;
    const nighi_region *region;
    uint32_t number;      /* of the region */
    uint64_t block_bytes; /* of its blocks */
    uint64_t live;        /* of it, now */
    uint32_t tail;        /* pages from here on changed their length, or are new */
    bool follows;
    bool moves; /* pages are written though they are the same */
} nighi_commit;

/* `count` live bytes from `from` on, where they lie or put together in store->page. */
static const uint8_t *nighi_commit_bytes(const nighi_commit *commit, uint64_t from,
                                         uint32_t count) {
    uint32_t done = 0;
    while (done < count) {
        const uint64_t block = (from + done) / commit->block_bytes;
        const uint64_t inside = (from + done) % commit->block_bytes;
        const uint64_t part = nighi_min_u64(count - done, commit->block_bytes - inside);
        const uint8_t *bytes = nighi_load(&commit->region->table[block]) + inside;
        if (part == count) {
            return bytes;
        }
        nighi_copy(commit->store->page + done, bytes, part);
        done += (uint32_t)part;
    }
    return commit->store->page;
}

static bool nighi_commit_same(nigh_store *store, const nighi_store_entry *entry,
                              const uint8_t *bytes, uint32_t count, uint32_t checksum) {
    return entry->page != 0 && entry->checksum == checksum &&
           nighi_store_read(store, entry->page, store->second, count) == NIGH_OK &&
           nighi_compare(store->second, bytes, count) == 0;
}

static nigh_status nighi_commit_page(const nighi_commit *commit, uint32_t page) {
    nigh_store *store = commit->store;
    const uint64_t from = (uint64_t)page * store->page_bytes;
    const uint32_t count = (uint32_t)nighi_min_u64(store->page_bytes, commit->live - from);
    const uint8_t *bytes = nighi_commit_bytes(commit, from, count);
    const uint32_t checksum = nighi_checksum(bytes, count);
    nighi_store_entry *entry =
        &store->levels[0][store->shape.spans[commit->number].first + page];
    nighi_store_entry fresh = {0, 0};
    if (!commit->moves && nighi_commit_same(store, entry, bytes, count, checksum)) {
        return NIGH_OK;
    }
    const nigh_status status = nighi_store_put(store, bytes, count, checksum, &fresh);
    if (status == NIGH_OK) {
        store->moved = 1;
        nighi_store_drop(store, entry);
        nighi_store_stale(store, commit->number, page);
        *entry = fresh;
    }
    return status;
}

static bool nighi_commit_dirty(const nighi_commit *commit, uint64_t first, uint64_t last) {
    const uint32_t *bits = commit->index->writer->dirty[commit->number];
    for (uint64_t block = first; block <= last; block++) {
        if (nighi_bit(bits, (uint32_t)block)) {
            return true;
        }
    }
    return false;
}

static nigh_status nighi_commit_region(const nighi_commit *commit) {
    const uint32_t page_bytes = commit->store->page_bytes;
    const uint32_t pages = commit->store->shape.spans[commit->number].pages;
    nigh_status status = NIGH_OK;
    for (uint32_t page = 0; page < pages && status == NIGH_OK;) {
        const uint64_t from = (uint64_t)page * page_bytes;
        const uint32_t count = (uint32_t)nighi_min_u64(page_bytes, commit->live - from);
        const uint64_t last = (from + count - 1) / commit->block_bytes;
        if (!commit->follows || page >= commit->tail ||
            nighi_commit_dirty(commit, from / commit->block_bytes, last)) {
            status = nighi_commit_page(commit, page);
            page++;
        } else { /* on to the page in which the next block begins */
            const uint64_t next = (last + 1) * commit->block_bytes / page_bytes;
            page = (uint32_t)nighi_min_u64(next > page ? next : page + 1, commit->tail);
        }
    }
    return status;
}

static nighi_commit nighi_commit_of(nigh_store *store, const nigh_index *index,
                                    const nighi_image_header *header, uint32_t number) {
    const nighi_region *region = &index->regions[number];
    return (nighi_commit){.store = store,
                          .index = index,
                          .region = region,
                          .number = number,
                          .block_bytes = (uint64_t)region->stride << region->shift,
                          .live = nighi_store_live(header, number)};
}

static nigh_status nighi_commit_regions(nigh_store *store, const nigh_index *index,
                                        const nighi_image_header *header, bool follows) {
    nigh_status status = NIGH_OK;
    for (uint32_t i = 0; i < NIGHI_REGION_COUNT && status == NIGH_OK; i++) {
        nighi_commit commit = nighi_commit_of(store, index, header, i);
        const uint64_t whole = commit.live / store->page_bytes;
        store->sure[i] = (uint32_t)nighi_min_u64(store->sure[i], whole);
        commit.tail = store->sure[i];
        commit.follows = follows;
        status = commit.live > 0 ? nighi_commit_region(&commit) : NIGH_OK;
    }
    return status;
}

/* Flash: a page that never changes would keep its place for ever, and others would wear out in its
 * stead. Each commit moves one that it did not write, all of them by turns. */
static nigh_status nighi_commit_turn(nigh_store *store, const nigh_index *index,
                                     const nighi_image_header *header) {
    const nighi_store_shape *shape = &store->shape;
    uint32_t region = 0;
    uint32_t tables = 0;
    for (uint32_t level = 1; level <= shape->depth; level++) {
        tables += shape->counts[level];
    }
    if (store->device.erase == NULL || store->moved == 0 || shape->counts[0] == 0 ||
        nighi_store_free_count(store) <= tables) { /* what must be written goes first */
        return NIGH_OK;
    }
    const uint32_t at = (uint32_t)store->generation % shape->counts[0];
    while (at >= shape->spans[region].first + shape->spans[region].pages) {
        region++;
    }
    nighi_commit commit = nighi_commit_of(store, index, header, region);
    commit.moves = true;
    return nighi_bit(store->used, store->levels[0][at].page)
               ? nighi_commit_page(&commit, at - shape->spans[region].first)
               : NIGH_OK;
}

/* From now on the store follows the index, if its bits are the store's to clear. */
static void nighi_commit_follow(const nigh_store *store, nigh_index *index) {
    nighi_writer *writer = index->writer;
    nighi_pager *pager = &index->pager;
    nighi_unfollow(index);
    if (writer == NULL || pager->map != NULL ||
        (pager->dirty != NULL && pager->dirty != nighi_dirty_bits)) {
        return;
    }
    nighi_store(&pager->dirty, nighi_dirty_bits);
    for (uint32_t i = 0; i < NIGHI_REGION_COUNT; i++) {
        const uint32_t words = (index->regions[i].block_max + 31) / 32;
        if (words > 0) {
            nighi_fill(writer->dirty[i], 0, (uint64_t)words * 4);
        }
    }
    pager->user = nighi_store_mark(store);
}

static bool nighi_shape_same(const nighi_store_shape *a, const nighi_store_shape *b) {
    for (uint32_t i = 0; i < NIGHI_REGION_COUNT; i++) {
        if (a->spans[i].pages != b->spans[i].pages) {
            return false;
        }
    }
    return true;
}

/* Pages, then tables, then what makes them count. */
static nigh_status nighi_commit_write(nigh_store *store, const nigh_index *index,
                                      const nighi_image_header *header, bool follows) {
    nighi_store_shape shape;
    if (!nighi_store_shape_for(store, header, &shape)) {
        return NIGH_E_FULL;
    }
    if (!nighi_shape_same(&shape, &store->shape)) {
        store->moved = 1;
        nighi_store_reshape(store, &shape);
    }
    nigh_status status = nighi_commit_regions(store, index, header, follows);
    if (status == NIGH_OK && store->moved == 0 && store->uncertain == 0 && store->filled != 0 &&
        nighi_compare(store->header, header, sizeof *header) == 0) {
        store->token = store->super_token; /* that is what the store has */
        return NIGH_OK;
    }
    status = status == NIGH_OK ? nighi_commit_turn(store, index, header) : status;
    status = status == NIGH_OK ? nighi_store_tables_put(store) : status;
    status = status == NIGH_OK ? nighi_store_flush(store) : status;
    if (status != NIGH_OK) {
        if (status != NIGH_E_FULL) {
            nighi_store_distrust(store);
        }
        return status;
    }
    return nighi_store_super_put(store, header);
}

/* The tables are those of the device. Pages of the state before the one that counts are free: it
 * must be sure to stay before they are written over, whoever wrote it and ended before a sync. */
static nigh_status nighi_commit_ready(nigh_store *store) {
    nigh_status status = store->mounted == 0 ? nighi_store_mount(store) : NIGH_OK;
    if (status == NIGH_OK && store->settled == 0) {
        status = nighi_store_flush(store);
        store->settled = status == NIGH_OK;
    }
    return status;
}

NIGHI_FN nigh_status nighi_store_commit(nigh_store *store, nigh_index *index) {
    nighi_image_header header;
    if (store->device.write == NULL || nighi_packed(index)) {
        return NIGH_E_READ_ONLY; /* or: its blocks are not those of a store */
    }
    if (index->writer == NULL && index->opened != 0) {
        return NIGH_E_OPEN; /* nobody knows what an image left open holds */
    }
    nigh_status status = nighi_exclusive_begin(index);
    if (status != NIGH_OK) {
        return status;
    }
    status = nighi_commit_ready(store);
    if (status != NIGH_OK) {
        nighi_exclusive_end(index);
        return status;
    }
    const bool follows = index->writer != NULL && index->pager.dirty == nighi_dirty_bits &&
                         index->pager.user != NULL &&
                         index->pager.user == nighi_store_mark(store);
    const uint64_t next = nighi_mix64(store->token + 1) | 1;
    nighi_header_paged_get(index, &header);
    store->cursor = store->device.erase == NULL ? store->super_count : store->cursor;
    store->token = follows ? store->token : 0; /* others that it followed are passed by */
    status = nighi_commit_write(store, index, &header, follows);
    if (status == NIGH_OK) {
        nighi_commit_follow(store, index);
    } else if (follows) {
        store->token = next; /* of no other index: tables may have moved on */
        index->pager.user = nighi_store_mark(store);
    }
    nighi_exclusive_end(index);
    return status;
}
