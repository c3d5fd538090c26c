/* test_store.c - stores: what was committed comes back, and only what changed is written
 * layer T; uses: data, device, fixture, jobs
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "device.h"
#include "fixture.h"
#include "jobs.h"
#include "t.h"

enum { EF = 64 };

/* A device with a store that is open, and an index. */
typedef struct rig {
    device d;
    void *memory;
    nigh_store *store;
    fx f;
} rig;

static void rig_open(rig *g, uint32_t flags) {
    t_ok(device_open(&g->d, flags, &g->memory, &g->store));
}

static void rig_close(rig *g) {
    fx_drop(&g->f);
    free(g->memory);
    g->memory = NULL;
    g->store = NULL;
}

static void rig_drop(rig *g) {
    rig_close(g);
    device_drop(&g->d);
}

/* The index that a device holds saves the same bytes as this one. */
static void device_holds(device *d, const nigh_index *index) {
    fx other;
    void *memory = NULL;
    nigh_store *store = NULL;
    t_ok(device_open(d, 0, &memory, &store));
    t_ok(fx_store_attach(&other, store, 0, 0, EF));
    fx_check(other.index, other.session);
    fx_same_image(index, other.index);
    fx_drop(&other);
    free(memory);
}

static void same_as_device(rig *g) { device_holds(&g->d, g->f.index); }

static nigh_config small_blocks(uint32_t i, uint32_t dim) {
    nigh_config config = fx_config_at(i, dim);
    config.block_bytes = 512u << i % 4; /* below and above a page */
    config.m = 4;
    config.key_bytes_max = 24;
    return config;
}

TEST(every_kind_of_index) {
    for (uint32_t i = 0; i < 12; i++) {
        rng r = {t_seed() + i};
        nigh_config config = small_blocks(i, 9);
        rig g;
        memset(&g, 0, sizeof g);
        device_init(&g.d, i % 2, 1024, 600, i % 2 != 0 ? 16 : 0, t_seed() + i);
        rig_open(&g, NIGH_STORE_FORMAT);
        fx_init(&g.f, &config, 500, 300, 300 * 24, EF);
        uint8_t *rows = data_rows(&r, DATA_UNIFORM, config.dtype, 300, config.dim);
        for (uint32_t from = 0; from < 300; from += 60) {
            fx_insert_many(&g.f, from, 60, rows + from * g.f.row_bytes);
            t_ok(nigh_store_commit(g.store, g.f.index));
            same_as_device(&g);
        }
        for (uint32_t id = 0; id < 300; id += 7) {
            t_ok(fx_remove(&g.f, g.f.session, id));
        }
        t_ok(nigh_store_commit(g.store, g.f.index));
        same_as_device(&g);
        free(rows);
        rig_drop(&g);
    }
}

TEST(goes_on_after_opening) {
    rng r = {t_seed()};
    nigh_config config = small_blocks(0, 9);
    rig g;
    memset(&g, 0, sizeof g);
    device_init(&g.d, DEVICE_DISK, 1024, 2000, 0, t_seed());
    rig_open(&g, NIGH_STORE_FORMAT);
    fx_init(&g.f, &config, 100, 100, 2400, EF);
    uint8_t *rows = data_rows(&r, DATA_CLUSTERED, config.dtype, 1000, config.dim);
    fx_insert_many(&g.f, 0, 100, rows);
    t_ok(nigh_store_commit(g.store, g.f.index));
    for (uint32_t from = 100; from < 1000; from += 100) {
        rig_close(&g);
        rig_open(&g, 0);
        t_ok(fx_store_attach(&g.f, g.store, NIGH_OPEN_WRITABLE, from + 100, EF));
        fx_grow(&g.f, from + 100, 24 * (from + 100));
        fx_insert_many(&g.f, from, 100, rows + from * g.f.row_bytes);
        t_ok(nigh_store_commit(g.store, g.f.index));
        same_as_device(&g);
    }
    t_eq(device_stats(g.store).generation, 11);
    free(rows);
    rig_drop(&g);
}

/* ---- Jobs ----------------------------------------------------------------------------------- */

