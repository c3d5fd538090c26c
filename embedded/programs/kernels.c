/* kernels.c - on a board: the kernels of the processor give what the scalar ones give
 * layer T; uses: board, kernel
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Every length up to some lines, extremes and random bytes, at every alignment. */
#include "board.h"
#include "kernel.h"

enum { LENGTH = 200, ROOM = 256, ROUNDS = 6, CODES = 4 };

static uint8_t query[ROOM] __attribute__((aligned(64)));
static uint8_t rows[CODES][ROOM] __attribute__((aligned(64)));
static uint32_t state = 1;

static uint32_t next(void) {
    state = state * 1664525u + 1013904223u;
    return state >> 8;
}

/* Round 0: all ones by zeros, 1: the other way round. */
static void fill(uint32_t round) {
    for (uint32_t i = 0; i < ROOM; i++) {
        query[i] = (uint8_t)(round == 0 ? 255 : round == 1 ? 0 : next());
        for (uint32_t j = 0; j < CODES; j++) {
            rows[j][i] = (uint8_t)(round == 0 ? 0 : round == 1 ? 255 : next());
        }
    }
}

/* u7 as codes have them; of a dot product one side is signed. */
static void fill_codes(uint32_t round, uint32_t op) {
    fill(round);
    for (uint32_t i = 0; i < ROOM; i++) {
        query[i] = op == NIGHI_CODE_DOT ? (uint8_t)(query[i] % 127 - 63) : query[i] % 128;
        for (uint32_t j = 0; j < CODES; j++) {
            rows[j][i] %= 128;
        }
    }
}

static uint32_t bytes_differ(const nighi_kernels *a, const nighi_kernels *b, uint32_t n) {
    uint32_t bad = 0;
    for (uint32_t at = 0; at < 4; at++) {
        for (uint32_t op = 0; op < NIGHI_OP_COUNT; op++) {
            bad += a->u8[op](query + at, rows[0] + at, n) != b->u8[op](query + at, rows[0] + at, n);
        }
        int32_t one[3];
        int32_t two[3];
        a->i8((const int8_t *)query + at, (const int8_t *)rows[1] + at, n, one);
        b->i8((const int8_t *)query + at, (const int8_t *)rows[1] + at, n, two);
        bad += nighi_compare(one, two, sizeof one) != 0;
    }
    return bad;
}

static uint32_t codes_differ(const nighi_kernels *a, const nighi_kernels *b, uint32_t n,
                             uint32_t op) {
    const uint8_t *const codes[CODES] = {rows[0], rows[1], rows[2], rows[3]};
    uint32_t one[CODES];
    uint32_t two[CODES];
    a->codes[op](query, 7, codes, CODES, n, one);
    b->codes[op](query, 7, codes, CODES, n, two);
    return nighi_compare(one, two, sizeof one) != 0;
}

int main(void) {
    static nighi_kernels scalar;
    static nighi_kernels own;
    uint32_t bad = 0;
    nighi_kernels_pick(&scalar, NIGH_CPU_SCALAR);
    nighi_kernels_pick(&own, NIGH_CPU_SCALAR | NIGH_CPU_DSP | NIGH_CPU_MVE);
    bad += scalar.u8[NIGHI_OP_L2] == own.u8[NIGHI_OP_L2]; /* nothing to compare */
    for (uint32_t n = 1; n <= LENGTH; n++) {
        for (uint32_t round = 0; round < ROUNDS; round++) {
            fill(round);
            bad += bytes_differ(&scalar, &own, n);
            for (uint32_t op = 0; n % 16 == 0 && op < NIGHI_CODE_COUNT; op++) {
                fill_codes(round, op);
                bad += codes_differ(&scalar, &own, n, op);
            }
        }
    }
    board_line("differ", bad);
    return bad != 0;
}
