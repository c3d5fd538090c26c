/* convert.c - rows of every dtype from f32, and back
 * layer L4; uses: base, fp, num, metric, convert
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Integer code and single correctly rounded operations only, so that every machine makes the same
 * rows. Two passes, because nothing may be written when the last row is bad. */
#include "convert.h"

#include "fp.h"
#include "metric.h"
#include "num.h"

#define CONVERT_DIM_MAX 65535u

static bool convert_valid(uint32_t dim, uint32_t dtype) {
    return dim >= 1 && dim <= CONVERT_DIM_MAX && nighi_row_bytes(dim, dtype) != 0;
}

/* ---- From f32 ------------------------------------------------------------------------------- */

static bool convert_fits(float value, uint32_t dtype) {
    if (dtype == NIGH_DTYPE_F16) {
        return nighi_f16_finite(nighi_f16_from_f32(value));
    }
    if (dtype == NIGH_DTYPE_BF16) {
        return nighi_bf16_finite(nighi_bf16_from_f32(value));
    }
    return nighi_f32_finite(value);
}

/* The scale and zero point that span a vector and 0 (so that 0 is exact and the zero point fits
 * int8): value = scale * (x - zero), x in -128..127. */
static void convert_span(const float *in, uint32_t dim, float *scale, int32_t *zero) {
    float low = 0.0f;
    float high = 0.0f;
    for (uint32_t i = 0; i < dim; i++) {
        low = in[i] < low ? in[i] : low;
        high = in[i] > high ? in[i] : high;
    }
    *scale = 1.0f;
    *zero = 0;
    if (low == 0.0f && high == 0.0f) {
        return;
    }
    float step = high / 255.0f - low / 255.0f; /* the difference itself could overflow */
    *scale = step < 0x1p-126f ? 0x1p-126f : step;
    int32_t below = nighi_i32_from_f32(-low / *scale, 255);
    *zero = below - 128;
}

static void convert_to_i8(const float *in, uint32_t dim, uint8_t *out) {
    uint32_t padded = (uint32_t)nighi_round_up(dim, 4);
    float scale;
    int32_t zero;
    convert_span(in, dim, &scale, &zero);
    for (uint32_t i = 0; i < dim; i++) {
        int32_t x = nighi_i32_from_f32(in[i] / scale, 512) + zero;
        x = x < -128 ? -128 : x > 127 ? 127 : x;
        if (!nighi_f32_finite(nighi_fp_mul(scale, (float)(x - zero)))) {
            x += x < zero ? 1 : -1; /* half a step beyond the largest float */
        }
        out[i] = (uint8_t)(uint32_t)x;
    }
    for (uint32_t i = dim; i < padded; i++) {
        out[i] = 0;
    }
    nighi_copy(out + padded, &scale, 4);
    nighi_copy(out + padded + 4, &zero, 4);
}

static void convert_to_u8(const float *in, uint32_t dim, uint8_t *out) {
    for (uint32_t i = 0; i < dim; i++) {
        int32_t x = nighi_i32_from_f32(in[i], 255);
        out[i] = (uint8_t)(x < 0 ? 0 : x);
    }
}

static void convert_to_b1(const float *in, uint32_t dim, uint8_t *out) {
    for (uint32_t i = 0; i < dim; i += 8) {
        uint32_t byte = 0;
        for (uint32_t j = 0; j < 8 && i + j < dim; j++) {
            byte |= (in[i + j] > 0.0f ? 1u : 0u) << j;
        }
        out[i / 8] = (uint8_t)byte;
    }
}

static void convert_to_halves(const float *in, uint32_t dim, uint32_t dtype, uint8_t *out) {
    for (uint32_t i = 0; i < dim; i++) {
        uint16_t half =
            dtype == NIGH_DTYPE_F16 ? nighi_f16_from_f32(in[i]) : nighi_bf16_from_f32(in[i]);
        nighi_copy(out + 2 * (size_t)i, &half, 2);
    }
}

static void convert_row_from(const float *in, uint32_t dim, uint32_t dtype, uint8_t *out) {
    if (dtype == NIGH_DTYPE_F32) {
        nighi_move(out, in, (size_t)dim * 4);
    } else if (nighi_dtype_floats(dtype)) {
        convert_to_halves(in, dim, dtype, out);
    } else if (NIGHI_HAS_BYTES && dtype == NIGH_DTYPE_I8) {
        convert_to_i8(in, dim, out);
    } else if (NIGHI_HAS_BYTES && dtype == NIGH_DTYPE_U8) {
        convert_to_u8(in, dim, out);
    } else if (NIGHI_HAS_BYTES) {
        convert_to_b1(in, dim, out);
    }
}

