/* test_arguments.c - every function with NULL or 0 for every argument; structures and their limits
 * layer T; uses: fixture
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "fixture.h"
#include "t.h"

enum { DIM = 4, COUNT = 8 };

static fx f;               /* a working index for the tests below: COUNT vectors, u64 keys */
static nigh_config config; /* its configuration */
static const float rows[COUNT][DIM] = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1},
                                       {1, 1, 0, 0}, {0, 1, 1, 0}, {0, 0, 1, 1}, {1, 0, 0, 1}};

static void open_index(void) {
    config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    fx_init(&f, &config, 64, 32, 0, 64);
    fx_insert_many(&f, 0, COUNT, (const uint8_t *)rows);
}

/* Refused as invalid, at this line. */
#define REFUSED(call) t_is(call, NIGH_E_INVALID)

static nigh_status no_fetch(void *user, const uint32_t *slots, const uint64_t *keys, uint32_t count,
                            void *scratch, const void **vectors) {
    (void)user, (void)slots, (void)keys, (void)count, (void)scratch, (void)vectors;
    return NIGH_E_USER;
}

TEST(null_before_an_index) {
    nigh_options options = {.struct_size = sizeof options, .slot_max = 64};
    nigh_config c = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    uint64_t bytes = 0;
    nigh_index *index = NULL;
    float in[DIM] = {1, 2, 3, 4}, out[DIM];
    t_ok(nigh_index_bytes(&c, &options, &bytes));
    void *memory = fx_exact(bytes);
    REFUSED(nigh_row_bytes(DIM, NIGH_DTYPE_F32, NULL));
    REFUSED(nigh_convert(0, NIGH_DTYPE_F32, 1, in, out, NULL, NULL));
    REFUSED(nigh_convert(DIM, 0, 1, in, out, NULL, NULL));
    REFUSED(nigh_convert(DIM, NIGH_DTYPE_F32, 1, NULL, NULL, NULL, NULL));
    REFUSED(nigh_convert(DIM, NIGH_DTYPE_F32, 1, in, NULL, NULL, NULL));
    REFUSED(nigh_convert(DIM, NIGH_DTYPE_F32, 1, NULL, out, NULL, NULL));
    REFUSED(nigh_convert(DIM, NIGH_DTYPE_F32, 1, NULL, NULL, in, NULL));
    REFUSED(nigh_convert(DIM, NIGH_DTYPE_F32, 1, NULL, NULL, NULL, out));
    REFUSED(nigh_index_bytes(NULL, &options, &bytes));
    REFUSED(nigh_index_bytes(&c, NULL, &bytes));
    REFUSED(nigh_index_bytes(&c, &options, NULL));
    REFUSED(nigh_index_init(NULL, &options, memory, bytes, &index));
    REFUSED(nigh_index_init(&c, NULL, memory, bytes, &index));
    REFUSED(nigh_index_init(&c, &options, NULL, bytes, &index));
    t_is(nigh_index_init(&c, &options, memory, 0, &index), NIGH_E_MEMORY);
    REFUSED(nigh_index_init(&c, &options, memory, bytes, NULL));
    REFUSED(nigh_attach_bytes(NULL, 4096, &options, &bytes));
    REFUSED(nigh_attach_bytes(memory, 64, &options, NULL));
    REFUSED(nigh_attach(NULL, 4096, &options, memory, bytes, &index));
    t_assert(index == NULL); /* results are written only on success */
    free(memory);
}

