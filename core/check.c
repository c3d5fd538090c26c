/* check.c - proves that an index is sound, in one pass, and never prints
 * layer L13; uses: check, bits, code, fp, graph, image, keymap, source
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Reachability needs no traversal: a node with a valid parent edge hangs below an older node that
 * has one too, down to the root, and links back to its parent. So each node is seen once. */
#include "check.h"
#include "bits.h"
#include "code.h"
#include "fp.h"
#include "graph.h"
#include "image.h"
#include "keymap.h"
#include "source.h"

static bool nighi_fault(nigh_report *report, uint32_t fault, uint32_t slot, uint32_t level) {
    if (report->status == NIGH_OK) {
        report->status = NIGH_E_CORRUPT;
        report->fault = fault;
        report->slot = slot;
        report->level = level;
    }
    return false;
}

/* Behind the links of a packed row: nothing but zeros to the end of its words. */
static bool nighi_check_row_end(const nigh_index *index, uint32_t slot, uint32_t level,
                                nigh_report *report) {
    const uint32_t used = nighi_degree_max(index, level) * index->packed;
    if (!nighi_packed(index) || used % 32 == 0) {
        return true;
    }
    return nighi_packed_place(index, slot, level)[used / 32] >> used % 32 == 0 ||
           nighi_fault(report, NIGHI_FAULT_PADDING, slot, level);
}

/* Links of one row: in range, once each, to present nodes of that layer, then end marks only. */
static bool nighi_check_row(const nigh_index *index, nigh_session *session, uint32_t slot,
                            uint32_t level, nigh_report *report) {
    const uint32_t degree_max = nighi_degree_max(index, level);
    const uint32_t *row = nighi_links(index, slot, level, session->unpacked);
    uint32_t count = 0;
    if (row == NULL) {
        return nighi_fault(report, NIGHI_FAULT_UPPER, slot, level);
    }
    while (count < degree_max && nighi_link_slot(row[count]) != NIGHI_LINK_END) {
        const uint32_t to = nighi_link_slot(row[count]);
        if (to >= index->counts.slot_count || to == slot) {
            return nighi_fault(report, NIGHI_FAULT_LINK_RANGE, slot, level);
        }
        if (!nighi_node_present(nighi_node_word(index, to))) {
            return nighi_fault(report, NIGHI_FAULT_LINK_ABSENT, slot, level);
        }
        if (nighi_links_find(row, count, to) != NIGHI_NONE) {
            return nighi_fault(report, NIGHI_FAULT_LINK_TWICE, slot, level);
        }
        if (level > 0 && nighi_level(index, to) < level) {
            return nighi_fault(report, NIGHI_FAULT_LINK_LEVEL, slot, level);
        }
        count++;
    }
    report->link_count += count;
    for (uint32_t i = count; i < degree_max; i++) {
        if (nighi_link_slot(row[i]) != NIGHI_LINK_END ||
            (row[i] != NIGHI_LINK_END && (level == 0 || i > 0))) {
            return nighi_fault(report, NIGHI_FAULT_ROW_TAIL, slot, level);
        }
    }
    return nighi_check_row_end(index, slot, level, report);
}

/* Link 0 of a row of layer 0. */
static uint32_t nighi_check_first(const nigh_index *index, uint32_t slot) {
    const uint32_t *row = nighi_row0(index, slot);
    return nighi_packed(index) ? nighi_packed_link(index, row, 0) : nighi_link_slot(row[0]);
}

static bool nighi_check_parent(const nigh_index *index, nigh_session *session, uint32_t slot,
                               nigh_report *report) {
    const uint32_t parent = nighi_check_first(index, slot);
    if (slot == index->counts.root) {
        return true;
    }
    if (parent >= slot || !nighi_node_present(nighi_node_word(index, parent))) {
        report->unreachable++;
        return nighi_fault(report, NIGHI_FAULT_PARENT, slot, 0);
    }
    const uint32_t *row = nighi_links(index, parent, 0, session->unpacked);
    const uint32_t at = nighi_links_find(row, index->config.m0, slot);
    if (at == NIGHI_NONE || (!nighi_packed(index) && row[at] >> 31 == 0)) {
        report->unreachable++;
        return nighi_fault(report, NIGHI_FAULT_PARENT, slot, 0);
    }
    return true;
}

static bool nighi_check_children(const nigh_index *index, nigh_session *session, uint32_t slot,
                                 nigh_report *report) {
    const uint32_t *row = nighi_links(index, slot, 0, session->unpacked);
    uint32_t children = 0;
    for (uint32_t i = 0; i < index->config.m0 && nighi_link_slot(row[i]) != NIGHI_LINK_END; i++) {
        const uint32_t child = nighi_link_slot(row[i]);
        const bool its = child != index->counts.root && nighi_check_first(index, child) == slot;
        const bool marked = nighi_packed(index) ? its : row[i] >> 31 != 0;
        children += marked;
        if (marked && (child <= slot || !its)) {
            return nighi_fault(report, NIGHI_FAULT_MARK, slot, 0);
        }
    }
    return children <= nighi_children_max(index) ||
           nighi_fault(report, NIGHI_FAULT_CHILDREN, slot, 0);
}

