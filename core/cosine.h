/* cosine.h - norms, and the cosine of vectors whose norm float32 cannot square
 * layer L3; uses: base, num
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGHI_COSINE_H
#define NIGHI_COSINE_H
#include "base.h"
#include "num.h"

/* 1 / |x| from sum x*x; 0 where the vector is "odd" (see metric.h), zero or not finite. */
NIGHI_INLINE float nighi_inverse_norm(float square_sum) {
    if (square_sum >= 0x1p-60f && square_sum <= 0x1p60f) {
        return 1.0f / nighi_sqrt(square_sum);
    }
    return 0.0f;
}

/* 1 - dot * (inverse_a * inverse_b) in [0, 2]; +inf for NaN. The same whichever side is a. */
NIGHI_INLINE float nighi_cosine_finish(float dot, float inverse_a, float inverse_b) {
    float distance = 1.0f - nighi_fp_mul(dot, nighi_fp_mul(inverse_a, inverse_b));
    distance = distance < 0.0f ? 0.0f : distance;
    distance = distance > 2.0f ? 2.0f : distance;
    return nighi_distance_canonical(distance);
}

/* sum x*x in lane order, element by element. dtype is F32, F16 or BF16. */
NIGHI_FN float nighi_square_sum(uint32_t dtype, const void *x, uint32_t dim);
/* The distance when either side is odd: each is scaled by a power of two first. +inf when one is
 * zero or not finite. */
NIGHI_FN float nighi_cosine_odd(const float *q, uint32_t dtype, const void *x, uint32_t dim);
/* Scales x by a power of two and returns the inverse norm of what it then is; 0 when x is zero or
 * not finite. */
NIGHI_FN float nighi_unit_odd(float *x, uint32_t dim);

#endif
