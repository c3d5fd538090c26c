/* kernel_scalar.c - the kernels in plain C: the definition of correct
 * layer L4; uses: base, fp, num, racy, kernel, kernel_isa
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Two forms of the float reductions give the same bits. The wide one is the definition word for
 * word, and compilers vectorise it. The narrow one, for size and for machines without vector units,
 * sums four lanes at a time, in the order in which the fold tree wants them: four accumulators live
 * in registers (there 1.5 times as fast, bench_kernels). Under ThreadSanitizer every element is a
 * relaxed atomic load, see racy.h. */
#include "fp.h"
#include "kernel_isa.h"
#include "num.h"
#include "racy.h"

#if defined(NIGH_SMALL) || defined(__OPTIMIZE_SIZE__)
#define SCALAR_NARROW 1
#elif defined(__SSE2__) || defined(__aarch64__) || defined(__wasm_simd128__) ||                    \
    defined(__VSX__) || defined(__riscv_vector)
#define SCALAR_NARROW 0
#else
#define SCALAR_NARROW 1
#endif

static inline float scalar_l2(float q, float x) {
    float difference = q - x;
    return nighi_fp_mul(difference, difference);
}
static inline float scalar_dot(float q, float x) { return nighi_fp_mul(q, x); }
static inline float scalar_square(float q, float x) {
    (void)q;
    return nighi_fp_mul(x, x);
}
static inline float scalar_l1(float q, float x) {
    return nighi_f32_from_bits(nighi_f32_bits(q - x) & 0x7fffffffu);
}

/* lane[i] += lane[i + width] until one is left; `width` is half of what there is at first. */
static inline float scalar_fold(float *lane, uint32_t width) {
    for (; width > 0; width >>= 1) {
        for (uint32_t i = 0; i < width; i++) {
            lane[i] += lane[i + width];
        }
    }
    return lane[0];
}

#if SCALAR_NARROW

/* lane0..lane3 are lanes g, g + 16, g + 8, g + 24: what folding by 16 and by 8 brings together. */
#define SCALAR_FLOAT(name, ELEM, LOAD, TERM)                                                       \
    static float name(const float *q, const void *x, uint32_t dim) {                               \
        float group[8];                                                                            \
        for (uint32_t g = 0; g < 8; g++) {                                                         \
            float lane0 = 0.0f;                                                                    \
            float lane1 = 0.0f;                                                                    \
            float lane2 = 0.0f;                                                                    \
            float lane3 = 0.0f;                                                                    \
            uint32_t i = g;                                                                        \
            for (; i + 24 < dim; i += NIGHI_LANES) {                                               \
                lane0 += TERM(nighi_elem_f32(q, i), LOAD(x, i));                                   \
                lane1 += TERM(nighi_elem_f32(q, i + 16), LOAD(x, i + 16));                         \
                lane2 += TERM(nighi_elem_f32(q, i + 8), LOAD(x, i + 8));                           \
                lane3 += TERM(nighi_elem_f32(q, i + 24), LOAD(x, i + 24));                         \
            }                                                                                      \
            if (i < dim) {                                                                         \
                lane0 += TERM(nighi_elem_f32(q, i), LOAD(x, i));                                   \
            }                                                                                      \
            if (i + 16 < dim) {                                                                    \
                lane1 += TERM(nighi_elem_f32(q, i + 16), LOAD(x, i + 16));                         \
            }                                                                                      \
            if (i + 8 < dim) {                                                                     \
                lane2 += TERM(nighi_elem_f32(q, i + 8), LOAD(x, i + 8));                           \
            }                                                                                      \
            group[g] = (lane0 + lane1) + (lane2 + lane3);                                          \
        }                                                                                          \
        return scalar_fold(group, 4);                                                              \
    }

#else

/* Pointers move, not the index: an unsigned index may wrap, which keeps gcc from vectorising. */
#define SCALAR_FLOAT(name, ELEM, LOAD, TERM)                                                       \
    static float name(const float *q, const void *vector, uint32_t dim) {                          \
        const ELEM *x = (const ELEM *)vector;                                                      \
        float lane[NIGHI_LANES] = {0.0f};                                                          \
        uint32_t left = dim;                                                                       \
        for (; left >= NIGHI_LANES; left -= NIGHI_LANES) {                                         \
            for (uint32_t j = 0; j < NIGHI_LANES; j++) {                                           \
                lane[j] += TERM(nighi_elem_f32(q, j), LOAD(x, j));                                 \
            }                                                                                      \
            q += NIGHI_LANES;                                                                      \
            x += NIGHI_LANES;                                                                      \
        }                                                                                          \
        for (uint32_t j = 0; j < left; j++) {                                                      \
            lane[j] += TERM(nighi_elem_f32(q, j), LOAD(x, j));                                     \
        }                                                                                          \
        return scalar_fold(lane, NIGHI_LANES / 2);                                                 \
    }

