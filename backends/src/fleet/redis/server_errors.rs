//! What each error of a server becomes: it names the cause, contains no secret, and no foreign key changes.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};

use smol::block_on;
use tripline_runtime::AlertKind;
use tripline_runtime::core::fleet::Probe;

use super::redis_server::RedisServer;
use super::*;

fn engine(url: &str) -> RedisFleet {
    RedisFleet::new(url, "test", "checkout").unwrap()
}

/// The error of a beat.
fn rejected(engine: &RedisFleet) -> String {
    match block_on(engine.beat(&Beat::of(&text("a-1111")))).unwrap_err() {
        EngineError::Rejected { reason } => reason,
        other => panic!("{other:?}"),
    }
}

/// A server that returns this error for each script.
fn fake(error: &'static str) -> RedisFleet {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let mut bytes = vec![0; 65_536];
            while let Ok(read @ 1..) = client.read(&mut bytes) {
                // The client introduces itself with two commands at once, whose responses it does not use.
                let is_script = bytes[..read].windows(4).any(|word| word == b"EVAL");
                let response = if is_script { format!("-{error}\r\n") } else { "+OK\r\n+OK\r\n".to_owned() };
                if client.write_all(response.as_bytes()).is_err() {
                    break;
                }
            }
        }
    });
    engine(&format!("redis://127.0.0.1:{port}"))
}

#[test]
fn an_error_of_a_server_that_cannot_serve_names_the_cause() {
    for (error, cause) in [
        ("MOVED 3999 127.0.0.1:6381", "a node of a Redis Cluster, which is not supported"),
        ("ASK 3999 127.0.0.1:6381", "a node of a Redis Cluster, which is not supported"),
        ("CLUSTERDOWN The cluster is down", "a node of a Redis Cluster, which is not supported"),
        ("CROSSSLOT Keys in request don't hash to the same slot", "a node of a Redis Cluster, which is not supported"),
        ("ERR unknown command 'EVALSHA'", "Redis Sentinel is not supported"),
        ("LOADING Redis is loading the dataset in memory", "loading the dataset"),
        ("MASTERDOWN Link with MASTER is down", "MASTER is down"),
        (
            "ERR Error running script: @user_script: 9: -READONLY You can't write",
            "a read-only replica; name the primary",
        ),
        ("ERR Write commands not allowed after non deterministic commands", "Redis 5 or newer is needed"),
    ] {
        let reason = rejected(&fake(error));
        assert!(reason.contains(cause), "{error}: {reason}");
    }
}

#[test]
fn a_server_of_another_protocol_and_one_that_cannot_be_reached_are_named() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let serving = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let _ = client.read(&mut [0; 1_024]);
        client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    });
    let engine = engine(&format!("redis://user:its-secret@{address}"));
    assert_eq!(rejected(&engine), format!("redis://{address} does not speak the protocol of Redis"));
    serving.join().unwrap();
    let error = block_on(engine.beat(&Beat::of(&text("a-1111")))).unwrap_err().to_string();
    assert!(error.starts_with(&format!("not reached: redis://{address}: ")), "{error}");
}

#[test]
fn a_missing_or_wrong_password_and_a_user_without_rights_are_named_and_not_quoted() {
    let arguments = ["--requirepass", "right-secret", "--user", "reader", "on", ">its-secret", "~*", "+@read"];
    let Some(server) = RedisServer::start_with("passwords", &arguments) else { return };
    let of = |credentials: &str| engine(&format!("redis://{credentials}127.0.0.1:{}", server.port));
    assert!(block_on(of(":right-secret@").beat(&Beat::of(&text("a-1")))).is_ok());
    for (credentials, cause) in [
        ("", "the server requires a password, and the address has none"),
        (":wrong-secret@", "Password authentication failed"),
        ("stranger:wrong-secret@", "Password authentication failed"),
        ("reader:its-secret@", "no permissions to run"),
    ] {
        let reason = rejected(&of(credentials));
        assert!(reason.contains(cause) && !reason.contains("-secret"), "{credentials}: {reason}");
    }
}

