// index.rs - the index: making one, changing it
// SPDX-License-Identifier: MIT OR Apache-2.0
use core::marker::PhantomData;
use core::ptr;

use nigh_sys as sys;

use crate::config::{Builder, Config};
use crate::element::{decode, encode, Element};
use crate::error::{check, BatchError, Error, Result};
use crate::handle::{full, Core};
use crate::key::{Key, KeyArray};
use crate::metric::{self, Custom};
use crate::panic;
use crate::store::{self, Owned, Pinned, Source, VectorStore};

/// Nearest-neighbour index (HNSW) of vectors of `E` under keys `K`.
///
/// All methods that take `&self` may be called by any number of threads at once: searches take no
/// lock and wait for nobody, while others insert, set and remove. What wants to be alone takes
/// `&mut self`. Memory grows with what is inserted, up to [`Builder::capacity`].
///
/// A vector is passed as a *row*, a slice of `E::Unit`: of floats for `f32`. [`Self::encode`] makes
/// rows of other types.
///
/// ```
/// use nigh::Index;
/// let index = Index::<String>::new(2)?;
/// index.insert("north", &[0.0, 1.0])?;
/// index.insert("east", &[1.0, 0.0])?;
/// let hits = index.search(&[0.1, 0.9], 1)?;
/// assert_eq!(hits[0].key, "north");
/// # Ok::<(), nigh::Error>(())
/// ```
pub struct Index<K: Key, E: Element = f32, S: VectorStore<E> = Owned> {
    pub(crate) core: Core,
    source: Pinned<Source<S>>,
    custom: Option<Pinned<Custom<E::Unit>>>,
    kinds: PhantomData<fn() -> (K, E)>,
}

impl<K: Key, E: Element> Index<K, E> {
    /// An empty index of vectors of `dim` elements, with all defaults: squared Euclidean distance,
    /// up to 65,536 slots.
    ///
    /// # Errors
    /// [`Error::Invalid`] when `dim` is not 1 to 65535.
    pub fn new(dim: usize) -> Result<Self> {
        Builder::new(dim).build()
    }

    /// Settings for an empty index of vectors of `dim` elements.
    pub fn builder(dim: usize) -> Builder<K, E> {
        Builder::new(dim)
    }
}

impl<K: Key, E: Element, S: VectorStore<E>> Index<K, E, S> {
    pub(crate) fn create(builder: Builder<K, E>, store: S) -> Result<Self> {
        let core = Core::create(&builder.config, &builder.options)?;
        Self::over(core, store, builder.distance)
    }

    /// Tells C where vectors and distances come from.
    pub(crate) fn over(
        core: Core,
        store: S,
        distance: Option<metric::Function<E::Unit>>,
    ) -> Result<Self> {
        let row_len = E::row_len(core.config.dim as usize);
        let mut bytes = 0;
        // SAFETY: asks only. What is read through pointers rests on it.
        check(unsafe { sys::nigh_row_bytes(core.config.dim, E::DTYPE, &mut bytes) })?;
        assert_eq!(bytes, (row_len * size_of::<E::Unit>()) as u64, "bytes of a row");
        let custom = distance.map(|function| Pinned::new(Custom { function, row_len }));
        let source = Pinned::new(Source { store, row_len });
        let mut index = Index { core, source, custom, kinds: PhantomData };
        index.connect()?;
        Ok(index)
    }

