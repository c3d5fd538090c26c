/* test_metric.c - distances of every metric and dtype: right, symmetric to the bit, same everywhere
 * layer T; uses: num, metric, convert
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _GNU_SOURCE
#include "convert.h"
#include "metric.h"
#include "reference.h"
#include "t.h"

#define DIM_MAX 400u
#define VECTORS 6u
#define STRIDE (DIM_MAX * 4 + 16)

static const uint32_t dims[] = {1, 2, 3, 7, 8, 9, 31, 32, 33, 64, 100, 131, 384};
#define DIMS (sizeof dims / sizeof dims[0])

static float floats[VECTORS][DIM_MAX];
static _Alignas(64) uint8_t stored[VECTORS][STRIDE]; /* rows, and trailers behind them */
static _Alignas(64) float scratch[DIM_MAX];

static double root(double x) {
    double r = x > 1 ? x : 1;
    for (int i = 0; i < 600 && x > 0; i++) {
        r = (r + x / r) / 2;
    }
    return x > 0 ? r : 0;
}

/* Distances in double from f32 vectors; `size` gets what its error is relative to. */
static double expected(uint32_t kind, const float *a, const float *b, uint32_t dim, double *size) {
    double sum = 0;
    double aa = 0;
    double bb = 0;
    double magnitude = 0;
    for (uint32_t i = 0; i < dim; i++) {
        double x = (double)a[i];
        double y = (double)b[i];
        double d = x - y;
        sum += kind == NIGH_METRIC_L2   ? d * d
               : kind == NIGH_METRIC_L1 ? (d < 0 ? -d : d)
               : kind == NIGH_METRIC_HAMMING ? (x != y ? 1.0 : 0.0)
                                             : x * y;
        aa += x * x;
        bb += y * y;
        magnitude += (x < 0 ? -x : x) + (y < 0 ? -y : y);
    }
    *size = kind == NIGH_METRIC_L1 ? magnitude : aa + bb;
    if (kind == NIGH_METRIC_COSINE) {
        *size = 1;
        return 1 - sum / (root(aa) * root(bb));
    }
    *size += kind == NIGH_METRIC_IP ? 1 : 0;
    return kind == NIGH_METRIC_IP ? 1 - sum : sum;
}

static float custom_distance(void *user, const void *a, const void *b, uint32_t dim) {
    uint32_t sum = 0;
    (void)dim;
    for (uint32_t i = 0; i < *(const uint32_t *)user; i++) {
        uint8_t x = ((const uint8_t *)a)[i];
        uint8_t y = ((const uint8_t *)b)[i];
        sum += (uint32_t)(x > y ? x - y : y - x);
    }
    return sum == 7 ? nighi_f32_from_bits(0x7fc00000u) : (float)sum - 0.0f;
}

static uint32_t row_bytes_now;

static nighi_metric make(uint32_t kind, uint32_t dtype, uint32_t dim, int bare, uint32_t features) {
    nighi_metric metric;
    row_bytes_now = (uint32_t)nighi_row_bytes(dim, dtype);
    uint32_t trailer = 0;
    if (!bare && dtype == NIGH_DTYPE_I8) {
        trailer = (dim + 3) / 4 * 4;
    } else if (!bare && nighi_trailer_bytes(kind, dtype) != 0) {
        trailer = (row_bytes_now + 3) / 4 * 4;
    }
    nighi_metric_init(&metric, kind, dtype, dim, trailer, features);
    metric.custom = custom_distance;
    metric.custom_user = &row_bytes_now;
    return metric;
}

static void fill(uint32_t dim, uint32_t dtype, uint64_t *state) {
    for (uint32_t v = 0; v < VECTORS; v++) {
        for (uint32_t i = 0; i < dim; i++) {
            float scale = dtype == NIGH_DTYPE_U8 ? 200.0f : v == 4 ? 0.01f : 1.0f;
            floats[v][i] = ref_unit(state) * scale + (v == 3 ? 0.5f : 0.0f);
        }
        if (dtype == NIGH_DTYPE_U8) {
            floats[v][0] = 100.0f + (float)v; /* not the zero vector */
        }
    }
    memcpy(floats[5], floats[2], sizeof floats[5]); /* duplicates */
}

