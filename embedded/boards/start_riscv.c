/* start_riscv.c - reset of RISC-V processors, in machine mode
 * layer E; uses: board_own
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "board_own.h"

#ifdef __riscv_flen
#define BOARD_FLOATS "li t0, 0x2000\n csrs mstatus, t0\n csrwi fcsr, 0\n" /* mstatus.FS = initial */
#else
#define BOARD_FLOATS
#endif

__asm__(".section .vectors, \"ax\"\n"
        ".option arch, +zicsr\n"
        ".globl board_reset\n"
        "board_reset:\n"
        "la sp, board_stack_top\n"
        "la t0, board_fault\n"
        "csrw mtvec, t0\n" BOARD_FLOATS "j board_start\n");
