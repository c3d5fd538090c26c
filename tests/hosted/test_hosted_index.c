/* test_hosted_index.c - indexes and sessions in one call, index files opened, changed and saved
 * layer T; uses: folder.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "folder.h"

enum { DIM = 24, COUNT = 1500 };

static char message[256];
static float vectors[2 * COUNT][DIM];

static void says(const char *text) {
    if (strstr(message, text) == NULL) {
        t_failf("'%s' does not say '%s'", message, text);
    }
}

static void vectors_fill(void) {
    uint64_t random = t_seed();
    for (size_t i = 0; i < 2 * COUNT * DIM; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        vectors[i / DIM][i % DIM] = (float)(random >> 40) / 16777216.0f - 0.5f;
    }
}

static nigh_config config_of(uint32_t keys, uint32_t source) {
    nigh_config config = {.struct_size = sizeof config,
                          .dim = DIM,
                          .metric = NIGH_METRIC_L2,
                          .dtype = NIGH_DTYPE_F32,
                          .keys = keys,
                          .vectors = source,
                          .ef_build = 60,
                          .m = 8};
    return config;
}

static void insert_some(nigh_index *index, uint64_t from, uint32_t count) {
    nigh_session *session = NULL;
    uint64_t keys[2 * COUNT];
    uint32_t done = 0;
    for (uint32_t i = 0; i < count; i++) {
        keys[i] = 1000 + from + i;
    }
    t_ok(nigh_session_new(index, NULL, &session));
    t_ok(nigh_insert(index, session, 0, keys, NULL, vectors[from], count, &done));
    t_eq(done, count);
    t_ok(nigh_close(session));
}

/* Every one of the first `count` vectors finds itself. */
static void all_found(const nigh_index *index, uint32_t count) {
    nigh_session *session = NULL;
    nigh_stats stats = {.struct_size = sizeof stats};
    t_ok(nigh_stats_get(index, &stats));
    t_eq(stats.live_count, count);
    t_ok(nigh_session_new(index, NULL, &session));
    for (uint32_t i = 0; i < count; i += 7) {
        nigh_search_options options = {.struct_size = sizeof options, .ef = 100};
        uint64_t key = 0;
        float distance = 1;
        uint32_t found = 0;
        t_ok(nigh_search(index, session, vectors[i], &options, 1, &key, NULL, &distance, NULL,
                         &found));
        t_eq(found, 1);
        t_eq(key, 1000 + i);
        t_assert(distance == 0);
    }
    t_ok(nigh_close(session));
}

static void index_file(const char *path, uint32_t count) {
    nigh_config config = config_of(NIGH_KEYS_U64, NIGH_VECTORS_OWNED);
    nigh_index *index = NULL;
    t_ok(nigh_index_new(&config, NULL, count, 0, &index));
    insert_some(index, 0, count);
    all_found(index, count);
    t_ok(nigh_save_file(index, 0, path, message, sizeof message));
    t_eq(message[0], 0);
    t_ok(nigh_close(index));
    t_is(nigh_close(index), NIGH_E_INVALID);
}

TEST(made_saved_opened) {
    nigh_index *index = NULL;
    nigh_session *session = NULL;
    uint64_t key = 1;
    uint32_t done = 0;
    folder_new();
    index_file(in_folder("a.nigh"), COUNT);
    for (uint32_t hints = 0; hints <= 7; hints++) {
        t_ok(nigh_index_open(in_folder("a.nigh"), hints << 2, NULL, 0, 0, &index, message,
                             sizeof message));
        all_found(index, COUNT);
        t_ok(nigh_session_new(index, NULL, &session));
        t_is(nigh_insert(index, session, 0, &key, NULL, vectors, 1, &done), NIGH_E_READ_ONLY);
        t_ok(nigh_close(session));
        t_ok(nigh_close(index));
    }
    folder_drop();
}

