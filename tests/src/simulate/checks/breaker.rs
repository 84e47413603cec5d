//! Invariants of a breaker.

use std::time::Duration;

use tripline_core::{Instant, MemoryState, State, StateKind, TripReason};
use tripline_runtime::Breaker;

use super::super::fleet_commands::EXECUTED_WITHIN;
use super::super::mood::Mood;
use super::super::operator::Command;
use super::super::seen::Seen;
use super::super::settings::BREAKERS;
use super::super::state::Simulation;
use super::super::truth::{Expected, Truth};
use super::super::violation::{Check, hold};

/// Time within which a service with only bad calls must be found.
const DETECTED_WITHIN: Duration = Duration::from_secs(120);
/// Maximum time between calls.
const MAX_GAP: Duration = Duration::from_secs(45);
/// Time within which the supervisor must fail a probe that takes longer than the threshold.
const PROBE_DECIDED_WITHIN: Duration = Duration::from_secs(10);
/// Time for which a bad call counts: the newest few count for an hour.
const REMEMBERED: Duration = Duration::from_secs(3_700);
/// Time within which exhausted memory must open a breaker: several sampling intervals.
const MEMORY_SEEN_WITHIN: Duration = Duration::from_secs(60);
/// Time for which a memory reading is fresh.
const READING_VALID: Duration = Duration::from_secs(45);

pub(super) fn after_event(simulation: &mut Simulation) -> Check {
    let Some(process) = &simulation.process else { return Ok(()) };
    let breakers = process.breakers.clone();
    for (index, breaker) in breakers.iter().enumerate() {
        look(simulation, index, breaker)?;
    }
    Ok(())
}

