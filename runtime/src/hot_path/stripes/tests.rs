//! A breaker whose good calls wait decides what one decides that handles each at once.

use std::fmt::Write as _;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use tripline_core::{Confidence, MemorySample, Outcome, Policy, Ratio};

use super::*;
use crate::breaker::Breaker;
use crate::breaker::permit::{OwnedPermit, OwnedTimedPermit};
use crate::clock::Clock;
use crate::hot_path::thread_number;
use std::vec::Vec;


/// Splitmix64.
struct Rng(u64);

impl Rng {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

#[derive(Debug, Default)]
struct TestClock(AtomicU64);

#[async_trait::async_trait]
impl Clock for TestClock {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.load(Ordering::Relaxed))
    }

    fn system_time(&self) -> std::time::SystemTime {
        std::time::SystemTime::UNIX_EPOCH
    }

    async fn sleep_until(&self, _: Instant) {}
}

enum Permit {
    WithClock(OwnedTimedPermit),
    /// With its start.
    WithoutClock(OwnedPermit, Instant),
}

/// A breaker and its calls in flight.
struct Side {
    breaker: Breaker,
    waits: bool,
    calls: Vec<Option<Permit>>,
    log: String,
}

impl Side {
    fn new(clock: &Arc<TestClock>, policy: &Policy, stripes: usize, stalls: bool, waits: bool) -> Self {
        let builder = Breaker::builder(clock.clone()).policy(policy.clone()).stall_detection(stalls);
        let breaker = builder.exact_stripes(stripes).build().unwrap();
        Self { breaker, waits, calls: Vec::new(), log: String::new() }
    }

    fn start(&mut self, timed: bool) {
        let permit = if timed {
            self.breaker.try_start_owned().map(Permit::WithClock)
        } else {
            let start = self.breaker.clock().now();
            self.breaker.try_acquire_owned().map(|permit| Permit::WithoutClock(permit, start))
        };
        let answer = match &permit {
            Ok(_) => "admitted".to_owned(),
            Err(rejection) => format!("{rejection:?}"),
        };
        let _ = writeln!(self.log, "{answer}");
        self.calls.push(permit.ok());
    }

    /// Ends a call; true if its record waits.
    fn end(&mut self, index: usize, outcome: Option<Outcome>) -> bool {
        if !self.waits {
            // As if there were no stripes.
            self.breaker.inner.shared().gate.publish_waiting(Instant::ZERO, Latency::ZERO);
        }
        let before = self.breaker.inner.shared().stripes.waiting();
        let end = self.breaker.clock().now();
        match (self.calls.swap_remove(index), outcome) {
            (Some(Permit::WithClock(permit)), Some(outcome)) => permit.finish(outcome),
            (Some(Permit::WithoutClock(permit, start)), Some(outcome)) => permit.finish(start, end, outcome),
            (permit, _) => drop(permit),
        }
        self.breaker.inner.shared().stripes.waiting() > before
    }

    fn act(&mut self, act: impl Fn(&Breaker)) {
        act(&self.breaker);
    }

    /// Everything that there is to see.
    fn view(&mut self) -> String {
        while let Some(event) = self.breaker.poll_event() {
            let _ = writeln!(self.log, "{event:?}");
        }
        let in_flight = self.breaker.in_flight();
        let core = self.breaker.read(|core| format!("{core:?}"));
        format!("{}{in_flight} in flight, {core}", std::mem::take(&mut self.log))
    }
}

fn check_same(one: &str, other: &str, at: &str) {
    if one != other {
        let parts = |text: &str| text.split(", ").map(str::to_owned).collect::<Vec<_>>();
        let differ: Vec<_> = parts(one).into_iter().zip(parts(other)).filter(|(one, other)| one != other).collect();
        panic!("{at}: with and without stripes {differ:#?}");
    }
}

fn policy(rng: &mut Rng) -> Policy {
    let mut policy = Policy::default();
    policy.latency_threshold = Latency::from_millis(100);
    policy.latency_window_size = NonZeroU16::new(1 + rng.below(12) as u16).unwrap();
    policy.minimum_samples = [None, Some(1), Some(3), Some(8)][rng.below(4) as usize];
    policy.latency_max_age = Duration::from_millis([0, 500, 60_000, 3_600_000][rng.below(4) as usize]);
    policy.trip_confidence = Confidence::new([0.0, 0.5, 0.99][rng.below(3) as usize]).unwrap();
    policy.failure_rate_threshold = Ratio::new([0.0, 0.3][rng.below(2) as usize]).unwrap();
    policy.recovery_time = Duration::from_millis([0, 20, 500][rng.below(3) as usize]);
    policy.wait_time = Duration::from_millis(rng.below(200));
    policy.half_open_max_calls = rng.below(3) as u16;
    policy.trend_analysis = rng.one_in(2);
    policy
}

