/* test_blocks.c - an index kept block by block: committed, left, attached again, changed on
 * layer T; uses: data, fixture
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "data.h"
#include "fixture.h"
#include "t.h"

enum { N = 240, DIM = 12, REGIONS = 8, BLOCKS = 512 };

/* What a pager keeps: blocks as they were at the last commit, and the header of then. */
typedef struct shelf {
    uint8_t *kept[REGIONS][BLOCKS];
    uint64_t bytes[REGIONS][BLOCKS];
    uint8_t header[NIGH_HEADER_BYTES];
} shelf;

/* The same blocks as one handle sees them. */
typedef struct desk {
    shelf *shelf;
    fx *f; /* owns them */
    uint8_t *now[REGIONS][BLOCKS];
    uint8_t dirty[REGIONS][BLOCKS];
    uint32_t maps;
    uint32_t fail_at; /* the map call that fails; 0 = none */
    uint32_t shift;   /* bytes by which addresses are wrong */
} desk;

static nigh_status map_block(void *user, uint32_t region, uint32_t block, uint64_t bytes,
                             void **address) {
    desk *d = user;
    t_assert(region < REGIONS && block < BLOCKS && d->now[region][block] == NULL);
    if (++d->maps == d->fail_at) {
        return NIGH_E_USER - 3;
    }
    uint8_t *now = fx_take(d->f, bytes + 64);
    memset(now, 0, (size_t)bytes);
    if (d->shelf->kept[region][block] != NULL) {
        t_eq(d->shelf->bytes[region][block], bytes);
        memcpy(now, d->shelf->kept[region][block], (size_t)bytes);
    }
    d->now[region][block] = now;
    d->shelf->bytes[region][block] = bytes;
    *address = now + d->shift;
    return NIGH_OK;
}

static nigh_status dirty_block(void *user, uint32_t region, uint32_t block, uint64_t bytes,
                               void **address) {
    desk *d = user;
    t_assert(*address == d->now[region][block] && d->shelf->bytes[region][block] == bytes);
    t_eq(d->dirty[region][block], 0);
    d->dirty[region][block] = 1;
    return NIGH_OK;
}

static void commit(desk *d) {
    t_ok(nigh_header(d->f->index, d->shelf->header));
    for (uint32_t region = 0; region < REGIONS; region++) {
        for (uint32_t block = 0; block < BLOCKS; block++) {
            const size_t bytes = (size_t)d->shelf->bytes[region][block];
            if (d->dirty[region][block] != 0) {
                uint8_t **kept = &d->shelf->kept[region][block];
                *kept = *kept != NULL ? *kept : fx_malloc(bytes);
                memcpy(*kept, d->now[region][block], bytes);
                d->dirty[region][block] = 0;
            }
        }
    }
    t_ok(nigh_seal(d->f->index));
}

static void shelf_drop(shelf *s) {
    for (uint32_t region = 0; region < REGIONS; region++) {
        for (uint32_t block = 0; block < BLOCKS; block++) {
            free(s->kept[region][block]);
        }
    }
    free(s);
}

/* A handle over what the shelf holds, with a session; a writer state if `flags` ask for one. */
static nigh_status open_shelf(fx *f, desk *d, shelf *s, uint32_t flags, uint32_t slot_max) {
    const nigh_options options = {
        .struct_size = sizeof options, .slot_max = slot_max, .flags = flags};
    uint64_t bytes = 0;
    memset(f, 0, sizeof *f);
    d->shelf = s;
    d->f = f;
    nigh_status status = nigh_attach_bytes(s->header, sizeof s->header, &options, &bytes);
    if (status == NIGH_OK) {
        status = nigh_attach_blocks(s->header, sizeof s->header, &options, map_block, dirty_block,
                                    d, fx_take(f, bytes), bytes, &f->index);
    }
    if (status != NIGH_OK) {
        f->index = NULL;
        return status;
    }
    f->config.struct_size = sizeof f->config;
    t_ok(nigh_config_get(f->index, &f->config));
    t_ok(nigh_row_bytes(f->config.dim, f->config.dtype, &f->row_bytes));
    if ((flags & NIGH_OPEN_WRITABLE) != 0) {
        t_ok(nigh_writer_bytes(f->index, &bytes));
        t_ok(nigh_writer_init(f->index, fx_take(f, bytes), bytes));
    }
    nigh_session_options session = fx_session_options(64, 0, 0);
    f->session = fx_session(f, &session);
    return NIGH_OK;
}

