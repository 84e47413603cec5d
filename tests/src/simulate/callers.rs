//! Those who call the services: how often, and how long a call takes.

use std::time::Duration;

use tripline_core::Outcome;

use super::random::Random;
use super::script::Mood;
use super::settings::{HEALTHY_MS, SLOW_MS};

/// A call to come.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlannedCall {
    pub(super) latency: Duration,
    pub(super) outcome: Outcome,
    pub(super) is_bad: bool,
}

/// The time to the next calls, and how many come together: a quiet service is called seldom, so that a day passes quickly; callers
/// of a bad one come back, now and then all at once.
pub(super) fn next(mood: Mood, random: &mut Random) -> (Duration, u32) {
    let mean = match mood {
        Mood::Healthy => Duration::from_secs(12),
        _ => Duration::from_millis(1_500),
    };
    (random.around(mean), if random.chance(0.05) { 8 } else { 1 })
}

/// The next call.
pub(super) fn plan(mood: Mood, random: &mut Random) -> PlannedCall {
    let quick = random.millis(HEALTHY_MS.0, HEALTHY_MS.1);
    let latency = random.millis(SLOW_MS.0, SLOW_MS.1);
    let draw = random.below(20);
    let healthy = PlannedCall { latency: quick, outcome: Outcome::Ok, is_bad: false };
    let slow = PlannedCall { latency, outcome: Outcome::Ok, is_bad: true };
    let failed = PlannedCall { latency: quick, outcome: Outcome::Failed, is_bad: true };
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
