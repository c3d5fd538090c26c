/* kernel_loop.h - THE template of the float kernels; included once for each instruction set
 * layer L3; uses: base, kernel
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * No include guard: each inclusion defines twelve static functions K_NAME(l2_f32) ... and, where
 * K_ROWS is given, nine K_NAME(four_l2_f32) ..., and forgets its parameters. Those that the
 * including file defines before:
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
 * And for four rows at once:
 *   K_ROWS              rows summed side by side, 2 or 4: their K_ROWS * K_COUNT accumulators and
 *                       two vectors more should fit the registers. With 16 of 4 floats not even
 *                       two rows do; one after another, with one fold, gained nothing
 *   K_REDUCE_4(v, out)  K_REDUCE of v[0..3] to out[0..3], transposing: the same additions for each
 *                       row, of four rows in one instruction
 *   K_KEEP(v)           makes a vector opaque: rows share the query's. gcc 12 would read memory in
 *                       every product of AVX2, and loads are what bounds those
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

/* Rows a, b, c, d: row a has accumulators a0, a1, ... and elements at a_x. */
#define K_ROW(M, ...) M(a, 0, __VA_ARGS__)
#if !defined(K_ROWS)
#define K_KEEP(v) ((void)0)
#elif K_ROWS == 4
#define K_EACH_ROW(M, ...)                                                                         \
    M(a, 0, __VA_ARGS__) M(b, 1, __VA_ARGS__) M(c, 2, __VA_ARGS__) M(d, 3, __VA_ARGS__)
#else
#define K_EACH_ROW(M, ...) M(a, 0, __VA_ARGS__) M(b, 1, __VA_ARGS__)
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

#define K_DECLARE(i, r) K_VEC r##i = K_ZERO();
#define K_ROW_BEGIN(r, n, ELEM)                                                                    \
    const ELEM *r##_x = (const ELEM *)rows[n];                                                     \
    K_EACH(K_DECLARE, r)
#define K_ROW_STEP(r, n, i, TERM, LOAD) r##i = K_ADD(r##i, TERM(q_vec, LOAD(r##_x + i * K_WIDTH)));
#define K_ROW_NEXT(r, n, by) r##_x += by;
#define K_ROW_PART(r, n, TERM, PART) K_VEC r##_part = TERM(q_vec, PART(r##_x + at, part));
#define K_ROW_LAST(r, n, i) r##i = K_ADD(r##i, r##_part);
#define K_ROW_END(r, n, sums) sums[n] = K_FOLD_LANES(r);

/* One accumulator of each row: a full vector; the same if the tail has it; the tail's last, partial
 * vector. */
#define K_STEP(i, ROWS, TERM, LOAD)                                                                \
    q_vec = K_LOAD_F32(q + i * K_WIDTH);                                                           \
    K_KEEP(q_vec);                                                                                 \
    ROWS(K_ROW_STEP, i, TERM, LOAD)
#define K_STEP_TAIL(i, ROWS, TERM, LOAD)                                                           \
    if (rest >= (i + 1) * K_WIDTH) {                                                               \
        K_STEP(i, ROWS, TERM, LOAD)                                                                \
    }
#define K_STEP_LAST(i, ROWS)                                                                       \
    case i:                                                                                        \
        ROWS(K_ROW_LAST, i)                                                                        \
        break;

