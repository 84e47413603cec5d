//! Counts calls as they come in: in one word, whose value before the addition holds the call's epoch, or on the stripe of the thread.
//! See [`crate::hot_path::stall_detector`].

use std::sync::OnceLock;

use tripline_core::Instant;

use crate::hot_path::stripe_claims::StripeCount;
use crate::sync::{AtomicBool, AtomicU32, AtomicU64, Ordering};

mod striped;

use striped::StripedCounts;

/// Counts calls as they come in, by epoch.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct InFlightEpochs {
    /// From the top: whether the supervisor is parked, the number of the epoch (31 bits), how many came in since it began on threads
    /// without a stripe.
    word: AtomicU64,
    /// When the last call that came in started, in nanoseconds; [`UNKNOWN`] where it read no clock.
    last_start: AtomicU64,
    times: Times,
    /// Where threads with a stripe count.
    striped: Option<Box<StripedCounts>>,
    /// Whether a call left without a report, and how many did, by the low bits of their epoch.
    is_any_cancelled: AtomicBool,
    cancelled_epochs: u32,
    cancelled: OnceLock<Box<[AtomicU32]>>,
}

/// When the epoch began, and from when on it is long enough.
#[derive(Debug)]
struct Times {
    opened_at: AtomicU64,
    closes_at: AtomicU64,
}

impl Times {
    fn new() -> Self {
        Self { opened_at: AtomicU64::new(0), closes_at: AtomicU64::new(0) }
    }
}

const UNKNOWN: u64 = u64::MAX;
/// A clock that shows this much less than before may have been set back; the core decides.
const JUMP_NANOS: u64 = 1_000_000_000;

/// The supervisor is parked, because no calls are in flight; the next call wakes it.
const UNWATCHED: u64 = 1 << 63;
const EPOCH_MASK: u32 = u32::MAX >> 1;

/// The number of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Epoch(pub(crate) u32);

/// The low bits of the number of an epoch, which a call keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EpochMark(pub(crate) u32);

impl EpochMark {
    pub(crate) const BITS: u32 = 24;

    /// The lowest bits of `bits`.
    pub(crate) const fn new(bits: u64) -> Self {
        Self(bits as u32 & ((1 << Self::BITS) - 1))
    }

    pub(crate) const fn get(self) -> u64 {
        self.0 as u64
    }
}

impl Epoch {
    /// How many epochs ago the one with this mark was.
    pub(crate) fn since(self, mark: EpochMark) -> u32 {
        self.0.wrapping_sub(mark.0) & ((1 << EpochMark::BITS) - 1)
    }

    pub(crate) fn next(self) -> Self {
        Self(self.0.wrapping_add(1) & EPOCH_MASK)
    }

    pub(crate) fn before(self, epochs: u32) -> Self {
        Self(self.0.wrapping_sub(epochs) & EPOCH_MASK)
    }

    pub(crate) fn is_at_or_after(self, other: Self) -> bool {
        self.0.wrapping_sub(other.0) & EPOCH_MASK <= EPOCH_MASK / 2
    }
}

impl InFlightEpochs {
    #[cfg(all(test, not(tripline_loom)))]
    pub(crate) const STRIPE_BYTES: usize = StripedCounts::STRIPE_BYTES;

    /// Calls that leave without a report are counted in `cancelled_epochs` places, a power of two.
    pub(crate) fn new(cancelled_epochs: u32, stripes: StripeCount) -> Self {
        let epochs = Self::small(cancelled_epochs, stripes);
        // Now, so that no call allocates.
        epochs.cancelled();
        epochs
    }

    /// As [`InFlightEpochs::new`], with places that are made for the first call that leaves without a report.
    pub(crate) fn small(cancelled_epochs: u32, stripes: StripeCount) -> Self {
        Self {
            word: AtomicU64::new(0),
            last_start: AtomicU64::new(UNKNOWN),
            times: Times::new(),
            striped: (stripes != StripeCount::ONE).then(|| Box::new(StripedCounts::new(stripes.get()))),
            is_any_cancelled: AtomicBool::new(false),
            cancelled_epochs,
            cancelled: OnceLock::new(),
        }
    }

    pub(crate) const fn cancelled_epochs(&self) -> usize {
        self.cancelled_epochs as usize
    }

    fn cancelled(&self) -> &[AtomicU32] {
        self.cancelled.get_or_init(|| (0..self.cancelled_epochs).map(|_| AtomicU32::new(0)).collect())
    }

    /// A call that came in leaves without a report.
    #[cold]
    pub(crate) fn cancel(&self, mark: EpochMark) {
        if let Some(count) = self.cancelled().get(mark.0 as usize % self.cancelled_epochs()) {
            // Relaxed: published by the store below.
            count.fetch_add(1, Ordering::Relaxed);
        }
        // Release pairs with the Acquire swap in `take_cancelled`.
        self.is_any_cancelled.store(true, Ordering::Release);
    }

    pub(crate) fn take_cancelled(&self, mut leave: impl FnMut(EpochMark, u32)) {
        // Relaxed: a hint; the next look sees what this one misses.
        if !self.is_any_cancelled.load(Ordering::Relaxed) {
            return;
        }
        // Acquire pairs with the Release store in `cancel`.
        self.is_any_cancelled.swap(false, Ordering::Acquire);
        for (low, count) in (0_u64..).zip(self.cancelled()) {
            // Relaxed: acquired above; a later one sets it again.
            match count.swap(0, Ordering::Relaxed) {
                0 => {}
                left => leave(EpochMark::new(low), left),
            }
        }
    }

