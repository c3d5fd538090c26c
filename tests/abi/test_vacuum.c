/* test_vacuum.c - removed keys leave for good: the graph stays whole, slots are used again
 * layer T; uses: data, fixture, jobs, oracle
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What has to come of each call is known beforehand: which slot a key gets, who is found. Few links
 * (m = 2, m0 = 4) and equal vectors make trees of parents that are deep, full and odd. */
#define _GNU_SOURCE
#include "data.h"
#include "fixture.h"
#include "jobs.h"
#include "oracle.h"
#include "t.h"

enum { SLOTS = 320, IDS = 3 * SLOTS, DIM = 12, KEY_MAX = 24, NOBODY = -1 };
enum { OWNED, BORROWED, FETCHED, SOURCES };

typedef struct scene {
    fx f;
    oracle o;
    rng r;
    uint8_t *pool;   /* IDS rows */
    uint8_t *source; /* external vectors: a row a slot */
    int64_t id_of[SLOTS];
    uint32_t slots;
    int vectors;
} scene;

static nigh_status fetch(void *user, const uint32_t *slots, const uint64_t *keys, uint32_t count,
                         void *scratch, const void **vectors) {
    scene *s = user;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *to = (uint8_t *)scratch + i * s->f.row_bytes;
        t_assert(slots[i] < SLOTS);
        /* nobody asks for the vector of a slot that holds nothing, but to put one there */
        t_assert(slots[i] >= s->slots || s->id_of[slots[i]] != NOBODY);
        t_assert(keys == NULL || slots[i] >= s->slots || keys[i] == (uint64_t)s->id_of[slots[i]]);
        memcpy(to, s->source + slots[i] * s->f.row_bytes, (size_t)s->f.row_bytes);
        vectors[i] = to;
    }
    return NIGH_OK;
}

static void connect(scene *s) {
    const uint32_t trailer = s->f.config.dtype == NIGH_DTYPE_I8 ? (uint32_t)s->f.row_bytes - 8 : 0;
    if (s->vectors == BORROWED) {
        t_ok(nigh_index_borrow(s->f.index, s->source, s->f.row_bytes, SLOTS, trailer));
    } else if (s->vectors == FETCHED) {
        t_ok(nigh_index_fetch(s->f.index, fetch, NULL, s));
    }
}

static void scene_open(scene *s, nigh_config config, int vectors, int kind, uint64_t seed) {
    memset(s, 0, sizeof *s);
    s->r.state = seed;
    s->vectors = vectors;
    config.vectors = vectors == OWNED ? NIGH_VECTORS_OWNED : NIGH_VECTORS_EXTERNAL;
    config.key_bytes_max = KEY_MAX;
    fx_init(&s->f, &config, SLOTS, SLOTS, (uint64_t)2 * IDS * KEY_MAX, SLOTS + 20);
    oracle_init(&s->o, &s->f.config, IDS);
    s->pool = data_rows(&s->r, kind, config.dtype, IDS, config.dim);
    s->source = fx_malloc(s->f.row_bytes * SLOTS);
    memcpy(s->source, s->pool, (size_t)s->f.row_bytes * SLOTS); /* never zero vectors */
    connect(s);
}

static void scene_close(scene *s) {
    fx_drop(&s->f);
    oracle_drop(&s->o);
    free(s->pool);
    free(s->source);
}

static nigh_config config_at(uint32_t i) {
    nigh_config config = fx_config_at(i, DIM);
    config.m = i % 2 == 0 ? 2 : 2 + i % 7;
    config.m0 = i % 2 == 0 ? 4 : 0;
    config.block_bytes = i % 3 == 0 ? 512 : 0;
    config.build_flags = i % 5 == 4 ? NIGH_BUILD_KEEP_PRUNED : 0;
    config.alpha = i % 4 == 1 ? 1.2f : 0;
    config.codes = config.dtype == NIGH_DTYPE_B1 || i % 3 == 0 ? 0 : NIGH_CODES_U7;
    fx_config_span(&config);
    return config;
}

static const uint8_t *row_of(const scene *s, uint64_t id) { return s->pool + id * s->f.row_bytes; }

static int64_t lowest(const scene *s, int64_t from) {
    for (uint32_t slot = 0; slot < s->slots; slot++) {
        if (s->id_of[slot] == from) {
            return slot;
        }
    }
    return s->slots;
}

/* Where the next new key goes. */
static uint32_t place_of(const scene *s, uint64_t id) {
    const int identity = s->f.config.keys == NIGH_KEYS_IDENTITY;
    if (identity) {
        return (uint32_t)id;
    }
    return s->vectors == BORROWED ? s->slots : (uint32_t)lowest(s, NOBODY);
}

