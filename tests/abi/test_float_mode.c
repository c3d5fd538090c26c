/* test_float_mode.c - flush-to-zero, rounding modes, traps: another library's habits change no bit
 * layer T; uses: data, fixture, jobs
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * One library linked with -ffast-math sets FTZ and DAZ for the whole process. Every call that
 * computes floats runs in the default mode and gives the caller's back. */
#include "data.h"
#include "fixture.h"
#include "jobs.h"
#include "t.h"

#if defined __x86_64__ || defined __i386__
#include <xmmintrin.h>
#define MODES {0x8040, 0x6000, 0x2000, 0x4000, 0xe040, 0x1f80} /* the last: traps, all of them */
enum { MODE_COUNT = 6, CONTROL = 0xffc0 };
static uint32_t mode_get(void) { return _mm_getcsr(); }
static void mode_flip(uint32_t bits) { _mm_setcsr((_mm_getcsr() & ~0x3fu) ^ bits); }
#elif defined __aarch64__
#define MODES {1u << 24, 1u << 22, 2u << 22, 3u << 22, 1u << 24 | 1u << 25, 7u << 22}
enum { MODE_COUNT = 6 };
static const uint32_t CONTROL = 0x07c00000u;
static uint32_t mode_get(void) {
    uint64_t word;
    __asm__ volatile("mrs %0, fpcr" : "=r"(word));
    return (uint32_t)word;
}
static void mode_flip(uint32_t bits) {
    uint64_t word = mode_get() ^ bits;
    __asm__ volatile("msr fpcr, %0" : : "r"(word) : "memory");
}
#else
#define MODES {0}
enum { MODE_COUNT = 0, CONTROL = 0 };
static uint32_t mode_get(void) { return 0; }
static void mode_flip(uint32_t bits) { (void)bits; }
#endif

enum { N = 60, MANY = 300, DIM = 13, K = 10 };

/* Everything that computes floats; the result is bytes and bits. */
typedef struct outcome {
    fx_bytes image;
    fx_hits hits[8];
    uint8_t rows[N * DIM * 4]; /* nigh_convert's */
    float floats[N * DIM];
    uint32_t mode_changes; /* calls that did not give the mode back */
} outcome;

static uint32_t expected; /* the mode that calls have to leave as it is */
static uint32_t mode_changes;

static void kept(nigh_status status) {
    mode_changes += (mode_get() & CONTROL) != (expected & CONTROL);
    t_ok(status);
}

static void run(outcome *out, const nigh_config *config, const float *floats, uint32_t flip) {
    fx f;
    uint8_t *rows = out->rows;
    mode_changes = 0;
    mode_flip(flip);
    expected = mode_get();
    fx_init(&f, config, N, N, 0, 64);
    kept(nigh_convert(DIM, config->dtype, N, floats, rows, NULL, NULL));
    kept(nigh_convert(DIM, config->dtype, N, NULL, NULL, rows, out->floats));
    for (uint32_t i = 0; i < N; i++) {
        kept(fx_insert(&f, f.session, 0, i, rows + i * f.row_bytes));
    }
    for (uint32_t i = 0; i < N / 5; i++) {
        kept(fx_set(&f, f.session, 0, i, rows + (N - 1 - i) * f.row_bytes));
        kept(fx_remove(&f, f.session, i + 20));
        kept(fx_unremove(&f, f.session, i + 20));
    }
    for (uint32_t q = 0; q < 8; q++) {
        nigh_search_options so = fx_search_options(20, q % 2 == 0 ? 0 : NIGH_SEARCH_EXACT);
        fx_hits_init(&out->hits[q], config, K);
        if (q >= 6) {
            so.flags = 0;
            kept(nigh_cursor_begin(f.index, f.session, rows + q * f.row_bytes, &so));
            kept(fx_next(&f, f.session, K, &out->hits[q]));
        } else {
            kept(fx_search(&f, f.session, rows + q * f.row_bytes, &so, K, &out->hits[q]));
        }
    }
    out->image = fx_save(f.index, 0);
    fx_check(f.index, f.session);
    mode_changes += (mode_get() & CONTROL) != (expected & CONTROL);
    mode_flip(flip);
    out->mode_changes = mode_changes;
    fx_drop(&f);
}

static void outcome_drop(outcome *out) {
    for (uint32_t q = 0; q < 8; q++) {
        fx_hits_drop(&out->hits[q]);
    }
    free(out->image.data);
}

/* Vectors of which half are subnormal, so that flushing would show. */
static float *data_tiny(uint64_t seed, uint32_t dtype) {
    rng r = {seed};
    float *floats = data_floats(&r, DATA_UNIFORM, dtype, N, DIM);
    for (uint32_t i = 0; i < N * DIM; i++) {
        if (i / DIM % 2 == 0 && dtype != NIGH_DTYPE_U8) {
            /* f16 has its own subnormals, and they widen to normal f32 */
            floats[i] *= dtype == NIGH_DTYPE_F16 ? 6e-5f : dtype == NIGH_DTYPE_I8 ? 1e-36f : 1e-38f;
        }
    }
    return floats;
}

/* In small runs a case meets one mode, and each mode some case. */
static int taken(uint32_t i, int mode) {
    enum { TURNS = MODE_COUNT > 0 ? MODE_COUNT : 1 };
    return !t_small() || (int)(i % TURNS) == mode;
}

