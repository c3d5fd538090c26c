/* test_image.c - save, attach, write in place, seal; images that are not ones; blocks from a pager
 * layer T; uses: data, fixture, oracle
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _DEFAULT_SOURCE
#include <sys/mman.h>

#include "data.h"
#include "fixture.h"
#include "oracle.h"
#include "t.h"

enum { N = 200, DIM = 12 };

typedef struct pair { /* an index and what it should hold */
    fx f;
    oracle o;
    uint8_t *rows; /* 2 N of them */
} pair;

static nigh_config any_config(uint32_t keys, uint32_t block_bytes) {
    nigh_config config = fx_config(DIM, NIGH_METRIC_COSINE, NIGH_DTYPE_F32);
    config.keys = keys;
    config.key_bytes_max = 25;
    config.block_bytes = block_bytes;
    config.m = 5;
    return config;
}

static void pair_open(pair *p, const nigh_config *config, uint32_t slot_max) {
    rng r = {t_seed()};
    fx_init(&p->f, config, slot_max, N, N * 20, 64);
    oracle_init(&p->o, &p->f.config, 2 * N);
    p->rows = data_rows(&r, DATA_CLUSTERED, config->dtype, 2 * N, config->dim);
    fx_insert_many(&p->f, 0, N, p->rows);
    for (uint32_t i = 0; i < N; i++) {
        oracle_put(&p->o, i, p->rows + i * p->f.row_bytes);
        if (i % 7 == 0) {
            t_ok(fx_remove(&p->f, p->f.session, i));
            oracle_mark(&p->o, i, ORACLE_DELETED);
        }
    }
}

static void pair_close(pair *p) {
    fx_drop(&p->f);
    oracle_drop(&p->o);
    free(p->rows);
}

static void same_answers(pair *p, fx *other) {
    fx_hits a, b;
    fx_hits_init(&a, &p->f.config, 10);
    fx_hits_init(&b, &p->f.config, 10);
    for (uint32_t q = 0; q < 10; q++) {
        const uint8_t *query = p->rows + (N + q) * p->f.row_bytes;
        t_ok(fx_search(&p->f, p->f.session, query, NULL, 10, &a));
        t_ok(fx_search(other, other->session, query, NULL, 10, &b));
        t_eq(a.found, 10);
        fx_same_hits(&a, &b);
    }
    oracle_same_set(&p->o, other);
    fx_check(other->index, other->session);
    fx_hits_drop(&a);
    fx_hits_drop(&b);
}

static const uint32_t blocks[] = {0, 256, 1024, 16384};

/* Reopened, an index answers alike, saves the same bytes, and grows into what it would be. */
TEST(round_trip) {
    for (uint32_t i = 0; i < 12; i++) {
        pair p;
        fx ro, rw;
        nigh_config config = any_config(i % 3, blocks[i / 3]);
        pair_open(&p, &config, 2 * N);
        fx_bytes image = fx_save(p.f.index, 0);
        t_ok(fx_attach(&ro, image.data, image.size, NIGH_OPEN_VERIFY, 0, 64));
        same_answers(&p, &ro);
        fx_same_image(p.f.index, ro.index);
        t_bytes(ro.image, image.data, image.size);
        t_ok(fx_attach(&rw, image.data, image.size, NIGH_OPEN_WRITABLE, 2 * N, 64));
        same_answers(&p, &rw);
        fx_grow(&rw, 2 * N, 2 * N * 20);
        fx_grow(&p.f, 2 * N, 2 * N * 20);
        fx_insert_many(&rw, N, N, p.rows + N * rw.row_bytes);
        fx_insert_many(&p.f, N, N, p.rows + N * rw.row_bytes);
        for (uint32_t n = 0; n < N; n++) {
            oracle_put(&p.o, N + n, p.rows + (N + n) * rw.row_bytes);
        }
        same_answers(&p, &rw);
        fx_same_image(p.f.index, rw.index);
        fx_drop(&ro);
        fx_drop(&rw);
        free(image.data);
        pair_close(&p);
    }
}

