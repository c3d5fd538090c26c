/* test_store_cuts.c - the power goes at each step of a commit: a store is as before or as after it
 * layer T; uses: data, device, fixture
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "device.h"
#include "fixture.h"
#include "t.h"

enum { EF = 48, IDS = 400 };

typedef struct rig {
    device d;     /* where the commit is cut */
    device saved; /* how it was before */
    void *memory;
    nigh_store *store;
    fx f;
    nigh_config config;
    uint8_t *rows;
    rng r;
} rig;

static void rig_init(rig *g, int kind, uint32_t page_bytes, uint32_t pages, uint32_t i,
                     uint32_t dim) {
    memset(g, 0, sizeof *g);
    g->r.state = t_seed() + i;
    g->config = fx_config_at(i, dim);
    g->config.block_bytes = 256u << i % 4;
    g->config.m = 4;
    g->config.key_bytes_max = 24;
    g->config.ef_build = 16;
    g->rows = data_rows(&g->r, DATA_UNIFORM, g->config.dtype, IDS, g->config.dim);
    device_init(&g->d, kind, page_bytes, pages, kind == DEVICE_FLASH ? 16 : 0, t_seed() + i);
    g->d.options.super_count = 2 + i % 3;
    device_init(&g->saved, kind, page_bytes, pages, 0, 1);
}

static void rig_close(rig *g) {
    fx_drop(&g->f);
    free(g->memory);
    g->memory = NULL;
}

static void rig_drop(rig *g) {
    rig_close(g);
    device_drop(&g->d);
    device_drop(&g->saved);
    free(g->rows);
}

static void reopen(rig *g) {
    rig_close(g);
    t_ok(device_open(&g->d, 0, &g->memory, &g->store));
    t_ok(fx_store_attach(&g->f, g->store, NIGH_OPEN_WRITABLE, IDS, EF));
    fx_grow(&g->f, IDS, IDS * 24);
}

/* Inserts, updates and removals, the same ones each time for the same `round`. */
static void change(rig *g, uint32_t round, uint32_t count) {
    rng r = {t_seed() + 1000 * (uint64_t)round};
    uint32_t done = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t id = rng_below(&r, IDS);
        const uint8_t *row = g->rows + rng_below(&r, IDS) * g->f.row_bytes;
        nigh_status s = rng_below(&r, 4) == 0 ? fx_remove(&g->f, g->f.session, id)
                                              : fx_set(&g->f, g->f.session, 0, id, row);
        if (s == NIGH_E_KEY || s == NIGH_E_NOT_FOUND) { /* identity keys come in order */
            s = nigh_insert(g->f.index, g->f.session, 0, NULL, NULL, row, 1, &done);
        }
        t_assert(s == NIGH_OK || s == NIGH_E_INVALID || s == NIGH_E_DELETED);
    }
}

static int is_image(const nigh_index *index, const fx_bytes *want) {
    fx_bytes got = fx_save(index, 0);
    int same = got.size == want->size && memcmp(got.data, want->data, (size_t)got.size) == 0;
    free(got.data);
    return same;
}

/* One commit, cut at its n-th step for each n; returns how many steps it has. */
static uint64_t cut_everywhere(rig *g, uint32_t round, uint32_t count, uint32_t repeats) {
    fx_bytes before = fx_save(g->f.index, 0);
    fx_bytes after = {0};
    uint64_t step = 0;
    uint32_t olds = 0, news = 0;
    device_copy(&g->saved, &g->d);
    for (uint32_t cut = 1; cut != 0; step += cut) {
        for (uint32_t i = 0; i < repeats && cut != 0; i++) {
            device_copy(&g->d, &g->saved);
            reopen(g);
            change(g, round, count);
            if (after.data == NULL) {
                after = fx_save(g->f.index, 0);
            }
            device_cut_at(&g->d, step);
            nigh_status s = nigh_store_commit(g->store, g->f.index);
            cut = (uint32_t)device_power(&g->d);
            t_is(s, cut != 0 ? (nigh_status)DEVICE_CUT : NIGH_OK);
            reopen(g);
            int old = is_image(g->f.index, &before);
            t_assert(old || is_image(g->f.index, &after));
            t_assert(cut != 0 || !old);
            fx_check(g->f.index, g->f.session);
            olds += (uint32_t)old;
            news += (uint32_t)!old;
            if (old) { /* and it goes on from there */
                change(g, round, count);
                t_ok(nigh_store_commit(g->store, g->f.index));
                reopen(g);
                t_assert(is_image(g->f.index, &after));
            }
        }
    }
    t_assert(olds > 0 && news > 0);
    free(before.data);
    free(after.data);
    return step;
}