TEST(null_for_memory) {
    open_index();
    uint64_t bytes = 0;
    nigh_session *session = NULL;
    nigh_session_options so = fx_session_options(64, 0, 0);
    void *memory = fx_take(&f, 1 << 20);
    REFUSED(nigh_grow_bytes(NULL, 40, 0, &bytes));
    REFUSED(nigh_grow_bytes(f.index, 40, 0, NULL));
    REFUSED(nigh_grow(NULL, 40, 0, memory, 1 << 20));
    REFUSED(nigh_grow(f.index, 64, 0, NULL, 1 << 20)); /* no pager is set */
    REFUSED(nigh_writer_bytes(NULL, &bytes));
    REFUSED(nigh_writer_bytes(f.index, NULL));
    REFUSED(nigh_writer_init(NULL, memory, 1 << 20));
    REFUSED(nigh_writer_init(f.index, NULL, 1 << 20));
    REFUSED(nigh_session_bytes(NULL, &so, &bytes));
    REFUSED(nigh_session_bytes(f.index, &so, NULL));
    t_ok(nigh_session_bytes(f.index, NULL, &bytes));
    REFUSED(nigh_session_init(NULL, &so, memory, 1 << 20, &session));
    REFUSED(nigh_session_init(f.index, &so, NULL, 1 << 20, &session));
    REFUSED(nigh_session_init(f.index, &so, memory, 1 << 20, NULL));
    REFUSED(nigh_index_borrow(NULL, rows, sizeof rows[0], COUNT, 0));
    REFUSED(nigh_index_borrow(f.index, NULL, sizeof rows[0], COUNT, 0));
    REFUSED(nigh_index_fetch(NULL, no_fetch, NULL, NULL));
    REFUSED(nigh_index_fetch(f.index, NULL, NULL, NULL));
    REFUSED(nigh_index_distance(NULL, NULL, NULL));
    REFUSED(nigh_index_distance(f.index, NULL, NULL));
    REFUSED(nigh_index_pager(NULL, NULL, NULL, NULL));
    t_assert(session == NULL);
    fx_check(f.index, f.session);
    fx_drop(&f);
}

TEST(null_for_changes) {
    open_index();
    uint64_t key = 100;
    uint32_t done = 0;
    const uint32_t *no = NULL;
    REFUSED(nigh_insert(NULL, f.session, 0, &key, no, rows[0], 1, &done));
    REFUSED(nigh_insert(f.index, NULL, 0, &key, no, rows[0], 1, &done));
    REFUSED(nigh_insert(f.index, f.session, 0, NULL, no, rows[0], 1, &done));
    REFUSED(nigh_insert(f.index, f.session, 0, &key, no, NULL, 1, &done));
    REFUSED(nigh_insert(f.index, f.session, 0, &key, no, rows[0], 1, NULL));
    REFUSED(nigh_insert(f.index, f.session, 0x80000000u, &key, no, rows[0], 1, &done));
    REFUSED(nigh_set(NULL, f.session, 0, &key, no, rows[0], 1, &done));
    REFUSED(nigh_set(f.index, NULL, 0, &key, no, rows[0], 1, &done));
    REFUSED(nigh_set(f.index, f.session, 0, NULL, no, rows[0], 1, &done));
    REFUSED(nigh_set(f.index, f.session, 0, &key, no, NULL, 1, &done));
    REFUSED(nigh_set(f.index, f.session, 0, &key, no, rows[0], 1, NULL));
    REFUSED(nigh_set(f.index, f.session, 0x80000000u, &key, no, rows[0], 1, &done));
    key = 0;
    REFUSED(nigh_remove(NULL, f.session, &key, no, 1, &done));
    REFUSED(nigh_remove(f.index, NULL, &key, no, 1, &done));
    REFUSED(nigh_remove(f.index, f.session, NULL, no, 1, &done));
    REFUSED(nigh_remove(f.index, f.session, &key, no, 1, NULL));
    REFUSED(nigh_unremove(NULL, f.session, &key, no, 1, &done));
    REFUSED(nigh_unremove(f.index, NULL, &key, no, 1, &done));
    REFUSED(nigh_unremove(f.index, f.session, NULL, no, 1, &done));
    REFUSED(nigh_unremove(f.index, f.session, &key, no, 1, NULL));
    t_eq(done, 0);
    fx_check(f.index, f.session);
    fx_drop(&f);
}

