/* test_hosted_leaks.c - a million mixed calls from 8 threads, and all memory is given back
 * layer T; uses: folder.h, nigh_hosted.h
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The heap's own count, the pages mapped and the files open are as before. Calls that fail are part
 * of it: what they took is given back too. With the address sanitizer its allocator counts, and it
 * looks for what nothing points to when the program ends. */
#include "folder.h"

#if defined __has_feature
#if __has_feature(address_sanitizer)
#define COUNTED_BY_SANITIZER
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define COUNTED_BY_SANITIZER
#endif
#ifdef COUNTED_BY_SANITIZER
#include <sanitizer/allocator_interface.h>
#elif defined __GLIBC__
#include <malloc.h>
#ifndef __SANITIZE_THREAD__
#define MAPPED_EXACTLY
#endif
#endif
#ifdef MAPPED_EXACTLY
#define MAPPED_MORE_MAX (32u << 20)
#else
#define MAPPED_MORE_MAX (512u << 20)
#endif

enum { DIM = 4, KEYS = 3000, THREADS = 8, K = 3, KEY_BYTES = 16 };

typedef struct worker {
    nigh_index *index;
    nigh_session *session;
    uint64_t random;
    uint64_t calls;
} worker;

typedef struct used {
    uint64_t heap, mapped;
    int files;
} used;

/* Blocks of all threads that are not freed. */
static uint64_t heap(void) {
#ifdef COUNTED_BY_SANITIZER
    return __sanitizer_get_current_allocated_bytes();
#elif defined __GLIBC__ && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
    const struct mallinfo2 told = mallinfo2();
    return told.uordblks + told.hblkhd;
#else
    return 0;
#endif
}

static used used_now(void) {
    used now = {heap(), 0, folder_count("/proc/self/fd", 0)};
    FILE *file = fopen("/proc/self/statm", "rb");
    if (file != NULL) {
        if (fscanf(file, "%" SCNu64, &now.mapped) != 1) {
            now.mapped = 0;
        }
        now.mapped *= 4096;
        fclose(file);
    }
    return now;
}

static uint64_t below(worker *w, uint64_t limit) {
    w->random = w->random * 6364136223846793005u + 1442695040888963407u;
    return (w->random >> 33) % limit;
}

static int32_t odd(void *user, uint32_t slot, const uint64_t *key) {
    (void)user;
    (void)key;
    return slot % 2 != 0;
}

typedef struct hits {
    char keys[2 * K * KEY_BYTES];
    uint32_t lengths[2 * K], slots[2 * K], found[2];
    float distances[2 * K];
} hits;

/* A saved file is opened, searched and closed; what is no index is refused. */
static nigh_status with_files(worker *w, const float *row, hits *h) {
    char path[256], message[256];
    nigh_index *copy = NULL;
    nigh_session *session = NULL;
    nigh_saver *saver = NULL;
    (void)snprintf(path, sizeof path, "%s/%p", folder_path, (void *)w);
    nigh_status status = nigh_save_file(w->index, 0, path, message, sizeof message);
    if (status != NIGH_OK) {
        return status;
    }
    if (nigh_save_begin(path, &saver, message, sizeof message) == NIGH_OK) {
        (void)nigh_save_write(saver, row, sizeof *row);
        (void)nigh_close(saver);
    }
    if (nigh_index_open(folder_path, 0, NULL, 0, 0, &copy, NULL, 0) == NIGH_OK ||
        nigh_index_open("/proc/self/exe", 0, NULL, 0, 0, &copy, NULL, 0) == NIGH_OK) {
        return NIGH_E_CORRUPT; /* neither is an index */
    }
    status = nigh_index_open(path, NIGH_FILE_PRIVATE, NULL, KEYS, 0, &copy, message, 256);
    status = status != NIGH_OK ? status : nigh_session_new(copy, NULL, &session);
    status = status != NIGH_OK ? status
                               : nigh_search(copy, session, row, NULL, K, h->keys, h->lengths,
                                             h->distances, h->slots, h->found);
    (void)nigh_close(session);
    (void)nigh_close(copy);
    return status;
}

static nigh_status another_session(worker *w) {
    const nigh_session_options none = {.struct_size = sizeof none, .ef_max = UINT32_MAX};
    nigh_session *session = NULL;
    if (nigh_session_new(w->index, &none, &session) == NIGH_OK) {
        (void)nigh_close(session); /* as it likes: too large, or not */
    }
    (void)nigh_close(w->session);
    w->session = NULL;
    return nigh_session_new(w->index, NULL, &w->session);
}

static nigh_status search(worker *w, uint64_t kind, const float *rows, hits *h) {
    nigh_search_options how = {.struct_size = sizeof how, .ef = 10};
    uint32_t done = 0;
    nigh_status status = NIGH_OK;
    switch (kind) {
    case 0:
        status = nigh_session_filter(w->session, NULL, 0, odd, NULL);
        break;
    case 1:
        return nigh_search_batch(w->index, w->session, rows, 2, &how, K, h->keys, h->lengths,
                                 h->distances, h->slots, h->found, &done);
    case 2:
        status = nigh_cursor_begin(w->index, w->session, rows, &how);
        return status != NIGH_OK ? status
                                 : nigh_cursor_next(w->index, w->session, K, h->keys, h->lengths,
                                                    h->distances, h->slots, h->found);
    case 3:
        status = nigh_session_filter(w->session, NULL, 0, NULL, NULL);
        break;
    default:
        break;
    }
    return status != NIGH_OK ? status
                             : nigh_search(w->index, w->session, rows, &how, K, h->keys, h->lengths,
                                           h->distances, h->slots, h->found);
}

