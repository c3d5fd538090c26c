/* image.c - save, seal, and what is verified before an image is trusted
 * layer L11; uses: image, checksum, code, repack
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "image.h"
#include "checksum.h"
#include "repack.h"

#define NIGHI_TABLE_PART 32u /* checksums written at once */
#define NIGHI_BUILD_FLAGS                                                                          \
    ((uint32_t)NIGH_BUILD_KEEP_PRUNED | NIGH_BUILD_EXACT | NIGH_BUILD_UNROOTED)

static const uint8_t nighi_magic[8] = {'n', 'i', 'g', 'h', '\r', '\n', 0x1a, 0};

NIGHI_FN void nighi_config_now(const nigh_index *index, nigh_config *config) {
    const nigh_config *from = &index->config;
    nighi_copy(config, from, offsetof(nigh_config, codes));
    config->build_flags = nighi_load(&from->build_flags);
    config->alpha = from->alpha;
    config->reserved = 0;
    for (uint32_t version = 1, after = 0; version != after || version % 2 != 0;) {
        version = nighi_load_acquire(&index->recoded);
        config->codes = nighi_load_acquire(&from->codes);
        config->code_min = nighi_load_f32(&from->code_min);
        config->code_max = nighi_load_f32(&from->code_max);
        after = nighi_load(&index->recoded);
    }
}

NIGHI_FN void nighi_config_complete(nigh_config *config) {
    config->struct_size = sizeof *config;
    config->m = config->m == 0 ? 16 : config->m;
    config->m0 =
        config->m0 == 0 ? nighi_max_u32(2 * nighi_min_u32(config->m, 1024), 4) : config->m0;
    config->ef_build = config->ef_build == 0 ? 200 : config->ef_build;
    config->expansions = config->expansions == 0 ? 2 : config->expansions;
    config->block_bytes = config->block_bytes == 0 ? 65536 : config->block_bytes;
    config->key_bytes_max = config->key_bytes_max == 0 ? 511 : config->key_bytes_max;
    config->alpha = config->alpha == 0.0f ? 1.0f : config->alpha;
}

NIGHI_FN bool nighi_config_supported(const nigh_config *config) {
    const bool callers = config->vectors == NIGH_VECTORS_EXTERNAL ||
                         config->metric == NIGH_METRIC_CUSTOM;
    return (NIGHI_HAS_BYTES || nighi_dtype_floats(config->dtype)) &&
           (NIGHI_HAS_SOURCES || !callers) &&
           (NIGHI_HAS_BYTES || config->codes != NIGH_CODES_B1) &&
           (NIGHI_HAS_L1 || config->metric != NIGH_METRIC_L1);
}

NIGHI_FN bool nighi_config_valid(const nigh_config *c) {
    const uint32_t block = c->block_bytes;
    return c->dim >= 1 && c->dim <= 65535 && nighi_metric_valid(c->metric, c->dtype) &&
           c->keys <= NIGH_KEYS_IDENTITY && c->vectors <= NIGH_VECTORS_EXTERNAL && c->m >= 2 &&
           c->m <= 1024 && c->m0 >= c->m && c->m0 >= 4 && c->m0 <= 2048 && c->ef_build >= 1 &&
           c->ef_build <= 65535 && c->expansions >= 1 && c->expansions <= NIGHI_EXPANSIONS_MAX &&
           block >= 256 && block <= 1u << 26 && (block & (block - 1)) == 0 &&
           c->key_bytes_max >= 1 && c->key_bytes_max <= 511 && nighi_code_valid(c, c->codes) &&
           (c->build_flags & ~NIGHI_BUILD_FLAGS) == 0 && c->alpha >= 1.0f && c->alpha <= 2.0f &&
           nighi_f32_finite(c->code_min) && nighi_f32_finite(c->code_max) && c->reserved == 0 &&
           (c->code_min < c->code_max || (c->code_min == 0.0f && c->code_max == 0.0f));
}

