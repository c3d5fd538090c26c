/* fixture.h - an index with its four memories, each of exactly the size that nigh asks for
 * layer T; uses: nothing
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Memory is 64-byte aligned and ends at the last byte asked for, so that the address sanitizer sees
 * one byte beyond. A failing call leaves the test (t_ok). */
#ifndef NIGH_TEST_FIXTURE_H
#define NIGH_TEST_FIXTURE_H
#include <stddef.h>
#include <stdint.h>

#include "nigh.h"

typedef struct fx_block { /* a list of allocations that one fixture owns */
    struct fx_block *next;
    void *memory;
} fx_block;

typedef struct fx {
    nigh_config config;
    nigh_options options;
    nigh_index *index;
    nigh_session *session; /* the default one: everything, ef_max as fx_init was told */
    uint32_t ef_max;
    uint64_t row_bytes;
    uint8_t *image; /* fx_attach: the copy that the index lies in */
    uint64_t image_bytes;
    fx_block *blocks;
} fx;

typedef struct fx_bytes { /* a saved image; free() data */
    uint8_t *data;
    uint64_t size;
    uint64_t room;
} fx_bytes;

/* malloc that never returns NULL, zeroed. */
void *fx_malloc(uint64_t bytes);
/* Exactly `bytes`, 64-byte aligned, filled with 0xa5; free() it. */
void *fx_exact(uint64_t bytes);
/* The same, owned by the fixture. */
void *fx_take(fx *f, uint64_t bytes);

/* A configuration with struct_size set, small ef_build. */
nigh_config fx_config(uint32_t dim, uint32_t metric, uint32_t dtype);
/* The i-th of many that differ: metric and dtype, dim to dim + 2, kind of keys. */
nigh_config fx_config_at(uint32_t i, uint32_t dim);
/* A span for its codes, if it has any: they are active from the first vector on. */
void fx_config_span(nigh_config *config);
/* The i-th pair of metric and dtype that nigh computes itself; 0 when there are no more. */
int fx_pair(uint32_t i, uint32_t *metric, uint32_t *dtype);
nigh_session_options fx_session_options(uint32_t ef_max, uint32_t frontier_max, uint32_t flags);
nigh_search_options fx_search_options(uint32_t ef, uint32_t flags);

/* Handle, writer state, room for `slots` slots (none when 0) and key_bytes, one session. */
void fx_init(fx *f, const nigh_config *config, uint32_t slot_max, uint32_t slots,
             uint64_t key_bytes, uint32_t ef_max);
/* Donates exactly what nigh_grow_bytes asks. */
void fx_grow(fx *f, uint32_t slots, uint64_t key_bytes);
/* Another session of the fixture's index. */
nigh_session *fx_session(fx *f, const nigh_session_options *options);
/* A handle over a copy of the image (exact memory); with NIGH_OPEN_WRITABLE a writer state too.
 * slot_max as nigh_options. Returns nigh_attach's status; a session is made when it is OK. */
nigh_status fx_attach(fx *f, const void *image, uint64_t bytes, uint32_t flags, uint32_t slot_max,
                      uint32_t ef_max);
/* The index of a store, in exact memory; the rest as fx_attach. */
nigh_status fx_store_attach(fx *f, nigh_store *store, uint32_t flags, uint32_t slot_max,
                            uint32_t ef_max);
/* Frees everything; the fixture is all zeros after. */
void fx_drop(fx *f);

/* What nigh_save writes; its size is checked against nigh_save_bytes. */
fx_bytes fx_save(const nigh_index *index, uint32_t flags);
nigh_status fx_write(void *bytes, const void *data, uint64_t count); /* a nigh_write_fn */
/* nigh_check finds nothing wrong. */
void fx_check(const nigh_index *index, nigh_session *session);
/* Both indexes save the same bytes. */
void fx_same_image(const nigh_index *a, const nigh_index *b);
/* The first image stays in *want (begin with zeros; free want->data), each later one must be the
 * same bytes. Takes `image`. */
void fx_same_as_first(fx_bytes *want, fx_bytes image);

/* Keys by number, one form for all kinds: id -> what travels in `keys`. Byte strings: 1..max bytes,
 * a function of id alone, distinct (max >= 5). Returns the length (8 for the other kinds). */
uint32_t fx_key(const nigh_config *config, uint64_t id, void *key);
/* Back again; UINT64_MAX when it is no key that fx_key makes. */
uint64_t fx_key_id(const nigh_config *config, const void *key, uint32_t length);

/* One key at a time, whatever the kind of key. `row` may be NULL for external vectors. */
nigh_status fx_insert(fx *f, nigh_session *session, uint32_t flags, uint64_t id, const void *row);
nigh_status fx_set(fx *f, nigh_session *session, uint32_t flags, uint64_t id, const void *row);
nigh_status fx_remove(fx *f, nigh_session *session, uint64_t id);
nigh_status fx_unremove(fx *f, nigh_session *session, uint64_t id);
nigh_status fx_get(fx *f, nigh_session *session, uint64_t id, void *row, uint32_t *slot);
/* ids first .. first + count - 1, rows one after another; all must succeed. */
void fx_insert_many(fx *f, uint64_t first, uint32_t count, const uint8_t *rows);

/* A result set with ids instead of keys. */
typedef struct fx_hits {
    uint64_t *ids; /* room for `room`, free() by fx_hits_drop */
    float *distances;
    uint32_t *slots;
    uint32_t *lengths;
    uint8_t *keys;
    uint32_t room;
    uint32_t found;
} fx_hits;

void fx_hits_init(fx_hits *h, const nigh_config *config, uint32_t room);
void fx_hits_drop(fx_hits *h);
nigh_status fx_search(fx *f, nigh_session *session, const void *query,
                      const nigh_search_options *options, uint32_t k, fx_hits *h);
nigh_status fx_next(fx *f, nigh_session *session, uint32_t k, fx_hits *h);
/* The same ids, slots and distance bits. */
void fx_same_hits(const fx_hits *a, const fx_hits *b);
#endif
