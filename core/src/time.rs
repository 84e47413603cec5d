//! Instants as plain numbers, and the line they are put on.
//!
//! The core has no clock. Every input that needs one brings an [`Instant`], and [`MonotonicTime`] turns what threads and
//! clocks report into a time that never goes back and never freezes.

use core::time::Duration;

/// A point in time: nanoseconds since the start of the clock that gave it (not since an epoch).
///
/// 64 bits of nanoseconds last 584 years, so arithmetic saturates instead of wrapping.
///
/// ```
/// use core::time::Duration;
/// use tripline_core::Instant;
///
/// let start = Instant::from_nanos(0);
/// let end = start + Duration::from_millis(5);
/// assert_eq!(end.since(start), Duration::from_millis(5));
/// assert_eq!(start.since(end), Duration::ZERO); // never negative
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Instant(u64);

impl Instant {
    /// The start of the clock.
    pub const ZERO: Self = Self(0);
    /// The last instant that there is; as a deadline it means "never".
    pub const MAX: Self = Self(u64::MAX);

    /// The instant `nanos` nanoseconds after the clock's start.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The instant `millis` milliseconds after the clock's start, saturating.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Nanoseconds since the clock's start.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Milliseconds that wrap after 49 days.
    #[cfg_attr(target_pointer_width = "32", inline(never))] // one copy is enough there
    pub(crate) const fn as_wrapping_millis(self) -> u32 {
        if cfg!(target_pointer_width = "64") { (self.0 / 1_000_000) as u32 } else { wrapping_millis(self.0) }
    }

    /// Time from `earlier` to `self`; zero where `earlier` is the later one.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Nanoseconds from `earlier` to `self`; zero where `earlier` is the later one.
    #[cfg_attr(target_pointer_width = "32", inline(never))] // 64-bit arithmetic takes code there
    pub(crate) const fn nanos_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// `self` moved on by `nanos`, saturating.
    #[cfg_attr(target_pointer_width = "32", inline(never))] // 64-bit arithmetic takes code there
    pub(crate) const fn plus_nanos(self, nanos: u64) -> Self {
        Self(self.0.saturating_add(nanos))
    }
}

impl core::ops::Add<Duration> for Instant {
    type Output = Self;

    /// Saturates at [`Instant::MAX`].
    fn add(self, span: Duration) -> Self {
        self.plus_nanos(saturating_nanos(span))
    }
}

/// A duration in whole nanoseconds, at most `u64::MAX`. Many places use it and none is in a hurry, so one copy is enough.
#[inline(never)]
pub(crate) const fn saturating_nanos(span: Duration) -> u64 {
    span.as_secs().saturating_mul(1_000_000_000).saturating_add(span.subsec_nanos() as u64)
}

/// A clock that lags by less than this is a descheduled thread, not a clock that was set back.
const JUMP_NANOS: u64 = 1_000_000_000;

/// No reading counts as later than this (292 years), so that a bogus one leaves time room to go on.
const LATEST_RAW: Instant = Instant(u64::MAX / 2);

/// The breaker's own time: the latest instant it has seen, corrected for clocks that jump back.
///
/// - The end of a call comes from whichever thread made it and may be late: it is clamped to the latest instant seen.
/// - A *reading* (asking, polling) is the clock itself. One that lies 1 s or more behind and is confirmed by the next
///   one means that the clock was set back: from then on an offset is added, and time goes on from where it was.
/// - A jump forward is taken as it is: it ends waits and ages samples, once.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct MonotonicTime {
    latest: Instant,
    offset_nanos: u64,
    suspect: bool,
    jumps: u32,
}

impl MonotonicTime {
    /// The latest instant seen.
    pub(crate) const fn latest(&self) -> Instant {
        self.latest
    }

    /// How often the clock was found to have been set back.
    pub(crate) const fn jumps(&self) -> u32 {
        self.jumps
    }

    /// Takes the end of a call and gives the instant it counts at.
    pub(crate) fn end_of_call(&mut self, raw: Instant) -> Instant {
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
    pub(crate) fn go_on_to(&mut self, raw: Instant) -> Instant {
        self.latest = self.latest.max(Instant(raw.0.wrapping_add(self.offset_nanos)));
        self.latest
    }

    /// A reading lay far behind, and the next one decides what that means.
    #[cfg(target_pointer_width = "64")]
    pub(crate) const fn is_suspect(&self) -> bool {
        self.suspect
    }

    /// Takes a reading of the clock and gives the instant it counts as.
    pub(crate) fn reading(&mut self, raw: Instant) -> Instant {
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
    pub(crate) fn place(&self, raw: Instant) -> Instant {
        raw.min(LATEST_RAW).plus_nanos(self.offset_nanos)
    }

    /// An instant on this line as the clock itself would name it (for deadlines handed out).
    pub(crate) const fn clock_reading(&self, instant: Instant) -> Instant {
        if instant.0 == u64::MAX { instant } else { Instant(instant.0.saturating_sub(self.offset_nanos)) }
    }
}

/// `nanos` / 10⁶, by long division in digits of 16 bits: four divisions of 32 bits instead of one of 64, which 32-bit targets do bit by
/// bit.
const fn wrapping_millis(nanos: u64) -> u32 {
    const DIVISOR: u32 = 15_625; // 10⁶ / 2⁶
    let dividend = nanos >> 6;
    let (mut quotient, mut rest, mut shift) = (0_u32, 0_u32, 64_u32);
    while shift > 0 {
        shift = shift.wrapping_sub(16);
        let digits = (rest << 16) | ((dividend >> shift) as u32 & 0xFFFF);
        quotient = (quotient << 16) | (digits / DIVISOR);
        rest = digits % DIVISOR;
    }
    quotient
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1_000)
    }

    #[test]
    fn a_late_end_is_clamped() {
        let mut line = MonotonicTime::default();
        assert_eq!(line.end_of_call(s(10)), s(10));
        assert_eq!(line.end_of_call(s(3)), s(10));
        assert_eq!(line.jumps(), 0);
    }

    #[test]
    fn one_reading_far_behind_changes_nothing() {
        let mut line = MonotonicTime::default();
        line.reading(s(100));
        assert_eq!(line.reading(s(50)), s(100));
        assert_eq!(line.reading(s(101)), s(101));
        assert_eq!(line.jumps(), 0);
    }

    #[test]
    fn a_confirmed_jump_back_goes_on_from_the_latest() {
        let mut line = MonotonicTime::default();
        line.reading(s(100));
        line.reading(s(50));
        assert_eq!(line.reading(s(50)), s(100));
        assert_eq!(line.jumps(), 1);
        assert_eq!(line.reading(s(55)), s(105));
        assert_eq!(line.end_of_call(s(56)), s(106));
        assert_eq!(line.clock_reading(s(106)), s(56));
    }

    #[test]
    fn small_steps_back_are_clamped_and_never_a_jump() {
        let mut line = MonotonicTime::default();
        line.reading(s(100));
        for _ in 0..10 {
            assert_eq!(line.reading(Instant::from_millis(99_001)), s(100));
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

    #[test]
    fn milliseconds_by_long_division_are_those_of_the_plain_one() {
        let edges =
            [0, 1, 63, 64, 999_999, 1_000_000, 1_000_001, u64::MAX - 1, u64::MAX, u64::from(u32::MAX) * 1_000_000];
        let spread = (0..10_000_u64).map(|step| step.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        for nanos in edges.into_iter().chain(spread) {
            assert_eq!(wrapping_millis(nanos), (nanos / 1_000_000) as u32, "{nanos}");
        }
    }
}
