//! The outcome of one setting, in figures.

use std::io::{self, Write};
use std::time::Duration;

use tripline_runtime::TripExplanation;
use tripline_runtime::core::{Latency, Outcome, StateKind, TripReason};

use super::decimal::Millis;
use super::error::ReplayError;
use super::observe::{Change, Done, DoneCall, Observer, TripAt};
use super::output::Why;
use super::unusable::Usage;

/// So many trips are listed one by one; the rest is counted.
pub const MAX_TRIPS_LISTED: usize = 200;

/// The outcome of one setting with a recording.
///
/// A recording contains calls as they were made. The figures of a call that the setting would have rejected show its
/// outcome had it been made. They do not show that fewer calls can make a service faster.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Figures {
    /// Calls that were let through.
    pub admitted: u64,
    /// Calls that were rejected.
    pub rejected: u64,
    /// Of the rejected calls those that were `ok` and not longer than this setting's threshold.
    pub rejected_fine: u64,
    /// Of the rejected calls those that failed, or were longer than the threshold and not `ignored`.
    pub rejected_bad: u64,
    /// Calls that were let through and failed, or were longer than the threshold and not `ignored`.
    pub admitted_bad: u64,
    /// How often the breaker went from closed to open.
    pub trips: u64,
    /// Why, in the order in which the reasons came up, with how often.
    pub reasons: Vec<(TripReason, u64)>,
    /// How many of the trips were with calls that hung, and counted as slow ones.
    pub trips_with_stalls: u64,
    /// The first [`MAX_TRIPS_LISTED`] of the trips.
    pub first_trips: Vec<Trip>,
    /// How often it closed again.
    pub recoveries: u64,
    /// How long it was not closed, all outages together; an outage is the time from a trip until it closed again.
    pub open: Duration,
    /// Of that, how long it was half-open.
    pub half_open: Duration,
    /// The longest outage.
    pub longest_outage: Duration,
    /// When time began: the earliest start of a call, or the first record. Nanoseconds on the input's own line of time.
    pub began_nanos: i64,
    /// From there to the last record.
    pub span: Duration,
}

/// A trip.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Trip {
    /// The record, counted from 0, that was being finished, was seen to hang or was read.
    pub index: u64,
    /// Nanoseconds on the input's own line of time.
    pub at_nanos: i64,
    /// Why.
    pub reason: TripReason,
    /// Calls that hung then, and counted as slow ones.
    pub stalled: u16,
    /// Why, with the evidence; its text is that of status, alerts and logs.
    pub why: Option<TripExplanation>,
}

impl Figures {
    /// All calls.
    pub const fn calls(&self) -> u64 {
        self.admitted.saturating_add(self.rejected)
    }

    /// Of the rejected calls those that were `ignored`.
    pub const fn rejected_ignored(&self) -> u64 {
        self.rejected.saturating_sub(self.rejected_fine).saturating_sub(self.rejected_bad)
    }

    /// The share of the time for which it was not closed, 0 to 1; 0 for a recording of no length.
    pub fn open_share(&self) -> f64 {
        let span = self.span.as_secs_f64();
        if span > 0.0 { self.open.as_secs_f64() / span } else { 0.0 }
    }

    /// Writes them as one line of JSON, with how many lines of the input were used.
    ///
    /// # Errors
    /// Those of `output`.
    pub fn write_json(&self, setting: &str, usage: &Usage, output: &mut impl Write) -> io::Result<()> {
        let name = serde_json::to_string(setting)?;
        let Self { admitted, rejected, rejected_fine, rejected_bad, admitted_bad, trips, recoveries, .. } = self;
        write!(output, "{{\"setting\":{name},\"calls\":{},\"admitted\":{admitted},", self.calls())?;
        write!(output, "\"rejected\":{rejected},\"rejected_fine\":{rejected_fine},")?;
        write!(output, "\"rejected_slow_or_failed\":{rejected_bad},\"admitted_slow_or_failed\":{admitted_bad},")?;
        write!(output, "\"trips\":{trips},\"first_trip_at_ms\":")?;
        match self.first_trips.first() {
            Some(trip) => write!(output, "{}", Millis(trip.at_nanos))?,
            None => write!(output, "null")?,
        }
        let why = self.first_trips.first().and_then(|trip| trip.why);
        write!(output, "{},\"reasons\":{{", Why("first_trip_why", why))?;
        for (i, (reason, count)) in self.reasons.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(output, "{comma}\"{reason}\":{count}")?;
        }
        write!(output, "}},\"recoveries\":{recoveries},\"open_seconds\":{},", seconds(self.open))?;
        write!(output, "\"open_share\":{:.6},\"half_open_seconds\":{},", self.open_share(), seconds(self.half_open))?;
        let (longest, span) = (seconds(self.longest_outage), seconds(self.span));
        write!(output, "\"longest_outage_seconds\":{longest},\"duration_seconds\":{span}")?;
        usage.write_json(output)?;
        writeln!(output, "}}")
    }
}