static void insert_some(fx *f, uint32_t from, uint32_t to, const uint8_t *rows) {
    uint64_t bytes = 0;
    t_ok(nigh_grow_bytes(f->index, to, to * 24, &bytes));
    t_ok(nigh_grow(f->index, to, to * 24, NULL, 0));
    fx_insert_many(f, from, to - from, rows + from * f->row_bytes);
    for (uint32_t id = from; id < to; id += 9) {
        t_ok(fx_remove(f, f->session, id));
    }
}

static nigh_config config_at(uint32_t i) {
    nigh_config config = fx_config_at(i, DIM);
    config.block_bytes = i % 2 == 0 ? 256 : 2048;
    config.key_bytes_max = 20;
    if (i % 3 != 0 && config.metric != NIGH_METRIC_HAMMING && config.dtype != NIGH_DTYPE_B1) {
        config.codes = NIGH_CODES_U7;
        fx_config_span(&config);
    }
    return config;
}

/* Left and taken up again after every few insertions: the image of one that never was. */
static void left_and_taken_up(const nigh_config *config, const uint8_t *rows, uint32_t step) {
    shelf *s = fx_malloc(sizeof *s);
    fx want, f;
    desk *d = fx_malloc(sizeof *d);
    fx_init(&want, config, N, N, N * 24, 64);
    fx_init(&f, config, N, 0, 0, 64);
    *d = (desk){.shelf = s, .f = &f};
    t_ok(nigh_index_pager(f.index, map_block, dirty_block, d));
    for (uint32_t at = 0; at < N; at += step) {
        const uint32_t to = at + step < N ? at + step : N;
        fx_insert_many(&want, at, to - at, rows + at * want.row_bytes);
        for (uint32_t id = at; id < to; id += 9) {
            t_ok(fx_remove(&want, want.session, id));
        }
        insert_some(&f, at, to, rows);
        commit(d);
        fx_drop(&f);
        memset(d, 0, sizeof *d);
        t_ok(open_shelf(&f, d, s, NIGH_OPEN_WRITABLE, N));
        fx_check(f.index, f.session);
        fx_same_image(want.index, f.index);
    }
    fx_drop(&f);
    free(d);
    fx_drop(&want);
    shelf_drop(s);
}

TEST(goes_on_where_it_was_left) {
    rng r = {t_seed()};
    for (uint32_t i = 0; i < 24; i++) {
        const nigh_config config = config_at(i);
        uint8_t *rows = data_rows(&r, DATA_CLUSTERED, config.dtype, N, config.dim);
        left_and_taken_up(&config, rows, i % 2 == 0 ? 37 : 90);
        free(rows);
    }
}

/* A shelf with N / 2 nodes on it. */
static shelf *half_full(const nigh_config *config, const uint8_t *rows) {
    shelf *s = fx_malloc(sizeof *s);
    desk *d = fx_malloc(sizeof *d);
    fx f;
    fx_init(&f, config, N, 0, 0, 64);
    *d = (desk){.shelf = s, .f = &f};
    t_ok(nigh_index_pager(f.index, map_block, dirty_block, d));
    insert_some(&f, 0, N / 2, rows);
    commit(d);
    fx_drop(&f);
    free(d);
    return s;
}

TEST(read_only_until_asked) {
    rng r = {t_seed()};
    const nigh_config config = config_at(1);
    uint8_t *rows = data_rows(&r, DATA_CLUSTERED, config.dtype, N, config.dim);
    shelf *s = half_full(&config, rows);
    desk *d = fx_malloc(sizeof *d);
    uint8_t *memory = fx_malloc(1 << 20);
    fx f;
    t_ok(open_shelf(&f, d, s, 0, 0));
    fx_check(f.index, f.session);
    t_is(nigh_writer_init(f.index, memory, 1 << 20), NIGH_E_READ_ONLY);
    t_is(fx_insert(&f, f.session, 0, N, rows), NIGH_E_READ_ONLY);
    t_is(nigh_seal(f.index), NIGH_E_READ_ONLY);
    t_ok(nigh_header(f.index, memory)); /* of what it is, to copy it elsewhere */
    t_bytes(memory, s->header, NIGH_HEADER_BYTES);
    fx_drop(&f);
    free(memory);
    free(d);
    shelf_drop(s);
    free(rows);
}

