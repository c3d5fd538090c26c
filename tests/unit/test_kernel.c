/* test_kernel.c - every kernel of every level: bit for bit what kernel.h says, never a byte beyond
 * layer T; uses: cpu, num, kernel
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Each call runs on memory that ends, then begins, at an unmapped page. Three references: the lane
 * order written out again here (bits), plain double sums (tolerance), 64-bit sums (integers). */
#define _GNU_SOURCE
#include "kernel.h"
#include "reference.h"
#include "t.h"

#define DIM_MAX 65535u

#define CODES_MAX 9u
#define CODE_BYTES_MAX 65552u

static ref_guarded left_memory;
static ref_guarded right_memory;
static ref_guarded row_memory[4];
static ref_guarded code_memory[CODES_MAX];
static uint32_t skipped;

static uint32_t dim_of(uint32_t step) {
    static const uint32_t large[] = {383,  384,  511,  512,  513,  768,
                                     1000, 1024, 1537, 4095, 4096, 65535};
    if (step < 300) {
        return step + 1;
    }
    return step - 300 < sizeof large / sizeof large[0] ? large[step - 300] : 0;
}

static float widen(uint32_t elem, const void *x, uint32_t i) {
    if (elem == NIGHI_ELEM_F32) {
        return ((const float *)x)[i];
    }
    uint16_t half = ((const uint16_t *)x)[i];
    return elem == NIGHI_ELEM_F16 ? nighi_f32_from_f16(half) : nighi_f32_from_bf16(half);
}

/* kernel.h in code. op 3: squares of x. `exact` gets the sum and the sum of magnitudes. */
static float reduce(uint32_t op, uint32_t elem, const float *q, const void *x, uint32_t dim,
                    double exact[2]) {
    float lane[32];
    memset(lane, 0, sizeof lane);
    exact[0] = 0;
    exact[1] = 0;
    for (uint32_t i = 0; i < dim; i++) {
        float b = widen(elem, x, i);
        float a = op == 3 ? b : q[i];
        float d = a - b;
        volatile float term = op == NIGHI_OP_L2   ? d * d
                              : op == NIGHI_OP_L1 ? (d < 0 ? -d : d)
                                                  : a * b;
        double wide = (double)a - (double)b;
        wide = op == NIGHI_OP_L2   ? wide * wide
               : op == NIGHI_OP_L1 ? (wide < 0 ? -wide : wide)
                                   : (double)a * (double)b;
        lane[i % 32] += term;
        exact[0] += wide;
        exact[1] += wide < 0 ? -wide : wide;
    }
    for (uint32_t width = 16; width > 0; width /= 2) {
        for (uint32_t i = 0; i < width; i++) {
            lane[i] += lane[i + width];
        }
    }
    return lane[0];
}

static void check_float(const char *what, uint32_t dim, int pattern, float got, float want,
                        const double exact[2]) {
    uint32_t a = nighi_f32_bits(got);
    uint32_t b = nighi_f32_bits(want);
    if (pattern >= REF_BITS || !nighi_f32_finite(want)) { /* any NaN will do */
        a = nighi_f32_bits(nighi_distance_canonical(got));
        b = nighi_f32_bits(nighi_distance_canonical(want));
    }
    if (a != b) {
        t_failf("%s dim %u pattern %d: %08x, want %08x (%g, %g)", what, dim, pattern, a, b,
                (double)got, (double)want);
    }
    if (nighi_f32_finite(want) && pattern < REF_BITS) {
        double error = (double)got - exact[0];
        double bound = exact[1] * ((double)dim / 32 + 8) * 1.2e-7 + (double)dim * 2e-45;
        if (error > bound || error < -bound) {
            t_failf("%s dim %u pattern %d: %g is not near %g", what, dim, pattern, (double)got,
                    exact[0]);
        }
    }
}

