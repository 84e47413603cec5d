//! The safeguards of a replica's runner: what it sends alone and when it stops, what it keeps of answers that overlap, and how often it
//! asks an engine that fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tripline_core::Outcome;
use tripline_core::fleet::{PageAt, text};
use tripline_runtime::test_util::{MemoryFleet, MemoryStore, RecordingSink, World};
use tripline_runtime::{
    Alert, Breaker, BreakerName, DeliveryError, Fleet, FleetPart, FleetRunner, FleetSettings, Stage, StagingControl,
    SupervisedBreaker, supervise,
};
use tripline_tests::sim_support::{SLOW, ms, quick, report_many, s, staging, trip};

use tripline_tests::fleet_world::FleetWorld;
use tripline_tests::fleet_world::pager::{Pager, Seen};

use Seen::{Closed, ClosedNone, Escalated, Paged};

fn fleet(seed: u64, replicas: usize) -> FleetWorld {
    FleetWorld::running(seed, staging(s(0), s(0)), replicas)
}

#[test]
fn an_alert_that_waits_to_be_sent_alone_is_dropped_when_the_engine_is_reached() {
    let world = World::new(1);
    let engine = MemoryFleet::new(world.clock(), 1);
    let pager = Arc::new(Pager::new(world.clock(), 1));
    let fleet = Fleet::new(Arc::new(engine.clone()), FleetSettings::new(text("web-0-0000"), 1), world.clock());
    let breaker = Breaker::builder(world.clock()).policy(quick()).build().unwrap();
    let target = SupervisedBreaker::new(breaker.clone()).sink(Arc::new(pager.of("web-0-0000"))).fleet(fleet.clone());
    let (supervisor, dispatcher, stop) = supervise(world.clock(), [target], 1);
    world.spawn(supervisor.run());
    world.spawn(FleetRunner::new(fleet.clone(), stop).run());
    engine.set_down(true);
    world.run_until_idle();
    report_many(&breaker, 5, SLOW, Outcome::Ok);
    world.advance(s(60));
    assert!(fleet.status().is_alone);
    engine.set_down(false);
    world.advance(s(6));
    // The dispatcher had no time for it so far.
    world.spawn(async {
        dispatcher.run().await;
    });
    world.advance(s(60));
    assert_eq!(pager.texts(), ["1 of 1 replicas open, first: web-0"]);
}

#[test]
fn a_breaker_whose_reports_fail_is_paged_alone_although_beats_succeed() {
    // Reports go out in the order of the names.
    for name in ["another", "second"] {
        a_breaker_whose_reports_fail_is_paged_alone(name);
    }
}

fn a_breaker_whose_reports_fail_is_paged_alone(other_name: &str) {
    let mut fleet = fleet(2, 3);
    let (default, other) = (BreakerName::default(), Arc::new(Pager::new(fleet.world.clock(), 2)));
    let others = fleet.add_breaker(other_name, &other);
    fleet.engine.set_foreign(&default, true);
    fleet.trip(0);
    // The reports on the other breaker succeed, which must not begin the wait anew.
    for _ in 0..10 {
        report_many(&others[0], 5, SLOW, Outcome::Ok);
        fleet.advance(s(3));
        others[0].reset();
        fleet.advance(s(3));
    }
    assert_eq!(fleet.pager.seen(), [Paged]);
    assert!(fleet.pager.texts().iter().all(|text| text.contains("engine unreachable")));
    assert_eq!(other.texts()[0], "1 of 3 replicas open, first: web-0", "{other_name} is paged by the fleet");
    let status = fleet.replicas[0].fleet.status();
    assert!(status.is_alone && status.fallbacks == 1 && status.error.unwrap().contains("another type of value"));
    fleet.heal(0);
    fleet.advance(s(300));
    assert_eq!(fleet.pager.seen(), [Paged], "no replica closes alone, and none pages again");
    fleet.engine.set_foreign(&default, false);
    fleet.advance(s(60));
    assert_eq!(fleet.pager.seen(), [Paged, Closed, ClosedNone]);
    assert!(fleet.replicas[0].fleet.status().is_up);
}