/* An image of nothing is an image. */
TEST(empty_image) {
    for (uint32_t flags = 0; flags < 8; flags++) {
        fx f, g;
        fx_hits h;
        float row[DIM] = {1};
        nigh_config config = any_config(flags % 3, 0);
        fx_init(&f, &config, 8, 0, 0, 64);
        fx_hits_init(&h, &f.config, 2);
        fx_bytes image = fx_save(f.index, 0);
        t_ok(fx_attach(&g, image.data, image.size, flags, flags < 4 ? 0 : 8, 64));
        fx_check(g.index, g.session);
        t_ok(fx_search(&g, g.session, row, NULL, 2, &h));
        t_eq(h.found, 0);
        t_ok(nigh_cursor_begin(g.index, g.session, row, NULL));
        t_ok(fx_next(&g, g.session, 2, &h));
        t_eq(h.found, 0);
        t_is(fx_get(&g, g.session, 1, row, NULL), NIGH_E_NOT_FOUND);
        fx_same_image(f.index, g.index);
        if (flags == 5 || flags == 7) {
            fx_grow(&g, 8, 8 * 25);
            t_ok(fx_insert(&g, g.session, 0, 0, row));
            t_ok(fx_search(&g, g.session, row, NULL, 2, &h));
            t_eq(h.found, 1);
            fx_check(g.index, g.session);
        }
        free(image.data);
        fx_hits_drop(&h);
        fx_drop(&g);
        fx_drop(&f);
    }
}

