/* test_hosted_mapped.c - memory that is a file; an index file that two processes share
 * layer T; uses: folder.h, data
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "folder.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "../support/data.h"

enum { DIM = 64 };

static char message[256];

TEST(memory_file) {
    static const uint64_t sizes[] = {1, 4096, 100000, 3u << 20};
    folder_new();
    for (int i = 0; i < 4; i++) {
        void *memory = NULL;
        t_ok(nigh_memory_file(in_folder("x.nigh"), sizes[i], &memory, message, sizeof message));
        uint8_t *bytes = memory;
        t_eq((uintptr_t)memory % 4096, 0);
        for (uint64_t at = 0; at < sizes[i]; at++) {
            t_eq(bytes[at], 0);
        }
        memset(bytes, 0xa5, (size_t)sizes[i]);
        t_eq(folder_count(folder_path, 0), 0); /* nothing that could be left behind */
        t_ok(nigh_close(memory));
        t_is(nigh_close(memory), NIGH_E_INVALID);
    }
    folder_drop();
}

#ifdef __linux__
/* Stands before the system's: answers as file systems do that cannot reserve room, after so many
 * signals. */
static int fallocate_answer;
static int fallocate_signals;
static int fallocate_calls;

int posix_fallocate(int descriptor, off_t offset, off_t bytes) {
    fallocate_calls++;
    if (fallocate_signals > 0) {
        fallocate_signals--;
        return EINTR;
    }
    if (fallocate_answer != 0) {
        return fallocate_answer;
    }
    return fallocate(descriptor, 0, offset, bytes) == 0 ? 0 : errno;
}

static void reserves(int answer, int signals, int want) {
    enum { BYTES = 300001 };
    struct stat info;
    int file = open(in_folder("room"), O_RDWR | O_CREAT | O_TRUNC, 0600);
    t_assert(file >= 0);
    fallocate_answer = answer;
    fallocate_signals = signals;
    fallocate_calls = 0;
    t_eq(nighh_reserve(file, BYTES), want);
    t_eq(fallocate_calls, signals + 1);
    t_eq(fstat(file, &info), 0);
    if (want == 0) {
        t_eq(info.st_size, BYTES);
        t_assert((uint64_t)info.st_blocks * 512 >= BYTES); /* none of it is a hole */
    }
    t_eq(close(file), 0);
    fallocate_answer = fallocate_signals = 0;
}

TEST(room_is_reserved_or_written) {
    folder_new();
    reserves(0, 0, 0);
    reserves(0, 3, 0);
    reserves(EOPNOTSUPP, 0, 0);
    reserves(EINVAL, 2, 0);
    reserves(ENOSPC, 1, ENOSPC);
    reserves(EIO, 0, EIO);
    folder_drop();
}

static int writes_in_vain(void) {
    const struct rlimit limit = {100000, 100000};
    signal(SIGXFSZ, SIG_IGN);
    t_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    reserves(EOPNOTSUPP, 0, EFBIG);
    return 0;
}

TEST(room_that_is_not_there) {
    folder_new();
    t_eq(in_child(writes_in_vain), 0);
    folder_drop();
}
#endif

TEST(memory_file_refuses) {
    void *memory = &memory;
    folder_new();
    t_is(nigh_memory_file(NULL, 64, &memory, NULL, 0), NIGH_E_INVALID);
    t_is(nigh_memory_file("", 64, &memory, NULL, 0), NIGH_E_INVALID);
    t_is(nigh_memory_file(in_folder("x"), 0, &memory, NULL, 0), NIGH_E_INVALID);
    t_is(nigh_memory_file(in_folder("x"), 64, NULL, NULL, 0), NIGH_E_INVALID);
    t_is(nigh_memory_file(in_folder("no/x"), 64, &memory, message, sizeof message), NIGH_E_IO);
    t_assert(strstr(message, "no/x") != NULL && strstr(message, "No such file") != NULL);
    t_is(nigh_memory_file(in_folder("x"), UINT64_MAX, &memory, message, sizeof message),
         NIGH_E_NO_MEMORY);
    /* more than the disk has: now, not as a SIGBUS later */
    t_is(nigh_memory_file(in_folder("x"), (uint64_t)1 << 50, &memory, message, sizeof message),
         NIGH_E_IO);
    t_assert(strstr(message, "reserve") != NULL);
    t_assert(memory == &memory);
    t_eq(folder_count(folder_path, 0), 0);
    folder_drop();
}