static void store(const nighi_metric *metric) {
    memset(stored, 0xa5, sizeof stored);
    for (uint32_t v = 0; v < VECTORS; v++) {
        nigh_status status =
            nighi_rows_from_f32(metric->dim, metric->dtype, 1, floats[v], stored[v]);
        t_eq(status, NIGH_OK);
        t_eq(nighi_row_check(metric, stored[v]), NIGH_OK);
        if (nighi_trailer_bytes(metric->metric, metric->dtype) != 0 &&
            metric->trailer_offset != 0) {
            nighi_trailer_make(metric, stored[v], stored[v] + metric->trailer_offset);
        }
        t_eq(nighi_rows_to_f32(metric->dim, metric->dtype, 1, stored[v], floats[v]), NIGH_OK);
    }
}

/* out[i][j] = distance of query i to vector j. from: 0 the row, 1 the stored vector. */
static void matrix(const nighi_metric *metric, int from, float out[VECTORS][VECTORS]) {
    const void *vectors[VECTORS];
    for (uint32_t v = 0; v < VECTORS; v++) {
        vectors[v] = stored[v];
    }
    for (uint32_t v = 0; v < VECTORS; v++) {
        nighi_query query;
        if (from == 0) {
            nighi_query_from_row(metric, stored[v], scratch, &query);
        } else {
            nighi_query_from_stored(metric, stored[v], scratch, &query);
        }
        metric->batch(metric, &query, vectors, VECTORS, out[v]);
    }
}

static void check_right(const nighi_metric *metric, float d[VECTORS][VECTORS]) {
    for (uint32_t a = 0; a < VECTORS; a++) {
        for (uint32_t b = 0; b < VECTORS; b++) {
            double size;
            double want = expected(metric->metric, floats[a], floats[b], metric->dim, &size);
            double error = (double)d[a][b] - want;
            if (error > 3e-6 * size || error < -3e-6 * size) {
                t_failf("metric %u dtype %u dim %u (%u, %u): %g, want %g", metric->metric,
                        metric->dtype, metric->dim, a, b, (double)d[a][b], want);
            }
        }
    }
}

static void check_symmetric(const nighi_metric *metric, float d[VECTORS][VECTORS]) {
    for (uint32_t a = 0; a < VECTORS; a++) {
        for (uint32_t b = 0; b < VECTORS; b++) {
            uint32_t bits = nighi_f32_bits(d[a][b]);
            t_eq(bits, nighi_f32_bits(d[b][a]));
            t_eq(bits, nighi_f32_bits(nighi_distance_canonical(d[a][b])));
            if (metric->metric == NIGH_METRIC_COSINE) {
                t_assert(d[a][b] >= 0.0f && d[a][b] <= 2.0f);
            }
        }
        if (metric->metric != NIGH_METRIC_IP && metric->metric != NIGH_METRIC_COSINE) {
            t_eq(nighi_f32_bits(d[a][a]), 0);
        }
    }
    t_eq(nighi_f32_bits(d[2][5]), nighi_f32_bits(d[2][2])); /* duplicates */
}

static void one_pair(uint32_t kind, uint32_t dtype, uint32_t dim, uint64_t *state) {
    float first[VECTORS][VECTORS];
    float again[VECTORS][VECTORS];
    fill(dim, dtype, state);
    nighi_metric metric = make(kind, dtype, dim, 0, NIGH_CPU_SCALAR);
    store(&metric);
    matrix(&metric, 0, first);
    if (kind != NIGH_METRIC_CUSTOM) {
        check_right(&metric, first);
    }
    check_symmetric(&metric, first);
    for (int level = 0; level < REF_LEVELS; level++) {
        if ((ref_levels[level].features & ~ref_machine()) != 0) {
            continue;
        }
        for (int bare = 0; bare < 2; bare++) {
            if (bare == 1 && dtype == NIGH_DTYPE_I8) {
                continue; /* without its scale an I8 vector is another vector */
            }
            for (int from = 0; from < 2; from++) {
                metric = make(kind, dtype, dim, bare, ref_levels[level].features);
                matrix(&metric, from, again);
                if (memcmp(first, again, sizeof first) != 0) {
                    t_failf("metric %u dtype %u dim %u: %s%s%s differs", kind, dtype, dim,
                            ref_levels[level].name, bare ? " bare" : "", from ? " stored" : "");
                }
            }
        }
    }
}

