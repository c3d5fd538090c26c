/* kernel_codes_x86.c - SSE4.1, AVX2 and AVX-512 kernels over codes
 * layer L4; uses: base, kernel, kernel_isa, kernel_codes
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What makes u7 cheaper than u8: a difference fits a signed byte, and two products of bytes fit the
 * signed 16 bits of maddubs (2 * 127 * 127 = 32258), which would saturate on eight bits. */
#include "kernel_isa.h"

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>

#define X86_SSE41 __attribute__((target("ssse3,sse4.1")))
#define X86_AVX2 __attribute__((target("avx2")))
#define X86_AVX512 __attribute__((target("avx2,avx512f,avx512bw,avx512vl")))
#define X86_VNNI __attribute__((target("avx2,avx512f,avx512bw,avx512vl,avx512vnni")))
#define X86_VPOPCNT __attribute__((target("avx2,avx512f,avx512bw,avx512vl,avx512vpopcntdq")))
#define X86_INLINE static inline __attribute__((always_inline))

/* ---- SSE4.1 --------------------------------------------------------------------------------- */

/* Transposes and adds: two rounds, each of which halves what is left of every sum. */
X86_SSE41 X86_INLINE nighi_u32x4 codes_fold_128(__m128i a, __m128i b, __m128i c, __m128i d) {
    __m128i ab = _mm_add_epi32(_mm_unpacklo_epi32(a, b), _mm_unpackhi_epi32(a, b));
    __m128i cd = _mm_add_epi32(_mm_unpacklo_epi32(c, d), _mm_unpackhi_epi32(c, d));
    return (nighi_u32x4)_mm_add_epi32(_mm_unpacklo_epi64(ab, cd), _mm_unpackhi_epi64(ab, cd));
}

X86_SSE41 X86_INLINE __m128i codes_products_128(__m128i sum, __m128i u, __m128i s) {
    __m128i pairs = _mm_maddubs_epi16(u, s);
    return _mm_add_epi32(sum, _mm_madd_epi16(pairs, _mm_set1_epi16(1)));
}

X86_SSE41 X86_INLINE __m128i codes_l2_128(__m128i sum, __m128i q, __m128i x) {
    __m128i difference = _mm_abs_epi8(_mm_sub_epi8(q, x));
    return codes_products_128(sum, difference, difference);
}

X86_SSE41 X86_INLINE __m128i codes_bits_128(__m128i sum, __m128i q, __m128i x) {
    const __m128i table = _mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    const __m128i low = _mm_set1_epi8(15);
    __m128i v = _mm_xor_si128(q, x);
    __m128i high = _mm_shuffle_epi8(table, _mm_and_si128(_mm_srli_epi16(v, 4), low));
    __m128i count = _mm_add_epi8(_mm_shuffle_epi8(table, _mm_and_si128(v, low)), high);
    return _mm_add_epi32(sum, _mm_sad_epu8(count, _mm_setzero_si128()));
}

#define C_NAME(op) sse41_##op
#define C_TARGET X86_SSE41
#define C_WIDTH 16
#define C_BYTES __m128i
#define C_SUMS __m128i
#define C_ZERO() _mm_setzero_si128()
#define C_LOAD(p) _mm_load_si128((const __m128i *)(const void *)(p))
#define C_FOLD(a, b, c, d) codes_fold_128(a, b, c, d)
#define C_L2(s, q, x) codes_l2_128(s, q, x)
#define C_DOT(s, q, x) codes_products_128(s, x, q)
#define C_L1(s, q, x) _mm_add_epi32(s, _mm_sad_epu8(q, x))
#define C_BITS(s, q, x) codes_bits_128(s, q, x)
#include "kernel_codes.h"

void nighi_codes_sse41(nighi_kernels *table) {
    table->codes[NIGHI_CODE_L2] = sse41_code_l2;
    table->codes[NIGHI_CODE_DOT] = sse41_code_dot;
    table->codes[NIGHI_CODE_L1] = sse41_code_l1;
    table->codes[NIGHI_CODE_BITS] = sse41_code_bits;
}

/* ---- AVX2 ----------------------------------------------------------------------------------- */