static void settled(scene *s, uint64_t id, uint32_t want) {
    uint32_t slot = SLOTS;
    s->slots += want == s->slots;
    s->id_of[want] = (int64_t)id;
    oracle_put(&s->o, id, row_of(s, id));
    t_ok(fx_get(&s->f, s->f.session, id, NULL, &slot));
    t_eq(slot, want);
}

/* A key that is not there: by insert or set, into the lowest free slot. */
static void put(scene *s, uint64_t id) {
    const uint32_t slot = place_of(s, id);
    t_assert(slot < SLOTS && (slot <= s->slots));
    memcpy(s->source + slot * s->f.row_bytes, row_of(s, id), (size_t)s->f.row_bytes);
    const int64_t before = s->id_of[slot];
    s->id_of[slot] = (int64_t)id; /* for the callback */
    const uint8_t *row = s->vectors == OWNED ? row_of(s, id) : NULL;
    nigh_status status = rng_below(&s->r, 4) == 0 ? fx_set(&s->f, s->f.session, 0, id, row)
                                                  : fx_insert(&s->f, s->f.session, 0, id, row);
    s->id_of[slot] = before;
    t_ok(status);
    settled(s, id, slot);
}

static void take(scene *s, uint64_t id) {
    t_ok(fx_remove(&s->f, s->f.session, id));
    oracle_mark(&s->o, id, ORACLE_DELETED);
}

static uint64_t unknown_id(scene *s) {
    uint64_t id = rng_below(&s->r, IDS);
    while (s->o.state[id] != ORACLE_UNKNOWN) {
        id = (id + 1) % IDS;
    }
    return id;
}

/* One more key, wherever there is room; false: there is none. */
static int put_any(scene *s) {
    if (s->f.config.keys == NIGH_KEYS_IDENTITY) {
        int64_t slot = lowest(s, NOBODY);
        if (slot < s->slots && rng_below(&s->r, 2)) { /* any free one, by its number */
            for (slot = rng_below(&s->r, s->slots); s->id_of[slot] != NOBODY;) {
                slot = (slot + 1) % s->slots;
            }
        }
        if (slot < SLOTS) {
            put(s, (uint64_t)slot);
        }
        return slot < SLOTS;
    }
    const int room = s->slots < SLOTS || (lowest(s, NOBODY) < s->slots && s->vectors != BORROWED);
    if (room) {
        put(s, unknown_id(s));
    }
    return room;
}

/* Removed keys are gone. */
static void forget(scene *s) {
    for (uint32_t slot = 0; slot < s->slots; slot++) {
        if (s->id_of[slot] != NOBODY && s->o.state[s->id_of[slot]] == ORACLE_DELETED) {
            oracle_mark(&s->o, (uint64_t)s->id_of[slot], ORACLE_UNKNOWN);
            s->id_of[slot] = NOBODY;
        }
    }
}

static void vacuum(scene *s, uint32_t sessions) {
    t_ok(fx_work(&s->f, NIGH_JOB_VACUUM, sessions, rng_next(&s->r)));
    forget(s);
}

static uint32_t free_count(const scene *s) {
    uint32_t count = 0;
    for (uint32_t slot = 0; slot < s->slots; slot++) {
        count += s->id_of[slot] == NOBODY;
    }
    return count;
}

/* The graph is sound, counts are right, and each key is found by its own vector. */
static void sound(scene *s) {
    nigh_stats stats = fx_stats(s->f.index);
    t_eq(stats.slot_count, s->slots);
    t_eq(stats.live_count, s->o.live);
    t_eq(stats.deleted_count, s->o.deleted);
    t_eq(stats.free_count, free_count(s));
    t_assert((stats.entry_slot == 0xffffffffu) == (s->o.live + s->o.deleted == 0));
    fx_check(s->f.index, s->f.session);
}

static void all_found(scene *s) {
    fx_hits h;
    nigh_search_options so = fx_search_options(SLOTS, 0);
    so.rerank = SLOTS;
    sound(s);
    fx_hits_init(&h, &s->f.config, SLOTS);
    oracle_same_set(&s->o, &s->f);
    const uint32_t step = t_small() ? 5 : 1;
    for (uint32_t slot = rng_below(&s->r, step); slot < s->slots; slot += step) {
        uint32_t at = 0;
        if (s->id_of[slot] == NOBODY || s->o.state[s->id_of[slot]] != ORACLE_LIVE) {
            continue;
        }
        so.expansions = 1 + slot % 4;
        t_ok(fx_search(&s->f, s->f.session, row_of(s, (uint64_t)s->id_of[slot]), &so, SLOTS, &h));
        t_eq(fx_cost(s->f.session).scanned, 0); /* by its links, not by a scan */
        while (at < h.found && h.slots[at] != slot) {
            at++;
        }
        t_assert(at < h.found && h.ids[at] == (uint64_t)s->id_of[slot]);
        if (slot % 16 == 0) {
            oracle_expect(&s->o, &h, row_of(s, h.ids[at]), SLOTS, NULL, NULL);
        }
    }
    fx_hits_drop(&h);
}

