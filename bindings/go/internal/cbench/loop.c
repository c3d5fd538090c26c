/* loop.c - the library once more, with a loop around its searches
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "../../nigh.c"

#include <stdlib.h>
#include <string.h>
#ifndef _WIN32
#include <sys/mman.h>
#endif

#include "loop.h"

#define HUGE_BYTES (2u << 20)

struct cbench {
    void *image;
    void *handle;
    void *scratch;
    nigh_index *index;
    nigh_session *session;
};

static void *aligned_new(uint64_t bytes) {
    uint64_t rounded = (bytes + HUGE_BYTES - 1) / HUGE_BYTES * HUGE_BYTES;
    void *memory = aligned_alloc(HUGE_BYTES, rounded);
#ifdef MADV_HUGEPAGE
    if (memory != NULL) {
        (void)madvise(memory, rounded, MADV_HUGEPAGE);
    }
#endif
    return memory;
}

static nigh_status open_image(cbench *bench, uint64_t bytes) {
    nigh_session_options options = {.struct_size = sizeof options, .flags = NIGH_SESSION_READ};
    uint64_t needed = 0;
    nigh_status status = nigh_attach_bytes(bench->image, bytes, NULL, &needed);
    if (status != NIGH_OK) {
        return status;
    }
    bench->handle = aligned_new(needed);
    status = nigh_attach(bench->image, bytes, NULL, bench->handle, needed, &bench->index);
    if (status == NIGH_OK) {
        status = nigh_session_bytes(bench->index, &options, &needed);
    }
    if (status == NIGH_OK) {
        bench->scratch = aligned_new(needed);
        status = nigh_session_init(bench->index, &options, bench->scratch, needed, &bench->session);
    }
    return status;
}

cbench *cbench_open(const void *image, uint64_t bytes) {
    cbench *bench = calloc(1, sizeof *bench);
    if (bench == NULL) {
        return NULL;
    }
    bench->image = aligned_new(bytes);
    if (bench->image != NULL) {
        memcpy(bench->image, image, bytes);
        if (open_image(bench, bytes) == NIGH_OK) {
            return bench;
        }
    }
    cbench_close(bench);
    return NULL;
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
        free(bench->image);
        free(bench->handle);
        free(bench->scratch);
        free(bench);
    }
}
