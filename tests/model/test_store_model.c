/* test_store_model.c - random changes, jobs, commits, cuts and failures: a store against an oracle
 * layer T; uses: data, device, fixture, jobs, oracle
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The oracle knows what is live; copies of it say what was live at the last commit that is certain,
 * and at one that is not. NIGH_TEST_SEED replays a run, NIGH_TEST_WORLD one world of it. */
#include "device.h"
#include "fixture.h"
#include "jobs.h"
#include "oracle.h"
#include "t.h"

enum { IDS = 240, EF = 512, KEY_MAX = 20, OPS = 160 };

typedef struct world {
    device d;
    void *memory;
    nigh_store *store;
    fx f;
    oracle now;
    oracle last;  /* of the last commit that was done */
    oracle tried; /* of one that may be there */
    uint8_t *rows;
    rng r;
    int pending; /* a commit failed, and the store was not opened anew */
    uint32_t cuts;
    uint32_t fulls;
    uint32_t fails;
} world;

static uint32_t world_at, op_at;
static uint32_t total_cuts, total_fails, total_fulls;

static void copy(oracle *to, const oracle *from) {
    memcpy(to->state, from->state, from->room);
    memcpy(to->rows, from->rows, (size_t)(from->room * from->row_bytes));
    to->live = from->live;
    to->deleted = from->deleted;
}

static int same(const oracle *a, fx *f) {
    uint32_t live = 0;
    for (uint64_t id = 0; id < a->room; id++) {
        live += a->state[id] == ORACLE_LIVE;
        uint32_t slot = 0;
        nigh_status s = fx_get(f, f->session, id, NULL, &slot);
        if (s != (a->state[id] == ORACLE_LIVE      ? NIGH_OK
                  : a->state[id] == ORACLE_DELETED ? NIGH_E_DELETED
                                                   : NIGH_E_NOT_FOUND)) {
            return 0;
        }
        if (s == NIGH_OK) {
            uint8_t row[1024];
            t_ok(fx_get(f, f->session, id, row, NULL));
            if (memcmp(row, oracle_row(a, id), (size_t)a->row_bytes) != 0) {
                return 0;
            }
        }
    }
    return fx_stats(f->index).live_count == live;
}

static void attach(world *w) {
    nigh_status s = fx_store_attach(&w->f, w->store, NIGH_OPEN_WRITABLE, IDS * 4, EF);
    if (s != NIGH_OK) {
        t_failf("world %u, operation %u: attach: %d", world_at, op_at, s);
    }
    fx_grow(&w->f, IDS * 4, IDS * 8 * KEY_MAX);
}

static void reopen(world *w) {
    free(w->memory);
    t_ok(device_open(&w->d, 0, &w->memory, &w->store));
}

static void grow(world *w) {
    nigh_store_options options = w->d.options;
    uint64_t bytes = 0;
    options.page_count += 1 + rng_below(&w->r, 40);
    device_grow(&w->d, options.page_count);
    t_ok(nigh_store_bytes(&options, &bytes));
    void *memory = fx_exact(bytes);
    t_ok(nigh_store_grow(w->store, options.page_count, memory, bytes, &w->store));
    free(w->memory);
    w->memory = memory;
    w->fulls++;
}

/* Commits, perhaps in vain; then perhaps as another process would find it. */
static void commit(world *w) {
    uint32_t how = w->pending ? 9 : rng_below(&w->r, 5); /* at most one that is not certain */
    copy(&w->tried, &w->now);
    if (how < 2) {
        device_cut_at(&w->d, rng_below(&w->r, 20));
    } else if (how == 2) {
        device_fail(&w->d, 1 + rng_below(&w->r, 2), rng_below(&w->r, 20));
    }
    nigh_status s = nigh_store_commit(w->store, w->f.index);
    while (s == NIGH_E_FULL) {
        grow(w);
        s = nigh_store_commit(w->store, w->f.index);
    }
    w->d.fail_at = UINT64_MAX;
    int cut = device_power(&w->d);
    t_assert(s == NIGH_OK || (cut && s == DEVICE_CUT) || (how == 2 && s == DEVICE_FAILED));
    w->cuts += (uint32_t)cut;
    w->fails += s == DEVICE_FAILED;
    if (s == NIGH_OK) {
        copy(&w->last, &w->now);
    }
    w->pending = s == DEVICE_FAILED && rng_below(&w->r, 3) != 0;
    if (w->pending) {
        return; /* goes on with the same store, whatever it thinks */
    }
    if (s != NIGH_OK || rng_below(&w->r, 2) == 0) {
        device_settle(&w->d);
        reopen(w);
        fx_drop(&w->f);
        attach(w);
        fx_check(w->f.index, w->f.session);
        int old = same(&w->last, &w->f);
        if (!old && !same(&w->tried, &w->f)) {
            t_failf("world %u, operation %u: neither before nor after", world_at, op_at);
        }
        copy(&w->now, old ? &w->last : &w->tried);
        copy(&w->last, &w->now);
        oracle_same_set(&w->now, &w->f);
    }
}

