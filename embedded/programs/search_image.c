/* search_image.c - answers of an image that lies in flash, a line each, for a PC to compare
 * layer T; uses: board, board_index
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Blobs: image, queries (rows of floats, or of the index's own type with QUERY_ROWS). */
#include <stddef.h>

#include "board.h"
#include "board_index.h"

#ifndef EF
#define EF 64
#endif
#ifndef K
#define K 10
#endif
#ifndef SESSION_FLAGS
#define SESSION_FLAGS 0
#endif
#ifndef FRONTIER
#define FRONTIER EF
#endif

BOARD_BLOB(image);
BOARD_BLOB(queries);

static board_index near;
static float distances[K];
static uint32_t slots[K], lengths[K];

/* Query number `at`, as the index wants it. */
static const void *query_row(uint64_t at, void *row) {
#ifdef QUERY_ROWS
    (void)row;
    return queries + at * near.row_bytes;
#else
    const float *floats = (const float *)(const void *)queries + at * near.config.dim;
    if (near.config.dtype == NIGH_DTYPE_F32) {
        return floats;
    }
    board_check(nigh_convert(near.config.dim, near.config.dtype, 1, floats, row, NULL, NULL),
                "nigh_convert");
    return row;
#endif
}

int main(void) {
    const nigh_search_options how = {.struct_size = sizeof how, .ef = EF};
    nigh_session_stats cost = {.struct_size = sizeof cost};
    uint64_t scored = 0;
    uint32_t found = 0;
    board_attach(&near, image, BOARD_BLOB_BYTES(image), EF > K ? EF : K, FRONTIER, SESSION_FLAGS);
    board_line("stack attach", board_stack_used());
    board_stack_again();
#ifdef QUERY_ROWS
    const uint64_t query_bytes = near.row_bytes;
#else
    const uint64_t query_bytes = sizeof(float) * (uint64_t)near.config.dim;
#endif
    const uint32_t count = (uint32_t)BOARD_BLOB_BYTES(queries) / (uint32_t)query_bytes;
    void *row = board_memory(near.row_bytes);
    void *keys = board_memory(near.config.keys == NIGH_KEYS_BYTES
                                  ? K * (uint64_t)near.config.key_bytes_max
                                  : K * sizeof(uint64_t));
    for (uint32_t i = 0; i < count; i++) {
        const void *query = query_row(i, row);
        board_mark_begin();
        const nigh_status status = nigh_search(near.index, near.session, query, &how, K, keys,
                                               lengths, distances, slots, &found);
        board_mark_end();
        board_check(status, "nigh_search");
        board_check(nigh_session_stats_get(near.session, &cost), "nigh_session_stats_get");
        scored += cost.distances;
        board_hits(i, &near.config, found, keys, lengths, distances, slots);
    }
    board_line("image", BOARD_BLOB_BYTES(image));
    board_line("queries", count);
    board_line("distances", scored);
    board_report(&near);
    board_line("stack search", board_stack_used());
    return 0;
}
