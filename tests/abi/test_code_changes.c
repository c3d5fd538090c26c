/* test_code_changes.c - codes stay those of the vectors: changes, sources, images, refused ones
 * layer T; uses: data, fixture, image_fix, jobs, oracle
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <math.h>

#include "data.h"
#include "fixture.h"
#include "image_fix.h"
#include "jobs.h"
#include "oracle.h"
#include "t.h"

enum { N = 150, DIM = 21 };
static const float span = 512; /* wider than any element of data_rows */

static nigh_config coded_config(uint32_t i, uint32_t codes) {
    uint32_t metric, dtype;
    (void)fx_pair(i % 20, &metric, &dtype);
    nigh_config config = fx_config(DIM, metric, dtype);
    config.codes = codes;
    config.code_min = -span;
    config.code_max = span;
    config.block_bytes = i % 2 == 0 ? 0 : 512;
    config.keys = i % 3;
    config.key_bytes_max = 30;
    return config;
}

/* Codes dropped and made anew with the same span are the same bytes. */
static void made_anew(fx *f) {
    fx_bytes before = fx_save(f->index, 0);
    const uint32_t codes = f->config.codes;
    fx_check(f->index, f->session);
    t_ok(fx_codes(f, NIGH_CODES_NONE, 0, 0));
    t_ok(fx_codes(f, codes, -span, span));
    fx_bytes after = fx_save(f->index, 0);
    t_eq(before.size, after.size);
    t_bytes(before.data, after.data, before.size);
    free(before.data);
    free(after.data);
}

/* Every kind of change; ids 0 .. N - 1, and replacements from 1000 on. */
static void history(fx *f, oracle *o, const uint8_t *rows, uint32_t from, uint32_t to) {
    for (uint32_t i = from; i < to; i++) {
        const uint8_t *row = rows + i * f->row_bytes, *other = rows + (i * 7 % N) * f->row_bytes;
        t_ok(fx_insert(f, f->session, 0, i, row));
        oracle_put(o, i, row);
        if (i % 5 == 4) {
            t_ok(fx_remove(f, f->session, i - 2));
            oracle_mark(o, i - 2, ORACLE_DELETED);
        }
        if (i % 10 == 9) {
            t_ok(fx_unremove(f, f->session, i - 2));
            oracle_mark(o, i - 2, ORACLE_LIVE);
        }
        if (i % 7 == 6) {
            t_ok(fx_set(f, f->session, 0, i - 3, other)); /* a removed one comes back */
            oracle_put(o, i - 3, other);
        }
    }
}

static void all_exact(fx *f, const oracle *o, const uint8_t *query, uint32_t n) {
    fx_hits h;
    nigh_search_options so = fx_search_options(n, 0);
    so.rerank = n;
    fx_hits_init(&h, &f->config, n);
    t_ok(fx_search(f, f->session, query, &so, n, &h));
    oracle_expect(o, &h, query, n, NULL, NULL);
    fx_hits_drop(&h);
}

/* With a span given they are active from the first insert on; without, from a job on. */
TEST(changes) {
    for (uint32_t i = 0; i < 40; i++) {
        fx f;
        oracle o;
        rng r = {t_seed() + i};
        const uint32_t codes = NIGH_CODES_U7 + i / 20;
        nigh_config config = coded_config(i, codes);
        const int late = codes == NIGH_CODES_B1 || i % 4 == 3;
        if (late) {
            config.code_min = config.code_max = 0;
        }
        uint8_t *rows = data_rows(&r, (int)i % DATA_COUNT, config.dtype, N, DIM);
        fx_init(&f, &config, N + 20, N + 20, (N + 20) * 30, N + 20);
        oracle_init(&o, &f.config, N + 20);
        t_eq(fx_stats(f.index).codes, late ? NIGH_CODES_NONE : codes);
        history(&f, &o, rows, 0, N / 2);
        if (late) {
            t_eq(fx_stats(f.index).codes, NIGH_CODES_NONE);
            t_ok(fx_codes(&f, codes, -span, span));
        }
        t_eq(fx_stats(f.index).codes, codes);
        all_exact(&f, &o, rows, N);
        made_anew(&f);
        history(&f, &o, rows, N / 2, N);
        all_exact(&f, &o, rows + 5 * f.row_bytes, N);
        oracle_same_set(&o, &f);
        made_anew(&f);
        if (config.keys != NIGH_KEYS_IDENTITY) {
            t_ok(fx_remove(&f, f.session, 8));
            t_ok(fx_insert(&f, f.session, NIGH_REPLACE_DELETED, N + 5, rows));
            oracle_mark(&o, 8, ORACLE_DELETED);
            made_anew(&f);
        }
        t_eq(fx_stats(f.index).code_clamped, 0);
        free(rows);
        oracle_drop(&o);
        fx_drop(&f);
    }
}

