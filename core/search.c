/* search.c - one search from query to hits
 * layer L11; uses: search, way, fp
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Plain searches keep one sorted list. Where something may be refused (a filter, removed nodes) or
 * ef is large, frontier and results are two heaps: a single list would lose matches behind refused
 * ones. When the graph yields fewer matches than there may be, the rest is found by scanning: few
 * results are never an artefact. */
#include "search.h"
#include "fp.h"
#include "way.h"

NIGHI_FN void nighi_walk_set(const nigh_index *index, nigh_session *session, uint32_t slot_count,
                             const nigh_search_options *options, nighi_walk *walk) {
    const uint32_t plain = NIGH_SEARCH_EXACT | NIGH_SEARCH_NO_CODES;
    const bool only = NIGHI_HAS_CODES && (options->flags & NIGH_SEARCH_CODES) != 0;
    *walk = (nighi_walk){.index = index,
                         .session = session,
                         .probe = {&session->query, session->code_query, session->code_bias},
                         .slot_count = slot_count,
                         .ef = options->ef,
                         .expansions = options->expansions,
                         .expansions_max = options->expansions_max,
                         .skip = NIGHI_NONE,
                         .k = options->ef,
                         .gamma = options->gamma,
                         .only = only,
                         .coded = (only || (options->flags & plain) == 0) && nighi_coded(index) &&
                                  nighi_code_room(index, session)};
}

/* Prepares the query, which is a row, or with NIGH_SEARCH_CODES a code. */
static void nighi_walk_query(const void *query, nighi_walk *walk) {
    const nigh_index *index = walk->index;
    nigh_session *session = walk->session;
    const uint32_t dim = index->config.dim;
    const uint8_t *code = query;
    if (!walk->only && NIGHI_HAS_FLOATS && walk->coded) { /* before the query: they share scratch */
        const float *floats = nighi_code_floats(index, query, session->query_scratch);
        (void)nighi_code_encode(&index->coding, dim, floats, session->code_record);
        code = session->code_record;
    }
    if (walk->coded) {
        session->code_bias = nighi_code_query(&index->coding, dim, code, session->code_query);
        walk->probe.bias = session->code_bias;
    }
    if (!walk->only) {
        nighi_query_from_row(&index->metric, query, session->query_scratch, &session->query);
    }
}

/* Can this index, in this build, be searched so, and may the query be one? */
static nigh_status nighi_query_check(const nigh_index *index, nigh_session *session,
                                     const void *query, const nigh_search_options *options) {
    const bool only = (options->flags & NIGH_SEARCH_CODES) != 0;
    if (!NIGHI_HAS_CODES) {
        return only ? NIGH_E_UNSUPPORTED : nighi_row_check(&index->metric, query);
    }
    if (only && (!nighi_coded(index) || !nighi_code_room(index, session))) {
        return nighi_coded(index) ? NIGH_E_SESSION : NIGH_E_UNSUPPORTED;
    }
    if (!only && !NIGHI_HAS_FLOATS && !nighi_config_changes(&index->config)) {
        return NIGH_E_UNSUPPORTED;
    }
    return only ? nighi_code_check(&index->coding, index->config.dim, query)
                : nighi_row_check(&index->metric, query);
}

/* Checks and captures what every search needs. *empty: nothing to be found, and no error. */
static nigh_status nighi_walk_begin(const nigh_index *index, nigh_session *session, const void *row,
                                    const nigh_search_options *options, nighi_walk *walk,
                                    uint32_t *entry) {
    const uint32_t ef = options->ef;
    session->cursor.active = 0;
    session->frontier_limit = session->frontier_max;
    session->stats = (nigh_session_stats){.struct_size = sizeof(nigh_session_stats)};
    if (ef > session->ef_max || options->expansions > session->expansions_max) {
        return NIGH_E_SESSION;
    }
    nigh_status status = nighi_query_check(index, session, row, options);
    if (status != NIGH_OK) {
        return status;
    }
    *entry = nighi_load_acquire(&index->counts.entry);
    const uint32_t slot_count = nighi_load_acquire(&index->counts.slot_count);
    if (*entry == NIGHI_NONE) {
        return NIGH_OK;
    }
    nighi_walk_set(index, session, slot_count, options, walk);
    if (*entry >= slot_count) {
        return NIGH_E_CORRUPT;
    }
    status = walk->only ? NIGH_OK : nighi_source_ready(index, slot_count);
    if (status == NIGH_OK) {
        nighi_walk_query(row, walk);
    }
    return status;
}

