/* blocks.c - shapes of regions, growth by donated memory, the pager's two calls
 * layer L5; uses: blocks, bits
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A donation is cut into one span a region, so that an index grown once lies in a row and is
 * addressed without its table. Only whole blocks are added, except when the handle can never hold
 * more (slots == slot_max): then the last block is cut, and memory is exact. A cut block, also the
 * last one of an image attached in place, is copied when its region grows again: readers may
 * go on with the old copy, which stays where it is and stays valid. */
#include "blocks.h"
#include "bits.h"

#define NIGHI_KEY_BLOCK_SHIFT 10u /* least: a key of 511 bytes never crosses a block */

static uint32_t nighi_log2_floor(uint32_t value) {
    return 31u - (uint32_t)__builtin_clz(value | 1);
}

NIGHI_FN uint32_t nighi_vector_stride(const nigh_config *config) {
    const uint32_t row = nighi_round_up_u32(nighi_row_bytes(config->dim, config->dtype), 4) +
                         nighi_trailer_bytes(config->metric, config->dtype);
    /* Rows at 16 mod 64 cost 20-32 % of search time once they are longer than a few lines. */
    const uint32_t alignment = row >= 192 ? 64 : row > 48 ? 32 : row > 8 ? 16 : 4;
    return nighi_round_up_u32(row, alignment);
}

/* Whole lines where that costs little: a record then touches as few as it can. */
NIGHI_FN uint32_t nighi_code_stride(const nigh_config *config) {
    const uint32_t bytes = nighi_code_bytes(config->codes, config->dim);
    const uint32_t lines = nighi_round_up_u32(bytes, NIGHI_CACHE_LINE);
    return lines <= bytes + bytes / 3 ? lines : nighi_round_up_u32(bytes, 16);
}

static void nighi_regions_shift(nighi_region *regions, const nigh_config *config) {
    for (uint32_t i = 0; i < NIGHI_REGION_COUNT; i++) {
        const uint32_t stride = regions[i].stride;
        const uint32_t fit = stride == 0 ? 1 : config->block_bytes / stride;
        regions[i].shift = nighi_log2_floor(fit);
    }
    regions[NIGHI_KEYBYTES].shift =
        nighi_max_u32(regions[NIGHI_KEYBYTES].shift, NIGHI_KEY_BLOCK_SHIFT);
}

NIGHI_FN void nighi_regions_pack(nighi_region *regions, const nigh_config *config,
                                 const nighi_counts *counts) {
    const uint32_t width = nighi_slot_bits(counts->slot_count);
    const bool keyed = config->keys != NIGH_KEYS_IDENTITY;
    regions[NIGHI_LINKS0].stride = 4 * nighi_bits_words(config->m0, width);
    regions[NIGHI_UPPER].stride = 4 * nighi_bits_words(config->m, width);
    regions[NIGHI_NODE].stride = 8;
    regions[NIGHI_KEYMAP].stride = keyed ? 4 * (NIGHI_PACKED_GROUPS + width) : 0;
    nighi_regions_shift(regions, config);
}

NIGHI_FN uint32_t nighi_packed_layers(const nighi_counts *counts) {
    return (counts->slot_count + counts->upper_count + 31) / 32;
}

NIGHI_FN uint32_t nighi_records_live(const nighi_counts *counts, uint32_t region, bool packed) {
    const uint32_t words = (counts->slot_count + 31) / 32;
    packed = NIGHI_HAS_PACKED && packed;
    if (packed && region == NIGHI_NODE) {
        const bool states = counts->deleted_count != 0 || counts->free_count != 0;
        return nighi_packed_layers(counts) + (states ? words : 0);
    }
    return packed && region == NIGHI_KEYMAP ? words
           : region == NIGHI_UPPER          ? counts->upper_count
           : region == NIGHI_KEYBYTES       ? counts->key_bytes
                                            : counts->slot_count;
}

