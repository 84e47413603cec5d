//! Sends one stage on behalf of the fleet, within the lease of its claim.

use std::time::{Duration, SystemTime};

use tripline_core::fleet::{Claim, DueStage, FleetStage, FleetView};
use tripline_core::{AlertKind, IncidentCause, IncidentEnd, Instant, Stage, TripReason};

use crate::breaker::name::BreakerName;
use crate::dispatch::{Bundle, FleetOutbox};
use crate::fleet::local::Entry;
use crate::fleet::part::FleetPart;
use crate::fleet::settings::host_of;
use crate::fleet::shared::Inner;
use crate::incidents::alert::{Alert, DeliveryHistory, DeliveryStatus};
use crate::incidents::test_alert::snapshot;
use crate::sync::Arc;

/// The lease of a claim, the default of the rule.
const LEASE: Duration = Duration::from_secs(20);
/// Maximum duration of one attempt. An attempt begins only if the lease lasts longer.
const MAX_ATTEMPT: Duration = Duration::from_secs(10);
/// After this many failed attempts this replica leaves the stage to another one, for [`PAUSE`].
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_secs(60);
/// Wait between two attempts.
const BETWEEN: Duration = Duration::from_secs(1);

/// One stage that this replica has claimed.
pub(super) struct Sending {
    inner: Arc<Inner>,
    name: BreakerName,
    outbox: FleetOutbox,
    bundle: Bundle,
    claim: Claim,
    /// The end of the lease, on the clock of this process.
    lease_ends: Instant,
}

impl Sending {
    /// `began` is when the report was sent whose response contained the claim.
    pub(super) fn new(
        inner: Arc<Inner>,
        name: &BreakerName,
        entry: &Entry,
        claim: Claim,
        view: &FleetView,
        began: Instant,
    ) -> Self {
        let alerts = alerts(&inner, entry, &claim, view);
        Self {
            name: name.clone(),
            outbox: entry.outbox.clone(),
            bundle: entry.outbox.bundle(alerts),
            claim,
            lease_ends: began + LEASE,
            inner,
        }
    }

    /// Sends the stage and acknowledges it, or gives up when the lease is too short for another attempt.
    pub(super) async fn run(self) {
        let Self { inner, name, outbox, bundle, claim, lease_ends } = self;
        let (clock, stage, epoch) = (inner.clock.clone(), claim.due.as_str(), claim.epoch);
        for attempt in 1..=ATTEMPTS {
            let now = clock.now();
            if now + MAX_ATTEMPT > lease_ends {
                break;
            }
            match outbox.attempt(&bundle, &clock, now + MAX_ATTEMPT).await {
                Ok(()) => {
                    acknowledge(&inner, &name, &claim, lease_ends).await;
                    inner.sent(&name, |entry| {
                        entry.cannot_until = None;
                        entry.has_sent(&claim);
                    });
                    return;
                }
                Err(reason) => {
                    let breaker = name.as_str();
                    tracing::warn!(breaker, epoch, stage, attempt, reason, "the fleet's alert was not delivered");
                }
            }
            clock.sleep_until(clock.now() + BETWEEN).await;
        }
        tracing::warn!(breaker = name.as_str(), epoch, stage, "another replica is to send the fleet's alert");
        let until = clock.now() + PAUSE;
        inner.sent(&name, |entry| entry.cannot_until = Some(until));
    }
}

/// Acknowledges the stage for as long as the lease lasts. If that fails, another replica sends the stage again; the
/// alias and the key make that harmless.
async fn acknowledge(inner: &Inner, name: &BreakerName, claim: &Claim, lease_ends: Instant) {
    loop {
        match inner.within(inner.engine.acknowledge(name, &inner.settings.replica, claim)).await {
            Ok(_) => return,
            Err(error) => {
                if inner.clock.now() + BETWEEN >= lease_ends {
                    tracing::warn!(breaker = name.as_str(), %error, "a stage was sent and could not be acknowledged");
                    return;
                }
            }
        }
        inner.clock.sleep_until(inner.clock.now() + BETWEEN).await;
    }
}

