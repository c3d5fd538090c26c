/* test_hosted_memory.c - block memory, the one close, mapped files, messages, processors
 * layer T; uses: folder.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "folder.h"

#include <sys/mman.h>

static char message[256];

TEST(memory_is_aligned_zeroed_and_closed_once) {
    static const uint64_t sizes[] = {1, 64, 4096, 100000, (2u << 20) - 1, 2u << 20, (2u << 20) + 1,
                                     5000001, 64u << 20};
    void *memory[sizeof sizes / sizeof sizes[0]];
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint64_t align = sizes[i] >= 2u << 20 ? 2u << 20 : 64;
        uint8_t *bytes = NULL;
        t_ok(nigh_memory_new(sizes[i], &memory[i]));
        t_eq((uintptr_t)memory[i] % align, 0);
        bytes = memory[i];
        t_eq(bytes[0] | bytes[sizes[i] / 2] | bytes[sizes[i] - 1], 0);
        memset(bytes, 0xa5, sizes[i] < 1u << 20 ? (size_t)sizes[i] : 1u << 20);
        bytes[sizes[i] - 1] = 1;
    }
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        t_ok(nigh_close(memory[i]));
        t_is(nigh_close(memory[i]), NIGH_E_INVALID);
    }
}

TEST(memory_refuses_nonsense) {
    void *memory = &memory;
    t_is(nigh_memory_new(0, &memory), NIGH_E_INVALID);
    t_is(nigh_memory_new(64, NULL), NIGH_E_INVALID);
    t_is(nigh_memory_new(UINT64_MAX, &memory), NIGH_E_NO_MEMORY);
    t_is(nigh_memory_new(UINT64_MAX / 4, &memory), NIGH_E_NO_MEMORY);
    t_assert(memory == &memory);
    t_ok(nigh_close(NULL));
    t_is(nigh_close(&memory), NIGH_E_INVALID);
}

TEST(many_objects_are_told_apart) {
    enum { COUNT = 3000 };
    static void *memory[COUNT];
    for (int i = 0; i < COUNT; i++) {
        t_ok(nigh_memory_new(64, &memory[i]));
    }
    for (int i = 0; i < COUNT; i++) {
        t_ok(nigh_close(memory[i * 7 % COUNT]));
    }
}

TEST(processors) {
    t_assert(nigh_threads() >= 1);
    t_eq(nigh_features_hosted() & nigh_features(), nigh_features());
    t_eq(nighh_quota_parse("max 100000\n"), 0);
    t_eq(nighh_quota_parse("200000 100000\n"), 2);
    t_eq(nighh_quota_parse("150000 100000"), 2);
    t_eq(nighh_quota_parse("1000 100000"), 1);
    t_eq(nighh_quota_parse("-1 100000"), 0);
    t_eq(nighh_quota_parse("100000"), 0);
    t_eq(nighh_quota_parse("100000 0"), 0);
    t_eq(nighh_quota_parse(""), 0);
    t_eq(nighh_quota_parse("99999999999999999999999 1"), 0);
}

TEST(map_reads_and_unmaps) {
    void *address = NULL;
    uint64_t bytes = 0;
    folder_new();
    file_put(in_folder("a"), "hello", 5);
    for (uint32_t hint = 0; hint <= 7; hint++) {
        t_ok(nigh_file_map(in_folder("a"), hint << 2, &address, &bytes, message, sizeof message));
        t_eq(bytes, 5);
        t_bytes(address, "hello", 5);
        t_eq(message[0], 0);
        t_ok(nigh_close(address));
    }
    folder_drop();
}

static void expect(const char *path, uint32_t flags, nigh_status status, const char *text) {
    void *address = message;
    uint64_t bytes = 77;
    t_is(nigh_file_map(path, flags, &address, &bytes, message, sizeof message), status);
    if (strstr(message, text) == NULL) {
        t_failf("'%s' does not say '%s'", message, text);
    }
    t_assert(address == message && bytes == 77);
    t_is(nigh_file_map(path, flags, &address, &bytes, NULL, 0), status);
    t_is(nigh_file_map(path, flags, &address, &bytes, message, 0), status);
}

TEST(map_refuses_with_a_text) {
    folder_new();
    file_put(in_folder("empty"), "", 0);
    file_put(in_folder("a"), "x", 1);
    t_eq(mkfifo(in_folder("pipe"), 0600), 0);
    expect(in_folder("none"), 0, NIGH_E_IO, "/none: No such file or directory");
    expect(in_folder("none"), 0, NIGH_E_IO, "cannot open /tmp/");
    expect(folder_path, 0, NIGH_E_IO, "Is a directory");
    expect(folder_path, NIGH_FILE_SHARED, NIGH_E_IO, "Is a directory");
    expect(in_folder("a/b"), 0, NIGH_E_IO, "Not a directory");
    expect(in_folder("empty"), 0, NIGH_E_FORMAT, "empty");
    expect(in_folder("pipe"), 0, NIGH_E_IO, "not a regular file");
    expect("/dev/null", 0, NIGH_E_IO, "not a regular file");
    expect(in_folder("a"), 3, NIGH_E_INVALID, "argument");
    expect(in_folder("a"), 32, NIGH_E_INVALID, "argument");
    expect("", 0, NIGH_E_IO, "No such file");
    expect(NULL, 0, NIGH_E_INVALID, "argument");
    folder_drop();
}

TEST(message_is_cut_and_ended) {
    char small[8];
    char path[400];
    void *address = NULL;
    uint64_t bytes = 0;
    memset(path, 'd', sizeof path - 1);
    path[0] = '/';
    path[200] = '/';
    path[sizeof path - 1] = 0;
    for (uint32_t size = 1; size <= sizeof small; size++) {
        memset(small, 'x', sizeof small);
        t_is(nigh_file_map(path, 0, &address, &bytes, small, size), NIGH_E_IO);
        t_eq(strlen(small), size - 1);
        t_assert(size == sizeof small || small[size] == 'x');
    }
    t_is(nigh_file_map(path, 0, &address, &bytes, message, sizeof message), NIGH_E_IO);
    t_assert(strstr(message, "...ddd") != NULL && strstr(message, ": No such file") != NULL);
}

TEST(private_changes_stay_here_shared_ones_do_not) {
    void *address = NULL;
    uint64_t bytes = 0;
    folder_new();
    file_put(in_folder("a"), "hello", 5);
    t_ok(nigh_file_map(in_folder("a"), NIGH_FILE_PRIVATE, &address, &bytes, NULL, 0));
    memcpy(address, "HELLO", 5);
    t_ok(nigh_close(address));
    t_assert(file_is(in_folder("a"), "hello", 5));
    t_ok(nigh_file_map(in_folder("a"), NIGH_FILE_SHARED, &address, &bytes, NULL, 0));
    memcpy(address, "HELLO", 5);
    t_ok(nigh_close(address));
    t_assert(file_is(in_folder("a"), "HELLO", 5));
    folder_drop();
}

static int map_shared(void) {
    void *address = NULL;
    uint64_t bytes = 0;
    nigh_status status = nigh_file_map(in_folder("a"), NIGH_FILE_SHARED, &address, &bytes, NULL, 0);
    return status == NIGH_E_BUSY ? 1 : status == NIGH_OK ? 0 : 2;
}

TEST(shared_is_one_process) {
    void *address = NULL;
    void *reader = NULL;
    uint64_t bytes = 0;
    folder_new();
    file_put(in_folder("a"), "hello", 5);
    t_ok(nigh_file_map(in_folder("a"), NIGH_FILE_SHARED, &address, &bytes, NULL, 0));
    t_eq(in_child(map_shared), 1);
    expect(in_folder("a"), NIGH_FILE_SHARED, NIGH_E_BUSY, "another process");
    t_ok(nigh_file_map(in_folder("a"), 0, &reader, &bytes, NULL, 0));
    t_ok(nigh_close(reader));
    t_ok(nigh_close(address));
    t_eq(in_child(map_shared), 0);
    folder_drop();
}

SUITE {
    RUN(memory_is_aligned_zeroed_and_closed_once);
    RUN(memory_refuses_nonsense);
    RUN(many_objects_are_told_apart);
    RUN(processors);
    RUN(map_reads_and_unmaps);
    RUN(map_refuses_with_a_text);
    RUN(message_is_cut_and_ended);
    RUN(private_changes_stay_here_shared_ones_do_not);
    RUN(shared_is_one_process);
}
