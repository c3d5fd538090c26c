// element.rs - what vectors consist of
// SPDX-License-Identifier: MIT OR Apache-2.0
use alloc::vec::Vec;
use core::ffi::c_void;
use core::ptr;

use nigh_sys as sys;

use crate::error::{check, Error, Result};

mod private {
    pub trait Sealed {}
    /// # Safety
    /// Any bits are a value, and there is no padding.
    pub unsafe trait Plain:
        Copy + Default + Send + Sync + core::fmt::Debug + 'static
    {
    }
}
pub(crate) use private::Plain;

/// Type of a vector's elements. A *row* is a slice of [`Unit`](Self::Unit)s of
/// [`row_len`](Self::row_len); for `f32`, `u8` and the 16-bit floats that is simply the vector.
pub trait Element: private::Sealed + Send + Sync + 'static {
    /// What a row is a slice of.
    type Unit: private::Plain;

    #[doc(hidden)]
    const DTYPE: u32;

    /// Units in the row of a vector of `dim` elements.
    fn row_len(dim: usize) -> usize;
}

macro_rules! elements {
    ($($(#[$meta:meta])* $name:ty, $unit:ty, $dtype:ident, |$dim:ident| $len:expr;)*) => {$(
        impl private::Sealed for $name {}
        $(#[$meta])*
        impl Element for $name {
            type Unit = $unit;
            const DTYPE: u32 = sys::$dtype;
            fn row_len($dim: usize) -> usize {
                $len
            }
        }
    )*};
}

/// IEEE binary16, as its bits. With the feature `half`, `half::f16` is an element too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct F16(pub u16);

/// The upper half of an `f32`, as its bits. With the feature `half`, `half::bf16` is an element too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Bf16(pub u16);

/// Signed bytes with a scale and a zero point for each vector. A row is `dim` bytes padded to a
/// multiple of 4, the scale (`f32`) and the zero point (`i32`), little-endian; element `x` stands
/// for `scale * (x - zero)`. [`encode`] makes such rows.
#[derive(Clone, Copy, Debug)]
pub enum I8 {}

/// Bits, eight a byte, the lowest first; those beyond `dim` are 0. For the Hamming distance.
#[derive(Clone, Copy, Debug)]
pub enum B1 {}

elements! {
    f32, f32, NIGH_DTYPE_F32, |dim| dim;
    F16, F16, NIGH_DTYPE_F16, |dim| dim;
    Bf16, Bf16, NIGH_DTYPE_BF16, |dim| dim;
    I8, i8, NIGH_DTYPE_I8, |dim| dim.div_ceil(4) * 4 + 8;
    /// Integers 0 to 255.
    u8, u8, NIGH_DTYPE_U8, |dim| dim;
    B1, u8, NIGH_DTYPE_B1, |dim| dim.div_ceil(8);
}

#[cfg(feature = "half")]
elements! {
    half::f16, half::f16, NIGH_DTYPE_F16, |dim| dim;
    half::bf16, half::bf16, NIGH_DTYPE_BF16, |dim| dim;
}

// SAFETY: numbers, and transparent structures of one.
unsafe impl Plain for f32 {}
unsafe impl Plain for u8 {}
unsafe impl Plain for i8 {}
unsafe impl Plain for F16 {}
unsafe impl Plain for Bf16 {}
#[cfg(feature = "half")]
unsafe impl Plain for half::f16 {}
#[cfg(feature = "half")]
unsafe impl Plain for half::bf16 {}

/// Rows of `E` for floats: `floats` is vectors of `dim` one after another, and so is the result, of
/// rows. `u8` rounds and clamps, [`I8`] chooses scale and zero point that span each vector, [`B1`]
/// is `x > 0`.
///
/// # Errors
/// [`Error::Vector`] for NaN, infinity or beyond the type's range, [`Error::Length`] when `floats`
/// is no whole number of vectors.
pub fn encode<E: Element>(dim: usize, floats: &[f32]) -> Result<Vec<E::Unit>> {
    let (count, size) = counted(dim, floats.len(), dim)?;
    let row_len = E::row_len(dim);
    let mut rows = alloc::vec![E::Unit::default(); row_len * count as usize];
    // SAFETY: both hold `count` vectors, as counted.
    check(unsafe {
        sys::nigh_convert(
            size,
            E::DTYPE,
            count,
            floats.as_ptr(),
            rows.as_mut_ptr().cast(),
            ptr::null(),
            ptr::null_mut(),
        )
    })?;
    Ok(rows)
}

/// Floats for rows of `E`, the reverse of [`encode`].
///
/// # Errors
/// [`Error::Length`] when `rows` is no whole number of rows.
pub fn decode<E: Element>(dim: usize, rows: &[E::Unit]) -> Result<Vec<f32>> {
    let (count, size) = counted(dim, rows.len(), E::row_len(dim))?;
    let mut floats = alloc::vec![0.0; dim * count as usize];
    // SAFETY: as in `encode`.
    check(unsafe {
        sys::nigh_convert(
            size,
            E::DTYPE,
            count,
            ptr::null(),
            ptr::null_mut(),
            rows.as_ptr().cast::<c_void>(),
            floats.as_mut_ptr(),
        )
    })?;
    Ok(floats)
}

/// (vectors, dim), where `row_len` elements are a vector.
fn counted(dim: usize, len: usize, row_len: usize) -> Result<(u32, u32)> {
    let size = u32::try_from(dim)
        .ok()
        .filter(|dim| (1..=65535).contains(dim))
        .ok_or(Error::Invalid("dim: expected 1 to 65535"))?;
    if len % row_len != 0 {
        let expected = len.div_ceil(row_len) * row_len;
        return Err(Error::Length { what: "rows", expected, found: len });
    }
    let count = u32::try_from(len / row_len).map_err(|_| Error::Invalid("2^32 rows or more"))?;
    Ok((count, size))
}
