//! Delivery statistics.

use std::collections::HashMap;
use std::fmt;

use tripline_core::AlertKind;

use crate::breaker::name::BreakerName;
use crate::dispatch::counters::Counters;
use crate::dispatch::intake::Intake;
use crate::dispatch::mailbox::LaneState;
use crate::sync::Arc;

/// The counters of a dispatcher, readable from any thread at any time, also after it has ended. Cheap to clone.
///
/// Reading takes a short lock per breaker, and time and memory in proportion to its sinks.
#[derive(Debug, Clone)]
pub struct DeliveryStats {
    intake: Arc<Intake>,
}

/// The deliveries of one breaker, sink, kind and stage since the dispatcher was created.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeliveryCount {
    /// The breaker.
    pub breaker: BreakerName,
    /// The sink's name. If a breaker has several sinks of one name, the later ones end in `-2`, `-3`, …
    pub sink: String,
    /// The kind.
    pub kind: AlertKind,
    /// The stage, as returned by [`Stage::as_str`](tripline_core::Stage::as_str).
    pub stage: &'static str,
    /// Alerts that the sink took.
    pub sent: u64,
    /// Attempts that failed and were, or will be, repeated; rejected ones included.
    pub retried: u64,
    /// Attempts that the sink rejected.
    pub rejected: u64,
    /// Alerts that were given up.
    pub failed: u64,
    /// Alerts that wait now, those being sent included.
    pub waiting: u64,
}

/// A rejection by one sink, with its reason. Its alerts are not delivered until the configuration or the receiver
/// changes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SinkRejection {
    /// The breaker of the alerts.
    pub breaker: BreakerName,
    /// The sink's name, as in [`DeliveryCount`].
    pub sink: String,
    /// The kind.
    pub kind: AlertKind,
    /// The HTTP status of the response, if there was one.
    pub status: Option<u16>,
    /// The reason, without secrets.
    pub reason: String,
}

/// `pager rejects: 403 (opsgenie, circuit-open: status 403: No access)`
impl fmt::Display for SinkRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("pager rejects: ")?;
        if let Some(status) = self.status {
            write!(f, "{status} ")?;
        }
        write!(f, "({}, {}: {})", self.sink, self.kind.as_str(), self.reason)
    }
}

/// Statistics of saving one breaker's state.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreCount {
    /// The breaker.
    pub breaker: BreakerName,
    /// How often saving failed or took too long.
    pub failures: u64,
    /// Whether the last save failed: a kill now may lose alerts.
    pub is_failing: bool,
}

impl DeliveryStats {
    pub(super) const fn new(intake: Arc<Intake>) -> Self {
        Self { intake }
    }

    /// Returns the counts of all stages, kinds, sinks and breakers, always in this order, zero counts included. A family's contain those
    /// of members with incidents of their own.
    pub fn deliveries(&self) -> Vec<DeliveryCount> {
        let mut rows: Vec<DeliveryCount> = Vec::new();
        let mut first_of: HashMap<BreakerName, usize> = HashMap::new();
        for mailbox in &self.intake.mailboxes() {
            let state = mailbox.state();
            let counts = state.lanes.iter().flat_map(|lane| lane.counts(&mailbox.breaker));
            if let Some(&first) = first_of.get(&mailbox.breaker).filter(|_| mailbox.key.is_some()) {
                // A member has the lanes of its family.
                rows.iter_mut().skip(first).zip(counts).for_each(|(row, count)| row.add(&count));
            } else {
                first_of.entry(mailbox.breaker.clone()).or_insert(rows.len());
                rows.extend(counts);
            }
        }
        rows
    }

    /// Returns the current rejections of the sinks; empty if there are none.
    pub fn rejections(&self) -> Vec<SinkRejection> {
        let mut found: Vec<SinkRejection> = Vec::new();
        for mailbox in &self.intake.mailboxes() {
            for lane in &mailbox.state().lanes {
                let rejection = lane.rejection.clone().map(|rejection| SinkRejection {
                    breaker: mailbox.breaker.clone(),
                    sink: lane.sink.clone(),
                    kind: lane.kind,
                    status: rejection.status,
                    reason: rejection.reason,
                });
                // The members of a family share their sinks.
                found.extend(rejection.filter(|rejection| mailbox.key.is_none() || !found.contains(rejection)));
            }
        }
        found
    }

    /// Returns whether each sink of each breaker rejects an alert now, always in this order.
    pub fn sinks(&self) -> Vec<(BreakerName, String, bool)> {
        let mut sinks: Vec<(BreakerName, String, bool)> = Vec::new();
        let mut place_of: HashMap<(BreakerName, String), usize> = HashMap::new();
        for mailbox in &self.intake.mailboxes() {
            for lane in &mailbox.state().lanes {
                let rejects = lane.rejection.is_some();
                let place = place_of.entry((mailbox.breaker.clone(), lane.sink.clone())).or_insert(sinks.len());
                match sinks.get_mut(*place) {
                    Some((_, _, other)) => *other |= rejects,
                    None => sinks.push((mailbox.breaker.clone(), lane.sink.clone(), rejects)),
                }
            }
        }
        sinks
    }

    /// Returns the statistics of each breaker whose state is saved.
    pub fn stores(&self) -> Vec<StoreCount> {
        let mut stores: Vec<StoreCount> = Vec::new();
        let mut place_of: HashMap<BreakerName, usize> = HashMap::new();
        for mailbox in self.intake.mailboxes().iter().filter(|mailbox| mailbox.is_durable) {
            let (failures, is_failing) = {
                let state = mailbox.state();
                (state.store_failures, state.store_is_failing)
            };
            let place = place_of.entry(mailbox.breaker.clone()).or_insert(stores.len());
            if let Some(store) = stores.get_mut(*place) {
                store.failures += failures;
                store.is_failing |= is_failing;
            } else {
                stores.push(StoreCount { breaker: mailbox.breaker.clone(), failures, is_failing });
            }
        }
        stores
    }
}

impl DeliveryCount {
    /// Adds the counts of the same sink, kind and stage.
    fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.retried += other.retried;
        self.rejected += other.rejected;
        self.failed += other.failed;
        self.waiting += other.waiting;
    }
}

impl LaneState {
    fn counts(&self, breaker: &BreakerName) -> Vec<DeliveryCount> {
        let row = |(stage, counters): (&'static str, Counters)| DeliveryCount {
            breaker: breaker.clone(),
            sink: self.sink.clone(),
            kind: self.kind,
            stage,
            sent: counters.sent,
            retried: counters.retried,
            rejected: counters.rejected,
            failed: counters.failed,
            waiting: self.queue.waiting().filter(|waiting| waiting.as_str() == stage).count() as u64,
        };
        self.counters.rows().into_iter().map(row).collect()
    }
}
