//! Stages as requests to the alert service, over real sockets: `OpsGenie` and its successor.
#![cfg(feature = "opsgenie")]
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::alert_service;

use std::sync::Arc;
use std::time::Duration;

use alert_service::{AlertService, Fault, Reply, alert, config, deliver, eventually, impatient, patient, stage};
use futures_lite::future::block_on;
use tripline_backends::alerts::opsgenie::OpsGenieSink;
use tripline_backends::alerts::{PageRules, SharedRules, Staged};
use tripline_backends::config::{OpsGenie, Priority, Provider};
use tripline_runtime::core::{IncidentEnd, Latency, Outcome, Policy};
use tripline_runtime::test_util::ManualClock;
use tripline_runtime::{
    AlertKind, AlertSink as _, Breaker, BreakerName, Clock as _, DeliveryError, DeliveryStatus, Stage,
    SupervisedBreaker, supervise,
};

use DeliveryStatus::{Confirmed, NotSent, Unconfirmed};

const ALIAS: &str = "shop/check out-circuit-open";
const OVER: Stage = Stage::Resolved(IncidentEnd::Healthy);
/// The alias as encoded in a path.
const PATH: &str = "/v2/alerts/shop%2Fcheck%20out-circuit-open";

fn sink(service: &AlertService) -> OpsGenieSink {
    OpsGenieSink::new(config(&service.url()), patient())
}

fn jsm(service: &AlertService) -> OpsGenieSink {
    let mut config = config(&service.url());
    config.provider = Provider::Jsm;
    OpsGenieSink::new(config, patient())
}

fn open(alerts: &[(&str, &str)]) -> Vec<(String, String)> {
    alerts.iter().map(|(alias, priority)| ((*alias).to_owned(), (*priority).to_owned())).collect()
}

#[test]
fn an_alert_counts_as_delivered_when_the_service_has_done_what_it_took() {
    let service = AlertService::opsgenie();
    service.done_after_looks(2);
    assert_eq!(deliver(&sink(&service), &alert(Stage::Single)), Ok(3));
    assert_eq!(service.open(), open(&[(ALIAS, "P2")]));
    assert_eq!(service.changes().len(), 1);
}

#[test]
fn an_escalation_raises_the_priority_with_a_note_and_the_end_closes_the_one_alert() {
    let service = AlertService::opsgenie();
    let (sink, first) = (sink(&service), alert(Stage::Initial));
    deliver(&sink, &first).unwrap();
    assert_eq!(service.open(), open(&[(ALIAS, "P3")]));
    deliver(&sink, &stage(&first, Stage::Escalated, Confirmed, NotSent)).unwrap();
    assert_eq!(service.open(), open(&[(ALIAS, "P1")]));
    let note = service.alerts()[0].notes[0].clone();
    assert!(
        note.starts_with("[production] Circuit Breaker OPEN - shop/check out\nStill ongoing after 60 s."),
        "{note}"
    );
    deliver(&sink, &stage(&first, OVER, Confirmed, Confirmed)).unwrap();
    assert_eq!(service.open(), open(&[]));
    let put = |action: &str| format!("{PATH}/{action}?identifierType=alias");
    let expected = [
        "POST /v2/alerts".to_owned(),
        format!("PUT {}", put("priority")),
        format!("POST {}", put("notes")),
        format!("POST {}", put("close")),
    ];
    assert_eq!(service.changes(), expected);
}

#[test]
fn an_escalation_without_an_alert_opens_one_at_its_priority() {
    let service = AlertService::opsgenie();
    let sink = sink(&service);
    deliver(&sink, &alert(Stage::Escalated)).unwrap();
    assert_eq!(service.open(), open(&[(ALIAS, "P1")]));
    // The same after an alert was closed by hand.
    let mut other = alert(Stage::Initial);
    other.kind = AlertKind::MemoryThreshold;
    deliver(&sink, &other).unwrap();
    let alias = "shop/check out-memory-threshold";
    service.close_by_hand(alias);
    deliver(&sink, &stage(&other, Stage::Escalated, Confirmed, NotSent)).unwrap();
    assert_eq!(service.open(), open(&[(ALIAS, "P1"), (alias, "P1")]));
}

#[test]
fn the_end_of_what_does_not_exist_is_no_trouble_and_of_what_was_never_sent_no_request() {
    let service = AlertService::opsgenie();
    let (sink, first) = (sink(&service), alert(Stage::Single));
    deliver(&sink, &stage(&first, OVER, NotSent, NotSent)).unwrap();
    assert_eq!(service.log(), [""; 0]);
    assert_eq!(deliver(&sink, &stage(&first, OVER, Confirmed, NotSent)), Ok(1));
    assert_eq!(service.changes().len(), 1);
    // A status with unknown words ends too.
    for _ in 0..11 {
        service.reject_next("Computer says no");
    }
    let end = stage(&first, OVER, Confirmed, NotSent);
    for _ in 0..10 {
        assert!(matches!(deliver(&sink, &end), Err(DeliveryError::Retryable { .. })));
    }
    assert_eq!(deliver(&sink, &end), Ok(1));
}

