//! Counts admitted calls in one word, whose value before the addition contains the call's epoch, or on the thread's stripe.
//! See [`crate::hot_path::stall_detector`].

use std::sync::OnceLock;

use tripline_core::Instant;

use crate::hot_path::stripe_claims::StripeCount;
use crate::sync::{AtomicBool, AtomicU64, Ordering};

mod epoch;
mod striped;

pub(crate) use epoch::{Epoch, EpochMark};
use epoch::{Times, UNKNOWN, UNWATCHED};
use striped::StripedCounts;

/// Counts admitted calls by epoch.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct InFlightEpochs {
    /// From the highest bit: whether the supervisor is parked, the number of the epoch (31 bits), the calls admitted since it
    /// began on threads without a stripe.
    word: AtomicU64,
    /// Start of the last admitted call, in nanoseconds; [`UNKNOWN`] if it read no clock.
    last_start: AtomicU64,
    times: Times,
    /// The counts of threads with a stripe.
    striped: Option<Box<StripedCounts>>,
    /// Whether any call left without a report, and the number of such calls by the low bits of their epoch.
    is_any_cancelled: AtomicBool,
    /// Behind a pointer, so that all of this fits into one cache line.
    cancelled: OnceLock<Box<CancelledCounts>>,
}

/// Calls that left without a report in the low half, those of them whose permit was dropped in the high half.
#[derive(Debug)]
struct CancelledCounts([AtomicU64; CANCELLED_EPOCHS]);

/// Number of epochs with a count of their own; a power of two.
pub(crate) const CANCELLED_EPOCHS: usize = 64;

const DROPPED_SHIFT: u32 = 32;

/// A clock that lags by this much may have been set back; the core decides.
const JUMP_NANOS: u64 = 1_000_000_000;

impl InFlightEpochs {
    #[cfg(all(test, not(tripline_loom)))]
    pub(crate) const STRIPE_BYTES: usize = StripedCounts::STRIPE_BYTES;

    pub(crate) fn new(stripes: StripeCount) -> Self {
        let epochs = Self::small(stripes);
        // Now, so that no call allocates.
        epochs.cancelled();
        epochs
    }

    /// Makes the counts of calls that leave without a report only for the first of them.
    pub(crate) fn small(stripes: StripeCount) -> Self {
        Self {
            word: AtomicU64::new(0),
            last_start: AtomicU64::new(UNKNOWN),
            times: Times::new(),
            striped: (stripes != StripeCount::ONE).then(|| Box::new(StripedCounts::new(stripes.get()))),
            is_any_cancelled: AtomicBool::new(false),
            cancelled: OnceLock::new(),
        }
    }

    fn cancelled(&self) -> &[AtomicU64] {
        let counts = || CancelledCounts(std::array::from_fn(|_| AtomicU64::new(0)));
        &self.cancelled.get_or_init(|| Box::new(counts())).0
    }

    /// Records that an admitted call leaves without a report.
    #[cold]
    pub(crate) fn cancel(&self, mark: EpochMark) {
        self.leave(mark, 1);
    }

    /// Records that the permit of a call was dropped, if the call came in during the current epoch: it does not hang then, so it may
    /// leave the counts later. Returns false, without effect, if it did not.
    pub(crate) fn try_drop(&self, mark: EpochMark) -> bool {
        let is_current = self.current() == mark;
        if is_current {
            self.leave(mark, 1 << DROPPED_SHIFT | 1);
        }
        is_current
    }

    #[inline]
    fn leave(&self, mark: EpochMark, calls: u64) {
        if let Some(count) = self.cancelled().get(mark.0 as usize % CANCELLED_EPOCHS) {
            // Release pairs with the Acquire swap of the count in `take_cancelled`, which then sees the admission of this call. Acquire
            // pairs with the Release of that swap: an addition after it sees the flag that was cleared before it.
            count.fetch_add(calls, Ordering::AcqRel);
        }
        // Relaxed: where it is set already, the owner takes this addition with those before it. A store only where it changes something
        // leaves the cache line with the threads that read it.
        if !self.is_any_cancelled.load(Ordering::Relaxed) {
            // Release pairs with the Acquire swap in `take_cancelled`.
            self.is_any_cancelled.store(true, Ordering::Release);
        }
    }

    /// The epoch in force, or one that has just ended.
    fn current(&self) -> EpochMark {
        // Relaxed: a hint. A call whose epoch ends meanwhile is younger than an epoch.
        match &self.striped {
            Some(striped) => striped.current(),
            None => EpochMark::new(self.word.load(Ordering::Relaxed) >> 32),
        }
    }

    /// Passes the calls that left without a report to `leave`, by epoch. Returns how many of them were dropped.
    pub(crate) fn take_cancelled(&self, mut leave: impl FnMut(EpochMark, u32)) -> u32 {
        // Relaxed: a hint; the next check observes what this one misses.
        if !self.is_any_cancelled.load(Ordering::Relaxed) {
            return 0;
        }
        // Acquire pairs with the Release store in `leave`.
        self.is_any_cancelled.swap(false, Ordering::Acquire);
        let mut dropped = 0_u32;
        for (low, count) in (0_u64..).zip(self.cancelled()) {
            // Acquire and Release pair with those of the addition in `leave`.
            let calls = count.swap(0, Ordering::AcqRel);
            if calls != 0 {
                dropped = dropped.saturating_add((calls >> DROPPED_SHIFT) as u32);
                leave(EpochMark::new(low), calls as u32);
            }
        }
        dropped
    }

