/* store_super.c - superblocks: written by turns, the newest sound one counts
 * layer L14; uses: store, checksum
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "checksum.h"
#include "store.h"

static const uint8_t nighi_super_magic[8] = {'n', 'i', 'g', 'h', 's', '\n', 0x1a, 0};

#define NIGHI_SUPER_CHECKED ((uint32_t)offsetof(nighi_super, checksum))

static bool nighi_super_named(const nighi_super *super) {
    return nighi_compare(super->magic, nighi_super_magic, sizeof nighi_super_magic) == 0;
}

/* Whole, of this version, and at its place on a device of such pages? */
static nigh_status nighi_super_head(const nighi_super *super, uint32_t slot, uint32_t page_bytes) {
    if (super->checksum != nighi_checksum(super, NIGHI_SUPER_CHECKED)) {
        return NIGH_E_CORRUPT;
    }
    if (super->version != NIGHI_STORE_VERSION) {
        return NIGH_E_UNSUPPORTED; /* whatever the others say */
    }
    if (super->page_bytes != page_bytes && slot == 0) {
        return NIGH_E_MISMATCH; /* the first one lies where it lies whatever a page is */
    }
    const bool sound = super->page_bytes == page_bytes && super->slot == slot &&
                       super->super_count >= 2 && super->super_count <= NIGHI_STORE_SUPERS_MAX &&
                       slot < super->super_count && super->depth < NIGHI_STORE_LEVELS &&
                       super->filled <= 1 && super->generation < UINT64_MAX / 2;
    return sound ? NIGH_OK : NIGH_E_CORRUPT;
}

/* Reads superblock `slot` into store->page. NIGH_E_FORMAT: none is there. */
static nigh_status nighi_super_get(nigh_store *store, uint32_t slot) {
    const nighi_super *super = (const nighi_super *)(const void *)store->page;
    nigh_status status = nighi_store_read(store, slot, store->page, sizeof *super);
    if (status == NIGH_OK) {
        status = nighi_super_named(super) ? nighi_super_head(super, slot, store->page_bytes)
                                          : NIGH_E_FORMAT;
    }
    if (status != NIGH_OK) {
        return status;
    }
    if (super->root_count > store->root_max) {
        return NIGH_E_CORRUPT;
    }
    const uint32_t roots = super->root_count * (uint32_t)sizeof(nighi_store_entry);
    status = nighi_store_read(store, slot, store->page, (uint32_t)sizeof *super + roots);
    if (status == NIGH_OK && (super->root_count * sizeof(nighi_store_entry) != roots ||
                              super->checksum != nighi_checksum(super, NIGHI_SUPER_CHECKED) ||
                              super->root_checksum != nighi_checksum(super + 1, roots))) {
        status = NIGH_E_CORRUPT;
    }
    return status;
}

/* The newest sound superblock goes to store->second. Of a torn one the others say enough, but a
 * device that fails to read may hide the newest: that is the caller's to know. */
static nigh_status nighi_super_newest(nigh_store *store, uint32_t *slot) {
    const nighi_super *super = (const nighi_super *)(const void *)store->page;
    uint32_t count = 2;
    uint64_t newest = 0;
    nigh_status worst = NIGH_E_FORMAT;
    *slot = NIGHI_NONE;
    for (uint32_t i = 0; i < count && i < store->page_count; i++) {
        const nigh_status status = nighi_super_get(store, i);
        if (status == NIGH_OK) {
            count = super->super_count;
            if (*slot == NIGHI_NONE || super->generation > newest) {
                newest = super->generation;
                *slot = i;
                nighi_copy(store->second, store->page,
                           sizeof *super +
                               (uint64_t)super->root_count * sizeof(nighi_store_entry));
            }
        } else if (status != NIGH_E_CORRUPT && status != NIGH_E_FORMAT) {
            return status == NIGH_E_UNSUPPORTED ? NIGH_E_FORMAT : status;
        } else if (nighi_super_named(super)) {
            worst = status; /* something was here */
        }
    }
    return *slot != NIGHI_NONE ? NIGH_OK : worst;
}

/* Is the header that of an index, and are the tables those that it needs? */
static NIGHI_NOINLINE nigh_status nighi_super_shape(const nigh_store *store,
                                                    const nighi_super *super,
                                                    nighi_store_shape *shape) {
    nighi_image_header header;
    nigh_config config;
    nighi_fill(shape, 0, sizeof *shape);
    if (super->filled == 0) {
        return super->root_count == 0 && super->depth == 0 ? NIGH_OK : NIGH_E_CORRUPT;
    }
    nighi_copy(&header, super->header, sizeof header);
    const nigh_status status = nighi_header_paged_read(&header, sizeof header, &config);
    if (status != NIGH_OK) {
        return status;
    }
    return nighi_store_shape_for(store, &header, shape) && shape->depth == super->depth &&
                   shape->counts[shape->depth] == super->root_count
               ? NIGH_OK
               : NIGH_E_CORRUPT;
}

/* What an index is like whose unchanged blocks are those of this superblock. */
static uint64_t nighi_super_token(const nighi_super *super) {
    return nighi_mix64(nighi_mix64(super->generation) ^ super->checksum) | 1;
}

static void nighi_super_take(nigh_store *store, const nighi_super *super, uint32_t slot) {
    store->slot = slot;
    store->committed = super->generation;
    store->filled = super->filled;
    store->super_token = nighi_super_token(super);
    store->token = store->super_token;
    store->moved = 0;
    store->uncertain = 0;
    store->mounted = 1;
    for (uint32_t i = 0; i < NIGHI_REGION_COUNT; i++) {
        const nighi_image_header *header = (const nighi_image_header *)(const void *)super->header;
        store->sure[i] = (uint32_t)(nighi_store_live(header, i) / store->page_bytes);
    }
    nighi_copy(store->header, super->header, sizeof store->header);
}

