/* metric.c - rows: their size, what is allowed in them, trailers, and queries made from them
 * layer L5; uses: base, num, racy, kernel, cosine, metric, distance
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "metric.h"

#include "cosine.h"
#include "distance.h"
#include "racy.h"

uint32_t nighi_row_bytes(uint32_t dim, uint32_t dtype) {
    switch (dtype) {
    case NIGH_DTYPE_F32:
        return dim * 4;
    case NIGH_DTYPE_F16:
    case NIGH_DTYPE_BF16:
        return dim * 2;
    case NIGH_DTYPE_I8:
        return nighi_round_up_u32(dim, 4) + 8;
    case NIGH_DTYPE_U8:
        return dim;
    case NIGH_DTYPE_B1:
        return (dim + 7) / 8;
    default:
        return 0;
    }
}

bool nighi_dtype_floats(uint32_t dtype) {
    return dtype == NIGH_DTYPE_F32 || dtype == NIGH_DTYPE_F16 || dtype == NIGH_DTYPE_BF16;
}

/* Of byte types: false where a build has none of them, so that what follows is left out. */
static bool metric_is(const nighi_metric *metric, uint32_t dtype) {
    return NIGHI_HAS_BYTES != 0 && metric->dtype == dtype &&
           (NIGHI_HAS_FLOATS || dtype != NIGH_DTYPE_I8);
}

uint32_t nighi_trailer_bytes(uint32_t metric, uint32_t dtype) {
    bool norm = nighi_dtype_floats(dtype) || dtype == NIGH_DTYPE_U8;
    return metric == NIGH_METRIC_COSINE && norm ? 8 : 0;
}

bool nighi_metric_valid(uint32_t metric, uint32_t dtype) {
    if (dtype < NIGH_DTYPE_F32 || dtype > NIGH_DTYPE_B1) {
        return false;
    }
    if (metric == NIGH_METRIC_CUSTOM) {
        return true;
    }
    if (metric == NIGH_METRIC_HAMMING) {
        return dtype == NIGH_DTYPE_B1;
    }
    return metric >= NIGH_METRIC_L2 && metric <= NIGH_METRIC_L1 && dtype != NIGH_DTYPE_B1;
}

void nighi_metric_init(nighi_metric *metric, uint32_t kind, uint32_t dtype, uint32_t dim,
                       uint32_t trailer_offset, uint32_t features) {
    NIGHI_ASSERT(nighi_metric_valid(kind, dtype));
    NIGHI_ASSERT(dim >= 1 && dim <= 65535);
    uint32_t elem = dtype == NIGH_DTYPE_F16    ? NIGHI_ELEM_F16
                    : dtype == NIGH_DTYPE_BF16 ? NIGHI_ELEM_BF16
                                               : NIGHI_ELEM_F32;
    uint32_t op = kind == NIGH_METRIC_L2   ? NIGHI_OP_L2
                  : kind == NIGH_METRIC_L1 ? NIGHI_OP_L1
                                           : NIGHI_OP_DOT;
    metric->metric = kind;
    metric->dtype = dtype;
    metric->dim = dim;
    metric->row_bytes = nighi_row_bytes(dim, dtype);
    metric->trailer_offset = trailer_offset;
    nighi_kernels_pick(&metric->kernels, features);
    if (NIGHI_HAS_FLOATS) {
        metric->float_kernel = metric->kernels.floats[op][elem];
        metric->dot_square = metric->kernels.dot_square[elem];
    }
    metric->u8_kernel = metric->kernels.u8[op];
    metric->batch = nighi_batch_pick(metric);
}

/* ---- What a row may hold -------------------------------------------------------------------- */

