//! Derives the three tests from a policy: the step of each call and the bounds.

use core::num::NonZeroU32;

use super::cusum::{Cusum, FAST};
use super::failures;
use super::logarithm::log_rounded_up;
use super::test::EvidenceTest;
use super::tolerance::ToleranceRule;
use crate::policy::Policy;

/// The odds ratio of a slow call at which the quick test is optimal (a step, a ramp), less 1.
const QUICK_ODDS_LESS_ONE: f64 = 3.75;
/// The same for the patient test: a percentile that stays a little above the threshold.
const PATIENT_ODDS_LESS_ONE: f64 = 1.1;
/// Logarithms of the odds ratios as fixed-point numbers, rounded down.
const LOG_QUICK: u32 = 102_114;
const LOG_PATIENT: u32 = 48_623;
/// The quick test has four fifths of the probability of a false breach and the patient test one fifth, so their bounds
/// are higher by ln 1.25 and ln 5. Fixed-point logarithms, rounded up.
const LOG_OF_QUICK_PART: u32 = 14_624;
const LOG_OF_PATIENT_PART: u32 = 105_477;
/// A fast call changes a sum by at least this part of ln ρ, as it does at a share of about a thousandth. Smaller shares
/// of slow calls are not distinguished from none.
const MIN_PART_OF_FAST: u32 = 512;

/// The steps, the bounds and the tolerance under one policy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EvidenceRule {
    quick: Cusum,
    patient: Cusum,
    failures: Cusum,
    pub(super) tolerance: ToleranceRule,
}

impl EvidenceRule {
    /// Computes the steps. This takes three logarithms, so it runs only when the policy changes.
    pub(crate) fn new(policy: &Policy) -> Self {
        let tolerance = ToleranceRule::new(policy.trip_after, policy.warm_up);
        Self::with_tests(policy, tolerance).unwrap_or(Self {
            quick: Cusum::OFF,
            patient: Cusum::OFF,
            failures: Cusum::OFF,
            tolerance,
        })
    }

    /// Returns `None` if the policy asks for no evidence.
    #[cfg_attr(target_pointer_width = "32", inline(never))] // one copy is enough there
    fn with_tests(policy: &Policy, tolerance: ToleranceRule) -> Option<Self> {
        let confidence = policy.trip_confidence.get();
        if confidence <= 0.0 {
            return None;
        }
        let p0 = 1.0 - policy.percentile.get();
        let window = f64::from(policy.latency_window_size.get());
        // ρ·p₀ is not less than p₁ of either test, nor the window's size less than the number of later calls.
        let crossings = window * (p0 * (1.0 + QUICK_ODDS_LESS_ONE));
        let bound = log_rounded_up((1.0 + crossings) / (1.0 - confidence));
        Some(Self {
            quick: steps(p0 * QUICK_ODDS_LESS_ONE, LOG_QUICK, bound.wrapping_add(LOG_OF_QUICK_PART))?,
            patient: steps(p0 * PATIENT_ODDS_LESS_ONE, LOG_PATIENT, bound.wrapping_add(LOG_OF_PATIENT_PART))?,
            failures: failures::steps(policy.failure_rate_threshold.get(), window),
            tolerance,
        })
    }

    /// Whether the policy asks for evidence.
    pub(crate) fn is_on(&self) -> bool {
        self.quick != Cusum::OFF
    }

    pub(crate) const fn tolerance(&self) -> ToleranceRule {
        self.tolerance
    }

    /// Returns the steps of a test.
    pub(super) const fn cusum(&self, test: EvidenceTest) -> Cusum {
        match test {
            EvidenceTest::Quick => self.quick,
            EvidenceTest::Patient => self.patient,
            EvidenceTest::Failures => self.failures,
        }
    }

    /// Returns the larger step of the two latency tests.
    pub(super) fn max_latency_step(&self) -> i32 {
        self.quick.step().max(self.patient.step())
    }

    /// Whether both rules have the same tests.
    #[cfg_attr(target_pointer_width = "32", inline(never))] // one copy is enough there
    pub(crate) fn has_tests_of(&self, other: &Self) -> bool {
        self.quick == other.quick && self.patient == other.patient && self.failures == other.failures
    }

    #[cfg(test)]
    pub(super) fn with_tolerance(self, tolerance: ToleranceRule) -> Self {
        Self { tolerance, ..self }
    }
}

/// Returns the bound and the step of a latency test. `rise` is (ρ − 1)·p₀ for an odds ratio ρ. The logarithms of ρ and
/// of the bound are given.
#[inline(never)] // one copy is enough
fn steps(rise: f64, log_of_odds_ratio: u32, log_of_bound: u32) -> Option<Cusum> {
    // With d = 1 + (ρ − 1)·p₀, the log likelihood ratio of a fast call is −ln d and that of a slow one ln ρ − ln d.
    let fast = log_rounded_up(1.0 + rise).max(log_of_odds_ratio / MIN_PART_OF_FAST);
    let slow = log_of_odds_ratio.saturating_sub(fast);
    // Neither product exceeds 32 bits: a logarithm is below 2²², and FAST is 2⁶.
    let bound = log_of_bound.wrapping_mul(FAST.unsigned_abs()).checked_div(fast)?.wrapping_add(1);
    let step = slow.wrapping_mul(FAST.unsigned_abs()).checked_div(fast)?;
    Some(Cusum::new(NonZeroU32::new(bound)?, step as u16, FAST as u16))
}

#[cfg(test)]
mod tests {
    use core::num::NonZeroU16;

    use super::*;
    use crate::units::{Confidence, Percentile};

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
        EvidenceRule::new(&policy)
    }

    /// Checks the basis of the guarantee: with a share p₀ of slow calls the exponential of a sum does not grow on
    /// average, and at the bound it is large enough for Ville's inequality to give the requested probability.
    #[test]
    fn the_steps_and_bounds_are_those_of_the_guarantee() {
        for percentile in [0.001_f64, 0.05, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0] {
            for size in [1, 2, 64, 1_000, u16::MAX] {
                for confidence in [1e-9, 0.5, 0.9, 0.999, 1.0_f64.next_down()] {
                    let p0 = 1.0 - percentile;
                    let rule = rule(percentile, size, confidence);
                    for (test, odds_less_one, part) in [
                        (EvidenceTest::Quick, QUICK_ODDS_LESS_ONE, 0.8),
                        (EvidenceTest::Patient, PATIENT_ODDS_LESS_ONE, 0.2),
                    ] {
                        let test = rule.cusum(test);
                        let d = 1.0 + odds_less_one * p0;
                        // One step of a fast call as the test uses it: not less than ln d.
                        let least = f64::from(((1.0 + odds_less_one).ln() * 65_536.0) as u32 / MIN_PART_OF_FAST);
                        let fast = f64::from(log_rounded_up(d)).max(least) / 65_536.0;
                        assert!(fast >= d.ln() - 1e-12);
                        let per_unit = fast / f64::from(FAST);
                        let growth = p0 * (f64::from(test.step()) * per_unit).exp() + (1.0 - p0) * (-fast).exp();
                        assert!(growth <= 1.0 + 1e-12, "{percentile} {odds_less_one}: {growth}");
                        assert!(
                            growth > 0.96 || p0 < 0.001,
                            "and not too conservative: {percentile} {odds_less_one}: {growth}"
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
}
