/* hosted.h - what the files of the hosted part share: messages, owned objects, pages, parsers
 * layer H; uses: nigh.h, nigh_hosted.h, libc and POSIX
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Include it first: it asks the C library for what is beyond ISO C (madvise, flock, affinity).
 * Parsers read from memory and know no files, so that tests and fuzzers call them directly. */
#ifndef NIGHH_HOSTED_H
#define NIGHH_HOSTED_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "nigh_hosted.h"

#ifndef NIGHH_FN
#define NIGHH_FN __attribute__((visibility("hidden")))
#endif

#define NIGHH_HUGE_BYTES (2u << 20)
#define NIGHH_ROWS_BYTES_MIN ((uint32_t)sizeof(nigh_rows)) /* of the first version */
#define NIGHH_HINTS (NIGH_FILE_RANDOM | NIGH_FILE_SEQUENTIAL | NIGH_FILE_WILLNEED)

/* Where the text of a failure goes, and which file it is about. */
typedef struct nighh_errors {
    char *text;     /* may be NULL */
    uint32_t bytes; /* may be 0 */
    const char *path;
} nighh_errors;

/* Empties the message; call it at the start of each public function. */
NIGHH_FN nighh_errors nighh_errors_begin(char *text, uint32_t bytes, const char *path);
/* "path: text"; returns status. */
__attribute__((format(printf, 3, 4))) NIGHH_FN nigh_status
nighh_fail(const nighh_errors *errors, nigh_status status, const char *format, ...);
/* "cannot <verb> path: <text of the errno value>"; returns status. */
NIGHH_FN nigh_status nighh_fail_system(const nighh_errors *errors, nigh_status status,
                                       const char *verb, int error);
/* nigh_status_text, and the statuses of nigh_hosted.h. */
NIGHH_FN const char *nighh_status_text(nigh_status status);

/* Remembers that nigh_close(object) calls release(context).  @errors NIGH_E_NO_MEMORY */
typedef nigh_status (*nighh_release_fn)(void *context);
NIGHH_FN nigh_status nighh_own(const void *object, nighh_release_fn release, void *context);
/* The context of an object that stays owned, or NULL if `release` is not its own. */
NIGHH_FN void *nighh_context(const void *object, nighh_release_fn release);
/* Forgets an object without releasing it; its context, or NULL if `release` is not its own. */
NIGHH_FN void *nighh_disown(const void *object, nighh_release_fn release);

/* The caller's options in the form of this version, NULL being all zero.  @errors NIGH_E_INVALID */
NIGHH_FN nigh_status nighh_options_take(const nigh_options *given, nigh_options *options);
/* Slots that room is wanted for: *slots, or for more bytes of keys alone what there are. */
NIGHH_FN nigh_status nighh_room_slots(const nigh_index *index, uint64_t key_bytes,
                                      uint32_t *slots);

/* Zeroed memory as nigh_memory_new gives it, known only by address and size. */
NIGHH_FN nigh_status nighh_pages_new(uint64_t bytes, void **pages);
NIGHH_FN void nighh_pages_free(void *pages, uint64_t bytes);

typedef struct nighh_mapping {
    void *address;
    uint64_t bytes;
    uint32_t flags;
    int descriptor; /* kept for its lock, or -1 */
} nighh_mapping;
NIGHH_FN nigh_status nighh_map(const char *path, uint32_t flags, nighh_mapping *mapping,
                               const nighh_errors *errors);
NIGHH_FN nigh_status nighh_unmap(nighh_mapping *mapping);
/* Makes a file so long and takes its room on the disk, now: a page without would be a SIGBUS later.
 * @returns 0 or an errno value */
NIGHH_FN int nighh_reserve(int descriptor, uint64_t bytes);

/* A row file in memory: where its rows are. `dim` as in nigh_rows_open. */
typedef struct nighh_parsed {
    nigh_rows rows;
    uint64_t offset; /* of row 0 */
} nighh_parsed;
NIGHH_FN nigh_status nighh_parse_vecs(const uint8_t *bytes, uint64_t size, uint32_t format,
                                      uint32_t dim, nighh_parsed *parsed,
                                      const nighh_errors *errors);
/* The first of the checked rows whose dim is not `dim`, or count; all are checked in a file of at
 * most check_all_bytes. */
NIGHH_FN uint64_t nighh_odd_row(const uint8_t *bytes, uint64_t count, uint64_t stride, int32_t dim,
                                uint64_t check_all_bytes);
NIGHH_FN nigh_status nighh_parse_npy(const uint8_t *bytes, uint64_t size, uint32_t dim,
                                     nighh_parsed *parsed, const nighh_errors *errors);
/* Moves the lines of `bytes` together, line ends removed. *lengths is malloc's. */
NIGHH_FN nigh_status nighh_parse_lines(uint8_t *bytes, uint64_t size, uint32_t **lengths,
                                       nighh_parsed *parsed, const nighh_errors *errors);
/* NIGH_ROWS_* by the ending of a name, NIGH_ROWS_AUTO when it has none that is known. */
NIGHH_FN uint32_t nighh_rows_format(const char *path);
/* Bytes of an element, 0 for a dtype that has none of its own. */
NIGHH_FN uint32_t nighh_element_bytes(uint32_t dtype);
/* NumPy's name of a dtype ("<f4"), NULL: none. */
NIGHH_FN const char *nighh_npy_name(uint32_t dtype);
/* Head of a .npy file.  @out head 128  @returns its length */
NIGHH_FN uint32_t nighh_npy_head(uint32_t dtype, uint64_t count, uint32_t dim, char *head);

/* Rows that nigh_rows_write has put into a saver, so that a commit can tell that some miss. */
typedef struct nighh_row_count {
    uint64_t done;
    uint64_t expected;
    bool begun;
} nighh_row_count;
NIGHH_FN nighh_row_count *nighh_saver_rows(nigh_saver *saver);
/* Makes the commit of a saver fail. */
NIGHH_FN void nighh_saver_spoil(nigh_saver *saver);

/* Processors that a cgroup file allows ("200000 100000", "max 100000"); 0: no limit. */
NIGHH_FN uint32_t nighh_quota_parse(const char *text);

/* The system calls that can fail late in a save: tests replace them. */
typedef struct nighh_calls {
    ssize_t (*write)(int descriptor, const void *bytes, size_t count);
    int (*fsync)(int descriptor);
    int (*close)(int descriptor);
    int (*rename)(int folder_from, const char *from, int folder_to, const char *to);
} nighh_calls;
NIGHH_FN extern nighh_calls nighh_save_calls;

#endif
