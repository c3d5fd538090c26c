/* fuzz.c - any bytes as .fvecs, .bvecs, .ivecs and lines: refused, or rows that lie inside
 * layer T; uses: hosted.h
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The first byte chooses the format: modulo 4 lines, .fvecs, .bvecs or .ivecs. What was read is
 * asked for again with its own dim and with another. */
#include "hosted.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void require(int condition) {
    if (!condition) {
        __builtin_trap();
    }
}

static nigh_status parse(const uint8_t *bytes, size_t size, uint32_t format, uint32_t dim,
                         nighh_parsed *parsed) {
    char message[160];
    const nighh_errors errors = nighh_errors_begin(message, sizeof message, "x.fvecs");
    *parsed = (nighh_parsed){.offset = 0};
    const nigh_status status = nighh_parse_vecs(bytes, size, format, dim, parsed, &errors);
    require(status == NIGH_OK || strlen(message) > 9);
    return status;
}

static void check_vecs(const uint8_t *bytes, size_t size, uint32_t format) {
    nighh_parsed parsed, again;
    const nigh_rows *rows = &parsed.rows;
    if (parse(bytes, size, format, 0, &parsed) != NIGH_OK) {
        return;
    }
    require(rows->count > 0 && rows->dim > 0 && rows->dim <= INT32_MAX && parsed.offset == 4);
    require(rows->stride == 4 + (uint64_t)rows->dim * nighh_element_bytes(rows->dtype));
    require(size / rows->stride == rows->count && size % rows->stride == 0);
    require(nighh_odd_row(bytes, rows->count, rows->stride, (int32_t)rows->dim, UINT64_MAX) ==
            rows->count);
    require(parse(bytes, size, format, rows->dim, &again) == NIGH_OK);
    require(parse(bytes, size, format, rows->dim + 1, &again) == NIGH_E_MISMATCH);
}

/* Lines come together in their order, without their ends. */
static void check_lines(const uint8_t *bytes, size_t size) {
    const nighh_errors errors = nighh_errors_begin(NULL, 0, "x");
    nighh_parsed parsed = {.offset = 0};
    uint8_t *copy = malloc(size > 0 ? size : 1);
    uint32_t *lengths = NULL;
    uint64_t at = size >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0, total = 0;
    require(copy != NULL);
    if (size > 0) {
        memcpy(copy, bytes, size);
    }
    if (nighh_parse_lines(copy, size, &lengths, &parsed, &errors) == NIGH_OK) {
        for (uint64_t i = 0; i < parsed.rows.count; i++) {
            require(lengths[i] <= size - at);
            require(memcmp(copy + total, bytes + at, lengths[i]) == 0);
            require(memchr(copy + total, '\n', lengths[i]) == NULL);
            total += lengths[i];
            at += lengths[i];
            at += at < size && bytes[at] == '\r' ? 1u : 0u;
            require(at == size || bytes[at] == '\n');
            at += at < size;
        }
        require(at == size);
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