static void fill_floats(float *q, void *x, uint32_t elem, uint32_t dim, int pattern,
                        uint64_t *state) {
    for (uint32_t i = 0; i < dim; i++) {
        uint32_t a = ref_word(pattern, i, state);
        uint32_t b = ref_word(pattern, i + 7, state);
        memcpy(q + i, &a, 4);
        if (elem == NIGHI_ELEM_F32) {
            memcpy((float *)x + i, &b, 4);
        } else if (elem == NIGHI_ELEM_BF16) {
            ((uint16_t *)x)[i] = (uint16_t)(b >> 16);
        } else if (pattern == REF_SUBNORMAL || pattern == REF_BITS) {
            ((uint16_t *)x)[i] = (uint16_t)(pattern == REF_BITS ? b : b & 0x83ffu);
        } else {
            ((uint16_t *)x)[i] = nighi_f16_from_f32(nighi_f32_from_bits(b));
        }
    }
}

static void run_float(const nighi_kernels *table, const char *level, uint32_t elem, uint32_t dim,
                      int pattern, int at_end, uint64_t *state) {
    static const char *const ops[] = {"l2", "dot", "l1"};
    static const char *const elems[] = {"f32", "f16", "bf16"};
    char what[64];
    double exact[2];
    float *q = (float *)ref_place(&left_memory, dim * sizeof(float), at_end);
    void *x = ref_place(&right_memory, dim * (elem == NIGHI_ELEM_F32 ? 4u : 2u), at_end);
    fill_floats(q, x, elem, dim, pattern, state);
    for (uint32_t op = 0; op < 3; op++) {
        float want = reduce(op, elem, q, x, dim, exact);
        snprintf(what, sizeof what, "%s %s_%s", level, ops[op], elems[elem]);
        check_float(what, dim, pattern, table->floats[op][elem](q, x, dim), want, exact);
    }
    float sums[2];
    table->dot_square[elem](q, x, dim, sums);
    float dot = reduce(NIGHI_OP_DOT, elem, q, x, dim, exact);
    snprintf(what, sizeof what, "%s dot_square_%s", level, elems[elem]);
    check_float(what, dim, pattern, sums[0], dot, exact);
    float square = reduce(3, elem, q, x, dim, exact);
    check_float(what, dim, pattern, sums[1], square, exact);
}

static void compare_four(const nighi_kernels *table, const char *level, uint32_t elem,
                         const float *q, const void *const *rows, uint32_t dim) {
    for (uint32_t op = 0; op < NIGHI_OP_COUNT; op++) {
        float out[5] = {7, 7, 7, 7, 7};
        table->fours[op][elem](q, rows, dim, out);
        t_eq(nighi_f32_bits(out[4]), nighi_f32_bits(7));
        for (uint32_t i = 0; i < 4; i++) {
            float want = table->floats[op][elem](q, rows[i], dim);
            bool nan = want != want && out[i] != out[i]; /* any NaN will do */
            if (!nan && nighi_f32_bits(out[i]) != nighi_f32_bits(want)) {
                t_failf("%s op %u elem %u dim %u: row %u of four %a, alone %a", level, op, elem,
                        dim, i, (double)out[i], (double)want);
            }
        }
    }
}

/* Four rows, each between pages of its own, against four calls. */
static void run_four(const nighi_kernels *table, const char *level, uint32_t elem, uint32_t dim,
                     int pattern, int at_end, uint64_t *state) {
    const void *rows[4];
    float *q = (float *)ref_place(&left_memory, dim * sizeof(float), at_end);
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t bytes = dim * (elem == NIGHI_ELEM_F32 ? 4u : 2u);
        void *x = ref_place(&row_memory[i], bytes, at_end);
        fill_floats(q, x, elem, dim, pattern, state);
        rows[i] = x;
    }
    compare_four(table, level, elem, q, rows, dim);
}

static void fill_bytes(uint8_t *p, uint32_t dim, int pattern, uint64_t *state) {
    for (uint32_t i = 0; i < dim; i++) {
        p[i] = (uint8_t)(pattern == 0   ? (i * 7 + 3) % 251
                         : pattern == 1 ? ref_random(state)
                         : pattern == 2 ? 255
                         : pattern == 3 ? 128
                                        : ref_random(state) % 2 * 255);
    }
}

