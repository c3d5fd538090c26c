/* board_index.c - an image searched in place, its memories taken from the board's RAM
 * layer E; uses: board_index
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "board_index.h"

#include <stddef.h>

void board_check(nigh_status status, const char *what) {
    if (status != NIGH_OK) {
        board_text("FAILED ");
        board_text(what);
        board_text(": ");
        board_text(nigh_status_text(status));
        board_line(", status -", (uint64_t)-(int64_t)status);
        board_exit(1);
    }
}

void board_attach(board_index *b, const void *image, uint64_t bytes, uint32_t ef_max,
                  uint32_t frontier_max, uint32_t session_flags) {
    void *flash = (void *)(uintptr_t)image; /* a handle that is not writable never stores to it */
    board_check(nigh_attach_bytes(flash, bytes, NULL, &b->handle_bytes), "nigh_attach_bytes");
    board_check(nigh_attach(flash, bytes, NULL, board_memory(b->handle_bytes), b->handle_bytes,
                            &b->index),
                "nigh_attach");
    board_session(b, ef_max, frontier_max, session_flags | NIGH_SESSION_READ);
}

void board_session(board_index *b, uint32_t ef_max, uint32_t frontier_max, uint32_t flags) {
    const nigh_session_options options = {.struct_size = sizeof options,
                                          .ef_max = ef_max,
                                          .frontier_max = frontier_max,
                                          .flags = flags};
    b->config.struct_size = sizeof b->config;
    board_check(nigh_config_get(b->index, &b->config), "nigh_config_get");
    board_check(nigh_row_bytes(b->config.dim, b->config.dtype, &b->row_bytes), "nigh_row_bytes");
    board_check(nigh_session_bytes(b->index, &options, &b->session_bytes), "nigh_session_bytes");
    board_check(nigh_session_init(b->index, &options, board_memory(b->session_bytes),
                                  b->session_bytes, &b->session),
                "nigh_session_init");
}

static void board_key(const nigh_config *config, const void *keys, const uint32_t *lengths,
                      uint32_t at) {
    if (config->keys != NIGH_KEYS_BYTES) {
        board_decimal(((const uint64_t *)keys)[at]);
        return;
    }
    const char *text = (const char *)keys;
    for (uint32_t i = 0; i < at; i++) {
        text += lengths[i];
    }
    for (uint32_t i = 0; i < lengths[at]; i++) {
        const char letter[2] = {text[i], 0};
        board_text(letter);
    }
}

void board_hits(uint32_t query, const nigh_config *config, uint32_t found, const void *keys,
                const uint32_t *key_lengths, const float *distances, const uint32_t *slots) {
    for (uint32_t i = 0; i < found; i++) {
        board_decimal(query);
        board_text("\t");
        board_decimal(i);
        board_text("\t");
        board_key(config, keys, key_lengths, i);
        board_text("\t");
        board_float(distances[i]);
        board_text("\t");
        board_decimal(slots[i]);
        board_text("\n");
    }
}

void board_report(const board_index *b) {
    board_line("ram handle", b->handle_bytes);
    board_line("ram session", b->session_bytes);
    board_line("ram used", board_memory_used());
}
