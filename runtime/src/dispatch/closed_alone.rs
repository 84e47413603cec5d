//! Whether a replica closed the fleet's alert without the fleet.

use std::time::Duration;

use tripline_core::Instant;

/// Whether this replica closed the fleet's alert without the fleet, and the fleet does not know of it. Saved as a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClosedAlone {
    /// It did not, or the fleet knows.
    Never,
    /// An earlier process did.
    Before,
    /// The close is being sent. It may take effect at any time.
    Closing,
    /// The last attempt ended then, with or without success.
    Closed(Instant),
}

impl ClosedAlone {
    /// Restores the saved flag.
    pub(super) const fn restore(is_set: bool) -> Self {
        if is_set { Self::Before } else { Self::Never }
    }

    /// The flag to save.
    pub(super) const fn is_set(self) -> bool {
        !matches!(self, Self::Never)
    }

    /// Gives a close of an earlier process the time of the start: it was sent before.
    pub(super) const fn start(&mut self, now: Instant) {
        if matches!(self, Self::Before) {
            *self = Self::Closed(now);
        }
    }

    /// The time since the last attempt ended, if there is anything to report.
    pub(super) fn age(self, now: Instant) -> Option<Duration> {
        match self {
            Self::Closed(at) => Some(now.since(at)),
            // It is reported when the attempt ends.
            Self::Never | Self::Before | Self::Closing => None,
        }
    }

    /// Forgets a close that was reported at `at`. Returns true if it was that one.
    pub(super) fn forget(&mut self, at: Instant) -> bool {
        let is_reported = matches!(self, Self::Closed(closed_at) if *closed_at <= at);
        if is_reported {
            *self = Self::Never;
        }
        is_reported
    }

    /// Takes a clock that was set back to `now`.
    pub(super) fn set_back(&mut self, now: Instant) {
        if let Self::Closed(at) = self {
            *at = now.min(*at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn a_close_is_reported_until_the_fleet_knows_of_the_last_attempt() {
        let mut closed = ClosedAlone::Closed(at(7));
        assert_eq!(closed.age(at(9)), Some(Duration::from_secs(2)));
        closed = ClosedAlone::Closing;
        assert!(!closed.forget(at(10)) && closed.is_set(), "it is being sent");
        closed = ClosedAlone::Closed(at(11));
        assert!(!closed.forget(at(10)), "it ended during the report");
        assert!(closed.forget(at(12)) && !closed.is_set());
        assert_eq!(closed.age(at(13)), None);
    }

    #[test]
    fn a_close_of_an_earlier_process_was_before_the_start() {
        let mut closed = ClosedAlone::restore(true);
        closed.start(at(60));
        assert_eq!(closed.age(at(70)), Some(Duration::from_secs(10)));
        let mut never = ClosedAlone::restore(false);
        never.start(at(60));
        assert_eq!(never.age(at(70)), None);
    }

    #[test]
    fn a_clock_that_is_set_back_delays_no_report() {
        let mut closed = ClosedAlone::Closed(at(3_600));
        closed.set_back(at(10));
        assert_eq!(closed.age(at(11)), Some(Duration::from_secs(1)));
        assert!(closed.forget(at(12)));
    }
}
