/* test_hosted_tasks.c - the thread pool: every task once, errors, cancelling, signals
 * layer T; uses: hosted.h, t.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hosted.h"
#include "t.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

enum { TASKS = 20000, THREADS = 8 };

typedef struct tally {
    atomic_uint times[TASKS];
    atomic_uint_fast64_t sum;
    uint64_t by_worker[THREADS]; /* each by its own worker: not atomic, ThreadSanitizer looks on */
    uint32_t thread_count;
    uint64_t fail_at;
    uint64_t fail_from; /* this and all later tasks fail with their own number */
    uint32_t cancel;
    uint64_t cancel_at;
} tally;

static nigh_status count_task(void *user, uint64_t task, uint32_t worker) {
    tally *all = user;
    if (worker >= all->thread_count) {
        return NIGH_E_INVALID;
    }
    atomic_fetch_add(&all->times[task], 1);
    atomic_fetch_add(&all->sum, task);
    all->by_worker[worker]++;
    if (task == all->cancel_at) {
        __atomic_store_n(&all->cancel, 1, __ATOMIC_RELAXED);
    }
    if (task >= all->fail_from) {
        return -2000 - (nigh_status)task;
    }
    return task == all->fail_at ? NIGH_E_VECTOR : NIGH_OK;
}

static tally *tally_new(uint32_t threads) {
    static tally all;
    memset(&all, 0, sizeof all);
    all.thread_count = threads;
    all.fail_at = all.fail_from = all.cancel_at = UINT64_MAX;
    return &all;
}

TEST(every_task_once) {
    for (uint32_t threads = 1; threads <= THREADS; threads++) {
        tally *all = tally_new(threads);
        uint64_t done = 0;
        t_ok(nigh_tasks_run(TASKS, threads, NULL, count_task, all));
        for (uint32_t i = 0; i < TASKS; i++) {
            t_eq(all->times[i], 1);
        }
        for (uint32_t i = 0; i < THREADS; i++) {
            done += all->by_worker[i];
        }
        t_eq(done, TASKS);
        t_eq(all->sum, (uint64_t)TASKS * (TASKS - 1) / 2);
    }
}

TEST(few_tasks_many_threads) {
    for (uint64_t tasks = 0; tasks < 12; tasks++) {
        for (uint32_t threads = 1; threads <= THREADS; threads++) {
            tally *all = tally_new(threads);
            t_ok(nigh_tasks_run(tasks, threads, NULL, count_task, all));
            for (uint64_t i = 0; i < TASKS; i++) {
                t_eq(all->times[i], i < tasks);
            }
        }
    }
}

static nigh_status same_thread(void *user, uint64_t task, uint32_t worker) {
    (void)task;
    return worker == 0 && pthread_equal(*(pthread_t *)user, pthread_self()) ? NIGH_OK
                                                                            : NIGH_E_INVALID;
}

TEST(one_thread_runs_inline_in_order) {
    pthread_t self = pthread_self();
    t_ok(nigh_tasks_run(1000, 1, NULL, same_thread, &self));
    t_ok(nigh_tasks_run(1, 8, NULL, same_thread, &self));
}

TEST(lowest_failure_is_returned_and_stops) {
    for (uint32_t threads = 1; threads <= THREADS; threads++) {
        for (int again = 0; again < 20; again++) {
            tally *all = tally_new(threads);
            uint32_t ran = 0;
            all->fail_at = 37;
            all->fail_from = 40;
            t_is(nigh_tasks_run(TASKS, threads, NULL, count_task, all), NIGH_E_VECTOR);
            for (uint32_t i = 0; i < TASKS; i++) {
                t_assert(all->times[i] <= 1);
                t_assert(i > 37 || all->times[i] == 1);
                ran += all->times[i];
            }
            t_assert(ran < 40 + THREADS);
            all = tally_new(threads);
            all->fail_from = 5;
            t_is(nigh_tasks_run(TASKS, threads, NULL, count_task, all), -2005);
        }
    }
}

TEST(cancel_stops_early) {
    for (uint32_t threads = 1; threads <= THREADS; threads++) {
        tally *all = tally_new(threads);
        uint32_t ran = 0;
        all->cancel_at = 100;
        t_is(nigh_tasks_run(TASKS, threads, &all->cancel, count_task, all), NIGH_E_CANCELLED);
        for (uint32_t i = 0; i < TASKS; i++) {
            ran += all->times[i];
        }
        t_assert(ran >= 101 && (ran < TASKS || threads > 1));
        all = tally_new(threads); /* a task's own failure is told rather than the cancelling */
        all->cancel_at = all->fail_at = 100;
        t_is(nigh_tasks_run(TASKS, threads, &all->cancel, count_task, all), NIGH_E_VECTOR);
        all = tally_new(threads); /* cancelled by the last task: everything ran */
        all->cancel_at = TASKS - 1;
        t_ok(nigh_tasks_run(TASKS, 1, &all->cancel, count_task, all));
        t_is(nigh_tasks_run(TASKS, threads, &all->cancel, count_task, all), NIGH_E_CANCELLED);
        t_ok(nigh_tasks_run(0, threads, &all->cancel, count_task, all));
    }
}

static nigh_status signals_blocked(void *user, uint64_t task, uint32_t worker) {
    sigset_t now;
    (void)task;
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    usleep(1000);
    if (worker > 0) {
        atomic_fetch_add((atomic_uint *)user, 1);
    }
    return sigismember(&now, SIGINT) == (worker > 0) ? NIGH_OK : NIGH_E_INVALID;
}

TEST(signals_go_to_the_caller) {
    atomic_uint helped = 0;
    t_ok(nigh_tasks_run(50, 4, NULL, signals_blocked, &helped));
    t_assert(helped > 0);
}

static nigh_status nested(void *user, uint64_t task, uint32_t worker) {
    tally *all = user;
    (void)task;
    (void)worker;
    (void)all;
    pthread_t self = pthread_self();
    return nigh_tasks_run(5, 1, NULL, same_thread, &self);
}

TEST(runs_nest) { t_ok(nigh_tasks_run(20, 3, NULL, nested, NULL)); }

TEST(wrong_arguments) {
    t_is(nigh_tasks_run(1, 0, NULL, count_task, NULL), NIGH_E_INVALID);
    t_is(nigh_tasks_run(1, 1, NULL, NULL, NULL), NIGH_E_INVALID);
    t_is(nigh_tasks_run(UINT64_MAX, 1, NULL, count_task, NULL), NIGH_E_INVALID);
    t_ok(nigh_tasks_run(0, UINT32_MAX, NULL, count_task, NULL));
}

SUITE {
    RUN(every_task_once);
    RUN(few_tasks_many_threads);
    RUN(one_thread_runs_inline_in_order);
    RUN(lowest_failure_is_returned_and_stops);
    RUN(cancel_stops_early);
    RUN(signals_go_to_the_caller);
    RUN(runs_nest);
    RUN(wrong_arguments);
}
