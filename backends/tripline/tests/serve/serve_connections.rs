//! Many idle client connections do not exhaust the server's own resources.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::net::TcpStream;

use crate::alert_e2e::{ALIAS, Scene, trip};
use crate::alert_service::Manner;
use crate::support::{Server, eventually};

/// Opens more connections than the server has descriptors; some wait in the listen queue.
fn silent(server: &Server, count: usize) -> Vec<TcpStream> {
    (0..count).map(|_| TcpStream::connect(server.address).unwrap()).collect()
}

#[test]
fn silent_connections_take_no_descriptor_from_alerts_files_and_other_clients() {
    let scene = Scene::of(Manner::OpsGenie);
    let launch = scene.launch().open_files(128);
    let file = launch.file().to_owned();
    let server = launch.start();
    let _silent = silent(&server, 400);

    assert_eq!(server.get("/health").status, 200);
    trip(&server);
    scene.open_is(&[(ALIAS, "P2")]);
    let edited = fs::read_to_string(&file).unwrap().replace("latency_threshold = 250", "latency_threshold = 260");
    fs::write(&file, edited).unwrap();
    eventually("the edited file is read", || (server.status()["latency_threshold_ms"] == 260).then_some(()));
    let log = server.log();
    assert!(!log.contains("cannot accept connections"), "{log}");
}
