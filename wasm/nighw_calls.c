/* nighw_calls.c - nigh.h's callbacks as one import, and saving into memory
 * layer W; uses: nighw.h
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A host can seldom make a function of a given type that a module can call: WebAssembly.Function is
 * no standard yet, and wazero and others have no host functions in tables at all. An import is
 * everywhere, and its call costs nanoseconds. */
#include "nighw.h"

#include <stddef.h>

#define EXPORT(name) __attribute__((export_name(#name)))
#define ADDRESS(pointer) ((int32_t)(uintptr_t)(pointer))

__attribute__((import_module("nigh"), import_name("callback"))) int32_t
nighw_callback(int32_t kind, int32_t user, int32_t a, int32_t b, int32_t c, int32_t d, int32_t e);

#ifdef NIGHW_SMALL /* a module without sources, pagers, jobs and stores */
#define NIGHW_ALL 0
#else
#define NIGHW_ALL 1
#endif

static nigh_status call_fetch(void *user, const uint32_t *slots, const uint64_t *keys,
                              uint32_t count, void *scratch, const void **vectors) {
    return nighw_callback(NIGHW_FETCH, ADDRESS(user), ADDRESS(slots), ADDRESS(keys),
                          (int32_t)count, ADDRESS(scratch), ADDRESS(vectors));
}

static void call_prefetch(void *user, const uint32_t *slots, const uint64_t *keys,
                          uint32_t count) {
    (void)nighw_callback(NIGHW_PREFETCH, ADDRESS(user), ADDRESS(slots), ADDRESS(keys),
                         (int32_t)count, 0, 0);
}

static float call_distance(void *user, const void *a, const void *b, uint32_t dim) {
    const int32_t bits = nighw_callback(NIGHW_DISTANCE, ADDRESS(user), ADDRESS(a), ADDRESS(b),
                                        (int32_t)dim, 0, 0);
    float distance;
    __builtin_memcpy(&distance, &bits, sizeof distance);
    return distance;
}

static int32_t call_filter(void *user, uint32_t slot, const uint64_t *key) {
    return nighw_callback(NIGHW_FILTER, ADDRESS(user), (int32_t)slot, ADDRESS(key), 0, 0, 0);
}

static nigh_status call_write(void *user, const void *bytes, uint64_t count) {
    return nighw_callback(NIGHW_WRITE, ADDRESS(user), ADDRESS(bytes), (int32_t)count, 0, 0, 0);
}

static nigh_status call_map(void *user, uint32_t region, uint32_t number, uint64_t bytes,
                            void **address) {
    return nighw_callback(NIGHW_MAP, ADDRESS(user), (int32_t)region, (int32_t)number,
                          (int32_t)bytes, ADDRESS(address), 0);
}

static nigh_status call_dirty(void *user, uint32_t region, uint32_t number, uint64_t bytes,
                              void **address) {
    return nighw_callback(NIGHW_DIRTY, ADDRESS(user), (int32_t)region, (int32_t)number,
                          (int32_t)bytes, ADDRESS(address), 0);
}

static uint64_t call_clock(void *user) {
    uint64_t nanoseconds = 0;
    (void)nighw_callback(NIGHW_CLOCK, ADDRESS(user), ADDRESS(&nanoseconds), 0, 0, 0, 0);
    return nanoseconds;
}

static nigh_status call_store(int32_t kind, void *user, uint64_t offset, const void *bytes,
                              uint64_t count) {
    return nighw_callback(kind, ADDRESS(user), (int32_t)(uint32_t)offset,
                          (int32_t)(uint32_t)(offset >> 32), ADDRESS(bytes), (int32_t)count, 0);
}

static nigh_status call_store_read(void *user, uint64_t offset, void *bytes, uint64_t count) {
    return call_store(NIGHW_STORE_READ, user, offset, bytes, count);
}

static nigh_status call_store_write(void *user, uint64_t offset, const void *bytes,
                                    uint64_t count) {
    return call_store(NIGHW_STORE_WRITE, user, offset, bytes, count);
}

static nigh_status call_store_erase(void *user, uint64_t offset, uint64_t count) {
    return call_store(NIGHW_STORE_ERASE, user, offset, NULL, count);
}

static nigh_status call_store_sync(void *user) {
    return call_store(NIGHW_STORE_SYNC, user, 0, NULL, 0);
}

EXPORT(nighw_function) uint32_t nighw_function(uint32_t kind) {
    switch (NIGHW_ALL || kind == NIGHW_FILTER || kind == NIGHW_WRITE ? kind : 0) {
    case NIGHW_FETCH:
        return (uint32_t)(uintptr_t)call_fetch;
    case NIGHW_PREFETCH:
        return (uint32_t)(uintptr_t)call_prefetch;
    case NIGHW_DISTANCE:
        return (uint32_t)(uintptr_t)call_distance;
    case NIGHW_FILTER:
        return (uint32_t)(uintptr_t)call_filter;
    case NIGHW_WRITE:
        return (uint32_t)(uintptr_t)call_write;
    case NIGHW_MAP:
        return (uint32_t)(uintptr_t)call_map;
    case NIGHW_DIRTY:
        return (uint32_t)(uintptr_t)call_dirty;
    case NIGHW_CLOCK:
        return (uint32_t)(uintptr_t)call_clock;
    case NIGHW_STORE_READ:
        return (uint32_t)(uintptr_t)call_store_read;
    case NIGHW_STORE_WRITE:
        return (uint32_t)(uintptr_t)call_store_write;
    case NIGHW_STORE_ERASE:
        return (uint32_t)(uintptr_t)call_store_erase;
    case NIGHW_STORE_SYNC:
        return (uint32_t)(uintptr_t)call_store_sync;
    default:
        return 0;
    }
}

/* ---- Saving --------------------------------------------------------------------------------- */

typedef struct target {
    uint8_t *at;
    uint64_t left;
} target;

static nigh_status put(void *user, const void *bytes, uint64_t count) {
    target *to = (target *)user;
    if (count > to->left) {
        return NIGH_E_WRITE;
    }
    __builtin_memcpy(to->at, bytes, (size_t)count);
    to->at += count;
    to->left -= count;
    return NIGH_OK;
}

EXPORT(nighw_save) nigh_status nighw_save(const nigh_index *index, uint32_t flags, void *memory,
                                          uint64_t memory_bytes) {
    target to = {(uint8_t *)memory, memory_bytes};
    return memory != NULL ? nigh_save(index, flags, put, &to) : NIGH_E_INVALID;
}

/* The one function of a C library that compilers still call here (bulk memory has the others). */
int memcmp(const void *a, const void *b, size_t count);
int memcmp(const void *a, const void *b, size_t count) {
    const uint8_t *x = (const uint8_t *)a;
    const uint8_t *y = (const uint8_t *)b;
    for (; count > 0; count--, x++, y++) {
        if (*x != *y) {
            return *x < *y ? -1 : 1;
        }
    }
    return 0;
}
