//! What is drawn of a recording and of each setting's way through it, in a bounded number of stretches of time.

use std::io::BufRead;
use std::time::Duration;

use tripline_runtime::core::{Latency, MemorySample, StateKind};

use crate::replay::compare::{Setting, replay_to_all};
use crate::replay::error::ReplayError;
use crate::replay::figures::{Figures, Tally, between};
use crate::replay::histogram::LogHistogram;
use crate::replay::input_report::InputReport;
use crate::replay::observe::{Change, Done, Observer};
use crate::replay::reading::Reading;
use crate::replay::record::Record;
use crate::replay::timeline::{Bucket, Timeline};
use crate::replay::unusable::Usage;

/// A short recording has wider stretches, with so many calls on average, as long as there are so many stretches.
const MIN_CALLS: u64 = 20;
const MIN_INTERVALS: usize = 100;
/// So many changes of state are drawn where they were; beyond, the states of the stretches are.
const MAX_CHANGES: usize = 1_000;
/// How often the breaker's percentile is read in an interval.
const VIEWS_PER_INTERVAL: i64 = 8;

/// A recording, and what each setting would have done with it, ready to be drawn.
///
/// It holds at most 1,024 intervals, regardless of the length of the recording: a few megabytes.
#[derive(Debug)]
pub struct Report {
    pub(super) settings: Vec<Setting>,
    pub(super) figures: Vec<Figures>,
    pub(super) recorded: Timeline<Interval>,
    pub(super) series: Vec<Timeline<Segment>>,
    /// For each setting its changes of state, while they are few enough.
    pub(super) changes: Vec<Vec<(i64, StateKind)>>,
    /// When time began, and the last record.
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) records: u64,
    pub(super) usage: Usage,
}

/// Replays as [`compare`](crate::replay::compare) does, and keeps what a page shows. `input` is read once.
///
/// # Errors
/// As [`run`](crate::replay::run).
pub fn draw(
    settings: &[Setting],
    reading: &Reading,
    input: impl BufRead,
) -> Result<(Report, InputReport), ReplayError> {
    let drivers = settings
        .iter()
        .map(|setting| setting.driver(settings.len(), reading, Series::new(setting)))
        .collect::<Result<Vec<_>, _>>()?;
    let mut recorded = Timeline::<Interval>::default();
    let (series, report) =
        replay_to_all(drivers, reading, input, |record| recorded.update(record.at, |s| s.add(record)))?;
    let (from, to) = series.first().map_or((0, 0), |series| (series.from, series.to));
    let mut changes = Vec::with_capacity(series.len());
    let mut figures = Vec::with_capacity(series.len());
    let mut lines = Vec::with_capacity(series.len());
    for series in series {
        changes.push(series.changes);
        figures.push(series.tally.into_figures());
        lines.push(series.line);
    }
    // All on the same buckets: those of the line that needed the widest.
    let width = lines.iter().map(Timeline::width).fold(recorded.width(), i64::max);
    if report.records > 0 {
        recorded.align(width, from, to);
        while recorded.len() > MIN_INTERVALS * 2 && report.records < MIN_CALLS * recorded.len() as u64 {
            let wider = recorded.width().saturating_mul(2);
            recorded.align(wider, from, to);
        }
        let width = recorded.width();
        for line in &mut lines {
            line.align(width, from, to);
        }
    }
    let (settings, records) = (settings.to_vec(), report.records);
    Ok((
        Report { settings, figures, recorded, series: lines, changes, from, to, records, usage: report.usage.clone() },
        report,
    ))
}

impl Report {
    /// The outcome of each setting, in the order of the settings.
    pub fn figures(&self) -> &[Figures] {
        &self.figures
    }
}

impl Report {
    /// The changes of state of a setting, if there are few enough to draw each where it was.
    pub(super) fn changes(&self, setting: usize) -> Option<&[(i64, StateKind)]> {
        self.changes.get(setting).filter(|changes| changes.len() <= MAX_CHANGES).map(Vec::as_slice)
    }
}

/// The calls of a stretch of time.
#[derive(Debug, Clone)]
pub(super) struct Interval {
    pub(super) latencies: LogHistogram,
    /// Least and most memory in use, as shares of the limit.
    pub(super) memory: Option<(f64, f64)>,
}

impl Default for Interval {
    fn default() -> Self {
        Self { latencies: LogHistogram::new(LogHistogram::COARSE), memory: None }
    }
}

