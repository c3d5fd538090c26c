/* test_hosted_store.c - store files: made, changed, read beside a writer, killed, full, damaged
 * layer T; uses: folder.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "folder.h"

#include <signal.h>
#include <sys/resource.h>

enum { DIM = 8, COUNT = 3000 };

static char message[256];
static float vectors[COUNT][DIM];

static void says(const char *text) {
    if (strstr(message, text) == NULL) {
        t_failf("'%s' does not say '%s'", message, text);
    }
}

static nigh_config config_of(void) {
    nigh_config config = {.struct_size = sizeof config,
                          .dim = DIM,
                          .metric = NIGH_METRIC_L2,
                          .dtype = NIGH_DTYPE_F32,
                          .block_bytes = 16384,
                          .ef_build = 40,
                          .m = 8};
    return config;
}

static void vectors_fill(void) {
    uint64_t random = t_seed();
    for (size_t i = 0; i < (size_t)COUNT * DIM; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        vectors[i / DIM][i % DIM] = (float)(random >> 40) / 16777216.0f - 0.5f;
    }
}

/* Key i + 1 gets vector i. */
static void insert_some(nigh_index *index, uint32_t from, uint32_t count) {
    nigh_session *session = NULL;
    t_ok(nigh_session_new(index, NULL, &session));
    for (uint32_t i = from; i < from + count; i++) {
        uint64_t key = i + 1;
        uint32_t done = 0;
        t_ok(nigh_insert(index, session, 0, &key, NULL, vectors[i], 1, &done));
    }
    t_ok(nigh_close(session));
}

static uint32_t slots_of(const nigh_index *index) {
    nigh_stats stats = {.struct_size = sizeof stats};
    t_ok(nigh_stats_get(index, &stats));
    return stats.slot_count;
}

static void check(const nigh_index *index, uint32_t count) {
    nigh_session *session = NULL;
    nigh_report report = {.struct_size = sizeof report};
    float row[DIM];
    uint32_t done = 0;
    t_eq(slots_of(index), count);
    t_ok(nigh_session_new(index, NULL, &session));
    t_ok(nigh_check(index, session, &report));
    t_ok(report.status);
    for (uint64_t key = 1; key <= count; key += 13) {
        t_ok(nigh_get(index, session, &key, NULL, 1, row, NULL, &done));
        t_bytes(row, vectors[key - 1], sizeof row);
    }
    t_ok(nigh_close(session));
}

static nigh_store_file *open_file(const char *path, uint32_t flags) {
    nigh_store_file *file = NULL;
    nigh_status s = nigh_store_file_open(path, flags, NULL, &file, message, sizeof message);
    if (s != NIGH_OK) {
        t_failf("%s (%d)", message, s);
    }
    return file;
}

static nigh_index *index_of(nigh_store_file *file, uint32_t slots) {
    nigh_index *index = NULL;
    nigh_status s =
        nigh_store_file_index(file, NULL, slots, 0, &index, message, sizeof message);
    if (s != NIGH_OK) {
        t_failf("%s (%d)", message, s);
    }
    return index;
}

static void make(const char *path, uint32_t count) {
    const nigh_config config = config_of();
    nigh_index *index = NULL;
    nigh_store_file *file = open_file(path, NIGH_STORE_FILE_WRITE | NIGH_STORE_FILE_CREATE);
    t_ok(nigh_index_new(&config, NULL, COUNT, 0, &index));
    insert_some(index, 0, count);
    t_ok(nigh_store_file_commit(file, index, message, sizeof message));
    t_ok(nigh_close(index));
    t_ok(nigh_close(file));
}

static uint64_t size_of(const char *path) {
    struct stat info;
    t_eq(stat(path, &info), 0);
    return (uint64_t)info.st_size;
}

