//! The doubts about a recording, as text.

use std::time::Duration;

use super::fault_injection::{Delay, Fault};
use super::suggestion::{Proposal, Recording};
use crate::replay::figures::between;
use crate::replay::human_format::{Clock, count, counted, latency, number, share, span};

/// Fewer segments than this say little about how segments differ.
const FEW_SEGMENTS: u64 = 10;
/// From this share of the calls on, failures are an incident of their own.
const MANY_FAILURES: f64 = 0.05;
/// This many slow segments, and more than this share of all, are more than hiccups.
const MANY_HICCUPS: u64 = 3;
const MANY_HICCUPS_SHARE: f64 = 0.05;
/// From this share of the calls on, late lines make the order of a log doubtful.
const MANY_LATE: f64 = 0.05;
/// A shorter recording is unlikely to hold a whole cycle of the load.
const SHORT: Duration = Duration::from_secs(3_600);
pub(super) const NOTHING_RECORDED: &str = "there are no records in the input";
/// Incidents that are listed one by one.
const INCIDENTS_TOLD: usize = 5;

pub(super) fn too_short(calls: u64, needed: u64, window: u16) -> String {
    let calls = counted(calls, "call that counts", "calls that count");
    format!("too short: {calls}, and a proposal needs at least {}, three windows of {window}", count(needed))
}

/// The doubts about the recording itself.
pub(super) fn doubts(recording: &Recording) -> Vec<String> {
    let mut doubts = Vec::new();
    if recording.has_whole_seconds {
        doubts.push("the request times are whole seconds, and no threshold can be derived from them; record them as fractions or in smaller units".into());
    }
    if recording.late_share >= MANY_LATE {
        doubts.push(format!(
            "out of order: {} of the calls come more than a minute after their place in the order of time; sort the log first",
            share(recording.late_share)
        ));
    }
    let length = between(recording.from_nanos, recording.to_nanos);
    if length < SHORT {
        doubts.push(format!("short: {}; take at least one whole cycle of your load", span(length)));
    }
    if (1..FEW_SEGMENTS).contains(&recording.segments) {
        let segments = counted(recording.segments, "segment", "segments");
        let size = count(recording.stretch_calls);
        doubts.push(format!(
            "short: only {segments} of {size} calls; how slow the service gets on a bad day is hardly known (better: a whole day)"
        ));
    }
    incidents(recording, &mut doubts);
    if has_many_hiccups(recording) {
        let slow = recording.hiccups;
        let all = count(recording.segments);
        doubts.push(format!("not healthy: {} of {all} segments are slow, one here and one there", count(slow)));
    }
    if failed_share(recording) >= MANY_FAILURES {
        doubts.push(format!("not healthy: {} of the calls failed", share(failed_share(recording))));
    }
    doubts
}

/// Whether nothing of what was recorded looks like trouble.
pub(super) fn is_healthy(recording: &Recording) -> bool {
    recording.incidents.is_empty() && !has_many_hiccups(recording) && failed_share(recording) < MANY_FAILURES
}

fn has_many_hiccups(recording: &Recording) -> bool {
    let slow = recording.hiccups;
    slow >= MANY_HICCUPS && slow as f64 > recording.segments as f64 * MANY_HICCUPS_SHARE
}

fn failed_share(recording: &Recording) -> f64 {
    recording.failed as f64 / recording.calls.max(1) as f64
}

fn incidents(recording: &Recording, doubts: &mut Vec<String>) {
    let (Some(typical), Some(limit)) = (recording.typical, recording.slow_from) else { return };
    let Some(first) = recording.incidents.first() else { return };
    let clock = Clock::of(recording.from_nanos);
    let number_of = recording.incidents.len() as u64;
    let looks = if number_of == 1 { "period looks like an incident" } else { "periods look like incidents" };
    let p = recording.percentile_of.get() * 100.0;
    doubts.push(format!(
        "not healthy: {} {looks} (the {}th percentile of {} calls was above {} three times in a row or more, and is {} \
         typically); they do not count for the threshold, and trips in them do not count as false",
        count(number_of),
        number(p),
        count(recording.stretch_calls),
        latency(limit),
        latency(typical)
    ));
    for incident in recording.incidents.iter().take(INCIDENTS_TOLD) {
        let (from, to) = (clock.write(incident.from_nanos), clock.write(incident.to_nanos));
        let length = span(between(incident.from_nanos, incident.to_nanos));
        doubts.push(format!("incident: {from} to {to} ({length}), worst segment {}", latency(incident.worst)));
    }
    if recording.incidents.len() > INCIDENTS_TOLD {
        let more = recording.incidents.len() - INCIDENTS_TOLD;
        doubts.push(format!("and {more} more since {}", clock.write(first.to_nanos)));
    }
}

/// The doubts about a proposal.
pub(super) fn doubts_of(proposal: &Proposal) -> Vec<String> {
    let mut doubts = Vec::new();
    let false_trips = proposal.sides.first().map_or(0, |side| side.cost.false_trips);
    if false_trips > 0 {
        let trips = counted(false_trips, "false trip", "false trips");
        doubts.push(format!("no setting that was tried is without false trips; this one has {trips} on the recording"));
    } else if !proposal.has_headroom {
        doubts
            .push("no headroom: were the service slower by a quarter, this setting would have had false trips".into());
    }
    for (fault, delay) in proposal.missed_faults() {
        doubts.push(missed(fault, &delay));
    }
    doubts
}

/// Why a proposal does not do: a fault of its own table that it misses.
pub(super) fn missed(fault: Fault, delay: &Delay) -> String {
    format!(
        "a fault is not found: {}; the proposal trips at {} of {} places, and with a lower threshold the recording has false \
         trips or there are too few calls; record more, or set a latency_threshold of your own",
        fault.words(),
        delay.tripped,
        delay.tried
    )
}
