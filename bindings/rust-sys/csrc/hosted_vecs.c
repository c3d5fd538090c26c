/* hosted_vecs.c - .fvecs, .bvecs and .ivecs: each row carries its dim, all of them the same
 * layer H; uses: hosted.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hosted.h"

#include <string.h>

#define CHECK_ALL_BYTES (1u << 30) /* larger files are sampled */
#define CHECK_END_ROWS 65536u
#define CHECK_STEP 257u /* a prime: no period of a broken writer hides */
#define DIM_BYTES 4u

typedef unsigned long long ull;

static uint32_t vecs_dtype(uint32_t format) {
    switch (format) {
    case NIGH_ROWS_FVECS:
        return NIGH_DTYPE_F32;
    case NIGH_ROWS_BVECS:
        return NIGH_DTYPE_U8;
    case NIGH_ROWS_IVECS:
        return NIGH_ROWS_I32;
    default:
        return 0;
    }
}

static int32_t read_i32(const uint8_t *bytes) {
    uint32_t word = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
                    (uint32_t)bytes[3] << 24;
    int32_t value = 0;
    memcpy(&value, &word, sizeof value);
    return value;
}

uint64_t nighh_odd_row(const uint8_t *bytes, uint64_t count, uint64_t stride, int32_t dim,
                       uint64_t check_all_bytes) {
    bool all = count * stride <= check_all_bytes || count <= 2 * CHECK_END_ROWS;
    uint64_t row = 0;
    while (row < count) {
        if (read_i32(bytes + row * stride) != dim) {
            return row;
        }
        row += all || row < CHECK_END_ROWS || row + CHECK_STEP >= count - CHECK_END_ROWS
                   ? 1
                   : CHECK_STEP;
    }
    return count;
}

nigh_status nighh_parse_vecs(const uint8_t *bytes, uint64_t size, uint32_t format, uint32_t dim,
                             nighh_parsed *parsed, const nighh_errors *errors) {
    nigh_rows *rows = &parsed->rows;
    uint32_t dtype = vecs_dtype(format);
    int32_t first = 0;
    uint64_t row = 0;
    if (size < DIM_BYTES) {
        return nighh_fail(errors, NIGH_E_FORMAT, "%llu bytes are too short for a row", (ull)size);
    }
    first = read_i32(bytes);
    if (first <= 0) {
        return nighh_fail(errors, NIGH_E_FORMAT, "row 0 says dim %d", (int)first);
    }
    if (dim != 0 && (uint32_t)first != dim) {
        return nighh_fail(errors, NIGH_E_MISMATCH, "dim is %d, expected %u", (int)first,
                          (unsigned)dim);
    }
    rows->format = format;
    rows->dtype = dtype;
    rows->dim = (uint32_t)first;
    rows->stride = DIM_BYTES + (uint64_t)rows->dim * nighh_element_bytes(dtype);
    rows->count = size / rows->stride;
    row = nighh_odd_row(bytes, rows->count, rows->stride, first, CHECK_ALL_BYTES);
    if (row < rows->count) {
        return nighh_fail(errors, NIGH_E_FORMAT, "row %llu says dim %d, row 0 %d", (ull)row,
                          (int)read_i32(bytes + row * rows->stride), (int)first);
    }
    if (size % rows->stride != 0) {
        return nighh_fail(errors, NIGH_E_FORMAT,
                          "%llu bytes are not whole rows of %llu bytes (dim %d): cut short?",
                          (ull)size, (ull)rows->stride, (int)first);
    }
    parsed->offset = DIM_BYTES;
    return NIGH_OK;
}
