/* hosted_machine.c - memory with huge pages, processors and CPU features as the system tells them
 * layer H; uses: hosted.h
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Memory below 2 MiB is the C library's, so that its checkers see it; above it is mapped, with the
 * unaligned ends given back at once. */
#include "hosted.h"

#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#define HWCAP_NEON (1ul << 1)    /* HWCAP_ASIMD */
#define HWCAP_DOTPROD (1ul << 20) /* HWCAP_ASIMDDP */
#endif
#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif

#define CACHE_LINE 64u
#define TEXT_BYTES 4096u

/* Asked once: in a virtual machine every cpuid is a trip to its host, some 10 us each. */
uint32_t nigh_features_hosted(void) {
    static _Atomic uint32_t known;
    uint32_t features = atomic_load_explicit(&known, memory_order_relaxed);
    if (features != 0) {
        return features;
    }
    features = nigh_features();
#if defined(__aarch64__) && defined(__linux__)
    unsigned long capabilities = getauxval(AT_HWCAP);
    features |= (capabilities & HWCAP_NEON) != 0 ? (uint32_t)NIGH_CPU_NEON : 0;
    features |= (capabilities & HWCAP_DOTPROD) != 0 ? (uint32_t)NIGH_CPU_DOTPROD : 0;
#endif
    atomic_store_explicit(&known, features, memory_order_relaxed);
    return features;
}

/* ---- Memory --------------------------------------------------------------------------------- */

static uint64_t page_round(uint64_t bytes) {
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    return (bytes + page - 1) / page * page;
}

static nigh_status pages_map(uint64_t bytes, void **pages) {
    uint64_t rounded = page_round(bytes);
    uint8_t *start = mmap(NULL, (size_t)(rounded + NIGHH_HUGE_BYTES), PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    size_t before = 0;
    if (start == MAP_FAILED) {
        return NIGH_E_NO_MEMORY;
    }
    before = (size_t)(-(uintptr_t)start & (NIGHH_HUGE_BYTES - 1));
    if (before > 0) {
        (void)munmap(start, before);
    }
    if (before < NIGHH_HUGE_BYTES) {
        (void)munmap(start + before + rounded, NIGHH_HUGE_BYTES - before);
    }
#ifdef MADV_HUGEPAGE
    (void)madvise(start + before, (size_t)rounded, MADV_HUGEPAGE); /* only a wish */
#endif
    *pages = start + before;
    return NIGH_OK;
}

nigh_status nighh_pages_new(uint64_t bytes, void **pages) {
    size_t rounded = 0;
    if (bytes > SIZE_MAX / 2) {
        return NIGH_E_NO_MEMORY;
    }
    if (bytes >= NIGHH_HUGE_BYTES) {
        return pages_map(bytes, pages);
    }
    rounded = ((size_t)bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    *pages = aligned_alloc(CACHE_LINE, rounded > 0 ? rounded : CACHE_LINE);
    if (*pages == NULL) {
        return NIGH_E_NO_MEMORY;
    }
    memset(*pages, 0, rounded);
    return NIGH_OK;
}

void nighh_pages_free(void *pages, uint64_t bytes) {
    if (pages == NULL) {
        return;
    }
    if (bytes >= NIGHH_HUGE_BYTES) {
        (void)munmap(pages, (size_t)page_round(bytes));
    } else {
        free(pages);
    }
}

typedef struct block {
    void *pages;
    uint64_t bytes;
} block;

static nigh_status block_release(void *context) {
    block *held = context;
    nighh_pages_free(held->pages, held->bytes);
    free(held);
    return NIGH_OK;
}

nigh_status nigh_memory_new(uint64_t bytes, void **memory) {
    block *held = NULL;
    nigh_status status = NIGH_OK;
    if (bytes == 0 || memory == NULL) {
        return NIGH_E_INVALID;
    }
    held = calloc(1, sizeof *held);
    if (held == NULL) {
        return NIGH_E_NO_MEMORY;
    }
    held->bytes = bytes;
    status = nighh_pages_new(bytes, &held->pages);
    if (status == NIGH_OK) {
        status = nighh_own(held->pages, block_release, held);
    }
    if (status != NIGH_OK) {
        (void)block_release(held);
        return status;
    }
    *memory = held->pages;
    return NIGH_OK;
}

/* ---- Processors ----------------------------------------------------------------------------- */

uint32_t nighh_quota_parse(const char *text) {
    char *end = NULL;
    unsigned long long quota = strtoull(text, &end, 10);
    unsigned long long period = 0;
    if (end == text || quota == 0 || quota > UINT32_MAX || *text == '-') {
        return 0; /* "max", "-1": no limit */
    }
    period = strtoull(end, NULL, 10);
    if (period == 0 || period > UINT32_MAX) {
        return 0;
    }
    return (uint32_t)((quota + period - 1) / period);
}

/* The beginning of a small file, ended by NUL; "" when it cannot be read. */
static void read_text(const char *path, char *text, size_t bytes) {
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t count = descriptor >= 0 ? read(descriptor, text, bytes - 1) : 0;
    text[count > 0 ? count : 0] = 0;
    if (descriptor >= 0) {
        (void)close(descriptor);
    }
}

static uint32_t min_limit(uint32_t a, uint32_t b) { return b != 0 && b < a ? b : a; }

/* The cgroup of this process and all above it may each have a quota (version 2: cpu.max). */
static uint32_t quota_apply(uint32_t count) {
    char groups[TEXT_BYTES];
    char path[TEXT_BYTES + 64];
    char text[64];
    char *group = NULL;
    char *end = NULL;
    read_text("/proc/self/cgroup", groups, sizeof groups);
    group = strstr(groups, "0::/");
    if (group == NULL) {
        return count;
    }
    group += 3;
    end = strchr(group, '\n');
    if (end != NULL) {
        *end = 0;
    }
    for (end = group + strlen(group); end != NULL; end = strrchr(group, '/')) {
        *end = 0;
        (void)snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", group);
        read_text(path, text, sizeof text);
        count = min_limit(count, nighh_quota_parse(text));
    }
    return count;
}

uint32_t nigh_threads(void) {
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    uint32_t count = online > 0 && online < 65536 ? (uint32_t)online : 1;
#ifdef __linux__
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
        count = min_limit(count, (uint32_t)CPU_COUNT(&allowed));
    }
    count = quota_apply(count);
#endif
    return count;
}