static void fill(scene *s, uint32_t count) {
    for (uint32_t i = 0; i < count && put_any(s); i++) {
    }
}

/* What the slots held is nowhere in the image. */
static void wiped(scene *s, const uint8_t *gone) {
    fx_bytes image = fx_save(s->f.index, 0);
    for (uint64_t id = 0; id < IDS && s->vectors == OWNED; id++) {
        const int there =
            memmem(image.data, (size_t)image.size, row_of(s, id), (size_t)s->f.row_bytes) != NULL;
        t_assert(!gone[id] || s->o.state[id] != ORACLE_UNKNOWN || !there);
        t_assert(s->o.state[id] == ORACLE_UNKNOWN || there);
    }
    free(image.data);
}

/* ---- Shares --------------------------------------------------------------------------------- */

enum {
    ONE_PERCENT,
    HALF,
    MOST,
    ALL_BUT_ONE,
    ALL,
    PREFIX,
    SUFFIX,
    MIDDLE,
    EVERY_OTHER,
    HEADS,
    WHICH_COUNT
};

static int goes(scene *s, int which, uint32_t slot, uint32_t keep) {
    const nigh_stats stats = fx_stats(s->f.index);
    switch (which) {
    case ONE_PERCENT:
        return rng_below(&s->r, 100) == 0;
    case HALF:
        return (int)rng_below(&s->r, 2);
    case MOST:
        return rng_below(&s->r, 10) != 0;
    case ALL_BUT_ONE:
        return slot != keep;
    case ALL:
        return 1;
    case PREFIX:
        return slot < keep;
    case SUFFIX:
        return slot >= keep;
    case MIDDLE:
        return slot >= keep / 2 && slot < keep;
    case EVERY_OTHER:
        return slot % 2 == keep % 2;
    default: /* the root and the entry point */
        return slot == lowest(s, s->id_of[0]) || slot == stats.entry_slot;
    }
}

static void remove_some(scene *s, int which) {
    const uint32_t keep = rng_below(&s->r, s->slots + 1);
    for (uint32_t slot = 0; slot < s->slots; slot++) {
        const int64_t id = s->id_of[slot];
        if (id != NOBODY && s->o.state[id] == ORACLE_LIVE && goes(s, which, slot, keep)) {
            take(s, (uint64_t)id);
        }
    }
}

static void rounds(uint32_t i, int vectors, uint32_t count) {
    scene s;
    uint8_t gone[IDS] = {0};
    const int kind = (int)(i / 2) % DATA_COUNT;
    scene_open(&s, config_at(i), vectors, kind, t_seed() + i);
    fill(&s, 60 + i * 13 % (count - 60));
    for (int round = 0; round < WHICH_COUNT; round++) {
        remove_some(&s, (int)((uint32_t)round + i) % WHICH_COUNT);
        for (uint64_t id = 0; id < IDS; id++) {
            gone[id] |= s.o.state[id] == ORACLE_DELETED;
        }
        vacuum(&s, 1 + i % 4);
        all_found(&s);
        if (kind == DATA_UNIFORM && s.f.row_bytes >= 12) { /* no two rows alike */
            wiped(&s, gone);
        }
        fill(&s, rng_below(&s.r, count));
        all_found(&s);
    }
    scene_close(&s);
}

TEST(shares) {
    for (uint32_t i = 0; i < 30; i++) {
        for (int vectors = OWNED; vectors < SOURCES; vectors++) {
            rounds(i, vectors, t_small() ? 130 : 200);
        }
    }
}

/* Long histories of everything, on the smallest rows that there may be. */
static void history_step(scene *s) {
    const uint32_t dice = rng_below(&s->r, 100);
    const uint32_t slot = s->slots > 0 ? rng_below(&s->r, s->slots) : 0;
    const int64_t id = s->slots > 0 ? s->id_of[slot] : NOBODY;
    const uint8_t state = id == NOBODY ? ORACLE_UNKNOWN : s->o.state[id];
    if (dice < 55) {
        (void)put_any(s);
    } else if (dice < 85 && state == ORACLE_LIVE) {
        take(s, (uint64_t)id);
    } else if (dice < 89 && state == ORACLE_DELETED) {
        t_ok(fx_unremove(&s->f, s->f.session, (uint64_t)id));
        oracle_mark(&s->o, (uint64_t)id, ORACLE_LIVE);
    } else if (dice < 95 && state != ORACLE_UNKNOWN) {
        const uint8_t *row = s->pool + rng_below(&s->r, IDS) * s->f.row_bytes;
        memcpy(s->pool + (uint64_t)id * s->f.row_bytes, row, (size_t)s->f.row_bytes);
        memcpy(s->source + slot * s->f.row_bytes, row, (size_t)s->f.row_bytes);
        t_ok(fx_set(&s->f, s->f.session, s->vectors == OWNED ? 0 : (uint32_t)NIGH_SET_EXCLUSIVE,
                    (uint64_t)id, s->vectors == OWNED ? row : NULL));
        oracle_put(&s->o, (uint64_t)id, row);
    } else if (dice >= 98) {
        vacuum(s, 1);
        sound(s);
    }
}

