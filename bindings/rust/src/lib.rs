// lib.rs - nearest-neighbour search anywhere: the safe interface of nigh
// SPDX-License-Identifier: MIT OR Apache-2.0
#![doc = include_str!("../README.md")]
#![no_std]
#![deny(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod config;
mod cursor;
mod element;
mod error;
mod file;
mod filter;
mod handle;
mod hnswlib;
mod index;
mod job;
mod key;
#[cfg(feature = "lmdb")]
pub mod lmdb;
mod memory;
mod metric;
mod panic;
mod read;
mod search;
mod session;
mod store;
mod sync;

pub use crate::config::{Builder, Codes, Config};
pub use crate::cursor::Cursor;
pub use crate::element::{decode, encode, Bf16, Element, B1, F16, I8};
pub use crate::error::{BatchError, Error, Result};
pub use crate::file::{OpenOptions, View};
pub use crate::filter::{Bitmap, Filtered};
pub use crate::index::Index;
pub use crate::job::{BuildJob, Job, Progress};
pub use crate::key::{Key, Slot};
pub use crate::metric::Metric;
pub use crate::read::{Keys, Node, Report, Stats};
pub use crate::search::{Hit, SearchOptions, SearchStats, Searcher};
pub use crate::session::SearcherOptions;
pub use crate::store::{FetchError, Owned, Request, Rows, VectorStore};
/// The C interface, for what this crate does not offer.
pub use nigh_sys as sys;

/// Version of the library: major, minor, patch.
pub fn version() -> (u32, u32, u32) {
    // SAFETY: a number.
    let version = unsafe { sys::nigh_version() };
    (version >> 16, version >> 8 & 255, version & 255)
}

/// Instruction sets that this machine has, `sys::NIGH_CPU_*`, as far as that can be known without
/// an operating system; see [`Builder::features`].
pub fn cpu_features() -> u32 {
    // SAFETY: a number.
    unsafe { sys::nigh_features() }
}
