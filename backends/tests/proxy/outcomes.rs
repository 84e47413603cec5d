//! The outcomes of calls, and the responses to rejected callers.

use std::time::Duration;

use crate::client::{Client, exchange, get};
use crate::fixture::{Fixture, one_upstream};
use crate::upstream::{OK, Recorder};

/// An upstream that responds with the status in the path, such as `/503`.
fn by_path() -> Recorder {
    Recorder::answering(|seen, exchange| {
        let status = seen.path().trim_start_matches('/').to_owned();
        exchange.send(format!("HTTP/1.1 {status} x\r\ncontent-length: 2\r\n\r\nok"));
    })
}

#[test]
fn server_errors_but_501_are_failed_and_everything_else_is_ok() {
    let upstream = by_path();
    let proxy = Fixture::to(&upstream.url(), "");
    for status in [200, 301, 404, 429, 501, 500, 503, 599] {
        assert_eq!(get(proxy.address, &format!("/{status}")).status, status);
    }
    let counts = proxy.counts("up");
    assert_eq!((counts.ok, counts.failed), (5, 3));
    let strict = Fixture::to(&upstream.url(), "failure_statuses = [\"429\"]");
    get(strict.address, "/429");
    get(strict.address, "/500");
    let counts = strict.counts("up");
    assert_eq!((counts.ok, counts.failed), (1, 1));
}

#[test]
fn a_rejection_says_why_and_when_to_come_again_and_reaches_no_upstream() {
    let upstream = Recorder::start();
    let proxy = Fixture::to(&upstream.url(), "");
    proxy.breaker("up").force_open();
    let mut client = Client::connect(proxy.address);
    client.send("GET / HTTP/1.1\r\nhost: a\r\naccept: application/json\r\n\r\n");
    let response = client.response().unwrap();
    assert_eq!(response.status, 503);
    assert_eq!(response.field("retry-after").as_deref(), Some("1"));
    assert_eq!(response.field("x-tripline").as_deref(), Some("forced_open; reason=forced_open; breaker=up"));
    assert_eq!(response.field("cache-control").as_deref(), Some("no-store"));
    assert_eq!(response.text(), "{\"error\":\"breaker up is open: forced_open\"}");
    // The connection stays open.
    proxy.breaker("up").reset();
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(client.response().map(|response| response.status), Some(200));
    assert_eq!(upstream.seen().len(), 1);
    let counts = proxy.counts("up");
    assert_eq!((counts.ok, counts.failed), (1, 0));
    assert!((proxy.metric("tripline_proxy_requests_total{flag=\"rejected\"}") - 1.0).abs() < f64::EPSILON);
}

#[test]
fn a_rejected_request_with_a_body_ends_the_connection() {
    let upstream = Recorder::start();
    let proxy = Fixture::to(&upstream.url(), "");
    proxy.breaker("up").force_open();
    let mut client = Client::connect(proxy.address);
    client.send("POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 20\r\n\r\n");
    let response = client.response().unwrap();
    assert_eq!((response.status, response.field("connection").as_deref()), (503, Some("close")));
    assert!(client.is_closed());
    assert!(upstream.seen().is_empty());
}

