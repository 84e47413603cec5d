//! `tripline ctl watch` and `tripline ctl events`, and confirmations on a terminal.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::fake_server;
use crate::support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use fake_server::{Answer, Fake, status};
use serde_json::{Value, json};
use support::{QUICK, Server, eventually, tripline, wait};

/// A running `tripline ctl`, which is killed when it is dropped.
pub(crate) struct Running {
    child: Child,
    pub(crate) stdout: BufReader<ChildStdout>,
}

impl Running {
    pub(crate) fn start(url: &str, command: &str) -> Self {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut child = tripline(folder).args(["ctl", "--url", url, command]).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout }
    }

    /// The next line without the time.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        assert_ne!(self.stdout.read_line(&mut line).unwrap(), 0, "it ended");
        let (time, text) = line.trim_end().split_once(' ').unwrap();
        assert!(time.ends_with('Z') && time.contains('T'), "{line}");
        text.to_owned()
    }

    /// Sends SIGINT, and returns the exit code and standard error.
    #[track_caller]
    pub(crate) fn interrupt(mut self) -> (Option<i32>, String) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        self.end()
    }

    #[track_caller]
    fn end(&mut self) -> (Option<i32>, String) {
        let code = wait(&mut self.child).code();
        let mut told = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
        (code, told)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server whose status can be changed. It serves `events` once, if there are any.
struct Stage {
    fake: Fake,
    /// Null: the server does not respond at all.
    status: Arc<Mutex<Value>>,
}

impl Stage {
    fn new(events: Option<Receiver<String>>) -> Self {
        let status = Arc::new(Mutex::new(status("closed")));
        let (shown, events) = (status.clone(), Mutex::new(events));
        let fake = Fake::start(move |request| {
            let status = shown.lock().unwrap().clone();
            match request.path.as_str() {
                _ if status.is_null() => Answer::Raw(String::new()),
                "/breaker/events" => match events.lock().unwrap().take() {
                    Some(events) => Answer::Events(events),
                    None => Answer::Json(404, json!({"error": "there is no /breaker/events"})),
                },
                "/breaker/status" => Answer::Json(200, status),
                _ => Answer::Json(404, json!({"error": "no"})),
            }
        });
        Self { fake, status }
    }

    fn with_events() -> (Self, Sender<String>) {
        let (sender, receiver) = channel();
        (Self::new(Some(receiver)), sender)
    }

    fn set(&self, status: Value) {
        *self.status.lock().unwrap() = status;
    }

    fn asked_for_status(&self) -> usize {
        self.fake.requests().iter().filter(|request| request.path == "/breaker/status").count()
    }
}

fn changed(field: &str, value: Value) -> Value {
    let mut body = status("closed");
    body[field] = value;
    body
}

#[test]
fn events_of_the_server_are_lines_where_something_matters() {
    let (stage, events) = Stage::with_events();
    let mut watch = Running::start(&stage.fake.url(), "watch");
    assert_eq!(
        watch.line(),
        "default closed; latency 20.2 ms of 1500 ms; trend steady; memory 50 %; 1 in flight, 0 stalled"
    );
    events.send(": alive\n\n".to_owned()).unwrap();
    // This change prints no line.
    events.send(format!("event: status\ndata: {}\n\n", changed("current_percentile_ms", json!(30)))).unwrap();
    events.send(format!("data: {}\n\n", changed("trend", json!("rising")))).unwrap();
    assert!(watch.line().contains("trend rising"));
    events.send(format!("data: {}\n\n", json!({"status": status("open")}))).unwrap();
    assert!(watch.line().starts_with("default open (latency rising);"));
    let request = stage.fake.requests().into_iter().find(|request| request.path == "/breaker/events").unwrap();
    assert_eq!(request.header("accept"), Some("text/event-stream"));
    let (code, told) = watch.interrupt();
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("its events are read"), "{told}");
}

#[test]
fn after_an_event_that_is_no_status_the_status_is_asked_for() {
    let (stage, events) = Stage::with_events();
    let mut watch = Running::start(&stage.fake.url(), "watch");
    watch.line();
    stage.set(status("half_open"));
    events.send("event: transition\ndata: {\"state\":\"half_open\"}\n\n".to_owned()).unwrap();
    assert!(watch.line().starts_with("default half open"));
    assert_eq!(watch.interrupt().0, Some(2));
}

