/* hnswlib_read.c - an index from a file of hnswlib
 * layer L14; uses: hnswlib, blocks, fp, graph, image, keymap, metric, mutate, num
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Everything is stored into records that no slot count reaches yet, and verified on the way: first
 * the layers of all nodes, since links are compared with them, then links, keys and vectors. Only
 * then counts and entry point say that it is there. */
#include "blocks.h"
#include "fp.h"
#include "graph.h"
#include "hnswlib.h"
#include "image.h"
#include "keymap.h"
#include "mutate.h"
#include "num.h"

/* Tells the pager of every block; it may move them. */
static nigh_status nighi_import_touch(nigh_index *index, uint32_t count, uint32_t upper) {
    nigh_status status = NIGH_OK;
    for (uint32_t i = 0; i < NIGHI_REGION_COUNT && index->pager.dirty != NULL; i++) {
        const uint32_t records = i == NIGHI_UPPER ? upper : count;
        const uint32_t step = 1u << index->regions[i].shift;
        for (uint32_t at = 0; at < records && status == NIGH_OK; at += step) {
            status = nighi_touch(index, i, at);
        }
    }
    return status;
}

/* Node words, and which upper records belong together. The file may be mapped and change under
 * us: there is room for upper_max lists, whatever it says now. */
static nigh_status nighi_import_nodes(nigh_index *index, const nighi_hnswlib *from,
                                      uint32_t upper_max) {
    nighi_hnswlib_above above;
    uint32_t upper = 0;
    nighi_hnswlib_above_begin(from, &above);
    for (uint32_t slot = 0; slot < from->count; slot++) {
        const nigh_status status = nighi_hnswlib_above_next(from, &above);
        if (status != NIGH_OK || above.levels > upper_max - upper) {
            return status != NIGH_OK ? status : NIGH_E_CORRUPT;
        }
        nighi_store(nighi_word(&index->regions[NIGHI_NODE], slot),
                    above.levels == 0 ? NIGHI_UPPER_NONE : upper);
        for (uint32_t level = 1; level <= above.levels; level++) {
            nighi_store(nighi_word(&index->regions[NIGHI_UPPER], upper++),
                        level < above.levels ? NIGHI_LINK_MARK : 0);
        }
    }
    return NIGH_OK;
}

/* One list: links in range, to others, once each, to nodes of that layer. Nodes that were seen in
 * this list are marked in their word meanwhile. */
static nigh_status nighi_import_list(nigh_index *index, const nighi_hnswlib *from, uint32_t slot,
                                     uint32_t level, const uint8_t *list) {
    const nighi_region *nodes = &index->regions[NIGHI_NODE];
    const uint32_t degree_max = nighi_degree_max(index, level);
    const uint32_t head = nighi_load_u32(list);
    const uint32_t count = head & 0xffff;
    const uint32_t more = level > 0 ? nighi_load(nighi_row(index, slot, level)) : 0;
    uint32_t *row = nighi_row(index, slot, level);
    nigh_status status = NIGH_OK;
    uint32_t good = 0;
    if (count > degree_max || head >> 16 > (level == 0 ? NIGHI_HNSWLIB_DELETED : 0)) {
        return NIGH_E_CORRUPT;
    }
    for (; good < count && status == NIGH_OK; good += status == NIGH_OK) {
        const uint32_t to = nighi_load_u32(list + NIGHI_HNSWLIB_LINKS + (size_t)good * 4);
        uint32_t *word = to < from->count ? nighi_word(nodes, to) : NULL;
        if (word == NULL || to == slot || (*word & NIGHI_NODE_ABSENT) != 0 ||
            (level > 0 && nighi_level(index, to) < level)) {
            status = NIGH_E_CORRUPT;
        } else {
            *word |= NIGHI_NODE_ABSENT;
            row[good] = to;
        }
    }
    for (uint32_t i = 0; i < degree_max; i++) {
        if (i < good) {
            *nighi_word(nodes, row[i]) &= ~NIGHI_NODE_ABSENT;
        } else {
            row[i] = NIGHI_LINK_END;
        }
    }
    row[0] |= more & NIGHI_LINK_MARK;
    return status;
}

static nigh_status nighi_import_links(nigh_index *index, const nighi_hnswlib *from,
                                      uint32_t *deleted) {
    const uint32_t list_bytes = NIGHI_HNSWLIB_LINKS + from->m * 4;
    nigh_status status = NIGH_OK;
    nighi_hnswlib_above above;
    nighi_hnswlib_above_begin(from, &above);
    for (uint32_t slot = 0; slot < from->count && status == NIGH_OK; slot++) {
        const uint8_t *element = nighi_hnswlib_element(from, slot);
        status = nighi_import_list(index, from, slot, 0, element);
        if (status == NIGH_OK) {
            status = nighi_hnswlib_above_next(from, &above);
        }
        if (status == NIGH_OK && above.levels != nighi_level(index, slot)) {
            status = NIGH_E_CORRUPT; /* it was another when nodes were made */
        }
        const uint8_t *list = from->file + (size_t)above.lists;
        for (uint32_t level = 1; level <= above.levels && status == NIGH_OK; level++) {
            status = nighi_import_list(index, from, slot, level, list);
            list += list_bytes;
        }
        if (status == NIGH_OK && (element[2] & NIGHI_HNSWLIB_DELETED) != 0) {
            nighi_or(nighi_word(&index->regions[NIGHI_NODE], slot), NIGHI_NODE_REMOVED);
            ++*deleted;
        }
    }
    return status;
}