/* Live entries of the pool, as far as `enough`. */
static uint32_t nighi_pool_live(const nigh_index *index, const nigh_session *session,
                                uint32_t enough) {
    uint32_t live = 0;
    for (uint32_t i = 0; i < session->pool_count && live < enough; i++) {
        live += nighi_node_live(nighi_node_word(index, nighi_entry_slot(session->pool[i])));
    }
    return live;
}

/* Did the graph yield less than there is? Then the rest is found by scanning. */
static bool nighi_fell_short(const nighi_walk *walk, uint32_t k, bool refuses) {
    const nigh_index *index = walk->index;
    const nigh_session *session = walk->session;
    const uint32_t live = nighi_live_count(index);
    const bool islands = nighi_unrooted(index);
    if (!NIGHI_HAS_REMOVED) {
        return false; /* such an index is connected, and nothing in it is refused */
    }
    if (refuses || islands || session->stats.truncated != 0) {
        if (session->pool_count < nighi_min_u32(k, live)) {
            return true;
        }
    }
    /* Beside writers a link may move from where the search has not been to where it has been, and
     * what was found may be removed, and vacuumed before its links were read. Parts of an unrooted
     * graph may not be linked at all. */
    const bool all = walk->ef >= live && !nighi_walk_ends(walk);
    const uint32_t enough = all ? live : nighi_min_u32(k, live);
    return (nighi_writer_of(index) != NULL || islands) && !nighi_filtered(session) &&
           nighi_pool_live(index, session, enough) < enough;
}

NIGHI_FN uint32_t nighi_rerank_depth(const nigh_search_options *options, uint32_t k,
                                     uint32_t width) {
    const uint32_t least = nighi_max_u32(2 * nighi_min_u32(k, NIGHI_SLOT_MAX / 2), 20);
    const uint32_t depth = options->rerank != 0 ? nighi_max_u32(options->rerank, k)
                                                : nighi_max_u32(least, k + width / 8);
    return nighi_min_u32(depth, options->ef);
}

/* Asks for what a rerank and the hand-out of its hits will read, all at once. */
static void nighi_rerank_ask(const nighi_walk *walk, uint32_t count) {
    const nigh_index *index = walk->index;
    const uint64_t *pool = walk->session->pool;
    nighi_space space;
    if (!NIGHI_HAS_PREFETCH) {
        return;
    }
    nighi_space_get(index, NIGHI_ON_VECTORS, &space);
    const bool keys = index->regions[NIGHI_KEY].stride != 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t slot = nighi_entry_slot(pool[i]);
        if (!nighi_packed(index)) {
            NIGHI_PREFETCH(nighi_record(&index->regions[NIGHI_NODE], slot), 3);
        }
        if (keys) {
            NIGHI_PREFETCH(nighi_record(&index->regions[NIGHI_KEY], slot), 3);
        }
        if (space.addressed) {
            nighi_ask_once(&space, nighi_space_row(&space, slot));
        }
    }
}

/* Scores the `depth` best live candidates again, on their true vectors. */
static nigh_status nighi_rerank(const nighi_walk *walk, uint32_t depth) {
    nigh_session *session = walk->session;
    uint64_t *pool = session->pool;
    uint32_t live = 0;
    nighi_rerank_ask(walk, nighi_min_u32(session->pool_count, depth));
    for (uint32_t i = 0; i < session->pool_count && live < depth; i++) {
        if (nighi_node_live(nighi_node_word(walk->index, nighi_entry_slot(pool[i])))) {
            pool[live++] = pool[i];
        }
    }
    uint32_t sorted = 0;
    for (uint32_t at = 0; at < live;) {
        const uint32_t part = nighi_min_u32(live - at, session->batch_max);
        for (uint32_t i = 0; i < part; i++) {
            session->slots[i] = nighi_entry_slot(pool[at + i]);
        }
        const nigh_status status = nighi_score_true(walk, part);
        if (status != NIGH_OK) {
            return status;
        }
        for (uint32_t i = 0; i < part; i++) { /* never beyond `at`: what is left stays as it is */
            (void)nighi_list_insert(pool, &sorted, live,
                                    nighi_entry(session->orders[i], session->slots[i]));
        }
        at += part;
    }
    session->pool_count = sorted;
    session->stats.reranked += sorted;
    return NIGH_OK;
}

/* Of a plain walk's list only what may be returned stays, at most `most`. */
static void nighi_list_sift(const nighi_walk *walk, uint32_t most) {
    nigh_session *session = walk->session;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < session->pool_count && kept < most; i++) {
        if (nighi_accepts(walk->index, session, nighi_entry_slot(session->pool[i]))) {
            session->pool[kept++] = session->pool[i];
        }
    }
    session->pool_count = kept;
}

