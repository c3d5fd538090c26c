/* nigh_hosted.h - nigh with an operating system: memory, files, atomic saves, threads, row files
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Optional and separate: the library of nigh.h needs none of it. Here memory is allocated, and
 * everything that a function of this header hands out through `**` is given back with nigh_close.
 *
 * Every function is total and thread-safe; an object itself is used by one thread at a time, where
 * nigh.h does not say more. Results are written only on success.
 * Functions that touch files end with `message`: a buffer of message_bytes (256 is plenty) that
 * gets an English text such as "cannot open x.npy: No such file or directory", "" on success; ended
 * by NUL, cut if need be, NULL allowed. Paths end with NUL and are in the system's encoding. */
#ifndef NIGH_HOSTED_H
#define NIGH_HOSTED_H
#include "nigh.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Statuses beside those of nigh.h; nigh_status_text does not know them. What a file says wrong is
 * NIGH_E_FORMAT, a failed save NIGH_E_WRITE. */
enum {
    NIGH_E_IO = -100,        /* the operating system refused; the message tells what and why */
    NIGH_E_NO_MEMORY = -101, /* the operating system has no memory left */
    NIGH_E_CANCELLED = -102  /* nigh_tasks_run: the cancel word was set before all tasks ran */
};

/* How a file is mapped. None of the first two: read-only. */
enum {
    NIGH_FILE_PRIVATE = 1,    /* may be stored to; changes stay in this process, the file stays */
    NIGH_FILE_SHARED = 2,     /* may be stored to; changes go to the file. Locked: one process */
    NIGH_FILE_RANDOM = 4,     /* hint: read here and there, do not read ahead */
    NIGH_FILE_SEQUENTIAL = 8, /* hint: read once, front to back */
    NIGH_FILE_WILLNEED = 16   /* hint: all of it will be needed soon, begin to read now */
};

/* nigh_rows.format. */
enum {
    NIGH_ROWS_AUTO = 0,  /* by the name's ending; .f32 .raw .bin are raw, .txt .keys .lst text */
    NIGH_ROWS_FVECS = 1, /* each row: int32 dim, then dim floats */
    NIGH_ROWS_BVECS = 2, /* each row: int32 dim, then dim bytes */
    NIGH_ROWS_IVECS = 3, /* each row: int32 dim, then dim int32 (ground truth) */
    NIGH_ROWS_NPY = 4,   /* NumPy 1.0, 2.0, 3.0: little-endian, C order, 1-D (one row) or 2-D */
    NIGH_ROWS_RAW = 5,   /* floats and nothing else; dim comes from the caller */
    NIGH_ROWS_TEXT = 6   /* one key a line, LF or CRLF, a byte-order mark skipped */
};

/* nigh_rows.dtype: NIGH_DTYPE_F32 F16 I8 U8 (I8: plain bytes, no scale behind them), or */
enum {
    NIGH_ROWS_I32 = 256, /* .ivecs, .npy <i4 */
    NIGH_ROWS_U64 = 257  /* .npy <u8 */
};

/* Shape of a row file. */
typedef struct nigh_rows {
    uint32_t struct_size;
    uint32_t format; /* NIGH_ROWS_*, never AUTO in a result */
    uint32_t dtype;  /* NIGH_DTYPE_* or NIGH_ROWS_I32, U64; TEXT: 0 */
    uint32_t dim;    /* elements per row; TEXT: 0 */
    uint64_t count;  /* rows or lines */
    uint64_t stride; /* bytes from a row to the next; 0 when writing = packed; TEXT: 0 */
} nigh_rows;

/* nigh_store_file_open. None: read-only. */
enum {
    NIGH_STORE_FILE_WRITE = 1, /* one process at a time */
    NIGH_STORE_FILE_CREATE = 2 /* with WRITE: an empty store if there is no file, an empty one, or
                                  what a power cut left of one that was being made */
};

typedef struct nigh_store_file nigh_store_file; /* opaque: an open file with a store */
typedef struct nigh_saver nigh_saver; /* opaque: a file being written beside its final name */

/* One task of nigh_tasks_run; worker < thread_count numbers the thread, for its session.
 * @returns NIGH_OK, or any other status to end the run */
typedef nigh_status (*nigh_task_fn)(void *user, uint64_t task, uint32_t worker);

/* ---- Machine and memory --------------------------------------------------------------------- */

/* nigh_features() and what only the operating system knows (AArch64 dot product). */
NIGH_API uint32_t nigh_features_hosted(void);
/* Threads worth starting: processors that this process may use, affinity and cgroup quota counted;
 * at least 1. */
NIGH_API uint32_t nigh_threads(void);
/* Zeroed memory, 64-byte aligned; from 2 MiB on 2 MiB aligned with huge pages advised. Untouched
 * pages cost nothing.  @out memory bytes  @errors NIGH_E_NO_MEMORY NIGH_E_INVALID (0 bytes) */
