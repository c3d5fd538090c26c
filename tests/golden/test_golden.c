/* test_golden.c - the same input gives the same bytes: digests of images and results, committed
 * layer T; uses: data, fixture, jobs, sha256
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * digests.txt holds, a line each, a name and the SHA-256 of a saved image or of all (key, distance
 * bits) that a row of searches gave. They are the same for every NIGH_TEST_FEATURES, compiler,
 * optimisation level and machine. NIGH_GOLDEN_UPDATE=1 writes the file anew: only when a change of
 * bytes or results is meant. */
#include "data.h"
#include "fixture.h"
#include "jobs.h"
#include "sha256.h"
#include "t.h"

enum { LINES = 200 };

typedef struct line {
    char name[40];
    char digest[65];
} line;

static line lines[LINES]; /* what this run computed */
static uint32_t line_count;

static void note(const char *name, sha256 *s) {
    t_assert(line_count < LINES);
    snprintf(lines[line_count].name, sizeof lines->name, "%s", name);
    sha256_end(s, lines[line_count++].digest);
}

static void note_image(const char *name, const nigh_index *index, uint32_t flags) {
    sha256 s;
    fx_bytes image = fx_save(index, flags);
    sha256_begin(&s);
    sha256_add(&s, image.data, image.size);
    note(name, &s);
    free(image.data);
}

static void add_hits(sha256 *s, const fx_hits *h) {
    sha256_add(s, h->ids, h->found * sizeof *h->ids);
    sha256_add(s, h->distances, h->found * sizeof *h->distances);
}

static void note_hits(const char *name, fx *f, const uint8_t *queries, uint32_t count) {
    sha256 s;
    fx_hits h;
    sha256_begin(&s);
    fx_hits_init(&h, &f->config, 10);
    for (uint32_t q = 0; q < count; q++) {
        for (uint32_t flags = 0; flags <= NIGH_SEARCH_EXACT; flags++) {
            nigh_search_options so = fx_search_options(10 + q % 50, flags);
            so.expansions = 1 + q % 4;
            t_ok(fx_search(f, f->session, queries + q * f->row_bytes, &so, 10, &h));
            add_hits(&s, &h);
        }
        t_ok(nigh_cursor_begin(f->index, f->session, queries + q * f->row_bytes, NULL));
        for (int page = 0; page < 3; page++) {
            t_ok(fx_next(f, f->session, 7, &h));
            add_hits(&s, &h);
        }
    }
    note(name, &s);
    fx_hits_drop(&h);
}

/* A history with every kind of change in it. */
static void history(fx *f, const uint8_t *rows, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        const uint8_t *row = rows + i * f->row_bytes;
        if (i % 50 == 0) {
            uint32_t room = i + 50 < n ? i + 50 : n;
            fx_grow(f, room, (uint64_t)room * 25);
        }
        t_ok(fx_insert(f, f->session, 0, i, row));
        if (i % 6 == 5) {
            t_ok(fx_remove(f, f->session, i - 3));
        }
        if (i % 12 == 11) {
            t_ok(fx_unremove(f, f->session, i - 9));
        }
        if (i % 9 == 8) {
            t_ok(fx_set(f, f->session, 0, i - 7, row));
        }
        if (i % 18 == 17 && f->config.keys != NIGH_KEYS_IDENTITY) {
            t_ok(fx_insert(f, f->session, NIGH_REPLACE_DELETED, 100000 + i, row));
        }
    }
    fx_check(f->index, f->session);
}

static void synthetic(uint32_t i, uint32_t metric, uint32_t dtype) {
    static const char *const metrics[] = {"", "l2", "ip", "cosine", "l1", "hamming"};
    static const char *const dtypes[] = {"", "f32", "f16", "bf16", "i8", "u8", "b1"};
    enum { N = 240, QUERIES = 20 };
    fx f;
    rng r = {1000 + i}; /* not t_seed: goldens have one input */
    char name[40];
    nigh_config config = fx_config(20 + i * 5, metric, dtype);
    config.keys = i % 3;
    config.key_bytes_max = 25;
    config.m = 4 + i % 9;
    config.expansions = 1 + i % 3;
    config.block_bytes = i % 2 == 0 ? 0 : 2048;
    int kind = (int)(i % DATA_EQUAL);
    uint8_t *rows = data_rows(&r, kind, dtype, N + QUERIES, config.dim);
    fx_init(&f, &config, N, 0, 0, 128);
    history(&f, rows, N);
    snprintf(name, sizeof name, "%s-%s-image", dtypes[dtype], metrics[metric]);
    note_image(name, f.index, 0);
    snprintf(name, sizeof name, "%s-%s-hits", dtypes[dtype], metrics[metric]);
    note_hits(name, &f, rows + N * f.row_bytes, QUERIES);
    if (i < 3) { /* each kind of keys */
        snprintf(name, sizeof name, "%s-%s-packed", dtypes[dtype], metrics[metric]);
        note_image(name, f.index, NIGH_SAVE_PACKED);
    }
    free(rows);
    fx_drop(&f);
}

