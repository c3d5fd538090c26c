/* test_model.c - hundreds of thousands of random operations against a brute-force oracle
 * layer T; uses: data, fixture, jobs, oracle
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The run is a row of worlds: each draws a configuration and lives for some thousand operations, of
 * which the oracle knows every status, slot, row and distance beforehand. NIGH_TEST_SEED replays a
 * run, NIGH_TEST_WORLD one world of it, NIGH_TEST_OPS is how many operations all worlds have. */
#include "data.h"
#include "fixture.h"
#include "jobs.h"
#include "oracle.h"
#include "t.h"

enum { OPS_A_WORLD = 2000, POOL = 300, KEY_MAX = 25, NONE = -1 };
enum { OWNED, BORROWED, FETCHED };

typedef struct world {
    fx f;
    oracle o;
    rng r;
    fx_hits h;
    fx_hits exact;
    uint8_t *pool;     /* POOL rows to draw from: equal ones are common */
    uint8_t *source;   /* external vectors: slot_max rows */
    int64_t *id_of;    /* slot -> id */
    uint32_t *slot_of; /* id -> slot, of known ids */
    uint32_t *bits;    /* a filter, by slot */
    uint32_t slot_max;
    uint32_t granted; /* slots that room was asked for: no FULL before them */
    uint32_t slots;   /* in use */
    uint32_t ids;     /* ids are below it */
    uint32_t session_flags;
    int vectors;
} world;

static uint32_t world_at, op_at; /* for the message of a failed run */
static const char *op_name = "none";

static nigh_stats stats_of(const world *w) {
    nigh_stats stats = {0};
    stats.struct_size = sizeof stats;
    t_ok(nigh_stats_get(w->f.index, &stats));
    return stats;
}

static nigh_status fetch(void *user, const uint32_t *slots, const uint64_t *keys, uint32_t count,
                         void *scratch, const void **vectors) {
    world *w = user;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *row = w->source + slots[i] * w->f.row_bytes;
        uint8_t *to = (uint8_t *)scratch + i * w->f.row_bytes;
        t_assert(slots[i] < w->slot_max && (keys == NULL) == (w->f.config.keys == NIGH_KEYS_BYTES));
        memcpy(to, row, (size_t)w->f.row_bytes);
        vectors[i] = i % 2 != 0 ? row : to;
    }
    return NIGH_OK;
}

static void connect(world *w) {
    uint32_t trailer = w->f.config.dtype == NIGH_DTYPE_I8 ? (w->f.config.dim + 3) / 4 * 4 : 0;
    if (w->vectors == BORROWED) {
        t_ok(nigh_index_borrow(w->f.index, w->source, w->f.row_bytes, w->slot_max, trailer));
    } else if (w->vectors == FETCHED) {
        t_ok(nigh_index_fetch(w->f.index, fetch, NULL, w));
    }
}

static void new_session(world *w) {
    nigh_session_options so =
        fx_session_options(w->slot_max + 50, w->slot_max + 1, w->session_flags);
    w->f.session = fx_session(&w->f, &so);
}

static nigh_config draw_config(rng *r) {
    static const uint32_t sizes[] = {256, 512, 4096, 65536};
    uint32_t metric, dtype;
    (void)fx_pair(rng_below(r, 21), &metric, &dtype);
    nigh_config config = fx_config(1 + rng_below(r, rng_below(r, 2) ? 40 : 8), metric, dtype);
    if (metric == NIGH_METRIC_COSINE && config.dim < 2) {
        config.dim = 2;
    }
    config.keys = rng_below(r, 3);
    config.key_bytes_max = KEY_MAX;
    config.m = 2 + rng_below(r, 15);
    config.m0 = rng_below(r, 2) ? 0 : config.m + 2 + rng_below(r, 20);
    config.ef_build = 4 + rng_below(r, 40);
    config.expansions = 1 + rng_below(r, 4);
    config.block_bytes = sizes[rng_below(r, 4)];
    config.seed = rng_next(r);
    if (dtype != NIGH_DTYPE_B1 && rng_below(r, 3) == 0) {
        config.codes = NIGH_CODES_U7;
        config.build_flags = rng_below(r, 4);
        config.alpha = rng_below(r, 2) ? 1.2f : 0;
        if (rng_below(r, 2)) { /* active from the first vector on; some of them do not fit */
            config.code_min = -1;
            config.code_max = 200;
        }
    }
    return config;
}

