//! Tests every stage on hand-made observations.

mod over_time;

use std::vec::Vec;

use super::*;
use crate::monotonic::MonotonicInstant;

const LATENCY: IncidentCause = IncidentCause::Trip(TripReason::Latency);
const CONDITION: IncidentCause = IncidentCause::LatencyCondition;
const HEALTHY: Stage = Stage::Resolved(IncidentEnd::Healthy);
const OPERATOR: Stage = Stage::Resolved(IncidentEnd::Operator);

use AlertKind::{CircuitOpen, LatencyThreshold, MemoryThreshold};
use Stage::{Escalated, Initial, Single, Superseded};

/// An escalation with the observations that it is given.
#[derive(Clone)]
struct Stand {
    staging: Escalation,
    look: Observation,
}

impl Stand {
    fn new(escalate_after_s: u64, cooldown_s: u64) -> Self {
        Self::with(Triggers::default(), escalate_after_s, cooldown_s)
    }

    fn with(triggers: Triggers, escalate_after_s: u64, cooldown_s: u64) -> Self {
        let policy = EscalationPolicy {
            triggers,
            escalate_after: Duration::from_secs(escalate_after_s),
            cooldown: Duration::from_secs(cooldown_s),
        };
        Self {
            staging: Escalation::new(policy),
            look: Observation { at: MonotonicInstant::ZERO, incident: None, is_unhealthy: false },
        }
    }

    fn retune(&mut self, change: impl FnOnce(&mut EscalationPolicy)) -> Vec<(u32, AlertKind, Stage)> {
        let mut policy = *self.staging.policy();
        change(&mut policy);
        self.staging.handle_policy(policy);
        self.sent()
    }

    fn sent(&mut self) -> Vec<(u32, AlertKind, Stage)> {
        self.staging.handle(self.look);
        std::iter::from_fn(|| self.staging.poll_transition()).map(|it| (it.incident, it.kind, it.stage)).collect()
    }

    fn at(&mut self, s: u64) -> Vec<(u32, AlertKind, Stage)> {
        self.look.at = MonotonicInstant::from_millis(s * 1_000);
        self.sent()
    }

    fn begin(&mut self, s: u64, cause: IncidentCause) -> Vec<(u32, AlertKind, Stage)> {
        self.starts(s, cause);
        self.sent()
    }

    /// Starts an incident without calling `handle`.
    fn starts(&mut self, s: u64, cause: IncidentCause) {
        let last = self.look.incident;
        self.look.at = MonotonicInstant::from_millis(s * 1_000);
        self.look.is_unhealthy = cause != CONDITION;
        self.look.incident = Some(Incident {
            number: last.map_or(1, |last| last.number + 1),
            began_at: self.look.at,
            cause,
            trip: if let IncidentCause::Trip(reason) = cause { Some(reason) } else { None },
            end: None,
            end_before: last.and_then(|last| last.end),
        });
    }

    fn trip(&mut self, s: u64, reason: TripReason) -> Vec<(u32, AlertKind, Stage)> {
        self.look.is_unhealthy = true;
        self.look.incident.as_mut().unwrap().trip = Some(reason);
        self.at(s)
    }

    fn bad(&mut self, s: u64, is_unhealthy: bool) -> Vec<(u32, AlertKind, Stage)> {
        self.look.is_unhealthy = is_unhealthy;
        self.at(s)
    }

    fn end(&mut self, s: u64, end: IncidentEnd) -> Vec<(u32, AlertKind, Stage)> {
        self.ends(end);
        self.at(s)
    }

    fn ends(&mut self, end: IncidentEnd) {
        self.look.is_unhealthy = false;
        self.look.incident.as_mut().unwrap().end = Some(end);
    }

    /// Kills the process at `killed_s` and starts it again `away_s` later, on a clock that starts at zero.
    fn restart(&mut self, killed_s: u64, away_s: u64) {
        assert_eq!(self.at(killed_s), []);
        let mut saved = self.staging.save();
        let away = Duration::from_secs(away_s);
        if let Some(incident) = &mut saved.incident {
            incident.age += away;
        }
        for age in saved.created_ago.iter_mut().flatten() {
            *age += away;
        }
        self.look.at = MonotonicInstant::ZERO;
        if let Some(incident) = self.look.incident.as_mut() {
            incident.number = 1;
            incident.began_at = MonotonicInstant::ZERO;
            incident.end_before = None;
        }
        self.staging = Escalation::restore(*self.staging.policy(), MonotonicInstant::ZERO, 1, &saved);
    }

