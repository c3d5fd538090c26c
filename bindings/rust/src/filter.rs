// filter.rs - searches that may return only some
// SPDX-License-Identifier: MIT OR Apache-2.0
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::ffi::c_void;
use core::marker::PhantomData;
use core::ptr;

use nigh_sys as sys;

use crate::cursor::Cursor;
use crate::element::Element;
use crate::error::{BatchError, Result};
use crate::key::{Key, RawKey};
use crate::panic;
use crate::search::{Hit, Searcher};
use crate::store::{Owned, VectorStore};

/// A set of slots.
///
/// ```
/// let bitmap: nigh::Bitmap = [3, 40].into_iter().collect();
/// assert!(bitmap.contains(40) && !bitmap.contains(4));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bitmap {
    words: Vec<u32>,
}

impl Bitmap {
    /// The empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a slot; false: it was there.
    pub fn insert(&mut self, slot: u32) -> bool {
        let word = slot as usize / 32;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        let before = self.words[word];
        self.words[word] |= 1 << (slot % 32);
        before != self.words[word]
    }

    /// Takes a slot out; false: it was not there.
    pub fn remove(&mut self, slot: u32) -> bool {
        let there = self.contains(slot);
        if there {
            self.words[slot as usize / 32] &= !(1 << (slot % 32));
        }
        there
    }

    /// Whether a slot is in it.
    pub fn contains(&self, slot: u32) -> bool {
        self.words.get(slot as usize / 32).is_some_and(|word| word >> (slot % 32) & 1 != 0)
    }

    /// How many are in it.
    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// None is in it.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }
}

impl FromIterator<u32> for Bitmap {
    fn from_iter<I: IntoIterator<Item = u32>>(slots: I) -> Self {
        let mut bitmap = Bitmap::new();
        bitmap.extend(slots);
        bitmap
    }
}

impl Extend<u32> for Bitmap {
    fn extend<I: IntoIterator<Item = u32>>(&mut self, slots: I) {
        for slot in slots {
            self.insert(slot);
        }
    }
}

/// Slots that so many words have bits for. C refuses more than there can ever be.
fn bits_of(words: usize) -> u32 {
    u32::try_from(words.saturating_mul(32)).unwrap_or(u32::MAX)
}

/// A filter as C takes it.
pub(crate) struct Filter<'f> {
    bits: *const u32,
    bit_count: u32,
    function: sys::nigh_filter_fn,
    user: *mut c_void,
    lives: PhantomData<&'f ()>,
}

impl Filter<'_> {
    /// All may be returned.
    pub(crate) const NONE: Filter<'static> = Filter {
        bits: ptr::null(),
        bit_count: 0,
        function: refuse,
        user: ptr::null_mut(),
        lives: PhantomData,
    };

    /// # Safety
    /// `session` is a session of this thread. What the filter points to lives until it is set anew,
    /// or nothing is searched with it.
    pub(crate) unsafe fn set(&self, session: *mut sys::nigh_session) -> sys::nigh_status {
        let function = self.calls_back().then_some(self.function);
        // SAFETY: the caller's promise.
        unsafe { sys::nigh_session_filter(session, self.bits, self.bit_count, function, self.user) }
    }

    pub(crate) fn calls_back(&self) -> bool {
        !self.user.is_null()
    }
}

unsafe extern "C" fn refuse(_: *mut c_void, _: u32, _: *const u64) -> i32 {
    0
}

/// A function, and where it reads keys that are byte strings.
struct Function<F> {
    function: F,
    index: *const sys::nigh_index,
    stride: usize,
}

const KEY_BYTES_MAX: usize = 511;

/// # Safety
/// As `nigh_filter_fn` says; `user` is a `Function<F>`.
unsafe extern "C" fn call<K: Key, F: FnMut(K::Ref<'_>, u32) -> bool>(
    user: *mut c_void,
    slot: u32,
    key: *const u64,
) -> i32 {
    panic::guarded(0, || {
        // SAFETY: C keeps to nigh_filter_fn, and Filtered to `user`; one thread's.
        let this = unsafe { &mut *user.cast::<Function<F>>() };
        if !key.is_null() {
            // SAFETY: a key, as C says.
            let raw = RawKey::Number(unsafe { *key });
            return i32::from(K::from_raw(raw).is_ok_and(|key| (this.function)(key, slot)));
        }
        let mut bytes = [0u8; KEY_BYTES_MAX];
        let (mut length, mut found_slot, mut found) = (0, 0, 0);
        debug_assert!(this.stride <= bytes.len());
        // SAFETY: any thread may read keys at any time; there is room for one.
        let status = unsafe {
            sys::nigh_keys(
                this.index,
                slot,
                1,
                bytes.as_mut_ptr().cast(),
                &mut length,
                &mut found_slot,
                &mut found,
            )
        };
        if status != sys::NIGH_OK || found != 1 || found_slot != slot {
            return 0; // removed a moment ago
        }
        let raw = RawKey::Bytes(&bytes[..length as usize]);
        i32::from(K::from_raw(raw).is_ok_and(|key| (this.function)(key, slot)))
    })
}

/// A searcher that returns only what its filter lets through: `Searcher::filter`,
/// `Searcher::filter_bitmap`. Fewer than `k` hits mean that there are no more.
pub struct Filtered<'a, 'i, 'f, K: Key, E: Element = f32, S: VectorStore<E> = Owned> {
    searcher: &'a mut Searcher<'i, K, E, S>,
    filter: Filter<'f>,
    free: Option<unsafe fn(*mut c_void)>,
}

