//! When calls hang, the trip comes within one threshold plus one refresh after the start of the call that completes the
//! evidence. A core without a runtime determines which call that is.
//!
//! `cargo test -p tripline-tests --test decisions hanging -- --nocapture` prints how late the trips came.

use std::num::NonZeroU16;
use std::time::Duration;

use tripline_core::{
    Breaker as Core, Confidence, Instant, Latency, Outcome, Policy, Ratio, StateKind, Trip, TripAfter, TripReason,
};
use tripline_runtime::test_util::{Subject, World};
use tripline_tests::noise::Noise;
use tripline_tests::setup::{original_policy, own_time};
use tripline_tests::sim_support::{kind, ms, s};

/// Longer than any test lasts.
const FOR_EVER: Duration = s(3_600);
const CONFIDENCES: [f64; 4] = [0.0, 0.5, 0.95, 0.99];

/// How often the runtime looks for calls that hang, at least.
fn refresh(policy: &Policy) -> Duration {
    (Duration::from(policy.latency_threshold) / 8).max(ms(10))
}

fn threshold(policy: &Policy) -> Duration {
    policy.latency_threshold.into()
}

/// A healthy service that hangs from one call to the next.
struct Service {
    policy: Policy,
    interval: Duration,
    poisson: bool,
    /// How many calls are well before.
    healthy: u32,
    noise: Noise,
}

impl Service {
    /// A call every 1 to 200 ms, a threshold of 50 ms to 5 s, a window of 10 to 256, up to two windows of good calls.
    fn draw(seed: u64, confidence: f64) -> Self {
        let mut noise = Noise::new(seed ^ 0x4A46_1456);
        let mut log_between = |low: f64, high: f64| low * (high / low).powf(noise.unit());
        let interval = Duration::from_secs_f64(log_between(0.001, 0.2));
        let mut policy = original_policy();
        policy.latency_threshold = Latency::from_micros((log_between(0.05, 5.0) * 1e6) as u32);
        let window = log_between(10.0, 256.0) as u16;
        policy.latency_window_size = NonZeroU16::new(window).unwrap();
        policy.trip_confidence = Confidence::new(confidence).unwrap();
        // How long evidence must last has tests of its own.
        policy.trip_after = TripAfter::Millis(0);
        policy.wait_jitter = Ratio::ZERO;
        // What ages changes which call completes the evidence; it has its own tests.
        policy.latency_max_age = s(3_600);
        let healthy = (noise.unit() * 2.0 * f64::from(window)) as u32;
        Self { policy, interval, poisson: seed % 2 == 1, healthy, noise }
    }

    /// The starts of the next `count` calls, from `now` on.
    fn starts(&mut self, now: Instant, count: u32) -> Vec<Instant> {
        let mut at = now;
        let mut next = || {
            let factor = if self.poisson { -self.noise.unit().ln() } else { 1.0 };
            let start = at;
            at = start + self.interval.mul_f64(factor);
            start
        };
        (0..count).map(|_| next()).collect()
    }

    /// Good calls from `now` on: when they start, and how long they take.
    fn good_calls(&mut self, now: Instant) -> Vec<(Instant, Latency)> {
        let starts = self.starts(now, self.healthy);
        let threshold_us = f64::from(self.policy.latency_threshold.as_micros());
        let mut latency = || Latency::from_micros((threshold_us * (0.05 + 0.85 * self.noise.unit())) as u32);
        starts.into_iter().map(|start| (start, latency())).collect()
    }
}

/// The start of the call that completes the evidence: of the hanging calls, in the order of their starts, the first with
/// which a core that knows the same good calls trips.
fn completes_the_evidence(core: &Core<1_024>, hanging: &[Instant]) -> Option<(usize, Instant)> {
    let slow_after = threshold(&core.policy());
    (1..=hanging.len()).zip(hanging).find_map(|(count, &start)| {
        let mut told = core.clone();
        told.handle_stalled(start + slow_after, told.generation(), u16::try_from(count).unwrap());
        (told.state().kind() == StateKind::Open).then_some((count, start))
    })
}

