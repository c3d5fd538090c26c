/* test_root.c - graphs without a tree: what works with them, and the job that gives them one
 * layer T; uses: data, fixture, hnsw_file, jobs
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "t.h"
#include "data.h"
#include "fixture.h"
#include "hnsw_file.h"
#include "jobs.h"

enum { N = 300, DIM = 6, SLOTS = N + 100 };

static void open_drawn(fx *f, uint32_t m, uint32_t n, uint64_t seed) {
    rng r = {seed};
    nigh_config config = {.struct_size = sizeof config, .dim = DIM, .metric = NIGH_METRIC_L2};
    config.dtype = NIGH_DTYPE_F32;
    hnsw_file file = hnsw_file_make(&r, 8, n, m, DIM, NIGH_DTYPE_F32, 9, NULL, 1);
    t_ok(hnsw_read(f, file.bytes, file.size, &config, n + 100));
    free(file.bytes);
}

/* Each live key is found by its own vector, and all of them by one search. */
static void all_found(fx *f, uint32_t n) {
    fx_hits h;
    float row[DIM];
    nigh_search_options so = fx_search_options(n, 0);
    const uint32_t live = fx_stats(f->index).live_count;
    fx_hits_init(&h, &f->config, n);
    for (uint32_t expansions = 1; expansions <= 2; expansions++) {
        so.expansions = expansions;
        for (uint64_t slot = 0; slot < n; slot++) {
            if (fx_get(f, f->session, 3 * slot + 5, row, NULL) == NIGH_OK) {
                t_ok(fx_search(f, f->session, row, &so, 1, &h));
                t_assert(h.found == 1 && h.distances[0] == 0);
            }
        }
        t_ok(fx_search(f, f->session, row, &so, n, &h));
        t_eq(h.found, live);
        t_ok(nigh_cursor_begin(f->index, f->session, row, &so));
        t_ok(fx_next(f, f->session, n, &h));
        t_eq(h.found, live);
    }
    fx_hits_drop(&h);
}

/* Everything that links nodes to an unrooted graph is refused, the rest works. */
TEST(before) {
    fx f, g;
    const float row[DIM] = {1, 2, 3};
    nigh_job *job = NULL;
    open_drawn(&f, 5, N, t_seed());
    t_is(fx_insert(&f, f.session, 0, 1, row), NIGH_E_UNSUPPORTED);
    t_is(fx_insert(&f, f.session, NIGH_REPLACE_DELETED, 1, row), NIGH_E_UNSUPPORTED);
    t_is(fx_set(&f, f.session, 0, 5, row), NIGH_E_UNSUPPORTED);
    for (uint32_t kind = NIGH_JOB_BUILD; kind <= NIGH_JOB_VACUUM; kind++) {
        const nigh_job_options options = fx_job_options(kind);
        uint64_t bytes = 0;
        if (kind != NIGH_JOB_CODES) {
            t_is(nigh_job_bytes(f.index, &options, 0, &bytes), NIGH_E_UNSUPPORTED);
            t_is(
                nigh_job_begin(f.index, &options, row, NULL, row, 0, fx_take(&f, 4096), 4096, &job),
                NIGH_E_UNSUPPORTED);
        }
    }
    t_ok(fx_remove(&f, f.session, 5));
    t_ok(fx_unremove(&f, f.session, 5));
    t_ok(fx_remove(&f, f.session, 8));
    fx_check(f.index, f.session);
    all_found(&f, N);
    fx_bytes image = fx_save(f.index, 0);
    t_ok(fx_attach(&g, image.data, image.size, NIGH_OPEN_WRITABLE, 0, 600));
    t_eq(g.config.build_flags, NIGH_BUILD_UNROOTED);
    fx_check(g.index, g.session);
    all_found(&g, N);
    t_ok(fx_codes(&g, NIGH_CODES_U7, 0, 0));
    all_found(&g, N);
    fx_same_image(f.index, f.index);
    free(image.data);
    fx_drop(&f);
    fx_drop(&g);
}