static void cuts(int kind, uint32_t page_bytes, uint32_t pages, uint32_t i, uint32_t rounds) {
    uint64_t steps = 0;
    rig g;
    rig_init(&g, kind, page_bytes, pages, i, kind == DEVICE_DISK ? 60 : 6);
    t_ok(device_open(&g.d, NIGH_STORE_FORMAT, &g.memory, &g.store));
    fx_init(&g.f, &g.config, IDS, IDS, IDS * 24, EF);
    change(&g, 0, kind == DEVICE_DISK ? 3 * IDS : IDS / 2); /* disk: level 0 has pages of its own */
    t_ok(nigh_store_commit(g.store, g.f.index));
    for (uint32_t round = 1; round <= rounds; round++) {
        steps += cut_everywhere(&g, round, 1 + round * 5 % 20, kind == DEVICE_FLASH ? 2 : 4);
    }
    printf("kind %d, %u pages of %u, index %u: %" PRIu64 " steps cut\n", kind,
           device_stats(g.store).page_used, page_bytes, i, steps);
    rig_drop(&g);
}

TEST(disk_small_pages) { /* tables on pages of their own */
    for (uint32_t i = 0; i < (t_small() ? 2u : 8u); i++) {
        cuts(DEVICE_DISK, 1024, 500, i, 3);
    }
}

TEST(disk_large_pages) {
    cuts(DEVICE_DISK, 4096, 100, 1, t_small() ? 2 : 6);
    cuts(DEVICE_DISK, 16384, 60, 2, t_small() ? 2 : 6);
}

TEST(flash) {
    for (uint32_t i = 0; i < (t_small() ? 2u : 8u); i++) {
        cuts(DEVICE_FLASH, 1024, 500, i, 3);
    }
    cuts(DEVICE_FLASH, 4096, 100, 3, t_small() ? 2 : 6);
}

/* The power goes during the very first commit, and while a store is made. */
TEST(first_commit) {
    for (uint64_t step = 0;; step++) {
        rig g;
        rig_init(&g, (int)(step % 2), 1024, 300, (uint32_t)step, 6);
        fx_init(&g.f, &g.config, IDS, IDS, IDS * 24, EF);
        change(&g, 0, 60);
        fx_bytes after = fx_save(g.f.index, 0);
        device_cut_at(&g.d, step);
        nigh_status s = device_open(&g.d, NIGH_STORE_FORMAT, &g.memory, &g.store);
        int formatted = s == NIGH_OK;
        if (formatted) {
            s = nigh_store_commit(g.store, g.f.index);
        }
        int cut = device_power(&g.d);
        t_assert(cut ? s == DEVICE_CUT : s == NIGH_OK);
        rig_close(&g);
        s = device_open(&g.d, 0, &g.memory, &g.store);
        t_assert(s == NIGH_OK || (!formatted && (s == NIGH_E_FORMAT || s == NIGH_E_CORRUPT)));
        if (s == NIGH_OK) {
            s = fx_store_attach(&g.f, g.store, 0, 0, EF);
            t_assert(s == NIGH_OK || (cut && s == NIGH_E_NOT_FOUND));
            t_assert(s != NIGH_OK || is_image(g.f.index, &after));
        }
        free(after.data);
        rig_drop(&g);
        if (!cut) {
            t_assert(step > 10);
            return;
        }
    }
}

/* The same session goes on after a failure, from whatever was left in memory and on the device. */
TEST(failure_then_cut) {
    for (uint32_t i = 0; i < (t_small() ? 60u : 300u); i++) {
        rig g;
        rig_init(&g, (int)(i % 2), 1024, 600, i, 6 + 34 * (i % 4 / 2));
        t_ok(device_open(&g.d, NIGH_STORE_FORMAT, &g.memory, &g.store));
        fx_init(&g.f, &g.config, IDS, IDS, IDS * 24, EF);
        change(&g, 0, 100);
        t_ok(nigh_store_commit(g.store, g.f.index));
        fx_bytes states[4] = {fx_save(g.f.index, 0)};
        uint32_t count = 1;
        int found = 0;
        for (; count < 3; count++) {
            change(&g, i * 8 + count, 10);
            device_fail(&g.d, DEVICE_CHANGE, rng_below(&g.r, 40));
            nigh_status s = nigh_store_commit(g.store, g.f.index);
            t_assert(s == NIGH_OK || s == DEVICE_FAILED);
            g.d.fail_at = UINT64_MAX;
            states[count] = fx_save(g.f.index, 0);
        }
        change(&g, i * 8 + count, 10);
        states[count++] = fx_save(g.f.index, 0);
        device_cut_at(&g.d, rng_below(&g.r, 60));
        nigh_status s = nigh_store_commit(g.store, g.f.index);
        int cut = device_power(&g.d);
        t_assert(cut ? s == DEVICE_CUT : s == NIGH_OK);
        reopen(&g);
        fx_check(g.f.index, g.f.session);
        for (uint32_t at = cut ? 0 : count - 1; at < count; at++) {
            found |= is_image(g.f.index, &states[at]);
        }
        t_assert(found);
        for (uint32_t at = 0; at < count; at++) {
            free(states[at].data);
        }
        rig_drop(&g);
    }
}

