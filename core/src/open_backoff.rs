//! How long the breaker stays open. The wait grows with failed probing and with a trip soon after closing, and is at least as long as
//! the service asked for; jitter keeps replicas from probing in step.

#[cfg(target_pointer_width = "64")]
use core::time::Duration;

#[cfg(target_pointer_width = "64")]
use crate::monotonic::MonotonicInstant;
use crate::packed_policy::PackedPolicy;
#[cfg(target_pointer_width = "64")]
use crate::time::saturating_nanos;

/// A trip within this time after closing shows that the service is unhealthy although its probes were good.
pub(crate) const SOON_NANOS: u64 = 60_000_000_000;

/// The wait of the current incident.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OpenBackoff {
    /// How often probing failed, or the breaker opened again soon after closing, in this incident.
    failures: u32,
    random: u32,
    /// Until when the service asked for no calls.
    #[cfg(target_pointer_width = "64")]
    asked_until: MonotonicInstant,
}

impl OpenBackoff {
    pub(crate) const fn new(seed: u64) -> Self {
        Self {
            failures: 0,
            random: (seed ^ seed >> 32) as u32,
            #[cfg(target_pointer_width = "64")]
            asked_until: MonotonicInstant::ZERO,
        }
    }

    /// Resets the wait to `wait_time` at the end of an incident.
    pub(crate) fn fall_back(&mut self) {
        self.failures = 0;
    }

    /// Records that the service asks for no calls for `wait`.
    #[cfg(target_pointer_width = "64")]
    pub(crate) fn ask(&mut self, now: MonotonicInstant, wait: Duration) {
        self.asked_until = self.asked_until.max(now.plus_nanos(saturating_nanos(wait)));
    }

    /// Forgets what the service asked for.
    #[cfg(target_pointer_width = "64")]
    pub(crate) fn forget_asked(&mut self) {
        self.asked_until = MonotonicInstant::ZERO;
    }

    /// Returns `wait`, or what is left of the time that the service asked for, up to the longest wait.
    #[cfg(target_pointer_width = "64")]
    pub(crate) fn at_least_asked(&self, now: MonotonicInstant, wait: u64, settings: &PackedPolicy) -> u64 {
        wait.max(self.asked_until.nanos_since(now).min(settings.longest_wait_nanos()))
    }

    /// Returns the wait after a trip from Closed, as grown in this incident, without jitter.
    pub(crate) fn after_trip(&self, settings: &PackedPolicy) -> u64 {
        self.grown(settings) as u64
    }

    /// Returns the wait after a failed probe, or after a trip [soon](SOON_NANOS) after closing: one growth step more,
    /// up to the maximum, with jitter.
    pub(crate) fn after_failure(&mut self, settings: &PackedPolicy) -> u64 {
        self.failures = self.failures.saturating_add(1);
        let spread = settings.wait_jitter.get() * self.unit();
        (self.grown(settings) * (1.0 + spread)) as u64
    }

    fn grown(&self, settings: &PackedPolicy) -> f64 {
        let longest = settings.longest_wait_nanos() as f64;
        let factor = power(settings.wait_backoff.get(), self.failures);
        let wait = settings.wait_time_nanos as f64 * factor;
        // NaN (0 · ∞) gives the longest wait too.
        if wait < longest { wait } else { longest }
    }

    /// Returns a number in −1..1: a Weyl sequence through the finalizer of `MurmurHash3` (A. Appleby, 2011).
    fn unit(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9E37_79B9);
        let mut z = self.random;
        z = (z ^ z >> 16).wrapping_mul(0x85EB_CA6B);
        z = (z ^ z >> 13).wrapping_mul(0xC2B2_AE35);
        z ^= z >> 16;
        f64::from(z) / f64::from(1_u32 << 31) - 1.0
    }
}

/// Raises `base` to the power of `exponent` by squaring: at most 32 rounds, and a tenth of the code of `libm::pow`.
fn power(base: f64, exponent: u32) -> f64 {
    let (mut result, mut square, mut left) = (1.0, base, exponent);
    while left > 0 {
        if left & 1 == 1 {
            result *= square;
        }
        square *= square;
        left >>= 1;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;
    use crate::units::Ratio;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn the_wait_doubles_up_to_the_longest_and_falls_back() {
        let mut policy = Policy::default();
        policy.wait_jitter = Ratio::ZERO;
        policy.max_wait_time = Duration::from_secs(300);
        let settings = PackedPolicy::new(&policy);
        let mut wait = OpenBackoff::new(1);
        assert_eq!(wait.after_trip(&settings), 10 * SECOND);
        let grown: [u64; 6] = core::array::from_fn(|_| wait.after_failure(&settings) / SECOND);
        assert_eq!(grown, [20, 40, 80, 160, 300, 300]);
        assert_eq!(wait.after_trip(&settings), 300 * SECOND);
        wait.fall_back();
        assert_eq!(wait.after_trip(&settings), 10 * SECOND);
    }

    #[test]
    fn jitter_stays_within_its_share_and_is_the_same_for_the_same_seed() {
        let settings = PackedPolicy::new(&Policy::default());
        let mut low = f64::MAX;
        let mut high = 0.0_f64;
        for seed in 0..2_000 {
            let nanos = OpenBackoff::new(seed).after_failure(&settings);
            assert_eq!(nanos, OpenBackoff::new(seed).after_failure(&settings));
            low = low.min(nanos as f64);
            high = high.max(nanos as f64);
        }
        assert!((18.0e9..18.2e9).contains(&low), "{low}");
        assert!((21.8e9..=22.0e9).contains(&high), "{high}");
    }

    #[test]
    fn what_the_service_asks_for_is_the_shortest_wait_up_to_the_longest() {
        let mut policy = Policy::default();
        policy.max_wait_time = Duration::from_secs(300);
        let settings = PackedPolicy::new(&policy);
        let mut wait = OpenBackoff::new(1);
        let at = |seconds| MonotonicInstant::from_nanos(seconds * SECOND);
        wait.ask(at(100), Duration::from_secs(30));
        // A shorter one that comes later takes nothing back.
        wait.ask(at(101), Duration::from_secs(1));
        for (now, own, expected) in [(100, 10, 30), (105, 10, 25), (125, 10, 10), (100, 40, 40), (500, 10, 10)] {
            assert_eq!(wait.at_least_asked(at(now), own * SECOND, &settings), expected * SECOND, "at {now}");
        }
        wait.ask(at(100), Duration::MAX);
        assert_eq!(wait.at_least_asked(at(100), 10 * SECOND, &settings), 300 * SECOND);
        wait.forget_asked();
        assert_eq!(wait.at_least_asked(at(100), 10 * SECOND, &settings), 10 * SECOND);
    }

    #[test]
    fn the_power_is_that_of_the_library() {
        for base in [1.0, 1.1, 1.5, 2.0, 3.7, 100.0] {
            for exponent in [0, 1, 2, 3, 7, 31, 40, 100, u32::MAX] {
                let exact = libm::pow(base, f64::from(exponent));
                let ours = power(base, exponent);
                assert!(
                    ours.is_infinite() && exact.is_infinite() || (ours / exact - 1.0).abs() < 1e-13,
                    "{base}^{exponent}: {ours}, not {exact}"
                );
            }
        }
    }

    #[test]
    fn endless_failures_do_not_overflow() {
        let mut wait = OpenBackoff::new(0);
        wait.failures = u32::MAX;
        let settings = PackedPolicy::new(&Policy::default());
        assert!(wait.after_failure(&settings) <= 66 * SECOND);
    }
}
