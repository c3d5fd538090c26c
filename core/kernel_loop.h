/* kernel_loop.h - THE template of the float kernels; included once for each instruction set
 * layer L3; uses: base, kernel
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * No include guard: each inclusion defines twelve static functions K_NAME(l2_f32) ... and forgets
 * its parameters. Those that the including file defines before:
 *   K_NAME(op)          the function's name for op: l2_f32, dot_f16, l1_bf16, dot_square_f32 ...
 *   K_TARGET            attributes of a function for this instruction set, or nothing
 *   K_WIDTH             floats in a vector: 4, 8 or 16
 *   K_COUNT             NIGHI_LANES / K_WIDTH: 8, 4 or 2 accumulators
 *   K_VEC               the vector type
 *   K_ZERO() K_ADD(a, b) K_SUB(a, b) K_MUL(a, b) K_ABS(a)
 *   K_PIN(v)            as NIGHI_FP_PIN, for a vector product
 *   K_REDUCE(v)         folds one vector to a float: lanes width/2, ..., 2, 1
 *   K_LOAD_F32(p) K_LOAD_F16(p) K_LOAD_BF16(p)          K_WIDTH elements, unaligned, widened
 *   K_PART_F32(p, n) K_PART_F16(p, n) K_PART_BF16(p, n) n < K_WIDTH of them, zeros behind, from no
 *                       byte beyond the n-th
 *   K_SPLIT             1: cosine's two sums in two passes, where registers are few; else 0
 * Zeros behind a tail leave their lanes as they are: a lane starts from +0, so it is never -0. */

#if K_COUNT == 8
#define K_EACH(M, ...)                                                                             \
    M(0, __VA_ARGS__)                                                                              \
    M(1, __VA_ARGS__)                                                                              \
    M(2, __VA_ARGS__)                                                                              \
    M(3, __VA_ARGS__) M(4, __VA_ARGS__) M(5, __VA_ARGS__) M(6, __VA_ARGS__) M(7, __VA_ARGS__)
