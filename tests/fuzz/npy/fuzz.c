/* fuzz.c - any bytes as a .npy file: refused with a text, or rows that lie inside
 * layer T; uses: hosted.h
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Input: the file. What was read is asked for again with its own dim and with another, and a head
 * written for the same shape says the same. */
#include "hosted.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void require(int condition) {
    if (!condition) {
        __builtin_trap();
    }
}

static nigh_status parse(const uint8_t *bytes, uint64_t size, uint32_t dim, nighh_parsed *parsed) {
    char message[160];
    const nighh_errors errors = nighh_errors_begin(message, sizeof message, "x.npy");
    *parsed = (nighh_parsed){.offset = 0};
    const nigh_status status = nighh_parse_npy(bytes, size, dim, parsed, &errors);
    require(status == NIGH_OK || strlen(message) > 7);
    return status;
}

static void check_rows(const nighh_parsed *parsed, uint64_t size) {
    const nigh_rows *rows = &parsed->rows;
    const uint32_t element = nighh_element_bytes(rows->dtype);
    require(rows->count > 0 && rows->dim > 0 && parsed->offset <= size && element > 0);
    require(rows->stride == (uint64_t)rows->dim * element && parsed->offset % element == 0);
    require((size - parsed->offset) / rows->stride == rows->count);
    require((size - parsed->offset) % rows->stride == 0);
}

/* Bytes behind a head are not looked at: it alone says how many there must be. */
static void check_head(const nigh_rows *rows) {
    char head[128];
    nighh_parsed parsed;
    const uint32_t length = nighh_npy_head(rows->dtype, rows->count, rows->dim, head);
    require(length <= sizeof head && length % 64 == 0);
    const uint64_t size = length + rows->count * rows->stride;
    require(parse((const uint8_t *)head, size, rows->dim, &parsed) == NIGH_OK);
    require(parsed.offset == length && parsed.rows.dtype == rows->dtype);
    require(parsed.rows.count == rows->count && parsed.rows.dim == rows->dim);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    nighh_parsed parsed, again;
    if (parse(bytes, size, 0, &parsed) == NIGH_OK) {
        check_rows(&parsed, size);
        check_head(&parsed.rows);
        require(parse(bytes, size, parsed.rows.dim, &again) == NIGH_OK);
        require(parse(bytes, size, parsed.rows.dim + 1, &again) == NIGH_E_MISMATCH);
    }
    return 0;
}