    /// Counts a call that is admitted on the stripe that its thread claimed. `None` where it is not counted now: it may be the first in
    /// its epoch. No locked instruction.
    #[inline]
    pub(crate) fn try_increment(&self, stripe: usize, start: Option<Instant>) -> Option<EpochMark> {
        let start = start.map_or(UNKNOWN, Instant::as_nanos);
        self.striped.as_ref()?.try_increment(stripe, start, |mark| self.cancel(mark))
    }

    /// Counts a call that is admitted, on the stripe that its thread claimed if there is one; also says whether the caller must wake
    /// the supervisor. One addition.
    #[inline]
    pub(crate) fn increment(&self, stripe: Option<usize>, start: Option<Instant>) -> (EpochMark, bool) {
        let start = start.map_or(UNKNOWN, Instant::as_nanos);
        if let (Some(index), Some(striped)) = (stripe, &self.striped)
            && let Some(counted) = striped.increment(index, start, |mark| self.cancel(mark))
        {
            return counted;
        }
        // Relaxed: published by the Release addition below. A call that is overtaken here by one that started later dates that
        // one a little too early.
        self.last_start.store(start, Ordering::Relaxed);
        // Acquire pairs with the Release in `begin`: a call that is counted in an epoch sees the transitions before it, so the
        // second look at the gate finds a generation that has changed. Release pairs with the Acquire in `begin`, which then
        // sees the start above.
        let word = self.word.fetch_add(1, Ordering::AcqRel);
        (EpochMark::new(word >> 32), word & UNWATCHED != 0 && self.watch())
    }

    /// Whether the epoch should be closed before a call that starts at `start` comes in, or that call would make the others of
    /// its epoch look young.
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

    /// Apart from the word where threads have stripes: they do not write it.
    #[inline]
    fn times(&self) -> &Times {
        self.striped.as_ref().map_or(&self.times, |striped| &striped.times)
    }

    /// True for one of the callers that find it unwatched.
    #[cold]
    fn watch(&self) -> bool {
        // Relaxed: parking depends on this word alone.
        self.word.fetch_and(!UNWATCHED, Ordering::Relaxed) & UNWATCHED != 0
    }

    /// Marks that the supervisor parks; false if a call came in since the current epoch began, or if one may be coming in right now on
    /// a stripe: then it looks again.
    pub(crate) fn unwatch(&self) -> bool {
        // Relaxed: parking depends on this word alone; a call that is counted after this sees the mark, one before it is seen.
        let word = self.word.load(Ordering::Relaxed);
        word as u32 == 0
            && self.word.compare_exchange(word, word | UNWATCHED, Ordering::Relaxed, Ordering::Relaxed).is_ok()
            && self.striped.as_ref().is_none_or(|striped| striped.unwatch())
    }

    /// How many came in since the current epoch began, on threads without a stripe.
    pub(crate) fn count(&self) -> u32 {
        // Relaxed: a count for itself.
        self.word.load(Ordering::Relaxed) as u32
    }

    /// Begins `epoch`; returns how many calls were counted in the one before on threads without a stripe. Leaves it as it is whether
    /// anyone looks. [`InFlightEpochs::take`] follows.
    pub(crate) fn begin(&self, epoch: Epoch, opened_at: Instant, closes_at: Instant) -> u32 {
        // Relaxed: estimates.
        self.times().opened_at.store(opened_at.as_nanos(), Ordering::Relaxed);
        self.times().closes_at.store(closes_at.as_nanos(), Ordering::Relaxed);
        let begun = |word: u64| Some(u64::from(epoch.0) << 32 | word & UNWATCHED);
        // Release and Acquire pair with the addition in `increment`. It never gives up, so both arms hold the word before.
        let (Ok(word) | Err(word)) = self.word.fetch_update(Ordering::AcqRel, Ordering::Relaxed, begun);
        if let Some(striped) = &self.striped {
            striped.begin(epoch);
        }
        word as u32
    }

    /// Hands over the calls on stripes that were not handed over yet, by epoch. For the owner of the core only.
    pub(crate) fn take(&self, came: impl FnMut(Epoch, u32)) {
        if let Some(striped) = &self.striped {
            striped.take(came);
        }
    }

    /// When the last call of the epoch `ended` started, of which `unstriped` were counted on threads without a stripe; `None` if it
    /// read no clock.
    pub(crate) fn last_start(&self, ended: Epoch, unstriped: u32) -> Option<Instant> {
        // Relaxed: read after the exchange in `begin`, which acquired the starts of all calls that it counts. One that a call of the
        // new epoch has stored since is later, and makes no call older than it is.
        let of_the_word = (unstriped > 0).then(|| self.last_start.load(Ordering::Relaxed));
        let last_start = of_the_word.max(self.striped.as_ref().and_then(|striped| striped.last_start(ended)))?;
        // An unknown one is the latest number.
        (last_start != UNKNOWN).then(|| Instant::from_nanos(last_start))
    }
}
