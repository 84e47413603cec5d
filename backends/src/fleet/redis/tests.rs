#![allow(clippy::unwrap_used, clippy::panic)]

use proptest::prelude::*;
use smol::block_on;
use tripline_runtime::AlertKind;
use tripline_runtime::core::fleet::{
    Commands, FleetContext, FleetStage, FleetState, Paged, Probe, ReplicaSet, acknowledge, merge,
};
use tripline_runtime::test_util::ReplicaTimes;

use super::redis_server::RedisServer;
use super::*;

/// The rule of the core on a store in memory.
#[derive(Default)]
struct Model {
    born_ms: Option<u64>,
    members: ReplicaTimes,
    state: FleetState<ReplicaTimes>,
}

impl Model {
    fn beat(&mut self, now_ms: u64, replica: &ReplicaText) {
        let tidies_up = !self.members.contains(replica) || now_ms.is_multiple_of(12);
        self.note(now_ms, replica);
        if tidies_up {
            self.prune(now_ms);
        }
    }

    fn prune(&mut self, now_ms: u64) {
        self.members.prune(now_ms.saturating_sub(FORGET_MS));
        self.members.prune_after(now_ms);
    }

    fn note(&mut self, now_ms: u64, replica: &ReplicaText) -> u64 {
        self.members.insert(replica, now_ms);
        let born_ms = now_ms.min(*self.born_ms.get_or_insert(now_ms));
        self.born_ms = Some(born_ms);
        born_ms
    }

    fn sync(&mut self, now_ms: u64, report: &Report<'_>, terms: &Terms) -> FleetView {
        let born_ms = self.note(now_ms, report.replica);
        self.prune(now_ms);
        merge(&mut self.state, report, terms, FleetContext { now_ms, born_ms, members: self.members.count() })
    }
}

#[derive(Debug, Clone)]
enum Step {
    Sync {
        replica: usize,
        open: bool,
        kind: u8,
        can_deliver: bool,
        knows: u8,
        paged: u8,
        confirmed: FleetStage,
        closed_alone_ms: Option<u64>,
        probe: Probe,
    },
    Beat {
        replica: usize,
    },
    /// Of the last claim, or of an earlier one; or with a fence that was never granted.
    Acknowledge {
        replica: usize,
        claims_ago: usize,
        fence: u64,
    },
    Forget,
}

fn step() -> impl Strategy<Value = (i64, Step)> {
    let probe = prop_oneof![1 => Just(Probe::None), 3 => Just(Probe::Asks), 1 => Just(Probe::Probing)];
    let confirmed = prop_oneof![Just(FleetStage::Pending), Just(FleetStage::Initial), Just(FleetStage::Escalated)];
    // Rarely unwell, so that incidents end.
    let kind = prop_oneof![3 => Just(0), 2 => 0..6_u8];
    let closed = prop::option::weighted(0.2, 0..60_000_u64);
    let sync = (0..4_usize, any::<bool>(), kind, any::<bool>(), 0..5_u8, 0..40_u8, confirmed, closed, probe).prop_map(
        |(replica, open, kind, can_deliver, knows, paged, confirmed, closed_alone_ms, probe)| Step::Sync {
            replica,
            open,
            kind,
            can_deliver,
            knows,
            paged,
            confirmed,
            closed_alone_ms,
            probe,
        },
    );
    let claims_ago = prop_oneof![4 => Just(0), 1 => 0..3_usize];
    let acknowledge = (0..4_usize, claims_ago, 0..6_u64).prop_map(|(replica, claims_ago, fence)| Step::Acknowledge {
        replica,
        claims_ago,
        fence,
    });
    let step = prop_oneof![24 => sync, 12 => acknowledge, 1 => Just(Step::Forget),
        6 => (0..4_usize).prop_map(|replica| Step::Beat { replica })];
    // A clock may be corrected a little, and set back by a lot.
    (
        prop_oneof![20 => 0..3_000_i64, 20 => 0..30_000_i64, 1 => 0..900_000_i64, 1 => -900_i64..0, 1 => -9_000_000_i64..0],
        step,
    )
}

