//! Polls the alerts of one breaker: what its stager observes, and the alerts that are due.

use std::time::Duration;

use tripline_core::{EscalationPolicy, Observation, Stage};

use crate::breaker::Breaker;
use crate::breaker::name::BreakerName;
use crate::breaker::operations::learned_ms;
use crate::clock::Clock;
use crate::dispatch::durable::DurableState;
use crate::hot_path::samples::SharedCore;
use crate::incidents::alert::{Alert, DeliveryHistory, FamilySummary};
use crate::incidents::alert_stager::{DueAlert, Observed, Poll};
use crate::incidents::records::BreakerRecord;
use crate::incidents::test_alert::snapshot;
use crate::supervisor::family::WatchedFamily;

/// Whose incident it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) breaker: &'a BreakerName,
    /// The key of a member that has incidents of its own.
    pub(super) key: Option<&'a str>,
}

/// Polls the stager of `breaker` with `observation`, or with one of the breaker itself. `look` is called with the core at the moment of
/// the observation. The snapshots of alerts are those of `worst`.
pub(super) fn poll<T>(
    subject: Subject<'_>,
    breaker: &Breaker,
    observation: Option<Observation>,
    worst: &Breaker,
    policy: EscalationPolicy,
    clock: &dyn Clock,
    look: impl FnOnce(&SharedCore, &Observation) -> T,
) -> (BreakerRecord, Poll, T) {
    let is_drill = worst.read(|core| worst.is_last_trip_a_drill(core));
    let mut stager = breaker.incident();
    let (seen, operator, learned_tolerance_ms, looked) = breaker.read(|core| {
        let seen = Observed {
            breaker: subject.breaker,
            key: subject.key,
            observation: observation.unwrap_or_else(|| Observation::of(core)),
            sample_interval: core.policy().sample_interval,
            is_drill,
        };
        let looked = look(core, &seen.observation);
        (seen, breaker.operator_record(core), learned_ms(core), looked)
    });
    let poll = stager.poll(&seen, policy, clock.system_time());
    (BreakerRecord { staging: poll.record.clone(), operator, learned_tolerance_ms }, poll, looked)
}

/// The alert of a stage that is due.
pub(super) fn alert(
    subject: Subject<'_>,
    due: &DueAlert,
    policy: &EscalationPolicy,
    clock: &dyn Clock,
    worst: &Breaker,
    family: Option<FamilySummary>,
) -> Alert {
    let is_over = matches!(due.stage, Stage::Resolved(_));
    Alert {
        breaker: subject.breaker.clone(),
        incident: due.incident.number,
        kind: due.kind,
        stage: due.stage,
        announce_reset: is_over && policy.triggers.breaker_reset && due.incident.trip.is_some(),
        cause: due.incident.cause,
        started_at: due.incident.started_at,
        at: clock.system_time(),
        snapshot: snapshot(worst),
        earlier: DeliveryHistory::default(),
        alias: None,
        is_drill: due.incident.is_drill,
        passed_after: due.passed_after.filter(|_| is_over),
        fleet: None,
        family,
        key: subject.key.map(str::to_owned),
        is_test: false,
        page: None,
    }
}

/// Continues the incident of the previous process, with its operator actions and learned tolerance, unless the alerts of `breaker` are
/// staged already. With `family` it is the incident that the members have together.
pub(super) fn resume(
    breaker: &Breaker,
    mut family: Option<&mut WatchedFamily>,
    kept: &DurableState,
    clock: &dyn Clock,
) {
    let record = &kept.staging;
    let mut stager = breaker.incident();
    if !stager.start_use() {
        return;
    }
    let is_planted = tripline_core::planted::planted("durable: an open incident is forgotten");
    if let Some(open) = record.open.as_ref().filter(|_| !is_planted) {
        match &mut family {
            Some(family) => family.resume_incident(open.cause, open.trip),
            None => breaker.resume_incident(open.cause, open.trip),
        }
        tracing::info!(
            breaker = breaker.name().as_str(),
            key = kept.key.as_deref(),
            incident = record.last_incident,
            cause = open.cause.as_str(),
            "an incident from before the restart goes on"
        );
    }
    let (latest, incident) = breaker.read(|core| (core.latest(), core.incident()));
    let incident = family.map_or(incident, |family| family.incident());
    stager.resume(record, latest, incident, clock.system_time());
    drop(stager);
    if let Some(millis) = kept.learned_tolerance_ms {
        breaker.restore_tolerance(Duration::from_millis(millis.into()));
    }
    breaker.restore_operations(kept.operator);
}
