// key.rs - what vectors are called by
// SPDX-License-Identifier: MIT OR Apache-2.0
use alloc::string::String;
use alloc::vec::Vec;
use core::ffi::c_void;
use core::ptr;

use nigh_sys as sys;

use crate::error::{Error, Result};

mod private {
    pub trait Sealed {}
}

/// Type of an index's keys: `u64`, `String` and `Vec<u8>` (1 to 511 bytes, or fewer, see
/// `Builder::key_bytes_max`), or [`Slot`], which is stored nowhere.
pub trait Key:
    private::Sealed + Clone + core::fmt::Debug + PartialEq + Send + Sync + 'static
{
    /// How a key is passed: `u64`, `&str`, `&[u8]`, [`Slot`].
    type Ref<'a>: Copy + core::fmt::Debug;

    #[doc(hidden)]
    const KIND: u32;

    /// A key of one's own.
    fn to_key(key: Self::Ref<'_>) -> Self;
    /// The key, to pass it.
    fn as_ref(&self) -> Self::Ref<'_>;

    #[doc(hidden)]
    fn raw(key: Self::Ref<'_>) -> RawKey<'_>;
    #[doc(hidden)]
    fn from_raw(raw: RawKey<'_>) -> Result<Self::Ref<'_>>;
}

/// The number of the next place in the index, 0 first: keys that cost no memory. An insert of
/// another key than the next is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub u32);

/// A key as C sees it.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum RawKey<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl RawKey<'_> {
    /// Calls C with a key array of one.
    pub(crate) fn with<R>(self, call: impl FnOnce(*const c_void, *const u32) -> R) -> R {
        match self {
            RawKey::Number(number) => call((&raw const number).cast(), ptr::null()),
            RawKey::Bytes(bytes) => {
                // A length that does not fit is refused by C like any that is too long.
                let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                call(bytes.as_ptr().cast(), &raw const length)
            }
        }
    }
}

impl private::Sealed for u64 {}
impl Key for u64 {
    type Ref<'a> = u64;
    const KIND: u32 = sys::NIGH_KEYS_U64;

    fn to_key(key: Self::Ref<'_>) -> u64 {
        key
    }
    fn as_ref(&self) -> u64 {
        *self
    }
    fn raw(key: Self::Ref<'_>) -> RawKey<'_> {
        RawKey::Number(key)
    }
    fn from_raw(raw: RawKey<'_>) -> Result<u64> {
        match raw {
            RawKey::Number(number) => Ok(number),
            RawKey::Bytes(_) => Err(Error::Key),
        }
    }
}

impl private::Sealed for Slot {}
impl Key for Slot {
    type Ref<'a> = Slot;
    const KIND: u32 = sys::NIGH_KEYS_IDENTITY;

    fn to_key(key: Self::Ref<'_>) -> Slot {
        key
    }
    fn as_ref(&self) -> Slot {
        *self
    }
    fn raw(key: Self::Ref<'_>) -> RawKey<'_> {
        RawKey::Number(key.0.into())
    }
    fn from_raw(raw: RawKey<'_>) -> Result<Slot> {
        match raw {
            RawKey::Number(number) => u32::try_from(number).map(Slot).map_err(|_| Error::Key),
            RawKey::Bytes(_) => Err(Error::Key),
        }
    }
}

impl private::Sealed for Vec<u8> {}
impl Key for Vec<u8> {
    type Ref<'a> = &'a [u8];
    const KIND: u32 = sys::NIGH_KEYS_BYTES;

    fn to_key(key: Self::Ref<'_>) -> Vec<u8> {
        key.to_vec()
    }
    fn as_ref(&self) -> &[u8] {
        self
    }
    fn raw(key: Self::Ref<'_>) -> RawKey<'_> {
        RawKey::Bytes(key)
    }
    fn from_raw(raw: RawKey<'_>) -> Result<&[u8]> {
        match raw {
            RawKey::Bytes(bytes) => Ok(bytes),
            RawKey::Number(_) => Err(Error::Key),
        }
    }
}

impl private::Sealed for String {}
impl Key for String {
    type Ref<'a> = &'a str;
    const KIND: u32 = sys::NIGH_KEYS_BYTES;

    fn to_key(key: Self::Ref<'_>) -> String {
        String::from(key)
    }
    fn as_ref(&self) -> &str {
        self
    }
    fn raw(key: Self::Ref<'_>) -> RawKey<'_> {
        RawKey::Bytes(key.as_bytes())
    }
    fn from_raw(raw: RawKey<'_>) -> Result<&str> {
        match raw {
            RawKey::Bytes(bytes) => core::str::from_utf8(bytes).map_err(|_| Error::KeyEncoding),
            RawKey::Number(_) => Err(Error::Key),
        }
    }
}

/// Many keys in the form that C takes.
#[derive(Default)]
pub(crate) struct KeyArray {
    numbers: Vec<u64>,
    bytes: Vec<u8>,
    lengths: Vec<u32>,
}

impl KeyArray {
    pub(crate) fn collect<'k, K: Key>(keys: impl IntoIterator<Item = K::Ref<'k>>) -> Self {
        let mut array = KeyArray::default();
        for key in keys {
            match K::raw(key) {
                RawKey::Number(number) => array.numbers.push(number),
                RawKey::Bytes(bytes) => {
                    array.bytes.extend_from_slice(bytes);
                    array.lengths.push(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
                }
            }
        }
        array
    }

    pub(crate) fn len(&self) -> usize {
        self.numbers.len().max(self.lengths.len())
    }

    pub(crate) fn byte_count(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// From key `first` on, which lies `skipped` bytes from the start (see `bytes_before`).
    pub(crate) fn pointers(&self, first: usize) -> (*const c_void, *const u32) {
        if self.lengths.is_empty() {
            (self.numbers[first..].as_ptr().cast(), ptr::null())
        } else {
            let skipped: usize = self.lengths[..first].iter().map(|length| *length as usize).sum();
            (self.bytes[skipped..].as_ptr().cast(), self.lengths[first..].as_ptr())
        }
    }
}

/// Room for keys that C writes.
#[derive(Default)]
pub(crate) struct KeyRoom {
    numbers: Vec<u64>,
    bytes: Vec<u8>,
    lengths: Vec<u32>,
    stride: usize,
}

impl KeyRoom {
    /// Room for `count` keys of kind `K`, byte strings of up to `stride`.
    pub(crate) fn fit<K: Key>(&mut self, count: usize, stride: usize) -> (*mut c_void, *mut u32) {
        if K::KIND == sys::NIGH_KEYS_BYTES {
            self.stride = stride;
            if self.lengths.len() < count {
                self.lengths.resize(count, 0);
            }
            if self.bytes.len() < count * stride {
                self.bytes.resize(count * stride, 0);
            }
            (self.bytes.as_mut_ptr().cast(), self.lengths.as_mut_ptr())
        } else {
            if self.numbers.len() < count {
                self.numbers.resize(count, 0);
            }
            (self.numbers.as_mut_ptr().cast(), ptr::null_mut())
        }
    }

    /// Key `at`, which C has written. Byte strings lie one after another from place `first` on,
    /// which begins at first * stride; `offset` is what the keys between them take.
    pub(crate) fn get<K: Key>(&self, at: usize, offset: &mut usize) -> Result<K::Ref<'_>> {
        if K::KIND == sys::NIGH_KEYS_BYTES {
            let end = *offset + self.lengths[at] as usize;
            let bytes = self.bytes.get(*offset..end).ok_or(Error::Corrupt)?;
            *offset = end;
            K::from_raw(RawKey::Bytes(bytes))
        } else {
            K::from_raw(RawKey::Number(self.numbers[at]))
        }
    }

    /// Where the byte strings of a query that begins at place `first` lie.
    pub(crate) fn start(&self, first: usize) -> usize {
        first * self.stride
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn arrays_of_strings_lie_one_after_another() {
        let array = KeyArray::collect::<String>(["a", "bcd", "ef"]);
        assert_eq!((array.len(), array.byte_count()), (3, 6));
        let (bytes, lengths) = array.pointers(1);
        // SAFETY: five bytes and two lengths are left from key 1 on.
        unsafe {
            assert_eq!(core::slice::from_raw_parts(bytes.cast::<u8>(), 5), b"bcdef");
            assert_eq!(core::slice::from_raw_parts(lengths, 2), [3, 2]);
        }
        let numbers = KeyArray::collect::<u64>([7, 8]);
        let (first, none) = numbers.pointers(1);
        assert_eq!(unsafe { *first.cast::<u64>() }, 8);
        assert!(none.is_null());
    }

    #[test]
    fn one_key() {
        RawKey::Number(9).with(|key, lengths| {
            assert_eq!(unsafe { *key.cast::<u64>() }, 9);
            assert!(lengths.is_null());
        });
        RawKey::Bytes(b"xyz").with(|_, lengths| assert_eq!(unsafe { *lengths }, 3));
    }

    #[test]
    fn room_is_read_as_it_was_written() {
        let mut room = KeyRoom::default();
        let (bytes, lengths) = room.fit::<String>(2, 4);
        unsafe {
            core::slice::from_raw_parts_mut(bytes.cast::<u8>(), 8).copy_from_slice(b"ab\xffxcdef");
            *lengths = 2;
            *lengths.add(1) = 1;
        }
        let mut offset = room.start(0);
        assert_eq!(room.get::<String>(0, &mut offset).unwrap(), "ab");
        assert!(matches!(room.get::<String>(1, &mut offset), Err(Error::KeyEncoding)));
        let mut offset = room.start(1);
        assert_eq!(offset, 4);
        assert_eq!(room.get::<Vec<u8>>(1, &mut offset).unwrap(), b"c");
    }

    #[test]
    fn owned_and_passed() {
        assert_eq!(String::to_key("a"), "a");
        assert_eq!(Key::as_ref(&vec![1u8, 2]), [1, 2]);
        assert!(matches!(Slot::from_raw(RawKey::Number(1 << 40)), Err(Error::Key)));
    }
}
