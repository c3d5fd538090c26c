/* session.c - layout of one thread's scratch
 * layer L13; uses: index, arena, blocks, code, graph, image, search
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "arena.h"
#include "blocks.h"
#include "code.h"
#include "graph.h"
#include "image.h"
#include "index.h"
#include "search.h"

#define NIGHI_EF_DEFAULT 512u
#define NIGHI_FRONTIER_MIN 4096u
#define NIGHI_FETCH_SMALL 8u

/* Does a session of these options insert? */
static bool nighi_session_writes(const nigh_session_options *options) {
    return NIGHI_HAS_CHANGES && (options->flags & NIGH_SESSION_READ) == 0;
}

/* Lists begin on a line where there are caches. */
static void *nighi_list_take(nighi_arena *arena, uint32_t count, uint32_t size) {
#ifdef NIGH_SMALL
    arena->used = nighi_round_up(arena->used, 8);
    void *at = arena->base == NULL || count == 0 ? NULL : (uint8_t *)arena->base + arena->used;
    arena->used += (uint64_t)count * size;
    return at;
#else
    return nighi_arena_take(arena, count, size);
#endif
}

NIGHI_FN void nighi_session_defaults(const nigh_index *index, nigh_session_options *options) {
    const bool writes = nighi_session_writes(options);
    options->lanes = nighi_max_u32(options->lanes, 1);
    if (options->ef_max == 0) {
        options->ef_max = NIGHI_EF_DEFAULT;
    }
    if (writes && options->ef_max < index->config.ef_build) {
        options->ef_max = index->config.ef_build;
    }
    if (options->frontier_max == 0) {
        const uint32_t eight = options->ef_max > UINT32_MAX / 8 ? UINT32_MAX : options->ef_max * 8;
        options->frontier_max = nighi_max_u32(eight, NIGHI_FRONTIER_MIN);
    }
    if (writes) {
        options->frontier_max =
            nighi_max_u32(options->frontier_max, nighi_plan_frontier(&index->config));
    }
    options->frontier_max =
        nighi_max_u32(nighi_min_u32(options->frontier_max, index->slot_max), 16);
}

static void nighi_plan_layout(nighi_arena *arena, const nigh_config *config,
                              const nigh_session_options *options, uint32_t code_bytes,
                              nighi_plan *plan) {
    const uint32_t row_bytes = nighi_row_bytes(config->dim, config->dtype);
    const bool external = NIGHI_HAS_SOURCES && config->vectors == NIGH_VECTORS_EXTERNAL;
    const uint32_t m = config->m;
    const uint32_t m0 = config->m0;
    const uint32_t sorted = nighi_max_u32(options->ef_max + m0, 2 * m0 + 2) + 1;
    const uint32_t stride = nighi_vector_stride(config);
    const uint32_t record = nighi_max_u32(stride, nighi_round_up_u32(row_bytes, 4));
    const uint32_t floats = NIGHI_HAS_FLOATS ? config->dim : 0;
    plan->row_max = 2 * m0 + NIGHI_LEVEL_MAX * m;
    plan->kept_stride = nighi_round_up_u32(row_bytes, 16);
    plan->sorted = nighi_list_take(arena, sorted, 8);
    plan->links = nighi_list_take(arena, 4 * m0, 4);
    plan->chosen = nighi_list_take(arena, m0 + NIGHI_LEVEL_MAX * m, 4);
    plan->rows = nighi_list_take(arena, plan->row_max, sizeof *plan->rows);
    plan->row_links = nighi_list_take(arena, 2 * m0 * m0 + NIGHI_LEVEL_MAX * m * m, 4);
    plan->kept = nighi_list_take(arena, m0, sizeof *plan->kept);
    plan->kept_rows = nighi_arena_take(arena, external ? m0 : 0, plan->kept_stride);
    plan->owner = nighi_arena_take(arena, external ? 1 : 0, plan->kept_stride);
    plan->scratch = nighi_arena_take(arena, floats, sizeof(float));
    plan->scratch_near = nighi_arena_take(arena, floats, sizeof(float));
    plan->record = nighi_arena_take(arena, 1, nighi_round_up_u32(record, NIGHI_CACHE_LINE));
    plan->code = nighi_arena_take(arena, 1, code_bytes);
    plan->code_owner = nighi_arena_take(arena, 1, code_bytes);
    plan->code_near = nighi_arena_take(arena, 1, code_bytes);
}

