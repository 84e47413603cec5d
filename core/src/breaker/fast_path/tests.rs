//! Checks that a breaker with the fast path behaves as one without it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::string_slice,
    clippy::semicolon_if_nothing_returned
)]
use core::num::NonZeroU16;
use core::time::Duration;
use std::format;
use std::string::String;
use std::vec::Vec;

use crate::event::IncidentCause;
use crate::memory::MemorySample;
use crate::outcome::Outcome;
use crate::policy::Policy;
use crate::units::{Confidence, Latency, Percentile, Ratio};
use crate::{Breaker, Generation, Instant, State};

use super::FastPathProbe;

struct Rng(u64);
impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

const N: usize = 8;
type Core = Breaker<N>;

fn policy(rng: &mut Rng) -> Policy {
    let mut policy = Policy::default();
    policy.latency_threshold = Latency::from_millis(100);
    policy.percentile = Percentile::new([0.5, 0.9, 0.95, 1.0][rng.below(4) as usize]).unwrap();
    policy.latency_window_size = NonZeroU16::new(1 + rng.below(N as u64) as u16).unwrap();
    policy.minimum_samples = [None, Some(1), Some(3), Some(8)][rng.below(4) as usize];
    policy.latency_max_age = Duration::from_millis([0, 50, 1_000, 60_000, 3_600_000][rng.below(5) as usize]);
    policy.trip_confidence = Confidence::new([0.0, 0.5, 0.99][rng.below(3) as usize]).unwrap();
    policy.failure_rate_threshold = Ratio::new([0.0, 0.3][rng.below(2) as usize]).unwrap();
    policy.recovery_time = Duration::from_millis([0, 20, 500][rng.below(3) as usize]);
    policy.wait_time = Duration::from_millis(rng.below(200));
    policy.half_open_max_calls = rng.below(3) as u16;
    #[cfg(feature = "trend")]
    {
        policy.trend_analysis = rng.one_in(2);
    }
    policy.enabled = !rng.one_in(30);
    policy
}

fn view(core: &Core) -> String {
    let mut copy = core.clone();
    copy.fast_path_until = Instant::ZERO;
    copy.steady_until = Instant::ZERO;
    copy.fast_path_probe = FastPathProbe::default();
    format!("{copy:?} {:?}", core.poll_timeout())
}

/// The inputs of a run, with each kind of disturbance on or off.
#[derive(Clone, Copy)]
struct Kinds {
    /// Whether a call may finish late after an input that only advances time: a stale result, or a count of no stalled
    /// calls.
    late_after_stale: bool,
    resume: bool,
}

fn run(seed: u64, kinds: Kinds) -> Result<[u64; 3], String> {
    let mut rng = Rng(seed);
    let first = policy(&mut rng);
    let mut short = Core::new(first.clone(), 1).unwrap();
    let mut long = Core::new(first, 1).unwrap();
    long.fast_path_probe.never = true;
    let mut now: u64 = 5_000_000_000;
    let mut steps_seen: Vec<String> = Vec::new();
    let mut finishes = 0;
    for step in 0..400 {
        now += match rng.below(40) {
            0 => rng.below(3_000) * 1_000_000,
            1 => rng.below(200_000) * 1_000_000,
            _ => rng.below(3_000_000),
        };
        let at = Instant::from_nanos(now);
        let late = Instant::from_nanos(now.saturating_sub(if rng.one_in(4) { rng.below(900_000_000) } else { 0 }));
        let what = rng.below(100);
        let mut both = |name: String, act: &dyn Fn(&mut Core)| {
            steps_seen.push(format!("{step}: {now} {name}"));
            act(&mut short);
            act(&mut long);
        };
        match what {
            0..=79 => {
                finishes += 1;
                let bad = rng.one_in(25);
                let ms = if bad { 150 } else { rng.below(101) as u32 };
                let outcome = match rng.below(40) {
                    0 => Outcome::Failed,
                    1 => Outcome::Ignored,
                    _ => Outcome::Ok,
                };
                let latency = Latency::from_millis(ms);
                let end = late;
                both(format!("finish {end:?} {ms} {outcome:?}"), &|c| {
                    let before = c.clone();
                    c.handle_finished(end, c.generation(), latency, outcome);
                    if outcome == Outcome::Ok && !bad && end < before.good_calls_wait_until() {
                        check_that_it_may_wait(&before, c, &format!("seed {seed} step {step}"));
                    }
                });
            }
            80..=82 if kinds.late_after_stale => {
                both(format!("stale at {at:?}"), &|c| {
                    c.handle_finished(
                        at,
                        Generation::new(c.generation().get().wrapping_sub(1)),
                        Latency::ZERO,
                        Outcome::Ok,
                    );
                });
            }
            83..=84 => {
                let count = if kinds.late_after_stale && rng.one_in(2) { 0 } else { 1 + rng.below(2) as u16 };
                both(format!("stalled {count}"), &|c| c.handle_stalled(at, c.generation(), count));
            }
            85 => both("admit".into(), &|c| _ = c.try_admit(late)),
            86..=87 => both("time".into(), &|c| c.handle_timeout(late)),
            88..=89 => {
                let used = rng.below(110);
                both(format!("memory {used}"), &|c| c.handle_memory(at, MemorySample { used, limit: Some(100) }));
            }
            90 => both("memory lost".into(), &|c| c.handle_memory_lost(at)),
            91 => {
                let policy = policy(&mut rng);
                both("policy".into(), &|c| c.handle_policy(at, &policy).unwrap());
            }
            92 => both("dropped".into(), &|c| c.handle_dropped(c.generation())),
            93 if rng.one_in(3) => both("reset".into(), &|c| c.reset(at)),
            94 if rng.one_in(4) => both("disable".into(), &|c| c.disable(at)),
            95 => both("enable".into(), &|c| c.enable(at)),
            96 if rng.one_in(4) => both("simulate".into(), &|c| _ = c.simulate_latency(at)),
            97 => both("undo".into(), &|c| c.undo_simulations(at)),
            98 if kinds.resume => {
                both("resume".into(), &|c| c.resume_incident(at, IncidentCause::LatencyCondition, None))
            }
            99 if rng.one_in(3) => now = now.saturating_sub(rng.below(5_000_000_000)),
            _ => {
                while let (Some(a), b) = (short.poll_event(), long.poll_event()) {
                    if Some(a) != b {
                        return Err(format!("events: {a:?} {b:?}"));
                    }
                }
            }
        }
        let (a, b) = (view(&short), view(&long));
        if a != b {
            let tail = steps_seen[steps_seen.len().saturating_sub(6)..].join("\n");
            let parts = |text: &str| text.split(", ").map(String::from).collect::<Vec<_>>();
            let differ: Vec<_> = parts(&a).into_iter().zip(parts(&b)).filter(|(a, b)| a != b).take(8).collect();
            return Err(format!("seed {seed} step {step}\n{tail}\nFAST, SLOW: {differ:?}"));
        }
    }
    Ok([short.fast_path_probe.hits, short.fast_path_probe.steady_hits, finishes])
}

