//! Forecasts when memory runs out if its present trend continues.

mod bucket;
mod line;

use core::ops::Range;
use core::time::Duration;

use crate::memory::MemorySample;
use crate::ring::Ring;
use crate::time::{Instant, saturating_nanos};
use bucket::Bucket;
use line::{Line, POINTS};

/// Number of buckets: three horizons, one bucket per step.
const BUCKETS: usize = 192;
const BUCKETS_IN_HORIZON: u64 = 64;
/// The spans of the lines, in buckets.
const SPANS: [u16; 8] = [8, 16, 24, 32, 48, 64, 96, 128];
/// A line that is certain not to reach the limit within this many horizons has levelled off.
const NEEDS_WITHIN: f64 = 1.25;
/// Length of an era in horizons. A peak is remembered until the end of the era after its own.
const HORIZONS_IN_ERA: u64 = 64;

/// Forecasts when memory reaches its limit if its present trend continues.
///
/// It needs a reading at least every quarter of the horizon; twenty per horizon are better. A reading costs less than
/// 10 µs on a server (at most eight lines through eight points), for any horizon. A forecast takes 6 KiB of memory and
/// computes no square root.
///
/// # The method
///
/// A straight line through readings predicts when they reach the limit. The arithmetic is simple; the readings are not:
/// a heap grows and is collected, a cache fills once and stays full, and all of it is noisy. A line must therefore pass
/// four tests. H is the horizon, and a *step* is H/64. For each step of the last three horizons the lowest and the
/// highest reading are kept.
///
/// 1. **Is it a line?** A line is fitted through the lowest readings of eight equal groups of the last 8, 16, 24, 32,
///    48, 64, 96 or 128 steps, that is through the memory that was not released. Its slope is the median of the 28
///    slopes between two of the eight points (Theil 1950, Sen 1968). The fifth smallest of them is an exact lower bound
///    of the true slope: if the points are independent, whatever the distribution of their noise, it is too high in 0.7
///    % of all cases, because that is how often Kendall's S finds at most 4 falls in 28 pairs by chance. That bound
///    must be at least half of the slope. A step up fails the test, because it leaves 12 or more of the slopes at zero;
///    a fall within the span fails it too.
/// 2. **Is the extrapolation no longer than the observation?** The distance to the limit may be at most the rise of the
///    line, and at most 0.65 of it before two horizons were observed. A cache that fills from 30 % to 60 % therefore
///    gives no forecast, however fast it fills; nor does the first rise of a heap from 30 % to 70 %. Also, memory must
///    not be below the middle of the line, because then half of the rise was released.
/// 3. **Is the level new?** Memory may have been higher before the span and have been released. The line must exceed
///    the highest of those peaks by a quarter of the distance from that peak to the limit. Peaks are remembered for 64
///    to 128 horizons. A heap that is collected at 75 % each time therefore gives no forecast, nor does a job that
///    repeats within 64 horizons.
/// 4. **Does it still rise?** If the upper bound of a shorter span (the fifth largest of its slopes) does not reach the
///    limit within 1.25 H, that span and the longer ones are skipped. They are also skipped if its line is certain and
///    its second half rises by less than 0.67 of its first, unless the resolution of the readings is too coarse to show
///    that.
///
/// The longest span that passes gives the time: where its line, raised to the highest readings above it, meets the
/// limit. A forecast begins when that time is within H. It ends when the tests have failed for an eighth of H, and at
/// once when memory falls below the middle of the line.
///
/// The 0.7 % holds for one line through independent points. Lines are fitted at each reading, and successive readings
/// are correlated, so chance trends do occur over time. The other tests make them harmless: noise does not rise half of
/// the way to the limit. The constants (1/2, 0.65, 1/4, 1.25, 0.67, 1/8, 64) are not derived from theory. They were
/// chosen on the scenarios of `tests/tests/core_rules/memory_forecast.rs`, which measures all of this.
///
/// # Limits
///
/// - A leak beneath collections that are more than H/5 apart is found only when a peak exceeds all earlier ones.
/// - A leak that fills memory within H/8 is not found, nor, after the start, one that fills it within 2.5 H.
///   `memory_threshold` covers those.
/// - The first rise after a long stable period is forecast as a leak once it has come half of the way to the limit (at
///   65 % if it began at 30 %), even if it would fall again by itself. So is each run of a job that runs less often
///   than every 64 horizons, and a cache that fills to 95 % with a time constant of a horizon or less.
/// - After a peak near the limit, forecasts of a lower leak are late for 64 to 128 horizons.
/// - A staircase is taken for a line from its fourth step on.
/// - A curve that flattens is found with a delay: one that levels off at 95 % keeps its forecast for up to half a
///   horizon. One that levels off at 99 % keeps it for up to 2.5 horizons, during which noise ends and restarts it.
/// - A gap of more than H/4 without readings, or a reading without a limit, discards all history.
///
/// ```
/// use core::time::Duration;
/// use tripline_core::{Instant, MemoryForecast, MemorySample};
///
/// let mut forecast = MemoryForecast::new();
/// let mut exhaustion = None;
/// for second in 0..600 {
///     // Memory rises by a tenth of a percent each second and is full after 600 s.
///     let sample = MemorySample { used: 400 + second, limit: Some(1_000) };
///     let now = Instant::from_millis(second * 1_000);
///     if let Some(at) = forecast.handle(now, sample, Duration::from_secs(60)) {
///         exhaustion = Some((now, at));
///         break;
///     }
/// }
/// let (now, at) = exhaustion.expect("it is a leak");
/// assert!(at.since(now) <= Duration::from_secs(60));
/// assert!(at.since(Instant::ZERO).as_secs().abs_diff(600) <= 10);
/// ```
#[derive(Debug, Clone)]
pub struct MemoryForecast {
    horizon_nanos: u64,
    /// Complete buckets, oldest first.
    buckets: Ring<Bucket, [Bucket; BUCKETS]>,
    filling: Option<Bucket>,
    /// When the bucket that is being filled began.
    filling_since: Instant,
    began_at: Instant,
    latest: Instant,
    exhausted_at: Option<Instant>,
    /// When a line last passed, and its middle.
    held_at: Instant,
    held_middle: f64,
    /// The highest reading that left the buckets in this era, and in the era before.
    peak: f64,
    earlier_peak: f64,
    era_began_at: Instant,
}