#[test]
fn a_route_has_its_own_answer_or_a_fallback() {
    let (main, other) = (
        Recorder::start(),
        Recorder::answering(|_, exchange| {
            exchange.send(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nstatic");
        }),
    );
    let config = format!(
        "[proxy]\nresponse_header = false\n[upstreams.main]\nurl = \"{}\"\n[upstreams.other]\nurl = \"{}\"\n\
         [[routes]]\npath = \"/own\"\nupstream = \"main\"\n\
         rejected = {{ status = 429, body = '{{\"busy\":true}}', content_type = \"application/json\" }}\n\
         [[routes]]\nupstream = \"main\"\nfallback = \"other\"\n",
        main.url(),
        other.url()
    );
    let proxy = Fixture::new(&config);
    proxy.breaker("main").force_open();
    let own = get(proxy.address, "/own");
    assert_eq!((own.status, own.text().as_str()), (429, "{\"busy\":true}"));
    assert_eq!(own.field("content-type").as_deref(), Some("application/json"));
    assert_eq!(own.field("retry-after").as_deref(), Some("1"));
    assert_eq!(own.field("x-tripline"), None);
    assert_eq!(get(proxy.address, "/").text(), "static");
    assert!(main.seen().is_empty());
    let counts = proxy.counts("main");
    assert_eq!((counts.ok, counts.failed), (0, 0), "the fallback is no call");
}

#[test]
fn observe_mode_rejects_nothing_and_counts_what_it_would_have() {
    let upstream = Recorder::start();
    let proxy = Fixture::new(&format!("[proxy]\nmode = \"observe\"\n{}", one_upstream(&upstream.url(), "")));
    get(proxy.address, "/");
    proxy.breaker("up").force_open();
    for _ in 0..3 {
        assert_eq!(get(proxy.address, "/").status, 200);
    }
    assert_eq!(upstream.seen().len(), 4);
    assert_eq!(proxy.counts("up").ok, 1, "a call that would be rejected is not recorded");
    assert_eq!((proxy.breaker("up").would_reject(), proxy.breaker("up").rejected()), (3, 0));
}

#[test]
fn an_upstream_that_is_not_there_is_a_502_and_failed() {
    // No program listens on port 1, and none is assigned it.
    let proxy = Fixture::to("http://127.0.0.1:1", "");
    assert_eq!(get(proxy.address, "/").status, 502);
    assert_eq!(proxy.counts("up").failed, 1);
}

#[test]
fn a_name_that_cannot_be_resolved_is_a_502_and_no_reason_not_to_start() {
    let proxy = Fixture::to("http://nothing.invalid:80", "");
    assert_eq!(get(proxy.address, "/").status, 502);
}

#[test]
fn an_upstream_that_never_answers_is_a_504_and_loses_its_connection() {
    let upstream = Recorder::answering(|_, exchange| {
        exchange.wait_for_close();
        exchange.is_over = true;
    });
    let proxy = Fixture::to(&upstream.url(), "head_timeout = 0.2");
    assert_eq!(get(proxy.address, "/").status, 504);
    let counts = proxy.counts("up");
    assert_eq!((counts.ok, counts.failed), (0, 1));
    assert!((proxy.metric("tripline_proxy_upstream_requests{upstream=\"up\"}")).abs() < f64::EPSILON);
}

#[test]
fn a_full_upstream_is_a_503_busy_and_no_call() {
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let upstream = Recorder::answering(move |_, exchange| {
        let _ = wait.lock().unwrap().recv();
        exchange.send(OK);
    });
    let proxy = Fixture::to(&upstream.url(), "max_connections = 1\npool_timeout_ms = 0");
    let mut first = Client::connect(proxy.address);
    first.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    upstream.wait_for(1);
    let busy = get(proxy.address, "/");
    assert_eq!((busy.status, busy.text().as_str()), (503, "busy\n"));
    assert_eq!(busy.field("retry-after").as_deref(), Some("1"));
    release.send(()).unwrap();
    assert_eq!(first.response().map(|response| response.status), Some(200));
    let counts = proxy.counts("up");
    assert_eq!((counts.ok, counts.failed), (1, 0));
    release.send(()).unwrap();
    assert_eq!(get(proxy.address, "/").status, 200, "the place is free again");
}

#[test]
fn a_body_that_breaks_off_is_failed_and_the_client_notices() {
    for measure in ["head", "body"] {
        let upstream = Recorder::answering(|_, exchange| {
            exchange.send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc");
            exchange.close();
        });
        let proxy = Fixture::new(&format!("{}measure = \"{measure}\"\n", one_upstream(&upstream.url(), "")));
        let mut client = Client::connect(proxy.address);
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        assert!(client.response().is_none(), "the connection ends in the middle of the body");
        assert_eq!(proxy.counts("up").failed, 1, "{measure}");
    }
}

#[test]
fn a_client_that_goes_away_cancels_the_request_and_counts_by_its_age() {
    for (age, counted) in [(0, 0), (5, 1)] {
        let (closed, is_closed) = std::sync::mpsc::channel();
        let upstream = Recorder::answering(move |_, exchange| {
            let _ = closed.send(exchange.wait_for_close());
            exchange.is_over = true;
        });
        let (proxy, clock) = Fixture::with_clock(&one_upstream(&upstream.url(), ""));
        let mut client = Client::connect(proxy.address);
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        upstream.wait_for(1);
        clock.advance(Duration::from_secs(age));
        client.reset();
        assert_eq!(is_closed.recv_timeout(crate::client::TOO_LONG), Ok(true), "the upstream sees it at once");
        proxy.wait_for_metric("tripline_proxy_requests_total{flag=\"client_gone\"}", 1.0);
        let counts = proxy.counts("up");
        assert_eq!((counts.ok, counts.failed), (counted, 0), "{age} s");
    }
}

#[test]
fn a_grpc_caller_gets_a_grpc_status() {
    let upstream = Recorder::answering(|seen, exchange| {
        let status = seen.path().trim_start_matches('/').to_owned();
        exchange.send(format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ngrpc-status: {status}\r\ncontent-length: 0\r\n\r\n"
        ));
    });
    let proxy = Fixture::to(&upstream.url(), "");
    let call = |path: &str| {
        exchange(
            proxy.address,
            &format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/grpc\r\ncontent-length: 0\r\n\r\n"),
        )
    };
    for status in ["0", "5", "13", "14"] {
        assert_eq!(call(&format!("/{status}")).status, 200);
    }
    let counts = proxy.counts("up");
    assert_eq!((counts.ok, counts.failed), (2, 2));
    proxy.breaker("up").force_open();
    let rejected = call("/0");
    assert_eq!(rejected.status, 200);
    assert_eq!(rejected.field("grpc-status").as_deref(), Some("14"));
    assert_eq!(rejected.field("grpc-message").as_deref(), Some("breaker up is open: forced_open"));
    assert_eq!(rejected.field("grpc-retry-pushback-ms").as_deref(), Some("1000"));
}