NIGHI_FN void nighi_regions_shape(nighi_region *regions, const nigh_config *config) {
    const bool keyed = config->keys != NIGH_KEYS_IDENTITY;
    const bool bytes = nighi_keys_strings(config);
    const bool owned = config->vectors == NIGH_VECTORS_OWNED;
    regions[NIGHI_LINKS0].stride = config->m0 * 4;
    regions[NIGHI_UPPER].stride = config->m * 4;
    regions[NIGHI_NODE].stride = keyed ? 8 : 4;
    regions[NIGHI_KEY].stride = keyed ? 8 : 0;
    regions[NIGHI_KEYBYTES].stride = bytes ? 1 : 0;
    regions[NIGHI_KEYMAP].stride = keyed ? 4 : 0;
    regions[NIGHI_VECTOR].stride = owned ? nighi_vector_stride(config) : 0;
    regions[NIGHI_CODE].stride = nighi_code_stride(config);
    nighi_regions_shift(regions, config);
}

/* Geometric with ratio 1/m, as HNSW's floor(-ln(u) / ln(m)) (Malkov and Yashunin 2016, 4.1), but in
 * integers: another layer while h < 2^64 / m, that is while h * m does not carry. */
NIGHI_FN uint32_t nighi_level_draw(const nigh_config *config, uint32_t slot) {
    uint64_t h = nighi_mix64(config->seed ^ nighi_mix64(slot));
    uint32_t level = 0;
    while (level < NIGHI_LEVEL_MAX) {
        const uint64_t carry = (h & 0xffffffffu) * config->m >> 32;
        if (((h >> 32) * config->m + carry) >> 32 != 0) {
            break;
        }
        h *= config->m;
        level++;
    }
    return level;
}

NIGHI_FN uint64_t nighi_upper_draw(const nigh_config *config, uint32_t from, uint32_t to) {
    uint64_t records = 0;
    for (uint32_t slot = from; slot < to; slot++) {
        records += nighi_level_draw(config, slot);
    }
    return records;
}

NIGHI_FN uint64_t nighi_region_records(const nigh_index *index, uint32_t region, uint32_t slots,
                                       uint64_t key_bytes) {
    const nighi_region *r = &index->regions[region];
    const nighi_counts *counts = &index->counts;
    if (r->stride == 0) {
        return 0;
    }
    if (region == NIGHI_UPPER) {
        /* What is there counts as it is: an imported graph need not follow the draw. */
        const uint32_t used = nighi_load(&counts->slot_count);
        const uint32_t extra = used == 0 ? index->upper_extra : 0;
        return (uint64_t)extra + nighi_load(&counts->upper_count) +
               nighi_upper_draw(&index->config, used, nighi_max_u32(slots, used));
    }
    if (NIGHI_HAS_STRINGS && region == NIGHI_KEYBYTES) {
        const uint64_t whole = (uint64_t)1 << r->shift;
        const uint64_t usable = whole - (index->config.key_bytes_max - 1);
        const uint64_t used = nighi_load(&counts->key_bytes);
        const uint64_t begun = nighi_round_up(used, whole);
        const uint64_t stored = nighi_load(&counts->key_lengths);
        const uint64_t more = key_bytes > stored ? key_bytes - stored : 0;
        /* What the begun block takes in any case; counting it keeps the need from rising as keys
         * arrive between asking and growing. */
        const uint64_t rest = begun - used + usable > whole ? begun - used + usable - whole : 0;
        const uint64_t beyond = more > rest ? more - rest : 0;
        return begun + nighi_mul_add((beyond + usable - 1) / usable, whole, 0);
    }
    return slots;
}

NIGHI_FN uint64_t nighi_block_bytes(const nighi_region *region, uint32_t block) {
    const uint32_t first = block << region->shift;
    const uint32_t records = nighi_min_u32(1u << region->shift, region->capacity - first);
    return (uint64_t)records * region->stride;
}

/* Whole blocks may hold more slots than asked for: as many as the smallest region will have. The
 * upper region, which grows by what slots draw, is made to fit them. */
static uint32_t nighi_grow_target(const nigh_index *index, uint32_t slots) {
    uint64_t target = index->slot_max;
    for (uint32_t i = 0; i < NIGHI_REGION_COUNT; i++) {
        const nighi_region *region = &index->regions[i];
        const uint64_t whole = (uint64_t)1 << region->shift;
        const uint64_t rounded = nighi_round_up(slots, whole);
        if (nighi_load_acquire(&region->stride) != 0 && i != NIGHI_UPPER && i != NIGHI_KEYBYTES) {
            target = nighi_min_u64(target, region->capacity > slots ? region->capacity : rounded);
        }
    }
    return (uint32_t)target;
}

