/* test_source.c - owned, borrowed and fetched vectors give the same graph, keys and distance bits
 * layer T; uses: data, fixture, jobs, oracle
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "data.h"
#include "fixture.h"
#include "jobs.h"
#include "oracle.h"
#include "t.h"

enum { N = 150, QUERIES = 6, FIRST = 1000 }; /* the key of slot s is FIRST + s */

/* Where the vectors of one external index lie, and how the callback hands them out. */
enum { LEND, COPY, MIXED };
typedef struct source {
    const uint8_t *rows;
    uint64_t row_bytes;
    int how;
    uint32_t keys; /* NIGH_KEYS_* */
    uint32_t calls;
    uint32_t prefetches;
    uint32_t faults; /* arguments that are not as the header says */
    const nigh_index *index;
    nigh_session *reader; /* not NULL: read functions are called from inside */
} source;

static int key_is_wrong(const source *s, uint32_t slot, const uint64_t *keys, uint32_t i) {
    if (s->keys == NIGH_KEYS_BYTES) {
        return keys != NULL;
    }
    return keys == NULL || keys[i] != slot + (s->keys == NIGH_KEYS_U64 ? (uint32_t)FIRST : 0);
}

static void read_inside(source *s) {
    nigh_stats stats = {0};
    uint32_t slots[2], found = 0;
    stats.struct_size = sizeof stats;
    nigh_session *reader = s->reader;
    s->reader = NULL; /* it fetches, too */
    s->faults += nigh_stats_get(s->index, &stats) != NIGH_OK;
    s->faults += nigh_keys(s->index, 0, 2, NULL, NULL, slots, &found) != NIGH_OK;
    s->faults +=
        nigh_search(s->index, reader, s->rows, NULL, 2, NULL, NULL, NULL, slots, &found) != NIGH_OK;
    s->reader = reader;
}

static nigh_status fetch(void *user, const uint32_t *slots, const uint64_t *keys, uint32_t count,
                         void *scratch, const void **vectors) {
    source *s = user;
    s->calls++;
    s->faults += count == 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *row = s->rows + slots[i] * s->row_bytes;
        s->faults += vectors[i] != NULL || slots[i] >= N;
        s->faults += (uint32_t)key_is_wrong(s, slots[i], keys, i);
        vectors[i] = row;
        if (s->how == COPY || (s->how == MIXED && i % 2 != 0)) {
            uint8_t *to = (uint8_t *)scratch + i * s->row_bytes;
            memcpy(to, row, (size_t)s->row_bytes);
            vectors[i] = to;
        }
    }
    if (s->reader != NULL) {
        read_inside(s);
    }
    return NIGH_OK;
}

static void prefetch(void *user, const uint32_t *slots, const uint64_t *keys, uint32_t count) {
    source *s = user;
    s->prefetches++;
    for (uint32_t i = 0; i < count; i++) {
        s->faults += slots[i] >= N || (uint32_t)key_is_wrong(s, slots[i], keys, i);
    }
}

static void same_graph(const nigh_index *a, const nigh_index *b) {
    uint32_t links[2][64], count[2], top[2], flags[2];
    for (uint32_t slot = 0; slot < N; slot++) {
        for (uint32_t level = 0;; level++) {
            nigh_status s = nigh_node(a, slot, level, &top[0], &flags[0], links[0], &count[0]);
            t_is(nigh_node(b, slot, level, &top[1], &flags[1], links[1], &count[1]), s);
            if (s != NIGH_OK) {
                t_eq(s, NIGH_E_NOT_FOUND);
                t_assert(level == top[0] + 1);
                break;
            }
            t_assert(top[0] == top[1] && flags[0] == flags[1] && count[0] == count[1]);
            t_bytes(links[0], links[1], count[0] * sizeof(uint32_t));
        }
    }
}

