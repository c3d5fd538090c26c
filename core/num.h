/* num.h - numbers: bit casts, f16 and bf16, square root, ordering and canonical form of distances
 * layer L2; uses: base, fp
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Everything here is exact or correctly rounded, so it gives the same bits everywhere. */
#ifndef NIGHI_NUM_H
#define NIGHI_NUM_H
#include "base.h"
#include "fp.h"

NIGHI_INLINE uint32_t nighi_f32_bits(float value) {
    uint32_t bits;
    nighi_copy(&bits, &value, 4);
    return bits;
}

NIGHI_INLINE float nighi_f32_from_bits(uint32_t bits) {
    float value;
    nighi_copy(&value, &bits, 4);
    return value;
}

NIGHI_INLINE bool nighi_f32_finite(float value) {
    return (nighi_f32_bits(value) & 0x7f800000u) != 0x7f800000u;
}

/* Unaligned little-endian loads. */
NIGHI_INLINE uint32_t nighi_load_u32(const void *from) {
    uint32_t value;
    nighi_copy(&value, from, 4);
    return value;
}

NIGHI_INLINE uint64_t nighi_load_u64(const void *from) {
    uint64_t value;
    nighi_copy(&value, from, 8);
    return value;
}

/* ---- f16 and bf16 --------------------------------------------------------------------------- */

/* Without a branch, so that loops over it become vector code: the exponent is moved by a multiply,
 * which also normalises subnormals; infinity and NaN get their exponent afterwards. */
NIGHI_INLINE float nighi_f32_from_f16(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    uint32_t rest = half & 0x7fffu;
    uint32_t special = rest >= 0x7c00u ? 0x7f800000u : 0;
    uint32_t bits = nighi_f32_bits(nighi_f32_from_bits(rest << 13) * 0x1p112f);
    return nighi_f32_from_bits(sign | special | bits);
}

/* Round to nearest, ties to even; beyond 65519.99 infinity, which nighi_f16_finite reveals. */
NIGHI_INLINE uint16_t nighi_f16_from_f32(float value) {
    uint32_t bits = nighi_f32_bits(value);
    uint32_t sign = (bits >> 16) & 0x8000u;
    uint32_t rest = bits & 0x7fffffffu;
    if (rest >= 0x477ff000u) {
        return (uint16_t)(sign | (rest > 0x7f800000u ? 0x7e00u : 0x7c00u));
    }
    if (rest >= 0x38800000u) {
        return (uint16_t)(sign | ((rest - 0x38000000u + 0xfffu + ((rest >> 13) & 1u)) >> 13));
    }
    if (rest < 0x33000000u) { /* below half of the smallest subnormal */
        return (uint16_t)sign;
    }
    uint32_t shift = 126u - (rest >> 23); /* 14..24 */
    uint32_t mantissa = (rest & 0x7fffffu) | 0x800000u;
    uint32_t kept = mantissa >> shift;
    uint32_t lost = mantissa & ((1u << shift) - 1u);
    uint32_t tie = 1u << (shift - 1u);
    kept += (lost > tie || (lost == tie && (kept & 1u) != 0)) ? 1u : 0u;
    return (uint16_t)(sign | kept);
}

NIGHI_INLINE bool nighi_f16_finite(uint16_t half) { return (half & 0x7c00u) != 0x7c00u; }

NIGHI_INLINE float nighi_f32_from_bf16(uint16_t brain) {
    return nighi_f32_from_bits((uint32_t)brain << 16);
}

