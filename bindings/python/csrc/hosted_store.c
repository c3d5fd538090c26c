/* hosted_store.c - a store in a regular file: found, locked, grown, committed to
 * layer H; uses: hosted.h
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Two bytes of the file are locked (the locks mean nothing to others, and no byte is touched):
 * the first for as long as somebody may write, the second while a commit goes on or a reader reads
 * the index into its memory. So there is one writer, and readers wait at most for a commit. */
#include "hosted.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef F_OFD_SETLK
#define LOCK_NOW F_OFD_SETLK
#define LOCK_WAIT F_OFD_SETLKW
#else /* these belong to the process, not to the open file */
#define LOCK_NOW F_SETLK
#define LOCK_WAIT F_SETLKW
#endif

enum { LOCK_WRITER = 0, LOCK_STATE = 1 };
enum { UNIT = 1 << 10 };         /* the smallest page: superblocks begin at multiples of it */
enum { BLANK_BYTES = 64 << 20 }; /* 64 superblocks in the largest pages */
/* Where things are in a superblock. */
enum {
    SUPER_GENERATION = 16,
    SUPER_DEPTH = 40,
    SUPER_ROOTS = 52,
    SUPER_HEADER = 56,
    SUPER_SECTOR = 512,
    SUPER_CHECKSUM = 572,
    SUPER_BYTES = 576
};
enum { PAGE_BYTES = 4096, SUPER_COUNT = 2 };
enum { PAGES_MORE = 256 }; /* room beyond what the file has, before it must be asked for */
#define PAGES_MAX (1u << 31)

struct nigh_store_file {
    int descriptor;
    int error; /* errno of the last callback that failed */
    const char *verb;
    uint32_t flags;
    bool lost;  /* a flush failed: nobody knows what of the file is on the disk */
    bool named; /* this commit has written to a superblock, or tried to */
    nigh_store_options options;
    nigh_store *store;
    void *memory;
    uint64_t bytes;
    char *path;
};

/* ---- The device ----------------------------------------------------------------------------- */

static nigh_status device_failed(nigh_store_file *file, const char *verb) {
    file->error = errno;
    file->verb = verb;
    return NIGH_E_USER;
}

/* What lies beyond the end of the file is zero: it grows as pages are written. */
static nigh_status device_read(void *user, uint64_t offset, void *bytes, uint64_t count) {
    nigh_store_file *file = user;
    uint8_t *to = bytes;
    while (count > 0) {
        ssize_t got = pread(file->descriptor, to, (size_t)count, (off_t)offset);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return device_failed(file, "read");
        }
        if (got == 0) {
            memset(to, 0, (size_t)count);
            return NIGH_OK;
        }
        to += got;
        offset += (uint64_t)got;
        count -= (uint64_t)got;
    }
    return NIGH_OK;
}

static nigh_status device_write(void *user, uint64_t offset, const void *bytes, uint64_t count) {
    nigh_store_file *file = user;
    const uint8_t *from = bytes;
    const nigh_store_options *options = &file->options; /* 0: the default */
    const uint64_t page_bytes = options->page_bytes != 0 ? options->page_bytes : PAGE_BYTES;
    const uint32_t super_count = options->super_count != 0 ? options->super_count : SUPER_COUNT;
    file->named = file->named || offset < page_bytes * super_count;
    while (count > 0) {
        ssize_t put = pwrite(file->descriptor, from, (size_t)count, (off_t)offset);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            errno = put == 0 ? ENOSPC : errno;
            return device_failed(file, "write");
        }
        from += put;
        offset += (uint64_t)put;
        count -= (uint64_t)put;
    }
    return NIGH_OK;
}

static nigh_status device_sync(void *user) {
    nigh_store_file *file = user;
#ifdef __APPLE__
    if (fcntl(file->descriptor, F_FULLFSYNC) == 0) {
        return NIGH_OK;
    }
    int result = fsync(file->descriptor);
#else
    int result = fdatasync(file->descriptor);
#endif
    if (result != 0) {
        file->lost = true;
        return device_failed(file, "flush");
    }
    return NIGH_OK;
}