static void same_results(fx *a, fx *b, const uint8_t *queries) {
    fx_hits x, y;
    fx_hits_init(&x, &a->config, N);
    fx_hits_init(&y, &a->config, N);
    for (uint32_t q = 0; q < QUERIES; q++) {
        for (uint32_t flags = 0; flags <= NIGH_SEARCH_EXACT; flags++) {
            nigh_search_options so = fx_search_options(20, flags);
            const uint8_t *query = queries + q * a->row_bytes;
            t_ok(fx_search(a, a->session, query, &so, 20, &x));
            t_ok(fx_search(b, b->session, query, &so, 20, &y));
            t_eq(x.found, 20);
            fx_same_hits(&x, &y);
        }
    }
    uint8_t *row = fx_exact(a->row_bytes), *again = fx_exact(a->row_bytes);
    for (uint32_t i = 0; i < N; i++) {
        uint64_t id = a->config.keys == NIGH_KEYS_IDENTITY ? i : FIRST + i;
        t_ok(fx_get(a, a->session, id, row, NULL));
        t_ok(fx_get(b, b->session, id, again, NULL));
        t_bytes(row, again, a->row_bytes);
    }
    free(row);
    free(again);
    fx_hits_drop(&x);
    fx_hits_drop(&y);
}

static void insert_from_source(fx *f) {
    for (uint32_t i = 0; i < N; i++) {
        uint64_t id = f->config.keys == NIGH_KEYS_IDENTITY ? i : FIRST + i;
        t_ok(fx_insert(f, f->session, 0, id, NULL));
    }
}

static uint32_t element_bytes(uint32_t dtype) {
    return dtype == NIGH_DTYPE_F32 ? 4 : dtype <= NIGH_DTYPE_BF16 ? 2 : 1;
}

/* The rows again, `stride` apart, from an address that is only as aligned as an element. */
static const uint8_t *spread(fx *f, const uint8_t *rows, uint64_t stride, uint32_t shift) {
    uint8_t *to = fx_take(f, stride * (N - 1) + f->row_bytes + shift);
    for (uint32_t i = 0; i < N; i++) {
        memcpy(to + shift + i * stride, rows + i * f->row_bytes, (size_t)f->row_bytes);
    }
    return to + shift;
}

static void owned_open(fx *f, nigh_config *config, const uint8_t *rows) {
    config->vectors = NIGH_VECTORS_OWNED;
    fx_init(f, config, N, N, (uint64_t)N * 64, 64);
    for (uint32_t i = 0; i < N; i++) {
        uint64_t id = config->keys == NIGH_KEYS_IDENTITY ? i : FIRST + i;
        t_ok(fx_insert(f, f->session, 0, id, rows + i * f->row_bytes));
    }
}

static void external_open(fx *f, nigh_config *config) {
    config->vectors = NIGH_VECTORS_EXTERNAL;
    fx_init(f, config, N, N, (uint64_t)N * 64, 64);
}

static uint32_t trailer_of(const nigh_config *config) {
    return config->dtype == NIGH_DTYPE_I8 ? (config->dim + 3) / 4 * 4 : 0;
}

/* One pair of metric and dtype through every kind of source. */
static void sources(nigh_config config, const uint8_t *rows, const uint8_t *queries) {
    fx owned, other;
    uint32_t element = config.dtype == NIGH_DTYPE_I8 ? 4 : element_bytes(config.dtype);
    owned_open(&owned, &config, rows);
    for (uint32_t shift = 0; shift < 2; shift++) { /* borrowed: tight; then odd and unaligned */
        external_open(&other, &config);
        uint64_t stride = owned.row_bytes + 3 * shift * element;
        const uint8_t *base = spread(&other, rows, stride, shift * element);
        t_ok(nigh_index_borrow(other.index, base, stride, N, trailer_of(&config)));
        insert_from_source(&other);
        same_graph(owned.index, other.index);
        same_results(&owned, &other, queries);
        fx_check(other.index, other.session);
        fx_drop(&other);
    }
    for (int how = LEND; how <= MIXED; how++) {
        source s = {rows, owned.row_bytes, how, config.keys, 0, 0, 0, NULL, NULL};
        external_open(&other, &config);
        s.index = other.index;
        nigh_session_options so = fx_session_options(64, 0, NIGH_SESSION_READ);
        s.reader = how == MIXED ? fx_session(&other, &so) : NULL;
        t_ok(nigh_index_fetch(other.index, fetch, how == LEND ? NULL : prefetch, &s));
        insert_from_source(&other);
        same_graph(owned.index, other.index);
        same_results(&owned, &other, queries);
        fx_check(other.index, other.session);
        t_eq(s.faults, 0);
        t_assert(s.calls > N && (how == LEND || s.prefetches > 0));
        fx_drop(&other);
    }
    fx_drop(&owned);
}

