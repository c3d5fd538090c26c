/* kernel_x86.c - SSE4.1, AVX2 and AVX-512 kernels, all in one translation unit
 * layer L4; uses: base, fp, num, kernel, kernel_isa, kernel_loop, kernel_bytes
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Each function carries its target attribute, because cgo and amalgams have one set of flags.
 * Nothing here uses FMA: see fp.h. */
#include "fp.h"
#include "kernel_isa.h"
#include "num.h"

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>

#define X86_SSE41 __attribute__((target("ssse3,sse4.1")))
#define X86_AVX2 __attribute__((target("avx2,f16c")))
#define X86_AVX512 __attribute__((target("avx2,f16c,avx512f,avx512bw,avx512vl,avx512dq")))
#define X86_VNNI __attribute__((target("avx2,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")))
#define X86_VPOPCNT __attribute__((target("avx2,avx512f,avx512bw,avx512vl,avx512vpopcntdq")))
#define X86_INLINE static inline __attribute__((always_inline))

/* AVX-512 implies FMA whatever the flags are; AVX2 does not. Clang must be kept from it. */
#if defined(__clang__)
#define X86_PIN_512(v) __asm__("" : "+v"(v))
#else
#define X86_PIN_512(v) ((void)0)
#endif

/* ---- SSE4.1 --------------------------------------------------------------------------------- */

X86_SSE41 X86_INLINE __m128i x86_tail_128(const void *p, uint32_t bytes) {
    uint64_t words[2];
    nighi_tail_load(p, bytes, words);
    return _mm_set_epi64x((long long)words[1], (long long)words[0]);
}

/* Four f16 in the low half: num.h has the same steps. */
X86_SSE41 X86_INLINE __m128 x86_widen_f16(__m128i halves) {
    __m128i wide = _mm_cvtepu16_epi32(halves);
    __m128i rest = _mm_and_si128(wide, _mm_set1_epi32(0x7fff));
    __m128i sign = _mm_slli_epi32(_mm_xor_si128(wide, rest), 16);
    __m128i infinite = _mm_cmpgt_epi32(rest, _mm_set1_epi32(0x7bff));
    __m128i special = _mm_and_si128(infinite, _mm_set1_epi32(0x7f800000));
    __m128 moved = _mm_castsi128_ps(_mm_slli_epi32(rest, 13));
    __m128 value = _mm_mul_ps(moved, _mm_set1_ps(0x1p112f));
    return _mm_or_ps(value, _mm_castsi128_ps(_mm_or_si128(sign, special)));
}

X86_SSE41 X86_INLINE __m128 x86_widen_bf16(__m128i brains) {
    return _mm_castsi128_ps(_mm_unpacklo_epi16(_mm_setzero_si128(), brains));
}

X86_SSE41 X86_INLINE float x86_reduce_128(__m128 v) {
    v = _mm_add_ps(v, _mm_movehl_ps(v, v));
    v = _mm_add_ss(v, _mm_shuffle_ps(v, v, 1));
    return _mm_cvtss_f32(v);
}

#define X86_LOAD_64(p) _mm_loadl_epi64((const __m128i *)(const void *)(p))
#define X86_LOAD_128(p) _mm_loadu_si128((const __m128i *)(const void *)(p))

#define K_NAME(op) sse41_##op
#define K_TARGET X86_SSE41
#define K_WIDTH 4
#define K_COUNT 8
#define K_VEC __m128
#define K_ZERO() _mm_setzero_ps()
#define K_ADD(a, b) _mm_add_ps(a, b)
#define K_SUB(a, b) _mm_sub_ps(a, b)
#define K_MUL(a, b) _mm_mul_ps(a, b)
#define K_ABS(a) _mm_andnot_ps(_mm_set1_ps(-0.0f), a)
#define K_PIN(v) NIGHI_FP_PIN(v)
#define K_REDUCE(v) x86_reduce_128(v)
#define K_LOAD_F32(p) _mm_loadu_ps(p)
#define K_LOAD_F16(p) x86_widen_f16(X86_LOAD_64(p))
#define K_LOAD_BF16(p) x86_widen_bf16(X86_LOAD_64(p))
#define K_PART_F32(p, n) _mm_castsi128_ps(x86_tail_128(p, 4 * (n)))
#define K_PART_F16(p, n) x86_widen_f16(x86_tail_128(p, 2 * (n)))
#define K_PART_BF16(p, n) x86_widen_bf16(x86_tail_128(p, 2 * (n)))
#define K_SPLIT 1
#include "kernel_loop.h"