static void put(world *w, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        uint64_t id = rng_below(&w->r, IDS);
        const uint8_t *row = w->rows + rng_below(&w->r, IDS) * w->f.row_bytes;
        t_ok(fx_set(&w->f, w->f.session, 0, id, row));
        oracle_put(&w->now, id, row);
    }
}

static void mark(world *w, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        uint64_t id = rng_below(&w->r, IDS);
        uint8_t state = w->now.state[id];
        if (state == ORACLE_LIVE) {
            t_ok(fx_remove(&w->f, w->f.session, id));
            oracle_mark(&w->now, id, ORACLE_DELETED);
        } else if (state == ORACLE_DELETED) {
            t_ok(fx_unremove(&w->f, w->f.session, id));
            oracle_mark(&w->now, id, ORACLE_LIVE);
        }
    }
}

static void vacuum(world *w) {
    t_ok(fx_work(&w->f, NIGH_JOB_VACUUM, 1, rng_next(&w->r)));
    for (uint64_t id = 0; id < IDS; id++) {
        if (w->now.state[id] == ORACLE_DELETED) {
            oracle_mark(&w->now, id, ORACLE_UNKNOWN);
        }
    }
}

static void recode(world *w) {
    nigh_config config = {.struct_size = sizeof config};
    t_ok(nigh_config_get(w->f.index, &config));
    int coded = config.codes != NIGH_CODES_NONE;
    int can = config.metric != NIGH_METRIC_HAMMING && config.dtype != NIGH_DTYPE_B1;
    if (can && w->now.live > 8) {
        t_ok(fx_codes(&w->f, coded ? NIGH_CODES_NONE : 1 + rng_below(&w->r, 2), 0.0f, 0.0f));
    }
}

static void step(world *w) {
    switch (rng_below(&w->r, 16)) {
    case 0:
        vacuum(w);
        break;
    case 1:
        recode(w);
        break;
    case 2:
        t_ok(fx_work(&w->f, NIGH_JOB_REFINE, 1, rng_next(&w->r)));
        break;
    case 3:
    case 4:
        mark(w, 1 + rng_below(&w->r, 30));
        break;
    case 5:
        put(w, 1 + rng_below(&w->r, 60));
        break;
    case 6:
    case 7:
    case 8:
        put(w, 1 + rng_below(&w->r, 3));
        break;
    default:
        commit(w);
    }
}

static void live(uint32_t at) {
    world w;
    memset(&w, 0, sizeof w);
    w.r.state = t_seed() * 1000 + at;
    nigh_config config = fx_config_at(at, 8 + rng_below(&w.r, 20));
    config.keys = at % 2 != 0 ? NIGH_KEYS_BYTES : NIGH_KEYS_U64;
    config.key_bytes_max = KEY_MAX;
    config.block_bytes = 256u << rng_below(&w.r, 6);
    config.m = 4;
    config.ef_build = 16;
    config.codes = NIGH_CODES_NONE;
    uint32_t page = 1024u << rng_below(&w.r, 3);
    device_init(&w.d, (int)rng_below(&w.r, 2), page, 4 + rng_below(&w.r, 20),
                1u << rng_below(&w.r, 8), rng_next(&w.r));
    w.d.options.super_count = 2 + rng_below(&w.r, 3);
    t_ok(device_open(&w.d, NIGH_STORE_FORMAT, &w.memory, &w.store));
    fx_init(&w.f, &config, IDS * 4, IDS * 4, IDS * 8 * KEY_MAX, EF);
    w.rows = data_rows(&w.r, DATA_CLUSTERED, config.dtype, IDS, config.dim);
    oracle_init(&w.now, &w.f.config, IDS);
    oracle_init(&w.last, &w.f.config, IDS);
    oracle_init(&w.tried, &w.f.config, IDS);
    nigh_status s = NIGH_E_FULL;
    while (s != NIGH_OK) {
        s = nigh_store_commit(w.store, w.f.index);
        t_assert(s == NIGH_OK || s == NIGH_E_FULL);
        if (s == NIGH_E_FULL) {
            grow(&w);
        }
    }
    for (op_at = 0; op_at < OPS; op_at++) {
        step(&w);
    }
    total_cuts += w.cuts;
    total_fails += w.fails;
    total_fulls += w.fulls;
    fx_drop(&w.f);
    free(w.memory);
    free(w.rows);
    oracle_drop(&w.now);
    oracle_drop(&w.last);
    oracle_drop(&w.tried);
    device_drop(&w.d);
}

TEST(worlds) {
    const char *only = getenv("NIGH_TEST_WORLD");
    uint32_t count = t_small() ? 6 : 40;
    for (world_at = 0; world_at < count; world_at++) {
        if (only == NULL || (uint32_t)atoi(only) == world_at) {
            live(world_at);
        }
    }
    printf("%u worlds: %u cuts, %u failures, %u times full\n", count, total_cuts, total_fails,
           total_fulls);
    t_assert(only != NULL || (total_cuts > count && total_fails > 0 && total_fulls > 0));
}

SUITE { RUN(worlds); }
