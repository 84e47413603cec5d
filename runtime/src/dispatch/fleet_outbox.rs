//! A fleet's access to a breaker's lanes: alerts paged alone, and direct attempts on behalf of all replicas.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_lite::{FutureExt as _, future};
use tripline_core::fleet::{FleetStage, KindSet, Paged};
use tripline_core::planted::planted;
use tripline_core::{AlertKind, Instant};

use crate::clock::Clock;
use crate::dispatch::jobs::Jobs;
use crate::dispatch::mailbox::Mailbox;
use crate::dispatch::pagers::keeps_open;
use crate::fleet::part::FleetPart;
use crate::incidents::alert::{Alert, AlertSink, DeliveryError};
use crate::sync::{Arc, Mutex, lock};

/// Minimum interval between queries whether an alert was confirmed.
const MIN_PENDING: Duration = Duration::from_millis(10);

/// A fleet's access to a breaker's lanes. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct FleetOutbox {
    mailbox: Arc<Mailbox>,
}

/// Alerts that are sent to every sink in order, over several attempts.
#[derive(Debug, Clone)]
pub(crate) struct Bundle {
    alerts: Arc<[Alert]>,
    /// Number of them that each sink has taken.
    taken: Arc<Mutex<Vec<usize>>>,
}

impl FleetOutbox {
    pub(super) const fn new(mailbox: Arc<Mailbox>) -> Self {
        Self { mailbox }
    }

    /// Whether a sink pages people.
    pub(crate) fn has_pager(&self) -> bool {
        self.pagers().next().is_some()
    }

    /// The labels of the sinks that page people.
    fn pagers(&self) -> impl Iterator<Item = &str> {
        self.mailbox.sinks().iter().filter(|(_, sink)| keeps_open(sink)).map(|(label, _)| label.as_str())
    }

    /// Returns the alerts that this replica paged alone and that the fleet does not know of yet.
    pub(crate) fn paged(&self) -> Option<Paged> {
        let state = self.mailbox.state();
        let sent = state.lanes.iter().filter(|lane| lane.queue.sent_of_fleet().is_some());
        let kinds = sent.fold(KindSet::default(), |kinds, lane| kinds.with(lane.kind));
        drop(state);
        Some(Paged { kinds, confirmed: self.confirmed(kinds.iter().next()?) })
    }

    /// The stage that every sink that pages people has confirmed; of the other sinks where there is none.
    fn confirmed(&self, kind: AlertKind) -> FleetStage {
        let state = self.mailbox.state();
        let lanes = state.lanes.iter().filter(|lane| lane.kind == kind && lane.is_pager);
        lanes.map(|lane| lane.queue.sent_of_fleet().unwrap_or_default()).min().unwrap_or_default()
    }

    /// Returns the time since this replica last closed the fleet's alert without the fleet, if there is such a close to report.
    pub(crate) fn closed_alone(&self, now: Instant) -> Option<Duration> {
        let state = self.mailbox.state();
        let age = state.lanes.iter().filter_map(|lane| lane.closed_alone.age(now)).min();
        age.filter(|_| !planted("fleet: a close alone is not reported"))
    }

    /// Forgets the closes that were reported at `at`.
    pub(crate) fn forget_closed(&self, at: Instant) {
        self.mailbox.change_lanes(|lane| lane.closed_alone.forget(at));
    }

    /// Gives the closes of an earlier process the time of the start.
    pub(crate) fn start(&self, now: Instant) {
        self.mailbox.state().lanes.iter_mut().for_each(|lane| lane.closed_alone.start(now));
    }

    /// Takes a clock that was set back to `now`.
    pub(crate) fn set_back(&self, now: Instant) {
        self.mailbox.state().lanes.iter_mut().for_each(|lane| lane.closed_alone.set_back(now));
    }

    /// Stops sending alerts alone.
    pub(crate) fn stop_alone(&self) {
        self.mailbox.change_lanes(|lane| lane.queue.stop_alone());
    }

    /// Releases the alerts of these kinds, of which the fleet knows now.
    pub(crate) fn release(&self, kinds: KindSet) {
        self.mailbox.change_lanes(|lane| kinds.contains(lane.kind) && lane.queue.release_to_fleet());
    }

    /// Bundles the alerts of a stage, none of which was sent yet.
    pub(crate) fn bundle(&self, alerts: Vec<Alert>) -> Bundle {
        let taken = vec![0; self.mailbox.sinks().len()];
        Bundle { alerts: alerts.into(), taken: Arc::new(Mutex::new(taken)) }
    }