static void world_open(world *w, uint64_t seed) {
    memset(w, 0, sizeof *w);
    w->r.state = seed;
    nigh_config config = draw_config(&w->r);
    w->vectors = (int)rng_below(&w->r, 6); /* half of the worlds own their vectors */
    w->vectors = w->vectors > FETCHED ? OWNED : w->vectors;
    config.vectors = w->vectors == OWNED ? NIGH_VECTORS_OWNED : NIGH_VECTORS_EXTERNAL;
    w->slot_max = 1 + rng_below(&w->r, rng_below(&w->r, 4) == 0 ? 12 : 250);
    w->ids = config.keys == NIGH_KEYS_IDENTITY ? w->slot_max : w->slot_max * 3 / 2 + 2;
    w->session_flags = rng_below(&w->r, 4) == 0 ? NIGH_SESSION_SMALL : 0;
    if ((w->session_flags & NIGH_SESSION_SMALL) != 0 && config.expansions > 2) {
        config.expansions = 2; /* no more than a small session has room for */
    }
    fx_init(&w->f, &config, w->slot_max, 0, 0, w->slot_max + 50);
    oracle_init(&w->o, &w->f.config, w->ids);
    fx_hits_init(&w->h, &w->f.config, w->slot_max + 1);
    fx_hits_init(&w->exact, &w->f.config, w->slot_max + 1);
    w->pool = data_rows(&w->r, (int)rng_below(&w->r, DATA_COUNT), config.dtype, POOL, config.dim);
    w->source = fx_malloc(w->f.row_bytes * w->slot_max);
    w->id_of = fx_malloc(w->slot_max * sizeof *w->id_of);
    w->slot_of = fx_malloc(w->ids * sizeof *w->slot_of);
    w->bits = fx_malloc((w->slot_max + 31) / 32 * sizeof *w->bits);
    for (uint32_t slot = 0; slot < w->slot_max; slot++) { /* a cosine vector is never 0 */
        memcpy(w->source + slot * w->f.row_bytes, w->pool, (size_t)w->f.row_bytes);
    }
    new_session(w);
    connect(w);
}

static void world_close(world *w) {
    fx_drop(&w->f);
    oracle_drop(&w->o);
    fx_hits_drop(&w->h);
    fx_hits_drop(&w->exact);
    free(w->pool);
    free(w->source);
    free(w->id_of);
    free(w->slot_of);
    free(w->bits);
}

static const uint8_t *draw_row(world *w) {
    return w->pool + rng_below(&w->r, POOL) * w->f.row_bytes;
}

/* ---- Changes -------------------------------------------------------------------------------- */

static void op_grow(world *w) {
    nigh_stats before = stats_of(w);
    uint32_t slots = before.slot_capacity + 1 + rng_below(&w->r, 40);
    uint64_t most = (uint64_t)w->slot_max * KEY_MAX; /* for strings ever stored, of one handle */
    uint64_t key_bytes = before.key_capacity + (w->f.config.keys == NIGH_KEYS_BYTES ? 600 : 0);
    key_bytes = key_bytes < most ? key_bytes : most;
    w->granted = slots < w->slot_max ? slots : w->slot_max;
    fx_grow(&w->f, w->granted, key_bytes);
    nigh_stats after = stats_of(w);
    t_assert(after.slot_capacity >= w->granted);
    t_assert(after.slot_capacity <= w->slot_max && after.key_capacity >= before.key_capacity);
    t_eq(after.slot_count, w->slots);
}

/* FULL is right only when no slot, or no room for key bytes, is left. */
static void full(world *w) {
    nigh_stats stats = stats_of(w);
    int no_slot = stats.slot_count >= w->granted;
    int no_bytes = w->f.config.keys == NIGH_KEYS_BYTES &&
                   stats.key_bytes + stats.key_capacity / 16 + 2 * (uint64_t)KEY_MAX >
                       stats.key_capacity; /* a 16th: gaps at the ends of blocks */
    t_assert(no_slot || no_bytes);
    if (w->granted < w->slot_max || no_bytes) {
        op_grow(w);
    }
}

