//! Logging that never blocks.
//!
//! Threads that log push into a bounded queue; one thread writes to standard error. When that output is a pipe that is not
//! read, the queue fills and further lines are dropped and counted. Standard error is written through a duplicate of its
//! descriptor, so that a blocked write holds no lock of the standard library.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::output::{write_all, write_whole};
use super::queue::LineQueue;
use crate::config::{Log, LogFormat, LogLevel};
use crate::text::escape;

/// Log lines in memory, at most; more are dropped.
const MAX_QUEUED_BYTES: usize = 1 << 18;
/// How long the end of the process waits for log lines that are not written yet.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a line outside the log may take.
const LINE_TIMEOUT: Duration = Duration::from_secs(1);

/// The running log. Dropping it waits for the lines that are not written yet, at most one second.
#[derive(Debug)]
pub(crate) struct LogOutput {
    queue: Arc<LineQueue>,
}

/// Starts logging to standard error as `settings` say, panics included.
///
/// # Errors
/// Where standard error is closed, or the system gives no thread.
pub(crate) fn start(settings: &Log) -> io::Result<LogOutput> {
    let queue = Arc::new(LineQueue::new(MAX_QUEUED_BYTES));
    let output = File::from(io::stderr().as_fd().try_clone_to_owned()?);
    let lines = queue.clone();
    let report = |lines| {
        // Through the queue, for the format that is set.
        tracing::warn!(lines, "log lines were dropped: standard error was not read fast enough");
    };
    thread::Builder::new().name("tripline-log".into()).spawn(move || write_all(&lines, output, report))?;

    let is_json = settings.format == LogFormat::Json;
    let writer = LineWriter { queue: queue.clone(), is_json };
    let log = tracing_subscriber::fmt()
        .with_max_level(level(settings.level))
        .with_writer(move || writer.clone())
        .log_internal_errors(false);
    if is_json {
        log.json().init();
    } else {
        log.with_ansi(false).init();
    }
    // The default hook writes to standard error and would block there.
    std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    Ok(LogOutput { queue })
}

fn level(level: LogLevel) -> tracing::Level {
    match level {
        LogLevel::Error => tracing::Level::ERROR,
        LogLevel::Warn => tracing::Level::WARN,
        LogLevel::Info => tracing::Level::INFO,
        LogLevel::Debug => tracing::Level::DEBUG,
        LogLevel::Trace => tracing::Level::TRACE,
    }
}

impl LogOutput {
    /// Reads how many lines were dropped since the start.
    pub(crate) fn dropped_lines(&self) -> impl Fn() -> u64 + Send + Sync + 'static {
        let queue = self.queue.clone();
        move || queue.dropped()
    }
}

impl Drop for LogOutput {
    fn drop(&mut self) {
        self.queue.wait_until_written(FLUSH_TIMEOUT);
    }
}

/// Writes one line to a standard stream on a thread of its own and waits for it, at most one second. A stream that is closed or
/// not read is no reason to fail or to wait for longer.
pub(crate) fn print_bounded(stream: impl AsFd, line: impl Display) {
    let line = format!("{}\n", escape::lines(&line.to_string()));
    let Ok(descriptor) = stream.as_fd().try_clone_to_owned() else { return };
    let (done, is_done) = mpsc::channel::<()>();
    let write = move || {
        let _ = write_whole(&mut File::from(descriptor), line.as_bytes());
        drop(done);
    };
    if thread::Builder::new().spawn(write).is_ok() {
        // Disconnected: the line is written.
        let _ = is_done.recv_timeout(LINE_TIMEOUT);
    }
}

/// Takes one event per call of `write`, as the subscriber's format layer does.
#[derive(Debug, Clone)]
struct LineWriter {
    queue: Arc<LineQueue>,
    is_json: bool,
}

impl Write for LineWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let escaped = if self.is_json { escape::json(text) } else { escape::one_line(text) };
        let mut line = Vec::with_capacity(escaped.len() + 1);
        line.extend_from_slice(escaped.as_bytes());
        line.push(b'\n');
        self.queue.push(line.into_boxed_slice());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::process::queue::Next;

    #[test]
    fn an_event_is_one_line_without_control_characters() {
        let queue = Arc::new(LineQueue::new(1_000));
        let mut text = LineWriter { queue: queue.clone(), is_json: false };
        text.write_all(b"INFO a\x1b[2J name\nINFO forged\n").unwrap();
        assert_eq!(queue.next(), Next::Line((*b"INFO a\\u{1b}[2J name\\nINFO forged\n").into()));
        let mut json = LineWriter { queue: queue.clone(), is_json: true };
        json.write_all(b"{\"a\":\"\x7f\"}\n").unwrap();
        assert_eq!(queue.next(), Next::Line((*b"{\"a\":\"\\u007f\"}\n").into()));
    }
}
