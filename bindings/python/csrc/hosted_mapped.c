/* hosted_mapped.c - regular files as memory: read-only, private or shared, or without a name
 * layer H; uses: hosted.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hosted.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FLAGS_ALL (NIGH_FILE_PRIVATE | NIGH_FILE_SHARED | NIGHH_HINTS)

static void advise(void *address, uint64_t bytes, uint32_t flags) {
    if ((flags & NIGH_FILE_RANDOM) != 0) {
        (void)madvise(address, (size_t)bytes, MADV_RANDOM);
    }
    if ((flags & NIGH_FILE_SEQUENTIAL) != 0) {
        (void)madvise(address, (size_t)bytes, MADV_SEQUENTIAL);
    }
    if ((flags & NIGH_FILE_WILLNEED) != 0) {
        (void)madvise(address, (size_t)bytes, MADV_WILLNEED);
    }
}

/* Size and lock of an open file. */
static nigh_status inspect(int descriptor, uint32_t flags, uint64_t *bytes,
                           const nighh_errors *errors) {
    struct stat info;
    if (fstat(descriptor, &info) != 0) {
        return nighh_fail_system(errors, NIGH_E_IO, "examine", errno);
    }
    if (S_ISDIR(info.st_mode)) {
        return nighh_fail_system(errors, NIGH_E_IO, "read", EISDIR);
    }
    if (!S_ISREG(info.st_mode)) {
        return nighh_fail(errors, NIGH_E_IO, "not a regular file, it cannot be mapped");
    }
    if (info.st_size <= 0) {
        return nighh_fail(errors, NIGH_E_FORMAT, "the file is empty");
    }
    if ((uint64_t)info.st_size > SIZE_MAX / 2) {
        return nighh_fail(errors, NIGH_E_IO, "too large to be mapped by this process");
    }
    if ((flags & NIGH_FILE_SHARED) != 0 && flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) {
            return nighh_fail(errors, NIGH_E_BUSY, "another process is writing it");
        }
        return nighh_fail_system(errors, NIGH_E_IO, "lock", errno);
    }
    *bytes = (uint64_t)info.st_size;
    return NIGH_OK;
}