fn terms() -> impl Strategy<Value = Terms> {
    (0..3_u64, 0..3_u64, 1..4_u32, any::<bool>(), 0..4_u32).prop_map(|(escalates, cools, page_at, is_share, probes)| {
        let mut terms = Terms::default();
        terms.hold_ms = 20_000;
        terms.escalate_after_ms = escalates * 20_000;
        terms.cooldown_ms = cools * 30_000;
        terms.probe_millionths = probes * 300_000;
        terms.page_at = if is_share { PageAt::Millionths(page_at * 200_000) } else { PageAt::Count(page_at) };
        terms
    })
}

/// The Lua scripts on a real server return the same as the rule of the core, step by step.
#[test]
fn the_scripts_follow_the_rule_of_the_core() {
    let Some(server) = RedisServer::start("the Lua against the rule of the core") else { return };
    let engine = RedisFleet::new(&server.url(), "test", "checkout").unwrap();
    let breaker = BreakerName::default();
    let replicas = ["a-1111", "b-2222", "c-3333", "d-4444"].map(text);
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) };
    proptest!(config, |(steps in proptest::collection::vec(step(), 1..80), terms in terms())| {
        assert_eq!(server.command("FLUSHALL"), "+OK");
        let mut model = Model::default();
        let mut now = 1_700_000_000_000_u64;
        let mut known = [Known::default(); 4];
        let mut claims: Vec<Claim> = Vec::new();
        for (passes, step) in steps {
            now = now.saturating_add_signed(passes);
            match step {
                Step::Sync { replica, open, kind, can_deliver, knows, paged, confirmed, closed_alone_ms, probe } => {
                    let mut report = Report::of(&replicas[replica]);
                    (report.open, report.unwell, report.can_deliver) = (open, kind_of_rank(kind), can_deliver);
                    (report.cause, report.probe) = (text("latency"), probe);
                    report.known = match knows {
                        0 => Known::default(),
                        1 => Known { active: !known[replica].active, ..known[replica] },
                        2 => Known { kind: Some(AlertKind::CircuitOpen), stage: FleetStage::Escalated, ..known[replica] },
                        _ => known[replica],
                    };
                    let kinds = KindSet::from_bits(paged);
                    report.paged = (paged < 16).then_some(Paged { kinds, confirmed });
                    report.closed_alone_ms = closed_alone_ms;
                    let expected = model.sync(now, &report, &terms);
                    let seen = block_on(engine.sync_at(Some(now), &breaker, &report, &terms)).unwrap();
                    prop_assert_eq!(&seen, &expected, "{:?}", report);
                    known[replica] = seen.known;
                    claims.extend(seen.claim);
                }
                Step::Beat { replica } => {
                    model.beat(now, &replicas[replica]);
                    let seen = block_on(engine.beat_at(Some(now), &Beat::of(&replicas[replica]))).unwrap();
                    prop_assert_eq!(seen.in_incident.len(), usize::from(model.state.incident.is_running()));
                }
                Step::Acknowledge { replica, claims_ago, fence } => {
                    let Some(granted) = claims.iter().rev().nth(claims_ago) else { continue };
                    let claim = Claim { fence: granted.fence + u64::from(fence == 0), ..*granted };
                    let expected = acknowledge(&mut model.state.incident, &replicas[replica], &claim, now);
                    let seen = block_on(engine.acknowledge_at(Some(now), &breaker, &replicas[replica], &claim)).unwrap();
                    prop_assert_eq!(seen, expected);
                }
                Step::Forget => {
                    assert_eq!(server.command("FLUSHALL"), "+OK");
                    model = Model::default();
                }
            }
        }
    });
}