/* Memory donated beside a pager would be blocks that it never hears of. */
TEST(only_the_pager_gives_blocks) {
    rng r = {t_seed()};
    const nigh_config config = config_at(1);
    uint8_t *rows = data_rows(&r, DATA_CLUSTERED, config.dtype, N, config.dim);
    shelf *s = half_full(&config, rows);
    desk *d = fx_malloc(sizeof *d);
    fx f;
    t_ok(open_shelf(&f, d, s, NIGH_OPEN_WRITABLE, N));
    t_is(nigh_grow(f.index, N, 0, fx_take(&f, 1 << 20), 1 << 20), NIGH_E_INVALID);
    t_ok(nigh_grow(f.index, N, N * 24, NULL, 0));
    nigh_job_options job = {
        .struct_size = sizeof job, .kind = NIGH_JOB_CODES, .codes = NIGH_CODES_B1};
    uint64_t bytes = 0;
    t_is(nigh_job_bytes(f.index, &job, 0, &bytes), NIGH_E_UNSUPPORTED);
    fx_drop(&f);
    free(d);
    shelf_drop(s);
    free(rows);
}

TEST(map_fails) {
    rng r = {t_seed()};
    const nigh_config config = config_at(1);
    uint8_t *rows = data_rows(&r, DATA_CLUSTERED, config.dtype, N, config.dim);
    shelf *s = half_full(&config, rows);
    desk *d = fx_malloc(sizeof *d);
    uint32_t failures = 0;
    for (nigh_status status = NIGH_E_USER; status != NIGH_OK; failures++) {
        fx f;
        memset(d, 0, sizeof *d);
        d->fail_at = failures + 1;
        status = open_shelf(&f, d, s, 0, 0);
        t_assert(status == NIGH_OK || status == NIGH_E_USER - 3);
        fx_drop(&f);
    }
    t_assert(failures > 10);
    fx f;
    memset(d, 0, sizeof *d);
    d->shift = 32;
    t_is(open_shelf(&f, d, s, 0, 0), NIGH_E_MEMORY);
    fx_drop(&f);
    free(d);
    shelf_drop(s);
    free(rows);
}

/* Every bit of a header is checked, and one kind of header is not taken for the other. */
TEST(headers) {
    rng r = {t_seed()};
    const nigh_config config = config_at(1);
    uint8_t *rows = data_rows(&r, DATA_CLUSTERED, config.dtype, N, config.dim);
    shelf *s = half_full(&config, rows);
    desk *d = fx_malloc(sizeof *d);
    fx f;
    for (uint32_t bit = 0; bit < 8 * NIGH_HEADER_BYTES; bit++) {
        memset(d, 0, sizeof *d);
        s->header[bit / 8] ^= (uint8_t)(1u << bit % 8);
        t_assert(open_shelf(&f, d, s, 0, 0) != NIGH_OK);
        t_eq(d->maps, 0);
        fx_drop(&f);
        s->header[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    memset(d, 0, sizeof *d);
    t_ok(open_shelf(&f, d, s, 0, 0));
    fx_bytes image = fx_save(f.index, 0);
    fx_drop(&f);
    t_is(fx_attach(&f, s->header, NIGH_HEADER_BYTES, 0, 0, 64), NIGH_E_FORMAT);
    fx_drop(&f);
    memcpy(s->header, image.data, NIGH_HEADER_BYTES);
    memset(d, 0, sizeof *d);
    t_assert(open_shelf(&f, d, s, 0, 0) != NIGH_OK);
    fx_drop(&f);
    free(image.data);
    free(d);
    shelf_drop(s);
    free(rows);
}

SUITE {
    RUN(goes_on_where_it_was_left);
    RUN(read_only_until_asked);
    RUN(only_the_pager_gives_blocks);
    RUN(map_fails);
    RUN(headers);
}
