//! Following against replaying the same log.
#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use tripline_runtime::core::{Latency, Outcome, Policy, Ratio, StateKind};
use tripline_runtime::test_util::ManualClock;
use tripline_runtime::{Breaker, Family, FamilyLimits, Mode};

use super::lanes::Lanes;
use super::playout::Playout;
use super::*;
use crate::replay::record::Call;
use crate::replay::replayed_breaker::ReplayedBreaker;
use crate::replay::{Mode as OutputMode, Options, run};

/// Where the logs begin, in seconds since 1970.
const BEGINNING: u64 = 1_790_000_000;

fn policy() -> Policy {
    let mut policy = Policy::default();
    policy.latency_threshold = Latency::from_millis(300);
    policy.wait_jitter = Ratio::ZERO;
    policy
}

/// A line of nginx with a time in milliseconds, of a call that ended at `end_ms`.
fn line(end_ms: u64, latency_ms: u64) -> String {
    let (seconds, millis) = (BEGINNING + end_ms / 1_000, end_ms % 1_000);
    format!(
        "{{\"msec\":\"{seconds}.{millis:03}\",\"request_time\":\"{}.{:03}\",\"status\":200,\"request_uri\":\"/\"}}\n",
        latency_ms / 1_000,
        latency_ms % 1_000
    )
}

/// Ends and latencies in milliseconds: 50 calls a second, which are slow for 20 seconds in the middle.
fn calls() -> Vec<(u64, u64)> {
    let mut calls: Vec<(u64, u64)> = (0..6_000_u64)
        .map(|n| {
            let start = n * 20;
            let is_slow = (40_000..60_000).contains(&start);
            let latency = if is_slow { 900 + n * 7 % 50 } else { 20 + n * 13 % 60 };
            (start + latency, latency)
        })
        .collect();
    calls.sort_unstable();
    calls
}

fn log() -> String {
    calls().into_iter().map(|(end, latency)| line(end, latency)).collect()
}

/// Every call is for one breaker.
#[derive(Debug)]
struct Only(Arc<Destination>);

impl Routing for Only {
    fn wanted(&self) -> Wanted {
        Wanted::default()
    }

    fn targets(&self) -> Vec<Arc<Target>> {
        vec![self.0.target.clone()]
    }

    fn destination(
        &self,
        _request: &LogRequest<'_>,
        _status: Option<u16>,
    ) -> Result<(Arc<Destination>, Option<bool>), Unrouted> {
        Ok((self.0.clone(), None))
    }
}

struct Followed {
    system: Arc<ManualClock>,
    breaker: Breaker,
    follower: Follower,
}

fn follow(stall_detection: bool) -> Followed {
    let system = Arc::new(ManualClock::default());
    let clock = Arc::new(FollowClock::new(system.clone()));
    let builder = Breaker::builder(clock.clone()).policy(policy()).mode(Mode::Observe).stall_detection(false);
    let breaker = builder.build().unwrap();
    let target = Arc::new(Target { breaker: breaker.clone(), family: None, stall_detection });
    let only = Only(Arc::new(Destination { target, key: Box::default() }));
    let follower = Follower::new(clock, Arc::new(only), &Reading::default());
    Followed { system, breaker, follower }
}

fn replayed(log: &str, stall_detection: bool) -> (String, serde_json::Value) {
    let mut options = Options::new(policy(), OutputMode::Summary);
    options.stall_detection = stall_detection;
    let mut output = Vec::new();
    run(&options, log.as_bytes(), &mut output).unwrap();
    let text = String::from_utf8(output).unwrap().trim_end().to_owned();
    let json = serde_json::from_str(&text).unwrap();
    (text, json)
}

