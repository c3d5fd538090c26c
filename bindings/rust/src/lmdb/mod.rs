// mod.rs - indexes inside heed's LMDB environments, in transactions of the caller
// SPDX-License-Identifier: MIT OR Apache-2.0
//! Indexes inside an LMDB environment of the application's, through [`heed`]: its rows and their
//! index change in one transaction, readers search their snapshot while a writer works, and nothing
//! is copied to search it.
//!
//! ```
//! use heed::types::{Bytes, Str, U64};
//! use heed::{byteorder::BE, CommitOrAbort, EnvOpenOptions};
//! use nigh::lmdb::{Indexes, Reader, Writer};
//! use nigh::{Index, Metric};
//! # let folder = std::env::temp_dir().join(format!("nigh-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder)?;
//! let env = unsafe { EnvOpenOptions::new().max_dbs(2).map_size(1 << 28).open(&folder)? };
//! let (rows, database) = env
//!     .create_databases_and_commit(env.write_txn()?, |opener, txn| {
//!         let rows = opener.create_database::<U64<BE>, Str>(txn, Some("rows"))?;
//!         let database = opener.create_database::<Bytes, Bytes>(txn, Some("indexes"))?;
//!         Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit((rows, database)))
//!     })?
//!     .unwrap_commit();
//! let indexes = Indexes::new(&env, database);
//!
//! let mut txn = env.write_txn()?;
//! indexes.create(&mut txn, 0, Index::<u64>::builder(2).metric(Metric::Cosine))?;
//! rows.put(&mut txn, &7, "seven")?;
//! let writer: Writer<u64> = indexes.writer(&mut txn, 0)?;
//! writer.insert(7, &[1.0, 0.5])?;
//! writer.finish()?; // what is not finished, or prepared, is lost
//! txn.commit()?; // both, or neither
//!
//! let txn = env.read_txn()?;
//! let reader: Reader<u64> = indexes.reader(&txn, 0)?;
//! let hit = reader.search(&[1.0, 0.4], 1)?[0];
//! assert_eq!(rows.get(&txn, &hit.key)?, Some("seven"));
//! # drop(reader);
//! # drop(txn);
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! One database holds up to 65,536 indexes, told apart by a number, and nothing else. The bytes are
//! those of the C library and the `nigh lmdb` command, whatever version of liblmdb heed links.
mod bridge;

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ffi::{c_char, c_void, CStr};
use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr;

use heed::types::Bytes;
use heed::{RoTxn, RwTxn, WithTls};
use nigh_sys as sys;

use crate::config::{Builder, Config};
use crate::element::Element;
use crate::error::{check, from_status, Error, Result};
use crate::file::{dtype_name, keys_name, OpenOptions};
use crate::handle::Core;
use crate::index::Index;
use crate::job::Progress;
use crate::key::Key;
use crate::panic;
use crate::store::{Owned, Pinned, VectorStore};

impl From<heed::Error> for Error {
    fn from(error: heed::Error) -> Self {
        match error {
            heed::Error::Mdb(heed::MdbError::MapFull) => Error::MapFull,
            heed::Error::Mdb(heed::MdbError::TxnFull) => Error::TransactionFull,
            other => Error::Lmdb(other.to_string()),
        }
    }
}

/// A database of indexes, in an environment of heed's.
pub struct Indexes<T = WithTls> {
    env: heed::Env<T>,
    database: bridge::Database,
}

impl<T> Clone for Indexes<T> {
    fn clone(&self) -> Self {
        Indexes { env: self.env.clone(), database: self.database }
    }
}

/// What the catalogue says of an index: [`Indexes::list`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Entry {
    /// Its number.
    pub id: u16,
    /// Values that hold it.
    pub blocks: u64,
    /// Bytes of the pages of those.
    pub bytes: u64,
    /// How often [`Writer::prepare`] stored it.
    pub changes: u64,
    /// Its keys: "u64", "byte strings", "slots".
    pub keys: &'static str,
    /// Its elements: "f32", "f16", ...
    pub elements: &'static str,
    /// It holds its vectors; else who opens it brings a store.
    pub owns_vectors: bool,
    /// Its settings.
    pub config: Config,
}