#[test]
fn a_replica_and_a_full_server_are_named_and_serve_again_afterwards() {
    let Some(server) = RedisServer::start("a replica and a full server") else { return };
    let engine = engine(&server.url());
    let works = || assert!(block_on(engine.beat(&Beat::of(&text("a-1111")))).is_ok());
    works();
    assert_eq!(server.command("REPLICAOF 127.0.0.1 1"), "+OK");
    let reason = rejected(&engine);
    assert!(reason.contains("a read-only replica; name the primary"), "{reason}");
    assert_eq!(server.command("REPLICAOF NO ONE"), "+OK");
    works();
    assert_eq!(server.command("CONFIG SET maxmemory 1"), "+OK");
    let reason = rejected(&engine);
    assert!(reason.contains("has reached its maxmemory"), "{reason}");
    assert_eq!(server.command("CONFIG SET maxmemory 0"), "+OK");
    works();
}

#[test]
fn a_foreign_key_in_the_place_of_any_key_is_named_and_left_alone() {
    let Some(server) = RedisServer::start("foreign keys") else { return };
    let engine = engine(&server.url());
    let (replica, breaker) = (text("a-1111"), BreakerName::default());
    let mut beat = Beat::of(&replica);
    beat.commands_done = Some(7);
    let mut report = Report::of(&replica);
    (report.open, report.unwell, report.probe) = (true, Some(AlertKind::CircuitOpen), Probe::Asks);
    let mut terms = Terms::default();
    terms.probe_millionths = 1;
    let kind = AlertKind::CircuitOpen;
    let claim = Claim { due: DueStage::Initial, epoch: 1, fence: 1, kind, sent: KindSet::default(), open: 1 };
    let key = |names: &[&str]| names.iter().map(|name| format!("test:{{checkout}}:{name}")).collect::<Vec<_>>();
    let is_left_alone = |call: &str, keys: Vec<String>, error: &dyn Fn() -> EngineError| {
        for key in keys {
            assert_eq!(server.command("FLUSHALL"), "+OK");
            assert_eq!(server.command(&format!("RPUSH {key} mine")), ":1");
            let error = error();
            assert_eq!(error, EngineError::ForeignKey { key: key.clone() }, "{call}");
            assert!(error.to_string().contains("fleet.namespace"));
            assert_eq!(server.command(&format!("LLEN {key}")), ":1", "{call} {key}");
        }
    };
    let keys = key(&["members", "incidents", "born", "commands", "last-command", "done"]);
    is_left_alone("beat", keys, &|| block_on(engine.beat(&beat)).unwrap_err());
    let keys =
        key(&["members", "incidents", "born", "open:default", "unwell:default", "incident:default", "probing:default"]);
    is_left_alone("sync", keys, &|| block_on(engine.sync(&breaker, &report, &terms)).unwrap_err());
    let keys = key(&["incident:default"]);
    is_left_alone("acknowledge", keys, &|| block_on(engine.acknowledge(&breaker, &replica, &claim)).unwrap_err());
    let keys = key(&["commands", "last-command", "done"]);
    is_left_alone("command", keys, &|| block_on(engine.command(Action::Reset, &breaker)).unwrap_err());
    let keys = key(&["members", "done"]);
    is_left_alone("progress", keys, &|| block_on(engine.command_progress(1)).unwrap_err());
    let keys = key(&["members", "incidents", "done"]);
    is_left_alone("leave", keys, &|| block_on(engine.leave(&replica)).unwrap_err());
}

#[test]
fn a_replica_without_commands_is_not_affected_by_a_foreign_key_in_their_place() {
    let Some(server) = RedisServer::start("a foreign key in the place of commands") else { return };
    assert_eq!(server.command("SET test:{checkout}:commands something"), "+OK");
    assert!(block_on(engine(&server.url()).beat(&Beat::of(&text("a-1111")))).is_ok());
}
