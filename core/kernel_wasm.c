/* kernel_wasm.c - WebAssembly SIMD128 kernels; none of relaxed SIMD, whose results may differ
 * layer L4; uses: fp, num, kernel_isa, kernel_loop, kernel_small, kernel_bytes, kernel_codes
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "fp.h"
#include "kernel_isa.h"
#include "num.h"

#if defined(__wasm_simd128__)
#include <wasm_simd128.h>

#define WASM_INLINE static inline __attribute__((always_inline))

WASM_INLINE v128_t wasm_tail(const void *p, uint32_t bytes) {
    uint64_t words[2];
    nighi_tail_load(p, bytes, words);
    return wasm_u64x2_make(words[0], words[1]);
}

/* Four f16, each in the low half of a 32-bit lane: num.h has the same steps. */
WASM_INLINE v128_t wasm_widen_f16(v128_t wide) {
    v128_t rest = wasm_v128_and(wide, wasm_i32x4_splat(0x7fff));
    v128_t sign = wasm_i32x4_shl(wasm_v128_xor(wide, rest), 16);
    v128_t infinite = wasm_i32x4_gt(rest, wasm_i32x4_splat(0x7bff));
    v128_t special = wasm_v128_and(infinite, wasm_i32x4_splat(0x7f800000));
    v128_t value = wasm_f32x4_mul(wasm_i32x4_shl(rest, 13), wasm_f32x4_splat(0x1p112f));
    return wasm_v128_or(value, wasm_v128_or(sign, special));
}

WASM_INLINE v128_t wasm_widen_bf16(v128_t wide) { return wasm_i32x4_shl(wide, 16); }

WASM_INLINE float wasm_reduce(v128_t v) {
    v = wasm_f32x4_add(v, wasm_i32x4_shuffle(v, v, 2, 3, 2, 3));
    return wasm_f32x4_extract_lane(v, 0) + wasm_f32x4_extract_lane(v, 1);
}

#define K_NAME(op) simd128_##op
#define K_TARGET
#define K_WIDTH 4
#define K_COUNT 8
#define K_VEC v128_t
#define K_ZERO() wasm_f32x4_const(0.0f, 0.0f, 0.0f, 0.0f)
#define K_ADD(a, b) wasm_f32x4_add(a, b)
#define K_SUB(a, b) wasm_f32x4_sub(a, b)
#define K_MUL(a, b) wasm_f32x4_mul(a, b)
#define K_ABS(a) wasm_f32x4_abs(a)
#define K_PIN(v) ((void)0)
#define K_REDUCE(v) wasm_reduce(v)
#define K_LOAD_F32(p) wasm_v128_load(p)
#define K_LOAD_F16(p) wasm_widen_f16(wasm_u32x4_load16x4(p))
#define K_LOAD_BF16(p) wasm_widen_bf16(wasm_u32x4_load16x4(p))
#define K_PART_F32(p, n) wasm_tail(p, 4 * (n))
#define K_PART_F16(p, n) wasm_widen_f16(wasm_u32x4_extend_low_u16x8(wasm_tail(p, 2 * (n))))
#define K_PART_BF16(p, n) wasm_widen_bf16(wasm_u32x4_extend_low_u16x8(wasm_tail(p, 2 * (n))))
#define K_SPLIT 1
#ifdef NIGH_SMALL
#define K_STORE(p, v) wasm_v128_store(p, v)
#include "kernel_small.h"
#else
#include "kernel_loop.h"
#endif

WASM_INLINE uint32_t wasm_sum(v128_t v) {
    v = wasm_i32x4_add(v, wasm_i32x4_shuffle(v, v, 2, 3, 0, 1));
    return (uint32_t)wasm_i32x4_extract_lane(v, 0) + (uint32_t)wasm_i32x4_extract_lane(v, 1);
}

/* Sums of four unsigned bytes to 32-bit lanes. Two bytes fit a signed 16-bit lane, whose pairwise
 * addition is one instruction on x86; of unsigned ones it is three. */
WASM_INLINE v128_t wasm_quads(v128_t v) {
    return wasm_i32x4_extadd_pairwise_i16x8(wasm_u16x8_extadd_pairwise_u8x16(v));
}

#define WASM_LOW(v) wasm_u16x8_extend_low_u8x16(v)
#define WASM_HIGH(v) wasm_u16x8_extend_high_u8x16(v)
#define WASM_LOW_S(v) wasm_i16x8_extend_low_i8x16(v)
#define WASM_HIGH_S(v) wasm_i16x8_extend_high_i8x16(v)

#define B_NAME(op) simd128_##op
#define B_TARGET
#define B_WIDTH 16
#define B_VEC v128_t
#define B_ZERO() wasm_i32x4_const(0, 0, 0, 0)
#define B_ADD(a, b) wasm_i32x4_add(a, b)
#define B_LOAD(p) wasm_v128_load(p)
#define B_PART(p, n) wasm_tail(p, n)
#define B_SUM(v) wasm_sum(v)
#define B_L2(a, b, q, x)                                                                           \
    do {                                                                                           \
        q = wasm_v128_or(wasm_u8x16_sub_sat(q, x), wasm_u8x16_sub_sat(x, q));                      \
        a = B_ADD(a, wasm_i32x4_dot_i16x8(WASM_LOW(q), WASM_LOW(q)));                              \
        b = B_ADD(b, wasm_i32x4_dot_i16x8(WASM_HIGH(q), WASM_HIGH(q)));                            \
    } while (0)