TEST(histories) {
    for (uint32_t i = 0; i < (t_small() ? 12u : 30u); i++) {
        scene s;
        nigh_config config = config_at(i);
        config.m = 2;
        config.m0 = 4 + i % 3;
        scene_open(&s, config, (int)i % SOURCES, (int)i % DATA_COUNT, t_seed() * 77 + i);
        for (uint32_t step = 0; step < 1200; step++) {
            history_step(&s);
            if (step % 32 == 0) {
                sound(&s);
            }
        }
        vacuum(&s, 2);
        all_found(&s);
        scene_close(&s);
    }
}

/* ---- Who takes a free slot ------------------------------------------------------------------ */

TEST(replace_deleted) {
    for (uint32_t keys = NIGH_KEYS_U64; keys <= NIGH_KEYS_BYTES; keys++) {
        scene s;
        uint32_t slot = 0;
        nigh_config config = config_at(2);
        config.keys = keys;
        scene_open(&s, config, OWNED, DATA_CLUSTERED, t_seed());
        fill(&s, 100);
        const uint64_t a = (uint64_t)s.id_of[10], b = (uint64_t)s.id_of[40];
        take(&s, a);
        vacuum(&s, 1);
        take(&s, b);
        /* a removed slot goes before a free one where that is asked for */
        const uint64_t id = unknown_id(&s);
        t_ok(fx_insert(&s.f, s.f.session, NIGH_REPLACE_DELETED, id, row_of(&s, id)));
        t_ok(fx_get(&s.f, s.f.session, id, NULL, &slot));
        t_eq(slot, 40);
        oracle_mark(&s.o, b, ORACLE_UNKNOWN);
        settled(&s, id, 40);
        put(&s, unknown_id(&s));
        t_eq(lowest(&s, NOBODY), s.slots);
        all_found(&s);
        scene_close(&s);
    }
}

TEST(identity_keys) {
    for (int vectors = OWNED; vectors < SOURCES; vectors++) {
        scene s;
        uint32_t done = 0, slot = 0;
        nigh_config config = config_at(5);
        config.keys = NIGH_KEYS_IDENTITY;
        scene_open(&s, config, vectors, DATA_CLUSTERED, t_seed());
        fill(&s, 120);
        for (uint64_t id = 0; id < 120; id += 1 + id % 3) {
            take(&s, id);
        }
        vacuum(&s, 2);
        for (uint64_t id = 0; id < 120; id++) {
            if (s.o.state[id] == ORACLE_UNKNOWN) { /* the key is not there; it is not busy */
                t_is(fx_get(&s.f, s.f.session, id, NULL, &slot), NIGH_E_NOT_FOUND);
                t_is(fx_remove(&s.f, s.f.session, id), NIGH_E_NOT_FOUND);
                t_is(fx_unremove(&s.f, s.f.session, id), NIGH_E_NOT_FOUND);
            }
        }
        while (lowest(&s, NOBODY) < s.slots) { /* without keys: the lowest one */
            const uint64_t id = (uint64_t)lowest(&s, NOBODY);
            memcpy(s.source + id * s.f.row_bytes, row_of(&s, id), (size_t)s.f.row_bytes);
            s.id_of[id] = (int64_t)id;
            t_ok(nigh_insert(s.f.index, s.f.session, 0, NULL, NULL,
                             vectors == OWNED ? row_of(&s, id) : NULL, 1, &done));
            settled(&s, id, (uint32_t)id);
        }
        t_is(fx_insert(&s.f, s.f.session, 0, s.slots + 1, row_of(&s, 0)), NIGH_E_KEY);
        all_found(&s);
        scene_close(&s);
    }
}

/* The next bulk build finds what there is, also where there is nothing but free slots. */
TEST(build_after) {
    for (uint32_t i = 0; i < 24; i++) {
        scene s;
        const uint32_t first = 60 + i * 3, count = 90;
        uint32_t done = 0;
        nigh_config config = config_at(i);
        scene_open(&s, config, (int)i % SOURCES, (int)i % DATA_COUNT, t_seed() + i);
        for (uint64_t id = 0; id < first; id++) {
            put(&s, id);
        }
        remove_some(&s, i % 2 == 0 ? ALL : (int)i % WHICH_COUNT);
        vacuum(&s, 1);
        memcpy(s.source + first * s.f.row_bytes, row_of(&s, first),
               (size_t)(count * s.f.row_bytes));
        t_ok(fx_build(&s.f, first, count, s.vectors == OWNED ? row_of(&s, first) : NULL, &done));
        t_eq(done, count);
        for (uint32_t id = first; id < first + count; id++) {
            settled(&s, id, id);
        }
        all_found(&s);
        remove_some(&s, HALF);
        vacuum(&s, 2);
        fill(&s, 30);
        all_found(&s);
        scene_close(&s);
    }
}