impl<'a, 'i, 'f, K: Key, E: Element, S: VectorStore<E>> Filtered<'a, 'i, 'f, K, E, S> {
    pub(crate) fn by_bitmap(searcher: &'a mut Searcher<'i, K, E, S>, bitmap: &'f Bitmap) -> Self {
        // An empty set has no words, but C takes null for no filter.
        let (bits, bit_count) = match bitmap.words.len() {
            0 => (ptr::NonNull::<u32>::dangling().as_ptr().cast_const(), 0),
            words => (bitmap.words.as_ptr(), bits_of(words)),
        };
        Self::new(searcher, Filter { bits, bit_count, ..Filter::NONE }, None)
    }

    pub(crate) fn by_function<F>(searcher: &'a mut Searcher<'i, K, E, S>, function: F) -> Self
    where
        F: FnMut(K::Ref<'_>, u32) -> bool + 'f,
    {
        unsafe fn free<F>(user: *mut c_void) {
            // SAFETY: the box of below.
            drop(unsafe { Box::from_raw(user.cast::<Function<F>>()) });
        }
        let index = searcher.index.as_raw().cast_const();
        let stride = searcher.index.key_stride();
        let user = Box::into_raw(Box::new(Function { function, index, stride })).cast();
        let filter = Filter { user, function: call::<K, F>, ..Filter::NONE };
        Self::new(searcher, filter, Some(free::<F>))
    }

    fn new(
        searcher: &'a mut Searcher<'i, K, E, S>,
        filter: Filter<'f>,
        free: Option<unsafe fn(*mut c_void)>,
    ) -> Self {
        // One that was forgotten may still be set: it is not this one.
        if searcher.session.filtered {
            // SAFETY: unsets.
            let status = unsafe { Filter::NONE.set(searcher.session.raw()) };
            debug_assert_eq!(status, sys::NIGH_OK);
            searcher.session.filtered = false;
        }
        Filtered { searcher, filter, free }
    }

    /// The `k` nearest that may be returned: see `Index::search`.
    ///
    /// # Errors
    /// As `Index::search`.
    pub fn search(&mut self, query: &[E::Unit], k: usize) -> Result<Vec<Hit<K>>> {
        let mut hits = vec![];
        self.search_into(query, k, &mut hits)?;
        Ok(hits)
    }

    /// The same into `hits`.
    ///
    /// # Errors
    /// As `Index::search`.
    pub fn search_into(
        &mut self,
        query: &[E::Unit],
        k: usize,
        hits: &mut Vec<Hit<K>>,
    ) -> Result<()> {
        self.searcher.find_into(Some(&self.filter), query, k, hits)
    }

    /// The same, handing each hit to `each` (key, distance, slot).
    ///
    /// # Errors
    /// As `Index::search`.
    pub fn search_each(
        &mut self,
        query: &[E::Unit],
        k: usize,
        each: impl FnMut(K::Ref<'_>, f32, u32),
    ) -> Result<()> {
        self.searcher.find_each(Some(&self.filter), query, k, each)
    }

    /// Searches for several queries: see `Index::search_batch`.
    ///
    /// # Errors
    /// As `Index::search_batch`.
    pub fn search_batch(
        &mut self,
        queries: &[E::Unit],
        k: usize,
    ) -> Result<Vec<Vec<Hit<K>>>, BatchError> {
        self.searcher.find_batch(Some(&self.filter), queries, k)
    }

    /// Neighbours that may be returned, nearest first.
    ///
    /// # Errors
    /// As `Index::search`.
    pub fn cursor<'c>(&'c mut self, query: &'c [E::Unit]) -> Result<Cursor<'c, 'i, K, E, S>> {
        Cursor::begin(self.searcher, Some(&self.filter), query)
    }

    /// What the last search cost.
    pub fn stats(&self) -> crate::search::SearchStats {
        self.searcher.stats()
    }
}

impl<K: Key, E: Element, S: VectorStore<E>> Drop for Filtered<'_, '_, '_, K, E, S> {
    fn drop(&mut self) {
        if self.searcher.session.filtered {
            // SAFETY: unsets.
            let status = unsafe { Filter::NONE.set(self.searcher.session.raw()) };
            debug_assert_eq!(status, sys::NIGH_OK);
            self.searcher.session.filtered = false;
        }
        if let Some(free) = self.free {
            // SAFETY: the function that belongs to this box, once.
            unsafe { free(self.filter.user) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_slots() {
        let mut bitmap: Bitmap = [0, 31, 32, 100].into_iter().collect();
        assert_eq!((bitmap.len(), bitmap.is_empty()), (4, false));
        assert!(!bitmap.insert(31) && bitmap.insert(33));
        assert!(bitmap.remove(0) && !bitmap.remove(0) && !bitmap.remove(9999));
        let slots: Vec<u32> = (0..200).filter(|slot| bitmap.contains(*slot)).collect();
        assert_eq!(slots, [31, 32, 33, 100]);
        assert!(Bitmap::new().is_empty());
        assert_eq!((bits_of(2), bits_of(1 << 27), bits_of(usize::MAX)), (64, u32::MAX, u32::MAX));
    }

    #[test]
    fn a_function_is_called_as_c_calls_it() {
        fn as_c<F: FnMut(u64, u32) -> bool>(function: F) -> i32 {
            let mut this = Function { function, index: ptr::null(), stride: 0 };
            let key = 7u64;
            unsafe { call::<u64, F>((&raw mut this).cast(), 3, &key) }
        }
        let mut seen = vec![];
        assert_eq!(
            as_c(|key, slot| {
                seen.push((key, slot));
                true
            }),
            1
        );
        assert_eq!(seen, [(7, 3)]);
        assert_eq!(as_c(|_, _| false), 0);
    }
}