/* One of a commit's last steps fails, so that it may count or not; then the power goes at each step
 * of the next try, or after it. */
TEST(last_steps_fail) {
    for (uint32_t i = 0; i < 12; i++) {
        uint64_t steps = 0;
        int cut = 1;
        for (uint64_t step = 0; cut; step++) {
            rig g;
            rig_init(&g, (int)(i % 2), 1024, 600, i, 6);
            g.d.options.super_count = 2;
            t_ok(device_open(&g.d, NIGH_STORE_FORMAT, &g.memory, &g.store));
            fx_init(&g.f, &g.config, IDS, IDS, IDS * 24, EF);
            change(&g, 0, 100);
            t_ok(nigh_store_commit(g.store, g.f.index));
            fx_bytes states[3] = {fx_save(g.f.index, 0)};
            change(&g, 1, 10);
            states[1] = fx_save(g.f.index, 0);
            if (steps == 0) { /* how many there are */
                steps = g.d.changed;
                t_ok(nigh_store_commit(g.store, g.f.index));
                steps = g.d.changed - steps;
                step--;
            } else {
                device_fail(&g.d, DEVICE_CHANGE, steps - 1 - i / 2 % 4);
                t_is(nigh_store_commit(g.store, g.f.index), DEVICE_FAILED);
                change(&g, 2, 10);
                states[2] = fx_save(g.f.index, 0);
                device_cut_at(&g.d, step);
                nigh_status s = nigh_store_commit(g.store, g.f.index);
                cut = device_power(&g.d);
                t_is(s, cut ? (nigh_status)DEVICE_CUT : NIGH_OK);
                device_settle(&g.d);
                reopen(&g);
                fx_check(g.f.index, g.f.session);
                t_assert(is_image(g.f.index, &states[2]) ||
                         (cut && (is_image(g.f.index, &states[0]) ||
                                  is_image(g.f.index, &states[1]))));
                free(states[2].data);
            }
            free(states[0].data);
            free(states[1].data);
            rig_drop(&g);
        }
    }
}

/* Steps of a commit of what has changed. */
static uint64_t commit_steps(rig *g) {
    const uint64_t before = g->d.changed;
    t_ok(nigh_store_commit(g->store, g->f.index));
    return g->d.changed - before;
}

/* A process ends before its last sync, and the next one finds its superblock: the pages of the
 * state before must not be written over until that is sure to stay. */
TEST(ended_before_the_last_sync) {
    for (uint32_t i = 0; i < (t_small() ? 60u : 400u); i++) {
        rig g;
        rig_init(&g, DEVICE_DISK, 1024, 120, i, 6);
        g.d.options.super_count = 2;
        t_ok(device_open(&g.d, NIGH_STORE_FORMAT, &g.memory, &g.store));
        fx_init(&g.f, &g.config, IDS, IDS, IDS * 24, EF);
        change(&g, 0, 100);
        t_ok(nigh_store_commit(g.store, g.f.index));
        fx_bytes states[3] = {fx_save(g.f.index, 0)};
        device_copy(&g.saved, &g.d);
        uint64_t steps = 0;
        for (uint32_t try = 0; try < 2; try++) {
            device_copy(&g.d, &g.saved);
            g.d.keeps = 1;
            reopen(&g);
            change(&g, 1, 10);
            if (try == 0) {
                steps = commit_steps(&g);
            }
        }
        states[1] = fx_save(g.f.index, 0);
        device_fail(&g.d, DEVICE_CHANGE, steps - 1);
        t_is(nigh_store_commit(g.store, g.f.index), DEVICE_FAILED);
        reopen(&g);
        t_assert(is_image(g.f.index, &states[1]));
        change(&g, 2, 40);
        states[2] = fx_save(g.f.index, 0);
        device_cut_at(&g.d, rng_below(&g.r, 24));
        nigh_status s = nigh_store_commit(g.store, g.f.index);
        int cut = device_power(&g.d);
        t_is(s, cut ? (nigh_status)DEVICE_CUT : NIGH_OK);
        reopen(&g);
        fx_check(g.f.index, g.f.session);
        t_assert(is_image(g.f.index, &states[2]) || is_image(g.f.index, &states[1]) ||
                 (cut && is_image(g.f.index, &states[0])));
        for (uint32_t at = 0; at < 3; at++) {
            free(states[at].data);
        }
        rig_drop(&g);
    }
}

