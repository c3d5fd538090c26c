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

/* What a build leaves out, to be smaller: defined for the compiler, as -DNIGH_SMALL. None changes a
 * result or a byte; an index that wants what is not there is refused with NIGH_E_UNSUPPORTED where
 * it is made or attached. Constants rather than #ifdef, so that every build checks all of the code.
 *   NIGH_SMALL          size before speed: no copies of loops for special cases, one kernel for all
 *                       but the commonest types of vectors
 *   NIGH_SINGLE_THREAD  no atomic instructions: one thread at a time (sync.h)
 *   NIGH_NO_BYTES       no vectors or codes of bits, no vectors of bytes: I8, U8, B1; u7 stays
 *   NIGH_NO_CODES       no codes
 *   NIGH_NO_STRINGS     no keys of byte strings
 *   NIGH_NO_L1          no metric L1
 *   NIGH_NO_PACKED      no packed images
 *   NIGH_NO_SOURCES     vectors are the index's own: none borrowed or fetched, no metric of the
 *                       caller's
 *   NIGH_NO_PAGER       no pager, blocks or stores
 *   NIGH_NO_JOBS        no jobs
 *   NIGH_NO_FLOATS      not one operation on floats, so that a processor without them needs no
 *                       runtime: U8 under L2, IP and L1, B1 under HAMMING, searches by codes
 *                       (NIGH_SEARCH_CODES); no alpha, no gamma
 *   NIGH_NO_FILTERS     no filters
 *   NIGH_NO_REMOVED     no removed keys, no filters, no NIGH_SEARCH_EXACT, no graphs of hnswlib: a
 *                       search walks the graph and nothing else
 *   NIGH_NO_CURSORS     no cursors and no batches of queries
 *   NIGH_NO_SET         a vector stays what it was when inserted: no nigh_set, no
 *                       NIGH_REPLACE_DELETED, no changes to an index with freed slots
 *   NIGH_SEARCH_ONLY    images are attached and searched, never made, changed, saved or checked;
 *                       no pager, no jobs */
#ifdef NIGH_SMALL
#define NIGHI_IS_SMALL 1
#else
#define NIGHI_IS_SMALL 0
#endif
#ifdef NIGH_SEARCH_ONLY
#define NIGHI_HAS_CHANGES 0
#ifndef NIGH_NO_PAGER
#define NIGH_NO_PAGER 1
#endif
#ifndef NIGH_NO_JOBS
#define NIGH_NO_JOBS 1
#endif
#else
#define NIGHI_HAS_CHANGES 1
#endif
#ifdef NIGH_NO_CODES
#define NIGHI_HAS_CODES 0
#else
#define NIGHI_HAS_CODES 1
#endif
#ifdef NIGH_NO_STRINGS
#define NIGHI_HAS_STRINGS 0
#else
#define NIGHI_HAS_STRINGS 1
#endif
#ifdef NIGH_NO_SET
#define NIGHI_HAS_MOVES 0
#else
#define NIGHI_HAS_MOVES 1
#endif
#ifdef NIGH_NO_FLOATS
#define NIGHI_HAS_FLOATS 0
#else
#define NIGHI_HAS_FLOATS 1
#endif
#ifdef NIGH_NO_REMOVED
#define NIGHI_HAS_REMOVED 0
#ifndef NIGH_NO_FILTERS
#define NIGH_NO_FILTERS 1
#endif
#else
#define NIGHI_HAS_REMOVED 1
#endif
#ifdef NIGH_NO_FILTERS
#define NIGHI_HAS_FILTERS 0
#else
#define NIGHI_HAS_FILTERS 1
#endif
#ifdef NIGH_NO_CURSORS
#define NIGHI_HAS_CURSORS 0
#else
#define NIGHI_HAS_CURSORS 1
#endif
#ifdef NIGH_NO_L1
#define NIGHI_HAS_L1 0
#else
#define NIGHI_HAS_L1 1
#endif
#ifdef NIGH_NO_PAGER
#define NIGHI_HAS_PAGER 0
#else
#define NIGHI_HAS_PAGER 1
#endif
#ifdef NIGH_NO_JOBS
#define NIGHI_HAS_JOBS 0
#else
#define NIGHI_HAS_JOBS 1
#endif
#ifdef NIGH_NO_BYTES
#define NIGHI_HAS_BYTES 0
#else
#define NIGHI_HAS_BYTES 1
#endif
#ifdef NIGH_NO_PACKED
#define NIGHI_HAS_PACKED 0
#else
#define NIGHI_HAS_PACKED 1
#endif
#ifdef NIGH_NO_SOURCES
#define NIGHI_HAS_SOURCES 0
#else
#define NIGHI_HAS_SOURCES 1
#endif