#[test]
fn an_answer_that_was_on_its_way_while_a_stage_was_sent_does_not_undo_the_stage() {
    for seed in 0..60 {
        let mut fleet = fleet(seed, 1);
        fleet.pager.set_slow(s(8));
        fleet.engine.set_delay(ms(2_800));
        fleet.forget_before_acknowledgements();
        fleet.trip(0);
        fleet.advance(s(90));
        assert_eq!(fleet.pager.seen(), [Paged], "seed {seed}");
    }
}

#[test]
fn a_replica_sends_no_second_claim_while_it_sends_the_first() {
    for seed in 0..150 {
        let mut fleet = fleet(seed, 1);
        fleet.pager.set_slow(ms(9_800));
        fleet.pager.set_down(true);
        fleet.trip(0);
        while fleet.pager.attempts() < 1 {
            fleet.advance(ms(100));
        }
        // The engine forgets the claim, and grants another one 11 s later, while the third attempt of the first is on its way.
        fleet.engine.forget();
        while fleet.pager.attempts() < 2 {
            fleet.advance(ms(100));
        }
        fleet.pager.set_down(false);
        fleet.advance(s(120));
        assert_eq!(fleet.pager.seen(), [Paged], "seed {seed}");
    }
}

#[test]
fn an_engine_that_fails_is_asked_for_one_breaker_and_not_for_all() {
    let mut fleet = fleet(3, 1);
    let pager = Arc::new(Pager::new(fleet.world.clock(), 3));
    let breakers: Vec<Breaker> =
        (0..20).flat_map(|number| fleet.add_breaker(&format!("more-{number}"), &pager)).collect();
    fleet.advance(s(10));
    fleet.engine.set_down(true);
    let before = fleet.engine.calls();
    fleet.trip(0);
    for breaker in &breakers {
        report_many(breaker, 5, SLOW, Outcome::Ok);
    }
    fleet.advance(ms(100));
    let calls = fleet.engine.calls() - before;
    assert!(calls <= 3, "{calls} calls for 21 breakers");
}

#[test]
fn an_incident_grows_older_while_the_engine_is_out_of_reach() {
    let mut fleet = FleetWorld::running(4, staging(s(60), s(0)), 3);
    fleet.trip(0);
    fleet.advance(s(10));
    fleet.engine.set_down(true);
    fleet.engine.forget();
    fleet.advance(s(9));
    fleet.engine.set_down(false);
    fleet.advance(s(44));
    assert_eq!(fleet.pager.seen(), [Paged, Escalated], "a minute after the trip");
}

#[test]
fn an_alert_that_was_paged_alone_is_closed_also_where_others_know_the_incident_as_over() {
    for seed in 0..20 {
        let mut fleet = FleetWorld::new(seed, staging(s(0), s(0)));
        fleet.page_at = PageAt::Count(2);
        fleet.start(3);
        fleet.advance(s(20));
        fleet.trip(0);
        fleet.advance(s(3));
        // It pages alone, and for the others the incident ends without an alert.
        fleet.engine.set_cut_off(&fleet.replicas[0].name, true);
        fleet.advance(s(60));
        assert_eq!(fleet.pager.seen(), [Paged], "seed {seed}");
        fleet.heal(0);
        fleet.engine.forget();
        fleet.engine.set_cut_off(&fleet.replicas[0].name, false);
        fleet.advance(s(90));
        assert!(!fleet.pager.is_open(), "seed {seed}: {:?}", fleet.pager.log());
    }
}

/// A fleet of two with a page on its way, and whether a replica has left.
fn sending(seed: u64, unwell: usize, set_up: impl FnOnce(&Pager)) -> (FleetWorld, Arc<AtomicBool>) {
    let mut fleet = fleet(seed, 2);
    let has_left = Arc::new(AtomicBool::new(false));
    let left = has_left.clone();
    fleet.engine.on_step(Arc::new(move |step| {
        left.fetch_or(step.call == "leave" && step.is_done, Ordering::Relaxed);
        false
    }));
    set_up(&fleet.pager);
    (0..unwell).for_each(|number| fleet.trip(number));
    while fleet.pager.attempts() < 1 {
        fleet.advance(ms(100));
    }
    (fleet, has_left)
}

fn claims(fleet: &FleetWorld, number: usize) -> u64 {
    fleet.replicas[number].fleet.status().claims
}

