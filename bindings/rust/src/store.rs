// store.rs - vectors that stay where they are: slices, or whatever a callback reaches
// SPDX-License-Identifier: MIT OR Apache-2.0
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ffi::c_void;
use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr::NonNull;

use nigh_sys as sys;

use crate::element::Element;
use crate::panic;

/// Where an index finds its vectors. Three kinds:
///
/// * [`Owned`], the default: they are kept in the index, and saved with it.
/// * Rows one after another: `&[E::Unit]`, `Vec<E::Unit>`, `Box<[E::Unit]>`, `Arc<[E::Unit]>`, or
///   any type that gives [`rows`](Self::rows). They are read where they lie, never copied; the row
///   of slot `s` is row `s`.
/// * Anything else: [`fetch`](Self::fetch) hands out rows, many at a time, from a transaction, a
///   cache, a decompressor.
///
/// The index owns its store and hands it back by `&` (`Index::store`), or by `&mut` while nobody
/// searches (`Index::store_mut`). What a row is borrowed from must live as long as `&self`, which
/// the compiler checks: a row of a read transaction that is gone cannot be lent.
pub trait VectorStore<E: Element>: Send + Sync {
    /// [`prefetch`](Self::prefetch) does something.
    const PREFETCHES: bool = false;

    #[doc(hidden)]
    const OWNED: bool = false;

    /// All rows, if they lie one after another: then nothing else is called. Asked once, when the
    /// index is made or gets its store back.
    fn rows(&self) -> Option<&[E::Unit]> {
        None
    }

    /// Gives the rows of `request.slots`: lends each to [`Rows::lend`], or writes it to what
    /// [`Rows::copy`] gives. Runs on the thread that searches or inserts, never under a lock; a
    /// panic goes on there.
    ///
    /// # Errors
    /// The call of the index that wanted the rows fails with `Error::Store` and that code.
    fn fetch<'s>(
        &'s self,
        request: Request<'_>,
        rows: &mut Rows<'s, '_, E>,
    ) -> Result<(), FetchError>;

    /// A hint that these are likely to be fetched soon: a good time to ask the disk for them.
    fn prefetch(&self, request: Request<'_>) {
        let _ = request;
    }
}

/// What C is told for a store's code 0; codes go down from here. What hosted/ says itself of indexes
/// in LMDB lies above.
pub(crate) const FAILED: sys::nigh_status = sys::NIGH_E_USER - 1000;

/// A store's failure, with a code of its own that `Error::Store` hands on, up to 2^31 - 2001.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchError(pub u32);

/// What [`VectorStore::fetch`] is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Request<'r> {
    /// The slots whose rows are wanted.
    pub slots: &'r [u32],
    /// Their keys, for `u64` keys and slots.
    pub keys: Option<&'r [u64]>,
}

/// Where [`VectorStore::fetch`] puts rows.
pub struct Rows<'s, 'r, E: Element> {
    found: *mut *const c_void,
    scratch: *mut E::Unit,
    count: usize,
    row_len: usize,
    lives: PhantomData<(&'s [E::Unit], &'r mut ())>,
}

impl<'s, E: Element> Rows<'s, '_, E> {
    /// Rows wanted.
    #[allow(clippy::len_without_is_empty)] // at least one
    pub fn len(&self) -> usize {
        self.count
    }

    /// Units of a row.
    pub fn row_len(&self) -> usize {
        self.row_len
    }

    /// Lends the row of slot `at` of the request.
    ///
    /// # Panics
    /// When there is no such slot, or the row has not [`row_len`](Self::row_len) units.
    pub fn lend(&mut self, at: usize, row: &'s [E::Unit]) {
        assert!(at < self.count, "row {at} of a request for {}", self.count);
        assert_eq!(row.len(), self.row_len, "units of a row that is lent");
        // SAFETY: C has room for `count` addresses; the row lives as long as the store's borrow.
        unsafe { *self.found.add(at) = row.as_ptr().cast() };
    }

    /// Room for the row of slot `at` of the request, to be filled.
    ///
    /// # Panics
    /// When there is no such slot.
    pub fn copy(&mut self, at: usize) -> &mut [E::Unit] {
        assert!(at < self.count, "row {at} of a request for {}", self.count);
        // SAFETY: C's scratch has `count` rows of initialised bytes, this call's alone.
        unsafe {
            let row = self.scratch.add(at * self.row_len);
            *self.found.add(at) = row.cast_const().cast();
            core::slice::from_raw_parts_mut(row, self.row_len)
        }
    }
}

