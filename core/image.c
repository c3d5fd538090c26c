/* image.c - save, seal, and what is verified before an image is trusted
 * layer L11; uses: image, checksum, code, repack
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "image.h"
#include "checksum.h"
#include "repack.h"

#define NIGHI_TABLE_PART 32u /* checksums written at once */
#define NIGHI_BUILD_FLAGS                                                                          \
    ((uint32_t)NIGH_BUILD_KEEP_PRUNED | NIGH_BUILD_EXACT | NIGH_BUILD_UNROOTED)

/* What a header has one behind the other as a configuration does, dim first. */
#define NIGHI_CONFIG_WORDS (11 * sizeof(uint32_t))
_Static_assert(offsetof(nigh_config, dim) + NIGHI_CONFIG_WORDS == offsetof(nigh_config, seed) &&
                   offsetof(nighi_image_header, dim) + NIGHI_CONFIG_WORDS ==
                       offsetof(nighi_image_header, block_count),
               "headers have these fields in the order of nigh_config");

#define NIGHI_ONE_BITS 0x3f800000u /* 1.0f, */
#define NIGHI_TWO_BITS 0x40000000u /* 2.0f */

/* A directory by itself, and what follows from it. */
typedef struct nighi_directory {
    nighi_image_region regions[NIGHI_REGION_COUNT];
    uint32_t block_count;
    uint64_t image_bytes;
} nighi_directory;

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
    config->alpha = nighi_f32_bits(config->alpha) << 1 == 0 ? 1.0f : config->alpha;
}

/* Of a build without floats. */
static bool nighi_config_integer(const nigh_config *config) {
    return (config->dtype == NIGH_DTYPE_U8 || config->dtype == NIGH_DTYPE_B1) &&
           config->metric != NIGH_METRIC_COSINE && config->metric != NIGH_METRIC_CUSTOM &&
           nighi_f32_bits(config->alpha) == NIGHI_ONE_BITS;
}

NIGHI_FN bool nighi_config_supported(const nigh_config *config) {
    const bool callers = config->vectors == NIGH_VECTORS_EXTERNAL ||
                         config->metric == NIGH_METRIC_CUSTOM;
    /* Codes are searched by themselves, whatever they are of; such an index cannot be changed. */
    const bool coded = !NIGHI_HAS_FLOATS && config->codes != NIGH_CODES_NONE;
    return (NIGHI_HAS_STRINGS || config->keys != NIGH_KEYS_BYTES) &&
           (NIGHI_HAS_CODES || config->codes == NIGH_CODES_NONE) &&
           (NIGHI_HAS_BYTES || (nighi_dtype_floats(config->dtype) &&
                                config->codes != NIGH_CODES_B1)) &&
           (NIGHI_HAS_SOURCES || coded || !callers) &&
           (NIGHI_HAS_L1 || config->metric != NIGH_METRIC_L1) &&
           (NIGHI_HAS_REMOVED || (config->build_flags & NIGH_BUILD_UNROOTED) == 0) &&
           (NIGHI_HAS_FLOATS || coded || nighi_config_integer(config));
}

/* The least and the most of dim and what follows it. */
static const struct {
    uint32_t least;
    uint32_t most;
} nighi_config_ranges[] = {
    {1, 65535},                            /* dim */
    {NIGH_METRIC_L2, NIGH_METRIC_CUSTOM},  /* metric */
    {NIGH_DTYPE_F32, NIGH_DTYPE_B1},       /* dtype */
    {0, NIGH_KEYS_IDENTITY},               /* keys */
    {0, NIGH_VECTORS_EXTERNAL},            /* vectors */
    {2, 1024},                             /* m */
    {4, 2048},                             /* m0 */
    {1, 65535},                            /* ef_build */
    {1, NIGHI_EXPANSIONS_MAX},             /* expansions */
    {256, 1u << 26},                       /* block_bytes */
    {1, 511},                              /* key_bytes_max */
};
_Static_assert(sizeof nighi_config_ranges / 8 * sizeof(uint32_t) == NIGHI_CONFIG_WORDS,
               "each of these fields has a range");

NIGHI_FN bool nighi_config_valid(const nigh_config *c) {
    const uint32_t least = nighi_f32_rank(c->code_min);
    const uint32_t most = nighi_f32_rank(c->code_max);
    for (uint32_t i = 0; i < NIGHI_CONFIG_WORDS / sizeof(uint32_t); i++) {
        const uint32_t value = nighi_load_u32((const uint8_t *)&c->dim + 4 * i);
        if (value < nighi_config_ranges[i].least || value > nighi_config_ranges[i].most) {
            return false;
        }
    }
    return nighi_metric_valid(c->metric, c->dtype) && c->m0 >= c->m &&
           (c->block_bytes & (c->block_bytes - 1)) == 0 && nighi_code_valid(c, c->codes) &&
           (c->build_flags & ~NIGHI_BUILD_FLAGS) == 0 &&
           nighi_f32_bits(c->alpha) - NIGHI_ONE_BITS <= NIGHI_TWO_BITS - NIGHI_ONE_BITS &&
           nighi_f32_finite(c->code_min) && nighi_f32_finite(c->code_max) && c->reserved == 0 &&
           (least < most || (least == most && least == nighi_f32_rank(0.0f)));
}

