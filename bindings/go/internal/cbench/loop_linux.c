/* loop_linux.c - a loop around the searches of the library that is in the program already
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The very functions that Go calls, on the same index: a second copy of the library, static beside
 * this loop, is inlined another way, and its index lies elsewhere. They are weak here, so that this
 * package links on its own; what ends up in one program with package nigh finds them. */
#include "loop_linux.h"

#include <stdlib.h>
#include <time.h>

#include "../../nigh.h"

#pragma weak nigh_session_bytes
#pragma weak nigh_session_init
#pragma weak nigh_search
#pragma weak nigh_search_batch

#define CACHE_LINE 64u

struct cbench {
    const nigh_index *index;
    nigh_session *session;
    void *memory;
};

cbench *cbench_open(const nigh_index *index) {
    nigh_session_options options = {.struct_size = sizeof options, .flags = NIGH_SESSION_READ};
    cbench *bench = calloc(1, sizeof *bench);
    uint64_t bytes = 0;
    if (bench == NULL || nigh_search == NULL ||
        nigh_session_bytes(index, &options, &bytes) != NIGH_OK) {
        free(bench);
        return NULL;
    }
    bench->index = index;
    bench->memory = aligned_alloc(CACHE_LINE, (bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
    if (bench->memory == NULL || nigh_session_init(index, &options, bench->memory, bytes,
                                                   &bench->session) != NIGH_OK) {
        cbench_close(bench);
        return NULL;
    }
    return bench;
}

uint64_t cbench_search(cbench *bench, const float *queries, uint32_t count, uint32_t dim,
                       uint32_t k, uint32_t ef) {
    nigh_search_options options = {.struct_size = sizeof options, .ef = ef};
    uint64_t keys[64];
    float distances[64];
    uint64_t sum = 0;
    for (uint32_t q = 0; q < count; q++) {
        uint32_t found = 0;
        if (nigh_search(bench->index, bench->session, queries + (uint64_t)q * dim, &options, k,
                        keys, NULL, distances, NULL, &found) != NIGH_OK) {
            return UINT64_MAX;
        }
        for (uint32_t i = 0; i < found; i++) {
            sum += keys[i];
        }
    }
    return sum;
}

uint64_t cbench_batch(cbench *bench, const float *queries, uint32_t count, uint32_t k,
                      uint32_t ef) {
    nigh_search_options options = {.struct_size = sizeof options, .ef = ef};
    uint64_t *keys = malloc((uint64_t)count * k * sizeof *keys);
    float *distances = malloc((uint64_t)count * k * sizeof *distances);
    uint32_t *found = malloc((uint64_t)count * sizeof *found);
    uint64_t sum = UINT64_MAX;
    uint32_t done = 0;
    if (keys != NULL && distances != NULL && found != NULL &&
        nigh_search_batch(bench->index, bench->session, queries, count, &options, k, keys, NULL,
                          distances, NULL, found, &done) == NIGH_OK) {
        sum = 0;
        for (uint32_t q = 0; q < count; q++) {
            for (uint32_t i = 0; i < found[q]; i++) {
                sum += keys[(uint64_t)q * k + i];
            }
        }
    }
    free(keys);
    free(distances);
    free(found);
    return sum;
}

void cbench_close(cbench *bench) {
    if (bench != NULL) {
        free(bench->memory);
        free(bench);
    }
}

uint64_t cbench_cpu_ns(void) {
    struct timespec now = {0, 0};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
