//! Alerts of a configuration around a breaker in this process: a burst, and changed settings.
#![cfg(all(feature = "opsgenie", feature = "webhook"))]
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::alert_service;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use alert_service::{AlertService, eventually, patient};
use tripline_backends::alerts::{Alerting, AlertsView as _, staging_policy};
use tripline_backends::config::{BreakerConfig, Priority, parse};
use tripline_runtime::core::{Latency, Outcome, Policy, StateKind};
use tripline_runtime::{
    Background, Breaker, DeliveryStats, Stage, SupervisedBreaker, SystemClock, Triggers, supervise,
};

const ALIAS: &str = "shop/check out-circuit-open";

struct Paged {
    breaker: Breaker,
    alerting: Alerting,
    stats: DeliveryStats,
    _background: Background,
}

impl Paged {
    fn new(config: &BreakerConfig) -> Self {
        let clock = Arc::new(SystemClock::new());
        let mut policy = Policy::default();
        policy.trip_confidence = tripline_runtime::core::Confidence::ZERO;
        policy.latency_threshold = Latency::from_millis(1);
        let breaker = Breaker::builder(clock.clone()).policy(policy).stall_detection(false).build().unwrap();
        let alerting = Alerting::new(config, &patient());
        let watch = alerting.connect(SupervisedBreaker::new(breaker.clone()));
        let (supervisor, dispatcher, stop) = supervise(clock, [watch], 1);
        let stats = dispatcher.stats();
        let background = Background::spawn(supervisor, dispatcher, stop).unwrap();
        Self { breaker, alerting, stats, _background: background }
    }

    fn nothing_waits(&self) {
        eventually("nothing waits", || self.stats.deliveries().iter().all(|count| count.waiting == 0));
    }
}

fn config(service: &AlertService) -> BreakerConfig {
    let mut config = BreakerConfig::default();
    config.opsgenie = alert_service::config(&service.url());
    config
}

#[test]
fn ten_thousand_slow_replies_in_one_burst_are_one_alert() {
    let service = AlertService::opsgenie();
    let paged = Paged::new(&config(&service));
    let permits: Vec<_> = (0..10_000).map(|_| paged.breaker.try_start_owned().unwrap()).collect();
    // Twice the threshold, so that all of them are slow.
    let slow_from = permits.last().unwrap().start() + Duration::from_millis(2);
    let mut permits = permits.into_iter();
    thread::scope(|scope| {
        for _ in 0..4 {
            let mine: Vec<_> = permits.by_ref().take(2_500).collect();
            scope.spawn(move || mine.into_iter().for_each(|permit| permit.finish_at(slow_from, Outcome::Ok)));
        }
    });
    assert_eq!(paged.breaker.read(|core| core.state().kind()), StateKind::Open);
    eventually("the alert", || service.open() == [(ALIAS.to_owned(), "P2".to_owned())]);
    paged.nothing_waits();
    assert_eq!((service.changes().len(), service.alerts()[0].count), (1, 1));
}

#[test]
fn what_is_changed_counts_for_the_incident_that_is_on() {
    let service = AlertService::opsgenie();
    let mut first = config(&service);
    first.opsgenie.time_before_send_alert = 3_600;
    let paged = Paged::new(&first);
    assert!(paged.breaker.simulate_latency());
    eventually("the first stage", || service.open() == [(ALIAS.to_owned(), "P3".to_owned())]);
    paged.nothing_waits();
    let status = paged.alerting.opsgenie_status();
    assert_eq!(status.time_before_send_alert, 3_600);
    assert_eq!((status.initial_alert_priority, status.escalated_alert_priority), ("P3", "P1"));
    assert!(status.initialized && status.validation.valid, "{status:?}");
    assert!(paged.alerting.initialized() && paged.alerting.last_error().is_none());
    let pending = &paged.alerting.pending()[0];
    assert_eq!(
        (pending.kind.as_str(), pending.cause.as_str(), pending.stage.as_deref()),
        ("circuit-open", "latency", Some("initial"))
    );
    let time = |text: &str| humantime::parse_rfc3339(text).unwrap();
    let due = time(pending.due_at.as_ref().unwrap());
    let wait = due.duration_since(time(&pending.started_at)).unwrap();
    // The wait is exact to 2 ms.
    assert!(wait.abs_diff(Duration::from_secs(3_600)) <= Duration::from_millis(2), "{wait:?}");

    let mut second = first.clone();
    (second.opsgenie.time_before_send_alert, second.opsgenie.escalated_alert_priority) = (1, Priority::P2);
    paged.alerting.apply(&first, &second);
    eventually("the second stage", || service.open() == [(ALIAS.to_owned(), "P2".to_owned())]);
    paged.nothing_waits();
    assert_eq!(paged.alerting.pending(), []);

    let mut third = second.clone();
    third.opsgenie.enabled = false;
    paged.alerting.apply(&second, &third);
    paged.breaker.reset();
    eventually("what is open is closed", || service.open().is_empty());
    paged.nothing_waits();
    let changes = service.changes().len();
    assert!(paged.breaker.simulate_latency());
    let sent = |stage: Stage| {
        let counts = paged.stats.deliveries();
        counts
            .iter()
            .filter(|count| count.sink == "log" && count.stage == stage.as_str())
            .map(|count| count.sent)
            .sum::<u64>()
    };
    // The log alert is sent when the cooldown is over, which can be changed too.
    let mut fourth = third.clone();
    (fourth.opsgenie.alert_cooldown_seconds, fourth.opsgenie.time_before_send_alert) = (0, 0);
    paged.alerting.apply(&third, &fourth);
    eventually("the log tells of the next one", || sent(Stage::Single) == 1);
    paged.nothing_waits();
    assert_eq!(service.changes().len(), changes, "alerts are switched off");
}