#endif

SCALAR_FLOAT(scalar_l2_f32, float, nighi_elem_f32, scalar_l2)
SCALAR_FLOAT(scalar_l2_f16, uint16_t, nighi_elem_f16, scalar_l2)
SCALAR_FLOAT(scalar_l2_bf16, uint16_t, nighi_elem_bf16, scalar_l2)
SCALAR_FLOAT(scalar_dot_f32, float, nighi_elem_f32, scalar_dot)
SCALAR_FLOAT(scalar_dot_f16, uint16_t, nighi_elem_f16, scalar_dot)
SCALAR_FLOAT(scalar_dot_bf16, uint16_t, nighi_elem_bf16, scalar_dot)
SCALAR_FLOAT(scalar_l1_f32, float, nighi_elem_f32, scalar_l1)
SCALAR_FLOAT(scalar_l1_f16, uint16_t, nighi_elem_f16, scalar_l1)
SCALAR_FLOAT(scalar_l1_bf16, uint16_t, nighi_elem_bf16, scalar_l1)
SCALAR_FLOAT(scalar_square_f32, float, nighi_elem_f32, scalar_square)
SCALAR_FLOAT(scalar_square_f16, uint16_t, nighi_elem_f16, scalar_square)
SCALAR_FLOAT(scalar_square_bf16, uint16_t, nighi_elem_bf16, scalar_square)
#undef SCALAR_FLOAT

/* Two passes: the vector is in the cache after the first, and half as many registers are needed. */
#define SCALAR_DOT_SQUARE(name, dot, square)                                                       \
    static void name(const float *q, const void *x, uint32_t dim, float *out) {                    \
        out[0] = dot(q, x, dim);                                                                   \
        out[1] = square(q, x, dim);                                                                \
    }
SCALAR_DOT_SQUARE(scalar_dot_square_f32, scalar_dot_f32, scalar_square_f32)
SCALAR_DOT_SQUARE(scalar_dot_square_f16, scalar_dot_f16, scalar_square_f16)
SCALAR_DOT_SQUARE(scalar_dot_square_bf16, scalar_dot_bf16, scalar_square_bf16)
#undef SCALAR_DOT_SQUARE

static uint32_t scalar_l2_u8(const uint8_t *q, const uint8_t *x, uint32_t dim) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < dim; i++) {
        int32_t difference = (int32_t)nighi_elem_u8(q, i) - (int32_t)nighi_elem_u8(x, i);
        sum += (uint32_t)(difference * difference);
    }
    return sum;
}

static uint32_t scalar_dot_u8(const uint8_t *q, const uint8_t *x, uint32_t dim) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < dim; i++) {
        sum += (uint32_t)nighi_elem_u8(q, i) * nighi_elem_u8(x, i);
    }
    return sum;
}

static uint32_t scalar_l1_u8(const uint8_t *q, const uint8_t *x, uint32_t dim) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < dim; i++) {
        int32_t difference = (int32_t)nighi_elem_u8(q, i) - (int32_t)nighi_elem_u8(x, i);
        sum += (uint32_t)(difference < 0 ? -difference : difference);
    }
    return sum;
}

static void scalar_i8(const int8_t *q, const int8_t *x, uint32_t dim, int32_t *out) {
    int32_t dot = 0;
    int32_t sum = 0;
    int32_t square = 0;
    for (uint32_t i = 0; i < dim; i++) {
        int32_t left = nighi_elem_i8(q, i);
        int32_t right = nighi_elem_i8(x, i);
        dot += left * right;
        sum += right;
        square += right * right;
    }
    out[0] = dot;
    out[1] = sum;
    out[2] = square;
}

