//! A log that grows, played to a breaker that others look at meanwhile.
//!
//! What the log holds when following begins is its **history**: it is driven exactly as by [`run`](super::run), on virtual time,
//! so that the breaker's window and tolerance are those of a process that was there. From then on the breaker's clock goes by
//! itself, and calls are **played** some seconds after their own time: so late that their lines have come, see [`pace`], and
//! with the distances that they have in the log, however their lines come.

mod clock;
mod feed;
mod lanes;
mod pace;
mod playout;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tripline_runtime::{BreakerName, Clock as _};

use super::access_log::{self, Choice, Log, LogProblem, LogReport, SAMPLE_LINES};
use super::error::{LineProblem, ReplayError};
use super::format::{Format, Input};
use super::lines::{Line, Lines};
use super::output::Summary;
use super::reading::Reading;
use super::record::Record;
use super::unusable::Usage;

pub(crate) use super::access_log::{Destination, LogRequest, Routing, Target, Unrouted, Wanted};
pub(crate) use clock::FollowClock;
use feed::Feed;
use lanes::{Lanes, nanos_of};
use pace::{LOOK_AHEAD, Pace};

/// How long to wait for the first lines before the format is detected from fewer than [`SAMPLE_LINES`].
const SAMPLE_WAIT: i64 = 1_000_000_000;
/// The reason under which lines count that were read before the format was known, and are of none.
const UNKNOWN_FORMAT: &str = "format";

/// Follows one log for the breakers that a [`Routing`] chooses. They were made on `clock` and without stall detection of their own.
#[derive(Debug)]
pub(crate) struct Follower {
    clock: Arc<FollowClock>,
    routing: Arc<dyn Routing>,
    lanes: Lanes,
    is_live: bool,
    input: Input,
    longest: i64,
    lines: Lines<Feed>,
    /// `None` until the format is known.
    log: Option<Box<Log>>,
    /// When the first line came of those that the format is to be found out from.
    sampled_since: Option<i64>,
    problem: Option<(u64, LineProblem)>,
    usage: Usage,
    pace: Pace,
    distance: Option<i64>,
}

impl Follower {
    /// Begins with the history.
    pub(crate) fn new(clock: Arc<FollowClock>, routing: Arc<dyn Routing>, reading: &Reading) -> Self {
        let longest = reading.longest();
        let lanes = Lanes::new(clock.clone(), longest, &routing.targets());
        Self {
            clock,
            routing,
            lanes,
            is_live: false,
            input: reading.input.clone(),
            longest,
            lines: Lines::new(Feed::default()),
            log: None,
            sampled_since: None,
            problem: None,
            usage: Usage::default(),
            pace: Pace::default(),
            distance: None,
        }
    }

    /// Chooses the breakers of what is read from now on by `routing`. A breaker that it no longer has gets no more calls.
    pub(crate) fn set_routing(&mut self, routing: Arc<dyn Routing>) {
        self.lanes.set_targets(&routing.targets());
        if let Some(log) = &mut self.log {
            log.set_routing(routing.clone());
        }
        self.routing = routing;
    }

