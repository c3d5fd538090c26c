// nigh_hosted.h for Rust: what C says, nothing more
// SPDX-License-Identifier: MIT OR Apache-2.0
// Generated from hosted/nigh_hosted.h by abi/generate.py. Do not edit.

#![allow(non_camel_case_types)]

use core::ffi::{c_char, c_void};

use crate::ffi::*;

// Statuses beside those of nigh.h; nigh_status_text does not know them. What a file says wrong is
// NIGH_E_FORMAT, a failed save NIGH_E_WRITE.
/// the operating system refused; the message tells what and why
pub const NIGH_E_IO: nigh_status = -100;
/// the operating system has no memory left
pub const NIGH_E_NO_MEMORY: nigh_status = -101;
/// nigh_tasks_run: the cancel word was set before all tasks ran
pub const NIGH_E_CANCELLED: nigh_status = -102;

// How a file is mapped. None of the first two: read-only.
/// may be stored to; changes stay in this process, the file stays
pub const NIGH_FILE_PRIVATE: u32 = 1;
/// may be stored to; changes go to the file. Locked: one process
pub const NIGH_FILE_SHARED: u32 = 2;
/// hint: read here and there, do not read ahead
pub const NIGH_FILE_RANDOM: u32 = 4;
/// hint: read once, front to back
pub const NIGH_FILE_SEQUENTIAL: u32 = 8;
/// hint: all of it will be needed soon, begin to read now
pub const NIGH_FILE_WILLNEED: u32 = 16;

// nigh_rows.format.
/// by the name's ending; .f32 .raw .bin are raw, .txt .keys .lst text
pub const NIGH_ROWS_AUTO: u32 = 0;
/// each row: int32 dim, then dim floats
pub const NIGH_ROWS_FVECS: u32 = 1;
/// each row: int32 dim, then dim bytes
pub const NIGH_ROWS_BVECS: u32 = 2;
/// each row: int32 dim, then dim int32 (ground truth)
pub const NIGH_ROWS_IVECS: u32 = 3;
/// NumPy 1.0, 2.0, 3.0: little-endian, C order, 1-D (one row) or 2-D
pub const NIGH_ROWS_NPY: u32 = 4;
/// floats and nothing else; dim comes from the caller
pub const NIGH_ROWS_RAW: u32 = 5;
/// one key a line, LF or CRLF, a byte-order mark skipped
pub const NIGH_ROWS_TEXT: u32 = 6;

// nigh_rows.dtype: NIGH_DTYPE_F32 F16 I8 U8 (I8: plain bytes, no scale behind them), or
/// .ivecs, .npy \<i4
pub const NIGH_ROWS_I32: u32 = 256;
/// .npy \<u8
pub const NIGH_ROWS_U64: u32 = 257;

// nigh_store_file_open. None: read-only.
/// one process at a time
pub const NIGH_STORE_FILE_WRITE: u32 = 1;
/// with WRITE: an empty store if there is no file, an empty one, or what a power cut left of one
/// that was being made
pub const NIGH_STORE_FILE_CREATE: u32 = 2;

/// opaque: an open file with a store
#[repr(C)]
pub struct nigh_store_file {
    _private: [u8; 0],
}

/// opaque: a file being written beside its final name
#[repr(C)]
pub struct nigh_saver {
    _private: [u8; 0],
}

/// Shape of a row file.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct nigh_rows {
    pub struct_size: u32,
    /// NIGH_ROWS_\*, never AUTO in a result
    pub format: u32,
    /// NIGH_DTYPE_\* or NIGH_ROWS_I32, U64; TEXT: 0
    pub dtype: u32,
    /// elements per row; TEXT: 0
    pub dim: u32,
    /// rows or lines
    pub count: u64,
    /// bytes from a row to the next; 0 when writing = packed; TEXT: 0
    pub stride: u64,
}

impl Default for nigh_rows {
    /// Zeros, which mean the defaults, and the size of the structure.
    fn default() -> Self {
        Self {
            struct_size: core::mem::size_of::<Self>() as u32,
            format: 0,
            dtype: 0,
            dim: 0,
            count: 0,
            stride: 0,
        }
    }
}

