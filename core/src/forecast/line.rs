//! A line through eight points, with bounds of its slope that need no model of the noise.

use super::bucket::Bucket;
use crate::time::Instant;

/// Number of points of a line.
pub(super) const POINTS: usize = 8;
/// Number of pairs of points.
const SLOPES: usize = 28;
/// Index of the lower bound among the sorted slopes: of 28 pairs at most 4 fall by chance in less than 1 % of all
/// cases.
const AT_LEAST: usize = 4;
/// Index of the upper bound, counted from the other end.
const AT_MOST: usize = SLOPES - 1 - AT_LEAST;

/// A line through the lowest readings. Times are seconds relative to now, values are bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    /// Slope in bytes per second.
    pub(super) slope: f64,
    slope_at_least: f64,
    pub(super) slope_at_most: f64,
    /// Value of its first point, in bytes.
    pub(super) from: f64,
    /// Seconds since its first point.
    pub(super) seconds: f64,
    /// Value of the line now, in bytes, raised until at least one of its halves has no reading above it.
    pub(super) top: f64,
    /// By how many bytes its second half rises less than two thirds of its first, over the same time.
    pub(super) flattens_by: f64,
    /// Value of the line at its middle, in bytes.
    pub(super) middle: f64,
}

/// Seconds relative to now (negative), and bytes.
type Point = (f64, f64);

impl Line {
    /// Fits a line through the lowest readings of each `per_group` buckets; `None` if there are too few buckets.
    pub(super) fn through(
        buckets: impl Iterator<Item = Bucket> + Clone,
        per_group: usize,
        now: Instant,
    ) -> Option<Self> {
        let ago = |at: Instant| -(now.nanos_since(at) as f64 / 1e9);
        let mut points = [(0.0, 0.0); POINTS];
        let mut rest = buckets.clone();
        for point in &mut points {
            let group = rest.by_ref().take(per_group);
            let lowest = group.reduce(|lowest, bucket| if bucket.low < lowest.low { bucket } else { lowest })?;
            *point = (ago(lowest.low_at), lowest.low);
        }
        let slopes = sorted(&slopes(&points));
        let slope = median(&slopes);
        let level = median(&sorted(&points.map(|(at, low)| low - slope * at)));
        let seconds = buckets.clone().next().map_or(0.0, |first| -ago(first.low_at));
        let over = |bucket: Bucket| bucket.high - (level + slope * ago(bucket.high_at));
        // A peak that occurs in one half only is an outlier.
        let half = per_group.saturating_mul(POINTS / 2);
        let (first, second) = (buckets.clone().take(half), buckets.skip(half));
        let highest = first.map(over).fold(0.0, f64::max).min(second.map(over).fold(0.0, f64::max));
        Some(Self {
            slope,
            slope_at_least: at(&slopes, AT_LEAST),
            slope_at_most: at(&slopes, AT_MOST),
            from: points.first().map_or(0.0, |first| first.1),
            seconds,
            top: level + highest,
            flattens_by: flattens_by(&points),
            middle: level - slope * seconds / 2.0,
        })
    }

    /// Whether the line rises and its slope is well determined.
    pub(super) fn is_sure(&self) -> bool {
        self.slope > 0.0 && self.slope_at_least >= self.slope / 2.0
    }

    pub(super) fn headroom(&self, limit: f64) -> f64 {
        (limit - self.top).max(0.0)
    }

    pub(super) fn seconds_to(&self, limit: f64) -> f64 {
        self.headroom(limit) / self.slope
    }
}

fn slopes(points: &[Point; POINTS]) -> [f64; SLOPES] {
    let later = |i: usize| points.iter().skip(i.saturating_add(1));
    let pairs = points.iter().enumerate().flat_map(|(i, &a)| later(i).map(move |&b| (a, b)));
    let mut all = [0.0; SLOPES];
    for (slope, ((from, low), (to, high))) in all.iter_mut().zip(pairs) {
        *slope = if to > from { (high - low) / (to - from) } else { 0.0 };
    }
    all
}

/// Sorts by counting, which cannot panic for any input, NaN included.
fn sorted<const N: usize>(values: &[f64; N]) -> [f64; N] {
    let mut sorted = [0.0; N];
    for (i, &value) in values.iter().enumerate() {
        let goes_before = |&(j, &other): &(usize, &f64)| other < value || (other <= value && j < i);
        let place = values.iter().enumerate().filter(goes_before).count();
        if let Some(place) = sorted.get_mut(place) {
            *place = value;
        }
    }
    sorted
}

fn at(sorted: &[f64], place: usize) -> f64 {
    sorted.get(place).copied().unwrap_or(0.0)
}

fn median(sorted: &[f64]) -> f64 {
    f64::midpoint(at(sorted, sorted.len().saturating_sub(1) / 2), at(sorted, sorted.len() / 2))
}

fn flattens_by(&[from, _, _, middle, next, _, _, to]: &[Point; POINTS]) -> f64 {
    let (first, second) = (middle.1 - from.1, to.1 - next.1);
    0.67 * first - second * (middle.0 - from.0) / (to.0 - next.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_and_what_is_no_number_are_sorted_too() {
        assert_eq!(sorted(&[3.0, 1.0, 2.0, 2.0, 5.0]).map(|value| value as u32), [1, 2, 2, 3, 5]);
        assert!((median(&sorted(&[4.0, 1.0, 2.0])) - 2.0).abs() < 1e-9);
        assert!((median(&sorted(&[4.0, 1.0, 2.0, 3.0])) - 2.5).abs() < 1e-9);
        let _ = sorted(&[f64::NAN, 1.0, f64::NAN]);
    }
}