X86_SSE41 X86_INLINE uint32_t x86_sum_128(__m128i v) {
    v = _mm_add_epi32(v, _mm_shuffle_epi32(v, 0x4e));
    v = _mm_add_epi32(v, _mm_shuffle_epi32(v, 0xb1));
    return (uint32_t)_mm_cvtsi128_si32(v);
}

X86_SSE41 X86_INLINE __m128i x86_squares_128(__m128i a, __m128i b) {
    return _mm_add_epi32(_mm_madd_epi16(a, a), _mm_madd_epi16(b, b));
}

/* Bits of each byte from two 16-entry tables, then summed to 64-bit lanes. */
X86_SSE41 X86_INLINE __m128i x86_bits_128(__m128i v) {
    const __m128i table = _mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    const __m128i low = _mm_set1_epi8(15);
    __m128i count = _mm_shuffle_epi8(table, _mm_and_si128(v, low));
    __m128i high = _mm_and_si128(_mm_srli_epi16(v, 4), low);
    count = _mm_add_epi8(count, _mm_shuffle_epi8(table, high));
    return _mm_sad_epu8(count, _mm_setzero_si128());
}

#define B_NAME(op) sse41_##op
#define B_TARGET X86_SSE41
#define B_WIDTH 16
#define B_VEC __m128i
#define B_ZERO() _mm_setzero_si128()
#define B_ADD(a, b) _mm_add_epi32(a, b)
#define B_LOAD(p) X86_LOAD_128(p)
#define B_PART(p, n) x86_tail_128(p, n)
#define B_SUM(v) x86_sum_128(v)
/* Unsigned bytes widened to 16 bits; signed ones by doubling and shifting the sign down. */
#define X86_LOW(v) _mm_unpacklo_epi8(v, _mm_setzero_si128())
#define X86_HIGH(v) _mm_unpackhi_epi8(v, _mm_setzero_si128())
#define X86_LOW_S(v) _mm_srai_epi16(_mm_unpacklo_epi8(v, v), 8)
#define X86_HIGH_S(v) _mm_srai_epi16(_mm_unpackhi_epi8(v, v), 8)
#define B_L2(a, b, q, x)                                                                           \
    do {                                                                                           \
        q = _mm_or_si128(_mm_subs_epu8(q, x), _mm_subs_epu8(x, q));                                \
        a = _mm_add_epi32(a, _mm_madd_epi16(X86_LOW(q), X86_LOW(q)));                              \
        b = _mm_add_epi32(b, _mm_madd_epi16(X86_HIGH(q), X86_HIGH(q)));                            \
    } while (0)
#define B_DOT(a, b, q, x)                                                                          \
    do {                                                                                           \
        a = _mm_add_epi32(a, _mm_madd_epi16(X86_LOW(q), X86_LOW(x)));                              \
        b = _mm_add_epi32(b, _mm_madd_epi16(X86_HIGH(q), X86_HIGH(x)));                            \
    } while (0)
