//! The core and the naive model with the same inputs, compared after each.

use std::collections::BTreeSet;
use std::time::Duration;

use tripline_core::{
    Breaker, EventKind, Generation, IncidentCause, Instant, Latency, Policy, State, StateKind, Trend, TripReason,
    is_legal,
};
use tripline_tests::model::{Happened, Model};
use tripline_tests::trend_model::Slope;

use super::inputs::{Input, N};

type Core = Breaker<N>;

/// The core and the model with the same inputs.
pub(crate) struct Pair {
    core: Core,
    model: Model,
    now_ms: u64,
    in_flight: Vec<Generation>,
    kind: StateKind,
    /// Every transition so far, and every kind of event beside them.
    pub(crate) seen: BTreeSet<String>,
}

impl Pair {
    pub(crate) fn new(policy: &Policy) -> Self {
        let core = Core::new(policy.clone(), 1).unwrap();
        let kind = core.state().kind();
        Self {
            core,
            model: Model::new(policy.clone()),
            now_ms: 5_000,
            in_flight: Vec::new(),
            kind,
            seen: BTreeSet::new(),
        }
    }

    fn now(&self) -> Instant {
        Instant::from_millis(self.now_ms)
    }

    /// False where rounding decides and the two may part.
    pub(crate) fn feed(&mut self, input: &Input) -> bool {
        if let Input::Calls { count, first_ms, step_ms, outcome, spacing_ms } = *input {
            return (0..i32::from(count)).all(|i| {
                let latency = Latency::from_millis(first_ms.saturating_add_signed(step_ms * i));
                self.now_ms += spacing_ms;
                let goes_on = self.feed(&Input::Admit);
                let last = self.in_flight.len().saturating_sub(1);
                goes_on && self.feed(&Input::Finish { which: last, latency, outcome, late_ms: 0 })
            });
        }
        self.apply(input);
        if self.model.undecided {
            return false;
        }
        self.compare_events();
        self.compare_state();
        self.compare_window()
    }

    fn apply(&mut self, input: &Input) {
        let now = self.now();
        match *input {
            Input::Admit => {
                let admitted = self.core.try_admit(now);
                assert_eq!(admitted.ok(), self.model.try_admit(now));
                self.in_flight.extend(admitted);
            }
            Input::Finish { which, latency, outcome, late_ms } => {
                let generation = self.take(which);
                let end = Instant::from_millis(self.now_ms.saturating_sub(late_ms));
                self.core.handle_finished(end, generation, latency, outcome);
                self.model.finish(end, generation, latency, outcome);
            }
            Input::Drop(which) => {
                let generation = self.take(which);
                self.core.handle_dropped(generation);
                self.model.drop_call(generation);
            }
            Input::Stalled { count, which } => {
                let generation = self.in_flight.get(which).copied().unwrap_or(self.core.generation());
                self.core.handle_stalled(now, generation, count);
                self.model.stall(now, generation, count);
            }
            Input::Memory(sample) => {
                match sample {
                    Some(sample) => self.core.handle_memory(now, sample),
                    None => self.core.handle_memory_lost(now),
                }
                self.model.read_memory(now, sample);
            }
            Input::Forecast(runs_out) => {
                self.core.handle_memory_forecast(now, runs_out);
                self.model.read_forecast(now, runs_out);
            }
            Input::Pass(ms) => self.now_ms += ms,
            Input::SetBack(ms) => self.now_ms = self.now_ms.saturating_sub(ms),
            Input::Policy(ref policy) => {
                // Whether a longer age brings back what had just expired is left open.
                self.core.handle_timeout(now);
                self.model.pass_time(now);
                self.core.handle_policy(now, policy).unwrap();
                self.model.set_policy(now, policy);
            }
            Input::Calls { .. } => {}
            _ => self.operate(input),
        }
    }

    fn operate(&mut self, input: &Input) {
        let now = self.now();
        match input {
            Input::Time => {
                self.core.handle_timeout(now);
                self.model.pass_time(now);
            }
            Input::Reset => {
                self.core.reset(now);
                self.model.reset(now);
            }
            Input::Enable => {
                self.core.enable(now);
                self.model.enable(now);
            }
            Input::Disable => {
                self.core.disable(now);
                self.model.disable(now);
            }
            Input::ForceOpen => {
                let forced = self.core.force_open(now);
                self.model.force_open(now);
                assert_eq!(forced, self.model.state == State::ForcedOpen);
            }
            Input::SimulateMemory => {
                self.core.simulate_memory(now);
                self.model.simulate(now, true);
            }
            Input::SimulateLatency => {
                self.core.simulate_latency(now);
                self.model.simulate(now, false);
            }
            Input::Resume(cause, trip) => {
                self.core.resume_incident(now, *cause, *trip);
                self.model.resume_incident(now, *cause, *trip);
            }
            _ => {
                self.core.undo_simulations(now);
                self.model.undo_simulations(now);
            }
        }
    }

