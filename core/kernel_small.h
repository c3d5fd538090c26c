/* kernel_small.h - the float kernels of kernel_loop.h in a fifth of the code, for NIGH_SMALL
 * layer L3; uses: base, kernel
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * No include guard: an inclusion defines K_NAME(fill_floats) and what it needs, from the parameters
 * of kernel_loop.h with K_COUNT 8 and K_STORE(p, v), and forgets them. The unit is a block of
 * NIGHI_LANES elements; the last, partial one is copied to where zeros follow, which leave their
 * lanes as they are. L2 and dot product of f32, which searches live on, have their lanes in
 * registers; everything else shares one function, which widens a block and then sums it. */

#define K_INLINE K_TARGET static inline __attribute__((always_inline))

/* The n elements at x as NIGHI_LANES floats: x itself where that is possible, else in `out`. */
K_TARGET static const float *K_NAME(block)(const void *x, uint32_t elem, uint32_t n, float *out) {
    const uint32_t size = elem == NIGHI_ELEM_F32 ? 4 : 2;
    if (n < NIGHI_LANES) {
        /* behind the halves' place, so that widening, which goes up, reads before it writes */
        uint8_t *pad = (uint8_t *)out + (4 - size) * NIGHI_LANES;
        nighi_fill(pad, 0, size * NIGHI_LANES);
        nighi_copy(pad, x, n * size);
        x = pad;
    }
    if (elem == NIGHI_ELEM_F32) {
        return (const float *)x;
    }
    const uint16_t *halves = (const uint16_t *)x;
    for (uint32_t i = 0; i < NIGHI_LANES; i += K_WIDTH) {
        K_STORE(out + i,
                elem == NIGHI_ELEM_F16 ? K_LOAD_F16(halves + i) : K_LOAD_BF16(halves + i));
    }
    return out;
}

K_INLINE K_VEC K_NAME(fold_lanes)(const K_VEC *a) {
    return K_ADD(K_ADD(K_ADD(a[0], a[4]), K_ADD(a[2], a[6])),
                 K_ADD(K_ADD(a[1], a[5]), K_ADD(a[3], a[7])));
}

enum { K_NAME(square) = NIGHI_OP_COUNT }; /* sum x*x, beside NIGHI_OP_* */

K_TARGET static NIGHI_NOINLINE float K_NAME(any)(const float *q, const void *x, uint32_t dim,
                                                 uint32_t op, uint32_t elem) {
    float q_buffer[NIGHI_LANES];
    float x_buffer[NIGHI_LANES];
    K_VEC lanes[K_COUNT];
    nighi_fill(lanes, 0, sizeof lanes);
    const uint8_t *row = (const uint8_t *)x;
    for (uint32_t left = dim; left > 0;) {
        const uint32_t n = nighi_min_u32(left, NIGHI_LANES);
        const float *a = K_NAME(block)(q, NIGHI_ELEM_F32, n, q_buffer);
        const float *b = K_NAME(block)(row, elem, n, x_buffer);
        for (uint32_t i = 0; i < K_COUNT; i++) {
            const K_VEC right = K_LOAD_F32(b + i * K_WIDTH);
            K_VEC term = op == K_NAME(square) ? right : K_LOAD_F32(a + i * K_WIDTH);
            if (NIGHI_HAS_L1 && op == NIGHI_OP_L1) {
                term = K_ABS(K_SUB(term, right));
            } else {
                term = op == NIGHI_OP_L2 ? K_SUB(term, right) : term;
                term = K_MUL(term, op == NIGHI_OP_L2 ? term : right);
                K_PIN(term);
            }
            lanes[i] = K_ADD(lanes[i], term);
        }
        q += n;
        row += n * (elem == NIGHI_ELEM_F32 ? 4 : 2);
        left -= n;
    }
    return K_REDUCE(K_NAME(fold_lanes)(lanes));
}

#define K_EACH(M, ...)                                                                             \
    M(0, __VA_ARGS__)                                                                              \
    M(1, __VA_ARGS__)                                                                              \
    M(2, __VA_ARGS__)                                                                              \
    M(3, __VA_ARGS__) M(4, __VA_ARGS__) M(5, __VA_ARGS__) M(6, __VA_ARGS__) M(7, __VA_ARGS__)
