/* base.h - fixed types, linkage, assertions, memory and overflow helpers for every core file
 * layer L0; uses: nothing
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The core is freestanding: the four headers below are all of the C library it sees. The compiler
 * itself may call memcpy, memset, memmove and memcmp; tests/freestanding checks that nothing else
 * is left undefined. */
#ifndef NIGHI_BASE_H
#define NIGHI_BASE_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nigh.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "nigh stores little-endian images; a big-endian target is not supported"
#endif

/* Cross-file functions are hidden from the dynamic symbol table, and static in the amalgam. */
#ifndef NIGHI_FN
#define NIGHI_FN __attribute__((visibility("hidden")))
#endif

#ifdef NIGH_DEBUG
#define NIGHI_ASSERT(condition) ((condition) ? (void)0 : __builtin_trap())
#else
#define NIGHI_ASSERT(condition) ((void)0)
#endif

#define NIGHI_LIKELY(x) __builtin_expect(!!(x), 1)
#define NIGHI_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define NIGHI_INLINE static inline __attribute__((always_inline, unused))
#define NIGHI_NOINLINE __attribute__((noinline))

#define nighi_copy(to, from, bytes) __builtin_memcpy((to), (from), (bytes))
#define nighi_move(to, from, bytes) __builtin_memmove((to), (from), (bytes))
#define nighi_fill(to, byte, bytes) __builtin_memset((to), (byte), (bytes))
#define nighi_compare(a, b, bytes) __builtin_memcmp((a), (b), (bytes))

#define NIGHI_NONE 0xffffffffu /* no slot, no record */
#define NIGHI_CACHE_LINE 64u

NIGHI_INLINE uint64_t nighi_round_up(uint64_t value, uint64_t multiple) {
    return (value + multiple - 1) & ~(multiple - 1); /* multiple is a power of two */
}

/* a * b + c, or UINT64_MAX when that overflows: sizes from hostile images stay comparable. */
NIGHI_INLINE uint64_t nighi_mul_add(uint64_t a, uint64_t b, uint64_t c) {
    uint64_t product = 0;
    uint64_t sum = 0;
    if (__builtin_mul_overflow(a, b, &product) || __builtin_add_overflow(product, c, &sum)) {
        return UINT64_MAX;
    }
    return sum;
}

NIGHI_INLINE uint32_t nighi_min_u32(uint32_t a, uint32_t b) { return a < b ? a : b; }
NIGHI_INLINE uint32_t nighi_max_u32(uint32_t a, uint32_t b) { return a > b ? a : b; }
NIGHI_INLINE uint64_t nighi_min_u64(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014):
 * the one source of randomness; levels and hashes are pure functions of their inputs. */
NIGHI_INLINE uint64_t nighi_mix64(uint64_t x) {
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

#endif
