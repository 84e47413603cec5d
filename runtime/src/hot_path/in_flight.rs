//! Counts calls as they come in, on the stripe of the thread: one word each, whose value before the addition holds the call's
//! epoch. The sum of the stripes is the count. See [`crate::hot_path::stall_detector`].

use tripline_core::Instant;

use crate::hot_path::stripe_claims::StripeCount;
use crate::sync::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// Counts calls as they come in, by epoch.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct InFlightEpochs {
    stripes: Box<[Stripe]>,
    /// When the epoch began, and from when on it is long enough.
    opened_at: AtomicU64,
    closes_at: AtomicU64,
    /// A call left without a report, which is rare.
    any_cancelled: AtomicBool,
    cancelled: Cancelled,
}

/// Where some of the threads count.
#[derive(Debug)]
#[repr(align(128))]
struct Stripe {
    /// From the top: whether the supervisor is parked, the number of the epoch (31 bits), how many came in since it began.
    word: AtomicU64,
    /// When the last call that came in started, in nanoseconds; [`UNKNOWN`] where it read no clock.
    last_start: AtomicU64,
}

/// Calls that left without a report, by the low bits of their epoch.
#[derive(Debug)]
#[repr(align(128))]
struct Cancelled {
    by_epoch: [AtomicU32; CANCELLED_EPOCHS],
}