#[test]
fn an_alert_that_was_sent_without_an_answer_is_given_time_to_appear_before_its_end_is_believed() {
    let service = AlertService::opsgenie();
    let (sink, first) = (sink(&service), alert(Stage::Single));
    service.trouble(Fault::DoneAndSilent);
    let unanswered = deliver(&OpsGenieSink::new(config(&service.url()), impatient()), &first);
    assert!(matches!(unanswered, Err(DeliveryError::Retryable { .. })));
    service.reject_next("Alert does not exist");
    deliver(&sink, &stage(&first, OVER, Unconfirmed, NotSent)).unwrap();
    assert_eq!((service.alerts().len(), service.open()), (1, open(&[])));
}

#[test]
fn newer_state_waits_for_the_request_before_it() {
    let service = AlertService::opsgenie();
    let (sink, first) = (sink(&service), alert(Stage::Initial));
    service.done_after_looks(3);
    let pending = block_on(sink.deliver(&first));
    assert!(matches!(pending, Err(DeliveryError::Pending { .. })));
    // The close arrives before the alert exists. Closing it now would leave it open forever.
    deliver(&sink, &stage(&first, OVER, Unconfirmed, NotSent)).unwrap();
    assert_eq!((service.alerts().len(), service.open()), (1, open(&[])));
    assert_eq!(service.changes().len(), 2);
    // The outcome of the older request no longer matters.
    let mut other = first.clone();
    other.incident += 1;
    service.reject_next("Not now");
    let pending = block_on(sink.deliver(&other));
    assert!(matches!(pending, Err(DeliveryError::Pending { .. })));
    deliver(&sink, &stage(&other, OVER, Unconfirmed, NotSent)).unwrap();
}

#[test]
fn a_repeat_is_counted_by_the_service_and_opens_nothing_more() {
    let service = AlertService::opsgenie();
    for _ in 0..10 {
        // As after a restart, without any records.
        deliver(&sink(&service), &alert(Stage::Single)).unwrap();
    }
    assert_eq!(service.alerts().len(), 1);
    assert_eq!(service.alerts()[0].count, 10);
}