/* The lowest slot of a removed key, or NONE. */
static int64_t lowest_deleted(const world *w) {
    for (uint32_t slot = 0; slot < w->slots; slot++) {
        if (w->o.state[w->id_of[slot]] == ORACLE_DELETED) {
            return slot;
        }
    }
    return NONE;
}

/* A node of `slot` now belongs to the id. */
static void settle(world *w, uint64_t id, uint32_t slot, const uint8_t *row) {
    uint32_t got = 0xffffffffu;
    if (slot < w->slots) {
        oracle_mark(&w->o, (uint64_t)w->id_of[slot], ORACLE_UNKNOWN);
    }
    w->slots += slot == w->slots;
    w->id_of[slot] = (int64_t)id;
    w->slot_of[id] = slot;
    oracle_put(&w->o, id, row);
    t_ok(fx_get(&w->f, w->f.session, id, NULL, &got));
    t_eq(got, slot);
}

/* Insert or set of an id that is not known. */
static void op_new(world *w, uint64_t id, uint32_t flags, int set) {
    const uint8_t *row = draw_row(w);
    int64_t slot = (flags & NIGH_REPLACE_DELETED) != 0 ? lowest_deleted(w) : NONE;
    slot = slot == NONE ? (int64_t)w->slots : slot;
    if (w->f.config.keys == NIGH_KEYS_IDENTITY && slot < w->slots) {
        return; /* the key of a removed slot cannot be forgotten: it is the slot */
    }
    uint8_t *place = w->source + (uint64_t)(slot % w->slot_max) * w->f.row_bytes;
    if (slot < w->slot_max && w->vectors != OWNED) {
        memcpy(place, row, (size_t)w->f.row_bytes);
    }
    const uint8_t *given = w->vectors != OWNED ? NULL : row;
    flags |= w->vectors != OWNED ? NIGH_SET_EXCLUSIVE : 0; /* a removed slot's vector changes */
    nigh_status s = set ? fx_set(&w->f, w->f.session, flags, id, given)
                        : fx_insert(&w->f, w->f.session, flags, id, given);
    if (s == NIGH_E_FULL) {
        if (slot < w->slots) { /* the removed key may still come back with its vector */
            memcpy(place, oracle_row(&w->o, (uint64_t)w->id_of[slot]), (size_t)w->f.row_bytes);
        }
        full(w);
        return;
    }
    t_ok(s);
    settle(w, id, (uint32_t)slot, row);
}

/* Set of a known id, live or removed. */
static void op_update(world *w, uint64_t id) {
    const uint8_t *row = draw_row(w);
    uint32_t flags = rng_below(&w->r, 2) ? NIGH_SET_EXCLUSIVE : 0;
    if (w->vectors != OWNED) {
        memcpy(w->source + w->slot_of[id] * w->f.row_bytes, row, (size_t)w->f.row_bytes);
        t_ok(fx_set(&w->f, w->f.session, NIGH_SET_EXCLUSIVE, id, NULL));
    } else {
        t_ok(fx_set(&w->f, w->f.session, flags, id, row));
    }
    oracle_put(&w->o, id, row);
}

static void op_insert(world *w, uint32_t dice) {
    int identity = w->f.config.keys == NIGH_KEYS_IDENTITY;
    uint64_t id = rng_below(&w->r, w->ids);
    uint32_t flags = dice % 3 == 0 ? NIGH_REPLACE_DELETED : 0;
    if (identity && rng_below(&w->r, 4) != 0) {
        id = w->slots; /* mostly the one that can be inserted */
        if (id >= w->ids) {
            return;
        }
    }
    uint8_t state = w->o.state[id];
    const uint8_t *given = w->vectors != OWNED ? NULL : draw_row(w);
    if (state == ORACLE_LIVE) {
        t_is(fx_insert(&w->f, w->f.session, flags, id, given), NIGH_E_EXISTS);
    } else if (state == ORACLE_DELETED) {
        t_is(fx_insert(&w->f, w->f.session, flags, id, given), NIGH_E_DELETED);
    } else if (identity && id != w->slots) {
        t_is(fx_insert(&w->f, w->f.session, flags, id, given), NIGH_E_KEY);
    } else {
        op_new(w, id, flags, dice % 5 == 0);
    }
}