    fn connect(&mut self) -> Result<()> {
        let raw = self.core.raw();
        if let Some(custom) = &self.custom {
            // SAFETY: `custom` is dropped with the index.
            check(unsafe {
                sys::nigh_index_distance(raw, Some(metric::distance::<E>), custom.user())
            })?;
        }
        if S::OWNED || self.core.config.vectors == sys::NIGH_VECTORS_OWNED {
            return Ok(());
        }
        let Some(rows) = self.source.store.rows() else {
            let prefetch = if S::PREFETCHES { Some(store::prefetch::<E, S> as _) } else { None };
            // SAFETY: `source` is dropped with the index, and lent mutably only while it is.
            return check(unsafe {
                sys::nigh_index_fetch(raw, Some(store::fetch::<E, S>), prefetch, self.source.user())
            });
        };
        let row_len = self.row_len();
        if rows.len() % row_len != 0 {
            let expected = rows.len().div_ceil(row_len) * row_len;
            return Err(Error::Length { what: "rows of the store", expected, found: rows.len() });
        }
        let count = u32::try_from(rows.len() / row_len)
            .map_err(|_| Error::Invalid("rows of the store: expected fewer than 2^32"))?;
        let trailer = if E::DTYPE == sys::NIGH_DTYPE_I8 { row_len - 8 } else { 0 };
        let stride = size_of::<E::Unit>() * row_len;
        // SAFETY: the rows are borrowed from the store, see above.
        check(unsafe {
            let base = rows.as_ptr().cast();
            sys::nigh_index_borrow(raw, base, stride as u64, count, trailer as u32)
        })
        .map_err(|error| match error {
            Error::Invalid(_) => Error::Length {
                what: "rows of the store",
                expected: self.core.stats().slot_count as usize * row_len,
                found: rows.len(),
            },
            other => other,
        })
    }

    /// Calls of C may run a user's code.
    pub(crate) fn calls_back(&self) -> bool {
        self.custom.is_some() || !S::OWNED
    }

    pub(crate) fn after_call(&self) {
        if self.calls_back() {
            panic::resume();
        }
    }

    /// Units of a row.
    pub fn row_len(&self) -> usize {
        self.source.row_len
    }

    /// Elements of a vector.
    pub fn dim(&self) -> usize {
        self.core.config.dim as usize
    }

    /// Every setting, defaults filled in.
    pub fn config(&self) -> Config {
        Config::from_raw(&self.core.config_now()).expect("an index has a metric that is known")
    }

    /// The store of its vectors.
    pub fn store(&self) -> &S {
        &self.source.store
    }

    /// The store, to change it, for `with`'s time. When that changed the vector of a known key, tell
    /// the index by [`set_stored`](Self::set_stored).
    ///
    /// # Errors
    /// [`Error::Length`] when it holds fewer rows afterwards than the index has slots: until it has
    /// enough, do not search (it is an error then, nothing worse).
    pub fn store_mut<R>(&mut self, with: impl FnOnce(&mut S) -> R) -> Result<R> {
        struct Unset(*mut sys::nigh_index, bool);
        impl Drop for Unset {
            /// Before anything else can search: rows that may be gone are not to be read.
            fn drop(&mut self) {
                if self.1 {
                    // SAFETY: an index of C that lives, alone here.
                    unsafe { sys::nigh_index_fetch(self.0, Some(nothing), None, ptr::null_mut()) };
                }
            }
        }
        let external = !S::OWNED && self.core.config.vectors == sys::NIGH_VECTORS_EXTERNAL;
        let unset = Unset(self.core.raw(), external);
        let result = with(&mut self.source.get_mut().store);
        drop(unset);
        self.connect()?;
        Ok(result)
    }

    /// The index of C, for what this crate does not offer.
    pub fn as_raw(&self) -> *mut sys::nigh_index {
        self.core.raw()
    }

    /// Rows for floats, vectors of [`dim`](Self::dim) one after another: see [`encode`].
    ///
    /// # Errors
    /// Those of [`encode`].
    pub fn encode(&self, floats: &[f32]) -> Result<alloc::vec::Vec<E::Unit>> {
        encode::<E>(self.dim(), floats)
    }

    /// Floats for rows: see [`decode`].
    ///
    /// # Errors
    /// Those of [`decode`].
    pub fn decode(&self, rows: &[E::Unit]) -> Result<alloc::vec::Vec<f32>> {
        decode::<E>(self.dim(), rows)
    }

    pub(crate) fn row(&self, row: &[E::Unit], what: &'static str) -> Result<()> {
        self.rows(row, 1, what)
    }

    pub(crate) fn rows(&self, rows: &[E::Unit], count: usize, what: &'static str) -> Result<()> {
        let expected = self.row_len() * count;
        if rows.len() == expected {
            Ok(())
        } else {
            Err(Error::Length { what, expected, found: rows.len() })
        }
    }

    // ---- Change ---------------------------------------------------------------------------------