    /// Adds bytes to the log.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.lines.input_mut().push(bytes);
    }

    /// The file that was fed gets no more bytes: its last line is whole.
    pub(crate) fn end_file(&mut self) {
        self.lines.input_mut().end_line();
    }

    /// The file was cut off: the rest of its last line is lost.
    pub(crate) fn drop_line(&mut self) {
        self.lines.input_mut().drop_line();
    }

    /// How many lines were used, and why others were not.
    pub(crate) fn usage(&self) -> Usage {
        Usage { nul_bytes: self.lines.nul_bytes(), ..self.usage.clone() }
    }

    /// How the log is read; `None` until that is known.
    pub(crate) fn log_report(&self) -> Option<LogReport> {
        self.log.as_ref().map(|log| log.report())
    }

    /// The first line of which no format is known, while none was found.
    pub(crate) fn problem(&self) -> Option<&(u64, LineProblem)> {
        self.problem.as_ref().filter(|_| self.log.is_none())
    }

    /// How far behind its own time the log is played.
    pub(crate) fn delay(&self) -> Option<Duration> {
        let spread = self.distance?.saturating_sub(self.pace.quickest()?);
        Some(Duration::from_nanos(spread.unsigned_abs()))
    }

    /// Calls of a breaker whose start was known too late to say whether they would have been rejected.
    pub(crate) fn unplaced(&self, breaker: &BreakerName) -> u64 {
        self.lanes.unplaced(breaker.as_str())
    }

    /// Drives what was fed of the history.
    ///
    /// # Errors
    /// Where the input has a hole of more NUL bytes than a log has.
    pub(crate) fn drive_history(&mut self) -> Result<(), ReplayError> {
        self.find_format(false)?;
        let Some(log) = &mut self.log else { return Ok(()) };
        log.take_available(&mut self.lines, &mut self.usage, |record| self.lanes.drive(&record))
    }

    /// Ends the history: nothing was written for `silence`. Returns what a replay prints of it, in JSON, for each breaker.
    ///
    /// # Errors
    /// Where no line of the history can be used.
    pub(crate) fn go_live(&mut self, silence: Duration) -> Result<Vec<(BreakerName, String)>, ReplayError> {
        self.find_format(true)?;
        self.drive_history()?;
        if let Some((line, problem)) = self.problem().cloned() {
            return Err(ReplayError::Line { line, problem, warnings: Vec::new() });
        }
        if let Some(log) = &mut self.log {
            log.release_all(&mut self.usage);
            while let Some(record) = log.give() {
                self.lanes.drive(&record)?;
            }
        }
        self.is_live = true;
        let totals = self.lanes.go_live(silence)?;
        let text = |(name, summary): (BreakerName, Summary)| {
            let mut text = Vec::new();
            summary.write(&self.usage, &mut text).map_err(ReplayError::Write)?;
            Ok((name, String::from_utf8_lossy(&text).trim_end().to_owned()))
        };
        totals.into_iter().map(text).collect()
    }

    /// Takes what was fed and plays what is due; returns whether calls are waiting for their turn.
    ///
    /// # Errors
    /// As [`Follower::drive_history`].
    pub(crate) fn play(&mut self) -> Result<bool, ReplayError> {
        self.find_format(false)?;
        let now = self.now();
        let Some(log) = &mut self.log else { return Ok(self.sampled_since.is_some()) };
        if let Some(distance) = self.pace.distance(now) {
            log.expect(now.saturating_sub(distance));
        }
        let mut records: Vec<Record> = Vec::new();
        log.take_available(&mut self.lines, &mut self.usage, |record| {
            records.push(record);
            Ok(())
        })?;
        if let Some((first, last)) = log.take_ends() {
            self.pace.came(now, first, last);
        }
        let Some(distance) = self.pace.distance(now) else { return Ok(false) };
        self.distance = Some(distance);
        log.release_to(now.saturating_sub(distance).saturating_add(LOOK_AHEAD));
        records.extend(std::iter::from_fn(|| log.give()));
        for record in records {
            self.lanes.take(&record, distance)?;
        }
        Ok(self.lanes.play(now)? || log.holds_calls())
    }

    fn now(&self) -> i64 {
        nanos_of(self.clock.now())
    }

    /// Finds out how the log is written, as soon as there are enough lines, or no more come (`at_once`). Lines of no known format are counted.
    fn find_format(&mut self, at_once: bool) -> Result<(), ReplayError> {
        while self.log.is_none() {
            let now = self.now();
            let sample = self.lines.look_ahead(SAMPLE_LINES)?;
            if sample.is_empty() {
                self.sampled_since = None;
                return Ok(());
            }
            let since = *self.sampled_since.get_or_insert(now);
            let is_enough = sample.len() >= SAMPLE_LINES || sample.iter().any(Line::is_too_long);
            if !(at_once || is_enough || self.is_live && now.saturating_sub(since) >= SAMPLE_WAIT) {
                return Ok(());
            }
            self.sampled_since = None;
            let forced = match self.input.format {
                Format::Log(format) => Some(format),
                _ => None,
            };
            let count = sample.len();
            let first = sample.first().map_or(0, Line::number);
            match access_log::choose(sample, forced, &self.input, self.longest, Some(&self.routing)) {
                Choice::Log(log) => self.log = Some(log),
                Choice::Problem { line, problem } => self.pass_over(count, line, problem),
                Choice::NoLog => {
                    self.pass_over(count, first, LineProblem::Log { format: None, problem: LogProblem::Time });
                }
            }
        }
        Ok(())
    }

    /// Counts lines that no format could read.
    fn pass_over(&mut self, count: usize, line: u64, problem: LineProblem) {
        for _ in 0..count {
            self.usage.lines += 1;
            self.usage.unusable.add(line, UNKNOWN_FORMAT, &problem);
        }
        self.lines.drop_ahead();
        self.problem.get_or_insert((line, problem));
    }
}
