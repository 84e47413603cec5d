//! Invalid uses of the core, and their defined results. The host's tests run this file too (`tests/tests/firmware.rs`).

use core::num::{NonZeroU16, NonZeroU32};
use core::time::Duration;

use tripline_core::{
    Breaker, EVENT_CAPACITY, Instant, Latency, MemorySample, MemoryState, MonotonicInstant, Outcome, Policy, State,
    StateKind, TickExtender,
};

use crate::scenarios::policy;
use crate::{Check, Named, ensure};

/// All of them, by name.
pub const ALL: &[Named] = &[
    ("time goes backwards", time_goes_backwards),
    ("the counter wraps", the_counter_wraps),
    ("time jumps to the end", time_jumps_to_the_end),
    ("the shortest and the longest latency", the_shortest_and_the_longest_latency),
    ("a capacity of 1", a_capacity_of_1),
    ("a window that does not fit", a_window_that_does_not_fit),
    ("the threshold changes in mid-window", the_threshold_changes_in_mid_window),
    ("events are never polled", events_are_never_polled),
    ("results without a call", results_without_a_call),
    ("memory without sense", memory_without_sense),
    ("durations without end", durations_without_end),
];

const FAST: Latency = Latency::from_millis(5);
const SLOW: Latency = Latency::from_millis(400);

fn time_goes_backwards() -> Check {
    let mut breaker = breaker::<16>(policy())?;
    for _ in 0..8 {
        finish(&mut breaker, at(100_000), SLOW);
    }
    ensure!(breaker.state() == State::Open { until: own(110_000) });
    // A late end moves nothing; two readings far behind mean that the clock was set back, and time goes on from there.
    finish(&mut breaker, at(3), FAST);
    ensure!(breaker.latest() == own(100_000));
    ensure!(breaker.try_admit(at(50_000)).is_err() && breaker.clock_jumps() == 0);
    ensure!(breaker.try_admit(at(50_001)).is_err() && breaker.clock_jumps() == 1);
    ensure!(breaker.try_admit(at(60_000)).is_err());
    ensure!(breaker.try_admit(at(60_001)).is_ok());
    Ok(())
}

fn the_counter_wraps() -> Check {
    let mut clock = TickExtender::new(const { NonZeroU32::new(1_000).unwrap() }, u32::MAX - 1_999);
    let mut breaker = breaker::<16>(policy())?;
    for tick in [u32::MAX - 1_000, u32::MAX - 10, u32::MAX, 0, 10, 20, 30, 40] {
        finish(&mut breaker, clock.instant(tick), SLOW);
    }
    ensure!(breaker.state() == State::Open { until: own(12_040) });
    ensure!(breaker.try_admit(clock.instant(10_039)).is_err());
    ensure!(breaker.try_admit(clock.instant(10_040)).is_ok());
    ensure!(breaker.clock_jumps() == 0);
    Ok(())
}

fn time_jumps_to_the_end() -> Check {
    let mut breaker = breaker::<16>(policy())?;
    finish(&mut breaker, at(1), SLOW);
    breaker.handle_timeout(Instant::MAX);
    ensure!(breaker.samples() == 0);
    for _ in 0..8 {
        finish(&mut breaker, Instant::MAX, SLOW);
    }
    ensure!(breaker.state().kind() == StateKind::Open);
    // The bogus reading does not freeze it: the clock is found to have been set back, and the wait goes on.
    breaker.handle_timeout(at(10));
    breaker.handle_timeout(at(11));
    ensure!(breaker.clock_jumps() == 1 && breaker.try_admit(at(10_100)).is_ok());
    Ok(())
}

fn the_shortest_and_the_longest_latency() -> Check {
    let mut policy = policy();
    policy.latency_threshold = Latency::ZERO;
    let mut breaker = breaker::<16>(policy.clone())?;
    for _ in 0..20 {
        finish(&mut breaker, at(1), Latency::ZERO);
    }
    ensure!(!breaker.is_above() && breaker.percentile() == Some(Latency::ZERO));
    for _ in 0..20 {
        finish(&mut breaker, at(1), Latency::MAX);
    }
    ensure!(breaker.state().kind() == StateKind::Open && breaker.percentile() == Some(Latency::MAX));

    policy.latency_threshold = Latency::MAX;
    let mut breaker = self::breaker::<16>(policy)?;
    for _ in 0..20 {
        finish(&mut breaker, at(1), Latency::MAX);
    }
    ensure!(breaker.state() == State::Closed && breaker.samples_above() == 0);
    Ok(())
}

