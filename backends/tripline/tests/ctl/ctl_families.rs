//! Members of a family from the shell, against the real server.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::fake_server;
use crate::support;

use fake_server::ctl;
use serde_json::{Value, json};
use support::{Finished, QUICK, Server, eventually, tripline};

fn server() -> Server {
    let server = Server::start(&format!("{QUICK}\n[breakers.search]\n[breakers.tenants]\nkey = \"header:x-tenant\"\n"));
    for tenant in ["acme", "globex"] {
        assert_eq!(call(&server, tenant).0, 200);
    }
    server
}

/// Calls the demo endpoint behind the member of this key.
fn call(server: &Server, tenant: &str) -> (u16, Value) {
    let headers = format!("x-tenant: {tenant}\r\n");
    let answer = server.client().exchange("GET", "/test/tenants", &headers, "").unwrap();
    (answer.status, answer.json())
}

/// A command for the breaker that the option names.
fn with_option(server: &Server, breaker: &str, arguments: &[&str]) -> Finished {
    ctl(&format!("http://{}", server.address), &[arguments, &["--breaker", breaker]].concat())
}

/// The same with the variable of the environment: exit code and output.
fn with_variable(server: &Server, breaker: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let url = format!("http://{}", server.address);
    let mut command = tripline(server.folder());
    let output =
        command.env("TRIPLINE_BREAKER", breaker).args(["ctl", "--url", &url]).args(arguments).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn every_command_that_shows_something_takes_a_member_by_option_and_by_variable() {
    let server = server();
    let shown: [&[&str]; 7] = [
        &["status", "--json"],
        &["get"],
        &["get", "latency"],
        &["latencies"],
        &["memory"],
        &["staged-alerts"],
        &["opsgenie", "status"],
    ];
    for breaker in ["tenants/acme", "search"] {
        // A new member reads memory within a second.
        eventually("a reading of memory", || {
            with_option(&server, breaker, &["memory"]).stdout.contains("MiB").then_some(())
        });
    }
    for arguments in shown {
        for breaker in ["tenants/acme", "search"] {
            let finished = with_option(&server, breaker, arguments);
            assert_eq!(finished.code, Some(0), "{breaker} {arguments:?}: {finished:?}");
            let other = with_variable(&server, breaker, arguments);
            assert_eq!(other.0, Some(0), "{breaker} {arguments:?}: {other:?}");
            // Figures that change with time are in the status only.
            assert!(arguments[0] == "status" || other.1 == finished.stdout, "{breaker} {arguments:?}: {other:?}");
        }
        let unknown = with_option(&server, "tenants/initech", arguments);
        assert!(unknown.code == Some(1) && unknown.stderr.contains("initech"), "{arguments:?}: {unknown:?}");
    }
    let status = with_option(&server, "tenants/acme", &["status", "--json"]).stdout;
    assert_eq!(serde_json::from_str::<Value>(&status).unwrap()["name"], "tenants");
}

#[test]
fn operating_a_member_by_its_key_leaves_the_others_alone() {
    let server = server();
    let operate = |arguments: &[&str]| {
        let finished = with_option(&server, "tenants/acme", arguments);
        assert_eq!(finished.code, Some(0), "{arguments:?}: {finished:?}");
    };
    operate(&["force-open"]);
    let (status, body) = call(&server, "acme");
    assert_eq!((status, &body["breaker"]), (503, &json!("tenants")));
    assert_eq!((call(&server, "globex").0, call(&server, "").0), (200, 200), "the others, and the shared member");
    for code in [
        with_option(&server, "tenants/acme", &["status"]).code,
        with_variable(&server, "tenants/acme", &["status"]).0,
        ctl(&format!("http://{}", server.address), &["list"]).code,
    ] {
        assert_eq!(code, Some(2), "one is open");
    }
    assert_eq!(with_option(&server, "tenants/globex", &["status"]).code, Some(0));
    let listed = ctl(&format!("http://{}", server.address), &["list", "--open", "--json"]);
    let rows = serde_json::from_str::<Value>(&listed.stdout).unwrap();
    assert_eq!(rows["breakers"][0]["name"], "tenants", "{rows}");
    assert_eq!((&rows["breakers"][0]["keys"], &rows["breakers"][0]["open_keys"]), (&json!(2), &json!(1)), "{rows}");

    operate(&["reset", "--yes"]);
    assert_eq!(call(&server, "acme").0, 200);
    operate(&["trigger", "latency"]);
    assert_eq!(call(&server, "acme").0, 503);
    operate(&["reset", "--yes"]);
    let finished = with_option(&server, "tenants/acme", &["set", "latency", "100"]);
    assert!(finished.code == Some(1) && finished.stderr.contains("family"), "{finished:?}");
}