/* The one layout that configuration and counts allow; checksums are left 0. */
static void nighi_image_layout(const nigh_config *config, const nighi_counts *counts,
                               const nighi_coding *coding, bool packed,
                               nighi_image_header *header) {
    nighi_region shape[NIGHI_REGION_COUNT];
    nighi_fill(shape, 0, sizeof shape);
    nighi_fill(header, 0, sizeof *header);
    nighi_copy(header->magic, nighi_magic, sizeof nighi_magic);
    nighi_regions_shape(shape, config);
    if (packed) {
        nighi_regions_pack(shape, config, counts);
    }
    header->version = packed ? NIGHI_IMAGE_PACKED : NIGHI_IMAGE_VERSION;
    header->packed = packed;
    header->header_bytes = sizeof *header;
    header->state = NIGHI_IMAGE_SEALED;
    header->dim = config->dim;
    header->metric = config->metric;
    header->dtype = config->dtype;
    header->keys = config->keys;
    header->vectors = config->vectors;
    header->m = config->m;
    header->m0 = config->m0;
    header->ef_build = config->ef_build;
    header->expansions = config->expansions;
    header->block_bytes = config->block_bytes;
    header->key_bytes_max = config->key_bytes_max;
    header->seed = config->seed;
    header->codes = config->codes;
    header->build_flags = config->build_flags;
    header->alpha = config->alpha == 1.0f ? 0.0f : config->alpha;
    header->code_min = config->code_min;
    header->code_max = config->code_max;
    if (coding->active != 0) {
        header->code_active = 1;
        header->code_center = coding->center;
        header->code_steps = coding->steps;
        header->code_clamped = coding->clamped;
    }
    header->counts = *counts;
    for (uint32_t i = 0; i < NIGHI_REGION_COUNT; i++) {
        nighi_image_region *region = &header->regions[i];
        const uint64_t whole = (uint64_t)1 << shape[i].shift;
        region->stride = shape[i].stride;
        region->shift = shape[i].shift;
        const bool absent = region->stride == 0 || (i == NIGHI_CODE && coding->active == 0);
        region->records = absent ? 0 : nighi_records_live(counts, i, packed);
        region->block_count = (uint32_t)((region->records + whole - 1) >> region->shift);
        region->first_block = header->block_count;
        header->block_count += region->block_count;
    }
    uint64_t offset = sizeof *header + (uint64_t)header->block_count * 4;
    for (uint32_t i = 0; i < NIGHI_REGION_COUNT; i++) {
        nighi_image_region *region = &header->regions[i];
        offset = nighi_round_up(offset, NIGHI_CACHE_LINE);
        region->offset = offset;
        offset += region->records * region->stride;
    }
    header->image_bytes = offset;
}

static void nighi_header_config(const nighi_image_header *header, nigh_config *config) {
    *config = (nigh_config){.struct_size = sizeof *config,
                            .dim = header->dim,
                            .metric = header->metric,
                            .dtype = header->dtype,
                            .keys = header->keys,
                            .vectors = header->vectors,
                            .m = header->m,
                            .m0 = header->m0,
                            .ef_build = header->ef_build,
                            .expansions = header->expansions,
                            .block_bytes = header->block_bytes,
                            .key_bytes_max = header->key_bytes_max,
                            .seed = header->seed,
                            .codes = header->codes,
                            .build_flags = header->build_flags,
                            .alpha = header->alpha == 0.0f ? 1.0f : header->alpha,
                            .code_min = header->code_min,
                            .code_max = header->code_max};
}

NIGHI_FN void nighi_header_coding(const nighi_image_header *header, const nigh_config *config,
                                  nighi_coding *coding) {
    nighi_code_span(config, 0.0f, 1.0f, coding); /* which kernel */
    coding->active = header->code_active;
    coding->center = header->code_center;
    coding->steps = header->code_steps;
    coding->clamped = header->code_clamped;
}

static bool nighi_coding_valid(const nigh_config *config, const nighi_coding *coding) {
    return coding->active == 0 || (coding->active == 1 && config->codes != NIGH_CODES_NONE &&
                                   nighi_f32_finite(coding->center) &&
                                   nighi_f32_finite(coding->steps) && coding->steps > 0.0f);
}

static bool nighi_counts_valid(const nighi_counts *counts) {
    const uint32_t slots = counts->slot_count;
    if (slots >= NIGHI_SLOT_MAX || counts->upper_count >= NIGHI_SLOT_MAX / 2 ||
        (uint64_t)counts->deleted_count + counts->free_count > slots) {
        return false;
    }
    return slots == counts->free_count ? counts->entry == NIGHI_NONE
                                       : counts->entry < slots && counts->root < slots;
}

static uint32_t nighi_header_checksum(const nighi_image_header *header) {
    return nighi_checksum(header, offsetof(nighi_image_header, checksum));
}

