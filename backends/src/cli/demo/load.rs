//! The delay of the demo endpoint behind each breaker, and the scenarios that slow it down.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tripline_runtime::{Breaker, BreakerName};

use crate::api::ApiError;
use crate::circuit::Circuit;
use crate::memory::MockMemory;

/// The delay of the endpoint in normal operation.
const NORMAL_DELAY: Duration = Duration::from_millis(20);
/// Number of requests that a latency spike slows down.
const SPIKE_REQUESTS: u64 = 100;
/// The maximum delay that can be set.
pub(super) const MAX_DELAY: Duration = Duration::from_secs(60);

/// A disturbance of the endpoint.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scenario {
    HighLatency,
    LatencySpike,
    MemoryOverload,
    ResetNormal,
}

/// The load on the endpoint. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Load {
    paces: Arc<Mutex<Paces>>,
    /// The mock memory, if the configuration selects it.
    memory: Option<MockMemory>,
}

/// The delays of the endpoint.
#[derive(Debug, Default)]
struct Paces {
    /// The delay behind breakers without an entry in `named`.
    usual: Pace,
    /// The delays behind single breakers, by name.
    named: BTreeMap<BreakerName, Pace>,
}

#[derive(Debug, Clone, Copy)]
struct Pace {
    delay: Delay,
    /// Number of next requests that take twice the threshold.
    spike_left: u64,
}

#[derive(Debug, Clone, Copy)]
enum Delay {
    Fixed(Duration),
    TwiceTheThreshold,
}

impl Default for Pace {
    fn default() -> Self {
        Self { delay: Delay::Fixed(NORMAL_DELAY), spike_left: 0 }
    }
}

impl Load {
    pub(super) fn new(memory: Option<MockMemory>) -> Self {
        Self { paces: Arc::default(), memory }
    }

    /// The delay of a request that starts now behind `breaker`.
    pub(super) fn next_delay(&self, breaker: &Breaker) -> Duration {
        let mut paces = self.lock();
        let Paces { usual, named } = &mut *paces;
        let pace = named.get_mut(breaker.name()).unwrap_or(usual);
        let is_spike = pace.spike_left > 0;
        pace.spike_left = pace.spike_left.saturating_sub(1);
        match pace.delay {
            Delay::Fixed(delay) if !is_spike => delay,
            _ => (Duration::from(breaker.slow_after()) * 2).min(MAX_DELAY),
        }
    }

    /// Sets the delay of a request behind the breaker of this name, or behind all.
    pub(super) fn set_delay(&self, name: Option<&BreakerName>, delay: Duration) {
        self.change(name, |pace| *pace = Pace { delay: Delay::Fixed(delay), spike_left: 0 });
    }

    /// Starts `scenario` behind the breaker of this name, or behind all of `circuits`.
    ///
    /// # Errors
    /// 409 if memory cannot be simulated because every breaker is disabled or forced open.
    pub(super) fn start(
        &self,
        scenario: Scenario,
        name: Option<&BreakerName>,
        circuits: &[Circuit],
    ) -> Result<(), ApiError> {
        // All breakers share one mock memory.
        let memory = self.memory.as_ref().filter(|_| name.is_none());
        match scenario {
            Scenario::HighLatency => {
                self.change(name, |pace| *pace = Pace { delay: Delay::TwiceTheThreshold, spike_left: 0 });
            }
            Scenario::LatencySpike => self.change(name, |pace| pace.spike_left = SPIKE_REQUESTS),
            Scenario::MemoryOverload => {
                if let Some(memory) = memory {
                    memory.set_percent(99);
                } else {
                    let simulated = circuits.iter().filter(|circuit| circuit.breaker().simulate_memory()).count();
                    if simulated == 0 {
                        let words = "the breaker is disabled or forced open; enable or reset it first";
                        return Err(ApiError::conflict(words));
                    }
                }
            }
            Scenario::ResetNormal => {
                self.set_delay(name, NORMAL_DELAY);
                if let Some(memory) = memory {
                    memory.set_percent(50);
                }
                for circuit in circuits {
                    circuit.breaker().undo_simulations();
                }
            }
        }
        Ok(())
    }

    /// Changes the delay of one breaker. Without a name, changes the common delay and removes the others.
    fn change(&self, name: Option<&BreakerName>, change: impl FnOnce(&mut Pace)) {
        let mut paces = self.lock();
        let Paces { usual, named } = &mut *paces;
        if let Some(name) = name {
            change(named.entry(name.clone()).or_insert(*usual));
        } else {
            named.clear();
            change(usual);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Paces> {
        // No code panics while it holds the lock.
        self.paces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Scenario {
    pub(super) const ALL: [Self; 4] = [Self::HighLatency, Self::LatencySpike, Self::MemoryOverload, Self::ResetNormal];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::HighLatency => "high_latency",
            Self::LatencySpike => "latency_spike",
            Self::MemoryOverload => "memory_overload",
            Self::ResetNormal => "reset_normal",
        }
    }

    pub(super) const fn effect(self) -> &'static str {
        match self {
            Self::HighLatency => "every request takes twice the threshold",
            Self::LatencySpike => "the next 100 requests take twice the threshold",
            Self::MemoryOverload => "memory runs out: mock memory is filled, of real memory it is simulated",
            Self::ResetNormal => "requests are fast and memory is half used again; the breaker recovers by itself",
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tripline_runtime::test_util::ManualClock;

    fn circuit(name: &str) -> Circuit {
        let builder = Breaker::builder(Arc::new(ManualClock::default())).name(BreakerName::new(name).unwrap());
        Circuit::new(builder.build().unwrap())
    }

    #[test]
    fn a_named_breaker_goes_its_own_way_until_all_are_set() {
        let (load, circuits) = (Load::new(None), ["a", "b"].map(circuit));
        let delays = |load: &Load| circuits.each_ref().map(|circuit| load.next_delay(circuit.breaker()));
        let [a, _] = circuits.each_ref().map(|circuit| circuit.name().clone());
        let (second, twice) = (Duration::from_secs(1), Duration::from(circuits[0].breaker().slow_after()) * 2);
        load.set_delay(Some(&a), second);
        assert_eq!(delays(&load), [second, NORMAL_DELAY]);
        load.start(Scenario::HighLatency, Some(&a), &circuits[..1]).unwrap();
        assert_eq!(delays(&load), [twice, NORMAL_DELAY]);
        load.start(Scenario::LatencySpike, None, &circuits).unwrap();
        assert_eq!(delays(&load), [twice, twice]);
        load.start(Scenario::ResetNormal, None, &circuits).unwrap();
        assert_eq!(delays(&load), [NORMAL_DELAY; 2]);
    }

    #[test]
    fn memory_of_a_named_breaker_is_simulated_and_mock_memory_is_that_of_all() {
        let memory = MockMemory::default();
        let (load, circuits) = (Load::new(Some(memory)), ["a", "b"].map(circuit));
        let a = circuits[0].name().clone();
        load.start(Scenario::MemoryOverload, Some(&a), &circuits[..1]).unwrap();
        let is_drill = circuits.each_ref().map(|circuit| {
            circuit.breaker().read(|core| circuit.breaker().explain(core)).is_some_and(|why| why.is_drill)
        });
        assert_eq!(is_drill, [true, false]);
        circuits[0].breaker().disable();
        assert!(load.start(Scenario::MemoryOverload, Some(&a), &circuits[..1]).is_err());
    }
}