nigh_status nighi_rows_from_f32(uint32_t dim, uint32_t dtype, uint32_t count, const float *in,
                                void *out) {
    if (!convert_valid(dim, dtype)) {
        return NIGH_E_INVALID;
    }
    size_t row_bytes = (size_t)nighi_row_bytes(dim, dtype);
    for (uint32_t row = 0; row < count; row++) {
        const float *from = in + (size_t)row * dim;
        for (uint32_t i = 0; i < dim; i++) {
            if (!convert_fits(from[i], dtype)) {
                return NIGH_E_VECTOR;
            }
        }
    }
    for (uint32_t row = 0; row < count; row++) {
        convert_row_from(in + (size_t)row * dim, dim, dtype,
                         (uint8_t *)out + (size_t)row * row_bytes);
    }
    return NIGH_OK;
}

/* ---- To f32 --------------------------------------------------------------------------------- */

/* Rows may lie anywhere, so elements are copied out. */
static float convert_element(const uint8_t *row, uint32_t i, uint32_t dtype, float scale,
                             int32_t zero) {
    uint16_t half;
    switch (dtype) {
    case NIGH_DTYPE_F32:
        return nighi_f32_from_bits(nighi_load_u32(row + 4 * (size_t)i));
    case NIGH_DTYPE_F16:
        nighi_copy(&half, row + 2 * (size_t)i, 2);
        return nighi_f32_from_f16(half);
    case NIGH_DTYPE_BF16:
        nighi_copy(&half, row + 2 * (size_t)i, 2);
        return nighi_f32_from_bf16(half);
    default:
        break;
    }
    if (!NIGHI_HAS_BYTES) {
        return 0.0f;
    }
    if (dtype == NIGH_DTYPE_I8) {
        return nighi_fp_mul(scale, (float)((int32_t)(int8_t)row[i] - zero));
    }
    return dtype == NIGH_DTYPE_U8 ? (float)row[i] : (float)((row[i / 8] >> (i % 8)) & 1u);
}

/* One row: writes to `out` unless it is NULL; says whether the row is good. */
static bool convert_row_to(const uint8_t *row, uint32_t dim, uint32_t dtype, float *out) {
    float scale = 1.0f;
    int32_t zero = 0;
    if (NIGHI_HAS_BYTES && dtype == NIGH_DTYPE_I8) {
        const uint8_t *trailer = row + nighi_round_up(dim, 4);
        scale = nighi_f32_from_bits(nighi_load_u32(trailer));
        zero = (int32_t)nighi_load_u32(trailer + 4);
        if (!(scale > 0.0f) || !nighi_f32_finite(scale) || zero < -128 || zero > 127) {
            return false;
        }
    }
    if (NIGHI_HAS_BYTES && dtype == NIGH_DTYPE_B1 && dim % 8 != 0 &&
        row[dim / 8] >> (dim % 8) != 0) {
        return false;
    }
    for (uint32_t i = 0; i < dim; i++) {
        float value = convert_element(row, i, dtype, scale, zero);
        if (!nighi_f32_finite(value)) {
            return false;
        }
        if (out != NULL) {
            out[i] = value;
        }
    }
    return true;
}

nigh_status nighi_rows_to_f32(uint32_t dim, uint32_t dtype, uint32_t count, const void *in,
                              float *out) {
    if (!convert_valid(dim, dtype)) {
        return NIGH_E_INVALID;
    }
    const uint8_t *rows = (const uint8_t *)in;
    size_t row_bytes = (size_t)nighi_row_bytes(dim, dtype);
    for (uint32_t row = 0; row < count; row++) {
        if (!convert_row_to(rows + (size_t)row * row_bytes, dim, dtype, NULL)) {
            return NIGH_E_VECTOR;
        }
    }
    for (uint32_t row = 0; row < count; row++) {
        (void)convert_row_to(rows + (size_t)row * row_bytes, dim, dtype, out + (size_t)row * dim);
    }
    return NIGH_OK;
}
#undef CONVERT_DIM_MAX
