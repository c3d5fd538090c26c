/* rows_by_key.c - vectors of an array found by key: row k is the vector of key k
 * layer B; uses: nigh.h
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * nigh_index_borrow finds rows by slot, which is the order of insertion. Where keys came in another
 * order, or leave gaps, rows must be found by key, and where they are of another type they must be
 * converted; a function of Python's for that costs a thousand times what a distance does. */
#include "nigh.h"

#include <stddef.h>

#define ROW_MISSING (NIGH_E_USER - 1)

enum { ROWS_LENT = 0, ROWS_F16 = 1, ROWS_PQ = 2 };

/* `user` of the two functions below. */
typedef struct rows_by_key {
    const uint8_t *base;
    const int64_t *order;   /* NULL, or the row of key k is order[first + k] */
    const float *codebooks; /* PQ: subvectors x centroids x dim / subvectors */
    uint64_t stride;
    uint64_t count;
    uint64_t order_count;
    uint64_t first;
    uint32_t form;
    uint32_t dim;
    uint32_t subvectors;
    uint32_t centroids;
} rows_by_key;

NIGH_API nigh_status nigh_python_fetch(void *user, const uint32_t *slots, const uint64_t *keys,
                                       uint32_t count, void *scratch, const void **vectors);
NIGH_API void nigh_python_prefetch(void *user, const uint32_t *slots, const uint64_t *keys,
                                   uint32_t count);

/* The row of a key, NULL: none. */
static const uint8_t *row_of(const rows_by_key *rows, uint64_t key) {
    if (rows->order != NULL) {
        if (key >= rows->order_count || rows->first >= rows->order_count - key) {
            return NULL;
        }
        key = (uint64_t)rows->order[rows->first + key]; /* a negative one is beyond count */
    }
    return key < rows->count ? rows->base + key * rows->stride : NULL;
}

/* A vector from its product quantisation: of each part the centroid that its code names. */
static nigh_status decode(const rows_by_key *rows, const uint8_t *codes, float *vector) {
    uint32_t part = rows->dim / rows->subvectors;
    for (uint32_t s = 0; s < rows->subvectors; s++) {
        const float *centroid = NULL;
        if (codes[s] >= rows->centroids) {
            return ROW_MISSING;
        }
        centroid = rows->codebooks + ((uint64_t)s * rows->centroids + codes[s]) * part;
        for (uint32_t i = 0; i < part; i++) {
            vector[(uint64_t)s * part + i] = centroid[i];
        }
    }
    return NIGH_OK;
}

/* A nigh_fetch_fn: lends the addresses, or fills scratch with floats. */
nigh_status nigh_python_fetch(void *user, const uint32_t *slots, const uint64_t *keys,
                              uint32_t count, void *scratch, const void **vectors) {
    const rows_by_key *rows = user;
    (void)slots;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *row = row_of(rows, keys[i]);
        float *vector = (float *)scratch + (uint64_t)i * rows->dim;
        nigh_status status = row != NULL ? NIGH_OK : ROW_MISSING;
        vectors[i] = rows->form == ROWS_LENT ? (const void *)row : vector;
        if (status == NIGH_OK && rows->form == ROWS_F16) {
            status = nigh_convert(rows->dim, NIGH_DTYPE_F16, 1, NULL, NULL, row, vector);
        } else if (status == NIGH_OK && rows->form == ROWS_PQ) {
            status = decode(rows, row, vector);
        }
        if (status != NIGH_OK) {
            return status <= NIGH_E_USER ? status : ROW_MISSING;
        }
    }
    return NIGH_OK;
}

/* A nigh_prefetch_fn: two lines of each row; the rest follows by itself. */
void nigh_python_prefetch(void *user, const uint32_t *slots, const uint64_t *keys,
                          uint32_t count) {
    const rows_by_key *rows = user;
    (void)slots;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *row = row_of(rows, keys[i]);
        if (row != NULL) {
            __builtin_prefetch(row);
            __builtin_prefetch(row + (rows->stride > 64 ? 64 : 0));
        }
    }
}
