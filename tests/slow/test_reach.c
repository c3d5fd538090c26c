/* test_reach.c - every live key is found by its own vector at ef = n, where peers lose some
 * layer T; uses: data, fixture
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Reachability is shown three times: by nigh_check, by walking the links from the entry point here,
 * and by searching for the keys that have the fewest links leading to them, and for random ones. */
#include "data.h"
#include "fixture.h"
#include "t.h"

enum { SAMPLE = 300 };

static uint32_t scaled(uint32_t n) { return t_small() ? n / 20 : n; }

typedef struct node {
    uint32_t in; /* links in layer 0 that lead here */
    uint32_t slot;
} node;

static int fewest_first(const void *a, const void *b) {
    const node *x = a, *y = b;
    return x->in != y->in ? (x->in > y->in) - (x->in < y->in)
                          : (x->slot > y->slot) - (x->slot < y->slot);
}

/* Walks layer 0 from the entry point; counts the links that lead to each slot. */
static void walk(const fx *f, uint32_t n, node *nodes) {
    uint32_t *links = fx_malloc(2048 * sizeof *links), *queue = fx_malloc((uint64_t)n * 4);
    uint8_t *seen = fx_malloc(n);
    uint32_t head = 0, tail = 0, count = 0, flags = 0;
    nigh_stats stats = {0};
    stats.struct_size = sizeof stats;
    t_ok(nigh_stats_get(f->index, &stats));
    t_eq(stats.slot_count, n);
    for (uint32_t slot = 0; slot < n; slot++) {
        nodes[slot] = (node){0, slot};
    }
    queue[tail++] = stats.entry_slot;
    seen[stats.entry_slot] = 1;
    while (head < tail) {
        t_ok(nigh_node(f->index, queue[head++], 0, NULL, &flags, links, &count));
        for (uint32_t i = 0; i < count; i++) {
            t_assert(links[i] < n);
            nodes[links[i]].in++;
            if (!seen[links[i]]) {
                seen[links[i]] = 1;
                queue[tail++] = links[i];
            }
        }
    }
    if (tail != n) {
        t_failf("%u of %u nodes cannot be reached from the entry", n - tail, n);
    }
    free(links);
    free(queue);
    free(seen);
}

static void found_by_itself(fx *f, uint32_t n, uint32_t slot, fx_hits *h, uint8_t *row) {
    nigh_search_options so = fx_search_options(n, 0);
    uint64_t key = 0;
    uint32_t same = 0, found = 0, done = 0;
    t_ok(nigh_keys(f->index, slot, 1, &key, NULL, &same, &found));
    t_assert(found == 1);
    if (same != slot) {
        return; /* this one is removed */
    }
    t_ok(nigh_get(f->index, f->session, &key, NULL, 1, row, NULL, &done));
    t_ok(fx_search(f, f->session, row, &so, n, h));
    for (uint32_t i = 0; i < h->found; i++) {
        if (h->slots[i] == slot) {
            return;
        }
    }
    t_failf("slot %u is not found by its own vector at ef = %u", slot, n);
}

static void reachable(fx *f, uint32_t n) {
    rng r = {t_seed()};
    node *nodes = fx_malloc((uint64_t)n * sizeof *nodes);
    nigh_session_options so = fx_session_options(n, 0, NIGH_SESSION_READ);
    nigh_stats stats = {0};
    stats.struct_size = sizeof stats;
    fx_hits h;
    uint8_t *row = fx_exact(f->row_bytes);
    f->session = fx_session(f, &so);
    fx_check(f->index, f->session);
    walk(f, n, nodes);
    qsort(nodes, n, sizeof *nodes, fewest_first);
    fx_hits_init(&h, &f->config, n);
    uint32_t sample = n > 20000 ? SAMPLE : SAMPLE + 50;
    for (uint32_t i = 0; i < sample && i < n; i++) {
        uint32_t slot = i % 2 == 0 ? nodes[i / 2].slot : rng_below(&r, n);
        found_by_itself(f, n, slot, &h, row);
    }
    t_ok(nigh_stats_get(f->index, &stats));
    printf("  %u slots, %u live; fewest links to a slot: %u\n", n, stats.live_count, nodes[0].in);
    fx_hits_drop(&h);
    free(row);
    free(nodes);
}