/* Words of a hash set. */
static uint32_t nighi_hash_size(uint32_t frontier_max) {
    uint32_t size = 64;
    while (size < 1u << 30 && size / 2 < frontier_max) {
        size *= 2;
    }
    return size;
}

/* Marks of visited slots: a byte each, or of a small session a bit each, or where those are fewer
 * bytes a hash set. */
static void nighi_marks_layout(nighi_arena *arena, const nigh_index *index,
                               const nigh_session_options *options, nigh_session *session) {
    session->mark_count = nighi_max_u32(index->slot_max, 1);
    if (NIGHI_HAS_REMOVED && (options->flags & NIGH_SESSION_SMALL) == 0) {
        session->marks = nighi_arena_take(arena, session->mark_count, 1);
        return;
    }
    const uint32_t words = (session->mark_count + 31) / 32;
    const uint32_t size = nighi_hash_size(options->frontier_max);
    const bool bits = !NIGHI_HAS_REMOVED || words <= size;
    session->hash_mask = bits ? 0 : size - 1;
    session->hash = nighi_list_take(arena, bits ? words : size, 4);
}

/* What searches other than the plainest want: a frontier, which also a plan has, and what a cursor
 * has not handed out. */
static void nighi_lists_layout(nighi_arena *arena, const nigh_session_options *options, bool coded,
                               nigh_session *session) {
    const bool frontier =
        NIGHI_HAS_REMOVED || NIGHI_HAS_CURSORS || nighi_session_writes(options);
    const uint32_t pool = options->ef_max + 1;
    session->pool =
        nighi_list_take(arena, pool + (frontier ? options->frontier_max : 0), 8);
    session->frontier = session->pool == NULL ? NULL : session->pool + pool;
    if (NIGHI_HAS_CURSORS) {
        session->overflow = nighi_list_take(arena, options->frontier_max, 8);
        session->exact = nighi_list_take(arena, coded ? pool : 0, 8);
        session->taken = nighi_list_take(arena, coded ? session->batch_max : 0, 4);
    }
}

/* With arena->base NULL `session` is a dummy that only carries sizes. Never inlined: the dummy and
 * what is spilled here do not belong in one stack frame. `config` is the caller's copy: a job may
 * publish codes meanwhile, and a session that is laid out for more than was counted overflows. */
static NIGHI_NOINLINE void nighi_session_layout(nighi_arena *arena, const nigh_index *index,
                                                const nigh_config *config,
                                                const nigh_session_options *options,
                                                uint32_t fewest, nigh_session *session) {
    const bool external = NIGHI_HAS_SOURCES && config->vectors == NIGH_VECTORS_EXTERNAL &&
                          nighi_config_changes(config);
    const bool small = (options->flags & NIGH_SESSION_SMALL) != 0;
    const bool writes = nighi_session_writes(options);
    const uint32_t m0 = config->m0;
    session->coded = nighi_code_query_bytes(config);
    session->drafts = 0;
    if (NIGHI_HAS_JOBS && writes) {
        nigh_config draft;
        session->drafts = nighi_code_drafts(config, &draft) ? nighi_code_query_bytes(&draft) : 0;
    }
    const uint32_t code_bytes = nighi_max_u32(session->coded, session->drafts);
    session->index = index;
    session->ef_max = options->ef_max;
    session->frontier_max = options->frontier_max;
    session->flags = options->flags;
    session->expansions_max = small ? nighi_max_u32(2, fewest) : NIGHI_EXPANSIONS_MAX;
    session->group_max = m0 * nighi_max_u32(session->expansions_max / 2, 1);
    session->batch_max = NIGHI_HAS_REMOVED || writes ? nighi_max_u32(session->group_max, 2 * m0)
                                                     : session->group_max;
    session->fetch_max = small ? NIGHI_FETCH_SMALL : m0;
    nighi_lists_layout(arena, options, session->coded != 0, session);
    const uint32_t rounds = session->batch_max + session->group_max + 1;
    session->slots = nighi_list_take(arena, rounds, 4);
    session->keys = nighi_list_take(arena, external ? session->batch_max : 0, 8);
    session->vectors = nighi_list_take(arena, rounds, sizeof *session->vectors);
    session->unpacked = nighi_list_take(arena, nighi_packed(index) ? 2 * m0 : 0, 4);
    session->distances = nighi_list_take(arena, session->batch_max, sizeof(float));
    session->orders = nighi_list_take(arena, session->batch_max, 4);
    session->worth = nighi_list_take(arena, NIGHI_IS_SMALL ? 0 : 2 * session->batch_max, 8);
    if (NIGHI_HAS_FLOATS || NIGHI_HAS_CHANGES) {
        session->code_record = nighi_arena_take(arena, 1, code_bytes);
    }
    session->code_query = nighi_arena_take(arena, 1, code_bytes);
    session->fetched = nighi_arena_take(arena, external ? session->fetch_max : 0,
                                        nighi_row_bytes(config->dim, config->dtype));
    if (NIGHI_HAS_CHANGES || NIGHI_HAS_CURSORS) {
        const uint32_t stride = nighi_vector_stride(config);
        session->row = nighi_arena_take(arena, 1, nighi_round_up_u32(stride, NIGHI_CACHE_LINE));
    }
    session->query_scratch =
        nighi_arena_take(arena, NIGHI_HAS_FLOATS ? config->dim : 0, sizeof(float));
    nighi_marks_layout(arena, index, options, session);
    if (writes) {
        nighi_plan_layout(arena, config, options, code_bytes, &session->plan);
    }
}

