//! Inputs of the core, decoded from the bytes: core and naive model agree after each.

use std::num::NonZeroU16;
use std::time::Duration;

use tripline_core::{
    Backoff, IncidentCause, Latency, MemorySample, MemoryThreshold, Outcome, Percentile, Policy, Ratio, TripReason,
};
use tripline_tests::setup::original_policy;

#[allow(dead_code, unreachable_pub, reason = "the property tests use all of it")]
#[path = "../../tests/core_rules/inputs/mod.rs"]
mod inputs;
#[allow(dead_code, unreachable_pub, reason = "the property tests use all of it")]
#[path = "../../tests/core_rules/pair.rs"]
mod pair;

use inputs::{Input, N};
use pair::Pair;

/// The model looks at everything that it has kept with each input.
const MAX_INPUTS: usize = 150;

pub fn run(data: &[u8]) {
    let mut bytes = Bytes(data);
    let mut pair = Pair::new(&bytes.policy());
    for _ in 0..MAX_INPUTS {
        let Some(kind) = bytes.next() else { return };
        if !pair.feed(&bytes.input(kind)) {
            return;
        }
    }
}

/// What is left of the bytes; zeros where there are none.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn byte(&mut self) -> u8 {
        self.next().unwrap_or(0)
    }

    fn wide(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::from(self.byte()) % from.len()]
    }

    /// From 0 to 1.
    fn share(&mut self) -> f64 {
        f64::from(self.byte()) / 255.0
    }

    fn policy(&mut self) -> Policy {
        let mut policy = original_policy();
        policy.latency_threshold = Latency::from_millis(self.pick(&[1, 20, 100]));
        policy.percentile = Percentile::new(self.pick(&[0.5, 0.95, 0.99, 1.0, 0.25])).unwrap();
        policy.latency_window_size = NonZeroU16::new(u16::from(self.byte()) % N as u16 + 1).unwrap();
        let max_age_ms: u64 = self.pick(&[0, 5, 50, 1_000, 60_000, 50_000_000]);
        policy.latency_max_age = Duration::from_micros(max_age_ms * 1_000 + 500);
        policy.minimum_samples = self.pick(&[None, Some(1), Some(3), Some(10), Some(39)]);
        policy.trend_analysis = self.pick(&[false, true]);
        policy.trend_minimum_samples = u16::from(self.byte() % 12);
        policy.failure_rate_threshold = Ratio::new(self.pick(&[0.0, 0.14, 0.5, 1.0])).unwrap();
        policy.wait_time = Duration::from_millis(self.pick(&[0, 1, 100, 2_000]));
        policy.wait_backoff = Backoff::new(self.pick(&[1.0, 1.5, 2.0])).unwrap();
        policy.max_wait_time = Duration::from_millis(self.pick(&[0, 500, 10_000]));
        policy.half_open_max_calls = u16::from(self.byte() % 6);
        policy.recovery_time = Duration::from_millis(self.pick(&[0, 20, 500, 60_000]));
        policy.memory_threshold = MemoryThreshold::new(0.05 + 0.9 * self.share()).unwrap();
        policy.memory_hysteresis = Ratio::new(self.share()).unwrap();
        policy.enabled = self.pick(&[true, true, true, false]);
        policy.memory_horizon = Duration::from_secs(self.pick(&[0, 60]));
        policy.memory_horizon_trips = self.pick(&[false, true]);
        policy.wait_jitter = Ratio::ZERO;
        policy
    }

    fn latency(&mut self) -> Latency {
        match self.byte() {
            0 => Latency::MAX,
            1..=40 => Latency::from_micros(u32::from(self.wide())),
            millis => Latency::from_millis(u32::from(millis) - 41),
        }
    }

    fn outcome(&mut self) -> Outcome {
        self.pick(&[Outcome::Ok, Outcome::Failed, Outcome::Ignored])
    }

    fn memory(&mut self) -> Option<MemorySample> {
        match self.byte() {
            0 => None,
            1 => Some(MemorySample { used: 1, limit: None }),
            2 => Some(MemorySample { used: 1, limit: Some(0) }),
            used => Some(MemorySample { used: u64::from(used) % 120, limit: Some(100) }),
        }
    }

    fn span_ms(&mut self) -> u64 {
        let length = u64::from(self.wide());
        match self.byte() % 4 {
            0 => length % 20,
            1 => length % 3_000,
            2 => length * 11,
            // Ages are counted modulo 2^31 steps of 2^17 ns: just after one round.
            _ => 281_474_977 + length % 128,
        }
    }

    fn input(&mut self, kind: u8) -> Input {
        match kind % 20 {
            0 | 1 => Input::Admit,
            2..=4 => {
                let which = usize::from(self.byte() % 8);
                let (latency, outcome) = (self.latency(), self.outcome());
                Input::Finish { which, latency, outcome, late_ms: self.pick(&[0_u64, 0, 0, 5, 250]) }
            }
            5..=7 => Input::Calls {
                count: self.byte() % 24,
                first_ms: u32::from(self.byte()),
                step_ms: i32::from(self.byte() % 28) - 8,
                outcome: self.outcome(),
                spacing_ms: u64::from(self.byte() % 4),
            },
            8 => Input::Drop(usize::from(self.byte() % 8)),
            9 => Input::Stalled { count: u16::from(self.byte() % 6), which: usize::from(self.byte() % 8) },
            10 => Input::Memory(self.memory()),
            11 => Input::Forecast(self.pick(&[true, false])),
            12..=14 => Input::Pass(self.span_ms()),
            15 => Input::Time,
            16 => Input::Policy(Box::new(self.policy())),
            17 => Input::SetBack(u64::from(self.wide())),
            18 => match self.byte() % 8 {
                0 | 1 => Input::Reset,
                2 => Input::Enable,
                3 => Input::Disable,
                4 => Input::ForceOpen,
                5 => Input::Resume(IncidentCause::LatencyCondition, None),
                6 => Input::Resume(IncidentCause::LatencyCondition, Some(TripReason::Latency)),
                _ => Input::Resume(IncidentCause::Trip(TripReason::Memory), None),
            },
            _ => match self.byte() % 4 {
                0 => Input::SimulateMemory,
                1 => Input::SimulateLatency,
                _ => Input::Undo,
            },
        }
    }
}