TEST(private_changes_are_saved_over_the_file_in_use) {
    nigh_index *index = NULL;
    nigh_index *reader = NULL;
    folder_new();
    index_file(in_folder("a.nigh"), COUNT);
    t_ok(nigh_index_open(in_folder("a.nigh"), 0, NULL, 0, 0, &reader, NULL, 0));
    t_ok(nigh_index_open(in_folder("a.nigh"), NIGH_FILE_PRIVATE, NULL, 2 * COUNT, 0, &index,
                         message, sizeof message));
    insert_some(index, COUNT, COUNT);
    all_found(index, 2 * COUNT);
    all_found(reader, COUNT);
    t_ok(nigh_save_file(index, 0, in_folder("a.nigh"), message, sizeof message));
    all_found(index, 2 * COUNT);
    all_found(reader, COUNT);
    t_ok(nigh_close(reader));
    t_ok(nigh_close(index));
    t_ok(nigh_index_open(in_folder("a.nigh"), 0, NULL, 0, 0, &reader, NULL, 0));
    all_found(reader, 2 * COUNT);
    t_ok(nigh_close(reader));
    folder_drop();
}

TEST(shared_changes_stay_in_the_file) {
    nigh_index *index = NULL;
    nigh_index *second = NULL;
    nigh_session *session = NULL;
    nigh_stats stats = {.struct_size = sizeof stats};
    uint64_t key = 1000;
    uint32_t done = 0;
    folder_new();
    index_file(in_folder("a.nigh"), 100);
    t_ok(nigh_index_open(in_folder("a.nigh"), NIGH_FILE_SHARED, NULL, 0, 0, &index, message,
                         sizeof message));
    t_is(nigh_index_open(in_folder("a.nigh"), NIGH_FILE_SHARED, NULL, 0, 0, &second, message,
                         sizeof message),
         NIGH_E_BUSY);
    says("another process is writing it");
    t_is(nigh_index_open(in_folder("a.nigh"), NIGH_FILE_SHARED, NULL, 200, 0, &second, message,
                         sizeof message),
         NIGH_E_BUSY);
    t_ok(nigh_session_new(index, NULL, &session));
    t_ok(nigh_remove(index, session, &key, NULL, 1, &done));
    t_is(nigh_index_open(in_folder("a.nigh"), 0, NULL, 0, 0, &second, message, sizeof message),
         NIGH_E_OPEN);
    t_ok(nigh_seal(index));
    t_ok(nigh_close(session));
    t_ok(nigh_close(index));
    t_ok(nigh_index_open(in_folder("a.nigh"), 0, NULL, 0, 0, &index, NULL, 0));
    t_ok(nigh_stats_get(index, &stats));
    t_eq(stats.live_count, 99);
    t_ok(nigh_close(index));
    t_is(nigh_index_open(in_folder("a.nigh"), NIGH_FILE_SHARED, NULL, 2 * COUNT, 0, &second,
                         message, sizeof message),
         NIGH_E_UNSUPPORTED);
    says("no room for more");
    t_ok(nigh_index_open(in_folder("a.nigh"), NIGH_FILE_SHARED, NULL, 100, 0, &index, message,
                         sizeof message));
    t_ok(nigh_close(index));
    t_ok(nigh_index_open(in_folder("a.nigh"), 0, NULL, 0, 0, &index, NULL, 0));
    t_ok(nigh_close(index));
    folder_drop();
}

TEST(text_keys) {
    nigh_config config = config_of(NIGH_KEYS_BYTES, NIGH_VECTORS_OWNED);
    nigh_rows rows = {.struct_size = sizeof rows};
    nigh_index *index = NULL;
    nigh_session *session = NULL;
    const void *keys = NULL;
    const uint32_t *lengths = NULL;
    char key[511];
    uint32_t length = 0;
    uint32_t done = 0;
    folder_new();
    file_put(in_folder("keys.txt"), "alpha\r\nbeta\ngamma", 17);
    t_ok(nigh_rows_open(in_folder("keys.txt"), 0, 0, 0, &rows, &keys, &lengths, NULL, 0));
    t_ok(nigh_index_new(&config, NULL, 3, 14, &index));
    t_ok(nigh_session_new(index, NULL, &session));
    t_ok(nigh_insert(index, session, 0, keys, lengths, vectors, (uint32_t)rows.count, &done));
    t_ok(nigh_search(index, session, vectors[2], NULL, 1, key, &length, NULL, NULL, &done));
    t_eq(length, 5);
    t_bytes(key, "gamma", 5);
    t_ok(nigh_close(session));
    t_ok(nigh_save_file(index, 0, in_folder("x.nigh"), NULL, 0));
    t_ok(nigh_close(index));
    t_ok(nigh_close(keys));
    t_ok(nigh_index_open(in_folder("x.nigh"), NIGH_FILE_PRIVATE, NULL, 0, 1400, &index, NULL,
                         0)); /* longer keys, not more of them */
    nigh_stats stats = {.struct_size = sizeof stats};
    t_ok(nigh_stats_get(index, &stats));
    t_eq(stats.slot_max, 3);
    t_assert(stats.key_capacity >= 1400);
    t_ok(nigh_close(index));
    folder_drop();
}

