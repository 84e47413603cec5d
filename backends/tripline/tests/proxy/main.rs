//! `tripline proxy` as a process: its output, a breaker that opens and recovers, drain, and its access log as a
//! recording.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use support::{TOO_LONG, eventually, get, run, tripline, wait};
use tempfile::TempDir;

/// An upstream that responds with a configurable status.
struct Service {
    address: SocketAddr,
    status: Arc<AtomicU16>,
}

impl Service {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let status = Arc::new(AtomicU16::new(200));
        let answered = status.clone();
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let status = answered.clone();
                thread::spawn(move || {
                    let mut read = Vec::<u8>::new();
                    let mut buffer = [0; 4096];
                    while let Ok(bytes @ 1..) = stream.read(&mut buffer) {
                        read.extend(&buffer[..bytes]);
                        while let Some(at) = read.windows(4).position(|window| window == b"\r\n\r\n") {
                            read.drain(..at + 4);
                            let status = status.load(Ordering::SeqCst);
                            let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 2\r\n\r\nok");
                            if stream.write_all(answer.as_bytes()).is_err() {
                                return;
                            }
                        }
                    }
                });
            }
        });
        Self { address, status }
    }
}

/// The next line that contains `part`.
#[track_caller]
fn following_with(lines: &mpsc::Receiver<String>, part: &str) -> String {
    loop {
        let line = lines.recv_timeout(TOO_LONG).unwrap();
        if line.contains(part) {
            return line;
        }
    }
}

/// A running proxy, which is killed when it is dropped.
struct Running {
    child: Child,
    address: SocketAddr,
    api: SocketAddr,
    lines: mpsc::Receiver<String>,
    errors: mpsc::Receiver<String>,
    folder: TempDir,
}

impl Running {
    fn start(upstream: SocketAddr, config: &str, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("breakers.toml"), config).unwrap();
        let mut command = tripline(folder.path());
        command.args(["proxy", "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", "--upstream"]);
        command.arg(format!("http://{upstream}")).args(more);
        let mut child = command.spawn().unwrap();
        let (lines, errors) = (lines(child.stdout.take().unwrap()), lines(child.stderr.take().unwrap()));
        // With the access log on standard output, no other line is printed there.
        let has_access_log = config.contains("access_log = \"text\"");
        let announced = if has_access_log { &errors } else { &lines };
        let address = printed(announced, "listening on http://");
        let api = printed(announced, "dashboard on http://");
        Self { child, address, api, lines, errors, folder }
    }

    /// A proxy whose access log is a pipe without a reader.
    fn start_unread(upstream: SocketAddr, config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("breakers.toml"), config).unwrap();
        let mut command = tripline(folder.path());
        command.args(["proxy", "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", "--upstream"]);
        let mut child = command.arg(format!("http://{upstream}")).spawn().unwrap();
        let errors = lines(child.stderr.take().unwrap());
        let address = printed(&errors, "listening on http://");
        let api = printed(&errors, "dashboard on http://");
        Self { child, address, api, lines: mpsc::channel().1, errors, folder }
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Everything that was printed until the process ended.
    fn rest(&self) -> Vec<String> {
        self.lines.iter().collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(stream: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    lines
}

#[track_caller]
fn printed(lines: &mpsc::Receiver<String>, start: &str) -> SocketAddr {
    following(lines, start).parse().unwrap()
}

/// The rest of the next line with this prefix; log lines may precede it.
#[track_caller]
fn following(lines: &mpsc::Receiver<String>, start: &str) -> String {
    loop {
        let line = lines.recv_timeout(TOO_LONG).unwrap();
        if let Some(rest) = line.strip_prefix(start) {
            return rest.to_owned();
        }
    }
}

const QUICK: &str = "memory_source = \"mock\"\ntrip_confidence = 0\nlatency_window_size = 20\nminimum_samples = 5\nwait_time = 1\n\
                     wait_backoff = 1\nhalf_open_max_calls = 2\nwarm_up = 0\n[proxy]\naccess_log = \"text\"\ndrain_delay = 0\n";

#[test]
fn a_failing_service_is_protected_and_recovers_and_the_access_log_is_a_recording() {
    let service = Service::start();
    let mut proxy = Running::start(service.address, QUICK, &[]);
    let what_it_does = following(&proxy.errors, "every request goes to ");
    assert_eq!(what_it_does, format!("http://{}, guarded by breaker default", service.address));
    let status = |path: &str| get(proxy.address, path).status;
    assert_eq!(status("/a"), 200);
    service.status.store(500, Ordering::SeqCst);
    eventually("a rejection", || (status("/a") == 503).then_some(()));
    service.status.store(200, Ordering::SeqCst);
    eventually("recovery", || (status("/a") == 200).then_some(()));
    let metrics = get(proxy.api, "/metrics").body;
    assert!(metrics.contains("tripline_proxy_requests_total{flag=\"rejected\"}"), "{metrics}");
    assert_eq!(get(proxy.api, "/ready").status, 200);
    proxy.signal("-TERM");
    assert_eq!(wait(&mut proxy.child).code(), Some(0));
    let log = proxy.rest();
    assert!(log.iter().any(|line| line.ends_with("flag=rejected")), "{log:?}");
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("access.log"), log.join("\n") + "\n").unwrap();
    let replayed = run(folder.path(), &["replay", "access.log"]);
    assert!(replayed.stdout.contains("rejected") || replayed.stderr.contains("rejected"), "{replayed:?}");
    assert_ne!(replayed.code, Some(2), "{replayed:?}");
    // Every line belongs to a request.
    let summary: serde_json::Value = serde_json::from_str(replayed.stdout.lines().next().unwrap()).unwrap();
    let unusable = summary["unusable"].as_object().unwrap();
    assert_eq!(unusable.keys().collect::<Vec<_>>(), ["rejected"], "{replayed:?}");
}