/* The session, then a reading session for each further lane. */
static nigh_session *nighi_lanes_layout(nighi_arena *arena, const nigh_index *index,
                                        const nigh_config *config,
                                        const nigh_session_options *options) {
    nigh_session dummy;
    nigh_session *first = nighi_arena_take(arena, 1, sizeof *first);
    nighi_lane *lanes =
        NIGHI_HAS_CURSORS ? nighi_arena_take(arena, options->lanes, sizeof *lanes) : NULL;
    nigh_session_options other = *options;
    other.flags |= NIGH_SESSION_READ;
    /* A search may ask any lane for what it may ask the first. */
    const uint32_t fewest = (options->flags & NIGH_SESSION_READ) != 0 ? 1 : config->expansions;
    for (uint32_t i = 0; i < (NIGHI_HAS_CURSORS ? options->lanes : 1); i++) {
        nigh_session *session = i == 0 ? first : nighi_arena_take(arena, 1, sizeof *session);
        if (session != NULL) {
            nighi_fill(session, 0, sizeof *session);
        }
        nighi_session_layout(arena, index, config, i == 0 ? options : &other, fewest,
                             session != NULL ? session : &dummy);
        if (session != NULL && NIGHI_HAS_CURSORS) {
            lanes[i] = (nighi_lane){.session = session};
            session->lanes = lanes;
            session->lane_count = i == 0 ? options->lanes : 1;
        }
        if (session != NULL) {
            if (session->marks != NULL) {
                nighi_fill(session->marks, 0, session->mark_count);
            }
            session->stats.struct_size = sizeof session->stats;
        }
    }
    return first;
}

/* The configuration that a session is laid out for: a copy where a job may change it. */
static const nigh_config *nighi_session_config(const nigh_index *index, nigh_config *now) {
    if (!NIGHI_HAS_JOBS) {
        return &index->config;
    }
    nighi_config_now(index, now);
    return now;
}

static uint64_t nighi_lanes_bytes(const nigh_index *index, const nigh_config *config,
                                  const nigh_session_options *options) {
    nighi_arena arena = {NULL, 0};
    (void)nighi_lanes_layout(&arena, index, config, options);
    return nighi_arena_bytes(&arena);
}

NIGHI_FN uint64_t nighi_session_bytes(const nigh_index *index,
                                      const nigh_session_options *options) {
    nigh_config now;
    return nighi_lanes_bytes(index, nighi_session_config(index, &now), options);
}

NIGHI_FN nigh_status nighi_session_init(const nigh_index *index,
                                        const nigh_session_options *options, void *memory,
                                        uint64_t memory_bytes, nigh_session **session) {
    nigh_config now;
    const nigh_config *config = nighi_session_config(index, &now);
    if (!nighi_memory_fits(memory, memory_bytes, nighi_lanes_bytes(index, config, options))) {
        return NIGH_E_MEMORY;
    }
    nighi_arena arena = {memory, 0};
    *session = nighi_lanes_layout(&arena, index, config, options);
    return NIGH_OK;
}
