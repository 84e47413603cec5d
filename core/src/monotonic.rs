//! The breaker's own time, which never goes back, whatever the caller's clock does.

use core::time::Duration;

use crate::time::{Instant, saturating_nanos};

/// A point in the breaker's own time: nanoseconds that never go back and never stop.
///
/// It equals the reading of the caller's clock until that clock is first set back by a second or more; from then on the
/// two differ. [`Breaker::on_clock`](crate::Breaker::on_clock) converts it to the [`Instant`] that the clock shows. The
/// two types do not mix:
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
    /// The start of the breaker's own time.
    pub const ZERO: Self = Self(Instant::ZERO);
    /// The last representable instant; as a deadline it means "never".
    pub const MAX: Self = Self(Instant::MAX);

    /// The instant `nanos` nanoseconds after the start.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(Instant::from_nanos(nanos))
    }

    /// The instant `millis` milliseconds after the start, saturating.
    pub const fn from_millis(millis: u64) -> Self {
        Self(Instant::from_millis(millis))
    }

    /// Nanoseconds since the start.
    pub const fn as_nanos(self) -> u64 {
        self.0.as_nanos()
    }

    /// Time from `earlier` to `self`; zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.since(earlier.0)
    }

    /// Milliseconds, wrapping after 49 days.
    pub(crate) const fn as_wrapping_millis(self) -> u32 {
        self.0.as_wrapping_millis()
    }

    /// Nanoseconds from `earlier` to `self`; zero if `earlier` is later.
    pub(crate) const fn nanos_since(self, earlier: Self) -> u64 {
        self.0.nanos_since(earlier.0)
    }

    /// Adds `nanos`, saturating.
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

/// A reading that lags by less than this comes from a descheduled thread, not from a clock that was set back.
const JUMP_NANOS: u64 = 1_000_000_000;

/// Readings are clamped to this (292 years), so that an invalid one leaves room for time to advance.
const LATEST_RAW: Instant = Instant::from_nanos(u64::MAX / 2);

/// The breaker's own time: the latest instant seen, corrected for clocks that jump back.
///
/// - The end of a call comes from any thread and may be late: it is clamped to the latest instant.
/// - A *reading* (admission, polling) is the clock itself. If it lags by 1 s or more and the next reading confirms
///   that, the clock was set back: an offset is added from then on, and time continues from its latest instant.
/// - A forward jump is accepted: it ends waits and expires samples, once.
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

    /// How often the clock was found to be set back.
    pub(crate) const fn jumps(&self) -> u32 {
        self.jumps
    }

    /// Takes the end of a call and returns the instant at which it counts.
    pub(crate) fn end_of_call(&mut self, raw: Instant) -> MonotonicInstant {
        let shifted = self.place(raw);
        if shifted > self.latest {
            self.latest = shifted;
            self.suspect = false;
        }
        self.latest
    }

    /// Does the same as [`MonotonicTime::end_of_call`], if no reading is suspect and `raw` is valid.
    #[cfg(target_pointer_width = "64")]
    #[inline]
    pub(crate) fn go_on_to(&mut self, raw: Instant) -> MonotonicInstant {
        self.latest = self.latest.max(MonotonicInstant::from_nanos(raw.as_nanos().wrapping_add(self.offset_nanos)));
        self.latest
    }

    /// Whether a reading lagged far behind and the next one must confirm it.
    #[cfg(target_pointer_width = "64")]
    pub(crate) const fn is_suspect(&self) -> bool {
        self.suspect
    }

    /// Takes a reading of the clock and returns the instant at which it counts.
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

    /// Converts a clock reading to the breaker's own time without advancing it.
    pub(crate) fn place(&self, raw: Instant) -> MonotonicInstant {
        MonotonicInstant(raw.min(LATEST_RAW).plus_nanos(self.offset_nanos))
    }

    /// Converts an instant to a clock reading, for deadlines.
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