#define B_L2_END(a, b) B_SUM(B_ADD(a, b))
#define B_DOT_END(a, b) B_SUM(B_ADD(a, b))
#define B_L1(a, b, q, x) a = _mm_add_epi32(a, _mm_sad_epu8(q, x))
#define B_BITS(a, b, q, x) a = _mm_add_epi32(a, x86_bits_128(_mm_xor_si128(q, x)))
#define B_I8(a, b, c, d, q, x)                                                                     \
    do {                                                                                           \
        __m128i low = X86_LOW_S(x);                                                                \
        __m128i high = X86_HIGH_S(x);                                                              \
        a = _mm_add_epi32(a, _mm_madd_epi16(X86_LOW_S(q), low));                                   \
        d = _mm_add_epi32(d, _mm_madd_epi16(X86_HIGH_S(q), high));                                 \
        b = _mm_add_epi32(b, _mm_madd_epi16(_mm_add_epi16(low, high), _mm_set1_epi16(1)));         \
        c = _mm_add_epi32(c, x86_squares_128(low, high));                                          \
    } while (0)
#define B_I8_END(a, b, c, d, out)                                                                  \
    do {                                                                                           \
        (out)[0] = (int32_t)B_SUM(B_ADD(a, d));                                                    \
        (out)[1] = (int32_t)B_SUM(b);                                                              \
        (out)[2] = (int32_t)B_SUM(c);                                                              \
    } while (0)
#include "kernel_bytes.h"
#undef X86_LOW
#undef X86_HIGH
#undef X86_LOW_S
#undef X86_HIGH_S

void nighi_kernels_sse41(nighi_kernels *table) {
    sse41_fill_floats(table);
    table->u8[NIGHI_OP_L2] = sse41_l2_u8;
    table->u8[NIGHI_OP_DOT] = sse41_dot_u8;
    table->u8[NIGHI_OP_L1] = sse41_l1_u8;
    table->i8 = sse41_i8;
    table->hamming = sse41_hamming;
}

/* ---- AVX2 ----------------------------------------------------------------------------------- */

X86_AVX2 X86_INLINE __m128i x86_tail_avx2(const void *p, uint32_t bytes) {
    uint64_t words[2];
    nighi_tail_load(p, bytes, words);
    return _mm_set_epi64x((long long)words[1], (long long)words[0]);
}

/* Not maskload: as fast, but qemu 7 reads the lanes beyond the mask too and faults there. */
X86_AVX2 X86_INLINE __m256 x86_part_f32(const float *p, uint32_t n) {
    if (n < 4) {
        return _mm256_castsi256_ps(_mm256_zextsi128_si256(x86_tail_avx2(p, 4 * n)));
    }
    __m256i low = _mm256_zextsi128_si256(X86_LOAD_128(p));
    if (n > 4) {
        low = _mm256_inserti128_si256(low, x86_tail_avx2(p + 4, 4 * (n - 4)), 1);
    }
    return _mm256_castsi256_ps(low);
}

X86_AVX2 X86_INLINE __m256 x86_brains_256(__m128i brains) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(brains), 16));
}

X86_AVX2 X86_INLINE float x86_reduce_256(__m256 v) {
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    s = _mm_add_ss(s, _mm_shuffle_ps(s, s, 1));
    return _mm_cvtss_f32(s);
}

/* Rows 0 and 2 share a vector, and 1 and 3, so that the last shuffle leaves them in order. */
X86_AVX2 X86_INLINE void x86_fold4_256(__m256 v02, __m256 v13, float *out) {
    __m256 low = _mm256_shuffle_ps(v02, v13, 0x44);
    __m256 v = _mm256_add_ps(low, _mm256_shuffle_ps(v02, v13, 0xee));
    __m128 v01 = _mm256_castps256_ps128(v);
    __m128 v23 = _mm256_extractf128_ps(v, 1);
    __m128 even = _mm_shuffle_ps(v01, v23, 0x88);
    _mm_storeu_ps(out, _mm_add_ps(even, _mm_shuffle_ps(v01, v23, 0xdd)));
}

