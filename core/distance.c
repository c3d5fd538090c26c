/* distance.c - batches of distances: one kernel pointer, then a few scalar operations each
 * layer L4; uses: base, fp, num, racy, kernel, kernel_isa, cosine, metric, distance
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Every formula is symmetric to the last bit: products and sums only of commuting pairs, so that
 * distance(a, b) and distance(b, a) agree. */
#include "distance.h"

#include "cosine.h"
#include "fp.h"
#include "kernel_isa.h"
#include "racy.h"

#define BATCH(name)                                                                                \
    static void name(const nighi_metric *metric, const nighi_query *query,                         \
                     const void *const *vectors, uint32_t count, float *distances)

static const void *batch_trailer(const nighi_metric *metric, const void *vector) {
    return (const uint8_t *)vector + metric->trailer_offset;
}

/* ---- f32, f16, bf16 ------------------------------------------------------------------------- */

/* sums[i] of vectors[i]: by fours where the kernels have such a form, a last one alone. */
static void batch_float_sums(const nighi_metric *metric, uint32_t op, const nighi_query *query,
                             const void *const *vectors, uint32_t count, float *sums) {
    _Static_assert(NIGH_DTYPE_F16 - NIGH_DTYPE_F32 == NIGHI_ELEM_F16 &&
                       NIGH_DTYPE_BF16 - NIGH_DTYPE_F32 == NIGHI_ELEM_BF16,
                   "both count the float types alike");
    nighi_float4_kernel four = metric->kernels.fours[op][metric->dtype - NIGH_DTYPE_F32];
    nighi_float_kernel kernel = metric->float_kernel;
    const float *q = (const float *)query->elements;
    uint32_t dim = metric->dim;
    uint32_t i = 0;
    for (; four != NULL && count - i >= 4; i += 4) {
        four(q, vectors + i, dim, sums + i);
    }
    if (four != NULL && count - i >= 2) { /* the last row again: that costs no memory */
        const void *last = vectors[count - 1];
        const void *const rows[4] = {vectors[i], vectors[i + 1], last, last};
        float rest[4];
        four(q, rows, dim, rest);
        nighi_copy(sums + i, rest, (uint64_t)(count - i) * sizeof(float));
        return;
    }
    for (; i < count; i++) {
        sums[i] = kernel(q, vectors[i], dim);
    }
}

BATCH(batch_float) {
    uint32_t op = metric->metric == NIGH_METRIC_L2 ? NIGHI_OP_L2 : NIGHI_OP_L1;
    batch_float_sums(metric, op, query, vectors, count, distances);
    for (uint32_t i = 0; i < count; i++) {
        distances[i] = nighi_distance_canonical(distances[i]);
    }
}

BATCH(batch_float_ip) {
    batch_float_sums(metric, NIGHI_OP_DOT, query, vectors, count, distances);
    for (uint32_t i = 0; i < count; i++) {
        distances[i] = nighi_distance_canonical(1.0f - distances[i]);
    }
}

static float batch_cosine_one(const nighi_metric *metric, const nighi_query *query,
                              const void *vector, float dot, float inverse_norm) {
    if (NIGHI_UNLIKELY(query->inverse_norm == 0.0f || inverse_norm == 0.0f)) {
        return nighi_cosine_odd((const float *)query->elements, metric->dtype, vector, metric->dim);
    }
    return nighi_cosine_finish(dot, query->inverse_norm, inverse_norm);
}

BATCH(batch_float_cosine) {
    batch_float_sums(metric, NIGHI_OP_DOT, query, vectors, count, distances);
    for (uint32_t i = 0; i < count; i++) {
        float dot = distances[i];
        uint32_t word = nighi_elem_word(batch_trailer(metric, vectors[i]));
        distances[i] = batch_cosine_one(metric, query, vectors[i], dot, nighi_f32_from_bits(word));
    }
}

/* No trailer: the norm is summed beside the dot product. */
BATCH(batch_float_cosine_bare) {
    nighi_dot_square_kernel kernel = metric->dot_square;
    const float *q = (const float *)query->elements;
    uint32_t dim = metric->dim;
    for (uint32_t i = 0; i < count; i++) {
        float sums[2];
        kernel(q, vectors[i], dim, sums);
        distances[i] =
            batch_cosine_one(metric, query, vectors[i], sums[0], nighi_inverse_norm(sums[1]));
    }
}

/* ---- u8 ------------------------------------------------------------------------------------- */

BATCH(batch_u8) {
    nighi_u8_kernel kernel = metric->u8_kernel;
    const uint8_t *q = (const uint8_t *)query->elements;
    for (uint32_t i = 0; i < count; i++) {
        distances[i] = nighi_f32_from_u32(kernel(q, (const uint8_t *)vectors[i], metric->dim));
    }
}