fn look(simulation: &mut Simulation, index: usize, breaker: &Breaker) -> Check {
    let (now, name) = (simulation.world.now(), BREAKERS[index]);
    let (state, generation, trip, incident, limit, enabled) = breaker.read(|core| {
        let incident = core.incident().filter(|incident| incident.end.is_none());
        let policy = core.policy();
        let trip = core.last_trip().map(|trip| trip.reason);
        (core.state(), core.generation().get(), trip, incident, policy.half_open_max_calls, policy.enabled)
    });
    let tripped = incident.is_some_and(|incident| incident.trip.is_some());
    let kind = state.kind();
    let before = simulation.truths[index].seen.replace((kind, generation));
    if let Some((was, earlier)) = before.filter(|before| *before != (kind, generation)) {
        simulation.note(|| format!("{name}: {was} to {kind}, generation {generation}, {trip:?}"));
        simulation.seen.changed = now;
        let steps = generation.wrapping_sub(earlier);
        hold(steps > 0 && steps < 1_000, "generations", || {
            format!("{name}: {earlier} to {generation}, {was} to {kind}")
        })?;
        if steps == 1 {
            hold(is_legal(was, kind), "transitions", || format!("{name}: {was} to {kind}"))?;
            let (seen, truth) = (&simulation.seen, &simulation.truths[index]);
            if kind == StateKind::Open {
                trip_has_reason(now, seen, truth, trip)
                    .map_err(|(what, detail)| (what, format!("{name}: {detail}")))?;
            }
            if (was, kind) == (StateKind::HalfOpen, StateKind::Closed) {
                let bad_for = truth.all_bad_since.map(|since| now.since(since));
                let quiet = Duration::from_secs(20);
                let is_wrong = bad_for.is_some_and(|span| span > quiet) && now.since(truth.touched) > quiet;
                hold(!is_wrong, "closed while unwell", || format!("{name}: every call is bad for {bad_for:?}"))?;
            }
        }
    }
    command_to_all(simulation, index, kind)?;
    let truth = &mut simulation.truths[index];
    if before != Some((kind, generation)) {
        truth.changed = now;
    }
    let known = truth.incident;
    truth.incident = incident.map(|incident| {
        let same = known.filter(|(number, _)| *number == incident.number);
        same.unwrap_or((incident.number, now))
    });
    let is_closed = matches!(kind, StateKind::Closed | StateKind::Disabled);
    truth.not_closed_since = (!is_closed).then(|| truth.not_closed_since.unwrap_or(now));
    truth.closed_since = (kind == StateKind::Closed).then(|| truth.closed_since.unwrap_or(now));
    truth.is_end_lost &= tripped;
    truth.tripped_since = tripped.then(|| truth.tripped_since.unwrap_or(now));
    // Without a supervisor, as while the process stops, the first call that finishes may be the one that detects hanging calls.
    if !simulation.seen.is_stopping {
        truth.left_off.see(now, kind == StateKind::ForcedOpen, tripped && kind != StateKind::Disabled);
        counts(breaker, truth, name)?;
    }
    let quiet = |since: Instant| now.since(since) > MEMORY_SEEN_WITHIN;
    let is_due = simulation.seen.memory_above_since.is_some_and(quiet) && quiet(truth.touched) && enabled;
    if is_due && !simulation.seen.is_stopping {
        let memory = breaker.read(tripline_core::Breaker::memory_state);
        let is_seen = memory == MemoryState::Exhausted && kind != StateKind::Closed;
        hold(is_seen, "memory is sampled", || {
            let percent = simulation.seen.memory_percent;
            format!("{name} is {kind}, its memory is {memory:?}, and {percent} % are used")
        })?;
    }
    if let State::HalfOpen { admitted, good } = state {
        hold(admitted <= limit && good <= admitted, "probes", || format!("{name}: {state:?}, limit {limit}"))?;
        let is_probe = |call: &&super::super::truth::Call| call.was_half_open && call.generation == generation;
        let probes = truth.calls.values().filter(is_probe).count();
        hold(probes <= usize::from(limit), "probes", || format!("{name}: {probes} in flight, limit {limit}"))?;
        let unfinished = usize::from(admitted - good);
        hold(unfinished == probes, "probes", || format!("{name}: {unfinished} slots are taken, {probes} in flight"))?;
        let oldest = truth.calls.values().filter(is_probe).map(|call| call.started).min();
        let is_wedged = oldest.is_some_and(|started| now > started + PROBE_DECIDED_WITHIN);
        hold(!is_wedged, "probes", || format!("{name} waits for a probe since {oldest:?}"))?;
    }
    let is_visible = truth.mood != Mood::Hanging || breaker.detects_stalls();
    let quiet = |since: Instant| now.since(since) > DETECTED_WITHIN;
    let undetected = truth.all_bad_since.is_some_and(quiet) && truth.closed_since.is_some_and(quiet);
    hold(!(undetected && enabled && is_visible && quiet(truth.touched)), "detection", || {
        format!("{name} is closed, and every call is bad since {:?}", truth.all_bad_since)
    })?;
    if let State::Open { until } = state {
        let is_held = truth.is_simulated
            || Seen::is_recent(simulation.seen.memory_bad_at, now, 2 * MAX_GAP)
            || simulation.seen.memory_percent > 50
            || simulation.seen.is_memory_stale;
        // Callers ask at least every MAX_GAP, and the first of them ends the wait.
        let until = breaker.read(|core| core.on_clock(until));
        let is_stuck = now > until.max(truth.touched) + 2 * MAX_GAP && !is_held;
        hold(!is_stuck, "wedged", || format!("{name} is open, and its wait was over at {until:?}"))?;
    }
    Ok(())
}

/// Checks that the process has executed a command to all replicas.
fn command_to_all(simulation: &mut Simulation, index: usize, kind: StateKind) -> Check {
    let (now, is_calm) = (simulation.world.now(), simulation.is_engine_calm(EXECUTED_WITHIN));
    let Some((command, at)) = simulation.truths[index].commanded.filter(|(_, at)| now > *at + EXECUTED_WITHIN) else {
        return Ok(());
    };
    simulation.truths[index].commanded = None;
    let is_executed = match command {
        Command::DisableAll => matches!(kind, StateKind::Disabled | StateKind::ForcedOpen),
        Command::EnableAll => kind != StateKind::Disabled,
        Command::ResetAll => kind != StateKind::ForcedOpen,
        _ => true,
    };
    hold(is_executed || !is_calm || simulation.seen.is_stopping, "commands to all replicas", || {
        format!("{} is {kind}, and {command:?} was sent at {at:?}", BREAKERS[index])
    })
}

