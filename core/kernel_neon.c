/* kernel_neon.c - AArch64 kernels; with the dot-product instructions where the caller has them
 * layer L4; uses: base, fp, num, kernel, kernel_isa, kernel_loop, kernel_bytes, kernel_codes
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * AArch32 has no file of its own: its NEON flushes subnormals, so it would give other bits. */
#include "fp.h"
#include "kernel_isa.h"
#include "num.h"

#if defined(__aarch64__)
#include <arm_neon.h>

#define NEON_INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define NEON_DOTPROD __attribute__((target("dotprod")))
#else
#define NEON_DOTPROD __attribute__((target("arch=armv8.2-a+dotprod")))
#endif

NEON_INLINE uint8x16_t neon_tail(const void *p, uint32_t bytes) {
    uint64_t words[2];
    nighi_tail_load(p, bytes, words);
    return vreinterpretq_u8_u64(vcombine_u64(vcreate_u64(words[0]), vcreate_u64(words[1])));
}

NEON_INLINE uint16x4_t neon_tail_4(const void *p, uint32_t bytes) {
    uint64_t words[2];
    nighi_tail_load(p, bytes, words);
    return vcreate_u16(words[0]);
}

NEON_INLINE float32x4_t neon_widen_f16(uint16x4_t halves) {
    return vcvt_f32_f16(vreinterpret_f16_u16(halves));
}

NEON_INLINE float32x4_t neon_widen_bf16(uint16x4_t brains) {
    return vreinterpretq_f32_u32(vshll_n_u16(brains, 16));
}

NEON_INLINE float neon_reduce(float32x4_t v) {
    float32x2_t two = vadd_f32(vget_low_f32(v), vget_high_f32(v));
    return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}

/* The halves of two rows, one upon the other. */
NEON_INLINE float32x4_t neon_halves_add(float32x4_t a, float32x4_t b) {
    float32x4_t low = vcombine_f32(vget_low_f32(a), vget_low_f32(b));
    return vaddq_f32(low, vcombine_f32(vget_high_f32(a), vget_high_f32(b)));
}

NEON_INLINE void neon_reduce_4(const float32x4_t v[4], float *out) {
    vst1q_f32(out, vpaddq_f32(neon_halves_add(v[0], v[1]), neon_halves_add(v[2], v[3])));
}

#define K_NAME(op) neon_##op
#define K_TARGET
#define K_WIDTH 4
#define K_COUNT 8
#define K_ROWS 2
#define K_VEC float32x4_t
#define K_ZERO() vdupq_n_f32(0.0f)
#define K_ADD(a, b) vaddq_f32(a, b)
#define K_SUB(a, b) vsubq_f32(a, b)
#define K_MUL(a, b) vmulq_f32(a, b)
#define K_ABS(a) vabsq_f32(a)
#define K_PIN(v) NIGHI_FP_PIN(v)
#define K_KEEP(v) __asm__("" : "+w"(v))
#define K_REDUCE(v) neon_reduce(v)
#define K_REDUCE_4(v, out) neon_reduce_4(v, out)
#define K_LOAD_F32(p) vld1q_f32(p)
#define K_LOAD_F16(p) neon_widen_f16(vld1_u16(p))
#define K_LOAD_BF16(p) neon_widen_bf16(vld1_u16(p))
#define K_PART_F32(p, n) vreinterpretq_f32_u8(neon_tail(p, 4 * (n)))
#define K_PART_F16(p, n) neon_widen_f16(neon_tail_4(p, 2 * (n)))
#define K_PART_BF16(p, n) neon_widen_bf16(neon_tail_4(p, 2 * (n)))
#define K_SPLIT 0
#include "kernel_loop.h"

/* sum a[i] * b[i] of sixteen bytes each, added to 32-bit lanes. */
NEON_INLINE uint32x4_t neon_products_u8(uint32x4_t sum, uint8x16_t a, uint8x16_t b) {
    sum = vpadalq_u16(sum, vmull_u8(vget_low_u8(a), vget_low_u8(b)));
    return vpadalq_u16(sum, vmull_u8(vget_high_u8(a), vget_high_u8(b)));
}

NEON_INLINE uint32x4_t neon_products_s8(uint32x4_t sum, uint8x16_t a, uint8x16_t b) {
    int32x4_t s = vreinterpretq_s32_u32(sum);
    int8x16_t x = vreinterpretq_s8_u8(a);
    int8x16_t y = vreinterpretq_s8_u8(b);
    s = vpadalq_s16(s, vmull_s8(vget_low_s8(x), vget_low_s8(y)));
    s = vpadalq_s16(s, vmull_s8(vget_high_s8(x), vget_high_s8(y)));
    return vreinterpretq_u32_s32(s);
}

NEON_INLINE uint32x4_t neon_sum_s8(uint32x4_t sum, uint8x16_t v) {
    int16x8_t pairs = vpaddlq_s8(vreinterpretq_s8_u8(v));
    return vreinterpretq_u32_s32(vpadalq_s16(vreinterpretq_s32_u32(sum), pairs));
}

