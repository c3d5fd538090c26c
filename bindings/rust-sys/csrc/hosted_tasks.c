/* hosted_tasks.c - numbered tasks on a few threads, handed out by a counter
 * layer H; uses: hosted.h
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Tasks are handed out in order and a failure only stops the handing out, so the lowest task that
 * fails has always been started: its status is the same whatever the number of threads. */
#include "hosted.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

typedef struct run {
    atomic_uint_fast64_t next;
    atomic_uint stopped;
    uint64_t task_count;
    const uint32_t *cancel;
    nigh_task_fn call;
    void *user;
    pthread_mutex_t lock; /* of the two below */
    uint64_t failed_task;
    nigh_status status;
} run;

typedef struct worker {
    run *shared;
    pthread_t thread;
    uint32_t number;
} worker;

static void fail(run *shared, uint64_t task, nigh_status status) {
    pthread_mutex_lock(&shared->lock);
    if (task < shared->failed_task) {
        shared->failed_task = task;
        shared->status = status;
    }
    pthread_mutex_unlock(&shared->lock);
    atomic_store_explicit(&shared->stopped, 1, memory_order_relaxed);
}

static void work(run *shared, uint32_t number) {
    while (atomic_load_explicit(&shared->stopped, memory_order_relaxed) == 0) {
        nigh_status status = NIGH_OK;
        uint64_t task = 0;
        bool cancelled = shared->cancel != NULL &&
                         __atomic_load_n(shared->cancel, __ATOMIC_RELAXED) != 0;
        /* Not a bare fetch_add: the counter never passes the end, so it cannot wrap either. */
        task = atomic_load_explicit(&shared->next, memory_order_relaxed);
        if (task >= shared->task_count) {
            return;
        }
        if (cancelled) {
            fail(shared, UINT64_MAX - 1, NIGH_E_CANCELLED); /* any task's own failure goes first */
            return;
        }
        if (!atomic_compare_exchange_weak_explicit(&shared->next, &task, task + 1,
                                                   memory_order_relaxed, memory_order_relaxed)) {
            continue;
        }
        status = shared->call(shared->user, task, number);
        if (status != NIGH_OK) {
            fail(shared, task, status);
        }
    }
}

static void *thread_main(void *context) {
    worker *self = context;
    work(self->shared, self->number);
    return NULL;
}

/* Starts threads for workers 1.., all signals blocked in them.  @returns how many */
static uint32_t threads_start(run *shared, worker *workers, uint32_t count) {
    sigset_t all;
    sigset_t before;
    uint32_t started = 0;
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    while (started < count) {
        worker *next = &workers[started];
        next->shared = shared;
        next->number = started + 1;
        if (pthread_create(&next->thread, NULL, thread_main, next) != 0) {
            break; /* the others do its tasks */
        }
        started++;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

nigh_status nigh_tasks_run(uint64_t task_count, uint32_t thread_count, const uint32_t *cancel,
                           nigh_task_fn call, void *user) {
    run shared = {.task_count = task_count, .cancel = cancel, .call = call, .user = user,
                  .lock = PTHREAD_MUTEX_INITIALIZER, .failed_task = UINT64_MAX,
                  .status = NIGH_OK};
    worker *workers = NULL;
    uint32_t helpers = 0;
    uint32_t started = 0;
    if (call == NULL || thread_count == 0 || task_count >= UINT64_MAX - 1) {
        return NIGH_E_INVALID;
    }
    helpers = thread_count - 1 < task_count ? thread_count - 1 : (uint32_t)task_count;
    helpers -= helpers == task_count && helpers > 0 ? 1u : 0u;
    if (helpers > 0) {
        workers = calloc(helpers, sizeof *workers);
        started = workers != NULL ? threads_start(&shared, workers, helpers) : 0;
    }
    work(&shared, 0);
    for (uint32_t i = 0; i < started; i++) {
        (void)pthread_join(workers[i].thread, NULL);
    }
    free(workers);
    (void)pthread_mutex_destroy(&shared.lock);
    return shared.status;
}
