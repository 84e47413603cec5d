//! A log that grows, played to a breaker that others look at meanwhile.
//!
//! What the log holds when following begins is its **history**: it is driven exactly as by [`run`](super::run), on virtual time,
//! so that the breaker's window and tolerance are those of a process that was there. From then on the breaker's clock goes by
//! itself, and calls are **played** some seconds after their own time: so late that their lines have come, see [`pace`], and
//! with the distances that they have in the log, however their lines come.

mod clock;
mod feed;
mod pace;
mod playout;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tripline_runtime::{Breaker, Clock as _};

use super::access_log::{self, Choice, Log, LogProblem, LogReport, SAMPLE_LINES};
use super::driver::{Driver, nanos};
use super::error::{LineProblem, ReplayError};
use super::format::{Format, Input};
use super::limits::max_records_held;
use super::lines::{Line, Lines};
use super::output::Summary;
use super::reading::Reading;
use super::record::Record;
use super::replayed_breaker::ReplayedBreaker;
use super::unusable::Usage;

pub(crate) use clock::FollowClock;
use feed::Feed;
use pace::{LOOK_AHEAD, Pace};
use playout::Playout;

/// How long to wait for the first lines before the format is detected from fewer than [`SAMPLE_LINES`].
const SAMPLE_WAIT: i64 = 1_000_000_000;
/// The reason under which lines count that were read before the format was known, and are of none.
const UNKNOWN_FORMAT: &str = "format";
/// A log whose last line is older than this says nothing of how its service is now.
const MAX_SILENCE: Duration = Duration::from_secs(600);

/// Follows one log for one breaker, which was made on `clock` and without stall detection of its own.
#[derive(Debug)]
pub(crate) struct Follower {
    clock: Arc<FollowClock>,
    breaker: Breaker,
    input: Input,
    longest: i64,
    lines: Lines<Feed>,
    /// `None` until the format is known.
    log: Option<Box<Log>>,
    /// When the first line came of those that the format is to be found out from.
    sampled_since: Option<i64>,
    problem: Option<(u64, LineProblem)>,
    usage: Usage,
    phase: Phase,
    pace: Pace,
    distance: Option<i64>,
}

#[derive(Debug)]
enum Phase {
    History(Box<Driver<Summary>>),
    Live(Box<Playout>),
}

impl Follower {
    /// Begins with the history. `stall_detection` says whether calls that hang count before they end.
    pub(crate) fn new(clock: Arc<FollowClock>, breaker: Breaker, stall_detection: bool, reading: &Reading) -> Self {
        let longest = reading.longest();
        let replayed = ReplayedBreaker::on(breaker.clone(), clock.clone(), stall_detection);
        let counts_for = stall_detection.then(|| stalls_count_for(&breaker));
        let driver = Driver::of(replayed, max_records_held(1), counts_for, longest, Summary::default());
        Self {
            clock,
            breaker,
            input: reading.input.clone(),
            longest,
            lines: Lines::new(Feed::default()),
            log: None,
            sampled_since: None,
            problem: None,
            usage: Usage::default(),
            phase: Phase::History(Box::new(driver)),
            pace: Pace::default(),
            distance: None,
        }
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

    /// Calls whose start was known too late to say whether they would have been rejected.
    pub(crate) fn unplaced(&self) -> u64 {
        match &self.phase {
            Phase::History(_) => 0,
            Phase::Live(playout) => playout.unplaced,
        }
    }

    /// Drives what was fed of the history.
    ///
    /// # Errors
    /// Where the input has a hole of more NUL bytes than a log has.
    pub(crate) fn drive_history(&mut self) -> Result<(), ReplayError> {
        self.find_format(false)?;
        let (Some(log), Phase::History(driver)) = (&mut self.log, &mut self.phase) else { return Ok(()) };
        log.take_available(&mut self.lines, &mut self.usage, |record| driver.take(record))
    }

    /// Ends the history: nothing was written for `silence`. Returns what a replay prints of it, in JSON.
    ///
    /// # Errors
    /// Where no line of the history can be used.
    pub(crate) fn go_live(mut self, silence: Duration) -> Result<(Self, String), ReplayError> {
        self.find_format(true)?;
        self.drive_history()?;
        if let Some((line, problem)) = self.problem().cloned() {
            return Err(ReplayError::Line { line, problem, warnings: Vec::new() });
        }
        let Phase::History(mut driver) = self.phase else { return Ok((self, String::new())) };
        if let Some(log) = &mut self.log {
            log.release_all(&mut self.usage);
            while let Some(record) = log.give() {
                driver.take(record)?;
            }
        }
        let (summary, totals, replayed) = driver.finish_with_breaker()?;
        let mut text = Vec::new();
        summary.write(&self.usage, &mut text).map_err(ReplayError::Write)?;
        self.clock.go_live(if totals.records > 0 { silence } else { Duration::ZERO });
        self.breaker.handle_timeout(self.clock.now());
        if silence > MAX_SILENCE && self.breaker.state().is_triggered() {
            self.breaker.reset();
        }
        let counts_for = replayed.counts_stalls().then(|| stalls_count_for(&self.breaker));
        let playout = Playout::new(replayed, counts_for, self.longest, nanos_of(&self.clock));
        self.phase = Phase::Live(Box::new(playout));
        Ok((self, String::from_utf8_lossy(&text).trim_end().to_owned()))
    }

    /// Takes what was fed and plays what is due; returns whether calls are waiting for their turn.
    ///
    /// # Errors
    /// As [`Follower::drive_history`].
    pub(crate) fn play(&mut self) -> Result<bool, ReplayError> {
        self.find_format(false)?;
        let now = self.now();
        let Phase::Live(playout) = &mut self.phase else { return Ok(false) };
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
            playout.take(record, distance);
        }
        playout.play(now);
        Ok(playout.next_due().is_some() || log.holds_calls())
    }

    fn now(&self) -> i64 {
        nanos_of(&self.clock)
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
            let is_live = matches!(self.phase, Phase::Live(_));
            let is_enough = sample.len() >= SAMPLE_LINES || sample.iter().any(Line::is_too_long);
            if !(at_once || is_enough || is_live && now.saturating_sub(since) >= SAMPLE_WAIT) {
                return Ok(());
            }
            self.sampled_since = None;
            let forced = match self.input.format {
                Format::Log(format) => Some(format),
                _ => None,
            };
            let count = sample.len();
            let first = sample.first().map_or(0, Line::number);
            match access_log::choose(sample, forced, &self.input, self.longest) {
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

fn nanos_of(clock: &FollowClock) -> i64 {
    i64::try_from(clock.now().as_nanos()).unwrap_or(i64::MAX)
}

/// How long a call that is stalled counts.
fn stalls_count_for(breaker: &Breaker) -> i64 {
    breaker.read(|core| nanos(core.policy().latency_max_age))
}
