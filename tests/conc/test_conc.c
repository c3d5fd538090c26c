/* test_conc.c - several writers, several readers, growth, all at once; for the thread sanitizer
 * layer T; uses: data, fixture
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A vector is a function of its id and version, in small integers, so that every distance is exact:
 * a reader can say of each hit whether the key was live, and with which vector, at some moment of
 * its search. An id belongs to one writer; only a removed one may be forgotten by another. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#include "data.h"
#include "fixture.h"
#include "t.h"

enum { DIM = 12, IDS = 240, ANCHORS = 40, SLOT_MAX = 400, WRITERS = 3, READERS = 3, K = 10 };
enum { PATIENCE = 100000 }; /* times that a call may answer NIGH_E_BUSY */

typedef struct fate {
    atomic_uint epoch; /* odd: an operation is under way */
    atomic_uint live;
    atomic_uint committed; /* version of the vector before the operation under way */
    atomic_uint started;   /* highest version that was ever handed in */
} fate;

static struct {
    fx f;
    fate fates[IDS];
    nigh_session *sessions[WRITERS + READERS];
    atomic_uint stop;
    atomic_uint full; /* inserts that found no room */
    uint32_t ops;
    uint32_t ids; /* in use, the anchors among them */
} g;

static uint32_t ops_a_writer(void) {
#ifdef __SANITIZE_THREAD__
    return 3000;
#else
    return t_small() ? 300 : 10000;
#endif
}

static void row_of(uint64_t id, uint32_t version, float *row) {
    rng r = {id * 1000 + version};
    for (uint32_t i = 0; i < DIM; i++) {
        row[i] = (float)rng_below(&r, 64) - 32;
    }
    row[0] = (float)version; /* below 1000, as ids are: every square sum is exact */
    row[1] = (float)id;
}

static float distance_of(const float *a, const float *b) {
    float sum = 0;
    for (uint32_t i = 0; i < DIM; i++) {
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    }
    return sum;
}

/* ---- Writers -------------------------------------------------------------------------------- */

static void begin(fate *t) { t->epoch++; }

static void end(fate *t, unsigned live, unsigned version) {
    t->committed = version;
    t->live = live;
    t->epoch++;
}

/* A new vector for an id, known or not. */
static void write_vector(nigh_session *session, uint64_t id, rng *r) {
    fate *t = &g.fates[id];
    unsigned live = t->live, version = t->committed;
    float row[DIM];
    if (version >= 900) {
        return;
    }
    row_of(id, version + 1, row);
    begin(t);
    t->started = version + 1;
    nigh_status s;
    if (rng_below(r, 3) == 0) {
        s = fx_set(&g.f, session, 0, id, row);
        t_assert(s == NIGH_OK || (s == NIGH_E_FULL && !live));
    } else {
        uint32_t flags = rng_below(r, 2) ? NIGH_REPLACE_DELETED : 0;
        s = fx_insert(&g.f, session, flags, id, row);
        t_assert(live ? s == NIGH_E_EXISTS
                      : s == NIGH_OK || s == NIGH_E_DELETED || s == NIGH_E_FULL);
    }
    g.full += s == NIGH_E_FULL;
    end(t, live || s == NIGH_OK, s == NIGH_OK ? version + 1 : version);
    if (s == NIGH_E_FULL) {
        sched_yield();
    }
}

static void write_mark(nigh_session *session, uint64_t id) {
    fate *t = &g.fates[id];
    unsigned live = t->live;
    begin(t);
    nigh_status s = NIGH_E_BUSY; /* when the keys around it kept changing: asked again */
    for (int i = 0; s == NIGH_E_BUSY && i < PATIENCE; i++) {
        s = live ? fx_remove(&g.f, session, id) : fx_unremove(&g.f, session, id);
    }
    t_assert(s == NIGH_OK || (!live && s == NIGH_E_NOT_FOUND)); /* forgotten, or never there */
    end(t, live ? 0 : s == NIGH_OK, t->committed);
}

