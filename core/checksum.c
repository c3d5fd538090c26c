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

NIGHI_FN uint32_t nighi_checksum(const void *bytes, uint64_t count) {
    const uint8_t *at = bytes;
    uint64_t left = count;
    uint32_t hash = NIGHI_XXH5;
    if (left >= 16) {
        uint32_t a = NIGHI_XXH1 + NIGHI_XXH2;
        uint32_t b = NIGHI_XXH2;
        uint32_t c = 0;
        uint32_t d = 0u - NIGHI_XXH1;
        for (; left >= 16; left -= 16, at += 16) {
            a = nighi_xxh_lane(a, at);
            b = nighi_xxh_lane(b, at + 4);
            c = nighi_xxh_lane(c, at + 8);
            d = nighi_xxh_lane(d, at + 12);
        }
        hash = nighi_rotate(a, 1) + nighi_rotate(b, 7) + nighi_rotate(c, 12) + nighi_rotate(d, 18);
    }
    hash += (uint32_t)count;
    for (; left >= 4; left -= 4, at += 4) {
        hash = nighi_rotate(hash + nighi_load_u32(at) * NIGHI_XXH3, 17) * NIGHI_XXH4;
    }
    for (; left > 0; left--, at++) {
        hash = nighi_rotate(hash + *at * NIGHI_XXH5, 11) * NIGHI_XXH1;
    }
    hash = (hash ^ hash >> 15) * NIGHI_XXH2;
    hash = (hash ^ hash >> 13) * NIGHI_XXH3;
    return hash ^ hash >> 16;
}
