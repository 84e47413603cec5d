//! Families whose members have incidents and alerts of their own.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use crate::support::{RESOLVED, busy, s, staging};
use tripline_runtime::core::{Policy, StateKind, TripAfter};
use tripline_runtime::test_util::{MemoryStore, RecordingSink, World};
use tripline_runtime::{
    Breaker, DeliveryStats, DurableState, Family, FamilyLimits, ShutdownHandle, Stage, StagingControl,
    SupervisedBreaker, supervise,
};

const ESCALATE_AFTER: Duration = s(300);
const MAX_KEYS: usize = 20;

/// What outlives a process.
struct Outside {
    sink: Arc<RecordingSink>,
    store: Arc<MemoryStore>,
}

struct Running {
    world: World,
    family: Family,
    staging: StagingControl,
    stats: DeliveryStats,
    stop: ShutdownHandle,
}

impl Outside {
    fn new() -> Self {
        Self { sink: Arc::default(), store: Arc::default() }
    }

    /// A process that begins `at` seconds of the clock.
    fn start(&self, at: u64, is_per_key: bool) -> Running {
        let world = World::new(at);
        world.advance(s(at));
        let mut policy = Policy::default();
        policy.warm_up = Duration::ZERO;
        policy.trip_after = TripAfter::Millis(0);
        let members = Breaker::builder(world.clock()).name("tenants".parse().unwrap()).policy(policy);
        let family = Family::new(members, FamilyLimits::default().max_keys(MAX_KEYS).idle_time(s(60))).unwrap();
        let staging = StagingControl::new(staging(ESCALATE_AFTER));
        let mut target = SupervisedBreaker::family(&family)
            .per_key(is_per_key)
            .sink(self.sink.clone())
            .staging(staging.clone())
            .store(self.store.clone());
        if let Some(kept) = self.store.last() {
            target = target.resume(kept);
        }
        let (supervisor, dispatcher, stop) = supervise(world.clock(), [target], 1);
        let stats = dispatcher.stats();
        world.spawn(supervisor.run());
        world.spawn(async move {
            dispatcher.run().await;
        });
        world.run_until_idle();
        Running { world, family, staging, stats, stop }
    }

    /// Key, incident and stage of each alert after the first `skipped`.
    fn alerts(&self, skipped: usize) -> Vec<(String, u64, Stage)> {
        let alerts = self.sink.all().into_iter().skip(skipped);
        alerts.map(|alert| (alert.key.unwrap_or_default(), alert.incident, alert.stage)).collect()
    }
}

impl Running {
    fn trip(&self, key: &str) {
        self.family.get(key).unwrap().simulate_latency();
        self.world.run_until_idle();
    }

    fn reset(&self, key: &str) {
        self.family.get(key).unwrap().reset();
        self.world.run_until_idle();
    }

    /// Alerts of all stages that were sent.
    fn sent(&self) -> u64 {
        self.stats.deliveries().iter().map(|count| count.sent).sum()
    }
}

fn alert(key: &str, incident: u64, stage: Stage) -> (String, u64, Stage) {
    (key.to_owned(), incident, stage)
}

fn keys(state: &DurableState) -> Vec<&str> {
    state.members.iter().map(|member| member.key.as_deref().unwrap()).collect()
}

#[test]
fn each_member_has_an_incident_and_stages_of_its_own_and_so_has_the_shared_one() {
    let outside = Outside::new();
    let running = outside.start(1, true);
    running.trip("a");
    running.world.advance(s(100));
    running.trip("b");
    running.trip("");
    running.world.run_until_idle();
    let begun = [alert("a", 1, Stage::Initial), alert("b", 1, Stage::Initial), alert("*", 1, Stage::Initial)];
    assert_eq!(outside.alerts(0), begun);
    assert!(outside.sink.all().iter().all(|alert| alert.family.is_none()));
    let pending = running.staging.pending();
    assert_eq!(pending.iter().filter_map(|pending| pending.key.as_deref()).collect::<Vec<_>>(), ["*", "a", "b"]);

    running.world.advance(s(201));
    assert_eq!(outside.alerts(3), [alert("a", 1, Stage::Escalated)], "b has begun 100 s later");
    running.reset("a");
    running.trip("a");
    assert_eq!(outside.alerts(4), [alert("a", 1, RESOLVED), alert("a", 2, Stage::Initial)]);
    running.world.advance(s(100));
    let then = outside.alerts(6);
    assert_eq!(then.iter().filter(|(_, _, stage)| *stage == Stage::Escalated).count(), 2, "{then:?}");
}

#[test]
fn a_changed_policy_of_stages_holds_for_the_incidents_of_members_at_once() {
    let outside = Outside::new();
    let running = outside.start(1, true);
    running.trip("a");
    running.world.advance(s(100));
    running.staging.set_policy(staging(s(50)));
    running.world.advance(s(1));
    assert_eq!(outside.alerts(1), [alert("a", 1, Stage::Escalated)]);
}

#[test]
fn incidents_of_members_go_on_after_a_restart_and_nothing_is_sent_twice() {
    let outside = Outside::new();
    let first = outside.start(1, true);
    for key in ["a", "b"] {
        first.trip(key);
    }
    first.reset("b");
    first.trip("c");
    assert_eq!(outside.alerts(0).len(), 4);
    assert!(keys(&outside.store.last().unwrap()).contains(&"a"));
    drop(first);

    let second = outside.start(200, true);
    second.world.advance(s(1));
    assert_eq!(outside.alerts(4), [], "nothing is new");
    assert!(second.family.member("a").is_some(), "its member is there again");
    second.world.advance(s(110));
    let mut escalated = outside.alerts(4);
    escalated.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(escalated, [alert("a", 1, Stage::Escalated), alert("c", 1, Stage::Escalated)]);
    second.reset("a");
    assert_eq!(outside.alerts(6), [alert("a", 1, RESOLVED)]);
    second.trip("a");
    assert_eq!(outside.alerts(7), [alert("a", 2, Stage::Initial)], "numbers go on");
}

