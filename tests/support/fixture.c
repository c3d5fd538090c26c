/* fixture.c - an index with its four memories, each of exactly the size that nigh asks for
 * layer T; uses: fixture
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _POSIX_C_SOURCE 200809L
#include "fixture.h"

#include <stdlib.h>
#include <string.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include "t.h"

void *fx_malloc(uint64_t bytes) {
    void *memory = calloc(1, bytes != 0 ? (size_t)bytes : 1);
    if (memory == NULL) {
        t_failf("no memory: %" PRIu64 " bytes", bytes);
    }
    return memory;
}

#if defined(__GLIBC__)
/* Thousands of fixtures come and go: what they free is kept, so that the kernel need not clear it
 * each time, which was nine tenths of some tests. */
static __attribute__((constructor)) void keep_freed(void) {
    (void)mallopt(M_MMAP_THRESHOLD, 1 << 30);
    (void)mallopt(M_TRIM_THRESHOLD, 1 << 30);
}
#endif

void *fx_exact(uint64_t bytes) {
    void *memory = NULL;
    if (posix_memalign(&memory, 64, bytes != 0 ? (size_t)bytes : 1) != 0) {
        t_failf("no memory: %" PRIu64 " bytes", bytes);
    }
    memset(memory, 0xa5, (size_t)bytes);
    return memory;
}

void *fx_take(fx *f, uint64_t bytes) {
    fx_block *block = fx_malloc(sizeof *block);
    block->memory = fx_exact(bytes);
    block->next = f->blocks;
    f->blocks = block;
    return block->memory;
}

nigh_config fx_config(uint32_t dim, uint32_t metric, uint32_t dtype) {
    nigh_config config = {0};
    config.struct_size = sizeof config;
    config.dim = dim;
    config.metric = metric;
    config.dtype = dtype;
    config.ef_build = 40;
    config.seed = 42;
    return config;
}

nigh_config fx_config_at(uint32_t i, uint32_t dim) {
    uint32_t metric, dtype;
    (void)fx_pair(i * 5 % 21, &metric, &dtype);
    nigh_config config = fx_config(dim + i % 3, metric, dtype);
    config.keys = i % 3;
    return config;
}

void fx_config_span(nigh_config *config) {
    config->code_min = config->codes != 0 ? -2 : 0;
    config->code_max = config->codes != 0 ? (config->dtype == NIGH_DTYPE_U8 ? 255 : 2) : 0;
}

int fx_pair(uint32_t i, uint32_t *metric, uint32_t *dtype) {
    *metric = i < 20 ? NIGH_METRIC_L2 + i % 4 : NIGH_METRIC_HAMMING;
    *dtype = NIGH_DTYPE_F32 + i / 4;
    return i < 21;
}

nigh_session_options fx_session_options(uint32_t ef_max, uint32_t frontier_max, uint32_t flags) {
    nigh_session_options options = {0};
    options.struct_size = sizeof options;
    options.ef_max = ef_max;
    options.frontier_max = frontier_max;
    options.flags = flags;
    return options;
}

nigh_search_options fx_search_options(uint32_t ef, uint32_t flags) {
    nigh_search_options options = {0};
    options.struct_size = sizeof options;
    options.ef = ef;
    options.flags = flags;
    return options;
}

static nigh_status finish(fx *f, uint32_t ef_max, int writer) {
    uint64_t bytes = 0;
    if (writer) {
        t_ok(nigh_writer_bytes(f->index, &bytes));
        nigh_status status = nigh_writer_init(f->index, fx_take(f, bytes), bytes);
        if (status == NIGH_E_READ_ONLY) {
            return status; /* packed */
        }
        t_ok(status);
    }
    f->config.struct_size = sizeof f->config;
    t_ok(nigh_config_get(f->index, &f->config));
    t_ok(nigh_row_bytes(f->config.dim, f->config.dtype, &f->row_bytes));
    f->ef_max = ef_max;
    nigh_session_options options =
        fx_session_options(ef_max, 0, writer ? 0 : (uint32_t)NIGH_SESSION_READ);
    f->session = fx_session(f, &options);
    return NIGH_OK;
}