X86_AVX2 X86_INLINE __m256 x86_halves_add(__m256 a, __m256 b) {
    return _mm256_add_ps(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
}

X86_AVX2 X86_INLINE void x86_reduce4_256(const __m256 v[4], float *out) {
    x86_fold4_256(x86_halves_add(v[0], v[2]), x86_halves_add(v[1], v[3]), out);
}

#define K_NAME(op) avx2_##op
#define K_TARGET X86_AVX2
#define K_WIDTH 8
#define K_COUNT 4
#define K_ROWS 2
#define K_VEC __m256
#define K_ZERO() _mm256_setzero_ps()
#define K_ADD(a, b) _mm256_add_ps(a, b)
#define K_SUB(a, b) _mm256_sub_ps(a, b)
#define K_MUL(a, b) _mm256_mul_ps(a, b)
#define K_ABS(a) _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a)
#define K_PIN(v) NIGHI_FP_PIN(v)
#define K_KEEP(v) __asm__("" : "+x"(v))
#define K_REDUCE(v) x86_reduce_256(v)
#define K_REDUCE_4(v, out) x86_reduce4_256(v, out)
#define K_LOAD_F32(p) _mm256_loadu_ps(p)
#define K_LOAD_F16(p) _mm256_cvtph_ps(X86_LOAD_128(p))
#define K_LOAD_BF16(p) x86_brains_256(X86_LOAD_128(p))
#define K_PART_F32(p, n) x86_part_f32(p, n)
#define K_PART_F16(p, n) _mm256_cvtph_ps(x86_tail_avx2(p, 2 * (n)))
#define K_PART_BF16(p, n) x86_brains_256(x86_tail_avx2(p, 2 * (n)))
#define K_SPLIT 0
#include "kernel_loop.h"

X86_AVX2 X86_INLINE uint32_t x86_sum_256(__m256i v) {
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1));
    return (uint32_t)_mm_cvtsi128_si32(s);
}

X86_AVX2 X86_INLINE __m256i x86_squares_256(__m256i a, __m256i b) {
    return _mm256_add_epi32(_mm256_madd_epi16(a, a), _mm256_madd_epi16(b, b));
}

X86_AVX2 X86_INLINE __m256i x86_part_256(const uint8_t *p, uint32_t n) {
    if (n < 16) {
        return _mm256_zextsi128_si256(x86_tail_avx2(p, n));
    }
    __m256i low = _mm256_zextsi128_si256(X86_LOAD_128(p));
    return n == 16 ? low : _mm256_inserti128_si256(low, x86_tail_avx2(p + 16, n - 16), 1);
}

X86_AVX2 X86_INLINE __m256i x86_bits_256(__m256i v) {
    const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1,
                                           2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    const __m256i low = _mm256_set1_epi8(15);
    __m256i count = _mm256_shuffle_epi8(table, _mm256_and_si256(v, low));
    __m256i high = _mm256_and_si256(_mm256_srli_epi16(v, 4), low);
    count = _mm256_add_epi8(count, _mm256_shuffle_epi8(table, high));
    return _mm256_sad_epu8(count, _mm256_setzero_si256());
}

#define B_NAME(op) avx2_##op
#define B_TARGET X86_AVX2
#define B_WIDTH 32
#define B_VEC __m256i
#define B_ZERO() _mm256_setzero_si256()
#define B_ADD(a, b) _mm256_add_epi32(a, b)
#define B_LOAD(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define B_PART(p, n) x86_part_256(p, n)
#define B_SUM(v) x86_sum_256(v)
#define X86_LOW(v) _mm256_unpacklo_epi8(v, _mm256_setzero_si256())
#define X86_HIGH(v) _mm256_unpackhi_epi8(v, _mm256_setzero_si256())
#define X86_LOW_S(v) _mm256_srai_epi16(_mm256_unpacklo_epi8(v, v), 8)
#define X86_HIGH_S(v) _mm256_srai_epi16(_mm256_unpackhi_epi8(v, v), 8)
#define B_L2(a, b, q, x)                                                                           \
    do {                                                                                           \
        q = _mm256_or_si256(_mm256_subs_epu8(q, x), _mm256_subs_epu8(x, q));                       \
        a = _mm256_add_epi32(a, _mm256_madd_epi16(X86_LOW(q), X86_LOW(q)));                        \
        b = _mm256_add_epi32(b, _mm256_madd_epi16(X86_HIGH(q), X86_HIGH(q)));                      \
    } while (0)