static void build(fx *f, uint32_t dim, uint32_t m, uint32_t ef_build, const uint8_t *rows,
                  uint32_t n) {
    nigh_config config = fx_config(dim, NIGH_METRIC_L2, NIGH_DTYPE_F32);
    config.m = m;
    config.ef_build = ef_build;
    fx_init(f, &config, n, n, 0, 256);
    fx_insert_many(f, 0, n, rows);
}

TEST(tenth_are_duplicates) {
    enum { DIM = 128 };
    uint32_t n = scaled(50000);
    fx f;
    rng r = {t_seed()};
    uint8_t *rows = data_rows(&r, DATA_UNIFORM, NIGH_DTYPE_F32, n, DIM);
    for (uint32_t i = 1; i < n; i++) {
        if (rng_below(&r, 10) == 0) {
            memcpy(rows + (size_t)i * DIM * 4, rows + (size_t)rng_below(&r, i) * DIM * 4, DIM * 4);
        }
    }
    build(&f, DIM, 16, 60, rows, n);
    free(rows);
    reachable(&f, n);
    fx_drop(&f);
}

TEST(all_equal) {
    uint32_t n = scaled(20000);
    fx f;
    rng r = {t_seed()};
    uint8_t *rows = data_rows(&r, DATA_EQUAL, NIGH_DTYPE_F32, n, 16);
    build(&f, 16, 8, 60, rows, n);
    free(rows);
    reachable(&f, n);
    fx_drop(&f);
}

TEST(uniform_few_links) {
    uint32_t n = scaled(10000);
    fx f;
    rng r = {t_seed()};
    uint8_t *rows = data_rows(&r, DATA_UNIFORM, NIGH_DTYPE_F32, n, 128);
    build(&f, 128, 8, 100, rows, n);
    free(rows);
    reachable(&f, n);
    fx_drop(&f);
}

TEST(clustered_few_links) {
    uint32_t n = scaled(10000);
    fx f;
    rng r = {t_seed()};
    uint8_t *rows = data_rows(&r, DATA_CLUSTERED, NIGH_DTYPE_F32, n, 64);
    build(&f, 64, 4, 60, rows, n);
    free(rows);
    reachable(&f, n);
    fx_drop(&f);
}

/* ---- Real words, ten times half of them taken out and put in again --------------------------- */

enum { ROUNDS = 10, QUERIES = 400, K = 10 };

/* recall@10 of what lies in the index, against scoring all of it. */
static double recall(fx *f, const uint16_t *queries, uint32_t dim) {
    fx_hits graph, exact;
    uint32_t hits = 0, all = 0;
    fx_hits_init(&graph, &f->config, K);
    fx_hits_init(&exact, &f->config, K);
    for (uint32_t q = 0; q < QUERIES; q++) {
        nigh_search_options so = fx_search_options(24, 0);
        t_ok(fx_search(f, f->session, queries + (size_t)q * dim, &so, K, &graph));
        so.flags = NIGH_SEARCH_EXACT;
        t_ok(fx_search(f, f->session, queries + (size_t)q * dim, &so, K, &exact));
        t_assert(graph.found == K && exact.found == K);
        for (uint32_t i = 0; i < K; i++) {
            hits += graph.distances[i] <= exact.distances[K - 1];
            all++;
        }
    }
    fx_hits_drop(&graph);
    fx_hits_drop(&exact);
    return (double)hits / all;
}

static void shuffle(rng *r, uint32_t *list, uint32_t count) {
    for (uint32_t i = count; i > 1; i--) {
        uint32_t j = rng_below(r, i), keep = list[i - 1];
        list[i - 1] = list[j];
        list[j] = keep;
    }
}

