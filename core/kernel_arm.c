/* kernel_arm.c - integer kernels for 32-bit ARM: pairs of halfwords (DSP), Helium vectors (MVE)
 * layer L4; uses: base, num, kernel, kernel_isa
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * DSP: Cortex-M4, M7, M33. SXTB16 and UXTB16 spread a word's bytes 0 and 2, rotated 1 and 3, to
 * halfwords, two of which SMLAD multiplies and adds at once. Differences of u7 fit signed bytes, so
 * that SSUB8 takes four before they are spread: 7 instructions for 4 elements, of u8 10.
 * MVE: Cortex-M55, M85. One instruction multiplies 16 bytes pairwise and adds them to a sum.
 * Floats stay with kernel_scalar.c: their order is fixed, 32 lanes of it. */
#include "kernel_isa.h"

#if NIGHI_ARM_MVE

#include <arm_mve.h>

/* `n` bytes, at most 16, zeros behind them. */
#define MVE_LOAD(p, n) vldrbq_z_u8((p), vctp8q(n))

#define MVE_SUM(name, STEP)                                                                        \
    static uint32_t name(const uint8_t *q, const uint8_t *x, uint32_t bytes) {                     \
        uint32_t sum = 0;                                                                          \
        for (uint32_t at = 0; at < bytes; at += 16) {                                              \
            const uint8x16_t a = MVE_LOAD(q + at, bytes - at);                                     \
            const uint8x16_t b = MVE_LOAD(x + at, bytes - at);                                     \
            sum = STEP(sum, a, b);                                                                 \
        }                                                                                          \
        return sum;                                                                                \
    }

static inline uint32_t mve_square(uint32_t sum, uint8x16_t a, uint8x16_t b) {
    const uint8x16_t difference = vabdq_u8(a, b);
    return vmladavaq_u8(sum, difference, difference);
}
static inline uint32_t mve_product(uint32_t sum, uint8x16_t a, uint8x16_t b) {
    return (uint32_t)vmladavaq_s8((int32_t)sum, vreinterpretq_s8_u8(a), vreinterpretq_s8_u8(b));
}

MVE_SUM(arm_l2_u8, mve_square)
MVE_SUM(arm_dot_u8, vmladavaq_u8)
MVE_SUM(arm_l1_u8, vabavq_u8)
MVE_SUM(arm_dot_u7, mve_product)
#define arm_l2_u7 arm_l2_u8

static void arm_i8(const int8_t *q, const int8_t *x, uint32_t dim, int32_t *out) {
    int32_t dot = 0;
    int32_t sum = 0;
    int32_t square = 0;
    for (uint32_t at = 0; at < dim; at += 16) {
        const int8x16_t a = vreinterpretq_s8_u8(MVE_LOAD((const uint8_t *)q + at, dim - at));
        const int8x16_t b = vreinterpretq_s8_u8(MVE_LOAD((const uint8_t *)x + at, dim - at));
        dot = vmladavaq_s8(dot, a, b);
        sum = vaddvaq_s8(sum, b);
        square = vmladavaq_s8(square, b, b);
    }
    out[0] = dot;
    out[1] = sum;
    out[2] = square;
}
#undef MVE_LOAD
#undef MVE_SUM

#elif NIGHI_ARM_DSP

/* arm_acle.h has these without the rotation, which is free here. */
#define DSP_ONE(name, text)                                                                        \
    static inline uint32_t name(uint32_t a) {                                                      \
        uint32_t out;                                                                              \
        __asm__(text : "=r"(out) : "r"(a));                                                        \
        return out;                                                                                \
    }
DSP_ONE(dsp_signed, "sxtb16 %0, %1")
DSP_ONE(dsp_signed_odd, "sxtb16 %0, %1, ror #8")
DSP_ONE(dsp_unsigned, "uxtb16 %0, %1")
DSP_ONE(dsp_unsigned_odd, "uxtb16 %0, %1, ror #8")
#undef DSP_ONE

static inline uint32_t dsp_sub8(uint32_t a, uint32_t b) {
    uint32_t out;
    __asm__("ssub8 %0, %1, %2" : "=r"(out) : "r"(a), "r"(b) : "cc");
    return out;
}
static inline uint32_t dsp_sub16(uint32_t a, uint32_t b) {
    uint32_t out;
    __asm__("ssub16 %0, %1, %2" : "=r"(out) : "r"(a), "r"(b) : "cc");
    return out;
}
/* sum plus both products of halfwords; modulo 2^32, though the Q flag may be set. */
static inline uint32_t dsp_add(uint32_t sum, uint32_t a, uint32_t b) {
    uint32_t out;
    __asm__("smlad %0, %1, %2, %3" : "=r"(out) : "r"(a), "r"(b), "r"(sum) : "cc");
    return out;
}

static inline uint32_t dsp_l2_u7(uint32_t sum, uint32_t q, uint32_t x) {
    const uint32_t difference = dsp_sub8(q, x);
    const uint32_t even = dsp_signed(difference);
    const uint32_t odd = dsp_signed_odd(difference);
    return dsp_add(dsp_add(sum, even, even), odd, odd);
}
static inline uint32_t dsp_dot_u7(uint32_t sum, uint32_t q, uint32_t x) {
    sum = dsp_add(sum, dsp_signed(q), dsp_signed(x));
    return dsp_add(sum, dsp_signed_odd(q), dsp_signed_odd(x));
}
static inline uint32_t dsp_l2_u8(uint32_t sum, uint32_t q, uint32_t x) {
    const uint32_t even = dsp_sub16(dsp_unsigned(q), dsp_unsigned(x));
    const uint32_t odd = dsp_sub16(dsp_unsigned_odd(q), dsp_unsigned_odd(x));
    return dsp_add(dsp_add(sum, even, even), odd, odd);
}
static inline uint32_t dsp_dot_u8(uint32_t sum, uint32_t q, uint32_t x) {
    sum = dsp_add(sum, dsp_unsigned(q), dsp_unsigned(x));
    return dsp_add(sum, dsp_unsigned_odd(q), dsp_unsigned_odd(x));
}
static inline uint32_t dsp_l1_u8(uint32_t sum, uint32_t q, uint32_t x) {
    uint32_t out;
    __asm__("usada8 %0, %1, %2, %3" : "=r"(out) : "r"(q), "r"(x), "r"(sum));
    return out;
}