/* What growing one region to `records` takes: blocks [first, last) with `bytes` in all. */
typedef struct nighi_span {
    uint32_t first;
    uint32_t last;
    uint32_t capacity;
    uint64_t bytes;
} nighi_span;

static nighi_span nighi_span_for(const nighi_region *region, uint64_t records, bool cut) {
    nighi_span span = {region->block_count, region->block_count, region->capacity, 0};
    if (region->stride == 0 || records <= region->capacity) {
        return span;
    }
    const uint64_t whole = (uint64_t)1 << region->shift;
    if ((region->capacity & (whole - 1)) != 0) {
        span.first--; /* the cut block is replaced */
    }
    const uint64_t blocks = (records + whole - 1) >> region->shift;
    const uint64_t end = cut ? records : blocks << region->shift;
    if (end > UINT32_MAX) {
        span.bytes = UINT64_MAX;
        return span;
    }
    span.last = (uint32_t)blocks;
    span.capacity = (uint32_t)end;
    span.bytes = (end - ((uint64_t)span.first << region->shift)) * region->stride;
    return span;
}

/* The span that growing region `at` adds. */
static nighi_span nighi_grow_span(const nigh_index *index, uint32_t at, uint32_t slots,
                                  uint64_t key_bytes) {
    const bool cut = slots == index->slot_max && at != NIGHI_KEYBYTES && !nighi_mapped(index);
    const uint32_t wanted = at == NIGHI_UPPER ? nighi_grow_target(index, slots) : slots;
    return nighi_span_for(&index->regions[at], nighi_region_records(index, at, wanted, key_bytes),
                          cut);
}

NIGHI_FN uint64_t nighi_grow_bytes(const nigh_index *index, uint32_t slots, uint64_t key_bytes) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < NIGHI_REGION_COUNT; i++) {
        const nighi_span span = nighi_grow_span(index, i, slots, key_bytes);
        if (span.bytes == UINT64_MAX || span.last > index->regions[i].block_max) {
            return UINT64_MAX;
        }
        bytes += nighi_round_up(span.bytes, NIGHI_CACHE_LINE);
    }
    return bytes;
}

/* Gives blocks [span.first, span.last) their addresses, then publishes the new capacity. */
static void nighi_span_take(nighi_region *region, const nighi_span *span, uint8_t *memory) {
    const uint64_t block_bytes = (uint64_t)region->stride << region->shift;
    if (span->first < region->block_count) { /* copy the cut block into its whole successor */
        nighi_copy(memory, region->table[span->first], nighi_block_bytes(region, span->first));
    }
    uint8_t *base = region->base;
    if (span->first == 0) {
        base = memory;
    } else if (base == NULL || memory != base + span->first * block_bytes) {
        base = NULL;
    }
    for (uint32_t block = span->first; block < span->last; block++) {
        nighi_store(&region->table[block], memory + (block - span->first) * block_bytes);
    }
    region->block_count = span->last;
    nighi_store_release(&region->capacity, span->capacity);
    nighi_store_release(&region->base, base);
}

/* Where record 0 lies if this block too lies in a row with those before it, else NULL. */
static uint8_t *nighi_base_with(const nighi_region *region, uint32_t block, void *address) {
    const uint64_t bytes = (uint64_t)region->stride << region->shift;
    if (block == 0) {
        return address;
    }
    return region->base != NULL && region->base + block * bytes == (uint8_t *)address ? region->base
                                                                                      : NULL;
}

