/* index.c - lifecycle of handle and writer state, attach
 * layer L13; uses: index, arena, bits, blocks, code, cpu, fp, graph, image, racy
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "index.h"
#include "arena.h"
#include "bits.h"
#include "blocks.h"
#include "code.h"
#include "cpu.h"
#include "fp.h"
#include "graph.h"
#include "image.h"
#include "racy.h"

/* Beyond so many slots a table is sized by what layers they draw on average and 16 deviations more,
 * not by drawing each. The memory of blocks is always exact. */
#define NIGHI_DRAW_MAX (1u << 24)
#define NIGHI_STRIPES_MIN 16u
#define NIGHI_STRIPES_MAX 4096u

/* Blocks that region `at` may ever have. Keys that replace others add to the bytes of keys, so
 * their table is twice as long as one key a slot needs. */
static uint32_t nighi_block_max(const nigh_index *index, uint32_t at, uint32_t slot_max) {
    const nighi_region *region = &index->regions[at];
    const uint64_t key_bytes = (uint64_t)slot_max * index->config.key_bytes_max;
    const uint64_t mean = slot_max / (index->config.m - 1);
    const bool many = at == NIGHI_UPPER && slot_max > NIGHI_DRAW_MAX;
    if (region->stride == 0) {
        return 0;
    }
    const uint64_t there = (uint64_t)index->counts.upper_count + index->upper_extra;
    const uint64_t records = nighi_packed(index)
                                 ? nighi_records_live(&index->counts, at, true)
                             : many ? there + mean + mean / 64 + 4096
                                    : nighi_region_records(index, at, slot_max, key_bytes);
    const uint64_t whole = (uint64_t)1 << region->shift;
    const uint64_t blocks = (records + whole - 1) >> region->shift;
    const uint64_t room = at == NIGHI_KEYBYTES && blocks > 0 ? 2 * blocks + 1 : blocks;
    return (uint32_t)nighi_min_u64(room, NIGHI_BLOCKS_MAX);
}

/* Lays out handle and block tables; `shape` holds configuration and counts. */
static NIGHI_NOINLINE nigh_index *nighi_index_layout(nighi_arena *arena, const nigh_index *shape,
                                                     uint32_t slot_max) {
    nigh_index *index = nighi_arena_take(arena, 1, sizeof *index);
    if (index != NULL) {
        *index = *shape;
        index->slot_max = slot_max;
    }
    for (uint32_t i = 0; i < NIGHI_REGION_COUNT; i++) {
        const uint32_t block_max = nighi_block_max(shape, i, slot_max);
        uint8_t **table = nighi_arena_take(arena, block_max, sizeof *table);
        if (index != NULL) {
            index->regions[i].table = table;
            index->regions[i].block_max = block_max;
        }
    }
    return index;
}

/* Apart from its callers, whose shape fills nearly all that a stack frame may take. */
static NIGHI_NOINLINE uint64_t nighi_layout_bytes(const nigh_index *shape) {
    nighi_arena arena = {NULL, 0};
    (void)nighi_index_layout(&arena, shape, shape->slot_max);
    return nighi_arena_bytes(&arena);
}

static NIGHI_NOINLINE void nighi_shape(nigh_index *shape, const nigh_config *config,
                                       const nighi_counts *counts) {
    nighi_fill(shape, 0, sizeof *shape);
    shape->config = *config;
    shape->counts = *counts;
    const uint32_t mode = nighi_fp_enter();
    nighi_code_span(config, config->code_min, config->code_max, &shape->coding);
    /* With a span given codes begin at once; U7 without one, and B1's threshold, need a sample. */
    shape->coding.active = config->codes == NIGH_CODES_U7 && config->code_min < config->code_max;
    nighi_fp_leave(mode);
    nighi_regions_shape(shape->regions, config);
}

static const nighi_counts nighi_counts_empty = {0, 0, 0, NIGHI_NONE, 0, 0, 0, 0};

