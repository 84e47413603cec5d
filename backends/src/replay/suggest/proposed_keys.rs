//! The keys of a proposal: a table, so that a key is a row.

use tripline_runtime::core::Policy;

use super::suggestion::{ProposedKey, Recording};
use crate::replay::human_format::{latency, number};

/// The input of a row.
struct Basis<'a> {
    policy: &'a Policy,
    base: &'a Policy,
    recording: &'a Recording,
    has_headroom: bool,
}

/// One key that can be proposed.
struct Row {
    key: &'static str,
    value: fn(&Policy) -> f64,
    reason: fn(&Basis<'_>) -> String,
    /// Whether it is proposed although it is as in the base.
    is_always_proposed: bool,
}

/// Keys in the order in which they are printed. A key that the search does not change is left out, unless it is always
/// proposed.
const ROWS: [Row; 7] = [
    Row {
        key: "percentile",
        value: |policy| policy.percentile.get(),
        reason: |_| "The percentile is as configured; it was not chosen from the recording.".into(),
        is_always_proposed: true,
    },
    Row {
        key: "latency_threshold",
        value: |policy| policy.latency_threshold.as_millis_f64(),
        reason: above_worst_segment,
        is_always_proposed: true,
    },
    Row {
        key: "latency_window_size",
        value: |policy| policy.latency_window_size.get().into(),
        reason: |basis| {
            let (usual, _) = basis.recording.calls_per_second;
            let seconds = f64::from(basis.policy.latency_window_size.get()) / usual.max(f64::MIN_POSITIVE);
            let seconds = number(seconds);
            format!("About {seconds} s of calls: long enough to outlast a pause, short enough to forget it.")
        },
        is_always_proposed: true,
    },
    Row {
        key: "trip_confidence",
        value: |policy| policy.trip_confidence.get(),
        reason: |_| "The least confidence that was needed for that; more would trip later.".into(),
        is_always_proposed: true,
    },
    Row {
        key: "latency_max_age",
        value: |policy| policy.latency_max_age.as_secs_f64(),
        reason: |basis| {
            let (_, quiet) = basis.recording.calls_per_second;
            let minimum = basis.policy.effective_minimum_samples();
            let quiet = number(quiet * 60.0);
            format!("In quiet times there are {quiet} calls a minute, and the latency rules need {minimum} calls.")
        },
        is_always_proposed: false,
    },
    Row {
        key: "minimum_samples",
        value: |policy| policy.effective_minimum_samples().into(),
        reason: |_| "So many calls are enough for the faults below.".into(),
        is_always_proposed: false,
    },
    Row {
        key: "wait_time",
        value: |policy| policy.wait_time.as_secs_f64(),
        reason: |_| {
            "A false trip rejects calls for so long; shorter waits cost least, and probes that fail make them longer."
                .into()
        },
        is_always_proposed: false,
    },
];

/// The keys of a proposal that changes `base` to `policy`.
pub(super) fn proposed_keys(
    policy: &Policy,
    base: &Policy,
    recording: &Recording,
    has_headroom: bool,
) -> Vec<ProposedKey> {
    let basis = Basis { policy, base, recording, has_headroom };
    let is_proposed = |row: &&Row| row.is_always_proposed || is_changed(row, &basis);
    let key =
        |row: &Row| ProposedKey { key: row.key, value: (row.value)(policy).to_string(), reason: (row.reason)(&basis) };
    ROWS.iter().filter(is_proposed).map(key).collect()
}

/// What depends on the window is as in the base while the base does not set it.
fn is_changed(row: &Row, basis: &Basis<'_>) -> bool {
    let is_set = row.key != "minimum_samples" || basis.policy.minimum_samples != basis.base.minimum_samples;
    is_set && ((row.value)(basis.policy) - (row.value)(basis.base)).abs() > f64::EPSILON
}

fn above_worst_segment(basis: &Basis<'_>) -> String {
    let worst = basis.recording.worst_calm.map_or_else(String::new, latency);
    let headroom = if basis.has_headroom {
        "; with a threshold lower by a fifth, as if all calls took a quarter longer,\nthere would have been no false trip either"
    } else {
        ""
    };
    format!("Above the worst segment ({worst}){headroom}.")
}
