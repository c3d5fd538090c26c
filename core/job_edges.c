/* job_edges.c - links to be added to many rows
 * layer L14; uses: job_edges, blocks, graph, link
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "job_edges.h"
#include "blocks.h"
#include "graph.h"
#include "link.h"

#define NIGHI_EDGE_STEP 128u /* edges a task: 6 ms of rows of 1,536 floats in WebAssembly */

NIGHI_FN void nighi_edges_layout(nighi_arena *arena, uint64_t edge_max, nighi_edges *edges) {
    edges->list = nighi_arena_many(arena, edge_max, 8);
    edges->spare = nighi_arena_many(arena, edge_max, 8);
    edges->histogram = nighi_arena_take(arena, 256, 4);
    edges->count = 0;
}

NIGHI_FN void nighi_edges_begin(nighi_edges *edges, uint64_t count) {
    edges->count = count;
    nighi_fill(edges->list, 0xff, count * 8);
}

NIGHI_FN void nighi_edges_cut(nighi_edges *edges, uint64_t count) {
    edges->count = nighi_min_u64(edges->count, count);
}

/* One pass of a radix sort; false when all edges agree in this byte. */
static bool nighi_edges_pass(nighi_edges *edges, uint32_t shift) {
    uint32_t *histogram = edges->histogram;
    uint32_t at = 0;
    nighi_fill(histogram, 0, 256 * 4);
    for (uint64_t i = 0; i < edges->count; i++) {
        histogram[edges->list[i] >> shift & 255]++;
    }
    for (uint32_t i = 0; i < 256; i++) {
        const uint32_t size = histogram[i];
        if (size == edges->count) {
            return false;
        }
        histogram[i] = at;
        at += size;
    }
    for (uint64_t i = 0; i < edges->count; i++) {
        const uint64_t edge = edges->list[i];
        edges->spare[histogram[edge >> shift & 255]++] = edge;
    }
    return true;
}

NIGHI_FN void nighi_edges_sort(nighi_edges *edges) {
    uint64_t used = 0;
    for (uint64_t i = 0; i < edges->count; i++) {
        if (edges->list[i] != NIGHI_EDGE_NONE) {
            edges->list[used++] = edges->list[i];
        }
    }
    edges->count = used;
    for (uint32_t shift = 0; shift < 64; shift += 8) {
        if (nighi_edges_pass(edges, shift)) {
            uint64_t *swap = edges->list;
            edges->list = edges->spare;
            edges->spare = swap;
        }
    }
    nighi_fill(edges->spare, 0, edges->count * 8); /* from here on: what is merged */
}

static uint32_t nighi_edge_level(uint64_t edge) {
    return edge >> 63 != 0 ? (uint32_t)(edge >> 59) & 15 : 0;
}

static uint32_t nighi_edge_row(uint64_t edge) {
    return edge >> 63 != 0 ? (uint32_t)(edge >> 28) & 0x7fffffffu : (uint32_t)(edge >> 32);
}

static uint32_t nighi_edge_slot(uint64_t edge, uint32_t first) {
    return edge >> 63 != 0 ? first + ((uint32_t)edge & 0x0fffffffu) : (uint32_t)edge;
}

static bool nighi_edge_same_row(uint64_t a, uint64_t b) {
    return a >> 63 == b >> 63 && (a >> 63 != 0 ? a >> 28 == b >> 28 : a >> 32 == b >> 32);
}

NIGHI_FN void nighi_edges_add(nighi_edges *edges, const uint64_t *more, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        if (more[i] != NIGHI_EDGE_NONE) {
            edges->list[edges->count++] = more[i];
        }
    }
}

NIGHI_FN uint64_t nighi_edges_find(const nighi_edges *edges, uint32_t level, uint32_t row) {
    const uint64_t key = level == 0 ? nighi_edge_base(row, 0) : nighi_edge_upper(level, row, 0);
    uint64_t low = 0;
    uint64_t high = edges->count;
    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;
        if (edges->list[middle] < key) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

NIGHI_FN bool nighi_edges_slot(const nighi_edges *edges, uint64_t at, uint32_t level, uint32_t row,
                               uint32_t first, uint32_t *slot) {
    const uint64_t key = level == 0 ? nighi_edge_base(row, 0) : nighi_edge_upper(level, row, 0);
    if (at >= edges->count || !nighi_edge_same_row(edges->list[at], key)) {
        return false;
    }
    *slot = nighi_edge_slot(edges->list[at], first);
    return true;
}

NIGHI_FN nigh_status nighi_edges_touch(nigh_index *index, const nighi_edges *edges) {
    nigh_status status = NIGH_OK;
    for (uint64_t i = 0; index->pager.dirty != NULL && i < edges->count && status == NIGH_OK; i++) {
        const uint32_t level = nighi_edge_level(edges->list[i]);
        const uint32_t row = nighi_edge_row(edges->list[i]);
        const uint32_t first = nighi_node_word(index, row) & NIGHI_UPPER_NONE;
        status = level == 0 ? nighi_touch(index, NIGHI_LINKS0, row)
                            : nighi_touch(index, NIGHI_UPPER, first + level - 1);
    }
    return status;
}

NIGHI_FN uint32_t nighi_edges_tasks(const nighi_edges *edges) {
    return (uint32_t)((edges->count + NIGHI_EDGE_STEP - 1) / NIGHI_EDGE_STEP);
}

/* One row's edges from `at` on, as many at a time as a row holds; `at` becomes where they end. What
 * was merged before a phase failed is not offered again: the row would not become the same. */
static nigh_status nighi_row_edges(nigh_index *index, nigh_session *session,
                                   const nighi_edges *edges, uint64_t *at, uint32_t first) {
    uint32_t *slots = session->plan.chosen;
    const uint64_t edge = edges->list[*at];
    const uint32_t row = nighi_edge_row(edge);
    const uint32_t level = nighi_edge_level(edge);
    nigh_status status = NIGH_OK;
    while (status == NIGH_OK && *at < edges->count && nighi_edge_same_row(edge, edges->list[*at])) {
        uint32_t count = 0;
        uint64_t *merged = &edges->spare[*at];
        while (count < nighi_degree_max(index, level) && *at < edges->count &&
               nighi_edge_same_row(edge, edges->list[*at])) {
            slots[count++] = nighi_edge_slot(edges->list[(*at)++], first);
        }
        if (*merged == 0) {
            status = nighi_row_absorb(index, session, row, level, slots, count);
            *merged = status == NIGH_OK;
        }
    }
    return status;
}

NIGHI_FN nigh_status nighi_edges_merge(nigh_index *index, nigh_session *session,
                                       const nighi_edges *edges, uint32_t task, uint32_t first) {
    uint64_t at = (uint64_t)task * NIGHI_EDGE_STEP;
    const uint64_t end = nighi_min_u64(at + NIGHI_EDGE_STEP, edges->count);
    nigh_status status = NIGH_OK;
    while (at > 0 && at < end && nighi_edge_same_row(edges->list[at - 1], edges->list[at])) {
        at++; /* the rest of a row that the task before takes */
    }
    while (at < end && status == NIGH_OK) {
        status = nighi_row_edges(index, session, edges, &at, first);
    }
    return status;
}