#define NEON_STORE_I8(a, b, c, out)                                                                \
    do {                                                                                           \
        (out)[0] = (int32_t)vaddvq_u32(a);                                                         \
        (out)[1] = (int32_t)vaddvq_u32(b);                                                         \
        (out)[2] = (int32_t)vaddvq_u32(c);                                                         \
    } while (0)

/* A template vector is bytes when loaded and 32-bit lanes when summed: one type serves as both. */
#define B_NAME(op) neon_##op
#define B_TARGET
#define B_WIDTH 16
#define B_VEC uint8x16_t
#define B_ZERO() vdupq_n_u8(0)
#define B_ADD(a, b) NEON_BYTES(vaddq_u32(NEON_LANES(a), NEON_LANES(b)))
#define B_LOAD(p) vld1q_u8(p)
#define B_PART(p, n) neon_tail(p, n)
#define B_SUM(v) vaddvq_u32(NEON_LANES(v))
#define NEON_LANES(v) vreinterpretq_u32_u8(v)
#define NEON_BYTES(v) vreinterpretq_u8_u32(v)
#define B_L2(a, b, q, x)                                                                           \
    do {                                                                                           \
        q = vabdq_u8(q, x);                                                                        \
        a = NEON_BYTES(neon_products_u8(NEON_LANES(a), q, q));                                     \
    } while (0)
#define B_DOT(a, b, q, x) a = NEON_BYTES(neon_products_u8(NEON_LANES(a), q, x))
#define B_L2_END(a, b) B_SUM(B_ADD(a, b))
#define B_DOT_END(a, b) B_SUM(B_ADD(a, b))
#define B_L1(a, b, q, x) a = NEON_BYTES(vpadalq_u16(NEON_LANES(a), vpaddlq_u8(vabdq_u8(q, x))))
#define B_BITS(a, b, q, x)                                                                         \
    a = NEON_BYTES(vpadalq_u16(NEON_LANES(a), vpaddlq_u8(vcntq_u8(veorq_u8(q, x)))))
#define B_I8(a, b, c, d, q, x)                                                                     \
    do {                                                                                           \
        a = NEON_BYTES(neon_products_s8(NEON_LANES(a), q, x));                                     \
        b = NEON_BYTES(neon_sum_s8(NEON_LANES(b), x));                                             \
        c = NEON_BYTES(neon_products_s8(NEON_LANES(c), x, x));                                     \
    } while (0)
#define B_I8_END(a, b, c, d, out)                                                                  \
    do {                                                                                           \
        (void)(d);                                                                                 \
        NEON_STORE_I8(NEON_LANES(a), NEON_LANES(b), NEON_LANES(c), out);                           \
    } while (0)
#include "kernel_bytes.h"

NEON_DOTPROD NEON_INLINE uint8x16_t neon_udot(uint8x16_t sum, uint8x16_t a, uint8x16_t b) {
    return NEON_BYTES(vdotq_u32(NEON_LANES(sum), a, b));
}

NEON_DOTPROD NEON_INLINE uint8x16_t neon_sdot(uint8x16_t sum, uint8x16_t a, uint8x16_t b) {
    int32x4_t s = vreinterpretq_s32_u8(sum);
    return vreinterpretq_u8_s32(vdotq_s32(s, vreinterpretq_s8_u8(a), vreinterpretq_s8_u8(b)));
}

#define B_NAME(op) dotprod_##op
#define B_TARGET NEON_DOTPROD
#define B_WIDTH 16
#define B_VEC uint8x16_t
#define B_ZERO() vdupq_n_u8(0)
#define B_ADD(a, b) NEON_BYTES(vaddq_u32(NEON_LANES(a), NEON_LANES(b)))
#define B_LOAD(p) vld1q_u8(p)
#define B_PART(p, n) neon_tail(p, n)
#define B_SUM(v) vaddvq_u32(NEON_LANES(v))
#define B_L2(a, b, q, x)                                                                           \
    do {                                                                                           \
        q = vabdq_u8(q, x);                                                                        \
        a = neon_udot(a, q, q);                                                                    \
    } while (0)
#define B_DOT(a, b, q, x) a = neon_udot(a, q, x)
#define B_L2_END(a, b) B_SUM(B_ADD(a, b))
#define B_DOT_END(a, b) B_SUM(B_ADD(a, b))
#define B_L1(a, b, q, x) a = neon_udot(a, vabdq_u8(q, x), vdupq_n_u8(1))
#define B_I8(a, b, c, d, q, x)                                                                     \
    do {                                                                                           \
        a = neon_sdot(a, q, x);                                                                    \
        b = neon_sdot(b, x, vdupq_n_u8(1));                                                        \
        c = neon_sdot(c, x, x);                                                                    \
    } while (0)
#define B_I8_END(a, b, c, d, out)                                                                  \
    do {                                                                                           \
        (void)(d);                                                                                 \
        NEON_STORE_I8(NEON_LANES(a), NEON_LANES(b), NEON_LANES(c), out);                           \
    } while (0)
#include "kernel_bytes.h"
#undef NEON_LANES
#undef NEON_BYTES
#undef NEON_STORE_I8

/* ---- Codes ---------------------------------------------------------------------------------- */