NIGHI_FN nigh_status nighi_region_map(nigh_index *index, uint32_t at, uint32_t block_end) {
    nighi_region *region = &index->regions[at];
    const uint64_t bytes = (uint64_t)region->stride << region->shift;
    if (block_end > region->block_max) {
        return NIGH_E_UNSUPPORTED;
    }
    for (uint32_t block = region->block_count; block < block_end; block++) {
        void *address = NULL;
        const nigh_status status = index->pager.map(index->pager.user, at, block, bytes, &address);
        if (status != NIGH_OK) {
            return status <= NIGH_E_USER ? status : NIGH_E_FULL;
        }
        if (address == NULL || ((uintptr_t)address & (NIGHI_CACHE_LINE - 1)) != 0) {
            return NIGH_E_MEMORY;
        }
        nighi_store(&region->table[block], (uint8_t *)address);
        region->block_count = block + 1;
        nighi_store_release(&region->capacity, (block + 1) << region->shift);
        nighi_store_release(&region->base, nighi_base_with(region, block, address));
    }
    return NIGH_OK;
}

NIGHI_FN nigh_status nighi_grow(nigh_index *index, uint32_t slots, uint64_t key_bytes,
                                uint8_t *memory, uint64_t memory_bytes) {
    const uint64_t needed = nighi_grow_bytes(index, slots, key_bytes);
    if (needed == UINT64_MAX) {
        return NIGH_E_INVALID;
    }
    if (memory != NULL && memory_bytes < needed) {
        return NIGH_E_MEMORY;
    }
    nighi_span spans[NIGHI_REGION_COUNT];
    for (uint32_t i = 0; i < NIGHI_REGION_COUNT; i++) {
        spans[i] = nighi_grow_span(index, i, slots, key_bytes);
        if (memory == NULL && spans[i].bytes != 0 &&
            spans[i].first < index->regions[i].block_count) {
            return NIGH_E_UNSUPPORTED; /* a pager never sees a cut block replaced */
        }
    }
    for (uint32_t i = 0; i < NIGHI_REGION_COUNT; i++) {
        if (spans[i].bytes == 0) {
            continue;
        }
        nighi_store(&index->outgrown, 1u);
        if (NIGHI_HAS_PAGER && memory == NULL) {
            const nigh_status status = nighi_region_map(index, i, spans[i].last);
            if (status != NIGH_OK) {
                return status;
            }
            continue;
        }
        nighi_span_take(&index->regions[i], &spans[i], memory);
        memory += nighi_round_up(spans[i].bytes, NIGHI_CACHE_LINE);
    }
    return NIGH_OK;
}

NIGHI_FN uint32_t nighi_slot_capacity(const nigh_index *index) {
    uint32_t slots = index->slot_max;
    if (nighi_packed(index)) {
        return index->counts.slot_count;
    }
    for (uint32_t i = 0; i < NIGHI_REGION_COUNT; i++) {
        const nighi_region *region = &index->regions[i];
        if (nighi_load_acquire(&region->stride) != 0 && i != NIGHI_UPPER && i != NIGHI_KEYBYTES) {
            slots = nighi_min_u32(slots, nighi_load(&region->capacity));
        }
    }
    return slots;
}

NIGHI_FN nigh_status nighi_dirty_bits(void *user, uint32_t region, uint32_t block, uint64_t bytes,
                                      void **address) {
    (void)user;
    (void)region;
    (void)block;
    (void)bytes;
    (void)address;
    return NIGH_OK;
}

NIGHI_FN nigh_status nighi_touch(nigh_index *index, uint32_t region, uint32_t at) {
    nighi_region *r = &index->regions[region];
    if (!nighi_followed(index) || r->stride == 0) {
        return NIGH_OK;
    }
    const uint32_t block = at >> r->shift;
    uint32_t *word = &index->writer->dirty[region][block / 32];
    const uint32_t bit = 1u << (block % 32);
    if (block >= r->block_count || (nighi_load_acquire(word) & bit) != 0) {
        return NIGH_OK;
    }
    uint8_t *const before = r->table[block];
    void *address = before;
    const nigh_status status =
        index->pager.dirty(index->pager.user, region, block, nighi_block_bytes(r, block), &address);
    if (status != NIGH_OK) {
        return status <= NIGH_E_USER ? status : NIGH_E_WRITE;
    }
    if (address != before) {
        if (address == NULL || ((uintptr_t)address & (NIGHI_CACHE_LINE - 1)) != 0) {
            return NIGH_E_MEMORY;
        }
        nighi_store(&r->table[block], (uint8_t *)address);
        nighi_store_release(&r->base, (uint8_t *)NULL);
    }
    nighi_or(word, bit);
    return NIGH_OK;
}
