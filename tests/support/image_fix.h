/* image_fix.h - makes the checksums of an image right again after it was changed by hand
 * layer T; uses: nothing
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * From docs/FORMAT.md, sharing no code with the library. Header only: fuzz targets are one file. */
#ifndef NIGH_TEST_IMAGE_FIX_H
#define NIGH_TEST_IMAGE_FIX_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { IMAGE_HEADER = 512, IMAGE_REGIONS = 8, IMAGE_DIRECTORY = 120 };

static inline uint32_t image_get32(const uint8_t *at) {
    uint32_t word = 0;
    memcpy(&word, at, 4);
    return word;
}

static inline uint64_t image_get64(const uint8_t *at) {
    uint64_t word = 0;
    memcpy(&word, at, 8);
    return word;
}

static inline uint32_t image_turn(uint32_t x, int by) { return x << by | x >> (32 - by); }

/* XXH32 with seed 0. */
static inline uint32_t image_xxh32(const uint8_t *at, uint64_t count) {
    const uint32_t p1 = 2654435761u, p2 = 2246822519u, p3 = 3266489917u, p4 = 668265263u;
    const uint32_t p5 = 374761393u;
    uint64_t left = count;
    uint32_t hash = p5;
    if (left >= 16) {
        uint32_t lanes[4] = {p1 + p2, p2, 0, 0u - p1};
        for (; left >= 16; left -= 16, at += 16) {
            for (int i = 0; i < 4; i++) {
                lanes[i] = image_turn(lanes[i] + image_get32(at + 4 * (size_t)i) * p2, 13) * p1;
            }
        }
        hash = image_turn(lanes[0], 1) + image_turn(lanes[1], 7) + image_turn(lanes[2], 12) +
               image_turn(lanes[3], 18);
    }
    hash += (uint32_t)count;
    for (; left >= 4; left -= 4, at += 4) {
        hash = image_turn(hash + image_get32(at) * p3, 17) * p4;
    }
    for (; left > 0; left--, at++) {
        hash = image_turn(hash + *at * p5, 11) * p1;
    }
    hash = (hash ^ hash >> 15) * p2;
    hash = (hash ^ hash >> 13) * p3;
    return hash ^ hash >> 16;
}

/* Right checksums wherever the directory makes sense; the header's in any case. */
static inline void image_fix(uint8_t *image, size_t size) {
    uint32_t fold = 0;
    for (uint32_t i = 0; i < IMAGE_REGIONS; i++) {
        const uint8_t *region = image + IMAGE_DIRECTORY + 32 * (size_t)i;
        const uint64_t offset = image_get64(region), records = image_get64(region + 8);
        const uint64_t stride = image_get32(region + 16), shift = image_get32(region + 20) & 31;
        const uint32_t count = image_get32(region + 24), first = image_get32(region + 28);
        for (uint64_t block = 0; block < count && block < size; block++) {
            const uint64_t from = block << shift, whole = (uint64_t)1 << shift;
            const uint64_t part = records - from < whole ? records - from : whole;
            const uint64_t entry = IMAGE_HEADER + (first + block) * 4;
            if (from >= records || offset > size || from * stride > size - offset ||
                part * stride > size - offset - from * stride || entry + 4 > size) {
                break;
            }
            const uint32_t sum = image_xxh32(image + offset + from * stride, part * stride);
            memcpy(image + entry, &sum, 4);
        }
    }
    const uint32_t blocks = image_get32(image + 76);
    for (uint64_t i = 0; i < blocks && IMAGE_HEADER + i * 4 + 4 <= size; i++) {
        fold = image_turn((fold ^ image_get32(image + IMAGE_HEADER + i * 4)) * 2654435761u, 15) *
               2246822519u;
    }
    memcpy(image + 20, &fold, 4);
    fold = image_xxh32(image, IMAGE_HEADER - 4);
    memcpy(image + IMAGE_HEADER - 4, &fold, 4);
}
#endif