static void run_bytes(const nighi_kernels *table, const char *level, uint32_t dim, int pattern,
                      int at_end, uint64_t *state) {
    uint8_t *q = (uint8_t *)ref_place(&left_memory, dim, at_end);
    uint8_t *x = (uint8_t *)ref_place(&right_memory, dim, at_end);
    uint64_t want[7] = {0};
    int64_t sums[3] = {0};
    int32_t out[3];
    fill_bytes(q, dim, pattern, state);
    fill_bytes(x, dim, pattern == 2 ? (dim % 2 == 0 ? 2 : 5) : pattern, state);
    if (pattern == 2 && dim % 3 == 0) {
        memset(x, 0, dim);
    }
    for (uint32_t i = 0; i < dim; i++) {
        int32_t d = (int32_t)q[i] - (int32_t)x[i];
        int32_t a = (int8_t)q[i];
        int32_t b = (int8_t)x[i];
        want[0] += (uint64_t)(d * d);
        want[1] += (uint64_t)q[i] * x[i];
        want[2] += (uint64_t)(d < 0 ? -d : d);
        want[3] += (uint64_t)__builtin_popcount((unsigned)(q[i] ^ x[i]));
        sums[0] += a * b;
        sums[1] += b;
        sums[2] += b * b;
    }
    table->i8((const int8_t *)q, (const int8_t *)x, dim, out);
    for (uint32_t op = 0; op < 3; op++) {
        uint32_t got = table->u8[op](q, x, dim);
        if (got != want[op]) {
            t_failf("%s u8 op %u dim %u pattern %d: %u", level, op, dim, pattern, got);
        }
        if (out[op] != sums[op]) {
            t_failf("%s i8 sum %u dim %u pattern %d: %d", level, op, dim, pattern, out[op]);
        }
    }
    uint32_t bits = table->hamming(q, x, dim);
    if (bits != want[3]) {
        t_failf("%s hamming dim %u pattern %d: %u", level, dim, pattern, bits);
    }
}

/* u7 codes: 0 random, 1 random and two of the extremes, 2 and 3 the largest sums, 4 zeros. */
static void fill_code(uint8_t *p, uint32_t bytes, int pattern, uint64_t *state) {
    for (uint32_t i = 0; i < bytes; i++) {
        uint64_t word = ref_random(state);
        p[i] = (uint8_t)(pattern == 0   ? word >> 8 & 127
                         : pattern == 1 ? (word % 3 == 0 ? word >> 8 & 127 : word % 3 % 2 * 127)
                         : pattern < 4  ? 127
                                        : 0);
    }
}

/* A query with zeros up to 64 bytes: for DOT int8 in -63..63, for BITS any bytes. */
static void fill_query(uint8_t *q, uint32_t bytes, uint32_t op, int pattern, uint64_t *state) {
    static const int8_t extremes[5] = {0, 63, 63, -63, -63};
    memset(q, 0, (bytes + 63) / 64 * 64);
    for (uint32_t i = 0; i < bytes; i++) {
        uint64_t word = ref_random(state);
        int32_t value = op == NIGHI_CODE_BITS  ? (int32_t)(word >> 8 & 255)
                        : op != NIGHI_CODE_DOT ? (int32_t)(word >> 8 & 127)
                                               : (int32_t)((word >> 8) % 127) - 63;
        if (pattern == 1 && word % 3 != 0) {
            value = op == NIGHI_CODE_DOT ? (word % 3 == 1 ? 63 : -63) : (int32_t)(word % 2 * 127);
        } else if (pattern >= 2) {
            value = op == NIGHI_CODE_DOT ? extremes[pattern] : pattern == 4 ? 127 : 0;
        }
        q[i] = (uint8_t)value;
    }
}

static uint32_t code_order(uint32_t op, uint32_t bias, const uint8_t *q, const uint8_t *x,
                           uint32_t bytes) {
    int64_t sum = 0;
    for (uint32_t i = 0; i < bytes; i++) {
        int32_t d = (int32_t)q[i] - (int32_t)x[i];
        sum += op == NIGHI_CODE_L2    ? d * d
               : op == NIGHI_CODE_DOT ? -(int32_t)(int8_t)q[i] * (int32_t)x[i]
               : op == NIGHI_CODE_L1  ? (d < 0 ? -d : d)
                                      : __builtin_popcount((unsigned)(q[i] ^ x[i]));
    }
    return (uint32_t)((uint64_t)bias + (uint64_t)sum);
}

