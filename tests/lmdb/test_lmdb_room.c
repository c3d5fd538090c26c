/* test_lmdb_room.c - no room in the map at any point of a change, no memory; prepared within a load
 * layer T; uses: env.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "env.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/resource.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SHADOWED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SHADOWED
#endif
#endif

enum { DIM = 12, COUNT = 600, HALF = COUNT / 2, EF = 30, PAGE = 4096 };

static uint8_t *vectors;
static uint64_t row_bytes;

static nigh_config config_of(uint32_t block_bytes) {
    nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    config.keys = NIGH_KEYS_U64;
    config.block_bytes = block_bytes;
    config.m = 6;
    return config;
}

static void insert(fx *f, uint32_t first, uint32_t end) {
    for (uint32_t i = first; i < end; i++) {
        t_ok(fx_insert(f, f->session, 0, i, vectors + i * row_bytes));
    }
}

/* ---- The map -------------------------------------------------------------------------------- */

static uint32_t committed_sum(uint32_t id) {
    fx f;
    MDB_txn *txn = begin(MDB_RDONLY);
    (void)lx_check(txn);
    lx_open(&f, txn, id, 0, 0, 0, EF);
    const uint32_t sum = image_sum(f.index);
    lx_close(&f);
    mdb_txn_abort(txn);
    return sum;
}

/* The second half, a removal in between, and rows of the application's. */
static nigh_status change(MDB_txn *txn, bool twice) {
    fx f;
    lx_open(&f, txn, 3, NIGH_LMDB_WRITE, COUNT, 0, EF);
    insert(&f, HALF, HALF + 100);
    nigh_status status = twice ? nigh_lmdb_prepare(f.index, SAY) : NIGH_OK;
    if (status == NIGH_OK) {
        t_ok(fx_remove(&f, f.session, 5));
        insert(&f, HALF + 100, COUNT);
        status = nigh_lmdb_prepare(f.index, SAY);
    }
    lx_close(&f);
    return status;
}

static uint32_t wanted_sum(const nigh_config *config) {
    fx f;
    fx_init(&f, config, COUNT, COUNT, 0, EF);
    insert(&f, 0, HALF + 100);
    t_ok(fx_remove(&f, f.session, 5));
    insert(&f, HALF + 100, COUNT);
    const uint32_t sum = image_sum(f.index);
    fx_drop(&f);
    return sum;
}

/* From a map that has no page left, a page or a few more each time, until the change goes in: each
 * try before that leaves what was committed, in whichever put the room came to an end. */
static uint32_t until_it_fits(uint32_t block_bytes, uint32_t step, bool twice, unsigned flags) {
    const nigh_config config = config_of(block_bytes);
    nigh_status status = NIGH_E_FULL_MAP;
    uint32_t full = 0;
    MDB_envinfo info;
    fx f;
    env_new((uint64_t)8 << 20, MDB_NOSYNC | flags);
    MDB_txn *txn = begin(0);
    t_lmdb(nigh_lmdb_create(txn, dbi, 3, &config, SAY));
    lx_open(&f, txn, 3, NIGH_LMDB_WRITE, COUNT, 0, EF);
    insert(&f, 0, HALF);
    t_lmdb(nigh_lmdb_prepare(f.index, SAY));
    lx_close(&f);
    t_mdb(mdb_txn_commit(txn));
    const uint32_t before = committed_sum(3);
    t_mdb(mdb_env_info(env, &info));
    uint64_t map = ((uint64_t)info.me_last_pgno + 1) * PAGE;
    while (status != NIGH_OK) {
        t_mdb(mdb_env_set_mapsize(env, (size_t)map));
        txn = begin(0);
        status = change(txn, twice);
        int ended = MDB_MAP_FULL;
        if (status == NIGH_OK) {
            ended = mdb_txn_commit(txn); /* whose list of free pages may want the last one */
            t_assert(ended == MDB_SUCCESS || ended == MDB_MAP_FULL);
        } else {
            t_is(status, NIGH_E_FULL_MAP);
            mdb_txn_abort(txn);
        }
        status = ended == MDB_SUCCESS ? NIGH_OK : NIGH_E_FULL_MAP;
        full += status != NIGH_OK;
        t_eq(committed_sum(3), status == NIGH_OK ? wanted_sum(&config) : before);
        map += (uint64_t)step * PAGE;
        t_assert(map < (uint64_t)16 << 20);
    }
    lx_sound(3);
    env_drop();
    return full;
}