fn counts(breaker: &Breaker, truth: &Truth, name: &str) -> Check {
    let counts = breaker.read(|core| *core.counts());
    let seen = Expected {
        ok: counts.ok,
        failed: counts.failed,
        ignored: counts.ignored,
        stale: counts.stale,
        dropped: counts.dropped,
        rejected: breaker.rejected(),
    };
    hold(seen == truth.expected, "counts", || format!("{name}: {seen:?}, expected {:?}", truth.expected))?;
    if breaker.detects_stalls() {
        let (seen, expected) = (breaker.in_flight(), truth.calls.values().filter(|call| call.is_tracked).count());
        hold(seen == expected, "counts", || format!("{name}: {seen} calls in flight, expected {expected}"))?;
    }
    hold(breaker.reports_dropped() == 0, "counts", || format!("{name}: {counts:?}"))?;
    let trips: u64 = TripReason::ALL.iter().map(|reason| u64::from(counts.trips(*reason))).sum();
    hold(trips < 1_000_000, "counts", || format!("{name}: {trips} trips"))
}

/// Whether a single step may lead from one state to the other.
fn is_legal(from: StateKind, to: StateKind) -> bool {
    use StateKind::{Closed, Disabled, ForcedOpen, HalfOpen, Open};
    match from {
        Closed => matches!(to, Closed | Open | HalfOpen | Disabled | ForcedOpen),
        Open => matches!(to, Closed | HalfOpen | Disabled | ForcedOpen),
        HalfOpen => matches!(to, Closed | Open | Disabled | ForcedOpen),
        Disabled => matches!(to, Closed | Disabled),
        ForcedOpen => matches!(to, Closed | Disabled),
    }
}

/// Checks that a trip had a cause: a bad observation, or an operator's simulation.
fn trip_has_reason(now: Instant, seen: &Seen, truth: &Truth, trip: Option<TripReason>) -> Check {
    let is_touched = truth.touched <= now && now.since(truth.touched) < Duration::from_secs(1);
    if truth.is_simulated || is_touched {
        return Ok(());
    }
    let Some(reason) = trip else { return Err(("trips", "it is open without a trip".to_owned())) };
    let memory =
        seen.memory_percent > 50 || seen.is_memory_stale || Seen::is_recent(seen.memory_bad_at, now, READING_VALID);
    let calls = truth.calls.values().any(|call| call.is_bad) || Seen::is_recent(truth.bad_at, now, REMEMBERED);
    let holds = match reason {
        TripReason::Memory | TripReason::MemoryForecast => memory,
        TripReason::MemoryAndLatency => memory && calls,
        _ => calls,
    };
    hold(holds, "trips", || {
        format!("it opened by {} and nothing is wrong; bad call at {:?}", reason.as_str(), truth.bad_at)
    })
}

/// Checks the breaker after a quiet quarter of an hour.
pub(super) fn settled(simulation: &mut Simulation) -> Check {
    let Some(process) = &simulation.process else { return Ok(()) };
    for (breaker, name) in process.breakers.iter().zip(BREAKERS) {
        let (state, incident, memory) = breaker.read(|core| (core.state(), core.is_in_incident(), core.memory_state()));
        hold(state == State::Closed, "settled", || format!("{name} is {state:?}"))?;
        hold(!incident, "settled", || format!("{name} is still in an incident"))?;
        hold(memory == MemoryState::Ok, "settled", || format!("{name}: memory is {memory:?}"))?;
    }
    Ok(())
}