TEST(mapped_vectors_are_borrowed) {
    nigh_config config = config_of(NIGH_KEYS_IDENTITY, NIGH_VECTORS_EXTERNAL);
    nigh_rows shape = {.struct_size = sizeof shape,
                       .format = NIGH_ROWS_FVECS,
                       .dtype = NIGH_DTYPE_F32,
                       .dim = DIM,
                       .count = COUNT};
    nigh_rows rows = {.struct_size = sizeof rows};
    nigh_index *index = NULL;
    nigh_session *session = NULL;
    nigh_saver *saver = NULL;
    const void *base = NULL;
    uint32_t done = 0;
    uint64_t key = 0;
    folder_new();
    t_ok(nigh_save_begin(in_folder("v.fvecs"), &saver, NULL, 0));
    t_ok(nigh_rows_write(saver, &shape, 0, vectors, COUNT));
    t_ok(nigh_save_commit(saver, NULL, 0));
    t_ok(nigh_rows_open(in_folder("v.fvecs"), 0, DIM, 0, &rows, &base, NULL, NULL, 0));
    t_ok(nigh_index_new(&config, NULL, COUNT, 0, &index));
    t_ok(nigh_index_borrow(index, base, rows.stride, (uint32_t)rows.count, 0));
    t_ok(nigh_session_new(index, NULL, &session));
    t_ok(nigh_insert(index, session, 0, NULL, NULL, NULL, COUNT, &done));
    t_eq(done, COUNT);
    t_ok(nigh_search(index, session, vectors[77], NULL, 1, &key, NULL, NULL, NULL, &done));
    t_eq(key, 77);
    t_ok(nigh_close(session));
    t_ok(nigh_close(index));
    t_ok(nigh_close(base));
    folder_drop();
}

enum { WORKERS = 4, BATCH = 50 };
typedef struct parallel {
    nigh_index *index;
    nigh_session *sessions[WORKERS];
} parallel;

static nigh_status insert_batch(void *user, uint64_t task, uint32_t worker) {
    parallel *all = user;
    uint64_t keys[BATCH];
    uint32_t done = 0;
    for (uint32_t i = 0; i < BATCH; i++) {
        keys[i] = 1000 + task * BATCH + i;
    }
    return nigh_insert(all->index, all->sessions[worker], 0, keys, NULL, vectors[task * BATCH],
                       BATCH, &done);
}

TEST(inserted_by_several_threads) {
    nigh_config config = config_of(NIGH_KEYS_U64, NIGH_VECTORS_OWNED);
    parallel all;
    t_ok(nigh_index_new(&config, NULL, COUNT, 0, &all.index));
    for (int i = 0; i < WORKERS; i++) {
        t_ok(nigh_session_new(all.index, NULL, &all.sessions[i]));
    }
    t_ok(nigh_tasks_run(COUNT / BATCH, WORKERS, NULL, insert_batch, &all));
    for (int i = 0; i < WORKERS; i++) {
        t_ok(nigh_close(all.sessions[i]));
    }
    all_found(all.index, COUNT);
    t_ok(nigh_close(all.index));
}