/// What [`Indexes::check`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Every index has its blocks, each with its checksum, and nothing else is there.
    pub sound: bool,
    /// Number of the rule broken first (docs/FORMAT.md); 0: none.
    pub fault: u32,
    /// The index of that fault.
    pub id: Option<u16>,
    /// And its block: region and number.
    pub block: Option<(u32, u32)>,
    /// Indexes in the catalogue.
    pub indexes: usize,
    /// Loads under way, or that died: see [`Indexes::sweep`].
    pub unfinished: usize,
    /// Blocks whose checksum was verified.
    pub blocks: u64,
    /// Bytes of the pages of all blocks.
    pub bytes: u64,
}

/// Calls C, which says in words what went wrong.
fn told(call: impl FnOnce(*mut c_char, u32) -> sys::nigh_status) -> Result<()> {
    let mut message = [0 as c_char; 256];
    let status = call(message.as_mut_ptr(), message.len() as u32);
    panic::resume();
    if status == sys::NIGH_OK {
        return Ok(());
    }
    // SAFETY: C ends it.
    let text = unsafe { CStr::from_ptr(message.as_ptr()) };
    let text = || Error::Lmdb(String::from(text.to_string_lossy()));
    Err(match status {
        sys::NIGH_E_NO_MEMORY => Error::NoMemory { bytes: 0 },
        sys::NIGH_E_IO | sys::NIGH_E_INVALID | sys::NIGH_E_MISMATCH | sys::NIGH_E_FULL => text(),
        other => from_status(other),
    })
}

fn replacing(replace: bool) -> u32 {
    if replace {
        sys::NIGH_LMDB_REPLACE
    } else {
        0
    }
}