nigh_status nighh_map(const char *path, uint32_t flags, nighh_mapping *mapping,
                      const nighh_errors *errors) {
    bool shared = (flags & NIGH_FILE_SHARED) != 0;
    bool stored = (flags & (NIGH_FILE_SHARED | NIGH_FILE_PRIVATE)) != 0;
    /* O_NONBLOCK: opening a pipe must not wait for its writer, only to be refused then. */
    int descriptor = open(path, (shared ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    nigh_status status = NIGH_OK;
    mapping->address = NULL;
    if (descriptor < 0) {
        return nighh_fail_system(errors, NIGH_E_IO, "open", errno);
    }
    status = inspect(descriptor, flags, &mapping->bytes, errors);
    if (status == NIGH_OK) {
        mapping->address = mmap(NULL, (size_t)mapping->bytes,
                                stored ? PROT_READ | PROT_WRITE : PROT_READ,
                                (flags & NIGH_FILE_PRIVATE) != 0 ? MAP_PRIVATE : MAP_SHARED,
                                descriptor, 0);
        if (mapping->address == MAP_FAILED) {
            status = nighh_fail_system(errors, errno == ENOMEM ? NIGH_E_NO_MEMORY : NIGH_E_IO,
                                       "map", errno);
            mapping->address = NULL;
        }
    }
    if (status != NIGH_OK || !shared) {
        (void)close(descriptor);
        descriptor = -1;
    }
    mapping->descriptor = descriptor;
    mapping->flags = flags;
    if (status == NIGH_OK) {
        advise(mapping->address, mapping->bytes, flags);
    }
    return status;
}

nigh_status nighh_unmap(nighh_mapping *mapping) {
    nigh_status status = NIGH_OK;
    if (mapping->address == NULL) {
        return NIGH_OK;
    }
    if ((mapping->flags & NIGH_FILE_SHARED) != 0 &&
        msync(mapping->address, (size_t)mapping->bytes, MS_SYNC) != 0) {
        status = NIGH_E_WRITE;
    }
    (void)munmap(mapping->address, (size_t)mapping->bytes);
    if (mapping->descriptor >= 0 && close(mapping->descriptor) != 0) {
        status = NIGH_E_WRITE;
    }
    mapping->address = NULL;
    return status;
}

static nigh_status mapping_release(void *context) {
    nigh_status status = nighh_unmap(context);
    free(context);
    return status;
}

nigh_status nigh_file_map(const char *path, uint32_t flags, void **address, uint64_t *bytes,
                          char *message, uint32_t message_bytes) {
    nighh_errors errors = nighh_errors_begin(message, message_bytes, path);
    nighh_mapping *mapping = NULL;
    nigh_status status = NIGH_OK;
    if (path == NULL || address == NULL || bytes == NULL || (flags & ~(uint32_t)FLAGS_ALL) != 0 ||
        (flags & 3u) == 3u) {
        return nighh_fail(&errors, NIGH_E_INVALID, "wrong argument");
    }
    mapping = calloc(1, sizeof *mapping);
    if (mapping == NULL) {
        return nighh_fail(&errors, NIGH_E_NO_MEMORY, "no memory");
    }
    status = nighh_map(path, flags, mapping, &errors);
    if (status != NIGH_OK) {
        free(mapping);
        return status;
    }
    status = nighh_own(mapping->address, mapping_release, mapping);
    if (status != NIGH_OK) {
        (void)mapping_release(mapping);
        return nighh_fail(&errors, status, "no memory");
    }
    *address = mapping->address;
    *bytes = mapping->bytes;
    return NIGH_OK;
}

/* ---- Memory that is a file ------------------------------------------------------------------ */

#ifndef PATH_MAX
#define PATH_MAX 4096
#endif

/* A file that nobody can find, in the folder of `path`.  @returns -1: errno */
static int nameless(const char *path) {
    char name[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int folder_bytes = slash != NULL ? (int)(slash + 1 - path) : 0;
    int descriptor = -1;
    if (strlen(path) > PATH_MAX - 32) {
        errno = ENAMETOOLONG;
        return -1;
    }
#ifdef O_TMPFILE
    (void)snprintf(name, sizeof name, "%.*s.", folder_bytes, path);
    descriptor = open(name, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    if (descriptor >= 0) {
        return descriptor;
    }
#endif
    (void)snprintf(name, sizeof name, "%.*s.nigh-XXXXXX", folder_bytes, path);
    descriptor = mkstemp(name);
    if (descriptor >= 0) {
        (void)fcntl(descriptor, F_SETFD, FD_CLOEXEC);
        (void)unlink(name);
    }
    return descriptor;
}

/* Zeros from the beginning on, written: a file system that reserves no room gives it so. */
static int zeros(int descriptor, uint64_t bytes) {
    static const uint8_t none[1 << 16];
    for (uint64_t at = 0; at < bytes;) {
        const uint64_t left = bytes - at;
        const ssize_t put = pwrite(descriptor, none,
                                   left < sizeof none ? (size_t)left : sizeof none, (off_t)at);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return put == 0 ? ENOSPC : errno;
        }
        at += (uint64_t)put;
    }
    return 0;
}

int nighh_reserve(int descriptor, uint64_t bytes) {
#if defined(__linux__) || defined(__FreeBSD__)
    int error = 0;
    do { /* a signal ends it early; what it has reserved stays */
        error = posix_fallocate(descriptor, 0, (off_t)bytes);
    } while (error == EINTR);
    if (error != EOPNOTSUPP && error != EINVAL && error != ENOSYS) {
        return error;
    }
#endif
    return zeros(descriptor, bytes);
}

static nigh_status spill_map(const char *path, uint64_t bytes, nighh_mapping *mapping,
                             const nighh_errors *errors) {
    int descriptor = nameless(path);
    int error = 0;
    if (descriptor < 0) {
        return nighh_fail_system(errors, NIGH_E_IO, "create a file beside", errno);
    }
    mapping->bytes = bytes;
    mapping->descriptor = -1;
    error = nighh_reserve(descriptor, bytes);
    if (error == 0) {
        mapping->address =
            mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
        error = mapping->address == MAP_FAILED ? errno : 0;
    }
    (void)close(descriptor);
    if (error != 0) {
        mapping->address = NULL;
        return nighh_fail_system(errors, error == ENOMEM ? NIGH_E_NO_MEMORY : NIGH_E_IO,
                                 "reserve memory beside", error);
    }
    advise(mapping->address, bytes, NIGH_FILE_RANDOM); /* else a fault may read a megabyte */
    return NIGH_OK;
}

nigh_status nigh_memory_file(const char *path, uint64_t bytes, void **memory, char *message,
                             uint32_t message_bytes) {
    nighh_errors errors = nighh_errors_begin(message, message_bytes, path);
    nighh_mapping *mapping = NULL;
    nigh_status status = NIGH_OK;
    if (path == NULL || *path == 0 || bytes == 0 || memory == NULL) {
        return nighh_fail(&errors, NIGH_E_INVALID, "wrong argument");
    }
    if (bytes > SIZE_MAX / 2) {
        return nighh_fail(&errors, NIGH_E_NO_MEMORY, "too large to be mapped by this process");
    }
    mapping = calloc(1, sizeof *mapping);
    if (mapping == NULL) {
        return nighh_fail(&errors, NIGH_E_NO_MEMORY, "no memory");
    }
    status = spill_map(path, bytes, mapping, &errors);
    if (status == NIGH_OK) { /* flags 0: closing it writes nothing out */
        status = nighh_own(mapping->address, mapping_release, mapping);
    }
    if (status != NIGH_OK) {
        (void)mapping_release(mapping);
        return status;
    }
    *memory = mapping->address;
    return NIGH_OK;
}