    fn deadline_s(&self) -> Option<u64> {
        self.staging.poll_timeout().map(|at| at.as_nanos() / 1_000_000_000)
    }
}

#[test]
fn without_stages_there_is_one_alert_and_its_resolution() {
    let mut stand = Stand::new(0, 300);
    assert_eq!(stand.begin(10, LATENCY), [(1, CircuitOpen, Single)]);
    assert_eq!((stand.at(10_000), stand.deadline_s()), (Vec::new(), None));
    assert_eq!(stand.end(20_000, IncidentEnd::Healthy), [(1, CircuitOpen, HEALTHY)]);
    assert_eq!(stand.at(30_000), []);
}

#[test]
fn an_incident_that_stays_escalates_once_when_it_is_due() {
    let mut stand = Stand::new(60, 300);
    assert_eq!(stand.begin(10, LATENCY), [(1, CircuitOpen, Initial)]);
    assert_eq!(stand.deadline_s(), Some(70));
    assert_eq!(stand.at(69), []);
    assert_eq!(stand.at(70), [(1, CircuitOpen, Escalated)]);
    assert_eq!((stand.at(700), stand.deadline_s()), (Vec::new(), None));
    assert_eq!(stand.end(800, IncidentEnd::Operator), [(1, CircuitOpen, OPERATOR)]);
}

#[test]
fn an_incident_that_ends_before_it_is_due_never_escalates() {
    let mut stand = Stand::new(60, 300);
    stand.begin(10, LATENCY);
    assert_eq!(stand.end(69, IncidentEnd::Healthy), [(1, CircuitOpen, HEALTHY)]);
    assert_eq!((stand.bad(70, true), stand.deadline_s()), (Vec::new(), None));
}

#[test]
fn an_escalation_that_is_due_waits_for_the_next_breach() {
    let mut stand = Stand::new(60, 300);
    stand.begin(10, LATENCY);
    assert_eq!(stand.bad(40, false), []);
    assert!(!stand.staging.waits_for_breach());
    assert_eq!(stand.at(70), []);
    assert!(stand.staging.waits_for_breach());
    assert_eq!(stand.deadline_s(), None);
    assert_eq!(stand.bad(90, true), [(1, CircuitOpen, Escalated)]);
    assert!(!stand.staging.waits_for_breach());
}

#[test]
fn a_trip_inside_the_incident_sends_nothing_new() {
    let mut stand = Stand::new(60, 0);
    stand.begin(10, LATENCY);
    stand.bad(20, false);
    assert_eq!(stand.trip(30, TripReason::Memory), []);
    assert_eq!(stand.at(70), [(1, CircuitOpen, Escalated)]);
    stand.bad(80, false);
    assert_eq!(stand.bad(90, true), []);
}

#[test]
fn the_cooldown_delays_the_first_alert_of_the_next_incident() {
    let mut stand = Stand::new(0, 300);
    stand.begin(10, LATENCY);
    stand.end(20, IncidentEnd::Operator);
    assert_eq!((stand.begin(30, LATENCY), stand.deadline_s()), (Vec::new(), Some(310)));
    assert_eq!(stand.at(309), []);
    assert_eq!(stand.at(310), [(2, CircuitOpen, Single)]);
    assert_eq!(stand.end(320, IncidentEnd::Operator), [(2, CircuitOpen, OPERATOR)]);
}

#[test]
fn a_delayed_alert_comes_at_the_stage_that_is_due() {
    for (is_unhealthy, stage) in [(true, Escalated), (false, Initial)] {
        let mut stand = Stand::new(60, 300);
        stand.begin(10, LATENCY);
        stand.end(20, IncidentEnd::Operator);
        stand.begin(100, LATENCY);
        stand.bad(200, is_unhealthy);
        assert_eq!(stand.at(310), [(2, CircuitOpen, stage)]);
    }
    let mut stand = Stand::new(600, 300);
    stand.begin(10, LATENCY);
    stand.end(20, IncidentEnd::Operator);
    stand.begin(100, LATENCY);
    assert_eq!((stand.at(310), stand.deadline_s()), (std::vec![(2, CircuitOpen, Initial)], Some(700)));
}

#[test]
fn an_incident_that_ends_in_the_cooldown_is_never_told_nor_closed() {
    let mut stand = Stand::new(0, 300);
    stand.begin(10, LATENCY);
    stand.end(20, IncidentEnd::Operator);
    for s in (30..300).step_by(20) {
        assert_eq!(stand.begin(s, LATENCY), []);
        assert_eq!(stand.end(s + 10, IncidentEnd::Operator), []);
    }
    assert_eq!(stand.begin(310, LATENCY).len(), 1, "counted from the last creation, not from the last incident");
}

