//! The server as a process: its start, its output, its stop.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::support;

use std::fs;
use std::io::{BufRead as _, BufReader, ErrorKind};
use std::net::{TcpListener, TcpStream};

use serde_json::Value;
use support::{Finished, Launch, QUICK, Server, at_once, eventually, exchange, get, post, run, tripline_unread, wait};

/// Checks that the process ends with an error and without a panic.
#[track_caller]
fn assert_failed(finished: &Finished, code: i32, words: &[&str]) {
    assert_eq!(finished.code, Some(code), "{finished:?}");
    assert!(!finished.stdout.contains("listening"), "{finished:?}");
    assert!(!finished.stderr.contains("panicked"), "{finished:?}");
    for word in words {
        assert!(finished.stderr.contains(word), "no {word:?} in {finished:?}");
    }
}

// ----- stopping

#[track_caller]
fn answers_what_is_in_flight_and_ends_after(signal: &str) {
    let mut server = Server::start(&QUICK.replace("latency_threshold = 250", "latency_threshold = 60000"));
    assert_eq!(server.post("/test/delay", r#"{"delay":"3s"}"#).status, 200);
    let mut idle = server.client();
    assert_eq!(idle.exchange("GET", "/health", "", "").unwrap().status, 200);
    let mut waiting = server.client();
    waiting.send("GET", "/test", "", "").unwrap();
    eventually("the call is in flight", || (server.status()["in_flight"] == 1).then_some(()));

    server.signal(signal);
    eventually("new connections are refused", || {
        TcpStream::connect(server.address).err().filter(|error| error.kind() == ErrorKind::ConnectionRefused)
    });
    assert!(!waiting.has_answer(), "the call was still in flight");
    let answer = waiting.receive().unwrap();
    assert_eq!((answer.status, &answer.json()["delay_ms"]), (200, &Value::from(3_000)));
    assert_eq!(server.ended().code(), Some(0), "{}", server.log());
}

#[test]
fn a_request_in_flight_is_answered_after_sigterm() {
    answers_what_is_in_flight_and_ends_after("TERM");
}

#[test]
fn a_request_in_flight_is_answered_after_sigint() {
    answers_what_is_in_flight_and_ends_after("INT");
}

#[test]
fn a_request_in_flight_is_answered_after_sigquit() {
    answers_what_is_in_flight_and_ends_after("QUIT");
}

#[test]
fn signals_without_a_meaning_are_ignored_and_hup_reloads() {
    let launch = Launch::new(QUICK);
    let file = launch.file().to_owned();
    let mut server = launch.start();
    for signal in ["USR1", "USR2", "XFSZ", "HUP", "PIPE"] {
        server.signal(signal);
        assert_eq!(server.get("/health").status, 200, "{signal}");
    }
    eventually("the signal is logged", || server.log().contains("signal received signal=Hup").then_some(()));
    let edited = fs::read_to_string(&file).unwrap().replace("latency_threshold = 250", "latency_threshold = 260");
    fs::write(&file, edited).unwrap();
    server.signal("HUP");
    eventually("the file is read", || (server.status()["latency_threshold_ms"] == 260).then_some(()));
    server.signal("TERM");
    assert_eq!(server.ended().code(), Some(0), "{}", server.log());
}

#[test]
fn the_log_says_how_long_requests_in_flight_are_waited_for_and_a_second_signal_ends_at_once() {
    for (first, second) in [("TERM", "TERM"), ("INT", "TERM")] {
        let mut server = Server::start(&QUICK.replace("latency_threshold = 250", "latency_threshold = 60000"));
        assert_eq!(server.post("/test/delay", r#"{"delay":"60s"}"#).status, 200);
        let mut waiting = server.client();
        waiting.send("GET", "/test", "", "").unwrap();
        eventually("the call is in flight", || (server.status()["in_flight"] == 1).then_some(()));
        server.signal(first);
        let log = eventually("it stops", || Some(server.log()).filter(|log| log.contains("stopping")));
        assert!(log.contains("at_most_seconds=30") && log.contains("second signal"), "{log}");
        assert!(!waiting.has_answer(), "the call is waited for");
        server.signal(second);
        assert_eq!(server.ended().code(), Some(1), "{}", server.log());
        eventually("the reason", || server.log().contains("ended by a second signal").then_some(()));
        assert!(waiting.receive().is_err(), "the call was cut off");
    }
}

#[test]
fn an_open_breaker_does_not_keep_the_server_from_stopping() {
    let mut server = Server::start(QUICK);
    server.trigger("memory_overload");
    server.rejected();
    server.signal("TERM");
    assert_eq!(server.ended().code(), Some(0), "{}", server.log());
}

// ----- starting

#[test]
fn a_bad_configuration_is_reported_with_all_its_problems_and_left_alone() {
    const BAD: &str =
        "# not good\nlatency_threshold = -5\npercentile = 20\nwait_time = \"long\"\n\n[log]\nlevel = \"loud\"\n";
    let launch = Launch::new(BAD);
    let file = launch.file().to_owned();
    let before = (fs::read(&file).unwrap(), fs::metadata(&file).unwrap().modified().unwrap());
    // Checked while the folder exists.
    let (finished, after) =
        launch.fail_and(|| (fs::read(&file).unwrap(), fs::metadata(&file).unwrap().modified().unwrap()));
    let place = file.display();
    assert_failed(
        &finished,
        1,
        &[
            &format!("{place}:2: latency_threshold = -5: allowed: 1 to 4294967 (milliseconds)"),
            &format!("{place}:3: percentile = 20: allowed: "),
            &format!("{place}:4: wait_time = \"long\": allowed: 1 to 3600 (seconds)"),
            &format!("{place}:7: log.level = \"loud\": allowed: "),
        ],
    );
    assert_eq!(finished.stderr.lines().count(), 4, "{finished:?}");
    assert_eq!(after, before);
}

#[test]
fn text_that_is_no_toml_is_reported_with_its_line() {
    let launch = Launch::new("latency_threshold = 100\nwait_time = = 3\n");
    let place = format!("{}:2", launch.file().display());
    assert_failed(&launch.fail(), 1, &[&place]);
}

#[test]
fn a_configuration_that_is_named_and_missing_is_an_error() {
    let launch = Launch::without_file().argument("--config").argument("nowhere.toml");
    assert_failed(&launch.fail(), 1, &["nowhere.toml", "cannot be read"]);
}

#[test]
fn a_port_in_use_is_an_error_that_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let launch = Launch::new(QUICK).argument("--listen").argument(&address);
    assert_failed(&launch.fail(), 1, &[&address, "in use", "--listen gives another"]);
}

#[test]
fn an_address_that_others_can_reach_is_rejected_without_a_token() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8080"] {
        let launch = Launch::new(QUICK).argument("--listen").argument(address);
        assert_failed(&launch.fail(), 1, &[address, "allowed", "loopback"]);
    }
}

#[test]
fn an_argument_that_is_no_address_is_a_usage_error() {
    for address in ["nonsense", "localhost:1", "127.0.0.1", "127.0.0.1:99999", ":80"] {
        let launch = Launch::without_file().argument("--listen").argument(address);
        assert_failed(&launch.fail(), 2, &["--listen", address, "an IP address with a port is needed"]);
    }
    assert_failed(&Launch::without_file().argument("--port=80").fail(), 2, &["--port"]);
}

#[test]
fn without_a_file_the_recommended_configuration_is_used_and_the_log_says_so() {
    let server = Launch::without_file().argument("--listen").argument("127.0.0.1:0").start();
    assert_eq!(server.get("/health").status, 200);
    let log = eventually("the log says so", || Some(server.log()).filter(|log| log.contains("listening")));
    assert!(log.contains("the recommended configuration is used"), "{log}");
    assert_eq!(server.status()["latency_threshold_ms"], 1_500);
    assert_eq!(fs::read_dir(server.folder()).unwrap().count(), 0, "nothing is written");
}

#[test]
fn a_file_of_the_usual_name_is_found() {
    let launch = Launch::without_file();
    fs::write(launch.file(), format!("name = \"found\"\n{QUICK}\n[http]\nlisten = \"127.0.0.1:0\"\n")).unwrap();
    let server = launch.start();
    assert_eq!(server.status()["name"], "found");
}

#[test]
fn an_unknown_key_is_a_warning_in_the_log_with_a_suggestion() {
    let server = Server::start(&format!("{QUICK}\nlatency_treshold = 7\n"));
    let log = eventually("the warning", || Some(server.log()).filter(|log| log.contains("latency_treshold")));
    assert!(log.contains("WARN") && log.contains("did you mean latency_threshold?"), "{log}");
    assert_eq!(server.status()["latency_threshold_ms"], 250);
}

// ----- writing

/// Waits until the start has been logged.
#[track_caller]
fn log_after_start(server: &Server) -> String {
    eventually("the log of the start", || {
        Some(server.log()).filter(|log| log.contains("listening") && log.contains("memory is known"))
    })
}

#[test]
fn healthy_requests_and_rejections_log_nothing_and_a_trip_a_few_lines() {
    let server = Server::start(&QUICK.replace("wait_time = 1", "wait_time = 3600"));
    let start = log_after_start(&server);
    let answers = at_once(4, || {
        let mut client = server.client();
        (0..50).filter(|_| client.exchange("GET", "/test", "", "").unwrap().status == 200).count()
    });
    assert_eq!(answers.iter().sum::<usize>(), 200);
    server.trigger("memory_overload");
    server.rejected();
    let refused = at_once(4, || (0..25).filter(|_| get(server.address, "/test").status == 503).count());
    assert_eq!(refused.iter().sum::<usize>(), 100);
    // The last line of the log, after which all earlier ones have been read.
    assert_eq!(post(server.address, "/breaker/disabled").status, 200);
    let log = eventually("the log of the end", || Some(server.log()).filter(|log| log.contains("disabled")));
    let new: Vec<&str> = log[start.len()..].lines().collect();
    assert!(new[0].contains("memory"), "the first line is about the trip, not about what went before: {new:#?}");
    assert!(new.iter().any(|line| line.contains("open") && line.contains("memory")), "{new:#?}");
    assert!((2..=8).contains(&new.len()), "{new:#?}");
}

#[test]
fn an_alert_in_the_log_has_memory_with_two_decimals() {
    let server = Server::start(QUICK);
    log_after_start(&server);
    server.trigger("memory_overload");
    server.rejected();
    let log = eventually("the alert", || Some(server.log()).filter(|log| log.contains("tripline::alert")));
    assert!(log.contains(" memory_percent=99.0 "), "{log}");
}

#[test]
fn standard_output_has_the_address_and_nothing_else() {
    let server = Server::start(QUICK);
    log_after_start(&server);
    server.trigger("memory_overload");
    server.rejected();
    assert_eq!(server.stdout(), format!("listening on http://{}\n", server.address));
}

#[test]
fn the_log_can_be_json() {
    let server = Server::start(&format!("{QUICK}\n[log]\nformat = \"json\"\n"));
    for line in log_after_start(&server).lines() {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(event["level"].is_string() && event["timestamp"].is_string(), "{event}");
    }
}

#[test]
fn no_secret_of_the_environment_is_ever_shown() {
    const KEY: &str = "0c6fd2a4-7f11-4f8e-9d55-3b0f5e0a7c21";
    let server = Launch::new(&format!("{QUICK}\n[opsgenie]\nenabled = true\n\n[log]\nlevel = \"trace\"\n"))
        .variable("OPSGENIE_API_KEY", KEY)
        .start();
    log_after_start(&server);
    server.trigger("memory_overload");
    server.rejected();
    post(server.address, "/breaker/disabled");
    eventually("the log of the end", || server.log().contains("disabled").then_some(()));
    let paths = ["/breaker/status", "/metrics", "/health", "/test/scenarios", "/nothing"];
    let shown = paths.map(|path| server.get(path).body).join("\n") + &server.stdout() + &server.log();
    assert!(shown.contains("\"memory_source\":\"mock\""));
    assert!(!shown.contains(KEY) && !shown.contains("3b0f5e0a7c21"), "{shown}");
}

#[test]
fn a_bad_variable_is_an_error_that_names_it_and_hides_secrets() {
    let launch = Launch::new(QUICK).variable("OPSGENIE_REGION", "mars").variable("OPSGENIE_API_KEY", "0c6fd2a4 7f11");
    let finished = launch.fail();
    assert_failed(&finished, 1, &["OPSGENIE_REGION = mars: allowed: ", "OPSGENIE_API_KEY = ***: allowed: "]);
    assert!(!finished.stderr.contains("0c6fd2a4"), "{finished:?}");
}

#[test]
fn with_a_token_only_who_carries_it_operates_the_breaker() {
    const TOKEN: &str = "a-token-of-twenty-six-bytes";
    let server = Launch::new(&format!("{QUICK}\n[log]\nlevel = \"trace\"\n")).variable("TRIPLINE_TOKEN", TOKEN).start();
    for path in ["/health", "/test"] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    let ask = |method: &str, path: &str, token: &str| {
        exchange(server.address, method, path, &format!("authorization: Bearer {token}\r\n"), "")
    };
    let protected =
        [("GET", "/breaker/status"), ("GET", "/metrics"), ("POST", "/breaker/disabled"), ("POST", "/breaker/enabled")];
    for (method, path) in protected {
        let refused = exchange(server.address, method, path, "", "");
        assert_eq!(refused.status, 401, "{method} {path}");
        assert!(refused.json()["error"].is_string());
        assert_eq!(ask(method, path, "a-token-of-twenty-six-bytez").status, 401, "{method} {path}");
        let answer = ask(method, path, TOKEN);
        assert_eq!(answer.status, 200, "{method} {path}");
        assert!(!answer.body.contains(TOKEN));
    }
    eventually("the log", || server.log().contains("disabled").then_some(()));
    assert!(!server.log().contains(TOKEN) && !server.stdout().contains(TOKEN));
}

#[test]
fn a_token_that_cannot_be_used_is_an_error_that_does_not_show_it() {
    let finished = Launch::new(QUICK).variable("TRIPLINE_TOKEN", "short-secret").fail();
    assert_failed(&finished, 1, &["TRIPLINE_TOKEN", "at least 16"]);
    assert!(!finished.stderr.contains("short-secret"), "{finished:?}");

    for content in [None, Some("short-secret\n")] {
        let launch = Launch::without_file();
        fs::write(launch.file(), "[http]\ntoken_file = \"token.txt\"\nlisten = \"127.0.0.1:0\"\n").unwrap();
        if let Some(content) = content {
            fs::write(launch.file().with_file_name("token.txt"), content).unwrap();
        }
        let finished = launch.fail();
        assert_failed(&finished, 1, &["http.token_file", "token.txt"]);
        assert!(!finished.stderr.contains("short-secret"), "{finished:?}");
    }
}

#[test]
fn a_key_in_a_bad_file_is_not_shown() {
    let finished = Launch::new("wait_time = 0\n[opsgenie]\napi_key = 1234567890123\npriority = \"P9\"\n").fail();
    assert_failed(&finished, 1, &["wait_time = 0", "opsgenie.api_key", "opsgenie.priority"]);
    assert!(!finished.stderr.contains("1234567890123"), "{finished:?}");
}

#[test]
fn the_server_runs_on_when_its_log_is_no_longer_read() {
    let (server, stderr) = Launch::new(QUICK).start_unread();
    let mut log = BufReader::new(stderr);
    let mut start = String::new();
    while !(start.contains("memory is known") && start.contains("listening")) {
        assert_ne!(log.read_line(&mut start).unwrap(), 0, "{start}");
    }
    // Closes the log, like `tripline serve 2>&1 | head`.
    drop(log);
    server.trigger("memory_overload");
    server.rejected();
    server.trigger("reset_normal");
    server.recovers();
    assert_eq!(server.status()["supervisor"], "running");
}

#[test]
fn the_server_runs_also_when_its_standard_output_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = tripline_unread(folder.path()).args(["serve", "--listen", "127.0.0.1:0"]).spawn().unwrap();
    let log = BufReader::new(child.stderr.take().unwrap());
    let address =
        log.lines().map_while(Result::ok).find_map(|line| line.split_once("listening address=")?.1.parse().ok());
    let health = address.map(|address| get(address, "/health").status);
    let _ = child.kill();
    wait(&mut child);
    assert_eq!(health, Some(200), "it ended, or does not say where it listens");
}

#[test]
fn the_commands_explain_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let help = run(folder.path(), &["--help"]);
    assert_eq!(help.code, Some(0));
    for command in ["serve", "check", "init", "replay"] {
        assert!(help.stdout.contains(command), "{help:?}");
        let own = run(folder.path(), &[command, "--help"]);
        assert_eq!(own.code, Some(0));
        assert!(own.stdout.contains("Usage: tripline"), "{own:?}");
    }
    let serve = run(folder.path(), &["serve", "--help"]).stdout;
    for word in ["127.0.0.1:8080", "breakers.toml", "TRIPLINE_TOKEN", "30 seconds", "second signal", "Exit codes"] {
        assert!(serve.contains(word), "no {word:?} in {serve}");
    }
    let version = run(folder.path(), &["--version"]);
    assert_eq!((version.code, version.stdout), (Some(0), format!("tripline {}\n", env!("CARGO_PKG_VERSION"))));
    assert_eq!(run(folder.path(), &[]).code, Some(2));
    assert_eq!(run(folder.path(), &["server"]).code, Some(2));
}
