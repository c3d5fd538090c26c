// hnswlib.rs - files of hnswlib, read and written
// SPDX-License-Identifier: MIT OR Apache-2.0
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ffi::c_void;

use nigh_sys as sys;

use crate::config::Builder;
use crate::element::Element;
use crate::error::{check, Error, Result};
use crate::file::{dtype_name, handed};
use crate::handle::Core;
use crate::index::Index;
use crate::key::Key;
use crate::metric::Metric;
use crate::store::{Owned, VectorStore};

impl<K: Key, E: Element> Builder<K, E> {
    /// An index from a file of hnswlib 0.6 to 0.8 (`saveIndex`, `save_index`), written where a
    /// `size_t` has 64 or 32 bits: the same links, layers and vectors, labels as keys, deleted
    /// elements removed. The file does not say what it holds, so this builder does: `f32` with
    /// [`Metric::L2`], [`InnerProduct`](Metric::InnerProduct) or [`Cosine`](Metric::Cosine), `u8`
    /// with `L2`. `m`, `m0` and `ef_build` are the file's. There is room for twice what is in, or
    /// the [`capacity`](Self::capacity) if that is more.
    ///
    /// Searches with [`SearchOptions::expansions`](crate::SearchOptions::expansions) of 1 answer as
    /// hnswlib does at the same `ef`. Keys may be removed and the index saved as it is; before other
    /// changes its graph is [rooted](Index::root).
    ///
    /// ```
    /// use nigh::{Index, Metric};
    /// # let written = Index::<u64>::builder(2).metric(Metric::Cosine).build()?;
    /// # written.insert(7, &[1.0, 2.0])?;
    /// # written.insert(8, &[2.0, 1.0])?;
    /// # let file = written.to_hnswlib()?;
    /// let index = Index::<u64>::builder(2).metric(Metric::Cosine).from_hnswlib(&file)?;
    /// assert_eq!(index.search(&[1.0, 2.0], 1)?[0].key, 7);
    /// index.root().run()?; // it is to be changed
    /// index.insert(9, &[1.0, 1.0])?;
    /// # Ok::<(), nigh::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Format`] when it is no such file, [`Error::Corrupt`], [`Error::Mismatch`] when its
    /// vectors have another size, [`Error::Vector`] when one is not finite (cosine: or zero),
    /// [`Error::Key`] when labels are not the [`Slot`](crate::Slot)s that they are to be,
    /// [`Error::Unsupported`] for other metrics and elements and for an M below 2 or beyond 1024,
    /// [`Error::Invalid`], [`Error::NoMemory`].
    #[allow(clippy::wrong_self_convention)] // named like the function of Index
    pub fn from_hnswlib(mut self, file: &[u8]) -> Result<Index<K, E>> {
        if K::KIND == sys::NIGH_KEYS_BYTES {
            return Err(Error::Invalid(
                "keys: labels of hnswlib are numbers, expected u64 or Slot",
            ));
        }
        if self.config.codes != sys::NIGH_CODES_NONE {
            return Err(Error::Invalid("codes: make_codes makes them once the file is read"));
        }
        self.config.vectors = sys::NIGH_VECTORS_OWNED;
        self.check()?;
        let (dim, start, bytes) = (self.config.dim, file.as_ptr().cast(), file.len() as u64);
        let told = |status| check(status).map_err(|error| refused::<E>(error, status, dim));
        let mut facts = sys::nigh_hnswlib::default();
        // SAFETY: `file` is so long, and needs no alignment.
        told(unsafe { sys::nigh_hnswlib_config(start, bytes, &mut self.config, &mut facts) })?;
        let twice = facts.slot_count.saturating_mul(2).min((1 << 31) - 2);
        self.options.slot_max = self.options.slot_max.max(twice);
        let options = sys::nigh_options { upper_extra: facts.upper_extra, ..self.options };
        let mut core = Core::create(&self.config, &options)?;
        core.options = self.options; // room that the draw has not foreseen is for this file only
        core.grow_to(facts.slot_count.max(1), 0)?;
        // SAFETY: as above; nobody else has the index yet.
        told(unsafe { sys::nigh_hnswlib_read(core.raw(), start, bytes) })?;
        Index::over(core, Owned, None)
    }
}