#define B_DOT(a, b, q, x)                                                                          \
    do {                                                                                           \
        a = _mm256_add_epi32(a, _mm256_madd_epi16(X86_LOW(q), X86_LOW(x)));                        \
        b = _mm256_add_epi32(b, _mm256_madd_epi16(X86_HIGH(q), X86_HIGH(x)));                      \
    } while (0)
#define B_L2_END(a, b) B_SUM(B_ADD(a, b))
#define B_DOT_END(a, b) B_SUM(B_ADD(a, b))
#define B_L1(a, b, q, x) a = _mm256_add_epi32(a, _mm256_sad_epu8(q, x))
#define B_BITS(a, b, q, x) a = _mm256_add_epi32(a, x86_bits_256(_mm256_xor_si256(q, x)))
#define B_I8(a, b, c, d, q, x)                                                                     \
    do {                                                                                           \
        __m256i low = X86_LOW_S(x);                                                                \
        __m256i high = X86_HIGH_S(x);                                                              \
        a = _mm256_add_epi32(a, _mm256_madd_epi16(X86_LOW_S(q), low));                             \
        d = _mm256_add_epi32(d, _mm256_madd_epi16(X86_HIGH_S(q), high));                           \
        __m256i both = _mm256_madd_epi16(_mm256_add_epi16(low, high), _mm256_set1_epi16(1));       \
        b = _mm256_add_epi32(b, both);                                                             \
        c = _mm256_add_epi32(c, x86_squares_256(low, high));                                       \
    } while (0)
#define B_I8_END(a, b, c, d, out)                                                                  \
    do {                                                                                           \
        (out)[0] = (int32_t)B_SUM(B_ADD(a, d));                                                    \
        (out)[1] = (int32_t)B_SUM(b);                                                              \
        (out)[2] = (int32_t)B_SUM(c);                                                              \
    } while (0)
#include "kernel_bytes.h"
#undef X86_LOW
#undef X86_HIGH
#undef X86_LOW_S
#undef X86_HIGH_S

void nighi_kernels_avx2(nighi_kernels *table) {
    avx2_fill_floats(table);
    table->u8[NIGHI_OP_L2] = avx2_l2_u8;
    table->u8[NIGHI_OP_DOT] = avx2_dot_u8;
    table->u8[NIGHI_OP_L1] = avx2_l1_u8;
    table->i8 = avx2_i8;
    table->hamming = avx2_hamming;
}

/* ---- AVX-512 -------------------------------------------------------------------------------- */

/* The forms with a zeroing mask: gcc 12 warns of the undefined register inside the plain ones. */
X86_AVX512 X86_INLINE __m512 x86_brains_512(__m256i brains) {
    __m512i wide = _mm512_maskz_cvtepu16_epi32(0xffff, brains);
    return _mm512_castsi512_ps(_mm512_maskz_slli_epi32(0xffff, wide, 16));
}

X86_AVX512 X86_INLINE __m512 x86_halves_512(__m256i halves) {
    return _mm512_maskz_cvtph_ps(0xffff, halves);
}

X86_AVX512 X86_INLINE float x86_reduce_512(__m512 v) {
    __m256 high = _mm512_maskz_extractf32x8_ps(0xff, v, 1);
    __m256 half = _mm256_add_ps(_mm512_castps512_ps256(v), high);
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    s = _mm_add_ss(s, _mm_shuffle_ps(s, s, 1));
    return _mm_cvtss_f32(s);
}