#[test]
fn members_come_and_go_and_every_key_expires() {
    let Some(server) = RedisServer::start("members of a fleet") else { return };
    let engine = RedisFleet::new(&server.url(), "test", "checkout").unwrap();
    let (a, b) = (text("a-1111"), text("b-2222"));
    assert_eq!(block_on(engine.beat(&Beat::of(&a))).unwrap(), Heartbeat::new(1, Vec::new()));
    let mut report = Report::of(&b);
    (report.open, report.unwell) = (true, Some(AlertKind::CircuitOpen));
    let view = block_on(engine.sync(&BreakerName::default(), &report, &Terms::default())).unwrap();
    assert_eq!((view.open, view.members, view.first.as_str()), (1, 2, "b-2222"));
    assert_eq!(block_on(engine.beat(&Beat::of(&a))).unwrap(), Heartbeat::new(2, vec![BreakerName::default()]));
    for key in ["members", "incidents", "born", "open:default", "unwell:default", "incident:default"] {
        let left: i64 = server.command(&format!("TTL test:{{checkout}}:{key}"))[1..].parse().unwrap();
        assert!((86_000..=86_400).contains(&left), "{key}: {left}");
    }
    block_on(engine.leave(&b)).unwrap();
    assert_eq!(block_on(engine.beat(&Beat::of(&a))).unwrap().members, 1);
    assert_eq!(server.command("ZCARD test:{checkout}:unwell:default"), ":0");
}

#[test]
fn only_the_holder_acknowledges_a_claim_and_only_the_last_one() {
    let Some(server) = RedisServer::start("acknowledgements of claims") else { return };
    let engine = RedisFleet::new(&server.url(), "test", "checkout").unwrap();
    let (breaker, replica, terms) = (BreakerName::default(), text("a-1111"), Terms::default());
    let mut report = Report::of(&replica);
    (report.unwell, report.can_deliver) = (Some(AlertKind::CircuitOpen), true);
    let claim = |now| block_on(engine.sync_at(Some(now), &breaker, &report, &terms)).unwrap().claim;
    let acknowledge = |replica: &ReplicaText, claim: Claim| {
        block_on(engine.acknowledge_at(Some(1_052_000), &breaker, replica, &claim)).unwrap()
    };
    assert_eq!(claim(1_000_000), None);
    let first = claim(1_031_000).unwrap();
    assert_eq!(claim(1_050_000), None, "it is held");
    let second = claim(1_051_000).unwrap();
    assert_eq!((first.epoch, first.fence + 1), (second.epoch, second.fence));
    assert!(!acknowledge(&replica, first), "its lease is over");
    let other = text("b-2222");
    assert!(!acknowledge(&other, second), "another holds it");
    assert!(!acknowledge(&replica, Claim { epoch: second.epoch + 1, ..second }));
    assert!(acknowledge(&replica, Claim { open: 7, ..second }) && !acknowledge(&replica, second));
    assert_eq!(server.bulk("HGET test:{checkout}:incident:default noted"), "7");
}

