// sync.rs - a lock, and a pool without one, with and without an operating system
// SPDX-License-Identifier: MIT OR Apache-2.0
use alloc::boxed::Box;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

#[cfg(feature = "std")]
pub(crate) struct Lock<T>(std::sync::Mutex<T>);

#[cfg(feature = "std")]
impl<T> Lock<T> {
    pub(crate) fn new(value: T) -> Self {
        Lock(std::sync::Mutex::new(value))
    }

    /// A panic of another holder is its caller's business: what is kept here is whole between two
    /// statements.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        work(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

/// Without an operating system: spins. It guards growth and the list of memories, both rare.
#[cfg(not(feature = "std"))]
pub(crate) struct Lock<T> {
    held: core::sync::atomic::AtomicBool,
    value: core::cell::UnsafeCell<T>,
}

// SAFETY: `with` hands the value to one thread at a time.
#[cfg(not(feature = "std"))]
unsafe impl<T: Send> Sync for Lock<T> {}

#[cfg(not(feature = "std"))]
impl<T> Lock<T> {
    pub(crate) fn new(value: T) -> Self {
        Lock {
            held: core::sync::atomic::AtomicBool::new(false),
            value: core::cell::UnsafeCell::new(value),
        }
    }

    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        struct Release<'a>(&'a core::sync::atomic::AtomicBool);
        impl Drop for Release<'_> {
            fn drop(&mut self) {
                self.0.store(false, Ordering::Release);
            }
        }
        while self.held.swap(true, Ordering::Acquire) {
            core::hint::spin_loop();
        }
        let _release = Release(&self.held);
        // SAFETY: `held` was false, so that no other thread is in here.
        work(unsafe { &mut *self.value.get() })
    }
}

const PLACES: usize = 32;

/// Objects to use again. Taking and giving back is an exchange each, by any number of threads; what
/// finds no place is dropped.
pub(crate) struct Pool<T> {
    places: [AtomicPtr<T>; PLACES],
}

// SAFETY: an object goes from thread to thread and is never in two hands.
unsafe impl<T: Send> Send for Pool<T> {}
unsafe impl<T: Send> Sync for Pool<T> {}

impl<T> Pool<T> {
    pub(crate) fn new() -> Self {
        Pool { places: core::array::from_fn(|_| AtomicPtr::new(ptr::null_mut())) }
    }

    pub(crate) fn take(&self) -> Option<Box<T>> {
        self.places.iter().find_map(|place| {
            if place.load(Ordering::Relaxed).is_null() {
                return None;
            }
            let found = place.swap(ptr::null_mut(), Ordering::AcqRel);
            // SAFETY: `give` put a box there, and whoever exchanges it for null owns it.
            (!found.is_null()).then(|| unsafe { Box::from_raw(found) })
        })
    }

    pub(crate) fn give(&self, object: Box<T>) {
        let object = Box::into_raw(object);
        let taken = self.places.iter().any(|place| {
            place
                .compare_exchange(ptr::null_mut(), object, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok()
        });
        if !taken {
            // SAFETY: made into a pointer above, and given to nobody.
            drop(unsafe { Box::from_raw(object) });
        }
    }

    pub(crate) fn clear(&self) {
        while let Some(object) = self.take() {
            drop(object);
        }
    }
}

impl<T> Drop for Pool<T> {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn lock_counts() {
        let lock = Lock::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..100).for_each(|_| lock.with(|value| *value += 1)));
            }
        });
        assert_eq!(lock.with(|value| *value), 400);
    }

    #[test]
    fn pool_hands_out_each_object_once() {
        let (pool, rounds) = (Pool::new(), if cfg!(miri) { 50 } else { 5000 });
        let witness = Arc::new(());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..rounds {
                        let mut object =
                            pool.take().unwrap_or_else(|| Box::new((0u32, witness.clone())));
                        object.0 += 1;
                        assert_eq!(object.0, 1, "two hands on one object");
                        object.0 -= 1;
                        pool.give(object);
                    }
                });
            }
        });
        assert!(Arc::strong_count(&witness) > 1, "nothing was kept");
        drop(pool);
        assert_eq!(Arc::strong_count(&witness), 1, "an object was lost");
    }

    #[test]
    fn pool_drops_what_finds_no_place() {
        let pool = Pool::new();
        let witness = Arc::new(());
        (0..PLACES + 5).for_each(|_| pool.give(Box::new(witness.clone())));
        assert_eq!(Arc::strong_count(&witness), PLACES + 1);
        pool.clear();
        assert_eq!(Arc::strong_count(&witness), 1);
    }
}