NIGH_API nigh_status nigh_memory_new(uint64_t bytes, void **memory);
/* Zeroed memory, page aligned, that is a file without a name in the folder of `path`: where RAM is
 * short the system writes it out and reads it again, so it may be larger than RAM. For nigh_grow
 * and jobs. Its room on the disk is taken at once, so that it never fails later, and is free again
 * after nigh_close or however the process ends.
 * @in path cstring  @out memory bytes  @out message message_bytes or NULL
 * @errors NIGH_E_IO (no room, or no such folder) NIGH_E_NO_MEMORY NIGH_E_INVALID (0 bytes) */
NIGH_API nigh_status nigh_memory_file(const char *path, uint64_t bytes, void **memory,
                                      char *message, uint32_t message_bytes);
/* Gives back what a function of this header handed out: memory, mapped file, rows, index, session
 * (before its index), saver (aborts it), store file. NULL is fine, anything else unknown
 * NIGH_E_INVALID.  @in object any or NULL */
NIGH_API nigh_status nigh_close(const void *object);

/* ---- Index ---------------------------------------------------------------------------------- */

/* An empty index with handle, writer state and room for `slots` slots and `key_bytes` bytes of
 * byte-string keys in total. slot_max: options', or `slots` when 0. To grow on: nigh_grow with
 * nigh_memory_new, which is closed after the index.
 * @in config 1  @in options 1 or NULL  @out index 1
 * @errors NIGH_E_NO_MEMORY and those of nigh_index_init */
NIGH_API nigh_status nigh_index_new(const nigh_config *config, const nigh_options *options,
                                    uint32_t slots, uint64_t key_bytes, nigh_index **index);
/* Maps and attaches an index file. NIGH_FILE_PRIVATE and NIGH_FILE_SHARED make it writable, with
 * writer state and room for `slots` slots and `key_bytes` bytes of keys in total (0: what it has;
 * options->slot_max is raised to `slots`). SHARED changes in place, without room for more than the
 * file has (NIGH_E_UNSUPPORTED): nigh_seal before nigh_close, which then flushes to the disk. If
 * others cut the file short meanwhile, the system sends SIGBUS; nigh_save_file never does that.
 * @in path cstring  @in options 1 or NULL  @out index 1
 * @out message message_bytes or NULL
 * @errors NIGH_E_IO NIGH_E_NO_MEMORY NIGH_E_BUSY (another process writes it), nigh_attach's */
NIGH_API nigh_status nigh_index_open(const char *path, uint32_t flags, const nigh_options *options,
                                     uint32_t slots, uint64_t key_bytes, nigh_index **index,
                                     char *message, uint32_t message_bytes);
/* A session with its memory.  @in options 1 or NULL  @out session 1  @errors NIGH_E_NO_MEMORY */
NIGH_API nigh_status nigh_session_new(const nigh_index *index, const nigh_session_options *options,
                                      nigh_session **session);

/* ---- Files ---------------------------------------------------------------------------------- */

/* Maps a regular file that is not empty; page aligned. flags NIGH_FILE_*.
 * @in path cstring  @out address *bytes  @out bytes 1  @out message message_bytes or NULL
 * @errors NIGH_E_IO NIGH_E_FORMAT (empty) NIGH_E_BUSY (SHARED: locked by another process) */
NIGH_API nigh_status nigh_file_map(const char *path, uint32_t flags, void **address,
                                   uint64_t *bytes, char *message, uint32_t message_bytes);
/* Begins to replace `path`: a temporary in the same folder, which only nigh_save_commit gives its
 * name, so that a reader sees the old file or the new one. Symbolic links are followed, permissions
 * of an existing file are kept. A pipe or device is written directly. At most 64 at a time.
 * @in path cstring  @out saver 1  @out message message_bytes or NULL
 * @errors NIGH_E_IO NIGH_E_BUSY NIGH_E_NO_MEMORY */
NIGH_API nigh_status nigh_save_begin(const char *path, nigh_saver **saver, char *message,
                                     uint32_t message_bytes);
/* Appends; a nigh_write_fn, `saver` being its user. A failure is kept for nigh_save_commit.
 * @in saver any  @in bytes count  @errors NIGH_E_WRITE */
NIGH_API nigh_status nigh_save_write(void *saver, const void *bytes, uint64_t count);
/* Flushes to the disk, renames, flushes the folder. Closes the saver in any case; on failure the
 * temporary is gone and the old file as it was. nigh_close instead gives up.
 * @out message message_bytes or NULL  @errors NIGH_E_WRITE */
NIGH_API nigh_status nigh_save_commit(nigh_saver *saver, char *message, uint32_t message_bytes);
/* Removes every temporary of this process; their commits fail. For signal handlers: it may be
 * called at any moment and allocates and locks nothing. */
NIGH_API void nigh_save_abort_all(void);
/* nigh_save into a file, replaced as by nigh_save_begin. flags NIGH_SAVE_*.
 * @in path cstring  @out message message_bytes or NULL
 * @errors NIGH_E_WRITE NIGH_E_IO NIGH_E_NO_MEMORY NIGH_E_BUSY */
