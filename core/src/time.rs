//! Readings of the caller's clock, as plain numbers.
//!
//! The core has no clock. Every input that needs the time takes an [`Instant`];
//! [`MonotonicTime`](crate::monotonic::MonotonicTime) converts the readings of threads and clocks to
//! [`MonotonicInstant`](crate::MonotonicInstant)s, which never go back.

use core::time::Duration;

/// A point in time on the caller's clock: nanoseconds since that clock's start (not since an epoch).
///
/// A [`Breaker`](crate::Breaker) takes its inputs and returns its deadlines in this type. If the clock is set back, the
/// breaker's own time continues: that is a [`MonotonicInstant`](crate::MonotonicInstant). The compiler rejects one type
/// in place of the other.
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
    /// The last representable instant; as a deadline it means "never".
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

    /// Milliseconds, wrapping after 49 days.
    #[cfg_attr(target_pointer_width = "32", inline(never))] // one copy is enough there
    pub(crate) const fn as_wrapping_millis(self) -> u32 {
        if cfg!(target_pointer_width = "64") { (self.0 / 1_000_000) as u32 } else { wrapping_millis(self.0) }
    }

    /// Time from `earlier` to `self`; zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Nanoseconds from `earlier` to `self`; zero if `earlier` is later.
    #[cfg_attr(target_pointer_width = "32", inline(never))] // 64-bit arithmetic takes code there
    pub(crate) const fn nanos_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Adds `nanos`, saturating.
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

/// Returns a duration in whole nanoseconds, at most `u64::MAX`. It is used in many places and not time-critical, so one
/// copy is enough.
#[inline(never)]
pub(crate) const fn saturating_nanos(span: Duration) -> u64 {
    span.as_secs().saturating_mul(1_000_000_000).saturating_add(span.subsec_nanos() as u64)
}

/// Returns `nanos` / 10⁶ by long division in digits of 16 bits: four 32-bit divisions instead of one 64-bit division,
/// which 32-bit targets compute bit by bit.
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
