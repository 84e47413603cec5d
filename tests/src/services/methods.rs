//! Decision methods: Tripline's, and those of peers, each with the same waits and probes.

use std::collections::VecDeque;
use std::time::Duration;

use tripline_core::{Breaker, Generation, Instant, Latency, Outcome, Policy, Ratio, State};

use super::{Call, SECOND_US};

/// A breaker that sees the same events as a real one. Calls are identified by their index.
pub trait Method {
    /// Resets the method, for this many calls.
    fn begin(&mut self, calls: usize, threshold_us: u32);
    /// Asks for a call. Returns true if it is admitted.
    fn ask(&mut self, now_us: u64, index: u32) -> bool;
    /// Records that a call becomes older than the threshold.
    fn stalled(&mut self, now_us: u64, index: u32);
    /// Records that a call no longer counts as hanging.
    fn outlived(&mut self, _: u64, _: u32) {}
    /// Records a finished call.
    fn finished(&mut self, now_us: u64, index: u32, call: Call);
    /// Whether it is neither open nor half-open.
    fn is_closed(&self) -> bool;
}

/// Not admitted.
const REJECTED: u32 = u32::MAX;

/// Tripline's core.
#[derive(Debug)]
pub struct Tripline {
    policy: Policy,
    start: Option<Duration>,
    breaker: Breaker<64>,
    generations: Vec<u32>,
    stalled: u16,
    stalled_in: Generation,
}

impl Tripline {
    /// Creates a method with this policy, except for the threshold and the jitter.
    ///
    /// # Panics
    /// If the window does not fit.
    #[expect(clippy::expect_used, reason = "a wrong literal in a test should stop it")]
    pub fn new(policy: Policy) -> Self {
        let breaker = Breaker::new(policy.clone(), 1).expect("the window fits");
        Self { policy, start: None, breaker, generations: Vec::new(), stalled: 0, stalled_in: Generation::new(0) }
    }

    /// Sets the initial tolerance, instead of 1.5 s.
    #[must_use]
    pub fn with_start(self, tolerance: Duration) -> Self {
        Self { start: Some(tolerance), ..self }
    }

    /// Returns the breaker in its present state.
    pub fn breaker(&self) -> &Breaker<64> {
        &self.breaker
    }

    fn count(&mut self, now_us: u64, index: u32, change: i32) {
        let generation = self.breaker.generation();
        if self.generations[index as usize] != generation.get() {
            return;
        }
        if self.stalled_in != generation {
            (self.stalled_in, self.stalled) = (generation, 0);
        }
        self.stalled = self.stalled.saturating_add_signed(change as i16);
        self.breaker.handle_stalled(at(now_us), generation, self.stalled);
    }
}

fn at(micros: u64) -> Instant {
    Instant::from_nanos(micros * 1_000)
}

impl Method for Tripline {
    fn begin(&mut self, calls: usize, threshold_us: u32) {
        self.policy.latency_threshold = Latency::from_micros(threshold_us);
        self.policy.wait_jitter = Ratio::ZERO;
        *self = Self { start: self.start, ..Self::new(self.policy.clone()) };
        if let Some(start) = self.start {
            self.breaker.restore_tolerance(start);
        }
        self.generations = vec![REJECTED; calls];
    }

    fn ask(&mut self, now_us: u64, index: u32) -> bool {
        let Ok(generation) = self.breaker.try_admit(at(now_us)) else { return false };
        self.generations[index as usize] = generation.get();
        true
    }

    fn stalled(&mut self, now_us: u64, index: u32) {
        self.count(now_us, index, 1);
    }

    fn outlived(&mut self, now_us: u64, index: u32) {
        self.count(now_us, index, -1);
    }