/* Two halves that know nothing of each other: what is not reached is found by scanning. */
TEST(islands) {
    fx f;
    rng r = {t_seed()};
    const uint8_t tops[40] = {0};
    nigh_config config = {.struct_size = sizeof config, .dim = DIM, .metric = NIGH_METRIC_L2};
    config.dtype = NIGH_DTYPE_F32;
    for (uint32_t deleted = 0; deleted < 8; deleted += 7) {
        hnsw_file file = hnsw_file_make(&r, 8, 40, 4, DIM, NIGH_DTYPE_F32, deleted, tops, 0);
        for (uint32_t slot = 0; slot < 40; slot++) {
            uint8_t *list = hnsw_list(&file, slot, 0);
            const uint32_t half = slot / 20 * 20;
            hnsw_put(list, 2, 2);
            hnsw_put(list + 4, half + (slot + 1) % 20, 4);
            hnsw_put(list + 8, half + (slot + 19) % 20, 4);
        }
        t_ok(hnsw_read(&f, file.bytes, file.size, &config, 60));
        all_found(&f, 40);
        t_ok(fx_work(&f, NIGH_JOB_ROOT, 1, 1));
        fx_check(f.index, f.session);
        all_found(&f, 40);
        free(file.bytes);
        fx_drop(&f);
    }
}

/* With a tree it is an index like any other. */
TEST(afterwards) {
    for (uint32_t m = 2; m <= 16; m += m == 2 ? 1 : 13) {
        fx f;
        rng r = {t_seed() + m};
        open_drawn(&f, m, N, t_seed() + m);
        uint8_t *rows = data_rows(&r, DATA_UNIFORM, NIGH_DTYPE_F32, 100, DIM);
        t_ok(fx_work(&f, NIGH_JOB_ROOT, 1, 1));
        t_ok(nigh_config_get(f.index, &f.config));
        t_eq(f.config.build_flags, 0);
        fx_check(f.index, f.session);
        all_found(&f, N);
        fx_insert_many(&f, 5000, 50, rows);
        t_ok(fx_set(&f, f.session, 0, 5, rows));
        t_ok(fx_insert(&f, f.session, NIGH_REPLACE_DELETED, 6000, rows));
        fx_check(f.index, f.session);
        t_ok(fx_work(&f, NIGH_JOB_VACUUM, 2, 1));
        fx_check(f.index, f.session);
        t_ok(fx_work(&f, NIGH_JOB_REFINE, 2, 1));
        fx_check(f.index, f.session);
        all_found(&f, SLOTS);
        t_ok(fx_work(&f, NIGH_JOB_ROOT, 1, 1)); /* nothing to be done */
        free(rows);
        fx_drop(&f);
    }
}

/* A rooted graph comes back from a file and the job byte for byte: link 0 is asked first. */
TEST(there_and_back) {
    for (uint32_t i = 0; i < 6; i++) {
        fx f, g;
        rng r = {t_seed() + i};
        nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
        config.m = 2 + 3 * i;
        config.m0 = 0;
        config.seed = 9;
        uint8_t *rows = data_rows(&r, i % DATA_COUNT, NIGH_DTYPE_F32, N, DIM);
        fx_init(&f, &config, N, N, 0, 600);
        fx_insert_many(&f, 10, N, rows);
        t_ok(fx_remove(&f, f.session, 17));
        fx_bytes file = hnsw_write(f.index, f.session, i % 2 == 0 ? 0 : NIGH_HNSWLIB_32, 0);
        t_ok(hnsw_read(&g, file.data, file.size, &f.config, 0));
        t_eq(g.config.build_flags, NIGH_BUILD_UNROOTED);
        t_ok(fx_work(&g, NIGH_JOB_ROOT, 1, 1));
        fx_same_image(f.index, g.index);
        free(file.data);
        free(rows);
        fx_drop(&f);
        fx_drop(&g);
    }
}

