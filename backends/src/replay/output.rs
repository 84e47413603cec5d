//! The output. Every text in it is a fixed word, so nothing needs escaping.

use std::fmt;
use std::io::{self, Write};

use tripline_runtime::TripExplanation;
use tripline_runtime::core::Latency;

use super::decimal::Millis;
use super::error::ReplayError;
use super::observe::{Change, Done, Observer, TripAt, View};
use super::unusable::Usage;

/// Writes what the breaker looks like just after the record at `at`.
fn write_view(view: &View, output: &mut impl Write, at: i64, admitted: Option<bool>) -> io::Result<()> {
    write!(output, "{{\"at_ms\":{},\"admitted\":", Millis(at))?;
    write!(output, "{}", OrNull(admitted))?;
    write!(output, ",\"state\":\"{}\",\"percentile_ms\":", view.state.as_str())?;
    write!(output, "{},\"trend\":\"{}\",\"reason\":", OrNull(view.percentile.map(millis)), view.trend.as_str())?;
    match view.why {
        Some(why) => writeln!(output, "\"{}\"{}}}", why.reason.as_str(), Why("why", Some(why))),
        None => writeln!(output, "null{}}}", Why("why", None)),
    }
}

/// The member of an object that says why a breaker is open, with the comma before it. Its text has no quotes and no backslashes.
pub(super) struct Why(pub(super) &'static str, pub(super) Option<TripExplanation>);

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(name, why) = self;
        match why {
            Some(why) => write!(f, ",\"{name}\":\"{why}\""),
            None => write!(f, ",\"{name}\":null"),
        }
    }
}

/// Writes what the breaker looks like after each record.
pub(super) struct JsonLines<W>(pub(super) W);

impl<W: Write> Observer for JsonLines<W> {
    fn wants_view(&mut self, _at: i64) -> bool {
        true
    }

    fn done(&mut self, record: &Done) -> Result<(), ReplayError> {
        let Some(view) = record.view else { return Ok(()) };
        write_view(&view, &mut self.0, record.at, record.call.map(|call| call.admitted)).map_err(ReplayError::Write)
    }
}

/// The totals of all records.
#[derive(Debug, Default)]
pub(super) struct Summary {
    admitted: u64,
    rejected: u64,
    percentile: Option<Latency>,
    trips: Vec<TripAt>,
    recoveries: Vec<i64>,
}

impl Observer for Summary {
    fn started(&mut self, _at: i64, admitted: bool) {
        let count = if admitted { &mut self.admitted } else { &mut self.rejected };
        *count += 1;
    }

    fn changed(&mut self, change: &Change) {
        self.trips.extend(change.trip);
        self.recoveries.extend(change.is_recovery.then_some(change.at));
    }

    fn ends(&mut self, _at: i64, percentile: Option<Latency>) {
        self.percentile = percentile;
    }
}

impl Summary {
    /// Adds the totals of another breaker; the percentile of several is none.
    pub(super) fn add(&mut self, other: Self) {
        if other.admitted + other.rejected == 0 {
            return;
        }
        let is_first = self.admitted + self.rejected == 0;
        self.percentile = other.percentile.filter(|_| is_first);
        self.admitted += other.admitted;
        self.rejected += other.rejected;
        self.trips.extend(other.trips);
        self.trips.sort_by_key(|trip| trip.at);
        self.recoveries.extend(other.recoveries);
        self.recoveries.sort_unstable();
    }

    pub(super) fn write(&self, usage: &Usage, output: &mut impl Write) -> io::Result<()> {
        let Self { admitted, rejected, percentile, trips, recoveries } = self;
        let calls = admitted.saturating_add(*rejected);
        write!(output, "{{\"calls\":{calls},\"admitted\":{admitted},\"rejected\":{rejected},")?;
        write!(output, "\"percentile_ms\":{},\"trips\":[", OrNull(percentile.map(millis)))?;
        for (i, TripAt { index, at, reason, why, .. }) in trips.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(output, "{comma}{{\"index\":{index},\"at_ms\":{},\"reason\":\"{reason}\"", Millis(*at))?;
            write!(output, "{}}}", Why("why", *why))?;
        }
        write!(output, "],\"recoveries\":[")?;
        for (i, at) in recoveries.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(output, "{comma}{{\"at_ms\":{}}}", Millis(*at))?;
        }
        write!(output, "]")?;
        usage.write_json(output)?;
        writeln!(output, "}}")
    }
}

fn millis(latency: Latency) -> Millis {
    Millis(i64::from(latency.as_micros()) * 1_000)
}

struct OrNull<T>(Option<T>);

impl<T: fmt::Display> fmt::Display for OrNull<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("null"),
        }
    }
}
