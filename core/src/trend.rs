//! The trend of the latencies: a slope that is both significant and large enough to matter.
//!
//! **Rising and Falling** are the one-sided t-test of the least-squares slope over the arrival index at the 5 % level
//! (Draper and Smith, *Applied Regression Analysis*, 3rd ed., §1.4), combined with an effect size: the fitted rise over
//! the window must be at least 4 % of the mean, so that 5 ms and 5 s are treated alike. On windows of i.i.d. Gaussian
//! noise the test has exactly its level at any n ≥ 3. From 21 samples on, the slope must also be present without the
//! newest sample, with half of the t², so that one slow call after a flat series is no rise. On independent
//! heavy-tailed latencies the measured rate of Rising is lower: 3.8 % to 5.0 % for log-normal (σ = 0.5 and 1) at n from
//! 3 to 256, 3.3 % to 5.0 % for Pareto (α = 1.5 and 2.5), under 0.1 % at n ≤ 20 for rare 50-fold spikes.
//!
//! **Oscillating** is a negative lag-1 autocorrelation at the 1 % level (its moments under independence: Moran,
//! *Biometrika* 35, 1948; the critical value carries a correction for small n, found by simulation), where the standard
//! deviation is at least 5 % of the mean.
//!
//! The slope needs only integer sums that are updated per sample, so there is no rounding drift and the decision is
//! O(1).

use crate::units::Latency;

/// The trend of the latencies in the window, in arrival order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Trend {
    /// Fewer samples than a trend requires.
    TooFew,
    /// A significant upward slope, of at least 4 % of the mean over the window.
    Rising,
    /// A significant downward slope of the same size.
    Falling,
    /// No slope, but successive latencies alternate.
    Oscillating,
    /// None of the other classes.
    Steady,
}

impl Trend {
    /// The class in lower case, as used in status and replay.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooFew => "too_few",
            Self::Rising => "rising",
            Self::Falling => "falling",
            Self::Oscillating => "oscillating",
            Self::Steady => "steady",
        }
    }

    /// Returns the trend of `latencies`, oldest first. The first 65,535 values count; `minimum` below 3 counts as 3.
    /// O(n).
    ///
    /// ```
    /// use tripline_core::{Latency, Trend};
    ///
    /// let ramp = [100, 120, 130, 150, 160].map(Latency::from_millis);
    /// assert_eq!(Trend::of(ramp, 3), Trend::Rising);
    /// ```
    pub fn of<I>(latencies: I, minimum: u16) -> Self
    where
        I: IntoIterator<Item = Latency>,
        I::IntoIter: Clone,
    {
        let latencies = latencies.into_iter().take(usize::from(u16::MAX));
        let mut sums = TrendSums::default();
        latencies.clone().for_each(|latency| sums.push(latency));
        sums.trend(latencies, minimum)
    }
}

/// The direction of a slope, if there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slope {
    TooFew,
    Rising,
    Falling,
    Flat,
}

/// Minimum number of points for a slope with its error.
pub(crate) const MIN_FOR_SLOPE: u16 = 3;
const MIN_FOR_OSCILLATION: u16 = 5;
/// The mean divided by the smallest relevant fitted rise over the window: the rise must be 4 % of the mean.
const MEAN_PER_LEAST_RISE: f64 = 25.0;
/// The smallest relevant variance for oscillation, as a share of the square of the mean: a standard deviation of 5 %.
const MIN_VARIANCE: f64 = 0.05 * 0.05;

/// From this many samples on, a single outlier at the end would give a flat line a significant slope (its t tends to
/// √3).
const MIN_FOR_ONE_OUTLIER: u16 = 21;

/// n, Σy, Σy² and Σi·y over the samples in arrival order, i from 0, y in microseconds. Exact.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TrendSums {
    n: u16,
    y: u64,
    /// Σy² in the 80 bits that 65,535 squares need: the low 64 and the high 16.
    yy_low: u64,
    yy_high: u16,
    iy: u64,
    newest: u32,
}

/// A least-squares slope, up to a positive factor.
struct Fit {
    upwards: bool,
    /// The magnitude of n·Σiy − Σi·Σy. Divided by n·Σi² − (Σi)², which is n²·(n² − 1)/12, it is the slope.
    magnitude: f64,
    /// t² of the slope is `explained` / `unexplained`.
    explained: f64,
    unexplained: f64,
}

