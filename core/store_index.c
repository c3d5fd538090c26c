/* store_index.c - an index out of a store: its blocks read into memory, every page verified
 * layer L14; uses: store, arena, blocks, checksum, image, index
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "arena.h"
#include "blocks.h"
#include "checksum.h"
#include "image.h"
#include "index.h"
#include "store.h"

/* Blocks are asked for in order and lie one after another. */
typedef struct nighi_store_loader {
    nigh_store *store;
    uint8_t *at;
    uint64_t left;
    uint32_t cached; /* entry of the page in store->page: blocks may meet inside it */
    nigh_status status;
} nighi_store_loader;

static const nighi_image_header *nighi_store_header(const nigh_store *store) {
    return (const nighi_image_header *)(const void *)store->header;
}

static uint64_t nighi_store_block(const nighi_image_header *header, uint32_t region) {
    return (uint64_t)header->regions[region].stride << header->regions[region].shift;
}

/* A page of `count` bytes in use, read and verified. */
static nigh_status nighi_store_fetch(nigh_store *store, uint32_t at, uint8_t *bytes,
                                     uint32_t count) {
    const nighi_store_entry *entry = &store->levels[0][at];
    const nigh_status status = nighi_store_read(store, entry->page, bytes, count);
    if (status == NIGH_OK && nighi_checksum(bytes, count) == entry->checksum) {
        return NIGH_OK;
    }
    store->stats.bad_page = entry->page;
    return status == NIGH_OK ? NIGH_E_CORRUPT : status;
}

/* Bytes [from, from + count) of a region's live ones. */
static nigh_status nighi_store_load(nighi_store_loader *loader, uint32_t region, uint64_t from,
                                    uint64_t count, uint8_t *to) {
    nigh_store *store = loader->store;
    const uint64_t live = nighi_store_live(nighi_store_header(store), region);
    nigh_status status = NIGH_OK;
    while (count > 0 && status == NIGH_OK) {
        const uint32_t page = (uint32_t)(from / store->page_bytes);
        const uint32_t inside = (uint32_t)(from % store->page_bytes);
        const uint32_t whole =
            (uint32_t)nighi_min_u64(store->page_bytes, live - (from - inside));
        const uint32_t part = (uint32_t)nighi_min_u64(whole - inside, count);
        const uint32_t at = store->shape.spans[region].first + page;
        if (part == whole) {
            status = nighi_store_fetch(store, at, to, whole);
        } else if (loader->cached != at) {
            loader->cached = NIGHI_NONE;
            status = nighi_store_fetch(store, at, store->page, whole);
            loader->cached = status == NIGH_OK ? at : NIGHI_NONE;
        }
        if (status == NIGH_OK && part != whole) {
            nighi_copy(to, store->page + inside, part);
        }
        from += part;
        to += part;
        count -= part;
    }
    return status;
}

static nigh_status nighi_store_map(void *user, uint32_t region, uint32_t block, uint64_t bytes,
                                   void **address) {
    nighi_store_loader *loader = user;
    nigh_store *store = loader->store;
    const uint64_t taken = nighi_round_up(bytes, NIGHI_CACHE_LINE);
    const uint64_t from = block * bytes;
    const uint64_t live = nighi_store_live(nighi_store_header(store), region);
    const uint64_t count = from < live ? nighi_min_u64(bytes, live - from) : 0;
    if (taken > loader->left) {
        loader->status = NIGH_E_MEMORY;
        return NIGH_E_FULL;
    }
    loader->status = nighi_store_load(loader, region, from, count, loader->at);
    if (loader->status != NIGH_OK) {
        store->stats.bad_region = region;
        store->stats.bad_block = block;
        return NIGH_E_FULL;
    }
    nighi_fill(loader->at + count, 0, bytes - count);
    *address = loader->at;
    loader->at += taken;
    loader->left -= taken;
    return NIGH_OK;
}

/* After a commit that failed the tables are between two states: the old one is read again. */
static nigh_status nighi_store_ready(nigh_store *store) {
    nigh_status status = NIGH_OK;
    if (store->moved != 0 || store->uncertain != 0 || store->token == 0) {
        status = nighi_store_mount(store);
    }
    return status == NIGH_OK && store->filled == 0 ? NIGH_E_NOT_FOUND : status;
}

NIGHI_FN nigh_status nighi_store_attach_bytes(nigh_store *store, const nigh_options *options,
                                              uint64_t *bytes, uint64_t *block_bytes) {
    uint64_t handle = 0;
    uint64_t blocks = 0;
    nigh_status status = nighi_store_ready(store);
    if (status == NIGH_OK) {
        status = nighi_attach_bytes(store->header, sizeof store->header, options, &handle);
    }
    if (status != NIGH_OK) {
        return status;
    }
    const nighi_image_header *header = nighi_store_header(store);
    for (uint32_t i = 0; i < NIGHI_REGION_COUNT; i++) {
        const uint64_t block = nighi_round_up(nighi_store_block(header, i), NIGHI_CACHE_LINE);
        blocks = nighi_mul_add(header->regions[i].block_count, block, blocks);
    }
    *bytes = handle;
    *block_bytes = blocks;
    return NIGH_OK;
}

NIGHI_FN nigh_status nighi_store_attach(nigh_store *store, const nigh_options *options,
                                        void *memory, uint64_t memory_bytes, void *blocks,
                                        uint64_t block_bytes, nigh_index **index) {
    uint64_t bytes = 0;
    uint64_t needed = 0;
    nigh_index *made = NULL;
    nigh_status status = nighi_store_attach_bytes(store, options, &bytes, &needed);
    if (status != NIGH_OK) {
        return status;
    }
    if (!nighi_memory_fits(memory, memory_bytes, bytes) ||
        (needed > 0 && !nighi_memory_fits(blocks, block_bytes, needed))) {
        return NIGH_E_MEMORY;
    }
    store->stats.bad_region = NIGHI_NONE;
    store->stats.bad_block = NIGHI_NONE;
    store->stats.bad_page = NIGHI_NONE;
    nighi_store_loader loader = {store, blocks, block_bytes, NIGHI_NONE, NIGH_OK};
    const nighi_pager pager = {nighi_store_map, nighi_dirty_bits, &loader};
    status = nighi_attach_blocks(store->header, sizeof store->header, options, &pager, memory,
                                 memory_bytes, &made);
    if (status != NIGH_OK) {
        return loader.status != NIGH_OK ? loader.status : status;
    }
    made->pager = (nighi_pager){NULL, nighi_dirty_bits, nighi_store_mark(store)}; /* grows by
                                                                                     donations */
    *index = made;
    return NIGH_OK;
}