    fn finished(&mut self, now_us: u64, index: u32, call: Call) {
        let generation = self.generations[index as usize];
        if generation == REJECTED {
            return;
        }
        let is_counted = generation == self.stalled_in.get() && self.breaker.generation() == self.stalled_in;
        let is_stalled = call.latency_us > self.policy.latency_threshold.as_micros() && call.latency_us <= 60_000_000;
        self.stalled -= u16::from(is_counted && is_stalled && self.stalled > 0);
        let outcome = if call.failed { Outcome::Failed } else { Outcome::Ok };
        let latency = Latency::from_micros(call.latency_us);
        self.breaker.handle_finished(at(now_us), Generation::new(generation), latency, outcome);
        while self.breaker.poll_event().is_some() {}
    }

    fn is_closed(&self) -> bool {
        self.breaker.state() == State::Closed
    }
}

/// The rule of a peer.
#[derive(Debug, Clone, Copy)]
pub enum Rule {
    /// resilience4j: this share of the last 100 calls slow, or failed.
    ShareOfHundred(f64),
    /// Traefik: this quantile of the last 10 s above the threshold, or half of its calls failed; evaluated each 100 ms.
    Quantile(f64),
    /// This many slow or failed calls in a row.
    Consecutive(u32),
}

/// A peer: its rule with waits of 10 s, doubled up to 60 s, and five probes.
#[derive(Debug)]
pub struct Peer {
    rule: Rule,
    threshold_us: u32,
    generation: u32,
    generations: Vec<u32>,
    state: PeerState,
    waits_failed: u32,
    window: VecDeque<(bool, bool)>,
    counts: [u32; 2],
    seconds: VecDeque<(u64, [u32; 3])>,
    looked_us: u64,
    in_a_row: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PeerState {
    Closed,
    Open(u64),
    HalfOpen { admitted: u32, good: u32 },
}

const PROBES: u32 = 5;
const WAIT_US: u64 = 10 * SECOND_US;
const MAX_WAIT_US: u64 = 60 * SECOND_US;

impl Peer {
    /// Creates a peer with this rule.
    pub fn new(rule: Rule) -> Self {
        Self {
            rule,
            threshold_us: 0,
            generation: 0,
            generations: Vec::new(),
            state: PeerState::Closed,
            waits_failed: 0,
            window: VecDeque::new(),
            counts: [0; 2],
            seconds: VecDeque::new(),
            looked_us: 0,
            in_a_row: 0,
        }
    }

    fn change(&mut self, to: PeerState) {
        self.state = to;
        self.generation += 1;
        self.window.clear();
        self.counts = [0; 2];
        self.seconds.clear();
        self.in_a_row = 0;
    }

    fn open(&mut self, now_us: u64) {
        let wait_us = (WAIT_US << self.waits_failed.min(4)).min(MAX_WAIT_US);
        self.change(PeerState::Open(now_us + wait_us));
    }

    fn trips(&mut self, now_us: u64, slow: bool, failed: bool) -> bool {
        match self.rule {
            Rule::Consecutive(limit) => {
                self.in_a_row = if slow || failed { self.in_a_row + 1 } else { 0 };
                self.in_a_row >= limit
            }
            Rule::ShareOfHundred(share) => {
                self.window.push_back((slow, failed));
                self.counts[0] += u32::from(slow);
                self.counts[1] += u32::from(failed);
                if self.window.len() > 100
                    && let Some((slow, failed)) = self.window.pop_front()
                {
                    self.counts[0] -= u32::from(slow);
                    self.counts[1] -= u32::from(failed);
                }
                self.window.len() == 100 && self.counts.iter().any(|&count| f64::from(count) >= share * 100.0)
            }
            Rule::Quantile(quantile) => {
                let second = now_us / SECOND_US;
                if self.seconds.back().is_none_or(|&(last, _)| last != second) {
                    self.seconds.push_back((second, [0; 3]));
                }
                if let Some((_, counts)) = self.seconds.back_mut() {
                    counts[0] += 1;
                    counts[1] += u32::from(slow);
                    counts[2] += u32::from(failed);
                }
                while self.seconds.front().is_some_and(|&(first, _)| first + 10 <= second) {
                    self.seconds.pop_front();
                }
                if now_us < self.looked_us + SECOND_US / 10 {
                    return false;
                }
                self.looked_us = now_us;
                let sum = |which: usize| self.seconds.iter().map(|(_, counts)| f64::from(counts[which])).sum::<f64>();
                sum(1) > (1.0 - quantile) * sum(0) || sum(2) > 0.5 * sum(0)
            }
        }
    }
}

impl Method for Peer {
    fn begin(&mut self, calls: usize, threshold_us: u32) {
        *self = Self::new(self.rule);
        self.threshold_us = threshold_us;
        self.generations = vec![REJECTED; calls];
    }

