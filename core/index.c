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

/* Lays out the block tables behind the handle, which has its shape; what all of it takes. With
 * `place` false it only counts. */
static uint64_t nighi_tables_layout(nigh_index *index, bool place) {
    nighi_arena arena = {place ? index : NULL, sizeof *index};
    for (uint32_t i = 0; NIGHI_HAS_TABLES && i < NIGHI_REGION_COUNT; i++) {
        const uint32_t block_max = nighi_block_max(index, i, index->slot_max);
        uint8_t **table = nighi_arena_take(&arena, block_max, sizeof *table);
        if (place) {
            index->regions[i].table = table;
            index->regions[i].block_max = block_max;
        }
    }
    return nighi_arena_bytes(&arena);
}

static NIGHI_NOINLINE void nighi_shape(nigh_index *shape, const nigh_config *config,
                                       const nighi_counts *counts, uint32_t slot_max) {
    nighi_fill(shape, 0, sizeof *shape);
    shape->config = *config;
    shape->counts = *counts;
    shape->slot_max = slot_max;
    nighi_regions_shape(shape->regions, config);
}

/* The handle of an empty index. */
static void nighi_shape_empty(nigh_index *shape, const nigh_config *config,
                              const nigh_options *options) {
    const nighi_counts empty = {.entry = NIGHI_NONE};
    nighi_shape(shape, config, &empty, options->slot_max);
    shape->upper_extra = options->upper_extra;
    const uint32_t mode = nighi_fp_enter();
    nighi_code_span(config, config->code_min, config->code_max, &shape->coding);
    nighi_fp_leave(mode);
    /* With a span given codes begin at once; U7 without one, and B1's threshold, need a sample. */
    shape->coding.active = config->codes == NIGH_CODES_U7 &&
                           nighi_f32_rank(config->code_min) < nighi_f32_rank(config->code_max);
}

NIGHI_FN uint64_t nighi_index_bytes(const nigh_config *config, const nigh_options *options) {
    nigh_index shape;
    nighi_shape_empty(&shape, config, options);
    return nighi_tables_layout(&shape, false);
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

/* Makes a handle of a shape that lies in its memory. */
static nigh_status nighi_handle_make(nigh_index *index, const nigh_options *options,
                                     uint64_t memory_bytes) {
    nighi_source source = {0};
    const nigh_status status = nighi_handle_begin(options, index);
    if (status != NIGH_OK) {
        return status;
    }
    if (memory_bytes < nighi_tables_layout(index, false)) {
        return NIGH_E_MEMORY;
    }
    (void)nighi_tables_layout(index, true);
    index->flags = options->flags;
    if (index->config.vectors == NIGH_VECTORS_OWNED) {
        source.kind = NIGHI_SOURCE_OWNED;
    }
    nighi_source_set(index, &source, 0);
    return NIGH_OK;
}

NIGHI_FN nigh_status nighi_index_init(const nigh_config *config, const nigh_options *options,
                                      void *memory, uint64_t memory_bytes, nigh_index **index) {
    if (!nighi_memory_fits(memory, memory_bytes, sizeof **index)) {
        return NIGH_E_MEMORY;
    }
    nighi_shape_empty(memory, config, options);
    const nigh_status status = nighi_handle_make(memory, options, memory_bytes);
    *index = status == NIGH_OK ? memory : *index;
    return status;
}

/* What a header says, as configuration; `image`: what the checksums behind it are in, NULL: they
 * are elsewhere. */
static nigh_status nighi_attach_check(const nighi_image_header *header, const void *image,
                                      uint64_t image_bytes, const nigh_options *options,
                                      nigh_config *config) {
    const uint8_t *table = image == NULL ? NULL : (const uint8_t *)image + sizeof *header;
    const nigh_status status =
        image == NULL ? nighi_header_paged_read(header, image_bytes, config)
                      : nighi_image_read(header, table, image_bytes, options->flags, config);
    if (status != NIGH_OK) {
        return status;
    }
    if (options->slot_max != 0 && options->slot_max < header->counts.slot_count) {
        return NIGH_E_INVALID;
    }
    return NIGH_OK;
}

/* The shape of a handle over what a valid header says. */
static void nighi_attach_shape(const nighi_image_header *header, const nigh_config *config,
                               const nigh_options *options, nigh_index *shape) {
    const uint32_t slots = header->counts.slot_count;
    const uint32_t slot_max = options->slot_max == 0 || !NIGHI_HAS_CHANGES ? slots
                                                                           : options->slot_max;
    nighi_shape(shape, config, &header->counts, slot_max);
    if (NIGHI_HAS_PACKED && header->packed != 0) {
        shape->packed = (uint16_t)nighi_slot_bits(slots);
        nighi_regions_pack(shape->regions, config, &header->counts);
    }
    nighi_header_coding(header, config, &shape->coding);
    shape->image_bytes = header->image_bytes;
    shape->opened = header->state == NIGHI_IMAGE_OPEN;
}

/* Apart, so that only it has a header and a handle in its frame. */
static NIGHI_NOINLINE uint64_t nighi_attach_shape_bytes(const nighi_image_header *header,
                                                        const nigh_config *config,
                                                        const nigh_options *options) {
    nigh_index shape;
    if (!NIGHI_HAS_TABLES) {
        return nighi_round_up(sizeof shape, 8);
    }
    nighi_attach_shape(header, config, options, &shape);
    return nighi_tables_layout(&shape, false);
}

static nigh_status nighi_attach_bytes_at(const nighi_image_header *header, const void *image,
                                         uint64_t image_bytes, const nigh_options *options,
                                         uint64_t *bytes) {
    nigh_config config;
    const bool paged = NIGHI_HAS_PAGER && nighi_header_paged(header, image_bytes);
    const nigh_status status =
        nighi_attach_check(header, paged ? NULL : image, image_bytes, options, &config);
    if (status == NIGH_OK) {
        *bytes = nighi_attach_shape_bytes(header, &config, options);
    }
    return status;
}

/* A header that lies where no structure can. */
static NIGHI_NOINLINE nigh_status nighi_attach_bytes_copy(const void *image, uint64_t image_bytes,
                                                          const nigh_options *options,
                                                          uint64_t *bytes) {
    nighi_image_header copy;
    if (image_bytes < sizeof copy) {
        return NIGH_E_FORMAT;
    }
    nighi_copy(&copy, image, sizeof copy);
    return nighi_attach_bytes_at(&copy, image, image_bytes, options, bytes);
}

NIGHI_FN nigh_status nighi_attach_bytes(const void *image, uint64_t image_bytes,
                                        const nigh_options *options, uint64_t *bytes) {
    if (((uintptr_t)image & 7) == 0) {
        return nighi_attach_bytes_at(image, image, image_bytes, options, bytes);
    }
    return NIGHI_HAS_TABLES ? nighi_attach_bytes_copy(image, image_bytes, options, bytes)
                            : NIGH_E_MEMORY;
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
        for (uint32_t block = 0; NIGHI_HAS_TABLES && block < place->block_count; block++) {
            region->table[block] =
                image + place->offset + ((uint64_t)block << region->shift) * region->stride;
        }
        region->block_count = place->block_count;
        region->capacity = (uint32_t)place->records;
        region->base = place->block_count > 0 ? image + place->offset : NULL;
    }
    nighi_attach_uncoded(index);
}