#[test]
fn a_kill_between_any_two_saves_leaves_every_open_alert_closable() {
    let outside = Outside::new();
    let running = outside.start(1, true);
    for number in 0..MAX_KEYS {
        running.trip(&format!("t{number}"));
    }
    drop(running);
    let again = outside.start(100, true);
    for number in 0..MAX_KEYS {
        again.reset(&format!("t{number}"));
    }
    let alerts = outside.alerts(0);
    for number in 0..MAX_KEYS {
        let key = format!("t{number}");
        let of_key: Vec<Stage> = alerts.iter().filter(|alert| alert.0 == key).map(|alert| alert.2).collect();
        assert_eq!(of_key, [Stage::Initial, RESOLVED], "{key}");
    }
}

#[test]
fn a_member_whose_alerts_are_settled_leaves_and_its_counts_stay() {
    let outside = Outside::new();
    let running = outside.start(1, true);
    let rows = running.stats.deliveries().len();
    for round in 1..=30 {
        let key = format!("t{round}");
        running.trip(&key);
        assert!(running.stats.deliveries().len() == rows, "a member has no rows of its own");
        running.reset(&key);
        running.world.advance(s(120));
        assert!(running.family.member(&key).is_none(), "idle members go once their alerts are settled");
        assert_eq!(running.sent(), 2 * round);
    }
    running.trip("last");
    assert_eq!(keys(&outside.store.last().unwrap()), ["last"]);
}

#[test]
fn a_sink_that_is_down_keeps_the_member_until_its_alert_is_closed() {
    let outside = Outside::new();
    let running = outside.start(1, true);
    running.trip("a");
    outside.sink.set_down(Some(busy(None)));
    running.reset("a");
    running.world.advance(s(600));
    assert!(running.family.member("a").is_some());
    outside.sink.set_down(None);
    running.world.advance(s(200));
    assert_eq!(outside.alerts(1), [alert("a", 1, RESOLVED)]);
    assert!(running.family.member("a").is_none());
}

#[test]
fn there_are_never_more_incidents_than_members_and_calls_beyond_go_to_the_shared_one() {
    let outside = Outside::new();
    let running = outside.start(1, true);
    for number in 0..MAX_KEYS + 30 {
        running.trip(&format!("t{number}"));
    }
    let alerts = outside.alerts(0);
    assert_eq!(alerts.len(), MAX_KEYS + 1, "one for each member, and the shared one");
    assert!(alerts.contains(&alert("*", 1, Stage::Initial)));
    assert!((0..MAX_KEYS).all(|number| running.family.member(&format!("t{number}")).is_some()));
}

#[test]
fn incidents_of_members_end_when_the_family_is_switched_off_as_when_it_is_removed() {
    let outside = Outside::new();
    let running = outside.start(1, true);
    for key in ["a", "b"] {
        running.trip(key);
    }
    let mut off = Policy::default();
    off.enabled = false;
    running.family.set_policy(&off).unwrap();
    running.family.members().iter().for_each(Breaker::reset);
    running.world.advance(s(1));
    let mut ends = outside.alerts(2);
    ends.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(ends, [alert("a", 1, RESOLVED), alert("b", 1, RESOLVED)]);
}

#[test]
fn a_restart_without_it_ends_the_members_incidents_and_with_it_the_familys() {
    let outside = Outside::new();
    let first = outside.start(1, true);
    first.trip("a");
    drop(first);
    let second = outside.start(100, false);
    second.reset("a");
    assert_eq!(outside.alerts(1), [alert("a", 1, RESOLVED)]);
    second.world.advance(s(100));
    second.trip("b");
    let begun = outside.sink.all().pop().unwrap();
    assert_eq!((begun.key, begun.stage), (None, Stage::Initial), "they have one incident together");
    drop(second);
    let third = outside.start(300, true);
    third.family.shared().reset();
    third.world.run_until_idle();
    let end = outside.sink.all().pop().unwrap();
    assert_eq!((end.incident, end.stage), (1, RESOLVED));
    assert_eq!(third.family.shared().state(), StateKind::Closed);
}

#[test]
fn the_incident_of_a_family_goes_on_after_a_restart_until_its_members_had_time_to_trip() {
    let outside = Outside::new();
    let first = outside.start(1, false);
    first.trip("a");
    assert_eq!(outside.alerts(0), [alert("", 1, Stage::Initial)]);
    drop(first);

    let second = outside.start(100, false);
    second.world.advance(s(1));
    second.trip("b");
    assert_eq!(outside.alerts(1), [], "it is the same incident, and not over");
    drop(second);

    let third = outside.start(200, false);
    third.world.advance(s(1));
    assert_eq!(outside.alerts(1), [], "no member is open, but it is held");
    third.world.advance(s(90));
    let ended = outside.alerts(1);
    assert!(matches!(ended[..], [(_, 1, Stage::Resolved(_))]), "{ended:?}");
    third.trip("c");
    assert_eq!(outside.alerts(2), [alert("", 2, Stage::Initial)], "numbers go on");
}

#[test]
fn a_stop_delivers_what_the_members_have_pending() {
    let outside = Outside::new();
    let running = outside.start(1, true);
    running.trip("a");
    outside.sink.set_down(Some(busy(Some(s(5)))));
    running.reset("a");
    outside.sink.set_down(None);
    running.stop.stop(s(30));
    running.world.advance(s(30));
    assert_eq!(outside.alerts(1), [alert("a", 1, RESOLVED)]);
}
