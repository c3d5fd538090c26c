/* setjmp.h - for tests/t.h where there is none: the first test that fails ends the program
 * layer T; uses: nothing
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGH_TEST_SETJMP_H
#define NIGH_TEST_SETJMP_H
#include <stdlib.h>
typedef int jmp_buf[1];
#define setjmp(buffer) ((void)(buffer), 0)
#define longjmp(buffer, value) ((void)(buffer), exit(value))
#endif