#define X86_QUARTERS(a, b, order) _mm512_maskz_shuffle_f32x4(0xffff, a, b, order)

/* Adds the halves of each row: of two rows in a vector, then of four. */
X86_AVX512 X86_INLINE void x86_reduce4_512(const __m512 v[4], float *out) {
    __m512 v02 = _mm512_add_ps(X86_QUARTERS(v[0], v[2], 0x44), X86_QUARTERS(v[0], v[2], 0xee));
    __m512 v13 = _mm512_add_ps(X86_QUARTERS(v[1], v[3], 0x44), X86_QUARTERS(v[1], v[3], 0xee));
    __m512 all = _mm512_add_ps(X86_QUARTERS(v02, v13, 0x88), X86_QUARTERS(v02, v13, 0xdd));
    __m256 high = _mm512_maskz_extractf32x8_ps(0xff, all, 1);
    x86_fold4_256(_mm512_castps512_ps256(all), high, out);
}
#undef X86_QUARTERS

#define X86_MASK_16(n) ((__mmask16)((1u << (n)) - 1u))

#define K_NAME(op) avx512_##op
#define K_TARGET X86_AVX512
#define K_WIDTH 16
#define K_COUNT 2
#define K_ROWS 4
#define K_VEC __m512
#define K_ZERO() _mm512_setzero_ps()
#define K_ADD(a, b) _mm512_add_ps(a, b)
#define K_SUB(a, b) _mm512_sub_ps(a, b)
#define K_MUL(a, b) _mm512_mul_ps(a, b)
#define K_ABS(a) _mm512_andnot_ps(_mm512_set1_ps(-0.0f), a)
#define K_PIN(v) X86_PIN_512(v)
#define K_KEEP(v) __asm__("" : "+v"(v))
#define K_REDUCE(v) x86_reduce_512(v)
#define K_REDUCE_4(v, out) x86_reduce4_512(v, out)
#define K_LOAD_F32(p) _mm512_loadu_ps(p)
#define K_LOAD_F16(p) x86_halves_512(_mm256_loadu_si256((const __m256i *)(const void *)(p)))
#define K_LOAD_BF16(p) x86_brains_512(_mm256_loadu_si256((const __m256i *)(const void *)(p)))
#define K_PART_F32(p, n) _mm512_maskz_loadu_ps(X86_MASK_16(n), p)
#define K_PART_F16(p, n) x86_halves_512(_mm256_maskz_loadu_epi16(X86_MASK_16(n), p))
#define K_PART_BF16(p, n) x86_brains_512(_mm256_maskz_loadu_epi16(X86_MASK_16(n), p))
#define K_SPLIT 0
#include "kernel_loop.h"
#undef X86_MASK_16

/* VNNI multiplies unsigned by signed bytes. An unsigned x becomes signed as x - 128 (flip the top
 * bit), a signed one unsigned as x + 128; 128 times the other side's sum makes up for it. */
#define X86_FLIP(v) _mm512_xor_si512(v, _mm512_set1_epi8(-128))
#define X86_ONES _mm512_set1_epi8(1)

X86_VNNI X86_INLINE uint32_t x86_sum_512(__m512i v) {
    __m256i high = _mm512_maskz_extracti64x4_epi64(0xff, v, 1);
    __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(v), high);
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1));
    return (uint32_t)_mm_cvtsi128_si32(s);
}

#define X86_PART_512(p, n) _mm512_maskz_loadu_epi8(((__mmask64)1 << (n)) - 1, p)