/* A read-only handle refuses every change; and what it never does is store to the image. */
TEST(read_only) {
    pair p;
    nigh_config config = any_config(NIGH_KEYS_U64, 0);
    pair_open(&p, &config, N);
    fx_bytes image = fx_save(p.f.index, 0);
    uint8_t *page =
        mmap(NULL, (size_t)image.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    t_assert(page != MAP_FAILED);
    memcpy(page, image.data, (size_t)image.size);
    t_eq(mprotect(page, (size_t)image.size, PROT_READ), 0);
    fx g = {0};
    nigh_options options = {
        .struct_size = sizeof options, .features = t_features(), .flags = NIGH_OPEN_VERIFY};
    uint64_t bytes = 0;
    t_ok(nigh_attach_bytes(page, image.size, &options, &bytes));
    t_ok(nigh_attach(page, image.size, &options, fx_take(&g, bytes), bytes, &g.index));
    g.config = p.f.config;
    g.row_bytes = p.f.row_bytes;
    nigh_session_options so = fx_session_options(64, 0, 0);
    g.session = fx_session(&g, &so);
    same_answers(&p, &g);
    t_is(fx_insert(&g, g.session, 0, 1000, p.rows), NIGH_E_READ_ONLY);
    t_is(fx_insert(&g, g.session, NIGH_REPLACE_DELETED, 1000, p.rows), NIGH_E_READ_ONLY);
    t_is(fx_set(&g, g.session, 0, 1, p.rows), NIGH_E_READ_ONLY);
    t_is(fx_remove(&g, g.session, 1), NIGH_E_READ_ONLY);
    t_is(fx_unremove(&g, g.session, 0), NIGH_E_READ_ONLY);
    void *memory = fx_take(&g, 1 << 20);
    t_is(nigh_writer_init(g.index, memory, 1 << 20), NIGH_E_READ_ONLY);
    t_assert(nigh_seal(g.index) != NIGH_E_BUSY);
    nigh_stats stats = {0};
    stats.struct_size = sizeof stats;
    t_ok(nigh_stats_get(g.index, &stats));
    t_eq(stats.writable, 0);
    fx_check(g.index, g.session);
    fx_bytes again = fx_save(g.index, 0);
    t_eq(again.size, image.size);
    t_bytes(again.data, image.data, image.size);
    free(again.data);
    fx_drop(&g);
    munmap(page, (size_t)image.size);
    free(image.data);
    pair_close(&p);
}

/* Changed in place: open until it is sealed; then a sealed image like any other. */
TEST(in_place) {
    pair p;
    fx rw, ro;
    nigh_config config = any_config(NIGH_KEYS_U64, 1024);
    pair_open(&p, &config, N);
    fx_bytes image = fx_save(p.f.index, 0);
    t_ok(fx_attach(&rw, image.data, image.size, NIGH_OPEN_WRITABLE, 0, 64));
    t_bytes(rw.image, image.data, image.size); /* attaching alone stores nothing */
    t_is(fx_remove(&rw, rw.session, 0), NIGH_E_DELETED);
    t_ok(fx_remove(&rw, rw.session, 1));
    oracle_mark(&p.o, 1, ORACLE_DELETED);
    t_is(fx_attach(&ro, rw.image, rw.image_bytes, 0, 0, 64), NIGH_E_OPEN);
    fx_drop(&ro);
    t_is(fx_attach(&ro, rw.image, rw.image_bytes, NIGH_OPEN_WRITABLE, 0, 64), NIGH_E_OPEN);
    fx_drop(&ro);
    for (uint32_t i = 0; i < 20; i++) {
        const uint8_t *row = p.rows + (N + i) * rw.row_bytes;
        t_ok(fx_set(&rw, rw.session, 0, i, row));
        oracle_put(&p.o, i, row);
    }
    t_ok(nigh_seal(rw.index));
    t_ok(fx_attach(&ro, rw.image, rw.image_bytes, NIGH_OPEN_VERIFY, 0, 64));
    oracle_same_set(&p.o, &ro);
    fx_check(ro.index, ro.session);
    fx_same_image(ro.index, rw.index);
    fx_drop(&ro);
    t_ok(nigh_seal(rw.index));           /* nothing to do */
    t_ok(fx_remove(&rw, rw.session, 2)); /* and on it goes */
    t_is(fx_attach(&ro, rw.image, rw.image_bytes, 0, 0, 64), NIGH_E_OPEN);
    fx_drop(&ro);
    t_ok(nigh_seal(rw.index));
    t_ok(fx_attach(&ro, rw.image, rw.image_bytes, NIGH_OPEN_VERIFY, 0, 64));
    t_is(fx_get(&ro, ro.session, 2, NULL, NULL), NIGH_E_DELETED);
    fx_drop(&ro);
    fx_drop(&rw);
    free(image.data);
    pair_close(&p);
}

TEST(outgrown) {
    pair p;
    fx rw;
    nigh_config config = any_config(NIGH_KEYS_U64, 1024);
    pair_open(&p, &config, 2 * N);
    fx_bytes image = fx_save(p.f.index, 0);
    t_ok(fx_attach(&rw, image.data, image.size, NIGH_OPEN_WRITABLE, 2 * N, 64));
    fx_grow(&rw, 2 * N, 0);
    fx_insert_many(&rw, N, N, p.rows + N * rw.row_bytes);
    t_is(nigh_seal(rw.index), NIGH_E_UNSUPPORTED);
    fx_check(rw.index, rw.session);
    fx_drop(&rw);
    free(image.data);
    pair_close(&p);
}

/* ---- What is no image ----------------------------------------------------------------------- */

static void refused(const uint8_t *data, uint64_t size) {
    for (uint32_t flags = 0; flags < 8; flags++) {
        fx f;
        nigh_status s = fx_attach(&f, data, size, flags, 0, 64);
        if (s != NIGH_E_FORMAT && s != NIGH_E_CORRUPT && !(size == 0 && s == NIGH_E_INVALID)) {
            t_failf("%" PRIu64 " bytes, flags %u: status %d", size, flags, s);
        }
        fx_drop(&f);
    }
}

TEST(not_an_image) {
    static uint8_t junk[4096];
    rng r = {t_seed()};
    for (uint64_t size = 0; size <= sizeof junk; size = size * 2 + 1) {
        memset(junk, 0, sizeof junk);
        refused(junk, size);
        memset(junk, 0xff, sizeof junk);
        refused(junk, size);
        for (size_t i = 0; i < sizeof junk; i++) {
            junk[i] = (uint8_t)rng_next(&r);
        }
        refused(junk, size);
    }
    float row[DIM] = {1};
    fx f;
    nigh_config config = any_config(NIGH_KEYS_U64, 0);
    fx_init(&f, &config, 8, 8, 0, 64);
    t_ok(fx_insert(&f, f.session, 0, 0, row));
    fx_bytes image = fx_save(f.index, 0);
    for (uint32_t at = 0; at < 64; at++) { /* magic, version, sizes: any other byte */
        image.data[at] ^= 0x11;
        refused(image.data, image.size);
        image.data[at] ^= 0x11;
    }
    nigh_options options = {.struct_size = sizeof options};
    uint64_t bytes = 0;
    nigh_index *index = NULL;
    uint8_t *odd = fx_take(&f, image.size + 64), *handle = fx_take(&f, 1 << 16);
    for (uint32_t shift = 1; shift < 64; shift *= 2) {
        memcpy(odd + shift, image.data, (size_t)image.size);
        nigh_status s = nigh_attach_bytes(odd + shift, image.size, &options, &bytes);
        t_assert(s == NIGH_E_MEMORY || s == NIGH_OK);
        t_is(nigh_attach(odd + shift, image.size, &options, handle, 1 << 16, &index),
             NIGH_E_MEMORY);
    }
    t_assert(index == NULL);
    free(image.data);
    fx_drop(&f);
}

/* An image left open is taken for check alone: it is sound as long as the counts in its header
 * hold, and nothing writes to it. */
TEST(unsealed_is_for_check) {
    pair p;
    fx rw, g;
    nigh_report report = {0};
    nigh_config config = any_config(NIGH_KEYS_U64, 0);
    report.struct_size = sizeof report;
    pair_open(&p, &config, N);
    fx_bytes image = fx_save(p.f.index, 0);
    t_ok(fx_attach(&rw, image.data, image.size, NIGH_OPEN_WRITABLE, 0, 64));
    t_ok(fx_set(&rw, rw.session, 0, 1, p.rows + N * rw.row_bytes));
    t_ok(fx_attach(&g, rw.image, rw.image_bytes, NIGH_OPEN_UNSEALED, 0, 64));
    fx_check(g.index, g.session);
    t_is(fx_insert(&g, g.session, 0, 1, p.rows), NIGH_E_SESSION);
    t_is(fx_remove(&g, g.session, 1), NIGH_E_READ_ONLY);
    fx_drop(&g);
    t_ok(fx_remove(&rw, rw.session, 1));
    t_ok(fx_attach(&g, rw.image, rw.image_bytes, NIGH_OPEN_UNSEALED, 0, 64));
    t_ok(nigh_check(g.index, g.session, &report));
    t_eq(report.unreachable, 0); /* the graph is sound, the header may not know of the removal */
    fx_drop(&g);
    fx_drop(&rw);
    free(image.data);
    pair_close(&p);
}

/* ---- Memory in pieces ----------------------------------------------------------------------- */

/* Given all at once, in many donations, or block by block from a pager: the same bytes. */
typedef struct pager {
    fx *f;
    uint32_t maps;
    uint32_t dirties;
    uint8_t *told; /* a byte a block of each region: dirty was called since the last seal */
    uint32_t twice;
    int moves; /* dirty hands out a copy */
} pager;

static nigh_status map_block(void *user, uint32_t region, uint32_t block, uint64_t bytes,
                             void **address) {
    pager *p = user;
    t_assert(region < 8 && block < 4096);
    p->maps++;
    *address = fx_take(p->f, bytes);
    memset(*address, 0, (size_t)bytes);
    return NIGH_OK;
}

static nigh_status dirty_block(void *user, uint32_t region, uint32_t block, uint64_t bytes,
                               void **address) {
    pager *p = user;
    t_assert(region < 8 && block < 4096);
    p->dirties++;
    p->twice += p->told[region * 4096 + block]++ != 0;
    if (p->moves) {
        void *copy = fx_take(p->f, bytes);
        memcpy(copy, *address, (size_t)bytes);
        *address = copy;
    }
    return NIGH_OK;
}

static void through_pager(const nigh_config *config, const pair *want, uint32_t step, int moves) {
    fx f;
    uint64_t bytes = 0;
    pager p = {&f, 0, 0, fx_malloc(8 * 4096), 0, moves};
    fx_init(&f, config, 2 * N, 0, 0, 64);
    t_ok(nigh_index_pager(f.index, map_block, dirty_block, &p));
    for (uint32_t slots = step; slots < N + step; slots += step) {
        uint32_t to = slots < N ? slots : N;
        t_ok(nigh_grow_bytes(f.index, to, to * 24, &bytes));
        t_ok(nigh_grow(f.index, to, to * 24, NULL, 0));
        uint32_t from = slots - step;
        fx_insert_many(&f, from, to - from, want->rows + from * f.row_bytes);
    }
    for (uint32_t i = 0; i < N; i += 7) {
        t_ok(fx_remove(&f, f.session, i));
    }
    fx_same_image(want->f.index, f.index);
    fx_check(f.index, f.session);
    t_assert(p.maps > 0 && p.dirties > 0 && p.dirties <= p.maps);
    t_eq(p.twice, 0); /* once a block */
    free(p.told);
    fx_drop(&f);
}

TEST(memory_in_pieces) {
    for (uint32_t i = 0; i < 12; i++) {
        pair want;
        nigh_config config = any_config(i % 3, blocks[i / 3]);
        pair_open(&want, &config, 2 * N);
        for (uint32_t step = 1; step <= 64; step = step * 4 + 3) {
            fx f;
            fx_init(&f, &config, 2 * N, 0, 0, 64);
            for (uint32_t at = 0; at < N; at += step) {
                uint32_t to = at + step < N ? at + step : N;
                fx_grow(&f, to, to * 24);
                fx_insert_many(&f, at, to - at, want.rows + at * f.row_bytes);
            }
            for (uint32_t n = 0; n < N; n += 7) {
                t_ok(fx_remove(&f, f.session, n));
            }
            fx_same_image(want.f.index, f.index);
            fx_check(f.index, f.session);
            fx_drop(&f);
            through_pager(&config, &want, step + 20, 0);
            through_pager(&config, &want, step + 20, 1);
        }
        pair_close(&want);
    }
}

SUITE {
    RUN(round_trip);
    RUN(empty_image);
    RUN(read_only);
    RUN(in_place);
    RUN(outgrown);
    RUN(not_an_image);
    RUN(unsealed_is_for_check);
    RUN(memory_in_pieces);
}