static nigh_status lock(nigh_store_file *file, int which, short kind, bool wait) {
    struct flock range = {.l_type = kind, .l_whence = SEEK_SET, .l_start = which, .l_len = 1};
    int result = -1;
    do {
        result = fcntl(file->descriptor, wait ? LOCK_WAIT : LOCK_NOW, &range);
    } while (result != 0 && errno == EINTR);
    if (result == 0) {
        return NIGH_OK;
    }
    if (errno == EACCES || errno == EAGAIN) {
        return NIGH_E_BUSY;
    }
    return device_failed(file, "lock");
}

/* The words for a status of a store in a file. */
static nigh_status store_failed(const nigh_store_file *file, nigh_status status,
                                const nighh_errors *errors) {
    if (status == NIGH_E_USER) {
        const bool reading = strcmp(file->verb, "read") == 0 || strcmp(file->verb, "lock") == 0;
        return nighh_fail_system(errors, reading ? NIGH_E_IO : NIGH_E_WRITE, file->verb,
                                 file->error);
    }
    if (status == NIGH_E_CORRUPT && file->store != NULL) {
        nigh_store_stats stats = {.struct_size = sizeof stats};
        if (nigh_store_stats_get(file->store, &stats) == NIGH_OK &&
            stats.bad_region != UINT32_MAX) {
            return nighh_fail(errors, status, "block %u of region %u is damaged (page %u)",
                              stats.bad_block, stats.bad_region, stats.bad_page);
        }
    }
    return nighh_fail(errors, status, "%s",
                      status == NIGH_E_BUSY ? "another process writes it"
                                            : nighh_status_text(status));
}

/* ---- Opening -------------------------------------------------------------------------------- */

static uint64_t file_bytes(nigh_store_file *file) {
    struct stat info;
    return fstat(file->descriptor, &info) == 0 && info.st_size > 0 ? (uint64_t)info.st_size : 0;
}

