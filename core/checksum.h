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

/* Folds one more checksum into a checksum of checksums. */
NIGHI_INLINE uint32_t nighi_checksum_fold(uint32_t fold, uint32_t checksum) {
    const uint32_t mixed = (fold ^ checksum) * 2654435761u;
    return (mixed << 15 | mixed >> 17) * 2246822519u;
}

#endif
