/* sync.h - atomic words, seqlock stripes, and the switch that removes both
 * layer L1; uses: base
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The image is plain data, so atomic access goes through the compiler's builtins on plain words.
 * Only 32-bit words: 64-bit atomics are library calls on small ARM. NIGH_SINGLE_THREAD turns all of
 * it into plain loads and stores (ARMv6-M has no read-modify-write instruction). */
#ifndef NIGHI_SYNC_H
#define NIGHI_SYNC_H
#include "base.h"

#if defined(__ARM_ARCH_6M__) && !defined(NIGH_SINGLE_THREAD)
#define NIGH_SINGLE_THREAD 1
#endif

/* One thread at a time: what was read cannot have changed meanwhile. */
#ifdef NIGH_SINGLE_THREAD
#define NIGHI_IS_SINGLE 1
#else
#define NIGHI_IS_SINGLE 0
#endif

#ifdef NIGH_SINGLE_THREAD
#define nighi_load(address) (*(address))
#define nighi_load_acquire(address) (*(address))
#define nighi_store(address, value) ((void)(*(address) = (value)))
#define nighi_store_release(address, value) ((void)(*(address) = (value)))
#define nighi_add(address, value) ((void)(*(address) += (value)))
#define nighi_or(address, value) ((void)(*(address) |= (value)))
#define nighi_and(address, value) ((void)(*(address) &= (value)))
NIGHI_INLINE bool nighi_swap_if(uint32_t *address, uint32_t expected, uint32_t value) {
    const bool same = *address == expected;
    *address = same ? value : *address;
    return same;
}
#else
#define nighi_load(address) __atomic_load_n((address), __ATOMIC_RELAXED)
#define nighi_load_acquire(address) __atomic_load_n((address), __ATOMIC_ACQUIRE)
#define nighi_store(address, value) __atomic_store_n((address), (value), __ATOMIC_RELAXED)
#define nighi_store_release(address, value) __atomic_store_n((address), (value), __ATOMIC_RELEASE)
#define nighi_add(address, value) ((void)__atomic_fetch_add((address), (value), __ATOMIC_ACQ_REL))
#define nighi_or(address, value) ((void)__atomic_fetch_or((address), (value), __ATOMIC_ACQ_REL))
#define nighi_and(address, value) ((void)__atomic_fetch_and((address), (value), __ATOMIC_ACQ_REL))
NIGHI_INLINE bool nighi_swap_if(uint32_t *address, uint32_t expected, uint32_t value) {
    return __atomic_compare_exchange_n(address, &expected, value, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_RELAXED);
}
#endif

NIGHI_INLINE float nighi_load_f32(const float *address) {
#ifdef NIGH_SINGLE_THREAD
    return *address;
#else
    float value;
    __atomic_load(address, &value, __ATOMIC_ACQUIRE);
    return value;
#endif
}
NIGHI_INLINE void nighi_store_f32(float *address, float value) {
#ifdef NIGH_SINGLE_THREAD
    *address = value;
#else
    __atomic_store(address, &value, __ATOMIC_RELEASE);
#endif
}

NIGHI_INLINE void nighi_pause(void) {
#if !defined(NIGH_SINGLE_THREAD) && (defined(__x86_64__) || defined(__i386__))
    __builtin_ia32_pause();
#endif
}

/* A stripe is a lock and a version in one word: odd while held, two higher after each change. */
NIGHI_INLINE uint32_t nighi_lock(uint32_t *stripe) {
    if (NIGHI_IS_SINGLE) {
        return nighi_load(stripe); /* always the same: nobody looks */
    }
    for (;;) {
        const uint32_t version = nighi_load(stripe);
        if ((version & 1) == 0 && nighi_swap_if(stripe, version, version + 1)) {
            return version;
        }
        nighi_pause();
    }
}

/* A stripe's version read again, after everything read since the first time. ThreadSanitizer does
 * not know fences; a read-modify-write orders as well. */
NIGHI_INLINE uint32_t nighi_version_again(uint32_t *stripe) {
#if defined(NIGH_SINGLE_THREAD)
    return *stripe;
#elif defined(__SANITIZE_THREAD__)
    return __atomic_fetch_add(stripe, 0u, __ATOMIC_ACQ_REL);
#else
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return nighi_load(stripe);
#endif
}

/* After taking a stripe whose odd version readers must see before the stores that follow. */
NIGHI_INLINE void nighi_store_fence(void) {
#if !defined(NIGH_SINGLE_THREAD) && !defined(__SANITIZE_THREAD__)
    __atomic_thread_fence(__ATOMIC_RELEASE);
#endif
}

/* `version` is what nighi_lock returned; an unchanged row keeps it, so that no plan is redone. */
NIGHI_INLINE void nighi_unlock(uint32_t *stripe, uint32_t version, bool changed) {
    if (!NIGHI_IS_SINGLE) {
        nighi_store_release(stripe, changed ? version + 2 : version);
    }
}

#endif
