/* test_hosted_save.c - atomic saves: the old file or the new one, whatever fails or is killed
 * layer T; uses: folder.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "folder.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

static char message[256];

static void says(const char *text) {
    if (strstr(message, text) == NULL) {
        t_failf("'%s' does not say '%s'", message, text);
    }
}

static nigh_status save_text(const char *path, const char *text) {
    nigh_saver *saver = NULL;
    nigh_status status = nigh_save_begin(path, &saver, message, sizeof message);
    if (status != NIGH_OK) {
        return status;
    }
    (void)nigh_save_write(saver, text, strlen(text)); /* commit tells */
    return nigh_save_commit(saver, message, sizeof message);
}

/* ---- What succeeds -------------------------------------------------------------------------- */

TEST(makes_and_replaces) {
    folder_new();
    t_ok(save_text(in_folder("a"), "one"));
    t_assert(file_is(in_folder("a"), "one", 3));
    t_ok(save_text(in_folder("a"), "second"));
    t_assert(file_is(in_folder("a"), "second", 6));
    t_ok(save_text(in_folder("a"), ""));
    t_assert(file_is(in_folder("a"), "", 0));
    t_eq(message[0], 0);
    t_eq(folder_count(folder_path, 0), 1);
    folder_drop();
}

TEST(writes_of_every_size) {
    enum { TOTAL = 5 << 20 };
    uint8_t *bytes = malloc(TOTAL);
    nigh_saver *saver = NULL;
    size_t done = 0;
    folder_new();
    t_assert(bytes != NULL);
    for (size_t i = 0; i < TOTAL; i++) {
        bytes[i] = (uint8_t)(i % 251);
    }
    t_ok(nigh_save_begin(in_folder("a"), &saver, NULL, 0));
    for (size_t part = 1; done < TOTAL; part = part * 3 % 2300001) {
        size_t now = part < TOTAL - done ? part : TOTAL - done;
        t_ok(nigh_save_write(saver, bytes + done, now));
        t_ok(nigh_save_write(saver, NULL, 0));
        done += now;
    }
    t_ok(nigh_save_commit(saver, NULL, 0));
    t_assert(file_is(in_folder("a"), bytes, TOTAL));
    free(bytes);
    folder_drop();
}

static uint32_t mode_of(const char *path) {
    struct stat info;
    return lstat(path, &info) == 0 ? (uint32_t)info.st_mode & 07777 : 0;
}

TEST(keeps_permissions_or_takes_umask) {
    mode_t before = umask(027);
    folder_new();
    t_ok(save_text(in_folder("a"), "one"));
    t_eq(mode_of(in_folder("a")), 0640);
    umask(0);
    t_ok(save_text(in_folder("b"), "one"));
    t_eq(mode_of(in_folder("b")), 0666);
    t_eq(chmod(in_folder("b"), 0604), 0);
    umask(077);
    t_ok(save_text(in_folder("b"), "two"));
    t_eq(mode_of(in_folder("b")), 0604);
    umask(before);
    folder_drop();
}

TEST(keeps_the_owner_when_root) {
    struct stat info;
    if (geteuid() != 0) {
        return;
    }
    folder_new();
    t_ok(save_text(in_folder("a"), "one"));
    t_eq(chown(in_folder("a"), 1234, 4321), 0);
    t_ok(save_text(in_folder("a"), "two"));
    t_eq(stat(in_folder("a"), &info), 0);
    t_eq(info.st_uid, 1234);
    t_eq(info.st_gid, 4321);
    folder_drop();
}