NIGH_API nigh_status nigh_save_file(const nigh_index *index, uint32_t flags, const char *path,
                                    char *message, uint32_t message_bytes);

/* ---- Store files ---------------------------------------------------------------------------- */

/* Opens a file that keeps an index as a store does (nigh.h): a commit writes what changed, and is
 * there as a whole or not at all, whatever happens meanwhile. One process writes, others read the
 * index of the last commit at any time; they wait while a commit goes on.
 * options: page_bytes and super_count of a new one.
 * @in path cstring  @in options 1 or NULL  @out file 1  @out message message_bytes or NULL
 * @errors NIGH_E_IO NIGH_E_NO_MEMORY NIGH_E_BUSY (another process writes it) NIGH_E_FORMAT (no
 *   store) NIGH_E_CORRUPT */
NIGH_API nigh_status nigh_store_file_open(const char *path, uint32_t flags,
                                          const nigh_store_options *options, nigh_store_file **file,
                                          char *message, uint32_t message_bytes);
/* @out stats 1 */
NIGH_API nigh_status nigh_store_file_stats(const nigh_store_file *file, nigh_store_stats *stats);
/* Reads the index of the last commit into memory, every page verified. Of a file that may be
 * written, with writer state and room for `slots` slots and key_bytes bytes of keys in total (0:
 * what it has). It does not need the file any more, but for commits.
 * @in options 1 or NULL  @out index 1  @out message message_bytes or NULL
 * @errors NIGH_E_NOT_FOUND (nothing was committed yet: nigh_index_new, then commit)
 *   NIGH_E_CORRUPT (the message names the block) NIGH_E_IO NIGH_E_NO_MEMORY, nigh_attach's */
NIGH_API nigh_status nigh_store_file_index(nigh_store_file *file, const nigh_options *options,
                                           uint32_t slots, uint64_t key_bytes, nigh_index **index,
                                           char *message, uint32_t message_bytes);
/* Makes the file hold the index as it is now: nigh_store_commit; the file grows as it must. Any
 * index will do, so a first commit or that of another one replaces what is there.
 * @out message message_bytes or NULL
 * @errors NIGH_E_WRITE (nothing is lost; after a failed flush open the file anew) NIGH_E_NO_MEMORY
 *   NIGH_E_READ_ONLY NIGH_E_BUSY (somebody writes to the index) */
NIGH_API nigh_status nigh_store_file_commit(nigh_store_file *file, nigh_index *index, char *message,
                                            uint32_t message_bytes);

/* ---- Rows ----------------------------------------------------------------------------------- */

/* Maps a file of vectors, ground truth or keys and validates its shape. Vectors: *base is the first
 * element of row 0, fit for nigh_index_borrow with rows->stride, aligned to an element, read-only.
 * TEXT: *base is the keys one after another without line ends and *key_lengths their lengths, as
 * nigh_insert takes them (an empty line has length 0). nigh_close(*base).
 * Rows of .fvecs and its like all have one dim: every row is checked, beyond 1 GiB the first and
 * last 65536 and each 257th between. flags: hints of NIGH_FILE_*. dim: of RAW the elements per row;
 * else 0, or what the file must have.
 * @in path cstring  @out rows 1  @out base rows  @out key_lengths rows->count or NULL
 * @out message message_bytes or NULL
 * @errors NIGH_E_IO NIGH_E_FORMAT NIGH_E_MISMATCH (dim) NIGH_E_UNSUPPORTED (other kinds of .npy) */
NIGH_API nigh_status nigh_rows_open(const char *path, uint32_t format, uint32_t dim, uint32_t flags,
                                    nigh_rows *rows, const void **base,
                                    const uint32_t **key_lengths, char *message,
                                    uint32_t message_bytes);
/* Writes rows first .. first + count - 1 of a file of shape->count rows, in order and without gaps;
 * first 0 also writes the head of a .npy. format: not AUTO, not TEXT; stride 0 = packed.
 * @in shape 1  @in rows count*stride
 * @errors NIGH_E_WRITE NIGH_E_INVALID (format and dtype do not fit) */
NIGH_API nigh_status nigh_rows_write(nigh_saver *saver, const nigh_rows *shape, uint64_t first,
                                     const void *rows, uint64_t count);

/* ---- Threads -------------------------------------------------------------------------------- */

/* Runs `run` once for each task 0..task_count-1, handed out in order, on thread_count threads, the
 * calling one being worker 0; fewer if the system has no more. Returns when all have stopped. The
 * first status that is not NIGH_OK stops the others after their task; of several failures that of
 * the lowest task is returned. *cancel non-zero (stored atomically, by any thread or a signal
 * handler) stops likewise. Signals go to the calling thread, not to the others.
 * @in cancel 1 or NULL  @in run function  @errors NIGH_E_CANCELLED and the tasks' */
NIGH_API nigh_status nigh_tasks_run(uint64_t task_count, uint32_t thread_count,
                                    const uint32_t *cancel, nigh_task_fn run, void *user);

#ifdef __cplusplus
}
#endif
#endif /* NIGH_HOSTED_H */
