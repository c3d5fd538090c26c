/* arena.h - a bump allocator over caller memory that also only counts
 * layer L1; uses: base
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGHI_ARENA_H
#define NIGHI_ARENA_H
#include "base.h"

typedef struct nighi_arena {
    void *base; /* NULL: only count */
    uint64_t used;
} nighi_arena;

/* `bytes` bytes; from a line on they begin on one. NULL while counting, and for none. */
NIGHI_INLINE void *nighi_arena_bytes_take(nighi_arena *arena, uint64_t bytes) {
    arena->used = nighi_round_up(arena->used, bytes >= NIGHI_CACHE_LINE ? NIGHI_CACHE_LINE : 8);
    void *at = arena->base == NULL || bytes == 0 ? NULL : (uint8_t *)arena->base + arena->used;
    arena->used = nighi_mul_add(bytes, 1, arena->used);
    return at;
}

/* `count` objects of `size` bytes. */
NIGHI_INLINE void *nighi_arena_take(nighi_arena *arena, uint32_t count, uint32_t size) {
    return nighi_arena_bytes_take(arena, (uint64_t)count * size);
}

/* More of them. */
NIGHI_INLINE void *nighi_arena_many(nighi_arena *arena, uint64_t count, uint64_t size) {
    return nighi_arena_bytes_take(arena, nighi_mul_add(count, size, 0));
}

NIGHI_INLINE uint64_t nighi_arena_bytes(const nighi_arena *arena) { return arena->used; }

/* Memory from a caller: there, aligned, and enough. */
NIGHI_INLINE bool nighi_memory_fits(const void *memory, uint64_t memory_bytes, uint64_t needed) {
    return memory != NULL && ((uintptr_t)memory & (NIGHI_CACHE_LINE - 1)) == 0 &&
           memory_bytes >= needed;
}

#endif