/* The one directory that configuration and counts allow. */
static void nighi_image_directory(const nigh_config *config, const nighi_counts *counts, bool coded,
                                  bool packed, nighi_directory *at) {
    nighi_region shape[NIGHI_REGION_COUNT];
    nighi_fill(at, 0, sizeof *at);
    nighi_regions_shape(shape, config);
    if (NIGHI_HAS_PACKED && packed) {
        nighi_regions_pack(shape, config, counts);
    }
    for (uint32_t i = 0; i < NIGHI_REGION_COUNT; i++) {
        nighi_image_region *region = &at->regions[i];
        region->stride = shape[i].stride;
        region->shift = shape[i].shift;
        const bool absent = region->stride == 0 || (i == NIGHI_CODE && !coded);
        region->records = absent ? 0 : nighi_records_live(counts, i, packed);
        region->block_count = nighi_blocks_of((uint32_t)region->records, region->shift);
        region->first_block = at->block_count;
        at->block_count += region->block_count;
    }
    uint64_t offset = sizeof(nighi_image_header) + (uint64_t)at->block_count * 4;
    for (uint32_t i = 0; i < NIGHI_REGION_COUNT; i++) {
        nighi_image_region *region = &at->regions[i];
        offset = nighi_round_up(offset, NIGHI_CACHE_LINE);
        region->offset = offset;
        offset += region->records * region->stride;
    }
    at->image_bytes = offset;
}

/* The one header that they allow; checksums are left 0. */
static void nighi_image_layout(const nigh_config *config, const nighi_counts *counts,
                               const nighi_coding *coding, bool packed,
                               nighi_image_header *header) {
    nighi_directory at;
    nighi_image_directory(config, counts, coding->active != 0, packed, &at);
    nighi_fill(header, 0, sizeof *header);
    nighi_copy(header->magic, nighi_magic, sizeof nighi_magic);
    header->version = packed ? NIGHI_IMAGE_PACKED : NIGHI_IMAGE_VERSION;
    header->packed = packed;
    header->header_bytes = sizeof *header;
    header->state = NIGHI_IMAGE_SEALED;
    header->image_bytes = at.image_bytes;
    header->block_count = at.block_count;
    nighi_copy(header->regions, at.regions, sizeof at.regions);
    nighi_copy(&header->dim, &config->dim, NIGHI_CONFIG_WORDS);
    header->seed = config->seed;
    header->codes = config->codes;
    header->build_flags = config->build_flags;
    header->alpha = nighi_f32_bits(config->alpha) == NIGHI_ONE_BITS ? 0 : config->alpha;
    header->code_min = config->code_min;
    header->code_max = config->code_max;
    if (coding->active != 0) {
        header->code_active = 1;
        header->code_center = coding->center;
        header->code_steps = coding->steps;
        header->code_clamped = coding->clamped;
    }
    header->counts = *counts;
}

static void nighi_header_config(const nighi_image_header *header, nigh_config *config) {
    nighi_fill(config, 0, sizeof *config);
    config->struct_size = sizeof *config;
    nighi_copy(&config->dim, &header->dim, NIGHI_CONFIG_WORDS);
    config->seed = header->seed;
    config->codes = header->codes;
    config->build_flags = header->build_flags;
    config->alpha = nighi_f32_bits(header->alpha) == 0 ? 1.0f : header->alpha;
    config->code_min = header->code_min;
    config->code_max = header->code_max;
}

NIGHI_FN void nighi_header_coding(const nighi_image_header *header, const nigh_config *config,
                                  nighi_coding *coding) {
    nighi_code_kind(config, coding);
    coding->active = header->code_active;
    coding->center = header->code_center;
    coding->steps = header->code_steps;
    coding->clamped = header->code_clamped;
}