fn a_capacity_of_1() -> Check {
    let mut policy = policy();
    policy.latency_window_size = NonZeroU16::MIN;
    let mut breaker = breaker::<1>(policy)?;
    for _ in 0..3 {
        finish(&mut breaker, at(1), FAST);
        ensure!(breaker.samples() == 1 && breaker.state() == State::Closed);
    }
    finish(&mut breaker, at(2), SLOW);
    ensure!(breaker.state().kind() == StateKind::Open);
    Ok(())
}

fn a_window_that_does_not_fit() -> Check {
    let refused = Breaker::<15>::new(policy(), 1);
    ensure!(refused.is_err_and(|e| e.latency_window_size == 16 && e.capacity == 15));
    let mut breaker = breaker::<16>(policy())?;
    finish(&mut breaker, at(1), FAST);
    let mut wider = policy();
    wider.latency_window_size = NonZeroU16::MAX;
    ensure!(breaker.handle_policy(at(1), &wider).is_err());
    ensure!(breaker.samples() == 1 && breaker.policy().latency_window_size.get() == 16);
    Ok(())
}

fn the_threshold_changes_in_mid_window() -> Check {
    let mut breaker = breaker::<16>(policy())?;
    for step in 1..=12 {
        finish(&mut breaker, at(step.into()), Latency::from_millis(step * 10));
    }
    ensure!(breaker.samples_above() == 0);
    let mut lower = policy();
    lower.latency_threshold = Latency::from_millis(60);
    ensure!(breaker.handle_policy(at(20), &lower).is_ok());
    ensure!(breaker.samples() == 12 && breaker.samples_above() == 6 && breaker.is_above());
    ensure!(breaker.state() == State::Closed);
    finish(&mut breaker, at(21), FAST);
    ensure!(breaker.state().kind() == StateKind::Open);
    Ok(())
}

fn events_are_never_polled() -> Check {
    let mut breaker = breaker::<16>(policy())?;
    for step in 0..50 {
        ensure!(breaker.force_open(at(step)));
        breaker.reset(at(step));
    }
    ensure!(breaker.state() == State::Closed && breaker.events_emitted() == 100);
    let mut left = 0;
    while let Some(event) = breaker.poll_event() {
        left += 1;
        ensure!(event.at >= own(40));
    }
    ensure!(left == EVENT_CAPACITY && breaker.events_dropped() as usize == 100 - EVENT_CAPACITY);
    Ok(())
}

fn results_without_a_call() -> Check {
    let mut breaker = breaker::<16>(policy())?;
    breaker.handle_dropped(breaker.generation());
    breaker.handle_stalled(at(1), breaker.generation(), u16::MAX);
    ensure!(breaker.state().kind() == StateKind::Open);
    ensure!(breaker.try_admit(at(20_000)).is_ok());
    for _ in 0..5 {
        breaker.handle_dropped(breaker.generation());
    }
    // Two results for the one place that was taken: no more good probes are needed than that.
    for _ in 0..9 {
        finish(&mut breaker, at(20_001), FAST);
    }
    ensure!(breaker.state() == State::Closed);
    Ok(())
}

fn memory_without_sense() -> Check {
    let mut breaker = breaker::<16>(policy())?;
    for limit in [None, Some(0)] {
        breaker.handle_memory(at(1), MemorySample { used: u64::MAX, limit });
        ensure!(breaker.memory_state() == MemoryState::Unknown && breaker.state() == State::Closed);
    }
    breaker.handle_memory(at(2), MemorySample { used: u64::MAX, limit: Some(1) });
    ensure!(breaker.memory_state() == MemoryState::Exhausted && breaker.state().kind() == StateKind::Open);
    Ok(())
}

fn durations_without_end() -> Check {
    let mut policy = policy();
    policy.latency_max_age = Duration::MAX;
    policy.wait_time = Duration::MAX;
    policy.max_wait_time = Duration::ZERO;
    policy.recovery_time = Duration::MAX;
    policy.sample_interval = Duration::MAX;
    let mut breaker = breaker::<16>(policy)?;
    for _ in 0..8 {
        finish(&mut breaker, at(1), SLOW);
    }
    ensure!(breaker.state() == State::Open { until: MonotonicInstant::MAX });
    ensure!(breaker.try_admit(Instant::MAX).is_err());
    Ok(())
}

fn breaker<const N: usize>(policy: Policy) -> Result<Breaker<N>, &'static str> {
    Breaker::new(policy, 1).map_err(|_| "the window does not fit")
}

fn finish<const N: usize>(breaker: &mut Breaker<N>, now: Instant, latency: Latency) {
    breaker.handle_finished(now, breaker.generation(), latency, Outcome::Ok);
}

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

/// The same in the breaker's own time, as long as the clock was not set back.
fn own(millis: u64) -> MonotonicInstant {
    MonotonicInstant::from_millis(millis)
}
