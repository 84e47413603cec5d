//! Tests how policy changes, restarts and extreme instants affect an active incident.

use super::*;

#[test]
fn new_settings_count_from_the_beginning_of_the_incident_that_is_on() {
    let mut stand = Stand::new(60, 300);
    stand.begin(10, LATENCY);
    assert_eq!(stand.retune(|policy| policy.escalate_after = Duration::from_secs(600)), []);
    assert_eq!((stand.at(100), stand.deadline_s()), (Vec::new(), Some(610)));
    let sent = stand.retune(|policy| policy.escalate_after = Duration::from_secs(30));
    assert_eq!(sent, [(1, CircuitOpen, Escalated)]);
    stand.end(110, IncidentEnd::Operator);
    assert_eq!(stand.begin(120, LATENCY), []);
    assert_eq!(stand.retune(|policy| policy.cooldown = Duration::ZERO), [(2, CircuitOpen, Initial)]);
}

#[test]
fn pending_says_what_comes_next() {
    let pending = |stand: &Stand| stand.staging.pending().map(|it| (it.kind, it.stage, it.due));
    let s = |s: u64| Some(MonotonicInstant::from_millis(s * 1_000));
    let mut stand = Stand::new(60, 300);
    assert_eq!(pending(&stand), None);
    stand.begin(10, LATENCY);
    assert_eq!(pending(&stand), Some((CircuitOpen, Some(Initial), s(70))));
    stand.bad(80, false);
    assert_eq!(pending(&stand), Some((CircuitOpen, Some(Initial), None)));
    stand.bad(90, true);
    assert_eq!(pending(&stand), None);
    stand.end(100, IncidentEnd::Healthy);
    assert_eq!(pending(&stand), None);
    stand.begin(110, LATENCY);
    assert_eq!(pending(&stand), Some((CircuitOpen, None, s(310))));
}

#[test]
fn a_stage_that_fell_due_while_the_process_was_away_fires_once() {
    let mut stand = Stand::new(60, 300);
    stand.begin(10, LATENCY);
    stand.restart(20, 3_600);
    assert_eq!(stand.at(0), [(1, CircuitOpen, Escalated)]);
    assert_eq!(stand.at(100), []);
    stand.restart(110, 10);
    assert_eq!(stand.at(1), []);
    assert_eq!(stand.end(2, IncidentEnd::Healthy), [(1, CircuitOpen, HEALTHY)]);
}

#[test]
fn a_stage_and_a_cooldown_that_are_not_due_yet_keep_their_time() {
    let mut stand = Stand::new(60, 300);
    stand.begin(10, LATENCY);
    stand.restart(20, 5);
    assert_eq!((stand.at(0), stand.deadline_s()), (Vec::new(), Some(45)));
    assert_eq!(stand.at(45), [(1, CircuitOpen, Escalated)]);
    stand.end(50, IncidentEnd::Healthy);
    stand.restart(60, 15);
    assert_eq!((stand.begin(1, LATENCY), stand.deadline_s()), (Vec::new(), Some(300 - 15 - 15 - 60)));
}

#[test]
fn a_restart_before_the_first_alert_tells_it_afterwards_and_a_takeover_is_not_repeated() {
    let mut stand = Stand::new(0, 300);
    stand.begin(10, LATENCY);
    stand.end(20, IncidentEnd::Operator);
    stand.begin(30, LATENCY);
    stand.restart(40, 1_000);
    assert_eq!(stand.at(0), [(1, CircuitOpen, Single)]);

    let mut stand = Stand::with(Triggers { breaker_open: false, ..Triggers::default() }, 0, 300);
    stand.begin(10, CONDITION);
    stand.trip(20, TripReason::Latency);
    stand.retune(|policy| policy.triggers.breaker_open = true);
    stand.restart(30, 0);
    assert_eq!(stand.at(0), []);
    let mut stand = Stand::new(0, 300);
    stand.begin(10, CONDITION);
    stand.restart(30, 0);
    assert_eq!(stand.trip(1, TripReason::Latency).len(), 2, "but one that was not sent yet is");
}

#[test]
fn what_was_told_of_an_incident_that_the_breaker_knows_nothing_of_is_closed() {
    let mut stand = Stand::new(0, 300);
    stand.begin(10, LATENCY);
    stand.restart(20, 0);
    stand.look.incident = None;
    assert_eq!(stand.at(0), [(1, CircuitOpen, OPERATOR)]);
}

#[test]
fn the_longest_times_overflow_nothing() {
    let mut stand = Stand::new(u64::MAX, u64::MAX);
    assert_eq!(stand.begin(10, LATENCY), [(1, CircuitOpen, Initial)]);
    stand.look.at = MonotonicInstant::from_nanos(u64::MAX / 2 - 1);
    assert_eq!(stand.sent(), []);
    let ages = SavedEscalation {
        incident: Some(SavedIncident { age: Duration::MAX, tripped: true, alert: Some((CircuitOpen, Initial)) }),
        created_ago: [Some(Duration::MAX); 3],
    };
    stand.staging = Escalation::restore(EscalationPolicy::default(), MonotonicInstant::MAX, 1, &ages);
    assert_eq!(stand.sent(), [(1, CircuitOpen, Escalated)]);
}