impl TrendSums {
    #[cfg_attr(target_pointer_width = "32", inline(never))] // one copy is enough there
    pub(crate) fn push(&mut self, latency: Latency) {
        let y = u64::from(latency.as_micros());
        self.iy = self.iy.wrapping_add(u64::from(self.n).wrapping_mul(y));
        self.y = self.y.wrapping_add(y);
        let (low, carry) = self.yy_low.overflowing_add(y.wrapping_mul(y));
        self.yy_low = low;
        self.yy_high = self.yy_high.wrapping_add(u16::from(carry));
        self.n = self.n.wrapping_add(1);
        self.newest = latency.as_micros();
    }

    /// Removes the oldest sample, whose latency the caller passes; all others move down by one index.
    pub(crate) fn pop_oldest(&mut self, latency: Latency) {
        let y = u64::from(latency.as_micros());
        self.y = self.y.wrapping_sub(y);
        self.subtract_square(y);
        self.iy = self.iy.wrapping_sub(self.y);
        self.n = self.n.wrapping_sub(1);
    }

    #[cfg_attr(target_pointer_width = "32", inline(never))] // one copy is enough there
    fn subtract_square(&mut self, y: u64) {
        let (low, borrow) = self.yy_low.overflowing_sub(y.wrapping_mul(y));
        self.yy_low = low;
        self.yy_high = self.yy_high.wrapping_sub(u16::from(borrow));
    }

    /// Returns the direction of the slope. O(1).
    pub(crate) fn slope(&self, minimum: u16) -> Slope {
        if self.n < minimum.max(MIN_FOR_SLOPE) {
            return Slope::TooFew;
        }
        let fit = self.fit();
        let significant = fit.explained > critical_t_squared(self.n.saturating_sub(2)) * fit.unexplained;
        if !significant || self.is_small(&fit) || self.is_one_outlier(&fit) {
            Slope::Flat
        } else if fit.upwards {
            Slope::Rising
        } else {
            Slope::Falling
        }
    }

    /// Whether the fitted rise, (n − 1) times the slope, is too small a share of the mean.
    fn is_small(&self, fit: &Fit) -> bool {
        // Both sides times n²·(n + 1).
        let n = u32::from(self.n);
        let mean = self.y as f64 * f64::from(n.wrapping_mul(n.wrapping_add(1)));
        fit.magnitude * (12.0 * MEAN_PER_LEAST_RISE) < mean
    }

    /// Whether the newest sample alone causes the slope: without it the slope changes its sign or loses more than half
    /// of its t².
    fn is_one_outlier(&self, fit: &Fit) -> bool {
        if self.n < MIN_FOR_ONE_OUTLIER {
            return false;
        }
        let before = self.without_newest().fit();
        let critical = critical_t_squared(self.n.saturating_sub(3)) / 2.0;
        before.upwards != fit.upwards || before.explained <= critical * before.unexplained
    }

    fn fit(&self) -> Fit {
        let n = u64::from(self.n);
        // With i from 0; n cancels in both tests.
        let sum_i = n.wrapping_mul(n.wrapping_sub(1)) / 2;
        let lead = u128::from(n).wrapping_mul(u128::from(self.iy));
        let level = u128::from(sum_i).wrapping_mul(u128::from(self.y));
        let magnitude = lead.abs_diff(level) as f64;
        let n_squared = n.wrapping_mul(n);
        let spread_12 = n_squared.wrapping_mul(n_squared.wrapping_sub(1)) as f64;
        let squared_12 = 12.0 * (magnitude * magnitude);
        Fit {
            upwards: lead > level,
            magnitude,
            explained: f64::from(self.n.saturating_sub(2)) * squared_12,
            // Rounding can make this negative, but only if the line explains something; 0 would then give the same
            // decision.
            unexplained: spread_12 * self.scaled_variance() - squared_12,
        }
    }

    fn without_newest(mut self) -> Self {
        let y = u64::from(self.newest);
        self.n = self.n.saturating_sub(1);
        self.y = self.y.wrapping_sub(y);
        self.iy = self.iy.wrapping_sub(u64::from(self.n).wrapping_mul(y));
        self.subtract_square(y);
        self
    }

