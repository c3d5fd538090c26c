/* test_store_damage.c - stores with wrong bytes: refused by name, or an older state, never a crash
 * layer T; uses: data, device, fixture, store_fix
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "device.h"
#include "fixture.h"
#include "store_fix.h"
#include "t.h"

enum { PAGE = 1024, EF = 48, ROWS = 60 };

typedef struct rig {
    device d;
    uint8_t *sound; /* its bytes */
    fx_bytes image;
    uint32_t slot; /* of the superblock that counts */
} rig;

static nigh_config a_config(uint32_t dim) {
    nigh_config config = fx_config(dim, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    config.block_bytes = 512;
    config.m = 4;
    return config;
}

static void rig_init(rig *g, uint32_t dim, uint32_t pages) {
    rng r = {t_seed()};
    nigh_config config = a_config(dim);
    void *memory = NULL;
    nigh_store *store = NULL;
    fx f;
    memset(g, 0, sizeof *g);
    device_init(&g->d, DEVICE_DISK, PAGE, pages, 0, t_seed());
    t_ok(device_open(&g->d, NIGH_STORE_FORMAT, &memory, &store));
    fx_init(&f, &config, ROWS, ROWS, 0, EF);
    uint8_t *rows = data_rows(&r, DATA_UNIFORM, config.dtype, ROWS, dim);
    fx_insert_many(&f, 0, ROWS, rows);
    t_ok(nigh_store_commit(store, f.index));
    g->image = fx_save(f.index, 0);
    g->slot = (uint32_t)(device_stats(store).generation % 2);
    g->sound = fx_malloc(g->d.bytes);
    memcpy(g->sound, g->d.now, (size_t)g->d.bytes);
    free(rows);
    free(memory);
    fx_drop(&f);
}

static void rig_drop(rig *g) {
    free(g->sound);
    free(g->image.data);
    device_drop(&g->d);
}

static void restore(rig *g) { memcpy(g->d.now, g->sound, (size_t)g->d.bytes); }

static uint8_t *super(rig *g) { return g->d.now + g->slot * PAGE; }

static void set32(uint8_t *at, uint32_t value) { memcpy(at, &value, 4); }

/* Opens and attaches; whatever comes out is used. */
static nigh_status use(rig *g, nigh_store_stats *stats) {
    void *memory = NULL;
    nigh_store *store = NULL;
    fx f;
    nigh_status s = device_open(&g->d, 0, &memory, &store);
    if (s == NIGH_OK) {
        s = fx_store_attach(&f, store, NIGH_OPEN_WRITABLE, 0, EF);
        *stats = device_stats(store);
        if (s == NIGH_OK) {
            nigh_report report = {.struct_size = sizeof report};
            t_ok(nigh_check(f.index, f.session, &report));
            (void)fx_remove(&f, f.session, 3);
            (void)nigh_store_commit(store, f.index);
        }
        fx_drop(&f);
        free(memory);
    }
    return s;
}

/* A bit anywhere in a page that is in use is seen, and its page named. */
TEST(every_page_is_verified) {
    for (uint32_t dim = 4; dim <= 300; dim += 296) { /* the table in the superblock, or in pages */
        rig g;
        rng r = {t_seed()};
        uint32_t refused = 0, named = 0;
        rig_init(&g, dim, 300);
        for (uint32_t page = 2; page < 300; page++) {
            nigh_store_stats stats = {.struct_size = sizeof stats};
            for (uint32_t i = 0; i < 8; i++) {
                g.d.now[page * PAGE + rng_below(&r, 160)] ^= (uint8_t)(1u << rng_below(&r, 8));
            }
            nigh_status s = use(&g, &stats);
            t_assert(s == NIGH_OK || s == NIGH_E_CORRUPT);
            refused += s == NIGH_E_CORRUPT;
            if (s == NIGH_E_CORRUPT && stats.struct_size != 0 && stats.bad_page == page) {
                t_assert(stats.bad_region < 8 && stats.bad_block < ROWS);
                named++;
            }
            restore(&g);
        }
        printf("dim %u: %u pages damaged, %u of them named by region\n", dim, refused, named);
        t_assert(refused > (dim == 4 ? 6u : 80u) && named > refused / 2);
        rig_drop(&g);
    }
}

/* Without the newest superblock the one before counts: here that of the empty store. */
TEST(torn_superblock) {
    rig g;
    rng r = {t_seed()};
    nigh_store_stats stats = {.struct_size = sizeof stats};
    rig_init(&g, 4, 100);
    for (int i = 0; i < 200; i++) {
        uint32_t from = rng_below(&r, STORE_HEAD);
        for (uint32_t at = from; at < STORE_HEAD + 40; at++) {
            super(&g)[at] ^= (uint8_t)(1 + rng_below(&r, 255));
        }
        t_is(use(&g, &stats), NIGH_E_NOT_FOUND);
        memset(g.d.now + (1 - g.slot) * PAGE, 0, PAGE);
        nigh_status s = use(&g, &stats);
        t_assert(s == NIGH_E_CORRUPT || (s == NIGH_E_FORMAT && from < 8));
        restore(&g);
    }
    rig_drop(&g);
}

/* Superblocks and tables that are wrong in one thing, their checksums right. */
TEST(crafted) {
    static const struct {
        uint32_t at;
        uint32_t value;
        nigh_status want;
    } fields[] = {
        {8, 2, NIGH_E_FORMAT},     /* version */
        {12, 2048, 0},             /* bytes of a page */
        {24, 7, 0},                /* slot */
        {28, 1, 0},                /* superblocks */
        {28, 65, 0},               /* superblocks */
        {28, 0xffffffff, 0},       /* superblocks */
        {32, 301, NIGH_E_MISMATCH}, /* pages in use end beyond the device */
        {40, 1, NIGH_E_CORRUPT},   /* depth */
        {40, 5, NIGH_E_CORRUPT},   /* depth */
        {40, 6, 0},                /* depth */
        {40, 0xffffffff, 0},       /* depth */
        {44, 0, NIGH_E_CORRUPT},   /* roots */
        {44, 3, NIGH_E_CORRUPT},   /* roots */
        {44, 57, 0},               /* roots */
        {44, 0x20000000, 0},       /* roots: times 8 is 0 */
        {44, 0xffffffff, 0},       /* roots */
        {48, 0, NIGH_E_CORRUPT},   /* no index, but roots */
        {48, 2, 0},                /* filled */
        {STORE_HEAD, 0, NIGH_E_CORRUPT},          /* a page that is a superblock, */
        {STORE_HEAD, 1, NIGH_E_CORRUPT},          /* as this one is, */
        {STORE_HEAD, 300, NIGH_E_CORRUPT},        /* beyond the device, */
        {STORE_HEAD, 0xffffffff, NIGH_E_CORRUPT}, /* far beyond it */
        {STORE_HEADER + 32, 5, NIGH_E_CORRUPT},   /* dim: another stride */
        {STORE_HEADER + 88, 0x7ffffff0, NIGH_E_CORRUPT},  /* slots */
        {STORE_HEADER + 120 + 8, 1000, NIGH_E_CORRUPT},   /* records of region 0 */
        {STORE_HEADER + 120 + 16, 1 << 30, NIGH_E_CORRUPT}, /* their stride */
        {STORE_HEADER, 0, NIGH_E_FORMAT},                 /* no header */
    };
    rig g;
    rig_init(&g, 4, 300);
    for (uint32_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        nigh_store_stats stats = {.struct_size = sizeof stats};
        set32(super(&g) + fields[i].at, fields[i].value);
        store_fix_super(super(&g), PAGE);
        nigh_status s = use(&g, &stats);
        nigh_status want = fields[i].want;
        if (want == NIGH_OK) { /* not a superblock: the other one counts */
            want = fields[i].at == 12 && g.slot == 0 ? NIGH_E_MISMATCH : NIGH_E_NOT_FOUND;
        }
        if (s != want) {
            t_failf("offset %u value %u: %d, want %d", fields[i].at, fields[i].value, s, want);
        }
        restore(&g);
    }
    memcpy(super(&g) + STORE_HEAD, super(&g) + STORE_HEAD + 8, 8); /* a page twice */
    store_fix_super(super(&g), PAGE);
    nigh_store_stats stats = {.struct_size = sizeof stats};
    t_is(use(&g, &stats), NIGH_E_CORRUPT);
    rig_drop(&g);
}

/* Any bytes at all, with right checksums where there is sense in them. */
TEST(random_bytes) {
    rig g;
    rng r = {t_seed()};
    uint32_t opened = 0;
    rig_init(&g, 4, 64);
    for (uint32_t i = 0; i < (t_small() ? 300u : 3000u); i++) {
        nigh_store_stats stats = {.struct_size = sizeof stats};
        for (uint32_t n = 1 + rng_below(&r, 6); n > 0; n--) {
            uint32_t at = rng_below(&r, 2) == 0 ? g.slot * PAGE + rng_below(&r, 700)
                                                : rng_below(&r, (uint32_t)g.d.bytes);
            g.d.now[at] = (uint8_t)rng_next(&r);
        }
        store_fix(g.d.now, g.d.bytes, PAGE);
        opened += use(&g, &stats) == NIGH_OK;
        restore(&g);
    }
    t_assert(opened > 0);
    rig_drop(&g);
}

SUITE {
    RUN(every_page_is_verified);
    RUN(torn_superblock);
    RUN(crafted);
    RUN(random_bytes);
}
