/* convert.h - rows of every dtype from f32, and back
 * layer L4; uses: base
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Everything is checked first: NIGH_E_INVALID for dim or dtype, NIGH_E_VECTOR for NaN, infinity,
 * a value beyond the type's range or a row that nighi_row_check would refuse; then nothing is
 * written. Padding bytes and unused bits are zero. B1 becomes 1 and 0. */
#ifndef NIGHI_CONVERT_H
#define NIGHI_CONVERT_H
#include "base.h"

NIGHI_FN nigh_status nighi_rows_from_f32(uint32_t dim, uint32_t dtype, uint32_t count,
                                         const float *in, void *out);
NIGHI_FN nigh_status nighi_rows_to_f32(uint32_t dim, uint32_t dtype, uint32_t count, const void *in,
                                       float *out);

#endif