    /// Counts an admitted call on the stripe that its thread claimed. Returns `None` if it was not counted: it may be the first in
    /// its epoch. Also returns whether the epoch was over by then: the caller cancels the call. No locked instruction.
    #[inline]
    pub(crate) fn try_increment(&self, stripe: usize, start: Option<Instant>) -> Option<(EpochMark, bool)> {
        let start = start.map_or(UNKNOWN, Instant::as_nanos);
        self.striped.as_ref()?.try_increment(stripe, start)
    }

    /// Counts an admitted call, on the stripe that its thread claimed if there is one. Also returns whether the caller must wake
    /// the supervisor. One addition.
    #[inline]
    pub(crate) fn increment(&self, stripe: Option<usize>, start: Option<Instant>) -> (EpochMark, bool) {
        let start = start.map_or(UNKNOWN, Instant::as_nanos);
        if let (Some(index), Some(striped)) = (stripe, &self.striped)
            && let Some(counted) = striped.increment(index, start, |mark| self.cancel(mark))
        {
            return counted;
        }
        // Relaxed: published by the Release addition below. A call that is overtaken here by a later one dates that one
        // slightly too early.
        self.last_start.store(start, Ordering::Relaxed);
        // Acquire pairs with the Release in `begin`: a call that is counted in an epoch observes the transitions before
        // it, so the second check of the gate finds a changed generation. Release pairs with the Acquire in `begin`,
        // which then observes the start above.
        let word = self.word.fetch_add(1, Ordering::AcqRel);
        (EpochMark::new(word >> 32), word & UNWATCHED != 0 && self.watch())
    }

    /// Whether the epoch should be closed before a call that starts at `start` is admitted; otherwise that call would
    /// make the others of its epoch look young.
    #[inline]
    pub(crate) fn is_due(&self, start: Instant) -> bool {
        // Relaxed: an estimate.
        start.as_nanos() >= self.times().closes_at.load(Ordering::Relaxed) || self.is_set_back(start)
    }

    /// Whether a clock that shows `start` was set back since the epoch began.
    #[inline]
    pub(crate) fn is_set_back(&self, start: Instant) -> bool {
        // Relaxed: an estimate.
        start.as_nanos().saturating_add(JUMP_NANOS) <= self.times().opened_at.load(Ordering::Relaxed)
    }

    /// The times of the epoch; with stripes they are on a cache line that is separate from the word.
    #[inline]
    fn times(&self) -> &Times {
        self.striped.as_ref().map_or(&self.times, |striped| &striped.times)
    }

    /// Returns true for exactly one of the callers that find the supervisor parked.
    #[cold]
    fn watch(&self) -> bool {
        // Relaxed: parking depends on this word alone.
        self.word.fetch_and(!UNWATCHED, Ordering::Relaxed) & UNWATCHED != 0
    }

    /// Marks the supervisor as parked. Returns false if a call was admitted since the current epoch began, or if one may be
    /// admitted on a stripe right now: the supervisor then polls again.
    pub(crate) fn unwatch(&self) -> bool {
        // Relaxed: parking depends on this word alone. A call counted after this observes the mark, one counted before
        // is observed here.
        let word = self.word.load(Ordering::Relaxed);
        word as u32 == 0
            && self.word.compare_exchange(word, word | UNWATCHED, Ordering::Relaxed, Ordering::Relaxed).is_ok()
            && self.striped.as_ref().is_none_or(|striped| striped.unwatch())
    }

    /// Number of calls admitted since the current epoch began, on threads without a stripe.
    pub(crate) fn count(&self) -> u32 {
        // Relaxed: an independent count.
        self.word.load(Ordering::Relaxed) as u32
    }

    /// Begins `epoch`. Returns the number of calls counted in the one before on threads without a stripe. The mark of a parked
    /// supervisor is kept. [`InFlightEpochs::take`] follows.
    pub(crate) fn begin(&self, epoch: Epoch, opened_at: Instant, closes_at: Instant) -> u32 {
        // Relaxed: estimates.
        self.times().opened_at.store(opened_at.as_nanos(), Ordering::Relaxed);
        self.times().closes_at.store(closes_at.as_nanos(), Ordering::Relaxed);
        let begun = |word: u64| Some(u64::from(epoch.0) << 32 | word & UNWATCHED);
        // Release and Acquire pair with the addition in `increment`. The update always succeeds, so both arms hold the
        // word before.
        let (Ok(word) | Err(word)) = self.word.fetch_update(Ordering::AcqRel, Ordering::Relaxed, begun);
        if let Some(striped) = &self.striped {
            striped.begin(epoch);
        }
        word as u32
    }

    /// Passes the calls on stripes that were not passed yet to `came`, by epoch. Only for the owner of the core.
    pub(crate) fn take(&self, came: impl FnMut(Epoch, u32)) {
        if let Some(striped) = &self.striped {
            striped.take(came);
        }
    }

    /// Returns the start of the last call of the epoch `ended`, of which `unstriped` were counted on threads without a stripe;
    /// `None` if that call read no clock.
    pub(crate) fn last_start(&self, ended: Epoch, unstriped: u32) -> Option<Instant> {
        // Relaxed: read after the exchange in `begin`, which acquired the starts of all calls that it counts. A start that a call
        // of the new epoch has stored since is later, and makes no call appear older than it is.
        let of_the_word = (unstriped > 0).then(|| self.last_start.load(Ordering::Relaxed));
        let last_start = of_the_word.max(self.striped.as_ref().and_then(|striped| striped.last_start(ended)))?;
        // `UNKNOWN` is the largest number.
        (last_start != UNKNOWN).then(|| Instant::from_nanos(last_start))
    }
}