TEST(null_for_searches) {
    open_index();
    nigh_search_options so = fx_search_options(16, 0);
    nigh_session_stats stats = {.struct_size = sizeof stats};
    uint64_t keys[4];
    uint32_t slots[4], found = 9;
    float distances[4];
    REFUSED(nigh_session_filter(NULL, NULL, 0, NULL, NULL));
    REFUSED(nigh_search(NULL, f.session, rows[0], &so, 4, keys, NULL, distances, slots, &found));
    REFUSED(nigh_search(f.index, NULL, rows[0], &so, 4, keys, NULL, distances, slots, &found));
    REFUSED(nigh_search(f.index, f.session, NULL, &so, 4, keys, NULL, distances, slots, &found));
    t_eq(found, 0); /* always written */
    REFUSED(nigh_search(f.index, f.session, rows[0], &so, 4, keys, NULL, distances, slots, NULL));
    t_ok(nigh_search(f.index, f.session, rows[0], NULL, 4, keys, NULL, distances, slots, &found));
    t_eq(found, 4);
    t_ok(nigh_search(f.index, f.session, rows[0], &so, 4, NULL, NULL, NULL, NULL, &found));
    t_eq(found, 4); /* each output is optional */
    t_ok(nigh_search(f.index, f.session, rows[0], &so, 4, NULL, NULL, distances, NULL, &found));
    t_assert(distances[0] == 0.0f && distances[1] == 1.0f);
    REFUSED(nigh_search(f.index, f.session, rows[0], &so, 0, keys, NULL, distances, slots, &found));
    t_eq(found, 0);
    REFUSED(nigh_cursor_begin(NULL, f.session, rows[0], &so));
    REFUSED(nigh_cursor_begin(f.index, NULL, rows[0], &so));
    REFUSED(nigh_cursor_begin(f.index, f.session, NULL, &so));
    REFUSED(nigh_cursor_next(f.index, f.session, 4, keys, NULL, distances, slots, &found));
    t_eq(found, 0);
    t_ok(nigh_cursor_begin(f.index, f.session, rows[0], NULL));
    REFUSED(nigh_cursor_next(NULL, f.session, 4, keys, NULL, distances, slots, &found));
    REFUSED(nigh_cursor_next(f.index, NULL, 4, keys, NULL, distances, slots, &found));
    REFUSED(nigh_cursor_next(f.index, f.session, 4, keys, NULL, distances, slots, NULL));
    REFUSED(nigh_cursor_next(f.index, f.session, 0, keys, NULL, distances, slots, &found));
    REFUSED(nigh_session_stats_get(NULL, &stats));
    REFUSED(nigh_session_stats_get(f.session, NULL));
    fx_drop(&f);
}

TEST(null_for_reads) {
    open_index();
    nigh_config c = {0};
    nigh_stats stats = {0};
    nigh_report report = {0};
    uint64_t key = 0, bytes = 0;
    uint32_t done = 0, slot = 0, found = 0, count = 0;
    uint32_t links[64];
    float row[DIM];
    c.struct_size = sizeof c;
    stats.struct_size = sizeof stats;
    report.struct_size = sizeof report;
    REFUSED(nigh_config_get(NULL, &c));
    REFUSED(nigh_config_get(f.index, NULL));
    REFUSED(nigh_stats_get(NULL, &stats));
    REFUSED(nigh_stats_get(f.index, NULL));
    REFUSED(nigh_get(NULL, f.session, &key, NULL, 1, row, &slot, &done));
    REFUSED(nigh_get(f.index, NULL, &key, NULL, 1, row, &slot, &done));
    REFUSED(nigh_get(f.index, f.session, NULL, NULL, 1, row, &slot, &done));
    REFUSED(nigh_get(f.index, f.session, &key, NULL, 1, row, &slot, NULL));
    t_ok(nigh_get(f.index, f.session, &key, NULL, 1, NULL, NULL, &done));
    t_eq(done, 1);
    REFUSED(nigh_keys(NULL, 0, 1, &key, NULL, &slot, &found));
    REFUSED(nigh_keys(f.index, 0, 1, &key, NULL, NULL, &found));
    REFUSED(nigh_keys(f.index, 0, 1, &key, NULL, &slot, NULL));
    t_ok(nigh_keys(f.index, 0, 1, NULL, NULL, &slot, &found));
    t_eq(found, 1);
    REFUSED(nigh_node(NULL, 0, 0, &slot, &done, links, &count));
    t_ok(nigh_node(f.index, 0, 0, NULL, NULL, NULL, NULL));
    t_is(nigh_node(f.index, COUNT, 0, NULL, NULL, NULL, NULL), NIGH_E_NOT_FOUND);
    t_is(nigh_node(f.index, UINT32_MAX, 0, NULL, NULL, NULL, NULL), NIGH_E_NOT_FOUND);
    t_is(nigh_node(f.index, 0, 16, NULL, NULL, NULL, NULL), NIGH_E_NOT_FOUND);
    t_is(nigh_node(f.index, 0, UINT32_MAX, NULL, NULL, NULL, NULL), NIGH_E_NOT_FOUND);
    REFUSED(nigh_check(NULL, f.session, &report));
    REFUSED(nigh_check(f.index, NULL, &report));
    REFUSED(nigh_check(f.index, f.session, NULL));
    REFUSED(nigh_save_bytes(NULL, 0, &bytes));
    REFUSED(nigh_save_bytes(f.index, 0, NULL));
    REFUSED(nigh_save_bytes(f.index, 0x80000000u, &bytes));
    REFUSED(nigh_save(NULL, 0, fx_write, NULL));
    REFUSED(nigh_save(f.index, 0, NULL, NULL));
    REFUSED(nigh_save(f.index, 0x80000000u, fx_write, NULL));
    REFUSED(nigh_seal(NULL));
    nigh_config given = config;
    nigh_hnswlib facts = {.struct_size = 4};
    REFUSED(nigh_hnswlib_config(NULL, 100, &given, NULL));
    REFUSED(nigh_hnswlib_config(rows, sizeof rows[0], NULL, NULL));
    REFUSED(nigh_hnswlib_config(rows, sizeof rows[0], &given, &facts));
    t_is(nigh_hnswlib_config(rows, 0, &given, NULL), NIGH_E_FORMAT);
    REFUSED(nigh_hnswlib_read(NULL, rows, sizeof rows[0]));
    REFUSED(nigh_hnswlib_read(f.index, NULL, 100));
    REFUSED(nigh_hnswlib_write(NULL, f.session, 0, 0, fx_write, NULL));
    REFUSED(nigh_hnswlib_write(f.index, NULL, 0, 0, fx_write, NULL));
    REFUSED(nigh_hnswlib_write(f.index, f.session, 2, 0, fx_write, NULL));
    REFUSED(nigh_hnswlib_write(f.index, f.session, 0, 0, NULL, NULL));
    fx_drop(&f);
}

