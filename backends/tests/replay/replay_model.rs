//! A replay against the core alone, driven by the simplest possible loop: all events in a list that is searched for the
//! first one each time.
#![cfg(feature = "replay")]
#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::time::Duration;

use tripline_backends::replay::{Mode, Options, run};
use tripline_runtime::core::{
    Breaker, Cause, Confidence, EventKind, Generation, Instant, Latency, MemorySample, Outcome, Percentile, Policy,
    Ratio, StateKind,
};

use crate::without_why::without_why;

/// Times in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Line {
    at: i64,
    latency: Option<i64>,
    outcome: Outcome,
    memory: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Finish,
    Stall,
    Memory,
    Deadline,
    Start,
}

/// Times in nanoseconds since the earliest start.
struct Model<'a> {
    lines: &'a [Line],
    origin: i64,
    core: Breaker<1024>,
    stall_detection: bool,
    events: Vec<(u64, Kind, usize)>,
    in_flight: Vec<(usize, Generation)>,
    seen_stalled: Vec<usize>,
    admitted: Vec<Option<bool>>,
    told: Vec<String>,
    trips: Vec<String>,
    recoveries: Vec<String>,
    reopened: usize,
}

impl<'a> Model<'a> {
    fn new(policy: &Policy, stall_detection: bool, lines: &'a [Line]) -> Self {
        let origin = lines.iter().map(|line| line.at - line.latency.unwrap_or(0)).min().unwrap_or(0);
        let mut policy = policy.clone();
        policy.wait_jitter = Ratio::ZERO;
        Self {
            lines,
            origin,
            core: Breaker::new(policy, 0).unwrap(),
            stall_detection,
            events: Vec::new(),
            in_flight: Vec::new(),
            seen_stalled: Vec::new(),
            admitted: vec![None; lines.len()],
            told: vec![String::new(); lines.len()],
            trips: Vec::new(),
            recoveries: Vec::new(),
            reopened: 0,
        }
    }

    fn run(&mut self) {
        for (index, line) in self.lines.iter().enumerate() {
            if let Some(latency) = line.latency {
                self.events.push((self.nanos(line.at - latency), Kind::Start, index));
            }
            if line.memory.is_some() {
                self.events.push((self.nanos(line.at), Kind::Memory, index));
            }
        }
        let (mut now, mut last_deadline) = (0, None);
        while let Some(&first) = self.events.iter().min() {
            let deadline = self.core.poll_timeout().map(|at| (at.as_nanos().max(now), Kind::Deadline, usize::MAX));
            let (at, kind, index) = match deadline {
                Some(deadline) if deadline < first && last_deadline != Some(deadline.0) => {
                    last_deadline = Some(deadline.0);
                    deadline
                }
                _ => {
                    self.events.retain(|event| *event != first);
                    first
                }
            };
            now = at;
            self.handle(Instant::from_nanos(at), kind, index);
            self.take_events(if kind == Kind::Start { usize::MAX } else { index });
        }
    }

    fn handle(&mut self, now: Instant, kind: Kind, index: usize) {
        match kind {
            Kind::Start => self.start(now, index),
            Kind::Finish => {
                let line = self.lines[index];
                if let Some(place) = self.in_flight.iter().position(|call| call.0 == index) {
                    let (_, generation) = self.in_flight.remove(place);
                    let latency = Latency::from_millis(u32::try_from(line.latency.unwrap()).unwrap());
                    self.core.handle_finished(now, generation, latency, line.outcome);
                    self.tell_stalled(now);
                }
                if line.memory.is_none() || line.latency == Some(0) {
                    self.tell(now, index);
                }
            }
            Kind::Stall => {
                self.seen_stalled.push(index);
                self.let_time_pass(now);
            }
            Kind::Memory => {
                let used = self.lines[index].memory.unwrap();
                self.core.handle_memory(now, MemorySample { used, limit: Some(100) });
                if self.lines[index].latency != Some(0) {
                    self.tell(now, index);
                }
            }
            Kind::Deadline => self.let_time_pass(now),
        }
    }