/// A core that has seen these calls finish.
fn core_after(policy: &Policy, good: &[(Instant, Latency)]) -> Core<1_024> {
    let mut core = Core::new(policy.clone(), 1).unwrap();
    let mut ends: Vec<_> = good.iter().map(|&(start, latency)| (start + Duration::from(latency), latency)).collect();
    ends.sort();
    for (end, latency) in ends {
        core.handle_finished(end, core.generation(), latency, Outcome::Ok);
    }
    assert_eq!(core.state().kind(), StateKind::Closed);
    core
}

fn advance_to(world: &World, at: Instant) {
    world.advance(at.since(world.now()));
}

/// Good calls are made, all of which are admitted.
fn make(world: &World, subject: &Subject, calls: &[(Instant, Latency)]) {
    for &(start, latency) in calls {
        advance_to(world, start);
        assert!(world.request(&subject.breaker, latency.into(), Outcome::Ok));
    }
}

/// Makes calls that never come back, until one is rejected.
fn hang(world: &World, subject: &Subject, starts: &[Instant]) {
    for &start in starts {
        advance_to(world, start);
        if !world.request(&subject.breaker, FOR_EVER, Outcome::Ok) {
            return;
        }
    }
}

fn last_trip(subject: &Subject) -> Option<Trip> {
    subject.breaker.read(Core::last_trip)
}

