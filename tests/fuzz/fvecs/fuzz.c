/* fuzz.c - any bytes as .fvecs, .bvecs, .ivecs and lines: refused, or rows that lie inside
 * layer T; uses: hosted.h
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The first byte chooses the format. Built as tests/fuzz/npy/fuzz.c is. */
#include "hosted.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check_vecs(const uint8_t *bytes, size_t size, uint32_t format) {
    nighh_errors errors = nighh_errors_begin(NULL, 0, "x");
    nighh_parsed parsed = {.offset = 0};
    const nigh_rows *rows = &parsed.rows;
    if (nighh_parse_vecs(bytes, size, format, 0, &parsed, &errors) != NIGH_OK) {
        return;
    }
    if (rows->count == 0 || rows->dim == 0 || parsed.offset != 4 ||
        rows->stride != 4 + (uint64_t)rows->dim * nighh_element_bytes(rows->dtype) ||
        size / rows->stride != rows->count || size % rows->stride != 0 ||
        nighh_odd_row(bytes, rows->count, rows->stride, (int32_t)rows->dim, UINT64_MAX) !=
            rows->count) {
        __builtin_trap();
    }
}

static void check_lines(const uint8_t *bytes, size_t size) {
    nighh_errors errors = nighh_errors_begin(NULL, 0, "x");
    nighh_parsed parsed = {.offset = 0};
    uint8_t *copy = malloc(size > 0 ? size : 1);
    uint32_t *lengths = NULL;
    uint64_t total = 0;
    if (copy == NULL) {
        return;
    }
    memcpy(copy, bytes, size);
    if (nighh_parse_lines(copy, size, &lengths, &parsed, &errors) == NIGH_OK) {
        for (uint64_t i = 0; i < parsed.rows.count; i++) {
            total += lengths[i];
        }
        if (total > size || parsed.rows.count > size) {
            __builtin_trap();
        }
    }
    free(lengths);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    if (size == 0) {
        return 0;
    }
    if (bytes[0] % 4 == 0) {
        check_lines(bytes + 1, size - 1);
    } else {
        check_vecs(bytes + 1, size - 1, bytes[0] % 4);
    }
    return 0;
}