static void op_set(world *w) {
    uint64_t id = rng_below(&w->r, w->ids);
    if (w->o.state[id] != ORACLE_UNKNOWN) {
        op_update(w, id);
    }
}

static void op_remove(world *w) {
    uint64_t id = rng_below(&w->r, w->ids);
    uint8_t state = w->o.state[id];
    t_is(fx_remove(&w->f, w->f.session, id), state == ORACLE_LIVE      ? NIGH_OK
                                             : state == ORACLE_DELETED ? NIGH_E_DELETED
                                                                       : NIGH_E_NOT_FOUND);
    if (state == ORACLE_LIVE) {
        oracle_mark(&w->o, id, ORACLE_DELETED);
    }
}

static void op_unremove(world *w) {
    uint64_t id = rng_below(&w->r, w->ids);
    uint8_t state = w->o.state[id];
    t_is(fx_unremove(&w->f, w->f.session, id), state == ORACLE_DELETED ? NIGH_OK
                                               : state == ORACLE_LIVE  ? NIGH_E_EXISTS
                                                                       : NIGH_E_NOT_FOUND);
    if (state == ORACLE_DELETED) {
        oracle_mark(&w->o, id, ORACLE_LIVE);
    }
}

/* Some worlds begin with a build: ids 0, 1, ... in their slots. */
static void op_build(world *w) {
    uint32_t count = rng_below(&w->r, w->granted + 1), done = 0;
    uint8_t *rows = fx_malloc(count * w->f.row_bytes);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *to = (w->vectors == OWNED ? rows : w->source) + i * w->f.row_bytes;
        memcpy(to, draw_row(w), (size_t)w->f.row_bytes);
    }
    nigh_status s = fx_build(&w->f, 0, count, w->vectors == OWNED ? rows : NULL, &done);
    if (s != NIGH_E_FULL || w->f.config.keys != NIGH_KEYS_BYTES) { /* room for so many slots */
        t_ok(s);
        t_eq(done, count);
    }
    for (uint32_t i = 0; i < done; i++) {
        settle(w, i, i, (w->vectors == OWNED ? rows : w->source) + i * w->f.row_bytes);
    }
    free(rows);
}

/* Codes are dropped, or made of either kind. */
static void op_codes(world *w) {
    uint32_t codes =
        stats_of(w).codes != NIGH_CODES_NONE ? (uint32_t)NIGH_CODES_NONE : 1 + rng_below(&w->r, 2);
    if (w->f.config.dtype == NIGH_DTYPE_B1) {
        return;
    }
    if (codes != NIGH_CODES_NONE && rng_below(&w->r, 2)) {
        t_ok(fx_codes(&w->f, codes, -1, 1.5f));
    } else {
        t_ok(fx_codes(&w->f, codes, 0, 0));
        codes = stats_of(w).slot_count == 0 ? (uint32_t)NIGH_CODES_NONE : codes; /* no sample */
    }
    t_eq(stats_of(w).codes, codes);
    new_session(w);
}

/* ---- Reads ---------------------------------------------------------------------------------- */

static void op_get(world *w) {
    uint64_t id = rng_below(&w->r, w->ids);
    uint8_t state = w->o.state[id];
    uint8_t row[200];
    uint32_t slot = 0;
    t_assert(w->f.row_bytes <= sizeof row);
    t_is(fx_get(&w->f, w->f.session, id, row, &slot), state == ORACLE_LIVE      ? NIGH_OK
                                                      : state == ORACLE_DELETED ? NIGH_E_DELETED
                                                                                : NIGH_E_NOT_FOUND);
    if (state == ORACLE_LIVE) {
        t_eq(slot, w->slot_of[id]);
        t_bytes(row, oracle_row(&w->o, id), w->f.row_bytes);
    }
}

static nigh_search_options draw_search(world *w, int complete) {
    nigh_search_options so = fx_search_options(w->slots + 1, 0);
    so.expansions = 1 + rng_below(&w->r, (w->session_flags & NIGH_SESSION_SMALL) != 0 ? 2 : 5);
    so.rerank = w->slots + 1;
    if (!complete) {
        so.ef = 1 + rng_below(&w->r, w->slots + 1);
        so.rerank = rng_below(&w->r, 2) ? rng_below(&w->r, so.ef) : 0;
    }
    return so;
}

