//! Events from the difference between two observations of a breaker.
//!
//! A breaker hands out each of its own events once, to the supervisor. So the event log compares what it observes with what it
//! observed before: states with their generations, incidents, memory. States in between are counted.

use std::time::Duration;

use tripline_runtime::core::{
    Breaker as Core, Incident, IncidentEnd, MemorySample, MemoryState, SampleStore, StateKind, Trip, TripReason,
};
use tripline_runtime::{Breaker, TripExplanation};

use super::event_log::{EventBody, EventLog};
use crate::text::{rough_percent, tidy};

/// One observation.
#[derive(Debug, Clone, Copy, PartialEq)]
struct View {
    state: StateKind,
    generation: u32,
    trip: Option<Trip>,
    incident: Option<Incident>,
    memory: MemoryState,
    is_memory_running_out: bool,
    explanation: Option<TripExplanation>,
    half_open_calls: u16,
    false_trips: u32,
    /// From the last trip to now.
    since_trip: Option<Duration>,
    tolerance_ms: Option<u32>,
}

/// Compares each observation with the one before.
#[derive(Debug, Default)]
pub(crate) struct Observer {
    last: Option<View>,
}

impl Observer {
    /// Observes `breaker` and appends what is new to `log`; returns whether anything is.
    pub(crate) fn observe(&mut self, breaker: &Breaker, log: &EventLog) -> bool {
        let wall = breaker.clock().system_time();
        let (view, memory, latest) =
            breaker.read(|core| (View::of(core, breaker.explain(core)), core.memory_sample(), core.latest()));
        let new = match self.last.replace(view) {
            None => begin(view).into_iter().collect(),
            Some(last) => compare(last, view, memory),
        };
        for body in &new {
            // A trip is observed a little after it; an alert about it must not have the earlier time.
            let age = view.trip.filter(|_| body.is_of_trip()).map_or(Duration::ZERO, |trip| latest.since(trip.at));
            log.push(wall.checked_sub(age).unwrap_or(wall), body);
        }
        !new.is_empty()
    }
}

impl View {
    fn of<const N: usize, S: SampleStore>(core: &Core<N, S>, explanation: Option<TripExplanation>) -> Self {
        Self {
            state: core.state().kind(),
            generation: core.generation().get(),
            trip: core.last_trip(),
            incident: core.incident(),
            memory: core.memory_state(),
            is_memory_running_out: core.is_memory_running_out(),
            explanation,
            half_open_calls: core.policy().half_open_max_calls,
            false_trips: core.counts().false_trips,
            since_trip: core.last_trip().map(|trip| core.latest().since(trip.at)),
            tolerance_ms: core.tolerance().map(|tolerance| tolerance.millis),
        }
    }

    /// Memory, in one word.
    fn memory_word(&self) -> &'static str {
        match self.memory {
            MemoryState::Ok if self.is_memory_running_out => "running_out",
            MemoryState::Ok => "ok",
            MemoryState::Exhausted => "exhausted",
            _ => "unknown",
        }
    }

    fn is_ended_by_operator(&self) -> bool {
        self.incident.is_some_and(|incident| incident.end == Some(IncidentEnd::Operator))
    }
}

fn begin(view: View) -> [EventBody; 1] {
    let cause = view.trip.filter(|_| view.state == StateKind::Open).map(|trip| trip.reason.as_str());
    let (why, drill) = evidence(view);
    [EventBody::Transition { from: None, to: view.state.as_str(), cause, why, drill, steps: 0 }]
}

