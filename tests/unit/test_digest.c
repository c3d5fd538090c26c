/* test_digest.c - one number from every kernel and metric, the same on every machine
 * layer T; uses: cpu, num, metric, convert
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The other tests compare levels of one machine; this one compares machines: the digest below was
 * made once, and native, AArch64, WebAssembly and Cortex-M builds must all give it. Without an
 * operating system the function is exported instead of run: tests/unit/digest.sh. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "convert.h"
#include "metric.h"
#include "reference.h"

#define DIGEST 0x8d9e840ac2fcf53bull
#define DIGEST_DIM 1000u

static float digest_in[2][DIGEST_DIM];
static float digest_scratch[DIGEST_DIM];
static uint8_t digest_rows[2][DIGEST_DIM * 4 + 16] __attribute__((aligned(64)));

static uint64_t digest_add(uint64_t digest, uint32_t word) {
    return nighi_mix64(digest ^ word) + digest;
}

static uint64_t digest_float(uint64_t digest, float value) {
    return digest_add(digest, nighi_f32_bits(nighi_distance_canonical(value)));
}

static uint64_t digest_bytes(uint64_t digest, const uint8_t *bytes, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        digest = digest_add(digest, bytes[i]);
    }
    return digest;
}

/* Rows, trailers and all four distances of two vectors under one metric. */
static uint64_t digest_metric(uint64_t digest, uint32_t kind, uint32_t dtype, uint32_t dim,
                              uint32_t features) {
    nighi_metric metric;
    nighi_query query;
    const void *vectors[2] = {digest_rows[0], digest_rows[1]};
    float distances[2];
    uint32_t bytes = (uint32_t)nighi_row_bytes(dim, dtype);
    uint32_t trailer = dtype == NIGH_DTYPE_I8                     ? (dim + 3) / 4 * 4
                       : nighi_trailer_bytes(kind, dtype) == 0 ? 0
                                                                  : (bytes + 3) / 4 * 4;
    nighi_metric_init(&metric, kind, dtype, dim, trailer, features);
    for (uint32_t v = 0; v < 2; v++) {
        nigh_status status = nighi_rows_from_f32(dim, dtype, 1, digest_in[v], digest_rows[v]);
        digest = digest_add(digest, (uint32_t)status);
        digest = digest_bytes(digest, digest_rows[v], bytes);
        if (nighi_trailer_bytes(kind, dtype) != 0) {
            nighi_trailer_make(&metric, digest_rows[v], digest_rows[v] + trailer);
            digest = digest_bytes(digest, digest_rows[v] + trailer, 8);
        }
    }
    for (uint32_t v = 0; v < 2; v++) {
        nighi_query_from_stored(&metric, digest_rows[v], digest_scratch, &query);
        metric.batch(&metric, &query, vectors, 2, distances);
        digest = digest_add(digest, nighi_f32_bits(distances[0]));
        digest = digest_add(digest, nighi_f32_bits(distances[1]));
    }
    return digest;
}

static uint64_t digest_kernels(uint64_t digest, const nighi_kernels *table, uint32_t dim) {
    const void *x = digest_rows[1];
    const uint8_t *a = digest_rows[0];
    const uint8_t *b = digest_rows[1];
    int32_t sums[3];
    float pair[2];
    for (uint32_t elem = 0; elem < NIGHI_ELEM_COUNT; elem++) {
        for (uint32_t op = 0; op < NIGHI_OP_COUNT; op++) {
            digest = digest_float(digest, table->floats[op][elem](digest_in[0], x, dim));
        }
        table->dot_square[elem](digest_in[0], x, dim, pair);
        digest = digest_float(digest_float(digest, pair[0]), pair[1]);
    }
    table->i8((const int8_t *)a, (const int8_t *)b, dim, sums);
    for (uint32_t op = 0; op < NIGHI_OP_COUNT; op++) {
        digest = digest_add(digest, table->u8[op](a, b, dim));
        digest = digest_add(digest, (uint32_t)sums[op]);
    }
    return digest_add(digest, table->hamming(a, b, dim));
}

