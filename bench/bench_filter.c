/* bench_filter.c - filtered searches: recall, speed and cost over how much a filter allows
 * layer T; uses: nigh, nigh_hosted
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * usage: bench_filter index=FILE.nigh queries=FILE.npy [s=1,3,10,30,100,300,500,800,950,1000]
 *                     [near=500,100] [removed=10,100,500] [ef=20,50,100] [k=10] [count=300]
 *                     [rounds=3] [callback=0] [exact=1]
 * s: thousandths of all slots that random bitmaps allow. near: the same, but those nearest to one
 * random vector. removed: thousandths that are removed, without a filter, after all else. callback:
 * a function asks the same bitmap. exact: NIGH_SEARCH_EXACT as well (its row has ef 0). 0 in a list
 * leaves it out. The truth is nigh's own exact search on true vectors. Prints recall, queries a
 * second of processor time (the median round), vectors scored, nodes expanded, searches that
 * scanned, calls of the filter, a query. One thread. */
#define _GNU_SOURCE
#include "bench_rows.h"

enum { ROUNDS_MAX = 100 };

typedef struct sieve {
    nigh_index *index;
    nigh_session *session;
    bench_rows queries;
    uint32_t slots;
    uint32_t k;
    uint32_t rounds;
    bool callback;
    bool exact;
    uint32_t *bits;
    uint64_t calls;
    uint32_t *truth; /* slots, k a query */
    uint32_t *have;
    uint32_t *wanted; /* hits of each query of the truth */
    uint32_t *found;
    nigh_session_stats sum;
} sieve;

static int32_t ask(void *user, uint32_t slot, const uint64_t *key) {
    sieve *work = user;
    (void)key;
    work->calls++;
    return (int32_t)(work->bits[slot / 32] >> slot % 32 & 1);
}

static void search_all(sieve *work, uint32_t ef, uint32_t flags, uint32_t *slots, uint32_t *found) {
    nigh_search_options options = {.struct_size = sizeof options, .ef = ef, .flags = flags};
    nigh_session_stats stats = {.struct_size = sizeof stats};
    work->sum = stats;
    work->calls = 0;
    for (uint32_t i = 0; i < work->queries.count; i++) {
        const float *query = work->queries.data + (size_t)i * work->queries.dim;
        bench_must(nigh_search(work->index, work->session, query, &options, work->k, NULL, NULL,
                               NULL, slots + (size_t)i * work->k, &found[i]),
                   "search");
        nigh_session_stats_get(work->session, &stats);
        work->sum.distances += stats.distances;
        work->sum.expansions += stats.expansions;
        work->sum.scanned += stats.scanned;
    }
}

