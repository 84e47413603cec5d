//! `tripline proxy` as a process: what it prints, a breaker that opens and recovers, drain, and its access log as a recording.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use support::{TOO_LONG, eventually, get, run, tripline, wait};
use tempfile::TempDir;

/// An upstream that answers with the status that is set.
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

/// A running proxy; it is killed when it is dropped.
struct Running {
    child: Child,
    address: SocketAddr,
    api: SocketAddr,
    lines: mpsc::Receiver<String>,
    _folder: TempDir,
}

impl Running {
    fn start(upstream: SocketAddr, config: &str, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("breakers.toml"), config).unwrap();
        let mut command = tripline(folder.path());
        command.args(["proxy", "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", "--upstream"]);
        command.arg(format!("http://{upstream}")).args(more).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let lines = lines(child.stdout.take().unwrap());
        let address = printed(&lines, "listening on http://");
        let api = printed(&lines, "dashboard on http://");
        Self { child, address, api, lines, _folder: folder }
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// What was printed until the process ended.
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

fn lines(stdout: ChildStdout) -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    lines
}

#[track_caller]
fn printed(lines: &mpsc::Receiver<String>, start: &str) -> SocketAddr {
    let line = lines.recv_timeout(TOO_LONG).unwrap();
    line.strip_prefix(start).unwrap_or_else(|| panic!("{line}")).parse().unwrap()
}

const QUICK: &str = "memory_source = \"mock\"\ntrip_confidence = 0\nlatency_window_size = 20\nminimum_samples = 5\nwait_time = 1\n\
                     wait_backoff = 1\nhalf_open_max_calls = 2\nwarm_up = 0\n[proxy]\naccess_log = \"text\"\ndrain_delay = 0\n";

#[test]
fn a_failing_service_is_protected_and_recovers_and_the_access_log_is_a_recording() {
    let service = Service::start();
    let mut proxy = Running::start(service.address, QUICK, &[]);
    let what_it_does = proxy.lines.recv_timeout(TOO_LONG).unwrap();
    assert_eq!(what_it_does, format!("every request goes to http://{}, guarded by breaker default", service.address));
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
}

#[test]
fn observe_mode_says_so_and_rejects_nothing() {
    let service = Service::start();
    let proxy = Running::start(service.address, QUICK, &["--observe"]);
    let _route = proxy.lines.recv_timeout(TOO_LONG).unwrap();
    assert_eq!(proxy.lines.recv_timeout(TOO_LONG).unwrap(), "observe mode: no request is rejected");
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
    fs::write(folder.path().join("bad.toml"), "[upstreams.a]\n[[routes]]\nupstream = \"b\"\n").unwrap();
    let invalid = run(folder.path(), &["proxy", "--config", "bad.toml"]);
    assert_eq!(invalid.code, Some(1));
    for problem in ["bad.toml:1: upstreams.a: has no url", "bad.toml:3: routes[0].upstream = \"b\": no such upstream"] {
        assert!(invalid.stderr.contains(problem), "{invalid:?}");
    }
}