#define K_STEP(i, TERM)                                                                            \
    {                                                                                              \
        K_VEC term = TERM(K_LOAD_F32(q + i * K_WIDTH), K_LOAD_F32(row + i * K_WIDTH));             \
        K_PIN(term);                                                                               \
        lanes[i] = K_ADD(lanes[i], term);                                                          \
    }
#define K_SQUARE(v) K_MUL(v, v)
#define K_TERM_L2(a, b) K_SQUARE(K_SUB(a, b))
#define K_TERM_DOT(a, b) K_MUL(a, b)

/* The tail is one more turn of the loop. */
#define K_FLOAT(op, TERM)                                                                          \
    K_TARGET static float K_NAME(op)(const float *q, const void *x, uint32_t dim) {                \
        const float *row = (const float *)x;                                                       \
        float q_buffer[NIGHI_LANES];                                                               \
        float x_buffer[NIGHI_LANES];                                                               \
        K_VEC lanes[K_COUNT];                                                                      \
        for (uint32_t i = 0; i < K_COUNT; i++) {                                                   \
            lanes[i] = K_ZERO();                                                                   \
        }                                                                                          \
        for (uint32_t left = dim; left > 0;) {                                                     \
            uint32_t n = NIGHI_LANES;                                                              \
            if (left < NIGHI_LANES) {                                                              \
                n = left;                                                                          \
                q = K_NAME(block)(q, NIGHI_ELEM_F32, n, q_buffer);                                 \
                row = K_NAME(block)(row, NIGHI_ELEM_F32, n, x_buffer);                             \
            }                                                                                      \
            K_EACH(K_STEP, TERM)                                                                   \
            q += NIGHI_LANES;                                                                      \
            row += NIGHI_LANES;                                                                    \
            left -= n;                                                                             \
        }                                                                                          \
        return K_REDUCE(K_NAME(fold_lanes)(lanes));                                                \
    }
K_FLOAT(l2_f32, K_TERM_L2)
K_FLOAT(dot_f32, K_TERM_DOT)

#define K_ANY(name, op, elem)                                                                      \
    K_TARGET static float K_NAME(name)(const float *q, const void *x, uint32_t dim) {              \
        return K_NAME(any)(q, x, dim, op, elem);                                                   \
    }
K_ANY(l2_f16, NIGHI_OP_L2, NIGHI_ELEM_F16)
K_ANY(l2_bf16, NIGHI_OP_L2, NIGHI_ELEM_BF16)
K_ANY(dot_f16, NIGHI_OP_DOT, NIGHI_ELEM_F16)
K_ANY(dot_bf16, NIGHI_OP_DOT, NIGHI_ELEM_BF16)
K_ANY(l1_f32, NIGHI_OP_L1, NIGHI_ELEM_F32)
K_ANY(l1_f16, NIGHI_OP_L1, NIGHI_ELEM_F16)
K_ANY(l1_bf16, NIGHI_OP_L1, NIGHI_ELEM_BF16)

#define K_DOT_SQUARE(name, elem)                                                                   \
    K_TARGET static void K_NAME(name)(const float *q, const void *x, uint32_t dim, float *out) {   \
        out[0] = K_NAME(any)(q, x, dim, NIGHI_OP_DOT, elem);                                       \
        out[1] = K_NAME(any)(q, x, dim, K_NAME(square), elem);                                     \
    }
K_DOT_SQUARE(dot_square_f32, NIGHI_ELEM_F32)
K_DOT_SQUARE(dot_square_f16, NIGHI_ELEM_F16)
K_DOT_SQUARE(dot_square_bf16, NIGHI_ELEM_BF16)

K_TARGET static void K_NAME(fill_floats)(nighi_kernels *table) {
    *table = (nighi_kernels){
        .floats = {{K_NAME(l2_f32), K_NAME(l2_f16), K_NAME(l2_bf16)},
                   {K_NAME(dot_f32), K_NAME(dot_f16), K_NAME(dot_bf16)},
                   {K_NAME(l1_f32), K_NAME(l1_f16), K_NAME(l1_bf16)}},
        .dot_square = {K_NAME(dot_square_f32), K_NAME(dot_square_f16), K_NAME(dot_square_bf16)}};
}
