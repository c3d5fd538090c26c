/* data.c - random numbers and vectors for tests: the same on every machine
 * layer T; uses: data, fixture
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "t.h"

uint64_t rng_next(rng *r) {
    r->state += 0x9e3779b97f4a7c15u;
    uint64_t x = r->state;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

uint32_t rng_below(rng *r, uint32_t below) {
    return (uint32_t)(((rng_next(r) >> 32) * below) >> 32);
}

float rng_float(rng *r) { return (float)((int32_t)(rng_next(r) >> 40) - 0x800000) / 8388608.0f; }

static void one(rng *r, float *to, const float *centre, uint32_t dim) {
    for (uint32_t i = 0; i < dim; i++) {
        to[i] = centre != NULL ? centre[i] + 0.125f * rng_float(r) : rng_float(r);
    }
}

float *data_floats(rng *r, int kind, uint32_t dtype, uint32_t count, uint32_t dim) {
    float *rows = fx_malloc((uint64_t)count * dim * sizeof(float));
    float *centres = fx_malloc((uint64_t)16 * dim * sizeof(float));
    for (uint32_t c = 0; c < 16; c++) {
        one(r, centres + (size_t)c * dim, NULL, dim);
    }
    for (uint32_t i = 0; i < count; i++) {
        float *to = rows + (size_t)i * dim;
        if (i > 0 && (kind == DATA_EQUAL || (kind == DATA_DUPLICATES && rng_below(r, 2) == 0))) {
            uint32_t from = kind == DATA_EQUAL ? 0 : rng_below(r, i);
            memcpy(to, rows + (size_t)from * dim, dim * sizeof(float));
            continue;
        }
        one(r, to, kind == DATA_CLUSTERED ? centres + (size_t)rng_below(r, 16) * dim : NULL, dim);
        if (dtype == NIGH_DTYPE_U8) {
            for (uint32_t d = 0; d < dim; d++) {
                to[d] = to[d] * 64.0f + 128.0f; /* an exact product: FMA or not, the same */
            }
        }
        to[rng_below(r, dim)] += to[0] == 0.0f ? 0.5f : 0.0f;
    }
    free(centres);
    return rows;
}

uint8_t *data_rows(rng *r, int kind, uint32_t dtype, uint32_t count, uint32_t dim) {
    float *floats = data_floats(r, kind, dtype, count, dim);
    uint64_t row = 0;
    t_ok(nigh_row_bytes(dim, dtype, &row));
    uint8_t *rows = fx_malloc(row * count);
    t_ok(nigh_convert(dim, dtype, count, floats, rows, NULL, NULL));
    free(floats);
    return rows;
}

void data_path(char path[300], const char *name) {
    static const char here[] = __FILE__; /* .../tests/support/data.c */
    const char *given = getenv("NIGH_TEST_DATA");
    int keep = (int)(sizeof here - sizeof "support/data.c");
    if (given != NULL && strncmp(name, "data/", 5) == 0) {
        snprintf(path, 300, "%s/%s", given, name + 5);
    } else {
        snprintf(path, 300, "%.*s%s", keep, here, name);
    }
}

/* A .npy file, version 1: 10 bytes, then a header that says '<f2' and the shape. */
uint16_t *data_words(uint32_t *count, uint32_t *dim) {
    char path[300], header[257] = {0};
    uint8_t start[10];
    data_path(path, "data/words-5k.f16.npy");
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        t_failf("cannot open %s", path);
    }
    t_eq(fread(start, 1, 10, file), 10);
    t_assert(memcmp(start, "\x93NUMPY\x01", 7) == 0);
    size_t length = start[8] | (size_t)start[9] << 8;
    t_assert(length < sizeof header);
    t_eq(fread(header, 1, length, file), length);
    const char *shape = strstr(header, "'shape': (");
    t_assert(strstr(header, "'<f2'") != NULL && shape != NULL);
    t_eq(sscanf(shape, "'shape': (%" SCNu32 ", %" SCNu32 ")", count, dim), 2);
    uint16_t *rows = fx_malloc((uint64_t)*count * *dim * 2);
    t_eq(fread(rows, (size_t)*dim * 2, *count, file), *count);
    fclose(file);
    return rows;
}
