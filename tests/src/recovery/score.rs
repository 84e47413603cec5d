//! Counts of one simulation, and medians over many.

use std::collections::BTreeSet;
use std::time::Duration;

use tripline_core::{Instant, StateKind};

use super::contestant::Admitted;

/// The result of one contestant in one scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// Every opening, from closed or after probing.
    pub openings: Vec<Opening>,
    /// Rejected callers whose call would not have been slow.
    pub rejected_good: usize,
    /// Callers that were rejected.
    pub rejected: usize,
    /// Admitted calls that were slow.
    pub admitted_slow: usize,
    /// Maximum number of admitted slow calls in flight at once after the first trip.
    pub most_slow_at_once: usize,
    /// Maximum number of probes in flight at once in one half-open phase.
    pub most_probes: usize,
    /// Time from the recovery of the service until the breaker is closed permanently, in seconds; `None` if that did
    /// not happen.
    pub back_after_s: Option<f64>,
    /// Share of the time during which it was not closed.
    pub open_share: f64,
}

/// One period in which a breaker was open.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Opening {
    /// When it began, in seconds.
    pub at_s: f64,
    /// Whether it was closed before; otherwise it was probing.
    pub from_closed: bool,
    /// Duration in seconds: until a call after the wait. Infinite if none came.
    pub span_s: f64,
}

/// Records the events of a simulation.
#[derive(Debug)]
pub(super) struct Observer {
    well_at: Instant,
    state: StateKind,
    since: Instant,
    not_closed: Duration,
    closed_at: Option<Instant>,
    slow_in_flight: BTreeSet<u64>,
    probes_of: u32,
    probes: BTreeSet<u64>,
    score: Score,
}

impl Observer {
    pub(super) fn new(well_at: Instant) -> Self {
        Self {
            well_at,
            state: StateKind::Closed,
            since: Instant::ZERO,
            not_closed: Duration::ZERO,
            closed_at: Some(Instant::ZERO),
            slow_in_flight: BTreeSet::new(),
            probes_of: 0,
            probes: BTreeSet::new(),
            score: Score {
                openings: Vec::new(),
                rejected_good: 0,
                rejected: 0,
                admitted_slow: 0,
                most_slow_at_once: 0,
                most_probes: 0,
                back_after_s: None,
                open_share: 0.0,
            },
        }
    }

    pub(super) fn state(&mut self, now: Instant, state: StateKind) {
        if state == self.state {
            return;
        }
        let span = now.since(self.since);
        if self.state != StateKind::Closed {
            self.not_closed += span;
        }
        if self.state == StateKind::Open
            && let Some(opening) = self.score.openings.last_mut()
        {
            opening.span_s = span.as_secs_f64();
        }
        if state == StateKind::Open {
            let at_s = now.since(Instant::ZERO).as_secs_f64();
            let from_closed = self.state == StateKind::Closed;
            self.score.openings.push(Opening { at_s, from_closed, span_s: f64::INFINITY });
        }
        self.closed_at = (state == StateKind::Closed).then_some(now);
        self.state = state;
        self.since = now;
    }

    pub(super) fn admitted(&mut self, call: Admitted, slow: bool, is_probe: bool) {
        self.score.admitted_slow += usize::from(slow);
        if slow && !self.score.openings.is_empty() {
            self.slow_in_flight.insert(call.number);
            self.score.most_slow_at_once = self.score.most_slow_at_once.max(self.slow_in_flight.len());
        }
        if is_probe {
            if self.probes_of != call.generation.get() {
                self.probes_of = call.generation.get();
                self.probes.clear();
            }
            self.probes.insert(call.number);
            self.score.most_probes = self.score.most_probes.max(self.probes.len());
        }
    }

    pub(super) fn finished(&mut self, call: Admitted, slow: bool) {
        if slow {
            self.slow_in_flight.remove(&call.number);
        }
        self.probes.remove(&call.number);
    }

    pub(super) fn rejected(&mut self, slow: bool) {
        self.score.rejected += 1;
        self.score.rejected_good += usize::from(!slow);
    }

    pub(super) fn score(mut self, end: Instant) -> Score {
        if self.state != StateKind::Closed {
            self.not_closed += end.since(self.since);
        }
        self.score.open_share = self.not_closed.as_secs_f64() / end.since(Instant::ZERO).as_secs_f64();
        self.score.back_after_s = self.closed_at.map(|closed_at| closed_at.since(self.well_at).as_secs_f64());
        self.score
    }
}

/// The medians of many scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Medians {
    /// Of the number of [`Score::openings`].
    pub openings: f64,
    /// Of [`Score::rejected_good`].
    pub rejected_good: f64,
    /// Of [`Score::admitted_slow`].
    pub admitted_slow: f64,
    /// Of [`Score::most_slow_at_once`].
    pub most_slow_at_once: f64,
    /// Of [`Score::back_after_s`]; `None` counts as infinite.
    pub back_after_s: f64,
    /// Of [`Score::open_share`].
    pub open_share: f64,
}

impl Medians {
    /// The medians of these.
    pub fn of(scores: &[Score]) -> Self {
        let median = |value: &dyn Fn(&Score) -> f64| {
            let mut values: Vec<f64> = scores.iter().map(value).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
        };
        Self {
            openings: median(&|score| score.openings.len() as f64),
            rejected_good: median(&|score| score.rejected_good as f64),
            admitted_slow: median(&|score| score.admitted_slow as f64),
            most_slow_at_once: median(&|score| score.most_slow_at_once as f64),
            back_after_s: median(&|score| score.back_after_s.unwrap_or(f64::INFINITY)),
            open_share: median(&|score| score.open_share),
        }
    }
}
