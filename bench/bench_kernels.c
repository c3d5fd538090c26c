/* bench_kernels.c - what one kernel call costs: every kernel, level and a few dimensions
 * layer T; uses: cpu, kernel
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * usage: bench_kernels [part of a kernel's name [part of a level's name [dim...]]]
 * Columns: nanoseconds of CPU time a call and GB/s of stored vectors, medians of nine rounds; hot:
 * 24 vectors in the first cache; cold: random vectors of 256 MB, as a search meets them but without
 * prefetch, so that independent calls overlap as far as the machine lets them. Kernels that take
 * several vectors (four_..., code_...): nanoseconds a vector, in batches of 24 scattered ones. Of
 * codes, dim is bytes, rounded up to 16. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cpu.h"
#include "kernel.h"
#include "num.h"

#define ROUNDS 9
#define COLD_BYTES (256u << 20)
#define COLD_CALLS 40000u
#define BATCH 24u

static const struct {
    const char *name;
    uint32_t features;
} levels[] = {{"scalar", 1},       {"sse41", 3},
              {"avx2", 7},         {"avx512", 15},
              {"avx512+", 63},     {"neon", 1 + NIGH_CPU_NEON},
              {"neon+dot", 1 + NIGH_CPU_NEON + NIGH_CPU_DOTPROD},
              {"simd128", 1 + NIGH_CPU_SIMD128}};

enum { L2_F32, L2_F16, L2_BF16, DOT_F32, DOT_F16, DOT_BF16, L1_F32, SQUARE_F32, SQUARE_F16, L2_U8,
       DOT_U8, L1_U8, I8, HAMMING, FOUR_L2_F32, FOUR_L2_F16, FOUR_L2_BF16, FOUR_DOT_F32,
       FOUR_DOT_F16, FOUR_DOT_BF16, FOUR_L1_F32, CODE_L2, CODE_DOT, CODE_L1, CODE_BITS, KERNELS };
static const struct {
    const char *name;
    uint32_t bits; /* an element */
} kernels[KERNELS] = {{"l2_f32", 32},       {"l2_f16", 16},         {"l2_bf16", 16},
                      {"dot_f32", 32},      {"dot_f16", 16},        {"dot_bf16", 16},
                      {"l1_f32", 32},       {"dot_square_f32", 32}, {"dot_square_f16", 16},
                      {"l2_u8", 8},         {"dot_u8", 8},          {"l1_u8", 8},
                      {"i8", 8},            {"hamming", 1},         {"four_l2_f32", 32},
                      {"four_l2_f16", 16},  {"four_l2_bf16", 16},   {"four_dot_f32", 32},
                      {"four_dot_f16", 16}, {"four_dot_bf16", 16},  {"four_l1_f32", 32},
                      {"code_l2", 7},       {"code_dot", 7},        {"code_l1", 7},
                      {"code_bits", 7}};

