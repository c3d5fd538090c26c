/* bench_build.c - how fast an index is built: rows a second over m, ef_build and threads
 * layer T; uses: nigh, nigh_hosted
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * usage: bench_build [base=FILE.npy] [rows=20000] [dim=128] [metric=l2] [m=16] [ef=200]
 *                    [threads=1]          m, ef and threads may be lists: threads=1,2
 * Without a file the rows are clustered synthetic ones. Prints a line for each combination:
 * seconds, processor seconds of all threads, rows a second, bytes of the image a row. */
#define _GNU_SOURCE
#include "bench_rows.h"

enum { CHUNK = 64 };

typedef struct builder {
    nigh_index *index;
    nigh_session **sessions;
    const bench_rows *rows;
} builder;

static nigh_status insert_task(void *user, uint64_t task, uint32_t worker) {
    builder *work = user;
    uint64_t keys[CHUNK];
    uint64_t first = task * CHUNK;
    uint64_t left = work->rows->count - first;
    uint32_t count = left < CHUNK ? (uint32_t)left : CHUNK;
    uint32_t done = 0;
    for (uint32_t i = 0; i < count; i++) {
        keys[i] = first + i;
    }
    return nigh_insert(work->index, work->sessions[worker], 0, keys, NULL,
                       work->rows->data + first * work->rows->dim, count, &done);
}

static void build(const bench_rows *rows, uint32_t metric, uint32_t m, uint32_t ef,
                  uint32_t threads) {
    nigh_config config = {.struct_size = sizeof config,
                          .dim = rows->dim,
                          .metric = metric,
                          .dtype = NIGH_DTYPE_F32,
                          .m = m,
                          .ef_build = ef,
                          .seed = 42};
    nigh_stats stats = {.struct_size = sizeof stats};
    builder work = {.rows = rows};
    bench_must(nigh_index_new(&config, NULL, rows->count, 0, &work.index), "index");
    work.sessions = bench_memory(threads * sizeof(nigh_session *));
    nigh_session_options options = {.struct_size = sizeof options, .ef_max = ef};
    for (uint32_t i = 0; i < threads; i++) {
        bench_must(nigh_session_new(work.index, &options, &work.sessions[i]), "session");
    }
    double wall = bench_seconds(CLOCK_MONOTONIC);
    double cpu = bench_seconds(CLOCK_PROCESS_CPUTIME_ID);
    bench_must(nigh_tasks_run((rows->count + CHUNK - 1) / CHUNK, threads, NULL, insert_task, &work),
               "insert");
    wall = bench_seconds(CLOCK_MONOTONIC) - wall;
    cpu = bench_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    bench_must(nigh_stats_get(work.index, &stats), "stats");
    printf("%8u %5u %4u %5u %7u %9.2f %9.2f %9.0f %9.1f\n", rows->count, rows->dim, m, ef, threads,
           wall, cpu, rows->count / wall, (double)stats.image_bytes / rows->count);
    fflush(stdout);
    for (uint32_t i = 0; i < threads; i++) {
        nigh_close(work.sessions[i]);
    }
    nigh_close(work.sessions);
    nigh_close(work.index);
}

int main(int argc, char **argv) {
    bench_known(argc, argv, "base rows dim metric m ef threads",
                "not base= rows= dim= metric= m= ef= threads=");
    bench_rows rows = bench_base(argc, argv, "20000");
    bench_list m = bench_numbers(argc, argv, "m", "16");
    bench_list ef = bench_numbers(argc, argv, "ef", "200");
    bench_list threads = bench_numbers(argc, argv, "threads", "1");
    printf("%8s %5s %4s %5s %7s %9s %9s %9s %9s\n", "rows", "dim", "m", "ef", "threads", "seconds",
           "cpu", "rows/s", "bytes/row");
    for (uint32_t i = 0; i < m.count; i++) {
        for (uint32_t j = 0; j < ef.count; j++) {
            for (uint32_t t = 0; t < threads.count; t++) {
                uint32_t count = threads.value[t] != 0 ? threads.value[t] : nigh_threads();
                build(&rows, bench_metric(argc, argv), m.value[i], ef.value[j], count);
            }
        }
    }
    nigh_close(rows.data);
    return 0;
}