    fn ask(&mut self, now_us: u64, index: u32) -> bool {
        if let PeerState::Open(until_us) = self.state
            && now_us >= until_us
        {
            self.change(PeerState::HalfOpen { admitted: 0, good: 0 });
        }
        let admitted = match &mut self.state {
            PeerState::Closed => true,
            PeerState::Open(_) => false,
            PeerState::HalfOpen { admitted, .. } => {
                *admitted += 1;
                *admitted <= PROBES
            }
        };
        if admitted {
            self.generations[index as usize] = self.generation;
        }
        admitted
    }

    fn stalled(&mut self, now_us: u64, index: u32) {
        // A probe that hangs has failed; nothing else is evaluated before it returns.
        if matches!(self.state, PeerState::HalfOpen { .. }) && self.generations[index as usize] == self.generation {
            self.waits_failed += 1;
            self.open(now_us);
        }
    }

    fn finished(&mut self, now_us: u64, index: u32, call: Call) {
        if self.generations[index as usize] != self.generation {
            return;
        }
        let slow = call.latency_us > self.threshold_us;
        match self.state {
            PeerState::HalfOpen { .. } if slow || call.failed => {
                self.waits_failed += 1;
                self.open(now_us);
            }
            PeerState::HalfOpen { admitted, good } => {
                self.state = PeerState::HalfOpen { admitted, good: good + 1 };
                if good + 1 >= PROBES {
                    self.waits_failed = 0;
                    self.change(PeerState::Closed);
                }
            }
            PeerState::Closed => {
                if self.trips(now_us, slow, call.failed) {
                    self.open(now_us);
                }
            }
            PeerState::Open(_) => {}
        }
    }

    fn is_closed(&self) -> bool {
        self.state == PeerState::Closed
    }
}

/// The rule of the original, with or without trend analysis.
pub fn original(trend_analysis: bool) -> Policy {
    let mut policy = crate::setup::original_policy();
    policy.trend_analysis = trend_analysis;
    policy
}

/// Returns all compared methods with their names, Tripline first.
pub fn all() -> Vec<(&'static str, Box<dyn Method>)> {
    let mut quick_wait = Policy::default();
    quick_wait.wait_time = Duration::from_secs(3);
    let tripline = |policy: Policy| -> Box<dyn Method> { Box::new(Tripline::new(policy)) };
    let start = |millis: u64| -> Box<dyn Method> {
        Box::new(Tripline::new(Policy::default()).with_start(Duration::from_millis(millis)))
    };
    let peer = |rule: Rule| -> Box<dyn Method> { Box::new(Peer::new(rule)) };
    vec![
        ("Tripline", tripline(Policy::default())),
        ("Tripline, wait 3 s", tripline(quick_wait)),
        ("resilience4j 50 %", peer(Rule::ShareOfHundred(0.5))),
        ("resilience4j 20 %", peer(Rule::ShareOfHundred(0.2))),
        ("Traefik p95", peer(Rule::Quantile(0.95))),
        ("Traefik p50", peer(Rule::Quantile(0.5))),
        ("7 in a row", peer(Rule::Consecutive(7))),
        ("original", tripline(original(false))),
        ("original, trend", tripline(original(true))),
        ("Tripline, from 1.2 s", start(1_200)),
        ("Tripline, from 2 s", start(2_000)),
    ]
}
