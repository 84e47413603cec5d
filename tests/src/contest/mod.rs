//! Runs decision methods on simulated services, and scores them.
//!
//! A method sees the same as a breaker: a call that finishes, and, if it supports that, a call that becomes older than
//! the threshold. After a trip it is reset, and calls in flight belong to the time before.

use tripline_core::{Breaker, Generation, Instant, Latency, Outcome, Policy, State};

use crate::traffic::{Service, Shape};

pub mod peers;

/// A method that decides when to trip.
pub trait Method {
    /// Records a call that finishes after `latency_us`; `stalled` if it had been reported as hanging. Returns true if
    /// it trips now.
    fn finished(&mut self, now_us: u64, latency_us: u32, stalled: bool) -> bool;
    /// Records that a call becomes older than the threshold; `count` calls are so by now. Returns true if it trips now.
    fn stalled(&mut self, now_us: u64, count: u16) -> bool;
    /// Resets the method to closed.
    fn reset(&mut self, now_us: u64);
}

/// The breaker itself.
#[derive(Debug)]
pub struct Tripline {
    breaker: Breaker<1_024>,
    policy: Policy,
}

impl Tripline {
    /// Creates a breaker with this policy.
    ///
    /// # Panics
    /// If the window does not fit.
    #[expect(clippy::expect_used, reason = "a wrong literal in a test should stop it")]
    pub fn new(policy: &Policy) -> Self {
        Self { breaker: Breaker::new(policy.clone(), 1).expect("the window fits"), policy: policy.clone() }
    }

    fn generation(&self) -> Generation {
        self.breaker.generation()
    }

    fn has_tripped(&self) -> bool {
        self.breaker.state() != State::Closed
    }
}

impl Method for Tripline {
    fn finished(&mut self, now_us: u64, latency_us: u32, _: bool) -> bool {
        let generation = self.generation();
        self.breaker.handle_finished(micros(now_us), generation, Latency::from_micros(latency_us), Outcome::Ok);
        self.has_tripped()
    }

    fn stalled(&mut self, now_us: u64, count: u16) -> bool {
        let generation = self.generation();
        self.breaker.handle_stalled(micros(now_us), generation, count);
        self.has_tripped()
    }

    fn reset(&mut self, now_us: u64) {
        if now_us == 0 {
            // Another service: for the same breaker the clock would have been set back.
            *self = Self::new(&self.policy);
        } else {
            self.breaker.reset(micros(now_us));
        }
    }
}

fn micros(micros: u64) -> Instant {
    Instant::from_nanos(micros * 1_000)
}

/// An event of a call, in the order of evaluation at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Finished,
    Stalled,
}

/// The events of a service in order, for a threshold in microseconds.
#[derive(Debug)]
pub struct Life {
    shape: Shape,
    crossing: Option<usize>,
    starts_us: Vec<u64>,
    latencies_us: Vec<u32>,
    events: Vec<(u64, Kind, usize)>,
    threshold_us: u32,
}

impl Life {
    /// Returns all events of a service, in order.
    pub fn new(service: &Service, threshold_us: u32) -> Self {
        let mut events = Vec::with_capacity(service.calls.len());
        for (index, call) in service.calls.iter().enumerate() {
            events.push((call.start_us + u64::from(call.latency_us), Kind::Finished, index));
            if call.latency_us > threshold_us {
                events.push((call.start_us + u64::from(threshold_us), Kind::Stalled, index));
            }
        }
        events.sort_unstable();
        Self {
            shape: service.shape,
            crossing: service.crossing,
            starts_us: service.calls.iter().map(|call| call.start_us).collect(),
            latencies_us: service.calls.iter().map(|call| call.latency_us).collect(),
            events,
            threshold_us,
        }
    }

    /// Returns the number of calls that had started when the method tripped after the crossing (or at all, for a
    /// healthy service), and how many times it had tripped before.
    fn first_trip(&self, method: &mut dyn Method) -> (Option<usize>, usize) {
        method.reset(0);
        let (mut since_us, mut stalled, mut early) = (0, 0_u16, 0);
        for &(now_us, kind, index) in &self.events {
            if self.starts_us[index] < since_us {
                continue;
            }
            let tripped = match kind {
                Kind::Stalled => {
                    stalled += 1;
                    method.stalled(now_us, stalled)
                }
                Kind::Finished => {
                    let was_stalled = self.latencies_us[index] > self.threshold_us;
                    stalled -= u16::from(was_stalled);
                    method.finished(now_us, self.latencies_us[index], was_stalled)
                }
            };
            if tripped {
                let started = self.starts_us.partition_point(|&start| start <= now_us);
                if self.crossing.is_none_or(|crossing| started > crossing) {
                    return (Some(started), early);
                }
                early += 1;
                method.reset(now_us);
                (since_us, stalled) = (now_us, 0);
            }
        }
        (None, early)
    }
}

/// The result of a method over all services.
#[derive(Debug, Clone, Default)]
pub struct Score {
    /// Healthy services that tripped.
    pub false_trips: Vec<Shape>,
    /// Failing services that tripped before they failed.
    pub early_trips: usize,
    /// Failing services that never tripped.
    pub missed: Vec<Shape>,
    /// Requests that started between the moment the true percentile crossed the threshold and the trip.
    pub delays: Vec<(Shape, usize)>,
}

impl Score {
    /// Runs a method on all of them.
    pub fn of<'l>(method: &mut dyn Method, lives: impl IntoIterator<Item = &'l Life>) -> Self {
        let mut score = Self::default();
        for life in lives {
            let (trip, early) = life.first_trip(method);
            score.early_trips += usize::from(early > 0);
            match (life.crossing, trip) {
                (None, Some(_)) => score.false_trips.push(life.shape),
                (None, None) => {}
                (Some(crossing), Some(started)) => score.delays.push((life.shape, started - crossing - 1)),
                (Some(_), None) => score.missed.push(life.shape),
            }
        }
        score
    }

    /// The median delay of all failing services.
    pub fn median_delay(&self) -> usize {
        median(self.delays.iter().map(|&(_, delay)| delay))
    }

    /// The median delay of those of this shape.
    pub fn median_delay_of(&self, shape: Shape) -> usize {
        median(self.delays.iter().filter(|&&(of, _)| of == shape).map(|&(_, delay)| delay))
    }

    /// A row of the table.
    pub fn row(&self, name: &str) -> String {
        let of = |shape| self.median_delay_of(shape);
        format!(
            "| {name:<58} | {:>5} | {:>5} | {:>6} | {:>4} / {:>3} / {:>4} / {:>3} | {:>4} / {:>3} / {:>3} |",
            self.false_trips.len(),
            self.early_trips,
            self.missed.len(),
            self.median_delay(),
            of(Shape::Step),
            of(Shape::SlowRamp),
            of(Shape::Hanging),
            of(Shape::FastRamp),
            of(Shape::Alternating),
            of(Shape::JustAbove),
        )
    }
}

/// The head of the table.
pub const HEAD: &str = "| method | false | early | missed | delay: all / step / slow ramp / hanging | fast ramp / alternating / just above |\n|---|---|---|---|---|---|";

fn median(values: impl Iterator<Item = usize>) -> usize {
    let mut values: Vec<usize> = values.collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}
