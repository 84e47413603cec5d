//! The percentile of one segment of calls after the other, and which of them look like an incident.

use tripline_runtime::core::{Latency, Percentile};

use crate::replay::histogram::{LogHistogram, bin_of, least_of};

/// Levels are 1/16 of their power of two apart.
const LEVEL_BITS: u32 = LogHistogram::COARSE;
/// So many segments in a row at or above the level of an incident are one; fewer are a hiccup, which a breaker should ride out.
const MIN_IN_A_ROW: u32 = 3;
/// So many incidents are kept apart; the last takes in all that follow.
const MAX_INCIDENTS: usize = 64;
/// A last segment shorter than this is too short for a percentile.
const MIN_CALLS: usize = 32;
/// An incident begins with the slow calls of its first segments; what is longer than that segment's percentile by this factor
/// is a lone long call, of which there are some on any day.
const LONE_FACTOR: u32 = 2;

/// A span of slow segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Incident {
    /// When the segment before the first slow one began, or, if that is earlier, when the first slow call of these two was
    /// started; in nanoseconds on the input's own line of time.
    pub from_nanos: i64,
    /// When the segment after the last slow one ended.
    pub to_nanos: i64,
    /// The largest percentile of its segments.
    pub worst: Latency,
    /// How many slow segments it has.
    pub segments: u64,
}

/// What is known of the segments. It does not grow with their number: what is slow is known only in the end, so runs of slow
/// segments are followed for every level that may turn out to be the one.
#[derive(Debug)]
pub(super) struct Segments {
    size: usize,
    percentile: Percentile,
    current: Vec<Taken>,
    started: i64,
    ended: i64,
    /// The segment before this one, and when it began.
    before: Vec<Taken>,
    previous: Option<i64>,
    percentiles: LogHistogram,
    /// How long segments took, in milliseconds.
    lengths: LogHistogram,
    levels: Vec<Level>,
}

/// A call that has ended.
#[derive(Debug, Clone, Copy)]
struct Taken {
    micros: u32,
    started: i64,
}

#[derive(Debug, Clone, Default)]
struct Level {
    /// Segments whose percentile is just of this level, and the largest of these.
    count: u64,
    largest: u32,
    /// Segments in a row at this level or above.
    run: u32,
    run_began: i64,
    run_worst: u32,
    incidents: Vec<Incident>,
}

impl Segments {
    pub(super) fn new(size: usize, percentile: Percentile) -> Self {
        Self {
            size,
            percentile,
            current: Vec::with_capacity(size),
            started: 0,
            ended: 0,
            before: Vec::with_capacity(size),
            previous: None,
            percentiles: LogHistogram::new(LogHistogram::FINE),
            lengths: LogHistogram::new(LogHistogram::FINE),
            levels: Vec::new(),
        }
    }

    pub(super) const fn percentile(&self) -> Percentile {
        self.percentile
    }

    /// How many calls make a segment.
    pub(super) const fn size(&self) -> usize {
        self.size
    }

    pub(super) fn add(&mut self, at: i64, latency: Latency) {
        if self.current.is_empty() {
            self.started = at;
        }
        self.ended = at;
        let micros = latency.as_micros();
        self.current.push(Taken { micros, started: at.saturating_sub(i64::from(micros) * 1_000) });
        if self.current.len() >= self.size {
            self.end_stretch();
        }
    }

    /// There are no more calls; what is left is a segment if it is long enough.
    pub(super) fn end(&mut self) {
        if self.current.len() >= MIN_CALLS.max(self.size / 4) || (self.count() == 0 && self.current.len() >= MIN_CALLS)
        {
            self.end_stretch();
        }
    }

    pub(super) const fn count(&self) -> u64 {
        self.percentiles.count()
    }

    /// The percentile that half of the segments do not reach.
    pub(super) fn typical(&self) -> Option<Latency> {
        self.percentiles.quantile(half())
    }

    /// Milliseconds that a segment of `size` calls takes: half of them take longer, and a tenth.
    pub(super) fn lengths_ms(&self) -> Option<(u32, u32)> {
        let tenth = Percentile::new(0.9).unwrap_or_default();
        let quantile = |p| self.lengths.quantile(p).map(Latency::as_micros);
        quantile(half()).zip(quantile(tenth))
    }

