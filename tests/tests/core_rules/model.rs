//! Random policies and inputs: the core agrees with the naive model and never panics.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};
use tripline_core::{
    Breaker, Confidence, EventKind, Generation, IncidentCause, Instant, Latency, Policy, Ratio, State, StateKind,
    Trend, TripReason, is_legal,
};
use tripline_tests::model::{Happened, Model};
use tripline_tests::trend_model::Slope;

use super::inputs::{Input, N, inputs, policies};

type Core = Breaker<N>;

/// The core and the model with the same inputs.
struct Pair {
    core: Core,
    model: Model,
    now_ms: u64,
    in_flight: Vec<Generation>,
    kind: StateKind,
    /// Every transition so far, and every kind of event beside them.
    seen: BTreeSet<String>,
}

impl Pair {
    fn new(policy: &Policy) -> Self {
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
    fn feed(&mut self, input: &Input) -> bool {
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

/// The same cases every time: a failure is a fault, never bad luck. `PROPTEST_CASES` and `PROPTEST_RNG_SEED` look further.
fn config(cases: u32) -> ProptestConfig {
    let fixed = ProptestConfig { cases, rng_seed: RngSeed::Fixed(20_260), ..ProptestConfig::default() };
    let mut config = proptest::test_runner::contextualize_config(fixed);
    config.failure_persistence = None;
    config.max_shrink_iters = 20_000;
    config
}

#[test]
fn the_core_does_what_the_naive_model_does() {
    let seen = RefCell::new(BTreeSet::new());
    let mut runner = TestRunner::new(config(600));
    let outcome = runner.run(&(policies(), vec(inputs(), 1..80)), |(policy, inputs)| {
        let mut pair = Pair::new(&policy);
        let _ = inputs.iter().all(|input| pair.feed(input));
        seen.borrow_mut().append(&mut pair.seen);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    // Random inputs prove little about what they never reach.
    let seen = seen.into_inner();
    let reached = |words: &str| assert!(seen.iter().any(|event| event.contains(words)), "never seen: {words}");
    for reason in TripReason::ALL {
        reached(&format!("Open, Trip({reason:?})"));
    }
    for words in [
        "Transition(Open, HalfOpen, WaitOver)",
        "Transition(Open, Closed, WaitOver)",
        "Transition(HalfOpen, Closed, Recovered)",
        "Transition(HalfOpen, Open, Trip(Memory))",
        "Transition(ForcedOpen, Closed, Reset)",
        "Transition(Disabled, Closed, Enable)",
        "Transition(Closed, HalfOpen, Resumed)",
        "Memory(Unknown)",
        "Transition(HalfOpen, Open, Trip(MemoryForecast))",
        "MemoryForecast(false)",
        "IncidentStarted(LatencyCondition)",
        "IncidentStarted(MemoryCondition)",
        "IncidentEnded(Healthy)",
        "IncidentEnded(Operator)",
        "ClockJumpedBack",
    ] {
        reached(words);
    }
    println!("{} kinds of events", seen.len());
}

proptest! {
    #![proptest_config(config(400))]

    /// Evidence and jitter have no place in the model; what must hold with them is checked here.
    #[test]
    fn with_confidence_and_jitter_every_step_is_legal(
        policy in policies(),
        confidence in prop_oneof![Just(0.0), 0.0..1.0, Just(0.999_999)],
        jitter in 0.0..=1.0_f64,
        inputs in vec(inputs(), 1..80),
        times in vec(prop_oneof![any::<u64>(), Just(u64::MAX), Just(0), 0..10_000_000_000_u64], 80),
    ) {
        let mut policy = policy;
        policy.trip_confidence = Confidence::new(confidence).unwrap();
        policy.wait_jitter = Ratio::new(jitter).unwrap();
        let mut core = Core::new(policy, 3).unwrap();
        let mut kind = core.state().kind();
        let mut generation = core.generation().get();
        for (input, &nanos) in inputs.iter().zip(&times) {
            feed_blindly(&mut core, input, Instant::from_nanos(nanos), confidence);
            prop_assert!(core.is_above() || !core.is_breach(), "a breach is at least above");
            prop_assert!(core.generation().get() >= generation);
            generation = core.generation().get();
            while let Some(event) = core.poll_event() {
                if let EventKind::Transition { from, to, cause } = event.kind {
                    prop_assert!(core.events_dropped() > 0 || from == kind);
                    prop_assert!(is_legal(from, cause, to), "{} to {} by {:?}", from, to, cause);
                    kind = to;
                }
            }
            prop_assert_eq!(kind, core.state().kind());
        }
    }
}

/// Any input at any instant, 0 and the last one included.
fn feed_blindly(core: &mut Core, input: &Input, at: Instant, confidence: f64) {
    let current = core.generation();
    match *input {
        Input::Admit => drop(core.try_admit(at)),
        Input::Finish { latency, outcome, .. } => core.handle_finished(at, current, latency, outcome),
        Input::Calls { count, first_ms, outcome, .. } => {
            for _ in 0..count {
                let _ = core.try_admit(at);
                let _ = core.rejection(at);
                core.handle_finished(at, core.generation(), Latency::from_millis(first_ms), outcome);
            }
        }
        Input::Drop(_) => core.handle_dropped(current),
        Input::Stalled { count, .. } => core.handle_stalled(at, current, count * 10_000),
        Input::Memory(Some(sample)) => core.handle_memory(at, sample),
        Input::Memory(None) => core.handle_memory_lost(at),
        Input::Forecast(runs_out) => core.handle_memory_forecast(at, runs_out),
        Input::Pass(_) | Input::SetBack(_) | Input::Time => {
            core.handle_timeout(at);
            let _ = core.poll_timeout();
            let _ = core.generation_at(at);
        }
        Input::Policy(ref policy) => {
            let mut policy = (**policy).clone();
            policy.trip_confidence = Confidence::new(confidence).unwrap();
            policy.latency_max_age = Duration::MAX;
            policy.wait_time = Duration::from_nanos(at.as_nanos());
            policy.recovery_time = Duration::MAX;
            policy.sample_interval = Duration::MAX;
            core.handle_policy(at, &policy).unwrap();
        }
        Input::Reset => core.reset(at),
        Input::Enable => core.enable(at),
        Input::Disable => core.disable(at),
        Input::ForceOpen => drop(core.force_open(at)),
        Input::SimulateMemory => drop(core.simulate_memory(at)),
        Input::SimulateLatency => drop(core.simulate_latency(at)),
        Input::Undo => core.undo_simulations(at),
        Input::Resume(cause, trip) => core.resume_incident(at, cause, trip),
    }
}
