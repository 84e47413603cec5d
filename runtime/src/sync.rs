//! The single source of concurrency primitives, so that a model checker can replace them.
//!
//! With `--cfg tripline_loom` they are loom's. (Plain `--cfg loom` would also affect crates that are not modelled.)

#[cfg(not(tripline_loom))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering, fence};
#[cfg(not(tripline_loom))]
pub(crate) use std::{hint::spin_loop, thread::yield_now};

#[cfg(tripline_loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering, fence};
#[cfg(tripline_loom)]
pub(crate) use loom::{hint::spin_loop, thread::yield_now};

pub(crate) use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Locks a mutex even if a thread panicked while holding it: every holder leaves a consistent value at every step.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Locks for reading, as [`lock`] does.
pub(crate) fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

/// Locks for writing, as [`lock`] does.
pub(crate) fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

/// Locks that loom models too. The other locks are not part of a model.
pub(crate) mod modelled {
    #[cfg(not(tripline_loom))]
    pub(crate) use super::{Mutex, RwLock, lock, read, write};

    #[cfg(tripline_loom)]
    pub(crate) use loom::sync::{Mutex, RwLock};
    #[cfg(tripline_loom)]
    use {
        super::PoisonError,
        loom::sync::{MutexGuard, RwLockReadGuard, RwLockWriteGuard},
    };

    #[cfg(tripline_loom)]
    pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(tripline_loom)]
    pub(crate) fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
        lock.read().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(tripline_loom)]
    pub(crate) fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
        lock.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A cell without checks; loom's checks that access is exclusive.
#[cfg(not(tripline_loom))]
#[derive(Debug)]
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

#[cfg(not(tripline_loom))]
impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    /// Passes the pointer to `act`, with loom's interface.
    #[inline]
    pub(crate) fn with_mut<R>(&self, act: impl FnOnce(*mut T) -> R) -> R {
        act(self.0.get())
    }
}

#[cfg(tripline_loom)]
pub(crate) use loom::cell::UnsafeCell;
