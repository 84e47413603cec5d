//! A real `redis-server` on its own port and in its own folder.
// Each test file uses a part of this module.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// If it is set, the tests fail on a machine without `redis-server`.
const REQUIRED: &str = "TRIPLINE_REQUIRE_REDIS";

pub(crate) struct RedisServer {
    child: Child,
    folder: TempDir,
    pub(crate) port: u16,
    arguments: Vec<String>,
}

impl RedisServer {
    /// Returns `None` if the program is missing, and reports the test as skipped.
    pub(crate) fn start(test: &str) -> Option<Self> {
        Self::start_with(test, &[])
    }

    /// For slow tests: starts only if the variable requires it, as `.ci/fleet` does.
    pub(crate) fn start_in_ci(test: &str) -> Option<Self> {
        if std::env::var(REQUIRED).is_err() {
            eprintln!("SKIPPED: {test}: it takes long; {REQUIRED}=1 or .ci/fleet runs it");
            return None;
        }
        Self::start(test)
    }

    /// Starts another server with the current content of this one.
    pub(crate) fn copy(&self) -> Self {
        assert_eq!(self.command("SAVE"), "+OK");
        let folder = Self::folder();
        std::fs::copy(self.folder.path().join("dump.rdb"), folder.path().join("dump.rdb")).unwrap();
        Self::start_in(folder, Vec::new(), next_port())
    }

    /// Starts another server, which finds the port of this one taken.
    pub(crate) fn start_beside(&self) -> Self {
        Self::start_in(Self::folder(), Vec::new(), self.port)
    }

    /// Starts a server with additional arguments. `{port}` in an argument is replaced by its port.
    pub(crate) fn start_with(test: &str, arguments: &[&str]) -> Option<Self> {
        if Command::new("redis-server").arg("--version").stdout(Stdio::null()).status().is_err() {
            assert!(std::env::var(REQUIRED).is_err(), "{REQUIRED} is set, and there is no redis-server");
            eprintln!("SKIPPED: {test}: there is no redis-server; the fleet was tested on the in-memory engine only");
            return None;
        }
        let folder = Self::folder();
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Some(Self::start_in(folder, arguments, next_port()))
    }

    fn start_in(folder: TempDir, arguments: Vec<String>, port: u16) -> Self {
        let child = spawn(&folder, port, &arguments);
        let mut server = Self { child, folder, port, arguments };
        for _ in 0..20 {
            if server.is_ready() {
                return server;
            }
            // Another program has the port.
            server.port = next_port();
            server.child = spawn(&server.folder, server.port, &server.arguments);
        }
        panic!("redis-server does not start");
    }

    /// A folder for the server, created before it starts.
    pub(crate) fn folder() -> TempDir {
        tempfile::tempdir().unwrap()
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Kills the server with SIGKILL. Its content is lost.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again on the same port, empty.
    pub(crate) fn restart(&mut self) {
        self.kill();
        self.child = spawn(&self.folder, self.port, &self.arguments);
        assert!(self.is_ready(), "redis-server does not start again");
    }

    /// The first line of the response to a command.
    pub(crate) fn command(&self, command: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        stream.write_all(format!("{command}\r\n").as_bytes()).unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    /// The second line of the response to a command, which is a text.
    pub(crate) fn bulk(&self, command: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        stream.write_all(format!("{command}\r\n").as_bytes()).unwrap();
        BufReader::new(stream).lines().nth(1).unwrap().unwrap()
    }

    /// Waits until it listens. Returns false if it has ended before that, e.g. because its port is taken: connecting would reach the other
    /// program.
    fn is_ready(&mut self) -> bool {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let log = std::fs::read_to_string(log_of(&self.folder)).unwrap_or_default();
            if log.contains("Ready to accept connections") {
                return true;
            }
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            assert!(Instant::now() < deadline, "redis-server does not start: {log}");
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }
}

fn log_of(folder: &TempDir) -> PathBuf {
    folder.path().join("redis.log")
}

/// Returns a port outside the range from which systems assign ports to connections, so that none takes it while a server restarts.
fn next_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = std::process::id().wrapping_mul(101).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
    20_000 + u16::try_from(number % 10_000).unwrap()
}

fn spawn(folder: &TempDir, port: u16, arguments: &[String]) -> Child {
    let _ = std::fs::remove_file(log_of(folder));
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"]).arg(folder.path());
    command.arg("--logfile").arg(log_of(folder));
    if !arguments.iter().any(|argument| argument == "--port") {
        command.args(["--port", &port.to_string()]);
    }
    let arguments = arguments.iter().map(|argument| argument.replace("{port}", &port.to_string()));
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}
