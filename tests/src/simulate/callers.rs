//! The callers of the services: the rate and the latency of their calls.

use std::time::Duration;

use tripline_core::Outcome;

use super::mood::Mood;
use super::random::Random;
use super::settings::{HEALTHY_MS, SLOW_MS};

/// A planned call.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlannedCall {
    pub(super) latency: Duration,
    pub(super) outcome: Outcome,
    pub(super) is_bad: bool,
    /// Its permit is dropped, without a result: the caller is cancelled.
    pub(super) is_dropped: bool,
}

/// The share of calls that are dropped.
const DROPPED: f64 = 0.025;

/// Returns the time to the next calls, and their number. A quiet service is called rarely, so that a day passes
/// quickly; callers of an unhealthy one return, sometimes all at once.
pub(super) fn next(mood: Mood, random: &mut Random) -> (Duration, u32) {
    let mean = match mood {
        Mood::Healthy => Duration::from_secs(12),
        _ => Duration::from_millis(1_500),
    };
    (random.around(mean), if random.chance(0.05) { 8 } else { 1 })
}

/// The next call.
pub(super) fn plan(mood: Mood, random: &mut Random) -> PlannedCall {
    let planned = plan_finished(mood, random);
    let is_dropped = random.chance(DROPPED);
    // A call that is dropped while it is quick is neutral, whatever its result would have been; a slow one counts as slow.
    let is_quick = planned.latency < Duration::from_millis(SLOW_MS.0);
    PlannedCall { is_dropped, is_bad: planned.is_bad && !(is_dropped && is_quick), ..planned }
}

fn plan_finished(mood: Mood, random: &mut Random) -> PlannedCall {
    let quick = random.millis(HEALTHY_MS.0, HEALTHY_MS.1);
    let latency = random.millis(SLOW_MS.0, SLOW_MS.1);
    let draw = random.below(20);
    let healthy = PlannedCall { latency: quick, outcome: Outcome::Ok, is_bad: false, is_dropped: false };
    let slow = PlannedCall { latency, outcome: Outcome::Ok, is_bad: true, is_dropped: false };
    let failed = PlannedCall { latency: quick, outcome: Outcome::Failed, is_bad: true, is_dropped: false };
    match mood {
        Mood::Healthy if draw == 19 => PlannedCall { outcome: Outcome::Ignored, ..healthy },
        Mood::Slow => slow,
        Mood::Failing => failed,
        Mood::Hanging => PlannedCall { latency: Duration::from_secs(400), ..slow },
        Mood::Shaky if draw < 6 => slow,
        Mood::Shaky if draw < 10 => failed,
        Mood::Healthy | Mood::Shaky => healthy,
    }
}
