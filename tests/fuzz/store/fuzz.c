/* fuzz.c - any bytes as a device with a store: refused, or its index used and committed
 * layer T; uses: nothing
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Input: one byte of flags, then the device. Bit 0 makes the checksums right, so that what lies
 * behind them is reached; bit 1 takes pages of 1024 bytes whatever nigh_store_find says; bit 2
 * grows the device; bit 3 erases before it writes, which ends at multiples of 64 bytes; bit 4
 * inserts, sets and commits again; bit 5 opens it read-only; bit 6 begins anew and commits what was
 * read to that; bit 7 reads what was committed and compares, if it was sound. Bits 5 and 6
 * together: a write, erase or sync fails once; the device's last byte says which. Reads and writes
 * outside of the device end the program. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <string.h>

#include "../../support/store_fix.h"
#include "nigh.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { EF = 32, DEVICE_MAX = 1 << 18, MORE_PAGES = 24 };
enum { FIX = 1, SMALL = 2, GROW = 4, ERASE = 8, CHANGE = 16, READ = 32, ANEW = 64, AGAIN = 128 };
enum { FAIL = READ | ANEW };

typedef struct pages {
    uint8_t *bytes;
    uint64_t size;
    uint32_t fails; /* changes until one fails; 0: none does */
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

static int failing(pages *p) { return p->fails > 0 && --p->fails == 0; }

static nigh_status write_pages(void *user, uint64_t offset, const void *bytes, uint64_t count) {
    pages *p = user;
    require(count <= p->size && offset <= p->size - count);
    if (failing(p)) {
        return NIGH_E_USER - 1;
    }
    memcpy(p->bytes + offset, bytes, (size_t)count);
    return NIGH_OK;
}

static nigh_status erase_pages(void *user, uint64_t offset, uint64_t count) {
    pages *p = user;
    require(count <= p->size && offset <= p->size - count);
    if (failing(p)) {
        return NIGH_E_USER - 1;
    }
    memset(p->bytes + offset, 0xff, (size_t)count);
    return NIGH_OK;
}

static nigh_status sync_pages(void *user) { return failing(user) ? NIGH_E_USER - 1 : NIGH_OK; }

static void *take(uint64_t bytes) {
    void *memory = NULL;
    if (bytes > 1u << 26 || posix_memalign(&memory, 64, bytes != 0 ? (size_t)bytes : 1) != 0) {
        return NULL;
    }
    return memory;
}

/* ---- Comparing ------------------------------------------------------------------------------ */

typedef struct image {
    uint8_t *bytes;
    uint64_t size;
    uint64_t filled;
} image;

static nigh_status append(void *user, const void *bytes, uint64_t count) {
    image *to = user;
    require(count <= to->size - to->filled);
    memcpy(to->bytes + to->filled, bytes, (size_t)count);
    to->filled += count;
    return NIGH_OK;
}

static image save(const nigh_index *index) {
    image made = {NULL, 0, 0};
    require(nigh_save_bytes(index, 0, &made.size) == NIGH_OK);
    made.bytes = take(made.size);
    require(made.bytes != NULL && nigh_save(index, 0, append, &made) == NIGH_OK);
    require(made.filled == made.size);
    return made;
}

static nigh_store *open_store(pages *device, const nigh_store_options *options, uint32_t flags,
                              void **memory) {
    uint64_t bytes = 0;
    const int read_only = (flags & FAIL) == READ;
    nigh_store *store = NULL;
    *memory = NULL;
    if (nigh_store_bytes(options, &bytes) != NIGH_OK) {
        return NULL;
    }
    *memory = take(bytes);
    require(*memory != NULL);
    const nigh_status status =
        nigh_store_open(options, read_pages, read_only ? NULL : write_pages,
                        (flags & ERASE) != 0 ? erase_pages : NULL, read_only ? NULL : sync_pages,
                        device, *memory, bytes, &store);
    return status == NIGH_OK ? store : NULL;
}

