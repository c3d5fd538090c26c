/* fuzz.c - any bytes as a .npy file: refused with a text, or rows that lie inside
 * layer T; uses: hosted.h
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * clang -fsanitize=fuzzer,address,undefined -Iabi -Ihosted tests/fuzz/npy/fuzz.c and the sources of
 * hosted/, abi/ and core/; corpus: tests/fuzz/npy/corpus. */
#include "hosted.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    char message[160];
    nighh_errors errors = nighh_errors_begin(message, sizeof message, "x.npy");
    nighh_parsed parsed = {.offset = 0};
    nigh_status status = nighh_parse_npy(bytes, size, 0, &parsed, &errors);
    const nigh_rows *rows = &parsed.rows;
    if (status != NIGH_OK) {
        return strlen(message) > 7 ? 0 : (__builtin_trap(), 0);
    }
    if (rows->count == 0 || rows->dim == 0 || parsed.offset > size ||
        rows->stride != (uint64_t)rows->dim * nighh_element_bytes(rows->dtype) ||
        (size - parsed.offset) / rows->stride != rows->count ||
        (size - parsed.offset) % rows->stride != 0) {
        __builtin_trap();
    }
    return 0;
}
