//! Instants that may lie before the clock's start: a restored incident began before the process did.

use core::time::Duration;

use crate::monotonic::MonotonicInstant;
use crate::time::saturating_nanos;

/// Nanoseconds since the clock's start, negative before it; saturates at ±292 years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SignedInstant(i64);

impl SignedInstant {
    /// Returns the instant `age` before `now`.
    pub(super) fn ago(now: MonotonicInstant, age: Duration) -> Self {
        Self(Self::from(now).0.saturating_sub(signed(saturating_nanos(age))))
    }

    /// Returns the time from `self` to `now`; zero if `self` is later.
    pub(super) fn age(self, now: MonotonicInstant) -> Duration {
        let nanos = Self::from(now).0.saturating_sub(self.0);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
    }

    /// Returns the instant `span` later, or the clock's start if that is later still.
    pub(super) fn plus(self, span: Duration) -> MonotonicInstant {
        let nanos = self.0.saturating_add(signed(saturating_nanos(span)));
        MonotonicInstant::from_nanos(u64::try_from(nanos).unwrap_or(0))
    }
}

impl From<MonotonicInstant> for SignedInstant {
    fn from(instant: MonotonicInstant) -> Self {
        Self(signed(instant.as_nanos()))
    }
}

fn signed(nanos: u64) -> i64 {
    i64::try_from(nanos).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_before_the_clock_started_has_its_age() {
        let now = MonotonicInstant::from_millis(1_000);
        let moment = SignedInstant::ago(now, Duration::from_secs(300));
        assert_eq!(moment.age(now), Duration::from_secs(300));
        assert_eq!(moment.plus(Duration::from_secs(310)), MonotonicInstant::from_millis(11_000));
        assert_eq!(moment.plus(Duration::ZERO), MonotonicInstant::ZERO);
    }

    #[test]
    fn the_ends_of_the_range_saturate() {
        let moment = SignedInstant::ago(MonotonicInstant::ZERO, Duration::MAX);
        assert_eq!(moment.age(MonotonicInstant::MAX), Duration::from_nanos(i64::MAX as u64));
        assert_eq!(
            SignedInstant::from(MonotonicInstant::MAX).plus(Duration::MAX),
            MonotonicInstant::from_nanos(i64::MAX as u64)
        );
        assert_eq!(SignedInstant::from(MonotonicInstant::MAX).age(MonotonicInstant::ZERO), Duration::ZERO);
    }
}