    /// Makes one attempt at every sink that has not taken all alerts of the bundle, concurrently, until `deadline`.
    ///
    /// # Errors
    /// The reason for which a sink did not take them.
    pub(crate) async fn attempt(
        &self,
        bundle: &Bundle,
        clock: &Arc<dyn Clock>,
        deadline: Instant,
    ) -> Result<(), String> {
        let failure: Arc<Mutex<Option<String>>> = Arc::default();
        let jobs = Jobs::default();
        for index in 0..self.mailbox.sinks().len() {
            let (mailbox, bundle, clock, failure) =
                (self.mailbox.clone(), bundle.clone(), clock.clone(), failure.clone());
            jobs.push(Box::pin(async move {
                let timeout = async {
                    clock.sleep_until(deadline).await;
                    Err("it takes too long".to_owned())
                };
                let delivered = future::or(deliver(&mailbox, index, &bundle, &*clock), timeout).await;
                if let Err(reason) = delivered {
                    let sink = mailbox.sinks().get(index).map_or("", |(label, _)| label.as_str());
                    lock(&failure).get_or_insert_with(|| format!("{sink}: {reason}"));
                }
            }));
        }
        jobs.close();
        jobs.run().await;
        let failed = lock(&failure).take();
        failed.map_or(Ok(()), Err)
    }
}

/// Sends the rest of a bundle to one sink.
async fn deliver(mailbox: &Mailbox, index: usize, bundle: &Bundle, clock: &dyn Clock) -> Result<(), String> {
    let Some((_, sink)) = mailbox.sinks().get(index) else { return Ok(()) };
    loop {
        let place = lock(&bundle.taken).get(index).copied().unwrap_or(usize::MAX);
        let Some(alert) = bundle.alerts.get(place) else { return Ok(()) };
        // A sink that only writes has already written the close.
        let is_needless = alert.fleet.as_ref().is_some_and(FleetPart::is_repeated) && !keeps_open(sink);
        if !is_needless {
            deliver_one(mailbox, index, &**sink, alert, clock).await?;
        }
        if let Some(taken) = lock(&bundle.taken).get_mut(index) {
            *taken += 1;
        }
    }
}