/* The id of word w in its life l is w + l * n: a word comes back under a new key. */
static void churn(fx *f, const uint16_t *words, uint32_t n, uint32_t dim, uint32_t *life) {
    rng r = {t_seed()};
    uint32_t *order = fx_malloc((uint64_t)n * 4);
    for (uint32_t i = 0; i < n; i++) {
        order[i] = i;
    }
    for (uint32_t round = 0; round < ROUNDS; round++) {
        shuffle(&r, order, n);
        for (uint32_t i = 0; i < n / 2; i++) {
            t_ok(fx_remove(f, f->session, order[i] + (uint64_t)life[order[i]] * n));
        }
        shuffle(&r, order, n / 2);
        for (uint32_t i = 0; i < n / 2; i++) {
            uint32_t w = order[i];
            life[w]++;
            t_ok(fx_insert(f, f->session, NIGH_REPLACE_DELETED, w + (uint64_t)life[w] * n,
                           words + (size_t)w * dim));
        }
        fx_check(f->index, f->session);
    }
    free(order);
}

TEST(words_churned) {
    uint32_t count = 0, dim = 0;
    uint16_t *words = data_words(&count, &dim);
    uint32_t n = (t_small() ? 1000 : count) - QUERIES;
    uint32_t *life = fx_malloc((uint64_t)n * 4);
    const uint16_t *queries = words + (size_t)n * dim;
    fx fresh, f;
    nigh_config config = fx_config(dim, NIGH_METRIC_COSINE, NIGH_DTYPE_F16);
    config.m = 8;
    config.ef_build = 100;
    fx_init(&fresh, &config, n, n, 0, 256);
    fx_insert_many(&fresh, 0, n, (const uint8_t *)words);
    fx_init(&f, &config, n, n, 0, 256);
    fx_insert_many(&f, 0, n, (const uint8_t *)words);
    churn(&f, words, n, dim, life);
    double before = recall(&fresh, queries, dim), after = recall(&f, queries, dim);
    printf("  recall@10: fresh %.4f, after %d rounds %.4f\n", before, ROUNDS, after);
    t_assert(before > 0.85 && after >= before - 0.01);
    reachable(&f, n);
    reachable(&fresh, n);
    free(life);
    free(words);
    fx_drop(&f);
    fx_drop(&fresh);
}

/* Ten times every key gets another word's vector, in place: no worse than a fresh build. */
TEST(words_moved) {
    uint32_t count = 0, dim = 0;
    uint16_t *words = data_words(&count, &dim);
    uint32_t n = (t_small() ? 1000 : count) - QUERIES;
    uint32_t *order = fx_malloc((uint64_t)n * 4);
    const uint16_t *queries = words + (size_t)n * dim;
    rng r = {t_seed()};
    fx fresh, f;
    nigh_config config = fx_config(dim, NIGH_METRIC_COSINE, NIGH_DTYPE_F16);
    config.m = 8;
    config.ef_build = 100;
    fx_init(&fresh, &config, n, n, 0, 256);
    fx_insert_many(&fresh, 0, n, (const uint8_t *)words);
    fx_init(&f, &config, n, n, 0, 256);
    fx_insert_many(&f, 0, n, (const uint8_t *)words);
    for (uint32_t i = 0; i < n; i++) {
        order[i] = i;
    }
    for (uint32_t round = 0; round < ROUNDS; round++) {
        shuffle(&r, order, n);
        for (uint32_t i = 0; i < n; i++) {
            t_ok(fx_set(&f, f.session, 0, i, words + (size_t)order[i] * dim));
        }
        fx_check(f.index, f.session);
    }
    double before = recall(&fresh, queries, dim), after = recall(&f, queries, dim);
    printf("  recall@10: fresh %.4f, all moved %d times %.4f\n", before, ROUNDS, after);
    t_assert(after >= before - 0.01);
    reachable(&f, n);
    free(order);
    free(words);
    fx_drop(&f);
    fx_drop(&fresh);
}

SUITE {
    RUN(tenth_are_duplicates);
    RUN(all_equal);
    RUN(uniform_few_links);
    RUN(clustered_few_links);
    RUN(words_churned);
    RUN(words_moved);
}
