/* ffi_steps.h - the scenario of test_ffi, by whatever calls the functions
 * layer T; uses: ffi_calls
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGH_TEST_FFI_STEPS_H
#define NIGH_TEST_FFI_STEPS_H
#include <stdint.h>

#include "ffi_calls.h"
#include "nigh.h"

enum { STEPS_MEMORIES = 128, STEPS_PARTS = 8, STEPS_REGIONS = 8, STEPS_BLOCKS = 16 };
enum { STEPS_PAGE = 1024, STEPS_PAGES = 300 };

/* A run: who calls, what it saw (statuses, keys, distance bits, images), its memory. */
typedef struct steps {
    const caller *by;
    uint8_t *log;
    uint64_t logged;
    uint64_t part_ends[STEPS_PARTS];
    void *memories[STEPS_MEMORIES];
    unsigned memory_count;
    uint32_t fetched; /* vectors asked of the callback */
    uint32_t hinted;
    uint32_t dirtied;
    void *blocks[STEPS_REGIONS][STEPS_BLOCKS]; /* that the pager has given out */
    uint64_t clock;
    uint8_t *device; /* STEPS_PAGES pages */
    uint32_t syncs;
    uint8_t *image; /* what nigh_save wrote */
    uint64_t image_bytes;
} steps;

/* All of it, from an empty index to a sealed image; fails the test when a call does. */
void steps_run(steps *run, const caller *by);
/* The log of each part into folder/<part>.log, for other languages that do the same. */
void steps_write(const steps *run, const char *folder);
void steps_drop(steps *run);
#endif