void fx_init(fx *f, const nigh_config *config, uint32_t slot_max, uint32_t slots,
             uint64_t key_bytes, uint32_t ef_max) {
    uint64_t bytes = 0;
    memset(f, 0, sizeof *f);
    f->options.struct_size = sizeof f->options;
    f->options.slot_max = slot_max;
    f->options.features = t_features();
    t_ok(nigh_index_bytes(config, &f->options, &bytes));
    t_ok(nigh_index_init(config, &f->options, fx_take(f, bytes), bytes, &f->index));
    t_ok(finish(f, ef_max, 1));
    if (slots != 0) {
        fx_grow(f, slots, key_bytes);
    }
}

void fx_grow(fx *f, uint32_t slots, uint64_t key_bytes) {
    uint64_t bytes = 0;
    t_ok(nigh_grow_bytes(f->index, slots, key_bytes, &bytes));
    t_ok(nigh_grow(f->index, slots, key_bytes, fx_take(f, bytes), bytes));
}

nigh_session *fx_session(fx *f, const nigh_session_options *options) {
    uint64_t bytes = 0;
    nigh_session *session = NULL;
    t_ok(nigh_session_bytes(f->index, options, &bytes));
    t_ok(nigh_session_init(f->index, options, fx_take(f, bytes), bytes, &session));
    return session;
}

nigh_status fx_attach(fx *f, const void *image, uint64_t bytes, uint32_t flags, uint32_t slot_max,
                      uint32_t ef_max) {
    uint64_t handle_bytes = 0;
    memset(f, 0, sizeof *f);
    f->options.struct_size = sizeof f->options;
    f->options.slot_max = slot_max;
    f->options.features = t_features();
    f->options.flags = flags;
    f->image = fx_take(f, bytes);
    f->image_bytes = bytes;
    if (bytes != 0) {
        memcpy(f->image, image, (size_t)bytes);
    }
    nigh_status status = nigh_attach_bytes(f->image, bytes, &f->options, &handle_bytes);
    if (status == NIGH_OK) {
        status = nigh_attach(f->image, bytes, &f->options, fx_take(f, handle_bytes), handle_bytes,
                             &f->index);
    }
    if (status == NIGH_OK) {
        status = finish(f, ef_max, (flags & NIGH_OPEN_WRITABLE) != 0);
    }
    return status;
}

nigh_status fx_store_attach(fx *f, nigh_store *store, uint32_t flags, uint32_t slot_max,
                            uint32_t ef_max) {
    uint64_t handle_bytes = 0;
    uint64_t block_bytes = 0;
    memset(f, 0, sizeof *f);
    f->options.struct_size = sizeof f->options;
    f->options.slot_max = slot_max;
    f->options.features = t_features();
    f->options.flags = flags;
    nigh_status status =
        nigh_store_attach_bytes(store, &f->options, &handle_bytes, &block_bytes);
    if (status == NIGH_OK) {
        void *blocks = block_bytes != 0 ? fx_take(f, block_bytes) : NULL;
        status = nigh_store_attach(store, &f->options, fx_take(f, handle_bytes), handle_bytes,
                                   blocks, block_bytes, &f->index);
    }
    if (status == NIGH_OK) {
        finish(f, ef_max, (flags & NIGH_OPEN_WRITABLE) != 0);
    }
    return status;
}

void fx_drop(fx *f) {
    while (f->blocks != NULL) {
        fx_block *next = f->blocks->next;
        free(f->blocks->memory);
        free(f->blocks);
        f->blocks = next;
    }
    memset(f, 0, sizeof *f);
}

nigh_status fx_write(void *user, const void *data, uint64_t count) {
    fx_bytes *bytes = user;
    if (bytes->size + count > bytes->room) {
        bytes->room = (bytes->size + count) * 2;
        bytes->data = realloc(bytes->data, (size_t)bytes->room);
        if (bytes->data == NULL) {
            return NIGH_E_USER - 99;
        }
    }
    if (count != 0) {
        memcpy(bytes->data + bytes->size, data, (size_t)count);
    }
    bytes->size += count;
    return NIGH_OK;
}

