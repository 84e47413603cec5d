//! The thread that follows the log: reads bytes, replays calls into the breaker, and publishes figures.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use tripline_runtime::BreakerName;

use super::changes::Changes;
use super::history::rotated;
use super::routing::LogRouting;
use super::tail::{Found, Tail, TailError};
use crate::circuit::Circuits;
use crate::cli::CliError;
use crate::cli::replay::open_unpacked;
use crate::metrics::FollowedLog;
use crate::reload::{Watch, WatchedPath as _};
use crate::replay::ReplayError;
use crate::replay::follow::{Follower, Unrouted};

/// Maximum length of the history in the log file itself, in bytes.
const MAX_HISTORY_BYTES: u64 = 1 << 30;
/// Interval between reads if the system does not report writes to the file.
const IDLE: Duration = Duration::from_secs(1);
/// Interval between replays of calls while there are any.
const TICK: Duration = Duration::from_millis(50);
/// Minimum time between reads, however often the file is written.
const MIN_PAUSE: Duration = Duration::from_millis(20);
/// Maximum number of bytes that are read before calls are replayed.
const MAX_BATCH: usize = 4 << 20;
/// Interval between publications of the figures.
const PUBLISH: Duration = Duration::from_millis(500);

/// A log and the breakers that follow it, before the thread starts.
pub(super) struct Source {
    path: PathBuf,
    tail: Tail,
    follower: Follower,
    changes: Changes,
    circuits: Circuits,
    routing: Arc<LogRouting>,
    /// The reasons of [`Usage::unrouted`](crate::replay::Usage::unrouted) that were reported.
    reported: Vec<&'static str>,
}

