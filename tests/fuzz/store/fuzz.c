/* fuzz.c - any bytes as a device with a store: refused, or its index used and committed
 * layer T; uses: nothing
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Input: one byte of flags, then the device. Bit 0 makes the checksums right, so that what lies
 * behind them is reached; bit 1 takes pages of 1024 bytes whatever nigh_store_find says; bit 2
 * grows the device; bit 3 erases before it writes. Reads and writes outside of the device end the
 * program. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <string.h>

#include "../../support/store_fix.h"
#include "nigh.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { EF = 32, DEVICE_MAX = 1 << 18, FIX = 1, SMALL = 2, GROW = 4, ERASE = 8 };

typedef struct pages {
    uint8_t *bytes;
    uint64_t size;
} pages;

static void require(int condition) {
    if (!condition) {
        abort();
    }
}

static nigh_status read_pages(void *user, uint64_t offset, void *bytes, uint64_t count) {
    const pages *p = user;
    require(count <= p->size && offset <= p->size - count);
    memcpy(bytes, p->bytes + offset, (size_t)count);
    return NIGH_OK;
}

static nigh_status write_pages(void *user, uint64_t offset, const void *bytes, uint64_t count) {
    const pages *p = user;
    require(count <= p->size && offset <= p->size - count);
    memcpy(p->bytes + offset, bytes, (size_t)count);
    return NIGH_OK;
}

static nigh_status erase_pages(void *user, uint64_t offset, uint64_t count) {
    const pages *p = user;
    require(count <= p->size && offset <= p->size - count);
    memset(p->bytes + offset, 0xff, (size_t)count);
    return NIGH_OK;
}

static nigh_status sync_pages(void *user) {
    (void)user;
    return NIGH_OK;
}

static void *take(uint64_t bytes) {
    void *memory = NULL;
    if (bytes > 1u << 26 || posix_memalign(&memory, 64, bytes != 0 ? (size_t)bytes : 1) != 0) {
        return NULL;
    }
    return memory;
}

static void use_index(nigh_store *store, nigh_index *index) {
    nigh_session_options options = {.struct_size = sizeof options, .ef_max = EF,
                                    .frontier_max = 64, .flags = NIGH_SESSION_READ};
    nigh_config config = {.struct_size = sizeof config};
    nigh_report report = {.struct_size = sizeof report};
    nigh_session *session = NULL;
    uint64_t bytes = 0, writer_bytes = 0, key = 1;
    uint32_t length = 3, done = 0;
    require(nigh_config_get(index, &config) == NIGH_OK);
    require(nigh_session_bytes(index, &options, &bytes) == NIGH_OK);
    require(nigh_writer_bytes(index, &writer_bytes) == NIGH_OK);
    void *memory = take(bytes);
    void *writer = take(writer_bytes);
    if (memory != NULL && writer != NULL) {
        require(nigh_session_init(index, &options, memory, bytes, &session) == NIGH_OK);
        require(nigh_check(index, session, &report) == NIGH_OK);
        require(nigh_writer_init(index, writer, writer_bytes) == NIGH_OK);
        (void)nigh_remove(index, session, &key,
                          config.keys == NIGH_KEYS_BYTES ? &length : NULL, 1, &done);
        nigh_status s = nigh_store_commit(store, index);
        require(s == NIGH_OK || s == NIGH_E_FULL);
    }
    free(memory);
    free(writer);
}

static void use_store(nigh_store *store) {
    nigh_options options = {.struct_size = sizeof options, .flags = NIGH_OPEN_WRITABLE};
    uint64_t bytes = 0, block_bytes = 0;
    nigh_index *index = NULL;
    if (nigh_store_attach_bytes(store, &options, &bytes, &block_bytes) != NIGH_OK) {
        return;
    }
    void *memory = take(bytes);
    void *blocks = take(block_bytes);
    if (memory != NULL && blocks != NULL &&
        nigh_store_attach(store, &options, memory, bytes, blocks, block_bytes, &index) ==
            NIGH_OK) {
        use_index(store, index);
    }
    free(memory);
    free(blocks);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    nigh_store_options options = {.struct_size = sizeof options};
    nigh_store *store = NULL;
    uint64_t store_bytes = 0;
    if (size < 1 || size > DEVICE_MAX) {
        return 0;
    }
    const uint32_t flags = bytes[0];
    pages device = {take(size - 1), size - 1};
    require(device.bytes != NULL);
    memcpy(device.bytes, bytes + 1, size - 1);
    nigh_status s = nigh_store_find(read_pages, &device, device.size, &options);
    if (s != NIGH_OK || (flags & SMALL) != 0) {
        options.page_bytes = 1024;
        options.page_count = (uint32_t)(device.size / 1024);
        options.super_count = 0;
    }
    if ((flags & FIX) != 0) {
        store_fix(device.bytes, (size_t)device.size, options.page_bytes);
    }
    if (nigh_store_bytes(&options, &store_bytes) == NIGH_OK) {
        void *memory = take(store_bytes);
        require(memory != NULL);
        s = nigh_store_open(&options, read_pages, write_pages,
                            (flags & ERASE) != 0 ? erase_pages : NULL, sync_pages, &device, memory,
                            store_bytes, &store);
        if (s == NIGH_OK) {
            if ((flags & GROW) != 0) {
                void *grown = take(store_bytes);
                require(nigh_store_grow(store, options.page_count, grown, store_bytes, &store) ==
                        NIGH_OK);
                free(memory);
                memory = grown;
            }
            use_store(store);
        }
        free(memory);
    }
    free(device.bytes);
    return 0;
}
