//! Counts of the calls that come in on threads with a stripe, without a locked instruction.
//!
//! One thread at a time writes a count: it adds up all calls of its stripe and holds the epoch of the last one. A thread reads the epoch
//! in force, then stores the count with it; so a call is counted in the epoch whose mark it has, also where the owner of the core
//! begins another one in between and sees the count only later.
//!
//! The thread's first call in an epoch keeps the count of the one before, and reads the epoch by a locked instruction. It exchanges
//! with the owner, which begins an epoch by one too: either the owner then sees all earlier calls of the thread, or the thread goes on
//! in the owner's new epoch. So the owner finds calls of at most two epochs that it has not seen: that of the last call and the one
//! before it.

use super::epoch::{EPOCH_MASK, Epoch, EpochMark, Times, UNKNOWN, UNWATCHED};
use crate::sync::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// The counts of all stripes.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct StripedCounts {
    /// The number of the epoch, and [`UNWATCHED`].
    epoch: AtomicU64,
    pub(super) times: Times,
    /// A thread has counted on a stripe.
    is_used: AtomicBool,
    stripes: Box<[Count]>,
}

/// The calls of one stripe.
#[derive(Debug)]
#[repr(align(128))]
struct Count {
    /// The epoch of the last call in the low half, how many calls came in so far in the high one, which wraps.
    latest: AtomicU64,
    /// The same as of the last call in the epoch before.
    before: AtomicU64,
    /// When the last call started, in nanoseconds; [`UNKNOWN`] where it read no clock.
    last_start: AtomicU64,
    /// So many calls were handed to the owner of the core, who alone writes this.
    taken: AtomicU32,
}

const EPOCH_BITS: u64 = u32::MAX as u64;
const ONE_CALL: u64 = 1 << 32;
/// No epoch.
const NO_CALL: u64 = EPOCH_BITS;

impl StripedCounts {
    #[cfg(all(test, not(tripline_loom)))]
    pub(super) const STRIPE_BYTES: usize = size_of::<Count>();

    pub(super) fn new(stripes: usize) -> Self {
        Self {
            epoch: AtomicU64::new(0),
            times: Times::new(),
            is_used: AtomicBool::new(false),
            stripes: std::iter::repeat_with(Count::new).take(stripes).collect(),
        }
    }

    /// Counts a call that is admitted on the thread that claimed this stripe; `None` if it is its first in an epoch. Also returns
    /// whether the epoch was over by then: the caller cancels the call.
    #[inline]
    pub(super) fn try_increment(&self, index: usize, start: u64) -> Option<(EpochMark, bool)> {
        // Acquire pairs with the Release in `begin`: a call that is counted in an epoch sees the transitions before it.
        let epoch = self.epoch.load(Ordering::Acquire);
        if !self.stripes.get(index)?.increment(epoch, start) {
            return None;
        }
        Some((EpochMark::new(epoch), !self.is_still(epoch)))
    }

    /// The epoch in force.
    #[inline]
    pub(super) fn current(&self) -> EpochMark {
        // Relaxed: a hint.
        EpochMark::new(self.epoch.load(Ordering::Relaxed))
    }

    /// Whether the epoch is the same after the call was counted. A thread that was descheduled in between finds out here that the
    /// supervisor may have parked without having seen the call; see also [`StripedCounts::unwatch`].
    #[inline]
    fn is_still(&self, epoch: u64) -> bool {
        // Relaxed: a hint.
        self.epoch.load(Ordering::Relaxed) == epoch
    }

    /// As [`StripedCounts::try_increment`], for any call; also says whether the caller must wake the supervisor.
    #[cold]
    pub(super) fn increment(&self, index: usize, start: u64, cancel: impl Fn(EpochMark)) -> Option<(EpochMark, bool)> {
        let count = self.stripes.get(index)?;
        let mut wake = false;
        loop {
            // Relaxed: published by the exchange below.
            self.is_used.store(true, Ordering::Relaxed);
            // Release and Acquire pair with those in `begin` and `unwatch`.
            let word = self.epoch.fetch_and(!UNWATCHED, Ordering::AcqRel);
            wake |= word & UNWATCHED != 0;
            let epoch = word & !UNWATCHED;
            count.increment_in(epoch, start);
            let mark = EpochMark::new(epoch);
            if self.is_still(epoch) {
                return Some((mark, wake));
            }
            cancel(mark);
        }
    }

    /// Begins an epoch. Leaves it as it is whether anyone looks.
    pub(super) fn begin(&self, epoch: Epoch) {
        let begun = |word: u64| Some(u64::from(epoch.0) | word & UNWATCHED);
        // Release pairs with the Acquire in `increment`, Acquire with the Release in `increment`: calls of that thread
        // before its exchange are seen. It never gives up.
        let _ = self.epoch.fetch_update(Ordering::AcqRel, Ordering::Relaxed, begun);
    }