TEST(made_and_gone_on_with) {
    folder_new();
    const char *path = in_folder("x.store");
    make(path, 500);
    for (uint32_t count = 500; count < COUNT; count += 500) {
        nigh_store_file *file = open_file(path, NIGH_STORE_FILE_WRITE);
        nigh_index *index = index_of(file, count + 500);
        check(index, count);
        insert_some(index, count, 500);
        t_ok(nigh_store_file_commit(file, index, message, sizeof message));
        nigh_store_stats before = {.struct_size = sizeof before};
        nigh_store_stats after = {.struct_size = sizeof after};
        t_ok(nigh_store_file_stats(file, &before));
        t_ok(nigh_store_file_commit(file, index, message, sizeof message)); /* nothing to do */
        t_ok(nigh_store_file_stats(file, &after));
        t_eq(after.written_bytes, before.written_bytes);
        t_ok(nigh_close(file));
        check(index, count + 500);
        t_ok(nigh_close(index));
        t_assert(size_of(path) < 2 * 4096 * (uint64_t)after.page_used); /* it stays compact */
    }
    nigh_store_file *file = open_file(path, 0);
    nigh_index *index = index_of(file, 0);
    check(index, COUNT);
    t_is(nigh_store_file_commit(file, index, message, sizeof message), NIGH_E_READ_ONLY);
    t_ok(nigh_close(index));
    t_ok(nigh_close(file));
    t_eq(folder_count(folder_path, 0), 1);
    folder_drop();
}

/* Room for longer keys alone; options of a caller that knows their first version only. */
TEST(opened_with_room) {
    struct {
        nigh_options old;
        uint32_t beyond;
    } own = {{.struct_size = 16, .upper_extra = 0xffffffff}, 0};
    nigh_config config = config_of();
    nigh_index *index = NULL;
    folder_new();
    config.keys = NIGH_KEYS_BYTES;
    t_ok(nigh_index_new(&config, NULL, 3, 100, &index));
    nigh_store_file *file =
        open_file(in_folder("x.store"), NIGH_STORE_FILE_WRITE | NIGH_STORE_FILE_CREATE);
    t_ok(nigh_store_file_commit(file, index, message, sizeof message));
    t_ok(nigh_close(index));
    t_ok(nigh_store_file_index(file, &own.old, 40, 200, &index, message, sizeof message));
    nigh_session *session = NULL;
    const uint32_t length = 3;
    uint32_t done = 0;
    t_ok(nigh_session_new(index, NULL, &session));
    for (uint32_t i = 0; i < 40; i++) {
        const char key[3] = {'k', (char)('a' + i % 20), (char)('a' + i / 20)};
        t_ok(nigh_insert(index, session, 0, key, &length, vectors[i], 1, &done));
    }
    t_ok(nigh_close(session));
    t_ok(nigh_store_file_commit(file, index, message, sizeof message));
    t_ok(nigh_close(index));
    t_ok(nigh_store_file_index(file, NULL, 0, 20000, &index, message, sizeof message));
    nigh_stats stats = {.struct_size = sizeof stats};
    t_ok(nigh_stats_get(index, &stats));
    t_eq(stats.slot_max, 40);
    t_assert(stats.key_capacity >= 20000); /* more than a block */
    t_ok(nigh_close(index));
    t_ok(nigh_close(file));
    folder_drop();
}

TEST(refusals) {
    nigh_store_file *file = NULL;
    nigh_index *index = NULL;
    folder_new();
    const char *path = in_folder("y.store");
    t_is(nigh_store_file_open(path, 0, NULL, &file, message, sizeof message), NIGH_E_IO);
    says("No such file");
    t_is(nigh_store_file_open(path, 2, NULL, &file, message, sizeof message), NIGH_E_INVALID);
    t_is(nigh_store_file_open(folder_path, 0, NULL, &file, message, sizeof message), NIGH_E_IO);
    file_put(path, "something else", 14);
    t_is(nigh_store_file_open(path, NIGH_STORE_FILE_WRITE | NIGH_STORE_FILE_CREATE, NULL, &file,
                              message, sizeof message),
         NIGH_E_FORMAT);
    t_assert(file_is(path, "something else", 14));
    path = in_folder("z.store");
    file = open_file(path, NIGH_STORE_FILE_WRITE | NIGH_STORE_FILE_CREATE);
    t_is(nigh_store_file_index(file, NULL, 0, 0, &index, message, sizeof message),
         NIGH_E_NOT_FOUND);
    t_ok(nigh_close(file));
    t_is(nigh_close(file), NIGH_E_INVALID);
    folder_drop();
}