/// Returns the alerts of a claim: one of its kind, and the close of those that it replaces.
fn alerts(inner: &Inner, entry: &Entry, claim: &Claim, view: &FleetView) -> Vec<Alert> {
    let is_staged = !entry.local.escalate_after.is_zero();
    let alert = |kind, stage| alert(inner, entry, claim, view, kind, stage);
    let others = |stage| claim.sent.iter().filter(|&kind| kind != claim.kind).map(move |kind| alert(kind, stage));
    let end = Stage::Resolved(IncidentEnd::Healthy);
    match claim.due {
        DueStage::Initial => {
            let stage = if is_staged { Stage::Initial } else { Stage::Single };
            std::iter::once(alert(claim.kind, stage)).chain(others(Stage::Superseded)).collect()
        }
        DueStage::Escalated => vec![alert(claim.kind, Stage::Escalated)],
        DueStage::Note if view.known.stage == FleetStage::Escalated => vec![alert(claim.kind, Stage::Escalated)],
        DueStage::Note => vec![alert(claim.kind, if is_staged { Stage::Initial } else { Stage::Single })],
        DueStage::Resolved | DueStage::ResolvedAgain => {
            std::iter::once(alert(claim.kind, end)).chain(others(end)).collect()
        }
    }
}

fn alert(inner: &Inner, entry: &Entry, claim: &Claim, view: &FleetView, kind: AlertKind, stage: Stage) -> Alert {
    let wall = inner.clock.system_time();
    let own_cause = entry.local.unwell.map(|(_, cause)| cause);
    let (described, family) = entry.described();
    Alert {
        breaker: entry.breaker.name().clone(),
        incident: claim.epoch,
        kind,
        stage,
        announce_reset: false,
        cause: own_cause.or_else(|| cause_of(&view.cause)).unwrap_or_else(|| usual_cause(kind)),
        started_at: wall.checked_sub(Duration::from_millis(view.known.age_ms)).unwrap_or(SystemTime::UNIX_EPOCH),
        at: wall,
        snapshot: snapshot(described),
        earlier: earlier(claim, view.known.stage, !entry.local.escalate_after.is_zero()),
        alias: None,
        is_drill: false,
        passed_after: None,
        fleet: Some(FleetPart::All {
            epoch: claim.epoch,
            open: view.open,
            members: view.members,
            first: host_of(&view.first).to_owned(),
            has_doubled: claim.due == DueStage::Note,
            is_repeated: claim.due == DueStage::ResolvedAgain,
        }),
        family,
        key: None,
        is_test: false,
        page: None,
    }
}

/// Returns the stages that the fleet has sent before, as far as they were acknowledged.
fn earlier(claim: &Claim, stage: FleetStage, is_staged: bool) -> DeliveryHistory {
    let (confirmed, unconfirmed, never) =
        (DeliveryStatus::Confirmed, DeliveryStatus::Unconfirmed, DeliveryStatus::NotSent);
    match (claim.due, stage) {
        (DueStage::Initial, _) => DeliveryHistory::default(),
        (_, FleetStage::Pending) => DeliveryHistory { created: unconfirmed, escalated: never },
        (DueStage::Escalated | DueStage::Note, FleetStage::Initial) => {
            DeliveryHistory { created: confirmed, escalated: never }
        }
        (_, FleetStage::Initial) if !is_staged => DeliveryHistory { created: confirmed, escalated: never },
        // An escalation may be on its way.
        (_, FleetStage::Initial) => DeliveryHistory { created: confirmed, escalated: unconfirmed },
        _ => DeliveryHistory { created: confirmed, escalated: if is_staged { confirmed } else { never } },
    }
}

/// Returns the cause of this name.
fn cause_of(name: &str) -> Option<IncidentCause> {
    let trips = TripReason::ALL.into_iter().map(IncidentCause::Trip);
    let conditions = [IncidentCause::LatencyCondition, IncidentCause::MemoryCondition];
    trips.chain(conditions).find(|cause| cause.as_str() == name)
}

/// Returns the usual cause of an incident of this kind, for an incident whose first replica is unknown.
const fn usual_cause(kind: AlertKind) -> IncidentCause {
    match kind {
        AlertKind::MemoryThreshold => IncidentCause::MemoryCondition,
        AlertKind::LatencyThreshold => IncidentCause::LatencyCondition,
        _ => IncidentCause::Trip(TripReason::Latency),
    }
}