TEST(bit_identical) {
    static const uint32_t modes[] = MODES;
    uint32_t metric, dtype;
    for (uint32_t i = 0; fx_pair(i, &metric, &dtype); i++) {
        nigh_config config = fx_config(DIM, metric, dtype);
        outcome *normal = fx_malloc(sizeof *normal), *other = fx_malloc(sizeof *other);
        float *floats = data_tiny(t_seed() + i, dtype);
        run(normal, &config, floats, 0);
        for (int m = 0; m < MODE_COUNT; m++) {
            if (!taken(i, m)) {
                continue;
            }
            run(other, &config, floats, modes[m]);
            t_eq(other->mode_changes, 0);
            t_bytes(normal->rows, other->rows, sizeof normal->rows);
            t_bytes(normal->floats, other->floats, sizeof normal->floats);
            t_eq(normal->image.size, other->image.size);
            t_bytes(normal->image.data, other->image.data, normal->image.size);
            for (int q = 0; q < 8; q++) {
                t_eq(normal->hits[q].found, K);
                fx_same_hits(&normal->hits[q], &other->hits[q]);
            }
            outcome_drop(other);
        }
        outcome_drop(normal);
        free(floats);
        free(normal);
        free(other);
    }
}

/* Jobs too: spans of codes and drafts, links, refined links. */
static fx_bytes worked(const nigh_config *config, const float *rows, uint32_t flip) {
    fx f;
    mode_changes = 0;
    mode_flip(flip);
    expected = mode_get();
    fx_init(&f, config, MANY, MANY, 0, 512);
    kept(fx_build(&f, 0, MANY, rows, NULL));
    kept(fx_work(&f, NIGH_JOB_REFINE, 1, 1));
    if (config->codes == NIGH_CODES_NONE) {
        kept(fx_codes(&f, NIGH_CODES_U7, 0, 0));
        kept(fx_codes(&f, NIGH_CODES_NONE, 0, 0));
        kept(fx_codes(&f, NIGH_CODES_U7, -0.3f, 0.7f));
    }
    fx_bytes image = fx_save(f.index, 0);
    mode_changes += (mode_get() & CONTROL) != (expected & CONTROL);
    mode_flip(flip);
    t_eq(mode_changes, 0);
    fx_drop(&f);
    return image;
}

TEST(jobs_bit_identical) {
    static const uint32_t modes[] = MODES;
    for (uint32_t i = 0; i < 8; i++) {
        rng r = {t_seed() + i};
        nigh_config config =
            fx_config(DIM, i % 2 == 0 ? NIGH_METRIC_L2 : NIGH_METRIC_COSINE, NIGH_DTYPE_F32);
        config.codes = i / 2 % 2 == 0 ? NIGH_CODES_NONE : NIGH_CODES_U7;
        config.code_max = i == 6 ? 0.1f : 0;
        config.code_min = i == 6 ? -0.3f : 0;
        float *rows = data_floats(&r, DATA_UNIFORM, config.dtype, MANY, DIM);
        for (uint32_t e = 0; e < MANY * DIM && i >= 4 && config.code_max == 0; e++) {
            rows[e] *= i % 2 == 0 ? 1e-38f : 0.37f;
        }
        fx_bytes normal = worked(&config, rows, 0);
        for (int m = 0; m < MODE_COUNT; m++) {
            if (!taken(i, m)) {
                continue;
            }
            fx_bytes other = worked(&config, rows, modes[m]);
            t_eq(normal.size, other.size);
            t_bytes(normal.data, other.data, normal.size);
            free(other.data);
        }
        free(normal.data);
        free(rows);
    }
}

/* The mode is given back when a call is refused, too. */
TEST(given_back_on_errors) {
    static const uint32_t modes[] = MODES;
    for (int m = 0; m < MODE_COUNT; m++) {
        fx f;
        fx_hits h;
        uint32_t nan[2] = {0x7fc00000, 0};
        float row[2] = {1, 2};
        nigh_config config = fx_config(2, NIGH_METRIC_COSINE, NIGH_DTYPE_F32);
        fx_init(&f, &config, 1, 1, 0, 64);
        fx_hits_init(&h, &config, 2);
        mode_flip(modes[m]);
        expected = mode_get() & CONTROL;
        nigh_status s[5];
        uint32_t same = 0;
        s[0] = fx_insert(&f, f.session, 0, 0, nan);
        same += (mode_get() & CONTROL) == expected;
        s[1] = fx_insert(&f, f.session, 0, 0, row);
        same += (mode_get() & CONTROL) == expected;
        s[2] = fx_insert(&f, f.session, 0, 1, row);
        same += (mode_get() & CONTROL) == expected;
        s[3] = fx_search(&f, f.session, nan, NULL, 2, &h);
        same += (mode_get() & CONTROL) == expected;
        s[4] = fx_search(&f, f.session, row, NULL, 2, &h);
        same += (mode_get() & CONTROL) == expected;
        mode_flip(modes[m]);
        t_assert(s[0] == NIGH_E_VECTOR && s[1] == NIGH_OK && s[2] == NIGH_E_FULL);
        t_assert(s[3] == NIGH_E_VECTOR && s[4] == NIGH_OK);
        t_eq(same, 5);
        fx_hits_drop(&h);
        fx_drop(&f);
    }
}

SUITE {
    RUN(bit_identical);
    RUN(jobs_bit_identical);
    RUN(given_back_on_errors);
}
