/* kernel_pick.c - from a feature word to a table of kernels, widest last so that it wins
 * layer L4; uses: base, kernel, kernel_isa
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The only file that knows every instruction set. `features` is trusted: the caller has taken away
 * what the machine lacks. */
#include "kernel_isa.h"

void nighi_kernels_pick(nighi_kernels *table, uint32_t features) {
#if defined(NIGH_SMALL) && defined(__wasm_simd128__)
    (void)features; /* a module with these instructions runs nowhere else */
    nighi_kernels_simd128(table);
#else
    nighi_kernels_scalar(table);
#endif
#if defined(__x86_64__) || defined(__i386__)
    if ((features & NIGH_CPU_SSE41) != 0) {
        nighi_kernels_sse41(table);
        nighi_codes_sse41(table);
    }
    if ((features & NIGH_CPU_AVX2) != 0) {
        nighi_kernels_avx2(table);
        nighi_codes_avx2(table);
    }
    if ((features & NIGH_CPU_AVX512) != 0) {
        nighi_kernels_avx512(table, features);
        nighi_codes_avx512(table, features);
    }
#elif defined(__aarch64__)
    if ((features & NIGH_CPU_NEON) != 0) {
        nighi_kernels_neon(table, features);
    }
#elif NIGHI_ARM_MVE || NIGHI_ARM_DSP
    if (NIGHI_ARM_ALONE || (features & (NIGH_CPU_MVE | NIGH_CPU_DSP)) != 0) {
        nighi_kernels_arm(table);
    }
#elif defined(__wasm_simd128__) && !defined(NIGH_SMALL)
    if ((features & NIGH_CPU_SIMD128) != 0) {
        nighi_kernels_simd128(table);
    }
#else
    (void)features;
#endif
}