/* Ended after any task the index is whole, and begun again the job comes to an end. */
TEST(interrupted) {
    enum { MANY = 2500 };
    fx_bytes want = {0};
    for (uint32_t stop = 0, steps = 1; stop <= steps; stop++) {
        fx f;
        nigh_job *job = NULL;
        nigh_progress progress = {0};
        const nigh_job_options options = fx_job_options(NIGH_JOB_ROOT);
        open_drawn(&f, 6, MANY, 3);
        t_ok(fx_job_begin(&f, &options, NULL, NULL, 0, &job));
        for (uint32_t i = 0; i < stop; i++) {
            t_ok(fx_job_step(job, f.session, &progress));
        }
        steps = progress.state == NIGH_JOB_DONE ? stop : stop + 1;
        t_is(nigh_seal(f.index), NIGH_E_BUSY);
        t_ok(nigh_job_end(job));
        fx_check(f.index, f.session);
        t_ok(fx_work(&f, NIGH_JOB_ROOT, 3, stop));
        fx_check(f.index, f.session);
        t_assert(nigh_config_get(f.index, &f.config) == NIGH_OK && f.config.build_flags == 0);
        if (stop == 0 || steps == stop) { /* in one go, whoever runs it */
            fx_same_as_first(&want, fx_save(f.index, 0));
        }
        fx_drop(&f);
    }
    free(want.data);
}

/* A task is short however long rows are: where a slot costs more there are fewer in it. */
TEST(long_rows) {
    enum { MANY = 1200, M = 256 };
    rng r = {5};
    nigh_config config = {.struct_size = sizeof config, .dim = DIM, .metric = NIGH_METRIC_L2};
    fx f;
    nigh_job *job = NULL;
    nigh_progress progress = {0};
    const nigh_job_options options = fx_job_options(NIGH_JOB_ROOT);
    config.dtype = NIGH_DTYPE_F32;
    hnsw_file file = hnsw_file_make(&r, 8, MANY, M, DIM, NIGH_DTYPE_F32, 0, NULL, 0);
    for (uint32_t slot = 0; slot < MANY; slot++) { /* to those before it, none of which link back */
        uint8_t *list = hnsw_list(&file, slot, 0);
        hnsw_put(list, 2 * M, 2);
        for (uint32_t i = 0; i < 2 * M; i++) {
            hnsw_put(list + 4 + (size_t)i * 4, (slot + MANY - 1 - i) % MANY, 4);
        }
    }
    t_ok(hnsw_read(&f, file.bytes, file.size, &config, MANY));
    free(file.bytes);
    t_ok(fx_job_begin(&f, &options, NULL, NULL, 0, &job));
    uint32_t steps = 0;
    for (; progress.state != NIGH_JOB_DONE; steps++) {
        t_ok(fx_job_step(job, f.session, &progress));
    }
    t_assert(steps > 60); /* in most rows 512 links are looked for in 512 others */
    t_ok(nigh_job_end(job));
    fx_check(f.index, f.session);
    fx_drop(&f);
}

/* Marks that a job which was ended early leaves say nothing, and a packed image drops them. */
TEST(marks_of_half_a_job) {
    fx f, packed, plain;
    nigh_job *job = NULL;
    nigh_progress progress = {0};
    const nigh_job_options options = fx_job_options(NIGH_JOB_ROOT);
    open_drawn(&f, 6, N, 11);
    t_ok(fx_job_begin(&f, &options, NULL, NULL, 0, &job));
    for (uint32_t i = 0; i < 3; i++) { /* elders, choice, marks */
        t_ok(fx_job_step(job, f.session, &progress));
    }
    t_assert(progress.state != NIGH_JOB_DONE);
    t_ok(nigh_job_end(job));
    fx_bytes half = fx_save(f.index, 0), small = fx_save(f.index, NIGH_SAVE_PACKED);
    t_ok(fx_attach(&packed, small.data, small.size, 0, 0, 0));
    fx_bytes back = fx_save(packed.index, 0);
    t_ok(fx_attach(&plain, back.data, back.size, 0, 0, 0));
    fx_bytes again = fx_save(plain.index, NIGH_SAVE_PACKED);
    t_assert(again.size == small.size && memcmp(again.data, small.data, again.size) == 0);
    t_eq(back.size, half.size);
    uint64_t links = 0, marks = 0; /* where region 0 lies: docs/FORMAT.md */
    memcpy(&links, half.data + 120, sizeof links);
    for (uint64_t at = links; at < links + (uint64_t)N * 4 * f.config.m0; at += 4) {
        uint32_t word = 0, other = 0;
        memcpy(&word, half.data + at, 4);
        memcpy(&other, back.data + at, 4);
        t_eq(other, word & 0x7fffffffu);
        marks += word >> 31;
    }
    t_assert(marks > N / 2);
    free(half.data);
    free(small.data);
    free(back.data);
    free(again.data);
    fx_drop(&f);
    fx_drop(&packed);
    fx_drop(&plain);
}