#[test]
fn where_events_tell_the_status_it_is_not_asked_for() {
    let (stage, events) = Stage::with_events();
    let mut watch = Running::start(&stage.fake.url(), "watch");
    watch.line();
    for data in [status("closed"), json!({"ok": 1, "refused": 2}), json!({"state": "open"}), status("open")] {
        events.send(format!("data: {data}\n\n")).unwrap();
    }
    assert!(watch.line().starts_with("default open"));
    assert_eq!(stage.asked_for_status(), 1);
    assert_eq!(watch.interrupt().0, Some(2));
}

#[test]
fn a_server_without_events_is_polled_once_a_second() {
    let stage = Stage::new(None);
    let mut watch = Running::start(&stage.fake.url(), "watch");
    watch.line();
    stage.set(changed("stalled", json!(3)));
    assert!(watch.line().ends_with("3 stalled"));
    stage.set(status("closed"));
    watch.line();
    let (code, told) = watch.interrupt();
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("polled once a second: this server has no events"), "{told}");
}

#[test]
fn a_lost_server_is_one_line_and_comes_back() {
    let stage = Stage::new(None);
    let mut watch = Running::start(&stage.fake.url(), "watch");
    watch.line();
    stage.set(Value::Null);
    assert!(watch.line().starts_with("lost: "));
    let asked = stage.asked_for_status();
    eventually("it is asked again", || (stage.asked_for_status() > asked + 1).then_some(()));
    stage.set(status("closed"));
    assert!(watch.line().starts_with("default closed"), "the state after a gap is told though it is the same");
    stage.set(Value::Null);
    assert!(watch.line().starts_with("lost: "));
    let (code, told) = watch.interrupt();
    assert_eq!(code, Some(1), "an unknown state is no closed one: {told}");
}

#[test]
fn an_end_of_the_events_is_no_loss() {
    let (stage, events) = Stage::with_events();
    let mut watch = Running::start(&stage.fake.url(), "watch");
    watch.line();
    drop(events);
    eventually("it asks again", || (stage.asked_for_status() > 1).then_some(()));
    stage.set(status("open"));
    assert!(watch.line().starts_with("default open"));
    assert_eq!(watch.interrupt().0, Some(2));
}

#[test]
fn watch_ends_when_its_reader_is_gone() {
    let (stage, events) = Stage::with_events();
    let mut watch = Running::start(&stage.fake.url(), "watch");
    watch.line();
    let Running { child, stdout } = &mut watch;
    // Closes the output, like `tripline ctl watch | head -1`.
    let unread = std::mem::replace(stdout, BufReader::new(silent()));
    drop(unread);
    // A process that another test starts may hold the output open for a moment, so one line more may find room.
    let mut reasons = ["latency", "memory"].into_iter().cycle();
    let ended = eventually("it ends", || {
        let mut open = status("open");
        open["trip_reason"] = json!(reasons.next());
        let _ = events.send(format!("data: {open}\n\n"));
        child.try_wait().unwrap()
    });
    assert_eq!(ended.code(), Some(2));
}

/// A stream that has ended.
fn silent() -> ChildStdout {
    let mut child = Command::new("true").stdout(Stdio::piped()).spawn().unwrap();
    child.wait().unwrap();
    child.stdout.take().unwrap()
}

#[test]
fn events_are_printed_as_they_come() {
    let (stage, events) = Stage::with_events();
    let mut running = Running::start(&stage.fake.url(), "events");
    let text = "event: status\nid: 1\ndata: {\"a\":1}\n\n";
    events.send(text.to_owned()).unwrap();
    let mut bytes = vec![0; text.len()];
    running.stdout.read_exact(&mut bytes).unwrap();
    assert_eq!(String::from_utf8(bytes).unwrap(), text);
    assert_eq!(running.interrupt().0, Some(0));
}

