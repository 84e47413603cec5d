//! Wrong addresses and passwords, TLS, and what `ctl fleet` shows.

use std::fs;

use rcgen::generate_simple_self_signed;

use crate::redis_server::RedisServer;
use crate::replicas::Replicas;
use crate::support::{eventually, run};

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
    assert!(shown.stdout.contains("no incident; 1 replicas"), "{shown:?}");
}