/* The header by itself: what it says is possible and agrees with its directory. */
static nigh_status nighi_header_read(const void *bytes, uint64_t count, nighi_image_header *header,
                                     nigh_config *config) {
    nighi_image_header expected;
    nighi_coding coding;
    if (count < sizeof *header || nighi_compare(bytes, nighi_magic, sizeof nighi_magic) != 0) {
        return NIGH_E_FORMAT;
    }
    nighi_copy(header, bytes, sizeof *header);
    if (header->checksum != nighi_header_checksum(header)) {
        return NIGH_E_CORRUPT;
    }
    if ((header->version != NIGHI_IMAGE_VERSION && header->version != NIGHI_IMAGE_PACKED) ||
        header->header_bytes != sizeof *header) {
        return NIGH_E_FORMAT;
    }
    nighi_header_config(header, config);
    if (!nighi_config_valid(config) || !nighi_counts_valid(&header->counts)) {
        return NIGH_E_CORRUPT;
    }
    nighi_header_coding(header, config, &coding);
    if (!nighi_coding_valid(config, &coding)) {
        return NIGH_E_CORRUPT;
    }
    const bool packed = header->version == NIGHI_IMAGE_PACKED;
    nighi_image_layout(config, &header->counts, &coding, packed, &expected);
    expected.state = packed ? NIGHI_IMAGE_SEALED : header->state;
    expected.table_checksum = header->table_checksum;
    expected.checksum = header->checksum;
    for (uint32_t i = 0; i < NIGHI_REGION_COUNT; i++) {
        if (expected.regions[i].block_count > NIGHI_BLOCKS_MAX) {
            return NIGH_E_UNSUPPORTED; /* more than a handle's table has */
        }
    }
    return nighi_compare(header, &expected, sizeof expected) == 0 ? NIGH_OK : NIGH_E_CORRUPT;
}

NIGHI_FN bool nighi_header_paged(const void *header, uint64_t header_bytes) {
    const uint8_t *bytes = header;
    return header_bytes >= sizeof(nighi_image_header) &&
           nighi_load_u32(bytes + offsetof(nighi_image_header, state)) == NIGHI_IMAGE_PAGED;
}

NIGHI_FN nigh_status nighi_header_paged_read(const void *bytes, uint64_t count,
                                             nighi_image_header *header, nigh_config *config) {
    const nigh_status status = nighi_header_read(bytes, count, header, config);
    if (status != NIGH_OK) {
        return status;
    }
    return header->state == NIGHI_IMAGE_PAGED && header->table_checksum == 0 ? NIGH_OK
                                                                             : NIGH_E_FORMAT;
}

NIGHI_FN nigh_status nighi_image_read(const void *image, uint64_t image_bytes, uint32_t flags,
                                      nighi_image_header *header, nigh_config *config) {
    const nigh_status status = nighi_header_read(image, image_bytes, header, config);
    if (status != NIGH_OK) {
        return status;
    }
    if (header->state == NIGHI_IMAGE_PAGED) {
        return NIGH_E_FORMAT; /* the blocks are elsewhere */
    }
    if (header->image_bytes > image_bytes) {
        return NIGH_E_CORRUPT;
    }
    if (header->state == NIGHI_IMAGE_OPEN) {
        return (flags & NIGH_OPEN_UNSEALED) != 0 ? NIGH_OK : NIGH_E_OPEN;
    }
    const uint8_t *table = (const uint8_t *)image + sizeof *header;
    uint32_t fold = 0;
    for (uint32_t i = 0; i < header->block_count; i++) {
        fold = nighi_checksum_fold(fold, nighi_load_u32(table + (size_t)i * 4));
    }
    return header->state == NIGHI_IMAGE_SEALED && fold == header->table_checksum ? NIGH_OK
                                                                                 : NIGH_E_CORRUPT;
}

static uint64_t nighi_part_bytes(const nighi_image_region *region, uint32_t block) {
    const uint64_t first = (uint64_t)block << region->shift;
    return nighi_min_u64((uint64_t)1 << region->shift, region->records - first) * region->stride;
}

NIGHI_FN nigh_status nighi_image_verify(const uint8_t *image, const nighi_image_header *header,
                                        uint64_t *checked) {
    const uint32_t *table = (const uint32_t *)(const void *)(image + sizeof *header);
    uint64_t at = sizeof *header + (uint64_t)header->block_count * 4;
    *checked = 0;
    for (uint32_t i = 0; i < NIGHI_REGION_COUNT; i++) {
        const nighi_image_region *region = &header->regions[i];
        for (; at < region->offset; at++) { /* padding */
            if (image[at] != 0) {
                return NIGH_E_CORRUPT;
            }
        }
        for (uint32_t block = 0; block < region->block_count; block++) {
            const uint64_t bytes = nighi_part_bytes(region, block);
            if (nighi_checksum(image + at, bytes) != table[region->first_block + block]) {
                return NIGH_E_CORRUPT;
            }
            at += bytes;
            ++*checked;
        }
    }
    return NIGH_OK;
}