/// Runs one random course of calls and operations; returns how many records waited.
fn run(seed: u64) -> u64 {
    let mut rng = Rng(seed);
    let clock = Arc::new(TestClock(AtomicU64::new(5_000_000_000)));
    let (policy_at_first, stalls, timed) = (policy(&mut rng), !rng.one_in(3), !rng.one_in(3));
    let stripes = 2 << rng.below(3);
    let mut sides = [true, false].map(|waits| Side::new(&clock, &policy_at_first, stripes, stalls, waits));
    let mut waited = 0;
    for step in 0..600 {
        clock.0.fetch_add(
            match rng.below(60) {
                0 => 1 + rng.below(300_000_000),
                1 => 1 + rng.below(30_000_000),
                _ => 1 + rng.below(500_000),
            },
            Ordering::Relaxed,
        );
        // Another thread goes on.
        thread_number::set(rng.below(8) as usize);
        let now = clock.now();
        let what = rng.below(200);
        let mut both = |act: &dyn Fn(&Breaker)| sides.each_mut().map(|side| side.act(act));
        match what {
            0..=89 => sides.each_mut().map(|side| side.start(timed)).map(drop),
            90..=185 => {
                let calls = sides[0].calls.len() as u64;
                if calls == 0 {
                    continue;
                }
                // Most end in the order in which they began.
                let index = if rng.one_in(4) { rng.below(calls) } else { 0 } as usize;
                let outcome = match rng.below(40) {
                    0 => Some(Outcome::Failed),
                    1 => Some(Outcome::Ignored),
                    2 => None,
                    _ => Some(Outcome::Ok),
                };
                let [one, _] = sides.each_mut().map(|side| side.end(index, outcome));
                waited += u64::from(one);
                [(); 2]
            }
            186..=189 => both(&|breaker| breaker.handle_timeout(now)),
            190 if !stalls => {
                let count = rng.below(3) as u16;
                both(&|breaker| breaker.handle_stalled(now, count))
            }
            191 if rng.one_in(4) => both(&Breaker::reset),
            192 if rng.one_in(8) => both(&|breaker| _ = breaker.force_open()),
            193 if rng.one_in(4) => both(&|breaker| _ = breaker.simulate_latency()),
            194 => both(&Breaker::undo_simulations),
            195 if rng.one_in(2) => {
                let policy = policy(&mut rng);
                both(&|breaker| breaker.set_policy(&policy).unwrap())
            }
            196 => {
                let used = rng.below(110);
                let sample = (!rng.one_in(5)).then_some(MemorySample { used, limit: Some(100) });
                both(&|breaker| breaker.handle_memory(now, sample))
            }
            197 if rng.one_in(8) => both(&Breaker::disable),
            198 => both(&Breaker::enable),
            _ => {
                let [one, other] = sides.each_mut().map(Side::view);
                check_same(&one, &other, &format!("seed {seed}, step {step}"));
                [(); 2]
            }
        };
    }
    let [one, other] = sides.each_mut().map(Side::view);
    check_same(&one, &other, &format!("seed {seed}"));
    assert_eq!(sides.each_ref().map(|side| side.breaker.reports_dropped()), [0; 2]);
    waited
}

#[test]
fn good_calls_that_wait_change_no_decision() {
    let waited: u64 = (0..250).map(run).sum();
    println!("{waited} records waited");
    assert!(waited > 4_000, "{waited} waited: too few to show anything");
}

fn call(generation: u32, end: u64, latency: u32) -> GoodCall {
    GoodCall {
        token: CallToken::tracked(Generation::new(generation), EpochMark::new(end)),
        end: Instant::from_nanos(end),
        latency: Latency::from_micros(latency),
    }
}

#[test]
fn a_flush_takes_every_record_once_and_in_the_order_of_ends() {
    for seed in 0..300 {
        let mut rng = Rng(seed);
        let count = 2 << rng.below(6);
        let stripes = Stripes::new(StripeCount::at_most(count as usize));
        let (mut end, mut pushed) = (0, Vec::new());
        for _ in 0..rng.below(300) {
            end += 1 + rng.below(1_000);
            let record = call(7, end, rng.below(1 << 32) as u32);
            if stripes.push(rng.below(count) as usize, record) {
                pushed.push(record);
            }
            if rng.one_in(50) {
                take_all(&stripes, &mut pushed);
            }
        }
        take_all(&stripes, &mut pushed);
    }
}

fn take_all(stripes: &Stripes, pushed: &mut Vec<GoodCall>) {
    assert_eq!(stripes.waiting(), pushed.len() as u64);
    let mut taken = Vec::new();
    stripes.flush(Generation::new(7), |record| taken.push(record));
    assert_eq!(taken, *pushed);
    assert_eq!(stripes.waiting(), 0);
    pushed.clear();
}

#[test]
fn a_full_stripe_takes_no_more_until_it_is_flushed() {
    let stripes = Stripes::new(StripeCount::at_most(2));
    let fitting = (0..1_000).take_while(|&end| stripes.push(1, call(0, end, 1))).count();
    assert_eq!(fitting, RECORDS_PER_STRIPE);
    stripes.flush(Generation::new(0), |_| ());
    assert!(stripes.push(1, call(0, 1, 1)));
}

#[test]
fn a_record_keeps_its_call_and_another_generation_is_not_taken_for_the_one_in_force() {
    let end = Instant::from_nanos(GoodCall::END_LIMIT.as_nanos() - 1);
    let generation = Generation::new(0xFFFF_FFFF);
    let latency = Latency::from_micros(u32::MAX);
    for token in [CallToken::tracked(generation, EpochMark::new(0xFF_FFFF)), CallToken::untracked(generation)] {
        let record = GoodCall { token, end, latency };
        assert_eq!(GoodCall::unpack(record.pack(), generation), record);
        for later in [0, 1, 0x7FFE] {
            let current = Generation::new(later);
            assert_ne!(GoodCall::unpack(record.pack(), current).token.generation(), current);
        }
    }
}
