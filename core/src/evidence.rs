//! How sure the breaker is that too many calls are slow.
//!
//! "Above" alone is a weak sign: in a window of 64 at the 95th percentile it takes 4 slow calls, and a healthy service
//! with 4 % of slow calls has them half of the time. With `trip_confidence` = c the breaker therefore also runs a
//! sequential test on the one fact "was this call slow": the cumulative sum of log likelihood ratios, held at zero from
//! below (CUSUM; E. S. Page, *Biometrika* 41, 1954; for such yes-or-no facts M. R. Reynolds and Z. G. Stoumbos, *Journal of
//! Quality Technology* 31, 1999), of "a share p₁ is slow" against "a share p₀ = 1 − percentile is slow". p₁ is the share at
//! which the odds of being slow are [`ODDS_RATIO`] times as high (0.1 at the 95th percentile). A breach is above *and* a
//! sum at or over h = ln((1 + (W − 1)·p₁) / (1 − c)), W being the window size.
//!
//! **Guarantee.** For independent calls of which each is slow with probability at most p₀, the probability of any breach
//! within any W consecutive calls is at most 1 − c, however long the test has been running. Why: read backwards in time the
//! sum is the maximum of a random walk whose exponential is a supermartingale of mean at most 1, so by Ville's inequality
//! (J. Ville, 1939) it is at or over h at a given call with probability at most e⁻ʰ. The sum can cross h only on a slow
//! call, which is independent of the sum before it; that crossing has probability at most p₀·e^(−h + ln(p₁/p₀)) = p₁·e⁻ʰ.
//! One call that may find it crossed and W − 1 that may cross it give (1 + (W − 1)·p₁)·e⁻ʰ = 1 − c. Scores are
//! integers, rounded to the safe side, and a fresh test starts below zero (a cold start is slow for good reasons), which only
//! lowers them.
//!
//! **Order.** A call enters the test when it is decided, and once: a fast call when it finishes, a slow one as soon as it is
//! seen to be older than the threshold (stalled), at the latest when it finishes. Counting stalled calls for as long as
//! they hang would be quicker still, but a healthy service with 4 % of calls of 5 s would then look bad for ever.
//!
//! **What it does not promise.** Slow calls that come in runs break the promise: with two-state Markov traffic of 4 % slow
//! calls in runs of 5 on average, stretches of 64 calls had a breach about twice as often as independent calls at the full
//! 5 % may have. So do bursts of simultaneous calls, since their fast ones finish first.

use crate::policy::Policy;

/// By how much the odds of a slow call must have risen for the test to be at its best: small enough to find a tenth of the
/// calls hanging, and steps are found as soon all the same.
const ODDS_RATIO: f64 = 2.1;
/// No share of slow calls below this is told from none, so that a single call at percentile 1 is no proof.
const LEAST_SHARE: f64 = 0.001;
/// Scores are natural logarithms with so many fractional bits.
const FRACTION_BITS: u32 = 16;
/// ln [`ODDS_RATIO`] as a score, rounded down.
const LOG_OF_ODDS_RATIO: i32 = 48_623;
/// How many slow calls the sum may run ahead of the bound: the more, the later good calls are believed again.
const CEILING_STEPS: i32 = 1;
/// How many slow calls a fresh test forgives; fast calls use this up.
const FORGIVEN_STEPS: i32 = 2;

/// The steps of the test under one policy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EvidenceRule {
    slow: i32,
    fast: i32,
    bound: i32,
}

impl EvidenceRule {
    /// Computes the steps; two logarithms, so only when the policy changes. `None` where no confidence is asked for.
    pub(crate) fn new(policy: &Policy) -> Option<Self> {
        let confidence = policy.trip_confidence.get();
        if confidence <= 0.0 {
            return None;
        }
        let p0 = (1.0 - policy.percentile.get()).max(LEAST_SHARE);
        // p₁ = ρ·p₀/d, ρ being the odds ratio, so p₁/p₀ = ρ/d and (1 − p₁)/(1 − p₀) = 1/d.
        let d = 1.0 + (ODDS_RATIO - 1.0) * p0;
        let later_calls = f64::from(policy.latency_window_size.get()) - 1.0;
        let odds = (1.0 + later_calls * (ODDS_RATIO * p0 / d)) / (1.0 - confidence);
        let fast = log_rounded_up(d).wrapping_neg();
        Some(Self { slow: LOG_OF_ODDS_RATIO.wrapping_add(fast).max(0), fast, bound: log_rounded_up(odds) })
    }

    // No sum of these comes near the ends of an i32: a step is at most ln ODDS_RATIO, and the bound below ln 2⁷⁰.

    fn ceiling(&self) -> i32 {
        self.bound.wrapping_add(self.slow.wrapping_mul(CEILING_STEPS))
    }

    fn start(&self) -> i32 {
        self.slow.wrapping_mul(FORGIVEN_STEPS).wrapping_neg()
    }
}

/// ln `x` as a score for 1 ≤ x < 2¹²⁷: never below the exact value, and above it by less than 1.01.
///
/// With x = m·2ᵉ and 1 ≤ m < 2, squaring m and halving it where it is then 2 or more gives the binary digits of log₂ m, one
/// by one (D. E. Knuth, *The Art of Computer Programming*, vol. 1, 1.2.2). Less than half of the code of `libm::log`.
#[inline(never)] // one copy is enough
fn log_rounded_up(x: f64) -> i32 {
    const DIGITS: u32 = 24;
    const FRACTION_BITS_OF_M: u32 = 30;
    /// ln 2 with 32 fractional bits, rounded up.
    const LN_2: u64 = 0xB172_17F8;
    let (half_of_m, exponent) = libm::frexp(x);
    let mut m = (half_of_m * f64::from(2_u32 << FRACTION_BITS_OF_M)) as u32;
    let mut log2 = exponent.wrapping_sub(1) as u32;
    for _ in 0..DIGITS {
        let square = (u64::from(m).wrapping_mul(u64::from(m)) >> FRACTION_BITS_OF_M) as u32;
        let digit = square >> (FRACTION_BITS_OF_M + 1);
        m = square >> digit;
        log2 = log2 << 1 | digit;
    }
    // What is left of m is less than one of the last digit, and so is what all its roundings took from it.
    u64::from(log2.wrapping_add(2)).wrapping_mul(LN_2).div_ceil(1 << (DIGITS + 32 - FRACTION_BITS)) as i32
}