/* Blocks may lie anywhere; else a region lies in a row. */
#define NIGHI_HAS_TABLES (NIGHI_HAS_CHANGES || NIGHI_HAS_PAGER)

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
#ifdef NIGH_SMALL
#define NIGHI_INLINE static inline __attribute__((unused))
#else
#define NIGHI_INLINE static inline __attribute__((always_inline, unused))
#endif
#define NIGHI_NOINLINE __attribute__((noinline))

/* Asks for a cache line; level 3: into the nearest cache, 0: once. WebAssembly has no instruction
 * for it, but a load of what nobody waits for does the same: 1.45 times as many searches of f32 a
 * second in V8 (20,000 x 128), 1.25 times of codes, none lost where all is in the caches. It could
 * trap, so no compiler drops it, and the address must be one that may be read. */
#if defined(__wasm__)
#define NIGHI_PREFETCH(address, level) ((void)*(const volatile uint8_t *)(address))
#else
#define NIGHI_PREFETCH(address, level) __builtin_prefetch(address, 0, level)
#endif

/* Sizes may be uint64_t: what is copied lies in memory, so it fits size_t. */
#define nighi_copy(to, from, bytes) __builtin_memcpy((to), (from), (size_t)(bytes))
#define nighi_move(to, from, bytes) __builtin_memmove((to), (from), (size_t)(bytes))
#define nighi_fill(to, byte, bytes) __builtin_memset((to), (byte), (size_t)(bytes))
#define nighi_compare(a, b, bytes) __builtin_memcmp((a), (b), (size_t)(bytes))

/* Is there a cache to ask for lines ahead? */
#if (defined(__ARM_ARCH_PROFILE) && __ARM_ARCH_PROFILE == 'M') ||                                  \
    (defined(__riscv) && !defined(__riscv_zicbop))
#define NIGHI_HAS_PREFETCH 0
#else
#define NIGHI_HAS_PREFETCH 1
#endif

#define NIGHI_NONE 0xffffffffu /* no slot, no record */
#define NIGHI_CACHE_LINE 64u

NIGHI_INLINE uint64_t nighi_round_up(uint64_t value, uint64_t multiple) {
    return (value + multiple - 1) & ~(multiple - 1); /* multiple is a power of two */
}

NIGHI_INLINE uint32_t nighi_round_up_u32(uint32_t value, uint32_t multiple) {
    return (value + multiple - 1) & ~(multiple - 1); /* where that fits */
}

/* a * b + c, or UINT64_MAX when that overflows: sizes from hostile images stay comparable. In
 * halves, since 32-bit targets have no instruction for the whole and would call a library. */
NIGHI_INLINE uint64_t nighi_mul_add(uint64_t a, uint64_t b, uint64_t c) {
    const uint64_t a_high = a >> 32;
    const uint64_t b_high = b >> 32;
    if (a_high != 0 && b_high != 0) {
        return UINT64_MAX;
    }
    const uint64_t high = a_high * (uint32_t)b + b_high * (uint32_t)a;
    const uint64_t low = (uint64_t)(uint32_t)a * (uint32_t)b;
    if (high + (low >> 32) > UINT32_MAX) {
        return UINT64_MAX;
    }
    const uint64_t product = (high << 32) + low;
    return product > UINT64_MAX - c ? UINT64_MAX : product + c;
}

/* Bits set. __builtin_popcount would call a library where there is no instruction. */
NIGHI_INLINE uint32_t nighi_popcount(uint32_t word) {
#if defined(__wasm__) || defined(__POPCNT__)
    return (uint32_t)__builtin_popcount(word);
#else
    word -= (word >> 1) & 0x55555555u;
    word = (word & 0x33333333u) + ((word >> 2) & 0x33333333u);
    return (((word + (word >> 4)) & 0x0f0f0f0fu) * 0x01010101u) >> 24;
#endif
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
