#![allow(clippy::unwrap_used, clippy::panic)]

use proptest::prelude::*;
use smol::block_on;
use tripline_runtime::AlertKind;
use tripline_runtime::core::fleet::{Commands, FleetContext, FleetState, Paged, Probe, ReplicaSet, acknowledge, merge};
use tripline_runtime::test_util::ReplicaTimes;

use self::redis_server::RedisServer;
use super::*;

#[path = "../../../tests/redis_server/mod.rs"]
mod redis_server;

/// The rule of the core on a store in memory.
#[derive(Default)]
struct Model {
    born_ms: Option<u64>,
    members: ReplicaTimes,
    state: FleetState<ReplicaTimes>,
}

impl Model {
    fn sync(&mut self, now_ms: u64, report: &Report<'_>, terms: &Terms) -> FleetView {
        self.members.insert(report.replica, now_ms);
        self.members.prune(now_ms.saturating_sub(FORGET_MS));
        self.members.prune_after(now_ms);
        let born_ms = now_ms.min(*self.born_ms.get_or_insert(now_ms));
        self.born_ms = Some(born_ms);
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
        escalated: bool,
        probe: Probe,
    },
    Acknowledge {
        replica: usize,
        fence: u64,
    },
    Forget,
}

fn step() -> impl Strategy<Value = (i64, Step)> {
    let probe = prop_oneof![1 => Just(Probe::None), 3 => Just(Probe::Asks), 1 => Just(Probe::Probing)];
    let sync = (0..4_usize, any::<bool>(), 0..6_u8, any::<bool>(), 0..5_u8, 0..40_u8, any::<bool>(), probe).prop_map(
        |(replica, open, kind, can_deliver, knows, paged, escalated, probe)| Step::Sync {
            replica,
            open,
            kind,
            can_deliver,
            knows,
            paged,
            escalated,
            probe,
        },
    );
    let acknowledge = (0..4_usize, 0..6_u64).prop_map(|(replica, fence)| Step::Acknowledge { replica, fence });
    let step = prop_oneof![12 => sync, 4 => acknowledge, 1 => Just(Step::Forget)];
    // A clock may be corrected a little, and set back by a lot.
    (prop_oneof![20 => 0..3_000_i64, 20 => 0..30_000_i64, 1 => -900_i64..0, 1 => -9_000_000_i64..0], step)
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
                Step::Sync { replica, open, kind, can_deliver, knows, paged, escalated, probe } => {
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
                    report.paged = (paged < 16).then_some(Paged { kinds, escalated });
                    let expected = model.sync(now, &report, &terms);
                    let seen = block_on(engine.sync_at(Some(now), &breaker, &report, &terms)).unwrap();
                    prop_assert_eq!(&seen, &expected, "{:?}", report);
                    known[replica] = seen.known;
                    claims.extend(seen.claim);
                }
                Step::Acknowledge { replica, fence } => {
                    let Some(last) = claims.last() else { continue };
                    let claim = Claim { fence: if fence == 0 { last.fence + 1 } else { last.fence }, ..*last };
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
fn a_foreign_key_is_named_and_left_alone() {
    let Some(server) = RedisServer::start("a foreign key") else { return };
    let engine = RedisFleet::new(&server.url(), "test", "checkout").unwrap();
    assert_eq!(server.command("SET test:{checkout}:members something"), "+OK");
    let replica = text("a-1111");
    let error = block_on(engine.beat(&Beat::of(&replica))).unwrap_err();
    assert_eq!(error, EngineError::ForeignKey { key: "test:{checkout}:members".to_owned() });
    assert!(error.to_string().contains("fleet.namespace"));
    let error = block_on(engine.sync(&BreakerName::default(), &Report::of(&replica), &Terms::default())).unwrap_err();
    assert!(matches!(error, EngineError::ForeignKey { .. }));
    assert_eq!(server.command("GET test:{checkout}:members"), "$9");
    assert_eq!(server.command("DBSIZE"), ":1");
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
fn a_wrong_password_is_an_answer_that_does_not_quote_it() {
    let Some(server) = RedisServer::start_with("a wrong password", &["--requirepass", "right-secret"]) else { return };
    let url = |password: &str| format!("redis://:{password}@127.0.0.1:{}", server.port);
    let right = RedisFleet::new(&url("right-secret"), "test", "s").unwrap();
    assert!(block_on(right.beat(&Beat::of(&text("a-1")))).is_ok());
    let wrong = RedisFleet::new(&url("wrong-secret"), "test", "s").unwrap();
    let error = block_on(wrong.beat(&Beat::of(&text("a-1")))).unwrap_err();
    assert!(matches!(error, EngineError::Rejected { .. }), "{error:?}");
    assert!(!error.to_string().contains("secret"), "{error}");
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

#[test]
fn a_foreign_key_in_the_way_of_commands_is_named_and_left_alone() {
    let Some(server) = RedisServer::start("a foreign key in the way of commands") else { return };
    let engine = RedisFleet::new(&server.url(), "test", "checkout").unwrap();
    assert_eq!(server.command("SET test:{checkout}:commands something"), "+OK");
    let foreign = Err(EngineError::ForeignKey { key: "test:{checkout}:commands".to_owned() });
    assert_eq!(block_on(engine.command(Action::Reset, &BreakerName::default())), foreign);
    let replica = text("a-1111");
    let mut beat = Beat::of(&replica);
    assert!(block_on(engine.beat(&beat)).is_ok(), "a replica without commands does not need it");
    beat.commands_done = Some(0);
    assert!(matches!(block_on(engine.beat(&beat)), Err(EngineError::ForeignKey { .. })));
    assert_eq!(server.command("GET test:{checkout}:commands"), "$9");
}
