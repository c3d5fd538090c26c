/* store_fix.h - makes the checksums of a store right again after it was changed by hand
 * layer T; uses: image_fix
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * From docs/FORMAT.md, sharing no code with the library. Header only: fuzz targets are one file. */
#ifndef NIGH_TEST_STORE_FIX_H
#define NIGH_TEST_STORE_FIX_H
#include "image_fix.h"

enum { STORE_HEAD = 576, STORE_HEADER = 56, STORE_ROOTS = 52, STORE_SUM = 572 };

/* Live bytes of a region, by the directory of a header. */
static inline uint64_t store_live(const uint8_t *header, uint32_t region) {
    const uint8_t *entry = header + IMAGE_DIRECTORY + 32 * (size_t)region;
    return image_get64(entry + 8) * image_get32(entry + 16);
}

/* The header and the superblock around it. */
static inline void store_fix_super(uint8_t *super, size_t size) {
    const uint64_t roots = image_get32(super + 44);
    uint32_t sum = image_xxh32(super + STORE_HEADER, IMAGE_HEADER - 4);
    if (image_get32(super + 48) == 1) {
        memcpy(super + STORE_HEADER + IMAGE_HEADER - 4, &sum, 4);
    }
    if (roots * 8 <= size - STORE_HEAD) {
        sum = image_xxh32(super + STORE_HEAD, roots * 8);
        memcpy(super + STORE_ROOTS, &sum, 4);
    }
    sum = image_xxh32(super, STORE_SUM);
    memcpy(super + STORE_SUM, &sum, 4);
}

/* Of the pages that `entries` name, their checksums: `live` bytes, one page after another. */
static inline void store_fix_pages(uint8_t *pages, size_t size, uint32_t page_bytes,
                                   uint8_t *entries, uint64_t count, uint64_t live) {
    for (uint64_t i = 0; i < count; i++, live -= live < page_bytes ? live : page_bytes) {
        const uint64_t page = image_get32(entries + 8 * i);
        if (page < size / page_bytes) {
            const uint64_t bytes = live < page_bytes ? live : page_bytes;
            const uint32_t sum = image_xxh32(pages + page * page_bytes, bytes);
            memcpy(entries + 8 * i + 4, &sum, 4);
        }
    }
}

/* Of a store whose tables are in its superblock or in pages that it names (depth 0 or 1): every
 * page's checksum, then those of the tables, then its own. */
static inline void store_fix(uint8_t *pages, size_t size, uint32_t page_bytes) {
    const uint64_t fan = page_bytes / 8;
    for (size_t at = 0; at < 64 && size >= (at + 1) * page_bytes; at++) {
        uint8_t *super = pages + at * page_bytes;
        if (memcmp(super, "nighs\n\x1a", 8) != 0) {
            continue;
        }
        uint64_t entry = STORE_HEAD;
        const uint32_t depth = image_get32(super + 40);
        for (uint32_t region = 0; region < IMAGE_REGIONS && depth <= 1; region++) {
            uint64_t live = store_live(super + STORE_HEADER, region);
            while (live > 0 && live <= size && entry + 8 <= page_bytes) {
                uint64_t bytes = live < page_bytes ? live : page_bytes;
                const uint64_t page = image_get32(super + entry);
                if (depth == 1 && page < size / page_bytes) {
                    bytes = live / page_bytes < fan ? live : fan * page_bytes;
                    const uint64_t count = (bytes + page_bytes - 1) / page_bytes;
                    store_fix_pages(pages, size, page_bytes, pages + page * page_bytes, count,
                                    bytes);
                    store_fix_pages(pages, size, page_bytes, super + entry, 1, count * 8);
                } else {
                    store_fix_pages(pages, size, page_bytes, super + entry, 1, bytes);
                }
                live -= bytes;
                entry += 8;
            }
        }
        store_fix_super(super, page_bytes);
    }
}
#endif