/* Records of upper layers are allotted in the order of slots, so each node's begin where those of
 * the nodes before it end: in range, and nobody else's. */
static bool nighi_check_upper(const nigh_index *index, nigh_session *session, uint32_t slot,
                              uint64_t *upper, nigh_report *report) {
    const uint32_t first = nighi_node_word(index, slot) & NIGHI_UPPER_NONE;
    const uint32_t level = nighi_level(index, slot);
    if (!nighi_packed(index) && first != NIGHI_UPPER_NONE && (level == 0 || first != *upper)) {
        return nighi_fault(report, NIGHI_FAULT_UPPER, slot, 1);
    }
    *upper += level;
    for (uint32_t i = 1; i <= level; i++) {
        if (!nighi_check_row(index, session, slot, i, report)) {
            return false;
        }
    }
    return true;
}

static bool nighi_check_vector(const nigh_index *index, nigh_session *session, uint32_t slot,
                               nigh_report *report) {
    const nighi_metric *metric = &index->metric;
    const nighi_region *region = &index->regions[NIGHI_VECTOR];
    if (!nighi_source_is(index, NIGHI_SOURCE_OWNED)) {
        return true;
    }
    const uint8_t *vector = nighi_record(region, slot);
    uint32_t end = metric->row_bytes;
    if (nighi_row_check(metric, vector) != NIGH_OK) {
        return nighi_fault(report, NIGHI_FAULT_VECTOR, slot, 0);
    }
    if (nighi_trailer_bytes(metric->metric, metric->dtype) != 0) {
        nighi_trailer_make(metric, vector, session->row);
        if (nighi_compare(session->row, vector + metric->trailer_offset, 8) != 0) {
            return nighi_fault(report, NIGHI_FAULT_VECTOR, slot, 0);
        }
        nighi_copy(session->row, vector, region->stride);
        nighi_fill(session->row + metric->trailer_offset, 0, 8);
        vector = session->row;
    }
    for (; end < region->stride; end++) {
        if (vector[end] != 0) {
            return nighi_fault(report, NIGHI_FAULT_PADDING, slot, 0);
        }
    }
    return true;
}

/* A code is that of the vector, its padding zero. Vectors elsewhere are not read. */
static bool nighi_check_code(const nigh_index *index, nigh_session *session, uint32_t slot,
                             nigh_report *report) {
    if (!NIGHI_HAS_FLOATS || !nighi_source_is(index, NIGHI_SOURCE_OWNED) || !nighi_coded(index)) {
        return true;
    }
    const uint8_t *vector = nighi_record(&index->regions[NIGHI_VECTOR], slot);
    const float *floats = nighi_code_floats(index, vector, session->query_scratch);
    (void)nighi_code_encode(&index->coding, index->config.dim, floats, session->code_record);
    return nighi_compare(session->code_record, nighi_record(&index->regions[NIGHI_CODE], slot),
                         index->coding.stride) == 0 ||
           nighi_fault(report, NIGHI_FAULT_CODE, slot, 0);
}

/* A freed slot keeps its layers, and their rows are empty. */
static bool nighi_check_free(const nigh_index *index, nigh_session *session, uint32_t slot,
                             uint64_t *upper, nigh_report *report) {
    const uint64_t links = report->link_count;
    return nighi_check_row(index, session, slot, 0, report) &&
           nighi_check_upper(index, session, slot, upper, report) &&
           (report->link_count == links || nighi_fault(report, NIGHI_FAULT_ROW_TAIL, slot, 0));
}

/* The tree, where there is one. */
static bool nighi_check_tree(const nigh_index *index, nigh_session *session, uint32_t slot,
                             nigh_report *report) {
    return nighi_unrooted(index) || (nighi_check_parent(index, session, slot, report) &&
                                     nighi_check_children(index, session, slot, report));
}

static bool nighi_check_node(const nigh_index *index, nigh_session *session, uint32_t slot,
                             uint64_t *upper, nigh_report *report) {
    return nighi_check_row(index, session, slot, 0, report) &&
           nighi_check_tree(index, session, slot, report) &&
           nighi_check_upper(index, session, slot, upper, report) &&
           nighi_check_vector(index, session, slot, report) &&
           nighi_check_code(index, session, slot, report);
}

