// panic.rs - a panic in a callback waits until C has returned
// SPDX-License-Identifier: MIT OR Apache-2.0
//! Callbacks run on the thread that called C, so a place a thread is enough. Without `std` nothing
//! unwinds: a panic ends in the panic handler.
#[cfg(feature = "std")]
use {
    std::any::Any,
    std::boxed::Box,
    std::cell::Cell,
    std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe},
};

#[cfg(feature = "std")]
std::thread_local! {
    static CAUGHT: Cell<Option<Box<dyn Any + Send>>> = const { Cell::new(None) };
}

/// Runs a user's code between two frames of C. A panic gives `instead`, and so does every later call
/// until [`resume`].
#[cfg(feature = "std")]
pub(crate) fn guarded<R>(instead: R, work: impl FnOnce() -> R) -> R {
    if let Some(payload) = CAUGHT.take() {
        CAUGHT.set(Some(payload));
        return instead;
    }
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result,
        Err(payload) => {
            CAUGHT.set(Some(payload));
            instead
        }
    }
}

/// The same, also while a panic waits: what C does in the end still has to be done.
#[cfg(feature = "lmdb")]
pub(crate) fn guarded_too<R>(instead: R, work: impl FnOnce() -> R) -> R {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result,
        Err(payload) => {
            CAUGHT.set(Some(CAUGHT.take().unwrap_or(payload)));
            instead
        }
    }
}

/// After C has returned: what a callback panicked with, goes on here.
#[cfg(feature = "std")]
pub(crate) fn resume() {
    if let Some(payload) = CAUGHT.take() {
        resume_unwind(payload);
    }
}

#[cfg(not(feature = "std"))]
pub(crate) fn guarded<R>(_instead: R, work: impl FnOnce() -> R) -> R {
    work()
}

#[cfg(not(feature = "std"))]
pub(crate) fn resume() {}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;

    #[test]
    fn waits_and_goes_on() {
        assert_eq!(guarded(0, || 1), 1);
        assert_eq!(guarded(0, || panic!("first")), 0);
        assert_eq!(guarded(0, || unreachable!("not run any more")), 0);
        let caught = catch_unwind(resume).unwrap_err();
        assert_eq!(caught.downcast_ref(), Some(&"first"));
        resume();
        assert_eq!(guarded(0, || 2), 2);
        #[cfg(feature = "lmdb")]
        {
            assert_eq!(guarded(0, || panic!("first")), 0);
            assert_eq!(guarded_too(0, || 3), 3);
            assert_eq!(guarded_too(0, || panic!("second")), 0);
            let caught = catch_unwind(resume).unwrap_err();
            assert_eq!(caught.downcast_ref(), Some(&"first"));
        }
    }
}