/* Elements beyond the span: each counted once, on all ways by which vectors come in. */
TEST(clamped) {
    enum { ROWS = 50, D = 6 };
    for (int way = 0; way < 3; way++) {
        fx f, g;
        rng r = {t_seed()};
        float rows[ROWS * D];
        uint32_t want = 0;
        nigh_config config = fx_config(D, NIGH_METRIC_L2, NIGH_DTYPE_F32);
        config.codes = NIGH_CODES_U7;
        config.code_min = way < 2 ? -1.0f : 0.0f;
        config.code_max = way < 2 ? 1.0f : 0.0f;
        for (uint32_t i = 0; i < ROWS * D; i++) {
            static const float values[] = {0, 1, -1, 1.005f, 1.5f, -3, 1e30f, 0.5f};
            const uint32_t at = rng_below(&r, 8);
            rows[i] = values[at];
            want += at >= 4 && at <= 6; /* 1.005 is still nearest to the last step */
        }
        fx_init(&f, &config, ROWS + 1, ROWS + 1, 0, 64);
        if (way == 0) {
            fx_insert_many(&f, 0, ROWS, (const uint8_t *)rows);
        } else {
            t_ok(fx_build(&f, 0, ROWS, rows, NULL));
        }
        if (way == 2) {
            t_ok(fx_codes(&f, NIGH_CODES_NONE, 0, 0));
            t_eq(fx_stats(f.index).code_clamped, 0);
            t_ok(fx_codes(&f, NIGH_CODES_U7, -1, 1));
        }
        t_assert(want > 0);
        t_eq(fx_stats(f.index).code_clamped, want);
        fx_bytes image = fx_save(f.index, 0);
        t_ok(fx_attach(&g, image.data, image.size, NIGH_OPEN_WRITABLE, ROWS + 1, 64));
        t_eq(fx_stats(g.index).code_clamped, want);
        rows[0] = 7;
        rows[1] = rows[2] = rows[3] = rows[4] = rows[5] = 0;
        t_ok(fx_set(&g, g.session, 0, 3, rows));
        t_eq(fx_stats(g.index).code_clamped, want + 1);
        free(image.data);
        fx_drop(&g);
        fx_drop(&f);
    }
}

/* ---- Sources -------------------------------------------------------------------------------- */

typedef struct source {
    uint8_t *rows;
    uint64_t row_bytes;
    uint32_t calls;
    uint32_t vectors;
} source;

static nigh_status fetch(void *user, const uint32_t *slots, const uint64_t *keys, uint32_t count,
                         void *scratch, const void **vectors) {
    source *s = user;
    (void)keys;
    s->calls++;
    s->vectors += count;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *to = (uint8_t *)scratch + i * s->row_bytes;
        memcpy(to, s->rows + slots[i] * s->row_bytes, (size_t)s->row_bytes);
        vectors[i] = to;
    }
    return NIGH_OK;
}

enum { OWNED, BORROWED, FETCHED };