async fn deliver_one(
    mailbox: &Mailbox,
    index: usize,
    sink: &dyn AlertSink,
    alert: &Alert,
    clock: &dyn Clock,
) -> Result<(), String> {
    loop {
        // The call itself is inside the guard too: it may panic before it returns its future.
        let delivered = AssertUnwindSafe(async { sink.deliver(alert).await }).catch_unwind().await;
        let panicked = |_| Err(DeliveryError::Rejected { status: None, reason: "the sink panicked".to_owned() });
        match delivered.unwrap_or_else(panicked) {
            Ok(()) => {
                mailbox.count(index, alert, |counters| counters.sent += 1);
                return Ok(());
            }
            Err(DeliveryError::Pending { after }) => clock.sleep_until(clock.now() + after.max(MIN_PENDING)).await,
            Err(DeliveryError::Retryable { reason, .. }) => {
                mailbox.count(index, alert, |counters| counters.retried += 1);
                return Err(reason);
            }
            Err(DeliveryError::Rejected { reason, .. }) => {
                mailbox.count(index, alert, |counters| {
                    counters.rejected += 1;
                    counters.retried += 1;
                });
                return Err(reason);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::breaker::name::BreakerName;
    use crate::dispatch::durable::{DurableState, IncidentRecord, LaneRecord};
    use crate::dispatch::queue::Queue;
    use crate::incidents::alert::{DeliveryHistory, DeliveryStatus};

    #[derive(Debug)]
    struct Receiver {
        is_pager: bool,
    }

    #[async_trait::async_trait]
    impl AlertSink for Receiver {
        fn name(&self) -> &str {
            if self.is_pager { "pager" } else { "log" }
        }

        fn keeps_open(&self) -> bool {
            self.is_pager
        }

        async fn deliver(&self, _: &Alert) -> Result<(), DeliveryError> {
            Ok(())
        }
    }

    const STATUSES: [DeliveryStatus; 3] =
        [DeliveryStatus::NotSent, DeliveryStatus::Unconfirmed, DeliveryStatus::Confirmed];

    /// Each history that a sink may have of an alert.
    fn histories() -> impl Iterator<Item = DeliveryHistory> {
        STATUSES.into_iter().flat_map(|created| STATUSES.map(|escalated| DeliveryHistory { created, escalated }))
    }

    fn stage_of(earlier: DeliveryHistory) -> FleetStage {
        if earlier.escalated == DeliveryStatus::Confirmed {
            FleetStage::Escalated
        } else if earlier.created == DeliveryStatus::Confirmed {
            FleetStage::Initial
        } else {
            FleetStage::Pending
        }
    }

    /// The outbox of alerts that were paged alone, with these histories at two pagers and a log.
    fn outbox(alerts: &[(AlertKind, [DeliveryHistory; 3])], has_pagers: bool) -> FleetOutbox {
        let pager = Arc::new(Receiver { is_pager: has_pagers }) as Arc<dyn AlertSink>;
        let log = Arc::new(Receiver { is_pager: false }) as Arc<dyn AlertSink>;
        let sinks = [pager.clone(), pager, log];
        let mailbox = Mailbox::new(BreakerName::default(), None, &sinks, false, None);
        let labels: Vec<String> = mailbox.sinks().iter().map(|(label, _)| label.clone()).collect();
        let mut state = mailbox.state();
        for lane in &mut state.lanes {
            let Some((_, histories)) = alerts.iter().find(|(kind, _)| *kind == lane.kind) else { continue };
            let earlier = histories[labels.iter().position(|label| *label == lane.sink).unwrap()];
            let part = IncidentRecord { incident: 1, earlier, waiting: None, alias: None, is_of_fleet: true };
            let record =
                LaneRecord { sink: lane.sink.clone(), kind: lane.kind, incidents: vec![part], has_closed_alone: false };
            lane.queue = Queue::restore(&BreakerName::default(), &record);
        }
        drop(state);
        FleetOutbox::new(Arc::new(mailbox))
    }

    /// Returns what is handed over of them.
    fn paged(alerts: &[(AlertKind, [DeliveryHistory; 3])], has_pagers: bool) -> Option<Paged> {
        outbox(alerts, has_pagers).paged()
    }

    #[test]
    fn what_is_sent_alone_during_a_report_is_handed_over_with_the_next() {
        let sent = DeliveryHistory { created: DeliveryStatus::Confirmed, escalated: DeliveryStatus::NotSent };
        let outbox = outbox(&[(AlertKind::CircuitOpen, [sent; 3]), (AlertKind::LatencyThreshold, [sent; 3])], true);
        outbox.release(KindSet::default().with(AlertKind::LatencyThreshold));
        let kinds = KindSet::default().with(AlertKind::CircuitOpen);
        assert_eq!(outbox.paged(), Some(Paged { kinds, confirmed: FleetStage::Initial }));
        outbox.release(kinds);
        assert_eq!(outbox.paged(), None);
    }

    #[test]
    fn only_what_the_pagers_closed_is_reported_and_the_next_process_reports_it() {
        let now = |seconds| Instant::ZERO + Duration::from_secs(seconds);
        let pager = Arc::new(Receiver { is_pager: true }) as Arc<dyn AlertSink>;
        let log = Arc::new(Receiver { is_pager: false }) as Arc<dyn AlertSink>;
        let sinks = [log, pager];
        let mailbox =
            |kept: Option<&DurableState>| Arc::new(Mailbox::new(BreakerName::default(), None, &sinks, true, kept));
        let before = mailbox(None);
        let kinds = AlertKind::ALL.len();
        before.end_close_alone(0, now(5));
        assert_eq!(FleetOutbox::new(before.clone()).closed_alone(now(9)), None, "the pager has its alerts");
        before.end_close_alone(kinds, now(7));
        assert_eq!(FleetOutbox::new(before.clone()).closed_alone(now(9)), Some(Duration::from_secs(2)));
        let (kept, _) = before.durable(std::time::SystemTime::UNIX_EPOCH);
        let outbox = FleetOutbox::new(mailbox(Some(&kept)));
        outbox.start(now(60));
        assert_eq!(outbox.closed_alone(now(61)), Some(Duration::from_secs(1)), "it was before the start");
        outbox.forget_closed(now(61));
        assert_eq!(outbox.closed_alone(now(62)), None);
        let (kept, _) = outbox.mailbox.durable(std::time::SystemTime::UNIX_EPOCH);
        assert_eq!(kept.lanes, []);
    }

    #[test]
    fn a_stage_is_confirmed_where_every_pager_confirmed_it() {
        for one in histories() {
            for other in histories() {
                let log = DeliveryHistory { created: DeliveryStatus::Confirmed, escalated: DeliveryStatus::NotSent };
                let kinds = KindSet::default().with(AlertKind::CircuitOpen);
                let confirmed = stage_of(one).min(stage_of(other));
                let alerts = [(AlertKind::CircuitOpen, [one, other, log])];
                assert_eq!(paged(&alerts, true), Some(Paged { kinds, confirmed }), "{one:?} and {other:?}");
                // An alert that is less severe changes nothing but the kinds.
                let kinds = kinds.with(AlertKind::LatencyThreshold);
                let both = [alerts[0], (AlertKind::LatencyThreshold, [log; 3])];
                assert_eq!(paged(&both, true), Some(Paged { kinds, confirmed }), "{one:?} and {other:?}");
            }
        }
        assert_eq!(paged(&[(AlertKind::CircuitOpen, [DeliveryHistory::default(); 3])], true), None, "nothing was sent");
        let logged = DeliveryHistory { created: DeliveryStatus::Confirmed, escalated: DeliveryStatus::NotSent };
        let written = paged(&[(AlertKind::CircuitOpen, [logged; 3])], false).unwrap();
        assert_eq!(written.confirmed, FleetStage::Initial, "a log that is the only sink confirms");
    }
}
