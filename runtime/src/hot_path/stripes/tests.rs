//! A breaker with stripes decides what one without them decides.

use std::fmt::Write as _;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use tripline_core::{Confidence, Latency, MemorySample, Outcome, Policy, Ratio};

use super::*;
use crate::breaker::Breaker;
use crate::breaker::permit::{OwnedPermit, OwnedTimedPermit};
use crate::clock::Clock;
use crate::hot_path::call_token::CallToken;
use crate::hot_path::in_flight::EpochMark;
use crate::hot_path::shared::Shared;
use crate::hot_path::thread_number;
use crate::sync::{AtomicU64, Ordering};
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
    calls: Vec<Option<Permit>>,
    log: String,
}

impl Side {
    fn new(clock: &Arc<TestClock>, policy: &Policy, stripes: usize, stalls: bool) -> Self {
        let builder = Breaker::builder(clock.clone()).policy(policy.clone()).stall_detection(stalls);
        let breaker = builder.exact_stripes(stripes).build().unwrap();
        Self { breaker, calls: Vec::new(), log: String::new() }
    }

    /// How many records wait.
    fn waiting(&self) -> u64 {
        self.breaker.inner.shared().gate.stripes().map_or(0, Stripes::waiting)
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
        let before = self.waiting();
        let end = self.breaker.clock().now();
        match (self.calls.swap_remove(index), outcome) {
            (Some(Permit::WithClock(permit)), Some(outcome)) => permit.finish(outcome),
            (Some(Permit::WithoutClock(permit, start)), Some(outcome)) => permit.finish(start, end, outcome),
            (permit, _) => drop(permit),
        }
        self.waiting() > before
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
        let core = self.breaker.read(|core| in_order(&format!("{core:?}")));
        format!("{}{in_flight} in flight, {core}", std::mem::take(&mut self.log))
    }
}

