//! High rates: hundreds of calls start within a threshold, and the fast ones finish before the first slow one is known to be slow.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use tripline_backends::config::{parse, recommended};
use tripline_core::{Instant, Latency, Outcome, Policy};
use tripline_runtime::test_util::ManualClock;
use tripline_runtime::{Breaker, Clock as _, OwnedTimedPermit};
use tripline_tests::noise::Noise;

/// Calls at random times, of which a share is slow for one and a half to five thresholds.
#[derive(Debug, Clone, Copy)]
struct Service {
    calls_per_second: f64,
    threshold_s: f64,
    slow_share: f64,
}

/// Counts of all calls.
#[derive(Debug, Default)]
struct Fate {
    calls: u32,
    rejected: u32,
}

impl Service {
    fn policy(&self) -> Policy {
        let mut policy = parse(&recommended(), "recommended").unwrap().0.breaker.policy;
        policy.latency_threshold = Latency::from_micros((self.threshold_s * 1e6) as u32);
        policy
    }

    fn latency_s(&self, noise: &mut Noise) -> f64 {
        let of_threshold =
            if noise.chance(self.slow_share) { 1.5 + 3.5 * noise.unit() } else { 0.05 + 0.4 * noise.unit() };
        of_threshold * self.threshold_s
    }

    /// Lives for so long behind the shared breaker, which finds its stalled calls itself.
    ///
    /// Not in a `World`, whose tasks, one for each call, make this file take 8.5 s of processor time in place of 4.5 s.
    fn live(&self, seconds: f64, seed: u64) -> Fate {
        let mut noise = Noise::new(seed);
        let clock = Arc::new(ManualClock::new(Instant::ZERO));
        let breaker = Breaker::builder(clock.clone()).policy(self.policy()).seed(seed).build().unwrap();
        let (mut in_flight, mut ends) = (Vec::new(), BinaryHeap::new());
        let (mut fate, mut start_s) = (Fate::default(), 0.0);
        while start_s < seconds {
            start_s += -noise.unit().ln() / self.calls_per_second;
            let start = nanos(start_s);
            while let Some(&Reverse((end, call))) = ends.peek().filter(|Reverse((end, _))| *end <= start) {
                ends.pop();
                go_to(&breaker, &clock, end);
                let timed: Option<OwnedTimedPermit> = std::mem::take(&mut in_flight[call]);
                timed.unwrap().finish(Outcome::Ok);
            }
            go_to(&breaker, &clock, start);
            fate.calls += 1;
            match breaker.try_start_owned() {
                Ok(timed) => {
                    ends.push(Reverse((nanos(start_s + self.latency_s(&mut noise)), in_flight.len())));
                    in_flight.push(Some(timed));
                }
                Err(_) => fate.rejected += 1,
            }
        }
        fate
    }
}

/// Lets time pass as a supervisor does, to each moment at which something is due.
fn go_to(breaker: &Breaker, clock: &ManualClock, nanos: u64) {
    while let Some(due) = breaker.next_deadline(clock.now()).filter(|due| *due < Instant::from_nanos(nanos)) {
        // A deadline that stays must not stop time.
        let due = due.max(clock.now() + Duration::from_micros(1));
        clock.set(due);
        breaker.handle_timeout(due);
    }
    clock.set(Instant::from_nanos(nanos).max(clock.now()));
}

fn nanos(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}

#[test]
fn a_healthy_service_of_many_calls_within_a_threshold_stays_up() {
    for (calls_per_second, threshold_s) in [(300.0, 1.0), (1_000.0, 1.0), (2_000.0, 0.3)] {
        for slow_share in [0.01, 0.02, 0.03] {
            let service = Service { calls_per_second, threshold_s, slow_share };
            let fate = service.live(60.0, 99);
            println!("{service:?}: {fate:?}");
            assert!(fate.rejected * 100 <= fate.calls, "{service:?}: {fate:?}");
        }
    }
}

#[test]
fn a_start_with_few_slow_calls_does_not_trip() {
    for calls_per_threshold in [300.0, 600.0, 1_500.0] {
        for slow_share in [0.01, 0.02, 0.03] {
            let service = Service { calls_per_second: calls_per_threshold / 0.3, threshold_s: 0.3, slow_share };
            let tripped = (0..20).filter(|&seed| service.live(0.9, seed).rejected > 0).count();
            println!("{calls_per_threshold} calls per threshold, {slow_share} slow: {tripped} of 20 starts trip");
            assert!(tripped <= 2, "{service:?}: {tripped}");
        }
    }
}

/// And yet it is found when all calls hang, or half of them.
#[test]
fn an_outage_of_many_calls_within_a_threshold_is_found() {
    for slow_share in [0.25, 0.5, 1.0] {
        let service = Service { calls_per_second: 1_000.0, threshold_s: 0.3, slow_share };
        let fate = service.live(20.0, 7);
        assert!(fate.rejected * 2 > fate.calls, "{service:?}: {fate:?}");
    }
}