/* Loops without an early exit: nearly every row is good, and this form becomes vector code. */
static nigh_status metric_check_floats(const nighi_metric *metric, const void *row) {
    uint32_t dim = metric->dim;
    uint32_t bad = 0;
    uint32_t some = 0;
    if (metric->dtype == NIGH_DTYPE_F32) {
        for (uint32_t i = 0; i < dim; i++) {
            uint32_t bits = nighi_f32_bits(nighi_elem_f32(row, i)) & 0x7fffffffu;
            bad |= bits >= 0x7f800000u ? 1u : 0u;
            some |= bits;
        }
    } else {
        uint32_t infinite = metric->dtype == NIGH_DTYPE_F16 ? 0x7c00u : 0x7f80u;
        for (uint32_t i = 0; i < dim; i++) {
            uint32_t bits = nighi_elem_u16(row, i) & 0x7fffu;
            bad |= bits >= infinite ? 1u : 0u;
            some |= bits;
        }
    }
    bool zero = metric->metric == NIGH_METRIC_COSINE && some == 0;
    return bad != 0 || zero ? NIGH_E_VECTOR : NIGH_OK;
}

/* Is every element equal to `zero`, so that the vector is zero? */
static bool metric_all_bytes(const void *row, uint32_t dim, uint8_t zero) {
    uint32_t some = 0;
    for (uint32_t i = 0; i < dim; i++) {
        some |= (uint32_t)nighi_elem_u8(row, i) ^ zero;
    }
    return some == 0;
}

static nigh_status metric_check_i8(const nighi_metric *metric, const void *row, float scale,
                                   int32_t zero) {
    uint32_t bits = nighi_f32_bits(scale);
    if (bits == 0 || bits >= 0x7f800000u || zero < -128 || zero > 127) {
        return NIGH_E_VECTOR;
    }
    if (metric->metric == NIGH_METRIC_COSINE &&
        metric_all_bytes(row, metric->dim, (uint8_t)(uint32_t)zero)) {
        return NIGH_E_VECTOR;
    }
    return NIGH_OK;
}

/* The bytes that pad an I8 row to a multiple of 4 are 0, so that equal vectors are equal bytes. */
static bool metric_padding_zero(const nighi_metric *metric, const void *row) {
    for (uint32_t i = metric->dim; metric_is(metric, NIGH_DTYPE_I8) && (i & 3u) != 0; i++) {
        if (nighi_elem_u8(row, i) != 0) {
            return false;
        }
    }
    return true;
}

/* I8: the scale and zero point at `offset`; 0 = none. */
static void metric_scale(const void *vector, uint32_t offset, float *scale, int32_t *zero) {
    *scale = 1.0f;
    *zero = 0;
    if (offset != 0) {
        const uint8_t *trailer = (const uint8_t *)vector + offset;
        *scale = nighi_f32_from_bits(nighi_elem_word(trailer));
        *zero = (int32_t)nighi_elem_word(trailer + 4);
    }
}

static uint32_t metric_row_scale_offset(const nighi_metric *metric) {
    return nighi_round_up_u32(metric->dim, 4);
}

static nigh_status metric_check_bits(const nighi_metric *metric, const void *vector) {
    const uint32_t used = metric->dim & 7u;
    const uint8_t last = nighi_elem_u8(vector, metric->row_bytes - 1);
    return used != 0 && last >> used != 0 ? NIGH_E_VECTOR : NIGH_OK;
}

static nigh_status metric_check(const nighi_metric *metric, const void *vector,
                                uint32_t scale_offset) {
    float scale;
    int32_t zero;
    if (metric_is(metric, NIGH_DTYPE_I8)) {
        metric_scale(vector, scale_offset, &scale, &zero);
        return metric_check_i8(metric, vector, scale, zero);
    }
    if (metric_is(metric, NIGH_DTYPE_U8)) {
        const bool none = metric->metric == NIGH_METRIC_COSINE &&
                          metric_all_bytes(vector, metric->dim, 0);
        return none ? NIGH_E_VECTOR : NIGH_OK;
    }
    if (metric_is(metric, NIGH_DTYPE_B1)) {
        return metric_check_bits(metric, vector);
    }
    return NIGHI_HAS_FLOATS ? metric_check_floats(metric, vector) : NIGH_E_UNSUPPORTED;
}

nigh_status nighi_row_check(const nighi_metric *metric, const void *row) {
    if (!metric_padding_zero(metric, row)) {
        return NIGH_E_VECTOR;
    }
    return metric_check(metric, row, metric_row_scale_offset(metric));
}

nigh_status nighi_stored_check(const nighi_metric *metric, const void *vector) {
    return metric_check(metric, vector, metric->trailer_offset);
}

