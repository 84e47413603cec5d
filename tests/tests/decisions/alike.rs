//! Replay, a simulated world, the breaker that threads share and the core decide alike on the same calls at the same times.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tripline_backends::replay::{self, Mode};
use tripline_core::{
    Breaker as Core, Confidence, EventKind, Generation, Instant, Latency, Outcome, Policy, Ratio, StateKind, TripAfter,
};
use tripline_runtime::test_util::World;
use tripline_runtime::{Breaker, OwnedTimedPermit, SupervisedBreaker};
use tripline_tests::noise::Noise;

/// In microseconds, from the first moment of the recording on.
#[derive(Debug, Clone, Copy)]
struct Call {
    start_us: u64,
    latency_us: u32,
    failed: bool,
}

impl Call {
    const fn end_us(&self) -> u64 {
        self.start_us + self.latency_us as u64
    }

    const fn outcome(&self) -> Outcome {
        if self.failed { Outcome::Failed } else { Outcome::Ok }
    }
}

/// What a decider did: which calls it admitted, and when it opened from Closed, in microseconds.
#[derive(Clone, PartialEq, Eq)]
struct Decisions {
    admitted: Vec<bool>,
    trips_us: Vec<u64>,
}

impl fmt::Debug for Decisions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runs =
            self.admitted.chunk_by(|a, b| a == b).map(|run| format!("{}{}", if run[0] { "" } else { "-" }, run.len()));
        write!(f, "opens at {:?}; admits (rejects) {:?}", self.trips_us, runs.collect::<Vec<_>>())
    }
}

/// A service that is well, slow, hangs or fails for some seconds at a time, for all or a share of its calls.
fn calls(noise: &mut Noise, threshold_us: u32) -> Vec<Call> {
    let rate = 2.0 * 50_f64.powf(noise.unit());
    let mut calls = Vec::new();
    let (mut now_us, mut until_us, mut mood, mut share) = (0_u64, 0, 0, 0.0);
    while calls.len() < 600 {
        now_us += 1 + (-noise.unit().ln() / rate * 1e6) as u64;
        if now_us >= until_us {
            until_us = now_us + (noise.unit() * 12e6) as u64;
            mood = if mood == 0 { 1 + (noise.unit() * 4.0) as u32 } else { 0 };
            share = if noise.chance(0.5) { 1.0 } else { noise.unit() };
            // No calls for up to two minutes.
            now_us += if noise.chance(0.05) { (noise.unit() * 120e6) as u64 } else { 0 };
        }
        let hit = noise.chance(share);
        let times = match mood {
            1 if hit => 1.0 + noise.unit(),
            2 if hit => 1.0 + 5.0 * noise.unit(),
            3 if hit => (5e6 + 25e6 * noise.unit()) / f64::from(threshold_us),
            _ if noise.chance(0.01) => 1.5,
            _ => 0.01 + 0.9 * noise.unit(),
        };
        calls.push(Call {
            start_us: now_us,
            latency_us: (f64::from(threshold_us) * times) as u32,
            failed: mood == 4 && hit,
        });
    }
    // A recording begins with its first call. All times are whole milliseconds, as ages are: the phase of the clock makes no difference.
    let first_us = calls[0].start_us;
    for call in &mut calls {
        call.start_us = (call.start_us - first_us) / 1_000 * 1_000;
        call.latency_us = (call.latency_us / 1_000 * 1_000).max(1_000);
    }
    calls
}

fn policy(noise: &mut Noise) -> Policy {
    let mut policy = Policy::default();
    policy.latency_threshold = Latency::from_millis(50 + (noise.unit() * 1_450.0) as u32);
    policy.wait_jitter = Ratio::ZERO;
    policy.wait_time = Duration::from_millis(500 + (noise.unit() * 9_500.0) as u64);
    policy.trend_analysis = noise.chance(0.3);
    if noise.chance(0.3) {
        policy.trip_after = TripAfter::Millis((noise.unit() * 3_000.0) as u16);
    }
    if noise.chance(0.5) {
        policy.warm_up = Duration::ZERO;
    }
    if noise.chance(0.2) {
        policy.trip_confidence = Confidence::ZERO;
        policy.failure_rate_threshold = Ratio::ZERO;
    }
    policy
}

/// At one instant calls finish, then stall, and then start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Finish,
    Outlive,
    Stall,
    Start,
}

const MAX_AGE_US: u64 = 60_000_000;

fn agenda(calls: &[Call]) -> BinaryHeap<Reverse<(u64, What, usize)>> {
    calls.iter().enumerate().map(|(index, call)| Reverse((call.start_us, What::Start, index))).collect()
}