TEST(links_stay_links) {
    char cwd[512];
    folder_new();
    t_eq(mkdir(in_folder("sub"), 0700), 0);
    file_put(in_folder("sub/real"), "old", 3);
    t_eq(symlink("sub/middle", in_folder("relative")), 0);
    t_eq(symlink("real", in_folder("sub/middle")), 0);
    t_eq(symlink(in_folder("sub/real"), in_folder("absolute")), 0);
    t_eq(symlink("sub/fresh", in_folder("dangling")), 0);
    t_eq(symlink("loop", in_folder("loop")), 0);
    t_eq(symlink("sub", in_folder("folder")), 0);
    t_ok(save_text(in_folder("relative"), "1"));
    t_assert(file_is(in_folder("sub/real"), "1", 1));
    t_ok(save_text(in_folder("absolute"), "22"));
    t_assert(file_is(in_folder("sub/real"), "22", 2));
    t_ok(save_text(in_folder("dangling"), "333"));
    t_assert(file_is(in_folder("sub/fresh"), "333", 3));
    t_ok(save_text(in_folder("folder/real"), "4444"));
    t_assert(file_is(in_folder("sub/real"), "4444", 4));
    t_assert(getcwd(cwd, sizeof cwd) != NULL);
    t_eq(chdir(folder_path), 0);
    t_ok(save_text("relative", "5"));
    t_ok(save_text("plain", "6"));
    t_eq(chdir(cwd), 0);
    t_assert(file_is(in_folder("sub/real"), "5", 1));
    t_assert(file_is(in_folder("plain"), "6", 1));
    t_is(save_text(in_folder("loop"), "7"), NIGH_E_IO);
    says("symbolic link");
    t_is(save_text(in_folder("folder"), "7"), NIGH_E_IO);
    says("Is a directory");
    t_eq(folder_count(in_folder("sub"), 0), 3);
    t_eq(folder_count(folder_path, 1), 0);
    folder_drop();
}

TEST(chdir_meanwhile_leads_nowhere_else) {
    char cwd[512];
    nigh_saver *saver = NULL;
    folder_new();
    t_assert(getcwd(cwd, sizeof cwd) != NULL);
    t_eq(chdir(folder_path), 0);
    t_ok(nigh_save_begin("a", &saver, NULL, 0));
    t_eq(chdir("/"), 0);
    t_ok(nigh_save_write(saver, "x", 1));
    t_ok(nigh_save_commit(saver, NULL, 0));
    t_eq(chdir(cwd), 0);
    t_assert(file_is(in_folder("a"), "x", 1));
    folder_drop();
}

TEST(pipes_and_devices_are_written_directly) {
    int ends[2];
    char path[64];
    char text[8] = {0};
    t_eq(pipe(ends), 0);
    snprintf(path, sizeof path, "/dev/fd/%d", ends[1]);
    t_ok(save_text(path, "piped"));
    t_eq(read(ends[0], text, sizeof text), 5);
    t_bytes(text, "piped", 5);
    close(ends[0]);
    close(ends[1]);
    t_ok(save_text("/dev/null", "gone"));
    t_is(save_text("/dev/full", "no room"), NIGH_E_WRITE);
    says("cannot write /dev/full: No space left on device");
    t_assert(access("/dev/full", F_OK) == 0);
}

/* ---- What is refused ------------------------------------------------------------------------ */

TEST(begin_refuses) {
    nigh_saver *saver = NULL;
    char path[5000];
    folder_new();
    t_is(save_text(in_folder("no/such/a"), ""), NIGH_E_IO);
    says("/no/such/a: No such file or directory");
    t_is(save_text(folder_path, ""), NIGH_E_IO);
    says("Is a directory");
    t_is(save_text(in_folder("a/"), ""), NIGH_E_IO);
    t_is(save_text("", ""), NIGH_E_IO);
    t_is(save_text("/proc/a", ""), NIGH_E_IO);
    memset(path, 'x', sizeof path);
    path[sizeof path - 1] = 0;
    t_is(save_text(path, ""), NIGH_E_IO);
    says("File name too long");
    t_is(nigh_save_begin(NULL, &saver, NULL, 0), NIGH_E_INVALID);
    t_is(nigh_save_begin("a", NULL, NULL, 0), NIGH_E_INVALID);
    t_is(nigh_save_write(NULL, "a", 1), NIGH_E_INVALID);
    t_is(nigh_save_commit(NULL, message, sizeof message), NIGH_E_INVALID);
    t_is(nigh_save_file(NULL, 0, "a", message, sizeof message), NIGH_E_INVALID);
    t_eq(folder_count(folder_path, 0), 0);
    folder_drop();
}