fn compare(last: View, view: View, memory: Option<MemorySample>) -> Vec<EventBody> {
    let mut new = Vec::new();
    if last.memory_word() != view.memory_word() {
        let ratio = memory.filter(|_| view.memory != MemoryState::Unknown).and_then(MemorySample::ratio);
        new.push(EventBody::Memory { state: view.memory_word(), usage_percent: ratio.and_then(rough_percent) });
    }
    if last.generation != view.generation {
        let steps = view.generation.wrapping_sub(last.generation);
        let cause = if steps == 1 { cause(last, view) } else { trip_cause(view) };
        let (from, to) = (Some(last.state.as_str()), view.state.as_str());
        let (why, drill) = evidence(view);
        new.push(EventBody::Transition { from, to, cause, why, drill, steps });
    }
    if last.false_trips != view.false_trips {
        // A later trip is not the false one.
        let passed = view.since_trip.filter(|_| view.state == StateKind::Closed);
        let passed_after_seconds = passed.and_then(|after| tidy(after.as_secs_f64()));
        new.push(EventBody::FalseTrip { passed_after_seconds, tolerance_ms: view.tolerance_ms });
    }
    new.extend(incidents(last.incident, view.incident));
    new
}

/// The evidence of a trip, and whether it is a drill.
fn evidence(view: View) -> (Option<String>, bool) {
    let trip = view.explanation.filter(|_| view.state == StateKind::Open);
    (trip.map(|trip| trip.to_string()), trip.is_some_and(|trip| trip.is_drill))
}

/// The cause of a single transition.
fn cause(last: View, view: View) -> Option<&'static str> {
    let by_operator = view.is_ended_by_operator() && !last.is_ended_by_operator();
    match (last.state, view.state) {
        (_, StateKind::Open) => trip_cause(view),
        (_, StateKind::HalfOpen) => Some("wait_over"),
        (_, StateKind::Disabled) => Some("disable"),
        (_, StateKind::ForcedOpen) => Some("force_open"),
        (StateKind::Disabled, StateKind::Closed) => Some("enable"),
        (StateKind::HalfOpen, StateKind::Closed) if !by_operator => Some("recovered"),
        (StateKind::Open, StateKind::Closed) if !by_operator && last.half_open_calls == 0 => Some("recovered"),
        (_, StateKind::Closed) => Some("reset"),
    }
}

fn trip_cause(view: View) -> Option<&'static str> {
    view.trip.filter(|_| view.state == StateKind::Open).map(|trip| TripReason::as_str(trip.reason))
}

/// An incident that ended and the one that began after it, at most.
fn incidents(last: Option<Incident>, now: Option<Incident>) -> Vec<EventBody> {
    let mut new = Vec::new();
    let Some(now) = now else { return new };
    let is_new = last.is_none_or(|last| last.number != now.number);
    if is_new && let Some(last) = last.filter(|last| last.end.is_none()) {
        new.extend(now.end_before.map(|end| ended(last.number, end)));
    }
    if is_new {
        new.push(EventBody::Incident { incident: now.number, phase: "began", cause: now.cause.as_str() });
    }
    if let Some(end) = now.end
        && (is_new || last.is_some_and(|last| last.end.is_none()))
    {
        new.push(ended(now.number, end));
    }
    new
}

fn ended(incident: u32, end: IncidentEnd) -> EventBody {
    let cause = match end {
        IncidentEnd::Operator => "operator",
        _ => "healthy",
    };
    EventBody::Incident { incident, phase: "ended", cause }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tripline_runtime::core::{Instant, Policy};

    #[test]
    fn a_forecast_that_ends_while_memory_is_exhausted_is_nothing_new() {
        let mut policy = Policy::default();
        policy.memory_horizon = Duration::from_secs(60);
        let mut core = Core::<64>::new(policy, 7).unwrap();
        let mut states = Vec::new();
        for (used, runs_out) in [(70, false), (71, true), (80, true), (80, false), (81, true), (70, true), (70, false)]
        {
            let last = View::of(&core, None);
            core.handle_memory(Instant::ZERO, MemorySample { used, limit: Some(100) });
            core.handle_memory_forecast(Instant::ZERO, runs_out);
            let new = compare(last, View::of(&core, None), core.memory_sample());
            states.extend(new.iter().filter_map(|body| match body {
                EventBody::Memory { state, .. } => Some(*state),
                _ => None,
            }));
        }
        assert_eq!(states, ["ok", "running_out", "exhausted", "running_out", "ok"]);
    }
}
