//! A service that is healthy most of the time, with the latency of its calls.

use std::time::Duration;

use tripline_core::{Instant, Latency};

use super::fault::{Condition, Fault, Scenario, WELL_BEFORE_S, at};
use crate::noise::Noise;

/// Maximum time that a caller waits for a response.
const MAX_CALL_S: f64 = 30.0;
/// Number of concurrent calls of a busy service.
const BUSY: f64 = 6.0;
/// The share of its capacity that a busy service uses; from a half on it could not recover by itself.
const LOAD: f64 = 0.25;

/// The properties of a healthy service.
#[derive(Debug, Clone)]
pub struct Service {
    /// The seed of all its properties.
    pub seed: u64,
    /// The threshold of its users.
    pub threshold: Latency,
    /// Latency of its slow calls, as a multiple of the threshold.
    pub slow_factor: f64,
    /// The share of slow calls where only some are.
    pub partial_share: f64,
    /// Factor on the length of its long faults.
    stretch: f64,
    median_s: f64,
    /// The deviation of the logarithm of a latency.
    spread: f64,
    interval_s: f64,
    /// Whether calls arrive at random, or evenly.
    poisson: bool,
}

impl Service {
    /// Draws a service: threshold 100 ms to 1 s, 12 to 50 calls a second, and less than 1 % slow calls while it is
    /// healthy.
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

    /// Sets the interval between calls.
    #[must_use]
    pub fn with_interval(mut self, interval: Duration) -> Self {
        self.interval_s = interval.as_secs_f64();
        self
    }

    /// Returns the mean interval between calls.
    pub fn interval(&self, scenario: &Scenario) -> Duration {
        let busy = scenario.is_load_dependent();
        Duration::from_secs_f64(if busy { self.median_s / BUSY } else { self.interval_s })
    }

    /// Returns the time from this call to the next.
    pub(super) fn until_next(&self, scenario: &Scenario, noise: &mut Noise) -> Duration {
        let factor = if self.poisson { -noise.unit().ln() } else { 1.0 };
        self.interval(scenario).mul_f64(factor)
    }

    /// Returns the scenario with this service's length of fault.
    pub(super) fn stretched(&self, mut scenario: Scenario) -> Scenario {
        if scenario.varies {
            scenario.fault_s *= self.stretch;
        }
        scenario
    }

    /// Returns when the service is healthy again.
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

    /// Returns when a fading fault has faded: 95 % of the calls are below the threshold again.
    fn faded_after_s(&self, peak: f64, fades_by_e_in_s: f64) -> f64 {
        let threshold_s = self.threshold.as_millis_f64() / 1e3;
        let usual = self.median_s * (1.645 * self.spread).exp();
        fades_by_e_in_s * (peak * threshold_s / (threshold_s - usual)).ln()
    }

    /// Returns the latency of the `number`th call if it starts now, with this many calls in flight.
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