TEST(a_change_at_every_size) {
    t_assert(until_it_fits(4096, 1, true, 0) > 10);
    t_assert(until_it_fits(1024, t_small() ? 7 : 3, false, 0) > 10);
    t_assert(until_it_fits(65536, 5, true, 0) > 5);
    t_assert(until_it_fits(4096, 5, false, MDB_WRITEMAP) > 3);
}

/* The same of whole indexes: imported, loaded, dropped. */
TEST(a_load_at_every_size) {
    const nigh_config config = config_of(4096);
    uint32_t full = 0;
    fx f;
    fx_init(&f, &config, COUNT, COUNT, 0, EF);
    t_ok(fx_build(&f, 0, HALF, vectors, NULL));
    const uint32_t before = image_sum(f.index);
    for (uint32_t load = 0; load < 2; load++) {
        nigh_status status = NIGH_E_FULL_MAP;
        MDB_envinfo info;
        env_new((uint64_t)8 << 20, MDB_NOSYNC);
        nighh_lmdb_chunk_bytes = 20000;
        MDB_txn *txn = begin(0);
        t_lmdb(nigh_lmdb_import(txn, dbi, 3, 0, f.index, SAY));
        t_mdb(mdb_txn_commit(txn));
        t_mdb(mdb_env_info(env, &info));
        uint64_t map = ((uint64_t)info.me_last_pgno + 1) * PAGE;
        while (status != NIGH_OK) {
            t_mdb(mdb_env_set_mapsize(env, (size_t)map));
            if (load != 0) {
                status = nigh_lmdb_load(env, dbi, 3, NIGH_LMDB_REPLACE, f.index, NULL, NULL, SAY);
            } else {
                txn = begin(0);
                status = nigh_lmdb_import(txn, dbi, 3, NIGH_LMDB_REPLACE, f.index, SAY);
                status = mdb_txn_commit(txn) == MDB_SUCCESS ? status : NIGH_E_FULL_MAP;
            }
            t_assert(status == NIGH_OK || status == NIGH_E_FULL_MAP);
            t_eq(committed_sum(3), before);
            full += status != NIGH_OK;
            map += PAGE;
            t_assert(map < (uint64_t)16 << 20);
        }
        txn = begin(MDB_RDONLY);
        const nigh_lmdb_report report = lx_check(txn); /* nothing is left of those that failed */
        t_eq(report.unfinished, 0);
        mdb_txn_abort(txn);
        env_drop();
    }
    t_assert(full > 10);
    fx_drop(&f);
}

/* ---- Memory --------------------------------------------------------------------------------- */

#ifndef SHADOWED

/* No more address space than there is: the next large allocation fails. */
static void memory_ends(bool ends) {
    static struct rlimit before;
    struct rlimit now;
    t_eq(getrlimit(RLIMIT_AS, &now), 0);
    if (ends) {
        before = now;
    }
    now.rlim_cur = ends ? 0 : before.rlim_cur;
    t_eq(setrlimit(RLIMIT_AS, &now), 0);
}

