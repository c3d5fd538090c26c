/* ffi_steps.c - the scenario of test_ffi: every function and every callback, with real work
 * layer T; uses: ffi_calls, ffi_steps
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * All outputs go into the log of the run, so two runs are compared as a whole. */
#define _POSIX_C_SOURCE 200809L
#include "ffi_steps.h"

#include <stdlib.h>
#include <string.h>

#include "nigh.h"
#include "t.h"

enum { COUNT = 300, DIM = 12, K = 8, QUERIES = 5, STOP = NIGH_E_USER - 7 };

static float rows[COUNT][DIM];
static uint64_t keys[COUNT];

static void fill(void) {
    uint32_t state = 1;
    for (uint32_t i = 0; i < COUNT * DIM; i++) {
        state = state * 1664525u + 1013904223u;
        rows[i / DIM][i % DIM] = (float)(int32_t)(state >> 12) / 1048576.0f - 0.5f;
    }
    for (uint32_t i = 0; i < COUNT; i++) {
        keys[i] = ((uint64_t)i << 40) + 7 * i + 1;
    }
}

/* ---- The log, memory, one call --------------------------------------------------------------- */

static void note(steps *s, const void *data, uint64_t bytes) {
    s->log = realloc(s->log, (size_t)(s->logged + bytes));
    t_assert(s->log != NULL);
    memcpy(s->log + s->logged, data, (size_t)bytes);
    s->logged += bytes;
}

static void *take(steps *s, uint64_t bytes) {
    void *memory = NULL;
    t_assert(s->memory_count < STEPS_MEMORIES);
    t_eq(posix_memalign(&memory, 64, bytes != 0 ? (size_t)bytes : 1), 0);
    memset(memory, 0, (size_t)bytes);
    s->memories[s->memory_count++] = memory;
    return memory;
}

static nigh_status call(steps *s, const char *name, const value *arguments, unsigned count) {
    value got = s->by->call(name, arguments, count);
    t_eq(got.kind, 'i');
    note(s, name, strlen(name));
    note(s, &got.i, sizeof got.i);
    return got.i;
}

#define VALUES(...) (const value[]){__VA_ARGS__}, sizeof((value[]){__VA_ARGS__}) / sizeof(value)
#define CALL(name, ...) call(s, name, VALUES(__VA_ARGS__))
#define OK(name, ...) t_is(CALL(name, __VA_ARGS__), NIGH_OK)
#define NOTHING val_p(NULL)

/* Memory of the size that a *_bytes function stored into *bytes. */
#define SIZED(bytes) val_p(take(s, bytes)), val_U(bytes)

/* ---- Callbacks ------------------------------------------------------------------------------- */

static value fetch(void *user, const value *a) {
    steps *s = user;
    const uint32_t *slots = a[0].p;
    const uint64_t *named = a[1].p;
    const void **vectors = a[4].p;
    float *scratch = a[3].p;
    for (uint32_t i = 0; i < a[2].u; i++) {
        if (s->fetched > 1000000) {
            return val_i(STOP);
        }
        t_eq(named[i], slots[i]);
        if (slots[i] % 2 == 0) { /* lent, or copied */
            vectors[i] = rows[slots[i]];
        } else {
            memcpy(scratch + (size_t)i * DIM, rows[slots[i]], sizeof rows[0]);
            vectors[i] = scratch + (size_t)i * DIM;
        }
    }
    s->fetched += a[2].u;
    return val_i(NIGH_OK);
}

static value prefetch(void *user, const value *a) {
    steps *s = user;
    const uint32_t *slots = a[0].p;
    for (uint32_t i = 0; i < a[2].u; i++) {
        t_assert(slots[i] < COUNT);
    }
    s->hinted += a[2].u;
    return (value){.kind = 'v'};
}

static value distance(void *user, const value *a) {
    const float *x = a[0].p, *y = a[1].p;
    float most = 0;
    t_assert(user != NULL && a[2].u == DIM);
    for (uint32_t i = 0; i < DIM; i++) {
        float apart = x[i] > y[i] ? x[i] - y[i] : y[i] - x[i];
        most = apart > most ? apart : most;
    }
    return val_f(most);
}

