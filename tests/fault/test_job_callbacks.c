/* test_job_callbacks.c - callbacks failing at their Nth call during jobs, and a pager that is told
 * layer T; uses: data, fixture, jobs
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Each time: the caller gets the callback's own status, the index is whole between calls, the call
 * that is repeated goes on, and in the end there are the bytes that an undisturbed job makes. */
#include "data.h"
#include "fixture.h"
#include "jobs.h"
#include "t.h"

enum { N = 270, DIM = 7, REGIONS = 8, BLOCKS = 512 };

/* What a failing fetch does, and what the caller of nigh then gets. */
enum { FAIL_USER, FAIL_LOW, FAIL_NO_ADDRESS, FAIL_KNOWN, FAIL_POSITIVE, FAIL_COUNT };
static const nigh_status returned[FAIL_COUNT] = {NIGH_E_USER, NIGH_E_USER - 77, NIGH_OK,
                                                 NIGH_E_FULL, 5};
static const nigh_status expected[FAIL_COUNT] = {NIGH_E_USER, NIGH_E_USER - 77, NIGH_E_FETCH,
                                                 NIGH_E_FETCH, NIGH_E_FETCH};

typedef struct source {
    uint8_t *rows;
    uint64_t row_bytes;
    int64_t calls_left; /* the call that finds 0 fails; negative: never */
    uint64_t calls;
    int how;
} source;

static nigh_status fetch(void *user, const uint32_t *slots, const uint64_t *keys, uint32_t count,
                         void *scratch, const void **vectors) {
    source *s = user;
    const int fail = s->calls_left == 0;
    s->calls_left -= s->calls_left >= 0;
    s->calls++;
    (void)keys;
    for (uint32_t i = 0; i < count; i++) {
        if (fail && s->how == FAIL_NO_ADDRESS && i + 1 == count) {
            return NIGH_OK; /* the last one has no address */
        }
        uint8_t *to = (uint8_t *)scratch + i * s->row_bytes;
        memcpy(to, s->rows + slots[i] * s->row_bytes, (size_t)s->row_bytes);
        vectors[i] = to;
    }
    return fail ? returned[s->how] : NIGH_OK;
}

static nigh_status begin(fx *f, uint32_t kind, uint32_t codes, const fx_keys *keys,
                         const void *rows, nigh_job **job) {
    nigh_job_options o = fx_job_options(kind);
    o.codes = kind == NIGH_JOB_CODES ? codes : 0;
    return fx_job_begin(f, &o, kind == NIGH_JOB_BUILD ? keys : NULL, rows,
                        kind == NIGH_JOB_BUILD ? N : 0, job);
}

/* The whole job, its fetch failing at call `at` (-1: never); 0 when it was not reached. */
static int fetch_fails_at(uint32_t kind, uint32_t codes, int64_t at, int how, source *s,
                          fx_bytes *image) {
    fx f;
    nigh_config config = fx_config(DIM, NIGH_METRIC_L2 + codes, NIGH_DTYPE_F32);
    nigh_job *job = NULL;
    nigh_progress progress = {0};
    uint32_t failures = 0;
    config.vectors = NIGH_VECTORS_EXTERNAL;
    config.codes = kind == NIGH_JOB_BUILD ? codes : 0;
    config.m = 3;
    s->calls_left = -1;
    fx_init(&f, &config, N, N, 0, 64);
    t_ok(nigh_index_fetch(f.index, fetch, NULL, s));
    fx_keys keys = fx_keys_from(&config, 0, N);
    for (uint64_t id = 0; kind == NIGH_JOB_CODES && id < N; id++) {
        t_ok(fx_insert(&f, f.session, 0, id, NULL));
    }
    s->how = how;
    s->calls = 0;
    t_ok(begin(&f, kind, codes, &keys, NULL, &job));
    s->calls_left = at;
    while (progress.state != NIGH_JOB_DONE) {
        nigh_status status = fx_job_step(job, f.session, &progress);
        if (status != NIGH_OK) {
            t_is(status, expected[how]);
            t_assert(failures++ == 0 && progress.state == NIGH_JOB_MORE); /* told once */
        }
    }
    t_eq(progress.done, N);
    t_ok(nigh_job_end(job));
    const int reached = s->calls_left < 0 && at >= 0;
    t_eq(failures, reached);
    nigh_session_options so = fx_session_options(64, 0, 0);
    fx_check(f.index, fx_session(&f, &so));
    *image = fx_save(f.index, 0);
    fx_keys_drop(&keys);
    fx_drop(&f);
    return reached;
}