static uint32_t scalar_hamming(const uint8_t *q, const uint8_t *x, uint32_t bytes) {
    uint32_t sum = 0;
    uint32_t i = 0;
#if !NIGHI_TSAN
    for (; i + 4 <= bytes; i += 4) {
        sum += nighi_popcount(nighi_load_u32(q + i) ^ nighi_load_u32(x + i));
    }
#endif
    for (; i < bytes; i++) {
        sum += nighi_popcount((uint32_t)nighi_elem_u8(q, i) ^ nighi_elem_u8(x, i));
    }
    return sum;
}

/* Signed bytes of the query by unsigned ones of the code. */
static uint32_t scalar_dot_u7(const uint8_t *q, const uint8_t *x, uint32_t bytes) {
    int32_t sum = 0;
    for (uint32_t i = 0; i < bytes; i++) {
        sum += (int32_t)nighi_elem_i8(q, i) * (int32_t)nighi_elem_u8(x, i);
    }
    return (uint32_t)sum;
}

/* u7 are u8 too: three of the four are the kernels above. */
#define SCALAR_CODES(name, END, kernel)                                                            \
    static void name(const uint8_t *query, uint32_t bias, const uint8_t *const *codes,             \
                     uint32_t count, uint32_t bytes, uint32_t *orders) {                           \
        for (uint32_t i = 0; i < count; i++) {                                                     \
            orders[i] = bias END kernel(query, codes[i], bytes);                                   \
        }                                                                                          \
    }
SCALAR_CODES(scalar_code_l2, +, scalar_l2_u8)
SCALAR_CODES(scalar_code_dot, -, scalar_dot_u7)
SCALAR_CODES(scalar_code_l1, +, scalar_l1_u8)
SCALAR_CODES(scalar_code_bits, +, scalar_hamming)
#undef SCALAR_CODES

static void scalar_floats(nighi_kernels *table) {
    table->floats[NIGHI_OP_L2][NIGHI_ELEM_F32] = scalar_l2_f32;
    table->floats[NIGHI_OP_L2][NIGHI_ELEM_F16] = scalar_l2_f16;
    table->floats[NIGHI_OP_L2][NIGHI_ELEM_BF16] = scalar_l2_bf16;
    table->floats[NIGHI_OP_DOT][NIGHI_ELEM_F32] = scalar_dot_f32;
    table->floats[NIGHI_OP_DOT][NIGHI_ELEM_F16] = scalar_dot_f16;
    table->floats[NIGHI_OP_DOT][NIGHI_ELEM_BF16] = scalar_dot_bf16;
    table->floats[NIGHI_OP_L1][NIGHI_ELEM_F32] = scalar_l1_f32;
    table->floats[NIGHI_OP_L1][NIGHI_ELEM_F16] = scalar_l1_f16;
    table->floats[NIGHI_OP_L1][NIGHI_ELEM_BF16] = scalar_l1_bf16;
    nighi_fill(table->fours, 0, sizeof table->fours);
    table->dot_square[NIGHI_ELEM_F32] = scalar_dot_square_f32;
    table->dot_square[NIGHI_ELEM_F16] = scalar_dot_square_f16;
    table->dot_square[NIGHI_ELEM_BF16] = scalar_dot_square_bf16;
}

static void scalar_bytes(nighi_kernels *table) {
    if (NIGHI_HAS_BYTES) {
        table->u8[NIGHI_OP_L2] = scalar_l2_u8;
        table->u8[NIGHI_OP_DOT] = scalar_dot_u8;
        table->u8[NIGHI_OP_L1] = NIGHI_HAS_L1 ? scalar_l1_u8 : NULL;
        table->i8 = NIGHI_HAS_FLOATS ? scalar_i8 : NULL; /* rows have scales */
    }
    if (NIGHI_HAS_CODES) {
        table->codes[NIGHI_CODE_L2] = scalar_code_l2;
        table->codes[NIGHI_CODE_DOT] = scalar_code_dot;
        table->codes[NIGHI_CODE_L1] = NIGHI_HAS_L1 ? scalar_code_l1 : NULL;
    }
}

void nighi_kernels_scalar(nighi_kernels *table) {
    if (NIGHI_HAS_FLOATS) {
        scalar_floats(table);
    }
    if (!NIGHI_ARM_ALONE) {
        scalar_bytes(table);
    }
    table->hamming = NIGHI_HAS_BYTES ? scalar_hamming : NULL;
    table->codes[NIGHI_CODE_BITS] = NIGHI_HAS_BYTES && NIGHI_HAS_CODES ? scalar_code_bits : NULL;
}
#undef SCALAR_NARROW
