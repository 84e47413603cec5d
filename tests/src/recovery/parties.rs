//! Breakers of the usual kinds, in the simplest form that is fair to them.

use std::collections::VecDeque;
use std::time::Duration;

use tripline_core::{Generation, Instant, Latency, StateKind};

use super::contestant::{Admitted, Contestant};

const WAIT: Duration = Duration::from_secs(10);

/// A plain percentile and a fixed wait: opens when the 95th percentile of the last 64 calls is above the threshold, and
/// closes for all callers 10 s later, with an empty window.
///
/// It has two improvements over the original: a minimum of 21 calls, so that one slow call after a close does not open
/// it; and results of calls that started before it opened are ignored.
#[derive(Debug, Clone)]
pub struct FixedWait {
    threshold: Latency,
    window: VecDeque<bool>,
    open_until: Option<Instant>,
    generation: u32,
}

impl FixedWait {
    const WINDOW: usize = 64;
    const MINIMUM: usize = 21;

    /// A closed one.
    pub const fn new(threshold: Latency) -> Self {
        Self { threshold, window: VecDeque::new(), open_until: None, generation: 0 }
    }

    fn is_above(&self) -> bool {
        let n = self.window.len();
        let index = ((n as f64 * 0.95) as usize).min(n.saturating_sub(1));
        n >= Self::MINIMUM && self.window.iter().filter(|&&slow| slow).count() >= n - index
    }
}

impl Contestant for FixedWait {
    fn ask(&mut self, now: Instant, number: u64) -> Result<Admitted, Duration> {
        if let Some(until) = self.open_until {
            if now < until {
                return Err(until.since(now));
            }
            self.open_until = None;
            self.window.clear();
            self.generation += 1;
        }
        Ok(Admitted { number, start: now, generation: Generation::new(self.generation) })
    }

    fn finished(&mut self, now: Instant, call: Admitted, latency: Latency) {
        if self.open_until.is_some() || call.generation.get() != self.generation {
            return;
        }
        if self.window.len() == Self::WINDOW {
            self.window.pop_front();
        }
        self.window.push_back(latency > self.threshold);
        if self.is_above() {
            self.open_until = Some(now + WAIT);
        }
    }

    fn look(&mut self, _: Instant) {}

    fn next_look(&self) -> Option<Instant> {
        None
    }

    fn state(&self) -> StateKind {
        if self.open_until.is_some() { StateKind::Open } else { StateKind::Closed }
    }
}

/// Opens after five slow calls in a row, and admits one probe every 10 s, as many libraries do.
#[derive(Debug, Clone)]
pub struct Consecutive {
    threshold: Latency,
    slow_in_a_row: u32,
    state: Stage,
    generation: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Closed,
    Open { until: Instant },
    Probing,
}

impl Consecutive {
    const ENOUGH: u32 = 5;

    /// A closed one.
    pub const fn new(threshold: Latency) -> Self {
        Self { threshold, slow_in_a_row: 0, state: Stage::Closed, generation: 0 }
    }

    fn go_to(&mut self, state: Stage) {
        self.state = state;
        self.slow_in_a_row = 0;
        self.generation += 1;
    }
}

impl Contestant for Consecutive {
    fn ask(&mut self, now: Instant, number: u64) -> Result<Admitted, Duration> {
        match self.state {
            Stage::Open { until } if now < until => return Err(until.since(now)),
            Stage::Open { .. } => self.go_to(Stage::Probing),
            Stage::Probing => return Err(self.threshold.into()),
            Stage::Closed => {}
        }
        Ok(Admitted { number, start: now, generation: Generation::new(self.generation) })
    }

    fn finished(&mut self, now: Instant, call: Admitted, latency: Latency) {
        if call.generation.get() != self.generation {
            return;
        }
        let slow = latency > self.threshold;
        self.slow_in_a_row = if slow { self.slow_in_a_row + 1 } else { 0 };
        match self.state {
            Stage::Probing if !slow => self.go_to(Stage::Closed),
            Stage::Probing => self.go_to(Stage::Open { until: now + WAIT }),
            Stage::Closed if self.slow_in_a_row >= Self::ENOUGH => self.go_to(Stage::Open { until: now + WAIT }),
            Stage::Closed | Stage::Open { .. } => {}
        }
    }

    fn look(&mut self, _: Instant) {}

    fn next_look(&self) -> Option<Instant> {
        None
    }

    fn state(&self) -> StateKind {
        match self.state {
            Stage::Closed => StateKind::Closed,
            Stage::Open { .. } => StateKind::Open,
            Stage::Probing => StateKind::HalfOpen,
        }
    }
}
