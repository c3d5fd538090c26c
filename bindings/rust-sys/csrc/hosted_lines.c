/* hosted_lines.c - text files of keys, one a line
 * layer H; uses: hosted.h
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * nigh takes byte-string keys one after another with their lengths, so the lines are moved together
 * where they lie (a private mapping): no second copy, and batches go in without gathering. */
#include "hosted.h"

#include <stdlib.h>
#include <string.h>

static uint64_t count_lines(const uint8_t *bytes, const uint8_t *end) {
    uint64_t count = 0;
    while (bytes < end) {
        const uint8_t *stop = memchr(bytes, '\n', (size_t)(end - bytes));
        count++;
        bytes = stop != NULL ? stop + 1 : end;
    }
    return count;
}

nigh_status nighh_parse_lines(uint8_t *bytes, uint64_t size, uint32_t **lengths,
                              nighh_parsed *parsed, const nighh_errors *errors) {
    const uint8_t *end = bytes + size;
    const uint8_t *line = bytes;
    uint8_t *to = bytes;
    uint64_t count = 0;
    if (size >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
        line += 3;
    }
    parsed->rows.format = NIGH_ROWS_TEXT;
    parsed->rows.count = count_lines(line, end);
    if (parsed->rows.count == 0) {
        return nighh_fail(errors, NIGH_E_FORMAT, "no lines");
    }
    if (parsed->rows.count > SIZE_MAX / sizeof **lengths) {
        return nighh_fail(errors, NIGH_E_NO_MEMORY, "no memory");
    }
    *lengths = malloc((size_t)parsed->rows.count * sizeof **lengths);
    if (*lengths == NULL) {
        return nighh_fail(errors, NIGH_E_NO_MEMORY, "no memory");
    }
    while (line < end) {
        const uint8_t *stop = memchr(line, '\n', (size_t)(end - line));
        const uint8_t *next = stop != NULL ? stop + 1 : end;
        uint64_t length = (uint64_t)((stop != NULL ? stop : end) - line);
        length -= length > 0 && line[length - 1] == '\r' ? 1u : 0u;
        if (length > UINT32_MAX) {
            free(*lengths);
            *lengths = NULL;
            return nighh_fail(errors, NIGH_E_FORMAT, "line %llu is longer than 4 GiB",
                              (unsigned long long)count + 1);
        }
        memmove(to, line, (size_t)length);
        (*lengths)[count++] = (uint32_t)length;
        to += length;
        line = next;
    }
    return NIGH_OK;
}