TEST(every_source) {
    uint32_t metric, dtype;
    for (uint32_t i = 0; fx_pair(i, &metric, &dtype); i++) {
        rng r = {t_seed() + i};
        nigh_config config = fx_config(17 + i % 4, metric, dtype);
        config.keys = i % 3;
        config.key_bytes_max = 20;
        uint64_t row_bytes = 0;
        t_ok(nigh_row_bytes(config.dim, dtype, &row_bytes));
        uint8_t *rows = data_rows(&r, DATA_CLUSTERED, dtype, N + QUERIES, config.dim);
        sources(config, rows, rows + N * row_bytes);
        free(rows);
    }
}

/* An int8 matrix as numpy has it: no trailers, scale 1, zero 0. */
TEST(plain_int8) {
    enum { DIM = 21 };
    for (uint32_t metric = NIGH_METRIC_L2; metric <= NIGH_METRIC_L1; metric++) {
        fx owned, other;
        rng r = {t_seed()};
        float one = 1;
        nigh_config config = fx_config(DIM, metric, NIGH_DTYPE_I8);
        uint8_t *rows = data_rows(&r, DATA_UNIFORM, NIGH_DTYPE_I8, N + QUERIES, DIM);
        for (uint32_t i = 0; i < N + QUERIES; i++) {
            memcpy(rows + i * 32 + 24, &one, 4);
            memset(rows + i * 32 + 28, 0, 4);
        }
        owned_open(&owned, &config, rows);
        t_eq(owned.row_bytes, 32);
        external_open(&other, &config);
        uint8_t *plain = fx_take(&other, N * DIM);
        for (uint32_t i = 0; i < N; i++) {
            memcpy(plain + i * DIM, rows + i * 32, DIM);
        }
        t_ok(nigh_index_borrow(other.index, plain, DIM, N, 0));
        insert_from_source(&other);
        same_graph(owned.index, other.index);
        same_results(&owned, &other, rows + N * 32);
        free(rows);
        fx_drop(&owned);
        fx_drop(&other);
    }
}

/* A graph without vectors: asks for them, takes them borrowed or fetched, answers the same. */
TEST(graph_only) {
    uint32_t metric, dtype;
    for (uint32_t i = 0; fx_pair(i, &metric, &dtype); i += 3) {
        fx owned, other;
        fx_hits h;
        rng r = {t_seed() + i};
        nigh_config config = fx_config(23, metric, dtype);
        uint8_t *rows = data_rows(&r, DATA_CLUSTERED, dtype, N + QUERIES, config.dim);
        owned_open(&owned, &config, rows);
        fx_hits_init(&h, &config, 4);
        fx_bytes whole = fx_save(owned.index, 0);
        fx_bytes graph = fx_save(owned.index, NIGH_SAVE_GRAPH_ONLY);
        t_assert(graph.size + N * owned.row_bytes <= whole.size);
        t_ok(fx_attach(&other, graph.data, graph.size, 0, 0, 64));
        t_is(fx_search(&other, other.session, rows, NULL, 4, &h), NIGH_E_NO_VECTORS);
        t_is(nigh_cursor_begin(other.index, other.session, rows, NULL), NIGH_E_NO_VECTORS);
        t_is(fx_get(&other, other.session, FIRST, h.keys, NULL), NIGH_E_NO_VECTORS);
        t_ok(fx_get(&other, other.session, FIRST, NULL, NULL)); /* the key is there */
        fx_check(other.index, other.session);
        t_ok(nigh_index_borrow(other.index, rows, owned.row_bytes, N, trailer_of(&config)));
        same_graph(owned.index, other.index);
        same_results(&owned, &other, rows + N * owned.row_bytes);
        source s = {rows, owned.row_bytes, LEND, config.keys, 0, 0, 0, NULL, NULL};
        t_ok(nigh_index_fetch(other.index, fetch, prefetch, &s));
        same_results(&owned, &other, rows + N * owned.row_bytes);
        t_eq(s.faults, 0);
        fx_hits_drop(&h);
        fx_drop(&other);
        free(graph.data);
        free(whole.data);
        free(rows);
        fx_drop(&owned);
    }
}

static nigh_status fetch_by_key(void *user, const uint32_t *slots, const uint64_t *keys,
                                uint32_t count, void *scratch, const void **vectors) {
    const source *s = user;
    (void)slots, (void)scratch;
    for (uint32_t i = 0; i < count; i++) {
        vectors[i] = keys[i] < N ? s->rows + keys[i] * s->row_bytes : NULL;
    }
    return NIGH_OK;
}