#[test]
fn a_finished_log_decides_exactly_as_its_replay() {
    let log = log();
    for chunk in [1_000, 7, log.len()] {
        let mut followed = follow(true);
        for part in log.as_bytes().chunks(chunk) {
            followed.follower.feed(part);
            followed.follower.drive_history().unwrap();
        }
        let summaries = followed.follower.go_live(Duration::ZERO).unwrap();
        let (expected, json) = replayed(&log, true);
        assert_eq!(summaries, [(BreakerName::default(), expected.clone())]);
        assert_eq!(json["trips"].as_array().map(Vec::len), Some(1), "{expected}");
        assert_eq!(Some(followed.breaker.would_reject()), json["rejected"].as_u64());
        assert_eq!(followed.breaker.rejected(), 0);
        assert_eq!(followed.follower.usage().lines, 6_000);
        assert!(followed.breaker.poll_event().is_none(), "what happened in the history is no news");
    }
}

/// Feeds the lines of [`calls`] to a live follower, each `late` milliseconds after its end and then at the next multiple of
/// `batch`. Returns would-be rejections, trips and the milliseconds between the trip and the first recovery.
fn live(stall_detection: bool, late: u64, batch: u64) -> (u64, u32, u64) {
    let mut followed = follow(stall_detection);
    followed.follower.go_live(Duration::ZERO).unwrap();
    let follower = &mut followed.follower;
    let calls = calls();
    let mut next = 0;
    let mut open_for = 0;
    for now in (0..140_000).step_by(10) {
        let mut text = String::new();
        while let Some((end, latency)) = calls.get(next).filter(|(end, _)| (end + late).div_ceil(batch) * batch <= now)
        {
            let _ = write!(text, "{}", line(*end, *latency));
            next += 1;
        }
        follower.feed(text.as_bytes());
        follower.play().unwrap();
        open_for += 10 * u64::from(followed.breaker.state() != StateKind::Closed);
        followed.system.advance(Duration::from_millis(10));
    }
    let trips = followed.breaker.read(|core| {
        use tripline_runtime::core::TripReason;
        // A bad probe that opens the breaker again is no trip of a replay.
        let probes = [TripReason::ProbeSlow, TripReason::ProbeFailed];
        let trips = TripReason::ALL.iter().filter(|reason| !probes.contains(reason));
        trips.map(|reason| core.counts().trips(*reason)).sum()
    });
    (followed.breaker.would_reject(), trips, open_for)
}

/// The same figures of a replay.
fn expected() -> (u64, u64, u64) {
    let (_, json) = replayed(&log(), false);
    let at = |list: &str| json[list][0]["at_ms"].as_f64().or(json[list][0].as_f64()).unwrap_or(0.0);
    let open_for = at("recoveries") - at("trips");
    (json["rejected"].as_u64().unwrap(), json["trips"].as_array().unwrap().len() as u64, open_for as u64)
}

#[test]
fn a_log_that_is_written_now_is_decided_as_its_replay_however_its_lines_come() {
    let (rejected, trips, open_for) = expected();
    assert_eq!(trips, 1);
    // At once, late by some seconds, and in batches as a server writes them that flushes its buffer now and then.
    for (late, batch) in [(0, 1), (700, 1), (0, 1_000), (0, 5_000), (0, 20_000)] {
        let (would_reject, found, was_open) = live(false, late, batch);
        assert_eq!(found, 1, "late by {late} ms, in batches of {batch} ms");
        // The grid of 10 ms, and calls in flight while the state changes.
        assert!(would_reject.abs_diff(rejected) <= rejected / 50 + 5, "{late} {batch}: {would_reject} and {rejected}");
        assert!(was_open.abs_diff(open_for) <= 100, "{late} {batch}: {was_open} and {open_for}");
    }
}

#[test]
fn calls_that_hang_count_before_they_end() {
    let (_, with_stalls, _) = live(true, 0, 1);
    assert_eq!(with_stalls, 1);
}

#[test]
fn lines_of_no_known_format_are_counted_and_what_follows_is_read() {
    let mut followed = follow(false);
    followed.follower.go_live(Duration::ZERO).unwrap();
    let follower = &mut followed.follower;
    follower.feed(b"what is this\n");
    assert!(follower.play().unwrap(), "more lines are waited for");
    followed.system.advance(Duration::from_secs(2));
    follower.play().unwrap();
    assert_eq!(follower.usage().unusable.count("format"), 1);
    assert!(follower.problem().is_some());
    for n in 0..20 {
        follower.feed(line(n, 5).as_bytes());
    }
    follower.play().unwrap();
    assert!(follower.problem().is_none());
    assert_eq!(follower.usage().lines, 21);
}