TEST(damaged_files_are_refused_with_a_text) {
    nigh_index *index = NULL;
    const char *path = NULL;
    void *bytes = NULL;
    uint64_t size = 0;
    folder_new();
    path = in_folder("a.nigh");
    index_file(path, 50);
    t_ok(nigh_file_map(path, 0, &bytes, &size, NULL, 0));
    for (uint64_t cut = 1; cut < size; cut += cut < 300 ? 1 : 4001) {
        file_put(in_folder("b.nigh"), bytes, (size_t)cut);
        t_assert(nigh_index_open(in_folder("b.nigh"), 0, NULL, 0, 0, &index, message,
                                 sizeof message) != NIGH_OK);
        says("/b.nigh: ");
    }
    t_ok(nigh_close(bytes));
    t_is(nigh_index_open(in_folder("none"), 0, NULL, 0, 0, &index, message, sizeof message),
         NIGH_E_IO);
    t_is(nigh_index_open(folder_path, 0, NULL, 0, 0, &index, message, sizeof message), NIGH_E_IO);
    file_put(in_folder("text"), "this is no index", 16);
    t_is(nigh_index_open(in_folder("text"), 0, NULL, 0, 0, &index, message, sizeof message),
         NIGH_E_FORMAT);
    t_assert(index == NULL);
    folder_drop();
}

TEST(failed_saves_leave_the_old) {
    nigh_config config = config_of(NIGH_KEYS_U64, NIGH_VECTORS_OWNED);
    nigh_index *index = NULL;
    t_ok(nigh_index_new(&config, NULL, 100, 0, &index));
    insert_some(index, 0, 100);
    t_is(nigh_save_file(index, 0, "/dev/full", message, sizeof message), NIGH_E_WRITE);
    says("cannot write /dev/full: No space left on device");
    t_is(nigh_save_file(index, 0, "/no/such/folder/a", message, sizeof message), NIGH_E_IO);
    t_is(nigh_save_file(index, 999, "/tmp/nigh-never-made", message, sizeof message),
         NIGH_E_INVALID);
    t_assert(access("/tmp/nigh-never-made", F_OK) != 0);
    t_ok(nigh_close(index));
}

TEST(wrong_arguments) {
    nigh_config config = config_of(NIGH_KEYS_U64, NIGH_VECTORS_OWNED);
    nigh_options options = {.struct_size = sizeof options};
    struct {
        nigh_options known;
        uint32_t later;
    } longer = {{.struct_size = sizeof longer, .slot_max = 10}, 0};
    nigh_index *index = NULL;
    nigh_session *session = NULL;
    t_is(nigh_index_new(NULL, NULL, 10, 0, &index), NIGH_E_INVALID);
    t_is(nigh_index_new(&config, NULL, 10, 0, NULL), NIGH_E_INVALID);
    t_assert(nigh_index_new(&config, NULL, 0, 0, &index) != NIGH_OK);
    options.slot_max = 5;
    t_assert(nigh_index_new(&config, &options, 10, 0, &index) != NIGH_OK);
    options.struct_size = 15;
    t_is(nigh_index_new(&config, &options, 5, 0, &index), NIGH_E_INVALID);
    t_ok(nigh_index_new(&config, &longer.known, 5, 0, &index));
    t_is(nigh_session_new(NULL, NULL, &session), NIGH_E_INVALID);
    t_is(nigh_session_new(index, NULL, NULL), NIGH_E_INVALID);
    t_ok(nigh_close(index));
    longer.later = 1;
    t_is(nigh_index_new(&config, &longer.known, 5, 0, &index), NIGH_E_INVALID);
    config.dim = 0;
    t_is(nigh_index_new(&config, NULL, 5, 0, &index), NIGH_E_INVALID);
    t_is(nigh_index_open(NULL, 0, NULL, 0, 0, &index, message, sizeof message), NIGH_E_INVALID);
    t_is(nigh_index_open("a", 3, NULL, 0, 0, &index, message, sizeof message), NIGH_E_INVALID);
    t_is(nigh_index_open("a", 0, NULL, 9, 0, &index, message, sizeof message), NIGH_E_INVALID);
    options.struct_size = sizeof options;
    options.flags = NIGH_OPEN_WRITABLE;
    t_is(nigh_index_open("a", 0, &options, 0, 0, &index, message, sizeof message), NIGH_E_INVALID);
}

SUITE {
    vectors_fill();
    RUN(made_saved_opened);
    RUN(private_changes_are_saved_over_the_file_in_use);
    RUN(shared_changes_stay_in_the_file);
    RUN(text_keys);
    RUN(mapped_vectors_are_borrowed);
    RUN(inserted_by_several_threads);
    RUN(damaged_files_are_refused_with_a_text);
    RUN(failed_saves_leave_the_old);
    RUN(wrong_arguments);
}
