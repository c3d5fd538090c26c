/* hosted_lmdb_value.c - bytes of the values that hold blocks
 * layer H; uses: hosted_lmdb.h
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * LMDB keeps a value of more than half a page on pages of its own, behind 16 bytes of theirs. With
 * 48 bytes of header the rows begin on a cache line, and a value of whole pages less 16 bytes
 * leaves no page unused that another could have. */
#include "hosted_lmdb.h"

#include <string.h>

#define BLOCK_MAGIC 0x6b6c626eu /* "nblk" */
#define DIRECTORY 120u          /* in the header of an image */
#define XXH1 2654435761u
#define XXH2 2246822519u
#define XXH3 3266489917u
#define XXH4 668265263u
#define XXH5 374761393u

uint32_t nighh_lmdb_load_u32(const uint8_t *at) {
    uint32_t value = 0;
    memcpy(&value, at, sizeof value);
    return value;
}

void nighh_lmdb_store_u32(uint8_t *at, uint32_t value) { memcpy(at, &value, sizeof value); }

uint64_t nighh_lmdb_load_u64(const uint8_t *at) {
    uint64_t value = 0;
    memcpy(&value, at, sizeof value);
    return value;
}

void nighh_lmdb_store_u64(uint8_t *at, uint64_t value) { memcpy(at, &value, sizeof value); }

static uint32_t rotate(uint32_t value, uint32_t by) { return value << by | value >> (32 - by); }

static uint32_t lane(uint32_t sum, const uint8_t *at) {
    return rotate(sum + nighh_lmdb_load_u32(at) * XXH2, 13) * XXH1;
}

uint32_t nighh_lmdb_checksum(const void *bytes, uint64_t count) {
    const uint8_t *at = bytes;
    uint64_t left = count;
    uint32_t hash = XXH5;
    if (left >= 16) {
        uint32_t a = XXH1 + XXH2;
        uint32_t b = XXH2;
        uint32_t c = 0;
        uint32_t d = 0u - XXH1;
        for (; left >= 16; left -= 16, at += 16) {
            a = lane(a, at);
            b = lane(b, at + 4);
            c = lane(c, at + 8);
            d = lane(d, at + 12);
        }
        hash = rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18);
    }
    hash += (uint32_t)count;
    for (; left >= 4; left -= 4, at += 4) {
        hash = rotate(hash + nighh_lmdb_load_u32(at) * XXH3, 17) * XXH4;
    }
    for (; left > 0; left--, at++) {
        hash = rotate(hash + *at * XXH5, 11) * XXH1;
    }
    hash = (hash ^ hash >> 15) * XXH2;
    hash = (hash ^ hash >> 13) * XXH3;
    return hash ^ hash >> 16;
}

void nighh_lmdb_regions(const uint8_t *header, nighh_lmdb_region *regions) {
    for (uint32_t i = 0; i < LMDB_REGIONS; i++) {
        const uint8_t *at = header + DIRECTORY + (size_t)i * 32;
        regions[i].records = nighh_lmdb_load_u64(at + 8);
        regions[i].stride = nighh_lmdb_load_u32(at + 16);
        regions[i].shift = nighh_lmdb_load_u32(at + 20);
        regions[i].blocks = nighh_lmdb_load_u32(at + 24);
    }
}

uint64_t nighh_lmdb_live(const nighh_lmdb_region *region, uint32_t block) {
    uint64_t whole = (uint64_t)1 << (region->shift & 31);
    uint64_t first = (uint64_t)block * whole;
    uint64_t left = first < region->records ? region->records - first : 0;
    return (left < whole ? left : whole) * region->stride;
}

uint64_t nighh_lmdb_value_bytes(uint32_t page_bytes, uint64_t live) {
    uint64_t bytes = LMDB_PAGE_HEADER + LMDB_BLOCK_HEADER + live;
    return (bytes + page_bytes - 1) / page_bytes * page_bytes - LMDB_PAGE_HEADER;
}

void nighh_lmdb_block_put(uint8_t *value, const nighh_lmdb_block *block, uint64_t txn) {
    memset(value, 0, LMDB_BLOCK_HEADER);
    nighh_lmdb_store_u32(value, BLOCK_MAGIC);
    nighh_lmdb_store_u32(value + 4, block->checksum);
    nighh_lmdb_store_u32(value + 8, block->store);
    nighh_lmdb_store_u32(value + 12, block->region);
    nighh_lmdb_store_u32(value + 16, block->block);
    nighh_lmdb_store_u32(value + 20, block->bytes);
    nighh_lmdb_store_u64(value + 24, txn);
}

bool nighh_lmdb_block_get(const MDB_val *value, nighh_lmdb_block *block, uint64_t *txn) {
    const uint8_t *at = value->mv_data;
    if (value->mv_size < LMDB_BLOCK_HEADER || nighh_lmdb_load_u32(at) != BLOCK_MAGIC) {
        return false;
    }
    block->checksum = nighh_lmdb_load_u32(at + 4);
    block->store = nighh_lmdb_load_u32(at + 8);
    block->region = nighh_lmdb_load_u32(at + 12);
    block->block = nighh_lmdb_load_u32(at + 16);
    block->bytes = nighh_lmdb_load_u32(at + 20);
    *txn = nighh_lmdb_load_u64(at + 24);
    return block->bytes <= value->mv_size - LMDB_BLOCK_HEADER;
}