#define K_FOLD_LANES(a)                                                                            \
    K_ADD(K_ADD(K_ADD(a##0, a##4), K_ADD(a##2, a##6)), K_ADD(K_ADD(a##1, a##5), K_ADD(a##3, a##7)))
#elif K_COUNT == 4
#define K_EACH(M, ...) M(0, __VA_ARGS__) M(1, __VA_ARGS__) M(2, __VA_ARGS__) M(3, __VA_ARGS__)
#define K_FOLD_LANES(a) K_ADD(K_ADD(a##0, a##2), K_ADD(a##1, a##3))
#else
#define K_EACH(M, ...) M(0, __VA_ARGS__) M(1, __VA_ARGS__)
#define K_FOLD_LANES(a) K_ADD(a##0, a##1)
#endif

#define K_INLINE K_TARGET static inline __attribute__((always_inline))

K_INLINE K_VEC K_NAME(term_l2)(K_VEC q, K_VEC x) {
    K_VEC difference = K_SUB(q, x);
    K_VEC product = K_MUL(difference, difference);
    K_PIN(product);
    return product;
}

K_INLINE K_VEC K_NAME(term_dot)(K_VEC q, K_VEC x) {
    K_VEC product = K_MUL(q, x);
    K_PIN(product);
    return product;
}

K_INLINE K_VEC K_NAME(term_l1)(K_VEC q, K_VEC x) {
    K_VEC difference = K_SUB(q, x);
    return K_ABS(difference);
}

#define K_DECLARE(i, a) K_VEC a##i = K_ZERO();

/* One accumulator: a full vector; the same if the tail has it; the tail's last, partial vector. */
#define K_STEP(i, TERM, LOAD)                                                                      \
    a##i = K_ADD(a##i, TERM(K_LOAD_F32(q + i * K_WIDTH), LOAD(x + i * K_WIDTH)));
#define K_STEP_TAIL(i, TERM, LOAD)                                                                 \
    if (rest >= (i + 1) * K_WIDTH) {                                                               \
        K_STEP(i, TERM, LOAD)                                                                      \
    }
#define K_STEP_LAST(i, a, last)                                                                    \
    case i:                                                                                        \
        a##i = K_ADD(a##i, last);                                                                  \
        break;

#define K_FLOAT(op, ELEM, TERM, LOAD, PART)                                                        \
    K_TARGET static float K_NAME(op)(const float *q, const void *vector, uint32_t dim) {           \
        const ELEM *x = (const ELEM *)vector;                                                      \
        K_EACH(K_DECLARE, a)                                                                       \
        for (uint32_t block = dim / NIGHI_LANES; block > 0; block--) {                             \
            K_EACH(K_STEP, TERM, LOAD)                                                             \
            q += NIGHI_LANES;                                                                      \
            x += NIGHI_LANES;                                                                      \
        }                                                                                          \
        uint32_t rest = dim % NIGHI_LANES;                                                         \
        if (rest != 0) {                                                                           \
            uint32_t part = rest % K_WIDTH;                                                        \
            K_EACH(K_STEP_TAIL, TERM, LOAD)                                                        \
            if (part != 0) {                                                                       \
                uint32_t at = rest - part;                                                         \
                K_VEC last = TERM(K_PART_F32(q + at, part), PART(x + at, part));                   \
                switch (at / K_WIDTH) {                                                            \
                    K_EACH(K_STEP_LAST, a, last)                                                   \
                default:                                                                           \
                    break;                                                                         \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
        K_VEC sum = K_FOLD_LANES(a);                                                               \
        return K_REDUCE(sum);                                                                      \
    }

#if K_SPLIT

K_INLINE K_VEC K_NAME(term_square)(K_VEC q, K_VEC x) {
    (void)q;
    K_VEC product = K_MUL(x, x);
    K_PIN(product);
    return product;
}

#define K_DOT_SQUARE(op, TYPE, ELEM, LOAD, PART)                                                   \
    K_FLOAT(square_##TYPE, ELEM, K_NAME(term_square), LOAD, PART)                                  \
    K_TARGET static void K_NAME(op)(const float *q, const void *x, uint32_t dim, float *out) {     \
        out[0] = K_NAME(dot_##TYPE)(q, x, dim);                                                    \
        out[1] = K_NAME(square_##TYPE)(q, x, dim);                                                 \
    }

#else

#define K_BOTH(i, LOAD)                                                                            \
    x_vec = LOAD(x + i * K_WIDTH);                                                                 \
    a##i = K_ADD(a##i, K_NAME(term_dot)(K_LOAD_F32(q + i * K_WIDTH), x_vec));                      \
    b##i = K_ADD(b##i, K_NAME(term_dot)(x_vec, x_vec));
#define K_BOTH_TAIL(i, LOAD)                                                                       \
    if (rest >= (i + 1) * K_WIDTH) {                                                               \
        K_BOTH(i, LOAD)                                                                            \
    }
#define K_BOTH_LAST(i, last)                                                                       \
    case i:                                                                                        \
        a##i = K_ADD(a##i, last);                                                                  \
        b##i = K_ADD(b##i, K_NAME(term_dot)(x_vec, x_vec));                                        \
        break;

#define K_DOT_SQUARE(op, TYPE, ELEM, LOAD, PART)                                                   \
    K_TARGET static void K_NAME(op)(const float *q, const void *vector, uint32_t dim,              \
                                    float *out) {                                                  \
        const ELEM *x = (const ELEM *)vector;                                                      \
        K_VEC x_vec;                                                                               \
        K_EACH(K_DECLARE, a)                                                                       \
        K_EACH(K_DECLARE, b)                                                                       \
        for (uint32_t block = dim / NIGHI_LANES; block > 0; block--) {                             \
            K_EACH(K_BOTH, LOAD)                                                                   \
            q += NIGHI_LANES;                                                                      \
            x += NIGHI_LANES;                                                                      \
        }                                                                                          \
        uint32_t rest = dim % NIGHI_LANES;                                                         \
        if (rest != 0) {                                                                           \
            uint32_t part = rest % K_WIDTH;                                                        \
            K_EACH(K_BOTH_TAIL, LOAD)                                                              \
            if (part != 0) {                                                                       \
                uint32_t at = rest - part;                                                         \
                x_vec = PART(x + at, part);                                                        \
                K_VEC last = K_NAME(term_dot)(K_PART_F32(q + at, part), x_vec);                    \
                switch (at / K_WIDTH) {                                                            \
                    K_EACH(K_BOTH_LAST, last)                                                      \
                default:                                                                           \
                    break;                                                                         \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
        K_VEC dot = K_FOLD_LANES(a);                                                               \
        K_VEC square = K_FOLD_LANES(b);                                                            \
        out[0] = K_REDUCE(dot);                                                                    \
        out[1] = K_REDUCE(square);                                                                 \
    }

#endif

K_FLOAT(l2_f32, float, K_NAME(term_l2), K_LOAD_F32, K_PART_F32)
K_FLOAT(l2_f16, uint16_t, K_NAME(term_l2), K_LOAD_F16, K_PART_F16)
K_FLOAT(l2_bf16, uint16_t, K_NAME(term_l2), K_LOAD_BF16, K_PART_BF16)
K_FLOAT(dot_f32, float, K_NAME(term_dot), K_LOAD_F32, K_PART_F32)
K_FLOAT(dot_f16, uint16_t, K_NAME(term_dot), K_LOAD_F16, K_PART_F16)
K_FLOAT(dot_bf16, uint16_t, K_NAME(term_dot), K_LOAD_BF16, K_PART_BF16)
K_FLOAT(l1_f32, float, K_NAME(term_l1), K_LOAD_F32, K_PART_F32)
K_FLOAT(l1_f16, uint16_t, K_NAME(term_l1), K_LOAD_F16, K_PART_F16)
K_FLOAT(l1_bf16, uint16_t, K_NAME(term_l1), K_LOAD_BF16, K_PART_BF16)

K_DOT_SQUARE(dot_square_f32, f32, float, K_LOAD_F32, K_PART_F32)
K_DOT_SQUARE(dot_square_f16, f16, uint16_t, K_LOAD_F16, K_PART_F16)
K_DOT_SQUARE(dot_square_bf16, bf16, uint16_t, K_LOAD_BF16, K_PART_BF16)

K_TARGET static void K_NAME(fill_floats)(nighi_kernels *table) {
    table->floats[NIGHI_OP_L2][NIGHI_ELEM_F32] = K_NAME(l2_f32);
    table->floats[NIGHI_OP_L2][NIGHI_ELEM_F16] = K_NAME(l2_f16);
    table->floats[NIGHI_OP_L2][NIGHI_ELEM_BF16] = K_NAME(l2_bf16);
    table->floats[NIGHI_OP_DOT][NIGHI_ELEM_F32] = K_NAME(dot_f32);
    table->floats[NIGHI_OP_DOT][NIGHI_ELEM_F16] = K_NAME(dot_f16);
    table->floats[NIGHI_OP_DOT][NIGHI_ELEM_BF16] = K_NAME(dot_bf16);
    table->floats[NIGHI_OP_L1][NIGHI_ELEM_F32] = K_NAME(l1_f32);
    table->floats[NIGHI_OP_L1][NIGHI_ELEM_F16] = K_NAME(l1_f16);
    table->floats[NIGHI_OP_L1][NIGHI_ELEM_BF16] = K_NAME(l1_bf16);
    table->dot_square[NIGHI_ELEM_F32] = K_NAME(dot_square_f32);
    table->dot_square[NIGHI_ELEM_F16] = K_NAME(dot_square_f16);
    table->dot_square[NIGHI_ELEM_BF16] = K_NAME(dot_square_bf16);
}

#undef K_NAME
#undef K_TARGET
#undef K_WIDTH
#undef K_COUNT
#undef K_VEC
#undef K_ZERO
#undef K_ADD
#undef K_SUB
#undef K_MUL
#undef K_ABS
#undef K_PIN
#undef K_REDUCE
#undef K_LOAD_F32
#undef K_LOAD_F16
#undef K_LOAD_BF16
#undef K_PART_F32
#undef K_PART_F16
#undef K_PART_BF16
#undef K_SPLIT
#undef K_EACH
#undef K_FOLD_LANES
#undef K_INLINE
#undef K_DECLARE
#undef K_STEP
#undef K_STEP_TAIL
#undef K_STEP_LAST
#undef K_FLOAT
#undef K_DOT_SQUARE
#undef K_BOTH
#undef K_BOTH_TAIL
#undef K_BOTH_LAST
