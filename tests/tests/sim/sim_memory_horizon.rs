//! Forecast exhaustion of memory: an alert is sent, the breaker opens if configured to, and closes again afterwards.

use std::sync::Arc;
use std::time::Duration;

use tripline_core::{
    Confidence, IncidentCause, IncidentEnd, MemorySample, MemoryThreshold, Outcome, Policy, RejectionReason, StateKind,
    TripReason,
};
use tripline_runtime::test_util::{MemoryStore, RecordingSink, Subject, World};
use tripline_runtime::{AlertKind, Breaker, MockMemory, Stage, StagingControl, SupervisedBreaker};
use tripline_tests::setup::original_policy;
use tripline_tests::sim_support::{FAST, SLOW, kind, ms, no_cooldown, quick_but, recover, report_many, s, staging};

use AlertKind::{CircuitOpen, MemoryThreshold as MemoryAlert};
use Stage::{Escalated, Initial, Single};

const HORIZON: Duration = s(60);
const HEALTHY: Stage = Stage::Resolved(IncidentEnd::Healthy);

/// Incidents begin and end after 30 s; the memory threshold is not reached for long.
fn warning() -> Policy {
    quick_but(|policy| {
        policy.memory_threshold = MemoryThreshold::new(0.95).unwrap();
        policy.memory_horizon = HORIZON;
    })
}

fn tripping() -> Policy {
    let mut policy = warning();
    policy.memory_horizon_trips = true;
    policy
}

/// Readings every 500 ms, in hundredths of a percent; each is by `step` more than the one before. The last one.
fn read(world: &World, memory: &MockMemory, from: u64, step: u64, readings: u64) -> u64 {
    for reading in 1..=readings {
        memory.set(Some(MemorySample { used: from + reading * step, limit: Some(10_000) }));
        world.advance(ms(500));
    }
    from + readings * step
}

/// Half a percent a second.
const STEP: u64 = 25;

/// 150 s at 40 %, then a leak until 59 s are left at 70.5 %.
fn leak(world: &World, memory: &MockMemory) -> u64 {
    read(world, memory, 4_000, 0, 300);
    read(world, memory, 4_000, STEP, 122)
}

fn has_forecast(breaker: &Breaker) -> bool {
    breaker.memory_exhausted_in().is_some()
}

fn reason(breaker: &Breaker) -> Option<TripReason> {
    breaker.read(|core| core.last_trip().map(|trip| trip.reason))
}

fn kinds(subject: &Subject) -> Vec<(AlertKind, Stage)> {
    subject.alerts.all().iter().map(|alert| (alert.kind, alert.stage)).collect()
}

#[test]
fn a_leak_is_forecast_with_its_time_and_alerted_when_it_has_held() {
    let world = World::new(1);
    let subject = world.staged_breaker(warning(), no_cooldown()).unwrap();
    let (breaker, memory) = (&subject.breaker, &subject.memory);
    read(&world, memory, 4_000, 0, 300);
    let used = read(&world, memory, 4_000, STEP, 112);
    assert!(!has_forecast(breaker), "64 s are left");
    let used = read(&world, memory, used, STEP, 10);
    let left = breaker.memory_exhausted_in().unwrap().as_secs();
    assert!((57..=60).contains(&left), "{left}");
    let used = read(&world, memory, used, STEP, 54);
    assert_eq!(kinds(&subject), [], "it has not held for 30 s");
    let used = read(&world, memory, used, STEP, 8);
    assert_eq!((used, kinds(&subject)), (8_600, vec![(MemoryAlert, Single)]));
    assert_eq!(subject.alerts.all()[0].cause, IncidentCause::MemoryCondition);
    assert_eq!(kind(breaker), StateKind::Closed, "it only warns");

    // The memory is given back; without calls the incident is over after ten times the recovery time.
    read(&world, memory, 4_000, 0, 20);
    assert!(!has_forecast(breaker));
    world.advance(s(280));
    assert_eq!(kinds(&subject), [(MemoryAlert, Single)]);
    world.advance(s(30));
    assert_eq!(kinds(&subject), [(MemoryAlert, Single), (MemoryAlert, HEALTHY)]);
}