pub(crate) const CANCELLED_EPOCHS: usize = 64;

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
    pub(crate) const STRIPE_BYTES: usize = size_of::<Stripe>();

    pub(crate) fn new(count: StripeCount) -> Self {
        let by_epoch = std::array::from_fn(|_| AtomicU32::new(0));
        let stripe = || Stripe { word: AtomicU64::new(0), last_start: AtomicU64::new(UNKNOWN) };
        Self {
            stripes: std::iter::repeat_with(stripe).take(count.get()).collect(),
            opened_at: AtomicU64::new(0),
            closes_at: AtomicU64::new(0),
            any_cancelled: AtomicBool::new(false),
            cancelled: Cancelled { by_epoch },
        }
    }

    /// A call that came in leaves without a report.
    #[cold]
    pub(crate) fn cancel(&self, mark: EpochMark) {
        if let Some(count) = self.cancelled.by_epoch.get(mark.0 as usize % CANCELLED_EPOCHS) {
            // Relaxed: published by the store below.
            count.fetch_add(1, Ordering::Relaxed);
        }
        // Release pairs with the Acquire swap in `take_cancelled`.
        self.any_cancelled.store(true, Ordering::Release);
    }

    pub(crate) fn take_cancelled(&self, mut leave: impl FnMut(EpochMark, u32)) {
        // Relaxed: a hint; the next look sees what this one misses.
        if !self.any_cancelled.load(Ordering::Relaxed) {
            return;
        }
        // Acquire pairs with the Release store in `cancel`.
        self.any_cancelled.swap(false, Ordering::Acquire);
        for (low, count) in (0_u64..).zip(&self.cancelled.by_epoch) {
            // Relaxed: acquired above; a later one sets `any` again.
            match count.swap(0, Ordering::Relaxed) {
                0 => {}
                left => leave(EpochMark::new(low), left),
            }
        }
    }

    /// Counts a call that is admitted; also says whether the caller must wake the supervisor. One addition.
    #[inline]
    pub(crate) fn increment(&self, index: usize, start: Option<Instant>) -> (EpochMark, bool) {
        // There is a stripe at each index that a thread can claim.
        let Some(stripe) = self.stripes.get(index) else {
            return (EpochMark(0), false);
        };
        // Relaxed: published by the Release addition below. A call that is overtaken here by one that started later dates that
        // one a little too early.
        stripe.last_start.store(start.map_or(UNKNOWN, Instant::as_nanos), Ordering::Relaxed);
        // Acquire pairs with the Release in `begin`: a call that is counted in an epoch sees the transitions before it, so the
        // second look at the gate finds a generation that has changed. Release pairs with the Acquire in `begin`, which then
        // sees the start above.
        let word = stripe.word.fetch_add(1, Ordering::AcqRel);
        (EpochMark::new(word >> 32), word & UNWATCHED != 0 && stripe.watch())
    }

    /// Whether the epoch should be closed before a call that starts at `start` comes in, or that call would make the others of
    /// its epoch look young.
    #[inline]
    pub(crate) fn is_due(&self, start: Instant) -> bool {
        // Relaxed: an estimate.
        start.as_nanos() >= self.closes_at.load(Ordering::Relaxed) || self.is_set_back(start)
    }

    /// Whether a clock that shows `start` was set back since the epoch began.
    #[inline]
    pub(crate) fn is_set_back(&self, start: Instant) -> bool {
        // Relaxed: an estimate.
        start.as_nanos().saturating_add(JUMP_NANOS) <= self.opened_at.load(Ordering::Relaxed)
    }

    /// Marks that the supervisor parks; false, without effect, if a call came in since the current epoch began.
    pub(crate) fn unwatch(&self) -> bool {
        let is_unwatched = self.stripes.iter().all(Stripe::unwatch);
        if !is_unwatched {
            for stripe in &self.stripes {
                let _ = stripe.watch();
            }
        }
        is_unwatched
    }

    /// How many came in since the current epoch began.
    pub(crate) fn count(&self) -> u32 {
        // Relaxed: a count for itself.
        self.stripes.iter().fold(0, |sum, stripe| sum.saturating_add(stripe.word.load(Ordering::Relaxed) as u32))
    }

    /// Begins `epoch`; returns how many calls were counted in the one before, and when the last of them started: `None` if one
    /// of the stripes does not know it. Leaves it as it is whether anyone looks.
    pub(crate) fn begin(&self, epoch: Epoch, opened_at: Instant, closes_at: Instant) -> (u32, Option<Instant>) {
        // Relaxed: estimates.
        self.opened_at.store(opened_at.as_nanos(), Ordering::Relaxed);
        self.closes_at.store(closes_at.as_nanos(), Ordering::Relaxed);
        let (mut came, mut last_start) = (0_u32, None);
        for (more, start) in self.stripes.iter().map(|stripe| stripe.begin(epoch)).filter(|&(more, _)| more > 0) {
            came = came.saturating_add(more);
            // An unknown one is the latest number.
            last_start = last_start.max(Some(start));
        }
        (came, last_start.filter(|&start| start != UNKNOWN).map(Instant::from_nanos))
    }
}

impl Stripe {
    /// True for one of the callers that find it unwatched.
    #[cold]
    fn watch(&self) -> bool {
        // Relaxed: parking depends on this word alone.
        self.word.fetch_and(!UNWATCHED, Ordering::Relaxed) & UNWATCHED != 0
    }

    fn unwatch(&self) -> bool {
        // Relaxed: parking depends on this word alone; a call that is counted after this sees the mark, one before it is seen.
        let word = self.word.load(Ordering::Relaxed);
        word as u32 == 0
            && self.word.compare_exchange(word, word | UNWATCHED, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Begins `epoch` here; returns how many calls were counted in the one before, and when the last of them started.
    fn begin(&self, epoch: Epoch) -> (u32, u64) {
        let begun = |word: u64| Some(u64::from(epoch.0) << 32 | word & UNWATCHED);
        // Release and Acquire pair with the addition in `increment`. It never gives up, so both arms hold the word before.
        let (Ok(word) | Err(word)) = self.word.fetch_update(Ordering::AcqRel, Ordering::Relaxed, begun);
        // Relaxed: read after the exchange, which acquired the starts of all calls that it counts. One that a call of the new
        // epoch has stored since is later, and makes no call older than it is.
        (word as u32, self.last_start.load(Ordering::Relaxed))
    }
}