/* A session belongs to the index it was made for. */
TEST(session_of_another_index) {
    fx other;
    uint32_t found = 0, done = 0;
    uint64_t key = 50;
    open_index();
    fx_init(&other, &config, 64, 32, 0, 64);
    REFUSED(nigh_search(f.index, other.session, rows[0], NULL, 1, NULL, NULL, NULL, NULL, &found));
    REFUSED(nigh_insert(f.index, other.session, 0, &key, NULL, rows[0], 1, &done));
    REFUSED(nigh_remove(f.index, other.session, &key, NULL, 1, &done));
    fx_drop(&other);
    fx_drop(&f);
}

/* A structure as callers of other versions hand it in: longer ones are taken while what this
 * version does not know is 0; shorter than in the first version is garbage. */
TEST(struct_size) {
    struct {
        nigh_config known;
        uint32_t unknown[2];
    } c = {{0}, {0}};
    nigh_options options = {.struct_size = sizeof options, .slot_max = 64};
    uint64_t bytes = 0, again = 0;
    c.known = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    c.known.seed = 0;
    t_ok(nigh_index_bytes(&c.known, &options, &bytes));
    c.known.struct_size = sizeof c;
    t_ok(nigh_index_bytes(&c.known, &options, &again));
    t_eq(bytes, again);
    c.unknown[1] = 1;
    REFUSED(nigh_index_bytes(&c.known, &options, &bytes));
    c.unknown[1] = 0;
    c.known.struct_size = 0;
    REFUSED(nigh_index_bytes(&c.known, &options, &bytes));
    c.known.struct_size = 3;
    REFUSED(nigh_index_bytes(&c.known, &options, &bytes));
    c.known.struct_size = offsetof(nigh_config, seed);
    REFUSED(nigh_index_bytes(&c.known, &options, &bytes));
    c.known.struct_size = UINT32_MAX;
    REFUSED(nigh_index_bytes(&c.known, &options, &bytes));
    c.known.struct_size = sizeof c.known;
    t_ok(nigh_index_bytes(&c.known, &options, &again));
    options.struct_size = offsetof(nigh_options, features);
    REFUSED(nigh_index_bytes(&c.known, &options, &bytes));
    options.struct_size = 0;
    REFUSED(nigh_index_bytes(&c.known, &options, &bytes));
}

