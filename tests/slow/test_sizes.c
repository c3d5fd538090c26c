/* test_sizes.c - bytes an element of graph-only and packed images, and what a packed one answers
 * layer T; uses: data, fixture, jobs
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "data.h"
#include "fixture.h"
#include "jobs.h"
#include "t.h"

enum { DIM = 4, M = 8, QUERIES = 50 };

static double each(const nigh_index *index, uint32_t flags, uint32_t n) {
    uint64_t bytes = 0;
    t_ok(nigh_save_bytes(index, flags, &bytes));
    return (double)bytes / n;
}

/* n elements, at most so many bytes each without vectors: plain, packed. */
static void sizes(uint32_t keys, uint32_t n, double plain, double packed) {
    fx f, small;
    fx_hits a, b;
    rng r = {t_seed()};
    nigh_config config = fx_config(DIM, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    config.keys = keys;
    config.m = M;
    config.ef_build = 12;
    uint8_t *rows = data_rows(&r, DATA_UNIFORM, config.dtype, n + QUERIES, DIM);
    fx_init(&f, &config, n, n, 0, 64);
    t_ok(fx_build(&f, 0, n, rows, NULL));
    const double graph = each(f.index, NIGH_SAVE_GRAPH_ONLY, n);
    const double least = each(f.index, NIGH_SAVE_GRAPH_ONLY | NIGH_SAVE_PACKED, n);
    printf("%u elements, m %d, keys %u: graph only %.2f bytes each, packed %.2f\n", n, M, keys,
           graph, least);
    t_assert(graph <= plain && least <= packed);
    fx_bytes image = fx_save(f.index, NIGH_SAVE_GRAPH_ONLY | NIGH_SAVE_PACKED);
    t_ok(fx_attach(&small, image.data, image.size, NIGH_OPEN_VERIFY, 0, 64));
    t_ok(nigh_index_borrow(small.index, rows, f.row_bytes, n, 0));
    fx_check(small.index, small.session);
    fx_hits_init(&a, &f.config, 10);
    fx_hits_init(&b, &f.config, 10);
    for (uint32_t q = 0; q < QUERIES; q++) {
        t_ok(fx_search(&f, f.session, rows + (n + q) * f.row_bytes, NULL, 10, &a));
        t_ok(fx_search(&small, small.session, rows + (n + q) * f.row_bytes, NULL, 10, &b));
        fx_same_hits(&a, &b);
    }
    fx_hits_drop(&a);
    fx_hits_drop(&b);
    free(image.data);
    free(rows);
    fx_drop(&f);
    fx_drop(&small);
}

TEST(hundred_thousand) {
    sizes(NIGH_KEYS_U64, 100000, 95, 52);
    sizes(NIGH_KEYS_IDENTITY, 100000, 76, 41);
}

TEST(million) {
    if (!t_small()) {
        sizes(NIGH_KEYS_IDENTITY, 1000000, 76, 45);
        sizes(NIGH_KEYS_U64, 1000000, 95, 56);
    }
}

SUITE {
    RUN(hundred_thousand);
    RUN(million);
}
