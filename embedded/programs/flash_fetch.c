/* flash_fetch.c - graph and codes in flash that is mapped, vectors on a chip that is not
 * layer T; uses: board, board_index, nor_chip, spi_nor
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Blobs: image, without vectors; vectors, the rows of all slots; queries, of floats. Prints answers
 * as search_image.c does, and what a query moves over the bus. Then each transaction of a query
 * fails once: the search says so, and the next one answers as ever. */
#include <stddef.h>

#include "board.h"
#include "board_index.h"
#include "nor_chip.h"
#include "spi_nor.h"

#ifndef EF
#define EF 64
#endif
enum { K = 10 };

BOARD_BLOB(image);
BOARD_BLOB(vectors);
BOARD_BLOB(queries);

static board_index near;
static nor_chip chip;
static spi_nor flash;
static float distances[K];
static uint32_t slots[K], lengths[K], found;
static uint8_t *row;
static void *keys;

static nigh_status search(uint32_t query) {
    const nigh_search_options how = {.struct_size = sizeof how, .ef = EF};
    const float *floats = (const float *)(const void *)queries + query * near.config.dim;
    board_check(nigh_convert(near.config.dim, near.config.dtype, 1, floats, row, NULL, NULL),
                "nigh_convert");
    board_mark_begin();
    const nigh_status status = nigh_search(near.index, near.session, row, &how, K, keys, lengths,
                                           distances, slots, &found);
    board_mark_end();
    return status;
}

static void failures(void) {
    uint32_t want[K], call = 1, failed = 1;
    board_check(search(0), "nigh_search");
    for (uint32_t i = 0; i < K; i++) {
        want[i] = slots[i];
    }
    for (; failed != 0; call += failed) {
        nor_chip_fail(&chip, call);
        const nigh_status status = search(0);
        failed = chip.transactions >= chip.fail_at;
        chip.fail_at = 0;
        if (status != (failed ? (nigh_status)SPI_NOR_E_BUS : NIGH_OK)) {
            board_text("FAILED to say that the bus failed\n");
            board_exit(1);
        }
        board_check(search(0), "nigh_search after a failure");
        for (uint32_t i = 0; i < K; i++) {
            if (slots[i] != want[i]) {
                board_text("FAILED: other answers after a failure\n");
                board_exit(1);
            }
        }
    }
    board_line("failures", call - 1);
}

int main(void) {
    nigh_session_stats cost = {.struct_size = sizeof cost};
    spi_nor_rows rows = {.flash = &flash};
    uint64_t fetches = 0;
    chip = (nor_chip){.cells = (uint8_t *)(uintptr_t)vectors, /* no wear: nothing is written */
                      .bytes = (uint32_t)BOARD_BLOB_BYTES(vectors)};
    flash = (spi_nor){.transfer = nor_chip_transfer, .user = &chip};
    board_check(spi_nor_begin(&flash), "spi_nor_begin");
    board_attach(&near, image, BOARD_BLOB_BYTES(image), EF, EF, 0);
    rows.row_bytes = rows.stride = (uint32_t)near.row_bytes;
    board_check(nigh_index_fetch(near.index, spi_nor_fetch, NULL, &rows), "nigh_index_fetch");
    row = board_memory(near.row_bytes);
    keys = board_memory(near.config.keys == NIGH_KEYS_BYTES ? K * near.config.key_bytes_max
                                                            : K * sizeof(uint64_t));
    const uint32_t count =
        (uint32_t)BOARD_BLOB_BYTES(queries) / (uint32_t)(sizeof(float) * near.config.dim);
    chip.transactions = 0;
    chip.moved = 0;
    for (uint32_t i = 0; i < count; i++) {
        board_check(search(i), "nigh_search");
        board_check(nigh_session_stats_get(near.session, &cost), "nigh_session_stats_get");
        fetches += cost.fetches;
        board_hits(i, &near.config, found, keys, lengths, distances, slots);
    }
    board_line("image", BOARD_BLOB_BYTES(image));
    board_line("queries", count);
    board_line("fetches", fetches);
    board_line("transactions", chip.transactions);
    board_line("bus", chip.moved);
    board_report(&near);
    failures();
    board_line("stack used", board_stack_used());
    return 0;
}
