/* bridge.h - what the Go package needs in C: memory, functions that C calls and Go answers
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGHGO_BRIDGE_H
#define NIGHGO_BRIDGE_H
#include <stddef.h>

#include "nigh.h"

/* The `user` of every callback: a cgo.Handle as the number that it is, in C memory. Handed over as
 * a pointer it would be one that points nowhere, which Go's collector takes badly. */
typedef struct nighgo_user {
    uintptr_t handle;
} nighgo_user;

/* Zeroed memory, 64-byte aligned; from 2 MiB on mapped, huge pages advised. NULL: none left. */
void *nighgo_memory_new(uint64_t bytes);
/* Gives it back; the size is that of nighgo_memory_new. */
void nighgo_memory_free(void *memory, uint64_t bytes);
/* Bytes handed out and not yet given back. */
int64_t nighgo_memory_used(void);

/* Writes a shared mapping to its file.  @returns 0 or an errno value */
int nighgo_flush(void *address, uint64_t bytes);
/* nigh_features() and what only the operating system knows (AArch64 dot product). */
uint32_t nighgo_features(void);

/* The `user` of nighgo_write_memory, a nigh_write_fn: memory that fills up. */
typedef struct nighgo_target {
    uint8_t *bytes;
    uint64_t used;
    uint64_t room;
} nighgo_target;
nigh_status nighgo_write_memory(void *user, const void *bytes, uint64_t count);

nigh_status nighgo_fetch(void *user, const uint32_t *slots, const uint64_t *keys, uint32_t count,
                         void *scratch, const void **vectors);
void nighgo_prefetch(void *user, const uint32_t *slots, const uint64_t *keys, uint32_t count);
float nighgo_distance(void *user, const void *a, const void *b, uint32_t dim);
int32_t nighgo_filter(void *user, uint32_t slot, const uint64_t *key);
nigh_status nighgo_write(void *user, const void *bytes, uint64_t count);
nigh_status nighgo_map(void *user, uint32_t region, uint32_t block, uint64_t bytes,
                       void **address);
nigh_status nighgo_dirty(void *user, uint32_t region, uint32_t block, uint64_t bytes,
                         void **address);
/* A clock that only rises, in nanoseconds; a nigh_clock_fn. */
uint64_t nighgo_clock(void *user);
#endif
