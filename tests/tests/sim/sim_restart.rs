//! The process is killed during an incident and starts again.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tripline_core::{IncidentCause, IncidentEnd, Instant, Outcome, Policy, State, StateKind, TripReason};
use tripline_runtime::test_util::{ManualClock, MemoryStore, RecordingSink, World};
use tripline_runtime::{
    Alert, AlertKind, Breaker, Clock, EscalationPolicy, Stage, StagingControl, SupervisedBreaker, supervise,
};
use tripline_tests::sim_support::{
    FAST, SLOW, kind, ms, quick, quick_but, recover, report, report_many, s, staging, state, trip,
};

use Stage::{Escalated, Initial, Single};

const HEALTHY: Stage = Stage::Resolved(IncidentEnd::Healthy);
const OPERATOR: Stage = Stage::Resolved(IncidentEnd::Operator);

/// State that outlives a process.
#[derive(Default)]
struct Outside {
    store: Arc<MemoryStore>,
    service: Arc<RecordingSink>,
}

/// One life of the service. Dropping it kills it: no task runs on, and nothing is drained.
struct Life {
    world: World,
    breaker: Breaker,
    staging: StagingControl,
}

impl Outside {
    /// Starts the service at this time of day (of the world's own clock), with what was kept.
    fn start(&self, policy: Policy, staging: EscalationPolicy, at: Duration) -> Life {
        let world = World::new(1);
        world.clock().advance(at);
        let breaker = Breaker::builder(world.clock()).policy(policy).build().unwrap();
        let staging = StagingControl::new(staging);
        let watch = SupervisedBreaker::new(breaker.clone())
            .sink(self.service.clone())
            .store(self.store.clone())
            .staging(staging.clone());
        let watch = match self.store.last() {
            Some(state) => watch.resume(state),
            None => watch,
        };
        world.supervise([watch]);
        Life { world, breaker, staging }
    }

    fn told(&self) -> Vec<(u64, Stage)> {
        self.service.all().iter().map(|alert| (alert.incident, alert.stage)).collect()
    }

    fn started_at(&self) -> Vec<SystemTime> {
        self.service.all().iter().map(|alert: &Alert| alert.started_at).collect()
    }
}

impl Life {
    fn trip(&self) {
        trip(&self.world, &self.breaker);
    }

    fn recover_for_good(&self) {
        recover(&self.world, &self.breaker);
        report_many(&self.breaker, 10, FAST, Outcome::Ok);
        self.world.advance(s(30));
    }
}

#[test]
fn an_incident_goes_on_half_open_under_its_number_and_is_closed_when_it_is_over() {
    let outside = Outside::default();
    let before = outside.start(quick(), staging(s(60), s(300)), s(0));
    let began = before.world.clock().system_time();
    before.trip();
    drop(before);
    let after = outside.start(quick(), staging(s(60), s(300)), s(20));
    assert_eq!(state(&after.breaker), State::HalfOpen { admitted: 0, good: 0 });
    assert_eq!(outside.told(), [(1, Initial)], "nobody is told again");
    after.recover_for_good();
    assert_eq!(outside.told(), [(1, Initial), (1, HEALTHY)]);
    assert_eq!(outside.started_at(), [began; 2]);
    let causes: Vec<_> = outside.service.all().iter().map(|alert| alert.cause).collect();
    assert_eq!(causes, [IncidentCause::Trip(TripReason::Latency); 2]);
    after.world.advance(s(600));
    after.trip();
    assert_eq!(outside.told().last(), Some(&(2, Initial)));
}

#[test]
fn an_escalation_fires_at_its_time_of_day_and_one_that_is_overdue_at_once_and_both_once() {
    for (restart, due_ms) in [(s(20), 40_000), (s(59), 1_000), (s(60), 0), (s(86_400), 0)] {
        let outside = Outside::default();
        outside.start(quick(), staging(s(60), s(300)), s(0)).trip();
        let after = outside.start(quick(), staging(s(60), s(300)), restart);
        if due_ms > 0 {
            after.world.advance(ms(due_ms - 1));
            assert_eq!(outside.told(), [(1, Initial)], "after {restart:?}");
            after.world.advance(ms(1));
        }
        assert_eq!(outside.told(), [(1, Initial), (1, Escalated)], "after {restart:?}");
        drop(after);
        let third = outside.start(quick(), staging(s(60), s(300)), restart + s(60));
        third.world.advance(s(600));
        assert_eq!(outside.told(), [(1, Initial), (1, Escalated)], "after {restart:?}");
        third.breaker.reset();
        third.world.run_until_idle();
        assert_eq!(outside.told().last(), Some(&(1, OPERATOR)));
    }
}

