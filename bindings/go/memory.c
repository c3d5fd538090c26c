/* memory.c - C memory for indexes: aligned, zeroed, counted, on huge pages where it is large
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "bridge.h"
#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#define HWCAP_DOTPROD (1ul << 20) /* HWCAP_ASIMDDP */
#endif
#ifdef _WIN32
#include <malloc.h>
#else
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>
#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif
#endif

#define CACHE_LINE 64u
#define HUGE_BYTES (2u << 20)

static _Atomic int64_t used;

#ifdef _WIN32
int nighgo_flush(void *address, uint64_t bytes) {
    (void)address;
    (void)bytes;
    return 0; /* nothing is ever mapped there */
}

static void *take(size_t bytes) {
    void *memory = _aligned_malloc(bytes, CACHE_LINE);
    return memory != NULL ? memset(memory, 0, bytes) : NULL;
}

static void give(void *memory, size_t bytes) {
    (void)bytes;
    _aligned_free(memory);
}
#else
int nighgo_flush(void *address, uint64_t bytes) {
    return msync(address, (size_t)bytes, MS_SYNC) == 0 ? 0 : errno;
}

static size_t page_round(size_t bytes) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (bytes + page - 1) / page * page;
}

/* Mapped with room for the alignment; the ends that are not wanted go back at once. */
static void *map_huge(size_t bytes) {
    size_t rounded = page_round(bytes);
    uint8_t *start = mmap(NULL, rounded + HUGE_BYTES, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    size_t before = 0;
    if (start == MAP_FAILED) {
        return NULL;
    }
    before = (size_t)(-(uintptr_t)start & (HUGE_BYTES - 1));
    if (before > 0) {
        (void)munmap(start, before);
    }
    if (before < HUGE_BYTES) {
        (void)munmap(start + before + rounded, HUGE_BYTES - before);
    }
#ifdef MADV_HUGEPAGE
    (void)madvise(start + before, rounded, MADV_HUGEPAGE); /* only a wish */
#endif
    return start + before;
}

static void *take(size_t bytes) {
    void *memory = NULL;
    if (bytes >= HUGE_BYTES) {
        return map_huge(bytes);
    }
    if (posix_memalign(&memory, CACHE_LINE, bytes) != 0) {
        return NULL;
    }
    return memset(memory, 0, bytes);
}

static void give(void *memory, size_t bytes) {
    if (bytes >= HUGE_BYTES) {
        (void)munmap(memory, page_round(bytes));
    } else {
        free(memory);
    }
}
#endif

void *nighgo_memory_new(uint64_t bytes) {
    void *memory = NULL;
    if (bytes > SIZE_MAX / 2) {
        return NULL;
    }
    memory = take(bytes > 0 ? (size_t)bytes : 1);
    if (memory != NULL) {
        atomic_fetch_add_explicit(&used, (int64_t)bytes, memory_order_relaxed);
    }
    return memory;
}

void nighgo_memory_free(void *memory, uint64_t bytes) {
    if (memory != NULL) {
        give(memory, bytes > 0 ? (size_t)bytes : 1);
        atomic_fetch_sub_explicit(&used, (int64_t)bytes, memory_order_relaxed);
    }
}

int64_t nighgo_memory_used(void) { return atomic_load_explicit(&used, memory_order_relaxed); }

nigh_status nighgo_write_memory(void *user, const void *bytes, uint64_t count) {
    nighgo_target *target = user;
    if (count > target->room - target->used) {
        return NIGH_E_WRITE;
    }
    memcpy(target->bytes + target->used, bytes, (size_t)count);
    target->used += count;
    return NIGH_OK;
}

uint32_t nighgo_features(void) {
    uint32_t features = nigh_features();
#ifdef HWCAP_DOTPROD
    features |= (getauxval(AT_HWCAP) & HWCAP_DOTPROD) != 0 ? (uint32_t)NIGH_CPU_DOTPROD : 0;
#endif
    return features;
}
