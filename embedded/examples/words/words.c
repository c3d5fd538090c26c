/* words.c - words near a word: an index made on a PC, searched where it lies in flash
 * layer E; uses: board, board_index
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Blob: image, with words as keys. Answers are those of `nigh near`, to the bit. */
#include <stddef.h>

#include "board.h"
#include "board_index.h"

enum { K = 5, EF = 64 };

BOARD_BLOB(image);

static const char *const words[] = {"king", "water", "green", "seven", "computer", "music"};

static board_index near;
static float distances[K + 1];
static uint32_t slots[K + 1], lengths[K + 1];

/* 0.231767 of 0.2317670584, without a C library. */
static void print_distance(float distance) {
    const uint32_t millionths = (uint32_t)(distance * 1000000.0f + 0.5f);
    uint32_t unit = 100000;
    board_decimal(millionths / 1000000);
    board_text(".");
    for (uint32_t rest = millionths % 1000000; unit > 0; rest %= unit, unit /= 10) {
        board_decimal(rest / unit);
    }
}

static uint32_t length_of(const char *text) {
    uint32_t length = 0;
    while (text[length] != 0) {
        length++;
    }
    return length;
}

/* The word's own vector is the query, so the word itself is its nearest neighbour: left out. */
static void print_near(const char *word, void *row, char *keys) {
    const nigh_search_options how = {.struct_size = sizeof how, .ef = EF};
    const uint32_t length = length_of(word);
    uint32_t slot = 0, found = 0, done = 0;
    const char *key = keys;
    board_check(nigh_get(near.index, near.session, word, &length, 1, row, &slot, &done), word);
    board_mark_begin();
    const nigh_status status = nigh_search(near.index, near.session, row, &how, K + 1, keys,
                                           lengths, distances, slots, &found);
    board_mark_end();
    board_check(status, "nigh_search");
    board_text("near ");
    board_text(word);
    board_text("\n");
    for (uint32_t i = 0, shown = 0; i < found && shown < K; key += lengths[i++]) {
        if (slots[i] == slot) {
            continue;
        }
        for (uint32_t j = 0; j < lengths[i]; j++) {
            const char letter[2] = {key[j], 0};
            board_text(letter);
        }
        board_text("\t");
        print_distance(distances[i]);
        board_text("\t");
        board_float(distances[i]);
        board_text("\n");
        shown++;
    }
}

int main(void) {
    board_attach(&near, image, BOARD_BLOB_BYTES(image), EF, EF, 0);
    void *row = board_memory(near.row_bytes);
    char *keys = board_memory((K + 1) * (uint64_t)near.config.key_bytes_max);
    for (uint32_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        print_near(words[i], row, keys);
    }
    board_line("image", BOARD_BLOB_BYTES(image));
    board_report(&near);
    return 0;
}