/// A good call that may wait changes neither the state nor a deadline, and emits nothing.
fn check_that_it_may_wait(before: &Core, after: &Core, at: &str) {
    let seen = |core: &Core| (core.state(), core.events_emitted());
    let deadline = |core: &Core| core.poll_timeout().unwrap_or(Instant::MAX);
    let may_wait = seen(after) == seen(before) && deadline(after) >= deadline(before);
    assert!(may_wait, "{at}: {:?}, then {:?}, {}", seen(before), seen(after), view(before));
}

fn all(kinds: Kinds) {
    let (mut hits, mut steady_hits, mut finishes, mut bad, mut first) = (0, 0, 0, 0, None);
    // And seeds whose policy changes while slow or failed calls are in the window, calls hang or no call was seen.
    for seed in (0..150).chain([220, 2_270, 3_048, 3_077, 3_699, 3_941]) {
        match run(seed, kinds) {
            Ok([h, s, f]) => {
                hits += h;
                steady_hits += s;
                finishes += f;
            }
            Err(text) => {
                bad += 1;
                first.get_or_insert(text);
            }
        }
    }
    std::println!("{hits} of {finishes} finishes took the fast path, {steady_hits} the steady one; {bad} runs differ");
    assert!(first.is_none(), "{}", first.unwrap());
    assert!(hits * 50 > finishes && steady_hits * 50 > finishes, "too few took the fast path to show anything");
}

#[test]
fn both_ways_come_to_the_same() {
    all(Kinds { late_after_stale: false, resume: false });
}

#[test]
fn both_ways_come_to_the_same_with_stale_calls_and_counts_of_no_stalls() {
    all(Kinds { late_after_stale: true, resume: false });
}

#[test]
fn both_ways_come_to_the_same_with_resumed_incidents() {
    all(Kinds { late_after_stale: false, resume: true });
}

/// The same breaker with its samples oldest first: superseded ones do not turn the ring.
fn in_order(core: &Core) -> String {
    let text = view(core);
    let (before, rest) = text.split_once("places: [").unwrap();
    let (_, rest) = rest.split_once("], oldest: ").unwrap();
    let (_, after) = rest.split_once(", len: ").unwrap();
    format!("{before}{:?}{after}", core.window.history().collect::<Vec<_>>())
}

