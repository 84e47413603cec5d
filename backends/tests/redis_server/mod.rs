//! A real `redis-server` on its own port and in its own folder.
// Each test file uses a part of this module.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
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
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(self.folder.path().join("dump.rdb"), folder.path().join("dump.rdb")).unwrap();
        Self::start_in(folder, Vec::new())
    }

    /// Starts a server with additional arguments. `{port}` in an argument is replaced by its port.
    pub(crate) fn start_with(test: &str, arguments: &[&str]) -> Option<Self> {
        if Command::new("redis-server").arg("--version").stdout(Stdio::null()).status().is_err() {
            assert!(std::env::var(REQUIRED).is_err(), "{REQUIRED} is set, and there is no redis-server");
            eprintln!("SKIPPED: {test}: there is no redis-server; the fleet was tested on the in-memory engine only");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Some(Self::start_in(folder, arguments))
    }

    fn start_in(folder: TempDir, arguments: Vec<String>) -> Self {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let child = spawn(&folder, port, &arguments);
        let server = Self { child, folder, port, arguments };
        server.is_there();
        server
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
        self.is_there();
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

    fn is_there(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            assert!(Instant::now() < deadline, "redis-server does not start");
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }
}

fn spawn(folder: &TempDir, port: u16, arguments: &[String]) -> Child {
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"]).arg(folder.path());
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