BATCH(batch_u8_ip) {
    nighi_u8_kernel kernel = metric->u8_kernel;
    const uint8_t *q = (const uint8_t *)query->elements;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t dot = kernel(q, (const uint8_t *)vectors[i], metric->dim);
        distances[i] = nighi_f32_from_i64(1 - (int64_t)dot);
    }
}

BATCH(batch_u8_cosine) {
    nighi_u8_kernel kernel = metric->u8_kernel;
    const uint8_t *q = (const uint8_t *)query->elements;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *x = (const uint8_t *)vectors[i];
        float dot = nighi_f32_from_i64((int64_t)kernel(q, x, metric->dim));
        float inverse;
        if (metric->trailer_offset != 0) {
            inverse = nighi_f32_from_bits(nighi_elem_word(batch_trailer(metric, x)));
        } else {
            inverse = nighi_inverse_norm(nighi_f32_from_i64((int64_t)kernel(x, x, metric->dim)));
        }
        if (NIGHI_UNLIKELY(query->inverse_norm == 0.0f || inverse == 0.0f)) {
            distances[i] = nighi_f32_from_bits(0x7f800000u); /* a zero vector */
        } else {
            distances[i] = nighi_cosine_finish(dot, query->inverse_norm, inverse);
        }
    }
}

/* ---- i8: scale * (x - zero), from exact integer sums ---------------------------------------- */

/* Sums over (q - zero) and (x - zero). Zero points from a hostile image may be anything, so the
 * arithmetic wraps instead of overflowing; for those in range it is exact. */
typedef struct batch_i8_sums {
    int64_t dot;
    int64_t q_square;
    int64_t x_square;
    float x_scale;
} batch_i8_sums;

static uint64_t batch_wide(int32_t value) { return (uint64_t)(int64_t)value; }

static uint64_t batch_square(uint32_t dim, int32_t square_sum, int32_t sum, int32_t zero) {
    uint64_t z = batch_wide(zero);
    return batch_wide(square_sum) - 2 * z * batch_wide(sum) + dim * z * z;
}

static void batch_i8_scale(const nighi_metric *metric, const void *vector, float *scale,
                           int32_t *zero) {
    *scale = 1.0f;
    *zero = 0;
    if (metric->trailer_offset != 0) {
        const uint8_t *trailer = (const uint8_t *)batch_trailer(metric, vector);
        *scale = nighi_f32_from_bits(nighi_elem_word(trailer));
        *zero = (int32_t)nighi_elem_word(trailer + 4);
    }
}

static batch_i8_sums batch_i8(const nighi_metric *metric, const nighi_query *query,
                              const void *vector) {
    batch_i8_sums sums;
    int32_t raw[3];
    int32_t zero;
    uint32_t dim = metric->dim;
    metric->kernels.i8((const int8_t *)query->elements, (const int8_t *)vector, dim, raw);
    batch_i8_scale(metric, vector, &sums.x_scale, &zero);
    uint64_t q_zero = batch_wide(query->zero);
    uint64_t x_zero = batch_wide(zero);
    sums.dot = (int64_t)(batch_wide(raw[0]) - x_zero * batch_wide(query->sum) -
                         q_zero * batch_wide(raw[1]) + dim * q_zero * x_zero);
    sums.q_square = (int64_t)batch_square(dim, query->square_sum, query->sum, query->zero);
    sums.x_square = (int64_t)batch_square(dim, raw[2], raw[1], zero);
    return sums;
}

/* Equal scales: one exact integer. Otherwise |a|^2 + |b|^2 - 2 ab, whose rounding error of some
 * 1e-7 |a|^2 is far below that of the 8-bit values themselves. */
BATCH(batch_i8_l2) {
    float a = query->scale;
    for (uint32_t i = 0; i < count; i++) {
        batch_i8_sums sums = batch_i8(metric, query, vectors[i]);
        float b = sums.x_scale;
        float distance;
        if (nighi_f32_bits(a) == nighi_f32_bits(b)) {
            uint64_t exact =
                (uint64_t)sums.q_square + (uint64_t)sums.x_square - 2 * (uint64_t)sums.dot;
            distance = nighi_fp_mul(nighi_fp_mul(a, a), nighi_f32_from_i64((int64_t)exact));
        } else {
            float left = nighi_fp_mul(nighi_fp_mul(a, a), nighi_f32_from_i64(sums.q_square));
            float right = nighi_fp_mul(nighi_fp_mul(b, b), nighi_f32_from_i64(sums.x_square));
            float cross = nighi_fp_mul(nighi_fp_mul(a, b), nighi_f32_from_i64(sums.dot));
            distance = (left + right) - (cross + cross);
        }
        distance = distance < 0.0f ? 0.0f : distance;
        distances[i] = nighi_distance_canonical(distance);
    }
}

