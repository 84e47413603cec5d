//! What follows from a policy for the three tests: how far each call moves a sum, and the bounds.

use core::num::NonZeroU32;

use crate::policy::Policy;

/// By how much the odds of a slow call must have risen for the quick test to be at its best (a step, a ramp), less 1.
const QUICK_ODDS_LESS_ONE: f64 = 3.75;
/// The same for the patient test: the percentile lies a little above the threshold, for good.
const PATIENT_ODDS_LESS_ONE: f64 = 1.1;
/// ln of the odds ratios as fixed-point logarithms, rounded down.
const LOG_QUICK: u32 = 102_114;
const LOG_PATIENT: u32 = 48_623;
/// The quick test has four fifths of the probability of a false breach, the patient one the rest: their bounds lie higher by
/// ln 1.25 and ln 5. As fixed-point logarithms, rounded up.
const LOG_OF_QUICK_PART: u32 = 14_624;
const LOG_OF_PATIENT_PART: u32 = 105_477;
/// A fast call moves a sum at least by this part of ln ρ, as one does at a share of about a thousandth: no smaller share of slow
/// calls is told from none.
const MIN_PART_OF_FAST: u32 = 512;
/// Logarithms have so many fractional bits.
const LOG_BITS: u32 = 16;

/// By so much a fast call lowers a sum of the quick or the patient test; all other steps are relative to it.
pub(super) const FAST: i32 = 64;

/// Where a slow call moves the patient sum by less than so many fast ones, more than a tenth of the calls may be slow, and
/// ones that hang are no news.
const MIN_STEP_OF_HANGING: u16 = 6 * FAST as u16;
/// Above this confidence the hang test is off: its own rate of false breaches is not small enough.
const MAX_CONFIDENCE_OF_HANGING: u32 = upper_half(0.99);

/// Of floats that are not negative the upper halves compare as they do, up to a millionth; a comparison of two words.
const fn upper_half(x: f64) -> u32 {
    (x.to_bits() >> 32) as u32
}

/// The steps and bounds under one policy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EvidenceRule {
    // Side by side, so that no room is lost between them.
    quick_bound: NonZeroU32,
    patient_bound: NonZeroU32,
    quick_slow: u16,
    patient_slow: u16,
    /// What a call that begins to hang adds to the hang test; 0 where that is off.
    hanging: u16,
}

/// One cumulative sum: a slow call raises it by `slow`, a fast one lowers it by [`FAST`], at `bound` it is enough.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cusum {
    bound: NonZeroU32,
    slow: u16,
}

impl EvidenceRule {
    /// Computes the steps; three logarithms, so only when the policy changes. `None` where no confidence is asked for.
    pub(crate) fn new(policy: &Policy) -> Option<Self> {
        let confidence = policy.trip_confidence.get();
        if confidence <= 0.0 {
            return None;
        }
        let p0 = 1.0 - policy.percentile.get();
        // ρ·p₀ is not less than p₁ of either test, nor the window's size than the number of later calls.
        let crossings = f64::from(policy.latency_window_size.get()) * (p0 * (1.0 + QUICK_ODDS_LESS_ONE));
        let bound = log_rounded_up((1.0 + crossings) / (1.0 - confidence));
        let quick = Cusum::new(p0 * QUICK_ODDS_LESS_ONE, LOG_QUICK, bound.wrapping_add(LOG_OF_QUICK_PART))?;
        let patient = Cusum::new(p0 * PATIENT_ODDS_LESS_ONE, LOG_PATIENT, bound.wrapping_add(LOG_OF_PATIENT_PART))?;
        let hangs_are_news = patient.slow >= MIN_STEP_OF_HANGING && upper_half(confidence) <= MAX_CONFIDENCE_OF_HANGING;
        Some(Self {
            quick_bound: quick.bound,
            patient_bound: patient.bound,
            quick_slow: quick.slow,
            patient_slow: patient.slow,
            // Half as much again as in the patient test, so that three calls in a row are not enough and five in forty are.
            hanging: if hangs_are_news { (u32::from(patient.slow).wrapping_mul(25) / 1_024) as u16 } else { 0 },
        })
    }

    pub(super) const fn quick(&self) -> Cusum {
        Cusum { bound: self.quick_bound, slow: self.quick_slow }
    }

    pub(super) const fn patient(&self) -> Cusum {
        Cusum { bound: self.patient_bound, slow: self.patient_slow }
    }

