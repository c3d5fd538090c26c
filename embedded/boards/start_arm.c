/* start_arm.c - vectors and reset of Cortex-M processors
 * layer E; uses: board_own
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "board_own.h"

extern uint32_t board_stack_top[];
void board_reset(void);

typedef void (*board_vector)(void);

__attribute__((section(".vectors"), used)) static const board_vector board_vectors[16] = {
    (board_vector)board_stack_top,
    board_reset,
    board_fault, /* NMI */
    board_fault, /* hard fault */
    board_fault, board_fault, board_fault, board_fault,
    0,           0,           0,
    board_fault, /* SVC */
    board_fault, 0, board_fault, board_fault,
};

__attribute__((noreturn)) void board_reset(void) {
#ifdef __ARM_FP
    *(volatile uint32_t *)0xe000ed88u |= 0xfu << 20; /* CPACR: coprocessors 10 and 11, also MVE */
    __asm__ volatile("dsb\n isb" ::: "memory");
#endif
    board_start();
}
