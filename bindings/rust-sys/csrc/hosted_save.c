/* hosted_save.c - replaces a file so that everyone sees the old one or the new one
 * layer H; uses: hosted.h
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A temporary with an unlikely name in the target's folder, flushed, renamed over the target, the
 * folder flushed. All of it goes through the folder's descriptor: neither chdir nor a renamed
 * folder leads elsewhere. The folder and name of each temporary also lie in a fixed table, the only
 * thing that a signal handler needs to remove them. */
#include "hosted.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SAVER_MAX 64u
#define BUFFER_BYTES (1u << 20)
#define LINK_MAX 40
#define CREATE_TRIES 16
#define NAME_BYTES 32u
#ifndef PATH_MAX
#define PATH_MAX 4096
#endif

/* FREE -> TAKEN (being filled in) -> LIVE -> FREE; ABORTED: a signal handler removed the file. */
enum { SLOT_FREE = 0, SLOT_TAKEN = 1, SLOT_LIVE = 2, SLOT_ABORTED = 3 };

typedef struct slot {
    atomic_uint state;
    pid_t process; /* after fork the child must leave its parent's files alone */
    int folder;
    char name[NAME_BYTES];
} slot;

struct nigh_saver {
    slot *place; /* NULL: a pipe or device, written directly */
    int descriptor;
    int error;        /* errno value of the first failure */
    const char *verb; /* what failed then */
    nighh_row_count rows;
    size_t used;
    char *target; /* last part of the final name, inside `path` */
    char path[PATH_MAX];
    char buffer[BUFFER_BYTES];
};

static slot slots[SAVER_MAX];
static atomic_uint name_counter;

static int system_fsync(int descriptor) {
#ifdef F_FULLFSYNC
    if (fcntl(descriptor, F_FULLFSYNC) == 0) {
        return 0;
    }
#endif
    return fsync(descriptor);
}

nighh_calls nighh_save_calls = {write, system_fsync, close, renameat};

nighh_row_count *nighh_saver_rows(nigh_saver *saver) { return &saver->rows; }

/* ---- Where to write ------------------------------------------------------------------------- */

/* Follows symbolic links to the last name, which need not exist. `path` has PATH_MAX bytes.
 * @returns 0 or an errno value; info->st_mode is 0 when there is no such file */
static int resolve(char *path, struct stat *info) {
    char link[PATH_MAX];
    for (int i = 0; i < LINK_MAX; i++) {
        char *base = NULL;
        size_t folder_bytes = 0;
        ssize_t length = 0;
        info->st_mode = 0;
        if (lstat(path, info) != 0) {
            info->st_mode = 0;
            return errno == ENOENT ? 0 : errno;
        }
        if (!S_ISLNK(info->st_mode)) {
            return 0;
        }
        length = readlink(path, link, sizeof link - 1);
        if (length < 0) {
            return errno;
        }
        link[length] = 0;
        base = strrchr(path, '/');
        folder_bytes = link[0] == '/' || base == NULL ? 0 : (size_t)(base + 1 - path);
        if (folder_bytes + (size_t)length + 1 > PATH_MAX) {
            return ENAMETOOLONG;
        }
        memcpy(path + folder_bytes, link, (size_t)length + 1);
    }
    return ELOOP;
}

