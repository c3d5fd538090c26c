/* bench_search.c - how fast and how well an index answers: recall, speed and distances over ef
 * layer T; uses: nigh, nigh_hosted
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * usage: bench_search [index=FILE.nigh | base=FILE.npy] [queries=FILE.npy] [rows=20000] [dim=128]
 *                     [metric=l2] [m=16] [ef_build=200] [k=10] [ef=10,20,40,...] [expansions=0]
 *                     [rounds=5]
 * Without files the rows are clustered synthetic ones, and 1,000 queries of the same clusters. The
 * truth is nigh's own exact search. Prints for each ef the recall, queries a second of processor
 * time (the median round), microseconds of the median and 99th query, vectors scored and nodes
 * expanded a query. One thread. */
#define _GNU_SOURCE
#include "bench_rows.h"

enum { QUERIES = 1000, ROUNDS_MAX = 100 };

typedef struct finder {
    nigh_index *index;
    nigh_session *session;
    bench_rows queries;
    uint32_t k;
    uint32_t expansions;
    uint32_t *truth; /* slots, k a query */
    uint32_t *slots; /* the same of the last search */
    uint32_t *found; /* hits of each query */
    double *times;   /* seconds of each query */
    uint64_t distances;
    uint64_t expanded;
} finder;

static void search_all(finder *work, uint32_t ef, uint32_t flags, uint32_t *slots) {
    nigh_search_options options = {
        .struct_size = sizeof options, .ef = ef, .flags = flags, .expansions = work->expansions};
    nigh_session_stats stats = {.struct_size = sizeof stats};
    work->distances = work->expanded = 0;
    double before = bench_seconds(CLOCK_THREAD_CPUTIME_ID);
    for (uint32_t i = 0; i < work->queries.count; i++) {
        const float *query = work->queries.data + (size_t)i * work->queries.dim;
        bench_must(nigh_search(work->index, work->session, query, &options, work->k, NULL, NULL,
                               NULL, slots + (size_t)i * work->k, &work->found[i]),
                   "search");
        nigh_session_stats_get(work->session, &stats);
        work->distances += stats.distances;
        work->expanded += stats.expansions;
        double now = bench_seconds(CLOCK_THREAD_CPUTIME_ID);
        work->times[i] = now - before;
        before = now;
    }
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double recall(const finder *work) {
    uint64_t same = 0;
    for (uint32_t i = 0; i < work->queries.count; i++) {
        const uint32_t *want = work->truth + (size_t)i * work->k;
        const uint32_t *have = work->slots + (size_t)i * work->k;
        for (uint32_t a = 0; a < work->found[i]; a++) {
            for (uint32_t b = 0; b < work->k; b++) {
                same += have[a] == want[b];
            }
        }
    }
    return (double)same / ((double)work->queries.count * work->k);
}

static void one_ef(finder *work, uint32_t ef, uint32_t rounds) {
    double totals[ROUNDS_MAX];
    uint32_t count = work->queries.count;
    search_all(work, ef, 0, work->slots);
    for (uint32_t round = 0; round < rounds; round++) {
        double start = bench_seconds(CLOCK_THREAD_CPUTIME_ID);
        search_all(work, ef, 0, work->slots);
        totals[round] = bench_seconds(CLOCK_THREAD_CPUTIME_ID) - start;
    }
    qsort(totals, rounds, sizeof *totals, by_value);
    qsort(work->times, count, sizeof *work->times, by_value);
    printf("%6u %8.4f %9.0f %9.1f %9.1f %10.1f %9.1f\n", ef, recall(work),
           count / totals[rounds / 2], work->times[count / 2] * 1e6,
           work->times[count - 1 - count / 100] * 1e6, (double)work->distances / count,
           (double)work->expanded / count);
    fflush(stdout);
}

static nigh_index *built(int argc, char **argv) {
    bench_rows rows = bench_base(argc, argv, "20000");
    nigh_config config = {.struct_size = sizeof config,
                          .dim = rows.dim,
                          .metric = bench_metric(argc, argv),
                          .dtype = NIGH_DTYPE_F32,
                          .keys = NIGH_KEYS_IDENTITY,
                          .m = bench_number(argc, argv, "m", "16"),
                          .ef_build = bench_number(argc, argv, "ef_build", "200"),
                          .seed = 42};
    nigh_session_options options = {.struct_size = sizeof options, .ef_max = config.ef_build};
    nigh_index *index = NULL;
    nigh_session *session = NULL;
    uint32_t done = 0;
    bench_must(nigh_index_new(&config, NULL, rows.count, 0, &index), "index");
    bench_must(nigh_session_new(index, &options, &session), "session");
    double start = bench_seconds(CLOCK_THREAD_CPUTIME_ID);
    bench_must(nigh_insert(index, session, 0, NULL, NULL, rows.data, rows.count, &done), "insert");
    printf("%u x %u built in %.2f s\n", rows.count, rows.dim,
           bench_seconds(CLOCK_THREAD_CPUTIME_ID) - start);
    nigh_close(session);
    nigh_close(rows.data);
    return index;
}

static nigh_index *opened(const char *path) {
    char message[256];
    nigh_index *index = NULL;
    if (nigh_index_open(path, NIGH_FILE_WILLNEED, NULL, 0, 0, &index, message, sizeof message) !=
        NIGH_OK) {
        bench_die(path, message);
    }
    return index;
}

static void prepare(finder *work, int argc, char **argv, uint32_t ef_max) {
    const char *path = bench_text(argc, argv, "index", NULL);
    const char *query_path = bench_text(argc, argv, "queries", NULL);
    nigh_config config = {.struct_size = sizeof config};
    work->index = path != NULL ? opened(path) : built(argc, argv);
    bench_must(nigh_config_get(work->index, &config), "index");
    work->queries =
        query_path != NULL ? bench_file(query_path, 0) : bench_clustered(QUERIES, config.dim, 2);
    if (config.dtype != NIGH_DTYPE_F32 || work->queries.dim != config.dim) {
        bench_die("queries", "the index has vectors of another kind or length");
    }
    work->k = bench_number(argc, argv, "k", "10");
    work->expansions = bench_number(argc, argv, "expansions", "0");
    nigh_session_options options = {.struct_size = sizeof options,
                                    .flags = NIGH_SESSION_READ,
                                    .ef_max = ef_max > work->k ? ef_max : work->k};
    bench_must(nigh_session_new(work->index, &options, &work->session), "session");
    uint64_t hits = (uint64_t)work->queries.count * work->k;
    work->truth = bench_memory(hits * sizeof *work->truth);
    work->slots = bench_memory(hits * sizeof *work->slots);
    work->found = bench_memory(work->queries.count * sizeof *work->found);
    work->times = bench_memory(work->queries.count * sizeof *work->times);
    search_all(work, work->k, NIGH_SEARCH_EXACT, work->truth);
}

int main(int argc, char **argv) {
    bench_known(argc, argv, "index base queries rows dim metric m ef_build k ef expansions rounds",
                "not index= base= queries= rows= dim= metric= m= ef_build= k= ef= expansions= "
                "rounds=");
    bench_list ef = bench_numbers(argc, argv, "ef", "10,20,40,80,160,320");
    uint32_t rounds = bench_number(argc, argv, "rounds", "5");
    finder work = {0};
    rounds = rounds == 0 ? 1 : rounds < ROUNDS_MAX ? rounds : ROUNDS_MAX;
    prepare(&work, argc, argv, bench_most(&ef));
    printf("%6s %8s %9s %9s %9s %10s %9s\n", "ef", "recall", "q/s", "p50 us", "p99 us", "distances",
           "expanded");
    for (uint32_t i = 0; i < ef.count; i++) {
        one_ef(&work, ef.value[i], rounds);
    }
    nigh_close(work.session);
    nigh_close(work.index);
    nigh_close(work.queries.data);
    nigh_close(work.truth);
    nigh_close(work.slots);
    nigh_close(work.found);
    nigh_close(work.times);
    return 0;
}
