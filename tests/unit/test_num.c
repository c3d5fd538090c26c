/* test_num.c - numbers: every f16, square roots against hardware, float modes, racy copies
 * layer T; uses: base, fp, num, racy
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "fp.h"
#include "num.h"
#include "racy.h"
#include "reference.h"
#include "t.h"
#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

static int is_nan(uint32_t bits) { return (bits & 0x7fffffffu) > 0x7f800000u; }

/* ---- f16, bf16 ------------------------------------------------------------------------------ */

/* By the definition of binary16, in double. */
static double half_value(uint32_t half) {
    uint32_t exponent = (half >> 10) & 31u;
    double value = (double)(half & 0x3ffu) / 1024.0;
    int power = (int)exponent - 15;
    if (exponent == 0) {
        power = -14;
    } else {
        value += 1.0;
    }
    for (; power > 0; power--) {
        value *= 2;
    }
    for (; power < 0; power++) {
        value /= 2;
    }
    return (half & 0x8000u) != 0 ? -value : value;
}

TEST(f16_every_value_there_and_back) {
    for (uint32_t half = 0; half < 65536; half++) {
        float wide = nighi_f32_from_f16((uint16_t)half);
        uint16_t back = nighi_f16_from_f32(wide);
        if ((half & 0x7fffu) > 0x7c00u) {
            t_assert(is_nan(nighi_f32_bits(wide)));
            t_assert((back & 0x7fffu) > 0x7c00u && (back & 0x8000u) == (half & 0x8000u));
            continue;
        }
        t_eq(back, half);
        t_eq(nighi_f16_finite((uint16_t)half), (half & 0x7c00u) != 0x7c00u);
        if ((half & 0x7c00u) != 0x7c00u) {
            t_assert((double)wide == half_value(half));
        } else {
            t_eq(nighi_f32_bits(wide), 0x7f800000u | (half & 0x8000u) << 16);
        }
    }
}

/* The nearest f16, ties to even, by searching its neighbours: no idea shared with the code. */
static uint32_t half_nearest(double value) {
    uint32_t best = 0;
    double magnitude = value < 0 ? -value : value;
    for (uint32_t step = 0x4000; step > 0; step >>= 1) {
        if (best + step <= 0x7c00u && half_value(best + step) <= magnitude) {
            best += step;
        }
    }
    if (best < 0x7c00u) {
        double below = magnitude - half_value(best);
        double above = half_value(best + 1) - magnitude;
        best += below > above || (below == above && (best & 1u) != 0) ? 1u : 0u;
    }
    return best;
}

TEST(f32_to_f16_rounds_to_nearest_even) {
    uint64_t state = t_seed();
    for (uint32_t i = 0; i < 400000; i++) {
        uint32_t bits = (uint32_t)(ref_random(&state) >> 32);
        if (i % 2 == 0) { /* where f16 lives, with many ties */
            bits = (bits & 0x807ff000u) | (100u + (bits >> 8) % 45u) << 23;
        }
        float value = nighi_f32_from_bits(bits);
        if (is_nan(bits)) {
            continue;
        }
        uint32_t want = half_nearest((double)value) | ((bits >> 16) & 0x8000u);
        uint32_t got = nighi_f16_from_f32(value);
        if (got != want) {
            t_failf("%08x: %04x, want %04x", bits, got, want);
        }
    }
}

#if defined(__x86_64__)
__attribute__((target("avx2,f16c"))) static void against_f16c(void) {
    for (uint64_t i = 0; i < (t_small() ? 200000 : 1u << 24); i++) {
        uint32_t bits = (uint32_t)(i * 257u + (i >> 8));
        __m128i halves = _mm_cvtps_ph(_mm_castsi128_ps(_mm_set1_epi32((int)bits)), 0);
        uint32_t want = (uint32_t)_mm_cvtsi128_si32(halves) & 0xffffu;
        if (!is_nan(bits) && nighi_f16_from_f32(nighi_f32_from_bits(bits)) != want) {
            t_failf("%08x: hardware has %04x", bits, want);
        }
        uint32_t half = (uint32_t)i & 0xffffu;
        uint32_t wide = (uint32_t)_mm_cvtsi128_si32(
            _mm_castps_si128(_mm_cvtph_ps(_mm_cvtsi32_si128((int)half))));
        if (!is_nan(wide)) {
            t_eq(nighi_f32_bits(nighi_f32_from_f16((uint16_t)half)), wide);
        }
    }
}

TEST(f16_agrees_with_hardware) {
    if ((nighi_cpu_detect() & NIGH_CPU_AVX2) != 0) {
        against_f16c();
    } else {
        printf("  skipped: no F16C\n");
    }
}
#elif defined(__aarch64__)
TEST(f16_agrees_with_hardware) {
    for (uint32_t i = 0; i < 1u << (t_small() ? 16 : 22); i++) {
        uint32_t bits = i * 0x40201u;
        if (is_nan(bits)) {
            continue;
        }
        __fp16 half = (__fp16)nighi_f32_from_bits(bits);
        uint16_t want;
        memcpy(&want, &half, 2);
        t_eq(nighi_f16_from_f32(nighi_f32_from_bits(bits)), want);
    }
}
#else
TEST(f16_agrees_with_hardware) {}
#endif