TEST(jobs_are_kept) {
    rng r = {t_seed()};
    nigh_config config = fx_config(16, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    uint32_t done = 0;
    rig g;
    memset(&g, 0, sizeof g);
    config.block_bytes = 1024;
    device_init(&g.d, DEVICE_FLASH, 1024, 3000, 4, t_seed());
    rig_open(&g, NIGH_STORE_FORMAT);
    fx_init(&g.f, &config, 1200, 900, 0, 512);
    uint8_t *rows = data_rows(&r, DATA_CLUSTERED, config.dtype, 1200, 16);
    t_ok(nigh_store_commit(g.store, g.f.index)); /* follows it from the beginning */
    t_ok(fx_build(&g.f, 0, 900, rows, &done));
    t_ok(nigh_store_commit(g.store, g.f.index));
    same_as_device(&g);
    t_ok(fx_codes(&g.f, NIGH_CODES_U7, 0.0f, 0.0f)); /* in the job's memory */
    t_ok(nigh_store_commit(g.store, g.f.index));
    same_as_device(&g);
    fx_grow(&g.f, 1200, 0);
    fx_insert_many(&g.f, 900, 50, rows + 900 * g.f.row_bytes); /* codes beside old ones */
    t_ok(nigh_store_commit(g.store, g.f.index));
    same_as_device(&g);
    for (uint64_t id = 0; id < 900; id += 3) {
        t_ok(fx_remove(&g.f, g.f.session, id));
    }
    t_ok(fx_work(&g.f, NIGH_JOB_VACUUM, 1, 1));
    t_ok(nigh_store_commit(g.store, g.f.index));
    same_as_device(&g);
    fx_insert_many(&g.f, 2000, 100, rows + 950 * g.f.row_bytes);
    t_ok(fx_work(&g.f, NIGH_JOB_REFINE, 1, 1));
    t_ok(nigh_store_commit(g.store, g.f.index));
    same_as_device(&g);
    t_ok(fx_codes(&g.f, NIGH_CODES_NONE, 0.0f, 0.0f));
    t_ok(nigh_store_commit(g.store, g.f.index));
    same_as_device(&g);
    t_ok(fx_codes(&g.f, NIGH_CODES_B1, 0.0f, 0.0f));
    t_ok(nigh_store_commit(g.store, g.f.index));
    same_as_device(&g);
    t_ok(fx_codes(&g.f, NIGH_CODES_NONE, 0.0f, 0.0f)); /* others in their place, in one commit */
    t_ok(fx_codes(&g.f, NIGH_CODES_U7, 0.0f, 0.0f));
    t_ok(nigh_store_commit(g.store, g.f.index));
    same_as_device(&g);
    free(rows);
    rig_drop(&g);
}

/* ---- What is written ------------------------------------------------------------------------ */

TEST(nothing_changed_nothing_written) {
    rng r = {t_seed()};
    nigh_config config = small_blocks(0, 9);
    rig g;
    memset(&g, 0, sizeof g);
    device_init(&g.d, DEVICE_DISK, 1024, 500, 0, t_seed());
    rig_open(&g, NIGH_STORE_FORMAT);
    fx_init(&g.f, &config, 100, 100, 2400, EF);
    uint8_t *rows = data_rows(&r, DATA_UNIFORM, config.dtype, 100, config.dim);
    fx_insert_many(&g.f, 0, 100, rows);
    t_ok(nigh_store_commit(g.store, g.f.index));
    nigh_store_stats before = device_stats(g.store);
    t_ok(nigh_store_commit(g.store, g.f.index));
    t_ok(nigh_seal(g.f.index)); /* its bits are gone: compared page by page */
    t_ok(nigh_store_commit(g.store, g.f.index));
    nigh_store_stats after = device_stats(g.store);
    t_eq(after.written_bytes, before.written_bytes);
    t_eq(after.sync_count, before.sync_count);
    t_eq(after.generation, before.generation);
    free(rows);
    rig_drop(&g);
}

/* A few inserts into many vectors: only pages that they touch, and the tables over them. */
TEST(few_inserts_write_little) {
    enum { SLOTS = 20000, MORE = 5, PAGE = 4096, LINKS = 32 };
    rng r = {t_seed()};
    uint32_t slots = t_small() ? 4000 : SLOTS;
    nigh_config config = fx_config(32, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    uint32_t done = 0;
    rig g;
    memset(&g, 0, sizeof g);
    config.m = LINKS / 2;
    device_init(&g.d, DEVICE_DISK, PAGE, 4000, 0, t_seed());
    rig_open(&g, NIGH_STORE_FORMAT);
    fx_init(&g.f, &config, slots + 100, slots + 100, 0, EF);
    uint8_t *rows = data_rows(&r, DATA_CLUSTERED, config.dtype, slots + 100, 32);
    t_ok(fx_build(&g.f, 0, slots, rows, &done));
    t_ok(nigh_store_commit(g.store, g.f.index));
    nigh_store_stats all = device_stats(g.store);
    for (uint32_t i = 0; i < 4; i++) {
        nigh_store_stats before = device_stats(g.store);
        uint64_t at = slots + i * MORE;
        fx_insert_many(&g.f, at, MORE, rows + at * g.f.row_bytes);
        t_ok(nigh_store_commit(g.store, g.f.index));
        nigh_store_stats after = device_stats(g.store);
        uint64_t written = after.written_bytes - before.written_bytes;
        /* rows of the new ones and their neighbours; node, key, keymap, vector, upper; tables */
        t_assert(written <= (uint64_t)PAGE * (MORE * (LINKS + 1 + 4 + 2) + 16));
        t_assert(written < all.written_bytes / 4);
        t_eq(after.sync_count - before.sync_count, 2);
        if (i == 3) {
            printf("%u inserts into %u: %.0f KB of %.0f KB written, %.1f KB an insert, of which "
                   "%.2f KB are new\n",
                   MORE, slots, (double)written / 1000, (double)all.written_bytes / 1000,
                   (double)written / 1000 / (double)MORE, 0.128 + 0.004 * (double)LINKS + 0.02);
        }
    }
    same_as_device(&g);
    free(rows);
    rig_drop(&g);
}

/* ---- Whom it follows ------------------------------------------------------------------------ */

/* Bits say nothing about another store, an earlier state, or an index that lies where another lay:
 * whatever is committed where, in whatever order, each store holds what it was last given. */
TEST(several_stores_and_indexes) {
    enum { STORES = 3, INDEXES = 3, IDS = 120 };
    rng r = {t_seed()};
    nigh_config config = small_blocks(0, 5);
    device d[STORES];
    void *memory[STORES];
    nigh_store *stores[STORES];
    fx f[INDEXES];
    fx_bytes want[STORES];
    uint8_t *rows = data_rows(&r, DATA_UNIFORM, config.dtype, IDS, config.dim);
    memset(want, 0, sizeof want);
    for (int i = 0; i < STORES; i++) {
        device_init(&d[i], i % 2, 1024, 300, 0, t_seed());
        t_ok(device_open(&d[i], NIGH_STORE_FORMAT, &memory[i], &stores[i]));
    }
    for (int i = 0; i < INDEXES; i++) {
        fx_init(&f[i], &config, IDS, IDS, IDS * 24, EF);
        fx_insert_many(&f[i], 0, 20, rows);
    }
    for (int round = 0; round < 300; round++) {
        uint32_t at = rng_below(&r, INDEXES), to = rng_below(&r, STORES);
        uint32_t id = rng_below(&r, IDS);
        (void)fx_set(&f[at], f[at].session, 0, id, rows + rng_below(&r, IDS) * f[at].row_bytes);
        if (rng_below(&r, 3) == 0) {
            (void)fx_remove(&f[at], f[at].session, rng_below(&r, IDS));
        }
        if (rng_below(&r, 3) == 0) {
            uint64_t call = rng_below(&r, 2) == 0 ? rng_below(&r, 8) : UINT64_MAX;
            device_fail(&d[to], DEVICE_CHANGE, call);
            while (nigh_store_commit(stores[to], f[at].index) != NIGH_OK) {
                at = rng_below(&r, INDEXES); /* after some pages of the one, another is committed */
            }
            d[to].fail_at = UINT64_MAX;
            device_holds(&d[to], f[at].index);
            free(want[to].data);
            want[to] = fx_save(f[at].index, 0);
        }
        if (rng_below(&r, 8) == 0 && want[to].data != NULL) { /* takes over what a store has */
            fx_drop(&f[at]);
            t_ok(fx_store_attach(&f[at], stores[to], NIGH_OPEN_WRITABLE, IDS, EF));
            fx_grow(&f[at], IDS, IDS * 24);
        }
        if (rng_below(&r, 20) == 0) {
            free(memory[to]);
            t_ok(device_open(&d[to], 0, &memory[to], &stores[to]));
        }
    }
    for (int i = 0; i < STORES; i++) {
        fx last;
        t_ok(fx_store_attach(&last, stores[i], 0, 0, EF));
        fx_bytes got = fx_save(last.index, 0);
        t_eq(got.size, want[i].size);
        t_bytes(got.data, want[i].data, got.size);
        free(got.data);
        free(want[i].data);
        fx_drop(&last);
        free(memory[i]);
        device_drop(&d[i]);
    }
    for (int i = 0; i < INDEXES; i++) {
        fx_drop(&f[i]);
    }
    free(rows);
}

/* ---- Full, and failing ---------------------------------------------------------------------- */

TEST(full_then_grown) {
    rng r = {t_seed()};
    nigh_config config = small_blocks(0, 9);
    rig g;
    memset(&g, 0, sizeof g);
    uint32_t grown_times = 0;
    device_init(&g.d, DEVICE_DISK, 1024, 8, 0, t_seed());
    rig_open(&g, NIGH_STORE_FORMAT);
    fx_init(&g.f, &config, 3000, 3000, 3000 * 24, EF);
    uint8_t *rows = data_rows(&r, DATA_UNIFORM, config.dtype, 3000, config.dim);
    for (uint32_t from = 0; from < 3000; from += 50) {
        fx_insert_many(&g.f, from, 50, rows + from * g.f.row_bytes);
        nigh_status s = nigh_store_commit(g.store, g.f.index);
        while (s == NIGH_E_FULL) {
            nigh_store_options options = g.d.options;
            uint64_t bytes = 0;
            t_is(nigh_store_commit(g.store, g.f.index), NIGH_E_FULL); /* again, nothing else */
            options.page_count += 1 + options.page_count / 8;
            device_grow(&g.d, options.page_count);
            t_ok(nigh_store_bytes(&options, &bytes));
            void *memory = fx_exact(bytes);
            t_is(nigh_store_grow(g.store, options.page_count, memory, bytes - 1, &g.store),
                 NIGH_E_MEMORY);
            t_ok(nigh_store_grow(g.store, options.page_count, memory, bytes, &g.store));
            free(g.memory);
            g.memory = memory;
            grown_times++;
            s = nigh_store_commit(g.store, g.f.index);
        }
        t_ok(s);
        if (from % 500 == 0) {
            same_as_device(&g);
        }
    }
    t_assert(grown_times > 5);
    same_as_device(&g);
    free(rows);
    rig_drop(&g);
}

/* Every callback fails once: nothing is lost, and the next commit is right. */
TEST(every_call_fails_once) {
    rng r = {t_seed()};
    nigh_config config = small_blocks(0, 9);
    uint8_t *rows = data_rows(&r, DATA_UNIFORM, config.dtype, 200, config.dim);
    for (int kind = DEVICE_READ; kind <= DEVICE_CHANGE; kind++) {
        rig g;
        memset(&g, 0, sizeof g);
        device_init(&g.d, kind == DEVICE_READ ? DEVICE_DISK : (int)(t_seed() % 2), 1024, 900, 0,
                    t_seed());
        rig_open(&g, NIGH_STORE_FORMAT);
        fx_init(&g.f, &config, 200, 200, 200 * 24, EF);
        fx_insert_many(&g.f, 0, 100, rows);
        t_ok(nigh_store_commit(g.store, g.f.index));
        nigh_status s = DEVICE_FAILED;
        for (uint64_t call = 0; s != NIGH_OK; call++) {
            fx_bytes before = fx_save(g.f.index, 0);
            t_ok(fx_set(&g.f, g.f.session, 0, call % 200, rows + (call * 7 % 200) * g.f.row_bytes));
            (void)fx_remove(&g.f, g.f.session, (call + 50) % 200);
            device_fail(&g.d, (uint32_t)kind, call);
            s = nigh_store_commit(g.store, g.f.index);
            t_assert(s == NIGH_OK || s == DEVICE_FAILED);
            if (kind == DEVICE_READ && s == NIGH_OK && g.d.fail_at == UINT64_MAX) {
                s = DEVICE_FAILED; /* a page that could not be compared was written */
            }
            g.d.fail_at = UINT64_MAX;
            t_assert(call < 2000);
            if (call % 3 == 0) {
                t_ok(nigh_store_commit(g.store, g.f.index));
                same_as_device(&g);
            } else if (s != NIGH_OK && call % 3 == 1 && kind == DEVICE_CHANGE) {
                fx old; /* the state before, out of the same store, unless the last sync failed */
                t_ok(fx_store_attach(&old, g.store, 0, 0, EF));
                fx_check(old.index, old.session);
                fx_bytes got = fx_save(old.index, 0), now = fx_save(g.f.index, 0);
                const int is_old = got.size == before.size &&
                                   memcmp(got.data, before.data, (size_t)got.size) == 0;
                t_assert(is_old || (got.size == now.size &&
                                    memcmp(got.data, now.data, (size_t)got.size) == 0));
                free(got.data);
                free(now.data);
                fx_drop(&old);
            }
            free(before.data);
        }
        t_ok(nigh_store_commit(g.store, g.f.index));
        same_as_device(&g);
        rig_drop(&g);
    }
    free(rows);
}

TEST(refusals) {
    nigh_config config = small_blocks(0, 9);
    rig g;
    void *memory = NULL;
    uint64_t bytes = 0, blocks = 0;
    nigh_store *store = NULL;
    nigh_index *index = NULL;
    memset(&g, 0, sizeof g);
    device_init(&g.d, DEVICE_DISK, 1024, 64, 0, t_seed());
    t_is(device_open(&g.d, 0, &memory, &store), NIGH_E_FORMAT);
    rig_open(&g, NIGH_STORE_FORMAT);
    t_is(nigh_store_attach_bytes(g.store, NULL, &bytes, &blocks), NIGH_E_NOT_FOUND);
    fx_init(&g.f, &config, 10, 10, 240, EF);
    t_ok(nigh_store_commit(g.store, g.f.index)); /* an empty index is one */
    t_ok(nigh_store_attach_bytes(g.store, NULL, &bytes, &blocks));
    t_eq(blocks, 0);
    memory = fx_exact(bytes);
    t_is(nigh_store_attach(g.store, NULL, memory, bytes - 1, NULL, 0, &index), NIGH_E_MEMORY);
    t_ok(nigh_store_attach(g.store, NULL, memory, bytes, NULL, 0, &index));
    free(memory);
    t_ok(nigh_store_bytes(&g.d.options, &bytes));
    memory = fx_exact(bytes);
    t_is(nigh_store_open(&g.d.options, device_read, NULL, NULL, NULL, &g.d, memory, bytes - 1,
                         &store),
         NIGH_E_MEMORY);
    t_ok(nigh_store_open(&g.d.options, device_read, NULL, NULL, NULL, &g.d, memory, bytes, &store));
    t_is(nigh_store_commit(store, g.f.index), NIGH_E_READ_ONLY);
    g.d.options.page_count = 2; /* fewer than there were in use: superblocks only, so it is fine */
    t_ok(nigh_store_open(&g.d.options, device_read, NULL, NULL, NULL, &g.d, memory, bytes, &store));
    free(memory);
    g.d.options.page_bytes = 2048;
    t_ok(nigh_store_bytes(&g.d.options, &bytes));
    memory = fx_exact(bytes);
    t_is(nigh_store_open(&g.d.options, device_read, NULL, NULL, NULL, &g.d, memory, bytes, &store),
         NIGH_E_MISMATCH);
    free(memory);
    g.d.options.page_bytes = 1024;
    rig_drop(&g);
}

/* A packed image has no blocks; a sealed one has, and is taken in. */
TEST(images_taken_in) {
    rng r = {t_seed()};
    nigh_config config = small_blocks(0, 9);
    fx image;
    rig g;
    memset(&g, 0, sizeof g);
    device_init(&g.d, DEVICE_DISK, 1024, 200, 0, t_seed());
    rig_open(&g, NIGH_STORE_FORMAT);
    fx_init(&g.f, &config, 100, 100, 2400, EF);
    uint8_t *rows = data_rows(&r, DATA_UNIFORM, config.dtype, 100, config.dim);
    fx_insert_many(&g.f, 0, 100, rows);
    fx_bytes plain = fx_save(g.f.index, 0), packed = fx_save(g.f.index, NIGH_SAVE_PACKED);
    t_ok(fx_attach(&image, packed.data, packed.size, 0, 0, EF));
    t_is(nigh_store_commit(g.store, image.index), NIGH_E_READ_ONLY);
    fx_drop(&image);
    t_ok(fx_attach(&image, plain.data, plain.size, 0, 0, EF)); /* no writer state: read, no more */
    t_ok(nigh_store_commit(g.store, image.index));
    fx_drop(&image);
    same_as_device(&g);
    free(plain.data);
    free(packed.data);
    free(rows);
    rig_drop(&g);
}

#define REFUSED(call) t_is(call, NIGH_E_INVALID)

/* NULL, 0 and what is out of range, everywhere. */
TEST(total) {
    static const nigh_store_options wrong[] = {
        {.page_bytes = 512, .page_count = 8},  {.page_bytes = 1 << 21, .page_count = 8},
        {.page_bytes = 3000, .page_count = 8}, {.page_count = 1},
        {.page_count = (1u << 31) + 1},        {.page_count = 8, .program_bytes = 3},
        {.page_count = 8, .super_count = 1},   {.page_count = 80, .super_count = 65},
        {.page_count = 8, .super_count = 9},   {.page_count = 8, .program_bytes = 8192},
        {.page_count = 8, .flags = 2}};
    nigh_config config = small_blocks(0, 9);
    uint64_t bytes = 0, blocks = 0;
    nigh_store_stats stats = {.struct_size = 8};
    nigh_index *index = NULL;
    nigh_store *store = NULL;
    rig g;
    memset(&g, 0, sizeof g);
    device_init(&g.d, DEVICE_DISK, 1024, 64, 0, t_seed());
    rig_open(&g, NIGH_STORE_FORMAT);
    fx_init(&g.f, &config, 10, 10, 240, EF);
    t_ok(nigh_store_bytes(&g.d.options, &bytes));
    void *memory = fx_exact(bytes);
    for (uint32_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        nigh_store_options options = wrong[i];
        options.struct_size = sizeof options;
        REFUSED(nigh_store_bytes(&options, &bytes));
        REFUSED(nigh_store_open(&options, device_read, device_write, NULL, device_sync, &g.d,
                                memory, UINT64_MAX, &store));
    }
    nigh_store_options given = g.d.options;
    const nigh_store_options *o = &given;
    REFUSED(nigh_store_bytes(NULL, &bytes));
    REFUSED(nigh_store_bytes(o, NULL));
    REFUSED(nigh_store_find(NULL, &g.d, g.d.bytes, &given));
    REFUSED(nigh_store_find(device_read, &g.d, g.d.bytes, NULL));
    REFUSED(nigh_store_open(NULL, device_read, NULL, NULL, NULL, &g.d, memory, bytes, &store));
    REFUSED(nigh_store_open(o, NULL, NULL, NULL, NULL, &g.d, memory, bytes, &store));
    REFUSED(nigh_store_open(o, device_read, device_write, NULL, NULL, &g.d, memory, bytes, &store));
    REFUSED(nigh_store_open(o, device_read, NULL, NULL, device_sync, &g.d, memory, bytes, &store));
    REFUSED(nigh_store_open(o, device_read, NULL, NULL, NULL, &g.d, NULL, bytes, &store));
    REFUSED(nigh_store_open(o, device_read, NULL, NULL, NULL, &g.d, memory, bytes, NULL));
    given.flags = NIGH_STORE_FORMAT;
    REFUSED(nigh_store_open(o, device_read, NULL, NULL, NULL, &g.d, memory, bytes, &store));
    given.flags = 0;
    REFUSED(nigh_store_grow(NULL, 64, memory, bytes, &store));
    REFUSED(nigh_store_grow(g.store, 63, memory, bytes, &store));
    REFUSED(nigh_store_grow(g.store, (1u << 31) + 1, memory, bytes, &store));
    REFUSED(nigh_store_grow(g.store, 64, NULL, bytes, &store));
    REFUSED(nigh_store_grow(g.store, 64, memory, bytes, NULL));
    REFUSED(nigh_store_stats_get(NULL, &stats));
    REFUSED(nigh_store_stats_get(g.store, NULL));
    REFUSED(nigh_store_stats_get(g.store, &stats)); /* shorter than it ever was */
    REFUSED(nigh_store_attach_bytes(NULL, NULL, &bytes, &blocks));
    REFUSED(nigh_store_attach_bytes(g.store, NULL, NULL, &blocks));
    REFUSED(nigh_store_attach_bytes(g.store, NULL, &bytes, NULL));
    REFUSED(nigh_store_attach(NULL, NULL, memory, bytes, NULL, 0, &index));
    REFUSED(nigh_store_attach(g.store, NULL, NULL, bytes, NULL, 0, &index));
    REFUSED(nigh_store_attach(g.store, NULL, memory, bytes, NULL, 0, NULL));
    REFUSED(nigh_store_commit(NULL, g.f.index));
    REFUSED(nigh_store_commit(g.store, NULL));
    free(memory);
    rig_drop(&g);
}

TEST(found_by_its_size) {
    static const uint32_t sizes[] = {1024, 4096, 65536, 1 << 20};
    for (uint32_t i = 0; i < (t_small() ? 3u : 4u); i++) { /* 64 MiB, the last one */
        nigh_config config = small_blocks(0, 9);
        nigh_store_options found = {.struct_size = sizeof found};
        rig g;
        memset(&g, 0, sizeof g);
        device_init(&g.d, DEVICE_DISK, sizes[i], 32, 0, t_seed());
        g.d.options.super_count = 2 + i;
        t_is(nigh_store_find(device_read, &g.d, g.d.bytes, &found), NIGH_E_FORMAT);
        rig_open(&g, NIGH_STORE_FORMAT);
        fx_init(&g.f, &config, 10, 10, 240, EF);
        t_ok(nigh_store_commit(g.store, g.f.index));
        for (int torn = 0; torn < 2; torn++) {
            t_ok(nigh_store_find(device_read, &g.d, g.d.bytes, &found));
            t_eq(found.page_bytes, sizes[i]);
            t_eq(found.page_count, 32);
            t_eq(found.super_count, 2 + i);
            g.d.now[100] ^= 1; /* superblock 0 is not whole */
        }
        rig_drop(&g);
    }
}

/* ---- Wear ----------------------------------------------------------------------------------- */

/* Pages take turns, also across openings: none is erased much more often than another. */
TEST(flash_wears_evenly) {
    enum { PAGES = 96, SUPERS = 16 };
    rng r = {t_seed()};
    nigh_config config = fx_config(8, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    uint32_t commits = t_small() ? 300 : 1500;
    uint32_t low = UINT32_MAX, high = 0, super_high = 0;
    rig g;
    memset(&g, 0, sizeof g);
    config.m = 4;
    config.block_bytes = 1024;
    device_init(&g.d, DEVICE_FLASH, 1024, PAGES, 16, t_seed());
    g.d.options.super_count = SUPERS;
    rig_open(&g, NIGH_STORE_FORMAT);
    fx_init(&g.f, &config, 200, 200, 0, EF);
    uint8_t *rows = data_rows(&r, DATA_UNIFORM, config.dtype, 200, 8);
    fx_insert_many(&g.f, 0, 200, rows);
    t_ok(nigh_store_commit(g.store, g.f.index));
    memset(g.d.wear, 0, PAGES * sizeof *g.d.wear);
    for (uint32_t i = 0; i < commits; i++) {
        t_ok(fx_set(&g.f, g.f.session, 0, rng_below(&r, 200),
                    rows + rng_below(&r, 200) * g.f.row_bytes));
        t_ok(nigh_store_commit(g.store, g.f.index));
        if (i % 10 == 9) {
            rig_close(&g);
            rig_open(&g, 0);
            t_ok(fx_store_attach(&g.f, g.store, NIGH_OPEN_WRITABLE, 200, EF));
        }
    }
    for (uint32_t page = 0; page < PAGES; page++) {
        low = page >= SUPERS && g.d.wear[page] < low ? g.d.wear[page] : low;
        high = page >= SUPERS && g.d.wear[page] > high ? g.d.wear[page] : high;
        super_high = page < SUPERS && g.d.wear[page] > super_high ? g.d.wear[page] : super_high;
    }
    printf("%u commits of %u pages in %u: erased %u to %u times, superblocks %u\n", commits,
           device_stats(g.store).page_used - SUPERS, PAGES - SUPERS, low, high, super_high);
    t_assert(high <= low + low / 2 + 4);
    t_assert(super_high <= commits / SUPERS + 2);
    free(rows);
    rig_drop(&g);
}

SUITE {
    RUN(every_kind_of_index);
    RUN(goes_on_after_opening);
    RUN(jobs_are_kept);
    RUN(nothing_changed_nothing_written);
    RUN(few_inserts_write_little);
    RUN(several_stores_and_indexes);
    RUN(full_then_grown);
    RUN(every_call_fails_once);
    RUN(refusals);
    RUN(images_taken_in);
    RUN(total);
    RUN(found_by_its_size);
    RUN(flash_wears_evenly);
}