impl<T: 'static> Indexes<T> {
    /// The indexes of a database that was made without flags. It must hold nothing else.
    pub fn new<KC, DC>(env: &heed::Env<T>, database: heed::Database<'static, KC, DC>) -> Self {
        Indexes { env: env.clone(), database: database.remap_types::<Bytes, Bytes>() }
    }

    /// Calls C with a transaction to read.
    fn with_read(
        &self,
        txn: &RoTxn<'_>,
        call: impl FnOnce(*mut c_void, *mut c_char, u32) -> sys::nigh_status,
    ) -> Result<()> {
        let env = Pinned::new(bridge::Env::new(&self.env, self.database)?);
        // SAFETY: both outlive the call.
        let bridge = Pinned::new(unsafe { bridge::Txn::<T>::read(env.user().cast(), txn) });
        told(|message, bytes| call(bridge.user(), message, bytes))
    }

    /// Calls C with a transaction to write.
    fn with_write(
        &self,
        txn: &mut RwTxn<'_>,
        call: impl FnOnce(*mut c_void, *mut c_char, u32) -> sys::nigh_status,
    ) -> Result<()> {
        let env = Pinned::new(bridge::Env::new(&self.env, self.database)?);
        // SAFETY: both outlive the call.
        let bridge = Pinned::new(unsafe { bridge::Txn::<T>::write(env.user().cast(), txn) });
        told(|message, bytes| call(bridge.user(), message, bytes))
    }

    /// An empty index, made as [`Builder::build`] would; capacity and features do not matter, nor
    /// the function of a distance of one's own, which is for [`OpenOptions::distance`] to say.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::MapFull`], [`Error::Invalid`] as for `Builder::build`.
    pub fn create<K: Key, E: Element>(
        &self,
        txn: &mut RwTxn<'_>,
        id: u16,
        builder: Builder<K, E>,
    ) -> Result<()> {
        self.create_as(txn, id, builder, sys::NIGH_VECTORS_OWNED)
    }

    /// The same for an index without vectors: who opens it brings a [`VectorStore`].
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_over<K: Key, E: Element>(
        &self,
        txn: &mut RwTxn<'_>,
        id: u16,
        builder: Builder<K, E>,
    ) -> Result<()> {
        self.create_as(txn, id, builder, sys::NIGH_VECTORS_EXTERNAL)
    }

    fn create_as<K: Key, E: Element>(
        &self,
        txn: &mut RwTxn<'_>,
        id: u16,
        mut builder: Builder<K, E>,
        vectors: u32,
    ) -> Result<()> {
        builder.config.vectors = vectors;
        builder.check()?;
        self.with_write(txn, |txn, message, bytes| unsafe {
            sys::nigh_lmdb_create(txn, 0, id.into(), &builder.config, message, bytes)
        })
    }

    /// Opens an index to search it, as it is in this transaction; a write transaction sees its own
    /// changes. It takes some 50 us: keep it for a request, not for a query.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Mismatch`] when its keys or elements are others,
    /// [`Error::Corrupt`], [`Error::Lmdb`].
    pub fn reader<'t, K: Key, E: Element>(
        &self,
        txn: &'t RoTxn<'_>,
        id: u16,
    ) -> Result<Reader<'t, K, E>> {
        self.reader_with(txn, id, OpenOptions::new())
    }

    /// The same with options: a store of its vectors, a distance, instruction sets.
    ///
    /// # Errors
    /// As [`reader`](Self::reader).
    pub fn reader_with<'t, K: Key, E: Element, S: VectorStore<E>>(
        &self,
        txn: &'t RoTxn<'_>,
        id: u16,
        options: OpenOptions<E, S>,
    ) -> Result<Reader<'t, K, E, S>> {
        let mut raw = options.raw;
        raw.slot_max = 0;
        let mut index = ptr::null_mut();
        self.with_read(txn, |txn, message, bytes| unsafe {
            sys::nigh_lmdb_open(txn, 0, id.into(), 0, &raw, 0, 0, &mut index, message, bytes)
        })?;
        // SAFETY: its blocks lie in LMDB's map and stay until the transaction ends, which the
        // borrow keeps it from; C asks the bridge for nothing after it was opened to read.
        let index = unsafe { attached(index, false, options)? };
        Ok(Reader { index, lives: PhantomData })
    }

    /// Opens an index to change it, with room for twice what is in, at least 65,536 slots. One at a
    /// time may be open for an index; other indexes in turn.
    ///
    /// # Errors
    /// As [`reader`](Self::reader).
    pub fn writer<'t, K: Key, E: Element>(
        &self,
        txn: &'t mut RwTxn<'_>,
        id: u16,
    ) -> Result<Writer<'t, K, E>> {
        self.writer_with(txn, id, OpenOptions::new())
    }

    /// The same with options: its capacity, a store, a distance.
    ///
    /// # Errors
    /// As [`reader`](Self::reader), and [`Error::Lmdb`] when the capacity is less than it holds.
    pub fn writer_with<'t, K: Key, E: Element, S: VectorStore<E>>(
        &self,
        txn: &'t mut RwTxn<'_>,
        id: u16,
        mut options: OpenOptions<E, S>,
    ) -> Result<Writer<'t, K, E, S>> {
        if options.raw.slot_max == 0 {
            options.raw.slot_max = options.slot_max_for(self.slot_count(txn, id)?);
        }
        let raw = options.raw;
        let txn: *mut RwTxn<'t> = ptr::from_mut(txn).cast(); // both uses are of this one borrow
        let env = Pinned::new(bridge::Env::new(&self.env, self.database)?);
        // SAFETY: the writer keeps both, and borrows the transaction.
        let bridge = Pinned::new(unsafe { bridge::Txn::<T>::write(env.user().cast(), txn) });
        let (write, mut index) = (sys::NIGH_LMDB_WRITE, ptr::null_mut());
        told(|message, bytes| unsafe {
            let of = bridge.user();
            sys::nigh_lmdb_open(of, 0, id.into(), write, &raw, 0, 0, &mut index, message, bytes)
        })?;
        // SAFETY: as for a reader; blocks that this transaction has changed are copies.
        let index = unsafe { attached(index, true, options)? };
        Ok(Writer { index, txn, _bridge: Box::new((bridge, env)), lives: PhantomData })
    }

    fn slot_count(&self, txn: &RoTxn<'_>, id: u16) -> Result<u32> {
        let (raw, mut index) = (sys::nigh_options::default(), ptr::null_mut());
        self.with_read(txn, |txn, message, bytes| unsafe {
            sys::nigh_lmdb_open(txn, 0, id.into(), 0, &raw, 0, 0, &mut index, message, bytes)
        })?;
        // SAFETY: opened a moment ago.
        let core = unsafe { Core::hosted(index, false, raw)? };
        Ok(core.stats().slot_count)
    }

    /// Stores a copy of any index, by the same bytes: one that was built in memory or in a file, or
    /// lies in LMDB. `replace`: in place of what is there.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::MapFull`], [`Error::TransactionFull`] (use [`load`](Self::load)),
    /// [`Error::Busy`] while the source is written to.
    pub fn import<K: Key, E: Element, S: VectorStore<E>>(
        &self,
        txn: &mut RwTxn<'_>,
        id: u16,
        source: &Index<K, E, S>,
        replace: bool,
    ) -> Result<()> {
        let flags = replacing(replace);
        self.with_write(txn, |txn, message, bytes| unsafe {
            sys::nigh_lmdb_import(txn, 0, id.into(), flags, source.as_raw(), message, bytes)
        })
    }

    /// The same in transactions of its own, for indexes of any size: readers and other writers go on
    /// between them, and the new index takes its place with the last one. When it fails, the
    /// catalogue is as it was. This thread must have no write transaction open.
    ///
    /// `progress` is told how many bytes are done, and ends the load when it says false.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::MapFull`], [`Error::Cancelled`], [`Error::Busy`].
    pub fn load<K: Key, E: Element, S: VectorStore<E>>(
        &self,
        id: u16,
        source: &Index<K, E, S>,
        replace: bool,
        progress: impl FnMut(Progress) -> bool,
    ) -> Result<()> {
        struct Told<F>(F, u64);
        unsafe extern "C" fn tell<F: FnMut(Progress) -> bool>(
            user: *mut c_void,
            done: u64,
            total: u64,
        ) -> i32 {
            panic::guarded(1, || {
                // SAFETY: `told`, of below.
                let Told(progress, last) = unsafe { &mut *user.cast::<Told<F>>() };
                *last = done;
                i32::from(!progress(Progress { done, total }))
            })
        }
        fn teller<F: FnMut(Progress) -> bool>(_: &Told<F>) -> sys::nigh_lmdb_progress_fn {
            tell::<F>
        }
        let mut env = bridge::Env::new(&self.env, self.database)?;
        let mut to = Told(progress, 0);
        let (tell, user) = (teller(&to), (&raw mut to).cast());
        let flags = replacing(replace);
        told(|message, bytes| unsafe {
            let (env, from) = (env.as_raw(), source.as_raw());
            let tell = Some(tell);
            sys::nigh_lmdb_load(env, 0, id.into(), flags, from, tell, user, message, bytes)
        })
        .map_err(|error| match error {
            Error::Status(sys::NIGH_E_CANCELLED) => Error::Cancelled { done: to.1 },
            other => other,
        })
    }

    /// All indexes, by number. One whose entry is damaged ([`Error::Corrupt`]), or of a later version
    /// ([`Error::Format`]), hides no other, and [`remove`](Self::remove) takes it out.
    ///
    /// # Errors
    /// [`Error::Lmdb`], [`Error::Format`] when the database holds something else.
    pub fn list(&self, txn: &RoTxn<'_>) -> Result<Vec<(u16, Result<Entry>)>> {
        const SOME: usize = 64;
        let mut all = Vec::new();
        let mut from = 0;
        loop {
            let (mut some, mut found) = ([sys::nigh_lmdb_entry::default(); SOME], 0);
            self.with_read(txn, |txn, message, bytes| unsafe {
                let (count, to) = (SOME as u32, some.as_mut_ptr());
                sys::nigh_lmdb_list(txn, 0, from, count, to, &mut found, message, bytes)
            })?;
            for raw in &some[..found as usize] {
                let id = u16::try_from(raw.id).map_err(|_| Error::Corrupt)?;
                all.push((id, entry(id, raw)));
                from = raw.id + 1;
            }
            if (found as usize) < SOME || from > sys::NIGH_LMDB_ID_MAX {
                return Ok(all);
            }
        }
    }

    /// Takes an index out.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::MapFull`].
    pub fn remove(&self, txn: &mut RwTxn<'_>, id: u16) -> Result<()> {
        self.with_write(txn, |txn, message, bytes| unsafe {
            sys::nigh_lmdb_drop(txn, 0, id.into(), message, bytes)
        })
    }

    /// Takes out what loads of processes that are gone have left; every load begins with it. Returns
    /// how many there were.
    ///
    /// # Errors
    /// [`Error::MapFull`].
    pub fn sweep(&self, txn: &mut RwTxn<'_>) -> Result<usize> {
        let mut swept = 0;
        self.with_write(txn, |txn, message, bytes| unsafe {
            sys::nigh_lmdb_sweep(txn, 0, 0, &mut swept, message, bytes)
        })?;
        Ok(swept as usize)
    }

    /// Proves that every index has all its blocks, each with its checksum, and that nothing else is
    /// there. What the blocks say is for `Index::check`. A broken index is a report, not an error.
    ///
    /// # Errors
    /// [`Error::Lmdb`], [`Error::Format`] when the database holds something else.
    pub fn check(&self, txn: &RoTxn<'_>) -> Result<Report> {
        let mut raw = sys::nigh_lmdb_report::default();
        self.with_read(txn, |txn, message, bytes| unsafe {
            sys::nigh_lmdb_check(txn, 0, sys::NIGH_LMDB_ALL, &mut raw, message, bytes)
        })?;
        Ok(Report {
            sound: raw.status == sys::NIGH_OK,
            fault: raw.fault,
            id: u16::try_from(raw.id).ok(),
            block: (raw.region != u32::MAX).then_some((raw.region, raw.block)),
            indexes: raw.indexes as usize,
            unfinished: raw.unfinished as usize,
            blocks: raw.blocks,
            bytes: raw.bytes,
        })
    }
}

