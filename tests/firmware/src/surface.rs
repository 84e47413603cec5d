//! Calls every public entry point of the core, with inputs that the compiler cannot predict, so that all of it is
//! linked.
//!
//! `Debug` and serde are excluded; `replay` uses serde itself.

use core::hint::black_box;
use core::num::{NonZeroU16, NonZeroU32};
use core::time::Duration;

use tripline_core::{
    Backoff, Breaker, Cause, Confidence, Generation, IncidentCause, Instant, Latency, MemorySample, MemoryThreshold,
    Outcome, Percentile, Policy, Ratio, StateKind, TickExtender, TripReason, is_legal,
};

/// Calls them all; the result depends on each, so none can be left out.
pub fn call_all() -> u64 {
    let mut sum = values();
    if let Some(policy) = policy()
        && let Ok(mut breaker) = Breaker::<64>::new(policy, black_box(7))
    {
        sum = sum.wrapping_add(calls(&mut breaker)).wrapping_add(operate(&mut breaker)).wrapping_add(view(&breaker));
    }
    sum
}

fn values() -> u64 {
    let latency = Latency::between(now(1), now(2));
    let span = Duration::from(Latency::from_micros(black_box(5)));
    let mut ticks = TickExtender::new(black_box(NonZeroU32::MIN), black_box(0));
    let mut sum = ticks.instant(black_box(9)).as_nanos();
    sum = sum.wrapping_add(u64::from(latency.as_micros() ^ latency.as_millis() ^ Latency::from(span).as_micros()));
    sum = sum.wrapping_add(latency.as_millis_f64() as u64).wrapping_add((now(1) + span).since(now(0)).as_secs());
    sum = sum.wrapping_add(u64::from(is_legal(black_box(StateKind::Closed), Cause::Reset, StateKind::Open)));
    for kind in StateKind::ALL {
        sum = sum.wrapping_add(kind.as_str().len() as u64);
    }
    for reason in TripReason::ALL {
        sum = sum.wrapping_add(Cause::Trip(black_box(reason)).as_str().len() as u64);
    }
    #[cfg(feature = "trend")]
    {
        let ramp = black_box([1, 2, 4, 8]).map(Latency::from_millis);
        sum = sum.wrapping_add(tripline_core::Trend::of(ramp, black_box(3)).as_str().len() as u64);
    }
    sum
}

fn policy() -> Option<Policy> {
    let mut policy = Policy::default();
    policy.percentile = Percentile::new(black_box(0.9)).ok()?;
    policy.trip_confidence = Confidence::new(black_box(0.5)).ok()?;
    policy.failure_rate_threshold = Ratio::new(black_box(0.5)).ok()?;
    policy.wait_backoff = Backoff::new(black_box(3.0)).ok()?;
    policy.memory_threshold = MemoryThreshold::new(black_box(0.7)).ok()?;
    policy.latency_window_size = NonZeroU16::new(black_box(32))?;
    policy.wait_time = black_box(Duration::from_secs(1));
    #[cfg(feature = "trend")]
    {
        policy.trend_analysis = black_box(true);
    }
    Some(black_box(policy))
}

fn calls(breaker: &mut Breaker<64>) -> u64 {
    let mut sum = 0;
    for step in 0..black_box(40) {
        match breaker.try_admit(now(step)) {
            Ok(generation) => {
                let outcome = black_box(if step % 3 == 0 { Outcome::Failed } else { Outcome::Ok });
                breaker.handle_finished(now(step), generation, Latency::from_millis(black_box(2_000)), outcome);
            }
            Err(refusal) => sum += refusal.reason.as_str().len() as u64,
        }
    }
    breaker.handle_dropped(Generation::new(black_box(3)));
    breaker.handle_stalled(now(50), breaker.generation(), black_box(2));
    breaker.handle_memory(now(51), black_box(MemorySample { used: 1, limit: Some(2) }));
    breaker.handle_memory_lost(now(52));
    breaker.handle_timeout(now(53));
    while let Some(event) = breaker.poll_event() {
        sum = sum.wrapping_add(event.at.as_nanos());
    }
    #[cfg(feature = "escalation")]
    {
        sum = sum.wrapping_add(stage(breaker));
    }
    sum.wrapping_add(breaker.poll_timeout().map_or(0, Instant::as_nanos))
}