/// Counts calls that are followed by a window of others, beside a breaker to which all are handed in.
#[test]
fn superseded_calls_change_the_same_whether_they_are_handed_in_or_counted() {
    let (mut checked, mut with_evidence) = (0, 0);
    for seed in 0..600 {
        let mut rng = Rng(seed);
        let first = policy(&mut rng);
        let window = u64::from(first.latency_window_size.get());
        let mut core = Core::new(first, 1).unwrap();
        let mut now: u64 = 5_000_000_000;
        for _ in 0..200 {
            let longest = if rng.one_in(20) { 3_000_000_000 } else { 1_000_000 };
            now += rng.below(longest);
            let at = Instant::from_nanos(now);
            let good = |core: &mut Core, end: u64| {
                let latency = Latency::from_micros((end % 100_000) as u32);
                core.handle_finished(Instant::from_nanos(end), core.generation(), latency, Outcome::Ok);
            };
            match rng.below(40) {
                0..=2 => core.handle_finished(at, core.generation(), Latency::from_millis(150), Outcome::Ok),
                3 => core.handle_stalled(at, core.generation(), rng.below(2) as u16),
                4 if rng.one_in(4) => core.reset(at),
                4 => {
                    let mut next = policy(&mut rng);
                    next.latency_window_size = core.policy().latency_window_size;
                    core.handle_policy(at, &next).unwrap();
                }
                11 => core.handle_memory(at, MemorySample { used: rng.below(85), limit: Some(100) }),
                12 => core.handle_dropped(core.generation()),
                13..=14 => {
                    let latency = Latency::from_millis(if rng.one_in(2) { 10 } else { 150 });
                    let outcome = if rng.one_in(2) { Outcome::Failed } else { Outcome::Ignored };
                    core.handle_finished(at, core.generation(), latency, outcome);
                }
                5..=10 => {
                    let most = if rng.one_in(3) { 100 } else { 4 };
                    let calls = rng.below(most);
                    let last = now + (calls + window) * 1_000;
                    if Instant::from_nanos(last) >= core.superseded_until() {
                        continue;
                    }
                    let ends = (1..=calls + window).map(|call| now + call * 1_000);
                    let (mut counted, before) = (core.clone(), in_order(&core));
                    counted.count_superseded(calls);
                    ends.clone().skip(calls as usize).for_each(|end| good(&mut counted, end));
                    ends.for_each(|end| good(&mut core, end));
                    assert_eq!(
                        in_order(&counted),
                        in_order(&core),
                        "seed {seed}: {calls} calls counted, after {before}"
                    );
                    now = last;
                    checked += 1;
                    with_evidence += u64::from(!before.contains("sums: [Excursion { sum: 0,"));
                }
                _ => good(&mut core, now),
            }
            while core.poll_event().is_some() {}
        }
    }
    std::println!("{checked} checked, {with_evidence} with evidence");
    assert!(checked > 2_000 && with_evidence > 200, "{checked} {with_evidence}: too few to show anything");
}

/// Without evidence, a good call after a change of the policy may be the first that finds too many failures.
#[test]
fn a_good_call_does_not_wait_while_a_rule_holds() {
    let mut policy = Policy::default();
    policy.latency_window_size = NonZeroU16::new(4).unwrap();
    policy.minimum_samples = Some(4);
    policy.trip_confidence = Confidence::new(0.0).unwrap();
    policy.failure_rate_threshold = Ratio::new(0.0).unwrap();
    let mut core = Core::new(policy.clone(), 1).unwrap();
    let finish = |core: &mut Core, millis: u64, outcome| {
        core.handle_finished(Instant::from_millis(millis), core.generation(), Latency::from_millis(1), outcome);
    };
    for (millis, outcome) in (0..4).zip([Outcome::Ok, Outcome::Failed, Outcome::Failed, Outcome::Ok]) {
        finish(&mut core, millis, outcome);
    }
    assert!(core.good_calls_wait_until() > Instant::ZERO, "no rule looks at failures");
    policy.failure_rate_threshold = Ratio::new(0.3).unwrap();
    core.handle_policy(Instant::from_millis(5), &policy).unwrap();
    assert_eq!(core.good_calls_wait_until(), Instant::ZERO);
    finish(&mut core, 6, Outcome::Ok);
    assert!(matches!(core.state(), State::Open { .. }), "{:?}", core.state());
}

/// A good call ends a run of stalled calls, also where all of them ended ignored.
#[test]
#[cfg(feature = "trend")]
fn a_good_call_after_stalled_ones_that_are_ignored_ends_their_run() {
    let mut policy = Policy::default();
    policy.latency_threshold = Latency::from_millis(100);
    policy.latency_window_size = NonZeroU16::new(8).unwrap();
    policy.percentile = Percentile::new(0.5).unwrap();
    policy.trend_analysis = true;
    let mut short = Core::new(policy, 1).unwrap();
    let mut long = short.clone();
    long.fast_path_probe.never = true;
    for core in [&mut short, &mut long] {
        let finish = |core: &mut Core, millis: u64, latency_millis, outcome| {
            let latency = Latency::from_millis(latency_millis);
            core.handle_finished(Instant::from_millis(millis), core.generation(), latency, outcome);
        };
        (0..2_000).for_each(|millis| finish(core, millis, 10, Outcome::Ok));
        core.handle_stalled(Instant::from_millis(2_000), core.generation(), 4);
        (0..4).for_each(|_| finish(core, 2_000, 150, Outcome::Ignored));
        (2_001..2_020).for_each(|millis| finish(core, millis, 10, Outcome::Ok));
    }
    assert!(short.fast_path_probe.hits > 1_900);
    assert_eq!(view(&short), view(&long));
}
