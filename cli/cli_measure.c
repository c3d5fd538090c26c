/* cli_measure.c - runs queries on some threads and times each one
 * layer C; uses: cli_measure.h, cli_progress.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "cli_measure.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli_progress.h"

enum { CHUNK = 16, COST_STRIDE = 8, ROUNDS_MAX = 1000 };

typedef struct pass {
    cli_queries *queries;
    uint64_t count;
    cli_progress progress;
} pass;

static uint64_t nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t tune_clock(void *user) {
    (void)user;
    return nanoseconds();
}

int cli_queries_new(cli_queries *queries, uint32_t ef_max) {
    nigh_session_options options = {.struct_size = sizeof options,
                                    .ef_max = ef_max,
                                    .flags = NIGH_SESSION_READ,
                                    .lanes = queries->lanes};
    if (options.ef_max < queries->k) {
        options.ef_max = queries->k;
    }
    if (queries->tune && options.ef_max < 64) { /* what nigh_tune wants */
        options.ef_max = 64;
    }
    uint64_t hits = queries->count * queries->k;
    queries->distances = cli_memory(hits * sizeof(float));
    queries->slots = cli_memory(hits * sizeof(uint32_t));
    queries->found = cli_memory(queries->count * sizeof(uint32_t));
    queries->nanoseconds = cli_memory(queries->count * sizeof(uint32_t));
    queries->sorted = cli_memory(queries->count * sizeof(uint32_t));
    queries->costs = cli_memory((uint64_t)queries->threads * COST_STRIDE * sizeof(uint64_t));
    queries->sessions = cli_memory(queries->threads * sizeof *queries->sessions);
    if (queries->open->config.keys != NIGH_KEYS_BYTES) {
        queries->keys = cli_memory(hits * sizeof(uint64_t));
    }
    if (queries->distances == NULL || queries->slots == NULL || queries->found == NULL ||
        queries->nanoseconds == NULL || queries->sorted == NULL || queries->costs == NULL ||
        queries->sessions == NULL) {
        return CLI_ERROR;
    }
    for (uint32_t i = 0; i < queries->threads; i++) {
        nigh_status status =
            nigh_session_new(queries->open->index, &options, &queries->sessions[i]);
        if (status != NIGH_OK) {
            return cli_failed(status, "a session", NULL);
        }
    }
    if (queries->tune) {
        nigh_status status =
            nigh_tune((nigh_index *)queries->open->index, queries->sessions[0], tune_clock, NULL);
        if (status != NIGH_OK) {
            return cli_failed(status, "tuning", NULL);
        }
    }
    return CLI_OK;
}

void cli_queries_free(cli_queries *queries) {
    for (uint32_t i = 0; queries->sessions != NULL && i < queries->threads; i++) {
        nigh_close(queries->sessions[i]);
    }
    nigh_close(queries->sessions);
    nigh_close(queries->keys);
    nigh_close(queries->distances);
    nigh_close(queries->slots);
    nigh_close(queries->found);
    nigh_close(queries->nanoseconds);
    nigh_close(queries->sorted);
    nigh_close(queries->costs);
}

/* All queries of a chunk by one call; each gets the mean of their times. */
static nigh_status search_chunk(const pass *run, uint64_t from, uint64_t end, uint32_t worker) {
    cli_queries *queries = run->queries;
    nigh_session_stats stats = {.struct_size = sizeof stats};
    nigh_session *session = queries->sessions[worker];
    uint64_t *cost = &queries->costs[(size_t)worker * COST_STRIDE];
    uint64_t at = from * queries->k;
    uint32_t done = 0;
    uint64_t before = nanoseconds();
    nigh_status status = nigh_search_batch(
        queries->open->index, session, queries->rows + from * queries->row_bytes,
        (uint32_t)(end - from), &queries->options, queries->k,
        queries->keys != NULL ? queries->keys + at : NULL, NULL, queries->distances + at,
        queries->slots + at, queries->found + from, &done);
    uint64_t each = (nanoseconds() - before) / (end - from);
    for (uint64_t i = from; i < end; i++) {
        queries->nanoseconds[i] = each < UINT32_MAX ? (uint32_t)each : UINT32_MAX;
    }
    nigh_session_stats_get(session, &stats);
    *cost += stats.distances;
    cost[1] = status != NIGH_OK ? from + done + 1 : cost[1];
    return status;
}

static nigh_status search_task(void *user, uint64_t task, uint32_t worker) {
    pass *run = user;
    cli_queries *queries = run->queries;
    uint64_t end = (task + 1) * CHUNK < run->count ? (task + 1) * CHUNK : run->count;
    nigh_session_stats stats = {.struct_size = sizeof stats};
    nigh_session *session = queries->sessions[worker];
    uint64_t *cost = &queries->costs[(size_t)worker * COST_STRIDE];
    if (queries->lanes > 1) {
        return search_chunk(run, task * CHUNK, end, worker);
    }
    uint64_t before = nanoseconds();
    for (uint64_t i = task * CHUNK; i < end; i++) {
        uint64_t at = i * queries->k;
        nigh_status status = nigh_search(
            queries->open->index, session, queries->rows + i * queries->row_bytes,
            &queries->options, queries->k, queries->keys != NULL ? queries->keys + at : NULL, NULL,
            queries->distances + at, queries->slots + at, queries->found + i);
        if (status != NIGH_OK) {
            cost[1] = i + 1;
            return status;
        }
        nigh_session_stats_get(session, &stats);
        *cost += stats.distances;
        uint64_t now = nanoseconds();
        queries->nanoseconds[i] = now - before < UINT32_MAX ? (uint32_t)(now - before) : UINT32_MAX;
        before = now;
    }
    if (worker == 0) {
        cli_progress_step(&run->progress, end);
    }
    return NIGH_OK;
}

