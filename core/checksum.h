/* checksum.h - 32-bit checksum of blocks
 * layer L3; uses: base, num
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * XXH32 with seed 0 (Collet, xxHash specification): four lanes of 32-bit words, fast on servers
 * and on microcontrollers. Each step is a bijection of its lane: one changed bit always shows. */
#ifndef NIGHI_CHECKSUM_H
#define NIGHI_CHECKSUM_H
#include "base.h"
#include "num.h"

NIGHI_FN uint32_t nighi_checksum(const void *bytes, uint64_t count);

/* The same of bytes that come in pieces. */
typedef struct nighi_xxh {
    uint32_t lanes[4];
    uint8_t rest[16]; /* what is not a whole line yet */
    uint64_t count;
} nighi_xxh;

NIGHI_FN void nighi_xxh_begin(nighi_xxh *hash);
NIGHI_FN void nighi_xxh_add(nighi_xxh *hash, const void *bytes, uint64_t count);
NIGHI_FN uint32_t nighi_xxh_end(const nighi_xxh *hash);

/* Folds one more checksum into a checksum of checksums. */
NIGHI_INLINE uint32_t nighi_checksum_fold(uint32_t fold, uint32_t checksum) {
    const uint32_t mixed = (fold ^ checksum) * 2654435761u;
    return (mixed << 15 | mixed >> 17) * 2246822519u;
}

#endif