/* Every count of codes, each code between pages of its own. */
static void run_codes(const nighi_kernels *table, const char *level, uint32_t bytes, int pattern,
                      int at_end, uint64_t *state) {
    static const char *const ops[] = {"l2", "dot", "l1", "bits"};
    const uint8_t *codes[CODES_MAX];
    uint8_t *q = (uint8_t *)ref_place(&left_memory, (bytes + 63) / 64 * 64, at_end);
    for (uint32_t i = 0; i < CODES_MAX; i++) {
        uint8_t *code = (uint8_t *)ref_place(&code_memory[i], bytes, at_end);
        fill_code(code, bytes, pattern, state);
        codes[i] = code;
    }
    for (uint32_t op = 0; op < NIGHI_CODE_COUNT; op++) {
        uint32_t want[CODES_MAX];
        uint32_t bias = (uint32_t)ref_random(state);
        fill_query(q, bytes, op, pattern, state);
        for (uint32_t i = 0; i < CODES_MAX; i++) {
            want[i] = code_order(op, bias, q, codes[i], bytes);
        }
        for (uint32_t count = 0; count <= CODES_MAX; count++) {
            uint32_t orders[CODES_MAX + 1];
            memset(orders, 0x5a, sizeof orders);
            table->codes[op](q, bias, codes, count, bytes, orders);
            for (uint32_t i = 0; i <= CODES_MAX; i++) {
                uint32_t right = i < count ? want[i] : 0x5a5a5a5au;
                if (orders[i] != right) {
                    t_failf("%s code_%s %u of %u, %u bytes, pattern %d: %u, want %u", level,
                            ops[op], i, count, bytes, pattern, orders[i], right);
                }
            }
        }
    }
}

TEST(floats_match_the_definition) {
    uint64_t state = t_seed() << 32;
    for (int level = 0; level < REF_LEVELS; level++) {
        nighi_kernels table;
        if (!ref_runs(level)) {
            skipped++;
            continue;
        }
        nighi_kernels_pick(&table, ref_levels[level].features);
        for (uint32_t step = 0; dim_of(step) != 0; step++) {
            uint32_t dim = dim_of(step);
            for (int run = 0; run < 2 * REF_PATTERNS; run++) {
                int pattern = run / 2;
                if ((dim > 2000 && pattern > 1) || (t_small() && dim > 70 && dim % 19 != 5)) {
                    continue;
                }
                for (uint32_t elem = 0; elem < NIGHI_ELEM_COUNT; elem++) {
                    run_float(&table, ref_levels[level].name, elem, dim, pattern, run % 2, &state);
                }
            }
        }
    }
}

TEST(four_rows_are_four_calls) {
    uint64_t state = t_seed() << 32;
    for (int level = 0; level < REF_LEVELS; level++) {
        nighi_kernels table;
        uint32_t features = ref_levels[level].features;
        if (!ref_runs(level)) {
            continue;
        }
        nighi_kernels_pick(&table, features);
        bool wide = (features & (NIGH_CPU_AVX2 | NIGH_CPU_AVX512 | NIGH_CPU_NEON)) != 0;
        for (uint32_t i = 0; i < NIGHI_OP_COUNT * NIGHI_ELEM_COUNT; i++) {
            t_eq(table.fours[i / NIGHI_ELEM_COUNT][i % NIGHI_ELEM_COUNT] != NULL, wide);
        }
        for (uint32_t step = 0; wide && dim_of(step) != 0; step++) {
            uint32_t dim = dim_of(step);
            for (int run = 0; run < 2 * REF_PATTERNS; run++) {
                int pattern = run / 2;
                if ((dim > 2000 && pattern > 1) || (t_small() && dim > 70 && dim % 19 != 5)) {
                    continue;
                }
                for (uint32_t elem = 0; elem < NIGHI_ELEM_COUNT; elem++) {
                    run_four(&table, ref_levels[level].name, elem, dim, pattern, run % 2, &state);
                }
            }
        }
    }
}

