// metric.rs - how far two vectors are apart
// SPDX-License-Identifier: MIT OR Apache-2.0
use alloc::boxed::Box;
use alloc::vec;
use core::ffi::c_void;
use core::sync::atomic::{AtomicU8, Ordering};

use nigh_sys as sys;

use crate::element::{Element, Plain};
use crate::panic;

/// A distance; smaller is nearer for all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Metric {
    /// Squared Euclidean distance.
    #[default]
    L2,
    /// 1 minus the inner product.
    InnerProduct,
    /// 1 minus the cosine of the angle, 0 to 2. Vectors need not be of unit length.
    Cosine,
    /// Sum of absolute differences (Manhattan).
    L1,
    /// Bits that differ; for `B1`, which has no other.
    Hamming,
    /// A function of the caller's: `Builder::distance`, `OpenOptions::distance`.
    Custom,
}

impl Metric {
    const ALL: [(Metric, u32); 6] = [
        (Metric::L2, sys::NIGH_METRIC_L2),
        (Metric::InnerProduct, sys::NIGH_METRIC_IP),
        (Metric::Cosine, sys::NIGH_METRIC_COSINE),
        (Metric::L1, sys::NIGH_METRIC_L1),
        (Metric::Hamming, sys::NIGH_METRIC_HAMMING),
        (Metric::Custom, sys::NIGH_METRIC_CUSTOM),
    ];

    pub(crate) fn number(self) -> u32 {
        Self::ALL.iter().find(|(metric, _)| *metric == self).map_or(0, |(_, number)| *number)
    }

    pub(crate) fn from_number(number: u32) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == number).map(|(metric, _)| *metric)
    }
}

/// A caller's distance.
pub(crate) type Function<U> = Box<dyn Fn(&[U], &[U]) -> f32 + Send + Sync>;

pub(crate) struct Custom<U> {
    pub(crate) function: Function<U>,
    pub(crate) row_len: usize,
}

const UNITS_ON_STACK: usize = 256;

/// Calls `work` with a copy of a row. A row that is updated in place may be changing: C reads it
/// torn and finds out later, but a slice of it would be undefined behaviour here.
unsafe fn with_copy<U: Plain, R>(
    row: *const c_void,
    len: usize,
    work: impl FnOnce(&[U]) -> R,
) -> R {
    let mut few = [U::default(); UNITS_ON_STACK];
    let mut many;
    let copy = if len <= UNITS_ON_STACK {
        &mut few[..len]
    } else {
        many = vec![U::default(); len];
        &mut many[..]
    };
    let to = copy.as_mut_ptr().cast::<u8>();
    for at in 0..core::mem::size_of_val(copy) {
        // SAFETY: C gives `len` units, which are bytes without gaps; AtomicU8 is one of them.
        unsafe { *to.add(at) = (*row.cast::<AtomicU8>().add(at)).load(Ordering::Relaxed) };
    }
    work(copy)
}

/// # Safety
/// As `nigh_distance_fn` says; `user` is a `Custom<E::Unit>`.
pub(crate) unsafe extern "C" fn distance<E: Element>(
    user: *mut c_void,
    a: *const c_void,
    b: *const c_void,
    _dim: u32,
) -> f32 {
    panic::guarded(f32::INFINITY, || {
        // SAFETY: C keeps to nigh_distance_fn, and the index to `user`.
        unsafe {
            let custom = &*user.cast::<Custom<E::Unit>>();
            with_copy(a, custom.row_len, |a: &[E::Unit]| {
                with_copy(b, custom.row_len, |b| (custom.function)(a, b))
            })
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Pinned;

    #[test]
    fn numbers_there_and_back() {
        for (metric, number) in Metric::ALL {
            assert_eq!(metric.number(), number);
            assert_eq!(Metric::from_number(number), Some(metric));
        }
        assert_eq!(Metric::from_number(99), None);
    }

    #[test]
    fn a_function_sees_both_rows() {
        for len in [3, UNITS_ON_STACK + 1] {
            let function = Box::new(move |a: &[f32], b: &[f32]| {
                assert_eq!((a.len(), b.len()), (len, len));
                a[len - 1] - b[0]
            });
            let custom = Pinned::new(Custom { function: function as Function<f32>, row_len: len });
            let (a, b) = (vec![5f32; len], vec![2f32; len]);
            let (a, b) = (a.as_ptr().cast(), b.as_ptr().cast());
            assert_eq!(unsafe { distance::<f32>(custom.user(), a, b, 3) }, 3.0);
        }
    }
}
