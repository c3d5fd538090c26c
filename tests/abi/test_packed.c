/* test_packed.c - packed images: the plain image again, the same answers, read-only, their size
 * layer T; uses: data, fixture, image_fix, jobs
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "data.h"
#include "fixture.h"
#include "image_fix.h"
#include "jobs.h"
#include "t.h"

enum { DIM = 12, N = 700, QUERIES = 12, EF = 80, CONFIGS = 36 };

typedef struct world { /* an index with a history, and the same packed */
    fx plain;
    fx packed;
    fx_bytes image; /* of `plain` */
    fx_bytes small; /* packed */
    uint8_t *rows;
    uint32_t n;
    uint64_t next_key;
} world;

static nigh_config config_at(uint32_t i) {
    static const uint32_t degrees[] = {8, 5, 16, 3};
    nigh_config config = fx_config(DIM + i % 5, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    config.keys = i % 3;
    config.key_bytes_max = 25;
    config.m = degrees[i / 3 % 4];
    config.metric = i % 2 == 0 ? NIGH_METRIC_COSINE : NIGH_METRIC_L2;
    config.block_bytes = i % 5 == 0 ? 256 : 0;
    config.ef_build = 40;
    config.seed = 42 + i;
    return config;
}

/* Removed keys, free slots, slots taken again: all that a history leaves. */
static void age(world *w, uint32_t i) {
    fx *f = &w->plain;
    for (uint32_t id = 0; i % 4 != 0 && id < w->n; id += 3) {
        t_ok(fx_remove(f, f->session, id));
    }
    if (i % 4 >= 2) {
        t_ok(fx_work(f, NIGH_JOB_VACUUM, 1, 1));
    }
    for (uint32_t id = 1; i % 4 == 3 && id < w->n; id += 9) {
        t_ok(fx_remove(f, f->session, id));
        if (f->config.keys != NIGH_KEYS_IDENTITY) {
            t_ok(fx_insert(f, f->session, 0, w->next_key++, w->rows + id * f->row_bytes));
        }
    }
}

static void world_open(world *w, nigh_config config, uint32_t i, uint32_t n, uint32_t flags) {
    rng r = {t_seed() + i};
    w->n = n;
    w->next_key = n;
    w->rows = data_rows(&r, DATA_CLUSTERED, config.dtype, n + QUERIES, config.dim);
    fx_init(&w->plain, &config, n + n / 9 + 1, n + n / 9 + 1, (uint64_t)n * 40, EF);
    fx_insert_many(&w->plain, 0, n, w->rows);
    age(w, i);
    if (config.codes != NIGH_CODES_NONE) {
        t_ok(fx_codes(&w->plain, config.codes, 0, 0));
    }
    w->image = fx_save(w->plain.index, flags);
    w->small = fx_save(w->plain.index, flags | NIGH_SAVE_PACKED);
    t_ok(fx_attach(&w->packed, w->small.data, w->small.size, NIGH_OPEN_VERIFY, 0, EF));
}

static void world_close(world *w) {
    fx_drop(&w->plain);
    fx_drop(&w->packed);
    free(w->image.data);
    free(w->small.data);
    free(w->rows);
}

/* ---- The same answers ----------------------------------------------------------------------- */

static int third(void *user, uint32_t slot, const uint64_t *key) {
    (void)user, (void)key;
    return slot % 3 != 1;
}

static void same_search(world *w, const uint8_t *query, const nigh_search_options *so, fx_hits *a,
                        fx_hits *b) {
    t_ok(fx_search(&w->plain, w->plain.session, query, so, 10, a));
    t_ok(fx_search(&w->packed, w->packed.session, query, so, 10, b));
    fx_same_hits(a, b);
    nigh_session_stats first = fx_cost(w->plain.session), second = fx_cost(w->packed.session);
    t_eq(first.expansions, second.expansions);
    t_eq(first.distances, second.distances);
}

static void same_cursor(world *w, const uint8_t *query, fx_hits *a, fx_hits *b) {
    t_ok(nigh_cursor_begin(w->plain.index, w->plain.session, query, NULL));
    t_ok(nigh_cursor_begin(w->packed.index, w->packed.session, query, NULL));
    for (uint32_t page = 0; page < 40; page++) {
        t_ok(fx_next(&w->plain, w->plain.session, 25, a));
        t_ok(fx_next(&w->packed, w->packed.session, 25, b));
        fx_same_hits(a, b);
    }
    t_assert(b->found < 25);
}

static void set_filter(world *w, const uint32_t *bits, nigh_filter_fn fn) {
    t_ok(nigh_session_filter(w->plain.session, bits, w->plain.index ? w->n : 0, fn, NULL));
    t_ok(nigh_session_filter(w->packed.session, bits, w->n, fn, NULL));
}

/* Every kind of search, with a filter of each selectivity. */
static void same_searches(world *w) {
    static const uint32_t steps[] = {1, 2, 5, 40, 300};
    uint32_t *bits = fx_exact((w->n + 31) / 32 * 4);
    fx_hits a, b;
    fx_hits_init(&a, &w->plain.config, 25);
    fx_hits_init(&b, &w->plain.config, 25);
    for (uint32_t q = 0; q < QUERIES; q++) {
        const uint8_t *query = w->rows + (w->n + q) * w->plain.row_bytes;
        nigh_search_options so = fx_search_options(10 + q * 5, 0);
        so.expansions = 1 + q % 4;
        for (uint32_t kind = 0; kind < 4; kind++) {
            so.flags = kind == 1 ? NIGH_SEARCH_EXACT : kind == 2 ? NIGH_SEARCH_NO_CODES : 0;
            so.gamma = kind == 3 ? 0.2f : 0;
            same_search(w, query, &so, &a, &b);
        }
        so.gamma = 0;
        for (uint32_t s = 0; s < 5; s++) {
            memset(bits, 0, (w->n + 31) / 32 * 4);
            for (uint32_t slot = q; slot < w->n; slot += steps[s]) {
                bits[slot / 32] |= 1u << slot % 32;
            }
            set_filter(w, bits, NULL);
            same_search(w, query, &so, &a, &b);
        }
        set_filter(w, NULL, third);
        same_search(w, query, &so, &a, &b);
        set_filter(w, NULL, NULL);
        same_cursor(w, query, &a, &b);
    }
    fx_hits_drop(&a);
    fx_hits_drop(&b);
    free(bits);
}

/* Keys, rows, and the graph node by node. */
static void same_nodes(world *w) {
    uint32_t links[2][64], count[2], top[2], flags[2], slots[2];
    uint8_t row[256];
    nigh_stats plain = fx_stats(w->plain.index), packed = fx_stats(w->packed.index);
    t_eq(plain.level_max, packed.level_max);
    t_eq(plain.live_count, packed.live_count);
    t_eq(plain.image_bytes, packed.image_bytes);
    for (uint32_t slot = 0; slot < plain.slot_count; slot++) {
        for (uint32_t level = 0; level < 5; level++) {
            nigh_status s = nigh_node(w->plain.index, slot, level, &top[0], &flags[0], links[0],
                                      &count[0]);
            t_is(nigh_node(w->packed.index, slot, level, &top[1], &flags[1], links[1], &count[1]),
                 s);
            if (s == NIGH_OK) {
                t_eq(top[0], top[1]);
                t_eq(flags[0], flags[1]);
                t_eq(count[0], count[1]);
                t_bytes(links[0], links[1], count[0] * 4);
            }
        }
    }
    for (uint64_t id = 0; id < w->next_key + 3; id++) {
        nigh_status s = fx_get(&w->plain, w->plain.session, id, row, &slots[0]);
        t_is(fx_get(&w->packed, w->packed.session, id, row + 128, &slots[1]), s);
        if (s == NIGH_OK) {
            t_eq(slots[0], slots[1]);
            t_bytes(row, row + 128, w->plain.row_bytes);
        }
    }
}

TEST(round_trip) {
    for (uint32_t i = 0; i < (t_small() ? 12 : CONFIGS); i++) {
        world w;
        world_open(&w, config_at(i), i, i % 7 == 6 ? 33 : N, 0);
        fx_check(w.packed.index, w.packed.session);
        fx_bytes again = fx_save(w.packed.index, 0);
        t_eq(again.size, w.image.size);
        t_bytes(again.data, w.image.data, again.size);
        free(again.data);
        again = fx_save(w.packed.index, NIGH_SAVE_PACKED);
        t_eq(again.size, w.small.size);
        t_bytes(again.data, w.small.data, again.size);
        free(again.data);
        t_assert(w.small.size < w.image.size);
        same_searches(&w);
        same_nodes(&w);
        world_close(&w);
    }
}

TEST(codes) {
    for (uint32_t i = 0; i < 4; i++) {
        world w;
        nigh_config config = config_at(i);
        config.dim = 40;
        config.codes = i % 2 == 0 ? NIGH_CODES_U7 : NIGH_CODES_B1;
        world_open(&w, config, i, N, 0);
        t_eq(fx_stats(w.packed.index).codes, config.codes);
        fx_check(w.packed.index, w.packed.session);
        same_searches(&w);
        fx_same_image(w.plain.index, w.packed.index);
        t_ok(fx_codes(&w.packed, NIGH_CODES_NONE, 0, 0)); /* a handle of its own may do that */
        t_ok(fx_codes(&w.plain, NIGH_CODES_NONE, 0, 0));
        same_searches(&w);
        fx_same_image(w.plain.index, w.packed.index);
        t_ok(fx_codes(&w.packed, NIGH_CODES_U7, -2, 2));
        t_ok(fx_codes(&w.plain, NIGH_CODES_U7, -2, 2));
        same_searches(&w);
        fx_same_image(w.plain.index, w.packed.index);
        world_close(&w);
    }
}

static nigh_status lend(void *user, const uint32_t *slots, const uint64_t *keys, uint32_t count,
                        void *scratch, const void **vectors) {
    const world *w = user;
    (void)keys, (void)scratch;
    for (uint32_t i = 0; i < count; i++) {
        vectors[i] = w->rows + slots[i] * w->plain.row_bytes;
    }
    return NIGH_OK;
}

/* Vectors elsewhere: borrowed, or by callback; without, a status. */
TEST(graph_only) {
    for (uint32_t i = 0; i < 6; i++) {
        world w;
        fx_hits h;
        nigh_config config = config_at(i);
        world_open(&w, config, i % 2, N, NIGH_SAVE_GRAPH_ONLY); /* slots are rows */
        fx_hits_init(&h, &w.packed.config, 10);
        t_eq(w.packed.config.vectors, NIGH_VECTORS_EXTERNAL);
        t_is(fx_search(&w.packed, w.packed.session, w.rows, NULL, 10, &h), NIGH_E_NO_VECTORS);
        t_is(nigh_index_borrow(w.packed.index, w.rows, w.plain.row_bytes, N - 1, 0),
             NIGH_E_MISMATCH);
        fx_drop(&w.plain);
        t_ok(fx_attach(&w.plain, w.image.data, w.image.size, 0, 0, EF));
        for (uint32_t which = 0; which < 2; which++) {
            nigh_index *index = which == 0 ? w.plain.index : w.packed.index;
            t_ok(i < 3 ? nigh_index_borrow(index, w.rows, w.plain.row_bytes, N, 0)
                       : nigh_index_fetch(index, lend, NULL, &w));
        }
        same_searches(&w);
        fx_check(w.packed.index, w.packed.session);
        fx_bytes again = fx_save(w.packed.index, 0);
        t_eq(again.size, w.image.size);
        t_bytes(again.data, w.image.data, again.size);
        free(again.data);
        fx_hits_drop(&h);
        world_close(&w);
    }
}

/* ---- What it is not ------------------------------------------------------------------------- */

TEST(read_only) {
    world w;
    nigh_index *index = NULL;
    uint64_t bytes = 0;
    uint8_t header[NIGH_HEADER_BYTES];
    uint8_t memory[64] __attribute__((aligned(64)));
    nigh_job *job = NULL;
    nigh_job_options jo = fx_job_options(NIGH_JOB_REFINE);
    uint32_t done = 0;
    world_open(&w, config_at(0), 0, N, 0);
    nigh_session_options so = fx_session_options(EF, 0, 0);
    nigh_session *session = fx_session(&w.packed, &so);
    t_is(fx_insert(&w.packed, session, 0, 9999, w.rows), NIGH_E_READ_ONLY);
    t_is(fx_set(&w.packed, session, 0, 1, w.rows), NIGH_E_READ_ONLY);
    t_is(fx_remove(&w.packed, w.packed.session, 1), NIGH_E_READ_ONLY);
    t_is(fx_unremove(&w.packed, w.packed.session, 1), NIGH_E_READ_ONLY);
    t_is(nigh_seal(w.packed.index), NIGH_E_READ_ONLY);
    t_is(nigh_header(w.packed.index, header), NIGH_E_READ_ONLY);
    t_is(nigh_grow_bytes(w.packed.index, N, 0, &bytes), NIGH_E_READ_ONLY);
    t_is(nigh_grow(w.packed.index, N, 0, memory, sizeof memory), NIGH_E_READ_ONLY);
    t_is(fx_job_begin(&w.packed, &jo, NULL, NULL, 0, &job), NIGH_E_READ_ONLY);
    jo.kind = NIGH_JOB_VACUUM;
    t_is(fx_job_begin(&w.packed, &jo, NULL, NULL, 0, &job), NIGH_E_READ_ONLY);
    t_is(fx_build(&w.packed, N + 1, 1, w.rows, &done), NIGH_E_READ_ONLY);
    w.packed.options.flags = NIGH_OPEN_WRITABLE;
    t_ok(nigh_attach_bytes(w.packed.image, w.small.size, &w.packed.options, &bytes));
    t_ok(nigh_attach(w.packed.image, w.small.size, &w.packed.options, fx_take(&w.packed, bytes),
                     bytes, &index));
    t_ok(nigh_writer_bytes(index, &bytes));
    t_is(nigh_writer_init(index, fx_take(&w.packed, bytes), bytes), NIGH_E_READ_ONLY);
    t_bytes(w.packed.image, w.small.data, w.small.size);
    world_close(&w);
}

/* A reader of version 1 only, as all before packed images were, takes it for what it does not know:
 * this is what it looks at. And a header cannot say one thing here and another there. */
TEST(version) {
    world w;
    uint32_t version = 0, packed = 0;
    world_open(&w, config_at(1), 1, 50, 0);
    memcpy(&version, w.image.data + 8, 4);
    memcpy(&packed, w.image.data + 412, 4);
    t_eq(version, 1);
    t_eq(packed, 0);
    memcpy(&version, w.small.data + 8, 4);
    memcpy(&packed, w.small.data + 412, 4);
    t_eq(version, 2);
    t_eq(packed, 1);
    world_close(&w);
}

TEST(tiny) {
    for (uint32_t n = 0; n < 70; n++) {
        fx f, g;
        nigh_config config = config_at(n);
        rng r = {t_seed()};
        uint8_t *rows = data_rows(&r, DATA_UNIFORM, config.dtype, 70, config.dim);
        fx_init(&f, &config, 70, 70, 70 * 40, EF);
        fx_insert_many(&f, 0, n, rows);
        fx_bytes image = fx_save(f.index, NIGH_SAVE_PACKED);
        t_ok(fx_attach(&g, image.data, image.size, NIGH_OPEN_VERIFY, 0, EF));
        fx_check(g.index, g.session);
        fx_same_image(f.index, g.index);
        for (uint64_t id = 0; id < 70; id++) {
            t_is(fx_get(&g, g.session, id, NULL, NULL), id < n ? NIGH_OK : NIGH_E_NOT_FOUND);
        }
        free(image.data);
        free(rows);
        fx_drop(&f);
        fx_drop(&g);
    }
}

/* A graph whose layers are not those that its seed draws is packed as it is. */
TEST(foreign_layers) {
    world w;
    fx other;
    nigh_config config = config_at(2);
    world_open(&w, config, 0, N, 0);
    uint64_t seed = 0;
    memcpy(&seed, w.image.data + 80, 8);
    seed ^= 0x1234;
    fx_drop(&w.packed);
    memcpy(w.image.data + 80, &seed, 8);
    image_fix(w.image.data, (size_t)w.image.size);
    t_ok(fx_attach(&other, w.image.data, w.image.size, 0, 0, EF));
    fx_bytes small = fx_save(other.index, NIGH_SAVE_PACKED);
    t_ok(fx_attach(&w.packed, small.data, small.size, NIGH_OPEN_VERIFY, 0, EF));
    fx_check(w.packed.index, w.packed.session);
    fx_same_image(other.index, w.packed.index);
    same_nodes(&w);
    free(small.data);
    fx_drop(&other);
    world_close(&w);
}

SUITE {
    RUN(round_trip);
    RUN(codes);
    RUN(graph_only);
    RUN(read_only);
    RUN(version);
    RUN(tiny);
    RUN(foreign_layers);
}