BATCH(batch_i8_ip) {
    for (uint32_t i = 0; i < count; i++) {
        batch_i8_sums sums = batch_i8(metric, query, vectors[i]);
        float scale = nighi_fp_mul(query->scale, sums.x_scale);
        float dot = nighi_fp_mul(scale, nighi_f32_from_i64(sums.dot));
        distances[i] = nighi_distance_canonical(1.0f - dot);
    }
}

/* Scales are positive, so they cancel. */
BATCH(batch_i8_cosine) {
    for (uint32_t i = 0; i < count; i++) {
        batch_i8_sums sums = batch_i8(metric, query, vectors[i]);
        float q_inverse = nighi_inverse_norm(nighi_f32_from_i64(sums.q_square));
        float x_inverse = nighi_inverse_norm(nighi_f32_from_i64(sums.x_square));
        if (q_inverse == 0.0f || x_inverse == 0.0f) {
            distances[i] = nighi_f32_from_bits(0x7f800000u);
        } else {
            distances[i] = nighi_cosine_finish(nighi_f32_from_i64(sums.dot), q_inverse, x_inverse);
        }
    }
}

static float batch_i8_value(int8_t element, int32_t zero, float scale) {
    int32_t steps = (int32_t)((uint32_t)element - (uint32_t)zero);
    return nighi_fp_mul(scale, (float)steps);
}

BATCH(batch_i8_l1) {
    for (uint32_t i = 0; i < count; i++) {
        float lane[NIGHI_LANES] = {0.0f};
        float scale;
        int32_t zero;
        batch_i8_scale(metric, vectors[i], &scale, &zero);
        for (uint32_t j = 0; j < metric->dim; j++) {
            float q = batch_i8_value(nighi_elem_i8(query->elements, j), query->zero, query->scale);
            float x = batch_i8_value(nighi_elem_i8(vectors[i], j), zero, scale);
            lane[j % NIGHI_LANES] += nighi_f32_from_bits(nighi_f32_bits(q - x) & 0x7fffffffu);
        }
        for (uint32_t width = NIGHI_LANES / 2; width > 0; width >>= 1) {
            for (uint32_t j = 0; j < width; j++) {
                lane[j] += lane[j + width];
            }
        }
        distances[i] = nighi_distance_canonical(lane[0]);
    }
}

/* ---- Bits, and a caller's own --------------------------------------------------------------- */

BATCH(batch_hamming) {
    const uint8_t *q = (const uint8_t *)query->elements;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t bits = metric->kernels.hamming(q, (const uint8_t *)vectors[i], metric->row_bytes);
        distances[i] = nighi_f32_from_u32(bits);
    }
}

BATCH(batch_custom) {
    for (uint32_t i = 0; i < count; i++) {
        float distance = metric->custom(metric->custom_user, query->row, vectors[i], metric->dim);
        distances[i] = nighi_distance_canonical(distance);
    }
}
#undef BATCH

nighi_batch_fn nighi_batch_pick(const nighi_metric *metric) {
    static const nighi_batch_fn i8[] = {batch_i8_l2, batch_i8_ip, batch_i8_cosine, batch_i8_l1};
    static const nighi_batch_fn floats[] = {batch_float, batch_float_ip, batch_float_cosine,
                                            batch_float};
    if (NIGHI_HAS_SOURCES && NIGHI_HAS_FLOATS && metric->metric == NIGH_METRIC_CUSTOM) {
        return batch_custom;
    }
    if (NIGHI_HAS_BYTES && metric->metric == NIGH_METRIC_HAMMING) {
        return batch_hamming;
    }
    uint32_t row = metric->metric - NIGH_METRIC_L2;
    if (NIGHI_HAS_BYTES && NIGHI_HAS_FLOATS && metric->dtype == NIGH_DTYPE_I8) {
        return i8[row];
    }
    if (NIGHI_HAS_BYTES && metric->dtype == NIGH_DTYPE_U8) {
        return NIGHI_HAS_FLOATS && metric->metric == NIGH_METRIC_COSINE ? batch_u8_cosine
               : metric->metric == NIGH_METRIC_IP                       ? batch_u8_ip
                                                                        : batch_u8;
    }
    if (!NIGHI_HAS_FLOATS) {
        return NULL; /* searched by codes alone */
    }
    if (metric->metric == NIGH_METRIC_COSINE && metric->trailer_offset == 0) {
        return batch_float_cosine_bare;
    }
    return floats[row];
}