    /// Inserts a vector under a new key.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::Removed`] (`set` or `unremove` it), [`Error::Full`],
    /// [`Error::Vector`], [`Error::Key`], [`Error::Length`], [`Error::Busy`] beside a job,
    /// [`Error::ReadOnly`], [`Error::NoMemory`], [`Error::Unrooted`]. Nothing is changed then.
    pub fn insert(&self, key: K::Ref<'_>, row: &[E::Unit]) -> Result<()> {
        self.row(row, "row")?;
        self.change(Change::Insert(0), key, row.as_ptr().cast())
    }

    /// Inserts, and takes the place of the lowest removed key, if there is one; that key is forgotten.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn insert_replacing(&self, key: K::Ref<'_>, row: &[E::Unit]) -> Result<()> {
        self.row(row, "row")?;
        self.change(Change::Insert(sys::NIGH_REPLACE_DELETED), key, row.as_ptr().cast())
    }

    /// Inserts, or gives a known key (removed ones too: they come back) a new vector and new links.
    ///
    /// # Errors
    /// As [`insert`](Self::insert). [`Error::Invalid`] for a known key over a store that is not
    /// [`Owned`]: see [`set_stored`](Self::set_stored).
    pub fn set(&self, key: K::Ref<'_>, row: &[E::Unit]) -> Result<()> {
        self.row(row, "row")?;
        self.change(Change::Set(0), key, row.as_ptr().cast())
    }

    /// Inserts a key whose vector is in the store already: the next row of a slice, or what
    /// `VectorStore::fetch` gives for the next slot.
    ///
    /// # Errors
    /// As [`insert`](Self::insert), [`Error::Store`], and [`Error::Invalid`] when vectors are
    /// [`Owned`] or the store holds no such row.
    pub fn insert_stored(&self, key: K::Ref<'_>) -> Result<()> {
        self.change(Change::Insert(0), key, ptr::null())
    }

    /// Gives a known key new links, after its vector in the store was changed by
    /// [`store_mut`](Self::store_mut).
    ///
    /// # Errors
    /// As [`insert_stored`](Self::insert_stored).
    pub fn set_stored(&mut self, key: K::Ref<'_>) -> Result<()> {
        self.change(Change::Set(sys::NIGH_SET_EXCLUSIVE), key, ptr::null())
    }

    /// Marks a key removed: it is no longer found, its node still leads searches on.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Removed`], [`Error::Busy`], [`Error::ReadOnly`].
    pub fn remove(&self, key: K::Ref<'_>) -> Result<()> {
        self.change(Change::Remove, key, ptr::null())
    }

    /// Takes [`remove`](Self::remove) back.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Exists`] when it is not removed, [`Error::Busy`],
    /// [`Error::ReadOnly`].
    pub fn unremove(&self, key: K::Ref<'_>) -> Result<()> {
        self.change(Change::Unremove, key, ptr::null())
    }

    fn change(&self, change: Change, key: K::Ref<'_>, row: *const core::ffi::c_void) -> Result<()> {
        let raw_key = K::raw(key);
        let extra = match raw_key {
            crate::key::RawKey::Bytes(bytes) => bytes.len() as u64,
            crate::key::RawKey::Number(_) => 0,
        };
        let mut done = 0;
        raw_key.with(|keys, lengths| {
            // SAFETY: one key, one row or none.
            let call = || unsafe { self.call(change, keys, lengths, row, 1, &mut done) };
            self.growing(extra, call)
        })
    }

    /// Inserts `keys` with their rows, one after another in `rows`, in order. For many vectors
    /// [`build`](Self::build) is faster, and uses several threads.
    ///
    /// # Errors
    /// Those of [`insert`](Self::insert), and how many keys are in before that one.
    pub fn insert_batch<'k>(
        &self,
        keys: impl IntoIterator<Item = K::Ref<'k>>,
        rows: &[E::Unit],
    ) -> Result<(), BatchError> {
        let keys = KeyArray::collect::<K>(keys);
        let at = |done| move |error| BatchError { done, error };
        self.rows(rows, keys.len(), "rows").map_err(at(0))?;
        let mut from = 0;
        let result = {
            let call = || {
                let (pointer, lengths) = keys.pointers(from);
                let row = rows[from * self.row_len()..].as_ptr().cast();
                let (count, mut done) = ((keys.len() - from) as u32, 0);
                // SAFETY: `count` keys and rows are left from `from` on.
                let status = unsafe {
                    self.call(Change::Insert(0), pointer, lengths, row, count, &mut done)
                };
                from += done as usize;
                status
            };
            if keys.len() == 0 {
                Ok(())
            } else if u32::try_from(keys.len()).is_err() {
                Err(Error::Invalid("keys: expected fewer than 2^32"))
            } else {
                self.growing(keys.byte_count(), call)
            }
        };
        result.map_err(at(from))
    }

    /// Repeats a call that finds no room, with more.
    fn growing(
        &self,
        extra: u64,
        mut call: impl FnMut() -> Result<sys::nigh_status>,
    ) -> Result<()> {
        loop {
            let seen = self.core.room();
            match call()? {
                sys::NIGH_OK => return Ok(()),
                sys::NIGH_E_FULL => self.core.grow_after(seen, extra)?,
                status => return Err(full(&self.core, status)),
            }
        }
    }

    /// # Safety
    /// `count` keys and rows are where the pointers say.
    unsafe fn call(
        &self,
        change: Change,
        keys: *const core::ffi::c_void,
        lengths: *const u32,
        rows: *const core::ffi::c_void,
        count: u32,
        done: &mut u32,
    ) -> Result<sys::nigh_status> {
        if !self.core.writable() {
            return Err(Error::ReadOnly);
        }
        let index = self.core.raw();
        let status = self.core.with_writer(|session| {
            // SAFETY: the caller's promise; a session of this index that is nobody else's.
            unsafe {
                match change {
                    Change::Insert(flags) => {
                        sys::nigh_insert(index, session, flags, keys, lengths, rows, count, done)
                    }
                    Change::Set(flags) => {
                        sys::nigh_set(index, session, flags, keys, lengths, rows, count, done)
                    }
                    Change::Remove => sys::nigh_remove(index, session, keys, lengths, count, done),
                    Change::Unremove => {
                        sys::nigh_unremove(index, session, keys, lengths, count, done)
                    }
                }
            }
        });
        self.after_call();
        status
    }

    /// Raises the capacity to `slots`, keeping all that is in. Beyond what the index was made for
    /// its image is copied once, so that for a moment there is twice the memory.
    ///
    /// # Errors
    /// [`Error::Invalid`] beyond 2^31 - 2, [`Error::ReadOnly`], [`Error::NoMemory`]: all stays as it
    /// was.
    pub fn reserve(&mut self, slots: usize) -> Result<()> {
        let slots = u32::try_from(slots)
            .ok()
            .filter(|slots| *slots <= (1 << 31) - 2)
            .ok_or(Error::Invalid("capacity: expected at most 2^31 - 2"))?;
        if !self.core.writable() {
            return Err(Error::ReadOnly);
        }
        if slots <= self.core.stats().slot_max {
            return Ok(());
        }
        let image = self.image_copy()?;
        let options = sys::nigh_options {
            slot_max: slots,
            flags: sys::NIGH_OPEN_WRITABLE,
            ..self.core.options
        };
        let (start, bytes) = (image.pointer(), image.len());
        // SAFETY: the image is the new index's own.
        let core = unsafe { Core::attach(start, bytes, Some(image), &options)? };
        let old = core::mem::replace(&mut self.core, core);
        if let Err(error) = self.connect().and_then(|()| self.first_growth()) {
            self.core = old;
            return Err(error);
        }
        Ok(())
    }

    /// The first growth of an attached image wants no writer beside it, so it comes at once.
    pub(crate) fn first_growth(&self) -> Result<()> {
        let stats = self.core.stats();
        let slots = stats.slot_count.saturating_add((stats.slot_count / 8).max(1024));
        if stats.slot_max == stats.slot_count {
            return Ok(());
        }
        self.core.grow_to(slots.min(stats.slot_max), stats.key_bytes)
    }
}

#[derive(Clone, Copy)]
enum Change {
    Insert(u32),
    Set(u32),
    Remove,
    Unremove,
}

/// Stands in for a store that is being changed.
unsafe extern "C" fn nothing(
    _: *mut core::ffi::c_void,
    _: *const u32,
    _: *const u64,
    _: u32,
    _: *mut core::ffi::c_void,
    _: *mut *const core::ffi::c_void,
) -> sys::nigh_status {
    sys::NIGH_E_FETCH
}