/* ---- Images --------------------------------------------------------------------------------- */

/* Saved and attached, it goes on as if nothing had been; the bytes of both stay the same. */
TEST(round_trip) {
    for (uint32_t i = 0; i < 24; i++) {
        scene s;
        fx again;
        scene_open(&s, config_at(i), (int)i % SOURCES, DATA_CLUSTERED, t_seed() + i);
        fill(&s, 150);
        remove_some(&s, (int)i % WHICH_COUNT);
        vacuum(&s, 1);
        fx_bytes image = fx_save(s.f.index, 0);
        t_ok(fx_attach(&again, image.data, image.size, NIGH_OPEN_WRITABLE | NIGH_OPEN_VERIFY, SLOTS,
                       SLOTS + 20));
        fx old = s.f;
        s.f = again;
        connect(&s);
        all_found(&s);
        fx_same_image(old.index, s.f.index);
        /* the same calls on both; the copy may have no room for more slots */
        for (uint32_t round = 0; round < 10 && lowest(&s, NOBODY) < s.slots; round++) {
            const int64_t slot = lowest(&s, NOBODY);
            const int identity = s.f.config.keys == NIGH_KEYS_IDENTITY;
            const uint64_t id = identity ? (uint64_t)slot : unknown_id(&s);
            if ((s.vectors == BORROWED && !identity) || s.f.config.keys == NIGH_KEYS_BYTES) {
                break;
            }
            put(&s, id);
            t_ok(fx_insert(&old, old.session, 0, id, s.vectors == OWNED ? row_of(&s, id) : NULL));
        }
        remove_some(&s, HALF);
        for (uint32_t slot = 0; slot < s.slots; slot++) {
            if (s.id_of[slot] != NOBODY && s.o.state[s.id_of[slot]] == ORACLE_DELETED) {
                t_ok(fx_remove(&old, old.session, (uint64_t)s.id_of[slot]));
            }
        }
        t_ok(fx_work(&old, NIGH_JOB_VACUUM, 3, i));
        vacuum(&s, 1);
        all_found(&s);
        fx_same_image(old.index, s.f.index);
        t_ok(nigh_seal(s.f.index)); /* what lies there is what a save writes */
        fx_bytes saved = fx_save(s.f.index, 0);
        t_bytes(saved.data, s.f.image, saved.size);
        fx_check(s.f.index, s.f.session);
        free(saved.data);
        free(image.data);
        fx_drop(&old);
        scene_close(&s);
    }
}

TEST(one_set_of_bytes) {
    for (uint32_t i = 0; i < 30; i++) {
        fx_bytes want = {NULL, 0, 0};
        for (uint32_t sessions = 1; sessions <= 4; sessions *= 2) {
            scene s;
            scene_open(&s, config_at(i), (int)i % SOURCES, (int)(i / 3) % DATA_COUNT, t_seed() + i);
            s.f.options.slot_max = SLOTS;
            fill(&s, SLOTS);
            remove_some(&s, (int)i % WHICH_COUNT);
            rng other = {rng_next(&s.r)};
            t_ok(fx_work(&s.f, NIGH_JOB_VACUUM, sessions, other.state + sessions));
            forget(&s);
            fill(&s, 20);
            fx_same_as_first(&want, fx_save(s.f.index, 0));
            scene_close(&s);
        }
        free(want.data);
    }
}

/* ---- Ended early ---------------------------------------------------------------------------- */

/* Slots that no longer hold a removed node are free. */
static void forget_gone(scene *s) {
    for (uint32_t slot = 0; slot < s->slots; slot++) {
        uint32_t flags = 0;
        t_ok(nigh_node(s->f.index, slot, 0, NULL, &flags, NULL, NULL));
        if ((flags & NIGH_NODE_FREE) != 0 && s->id_of[slot] != NOBODY) {
            t_eq(s->o.state[s->id_of[slot]], ORACLE_DELETED);
            oracle_mark(&s->o, (uint64_t)s->id_of[slot], ORACLE_UNKNOWN);
            s->id_of[slot] = NOBODY;
        }
        t_eq((flags & NIGH_NODE_FREE) != 0, s->id_of[slot] == NOBODY);
    }
}

