//! Which connections to the upstream are kept, and which are used again.

use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use crate::client::{Client, TOO_LONG, get};
use crate::fixture::Fixture;
use crate::upstream::{OK, Recorder};

const IDLE: &str = "tripline_proxy_upstream_idle_connections{upstream=\"up\"}";

#[test]
fn the_connection_that_was_used_last_is_used_next() {
    let (both, peers) = (Arc::new(Barrier::new(2)), Arc::new(Mutex::new(Vec::<SocketAddr>::new())));
    let seen = peers.clone();
    let upstream = Recorder::answering(move |seen_request, exchange| {
        if seen_request.path() == "/both" {
            both.wait();
        } else {
            seen.lock().unwrap().push(exchange.stream.peer_addr().unwrap());
        }
        exchange.send(OK);
    });
    let proxy = Fixture::to(&upstream.url(), "");
    let clients = [(); 2].map(|()| {
        thread::spawn({
            let address = proxy.address;
            move || get(address, "/both").status
        })
    });
    for client in clients {
        assert_eq!(client.join().unwrap(), 200);
    }
    proxy.wait_for_metric(IDLE, 2.0);
    for _ in 0..4 {
        assert_eq!(get(proxy.address, "/").status, 200);
    }
    let peers = peers.lock().unwrap().clone();
    assert!(peers.len() == 4 && peers.iter().all(|peer| *peer == peers[0]), "{peers:?}");
    assert_eq!(upstream.connections(), 2);
}

#[test]
fn no_more_connections_are_kept_than_max_idle_and_none_beyond_idle_timeout() {
    let upstream = Recorder::start();
    let proxy = Fixture::to(&upstream.url(), "max_idle = 0");
    for _ in 0..3 {
        assert_eq!(get(proxy.address, "/").status, 200);
    }
    assert_eq!(upstream.connections(), 3);

    let upstream = Recorder::start();
    let proxy = Fixture::to(&upstream.url(), "idle_timeout = 0.1");
    assert_eq!(get(proxy.address, "/").status, 200);
    proxy.wait_for_metric(IDLE, 0.0);
    assert_eq!(get(proxy.address, "/").status, 200);
    assert_eq!(upstream.connections(), 2);
}

#[test]
fn a_connection_whose_upload_was_not_finished_is_not_used_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (accepted, connections) = channel();
    thread::spawn(move || {
        for (number, stream) in listener.incoming().map_while(Result::ok).enumerate() {
            accepted.send(number).unwrap();
            thread::spawn(move || {
                let mut stream = stream;
                let mut read = Vec::new();
                // The head of each request is answered; no client waits for a body.
                while let Ok(1..) = std::io::Read::read(&mut stream, {
                    read.resize(1 << 12, 0);
                    &mut read
                }) {
                    if read.windows(4).any(|window| window == b"\r\n\r\n") {
                        std::io::Write::write_all(&mut stream, OK).unwrap();
                    }
                }
            });
        }
    });
    let proxy = Fixture::to(&url, "");
    let mut client = Client::connect(proxy.address);
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc");
    assert_eq!(client.response().unwrap().status, 200);
    assert_eq!(get(proxy.address, "/").status, 200);
    let next = || connections.recv_timeout(TOO_LONG.min(Duration::from_secs(5)));
    assert_eq!((next(), next()), (Ok(0), Ok(1)), "the second request has a connection of its own");
}