fx_bytes fx_save(const nigh_index *index, uint32_t flags) {
    fx_bytes bytes = {NULL, 0, 0};
    uint64_t size = 0;
    t_ok(nigh_save_bytes(index, flags, &size));
    t_ok(nigh_save(index, flags, fx_write, &bytes));
    t_eq(bytes.size, size);
    return bytes;
}

void fx_check(const nigh_index *index, nigh_session *session) {
    nigh_report report = {0};
    report.struct_size = sizeof report;
    t_ok(nigh_check(index, session, &report));
    if (report.status != NIGH_OK || report.fault != 0 || report.unreachable != 0) {
        t_failf("nigh_check: status %d, fault %u at slot %u level %u, %u unreachable",
                report.status, report.fault, report.slot, report.level, report.unreachable);
    }
}

void fx_same_image(const nigh_index *a, const nigh_index *b) {
    fx_bytes x = fx_save(a, 0);
    fx_bytes y = fx_save(b, 0);
    t_eq(x.size, y.size);
    t_bytes(x.data, y.data, x.size);
    free(x.data);
    free(y.data);
}

void fx_same_as_first(fx_bytes *want, fx_bytes image) {
    if (want->data == NULL) {
        *want = image;
        return;
    }
    t_eq(image.size, want->size);
    t_bytes(image.data, want->data, want->size);
    free(image.data);
}

/* Byte strings: 4 bytes of id, then id % (max - 4) + 1 bytes of filler, so lengths vary. */
uint32_t fx_key(const nigh_config *config, uint64_t id, void *key) {
    uint8_t *bytes = key;
    if (config->keys != NIGH_KEYS_BYTES) {
        memcpy(key, &id, sizeof id);
        return sizeof id;
    }
    uint32_t max = config->key_bytes_max != 0 ? config->key_bytes_max : 511;
    uint32_t length = 4 + (uint32_t)(id * 7 % (max - 3));
    for (uint32_t i = 0; i < length; i++) {
        bytes[i] = i < 4 ? (uint8_t)(id >> (8 * i)) : (uint8_t)(id + i);
    }
    return length;
}

uint64_t fx_key_id(const nigh_config *config, const void *key, uint32_t length) {
    uint64_t id = 0;
    uint8_t again[512];
    if (config->keys != NIGH_KEYS_BYTES) {
        memcpy(&id, key, sizeof id);
        return id;
    }
    if (length < 4 || length > 511) {
        return UINT64_MAX;
    }
    memcpy(&id, key, 4);
    if (fx_key(config, id, again) != length || memcmp(again, key, length) != 0) {
        return UINT64_MAX;
    }
    return id;
}

typedef nigh_status change_fn(nigh_index *, nigh_session *, uint32_t, const void *,
                              const uint32_t *, const void *, uint32_t, uint32_t *);
typedef nigh_status mark_fn(nigh_index *, nigh_session *, const void *, const uint32_t *, uint32_t,
                            uint32_t *);

static nigh_status change(change_fn *call, fx *f, nigh_session *session, uint32_t flags,
                          uint64_t id, const void *row) {
    uint64_t key[64];
    uint32_t done = 77;
    uint32_t length = fx_key(&f->config, id, key);
    const uint32_t *lengths = f->config.keys == NIGH_KEYS_BYTES ? &length : NULL;
    nigh_status status = call(f->index, session, flags, key, lengths, row, 1, &done);
    t_eq(done, status == NIGH_OK);
    return status;
}

nigh_status fx_insert(fx *f, nigh_session *session, uint32_t flags, uint64_t id, const void *row) {
    return change(nigh_insert, f, session, flags, id, row);
}

nigh_status fx_set(fx *f, nigh_session *session, uint32_t flags, uint64_t id, const void *row) {
    return change(nigh_set, f, session, flags, id, row);
}

static nigh_status mark(mark_fn *call, fx *f, nigh_session *session, uint64_t id) {
    uint64_t key[64];
    uint32_t done = 77;
    uint32_t length = fx_key(&f->config, id, key);
    const uint32_t *lengths = f->config.keys == NIGH_KEYS_BYTES ? &length : NULL;
    nigh_status status = call(f->index, session, key, lengths, 1, &done);
    t_eq(done, status == NIGH_OK);
    return status;
}