NIGHI_FN nigh_status nighi_attach(void *image, uint64_t image_bytes, const nigh_options *options,
                                  void *memory, uint64_t memory_bytes, nigh_index **index) {
    const nighi_image_header *header = image;
    nigh_index *made = memory;
    nigh_config config;
    if (((uintptr_t)image & (NIGHI_CACHE_LINE - 1)) != 0 ||
        !nighi_memory_fits(memory, memory_bytes, sizeof *made)) {
        return NIGH_E_MEMORY;
    }
    nigh_status status = nighi_attach_check(header, image, image_bytes, options, &config);
    if (status == NIGH_OK && (options->flags & NIGH_OPEN_VERIFY) != 0 &&
        header->state != NIGHI_IMAGE_OPEN) {
        uint64_t checked = 0;
        status = nighi_image_verify(image, header, &checked);
    }
    if (status == NIGH_OK) {
        nighi_attach_shape(header, &config, options, made);
        status = nighi_handle_make(made, options, memory_bytes);
    }
    if (status == NIGH_OK) {
        nighi_attach_regions(made, image);
        *index = made;
    }
    return status;
}

/* Every block in use gets its address from the pager, whole blocks all of them. */
static NIGHI_NOINLINE nigh_status nighi_attach_mapped(nigh_index *index) {
    for (uint32_t i = 0; i < NIGHI_REGION_COUNT; i++) {
        nighi_region *region = &index->regions[i];
        const bool absent = region->stride == 0 || (i == NIGHI_CODE && index->coding.active == 0);
        const uint32_t records = absent ? 0 : nighi_records_live(&index->counts, i, false);
        const nigh_status status =
            nighi_region_map(index, i, nighi_blocks_of(records, region->shift));
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
    nighi_image_header copy;
    nigh_index *made = memory;
    nigh_config config;
    nighi_copy(&copy, header, nighi_min_u64(header_bytes, sizeof copy));
    nigh_status status = nighi_attach_check(&copy, NULL, header_bytes, options, &config);
    if (status == NIGH_OK && !nighi_memory_fits(memory, memory_bytes, sizeof *made)) {
        status = NIGH_E_MEMORY;
    }
    if (status == NIGH_OK) {
        nighi_attach_shape(&copy, &config, options, made);
        made->pager = *pager;
        made->image_bytes = 0;
        made->paged = 1;
        status = nighi_handle_make(made, options, memory_bytes);
    }
    if (status == NIGH_OK) {
        status = nighi_attach_mapped(made);
    }
    *index = status == NIGH_OK ? made : *index;
    return status;
}

NIGHI_FN void nighi_source_set(nigh_index *index, const nighi_source *source,
                               uint32_t trailer_offset) {
    const nigh_config *config = &index->config;
    const uint32_t row_bytes = nighi_row_bytes(config->dim, config->dtype);
    const nigh_distance_fn custom = index->metric.custom;
    void *custom_user = index->metric.custom_user;
    index->source = *source;
    if (source->kind != NIGHI_SOURCE_BORROWED) {
        trailer_offset =
            NIGHI_HAS_BYTES && config->dtype == NIGH_DTYPE_I8 ? row_bytes - 8 : 0;
    }
    if (source->kind == NIGHI_SOURCE_OWNED &&
        nighi_trailer_bytes(config->metric, config->dtype) != 0) {
        trailer_offset = nighi_round_up_u32(row_bytes, 4);
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
    if (!nighi_config_changes(&index->config) ||
        (!NIGHI_HAS_MOVES && index->counts.free_count != 0)) {
        return NIGH_E_UNSUPPORTED;
    }
    if (index->writer != NULL) {
        nighi_unfollow(index); /* what its bits said is lost */
    }
    index->writer = nighi_writer_layout(&arena, index);
    return NIGH_OK;
}
