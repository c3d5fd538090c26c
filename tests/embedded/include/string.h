/* string.h - what board_bytes.c has of it
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGH_TEST_STRING_H
#define NIGH_TEST_STRING_H
#include <stddef.h>
void *memcpy(void *to, const void *from, size_t count);
void *memmove(void *to, const void *from, size_t count);
void *memset(void *to, int byte, size_t count);
int memcmp(const void *a, const void *b, size_t count);
#endif
