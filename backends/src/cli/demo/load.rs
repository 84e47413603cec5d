//! The delay of the demo endpoint behind each breaker, and the scenarios that slow it down.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tripline_runtime::{Breaker, BreakerName};

use crate::api::ApiError;
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
    /// The delay behind breakers without an entry in `own`.
    usual: Pace,
    /// The delays behind single breakers, families and members.
    own: BTreeMap<Target, Pace>,
}

/// A breaker, a family, or with a key a member of one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Target {
    name: BreakerName,
    key: Option<String>,
}

impl Target {
    /// The breaker or the family of this name.
    pub(super) fn named(name: &BreakerName) -> Self {
        Self { name: name.clone(), key: None }
    }

    /// This breaker, which may be a member.
    pub(super) fn of(breaker: &Breaker) -> Self {
        Self { name: breaker.name().clone(), key: breaker.key().map(str::to_owned) }
    }

    /// The family of a member.
    fn family(&self) -> Option<Self> {
        self.key.as_ref().map(|_| Self::named(&self.name))
    }
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
        let pace = paces.of(&Target::of(breaker));
        let is_spike = pace.spike_left > 0;
        pace.spike_left = pace.spike_left.saturating_sub(1);
        match pace.delay {
            Delay::Fixed(delay) if !is_spike => delay,
            _ => (Duration::from(breaker.slow_after()) * 2).min(MAX_DELAY),
        }
    }

    /// Sets the delay of a request behind `target`, or behind all.
    pub(super) fn set_delay(&self, target: Option<&Target>, delay: Duration) {
        self.change(target, |pace| *pace = Pace { delay: Delay::Fixed(delay), spike_left: 0 });
    }

    /// Starts `scenario` behind `target`, whose breakers are `breakers`, or behind all.
    ///
    /// # Errors
    /// 409 if memory cannot be simulated because every breaker is disabled or forced open.
    pub(super) fn start(
        &self,
        scenario: Scenario,
        target: Option<&Target>,
        breakers: &[Breaker],
    ) -> Result<(), ApiError> {
        // All breakers share one mock memory.
        let memory = self.memory.as_ref().filter(|_| target.is_none());
        match scenario {
            Scenario::HighLatency => {
                self.change(target, |pace| *pace = Pace { delay: Delay::TwiceTheThreshold, spike_left: 0 });
            }
            Scenario::LatencySpike => self.change(target, |pace| pace.spike_left = SPIKE_REQUESTS),
            Scenario::MemoryOverload => {
                if let Some(memory) = memory {
                    memory.set_percent(99);
                } else {
                    let simulated = breakers.iter().filter(|breaker| breaker.simulate_memory()).count();
                    if simulated == 0 {
                        let words = "the breaker is disabled or forced open; enable or reset it first";
                        return Err(ApiError::conflict(words));
                    }
                }
            }
            Scenario::ResetNormal => {
                self.set_delay(target, NORMAL_DELAY);
                if let Some(memory) = memory {
                    memory.set_percent(50);
                }
                breakers.iter().for_each(Breaker::undo_simulations);
            }
        }
        Ok(())
    }

    /// Changes the delay of one target; of a family, also that of its members. Without a target, changes the common delay and
    /// removes the others.
    fn change(&self, target: Option<&Target>, change: impl FnOnce(&mut Pace)) {
        let mut paces = self.lock();
        let Some(target) = target else {
            paces.own.clear();
            return change(&mut paces.usual);
        };
        let mut pace = *paces.of(target);
        change(&mut pace);
        paces.own.retain(|other, _| other.family().as_ref() != Some(target));
        paces.own.insert(target.clone(), pace);
    }

    fn lock(&self) -> MutexGuard<'_, Paces> {
        // No code panics while it holds the lock.
        self.paces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Paces {
    /// The pace of `target`: its own, else that of its family, else the common one.
    fn of(&mut self, target: &Target) -> &mut Pace {
        let family = target.family().filter(|_| !self.own.contains_key(target));
        self.own.get_mut(family.as_ref().unwrap_or(target)).unwrap_or(&mut self.usual)
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
    use tripline_runtime::{Family, FamilyLimits};

    fn breaker(name: &str) -> Breaker {
        let builder = Breaker::builder(Arc::new(ManualClock::default())).name(BreakerName::new(name).unwrap());
        builder.build().unwrap()
    }

    #[test]
    fn a_named_breaker_goes_its_own_way_until_all_are_set() {
        let (load, breakers) = (Load::new(None), ["a", "b"].map(breaker));
        let delays = |load: &Load| breakers.each_ref().map(|breaker| load.next_delay(breaker));
        let a = Target::of(&breakers[0]);
        let (second, twice) = (Duration::from_secs(1), Duration::from(breakers[0].slow_after()) * 2);
        load.set_delay(Some(&a), second);
        assert_eq!(delays(&load), [second, NORMAL_DELAY]);
        load.start(Scenario::HighLatency, Some(&a), &breakers[..1]).unwrap();
        assert_eq!(delays(&load), [twice, NORMAL_DELAY]);
        load.start(Scenario::LatencySpike, None, &breakers).unwrap();
        assert_eq!(delays(&load), [twice, twice]);
        load.start(Scenario::ResetNormal, None, &breakers).unwrap();
        assert_eq!(delays(&load), [NORMAL_DELAY; 2]);
    }

    #[test]
    fn a_member_goes_its_own_way_until_its_family_is_set() {
        let members = Breaker::builder(Arc::new(ManualClock::default())).name("tenants".parse().unwrap());
        let family = Family::new(members, FamilyLimits::default()).unwrap();
        // The keys contain a separator.
        let [one, other] = ["a", "a/b"].map(|key| family.get(key).unwrap());
        let load = Load::new(None);
        let delays = |load: &Load| [&one, &other].map(|member| load.next_delay(member).as_secs());
        let set = |target: &Target, seconds| load.set_delay(Some(target), Duration::from_secs(seconds));
        set(&Target::named(family.name()), 3);
        assert_eq!(delays(&load), [3, 3]);
        set(&Target::of(&one), 5);
        set(&Target::of(&other), 7);
        assert_eq!(delays(&load), [5, 7]);
        set(&Target::named(family.name()), 9);
        assert_eq!(delays(&load), [9, 9]);
    }

    #[test]
    fn memory_of_a_named_breaker_is_simulated_and_mock_memory_is_that_of_all() {
        let memory = MockMemory::default();
        let (load, breakers) = (Load::new(Some(memory)), ["a", "b"].map(breaker));
        let a = Target::of(&breakers[0]);
        load.start(Scenario::MemoryOverload, Some(&a), &breakers[..1]).unwrap();
        let is_drill = breakers
            .each_ref()
            .map(|breaker| breaker.read(|core| breaker.explain(core)).is_some_and(|why| why.is_drill));
        assert_eq!(is_drill, [true, false]);
        breakers[0].disable();
        assert!(load.start(Scenario::MemoryOverload, Some(&a), &breakers[..1]).is_err());
    }
}
