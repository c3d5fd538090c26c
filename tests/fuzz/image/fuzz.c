/* fuzz.c - any bytes as an image: refused, or used in every way without leaving its memory
 * layer T; uses: nothing
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Input: one byte of flags, then the image. Bits 0..2 are nigh_options.flags, bit 3 makes the
 * checksums right (header at 508, its table's at 20, the table from 512, docs/FORMAT.md), so that
 * what lies behind them is reached, bit 4 grows and changes the index, bit 5 gives it vectors by
 * callback when it has none, bit 6 saves it, plain and packed. Checksums are computed here anew:
 * the library is used through its public header alone. A loop that does not end is found by
 * libFuzzer's -timeout. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <string.h>

#include "../../support/image_fix.h"
#include "nigh.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { EF = 48, IMAGE_MAX = 1 << 16 };
enum { FIX = 8, CHANGE = 16, FETCH = 32, SAVE = 64 };

static void require(int condition) {
    if (!condition) {
        abort();
    }
}

/* ---- Use ------------------------------------------------------------------------------------ */

typedef struct use {
    nigh_config config;
    nigh_index *index;
    nigh_session *session;
    uint64_t row_bytes;
    uint8_t *row; /* a valid one */
    uint8_t *out; /* room for EF keys or one row */
    void *memory[8];
    uint32_t count;
} use;

static void *take(use *u, uint64_t bytes) {
    void *memory = NULL;
    require(u->count < 8);
    if (bytes > 1u << 28 || posix_memalign(&memory, 64, bytes != 0 ? (size_t)bytes : 1) != 0) {
        return NULL;
    }
    return u->memory[u->count++] = memory;
}

static nigh_status fetch(void *user, const uint32_t *slots, const uint64_t *keys, uint32_t count,
                         void *scratch, const void **vectors) {
    const use *u = user;
    (void)slots, (void)keys, (void)scratch;
    for (uint32_t i = 0; i < count; i++) {
        vectors[i] = u->row;
    }
    return NIGH_OK;
}

static float custom(void *user, const void *a, const void *b, uint32_t dim) {
    (void)user, (void)dim;
    return (float)((const uint8_t *)a)[0] - (float)((const uint8_t *)b)[0];
}

/* Session, writer state and a row for whatever attached; 0 when it is too large to be used here. */
static int prepare(use *u, uint32_t flags) {
    uint64_t bytes = 0;
    nigh_session_options so = {.struct_size = sizeof so,
                               .ef_max = EF,
                               .frontier_max = 64,
                               .flags = flags & CHANGE ? 0 : NIGH_SESSION_READ};
    u->config.struct_size = sizeof u->config;
    require(nigh_config_get(u->index, &u->config) == NIGH_OK);
    require(nigh_row_bytes(u->config.dim, u->config.dtype, &u->row_bytes) == NIGH_OK);
    so.flags |= u->config.seed % 2 != 0 ? NIGH_SESSION_SMALL : 0;
    require(nigh_session_bytes(u->index, &so, &bytes) == NIGH_OK);
    void *memory = take(u, bytes);
    if (memory == NULL) {
        return 0;
    }
    require(nigh_session_init(u->index, &so, memory, bytes, &u->session) == NIGH_OK);
    u->row = take(u, u->row_bytes);
    u->out = take(u, EF * 512 + u->row_bytes);
    float *floats = take(u, u->config.dim * sizeof(float));
    require(u->row != NULL && u->out != NULL && floats != NULL);
    for (uint32_t i = 0; i < u->config.dim; i++) {
        floats[i] = (float)(i % 7) + 1;
    }
    require(nigh_convert(u->config.dim, u->config.dtype, 1, floats, u->row, NULL, NULL) == NIGH_OK);
    if (u->config.metric == NIGH_METRIC_CUSTOM) {
        require(nigh_index_distance(u->index, custom, NULL) == NIGH_OK);
    }
    if ((flags & FETCH) != 0 && u->config.vectors == NIGH_VECTORS_EXTERNAL) {
        require(nigh_index_fetch(u->index, fetch, NULL, u) == NIGH_OK);
    }
    return 1;
}