/* The folder of saver->path, opened; saver->target is what follows it.  @returns -1: errno */
static int folder_open(nigh_saver *saver) {
    char *slash = strrchr(saver->path, '/');
    int folder = -1;
    saver->target = slash != NULL ? slash + 1 : saver->path;
    if (saver->target[0] == 0) {
        errno = EISDIR;
        return -1;
    }
    if (slash == NULL) {
        return open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (slash == saver->path) {
        return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    *slash = 0;
    folder = open(saver->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *slash = '/';
    return folder;
}

/* A name that no other process or machine on a shared folder takes: O_EXCL only guards it. */
static void name_draw(char *name, const void *salt) {
    struct timespec now = {0, 0};
    uint64_t word = (uint64_t)(uintptr_t)salt;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    word ^= (uint64_t)now.tv_nsec * 0x9e3779b97f4a7c15u + ((uint64_t)now.tv_sec << 32);
    word ^= ((uint64_t)getpid() << 40) + atomic_fetch_add(&name_counter, 1);
    word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9u;
    word ^= word >> 31;
    (void)snprintf(name, NAME_BYTES, ".nigh-%016llx.tmp", (unsigned long long)word);
}

static slot *slot_take(void) {
    for (uint32_t i = 0; i < SAVER_MAX; i++) {
        unsigned expected = SLOT_FREE;
        if (atomic_compare_exchange_strong(&slots[i].state, &expected, SLOT_TAKEN)) {
            slots[i].process = getpid();
            return &slots[i];
        }
    }
    return NULL;
}

static void slot_free(slot *place) {
    atomic_store(&place->state, SLOT_TAKEN); /* before the descriptor can be anything else */
    (void)close(place->folder);
    atomic_store(&place->state, SLOT_FREE);
}

/* Creates the temporary in the slot's folder.  @returns 0 or an errno value */
static int temporary_create(nigh_saver *saver, const struct stat *old) {
    slot *place = saver->place;
    for (int i = 0; i < CREATE_TRIES && saver->descriptor < 0; i++) {
        name_draw(place->name, saver);
        atomic_store(&place->state, SLOT_LIVE); /* before the file is there: none is ever missed */
        saver->descriptor = openat(place->folder, place->name,
                                   O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                                   old->st_mode != 0 ? 0600 : 0666);
        if (saver->descriptor < 0 && errno != EEXIST) {
            return errno;
        }
    }
    if (saver->descriptor < 0) {
        return EEXIST;
    }
    if (old->st_mode != 0) {
        /* The owner can only be kept by root; the mode comes last, chown clears its upper bits. */
        if (fchown(saver->descriptor, old->st_uid, old->st_gid) != 0) {
            (void)fchown(saver->descriptor, (uid_t)-1, old->st_gid);
        }
        if (fchmod(saver->descriptor, old->st_mode & 07777) != 0) {
            return errno;
        }
    }
    return 0;
}

/* Opens what saver->path names.  @returns NIGH_OK or a status with its message */
static nigh_status saver_open(nigh_saver *saver, const nighh_errors *errors) {
    struct stat old;
    int error = 0;
    int folder = -1;
    /* Asked before links are followed by hand: those of /dev/stdout lead to no name. */
    if (stat(saver->path, &old) == 0 && !S_ISREG(old.st_mode) && !S_ISDIR(old.st_mode)) {
        saver->descriptor = open(saver->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        return saver->descriptor >= 0 ? NIGH_OK
                                      : nighh_fail_system(errors, NIGH_E_IO, "open", errno);
    }
    error = resolve(saver->path, &old);
    if (error != 0) {
        return nighh_fail_system(errors, NIGH_E_IO, "save", error);
    }
    if (S_ISDIR(old.st_mode)) {
        return nighh_fail_system(errors, NIGH_E_IO, "save", EISDIR);
    }
    folder = folder_open(saver);
    if (folder < 0) {
        return nighh_fail_system(errors, NIGH_E_IO, "save", errno);
    }
    /* A file that may not be written is not replaced either, though its folder would allow it. */
    if (old.st_mode != 0 && faccessat(folder, saver->target, W_OK, AT_EACCESS) != 0) {
        error = errno;
        (void)close(folder);
        return nighh_fail_system(errors, NIGH_E_IO, "save", error);
    }
    saver->place = slot_take();
    if (saver->place == NULL) {
        (void)close(folder);
        return nighh_fail(errors, NIGH_E_BUSY, "too many files are being saved at once");
    }
    saver->place->folder = folder;
    error = temporary_create(saver, &old);
    return error == 0 ? NIGH_OK : nighh_fail_system(errors, NIGH_E_IO, "save", error);
}

/* ---- Write ---------------------------------------------------------------------------------- */

static nigh_status saver_failed(nigh_saver *saver, const char *verb) {
    if (saver->error == 0) {
        saver->error = errno != 0 ? errno : EIO;
        saver->verb = verb;
    }
    return NIGH_E_WRITE;
}

void nighh_saver_spoil(nigh_saver *saver) {
    errno = EIO;
    (void)saver_failed(saver, "write");
}

static nigh_status write_out(nigh_saver *saver, const char *bytes, uint64_t count) {
    while (count > 0 && saver->error == 0) {
        size_t part = count < (1u << 30) ? (size_t)count : (size_t)1 << 30;
        ssize_t done = 0;
        errno = 0;
        done = nighh_save_calls.write(saver->descriptor, bytes, part);
        if (done <= 0) {
            if (done < 0 && errno == EINTR) {
                continue;
            }
            return saver_failed(saver, "write");
        }
        bytes += done;
        count -= (uint64_t)done;
    }
    return saver->error == 0 ? NIGH_OK : NIGH_E_WRITE;
}

static nigh_status flush(nigh_saver *saver) {
    size_t used = saver->used;
    saver->used = 0;
    return write_out(saver, saver->buffer, used);
}

nigh_status nigh_save_write(void *user, const void *bytes, uint64_t count) {
    nigh_saver *saver = user;
    nigh_status status = NIGH_OK;
    if (saver == NULL || (bytes == NULL && count > 0)) {
        return NIGH_E_INVALID;
    }
    if (saver->error != 0) {
        return NIGH_E_WRITE;
    }
    if (count > BUFFER_BYTES - saver->used) {
        status = flush(saver);
    }
    if (status == NIGH_OK && count >= BUFFER_BYTES) {
        return write_out(saver, bytes, count);
    }
    if (status == NIGH_OK && count > 0) {
        memcpy(saver->buffer + saver->used, bytes, (size_t)count);
        saver->used += (size_t)count;
    }
    return status;
}

/* ---- Begin, give up, commit ----------------------------------------------------------------- */

/* Closes and removes what is left of a saver. Also nigh_close of one. */
static nigh_status saver_release(void *context) {
    nigh_saver *saver = context;
    if (saver->descriptor >= 0) {
        (void)close(saver->descriptor);
    }
    if (saver->place != NULL) {
        if (saver->place->process == getpid()) {
            (void)unlinkat(saver->place->folder, saver->place->name, 0);
        }
        slot_free(saver->place);
    }
    free(saver);
    return NIGH_OK;
}

nigh_status nigh_save_begin(const char *path, nigh_saver **saver, char *message,
                            uint32_t message_bytes) {
    nighh_errors errors = nighh_errors_begin(message, message_bytes, path);
    nigh_saver *made = NULL;
    nigh_status status = NIGH_OK;
    if (path == NULL || saver == NULL) {
        return nighh_fail(&errors, NIGH_E_INVALID, "wrong argument");
    }
    if (strlen(path) >= PATH_MAX) {
        return nighh_fail_system(&errors, NIGH_E_IO, "save", ENAMETOOLONG);
    }
    made = malloc(sizeof *made);
    if (made == NULL) {
        return nighh_fail(&errors, NIGH_E_NO_MEMORY, "no memory");
    }
    memset(made, 0, offsetof(nigh_saver, buffer));
    made->descriptor = -1;
    memcpy(made->path, path, strlen(path) + 1);
    status = saver_open(made, &errors);
    if (status == NIGH_OK && nighh_own(made, saver_release, made) != NIGH_OK) {
        status = nighh_fail(&errors, NIGH_E_NO_MEMORY, "no memory");
    }
    if (status != NIGH_OK) {
        (void)saver_release(made);
        return status;
    }
    *saver = made;
    return NIGH_OK;
}

/* Everything is on the disk under the temporary name. */
static nigh_status finish_file(nigh_saver *saver) {
    int closed = 0;
    if (flush(saver) != NIGH_OK) {
        return NIGH_E_WRITE;
    }
    errno = 0;
    if (nighh_save_calls.fsync(saver->descriptor) != 0 &&
        (saver->place != NULL || (errno != EINVAL && errno != EROFS && errno != ENOTSUP))) {
        return saver_failed(saver, "write");
    }
    closed = nighh_save_calls.close(saver->descriptor);
    saver->descriptor = -1;
    return closed == 0 ? NIGH_OK : saver_failed(saver, "write");
}

/* The temporary takes the target's name. */
static nigh_status finish_name(nigh_saver *saver) {
    slot *place = saver->place;
    if (atomic_load(&place->state) == SLOT_ABORTED) {
        errno = EINTR;
        return saver_failed(saver, "save");
    }
    errno = 0;
    if (nighh_save_calls.rename(place->folder, place->name, place->folder, saver->target) != 0) {
        return saver_failed(saver, "save");
    }
    /* Some file systems cannot flush a folder and say so by EINVAL. */
    if (nighh_save_calls.fsync(place->folder) != 0 && errno != EINVAL && errno != ENOTSUP) {
        return saver_failed(saver, "flush the folder of");
    }
    return NIGH_OK;
}

nigh_status nigh_save_commit(nigh_saver *saver, char *message, uint32_t message_bytes) {
    nighh_errors errors = nighh_errors_begin(message, message_bytes, NULL);
    nigh_status status = NIGH_OK;
    if (saver == NULL || nighh_disown(saver, saver_release) == NULL) {
        return nighh_fail(&errors, NIGH_E_INVALID, "no such saver");
    }
    errors.path = saver->path;
    if (saver->error == 0 && saver->rows.done != saver->rows.expected) {
        status = nighh_fail(&errors, NIGH_E_WRITE, "%llu of %llu rows were written",
                            (unsigned long long)saver->rows.done,
                            (unsigned long long)saver->rows.expected);
    } else {
        status = finish_file(saver);
        if (status == NIGH_OK && saver->place != NULL) {
            status = finish_name(saver);
        }
        if (status != NIGH_OK) {
            (void)nighh_fail_system(&errors, status, saver->verb, saver->error);
        }
    }
    (void)saver_release(saver);
    return status;
}

void nigh_save_abort_all(void) {
    int saved = errno;
    pid_t process = getpid();
    for (uint32_t i = 0; i < SAVER_MAX; i++) {
        unsigned live = SLOT_LIVE;
        if (atomic_load(&slots[i].state) == SLOT_LIVE && slots[i].process == process) {
            (void)unlinkat(slots[i].folder, slots[i].name, 0);
            (void)atomic_compare_exchange_strong(&slots[i].state, &live, SLOT_ABORTED);
        }
    }
    errno = saved;
}
