/* code.c - encoding vectors into codes
 * layer L6; uses: code, convert, cosine, fp, num
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "code.h"

#include "convert.h"
#include "cosine.h"
#include "fp.h"
#include "num.h"

NIGHI_FN bool nighi_code_valid(const nigh_config *config, uint32_t kind) {
    if (kind == NIGH_CODES_NONE) {
        return true;
    }
    return (kind == NIGH_CODES_U7 || kind == NIGH_CODES_B1) && config->dtype != NIGH_DTYPE_B1 &&
           config->metric != NIGH_METRIC_HAMMING && config->metric != NIGH_METRIC_CUSTOM;
}

NIGHI_FN void nighi_code_span(const nigh_config *config, float low, float high,
                              nighi_coding *coding) {
    nighi_code_kind(config, coding);
    if (!NIGHI_HAS_FLOATS) {
        return; /* codes are others' */
    }
    const bool directed = config->metric == NIGH_METRIC_COSINE || config->metric == NIGH_METRIC_IP;
    /* In halves: the sum or difference of two floats may be beyond the largest. */
    float center = nighi_fp_mul(low, 0.5f) + nighi_fp_mul(high, 0.5f);
    float reach = nighi_fp_mul(high, 0.5f) - nighi_fp_mul(low, 0.5f);
    if (directed) { /* products need a true zero */
        const float far_low = low < 0.0f ? -low : low;
        const float far_high = high < 0.0f ? -high : high;
        center = 0.0f;
        reach = far_low > far_high ? far_low : far_high;
    }
    reach = reach < 0x1p-100f ? 0x1p-100f : reach;
    coding->center = center;
    coding->steps = (float)NIGHI_CODE_LIMIT / reach;
}

NIGHI_FN void nighi_code_kind(const nigh_config *config, nighi_coding *coding) {
    coding->kind = config->codes;
    coding->stride = nighi_code_stride(config);
    coding->op = config->codes == NIGH_CODES_B1     ? NIGHI_CODE_BITS
                 : config->metric == NIGH_METRIC_IP ? NIGHI_CODE_DOT
                 : config->metric == NIGH_METRIC_L1 ? NIGHI_CODE_L1
                                                    : NIGHI_CODE_L2;
}

NIGHI_FN void nighi_coding_set(nigh_index *index, const nighi_coding *from) {
    nighi_coding *coding = &index->coding;
    coding->op = from->op;
    coding->kind = from->kind;
    coding->stride = from->stride;
    coding->center = from->center;
    coding->steps = from->steps;
    nighi_store(&coding->clamped, from->clamped);
    nighi_store(&coding->version, nighi_load(&coding->version) + 1);
}

NIGHI_FN const float *nighi_code_floats(const nigh_index *index, const void *row, float *scratch) {
    const uint32_t dim = index->config.dim;
    const float *floats = row;
    if (index->config.dtype != NIGH_DTYPE_F32) {
        (void)nighi_rows_to_f32(dim, index->config.dtype, 1, row, scratch);
        floats = scratch;
    }
    if (index->config.metric != NIGH_METRIC_COSINE) {
        return floats;
    }
    const float square =
        index->metric.kernels.floats[NIGHI_OP_DOT][NIGHI_ELEM_F32](floats, floats, dim);
    float inverse = nighi_inverse_norm(square);
    if (inverse == 0.0f) { /* tiny or huge */
        if (floats != scratch) {
            nighi_copy(scratch, floats, (uint64_t)dim * 4);
        }
        inverse = nighi_unit_odd(scratch, dim);
        floats = scratch;
    }
    for (uint32_t i = 0; i < dim; i++) {
        scratch[i] = floats[i] * inverse;
    }
    return scratch;
}

/* Nearest integer, ties to even, without a branch: beyond 1.5 * 2^23 floats have no fraction. */
NIGHI_INLINE int32_t nighi_code_round(float value) {
    const float shifted = value + 12582912.0f;
    return (int32_t)(nighi_f32_bits(shifted) - 0x4b400000u);
}

/* A float's bits as an integer that orders as the float does; and back. */
NIGHI_INLINE int32_t nighi_code_key(uint32_t bits) {
    return (int32_t)(bits ^ ((bits >> 31) * 0x7fffffffu));
}

/* Clamps integers, not floats: comparing floats keeps compilers from making vector code of it. */
static uint32_t nighi_encode_u7(const nighi_coding *coding, uint32_t dim,
                                const float *restrict floats, uint8_t *restrict record) {
    const float center = coding->center;
    const float steps = coding->steps;
    const int32_t most = nighi_code_key(nighi_f32_bits((float)NIGHI_CODE_LIMIT));
    const int32_t beyond = nighi_code_key(nighi_f32_bits((float)NIGHI_CODE_LIMIT + 0.5f));
    uint32_t clamped = 0;
    for (uint32_t i = 0; i < dim; i++) {
        const float value = nighi_fp_mul(floats[i] - center, steps);
        int32_t key = nighi_code_key(nighi_f32_bits(value));
        clamped += (uint32_t)(key > beyond) + (uint32_t)(key < ~beyond);
        key = key > most ? most : key;
        key = key < ~most ? ~most : key;
        const float kept = nighi_f32_from_bits((uint32_t)nighi_code_key((uint32_t)key));
        record[i] = (uint8_t)(nighi_code_round(kept) + (int32_t)NIGHI_CODE_ZERO);
    }
    return clamped;
}

NIGHI_FN uint32_t nighi_code_encode(const nighi_coding *coding, uint32_t dim, const float *floats,
                                    uint8_t *record) {
    const uint32_t stride = coding->stride;
    if (coding->kind == NIGH_CODES_U7) {
        nighi_fill(record + dim, 0, stride - dim);
        return nighi_encode_u7(coding, dim, floats, record);
    }
    nighi_fill(record, 0, stride);
    for (uint32_t i = 0; i < dim; i++) {
        record[i / 8] |= (uint8_t)((floats[i] > coding->center) << (i % 8));
    }
    return 0;
}

NIGHI_FN nigh_status nighi_code_check(const nighi_coding *coding, uint32_t dim,
                                      const uint8_t *record) {
    if (coding->kind == NIGH_CODES_B1) {
        return dim % 8 != 0 && record[dim / 8] >> dim % 8 != 0 ? NIGH_E_VECTOR : NIGH_OK;
    }
    uint32_t bad = 0;
    for (uint32_t i = 0; i < dim; i++) {
        bad |= record[i] - 1u > 2 * NIGHI_CODE_LIMIT; /* 1..127 */
    }
    return bad != 0 ? NIGH_E_VECTOR : NIGH_OK;
}

NIGHI_FN uint32_t nighi_code_query(const nighi_coding *coding, uint32_t dim, const uint8_t *record,
                                   uint8_t *code) {
    const uint32_t bytes = nighi_code_bytes(coding->kind, dim);
    int32_t sum = 0;
    nighi_fill(code + bytes, 0, nighi_round_up(coding->stride, NIGHI_CACHE_LINE) - bytes);
    if (coding->op != NIGHI_CODE_DOT) {
        nighi_copy(code, record, bytes);
        return 0;
    }
    for (uint32_t i = 0; i < dim; i++) {
        const int32_t value = (int32_t)record[i] - (int32_t)NIGHI_CODE_ZERO;
        code[i] = (uint8_t)value;
        sum += value;
    }
    return 0x80000000u + (uint32_t)sum * NIGHI_CODE_ZERO;
}