#[test]
fn the_cooldown_is_counted_per_kind() {
    let mut stand = Stand::new(0, 300);
    stand.begin(10, LATENCY);
    stand.end(20, IncidentEnd::Operator);
    assert_eq!(stand.begin(30, CONDITION), [(2, LatencyThreshold, Single)]);
    stand.end(40, IncidentEnd::Healthy);
    assert_eq!(stand.begin(50, LATENCY), []);
    assert_eq!(stand.deadline_s(), Some(310));
}

#[test]
fn no_cooldown_delays_nothing() {
    let mut stand = Stand::new(0, 0);
    for number in 1..50 {
        assert_eq!(stand.begin(10, LATENCY), [(number, CircuitOpen, Single)]);
        assert_eq!(stand.end(10, IncidentEnd::Operator), [(number, CircuitOpen, OPERATOR)]);
    }
}

#[test]
fn the_cooldown_touches_neither_escalation_nor_close() {
    let mut stand = Stand::new(5, 300);
    stand.begin(10, LATENCY);
    assert_eq!(stand.at(15), [(1, CircuitOpen, Escalated)]);
    assert_eq!(stand.end(16, IncidentEnd::Healthy), [(1, CircuitOpen, HEALTHY)]);
}

#[test]
fn every_combination_of_triggers_tells_of_every_cause_as_its_kind() {
    for bits in 0..16_u8 {
        let triggers = Triggers {
            breaker_open: bits & 1 > 0,
            memory_threshold: bits & 2 > 0,
            latency_threshold: bits & 4 > 0,
            breaker_reset: bits & 8 > 0,
        };
        let causes = TripReason::ALL.map(IncidentCause::Trip).into_iter().chain([CONDITION]);
        #[cfg(feature = "forecast")]
        let causes = causes.chain([IncidentCause::MemoryCondition]);
        for cause in causes {
            let own = match cause {
                IncidentCause::Trip(TripReason::Failures) => None,
                IncidentCause::Trip(TripReason::Memory | TripReason::MemoryAndLatency) => {
                    triggers.memory_threshold.then_some(MemoryThreshold)
                }
                #[cfg(feature = "forecast")]
                IncidentCause::Trip(TripReason::MemoryForecast) | IncidentCause::MemoryCondition => {
                    triggers.memory_threshold.then_some(MemoryThreshold)
                }
                _ => triggers.latency_threshold.then_some(LatencyThreshold),
            };
            let trips = matches!(cause, IncidentCause::Trip(_));
            let kind = if triggers.breaker_open && trips { Some(CircuitOpen) } else { own };
            let expected: Vec<_> = kind.into_iter().map(|kind| (1, kind, Single)).collect();
            let mut stand = Stand::with(triggers, 0, 300);
            assert_eq!(stand.begin(10, cause), expected, "{triggers:?} {cause:?}");
            let expected: Vec<_> = kind.into_iter().map(|kind| (1, kind, HEALTHY)).collect();
            assert_eq!(stand.end(20, IncidentEnd::Healthy), expected, "{triggers:?} {cause:?}");
        }
    }
}

#[test]
fn a_trigger_that_is_switched_off_does_not_keep_an_alert_open_nor_stop_its_escalation() {
    let mut stand = Stand::new(60, 300);
    stand.begin(10, LATENCY);
    let off = Triggers { breaker_open: false, memory_threshold: false, latency_threshold: false, breaker_reset: false };
    assert_eq!(stand.retune(|policy| policy.triggers = off), []);
    assert_eq!(stand.at(70), [(1, CircuitOpen, Escalated)]);
    assert_eq!(stand.end(80, IncidentEnd::Healthy), [(1, CircuitOpen, HEALTHY)]);
    assert_eq!(stand.begin(900, LATENCY), []);
    assert_eq!(stand.retune(|policy| policy.triggers = Triggers::default()), [(2, CircuitOpen, Initial)]);
}

#[test]
fn a_trip_takes_over_from_a_condition_at_the_stage_that_it_has_reached() {
    let mut stand = Stand::new(60, 300);
    assert_eq!(stand.begin(10, CONDITION), [(1, LatencyThreshold, Initial)]);
    let took_over = [(1, CircuitOpen, Initial), (1, LatencyThreshold, Superseded)];
    assert_eq!(stand.trip(30, TripReason::LatencyRising), took_over);
    assert_eq!(stand.at(70), [(1, CircuitOpen, Escalated)]);
    assert_eq!(stand.end(80, IncidentEnd::Healthy), [(1, CircuitOpen, HEALTHY)]);
}