TEST(every_metric_and_dtype) {
    uint64_t state = t_seed() << 20;
    uint32_t pairs = 0;
    for (uint32_t kind = 0; kind < 9; kind++) {
        for (uint32_t dtype = 0; dtype < 9; dtype++) {
            if (!nighi_metric_valid(kind, dtype)) {
                continue;
            }
            pairs++;
            for (size_t i = 0; i < DIMS; i++) {
                one_pair(kind, dtype, dims[i], &state);
            }
        }
    }
    t_eq(pairs, 4 * 5 + 1 + 6);
}

/* ---- Cosine at every magnitude -------------------------------------------------------------- */

static void odd_case(uint32_t dtype, const float *scales, uint32_t dim, uint64_t *state) {
    float d[VECTORS][VECTORS];
    float bare[VECTORS][VECTORS];
    fill(dim, dtype, state);
    for (uint32_t v = 0; v < VECTORS; v++) {
        for (uint32_t i = 0; i < dim; i++) {
            floats[v][i] *= scales[v];
        }
        if (dim > 1) {
            floats[v][1] = v % 2 == 0 ? scales[v] : -scales[v]; /* no vector vanishes */
        }
    }
    nighi_metric metric = make(NIGH_METRIC_COSINE, dtype, dim, 0, ref_machine());
    store(&metric);
    for (uint32_t v = 0; v < VECTORS; v++) { /* for the reference only */
        for (uint32_t i = 0; i < dim; i++) {
            floats[v][i] /= scales[v];
        }
    }
    matrix(&metric, 0, d);
    check_right(&metric, d);
    for (uint32_t a = 0; a < VECTORS; a++) {
        for (uint32_t b = 0; b < VECTORS; b++) {
            t_eq(nighi_f32_bits(d[a][b]), nighi_f32_bits(d[b][a]));
        }
    }
    matrix(&metric, 1, bare);
    t_bytes(d, bare, sizeof d);
    metric = make(NIGH_METRIC_COSINE, dtype, dim, 1, NIGH_CPU_SCALAR);
    matrix(&metric, 1, bare);
    t_bytes(d, bare, sizeof d);
}

TEST(cosine_of_tiny_and_huge_vectors) {
    static const float scales[3][VECTORS] = {{1e-30f, 1e30f, 1.0f, 1e-12f, 3e37f, 1.0f},
                                             {1e-36f, 1e12f, 1e-9f, 1e9f, 1e38f, 1e-9f},
                                             {2e10f, 1e-10f, 5e8f, 1e-9f, 1e-20f, 5e8f}};
    uint64_t state = t_seed();
    for (size_t i = 0; i < 3; i++) {
        for (size_t j = 2; j < DIMS; j++) {
            odd_case(NIGH_DTYPE_F32, scales[i], dims[j], &state);
            odd_case(NIGH_DTYPE_BF16, scales[i], dims[j], &state);
        }
    }
}

TEST(cosine_of_subnormal_zero_and_infinite_vectors) {
    static const uint32_t bits[5] = {0x00000001u, 0x80000001u, 0x00000000u, 0x7f800000u,
                                     0x7f7fffffu};
    float d[VECTORS][VECTORS];
    nighi_metric metric = make(NIGH_METRIC_COSINE, NIGH_DTYPE_F32, 2, 0, ref_machine());
    memset(stored, 0, sizeof stored);
    for (uint32_t v = 0; v < VECTORS; v++) {
        uint32_t row[2] = {v < 5 ? bits[v] : 0x3f800000u, 0};
        memcpy(stored[v], row, 8);
        nighi_trailer_make(&metric, stored[v], stored[v] + metric.trailer_offset);
    }
    matrix(&metric, 0, d);
    t_assert(d[0][0] == 0.0f && d[0][1] == 2.0f && d[0][5] == 0.0f && d[4][5] == 0.0f);
    t_assert(d[4][0] == 0.0f && d[4][1] == 2.0f);
    for (uint32_t v = 0; v < VECTORS; v++) {
        t_eq(nighi_f32_bits(d[2][v]), 0x7f800000u);
        t_eq(nighi_f32_bits(d[3][v]), 0x7f800000u);
    }
}

/* ---- What a damaged or malicious image may hold --------------------------------------------- */