/* The index of a store, in memory[2]. */
static nigh_index *attach(nigh_store *store, uint32_t slot_max, void **memory) {
    const nigh_options options = {
        .struct_size = sizeof options, .flags = NIGH_OPEN_WRITABLE, .slot_max = slot_max};
    uint64_t bytes = 0, block_bytes = 0;
    nigh_index *index = NULL;
    memory[0] = NULL;
    memory[1] = NULL;
    if (nigh_store_attach_bytes(store, &options, &bytes, &block_bytes) != NIGH_OK) {
        return NULL;
    }
    memory[0] = take(bytes);
    memory[1] = take(block_bytes);
    if (memory[0] == NULL || memory[1] == NULL) {
        return NULL;
    }
    const nigh_status status =
        nigh_store_attach(store, &options, memory[0], bytes, memory[1], block_bytes, &index);
    return status == NIGH_OK ? index : NULL;
}

/* What was committed is what another opens. */
static void compare(pages *device, const nigh_store_options *options, const nigh_index *index) {
    void *memory[3];
    nigh_store_options found = {.struct_size = sizeof found};
    require(nigh_store_find(read_pages, device, device->size, &found) == NIGH_OK);
    require(found.page_bytes == options->page_bytes);
    nigh_store *store = open_store(device, &found, READ, &memory[0]);
    require(store != NULL);
    const nigh_index *again = attach(store, 0, memory + 1);
    require(again != NULL);
    const image was = save(index), is = save(again);
    require(was.size == is.size && memcmp(was.bytes, is.bytes, (size_t)is.size) == 0);
    free(was.bytes);
    free(is.bytes);
    for (int i = 0; i < 3; i++) {
        free(memory[i]);
    }
}

/* ---- Using ---------------------------------------------------------------------------------- */

typedef struct use {
    pages *device;
    const nigh_store_options *options;
    uint32_t flags;
    nigh_store *store;
    nigh_index *index;
    nigh_session *session;
    nigh_config config;
    int sound; /* nigh_check says so; else counts may go beyond what an image may say */
} use;

static void commit(const use *u) {
    nigh_status status = nigh_store_commit(u->store, u->index);
    if (status == NIGH_E_USER - 1 && (u->flags & FAIL) == FAIL) {
        status = nigh_store_commit(u->store, u->index);
        require(status != NIGH_E_USER - 1);
    }
    require(status == NIGH_OK || status == NIGH_E_FULL ||
            (status == NIGH_E_READ_ONLY && (u->flags & FAIL) == READ));
    if (status == NIGH_OK && (u->flags & AGAIN) != 0 && u->sound) {
        compare(u->device, u->options, u->index);
    }
}

static void *change(const use *u, uint32_t slots) {
    const uint64_t keys[2] = {77, 1};
    const uint32_t length = 3;
    const uint32_t *lengths = u->config.keys == NIGH_KEYS_BYTES ? &length : NULL;
    uint64_t row_bytes = 0, bytes = 0;
    uint32_t done = 0;
    void *more = NULL;
    if (nigh_grow_bytes(u->index, slots, 64, &bytes) == NIGH_OK && bytes < 1 << 24) {
        more = take(bytes);
        require(more != NULL && nigh_grow(u->index, slots, 64, more, bytes) == NIGH_OK);
    }
    require(nigh_row_bytes(u->config.dim, u->config.dtype, &row_bytes) == NIGH_OK);
    uint8_t *row = take(row_bytes);
    require(row != NULL);
    memset(row, 0, (size_t)row_bytes);
    row[0] = 1; /* a vector of every type */
    const void *vector = u->config.vectors == NIGH_VECTORS_OWNED ? row : NULL;
    (void)nigh_insert(u->index, u->session, 0, &keys[0], lengths, vector, 1, &done);
    (void)nigh_set(u->index, u->session, NIGH_SET_EXCLUSIVE, &keys[1], lengths, vector, 1, &done);
    free(row);
    return more;
}