NIGHI_FN void nighi_image_open(nigh_index *index) {
    if (index->image == NULL || index->opened != 0) {
        return;
    }
    nighi_image_header *header = (nighi_image_header *)(void *)index->image;
    header->state = NIGHI_IMAGE_OPEN;
    header->checksum = nighi_header_checksum(header);
    nighi_store_release(&index->opened, 1u);
}

static void nighi_save_layout(const nigh_index *index, uint32_t flags, const nighi_coding *coding,
                              nighi_image_header *header) {
    nigh_config config;
    nighi_config_now(index, &config);
    if ((flags & NIGH_SAVE_GRAPH_ONLY) != 0) {
        config.vectors = NIGH_VECTORS_EXTERNAL;
    }
    const nighi_counts *counts = &index->counts;
    const nighi_counts now = {nighi_load(&counts->slot_count), nighi_load(&counts->deleted_count),
                              nighi_load(&counts->free_count), nighi_load(&counts->entry),
                              nighi_load(&counts->root),       nighi_load(&counts->upper_count),
                              nighi_load(&counts->key_bytes),  nighi_load(&counts->key_lengths)};
    nighi_image_layout(&config, &now, coding, (flags & NIGH_SAVE_PACKED) != 0, header);
}

NIGHI_FN void nighi_header_paged_get(const nigh_index *index, nighi_image_header *header) {
    nighi_save_layout(index, 0, &index->coding, header);
    header->state = NIGHI_IMAGE_PAGED;
    header->checksum = nighi_header_checksum(header);
}

NIGHI_FN uint64_t nighi_save_bytes(const nigh_index *index, uint32_t flags) {
    nighi_image_header header;
    const nighi_coding coding = {.active = nighi_coded(index)}; /* the rest may be changing */
    nighi_save_layout(index, flags, &coding, &header);
    return header.image_bytes;
}

static uint32_t nighi_part_checksum(const nigh_index *index, const nighi_image_header *header,
                                    uint32_t region, uint32_t block) {
    return nighi_checksum(index->regions[region].table[block],
                          nighi_part_bytes(&header->regions[region], block));
}

/* What a pass over all regions is for. */
enum { NIGHI_PASS_FOLD, NIGHI_PASS_TABLE, NIGHI_PASS_DATA };

typedef struct nighi_sink {
    nigh_write_fn write;
    void *user;
    nigh_status status;
    uint64_t written;
    uint32_t pass;
    uint32_t fold;
    uint64_t left;       /* of the region at hand */
    uint64_t block_left; /* of its block */
    uint64_t block_bytes;
    nighi_xxh hash;
    uint32_t filled;
    uint32_t part[NIGHI_TABLE_PART];
} nighi_sink;

static void nighi_sink_put(nighi_sink *sink, const void *bytes, uint64_t count) {
    if (sink->status == NIGH_OK && count > 0) {
        const nigh_status status = sink->write(sink->user, bytes, count);
        sink->status = status == NIGH_OK || status <= NIGH_E_USER ? status : NIGH_E_WRITE;
        sink->written += count;
    }
}

static void nighi_sink_pad(nighi_sink *sink, uint64_t offset) {
    static const uint8_t zeros[NIGHI_CACHE_LINE];
    nighi_sink_put(sink, zeros, offset - sink->written);
}

static void nighi_sink_sum(nighi_sink *sink, uint32_t sum) {
    if (sink->pass == NIGHI_PASS_FOLD) {
        sink->fold = nighi_checksum_fold(sink->fold, sum);
        return;
    }
    sink->part[sink->filled++] = sum;
    if (sink->filled == NIGHI_TABLE_PART) {
        nighi_sink_put(sink, sink->part, sizeof sink->part);
        sink->filled = 0;
    }
}

static void nighi_sink_block(nighi_sink *sink) {
    nighi_xxh_begin(&sink->hash);
    sink->block_left = nighi_min_u64(sink->block_bytes, sink->left);
}