TEST(ended_early) {
    const nigh_job_options o = fx_job_options(NIGH_JOB_VACUUM);
    for (uint32_t i = 0; i < (t_small() ? 20u : 30u); i++) {
        int done = 0;
        for (uint32_t calls = 0; !done; calls++) {
            scene s;
            nigh_job *job = NULL;
            nigh_progress progress = {0};
            scene_open(&s, config_at(i), (int)i % SOURCES, (int)(i / 4) % DATA_COUNT,
                       t_seed() * 5 + i);
            fill(&s, SLOTS);
            remove_some(&s, (int)(i / 2) % WHICH_COUNT);
            t_ok(fx_job_begin(&s.f, &o, NULL, NULL, 0, &job));
            for (uint32_t call = 0; call < calls && !done; call++) {
                t_ok(fx_job_step(job, s.f.session, &progress));
                done = progress.state == NIGH_JOB_DONE;
            }
            t_ok(nigh_job_end(job));
            forget_gone(&s);
            t_assert(!done || s.o.deleted == 0);
            all_found(&s);
            fill(&s, 20);
            vacuum(&s, 1); /* what is left of it */
            all_found(&s);
            scene_close(&s);
        }
    }
}

/* ---- Beside it ------------------------------------------------------------------------------ */

static void writers_are_kept_away(scene *s) {
    nigh_index *index = s->f.index;
    nigh_session *session = s->f.session;
    nigh_report report = {0};
    nigh_job *other = NULL;
    fx_bytes bytes = {NULL, 0, 0};
    report.struct_size = sizeof report;
    t_is(fx_insert(&s->f, session, 0, 1, row_of(s, 0)), NIGH_E_BUSY);
    t_is(fx_set(&s->f, session, 0, 0, row_of(s, 0)), NIGH_E_BUSY);
    t_is(fx_remove(&s->f, session, 0), NIGH_E_BUSY);
    t_is(fx_unremove(&s->f, session, 0), NIGH_E_BUSY);
    t_is(nigh_check(index, session, &report), NIGH_E_BUSY);
    t_is(nigh_save(index, 0, fx_write, &bytes), NIGH_E_BUSY);
    const nigh_job_options o = fx_job_options(NIGH_JOB_VACUUM);
    t_is(fx_job_begin(&s->f, &o, NULL, NULL, 0, &other), NIGH_E_BUSY);
    t_assert(other == NULL && bytes.size == 0);
}

TEST(searches_go_on) {
    for (uint32_t i = 0; i < 12; i++) {
        scene s;
        fx_hits h;
        nigh_job *job = NULL;
        nigh_progress progress = {0};
        const nigh_job_options o = fx_job_options(NIGH_JOB_VACUUM);
        scene_open(&s, config_at(i), (int)i % SOURCES, DATA_CLUSTERED, t_seed() + i);
        fill(&s, SLOTS);
        remove_some(&s, (int)(i / 2) % WHICH_COUNT);
        fx_hits_init(&h, &s.f.config, SLOTS);
        nigh_session_options so = fx_session_options(SLOTS, 0, NIGH_SESSION_READ);
        nigh_session *reader = fx_session(&s.f, &so);
        t_ok(fx_job_begin(&s.f, &o, NULL, NULL, 0, &job));
        while (progress.state != NIGH_JOB_DONE) {
            nigh_search_options wide = fx_search_options(SLOTS, 0), narrow = wide;
            const uint8_t *query = row_of(&s, rng_below(&s.r, IDS));
            wide.rerank = SLOTS;
            narrow.ef = 12;
            writers_are_kept_away(&s);
            t_ok(fx_search(&s.f, reader, query, &wide, SLOTS, &h));
            oracle_expect(&s.o, &h, query, SLOTS, NULL, NULL);
            t_ok(fx_search(&s.f, reader, query, &narrow, 10, &h));
            t_eq(h.found, oracle_count(&s.o, 10, NULL, NULL));
            t_ok(nigh_cursor_begin(s.f.index, reader, query, &narrow));
            t_ok(fx_next(&s.f, reader, 7, &h));
            t_ok(fx_job_step(job, s.f.session, &progress));
            t_is(fx_next(&s.f, reader, 7, &h), NIGH_OK);
            for (uint32_t at = 0; at < h.found; at++) {
                t_eq(s.o.state[h.ids[at]], ORACLE_LIVE);
            }
        }
        t_ok(nigh_job_end(job));
        forget(&s);
        all_found(&s);
        fx_hits_drop(&h);
        scene_close(&s);
    }
}

/* ---- Codes ---------------------------------------------------------------------------------- */

