/* hnswlib_write.c - a file of hnswlib from an index
 * layer L14; uses: hnswlib, cosine, fp, graph, keymap, metric, source
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "cosine.h"
#include "fp.h"
#include "graph.h"
#include "hnswlib.h"
#include "keymap.h"
#include "source.h"

#define NIGHI_EXPORT_BUFFER 256u /* bytes handed on at once, at least */
#define NIGHI_EXPORT_FLOATS 32u  /* normalised at once */
#define NIGHI_EXPORT_UNIT                                                                          \
    0x1p-18f /* squared norms so near to 1 are left alone: those that float
                                      arithmetic makes, so that reading and writing is stable */

typedef struct nighi_export {
    const nigh_index *index;
    nigh_session *session;
    nigh_write_fn write;
    void *user;
    nigh_status status;
    uint32_t width; /* of a size_t */
    uint32_t count; /* of slots */
    uint32_t used;  /* of the buffer */
    uint64_t label; /* that the next free slot may get */
    uint8_t buffer[NIGHI_EXPORT_BUFFER];
} nighi_export;

static void nighi_export_hand(nighi_export *to, const void *bytes, uint64_t count) {
    if (to->status == NIGH_OK && count > 0) {
        const nigh_status status = to->write(to->user, bytes, count);
        to->status = status == NIGH_OK || status <= NIGH_E_USER ? status : NIGH_E_WRITE;
    }
}

static void nighi_export_flush(nighi_export *to) {
    nighi_export_hand(to, to->buffer, to->used);
    to->used = 0;
}

static void nighi_export_put(nighi_export *to, const void *bytes, uint32_t count) {
    if (count > NIGHI_EXPORT_BUFFER - to->used) {
        nighi_export_flush(to);
    }
    if (count > NIGHI_EXPORT_BUFFER) {
        nighi_export_hand(to, bytes, count);
    } else {
        nighi_copy(to->buffer + to->used, bytes, count);
        to->used += count;
    }
}

/* Little-endian: the lower half of a number comes first. */
static void nighi_export_number(nighi_export *to, uint64_t number, uint32_t width) {
    nighi_export_put(to, &number, width);
}

static void nighi_export_zeros(nighi_export *to, uint64_t count) {
    static const uint8_t zeros[NIGHI_EXPORT_BUFFER];
    for (; count > 0 && to->status == NIGH_OK;) {
        const uint32_t part = (uint32_t)nighi_min_u64(count, sizeof zeros);
        nighi_export_put(to, zeros, part);
        count -= part;
    }
}

static void nighi_export_header(nighi_export *to, uint64_t max_elements) {
    const nigh_config *config = &to->index->config;
    const uint32_t width = to->width;
    const uint32_t entry = to->count == 0 ? NIGHI_NONE : to->index->counts.entry;
    const uint32_t top = to->count == 0 ? UINT32_MAX : nighi_level(to->index, entry);
    const uint64_t vector = NIGHI_HNSWLIB_LINKS + (uint64_t)config->m0 * 4;
    const uint64_t label = vector + to->index->metric.row_bytes;
    const uint64_t sizes[] = {0,         max_elements > to->count ? max_elements : to->count,
                              to->count, label + width,
                              label,     vector};
    for (uint32_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        nighi_export_number(to, sizes[i], width);
    }
    nighi_export_number(to, top, 4);
    nighi_export_number(to, entry, 4);
    nighi_export_number(to, config->m, width);
    nighi_export_number(to, config->m0, width);
    nighi_export_number(to, config->m, width);
    nighi_export_number(to, nighi_hnswlib_mult(config->m), 8);
    nighi_export_number(to, config->ef_build, width);
}

/* One list; `mark` is what its first word has beside the count. */
static void nighi_export_list(nighi_export *to, uint32_t slot, uint32_t level, uint32_t mark) {
    const uint32_t degree_max = nighi_degree_max(to->index, level);
    const uint32_t *row = nighi_links(to->index, slot, level, to->session->unpacked);
    uint32_t size = 0;
    uint32_t count = 0;
    while (row != NULL && size < degree_max && nighi_link_slot(row[size]) != NIGHI_LINK_END) {
        count += nighi_link_slot(row[size++]) < to->count; /* others: a damaged image */
    }
    nighi_export_number(to, count | mark, 4);
    for (uint32_t i = 0; i < size; i++) {
        if (nighi_link_slot(row[i]) < to->count) {
            nighi_export_number(to, nighi_link_slot(row[i]), 4);
        }
    }
    nighi_export_zeros(to, (uint64_t)(degree_max - count) * 4);
}

/* x / |x|; hnswlib adds 1e-30 to the norm, which floats of such norms do not notice. */
static void nighi_export_unit(nighi_export *to, const float *row) {
    const uint32_t dim = to->index->config.dim;
    const float square_sum = nighi_square_sum(NIGH_DTYPE_F32, row, dim);
    const float off = square_sum - 1.0f;
    float part[NIGHI_EXPORT_FLOATS];
    if (off <= NIGHI_EXPORT_UNIT && off >= -NIGHI_EXPORT_UNIT) {
        nighi_export_put(to, row, dim * 4);
        return;
    }
    float inverse = nighi_inverse_norm(square_sum);
    if (inverse == 0.0f) {
        float *scratch = to->session->query_scratch;
        nighi_copy(scratch, row, (uint64_t)dim * 4);
        inverse = nighi_unit_odd(scratch, dim);
        row = scratch;
    }
    for (uint32_t at = 0; at < dim;) {
        const uint32_t count = nighi_min_u32(dim - at, NIGHI_EXPORT_FLOATS);
        for (uint32_t i = 0; i < count; i++) {
            part[i] = nighi_fp_mul(row[at + i], inverse);
        }
        nighi_export_put(to, part, count * 4);
        at += count;
    }
}