static int run_pass(cli_queries *queries, uint64_t count) {
    pass run = {.queries = queries, .count = count};
    if (count == 0) {
        return CLI_OK;
    }
    cli_progress_begin(&run.progress, "search", "queries", queries->progress ? count : 0);
    nigh_status status =
        nigh_tasks_run((count + CHUNK - 1) / CHUNK, queries->threads, NULL, search_task, &run);
    cli_progress_end(&run.progress);
    uint64_t failed = UINT64_MAX;
    for (uint32_t i = 0; i < queries->threads; i++) {
        uint64_t query = queries->costs[(size_t)i * COST_STRIDE + 1] - 1; /* 0: none */
        failed = query < failed ? query : failed;
    }
    if (status == NIGH_E_VECTOR) {
        cli_say("query %" PRIu64 " holds NaN, infinity or (cosine) only zeros", failed);
        return CLI_ERROR;
    }
    return status == NIGH_OK ? CLI_OK : cli_failed(status, "search", NULL);
}

static int by_number(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static int by_seconds(const void *a, const void *b) {
    double x = ((const cli_measure *)a)->seconds;
    double y = ((const cli_measure *)b)->seconds;
    return (x > y) - (x < y);
}

/* Nearest rank: the smallest time that `share` of all queries did not exceed. */
static double percentile(const cli_queries *queries, double share) {
    uint64_t rank = (uint64_t)ceil(share * (double)queries->count);
    return rank != 0 ? (double)queries->sorted[rank - 1] / 1000.0 : 0;
}

static int timed_pass(cli_queries *queries, cli_measure *measure) {
    uint64_t cost = 0;
    double wall = cli_seconds();
    double cpu = cli_cpu_seconds();
    memset(queries->costs, 0, queries->threads * COST_STRIDE * sizeof(uint64_t));
    int code = run_pass(queries, queries->count);
    measure->seconds = cli_seconds() - wall;
    measure->cpu_seconds = cli_cpu_seconds() - cpu;
    for (uint32_t i = 0; i < queries->threads; i++) {
        cost += queries->costs[(size_t)i * COST_STRIDE];
    }
    double count = (double)queries->count;
    measure->qps = measure->seconds > 0 ? count / measure->seconds : 0;
    measure->distances = queries->count != 0 ? (double)cost / count : 0;
    memcpy(queries->sorted, queries->nanoseconds, queries->count * sizeof(uint32_t));
    qsort(queries->sorted, queries->count, sizeof(uint32_t), by_number);
    measure->p50_us = percentile(queries, 0.5);
    measure->p99_us = percentile(queries, 0.99);
    return code;
}

int cli_measure_run(cli_queries *queries, uint64_t warm, uint32_t rounds, cli_measure *measure) {
    cli_measure *all = cli_memory(rounds * sizeof *all);
    int code = all != NULL ? run_pass(queries, warm) : CLI_ERROR;
    for (uint32_t i = 0; i < rounds && code == CLI_OK; i++) {
        code = timed_pass(queries, &all[i]);
    }
    if (code == CLI_OK) {
        qsort(all, rounds, sizeof *all, by_seconds);
        *measure = all[rounds / 2];
        measure->ef = queries->options.ef;
        measure->gamma = queries->options.gamma;
        measure->recall = -1;
    }
    nigh_close(all);
    return code;
}

static int by_id(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static uint64_t overlap(uint64_t *a, uint64_t a_count, uint64_t *b, uint64_t b_count) {
    uint64_t same = 0;
    qsort(a, a_count, sizeof *a, by_id);
    qsort(b, b_count, sizeof *b, by_id);
    for (uint64_t i = 0, j = 0; i < a_count && j < b_count;) {
        same += a[i] == b[j];
        uint64_t x = a[i];
        i += x <= b[j];
        j += b[j] <= x;
    }
    return same;
}

double cli_recall(const cli_queries *queries, const uint8_t *truth, uint64_t stride, bool by_key) {
    uint64_t *ids = cli_memory((uint64_t)queries->k * 2 * sizeof *ids);
    uint64_t same = 0;
    uint64_t wanted = 0;
    for (uint64_t i = 0; ids != NULL && i < queries->count; i++) {
        uint64_t *true_ids = ids + queries->k;
        uint64_t there = 0;
        for (uint32_t j = 0; j < queries->k; j++) {
            int32_t id = 0;
            memcpy(&id, truth + i * stride + sizeof id * j, sizeof id);
            true_ids[there] = (uint64_t)id;
            there += id >= 0;
        }
        for (uint32_t j = 0; j < queries->found[i]; j++) {
            uint64_t at = i * queries->k + j;
            ids[j] = by_key ? queries->keys[at] : queries->slots[at];
        }
        same += overlap(ids, queries->found[i], true_ids, there);
        wanted += there;
    }
    nigh_close(ids);
    return ids == NULL ? -2 : wanted != 0 ? (double)same / (double)wanted : 0;
}