static void *writer(void *argument) {
    uint32_t me = *(const uint32_t *)argument;
    rng r = {t_seed() * 100 + me};
    for (uint32_t op = 0; op < g.ops; op++) {
        uint64_t id = ANCHORS + rng_below(&r, (g.ids - ANCHORS) / WRITERS) * WRITERS + me;
        if (rng_below(&r, 100) < 60) {
            write_vector(g.sessions[me], id, &r);
        } else {
            write_mark(g.sessions[me], id);
        }
    }
    return NULL;
}

/* ---- Readers -------------------------------------------------------------------------------- */

typedef struct moment {
    unsigned epoch, live, committed;
} moment;

static void look(moment *m) {
    for (uint32_t id = 0; id < IDS; id++) {
        m[id].epoch = g.fates[id].epoch; /* first: `live` changes only while it is odd */
        m[id].live = g.fates[id].live;
        m[id].committed = g.fates[id].committed;
    }
}

/* Was this id live with a vector at this distance at some moment since `before`? */
static void valid(const moment *before, uint64_t id, const float *query, float distance) {
    float row[DIM];
    t_assert(id < IDS);
    unsigned last = g.fates[id].started, epoch = g.fates[id].epoch;
    if (epoch == before[id].epoch && epoch % 2 == 0 && !before[id].live) {
        t_failf("id %" PRIu64 " was removed all the time", id);
    }
    for (unsigned version = before[id].committed; version <= last; version++) {
        row_of(id, version, row);
        if (distance_of(query, row) == distance) {
            return;
        }
    }
    t_failf("id %" PRIu64 ": no vector of it was ever at %g", id, (double)distance);
}

static void valid_hits(const fx_hits *h, const moment *before, const float *query, int even) {
    for (uint32_t i = 0; i < h->found; i++) {
        valid(before, h->ids[i], query, h->distances[i]);
        t_assert(!even || h->ids[i] % 2 == 0);
        t_assert(h->slots[i] < SLOT_MAX);
        for (uint32_t j = 0; j < i; j++) {
            t_assert(h->ids[j] != h->ids[i] || h->slots[j] != h->slots[i]);
        }
    }
}

static int32_t even_key(void *user, uint32_t slot, const uint64_t *key) {
    (void)user;
    (void)slot;
    return key == NULL || *key % 2 == 0;
}

static void read_pages(nigh_session *session, const float *query, fx_hits *h, moment *before) {
    nigh_search_options so = fx_search_options(16, 0);
    look(before);
    t_ok(nigh_cursor_begin(g.f.index, session, query, &so));
    for (int page = 0; page < 5; page++) {
        t_ok(fx_next(&g.f, session, K, h));
        valid_hits(h, before, query, 0);
        if (h->found < K) {
            break;
        }
    }
}

/* A row read while it is written is the old one or the new one. */
static void read_row(nigh_session *session, uint64_t id) {
    float row[DIM], want[DIM];
    nigh_status s = NIGH_E_BUSY; /* somebody writes it, or a key of the same stripe */
    for (int i = 0; s == NIGH_E_BUSY && i < PATIENCE; i++) {
        s = fx_get(&g.f, session, id, row, NULL);
    }
    if (s == NIGH_OK) {
        t_assert(row[0] >= 0 && row[0] <= (float)g.fates[id].started && row[1] == (float)id);
        row_of(id, (uint32_t)row[0], want);
        t_bytes(row, want, sizeof want);
    } else {
        t_assert(s == NIGH_E_NOT_FOUND || s == NIGH_E_DELETED);
        t_assert(id >= ANCHORS);
    }
}

static void read_keys(fx_hits *h) {
    uint32_t found = 0, from = 0;
    do {
        t_ok(nigh_keys(g.f.index, from, K, h->keys,
                       g.f.config.keys == NIGH_KEYS_BYTES ? h->lengths : NULL, h->slots, &found));
        t_assert(found <= K);
        from = found > 0 ? h->slots[found - 1] + 1 : 0;
    } while (found > 0);
}