fn operate(breaker: &mut Breaker<64>) -> u64 {
    let applied = policy().is_some_and(|policy| breaker.handle_policy(now(60), &policy).is_ok());
    breaker.disable(now(61));
    breaker.enable(now(62));
    let simulated = (breaker.simulate_memory(now(63)), breaker.simulate_latency(now(64)));
    breaker.undo_simulations(now(65));
    let forced = breaker.force_open(now(66));
    let retry_after = breaker.rejection(now(67)).retry_after;
    breaker.reset(now(68));
    breaker.resume_incident(now(69), IncidentCause::LatencyCondition, black_box(Some(TripReason::Memory)));
    u64::from(applied) ^ u64::from(simulated.0 ^ simulated.1 ^ forced) ^ retry_after.map_or(0, |wait| wait.as_secs())
}

fn view(breaker: &Breaker<64>) -> u64 {
    let counts = breaker.counts();
    let policy = black_box(breaker.policy());
    let mut sum = u64::from(counts.ok ^ counts.slow ^ counts.trips(black_box(TripReason::Latency)));
    sum ^= u64::from(breaker.generation_at(now(1)).map_or(breaker.generation().get(), Generation::get));
    sum ^= u64::from(policy.effective_minimum_samples()) ^ policy.effective_max_wait().as_secs();
    sum ^= policy.memory_clear_ratio() as u64 ^ u64::from(policy.percentile.index(black_box(40)));
    sum ^= u64::from(breaker.slow_after().as_micros()) ^ u64::from(breaker.is_above() ^ breaker.is_breach());
    sum ^= u64::from(breaker.percentile().map_or(0, Latency::as_micros));
    sum ^= breaker.latencies().fold(0, |sum, latency| sum ^ u64::from(latency.as_micros()));
    sum ^= u64::from(breaker.samples() ^ breaker.samples_above() ^ breaker.samples_failed() ^ breaker.stalled());
    sum ^= breaker.state().kind() as u64 ^ breaker.memory_state() as u64;
    sum ^= breaker.memory_sample().and_then(MemorySample::ratio).map_or(0, |ratio| ratio as u64);
    sum ^= u64::from(breaker.is_memory_simulated() ^ breaker.is_latency_simulated() ^ breaker.is_in_incident());
    sum ^= breaker.last_trip().map_or(0, |trip| trip.at.as_nanos()) ^ breaker.latest_reading().as_nanos();
    sum ^= u64::from(breaker.events_emitted() ^ breaker.events_dropped() ^ breaker.clock_jumps());
    #[cfg(feature = "trend")]
    {
        sum ^= breaker.trend() as u64 ^ u64::from(policy.effective_trend_minimum());
    }
    sum
}

fn now(millis: u64) -> Instant {
    Instant::from_millis(black_box(millis))
}

#[cfg(feature = "escalation")]
fn stage(breaker: &mut Breaker<64>) -> u64 {
    use tripline_core::{Escalation, EscalationPolicy, Observation};

    let mut policy = EscalationPolicy::default();
    policy.escalate_after = black_box(Duration::from_secs(1));
    policy.cooldown = black_box(Duration::MAX);
    policy.triggers.breaker_open = black_box(false);
    let mut staging = Escalation::new(policy);
    let mut sum = 0;
    for step in 0..black_box(40) {
        breaker.handle_timeout(now(step));
        staging.handle(black_box(Observation::of(breaker)));
        while let Some(notice) = staging.poll_transition() {
            sum ^= notice.incident ^ notice.kind.as_str().len() as u32 ^ notice.stage.as_str().len() as u32;
        }
        staging = Escalation::restore(policy, breaker.latest(), black_box(2), &black_box(staging.save()));
        staging.handle_policy(black_box(policy));
        sum ^= staging.poll_timeout().map_or(0, |at| at.as_nanos() as u32) ^ u32::from(staging.waits_for_breach());
    }
    u64::from(sum)
}
