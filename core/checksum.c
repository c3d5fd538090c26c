/* checksum.c - 32-bit checksum of blocks
 * layer L3; uses: checksum, num
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "checksum.h"

#define NIGHI_XXH1 2654435761u
#define NIGHI_XXH2 2246822519u
#define NIGHI_XXH3 3266489917u
#define NIGHI_XXH4 668265263u
#define NIGHI_XXH5 374761393u

static uint32_t nighi_rotate(uint32_t value, uint32_t by) {
    return value << by | value >> (32 - by);
}

static uint32_t nighi_xxh_lane(uint32_t lane, const uint8_t *at) {
    return nighi_rotate(lane + nighi_load_u32(at) * NIGHI_XXH2, 13) * NIGHI_XXH1;
}

NIGHI_FN void nighi_xxh_begin(nighi_xxh *hash) {
    *hash = (nighi_xxh){.lanes = {NIGHI_XXH1 + NIGHI_XXH2, NIGHI_XXH2, 0, 0u - NIGHI_XXH1}};
}

/* Whole lines of 16 bytes. */
static void nighi_xxh_lines(nighi_xxh *hash, const uint8_t *at, uint64_t lines) {
    uint32_t a = hash->lanes[0];
    uint32_t b = hash->lanes[1];
    uint32_t c = hash->lanes[2];
    uint32_t d = hash->lanes[3];
    for (; lines > 0; lines--, at += 16) {
        a = nighi_xxh_lane(a, at);
        b = nighi_xxh_lane(b, at + 4);
        c = nighi_xxh_lane(c, at + 8);
        d = nighi_xxh_lane(d, at + 12);
    }
    hash->lanes[0] = a;
    hash->lanes[1] = b;
    hash->lanes[2] = c;
    hash->lanes[3] = d;
}

/* The lines of what begins with one, and what is behind them. */
static void nighi_xxh_rest(nighi_xxh *hash, const uint8_t *at, uint64_t count) {
    nighi_xxh_lines(hash, at, count / 16);
    nighi_copy(hash->rest, at + (count & ~(uint64_t)15), count % 16);
}

NIGHI_FN void nighi_xxh_add(nighi_xxh *hash, const void *bytes, uint64_t count) {
    const uint8_t *at = bytes;
    const uint32_t held = (uint32_t)hash->count % 16;
    hash->count += count;
    if (held != 0) {
        const uint64_t part = nighi_min_u64(count, 16 - held);
        nighi_copy(hash->rest + held, at, part);
        at += part;
        count -= part;
        if (held + part < 16) {
            return;
        }
        nighi_xxh_lines(hash, hash->rest, 1);
    }
    nighi_xxh_rest(hash, at, count);
}

NIGHI_FN uint32_t nighi_xxh_end(const nighi_xxh *hash) {
    const uint32_t *lanes = hash->lanes;
    const uint8_t *at = hash->rest;
    uint32_t left = (uint32_t)hash->count % 16;
    uint32_t sum = NIGHI_XXH5;
    if (hash->count >= 16) {
        sum = nighi_rotate(lanes[0], 1) + nighi_rotate(lanes[1], 7) + nighi_rotate(lanes[2], 12) +
              nighi_rotate(lanes[3], 18);
    }
    sum += (uint32_t)hash->count;
    for (; left >= 4; left -= 4, at += 4) {
        sum = nighi_rotate(sum + nighi_load_u32(at) * NIGHI_XXH3, 17) * NIGHI_XXH4;
    }
    for (; left > 0; left--, at++) {
        sum = nighi_rotate(sum + *at * NIGHI_XXH5, 11) * NIGHI_XXH1;
    }
    sum = (sum ^ sum >> 15) * NIGHI_XXH2;
    sum = (sum ^ sum >> 13) * NIGHI_XXH3;
    return sum ^ sum >> 16;
}

NIGHI_FN uint32_t nighi_checksum(const void *bytes, uint64_t count) {
    nighi_xxh hash;
    nighi_xxh_begin(&hash);
    hash.count = count;
    nighi_xxh_rest(&hash, bytes, count);
    return nighi_xxh_end(&hash);
}
