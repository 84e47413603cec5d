//! The server over real sockets.
#![cfg(feature = "api")]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::routing::{get, post};
use smol::Timer;
use smol::channel::{Receiver, Sender, unbounded};
use smol::future::{FutureExt, block_on};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::{TcpListener, TcpStream};
use tripline_backends::api::{ApiState, Served, ServerLimits, TrustedRequests, router, router_with, serve, serve_with};
use tripline_backends::circuit::Circuit;
use tripline_runtime::Breaker;
use tripline_runtime::test_util::World;

/// Time limit of a test. No test comes near it unless something is wrong.
const TOO_LONG: Duration = Duration::from_secs(20);

/// A server limit that a test must not reach.
const NEVER: Duration = Duration::from_secs(3_600);

fn patient() -> ServerLimits {
    let mut limits = ServerLimits::default();
    limits.header_timeout = NEVER;
    limits.body_timeout = NEVER;
    limits.write_timeout = NEVER;
    limits.drain_timeout = NEVER;
    limits
}

struct Server {
    address: SocketAddr,
    stop: Sender<()>,
    task: smol::Task<Served>,
}

impl Server {
    fn start(router: Router, limits: ServerLimits) -> Self {
        let listener = block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = unbounded::<()>();
        let stopped = async move {
            let _ = stopped.recv().await;
        };
        Self { address, stop, task: smol::spawn(serve(listener, router, stopped, limits)) }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends a request and reads until the server closes.
    async fn talk(&self, request: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        read_to_end(&mut stream).await
    }
}

async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    // A server that closes while the client still sends may reset the connection.
    let _ = stream.read_to_end(&mut text).await;
    String::from_utf8(text).unwrap()
}

async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        let mut byte = [0];
        assert_ne!(stream.read(&mut byte).await.unwrap(), 0, "the connection ended after {text:?}");
        text.push(char::from(byte[0]));
    }
    text
}

fn run<T>(test: impl Future<Output = T>) -> T {
    let too_long = async {
        Timer::after(TOO_LONG).await;
        panic!("it takes too long");
    };
    block_on(test.or(too_long))
}

fn api() -> Router {
    let circuit = Circuit::new(Breaker::builder(World::new(1).clock()).build().unwrap());
    router(ApiState::new(circuit, ([127, 0, 0, 1], 0).into())).unwrap()
}

/// A route that signals when it is entered and responds when it is released.
fn gate() -> (Router, Receiver<()>, Sender<()>) {
    let (entered, has_entered) = unbounded();
    let (let_go, go) = unbounded();
    let wait = move || {
        let (entered, go) = (entered.clone(), go.clone());
        async move {
            entered.send(()).await.unwrap();
            go.recv().await.unwrap();
            "done"
        }
    };
    (Router::new().route("/gate", get(wait)), has_entered, let_go)
}

const GET_GATE: &str = "GET /gate HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

