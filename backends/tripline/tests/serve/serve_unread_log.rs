//! A log that is not read: the server continues, drops lines, counts them and reports that once.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::time::{Duration, Instant};

use crate::alert_e2e::{ALIAS, Scene, recover, trip};
use crate::alert_service::Manner;
use crate::support::{Launch, QUICK, Server, eventually};

const DROPPED: &str = "tripline_log_lines_dropped_total";
/// Time limit of a request. It usually takes a few milliseconds; a busy machine gets a hundred times as much.
const USUAL: Duration = Duration::from_secs(5);

/// Changes a setting, which logs several lines at debug level.
fn change_a_setting(server: &Server, threshold: u32) {
    let answer = server.post("/breaker/latency", &format!(r#"{{"threshold":{threshold}}}"#));
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[test]
fn requests_alerts_settings_memory_reload_and_sigterm_go_on_while_the_log_is_a_full_pipe() {
    let scene = Scene::of(Manner::OpsGenie);
    let launch = scene.launch();
    let file = launch.file().to_owned();
    let (mut server, _unread) = launch.start_with_full_stderr();

    // A memory trip needs a sample; the alert needs supervisor, dispatcher and network. All of them log.
    trip(&server);
    scene.open_is(&[(ALIAS, "P2")]);
    recover(&server);
    scene.open_is(&[]);
    assert_eq!(server.status()["supervisor"], "running");

    let begun = Instant::now();
    change_a_setting(&server, 300);
    assert!(begun.elapsed() < USUAL, "a setting took {:?}", begun.elapsed());
    assert_eq!(server.status()["latency_threshold_ms"], 300);

    let edited = fs::read_to_string(&file).unwrap().replace("latency_threshold = 300", "latency_threshold = 275");
    fs::write(&file, edited).unwrap();
    server.signal("HUP");
    eventually("the edited file is in force", || (server.status()["latency_threshold_ms"] == 275).then_some(()));

    let begun = Instant::now();
    server.signal("TERM");
    assert_eq!(server.ended().code(), Some(0));
    assert!(begun.elapsed() < 2 * USUAL, "it took {:?} to stop", begun.elapsed());
}

#[test]
fn dropped_lines_are_counted_and_reported_once_when_the_log_is_read_again() {
    let launch = Launch::new(QUICK);
    let file = launch.file().to_owned();
    let (server, unread) = launch.start_with_full_stderr();
    assert!(server.metric(DROPPED).abs() < f64::EPSILON);
    // Fifty unknown keys cause fifty warnings each time the file is read.
    let unknown: String =
        (0..50).fold(String::new(), |text, key| text + &format!("unknown_{key}_{} = 1\n", "x".repeat(80)));
    for threshold in 300.. {
        let text = QUICK.replace("latency_threshold = 250", &format!("latency_threshold = {threshold}"));
        fs::write(&file, format!("{unknown}{text}\n[http]\nlisten = \"127.0.0.1:0\"\n")).unwrap();
        eventually("it is read", || (server.status()["latency_threshold_ms"] == threshold).then_some(()));
        if server.metric(DROPPED) > 0.0 {
            break;
        }
        assert!(threshold < 500, "no line is dropped");
    }
    change_a_setting(&server, 300);
    assert_eq!(server.get("/health").status, 200);

    let mut reported = Vec::new();
    for line in BufReader::new(unread).lines().map_while(Result::ok) {
        if line.contains("log lines were dropped: standard error was not read fast enough") {
            assert!(line.contains(" WARN "), "{line}");
            reported.push(line);
            // Later lines are not dropped.
            change_a_setting(&server, 999);
        } else if line.contains("new=999") {
            break;
        }
    }
    let [report] = reported.as_slice() else { panic!("{reported:?}") };
    let dropped = server.metric(DROPPED) as u64;
    assert!(report.ends_with(&format!("lines={dropped}")), "{report} is not {dropped}");
}

#[test]
fn a_second_signal_ends_a_server_whose_log_is_a_full_pipe() {
    let config = QUICK.replace("latency_threshold = 250", "latency_threshold = 60000");
    let (mut server, _unread) = Launch::new(&config).start_with_full_stderr();
    assert_eq!(server.post("/test/delay", r#"{"delay":"60s"}"#).status, 200);
    let mut waiting = server.client();
    waiting.send("GET", "/test", "", "").unwrap();
    eventually("the call is in flight", || (server.status()["in_flight"] == 1).then_some(()));
    server.signal("TERM");
    // Two signals at the same moment count as one.
    eventually("it drains", || std::net::TcpStream::connect(server.address).is_err().then_some(()));
    server.signal("TERM");
    assert_eq!(server.ended().code(), Some(1));
}