impl Interval {
    fn add(&mut self, record: &Record) {
        if let Some(call) = record.call {
            self.latencies.add(Latency::from(Duration::from_nanos(call.latency.unsigned_abs())));
        }
        if let Some(ratio) = record.memory.and_then(MemorySample::ratio) {
            self.memory = wider(self.memory, Some((ratio, ratio)), f64::min, f64::max);
        }
    }
}

impl Bucket for Interval {
    fn merge(&mut self, later: Self) {
        self.latencies.merge(&later.latencies);
        self.memory = wider(self.memory, later.memory, f64::min, f64::max);
    }
}

/// How a breaker fared in a stretch of time.
#[derive(Debug, Clone, Default)]
pub(super) struct Segment {
    pub(super) admitted: u64,
    pub(super) rejected: u64,
    pub(super) open_nanos: u64,
    pub(super) half_open_nanos: u64,
    pub(super) trips: u64,
    pub(super) recoveries: u64,
    /// The lowest and the highest percentile that was seen.
    pub(super) percentile: Option<(Latency, Latency)>,
}

impl Bucket for Segment {
    fn merge(&mut self, later: Self) {
        self.admitted += later.admitted;
        self.rejected += later.rejected;
        self.open_nanos += later.open_nanos;
        self.half_open_nanos += later.half_open_nanos;
        self.trips += later.trips;
        self.recoveries += later.recoveries;
        self.percentile = wider(self.percentile, later.percentile, Latency::min, Latency::max);
    }
}

fn wider<T: Copy>(a: Option<(T, T)>, b: Option<(T, T)>, least: fn(T, T) -> T, most: fn(T, T) -> T) -> Option<(T, T)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((least(a.0, b.0), most(a.1, b.1))),
        (a, b) => a.or(b),
    }
}

/// One setting's way, while it is being gone.
struct Series {
    tally: Tally,
    line: Timeline<Segment>,
    /// One more than is drawn shows that there are too many.
    changes: Vec<(i64, StateKind)>,
    state: StateKind,
    since: i64,
    from: i64,
    to: i64,
    next_view: i64,
}

impl Series {
    fn new(setting: &Setting) -> Self {
        Self {
            tally: Tally::new(setting.policy.latency_threshold),
            line: Timeline::default(),
            changes: Vec::new(),
            state: StateKind::Closed,
            since: 0,
            from: 0,
            to: 0,
            next_view: i64::MIN,
        }
    }

    fn leave_state(&mut self, at: i64) {
        match self.state {
            StateKind::Open => self.line.update_span(self.since, at, |segment, nanos| segment.open_nanos += nanos),
            StateKind::HalfOpen => {
                self.line.update_span(self.since, at, |segment, nanos| segment.half_open_nanos += nanos);
            }
            _ => {}
        }
        self.since = at;
    }
}

impl Observer for Series {
    fn begins(&mut self, at: i64) {
        self.tally.begins(at);
        (self.from, self.to, self.since) = (at, at, at);
    }

    fn started(&mut self, at: i64, admitted: bool) {
        self.line.update(at, |segment| {
            let count = if admitted { &mut segment.admitted } else { &mut segment.rejected };
            *count += 1;
        });
    }

    fn changed(&mut self, change: &Change) {
        self.tally.changed(change);
        self.leave_state(change.at);
        self.state = change.to;
        if self.changes.len() <= MAX_CHANGES {
            self.changes.push((change.at, change.to));
        }
        self.line.update(change.at, |segment| {
            segment.trips += u64::from(change.trip.is_some());
            segment.recoveries += u64::from(change.is_recovery);
        });
        self.next_view = i64::MIN;
    }

    fn wants_view(&mut self, at: i64) -> bool {
        let due = at >= self.next_view;
        if due {
            self.next_view = at.saturating_add(self.line.width() / VIEWS_PER_INTERVAL);
        }
        due
    }

    fn done(&mut self, record: &Done) -> Result<(), ReplayError> {
        if let Some(percentile) = record.view.and_then(|view| view.percentile) {
            self.line.update(record.at, |segment| {
                let seen = Some((percentile, percentile));
                segment.percentile = wider(segment.percentile, seen, Latency::min, Latency::max);
            });
        }
        self.tally.done(record)
    }

    fn ends(&mut self, at: i64, percentile: Option<Latency>) {
        self.leave_state(at);
        self.to = at;
        self.tally.ends(at, percentile);
    }
}

/// How many nanoseconds of the bucket from `start` on lie between `from` and `to`.
pub(super) fn part_within(start: i64, width: i64, from: i64, to: i64) -> Duration {
    between(start.max(from), start.saturating_add(width).min(to))
}
