//! A service that is well most of the time, and how long one call of it takes.

use std::time::Duration;

use tripline_core::{Instant, Latency};

use super::fault::{Condition, Fault, Scenario, WELL_BEFORE_S, at};
use crate::noise::Noise;

/// No caller waits longer than this for an answer.
const MAX_CALL_S: f64 = 30.0;
/// A busy service has so many calls in flight at a time.
const BUSY: f64 = 6.0;
/// The share of its capacity at which a busy service works; from a half on it could not come back by itself at all.
const LOAD: f64 = 0.25;

/// What a service is like while it is well.
#[derive(Debug, Clone)]
pub struct Service {
    /// Everything is drawn from this.
    pub seed: u64,
    /// What its users call slow.
    pub threshold: Latency,
    /// How much slower than the threshold its slow calls are.
    pub slow_factor: f64,
    /// The share of slow calls where only some are.
    pub partial_share: f64,
    /// Factor on the length of its long faults.
    stretch: f64,
    median_s: f64,
    /// The deviation of the logarithm of a latency.
    spread: f64,
    interval_s: f64,
    /// Whether calls come at random, or evenly.
    poisson: bool,
}

impl Service {
    /// A service: threshold 100 ms to 1 s, 12 to 50 calls a second, and when it is well less than 1 % of them slow.
    pub fn draw(seed: u64) -> Self {
        let mut noise = Noise::new(seed ^ 0x5EED_0F5E_41CE);
        let mut between = |low: f64, high: f64| low + (high - low) * noise.unit();
        let threshold_s = 0.1 * 10_f64.powf(between(0.0, 1.0));
        Self {
            seed,
            threshold: Latency::from_micros((threshold_s * 1e6) as u32),
            slow_factor: between(1.5, 5.0),
            partial_share: between(0.1, 0.2),
            stretch: between(0.7, 1.3),
            median_s: threshold_s * between(0.15, 0.4),
            spread: between(0.15, 0.35),
            interval_s: 0.02 * 4_f64.powf(between(0.0, 1.0)),
            poisson: seed % 2 == 1,
        }
    }

    /// The same service with calls coming this far apart.
    #[must_use]
    pub fn with_interval(mut self, interval: Duration) -> Self {
        self.interval_s = interval.as_secs_f64();
        self
    }

    /// From one call to the next on average.
    pub fn interval(&self, scenario: &Scenario) -> Duration {
        let busy = scenario.is_load_dependent();
        Duration::from_secs_f64(if busy { self.median_s / BUSY } else { self.interval_s })
    }

    /// From this call to the next.
    pub(super) fn until_next(&self, scenario: &Scenario, noise: &mut Noise) -> Duration {
        let factor = if self.poisson { -noise.unit().ln() } else { 1.0 };
        self.interval(scenario).mul_f64(factor)
    }

    /// The scenario with the length of fault that this service has.
    pub(super) fn stretched(&self, mut scenario: Scenario) -> Scenario {
        if scenario.varies {
            scenario.fault_s *= self.stretch;
        }
        scenario
    }

    /// When the service is well again.
    pub(super) fn well_at(&self, scenario: &Scenario) -> Instant {
        let fault_s = match scenario.fault {
            Fault::Fading { thresholds, fades_by_e_in_s } => self.faded_after_s(thresholds, fades_by_e_in_s),
            Fault::Flapping { slow_s, fine_s } => {
                // The last slow period that begins within the fault may end before it does.
                let period = slow_s + fine_s;
                let last = ((scenario.fault_s / period).ceil() - 1.0) * period;
                (last + slow_s).min(scenario.fault_s)
            }
            _ => scenario.fault_s,
        };
        at(WELL_BEFORE_S + fault_s)
    }

    /// When a fault that fades has faded: 95 % of the calls are below the threshold again.
    fn faded_after_s(&self, peak: f64, fades_by_e_in_s: f64) -> f64 {
        let threshold_s = self.threshold.as_millis_f64() / 1e3;
        let usual = self.median_s * (1.645 * self.spread).exp();
        fades_by_e_in_s * (peak * threshold_s / (threshold_s - usual)).ln()
    }

    /// How long the `number`th call takes (or would take) if it starts now, beside so many others.
    pub(super) fn latency(&self, scenario: &Scenario, number: u64, start: Instant, in_flight: usize) -> Latency {
        let mut noise = Noise::new(self.seed ^ number.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        let (share, gauss) = (noise.unit(), noise.gauss());
        let threshold_s = self.threshold.as_millis_f64() / 1e3;
        let usual = self.median_s * (self.spread * gauss).exp();
        let slow = threshold_s * self.slow_factor * (0.15 * gauss).exp();
        let seconds = match scenario.condition(start) {
            Condition::Well => usual,
            Condition::Slow => slow,
            Condition::SomeSlow => {
                if share < self.partial_share {
                    slow
                } else {
                    usual
                }
            }
            Condition::Hanging => MAX_CALL_S,
            Condition::Fading(times) => usual + threshold_s * times,
            Condition::Loaded { capacity } => {
                let room = BUSY / LOAD;
                let crowding = in_flight as f64 / room;
                usual / capacity * (1.0 + crowding * crowding)
            }
        };
        Latency::from_micros((seconds.min(MAX_CALL_S) * 1e6) as u32)
    }
}