static void fetch_fails(uint32_t kind, uint32_t codes) {
    source s = {0};
    rng r = {t_seed() + codes};
    fx_bytes want, image;
    uint32_t failed = 0;
    s.row_bytes = DIM * 4;
    s.rows = data_rows(&r, DATA_CLUSTERED, NIGH_DTYPE_F32, N, DIM);
    (void)fetch_fails_at(kind, codes, -1, 0, &s, &want);
    const int64_t calls = (int64_t)s.calls;
    const int64_t step = t_small() ? calls / 40 + 1 : kind == NIGH_JOB_CODES ? 1 : calls / 150 + 1;
    for (int64_t at = 0; at < calls + step; at += step) {
        failed +=
            (uint32_t)fetch_fails_at(kind, codes, at, (int)(at / step % FAIL_COUNT), &s, &image);
        t_eq(image.size, want.size);
        t_bytes(image.data, want.data, want.size);
        free(image.data);
    }
    t_assert(failed > 30);
    free(want.data);
    free(s.rows);
}

TEST(fetch_in_builds) {
    for (uint32_t codes = NIGH_CODES_NONE; codes <= NIGH_CODES_B1; codes++) {
        fetch_fails(NIGH_JOB_BUILD, codes);
    }
}

TEST(fetch_in_codes) {
    fetch_fails(NIGH_JOB_CODES, NIGH_CODES_U7);
    fetch_fails(NIGH_JOB_CODES, NIGH_CODES_B1);
}

/* Several tasks a phase: what those before the failed one did counts once. */
TEST(counted_once) {
    enum { MANY = 1700 };
    fx f;
    source s = {0};
    rng r = {t_seed()};
    nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    nigh_job_options o = fx_job_options(NIGH_JOB_CODES);
    uint32_t clamped = 0;
    config.vectors = NIGH_VECTORS_EXTERNAL;
    config.m = 3;
    s.row_bytes = DIM * 4;
    s.rows = data_rows(&r, DATA_UNIFORM, config.dtype, MANY, DIM);
    s.calls_left = -1;
    fx_init(&f, &config, MANY, MANY, 0, 64);
    t_ok(nigh_index_fetch(f.index, fetch, NULL, &s));
    for (uint64_t id = 0; id < MANY; id++) {
        t_ok(fx_insert(&f, f.session, 0, id, NULL));
    }
    o.codes = NIGH_CODES_U7;
    o.code_min = -0.5f;
    o.code_max = 0.5f;
    for (uint32_t failures = 0; failures < 4; failures++) {
        nigh_job *job = NULL;
        nigh_progress progress = {0};
        uint32_t left = failures;
        t_ok(fx_job_begin(&f, &o, NULL, NULL, 0, &job));
        while (progress.state != NIGH_JOB_DONE) {
            s.calls_left = progress.done >= 512 && left > 0 ? 100 : -1;
            nigh_status status = fx_job_step(job, f.session, &progress);
            left -= status != NIGH_OK;
            t_assert(status == NIGH_OK || status == NIGH_E_USER);
        }
        t_eq(left, 0);
        t_eq(progress.done, MANY);
        t_ok(nigh_job_end(job));
        clamped = failures == 0 ? fx_stats(f.index).code_clamped : clamped;
        t_assert(clamped > MANY * DIM / 4);
        t_eq(fx_stats(f.index).code_clamped, clamped);
        t_ok(fx_codes(&f, NIGH_CODES_NONE, 0, 0));
    }
    free(s.rows);
    fx_drop(&f);
}