#[test]
fn with_a_horizon_of_several_recovery_times_the_alert_comes_before_the_threshold() {
    let world = World::new(1);
    let mut policy = original_policy();
    policy.memory_horizon = s(600);
    let subject = world.staged_breaker(policy, no_cooldown()).unwrap();
    read(&world, &subject.memory, 4_000, 0, 3_600);
    // A twentieth of a percent a second: full after 20 minutes.
    let told = (0..2_400).map(|index| 4_000 + 5 * index / 2).find(|&used| {
        read(&world, &subject.memory, used, 0, 1);
        used >= 8_000 || !kinds(&subject).is_empty()
    });
    assert_eq!(kinds(&subject), [(MemoryAlert, Single)]);
    assert!((7_300..=7_350).contains(&told.unwrap()), "at {told:?}, 60 s after the forecast began");
}

#[test]
fn of_two_conditions_at_once_memory_is_alerted() {
    let world = World::new(1);
    let mut policy = warning();
    policy.trip_confidence = Confidence::new(0.999).unwrap();
    let subject = world.staged_breaker(policy, no_cooldown()).unwrap();
    let used = leak(&world, &subject.memory);
    report_many(&subject.breaker, 9, FAST, Outcome::Ok);
    report_many(&subject.breaker, 1, SLOW, Outcome::Ok);
    read(&world, &subject.memory, used, STEP, 64);
    assert_eq!(kinds(&subject), [(MemoryAlert, Single)]);
}

#[test]
fn a_leak_that_stays_is_escalated_and_a_trip_takes_its_alert_over() {
    let world = World::new(1);
    let subject = world.staged_breaker(warning(), staging(s(5), s(0))).unwrap();
    let used = leak(&world, &subject.memory);
    let used = read(&world, &subject.memory, used, STEP, 60);
    assert_eq!(kinds(&subject), [(MemoryAlert, Initial)]);
    let used = read(&world, &subject.memory, used, STEP, 12);
    assert_eq!(kinds(&subject), [(MemoryAlert, Initial), (MemoryAlert, Escalated)]);
    read(&world, &subject.memory, used, STEP, 40);
    assert_eq!(reason(&subject.breaker), Some(TripReason::Memory), "the threshold is reached");
    assert_eq!(kinds(&subject)[2..], [(CircuitOpen, Escalated), (MemoryAlert, Stage::Superseded)]);
}

#[test]
fn a_forecast_trips_if_it_is_to_and_keeps_the_breaker_open_while_it_holds() {
    let world = World::new(1);
    let subject = world.staged_breaker(tripping(), no_cooldown()).unwrap();
    let (breaker, memory) = (&subject.breaker, &subject.memory);
    let used = leak(&world, memory);
    assert_eq!((kind(breaker), reason(breaker)), (StateKind::Open, Some(TripReason::MemoryForecast)));
    assert_eq!(kinds(&subject), [(CircuitOpen, Single)]);
    assert_eq!(subject.alerts.all()[0].cause, IncidentCause::Trip(TripReason::MemoryForecast));
    // The wait of 10 s is over, and still it grows.
    let used = read(&world, memory, used, STEP, 40);
    let rejection = breaker.try_start().unwrap_err();
    assert_eq!((rejection.reason, rejection.retry_after), (RejectionReason::Open(TripReason::MemoryForecast), None));

    // Without calls it grows no more, and soon the breaker probes and closes, once.
    read(&world, memory, used, 0, 120);
    assert!(!has_forecast(breaker));
    recover(&world, breaker);
    assert_eq!(kind(breaker), StateKind::Closed);
    read(&world, memory, used, 0, 1_200);
    let trips = breaker.read(|core| core.counts().trips(TripReason::MemoryForecast));
    assert_eq!((kind(breaker), trips), (StateKind::Closed, 1), "it does not flap");
    assert_eq!(kinds(&subject), [(CircuitOpen, Single), (CircuitOpen, HEALTHY)]);
}

#[test]
fn a_leak_that_goes_on_ends_the_probing() {
    let world = World::new(1);
    let subject = world.staged_breaker(tripping(), no_cooldown()).unwrap();
    let used = leak(&world, &subject.memory);
    let used = read(&world, &subject.memory, used, 0, 120);
    drop(subject.breaker.try_start_owned().unwrap());
    assert_eq!(kind(&subject.breaker), StateKind::HalfOpen);
    read(&world, &subject.memory, used, STEP, 60);
    assert_eq!((kind(&subject.breaker), reason(&subject.breaker)), (StateKind::Open, Some(TripReason::MemoryForecast)));
    assert_eq!(kinds(&subject), [(CircuitOpen, Single)], "it is the same incident");
}