/* The next bytes of the region at hand; what is too much shows that the index is damaged. */
static void nighi_sink_take(void *user, const void *bytes, uint64_t count) {
    nighi_sink *sink = user;
    const uint8_t *at = bytes;
    if (count > sink->left) {
        sink->status = sink->status == NIGH_OK ? NIGH_E_CORRUPT : sink->status;
        count = sink->left;
    }
    if (sink->pass == NIGHI_PASS_DATA) {
        sink->left -= count;
        nighi_sink_put(sink, bytes, count);
        return;
    }
    while (count > 0) {
        const uint64_t part = nighi_min_u64(count, sink->block_left);
        nighi_xxh_add(&sink->hash, at, part);
        at += part;
        count -= part;
        sink->left -= part;
        sink->block_left -= part;
        if (sink->block_left == 0) {
            nighi_sink_sum(sink, nighi_xxh_end(&sink->hash));
            nighi_sink_block(sink);
        }
    }
}

/* One pass over all regions. */
static void nighi_save_pass(const nigh_index *index, const nighi_image_header *header,
                            uint32_t pass, nighi_sink *sink) {
    sink->pass = pass;
    for (uint32_t i = 0; i < NIGHI_REGION_COUNT && sink->status == NIGH_OK; i++) {
        const nighi_image_region *region = &header->regions[i];
        sink->left = region->records * region->stride;
        sink->block_bytes = (uint64_t)region->stride << region->shift;
        nighi_sink_block(sink);
        if (pass == NIGHI_PASS_DATA) {
            nighi_sink_pad(sink, region->offset);
        }
        if (NIGHI_HAS_PACKED && nighi_repacks(i) &&
            nighi_packed(index) != (header->packed != 0)) {
            nighi_repack(index, i, nighi_sink_take, sink);
        } else {
            for (uint32_t block = 0; block < region->block_count; block++) {
                nighi_sink_take(sink, index->regions[i].table[block],
                                nighi_part_bytes(region, block));
            }
        }
        if (sink->left > 0 && sink->status == NIGH_OK) {
            sink->status = NIGH_E_CORRUPT;
        }
    }
}

NIGHI_FN nigh_status nighi_save(const nigh_index *index, uint32_t flags, nigh_write_fn write,
                                void *user) {
    nighi_image_header header;
    nighi_sink sink = {.write = write, .user = user};
    if (index->writer == NULL && index->opened != 0) {
        return NIGH_E_OPEN; /* saving it would call it sound */
    }
    nighi_save_layout(index, flags, &index->coding, &header);
    nighi_save_pass(index, &header, NIGHI_PASS_FOLD, &sink);
    header.table_checksum = sink.fold;
    header.checksum = nighi_header_checksum(&header);
    nighi_sink_put(&sink, &header, sizeof header);
    nighi_save_pass(index, &header, NIGHI_PASS_TABLE, &sink);
    nighi_sink_put(&sink, sink.part, (uint64_t)sink.filled * 4);
    nighi_save_pass(index, &header, NIGHI_PASS_DATA, &sink);
    return sink.status;
}

NIGHI_FN nigh_status nighi_seal(nigh_index *index) {
    nighi_image_header header;
    if (index->writer == NULL) {
        return NIGH_E_READ_ONLY;
    }
    if (index->image == NULL) {
        if (!nighi_followed(index)) {
            return NIGH_E_UNSUPPORTED;
        }
    } else if (nighi_load(&index->outgrown) != 0) {
        return NIGH_E_UNSUPPORTED;
    } else if (index->opened != 0) {
        nighi_save_layout(index, 0, &index->coding, &header);
        uint32_t *table = (uint32_t *)(void *)(index->image + sizeof header);
        for (uint32_t i = 0; i < NIGHI_REGION_COUNT; i++) {
            for (uint32_t block = 0; block < header.regions[i].block_count; block++) {
                const uint32_t sum = nighi_part_checksum(index, &header, i, block);
                table[header.regions[i].first_block + block] = sum;
                header.table_checksum = nighi_checksum_fold(header.table_checksum, sum);
            }
        }
        header.checksum = nighi_header_checksum(&header);
        nighi_copy(index->image, &header, sizeof header);
    }
    for (uint32_t i = 0; i < NIGHI_REGION_COUNT; i++) {
        const uint32_t words = (index->regions[i].block_max + 31) / 32;
        if (words > 0) {
            nighi_fill(index->writer->dirty[i], 0, (uint64_t)words * 4);
        }
    }
    nighi_store(&index->opened, 0u);
    nighi_unfollow(index); /* the bits that a store went by are gone */
    nighi_store(&index->changed, 0u);
    return NIGH_OK;
}