/* A public status, and the index as it was. */
static int without_memory(void) {
    const nigh_config config = config_of(1 << 24); /* larger than anything malloc has lying about */
    fx f;
    t_jump = NULL;
#ifdef __GLIBC__
    (void)mallopt(M_MMAP_THRESHOLD, 1 << 20); /* what is freed goes back to the system at once */
    (void)mallopt(M_TRIM_THRESHOLD, 0);
    (void)malloc_trim(0);
#endif
    env_new((uint64_t)256 << 20, MDB_NOSYNC);
    MDB_txn *txn = begin(0);
    t_lmdb(nigh_lmdb_create(txn, dbi, 0, &config, SAY));
    lx_open(&f, txn, 0, NIGH_LMDB_WRITE, HALF, 0, EF);
    insert(&f, 0, HALF - 1);
    t_lmdb(nigh_lmdb_prepare(f.index, SAY));
    lx_close(&f);
    t_mdb(mdb_txn_commit(txn));
    txn = begin(0);
    lx_open(&f, txn, 0, NIGH_LMDB_WRITE, 0, 0, EF);
    const uint32_t sum = image_sum(f.index);
    memory_ends(true);
    const nigh_status removed = fx_remove(&f, f.session, 3);
    const nigh_status set = fx_set(&f, f.session, 0, 4, vectors);
    memory_ends(false);
    t_is(removed, NIGH_E_FULL_MEMORY);
    t_is(set, NIGH_E_FULL_MEMORY);
    t_eq(image_sum(f.index), sum);
    t_ok(fx_remove(&f, f.session, 3)); /* and it goes on */
    t_lmdb(nigh_lmdb_prepare(f.index, SAY));
    memory_ends(true);
    fx g;
    const nigh_status opened = lx_try(&g, txn, 0, NIGH_LMDB_WRITE, COUNT, 0, EF);
    memory_ends(false);
    t_is(opened, NIGH_E_NO_MEMORY);
    lx_close(&f);
    t_mdb(mdb_txn_commit(txn));
    lx_sound(0);
    env_drop();
    return 0;
}

#endif

TEST(no_memory) {
#ifndef SHADOWED
    t_eq(in_child(without_memory), 0);
#endif
}

/* ---- Prepared within a load ----------------------------------------------------------------- */

typedef struct nested {
    nigh_index *index;
    uint32_t refused;
} nested;

static int32_t prepares(void *user, uint64_t done, uint64_t total) {
    nested *n = user;
    if (done == total) { /* the load is over */
        return 0;
    }
    t_is(nigh_lmdb_prepare(n->index, SAY), NIGH_E_BUSY);
    n->refused++;
    return 0;
}

/* An index that is being changed in one environment is loaded into another, and to be prepared
 * meanwhile: that is refused as a whole, and what was changed is stored later. */
TEST(prepared_within_a_load) {
    const nigh_config config = config_of(4096);
    char name[512];
    MDB_env *other = NULL;
    MDB_env *first = NULL;
    MDB_txn *there = NULL;
    MDB_dbi dbi_there = 0;
    fx f;
    fx g;
    env_new((uint64_t)64 << 20, MDB_NOSYNC);
    snprintf(name, sizeof name, "%s", in_folder("other"));
    t_mdb(mdb_env_create(&other));
    t_mdb(mdb_env_set_mapsize(other, (size_t)64 << 20));
    t_mdb(mdb_env_open(other, name, MDB_NOSUBDIR | MDB_NOTLS | MDB_NOSYNC, 0600));
    t_mdb(mdb_txn_begin(other, NULL, 0, &there));
    t_lmdb(nigh_lmdb_dbi(there, NULL, NIGH_LMDB_CREATE, &dbi_there, SAY));
    t_mdb(mdb_txn_commit(there));
    MDB_txn *txn = begin(0);
    t_lmdb(nigh_lmdb_create(txn, dbi, 0, &config, SAY));
    lx_open(&f, txn, 0, NIGH_LMDB_WRITE, COUNT, 0, EF);
    insert(&f, 0, HALF);
    const uint32_t sum = image_sum(f.index);
    nested n = {f.index, 0};
    nighh_lmdb_chunk_bytes = 8000;
    t_lmdb(nigh_lmdb_load(other, dbi_there, 0, 0, f.index, prepares, &n, SAY));
    t_assert(n.refused > 10);
    t_eq(image_sum(f.index), sum);
    insert(&f, HALF, HALF + 50); /* of the same blocks: not one change may be forgotten */
    t_lmdb(nigh_lmdb_prepare(f.index, SAY));
    const uint32_t more = image_sum(f.index);
    lx_close(&f);
    t_mdb(mdb_txn_commit(txn));
    t_eq(committed_sum(0), more);
    first = env;
    const MDB_dbi mine = dbi;
    env = other;
    dbi = dbi_there;
    t_eq(committed_sum(0), sum);
    txn = begin(MDB_RDONLY);
    lx_open(&g, txn, 0, 0, 0, 0, EF);
    fx_check(g.index, g.session);
    lx_close(&g);
    mdb_txn_abort(txn);
    mdb_env_close(other);
    env = first;
    dbi = mine;
    lx_sound(0);
    env_drop();
}