static void source_open(fx *f, nigh_config config, int kind, source *s, uint8_t *rows) {
    config.vectors = kind == OWNED ? NIGH_VECTORS_OWNED : NIGH_VECTORS_EXTERNAL;
    config.keys = NIGH_KEYS_U64;
    fx_init(f, &config, N + 8, N + 8, 0, N + 8);
    *s = (source){.rows = rows, .row_bytes = f->row_bytes};
    if (kind == BORROWED) {
        const uint32_t trailer = config.dtype == NIGH_DTYPE_I8 ? (uint32_t)f->row_bytes - 8 : 0;
        t_ok(nigh_index_borrow(f->index, rows, f->row_bytes, N + 8, trailer));
    } else if (kind == FETCHED) {
        t_ok(nigh_index_fetch(f->index, fetch, NULL, s));
    }
}

static void fetches(fx *f, source *s, uint32_t flags, const fx_hits *want, fx_hits *h) {
    const uint32_t step = (flags & NIGH_SESSION_SMALL) != 0 ? 8 : f->config.m0; /* rows at once */
    nigh_session_options o = fx_session_options(N + 8, N + 8, flags);
    nigh_session *session = fx_session(f, &o);
    nigh_search_options so = fx_search_options(60, 0);
    for (so.rerank = 10; so.rerank <= 60; so.rerank += 25) {
        s->calls = s->vectors = 0;
        t_ok(fx_search(f, session, s->rows, &so, 10, h));
        nigh_session_stats cost = fx_cost(session);
        t_eq(cost.fetches, s->calls);
        t_eq(cost.reranked, so.rerank);
        t_eq(s->vectors, so.rerank); /* nothing but the rerank */
        t_assert(s->calls <= (so.rerank + step - 1) / step + 2);
    }
    fx_same_hits(h, want);
    s->calls = s->vectors = 0;
    so.flags = NIGH_SEARCH_NO_CODES;
    t_ok(fx_search(f, session, s->rows, &so, 10, h));
    t_eq(fx_cost(session).fetches, s->calls);
    t_assert(s->vectors > 60);
    s->calls = s->vectors = 0;
    so.flags = 0;
    so.rerank = 20;
    t_ok(nigh_cursor_begin(f->index, session, s->rows, &so));
    t_eq(s->calls, 0);
    t_ok(fx_next(f, session, 1, h));
    t_eq(s->vectors, 20);
}

/* The same links, codes and hits from every source; fetches for the rerank alone. */
TEST(sources) {
    for (uint32_t i = 0; i < 40; i++) {
        fx f[3];
        source s[3];
        fx_hits h, want;
        fx_bytes image[3];
        rng r = {t_seed() + i};
        nigh_config config = coded_config(i, NIGH_CODES_U7 + i / 20);
        config.code_min = config.code_max = 0;
        uint8_t *rows = data_rows(&r, DATA_CLUSTERED, config.dtype, N + 8, DIM);
        fx_hits_init(&want, &config, N + 8);
        fx_hits_init(&h, &config, N + 8);
        for (int kind = OWNED; kind <= FETCHED; kind++) {
            nigh_search_options so = fx_search_options(60, 0);
            so.rerank = 60;
            source_open(&f[kind], config, kind, &s[kind], rows);
            t_ok(fx_build(&f[kind], 0, N, kind == OWNED ? rows : NULL, NULL));
            t_ok(fx_insert(&f[kind], f[kind].session, 0, N,
                           kind == OWNED ? rows + N * f->row_bytes : NULL));
            t_ok(fx_search(&f[kind], f[kind].session, rows, &so, 10, kind == OWNED ? &want : &h));
            image[kind] = fx_save(f[kind].index, NIGH_SAVE_GRAPH_ONLY);
            if (kind != OWNED) {
                fx_same_hits(&h, &want);
                t_eq(image[kind].size, image[0].size);
                t_bytes(image[kind].data, image[0].data, image[0].size);
                fx_check(f[kind].index, f[kind].session);
            }
            t_ok(fx_codes(&f[kind], NIGH_CODES_NONE, 0, 0));
            t_ok(fx_codes(&f[kind], config.codes, 0, 0));
        }
        fetches(&f[FETCHED], &s[FETCHED], NIGH_SESSION_READ, &want, &h);
        fetches(&f[FETCHED], &s[FETCHED], NIGH_SESSION_READ | NIGH_SESSION_SMALL, &want, &h);
        for (int kind = OWNED; kind <= FETCHED; kind++) {
            free(image[kind].data);
            image[kind] = fx_save(f[kind].index, NIGH_SAVE_GRAPH_ONLY);
            t_bytes(image[kind].data, image[0].data, image[0].size); /* the jobs too */
        }
        for (int kind = OWNED; kind <= FETCHED; kind++) {
            free(image[kind].data);
            fx_drop(&f[kind]);
        }
        fx_hits_drop(&h);
        fx_hits_drop(&want);
        free(rows);
    }
}