TEST(hostile_vectors_and_trailers) {
    uint64_t state = t_seed();
    float scalar[VECTORS][VECTORS];
    float d[VECTORS][VECTORS];
    for (uint32_t run = 0; run < 200; run++) {
        for (uint32_t dtype = NIGH_DTYPE_F32; dtype <= NIGH_DTYPE_B1; dtype++) {
            for (uint32_t kind = NIGH_METRIC_L2; kind <= NIGH_METRIC_CUSTOM; kind++) {
                if (!nighi_metric_valid(kind, dtype)) {
                    continue;
                }
                for (size_t i = 0; i < sizeof stored; i += 8) {
                    uint64_t bits = ref_random(&state);
                    memcpy((uint8_t *)stored + i, &bits, 8);
                }
                uint32_t dim = dims[run % DIMS];
                nighi_metric metric = make(kind, dtype, dim, run % 2, NIGH_CPU_SCALAR);
                matrix(&metric, 1, scalar);
                metric = make(kind, dtype, dim, run % 2, ref_machine());
                matrix(&metric, 1, d);
                t_bytes(scalar, d, sizeof d);
                for (uint32_t a = 0; a < VECTORS; a++) {
                    t_assert(d[a][a] == nighi_distance_canonical(d[a][a]));
                }
                (void)nighi_row_check(&metric, stored[0]);
                (void)nighi_stored_check(&metric, stored[0]);
                (void)nighi_rows_to_f32(dim, dtype, 1, stored[0], floats[0]);
            }
        }
    }
}

/* ---- Rows ----------------------------------------------------------------------------------- */

static nigh_status check_f32(uint32_t kind, float a, float b) {
    float row[2] = {a, b};
    nighi_metric metric = make(kind, NIGH_DTYPE_F32, 2, 0, NIGH_CPU_SCALAR);
    return nighi_row_check(&metric, row);
}

static nigh_status check_u16(uint32_t kind, uint32_t dtype, uint16_t a, uint16_t b) {
    uint16_t row[2] = {a, b};
    nighi_metric metric = make(kind, dtype, 2, 0, NIGH_CPU_SCALAR);
    return nighi_row_check(&metric, row);
}

static nigh_status check_i8(uint32_t kind, int8_t a, uint32_t scale, int32_t zero) {
    uint8_t row[12] = {(uint8_t)a, (uint8_t)a, (uint8_t)a};
    memcpy(row + 4, &scale, 4);
    memcpy(row + 8, &zero, 4);
    nighi_metric metric = make(kind, NIGH_DTYPE_I8, 3, 0, NIGH_CPU_SCALAR);
    return nighi_row_check(&metric, row);
}

