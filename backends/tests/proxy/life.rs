//! Drain, reload, connection limits, and released resources.

use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::{Client, TOO_LONG, get};
use crate::fixture::{Fixture, one_upstream};
use crate::upstream::{OK, Recorder};

/// Holds requests until it is opened.
#[derive(Default)]
struct Gate {
    is_open: Mutex<bool>,
    changed: Condvar,
}

impl Gate {
    fn open(&self) {
        *self.is_open.lock().unwrap() = true;
        self.changed.notify_all();
    }

    fn wait(&self) {
        let is_open = self.is_open.lock().unwrap();
        let _open = self.changed.wait_timeout_while(is_open, TOO_LONG, |is_open| !*is_open).unwrap();
    }
}

/// An upstream that responds when the gate is open.
fn gated(gate: &'static Gate) -> Recorder {
    Recorder::answering(move |_, exchange| {
        gate.wait();
        exchange.send(OK);
    })
}

fn gate() -> &'static Gate {
    Box::leak(Box::default())
}

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";

#[test]
fn a_drain_loses_no_request_in_flight() {
    let gate = gate();
    let upstream = gated(gate);
    let proxy = Fixture::new(&format!("[proxy]\nthreads = 2\n{}", one_upstream(&upstream.url(), "")));
    let mut clients: Vec<Client> = (0..40).map(|_| Client::connect(proxy.address)).collect();
    for client in &mut clients {
        client.send(GET);
    }
    upstream.wait_for(40);
    let mut idle = Client::connect(proxy.address);
    proxy.wait_for_metric("tripline_proxy_connections", 41.0);
    thread::scope(|scope| {
        let draining = scope.spawn(|| proxy.drain(TOO_LONG));
        assert!(idle.is_closed(), "an idle connection ends");
        gate.open();
        for client in &mut clients {
            assert_eq!(client.response().map(|response| response.status), Some(200));
            assert!(client.is_closed(), "a connection ends with its response");
        }
        assert_eq!(draining.join().unwrap(), 0);
    });
    assert!(std::net::TcpStream::connect(proxy.address).is_err());
}

#[test]
fn while_it_leaves_each_response_ends_its_connection_and_accepting_goes_on() {
    let gate = gate();
    let upstream = gated(gate);
    let proxy = Fixture::to(&upstream.url(), "");
    let mut in_flight = Client::connect(proxy.address);
    in_flight.send(GET);
    upstream.wait_for(1);
    let mut kept = Client::connect(proxy.address);
    kept.send("GET / HTTP/1.1\r\n\r\n".replace("GET", "TRACE"));
    assert_eq!(kept.response().and_then(|response| response.field("connection")), None);
    proxy.proxy.leave();
    gate.open();
    let mut late = Client::connect(proxy.address);
    for client in [&mut kept, &mut late] {
        client.send(GET);
    }
    for client in [&mut in_flight, &mut kept, &mut late] {
        let response = client.response().unwrap();
        assert_eq!((response.status, response.field("connection").as_deref()), (200, Some("close")));
        assert!(client.is_closed());
    }
    assert_eq!(get(proxy.address, "/").status, 200, "accepting goes on");
}

#[test]
fn a_drain_without_a_delay_loses_no_request_of_a_busy_client() {
    let upstream = Recorder::start();
    let proxy = Fixture::new(&format!("[proxy]\nthreads = 2\n{}", one_upstream(&upstream.url(), "")));
    thread::scope(|scope| {
        let clients: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = Client::connect(proxy.address);
                    for requests in 1.. {
                        client.send(GET);
                        let response = client.response().expect("no request is lost");
                        assert_eq!(response.status, 200);
                        if response.field("connection").as_deref() == Some("close") {
                            assert!(client.is_closed());
                            return requests;
                        }
                    }
                    0
                })
            })
            .collect();
        upstream.wait_for(100);
        assert_eq!(proxy.drain(TOO_LONG), 0);
        let requests: usize = clients.into_iter().map(|client| client.join().unwrap()).sum();
        assert_eq!(requests, upstream.seen().len());
    });
}