/* A build in batches on codes, changed afterwards. */
static void coded(uint32_t codes, uint32_t metric, uint32_t dtype, const char *name) {
    enum { N = 600, QUERIES = 20 };
    fx f;
    rng r = {2000 + codes * 10 + metric};
    char text[40];
    nigh_config config = fx_config(45 + metric, metric, dtype);
    config.codes = codes;
    config.m = 5 + metric;
    config.alpha = metric % 2 == 0 ? 1.2f : 0;
    config.build_flags = metric == NIGH_METRIC_L1 ? NIGH_BUILD_KEEP_PRUNED : 0;
    uint8_t *rows = data_rows(&r, DATA_CLUSTERED, dtype, N + QUERIES, config.dim);
    fx_init(&f, &config, N, N, 0, 128);
    t_ok(fx_build(&f, 0, N - 50, rows, NULL));
    fx_insert_many(&f, N - 50, 50, rows + (N - 50) * f.row_bytes);
    for (uint32_t i = 7; i < N; i += 40) {
        t_ok(fx_remove(&f, f.session, i));
        t_ok(fx_set(&f, f.session, 0, i + 1, rows + i * f.row_bytes));
    }
    fx_check(f.index, f.session);
    snprintf(text, sizeof text, "codes-%s-image", name);
    note_image(text, f.index, 0);
    snprintf(text, sizeof text, "codes-%s-hits", name);
    note_hits(text, &f, rows + N * f.row_bytes, QUERIES);
    t_ok(fx_work(&f, NIGH_JOB_VACUUM, 2, 3));
    t_ok(fx_work(&f, NIGH_JOB_REFINE, 2, 5));
    fx_check(f.index, f.session);
    snprintf(text, sizeof text, "codes-%s-worked", name);
    note_image(text, f.index, 0);
    free(rows);
    fx_drop(&f);
}

static void words(uint32_t n, const char *image, const char *hits) {
    enum { QUERIES = 100 };
    fx f;
    uint32_t count = 0, dim = 0;
    uint16_t *rows = data_words(&count, &dim);
    t_assert(n + QUERIES <= count);
    nigh_config config = fx_config(dim, NIGH_METRIC_COSINE, NIGH_DTYPE_F16);
    config.ef_build = 100;
    fx_init(&f, &config, n, n, 0, 128);
    fx_insert_many(&f, 0, n, (const uint8_t *)rows);
    note_image(image, f.index, 0);
    note_hits(hits, &f, (const uint8_t *)(rows + (size_t)n * dim), QUERIES);
    free(rows);
    fx_drop(&f);
}

/* Distances beyond what a float holds: refine takes its alpha from them all the same. */
static void huge(void) {
    enum { N = 700, DIM = 8 };
    fx f;
    rng r = {3000};
    nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    config.m = 4;
    config.build_flags = NIGH_BUILD_EXACT;
    float *rows = (float *)(void *)data_rows(&r, DATA_UNIFORM, config.dtype, N, DIM);
    for (uint32_t i = 0; i < N * DIM; i++) {
        rows[i] *= i / DIM % 2 == 0 ? 1e25f : 1e18f; /* infinity, and not */
    }
    fx_init(&f, &config, N, N, 0, 128);
    t_ok(fx_build(&f, 0, N, rows, NULL));
    t_ok(fx_work(&f, NIGH_JOB_REFINE, 1, 1));
    fx_check(f.index, f.session);
    note_image("huge-refined", f.index, 0);
    free(rows);
    fx_drop(&f);
}

static void compute(void) {
    uint32_t metric, dtype;
    for (uint32_t i = 0; fx_pair(i, &metric, &dtype); i++) {
        synthetic(i, metric, dtype);
    }
    words(600, "words-600-image", "words-600-hits");
    huge();
    coded(NIGH_CODES_U7, NIGH_METRIC_COSINE, NIGH_DTYPE_F32, "u7-cosine");
    coded(NIGH_CODES_U7, NIGH_METRIC_L2, NIGH_DTYPE_F16, "u7-l2");
    coded(NIGH_CODES_U7, NIGH_METRIC_IP, NIGH_DTYPE_F32, "u7-ip");
    coded(NIGH_CODES_U7, NIGH_METRIC_L1, NIGH_DTYPE_I8, "u7-l1");
    coded(NIGH_CODES_NONE, NIGH_METRIC_COSINE, NIGH_DTYPE_F32, "draft-cosine");
    coded(NIGH_CODES_NONE, NIGH_METRIC_L2, NIGH_DTYPE_F16, "draft-l2");
    coded(NIGH_CODES_NONE, NIGH_METRIC_IP, NIGH_DTYPE_BF16, "draft-ip");
    coded(NIGH_CODES_NONE, NIGH_METRIC_L1, NIGH_DTYPE_U8, "none-l1");
    coded(NIGH_CODES_B1, NIGH_METRIC_COSINE, NIGH_DTYPE_BF16, "b1-cosine");
    coded(NIGH_CODES_B1, NIGH_METRIC_L2, NIGH_DTYPE_U8, "b1-l2");
    if (!t_small()) {
        words(4900, "words-4900-image", "words-4900-hits");
    }
}

static void update(const char *path) {
    FILE *file = fopen(path, "w");
    t_assert(file != NULL);
    for (uint32_t i = 0; i < line_count; i++) {
        fprintf(file, "%s %s\n", lines[i].name, lines[i].digest);
    }
    t_eq(fclose(file), 0);
    printf("%s: %u digests written\n", path, line_count);
}

TEST(golden) {
    char path[300], name[40], digest[65];
    uint32_t matched = 0, wrong = 0;
    data_path(path, "golden/digests.txt");
    compute();
    if (getenv("NIGH_GOLDEN_UPDATE") != NULL) {
        update(path);
        return;
    }
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        t_failf("cannot open %s", path);
    }
    while (fscanf(file, "%39s %64s", name, digest) == 2) {
        for (uint32_t i = 0; i < line_count; i++) {
            if (strcmp(lines[i].name, name) == 0) {
                matched++;
                if (strcmp(lines[i].digest, digest) != 0) {
                    printf("%s: %s, want %s\n", name, lines[i].digest, digest);
                    wrong++;
                }
            }
        }
    }
    fclose(file);
    t_eq(wrong, 0);
    t_eq(matched, line_count);
}

SUITE { RUN(golden); }