fn entry(id: u16, raw: &sys::nigh_lmdb_entry) -> Result<Entry> {
    check(raw.status)?;
    Ok(Entry {
        id,
        blocks: raw.blocks,
        bytes: raw.bytes,
        changes: raw.changes,
        keys: keys_name(raw.config.keys),
        elements: dtype_name(raw.config.dtype),
        owns_vectors: raw.config.vectors == sys::NIGH_VECTORS_OWNED,
        config: Config::from_raw(&raw.config)?,
    })
}

/// # Safety
/// `raw` is an index that nigh_lmdb_open has handed out, and its transaction outlives the result.
unsafe fn attached<K: Key, E: Element, S: VectorStore<E>>(
    raw: *mut sys::nigh_index,
    writes: bool,
    options: OpenOptions<E, S>,
) -> Result<Index<K, E, S>> {
    // SAFETY: the caller's promise.
    let core = unsafe { Core::hosted(raw, writes, options.raw)? };
    options.compare::<K>(&core.config)?;
    Index::over(core, options.store, options.distance)
}

/// An index as it is in a transaction: [`Indexes::reader`]. All of [`Index`] that wants `&` and does
/// not change it; any number of threads may search it.
pub struct Reader<'t, K: Key, E: Element = f32, S: VectorStore<E> = Owned> {
    index: Index<K, E, S>,
    lives: PhantomData<&'t ()>,
}

