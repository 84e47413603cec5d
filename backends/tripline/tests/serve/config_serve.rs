//! `tripline serve` with configurations and tokens that are probably not intended, and with JSON logs.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::process::Command;

use crate::support::{Finished, Launch, QUICK, eventually, post};
use serde_json::{Value, json};

#[track_caller]
fn assert_rejected(finished: &Finished, words: &[&str]) {
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(1), ""), "{finished:?}");
    for word in words {
        assert!(finished.stderr.contains(word), "{word}: {finished:?}");
    }
    assert!(!finished.stderr.contains("hush"), "{finished:?}");
}

#[test]
fn a_token_of_the_environment_that_is_empty_or_no_text_is_an_error() {
    let not_utf8 = OsString::from_vec(b"hush-hush-hush-hush-\xff".to_vec());
    for token in [OsStr::new(""), &not_utf8] {
        assert_rejected(&Launch::new(QUICK).variable("TRIPLINE_TOKEN", token).fail(), &["TRIPLINE_TOKEN", "allowed: "]);
    }
}

/// Fails with `[http]` naming the token file that `make` creates.
fn with_token_file(make: impl FnOnce(&std::path::Path)) -> Finished {
    let launch = Launch::without_file();
    fs::write(launch.file(), "[http]\ntoken_file = \"token\"\nlisten = \"127.0.0.1:0\"\n").unwrap();
    make(&launch.file().with_file_name("token"));
    launch.fail()
}

#[test]
fn a_token_file_that_is_no_small_regular_file_is_an_error_at_once() {
    let fifo = with_token_file(|path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success()));
    assert_rejected(&fifo, &["http.token_file = token: ", "regular file"]);
    let folder = with_token_file(|path| fs::create_dir(path).unwrap());
    assert_rejected(&folder, &["http.token_file = token: ", "regular file"]);
    let large = with_token_file(|path| fs::write(path, "hush".repeat(1_025)).unwrap());
    assert_rejected(&large, &["http.token_file = token: ", "4096 bytes"]);
}

#[test]
fn an_empty_configuration_file_is_an_error() {
    let launch = Launch::without_file();
    fs::write(launch.file(), " \n").unwrap();
    assert_rejected(&launch.fail(), &["breakers.toml: is empty"]);
}

#[test]
fn an_unknown_key_is_warned_about_and_the_server_starts() {
    let server = Launch::new(&format!("latency_treshold = 7\n{QUICK}")).start();
    eventually("the warning", || server.log().contains("did you mean latency_threshold?").then_some(()));
    assert_eq!(server.status()["latency_threshold_ms"], 250);
}

#[test]
fn with_json_logs_every_line_of_both_streams_is_json() {
    let server = Launch::new(&format!("{QUICK}\n[log]\nformat = \"json\"\n")).start();
    post(server.address, "/breaker/disabled");
    eventually("the log", || server.log().contains("disabled").then_some(()));
    assert_eq!(
        serde_json::from_str::<Value>(&server.stdout()).unwrap(),
        json!({"message": "listening", "url": format!("http://{}", server.address)})
    );
    for line in server.log().lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok_and(|line| line.is_object()), "{line}");
    }
}