    /// What a call that begins to hang adds to the hang test.
    pub(super) const fn hanging(&self) -> u16 {
        self.hanging
    }

    /// Above this the hang test has seen enough: more than three calls that hang and no fast ones in between.
    pub(super) const fn hanging_bound(&self) -> u16 {
        self.hanging.wrapping_mul(3)
    }

    /// What a slow call that comes back adds to the count of such, of which each fast call takes 1.
    pub(super) const fn returned(&self) -> u16 {
        self.hanging.wrapping_mul(3)
    }
}

impl Cusum {
    /// `rise` is (ρ − 1)·p₀ for an odds ratio ρ, whose logarithm and that of the bound are given.
    #[inline(never)] // one copy is enough
    fn new(rise: f64, log_of_odds_ratio: u32, log_of_bound: u32) -> Option<Self> {
        // d = 1 + (ρ − 1)·p₀: the log likelihood ratio of a fast call is −ln d, and of a slow one ln ρ − ln d.
        let fast = log_rounded_up(1.0 + rise).max(log_of_odds_ratio / MIN_PART_OF_FAST);
        let slow = log_of_odds_ratio.saturating_sub(fast);
        // Neither product leaves 32 bits: a logarithm is below 2²², and FAST 2⁶.
        Some(Self {
            slow: slow.wrapping_mul(FAST.unsigned_abs()).checked_div(fast)? as u16,
            bound: NonZeroU32::new(log_of_bound.wrapping_mul(FAST.unsigned_abs()).checked_div(fast)?.wrapping_add(1))?,
        })
    }

    pub(super) const fn slow(self) -> i32 {
        self.slow as i32
    }

    pub(super) const fn bound(self) -> i32 {
        self.bound.get().cast_signed()
    }
}

/// ln `x` with [`LOG_BITS`] fractional bits, for 1 ≤ x < 2¹²⁷: never below the exact value, and above it by less than 1.02.
///
/// With x = m·2ᵉ and 1 ≤ m < 2, squaring m and halving it where it is then 2 or more gives the binary digits of log₂ m, one
/// by one (D. E. Knuth, *The Art of Computer Programming*, vol. 1, 1.2.2). Less than half of the code of `libm::log`.
#[inline(never)] // one copy is enough
fn log_rounded_up(x: f64) -> u32 {
    const DIGITS: u32 = 24;
    const FRACTION_BITS_OF_M: u32 = 30;
    /// ln 2 with 32 fractional bits, rounded up.
    const LN_2: u64 = 0xB172_17F8;
    let (half_of_m, exponent) = libm::frexpf(x as f32);
    let mut m = (half_of_m * (2_u32 << FRACTION_BITS_OF_M) as f32) as u32;
    let mut log2 = exponent.wrapping_sub(1) as u32;
    for _ in 0..DIGITS {
        let square = (u64::from(m).wrapping_mul(u64::from(m)) >> FRACTION_BITS_OF_M) as u32;
        let digit = square >> (FRACTION_BITS_OF_M + 1);
        m = square >> digit;
        log2 = log2 << 1 | digit;
    }
    // What is left of m is less than one of the last digit, and so is what all its roundings took from it, and the first one.
    u64::from(log2.wrapping_add(3)).wrapping_mul(LN_2).div_ceil(1 << (DIGITS + 32 - LOG_BITS)) as u32
}

#[cfg(test)]
mod tests {
    use core::num::NonZeroU16;

    use super::*;
    use crate::units::{Confidence, Percentile};

    /// By how much the fixed-point logarithm lies above the exact one.
    fn excess(x: f64) -> f64 {
        f64::from(log_rounded_up(x)) - x.ln() * 65_536.0
    }

    #[track_caller]
    fn assert_rounded_up(x: f64) {
        let excess = excess(x);
        // The library's own last digit, at ln 2⁷⁰ in scores, is 10⁻⁹.
        assert!((-1e-8..1.02).contains(&excess), "ln {x:e} is off by {excess}");
    }

    #[test]
    fn the_logarithm_is_never_too_low_nor_more_than_a_step_too_high() {
        // Every power of two with its neighbours, where the exponent changes and m may round up to 2.
        for exponent in 0..127 {
            let power = f64::from_bits((1_023 + exponent) << 52);
            assert_rounded_up(power);
            assert_rounded_up(power.next_up());
            assert_rounded_up(power.next_down().max(1.0));
            assert_rounded_up((power * 2.0).next_down());
        }
        // Both sides of every score up to ln 2⁷⁰, where the smallest error goes to the next one.
        for score in 1..(70.0 * 2.0_f64.ln() * 65_536.0) as u32 {
            for beside in [-1e-6, 1e-6] {
                assert_rounded_up(((f64::from(score) + beside) / 65_536.0).exp());
            }
        }
    }