#define B_NAME(op) vnni_##op
#define B_TARGET X86_VNNI
#define B_WIDTH 64
#define B_VEC __m512i
#define B_ZERO() _mm512_setzero_si512()
#define B_ADD(a, b) _mm512_add_epi32(a, b)
#define B_LOAD(p) _mm512_loadu_si512((const void *)(p))
#define B_PART(p, n) X86_PART_512(p, n)
#define B_SUM(v) x86_sum_512(v)
#define B_L2(a, b, q, x)                                                                           \
    do {                                                                                           \
        q = _mm512_or_si512(_mm512_subs_epu8(q, x), _mm512_subs_epu8(x, q));                       \
        a = _mm512_dpbusd_epi32(a, q, X86_FLIP(q));                                                \
        b = _mm512_dpbusd_epi32(b, q, X86_ONES);                                                   \
    } while (0)
#define B_DOT(a, b, q, x)                                                                          \
    do {                                                                                           \
        a = _mm512_dpbusd_epi32(a, q, X86_FLIP(x));                                                \
        b = _mm512_dpbusd_epi32(b, q, X86_ONES);                                                   \
    } while (0)
#define B_L2_END(a, b) (B_SUM(a) + (B_SUM(b) << 7))
#define B_DOT_END(a, b) (B_SUM(a) + (B_SUM(b) << 7))
#define B_L1(a, b, q, x) a = _mm512_add_epi32(a, _mm512_sad_epu8(q, x))
#define B_I8(a, b, c, d, q, x)                                                                     \
    do {                                                                                           \
        a = _mm512_dpbusd_epi32(a, X86_FLIP(x), q);                                                \
        b = _mm512_dpbusd_epi32(b, X86_ONES, x);                                                   \
        c = _mm512_dpbusd_epi32(c, X86_FLIP(x), x);                                                \
        d = _mm512_dpbusd_epi32(d, X86_ONES, q);                                                   \
    } while (0)
#define B_I8_END(a, b, c, d, out)                                                                  \
    do {                                                                                           \
        uint32_t sum = B_SUM(b);                                                                   \
        (out)[0] = (int32_t)(B_SUM(a) - (B_SUM(d) << 7));                                          \
        (out)[1] = (int32_t)sum;                                                                   \
        (out)[2] = (int32_t)(B_SUM(c) - (sum << 7));                                               \
    } while (0)
#include "kernel_bytes.h"
#undef X86_FLIP
#undef X86_ONES

X86_VPOPCNT X86_INLINE uint32_t x86_sum_popcnt(__m512i v) {
    __m256i high = _mm512_maskz_extracti64x4_epi64(0xff, v, 1);
    __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(v), high);
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1));
    return (uint32_t)_mm_cvtsi128_si32(s);
}

#define B_NAME(op) vpopcnt_##op
#define B_TARGET X86_VPOPCNT
#define B_WIDTH 64
#define B_VEC __m512i
#define B_ZERO() _mm512_setzero_si512()
#define B_ADD(a, b) _mm512_add_epi32(a, b)
#define B_LOAD(p) _mm512_loadu_si512((const void *)(p))
#define B_PART(p, n) X86_PART_512(p, n)
#define B_SUM(v) x86_sum_popcnt(v)
#define B_BITS(a, b, q, x) a = _mm512_add_epi32(a, _mm512_popcnt_epi32(_mm512_xor_si512(q, x)))
#include "kernel_bytes.h"
#undef X86_PART_512

void nighi_kernels_avx512(nighi_kernels *table, uint32_t features) {
    avx512_fill_floats(table);
    if ((features & NIGH_CPU_VNNI) != 0) {
        table->u8[NIGHI_OP_L2] = vnni_l2_u8;
        table->u8[NIGHI_OP_DOT] = vnni_dot_u8;
        table->u8[NIGHI_OP_L1] = vnni_l1_u8;
        table->i8 = vnni_i8;
    }
    if ((features & NIGH_CPU_VPOPCNT) != 0) {
        table->hamming = vpopcnt_hamming;
    }
}

#undef X86_SSE41
#undef X86_AVX2
#undef X86_AVX512
#undef X86_VNNI
#undef X86_VPOPCNT
#undef X86_INLINE
#undef X86_PIN_512
#undef X86_LOAD_64
#undef X86_LOAD_128

#endif
