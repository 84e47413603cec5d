//! The breaker's own time: a line that never runs back, whatever the caller's clock does.

use core::time::Duration;

use crate::time::{Instant, saturating_nanos};

/// A point in the breaker's own time: nanoseconds that never go back and never freeze.
///
/// It is the reading of the caller's clock until that clock is first set back by a second or more; from then on the two differ.
/// [`Breaker::on_clock`](crate::Breaker::on_clock) names the [`Instant`] that the clock shows at it. The two types do not mix:
///
/// ```compile_fail
/// use tripline_core::{Breaker, Instant};
///
/// fn age(breaker: &Breaker<64>, reading: Instant) -> core::time::Duration {
///     breaker.latest().since(reading) // mismatched types: `reading` is what the clock shows
/// }
/// ```
///
/// ```
/// use core::time::Duration;
/// use tripline_core::{Breaker, Instant, Policy};
///
/// let mut breaker = Breaker::<64>::new(Policy::default(), 7)?;
/// breaker.handle_timeout(Instant::from_millis(5));
/// let before = breaker.latest();
/// breaker.handle_timeout(Instant::from_millis(8));
/// assert_eq!(breaker.latest().since(before), Duration::from_millis(3));
/// assert_eq!(breaker.on_clock(breaker.latest()), Instant::from_millis(8));
/// # Ok::<(), tripline_core::CapacityError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MonotonicInstant(Instant);

impl MonotonicInstant {
    /// The start of the line.
    pub const ZERO: Self = Self(Instant::ZERO);
    /// The last instant that there is; as a deadline it means "never".
    pub const MAX: Self = Self(Instant::MAX);

    /// The instant `nanos` nanoseconds after the start of the line.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(Instant::from_nanos(nanos))
    }

    /// The instant `millis` milliseconds after the start of the line, saturating.
    pub const fn from_millis(millis: u64) -> Self {
        Self(Instant::from_millis(millis))
    }

    /// Nanoseconds since the start of the line.
    pub const fn as_nanos(self) -> u64 {
        self.0.as_nanos()
    }

    /// Time from `earlier` to `self`; zero where `earlier` is the later one.
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.since(earlier.0)
    }

    /// Milliseconds that wrap after 49 days.
    pub(crate) const fn as_wrapping_millis(self) -> u32 {
        self.0.as_wrapping_millis()
    }

    /// Nanoseconds from `earlier` to `self`; zero where `earlier` is the later one.
    pub(crate) const fn nanos_since(self, earlier: Self) -> u64 {
        self.0.nanos_since(earlier.0)
    }

    /// `self` moved on by `nanos`, saturating.
    pub(crate) const fn plus_nanos(self, nanos: u64) -> Self {
        Self(self.0.plus_nanos(nanos))
    }
}

impl core::ops::Add<Duration> for MonotonicInstant {
    type Output = Self;

    /// Saturates at [`MonotonicInstant::MAX`].
    fn add(self, span: Duration) -> Self {
        self.plus_nanos(saturating_nanos(span))
    }
}

/// A clock that lags by less than this is a descheduled thread, not a clock that was set back.
const JUMP_NANOS: u64 = 1_000_000_000;

/// No reading counts as later than this (292 years), so that a bogus one leaves time room to go on.
const LATEST_RAW: Instant = Instant::from_nanos(u64::MAX / 2);

/// The breaker's own time: the latest instant it has seen, corrected for clocks that jump back.
///
/// - The end of a call comes from whichever thread made it and may be late: it is clamped to the latest instant seen.
/// - A *reading* (asking, polling) is the clock itself. One that lies 1 s or more behind and is confirmed by the next
///   one means that the clock was set back: from then on an offset is added, and time goes on from where it was.
/// - A jump forward is taken as it is: it ends waits and ages samples, once.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct MonotonicTime {
    latest: MonotonicInstant,
    offset_nanos: u64,
    suspect: bool,
    jumps: u32,
}

impl MonotonicTime {
    /// The latest instant seen.
    pub(crate) const fn latest(&self) -> MonotonicInstant {
        self.latest
    }

    /// How often the clock was found to have been set back.
    pub(crate) const fn jumps(&self) -> u32 {
        self.jumps
    }

