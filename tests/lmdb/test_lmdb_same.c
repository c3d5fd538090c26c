/* test_lmdb_same.c - memory, a mapped image and LMDB give the same answers and the same bytes
 * layer T; uses: env.h
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * For every metric and dtype, with and without codes, each kind of key, vectors within and without:
 * an index built in memory is attached as an image and imported into LMDB; then the same single
 * changes go to one in memory and to one in LMDB, there in transactions of a few. */
#include "env.h"

#include <math.h>

enum { DIM = 20, BUILT = 240, MORE = 120, K = 8, EF = 48, ID = 7, STEP = 23, KEY_MAX = 24 };

static rng random_state;
static uint8_t *vectors;
static uint32_t cases;

static void same_answers(fx *a, fx *b) {
    fx_hits x;
    fx_hits y;
    fx_hits_init(&x, &a->config, K);
    fx_hits_init(&y, &a->config, K);
    for (uint32_t q = 0; q < 12; q++) {
        const uint8_t *query = vectors + (uint64_t)(q * 29 % (BUILT + MORE)) * a->row_bytes;
        const nigh_search_options options =
            fx_search_options(EF, q == 11 ? (uint32_t)NIGH_SEARCH_EXACT : 0);
        t_ok(fx_search(a, a->session, query, &options, K, &x));
        t_ok(fx_search(b, b->session, query, &options, K, &y));
        t_assert(x.found > 0);
        fx_same_hits(&x, &y);
    }
    fx_hits_drop(&x);
    fx_hits_drop(&y);
}

static void lend(fx *f) {
    if (f->config.vectors == NIGH_VECTORS_EXTERNAL) {
        const uint32_t trailer =
            f->config.dtype == NIGH_DTYPE_I8 ? (uint32_t)f->row_bytes - 8 : 0;
        t_ok(nigh_index_borrow(f->index, vectors, f->row_bytes, BUILT + MORE, trailer));
    }
}

static nigh_config config_of(uint32_t pair, uint32_t codes, uint32_t keys, uint32_t source) {
    uint32_t metric = 0;
    uint32_t dtype = 0;
    t_assert(fx_pair(pair, &metric, &dtype));
    nigh_config config = fx_config(DIM + pair % 3, metric, dtype);
    config.codes = dtype == NIGH_DTYPE_B1 ? (uint32_t)NIGH_CODES_NONE : codes;
    config.keys = keys;
    config.vectors = source;
    config.m = 6;
    config.block_bytes = 4096; /* several blocks a region */
    config.key_bytes_max = KEY_MAX;
    return config;
}

/* An index that was built in memory: the same from an image and from LMDB, and saved again. */
static void built_alike(const nigh_config *config) {
    fx memory;
    fx mapped;
    fx stored;
    fx_init(&memory, config, BUILT + MORE, BUILT, (uint64_t)BUILT * KEY_MAX, EF);
    lend(&memory);
    const bool external = config->vectors == NIGH_VECTORS_EXTERNAL;
    t_ok(fx_build(&memory, 0, BUILT, external ? NULL : vectors, NULL));
    if (config->codes != NIGH_CODES_NONE && config->dtype != NIGH_DTYPE_B1) {
        t_eq(fx_stats(memory.index).codes, config->codes);
    }
    fx_bytes image = fx_save(memory.index, 0);
    t_ok(fx_attach(&mapped, image.data, image.size, 0, 0, EF));
    lend(&mapped);
    MDB_txn *txn = begin(0);
    t_lmdb(nigh_lmdb_import(txn, dbi, ID, NIGH_LMDB_REPLACE, mapped.index, SAY));
    t_mdb(mdb_txn_commit(txn));
    txn = begin(MDB_RDONLY);
    (void)lx_check(txn);
    lx_open(&stored, txn, ID, 0, 0, 0, EF);
    lend(&stored);
    same_answers(&memory, &mapped);
    same_answers(&memory, &stored);
    fx_same_image(memory.index, stored.index);
    fx_check(stored.index, stored.session);
    lx_close(&stored);
    mdb_txn_abort(txn);
    fx_drop(&mapped);
    fx_drop(&memory);
    free(image.data);
}