static void use_index(use *u, uint32_t slots) {
    nigh_session_options options = {.struct_size = sizeof options,
                                    .ef_max = EF,
                                    .frontier_max = 64,
                                    .flags = NIGH_SESSION_READ};
    nigh_report report = {.struct_size = sizeof report};
    uint64_t bytes = 0, writer_bytes = 0, key = 1;
    uint32_t length = 3, done = 0;
    u->config.struct_size = sizeof u->config;
    require(nigh_config_get(u->index, &u->config) == NIGH_OK);
    if ((u->flags & CHANGE) != 0) {
        options.flags = 0;
        options.ef_max = u->config.ef_build > EF ? u->config.ef_build : EF;
    }
    require(nigh_session_bytes(u->index, &options, &bytes) == NIGH_OK);
    require(nigh_writer_bytes(u->index, &writer_bytes) == NIGH_OK);
    void *memory = take(bytes), *writer = take(writer_bytes), *more = NULL;
    if (memory != NULL && writer != NULL) {
        require(nigh_session_init(u->index, &options, memory, bytes, &u->session) == NIGH_OK);
        require(nigh_check(u->index, u->session, &report) == NIGH_OK);
        u->sound = report.status == NIGH_OK;
        require(nigh_writer_init(u->index, writer, writer_bytes) == NIGH_OK);
        const uint32_t *lengths = u->config.keys == NIGH_KEYS_BYTES ? &length : NULL;
        (void)nigh_remove(u->index, u->session, &key, lengths, 1, &done);
        commit(u);
        if ((u->flags & CHANGE) != 0) {
            more = change(u, slots);
            commit(u);
        }
    }
    free(memory);
    free(writer);
    free(more);
}

/* What the first two superblocks say at most: room for more than that is asked for. */
static uint32_t slots_most(const use *u) {
    const uint8_t *at = u->device->bytes + STORE_HEADER + 88;
    const uint32_t first = image_get32(at), second = image_get32(at + u->options->page_bytes);
    return (first > second ? first : second) % 4096;
}

static void use_store(use *u) {
    nigh_store_stats stats = {.struct_size = sizeof stats};
    nigh_store_options anew = *u->options;
    void *memory[3] = {NULL, NULL, NULL};
    require(nigh_store_stats_get(u->store, &stats) == NIGH_OK);
    require(stats.page_used <= stats.page_count && stats.page_free <= stats.page_count);
    const uint32_t slots = slots_most(u) + 2;
    u->index = attach(u->store, (u->flags & CHANGE) != 0 ? slots : 0, memory);
    if (u->index != NULL && (u->flags & FAIL) == ANEW) {
        anew.flags = NIGH_STORE_FORMAT;
        u->store = open_store(u->device, &anew, u->flags, &memory[2]);
    }
    if (u->index != NULL && u->store != NULL) {
        use_index(u, slots);
    }
    for (int i = 0; i < 3; i++) {
        free(memory[i]);
    }
}

/* A device that has become larger, and the store on it. */
static void grow(use *u, nigh_store_options *options, void **memory) {
    uint64_t bytes = 0;
    const uint64_t size = u->device->size + (uint64_t)MORE_PAGES * options->page_bytes;
    uint8_t *larger = take(size);
    options->page_count += MORE_PAGES;
    require(nigh_store_bytes(options, &bytes) == NIGH_OK);
    void *grown = take(bytes);
    require(larger != NULL && grown != NULL);
    memset(larger, 0xee, (size_t)size);
    memcpy(larger, u->device->bytes, (size_t)u->device->size);
    free(u->device->bytes);
    *u->device = (pages){larger, size, u->device->fails};
    require(nigh_store_grow(u->store, options->page_count, grown, bytes, &u->store) == NIGH_OK);
    free(*memory);
    *memory = grown;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    nigh_store_options options = {.struct_size = sizeof options};
    void *memory = NULL;
    if (size < 1 || size > DEVICE_MAX) {
        return 0;
    }
    const uint32_t flags = bytes[0];
    pages device = {take(size - 1), size - 1, 0};
    require(device.bytes != NULL);
    memcpy(device.bytes, bytes + 1, size - 1);
    const nigh_status status = nigh_store_find(read_pages, &device, device.size, &options);
    if (status != NIGH_OK || (flags & SMALL) != 0) {
        options.page_bytes = 1024;
        options.page_count = (uint32_t)(device.size / 1024);
        options.super_count = 0;
    }
    if ((flags & FIX) != 0) {
        store_fix(device.bytes, (size_t)device.size, options.page_bytes);
    }
    options.program_bytes = (flags & ERASE) != 0 ? 64 : 0;
    device.fails = (flags & FAIL) == FAIL && device.size > 0 ? device.bytes[device.size - 1] : 0;
    use u = {.device = &device, .options = &options, .flags = flags};
    u.store = open_store(&device, &options, flags, &memory);
    if (u.store != NULL) {
        if ((flags & GROW) != 0) {
            grow(&u, &options, &memory);
        }
        use_store(&u);
    }
    free(memory);
    free(device.bytes);
    return 0;
}