/* sums[n] = the lanes of rows[n], folded to one vector. */
#define K_SUMS(op, ROWS, ELEM, TERM, LOAD, PART)                                                   \
    K_INLINE void K_NAME(op)(const float *q, const void *const *rows, uint32_t dim, K_VEC *sums) { \
        K_VEC q_vec;                                                                               \
        ROWS(K_ROW_BEGIN, ELEM)                                                                    \
        for (uint32_t block = dim / NIGHI_LANES; block > 0; block--) {                             \
            K_EACH(K_STEP, ROWS, TERM, LOAD)                                                       \
            q += NIGHI_LANES;                                                                      \
            ROWS(K_ROW_NEXT, NIGHI_LANES)                                                          \
        }                                                                                          \
        uint32_t rest = dim % NIGHI_LANES;                                                         \
        if (rest != 0) {                                                                           \
            uint32_t part = rest % K_WIDTH;                                                        \
            K_EACH(K_STEP_TAIL, ROWS, TERM, LOAD)                                                  \
            if (part != 0) {                                                                       \
                uint32_t at = rest - part;                                                         \
                q_vec = K_PART_F32(q + at, part);                                                  \
                ROWS(K_ROW_PART, TERM, PART)                                                       \
                switch (at / K_WIDTH) {                                                            \
                    K_EACH(K_STEP_LAST, ROWS)                                                      \
                default:                                                                           \
                    break;                                                                         \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
        ROWS(K_ROW_END, sums)                                                                      \
    }

#define K_ONE(op, ELEM, TERM, LOAD, PART)                                                          \
    K_SUMS(sum_##op, K_ROW, ELEM, TERM, LOAD, PART)                                                \
    K_TARGET static float K_NAME(op)(const float *q, const void *x, uint32_t dim) {                \
        K_VEC sum;                                                                                 \
        K_NAME(sum_##op)(q, &x, dim, &sum);                                                        \
        return K_REDUCE(sum);                                                                      \
    }

#if !defined(K_ROWS)

#define K_FLOAT(op, ELEM, TERM, LOAD, PART) K_ONE(op, ELEM, TERM, LOAD, PART)

#else

#define K_FLOAT(op, ELEM, TERM, LOAD, PART)                                                        \
    K_ONE(op, ELEM, TERM, LOAD, PART)                                                              \
    K_SUMS(sums_##op, K_EACH_ROW, ELEM, TERM, LOAD, PART)                                          \
    K_TARGET static void K_NAME(four_##op)(const float *q, const void *const *rows, uint32_t dim,  \
                                           float *out) {                                           \
        K_VEC sums[4];                                                                             \
        for (uint32_t n = 0; n < 4; n += K_ROWS) {                                                 \
            K_NAME(sums_##op)(q, rows + n, dim, sums + n);                                         \
        }                                                                                          \
        K_REDUCE_4(sums, out);                                                                     \
    }

#endif

#if K_SPLIT

K_INLINE K_VEC K_NAME(term_square)(K_VEC q, K_VEC x) {
    (void)q;
    K_VEC product = K_MUL(x, x);
    K_PIN(product);
    return product;
}

#define K_DOT_SQUARE(op, TYPE, ELEM, LOAD, PART)                                                   \
    K_ONE(square_##TYPE, ELEM, K_NAME(term_square), LOAD, PART)                                    \
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
#if defined(K_ROWS)
    table->fours[NIGHI_OP_L2][NIGHI_ELEM_F32] = K_NAME(four_l2_f32);
    table->fours[NIGHI_OP_L2][NIGHI_ELEM_F16] = K_NAME(four_l2_f16);
    table->fours[NIGHI_OP_L2][NIGHI_ELEM_BF16] = K_NAME(four_l2_bf16);
    table->fours[NIGHI_OP_DOT][NIGHI_ELEM_F32] = K_NAME(four_dot_f32);
    table->fours[NIGHI_OP_DOT][NIGHI_ELEM_F16] = K_NAME(four_dot_f16);
    table->fours[NIGHI_OP_DOT][NIGHI_ELEM_BF16] = K_NAME(four_dot_bf16);
    table->fours[NIGHI_OP_L1][NIGHI_ELEM_F32] = K_NAME(four_l1_f32);
    table->fours[NIGHI_OP_L1][NIGHI_ELEM_F16] = K_NAME(four_l1_f16);
    table->fours[NIGHI_OP_L1][NIGHI_ELEM_BF16] = K_NAME(four_l1_bf16);
#endif
}

#undef K_NAME
#undef K_TARGET
#undef K_WIDTH
#undef K_COUNT
#undef K_ROWS
#undef K_VEC
#undef K_ZERO
#undef K_ADD
#undef K_SUB
#undef K_MUL
#undef K_ABS
#undef K_PIN
#undef K_KEEP
#undef K_REDUCE
#undef K_REDUCE_4
#undef K_LOAD_F32
#undef K_LOAD_F16
#undef K_LOAD_BF16
#undef K_PART_F32
#undef K_PART_F16
#undef K_PART_BF16
#undef K_SPLIT
#undef K_EACH
#undef K_FOLD_LANES
#undef K_ROW
#undef K_EACH_ROW
#undef K_INLINE
#undef K_DECLARE
#undef K_ROW_BEGIN
#undef K_ROW_STEP
#undef K_ROW_NEXT
#undef K_ROW_PART
#undef K_ROW_LAST
#undef K_ROW_END
#undef K_STEP
#undef K_STEP_TAIL
#undef K_STEP_LAST
#undef K_SUMS
#undef K_ONE
#undef K_FLOAT
#undef K_DOT_SQUARE
#undef K_BOTH
#undef K_BOTH_TAIL
#undef K_BOTH_LAST
