/* racy.h - reads and writes of vectors that another thread may be changing
 * layer L3; uses: base, num
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A vector that is updated in place may be read torn: traversal only misorders candidates, and
 * reported hits are computed from a copy taken between two reads of the slot's sequence word. In C
 * a race on plain objects is undefined, so those copies and the stores go word by word through
 * relaxed atomics, which cost what plain loads cost. Kernels read plainly, except under
 * ThreadSanitizer, where the scalar ones (then forced) go through nighi_elem_*. */
#ifndef NIGHI_RACY_H
#define NIGHI_RACY_H
#include "base.h"
#include "num.h"

#if defined(__SANITIZE_THREAD__)
#define NIGHI_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define NIGHI_TSAN 1
#endif
#endif
#ifndef NIGHI_TSAN
#define NIGHI_TSAN 0
#endif

typedef uint32_t __attribute__((may_alias)) nighi_racy_u32;
typedef uint16_t __attribute__((may_alias)) nighi_racy_u16;

#define NIGHI_RACY_LOAD(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define NIGHI_RACY_STORE(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)

/* Copies out of memory that others may be writing: u32 words where `from` is aligned to 4, bytes
 * at the ragged ends. `to` is the caller's own. */
static inline __attribute__((unused)) void nighi_racy_copy(void *to, const void *from,
                                                           size_t bytes) {
    uint8_t *out = (uint8_t *)to;
    const uint8_t *in = (const uint8_t *)from;
    for (; bytes > 0 && ((uintptr_t)in & 3u) != 0; bytes--) {
        *out++ = NIGHI_RACY_LOAD(in++);
    }
    for (; bytes >= 16; bytes -= 16, in += 16, out += 16) {
        const nighi_racy_u32 *words = (const nighi_racy_u32 *)(const void *)in;
        uint32_t four[4];
        four[0] = NIGHI_RACY_LOAD(words);
        four[1] = NIGHI_RACY_LOAD(words + 1);
        four[2] = NIGHI_RACY_LOAD(words + 2);
        four[3] = NIGHI_RACY_LOAD(words + 3);
        nighi_copy(out, four, 16);
    }
    for (; bytes >= 4; bytes -= 4, in += 4, out += 4) {
        uint32_t word = NIGHI_RACY_LOAD((const nighi_racy_u32 *)(const void *)in);
        nighi_copy(out, &word, 4);
    }
    for (; bytes > 0; bytes--) {
        *out++ = NIGHI_RACY_LOAD(in++);
    }
}

/* Stores into memory that others may be reading. `from` is the caller's own. */
static inline __attribute__((unused)) void nighi_racy_store(void *to, const void *from,
                                                            size_t bytes) {
    uint8_t *out = (uint8_t *)to;
    const uint8_t *in = (const uint8_t *)from;
    for (; bytes > 0 && ((uintptr_t)out & 3u) != 0; bytes--) {
        NIGHI_RACY_STORE(out++, *in++);
    }
    for (; bytes >= 4; bytes -= 4, in += 4, out += 4) {
        NIGHI_RACY_STORE((nighi_racy_u32 *)(void *)out, nighi_load_u32(in));
    }
    for (; bytes > 0; bytes--) {
        NIGHI_RACY_STORE(out++, *in++);
    }
}

/* Element i of a vector, widened to float or as it is. Naturally aligned. */
#if NIGHI_TSAN
#define NIGHI_RACY_ELEM(p) NIGHI_RACY_LOAD(p)
#else
#define NIGHI_RACY_ELEM(p) (*(p))
#endif

NIGHI_INLINE float nighi_elem_f32(const void *vector, uint32_t i) {
    return nighi_f32_from_bits(NIGHI_RACY_ELEM((const nighi_racy_u32 *)vector + i));
}
NIGHI_INLINE uint16_t nighi_elem_u16(const void *vector, uint32_t i) {
    return NIGHI_RACY_ELEM((const nighi_racy_u16 *)vector + i);
}
NIGHI_INLINE float nighi_elem_f16(const void *vector, uint32_t i) {
    return nighi_f32_from_f16(nighi_elem_u16(vector, i));
}
NIGHI_INLINE float nighi_elem_bf16(const void *vector, uint32_t i) {
    return nighi_f32_from_bf16(nighi_elem_u16(vector, i));
}
NIGHI_INLINE uint8_t nighi_elem_u8(const void *vector, uint32_t i) {
    return NIGHI_RACY_ELEM((const uint8_t *)vector + i);
}
NIGHI_INLINE int8_t nighi_elem_i8(const void *vector, uint32_t i) {
    return NIGHI_RACY_ELEM((const int8_t *)vector + i);
}

/* A word of a vector's trailer, at any alignment. */
NIGHI_INLINE uint32_t nighi_elem_word(const void *at) {
#if NIGHI_TSAN
    uint32_t word;
    nighi_racy_copy(&word, at, 4);
    return word;
#else
    return nighi_load_u32(at);
#endif
}

#endif
