/* bits.h - fields of a few bits each, lowest first in little-endian words
 * layer L1; uses: base
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Rows begin on a word and are read a word at a time: nothing beyond a row's own words is touched,
 * and flash that knows aligned reads only will do. */
#ifndef NIGHI_BITS_H
#define NIGHI_BITS_H
#include "base.h"

/* Bits of a packed slot: all ones is above every slot, and marks the end of a row. */
NIGHI_INLINE uint32_t nighi_slot_bits(uint32_t slot_count) {
    return 32u - (uint32_t)__builtin_clz(slot_count | 1);
}

/* The largest value of so many bits, 1..31. */
NIGHI_INLINE uint32_t nighi_bits_mask(uint32_t width) { return (1u << width) - 1; }

/* Words of `count` fields. */
NIGHI_INLINE uint32_t nighi_bits_words(uint32_t count, uint32_t width) {
    return (count * width + 31) / 32; /* at most 2048 fields of 31 bits */
}

NIGHI_INLINE uint32_t nighi_bits_get(const uint32_t *words, uint32_t at, uint32_t width) {
    const uint32_t bit = at * width;
    const uint32_t shift = bit % 32;
    words += bit / 32;
    uint32_t value = words[0] >> shift;
    if (shift + width > 32) {
        value |= words[1] << (32 - shift);
    }
    return value & nighi_bits_mask(width);
}

#endif