/* Keys in another order than they come: a borrowed array is in the order of slots, a callback goes
 * by what it likes. Every key is found by its own vector, and the graph is one. */
TEST(shuffled_keys) {
    for (uint32_t how = 0; how < 3; how++) {
        fx owned, f;
        fx_hits h;
        rng r = {t_seed()};
        uint64_t order[N];
        nigh_config config = fx_config(16, NIGH_METRIC_L2, NIGH_DTYPE_F32);
        uint8_t *by_key = data_rows(&r, DATA_CLUSTERED, config.dtype, N + QUERIES, config.dim);
        for (uint32_t i = 0; i < N; i++) { /* 7 and N have no common factor */
            order[i] = (i * 7 + 3) % N;
        }
        fx_init(&owned, &config, N, N, 0, N);
        config.vectors = NIGH_VECTORS_EXTERNAL;
        fx_init(&f, &config, N, N, 0, N);
        fx_hits_init(&h, &config, 1);
        uint8_t *by_slot = fx_exact(N * f.row_bytes);
        for (uint32_t i = 0; i < N; i++) {
            memcpy(by_slot + i * f.row_bytes, by_key + order[i] * f.row_bytes, f.row_bytes);
        }
        source s = {by_key, f.row_bytes, LEND, config.keys, 0, 0, 0, NULL, NULL};
        t_ok(how == 0 ? nigh_index_borrow(f.index, by_slot, f.row_bytes, N, 0)
                      : nigh_index_fetch(f.index, fetch_by_key, NULL, &s));
        fx_keys keys = fx_keys_of(&config, order, N);
        nigh_job_options jo = fx_job_options(NIGH_JOB_BUILD);
        nigh_progress progress = {0};
        nigh_job *job = NULL;
        progress.struct_size = sizeof progress;
        for (uint32_t i = 0; i < N && how < 2; i++) {
            t_ok(fx_insert(&owned, owned.session, 0, order[i], by_key + order[i] * f.row_bytes));
            t_ok(fx_insert(&f, f.session, 0, order[i], NULL));
        }
        for (uint32_t which = 0; which < 2 && how == 2; which++) {
            fx *one = which == 0 ? &owned : &f;
            t_ok(fx_job_begin(one, &jo, &keys, which == 0 ? by_slot : NULL, N, &job));
            t_ok(fx_job_finish(job, &one->session, 1, 1, &progress));
            progress.done = 0;
        }
        same_graph(owned.index, f.index);
        for (uint32_t key = 0; key < N; key++) {
            nigh_search_options so = fx_search_options(N, 0);
            t_ok(fx_search(&f, f.session, by_key + key * f.row_bytes, &so, 1, &h));
            t_eq(h.ids[0], key);
        }
        fx_keys_drop(&keys);
        fx_hits_drop(&h);
        fx_drop(&owned);
        fx_drop(&f);
        free(by_key);
        free(by_slot);
    }
}