uint64_t digest_all(uint32_t features);
uint64_t digest_all(uint32_t features) {
    static const uint32_t dims[] = {1, 2, 3, 5, 8, 13, 16, 21, 31, 32, 33, 47, 64, 100, 131, 1000};
    uint64_t digest = 0;
    uint64_t state = 1;
    nighi_kernels table;
    nighi_kernels_pick(&table, features);
    for (uint32_t d = 0; d < sizeof dims / sizeof dims[0]; d++) {
        for (int pattern = 0; pattern < REF_PATTERNS; pattern++) {
            for (uint32_t i = 0; i < dims[d]; i++) {
                uint32_t q = ref_word(pattern, i, &state);
                uint32_t x = ref_word(pattern, i + 7, &state);
                nighi_copy(&digest_in[0][i], &q, 4);
                nighi_copy(&digest_in[1][i], &x, 4);
                nighi_copy(digest_rows[0] + (size_t)i * 4, &q, 4);
                nighi_copy(digest_rows[1] + (size_t)i * 4, &x, 4);
            }
            digest = digest_kernels(digest, &table, dims[d]);
            for (uint32_t kind = 1; kind <= NIGH_METRIC_HAMMING; kind++) {
                for (uint32_t dtype = 1; dtype <= NIGH_DTYPE_B1; dtype++) {
                    if (nighi_metric_valid(kind, dtype)) {
                        digest = digest_metric(digest, kind, dtype, dims[d], features);
                    }
                }
            }
        }
    }
    for (uint32_t i = 0; i < 20000; i++) {
        float value = nighi_f32_from_bits((uint32_t)(ref_random(&state) >> 33));
        digest = digest_float(digest, nighi_sqrt(value));
        digest = digest_float(digest, nighi_f32_from_i64((int64_t)ref_random(&state) >> (i & 31)));
    }
    return digest;
}

/* 0 when every level that this machine has gives the digest. */
uint32_t digest_check(void);
uint32_t digest_check(void) {
    uint32_t saved = nighi_fp_enter(); /* as every call of the library does */
    uint32_t wrong = nighi_fp_selftest() ? 0 : 1u << 31;
    for (int level = 0; level < REF_LEVELS; level++) {
        if ((ref_levels[level].features & ~ref_machine()) == 0 &&
            digest_all(ref_levels[level].features) != DIGEST) {
            wrong |= 1u << level;
        }
    }
    nighi_fp_leave(saved);
    return wrong;
}

#if defined(__unix__)
int main(void) {
    uint32_t wrong = digest_check();
    for (int level = 0; level < REF_LEVELS; level++) {
        bool here = (ref_levels[level].features & ~ref_machine()) == 0;
        const char *verdict = (wrong >> level & 1u) != 0 ? "another digest" : "ok";
        printf("%s: %s\n", ref_levels[level].name, here ? verdict : "skipped");
    }
    if (wrong != 0) { /* what to write above, when the arithmetic was changed on purpose */
        uint32_t saved = nighi_fp_enter();
        printf("scalar digest: %016llx\n", (unsigned long long)digest_all(NIGH_CPU_SCALAR));
        nighi_fp_leave(saved);
    }
    printf("%d passed, %d failed\n", wrong == 0, wrong != 0);
    return wrong != 0;
}
#elif defined(__arm__)
/* Code for a microcontroller, run by qemu-arm as a Linux program: its first instruction is here and
 * its last is Linux's exit. */
void digest_start(void);
__attribute__((noreturn)) void digest_start(void) {
    register uint32_t status __asm__("r0") = digest_check() != 0;
    register uint32_t call __asm__("r7") = 1;
    __asm__ volatile("svc 0" : : "r"(status), "r"(call));
    __builtin_unreachable();
}
#endif
