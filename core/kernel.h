/* kernel.h - kernel signatures and the table that one handle picks once; nothing else
 * layer L1; uses: base
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Every kernel reduces over elements in the one order that DESIGN 2 fixes, so that each instruction
 * set gives the same bits: 32 float lanes from +0, lane i summing elements i, i+32, ...; multiply
 * and add separate; lanes folded 16, 8, 4, 2, 1 (lane i += lane i + 16, then + 8, ...). A tail
 * touches only its own lanes. Integer kernels are exact.
 *
 * Pointers need only the element's natural alignment (rows of .fvecs files lie at 4 mod 8; f32 may
 * be read with unaligned loads). Kernels may not read past the last element. dim >= 1. */
#ifndef NIGHI_KERNEL_H
#define NIGHI_KERNEL_H
#include "base.h"

/* Index of an operation in nighi_kernels. */
enum { NIGHI_OP_L2 = 0, NIGHI_OP_DOT = 1, NIGHI_OP_L1 = 2, NIGHI_OP_COUNT = 3 };
/* Index of a stored float type in nighi_kernels. */
enum { NIGHI_ELEM_F32 = 0, NIGHI_ELEM_F16 = 1, NIGHI_ELEM_BF16 = 2, NIGHI_ELEM_COUNT = 3 };

/* sum (q-x)^2, sum q*x or sum |q-x|: q is f32, x is f32, f16 or bf16, widened exactly. */
typedef float (*nighi_float_kernel)(const float *q, const void *x, uint32_t dim);
/* The same of rows[0..3], to out[0..3]: the bits of four calls, in less time. */
typedef void (*nighi_float4_kernel)(const float *q, const void *const *rows, uint32_t dim,
                                    float *out);
/* out[0] = sum q*x, out[1] = sum x*x, each with its own 32 lanes: cosine without a stored norm. */
typedef void (*nighi_dot_square_kernel)(const float *q, const void *x, uint32_t dim, float *out);
/* The same three operations on bytes; exact, below 2^32 for dim <= 65535. */
typedef uint32_t (*nighi_u8_kernel)(const uint8_t *q, const uint8_t *x, uint32_t dim);
/* out[0] = sum q*x, out[1] = sum x, out[2] = sum x*x over signed bytes: with scale and zero point
 * every metric but L1 follows from these. Exact. */
typedef void (*nighi_i8_kernel)(const int8_t *q, const int8_t *x, uint32_t dim, int32_t *out);
/* Bits that differ in `bytes` bytes. */
typedef uint32_t (*nighi_bits_kernel)(const uint8_t *q, const uint8_t *x, uint32_t bytes);

/* Index of a code operation in nighi_kernels.codes. */
enum {
    NIGHI_CODE_L2 = 0,
    NIGHI_CODE_DOT = 1,
    NIGHI_CODE_L1 = 2,
    NIGHI_CODE_BITS = 3,
    NIGHI_CODE_COUNT = 4
};
/* orders[i], smaller is nearer, of `count` codes against one query: exact integers modulo 2^32.
 *   L2:   bias + sum (q-x)^2        q is u7 (0..127), as x
 *   DOT:  bias - sum q*x            q is int8 in -63..63, so 16 bits hold two products; x is u7
 *   L1:   bias + sum |q-x|          q and x are u7
 *   BITS: bias + popcount(q ^ x)
 * A code is `bytes` bytes, a multiple of 16, aligned to 16, padding included: zeros on both sides
 * add nothing. Of a code no byte beyond is read; of the query up to the next multiple of 64, zeros
 * there, and it is aligned to 64. */
typedef void (*nighi_code_kernel)(const uint8_t *query, uint32_t bias, const uint8_t *const *codes,
                                  uint32_t count, uint32_t bytes, uint32_t *orders);

typedef struct nighi_kernels {
    nighi_float_kernel floats[NIGHI_OP_COUNT][NIGHI_ELEM_COUNT];
    nighi_float4_kernel fours[NIGHI_OP_COUNT][NIGHI_ELEM_COUNT]; /* NULL where they gain nothing */
    nighi_dot_square_kernel dot_square[NIGHI_ELEM_COUNT];
    nighi_u8_kernel u8[NIGHI_OP_COUNT];
    nighi_i8_kernel i8;
    nighi_bits_kernel hamming;
    nighi_code_kernel codes[NIGHI_CODE_COUNT];
} nighi_kernels;

/* Fills `table` with the widest kernels that `features` (NIGH_CPU_* bits) allows. kernel_pick.c. */
NIGHI_FN void nighi_kernels_pick(nighi_kernels *table, uint32_t features);

#endif
