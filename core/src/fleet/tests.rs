use std::collections::BTreeMap;

use super::*;
use crate::escalation::AlertKind::{CircuitOpen, LatencyThreshold};

#[derive(Default, Clone, Debug, PartialEq)]
struct Times(BTreeMap<ReplicaText, u64>);

impl ReplicaSet for Times {
    fn insert(&mut self, replica: &ReplicaText, at_ms: u64) {
        self.0.insert(replica.clone(), at_ms);
    }
    fn remove(&mut self, replica: &ReplicaText) {
        self.0.remove(replica);
    }
    fn prune(&mut self, before_ms: u64) {
        self.0.retain(|_, at| *at >= before_ms);
    }
    fn count(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap()
    }
}

struct Engine {
    state: FleetState<Times>,
    terms: Terms,
}

impl Engine {
    fn new() -> Self {
        Self { state: FleetState::default(), terms: Terms::default() }
    }

    fn sync(&mut self, now_ms: u64, replica: &str, change: impl FnOnce(&mut Report<'_>)) -> FleetView {
        let replica = text(replica);
        let mut report = Report::of(&replica);
        report.can_deliver = true;
        change(&mut report);
        merge(&mut self.state, &report, &self.terms, FleetContext { now_ms, born_ms: 0, members: 10 })
    }

    fn unwell(&mut self, now_ms: u64, replica: &str) -> FleetView {
        self.sync(now_ms, replica, |report| (report.open, report.unwell) = (true, Some(CircuitOpen)))
    }

    fn well(&mut self, now_ms: u64, replica: &str) -> FleetView {
        self.sync(now_ms, replica, |_| {})
    }

    fn acknowledge(&mut self, now_ms: u64, replica: &str, claim: &Claim) -> bool {
        acknowledge(&mut self.state.incident, &text(replica), claim, now_ms)
    }
}

const T: u64 = 1_000_000;

#[test]
fn one_claim_at_a_time_and_the_next_when_the_lease_ends() {
    let mut engine = Engine::new();
    assert_eq!(engine.unwell(T, "a").claim, None);
    let claim = engine.unwell(T + 5_000, "b").claim.unwrap();
    assert_eq!((claim.due, claim.open, claim.fence), (DueStage::Initial, 2, 1));
    assert_eq!(engine.unwell(T + 24_999, "a").claim, None);
    let second = engine.unwell(T + 25_000, "a").claim.unwrap();
    assert_eq!((second.epoch, second.fence), (claim.epoch, 2));
    assert!(!engine.acknowledge(T + 25_001, "b", &claim), "its claim is over");
    assert!(!engine.acknowledge(T + 25_001, "b", &second), "it is another's");
    assert!(engine.acknowledge(T + 25_001, "a", &second));
    assert!(!engine.acknowledge(T + 25_001, "a", &second), "once is enough");
}

#[test]
fn a_close_that_was_granted_ends_its_epoch() {
    let mut engine = Engine::new();
    engine.unwell(T, "a");
    let claim = engine.unwell(T + 5_000, "a").claim.unwrap();
    engine.acknowledge(T + 5_001, "a", &claim);
    engine.well(T + 6_000, "a");
    let close = engine.well(T + 16_000, "a").claim.unwrap();
    assert_eq!(close.due, DueStage::Resolved);
    // The close may be on its way: the next report begins another incident, whose page waits until that claim ends.
    let view = engine.unwell(T + 16_001, "b");
    assert!(view.known.epoch > close.epoch && view.known.stage == FleetStage::Pending);
    assert_eq!(engine.unwell(T + 30_000, "b").claim, None);
    assert!(!engine.acknowledge(T + 30_000, "a", &close));
    assert_eq!(engine.unwell(T + 36_000, "b").claim.unwrap().due, DueStage::Initial);
}

#[test]
fn an_incident_of_which_nothing_was_sent_ends_without_a_word() {
    let mut engine = Engine::new();
    engine.unwell(T, "a");
    engine.well(T + 4_000, "a");
    let view = engine.well(T + 14_000, "a");
    assert_eq!((view.claim, view.known.active, view.known.stage), (None, false, FleetStage::Settled));
}

#[test]
fn an_engine_that_forgot_takes_what_replicas_know() {
    let mut engine = Engine::new();
    engine.unwell(T, "a");
    let claim = engine.unwell(T + 5_000, "a").claim.unwrap();
    engine.acknowledge(T + 5_001, "a", &claim);
    let known = engine.unwell(T + 6_000, "a").known;
    engine.state = FleetState::default();
    // A replica without knowledge reports first.
    assert!(engine.unwell(T + 7_000, "b").known.epoch >= known.epoch);
    let view = engine.sync(T + 8_000, "a", |report| {
        (report.open, report.unwell, report.known) = (true, Some(CircuitOpen), known);
    });
    assert_eq!((view.known.stage, view.claim), (FleetStage::Initial, None));
    assert_eq!(engine.unwell(T + 20_000, "b").claim, None, "no second page");
}

#[test]
fn what_was_paged_alone_is_closed_by_the_fleet() {
    let mut engine = Engine::new();
    let kinds = KindSet::default().with(LatencyThreshold).with(CircuitOpen);
    let paged = Paged { kinds, escalated: false };
    let view = engine.sync(T, "a", |report| report.paged = Some(paged));
    assert!(view.known.active && view.known.stage == FleetStage::Initial);
    let claim = engine.well(T + 10_000, "b").claim.unwrap();
    assert_eq!((claim.due, claim.sent), (DueStage::Resolved, kinds));
}

#[test]
fn a_graver_kind_takes_over_and_the_close_names_both() {
    let mut engine = Engine::new();
    engine.sync(T, "a", |report| report.unwell = Some(LatencyThreshold));
    let claim = engine.sync(T + 5_000, "a", |report| report.unwell = Some(LatencyThreshold)).claim.unwrap();
    engine.acknowledge(T + 5_001, "a", &claim);
    let claim = engine.unwell(T + 9_000, "a").claim.unwrap();
    assert_eq!((claim.due, claim.kind), (DueStage::Initial, CircuitOpen));
    assert!(claim.sent.contains(LatencyThreshold));
}

#[test]
fn an_epoch_never_comes_twice() {
    let mut engine = Engine::new();
    let first = engine.unwell(T * 1_000, "a").known.epoch;
    engine.state = FleetState::default();
    assert!(engine.unwell(T * 1_000 + 60_000, "a").known.epoch > first);
}

#[test]
fn a_share_of_the_members_is_rounded_up() {
    let share = PageAt::Millionths(50_000);
    assert_eq!([0, 1, 20, 21, 1_000].map(|members| share.needed(members)), [1, 1, 1, 2, 50]);
    assert_eq!(PageAt::Count(0).needed(10), 1);
    assert_eq!(PageAt::Millionths(u32::MAX).needed(u32::MAX), u32::MAX);
}