NEON_INLINE nighi_u32x4 neon_fold(uint32x4_t a, uint32x4_t b, uint32x4_t c, uint32x4_t d) {
    return (nighi_u32x4)vpaddq_u32(vpaddq_u32(a, b), vpaddq_u32(c, d));
}

/* Two products of u7 fit sixteen bits, so one pairwise addition serves both halves. */
NEON_INLINE uint32x4_t neon_code_squares(uint32x4_t sum, uint8x16_t q, uint8x16_t x) {
    uint8x16_t d = vabdq_u8(q, x);
    uint16x8_t low = vmull_u8(vget_low_u8(d), vget_low_u8(d));
    return vpadalq_u16(sum, vmlal_high_u8(low, d, d));
}

NEON_INLINE int32x4_t neon_code_products(int32x4_t sum, int8x16_t q, int8x16_t x) {
    int16x8_t low = vmull_s8(vget_low_s8(q), vget_low_s8(x));
    return vpadalq_s16(sum, vmlal_high_s8(low, q, x));
}

#define NEON_SIGNED(v) vreinterpretq_s8_u8(v)
#define NEON_SUM_S(v) vreinterpretq_s32_u32(v)
#define NEON_SUM_U(v) vreinterpretq_u32_s32(v)

#define C_NAME(op) neon_##op
#define C_TARGET
#define C_WIDTH 16
#define C_BYTES uint8x16_t
#define C_SUMS uint32x4_t
#define C_ZERO() vdupq_n_u32(0)
#define C_LOAD(p) vld1q_u8(p)
#define C_FOLD(a, b, c, d) neon_fold(a, b, c, d)
#define C_L2(s, q, x) neon_code_squares(s, q, x)
#define C_DOT(s, q, x) NEON_SUM_U(neon_code_products(NEON_SUM_S(s), NEON_SIGNED(q), NEON_SIGNED(x)))
#define C_L1(s, q, x) vpadalq_u16(s, vpaddlq_u8(vabdq_u8(q, x)))
#define C_BITS(s, q, x) vpadalq_u16(s, vpaddlq_u8(vcntq_u8(veorq_u8(q, x))))
#include "kernel_codes.h"

NEON_DOTPROD NEON_INLINE uint32x4_t neon_code_udot(uint32x4_t sum, uint8x16_t q, uint8x16_t x) {
    uint8x16_t d = vabdq_u8(q, x);
    return vdotq_u32(sum, d, d);
}

/* Against ones, a dot product is a sum. */
#define C_NAME(op) dotprod_##op
#define C_TARGET NEON_DOTPROD
#define C_WIDTH 16
#define C_BYTES uint8x16_t
#define C_SUMS uint32x4_t
#define C_ZERO() vdupq_n_u32(0)
#define C_LOAD(p) vld1q_u8(p)
#define C_FOLD(a, b, c, d) neon_fold(a, b, c, d)
#define C_L2(s, q, x) neon_code_udot(s, q, x)
#define C_DOT(s, q, x) NEON_SUM_U(vdotq_s32(NEON_SUM_S(s), NEON_SIGNED(q), NEON_SIGNED(x)))
#define C_L1(s, q, x) vdotq_u32(s, vabdq_u8(q, x), vdupq_n_u8(1))
#define C_BITS(s, q, x) vdotq_u32(s, vcntq_u8(veorq_u8(q, x)), vdupq_n_u8(1))
#include "kernel_codes.h"
#undef NEON_SIGNED
#undef NEON_SUM_S
#undef NEON_SUM_U

static void neon_fill_codes(nighi_kernels *table, uint32_t features) {
    table->codes[NIGHI_CODE_L2] = neon_code_l2;
    table->codes[NIGHI_CODE_DOT] = neon_code_dot;
    table->codes[NIGHI_CODE_L1] = neon_code_l1;
    table->codes[NIGHI_CODE_BITS] = neon_code_bits;
    if ((features & NIGH_CPU_DOTPROD) != 0) {
        table->codes[NIGHI_CODE_L2] = dotprod_code_l2;
        table->codes[NIGHI_CODE_DOT] = dotprod_code_dot;
        table->codes[NIGHI_CODE_L1] = dotprod_code_l1;
        table->codes[NIGHI_CODE_BITS] = dotprod_code_bits;
    }
}

void nighi_kernels_neon(nighi_kernels *table, uint32_t features) {
    neon_fill_floats(table);
    neon_fill_codes(table, features);
    table->u8[NIGHI_OP_L2] = neon_l2_u8;
    table->u8[NIGHI_OP_DOT] = neon_dot_u8;
    table->u8[NIGHI_OP_L1] = neon_l1_u8;
    table->i8 = neon_i8;
    table->hamming = neon_hamming;
    if ((features & NIGH_CPU_DOTPROD) != 0) {
        table->u8[NIGHI_OP_L2] = dotprod_l2_u8;
        table->u8[NIGHI_OP_DOT] = dotprod_dot_u8;
        table->u8[NIGHI_OP_L1] = dotprod_l1_u8;
        table->i8 = dotprod_i8;
    }
}
#undef NEON_INLINE
#undef NEON_DOTPROD

#endif