/// Vectors are kept in the index.
#[derive(Clone, Copy, Debug, Default)]
pub struct Owned;

impl<E: Element> VectorStore<E> for Owned {
    const OWNED: bool = true;

    fn fetch(&self, _: Request<'_>, _: &mut Rows<'_, '_, E>) -> Result<(), FetchError> {
        Err(FetchError(0)) // never asked: the core has the rows
    }
}

macro_rules! slices {
    ($($(#[$meta:meta])* $name:ty;)*) => {$(
        $(#[$meta])*
        impl<E: Element> VectorStore<E> for $name {
            fn rows(&self) -> Option<&[E::Unit]> {
                Some(self)
            }

            fn fetch<'s>(
                &'s self,
                request: Request<'_>,
                rows: &mut Rows<'s, '_, E>,
            ) -> Result<(), FetchError> {
                lend_from(self, request, rows)
            }
        }
    )*};
}

slices! {
    &[E::Unit];
    Vec<E::Unit>;
    Box<[E::Unit]>;
    Arc<[E::Unit]>;
}

fn lend_from<'s, E: Element>(
    all: &'s [E::Unit],
    request: Request<'_>,
    rows: &mut Rows<'s, '_, E>,
) -> Result<(), FetchError> {
    for (at, slot) in request.slots.iter().enumerate() {
        let from = *slot as usize * rows.row_len();
        match all.get(from..from + rows.row_len()) {
            Some(row) => rows.lend(at, row),
            None => return Err(FetchError(*slot)),
        }
    }
    Ok(())
}

/// A value that C has the address of. A `Box` may not be moved while someone points into it.
pub(crate) struct Pinned<T>(NonNull<T>);

// SAFETY: owns a T, like a box.
unsafe impl<T: Send> Send for Pinned<T> {}
unsafe impl<T: Sync> Sync for Pinned<T> {}

impl<T> Pinned<T> {
    pub(crate) fn new(value: T) -> Self {
        Pinned(NonNull::from(Box::leak(Box::new(value))))
    }

    pub(crate) fn user(&self) -> *mut c_void {
        self.0.as_ptr().cast()
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        // SAFETY: borrowed alone; C is in no call while its index is.
        unsafe { self.0.as_mut() }
    }
}

impl<T> Deref for Pinned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: made of a box, freed only by drop.
        unsafe { self.0.as_ref() }
    }
}

