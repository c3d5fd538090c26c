/* bench_reads.c - what a random row of memory costs: the bound of every search out of cache
 * layer T; uses: nothing
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * usage: bench_reads ROW_BYTES ROWS [verbose]
 * Rows lie back to back in huge pages and are read in a random order, in groups: all lines of a
 * group are prefetched while the group before is summed, which is how a search meets them. Prints
 * nanoseconds of CPU time a row, the best of group sizes and of both prefetch hints; each is the
 * median of seven rounds. verbose prints them all. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { ROUNDS = 7, LINE = 64, READS = 200000 };

static const uint32_t groups[] = {1, 2, 4, 8, 16, 32, 64};
static volatile uint64_t sink;

typedef struct field {
    const uint8_t *rows;
    const uint32_t *order;
    size_t row_bytes;
} field;

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static uint64_t random_next(uint64_t *state) {
    uint64_t x = (*state += 0x9E3779B97F4A7C15u);
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

static void prefetch_row(const uint8_t *row, size_t bytes, int near) {
    for (size_t at = 0; at < bytes; at += LINE) {
        if (near != 0) {
            __builtin_prefetch(row + at, 0, 3);
        } else {
            __builtin_prefetch(row + at, 0, 2);
        }
        __asm__ volatile("" ::: "memory"); /* gcc 12 may merge the loop into its first line */
    }
}

/* A word of each line: all of the line has to come, and adding up more would be measured too. */
static uint64_t sum_row(const uint8_t *row, size_t bytes) {
    uint64_t sum = 0;
    for (size_t at = 0; at + 8 <= bytes; at += LINE) {
        uint64_t word;
        memcpy(&word, row + at, sizeof word);
        sum += word;
    }
    return sum;
}

static const uint8_t *row_at(const field *all, uint32_t read) {
    return all->rows + (size_t)all->order[read] * all->row_bytes;
}

static double one_round(const field *all, uint32_t group, int near) {
    uint64_t sum = 0;
    double start = seconds();
    for (uint32_t i = 0; i < group; i++) {
        prefetch_row(row_at(all, i), all->row_bytes, near);
    }
    for (uint32_t first = 0; first + 2 * group <= READS; first += group) {
        for (uint32_t i = 0; i < group; i++) {
            prefetch_row(row_at(all, first + group + i), all->row_bytes, near);
        }
        for (uint32_t i = 0; i < group; i++) {
            sum += sum_row(row_at(all, first + i), all->row_bytes);
        }
    }
    double spent = seconds() - start;
    sink = sum;
    return spent / (double)(READS / group * group - group) * 1e9;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const field *all, uint32_t group, int near) {
    double rounds[ROUNDS];
    one_round(all, group, near);
    for (int i = 0; i < ROUNDS; i++) {
        rounds[i] = one_round(all, group, near);
    }
    qsort(rounds, ROUNDS, sizeof *rounds, by_value);
    return rounds[ROUNDS / 2];
}

int main(int argc, char **argv) {
    size_t row_bytes = argc > 2 ? (size_t)strtoull(argv[1], NULL, 10) : 0;
    uint64_t rows = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
    if (row_bytes == 0 || rows == 0 || rows > UINT32_MAX) {
        fprintf(stderr, "usage: bench_reads ROW_BYTES ROWS [verbose]\n");
        return 2;
    }
    size_t bytes = (row_bytes * rows + (2u << 20) - 1) / (2u << 20) * (2u << 20);
    uint8_t *memory = aligned_alloc(2u << 20, bytes);
    uint32_t *order = malloc(READS * sizeof *order);
    if (memory == NULL || order == NULL) {
        fprintf(stderr, "bench_reads: not enough memory\n");
        return 3;
    }
    madvise(memory, bytes, MADV_HUGEPAGE);
    memset(memory, 1, bytes);
    uint64_t state = 42;
    for (uint32_t i = 0; i < READS; i++) {
        order[i] = (uint32_t)(random_next(&state) % rows);
    }
    field all = {memory, order, row_bytes};
    double best = 1e30;
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        for (int near = 0; near < 2; near++) {
            double cost = median(&all, groups[i], near);
            best = cost < best ? cost : best;
            if (argc > 3) {
                fprintf(stderr, "group %2" PRIu32 " %s %.1f ns\n", groups[i],
                        near != 0 ? "near" : "far ", cost);
            }
        }
    }
    printf("%.2f ns a row\n", best);
    free(order);
    free(memory);
    return 0;
}
