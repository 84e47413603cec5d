//! The steps of the failure test, for a limit L of the share of failed calls.
//!
//! A failed call adds (1 − L)/L, a good one subtracts 1, so the sum rises on average exactly if more than L of the
//! calls fail. θ is the positive root of h·e^(θ·(1−L)/L) + (1 − h)·e^(−θ) = 1 with h = L/2. If at most h of the calls
//! fail, e to the power of θ times the walk is a supermartingale, and the argument of the latency tests bounds the
//! false breaches of independent calls of which at most half of the limit fail. With p₁ = h·e^(θ·(1−L)/L) the bound is
//! ln((1 + (W − 1)·p₁)/q)/θ for windows of W calls, of which at most 0.75 % have a false breach. At L = 0.5 and W = 64
//! that is eight failed calls in a row; at smaller limits it is never fewer.
//!
//! u = θ·(1 − L)/L and p₁/L are tabulated in tenths of L and interpolated linearly; the interpolation costs less than a
//! hundredth of q.

use core::num::NonZeroU32;

use super::cusum::{Cusum, FAST};
use super::logarithm::log_rounded_up;

/// q: the share of windows with a false breach, less the error of the tables.
const FALSE_SHARE: f64 = 0.0074;
/// Minimum number of consecutive failed calls that is evidence, for every limit. At small limits this costs little time
/// and makes q ten times smaller.
const MIN_FAILED_CALLS: u32 = 8;
/// Range of the limits, in thousandths. At a limit of 1, no share of failures could exceed it.
const MIN_LIMIT: u32 = 1;
const MAX_LIMIT: u32 = 990;
/// u in 65,536ths, rounded down. Its curvature changes sign above 0.9, so the last two entries are lowered by 90.
const U: [u32; 11] = [82_341, 80_849, 79_135, 77_144, 74_800, 71_998, 68_586, 64_342, 58_965, 52_213, 45_336];
/// p₁/L in 32,768ths, rounded up.
const P1_BY_L: [u32; 11] = [57_555, 56_260, 54_808, 53_167, 51_300, 49_152, 46_660, 43_733, 40_289, 36_394, 32_768];

fn interpolate(table: &[u32; 11], thousandths: u32) -> u32 {
    let (index, rest) = ((thousandths / 100) as usize, thousandths % 100);
    let at = |index: usize| table.get(index).copied().unwrap_or(0);
    let weighted = at(index).wrapping_mul(100_u32.wrapping_sub(rest));
    weighted.wrapping_add(at(index.wrapping_add(1)).wrapping_mul(rest)) / 100
}

/// Returns the steps for `limit`. At a limit of 0 no call changes the test.
#[inline(never)] // one copy is enough
pub(super) fn steps(limit: f64, window: f64) -> Cusum {
    let thousandths = ((limit * 1_000.0 + 0.5) as u32).clamp(MIN_LIMIT, MAX_LIMIT);
    if limit > 0.0 { of_thousandths(thousandths, window).unwrap_or(Cusum::OFF) } else { Cusum::OFF }
}

fn of_thousandths(limit: u32, window: f64) -> Option<Cusum> {
    let rest = 1_000_u32.wrapping_sub(limit);
    let p1 = f64::from(interpolate(&P1_BY_L, limit).wrapping_mul(limit)) / 32_768_000.0;
    let log_of_bound = log_rounded_up((1.0 + (window - 1.0) * p1) / FALSE_SHARE);
    // The smaller of the two steps has the resolution of a fast call; the larger one is rounded against a trip.
    let fine = FAST.unsigned_abs();
    let (step, down, times, part) = if limit <= rest {
        (fine.wrapping_mul(rest).checked_div(limit)?, fine, rest, limit)
    } else {
        (fine, fine.wrapping_mul(limit).checked_div(rest)?.wrapping_add(1), 1, 1)
    };
    let bound = u64::from(log_of_bound)
        .wrapping_mul(fine.wrapping_mul(times).into())
        .checked_div(interpolate(&U, limit).wrapping_mul(part).into())?;
    let bound = (bound as u32).saturating_add(1).max(step.wrapping_mul(MIN_FAILED_CALLS));
    Some(Cusum::new(NonZeroU32::new(bound)?, step as u16, down as u16))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Finds the root by bisection in floating point.
    fn exact(limit: f64) -> (f64, f64) {
        let (half, ratio) = (limit / 2.0, (1.0 - limit) / limit);
        let growth = |theta: f64| half * (theta * ratio).exp() + (1.0 - half) * (-theta).exp();
        let (mut low, mut high) = (1e-9, 700.0_f64.min(600.0 / ratio.max(1.0)));
        for _ in 0..200 {
            let middle = f64::midpoint(low, high);
            if growth(middle) < 1.0 { low = middle } else { high = middle }
        }
        (low, half * (low * ratio).exp())
    }

    fn failed_calls_in_a_row(limit: f64, window: f64) -> u32 {
        let steps = steps(limit, window);
        steps.bound().unsigned_abs().div_ceil(steps.step().unsigned_abs())
    }

    #[test]
    fn eight_failed_calls_in_a_row_are_enough_at_one_half() {
        let calls = [0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0].map(|limit| failed_calls_in_a_row(limit, 64.0));
        assert_eq!(calls, [8, 8, 8, 8, 8, 10, 12, 13]);
        assert_eq!(steps(0.0, 64.0), Cusum::OFF);
    }

    #[test]
    fn the_steps_keep_the_guarantee_at_half_of_the_limit_and_are_not_too_timid() {
        for limit in [1e-6, 0.001, 0.01, 0.035, 0.05, 0.1, 0.2, 0.3, 0.45, 0.5, 0.6, 0.75, 0.85, 0.9, 0.95, 0.99, 1.0] {
            for window in [1.0, 16.0, 64.0, 1_024.0, 65_535.0] {
                let steps = steps(limit, window);
                let limit = limit.clamp(0.001, 0.99);
                let (theta, p1) = exact(limit);
                let half = limit / 2.0;
                let per_unit = theta / if limit <= 0.5 { 64.0 } else { 64.0 * limit / (1.0 - limit) };
                let growth = half * (f64::from(steps.step()) * per_unit).exp()
                    + (1.0 - half) * (-f64::from(steps.down()) * per_unit).exp();
                assert!(growth <= 1.0 + 1e-9, "{limit}: {growth}");
                let wanted = ((1.0 + (window - 1.0) * p1) / 0.0075).ln();
                let bound = f64::from(steps.bound()) * per_unit;
                assert!(bound >= wanted - 1e-9, "{limit} {window}: {bound} {wanted}");
                let eight_calls = 8.0 * f64::from(steps.step()) * per_unit;
                assert!(
                    bound <= (wanted * 1.05 + per_unit).max(eight_calls * 1.001),
                    "{limit} {window}: {bound} {wanted}"
                );
            }
        }
    }
}