/* As somebody without rights, when the tests run as root. */
static int refused_without_rights(void) {
    if (geteuid() == 0 && (setegid(65534) != 0 || seteuid(65534) != 0)) {
        return 2;
    }
    return save_text(in_folder("closed/a"), "new") == NIGH_E_IO &&
                   strstr(message, "Permission denied") != NULL &&
                   save_text(in_folder("closed/new"), "new") == NIGH_E_IO &&
                   save_text(in_folder("open/a"), "new") == NIGH_E_IO &&
                   strstr(message, "Permission denied") != NULL &&
                   save_text(in_folder("open/mine"), "new") == NIGH_OK
               ? 0
               : 1;
}

TEST(read_only_folder_and_file) {
    folder_new();
    t_eq(chmod(folder_path, 0755), 0);
    t_eq(mkdir(in_folder("closed"), 0755), 0);
    t_eq(mkdir(in_folder("open"), 0755), 0);
    t_eq(chmod(in_folder("open"), 0777), 0);
    file_put(in_folder("closed/a"), "old", 3);
    file_put(in_folder("open/a"), "old", 3);
    t_eq(chmod(in_folder("open/a"), 0444), 0);
    t_eq(chmod(in_folder("closed/a"), 0666), 0);
    t_eq(chmod(in_folder("closed"), 0555), 0);
    t_eq(in_child(refused_without_rights), 0);
    t_assert(file_is(in_folder("closed/a"), "old", 3));
    t_assert(file_is(in_folder("open/a"), "old", 3));
    t_assert(file_is(in_folder("open/mine"), "new", 3));
    t_eq(folder_count(in_folder("closed"), 1) + folder_count(in_folder("open"), 1), 0);
    t_eq(chmod(in_folder("closed"), 0755), 0);
    folder_drop();
}

TEST(sixty_four_at_a_time) {
    nigh_saver *savers[65];
    char name[16];
    folder_new();
    for (int i = 0; i < 64; i++) {
        snprintf(name, sizeof name, "f%d", i);
        t_ok(nigh_save_begin(in_folder(name), &savers[i], NULL, 0));
    }
    t_is(nigh_save_begin(in_folder("more"), &savers[64], message, sizeof message), NIGH_E_BUSY);
    t_eq(folder_count(folder_path, 1), 64);
    for (int i = 0; i < 64; i++) {
        t_ok(i % 2 == 0 ? nigh_save_commit(savers[i], NULL, 0) : nigh_close(savers[i]));
    }
    t_eq(folder_count(folder_path, 0), 32);
    t_ok(save_text(in_folder("more"), "x"));
    folder_drop();
}

/* ---- What goes wrong on the way ------------------------------------------------------------- */

TEST(giving_up_leaves_the_old) {
    nigh_saver *saver = NULL;
    folder_new();
    t_ok(save_text(in_folder("a"), "old"));
    t_ok(nigh_save_begin(in_folder("a"), &saver, NULL, 0));
    t_ok(nigh_save_write(saver, "new", 3));
    t_eq(folder_count(folder_path, 1), 1);
    t_ok(nigh_close(saver));
    t_is(nigh_close(saver), NIGH_E_INVALID);
    t_is(nigh_save_commit(saver, message, sizeof message), NIGH_E_INVALID);
    t_assert(file_is(in_folder("a"), "old", 3));
    t_eq(folder_count(folder_path, 0), 1);
    folder_drop();
}

