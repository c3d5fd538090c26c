/* direct_calls.c - the same functions called as C does, each by its own prototype
 * layer T; uses: ffi_calls
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <string.h>

#include "ffi_calls.h"
#include "nigh.h"
#include "t.h"

typedef void (*any_fn)(void);

/* An object pointer of an ABI argument, as the function pointer that it is. */
#define FN(type, at) ((type)fn_of(a[at].p))
static any_fn fn_of(void *pointer) {
    any_fn function = NULL;
    memcpy(&function, &pointer, sizeof pointer);
    return function;
}

#define TRY(function, ...)                                                                         \
    do {                                                                                           \
        if (strcmp(name, #function) == 0) {                                                        \
            return function(__VA_ARGS__);                                                          \
        }                                                                                          \
    } while (0)

static nigh_status make(const char *name, const value *a) {
    TRY(nigh_row_bytes, a[0].u, a[1].u, a[2].p);
    TRY(nigh_convert, a[0].u, a[1].u, a[2].u, a[3].p, a[4].p, a[5].p, a[6].p);
    TRY(nigh_index_bytes, a[0].p, a[1].p, a[2].p);
    TRY(nigh_index_init, a[0].p, a[1].p, a[2].p, a[3].U, a[4].p);
    TRY(nigh_attach_bytes, a[0].p, a[1].U, a[2].p, a[3].p);
    TRY(nigh_attach, a[0].p, a[1].U, a[2].p, a[3].p, a[4].U, a[5].p);
    TRY(nigh_attach_blocks, a[0].p, a[1].U, a[2].p, FN(nigh_map_fn, 3), FN(nigh_dirty_fn, 4),
        a[5].p, a[6].p, a[7].U, a[8].p);
    TRY(nigh_grow_bytes, a[0].p, a[1].u, a[2].U, a[3].p);
    TRY(nigh_grow, a[0].p, a[1].u, a[2].U, a[3].p, a[4].U);
    TRY(nigh_writer_bytes, a[0].p, a[1].p);
    TRY(nigh_writer_init, a[0].p, a[1].p, a[2].U);
    TRY(nigh_session_bytes, a[0].p, a[1].p, a[2].p);
    TRY(nigh_session_init, a[0].p, a[1].p, a[2].p, a[3].U, a[4].p);
    TRY(nigh_index_borrow, a[0].p, a[1].p, a[2].U, a[3].u, a[4].u);
    TRY(nigh_index_fetch, a[0].p, FN(nigh_fetch_fn, 1), FN(nigh_prefetch_fn, 2), a[3].p);
    TRY(nigh_index_distance, a[0].p, FN(nigh_distance_fn, 1), a[2].p);
    TRY(nigh_index_pager, a[0].p, FN(nigh_map_fn, 1), FN(nigh_dirty_fn, 2), a[3].p);
    t_failf("direct_calls.c does not know %s", name);
}

static nigh_status keep(const char *name, const value *a) {
    TRY(nigh_store_bytes, a[0].p, a[1].p);
    TRY(nigh_store_find, FN(nigh_store_read_fn, 0), a[1].p, a[2].U, a[3].p);
    TRY(nigh_store_open, a[0].p, FN(nigh_store_read_fn, 1), FN(nigh_store_write_fn, 2),
        FN(nigh_store_erase_fn, 3), FN(nigh_store_sync_fn, 4), a[5].p, a[6].p, a[7].U, a[8].p);
    TRY(nigh_store_grow, a[0].p, a[1].u, a[2].p, a[3].U, a[4].p);
    TRY(nigh_store_stats_get, a[0].p, a[1].p);
    TRY(nigh_store_attach_bytes, a[0].p, a[1].p, a[2].p, a[3].p);
    TRY(nigh_store_attach, a[0].p, a[1].p, a[2].p, a[3].U, a[4].p, a[5].U, a[6].p);
    TRY(nigh_store_commit, a[0].p, a[1].p);
    return make(name, a);
}

static nigh_status change(const char *name, const value *a) {
    TRY(nigh_insert, a[0].p, a[1].p, a[2].u, a[3].p, a[4].p, a[5].p, a[6].u, a[7].p);
    TRY(nigh_set, a[0].p, a[1].p, a[2].u, a[3].p, a[4].p, a[5].p, a[6].u, a[7].p);
    TRY(nigh_remove, a[0].p, a[1].p, a[2].p, a[3].p, a[4].u, a[5].p);
    TRY(nigh_unremove, a[0].p, a[1].p, a[2].p, a[3].p, a[4].u, a[5].p);
    TRY(nigh_job_bytes, a[0].p, a[1].p, a[2].u, a[3].p);
    TRY(nigh_job_begin, a[0].p, a[1].p, a[2].p, a[3].p, a[4].p, a[5].u, a[6].p, a[7].U, a[8].p);
    TRY(nigh_job_run, a[0].p, a[1].p, a[2].p);
    TRY(nigh_job_end, a[0].p);
    TRY(nigh_save_bytes, a[0].p, a[1].u, a[2].p);
    TRY(nigh_save, a[0].p, a[1].u, FN(nigh_write_fn, 2), a[3].p);
    TRY(nigh_header, a[0].p, a[1].p);
    TRY(nigh_seal, a[0].p);
    TRY(nigh_hnswlib_config, a[0].p, a[1].U, a[2].p, a[3].p);
    TRY(nigh_hnswlib_read, a[0].p, a[1].p, a[2].U);
    TRY(nigh_hnswlib_write, a[0].p, a[1].p, a[2].u, a[3].U, FN(nigh_write_fn, 4), a[5].p);
    return keep(name, a);
}

static nigh_status ask(const char *name, const value *a) {
    TRY(nigh_session_filter, a[0].p, a[1].p, a[2].u, FN(nigh_filter_fn, 3), a[4].p);
    TRY(nigh_search, a[0].p, a[1].p, a[2].p, a[3].p, a[4].u, a[5].p, a[6].p, a[7].p, a[8].p,
        a[9].p);
    TRY(nigh_search_batch, a[0].p, a[1].p, a[2].p, a[3].u, a[4].p, a[5].u, a[6].p, a[7].p, a[8].p,
        a[9].p, a[10].p, a[11].p);
    TRY(nigh_cursor_begin, a[0].p, a[1].p, a[2].p, a[3].p);
    TRY(nigh_cursor_next, a[0].p, a[1].p, a[2].u, a[3].p, a[4].p, a[5].p, a[6].p, a[7].p);
    TRY(nigh_tune, a[0].p, a[1].p, FN(nigh_clock_fn, 2), a[3].p);
    TRY(nigh_session_stats_get, a[0].p, a[1].p);
    TRY(nigh_config_get, a[0].p, a[1].p);
    TRY(nigh_stats_get, a[0].p, a[1].p);
    TRY(nigh_get, a[0].p, a[1].p, a[2].p, a[3].p, a[4].u, a[5].p, a[6].p, a[7].p);
    TRY(nigh_keys, a[0].p, a[1].u, a[2].u, a[3].p, a[4].p, a[5].p, a[6].p);
    TRY(nigh_node, a[0].p, a[1].u, a[2].u, a[3].p, a[4].p, a[5].p, a[6].p);
    TRY(nigh_check, a[0].p, a[1].p, a[2].p);
    return change(name, a);
}

static value call(const char *name, const value *a, unsigned count) {
    (void)count;
    if (strcmp(name, "nigh_version") == 0) {
        return val_u(nigh_version());
    }
    if (strcmp(name, "nigh_status_text") == 0) {
        return val_p(nigh_status_text(a[0].i));
    }
    if (strcmp(name, "nigh_features") == 0) {
        return val_u(nigh_features());
    }
    return val_i(ask(name, a));
}

/* ---- Callbacks: one C function for each type; the test has one body for each at a time ------- */

static callback_body *bodies[12];

static nigh_status fetch(void *user, const uint32_t *slots, const uint64_t *keys, uint32_t count,
                         void *scratch, const void **vectors) {
    return bodies[0](user, (value[]){val_p(slots), val_p(keys), val_u(count), val_p(scratch),
                                     val_p(vectors)})
        .i;
}

static void prefetch(void *user, const uint32_t *slots, const uint64_t *keys, uint32_t count) {
    (void)bodies[1](user, (value[]){val_p(slots), val_p(keys), val_u(count)});
}

static float distance(void *user, const void *a, const void *b, uint32_t dim) {
    return bodies[2](user, (value[]){val_p(a), val_p(b), val_u(dim)}).f;
}

static int32_t filter(void *user, uint32_t slot, const uint64_t *key) {
    return bodies[3](user, (value[]){val_u(slot), val_p(key)}).i;
}

static nigh_status write_bytes(void *user, const void *bytes, uint64_t count) {
    return bodies[4](user, (value[]){val_p(bytes), val_U(count)}).i;
}

static nigh_status map(void *user, uint32_t region, uint32_t block, uint64_t bytes, void **at) {
    return bodies[5](user, (value[]){val_u(region), val_u(block), val_U(bytes), val_p(at)}).i;
}

static nigh_status dirty(void *user, uint32_t region, uint32_t block, uint64_t bytes, void **at) {
    return bodies[6](user, (value[]){val_u(region), val_u(block), val_U(bytes), val_p(at)}).i;
}

static uint64_t clock_now(void *user) { return bodies[7](user, NULL).U; }

static nigh_status store_read(void *user, uint64_t at, void *bytes, uint64_t count) {
    return bodies[8](user, (value[]){val_U(at), val_p(bytes), val_U(count)}).i;
}

static nigh_status store_write(void *user, uint64_t at, const void *bytes, uint64_t count) {
    return bodies[9](user, (value[]){val_U(at), val_p(bytes), val_U(count)}).i;
}

static nigh_status store_erase(void *user, uint64_t at, uint64_t count) {
    return bodies[10](user, (value[]){val_U(at), val_U(count)}).i;
}

static nigh_status store_sync(void *user) { return bodies[11](user, NULL).i; }

static void *callback(const char *name, callback_body *body) {
    static const struct {
        const char *name;
        any_fn function;
    } all[12] = {{"nigh_fetch_fn", (any_fn)fetch},       {"nigh_prefetch_fn", (any_fn)prefetch},
                {"nigh_distance_fn", (any_fn)distance}, {"nigh_filter_fn", (any_fn)filter},
                {"nigh_write_fn", (any_fn)write_bytes}, {"nigh_map_fn", (any_fn)map},
                {"nigh_dirty_fn", (any_fn)dirty},       {"nigh_clock_fn", (any_fn)clock_now},
                {"nigh_store_read_fn", (any_fn)store_read},
                {"nigh_store_write_fn", (any_fn)store_write},
                {"nigh_store_erase_fn", (any_fn)store_erase},
                {"nigh_store_sync_fn", (any_fn)store_sync}};
    for (unsigned i = 0; i < 12; i++) {
        if (strcmp(all[i].name, name) == 0) {
            void *pointer = NULL;
            bodies[i] = body;
            memcpy(&pointer, &all[i].function, sizeof pointer);
            return pointer;
        }
    }
    t_failf("direct_calls.c does not know %s", name);
}

const caller direct = {call, callback};