enum { WHOLE = 576, SECTOR = 512 };

/* A store that holds nothing yet, or that and an index without vectors: its bytes. */
static size_t made_bytes(const char *path, const nigh_store_options *options, bool commits,
                         uint8_t *bytes, size_t most) {
    nigh_store_file *file = NULL;
    unlink(path);
    t_ok(nigh_store_file_open(path, 3, options, &file, message, sizeof message));
    if (commits) {
        const nigh_config config = config_of();
        nigh_index *index = NULL;
        t_ok(nigh_index_new(&config, NULL, 10, 0, &index));
        t_ok(nigh_store_file_commit(file, index, message, sizeof message));
        t_ok(nigh_close(index));
    }
    t_ok(nigh_close(file));
    FILE *stream = fopen(path, "rb");
    t_assert(stream != NULL);
    const size_t size = fread(bytes, 1, most, stream);
    t_assert(size < most && fclose(stream) == 0);
    return size;
}

static void create(const char *path, const uint8_t *bytes, size_t size, nigh_status want) {
    nigh_store_file *file = NULL;
    file_put(path, bytes, size);
    t_is(nigh_store_file_open(path, 3, NULL, &file, message, sizeof message), want);
    if (want != NIGH_OK) {
        t_assert(file_is(path, bytes, size));
        return;
    }
    const nigh_config config = config_of();
    nigh_index *index = NULL;
    t_is(nigh_store_file_index(file, NULL, 0, 0, &index, message, sizeof message),
         NIGH_E_NOT_FOUND);
    t_ok(nigh_index_new(&config, NULL, 10, 0, &index));
    t_ok(nigh_store_file_commit(file, index, message, sizeof message));
    t_ok(nigh_close(index));
    t_ok(nigh_close(file));
}

static size_t first_byte(const uint8_t *bytes, size_t size) {
    size_t at = 0;
    while (at < size && bytes[at] == 0) {
        at++;
    }
    return at;
}

/* However much of it arrives, a store that the power cut short while it was made is made anew. */
TEST(cut_while_it_was_made) {
    static const uint32_t shapes[][2] = {{1024, 2}, {4096, 2}, {1024, 5}, {1u << 17, 3}};
    enum { MOST = 1 << 20 };
    uint8_t *whole = malloc(MOST), *cut = malloc(MOST);
    folder_new();
    const char *path = in_folder("x.store");
    for (size_t s = 0; s < 4; s++) {
        const nigh_store_options options = {
            .struct_size = sizeof options, .page_bytes = shapes[s][0], .super_count = shapes[s][1]};
        const size_t size = made_bytes(path, &options, false, whole, MOST);
        const size_t at = first_byte(whole, size);
        t_assert(size <= (size_t)shapes[s][0] * shapes[s][1] && at % shapes[s][0] == 0);
        for (size_t got = 0; got <= WHOLE; got += got < 64 || got > 560 ? 1 : 31) {
            memset(cut, 0, MOST); /* its beginning */
            memcpy(cut + at, whole + at, got);
            create(path, cut, (size_t)shapes[s][0] * shapes[s][1], NIGH_OK);
        }
        memset(cut, 0, MOST); /* its end */
        memcpy(cut + at + SECTOR, whole + at + SECTOR, WHOLE - SECTOR);
        create(path, cut, (size_t)shapes[s][0] * shapes[s][1], NIGH_OK);
        memset(cut, 0, MOST); /* nothing, of pages that are there in part */
        create(path, cut, (size_t)shapes[s][0] + 100, NIGH_OK);
    }
    folder_drop();
    free(cut);
    free(whole);
}