TEST(bytes_are_exact) {
    uint64_t state = t_seed() << 32;
    for (int level = 0; level < REF_LEVELS; level++) {
        nighi_kernels table;
        if (!ref_runs(level)) {
            continue;
        }
        nighi_kernels_pick(&table, ref_levels[level].features);
        for (uint32_t step = 0; dim_of(step) != 0; step++) {
            for (int run = 0; run < 10; run++) {
                run_bytes(&table, ref_levels[level].name, dim_of(step), run / 2, run % 2, &state);
            }
        }
    }
}

TEST(codes_are_exact) {
    uint64_t state = t_seed() << 32;
    for (int level = 0; level < REF_LEVELS; level++) {
        nighi_kernels table;
        if (!ref_runs(level)) {
            continue;
        }
        nighi_kernels_pick(&table, ref_levels[level].features);
        for (uint32_t bytes = 16; bytes <= 1040; bytes += 16) {
            for (int run = 0; run < 10; run++) {
                run_codes(&table, ref_levels[level].name, bytes, run / 2, run % 2, &state);
            }
        }
        run_codes(&table, ref_levels[level].name, CODE_BYTES_MAX, 2, 1, &state);
        run_codes(&table, ref_levels[level].name, CODE_BYTES_MAX, 3, 0, &state);
    }
}

/* Rows of files start anywhere: every alignment that the element type allows. */
TEST(any_alignment) {
    static uint8_t left[64 + 4 * 131];
    static uint8_t right[64 + 4 * 131 + 16];
    uint64_t state = t_seed();
    uint32_t dim = 131;
    for (int level = 0; level < REF_LEVELS; level++) {
        nighi_kernels table;
        if ((ref_levels[level].features & ~ref_machine()) != 0) {
            continue;
        }
        nighi_kernels_pick(&table, ref_levels[level].features);
        for (uint32_t shift = 0; shift < 64; shift += 2) {
            double exact[2];
            for (uint32_t elem = shift % 4 == 0 ? 0 : 1; elem < NIGHI_ELEM_COUNT; elem++) {
                float *q = (float *)(void *)(left + (64 - shift) / 4 * 4);
                void *x = right + shift;
                fill_floats(q, x, elem, dim, REF_RANDOM, &state);
                float want = reduce(NIGHI_OP_L2, elem, q, x, dim, exact);
                check_float(ref_levels[level].name, dim, REF_RANDOM,
                            table.floats[NIGHI_OP_L2][elem](q, x, dim), want, exact);
                const void *rows[4] = {x, right + shift + 4, right + shift + 12, right};
                if (table.fours[NIGHI_OP_L2][elem] != NULL) {
                    compare_four(&table, ref_levels[level].name, elem, q, rows, dim);
                }
            }
        }
    }
}

/* Padding with zeros, or having none, gives the same bits. */
TEST(padding_changes_nothing) {
    float q[160] = {0};
    float x[160] = {0};
    nighi_kernels table;
    uint64_t state = t_seed();
    nighi_kernels_pick(&table, ref_machine());
    for (uint32_t dim = 1; dim < 128; dim++) {
        memset(q, 0, sizeof q);
        memset(x, 0, sizeof x);
        fill_floats(q, x, NIGHI_ELEM_F32, dim, REF_RANDOM, &state);
        for (uint32_t op = 0; op < NIGHI_OP_COUNT; op++) {
            float bare = table.floats[op][NIGHI_ELEM_F32](q, x, dim);
            float padded = table.floats[op][NIGHI_ELEM_F32](q, x, (dim + 31) / 32 * 32);
            t_eq(nighi_f32_bits(bare), nighi_f32_bits(padded));
        }
    }
}

SUITE {
    left_memory = ref_guard((size_t)DIM_MAX * 4);
    right_memory = ref_guard((size_t)DIM_MAX * 4);
    RUN(floats_match_the_definition);
    for (uint32_t i = 0; i < 4; i++) {
        row_memory[i] = ref_guard((size_t)DIM_MAX * 4);
    }
    RUN(four_rows_are_four_calls);
    for (uint32_t i = 0; i < CODES_MAX; i++) {
        code_memory[i] = ref_guard(CODE_BYTES_MAX);
    }
    RUN(bytes_are_exact);
    RUN(codes_are_exact);
    RUN(any_alignment);
    RUN(padding_changes_nothing);
    printf("%d levels, %u skipped\n", REF_LEVELS, skipped);
}
