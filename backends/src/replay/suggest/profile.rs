//! The first reading: what the recording looks like.

use std::io::BufRead;
use std::time::Duration;

use tripline_runtime::core::{Latency, Outcome, Percentile, Policy};

use super::segments::{Segments, Split};
use crate::replay::error::ReplayError;
use crate::replay::histogram::LogHistogram;
use crate::replay::reading::{Findings, Reading};
use crate::replay::record::Record;

/// The number of calls of a segment that should lie above the percentile; it gives the size of a segment.
const CALLS_ABOVE: f64 = 12.0;
/// A segment is slow when its percentile is above that of the typical one by this factor. Daily swings stay below it.
const SLOW_FACTOR: u32 = 3;
/// The window holds about this many seconds of calls: long enough to outlast a pause, short enough to forget it.
const WINDOW_SECONDS: f64 = 2.0;
/// A proposal needs this many windows of calls.
pub(super) const MIN_WINDOWS: u64 = 3;
const NANOS_PER_SECOND: i64 = 1_000_000_000;
/// If this many latencies are whole seconds, they were written as whole seconds.
const WHOLE_SECONDS_SHARE: f64 = 0.999;
const MIN_WINDOW: u16 = 32;
const MAX_WINDOW: u16 = 1_024;

/// The profile of a recording, in constant memory.
#[derive(Debug)]
pub(super) struct Profile {
    /// Calls that count for the percentile: not failed, not ignored.
    pub(super) latencies: LogHistogram,
    pub(super) records: u64,
    pub(super) calls: u64,
    pub(super) failed: u64,
    /// The first record, or the start of its call if that is earlier; and the last record.
    pub(super) from: i64,
    pub(super) to: i64,
    /// The longest call in nanoseconds.
    pub(super) longest: i64,
    /// Calls that are longer than is read ahead.
    pub(super) shortened: u64,
    /// Calls of `latencies` that took a whole number of seconds, 0 among them.
    whole_seconds: u64,
    segments: Segments,
}

impl Profile {
    pub(super) fn read(
        percentile: Percentile,
        reading: &Reading,
        input: impl BufRead,
    ) -> Result<(Self, Findings), ReplayError> {
        let above = (1.0 - percentile.get()).max(f64::EPSILON);
        let size = ((CALLS_ABOVE / above) as usize).next_power_of_two().clamp(64, usize::from(MAX_WINDOW));
        let mut profile = Self {
            latencies: LogHistogram::new(LogHistogram::FINE),
            records: 0,
            calls: 0,
            failed: 0,
            from: 0,
            to: 0,
            longest: 0,
            shortened: 0,
            whole_seconds: 0,
            segments: Segments::new(size, percentile),
        };
        let findings = reading.read_all(input, |record| {
            profile.add(&record, reading.longest());
            Ok(())
        })?;
        profile.segments.end();
        Ok((profile, findings))
    }

    fn add(&mut self, record: &Record, longest: i64) {
        let latency = record.call.map_or(0, |call| call.latency);
        let start = record.at.saturating_sub(latency);
        self.from = if self.records == 0 { start } else { self.from.min(start) };
        self.to = record.at;
        self.records += 1;
        self.longest = self.longest.max(latency);
        self.shortened += u64::from(latency > longest);
        let Some(call) = record.call else { return };
        self.calls += 1;
        self.failed += u64::from(call.outcome == Outcome::Failed);
        if call.outcome == Outcome::Ok {
            let latency = Latency::from(Duration::from_nanos(call.latency.unsigned_abs()));
            self.latencies.add(latency);
            self.whole_seconds += u64::from(call.latency % NANOS_PER_SECOND == 0);
            self.segments.add(record.at, latency);
        }
    }

    /// Whether latencies are written as whole seconds.
    pub(super) fn has_whole_seconds(&self) -> bool {
        let calls = self.latencies.count();
        calls > 0 && self.whole_seconds as f64 >= calls as f64 * WHOLE_SECONDS_SHARE
    }

    pub(super) const fn segments(&self) -> &Segments {
        &self.segments
    }

    /// The typical segment's percentile, and the segments on both sides of [`SLOW_FACTOR`] times that.
    pub(super) fn split(&self) -> Option<(Latency, Split)> {
        let typical = self.segments.typical()?;
        let limit = Latency::from_micros(typical.as_micros().saturating_mul(SLOW_FACTOR));
        Some((typical, self.segments.split(limit)))
    }

    /// Calls a second that finish: usually, and in the quietest tenth of the segments.
    pub(super) fn rates(&self) -> (f64, f64) {
        let rate = |millis: u32| self.segments.size() as f64 * 1_000.0 / f64::from(millis.max(1));
        self.segments.lengths_ms().map_or((0.0, 0.0), |(usual, quiet)| (rate(usual), rate(quiet)))
    }

    /// The window that suits the usual rate, the percentile of `base`, and the number of calls that there are.
    pub(super) fn window(&self, base: &Policy) -> u16 {
        let calls = (self.rates().0 * WINDOW_SECONDS).clamp(1.0, f64::from(MAX_WINDOW)) as u16;
        let power_of_two = 1_u16 << calls.ilog2();
        // So large that a single slow call is never the percentile.
        let mut widest = base.clone();
        widest.latency_window_size = MAX_WINDOW.try_into().unwrap_or(base.latency_window_size);
        let least = widest.effective_minimum_samples().checked_next_power_of_two().unwrap_or(MAX_WINDOW);
        let recorded = u16::try_from(self.latencies.count() / MIN_WINDOWS).unwrap_or(u16::MAX);
        let most = 1_u16 << recorded.max(1).ilog2();
        power_of_two.min(most).clamp(MIN_WINDOW, MAX_WINDOW).max(least.min(MAX_WINDOW))
    }
}