/* What may have been committed to, or is no store, stays as it is. */
TEST(not_made_anew) {
    enum { MOST = 1 << 20 };
    uint8_t *bytes = calloc(1, MOST), *text = calloc(1, MOST);
    folder_new();
    const char *path = in_folder("x.store");
    size_t size = made_bytes(path, NULL, true, bytes, MOST);
    bytes[20] ^= 1;
    bytes[4096 + 20] ^= 1;
    create(path, bytes, size, NIGH_E_CORRUPT);
    size_t newest = bytes[16] == 2 ? 0 : 4096; /* generation */
    memset(bytes + 4096 - newest, 0, 4096);
    create(path, bytes, size, NIGH_E_CORRUPT);
    size = made_bytes(path, NULL, false, bytes, MOST); /* data behind it */
    bytes[first_byte(bytes, size) + 20] ^= 1;
    bytes[8192 + 5] = 1;
    create(path, bytes, 8192 + 4096, NIGH_E_CORRUPT);
    memcpy(text, "nigh", 4);
    create(path, text, 4, NIGH_E_FORMAT);
    create(path, text, 1, NIGH_E_FORMAT);
    memcpy(text, "nights", 6);
    create(path, text, 8192, NIGH_E_FORMAT);
    text[0] = 0;
    create(path, text, 8192, NIGH_E_FORMAT);
    folder_drop();
    free(text);
    free(bytes);
}

TEST(damage_is_named) {
    folder_new();
    const char *path = in_folder("x.store");
    nigh_store_file *file = NULL;
    nigh_index *index = NULL;
    make(path, 500);
    int descriptor = open(path, O_RDWR);
    t_assert(descriptor >= 0);
    t_eq(pwrite(descriptor, "damage", 6, 5 * 4096 + 100), 6);
    close(descriptor);
    file = open_file(path, 0);
    t_is(nigh_store_file_index(file, NULL, 0, 0, &index, message, sizeof message),
         NIGH_E_CORRUPT);
    says("of region");
    says("(page 5)");
    t_ok(nigh_close(file));
    t_eq(truncate(path, 3 * 4096), 0);
    nigh_status s = nigh_store_file_open(path, 0, NULL, &file, message, sizeof message);
    t_assert(s == NIGH_E_CORRUPT || s == NIGH_E_MISMATCH);
    folder_drop();
}

/* In another process: 0 when it ended well. */
static int child(void (*work)(const char *), const char *path) {
    int status = 0;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        t_jump = NULL;
        work(path);
        _exit(0);
    }
    t_eq(waitpid(pid, &status, 0), pid);
    return status;
}

static void refused(const char *path) {
    nigh_store_file *file = NULL;
    if (nigh_store_file_open(path, NIGH_STORE_FILE_WRITE, NULL, &file, message, sizeof message) !=
            NIGH_E_BUSY ||
        strstr(message, "another process") == NULL) {
        _exit(1);
    }
}

static void reads_500(const char *path) {
    nigh_store_file *file = open_file(path, 0);
    nigh_index *index = index_of(file, 0);
    check(index, 500);
}

static void reads_600(const char *path) {
    nigh_store_file *file = open_file(path, 0);
    nigh_index *index = index_of(file, 0);
    check(index, 600);
}