    /// Segments as seen from a limit for their percentile.
    pub(super) fn split(&self, limit: Latency) -> Split {
        let limit = bin_of(limit.as_micros(), LEVEL_BITS).saturating_add(1);
        let (calm, slow) = self.levels.split_at(limit.min(self.levels.len()));
        let incidents = slow.first().map_or_else(Vec::new, |level| level.incidents.clone());
        let in_incidents: u64 = incidents.iter().map(|incident| incident.segments).sum();
        let slow: u64 = slow.iter().map(|level| level.count).sum();
        Split {
            limit: Latency::from_micros(least_of(limit, LEVEL_BITS)),
            worst_calm: Latency::from_micros(calm.iter().map(|level| level.largest).max().unwrap_or(0)),
            hiccups: slow.saturating_sub(in_incidents),
            incidents,
        }
    }

    fn end_stretch(&mut self) {
        let calls = self.current.len();
        let index = self.percentile.index(calls as u32) as usize;
        let percentile = self.current.select_nth_unstable_by_key(index, |call| call.micros).1.micros;
        self.percentiles.add(Latency::from_micros(percentile));
        // From the first call to the last there is one gap less than there are calls; the last segment may be short.
        let gaps = calls.saturating_sub(1).max(1) as f64;
        let millis = self.ended.saturating_sub(self.started) as f64 / 1e6 * self.size as f64 / gaps;
        self.lengths.add(Latency::from_micros(millis.round() as u32));

        let own = bin_of(percentile, LEVEL_BITS);
        if self.levels.len() <= own {
            self.levels.resize(own + 1, Level::default());
        }
        let began = self.previous.replace(self.started).unwrap_or(self.started);
        let begins = self.levels.iter().take(own + 1).any(|level| level.run == 0);
        let starts = if begins { self.first_slow_starts(own, percentile) } else { Vec::new() };
        for (number, level) in self.levels.iter_mut().enumerate() {
            if number <= own {
                let started = starts.get(number).copied().unwrap_or(began);
                level.reached(percentile, began.min(started), self.ended);
            } else {
                level.missed(self.ended);
            }
        }
        if let Some(level) = self.levels.get_mut(own) {
            level.count += 1;
            level.largest = level.largest.max(percentile);
        }
        std::mem::swap(&mut self.before, &mut self.current);
        self.current.clear();
    }

    /// For each level up to `own` when the first call was started that is of this level or above, in the segment in hand, whose
    /// percentile is given, and the one before. A call that hangs ends long after a breaker has seen that it does.
    fn first_slow_starts(&self, own: usize, percentile: u32) -> Vec<i64> {
        let mut starts = vec![i64::MAX; own + 1];
        let longest = percentile.saturating_mul(LONE_FACTOR);
        for call in self.before.iter().chain(&self.current).filter(|call| call.micros <= longest) {
            if let Some(start) = starts.get_mut(bin_of(call.micros, LEVEL_BITS).min(own)) {
                *start = call.started.min(*start);
            }
        }
        let mut earliest = i64::MAX;
        for start in starts.iter_mut().rev() {
            earliest = earliest.min(*start);
            *start = earliest;
        }
        starts
    }
}

/// See [`Segments::split`].
#[derive(Debug)]
pub(super) struct Split {
    /// Segments are slow from here on: the next level above what was asked for.
    pub(super) limit: Latency,
    /// The largest percentile of those that are not slow.
    pub(super) worst_calm: Latency,
    /// Slow ones that are part of no incident.
    pub(super) hiccups: u64,
    pub(super) incidents: Vec<Incident>,
}

