//! A log that is being read: lines in, calls in the order of their ends out.

use std::collections::VecDeque;
use std::io::BufRead;
use std::sync::Arc;

use super::entry::{Columns, Entry, Stamped};
use super::error::LogProblem;
use super::log_limits::LATE_BY_NANOS;
use super::outcome;
use super::partial_lines::{Part, PartialLines};
use super::plan::Plan;
use super::prefix;
use super::reorder_buffer::{ReorderBuffer, TimedPermit};
use super::routing::{Routing, Unrouted};
use super::row::{Context, LogFormat, Rules};
use crate::replay::error::ReplayError;
use crate::replay::latency_unit::LatencyUnit;
use crate::replay::lines::{Line, Lines};
use crate::replay::origin::{OriginTracker, Placed};
use crate::replay::path_filter::PathFilter;
use crate::replay::record::Record;
use crate::replay::unusable::Usage;

/// The report on an access log that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogReport {
    /// How it was read.
    pub format: LogFormat,
    /// Whether the format was found out from the first lines.
    pub is_guessed: bool,
    /// Whether the time of a line is the end of its call.
    pub is_stamped_at_end: bool,
    /// The unit of request times without a unit of their own; `None`: fractions were seconds, and whole numbers
    /// microseconds.
    pub latency_unit: Option<LatencyUnit>,
    /// Calls whose lines came more than a minute late, and were placed at the current position of the input.
    pub late: u64,
    /// The most calls that were held at once to put them in order.
    pub peak_held: usize,
}

/// One line, understood.
#[derive(Debug, Clone)]
pub(super) enum Understood {
    Call(TimedPermit),
    Excluded,
    /// A call for no breaker.
    Unrouted(Unrouted),
    Header,
    /// The beginning of a line that goes on later.
    Beginning,
}

/// Reads the lines of one format.
#[derive(Debug)]
pub(super) struct LineReader {
    pub(super) rules: Rules,
    plan: Plan,
    columns: Columns,
    partial: PartialLines,
    filter: PathFilter,
    /// `None` where there is one breaker for all calls.
    routing: Option<Arc<dyn Routing>>,
    /// Calls without the path or host by which calls are selected.
    without_path: u64,
}

impl LineReader {
    pub(super) fn new(rules: Rules, filter: PathFilter, routing: Option<Arc<dyn Routing>>) -> Self {
        let plan = plan(&rules, &filter, routing.as_deref());
        let (columns, partial) = (Columns::default(), PartialLines::default());
        Self { rules, plan, columns, partial, filter, routing, without_path: 0 }
    }

    /// Reads a line as it is, or without the prefixes of collectors: the shortest text that can be read counts.
    pub(super) fn read(&mut self, line: &Line) -> Result<Understood, LogProblem> {
        if line.is_too_long() {
            return Err(LogProblem::TooLong);
        }
        let joined = match self.partial.take(line)? {
            Part::Whole => None,
            Part::Beginning => return Ok(Understood::Beginning),
            Part::Joined(text) => Some(text),
        };
        let text = joined.as_deref().map_or_else(|| line.text(), <[u8]>::trim_ascii);
        let mut problem = None;
        for stripped in prefix::strip(text).iter().rev() {
            let mut context = Context { plan: &self.plan, columns: &mut self.columns, outer: stripped.outer };
            match (self.rules.format.0.read)(&stripped.text, &mut context) {
                Ok(Entry::Header) => return Ok(Understood::Header),
                Ok(Entry::Call(mut call)) => {
                    let (path, host) = (call.request.path.as_deref(), call.request.host.as_deref());
                    self.without_path += u64::from(self.filter.lacks_part(path, host));
                    if !self.filter.is_empty() && !self.filter.selects(path, host) {
                        return Ok(Understood::Excluded);
                    }
                    let Some(routing) = &self.routing else {
                        return Ok(Understood::Call(TimedPermit::of(&call, None)));
                    };
                    return Ok(match routing.destination(&call.request, call.status) {
                        Ok((to, is_failure)) => {
                            if let (Some(status), Some(is_failure)) = (call.status, is_failure) {
                                call.outcome = outcome::of_own_statuses(status, is_failure);
                            }
                            Understood::Call(TimedPermit::of(&call, Some(to)))
                        }
                        Err(reason) => Understood::Unrouted(reason),
                    });
                }
                Err(found) if found.is_no_call() => return Err(found),
                // Of several the one of the shortest text.
                Err(found) => problem = problem.or(Some(found)),
            }
        }
        Err(problem.unwrap_or(LogProblem::Time))
    }
}

/// The fields that are read for these rules, and for what selects and routes the calls.
fn plan(rules: &Rules, filter: &PathFilter, routing: Option<&dyn Routing>) -> Plan {
    let mut wanted = routing.map(Routing::wanted).unwrap_or_default();
    wanted.host |= filter.is_by_host();
    let row = rules.format.0;
    Plan::new(&row.schema, row.stamped, row.unit, rules.unit, &rules.fields, wanted)
}

/// A log that is being read.
#[derive(Debug)]
pub(in crate::replay) struct Log {
    reader: LineReader,
    buffer: ReorderBuffer,
    origin: OriginTracker<(u64, TimedPermit)>,
    placed: VecDeque<Placed<(u64, TimedPermit)>>,
    /// Which end of a call the last time was.
    stamped: Stamped,
    places: u8,
    /// The first and the last end of the calls that were placed since [`Log::take_ends`].
    ends: Option<(i64, i64)>,
}

