//! A simulated day: quiet traffic with bursts, two latency incidents, and memory pressure at night.

use std::time::Duration;

use tripline_core::{IncidentCause, IncidentEnd, Latency, Outcome, StateKind, TripReason};
use tripline_runtime::Stage;
use tripline_runtime::test_util::World;
use tripline_tests::setup::original_policy;
use tripline_tests::sim_support::{Entry, StateLog, ms, s};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// The result of a day.
#[derive(Debug, PartialEq)]
struct Day {
    states: Vec<Entry>,
    alerts: Vec<(u64, IncidentCause, Stage)>,
    admitted: u64,
    rejected: u64,
    ended: StateKind,
}

/// The traffic of the hour: calls in this second, and their latency.
fn traffic(second: u64, random: &mut Random) -> (u32, Duration) {
    let calls = if second % HOUR < MINUTE { 5 } else { 1 };
    let noise = random.below(60);
    let is_slow = (9 * HOUR..9 * HOUR + 4 * MINUTE).contains(&second)
        || (16 * HOUR + 30 * MINUTE..16 * HOUR + 45 * MINUTE).contains(&second);
    (calls, if is_slow { ms(2_000 + noise * 10) } else { ms(20 + noise) })
}

fn memory_percent(second: u64) -> u64 {
    if (2 * HOUR..2 * HOUR + 10 * MINUTE).contains(&second) { 92 } else { 55 }
}

fn a_day(seed: u64) -> Day {
    let world = World::new(seed);
    let mut random = Random(seed);
    let mut policy = original_policy();
    policy.latency_threshold = Latency::from_millis(1_500);
    policy.sample_interval = s(5);
    let subject = world.breaker(policy).unwrap();
    let log = StateLog::watch(&world, &subject.breaker);
    let mut admitted = 0;
    for second in 0..24 * HOUR {
        subject.memory.set_percent(memory_percent(second));
        let (calls, latency) = traffic(second, &mut random);
        for _ in 0..calls {
            admitted += u64::from(world.request(&subject.breaker, latency, Outcome::Ok));
        }
        world.advance(s(1));
    }
    assert!(log.is_complete());
    Day {
        states: log.entries(),
        alerts: subject.alerts.all().iter().map(|alert| (alert.incident, alert.cause, alert.stage)).collect(),
        admitted,
        rejected: subject.breaker.rejected(),
        ended: tripline_tests::sim_support::kind(&subject.breaker),
    }
}

/// A linear congruential generator (Knuth's MMIX constants); its high bits are good enough for a latency.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn three_incidents() -> Vec<(u64, IncidentCause, Stage)> {
    [(1, TripReason::Memory), (2, TripReason::Latency), (3, TripReason::Latency)]
        .into_iter()
        .flat_map(|(number, reason)| {
            let cause = IncidentCause::Trip(reason);
            [(number, cause, Stage::Single), (number, cause, Stage::Resolved(IncidentEnd::Healthy))]
        })
        .collect()
}

#[test]
fn the_same_seed_gives_the_same_day_to_the_nanosecond() {
    let day = a_day(1);
    assert_eq!(day, a_day(1));
    assert_eq!(day.ended, StateKind::Closed);
    assert_eq!(day.admitted + day.rejected, 24 * HOUR + 24 * MINUTE * 4);
    assert!(day.rejected > 15 * MINUTE, "most of 29 bad minutes: {}", day.rejected);
}

#[test]
fn every_seed_gives_the_same_three_incidents() {
    for seed in 2..=4 {
        assert_eq!(a_day(seed).alerts, three_incidents(), "seed {seed}");
    }
}