NIGHI_FN uint64_t nighi_index_bytes(const nigh_config *config, const nigh_options *options) {
    nigh_index shape;
    nighi_shape(&shape, config, &nighi_counts_empty);
    shape.slot_max = options->slot_max;
    shape.upper_extra = options->upper_extra;
    return nighi_layout_bytes(&shape);
}

/* Which kernels: all that the machine has, or what the caller allows of them. */
static nigh_status nighi_features_choose(uint32_t asked, uint32_t *features) {
    uint32_t there = nighi_cpu_detect();
#if defined(__aarch64__)
    there |= NIGH_CPU_DOTPROD; /* only an operating system can tell: the caller's promise */
    const uint32_t all = nighi_cpu_detect();
#else
    const uint32_t all = there;
#endif
    if ((asked & ~there) != 0) {
        return NIGH_E_UNSUPPORTED;
    }
    *features = (asked == 0 ? all : asked) | NIGH_CPU_SCALAR;
#if NIGHI_TSAN
    *features = NIGH_CPU_SCALAR; /* the one level whose racy reads are atomic */
#endif
    return NIGH_OK;
}

static nigh_status nighi_handle_begin(const nigh_options *options, nigh_index *shape) {
    const uint32_t mode = nighi_fp_enter();
    const bool exact = nighi_fp_selftest();
    nighi_fp_leave(mode);
    return exact ? nighi_features_choose(options->features, &shape->features) : NIGH_E_BUILD;
}

/* shape->slot_max is set. */
static NIGHI_NOINLINE nigh_status nighi_handle_make(nigh_index *shape, const nigh_options *options,
                                                    void *memory, uint64_t memory_bytes,
                                                    nigh_index **index) {
    nighi_arena arena = {NULL, 0};
    const nigh_status status = nighi_handle_begin(options, shape);
    if (status != NIGH_OK) {
        return status;
    }
    (void)nighi_index_layout(&arena, shape, shape->slot_max);
    if (!nighi_memory_fits(memory, memory_bytes, nighi_arena_bytes(&arena))) {
        return NIGH_E_MEMORY;
    }
    arena = (nighi_arena){memory, 0};
    shape->flags = options->flags;
    *index = nighi_index_layout(&arena, shape, shape->slot_max);
    nighi_source source = {0};
    if ((*index)->config.vectors == NIGH_VECTORS_OWNED) {
        source.kind = NIGHI_SOURCE_OWNED;
    }
    nighi_source_set(*index, &source, 0);
    return NIGH_OK;
}

NIGHI_FN nigh_status nighi_index_init(const nigh_config *config, const nigh_options *options,
                                      void *memory, uint64_t memory_bytes, nigh_index **index) {
    nigh_index shape;
    nighi_shape(&shape, config, &nighi_counts_empty);
    shape.slot_max = options->slot_max;
    shape.upper_extra = options->upper_extra;
    return nighi_handle_make(&shape, options, memory, memory_bytes, index);
}

/* Reads the header; shape->slot_max: what options->slot_max stands for. */
static NIGHI_NOINLINE nigh_status nighi_attach_begin(const void *image, uint64_t image_bytes,
                                                     bool paged, const nigh_options *options,
                                                     nigh_index *shape) {
    nighi_image_header header;
    nigh_config config;
    const nigh_status status =
        paged ? nighi_header_paged_read(image, image_bytes, &header, &config)
              : nighi_image_read(image, image_bytes, options->flags, &header, &config);
    if (status != NIGH_OK) {
        return status;
    }
    if (!nighi_config_supported(&config) || (!NIGHI_HAS_PACKED && header.packed != 0)) {
        return NIGH_E_UNSUPPORTED;
    }
    nighi_shape(shape, &config, &header.counts);
    if (header.packed != 0) {
        shape->packed = (uint16_t)nighi_slot_bits(header.counts.slot_count);
        nighi_regions_pack(shape->regions, &config, &header.counts);
    }
    shape->slot_max = options->slot_max == 0 ? header.counts.slot_count : options->slot_max;
    if (shape->slot_max < header.counts.slot_count) {
        return NIGH_E_INVALID;
    }
    nighi_header_coding(&header, &config, &shape->coding);
    shape->image_bytes = header.image_bytes;
    shape->opened = header.state == NIGHI_IMAGE_OPEN;
    return NIGH_OK;
}