impl MemoryForecast {
    /// Creates a forecast without readings.
    pub const fn new() -> Self {
        let filler = Bucket { low_at: Instant::ZERO, high_at: Instant::ZERO, low: 0.0, high: 0.0 };
        Self {
            horizon_nanos: 0,
            buckets: Ring::new([filler; BUCKETS]),
            filling: None,
            filling_since: Instant::ZERO,
            began_at: Instant::ZERO,
            latest: Instant::ZERO,
            exhausted_at: None,
            held_at: Instant::ZERO,
            held_middle: 0.0,
            peak: 0.0,
            earlier_peak: 0.0,
            era_began_at: Instant::ZERO,
        }
    }

    /// Takes a memory reading at `now`. All readings must come from the same clock. Returns the new
    /// [`MemoryForecast::exhausted_at`].
    ///
    /// A horizon of zero disables the forecast. The history is discarded if the horizon changes, if the limit is absent
    /// or 0, if the clock was set back by more than a step, and if a quarter of the horizon passed without a reading. A
    /// changed limit keeps the history.
    pub fn handle(&mut self, now: Instant, sample: MemorySample, horizon: Duration) -> Option<Instant> {
        let horizon_nanos = saturating_nanos(horizon);
        let limit = sample.limit.filter(|&limit| limit > 0 && horizon_nanos > 0);
        if horizon_nanos != self.horizon_nanos || limit.is_none() || self.is_cut_off(now) {
            self.forget();
            self.horizon_nanos = horizon_nanos;
        }
        let limit = limit? as f64;
        let now = now.max(self.latest);
        let used = sample.used as f64;
        self.take(now, used);
        match self.believed_line(now, used, limit) {
            Some(line) if line.seconds_to(limit) <= self.horizon_seconds() => {
                self.exhausted_at = Some(now.plus_nanos((line.seconds_to(limit) * 1e9) as u64));
                (self.held_at, self.held_middle) = (now, line.middle);
            }
            _ if used < self.held_middle || now.nanos_since(self.held_at) > self.horizon_nanos / 8 => {
                self.exhausted_at = None;
            }
            _ => {}
        }
        self.exhausted_at
    }

    /// When memory reaches its limit, on the clock of the readings; `None` if not within the horizon.
    pub const fn exhausted_at(&self) -> Option<Instant> {
        self.exhausted_at
    }

    /// Discards all readings.
    pub fn forget(&mut self) {
        *self = Self { horizon_nanos: self.horizon_nanos, ..Self::new() };
    }