#[test]
fn an_end_of_the_events_ends_their_printing_with_an_error() {
    let (stage, events) = Stage::with_events();
    let mut running = Running::start(&stage.fake.url(), "events");
    drop(events);
    let (code, told) = running.end();
    assert_eq!(code, Some(1));
    assert!(told.contains("the server ended the events"), "{told}");
    let (code, told) = Running::start(&stage.fake.url(), "events").end();
    assert_eq!(code, Some(1));
    assert!(told.contains("this server has no events"), "{told}");
}

#[test]
fn a_trip_of_the_real_server_is_seen() {
    let server = Server::start(QUICK);
    let mut watch = Running::start(&format!("http://{}", server.address), "watch");
    assert!(watch.line().starts_with("default closed"));
    server.trigger("memory_overload");
    server.rejected();
    while !watch.line().starts_with("default open (memory)") {}
    assert_eq!(watch.interrupt().0, Some(2));
}

// ----- on a terminal

/// Runs `tripline ctl` on a pseudo-terminal; `None` if `script`, which provides it, is missing.
pub(crate) fn on_terminal(url: &str, arguments: &str, no_colour: bool) -> Option<Child> {
    if Command::new("script").arg("--version").output().is_err() {
        eprintln!("SKIPPED: `script` (util-linux) is absent, so there is no terminal to test on");
        return None;
    }
    let command = format!("exec '{}' ctl --url {url} {arguments}", env!("CARGO_BIN_EXE_tripline"));
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &command, "/dev/null"]).env_remove("TRIPLINE_TOKEN");
    script.env("TERM", "xterm").env("SHELL", "/bin/sh").env_remove("NO_COLOR");
    if no_colour {
        script.env("NO_COLOR", "1");
    }
    Some(script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap())
}

const ENTER: &str = "\u{1b}[?1049h\u{1b}[?25l";
const LEAVE: &str = "\u{1b}[?25h\u{1b}[?1049l";

#[test]
fn on_a_terminal_it_is_drawn_until_ctrl_c_which_gives_the_terminal_back() {
    for no_colour in [false, true] {
        let stage = Stage::new(None);
        stage.set(status("open"));
        let Some(mut child) = on_terminal(&stage.fake.url(), "watch", no_colour) else { return };
        let mut stdin = child.stdin.take().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        // A character may arrive in two parts.
        let mut bytes = Vec::new();
        let mut read = |bytes: &mut Vec<u8>| {
            let mut part = [0; 4_096];
            let count = stdout.read(&mut part).unwrap_or(0);
            bytes.extend_from_slice(&part[..count]);
            count
        };
        while !String::from_utf8_lossy(&bytes).contains("to 40 ms") {
            assert_ne!(read(&mut bytes), 0, "{:?}", String::from_utf8_lossy(&bytes));
        }
        stdin.write_all(b"\x03").unwrap();
        stdin.flush().unwrap();
        while read(&mut bytes) > 0 {}
        let shown = String::from_utf8(bytes).unwrap();
        assert_eq!(wait(&mut child).code(), Some(2), "{shown:?}");
        let (_, drawn) = shown.split_once(ENTER).unwrap();
        let (drawn, after) = drawn.split_once(LEAVE).unwrap();
        assert!(drawn.contains("[#######---|---]") && drawn.contains('▂'), "{drawn:?}");
        assert!(after.starts_with("default open"), "{after:?}");
        assert_eq!(drawn.contains("\u{1b}[1;31m"), !no_colour, "{drawn:?}");
    }
}

#[test]
fn on_a_terminal_reset_asks_first() {
    for (answer, code) in [("n\n", 1), ("\n", 1), ("y\n", 0)] {
        let fake = Fake::always(status("open"));
        let Some(mut child) = on_terminal(&fake.url(), "reset", false) else { return };
        // Kept open: its end would count as another answer.
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(answer.as_bytes()).unwrap();
        stdin.flush().unwrap();
        let mut shown = String::new();
        child.stdout.take().unwrap().read_to_string(&mut shown).unwrap();
        assert_eq!(wait(&mut child).code(), Some(code), "{shown:?}");
        assert!(shown.contains("Reset default, which is open?"), "{shown:?}");
        let reset = fake.requests().iter().any(|request| request.path == "/breaker/reset");
        assert_eq!(reset, code == 0, "{answer:?}");
    }
}