X86_AVX2 X86_INLINE nighi_u32x4 codes_fold_256(__m256i a, __m256i b, __m256i c, __m256i d) {
    __m256i ab = _mm256_add_epi32(_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
    __m256i cd = _mm256_add_epi32(_mm256_unpacklo_epi32(c, d), _mm256_unpackhi_epi32(c, d));
    __m256i v = _mm256_add_epi32(_mm256_unpacklo_epi64(ab, cd), _mm256_unpackhi_epi64(ab, cd));
    __m128i high = _mm256_extracti128_si256(v, 1);
    return (nighi_u32x4)_mm_add_epi32(_mm256_castsi256_si128(v), high);
}

/* The part of a record that is no full vector: sixteen bytes. */
X86_AVX2 X86_INLINE __m256i codes_part_256(const uint8_t *p) {
    return _mm256_zextsi128_si256(_mm_load_si128((const __m128i *)(const void *)p));
}

X86_AVX2 X86_INLINE __m256i codes_products_256(__m256i sum, __m256i u, __m256i s) {
    __m256i pairs = _mm256_maddubs_epi16(u, s);
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

X86_AVX2 X86_INLINE __m256i codes_l2_256(__m256i sum, __m256i q, __m256i x) {
    __m256i difference = _mm256_abs_epi8(_mm256_sub_epi8(q, x));
    return codes_products_256(sum, difference, difference);
}

X86_AVX2 X86_INLINE __m256i codes_bits_256(__m256i sum, __m256i q, __m256i x) {
    const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1,
                                           2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    const __m256i low = _mm256_set1_epi8(15);
    __m256i v = _mm256_xor_si256(q, x);
    __m256i high = _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(v, 4), low));
    __m256i count = _mm256_shuffle_epi8(table, _mm256_and_si256(v, low));
    count = _mm256_add_epi8(count, high);
    return _mm256_add_epi32(sum, _mm256_sad_epu8(count, _mm256_setzero_si256()));
}

#define C_NAME(op) avx2_##op
#define C_TARGET X86_AVX2
#define C_WIDTH 32
#define C_BYTES __m256i
#define C_SUMS __m256i
#define C_ZERO() _mm256_setzero_si256()
#define C_LOAD(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define C_PART(p, n) codes_part_256(p)
#define C_FOLD(a, b, c, d) codes_fold_256(a, b, c, d)
#define C_L2(s, q, x) codes_l2_256(s, q, x)
#define C_DOT(s, q, x) codes_products_256(s, x, q)
#define C_L1(s, q, x) _mm256_add_epi32(s, _mm256_sad_epu8(q, x))
#define C_BITS(s, q, x) codes_bits_256(s, q, x)
#include "kernel_codes.h"

void nighi_codes_avx2(nighi_kernels *table) {
    table->codes[NIGHI_CODE_L2] = avx2_code_l2;
    table->codes[NIGHI_CODE_DOT] = avx2_code_dot;
    table->codes[NIGHI_CODE_L1] = avx2_code_l1;
    table->codes[NIGHI_CODE_BITS] = avx2_code_bits;
}

/* ---- AVX-512 -------------------------------------------------------------------------------- */

/* Also without VNNI twice as fast as AVX2 in the cache, where the 512-bit units are whole (Zen 5).
 * The forms with a zeroing mask: gcc 12 warns of the undefined register inside the plain ones. */
X86_AVX512 X86_INLINE __m512i codes_halve_512(__m512i a, __m512i b) {
    return _mm512_add_epi32(_mm512_maskz_unpacklo_epi32(0xffff, a, b),
                            _mm512_maskz_unpackhi_epi32(0xffff, a, b));
}

X86_AVX512 X86_INLINE nighi_u32x4 codes_fold_512(__m512i a, __m512i b, __m512i c, __m512i d) {
    __m512i ab = codes_halve_512(a, b);
    __m512i cd = codes_halve_512(c, d);
    __m512i v = _mm512_add_epi32(_mm512_maskz_unpacklo_epi64(0xff, ab, cd),
                                 _mm512_maskz_unpackhi_epi64(0xff, ab, cd));
    __m256i half =
        _mm256_add_epi32(_mm512_castsi512_si256(v), _mm512_maskz_extracti64x4_epi64(0xff, v, 1));
    __m128i high = _mm256_extracti128_si256(half, 1);
    return (nighi_u32x4)_mm_add_epi32(_mm256_castsi256_si128(half), high);
}