/* The label of a slot; a free one gets the highest that no key has. */
static uint64_t nighi_export_label(nighi_export *to, uint32_t slot) {
    const nigh_index *index = to->index;
    if (index->config.keys == NIGH_KEYS_IDENTITY ||
        nighi_node_present(nighi_node_word(index, slot))) {
        return nighi_key_value(index, slot);
    }
    nighi_key key = {.value = to->label};
    while (nighi_keymap_find(index, &key) != NIGHI_NONE) {
        key.value--;
    }
    to->label = key.value - 1;
    return key.value;
}

/* A free slot has no vector, but each element one that its space allows. */
static void nighi_export_nothing(nighi_export *to) {
    const uint32_t row_bytes = to->index->metric.row_bytes;
    const float one = to->index->config.metric == NIGH_METRIC_COSINE ? 1.0f : 0.0f;
    const uint32_t first = nighi_min_u32(sizeof one, row_bytes);
    nighi_export_put(to, &one, first);
    nighi_export_zeros(to, row_bytes - first);
}

static void nighi_export_element(nighi_export *to, uint32_t slot, const void *vector) {
    const uint32_t row_bytes = to->index->metric.row_bytes;
    const bool live = nighi_node_live(nighi_node_word(to->index, slot));
    nighi_export_list(to, slot, 0, live ? 0 : NIGHI_HNSWLIB_DELETED << 16);
    if (vector == NULL) {
        nighi_export_nothing(to);
    } else if (to->index->config.metric == NIGH_METRIC_COSINE) {
        nighi_export_unit(to, vector);
    } else {
        nighi_export_put(to, vector, row_bytes);
    }
    nighi_export_number(to, nighi_export_label(to, slot), to->width);
}

/* As many elements at once as the session fetches vectors. */
static void nighi_export_elements(nighi_export *to) {
    const nigh_index *index = to->index;
    nigh_session *session = to->session;
    const uint32_t step = nighi_source_addressed(index) ? session->batch_max : session->fetch_max;
    for (uint32_t first = 0; first < to->count && to->status == NIGH_OK; first += step) {
        const uint32_t end = first + nighi_min_u32(step, to->count - first);
        uint32_t present = 0;
        for (uint32_t slot = first; slot < end; slot++) {
            if (nighi_node_present(nighi_node_word(index, slot))) {
                session->slots[present++] = slot;
            }
        }
        const nigh_status status =
            present == 0 ? NIGH_OK
                         : nighi_vectors(index, session, session->slots, present, session->vectors);
        if (status != NIGH_OK) {
            to->status = status;
            return;
        }
        for (uint32_t slot = first, at = 0; slot < end; slot++) {
            const bool there = at < present && session->slots[at] == slot;
            nighi_export_element(to, slot, there ? session->vectors[at] : NULL);
            at += there;
        }
    }
}

/* A free slot keeps its layers for the node that takes it; the entry point may be lower by now, and
 * in a file nothing is above that. */
static void nighi_export_above(nighi_export *to) {
    const uint32_t list_bytes = NIGHI_HNSWLIB_LINKS + to->index->config.m * 4;
    for (uint32_t slot = 0; slot < to->count && to->status == NIGH_OK; slot++) {
        const bool present = nighi_node_present(nighi_node_word(to->index, slot));
        const uint32_t top = present ? nighi_level(to->index, slot) : 0;
        nighi_export_number(to, (uint64_t)top * list_bytes, 4);
        for (uint32_t level = 1; level <= top; level++) {
            nighi_export_list(to, slot, level, 0);
        }
    }
}

/* Do all labels fit, and is the entry point there? */
static nigh_status nighi_export_can(const nighi_export *to) {
    const nigh_index *index = to->index;
    if (index->config.keys == NIGH_KEYS_BYTES ||
        !nighi_hnswlib_space(index->config.metric, index->config.dtype)) {
        return NIGH_E_UNSUPPORTED;
    }
    for (uint32_t slot = 0; slot < to->count && to->width == 4; slot++) {
        if (nighi_node_present(nighi_node_word(index, slot)) &&
            nighi_key_value(index, slot) > UINT32_MAX) {
            return NIGH_E_KEY;
        }
    }
    if (to->count > 0 && index->counts.entry >= to->count) {
        return NIGH_E_CORRUPT;
    }
    return to->count == 0 ? NIGH_OK : nighi_source_ready(index, to->count);
}

NIGHI_FN nigh_status nighi_hnswlib_write(const nigh_index *index, nigh_session *session,
                                         uint32_t flags, uint64_t max_elements, nigh_write_fn write,
                                         void *user) {
    const bool narrow = (flags & NIGH_HNSWLIB_32) != 0;
    const uint32_t slots = index->counts.slot_count;
    nighi_export to = {.index = index,
                       .session = session,
                       .write = write,
                       .user = user,
                       .status = NIGH_OK,
                       .width = narrow ? 4 : 8,
                       .count = index->counts.entry == NIGHI_NONE ? 0 : slots,
                       .used = 0,
                       .label = narrow ? UINT32_MAX : UINT64_MAX};
    if (narrow && max_elements > UINT32_MAX) {
        return NIGH_E_INVALID;
    }
    const nigh_status status = nighi_export_can(&to);
    if (status != NIGH_OK) {
        return status;
    }
    const uint32_t mode = nighi_fp_enter();
    session->cursor.active = 0;
    nighi_export_header(&to, max_elements);
    nighi_export_elements(&to);
    nighi_export_above(&to);
    nighi_export_flush(&to);
    nighi_fp_leave(mode);
    return to.status;
}