NIGHI_FN nigh_status nighi_store_mount(nigh_store *store) {
    const nighi_super *super = (const nighi_super *)(const void *)store->second;
    uint32_t slot = 0;
    store->token = 0;
    nigh_status status = nighi_super_newest(store, &slot);
    if (status != NIGH_OK) {
        return status;
    }
    if (super->page_end > store->page_count || super->super_count > store->page_count) {
        return NIGH_E_MISMATCH;
    }
    store->mounted = 0;
    store->settled = 0; /* its writer may have ended before it was on the device */
    store->super_count = super->super_count;
    store->cursor = super->cursor < store->page_count ? super->cursor : super->super_count;
    store->generation = super->generation;
    status = nighi_super_shape(store, super, &store->shape);
    if (status != NIGH_OK) {
        return status;
    }
    nighi_store_free_all(store);
    nighi_copy(store->levels[store->shape.depth], super + 1,
               (uint64_t)super->root_count * sizeof(nighi_store_entry));
    status = nighi_store_tables_get(store);
    if (status == NIGH_OK) {
        nighi_store_settle(store, false);
        nighi_super_take(store, super, slot);
    }
    return status;
}

/* Pages in use lie below it. */
static uint32_t nighi_super_end(const nigh_store *store) {
    uint32_t page = store->page_count;
    while (page > 0 && !nighi_bit(store->held, page - 1)) {
        page--;
    }
    return page;
}

/* The superblock that is to be written, in store->page. */
static uint32_t nighi_super_make(nigh_store *store, const void *header, uint32_t slot) {
    nighi_super *super = (nighi_super *)(void *)store->page;
    const uint32_t depth = store->shape.depth;
    const uint32_t count = store->shape.counts[depth];
    const uint32_t roots = count * (uint32_t)sizeof(nighi_store_entry);
    nighi_fill(super, 0, sizeof *super);
    nighi_copy(super->magic, nighi_super_magic, sizeof nighi_super_magic);
    super->version = NIGHI_STORE_VERSION;
    super->page_bytes = store->page_bytes;
    super->generation = store->generation + 1;
    super->slot = slot;
    super->super_count = store->super_count;
    super->page_end = nighi_super_end(store);
    super->cursor = store->cursor;
    super->depth = depth;
    super->root_count = count;
    if (header != NULL) {
        super->filled = 1;
        nighi_copy(super->header, header, sizeof super->header);
    }
    nighi_copy(super + 1, store->levels[depth], roots);
    super->root_checksum = nighi_checksum(super + 1, roots);
    super->checksum = nighi_checksum(super, NIGHI_SUPER_CHECKED);
    return (uint32_t)sizeof *super + roots;
}

/* After one that failed the same place is written again: the other superblock is the one to keep,
 * and whichever of the two a power cut brings back, its pages are there (both count as used). */
NIGHI_FN nigh_status nighi_store_super_put(nigh_store *store, const void *header) {
    const nighi_super *super = (const nighi_super *)(const void *)store->page;
    const uint32_t slot = store->slot + 1 == store->super_count ? 0 : store->slot + 1;
    const uint32_t bytes = nighi_super_make(store, header, slot);
    nighi_store_settle(store, true);
    store->generation++;
    store->uncertain = 1;
    nigh_status status = nighi_store_program(store, slot, store->page, bytes);
    if (status == NIGH_OK) {
        status = nighi_store_flush(store);
    }
    if (status == NIGH_OK) {
        nighi_store_settle(store, false);
        nighi_super_take(store, super, slot);
        store->settled = 1;
    }
    return status;
}

NIGHI_FN nigh_status nighi_store_find(nigh_store_read_fn read, void *user, uint64_t device_bytes,
                                      nigh_store_options *options) {
    nighi_super super;
    nigh_status worst = NIGH_E_FORMAT;
    /* At most one is torn, and the first two are never that at once. Going up, a page that only
     * looks like a superblock comes after the real one. */
    for (uint64_t at = 0; at <= NIGHI_STORE_PAGE_MAX && at + sizeof super <= device_bytes;
         at = at == 0 ? NIGHI_STORE_PAGE_MIN : at * 2) {
        const nigh_status got = read(user, at, &super, sizeof super);
        if (got != NIGH_OK && got != NIGH_E_CORRUPT) {
            return nighi_store_status(got, NIGH_E_FETCH);
        }
        if (got != NIGH_OK || !nighi_super_named(&super)) {
            continue;
        }
        const uint32_t page_bytes = super.page_bytes;
        const uint32_t slot = at == 0 ? 0 : 1;
        worst = nighi_super_head(&super, slot, at == 0 ? page_bytes : (uint32_t)at);
        if (worst == NIGH_OK && page_bytes >= NIGHI_STORE_PAGE_MIN &&
            page_bytes <= NIGHI_STORE_PAGE_MAX && (page_bytes & (page_bytes - 1)) == 0) {
            options->page_bytes = page_bytes;
            options->super_count = super.super_count;
            options->page_count =
                (uint32_t)nighi_min_u64(device_bytes / page_bytes, NIGHI_STORE_PAGES_MAX);
            return NIGH_OK;
        }
    }
    return worst == NIGH_E_UNSUPPORTED ? NIGH_E_FORMAT : worst;
}