#[test]
fn a_connection_without_a_request_may_send_one_for_a_second() {
    let upstream = Recorder::start();
    let proxy = Fixture::to(&upstream.url(), "");
    let mut new = Client::connect(proxy.address);
    proxy.wait_for_metric("tripline_proxy_connections", 1.0);
    let began = Instant::now();
    thread::scope(|scope| {
        let draining = scope.spawn(|| proxy.drain(TOO_LONG));
        while std::net::TcpStream::connect(proxy.address).is_ok() {
            thread::yield_now();
        }
        if began.elapsed() < Duration::from_millis(500) {
            new.send(GET);
            assert_eq!(new.response().map(|response| response.status), Some(200));
        }
        assert!(new.is_closed());
        assert_eq!(draining.join().unwrap(), 0);
    });
}

#[test]
fn what_does_not_end_is_cut_and_counted() {
    let gate = gate();
    let upstream = gated(gate);
    let proxy = Fixture::to(&upstream.url(), "");
    let mut client = Client::connect(proxy.address);
    client.send(GET);
    upstream.wait_for(1);
    assert_eq!(proxy.drain(Duration::from_millis(50)), 1);
    assert!(client.response().is_none());
    gate.open();
}

#[test]
fn a_reload_swaps_routes_and_requests_in_flight_finish_on_the_old_ones() {
    let gate = gate();
    let (old, new) = (gated(gate), Recorder::start());
    let proxy = Fixture::to(&old.url(), "");
    let mut in_flight = Client::connect(proxy.address);
    in_flight.send(GET);
    old.wait_for(1);
    proxy.apply(&one_upstream(&new.url(), ""));
    assert_eq!(get(proxy.address, "/").status, 200);
    assert_eq!((old.seen().len(), new.seen().len()), (1, 1));
    gate.open();
    assert_eq!(in_flight.response().map(|response| response.status), Some(200));
    assert_eq!(proxy.counts("up").ok, 2, "the breaker is the same");
    // An unchanged upstream keeps its connections.
    proxy.apply(&format!("{}path = \"/\"\n", one_upstream(&new.url(), "")));
    assert_eq!(get(proxy.address, "/").status, 200);
    assert_eq!(new.connections(), 1);
    // A configuration that cannot be applied changes nothing.
    assert!(proxy.rejects(&one_upstream(&new.url(), "").replace("[[routes]]", "[[routes]]\nbreaker = \"other\"")));
    assert_eq!(get(proxy.address, "/").status, 200);
}

#[test]
fn connections_of_one_client_are_limited() {
    let upstream = Recorder::start();
    let config = format!("[proxy]\nmax_connections_per_client = 2\n{}", one_upstream(&upstream.url(), ""));
    let proxy = Fixture::new(&config);
    let mut kept: Vec<Client> = (0..2).map(|_| Client::connect(proxy.address)).collect();
    for client in &mut kept {
        client.send(GET);
        assert_eq!(client.response().map(|response| response.status), Some(200));
    }
    let mut third = Client::connect(proxy.address);
    third.send(GET);
    assert!(third.response().is_none());
    drop(kept);
    proxy.wait_for_metric("tripline_proxy_connections", 0.0);
    assert_eq!(get(proxy.address, "/").status, 200);
}

#[test]
fn a_thousand_requests_leave_nothing_behind() {
    let upstream = Recorder::start();
    let proxy = Fixture::to(&upstream.url(), "max_idle = 2");
    for _ in 0..100 {
        let mut client = Client::connect(proxy.address);
        for _ in 0..10 {
            client.send(GET);
            assert_eq!(client.response().map(|response| response.status), Some(200));
        }
    }
    proxy.wait_for_metric("tripline_proxy_connections", 0.0);
    proxy.wait_for_metric("tripline_proxy_upstream_requests{upstream=\"up\"}", 0.0);
    assert!(proxy.metric("tripline_proxy_upstream_idle_connections{upstream=\"up\"}") <= 2.0);
    assert!((proxy.metric("tripline_proxy_requests_total{flag=\"-\"}") - 1_000.0).abs() < f64::EPSILON);
    assert_eq!(upstream.connections(), 1);
}
