//! The binary as a server.

use std::fs;
use std::io::{BufRead as _, BufReader, PipeReader, PipeWriter, Read, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::client::{self, Client, Response};
use super::process::{tripline, wait};
use super::{eventually, process};

/// A breaker that is quick to open and to close, and is not opened by a busy machine: half of the calls must
/// be slow, and memory may be measured late.
pub(crate) const QUICK: &str = r#"
memory_source = "mock"
sample_interval_ms = 1000
latency_threshold = 250
trip_confidence = 0
percentile = 0.5
latency_window_size = 20
minimum_samples = 5
wait_time = 1
wait_backoff = 1
half_open_max_calls = 3
"#;

/// The options for starting a server.
pub(crate) struct Launch {
    folder: TempDir,
    command: Command,
    file: PathBuf,
}

/// A running server with its own folder, which is killed when it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    child: Child,
    folder: TempDir,
    stdout: Collected,
    stderr: Collected,
}

/// The output of a child so far.
#[derive(Clone, Default)]
struct Collected(Arc<Mutex<String>>);

impl Launch {
    /// Starts with this configuration, which has no table `http`, on a free port.
    pub(crate) fn new(config: &str) -> Self {
        let mut launch = Self::without_file();
        launch.file = launch.folder.path().join("settings.toml");
        fs::write(&launch.file, format!("{config}\n[http]\nlisten = \"127.0.0.1:0\"\n")).unwrap();
        launch.command.arg("--config").arg(&launch.file);
        launch
    }

    /// Starts in an empty folder.
    pub(crate) fn without_file() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = tripline(folder.path());
        command.arg("serve");
        Self { file: folder.path().join("breakers.toml"), folder, command }
    }

    /// Like [`Launch::new`], for a process that follows `access.log` in the same folder.
    pub(crate) fn observe(config: &str) -> Self {
        let mut launch = Self::new(config);
        let mut command = tripline(launch.folder.path());
        command.args(["observe", "--follow", "access.log", "--config"]).arg(&launch.file);
        launch.command = command;
        launch
    }

    pub(crate) fn argument(mut self, argument: &str) -> Self {
        self.command.arg(argument);
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Sets the limit of open files, which the server cannot raise.
    pub(crate) fn open_files(mut self, limit: u32) -> Self {
        let mut limited = Command::new("sh");
        limited.args(["-c", "ulimit -n \"$0\"; exec \"$@\"", &limit.to_string()]);
        limited.arg(self.command.get_program()).args(self.command.get_args()).current_dir(self.folder.path());
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => limited.env(name, value),
                None => limited.env_remove(name),
            };
        }
        limited.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.command = limited;
        self
    }

    /// The configuration file, which may not exist.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    #[track_caller]
    pub(crate) fn start(self) -> Server {
        let (server, stderr) = self.start_unread();
        server.stderr.collect(stderr);
        server
    }

    /// Starts a server whose standard error only the caller reads.
    #[track_caller]
    pub(crate) fn start_unread(self) -> (Server, ChildStderr) {
        let (server, stderr) = self.spawn();
        (server, stderr.unwrap())
    }

    /// Starts a server whose standard error is a full pipe. Returns the reading end.
    #[track_caller]
    pub(crate) fn start_with_full_stderr(mut self) -> (Server, PipeReader) {
        let (reader, writer) = full_pipe();
        self.command.stderr(writer);
        (self.spawn().0, reader)
    }

    #[track_caller]
    fn spawn(mut self) -> (Server, Option<ChildStderr>) {
        let mut child = self.command.spawn().unwrap();
        // Otherwise this process would keep the writing end of a pipe that it reads.
        self.command.stderr(Stdio::null());
        let mut pipe = BufReader::new(child.stdout.take().unwrap());
        let mut stderr = child.stderr.take();
        let mut line = String::new();
        pipe.read_line(&mut line).unwrap();
        // The line is text or one JSON object.
        let url = line.split_once("listening").and_then(|(_, rest)| rest.split_once("http://"));
        let Some(address) = url.and_then(|(_, at)| at.trim_end().trim_end_matches(['"', '}']).parse().ok()) else {
            let _ = child.kill();
            let mut log = String::new();
            if let Some(stderr) = &mut stderr {
                let _ = stderr.read_to_string(&mut log);
            }
            let _ = child.wait();
            panic!("the server did not start: {line:?}\n{log}");
        };
        let stdout = Collected(Arc::new(Mutex::new(line)));
        stdout.collect(pipe);
        (Server { address, child, folder: self.folder, stdout, stderr: Collected::default() }, stderr)
    }

    /// Runs a server that must not start.
    pub(crate) fn fail(self) -> process::Finished {
        self.fail_and(|| ()).0
    }

    /// Like [`Launch::fail`]; also returns the result of `look` in the folder afterwards.
    pub(crate) fn fail_and<T>(mut self, look: impl FnOnce() -> T) -> (process::Finished, T) {
        let mut child = self.command.spawn().unwrap();
        let (stdout, stderr) = (Collected::default(), Collected::default());
        let readers = [stdout.collect(child.stdout.take().unwrap()), stderr.collect(child.stderr.take().unwrap())];
        let code = {
            // Killed even if it keeps running.
            let guard = Killed(&mut child);
            wait(guard.0).code()
        };
        for reader in readers {
            reader.join().unwrap();
        }
        (process::Finished { code, stdout: stdout.text(), stderr: stderr.text() }, look())
    }
}

