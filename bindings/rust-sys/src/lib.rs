// lib.rs - nigh.h for Rust, and the library behind it
// SPDX-License-Identifier: MIT OR Apache-2.0
//! The C interface of nigh, nearest-neighbour search (HNSW) in freestanding C: every function,
//! structure and constant of `nigh.h`, and the library, compiled from one vendored file by the
//! `cc` crate. No bindgen, no libc, no allocator. The crate `nigh` is the safe interface.
//!
//! All memory is the caller's. A `*_bytes` function says how much an object wants, and it must be
//! aligned to 64 bytes:
//!
//! ```
//! use nigh_sys::*;
//! let config = nigh_config {
//!     dim: 2,
//!     metric: NIGH_METRIC_L2,
//!     dtype: NIGH_DTYPE_F32,
//!     ..Default::default()
//! };
//! let options = nigh_options { slot_max: 1000, ..Default::default() };
//! let mut bytes = 0;
//! assert_eq!(unsafe { nigh_index_bytes(&config, &options, &mut bytes) }, NIGH_OK);
//! assert!(bytes > 0);
//! ```
//!
//! Feature `system`: links an installed library that `pkg-config` knows, instead of compiling.
//! A dependent's build script finds the header in `DEP_NIGH_INCLUDE`.
//!
//! Feature `lmdb`: also `nigh_lmdb.h` and `nigh_hosted.h`, for Unix. No liblmdb is linked: the
//! transactions that these functions take are a `bridge::Txn`, whose functions are the caller's.
//!
//! Builds for every target with a C compiler in the style of gcc or clang, among them
//! `wasm32-unknown-unknown` (`-C target-feature=+simd128` is passed on to C) and
//! `thumbv7em-none-eabihf`.
#![no_std]

#[cfg(feature = "lmdb")]
pub mod bridge;
mod ffi;
#[cfg(feature = "lmdb")]
mod ffi_hosted;
#[cfg(feature = "lmdb")]
mod ffi_lmdb;

pub use ffi::*;
#[cfg(feature = "lmdb")]
pub use {ffi_hosted::*, ffi_lmdb::*};