#[test]
fn observe_mode_says_so_and_rejects_nothing() {
    let service = Service::start();
    let proxy = Running::start(service.address, QUICK, &["--observe"]);
    assert_eq!(following(&proxy.errors, "observe mode"), ": no request is rejected");
    service.status.store(500, Ordering::SeqCst);
    for _ in 0..30 {
        assert_eq!(get(proxy.address, "/a").status, 500);
    }
    let metrics = get(proxy.api, "/metrics").body;
    let would_reject: f64 = metrics
        .lines()
        .filter(|line| line.starts_with("tripline_would_reject_total{breaker=\"default\""))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum();
    assert!(would_reject >= 1.0, "{metrics}");
}

#[test]
fn while_it_drains_it_is_not_ready_and_still_accepts_until_the_delay_is_over() {
    let service = Service::start();
    let config = QUICK.replace("drain_delay = 0", "drain_delay = 1");
    let mut proxy = Running::start(service.address, &config, &[]);
    proxy.signal("-TERM");
    eventually("not ready", || (get(proxy.api, "/ready").status == 503).then_some(()));
    assert_eq!(get(proxy.address, "/a").status, 200);
    assert_eq!(wait(&mut proxy.child).code(), Some(0));
}

#[test]
fn ctrl_c_stops_it_and_a_second_signal_ends_it_at_once() {
    let service = Service::start();
    let mut proxy = Running::start(service.address, QUICK, &[]);
    proxy.signal("-INT");
    assert_eq!(wait(&mut proxy.child).code(), Some(0));
    // A request that hangs would keep the process for drain_timeout.
    let hanging = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut proxy = Running::start(hanging.local_addr().unwrap(), QUICK, &[]);
    let mut client = TcpStream::connect(proxy.address).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    let _held = hanging.accept().unwrap();
    proxy.signal("-TERM");
    eventually("not ready", || (get(proxy.api, "/ready").status == 503).then_some(()));
    proxy.signal("-INT");
    assert_eq!(wait(&mut proxy.child).code(), Some(1));
    assert!(proxy.errors.iter().any(|line| line.contains("a second signal")));
}