/* Output structures are filled up to the caller's size and not a byte beyond. */
TEST(struct_size_of_outputs) {
    open_index();
    nigh_config c;
    nigh_stats s, full = {0};
    memset(&c, 0x5a, sizeof c);
    memset(&s, 0x5a, sizeof s);
    c.struct_size = offsetof(nigh_config, m);
    REFUSED(nigh_config_get(f.index, &c));
    t_eq(c.dim, 0x5a5a5a5a);
    s.struct_size = offsetof(nigh_stats, deleted_count);
    REFUSED(nigh_stats_get(f.index, &s));
    t_eq(s.live_count, 0x5a5a5a5a);
    full.struct_size = sizeof full;
    t_ok(nigh_stats_get(f.index, &full));
    t_eq(full.slot_count, COUNT);
    t_eq(full.slot_max, 64);
    t_assert(full.slot_capacity >= 32 && full.slot_capacity <= 64);
    t_eq(full.writable, 1);
    struct {
        nigh_stats known;
        uint32_t unknown;
    } longer;
    memset(&longer, 0x5a, sizeof longer);
    longer.known.struct_size = sizeof longer;
    t_ok(nigh_stats_get(f.index, &longer.known)); /* a newer caller asks this older library */
    t_eq(longer.known.live_count, COUNT);
    t_eq(longer.known.struct_size, sizeof longer);
    t_eq(longer.unknown, 0x5a5a5a5a);
    c.struct_size = 0;
    REFUSED(nigh_config_get(f.index, &c));
    s.struct_size = 0;
    REFUSED(nigh_stats_get(f.index, &s));
    fx_drop(&f);
}

TEST(struct_size_of_sessions_and_searches) {
    open_index();
    struct {
        nigh_search_options known;
        uint32_t unknown;
    } so = {{0}, 0};
    struct {
        nigh_session_options known;
        uint32_t unknown;
    } session = {{0}, 0};
    uint64_t bytes = 0;
    uint32_t found = 0;
#define SEARCH()                                                                                   \
    nigh_search(f.index, f.session, rows[0], &so.known, 2, NULL, NULL, NULL, NULL, &found)
    so.known = fx_search_options(16, 0);
    so.known.struct_size = sizeof so;
    t_ok(SEARCH());
    so.unknown = 1;
    REFUSED(SEARCH());
    so.unknown = 0;
    so.known.flags = 0x80000000u;
    REFUSED(SEARCH());
    so.known.flags = 0;
    so.known.struct_size = 0;
    REFUSED(SEARCH());
    session.known = fx_session_options(64, 0, 0);
    session.known.struct_size = sizeof session;
    t_ok(nigh_session_bytes(f.index, &session.known, &bytes));
    session.unknown = 1;
    REFUSED(nigh_session_bytes(f.index, &session.known, &bytes));
    session.known.struct_size = 0;
    REFUSED(nigh_session_bytes(f.index, &session.known, &bytes));
    fx_drop(&f);
}

typedef struct limit {
    size_t field;
    uint32_t value;
    int valid;
} limit;
#define FIELD(name) offsetof(nigh_config, name)