static bool nighi_check_string(const nigh_index *index, uint32_t slot, nigh_report *report) {
    const uint8_t *bytes = NULL;
    return !nighi_keys_strings(&index->config) || nighi_key_string(index, slot, &bytes) != 0 ||
           nighi_fault(report, NIGHI_FAULT_KEY_BYTES, slot, 0);
}

/* One bucket: slots rising, keys of this bucket, each once. */
static bool nighi_check_chain(const nigh_index *index, uint32_t bucket, uint64_t *total,
                              nigh_report *report) {
    const uint32_t count = index->counts.slot_count;
    const uint32_t head = *nighi_keymap_head(index, bucket);
    uint32_t before = NIGHI_NONE;
    uint32_t length = 0;
    for (uint32_t slot = head; slot != NIGHI_NONE; slot = *nighi_keymap_next(index, slot)) {
        if (slot >= count || (before != NIGHI_NONE && slot <= before) ||
            ++length > NIGHI_CHAIN_MAX || !nighi_node_present(nighi_node_word(index, slot))) {
            return nighi_fault(report, NIGHI_FAULT_CHAIN, slot, 0);
        }
        if (!nighi_check_string(index, slot, report)) {
            return false;
        }
        if (nighi_keymap_bucket(index, slot, count) != bucket) {
            return nighi_fault(report, NIGHI_FAULT_CHAIN, slot, 0);
        }
        if (!nighi_keymap_first(index, slot)) {
            return nighi_fault(report, NIGHI_FAULT_KEY_TWICE, slot, 0);
        }
        before = slot;
        ++*total;
    }
    return true;
}

/* The list of a packed image: by bucket, then by slot, and where each group begins. */
static bool nighi_check_list(const nigh_index *index, uint32_t total, nigh_report *report) {
    const nighi_counts *counts = &index->counts;
    const uint32_t groups = (counts->slot_count + 31) / 32 * NIGHI_PACKED_GROUPS;
    uint64_t before = 0; /* bucket and slot of the one before, and 1 */
    uint32_t begin = 0;  /* of its group */
    uint32_t group = 0;  /* whose begin comes next */
    for (uint32_t at = 0; at < total; at++) {
        const uint32_t slot = nighi_packed_entry(index, at);
        if (slot >= counts->slot_count || !nighi_node_present(nighi_node_word(index, slot))) {
            return nighi_fault(report, NIGHI_FAULT_CHAIN, NIGHI_NONE, 0);
        }
        if (!nighi_check_string(index, slot, report)) {
            return false;
        }
        const uint32_t bucket = nighi_keymap_bucket(index, slot, counts->slot_count);
        const uint64_t now = ((uint64_t)bucket << 32 | slot) + 1;
        for (; group <= bucket / NIGHI_PACKED_GROUP; group++) {
            begin = nighi_packed_begin(index, group);
            if (begin != at) {
                return nighi_fault(report, NIGHI_FAULT_CHAIN, slot, 0);
            }
        }
        if (now <= before || at - begin >= NIGHI_PACKED_GROUP * NIGHI_CHAIN_MAX) {
            return nighi_fault(report, NIGHI_FAULT_CHAIN, slot, 0);
        }
        before = now;
    }
    for (; group < groups; group++) {
        if (nighi_packed_begin(index, group) != total) {
            return nighi_fault(report, NIGHI_FAULT_CHAIN, NIGHI_NONE, 0);
        }
    }
    return true;
}

/* That list, each of its keys once, and nothing behind it. */
static bool nighi_check_packed_keys(const nigh_index *index, nigh_report *report) {
    const nighi_counts *counts = &index->counts;
    const uint32_t total = counts->slot_count - counts->free_count;
    if (!nighi_check_list(index, total, report)) {
        return false;
    }
    for (uint32_t at = 0; at < total; at++) {
        const uint32_t slot = nighi_packed_entry(index, at);
        if (!nighi_keymap_first(index, slot)) {
            return nighi_fault(report, NIGHI_FAULT_KEY_TWICE, slot, 0);
        }
    }
    for (uint32_t at = total; at < (counts->slot_count + 31) / 32 * 32; at++) {
        if (nighi_packed_entry(index, at) != nighi_bits_mask(index->packed)) {
            return nighi_fault(report, NIGHI_FAULT_PADDING, NIGHI_NONE, 0);
        }
    }
    return true;
}

static bool nighi_check_keys(const nigh_index *index, uint64_t present, nigh_report *report) {
    uint64_t total = 0;
    if (index->regions[NIGHI_KEYMAP].stride == 0) {
        return true;
    }
    if (nighi_packed(index)) {
        return nighi_check_packed_keys(index, report);
    }
    for (uint32_t bucket = 0; bucket < index->counts.slot_count; bucket++) {
        if (!nighi_check_chain(index, bucket, &total, report)) {
            return false;
        }
    }
    return total == present || nighi_fault(report, NIGHI_FAULT_KEY_LOST, NIGHI_NONE, 0);
}

