/* nor_chip.c - a simulated SPI NOR flash chip: commands, wear, failures, power cuts
 * layer T; uses: nor_chip
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "nor_chip.h"

#include <stddef.h>
#include <string.h>

enum { PAGE = 256, SECTOR = 4096, BROKEN = -1 };

static uint32_t chance(nor_chip *chip) {
    chip->seed = chip->seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(chip->seed >> 33);
}

void nor_chip_cut(nor_chip *chip, uint32_t change) {
    chip->cut_at = chip->programs + chip->erases + change;
}

void nor_chip_fail(nor_chip *chip, uint32_t call) { chip->fail_at = chip->transactions + call; }

uint32_t nor_chip_power(nor_chip *chip) {
    const uint32_t was = chip->off;
    chip->off = 0;
    chip->cut_at = 0;
    chip->enabled = 0;
    chip->polls_left = 0;
    return was;
}

/* Whether the power goes now: then `done` of `count` bytes are changed, and the next ones are
 * somewhere between. */
static uint32_t cut(nor_chip *chip, uint32_t count, uint32_t *done) {
    *done = count;
    if (chip->cut_at == 0 || chip->programs + chip->erases != chip->cut_at) {
        return 0;
    }
    chip->off = 1;
    const uint32_t how = chance(chip) % 4; /* nothing, all, a part */
    *done = how == 0 ? 0 : how == 1 ? count : chance(chip) % (count + 1);
    return 1;
}

static void program(nor_chip *chip, uint32_t offset, const uint8_t *bytes, uint32_t count) {
    const uint32_t page = offset & ~(uint32_t)(PAGE - 1);
    uint32_t done = 0;
    chip->programs++;
    const uint32_t torn = cut(chip, count, &done);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *cell = &chip->cells[page + (offset + i) % PAGE];
        const uint8_t later = torn && i < done + 16 ? (uint8_t)(bytes[i] | chance(chip)) : 0xff;
        chip->lost += (bytes[i] & ~*cell & 0xff) != 0;
        *cell &= i < done ? bytes[i] : later;
    }
}

static void erase(nor_chip *chip, uint32_t offset) {
    uint8_t *sector = chip->cells + (offset & ~(uint32_t)(SECTOR - 1));
    uint32_t done = 0;
    chip->erases++;
    chip->wear[offset / SECTOR]++;
    const uint32_t torn = cut(chip, SECTOR, &done);
    memset(sector, 0xff, done);
    for (uint32_t i = done; torn && i < SECTOR; i++) {
        sector[i] |= (uint8_t)(chance(chip) & chance(chip));
    }
}

static int32_t change(nor_chip *chip, const uint8_t *head, uint32_t offset, const uint8_t *out,
                      uint32_t out_count) {
    if (chip->enabled == 0 || chip->wear == NULL || offset >= chip->bytes) {
        return 0; /* a chip ignores it */
    }
    chip->enabled = 0;
    chip->polls_left = chip->busy;
    if (head[0] == 0x02) {
        program(chip, offset, out, out_count);
    } else {
        erase(chip, offset);
    }
    return chip->off ? BROKEN : 0;
}

static uint8_t log2_of(uint32_t bytes) {
    uint8_t bits = 0;
    while (bits < 31 && 1u << bits < bytes) {
        bits++;
    }
    return bits;
}

static void status_or_id(nor_chip *chip, uint8_t command, uint8_t *in, uint32_t in_count) {
    const uint8_t id[3] = {0xef, 0x40, log2_of(chip->bytes)};
    if (command == 0x9f) {
        memcpy(in, id, in_count < 3 ? in_count : 3);
    } else if (in_count > 0) {
        in[0] = (uint8_t)((chip->polls_left > 0) | chip->enabled << 1);
        chip->polls_left -= chip->polls_left > 0;
    }
}

int32_t nor_chip_transfer(void *user, const uint8_t *head, uint32_t head_count, const uint8_t *out,
                          uint32_t out_count, uint8_t *in, uint32_t in_count) {
    nor_chip *chip = user;
    chip->transactions++;
    chip->moved += (uint64_t)head_count + out_count + in_count;
    if (chip->off || chip->transactions == chip->fail_at) {
        return BROKEN;
    }
    const uint32_t offset =
        head_count < 4 ? 0 : (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 | head[3];
    if (head[0] != 0x05 && chip->polls_left > 0) {
        return 0; /* busy: anything else is ignored */
    }
    switch (head[0]) {
    case 0x05:
    case 0x9f:
        status_or_id(chip, head[0], in, in_count);
        return 0;
    case 0x03:
        for (uint32_t i = 0; i < in_count; i++) {
            in[i] = offset + i < chip->bytes ? chip->cells[offset + i] : 0xff;
        }
        return 0;
    case 0x06:
        chip->enabled = chip->wear != NULL;
        return 0;
    case 0x02:
    case 0x20:
        return change(chip, head, offset, out, out_count);
    default:
        return 0;
    }
}
