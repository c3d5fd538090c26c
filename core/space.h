/* space.h - what a walk compares: true vectors through their source, or codes
 * layer L8; uses: base, state, blocks, code, source
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Either way the answer is an order: a u32 that is smaller the nearer a vector is. Where rows have
 * addresses, the walk takes them and asks for their lines before it scores any. */
#ifndef NIGHI_SPACE_H
#define NIGHI_SPACE_H
#include "base.h"
#include "blocks.h"
#include "code.h"
#include "source.h"
#include "state.h"

/* One side of many comparisons. */
typedef struct nighi_probe {
    const nighi_query *query; /* true vectors */
    const uint8_t *code;      /* codes: nighi_code_query */
    uint32_t bias;
} nighi_probe;

/* Addresses hoisted for one walk. */
typedef struct nighi_space {
    const nigh_index *index;
    const uint8_t *links; /* layer 0, or NULL: not in a row */
    size_t links_stride;
    const uint8_t *rows; /* codes or vectors, or NULL: not in a row */
    size_t stride;
    uint32_t bytes; /* of a row */
    uint32_t ask;   /* of them, those asked for ahead */
    bool coded;
    bool addressed; /* every row has an address */
    nighi_code_kernel kernel;
    const nighi_coding *coding; /* with codes */
    const nighi_region *codes;
} nighi_space;

/* Every row has an address. */
NIGHI_INLINE bool nighi_space_addressed(const nighi_space *space) {
    return !NIGHI_HAS_SOURCES || space->addressed;
}

/* `on`: NIGHI_ON_*. */
NIGHI_INLINE void nighi_space_get(const nigh_index *index, uint8_t on, nighi_space *space) {
    const bool coded = NIGHI_HAS_CODES && on != NIGHI_ON_VECTORS;
    const nighi_region *links = &index->regions[NIGHI_LINKS0];
    space->coding = nighi_coding_on(index, on);
    space->codes = nighi_codes_on(index, on);
    const nighi_region *rows = coded ? space->codes : &index->regions[NIGHI_VECTOR];
    space->index = index;
    space->links = nighi_load_acquire(&links->base);
    space->links_stride = links->stride;
    space->coded = coded;
    space->kernel = coded ? index->metric.kernels.codes[space->coding->op] : NULL;
    space->addressed = coded || nighi_source_addressed(index);
    space->rows = nighi_load_acquire(&rows->base);
    space->stride = coded ? space->coding->stride : rows->stride;
    space->bytes = (uint32_t)space->stride;
    if (!coded && !nighi_source_is(index, NIGHI_SOURCE_OWNED)) {
        space->rows = space->addressed ? index->source.base : NULL;
        space->stride = (size_t)index->source.stride;
        space->bytes = index->metric.row_bytes;
    }
    const uint32_t most = index->tuning.ask_max;
    space->ask = most == 0 ? space->bytes : nighi_min_u32(space->bytes, most);
}

/* A code where codes are not in a row. The region's own stride is 0 once they were dropped. */
NIGHI_INLINE const uint8_t *nighi_space_code(const nighi_space *space, uint32_t slot) {
    const nighi_region *region = space->codes;
    const uint32_t mask = (1u << region->shift) - 1;
    return nighi_load(&region->table[slot >> region->shift]) + (slot & mask) * space->stride;
}

NIGHI_INLINE const uint8_t *nighi_space_row(const nighi_space *space, uint32_t slot) {
    if (!NIGHI_HAS_TABLES || NIGHI_LIKELY(space->rows != NULL)) {
        return space->rows + slot * space->stride;
    }
    return space->coded ? nighi_space_code(space, slot) : nighi_vector_address(space->index, slot);
}

/* orders[i] of rows[i]; all have addresses. `distances` is scratch for as many floats. */
NIGHI_INLINE void nighi_space_rows(const nighi_space *space, const nighi_probe *probe,
                                   const void *const *rows, uint32_t count, float *distances,
                                   uint32_t *orders) {
    if (NIGHI_HAS_CODES && space->coded) {
        space->kernel(probe->code, probe->bias, (const uint8_t *const *)rows, count, space->bytes,
                      orders);
        return;
    }
    const nighi_metric *metric = &space->index->metric;
    metric->batch(metric, probe->query, rows, count, distances);
    for (uint32_t i = 0; i < count; i++) {
        orders[i] = nighi_order_f32(distances[i]);
    }
}

/* session->orders[i] of slots[i], whose addresses are in rows[i] where they have any. */
NIGHI_INLINE nigh_status nighi_space_score(const nighi_space *space, nigh_session *session,
                                           const nighi_probe *probe, const uint32_t *slots,
                                           const void **rows, uint32_t count) {
    if (NIGHI_LIKELY(nighi_space_addressed(space))) {
        nighi_space_rows(space, probe, rows, count, session->distances, session->orders);
        session->stats.distances += count;
        return NIGH_OK;
    }
    const nigh_status status =
        nighi_distances(space->index, session, probe->query, slots, count, session->distances);
    for (uint32_t i = 0; status == NIGH_OK && i < count; i++) {
        session->orders[i] = nighi_order_f32(session->distances[i]);
    }
    return status;
}

/* Asks for a row's lines. Level 2: on Zen 4 twice as fast as asking for level 1, on Zen 5 6 %
 * slower; nigh_tune finds out. gcc 12 may fold such a loop into its first prefetch. */
NIGHI_INLINE void nighi_prefetch(const nigh_index *index, const uint8_t *address, uint32_t bytes) {
    if (!NIGHI_HAS_PREFETCH) {
        return;
    }
    if (index->tuning.near_hint != 0) {
        for (uint32_t at = 0; at < bytes; at += NIGHI_CACHE_LINE) {
            NIGHI_PREFETCH(address + at, 3);
            __asm__ volatile("");
        }
    } else {
        for (uint32_t at = 0; at < bytes; at += NIGHI_CACHE_LINE) {
            NIGHI_PREFETCH(address + at, 2);
            __asm__ volatile("");
        }
    }
}

#define NIGHI_ONCE_BYTES 512u /* the rest comes as fast by itself, row after row */

/* For a row that is read once and not again soon, as a rerank does: it need not push others out of
 * the caches (3 to 8 % faster searches on 384-d codes). */
NIGHI_INLINE void nighi_ask_once(const nighi_space *space, const uint8_t *row) {
    const uint32_t bytes = nighi_min_u32(space->bytes, NIGHI_ONCE_BYTES);
    for (uint32_t at = 0; NIGHI_HAS_PREFETCH && at < bytes; at += NIGHI_CACHE_LINE) {
        NIGHI_PREFETCH(row + at, 0);
        __asm__ volatile("");
    }
}

/* Takes the addresses of slots[count], whose rows were asked for. */
NIGHI_INLINE void nighi_space_rows_of(const nighi_space *space, nigh_session *session,
                                      const uint32_t *slots, const void **rows, uint32_t count) {
    if (NIGHI_UNLIKELY(!nighi_space_addressed(space))) {
        nighi_vectors_prefetch(space->index, session, slots, count);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        rows[i] = nighi_space_row(space, slots[i]);
    }
}

/* Takes the addresses of slots[count] and asks for what lies there. */
NIGHI_INLINE void nighi_space_take(const nighi_space *space, nigh_session *session,
                                   const uint32_t *slots, const void **rows, uint32_t count) {
    if (NIGHI_UNLIKELY(!nighi_space_addressed(space))) {
        nighi_vectors_prefetch(space->index, session, slots, count);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *row = nighi_space_row(space, slots[i]);
        rows[i] = row;
        nighi_prefetch(space->index, row, space->ask);
    }
}

#endif