/* What it says of codes; without active ones nothing. */
static bool nighi_header_coding_valid(const nighi_image_header *header) {
    const uint32_t steps = nighi_f32_bits(header->code_steps);
    const uint32_t center = nighi_f32_bits(header->code_center);
    if (header->code_active == 0) {
        return (steps | center | header->code_clamped) == 0;
    }
    return header->code_active == 1 && header->codes != NIGH_CODES_NONE &&
           nighi_f32_finite(header->code_center) && steps - 1 < 0x7f800000u - 1;
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

/* Is the directory that which the rest of the header says? NIGH_OK or what is wrong. */
static nigh_status nighi_directory_check(const nighi_image_header *header,
                                         const nigh_config *config, bool packed) {
    nighi_directory at;
    nighi_image_directory(config, &header->counts, header->code_active != 0, packed, &at);
    for (uint32_t i = 0; i < NIGHI_REGION_COUNT; i++) {
        if (at.regions[i].block_count > NIGHI_BLOCKS_MAX) {
            return NIGH_E_UNSUPPORTED; /* more than a handle's table has */
        }
    }
    return at.image_bytes == header->image_bytes && at.block_count == header->block_count &&
                   nighi_compare(header->regions, at.regions, sizeof at.regions) == 0
               ? NIGH_OK
               : NIGH_E_CORRUPT;
}

/* The header by itself: what it says is possible, written in the one way there is, and agrees with
 * its directory. */
static nigh_status nighi_header_read(const nighi_image_header *header, uint64_t count,
                                     nigh_config *config) {
    uint32_t rest = 0;
    if (count < sizeof *header || nighi_compare(header->magic, nighi_magic, sizeof nighi_magic)) {
        return NIGH_E_FORMAT;
    }
    if (header->checksum != nighi_header_checksum(header)) {
        return NIGH_E_CORRUPT;
    }
    const bool packed = header->version == NIGHI_IMAGE_PACKED;
    if ((!packed && header->version != NIGHI_IMAGE_VERSION) ||
        header->header_bytes != sizeof *header) {
        return NIGH_E_FORMAT;
    }
    nighi_header_config(header, config);
    for (uint32_t i = 0; i < sizeof header->reserved1; i++) {
        rest |= header->reserved1[i];
    }
    if (!nighi_config_valid(config) || !nighi_counts_valid(&header->counts) ||
        !nighi_header_coding_valid(header) || rest != 0 || header->packed != packed ||
        nighi_f32_bits(header->alpha) == NIGHI_ONE_BITS ||
        (packed && header->state != NIGHI_IMAGE_SEALED)) {
        return NIGH_E_CORRUPT;
    }
    if (!nighi_config_supported(config) || (!NIGHI_HAS_PACKED && packed) ||
        (!NIGHI_HAS_REMOVED && header->counts.deleted_count != 0)) {
        return NIGH_E_UNSUPPORTED; /* a build cannot tell the directory of what it has not */
    }
    return nighi_directory_check(header, config, packed);
}

NIGHI_FN bool nighi_header_paged(const void *header, uint64_t header_bytes) {
    const uint8_t *bytes = header;
    return header_bytes >= sizeof(nighi_image_header) &&
           nighi_load_u32(bytes + offsetof(nighi_image_header, state)) == NIGHI_IMAGE_PAGED;
}

NIGHI_FN nigh_status nighi_header_paged_read(const nighi_image_header *header, uint64_t count,
                                             nigh_config *config) {
    const nigh_status status = nighi_header_read(header, count, config);
    if (status != NIGH_OK) {
        return status;
    }
    return header->state == NIGHI_IMAGE_PAGED && header->table_checksum == 0 ? NIGH_OK
                                                                             : NIGH_E_FORMAT;
}

NIGHI_FN nigh_status nighi_image_read(const nighi_image_header *header, const uint8_t *table,
                                      uint64_t image_bytes, uint32_t flags, nigh_config *config) {
    const nigh_status status = nighi_header_read(header, image_bytes, config);
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
    uint32_t fold = 0;
    for (uint32_t i = 0; i < header->block_count; i++) {
        fold = nighi_checksum_fold(fold, nighi_load_u32(table + (size_t)i * 4));
    }
    return header->state == NIGHI_IMAGE_SEALED && fold == header->table_checksum ? NIGH_OK
                                                                                 : NIGH_E_CORRUPT;
}

static size_t nighi_part_bytes(const nighi_image_region *region, uint32_t block) {
    const uint32_t left = (uint32_t)region->records - (block << region->shift);
    return (size_t)nighi_min_u32(1u << region->shift, left) * region->stride;
}

NIGHI_FN nigh_status nighi_image_verify(const uint8_t *image, const nighi_image_header *header,
                                        uint64_t *checked) {
    const uint32_t *table = (const uint32_t *)(const void *)(image + sizeof *header);
    size_t at = sizeof *header + (size_t)header->block_count * 4; /* the image lies in memory */
    *checked = 0;
    for (uint32_t i = 0; i < NIGHI_REGION_COUNT; i++) {
        const nighi_image_region *region = &header->regions[i];
        for (; at < region->offset; at++) { /* padding */
            if (image[at] != 0) {
                return NIGH_E_CORRUPT;
            }
        }
        for (uint32_t block = 0; block < region->block_count; block++) {
            const size_t bytes = nighi_part_bytes(region, block);
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