/// Capacity of a pipe on Linux by default, in bytes.
const PIPE_BYTES: usize = 65_536;

/// A pipe that accepts no further bytes until it is read.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, writer) = std::io::pipe().unwrap();
    let mut filler = writer.try_clone().unwrap();
    let (full, is_full) = mpsc::channel();
    thread::spawn(move || {
        // Line by line: if the pipe is smaller, this blocks, and the pipe is full nevertheless.
        for _ in 0..PIPE_BYTES / 64 {
            let _ = filler.write_all(&[[b' '; 63].as_slice(), b"\n"].concat());
        }
        let _ = full.send(());
    });
    let _ = is_full.recv_timeout(Duration::from_secs(1));
    (reader, writer)
}

struct Killed<'a>(&'a mut Child);

impl Drop for Killed<'_> {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    #[track_caller]
    pub(crate) fn start(config: &str) -> Self {
        Launch::new(config).start()
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Response {
        client::get(self.address, path)
    }

    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: &str) -> Response {
        client::post_json(self.address, path, body)
    }

    #[track_caller]
    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address).unwrap()
    }

    #[track_caller]
    pub(crate) fn status(&self) -> Value {
        let response = self.get("/breaker/status");
        assert_eq!(response.status, 200, "{response:?}");
        response.json()
    }

    #[track_caller]
    pub(crate) fn state(&self) -> String {
        self.status()["state"].as_str().unwrap().to_owned()
    }

    /// Starts a scenario of the demo endpoint.
    #[track_caller]
    pub(crate) fn trigger(&self, scenario: &str) -> Value {
        let response = self.post("/test/trigger", &format!(r#"{{"scenario":"{scenario}"}}"#));
        assert_eq!(response.status, 200, "{response:?}");
        response.json()
    }

    /// Calls the endpoint until it is rejected. Returns the rejection.
    #[track_caller]
    pub(crate) fn rejected(&self) -> Response {
        eventually("a call is refused", || Some(self.get("/test")).filter(|answer| answer.status == 503))
    }

    /// Calls the endpoint until the breaker is closed.
    #[track_caller]
    pub(crate) fn recovers(&self) {
        eventually("the breaker closes", || {
            let answer = self.get("/test");
            assert!([200, 503].contains(&answer.status), "{answer:?}");
            (self.state() == "closed").then_some(())
        });
    }

    /// The value of a metric, named with its labels.
    #[track_caller]
    pub(crate) fn metric(&self, series: &str) -> f64 {
        let text = self.get("/metrics").body;
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {series} in\n{text}")).parse().unwrap()
    }

    pub(crate) fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// The log of the server so far.
    pub(crate) fn log(&self) -> String {
        self.stderr.text()
    }

    /// Waits until the log contains `text`, and returns the log: a thread writes it, some time after what it reports.
    pub(crate) fn log_with(&self, text: &str) -> String {
        let what = format!("the log contains {text:?}");
        eventually(&what, || Some(self.log()).filter(|log| log.contains(text)))
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Sends the process a signal, by the name that `kill` uses.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap();
        assert!(status.success());
    }

    #[track_caller]
    pub(crate) fn ended(&mut self) -> ExitStatus {
        wait(&mut self.child)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("the server's log:\n{}", self.log());
        }
    }
}

impl Collected {
    /// Reads to the end, on a thread.
    fn collect(&self, stream: impl Read + Send + 'static) -> thread::JoinHandle<()> {
        let into = self.clone();
        thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            let mut line = String::new();
            while stream.read_line(&mut line).is_ok_and(|read| read > 0) {
                into.0.lock().unwrap().push_str(&line);
                line.clear();
            }
        })
    }

    fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}