TEST(abort_all_leaves_the_old) {
    nigh_saver *one = NULL;
    nigh_saver *two = NULL;
    folder_new();
    t_ok(save_text(in_folder("a"), "old"));
    t_ok(nigh_save_begin(in_folder("a"), &one, NULL, 0));
    t_ok(nigh_save_begin(in_folder("b"), &two, NULL, 0));
    errno = 42;
    nigh_save_abort_all();
    nigh_save_abort_all();
    t_eq(errno, 42);
    t_eq(folder_count(folder_path, 0), 1);
    t_ok(nigh_save_write(one, "new", 3));
    t_is(nigh_save_commit(one, message, sizeof message), NIGH_E_WRITE);
    says("Interrupted");
    t_ok(nigh_close(two));
    t_assert(file_is(in_folder("a"), "old", 3));
    t_eq(folder_count(folder_path, 0), 1);
    t_ok(save_text(in_folder("a"), "after"));
    t_assert(file_is(in_folder("a"), "after", 5));
    folder_drop();
}

TEST(vanished_folder) {
    nigh_saver *saver = NULL;
    char command[600];
    folder_new();
    t_eq(mkdir(in_folder("sub"), 0700), 0);
    t_ok(nigh_save_begin(in_folder("sub/a"), &saver, NULL, 0));
    snprintf(command, sizeof command, "rm -r '%s'", in_folder("sub"));
    t_eq(system(command), 0);
    t_ok(nigh_save_write(saver, "x", 1));
    t_is(nigh_save_commit(saver, message, sizeof message), NIGH_E_WRITE);
    says("/sub/a: No such file or directory");
    folder_drop();
}

static int fail_countdown;
static int fail_error;

static int fails_now(void) {
    if (fail_countdown-- == 0) {
        errno = fail_error;
        return 1;
    }
    return 0;
}
static ssize_t bad_write(int descriptor, const void *bytes, size_t count) {
    return fails_now() ? -1 : write(descriptor, bytes, count < 7 ? count : 7);
}
static ssize_t zero_write(int descriptor, const void *bytes, size_t count) {
    (void)descriptor;
    (void)bytes;
    (void)count;
    return 0;
}
static ssize_t interrupted_write(int descriptor, const void *bytes, size_t count) {
    static int turn;
    if (turn++ % 2 == 0) {
        errno = EINTR;
        return -1;
    }
    return write(descriptor, bytes, count < 3 ? count : 3);
}
static int bad_fsync(int descriptor) { return fails_now() ? -1 : fsync(descriptor); }
static int bad_close(int descriptor) {
    int closed = close(descriptor);
    return fails_now() ? -1 : closed;
}
static int bad_rename(int from_folder, const char *from, int to_folder, const char *to) {
    return fails_now() ? -1 : renameat(from_folder, from, to_folder, to);
}

static void fault(int nth, int error, const char *text) {
    fail_countdown = nth;
    fail_error = error;
    t_is(save_text(in_folder("a"), "new and longer than seven bytes"), NIGH_E_WRITE);
    says(text);
    t_assert(file_is(in_folder("a"), "old", 3));
    t_eq(folder_count(folder_path, 0), 1);
}

TEST(late_failures_leave_the_old) {
    nighh_calls before = nighh_save_calls;
    folder_new();
    t_ok(save_text(in_folder("a"), "old"));
    nighh_save_calls.write = bad_write;
    for (int nth = 0; nth < 5; nth++) {
        fault(nth, ENOSPC, "cannot write /tmp/nigh-test-");
        fault(nth, ENOSPC, "No space left on device");
        fault(nth, EIO, "Input/output error");
    }
    nighh_save_calls.write = zero_write;
    fault(-1, 0, "Input/output error");
    nighh_save_calls = before;
    nighh_save_calls.fsync = bad_fsync;
    fault(0, ENOSPC, "No space left on device");
    fault(0, EDQUOT, "quota");
    nighh_save_calls = before;
    nighh_save_calls.close = bad_close;
    fault(0, ENOSPC, "No space left on device");
    nighh_save_calls = before;
    nighh_save_calls.rename = bad_rename;
    fault(0, EROFS, "cannot save");
    nighh_save_calls = before;
    nighh_save_calls.write = interrupted_write;
    t_ok(save_text(in_folder("a"), "interrupted, but written"));
    t_assert(file_is(in_folder("a"), "interrupted, but written", 24));
    nighh_save_calls = before;
    nighh_save_calls.fsync = bad_fsync; /* the folder's: the file is there already, but say so */
    fail_countdown = 1;
    fail_error = EIO;
    t_is(save_text(in_folder("a"), "new"), NIGH_E_WRITE);
    says("cannot flush the folder of");
    t_assert(file_is(in_folder("a"), "new", 3));
    fail_countdown = 1;
    fail_error = EINVAL;
    t_ok(save_text(in_folder("a"), "newer"));
    nighh_save_calls = before;
    folder_drop();
}