/// The core alone; with `stalls` it hears of each call that hangs at the instant at which it becomes slow.
fn core(policy: &Policy, calls: &[Call], stalls: bool) -> Decisions {
    let mut core = Core::<64>::new(policy.clone(), 1).unwrap();
    let mut decisions = Decisions { admitted: vec![false; calls.len()], trips_us: Vec::new() };
    let mut generations = vec![Generation::new(u32::MAX); calls.len()];
    let mut stalled = (core.generation(), 0_u16);
    let mut agenda = agenda(calls);
    while let Some(Reverse((at_us, what, index))) = agenda.pop() {
        let now = Instant::from_nanos(at_us * 1_000);
        // A deadline, as the supervisor keeps it, comes before what starts then.
        while let Some(due) = core.poll_timeout().filter(|&due| due < now) {
            core.handle_timeout(due);
        }
        let call = calls[index];
        let slow_at_us = call.start_us + u64::from(policy.latency_threshold.as_micros());
        if stalled.0 != core.generation() {
            stalled = (core.generation(), 0);
        }
        let is_present = generations[index] == core.generation();
        match what {
            What::Start => {
                let Ok(generation) = core.try_admit(now) else { continue };
                decisions.admitted[index] = true;
                generations[index] = generation;
                agenda.push(Reverse((call.end_us(), What::Finish, index)));
                if stalls && slow_at_us < call.end_us() {
                    agenda.push(Reverse((slow_at_us, What::Stall, index)));
                    if call.start_us + MAX_AGE_US < call.end_us() {
                        agenda.push(Reverse((call.start_us + MAX_AGE_US, What::Outlive, index)));
                    }
                }
            }
            What::Stall | What::Outlive if is_present => {
                stalled.1 = if what == What::Stall { stalled.1 + 1 } else { stalled.1 - 1 };
                core.handle_stalled(now, stalled.0, stalled.1);
            }
            What::Stall | What::Outlive => {}
            What::Finish => {
                let hung = stalls && slow_at_us < call.end_us() && u64::from(call.latency_us) <= MAX_AGE_US;
                stalled.1 -= u16::from(is_present && hung && core.state().kind() == StateKind::Closed);
                let latency = Latency::from_micros(call.latency_us);
                core.handle_finished(now, generations[index], latency, call.outcome());
            }
        }
        while let Some(event) = core.poll_event() {
            if let EventKind::Transition { from: StateKind::Closed, to: StateKind::Open, .. } = event.kind {
                decisions.trips_us.push(event.at.as_nanos() / 1_000);
            }
        }
    }
    decisions
}

/// The recording as `tripline replay` reads it: in the order of the ends.
fn replayed(policy: &Policy, calls: &[Call], stalls: bool) -> Decisions {
    use fmt::Write;
    let mut order: Vec<usize> = (0..calls.len()).collect();
    order.sort_by_key(|&index| calls[index].end_us());
    let mut csv = "at_ms,latency_ms,outcome\n".to_owned();
    for &index in &order {
        let (call, outcome) = (calls[index], if calls[index].failed { "error" } else { "ok" });
        let millis = |micros: u64| format!("{}.{:03}", micros / 1_000, micros % 1_000);
        writeln!(csv, "{},{},{outcome}", millis(call.end_us()), millis(call.latency_us.into())).unwrap();
    }
    let output = |mode| {
        let mut options = replay::Options::new(policy.clone(), mode);
        options.stall_detection = stalls;
        let mut output = Vec::new();
        replay::run(&options, csv.as_bytes(), &mut output).unwrap();
        String::from_utf8(output).unwrap()
    };
    let mut decisions = Decisions { admitted: vec![false; calls.len()], trips_us: Vec::new() };
    for (line, &index) in output(Mode::JsonLines).lines().zip(&order) {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        decisions.admitted[index] = record["admitted"].as_bool().unwrap();
    }
    let summary: serde_json::Value = serde_json::from_str(&output(Mode::Summary)).unwrap();
    let micros = |trip: &serde_json::Value| (trip["at_ms"].as_f64().unwrap() * 1e3).round() as u64;
    decisions.trips_us = summary["trips"].as_array().unwrap().iter().map(micros).collect();
    decisions
}

/// Two threads that take turns.
struct Threads {
    jobs: [mpsc::Sender<Box<dyn FnOnce() + Send>>; 2],
    done: mpsc::Receiver<()>,
}

impl Threads {
    fn new() -> Self {
        let (finished, done) = mpsc::channel();
        let jobs = [(); 2].map(|()| {
            let (job, jobs) = mpsc::channel::<Box<dyn FnOnce() + Send>>();
            let finished = finished.clone();
            thread::spawn(move || {
                for job in jobs {
                    job();
                    finished.send(()).unwrap();
                }
            });
            job
        });
        Self { jobs, done }
    }

