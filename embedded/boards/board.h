/* board.h - what a program on a bare board has instead of a C library: text out, memory, marks
 * layer E; uses: nothing
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A program defines main; what it returns is the exit status of the emulator. Text goes to a
 * debugger by semihosting, which both emulators and probes understand; board_host.c is the same for
 * a machine with an operating system, so that every program here can also be run on a PC. */
#ifndef NIGH_BOARD_H
#define NIGH_BOARD_H
#include <stdint.h>

/* Text, shown at the latest when a line ends. */
void board_text(const char *text);
void board_decimal(uint64_t number);
void board_hex(uint32_t bits);  /* 8 digits */
void board_float(float number); /* its bits, so */
/* "name value", a line. */
void board_line(const char *name, uint64_t value);

/* Memory for as long as the program runs, 64-byte aligned and zeroed, from what RAM is left beside
 * variables and stack. Ends the program when there is none. */
void *board_memory(uint64_t bytes);
/* Gives all back that was handed out since board_memory gave `to` (of 0 bytes, say). */
void board_memory_back(void *to);
/* Variables and memory handed out so far; 0 where that is nobody's business. */
uint64_t board_memory_used(void);
/* Stack that was ever in use, main's included, or since the last board_stack_again. */
uint64_t board_stack_used(void);
void board_stack_again(void);

/* What runs between the two is what embedded/count measures. */
void board_mark_begin(void);
void board_mark_end(void);

/* Ends the program. */
__attribute__((noreturn)) void board_exit(int status);
/* A file that the build put into flash, 64-byte aligned: BOARD_BLOB(image) declares image and
 * image_end. */
#define BOARD_BLOB(name) extern const uint8_t name[], name##_end[]
#define BOARD_BLOB_BYTES(name) ((uint64_t)(name##_end - name))
#endif