#[test]
fn a_cooldown_lasts_as_long_as_it_would_have() {
    let outside = Outside::default();
    let before = outside.start(quick(), staging(s(0), s(300)), s(0));
    before.trip();
    before.breaker.reset();
    before.world.run_until_idle();
    drop(before);
    let after = outside.start(quick(), staging(s(0), s(300)), s(100));
    assert_eq!(kind(&after.breaker), StateKind::Closed, "no incident was on");
    after.trip();
    after.world.advance(ms(199_999));
    assert_eq!(outside.told(), [(1, Single), (1, OPERATOR)]);
    let began = after.staging.pending()[0].started_at;
    drop(after);
    let third = outside.start(quick(), staging(s(0), s(300)), s(299));
    assert_eq!(third.staging.pending()[0].started_at, began, "an incident that nobody was told of goes on too");
    third.world.advance(s(1));
    assert_eq!(outside.told(), [(1, Single), (1, OPERATOR), (2, Single)]);
}

#[test]
fn a_trip_before_the_supervisor_has_started_is_the_incident_that_was_on() {
    let outside = Outside::default();
    outside.start(quick(), staging(s(0), s(0)), s(0)).trip();
    let world = World::new(1);
    let breaker = Breaker::builder(world.clock()).policy(quick()).build().unwrap();
    report_many(&breaker, 5, SLOW, Outcome::Ok);
    let watch =
        SupervisedBreaker::new(breaker.clone()).sink(outside.service.clone()).resume(outside.store.last().unwrap());
    world.supervise([watch]);
    assert_eq!(kind(&breaker), StateKind::Open, "it keeps its state");
    assert_eq!(outside.told(), [(1, Single)]);
    breaker.reset();
    world.run_until_idle();
    assert_eq!(outside.told(), [(1, Single), (1, OPERATOR)]);
}

#[test]
fn a_kept_state_does_not_overrule_a_breaker_that_lives_on() {
    let outside = Outside::default();
    let life = outside.start(quick(), staging(s(0), s(0)), s(0));
    life.trip();
    let kept = outside.store.last().unwrap();
    life.breaker.reset();
    life.trip();
    life.breaker.reset();
    let watch = SupervisedBreaker::new(life.breaker.clone()).sink(outside.service.clone()).resume(kept);
    let watch = watch.staging(life.staging.clone());
    life.world.supervise([watch]);
    assert_eq!(kind(&life.breaker), StateKind::Closed);
    life.trip();
    assert_eq!(outside.told().last(), Some(&(3, Single)));
}

#[test]
fn without_probes_the_breaker_starts_closed_with_the_incident_on() {
    let policy = quick_but(|policy| policy.half_open_max_calls = 0);
    let outside = Outside::default();
    outside.start(policy.clone(), staging(s(0), s(300)), s(0)).trip();
    let after = outside.start(policy, staging(s(0), s(300)), s(20));
    assert_eq!(kind(&after.breaker), StateKind::Closed);
    report_many(&after.breaker, 10, FAST, Outcome::Ok);
    after.world.advance(ms(29_999));
    assert_eq!(outside.told(), [(1, Single)]);
    after.world.advance(ms(1));
    assert_eq!(outside.told(), [(1, Single), (1, HEALTHY)]);
}

#[test]
fn what_was_opened_is_closed_where_the_breaker_is_disabled_now() {
    let outside = Outside::default();
    outside.start(quick(), staging(s(0), s(300)), s(0)).trip();
    let after = outside.start(quick_but(|policy| policy.enabled = false), staging(s(0), s(300)), s(20));
    assert_eq!(kind(&after.breaker), StateKind::Disabled);
    assert_eq!(outside.told(), [(1, Single), (1, OPERATOR)]);
}

#[test]
fn a_condition_with_an_alert_goes_on_closed_and_a_trip_takes_over_from_it() {
    let policy = quick_but(|policy| policy.trip_confidence = tripline_core::Confidence::new(0.999).unwrap());
    let outside = Outside::default();
    let before = outside.start(policy.clone(), staging(s(600), s(300)), s(0));
    report_many(&before.breaker, 9, FAST, Outcome::Ok);
    report(&before.breaker, SLOW, Outcome::Ok);
    before.world.advance(s(30));
    assert_eq!(outside.told(), [(1, Initial)]);
    drop(before);
    let after = outside.start(policy, staging(s(600), s(300)), s(40));
    assert_eq!(kind(&after.breaker), StateKind::Closed);
    after.breaker.simulate_memory();
    after.world.run_until_idle();
    let mut told: Vec<_> = outside.service.all().iter().map(|alert| (alert.kind, alert.stage)).collect();
    told.sort_by_key(|(kind, stage)| (*kind, stage.is_end()));
    let taken_over = (AlertKind::LatencyThreshold, Stage::Superseded);
    assert_eq!(told, [(AlertKind::CircuitOpen, Initial), (AlertKind::LatencyThreshold, Initial), taken_over]);
}