#[test]
fn the_next_incident_of_a_kind_waits_for_the_cooldown() {
    let Some(server) = RedisServer::start("the cooldown of a fleet") else { return };
    let engine = RedisFleet::new(&server.url(), "test", "checkout").unwrap();
    let (breaker, replica, mut terms) = (BreakerName::default(), text("a-1111"), Terms::default());
    (terms.cooldown_ms, terms.hold_ms) = (300_000, 15_000);
    let sync = |now, is_unwell: bool| {
        let mut report = Report::of(&replica);
        (report.unwell, report.can_deliver) = (is_unwell.then_some(AlertKind::CircuitOpen), true);
        block_on(engine.sync_at(Some(now), &breaker, &report, &terms)).unwrap()
    };
    let acknowledge =
        |now, claim: &Claim| block_on(engine.acknowledge_at(Some(now), &breaker, &replica, claim)).unwrap();
    sync(1_000_000, true);
    let page = sync(1_020_000, true).claim.unwrap();
    assert!(acknowledge(1_020_000, &page));
    sync(1_030_000, false);
    let close = sync(1_040_000, false).claim.unwrap();
    assert!(close.due == DueStage::Resolved && acknowledge(1_040_000, &close));
    assert_eq!(sync(1_050_000, true).due_in_ms, Some(270_000), "300 s after the page");
    let page = sync(1_320_000, true).claim.unwrap();
    assert!(page.due == DueStage::Initial && acknowledge(1_320_000, &page));
    sync(1_330_000, false);
    let close = sync(1_340_000, false).claim.unwrap();
    assert!(acknowledge(1_340_000, &close));
    let again = sync(1_360_000, false).claim.unwrap();
    assert!(again.due == DueStage::ResolvedAgain && acknowledge(1_360_000, &again));
    assert_eq!(server.bulk("HGET test:{checkout}:incident:default sent"), "0", "no alert is open");
}

#[test]
fn a_beat_counts_who_was_heard_within_ten_minutes_and_now_and_then_tidies_up() {
    let Some(server) = RedisServer::start("beats") else { return };
    let engine = RedisFleet::new(&server.url(), "test", "checkout").unwrap();
    let (a, b) = (text("a-1111"), text("b-2222"));
    let members = |now: u64, replica| block_on(engine.beat_at(Some(now), &Beat::of(replica))).unwrap().members;
    let lives =
        |key: &str| server.command(&format!("TTL test:{{checkout}}:{key}"))[1..].parse::<i64>().unwrap() > 86_000;
    let stored = || server.command("ZCARD test:{checkout}:members");
    // A beat whose time is a multiple of 12 tidies up; so does that of a new member.
    let now = 1_700_000_000_004;
    assert_eq!(now % 12, 0);
    assert_eq!((members(now + 1, &a), members(now + 2, &b)), (1, 2));
    assert!(lives("members") && lives("born"));
    for key in ["members", "born"] {
        assert_eq!(server.command(&format!("PERSIST test:{{checkout}}:{key}")), ":1");
    }
    let later = now + FORGET_MS + 12;
    assert_eq!((members(later + 1, &a), stored()), (1, ":2".to_owned()));
    assert!(!lives("members") && !lives("born"));
    assert_eq!((members(later + 12, &a), stored()), (1, ":1".to_owned()));
    assert!(lives("members") && lives("born"));

    // The clock is set back: what lies ahead of it does not count, and the fleet is as old as the clock.
    assert_eq!(members(later + 13, &b), 2);
    let before = now - 9_000_000;
    assert_eq!((members(before + 1, &a), stored()), (1, ":2".to_owned()));
    assert_eq!((members(before + 12, &a), stored()), (1, ":1".to_owned()));
    let report = Report::of(&a);
    let view =
        block_on(engine.sync_at(Some(before + 12), &BreakerName::default(), &report, &Terms::default())).unwrap();
    assert_eq!(view.members, 1);
    assert_eq!(server.bulk("GET test:{checkout}:born"), (before + 1).to_string());
}

#[test]
fn a_server_that_is_gone_is_unreachable_and_reached_again_when_it_is_back() {
    let Some(mut server) = RedisServer::start("a server that is gone") else { return };
    let engine = RedisFleet::new(&server.url(), "test", "s").unwrap();
    let replica = text("a-1");
    assert!(block_on(engine.beat(&Beat::of(&replica))).is_ok());
    server.kill();
    assert!(matches!(block_on(engine.beat(&Beat::of(&replica))), Err(EngineError::Unreachable { .. })));
    server.restart();
    // The first call may use the connection that has ended.
    let again = (0..3).any(|_| block_on(engine.beat(&Beat::of(&replica))).is_ok());
    assert!(again);
}

#[derive(Debug, Clone)]
enum CommandStep {
    Place(Action),
    Beat { replica: usize, carries_out: bool },
    Forget,
}