    /// Takes the end of a call and gives the instant it counts at.
    pub(crate) fn end_of_call(&mut self, raw: Instant) -> MonotonicInstant {
        let shifted = self.place(raw);
        if shifted > self.latest {
            self.latest = shifted;
            self.suspect = false;
        }
        self.latest
    }

    /// As [`MonotonicTime::end_of_call`], where it is known that no reading is suspect and that `raw` is not bogus.
    #[cfg(target_pointer_width = "64")]
    #[inline]
    pub(crate) fn go_on_to(&mut self, raw: Instant) -> MonotonicInstant {
        self.latest = self.latest.max(MonotonicInstant::from_nanos(raw.as_nanos().wrapping_add(self.offset_nanos)));
        self.latest
    }

    /// A reading lay far behind, and the next one decides what that means.
    #[cfg(target_pointer_width = "64")]
    pub(crate) const fn is_suspect(&self) -> bool {
        self.suspect
    }

    /// Takes a reading of the clock and gives the instant it counts as.
    pub(crate) fn reading(&mut self, raw: Instant) -> MonotonicInstant {
        let shifted = self.place(raw);
        let behind = self.latest.nanos_since(shifted);
        if behind < JUMP_NANOS {
            self.suspect = false;
            self.latest = self.latest.max(shifted);
        } else if self.suspect {
            self.suspect = false;
            self.offset_nanos = self.offset_nanos.saturating_add(behind);
            self.jumps = self.jumps.saturating_add(1);
        } else {
            self.suspect = true;
        }
        self.latest
    }

    /// `raw`, as a clock gave it, on this line; it moves nothing.
    pub(crate) fn place(&self, raw: Instant) -> MonotonicInstant {
        MonotonicInstant(raw.min(LATEST_RAW).plus_nanos(self.offset_nanos))
    }

    /// An instant on this line as the clock itself would name it (for deadlines handed out).
    pub(crate) const fn clock_reading(&self, instant: MonotonicInstant) -> Instant {
        let nanos = instant.as_nanos();
        if nanos == u64::MAX { Instant::MAX } else { Instant::from_nanos(nanos.saturating_sub(self.offset_nanos)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1_000)
    }

    const fn own(seconds: u64) -> MonotonicInstant {
        MonotonicInstant::from_millis(seconds * 1_000)
    }

    #[test]
    fn a_late_end_is_clamped() {
        let mut line = MonotonicTime::default();
        assert_eq!(line.end_of_call(s(10)), own(10));
        assert_eq!(line.end_of_call(s(3)), own(10));
        assert_eq!(line.jumps(), 0);
    }

    #[test]
    fn one_reading_far_behind_changes_nothing() {
        let mut line = MonotonicTime::default();
        line.reading(s(100));
        assert_eq!(line.reading(s(50)), own(100));
        assert_eq!(line.reading(s(101)), own(101));
        assert_eq!(line.jumps(), 0);
    }

    #[test]
    fn a_confirmed_jump_back_goes_on_from_the_latest() {
        let mut line = MonotonicTime::default();
        line.reading(s(100));
        line.reading(s(50));
        assert_eq!(line.reading(s(50)), own(100));
        assert_eq!(line.jumps(), 1);
        assert_eq!(line.reading(s(55)), own(105));
        assert_eq!(line.end_of_call(s(56)), own(106));
        assert_eq!(line.clock_reading(own(106)), s(56));
    }

    #[test]
    fn small_steps_back_are_clamped_and_never_a_jump() {
        let mut line = MonotonicTime::default();
        line.reading(s(100));
        for _ in 0..10 {
            assert_eq!(line.reading(Instant::from_millis(99_001)), own(100));
        }
        assert_eq!(line.jumps(), 0);
    }

    #[test]
    fn a_bogus_end_in_the_far_future_does_not_freeze_time() {
        let mut line = MonotonicTime::default();
        line.reading(s(1));
        line.end_of_call(Instant::MAX);
        line.reading(s(2));
        line.reading(s(3));
        assert_eq!(line.jumps(), 1);
        let before = line.latest();
        assert_eq!(line.reading(s(4)).since(before), Duration::from_secs(1));
    }
}