/* In place, in an image that is sealed afterwards. */
TEST(in_place) {
    fx f, g, h;
    open_drawn(&f, 6, N, t_seed());
    fx_bytes image = fx_save(f.index, 0);
    t_ok(fx_attach(&g, image.data, image.size, NIGH_OPEN_WRITABLE, 0, 600));
    t_ok(fx_work(&g, NIGH_JOB_ROOT, 1, 1));
    t_ok(nigh_seal(g.index));
    t_ok(fx_attach(&h, g.image, g.image_bytes, NIGH_OPEN_VERIFY, 0, 600));
    fx_check(h.index, h.session);
    t_eq(h.config.build_flags, 0);
    t_ok(fx_work(&f, NIGH_JOB_ROOT, 1, 1));
    fx_same_image(f.index, h.index);
    free(image.data);
    fx_drop(&f);
    fx_drop(&g);
    fx_drop(&h);
}

/* Vectors elsewhere are wanted only where a full row gives up its farthest link. */
TEST(vectors_elsewhere) {
    fx f;
    rng r = {t_seed()};
    nigh_config config = {.struct_size = sizeof config, .dim = DIM, .metric = NIGH_METRIC_L2};
    config.dtype = NIGH_DTYPE_F32;
    config.vectors = NIGH_VECTORS_EXTERNAL;
    hnsw_file file = hnsw_file_make(&r, 8, N, 4, DIM, NIGH_DTYPE_F32, 9, NULL, 1);
    nigh_hnswlib facts = {.struct_size = sizeof facts};
    t_ok(nigh_hnswlib_config(file.bytes, file.size, &config, &facts));
    for (uint32_t slot = 0; slot < N; slot++) { /* the first ten in a ring, full rows elsewhere */
        uint8_t *list = hnsw_list(&file, slot, 0);
        for (uint32_t i = 0; i < 8; i++) {
            hnsw_put(list + 4 + 4 * (size_t)i, (slot + 100 + i) % N, 4);
        }
        hnsw_put(list, 8, 2);
    }
    t_ok(hnsw_read(&f, file.bytes, file.size, &config, 0));
    t_is(fx_work(&f, NIGH_JOB_ROOT, 1, 1), NIGH_E_NO_VECTORS);
    fx_check(f.index, f.session);
    t_ok(nigh_index_borrow(f.index, file.bytes + facts.vector_offset, facts.vector_stride, N, 0));
    t_ok(fx_work(&f, NIGH_JOB_ROOT, 1, 1));
    fx_check(f.index, f.session);
    free(file.bytes);
    fx_drop(&f);
}

/* ---- Beside a pager ------------------------------------------------------------------------- */

enum { REGIONS = 8, BLOCKS = 64 };

/* Blocks as they are, and as they were when nothing had been told of them. */
typedef struct pages {
    fx *f;
    uint8_t *now[REGIONS][BLOCKS];
    uint8_t *before[REGIONS][BLOCKS]; /* NULL: told of */
    uint64_t bytes[REGIONS][BLOCKS];
} pages;