static value filter(void *user, const value *a) {
    const uint64_t *key = a[1].p;
    t_assert(user != NULL && *key == keys[a[0].u]);
    return val_i(*key % 3 == 0);
}

static value write_image(void *user, const value *a) {
    steps *s = user;
    s->image = realloc(s->image, (size_t)(s->image_bytes + a[1].U));
    t_assert(s->image != NULL);
    memcpy(s->image + s->image_bytes, a[0].p, (size_t)a[1].U);
    s->image_bytes += a[1].U;
    return val_i(NIGH_OK);
}

static value map(void *user, const value *a) {
    steps *s = user;
    void **address = a[3].p;
    t_assert(a[0].u < STEPS_REGIONS && a[1].u < STEPS_BLOCKS);
    void **block = &s->blocks[a[0].u][a[1].u];
    *block = *block != NULL ? *block : take(s, a[2].U);
    *address = *block;
    return val_i(NIGH_OK);
}

static value dirty(void *user, const value *a) {
    void **address = a[3].p;
    t_assert(*address != NULL && a[2].U > 0);
    ((steps *)user)->dirtied++;
    return val_i(NIGH_OK);
}

static value clock_now(void *user, const value *a) {
    (void)a;
    return val_U(((steps *)user)->clock += 1000);
}

static value read_pages(void *user, const value *a) {
    t_assert(a[0].U + a[2].U <= STEPS_PAGE * STEPS_PAGES);
    memcpy(a[1].p, ((steps *)user)->device + a[0].U, (size_t)a[2].U);
    return val_i(NIGH_OK);
}

static value write_pages(void *user, const value *a) {
    t_assert(a[0].U + a[2].U <= STEPS_PAGE * STEPS_PAGES);
    memcpy(((steps *)user)->device + a[0].U, a[1].p, (size_t)a[2].U);
    return val_i(NIGH_OK);
}

static value erase_pages(void *user, const value *a) {
    t_assert(a[0].U + a[1].U <= STEPS_PAGE * STEPS_PAGES);
    memset(((steps *)user)->device + a[0].U, 0xff, (size_t)a[1].U);
    return val_i(NIGH_OK);
}

static value sync_pages(void *user, const value *a) {
    (void)a;
    ((steps *)user)->syncs++;
    return val_i(NIGH_OK);
}

/* ---- Steps ----------------------------------------------------------------------------------- */

static nigh_config config_of(uint32_t metric, uint32_t key_kind, uint32_t vectors) {
    nigh_config config = {.struct_size = sizeof config,
                          .dim = DIM,
                          .metric = metric,
                          .dtype = NIGH_DTYPE_F32,
                          .keys = key_kind,
                          .vectors = vectors};
    config.m = 6;
    config.ef_build = 40;
    config.seed = 0x123456789abcdef0u;
    config.block_bytes = 4096;
    return config;
}

static nigh_session *session_of(steps *s, nigh_index *index, uint32_t ef_max) {
    const nigh_session_options options = {.struct_size = sizeof options, .ef_max = ef_max};
    nigh_session *session = NULL;
    uint64_t bytes = 0;
    OK("nigh_session_bytes", val_p(index), val_p(&options), val_p(&bytes));
    note(s, &bytes, sizeof bytes);
    OK("nigh_session_init", val_p(index), val_p(&options), SIZED(bytes), val_p(&session));
    return session;
}

static nigh_index *index_for(steps *s, const nigh_config *config, uint32_t slot_max,
                             uint32_t upper_extra) {
    const nigh_options options = {
        .struct_size = sizeof options, .slot_max = slot_max, .upper_extra = upper_extra};
    nigh_index *index = NULL;
    uint64_t bytes = 0;
    OK("nigh_index_bytes", val_p(config), val_p(&options), val_p(&bytes));
    OK("nigh_index_init", val_p(config), val_p(&options), SIZED(bytes), val_p(&index));
    OK("nigh_writer_bytes", val_p(index), val_p(&bytes));
    OK("nigh_writer_init", val_p(index), SIZED(bytes));
    return index;
}