/* The last 1 to 3 bytes, zeros behind them. */
static inline uint32_t dsp_tail(const uint8_t *p, uint32_t n) {
    const uint32_t second = n > 1 ? (uint32_t)p[1] << 8 : 0;
    return p[0] | second | (n > 2 ? (uint32_t)p[2] << 16 : 0);
}

/* Two words a round: the loop itself costs three instructions. */
#define DSP_SUM(name, STEP)                                                                        \
    static uint32_t name(const uint8_t *q, const uint8_t *x, uint32_t bytes) {                     \
        uint32_t sum = 0;                                                                          \
        for (; bytes >= 8; bytes -= 8, q += 8, x += 8) {                                           \
            sum = STEP(sum, nighi_load_u32(q), nighi_load_u32(x));                                 \
            sum = STEP(sum, nighi_load_u32(q + 4), nighi_load_u32(x + 4));                         \
        }                                                                                          \
        if (bytes >= 4) {                                                                          \
            sum = STEP(sum, nighi_load_u32(q), nighi_load_u32(x));                                 \
            bytes -= 4;                                                                            \
            q += 4;                                                                                \
            x += 4;                                                                                \
        }                                                                                          \
        return bytes == 0 ? sum : STEP(sum, dsp_tail(q, bytes), dsp_tail(x, bytes));               \
    }
/* Codes are whole sixteens. */
#define DSP_CODE(name, STEP)                                                                       \
    static uint32_t name(const uint8_t *q, const uint8_t *x, uint32_t bytes) {                     \
        uint32_t sum = 0;                                                                          \
        for (const uint8_t *end = q + bytes; q != end; q += 16, x += 16) {                         \
            sum = STEP(sum, nighi_load_u32(q), nighi_load_u32(x));                                 \
            sum = STEP(sum, nighi_load_u32(q + 4), nighi_load_u32(x + 4));                         \
            sum = STEP(sum, nighi_load_u32(q + 8), nighi_load_u32(x + 8));                         \
            sum = STEP(sum, nighi_load_u32(q + 12), nighi_load_u32(x + 12));                       \
        }                                                                                          \
        return sum;                                                                                \
    }
DSP_SUM(arm_l2_u8, dsp_l2_u8)
DSP_SUM(arm_dot_u8, dsp_dot_u8)
DSP_SUM(arm_l1_u8, dsp_l1_u8)
DSP_CODE(arm_l2_u7, dsp_l2_u7)
DSP_CODE(arm_dot_u7, dsp_dot_u7)
#undef DSP_SUM
#undef DSP_CODE

static void arm_i8(const int8_t *left, const int8_t *right, uint32_t dim, int32_t *out) {
    const uint8_t *q = (const uint8_t *)left;
    const uint8_t *x = (const uint8_t *)right;
    uint32_t sums[3] = {0, 0, 0};
    while (dim > 0) {
        const uint32_t n = nighi_min_u32(dim, 4);
        const uint32_t a = n == 4 ? nighi_load_u32(q) : dsp_tail(q, n);
        const uint32_t b = n == 4 ? nighi_load_u32(x) : dsp_tail(x, n);
        sums[0] = dsp_dot_u7(sums[0], a, b);
        sums[1] = dsp_dot_u7(sums[1], 0x01010101u, b);
        sums[2] = dsp_dot_u7(sums[2], b, b);
        q += n;
        x += n;
        dim -= n;
    }
    nighi_copy(out, sums, sizeof sums);
}

#endif

#if NIGHI_ARM_MVE || NIGHI_ARM_DSP

#define ARM_CODES(name, END, kernel)                                                               \
    static void name(const uint8_t *query, uint32_t bias, const uint8_t *const *codes,             \
                     uint32_t count, uint32_t bytes, uint32_t *orders) {                           \
        for (uint32_t i = 0; i < count; i++) {                                                     \
            orders[i] = bias END kernel(query, codes[i], bytes);                                   \
        }                                                                                          \
    }
ARM_CODES(arm_code_l2, +, arm_l2_u7)
ARM_CODES(arm_code_dot, -, arm_dot_u7)
ARM_CODES(arm_code_l1, +, arm_l1_u8)
#undef ARM_CODES

void nighi_kernels_arm(nighi_kernels *table) {
    if (NIGHI_HAS_BYTES) {
        table->u8[NIGHI_OP_L2] = arm_l2_u8;
        table->u8[NIGHI_OP_DOT] = arm_dot_u8;
        table->u8[NIGHI_OP_L1] = NIGHI_HAS_L1 ? arm_l1_u8 : NULL;
        table->i8 = NIGHI_HAS_FLOATS ? arm_i8 : NULL;
    }
    if (NIGHI_HAS_CODES) {
        table->codes[NIGHI_CODE_L2] = arm_code_l2;
        table->codes[NIGHI_CODE_DOT] = arm_code_dot;
        table->codes[NIGHI_CODE_L1] = NIGHI_HAS_L1 ? arm_code_l1 : NULL;
    }
}

#endif
