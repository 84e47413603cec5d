use std::collections::BTreeMap;
use std::format;
use std::vec::Vec;

use super::*;
use crate::escalation::AlertKind::{CircuitOpen, LatencyThreshold};

mod closed_alone;

#[derive(Default, Clone, Debug, PartialEq)]
struct Times(BTreeMap<ReplicaText, u64>);

impl ReplicaSet for Times {
    fn insert(&mut self, replica: &ReplicaText, at_ms: u64) {
        self.0.insert(replica.clone(), at_ms);
    }
    fn remove(&mut self, replica: &ReplicaText) {
        self.0.remove(replica);
    }
    fn contains(&self, replica: &ReplicaText) -> bool {
        self.0.contains_key(replica)
    }
    fn prune(&mut self, before_ms: u64) {
        self.0.retain(|_, at| *at >= before_ms);
    }
    fn prune_after(&mut self, after_ms: u64) {
        self.0.retain(|_, at| *at <= after_ms);
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

    /// An engine with an incident of this replica, which was paged 5 s after [`T`].
    fn paged(replica: &str) -> Self {
        let mut engine = Self::new();
        engine.unwell(T, replica);
        let page = engine.unwell(T + 5_000, replica).claim.unwrap();
        assert!(engine.acknowledge(T + 5_001, replica, &page));
        engine
    }

    /// The same with a close 16 s after [`T`], which is not repeated yet. Also returns the close.
    fn closed(replica: &str) -> (Self, Claim) {
        let mut engine = Self::paged(replica);
        engine.well(T + 6_000, replica);
        let close = engine.well(T + 16_000, replica).claim.unwrap();
        assert!(engine.acknowledge(T + 16_001, replica, &close));
        (engine, close)
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
    let mut engine = Engine::paged("a");
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
    let mut engine = Engine::paged("a");
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
    let paged = Paged { kinds, confirmed: FleetStage::Initial };
    let view = engine.sync(T, "a", |report| report.paged = Some(paged));
    assert!(view.known.active && view.known.stage == FleetStage::Initial);
    let claim = engine.well(T + 10_000, "b").claim.unwrap();
    assert_eq!((claim.due, claim.sent), (DueStage::Resolved, kinds));
}

/// What an engine's incident may be when a replica returns that paged alone.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum Before {
    Nothing,
    Paged,
    Closing,
    Closed,
    Settled,
    /// The next incident began after the close.
    Next,
}

/// A replica pages alone after its last response, comes back unwell, and is unwell for long: either its page stands, or the fleet sends
/// it, under the same alias.
#[test]
fn who_paged_alone_and_is_still_unwell_has_a_page_that_is_open() {
    use Before::*;
    for left_at in [Nothing, Paged, Closing, Closed, Settled] {
        for came_back_at in [Nothing, Paged, Closing, Closed, Settled, Next].into_iter().filter(|at| *at >= left_at) {
            for confirmed in [FleetStage::Pending, FleetStage::Initial] {
                let mut engine = Engine::new();
                let (mut known, mut claim) = (Known::default(), None);
                let (mut has_left, mut closes_since) = (left_at == Nothing, 0);
                for (step, now) in [Paged, Closing, Closed, Settled, Next].into_iter().zip((T..).step_by(100_000)) {
                    if has_left && came_back_at == Nothing {
                        break;
                    }
                    match step {
                        Nothing | Paged | Next => {
                            engine.unwell(now, "b");
                            claim = engine.unwell(now + 5_000, "b").claim;
                            engine.acknowledge(now + 5_001, "b", &claim.unwrap());
                        }
                        Closing => {
                            engine.well(now, "b");
                            claim = engine.well(now + 10_000, "b").claim;
                            assert_eq!(claim.unwrap().due, DueStage::Resolved);
                        }
                        Closed => assert!(engine.acknowledge(now - 88_000, "b", &claim.unwrap())),
                        Settled => {
                            claim = engine.well(now, "b").claim;
                            assert_eq!(claim.unwrap().due, DueStage::ResolvedAgain);
                            assert!(engine.acknowledge(now + 1, "b", &claim.unwrap()));
                        }
                    }
                    if has_left {
                        closes_since += u32::from([Closing, Settled].contains(&step));
                    }
                    if step == left_at {
                        known = engine.sync(now + 11_000, "a", |report| report.can_deliver = false).known;
                        has_left = true;
                    }
                    if step == came_back_at {
                        break;
                    }
                }
                let case =
                    format!("left at {left_at:?}, back at {came_back_at:?}, {confirmed:?}, {closes_since} closes");
                let paged = self::Paged { kinds: KindSet::default().with(CircuitOpen), confirmed };
                let back = T + 600_000;
                let is_fleets = engine.state.incident.active
                    && !engine.state.incident.closing
                    && engine.state.incident.stage == FleetStage::Initial;
                let view = engine.sync(back, "a", |report| {
                    (report.open, report.unwell) = (true, Some(CircuitOpen));
                    (report.known, report.paged) = (known, Some(paged));
                });
                let mut pages = u32::from(view.claim.is_some_and(|claim| claim.due == DueStage::Initial));
                let later = engine.unwell(back + 60_000, "a");
                pages += u32::from(later.claim.is_some_and(|claim| claim.due == DueStage::Initial));
                // The close of the last step may also have been sent just before the replica left.
                let may_be_closed = closes_since > 0 || [Closing, Closed].contains(&left_at);
                let stands = confirmed == FleetStage::Initial && !may_be_closed || is_fleets;
                assert!(stands || pages > 0, "{case}: the page may be closed, and no other is sent");
                if confirmed == FleetStage::Initial && closes_since == 0 && [Nothing, Paged, Settled].contains(&left_at)
                {
                    assert_eq!(pages, 0, "{case}: a second page");
                }
            }
        }
    }
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
fn a_close_names_only_what_was_sent() {
    let (mut engine, _) = Engine::closed("a");
    // The next incident begins before the close is repeated, is of another kind, and ends before its page.
    engine.sync(T + 17_000, "a", |report| report.unwell = Some(LatencyThreshold));
    engine.well(T + 18_000, "a");
    let close = engine.well(T + 28_000, "a").claim.unwrap();
    assert_eq!((close.due, close.kind), (DueStage::Resolved, CircuitOpen));
    assert!(!close.sent.contains(LatencyThreshold));
    engine.acknowledge(T + 28_001, "a", &close);
    let again = engine.well(T + 48_001, "a").claim.unwrap();
    assert_eq!((again.due, again.kind), (DueStage::ResolvedAgain, CircuitOpen));
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

#[test]
fn no_more_replicas_probe_at_once_than_the_budget() {
    let mut engine = Engine::new();
    engine.terms.probe_millionths = 200_000;
    let mut probe = |now_ms, replica: &str, probe| {
        let view = engine.sync(now_ms, replica, |report| (report.open, report.probe) = (true, probe));
        view.may_probe
    };
    // Two of ten.
    assert!(probe(T, "a", Probe::Asks) && probe(T, "b", Probe::Asks));
    assert!(!probe(T, "c", Probe::Asks));
    assert!(probe(T + 5_000, "a", Probe::Asks), "it has permission already");
    probe(T + 5_000, "b", Probe::Probing);
    // Asking does not extend the permission of a; b probes.
    assert!(probe(T + 5_001, "c", Probe::Asks));
    assert!(!probe(T + 5_001, "a", Probe::Asks));
    probe(T + 10_000, "c", Probe::None);
    assert!(probe(T + 10_001, "a", Probe::Asks));
    assert!(!probe(T + 15_001, "d", Probe::Asks) || !probe(T + 15_001, "c", Probe::Asks), "b probes still");
    assert!(probe(T + 25_001, "c", Probe::Asks), "b has said nothing for too long");
}

#[test]
fn a_budget_is_rounded_down_and_lets_one_replica_probe_at_least() {
    let of = |probe_millionths| Terms { probe_millionths, ..Terms::default() };
    assert_eq!([0, 1, 99, 199, 1_000].map(|members| of(10_000).probes(members)), [1, 1, 1, 1, 10]);
    assert_eq!(of(1_000_000).probes(37), 37);
}

#[test]
fn every_replica_gets_every_command_once_and_in_order() {
    let mut commands = Commands::default();
    let breaker = text("default");
    let newer = |commands: &mut Commands, done, now| commands.newer(done, now).cloned().collect::<Vec<_>>();
    assert_eq!(newer(&mut commands, 0, T), []);
    let first = commands.place(Action::Disable, &breaker, T);
    let second = commands.place(Action::Enable, &breaker, T);
    assert!(second > first);
    let seen = newer(&mut commands, 0, T + COMMAND_LASTS_MS);
    assert_eq!(
        seen.iter().map(|it| (it.number, it.action)).collect::<Vec<_>>(),
        [(first, Action::Disable), (second, Action::Enable)]
    );
    assert_eq!(newer(&mut commands, first, T).len(), 1);
    assert_eq!(newer(&mut commands, second, T), []);
    assert_eq!(newer(&mut commands, 0, T + COMMAND_LASTS_MS + 1), [], "it is too old");
}

#[test]
fn numbers_of_commands_go_on_where_the_engine_forgot_and_its_clock_is_hours_behind() {
    let mut commands = Commands::default();
    let first = commands.place(Action::Reset, &text("a"), 10 * T);
    commands = Commands::default();
    assert_eq!(commands.newer(first, T).count(), 0);
    let second = commands.place(Action::Disable, &text("a"), T);
    assert!(second > first);
    assert_eq!(commands.newer(first, T + 5_000).map(|it| it.number).collect::<Vec<_>>(), [second]);
}

#[test]
fn the_oldest_command_makes_room() {
    let mut commands = Commands::default();
    let numbers: Vec<u64> = (0..20).map(|at| commands.place(Action::Reset, &text("a"), T + at)).collect();
    let kept: Vec<u64> = commands.newer(0, T + 20).map(|it| it.number).collect();
    let newest: Vec<u64> = numbers.into_iter().skip(20 - MAX_COMMANDS).collect();
    assert_eq!(kept, newest);
    assert_eq!(Action::ALL.map(|action| Action::from_name(action.as_str())), Action::ALL.map(Some));
}

#[test]
fn an_engine_whose_clock_is_set_back_by_hours_goes_on() {
    const BACK: u64 = 900_000;
    let mut engine = Engine::new();
    engine.unwell(T, "a");
    let claim = engine.unwell(T + 5_000, "b").claim.unwrap();
    // Its claimant dies, and the clock is set back before the lease ends.
    let at = T + 6_000 - BACK;
    assert_eq!(engine.unwell(at, "a").claim, None);
    assert_eq!((engine.well(at, "c").open, engine.state.incident.started_ms), (1, at), "b has not said it again");
    let second = engine.unwell(at + 20_000, "a").claim.unwrap();
    assert!(second.fence > claim.fence);
    assert!(engine.acknowledge(at + 20_001, "a", &second));
    engine.well(at + 21_000, "a");
    assert_eq!(engine.well(at + 31_000, "a").claim.unwrap().due, DueStage::Resolved);
}

#[test]
fn an_earlier_claim_of_the_same_replica_is_not_acknowledged() {
    let mut engine = Engine::new();
    engine.unwell(T, "a");
    let first = engine.unwell(T + 5_000, "a").claim.unwrap();
    let second = engine.unwell(T + 25_000, "a").claim.unwrap();
    assert!(!engine.acknowledge(T + 25_001, "a", &first), "its lease is over");
    assert!(engine.acknowledge(T + 25_001, "a", &second));
}

#[test]
fn a_close_is_sent_once_more_a_lease_later() {
    let (mut engine, close) = Engine::closed("a");
    assert_eq!(engine.well(T + 36_000, "a").claim, None);
    let again = engine.well(T + 36_001, "b").claim.unwrap();
    assert_eq!((again.due, again.epoch), (DueStage::ResolvedAgain, close.epoch));
    assert!(engine.acknowledge(T + 36_002, "b", &again));
    assert_eq!(engine.well(T + 90_000, "a").known.stage, FleetStage::Settled);
}