static void *reader(void *argument) {
    uint32_t me = *(const uint32_t *)argument;
    nigh_session *session = g.sessions[me];
    rng r = {t_seed() * 100 + me};
    fx_hits h;
    moment before[IDS];
    float query[DIM];
    int bytes = g.f.config.keys == NIGH_KEYS_BYTES;
    fx_hits_init(&h, &g.f.config, K);
    for (uint32_t round = 0; !g.stop || round < 20; round++) {
        int even = round % 4 == 1 && !bytes;
        uint64_t id = rng_below(&r, g.ids);
        row_of(id, g.fates[id].committed, query);
        nigh_search_options so = fx_search_options(round % 3 == 0 ? SLOT_MAX : 32, 0);
        so.expansions = 1 + round % 2;
        t_ok(nigh_session_filter(session, NULL, 0, even ? even_key : NULL, NULL));
        look(before);
        t_ok(fx_search(&g.f, session, query, &so, K, &h));
        valid_hits(&h, before, query, even);
        if (id < ANCHORS && !even && so.ef == SLOT_MAX) { /* it never changes: it is always found */
            t_assert(h.found > 0 && h.distances[0] == 0.0f && h.ids[0] == id);
        }
        if (round % 5 == 2) {
            t_ok(nigh_session_filter(session, NULL, 0, NULL, NULL));
            read_pages(session, query, &h, before);
        }
        read_row(session, rng_below(&r, g.ids));
        if (round % 16 == 7) {
            read_keys(&h);
        }
    }
    fx_hits_drop(&h);
    return NULL;
}

/* Keys that never change are in every exact result, whatever goes on around them. */
static void *count_bystanders(void *argument) {
    nigh_session *session = g.sessions[*(const uint32_t *)argument];
    nigh_search_options so = fx_search_options(SLOT_MAX, NIGH_SEARCH_EXACT);
    float query[DIM] = {0};
    fx_hits h;
    fx_hits_init(&h, &g.f.config, SLOT_MAX);
    for (uint32_t round = 0; !g.stop || round < 20; round++) {
        uint32_t seen = 0;
        t_ok(fx_search(&g.f, session, query, &so, SLOT_MAX, &h));
        for (uint32_t i = 0; i < h.found; i++) {
            seen += h.ids[i] < ANCHORS;
        }
        t_eq(seen, ANCHORS);
    }
    fx_hits_drop(&h);
    return NULL;
}

/* Even keys pass the filter; few slots change from odd to even keys and back all the time. */
static void *read_even(void *argument) {
    nigh_session *session = g.sessions[*(const uint32_t *)argument];
    nigh_search_options so = fx_search_options(32, 0);
    float query[DIM] = {0};
    fx_hits h;
    fx_hits_init(&h, &g.f.config, K);
    t_ok(nigh_session_filter(session, NULL, 0, even_key, NULL));
    for (uint32_t round = 0; !g.stop || round < 20; round++) {
        uint64_t id = ANCHORS + round % (g.ids - ANCHORS);
        row_of(id, g.fates[id].committed, query);
        so.flags = round % 2 == 0 ? 0 : NIGH_SEARCH_EXACT;
        t_ok(fx_search(&g.f, session, query, &so, K, &h));
        for (uint32_t i = 0; i < h.found; i++) {
            t_eq(h.ids[i] % 2, 0);
        }
    }
    fx_hits_drop(&h);
    return NULL;
}

/* ---- All together --------------------------------------------------------------------------- */