nigh_status fx_remove(fx *f, nigh_session *session, uint64_t id) {
    return mark(nigh_remove, f, session, id);
}

nigh_status fx_unremove(fx *f, nigh_session *session, uint64_t id) {
    return mark(nigh_unremove, f, session, id);
}

nigh_status fx_get(fx *f, nigh_session *session, uint64_t id, void *row, uint32_t *slot) {
    uint64_t key[64];
    uint32_t done = 77;
    uint32_t length = fx_key(&f->config, id, key);
    const uint32_t *lengths = f->config.keys == NIGH_KEYS_BYTES ? &length : NULL;
    nigh_status status = nigh_get(f->index, session, key, lengths, 1, row, slot, &done);
    t_eq(done, status == NIGH_OK);
    return status;
}

void fx_insert_many(fx *f, uint64_t first, uint32_t count, const uint8_t *rows) {
    for (uint32_t i = 0; i < count; i++) {
        t_ok(fx_insert(f, f->session, 0, first + i, rows + i * f->row_bytes));
    }
}

void fx_hits_init(fx_hits *h, const nigh_config *config, uint32_t room) {
    uint32_t max = config->key_bytes_max != 0 ? config->key_bytes_max : 511;
    uint32_t width = config->keys == NIGH_KEYS_BYTES ? max : 8;
    memset(h, 0, sizeof *h);
    h->room = room;
    h->ids = fx_malloc((uint64_t)room * sizeof *h->ids);
    h->distances = fx_malloc((uint64_t)room * sizeof *h->distances);
    h->slots = fx_malloc((uint64_t)room * sizeof *h->slots);
    h->lengths = fx_malloc((uint64_t)room * sizeof *h->lengths);
    h->keys = fx_exact((uint64_t)room * width);
}

void fx_hits_drop(fx_hits *h) {
    free(h->ids);
    free(h->distances);
    free(h->slots);
    free(h->lengths);
    free(h->keys);
    memset(h, 0, sizeof *h);
}

/* Byte-string outputs lie one after another, lengths beside them; the others are u64. */
static void ids_of(const nigh_config *config, fx_hits *h) {
    const uint8_t *key = h->keys;
    for (uint32_t i = 0; i < h->found; i++) {
        uint32_t length = config->keys == NIGH_KEYS_BYTES ? h->lengths[i] : 8;
        h->ids[i] = fx_key_id(config, key, length);
        key += length;
    }
}

nigh_status fx_search(fx *f, nigh_session *session, const void *query,
                      const nigh_search_options *options, uint32_t k, fx_hits *h) {
    uint32_t *lengths = f->config.keys == NIGH_KEYS_BYTES ? h->lengths : NULL;
    t_assert(k <= h->room);
    h->found = 77;
    nigh_status status = nigh_search(f->index, session, query, options, k, h->keys, lengths,
                                     h->distances, h->slots, &h->found);
    t_assert(status == NIGH_OK ? h->found <= k : h->found == 0);
    ids_of(&f->config, h);
    return status;
}

nigh_status fx_next(fx *f, nigh_session *session, uint32_t k, fx_hits *h) {
    uint32_t *lengths = f->config.keys == NIGH_KEYS_BYTES ? h->lengths : NULL;
    t_assert(k <= h->room);
    h->found = 77;
    nigh_status status =
        nigh_cursor_next(f->index, session, k, h->keys, lengths, h->distances, h->slots, &h->found);
    t_assert(h->found <= k); /* a failing call hands out what it had */
    ids_of(&f->config, h);
    return status;
}

void fx_same_hits(const fx_hits *a, const fx_hits *b) {
    t_eq(a->found, b->found);
    t_bytes(a->ids, b->ids, a->found * sizeof *a->ids);
    t_bytes(a->slots, b->slots, a->found * sizeof *a->slots);
    t_bytes(a->distances, b->distances, a->found * sizeof *a->distances);
}