#[test]
fn the_retry_after_of_an_overloaded_service_is_the_shortest_wait_of_the_next_trip() {
    let upstream = Recorder::answering(|seen, exchange| {
        let wait = seen.path().trim_start_matches('/').to_owned();
        let wait = if wait.is_empty() { String::new() } else { format!("retry-after: {wait}\r\n") };
        exchange.send(format!("HTTP/1.1 503 x\r\n{wait}content-length: 0\r\n\r\n"));
    });
    for (wait, expected) in [("", 10), ("3", 10), ("45", 45), ("9999", 60)] {
        let config = format!("max_wait_time = 60\n{}", one_upstream(&upstream.url(), ""));
        let (proxy, _clock) = Fixture::with_clock(&config);
        let response = get(proxy.address, &format!("/{wait}"));
        assert_eq!(response.status, 503);
        proxy.breaker("up").simulate_latency();
        let rejected = get(proxy.address, "/");
        assert_eq!(rejected.field("retry-after"), Some(expected.to_string()), "{wait}");
        assert!(rejected.field("x-tripline").is_some());
    }
}

#[test]
fn a_route_without_a_breaker_is_never_rejected_and_counts_no_call() {
    let upstream = Recorder::start();
    let routes =
        "[[routes]]\npath = \"/health\"\nupstream = \"up\"\nbreaker = \"off\"\n[[routes]]\nupstream = \"up\"\n";
    let proxy = Fixture::new(&format!("[upstreams.up]\nurl = \"{}\"\n{routes}", upstream.url()));
    proxy.breaker("up").force_open();
    let statuses = ["/health", "/health/deep", "/healthy", "/"].map(|path| get(proxy.address, path).status);
    assert_eq!(statuses, [200, 200, 503, 503]);
    assert_eq!(proxy.counts("up").ok, 0);
}