/* ---- Pager ---------------------------------------------------------------------------------- */

typedef struct block {
    uint8_t *now;
    uint8_t *before; /* at the last seal */
    uint64_t bytes;
    int told;
} block;

static struct pager {
    fx *f;
    block blocks[REGIONS][BLOCKS];
    int64_t dirties_left;
    int moves;
    uint32_t calls;
} pager;

static nigh_status map_block(void *user, uint32_t region, uint32_t number, uint64_t bytes,
                             void **address) {
    t_assert(region < REGIONS && number < BLOCKS);
    block *b = &pager.blocks[region][number];
    (void)user;
    *b = (block){fx_take(pager.f, bytes), fx_take(pager.f, bytes), bytes, 0};
    memset(b->now, 0, (size_t)bytes);
    memset(b->before, 0, (size_t)bytes);
    *address = b->now;
    return NIGH_OK;
}

static nigh_status dirty_block(void *user, uint32_t region, uint32_t number, uint64_t bytes,
                               void **address) {
    const int fail = pager.dirties_left == 0;
    pager.dirties_left -= pager.dirties_left >= 0;
    t_assert(region < REGIONS && number < BLOCKS);
    block *b = &pager.blocks[region][number];
    (void)user;
    t_assert(bytes == b->bytes && *address == b->now && !b->told);
    t_bytes(b->now, b->before, bytes); /* before the first store */
    if (fail) {
        return NIGH_E_USER - 4;
    }
    b->told = 1;
    pager.calls++;
    if (pager.moves) {
        b->now = fx_take(pager.f, bytes);
        memcpy(b->now, *address, (size_t)bytes);
        *address = b->now;
    }
    return NIGH_OK;
}

/* Every block that changed since the last seal was told of. */
static void compare(int seal) {
    for (uint32_t region = 0; region < REGIONS; region++) {
        for (uint32_t number = 0; number < BLOCKS; number++) {
            block *b = &pager.blocks[region][number];
            if (b->now != NULL && !b->told && memcmp(b->now, b->before, (size_t)b->bytes) != 0) {
                t_failf("block %u of region %u changed untold", number, region);
            }
            if (b->now != NULL && seal) {
                memcpy(b->before, b->now, (size_t)b->bytes);
                b->told = 0;
            }
        }
    }
    if (seal) {
        t_ok(nigh_seal(pager.f->index));
    }
}

static nigh_config paged_config(uint32_t i) {
    nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    config.keys = i % 3;
    config.key_bytes_max = 30;
    config.block_bytes = 256;
    config.codes = i % 4 == 3 ? NIGH_CODES_U7 : 0;
    config.m = 2 + i % 3;
    return config;
}

static void plain_image(const nigh_config *config, const uint8_t *rows, fx_bytes *image) {
    fx f;
    fx_init(&f, config, 2 * N, 2 * N, (uint64_t)2 * N * 30, 64);
    fx_insert_many(&f, 0, 40, rows);
    t_ok(fx_build(&f, 40, N, rows + 40 * f.row_bytes, NULL));
    *image = fx_save(f.index, 0);
    fx_drop(&f);
}