static bool nighi_check_entry(const nigh_index *index, nigh_report *report) {
    const nighi_counts *counts = &index->counts;
    if (counts->slot_count == counts->free_count) {
        return counts->entry == NIGHI_NONE ||
               nighi_fault(report, NIGHI_FAULT_ENTRY, counts->entry, 0);
    }
    return (counts->entry < counts->slot_count && counts->root < counts->slot_count &&
            nighi_node_present(nighi_node_word(index, counts->entry)) &&
            nighi_node_present(nighi_node_word(index, counts->root))) ||
           nighi_fault(report, NIGHI_FAULT_ENTRY, counts->entry, 0);
}

/* A packed image counts its layers' bits right, and ends with zeros. */
static bool nighi_check_layers(const nigh_index *index, nigh_report *report) {
    const nighi_counts *counts = &index->counts;
    const nighi_region *region = &index->regions[NIGHI_NODE];
    const uint32_t bits[2] = {counts->slot_count + counts->upper_count, counts->slot_count};
    const uint32_t layers = nighi_packed(index) ? nighi_packed_layers(counts) : 0;
    uint32_t before = 0;
    for (uint32_t at = 0; at < layers; at++) {
        const uint32_t *part = nighi_word(region, at);
        if (part[0] != before) {
            return nighi_fault(report, NIGHI_FAULT_UPPER, at * 32, 0);
        }
        before += nighi_popcount(part[1]);
    }
    for (uint32_t i = 0; nighi_packed(index) && i < 2; i++) {
        const uint32_t last = i == 0 ? layers : region->capacity;
        const uint32_t *part = last > (i == 0 ? 0 : layers) ? nighi_word(region, last - 1) : NULL;
        if (part != NULL && bits[i] % 32 != 0 &&
            ((part[1] >> bits[i] % 32) != 0 || (i == 1 && part[0] >> bits[i] % 32 != 0))) {
            return nighi_fault(report, NIGHI_FAULT_PADDING, NIGHI_NONE, 0);
        }
    }
    return !nighi_packed(index) || before == counts->upper_count ||
           nighi_fault(report, NIGHI_FAULT_UPPER, NIGHI_NONE, 0);
}

static void nighi_check_graph(const nigh_index *index, nigh_session *session, nigh_report *report) {
    const nighi_counts *counts = &index->counts;
    uint64_t present = 0;
    uint64_t removed = 0;
    uint64_t upper = 0;
    uint32_t top = 0;
    if (!nighi_check_entry(index, report) || !nighi_check_layers(index, report)) {
        return;
    }
    for (uint32_t slot = 0; slot < counts->slot_count; slot++) {
        const uint32_t word = nighi_node_word(index, slot);
        if (!nighi_node_present(word)) {
            if (!nighi_check_free(index, session, slot, &upper, report)) {
                return;
            }
            continue;
        }
        if (slot < counts->root) {
            (void)nighi_fault(report, NIGHI_FAULT_ENTRY, slot, 0);
        }
        present++;
        removed += (word & NIGHI_NODE_REMOVED) != 0;
        top = nighi_max_u32(top, nighi_level(index, slot));
        if (!nighi_check_node(index, session, slot, &upper, report)) {
            return;
        }
    }
    if (removed != counts->deleted_count || present + counts->free_count != counts->slot_count ||
        upper != counts->upper_count) {
        (void)nighi_fault(report, NIGHI_FAULT_COUNTS, NIGHI_NONE, 0);
    }
    if (counts->entry != NIGHI_NONE && nighi_level(index, counts->entry) != top) {
        (void)nighi_fault(report, NIGHI_FAULT_ENTRY, counts->entry, top);
    }
    (void)nighi_check_keys(index, present, report);
}

NIGHI_FN nigh_status nighi_check(const nigh_index *index, nigh_session *session,
                                 nigh_report *report) {
    if (nighi_coded(index) && !nighi_code_room(index, session)) {
        return NIGH_E_SESSION;
    }
    const uint32_t mode = nighi_fp_enter();
    *report = (nigh_report){.struct_size = sizeof *report, .slot = NIGHI_NONE};
    if (index->image != NULL && nighi_load(&index->opened) == 0 &&
        nighi_load(&index->changed) == 0 && nighi_load(&index->outgrown) == 0) {
        const nighi_image_header *header = (const nighi_image_header *)(const void *)index->image;
        if (header->state == NIGHI_IMAGE_SEALED &&
            nighi_image_verify(index->image, header, &report->blocks_checked) != NIGH_OK) {
            (void)nighi_fault(report, NIGHI_FAULT_CHECKSUM, NIGHI_NONE, 0);
        }
    }
    session->cursor.active = 0;
    nighi_check_graph(index, session, report);
    nighi_fp_leave(mode);
    return NIGH_OK;
}
