//! `tripline ctl` against a real server.

use std::fs;

use crate::fake_server::ctl;
use crate::support::{Launch, QUICK, Server};

const TOKEN: &str = "0123456789abcdef";

#[test]
fn the_real_server_is_looked_at_and_operated() {
    let server = Server::start(QUICK);
    let url = format!("http://{}", server.address);
    let done = |arguments: &[&str], code: i32| {
        let finished = ctl(&url, arguments);
        assert_eq!((finished.code, finished.stderr.as_str()), (Some(code), ""), "{arguments:?} {finished:?}");
        finished.stdout
    };
    assert!(done(&["status"], 0).starts_with("default: closed"));
    let request = done(&["request"], 0);
    assert!(!request.is_empty());
    assert!(done(&["memory"], 0).contains("share  50 %"));
    assert_eq!(done(&["latencies", "--above", "0"], 0).lines().count(), 1);
    assert!(done(&["disable"], 0).starts_with("enabled: off"));
    assert_eq!(server.state(), "disabled");
    assert_eq!(done(&["get", "enabled"], 0), "off\n");
    assert!(done(&["enable"], 0).starts_with("enabled: on"));
    done(&["delay", "1ms"], 0);
    assert!(done(&["scenario"], 0).contains("memory_overload"));
    done(&["scenario", "memory_overload"], 0);
    server.rejected();
    assert!(done(&["status"], 2).contains("because of memory"));
    done(&["request"], 2);
    done(&["scenario", "reset_normal"], 0);
    assert_eq!(done(&["reset", "--yes"], 0), "state: closed\n");
    let refused = ctl(&url, &["latencies", "--above", "4294967295"]);
    assert!(refused.stderr.contains("allowed: 0 to 4294967"), "{refused:?}");
}

#[test]
fn the_real_server_lets_in_who_has_the_token() {
    let server = Launch::new(QUICK).variable("TRIPLINE_TOKEN", TOKEN).start();
    let url = format!("http://{}", server.address);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, TOKEN).unwrap();
    assert_eq!(ctl(&url, &["--token-file", file.to_str().unwrap(), "disable"]).code, Some(0));
    let refused = ctl(&url, &["status"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("TRIPLINE_TOKEN (401)"), "{refused:?}");
}