static void change(fx *f, rng *r, uint32_t step) {
    const uint32_t what = rng_below(r, 10);
    const uint64_t id = rng_below(r, MORE);
    const uint8_t *row = vectors + (uint64_t)rng_below(r, BUILT + MORE) * f->row_bytes;
    const bool external = f->config.vectors == NIGH_VECTORS_EXTERNAL;
    nigh_status status = NIGH_OK;
    if (what < 6 || step < 20 || external) {
        status = fx_insert(f, f->session, 0, external || f->config.keys == NIGH_KEYS_IDENTITY
                                                 ? fx_stats(f->index).slot_count
                                                 : id,
                           external ? NULL : row);
    } else if (what < 8) {
        status = fx_remove(f, f->session, id);
    } else if (f->config.keys != NIGH_KEYS_IDENTITY || id < fx_stats(f->index).slot_count) {
        status = fx_set(f, f->session, 0, id, row);
    }
    t_assert(status == NIGH_OK || status == NIGH_E_EXISTS || status == NIGH_E_DELETED ||
             status == NIGH_E_NOT_FOUND);
}

/* The same changes, one after another, in memory and in LMDB. */
static void changed_alike(const nigh_config *given) {
    nigh_config config = *given;
    fx memory;
    fx stored;
    rng a = {t_seed() + cases};
    rng b = a;
    fx_config_span(&config);
    fx_init(&memory, &config, MORE, MORE, (uint64_t)2 * MORE * KEY_MAX, EF);
    lend(&memory);
    MDB_txn *txn = begin(0);
    t_lmdb(nigh_lmdb_create(txn, dbi, ID + 1, &config, SAY));
    for (uint32_t step = 0; step < MORE; step++) {
        change(&memory, &a, step);
    }
    for (uint32_t step = 0; step < MORE;) {
        lx_open(&stored, txn, ID + 1, NIGH_LMDB_WRITE, MORE, (uint64_t)2 * MORE * KEY_MAX, EF);
        lend(&stored);
        for (uint32_t end = step + STEP; step < end && step < MORE; step++) {
            change(&stored, &b, step);
        }
        t_lmdb(nigh_lmdb_prepare(stored.index, SAY));
        lx_close(&stored);
        if (step % 2 == 0) { /* sometimes two handles in one transaction, one after the other */
            t_mdb(mdb_txn_commit(txn));
            txn = begin(0);
        }
    }
    lx_open(&stored, txn, ID + 1, 0, 0, 0, EF);
    lend(&stored);
    (void)lx_check(txn);
    same_answers(&memory, &stored);
    fx_same_image(memory.index, stored.index);
    fx_check(stored.index, stored.session);
    lx_close(&stored);
    t_lmdb(nigh_lmdb_drop(txn, dbi, ID + 1, SAY));
    t_mdb(mdb_txn_commit(txn));
    fx_drop(&memory);
}

static void each(uint32_t codes, uint32_t source) {
    for (uint32_t pair = 0; pair < 21; pair++) {
        const uint32_t keys = (pair + codes + source) % 3;
        nigh_config config = config_of(pair, codes, keys, source);
        random_state.state = t_seed() + pair;
        vectors = data_rows(&random_state, DATA_CLUSTERED, config.dtype, BUILT + MORE, config.dim);
        built_alike(&config);
        changed_alike(&config);
        free(vectors);
        cases++;
    }
    lx_sound(ID);
}

TEST(plain) { each(NIGH_CODES_NONE, NIGH_VECTORS_OWNED); }
TEST(codes_of_bytes) { each(NIGH_CODES_U7, NIGH_VECTORS_OWNED); }
TEST(codes_of_bits) { each(NIGH_CODES_B1, NIGH_VECTORS_OWNED); }
TEST(vectors_outside) { each(NIGH_CODES_NONE, NIGH_VECTORS_EXTERNAL); }
TEST(codes_of_vectors_outside) { each(NIGH_CODES_U7, NIGH_VECTORS_EXTERNAL); }