/* ---- Refused -------------------------------------------------------------------------------- */

static nigh_status configured(const nigh_config *config) {
    nigh_options options = {0};
    uint64_t bytes = 0;
    options.struct_size = sizeof options;
    options.slot_max = 8;
    return nigh_index_bytes(config, &options, &bytes);
}

TEST(refused) {
    static const float spans[][2] = {{1, 1},   {1, -1},        {0, -1},       {NAN, 1},
                                     {0, NAN}, {-1, INFINITY}, {-INFINITY, 0}};
    static const float alphas[] = {0.99f, -1, 2.01f, NAN, INFINITY};
    nigh_config good = fx_config(8, NIGH_METRIC_L2, NIGH_DTYPE_F32), bad = good;
    good.codes = NIGH_CODES_U7;
    t_ok(configured(&good));
    for (uint32_t codes = NIGH_CODES_U7; codes <= NIGH_CODES_B1; codes++) {
        bad = fx_config(8, NIGH_METRIC_HAMMING, NIGH_DTYPE_B1);
        t_ok(configured(&bad));
        bad.codes = codes;
        t_is(configured(&bad), NIGH_E_INVALID);
        bad = fx_config(8, NIGH_METRIC_CUSTOM, NIGH_DTYPE_B1);
        bad.codes = codes;
        t_is(configured(&bad), NIGH_E_INVALID);
        bad = fx_config(8, NIGH_METRIC_CUSTOM, NIGH_DTYPE_F32);
        t_ok(configured(&bad));
        bad.codes = codes;
        t_is(configured(&bad), NIGH_E_INVALID);
    }
    bad = good;
    bad.codes = 3;
    t_is(configured(&bad), NIGH_E_INVALID);
    bad = good;
    bad.build_flags = 8;
    t_is(configured(&bad), NIGH_E_INVALID);
    bad = good;
    bad.reserved = 1;
    t_is(configured(&bad), NIGH_E_INVALID);
    for (size_t i = 0; i < sizeof spans / sizeof *spans; i++) {
        bad = good;
        bad.code_min = spans[i][0];
        bad.code_max = spans[i][1];
        t_is(configured(&bad), NIGH_E_INVALID);
    }
    for (size_t i = 0; i < sizeof alphas / sizeof *alphas; i++) {
        bad = good;
        bad.alpha = alphas[i];
        t_is(configured(&bad), NIGH_E_INVALID);
    }
    good.alpha = 2;
    t_ok(configured(&good));
}

