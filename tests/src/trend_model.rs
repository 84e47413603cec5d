//! The slope of a window by two passes over it, with textbook formulas.

use tripline_core::Latency;

/// The direction of a window's slope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slope {
    /// Fewer samples than the trend needs.
    TooFew,
    /// Significant and large enough, upwards.
    Rising,
    /// The same downwards.
    Falling,
    /// Neither.
    Flat,
}

/// Student's t at 95 % for 1 to 30 degrees of freedom, from the printed tables.
const T_95: [f64; 30] = [
    6.313_752, 2.919_986, 2.353_363, 2.131_847, 2.015_048, 1.943_180, 1.894_579, 1.859_548, 1.833_113, 1.812_461,
    1.795_885, 1.782_288, 1.770_933, 1.761_310, 1.753_050, 1.745_884, 1.739_607, 1.734_064, 1.729_133, 1.724_718,
    1.720_743, 1.717_144, 1.713_872, 1.710_882, 1.708_141, 1.705_618, 1.703_288, 1.701_131, 1.699_127, 1.697_261,
];
/// The smallest relevant fitted rise over the window, as a share of the mean.
const MIN_RISE: f64 = 0.04;
/// From this many samples on, the slope must also be present without the newest one, with half of the critical t².
const MIN_FOR_ONE_OUTLIER: usize = 21;
/// Relative distance to a bound within which rounding decides.
const MARGIN: f64 = 1e-4;

/// Returns the slope of up to 32 latencies, oldest first; `None` if it is too close to a bound to decide.
pub fn slope(latencies: &[Latency], minimum: usize) -> Option<Slope> {
    let n = latencies.len();
    if n < minimum.max(3) {
        return Some(Slope::TooFew);
    }
    let fit = Fit::of(latencies);
    let mut margins = vec![
        margin_over(fit.slope.abs(), T_95[n - 3] * fit.error),
        margin_over(fit.slope.abs() * (n as f64 - 1.0), MIN_RISE * fit.mean),
    ];
    if n >= MIN_FOR_ONE_OUTLIER {
        let before = Fit::of(&latencies[..n - 1]);
        let same_way = before.slope * fit.slope.signum();
        if same_way <= 0.0 {
            return Some(Slope::Flat);
        }
        margins.push(margin_over(same_way, T_95[n - 4] / 2.0_f64.sqrt() * before.error));
    }
    if fit.slope == 0.0 || margins.iter().any(|&margin| margin < -MARGIN) {
        return Some(Slope::Flat);
    }
    if margins.iter().any(|&margin| margin < MARGIN) {
        return None;
    }
    Some(if fit.slope > 0.0 { Slope::Rising } else { Slope::Falling })
}

/// The least-squares line.
struct Fit {
    mean: f64,
    slope: f64,
    /// The standard error of the slope.
    error: f64,
}

impl Fit {
    fn of(latencies: &[Latency]) -> Self {
        let n = latencies.len() as f64;
        let mean_x = (n - 1.0) / 2.0;
        let mean = latencies.iter().map(|l| f64::from(l.as_micros())).sum::<f64>() / n;
        let points = || latencies.iter().enumerate().map(|(i, l)| (i as f64 - mean_x, f64::from(l.as_micros()) - mean));
        let sxx: f64 = points().map(|(x, _)| x * x).sum();
        let slope = points().map(|(x, y)| x * y).sum::<f64>() / sxx;
        let residual: f64 = points().map(|(x, y)| (y - slope * x).powi(2)).sum();
        Self { mean, slope, error: (residual / (n - 2.0) / sxx).sqrt() }
    }
}

/// Returns how far `value` is above `bound`, relative to the larger of them.
fn margin_over(value: f64, bound: f64) -> f64 {
    let larger = value.abs().max(bound);
    if larger > 0.0 { (value - bound) / larger } else { 0.0 }
}
