//! `tripline ctl watch`, `events`, `delay` and `scenario` with several breakers.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{BufRead as _, Read as _, Write as _};

use crate::ctl_watch::{Running, on_terminal};
use crate::fake_server::ctl;
use crate::support::{QUICK, Server, wait};

fn two() -> Server {
    Server::start(&format!("{QUICK}\n[breakers.search]\n\n[breakers.checkout]\n"))
}

fn url(server: &Server) -> String {
    format!("http://{}", server.address)
}

#[test]
fn without_a_terminal_each_change_is_a_line_and_the_exit_code_says_whether_any_is_open() {
    let server = two();
    let mut watch = Running::start(&url(&server), "watch");
    assert_eq!(watch.line(), "2 breakers, none open");
    assert_eq!(server.post("/breakers/checkout/force-open", "").status, 200);
    assert_eq!(watch.line(), "checkout forced open");
    assert_eq!(server.post("/breakers/search/disabled", "").status, 200);
    assert_eq!(watch.line(), "search disabled");
    assert_eq!(watch.interrupt().0, Some(2));
    server.post("/breakers/checkout/reset", "{\"confirm\": true}");
    let mut watch = Running::start(&url(&server), "watch");
    assert_eq!(watch.line(), "2 breakers, none open");
    assert_eq!(watch.interrupt().0, Some(0));
}

#[test]
fn on_a_terminal_it_is_a_table_with_the_worst_first() {
    let server = two();
    server.post("/breakers/checkout/force-open", "");
    let Some(mut child) = on_terminal(&url(&server), "watch", true) else { return };
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut bytes = Vec::new();
    let mut read = |bytes: &mut Vec<u8>| {
        let mut part = [0; 4_096];
        let count = stdout.read(&mut part).unwrap_or(0);
        bytes.extend_from_slice(&part[..count]);
        count
    };
    while !String::from_utf8_lossy(&bytes).contains("search ") {
        assert_ne!(read(&mut bytes), 0, "{:?}", String::from_utf8_lossy(&bytes));
    }
    stdin.write_all(b"\x03").unwrap();
    stdin.flush().unwrap();
    while read(&mut bytes) > 0 {}
    let shown = String::from_utf8(bytes).unwrap();
    assert_eq!(wait(&mut child).code(), Some(2), "{shown:?}");
    let order = ["NAME ", "checkout  forced open", "search    closed", "2 breakers, 1 open: checkout forced open"];
    let places: Vec<_> =
        order.iter().map(|text| shown.find(text).unwrap_or_else(|| panic!("{text}: {shown:?}"))).collect();
    assert!(places.is_sorted(), "{shown:?}");
}

#[test]
fn events_are_those_of_all_breakers_unless_one_is_named() {
    let server = two();
    let mut events = Running::start(&url(&server), "events");
    let mut line = String::new();
    while !line.starts_with("data: {\"breakers\":[\"search\",\"checkout\"]}") {
        line.clear();
        assert_ne!(events.stdout.read_line(&mut line).unwrap(), 0, "it ended");
    }
    assert_eq!(events.interrupt().0, Some(0));
}

#[test]
fn delays_and_scenarios_are_those_of_the_named_breaker() {
    let server = two();
    let run = |arguments: &[&str]| ctl(&url(&server), arguments);
    let finished = run(&["delay", "70ms", "--breaker", "checkout"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let delay = |path: &str| server.get(path).json()["delay_ms"].clone();
    assert_eq!((delay("/test/checkout"), delay("/test/search"), delay("/test")), (70.into(), 20.into(), 20.into()));
    assert_eq!(run(&["scenario", "high_latency", "--breaker", "checkout"]).code, Some(0));
    assert_eq!((delay("/test/checkout"), delay("/test/search")), (500.into(), 20.into()));
    assert_eq!(run(&["scenario", "reset_normal"]).code, Some(0));
    assert_eq!(delay("/test/checkout"), 20);
    let finished = run(&["delay", "70ms", "--breaker", "gone"]);
    assert!(finished.code == Some(1) && finished.stderr.contains("breaker cannot be \"gone\""), "{finished:?}");
}