/* Codes made after a vacuum: no vector of a free slot is asked for, its code is zero. */
TEST(codes_after) {
    for (uint32_t i = 0; i < 12; i++) {
        scene s;
        nigh_config config = config_at(1);
        config.codes = 0;
        config.code_min = config.code_max = 0;
        config.keys = i % 2;
        scene_open(&s, config, i % 2 == 0 ? FETCHED : OWNED, DATA_CLUSTERED, t_seed() + i);
        fill(&s, 200);
        remove_some(&s, (int)i % WHICH_COUNT);
        vacuum(&s, 1);
        nigh_status status = fx_codes(&s.f, 1 + i % 2, -1, 1);
        t_ok(status);
        nigh_session_options so = fx_session_options(SLOTS + 20, 0, 0);
        s.f.session = fx_session(&s.f, &so);
        all_found(&s);
        fill(&s, 50);
        remove_some(&s, HALF);
        vacuum(&s, 2);
        all_found(&s);
        scene_close(&s);
    }
}

/* ---- Arguments ------------------------------------------------------------------------------ */

TEST(arguments) {
    scene s;
    nigh_job *job = NULL;
    uint64_t bytes = 0;
    nigh_progress progress = {0};
    const nigh_job_options o = fx_job_options(NIGH_JOB_VACUUM);
    scene_open(&s, config_at(1), OWNED, DATA_CLUSTERED, t_seed());
    fill(&s, 100);
    remove_some(&s, HALF);
    t_is(nigh_job_bytes(s.f.index, &o, 1, &bytes), NIGH_E_INVALID);
    t_ok(nigh_job_bytes(s.f.index, &o, 0, &bytes));
    uint8_t *memory = fx_take(&s.f, bytes);
    t_is(nigh_job_begin(s.f.index, &o, NULL, NULL, NULL, 0, memory, bytes - 1, &job),
         NIGH_E_MEMORY);
    t_ok(nigh_job_begin(s.f.index, &o, NULL, NULL, NULL, 0, memory, bytes, &job));
    nigh_session_options read = fx_session_options(64, 0, NIGH_SESSION_READ);
    nigh_session_options small = fx_session_options(64, 4 * SLOTS, NIGH_SESSION_SMALL);
    progress.struct_size = sizeof progress;
    t_is(nigh_job_run(job, fx_session(&s.f, &read), &progress), NIGH_E_SESSION);
    t_is(nigh_job_run(job, fx_session(&s.f, &small), &progress), NIGH_E_SESSION);
    while (progress.state != NIGH_JOB_DONE) {
        t_ok(fx_job_step(job, s.f.session, &progress));
    }
    t_ok(nigh_job_end(job));
    forget(&s);
    all_found(&s);
    /* nothing to do: no byte changes */
    fx_bytes before = fx_save(s.f.index, 0);
    vacuum(&s, 1);
    fx_bytes after = fx_save(s.f.index, 0);
    t_eq(before.size, after.size);
    t_bytes(before.data, after.data, before.size);
    fx g;
    t_ok(fx_attach(&g, before.data, before.size, 0, 0, 64));
    t_is(fx_job_begin(&g, &o, NULL, NULL, 0, &job), NIGH_E_READ_ONLY);
    fx_drop(&g);
    free(before.data);
    free(after.data);
    scene_close(&s);
}

/* A session made before the index had codes has no room for them. */
TEST(session_without_room) {
    for (uint32_t kind = NIGH_JOB_REFINE; kind <= NIGH_JOB_VACUUM; kind++) {
        scene s;
        nigh_job *job = NULL;
        nigh_progress progress = {.struct_size = sizeof progress};
        const nigh_job_options o = fx_job_options(kind);
        nigh_config config = config_at(1);
        config.codes = 0;
        config.code_min = config.code_max = 0;
        scene_open(&s, config, OWNED, DATA_CLUSTERED, t_seed());
        fill(&s, 200);
        remove_some(&s, HALF);
        nigh_session_options so = fx_session_options(600, 0, 0);
        nigh_session *old = fx_session(&s.f, &so);
        t_ok(fx_codes(&s.f, NIGH_CODES_U7, -1, 1));
        nigh_session *fresh = fx_session(&s.f, &so);
        t_ok(fx_job_begin(&s.f, &o, NULL, NULL, 0, &job));
        while (progress.state != NIGH_JOB_DONE) {
            t_is(nigh_job_run(job, old, &progress), NIGH_E_SESSION);
            t_ok(fx_job_step(job, fresh, &progress));
        }
        t_ok(nigh_job_end(job));
        s.f.session = fresh;
        if (kind == NIGH_JOB_VACUUM) {
            forget(&s);
        }
        all_found(&s);
        scene_close(&s);
    }
}

/* ---- Quality -------------------------------------------------------------------------------- */

static double recall(fx *f, const oracle *o, const uint8_t *queries, uint32_t count, uint32_t ef) {
    fx_hits h;
    uint32_t hits = 0;
    fx_hits_init(&h, &f->config, 10);
    for (uint32_t q = 0; q < count; q++) {
        nigh_search_options so = fx_search_options(ef, 0);
        t_ok(fx_search(f, f->session, queries + q * f->row_bytes, &so, 10, &h));
        hits += oracle_recall(o, &h, queries + q * f->row_bytes, 10, NULL, NULL);
    }
    fx_hits_drop(&h);
    return hits / (10.0 * count);
}

