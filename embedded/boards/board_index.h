/* board_index.h - an image searched in place, its memories taken from the board's RAM
 * layer E; uses: board, nigh
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGH_BOARD_INDEX_H
#define NIGH_BOARD_INDEX_H
#include "board.h"
#include "nigh.h"

typedef struct board_index {
    nigh_index *index;
    nigh_session *session;
    nigh_config config;
    uint64_t row_bytes;
    uint64_t handle_bytes;
    uint64_t session_bytes;
} board_index;

/* A failure ends the program and says what it was. */
void board_check(nigh_status status, const char *what);
/* Attaches an image where it lies, read-only, for one session that searches with ef and k of at
 * most ef_max. What is remembered for filters and cursors is left small: frontier_max. */
void board_attach(board_index *b, const void *image, uint64_t bytes, uint32_t ef_max,
                  uint32_t frontier_max, uint32_t session_flags);
/* The same when there is a handle already: config, row_bytes and session of b->index. */
void board_session(board_index *b, uint32_t ef_max, uint32_t frontier_max, uint32_t flags);
/* One line a hit: query, rank, key, bits of the distance, slot, with tabs between. */
void board_hits(uint32_t query, const nigh_config *config, uint32_t found, const void *keys,
                const uint32_t *key_lengths, const float *distances, const uint32_t *slots);
/* What memory it all took: lines that begin with "ram". */
void board_report(const board_index *b);
#endif
