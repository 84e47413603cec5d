//! Invalid addresses and passwords, TLS, and the output of `ctl fleet`.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};

use rcgen::generate_simple_self_signed;

use crate::redis_server::RedisServer;
use crate::replicas::Replicas;
use crate::support::{eventually, run};

#[test]
fn two_tests_do_not_share_a_server() {
    let Some(redis) = RedisServer::start("a port that is taken") else { return };
    let other = redis.start_beside();
    assert_ne!(redis.port, other.port);
    assert_eq!(redis.command("SET owner first"), "+OK");
    assert_eq!(other.command("GET owner"), "$-1", "it is not there");
}

#[test]
fn an_address_that_cannot_be_read_is_an_error_at_the_start_that_does_not_quote_it() {
    let replicas = Replicas::none("", 0);
    for (url, words) in [
        ("http://:hush-hush@redis", "redis://"),
        ("redis://:hush-hush@a,b", "neither Sentinel nor Cluster"),
        ("redis+sentinel://:hush-hush@a/mymaster", "neither Sentinel nor Cluster"),
    ] {
        let finished = replicas.launch_at(0, url).fail();
        assert_eq!(finished.code, Some(1));
        assert!(finished.stderr.contains("TRIPLINE_FLEET_URL") && finished.stderr.contains(words), "{finished:?}");
        assert!(!finished.stderr.contains("hush"), "{finished:?}");
    }
    let finished = replicas.launch_at(0, "").fail();
    assert!(finished.stderr.contains("fleet.url is not set"), "{finished:?}");
}

#[test]
fn a_wrong_password_is_a_warning_and_the_process_pages_alone() {
    if RedisServer::start_in_ci("a wrong password").is_none() {
        return;
    }
    let Some(redis) = RedisServer::start_with("a wrong password", &["--requirepass", "the-right-one"]) else { return };
    let mut replicas = Replicas::none(&format!("redis://:hush-hush@127.0.0.1:{}", redis.port), 0);
    let server = replicas.launch(0).start();
    replicas.servers.push(Some(server));
    eventually("it warns", || replicas.of(0).log().contains("fleet's engine does not answer").then_some(()));
    assert!(replicas.shows(0, "tripline_fleet_up", 0));
    replicas.trip(0);
    replicas.until(60, "it pages alone", Replicas::is_open);
    assert!(!replicas.of(0).log().contains("hush"));
}

#[test]
fn a_password_of_a_user_and_tls_work_and_ctl_shows_the_fleet() {
    let folder = RedisServer::folder();
    let certified = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    fs::write(&cert, certified.cert.pem()).unwrap();
    fs::write(&key, certified.signing_key.serialize_pem()).unwrap();
    let (cert_path, key_path) = (cert.to_str().unwrap(), key.to_str().unwrap());
    let arguments = [
        "--port",
        "0",
        "--tls-port",
        "{port}",
        "--tls-cert-file",
        cert_path,
        "--tls-key-file",
        key_path,
        "--tls-auth-clients",
        "no",
        "--user",
        "tripline",
        "on",
        ">right-secret",
        "~*",
        "&*",
        "+@all",
    ];
    let Some(redis) = RedisServer::start_with("TLS", &arguments) else { return };
    let mut replicas = Replicas::none(&format!("rediss://tripline:right-secret@localhost:{}/0", redis.port), 0);
    let server = replicas.launch(0).variable("SSL_CERT_FILE", &cert).start();
    replicas.servers.push(Some(server));
    replicas.until(20, "it is reached", |it| it.shows(0, "tripline_fleet_up", 1));
    let url = format!("http://{}", replicas.of(0).address);
    let shown = run(folder.path(), &["ctl", "--url", &url, "fleet"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert!(shown.stdout.contains("web-0-") && shown.stdout.contains("reached"), "{shown:?}");
    assert!(shown.stdout.contains("no incident; 1 replica\n"), "{shown:?}");
}

#[test]
fn a_key_of_another_type_under_our_prefix_is_named_and_left_alone() {
    let Some(redis) = RedisServer::start("a foreign key") else { return };
    let key = "tripline:{checkout}:members";
    assert_eq!(redis.command(&format!("SET {key} mine")), "+OK");
    let mut replicas = Replicas::none(&redis.url(), 0);
    let server = replicas.launch(0).start();
    replicas.servers.push(Some(server));
    eventually("it names the key", || replicas.of(0).log().contains(key).then_some(()));
    let url = format!("http://{}", replicas.of(0).address);
    let shown = run(RedisServer::folder().path(), &["ctl", "--url", &url, "fleet"]);
    assert!(shown.stdout.contains(key) && shown.stdout.contains("fleet.namespace"), "{shown:?}");
    assert_eq!(redis.command(&format!("STRLEN {key}")), ":4");
    assert_eq!(redis.command("DBSIZE"), ":1", "nothing else was written");
}

#[test]
fn a_server_of_an_earlier_version_is_a_warning_that_says_which_is_needed() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut bytes = vec![0; 65_536];
                // The response of Redis 4 to the scripts.
                let answer =
                    b"-ERR Error running script: Write commands not allowed after non deterministic commands\r\n";
                while let Ok(1..) = client.read(&mut bytes) {
                    // The client begins with two pipelined commands and ignores their responses.
                    let is_script = bytes.windows(4).any(|word| word == b"EVAL");
                    let answer = if is_script { &answer[..] } else { b"+OK\r\n+OK\r\n" };
                    if client.write_all(answer).is_err() {
                        break;
                    }
                }
            });
        }
    });
    let mut replicas = Replicas::none(&format!("redis://127.0.0.1:{port}"), 0);
    let server = replicas.launch(0).start();
    replicas.servers.push(Some(server));
    eventually("it warns", || replicas.of(0).log().contains("Redis 5 or newer").then_some(()));
    assert!(replicas.shows(0, "tripline_fleet_up", 0));
}