    /// Whether the clock was set back, or the gap since the last reading is too long for a line.
    fn is_cut_off(&self, now: Instant) -> bool {
        let is_back = self.latest.nanos_since(now) > self.bucket_nanos();
        self.filling.is_some() && (is_back || now.nanos_since(self.latest) > self.horizon_nanos / 4)
    }

    const fn bucket_nanos(&self) -> u64 {
        self.horizon_nanos / BUCKETS_IN_HORIZON
    }

    fn horizon_seconds(&self) -> f64 {
        self.horizon_nanos as f64 / 1e9
    }

    fn take(&mut self, now: Instant, used: f64) {
        self.latest = now;
        let reading = Bucket { low_at: now, high_at: now, low: used, high: used };
        match &mut self.filling {
            None => {
                (self.began_at, self.era_began_at) = (now, now);
                self.filling = Some(reading);
                self.filling_since = now;
            }
            Some(filling) if now.nanos_since(self.filling_since) <= self.horizon_nanos / BUCKETS_IN_HORIZON => {
                filling.add(reading);
            }
            Some(filling) => {
                let complete = core::mem::replace(filling, reading);
                self.filling_since = now;
                if usize::from(self.buckets.len()) >= BUCKETS {
                    self.drop_oldest();
                }
                self.buckets.push_back(complete);
            }
        }
        if now.nanos_since(self.era_began_at) > self.horizon_nanos.saturating_mul(HORIZONS_IN_ERA) {
            (self.earlier_peak, self.peak, self.era_began_at) = (self.peak, 0.0, now);
        }
        let kept_for = self.horizon_nanos.saturating_mul(3);
        while self.buckets.front().is_some_and(|oldest| now.nanos_since(oldest.low_at) > kept_for) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        self.peak = self.buckets.pop_front().map_or(self.peak, |oldest| self.peak.max(oldest.high));
    }

    /// Returns the line of the longest span that passes the tests.
    fn believed_line(&self, now: Instant, used: f64, limit: f64) -> Option<Line> {
        let mut believed = None;
        let step = self.smallest_step();
        for span in SPANS {
            let Some(older) = self.buckets.len().checked_sub(span) else { break };
            let Some(line) = self.line(now, older, span) else { break };
            // The slope at which the limit is just not reached in time.
            let needed = line.headroom(limit) / (NEEDS_WITHIN * self.horizon_seconds());
            let is_too_slow = line.slope_at_most < needed && needed * line.seconds >= 2.0 * step;
            if is_too_slow || line.is_sure() && line.flattens_by > step {
                break;
            }
            let reached = line.top.min(self.highest(older..self.buckets.len()).max(self.filling_high()));
            let risen = (line.slope * line.seconds).min(reached - line.from);
            let is_close_enough = limit - reached <= self.reach() * risen;
            if line.is_sure() && used >= line.middle && is_close_enough && self.is_news(reached, older, limit) {
                believed = Some(line);
            }
        }
        believed
    }

    fn line(&self, now: Instant, older: u16, span: u16) -> Option<Line> {
        let per_group = usize::from(span).checked_div(POINTS)?;
        let buckets = (older..).map_while(|index| self.buckets.get(index));
        Line::through(buckets, per_group, now)
    }

    /// How far a line may extrapolate, as a multiple of its rise.
    fn reach(&self) -> f64 {
        let is_known = self.latest.nanos_since(self.began_at) >= self.horizon_nanos.saturating_mul(2);
        if is_known { 1.0 } else { 0.65 }
    }

    /// Whether `reached` exceeds the earlier peaks by enough.
    fn is_news(&self, reached: f64, older: u16, limit: f64) -> bool {
        // A peak above the limit occurred under a higher limit.
        let peaks = [self.peak, self.earlier_peak].into_iter().filter(|&peak| peak < limit);
        let before = peaks.fold(self.highest(0..older), f64::max);
        reached - before >= (limit - before) / 4.0
    }

    fn highest(&self, places: Range<u16>) -> f64 {
        places.filter_map(|index| self.buckets.get(index)).map(|bucket| bucket.high).fold(0.0, f64::max)
    }

    fn filling_high(&self) -> f64 {
        self.filling.map_or(0.0, |filling| filling.high)
    }

    /// The smallest difference between two readings: memory may be given in whole percent.
    fn smallest_step(&self) -> f64 {
        let lows = || (0..).map_while(|index| self.buckets.get(index)).map(|bucket| bucket.low);
        let steps = lows().zip(lows().skip(1)).map(|(a, b)| (b - a).abs()).filter(|&step| step > 0.0);
        steps.reduce(f64::min).unwrap_or(0.0)
    }
}

impl Default for MemoryForecast {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