static nigh_status one_call(worker *w, hits *h) {
    char key[KEY_BYTES];
    float rows[2 * DIM];
    uint32_t done = 0, length = 0;
    (void)snprintf(key, sizeof key, "key %u", (uint32_t)below(w, KEYS));
    length = (uint32_t)strlen(key);
    for (uint32_t i = 0; i < 2 * DIM; i++) {
        rows[i] = (float)below(w, 1 << 20) / (1 << 20);
    }
    const uint64_t kind = below(w, 20);
    switch (kind) {
    case 0:
    case 1:
        return nigh_insert(w->index, w->session, 0, key, &length, rows, 1, &done);
    case 2:
        return nigh_set(w->index, w->session, 0, key, &length, rows, 1, &done);
    case 3:
        return nigh_remove(w->index, w->session, key, &length, 1, &done);
    case 4:
        return nigh_unremove(w->index, w->session, key, &length, 1, &done);
    case 5:
    case 6:
        return nigh_get(w->index, w->session, key, &length, 1, rows, h->slots, &done);
    case 7:
        return nigh_keys(w->index, (uint32_t)below(w, KEYS), K, h->keys, h->lengths, h->slots,
                         h->found);
    case 8:
        length = 0; /* no key */
        return nigh_insert(w->index, w->session, 0, key, &length, rows, 1, &done);
    case 9:
        return below(w, 20) == 0 ? another_session(w) : search(w, 4, rows, h);
    case 10:
        return below(w, 400) == 0 ? with_files(w, rows, h) : search(w, 4, rows, h);
    default:
        return search(w, kind - 11, rows, h);
    }
}

/* A nigh_task_fn: one thread's part. */
static nigh_status mixed(void *user, uint64_t task, uint32_t number) {
    worker *w = (worker *)user + task;
    hits h;
    (void)number;
    for (uint64_t i = 0; i < w->calls; i++) {
        const nigh_status status = one_call(w, &h);
        if (status != NIGH_OK && status != NIGH_E_EXISTS && status != NIGH_E_DELETED &&
            status != NIGH_E_NOT_FOUND && status != NIGH_E_KEY && status != NIGH_E_BUSY &&
            status != NIGH_E_FULL) {
            return status;
        }
    }
    return NIGH_OK;
}

static void rounds(uint64_t calls) {
    worker workers[THREADS];
    nigh_index *index = NULL;
    nigh_report report = {.struct_size = sizeof report};
    nigh_config config = {.struct_size = sizeof config,
                          .dim = DIM,
                          .metric = NIGH_METRIC_L2,
                          .dtype = NIGH_DTYPE_F32,
                          .keys = NIGH_KEYS_BYTES,
                          .key_bytes_max = KEY_BYTES,
                          .ef_build = 12,
                          .m = 6};
    t_ok(nigh_index_new(&config, NULL, 2 * KEYS, (uint64_t)2 * KEYS * KEY_BYTES, &index));
    for (uint64_t i = 0; i < THREADS; i++) {
        workers[i] = (worker){index, NULL, t_seed() * THREADS + i, calls / THREADS};
        t_ok(nigh_session_new(index, NULL, &workers[i].session));
    }
    t_ok(nigh_tasks_run(THREADS, THREADS, NULL, mixed, workers));
    t_ok(nigh_check(index, workers[0].session, &report));
    t_eq(report.status, NIGH_OK);
    for (uint64_t i = 0; i < THREADS; i++) {
        t_ok(nigh_close(workers[i].session));
    }
    t_ok(nigh_close(index));
}

TEST(nothing_is_left) {
    const uint64_t calls = t_small() ? 50000 : 1000000;
    rounds(calls / 50); /* what the system keeps for itself, of stacks and of what was freed */
    const used before = used_now();
    rounds(calls);
    const used after = used_now();
    printf("%" PRIu64 " calls; heap %+" PRId64 ", mapped %+" PRId64 " bytes\n", calls,
           (int64_t)(after.heap - before.heap), (int64_t)(after.mapped - before.mapped));
    /* a thread's cache of freed blocks may count as heap, stacks and quarantines as mapped */
    t_assert(after.heap < before.heap + (1u << 17));
    t_assert(after.mapped < before.mapped + MAPPED_MORE_MAX);
    t_eq(after.files, before.files);
    t_eq(folder_count(folder_path, 1), 0);
}

SUITE {
#ifdef MAPPED_EXACTLY
    (void)mallopt(M_MMAP_THRESHOLD, 1 << 17); /* fixtures of other tests keep what they free */
    (void)mallopt(M_TRIM_THRESHOLD, 1 << 17);
    (void)mallopt(M_ARENA_MAX, 1); /* arenas are mapped when threads meet, 64 MiB each */
#endif
    folder_new();
    RUN(nothing_is_left);
    folder_drop();
}