static bool all_zero(const uint8_t *bytes, size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

/* What a power cut may leave of the first superblock of a store (docs/FORMAT.md), in the UNIT bytes
 * that begin where it does: its beginning, or its end where only that sector arrived. It names no
 * index, and generation 1, so nothing was committed. */
static bool torn_first(const uint8_t *unit) {
    static const uint8_t magic[8] = {'n', 'i', 'g', 'h', 's', '\n', 0x1a, 0};
    uint64_t generation = 0;
    size_t same = 0;
    for (size_t i = 8; i-- > 0;) {
        generation = generation << 8 | unit[SUPER_GENERATION + i];
    }
    while (same < sizeof magic && unit[same] == magic[same]) {
        same++;
    }
    return (same == sizeof magic || all_zero(unit, same, SUPER_SECTOR)) && generation <= 1 &&
           all_zero(unit, SUPER_DEPTH, SUPER_ROOTS) &&
           all_zero(unit, SUPER_HEADER, SUPER_CHECKSUM) && all_zero(unit, SUPER_BYTES, UNIT);
}

/* Empty, or what is left where the power went while a store was made: pages for superblocks, all
 * zeros but for what there is of the first one. That is written when zeros are on the disk. A file
 * to which an index was committed has two superblocks, or data behind them. */
static bool never_formatted(nigh_store_file *file) {
    const uint64_t bytes = file_bytes(file);
    uint8_t part[4096];
    uint32_t torn = 0;
    for (uint64_t at = 0; at < bytes; at += sizeof part) {
        if (at >= BLANK_BYTES || device_read(file, at, part, sizeof part) != NIGH_OK) {
            return false;
        }
        for (size_t i = 0; i < sizeof part; i += UNIT) {
            if (!all_zero(part + i, 0, UNIT) && (torn++ > 0 || !torn_first(part + i))) {
                return false;
            }
        }
    }
    return torn == 0 || bytes >= (uint64_t)2 * UNIT;
}

/* The store as the file has it now. */
static nigh_status mount_file(nigh_store_file *file, uint32_t store_flags) {
    const bool writes = (file->flags & NIGH_STORE_FILE_WRITE) != 0;
    uint64_t bytes = 0;
    void *memory = NULL;
    nigh_store_options options = file->options;
    nigh_status status = NIGH_OK;
    if ((store_flags & NIGH_STORE_FORMAT) == 0) {
        const uint64_t size = file_bytes(file);
        status = nigh_store_find(device_read, file, size, &options);
        options.page_count =
            status == NIGH_OK ? (uint32_t)((size + options.page_bytes - 1) / options.page_bytes)
                              : 0;
    }
    options.flags = store_flags;
    options.page_count += writes ? options.page_count / 4 + PAGES_MORE : 0;
    status = status == NIGH_OK ? nigh_store_bytes(&options, &bytes) : status;
    status = status == NIGH_OK ? nighh_pages_new(bytes, &memory) : status;
    if (status == NIGH_OK) {
        nigh_store *store = NULL;
        status = nigh_store_open(&options, device_read, writes ? device_write : NULL, NULL,
                                 writes ? device_sync : NULL, file, memory, bytes, &store);
        if (status != NIGH_OK) {
            nighh_pages_free(memory, bytes);
            return status;
        }
        nighh_pages_free(file->memory, file->bytes);
        file->memory = memory;
        file->bytes = bytes;
        file->store = store;
        file->options = options;
    }
    return status;
}

static nigh_status file_release(void *context) {
    nigh_store_file *file = context;
    nigh_status status = NIGH_OK;
    if (file->descriptor >= 0 && close(file->descriptor) != 0) {
        status = NIGH_E_WRITE;
    }
    nighh_pages_free(file->memory, file->bytes);
    free(file->path);
    free(file);
    return status;
}

/* A new name is on the disk only after its folder is. */
static void flush_folder(const char *path) {
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL ? 1 : slash == path ? 1 : (size_t)(slash - path);
    char *folder = calloc(1, length + 1);
    int descriptor = -1;
    if (folder == NULL) {
        return;
    }
    memcpy(folder, slash == NULL ? "." : path, length);
    descriptor = open(folder, O_RDONLY | O_CLOEXEC);
    if (descriptor >= 0) {
        (void)fsync(descriptor);
        (void)close(descriptor);
    }
    free(folder);
}

static nigh_status open_file(nigh_store_file *file, const nighh_errors *errors) {
    const bool writes = (file->flags & NIGH_STORE_FILE_WRITE) != 0;
    const bool creates = (file->flags & NIGH_STORE_FILE_CREATE) != 0;
    struct stat info;
    file->descriptor =
        open(file->path,
             (writes ? O_RDWR : O_RDONLY) | (creates ? O_CREAT : 0) | O_CLOEXEC | O_NONBLOCK |
                 O_NOCTTY,
             0666);
    if (file->descriptor < 0) {
        return nighh_fail_system(errors, NIGH_E_IO, creates ? "create" : "open", errno);
    }
    if (fstat(file->descriptor, &info) != 0 || !S_ISREG(info.st_mode)) {
        return nighh_fail(errors, NIGH_E_IO, "not a regular file");
    }
    nigh_status status = writes ? lock(file, LOCK_WRITER, F_WRLCK, false) : NIGH_OK;
    status = status == NIGH_OK
                 ? lock(file, LOCK_STATE, writes ? (short)F_WRLCK : (short)F_RDLCK, true)
                 : status;
    if (status == NIGH_OK) {
        status = mount_file(file, 0);
        if (creates && (status == NIGH_E_FORMAT || status == NIGH_E_CORRUPT) &&
            never_formatted(file)) {
            status = mount_file(file, NIGH_STORE_FORMAT);
            flush_folder(file->path);
        }
        (void)lock(file, LOCK_STATE, F_UNLCK, false);
    }
    return status == NIGH_OK ? NIGH_OK : store_failed(file, status, errors);
}

nigh_status nigh_store_file_open(const char *path, uint32_t flags,
                                 const nigh_store_options *options, nigh_store_file **file,
                                 char *message, uint32_t message_bytes) {
    const uint32_t known = NIGH_STORE_FILE_WRITE | NIGH_STORE_FILE_CREATE;
    nighh_errors errors = nighh_errors_begin(message, message_bytes, path);
    if (path == NULL || file == NULL || (flags & ~known) != 0 || flags == NIGH_STORE_FILE_CREATE ||
        (options != NULL && options->struct_size < sizeof *options)) {
        return nighh_fail(&errors, NIGH_E_INVALID, "wrong argument");
    }
    nigh_store_file *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return nighh_fail(&errors, NIGH_E_NO_MEMORY, "no memory");
    }
    made->descriptor = -1;
    made->flags = flags;
    made->verb = "";
    made->options.struct_size = sizeof made->options;
    made->options.page_bytes = options != NULL ? options->page_bytes : 0;
    made->options.super_count = options != NULL ? options->super_count : 0;
    made->path = strdup(path);
    nigh_status status = made->path == NULL ? nighh_fail(&errors, NIGH_E_NO_MEMORY, "no memory")
                                            : open_file(made, &errors);
    if (status == NIGH_OK && nighh_own(made, file_release, made) != NIGH_OK) {
        status = nighh_fail(&errors, NIGH_E_NO_MEMORY, "no memory");
    }
    if (status != NIGH_OK) {
        (void)file_release(made);
        return status;
    }
    *file = made;
    return NIGH_OK;
}

