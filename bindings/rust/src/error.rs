// error.rs - what can go wrong, in words
// SPDX-License-Identifier: MIT OR Apache-2.0
use alloc::string::String;
use core::fmt;

use nigh_sys as sys;

use crate::store;

/// Result of this crate.
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// Why a call did nothing. An index is as it was before a call that failed, but for batches, which
/// stop at the first failure ([`BatchError::done`] says after how many).
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// An argument or a configuration value is out of range; the text says which and what is.
    Invalid(&'static str),
    /// A row or key slice has another length than it must have.
    Length {
        /// What was too short or too long.
        what: &'static str,
        /// Elements wanted.
        expected: usize,
        /// Elements found.
        found: usize,
    },
    /// The index was made for so many slots: see `Builder::capacity` and `Index::reserve`.
    Full {
        /// The capacity reached.
        capacity: usize,
    },
    /// No such key, slot or layer.
    NotFound,
    /// The key is there already.
    Exists,
    /// The key is known but removed: `set` or `unremove` brings it back.
    Removed,
    /// A vector holds NaN or infinity, a value beyond its type, or only zeros under cosine.
    Vector,
    /// A key is empty, longer than the index takes, or not the next one of identity keys.
    Key,
    /// A key of the image is not UTF-8: read it with `Vec<u8>` keys.
    KeyEncoding,
    /// The vector store failed, with its own code.
    Store(u32),
    /// The vector store gave no row for a slot.
    NoRow,
    /// Not an image of nigh (or a file of hnswlib, where one is read), or of an unknown version.
    Format,
    /// An image whose checksum or structure does not hold.
    Corrupt,
    /// The image was left in the middle of changes: only `OpenOptions::unsealed` opens it, to check.
    Unsealed,
    /// The image is not what this type of index holds.
    Mismatch {
        /// What differs.
        what: &'static str,
        /// What the types or arguments say.
        expected: String,
        /// What the image says.
        found: String,
    },
    /// The index was opened for reading.
    ReadOnly,
    /// Another thread is writing what this call needs to itself (a job, a save, a check).
    Busy,
    /// The image holds no vectors, and no store was given.
    NoVectors,
    /// The C library was compiled, or the thread runs, with float rules that change results.
    FloatMode,
    /// This machine, build or metric cannot do that.
    Unsupported,
    /// The graph is as a file of hnswlib holds it: `Index::root` it before it is changed.
    Unrooted,
    /// Too small a session: `ef` or `k` is over `SearcherOptions::ef_max`, or a cursor has gone
    /// beyond `SearcherOptions::frontier_max`.
    Session,
    /// The system has no memory left.
    NoMemory {
        /// Bytes asked for.
        bytes: u64,
    },
    /// A job was cancelled; what it has done stays done.
    Cancelled {
        /// Units done before.
        done: u64,
    },
    /// The LMDB environment is full: what is committed stays. Abort the transaction, enlarge the
    /// map (`heed::Env::resize`), and do it again.
    #[cfg(feature = "lmdb")]
    MapFull,
    /// As many blocks are changed as one LMDB transaction takes. Nothing is lost: `prepare`, commit,
    /// and go on in the next transaction.
    #[cfg(feature = "lmdb")]
    TransactionFull,
    /// LMDB or heed refused; the text tells why.
    #[cfg(feature = "lmdb")]
    Lmdb(String),
    /// Reading or writing failed.
    #[cfg(feature = "std")]
    Io(std::io::Error),
    /// A status of the C library that this crate does not know.
    Status(i32),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Error::Invalid(text) => text,
            Error::Length { what, expected, found } => {
                return write!(f, "{what}: {found} elements, expected {expected}");
            }
            Error::Full { capacity } => {
                return write!(f, "the index is full at its capacity of {capacity} slots");
            }
            Error::NotFound => "no such key, slot or layer",
            Error::Exists => "the key is there already",
            Error::Removed => "the key is known but removed",
            Error::Vector => {
                "a vector holds NaN, infinity, a value out of range, or zeros (cosine)"
            }
            Error::Key => "a key is empty, too long, or not the next one",
            Error::KeyEncoding => "a key is not UTF-8, as String keys must be",
            Error::Store(code) => return write!(f, "the vector store failed with code {code}"),
            Error::NoRow => "the vector store gave no row for a slot",
            Error::Format => "not an image of nigh or a file of hnswlib, or of an unknown version",
            Error::Corrupt => "an image whose checksum or structure does not hold",
            Error::Unsealed => "the image was left in the middle of changes",
            Error::Mismatch { what, expected, found } => {
                return write!(f, "{what}: the image has {found}, expected {expected}");
            }
            Error::ReadOnly => "the index was opened for reading",
            Error::Busy => "another thread is writing what this call needs to itself",
            Error::NoVectors => "the image holds no vectors, and there is no store of them",
            Error::FloatMode => "compiled or running with float rules that change results",
            Error::Unsupported => "this machine, build or metric cannot do that",
            Error::Unrooted => "a graph of hnswlib's is rooted (Index::root) before it is changed",
            Error::Session => "the session is too small for this call",
            Error::NoMemory { bytes } => return write!(f, "no memory for {bytes} bytes"),
            Error::Cancelled { done } => return write!(f, "cancelled after {done} units"),
            #[cfg(feature = "lmdb")]
            Error::MapFull => "the LMDB environment is full: enlarge its map",
            #[cfg(feature = "lmdb")]
            Error::TransactionFull => "too many blocks for one LMDB transaction: commit, go on",
            #[cfg(feature = "lmdb")]
            Error::Lmdb(text) => text,
            #[cfg(feature = "std")]
            Error::Io(error) => return error.fmt(f),
            Error::Status(status) => return write!(f, "{} (status {status})", text_of(*status)),
        };
        f.write_str(text)
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            #[cfg(feature = "std")]
            Error::Io(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(feature = "std")]
impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Error::Io(error)
    }
}

/// A batch that stopped: the items before [`done`](Self::done) are in, the one there is why.
#[derive(Debug)]
pub struct BatchError {
    /// Items done before the failure, which is that of item `done`.
    pub done: usize,
    /// What item `done` failed with.
    pub error: Error,
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "item {}: {}", self.done, self.error)
    }
}

impl core::error::Error for BatchError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl From<BatchError> for Error {
    fn from(batch: BatchError) -> Self {
        batch.error
    }
}

fn text_of(status: i32) -> &'static str {
    // SAFETY: a static text of C, whatever the number.
    let text = unsafe { core::ffi::CStr::from_ptr(sys::nigh_status_text(status)) };
    text.to_str().unwrap_or("a text that is not UTF-8")
}

/// `NIGH_OK`, or the error that a status stands for.
pub(crate) fn check(status: sys::nigh_status) -> Result<()> {
    if status == sys::NIGH_OK {
        Ok(())
    } else {
        Err(from_status(status))
    }
}

#[cold]
pub(crate) fn from_status(status: sys::nigh_status) -> Error {
    match status {
        sys::NIGH_E_INVALID => Error::Invalid("an argument or configuration value out of range"),
        sys::NIGH_E_MEMORY => Error::Invalid("memory too small or not aligned"),
        sys::NIGH_E_FULL => Error::Full { capacity: 0 },
        sys::NIGH_E_NOT_FOUND => Error::NotFound,
        sys::NIGH_E_EXISTS => Error::Exists,
        sys::NIGH_E_VECTOR => Error::Vector,
        sys::NIGH_E_FETCH => Error::NoRow,
        sys::NIGH_E_FORMAT => Error::Format,
        sys::NIGH_E_CORRUPT => Error::Corrupt,
        sys::NIGH_E_MISMATCH => Error::Invalid("the store holds fewer rows than the index slots"),
        sys::NIGH_E_READ_ONLY => Error::ReadOnly,
        sys::NIGH_E_BUSY => Error::Busy,
        sys::NIGH_E_NO_VECTORS => Error::NoVectors,
        sys::NIGH_E_BUILD => Error::FloatMode,
        sys::NIGH_E_UNSUPPORTED => Error::Unsupported,
        sys::NIGH_E_SESSION => Error::Session,
        sys::NIGH_E_KEY => Error::Key,
        sys::NIGH_E_OPEN => Error::Unsealed,
        sys::NIGH_E_DELETED => Error::Removed,
        #[cfg(feature = "lmdb")]
        sys::NIGH_E_FULL_MAP => Error::MapFull,
        #[cfg(feature = "lmdb")]
        sys::NIGH_E_FULL_TXN => Error::TransactionFull,
        #[cfg(feature = "lmdb")]
        sys::NIGH_E_FULL_MEMORY => Error::NoMemory { bytes: 0 },
        user if user <= store::FAILED => Error::Store((store::FAILED - user) as u32),
        other => Error::Status(other),
    }
}
