/* hosted_lmdb_alive.c - locks by which a load under way is told from one that died
 * layer H; uses: hosted_lmdb.h, POSIX
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A process number is another's after a while, and at once in another container. A lock on a byte
 * far beyond the end of the data file is held as long as the load's own description of that file is
 * open, so no longer than its process lives. It belongs to the description, not to the process:
 * loads of one process do not mix theirs up, and closing the file elsewhere drops none. LMDB itself
 * locks bytes of its lock file only. */
#include "hosted_lmdb.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifdef F_OFD_SETLK

static bool same_file(int a, int b) {
    struct stat one;
    struct stat two;
    return fstat(a, &one) == 0 && fstat(b, &two) == 0 && one.st_dev == two.st_dev &&
           one.st_ino == two.st_ino;
}

/* Opens the data file once more; its path may be relative to a folder that we have left. */
static int open_again(MDB_env *env) {
    char path[4096];
    const char *folder = "";
    mdb_filehandle_t data = -1;
    unsigned flags = 0;
    if (mdb_env_get_fd(env, &data) != MDB_SUCCESS || mdb_env_get_path(env, &folder) != 0 ||
        mdb_env_get_flags(env, &flags) != MDB_SUCCESS) {
        return -1;
    }
    snprintf(path, sizeof path, "%s%s", folder, (flags & MDB_NOSUBDIR) != 0 ? "" : "/data.mdb");
    for (int tries = 0; tries < 2; tries++) {
        const int own = open(path, O_RDWR | O_CLOEXEC);
        if (own >= 0 && same_file(own, data)) {
            return own;
        }
        if (own >= 0) {
            close(own);
        }
        snprintf(path, sizeof path, "/proc/self/fd/%d", (int)data);
    }
    return -1;
}

static struct flock lock_at(uint64_t place) {
    struct flock lock;
    memset(&lock, 0, sizeof lock);
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = (off_t)place;
    lock.l_len = 1;
    return lock;
}

int nighh_lmdb_alive_lock(MDB_env *env, uint64_t *place) {
    const int own = open_again(env);
    const uint64_t half = (uint64_t)1 << (sizeof(off_t) * 8 - 2); /* beyond any data */
    struct timespec now = {0, 0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    uint64_t any = (uint64_t)now.tv_sec * 1000000007u + (uint64_t)now.tv_nsec * 65537u +
                   (uint64_t)getpid();
    for (int tries = 0; own >= 0 && tries < 16; tries++) {
        *place = half | (any & (half - 1));
        struct flock lock = lock_at(*place);
        if (fcntl(own, F_OFD_SETLK, &lock) == 0) {
            return own;
        }
        any += 12345; /* another load has it */
    }
    if (own >= 0) {
        close(own);
    }
    *place = 0;
    return -1;
}

int nighh_lmdb_alive(MDB_env *env, uint64_t place) {
    const int own = open_again(env);
    struct flock lock = lock_at(place);
    int held = -1;
    if (own >= 0) {
        held = fcntl(own, F_OFD_GETLK, &lock) != 0 ? -1 : lock.l_type != F_UNLCK;
        close(own);
    }
    return held;
}

#else /* a system without such locks: process numbers are all there is */

int nighh_lmdb_alive_lock(MDB_env *env, uint64_t *place) {
    (void)env;
    *place = 0;
    return -1;
}

int nighh_lmdb_alive(MDB_env *env, uint64_t place) {
    (void)env;
    (void)place;
    return -1;
}

#endif