static nigh_index *index_of(steps *s, const nigh_config *config, uint32_t slot_max) {
    return index_for(s, config, slot_max, 0);
}

static void grow(steps *s, nigh_index *index, uint32_t slots) {
    uint64_t bytes = 0;
    OK("nigh_grow_bytes", val_p(index), val_u(slots), val_U(0), val_p(&bytes));
    OK("nigh_grow", val_p(index), val_u(slots), val_U(0), SIZED(bytes));
}

typedef struct answers {
    uint64_t keys[QUERIES * K];
    float distances[QUERIES * K];
    uint32_t slots[QUERIES * K], found[QUERIES], done;
} answers;

#define OUTPUTS(got) val_p((got).keys), NOTHING, val_p((got).distances), val_p((got).slots)

static void search(steps *s, nigh_index *index, nigh_session *session, uint32_t ef) {
    nigh_search_options how = {.struct_size = sizeof how, .ef = ef};
    nigh_session_stats cost = {.struct_size = sizeof cost};
    answers got = {0}, all = {0};
    for (uint32_t q = 0; q < QUERIES; q++) {
        const float *query = rows[q * 50];
        OK("nigh_search", val_p(index), val_p(session), val_p(query), val_p(&how), val_u(K),
           val_p(got.keys + q * K), NOTHING, val_p(got.distances + q * K), val_p(got.slots + q * K),
           val_p(&got.found[q]));
    }
    OK("nigh_session_stats_get", val_p(session), val_p(&cost));
    note(s, &cost, sizeof cost);
    note(s, &got, sizeof got);
    float queries[QUERIES][DIM];
    for (uint32_t q = 0; q < QUERIES; q++) {
        memcpy(queries[q], rows[q * 50], sizeof queries[q]);
    }
    OK("nigh_search_batch", val_p(index), val_p(session), val_p(queries), val_u(QUERIES),
       val_p(&how), val_u(K), OUTPUTS(all), val_p(all.found), val_p(&all.done));
    t_eq(all.done, QUERIES);
    got.done = QUERIES;
    t_bytes(&all, &got, sizeof all);
}

static void page(steps *s, nigh_index *index, nigh_session *session) {
    answers got = {0};
    OK("nigh_cursor_begin", val_p(index), val_p(session), val_p(rows[3]), NOTHING);
    for (int pages = 0; pages < 4; pages++) {
        OK("nigh_cursor_next", val_p(index), val_p(session), val_u(K), OUTPUTS(got),
           val_p(got.found));
        note(s, &got, sizeof got);
    }
}

static void run_job(steps *s, nigh_index *index, nigh_session *session, uint32_t kind,
                    uint32_t count) {
    nigh_job_options options = {.struct_size = sizeof options, .kind = kind};
    nigh_progress progress = {.struct_size = sizeof progress};
    nigh_job *job = NULL;
    uint64_t bytes = 0;
    options.codes = kind == NIGH_JOB_CODES ? (uint32_t)NIGH_CODES_U7 : 0;
    OK("nigh_job_bytes", val_p(index), val_p(&options), val_u(count), val_p(&bytes));
    OK("nigh_job_begin", val_p(index), val_p(&options), val_p(count != 0 ? keys : NULL), NOTHING,
       val_p(count != 0 ? rows : NULL), val_u(count), SIZED(bytes), val_p(&job));
    while (progress.state != NIGH_JOB_DONE) {
        OK("nigh_job_run", val_p(job), val_p(session), val_p(&progress));
        note(s, &progress, sizeof progress);
    }
    OK("nigh_job_end", val_p(job));
}

static void check(steps *s, nigh_index *index, nigh_session *session) {
    nigh_report report = {.struct_size = sizeof report};
    nigh_stats stats = {.struct_size = sizeof stats};
    nigh_config config = {.struct_size = sizeof config};
    OK("nigh_check", val_p(index), val_p(session), val_p(&report));
    t_is(report.status, NIGH_OK);
    OK("nigh_stats_get", val_p(index), val_p(&stats));
    OK("nigh_config_get", val_p(index), val_p(&config));
    note(s, &report, sizeof report);
    note(s, &stats, sizeof stats);
    note(s, &config, sizeof config);
}