static nigh_status map_block(void *user, uint32_t region, uint32_t block, uint64_t bytes,
                             void **address) {
    pages *p = user;
    t_assert(region < REGIONS && block < BLOCKS);
    *address = p->now[region][block] = fx_take(p->f, bytes);
    memset(*address, 0, (size_t)bytes);
    p->bytes[region][block] = bytes;
    p->before[region][block] = fx_take(p->f, bytes);
    memset(p->before[region][block], 0, (size_t)bytes);
    return NIGH_OK;
}

/* Moves the block: whoever stores to the old place is found out by its contents. */
static nigh_status dirty_block(void *user, uint32_t region, uint32_t block, uint64_t bytes,
                               void **address) {
    pages *p = user;
    t_assert(p->before[region][block] != NULL && bytes == p->bytes[region][block]);
    t_bytes(p->now[region][block], p->before[region][block], bytes);
    p->now[region][block] = fx_take(p->f, bytes);
    memcpy(p->now[region][block], *address, (size_t)bytes);
    p->before[region][block] = NULL;
    *address = p->now[region][block];
    return NIGH_OK;
}

/* What was not told of is as it was; then all is clean. */
static uint32_t pages_clean(pages *p) {
    uint32_t told = 0;
    for (uint32_t region = 0; region < REGIONS; region++) {
        for (uint32_t block = 0; block < BLOCKS && p->now[region][block] != NULL; block++) {
            const uint64_t bytes = p->bytes[region][block];
            if (p->before[region][block] != NULL) {
                t_bytes(p->now[region][block], p->before[region][block], bytes);
                continue;
            }
            p->before[region][block] = fx_take(p->f, bytes);
            memcpy(p->before[region][block], p->now[region][block], (size_t)bytes);
            told++;
        }
    }
    t_ok(nigh_seal(p->f->index));
    return told;
}

TEST(paged) {
    static pages p;
    fx f, g;
    rng r = {t_seed()};
    nigh_config config = {.struct_size = sizeof config, .dim = DIM, .metric = NIGH_METRIC_L2};
    nigh_hnswlib facts = {.struct_size = sizeof facts};
    uint64_t bytes = 0;
    config.dtype = NIGH_DTYPE_F32;
    config.block_bytes = 1024;
    hnsw_file file = hnsw_file_make(&r, 8, N, 5, DIM, NIGH_DTYPE_F32, 9, NULL, 1);
    t_ok(hnsw_read(&g, file.bytes, file.size, &config, 0));
    t_ok(nigh_hnswlib_config(file.bytes, file.size, &config, &facts));
    memset(&f, 0, sizeof f);
    p = (pages){.f = &f};
    const nigh_options options = {
        .struct_size = sizeof options, .slot_max = N, .upper_extra = facts.upper_extra};
    t_ok(nigh_index_bytes(&config, &options, &bytes));
    t_ok(nigh_index_init(&config, &options, fx_take(&f, bytes), bytes, &f.index));
    t_ok(nigh_index_pager(f.index, map_block, dirty_block, &p));
    t_ok(nigh_grow(f.index, N, 0, NULL, 0));
    t_ok(nigh_writer_bytes(f.index, &bytes));
    t_ok(nigh_writer_init(f.index, fx_take(&f, bytes), bytes));
    t_ok(nigh_hnswlib_read(f.index, file.bytes, file.size));
    t_assert(pages_clean(&p) > 20);
    const nigh_session_options so = fx_session_options(600, 0, 0);
    f.session = fx_session(&f, &so);
    fx_same_image(f.index, g.index);
    t_ok(fx_work(&f, NIGH_JOB_ROOT, 1, 1));
    t_assert(pages_clean(&p) > 5);
    fx_check(f.index, f.session);
    t_ok(fx_work(&g, NIGH_JOB_ROOT, 1, 1));
    fx_same_image(f.index, g.index);
    free(file.bytes);
    fx_drop(&f);
    fx_drop(&g);
}

SUITE {
    RUN(before);
    RUN(islands);
    RUN(afterwards);
    RUN(there_and_back);
    RUN(interrupted);
    RUN(long_rows);
    RUN(marks_of_half_a_job);
    RUN(in_place);
    RUN(vectors_elsewhere);
    RUN(paged);
}
