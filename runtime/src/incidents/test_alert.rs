//! A test alert for the path to people.

use tripline_core::{AlertKind, IncidentCause, Stage, TripReason};

use crate::breaker::Breaker;
use crate::incidents::alert::{Alert, DeliveryHistory, Snapshot};

impl Alert {
    /// Creates an alert without an incident that tests the path to people: [`is_test`](Self::is_test) is set, its
    /// incident has the number 0, and its values are those of `breaker` now.
    ///
    /// It owns the core for microseconds.
    pub fn test(breaker: &Breaker, stage: Stage) -> Self {
        let at = breaker.clock().system_time();
        Self {
            breaker: breaker.name().clone(),
            incident: 0,
            kind: AlertKind::CircuitOpen,
            stage,
            announce_reset: false,
            cause: IncidentCause::Trip(TripReason::Latency),
            started_at: at,
            at,
            snapshot: snapshot(breaker),
            earlier: DeliveryHistory::default(),
            alias: None,
            is_drill: false,
            passed_after: None,
            fleet: None,
            is_test: true,
            family: None,
            key: None,
            page: None,
        }
    }
}

/// Returns the present values of a breaker.
pub(crate) fn snapshot(breaker: &Breaker) -> Snapshot {
    let level = breaker.memory_level();
    breaker.read(|core| Snapshot {
        explanation: breaker.explain(core),
        state: core.state().kind(),
        trip_reason: core.last_trip().map(|trip| trip.reason),
        stalled_at_trip: core.last_trip().map_or(0, |trip| trip.stalled),
        percentile: core.percentile(),
        threshold: core.policy().latency_threshold,
        trend: core.trend(),
        memory: core.memory_sample(),
        memory_level: level.as_deref().map(str::to_owned),
        wait_time: core.policy().wait_time,
    })
}