const _: () = {
    assert!(core::mem::size_of::<nigh_rows>() == 32);
    assert!(core::mem::offset_of!(nigh_rows, struct_size) == 0);
    assert!(core::mem::offset_of!(nigh_rows, format) == 4);
    assert!(core::mem::offset_of!(nigh_rows, dtype) == 8);
    assert!(core::mem::offset_of!(nigh_rows, dim) == 12);
    assert!(core::mem::offset_of!(nigh_rows, count) == 16);
    assert!(core::mem::offset_of!(nigh_rows, stride) == 24);
};

/// One task of nigh_tasks_run; worker \< thread_count numbers the thread, for its session.
pub type nigh_task_fn =
    unsafe extern "C" fn(user: *mut c_void, task: u64, worker: u32) -> nigh_status;

unsafe extern "C" {
    /// nigh_features() and what only the operating system knows (AArch64 dot product).
    pub fn nigh_features_hosted() -> u32;
    /// Threads worth starting: processors that this process may use, affinity and cgroup quota
    /// counted; at least 1.
    pub fn nigh_threads() -> u32;
    /// Zeroed memory, 64-byte aligned; from 2 MiB on 2 MiB aligned with huge pages advised.
    /// Untouched pages cost nothing.
    ///
    /// * `memory`: out, `bytes`
    ///
    /// Errors: NIGH_E_NO_MEMORY NIGH_E_INVALID (0 bytes)
    pub fn nigh_memory_new(bytes: u64, memory: *mut *mut c_void) -> nigh_status;
    /// Zeroed memory, page aligned, that is a file without a name in the folder of `path`: where
    /// RAM is short the system writes it out and reads it again, so it may be larger than RAM. For
    /// nigh_grow and jobs. Its room on the disk is taken at once, so that it never fails later, and
    /// is free again after nigh_close or however the process ends.
    ///
    /// * `path`: in, `cstring`
    /// * `memory`: out, `bytes`
    /// * `message`: out, `message_bytes`, may be null
    ///
    /// Errors: NIGH_E_IO (no room, or no such folder) NIGH_E_NO_MEMORY NIGH_E_INVALID (0 bytes)
    pub fn nigh_memory_file(
        path: *const c_char,
        bytes: u64,
        memory: *mut *mut c_void,
        message: *mut c_char,
        message_bytes: u32,
    ) -> nigh_status;
    /// Gives back what a function of this header handed out: memory, mapped file, rows, index,
    /// session (before its index), saver (aborts it), store file. NULL is fine, anything else
    /// unknown NIGH_E_INVALID.
    ///
    /// * `object`: in, `any`, may be null
    pub fn nigh_close(object: *const c_void) -> nigh_status;
    /// An empty index with handle, writer state and room for `slots` slots and `key_bytes` bytes of
    /// byte-string keys in total. slot_max: options', or `slots` when 0. To grow on: nigh_grow with
    /// nigh_memory_new, which is closed after the index.
    ///
    /// * `config`: in, `1`
    /// * `options`: in, `1`, may be null
    /// * `index`: out, `1`
    ///
    /// Errors: NIGH_E_NO_MEMORY and those of nigh_index_init
    pub fn nigh_index_new(
        config: *const nigh_config,
        options: *const nigh_options,
        slots: u32,
        key_bytes: u64,
        index: *mut *mut nigh_index,
    ) -> nigh_status;
    /// Maps and attaches an index file. NIGH_FILE_PRIVATE and NIGH_FILE_SHARED make it writable,
    /// with writer state and room for `slots` slots and `key_bytes` bytes of keys in total (0: what
    /// it has; options-\>slot_max is raised to `slots`). SHARED changes in place, without room for
    /// more than the file has (NIGH_E_UNSUPPORTED): nigh_seal before nigh_close, which then flushes
    /// to the disk. If others cut the file short meanwhile, the system sends SIGBUS; nigh_save_file
    /// never does that.
    ///
    /// * `path`: in, `cstring`
    /// * `options`: in, `1`, may be null
    /// * `index`: out, `1`
    /// * `message`: out, `message_bytes`, may be null
    ///
    /// Errors: NIGH_E_IO NIGH_E_NO_MEMORY NIGH_E_BUSY (another process writes it), nigh_attach's
    pub fn nigh_index_open(
        path: *const c_char,
        flags: u32,
        options: *const nigh_options,
        slots: u32,
        key_bytes: u64,
        index: *mut *mut nigh_index,
        message: *mut c_char,
        message_bytes: u32,
    ) -> nigh_status;
    /// A session with its memory.
    ///
    /// * `options`: in, `1`, may be null
    /// * `session`: out, `1`
    ///
    /// Errors: NIGH_E_NO_MEMORY
    pub fn nigh_session_new(
        index: *const nigh_index,
        options: *const nigh_session_options,
        session: *mut *mut nigh_session,
    ) -> nigh_status;
    /// Maps a regular file that is not empty; page aligned. flags NIGH_FILE_\*.
    ///
    /// * `path`: in, `cstring`
    /// * `address`: out, `*bytes`
    /// * `bytes`: out, `1`
    /// * `message`: out, `message_bytes`, may be null
    ///
    /// Errors: NIGH_E_IO NIGH_E_FORMAT (empty) NIGH_E_BUSY (SHARED: locked by another process)
    pub fn nigh_file_map(
        path: *const c_char,
        flags: u32,
        address: *mut *mut c_void,
        bytes: *mut u64,
        message: *mut c_char,
        message_bytes: u32,
    ) -> nigh_status;
    /// Begins to replace `path`: a temporary in the same folder, which only nigh_save_commit gives
    /// its name, so that a reader sees the old file or the new one. Symbolic links are followed,
    /// permissions of an existing file are kept. A pipe or device is written directly. At most 64
    /// at a time.
    ///
    /// * `path`: in, `cstring`
    /// * `saver`: out, `1`
    /// * `message`: out, `message_bytes`, may be null
    ///
    /// Errors: NIGH_E_IO NIGH_E_BUSY NIGH_E_NO_MEMORY
    pub fn nigh_save_begin(
        path: *const c_char,
        saver: *mut *mut nigh_saver,
        message: *mut c_char,
        message_bytes: u32,
    ) -> nigh_status;
    /// Appends; a nigh_write_fn, `saver` being its user. A failure is kept for nigh_save_commit.
    ///
    /// * `saver`: in, `any`
    /// * `bytes`: in, `count`
    ///
    /// Errors: NIGH_E_WRITE
    pub fn nigh_save_write(saver: *mut c_void, bytes: *const c_void, count: u64) -> nigh_status;
    /// Flushes to the disk, renames, flushes the folder. Closes the saver in any case; on failure
    /// the temporary is gone and the old file as it was. nigh_close instead gives up.
    ///
    /// * `message`: out, `message_bytes`, may be null
    ///
    /// Errors: NIGH_E_WRITE
    pub fn nigh_save_commit(
        saver: *mut nigh_saver,
        message: *mut c_char,
        message_bytes: u32,
    ) -> nigh_status;
    /// Removes every temporary of this process; their commits fail. For signal handlers: it may be
    /// called at any moment and allocates and locks nothing.
    pub fn nigh_save_abort_all();
    /// nigh_save into a file, replaced as by nigh_save_begin. flags NIGH_SAVE_\*.
    ///
    /// * `path`: in, `cstring`
    /// * `message`: out, `message_bytes`, may be null
    ///
    /// Errors: NIGH_E_WRITE NIGH_E_IO NIGH_E_NO_MEMORY NIGH_E_BUSY
    pub fn nigh_save_file(
        index: *const nigh_index,
        flags: u32,
        path: *const c_char,
        message: *mut c_char,
        message_bytes: u32,
    ) -> nigh_status;
    /// Opens a file that keeps an index as a store does (nigh.h): a commit writes what changed, and
    /// is there as a whole or not at all, whatever happens meanwhile. One process writes, others
    /// read the index of the last commit at any time; they wait while a commit goes on. options:
    /// page_bytes and super_count of a new one.
    ///
    /// * `path`: in, `cstring`
    /// * `options`: in, `1`, may be null
    /// * `file`: out, `1`
    /// * `message`: out, `message_bytes`, may be null
    ///
    /// Errors: NIGH_E_IO NIGH_E_NO_MEMORY NIGH_E_BUSY (another process writes it) NIGH_E_FORMAT (no
    /// store) NIGH_E_CORRUPT
    pub fn nigh_store_file_open(
        path: *const c_char,
        flags: u32,
        options: *const nigh_store_options,
        file: *mut *mut nigh_store_file,
        message: *mut c_char,
        message_bytes: u32,
    ) -> nigh_status;
    ///
    /// * `stats`: out, `1`
    pub fn nigh_store_file_stats(
        file: *const nigh_store_file,
        stats: *mut nigh_store_stats,
    ) -> nigh_status;
    /// Reads the index of the last commit into memory, every page verified. Of a file that may be
    /// written, with writer state and room for `slots` slots and key_bytes bytes of keys in total
    /// (0: what it has). It does not need the file any more, but for commits.
    ///
    /// * `options`: in, `1`, may be null
    /// * `index`: out, `1`
    /// * `message`: out, `message_bytes`, may be null
    ///
    /// Errors: NIGH_E_NOT_FOUND (nothing was committed yet: nigh_index_new, then commit)
    /// NIGH_E_CORRUPT (the message names the block) NIGH_E_IO NIGH_E_NO_MEMORY, nigh_attach's
    pub fn nigh_store_file_index(
        file: *mut nigh_store_file,
        options: *const nigh_options,
        slots: u32,
        key_bytes: u64,
        index: *mut *mut nigh_index,
        message: *mut c_char,
        message_bytes: u32,
    ) -> nigh_status;
    /// Makes the file hold the index as it is now: nigh_store_commit; the file grows as it must.
    /// Any index will do, so a first commit or that of another one replaces what is there.
    ///
    /// * `message`: out, `message_bytes`, may be null
    ///
    /// Errors: NIGH_E_WRITE (nothing is lost; after a failed flush open the file anew)
    /// NIGH_E_NO_MEMORY NIGH_E_READ_ONLY NIGH_E_BUSY (somebody writes to the index)
    pub fn nigh_store_file_commit(
        file: *mut nigh_store_file,
        index: *mut nigh_index,
        message: *mut c_char,
        message_bytes: u32,
    ) -> nigh_status;
    /// Maps a file of vectors, ground truth or keys and validates its shape. Vectors: \*base is the
    /// first element of row 0, fit for nigh_index_borrow with rows-\>stride, aligned to an element,
    /// read-only. TEXT: \*base is the keys one after another without line ends and \*key_lengths
    /// their lengths, as nigh_insert takes them (an empty line has length 0). nigh_close(\*base).
    /// Rows of .fvecs and its like all have one dim: every row is checked, beyond 1 GiB the first
    /// and last 65536 and each 257th between. flags: hints of NIGH_FILE_\*. dim: of RAW the
    /// elements per row; else 0, or what the file must have.
    ///
    /// * `path`: in, `cstring`
    /// * `rows`: out, `1`
    /// * `base`: out, `rows`
    /// * `key_lengths`: out, `rows->count`, may be null
    /// * `message`: out, `message_bytes`, may be null
    ///
    /// Errors: NIGH_E_IO NIGH_E_FORMAT NIGH_E_MISMATCH (dim) NIGH_E_UNSUPPORTED (other kinds of
    /// .npy)
    pub fn nigh_rows_open(
        path: *const c_char,
        format: u32,
        dim: u32,
        flags: u32,
        rows: *mut nigh_rows,
        base: *mut *const c_void,
        key_lengths: *mut *const u32,
        message: *mut c_char,
        message_bytes: u32,
    ) -> nigh_status;
    /// Writes rows first .. first + count - 1 of a file of shape-\>count rows, in order and without
    /// gaps; first 0 also writes the head of a .npy. format: not AUTO, not TEXT; stride 0 = packed.
    ///
    /// * `shape`: in, `1`
    /// * `rows`: in, `count*stride`
    ///
    /// Errors: NIGH_E_WRITE NIGH_E_INVALID (format and dtype do not fit)
    pub fn nigh_rows_write(
        saver: *mut nigh_saver,
        shape: *const nigh_rows,
        first: u64,
        rows: *const c_void,
        count: u64,
    ) -> nigh_status;
    /// Runs `run` once for each task 0..task_count-1, handed out in order, on thread_count threads,
    /// the calling one being worker 0; fewer if the system has no more. Returns when all have
    /// stopped. The first status that is not NIGH_OK stops the others after their task; of several
    /// failures that of the lowest task is returned. \*cancel non-zero (stored atomically, by any
    /// thread or a signal handler) stops likewise. Signals go to the calling thread, not to the
    /// others.
    ///
    /// * `cancel`: in, `1`, may be null
    /// * `run`: in, `function`
    ///
    /// Errors: NIGH_E_CANCELLED and the tasks'
    pub fn nigh_tasks_run(
        task_count: u64,
        thread_count: u32,
        cancel: *const u32,
        run: Option<nigh_task_fn>,
        user: *mut c_void,
    ) -> nigh_status;
}