    /// Hands over the calls that came in and were not handed over yet, by epoch. For the owner of the core only.
    pub(super) fn take(&self, mut came: impl FnMut(Epoch, u32)) {
        for count in &self.stripes {
            count.take(&mut came);
        }
    }

    /// When the last call that may be of this epoch started; a later one may have stored a later start.
    pub(super) fn last_start(&self, epoch: Epoch) -> Option<u64> {
        self.stripes.iter().filter(|count| count.has_calls_of(epoch)).map(Count::last_start).max()
    }

    /// Marks that the supervisor parks. No call came in since the current epoch began, so the next call of each thread is the first of
    /// its epoch: it finds the mark.
    ///
    /// False where a call is seen, and where this is the first look at which none is: a thread may have read the epoch before the mark
    /// was set and store its count right now. By the next look, milliseconds later, that store is seen, or the thread was descheduled in
    /// between and then finds the mark by [`StripedCounts::is_still`].
    pub(super) fn unwatch(&self) -> bool {
        if self.stripes.iter().any(Count::is_any_left) {
            return false;
        }
        // Release and Acquire pair with the exchange in `increment`: a thread that came first has set `is_used`.
        let is_marked = self.epoch.fetch_or(UNWATCHED, Ordering::AcqRel) & UNWATCHED != 0;
        // Relaxed: acquired above.
        if !self.is_used.load(Ordering::Relaxed) {
            return true;
        }
        is_marked && !self.stripes.iter().any(Count::is_any_left)
    }
}

impl Count {
    fn new() -> Self {
        Self {
            latest: AtomicU64::new(NO_CALL),
            before: AtomicU64::new(NO_CALL),
            last_start: AtomicU64::new(UNKNOWN),
            taken: AtomicU32::new(0),
        }
    }

    /// Counts a call in this epoch, if it is that of the last call.
    // Relaxed, here and in `increment_in`, for what this thread alone writes.
    #[inline]
    fn increment(&self, epoch: u64, start: u64) -> bool {
        let latest = self.latest.load(Ordering::Relaxed);
        if epoch_of(latest) != epoch {
            return false;
        }
        self.last_start.store(start, Ordering::Relaxed);
        // Release pairs with the Acquire in `take`: the start above is seen.
        self.latest.store(latest.wrapping_add(ONE_CALL), Ordering::Release);
        true
    }

    fn increment_in(&self, epoch: u64, start: u64) {
        let latest = self.latest.load(Ordering::Relaxed);
        if epoch_of(latest) != epoch {
            // Relaxed: published by the store of the latest.
            self.before.store(latest, Ordering::Relaxed);
        }
        self.last_start.store(start, Ordering::Relaxed);
        // Release pairs with the Acquire in `take`.
        self.latest.store((latest.wrapping_add(ONE_CALL) & !EPOCH_BITS) | epoch, Ordering::Release);
    }

    fn take(&self, came: &mut impl FnMut(Epoch, u32)) {
        // Acquire pairs with the Release of the thread: what it stored before is seen.
        let latest = self.latest.load(Ordering::Acquire);
        // Relaxed: the one of the latest or, where the thread goes on meanwhile, the next: then it holds calls of the same epoch.
        let before = self.before.load(Ordering::Relaxed);
        // Relaxed: owners of the core write it one after the other.
        let mut taken = self.taken.load(Ordering::Relaxed);
        for word in [before, latest] {
            let more = calls_of(word).wrapping_sub(taken);
            if more.cast_signed() > 0 {
                taken = calls_of(word);
                came(Epoch(word as u32 & EPOCH_MASK), more);
            }
        }
        self.taken.store(taken, Ordering::Relaxed);
    }

    fn is_any_left(&self) -> bool {
        // Relaxed: a hint, as far as it is not acquired by the exchange in `unwatch`.
        calls_of(self.latest.load(Ordering::Relaxed)) != self.taken.load(Ordering::Relaxed)
    }

    fn has_calls_of(&self, epoch: Epoch) -> bool {
        // Acquire pairs with the Release of the thread: the start that it stored before is seen.
        [self.latest.load(Ordering::Acquire), self.before.load(Ordering::Relaxed)]
            .iter()
            .any(|&word| epoch_of(word) == u64::from(epoch.0))
    }

    fn last_start(&self) -> u64 {
        // Relaxed: acquired in `has_calls_of`.
        self.last_start.load(Ordering::Relaxed)
    }
}

const fn epoch_of(word: u64) -> u64 {
    word & EPOCH_BITS
}

const fn calls_of(word: u64) -> u32 {
    (word >> 32) as u32
}