    /// A call in flight; where there is none, one of an earlier generation.
    fn take(&mut self, which: usize) -> Generation {
        if self.in_flight.is_empty() {
            return Generation::new(self.core.generation().get().wrapping_sub(1));
        }
        self.in_flight.swap_remove(which % self.in_flight.len())
    }

    fn compare_events(&mut self) {
        let mut seen = Vec::new();
        let first = self.core.generation().get();
        while let Some(event) = self.core.poll_event() {
            assert!(event.generation.get() <= first);
            seen.push(match event.kind {
                EventKind::Transition { from, to, cause } => {
                    assert_eq!(from, self.kind, "a transition starts where the last one ended");
                    assert!(is_legal(from, cause, to), "{from} to {to} by {cause:?}");
                    self.kind = to;
                    Happened::Transition(from, to, cause)
                }
                EventKind::Memory(state) => Happened::Memory(state),
                EventKind::MemoryForecast { runs_out } => Happened::MemoryForecast(runs_out),
                EventKind::IncidentStarted(cause) => Happened::IncidentStarted(cause),
                EventKind::IncidentEnded(end) => Happened::IncidentEnded(end),
                EventKind::ClockJumpedBack => Happened::ClockJumpedBack,
                other => panic!("an event the model does not know: {other:?}"),
            });
        }
        self.seen.extend(seen.iter().map(|happened| format!("{happened:?}")));
        assert_eq!(seen, std::mem::take(&mut self.model.happened));
        assert_eq!(self.kind, self.core.state().kind());
    }

    fn compare_state(&self) {
        let (core, model) = (&self.core, &self.model);
        match (core.state(), model.state) {
            (State::Open { until: a }, State::Open { until: b }) => {
                assert!(a.since(b).max(b.since(a)) <= Duration::from_nanos(5), "{a:?} and {b:?}");
            }
            (a, b) => assert_eq!(a, b),
        }
        if let State::HalfOpen { admitted, good } = core.state() {
            assert!(good <= admitted, "{good} good of {admitted} admitted");
        }
        assert_eq!(core.generation().get(), model.generation);
        assert_eq!(core.latest(), model.latest);
        assert_eq!(core.policy(), model.policy);
        assert_eq!(core.last_trip(), model.last_trip);
        assert_eq!(core.is_in_incident(), model.incident.open);
        self.compare_incident();
        assert_eq!(core.memory_state(), model.memory);
        assert_eq!(core.is_memory_running_out(), model.runs_out);
        assert_eq!(core.stalled(), model.stalled);
        assert_eq!(core.is_memory_simulated(), model.simulated_memory);
        assert_eq!(core.is_latency_simulated(), model.simulated_latency);
        let (counts, totals) = (core.counts(), &model.totals);
        assert_eq!(
            (counts.ok, counts.failed, counts.ignored, counts.slow, counts.stale, counts.dropped),
            (totals.ok, totals.failed, totals.ignored, totals.slow, totals.stale, totals.dropped)
        );
        for reason in TripReason::ALL {
            let trips = totals.trips.iter().filter(|&&trip| trip == reason).count();
            assert_eq!(core.counts().trips(reason) as usize, trips, "{reason}");
        }
    }

    fn compare_incident(&self) {
        let model = &self.model.incident;
        let Some(last) = self.core.incident() else { return assert!(model.causes.is_empty()) };
        assert_eq!((last.number as usize, Some(&last.cause)), (model.causes.len(), model.causes.last()));
        let mut ends = model.ends.iter().rev();
        assert_eq!(last.end.as_ref(), if model.open { None } else { ends.next() });
        assert_eq!(last.end_before.as_ref(), ends.next());
        if let IncidentCause::Trip(reason) = last.cause {
            assert_eq!(last.trip, Some(reason));
        }
    }

    /// The figures of the window, after time has passed for both: that is when they are promised to be right.
    fn compare_window(&self) -> bool {
        let (mut core, mut model) = (self.core.clone(), self.model.clone());
        core.handle_timeout(self.now());
        model.pass_time(self.now());
        assert_eq!(core.state().kind(), model.state.kind());
        assert_eq!(core.is_in_incident(), model.incident.open);
        assert_eq!(core.memory_state(), model.memory);
        assert_eq!(usize::from(core.samples()), model.samples.len());
        assert_eq!(core.latencies().collect::<Vec<_>>(), model.latencies());
        assert_eq!(core.percentile(), model.percentile());
        let slow = model.latencies().iter().filter(|&&l| l > model.policy.latency_threshold).count();
        assert_eq!(usize::from(core.samples_above()), slow);
        assert_eq!(usize::from(core.samples_failed()), model.samples.iter().filter(|s| s.failed).count());
        assert_eq!(core.is_above(), model.verdict().above);
        assert_eq!(core.is_breach(), model.verdict().above && model.verdict().enough);
        let Some(slope) = model.slope() else { return false };
        let class = match core.trend() {
            Trend::TooFew => Slope::TooFew,
            Trend::Rising => Slope::Rising,
            Trend::Falling => Slope::Falling,
            Trend::Oscillating | Trend::Steady => Slope::Flat,
        };
        assert_eq!(class, slope);
        true
    }
}
