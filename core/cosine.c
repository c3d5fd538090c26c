/* cosine.c - the slow, scalar side of cosine: one vector at a time, any magnitude
 * layer L4; uses: base, fp, num, racy, cosine, kernel_isa
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Squares of elements below 2^-63 or above 2^63 leave float32. Such vectors are legal but rare, so
 * they take three passes of plain code instead of costing the usual ones anything. */
#include "cosine.h"

#include "fp.h"
#include "kernel_isa.h"
#include "racy.h"

/* A vector and the two powers of two that bring its largest element into [1, 2): one factor alone
 * could be beyond float32. */
typedef struct cosine_side {
    const void *elements;
    uint32_t dtype;
    float scale[2];
} cosine_side;

static float cosine_element(const cosine_side *side, uint32_t i) {
    float value = side->dtype == NIGH_DTYPE_F32   ? nighi_elem_f32(side->elements, i)
                  : side->dtype == NIGH_DTYPE_F16 ? nighi_elem_f16(side->elements, i)
                                                  : nighi_elem_bf16(side->elements, i);
    return nighi_fp_mul(nighi_fp_mul(value, side->scale[0]), side->scale[1]);
}

/* sum a*b over the scaled elements, lanes and fold as in kernel.h. */
static float cosine_sum(const cosine_side *a, const cosine_side *b, uint32_t dim) {
    float lane[NIGHI_LANES];
    for (uint32_t i = 0; i < NIGHI_LANES; i++) {
        lane[i] = 0.0f;
    }
    for (uint32_t i = 0; i < dim; i++) {
        lane[i % NIGHI_LANES] += nighi_fp_mul(cosine_element(a, i), cosine_element(b, i));
    }
    for (uint32_t width = NIGHI_LANES / 2; width > 0; width >>= 1) {
        for (uint32_t i = 0; i < width; i++) {
            lane[i] += lane[i + width];
        }
    }
    return lane[0];
}

float nighi_square_sum(uint32_t dtype, const void *x, uint32_t dim) {
    cosine_side side = {x, dtype, {1.0f, 1.0f}};
    return cosine_sum(&side, &side, dim);
}

/* Sets the scale; false for a vector that is zero or not finite. */
static bool cosine_scale(cosine_side *side, uint32_t dim) {
    uint32_t largest = 0;
    side->scale[0] = 1.0f;
    side->scale[1] = 1.0f;
    for (uint32_t i = 0; i < dim; i++) {
        largest = nighi_max_u32(largest, nighi_f32_bits(cosine_element(side, i)) & 0x7fffffffu);
    }
    if (largest == 0 || largest >= 0x7f800000u) {
        return false;
    }
    int32_t exponent = (int32_t)(largest >> 23) - 127;
    if (exponent == -127) { /* subnormal */
        exponent = -126;
        for (; (largest & 0x800000u) == 0; largest <<= 1) {
            exponent--;
        }
    }
    int32_t first = -exponent / 2;
    int32_t second = -exponent - first;
    side->scale[0] = nighi_f32_from_bits((uint32_t)(first + 127) << 23);
    side->scale[1] = nighi_f32_from_bits((uint32_t)(second + 127) << 23);
    return true;
}

float nighi_cosine_odd(const float *q, uint32_t dtype, const void *x, uint32_t dim) {
    cosine_side a = {q, NIGH_DTYPE_F32, {1.0f, 1.0f}};
    cosine_side b = {x, dtype, {1.0f, 1.0f}};
    if (!cosine_scale(&a, dim) || !cosine_scale(&b, dim)) {
        return nighi_f32_from_bits(0x7f800000u);
    }
    float inverse_a = 1.0f / nighi_sqrt(cosine_sum(&a, &a, dim));
    float inverse_b = 1.0f / nighi_sqrt(cosine_sum(&b, &b, dim));
    return nighi_cosine_finish(cosine_sum(&a, &b, dim), inverse_a, inverse_b);
}

float nighi_unit_odd(float *x, uint32_t dim) {
    cosine_side side = {x, NIGH_DTYPE_F32, {1.0f, 1.0f}};
    if (!cosine_scale(&side, dim)) {
        return 0.0f;
    }
    for (uint32_t i = 0; i < dim; i++) {
        x[i] = cosine_element(&side, i);
    }
    return nighi_inverse_norm(nighi_square_sum(NIGH_DTYPE_F32, x, dim));
}