impl<K: Key, E: Element, S: VectorStore<E>> Deref for Reader<'_, K, E, S> {
    type Target = Index<K, E, S>;

    fn deref(&self) -> &Self::Target {
        &self.index
    }
}

/// An index that is changed in a write transaction: [`Indexes::writer`]. All of [`Index`] that wants
/// `&`; several threads may use `&*writer`, whose changes take turns, and jobs run on one. What has
/// changed is in memory until [`prepare`](Self::prepare) or [`finish`](Self::finish) puts it into
/// the transaction: a writer that is dropped without has changed nothing.
#[must_use = "changes are lost unless it is finished or prepared"]
pub struct Writer<'t, K: Key, E: Element = f32, S: VectorStore<E> = Owned> {
    index: Index<K, E, S>,
    txn: *mut RwTxn<'t>,
    _bridge: Box<dyn core::any::Any>,
    lives: PhantomData<&'t mut ()>,
}

impl<'t, K: Key, E: Element, S: VectorStore<E>> Writer<'t, K, E, S> {
    /// Puts what has changed into the transaction, which the caller then commits or aborts. More may
    /// be changed and prepared after that.
    ///
    /// # Errors
    /// [`Error::MapFull`], [`Error::TransactionFull`], [`Error::Lmdb`]: the transaction is as it was
    /// (in an environment with `WRITE_MAP` abort it).
    pub fn prepare(&mut self) -> Result<()> {
        let index = self.index.as_raw();
        told(|message, bytes| unsafe { sys::nigh_lmdb_prepare(index, message, bytes) })
    }

    /// [`prepare`](Self::prepare), and the transaction is free again.
    ///
    /// # Errors
    /// As `prepare`; what was changed since the last one is lost then.
    pub fn finish(mut self) -> Result<()> {
        self.prepare()
    }

    /// The transaction, to read the application's own rows.
    pub fn txn(&self) -> &RoTxn<'t> {
        // SAFETY: borrowed for as long as the writer is, and written to only by `prepare`.
        unsafe { &*self.txn }
    }
}

impl<K: Key, E: Element, S: VectorStore<E>> Deref for Writer<'_, K, E, S> {
    type Target = Index<K, E, S>;

    fn deref(&self) -> &Self::Target {
        &self.index
    }
}
