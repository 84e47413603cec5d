//! Random policies and inputs: the core agrees with the naive model and never panics.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};
use tripline_core::{Breaker, Confidence, EventKind, Instant, Latency, Ratio, TripReason, is_legal};

use super::inputs::{Input, N, inputs, policies};
use super::pair::Pair;

type Core = Breaker<N>;

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