impl<T> Drop for Pinned<T> {
    fn drop(&mut self) {
        // SAFETY: made of a box.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

/// A store, and what its callbacks need to know.
pub(crate) struct Source<S> {
    pub(crate) store: S,
    pub(crate) row_len: usize,
}

/// # Safety
/// As `nigh_fetch_fn` says; `user` is a `Source<S>`.
pub(crate) unsafe extern "C" fn fetch<E: Element, S: VectorStore<E>>(
    user: *mut c_void,
    slots: *const u32,
    keys: *const u64,
    count: u32,
    scratch: *mut c_void,
    vectors: *mut *const c_void,
) -> sys::nigh_status {
    panic::guarded(sys::NIGH_E_USER, || {
        // SAFETY: C keeps to nigh_fetch_fn, and the index to `user`.
        let (source, request) =
            unsafe { (&*user.cast::<Source<S>>(), request(slots, keys, count)) };
        let mut rows = Rows {
            found: vectors,
            scratch: scratch.cast::<E::Unit>(),
            count: count as usize,
            row_len: source.row_len,
            lives: PhantomData,
        };
        match source.store.fetch(request, &mut rows) {
            Ok(()) => sys::NIGH_OK,
            // Codes beyond i32 end at its last number.
            Err(FetchError(code)) => FAILED.saturating_sub_unsigned(code),
        }
    })
}

/// # Safety
/// As `nigh_prefetch_fn` says; `user` is a `Source<S>`.
pub(crate) unsafe extern "C" fn prefetch<E: Element, S: VectorStore<E>>(
    user: *mut c_void,
    slots: *const u32,
    keys: *const u64,
    count: u32,
) {
    panic::guarded((), || {
        // SAFETY: as in `fetch`.
        let (source, request) =
            unsafe { (&*user.cast::<Source<S>>(), request(slots, keys, count)) };
        source.store.prefetch(request);
    });
}

/// # Safety
/// `count` slots, and as many keys or null.
unsafe fn request<'r>(slots: *const u32, keys: *const u64, count: u32) -> Request<'r> {
    // SAFETY: the caller's promise.
    unsafe {
        Request {
            slots: core::slice::from_raw_parts(slots, count as usize),
            keys: (!keys.is_null()).then(|| core::slice::from_raw_parts(keys, count as usize)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    /// Odd slots are lent, even ones copied.
    struct Both(Vec<f32>);

    impl VectorStore<f32> for Both {
        fn fetch<'s>(
            &'s self,
            request: Request<'_>,
            rows: &mut Rows<'s, '_, f32>,
        ) -> Result<(), FetchError> {
            assert_eq!(rows.len(), request.slots.len());
            for (at, slot) in request.slots.iter().enumerate() {
                let slot = *slot as usize;
                if slot >= 4 {
                    return Err(FetchError(slot as u32));
                }
                let row = &self.0[2 * slot..2 * slot + 2];
                match slot % 2 {
                    0 => rows.copy(at).copy_from_slice(row),
                    _ => rows.lend(at, row),
                }
            }
            Ok(())
        }
    }

    fn ask<S: VectorStore<f32>>(store: S, slots: &[u32]) -> (i32, Vec<[f32; 2]>) {
        let source = Pinned::new(Source { store, row_len: 2 });
        let mut scratch = vec![0f32; 2 * slots.len()];
        let mut found = vec![core::ptr::null::<c_void>(); slots.len()];
        // SAFETY: as C calls it.
        let status = unsafe {
            fetch::<f32, S>(
                source.user(),
                slots.as_ptr(),
                core::ptr::null(),
                slots.len() as u32,
                scratch.as_mut_ptr().cast(),
                found.as_mut_ptr(),
            )
        };
        let rows = found.iter().filter(|row| !row.is_null());
        (status, rows.map(|row| unsafe { *row.cast::<[f32; 2]>() }).collect())
    }

    #[test]
    fn lent_and_copied() {
        let rows = vec![0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5];
        let want = vec![[3.0, 3.5], [0.0, 0.5], [2.0, 2.5], [1.0, 1.5]];
        assert_eq!(ask(Both(rows.clone()), &[3, 0, 2, 1]), (sys::NIGH_OK, want.clone()));
        assert_eq!(ask(rows.clone(), &[3, 0, 2, 1]), (sys::NIGH_OK, want.clone()));
        assert_eq!(ask(&rows[..], &[3, 0, 2, 1]), (sys::NIGH_OK, want));
    }

    #[test]
    fn failures_have_their_code() {
        assert_eq!(ask(Both(vec![0.0; 8]), &[1, 7]).0, FAILED - 7);
        assert_eq!(ask(vec![0.0; 8], &[4]).0, FAILED - 4);
        assert_eq!(ask(vec![0.0; 8], &[u32::MAX]).0, i32::MIN);
    }

    #[cfg(feature = "std")]
    #[test]
    fn a_panic_waits() {
        struct Panics;
        impl VectorStore<f32> for Panics {
            fn fetch<'s>(
                &'s self,
                _: Request<'_>,
                rows: &mut Rows<'s, '_, f32>,
            ) -> Result<(), FetchError> {
                rows.lend(0, &[1.0]); // too short
                Ok(())
            }
        }
        assert_eq!(ask(Panics, &[0]).0, sys::NIGH_E_USER);
        let caught = std::panic::catch_unwind(panic::resume).unwrap_err();
        assert!(caught.downcast_ref::<std::string::String>().unwrap().contains("units of a row"));
    }
}