#[test]
fn every_key_of_staging_means_what_it_says() {
    let mut config = BreakerConfig::default().opsgenie;
    assert_eq!(staging_policy(&config), tripline_runtime::EscalationPolicy::default());
    (config.time_before_send_alert, config.alert_cooldown_seconds) = (7, 8);
    let policy = staging_policy(&config);
    assert_eq!((policy.escalate_after, policy.cooldown), (Duration::from_secs(7), Duration::from_secs(8)));
    let triggers = |key: &str, value: bool| {
        let text = format!("state_dir = \"s\"\n[opsgenie]\n{key} = {value}");
        staging_policy(&parse(&text, "breakers.toml").unwrap().0.breaker.opsgenie).triggers
    };
    let mut expected = Triggers::default();
    expected.breaker_open = false;
    assert_eq!(triggers("trigger_on_breaker_open", false), expected);
    expected = Triggers::default();
    expected.breaker_reset = true;
    assert_eq!(triggers("trigger_on_breaker_reset", true), expected);
    expected = Triggers::default();
    expected.memory_threshold = false;
    assert_eq!(triggers("trigger_on_memory_threshold", false), expected);
    expected = Triggers::default();
    expected.latency_threshold = false;
    assert_eq!(triggers("trigger_on_latency_threshold", false), expected);
}

#[test]
fn a_test_page_is_opened_and_closed_at_every_pager_that_is_on_and_leaves_what_is_open_alone() {
    let service = AlertService::opsgenie();
    let receiver = alert_service::Server::start(|_| alert_service::Reply::new(204, ""), None);
    let rejecting = alert_service::Server::start(|_| alert_service::Reply::new(404, "no such hook"), None);
    let text = format!(
        "[[webhooks]]\nname = \"good\"\nurl = \"{0}\"\n[[webhooks]]\nname = \"off\"\nenabled = false\nurl = \"{0}\"\n\
         [[webhooks]]\nname = \"bad\"\nurl = \"{1}\"\n",
        receiver.url(),
        rejecting.url()
    );
    let mut config = parse(&text, "f").unwrap().0.breaker;
    config.opsgenie = alert_service::config(&service.url());
    let paged = Paged::new(&config);
    assert!(paged.breaker.simulate_latency());
    eventually("the alert", || service.open().len() == 1);
    let results = futures_lite::future::block_on(paged.alerting.test_page(&paged.breaker));
    let results: Vec<_> = results.iter().map(|result| (result.sink.as_str(), result.error.as_deref())).collect();
    assert_eq!(
        results,
        [("opsgenie", None), ("webhook-good", None), ("webhook-bad", Some("pager rejects: status 404: no such hook"))]
    );
    assert_eq!(service.open(), [(ALIAS.to_owned(), "P2".to_owned())]);
    let page = &service.alerts()[1];
    assert_eq!((page.alias.as_str(), page.open), ("shop/check out-circuit-open/test", false));
    assert_eq!(page.created["message"], "[production] Test page, no incident - shop/check out");
    let bodies: Vec<_> = receiver.requests().iter().map(alert_service::Request::json).collect();
    let tests: Vec<_> = bodies.iter().filter(|body| body["test"] == true).map(|body| body["action"].clone()).collect();
    assert_eq!(tests, ["create", "close"]);
    assert!(bodies.iter().any(|body| body["test"].is_null()));
}