/* ---- Trailers and queries ------------------------------------------------------------------- */

void nighi_trailer_make(const nighi_metric *metric, const void *row, void *trailer) {
    float square_sum;
    if (!NIGHI_HAS_FLOATS) {
        return; /* cosine alone has trailers */
    }
    if (metric_is(metric, NIGH_DTYPE_U8)) {
        const uint8_t *x = (const uint8_t *)row;
        square_sum =
            nighi_f32_from_i64((int64_t)metric->kernels.u8[NIGHI_OP_DOT](x, x, metric->dim));
    } else if (metric->dtype == NIGH_DTYPE_F32) {
        const float *x = (const float *)row;
        square_sum = metric->kernels.floats[NIGHI_OP_DOT][NIGHI_ELEM_F32](x, x, metric->dim);
    } else {
        square_sum = nighi_square_sum(metric->dtype, row, metric->dim);
    }
    uint32_t words[2] = {nighi_f32_bits(nighi_inverse_norm(square_sum)), 0};
    nighi_copy(trailer, words, 8);
}

/* The elements as kernels take them: the float types as f32. */
static const void *metric_elements(const nighi_metric *metric, const void *row, float *scratch) {
    uint32_t dim = metric->dim;
    if (NIGHI_HAS_FLOATS && metric->dtype == NIGH_DTYPE_F16) {
        for (uint32_t i = 0; i < dim; i++) {
            scratch[i] = nighi_elem_f16(row, i);
        }
        return scratch;
    }
    if (NIGHI_HAS_FLOATS && metric->dtype == NIGH_DTYPE_BF16) {
        for (uint32_t i = 0; i < dim; i++) {
            scratch[i] = nighi_elem_bf16(row, i);
        }
        return scratch;
    }
    return row;
}

/* trailer_offset: of the inverse norm, 0 = compute it. scale_offset: of an I8 scale, 0 = none. */
static void metric_prepare(const nighi_metric *metric, const void *row, float *scratch,
                           uint32_t trailer_offset, uint32_t scale_offset, nighi_query *query) {
    query->row = row;
    query->elements = row;
    query->inverse_norm = 0.0f;
    query->scale = 1.0f;
    query->zero = 0;
    query->sum = 0;
    query->square_sum = 0;
    if (metric->metric == NIGH_METRIC_CUSTOM || metric->metric == NIGH_METRIC_HAMMING) {
        return;
    }
    if (NIGHI_HAS_FLOATS && metric_is(metric, NIGH_DTYPE_I8)) {
        int32_t sums[3];
        metric_scale(row, scale_offset, &query->scale, &query->zero);
        metric->kernels.i8((const int8_t *)row, (const int8_t *)row, metric->dim, sums);
        query->sum = sums[1];
        query->square_sum = sums[2];
        return;
    }
    query->elements = metric_elements(metric, row, scratch);
    if (!NIGHI_HAS_FLOATS || metric->metric != NIGH_METRIC_COSINE) {
        return;
    }
    if (trailer_offset != 0) {
        uint32_t word = nighi_elem_word((const uint8_t *)row + trailer_offset);
        query->inverse_norm = nighi_f32_from_bits(word);
    } else if (metric_is(metric, NIGH_DTYPE_U8)) {
        uint32_t words[2];
        nighi_trailer_make(metric, row, words);
        query->inverse_norm = nighi_f32_from_bits(words[0]);
    } else {
        const float *x = (const float *)query->elements;
        query->inverse_norm = nighi_inverse_norm(
            metric->kernels.floats[NIGHI_OP_DOT][NIGHI_ELEM_F32](x, x, metric->dim));
    }
}

void nighi_query_from_row(const nighi_metric *metric, const void *row, float *scratch,
                          nighi_query *query) {
    metric_prepare(metric, row, scratch, 0, metric_row_scale_offset(metric), query);
}

void nighi_query_from_stored(const nighi_metric *metric, const void *vector, float *scratch,
                             nighi_query *query) {
    metric_prepare(metric, vector, scratch, metric->trailer_offset, metric->trailer_offset, query);
}