/* `dirty` fails at call `at`; the block is told of again, before anything is stored to it. */
static int dirty_fails_at(const nigh_config *config, const uint8_t *rows, int moves, int64_t at,
                          const fx_bytes *want) {
    fx f;
    nigh_job *job = NULL;
    nigh_progress progress = {0};
    uint32_t failures = 0;
    memset(&pager, 0, sizeof pager);
    pager.f = &f;
    pager.dirties_left = -1;
    pager.moves = moves;
    fx_init(&f, config, 2 * N, 0, 0, 64);
    t_ok(nigh_index_pager(f.index, map_block, dirty_block, NULL));
    t_ok(nigh_grow(f.index, 2 * N, (uint64_t)2 * N * 30, NULL, 0));
    fx_insert_many(&f, 0, 40, rows);
    compare(1);
    fx_keys keys = fx_keys_from(&f.config, 40, N);
    pager.calls = 0;
    t_ok(begin(&f, NIGH_JOB_BUILD, 0, &keys, rows + 40 * f.row_bytes, &job));
    pager.dirties_left = at;
    while (progress.state != NIGH_JOB_DONE) {
        nigh_status status = fx_job_step(job, f.session, &progress);
        if (status != NIGH_OK) {
            t_is(status, NIGH_E_USER - 4);
            t_eq(failures++, 0);
        }
        compare(0);
    }
    t_ok(nigh_job_end(job));
    fx_check(f.index, f.session);
    t_assert(pager.calls > 20);
    compare(1);
    const int reached = pager.dirties_left < 0 && at >= 0;
    t_eq(failures, reached);
    fx_bytes image = fx_save(f.index, 0);
    t_eq(image.size, want->size);
    t_bytes(image.data, want->data, want->size);
    free(image.data);
    fx_keys_drop(&keys);
    fx_drop(&f);
    return reached;
}

static void dirty_fails(int moves) {
    for (uint32_t i = 0; i < 12; i++) {
        rng r = {t_seed() + i};
        fx_bytes want;
        const nigh_config config = paged_config(i);
        uint8_t *rows = data_rows(&r, (int)i % DATA_COUNT, config.dtype, 2 * N, DIM);
        plain_image(&config, rows, &want);
        t_eq(dirty_fails_at(&config, rows, moves, -1, &want), 0);
        for (int64_t at = i % 3; dirty_fails_at(&config, rows, moves, at, &want);) {
            at += t_small() ? 17 : 3;
        }
        free(want.data);
        free(rows);
    }
}

TEST(pager_in_place) { dirty_fails(0); }

TEST(pager_moving) { dirty_fails(1); }

/* Where blocks are paged codes have to be configured from the beginning. */
TEST(pager_and_codes) {
    for (uint32_t codes = NIGH_CODES_U7; codes <= NIGH_CODES_B1; codes++) {
        fx f;
        rng r = {t_seed()};
        nigh_config config = paged_config(0);
        nigh_job_options o = fx_job_options(NIGH_JOB_CODES);
        uint64_t bytes = 0;
        uint8_t *rows = data_rows(&r, DATA_CLUSTERED, config.dtype, N, DIM);
        memset(&pager, 0, sizeof pager);
        pager.f = &f;
        pager.dirties_left = -1;
        config.codes = codes;
        fx_init(&f, &config, N, 0, 0, 64);
        t_ok(nigh_index_pager(f.index, map_block, dirty_block, NULL));
        t_ok(nigh_grow(f.index, N, 0, NULL, 0));
        fx_insert_many(&f, 0, N, rows);
        compare(1);
        pager.calls = 0;
        o.codes = 3 - codes;
        t_is(nigh_job_bytes(f.index, &o, 0, &bytes), NIGH_E_UNSUPPORTED);
        pager.moves = codes == NIGH_CODES_B1;
        t_ok(fx_codes(&f, codes, 0, 0));
        t_assert(pager.calls > 3);
        compare(1);
        t_eq(fx_stats(f.index).codes, codes);
        fx_check(f.index, f.session);
        free(rows);
        fx_drop(&f);
    }
}

SUITE {
    RUN(fetch_in_builds);
    RUN(fetch_in_codes);
    RUN(counted_once);
    RUN(pager_in_place);
    RUN(pager_moving);
    RUN(pager_and_codes);
}