/* Drops what a plain walk's list should not hold. Are there too few matches for what the way
 * promises? A list that is not full has seen every node, as layer 0 is connected where it is
 * rooted, but where gamma ended it. */
static bool nighi_way_short(const nighi_walk *walk, const nighi_way *way) {
    const nigh_session *session = walk->session;
    if (way->kind == NIGHI_WAY_LIST) {
        const bool all = session->pool_count < way->ef && session->stats.truncated == 0 &&
                         !nighi_walk_ends(walk) && !nighi_unrooted(walk->index);
        nighi_list_sift(walk, walk->ef);
        return !all && session->pool_count < nighi_max_u32(walk->k, walk->ef - walk->ef / 4);
    }
    return session->pool_count < walk->ef;
}

static nigh_status nighi_search_scan(const nighi_walk *walk, const nighi_way *way,
                                     const nigh_search_options *options, uint32_t k) {
    nighi_walk scan = *walk;
    scan.coded = way->codes;
    const bool again = scan.coded && nighi_walk_reranks(walk);
    const uint32_t depth = again ? nighi_rerank_depth(options, k, options->ef) : k;
    const nigh_status status = nighi_scan(&scan, depth);
    return status == NIGH_OK && again ? nighi_rerank(walk, depth) : status;
}

/* A walk as wide as its way wants. */
static nighi_walk nighi_walk_widened(const nighi_walk *walk, const nighi_way *way) {
    nighi_walk wide = *walk;
    wide.ef = way->ef;
    wide.k = (uint32_t)((uint64_t)walk->k * way->ef / walk->ef);
    return wide;
}

/* One walk of layer 0, from `start`. */
static nigh_status nighi_search_walk(const nighi_walk *walk, const nighi_way *way, uint64_t start) {
    if (!NIGHI_HAS_REMOVED) {
        return nighi_beam(walk, 0, start);
    }
    const nighi_walk wide = nighi_walk_widened(walk, way);
    return way->kind == NIGHI_WAY_LIST   ? nighi_beam(&wide, 0, start)
           : way->kind == NIGHI_WAY_HOPS ? nighi_beam_hops(&wide, start)
                                         : nighi_beam_filtered(&wide, start);
}

/* What follows a walk of layer 0: other ways where it fell short, the rerank. */
static nigh_status nighi_search_end(const nighi_walk *walk, nighi_way *way,
                                    const nigh_search_options *options, uint32_t k,
                                    uint64_t start) {
    while (NIGHI_HAS_REMOVED && way->refuses && nighi_way_short(walk, way) &&
           walk->expansions_max == 0 && nighi_way_again(walk, way)) {
        if (way->kind == NIGHI_WAY_SCAN) {
            return nighi_search_scan(walk, way, options, k);
        }
        const nigh_status status = nighi_search_walk(walk, way, start);
        if (status != NIGH_OK) {
            return status;
        }
    }
    if (options->expansions_max == 0 && nighi_fell_short(walk, k, way->refuses)) {
        const nighi_way scan = {
            .codes = walk->coded && (walk->only || !nighi_source_addressed(walk->index))};
        return nighi_search_scan(walk, &scan, options, k);
    }
    const uint32_t width = nighi_walk_ends(walk) ? walk->session->pool_count : options->ef;
    return nighi_walk_reranks(walk) ? nighi_rerank(walk, nighi_rerank_depth(options, k, width))
                                    : NIGH_OK;
}

/* Descends to where layer 0 is walked from, unless that is not the way. */
static nigh_status nighi_search_enter(const nighi_walk *walk, uint32_t entry, nighi_way *way,
                                      uint64_t *start) {
    *start = 0;
    if (NIGHI_HAS_REMOVED && way->kind == NIGHI_WAY_SCAN) {
        return NIGH_OK;
    }
    const nigh_status status = nighi_descend(walk, entry, 0, start);
    if (status == NIGH_OK) {
        nighi_way_look(walk, *start, way);
    }
    return status;
}

/* A walk that looks for `k`, and the way that it takes. */
static void nighi_search_aim(nighi_walk *walk, const nigh_search_options *options, uint32_t k,
                             nighi_way *way) {
    walk->k = nighi_min_u32(k, walk->ef);
    walk->keep = nighi_walk_reranks(walk) ? nighi_rerank_depth(options, k, 0) : 0;
    nighi_way_choose(walk, (options->flags & NIGH_SEARCH_EXACT) != 0, way);
}

