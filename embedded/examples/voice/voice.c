/* voice.c - who speaks? utterances that a board hears are compared with those that it knows
 * layer E; uses: board, board_index
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Blobs: image, an index of what nine men said (30 times each, one after another); heard, other
 * utterances of theirs, as data/README.md says. An utterance is 7 to 29 frames of 12 coefficients.
 * It is brought to six frames of bytes, and the nearest known utterance tells the speaker. All of
 * it is integer arithmetic but the printed distance. */
#include <stddef.h>

#include "board.h"
#include "board_index.h"

enum { COEFFICIENTS = 12, FRAMES = 6, EACH = 30, EF = 24 };

BOARD_BLOB(image);
BOARD_BLOB(heard);

/* Smallest and largest of each coefficient in the known utterances, in units of 0.0001. */
static const int16_t least[COEFFICIENTS] = {-7838, -18528, -7459, -9575, -6916, -8356,
                                            -6166, -5713,  -6232, -5038, -4267, -3370};
static const int16_t most[COEFFICIENTS] = {22031, 6555, 11705, 5803, 9147, 2804,
                                           4241,  5223, 3931,  2778, 2406, 4173};

static board_index near;

static int32_t coefficient(const uint8_t *frames, uint32_t frame, uint32_t at) {
    const uint8_t *bytes = frames + 2 * (frame * COEFFICIENTS + at);
    return (int16_t)(uint16_t)(bytes[0] | bytes[1] << 8);
}

/* Six frames at even distances, between two of those that are there. */
static void bring_to_size(const uint8_t *frames, uint32_t count, uint8_t *row) {
    for (uint32_t i = 0; i < FRAMES; i++) {
        const uint32_t place = i * (count - 1);
        const uint32_t before = place / (FRAMES - 1);
        const int32_t later = (int32_t)(place % (FRAMES - 1));
        const uint32_t after = later != 0 ? before + 1 : before;
        for (uint32_t j = 0; j < COEFFICIENTS; j++) {
            const int32_t span = (most[j] - least[j]) * (FRAMES - 1);
            int32_t value = coefficient(frames, before, j) * (FRAMES - 1 - later) +
                            coefficient(frames, after, j) * later - least[j] * (FRAMES - 1);
            value = value < 0 ? 0 : value > span ? span : value;
            *row++ = (uint8_t)(value * 255 / span);
        }
    }
}

int main(void) {
    const nigh_search_options how = {.struct_size = sizeof how, .ef = EF};
    uint8_t row[FRAMES * COEFFICIENTS];
    uint32_t right = 0, count = 0;
    board_attach(&near, image, BOARD_BLOB_BYTES(image), EF, EF, 0);
    for (const uint8_t *at = heard; at < heard_end; count++) {
        const uint32_t speaker = at[0], frames = at[1];
        uint32_t slot = 0, found = 0;
        float distance = 0;
        bring_to_size(at + 2, frames, row);
        board_mark_begin();
        const nigh_status status = nigh_search(near.index, near.session, row, &how, 1, NULL, NULL,
                                               &distance, &slot, &found);
        board_mark_end();
        board_check(status, "nigh_search");
        right += slot / EACH + 1 == speaker;
        board_decimal(count);
        board_text("\t");
        board_decimal(slot / EACH + 1);
        board_text("\t");
        board_decimal(slot);
        board_text("\t");
        board_float(distance);
        board_text("\n");
        at += 2 + 2 * COEFFICIENTS * frames;
    }
    board_line("utterances", count);
    board_line("right", right);
    board_line("image", BOARD_BLOB_BYTES(image));
    board_report(&near);
    return 0;
}