    /// Runs a job on one of them, and waits for it.
    fn run<T: Send + 'static>(&self, which: usize, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (result, results) = mpsc::channel();
        self.jobs[which % 2].send(Box::new(move || result.send(job()).unwrap())).unwrap();
        self.done.recv().unwrap();
        results.recv().unwrap()
    }
}

/// A supervised breaker on virtual time, whose calls start on one thread and end on the other.
fn shared(policy: &Policy, calls: &[Call], stalls: bool, threads: Option<&Threads>) -> Decisions {
    let world = World::new(1);
    let builder = Breaker::builder(world.clock()).policy(policy.clone()).stall_detection(stalls);
    let breaker = builder.build().unwrap();
    let _stop = world.supervise([SupervisedBreaker::new(breaker.clone())]);
    let origin = world.now();
    let mut decisions = Decisions { admitted: vec![false; calls.len()], trips_us: Vec::new() };
    let mut permits: Vec<Option<OwnedTimedPermit>> = calls.iter().map(|_| None).collect();
    let mut agenda = agenda(calls);
    let mut before = (StateKind::Closed, None);
    let mut look = |trips_us: &mut Vec<u64>| {
        let now = breaker.read(|core| (core.state().kind(), core.last_trip()));
        let is_new = now.1 != before.1 && before.0 == StateKind::Closed;
        if let Some(trip) = now.1.filter(|_| is_new) {
            trips_us.push((trip.at.as_nanos() - origin.as_nanos()) / 1_000);
        }
        before = now;
    };
    while let Some(Reverse((at_us, what, index))) = agenda.pop() {
        let at = origin + Duration::from_micros(at_us);
        while world.now() < at {
            world.step(at);
            look(&mut decisions.trips_us);
        }
        let shared = breaker.clone();
        if what == What::Start {
            let start = move || shared.try_start_owned().ok();
            let Some(permit) = threads.map_or_else(|| start.clone()(), |threads| threads.run(index, start.clone()))
            else {
                continue;
            };
            permits[index] = Some(permit);
            decisions.admitted[index] = true;
            agenda.push(Reverse((calls[index].end_us(), What::Finish, index)));
        } else if let Some(permit) = permits[index].take() {
            let outcome = calls[index].outcome();
            match threads {
                Some(threads) => threads.run(index + 1, move || permit.finish_at(at, outcome)),
                None => permit.finish_at(at, outcome),
            }
        }
        world.run_until_idle();
        look(&mut decisions.trips_us);
    }
    decisions
}

#[test]
fn all_of_them_admit_the_same_calls_and_open_at_the_same_times() {
    let (mut trips, mut rejected) = (0, 0);
    for seed in 0..60 {
        let noise = &mut Noise::new(seed);
        let policy = policy(noise);
        let calls = calls(noise, policy.latency_threshold.as_micros());
        let expected = core(&policy, &calls, false);
        assert_eq!(replayed(&policy, &calls, false), expected, "{seed}: replay");
        assert_eq!(shared(&policy, &calls, false, None), expected, "{seed}: world");
        assert_eq!(shared(&policy, &calls, false, Some(&Threads::new())), expected, "{seed}: two threads");
        let expected = core(&policy, &calls, true);
        assert_eq!(replayed(&policy, &calls, true), expected, "{seed}: replay, with calls that hang");
        trips += expected.trips_us.len();
        rejected += expected.admitted.iter().filter(|admitted| !**admitted).count();
    }
    assert!(trips > 60 && rejected > 5_000, "{trips} trips and {rejected} rejections show little");
}

/// The supervisor looks for calls that hang at intervals, while a replay knows when each becomes slow.
#[test]
fn with_calls_that_hang_a_world_opens_within_a_look_of_the_replay() {
    let (mut trips, mut late, mut differ) = (0, 0, 0);
    for seed in 0..100 {
        let noise = &mut Noise::new(seed);
        let policy = policy(noise);
        let threshold_us = policy.latency_threshold.as_micros();
        let calls = calls(noise, threshold_us);
        let (exact, seen) = (core(&policy, &calls, true), shared(&policy, &calls, true, None));
        trips += exact.trips_us.len();
        differ += exact.trips_us.len().abs_diff(seen.trips_us.len());
        let look_us = u64::from(threshold_us / 8).max(10_000);
        late +=
            exact.trips_us.iter().zip(&seen.trips_us).filter(|(exact, seen)| exact.abs_diff(**seen) > look_us).count();
    }
    println!("{trips} trips, {late} by more than a look earlier or later, {differ} more or fewer");
    // Where a stalled call is seen a little later, another call may complete the evidence, or the tolerance differ by that.
    assert!(trips > 100 && late + differ <= trips / 20, "{trips} {late} {differ}");
}