#define B_DOT(a, b, q, x)                                                                          \
    do {                                                                                           \
        a = B_ADD(a, wasm_i32x4_dot_i16x8(WASM_LOW(q), WASM_LOW(x)));                              \
        b = B_ADD(b, wasm_i32x4_dot_i16x8(WASM_HIGH(q), WASM_HIGH(x)));                            \
    } while (0)
#define B_L2_END(a, b) B_SUM(B_ADD(a, b))
#define B_DOT_END(a, b) B_SUM(B_ADD(a, b))
#define B_L1(a, b, q, x)                                                                           \
    do {                                                                                           \
        q = wasm_v128_or(wasm_u8x16_sub_sat(q, x), wasm_u8x16_sub_sat(x, q));                      \
        a = B_ADD(a, wasm_quads(q));                                                               \
    } while (0)
#define B_BITS(a, b, q, x) a = B_ADD(a, wasm_quads(wasm_i8x16_popcnt(wasm_v128_xor(q, x))))
#define B_I8(a, b, c, d, q, x)                                                                     \
    do {                                                                                           \
        v128_t low = WASM_LOW_S(x);                                                                \
        v128_t high = WASM_HIGH_S(x);                                                              \
        v128_t pairs = wasm_i16x8_extadd_pairwise_i8x16(x);                                        \
        a = B_ADD(a, wasm_i32x4_dot_i16x8(WASM_LOW_S(q), low));                                    \
        d = B_ADD(d, wasm_i32x4_dot_i16x8(WASM_HIGH_S(q), high));                                  \
        b = B_ADD(b, wasm_i32x4_extadd_pairwise_i16x8(pairs));                                     \
        c = B_ADD(c, wasm_i32x4_dot_i16x8(low, low));                                              \
        c = B_ADD(c, wasm_i32x4_dot_i16x8(high, high));                                            \
    } while (0)
#define B_I8_END(a, b, c, d, out)                                                                  \
    do {                                                                                           \
        (out)[0] = (int32_t)B_SUM(B_ADD(a, d));                                                    \
        (out)[1] = (int32_t)B_SUM(b);                                                              \
        (out)[2] = (int32_t)B_SUM(c);                                                              \
    } while (0)
#include "kernel_bytes.h"

/* Transposes and adds: two rounds, each of which halves what is left of every sum. */
WASM_INLINE nighi_u32x4 wasm_fold(v128_t a, v128_t b, v128_t c, v128_t d) {
    v128_t ab =
        wasm_i32x4_add(wasm_i32x4_shuffle(a, b, 0, 4, 1, 5), wasm_i32x4_shuffle(a, b, 2, 6, 3, 7));
    v128_t cd =
        wasm_i32x4_add(wasm_i32x4_shuffle(c, d, 0, 4, 1, 5), wasm_i32x4_shuffle(c, d, 2, 6, 3, 7));
    return (nighi_u32x4)wasm_i32x4_add(wasm_i64x2_shuffle(ab, cd, 0, 2),
                                       wasm_i64x2_shuffle(ab, cd, 1, 3));
}

/* Widened bytes, not products of bytes (extmul), which no x86 instruction makes: those took 1.45
 * times as long in V8 on x86. */
WASM_INLINE v128_t wasm_products(v128_t sum, v128_t a, v128_t b) {
    sum = wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(WASM_LOW_S(a), WASM_LOW_S(b)));
    return wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(WASM_HIGH_S(a), WASM_HIGH_S(b)));
}

/* Differences of u7 fit a signed byte. */
WASM_INLINE v128_t wasm_squares(v128_t sum, v128_t q, v128_t x) {
    v128_t difference = wasm_i8x16_sub(q, x);
    return wasm_products(sum, difference, difference);
}

#define C_NAME(op) simd128_##op
#define C_TARGET
#define C_WIDTH 16
#define C_BYTES v128_t
#define C_SUMS v128_t
#define C_ZERO() wasm_i32x4_const(0, 0, 0, 0)
#define C_LOAD(p) wasm_v128_load(p)
#define C_FOLD(a, b, c, d) wasm_fold(a, b, c, d)
#define C_L2(s, q, x) wasm_squares(s, q, x)
#define C_DOT(s, q, x) wasm_products(s, q, x)
#define C_L1(s, q, x) wasm_i32x4_add(s, wasm_quads(wasm_i8x16_abs(wasm_i8x16_sub(q, x))))
#define C_BITS(s, q, x) wasm_i32x4_add(s, wasm_quads(wasm_i8x16_popcnt(wasm_v128_xor(q, x))))
#include "kernel_codes.h"
#undef WASM_LOW
#undef WASM_HIGH
#undef WASM_LOW_S
#undef WASM_HIGH_S
#undef WASM_INLINE

void nighi_kernels_simd128(nighi_kernels *table) {
    simd128_fill_floats(table);
    if (NIGHI_HAS_BYTES) {
        table->u8[NIGHI_OP_L2] = simd128_l2_u8;
        table->u8[NIGHI_OP_DOT] = simd128_dot_u8;
        table->u8[NIGHI_OP_L1] = simd128_l1_u8;
        table->i8 = simd128_i8;
        table->hamming = simd128_hamming;
    }
    table->codes[NIGHI_CODE_L2] = simd128_code_l2;
    table->codes[NIGHI_CODE_DOT] = simd128_code_dot;
    if (NIGHI_HAS_L1) {
        table->codes[NIGHI_CODE_L1] = simd128_code_l1;
    }
    if (NIGHI_HAS_BYTES) {
        table->codes[NIGHI_CODE_BITS] = simd128_code_bits;
    }
}

#endif