/// The running sum, and how many stalled calls are already in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Evidence {
    score: i32,
    stalled_counted: u16,
    /// Somebody tells of stalled calls, so one that outlived `latency_max_age` was counted long ago.
    stalls_told: bool,
}

impl Evidence {
    /// Nothing is known yet.
    pub(crate) fn new(rule: Option<&EvidenceRule>) -> Self {
        Self { score: rule.map_or(0, EvidenceRule::start), stalled_counted: 0, stalls_told: false }
    }

    /// A call has finished. A slow one that was counted when it stalled is not counted again.
    pub(crate) fn finished(&mut self, rule: &EvidenceRule, slow: bool, outlived: bool) {
        if outlived && self.stalls_told {
            return;
        }
        if slow && self.stalled_counted > 0 {
            self.stalled_counted = self.stalled_counted.saturating_sub(1);
        } else {
            self.step(rule, slow);
        }
    }

    /// So many calls are stalled now.
    #[cfg_attr(target_pointer_width = "32", inline(never))] // one copy is enough there
    pub(crate) fn stalled(&mut self, rule: &EvidenceRule, count: u16) {
        self.stalls_told |= count > 0;
        for _ in self.stalled_counted..count {
            if self.score >= rule.ceiling() {
                break;
            }
            self.step(rule, true);
        }
        self.stalled_counted = count;
    }

    /// Another good call changes nothing.
    #[cfg(target_pointer_width = "64")]
    pub(crate) const fn is_at_rest(&self) -> bool {
        self.score == 0 && self.stalled_counted == 0
    }

    /// Whether the evidence is at or over its bound.
    pub(crate) fn is_enough(&self, rule: &EvidenceRule) -> bool {
        self.score >= rule.bound
    }

    /// Starts again with nothing known; stalled calls stay counted.
    pub(crate) fn forget(&mut self, rule: &EvidenceRule) {
        self.score = rule.start();
    }

    fn step(&mut self, rule: &EvidenceRule, slow: bool) {
        self.score = if slow {
            self.score.wrapping_add(rule.slow).min(rule.ceiling())
        } else if self.score > 0 {
            self.score.wrapping_add(rule.fast).max(0)
        } else {
            self.score.wrapping_sub(rule.fast).min(0)
        };
    }
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
        assert!((-1e-8..1.01).contains(&excess), "ln {x:e} is off by {excess}");
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
    fn the_logarithm_of_the_odds_ratio_is_rounded_down() {
        let exact = ODDS_RATIO.ln() * 65_536.0;
        assert!((0.0..1.0).contains(&(exact - f64::from(LOG_OF_ODDS_RATIO))), "{exact}");
    }

    /// The steps as the module's page defines them, each rounded to its safe side from the library's logarithms: the new
    /// ones are as safe, and no more than two steps of 2⁻¹⁶ safer.
    #[test]
    fn the_steps_are_the_log_likelihood_ratios_rounded_to_the_safe_side() {
        for percentile in [0.001_f64, 0.05, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0] {
            for size in [1, 2, 64, 1_000, u16::MAX] {
                for confidence in [1e-9, 0.5, 0.9, 0.999, 1.0_f64.next_down()] {
                    let p0 = (1.0 - percentile).max(LEAST_SHARE);
                    let p1 = ODDS_RATIO * p0 / (1.0 - p0 + ODDS_RATIO * p0);
                    let odds = (1.0 + (f64::from(size) - 1.0) * p1) / (1.0 - confidence);
                    let rule = rule(percentile, size, confidence).unwrap();
                    let too_low = |exact: f64, ours: i32| exact * 65_536.0 - f64::from(ours);
                    let safe = -1e-8..2.01;
                    assert!(safe.contains(&too_low((p1 / p0).ln(), rule.slow)), "{rule:?}");
                    assert!(safe.contains(&too_low(((1.0 - p1) / (1.0 - p0)).ln(), rule.fast)), "{rule:?}");
                    assert!(safe.contains(&-too_low(odds.ln(), rule.bound)), "{rule:?}");
                }
            }
        }
    }

    #[test]
    fn where_every_call_may_be_slow_no_number_of_slow_calls_is_evidence() {
        for percentile in [f64::MIN_POSITIVE, f64::EPSILON / 2.0, 1e-9] {
            let rule = rule(percentile, 1, 1e-9).unwrap();
            let mut evidence = Evidence::new(Some(&rule));
            for _ in 0..100_000 {
                assert!(!evidence.is_enough(&rule), "{percentile:e}: {rule:?}");
                evidence.finished(&rule, true, false);
            }
        }
    }

    fn rule(percentile: f64, size: u16, confidence: f64) -> Option<EvidenceRule> {
        let mut policy = Policy::default();
        policy.percentile = Percentile::new(percentile).unwrap();
        policy.latency_window_size = NonZeroU16::new(size).unwrap();
        policy.trip_confidence = Confidence::new(confidence).unwrap();
        EvidenceRule::new(&policy)
    }
}