    fn start(&mut self, now: Instant, index: usize) {
        let line = self.lines[index];
        let admission = self.core.try_admit(now);
        self.admitted[index] = Some(admission.is_ok());
        self.events.push((self.nanos(line.at), Kind::Finish, index));
        let Ok(generation) = admission else { return };
        self.in_flight.push((index, generation));
        self.let_time_pass(now);
        let latency = Duration::from_millis(line.latency.unwrap().unsigned_abs());
        let policy = self.core.policy();
        let (threshold, max_age) = (Duration::from(policy.latency_threshold), policy.latency_max_age);
        if self.stall_detection && latency > threshold {
            self.events.push(((now + threshold).as_nanos(), Kind::Stall, index));
            let too_old = max_age + Duration::from_nanos(1);
            if too_old > threshold && too_old < latency {
                self.events.push(((now + too_old).as_nanos(), Kind::Deadline, usize::MAX));
            }
        }
    }

    /// Counts the stalled calls before the breaker is read.
    fn let_time_pass(&mut self, now: Instant) {
        self.tell_stalled(now);
        self.core.handle_timeout(now);
    }

    /// Counts all stalled calls anew each time.
    fn tell_stalled(&mut self, now: Instant) {
        if !self.stall_detection {
            return;
        }
        let generation = self.core.generation();
        let max_age = self.core.policy().latency_max_age;
        let is_stalled = |call: &&(usize, Generation)| {
            let line = self.lines[call.0];
            let start = Instant::from_nanos(self.nanos(line.at - line.latency.unwrap()));
            call.1 == generation && self.seen_stalled.contains(&call.0) && now.since(start) <= max_age
        };
        let count = self.in_flight.iter().filter(is_stalled).count();
        self.core.handle_stalled(now, generation, u16::try_from(count).unwrap());
    }

    fn tell(&mut self, now: Instant, index: usize) {
        self.let_time_pass(now);
        let state = self.core.state().kind();
        let percentile = self.core.percentile().map_or("null".to_owned(), |latency| latency.as_millis().to_string());
        let reason = match state {
            StateKind::Open | StateKind::HalfOpen => format!("\"{}\"", self.core.last_trip().unwrap().reason),
            _ => "null".to_owned(),
        };
        let admitted = self.admitted[index].map_or("null".to_owned(), |admitted| admitted.to_string());
        self.told[index] = format!(
            "{{\"at_ms\":{},\"admitted\":{admitted},\"state\":\"{state}\",\"percentile_ms\":{percentile},\"trend\":\"{}\",\"reason\":{reason}}}\n",
            self.lines[index].at,
            self.core.trend().as_str(),
        );
    }

    fn take_events(&mut self, index: usize) {
        while let Some(event) = self.core.poll_event() {
            let EventKind::Transition { from, to, cause } = event.kind else { continue };
            let at = self.origin * 1_000_000 + i64::try_from(event.at.as_nanos()).unwrap();
            let at = Millis(at).to_string();
            if let (StateKind::Closed, Cause::Trip(reason)) = (from, cause) {
                let index =
                    if index == usize::MAX { self.oldest_of_generation_before(event.generation.get()) } else { index };
                self.trips.push(format!("{{\"index\":{index},\"at_ms\":{at},\"reason\":\"{reason}\"}}"));
            } else if to == StateKind::Closed {
                self.recoveries.push(format!("{{\"at_ms\":{at}}}"));
            } else if (from, to) == (StateKind::HalfOpen, StateKind::Open) {
                self.reopened += 1;
            }
        }
    }

    fn oldest_of_generation_before(&self, generation: u32) -> usize {
        let before = Generation::new(generation - 1);
        let calls = self.in_flight.iter().filter(|call| call.1 == before).map(|call| call.0);
        calls.min_by_key(|&index| (self.lines[index].at - self.lines[index].latency.unwrap(), index)).unwrap()
    }

    fn summary(&self) -> String {
        let count = |wanted| self.admitted.iter().filter(|admitted| **admitted == Some(wanted)).count();
        format!(
            "{{\"calls\":{},\"admitted\":{},\"rejected\":{},\"percentile_ms\":{},\"trips\":[{}],\"recoveries\":[{}],\
             \"unusable\":{{}},\"excluded\":0,\"nul_bytes\":0,\"origin_changes\":0}}\n",
            count(true) + count(false),
            count(true),
            count(false),
            self.core.percentile().map_or("null".to_owned(), |latency| latency.as_millis().to_string()),
            self.trips.join(","),
            self.recoveries.join(",")
        )
    }

    fn nanos(&self, at: i64) -> u64 {
        (at - self.origin).unsigned_abs() * 1_000_000
    }
}

/// Nanoseconds, written as milliseconds. Only deadlines fall between milliseconds.
struct Millis(i64);