TEST(one_writer_many_readers) {
    folder_new();
    const char *path = in_folder("x.store");
    make(path, 500);
    nigh_store_file *reader = open_file(path, 0); /* opened before, reads what is there after */
    nigh_store_file *file = open_file(path, NIGH_STORE_FILE_WRITE);
    nigh_index *index = index_of(file, COUNT);
    t_eq(child(refused, path), 0);
    insert_some(index, 500, 100);
    t_eq(child(reads_500, path), 0);
    t_ok(nigh_store_file_commit(file, index, message, sizeof message));
    t_eq(child(reads_600, path), 0);
    nigh_index *other = index_of(reader, 0);
    check(other, 600);
    t_ok(nigh_close(other));
    for (uint32_t from = 600; from < 1000; from += 10) { /* pages of the reader's are reused */
        insert_some(index, from, 10);
        t_ok(nigh_store_file_commit(file, index, message, sizeof message));
    }
    other = index_of(reader, 0);
    check(other, 1000);
    t_ok(nigh_close(other));
    t_ok(nigh_close(reader));
    t_ok(nigh_close(index));
    t_ok(nigh_close(file));
    folder_drop();
}

/* Inserts ten and commits, again and again, until it is killed. */
static void write_on(const char *path) {
    nigh_store_file *file = open_file(path, NIGH_STORE_FILE_WRITE);
    nigh_index *index = index_of(file, COUNT);
    for (uint32_t from = slots_of(index); from + 10 <= COUNT; from += 10) {
        insert_some(index, from, 10);
        t_ok(nigh_store_file_commit(file, index, message, sizeof message));
    }
}

TEST(killed_at_any_moment) {
    uint32_t kills = t_small() ? 20 : 200;
    uint32_t last = 10;
    uint64_t random = t_seed();
    folder_new();
    const char *path = in_folder("x.store");
    make(path, 10);
    for (uint32_t i = 0; i < kills; i++) {
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            t_jump = NULL;
            write_on(path);
            _exit(0);
        }
        random = random * 6364136223846793005u + 1442695040888963407u;
        usleep((useconds_t)(random >> 40) % 20000);
        kill(pid, SIGKILL);
        t_eq(waitpid(pid, NULL, 0), pid);
        nigh_store_file *file = open_file(path, 0);
        nigh_index *index = index_of(file, 0);
        uint32_t now = slots_of(index);
        t_assert(now >= last && now % 10 == 0);
        check(index, now);
        t_ok(nigh_close(index));
        t_ok(nigh_close(file));
        last = now;
        if (last + 500 > COUNT) {
            t_eq(unlink(path), 0);
            make(path, 10);
            last = 10;
        }
    }
    folder_drop();
}

static void grows_in_vain(const char *path) {
    nigh_store_file *file = open_file(path, NIGH_STORE_FILE_WRITE);
    nigh_index *index = index_of(file, COUNT);
    struct rlimit limit;
    t_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    signal(SIGXFSZ, SIG_IGN);
    rlim_t soft = limit.rlim_cur;
    limit.rlim_cur = size_of(path) + 8 * 4096;
    t_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    insert_some(index, 500, 1000);
    const uint64_t before = size_of(path);
    t_is(nigh_store_file_commit(file, index, message, sizeof message), NIGH_E_WRITE);
    says("cannot write");
    t_eq(size_of(path), before); /* the disk has its room again */
    limit.rlim_cur = soft;
    t_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    t_eq(child(reads_500, path), 0); /* what was committed is there */
    insert_some(index, 1500, 100);
    t_ok(nigh_store_file_commit(file, index, message, sizeof message)); /* and now all of it */
    t_ok(nigh_close(index));
    t_ok(nigh_close(file));
    file = open_file(path, 0);
    index = index_of(file, 0);
    check(index, 1600);
}

TEST(a_full_disk_loses_nothing) {
    folder_new();
    const char *path = in_folder("x.store");
    make(path, 500);
    t_eq(child(grows_in_vain, path), 0);
    folder_drop();
}

SUITE {
    vectors_fill();
    RUN(made_and_gone_on_with);
    RUN(opened_with_room);
    RUN(refusals);
    RUN(cut_while_it_was_made);
    RUN(not_made_anew);
    RUN(damage_is_named);
    RUN(one_writer_many_readers);
    RUN(killed_at_any_moment);
    RUN(a_full_disk_loses_nothing);
}