static uint8_t *memory;
static uint32_t *order;
static volatile float sink;

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static float call(const nighi_kernels *table, int kernel, const void *q, const void *x,
                  uint32_t dim) {
    float pair[2];
    int32_t sums[3];
    switch (kernel) {
    case L2_F32:
    case L2_F16:
    case L2_BF16:
        return table->floats[NIGHI_OP_L2][kernel - L2_F32]((const float *)q, x, dim);
    case DOT_F32:
    case DOT_F16:
    case DOT_BF16:
        return table->floats[NIGHI_OP_DOT][kernel - DOT_F32]((const float *)q, x, dim);
    case L1_F32:
        return table->floats[NIGHI_OP_L1][NIGHI_ELEM_F32]((const float *)q, x, dim);
    case SQUARE_F32:
    case SQUARE_F16:
        table->dot_square[kernel - SQUARE_F32]((const float *)q, x, dim, pair);
        return pair[0] + pair[1];
    case L2_U8:
    case DOT_U8:
    case L1_U8:
        return (float)table->u8[kernel - L2_U8]((const uint8_t *)q, (const uint8_t *)x, dim);
    case I8:
        table->i8((const int8_t *)q, (const int8_t *)x, dim, sums);
        return (float)(sums[0] + sums[1] + sums[2]);
    default:
        return (float)table->hamming((const uint8_t *)q, (const uint8_t *)x, dim / 8);
    }
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static nighi_float4_kernel four_of(const nighi_kernels *table, int kernel) {
    int pair = kernel - FOUR_L2_F32;
    return table->fours[pair / NIGHI_ELEM_COUNT][pair % NIGHI_ELEM_COUNT];
}

/* One kernel on the vectors of a batch; the sum keeps the compiler from leaving any out. */
static float call_batch(const nighi_kernels *table, int kernel, const void *q,
                        const void *const *rows, uint32_t dim) {
    uint32_t orders[BATCH];
    float out[4];
    float sum = 0;
    if (kernel >= CODE_L2) {
        table->codes[kernel - CODE_L2]((const uint8_t *)q, 1, (const uint8_t *const *)rows, BATCH,
                                       dim, orders);
        return (float)orders[dim % BATCH];
    }
    for (uint32_t i = 0; kernel >= FOUR_L2_F32 && i < BATCH; i += 4) {
        four_of(table, kernel)((const float *)q, rows + i, dim, out);
        sum += out[0] + out[1] + out[2] + out[3];
    }
    for (uint32_t i = 0; kernel < FOUR_L2_F32 && i < BATCH; i++) {
        sum += call(table, kernel, q, rows[i], dim);
    }
    return sum;
}

/* Median nanoseconds a vector, of batches scattered over `count` vectors, `stride` apart. */
static double measure(const nighi_kernels *table, int kernel, uint32_t dim, uint32_t count,
                      size_t stride) {
    static _Alignas(64) float query[4096];
    static _Alignas(64) uint8_t code[4096];
    static const void *rows[COLD_CALLS];
    const uint32_t calls = COLD_CALLS / BATCH;
    const uint32_t batches = count > BATCH ? calls : 40;
    double rounds[ROUNDS];
    for (uint32_t i = 0; i < 4096; i++) {
        query[i] = (float)(i % 251) * 0.01f - 1.0f;
        code[i] = i >= dim ? 0 : (uint8_t)(kernel == CODE_DOT ? i * 5 % 127 - 63 : i * 5 % 128);
    }
    for (uint32_t i = 0; i < COLD_CALLS; i++) {
        rows[i] = memory + (size_t)(order[i] % count) * stride;
    }
    const void *q = kernel >= CODE_L2 ? (const void *)code : (const void *)query;
    for (int round = 0; round < ROUNDS; round++) {
        float sum = 0;
        double start = seconds();
        for (uint32_t i = 0; i < calls; i++) {
            sum += call_batch(table, kernel, q, rows + i % batches * BATCH, dim);
        }
        rounds[round] = (seconds() - start) * 1e9 / (calls * BATCH);
        sink = sum;
    }
    qsort(rounds, ROUNDS, sizeof rounds[0], ascending);
    return rounds[ROUNDS / 2];
}

static void fill_memory(int kernel) {
    uint64_t seed = 1;
    for (size_t i = 0; i < COLD_BYTES; i += 8) {
        uint64_t word = nighi_mix64(seed++);
        if (kernels[kernel].bits == 32) { /* in +-(1, 2), so that no float is odd */
            word = (word & 0x807fffff807fffffu) | 0x3f8000003f800000u;
        } else if (kernels[kernel].bits == 16) {
            word = (word & 0x83ff83ff83ff83ffu) | 0x3c003c003c003c00u;
        } else if (kernels[kernel].bits == 7) {
            word &= 0x7f7f7f7f7f7f7f7fu;
        }
        memcpy(memory + i, &word, 8);
    }
}

static void bench(int level, int kernel, uint32_t dim) {
    nighi_kernels table;
    bool codes = kernel >= CODE_L2;
    size_t bytes = codes ? (dim + 15) / 16 * 16 : (size_t)dim * kernels[kernel].bits / 8;
    size_t stride = (bytes + 63) / 64 * 64;
    uint32_t all = (uint32_t)(COLD_BYTES / stride);
    nighi_kernels_pick(&table, levels[level].features);
    if (kernel >= FOUR_L2_F32 && !codes && four_of(&table, kernel) == NULL) {
        return;
    }
    uint32_t length = codes ? (uint32_t)bytes : dim;
    double hot = measure(&table, kernel, length, BATCH, stride);
    double cold = measure(&table, kernel, length, all, stride);
    printf("%-15s %-9s %5u %9.1f %8.2f %9.1f %8.2f\n", kernels[kernel].name, levels[level].name,
           dim, hot, (double)bytes / hot, cold, (double)bytes / cold);
    fflush(stdout);
}

int main(int argc, char **argv) {
    static const uint32_t usual[] = {100, 128, 384, 768};
    uint32_t dims[64];
    uint32_t dim_count = 0;
    for (int i = 3; i < argc && dim_count < 64; i++) {
        dims[dim_count++] = (uint32_t)atoi(argv[i]) % 4096;
    }
    if (dim_count == 0) {
        memcpy(dims, usual, sizeof usual);
        dim_count = 4;
    }
    memory = (uint8_t *)aligned_alloc(64, COLD_BYTES + 65536);
    order = (uint32_t *)malloc(COLD_CALLS * sizeof order[0]);
    if (memory == NULL || order == NULL) {
        return 1;
    }
    for (uint32_t i = 0; i < COLD_CALLS; i++) {
        order[i] = (uint32_t)(nighi_mix64(i) >> 32);
    }
    printf("%-15s %-9s %5s %9s %8s %9s %8s\n", "kernel", "level", "dim", "hot ns", "GB/s",
           "cold ns", "GB/s");
    uint32_t filled = 0;
    for (int kernel = 0; kernel < KERNELS; kernel++) {
        if (argc > 1 && strstr(kernels[kernel].name, argv[1]) == NULL) {
            continue;
        }
        if (filled != kernels[kernel].bits) {
            fill_memory(kernel);
            filled = kernels[kernel].bits;
        }
        for (size_t level = 0; level < sizeof levels / sizeof levels[0]; level++) {
            bool other = argc > 2 && strstr(levels[level].name, argv[2]) == NULL;
            if (other || (levels[level].features & ~nighi_cpu_detect()) != 0) {
                continue;
            }
            for (uint32_t i = 0; i < dim_count; i++) {
                bench((int)level, kernel, dims[i]);
            }
        }
    }
    free(memory);
    free(order);
    return 0;
}