nigh_status nigh_store_file_stats(const nigh_store_file *file, nigh_store_stats *stats) {
    return file == NULL ? NIGH_E_INVALID : nigh_store_stats_get(file->store, stats);
}

/* ---- An index out of it --------------------------------------------------------------------- */

typedef struct part {
    void *memory;
    uint64_t bytes;
} part;

typedef struct holder {
    nigh_index *index;
    part handle;
    part blocks;
    part writer;
    part room;
} holder;

static nigh_status holder_release(void *context) {
    holder *held = context;
    nighh_pages_free(held->room.memory, held->room.bytes);
    nighh_pages_free(held->writer.memory, held->writer.bytes);
    nighh_pages_free(held->blocks.memory, held->blocks.bytes);
    nighh_pages_free(held->handle.memory, held->handle.bytes);
    free(held);
    return NIGH_OK;
}

static nigh_status part_new(part *made, uint64_t bytes) {
    made->bytes = bytes;
    return bytes == 0 ? NIGH_OK : nighh_pages_new(bytes, &made->memory);
}

static nigh_status load(nigh_store_file *file, const nigh_options *options, holder *held) {
    uint64_t bytes = 0;
    uint64_t block_bytes = 0;
    nigh_status status = nigh_store_attach_bytes(file->store, options, &bytes, &block_bytes);
    status = status == NIGH_OK ? part_new(&held->handle, bytes) : status;
    status = status == NIGH_OK ? part_new(&held->blocks, block_bytes) : status;
    return status == NIGH_OK ? nigh_store_attach(file->store, options, held->handle.memory, bytes,
                                                 held->blocks.memory, block_bytes, &held->index)
                             : status;
}

static nigh_status make_writable(holder *held, uint32_t slots, uint64_t key_bytes) {
    uint64_t bytes = 0;
    nigh_status status = nigh_writer_bytes(held->index, &bytes);
    status = status == NIGH_OK ? part_new(&held->writer, bytes) : status;
    status = status == NIGH_OK ? nigh_writer_init(held->index, held->writer.memory, bytes) : status;
    status = status == NIGH_OK ? nighh_room_slots(held->index, key_bytes, &slots) : status;
    if (status != NIGH_OK || slots == 0) {
        return status;
    }
    status = nigh_grow_bytes(held->index, slots, key_bytes, &bytes);
    if (status != NIGH_OK || bytes == 0) {
        return status;
    }
    status = part_new(&held->room, bytes);
    return status == NIGH_OK ? nigh_grow(held->index, slots, key_bytes, held->room.memory, bytes)
                             : status;
}

/* A writer's tables are current; a reader looks at the file again, under the lock. */
static nigh_status read_index(nigh_store_file *file, const nigh_options *options, holder *held) {
    if ((file->flags & NIGH_STORE_FILE_WRITE) != 0) {
        return load(file, options, held);
    }
    nigh_status status = lock(file, LOCK_STATE, F_RDLCK, true);
    status = status == NIGH_OK ? mount_file(file, 0) : status;
    status = status == NIGH_OK ? load(file, options, held) : status;
    (void)lock(file, LOCK_STATE, F_UNLCK, false);
    return status;
}

