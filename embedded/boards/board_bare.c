/* board_bare.c - a bare board: variables, a painted stack, memory, semihosting
 * layer E; uses: board, board_own
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <stddef.h>

#include "board.h"
#include "board_own.h"

/* From sections.ld. */
extern uint32_t board_data_start[], board_data_end[], board_bss_start[], board_bss_end[];
extern const uint32_t board_data_load[];
extern uint8_t board_heap_start[], board_ram_start[];
extern uint32_t board_stack_bottom[], board_stack_top[];

enum { PAINT = 0x5ca1ab1e, SYS_WRITE0 = 0x04, SYS_EXIT_EXTENDED = 0x20 };
enum { STOPPED_BY_APPLICATION = 0x20026 }; /* ADP_Stopped_ApplicationExit */

static uint8_t *board_heap_at;

/* Asks the debugger, or the emulator. */
static uintptr_t board_call(uintptr_t operation, const void *argument) {
#ifdef __riscv
    register uintptr_t a0 __asm__("a0") = operation;
    register const void *a1 __asm__("a1") = argument;
    __asm__ volatile(".balign 16\n"
                     ".option push\n"
                     ".option norvc\n"
                     "slli x0, x0, 0x1f\n" /* these three, uncompressed and on one page */
                     "ebreak\n"
                     "srai x0, x0, 7\n"
                     ".option pop"
                     : "+r"(a0)
                     : "r"(a1)
                     : "memory");
    return a0;
#else
    register uintptr_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
#endif
}

void board_write(const char *text) { (void)board_call(SYS_WRITE0, text); }

void board_exit(int status) {
    const uintptr_t block[2] = {STOPPED_BY_APPLICATION, (uintptr_t)status};
    board_text("");
    for (;;) {
        (void)board_call(SYS_EXIT_EXTENDED, block);
    }
}

void board_fault(void) {
    board_write("\nFAILED: the processor faulted\n");
    board_exit(3);
}

static void board_copy_words(uint32_t *to, const uint32_t *end, const uint32_t *from) {
    while (to < end) {
        *to++ = *from++;
    }
}

__attribute__((noinline)) void board_stack_again(void) {
    /* What lies below this function's own frame. */
    uint32_t *end = (uint32_t *)__builtin_frame_address(0) - 16;
    for (uint32_t *at = board_stack_bottom; at < end; at++) {
        *(volatile uint32_t *)at = PAINT;
    }
}

void board_start(void) {
    board_copy_words(board_data_start, board_data_end, board_data_load);
    for (uint32_t *at = board_bss_start; at < board_bss_end; at++) {
        *at = 0;
    }
    board_stack_again();
    board_heap_at = board_heap_start;
    int status = main();
    if (*board_stack_bottom != PAINT) {
        board_write("\nFAILED: the stack has overflowed\n");
        status = 4;
    }
    board_exit(status);
}

void *board_memory(uint64_t bytes) {
    const uintptr_t begin = ((uintptr_t)board_heap_at + 63) & ~(uintptr_t)63;
    const uintptr_t end = (uintptr_t)board_stack_bottom;
    if (begin > end || bytes > end - begin) {
        board_line("FAILED: no memory left for bytes", bytes);
        board_line("in use", board_memory_used());
        board_exit(5);
    }
    board_heap_at = (uint8_t *)begin + (size_t)bytes;
    for (uint8_t *at = (uint8_t *)begin; at < board_heap_at; at++) {
        *at = 0;
    }
    return (void *)begin;
}

void board_memory_back(void *to) { board_heap_at = to; }

uint64_t board_memory_used(void) { return (uint64_t)(board_heap_at - board_ram_start); }

uint64_t board_stack_used(void) {
    const uint32_t *at = board_stack_bottom;
    while (at < board_stack_top && *(const volatile uint32_t *)at == PAINT) {
        at++;
    }
    return 4 * (uint64_t)(board_stack_top - at);
}