fn command_step() -> impl Strategy<Value = (i64, CommandStep)> {
    let place = prop::sample::select(Action::ALL.to_vec()).prop_map(CommandStep::Place);
    let beat = (0..3_usize, prop::bool::weighted(0.8))
        .prop_map(|(replica, carries_out)| CommandStep::Beat { replica, carries_out });
    let step = prop_oneof![3 => place, 6 => beat, 1 => Just(CommandStep::Forget)];
    // The clock of a server that takes over may be behind.
    (prop_oneof![4 => 0..3_000_i64, 2 => 0..40_000_i64, 1 => -60_000..0_i64], step)
}

#[test]
fn the_scripts_follow_the_rule_of_the_core_for_commands() {
    let Some(server) = RedisServer::start("the commands in Lua against the rule of the core") else { return };
    let engine = RedisFleet::new(&server.url(), "test", "checkout").unwrap();
    let breaker = BreakerName::default();
    let replicas = ["a-1111", "b-2222", "c-3333"].map(text);
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) };
    proptest!(config, |(steps in proptest::collection::vec(command_step(), 1..60))| {
        assert_eq!(server.command("FLUSHALL"), "+OK");
        let (mut model, mut now, mut done) = (Commands::default(), 1_700_000_000_000_u64, [0; 3]);
        for (passes, step) in steps {
            now = now.saturating_add_signed(passes);
            match step {
                CommandStep::Place(action) => {
                    let expected = model.place(action, &text(breaker.as_str()), now);
                    prop_assert_eq!(block_on(engine.command_at(Some(now), action, &breaker)).unwrap(), expected);
                }
                CommandStep::Beat { replica, carries_out } => {
                    let mut beat = Beat::of(&replicas[replica]);
                    beat.commands_done = Some(done[replica]);
                    let seen = block_on(engine.beat_at(Some(now), &beat)).unwrap().commands;
                    let expected: Vec<_> = model.newer(done[replica], now).cloned().collect();
                    prop_assert_eq!(&seen, &expected);
                    if let Some(last) = seen.last().filter(|_| carries_out) {
                        done[replica] = last.number;
                    }
                }
                CommandStep::Forget => {
                    assert_eq!(server.command("FLUSHALL"), "+OK");
                    model = Commands::default();
                }
            }
        }
    });
}

#[test]
fn the_progress_of_a_command_counts_the_replicas_that_have_done_it() {
    let Some(server) = RedisServer::start("the progress of a command") else { return };
    let engine = RedisFleet::new(&server.url(), "test", "checkout").unwrap();
    let replicas = ["a-1111", "b-2222", "c-3333"].map(text);
    let beat = |replica: usize, done: Option<u64>| {
        let mut beat = Beat::of(&replicas[replica]);
        beat.commands_done = done;
        block_on(engine.beat(&beat)).unwrap().commands
    };
    (0..3).for_each(|replica| assert_eq!(beat(replica, Some(0)), []));
    let number = block_on(engine.command(Action::Disable, &BreakerName::default())).unwrap();
    assert_eq!(beat(2, None), [], "it takes none");
    assert_eq!(beat(0, Some(0)).len(), 1);
    assert_eq!(block_on(engine.command_progress(number)).unwrap(), CommandProgress::new(0, 3));
    assert_eq!(beat(0, Some(number)), []);
    assert_eq!(block_on(engine.command_progress(number)).unwrap(), CommandProgress::new(1, 3));
    block_on(engine.leave(&replicas[0])).unwrap();
    assert_eq!(block_on(engine.command_progress(number)).unwrap(), CommandProgress::new(0, 2));
    for key in COMMAND_KEYS {
        let left: i64 = server.command(&format!("TTL test:{{checkout}}:{key}"))[1..].parse().unwrap();
        assert!(left > 86_000 || key == "done", "{key}: {left}");
    }
}
