/* kernel_codes.h - the template of the kernels over codes; included once for each instruction set
 * layer L3; uses: base, kernel, kernel_isa
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * No include guard: each inclusion defines C_NAME(code_l2), code_dot, code_l1 and code_bits, as far
 * as their step is given, and forgets its parameters. Four codes at a time share the loads of the
 * query and one fold in the end, of which short codes would feel one each. Sums are exact modulo
 * 2^32, so their order is free. Parameters:
 *   C_NAME(op) C_TARGET    as in kernel_loop.h
 *   C_WIDTH                bytes in a vector: 16, 32 or 64
 *   C_BYTES C_SUMS         types: a vector of bytes, one of 32-bit sums
 *   C_ZERO()               sums of nothing
 *   C_LOAD(p)              a full vector, aligned to 16
 *   C_PART(p, n)           n bytes, a multiple of 16 below C_WIDTH, zeros behind; reads none beyond
 *   C_FOLD(a, b, c, d)     nighi_u32x4: the total of each of four sums
 *   C_L2(s, q, x)          s plus one vector's share; likewise C_DOT, C_L1 and C_BITS */

#define C_WHOLE(p, n) C_LOAD(p)
#define C_PLUS(bias, sum) ((bias) + (sum))
#define C_MINUS(bias, sum) ((bias) - (sum))

#define C_STEP_1(STEP, PART, n)                                                                    \
    do {                                                                                           \
        C_BYTES q = C_LOAD(query + at);                                                            \
        s0 = STEP(s0, q, PART(codes[0] + at, n));                                                  \
    } while (0)
#define C_STEP_4(STEP, PART, n)                                                                    \
    do {                                                                                           \
        C_BYTES q = C_LOAD(query + at);                                                            \
        s0 = STEP(s0, q, PART(codes[0] + at, n));                                                  \
        s1 = STEP(s1, q, PART(codes[1] + at, n));                                                  \
        s2 = STEP(s2, q, PART(codes[2] + at, n));                                                  \
        s3 = STEP(s3, q, PART(codes[3] + at, n));                                                  \
    } while (0)

#if C_WIDTH > 16
#define C_STEPS(ROUND, STEP)                                                                       \
    do {                                                                                           \
        const uint32_t whole = bytes / C_WIDTH * C_WIDTH;                                          \
        size_t at = 0;                                                                             \
        for (; at != whole; at += C_WIDTH) {                                                       \
            ROUND(STEP, C_WHOLE, 0);                                                               \
        }                                                                                          \
        if (at != bytes) {                                                                         \
            ROUND(STEP, C_PART, bytes - whole);                                                    \
        }                                                                                          \
    } while (0)
#else
#define C_STEPS(ROUND, STEP)                                                                       \
    do {                                                                                           \
        for (size_t at = 0; at != bytes; at += C_WIDTH) {                                          \
            ROUND(STEP, C_WHOLE, 0);                                                               \
        }                                                                                          \
    } while (0)
#endif

#define C_KERNEL(op, STEP, END)                                                                    \
    C_TARGET static void C_NAME(op)(const uint8_t *query, uint32_t bias,                           \
                                    const uint8_t *const *codes, uint32_t count, uint32_t bytes,   \
                                    uint32_t *orders) {                                            \
        for (; count >= 4; count -= 4) {                                                           \
            C_SUMS s0 = C_ZERO();                                                                  \
            C_SUMS s1 = C_ZERO();                                                                  \
            C_SUMS s2 = C_ZERO();                                                                  \
            C_SUMS s3 = C_ZERO();                                                                  \
            C_STEPS(C_STEP_4, STEP);                                                               \
            nighi_u32x4 four = END(bias, C_FOLD(s0, s1, s2, s3));                                  \
            nighi_copy(orders, &four, 16);                                                         \
            codes += 4;                                                                            \
            orders += 4;                                                                           \
        }                                                                                          \
        for (; count > 0; count--) {                                                               \
            C_SUMS s0 = C_ZERO();                                                                  \
            C_STEPS(C_STEP_1, STEP);                                                               \
            nighi_u32x4 same = C_FOLD(s0, s0, s0, s0);                                             \
            *orders++ = END(bias, same[0]);                                                        \
            codes++;                                                                               \
        }                                                                                          \
    }

#ifdef C_L2
C_KERNEL(code_l2, C_L2, C_PLUS)
#endif
#ifdef C_DOT
C_KERNEL(code_dot, C_DOT, C_MINUS)
#endif
#ifdef C_L1
C_KERNEL(code_l1, C_L1, C_PLUS)
#endif
#ifdef C_BITS
C_KERNEL(code_bits, C_BITS, C_PLUS)
#endif

#undef C_NAME
#undef C_TARGET
#undef C_WIDTH
#undef C_BYTES
#undef C_SUMS
#undef C_ZERO
#undef C_LOAD
#undef C_PART
#undef C_FOLD
#undef C_L2
#undef C_DOT
#undef C_L1
#undef C_BITS
#undef C_WHOLE
#undef C_PLUS
#undef C_MINUS
#undef C_STEP_1
#undef C_STEP_4
#undef C_STEPS
#undef C_KERNEL