    #[test]
    fn the_logarithm_never_falls() {
        let logs = (0..1 << 20).map(|step| log_rounded_up(1.0 + f64::from(step) / 1e6));
        assert!(logs.is_sorted());
    }

    #[test]
    fn the_logarithms_of_the_odds_ratios_are_rounded_down() {
        for (odds_less_one, log) in [(QUICK_ODDS_LESS_ONE, LOG_QUICK), (PATIENT_ODDS_LESS_ONE, LOG_PATIENT)] {
            let exact = (1.0 + odds_less_one).ln() * 65_536.0;
            assert!((0.0..1.0).contains(&(exact - f64::from(log))), "{odds_less_one}: {exact}");
        }
        for (share, log) in [(0.8_f64, LOG_OF_QUICK_PART), (0.2, LOG_OF_PATIENT_PART)] {
            assert!((0.0..1.0).contains(&(f64::from(log) + share.ln() * 65_536.0)), "{share}");
        }
    }

    fn rule(percentile: f64, size: u16, confidence: f64) -> EvidenceRule {
        let mut policy = Policy::default();
        policy.percentile = Percentile::new(percentile).unwrap();
        policy.latency_window_size = NonZeroU16::new(size).unwrap();
        policy.trip_confidence = Confidence::new(confidence).unwrap();
        EvidenceRule::new(&policy).unwrap()
    }

    /// What the guarantee rests on: with the share p₀ of slow calls the exponential of a sum does not grow on average, and
    /// at the bound it is so large that Ville's inequality leaves the probability that was asked for.
    #[test]
    fn the_steps_and_bounds_are_those_of_the_guarantee() {
        for percentile in [0.001_f64, 0.05, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0] {
            for size in [1, 2, 64, 1_000, u16::MAX] {
                for confidence in [1e-9, 0.5, 0.9, 0.999, 1.0_f64.next_down()] {
                    let p0 = 1.0 - percentile;
                    let rule = rule(percentile, size, confidence);
                    for (test, odds_less_one, part) in
                        [(rule.quick(), QUICK_ODDS_LESS_ONE, 0.8), (rule.patient(), PATIENT_ODDS_LESS_ONE, 0.2)]
                    {
                        let d = 1.0 + odds_less_one * p0;
                        // One step of a fast call, as the test takes it: not less than ln d.
                        let least = f64::from(((1.0 + odds_less_one).ln() * 65_536.0) as u32 / MIN_PART_OF_FAST);
                        let fast = f64::from(log_rounded_up(d)).max(least) / 65_536.0;
                        assert!(fast >= d.ln() - 1e-12);
                        let per_unit = fast / f64::from(FAST);
                        let growth = p0 * (f64::from(test.slow()) * per_unit).exp() + (1.0 - p0) * (-fast).exp();
                        assert!(growth <= 1.0 + 1e-12, "{percentile} {odds_less_one}: {growth}");
                        assert!(
                            growth > 0.96 || p0 < 0.001,
                            "not too timid either: {percentile} {odds_less_one}: {growth}"
                        );
                        let p1 = (1.0 + odds_less_one) * p0 / d;
                        let odds = (1.0 + (f64::from(size) - 1.0) * p1) / ((1.0 - confidence) * part);
                        let bound = f64::from(test.bound()) * per_unit;
                        assert!(bound >= odds.ln() - 1e-9 && bound < odds.ln() + 2.3, "{bound} {}", odds.ln());
                    }
                }
            }
        }
    }

    #[test]
    fn the_hang_test_is_on_where_slow_calls_are_to_be_rare() {
        let on = |percentile, confidence| rule(percentile, 64, confidence).hanging() > 0;
        assert!(on(0.9, 0.9) && on(0.95, 0.99) && on(1.0, 0.5));
        assert!(!on(0.89, 0.9) && !on(0.5, 0.9) && !on(0.95, 0.991));
        let rule = rule(0.95, 64, 0.95);
        assert_eq!((rule.hanging(), rule.hanging_bound(), rule.returned()), (20, 60, 60));
    }
}