static void about(steps *s) {
    uint16_t halves[2][DIM];
    float back[2][DIM];
    uint64_t bytes = 0;
    value text = s->by->call("nigh_status_text", VALUES(val_i(NIGH_E_KEY)));
    value version = s->by->call("nigh_version", NULL, 0);
    value features = s->by->call("nigh_features", NULL, 0);
    note(s, text.p, strlen(text.p) + 1);
    note(s, &version.u, sizeof version.u);
    note(s, &features.u, sizeof features.u);
    OK("nigh_row_bytes", val_u(DIM), val_u(NIGH_DTYPE_F16), val_p(&bytes));
    t_eq(bytes, sizeof halves[0]);
    OK("nigh_convert", val_u(DIM), val_u(NIGH_DTYPE_F16), val_u(2), val_p(rows), val_p(halves),
       NOTHING, NOTHING);
    OK("nigh_convert", val_u(DIM), val_u(NIGH_DTYPE_F16), val_u(2), NOTHING, NOTHING, val_p(halves),
       val_p(back));
    note(s, halves, sizeof halves);
    note(s, back, sizeof back);
}

/* Inserts, changes, reads. */
static void change(steps *s, nigh_index *index, nigh_session *session) {
    uint32_t done = 0, slots[K], found = 0, top = 0, flags = 0, links[64], link_count = 0;
    uint64_t listed[K];
    float vectors[K][DIM];
    OK("nigh_insert", val_p(index), val_p(session), val_u(0), val_p(keys), NOTHING, val_p(rows),
       val_u(200), val_p(&done));
    t_eq(done, 200);
    t_is(CALL("nigh_insert", val_p(index), val_p(session), val_u(0), val_p(keys), NOTHING,
              val_p(rows), val_u(1), val_p(&done)),
         NIGH_E_EXISTS);
    OK("nigh_remove", val_p(index), val_p(session), val_p(keys + 10), NOTHING, val_u(20),
       val_p(&done));
    OK("nigh_unremove", val_p(index), val_p(session), val_p(keys + 12), NOTHING, val_u(3),
       val_p(&done));
    OK("nigh_set", val_p(index), val_p(session), val_u(0), val_p(keys + 50), NOTHING,
       val_p(rows[150]), val_u(2), val_p(&done));
    OK("nigh_get", val_p(index), val_p(session), val_p(keys + 48), NOTHING, val_u(K),
       val_p(vectors), val_p(slots), val_p(&done));
    t_bytes(vectors[2], rows[150], sizeof rows[0]);
    note(s, vectors, sizeof vectors);
    note(s, slots, sizeof slots);
    OK("nigh_keys", val_p(index), val_u(9), val_u(K), val_p(listed), NOTHING, val_p(slots),
       val_p(&found));
    t_assert(found == K && listed[0] == keys[9] && listed[1] == keys[12]);
    OK("nigh_node", val_p(index), val_u(60), val_u(0), val_p(&top), val_p(&flags), val_p(links),
       val_p(&link_count));
    t_assert(link_count > 0 && link_count <= 12);
    note(s, links, link_count * sizeof *links);
}

static void filtered(steps *s, nigh_index *index, nigh_session *session) {
    uint32_t bits[(COUNT + 31) / 32];
    memset(bits, 0x55, sizeof bits);
    OK("nigh_session_filter", val_p(session), val_p(bits), val_u(COUNT), NOTHING, NOTHING);
    search(s, index, session, 30);
    void *closure = s->by->callback("nigh_filter_fn", filter);
    OK("nigh_session_filter", val_p(session), NOTHING, val_u(0), val_p(closure), val_p(s));
    search(s, index, session, 30);
    OK("nigh_session_filter", val_p(session), NOTHING, val_u(0), NOTHING, NOTHING);
}

