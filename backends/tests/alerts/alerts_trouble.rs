//! A service that is slow, down, throttling or invalid; changed settings; and secrets.
#![cfg(feature = "opsgenie")]
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::alert_service;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use alert_service::{
    AlertService, Fault, KEY, Reply, Tls, alert, config, deliver, eventually, impatient, patient, stage,
};
use tripline_backends::alerts::opsgenie::OpsGenieSink;
use tripline_backends::config::{Priority, Secret};
use tripline_backends::http_client::{ClientLimits, HyperClient};
use tripline_runtime::core::{IncidentEnd, Instant};
use tripline_runtime::test_util::ManualClock;
use tripline_runtime::{AlertSink, Clock as _, DeliveryError, DeliveryStatus, Stage};

const ALIAS: &str = "shop/check out-circuit-open";
const OVER: Stage = Stage::Resolved(IncidentEnd::Operator);

fn sink(service: &AlertService) -> OpsGenieSink {
    OpsGenieSink::new(config(&service.url()), patient())
}

/// The reason of a retryable error, with the pause that the service asked for.
#[track_caller]
fn retryable(result: Result<usize, DeliveryError>) -> (String, Option<Duration>) {
    match result {
        Err(DeliveryError::Retryable { reason, after }) => (reason, after),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn rejection(result: Result<usize, DeliveryError>) -> String {
    match result {
        Err(DeliveryError::Rejected { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn whatever_happens_to_an_exchange_it_ends_and_the_alert_is_sent_again() {
    let service = AlertService::opsgenie();
    let mut limits = ClientLimits::default();
    limits.whole = Duration::from_millis(400);
    let hurried = HyperClient::new(limits);
    for (fault, client, reason) in [
        (Fault::Silent, impatient(), "no answer within 200ms"),
        (Fault::DoneAndSilent, impatient(), "no answer within 200ms"),
        (Fault::StuckInBody, hurried, "no complete answer within 400ms"),
        (Fault::CutInBody, patient(), "the exchange broke off"),
        (Fault::Closed, patient(), "the exchange broke off"),
        (Fault::Garbage, patient(), "the exchange broke off"),
        (Fault::Endless, patient(), "the answer is larger than 65536 bytes"),
    ] {
        service.trouble(fault.clone());
        let sink = OpsGenieSink::new(config(&service.url()), client);
        let (told, after) = retryable(deliver(&sink, &alert(Stage::Single)));
        assert!(told.starts_with(reason), "{fault:?}: {told}");
        assert_eq!(after, None);
    }
    deliver(&sink(&service), &alert(Stage::Single)).unwrap();
    assert_eq!(service.open(), [(ALIAS.to_owned(), "P2".to_owned())]);
}

#[test]
fn a_service_that_cannot_be_reached_is_no_fault_of_the_request() {
    // No program listens on port 1, and none is assigned it.
    for url in ["http://127.0.0.1:1", "http://no-such-host.invalid"] {
        let sink = OpsGenieSink::new(config(url), patient());
        let (reason, _) = retryable(deliver(&sink, &alert(Stage::Single)));
        assert!(reason.starts_with("no connection"), "{reason}");
    }
}

#[test]
fn throttling_and_faults_are_retried_and_rejections_are_reported() {
    let service = AlertService::opsgenie();
    let sink = sink(&service);
    let once = |reply: Reply| {
        service.trouble(Fault::Reply(reply));
        deliver(&sink, &alert(Stage::Single))
    };
    let throttled = Reply::new(429, r#"{"message": "Too fast"}"#);
    assert_eq!(retryable(once(throttled.clone())), ("status 429: Too fast".to_owned(), None));
    let with_period = throttled.header("X-RateLimit-Period-In-Sec", "60").header("X-RateLimit-State", "THROTTLED");
    assert_eq!(retryable(once(with_period)).1, Some(Duration::from_secs(60)));
    assert_eq!(retryable(once(Reply::new(503, "").header("Retry-After", "7"))).1, Some(Duration::from_secs(7)));
    assert_eq!(retryable(once(Reply::new(599, "?"))).0, "status 599: ?");
    assert_eq!(rejection(once(Reply::new(501, ""))), "status 501");
    assert_eq!(rejection(once(Reply::new(422, r#"{"message": "Message is empty"}"#))), "status 422: Message is empty");
    assert_eq!(rejection(once(Reply::new(404, ""))), "status 404");
    assert_eq!(rejection(once(Reply::new(302, "").header("Location", "http://127.0.0.1:1/"))), "status 302");
}

#[test]
fn a_certificate_counts_only_where_it_is_trusted() {
    let tls = Tls::new();
    let service = AlertService::with_tls(&tls);
    let stranger = OpsGenieSink::new(config(&service.url()), patient());
    let (reason, _) = retryable(deliver(&stranger, &alert(Stage::Single)));
    assert!(reason.starts_with("no TLS connection: invalid peer certificate"), "{reason}");
    let friend = OpsGenieSink::new(config(&service.url()), patient().trust(tls.certificate.clone()));
    assert_eq!(deliver(&friend, &alert(Stage::Single)), Ok(1));
    assert_eq!(service.open().len(), 1);
    // The certificate is valid for 127.0.0.1 only.
    let elsewhere = service.url().replace("127.0.0.1", "localhost");
    let sink = OpsGenieSink::new(config(&elsewhere), patient().trust(tls.certificate.clone()));
    assert!(retryable(deliver(&sink, &alert(Stage::Single))).0.starts_with("no TLS connection"));
}

#[test]
fn what_the_system_trusts_can_be_named_in_the_environment() {
    let tls = Tls::new();
    let service = AlertService::with_tls(&tls);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trusted.pem");
    std::fs::write(&file, &tls.pem).unwrap();
    // The environment of a process can be set only before it starts.
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "alerts_trouble::as_the_environment_says"])
        .env_remove("SSL_CERT_DIR")
        .env("SSL_CERT_FILE", &file)
        .env("TRIPLINE_TEST_URL", service.url())
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    assert_eq!(service.open().len(), 1);
    // A file that is missing or empty does not make the client trust other certificates.
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    for (variable, value) in [
        ("SSL_CERT_FILE", folder.path().join("missing.pem")),
        ("SSL_CERT_FILE", empty),
        ("SSL_CERT_DIR", folder.path().join("none")),
    ] {
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--ignored", "alerts_trouble::as_the_environment_says"])
            .env_remove("SSL_CERT_FILE")
            .env_remove("SSL_CERT_DIR")
            .env(variable, &value)
            .env("TRIPLINE_TEST_URL", service.url())
            .output()
            .unwrap();
        let said = format!("no TLS connection: {variable} = {} gives no certificate to trust: ", value.display());
        let printed = [child.stdout, child.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        assert!(!child.status.success() && printed.contains(&said), "{printed}");
    }
    assert_eq!(service.open().len(), 1);
}

#[test]
#[ignore = "another test runs it in a process of its own"]
fn as_the_environment_says() {
    let sink = OpsGenieSink::new(config(&std::env::var("TRIPLINE_TEST_URL").unwrap()), patient());
    deliver(&sink, &alert(Stage::Single)).unwrap();
}

#[test]
fn a_handshake_that_does_not_come_has_a_time_of_its_own() {
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut limits = ClientLimits::default();
    limits.tls = Duration::from_millis(100);
    let url = format!("https://{}", mute.local_addr().unwrap());
    let sink = OpsGenieSink::new(config(&url), HyperClient::new(limits));
    assert_eq!(retryable(deliver(&sink, &alert(Stage::Single))).0, "no TLS handshake within 100ms");
}

#[test]
fn it_works_on_an_executor_that_knows_nothing_of_its_sockets() {
    let service = AlertService::opsgenie();
    let sink = sink(&service);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let delivered = runtime.block_on(async { sink.deliver(&alert(Stage::Single)).await });
    assert!(matches!(delivered, Err(DeliveryError::Pending { .. })), "{delivered:?}");
}

#[test]
fn a_delivery_that_is_dropped_closes_its_connection_and_can_be_made_again() {
    let service = AlertService::opsgenie();
    let sink = sink(&service);
    service.trouble(Fault::Silent);
    let first = alert(Stage::Single);
    let sent = async {
        while service.log().is_empty() {
            futures_lite::future::yield_now().await;
        }
        None
    };
    let dropped = futures_lite::future::or(async { Some(sink.deliver(&first).await) }, sent);
    assert_eq!(futures_lite::future::block_on(dropped), None);
    deliver(&sink, &first).unwrap();
    assert_eq!(service.open().len(), 1);
}

#[test]
fn switched_off_it_opens_nothing_and_still_closes_what_is_open() {
    let service = AlertService::opsgenie();
    let (sink, first) = (sink(&service), alert(Stage::Initial));
    let switch = |on: bool| {
        let mut config = config(&service.url());
        config.enabled = on;
        sink.set_config(config);
    };
    // Switched off before the incident: nothing is sent at all.
    switch(false);
    deliver(&sink, &first).unwrap();
    switch(true);
    deliver(&sink, &stage(&first, OVER, DeliveryStatus::Confirmed, DeliveryStatus::NotSent)).unwrap();
    assert_eq!(service.log(), [""; 0]);
    // Switched off during the incident: open alerts are closed.
    let mut second = first.clone();
    second.incident += 1;
    deliver(&sink, &second).unwrap();
    switch(false);
    deliver(&sink, &stage(&second, Stage::Escalated, DeliveryStatus::Confirmed, DeliveryStatus::NotSent)).unwrap();
    assert_eq!(service.open(), [(ALIAS.to_owned(), "P3".to_owned())]);
    deliver(&sink, &stage(&second, OVER, DeliveryStatus::Confirmed, DeliveryStatus::Confirmed)).unwrap();
    assert_eq!(service.open(), []);
    // Switched on during the incident: the second stage opens the alert.
    let mut third = first.clone();
    third.incident += 2;
    deliver(&sink, &third).unwrap();
    switch(true);
    deliver(&sink, &stage(&third, Stage::Escalated, DeliveryStatus::Confirmed, DeliveryStatus::NotSent)).unwrap();
    assert_eq!(service.open(), [(ALIAS.to_owned(), "P1".to_owned())]);
}

#[test]
fn a_changed_configuration_counts_at_once_and_an_open_alert_keeps_its_name() {
    let service = AlertService::opsgenie();
    let (sink, first) = (sink(&service), alert(Stage::Single));
    deliver(&sink, &first).unwrap();
    let mut changed = config(&service.url());
    changed.api_name = "renamed".into();
    changed.priority = Priority::P5;
    changed.tags = vec!["Component:x".to_owned()];
    sink.set_config(changed);
    assert_eq!(sink.status().priority, "P5");
    deliver(&sink, &stage(&first, OVER, DeliveryStatus::Confirmed, DeliveryStatus::NotSent)).unwrap();
    let mut next = first.clone();
    next.incident += 1;
    deliver(&sink, &next).unwrap();
    assert_eq!(service.open(), [("shop/renamed-circuit-open".to_owned(), "P5".to_owned())]);
    let tags = service.alerts()[1].created["tags"].clone();
    assert!(tags.as_array().unwrap().contains(&"Component:x".into()), "{tags}");
}

#[test]
fn the_key_is_checked_in_the_background_until_the_service_is_reached() {
    let service = AlertService::opsgenie();
    for fault in [Fault::Closed, Fault::Reply(Reply::new(429, "").header("Retry-After", "600"))] {
        service.trouble(fault);
    }
    let sink = sink(&service);
    assert!(!sink.status().initialized);
    let clock = Arc::new(ManualClock::new(Instant::ZERO));
    let (done, over) = something_to_end_with();
    let checking = std::thread::spawn({
        let (sink, clock) = (sink.clone(), clock.clone());
        move || futures_lite::future::block_on(futures_lite::future::or(sink.keep_checking(clock), over))
    });
    eventually("a pause after the first failure", || clock.next_wake() == Some(Instant::ZERO + Duration::from_secs(1)));
    assert!(sink.status().last_error.is_some_and(|error| error.starts_with("the exchange broke off")));
    clock.advance(Duration::from_secs(1));
    let asked_for = clock.now() + Duration::from_secs(600);
    eventually("the pause that the service asks for", || clock.next_wake() == Some(asked_for));
    clock.advance(Duration::from_secs(600));
    eventually("the service is reached", || sink.status().initialized);
    assert_eq!(sink.status().last_error, None);
    assert_eq!(service.log(), ["GET /v2/alerts?limit=1"; 3]);
    // A changed key is checked again.
    let mut other = config(&service.url());
    other.api_key = Some(Secret::new("another-key"));
    sink.set_config(other);
    eventually("the other key is refused", || sink.status().last_error.is_some());
    assert!(!sink.status().initialized);
    done.notify(1);
    checking.join().unwrap();
}

/// An event that ends a task.
fn something_to_end_with() -> (Arc<event_listener::Event>, impl Future<Output = ()>) {
    let event = Arc::new(event_listener::Event::new());
    let listener = event.listen();
    (event, listener)
}

#[test]
fn the_status_names_what_is_missing_and_an_alert_without_it_is_sent_all_the_same() {
    let service = AlertService::opsgenie();
    let mut bare = tripline_backends::config::OpsGenie::default();
    (bare.enabled, bare.api_url, bare.api_key) = (true, service.url(), Some(Secret::new(KEY)));
    let sink = OpsGenieSink::new(bare.clone(), patient());
    let status = sink.status();
    assert_eq!(status.validation.missing, ["team", "environment", "service_id", "hostname"]);
    assert!(!status.validation.valid && !status.initialized);
    deliver(&sink, &alert(Stage::Single)).unwrap();
    assert!(sink.status().initialized);
    let created = service.alerts()[0].created.clone();
    assert_eq!(created["message"], "[unknown] Circuit Breaker OPEN - default");
    assert_eq!(created["details"]["Team"], "unknown");
    assert_eq!(created["responders"], serde_json::Value::Null);
    bare.api_key = None;
    sink.set_config(bare);
    assert_eq!(rejection(deliver(&sink, &alert(Stage::Escalated))), "no API key: set OPSGENIE_API_KEY");
    assert_eq!(sink.status().validation.missing[0], "api_key");
}

#[test]
fn only_the_documented_answer_is_a_delivery() {
    let taken = r#"{"result": "Request will be processed", "took": 0.1, "requestId": "r"}"#;
    for service in [AlertService::opsgenie(), AlertService::jsm()] {
        let mut configured = config(&service.url());
        if service.url().contains("jsm") {
            configured.provider = tripline_backends::config::Provider::Jsm;
        }
        for reply in [
            Reply::new(200, "<html>Please sign in</html>"),
            Reply::new(202, "<html>Please sign in</html>"),
            Reply::new(202, ""),
            Reply::new(202, r#"{"took": 0.1, "requestId": "r"}"#),
            Reply::new(202, r#"{"result": "ok", "requestId": ""}"#),
            Reply::new(200, taken),
            Reply::new(204, ""),
        ] {
            let sink = OpsGenieSink::new(configured.clone(), patient());
            service.trouble(Fault::Reply(reply.clone()));
            let reason = rejection(deliver(&sink, &alert(Stage::Single)));
            assert!(reason.starts_with("not the answer of the alert API"), "{reply:?}: {reason}");
            assert!(!sink.status().initialized);
        }
        // A 404 page of another server does not close the open alert.
        let sink = OpsGenieSink::new(configured, patient());
        let first = alert(Stage::Single);
        deliver(&sink, &first).unwrap();
        service.trouble(Fault::Reply(Reply::new(404, "<html>no such page</html>")));
        let over = stage(&first, OVER, DeliveryStatus::Confirmed, DeliveryStatus::NotSent);
        assert!(rejection(deliver(&sink, &over)).starts_with("status 404"));
        deliver(&sink, &over).unwrap();
        assert!(service.open().is_empty());
    }
}