NIGHI_FN nigh_status nighi_attach_bytes(const void *image, uint64_t image_bytes,
                                        const nigh_options *options, uint64_t *bytes) {
    nigh_index shape;
    const bool paged = nighi_header_paged(image, image_bytes);
    const nigh_status status = nighi_attach_begin(image, image_bytes, paged, options, &shape);
    if (status == NIGH_OK) {
        *bytes = nighi_layout_bytes(&shape);
    }
    return status;
}

/* Codes that are not made yet have no memory: the job that makes them brings it. */
static void nighi_attach_uncoded(nigh_index *index) {
    if (index->coding.active == 0 && index->counts.slot_count > 0) {
        index->regions[NIGHI_CODE].stride = 0;
    }
}

/* Every block gets its address inside the image. */
static void nighi_attach_regions(nigh_index *index, uint8_t *image) {
    const nighi_image_header *header = (const nighi_image_header *)(const void *)image;
    index->image = image;
    for (uint32_t i = 0; i < NIGHI_REGION_COUNT; i++) {
        nighi_region *region = &index->regions[i];
        const nighi_image_region *place = &header->regions[i];
        for (uint32_t block = 0; block < place->block_count; block++) {
            region->table[block] =
                image + place->offset + ((uint64_t)block << region->shift) * region->stride;
        }
        region->block_count = place->block_count;
        region->capacity = (uint32_t)place->records;
        region->base = place->block_count > 0 ? image + place->offset : NULL;
    }
    nighi_attach_uncoded(index);
}

/* What follows once the header holds. */
static NIGHI_NOINLINE nigh_status nighi_attach_image(nigh_index *shape, uint8_t *image,
                                                     const nigh_options *options, void *memory,
                                                     uint64_t memory_bytes, nigh_index **index) {
    nigh_status status = NIGH_OK;
    if (((uintptr_t)image & (NIGHI_CACHE_LINE - 1)) != 0) {
        return NIGH_E_MEMORY;
    }
    if ((options->flags & NIGH_OPEN_VERIFY) != 0 && shape->opened == 0) {
        uint64_t checked = 0;
        status = nighi_image_verify(image, (const nighi_image_header *)(void *)image, &checked);
    }
    if (status == NIGH_OK) {
        status = nighi_handle_make(shape, options, memory, memory_bytes, index);
    }
    if (status == NIGH_OK) {
        nighi_attach_regions(*index, image);
    }
    return status;
}

NIGHI_FN nigh_status nighi_attach(void *image, uint64_t image_bytes, const nigh_options *options,
                                  void *memory, uint64_t memory_bytes, nigh_index **index) {
    nigh_index shape;
    const nigh_status status = nighi_attach_begin(image, image_bytes, false, options, &shape);
    return status == NIGH_OK
               ? nighi_attach_image(&shape, image, options, memory, memory_bytes, index)
               : status;
}

/* Every block in use gets its address from the pager, whole blocks all of them. */
static NIGHI_NOINLINE nigh_status nighi_attach_mapped(nigh_index *index) {
    for (uint32_t i = 0; i < NIGHI_REGION_COUNT; i++) {
        nighi_region *region = &index->regions[i];
        const bool absent = region->stride == 0 || (i == NIGHI_CODE && index->coding.active == 0);
        const uint64_t whole = (uint64_t)1 << region->shift;
        const uint64_t records = absent ? 0 : nighi_records_live(&index->counts, i, false);
        const nigh_status status =
            nighi_region_map(index, i, (uint32_t)((records + whole - 1) >> region->shift));
        if (status != NIGH_OK) {
            return status;
        }
    }
    nighi_attach_uncoded(index);
    return NIGH_OK;
}