X86_AVX512 X86_INLINE __m512i codes_difference_512(__m512i q, __m512i x) {
    return _mm512_abs_epi8(_mm512_sub_epi8(q, x));
}

X86_AVX512 X86_INLINE __m512i codes_products_512(__m512i sum, __m512i u, __m512i s) {
    __m512i pairs = _mm512_maddubs_epi16(u, s);
    return _mm512_add_epi32(sum, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
}

X86_AVX512 X86_INLINE __m512i codes_l2_512(__m512i sum, __m512i q, __m512i x) {
    __m512i difference = codes_difference_512(q, x);
    return codes_products_512(sum, difference, difference);
}

#define X86_LOAD_512(p) _mm512_loadu_si512((const void *)(p))
#define X86_PART_512(p, n) _mm512_maskz_loadu_epi8(((__mmask64)1 << (n)) - 1, p)

#define C_NAME(op) avx512_##op
#define C_TARGET X86_AVX512
#define C_WIDTH 64
#define C_BYTES __m512i
#define C_SUMS __m512i
#define C_ZERO() _mm512_setzero_si512()
#define C_LOAD(p) X86_LOAD_512(p)
#define C_PART(p, n) X86_PART_512(p, n)
#define C_FOLD(a, b, c, d) codes_fold_512(a, b, c, d)
#define C_L2(s, q, x) codes_l2_512(s, q, x)
#define C_DOT(s, q, x) codes_products_512(s, x, q)
#define C_L1(s, q, x) _mm512_add_epi32(s, _mm512_sad_epu8(q, x))
#include "kernel_codes.h"

X86_VNNI X86_INLINE __m512i codes_l2_vnni(__m512i sum, __m512i q, __m512i x) {
    __m512i difference = codes_difference_512(q, x);
    return _mm512_dpbusd_epi32(sum, difference, difference);
}

#define C_NAME(op) vnni_##op
#define C_TARGET X86_VNNI
#define C_WIDTH 64
#define C_BYTES __m512i
#define C_SUMS __m512i
#define C_ZERO() _mm512_setzero_si512()
#define C_LOAD(p) X86_LOAD_512(p)
#define C_PART(p, n) X86_PART_512(p, n)
#define C_FOLD(a, b, c, d) codes_fold_512(a, b, c, d)
#define C_L2(s, q, x) codes_l2_vnni(s, q, x)
#define C_DOT(s, q, x) _mm512_dpbusd_epi32(s, x, q)
#include "kernel_codes.h"

#define C_NAME(op) vpopcnt_##op
#define C_TARGET X86_VPOPCNT
#define C_WIDTH 64
#define C_BYTES __m512i
#define C_SUMS __m512i
#define C_ZERO() _mm512_setzero_si512()
#define C_LOAD(p) X86_LOAD_512(p)
#define C_PART(p, n) X86_PART_512(p, n)
#define C_FOLD(a, b, c, d) codes_fold_512(a, b, c, d)
#define C_BITS(s, q, x) _mm512_add_epi32(s, _mm512_popcnt_epi32(_mm512_xor_si512(q, x)))
#include "kernel_codes.h"

void nighi_codes_avx512(nighi_kernels *table, uint32_t features) {
    table->codes[NIGHI_CODE_L2] = avx512_code_l2;
    table->codes[NIGHI_CODE_DOT] = avx512_code_dot;
    table->codes[NIGHI_CODE_L1] = avx512_code_l1;
    if ((features & NIGH_CPU_VNNI) != 0) {
        table->codes[NIGHI_CODE_L2] = vnni_code_l2;
        table->codes[NIGHI_CODE_DOT] = vnni_code_dot;
    }
    if ((features & NIGH_CPU_VPOPCNT) != 0) {
        table->codes[NIGHI_CODE_BITS] = vpopcnt_code_bits;
    }
}

#undef X86_SSE41
#undef X86_AVX2
#undef X86_AVX512
#undef X86_VNNI
#undef X86_VPOPCNT
#undef X86_INLINE
#undef X86_LOAD_512
#undef X86_PART_512

#endif