nigh_status nigh_store_file_index(nigh_store_file *file, const nigh_options *options,
                                  uint32_t slots, uint64_t key_bytes, nigh_index **index,
                                  char *message, uint32_t message_bytes) {
    nighh_errors errors =
        nighh_errors_begin(message, message_bytes, file != NULL ? file->path : NULL);
    nigh_options own;
    if (file == NULL || index == NULL || nighh_options_take(options, &own) != NIGH_OK ||
        ((file->flags & NIGH_STORE_FILE_WRITE) == 0 && (slots != 0 || key_bytes != 0))) {
        return nighh_fail(&errors, NIGH_E_INVALID, "wrong argument");
    }
    own.slot_max = slots > own.slot_max ? slots : own.slot_max;
    own.flags |= (file->flags & NIGH_STORE_FILE_WRITE) != 0 ? (uint32_t)NIGH_OPEN_WRITABLE : 0;
    holder *held = calloc(1, sizeof *held);
    if (held == NULL) {
        return nighh_fail(&errors, NIGH_E_NO_MEMORY, "no memory");
    }
    nigh_status status = read_index(file, &own, held);
    if (status == NIGH_OK && (own.flags & NIGH_OPEN_WRITABLE) != 0) {
        status = make_writable(held, slots, key_bytes);
    }
    status = status == NIGH_OK ? nighh_own(held->index, holder_release, held) : status;
    if (status != NIGH_OK) {
        (void)holder_release(held);
        return store_failed(file, status, &errors);
    }
    *index = held->index;
    return NIGH_OK;
}

/* ---- Commits -------------------------------------------------------------------------------- */

/* Room for a quarter more pages; the file itself grows as they are written. */
static nigh_status grow(nigh_store_file *file) {
    nigh_store_options options = file->options;
    const uint32_t more = options.page_count / 4 + PAGES_MORE;
    uint64_t bytes = 0;
    void *memory = NULL;
    nigh_store *store = NULL;
    if (options.page_count > PAGES_MAX - more) {
        return NIGH_E_FULL;
    }
    options.page_count += more;
    nigh_status status = nigh_store_bytes(&options, &bytes);
    status = status == NIGH_OK ? nighh_pages_new(bytes, &memory) : status;
    if (status != NIGH_OK) {
        return status;
    }
    status = nigh_store_grow(file->store, options.page_count, memory, bytes, &store);
    if (status != NIGH_OK) {
        nighh_pages_free(memory, bytes);
        return status;
    }
    nighh_pages_free(file->memory, file->bytes);
    file->memory = memory;
    file->bytes = bytes;
    file->store = store;
    file->options = options;
    return NIGH_OK;
}

nigh_status nigh_store_file_commit(nigh_store_file *file, nigh_index *index, char *message,
                                   uint32_t message_bytes) {
    nighh_errors errors =
        nighh_errors_begin(message, message_bytes, file != NULL ? file->path : NULL);
    if (file == NULL || index == NULL) {
        return nighh_fail(&errors, NIGH_E_INVALID, "wrong argument");
    }
    if ((file->flags & NIGH_STORE_FILE_WRITE) == 0) {
        return nighh_fail(&errors, NIGH_E_READ_ONLY, "it was opened to be read");
    }
    if (file->lost) {
        return nighh_fail(&errors, NIGH_E_WRITE, "a flush failed before: open the file anew");
    }
    nigh_status status = lock(file, LOCK_STATE, F_WRLCK, true);
    if (status == NIGH_OK) {
        const uint64_t before = file_bytes(file);
        file->named = false;
        status = nigh_store_commit(file->store, index);
        while (status == NIGH_E_FULL && (status = grow(file)) == NIGH_OK) {
            status = nigh_store_commit(file->store, index);
        }
        if (status == NIGH_E_USER && !file->named && file_bytes(file) > before) {
            /* The disk is full: no state names what came behind, and none of it is believed. */
            (void)!ftruncate(file->descriptor, (off_t)before);
        }
        (void)lock(file, LOCK_STATE, F_UNLCK, false);
    }
    return status == NIGH_OK ? NIGH_OK : store_failed(file, status, &errors);
}
