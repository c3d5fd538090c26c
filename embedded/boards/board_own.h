/* board_own.h - what the parts of a board's support have for each other
 * layer E; uses: nothing
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGH_BOARD_OWN_H
#define NIGH_BOARD_OWN_H
#include <stdint.h>

/* Shows text that ends with 0. */
void board_write(const char *text);
/* Variables, stack and the program; called at reset, on the stack. */
__attribute__((noreturn)) void board_start(void);
/* The processor met what it cannot do. */
__attribute__((noreturn)) void board_fault(void);
int main(void);
#endif
