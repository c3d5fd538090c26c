/* nigh_abi_store.c - the public functions of stores
 * layer L15; uses: store, structs
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "store.h"
#include "structs.h"

enum { NIGHI_STORE_OPTIONS_V1 = 24, NIGHI_STORE_STATS_V1 = 80, NIGHI_STORE_INDEX_V1 = 16 };

_Static_assert(sizeof(nigh_store_options) == NIGHI_STORE_OPTIONS_V1, "options grow at their end");
_Static_assert(sizeof(nigh_store_stats) == NIGHI_STORE_STATS_V1, "stats grow at their end");

static nigh_status nighi_store_take_options(const nigh_store_options *from,
                                            nigh_store_options *options) {
    const nigh_status status =
        from == NULL ? NIGH_E_INVALID
                     : nighi_struct_take(options, sizeof *options, NIGHI_STORE_OPTIONS_V1, from);
    if (status != NIGH_OK) {
        return status;
    }
    options->page_bytes = options->page_bytes == 0 ? 4096 : options->page_bytes;
    options->program_bytes = options->program_bytes == 0 ? 1 : options->program_bytes;
    options->super_count = options->super_count == 0 ? 2 : options->super_count;
    return nighi_store_options_valid(options) ? NIGH_OK : NIGH_E_INVALID;
}

static nigh_status nighi_store_index_options(const nigh_options *from, nigh_options *options) {
    const uint32_t known = NIGH_OPEN_WRITABLE | NIGH_OPEN_VERIFY;
    const nigh_status status =
        nighi_struct_take(options, sizeof *options, NIGHI_STORE_INDEX_V1, from);
    return status == NIGH_OK && options->slot_max <= NIGHI_SELF_NEW &&
                   (options->flags & ~known) == 0
               ? NIGH_OK
               : NIGH_E_INVALID;
}

NIGH_API nigh_status nigh_store_bytes(const nigh_store_options *options, uint64_t *bytes) {
    if (!NIGHI_HAS_PAGER) {
        return NIGH_E_UNSUPPORTED;
    }
    nigh_store_options own;
    if (bytes == NULL || nighi_store_take_options(options, &own) != NIGH_OK) {
        return NIGH_E_INVALID;
    }
    *bytes = nighi_store_bytes(&own);
    return NIGH_OK;
}

NIGH_API nigh_status nigh_store_find(nigh_store_read_fn read, void *user, uint64_t device_bytes,
                                     nigh_store_options *options) {
    if (!NIGHI_HAS_PAGER) {
        return NIGH_E_UNSUPPORTED;
    }
    nigh_store_options found = {0};
    if (read == NULL || options == NULL) {
        return NIGH_E_INVALID;
    }
    nigh_status status =
        nighi_struct_take(&found, sizeof found, NIGHI_STORE_OPTIONS_V1, options);
    if (status == NIGH_OK) {
        status = nighi_store_find(read, user, device_bytes, &found);
    }
    return status == NIGH_OK
               ? nighi_struct_give(options, &found, sizeof found, NIGHI_STORE_OPTIONS_V1)
               : status;
}

NIGH_API nigh_status nigh_store_open(const nigh_store_options *options, nigh_store_read_fn read,
                                     nigh_store_write_fn write, nigh_store_erase_fn erase,
                                     nigh_store_sync_fn sync, void *user, void *memory,
                                     uint64_t memory_bytes, nigh_store **store) {
    if (!NIGHI_HAS_PAGER) {
        return NIGH_E_UNSUPPORTED;
    }
    const nighi_device device = {read, write, erase, sync, user};
    nigh_store_options own;
    if (read == NULL || memory == NULL || store == NULL || (write == NULL) != (sync == NULL) ||
        nighi_store_take_options(options, &own) != NIGH_OK ||
        (write == NULL && (own.flags & NIGH_STORE_FORMAT) != 0)) {
        return NIGH_E_INVALID;
    }
    return nighi_store_open(&own, &device, memory, memory_bytes, store);
}

NIGH_API nigh_status nigh_store_grow(nigh_store *store, uint32_t page_count, void *memory,
                                     uint64_t memory_bytes, nigh_store **grown) {
    if (!NIGHI_HAS_PAGER) {
        return NIGH_E_UNSUPPORTED;
    }
    if (store == NULL || memory == NULL || grown == NULL || page_count < store->page_count ||
        page_count > NIGHI_STORE_PAGES_MAX) {
        return NIGH_E_INVALID;
    }
    return nighi_store_grow(store, page_count, memory, memory_bytes, grown);
}

NIGH_API nigh_status nigh_store_stats_get(const nigh_store *store, nigh_store_stats *stats) {
    if (!NIGHI_HAS_PAGER) {
        return NIGH_E_UNSUPPORTED;
    }
    nigh_store_stats now;
    if (store == NULL || stats == NULL) {
        return NIGH_E_INVALID;
    }
    nighi_store_stats_now(store, &now);
    return nighi_struct_give(stats, &now, sizeof now, NIGHI_STORE_STATS_V1);
}

NIGH_API nigh_status nigh_store_attach_bytes(nigh_store *store, const nigh_options *options,
                                             uint64_t *bytes, uint64_t *block_bytes) {
    if (!NIGHI_HAS_PAGER) {
        return NIGH_E_UNSUPPORTED;
    }
    nigh_options own;
    if (store == NULL || bytes == NULL || block_bytes == NULL ||
        nighi_store_index_options(options, &own) != NIGH_OK) {
        return NIGH_E_INVALID;
    }
    return nighi_store_attach_bytes(store, &own, bytes, block_bytes);
}

NIGH_API nigh_status nigh_store_attach(nigh_store *store, const nigh_options *options, void *memory,
                                       uint64_t memory_bytes, void *blocks, uint64_t block_bytes,
                                       nigh_index **index) {
    if (!NIGHI_HAS_PAGER) {
        return NIGH_E_UNSUPPORTED;
    }
    nigh_options own;
    if (store == NULL || memory == NULL || index == NULL ||
        nighi_store_index_options(options, &own) != NIGH_OK) {
        return NIGH_E_INVALID;
    }
    return nighi_store_attach(store, &own, memory, memory_bytes, blocks, block_bytes, index);
}

NIGH_API nigh_status nigh_store_commit(nigh_store *store, nigh_index *index) {
    if (!NIGHI_HAS_PAGER) {
        return NIGH_E_UNSUPPORTED;
    }
    if (store == NULL || index == NULL) {
        return NIGH_E_INVALID;
    }
    return nighi_store_commit(store, index);
}