TEST(bf16_rounds_to_nearest_even) {
    uint64_t state = t_seed();
    for (uint32_t i = 0; i < 1000000; i++) {
        uint32_t bits = (uint32_t)(ref_random(&state) >> 32);
        bits = i % 4 == 0 ? (bits & 0xffff8000u) : bits; /* ties */
        uint16_t got = nighi_bf16_from_f32(nighi_f32_from_bits(bits));
        if (is_nan(bits)) {
            t_assert(is_nan((uint32_t)got << 16));
            continue;
        }
        uint32_t low = bits & 0xffffu;
        uint32_t want = bits >> 16;
        want += low > 0x8000u || (low == 0x8000u && (want & 1u) != 0) ? 1u : 0u;
        t_eq(got, want);
        t_eq(nighi_f32_bits(nighi_f32_from_bf16(got)), want << 16);
    }
    t_assert(!nighi_bf16_finite(nighi_bf16_from_f32(nighi_f32_from_bits(0x7f7fffffu))));
    t_assert(nighi_bf16_finite(nighi_bf16_from_f32(nighi_f32_from_bits(0x7f7f7fffu))));
}

/* ---- Square root, integers ------------------------------------------------------------------ */

static void sqrt_one(uint32_t bits) {
    float value = nighi_f32_from_bits(bits);
    uint32_t soft = nighi_f32_bits(nighi_sqrt_soft(value));
    uint32_t hard = nighi_f32_bits(nighi_sqrt(value));
    if (soft != hard && !(is_nan(soft) && is_nan(hard))) {
        t_failf("sqrt %08x: %08x in software, %08x in hardware", bits, soft, hard);
    }
}

TEST(sqrt_in_software_is_sqrt_in_hardware) {
    uint32_t step = t_small() ? 8191 : 79; /* prime; 54 million patterns, a third of them NaN */
    for (uint64_t bits = 0; bits <= 0xffffffffu; bits += step) {
        sqrt_one((uint32_t)bits);
    }
    for (uint32_t i = 0; i < 70000; i++) { /* around powers of two, zero and infinity */
        sqrt_one((i >> 8) << 23 | (i & 0x7fu));
        sqrt_one(((i >> 8) << 23) - (i & 0x7fu));
    }
    for (uint32_t root = 1; root < 4096; root++) { /* exact squares */
        t_assert(nighi_sqrt_soft((float)(root * root)) == (float)root);
    }
}

/* The definition of correct rounding, in integers: no hardware needed. */
TEST(sqrt_is_correctly_rounded) {
    uint64_t state = t_seed();
    for (uint32_t i = 0; i < 200000; i++) {
        uint32_t bits = (uint32_t)(ref_random(&state) >> 33) % 0x7f800000u;
        float root = nighi_sqrt_soft(nighi_f32_from_bits(bits));
        double value = (double)nighi_f32_from_bits(bits);
        double up = ((double)root + (double)nighi_f32_from_bits(nighi_f32_bits(root) + 1)) / 2;
        double down = ((double)root + (double)nighi_f32_from_bits(nighi_f32_bits(root) - 1)) / 2;
        t_assert(bits == 0 || (down * down < value && value < up * up));
    }
}

TEST(i64_to_float_in_software) {
    uint64_t state = t_seed();
    for (uint32_t i = 0; i < 2000000; i++) {
        uint64_t bits = ref_random(&state);
        int64_t value = (int64_t)(bits >> (bits & 63u)) * (i % 2 == 0 ? 1 : -1);
        if (i % 3 == 0) { /* ties and near ties */
            value = (int64_t)(((bits & 0xffffffu) << 25 | 1u << 24) + (bits >> 62)) - 1;
        }
        t_eq(nighi_f32_bits(nighi_f32_from_i64_soft(value)), nighi_f32_bits((float)value));
    }
    t_eq(nighi_f32_bits(nighi_f32_from_i64(INT64_MIN)), 0xdf000000u);
    t_eq(nighi_f32_bits(nighi_f32_from_i64_soft(INT64_MIN)), 0xdf000000u);
    t_eq(nighi_f32_bits(nighi_f32_from_i64_soft(INT64_MAX)), 0x5f000000u);
    t_eq(nighi_f32_bits(nighi_f32_from_i64_soft(0)), 0);
}

TEST(float_to_integer_rounds_to_even) {
    static const struct {
        float value;
        int32_t want;
    } cases[] = {{0.5f, 0},   {1.5f, 2},     {2.5f, 2},       {-0.5f, 0},    {-1.5f, -2},
                 {-2.5f, -2}, {0.4999f, 0},  {254.5f, 254},   {255.4f, 255}, {1e30f, 255},
                 {3.7f, 4},   {-3.2f, -3},   {-1e30f, -255},  {0.0f, 0},     {-0.0f, 0},
                 {1e-45f, 0}, {0.50001f, 1}, {-254.51f, -255}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        t_eq(nighi_i32_from_f32(cases[i].value, 255), cases[i].want);
    }
}