#[test]
fn a_stop_waits_for_a_stage_as_long_as_the_drain_and_leaves_it_to_the_others() {
    for (unwell, drain) in [(1, s(0)), (1, s(8)), (2, s(0)), (2, s(2)), (2, s(8))] {
        let is_silent = Arc::new(AtomicBool::new(true));
        let hangs = is_silent.clone();
        let (fleet, has_left) = sending(5, unwell, |pager| {
            pager.on_step(Arc::new(move |_, _, _| hangs.load(Ordering::Relaxed)));
        });
        let sender = usize::from(claims(&fleet, 0) == 0);
        fleet.replicas[sender].stop.stop(drain);
        // The attempt lasts 10 s.
        if drain > s(0) {
            fleet.advance(drain.saturating_sub(ms(1)));
            assert!(!has_left.load(Ordering::Relaxed), "{unwell} unwell, drain {drain:?}");
        }
        fleet.advance(ms(1));
        assert!(has_left.load(Ordering::Relaxed), "{unwell} unwell, drain {drain:?}");
        is_silent.store(false, Ordering::Relaxed);
        fleet.advance(s(90));
        // Where no other replica is unwell, the alert is closed, in case it was opened.
        let seen: &[Seen] = if unwell == 2 { &[Paged] } else { &[ClosedNone, ClosedNone] };
        assert_eq!(fleet.pager.seen(), seen, "{unwell} unwell, drain {drain:?}");
    }
}

#[test]
fn a_stop_finishes_a_stage_within_the_drain() {
    for seed in 0..20 {
        let (fleet, has_left) = sending(seed, 2, |pager| pager.set_slow(s(6)));
        let sender = usize::from(claims(&fleet, 0) == 0);
        fleet.replicas[sender].stop.stop(s(8));
        fleet.advance(s(7));
        assert!(has_left.load(Ordering::Relaxed), "seed {seed}");
        fleet.advance(s(90));
        assert_eq!((fleet.pager.seen(), claims(&fleet, 1 - sender)), (vec![Paged], 0), "seed {seed}");
    }
}

#[test]
fn a_replica_that_starts_asks_the_engine_before_it_sends_what_waited_to_be_sent_alone() {
    for is_down in [false, true] {
        let (store, service) = (Arc::new(MemoryStore::default()), Arc::new(RecordingSink::default()));
        let mut life = Life::start(&store, &service, true);
        service.set_down(Some(DeliveryError::Retryable { after: None, reason: "it failed".to_owned() }));
        trip(&life.world, &life.breaker);
        life.world.advance(s(60));
        assert!(life.fleet.status().is_alone && service.attempts() > 0);
        service.set_down(None);
        life = Life::start(&store, &service, is_down);
        life.world.advance(s(14));
        let alone = |alert: &Alert| alert.fleet == Some(FleetPart::Alone);
        assert!(!service.all().iter().any(alone), "{:?}", service.all());
        life.world.advance(s(60));
        let sent: Vec<(Stage, bool)> = service.all().iter().map(|alert| (alert.stage, alone(alert))).collect();
        assert_eq!(sent, [(Stage::Single, is_down)], "the engine is down: {is_down}");
    }
}

/// One process of a fleet of one. The next one continues with what the store has kept.
struct Life {
    world: World,
    breaker: Breaker,
    fleet: Fleet,
}

impl Life {
    fn start(store: &Arc<MemoryStore>, service: &Arc<RecordingSink>, is_down: bool) -> Self {
        let world = World::new(1);
        let engine = MemoryFleet::new(world.clock(), 1);
        engine.set_down(is_down);
        let fleet = Fleet::new(Arc::new(engine), FleetSettings::new(text("web-0-0000"), 1), world.clock());
        let breaker = Breaker::builder(world.clock()).policy(quick()).build().unwrap();
        let target = SupervisedBreaker::new(breaker.clone())
            .sink(service.clone())
            .staging(StagingControl::new(staging(s(0), s(0))))
            .store(store.clone())
            .fleet(fleet.clone());
        let target = match store.last() {
            Some(state) => target.resume(state),
            None => target,
        };
        let stop = world.supervise([target]);
        world.spawn(FleetRunner::new(fleet.clone(), stop).run());
        world.run_until_idle();
        Self { world, breaker, fleet }
    }
}
