//! A small number for each thread, which no other living thread has.
//!
//! A thread takes the lowest free number when it first needs one and returns it when it ends, so a process that starts and ends
//! threads goes on with the same few numbers. A thread that takes a number after another one returned it sees everything that
//! one did. Threads beyond [`THREADS`] have none.

use std::cell::Cell;

use crate::sync::{AtomicU64, Ordering};

/// How many threads have a number at a time.
pub(crate) const THREADS: usize = if cfg!(tripline_loom) { 4 } else { 64 };

/// Not asked for yet.
const UNASSIGNED: usize = usize::MAX;
/// None was free, or the thread ends.
const NONE: usize = usize::MAX - 1;

/// The numbers that threads have: a bit each.
#[derive(Debug)]
pub(crate) struct Numbers(AtomicU64);

impl Numbers {
    #[cfg(all(test, tripline_loom))]
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Takes the lowest free number.
    pub(crate) fn take(&self) -> Option<usize> {
        // Relaxed: the compare-exchange looks again.
        let mut taken = self.0.load(Ordering::Relaxed);
        loop {
            let lowest = taken.trailing_ones();
            if lowest as usize >= THREADS {
                return None;
            }
            // Acquire pairs with the Release in `put_back`: this thread goes on from what the last one with this number wrote.
            match self.0.compare_exchange_weak(taken, taken | 1 << lowest, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Some(lowest as usize),
                Err(now) => taken = now,
            }
        }
    }

    /// Takes this number, if it is free.
    fn take_this(&self, number: usize) -> bool {
        // Acquire pairs with the Release in `put_back`, as in `take`. Relaxed load: the exchange looks again.
        let taken = self.0.load(Ordering::Relaxed);
        taken & 1 << number == 0
            && self.0.compare_exchange(taken, taken | 1 << number, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    pub(crate) fn put_back(&self, number: usize) {
        // Release pairs with the Acquire in `take`.
        self.0.fetch_and(!(1 << number), Ordering::Release);
    }
}

#[cfg(not(tripline_loom))]
mod storage {
    use std::cell::OnceCell;

    use super::{AtomicU64, Cell, NONE, Numbers, UNASSIGNED};

    static NUMBERS: Numbers = Numbers(AtomicU64::new(0));

    thread_local! {
        pub(super) static NUMBER: Cell<usize> = const { Cell::new(UNASSIGNED) };
        static LEASE: OnceCell<Lease> = const { OnceCell::new() };
    }

    /// Returns the number of its thread when the thread ends.
    struct Lease(usize);

    impl Drop for Lease {
        fn drop(&mut self) {
            // A destructor that runs after this one finds no number.
            NUMBER.set(NONE);
            NUMBERS.put_back(self.0);
        }
    }

    pub(super) fn numbers() -> &'static Numbers {
        &NUMBERS
    }

    /// A number until this thread ends; none where it ends already.
    pub(super) fn take() -> Option<usize> {
        let lease = Lease(NUMBERS.take()?);
        let number = lease.0;
        // A lease that finds no place is dropped.
        LEASE.try_with(|place| place.set(lease).is_ok()).unwrap_or(false).then_some(number)
    }
}

/// The same, begun anew in each run of a model. A thread does not return its number: that has a model of its own.
#[cfg(tripline_loom)]
mod storage {
    use super::{AtomicU64, Cell, Numbers, UNASSIGNED};

    loom::thread_local! {
        pub(super) static NUMBER: Cell<usize> = Cell::new(UNASSIGNED);
    }

    loom::lazy_static! {
        static ref NUMBERS: Numbers = Numbers(AtomicU64::new(0));
    }

    pub(super) fn numbers() -> &'static Numbers {
        &NUMBERS
    }

    pub(super) fn take() -> Option<usize> {
        NUMBERS.take()
    }
}

/// Acts while no other thread has this number, if none has it.
pub(crate) fn while_free<R>(number: usize, act: impl FnOnce() -> Option<R>) -> Option<R> {
    let numbers = storage::numbers();
    if !numbers.take_this(number) {
        return None;
    }
    let result = act();
    numbers.put_back(number);
    result
}

/// The number of this thread, below [`THREADS`], if it took one already.
#[inline]
pub(crate) fn known() -> Option<usize> {
    let number = storage::NUMBER.with(Cell::get);
    (number < THREADS).then_some(number)
}

/// The number of this thread, below [`THREADS`].
pub(crate) fn current() -> Option<usize> {
    let number = storage::NUMBER.with(Cell::get);
    if number != UNASSIGNED {
        return (number < THREADS).then_some(number);
    }
    let taken = storage::take();
    storage::NUMBER.with(|number| number.set(taken.unwrap_or(NONE)));
    taken
}

/// This thread goes on as the one with this number.
#[cfg(all(test, not(tripline_loom)))]
pub(crate) fn set(number: usize) {
    storage::NUMBER.with(|current| current.set(number));
}

#[cfg(all(test, not(tripline_loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_number_is_taken_and_there_are_64() {
        let numbers = Numbers(AtomicU64::new(0));
        let taken: Vec<_> = (0..THREADS).map(|_| numbers.take().unwrap()).collect();
        assert_eq!(taken, (0..THREADS).collect::<Vec<_>>());
        assert_eq!(numbers.take(), None);
        numbers.put_back(17);
        numbers.put_back(3);
        assert_eq!([numbers.take(), numbers.take(), numbers.take()], [Some(3), Some(17), None]);
    }

    #[test]
    fn threads_that_live_at_the_same_time_have_different_numbers_and_return_them() {
        let barrier = std::sync::Barrier::new(8);
        // More threads in all than there are numbers.
        for _ in 0..20 {
            let mut numbers: Vec<_> = std::thread::scope(|scope| {
                let number = || {
                    let number = current();
                    barrier.wait();
                    assert_eq!(current(), number, "a thread keeps its number");
                    number
                };
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(number)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap().unwrap()).collect()
            });
            numbers.sort_unstable();
            numbers.dedup();
            assert_eq!(numbers.len(), 8);
        }
    }
}