static void owned(steps *s) {
    nigh_config config = config_of(NIGH_METRIC_COSINE, NIGH_KEYS_U64, NIGH_VECTORS_OWNED);
    nigh_index *index = index_of(s, &config, COUNT);
    uint64_t bytes = 0;
    grow(s, index, 100);
    grow(s, index, COUNT);
    nigh_session *session = session_of(s, index, 600);
    change(s, index, session);
    search(s, index, session, 20);
    filtered(s, index, session);
    page(s, index, session);
    run_job(s, index, session, NIGH_JOB_REFINE, 0);
    run_job(s, index, session, NIGH_JOB_VACUUM, 0);
    run_job(s, index, session, NIGH_JOB_CODES, 0);
    session = session_of(s, index, 600);
    search(s, index, session, 20);
    void *ticks = s->by->callback("nigh_clock_fn", clock_now);
    OK("nigh_tune", val_p(index), val_p(session), val_p(ticks), val_p(s));
    search(s, index, session, 20);
    check(s, index, session);
    OK("nigh_save_bytes", val_p(index), val_u(0), val_p(&bytes));
    void *writer = s->by->callback("nigh_write_fn", write_image);
    OK("nigh_save", val_p(index), val_u(0), val_p(writer), val_p(s));
    t_eq(s->image_bytes, bytes);
    note(s, s->image, bytes);
}

/* The image just saved, changed where it lies. */
static void attached(steps *s) {
    nigh_options options = {.struct_size = sizeof options, .flags = NIGH_OPEN_WRITABLE};
    uint8_t *image = take(s, s->image_bytes);
    nigh_index *index = NULL;
    uint64_t bytes = 0;
    uint32_t done = 0;
    memcpy(image, s->image, (size_t)s->image_bytes);
    for (int round = 0; round < 2; round++) {
        OK("nigh_attach_bytes", val_p(image), val_U(s->image_bytes), val_p(&options),
           val_p(&bytes));
        OK("nigh_attach", val_p(image), val_U(s->image_bytes), val_p(&options), SIZED(bytes),
           val_p(&index));
        if (round == 0) {
            OK("nigh_writer_bytes", val_p(index), val_p(&bytes));
            OK("nigh_writer_init", val_p(index), SIZED(bytes));
            nigh_session *session = session_of(s, index, 64);
            OK("nigh_remove", val_p(index), val_p(session), val_p(keys + 100), NOTHING, val_u(5),
               val_p(&done));
            OK("nigh_seal", val_p(index));
            options.flags = NIGH_OPEN_VERIFY;
        }
    }
    nigh_session *session = session_of(s, index, 64);
    search(s, index, session, 20);
    check(s, index, session);
    note(s, image, s->image_bytes);
}

/* Vectors by callback, and from an array: both searches find the same. */
static void external(steps *s) {
    nigh_config config = config_of(NIGH_METRIC_L2, NIGH_KEYS_IDENTITY, NIGH_VECTORS_EXTERNAL);
    nigh_index *index = index_of(s, &config, COUNT);
    void *source = s->by->callback("nigh_fetch_fn", fetch);
    void *hint = s->by->callback("nigh_prefetch_fn", prefetch);
    uint32_t done = 0;
    grow(s, index, COUNT);
    nigh_session *session = session_of(s, index, 600);
    OK("nigh_index_fetch", val_p(index), val_p(source), val_p(hint), val_p(s));
    OK("nigh_insert", val_p(index), val_p(session), val_u(0), NOTHING, NOTHING, NOTHING,
       val_u(COUNT), val_p(&done));
    search(s, index, session, 20);
    t_assert(s->fetched > COUNT && s->hinted > 0);
    note(s, &s->fetched, sizeof s->fetched);
    note(s, &s->hinted, sizeof s->hinted);
    s->fetched = UINT32_MAX; /* from now on the callback fails */
    answers got = {0};
    t_is(CALL("nigh_search", val_p(index), val_p(session), val_p(rows[0]), NOTHING, val_u(K),
              OUTPUTS(got), val_p(got.found)),
         STOP);
    OK("nigh_index_borrow", val_p(index), val_p(rows), val_U(sizeof rows[0]), val_u(COUNT),
       val_u(0));
    search(s, index, session, 20);
    check(s, index, session);
}