impl Log {
    /// `longest` is the longest call, in nanoseconds, for which the lines are put in order.
    pub(super) fn new(reader: LineReader, longest: i64) -> Self {
        let stamped = reader.plan.stamped();
        Self {
            reader,
            buffer: ReorderBuffer::new(stamped, longest),
            origin: OriginTracker::new(LATE_BY_NANOS),
            placed: VecDeque::new(),
            stamped,
            places: 0,
            ends: None,
        }
    }

    /// The next call; `None` at the end of the input.
    pub(in crate::replay) fn next(
        &mut self,
        lines: &mut Lines<impl BufRead>,
        usage: &mut Usage,
    ) -> Result<Option<Record>, ReplayError> {
        loop {
            if let Some(record) = self.buffer.give() {
                return Ok(Some(record));
            }
            if !lines.advance()? {
                self.origin.end(&mut self.placed);
                self.place(usage);
                for line in self.reader.partial.end() {
                    usage.lines += 1;
                    usage.unusable.add(line, LogProblem::NotClosed.as_str(), LogProblem::NotClosed);
                }
                self.buffer.end_input();
                self.report_to(usage);
                return Ok(self.buffer.give());
            }
            self.take(lines.line(), usage);
            self.place(usage);
        }
    }

    /// Takes the lines that are there, of an input that gets more; `take` gets each call as soon as its order is certain.
    pub(in crate::replay) fn take_available(
        &mut self,
        lines: &mut Lines<impl BufRead>,
        usage: &mut Usage,
        mut take: impl FnMut(Record) -> Result<(), ReplayError>,
    ) -> Result<(), ReplayError> {
        while lines.advance()? {
            self.take(lines.line(), usage);
            self.place(usage);
            while let Some(record) = self.give() {
                take(record)?;
            }
        }
        self.report_to(usage);
        Ok(())
    }

    /// The next call of those whose order is certain.
    pub(in crate::replay) fn give(&mut self) -> Option<Record> {
        self.buffer.give()
    }

    /// Whether calls are held whose order is not certain.
    pub(in crate::replay) fn holds_calls(&self) -> bool {
        self.buffer.holds_calls() || self.origin.holds_items()
    }

    /// By the clock, every call that ends before `at` is written.
    pub(in crate::replay) fn release_to(&mut self, at: i64) {
        self.buffer.release_to(at);
    }

    /// What was written so far is all that there is for now.
    pub(in crate::replay) fn release_all(&mut self, usage: &mut Usage) {
        self.origin.end(&mut self.placed);
        self.place(usage);
        self.buffer.release_all();
        self.report_to(usage);
    }

    /// Calls that end about `at` are not stray, however long there was none.
    pub(in crate::replay) fn expect(&mut self, at: i64) {
        self.origin.expect(at);
    }

    /// The first and the last end of the calls that came since the last time.
    pub(in crate::replay) fn take_ends(&mut self) -> Option<(i64, i64)> {
        self.ends.take()
    }

    /// Chooses the breakers of later lines by `routing`.
    pub(in crate::replay) fn set_routing(&mut self, routing: Arc<dyn Routing>) {
        let reader = &mut self.reader;
        reader.plan = plan(&reader.rules, &reader.filter, Some(&*routing));
        reader.routing = Some(routing);
    }

    fn take(&mut self, line: &Line, usage: &mut Usage) {
        let understood = self.reader.read(line);
        usage.lines += u64::from(!matches!(understood, Ok(Understood::Header | Understood::Beginning)));
        match understood {
            Ok(Understood::Call(call)) if line.is_cut_off() && call.places < self.places => {
                usage.unusable.add(line.number(), LogProblem::CutOff.as_str(), LogProblem::CutOff);
            }
            Ok(Understood::Call(call)) => {
                (self.stamped, self.places) = (call.stamped, call.places);
                self.origin.take(call.end(), (line.number(), call), &mut self.placed);
            }
            Ok(Understood::Excluded) => usage.excluded += 1,
            Ok(Understood::Unrouted(reason)) => usage.unrouted.add(line.number(), reason.as_str(), reason),
            Ok(Understood::Header | Understood::Beginning) => {}
            Err(problem) => usage.unusable.add(line.number(), problem.as_str(), problem),
        }
    }

    /// Hands over what the clock allows.
    fn place(&mut self, usage: &mut Usage) {
        while let Some(Placed { item: (line, mut call), shift, is_stray }) = self.placed.pop_front() {
            if is_stray {
                usage.unusable.add(line, LogProblem::StrayTime.as_str(), LogProblem::StrayTime);
                continue;
            }
            call.stamp.at = call.stamp.at.saturating_add(shift);
            let end = call.end();
            self.ends = Some(self.ends.map_or((end, end), |(first, last)| (first.min(end), last.max(end))));
            self.buffer.take(call);
        }
    }

    fn report_to(&self, usage: &mut Usage) {
        usage.origin_changes = self.origin.changes();
        usage.released_early = self.buffer.released_early;
        usage.without_path = self.reader.without_path;
    }

    pub(in crate::replay) fn report(&self) -> LogReport {
        let rules = &self.reader.rules;
        LogReport {
            format: rules.format,
            is_guessed: rules.is_guessed,
            is_stamped_at_end: self.stamped == Stamped::AtEnd,
            latency_unit: rules.unit.or(rules.format.0.unit),
            late: self.buffer.late,
            peak_held: self.buffer.peak_held,
        }
    }
}
