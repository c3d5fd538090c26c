/* bridge.c - the functions that the library calls, each handing its handle on to Go
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "bridge.h"

#include <time.h>

#include "_cgo_export.h"

static uintptr_t handle_of(void *user) { return ((const nighgo_user *)user)->handle; }

nigh_status nighgo_fetch(void *user, const uint32_t *slots, const uint64_t *keys, uint32_t count,
                         void *scratch, const void **vectors) {
    return nighgoFetch(handle_of(user), (uint32_t *)slots, (uint64_t *)keys, count, scratch,
                       (void *)vectors);
}

void nighgo_prefetch(void *user, const uint32_t *slots, const uint64_t *keys, uint32_t count) {
    nighgoPrefetch(handle_of(user), (uint32_t *)slots, (uint64_t *)keys, count);
}

float nighgo_distance(void *user, const void *a, const void *b, uint32_t dim) {
    (void)dim;
    return nighgoDistance(handle_of(user), (void *)a, (void *)b);
}

int32_t nighgo_filter(void *user, uint32_t slot, const uint64_t *key) {
    return nighgoFilter(handle_of(user), slot, (uint64_t *)key);
}

nigh_status nighgo_write(void *user, const void *bytes, uint64_t count) {
    return nighgoWrite(handle_of(user), (void *)bytes, count);
}

nigh_status nighgo_map(void *user, uint32_t region, uint32_t block, uint64_t bytes,
                       void **address) {
    return nighgoMap(handle_of(user), region, block, bytes, (void *)address);
}

nigh_status nighgo_dirty(void *user, uint32_t region, uint32_t block, uint64_t bytes,
                         void **address) {
    return nighgoDirty(handle_of(user), region, block, bytes, (void *)address);
}

uint64_t nighgo_clock(void *user) {
    struct timespec now = {0, 0};
    (void)user;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