static void custom(steps *s) {
    nigh_config config = config_of(NIGH_METRIC_CUSTOM, NIGH_KEYS_U64, NIGH_VECTORS_OWNED);
    nigh_index *index = index_of(s, &config, COUNT);
    void *metric = s->by->callback("nigh_distance_fn", distance);
    OK("nigh_index_distance", val_p(index), val_p(metric), val_p(s));
    grow(s, index, COUNT);
    nigh_session *session = session_of(s, index, 600);
    run_job(s, index, session, NIGH_JOB_BUILD, COUNT);
    search(s, index, session, 20);
    check(s, index, session);
}

static void paged(steps *s) {
    nigh_config config = config_of(NIGH_METRIC_L2, NIGH_KEYS_U64, NIGH_VECTORS_OWNED);
    nigh_index *index = index_of(s, &config, COUNT);
    void *mapper = s->by->callback("nigh_map_fn", map);
    void *listener = s->by->callback("nigh_dirty_fn", dirty);
    uint32_t done = 0;
    OK("nigh_index_pager", val_p(index), val_p(mapper), val_p(listener), val_p(s));
    OK("nigh_grow", val_p(index), val_u(COUNT), val_U(0), NOTHING, val_U(0));
    nigh_session *session = session_of(s, index, 64);
    OK("nigh_insert", val_p(index), val_p(session), val_u(0), val_p(keys), NOTHING, val_p(rows),
       val_u(COUNT), val_p(&done));
    t_assert(s->dirtied > 5);
    note(s, &s->dirtied, sizeof s->dirtied);
    search(s, index, session, 20);
    check(s, index, session);
    /* the same blocks, taken up again */
    uint8_t header[NIGH_HEADER_BYTES];
    uint64_t bytes = 0;
    OK("nigh_header", val_p(index), val_p(header));
    note(s, header, sizeof header);
    OK("nigh_seal", val_p(index));
    OK("nigh_attach_bytes", val_p(header), val_U(sizeof header), NOTHING, val_p(&bytes));
    OK("nigh_attach_blocks", val_p(header), val_U(sizeof header), NOTHING, val_p(mapper), NOTHING,
       val_p(s), SIZED(bytes), val_p(&index));
    session = session_of(s, index, 64);
    search(s, index, session, 20);
    check(s, index, session);
}

/* A file of hnswlib, and the index that it gives. */
static void file(steps *s) {
    nigh_config config = config_of(NIGH_METRIC_L2, NIGH_KEYS_U64, NIGH_VECTORS_OWNED);
    nigh_index *index = index_of(s, &config, COUNT);
    nigh_hnswlib facts = {.struct_size = sizeof facts};
    void *writer = s->by->callback("nigh_write_fn", write_image);
    uint32_t done = 0;
    grow(s, index, COUNT);
    nigh_session *session = session_of(s, index, 64);
    OK("nigh_insert", val_p(index), val_p(session), val_u(0), val_p(keys), NOTHING, val_p(rows),
       val_u(COUNT), val_p(&done));
    s->image_bytes = 0;
    OK("nigh_hnswlib_write", val_p(index), val_p(session), val_u(0), val_U(COUNT + 1),
       val_p(writer), val_p(s));
    note(s, s->image, s->image_bytes);
    config = config_of(NIGH_METRIC_L2, NIGH_KEYS_U64, NIGH_VECTORS_OWNED);
    OK("nigh_hnswlib_config", val_p(s->image), val_U(s->image_bytes), val_p(&config),
       val_p(&facts));
    note(s, &config, sizeof config);
    note(s, &facts, sizeof facts);
    index = index_for(s, &config, COUNT, facts.upper_extra);
    grow(s, index, COUNT);
    OK("nigh_hnswlib_read", val_p(index), val_p(s->image), val_U(s->image_bytes));
    session = session_of(s, index, 64);
    run_job(s, index, session, NIGH_JOB_ROOT, 0);
    search(s, index, session, 20);
    check(s, index, session);
}