#[test]
fn the_api_answers_over_a_socket_and_keeps_the_connection() {
    run(async {
        let server = Server::start(api(), patient());
        let mut stream = server.connect().await;
        for _ in 0..2 {
            stream.write_all(b"GET /breaker/enabled HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
            let answer = read_until(&mut stream, "{\"enabled\":true}").await;
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        }
        let head = "HEAD /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let answer = server.talk(head).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
        assert!(answer.contains("content-length: 15\r\n"), "{answer}");
    });
}

#[test]
fn a_request_in_flight_is_answered_before_the_server_ends() {
    run(async {
        let (router, entered, let_go) = gate();
        let server = Server::start(router, patient());
        let mut idle = server.connect().await;
        let mut busy = server.connect().await;
        busy.write_all(GET_GATE.as_bytes()).await.unwrap();
        entered.recv().await.unwrap();
        server.stop.send(()).await.unwrap();
        // An idle connection is closed at once; the busy one still gets its response.
        assert_eq!(read_to_end(&mut idle).await, "");
        let_go.send(()).await.unwrap();
        assert!(read_to_end(&mut busy).await.ends_with("done"));
        assert_eq!(server.task.await.cut_off, 0);
        assert!(TcpStream::connect(server.address).await.is_err(), "nobody listens any more");
    });
}

#[test]
fn a_request_that_never_ends_is_cut_off_at_the_deadline() {
    run(async {
        let (router, entered, _let_go) = gate();
        let mut limits = patient();
        limits.drain_timeout = Duration::from_millis(20);
        let server = Server::start(router, limits);
        let mut busy = server.connect().await;
        busy.write_all(GET_GATE.as_bytes()).await.unwrap();
        entered.recv().await.unwrap();
        server.stop.send(()).await.unwrap();
        assert_eq!(server.task.await.cut_off, 1);
        assert_eq!(read_to_end(&mut busy).await, "");
    });
}

#[test]
fn a_client_that_does_not_finish_its_head_is_dropped() {
    run(async {
        let mut limits = patient();
        limits.header_timeout = Duration::from_millis(20);
        let server = Server::start(api(), limits);
        let mut silent = server.connect().await;
        let mut slow = server.connect().await;
        slow.write_all(b"GET /health HTTP/1.1\r\nX-Slow: ").await.unwrap();
        assert!(!read_to_end(&mut silent).await.contains("200"));
        assert!(!read_to_end(&mut slow).await.contains("200"));
    });
}

#[test]
fn a_body_that_does_not_come_is_answered_with_a_timeout() {
    run(async {
        let mut limits = patient();
        limits.body_timeout = Duration::from_millis(20);
        let server = Server::start(api(), limits);
        let head = "POST /breaker/reset HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                    Content-Length: 16\r\nConnection: close\r\n\r\n{";
        let answer = server.talk(head).await;
        assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
        assert!(answer.ends_with(r#"{"error":"the request body arrived too slowly"}"#), "{answer}");
    });
}

#[test]
fn a_client_that_does_not_read_is_dropped() {
    run(async {
        let (dropped, was_dropped) = unbounded();
        let endless = move || {
            let guard = SendOnDrop(dropped.clone());
            let chunks = smol::stream::repeat_with(move || {
                let _ = &guard;
                Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 16_384]))
            });
            std::future::ready(axum::body::Body::from_stream(chunks))
        };
        let mut limits = patient();
        limits.write_timeout = Duration::from_millis(20);
        let server = Server::start(Router::new().route("/endless", get(endless)), limits);
        let mut stream = server.connect().await;
        stream.write_all(b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        was_dropped.recv().await.unwrap();
    });
}

struct SendOnDrop(Sender<()>);

impl Drop for SendOnDrop {
    fn drop(&mut self) {
        let _ = self.0.try_send(());
    }
}

#[test]
fn a_head_that_is_too_large_is_rejected() {
    run(async {
        let mut limits = patient();
        limits.max_head_bytes = 8_192;
        let server = Server::start(api(), limits);
        let large = "x".repeat(10_000);
        let answer = server.talk(&format!("GET /health HTTP/1.1\r\nHost: localhost\r\nX-Large: {large}\r\n\r\n")).await;
        assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
        let many = "a: b\r\n".repeat(100);
        let answer = server.talk(&format!("GET /health HTTP/1.1\r\nHost: localhost\r\n{many}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    });
}

#[test]
fn no_more_connections_than_allowed_are_served_at_a_time() {
    run(async {
        let (entered, has_entered) = unbounded();
        let (let_go, go) = unbounded::<()>();
        let most = Arc::new(AtomicUsize::new(0));
        let inside = Arc::new(AtomicUsize::new(0));
        let (seen, now) = (most.clone(), inside.clone());
        let wait = move || {
            let (entered, go, seen, now) = (entered.clone(), go.clone(), seen.clone(), now.clone());
            async move {
                seen.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                entered.send(()).await.unwrap();
                go.recv().await.unwrap();
                now.fetch_sub(1, Ordering::SeqCst);
                "done"
            }
        };
        let mut limits = patient();
        limits.max_connections = 2;
        let server = Server::start(Router::new().route("/gate", get(wait)), limits);
        let mut clients = Vec::new();
        for _ in 0..6 {
            let mut client = server.connect().await;
            client.write_all(GET_GATE.as_bytes()).await.unwrap();
            clients.push(client);
        }
        for _ in 0..6 {
            has_entered.recv().await.unwrap();
            let_go.send(()).await.unwrap();
        }
        for mut client in clients {
            assert!(read_to_end(&mut client).await.ends_with("done"));
        }
        assert!(most.load(Ordering::SeqCst) <= 2, "{most:?} at a time");
    });
}

#[test]
fn a_handler_that_panics_is_answered_and_the_server_goes_on() {
    async fn faulty(_body: Bytes) -> &'static str {
        panic!("as the test wants")
    }
    run(async {
        let circuit = Circuit::new(Breaker::builder(World::new(1).clock()).build().unwrap());
        let state = ApiState::new(circuit, ([127, 0, 0, 1], 0).into());
        let server =
            Server::start(router_with(state, Router::new().route("/faulty", post(faulty))).unwrap(), patient());
        let request = "POST /faulty HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let answer = server.talk(request).await;
        assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
        assert!(answer.ends_with(r#"{"error":"the request failed because of a fault in this program"}"#), "{answer}");
        let health = "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        assert!(server.talk(health).await.starts_with("HTTP/1.1 200 "));
    });
}

/// The response to a request after which the client closes its sending half, as `nc -N` does.
#[test]
fn a_client_that_closes_its_sending_half_is_answered() {
    run(async {
        let (router, entered, let_go) = gate();
        let server = Server::start(router, patient());
        let mut stream = server.connect().await;
        stream.write_all(b"GET /gate HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        entered.recv().await.unwrap();
        Timer::after(Duration::from_millis(50)).await;
        let_go.send(()).await.unwrap();
        assert!(read_to_end(&mut stream).await.ends_with("done"));
    });
}

#[test]
fn a_client_that_has_gone_ends_its_request() {
    run(async {
        let (dropped, was_dropped) = unbounded();
        let wait = move || {
            let guard = SendOnDrop(dropped.clone());
            async move {
                let _guard = guard;
                std::future::pending::<&'static str>().await
            }
        };
        let mut limits = patient();
        limits.half_close_timeout = Duration::from_millis(20);
        let server = Server::start(Router::new().route("/gate", get(wait)), limits);
        let mut stream = server.connect().await;
        stream.write_all(GET_GATE.as_bytes()).await.unwrap();
        Timer::after(Duration::from_millis(50)).await;
        assert!(was_dropped.is_empty());
        drop(stream);
        was_dropped.recv().await.unwrap();
    });
}

#[test]
fn idle_connections_give_way_to_new_ones_the_longest_idle_first() {
    const HEALTH: &str = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    run(async {
        let mut limits = patient();
        limits.max_connections = 3;
        let server = Server::start(api(), limits);
        let mut idle = Vec::new();
        for _ in 0..3 {
            let mut stream = server.connect().await;
            stream.write_all(HEALTH.as_bytes()).await.unwrap();
            read_until(&mut stream, "{\"status\":\"ok\"}").await;
            idle.push(stream);
        }
        // It is in use again, so the second one has been idle for the longest time.
        idle[0].write_all(HEALTH.as_bytes()).await.unwrap();
        read_until(&mut idle[0], "{\"status\":\"ok\"}").await;
        let mut new = server.connect().await;
        new.write_all(HEALTH.as_bytes()).await.unwrap();
        assert!(read_until(&mut new, "{\"status\":\"ok\"}").await.starts_with("HTTP/1.1 200 "));
        assert_eq!(read_to_end(&mut idle[1]).await, "");
        for kept in [0, 2] {
            idle[kept].write_all(HEALTH.as_bytes()).await.unwrap();
            read_until(&mut idle[kept], "{\"status\":\"ok\"}").await;
        }
    });
}

#[test]
fn many_silent_connections_lock_no_client_out() {
    run(async {
        let mut limits = patient();
        limits.max_connections = 8;
        let server = Server::start(api(), limits);
        let mut silent = Vec::new();
        for _ in 0..40 {
            let mut stream = server.connect().await;
            // Half of them send an incomplete head.
            if silent.len() % 2 == 0 {
                stream.write_all(b"GET /health HTTP/1.1\r\nX-Slow: ").await.unwrap();
            }
            silent.push(stream);
        }
        for _ in 0..10 {
            let head = "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
            assert!(server.talk(head).await.starts_with("HTTP/1.1 200 "));
        }
    });
}

#[test]
fn places_are_kept_for_trusted_requests() {
    run(async {
        let (router, entered, let_go) = gate();
        let mut limits = patient();
        limits.max_connections = 16;
        let listener = block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let trusted = TrustedRequests::new(|headers| headers.contains_key("x-owner"));
        let _task = smol::spawn(serve_with(listener, router, std::future::pending(), limits, trusted));
        let ask = |more: &'static str| async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let head = format!("GET /gate HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{more}\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            stream
        };
        let mut busy = Vec::new();
        // Clients on this machine may use all but one of sixteen connections.
        for _ in 0..15 {
            busy.push(ask("").await);
            entered.recv().await.unwrap();
        }
        let rejected = read_to_end(&mut ask("").await).await;
        assert!(rejected.starts_with("HTTP/1.1 503 ") && rejected.contains("retry-after: 1"), "{rejected}");
        assert!(rejected.ends_with(r#"{"error":"the server handles too many requests"}"#), "{rejected}");
        busy.push(ask("X-Owner: yes\r\n").await);
        entered.recv().await.unwrap();
        for _ in 0..16 {
            let_go.send(()).await.unwrap();
        }
        for mut stream in busy {
            assert!(read_to_end(&mut stream).await.ends_with("done"));
        }
    });
}

#[test]
fn a_response_has_one_date() {
    run(async {
        let server = Server::start(api(), patient());
        let answer = server.talk("GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
        assert_eq!(answer.matches("\r\ndate: ").count(), 1, "{answer}");
        assert!(answer.contains(" GMT\r\n"), "{answer}");
    });
}