static void everything_is_found(void) {
    fx_hits h;
    float row[DIM], got[DIM];
    uint32_t live = 0;
    nigh_stats stats = {0};
    stats.struct_size = sizeof stats;
    fx_hits_init(&h, &g.f.config, K);
    fx_check(g.f.index, g.f.session);
    for (uint64_t id = 0; id < IDS; id++) {
        nigh_search_options so = fx_search_options(SLOT_MAX, 0);
        if (!g.fates[id].live) {
            nigh_status s = fx_get(&g.f, g.f.session, id, got, NULL);
            t_assert(s == NIGH_E_NOT_FOUND || s == NIGH_E_DELETED);
            continue;
        }
        live++;
        row_of(id, g.fates[id].committed, row);
        t_ok(fx_get(&g.f, g.f.session, id, got, NULL));
        t_bytes(got, row, sizeof row);
        t_ok(fx_search(&g.f, g.f.session, row, &so, K, &h));
        t_assert(h.found > 0 && h.ids[0] == id && h.distances[0] == 0.0f);
    }
    t_ok(nigh_stats_get(g.f.index, &stats));
    t_eq(stats.live_count, live);
    fx_hits_drop(&h);
}

static void together(uint32_t keys, uint32_t block_bytes, uint32_t m, uint32_t ids,
                     void *(*read)(void *)) {
    pthread_t threads[WRITERS + READERS];
    uint32_t numbers[WRITERS + READERS], room = ANCHORS;
    nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    config.keys = keys;
    config.key_bytes_max = 16;
    config.block_bytes = block_bytes;
    config.m = m;
    memset(&g, 0, sizeof g);
    /* strings of forgotten keys are never given back: room for all that are ever stored */
    uint64_t key_bytes = keys == NIGH_KEYS_BYTES ? 1 << 20 : 0;
    fx_init(&g.f, &config, keys == NIGH_KEYS_BYTES ? 1 << 17 : SLOT_MAX, room, key_bytes, SLOT_MAX);
    g.ops = ops_a_writer();
    g.ids = ids;
    for (uint64_t id = 0; id < ANCHORS; id++) {
        float row[DIM];
        row_of(id, 0, row);
        t_ok(fx_insert(&g.f, g.f.session, 0, id, row));
        g.fates[id].live = 1;
    }
    nigh_session_options so = fx_session_options(SLOT_MAX, 0, 0);
    for (uint32_t i = 0; i < WRITERS + READERS; i++) {
        so.flags = i < WRITERS ? 0 : NIGH_SESSION_READ | (i % 2 ? 0 : NIGH_SESSION_SMALL);
        so.frontier_max = SLOT_MAX + 1;
        g.sessions[i] = fx_session(&g.f, &so);
    }
    for (uint32_t i = 0; i < WRITERS + READERS; i++) {
        numbers[i] = i;
        t_eq(pthread_create(&threads[i], NULL, i < WRITERS ? writer : read, &numbers[i]), 0);
    }
    while (room < SLOT_MAX) { /* grow while they work, whenever they ran out of room */
        const struct timespec a_moment = {0, 1000000};
        unsigned seen = g.full;
        room = room + 25 < SLOT_MAX ? room + 25 : SLOT_MAX;
        fx_grow(&g.f, room, key_bytes);
        for (int i = 0; i < 50 && g.full == seen; i++) {
            nanosleep(&a_moment, NULL);
        }
    }
    for (uint32_t i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
    }
    g.stop = 1;
    for (uint32_t i = WRITERS; i < WRITERS + READERS; i++) {
        pthread_join(threads[i], NULL);
    }
    everything_is_found();
    fx_drop(&g.f);
}

TEST(u64_keys) { together(NIGH_KEYS_U64, 0, 8, IDS, reader); }

TEST(byte_keys) { together(NIGH_KEYS_BYTES, 4096, 8, IDS, reader); }

TEST(scattered_blocks) { together(NIGH_KEYS_U64, 512, 4, IDS, reader); }

TEST(few_links) { together(NIGH_KEYS_U64, 4096, 2, IDS, reader); }

TEST(nothing_is_lost) { together(NIGH_KEYS_U64, 0, 8, IDS, count_bystanders); }

TEST(filters_hold) { together(NIGH_KEYS_U64, 0, 8, ANCHORS + 4 * WRITERS, read_even); }

SUITE {
    RUN(nothing_is_lost);
    RUN(filters_hold);
    RUN(u64_keys);
    RUN(byte_keys);
    RUN(scattered_blocks);
    RUN(few_links);
}