#[test]
fn sighup_reads_certificates_again_though_the_configuration_is_the_same() {
    let service = Service::start();
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    let authority = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(&ca, authority.cert.pem()).unwrap();
    let config = format!(
        "{QUICK}[upstreams.secure]\nurl = \"https://127.0.0.1:1\"\ntls.ca = '{}'\n\
         [[routes]]\npath = \"/secure\"\nupstream = \"secure\"\nbreaker = \"off\"\n",
        ca.display()
    );
    let proxy = Running::start(service.address, &config, &[]);
    fs::write(&ca, "none").unwrap();
    proxy.signal("-HUP");
    let error = following_with(&proxy.errors, "certificates are not used");
    assert!(error.contains("upstreams.secure.tls") && error.contains("ca.pem"), "{error}");
    assert_eq!(get(proxy.address, "/").status, 200);
}

#[test]
fn a_breaker_that_a_reload_adds_guards_a_route_that_it_adds() {
    let service = Service::start();
    let config = format!("{QUICK}[breakers.default]\n");
    let proxy = Running::start(service.address, &config, &[]);
    let more = format!(
        "[breakers.extra]\n[upstreams.up]\nurl = \"http://{}\"\n[[routes]]\npath = \"/extra\"\nupstream = \"up\"\nbreaker = \"extra\"\n",
        service.address
    );
    fs::write(proxy.folder.path().join("breakers.toml"), config + &more).unwrap();
    proxy.signal("-HUP");
    eventually("the breaker", || (get(proxy.api, "/breakers/extra/status").status == 200).then_some(()));
    service.status.store(500, Ordering::SeqCst);
    eventually("a rejection", || get(proxy.address, "/extra").body.contains("breaker extra is open").then_some(()));
    assert_eq!(get(proxy.address, "/other").status, 500, "the other breaker is closed");
}

#[test]
fn an_access_log_that_is_not_read_holds_nothing_up() {
    let service = Service::start();
    let mut proxy = Running::start_unread(service.address, QUICK);
    let path = format!("/{}", "a".repeat(8_000));
    for _ in 0..200 {
        assert_eq!(get(proxy.address, &path).status, 200);
    }
    let metrics = get(proxy.api, "/metrics").body;
    let dropped = metrics.lines().find_map(|line| line.strip_prefix("tripline_proxy_access_lines_dropped_total "));
    assert!(dropped.is_some_and(|dropped| dropped.parse::<f64>().unwrap() > 0.0), "{dropped:?}");
    proxy.signal("-TERM");
    assert_eq!(wait(&mut proxy.child).code(), Some(0));
}

#[test]
fn what_cannot_start_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let nothing = run(folder.path(), &["proxy"]);
    assert_eq!(nothing.code, Some(1));
    assert!(nothing.stderr.contains("--upstream URL"), "{nothing:?}");
    let bad = run(folder.path(), &["proxy", "--upstream", "ftp://x"]);
    assert_eq!(bad.code, Some(2), "{bad:?}");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let occupied = run(folder.path(), &["proxy", "--upstream", "http://127.0.0.1:1", "--listen", &address]);
    assert_eq!(occupied.code, Some(1));
    assert!(occupied.stderr.contains("--listen gives another address"), "{occupied:?}");
    let arguments = ["proxy", "--upstream", "http://127.0.0.1:1", "--listen", "127.0.0.1:0", "--api", &address];
    let occupied = run(folder.path(), &arguments);
    assert_eq!(occupied.code, Some(1));
    assert!(occupied.stderr.contains("--api gives another address"), "{occupied:?}");
    let without_address =
        run(folder.path(), &["proxy", "--upstream", "http://nothing.invalid", "--listen", "127.0.0.1"]);
    assert_eq!(without_address.code, Some(2), "{without_address:?}");
    fs::write(folder.path().join("bad.toml"), "[upstreams.a]\n[[routes]]\nupstream = \"b\"\n").unwrap();
    let invalid = run(folder.path(), &["proxy", "--config", "bad.toml"]);
    assert_eq!(invalid.code, Some(1));
    for problem in ["bad.toml:1: upstreams.a: has no url", "bad.toml:3: routes[0].upstream = \"b\": no such upstream"] {
        assert!(invalid.stderr.contains(problem), "{invalid:?}");
    }
}
