//! Tests which alert replaces which, and what is recorded of sent alerts.

use std::time::{Duration, SystemTime};

use tripline_core::{AlertKind, IncidentCause, IncidentEnd, Latency, StateKind, Trend, TripReason};

use super::*;
use crate::incidents::alert::Snapshot;

const RESOLVED: Stage = Stage::Resolved(IncidentEnd::Healthy);

fn alert(incident: u64, stage: Stage) -> Alert {
    Alert {
        breaker: BreakerName::default(),
        incident,
        kind: AlertKind::CircuitOpen,
        stage,
        announce_reset: false,
        cause: IncidentCause::Trip(TripReason::Latency),
        started_at: SystemTime::UNIX_EPOCH,
        at: SystemTime::UNIX_EPOCH,
        snapshot: Snapshot {
            explanation: None,
            wait_time: Duration::from_secs(10),
            state: StateKind::Open,
            trip_reason: None,
            stalled_at_trip: 0,
            percentile: None,
            threshold: Latency::from_millis(100),
            trend: Trend::Steady,
            memory: None,
            memory_level: None,
        },
        earlier: DeliveryHistory::default(),
        alias: None,
        is_drill: false,
        passed_after: None,
        fleet: None,
        is_test: false,
        family: None,
        key: None,
        page: None,
    }
}

fn earlier(created: DeliveryStatus, escalated: DeliveryStatus) -> DeliveryHistory {
    DeliveryHistory { created, escalated }
}

/// An operation on a queue.
#[derive(Debug, Clone, Copy)]
enum Step {
    Push(u64, Stage),
    /// An attempt begins and fails.
    Fail,
    /// An attempt begins and arrives.
    Arrive,
    /// An attempt begins and would fail every time.
    GiveUp,
}

fn queue_after(steps: &[Step]) -> Queue {
    let mut queue = Queue::default();
    for step in steps {
        match *step {
            Step::Push(incident, stage) => {
                queue.push(alert(incident, stage), 0);
            }
            Step::Fail => {
                queue.begin(0).unwrap();
            }
            Step::Arrive => {
                let (attempt, _) = queue.begin(0).unwrap();
                queue.settle(&attempt, true);
            }
            Step::GiveUp => {
                let (attempt, _) = queue.begin(0).unwrap();
                queue.settle(&attempt, false);
            }
        }
    }
    queue
}

/// The next alert for the sink, with the record of earlier ones.
type Next = Option<(u64, Stage, DeliveryHistory)>;

#[test]
fn the_newest_alert_of_the_oldest_incident_is_sent_and_only_what_was_sent_is_closed() {
    use DeliveryStatus::{Confirmed, NotSent, Unconfirmed};
    use Stage::{Escalated, Initial, Single, Superseded};
    use Step::{Arrive, Fail, GiveUp, Push};
    let table: &[(&[Step], Next)] = &[
        (&[], None),
        (&[Push(1, Initial)], Some((1, Initial, earlier(NotSent, NotSent)))),
        (&[Push(1, Initial), Fail], Some((1, Initial, earlier(Unconfirmed, NotSent)))),
        (&[Push(1, Initial), Push(1, Escalated)], Some((1, Escalated, earlier(NotSent, NotSent)))),
        (&[Push(1, Initial), Fail, Push(1, Escalated)], Some((1, Escalated, earlier(Unconfirmed, NotSent)))),
        (&[Push(1, Initial), Arrive], None),
        (&[Push(1, Initial), Arrive, Push(1, Escalated)], Some((1, Escalated, earlier(Confirmed, NotSent)))),
        (&[Push(1, Initial), Arrive, Push(1, Escalated), Fail], Some((1, Escalated, earlier(Confirmed, Unconfirmed)))),
        (&[Push(1, Initial), GiveUp, Push(1, Escalated)], Some((1, Escalated, earlier(Unconfirmed, NotSent)))),
        // An alert that was never sent is not closed.
        (&[Push(1, RESOLVED)], None),
        (&[Push(1, Initial), Push(1, RESOLVED)], None),
        (&[Push(1, Single), Push(1, Superseded)], None),
        (&[Push(1, Initial), Push(1, Escalated), Push(1, RESOLVED)], None),
        // An alert that may have arrived is closed.
        (&[Push(1, Single), Fail, Push(1, RESOLVED)], Some((1, RESOLVED, earlier(Unconfirmed, NotSent)))),
        (&[Push(1, Single), GiveUp, Push(1, RESOLVED)], Some((1, RESOLVED, earlier(Unconfirmed, NotSent)))),
        (&[Push(1, Single), Arrive, Push(1, RESOLVED)], Some((1, RESOLVED, earlier(Confirmed, NotSent)))),
        (&[Push(1, Escalated), Fail, Push(1, RESOLVED)], Some((1, RESOLVED, earlier(NotSent, Unconfirmed)))),
        (
            &[Push(1, Initial), Arrive, Push(1, Escalated), Arrive, Push(1, RESOLVED), Fail],
            Some((1, RESOLVED, earlier(Confirmed, Confirmed))),
        ),
        (&[Push(1, Single), Arrive, Push(1, RESOLVED), Arrive], None),
        (&[Push(1, Single), Arrive, Push(1, RESOLVED), GiveUp], None),
        // The next incident waits for the end of this one, and disappears if it ends itself before.
        (
            &[Push(1, Single), Fail, Push(1, RESOLVED), Push(2, Single)],
            Some((1, RESOLVED, earlier(Unconfirmed, NotSent))),
        ),
        (
            &[Push(1, Single), Fail, Push(1, RESOLVED), Push(2, Single), Arrive],
            Some((2, Single, earlier(NotSent, NotSent))),
        ),
        (&[Push(1, Single), Fail, Push(1, RESOLVED), Push(2, Single), Push(2, RESOLVED), Arrive], None),
    ];
    for (steps, expected) in table {
        let mut queue = queue_after(steps);
        let next = queue.begin(0).map(|(attempt, _)| attempt.alert);
        let next = next.map(|alert| (alert.incident, alert.stage, alert.earlier));
        assert_eq!(next, *expected, "{steps:?}");
    }
}

