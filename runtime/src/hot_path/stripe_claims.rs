//! Which stripe of a breaker a thread writes to.
//!
//! A thread that has recorded some calls of a breaker claims one of its stripes, and keeps it as long as it lives. So one thread at
//! a time writes to a stripe, and needs no locked instruction for it. A thread that comes when all are claimed takes over the one
//! of a thread that has ended; where there is none it records at the core, as all threads do where there is one stripe only.

use crate::hot_path::thread_number::{self, THREADS};
use crate::sync::{AtomicU8, AtomicU32, Ordering};

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

/// The claims on the stripes of one breaker.
#[derive(Debug)]
pub(crate) struct StripeClaims {
    /// By the number of the thread: how many calls it recorded without a stripe, or [`CLAIMED`] and the index of it. Written only by
    /// the thread that has the number.
    by_thread: [AtomicU8; THREADS],
    claimed: AtomicU32,
    count: StripeCount,
    /// Calls of a thread before it claims a stripe: one that only sets a breaker up takes none.
    claims_after: u8,
}

const CLAIMED: u8 = 1 << 7;
const INDEX_MASK: u8 = CLAIMED - 1;

/// See [`StripeClaims::new`].
pub(crate) const CLAIMS_AFTER: u8 = 100;

impl StripeClaims {
    /// No thread claims one of a single stripe.
    pub(crate) fn new(count: StripeCount, claims_after: u8) -> Self {
        Self { by_thread: std::array::from_fn(|_| AtomicU8::new(0)), claimed: AtomicU32::new(0), count, claims_after }
    }

    /// The index of the stripe that this thread claimed.
    #[inline]
    pub(crate) fn of_this_thread(&self) -> Option<usize> {
        // Relaxed, here and below: written by this thread, or by one before it with the same number, whose writes this one acquired.
        index(self.by_thread.get(thread_number::known()?)?.load(Ordering::Relaxed))
    }

    /// Claims a stripe for a thread that records a call, after enough of them and if one is left. None if it has one already.
    pub(crate) fn claim_for_call(&self) -> Option<usize> {
        let claim = self.by_thread.get(thread_number::current()?)?;
        let calls = claim.load(Ordering::Relaxed);
        if index(calls).is_some() {
            return None;
        }
        if calls < self.claims_after {
            claim.store(calls.saturating_add(1), Ordering::Relaxed);
            return None;
        }
        let claimed = self.next().or_else(|| self.take_over());
        // Without one it tries again after as many calls.
        claim.store(claimed.unwrap_or(0), Ordering::Relaxed);
        index(claimed?)
    }

    /// Claims a stripe for a thread that finds the core in use: at once if no thread had it before, otherwise as
    /// [`StripeClaims::claim_for_call`]. `None` if it has one already.
    pub(crate) fn claim_at_contention(&self) -> Option<usize> {
        let claim = self.by_thread.get(thread_number::current()?)?;
        if index(claim.load(Ordering::Relaxed)).is_some() {
            return None;
        }
        let Some(claimed) = self.next() else { return self.claim_for_call() };
        claim.store(claimed, Ordering::Relaxed);
        index(claimed)
    }

    /// A stripe that no thread had before.
    fn next(&self) -> Option<u8> {
        // Relaxed: a number for itself.
        if self.claimed.load(Ordering::Relaxed) as usize >= self.count.get() {
            return None;
        }
        let index = self.claimed.fetch_add(1, Ordering::Relaxed);
        u8::try_from(index).ok().filter(|&index| usize::from(index) < self.count.get()).map(|index| CLAIMED | index)
    }

    /// The stripe of a thread that has ended.
    fn take_over(&self) -> Option<u8> {
        self.by_thread.iter().enumerate().find_map(|(number, claim)| {
            // Relaxed: looked at again once no other thread has the number.
            index(claim.load(Ordering::Relaxed))?;
            thread_number::while_free(number, || {
                let claimed = claim.load(Ordering::Relaxed);
                index(claimed)?;
                claim.store(0, Ordering::Relaxed);
                Some(claimed)
            })
        })
    }
}

fn index(claim: u8) -> Option<usize> {
    (claim & CLAIMED != 0).then_some((claim & INDEX_MASK) as usize)
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
    fn a_thread_claims_a_stripe_after_some_calls_and_keeps_it_as_long_as_it_lives() {
        let claims = StripeClaims::new(StripeCount::at_most(2), 3);
        let claim = || (0..8).find_map(|calls| claims.claim_for_call().map(|index| (calls, index)));
        std::thread::scope(|scope| {
            let (ends, end) = std::sync::mpsc::channel::<()>();
            let first = scope.spawn(move || {
                let claimed = claim();
                let _ = end.recv();
                claimed
            });
            while claims.claimed.load(Ordering::Relaxed) == 0 {
                std::thread::yield_now();
            }
            assert_eq!(claim(), Some((3, 1)));
            assert_eq!(claims.of_this_thread(), Some(1), "kept");
            assert_eq!(scope.spawn(claim).join().unwrap(), None, "all are claimed");
            drop(ends);
            assert_eq!(first.join().unwrap(), Some((3, 0)));
        });
        // Threads of other tests may have its number for a while.
        let taken =
            std::iter::repeat_with(|| claims.take_over()).inspect(|_| std::thread::yield_now()).find_map(|taken| taken);
        assert_eq!(taken.and_then(index), Some(0), "of the thread that has ended");
    }
}