static int write_much(const char *path, int expect_text) {
    static char block[1 << 16];
    nigh_saver *saver = NULL;
    nigh_status status = nigh_save_begin(path, &saver, message, sizeof message);
    nigh_status written = NIGH_OK;
    if (status != NIGH_OK) {
        return 10;
    }
    for (int i = 0; i < 64; i++) { /* 4 MiB */
        written = nigh_save_write(saver, block, sizeof block);
    }
    status = nigh_save_commit(saver, message, sizeof message);
    return status == NIGH_E_WRITE && written == NIGH_E_WRITE &&
                   strstr(message, expect_text ? "No space left" : "File too large") != NULL
               ? 0
               : 11;
}

static int limited(void) {
    struct rlimit limit = {2 << 20, 2 << 20};
    signal(SIGXFSZ, SIG_IGN);
    return setrlimit(RLIMIT_FSIZE, &limit) == 0 ? write_much(in_folder("a"), 0) : 2;
}

TEST(file_size_limit) {
    folder_new();
    t_ok(save_text(in_folder("a"), "old"));
    t_eq(in_child(limited), 0);
    t_assert(file_is(in_folder("a"), "old", 3));
    t_eq(folder_count(folder_path, 0), 1);
    folder_drop();
}

/* A full disk in a mount namespace of the child's own, where the system allows one. */
static int full_disk(void) {
    int error = 0;
    if ((unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", in_folder("disk"), "tmpfs", 0, "size=1m") != 0) {
        return 77;
    }
    if (save_text(in_folder("disk/a"), "old") != NIGH_OK) {
        return 3;
    }
    error = write_much(in_folder("disk/a"), 1);
    if (error != 0) {
        return error;
    }
    return file_is(in_folder("disk/a"), "old", 3) && folder_count(in_folder("disk"), 0) == 1 &&
                   save_text(in_folder("disk/a"), "room again") == NIGH_OK
               ? 0
               : 4;
}

TEST(full_disk_leaves_the_old) {
    int result = 0;
    folder_new();
    t_eq(mkdir(in_folder("disk"), 0700), 0);
    result = in_child(full_disk);
    if (result == 77) {
        printf("no mount allowed here: the full disk is only simulated\n");
    } else {
        t_eq(result, 0);
    }
    folder_drop();
}

/* ---- Killed --------------------------------------------------------------------------------- */

static int ready[2];

static int save_and_wait(void) {
    nigh_saver *saver = NULL;
    if (nigh_save_begin(in_folder("a"), &saver, NULL, 0) != NIGH_OK ||
        nigh_save_write(saver, "new", 3) != NIGH_OK || write(ready[1], "x", 1) != 1) {
        return 1;
    }
    for (;;) {
        pause();
    }
}

static void on_signal(int number) {
    nigh_save_abort_all();
    _exit(number);
}

static int save_and_wait_handled(void) {
    signal(SIGTERM, on_signal);
    return save_and_wait();
}

/* Starts a child, kills it when it has begun to save.  @returns its wait status */
static int killed(int (*body)(void), int number) {
    char byte = 0;
    int status = 0;
    pid_t child = 0;
    fflush(stdout);
    t_eq(pipe(ready), 0);
    child = fork();
    if (child == 0) {
        _exit(body());
    }
    t_eq(read(ready[0], &byte, 1), 1);
    t_eq(kill(child, number), 0);
    t_eq(waitpid(child, &status, 0), child);
    close(ready[0]);
    close(ready[1]);
    return status;
}

TEST(killed_before_the_rename) {
    folder_new();
    t_ok(save_text(in_folder("a"), "old"));
    t_assert(WIFSIGNALED(killed(save_and_wait, SIGKILL)));
    t_assert(file_is(in_folder("a"), "old", 3));
    t_eq(folder_count(folder_path, 1), 1); /* nobody could remove it */
    t_ok(save_text(in_folder("a"), "next"));
    t_assert(file_is(in_folder("a"), "next", 4));
    t_eq(folder_count(folder_path, 1), 1);
    t_assert(WEXITSTATUS(killed(save_and_wait_handled, SIGTERM)) == SIGTERM);
    t_eq(folder_count(folder_path, 1), 1); /* its own is gone, the other is not its */
    folder_drop();
}

static nigh_saver *inherited;

static int child_of_saver(void) {
    nigh_save_abort_all();
    return nigh_close(inherited) == NIGH_OK ? 0 : 1;
}

TEST(a_child_leaves_its_parents_temporaries) {
    folder_new();
    t_ok(nigh_save_begin(in_folder("a"), &inherited, NULL, 0));
    t_ok(nigh_save_write(inherited, "x", 1));
    t_eq(in_child(child_of_saver), 0);
    t_ok(nigh_save_commit(inherited, message, sizeof message));
    t_assert(file_is(in_folder("a"), "x", 1));
    folder_drop();
}

enum { BIG = 300000 };
static char big_a[BIG];
static char big_b[2 * BIG];

static int save_forever(void) {
    for (int i = 0;; i++) {
        nigh_saver *saver = NULL;
        if (nigh_save_begin(in_folder("a"), &saver, NULL, 0) != NIGH_OK) {
            return 1;
        }
        (void)nigh_save_write(saver, i % 2 ? big_a : big_b, i % 2 ? sizeof big_a : sizeof big_b);
        if (nigh_save_commit(saver, NULL, 0) != NIGH_OK) {
            return 2;
        }
        if (i == 0 && write(ready[1], "x", 1) != 1) {
            return 3;
        }
    }
}

TEST(killed_at_any_moment) {
    uint64_t random = t_seed();
    int rounds = t_small() ? 5 : 40;
    folder_new();
    memset(big_a, 'a', sizeof big_a);
    memset(big_b, 'b', sizeof big_b);
    for (int i = 0; i < rounds; i++) {
        char byte = 0;
        pid_t child = 0;
        fflush(stdout);
        t_eq(pipe(ready), 0);
        child = fork();
        if (child == 0) {
            _exit(save_forever());
        }
        t_eq(read(ready[0], &byte, 1), 1);
        random = random * 6364136223846793005u + 1442695040888963407u;
        usleep((useconds_t)(random >> 33) % 5000);
        t_eq(kill(child, SIGKILL), 0);
        t_eq(waitpid(child, NULL, 0), child);
        close(ready[0]);
        close(ready[1]);
        t_assert(file_is(in_folder("a"), big_a, sizeof big_a) ||
                 file_is(in_folder("a"), big_b, sizeof big_b));
    }
    folder_drop();
}

SUITE {
    RUN(makes_and_replaces);
    RUN(writes_of_every_size);
    RUN(keeps_permissions_or_takes_umask);
    RUN(keeps_the_owner_when_root);
    RUN(links_stay_links);
    RUN(chdir_meanwhile_leads_nowhere_else);
    RUN(pipes_and_devices_are_written_directly);
    RUN(begin_refuses);
    RUN(read_only_folder_and_file);
    RUN(sixty_four_at_a_time);
    RUN(giving_up_leaves_the_old);
    RUN(abort_all_leaves_the_old);
    RUN(vanished_folder);
    RUN(late_failures_leave_the_old);
    RUN(file_size_limit);
    RUN(full_disk_leaves_the_old);
    RUN(killed_before_the_rename);
    RUN(a_child_leaves_its_parents_temporaries);
    RUN(killed_at_any_moment);
}
