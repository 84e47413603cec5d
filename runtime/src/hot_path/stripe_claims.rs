//! Which stripe of a breaker a thread writes to.
//!
//! A thread that has recorded some calls of a breaker claims one of its stripes, and keeps it as long as it lives. So one thread at
//! a time writes to a stripe, and needs no locked instruction for it. A thread that comes when all are claimed records at the
//! core, as all threads do where there is one stripe only.

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
    /// By the number of the thread: how many calls it recorded until it claims a stripe, or [`CLAIMED`] and the index of it, or
    /// [`NONE_LEFT`]. Written by that thread only.
    by_thread: [AtomicU8; THREADS],
    claimed: AtomicU32,
    count: StripeCount,
    /// Calls of a thread before it claims a stripe: one that only sets a breaker up takes none.
    claims_after: u8,
}

const CLAIMED: u8 = 1 << 7;
const INDEX_MASK: u8 = CLAIMED - 1;
const NONE_LEFT: u8 = CLAIMED - 1;

/// See [`StripeClaims::new`].
pub(crate) const CLAIMS_AFTER: u8 = 100;

impl StripeClaims {
    /// No thread claims one of a single stripe.
    pub(crate) fn new(count: StripeCount, claims_after: u8) -> Self {
        Self {
            by_thread: std::array::from_fn(|_| AtomicU8::new(0)),
            claimed: AtomicU32::new(0),
            count,
            claims_after,
        }
    }

    /// The index of the stripe that this thread claimed.
    #[inline]
    pub(crate) fn of_this_thread(&self) -> Option<usize> {
        // Relaxed: written by this thread, or by one before it with the same number, whose writes this one acquired.
        let claim = self.by_thread.get(thread_number::current()?)?.load(Ordering::Relaxed);
        (claim & CLAIMED != 0).then_some((claim & INDEX_MASK) as usize)
    }

    /// As [`StripeClaims::of_this_thread`], for a call that it records: after enough of them it claims a stripe, if one is left.
    #[inline]
    pub(crate) fn for_call(&self) -> Option<usize> {
        self.of_this_thread().or_else(|| self.count_call())
    }

    #[inline(never)] // keeps the inlined part small
    fn count_call(&self) -> Option<usize> {
        let claim = self.by_thread.get(thread_number::current()?)?;
        // Relaxed, here and below: as in `of_this_thread`.
        let calls = claim.load(Ordering::Relaxed);
        if calls < self.claims_after {
            claim.store(calls.saturating_add(1), Ordering::Relaxed);
            return None;
        }
        if calls == NONE_LEFT {
            return None;
        }
        // Relaxed: a number for itself. The stripe is empty, as no thread had it before.
        let index = self.claimed.fetch_add(1, Ordering::Relaxed);
        let claimed = u8::try_from(index).ok().filter(|&index| usize::from(index) < self.count.get());
        claim.store(claimed.map_or(NONE_LEFT, |index| CLAIMED | index), Ordering::Relaxed);
        claimed.map(usize::from)
    }
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
    fn a_thread_claims_a_stripe_after_some_calls_and_keeps_it() {
        let claims = StripeClaims::new(StripeCount::at_most(2), 3);
        for (number, expected) in [(5, Some(0)), (2, Some(1)), (9, None), (5, Some(0))] {
            thread_number::set(number);
            for calls in 0..300 {
                let has_called_enough = calls > 3 || number == 5 && claims.claimed.load(Ordering::Relaxed) > 1;
                assert_eq!(claims.of_this_thread(), expected.filter(|_| has_called_enough), "thread {number}, {calls} calls");
                let _ = claims.for_call();
            }
        }
    }
}