fn refused<E: Element>(error: Error, status: sys::nigh_status, dim: u32) -> Error {
    if status != sys::NIGH_E_MISMATCH {
        return error;
    }
    Error::Mismatch {
        what: "vectors",
        expected: format!("{dim} elements of {}", dtype_name(E::DTYPE)),
        found: String::from("rows of another size"),
    }
}

impl<K: Key, E: Element> Index<K, E> {
    /// An index from a file of hnswlib that holds vectors of `dim` elements: short for
    /// [`Builder::from_hnswlib`].
    ///
    /// # Errors
    /// Those of [`Builder::from_hnswlib`].
    pub fn from_hnswlib(file: &[u8], dim: usize, metric: Metric) -> Result<Self> {
        Builder::new(dim).metric(metric).from_hnswlib(file)
    }
}

impl<K: Key, E: Element, S: VectorStore<E>> Index<K, E, S> {
    /// The index as a file of hnswlib: keys are labels, removed keys deleted elements (and so are
    /// free slots, under labels from the highest down). Rows of a cosine index are normalised, as
    /// hnswlib wants them. Read again and [rooted](Self::root) it gives the same graph.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for byte-string keys, and for elements and metrics other than
    /// [`Builder::from_hnswlib`] names; [`Error::Busy`] beside writers, [`Error::NoVectors`],
    /// [`Error::Store`], [`Error::NoMemory`].
    pub fn to_hnswlib(&self) -> Result<Vec<u8>> {
        self.hnswlib_bytes(0)
    }

    /// The same for hnswlib in a 32-bit program, as in a browser.
    ///
    /// # Errors
    /// Those of [`to_hnswlib`](Self::to_hnswlib), and [`Error::Key`] for a key of more than 32 bits.
    pub fn to_hnswlib_32(&self) -> Result<Vec<u8>> {
        self.hnswlib_bytes(sys::NIGH_HNSWLIB_32)
    }

    /// Writes [`to_hnswlib`](Self::to_hnswlib). Returns its bytes.
    ///
    /// # Errors
    /// Those of [`to_hnswlib`](Self::to_hnswlib), and [`Error::Io`].
    #[cfg(feature = "std")]
    pub fn write_hnswlib(&self, writer: impl std::io::Write) -> Result<u64> {
        crate::file::streamed(writer, |take| self.hnswlib_parts(0, take))
    }

    /// Writes [`to_hnswlib_32`](Self::to_hnswlib_32). Returns its bytes.
    ///
    /// # Errors
    /// Those of [`to_hnswlib_32`](Self::to_hnswlib_32), and [`Error::Io`].
    #[cfg(feature = "std")]
    pub fn write_hnswlib_32(&self, writer: impl std::io::Write) -> Result<u64> {
        crate::file::streamed(writer, |take| self.hnswlib_parts(sys::NIGH_HNSWLIB_32, take))
    }

    fn hnswlib_bytes(&self, flags: u32) -> Result<Vec<u8>> {
        let (mut bytes, mut no_memory) = (Vec::new(), None);
        let result = self.hnswlib_parts(flags, |part| {
            if bytes.try_reserve(part.len()).is_err() {
                no_memory = Some(Error::NoMemory { bytes: (bytes.len() + part.len()) as u64 });
                return false;
            }
            bytes.extend_from_slice(part);
            true
        });
        match no_memory {
            Some(error) => Err(error),
            None => result.map(|()| bytes),
        }
    }

    /// Hands the file to `take`, front to back, until it says false.
    fn hnswlib_parts(&self, flags: u32, take: impl FnMut(&[u8]) -> bool) -> Result<()> {
        let session = self.core.reader(0)?;
        let index = self.core.raw();
        let result = handed(take, |write, user: *mut c_void| {
            // SAFETY: the session is this call's alone, and `handed` gives for it what it gives.
            unsafe { sys::nigh_hnswlib_write(index, session.raw(), flags, 0, write, user) }
        });
        self.core.give_reader(session);
        result
    }
}