/* An index of n rows in memory of its own (beside `path`), or as nigh_index_new gives it. */
static nigh_index *built(const char *path, const uint8_t *rows, uint32_t n, void **room) {
    nigh_config config = {.struct_size = sizeof config,
                          .dim = DIM,
                          .metric = NIGH_METRIC_L2,
                          .dtype = NIGH_DTYPE_F32,
                          .keys = NIGH_KEYS_IDENTITY,
                          .m = 8,
                          .ef_build = 20};
    nigh_options options = {.struct_size = sizeof options, .slot_max = n};
    nigh_index *index = NULL;
    nigh_session *session = NULL;
    uint64_t bytes = 0;
    uint32_t done = 0;
    t_ok(nigh_index_new(&config, &options, path == NULL ? n : 0, 0, &index));
    if (path != NULL) {
        t_ok(nigh_grow_bytes(index, n, 0, &bytes));
        t_ok(nigh_memory_file(path, bytes, room, message, sizeof message));
        t_ok(nigh_grow(index, n, 0, *room, bytes));
    }
    t_ok(nigh_session_new(index, NULL, &session));
    t_ok(nigh_insert(index, session, 0, NULL, NULL, rows, n, &done));
    t_ok(nigh_close(session));
    return index;
}

/* The same bytes wherever it was built. */
TEST(built_in_a_file) {
    enum { N = 1500 };
    rng r = {t_seed()};
    void *room = NULL;
    folder_new();
    uint8_t *rows = data_rows(&r, DATA_CLUSTERED, NIGH_DTYPE_F32, N, DIM);
    nigh_index *a = built(NULL, rows, N, NULL), *b = built(in_folder("b"), rows, N, &room);
    t_ok(nigh_save_file(a, 0, in_folder("a"), message, sizeof message));
    t_ok(nigh_save_file(b, 0, in_folder("b"), message, sizeof message));
    void *first = NULL, *second = NULL;
    uint64_t bytes = 0, again = 0;
    t_ok(nigh_file_map(in_folder("a"), 0, &first, &bytes, message, sizeof message));
    t_ok(nigh_file_map(in_folder("b"), 0, &second, &again, message, sizeof message));
    t_eq(bytes, again);
    t_bytes(first, second, bytes);
    t_ok(nigh_close(first));
    t_ok(nigh_close(second));
    t_ok(nigh_close(a));
    t_ok(nigh_close(b));
    t_ok(nigh_close(room));
    free(rows);
    folder_drop();
}

/* ---- Shared --------------------------------------------------------------------------------- */

static void say(int descriptor) { t_eq(write(descriptor, "!", 1), 1); }

static int heard(int descriptor) {
    char byte = 0;
    return read(descriptor, &byte, 1) == 1;
}

/* A process that opens the index, says so, reads all of it, says so, and waits for its end. */
static void reader(int out, int in) {
    t_jump = NULL; /* a failed assertion ends this process */
    float query[DIM] = {0};
    nigh_index *index = NULL;
    nigh_session *session = NULL;
    nigh_search_options so = {.struct_size = sizeof so, .flags = NIGH_SEARCH_EXACT};
    nigh_report report = {.struct_size = sizeof report};
    float distance = 0;
    uint32_t found = 0;
    t_ok(nigh_index_open(in_folder("x"), NIGH_FILE_RANDOM, NULL, 0, 0, &index, message,
                         sizeof message));
    say(out);
    t_assert(heard(in));
    t_ok(nigh_session_new(index, NULL, &session));
    t_ok(nigh_search(index, session, query, &so, 1, NULL, NULL, &distance, NULL, &found));
    t_ok(nigh_check(index, session, &report));
    t_ok(report.status);
    say(out);
    t_assert(!heard(in)); /* the parent is done */
}