#[test]
fn what_comes_during_an_attempt_is_sent_after_it() {
    for (during, after_it) in [(Stage::Escalated, DeliveryStatus::Confirmed), (RESOLVED, DeliveryStatus::Confirmed)] {
        let mut queue = queue_after(&[Step::Push(1, Stage::Initial)]);
        let (attempt, _) = queue.begin(0).unwrap();
        assert!(queue.is_newest(&attempt));
        assert_eq!(queue.push(alert(1, during), 0), Pushed::Waits);
        assert!(!queue.is_newest(&attempt));
        queue.settle(&attempt, true);
        let (next, _) = queue.begin(0).unwrap();
        assert_eq!((next.alert.stage, next.alert.earlier.created), (during, after_it));
    }
}

#[test]
fn an_incident_that_comes_back_while_its_end_is_on_its_way_is_created_anew() {
    let mut queue = queue_after(&[Step::Push(1, Stage::Initial), Step::Arrive, Step::Push(1, Stage::Superseded)]);
    let (end, _) = queue.begin(0).unwrap();
    queue.push(alert(1, Stage::Escalated), 0);
    queue.settle(&end, true);
    let (next, _) = queue.begin(0).unwrap();
    assert_eq!((next.alert.stage, next.alert.earlier), (Stage::Escalated, DeliveryHistory::default()));
}

#[test]
fn a_retry_needs_no_other_save_than_the_first_attempt() {
    let mut queue = Queue::default();
    queue.push(alert(1, Stage::Initial), 1);
    let (first, changed) = queue.begin(2).unwrap();
    assert_eq!((first.revision, changed), (2, true));
    let (again, changed) = queue.begin(3).unwrap();
    assert_eq!((again.revision, changed), (2, false));
}

#[test]
fn however_many_incidents_begin_and_end_little_is_kept_and_the_first_is_closed() {
    let mut queue = queue_after(&[Step::Push(1, Stage::Initial), Step::Fail, Step::Push(1, RESOLVED)]);
    for incident in 2..10_000 {
        queue.push(alert(incident, Stage::Initial), 0);
        assert!(queue.incidents.len() <= 2);
        queue.push(alert(incident, RESOLVED), 0);
    }
    assert_eq!(queue.waiting().collect::<Vec<_>>(), [RESOLVED]);
}

#[test]
fn a_queue_that_is_full_gives_up_what_was_not_sent_before_any_close() {
    let mut queue = queue_after(&[Step::Push(1, Stage::Initial), Step::Fail, Step::Push(1, RESOLVED)]);
    for incident in 2..100 {
        queue.push(alert(incident, Stage::Initial), 0);
    }
    assert_eq!(queue.incidents.len(), QUEUE_CAPACITY);
    assert_eq!(queue.waiting().next(), Some(RESOLVED));
    assert_eq!(queue.incidents.back().unwrap().incident, 99);
}

#[test]
fn what_is_kept_is_put_back_as_it_was() {
    let steps = [
        Step::Push(1, Stage::Initial),
        Step::Arrive,
        Step::Push(1, RESOLVED),
        Step::Fail,
        Step::Push(2, Stage::Single),
    ];
    let queue = queue_after(&steps);
    let record = LaneRecord {
        sink: "log".to_owned(),
        kind: AlertKind::CircuitOpen,
        incidents: queue.record(),
        has_closed_alone: false,
    };
    assert_eq!(record.incidents.len(), 2);
    let restored = Queue::restore(&BreakerName::default(), &record);
    assert_eq!(restored.record(), record.incidents);
}

#[test]
fn a_record_that_makes_no_sense_is_put_back_only_as_far_as_it_does() {
    let entry =
        |incident, earlier, waiting| IncidentRecord { incident, earlier, waiting, alias: None, is_of_fleet: false };
    let sent = earlier(DeliveryStatus::Confirmed, DeliveryStatus::NotSent);
    let mut foreign = alert(3, Stage::Initial);
    foreign.kind = AlertKind::MemoryThreshold;
    let mut incidents = vec![
        entry(1, DeliveryHistory::default(), Some(alert(1, RESOLVED))),
        entry(2, sent, Some(alert(7, RESOLVED))),
        entry(3, DeliveryHistory::default(), Some(foreign)),
        entry(4, DeliveryHistory::default(), None),
    ];
    incidents.extend((5..1_000).map(|incident| entry(incident, sent, None)));
    let record =
        LaneRecord { sink: "log".to_owned(), kind: AlertKind::CircuitOpen, incidents, has_closed_alone: false };
    let restored = Queue::restore(&BreakerName::default(), &record);
    assert!(restored.incidents.len() <= QUEUE_CAPACITY);
    assert!(!restored.is_waiting());
    assert_eq!(restored.incidents.front().unwrap().incident, 2);
}