static void op_search(world *w, int complete) {
    const uint8_t *query = draw_row(w);
    nigh_search_options so = draw_search(w, complete);
    uint32_t k = 1 + rng_below(&w->r, so.ef < w->slot_max ? so.ef : w->slot_max);
    t_ok(fx_search(&w->f, w->f.session, query, &so, k, &w->h));
    if (complete) {
        oracle_expect(&w->o, &w->h, query, k, NULL, NULL);
        so.flags = NIGH_SEARCH_EXACT;
        t_ok(fx_search(&w->f, w->f.session, query, &so, k, &w->exact));
        fx_same_hits(&w->h, &w->exact);
    } else {
        (void)oracle_recall(&w->o, &w->h, query, k, NULL, NULL);
        t_eq(w->h.found, oracle_count(&w->o, k, NULL, NULL));
    }
}

static int allowed(void *user, uint64_t id) {
    const world *w = user;
    uint32_t slot = w->slot_of[id];
    return (int)(w->bits[slot / 32] >> slot % 32 & 1);
}

static int32_t allowed_slot(void *user, uint32_t slot, const uint64_t *key) {
    const world *w = user;
    (void)key;
    return (int32_t)(w->bits[slot / 32] >> slot % 32 & 1);
}

static void op_filtered(world *w, int complete) {
    const uint8_t *query = draw_row(w);
    nigh_search_options so = draw_search(w, complete);
    uint32_t k = rng_below(&w->r, so.ef) + 1, share = rng_below(&w->r, 101);
    k = k < w->slot_max ? k : w->slot_max;
    for (uint32_t slot = 0; slot < w->slot_max; slot++) {
        uint32_t bit = 1u << slot % 32;
        w->bits[slot / 32] &= ~bit;
        w->bits[slot / 32] |= rng_below(&w->r, 100) < share ? bit : 0;
    }
    if (rng_below(&w->r, 2)) {
        t_ok(nigh_session_filter(w->f.session, w->bits, w->slot_max, NULL, NULL));
    } else {
        t_ok(nigh_session_filter(w->f.session, NULL, 0, allowed_slot, w));
    }
    t_ok(fx_search(&w->f, w->f.session, query, &so, k, &w->h));
    if (complete) {
        oracle_expect(&w->o, &w->h, query, k, allowed, w);
    } else {
        (void)oracle_recall(&w->o, &w->h, query, k, allowed, w);
        t_eq(w->h.found, oracle_count(&w->o, k, allowed, w));
    }
    t_ok(nigh_session_filter(w->f.session, NULL, 0, NULL, NULL));
}

static void op_cursor(world *w) {
    const uint8_t *query = draw_row(w);
    nigh_search_options so = draw_search(w, 1);
    uint32_t page = 1 + rng_below(&w->r, 20), at = 0;
    page = page < w->slot_max ? page : w->slot_max;
    so.flags = NIGH_SEARCH_EXACT;
    t_ok(fx_search(&w->f, w->f.session, query, &so, w->slot_max, &w->exact));
    so.flags = 0;
    t_ok(nigh_cursor_begin(w->f.index, w->f.session, query, &so));
    do {
        t_ok(fx_next(&w->f, w->f.session, page, &w->h));
        t_assert(at + w->h.found <= w->exact.found);
        t_bytes(w->h.ids, w->exact.ids + at, w->h.found * sizeof *w->h.ids);
        t_bytes(w->h.distances, w->exact.distances + at, w->h.found * sizeof(float));
        at += w->h.found;
    } while (w->h.found == page && rng_below(&w->r, 8) != 0); /* now and then it stops early */
    t_assert(w->h.found == page || at == w->exact.found);
}

/* ---- Reopening ------------------------------------------------------------------------------ */