fn seconds(span: Duration) -> String {
    let text = format!("{}.{:09}", span.as_secs(), span.subsec_nanos());
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Counts what becomes [`Figures`].
#[derive(Debug)]
pub(super) struct Tally {
    threshold: Latency,
    figures: Figures,
    state: StateKind,
    /// Since when the breaker is in its state.
    since: i64,
    /// Since when it is not closed.
    out_since: Option<i64>,
}

impl Tally {
    pub(super) fn new(threshold: Latency) -> Self {
        let figures = Figures::default();
        Self { threshold, figures, state: StateKind::Closed, since: 0, out_since: None }
    }

    pub(super) fn into_figures(self) -> Figures {
        self.figures
    }

    fn count_trip(&mut self, TripAt { index, at, reason, stalled, why }: TripAt) {
        let figures = &mut self.figures;
        figures.trips += 1;
        figures.trips_with_stalls += u64::from(stalled > 0);
        if figures.first_trips.len() < MAX_TRIPS_LISTED {
            figures.first_trips.push(Trip { index, at_nanos: at, reason, stalled, why });
        }
        match figures.reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += 1,
            None => figures.reasons.push((reason, 1)),
        }
    }

    fn leave_state(&mut self, at: i64) {
        if self.state == StateKind::HalfOpen {
            self.figures.half_open += between(self.since, at);
        }
        self.since = at;
    }

    fn end_outage(&mut self, at: i64) {
        if let Some(since) = self.out_since.take() {
            let outage = between(since, at);
            self.figures.open += outage;
            self.figures.longest_outage = self.figures.longest_outage.max(outage);
        }
    }
}

impl Observer for Tally {
    fn begins(&mut self, at: i64) {
        self.figures.began_nanos = at;
    }

    fn changed(&mut self, change: &Change) {
        self.leave_state(change.at);
        self.state = change.to;
        self.figures.recoveries += u64::from(change.is_recovery);
        if let Some(trip) = change.trip {
            self.count_trip(trip);
        }
        if change.to.is_triggered() {
            self.out_since.get_or_insert(change.at);
        } else {
            self.end_outage(change.at);
        }
    }

    fn done(&mut self, record: &Done) -> Result<(), ReplayError> {
        let Some(call) = record.call else { return Ok(()) };
        let bad = is_unhealthy(&call, self.threshold);
        let figures = &mut self.figures;
        if call.admitted {
            figures.admitted += 1;
            figures.admitted_bad += u64::from(bad);
        } else {
            figures.rejected += 1;
            figures.rejected_bad += u64::from(bad);
            figures.rejected_fine += u64::from(!bad && call.outcome == Outcome::Ok);
        }
        Ok(())
    }

    fn ends(&mut self, at: i64, _percentile: Option<Latency>) {
        self.leave_state(at);
        self.end_outage(at);
        self.figures.span = between(self.figures.began_nanos, at);
    }
}

fn is_unhealthy(call: &DoneCall, threshold: Latency) -> bool {
    match call.outcome {
        Outcome::Failed => true,
        Outcome::Ignored => false,
        Outcome::Ok => call.latency > threshold,
    }
}

pub(super) fn between(from: i64, to: i64) -> Duration {
    Duration::from_nanos(u64::try_from(to.saturating_sub(from)).unwrap_or(0))
}