/* ---- hannoy's seven distances (docs/LMDB.md) ------------------------------------------------- */

enum { WIDE = 70 };

/* As hannoy 0.3 defines them, from floats. */
static double theirs(uint32_t which, const float *a, const float *b) {
    double l2 = 0;
    double l1 = 0;
    double dot = 0;
    double aa = 0;
    double bb = 0;
    double differ = 0;
    for (uint32_t i = 0; i < WIDE; i++) {
        const double x = (double)a[i];
        const double y = (double)b[i];
        l2 += (x - y) * (x - y);
        l1 += x > y ? x - y : y - x;
        dot += x * y;
        aa += x * x;
        bb += y * y;
        differ += (a[i] > 0) != (b[i] > 0);
    }
    const double words = (WIDE + 63) / 64 * 64; /* the rest of the last one is equal in both */
    const double bits = (words - 2 * differ) / words; /* cosine of vectors of -1 and 1 */
    const double values[] = {l2,         (1 - dot / sqrt(aa * bb)) / 2, l1,
                             differ / words, 4 * differ, 2 * differ, (1 - bits) / 2};
    return values[which];
}

/* What docs/LMDB.md says of them. */
static const struct {
    uint32_t metric;
    uint32_t dtype;
    double factor;
} hannoy[7] = {{NIGH_METRIC_L2, NIGH_DTYPE_F32, 1},
               {NIGH_METRIC_COSINE, NIGH_DTYPE_F32, 0.5},
               {NIGH_METRIC_L1, NIGH_DTYPE_F32, 1},
               {NIGH_METRIC_HAMMING, NIGH_DTYPE_B1, 1.0 / 128},
               {NIGH_METRIC_HAMMING, NIGH_DTYPE_B1, 4},
               {NIGH_METRIC_HAMMING, NIGH_DTYPE_B1, 2},
               {NIGH_METRIC_HAMMING, NIGH_DTYPE_B1, 1.0 / 128}};

TEST(distances_of_hannoy) {
    rng r = {t_seed()};
    float *floats = data_floats(&r, DATA_UNIFORM, NIGH_DTYPE_F32, BUILT, WIDE);
    for (uint32_t which = 0; which < 7; which++) {
        nigh_config config = fx_config(WIDE, hannoy[which].metric, hannoy[which].dtype);
        fx f;
        fx_hits h;
        MDB_txn *txn = begin(0);
        t_lmdb(nigh_lmdb_create(txn, dbi, 100 + which, &config, SAY));
        lx_open(&f, txn, 100 + which, NIGH_LMDB_WRITE, BUILT, 0, EF);
        uint8_t *as_rows = fx_malloc(BUILT * f.row_bytes);
        t_ok(nigh_convert(WIDE, config.dtype, BUILT, floats, as_rows, NULL, NULL));
        fx_insert_many(&f, 0, BUILT, as_rows);
        fx_hits_init(&h, &f.config, K);
        const nigh_search_options options = fx_search_options(EF, 0);
        for (uint32_t q = 0; q < BUILT; q += 20) {
            t_ok(fx_search(&f, f.session, as_rows + q * f.row_bytes, &options, K, &h));
            for (uint32_t i = 0; i < h.found; i++) {
                const double want = theirs(which, floats + q * WIDE, floats + h.ids[i] * WIDE);
                const double got = (double)h.distances[i] * hannoy[which].factor;
                t_assert(fabs(got - want) <= 1e-5 * (1 + want));
            }
        }
        fx_hits_drop(&h);
        free(as_rows);
        lx_close(&f);
        mdb_txn_abort(txn);
    }
    free(floats);
}

SUITE {
    env_new((uint64_t)1 << 30, MDB_NOSYNC);
    RUN(plain);
    RUN(codes_of_bytes);
    RUN(codes_of_bits);
    RUN(vectors_outside);
    RUN(codes_of_vectors_outside);
    RUN(distances_of_hannoy);
    env_drop();
}