/* ---- Prepared beside saves ------------------------------------------------------------------ */

static atomic_uint saves_go; /* a prepare begins; 0: no more */
static atomic_uint saves_seen;
static atomic_uint saves_done;

/* A save for each prepare, soon after that has begun, a little later each time. */
static void *saves(void *index) {
    for (unsigned seen = 1, go = 1; go != 0; seen = go) {
        while ((go = saves_go) == seen) {
            sched_yield();
        }
        for (volatile uint32_t i = 0; i < go % 64 * 3000; i++) {
        }
        uint32_t sum = 0;
        saves_done += nigh_save(index, 0, sum_part, &sum) == NIGH_OK;
        saves_seen = go;
    }
    return NULL;
}

/* A save may begin at any moment of it: then nothing that was changed counts as stored. */
TEST(prepared_beside_saves) {
    const nigh_config config = config_of(4096);
    const uint32_t rounds = t_small() ? 60 : 300;
    uint32_t refused = 0;
    pthread_t thread;
    fx f;
    env_new((uint64_t)256 << 20, MDB_NOSYNC);
    MDB_txn *txn = begin(0);
    t_lmdb(nigh_lmdb_create(txn, dbi, 0, &config, SAY));
    lx_open(&f, txn, 0, NIGH_LMDB_WRITE, COUNT, 0, EF);
    insert(&f, 0, HALF);
    saves_go = 1;
    t_eq(pthread_create(&thread, NULL, saves, f.index), 0);
    for (uint32_t i = 2; i < rounds + 2; i++) {
        for (uint32_t j = 0; j < 8; j++) { /* most blocks are changed again */
            const uint32_t key = (i * 37 + j * 71) % HALF;
            t_ok(fx_set(&f, f.session, 0, key, vectors + (i * 13 + j) % COUNT * row_bytes));
        }
        saves_go = i;
        const nigh_status status = nigh_lmdb_prepare(f.index, SAY);
        t_assert(status == NIGH_OK || status == NIGH_E_BUSY);
        refused += status != NIGH_OK;
        while (saves_seen != i) {
            sched_yield();
        }
    }
    saves_go = 0;
    t_eq(pthread_join(thread, NULL), 0);
    t_lmdb(nigh_lmdb_prepare(f.index, SAY));
    const uint32_t sum = image_sum(f.index);
    lx_close(&f);
    t_mdb(mdb_txn_commit(txn));
    t_assert(saves_done >= rounds);
    t_eq(committed_sum(0), sum);
    printf("%u of %u prepares refused\n", refused, rounds);
    env_drop();
}

SUITE {
    rng r = {t_seed()};
    vectors = data_rows(&r, DATA_CLUSTERED, NIGH_DTYPE_F32, COUNT, DIM);
    t_ok(nigh_row_bytes(DIM, NIGH_DTYPE_F32, &row_bytes));
    RUN(a_change_at_every_size);
    RUN(a_load_at_every_size);
    RUN(no_memory);
    RUN(prepared_within_a_load);
    RUN(prepared_beside_saves);
    free(vectors);
}
