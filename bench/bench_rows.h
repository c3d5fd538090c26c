/* bench_rows.h - rows, clock and name=value arguments of bench_build and bench_search
 * layer T; uses: nigh, nigh_hosted
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef BENCH_ROWS_H
#define BENCH_ROWS_H
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "nigh.h"
#include "nigh_hosted.h"

enum { BENCH_LIST = 32, BENCH_LATENT = 24, BENCH_CLUSTERS = 256 };

typedef struct bench_list {
    uint32_t count;
    uint32_t value[BENCH_LIST];
} bench_list;

typedef struct bench_rows {
    const float *data; /* rows back to back */
    uint32_t count;
    uint32_t dim;
} bench_rows;

static inline double bench_seconds(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static inline void bench_die(const char *what, const char *why) {
    fprintf(stderr, "%s: %s\n", what, why);
    exit(2);
}

static inline void bench_must(nigh_status status, const char *what) {
    if (status != NIGH_OK) {
        bench_die(what, nigh_status_text(status));
    }
}

static inline void *bench_memory(uint64_t bytes) {
    void *memory = NULL;
    bench_must(nigh_memory_new(bytes != 0 ? bytes : 1, &memory), "memory");
    return memory;
}

/* The text behind name= in the arguments, or what it is without. */
static inline const char *bench_text(int argc, char **argv, const char *name, const char *without) {
    size_t length = strlen(name);
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], name, length) == 0 && argv[i][length] == '=') {
            return argv[i] + length + 1;
        }
    }
    return without;
}

/* Ends the program unless each argument is one of the names (separated by spaces) with a value. */
static inline void bench_known(int argc, char **argv, const char *names, const char *usage) {
    for (int i = 1; i < argc; i++) {
        size_t length = strcspn(argv[i], "=");
        bool known = false;
        for (const char *at = names; argv[i][length] == '=' && *at != 0; at += *at == ' ') {
            size_t word = strcspn(at, " ");
            known = known || (word == length && strncmp(at, argv[i], length) == 0);
            at += word;
        }
        if (!known) {
            bench_die(argv[i], usage);
        }
    }
}

static inline bench_list bench_numbers(int argc, char **argv, const char *name,
                                       const char *without) {
    bench_list list = {0};
    const char *at = bench_text(argc, argv, name, without);
    for (char *end = NULL; *at != 0 && list.count < BENCH_LIST; at = *end == ',' ? end + 1 : end) {
        list.value[list.count++] = (uint32_t)strtoul(at, &end, 10);
        if (end == at) {
            bench_die(name, "wants numbers with commas between");
        }
    }
    if (list.count == 0) {
        bench_die(name, "wants a number");
    }
    return list;
}

static inline uint32_t bench_most(const bench_list *list) {
    uint32_t most = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        most = list->value[i] > most ? list->value[i] : most;
    }
    return most;
}

static inline uint32_t bench_number(int argc, char **argv, const char *name, const char *without) {
    return bench_numbers(argc, argv, name, without).value[0];
}

static inline uint32_t bench_metric(int argc, char **argv) {
    const char *name = bench_text(argc, argv, "metric", "l2");
    static const char *const names[] = {"l2", "ip", "cosine"};
    for (uint32_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0) {
            return NIGH_METRIC_L2 + i;
        }
    }
    bench_die("metric", "is l2, ip or cosine");
    return 0;
}

static inline uint64_t bench_random(uint64_t *state) {
    uint64_t x = (*state += 0x9E3779B97F4A7C15u);
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

/* Nearly normal: four times sixteen bits, mean 0, variance 1. */
static inline float bench_normal(uint64_t *state) {
    uint64_t x = bench_random(state);
    uint64_t sum = (x & 0xffff) + (x >> 16 & 0xffff) + (x >> 32 & 0xffff) + (x >> 48);
    return ((float)sum / 65536 - 2) * 1.7320508f;
}

/* Clusters in 24 dimensions, turned into dim; the same seed gives the same clusters, `stream` other
 * rows of them. */
static inline bench_rows bench_clustered(uint32_t count, uint32_t dim, uint64_t stream) {
    float *turn = bench_memory((uint64_t)BENCH_LATENT * dim * sizeof *turn);
    float *centres = bench_memory((uint64_t)BENCH_LATENT * BENCH_CLUSTERS * sizeof *centres);
    float *data = bench_memory((uint64_t)count * dim * sizeof *data);
    uint64_t state = 42;
    for (uint32_t i = 0; i < BENCH_LATENT * dim; i++) {
        turn[i] = bench_normal(&state) / 4.899f;
    }
    for (uint32_t i = 0; i < BENCH_LATENT * BENCH_CLUSTERS; i++) {
        centres[i] = bench_normal(&state);
    }
    state += stream << 40;
    for (uint32_t row = 0; row < count; row++) {
        const float *centre = centres + bench_random(&state) % BENCH_CLUSTERS * BENCH_LATENT;
        float *to = data + (size_t)row * dim;
        for (uint32_t i = 0; i < BENCH_LATENT; i++) {
            float x = centre[i] + 0.7f * bench_normal(&state);
            for (uint32_t j = 0; j < dim; j++) {
                to[j] += x * turn[i * dim + j];
            }
        }
    }
    nigh_close(turn);
    nigh_close(centres);
    return (bench_rows){data, count, dim};
}

/* Rows of f32 of a .npy or .fvecs (the first `count`, 0 = all), copied to where pages are huge. */
static inline bench_rows bench_file(const char *path, uint32_t count) {
    char message[256];
    nigh_rows shape = {.struct_size = sizeof shape};
    const void *base = NULL;
    if (nigh_rows_open(path, NIGH_ROWS_AUTO, 0, 0, &shape, &base, NULL, message, sizeof message) !=
        NIGH_OK) {
        bench_die(path, message);
    }
    if (shape.dtype != NIGH_DTYPE_F32) {
        bench_die(path, "not rows of f32");
    }
    count = count != 0 && count < shape.count ? count : (uint32_t)shape.count;
    size_t bytes = (size_t)shape.dim * sizeof(float);
    float *data = bench_memory((uint64_t)count * bytes);
    for (uint32_t row = 0; row < count; row++) {
        memcpy(data + (size_t)row * shape.dim, (const uint8_t *)base + row * shape.stride, bytes);
    }
    nigh_close(base);
    return (bench_rows){data, count, shape.dim};
}

/* base=FILE or rows=N dim=D of synthetic ones. */
static inline bench_rows bench_base(int argc, char **argv, const char *without) {
    const char *path = bench_text(argc, argv, "base", NULL);
    if (path != NULL) {
        return bench_file(path, bench_number(argc, argv, "rows", "0"));
    }
    return bench_clustered(bench_number(argc, argv, "rows", without),
                           bench_number(argc, argv, "dim", "128"), 1);
}

#endif /* BENCH_ROWS_H */