/* Half leaves and others come: within two points of an index that never knew those. */
TEST(recall_on_words) {
    uint32_t count = 0, dim = 0;
    uint16_t *words = data_words(&count, &dim);
    const uint8_t *rows = (const uint8_t *)words;
    const uint32_t n = t_small() ? 800 : 3000, asked = t_small() ? 100 : 300, more = n / 2;
    fx f, fresh;
    oracle o;
    nigh_config config = fx_config(dim, NIGH_METRIC_COSINE, NIGH_DTYPE_F16);
    config.m = 8;
    config.ef_build = 100;
    t_assert(n + more + asked <= count);
    fx_init(&f, &config, n, n, 0, 128);
    fx_init(&fresh, &config, n, n, 0, 128);
    oracle_init(&o, &config, n + more);
    fx_insert_many(&f, 0, n, rows);
    for (uint32_t id = 0; id < n; id++) {
        if (id % 2 == 0) {
            t_ok(fx_remove(&f, f.session, id));
        } else {
            oracle_put(&o, id, rows + id * f.row_bytes);
            t_ok(fx_insert(&fresh, fresh.session, 0, id, rows + id * f.row_bytes));
        }
    }
    t_ok(fx_work(&f, NIGH_JOB_VACUUM, 2, 1));
    const uint8_t *queries = rows + (n + more) * f.row_bytes;
    const double left = recall(&f, &o, queries, asked, 40);
    const double left_fresh = recall(&fresh, &o, queries, asked, 40);
    for (uint32_t id = n; id < n + more; id++) {
        oracle_put(&o, id, rows + id * f.row_bytes);
        t_ok(fx_insert(&f, f.session, 0, id, rows + id * f.row_bytes));
        t_ok(fx_insert(&fresh, fresh.session, 0, id, rows + id * f.row_bytes));
    }
    t_eq(fx_stats(f.index).slot_count, n);
    fx_check(f.index, f.session);
    const double again = recall(&f, &o, queries, asked, 40);
    const double again_fresh = recall(&fresh, &o, queries, asked, 40);
    printf("recall@10 at ef 40: half left %.4f (fresh %.4f), filled again %.4f (fresh %.4f)\n",
           left, left_fresh, again, again_fresh);
    t_assert(left > left_fresh - 0.02 && again > again_fresh - 0.02);
    oracle_drop(&o);
    free(words);
    fx_drop(&f);
    fx_drop(&fresh);
}

/* A bulk build where all nodes have left is as good as one from the beginning. */
TEST(recall_of_build_after) {
    uint32_t count = 0, dim = 0;
    uint16_t *words = data_words(&count, &dim);
    const uint8_t *rows = (const uint8_t *)words;
    const uint32_t n = t_small() ? 1000 : 2400, asked = 400;
    double got[2];
    nigh_config config = fx_config(dim, NIGH_METRIC_COSINE, NIGH_DTYPE_F16);
    config.m = 8;
    t_assert(n + asked <= count);
    for (uint32_t round = 0; round < 2; round++) {
        fx f;
        oracle o;
        fx_init(&f, &config, 2 * n, 2 * n, 0, 128);
        oracle_init(&o, &config, 2 * n);
        const uint32_t first = round == 0 ? 0 : n;
        for (uint32_t id = 0; id < first; id++) {
            t_ok(fx_insert(&f, f.session, 0, id, rows + id * f.row_bytes));
            t_ok(fx_remove(&f, f.session, id));
        }
        t_ok(fx_work(&f, NIGH_JOB_VACUUM, 1, 1));
        t_ok(fx_build(&f, first, n, rows, NULL));
        for (uint32_t i = 0; i < n; i++) {
            oracle_put(&o, first + i, rows + i * f.row_bytes);
        }
        got[round] = recall(&f, &o, rows + n * f.row_bytes, asked, 20);
        oracle_drop(&o);
        fx_drop(&f);
    }
    printf("recall@10 at ef 20: first build %.4f, after all left %.4f\n", got[0], got[1]);
    t_assert(got[0] > 0.8 && got[1] > got[0] - 0.01);
    free(words);
}

SUITE {
    RUN(shares);
    RUN(histories);
    RUN(replace_deleted);
    RUN(identity_keys);
    RUN(build_after);
    RUN(round_trip);
    RUN(one_set_of_bytes);
    RUN(ended_early);
    RUN(searches_go_on);
    RUN(codes_after);
    RUN(arguments);
    RUN(session_without_room);
    RUN(recall_on_words);
    RUN(recall_of_build_after);
}