/// Holds the trip against its bound; how late it came, as a share of the refresh.
#[track_caller]
fn lateness(subject: &Subject, policy: &Policy, completed_at: Instant) -> f64 {
    let trip = last_trip(subject).expect("it tripped");
    assert_eq!(trip.reason, TripReason::Latency);
    let earliest = own_time(completed_at + threshold(policy));
    assert!(trip.at >= earliest, "the call was not slow yet: {trip:?}, not before {earliest:?}");
    let share = trip.at.since(earliest).as_secs_f64() / refresh(policy).as_secs_f64();
    assert!(share <= 1.0, "{share} of a refresh late: {trip:?}, {earliest:?}, {policy:?}");
    share
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[test]
fn with_all_calls_hanging_the_trip_comes_within_a_threshold_and_a_refresh() {
    println!("| trip_confidence | services | calls that complete the evidence, median | late by, median | at worst |");
    println!("|---|---|---|---|---|");
    for confidence in CONFIDENCES {
        let services = 40;
        let (mut counts, mut late) = (Vec::new(), Vec::new());
        for seed in 0..services {
            let mut service = Service::draw(seed, confidence);
            let policy = service.policy.clone();
            let world = World::new(seed);
            let subject = world.breaker(policy.clone()).unwrap();
            let good = service.good_calls(world.now());
            make(&world, &subject, &good);
            let hangs_from = world.now() + service.interval;
            let in_a_threshold = threshold(&policy).as_secs_f64() / service.interval.as_secs_f64();
            let hanging = service.starts(hangs_from, 400 + 2 * in_a_threshold as u32);
            let (count, completed_at) = completes_the_evidence(&core_after(&policy, &good), &hanging).unwrap();
            hang(&world, &subject, &hanging);
            late.push(lateness(&subject, &policy, completed_at));
            counts.push(count as f64);
        }
        let worst = late.iter().copied().fold(0.0, f64::max);
        println!(
            "| {confidence} | {services} | {} | {:.0} % of a refresh | {:.0} % |",
            median(counts),
            median(late) * 100.0,
            worst * 100.0
        );
    }
}

/// As a replay reports them: each call at the very instant at which it becomes slow.
#[test]
fn without_delay_it_trips_exactly_when_the_call_becomes_slow() {
    for confidence in CONFIDENCES {
        for seed in 0..200 {
            let mut service = Service::draw(seed, confidence);
            let policy = service.policy.clone();
            let good = service.good_calls(Instant::from_millis(1_000));
            let hangs_from = good.last().map_or(Instant::from_millis(1_000), |&(start, _)| start + service.interval);
            let hanging = service.starts(hangs_from, 400);
            let mut core = core_after(&policy, &good);
            let (_, completed_at) = completes_the_evidence(&core, &hanging).unwrap();
            for (stalled, &start) in (1..).zip(&hanging) {
                core.handle_stalled(start + threshold(&policy), core.generation(), stalled);
            }
            assert_eq!(core.last_trip().unwrap().at, own_time(completed_at + threshold(&policy)), "{seed}: {policy:?}");
        }
    }
}

/// A pool of workers, each of which calls again when its call is back: once all hang, no further call comes.
#[test]
fn when_all_workers_hang_and_no_call_comes_the_supervisor_alone_trips() {
    for confidence in CONFIDENCES {
        for seed in 0..20 {
            let mut service = Service::draw(seed, confidence);
            // Forty hanging calls are enough beside a window of 64.
            service.policy.latency_window_size = NonZeroU16::new(64).unwrap();
            let policy = service.policy.clone();
            let world = World::new(seed);
            let subject = world.breaker(policy.clone()).unwrap();
            let good = service.good_calls(world.now());
            make(&world, &subject, &good);
            let pool = service.starts(world.now() + service.interval, 40);
            let (_, completed_at) = completes_the_evidence(&core_after(&policy, &good), &pool).unwrap();
            hang(&world, &subject, &pool);
            world.advance(threshold(&policy) + refresh(&policy));
            lateness(&subject, &policy, completed_at);
        }
    }
}

/// A closed breaker that has just recovered knows nothing: as many calls must hang as it needs at all.
#[test]
fn calls_that_hang_right_after_a_recovery_trip_as_soon() {
    for confidence in CONFIDENCES {
        for seed in 0..20 {
            let mut service = Service::draw(seed, confidence);
            let policy = service.policy.clone();
            let world = World::new(seed);
            let subject = world.breaker(policy.clone()).unwrap();
            let first = service.starts(world.now(), 10_000);
            hang(&world, &subject, &first);
            assert_eq!(kind(&subject.breaker), StateKind::Open);
            world.advance(policy.wait_time);
            for _ in 0..policy.half_open_max_calls {
                assert!(world.request(&subject.breaker, Duration::ZERO, Outcome::Ok));
            }
            assert_eq!(kind(&subject.breaker), StateKind::Closed);
            let again = service.starts(world.now(), 10_000);
            let (_, completed_at) = completes_the_evidence(&core_after(&policy, &[]), &again).unwrap();
            hang(&world, &subject, &again);
            lateness(&subject, &policy, completed_at);
        }
    }
}

/// The first probe that hangs is enough, without a further call.
#[test]
fn a_probe_that_hangs_opens_the_breaker_again_within_a_threshold_and_a_refresh() {
    for seed in 0..20 {
        let mut service = Service::draw(seed, 0.9);
        let policy = service.policy.clone();
        let world = World::new(seed);
        let subject = world.breaker(policy.clone()).unwrap();
        let first = service.starts(world.now(), 10_000);
        hang(&world, &subject, &first);
        world.advance(policy.wait_time);
        let probe_at = world.now();
        assert!(world.request(&subject.breaker, FOR_EVER, Outcome::Ok));
        assert_eq!(kind(&subject.breaker), StateKind::HalfOpen);
        world.advance(threshold(&policy) + refresh(&policy));
        let trip = last_trip(&subject).unwrap();
        assert_eq!((trip.reason, kind(&subject.breaker)), (TripReason::ProbeSlow, StateKind::Open));
        assert!(trip.at >= own_time(probe_at + threshold(&policy)), "{trip:?}");
    }
}

/// An eighth of the calls hang for 5 s, a call comes every 20 ms, and the others are well.
#[test]
fn a_service_of_which_every_eighth_call_hangs_for_a_while_trips() {
    let mut policy = original_policy();
    policy.latency_threshold = Latency::from_millis(300);
    policy.trip_confidence = Confidence::new(0.95).unwrap();
    policy.trip_after = TripAfter::Millis(0);
    let mut calls_until_trip = Vec::new();
    for seed in 0..30 {
        let world = World::new(seed);
        let mut noise = Noise::new(seed);
        let subject = world.breaker(policy.clone()).unwrap();
        let mut call = |hanging: f64| {
            let latency = if noise.chance(hanging) { s(5) } else { ms(50) };
            world.advance(ms(20));
            world.request(&subject.breaker, latency, Outcome::Ok)
        };
        assert!((0..1_000).all(|_| call(0.0)));
        let calls = (0..1_000).take_while(|_| call(0.12)).count();
        assert!(calls < 500, "seed {seed}: {calls} calls");
        calls_until_trip.push(calls as f64);
    }
    let median = median(calls_until_trip);
    println!("12 % of the calls hang for 5 s: rejected from call {median} on, median of 30");
    assert!(median <= 200.0, "{median}");
}
