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
/// Scores are natural logarithms with 16 fractional bits.
const ONE: f64 = 65_536.0;
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
    /// Computes the steps; four logarithms, so only when the policy changes. `None` where no confidence is asked for.
    pub(crate) fn new(policy: &Policy) -> Option<Self> {
        let confidence = policy.trip_confidence.get();
        if confidence <= 0.0 {
            return None;
        }
        let p0 = (1.0 - policy.percentile.get()).max(LEAST_SHARE);
        let p1 = ODDS_RATIO * p0 / (1.0 - p0 + ODDS_RATIO * p0);
        let calls = f64::from(policy.latency_window_size.get());
        let odds = (1.0 + (calls - 1.0) * p1) / (1.0 - confidence);
        Some(Self {
            // Towards zero is down for a gain; the loss and the bound go one further.
            slow: fixed_log(p1 / p0),
            fast: fixed_log((1.0 - p1) / (1.0 - p0)).saturating_sub(1),
            bound: fixed_log(odds).saturating_add(1),
        })
    }

    fn ceiling(&self) -> i32 {
        self.bound.saturating_add(self.slow.saturating_mul(CEILING_STEPS))
    }

    fn start(&self) -> i32 {
        self.slow.saturating_mul(FORGIVEN_STEPS).saturating_neg()
    }
}

/// A natural logarithm in fixed point, rounded towards zero. One copy: a conversion takes code without an FPU.
#[inline(never)]
fn fixed_log(x: f64) -> i32 {
    (libm::log(x) * ONE) as i32
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
            self.score.saturating_add(rule.slow).min(rule.ceiling())
        } else if self.score > 0 {
            self.score.saturating_add(rule.fast).max(0)
        } else {
            self.score.saturating_sub(rule.fast).min(0)
        };
    }
}
