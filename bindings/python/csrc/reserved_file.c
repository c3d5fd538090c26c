/* reserved_file.c - a new file whose room on the disk is taken, to be mapped
 * layer B; uses: hosted.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hosted.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Makes the file: zeros, none of them a hole, which on a full disk would be a SIGBUS later. An
 * older one loses its name to it, so that whoever has that mapped keeps it.
 * @errors NIGH_E_IO NIGH_E_BUSY NIGH_E_INVALID */
NIGH_API nigh_status nigh_python_reserve(const char *path, uint64_t bytes, char *message,
                                         uint32_t message_bytes);

/* An empty file of that name, or one that could not be taken away.  @returns -1: errno */
static int fresh(const char *path) {
    struct stat info;
    char *place = realpath(path, NULL); /* NULL: there is nothing yet */
    if (place != NULL && stat(place, &info) == 0 && S_ISREG(info.st_mode)) {
        (void)unlink(place);
    }
    const int descriptor = open(place != NULL ? place : path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    const int error = errno;
    free(place);
    errno = error;
    return descriptor;
}

nigh_status nigh_python_reserve(const char *path, uint64_t bytes, char *message,
                                uint32_t message_bytes) {
    nighh_errors errors = nighh_errors_begin(message, message_bytes, path);
    if (path == NULL || bytes == 0 || bytes > INT64_MAX) {
        return nighh_fail(&errors, NIGH_E_INVALID, "wrong argument");
    }
    const int descriptor = fresh(path);
    if (descriptor < 0) {
        return nighh_fail_system(&errors, NIGH_E_IO, "create", errno);
    }
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        (void)close(descriptor);
        return nighh_fail(&errors, NIGH_E_BUSY, "another index is in it");
    }
    int error = ftruncate(descriptor, 0) == 0 ? nighh_reserve(descriptor, bytes) : errno;
    if (error != 0) {
        (void)ftruncate(descriptor, 0); /* the disk is somebody else's again */
    }
    if (close(descriptor) != 0 && error == 0) {
        error = errno;
    }
    return error == 0 ? NIGH_OK : nighh_fail_system(&errors, NIGH_E_IO, "reserve room in", error);
}