/* A search that has entered, to its hits. */
static nigh_status nighi_search_answer(const nighi_walk *walk, uint64_t start, nighi_way *way,
                                       const nigh_search_options *options, uint32_t updates,
                                       nighi_hits *hits) {
    nigh_status status = NIGH_OK;
    if (NIGHI_HAS_REMOVED && way->kind == NIGHI_WAY_SCAN) {
        status = nighi_search_scan(walk, way, options, hits->limit);
    } else {
        status = nighi_search_walk(walk, way, start);
        if (status == NIGH_OK) {
            status = nighi_search_end(walk, way, options, hits->limit, start);
        }
    }
    return status == NIGH_OK ? nighi_hits_take(walk->index, walk->session, hits, options, updates)
                             : status;
}

static nigh_status nighi_search_run(const nigh_index *index, nigh_session *session, const void *row,
                                    const nigh_search_options *options, nighi_hits *hits) {
    nighi_walk walk;
    nighi_way way;
    uint32_t entry = NIGHI_NONE;
    hits->found = 0;
    hits->coded = NIGHI_HAS_CODES && (options->flags & NIGH_SEARCH_CODES) != 0;
    nigh_status status = nighi_walk_begin(index, session, row, options, &walk, &entry);
    if (status != NIGH_OK || entry == NIGHI_NONE) {
        return status;
    }
    uint64_t start = 0;
    nighi_search_aim(&walk, options, hits->limit, &way);
    const uint32_t updates = nighi_updates(index);
    status = nighi_search_enter(&walk, entry, &way, &start);
    return status == NIGH_OK ? nighi_search_answer(&walk, start, &way, options, updates, hits)
                             : status;
}

NIGHI_FN nigh_status nighi_search(const nigh_index *index, nigh_session *session, const void *row,
                                  const nigh_search_options *options, nighi_hits *hits) {
    const uint32_t mode = nighi_fp_enter();
    const nigh_status status = nighi_search_run(index, session, row, options, hits);
    nighi_fp_leave(mode);
    return status;
}

/* ---- Several at once ------------------------------------------------------------------------ */

/* Begins a query in a lane; *under_way: it has steps to go, else it is answered. */
static nigh_status nighi_lane_begin(nighi_lane *lane, const nigh_index *index, const void *row,
                                    const nigh_search_options *options, bool *under_way) {
    nigh_session *session = lane->session;
    uint32_t entry = NIGHI_NONE;
    *under_way = false;
    nigh_status status = nighi_walk_begin(index, session, row, options, &lane->walk, &entry);
    if (status != NIGH_OK || entry == NIGHI_NONE) {
        return status;
    }
    nighi_search_aim(&lane->walk, options, lane->hits.limit, &lane->way);
    lane->updates = nighi_updates(index);
    status = nighi_search_enter(&lane->walk, entry, &lane->way, &lane->start);
    if (status == NIGH_OK && lane->way.kind == NIGHI_WAY_LIST) {
        lane->wide = nighi_walk_widened(&lane->walk, &lane->way);
        nighi_beam_open(&lane->beam, &lane->wide, 0, lane->start);
        *under_way = true;
    } else if (status == NIGH_OK) {
        status = nighi_search_answer(&lane->walk, lane->start, &lane->way, options, lane->updates,
                                     &lane->hits);
    }
    return status;
}

static nigh_status nighi_lane_end(nighi_lane *lane, const nigh_index *index,
                                  const nigh_search_options *options) {
    const nigh_status status =
        nighi_search_end(&lane->walk, &lane->way, options, lane->hits.limit, lane->start);
    return status == NIGH_OK
               ? nighi_hits_take(index, lane->session, &lane->hits, options, lane->updates)
               : status;
}

/* Hits of query `at` of a batch whose arrays are in `all`. */
static void nighi_lane_hits(const nigh_index *index, const nighi_hits *all, uint32_t at,
                            nighi_hits *hits) {
    const size_t from = (size_t)at * all->limit;
    const size_t key =
        nighi_keys_strings(&index->config) ? index->config.key_bytes_max : sizeof(uint64_t);
    *hits = (nighi_hits){.limit = all->limit, .coded = all->coded};
    hits->keys = all->keys == NULL ? NULL : (uint8_t *)all->keys + from * key;
    hits->key_lengths = all->key_lengths == NULL ? NULL : all->key_lengths + from;
    hits->distances = all->distances == NULL ? NULL : all->distances + from;
    hits->slots = all->slots == NULL ? NULL : all->slots + from;
}

static void nighi_stats_add(nigh_session_stats *sum, const nigh_session_stats *one) {
    sum->distances += one->distances;
    sum->expansions += one->expansions;
    sum->fetches += one->fetches;
    sum->truncated |= one->truncated;
    sum->scanned |= one->scanned;
    sum->reranked += one->reranked;
}

