/* data.h - random numbers and vectors for tests: the same on every machine
 * layer T; uses: nothing
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGH_TEST_DATA_H
#define NIGH_TEST_DATA_H
#include <stdint.h>

typedef struct rng {
    uint64_t state;
} rng;

uint64_t rng_next(rng *r);
/* 0 .. below - 1; below > 0. */
uint32_t rng_below(rng *r, uint32_t below);
/* -1 .. 1, in steps of 2^-23: exact in f32. */
float rng_float(rng *r);

/* How vectors lie. Half of DATA_DUPLICATES are copies of earlier ones. */
enum { DATA_UNIFORM, DATA_CLUSTERED, DATA_DUPLICATES, DATA_EQUAL, DATA_COUNT };

/* count x dim floats, free() it. U8 wants 0..255 and B1 a sign: `dtype` scales them so that
 * nigh_convert keeps the variety. No zero vectors. */
float *data_floats(rng *r, int kind, uint32_t dtype, uint32_t count, uint32_t dim);
/* The same as rows of `dtype`, count x row_bytes (nigh_row_bytes), free() it. */
uint8_t *data_rows(rng *r, int kind, uint32_t dtype, uint32_t count, uint32_t dim);

/* The real words of tests/data (or of the folder NIGH_TEST_DATA): f16 rows, free() them. */
uint16_t *data_words(uint32_t *count, uint32_t *dim);
/* The path of a file of the tests folder, `name` being "data/..." or "golden/...". */
void data_path(char path[300], const char *name);
#endif