NIGHI_FN nigh_status nighi_attach_blocks(const void *header, uint64_t header_bytes,
                                         const nigh_options *options, const nighi_pager *pager,
                                         void *memory, uint64_t memory_bytes, nigh_index **index) {
    nigh_index shape;
    nigh_status status = nighi_attach_begin(header, header_bytes, true, options, &shape);
    if (status == NIGH_OK) {
        shape.pager = *pager;
        shape.image_bytes = 0;
        shape.paged = 1;
        status = nighi_handle_make(&shape, options, memory, memory_bytes, index);
    }
    return status == NIGH_OK ? nighi_attach_mapped(*index) : status;
}

NIGHI_FN void nighi_source_set(nigh_index *index, const nighi_source *source,
                               uint32_t trailer_offset) {
    const nigh_config *config = &index->config;
    const uint32_t row_bytes = (uint32_t)nighi_row_bytes(config->dim, config->dtype);
    const nigh_distance_fn custom = index->metric.custom;
    void *custom_user = index->metric.custom_user;
    index->source = *source;
    if (source->kind != NIGHI_SOURCE_BORROWED) {
        trailer_offset =
            NIGHI_HAS_BYTES && config->dtype == NIGH_DTYPE_I8 ? row_bytes - 8 : 0;
    }
    if (source->kind == NIGHI_SOURCE_OWNED &&
        nighi_trailer_bytes(config->metric, config->dtype) != 0) {
        trailer_offset = (uint32_t)nighi_round_up(row_bytes, 4);
    }
    nighi_metric_init(&index->metric, config->metric, config->dtype, config->dim, trailer_offset,
                      index->features);
    index->metric.custom = custom;
    index->metric.custom_user = custom_user;
}

/* ---- Writer state --------------------------------------------------------------------------- */

static nighi_writer *nighi_writer_layout(nighi_arena *arena, const nigh_index *index) {
    uint32_t stripes = NIGHI_STRIPES_MIN;
    while (stripes < NIGHI_STRIPES_MAX && stripes < index->slot_max / 8) {
        stripes *= 2;
    }
    nighi_writer *writer = nighi_arena_take(arena, 1, sizeof *writer);
    uint32_t *rows = nighi_arena_take(arena, stripes, 4);
    uint32_t *slots = nighi_arena_take(arena, stripes, 4);
    uint32_t *claim = nighi_arena_take(arena, stripes, 4);
    if (writer != NULL) {
        writer->stripe_mask = stripes - 1;
        writer->rows = rows;
        writer->slots = slots;
        writer->claim = claim;
    }
    for (uint32_t i = 0; i < NIGHI_REGION_COUNT; i++) {
        uint32_t *dirty = nighi_arena_take(arena, (index->regions[i].block_max + 31) / 32, 4);
        if (writer != NULL) {
            writer->dirty[i] = dirty;
        }
    }
    return writer;
}

NIGHI_FN uint64_t nighi_writer_bytes(const nigh_index *index) {
    nighi_arena arena = {NULL, 0};
    (void)nighi_writer_layout(&arena, index);
    return nighi_arena_bytes(&arena);
}

NIGHI_FN nigh_status nighi_writer_init(nigh_index *index, void *memory, uint64_t memory_bytes) {
    const uint64_t bytes = nighi_writer_bytes(index);
    const bool attached = index->image != NULL || index->paged != 0;
    if (attached && ((index->flags & NIGH_OPEN_WRITABLE) == 0 || index->opened != 0 ||
                     nighi_packed(index))) {
        return NIGH_E_READ_ONLY;
    }
    if (index->job != NULL) {
        return NIGH_E_BUSY; /* it began without: writers would not keep away */
    }
    if (!nighi_memory_fits(memory, memory_bytes, bytes)) {
        return NIGH_E_MEMORY;
    }
    nighi_arena arena = {memory, 0};
    nighi_fill(memory, 0, bytes);
    if (index->writer != NULL) {
        nighi_unfollow(index); /* what its bits said is lost */
    }
    index->writer = nighi_writer_layout(&arena, index);
    return NIGH_OK;
}