/// What a core shows, with its samples oldest first: superseded ones do not turn the ring.
fn in_order(core: &str) -> String {
    let (before, rest) = core.split_once("places: HeapSamples([").unwrap();
    let (places, rest) = rest.split_once("]), oldest: ").unwrap();
    let (oldest, rest) = rest.split_once(", len: ").unwrap();
    let (len, after) = rest.split_once(',').unwrap();
    let places: Vec<_> = places.split_inclusive('}').collect();
    let [oldest, len] = [oldest, len].map(|number| number.parse::<usize>().unwrap());
    let samples: Vec<_> =
        (oldest..oldest + len).map(|place| places[place % places.len()].trim_matches([',', ' '])).collect();
    format!("{before}{samples:?}{after}")
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
    let mut sides = [stripes, 1].map(|stripes| Side::new(&clock, &policy_at_first, stripes, stalls));
    let mut waited = 0;
    // Long stretches of good calls, in which records are superseded.
    let calm = rng.one_in(3);
    for step in 0..if calm { 4_000 } else { 600 } {
        clock.0.fetch_add(
            match rng.below(if calm { 2_000 } else { 60 }) {
                0 => 1 + rng.below(300_000_000),
                1 => 1 + rng.below(30_000_000),
                _ => 1 + rng.below(500_000),
            },
            Ordering::Relaxed,
        );
        // Another thread goes on.
        thread_number::set(rng.below(8) as usize);
        let now = clock.now();
        let what = if calm && !rng.one_in(100) { rng.below(186) } else { rng.below(200) };
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
                let outcome = match rng.below(if calm { 2_000 } else { 40 }) {
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
fn a_stripe_takes_1_280_bytes() {
    let bytes = Shared::STRIPE_BYTES;
    println!("{bytes} bytes for each stripe");
    assert!(bytes <= 1_280, "{bytes}");
}

#[test]
fn good_calls_that_wait_change_no_decision() {
    let waited: u64 = (0..500).chain([1_026, 1_503, 36_407]).map(run).sum();
    println!("{waited} records waited");
    assert!(waited > 4_000, "{waited} waited: too few to show anything");
}

fn call(generation: u32, epoch: u64, end: u64, latency: u32) -> GoodCall {
    GoodCall {
        token: CallToken::tracked(Generation::new(generation), EpochMark::new(epoch)),
        end: Instant::from_nanos(end),
        latency: Latency::from_micros(latency),
    }
}

/// Pushes and flushes at random, beside a model: a flush takes the records that were pushed since the last one in the order of
/// ends, but for as many as it counts as superseded, of which each had a ring full of plain records after it on its stripe.
#[test]
fn a_flush_takes_or_counts_every_record_once_and_in_the_order_of_ends() {
    let mut superseded = 0;
    for seed in 0..300 {
        let mut rng = Rng(seed);
        let count = 2 << rng.below(6);
        let stripes = Stripes::new(StripeCount::at_most(count as usize), 0).unwrap();
        // Few stripes are used where many records are to be superseded.
        let used = 1 + rng.below(count);
        let (mut end, mut pushed) = (0, Vec::new());
        for _ in 0..rng.below(2_000) {
            end += 1 + rng.below(1_000);
            let (stripe, kind) = (rng.below(used), if rng.one_in(500) { Kind::Other } else { Kind::Plain });
            let epoch = u64::from(rng.one_in(300));
            let record = call(7, epoch, end, rng.below(1 << 32) as u32);
            if stripes.push(stripe as usize, record, kind) {
                pushed.push((stripe, kind, record));
            } else {
                superseded += take_all(&stripes, &mut pushed);
                assert!(stripes.push(stripe as usize, record, kind));
                pushed.push((stripe, kind, record));
            }
            if rng.one_in(700) {
                superseded += take_all(&stripes, &mut pushed);
            }
        }
        superseded += take_all(&stripes, &mut pushed);
    }
    assert!(superseded > 10_000, "{superseded}");
}

fn take_all(stripes: &Stripes, pushed: &mut Vec<(u64, Kind, GoodCall)>) -> u64 {
    assert_eq!(stripes.waiting(), pushed.len() as u64);
    let (mut taken, mut counts) = (Vec::new(), [0, 0]);
    stripes.flush(Generation::new(7), |run| {
        run.for_each(|flushed| match flushed {
            Flushed::Call(call) => taken.push(call),
            Flushed::Superseded(superseded) => counts[superseded.epoch.get() as usize] += superseded.calls,
        });
    });
    assert_eq!(stripes.waiting(), 0);
    // The last ones of each stripe are kept.
    let mut later = [0; 64];
    let mut kept: Vec<_> = Vec::new();
    for &(stripe, kind, call) in pushed.iter().rev() {
        later[stripe as usize] += 1;
        if later[stripe as usize] <= PLACES {
            kept.push(call);
        } else {
            assert_eq!(kind, Kind::Plain);
            counts[call.token.epoch().unwrap().get() as usize] -= 1;
        }
    }
    kept.reverse();
    assert_eq!(taken, kept);
    assert_eq!(counts, [0; 2], "counted once, in its epoch");
    let superseded = (pushed.len() - taken.len()) as u64;
    pushed.clear();
    superseded
}

#[test]
fn a_full_stripe_takes_no_more_until_it_is_flushed_but_for_plain_records() {
    let stripes = Stripes::new(StripeCount::at_most(2), 0).unwrap();
    let push = |kind| stripes.push(1, call(0, 0, 1, 1), kind);
    assert!(push(Kind::Other));
    assert_eq!((0..1_000).take_while(|_| push(Kind::Plain)).count(), PLACES - 1, "the oldest is not plain");
    stripes.flush(Generation::new(0), |_| ());
    assert!((0..1_000).all(|_| push(Kind::Plain)));
    assert!(!push(Kind::Other));
    stripes.flush(Generation::new(0), |_| ());
    assert!(push(Kind::Other));
}

#[test]
fn a_record_keeps_its_call_and_another_generation_is_not_taken_for_the_one_in_force() {
    let end = Instant::from_nanos(GoodCall::END_LIMIT.as_nanos() - 1);
    let generation = Generation::new(0xFFFF_FFFF);
    let latency = Latency::from_micros(u32::MAX);
    for token in [CallToken::tracked(generation, EpochMark::new(0xFF_FFFF)), CallToken::untracked(generation)] {
        let record = GoodCall { token, end, latency };
        assert_eq!(record.pack().unpack(generation), record);
        for later in [0, 1, 0x7FFE] {
            let current = Generation::new(later);
            assert_ne!(record.pack().unpack(current).token.generation(), current);
        }
    }
}

/// Without a reader or a bad call, the records of a quiet breaker reach the window when the supervisor polls next.
#[cfg(feature = "test-util")]
#[test]
fn records_of_a_quiet_breaker_reach_the_window_within_one_poll_of_the_supervisor() {
    use crate::supervisor::target::SupervisedBreaker;
    use crate::test_util::World;

    let world = World::new(1);
    let clock = world.clock();
    let mut policy = Policy::default();
    policy.latency_window_size = NonZeroU16::new(8).unwrap();
    // An epoch, the time between two polls while calls come in, is a sixteenth.
    policy.latency_threshold = Latency::from_millis(160);
    let breaker = Breaker::builder(clock.clone()).policy(policy).exact_stripes(2).build().unwrap();
    let stop = world.supervise([SupervisedBreaker::new(breaker.clone())]);
    let stripes = breaker.inner.shared().gate.stripes().unwrap();
    let make_calls = || {
        for _ in 0..200 {
            let permit = breaker.try_start().unwrap();
            clock.advance(Duration::from_micros(1));
            permit.finish(Outcome::Ok);
        }
    };
    make_calls();
    world.run_until_idle();
    make_calls();
    assert!(stripes.waiting() >= 20, "{} wait", stripes.waiting());
    world.advance(Duration::from_millis(11));
    assert_eq!(stripes.waiting(), 0);
    drop(stop);
}

/// Each call ends before the next one starts, so that no call is in flight when the supervisor polls: it polls again all the same, and
/// only the first call of a thread wakes it, and its first on a stripe.
#[cfg(feature = "test-util")]
#[test]
fn steady_calls_do_not_wake_the_supervisor_again_and_again() {
    use crate::supervisor::target::SupervisedBreaker;
    use crate::test_util::World;
    use event_listener::Listener;

    for (stripes, gap_us) in [(1, 250), (1, 40_000), (2, 250), (2, 40_000)] {
        let world = World::new(1);
        let clock = world.clock();
        let mut policy = Policy::default();
        // The supervisor polls every 100 ms while calls come in.
        policy.latency_threshold = Latency::from_millis(1_600);
        let breaker = Breaker::builder(clock.clone()).policy(policy).exact_stripes(stripes).build().unwrap();
        let stop = world.supervise([SupervisedBreaker::new(breaker.clone())]);
        world.advance(Duration::from_secs(1));
        let mut wakes = 0;
        for _ in 0..2_000 {
            let woken = breaker.changed();
            breaker.try_start().unwrap().finish(Outcome::Ok);
            wakes += usize::from(woken.discard());
            world.advance(Duration::from_micros(gap_us));
        }
        assert!((1..=stripes).contains(&wakes), "{wakes} wakes: {stripes} stripes, a call every {gap_us} µs");
        drop(stop);
    }
}