typedef struct usage {
    uint64_t resident;
    uint64_t proportional;
    uint64_t dirty;
} usage;

/* What a process has of the file "x", in KiB; 0: the system does not tell. */
static usage usage_of(pid_t process) {
    usage sum = {0, 0, 0};
    char path[64], line[600];
    int inside = 0;
    unsigned long long number = 0, end = 0;
    snprintf(path, sizeof path, "/proc/%d/smaps", (int)process);
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "%llx-%llx ", &number, &end) == 2) {
            inside = strstr(line, in_folder("x")) != NULL;
        }
        if (inside) {
            sum.resident += sscanf(line, "Rss: %llu", &number) == 1 ? number : 0;
            sum.proportional += sscanf(line, "Pss: %llu", &number) == 1 ? number : 0;
            sum.dirty += sscanf(line, "Private_Dirty: %llu", &number) == 1 ? number : 0;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return sum;
}

static pid_t reader_begin(int out[2], int in[2]) {
    t_assert(pipe(out) == 0 && pipe(in) == 0);
    pid_t child = fork();
    t_assert(child >= 0);
    if (child == 0) {
        close(in[1]);
        reader(out[1], in[0]);
        _exit(0);
    }
    close(out[1]);
    t_assert(heard(out[0]));
    return child;
}

static void reader_expect(usage opened, usage now, uint64_t size) {
    if (now.resident == 0) {
        printf("shared_between_processes: /proc/PID/smaps does not tell\n");
        return;
    }
    printf("file %llu KiB, after open %llu, resident %llu, its share %llu\n",
           (unsigned long long)size, (unsigned long long)opened.resident,
           (unsigned long long)now.resident, (unsigned long long)now.proportional);
    t_assert(opened.resident < 1024); /* some 64 KiB round each page that was read */
    t_assert(now.resident >= size * 9 / 10);
    t_assert(now.proportional <= now.resident * 11 / 20);
    t_eq(now.dirty, 0);
}

/* Opening reads a few pages whatever the size; two processes that have read all hold it once. */
TEST(shared_between_processes) {
    enum { N = 40000, PROCESSES = 2 };
    int out[PROCESSES][2], in[PROCESSES][2];
    pid_t child[PROCESSES];
    rng r = {t_seed()};
    folder_new();
    const uint32_t n = t_small() ? N / 8 : N;
    uint8_t *rows = data_rows(&r, DATA_UNIFORM, NIGH_DTYPE_F32, n, DIM);
    nigh_index *index = built(NULL, rows, n, NULL);
    t_ok(nigh_save_file(index, 0, in_folder("x"), message, sizeof message));
    t_ok(nigh_close(index));
    free(rows);
    const uint64_t size = (uint64_t)n * (DIM * 4 + 64 + 4) / 1024; /* KiB at least */
    fflush(stdout);
    for (int i = 0; i < PROCESSES; i++) {
        child[i] = reader_begin(out[i], in[i]);
    }
    usage opened = usage_of(child[0]);
    for (int i = 0; i < PROCESSES; i++) {
        say(in[i][1]);
        t_assert(heard(out[i][0]));
    }
    for (int i = 0; i < PROCESSES; i++) {
        reader_expect(opened, usage_of(child[i]), size);
    }
    for (int i = PROCESSES - 1; i >= 0; i--) { /* the younger one holds the older one's pipe too */
        int status = 0;
        close(in[i][1]);
        t_assert(waitpid(child[i], &status, 0) == child[i]);
        t_eq(status, 0);
        close(in[i][0]);
        close(out[i][0]);
    }
    folder_drop();
}

SUITE {
    RUN(memory_file);
#ifdef __linux__
    RUN(room_is_reserved_or_written);
    RUN(room_that_is_not_there);
#endif
    RUN(memory_file_refuses);
    RUN(built_in_a_file);
    RUN(shared_between_processes);
}