#[test]
fn an_incident_that_ended_before_its_first_alert_does_not_go_on() {
    let outside = Outside::default();
    let before = outside.start(quick(), staging(s(0), s(300)), s(0));
    for _ in 0..2 {
        before.trip();
        before.breaker.reset();
        before.world.run_until_idle();
    }
    assert_eq!(outside.told(), [(1, Single), (1, OPERATOR)], "the second was in the cooldown");
    drop(before);
    let after = outside.start(quick(), staging(s(0), s(300)), s(20));
    assert_eq!(kind(&after.breaker), StateKind::Closed);
    after.world.advance(s(3_600));
    assert_eq!(outside.told(), [(1, Single), (1, OPERATOR)]);
}

/// A clock whose time of day runs away from its seconds, as a real one does.
#[derive(Debug)]
struct Drifting(Arc<ManualClock>);

#[async_trait]
impl Clock for Drifting {
    fn now(&self) -> Instant {
        self.0.now()
    }

    fn system_time(&self) -> SystemTime {
        self.0.system_time() + self.0.now().since(Instant::ZERO) / 1_000
    }

    async fn sleep_until(&self, deadline: Instant) {
        self.0.sleep_until(deadline).await;
    }
}

#[test]
fn while_nothing_changes_nothing_is_saved_also_where_the_clocks_drift() {
    let outside = Outside::default();
    let world = World::new(1);
    let clock = Arc::new(Drifting(world.clock()));
    let breaker = Breaker::builder(clock.clone()).policy(quick()).build().unwrap();
    let watch = SupervisedBreaker::new(breaker.clone()).sink(outside.service.clone()).store(outside.store.clone());
    let watch = watch.staging(StagingControl::new(staging(s(600), s(300))));
    let (supervisor, dispatcher, _stop) = supervise(clock, [watch], 1);
    world.spawn(supervisor.run());
    world.spawn(async {
        dispatcher.run().await;
    });
    trip(&world, &breaker);
    let saves = outside.store.saves();
    assert!(saves > 0);
    world.advance(s(5));
    (0..3).for_each(|_| {
        recover(&world, &breaker);
        world.advance(s(5));
        trip(&world, &breaker);
    });
    assert_eq!(outside.store.saves(), saves, "trips inside the incident change nothing either");
    world.advance(s(600));
    assert!(outside.store.saves() > saves, "an escalation is");
    assert_eq!(outside.started_at(), [outside.started_at()[0]; 2]);
}

#[test]
fn a_service_that_is_still_in_trouble_gets_no_more_than_the_probes_and_the_first_slow_one_opens_it() {
    let outside = Outside::default();
    outside.start(quick(), staging(s(0), s(300)), s(0)).trip();
    let after = outside.start(quick(), staging(s(0), s(300)), s(20));
    let probes: Vec<_> = (0..1_000).filter_map(|_| after.breaker.try_start_owned().ok()).collect();
    assert_eq!(probes.len(), 3);
    after.world.advance(ms(101));
    assert_eq!(kind(&after.breaker), StateKind::Open);
    assert_eq!(after.breaker.read(|core| core.last_trip().unwrap().reason), TripReason::ProbeSlow);
    assert_eq!(outside.told(), [(1, Single)]);
}

/// The original opens again what it had opened, and never closes it.
#[test]
fn a_process_that_is_killed_again_and_again_leaves_one_alert_and_closes_it() {
    let outside = Outside::default();
    outside.start(quick(), staging(s(60), s(300)), s(0)).trip();
    for restart in 1..50 {
        let life = outside.start(quick(), staging(s(60), s(300)), s(restart * 5));
        life.world.advance(s(4));
        if restart % 3 == 0 {
            report(&life.breaker, SLOW, Outcome::Ok);
            life.world.run_until_idle();
        }
    }
    assert_eq!(outside.told(), [(1, Initial), (1, Escalated)]);
    outside.start(quick(), staging(s(60), s(300)), s(500)).recover_for_good();
    assert_eq!(outside.told(), [(1, Initial), (1, Escalated), (1, HEALTHY)]);
    assert!(outside.service.open().is_empty());
}
