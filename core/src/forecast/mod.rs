//! When memory runs out, if it goes on as it does.

mod bucket;
mod line;

use core::ops::Range;
use core::time::Duration;

use crate::memory::MemorySample;
use crate::ring::Ring;
use crate::time::{Instant, saturating_nanos};
use bucket::Bucket;
use line::{Line, POINTS};

/// Of three horizons, one for each step.
const BUCKETS: usize = 192;
const BUCKETS_IN_HORIZON: u64 = 64;
/// The spans of the lines, in buckets.
const SPANS: [u16; 8] = [8, 16, 24, 32, 48, 64, 96, 128];
/// A line that surely does not reach the limit within so many horizons has come to rest.
const NEEDS_WITHIN: f64 = 1.25;
/// A peak is remembered to the end of the era after the one it was seen in.
const HORIZONS_IN_ERA: u64 = 64;

/// Forecasts when memory reaches its limit, if it goes on as it does.
///
/// It needs readings at least every quarter of the horizon, better twenty of them in it. A reading costs less than 10 µs on
/// a server (at most eight lines through eight points), however long the horizon; it takes 6 KiB, and no square root.
///
/// # The method
///
/// A straight line through readings says when they reach the limit. What makes it wrong is not the arithmetic but the
/// readings: a heap rises and is collected, a cache fills once and stays, and all of it is noisy. So a line must stand four
/// questions. H is the horizon, and a *step* is H/64: of each step of the last three horizons the lowest and the highest
/// reading are kept.
///
/// 1. **Is it a line?** A line goes through the lowest readings of eight equal groups of the last 8, 16, 24, 32, 48, 64, 96 or
///    128 steps: through what was not given back. Its slope is the median of the 28 slopes between two of the eight points
///    (Theil 1950, Sen 1968). The fifth smallest of them is an exact lower bound of the true slope: where the points are
///    independent, whatever the distribution of their noise, it is too high in 0.7 % of all cases, because so often Kendall's
///    S finds at most 4 falls in 28 pairs by chance. That bound must be at least half of the slope. A step up does not pass
///    that, which leaves 12 or more of the slopes at zero, nor does a fall within the span.
/// 2. **Does it look no further ahead than it has looked back?** What is left to the limit may be as much as the line has
///    risen, and 0.65 of that before two horizons were watched. So a cache that fills from 30 % to 60 % gives no forecast,
///    however fast it fills, nor does the first rise of a heap from 30 % to 70 %. And memory must not be below the middle of
///    the line: then half of the rise was given back.
/// 3. **Is it news?** Memory may have been higher before the span, and have been given back. The line must lead beyond the
///    highest of that by a quarter of what was left to the limit. Peaks are remembered for 64 to 128 horizons. So a heap that
///    is collected at 75 % each time is silent, and so is a job that comes again within 64 horizons.
/// 4. **Does it still rise?** Where the upper bound of a shorter span (the fifth largest of its slopes) does not reach the limit
///    within 1.25 H, it and the longer spans are not asked; nor where its line is sure, and rises in its second half by less
///    than 0.67 of what it rose in its first; unless the readings come in units too coarse for that.
///
/// The longest span that passes gives the time: where its line, moved up to the highest readings over it, meets the limit.
/// A forecast begins when that is within H. It ends when it was not for an eighth of H, and at once when memory falls below
/// the middle of the line.
///
/// The 0.7 % is for one line through independent points. Lines are tried at each reading, and readings are like their
/// neighbours, so over time chance trends are certain. What keeps them harmless is the other questions: noise does not come
/// half of the way to the limit. The constants (1/2, 0.65, 1/4, 1.25, 0.67, 1/8, 64) are no theory: they were chosen on the
/// scenarios of `tests/tests/core_rules/memory_forecast.rs`, which measures all this.
///
/// # What it does not see
///
/// - A leak below collections that are further apart than H/5, until a peak leads beyond all before it.
/// - A leak that is over within H/8, and after the start one that is over within 2.5 H: `memory_threshold` is for those.
/// - That the first rise after a long quiet time is one that will fall again by itself. It is a leak to it when it has come half
///   of the way to the limit: at 65 % where it began at 30 %. So is each run of a job that comes less often than every 64
///   horizons, and a cache that fills to 95 % with a time constant of a horizon or less.
/// - After a peak near the limit, a leak that does not yet lead beyond it: for 64 to 128 horizons forecasts are late.
/// - A staircase is a line to it from the fourth stair on.
/// - That a curve flattens, until it shows: one that comes to rest at 95 % holds a forecast for up to half a horizon, one that
///   comes to rest at 99 % for up to 2.5 of them, in which noise ends it and begins it again.
/// - Anything before a stall: no readings for more than H/4, or one without a limit, and everything is forgotten.
///
/// ```
/// use core::time::Duration;
/// use tripline_core::{Instant, MemoryForecast, MemorySample};
///
/// let mut forecast = MemoryForecast::new();
/// let mut exhaustion = None;
/// for second in 0..600 {
///     // A tenth of a percent more each second: full after 600.
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
    /// Complete ones, oldest first.
    buckets: Ring<Bucket, [Bucket; BUCKETS]>,
    filling: Option<Bucket>,
    /// When the one that is being filled began.
    filling_since: Instant,
    began_at: Instant,
    latest: Instant,
    exhausted_at: Option<Instant>,
    /// When a line last said so, and where its middle lies.
    held_at: Instant,
    held_middle: f64,
    /// The highest that left the buckets in this era, and in the one before.
    peak: f64,
    earlier_peak: f64,
    era_began_at: Instant,
}

impl MemoryForecast {
    /// Nothing was read yet.
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

    /// Memory was read at `now`, a reading of one and the same clock. Gives what [`MemoryForecast::exhausted_at`] is then.
    ///
    /// A horizon of zero foretells nothing. It begins anew with another horizon, where the limit is gone or 0, where the clock was
    /// set back by more than a step, and where nothing was read for a quarter of the horizon. A limit that changes moves the goal.
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

    /// When memory reaches its limit, on the clock that gave the readings; `None` where it does not within the horizon.
    pub const fn exhausted_at(&self) -> Option<Instant> {
        self.exhausted_at
    }

    /// Begins anew.
    pub fn forget(&mut self) {
        *self = Self { horizon_nanos: self.horizon_nanos, ..Self::new() };
    }

    /// The clock was set back, or nothing was read for too long to draw a line across.
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

    /// The longest line that is to be believed.
    fn believed_line(&self, now: Instant, used: f64, limit: f64) -> Option<Line> {
        let mut believed = None;
        let step = self.smallest_step();
        for span in SPANS {
            let Some(older) = self.buckets.len().checked_sub(span) else { break };
            let Some(line) = self.line(now, older, span) else { break };
            // The slope at which the limit would just not be reached in time.
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

    /// How far a line may look ahead: by so many times what it has risen.
    fn reach(&self) -> f64 {
        let is_known = self.latest.nanos_since(self.began_at) >= self.horizon_nanos.saturating_mul(2);
        if is_known { 1.0 } else { 0.65 }
    }

    /// What was reached leads beyond all that was given back before the span.
    fn is_news(&self, reached: f64, older: u16, limit: f64) -> bool {
        // A peak beyond the limit was there under another one.
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

    /// What readings differ by at least, where they differ: memory may be given in whole percent.
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