#[test]
fn a_history_without_a_usable_line_is_an_error_that_names_the_first() {
    let mut followed = follow(false);
    followed.follower.feed(b"what is this\nand this\n");
    let error = followed.follower.go_live(Duration::ZERO).map(|_| ()).unwrap_err();
    assert!(error.to_string().starts_with("line 1: "), "{error}");
}

#[test]
fn a_log_that_ended_open_long_ago_begins_closed() {
    let log: String =
        calls().into_iter().filter(|(end, _)| *end < 50_000).map(|(end, latency)| line(end, latency)).collect();
    for (silence, state) in [(Duration::from_secs(1), StateKind::Open), (Duration::from_secs(3_600), StateKind::Closed)]
    {
        let mut followed = follow(true);
        followed.follower.feed(log.as_bytes());
        followed.follower.go_live(silence).unwrap();
        assert_eq!(followed.breaker.state(), state);
    }
}

/// Calls of 400 members in turn, a millisecond apart.
fn calls_of_members(target: &Arc<Target>) -> impl Iterator<Item = Record> + use<> {
    let target = target.clone();
    (0..8_000_i64).map(move |n| {
        let to = Some(Arc::new(Destination { target: target.clone(), key: (n % 400).to_string().into() }));
        let call = Call { latency: 3_000_000, outcome: Outcome::Ok };
        Record { at: n * 1_000_000, call: Some(call), memory: None, to }
    })
}

#[test]
fn the_members_of_a_family_hold_a_bounded_number_of_calls_together_and_lose_none() {
    for is_history in [true, false] {
        let clock = Arc::new(FollowClock::new(Arc::new(ManualClock::default())));
        let builder = Breaker::builder(clock.clone()).policy(policy()).mode(Mode::Observe).stall_detection(false);
        let family = Family::new(builder, FamilyLimits::default()).unwrap();
        let breaker = family.shared().clone();
        let target = Arc::new(Target { breaker, family: Some(family.clone()), stall_detection: false });
        let mut lanes = Lanes::new(clock, 60_000_000_000, std::slice::from_ref(&target));
        lanes.max_held = 1_000;
        if !is_history {
            lanes.go_live(Duration::ZERO).unwrap();
        }
        let mut peak = 0;
        for record in calls_of_members(&target) {
            if is_history {
                lanes.drive(&record).unwrap();
            } else {
                lanes.take(&record, 3_000_000_000).unwrap();
            }
            peak = peak.max(lanes.held());
        }
        // Counted every 1,000 / 64 calls near the bound.
        assert!((900..1_020).contains(&peak), "{is_history}: {peak}");
        lanes.go_live(Duration::ZERO).unwrap();
        lanes.play(20_000_000_000).unwrap();
        let finished: u64 = family.members().iter().map(|member| member.read(|core| core.counts().ok)).sum();
        assert_eq!((lanes.held(), finished), (0, 8_000), "{is_history}");
    }
}

#[test]
fn the_generation_of_a_breaker_without_calls_is_looked_at_once_a_second() {
    let clock = Arc::new(FollowClock::new(Arc::new(ManualClock::default())));
    let breaker = Breaker::builder(clock.clone()).policy(policy()).stall_detection(false).build().unwrap();
    let mut playout = Playout::new(ReplayedBreaker::on(breaker.clone(), clock, false), 60_000_000_000, 0);
    breaker.force_open();
    let changes_at = |playout: &mut Playout, now: i64| {
        playout.play(now);
        playout.generations.len()
    };
    assert_eq!([50_000_000, 999_000_000, 1_000_000_000].map(|now| changes_at(&mut playout, now)), [1, 1, 2]);
    breaker.reset();
    let call = Call { latency: 1_000_000, outcome: Outcome::Ok };
    playout.take(&Record { at: 1_100_000_000, call: Some(call), memory: None, to: None }, 0);
    assert_eq!(changes_at(&mut playout, 1_050_000_000), 3, "it has a call");
}