/* ---- Distances ------------------------------------------------------------------------------ */

TEST(order_is_monotone_and_invertible) {
    uint64_t state = t_seed();
    for (uint32_t i = 0; i < 1000000; i++) {
        float a = nighi_distance_canonical(
            nighi_f32_from_bits((uint32_t)(ref_random(&state) >> 32)));
        float b = nighi_distance_canonical(
            nighi_f32_from_bits((uint32_t)(ref_random(&state) >> 32)));
        t_eq(a < b, nighi_order_f32(a) < nighi_order_f32(b));
        t_eq(nighi_f32_bits(nighi_f32_from_order(nighi_order_f32(a))), nighi_f32_bits(a));
    }
    t_assert(nighi_order_f32(-1.0f) < nighi_order_f32(0.0f));
    t_assert(nighi_order_f32(3e38f) < nighi_order_f32(nighi_f32_from_bits(0x7f800000u)));
}

TEST(canonical_distances) {
    static const uint32_t odd[] = {0x7fc00000u, 0xffc00000u, 0x7f800001u, 0x7f800000u, 0xff800000u};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        float value = nighi_distance_canonical(nighi_f32_from_bits(odd[i]));
        t_eq(nighi_f32_bits(value), 0x7f800000u);
    }
    t_eq(nighi_f32_bits(nighi_distance_canonical(-0.0f)), 0);
    t_eq(nighi_f32_bits(nighi_distance_canonical(-1.5f)), nighi_f32_bits(-1.5f));
    t_eq(nighi_f32_bits(nighi_distance_canonical(1e-45f)), 1);
}

/* ---- Float modes ---------------------------------------------------------------------------- */

TEST(wrong_modes_are_found_and_mended) {
    t_assert(nighi_fp_selftest());
#if defined(__SSE__)
    /* FTZ, DAZ, both, the three other roundings. */
    static const uint32_t modes[] = {0x8000u, 0x0040u, 0x8040u, 0x2000u, 0x4000u, 0x6000u};
#elif defined(__aarch64__)
    static const uint32_t modes[] = {0x01000000u, 0x00400000u, 0x00800000u, 0x00c00000u};
#else
    static const uint32_t modes[] = {0};
#endif
    uint32_t before = nighi_fp_control();
    for (size_t i = 0; i < sizeof modes / sizeof modes[0] && modes[i] != 0; i++) {
        uint32_t mode = (before & ~NIGHI_FP_BITS) | NIGHI_FP_DEFAULT | modes[i];
        nighi_fp_set_control(mode);
        bool wrong = nighi_fp_selftest();
        uint32_t saved = nighi_fp_enter();
        bool right = nighi_fp_selftest();
        nighi_fp_leave(saved);
        uint32_t after = nighi_fp_control();
        nighi_fp_set_control(before);
        t_assert(!wrong);
        t_assert(right);
        t_eq(saved & NIGHI_FP_BITS, mode & NIGHI_FP_BITS);
        t_eq(after & NIGHI_FP_BITS, mode & NIGHI_FP_BITS);
    }
    uint32_t saved = nighi_fp_enter();
    nighi_fp_leave(saved);
    t_eq(nighi_fp_control() & NIGHI_FP_BITS, before & NIGHI_FP_BITS);
}

/* ---- Racy copies ---------------------------------------------------------------------------- */

TEST(racy_copies_copy) {
    uint8_t from[96];
    uint8_t to[96];
    for (size_t i = 0; i < sizeof from; i++) {
        from[i] = (uint8_t)(i * 7 + 1);
    }
    for (size_t a = 0; a < 5; a++) {
        for (size_t b = 0; b < 5; b++) {
            for (size_t bytes = 0; bytes <= 80; bytes++) {
                memset(to, 0, sizeof to);
                nighi_racy_copy(to + a, from + b, bytes);
                t_bytes(to + a, from + b, bytes);
                t_assert(to[a + bytes] == 0 && (a == 0 || to[a - 1] == 0));
                memset(to, 0, sizeof to);
                nighi_racy_store(to + a, from + b, bytes);
                t_bytes(to + a, from + b, bytes);
                t_assert(to[a + bytes] == 0 && (a == 0 || to[a - 1] == 0));
            }
        }
    }
}

SUITE {
    RUN(f16_every_value_there_and_back);
    RUN(f32_to_f16_rounds_to_nearest_even);
    RUN(f16_agrees_with_hardware);
    RUN(bf16_rounds_to_nearest_even);
    RUN(sqrt_in_software_is_sqrt_in_hardware);
    RUN(sqrt_is_correctly_rounded);
    RUN(i64_to_float_in_software);
    RUN(float_to_integer_rounds_to_even);
    RUN(order_is_monotone_and_invertible);
    RUN(canonical_distances);
    RUN(wrong_modes_are_found_and_mended);
    RUN(racy_copies_copy);
}