TEST(rows_are_checked) {
    float inf = nighi_f32_from_bits(0x7f800000u);
    float nan = nighi_f32_from_bits(0x7fc00000u);
    t_eq(check_f32(NIGH_METRIC_L2, 0, 0), NIGH_OK);
    t_eq(check_f32(NIGH_METRIC_L2, 1, inf), NIGH_E_VECTOR);
    t_eq(check_f32(NIGH_METRIC_L2, nan, 1), NIGH_E_VECTOR);
    t_eq(check_f32(NIGH_METRIC_CUSTOM, 1, -inf), NIGH_E_VECTOR);
    t_eq(check_f32(NIGH_METRIC_COSINE, 0.0f, -0.0f), NIGH_E_VECTOR);
    t_eq(check_f32(NIGH_METRIC_COSINE, 0.0f, 1e-45f), NIGH_OK);
    t_eq(check_u16(NIGH_METRIC_L2, NIGH_DTYPE_F16, 0x7bff, 0xfbff), NIGH_OK);
    t_eq(check_u16(NIGH_METRIC_L2, NIGH_DTYPE_F16, 0, 0xfc00), NIGH_E_VECTOR);
    t_eq(check_u16(NIGH_METRIC_L2, NIGH_DTYPE_F16, 0x7e00, 0), NIGH_E_VECTOR);
    t_eq(check_u16(NIGH_METRIC_COSINE, NIGH_DTYPE_F16, 0, 0x8000), NIGH_E_VECTOR);
    t_eq(check_u16(NIGH_METRIC_L2, NIGH_DTYPE_BF16, 0x7f7f, 0xff7f), NIGH_OK);
    t_eq(check_u16(NIGH_METRIC_L2, NIGH_DTYPE_BF16, 0x7f80, 0), NIGH_E_VECTOR);
    t_eq(check_u16(NIGH_METRIC_COSINE, NIGH_DTYPE_BF16, 0x8000, 0), NIGH_E_VECTOR);
    t_eq(check_i8(NIGH_METRIC_L2, 5, 0x3f800000u, 127), NIGH_OK);
    t_eq(check_i8(NIGH_METRIC_L2, 5, 0x3f800000u, -128), NIGH_OK);
    t_eq(check_i8(NIGH_METRIC_L2, 5, 0x3f800000u, 128), NIGH_E_VECTOR);
    t_eq(check_i8(NIGH_METRIC_L2, 5, 0x3f800000u, -129), NIGH_E_VECTOR);
    t_eq(check_i8(NIGH_METRIC_L2, 5, 0, 0), NIGH_E_VECTOR);
    t_eq(check_i8(NIGH_METRIC_L2, 5, 0x80000000u, 0), NIGH_E_VECTOR);
    t_eq(check_i8(NIGH_METRIC_L2, 5, 0xbf800000u, 0), NIGH_E_VECTOR);
    t_eq(check_i8(NIGH_METRIC_L2, 5, 0x7f800000u, 0), NIGH_E_VECTOR);
    t_eq(check_i8(NIGH_METRIC_L2, 5, 0x7fc00000u, 0), NIGH_E_VECTOR);
    t_eq(check_i8(NIGH_METRIC_COSINE, 5, 0x3f800000u, 5), NIGH_E_VECTOR);
    t_eq(check_i8(NIGH_METRIC_COSINE, -5, 0x3f800000u, -5), NIGH_E_VECTOR);
    t_eq(check_i8(NIGH_METRIC_COSINE, 5, 0x3f800000u, 4), NIGH_OK);
    nighi_metric metric = make(NIGH_METRIC_COSINE, NIGH_DTYPE_U8, 2, 0, NIGH_CPU_SCALAR);
    t_eq(nighi_row_check(&metric, "\0\0"), NIGH_E_VECTOR);
    t_eq(nighi_row_check(&metric, "\0\1"), NIGH_OK);
    metric = make(NIGH_METRIC_HAMMING, NIGH_DTYPE_B1, 11, 0, NIGH_CPU_SCALAR);
    t_eq(nighi_row_check(&metric, "\377\7"), NIGH_OK);
    t_eq(nighi_row_check(&metric, "\0\10"), NIGH_E_VECTOR);
}

TEST(custom_distances) {
    float d[VECTORS][VECTORS];
    nighi_metric metric = make(NIGH_METRIC_CUSTOM, NIGH_DTYPE_U8, 2, 0, NIGH_CPU_SCALAR);
    memset(stored, 0, sizeof stored);
    stored[1][0] = 7;
    stored[2][1] = 9;
    matrix(&metric, 0, d);
    t_eq(nighi_f32_bits(d[0][1]), 0x7f800000u); /* NaN */
    t_assert(d[0][2] == 9.0f && d[1][2] == 16.0f && d[1][1] == 0.0f);
}

/* ---- Conversion ----------------------------------------------------------------------------- */

TEST(conversion_there_and_back) {
    uint64_t state = t_seed();
    static float in[VECTORS * DIM_MAX];
    static float back[VECTORS * DIM_MAX];
    static uint8_t rows[VECTORS * STRIDE];
    static uint8_t again[VECTORS * STRIDE];
    for (uint32_t dtype = NIGH_DTYPE_F32; dtype <= NIGH_DTYPE_B1; dtype++) {
        for (size_t j = 0; j < DIMS; j++) {
            uint32_t dim = dims[j];
            size_t bytes = (size_t)nighi_row_bytes(dim, dtype) * VECTORS;
            for (size_t i = 0; i < VECTORS * dim; i++) {
                in[i] = ref_unit(&state) * (dtype == NIGH_DTYPE_U8 ? 300.0f : 4.0f);
            }
            memset(rows, 0xff, sizeof rows);
            t_eq(nighi_rows_from_f32(dim, dtype, VECTORS, in, rows), NIGH_OK);
            t_assert(rows[bytes] == 0xff);
            t_eq(nighi_rows_to_f32(dim, dtype, VECTORS, rows, back), NIGH_OK);
            for (size_t i = 0; i < VECTORS * dim; i++) {
                float want = in[i];
                float slack = dtype == NIGH_DTYPE_F32    ? 0.0f
                              : dtype == NIGH_DTYPE_F16  ? 0.002f
                              : dtype == NIGH_DTYPE_BF16 ? 0.016f
                              : dtype == NIGH_DTYPE_I8   ? 8.0f / 255.0f * 0.51f
                              : dtype == NIGH_DTYPE_U8   ? 0.5f
                                                         : 0.0f;
                if (dtype == NIGH_DTYPE_U8) {
                    want = want < 0 ? 0 : want > 255 ? 255 : want;
                } else if (dtype == NIGH_DTYPE_B1) {
                    want = want > 0 ? 1.0f : 0.0f;
                }
                t_assert(back[i] - want <= slack && want - back[i] <= slack);
            }
            if (dtype != NIGH_DTYPE_I8) { /* a second time changes nothing */
                t_eq(nighi_rows_from_f32(dim, dtype, VECTORS, back, again), NIGH_OK);
                t_bytes(rows, again, bytes);
            }
        }
    }
}