static double recall(const sieve *work) {
    uint64_t same = 0, all = 0;
    for (uint32_t i = 0; i < work->queries.count; i++) {
        const uint32_t *want = work->truth + (size_t)i * work->k;
        const uint32_t *have = work->have + (size_t)i * work->k;
        all += work->wanted[i];
        for (uint32_t a = 0; a < work->found[i]; a++) {
            for (uint32_t b = 0; b < work->wanted[i]; b++) {
                same += have[a] == want[b];
            }
        }
    }
    return all == 0 ? 1 : (double)same / (double)all;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void one_ef(sieve *work, const char *name, uint32_t share, uint32_t ef) {
    double totals[ROUNDS_MAX];
    double count = work->queries.count;
    uint32_t flags = ef == 0 ? NIGH_SEARCH_EXACT : 0;
    for (uint32_t round = 0; round < work->rounds; round++) {
        double start = bench_seconds(CLOCK_THREAD_CPUTIME_ID);
        search_all(work, ef, flags, work->have, work->found);
        totals[round] = bench_seconds(CLOCK_THREAD_CPUTIME_ID) - start;
    }
    qsort(totals, work->rounds, sizeof *totals, by_value);
    printf("%-8s %5.3f %5u %7.4f %8.0f %9.1f %8.1f %6.3f %8.1f\n", name, share / 1000.0, ef,
           recall(work), count / totals[work->rounds / 2], work->sum.distances / count,
           work->sum.expansions / count, work->sum.scanned / count, (double)work->calls / count);
    fflush(stdout);
}

static void one_filter(sieve *work, const char *name, uint32_t share, const bench_list *ef,
                       bool filtered) {
    const uint32_t *bits = filtered ? work->bits : NULL;
    bench_must(nigh_session_filter(work->session, bits, filtered ? work->slots : 0, NULL, NULL),
               "filter");
    search_all(work, work->k, NIGH_SEARCH_EXACT | NIGH_SEARCH_NO_CODES, work->truth, work->wanted);
    if (filtered && work->callback) {
        bench_must(nigh_session_filter(work->session, NULL, 0, ask, work), "filter");
    }
    if (work->exact) {
        one_ef(work, name, share, 0);
    }
    for (uint32_t i = 0; i < ef->count; i++) {
        one_ef(work, name, share, ef->value[i]);
    }
}

static void random_bits(sieve *work, uint32_t share) {
    uint64_t state = 7;
    memset(work->bits, 0, (work->slots + 31) / 32 * sizeof *work->bits);
    for (uint32_t i = 0; i < work->slots; i++) {
        work->bits[i / 32] |= (uint32_t)(bench_random(&state) % 1000 < share) << i % 32;
    }
}

/* Sets the bits of the slots that are nearest to a random vector. */
static void near_bits(sieve *work, uint32_t share) {
    uint32_t want = (uint32_t)((uint64_t)work->slots * share / 1000), found = 0;
    uint64_t state = 11;
    nigh_session_options options = {
        .struct_size = sizeof options, .flags = NIGH_SESSION_READ, .ef_max = want};
    nigh_search_options exact = {.struct_size = sizeof exact, .flags = NIGH_SEARCH_EXACT};
    nigh_session *session = NULL;
    float *vector = bench_memory(work->queries.dim * sizeof *vector);
    uint32_t *slots = bench_memory((uint64_t)want * sizeof *slots);
    for (uint32_t i = 0; i < work->queries.dim; i++) {
        vector[i] = bench_normal(&state);
    }
    bench_must(nigh_session_new(work->index, &options, &session), "session");
    bench_must(
        nigh_search(work->index, session, vector, &exact, want, NULL, NULL, NULL, slots, &found),
        "search");
    memset(work->bits, 0, (work->slots + 31) / 32 * sizeof *work->bits);
    for (uint32_t i = 0; i < found; i++) {
        work->bits[slots[i] / 32] |= 1u << slots[i] % 32;
    }
    nigh_close(session);
    nigh_close(vector);
    nigh_close(slots);
}

/* Removes random keys (numbers that are their slots) until `share` of all are gone. */
static void remove_some(sieve *work, uint32_t share) {
    uint64_t state = 13;
    uint32_t done = 0;
    for (uint64_t key = 0; key < work->slots; key++) {
        if (bench_random(&state) % 1000 < share) {
            nigh_status status = nigh_remove(work->index, work->session, &key, NULL, 1, &done);
            bench_must(status == NIGH_E_DELETED ? NIGH_OK : status, "remove");
        }
    }
}

static void prepare(sieve *work, int argc, char **argv, uint32_t ef_max) {
    char message[256];
    nigh_config config = {.struct_size = sizeof config};
    nigh_stats stats = {.struct_size = sizeof stats};
    const char *path = bench_text(argc, argv, "index", "");
    if (nigh_index_open(path, NIGH_FILE_PRIVATE, NULL, 0, 0, &work->index, message,
                        sizeof message) != NIGH_OK) {
        bench_die(path, message);
    }
    bench_must(nigh_config_get(work->index, &config), "index");
    bench_must(nigh_stats_get(work->index, &stats), "index");
    work->queries =
        bench_file(bench_text(argc, argv, "queries", ""), bench_number(argc, argv, "count", "300"));
    if (config.dtype != NIGH_DTYPE_F32 || work->queries.dim != config.dim) {
        bench_die("queries", "the index has vectors of another kind or length");
    }
    work->slots = stats.slot_count;
    work->k = bench_number(argc, argv, "k", "10");
    work->callback = bench_number(argc, argv, "callback", "0") != 0;
    work->exact = bench_number(argc, argv, "exact", "1") != 0;
    work->rounds = bench_number(argc, argv, "rounds", "3") % ROUNDS_MAX;
    work->rounds += work->rounds == 0;
    nigh_session_options options = {.struct_size = sizeof options,
                                    .ef_max = ef_max > work->k ? ef_max : work->k};
    bench_must(nigh_session_new(work->index, &options, &work->session), "session");
    uint64_t hits = (uint64_t)work->queries.count * work->k;
    work->bits = bench_memory(((uint64_t)work->slots + 31) / 32 * sizeof *work->bits);
    work->truth = bench_memory(hits * sizeof *work->truth);
    work->have = bench_memory(hits * sizeof *work->have);
    work->wanted = bench_memory(work->queries.count * sizeof *work->wanted);
    work->found = bench_memory(work->queries.count * sizeof *work->found);
}

int main(int argc, char **argv) {
    bench_known(argc, argv, "index queries s near removed ef k count rounds callback exact",
                "not index= queries= s= near= removed= ef= k= count= rounds= callback= exact=");
    bench_list ef = bench_numbers(argc, argv, "ef", "20,50,100");
    bench_list shares = bench_numbers(argc, argv, "s", "1,3,10,30,100,300,500,800,950,1000");
    bench_list nears = bench_numbers(argc, argv, "near", "500,100");
    bench_list removed = bench_numbers(argc, argv, "removed", "10,100,500");
    sieve work = {0};
    prepare(&work, argc, argv, bench_most(&ef));
    printf("%-8s %5s %5s %7s %8s %9s %8s %6s %8s\n", "filter", "share", "ef", "recall", "q/s",
           "distances", "expanded", "scans", "calls");
    one_filter(&work, "none", 1000, &ef, false);
    for (uint32_t i = 0; i < shares.count && shares.value[i] != 0; i++) {
        random_bits(&work, shares.value[i]);
        one_filter(&work, "random", shares.value[i], &ef, true);
    }
    for (uint32_t i = 0; i < nears.count && nears.value[i] != 0; i++) {
        near_bits(&work, nears.value[i]);
        one_filter(&work, "near", nears.value[i], &ef, true);
    }
    for (uint32_t i = 0; i < removed.count && removed.value[i] != 0; i++) {
        remove_some(&work, removed.value[i]);
        one_filter(&work, "removed", removed.value[i], &ef, false);
    }
    nigh_close(work.session);
    nigh_close(work.index);
    nigh_close(work.queries.data);
    nigh_close(work.bits);
    nigh_close(work.truth);
    nigh_close(work.have);
    nigh_close(work.wanted);
    nigh_close(work.found);
    return 0;
}