static void read_all(use *u) {
    uint32_t lengths[EF], slots[EF], found = 0, top = 0, count = 0, node = 0, done = 0;
    uint32_t *links = malloc(2048 * sizeof *links);
    float distances[EF];
    nigh_search_options so = {.struct_size = sizeof so, .ef = EF, .expansions = 1};
    require(links != NULL);
    for (so.flags = 0; so.flags <= NIGH_SEARCH_EXACT; so.flags++) {
        nigh_status s = nigh_search(u->index, u->session, u->row, &so, EF, u->out, lengths,
                                    distances, slots, &found);
        require(s <= NIGH_OK && found <= EF);
    }
    so.flags = 0;
    if (nigh_cursor_begin(u->index, u->session, u->row, &so) == NIGH_OK) {
        for (int i = 0; i < 4; i++) {
            (void)nigh_cursor_next(u->index, u->session, 20, u->out, lengths, distances, slots,
                                   &found);
            require(found <= 20);
        }
    }
    for (uint32_t from = 0, round = 0; round < 8; round++, from = slots[found - 1] + 1) {
        if (nigh_keys(u->index, from, EF, u->out, lengths, slots, &found) != NIGH_OK ||
            found == 0) {
            break;
        }
        uint8_t key[512];
        memcpy(key, u->out, sizeof key);
        (void)nigh_get(u->index, u->session, key, lengths, 1, u->out, slots + 1, &done);
    }
    for (uint32_t slot = 0; slot < 8; slot++) {
        for (uint32_t level = 0; level < 4; level++) {
            (void)nigh_node(u->index, slot, level, &top, &node, links, &count);
        }
    }
    free(links);
}

static void change(use *u, uint32_t slots) {
    uint64_t bytes = 0, key[2] = {1, 77};
    uint32_t length = 3, done = 0;
    const uint32_t *lengths = u->config.keys == NIGH_KEYS_BYTES ? &length : NULL;
    const void *row = u->config.vectors == NIGH_VECTORS_OWNED ? u->row : NULL;
    if (nigh_writer_bytes(u->index, &bytes) != NIGH_OK ||
        nigh_writer_init(u->index, take(u, bytes), bytes) != NIGH_OK) {
        return;
    }
    if (nigh_grow_bytes(u->index, slots, 64, &bytes) == NIGH_OK && bytes < 1 << 24) {
        (void)nigh_grow(u->index, slots, 64, take(u, bytes), bytes);
    }
    (void)nigh_insert(u->index, u->session, 0, &key[1], lengths, row, 1, &done);
    (void)nigh_set(u->index, u->session, NIGH_SET_EXCLUSIVE, key, lengths, row, 1, &done);
    (void)nigh_remove(u->index, u->session, key, lengths, 1, &done);
    key[1] = 78;
    (void)nigh_insert(u->index, u->session, NIGH_REPLACE_DELETED | NIGH_SET_EXCLUSIVE, &key[1],
                      lengths, row, 1, &done);
    (void)nigh_unremove(u->index, u->session, key, lengths, 1, &done);
    read_all(u);
    (void)nigh_seal(u->index);
}

static void check(use *u) {
    nigh_report report = {0};
    report.struct_size = sizeof report;
    require(nigh_check(u->index, u->session, &report) == NIGH_OK);
    require((report.status == NIGH_OK) == (report.fault == 0));
}

static nigh_status swallow(void *user, const void *bytes, uint64_t count) {
    uint64_t *left = user;
    const uint8_t *at = bytes;
    uint32_t sum = 0;
    for (uint64_t i = 0; i < count; i++) { /* the sanitizer sees each byte */
        sum += at[i];
    }
    require(count <= *left && sum <= 255 * count);
    *left -= count;
    return NIGH_OK;
}

static void save(const use *u) {
    for (uint32_t flags = 0; flags < 4; flags++) {
        uint64_t bytes = 0;
        require(nigh_save_bytes(u->index, flags, &bytes) == NIGH_OK);
        nigh_status status = nigh_save(u->index, flags, swallow, &bytes);
        require(status == NIGH_E_CORRUPT || status == NIGH_E_OPEN ||
                (status == NIGH_OK && bytes == 0));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    use u = {0};
    uint64_t handle = 0;
    if (size < 1 || size > IMAGE_MAX) {
        return 0;
    }
    const uint32_t flags = bytes[0];
    uint8_t *image = take(&u, --size);
    memcpy(image, bytes + 1, size);
    if ((flags & FIX) != 0 && size >= IMAGE_HEADER) {
        image_fix(image, size);
    }
    nigh_options options = {.struct_size = sizeof options, .flags = flags & 7};
    if ((flags & CHANGE) != 0 && size >= IMAGE_HEADER) {
        options.slot_max = image_get32(image + 88) + 3; /* room for a few more */
    }
    if (nigh_attach_bytes(image, size, &options, &handle) == NIGH_OK && handle < 1 << 26) {
        void *memory = take(&u, handle);
        if (nigh_attach(image, size, &options, memory, handle, &u.index) == NIGH_OK &&
            prepare(&u, flags)) {
            check(&u);
            read_all(&u);
            if ((flags & SAVE) != 0) {
                save(&u);
            }
            if ((flags & CHANGE) != 0) {
                change(&u, options.slot_max);
                check(&u);
            }
        }
    }
    while (u.count > 0) {
        free(u.memory[--u.count]);
    }
    return 0;
}