/* The next query's row. */
static nigh_status nighi_lane_row(const nighi_lane *lane, const nigh_index *index,
                                  const nighi_batch *batch, const void **row) {
    nigh_status status = NIGH_OK;
    if (batch->stored == NULL) {
        const uint32_t bytes = batch->all->coded
                                   ? nighi_code_bytes(index->coding.kind, index->config.dim)
                                   : index->metric.row_bytes;
        *row = batch->rows + (size_t)lane->query * bytes;
    } else {
        const void *vector = NULL;
        status = nighi_vectors(index, lane->session, &batch->stored[lane->query], 1, &vector);
        if (status == NIGH_OK) {
            nighi_row_from_stored(index, vector, lane->session->row);
        }
        *row = lane->session->row;
    }
    return status;
}

/* One turn of a lane: a step of its query, or the begin of the next one. False: it has no more. */
static bool nighi_lane_turn(nighi_lane *lane, const nigh_index *index, nighi_batch *batch) {
    nigh_status status = NIGH_OK;
    bool more = false;
    if (lane->busy) {
        more = nighi_beam_step(&lane->beam, &status);
        if (status == NIGH_OK && !more) {
            status = nighi_lane_end(lane, index, batch->options);
        }
    } else if (batch->next < batch->stop) {
        lane->query = batch->next++;
        nighi_lane_hits(index, batch->all, lane->query, &lane->hits);
        const void *row = NULL;
        status = nighi_lane_row(lane, index, batch, &row);
        if (status == NIGH_OK) {
            status = nighi_lane_begin(lane, index, row, batch->options, &more);
        }
    } else {
        return false;
    }
    lane->busy = more;
    if (status != NIGH_OK && lane->query < batch->stop) {
        batch->stop = lane->query;
        batch->status = status;
    }
    if (!lane->busy) {
        batch->found[lane->query] = lane->hits.found;
        nighi_stats_add(&batch->stats, &lane->session->stats);
    }
    return lane->busy || batch->next < batch->stop;
}

NIGHI_FN nigh_status nighi_search_batch(const nigh_index *index, nigh_session *session,
                                        nighi_batch *batch) {
    const uint32_t mode = nighi_fp_enter();
    const uint32_t most = index->tuning.lanes;
    const uint32_t count =
        most == 0 ? session->lane_count : nighi_min_u32(session->lane_count, most);
    for (uint32_t i = 0; i < count; i++) {
        session->lanes[i].session->filter = session->filter;
        session->lanes[i].busy = false;
    }
    for (bool more = true; more;) {
        more = false;
        for (uint32_t i = 0; i < count; i++) {
            more |= nighi_lane_turn(&session->lanes[i], index, batch);
        }
    }
    batch->stats.struct_size = sizeof batch->stats;
    session->stats = batch->stats;
    nighi_fp_leave(mode);
    return batch->status;
}

static nigh_status nighi_cursor_start(const nigh_index *index, nigh_session *session,
                                      const void *row, const nigh_search_options *options) {
    nighi_walk walk;
    uint32_t entry = NIGHI_NONE;
    nigh_status status = nighi_walk_begin(index, session, row, options, &walk, &entry);
    if (status != NIGH_OK) {
        return status;
    }
    session->pool_count = 0;
    session->frontier_count = 0;
    session->overflow_count = 0;
    session->exact_count = 0;
    session->cursor = (nighi_cursor){
        .active = 1, .depth = nighi_rerank_depth(options, 1, options->ef), .options = *options};
    if (entry == NIGHI_NONE) {
        return NIGH_OK;
    }
    uint64_t start = 0;
    const uint32_t updates = nighi_updates(index);
    status = nighi_descend(&walk, entry, 0, &start);
    if (status != NIGH_OK) {
        session->cursor.active = 0;
        return status;
    }
    session->cursor.slot_count = walk.slot_count;
    session->cursor.coded = walk.coded;
    session->cursor.version = nighi_load(&index->coding.version);
    session->cursor.updates = updates;
    nighi_visit_begin(session);
    (void)nighi_visit(session, nighi_entry_slot(start));
    nighi_frontier_push(session, start);
    if (nighi_accepts(index, session, nighi_entry_slot(start))) {
        (void)nighi_list_insert(session->pool, &session->pool_count, options->ef, start);
    }
    return NIGH_OK;
}

NIGHI_FN nigh_status nighi_cursor_begin(const nigh_index *index, nigh_session *session,
                                        const void *row, const nigh_search_options *options) {
    const uint32_t mode = nighi_fp_enter();
    const nigh_status status = nighi_cursor_start(index, session, row, options);
    nighi_fp_leave(mode);
    return status;
}