static const limit limits[] = {{FIELD(dim), 0, 0},
                               {FIELD(dim), 1, 1},
                               {FIELD(dim), 65535, 1},
                               {FIELD(dim), 65536, 0},
                               {FIELD(dim), UINT32_MAX, 0},
                               {FIELD(metric), 0, 0},
                               {FIELD(metric), 7, 0},
                               {FIELD(metric), NIGH_METRIC_HAMMING, 0},
                               {FIELD(metric), NIGH_METRIC_CUSTOM, 1},
                               {FIELD(metric), UINT32_MAX, 0},
                               {FIELD(dtype), 0, 0},
                               {FIELD(dtype), 7, 0},
                               {FIELD(dtype), NIGH_DTYPE_B1, 0},
                               {FIELD(dtype), UINT32_MAX, 0},
                               {FIELD(keys), 2, 1},
                               {FIELD(keys), 3, 0},
                               {FIELD(keys), UINT32_MAX, 0},
                               {FIELD(vectors), 1, 1},
                               {FIELD(vectors), 2, 0},
                               {FIELD(m), 0, 1},
                               {FIELD(m), 1, 0},
                               {FIELD(m), 2, 1},
                               {FIELD(m), 1024, 1},
                               {FIELD(m), 1025, 0},
                               {FIELD(m), UINT32_MAX, 0},
                               {FIELD(m0), 15, 0},
                               {FIELD(m0), 16, 1},
                               {FIELD(m0), 2048, 1},
                               {FIELD(m0), 2049, 0},
                               {FIELD(m0), UINT32_MAX, 0},
                               {FIELD(ef_build), 1, 1},
                               {FIELD(ef_build), 65535, 1},
                               {FIELD(ef_build), 65536, 0},
                               {FIELD(ef_build), UINT32_MAX, 0},
                               {FIELD(expansions), 1, 1},
                               {FIELD(expansions), 8, 1},
                               {FIELD(expansions), 9, 0},
                               {FIELD(expansions), UINT32_MAX, 0},
                               {FIELD(block_bytes), 255, 0},
                               {FIELD(block_bytes), 256, 1},
                               {FIELD(block_bytes), 128, 0},
                               {FIELD(block_bytes), 1 << 26, 1},
                               {FIELD(block_bytes), 1 << 27, 0},
                               {FIELD(block_bytes), 65535, 0},
                               {FIELD(block_bytes), 3 << 16, 0},
                               {FIELD(block_bytes), UINT32_MAX, 0},
                               {FIELD(key_bytes_max), 511, 1},
                               {FIELD(key_bytes_max), 512, 0},
                               {FIELD(key_bytes_max), UINT32_MAX, 0}};

/* Every field at, inside and outside of its limits, the others being right. */
TEST(config_limits) {
    nigh_options options = {.struct_size = sizeof options, .slot_max = 64};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        nigh_config c = {0};
        uint64_t bytes = 77;
        c.struct_size = sizeof c;
        c.dim = DIM;
        c.metric = NIGH_METRIC_L2;
        c.dtype = NIGH_DTYPE_F32;
        memcpy((char *)&c + limits[i].field, &limits[i].value, 4);
        nigh_status status = nigh_index_bytes(&c, &options, &bytes);
        if (status != (limits[i].valid ? NIGH_OK : NIGH_E_INVALID)) {
            t_failf("field at %zu = %u: status %d", limits[i].field, limits[i].value, status);
        }
        t_eq(bytes != 77, limits[i].valid);
        void *memory = fx_exact(limits[i].valid ? bytes : 65536);
        nigh_index *index = NULL;
        status = nigh_index_init(&c, &options, memory, limits[i].valid ? bytes : 65536, &index);
        t_eq(status, limits[i].valid ? NIGH_OK : NIGH_E_INVALID);
        t_eq(index != NULL, limits[i].valid);
        free(memory);
    }
}

TEST(m0_limits) {
    nigh_options options = {.struct_size = sizeof options, .slot_max = 64};
    nigh_config c = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    uint64_t bytes = 0;
    c.m = 2;
    c.m0 = 3; /* at least 4 */
    REFUSED(nigh_index_bytes(&c, &options, &bytes));
    c.m0 = 4;
    t_ok(nigh_index_bytes(&c, &options, &bytes));
    c.m = 8;
    c.m0 = 7;
    REFUSED(nigh_index_bytes(&c, &options, &bytes));
    c.m0 = 8;
    t_ok(nigh_index_bytes(&c, &options, &bytes));
}

TEST(options_limits) {
    nigh_config c = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    nigh_options options = {.struct_size = sizeof options};
    uint64_t bytes = 0;
    REFUSED(nigh_index_bytes(&c, &options, &bytes)); /* room for nothing */
    options.slot_max = 0x80000000u;
    REFUSED(nigh_index_bytes(&c, &options, &bytes));
    options.slot_max = 0x7fffffffu;
    REFUSED(nigh_index_bytes(&c, &options, &bytes));
    options.slot_max = 0x7ffffffeu;
    t_ok(nigh_index_bytes(&c, &options, &bytes));
    options.slot_max = 1;
    t_ok(nigh_index_bytes(&c, &options, &bytes));
    options.flags = 0x80000000u;
    REFUSED(nigh_index_bytes(&c, &options, &bytes));
}