    /// Returns the class of the samples. The caller passes them in arrival order, for the case that there is no slope.
    /// O(n).
    pub(crate) fn trend(&self, latencies: impl Iterator<Item = Latency>, minimum: u16) -> Trend {
        match self.slope(minimum) {
            Slope::TooFew => Trend::TooFew,
            Slope::Rising => Trend::Rising,
            Slope::Falling => Trend::Falling,
            Slope::Flat if self.oscillates(latencies) => Trend::Oscillating,
            Slope::Flat => Trend::Steady,
        }
    }

    fn oscillates(&self, latencies: impl Iterator<Item = Latency>) -> bool {
        if self.n < MIN_FOR_OSCILLATION {
            return false;
        }
        let sum = self.y as f64;
        let scaled_variance = self.scaled_variance();
        if scaled_variance < MIN_VARIANCE * sum * sum {
            return false;
        }
        let n = f64::from(self.n);
        let mean = sum / n;
        let mut before = 0.0;
        let mut products = 0.0;
        for latency in latencies {
            let deviation = f64::from(latency.as_micros()) - mean;
            products += before * deviation;
            before = deviation;
        }
        is_negative_autocorrelation(products * n * n / scaled_variance, self.n)
    }

    /// n·Σy² − (Σy)², exact before the conversion.
    #[cfg_attr(target_pointer_width = "32", inline(never))] // one copy is enough there
    fn scaled_variance(&self) -> f64 {
        let square_of_sum = u128::from(self.y).wrapping_mul(u128::from(self.y));
        u128::from(self.n)
            .wrapping_mul(u128::from(self.yy_high) << 64 | u128::from(self.yy_low))
            .saturating_sub(square_of_sum) as f64
    }
}

/// The square of Student's t at 95 % for 1 to 12 degrees of freedom, rounded up.
const T_SQUARED: [f64; 12] = [
    39.863_459, 8.526_316, 5.538_320, 4.544_771, 4.060_420, 3.775_950, 3.589_429, 3.457_919, 3.360_304, 3.285_016,
    3.225_203, 3.176_549,
];

/// Returns the square of Student's t at 95 %, never below the exact value and at most 10⁻⁵ of it above.
///
/// From 13 degrees of freedom on it is a polynomial in 1/ν: the square of the Cornish-Fisher expansion (Abramowitz and
/// Stegun 26.7.5), with its last coefficient enlarged to stay on the safe side.
fn critical_t_squared(degrees: u16) -> f64 {
    let row = usize::from(degrees).wrapping_sub(1);
    if let Some(&exact) = T_SQUARED.get(row) {
        return exact;
    }
    let v = 1.0 / f64::from(degrees);
    2.705_543_454_095_413 + v * (5.012_754_418 + v * (6.993_924_469 + v * 8.1))
}

/// Whether a lag-1 autocorrelation, given times n, of n ≥ 5 values is below its 1 % quantile for independent Gaussian
/// values.
///
/// The mean −1/n and the standard deviation (n−2)/(n·√(n−1)) are exact. The quantile of small, skewed samples is fitted
/// to a simulation of 8 million windows per n, and stays at or below 1 % within its error. Comparing squares avoids the
/// root, and a constant window (0/0) is not negative.
fn is_negative_autocorrelation(times_n: f64, n: u16) -> bool {
    if n <= MIN_FOR_OSCILLATION {
        return times_n < -0.798 * f64::from(MIN_FOR_OSCILLATION);
    }
    let n = f64::from(n);
    let below_mean = times_n + 1.0;
    let quantile = (2.3264 * n - 1.6) * (n - 2.0) / n;
    below_mean < 0.0 && below_mean * below_mean * (n - 1.0) > quantile * quantile
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rise_of_exactly_four_percent_matters_and_a_smaller_one_does_not() {
        // A slope of 0.6 gives a rise of 1.8, which is 4 % of 45 and less of 46.
        assert_eq!(Trend::of([44, 45, 45, 46].map(Latency::from_micros), 3), Trend::Rising);
        assert_eq!(Trend::of([45, 46, 46, 47].map(Latency::from_micros), 3), Trend::Steady);
    }
}