/* Slots rise, so each goes to the end of its chain; the same key would be before it. */
static nigh_status nighi_import_key(nigh_index *index, uint32_t slot, uint64_t label,
                                    uint32_t buckets) {
    const nighi_key key = {.value = label};
    nighi_keymap_enter(index, slot, &key, buckets);
    uint32_t at = nighi_load(nighi_keymap_head(index, nighi_keymap_bucket(index, slot, buckets)));
    for (uint32_t steps = 0; at != slot; steps++) {
        if (steps == NIGHI_CHAIN_MAX || nighi_key_value(index, at) == label) {
            return NIGH_E_CORRUPT;
        }
        at = nighi_load(nighi_keymap_next(index, at));
    }
    return NIGH_OK;
}

static nigh_status nighi_import_keys(nigh_index *index, const nighi_hnswlib *from) {
    const bool identity = index->config.keys == NIGH_KEYS_IDENTITY;
    nigh_status status = NIGH_OK;
    for (uint32_t slot = 0; slot < from->count && !identity; slot++) {
        nighi_store(nighi_keymap_head(index, slot), NIGHI_NONE);
    }
    for (uint32_t slot = 0; slot < from->count && status == NIGH_OK; slot++) {
        const uint64_t label = nighi_hnswlib_label(from, slot);
        if (!identity) {
            status = nighi_import_key(index, slot, label, from->count);
        } else if (label != slot) {
            status = NIGH_E_KEY;
        }
    }
    return status;
}

static nigh_status nighi_import_vectors(nigh_index *index, const nighi_hnswlib *from) {
    const nighi_metric *metric = &index->metric;
    const nighi_region *region = &index->regions[NIGHI_VECTOR];
    nigh_status status = NIGH_OK;
    for (uint32_t slot = 0; region->stride != 0 && slot < from->count && status == NIGH_OK;
         slot++) {
        uint8_t *to = nighi_record(region, slot);
        nighi_copy(to, nighi_hnswlib_element(from, slot) + from->vector_offset, metric->row_bytes);
        nighi_fill(to + metric->row_bytes, 0, region->stride - metric->row_bytes);
        status = nighi_row_check(metric, to);
        if (status == NIGH_OK && nighi_trailer_bytes(metric->metric, metric->dtype) != 0) {
            nighi_trailer_make(metric, to, to + metric->trailer_offset);
        }
    }
    return status;
}

/* Is it an index for such a file, and is there room? */
static nigh_status nighi_import_fits(const nigh_index *index, const nighi_hnswlib *from,
                                     uint32_t upper) {
    const nigh_config *config = &index->config;
    if (index->counts.slot_count != 0) {
        return NIGH_E_INVALID;
    }
    if (config->m != from->m || config->m0 != from->m0 || config->keys == NIGH_KEYS_BYTES ||
        config->codes != NIGH_CODES_NONE) {
        return NIGH_E_MISMATCH;
    }
    const nighi_region *above = &index->regions[NIGHI_UPPER];
    return from->count > nighi_slot_capacity(index) || upper > above->capacity ? NIGH_E_FULL
                                                                               : NIGH_OK;
}

/* From here on it is an index like any other. */
static void nighi_import_publish(nigh_index *index, const nighi_hnswlib *from, uint32_t deleted) {
    nighi_writer *writer = index->writer;
    const uint32_t flags = index->config.build_flags & ~(uint32_t)NIGH_BUILD_UNROOTED;
    const uint32_t version = nighi_lock(&writer->alloc);
    nighi_map_change(index);
    nighi_store(&index->config.build_flags,
                flags | (from->count > 1 ? (uint32_t)NIGH_BUILD_UNROOTED : 0));
    nighi_store(&index->counts.deleted_count, deleted);
    nighi_store(&index->counts.root, 0u);
    nighi_store_release(&index->counts.slot_count, from->count);
    nighi_store_release(&index->counts.entry, from->entry);
    nighi_map_change(index);
    writer->deleted_hint = 0;
    nighi_store(&index->changed, 1u);
    nighi_unlock(&writer->alloc, version, true);
}

NIGHI_FN nigh_status nighi_hnswlib_read(nigh_index *index, const void *file, uint64_t bytes) {
    nighi_hnswlib from;
    nigh_config config = index->config;
    nigh_hnswlib facts;
    uint32_t deleted = 0;
    nigh_status status = nighi_hnswlib_config(file, bytes, &config, &facts);
    if (status == NIGH_OK) {
        status = nighi_hnswlib_open(file, bytes, index->metric.row_bytes,
                                    index->config.vectors == NIGH_VECTORS_EXTERNAL, &from);
    }
    if (status == NIGH_OK) {
        status = nighi_import_fits(index, &from, facts.upper_count);
    }
    if (status == NIGH_OK) {
        status = nighi_import_touch(index, from.count, facts.upper_count);
    }
    if (status != NIGH_OK) {
        return status;
    }
    const uint32_t mode = nighi_fp_enter();
    const uint32_t version = nighi_lock(&index->writer->alloc);
    nighi_image_open(index);
    nighi_store(&index->counts.upper_count, facts.upper_count); /* layers can be read from now on */
    nighi_unlock(&index->writer->alloc, version, true);
    status = nighi_import_nodes(index, &from, facts.upper_count);
    status = status == NIGH_OK ? nighi_import_links(index, &from, &deleted) : status;
    status = status == NIGH_OK ? nighi_import_keys(index, &from) : status;
    status = status == NIGH_OK ? nighi_import_vectors(index, &from) : status;
    if (status == NIGH_OK) {
        nighi_import_publish(index, &from, deleted);
    } else {
        nighi_store(&index->counts.upper_count, 0u);
    }
    nighi_fp_leave(mode);
    return status;
}
