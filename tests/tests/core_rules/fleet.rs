//! The rule of a fleet against a naive model that stores and scans every report.

use proptest::prelude::*;
use tripline_core::AlertKind;
use tripline_core::fleet::{
    Claim, DueStage, FleetContext, FleetStage, FleetState, FleetView, Known, Report, Terms, acknowledge, merge, text,
};
use tripline_runtime::test_util::ReplicaTimes;

/// One report, or one acknowledgement, as it was made.
#[derive(Debug, Clone)]
struct Entry {
    at: u64,
    replica: usize,
    open: bool,
    unwell: Option<AlertKind>,
    can_deliver: bool,
    view: FleetView,
    acknowledged: Option<u64>,
}

/// All that was ever said.
#[derive(Default)]
struct History(Vec<Entry>);

impl History {
    /// The last report of each replica that is not older than `lasts`.
    fn count(&self, now: u64, lasts: u64, holds: impl Fn(&Entry) -> bool) -> u32 {
        let last = |replica: usize| self.0.iter().rev().find(|it| it.replica == replica);
        let counts = (0..4).filter_map(last).filter(|it| it.at + lasts >= now && holds(it));
        u32::try_from(counts.count()).unwrap()
    }

    /// Whether some report within the last `span` found an unwell replica, or there is no report that old.
    fn was_unwell_within(&self, now: u64, span: u64) -> bool {
        self.0
            .iter()
            .rev()
            .find(|it| it.at + span <= now)
            .is_none_or(|_| self.0.iter().any(|it| it.at + span > now && it.view.unwell > 0))
    }

    /// The claim that is held at `now`: granted, its lease not over, and neither acknowledged nor given back.
    fn held(&self, now: u64, lease: u64) -> Option<(usize, Claim)> {
        let (place, granted) = self.0.iter().enumerate().rev().find(|(_, it)| it.view.claim.is_some())?;
        let claim = granted.view.claim?;
        let is_over = self.0[place + 1..].iter().any(|it| {
            it.acknowledged == Some(claim.fence)
                || it.replica == granted.replica && it.acknowledged.is_none() && !it.can_deliver
        });
        (granted.at + lease > now && !is_over).then_some((granted.replica, claim))
    }
}

#[derive(Debug, Clone)]
enum Step {
    Report { replica: usize, open: bool, unwell: Option<AlertKind>, can_deliver: bool },
    Acknowledge,
}

fn step() -> impl Strategy<Value = (u64, Step)> {
    let unwell = prop_oneof![
        3 => Just(None),
        2 => Just(Some(AlertKind::CircuitOpen)),
        1 => Just(Some(AlertKind::LatencyThreshold)),
    ];
    let report = (0..4_usize, any::<bool>(), unwell, any::<bool>())
        .prop_map(|(replica, open, unwell, can_deliver)| Step::Report { replica, open, unwell, can_deliver });
    (prop_oneof![0..2_000_u64, 0..20_000_u64], prop_oneof![5 => report, 2 => Just(Step::Acknowledge)])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_fleet_counts_claims_and_ends_as_its_history_says(steps in proptest::collection::vec(step(), 1..120)) {
        let mut terms = Terms::default();
        (terms.escalate_after_ms, terms.hold_ms) = (40_000, 30_000);
        let names = ["a", "b", "c", "d"].map(text);
        let mut state = FleetState::<ReplicaTimes>::default();
        let mut history = History::default();
        let (mut now, mut known) = (1_700_000_000_000, Known::default());
        for (passes, step) in steps {
            now += passes;
            let held = history.held(now, terms.lease_ms);
            match step {
                Step::Report { replica, open, unwell, can_deliver } => {
                    let mut report = Report::of(&names[replica]);
                    (report.open, report.unwell, report.can_deliver) = (open, unwell, can_deliver);
                    report.known = known;
                    let view = merge(&mut state, &report, &terms, FleetContext { now_ms: now, born_ms: 0, members: 4 });
                    let before = known;
                    known = view.known;
                    history.0.push(Entry { at: now, replica, open, unwell, can_deliver, view: view.clone(), acknowledged: None });

                    // The counts are those of the last words.
                    prop_assert_eq!(view.open, history.count(now, terms.ttl_ms, |it| it.open));
                    prop_assert_eq!(view.unwell, history.count(now, terms.hold_ms, |it| it.unwell.is_some()));
                    // Nothing goes back.
                    prop_assert!(view.known.epoch >= before.epoch);
                    if view.known.epoch == before.epoch && view.known.kind == before.kind {
                        prop_assert!(view.known.stage >= before.stage);
                    }
                    // An incident runs while one is unwell.
                    prop_assert!(view.unwell == 0 || view.known.active);
                    let Some(claim) = view.claim else { continue };
                    // One claim at a time.
                    let given_back = held.is_some_and(|(holder, _)| holder == replica && !can_deliver);
                    prop_assert!(held.is_none() || given_back, "{:?} is still held", held);
                    prop_assert!(can_deliver);
                    match claim.due {
                        DueStage::Initial => {
                            prop_assert!(view.unwell > 0 && view.known.age_ms >= terms.gather_ms);
                            prop_assert_eq!(view.known.stage, FleetStage::Pending);
                        }
                        DueStage::Escalated => {
                            prop_assert!(view.unwell > 0 && view.known.age_ms >= terms.escalate_after_ms);
                            prop_assert_eq!(view.known.stage, FleetStage::Initial);
                        }
                        DueStage::Note => prop_assert!(view.open >= 2),
                        DueStage::Resolved => {
                            prop_assert_eq!(view.unwell, 0);
                            prop_assert!(!history.was_unwell_within(now, terms.settle_ms));
                            prop_assert!(!claim.sent.is_empty());
                        }
                        DueStage::ResolvedAgain => prop_assert!(view.unwell == 0 && !view.known.active),
                    }
                }
                Step::Acknowledge => {
                    let Some((holder, claim)) = held else { continue };
                    let is_current = claim.epoch == state.incident.epoch;
                    let done = acknowledge(&mut state.incident, &names[holder], &claim, now);
                    prop_assert_eq!(done, is_current);
                    if let (true, Some(mut entry)) = (done, history.0.last().cloned()) {
                        (entry.at, entry.replica, entry.acknowledged) = (now, usize::MAX, Some(claim.fence));
                        entry.view.claim = None;
                        history.0.push(entry);
                    }
                }
            }
        }
    }
}
