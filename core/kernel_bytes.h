/* kernel_bytes.h - the template of the integer kernels; included once for each instruction set
 * layer L3; uses: base, kernel
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * No include guard: each inclusion defines B_NAME(l2_u8), dot_u8, l1_u8, i8 and hamming, as far as
 * their step is given, and forgets its parameters. Integer sums are exact, so their order is free;
 * zeros behind a tail add nothing. Parameters:
 *   B_NAME(op) B_TARGET       as in kernel_loop.h
 *   B_WIDTH B_VEC             bytes in a vector; its type
 *   B_ZERO() B_ADD(a, b)      b added to a in 32-bit lanes
 *   B_LOAD(p) B_PART(p, n)    a full vector; its first n < B_WIDTH bytes, zeros behind
 *   B_SUM(v)                  sum of the 32-bit lanes, modulo 2^32
 *   B_L2(a, b, q, x)          statement: adds one vector's share to accumulators a and b
 *   B_L2_END(a, b)            their value in the end; likewise B_DOT, B_DOT_END
 *   B_L1(a, b, q, x)          the same with the end B_SUM(a + b); likewise B_BITS
 *   B_I8(a, b, c, d, q, x)    statement: dot, sum of x, sum of squares, spare
 *   B_I8_END(a, b, c, d, out) statement: stores the three */

#define B_SUM_BOTH(a, b) B_SUM(B_ADD(a, b))

/* Two vectors a round, each with its own accumulators: dot-product instructions take 4-5 cycles. */
#define B_KERNEL(op, STEP, END)                                                                    \
    B_TARGET static uint32_t B_NAME(op)(const uint8_t *q, const uint8_t *x, uint32_t n) {          \
        B_VEC a0 = B_ZERO();                                                                       \
        B_VEC b0 = B_ZERO();                                                                       \
        B_VEC a1 = B_ZERO();                                                                       \
        B_VEC b1 = B_ZERO();                                                                       \
        B_VEC q_vec;                                                                               \
        B_VEC x_vec;                                                                               \
        uint32_t i = 0;                                                                            \
        for (; i + 2 * B_WIDTH <= n; i += 2 * B_WIDTH) {                                           \
            q_vec = B_LOAD(q + i);                                                                 \
            x_vec = B_LOAD(x + i);                                                                 \
            STEP(a0, b0, q_vec, x_vec);                                                            \
            q_vec = B_LOAD(q + i + B_WIDTH);                                                       \
            x_vec = B_LOAD(x + i + B_WIDTH);                                                       \
            STEP(a1, b1, q_vec, x_vec);                                                            \
        }                                                                                          \
        if (i + B_WIDTH <= n) {                                                                    \
            q_vec = B_LOAD(q + i);                                                                 \
            x_vec = B_LOAD(x + i);                                                                 \
            STEP(a0, b0, q_vec, x_vec);                                                            \
            i += B_WIDTH;                                                                          \
        }                                                                                          \
        if (i < n) {                                                                               \
            q_vec = B_PART(q + i, n - i);                                                          \
            x_vec = B_PART(x + i, n - i);                                                          \
            STEP(a1, b1, q_vec, x_vec);                                                            \
        }                                                                                          \
        a0 = B_ADD(a0, a1);                                                                        \
        b0 = B_ADD(b0, b1);                                                                        \
        return END(a0, b0);                                                                        \
    }

#ifdef B_L2
B_KERNEL(l2_u8, B_L2, B_L2_END)
#endif
#ifdef B_DOT
B_KERNEL(dot_u8, B_DOT, B_DOT_END)
#endif
#ifdef B_L1
B_KERNEL(l1_u8, B_L1, B_SUM_BOTH)
#endif
#ifdef B_BITS
B_KERNEL(hamming, B_BITS, B_SUM_BOTH)
#endif

#ifdef B_I8
B_TARGET static void B_NAME(i8)(const int8_t *left, const int8_t *right, uint32_t n, int32_t *out) {
    const uint8_t *q = (const uint8_t *)left;
    const uint8_t *x = (const uint8_t *)right;
    B_VEC a = B_ZERO();
    B_VEC b = B_ZERO();
    B_VEC c = B_ZERO();
    B_VEC d = B_ZERO();
    B_VEC q_vec;
    B_VEC x_vec;
    uint32_t i = 0;
    for (; i + B_WIDTH <= n; i += B_WIDTH) {
        q_vec = B_LOAD(q + i);
        x_vec = B_LOAD(x + i);
        B_I8(a, b, c, d, q_vec, x_vec);
    }
    if (i < n) {
        q_vec = B_PART(q + i, n - i);
        x_vec = B_PART(x + i, n - i);
        B_I8(a, b, c, d, q_vec, x_vec);
    }
    B_I8_END(a, b, c, d, out);
}
#endif

#undef B_NAME
#undef B_TARGET
#undef B_WIDTH
#undef B_VEC
#undef B_ZERO
#undef B_ADD
#undef B_LOAD
#undef B_PART
#undef B_SUM
#undef B_L2
#undef B_L2_END
#undef B_DOT
#undef B_DOT_END
#undef B_L1
#undef B_BITS
#undef B_I8
#undef B_I8_END
#undef B_SUM_BOTH
#undef B_KERNEL
