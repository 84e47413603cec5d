//! How many stripes there are, and which of them a thread uses.
//!
//! A thread takes the next number when it first needs one, and keeps it in a thread-local word; its stripe is that number modulo
//! their count. Nothing depends on the choice but speed: threads may share a stripe, and one that meets another on its stripe
//! moves on to the next.

use std::cell::Cell;

/// How many stripes there may be.
pub(crate) const MAX_STRIPES: usize = 64;

/// A number of stripes: a power of two up to [`MAX_STRIPES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StripeCount(u8);

impl StripeCount {
    pub(crate) const ONE: Self = Self(1);

    /// The largest one that is at most `count`; at least one.
    pub(crate) const fn at_most(count: usize) -> Self {
        let count = if count < MAX_STRIPES { count } else { MAX_STRIPES };
        match count.checked_ilog2() {
            Some(bits) => Self(1 << bits),
            None => Self::ONE,
        }
    }

    pub(crate) const fn get(self) -> usize {
        self.0 as usize
    }
}

const UNASSIGNED: usize = usize::MAX;

#[cfg(not(tripline_loom))]
mod storage {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::{Cell, UNASSIGNED};

    thread_local! {
        pub(super) static INDEX: Cell<usize> = const { Cell::new(UNASSIGNED) };
    }

    pub(super) fn next() -> usize {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        // Relaxed: any numbers will do.
        NEXT.fetch_add(1, Ordering::Relaxed)
    }
}

/// The same, begun anew in each run of a model.
#[cfg(tripline_loom)]
mod storage {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::{Cell, UNASSIGNED};

    loom::thread_local! {
        pub(super) static INDEX: Cell<usize> = Cell::new(UNASSIGNED);
    }

    loom::lazy_static! {
        static ref NEXT: AtomicUsize = AtomicUsize::new(0);
    }

    pub(super) fn next() -> usize {
        NEXT.fetch_add(1, Ordering::Relaxed)
    }
}

/// The number of this thread.
#[inline]
pub(crate) fn current() -> usize {
    storage::INDEX.with(|index| match index.get() {
        UNASSIGNED => assign(index),
        assigned => assigned,
    })
}

#[cold]
fn assign(index: &Cell<usize>) -> usize {
    let assigned = storage::next() & (UNASSIGNED >> 1);
    index.set(assigned);
    assigned
}

/// Another thread uses the same stripe at this moment: this one uses the next from now on.
#[cold]
pub(crate) fn move_on() {
    set(current().wrapping_add(1));
}

/// From now on this thread has this number.
pub(crate) fn set(index: usize) {
    storage::INDEX.with(|current| current.set(index & (UNASSIGNED >> 1)));
}

#[cfg(all(test, not(tripline_loom)))]
mod tests {
    use super::*;

    #[test]
    fn counts_are_powers_of_two_from_one_to_64() {
        let counts = [0, 1, 2, 3, 4, 7, 8, 63, 64, 65, usize::MAX].map(|count| StripeCount::at_most(count).get());
        assert_eq!(counts, [1, 1, 2, 2, 4, 4, 8, 32, 64, 64, 64]);
    }

    #[test]
    fn a_thread_keeps_its_number_until_it_moves_on() {
        let first = current();
        assert_eq!(current(), first);
        move_on();
        assert_eq!(current(), first + 1);
        set(usize::MAX - 1);
        move_on();
        assert_eq!(current(), usize::MAX >> 1, "never the mark of a thread without a number");
    }
}