static void refuse(uint32_t dtype, float value) {
    float in[6] = {1, 2, 3, 4, 5, value};
    uint8_t out[64];
    memset(out, 0x5a, sizeof out);
    t_eq(nighi_rows_from_f32(3, dtype, 2, in, out), NIGH_E_VECTOR);
    for (size_t i = 0; i < sizeof out; i++) {
        t_eq(out[i], 0x5a);
    }
}

TEST(conversion_refuses) {
    float one = 1;
    uint8_t out[64];
    for (uint32_t dtype = NIGH_DTYPE_F32; dtype <= NIGH_DTYPE_B1; dtype++) {
        refuse(dtype, nighi_f32_from_bits(0x7fc00000u));
        refuse(dtype, nighi_f32_from_bits(0x7f800000u));
        refuse(dtype, nighi_f32_from_bits(0xff800000u));
    }
    refuse(NIGH_DTYPE_F16, 65520.0f);
    refuse(NIGH_DTYPE_BF16, 3.4e38f);
    t_eq(nighi_rows_from_f32(0, NIGH_DTYPE_F32, 1, &one, out), NIGH_E_INVALID);
    t_eq(nighi_rows_from_f32(65536, NIGH_DTYPE_F32, 1, &one, out), NIGH_E_INVALID);
    t_eq(nighi_rows_from_f32(1, 0, 1, &one, out), NIGH_E_INVALID);
    t_eq(nighi_rows_to_f32(1, 7, 1, out, &one), NIGH_E_INVALID);
    uint16_t halves[2] = {0x3c00, 0x7c00};
    float back[2] = {5, 5};
    t_eq(nighi_rows_to_f32(1, NIGH_DTYPE_F16, 2, halves, back), NIGH_E_VECTOR);
    t_assert(back[0] == 5.0f);
    uint8_t bits[1] = {8};
    t_eq(nighi_rows_to_f32(3, NIGH_DTYPE_B1, 1, bits, back), NIGH_E_VECTOR);
}

/* The whole range of float32 has an I8 form, constants and zero vectors too. */
TEST(i8_at_the_extremes) {
    static const float cases[][3] = {{0, 0, 0},       {5, 5, 5},          {-5, -5, -5},
                                     {1e-45f, 0, 0},  {1e-38f, 0, -1e-38f}, {3.4e38f, -3.4e38f, 0},
                                     {3.4e38f, 0, 0}, {-1e-30f, 1e30f, 1}, {0, 0, 255}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t row[12];
        float back[3];
        t_eq(nighi_rows_from_f32(3, NIGH_DTYPE_I8, 1, cases[i], row), NIGH_OK);
        t_eq(row[3], 0);
        nighi_metric metric = make(NIGH_METRIC_L2, NIGH_DTYPE_I8, 3, 0, NIGH_CPU_SCALAR);
        t_eq(nighi_row_check(&metric, row), NIGH_OK);
        t_eq(nighi_rows_to_f32(3, NIGH_DTYPE_I8, 1, row, back), NIGH_OK);
        float scale;
        memcpy(&scale, row + 4, 4);
        for (int j = 0; j < 3; j++) {
            double error = (double)back[j] - (double)cases[i][j];
            double bound = 0.502 * (double)scale;
            t_assert(error <= bound && error >= -bound);
        }
    }
}

SUITE {
    RUN(every_metric_and_dtype);
    RUN(cosine_of_tiny_and_huge_vectors);
    RUN(cosine_of_subnormal_zero_and_infinite_vectors);
    RUN(hostile_vectors_and_trailers);
    RUN(rows_are_checked);
    RUN(custom_distances);
    RUN(conversion_there_and_back);
    RUN(conversion_refuses);
    RUN(i8_at_the_extremes);
}