TEST(borrow_refused) {
    fx f, owned;
    fx_hits h;
    float rows[4][3] = {{1, 2, 3}, {4, 5, 6}, {7, 8, 9}, {1, 0, 1}};
    nigh_config config = fx_config(3, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    fx_init(&owned, &config, 8, 8, 0, 64);
    t_assert(nigh_index_borrow(owned.index, rows, 12, 4, 0) != NIGH_OK); /* it owns its vectors */
    t_assert(nigh_index_fetch(owned.index, fetch, NULL, NULL) != NIGH_OK);
    t_is(fx_insert(&owned, owned.session, 0, 1, NULL), NIGH_E_INVALID);
    fx_drop(&owned);
    config.vectors = NIGH_VECTORS_EXTERNAL;
    fx_init(&f, &config, 8, 8, 0, 64);
    fx_hits_init(&h, &config, 4);
    t_is(fx_insert(&f, f.session, 0, 1, NULL), NIGH_E_NO_VECTORS);
    t_is(nigh_index_borrow(f.index, rows, 11, 4, 0), NIGH_E_INVALID); /* rows overlap */
    t_is(nigh_index_borrow(f.index, rows, 0, 4, 0), NIGH_E_INVALID);
    t_is(nigh_index_borrow(f.index, (const char *)rows + 1, 12, 3, 0), NIGH_E_INVALID);
    t_is(nigh_index_borrow(f.index, rows, 12, 4, 4), NIGH_E_INVALID); /* a trailer: only I8 */
    t_ok(nigh_index_borrow(f.index, rows, 12, 3, 0));
    for (uint32_t i = 0; i < 3; i++) {
        t_ok(fx_insert(&f, f.session, 0, i, NULL));
    }
    t_assert(fx_insert(&f, f.session, 0, 3, NULL) != NIGH_OK); /* there is no fourth row */
    t_ok(fx_search(&f, f.session, rows[3], NULL, 4, &h));
    t_eq(h.found, 3);
    t_assert(nigh_index_borrow(f.index, rows, 12, 2, 0) == NIGH_E_MISMATCH ||
             fx_search(&f, f.session, rows[3], NULL, 4, &h) == NIGH_E_MISMATCH);
    t_ok(nigh_index_borrow(f.index, rows, 12, 4, 0));
    t_ok(fx_insert(&f, f.session, 0, 3, NULL));
    t_ok(fx_search(&f, f.session, rows[3], NULL, 4, &h));
    t_eq(h.found, 4);
    fx_check(f.index, f.session);
    fx_hits_drop(&h);
    fx_drop(&f);
}

/* A vector of the source is judged like any other. */
TEST(external_not_finite) {
    fx f;
    float rows[3][2] = {{1, 2}, {3, 4}, {5, 6}};
    uint32_t nan = 0x7fc00000;
    nigh_config config = fx_config(2, NIGH_METRIC_COSINE, NIGH_DTYPE_F32);
    config.vectors = NIGH_VECTORS_EXTERNAL;
    fx_init(&f, &config, 8, 8, 0, 64);
    t_ok(nigh_index_borrow(f.index, rows, 8, 3, 0));
    t_ok(fx_insert(&f, f.session, 0, 0, NULL));
    memcpy(&rows[1][1], &nan, 4);
    t_is(fx_insert(&f, f.session, 0, 1, NULL), NIGH_E_VECTOR);
    rows[1][0] = rows[1][1] = 0;
    t_is(fx_insert(&f, f.session, 0, 1, NULL), NIGH_E_VECTOR);
    rows[1][0] = 9;
    t_ok(fx_insert(&f, f.session, 0, 1, NULL));
    fx_check(f.index, f.session);
    fx_drop(&f);
}

/* The vector first, then set with NIGH_SET_EXCLUSIVE: found where it is now. */
TEST(external_set) {
    enum { DIM = 9 };
    fx f;
    oracle o;
    fx_hits h;
    rng r = {t_seed()};
    nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    config.vectors = NIGH_VECTORS_EXTERNAL;
    fx_init(&f, &config, N, N, 0, N);
    oracle_init(&o, &config, N);
    fx_hits_init(&h, &config, N);
    float *rows = data_floats(&r, DATA_UNIFORM, NIGH_DTYPE_F32, N + 40, DIM);
    t_ok(nigh_index_borrow(f.index, rows, DIM * 4, N, 0));
    for (uint32_t i = 0; i < N; i++) {
        t_ok(fx_insert(&f, f.session, 0, i, NULL));
        oracle_put(&o, i, rows + i * DIM);
    }
    t_is(fx_set(&f, f.session, 0, 3, NULL), NIGH_E_INVALID); /* not without saying so */
    for (uint32_t i = 0; i < 40; i++) {
        uint32_t id = rng_below(&r, N);
        memcpy(rows + id * DIM, rows + (N + i) * DIM, DIM * 4);
        if (i % 4 == 0 && o.state[id] == ORACLE_LIVE) {
            t_ok(fx_remove(&f, f.session, id));
        }
        t_ok(fx_set(&f, f.session, NIGH_SET_EXCLUSIVE, id, NULL));
        oracle_put(&o, id, rows + id * DIM);
        nigh_search_options so = fx_search_options(N, 0);
        t_ok(fx_search(&f, f.session, rows + id * DIM, &so, N, &h));
        oracle_expect(&o, &h, rows + id * DIM, N, NULL, NULL);
        fx_check(f.index, f.session);
    }
    free(rows);
    fx_hits_drop(&h);
    oracle_drop(&o);
    fx_drop(&f);
}

SUITE {
    RUN(every_source);
    RUN(plain_int8);
    RUN(graph_only);
    RUN(shuffled_keys);
    RUN(borrow_refused);
    RUN(external_not_finite);
    RUN(external_set);
}