impl Level {
    fn reached(&mut self, percentile: u32, began: i64, ended: i64) {
        if self.run == 0 {
            (self.run_began, self.run_worst) = (began, 0);
        }
        self.run = self.run.saturating_add(1);
        self.run_worst = self.run_worst.max(percentile);
        let worst = Latency::from_micros(self.run_worst);
        if self.run == MIN_IN_A_ROW {
            let segments = u64::from(MIN_IN_A_ROW);
            if self.incidents.len() < MAX_INCIDENTS {
                self.incidents.push(Incident { from_nanos: self.run_began, to_nanos: ended, worst, segments });
            } else if let Some(last) = self.incidents.last_mut() {
                last.segments += segments;
            }
        } else if self.run > MIN_IN_A_ROW
            && let Some(last) = self.incidents.last_mut()
        {
            last.segments += 1;
        }
        if self.run >= MIN_IN_A_ROW
            && let Some(last) = self.incidents.last_mut()
        {
            last.to_nanos = ended;
            last.worst = last.worst.max(worst);
        }
    }

    /// What comes just after an incident belongs to it: calls that began in it end here.
    fn missed(&mut self, ended: i64) {
        if self.run >= MIN_IN_A_ROW
            && let Some(last) = self.incidents.last_mut()
        {
            last.to_nanos = ended;
        }
        self.run = 0;
    }
}

fn half() -> Percentile {
    Percentile::new(0.5).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    /// Segments of ten calls, a call a second, each segment at one latency in milliseconds.
    fn segments(latencies: &[u32]) -> Segments {
        let mut segments = Segments::new(10, Percentile::default());
        for (tens, &millis) in (0_i64..).zip(latencies) {
            for call in 0..10 {
                segments.add((tens * 10 + call) * 1_000_000_000, Latency::from_millis(millis));
            }
        }
        segments.end();
        segments
    }

    #[test]
    fn three_slow_stretches_in_a_row_are_an_incident_and_two_are_a_hiccup() {
        let found = segments(&[100, 100, 900, 900, 110, 100, 800, 900, 850, 100, 100, 120]);
        assert_eq!(found.typical().map(Latency::as_millis), Some(120));
        let split = found.split(Latency::from_millis(300));
        assert_eq!((split.worst_calm.as_millis(), split.hiccups), (120, 2));
        let [incident] = *split.incidents else { panic!("{split:?}") };
        let seconds = [incident.from_nanos, incident.to_nanos].map(|nanos| nanos / 1_000_000_000);
        assert_eq!((seconds, incident.segments, incident.worst.as_millis()), ([50, 99], 3, 900));
    }

    #[test]
    fn an_incident_begins_when_its_first_slow_calls_were_started() {
        // A call each second takes 100 ms; from second 50 on every other one takes 20 s, and ends that much later. At second
        // 45 a lone call ends that took a minute.
        let mut calls: Vec<(i64, u32)> = (0..200)
            .map(|second| (second, if (50..90).contains(&second) && second % 2 == 0 { 20_000 } else { 100 }))
            .map(|(second, millis)| (second * 1_000 + i64::from(millis), millis))
            .collect();
        calls.push((65_500, 60_000));
        calls.sort_unstable();
        let mut segments = Segments::new(10, Percentile::new(0.8).unwrap());
        for (end, millis) in calls {
            segments.add(end * 1_000_000, Latency::from_millis(millis));
        }
        segments.end();
        let split = segments.split(Latency::from_millis(300));
        let [incident] = *split.incidents else { panic!("{split:?}") };
        let seconds = [incident.from_nanos, incident.to_nanos].map(|nanos| nanos / 1_000_000_000);
        assert!(seconds[0] == 50 && (108..130).contains(&seconds[1]), "{seconds:?}");
    }

    #[test]
    fn however_many_incidents_there_are_all_slow_stretches_are_accounted_for() {
        let many: Vec<u32> = (0..800).map(|nth| if nth % 8 < 3 { 900 } else { 100 }).collect();
        let split = segments(&many).split(Latency::from_millis(300));
        assert_eq!((split.incidents.len(), split.hiccups), (MAX_INCIDENTS, 0));
        assert_eq!(split.incidents.iter().map(|incident| incident.segments).sum::<u64>(), 300);
        assert!(split.incidents.last().unwrap().to_nanos > 7_900_000_000_000);
    }

    #[test]
    fn a_few_calls_are_no_stretch() {
        assert_eq!(segments(&[]).count(), 0);
        let mut few = Segments::new(256, Percentile::default());
        for call in 0..31 {
            few.add(call, Latency::ZERO);
        }
        few.end();
        assert_eq!((few.count(), few.typical()), (0, None));
    }
}