/* An index committed to a store, which then grows, and taken out of it. */
static void stored(steps *s) {
    nigh_config config = config_of(NIGH_METRIC_L2, NIGH_KEYS_U64, NIGH_VECTORS_OWNED);
    nigh_index *index = index_of(s, &config, COUNT);
    nigh_store_options options = {.struct_size = sizeof options, .flags = NIGH_STORE_FORMAT,
                                  .page_bytes = STEPS_PAGE, .page_count = STEPS_PAGES - 10,
                                  .program_bytes = 16, .super_count = 3};
    nigh_store_options found = {.struct_size = sizeof found};
    nigh_store_stats stats = {.struct_size = sizeof stats};
    nigh_store *store = NULL;
    void *reader = s->by->callback("nigh_store_read_fn", read_pages);
    uint64_t bytes = 0, blocks = 0;
    uint32_t done = 0;
    s->device = take(s, STEPS_PAGE * STEPS_PAGES);
    grow(s, index, COUNT);
    nigh_session *session = session_of(s, index, 64);
    OK("nigh_insert", val_p(index), val_p(session), val_u(0), val_p(keys), NOTHING, val_p(rows),
       val_u(COUNT), val_p(&done));
    OK("nigh_store_bytes", val_p(&options), val_p(&bytes));
    OK("nigh_store_open", val_p(&options), val_p(reader),
       val_p(s->by->callback("nigh_store_write_fn", write_pages)),
       val_p(s->by->callback("nigh_store_erase_fn", erase_pages)),
       val_p(s->by->callback("nigh_store_sync_fn", sync_pages)), val_p(s), SIZED(bytes),
       val_p(&store));
    OK("nigh_store_commit", val_p(store), val_p(index));
    note(s, s->device, STEPS_PAGE * STEPS_PAGES);
    OK("nigh_store_find", val_p(reader), val_p(s), val_U(STEPS_PAGE * STEPS_PAGES), val_p(&found));
    note(s, &found, sizeof found);
    OK("nigh_store_bytes", val_p(&found), val_p(&bytes));
    OK("nigh_store_grow", val_p(store), val_u(STEPS_PAGES), SIZED(bytes), val_p(&store));
    OK("nigh_store_attach_bytes", val_p(store), NOTHING, val_p(&bytes), val_p(&blocks));
    OK("nigh_store_attach", val_p(store), NOTHING, SIZED(bytes), SIZED(blocks), val_p(&index));
    OK("nigh_store_stats_get", val_p(store), val_p(&stats));
    note(s, &stats, sizeof stats);
    t_eq(stats.sync_count, s->syncs);
    session = session_of(s, index, 64);
    search(s, index, session, 20);
    check(s, index, session);
}

static const struct {
    const char *name;
    void (*run)(steps *s);
} parts[] = {{"about", about},   {"owned", owned}, {"attached", attached}, {"external", external},
             {"custom", custom}, {"paged", paged}, {"file", file},
             {"stored", stored}};

void steps_run(steps *run, const caller *by) {
    fill();
    memset(run, 0, sizeof *run);
    run->by = by;
    for (unsigned i = 0; i < STEPS_PARTS; i++) {
        parts[i].run(run);
        run->part_ends[i] = run->logged;
    }
}

void steps_write(const steps *run, const char *folder) {
    uint64_t from = 0;
    for (unsigned i = 0; i < STEPS_PARTS; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s.log", folder, parts[i].name);
        FILE *file = fopen(path, "wb");
        t_assert(file != NULL);
        t_eq(fwrite(run->log + from, 1, (size_t)(run->part_ends[i] - from), file),
             run->part_ends[i] - from);
        t_eq(fclose(file), 0);
        from = run->part_ends[i];
    }
}

void steps_drop(steps *run) {
    for (unsigned i = 0; i < run->memory_count; i++) {
        free(run->memories[i]);
    }
    free(run->image);
    free(run->log);
    memset(run, 0, sizeof *run);
}
