/* stub_printf.h - %u and %s, for what prints with more
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGH_TEST_STUB_PRINTF_H
#define NIGH_TEST_STUB_PRINTF_H
#include <stdarg.h>

#include "board.h"

__attribute__((format(printf, 1, 2))) static inline void stub_printf(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    for (; *format != 0; format++) {
        const char letter[2] = {*format, 0};
        if (*format != '%') {
            board_text(letter);
        } else if (*++format == 'u') {
            board_decimal(va_arg(arguments, unsigned int));
        } else {
            board_text(va_arg(arguments, const char *));
        }
    }
    va_end(arguments);
}
#endif