/// The running thread.
pub(super) struct Worker {
    is_stopped: Arc<AtomicBool>,
    wake: SyncSender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Source {
    /// Opens the log, which may be missing.
    ///
    /// # Errors
    /// If the path exists but cannot be followed.
    pub(super) fn open(
        path: &Path,
        follower: Follower,
        changes: Changes,
        circuits: Circuits,
    ) -> Result<Self, CliError> {
        let mut tail = Tail::new(path);
        match tail.open_at_end(MAX_HISTORY_BYTES) {
            Ok(0) => {}
            Ok(left_out) => tracing::info!(
                file = %path.display(), bytes = left_out, "the beginning of the log is left out of the history"
            ),
            Err(error) if error.is_missing() => {}
            Err(error) => return Err(unusable(path, &error)),
        }
        let routing = changes.current().routing;
        Ok(Self { path: path.to_owned(), tail, follower, changes, circuits, routing, reported: Vec::new() })
    }

    /// Drives the breakers through the last `count` rotated files and the current content of the log. Returns the summary of a
    /// replay for each breaker.
    ///
    /// # Errors
    /// If no line is usable, or the log cannot be read. Rotated files that cannot be read are skipped.
    pub(super) fn read_history(mut self, count: usize) -> Result<(Self, Vec<(BreakerName, String)>), CliError> {
        for file in rotated(&self.path, count) {
            if let Err(error) = self.read_rotated(&file) {
                tracing::warn!(file = %file.display(), %error, "a rotated log is left out of the history");
            }
        }
        loop {
            match self.tail.look() {
                Ok(Found::Bytes(bytes)) => self.follower.feed(bytes),
                Ok(Found::Rotated) => self.follower.end_file(),
                Ok(Found::Truncated) => self.follower.drop_line(),
                Ok(Found::Nothing) => break,
                Err(error) if error.is_missing() => break,
                Err(error) => return Err(unusable(&self.path, &error)),
            }
            self.follower.drive_history().map_err(|error| unreadable(&self.path, &error))?;
        }
        let silence = self.tail.modified().and_then(|at| SystemTime::now().duration_since(at).ok()).unwrap_or_default();
        let summaries = self.follower.go_live(silence).map_err(|error| unreadable(&self.path, &error))?;
        self.report_unrouted();
        Ok((self, summaries))
    }

    fn read_rotated(&mut self, file: &Path) -> Result<(), io::Error> {
        let mut input = open_unpacked(file)?;
        let mut buffer = vec![0; 1 << 16];
        loop {
            let count = input.read(&mut buffer)?;
            if count == 0 {
                self.follower.end_file();
                return Ok(());
            }
            self.follower.feed(buffer.get(..count).unwrap_or_default());
            self.follower.drive_history().map_err(io::Error::other)?;
        }
    }

    /// Follows the log on a thread of its own.
    ///
    /// # Errors
    /// If the system cannot create a thread.
    pub(super) fn follow(self) -> io::Result<Worker> {
        let (wake, woken) = sync_channel(1);
        let is_stopped = Arc::new(AtomicBool::new(false));
        let (stop, touched) = (is_stopped.clone(), wake.clone());
        let run = move || self.run(&stop, touched, &woken);
        let thread = thread::Builder::new().name("tripline-observe".to_owned()).spawn(run)?;
        Ok(Worker { is_stopped, wake, thread: Some(thread) })
    }

    fn run(mut self, is_stopped: &AtomicBool, touched: SyncSender<()>, woken: &Receiver<()>) {
        let mut watch = Watch::new(self.path.clone(), move || {
            // A full channel has already woken the thread.
            let _ = touched.try_send(());
        });
        watch.follow();
        let mut problem: Option<String> = None;
        let mut published: Option<Instant> = None;
        // Relaxed: the wake-up through the channel orders it.
        while !is_stopped.load(Ordering::Relaxed) {
            let looked_at = Instant::now();
            self.follow_changes();
            let found = self.take_bytes();
            if let Ok(Taken { is_another: true, .. }) = found {
                watch.follow();
            }
            let new_problem = found.as_ref().err().map(ToString::to_string);
            if new_problem != problem {
                report(&self.path, new_problem.as_deref());
                problem = new_problem;
            }
            let is_busy = match self.follower.play() {
                Ok(is_busy) => is_busy,
                Err(error) => {
                    tracing::error!(file = %self.path.display(), %error, "the log is no longer followed");
                    problem = Some(error.to_string());
                    self.publish(problem.as_deref());
                    return;
                }
            };
            if published.is_none_or(|at| at.elapsed() >= PUBLISH) {
                self.publish(problem.as_deref());
                published = Some(Instant::now());
            }
            if found.is_ok_and(|taken| taken.has_more) {
                continue;
            }
            let _ = woken.recv_timeout(if is_busy { TICK } else { IDLE });
            thread::sleep(MIN_PAUSE.saturating_sub(looked_at.elapsed()));
        }
        self.publish(problem.as_deref());
    }

    /// Reads the new bytes of the file, up to [`MAX_BATCH`].
    fn take_bytes(&mut self) -> Result<Taken, TailError> {
        let mut taken = Taken { has_more: false, is_another: false };
        let was_open = self.tail.is_open();
        let mut left = MAX_BATCH;
        loop {
            match self.tail.look()? {
                Found::Bytes(bytes) => {
                    self.follower.feed(bytes);
                    left = left.saturating_sub(bytes.len());
                    if left == 0 {
                        taken.has_more = true;
                        break;
                    }
                }
                Found::Rotated => {
                    tracing::info!(file = %self.path.display(), "the log was rotated");
                    self.follower.end_file();
                    taken.is_another = true;
                }
                Found::Truncated => {
                    tracing::info!(file = %self.path.display(), "the log was truncated and is read from its beginning");
                    self.follower.drop_line();
                }
                Found::Nothing => break,
            }
        }
        taken.is_another |= !was_open;
        Ok(taken)
    }

    /// Takes over a changed routing.
    fn follow_changes(&mut self) {
        let routing = self.changes.current().routing;
        if !Arc::ptr_eq(&routing, &self.routing) {
            self.follower.set_routing(routing.clone());
            self.routing = routing;
        }
    }

    /// Warns once of each field that the log lacks.
    fn report_unrouted(&mut self) {
        let usage = self.follower.usage();
        for (reason, calls) in usage.unrouted.reasons() {
            let Some(problem) = Unrouted::lacking(reason) else { continue };
            if !self.reported.contains(&reason) {
                self.reported.push(reason);
                let (file, lines) = (self.path.display(), usage.lines);
                tracing::warn!(%file, "{calls} of {lines} lines of the log are for no breaker: {problem}");
            }
        }
    }

    /// Shows the figures for each breaker that follows the log; while changed routes are not used, for all others too.
    fn publish(&mut self, problem: Option<&str>) {
        self.report_unrouted();
        let usage = self.follower.usage();
        let routes_problem = self.changes.current().problem;
        let is_wanted = routes_problem.is_some();
        let unknown = self.follower.problem().map(|(line, problem)| format!("line {line}: {problem}"));
        let log = FollowedLog {
            file: self.path.display().to_string(),
            format: self.follower.log_report().map(|report| report.format.name()),
            lines: usage.lines,
            unusable: usage.unusable.reasons().collect(),
            excluded: usage.excluded,
            unrouted: usage.unrouted.reasons().collect(),
            unplaced: 0,
            delay: self.follower.delay(),
            problem: problem.map(str::to_owned).or(unknown).or(routes_problem),
        };
        for circuit in self.circuits.iter() {
            let unplaced = self.follower.unplaced(circuit.name());
            let is_shown = is_wanted || self.routing.follows(&circuit);
            circuit.set_followed_log(is_shown.then(|| FollowedLog { unplaced, ..log.clone() }));
        }
    }
}

/// The result of a read of the file.
struct Taken {
    has_more: bool,
    /// Whether the file is not the one of the previous read.
    is_another: bool,
}

impl Worker {
    /// Stops following, and waits for the thread to end.
    pub(super) fn stop(mut self) {
        // Relaxed: the wake-up through the channel orders it.
        self.is_stopped.store(true, Ordering::Relaxed);
        let _ = self.wake.try_send(());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn report(path: &Path, problem: Option<&str>) {
    if let Some(error) = problem {
        tracing::warn!(file = %path.display(), %error, "the log cannot be read; retrying every second");
    } else {
        tracing::info!(file = %path.display(), "the log is read");
    }
}

fn unusable(path: &Path, error: &TailError) -> CliError {
    CliError::new(format!("--follow {}: {error}", path.display()))
}

fn unreadable(path: &Path, error: &ReplayError) -> CliError {
    CliError::new(format!("--follow {}: {error}", path.display()))
}
