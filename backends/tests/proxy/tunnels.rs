//! WebSocket.

use crate::client::{Client, get};
use crate::fixture::{Fixture, one_upstream};
use crate::upstream::Recorder;
use std::io::{Read as _, Write as _};

const ASK: &str = "GET /chat HTTP/1.1\r\nhost: a\r\nconnection: keep-alive, Upgrade\r\nupgrade: WebSocket\r\nsec-websocket-key: x\r\n\
                   sec-websocket-version: 13\r\n\r\n";

/// Accepts the upgrade and echoes every byte.
fn echo() -> Recorder {
    Recorder::answering(|_, exchange| {
        exchange.send(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: y\r\n\r\n",
        );
        let mut buffer = [0; 1024];
        while let Ok(bytes @ 1..) = exchange.stream.read(&mut buffer) {
            let _ = exchange.stream.write_all(&buffer[..bytes]);
        }
        exchange.is_over = true;
    })
}

#[test]
fn a_websocket_passes_both_ways_and_is_no_sample() {
    let upstream = echo();
    let proxy = Fixture::to(&upstream.url(), "");
    let mut client = Client::connect(proxy.address);
    client.send(ASK);
    let head = client.head().unwrap();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    for field in ["connection: upgrade", "upgrade: websocket", "sec-websocket-accept: y"] {
        assert!(head.contains(field), "{head}");
    }
    for message in [&b"hello"[..], &[0, 255, 13, 10], &vec![7; 20_000]] {
        client.send(message);
        assert_eq!(client.bytes(message.len()).as_deref(), Some(message));
    }
    let counts = proxy.counts("up");
    assert_eq!((counts.ok, counts.failed, counts.ignored), (0, 0, 1));
    assert!((proxy.metric("tripline_proxy_upstream_requests{upstream=\"up\"}") - 1.0).abs() < f64::EPSILON);
    drop(client);
    proxy.wait_for_metric("tripline_proxy_requests_total{flag=\"upgraded\"}", 1.0);
    proxy.wait_for_metric("tripline_proxy_upstream_requests{upstream=\"up\"}", 0.0);
    proxy.wait_for_metric("tripline_proxy_connections", 0.0);
    let head = upstream.seen()[0].text();
    assert!(head.contains("connection: upgrade\r\n") && head.contains("upgrade: websocket\r\n"), "{head}");
}

#[test]
fn a_websocket_without_traffic_ends() {
    let upstream = echo();
    let config = format!("[proxy]\ntunnel_idle_timeout = 0.2\n{}", one_upstream(&upstream.url(), ""));
    let proxy = Fixture::new(&config);
    let mut client = Client::connect(proxy.address);
    client.send(ASK);
    assert!(client.head().is_some());
    assert!(client.is_closed());
}

#[test]
fn an_upstream_that_does_not_agree_answers_as_usual() {
    let upstream = Recorder::start();
    let proxy = Fixture::to(&upstream.url(), "");
    let mut client = Client::connect(proxy.address);
    client.send(ASK);
    assert_eq!(client.response().map(|response| response.text()).as_deref(), Some("ok"));
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(client.response().map(|response| response.status), Some(200));
    assert_eq!(proxy.counts("up").ok, 2);
    proxy.breaker("up").force_open();
    let mut rejected = Client::connect(proxy.address);
    rejected.send(ASK);
    assert_eq!(rejected.response().map(|response| response.status), Some(503));
    assert_eq!(get(proxy.address, "/").status, 503);
}