/* Round to nearest, ties to even; may become infinity, which nighi_bf16_finite reveals. */
NIGHI_INLINE uint16_t nighi_bf16_from_f32(float value) {
    uint32_t bits = nighi_f32_bits(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) {
        return (uint16_t)(((bits >> 16) & 0x8000u) | 0x7fc0u);
    }
    return (uint16_t)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

NIGHI_INLINE bool nighi_bf16_finite(uint16_t brain) { return (brain & 0x7f80u) != 0x7f80u; }

/* ---- Integers to float ---------------------------------------------------------------------- */

/* Correctly rounded, in integer code: 32-bit targets leave this to runtimes of mixed quality, and
 * builds without floats do without. The bits of the float. */
NIGHI_INLINE uint32_t nighi_u32_to_f32(uint32_t value) {
    if (value == 0) {
        return 0;
    }
    const uint32_t zeros = (uint32_t)__builtin_clz(value);
    const uint32_t high = value << zeros;
    const uint32_t kept = high >> 8; /* 24 bits, the top one set: it adds 1 to the exponent */
    const uint32_t up = (high & 0xffu) + (kept & 1u) > 0x80u; /* ties to even */
    return ((127 + 31 - 1 - zeros) << 23) + kept + up;
}

static inline __attribute__((unused)) float nighi_f32_from_i64_soft(int64_t value) {
    const uint32_t sign = value < 0 ? 0x80000000u : 0;
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    uint32_t shifts = 0;
    for (; magnitude >> 32 != 0; shifts++) { /* the last bit stands for all that were lost */
        magnitude = magnitude >> 1 | (magnitude & 1);
    }
    return nighi_f32_from_bits(sign | (nighi_u32_to_f32((uint32_t)magnitude) + (shifts << 23)));
}

NIGHI_INLINE float nighi_f32_from_i64(int64_t value) {
#if !defined(NIGH_NO_FLOATS) && \
    (defined(__x86_64__) || defined(__aarch64__) || defined(__wasm__))
    return (float)value; /* one instruction, which rounds once */
#else
    return nighi_f32_from_i64_soft(value);
#endif
}

NIGHI_INLINE float nighi_f32_from_u32(uint32_t value) {
#if !defined(NIGH_NO_FLOATS) && \
    (defined(__x86_64__) || defined(__aarch64__) || defined(__wasm__))
    return (float)(int64_t)value;
#else
    return nighi_f32_from_bits(nighi_u32_to_f32(value));
#endif
}

/* Round to nearest, ties to even; beyond +-limit (at most 2^22) the limit. Not for NaN. */
NIGHI_INLINE int32_t nighi_i32_from_f32(float value, int32_t limit) {
    float bound = (float)limit;
    if (value >= bound) {
        return limit;
    }
    if (value <= -bound) {
        return -limit;
    }
    int32_t whole = (int32_t)value; /* towards zero, so the difference below is exact */
    float rest = value - (float)whole;
    int32_t odd = whole & 1;
    if (rest > 0.5f || (rest == 0.5f && odd != 0)) {
        return whole + 1;
    }
    if (rest < -0.5f || (rest == -0.5f && odd != 0)) {
        return whole - 1;
    }
    return whole;
}

/* ---- Square root ---------------------------------------------------------------------------- */

/* Correctly rounded, digit by digit: one bit of the root per step. */
static inline __attribute__((unused)) float nighi_sqrt_soft(float value) {
    uint32_t bits = nighi_f32_bits(value);
    if ((bits & 0x7fffffffu) == 0) {
        return value;
    }
    if (bits >= 0x7f800000u) { /* negative or NaN: NaN; infinity stays */
        return nighi_f32_from_bits(bits == 0x7f800000u ? bits : 0x7fc00000u);
    }
    int32_t exponent = (int32_t)(bits >> 23) - 127;
    uint32_t mantissa = bits & 0x7fffffu;
    if (exponent == -127) {
        exponent = -126;
        while ((mantissa & 0x800000u) == 0) {
            mantissa <<= 1;
            exponent--;
        }
    }
    mantissa |= 0x800000u;
    if ((exponent & 1) != 0) {
        mantissa <<= 1;
        exponent--;
    }
    /* root = floor(sqrt(mantissa * 2^25)), 25 bits: the 24 of the result and one to round by.
     * `rest` is what is left of the radicand, kept doubled once a step instead of shifting root. */
    uint32_t rest = mantissa << 1;
    uint32_t root = 0;
    uint32_t twice = 0;
    for (uint32_t bit = 0x01000000u; bit != 0; bit >>= 1) {
        uint32_t trial = twice + bit;
        if (trial <= rest) {
            twice = trial + bit;
            rest -= trial;
            root += bit;
        }
        rest <<= 1;
    }
    /* A tie cannot be: it would make an odd square even. */
    uint32_t rounded = (root >> 1) + (root & 1u);
    return nighi_f32_from_bits((uint32_t)((exponent / 2 + 126) * 0x800000) + rounded);
}

/* Correctly rounded. __builtin_sqrtf would call sqrtf to set errno. */
NIGHI_INLINE float nighi_sqrt(float value) {
#if defined(__SSE__)
    return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(value)));
#elif defined(__aarch64__)
    float root;
    __asm__("fsqrt %s0, %s1" : "=w"(root) : "w"(value));
    return root;
#elif defined(__arm__) && defined(__ARM_FP) && (__ARM_FP & 4) && !defined(__SOFTFP__)
    float root;
    __asm__("vsqrt.f32 %0, %1" : "=t"(root) : "t"(value));
    return root;
#elif defined(__wasm__)
    float root;
    __asm__("local.get %1\n\tf32.sqrt\n\tlocal.set %0" : "=r"(root) : "r"(value));
    return root;
#elif defined(__riscv_flen)
    float root;
    __asm__("fsqrt.s %0, %1" : "=f"(root) : "f"(value));
    return root;
#else
    return nighi_sqrt_soft(value);
#endif
}

/* ---- Distances ------------------------------------------------------------------------------ */

/* The one form in which distances are compared and handed out: NaN and overflow (either way) are
 * +infinity, -0 is +0. */
NIGHI_INLINE float nighi_distance_canonical(float distance) {
    uint32_t bits = nighi_f32_bits(distance);
    if (NIGHI_UNLIKELY((bits & 0x7f800000u) == 0x7f800000u)) {
        return nighi_f32_from_bits(0x7f800000u);
    }
    return bits == 0x80000000u ? 0.0f : distance;
}

/* A monotone map of floats to integers, for canonical distances; and back. */
NIGHI_INLINE uint32_t nighi_order_f32(float distance) {
    uint32_t bits = nighi_f32_bits(distance);
    return bits ^ ((bits & 0x80000000u) != 0 ? 0xffffffffu : 0x80000000u);
}

/* The same for all floats but NaN: zeros are alike. For comparing without a float operation. */
NIGHI_INLINE uint32_t nighi_f32_rank(float value) {
    const uint32_t bits = nighi_f32_bits(value);
    return nighi_order_f32(nighi_f32_from_bits(bits == 0x80000000u ? 0 : bits));
}

NIGHI_INLINE bool nighi_f32_nan(float value) {
    return (nighi_f32_bits(value) & 0x7fffffffu) > 0x7f800000u;
}

NIGHI_INLINE float nighi_f32_from_order(uint32_t order) {
    return nighi_f32_from_bits(order ^ ((order & 0x80000000u) != 0 ? 0x80000000u : 0xffffffffu));
}

#endif
