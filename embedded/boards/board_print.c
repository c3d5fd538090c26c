/* board_print.c - lines of text, numbers in them, and the marks of embedded/count
 * layer E; uses: board, board_own
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "board.h"
#include "board_own.h"

static char board_line_text[160];
static uint32_t board_line_fill;

static void board_flush(void) {
    board_line_text[board_line_fill] = 0;
    board_line_fill = 0;
    board_write(board_line_text);
}

void board_text(const char *text) {
    for (; *text != 0; text++) {
        board_line_text[board_line_fill++] = *text;
        if (*text == '\n' || board_line_fill + 1 == sizeof board_line_text) {
            board_flush();
        }
    }
}

void board_decimal(uint64_t number) {
    char digits[21];
    uint32_t at = sizeof digits - 1;
    digits[at] = 0;
    while (number > UINT32_MAX) { /* the library for whole words alone is three times as large */
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    }
    uint32_t low = (uint32_t)number;
    do {
        digits[--at] = (char)('0' + low % 10);
        low /= 10;
    } while (low != 0);
    board_text(digits + at);
}

void board_hex(uint32_t bits) {
    char digits[9];
    for (uint32_t i = 0; i < 8; i++) {
        digits[i] = "0123456789abcdef"[bits >> (28 - 4 * i) & 15];
    }
    digits[8] = 0;
    board_text(digits);
}

void board_float(float number) {
    const union {
        float number;
        uint32_t bits;
    } same = {number};
    board_hex(same.bits);
}

void board_line(const char *name, uint64_t value) {
    board_text(name);
    board_text(" ");
    board_decimal(value);
    board_text("\n");
}

/* An empty function without a side effect is not called at all. */
__attribute__((noinline)) void board_mark_begin(void) { __asm__ volatile("" ::: "memory"); }
__attribute__((noinline)) void board_mark_end(void) { __asm__ volatile("" ::: "memory"); }
