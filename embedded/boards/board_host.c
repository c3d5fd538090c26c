/* board_host.c - the same for a machine with an operating system
 * layer E; uses: board, board_own
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "board.h"
#include "board_own.h"

enum { BLOCKS_MAX = 1024 };
static uint64_t board_handed_out;
static void *board_blocks[BLOCKS_MAX];
static uint32_t board_block_count;

void board_write(const char *text) { fputs(text, stdout); }

void board_exit(int status) { exit(status); }

void *board_memory(uint64_t bytes) {
    const size_t whole = ((size_t)bytes + 63) & ~(size_t)63;
    void *memory = aligned_alloc(64, whole != 0 ? whole : 64);
    if (memory == NULL || board_block_count == BLOCKS_MAX) {
        board_text("FAILED: no memory\n");
        board_exit(5);
    }
    memset(memory, 0, whole);
    board_handed_out += whole;
    board_blocks[board_block_count++] = memory;
    return memory;
}

void board_memory_back(void *to) {
    while (board_block_count > 0 && board_blocks[board_block_count - 1] != to) {
        free(board_blocks[--board_block_count]);
    }
}

uint64_t board_memory_used(void) { return board_handed_out; }

uint64_t board_stack_used(void) { return 0; }

void board_stack_again(void) {}