/* Which metrics go with which dtypes is the same answer everywhere. */
TEST(pairs) {
    for (uint32_t metric = NIGH_METRIC_L2; metric <= NIGH_METRIC_CUSTOM; metric++) {
        for (uint32_t dtype = NIGH_DTYPE_F32; dtype <= NIGH_DTYPE_B1; dtype++) {
            nigh_options options = {.struct_size = sizeof options, .slot_max = 64};
            nigh_config c = fx_config(DIM, metric, dtype);
            uint64_t bytes = 0;
            int valid = metric == NIGH_METRIC_CUSTOM ||
                        (metric == NIGH_METRIC_HAMMING) == (dtype == NIGH_DTYPE_B1);
            t_is(nigh_index_bytes(&c, &options, &bytes), valid ? NIGH_OK : NIGH_E_INVALID);
        }
    }
}

/* What was asked for, and what 0 meant, can be read back; from an image as well. */
TEST(config_readback) {
    fx g, again;
    nigh_config c = {
        .struct_size = sizeof c, .dim = 7, .metric = NIGH_METRIC_COSINE, .dtype = NIGH_DTYPE_F16};
    fx_init(&g, &c, 16, 16, 0, 256);
    t_eq(g.config.struct_size, sizeof c);
    t_eq(g.config.dim, 7);
    t_eq(g.config.metric, NIGH_METRIC_COSINE);
    t_eq(g.config.dtype, NIGH_DTYPE_F16);
    t_eq(g.config.m, 16);
    t_eq(g.config.m0, 32);
    t_eq(g.config.ef_build, 200);
    t_eq(g.config.expansions, 2);
    t_eq(g.config.block_bytes, 65536);
    t_eq(g.config.seed, 0);
    fx_drop(&g);
    nigh_config all = {.struct_size = sizeof all,
                       .dim = 9,
                       .metric = NIGH_METRIC_L1,
                       .dtype = NIGH_DTYPE_U8,
                       .keys = NIGH_KEYS_BYTES,
                       .vectors = NIGH_VECTORS_EXTERNAL,
                       .m = 3,
                       .m0 = 5,
                       .ef_build = 17,
                       .expansions = 2,
                       .block_bytes = 4096,
                       .key_bytes_max = 33,
                       .seed = 0x123456789abcdef0u,
                       .codes = NIGH_CODES_U7,
                       .build_flags = NIGH_BUILD_KEEP_PRUNED,
                       .alpha = 1.25f,
                       .code_min = -2.0f,
                       .code_max = 300.0f};
    fx_init(&g, &all, 16, 16, 200, 64);
    t_bytes(&g.config, &all, sizeof all);
    fx_bytes image = fx_save(g.index, 0);
    t_ok(fx_attach(&again, image.data, image.size, 0, 0, 64));
    t_bytes(&again.config, &all, sizeof all);
    free(image.data);
    fx_drop(&again);
    fx_drop(&g);
}

/* An empty index is under 1 KiB (promise 8): image, and handle of a small one. */
TEST(empty_sizes) {
    nigh_config c = fx_config(128, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    nigh_options options = {.struct_size = sizeof options, .slot_max = 16};
    fx g;
    uint64_t bytes = 0;
    fx_init(&g, &c, 16, 0, 0, 64);
    t_ok(nigh_save_bytes(g.index, 0, &bytes));
    t_assert(bytes < 1024);
    t_ok(nigh_index_bytes(&c, &options, &bytes));
    t_assert(bytes < 4096);
    fx_drop(&g);
}

SUITE {
    RUN(null_before_an_index);
    RUN(null_for_memory);
    RUN(null_for_changes);
    RUN(null_for_searches);
    RUN(null_for_reads);
    RUN(session_of_another_index);
    RUN(struct_size);
    RUN(struct_size_of_outputs);
    RUN(struct_size_of_sessions_and_searches);
    RUN(config_limits);
    RUN(m0_limits);
    RUN(options_limits);
    RUN(pairs);
    RUN(config_readback);
    RUN(empty_sizes);
}