#[test]
fn a_collected_heap_and_a_step_change_nothing() {
    let world = World::new(1);
    let subject = world.staged_breaker(tripping(), no_cooldown()).unwrap();
    for _ in 0..15 {
        read(&world, &subject.memory, 3_000, 100, 40);
    }
    read(&world, &subject.memory, 3_000, 0, 200);
    read(&world, &subject.memory, 6_000, 0, 400);
    assert_eq!(kinds(&subject), []);
    assert_eq!(subject.breaker.read(|core| core.generation().get()), 0);
}

#[test]
fn a_horizon_can_be_set_and_taken_away_while_it_runs() {
    let world = World::new(1);
    let mut policy = tripping();
    policy.memory_horizon = Duration::ZERO;
    let subject = world.staged_breaker(policy.clone(), no_cooldown()).unwrap();
    let (breaker, memory) = (&subject.breaker, &subject.memory);
    leak(&world, memory);
    assert_eq!((has_forecast(breaker), kind(breaker)), (false, StateKind::Closed));

    // Nothing was kept without a horizon: it has to look first.
    breaker.set_policy(&tripping()).unwrap();
    read(&world, memory, 4_000, 0, 10);
    assert_eq!(kind(breaker), StateKind::Closed);
    leak(&world, memory);
    assert_eq!(kind(breaker), StateKind::Open);
    assert!(has_forecast(breaker));

    breaker.set_policy(&policy).unwrap();
    assert!(!has_forecast(breaker), "at once");
    world.advance(s(10));
    recover(&world, breaker);
    assert_eq!(kind(breaker), StateKind::Closed);
}

#[test]
fn a_trip_can_be_asked_for_while_a_forecast_holds() {
    let world = World::new(1);
    let subject = world.staged_breaker(warning(), no_cooldown()).unwrap();
    let used = leak(&world, &subject.memory);
    assert_eq!(kind(&subject.breaker), StateKind::Closed);
    subject.breaker.set_policy(&tripping()).unwrap();
    read(&world, &subject.memory, used, STEP, 1);
    assert_eq!(reason(&subject.breaker), Some(TripReason::MemoryForecast));
}

#[test]
fn what_is_unknown_is_not_forecast_and_known_again_it_is() {
    let world = World::new(1);
    let subject = world.staged_breaker(warning(), no_cooldown()).unwrap();
    let (breaker, memory) = (&subject.breaker, &subject.memory);
    let used = leak(&world, memory);
    assert!(has_forecast(breaker));
    memory.set(None);
    world.advance(s(2));
    assert!(!has_forecast(breaker));
    let used = read(&world, memory, used + 4 * STEP, STEP, 2);
    assert!(has_forecast(breaker), "a few failures do not hide the line");
    memory.set(Some(MemorySample { used, limit: None }));
    world.advance(s(1));
    assert!(!has_forecast(breaker));
}

#[test]
fn an_incident_of_a_forecast_is_closed_by_the_next_process() {
    let (store, service) = (Arc::new(MemoryStore::default()), Arc::new(RecordingSink::default()));
    let start = || {
        let world = World::new(1);
        let breaker = Breaker::builder(world.clock()).policy(warning()).build().unwrap();
        let memory = Arc::new(MockMemory::default());
        let watch =
            SupervisedBreaker::new(breaker.clone()).memory(memory.clone()).sink(service.clone()).store(store.clone());
        let watch = watch.staging(StagingControl::new(no_cooldown()));
        let watch = match store.last() {
            Some(state) => watch.resume(state),
            None => watch,
        };
        world.supervise([watch]);
        (world, breaker, memory)
    };
    let (world, _breaker, memory) = start();
    let used = leak(&world, &memory);
    read(&world, &memory, used, STEP, 64);
    let told = || service.all().iter().map(|alert| (alert.incident, alert.kind, alert.stage)).collect::<Vec<_>>();
    assert_eq!(told(), [(1, MemoryAlert, Single)]);
    drop((world, memory));

    let (world, breaker, _memory) = start();
    assert_eq!(kind(&breaker), StateKind::Closed);
    assert!(breaker.read(tripline_core::Breaker::is_in_incident) && !has_forecast(&breaker));
    world.advance(s(301));
    assert_eq!(told(), [(1, MemoryAlert, Single), (1, MemoryAlert, HEALTHY)]);
}