/* Flash: a commit that has moved a page which did not change fails, the index grows, and the next
 * commit must not count on that page. */
TEST(moved_then_failed) {
    for (uint32_t i = 0; i < (t_small() ? 40u : 200u); i++) {
        rig g;
        rig_init(&g, DEVICE_FLASH, 1024, 600, i, 40);
        t_ok(device_open(&g.d, NIGH_STORE_FORMAT, &g.memory, &g.store));
        fx_init(&g.f, &g.config, IDS, IDS, IDS * 24, EF);
        change(&g, 0, 60);
        t_ok(nigh_store_commit(g.store, g.f.index));
        for (uint32_t round = 1; round < 12; round++) {
            change(&g, i * 32 + 2 * round, 1);
            device_fail(&g.d, DEVICE_CHANGE, 4 + rng_below(&g.r, 40));
            nigh_status s = nigh_store_commit(g.store, g.f.index);
            t_assert(s == NIGH_OK || s == DEVICE_FAILED);
            g.d.fail_at = UINT64_MAX;
            change(&g, i * 32 + 2 * round + 1, 4); /* perhaps one page more: other turns */
            t_ok(nigh_store_commit(g.store, g.f.index));
            fx_bytes want = fx_save(g.f.index, 0);
            reopen(&g);
            t_assert(is_image(g.f.index, &want));
            free(want.data);
        }
        rig_drop(&g);
    }
}

/* Tables of tables: cut here and there. */
TEST(deep) {
    enum { ROWS = 8000, DIM = 250, PAGES = 24000 };
    rng r = {t_seed()};
    uint32_t rows_count = t_small() ? 300 : ROWS; /* small: the tables are one level */
    nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    config.m = 4;
    config.ef_build = 8;
    device d = {0}, saved = {0};
    fx f;
    void *memory = NULL;
    nigh_store *store = NULL;
    device_init(&d, DEVICE_DISK, 1024, PAGES, 0, t_seed());
    device_init(&saved, DEVICE_DISK, 1024, PAGES, 0, 1);
    t_ok(device_open(&d, NIGH_STORE_FORMAT, &memory, &store));
    uint8_t *rows = data_rows(&r, DATA_UNIFORM, config.dtype, rows_count + 200, DIM);
    fx_init(&f, &config, rows_count + 200, rows_count + 200, 0, 16);
    fx_insert_many(&f, 0, rows_count, rows);
    t_ok(nigh_store_commit(store, f.index));
    device_copy(&saved, &d);
    nigh_stats stats = {.struct_size = sizeof stats};
    for (uint32_t round = 0; round < (t_small() ? 10u : 50u); round++) {
        uint32_t more = 1 + rng_below(&r, 200);
        fx_drop(&f);
        free(memory);
        device_copy(&d, &saved);
        t_ok(device_open(&d, 0, &memory, &store));
        t_ok(fx_store_attach(&f, store, NIGH_OPEN_WRITABLE, rows_count + 200, 16));
        fx_grow(&f, rows_count + 200, 0);
        fx_insert_many(&f, rows_count, more, rows + rows_count * f.row_bytes);
        device_cut_at(&d, rng_below(&r, 8 * more));
        nigh_status s = nigh_store_commit(store, f.index);
        fx_bytes after = fx_save(f.index, 0);
        int cut = device_power(&d);
        t_assert(cut ? s == DEVICE_CUT : s == NIGH_OK);
        fx_drop(&f);
        free(memory);
        t_ok(device_open(&d, 0, &memory, &store));
        t_ok(fx_store_attach(&f, store, 0, 0, 16));
        fx_check(f.index, f.session);
        t_ok(nigh_stats_get(f.index, &stats));
        t_assert(is_image(f.index, &after) || (cut && stats.slot_count == rows_count));
        free(after.data);
    }
    fx_drop(&f);
    free(memory);
    free(rows);
    device_drop(&d);
    device_drop(&saved);
}

SUITE {
    RUN(disk_small_pages);
    RUN(disk_large_pages);
    RUN(flash);
    RUN(first_commit);
    RUN(failure_then_cut);
    RUN(last_steps_fail);
    RUN(ended_before_the_last_sync);
    RUN(moved_then_failed);
    RUN(deep);
}