#[test]
fn an_alert_that_the_service_took_and_did_not_open_is_sent_again() {
    let service = AlertService::opsgenie();
    service.reject_next("Not now");
    let (sink, first) = (sink(&service), alert(Stage::Single));
    let refused = deliver(&sink, &first);
    let Err(DeliveryError::Retryable { reason, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!(reason, "the service did not do it: Not now");
    deliver(&sink, &first).unwrap();
    assert_eq!(service.open(), open(&[(ALIAS, "P2")]));
}

#[test]
fn a_request_that_is_never_confirmed_counts_as_done_after_some_looks() {
    let service = AlertService::opsgenie();
    service.done_after_looks(u32::MAX);
    assert_eq!(deliver(&sink(&service), &alert(Stage::Single)), Ok(8));
    assert_eq!(service.log().len(), 9);
    // A failed status query is not a failure of the alert.
    let service = AlertService::opsgenie();
    service.trouble(Fault::None);
    service.trouble(Fault::Reply(Reply::new(503, "")));
    service.trouble(Fault::Closed);
    assert_eq!(deliver(&sink(&service), &alert(Stage::Single)), Ok(3));
}

#[test]
fn a_repeat_goes_on_where_the_last_attempt_stopped() {
    let service = AlertService::opsgenie();
    let (sink, first) = (sink(&service), alert(Stage::Initial));
    deliver(&sink, &first).unwrap();
    // The priority and its status query succeed, the note fails.
    for fault in [Fault::None, Fault::None, Fault::Reply(Reply::new(503, ""))] {
        service.trouble(fault);
    }
    let escalated = stage(&first, Stage::Escalated, Confirmed, NotSent);
    assert!(matches!(deliver(&sink, &escalated), Err(DeliveryError::Retryable { .. })));
    deliver(&sink, &stage(&first, Stage::Escalated, Confirmed, Unconfirmed)).unwrap();
    let priorities = service.changes().iter().filter(|line| line.starts_with("PUT")).count();
    assert_eq!((priorities, service.alerts()[0].notes.len()), (1, 1));
}

#[test]
fn breakers_and_kinds_have_alerts_of_their_own() {
    let service = AlertService::opsgenie();
    let sink = sink(&service);
    let mut payments = alert(Stage::Single);
    payments.breaker = BreakerName::new("payments").unwrap();
    let mut memory = alert(Stage::Single);
    memory.kind = AlertKind::MemoryThreshold;
    for one in [&payments, &memory, &alert(Stage::Single)] {
        deliver(&sink, one).unwrap();
    }
    deliver(&sink, &stage(&payments, Stage::Superseded, Confirmed, NotSent)).unwrap();
    assert_eq!(service.open(), open(&[("shop/check out-memory-threshold", "P2"), (ALIAS, "P2")]));
    let closed = &service.alerts()[0];
    assert_eq!(closed.alias, "shop/check out-payments-circuit-open");
    assert_eq!(closed.notes, ["The incident continues under another alert."]);
}

#[test]
fn the_reset_is_announced_in_the_close_where_it_is_asked_for() {
    let service = AlertService::opsgenie();
    let (sink, first) = (sink(&service), alert(Stage::Single));
    deliver(&sink, &first).unwrap();
    let mut end = stage(&first, OVER, Confirmed, NotSent);
    end.announce_reset = true;
    deliver(&sink, &end).unwrap();
    let notes = service.alerts()[0].notes.clone();
    assert!(notes[0].starts_with("[production] Circuit Breaker RESET - shop/check out\n"), "{notes:?}");
}

#[test]
fn the_successor_gets_an_alert_for_each_stage_and_both_are_closed() {
    let service = AlertService::jsm();
    let (sink, first) = (jsm(&service), alert(Stage::Initial));
    assert_eq!(deliver(&sink, &first), Ok(0));
    assert_eq!(service.open(), open(&[(ALIAS, "P3")]));
    deliver(&sink, &stage(&first, Stage::Escalated, Confirmed, NotSent)).unwrap();
    let second = format!("{ALIAS}/escalated");
    assert_eq!(service.open(), open(&[(ALIAS, "P3"), (&second, "P1")]));
    assert_eq!(service.alerts()[0].notes.len(), 1);
    deliver(&sink, &stage(&first, OVER, Confirmed, Unconfirmed)).unwrap();
    assert_eq!(service.open(), open(&[]));
    let base = "/jsm/ops/integration";
    assert!(
        service.log().iter().all(|line| line.starts_with(&format!("POST {base}/v2/alerts"))),
        "{:?}",
        service.log()
    );
}

#[test]
fn at_the_successor_the_second_alert_comes_also_where_the_first_is_gone() {
    let service = AlertService::jsm();
    let (sink, first) = (jsm(&service), alert(Stage::Initial));
    deliver(&sink, &first).unwrap();
    service.close_by_hand(ALIAS);
    deliver(&sink, &stage(&first, Stage::Escalated, Confirmed, NotSent)).unwrap();
    let second = format!("{ALIAS}/escalated");
    assert_eq!(service.open(), open(&[(&second, "P1")]));
    // A rejected note does not spoil the delivery either.
    let mut other = first.clone();
    other.kind = AlertKind::MemoryThreshold;
    for fault in [Fault::None, Fault::Reply(Reply::new(422, ""))] {
        service.trouble(fault);
    }
    deliver(&sink, &stage(&other, Stage::Escalated, Confirmed, NotSent)).unwrap();
    let third = "shop/check out-memory-threshold/escalated";
    assert_eq!(service.open(), open(&[(&second, "P1"), (third, "P1")]));
    service.close_by_hand(third);
    deliver(&sink, &stage(&first, OVER, Confirmed, Confirmed)).unwrap();
    assert_eq!(service.open(), open(&[]));
}

#[test]
fn behind_the_stages_adapter_the_rules_in_force_decide_alias_and_priority() {
    let service = AlertService::opsgenie();
    let rules = SharedRules::new(PageRules::default());
    let staged = Staged::new(sink(&service), rules.clone());
    deliver(&staged, &alert(Stage::Single)).unwrap();
    assert_eq!(service.open(), open(&[("default-circuit-open", "P3")]));
    let mut config = OpsGenie::default();
    config.initial_alert_priority = Priority::P4;
    rules.set(PageRules::of(&config, ""));
    let mut next = alert(Stage::Initial);
    next.kind = AlertKind::LatencyThreshold;
    deliver(&staged, &next).unwrap();
    assert_eq!(service.open()[1], ("default-latency-threshold".to_owned(), "P4".to_owned()));
}

#[test]
fn ten_thousand_slow_replies_in_one_burst_are_one_alert() {
    let service = AlertService::opsgenie();
    service.done_after_looks(1);
    let clock = Arc::new(ManualClock::default());
    let mut policy = Policy::default();
    policy.trip_confidence = tripline_runtime::core::Confidence::ZERO;
    policy.latency_threshold = Latency::from_millis(300);
    let breaker = Breaker::builder(clock.clone()).policy(policy).build().unwrap();
    let watch = SupervisedBreaker::new(breaker.clone()).sink(Arc::new(sink(&service)));
    let (supervisor, dispatcher, stop) = supervise(clock.clone(), [watch], 1);
    let running = [
        std::thread::spawn(move || block_on(supervisor.run())),
        std::thread::spawn(move || {
            block_on(dispatcher.run());
        }),
    ];
    let start = clock.now();
    let calls: Vec<_> = (0..10_000).map(|_| breaker.try_acquire().unwrap()).collect();
    clock.advance(Duration::from_millis(400));
    for call in calls {
        call.finish(start, clock.now(), Outcome::Ok);
    }
    eventually("the alert is open", || {
        // The dispatcher waits on this clock before the next status query.
        clock.advance(Duration::from_millis(50));
        !service.open().is_empty()
    });
    stop.stop(Duration::ZERO);
    eventually("all is stopped", || {
        clock.advance(Duration::from_millis(50));
        running.iter().all(std::thread::JoinHandle::is_finished)
    });
    assert_eq!(service.alerts().len(), 1);
    assert_eq!((service.alerts()[0].count, service.changes().len()), (1, 1));
}
