/* reserved_file.c - a new file whose room on the disk is taken, to be mapped
 * layer B; uses: hosted.h
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hosted.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Makes the file, or an older one anew: zeros, none of them a hole, which on a full disk would be a
 * SIGBUS later.  @errors NIGH_E_IO NIGH_E_INVALID */
NIGH_API nigh_status nigh_python_reserve(const char *path, uint64_t bytes, char *message,
                                         uint32_t message_bytes);

nigh_status nigh_python_reserve(const char *path, uint64_t bytes, char *message,
                                uint32_t message_bytes) {
    nighh_errors errors = nighh_errors_begin(message, message_bytes, path);
    if (path == NULL || bytes == 0 || bytes > INT64_MAX) {
        return nighh_fail(&errors, NIGH_E_INVALID, "wrong argument");
    }
    int descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (descriptor < 0) {
        return nighh_fail_system(&errors, NIGH_E_IO, "create", errno);
    }
    int error = nighh_reserve(descriptor, bytes);
    if (error != 0) {
        (void)ftruncate(descriptor, 0); /* the disk is somebody else's again */
    }
    if (close(descriptor) != 0 && error == 0) {
        error = errno;
    }
    return error == 0 ? NIGH_OK : nighh_fail_system(&errors, NIGH_E_IO, "reserve room in", error);
}