impl std::fmt::Display for Millis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let text = format!("{sign}{}.{:06}", self.0.abs() / 1_000_000, self.0.abs() % 1_000_000);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// A splitmix64 generator.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}

/// Traffic on a coarse grid, so that many events coincide, with good and bad phases.
fn traffic(random: &mut Random, grid: u64) -> Vec<Line> {
    let mut at = 0;
    let mut bad = false;
    let mut lines = Vec::new();
    for _ in 0..300 {
        at += i64::try_from(random.below(4) * grid).unwrap();
        if random.below(25) == 0 {
            bad = !bad;
        }
        if random.below(60) == 0 {
            at += 700;
        }
        let most = if bad { 40 } else { 8 };
        let latency = Some(i64::try_from(random.below(most) * grid).unwrap()).filter(|_| random.below(12) > 0);
        let outcome = match random.below(10) {
            0 => Outcome::Ignored,
            1 | 2 => Outcome::Failed,
            _ => Outcome::Ok,
        };
        let memory = Some(random.below(90)).filter(|_| latency.is_none() || random.below(20) == 0);
        lines.push(Line { at: at - 500, latency, outcome, memory });
    }
    lines
}

fn policy(random: &mut Random) -> Policy {
    let mut policy = Policy::default();
    policy.latency_threshold = Latency::from_millis(100);
    policy.percentile = Percentile::new([0.5, 0.8, 0.95][random.below(3) as usize]).unwrap();
    policy.latency_window_size = [8, 20, 64][random.below(3) as usize].try_into().unwrap();
    policy.minimum_samples = [None, Some(3), Some(6)][random.below(3) as usize];
    policy.latency_max_age = Duration::from_millis([150, 600, 60_000][random.below(3) as usize]);
    policy.trend_analysis = random.below(3) == 0;
    policy.trend_minimum_samples = 5;
    policy.trip_confidence = Confidence::new([0.0, 0.0, 0.5][random.below(3) as usize]).unwrap();
    policy.failure_rate_threshold = Ratio::new([0.0, 0.4][random.below(2) as usize]).unwrap();
    policy.wait_time = Duration::from_millis([50, 300][random.below(2) as usize]);
    policy.half_open_max_calls = [0, 1, 3][random.below(3) as usize];
    policy.recovery_time = Duration::from_millis(200);
    policy.sample_interval = Duration::from_millis(100);
    policy
}

fn input(lines: &[Line]) -> String {
    let mut csv = String::from("at_ms,latency_ms,outcome,memory_percent\n");
    for line in lines {
        let outcome = match line.outcome {
            Outcome::Ok => "ok",
            Outcome::Failed => "error",
            Outcome::Ignored => "ignored",
        };
        let text = |value: Option<String>| value.unwrap_or_default();
        let latency = text(line.latency.map(|latency| latency.to_string()));
        let memory = text(line.memory.map(|memory| memory.to_string()));
        writeln!(csv, "{},{latency},{outcome},{memory}", line.at).unwrap();
    }
    csv
}

#[test]
fn a_replay_is_the_core_fed_event_by_event() {
    let mut trips = 0;
    let mut recoveries = 0;
    let mut reopened = 0;
    for seed in 0..120 {
        let mut random = Random(seed);
        let policy = policy(&mut random);
        let grid = [1, 10, 50][random.below(3) as usize];
        let lines = traffic(&mut random, grid);
        let stall_detection = random.below(4) > 0;
        let mut model = Model::new(&policy, stall_detection, &lines);
        model.run();
        let input = input(&lines);
        for (mode, expected) in [(Mode::JsonLines, model.told.concat()), (Mode::Summary, model.summary())] {
            let mut options = Options::new(policy.clone(), mode);
            options.stall_detection = stall_detection;
            let mut output = Vec::new();
            run(&options, input.as_bytes(), &mut output).unwrap();
            let output = without_why(&String::from_utf8(output).unwrap());
            for (line, expected) in output.lines().zip(expected.lines()) {
                assert_eq!(line, expected, "seed {seed}");
            }
            assert_eq!(output.len(), expected.len(), "seed {seed}");
        }
        trips += model.trips.len();
        recoveries += model.recoveries.len();
        reopened += model.reopened;
    }
    assert!(
        trips > 300 && recoveries > 100 && reopened > 100,
        "{trips} trips, {recoveries} recoveries, {reopened} not"
    );
}
