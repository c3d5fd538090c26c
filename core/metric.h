/* metric.h - from kernels to distances: prepare a vector once, then score stored vectors against it
 * layer L3; uses: base, num, kernel
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A row is what callers hand in and get back: dim elements (nighi_row_bytes), for I8 padded to a
 * multiple of 4 and followed by float scale and int32 zero point. A stored (owned) vector is the
 * row and, for cosine of the float types and U8, an 8-byte trailer: float inverse norm (0 = "odd",
 * see below), uint32 0. A borrowed vector is a row alone, perhaps (I8) without scale and zero.
 *
 * Cosine is 1 - dot * (inv_a * inv_b), clamped to [0, 2]. s = sum x*x in lane order; while
 * 2^-60 <= s <= 2^60, inv = 1 / sqrt(s). Outside of that the vector is "odd" (tiny or huge): inv is
 * 0 and any distance with it takes a slow scalar path that scales both by powers of two. So stored
 * and recomputed norms agree to the bit, and no vector is wrong.
 * I8 never uses stored norms: its exact integer sums give everything.
 *
 * A NaN or overflow of a distance becomes +inf; -0 becomes +0. IP is 1 - dot. */
#ifndef NIGHI_METRIC_H
#define NIGHI_METRIC_H
#include "kernel.h"
#include "num.h"

/* One side of many distances, prepared once. */
typedef struct nighi_query {
    const void *elements; /* f32[dim] for float types (converted), else the row's own elements */
    const void *row;      /* the row as the caller gave it, for a caller's own distance */
    float inverse_norm;   /* cosine but I8; 0 = odd */
    float scale;          /* I8 */
    int32_t zero;         /* I8 */
    int32_t sum;          /* I8: sum of elements */
    int32_t square_sum;   /* I8: sum of their squares */
} nighi_query;

typedef struct nighi_metric nighi_metric;

/* distances[i] = distance(query, vectors[i]) for i < count. */
typedef void (*nighi_batch_fn)(const nighi_metric *metric, const nighi_query *query,
                               const void *const *vectors, uint32_t count, float *distances);

struct nighi_metric {
    uint32_t metric; /* NIGH_METRIC_* */
    uint32_t dtype;  /* NIGH_DTYPE_* */
    uint32_t dim;
    uint32_t row_bytes;      /* of one row as callers hand it in */
    uint32_t trailer_offset; /* bytes from a stored vector to its trailer (inverse norm, or scale
                                and zero of I8); 0 = none: recompute, or scale 1 zero 0 */
    nighi_batch_fn batch;
    nighi_float_kernel float_kernel; /* chosen for (metric, dtype), so the loop has one pointer */
    nighi_dot_square_kernel dot_square;
    nighi_u8_kernel u8_kernel;
    nighi_kernels kernels;
    nigh_distance_fn custom; /* NIGH_METRIC_CUSTOM: the caller's function */
    void *custom_user;
};

/* Bytes of one row of at most 65,535 elements, 0 for an unknown dtype. */
NIGHI_FN uint32_t nighi_row_bytes(uint32_t dim, uint32_t dtype);
/* f32, f16 or bf16? */
NIGHI_FN bool nighi_dtype_floats(uint32_t dtype);
/* Bytes of the trailer that a stored vector has after its row (0 or 8). */
NIGHI_FN uint32_t nighi_trailer_bytes(uint32_t metric, uint32_t dtype);
/* Is this pair of metric and dtype defined at all? (B1 has hamming and custom, hamming has B1.) */
NIGHI_FN bool nighi_metric_valid(uint32_t metric, uint32_t dtype);
/* Sets everything but custom and custom_user; `trailer_offset` as above. */
NIGHI_FN void nighi_metric_init(nighi_metric *metric, uint32_t kind, uint32_t dtype, uint32_t dim,
                                uint32_t trailer_offset, uint32_t features);
/* NIGH_OK, or NIGH_E_VECTOR for NaN, infinity, a zero vector under cosine, a scale that is not
 * finite and positive, a zero point outside int8, set bits beyond dim. */
NIGHI_FN nigh_status nighi_row_check(const nighi_metric *metric, const void *row);
/* The same for a vector of the source: I8 finds its scale and zero at trailer_offset, not after the
 * row (a borrowed one may end before them). */
NIGHI_FN nigh_status nighi_stored_check(const nighi_metric *metric, const void *vector);
/* Writes the 8-byte trailer for `row` (only where nighi_trailer_bytes is 8). */
NIGHI_FN void nighi_trailer_make(const nighi_metric *metric, const void *row, void *trailer);
/* Prepares a row handed in by the caller (I8 rows carry their scale and zero). `scratch` holds
 * dim floats, 64-byte aligned; it and `row` must outlive the query. */
NIGHI_FN void nighi_query_from_row(const nighi_metric *metric, const void *row, float *scratch,
                                   nighi_query *query);
/* The same for a vector of the source, whose trailer (if any) is at trailer_offset. f32 vectors are
 * not copied. Distances between two stored vectors have the same bits whichever is the query. */
NIGHI_FN void nighi_query_from_stored(const nighi_metric *metric, const void *vector,
                                      float *scratch, nighi_query *query);

#endif
