/* test_hosted_lines.c - text files of keys against a slow reader
 * layer T; uses: folder.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "folder.h"

#define MARK "\xef\xbb\xbf"

static char message[256];

/* Checks the parser with an exact copy against a byte-by-byte reading. */
static void check(const char *text, size_t size) {
    nighh_errors errors = nighh_errors_begin(message, sizeof message, "keys.txt");
    nighh_parsed parsed = {.offset = 0};
    uint8_t *copy = malloc(size > 0 ? size : 1);
    uint32_t *lengths = NULL;
    size_t at = size >= 3 && memcmp(text, MARK, 3) == 0 ? 3 : 0;
    size_t to = 0;
    uint64_t line = 0;
    nigh_status status = NIGH_OK;
    t_assert(copy != NULL);
    memcpy(copy, text, size);
    status = nighh_parse_lines(copy, size, &lengths, &parsed, &errors);
    t_is(status, at < size ? NIGH_OK : NIGH_E_FORMAT);
    while (at < size) {
        size_t start = at;
        size_t length = 0;
        while (at < size && text[at] != '\n') {
            at++;
        }
        length = at - start;
        length -= length > 0 && text[at - 1] == '\r';
        t_assert(line < parsed.rows.count);
        t_eq(lengths[line], length);
        t_bytes(copy + to, text + start, length);
        to += length;
        line++;
        at++;
    }
    t_eq(parsed.rows.count, line);
    free(lengths);
    free(copy);
}

static void check_text(const char *text) { check(text, strlen(text)); }

TEST(line_ends) {
    check_text("a\nbb\nccc\n");
    check_text("a\nbb\nccc");
    check_text("a\r\nbb\r\nccc\r\n");
    check_text("a\r\nbb\nccc\r");
    check_text("\n");
    check_text("\r\n");
    check_text("\n\n\na\n\n");
    check_text("a\rb\r\r\n");
    check_text(MARK "a\nb\n");
    check_text(MARK);
    check_text(MARK "\n" MARK "\n");
    check_text("\xef\xbb");
    check_text("");
    check("a\0b\n\0\n", 6);
}

TEST(all_short_texts) {
    static const char letters[] = {'a', '\n', '\r', '\0'};
    for (unsigned length = 0; length <= 7; length++) {
        for (unsigned code = 0; code < 1u << 2 * length; code++) {
            char text[8];
            for (unsigned i = 0; i < length; i++) {
                text[i] = letters[code >> 2 * i & 3];
            }
            check(text, length);
        }
    }
}

TEST(a_file_of_keys) {
    nigh_rows rows = {.struct_size = sizeof rows};
    const void *base = NULL;
    const uint32_t *lengths = NULL;
    folder_new();
    file_put(in_folder("a.txt"), "first\r\n\r\nthird", 14);
    t_ok(nigh_rows_open(in_folder("a.txt"), 0, 0, NIGH_FILE_SEQUENTIAL, &rows, &base, &lengths,
                        message, sizeof message));
    t_eq(rows.format, NIGH_ROWS_TEXT);
    t_eq(rows.count, 3);
    t_eq(rows.dim + rows.stride + rows.dtype, 0);
    t_eq(lengths[0], 5);
    t_eq(lengths[1], 0);
    t_eq(lengths[2], 5);
    t_bytes(base, "firstthird", 10);
    t_assert(file_is(in_folder("a.txt"), "first\r\n\r\nthird", 14));
    t_ok(nigh_close(base));
    t_ok(nigh_rows_open(in_folder("a.txt"), NIGH_ROWS_TEXT, 0, 0, &rows, &base, NULL, NULL, 0));
    t_ok(nigh_close(base));
    file_put(in_folder("mark.keys"), MARK, 3);
    t_is(nigh_rows_open(in_folder("mark.keys"), 0, 0, 0, &rows, &base, NULL, message,
                        sizeof message),
         NIGH_E_FORMAT);
    t_assert(strstr(message, "mark.keys: no lines") != NULL);
    folder_drop();
}

TEST(a_page_to_the_last_byte) {
    nigh_rows rows = {.struct_size = sizeof rows};
    const void *base = NULL;
    const uint32_t *lengths = NULL;
    static char text[8192];
    folder_new();
    memset(text, 'k', sizeof text); /* no line end, and no byte mapped behind it */
    file_put(in_folder("a.keys"), text, sizeof text);
    t_ok(nigh_rows_open(in_folder("a.keys"), 0, 0, 0, &rows, &base, &lengths, NULL, 0));
    t_eq(rows.count, 1);
    t_eq(lengths[0], sizeof text);
    t_ok(nigh_close(base));
    folder_drop();
}

SUITE {
    RUN(line_ends);
    RUN(all_short_texts);
    RUN(a_file_of_keys);
    RUN(a_page_to_the_last_byte);
}