static void op_reopen(world *w, int writable) {
    fx again;
    uint32_t flags = writable ? NIGH_OPEN_WRITABLE | NIGH_OPEN_VERIFY : NIGH_OPEN_VERIFY;
    fx_bytes image = fx_save(w->f.index, 0);
    t_eq(image.size, stats_of(w).image_bytes);
    t_ok(fx_attach(&again, image.data, image.size, flags, writable ? w->slot_max : 0,
                   w->slot_max + 50));
    free(image.data);
    fx old = w->f;
    w->f = again;
    new_session(w);
    connect(w);
    fx_same_image(old.index, w->f.index);
    op_search(w, 1);
    oracle_same_set(&w->o, &w->f);
    fx_check(w->f.index, w->f.session);
    again = w->f;
    if (!writable) {
        w->f = old;
        fx_drop(&again);
    } else {
        fx_drop(&old); /* from now on, the copy it is */
        w->granted = w->slots;
    }
}

static void invariants(world *w) {
    nigh_stats stats = stats_of(w);
    t_eq(stats.slot_count, w->slots);
    t_eq(stats.live_count, w->o.live);
    t_eq(stats.deleted_count, w->o.deleted);
    t_eq(stats.live_count + stats.deleted_count + stats.free_count, stats.slot_count);
    t_assert(stats.slot_count <= stats.slot_capacity && stats.slot_capacity <= w->slot_max);
    t_assert((stats.entry_slot == 0xffffffffu) == (w->slots == 0));
    fx_check(w->f.index, w->f.session);
}

/* A live key, with its own vector, at ef = n. */
static void op_itself(world *w) {
    uint64_t id = rng_below(&w->r, w->ids);
    if (w->o.state[id] != ORACLE_LIVE) {
        return;
    }
    nigh_search_options so = draw_search(w, 1);
    t_ok(fx_search(&w->f, w->f.session, oracle_row(&w->o, id), &so, w->slot_max, &w->h));
    uint32_t at = 0;
    while (at < w->h.found && w->h.ids[at] != id) {
        at++;
    }
    t_assert(at < w->h.found);
}

static void step(world *w) {
    uint32_t dice = rng_below(&w->r, 1000);
#define OP(share, call)                                                                            \
    if (dice < (share)) {                                                                          \
        op_name = #call;                                                                           \
        call;                                                                                      \
    } else if ((dice -= (share)), 0) {                                                             \
    } else
    OP(300, op_insert(w, dice))
    OP(110, op_set(w))
    OP(160, op_remove(w))
    OP(60, op_unremove(w))
    OP(60, op_get(w))
    OP(90, op_search(w, 1))
    OP(40, op_search(w, 0))
    OP(60, op_filtered(w, 1))
    OP(20, op_filtered(w, 0))
    OP(30, op_cursor(w))
    OP(40, op_itself(w))
    OP(3, op_codes(w))
    OP(5, op_reopen(w, 1))
    OP(5, op_reopen(w, 0))
    OP(10, op_grow(w)) {
        op_name = "oracle_same_set";
        oracle_same_set(&w->o, &w->f);
    }
    if (rng_below(&w->r, 4) == 0) {
        invariants(w);
    }
}

static void one_world(uint32_t number, uint32_t ops) {
    world w;
    world_at = number;
    rng r = {t_seed() * 1000003 + number};
    world_open(&w, rng_next(&r));
    if (rng_below(&r, 2)) {
        op_name = "op_build";
        op_grow(&w);
        op_build(&w);
    }
    for (op_at = 0; op_at < ops; op_at++) {
        step(&w);
    }
    oracle_same_set(&w.o, &w.f);
    invariants(&w);
    world_close(&w);
}

TEST(model) {
    const char *text = getenv("NIGH_TEST_OPS"), *only = getenv("NIGH_TEST_WORLD");
    uint32_t ops = text != NULL ? (uint32_t)strtoul(text, NULL, 0) : t_small() ? 20000 : 1000000;
    printf("seed %" PRIu64 ", %u operations\n", t_seed(), ops);
    for (uint32_t number = 0; number * OPS_A_WORLD < ops; number++) {
        uint32_t left = ops - number * OPS_A_WORLD;
        if (only == NULL || strtoul(only, NULL, 0) == number) {
            one_world(number, left < OPS_A_WORLD ? left : OPS_A_WORLD);
        }
    }
}

SUITE {
    RUN(model);
    if (t_counts[1] != 0) {
        printf("replay: NIGH_TEST_SEED=%" PRIu64 " NIGH_TEST_WORLD=%u, operation %u: %s\n",
               t_seed(), world_at, op_at, op_name);
    }
}
