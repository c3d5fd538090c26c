/* kernel_isa.h - what each instruction set's file offers to kernel_pick.c
 * layer L3; uses: base, num, kernel
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Each function overwrites the entries that it does better than the level below. */
#ifndef NIGHI_KERNEL_ISA_H
#define NIGHI_KERNEL_ISA_H
#include "kernel.h"
#include "num.h"

#define NIGHI_LANES 32u /* of every float reduction: DESIGN 2 */

/* The first `bytes` (1..15) bytes at `from`, zeros behind them, from no byte beyond: overlapping
 * loads instead of a loop over elements, so that a ragged end costs a few cycles. */
NIGHI_INLINE void nighi_tail_load(const void *from, uint32_t bytes, uint64_t words[2]) {
    const uint8_t *p = (const uint8_t *)from;
    words[1] = 0;
    if (bytes >= 8) {
        words[0] = nighi_load_u64(p);
        words[1] = (nighi_load_u64(p + bytes - 8) >> (8 * (15 - bytes))) >> 8;
    } else if (bytes >= 4) {
        uint64_t last = nighi_load_u32(p + bytes - 4);
        words[0] = nighi_load_u32(p) | (last >> (8 * (8 - bytes))) << 32;
    } else { /* 1, 2 or 3: some byte comes twice, to the same place */
        words[0] = (uint64_t)p[0] | (uint64_t)p[bytes / 2] << (8 * (bytes / 2)) |
                   (uint64_t)p[bytes - 1] << (8 * (bytes - 1));
    }
}

/* What kernel_codes.h folds the sums of four codes to. */
typedef uint32_t nighi_u32x4 __attribute__((vector_size(16)));

/* 32-bit ARM: what the compiler was told of the processor. */
#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)
#define NIGHI_ARM_MVE 1
#else
#define NIGHI_ARM_MVE 0
#endif
#if defined(__arm__) && defined(__ARM_FEATURE_SIMD32)
#define NIGHI_ARM_DSP 1
#else
#define NIGHI_ARM_DSP 0
#endif
/* Small builds have the kernels of one processor only. */
#define NIGHI_ARM_ALONE (NIGHI_IS_SMALL && (NIGHI_ARM_MVE || NIGHI_ARM_DSP))

NIGHI_FN void nighi_kernels_scalar(nighi_kernels *table);
#if NIGHI_ARM_MVE || NIGHI_ARM_DSP
NIGHI_FN void nighi_kernels_arm(nighi_kernels *table);
#endif
#if defined(__x86_64__) || defined(__i386__)
NIGHI_FN void nighi_kernels_sse41(nighi_kernels *table);
NIGHI_FN void nighi_kernels_avx2(nighi_kernels *table);
NIGHI_FN void nighi_kernels_avx512(nighi_kernels *table, uint32_t features);
NIGHI_FN void nighi_codes_sse41(nighi_kernels *table);
NIGHI_FN void nighi_codes_avx2(nighi_kernels *table);
NIGHI_FN void nighi_codes_avx512(nighi_kernels *table, uint32_t features);
#elif defined(__aarch64__)
NIGHI_FN void nighi_kernels_neon(nighi_kernels *table, uint32_t features);
#elif defined(__wasm_simd128__)
NIGHI_FN void nighi_kernels_simd128(nighi_kernels *table);
#endif

#endif
