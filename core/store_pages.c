/* store_pages.c - the device, and which of its pages are free
 * layer L14; uses: store
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "store.h"

NIGHI_FN nigh_status nighi_store_status(nigh_status status, nigh_status otherwise) {
    return status == NIGH_OK || status <= NIGH_E_USER ? status : otherwise;
}

NIGHI_FN nigh_status nighi_store_read(const nigh_store *store, uint32_t page, void *bytes,
                                      uint32_t count) {
    const nigh_status status =
        store->device.read(store->device.user, (uint64_t)page * store->page_bytes, bytes, count);
    return status == NIGH_E_CORRUPT ? status : nighi_store_status(status, NIGH_E_FETCH);
}

NIGHI_FN nigh_status nighi_store_program(nigh_store *store, uint32_t page, const uint8_t *bytes,
                                         uint32_t count) {
    const uint64_t offset = (uint64_t)page * store->page_bytes;
    const uint32_t whole = (uint32_t)nighi_round_up(count, store->program_bytes);
    nigh_status status = NIGH_OK;
    if (whole != count) {
        if (bytes != store->page) {
            nighi_copy(store->page, bytes, count);
            bytes = store->page;
        }
        nighi_fill(store->page + count, 0, whole - count);
    }
    if (store->device.erase != NULL) {
        status = store->device.erase(store->device.user, offset, store->page_bytes);
        store->stats.erase_count++;
    }
    if (status == NIGH_OK) {
        status = store->device.write(store->device.user, offset, bytes, whole);
        store->stats.write_count++;
        store->stats.written_bytes += whole;
    }
    return nighi_store_status(status, NIGH_E_WRITE);
}

NIGHI_FN nigh_status nighi_store_flush(nigh_store *store) {
    store->stats.sync_count++;
    return nighi_store_status(store->device.sync(store->device.user), NIGH_E_WRITE);
}

static uint32_t nighi_store_words(const nigh_store *store) { return (store->page_count + 31) / 32; }

/* The next free page from the cursor on, round and round; 0: none. */
static uint32_t nighi_store_free_page(const nigh_store *store) {
    const uint32_t words = nighi_store_words(store);
    const bool beyond = store->cursor >= store->page_count; /* superblocks are all there is */
    uint32_t at = beyond ? 0 : store->cursor / 32;
    uint32_t mask = UINT32_MAX << (store->cursor % 32);
    for (uint32_t i = 0; i <= words; i++) { /* the first word twice: its upper and lower part */
        const uint32_t open = ~(store->used[at] | store->held[at]) & mask;
        if (open != 0) {
            return at * 32 + nighi_popcount((open & (0u - open)) - 1);
        }
        mask = UINT32_MAX;
        at = at + 1 == words ? 0 : at + 1;
    }
    return 0;
}

NIGHI_FN uint32_t nighi_store_free_count(const nigh_store *store) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < nighi_store_words(store); i++) {
        count += nighi_popcount(~(store->used[i] | store->held[i]));
    }
    return count;
}

NIGHI_FN nigh_status nighi_store_put(nigh_store *store, const uint8_t *bytes, uint32_t count,
                                     uint32_t checksum, nighi_store_entry *entry) {
    const uint32_t page = nighi_store_free_page(store);
    if (page == 0) {
        return NIGH_E_FULL;
    }
    store->cursor = page + 1 == store->page_count ? 0 : page + 1;
    const nigh_status status = nighi_store_program(store, page, bytes, count);
    if (status == NIGH_OK) {
        *entry = (nighi_store_entry){page, checksum};
        nighi_bit_set(store->held, page);
    }
    return status;
}

NIGHI_FN void nighi_store_drop(nigh_store *store, nighi_store_entry *entry) {
    if (entry->page != 0) {
        nighi_bit_clear(store->held, entry->page);
        *entry = (nighi_store_entry){0, 0};
    }
}

NIGHI_FN bool nighi_store_claim(nigh_store *store, uint32_t page) {
    if (page < store->super_count || page >= store->page_count || nighi_bit(store->held, page)) {
        return false;
    }
    nighi_bit_set(store->held, page);
    return true;
}

NIGHI_FN void nighi_store_free_all(nigh_store *store) {
    const uint32_t words = nighi_store_words(store);
    nighi_fill(store->held, 0, (uint64_t)words * 4);
    for (uint32_t page = 0; page < store->super_count; page++) {
        nighi_bit_set(store->held, page);
    }
    for (uint32_t page = store->page_count; page < words * 32; page++) {
        nighi_bit_set(store->held, page); /* there is none */
    }
}

NIGHI_FN void nighi_store_settle(nigh_store *store, bool and_old) {
    const uint32_t words = nighi_store_words(store);
    for (uint32_t i = 0; i < words; i++) {
        store->used[i] = (and_old ? store->used[i] : 0) | store->held[i];
    }
}