#[test]
fn what_takes_over_when_the_escalation_is_due_is_escalated_and_a_single_alert_stays_one() {
    let mut stand = Stand::new(60, 300);
    stand.begin(10, CONDITION);
    assert_eq!(stand.at(100), []);
    let took_over = [(1, CircuitOpen, Escalated), (1, LatencyThreshold, Superseded)];
    assert_eq!(stand.trip(110, TripReason::Latency), took_over);

    let mut stand = Stand::new(60, 300);
    stand.begin(10, CONDITION);
    assert_eq!(stand.bad(70, true), [(1, LatencyThreshold, Escalated)]);
    assert_eq!(stand.trip(110, TripReason::Latency), took_over);

    let mut stand = Stand::new(0, 300);
    stand.begin(10, CONDITION);
    let took_over = [(1, CircuitOpen, Single), (1, LatencyThreshold, Superseded)];
    assert_eq!(stand.trip(110, TripReason::Latency), took_over);
}

#[test]
fn a_takeover_waits_for_no_cooldown_and_starts_one() {
    let mut stand = Stand::new(0, 300);
    stand.begin(10, LATENCY);
    stand.end(20, IncidentEnd::Operator);
    stand.begin(30, CONDITION);
    assert_eq!(stand.trip(40, TripReason::Latency).len(), 2);
    stand.end(50, IncidentEnd::Operator);
    assert_eq!((stand.begin(320, LATENCY), stand.deadline_s()), (Vec::new(), Some(340)));
}

#[test]
fn a_trip_of_the_same_kind_or_of_none_takes_nothing_over() {
    let quiet = Triggers { breaker_open: false, ..Triggers::default() };
    for reason in [TripReason::Latency, TripReason::Failures] {
        let mut stand = Stand::with(quiet, 60, 300);
        stand.begin(10, CONDITION);
        assert_eq!(stand.trip(30, reason), []);
        assert_eq!(stand.at(70), [(1, LatencyThreshold, Escalated)]);
        assert_eq!(stand.end(80, IncidentEnd::Healthy), [(1, LatencyThreshold, HEALTHY)]);
    }
    let mut stand = Stand::with(quiet, 60, 300);
    stand.begin(10, CONDITION);
    let took_over = [(1, MemoryThreshold, Initial), (1, LatencyThreshold, Superseded)];
    assert_eq!(stand.trip(30, TripReason::Memory), took_over);
}

#[test]
fn a_condition_that_nobody_was_told_of_is_told_by_its_trip() {
    let mut stand = Stand::with(Triggers { latency_threshold: false, ..Triggers::default() }, 60, 300);
    assert_eq!(stand.begin(10, CONDITION), []);
    assert_eq!(stand.trip(30, TripReason::Latency), [(1, CircuitOpen, Initial)]);
}

#[test]
fn an_incident_that_ended_and_the_next_that_began_between_two_looks_are_both_told() {
    for (end, stage) in [(IncidentEnd::Operator, OPERATOR), (IncidentEnd::Healthy, HEALTHY)] {
        let mut stand = Stand::new(0, 0);
        stand.begin(10, LATENCY);
        stand.ends(end);
        assert_eq!(stand.begin(20, LATENCY), [(1, CircuitOpen, stage), (2, CircuitOpen, Single)]);
    }
}

#[test]
fn an_incident_that_came_and_went_between_two_looks_is_not_told() {
    let mut stand = Stand::new(0, 0);
    stand.starts(10, LATENCY);
    assert_eq!(stand.end(20, IncidentEnd::Operator), []);
    stand.begin(30, LATENCY);
    stand.ends(IncidentEnd::Operator);
    stand.starts(40, LATENCY);
    assert_eq!(stand.end(50, IncidentEnd::Operator), [(2, CircuitOpen, OPERATOR)], "and the one before it is closed");
    assert_eq!(stand.at(60), []);
}

#[test]
fn what_was_taken_over_is_closed_though_the_incident_ends_at_the_same_look() {
    let mut stand = Stand::new(0, 0);
    stand.begin(10, CONDITION);
    stand.look.incident.as_mut().unwrap().trip = Some(TripReason::Latency);
    stand.staging.handle(stand.look);
    assert_eq!(stand.staging.poll_transition().map(|notice| notice.kind), Some(CircuitOpen));
    let closed = [(1, LatencyThreshold, Superseded), (1, CircuitOpen, HEALTHY)];
    assert_eq!(stand.end(20, IncidentEnd::Healthy), closed);
}