TEST(refused_jobs) {
    static const struct {
        uint32_t metric, dtype;
    } kinds[] = {{NIGH_METRIC_HAMMING, NIGH_DTYPE_B1}, {NIGH_METRIC_CUSTOM, NIGH_DTYPE_F32}};
    for (uint32_t i = 0; i < 2; i++) {
        fx f;
        uint64_t bytes = 0;
        nigh_config config = fx_config(8, kinds[i].metric, kinds[i].dtype);
        nigh_job_options o = fx_job_options(NIGH_JOB_CODES);
        fx_init(&f, &config, 8, 8, 0, 16);
        for (o.codes = NIGH_CODES_U7; o.codes <= NIGH_CODES_B1 + 1; o.codes++) {
            t_is(nigh_job_bytes(f.index, &o, 0, &bytes), NIGH_E_INVALID);
        }
        fx_drop(&f);
    }
    fx f;
    uint64_t bytes = 0;
    nigh_config config = fx_config(8, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    nigh_job_options o = fx_job_options(NIGH_JOB_CODES);
    fx_init(&f, &config, 8, 8, 0, 16);
    o.codes = NIGH_CODES_U7;
    t_ok(nigh_job_bytes(f.index, &o, 0, &bytes));
    t_is(nigh_job_bytes(f.index, &o, 1, &bytes), NIGH_E_INVALID); /* it has no vectors */
    o.code_min = 2;
    t_is(nigh_job_bytes(f.index, &o, 0, &bytes), NIGH_E_INVALID);
    o.code_max = NAN;
    t_is(nigh_job_bytes(f.index, &o, 0, &bytes), NIGH_E_INVALID);
    fx_drop(&f);
}

TEST(search_options) {
    static const float gammas[] = {-0.1f, NAN, 16.5f, INFINITY};
    fx f;
    fx_hits h;
    float q[8] = {1};
    nigh_config config = fx_config(8, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    nigh_search_options so = fx_search_options(10, 0);
    fx_init(&f, &config, 8, 8, 0, 16);
    fx_hits_init(&h, &config, 8);
    for (uint32_t i = 0; i < 4; i++) {
        so.gamma = gammas[i];
        t_is(fx_search(&f, f.session, q, &so, 3, &h), NIGH_E_INVALID);
    }
    so.gamma = 16;
    so.rerank = UINT32_MAX;
    t_ok(fx_search(&f, f.session, q, &so, 3, &h));
    so.flags = NIGH_SEARCH_CODES; /* there are none */
    t_is(fx_search(&f, f.session, q, &so, 3, &h), NIGH_E_UNSUPPORTED);
    so.flags = 16;
    t_is(fx_search(&f, f.session, q, &so, 3, &h), NIGH_E_INVALID);
    fx_hits_drop(&h);
    fx_drop(&f);
}

/* ---- Images --------------------------------------------------------------------------------- */

static fx_bytes coded_image(uint32_t i, uint32_t codes, uint8_t **rows) {
    fx f;
    rng r = {t_seed() + i};
    nigh_config config = coded_config(i, codes);
    config.keys = NIGH_KEYS_U64;
    *rows = data_rows(&r, DATA_CLUSTERED, config.dtype, N + 8, DIM);
    fx_init(&f, &config, N, N, 0, 64);
    t_ok(fx_build(&f, 0, N, *rows, NULL));
    fx_bytes image = fx_save(f.index, 0);
    fx_drop(&f);
    return image;
}

TEST(round_trip) {
    for (uint32_t i = 0; i < 40; i++) {
        fx f, g;
        fx_hits a, b;
        uint8_t *rows = NULL;
        fx_bytes image = coded_image(i, NIGH_CODES_U7 + i / 20, &rows);
        t_ok(fx_attach(&f, image.data, image.size, NIGH_OPEN_VERIFY, 0, 64));
        t_ok(fx_attach(&g, image.data, image.size, NIGH_OPEN_WRITABLE, N + 8, 64));
        t_eq(fx_stats(f.index).codes, NIGH_CODES_U7 + i / 20);
        fx_same_image(f.index, g.index);
        fx_check(f.index, f.session);
        fx_hits_init(&a, &f.config, 10);
        fx_hits_init(&b, &f.config, 10);
        t_ok(fx_set(&g, g.session, 0, 7, rows + 7 * f.row_bytes));
        t_ok(nigh_seal(g.index));
        fx_check(g.index, g.session);
        fx_grow(&g, N + 8, 0);
        fx_check(g.index, g.session);
        for (uint32_t id = N; id < N + 8; id++) {
            t_ok(fx_insert(&g, g.session, 0, id, rows + id * f.row_bytes));
        }
        fx_check(g.index, g.session);
        made_anew(&g);
        t_ok(fx_search(&f, f.session, rows, NULL, 10, &a));
        t_eq(fx_cost(f.session).reranked > 0, 1);
        /* read-only: codes dropped and made on a handle without writer state */
        t_ok(fx_codes(&f, NIGH_CODES_NONE, 0, 0));
        t_eq(fx_stats(f.index).codes, NIGH_CODES_NONE);
        t_ok(fx_codes(&f, NIGH_CODES_U7 + i / 20, -span, span));
        t_ok(fx_search(&f, f.session, rows, NULL, 10, &b));
        fx_same_hits(&a, &b);
        fx_bytes again = fx_save(f.index, 0);
        t_eq(again.size, image.size);
        t_bytes(again.data, image.data, image.size);
        free(again.data);
        free(image.data);
        free(rows);
        fx_hits_drop(&a);
        fx_hits_drop(&b);
        fx_drop(&f);
        fx_drop(&g);
    }
}

/* Configured and not made yet: the image holds none, and they can be made where it is attached. */
TEST(not_made_yet) {
    for (uint32_t i = 0; i < 8; i++) {
        fx f, g;
        rng r = {t_seed() + i};
        nigh_config config = coded_config(i * 5, NIGH_CODES_U7 + i % 2);
        config.keys = NIGH_KEYS_U64;
        config.code_min = config.code_max = 0;
        uint8_t *rows = data_rows(&r, DATA_CLUSTERED, config.dtype, N + 8, DIM);
        fx_init(&f, &config, N, N, 0, 64);
        fx_insert_many(&f, 0, N, rows);
        t_eq(fx_stats(f.index).codes, NIGH_CODES_NONE);
        fx_check(f.index, f.session);
        fx_bytes image = fx_save(f.index, 0);
        t_ok(fx_attach(&g, image.data, image.size, NIGH_OPEN_WRITABLE, N + 8, 64));
        t_assert(fx_stats(g.index).slot_capacity >= N);
        fx_same_image(f.index, g.index);
        if (i % 4 < 2) {
            fx_grow(&g, N + 8, 0);
            t_ok(fx_insert(&g, g.session, 0, N, rows + N * f.row_bytes));
        }
        t_ok(fx_codes(&g, config.codes, 0, 0));
        t_eq(fx_stats(g.index).codes, config.codes);
        fx_check(g.index, g.session);
        fx_grow(&g, N + 8, 0);
        t_ok(fx_insert(&g, g.session, 0, N + 1, rows + (N + 1) * f.row_bytes));
        fx_check(g.index, g.session);
        free(image.data);
        free(rows);
        fx_drop(&f);
        fx_drop(&g);
    }
}

static void put_word(uint8_t *image, uint32_t at, uint32_t word) { memcpy(image + at, &word, 4); }
static void put_float(uint8_t *image, uint32_t at, float value) { memcpy(image + at, &value, 4); }

static void header_refused(const fx_bytes *image, const uint8_t *bad) {
    fx g;
    uint8_t *copy = fx_malloc(image->size);
    memcpy(copy, bad, (size_t)image->size);
    t_assert(memcmp(copy, image->data, 512) != 0);
    image_fix(copy, (size_t)image->size);
    t_is(fx_attach(&g, copy, image->size, 0, 0, 64), NIGH_E_CORRUPT);
    fx_drop(&g);
    free(copy);
}

enum { AT_CODES = 376, AT_FLAGS = 380, AT_ALPHA = 384, AT_MIN = 388, AT_MAX = 392 };
enum { AT_ACTIVE = 396, AT_CENTER = 400, AT_STEPS = 404, AT_CLAMPED = 408, AT_END = 412 };

TEST(damaged_headers) {
    static const float wild[] = {NAN, INFINITY, -INFINITY};
    uint8_t *rows = NULL;
    fx_bytes image = coded_image(2, NIGH_CODES_U7, &rows), bad = image;
    bad.data = fx_malloc(image.size);
#define REFUSED(put)                                                                               \
    do {                                                                                           \
        memcpy(bad.data, image.data, (size_t)image.size);                                          \
        put;                                                                                       \
        header_refused(&image, bad.data);                                                          \
    } while (0)
    REFUSED(put_word(bad.data, AT_CODES, 0));
    REFUSED(put_word(bad.data, AT_CODES, NIGH_CODES_B1)); /* the region has another stride */
    REFUSED(put_word(bad.data, AT_CODES, 3));
    REFUSED(put_word(bad.data, AT_FLAGS, 8));
    REFUSED(put_word(bad.data, AT_ACTIVE, 2));
    REFUSED(put_word(bad.data, AT_ACTIVE, 0)); /* the region, center and steps say otherwise */
    REFUSED(put_float(bad.data, AT_STEPS, 0));
    REFUSED(put_float(bad.data, AT_STEPS, -1));
    REFUSED(put_float(bad.data, AT_ALPHA, 1)); /* it is written as 0 */
    REFUSED(put_float(bad.data, AT_ALPHA, 2.5f));
    REFUSED(put_float(bad.data, AT_MIN, span));
    REFUSED(put_float(bad.data, AT_MAX, -span));
    for (uint32_t i = 0; i < 3; i++) {
        REFUSED(put_float(bad.data, AT_ALPHA, wild[i]));
        REFUSED(put_float(bad.data, AT_MIN, wild[i]));
        REFUSED(put_float(bad.data, AT_MAX, wild[i]));
        REFUSED(put_float(bad.data, AT_CENTER, wild[i]));
        REFUSED(put_float(bad.data, AT_STEPS, wild[i]));
    }
    for (uint32_t at = AT_END; at < 508; at += 4) {
        REFUSED(put_word(bad.data, at, 1));
    }
    free(bad.data);
    free(image.data);
    free(rows);
    /* without codes the words are zero, as before there were any */
    nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    fx f;
    fx_init(&f, &config, 4, 4, 0, 16);
    image = fx_save(f.index, 0);
    for (uint32_t at = AT_CODES; at < 508; at++) {
        t_eq(image.data[at], 0);
    }
    bad.data = fx_malloc(image.size);
    REFUSED(put_word(bad.data, AT_ACTIVE, 1));
    REFUSED(put_float(bad.data, AT_CENTER, 1));
    REFUSED(put_float(bad.data, AT_STEPS, 1));
    REFUSED(put_word(bad.data, AT_CLAMPED, 1));
#undef REFUSED
    free(bad.data);
    free(image.data);
    fx_drop(&f);
}

/* Rule 19: any bit of any code, padding too. */
TEST(check_finds_a_wrong_code) {
    for (uint32_t i = 0; i < 20; i++) {
        uint8_t *rows = NULL;
        uint64_t offset = 0;
        fx_bytes image = coded_image(i, NIGH_CODES_U7 + i % 2, &rows);
        const uint8_t *region = image.data + IMAGE_DIRECTORY + 32 * 7;
        memcpy(&offset, region, 8);
        const uint32_t stride = image_get32(region + 16);
        t_eq(image_get64(region + 8), N);
        t_assert(stride >= (i % 2 == 0 ? DIM : (DIM + 7) / 8));
        for (uint32_t bit = 0; bit < stride * 8; bit += 7) {
            fx g;
            nigh_report report = {0};
            const uint32_t slot = bit * 31 % N;
            uint8_t *at = image.data + offset + slot * stride + bit / 8;
            report.struct_size = sizeof report;
            *at ^= (uint8_t)(1u << bit % 8);
            image_fix(image.data, (size_t)image.size);
            t_ok(fx_attach(&g, image.data, image.size, NIGH_OPEN_VERIFY, 0, 64));
            t_ok(nigh_check(g.index, g.session, &report));
            t_eq(report.status, NIGH_E_CORRUPT);
            t_eq(report.fault, 19);
            t_eq(report.slot, slot);
            *at ^= (uint8_t)(1u << bit % 8);
            fx_drop(&g);
        }
        free(image.data);
        free(rows);
    }
}

SUITE {
    RUN(changes);
    RUN(clamped);
    RUN(sources);
    RUN(refused);
    RUN(refused_jobs);
    RUN(search_options);
    RUN(round_trip);
    RUN(not_made_yet);
    RUN(damaged_headers);
    RUN(check_finds_a_wrong_code);
}
