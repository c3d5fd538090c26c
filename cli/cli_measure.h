/* cli_measure.h - timed passes of many queries over an index
 * layer C; uses: cli_open.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef NIGH_CLI_MEASURE_H
#define NIGH_CLI_MEASURE_H
#include "cli_open.h"

/* What is searched, and what came out: arrays of count x k, k of a row filled up to found[row]. */
typedef struct cli_queries {
    const cli_index *open;
    const uint8_t *rows;
    uint64_t row_bytes;
    uint64_t count;
    uint32_t k;
    uint32_t threads;
    uint32_t lanes;              /* above 1: nigh_search_batch */
    nigh_search_options options; /* of the next measurement */
    nigh_session **sessions;     /* one a thread */
    uint64_t *keys;              /* u64 and identity keys; else NULL */
    float *distances;
    uint32_t *slots;
    uint32_t *found;
    uint32_t *nanoseconds; /* of each query in the last pass */
    uint32_t *sorted;
    uint64_t *costs; /* a cache line a thread: distances computed, failed query + 1 */
    bool progress;
    bool tune; /* try what is fastest on this machine first */
} cli_queries;

typedef struct cli_measure {
    uint32_t ef;
    float gamma;
    double seconds; /* of the median round */
    double cpu_seconds;
    double qps;
    double p50_us;
    double p99_us;
    double distances; /* a query */
    double recall;    /* below 0: no truth */
} cli_measure;

int cli_queries_new(cli_queries *queries, uint32_t ef_max);
void cli_queries_free(cli_queries *queries);
/* `warm` untimed queries, then `rounds` timed passes of all, of which the median counts. */
int cli_measure_run(cli_queries *queries, uint64_t warm, uint32_t rounds, cli_measure *measure);
/* Hits that name the same ids as the first k of each row of truth (int32, below 0: none), as a
 * share of those. by_key: ids are keys, else slots. Below 0 after a message. */
double cli_recall(const cli_queries *queries, const uint8_t *truth, uint64_t stride, bool by_key);

#endif /* NIGH_CLI_MEASURE_H */
